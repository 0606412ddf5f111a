"""Leg fills from a dict, a list or a callable of the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attribution.errors import TradeError
from attribution.fields import as_number
from attribution.instruments import Instrument
from attribution.market.fixed.values import CALLABLE_ERRORS, canonical_key
from attribution.market.quotes import Answer, FillOf, Missing, Price, PriceKind, Side, Why
from attribution.symbols import format_symbol

__all__ = ["LegPriceFunction", "LegPriceTable"]

FILL = PriceKind.FILL


class LegPriceTable:
    """Leg fills from ``{leg: {"entry": x, "exit": y}}``, ``{leg: (x, y)}`` or ``[(leg, entry, exit)]``."""

    def __init__(
        self,
        prices: Mapping[str, Mapping[str, Any] | Sequence[Any]] | Iterable[Sequence[Any]],
        name: str = "leg_prices",
    ) -> None:
        self.name = name
        self._prices: dict[str, tuple[float | None, float | None]] = {}
        rows = prices.items() if isinstance(prices, (dict, Mapping)) else (_leg_row(name, row) for row in prices)
        for leg, value in rows:
            if not isinstance(leg, str):
                raise TradeError(name, leg, "a leg symbol as text")
            self._prices[canonical_key(leg, None).text] = self._pair(leg, value)

    def _pair(self, leg: str, value: object) -> tuple[float | None, float | None]:
        field = f"{self.name}[{leg!r}]"
        if isinstance(value, (dict, Mapping)):
            unknown = set(value) - {"entry", "exit"}
            if unknown:
                raise TradeError(field, value, 'a mapping with the keys "entry" and "exit"')
            entry, leave = value.get("entry"), value.get("exit")
        elif isinstance(value, (tuple, Sequence)) and not isinstance(value, str) and len(value) == 2:
            entry, leave = value
        else:
            raise TradeError(field, value, '{"entry": x, "exit": y} or (entry, exit)')
        return as_number(f"{field} entry", entry), as_number(f"{field} exit", leave)

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """The given entry or exit price of each leg."""
        return [self._fill(ask) for ask in wanted]

    def _fill(self, ask: FillOf) -> Answer:
        found = self.stated_fill(ask.instrument, ask.symbol, ask.side, ask.at)
        return Missing(f"leg {ask.symbol} is not in it") if found is None else found

    def stated_fill(self, instrument: Instrument, symbol: str, side: Side, at: datetime) -> Answer | None:
        """The answer of :meth:`fills` where the leg is there, without a question being made."""
        pair = self._prices.get(format_symbol(instrument)) or self._prices.get(canonical_key(symbol, None).text)
        if pair is None:
            return None
        value = pair[0 if side == "entry" else 1]
        return Missing(f"no {side} price of {symbol}") if value is None else Price(value, self.name, FILL, at)


def _leg_row(name: str, row: Sequence[Any]) -> tuple[Any, tuple[Any, Any]]:
    if len(row) != 3:
        raise TradeError(name, row, "(leg, entry, exit)")
    return row[0], (row[1], row[2])


class LegPriceFunction:
    """Leg fills from a callable ``(leg, "entry" | "exit") -> price``; ``leg`` is the trade's own text."""

    def __init__(self, function: Callable[[str, Any], float | None], name: str = "leg_prices") -> None:
        self.name = name
        self._function = function

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """What the callable says of each leg."""
        return [self._fill(ask) for ask in wanted]

    def _fill(self, ask: FillOf) -> Answer:
        try:
            value = self._function(ask.symbol, ask.side)
        except TradeError:
            raise
        except CALLABLE_ERRORS as exc:
            return Missing(f"the callable failed for {ask.symbol}, {ask.side}: {exc!r}", Why.FAILED)
        number = as_number(f"{self.name}({ask.symbol!r}, {ask.side!r})", value)
        if number is None:
            return Missing(f"the callable knows no {ask.side} price of {ask.symbol}")
        return Price(number, self.name, FILL, ask.at)
