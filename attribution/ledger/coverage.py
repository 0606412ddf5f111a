"""Which fills follow from a plan, which came from outside, and what a plan earned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from attribution.ledger.book import Book
from attribution.ledger.events import EventAction
from attribution.ledger.facts import POINT_PLACES
from attribution.ledger.money import MONEY_PLACES, from_units, to_units
from attribution.ledger.positions import Marks
from attribution.ledger.sheet import Happening, Sheet, SheetKey, Trade

__all__ = ["Coverage", "PlanPnl", "coverage", "plan_pnl"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many fills there are, how many follow from a plan, and the others: account and key."""

    fills: int
    planned: int
    external: tuple[tuple[str, str], ...]

    @property
    def share(self) -> float | None:
        """Fills with a plan over fills; None where there are no fills."""
        return self.planned / self.fills if self.fills else None


@dataclass(frozen=True, slots=True)
class PlanPnl:
    """What the fills of a plan earned against the marks.

    ``pnl`` is after fees, and None where a symbol in ``missing_marks`` has no mark. Fills with ``unknown_fees`` are in
    it without fees. The P&Ls of all plans and of the external fills add up to the P&L of the account.
    """

    plan_id: str | None
    fills: int
    pnl: Decimal | None
    fees: Decimal
    unknown_fees: int
    missing_marks: tuple[str, ...]


def coverage(book: Book) -> Coverage:
    """Count the fills that follow from a plan and list those that do not; busted fills are no fills."""
    fills = [trade for _, trade in _fills(book)]
    external = [(trade.sheet.account_id, trade.key) for trade in fills if trade.plan is None]
    return Coverage(len(fills), len(fills) - len(external), tuple(sorted(external)))


def plan_pnl(book: Book, plan_id: str | None, marks: Marks) -> PlanPnl:
    """Return what a plan's fills earned: the sum over its fills of ``q·m·(mark − price) − fees``.

    Parameters
    ----------
    plan_id
        None: the external fills.
    marks
        Symbol → price. An expired symbol needs none: it ended at the price of its expiry.
    """
    total, fees, unknown, count = 0, 0, 0, 0
    missing = set()
    ends: dict[SheetKey, _Later] = {}
    for sheet, trade in _fills(book):
        if (None if trade.plan is None else trade.plan[0]) != plan_id:
            continue
        count += 1
        unknown += trade.fees is None
        fees += trade.fees or 0
        later = ends.get(sheet.key) or ends.setdefault(sheet.key, _Later.of(sheet))
        mark = marks.get(sheet.key.symbol, later.final_price)
        if mark is None:
            missing.add(sheet.key.symbol)
            continue
        value = to_units(mark, POINT_PLACES, "mark") * trade.multiplier * later.units(trade)
        total += value - trade.units * trade.price - (trade.fees or 0)
    pnl = None if missing else from_units(total, MONEY_PLACES)
    return PlanPnl(plan_id, count, pnl, from_units(fees, MONEY_PLACES), unknown, tuple(sorted(missing)))


def _fills(book: Book) -> Iterator[tuple[Sheet, Trade]]:
    """The fills as their corrections leave them, in the order of telling."""
    for step in book.told().steps.values():
        if isinstance(step, Trade) and step.units:
            trade = book.effective(step)
            if trade is not None:
                yield book.sheets[step.sheet], trade


@dataclass(frozen=True, slots=True)
class _Later:
    """What happened to a symbol after its fills: the price it expired at, and its splits."""

    final_price: Decimal | None
    splits: tuple[tuple[int, int, int], ...]
    """Place, new, old."""

    @classmethod
    def of(cls, sheet: Sheet) -> _Later:
        happened = [step for step in sheet.steps if isinstance(step, Happening)]
        ends = [step.event.price or Decimal(0) for step in happened if step.event.action == EventAction.EXPIRE]
        splits = [(step.place, step.event.new, step.event.old) for step in happened if step.event.new]
        return cls(ends[-1] if ends else None, tuple((place, new or 1, old or 1) for place, new, old in splits))

    def units(self, trade: Trade) -> int:
        """A fill's units after the splits that came later."""
        units = trade.units
        for place, new, old in self.splits:
            if place > trade.place:
                units = units * new // old
        return units
