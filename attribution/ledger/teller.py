"""Tells a book the log, entry by entry, and remembers what recording needs to know of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal

from attribution.ledger.book import Book
from attribution.ledger.closing import ClosingPolicy
from attribution.ledger.database import EntrySource
from attribution.ledger.entry import Entry, Kind
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.records import Allocation, Fill, Intent

__all__ = ["Slice", "Teller"]

Slice = tuple[Decimal, Decimal]
"""Quantity and price of one part of an order."""

_DERIVED = "cum:"


class Teller:
    """A book that follows a log. Not safe between threads by itself."""

    def __init__(self, closing: str | ClosingPolicy = "pro_rata") -> None:
        self.book = Book(closing, keep_matches=True)
        self.is_current = False
        """Whether the log was ever read to its end."""
        self.intents: dict[str, Intent] = {}
        """The orders about to be sent, by client order id."""
        self._orphans: dict[tuple[str, str], Entry] = {}
        self._slices: dict[tuple[str, str, str], dict[Decimal, Slice]] = {}

    def sync(self, log: EntrySource) -> None:
        """Tell the book what the log has more."""
        self._tell(log.entries(after=self.book.head.seq))
        self.is_current = True

    def take(self, entries: Sequence[Entry]) -> None:
        """Tell the book of entries just appended, if nothing is missing before them; ``sync`` will tell the rest."""
        first = self.book.head.seq + 1
        fresh = [entry for entry in entries if entry.seq >= first]
        if [entry.seq for entry in fresh] == list(range(first, first + len(fresh))):
            self._tell(fresh)

    def hear(self, fill: Fill, allocation: Allocation | None) -> None:
        """Tell the book of a fill that waits for the log."""
        if allocation is not None:
            self.book.apply_fill(fill, allocation)
        self.count(fill)

    def count(self, fill: Fill) -> None:
        """Remember a fill whose id is its order's cumulative quantity."""
        order = (fill.account_id, fill.order_id, fill.symbol)
        if fill.fill_id.startswith(_DERIVED):
            self._slices.setdefault(order, {})[_total(fill.fill_id)] = (fill.quantity, fill.price)

    def slices(self, account_id: str, order_id: str, symbol: str) -> dict[Decimal, Slice]:
        """What is on record of an order that has no fill ids: cumulative quantity → quantity and price."""
        return self._slices.get((account_id, order_id, symbol), {})

    def orphans(self) -> list[Fill]:
        """Fills in the log of which no entry says whose they are."""
        return [Fill.from_entry(entry) for entry in self._orphans.values()]

    def _tell(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.book.apply_entry(entry)
            if entry.kind == Kind.FILL:
                self._orphans[entry.account_id, entry.key] = entry
                if str(entry.body.get("fill_id")).startswith(_DERIVED):
                    self.count(Fill.from_entry(entry))
            elif entry.kind == Kind.ALLOC:
                self._orphans.pop((entry.account_id, entry.key), None)
            elif entry.kind == Kind.INTENT:
                with suppress(InvalidRecordError):  # the book has a notice of it
                    self.intents[entry.key] = Intent.from_entry(entry)
        self.book.settle()


def _total(fill_id: str) -> Decimal:
    return Decimal(fill_id.removeprefix(_DERIVED))
