"""Underlying prices from a callable of the caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from attribution.calendars import get_calendar
from attribution.errors import TradeError
from attribution.fields import stamp
from attribution.instruments import Equity, Future, Index
from attribution.market.fixed.values import (
    CALLABLE_ERRORS,
    SpotValue,
    UnderlyingPrice,
    as_underlying_price,
    forward_for,
)
from attribution.market.quotes import Answer, CloseOf, Missing, Price, PriceAt, PriceKind, Why
from attribution.symbols import format_symbol, underlying_of

__all__ = ["PriceFunction"]


class PriceFunction:
    """Underlying prices from a callable ``(underlying_symbol, exchange, time) -> price``.

    It is called with the canonical symbol of an underlying (``"NIFTY_IND___"``), its exchange code and a
    datetime in that exchange's zone, once per distinct question of a batch; nothing is remembered between
    batches. It may return a number, an :class:`UnderlyingPrice`, a pair (spot, forward), or None for "not known".
    """

    def __init__(self, function: Callable[[str, str, datetime], SpotValue], name: str = "spot_prices") -> None:
        self.name = name
        self._function = function

    def _ask(self, symbol: str, exchange: str, at: datetime) -> UnderlyingPrice | Missing:
        what = f"{symbol} on {exchange} at {stamp(at)}"
        try:
            value = self._function(symbol, exchange, at)
        except TradeError:
            raise
        except CALLABLE_ERRORS as exc:
            return Missing(f"the callable failed for {what}: {exc!r}", Why.FAILED)
        quoted = as_underlying_price(self.name, value)
        return Missing(f"the callable knows no {what}") if quoted is None else quoted

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices of underlyings, and of the futures whose forward was returned beside the spot."""
        seen: dict[tuple[str, str, datetime], UnderlyingPrice | Missing] = {}
        return [self._price_at(ask, seen) for ask in wanted]

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Closes of underlyings: what the callable says of the very instant of the close."""
        return [self._close(ask) for ask in wanted]

    def _close(self, ask: CloseOf) -> Answer:
        session = get_calendar(ask.instrument.exchange).session_on(ask.session)
        if session is None:
            return Missing(f"{ask.instrument.exchange} has no session on {ask.session}")
        answer = self._price_at(PriceAt(ask.instrument, session.close), {})
        return answer._replace(kind=PriceKind.CLOSE) if isinstance(answer, Price) else answer

    def _price_at(self, ask: PriceAt, seen: dict[tuple[str, str, datetime], UnderlyingPrice | Missing]) -> Answer:
        instrument = ask.instrument
        if not isinstance(instrument, Equity | Index | Future):
            return Missing("the callable is asked for underlyings only")
        underlying = underlying_of(instrument)
        at = ask.at.astimezone(get_calendar(underlying.exchange).zone)
        key = (format_symbol(underlying), underlying.exchange, at)
        if key not in seen:
            seen[key] = self._ask(*key)
        quoted = seen[key]
        if isinstance(quoted, Missing):
            return quoted
        if not isinstance(instrument, Future):
            return Price(quoted.spot, self.name, PriceKind.GIVEN, ask.at)
        forward = forward_for(self.name, quoted.forward, instrument.expiry)
        if forward is None:
            return Missing(f"no forward beside the spot for {format_symbol(instrument)}")
        return Price(forward, self.name, PriceKind.GIVEN, ask.at)
