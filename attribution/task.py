"""One leg of one trade over its window, and the prices found for it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from attribution.fields import stamp
from attribution.market.quotes import Answer, Missing, Side, Why
from attribution.market.source import merge_missing
from attribution.priced import PricedLeg
from attribution.trade import Part, Trade
from attribution.window import Ending, Window

__all__ = ["CALL", "FORWARD", "PRICE", "PUT", "SIDES", "SPOT", "LegTask", "What"]

SIDES: tuple[Side, Side] = ("entry", "exit")
UNASKED = Missing("not asked for", Why.NO_SOURCE)


class What(IntEnum):
    """The prices that each end of a leg may need; the last two only for a parity forward."""

    PRICE = 0
    SPOT = 1
    FORWARD = 2
    CALL = 3
    PUT = 4


# By their bare names, as those of :class:`~attribution.window.EndKind`.
PRICE, SPOT, FORWARD, CALL, PUT = What


def _blank() -> list[list[Answer]]:
    return [[UNASKED, UNASKED], [UNASKED, UNASKED], [UNASKED, UNASKED], [UNASKED, UNASKED], [UNASKED, UNASKED]]


@dataclass(slots=True)
class LegTask:
    """One leg of one part of one trade over its own window, and the prices found for it so far.

    ``answers[what][end]`` with end 0 for the start of the window and 1 for its end.
    """

    job: int
    trade: Trade
    part: Part
    item: PricedLeg
    window: Window
    exit_fill: Answer | None = None
    """What the exit orders of this leg filled, where that is known before it is asked for."""
    answers: list[list[Answer]] = field(default_factory=_blank)

    @property
    def position(self) -> float:
        """``q·w·m``: currency gained per 1.00 of the leg's price."""
        return self.part.quantity * self.item.weight

    def ending(self, end: int) -> Ending:
        """Return the start (0) or end (1) of the window."""
        return self.window.end if end else self.window.start

    def where(self, end: int) -> str:
        """Tell which end of the window is meant, for a reader of messages."""
        ending = self.ending(end)
        return f"at {stamp(ending.at)} ({'end' if end else 'start'} of the window, {ending.kind.value})"

    def settle(self, what: What, end: int, answer: Answer) -> None:
        """Record an answer; an absence is told beside the absences before it."""
        if isinstance(answer, Missing):
            before = self.answers[what][end]
            if isinstance(before, Missing):
                answer = merge_missing(before, answer)
        self.answers[what][end] = answer

    def lacks(self, what: What, end: int) -> bool:
        """Whether no price was found yet."""
        return isinstance(self.answers[what][end], Missing)
