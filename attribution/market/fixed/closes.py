"""Session closes from the caller's ``historical_cache``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from attribution.calendars import get_calendar
from attribution.fields import as_number
from attribution.instruments import Equity, Future, Index
from attribution.market.quotes import Answer, CloseOf, Missing, Price, PriceKind
from attribution.symbols import format_symbol

__all__ = ["CloseTable"]


class CloseTable:
    """Session closes from the caller's ``historical_cache`` of ``(symbol, "YYYYMMDD")`` → close.

    The dict is read where it stands, so that closes added to it later are seen; if it can be written to, it is
    filled with the closes that other sources answer.
    """

    def __init__(self, closes: Mapping[Any, Any], name: str = "historical_cache") -> None:
        self.name = name
        self._closes = closes

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """The cached close of each instrument and session."""
        return [self._close(ask) for ask in wanted]

    def remember(self, wanted: Sequence[CloseOf], answers: Sequence[Answer]) -> None:
        """Fill the caller's dict with closes it did not hold; settlement prices are not closes."""
        if not isinstance(self._closes, MutableMapping):
            return
        for ask, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Price) and answer.kind is PriceKind.CLOSE and answer.source != self.name:
                key = (format_symbol(ask.instrument), _text(ask.session))
                self._closes.setdefault(key, answer.value)

    def _close(self, ask: CloseOf) -> Answer:
        session_text = _text(ask.session)
        for symbol in _spellings(ask):
            key = (symbol, session_text)
            if key in self._closes:
                value = as_number(f"{self.name}[{symbol!r}, {session_text!r}]", self._closes[key])
                if value is None:
                    return Missing(f"the close of {symbol} on {ask.session} is NaN or None")
                session = get_calendar(ask.instrument.exchange).session_on(ask.session)
                return Price(value, self.name, PriceKind.CLOSE, None if session is None else session.close)
        return Missing(f"no close of {format_symbol(ask.instrument)} on {ask.session}")


@lru_cache(maxsize=4096)
def _text(session: date) -> str:
    return f"{session:%Y%m%d}"


def _spellings(ask: CloseOf) -> Iterable[str]:
    """The ways in which a close may be keyed: canonical, as the trade wrote it, and the looser ones seen."""
    text = format_symbol(ask.instrument)
    yield text
    if ask.symbol and ask.symbol != text:
        yield ask.symbol
    if isinstance(ask.instrument, Future):
        yield text + "_"
    if isinstance(ask.instrument, (Equity, Index)):
        yield ask.instrument.name
