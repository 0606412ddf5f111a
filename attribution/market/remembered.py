"""A market that is asked each distinct question once, however many parts of a call ask it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from attribution.market.quotes import Answer, CloseOf, FillOf, PriceAt, QuoteOf
from attribution.market.source import Market

__all__ = ["RememberedMarket", "remembered"]

Question = TypeVar("Question")


class RememberedMarket(Market):
    """A :class:`Market` for one call over many rows; safe to be asked from several threads."""

    memory: dict[Any, Answer]
    lock: threading.RLock

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices at instants."""
        return self._once("price", wanted, lambda new: Market.prices_at(self, new))

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Official session closes."""
        return self._once("close", wanted, lambda new: Market.closes(self, new))

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        """Current marks."""
        return self._once("quote", wanted, lambda new: Market.quotes(self, new))

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Leg fills."""
        return self._once("fill", wanted, lambda new: Market.fills(self, new))

    def keyed_fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Fills by order ids."""
        return self._once("keyed", wanted, lambda new: Market.keyed_fills(self, new))

    def stated_fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Fills as the caller states them."""
        return self._once("stated", wanted, lambda new: Market.stated_fills(self, new))

    def _once(
        self, kind: str, wanted: Sequence[Question], ask: Callable[[Sequence[Question]], list[Answer]]
    ) -> list[Answer]:
        with self.lock:
            new = [question for question in dict.fromkeys(wanted) if (kind, question) not in self.memory]
            if new:
                for question, answer in zip(new, ask(new), strict=True):
                    self.memory[kind, question] = answer
            return [self.memory[kind, question] for question in wanted]


def remembered(market: Market) -> RememberedMarket:
    """Return the same market, with a memory."""
    asking = RememberedMarket._make(market)
    asking.memory, asking.lock = {}, threading.RLock()
    return asking
