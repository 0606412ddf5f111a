"""The smallest broker there can be: answers from dicts, remembers what it was asked, fails when told to."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from attribution.errors import BrokerError
from attribution.market.quotes import Answer, CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf
from attribution.symbols import format_symbol


class RecordedBroker:
    """Prices by ``(symbol, instant)``, closes by ``(symbol, date)``, quotes by symbol, fills by ``(symbol, side)``.

    A value may be a whole answer, with a time and a quantity or a reason of its own. ``fails`` names the methods that
    fail: one of them, or several.
    """

    def __init__(
        self,
        prices: Mapping[tuple[str, datetime], float | Answer] | None = None,
        closes: Mapping[tuple[str, date], float | Answer] | None = None,
        quotes: Mapping[str, float | Answer] | None = None,
        fills: Mapping[tuple[str, str], float | Answer] | None = None,
        *,
        name: str = "recorded",
        fails: str | Collection[str] = (),
        close_kind: PriceKind = PriceKind.CLOSE,
    ) -> None:
        self.name = name
        self.asked: list[Any] = []
        self._prices, self._closes = prices or {}, closes or {}
        self._quotes, self._fills = quotes or {}, fills or {}
        self._fails = {fails} if isinstance(fails, str) else set(fails)
        self._close_kind = close_kind

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        keys = [(format_symbol(ask.instrument), ask.at) for ask in wanted]
        return self._answers("prices_at", wanted, self._prices, keys, PriceKind.GIVEN)

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        keys = [(format_symbol(ask.instrument), ask.session) for ask in wanted]
        return self._answers("closes", wanted, self._closes, keys, self._close_kind)

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        keys = [format_symbol(ask.instrument) for ask in wanted]
        return self._answers("quotes", wanted, self._quotes, keys, PriceKind.MARK)

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        keys = [(format_symbol(ask.instrument), ask.side) for ask in wanted]
        return self._answers("fills", wanted, self._fills, keys, PriceKind.FILL)

    def _answers(
        self,
        method: str,
        wanted: Sequence[Any],
        values: Mapping[Any, float | Answer],
        keys: Sequence[Hashable],
        kind: PriceKind,
    ) -> list[Answer]:
        self.asked += wanted
        if method in self._fails:
            raise BrokerError(f"{method}: connection refused")
        return [self._answer(values.get(key), key, kind) for key in keys]

    def _answer(self, value: float | Answer | None, key: Hashable, kind: PriceKind) -> Answer:
        if value is None:
            return Missing(f"nothing recorded for {key}")
        return value if isinstance(value, Price | Missing) else Price(value, self.name, kind)
