"""Tells a book the log, entry by entry, and remembers what recording needs to know of it.

While the log cannot take a fill the book is told of it all the same: it is then *ahead* of the log. When the log brings
the same fills in the same order nothing is left to do; when others came between, the book is read from the log anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import NamedTuple

from attribution.ledger.book import Book
from attribution.ledger.closing import POLICIES, ClosingPolicy
from attribution.ledger.database import EntrySource
from attribution.ledger.entry import Entry, Kind
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.facts import has_memory
from attribution.ledger.money import QUANTITY_PLACES, to_units
from attribution.ledger.record import total_units
from attribution.ledger.records import Allocation, Fill, Intent
from attribution.ledger.sheet import Trade

__all__ = ["Slice", "Teller"]

_Place = tuple[str, str]
"""Account and key."""

_MOVING = frozenset((Kind.FILL, Kind.ALLOC, Kind.CROSS, Kind.CORRECT, Kind.EVENT, Kind.PLAN))


class Slice(NamedTuple):
    """One fill of an order."""

    quantity: Decimal
    price: Decimal
    ts: int


class Teller:
    """A book that follows a log. Not safe between threads by itself."""

    def __init__(self, closing: str | ClosingPolicy = "pro_rata") -> None:
        self.book = Book(closing, keep_matches=True)
        self.is_current = False
        """Whether the log was ever read to its end."""
        self.intents: dict[str, Intent] = {}
        """The orders about to be sent, by client order id."""
        self._orphans: dict[_Place, Entry] = {}
        self._slices: dict[tuple[str, str, str], dict[str, Slice]] = {}
        self._legs: dict[tuple[str, str], set[str]] = {}
        self._heard: dict[_Place, Fill] = {}
        self._ahead: dict[_Place, Allocation] = {}
        self._expected: dict[_Place, Allocation] = {}
        self._is_astray = False

    # --- the log -----------------------------------------------------------------------------------------------

    def sync(self, log: EntrySource) -> None:
        """Tell the book what the log has more."""
        if self._ahead and not self.is_current:  # told before the log was ever read
            self._read_anew(log)
        self._tell(log.entries(after=self.book.head.seq))
        self.is_current = True
        if self._is_astray:
            self._read_anew(log)

    def take(self, entries: Sequence[Entry]) -> None:
        """Tell the book of entries just appended, if nothing is missing before them; ``sync`` will tell the rest."""
        first = self.book.head.seq + 1
        fresh = [entry for entry in entries if entry.seq >= first]
        if [entry.seq for entry in fresh] == list(range(first, first + len(fresh))):
            self._tell(fresh)

    def knows(self, fill: Fill) -> bool:
        """Whether the log has the fill, and says whose it is."""
        return self.has(fill) and (fill.account_id, fill.key) not in self._orphans

    def has(self, fill: Fill) -> bool:
        """Whether the log has the fill."""
        place = (fill.account_id, fill.key)
        return self._trade(place) is not None and place not in self._heard

    def time_of(self, account_id: str, key: str) -> int | None:
        """When a fill that was told before happened; None for one that was not. [UTC ns]"""
        trade, heard = self._trade((account_id, key)), self._heard.get((account_id, key))
        if trade is not None:
            return trade.ts
        return None if heard is None else heard.ts

    def orphans(self) -> list[Fill]:
        """Fills in the log of which no entry says whose they are."""
        return [Fill.from_entry(entry) for entry in self._orphans.values()]

    @property
    def unallocated(self) -> int:
        """How many fills of the log, as far as it was read, no entry says the owners of."""
        return len(self._orphans)

    # --- whose -------------------------------------------------------------------------------------------------

    def allocate(self, fill: Fill) -> Allocation | None:
        """Whose a fill is, as far as can be said now; None where that takes a log that was never read."""
        return self.book.allocate(fill) if self.is_current or not has_memory(fill) else None

    def settle(self, fill: Fill, said: Allocation | None, log: EntrySource) -> Allocation:
        """Whose a fill that waited is, now that it is the next of the log.

        What was ``said`` when it was recorded holds if nothing came between; else it is divided anew, by its policy.
        """
        place = (fill.account_id, fill.key)
        ahead = next(iter(self._ahead), None)
        if ahead == place and self.heard(fill) and said is not None and said.parts == self._ahead[place].parts:
            return said
        if ahead is not None:
            self._read_anew(log)
        if said is not None and said.policy in POLICIES and not fill.is_tagged:
            return self.book.allocate(fill, POLICIES[said.policy])
        fits = said is not None and total_units(said.parts) == to_units(fill.quantity, QUANTITY_PLACES, "quantity")
        return said if said is not None and fits and not fill.is_tagged else self.book.allocate(fill)

    # --- ahead of the log --------------------------------------------------------------------------------------

    def hear(self, fill: Fill, allocation: Allocation | None) -> None:
        """Tell the book of a fill that waits for the log."""
        place = (fill.account_id, fill.key)
        if allocation is not None and self.book.apply_fill(fill, allocation):
            self._ahead[place] = allocation
        self._heard.setdefault(place, fill)
        self.count(fill)

    def heard(self, fill: Fill) -> bool:
        """Whether the very same fill waits for the log already."""
        known = self._heard.get((fill.account_id, fill.key))
        return known is not None and known.ts == fill.ts and known.to_body() == fill.to_body()

    def forget_heard(self, log: EntrySource) -> None:
        """Nothing waits any more: what was heard and has not come with the log was refused by it."""
        self._heard.clear()
        if self._ahead:
            self._read_anew(log)

    def _read_anew(self, log: EntrySource) -> None:
        """Tell the book the log from its start, and nothing that waits for it."""
        self.book.forget()
        for memory in (self._orphans, self._slices, self._legs, self._ahead, self._expected, self.intents):
            memory.clear()
        self._is_astray = self.is_current = False
        try:
            self._tell(log.entries())
        finally:
            for fill in self._heard.values():
                self.count(fill)
        self.is_current = True

    # --- orders ------------------------------------------------------------------------------------------------

    def count(self, fill: Fill) -> None:
        """Remember a fill of its order."""
        self._count(
            fill.account_id, fill.order_id, fill.symbol, fill.fill_id, Slice(fill.quantity, fill.price, fill.ts)
        )

    def slices(self, account_id: str, order_id: str, symbol: str) -> Mapping[str, Slice]:
        """What is on record of an order, by fill id, in the order of telling."""
        return self._slices.get((account_id, order_id, symbol), {})

    def has_other_legs(self, account_id: str, order_id: str, symbol: str) -> bool:
        """Whether fills of an order in another symbol than this are on record or wait."""
        return bool(self._legs.get((account_id, order_id), set()) - {symbol})

    def slices_of_log(self, fill: Fill) -> Mapping[str, Slice]:
        """What the log has of the fill's order, by fill id: without what waits."""
        order = (fill.account_id, fill.order_id, fill.symbol)
        waits = {one.fill_id for one in self._heard.values() if (one.account_id, one.order_id, one.symbol) == order}
        return {name: told for name, told in self.slices(*order).items() if name not in waits}

    def _count(self, account_id: str, order_id: str, symbol: str, fill_id: str, told: Slice) -> None:
        self._slices.setdefault((account_id, order_id, symbol), {})[fill_id] = told
        self._legs.setdefault((account_id, order_id), set()).add(symbol)

    # --- telling -----------------------------------------------------------------------------------------------

    def _trade(self, place: _Place) -> Trade | None:
        step = self.book.told().steps.get((place[0], "fill", place[1]))
        return step if isinstance(step, Trade) else None

    def _tell(self, entries: Iterable[Entry]) -> None:
        for entry in self._watched(entries) if self._heard or self._expected else entries:
            self.book.apply_entry(entry)
            if entry.kind == Kind.FILL:
                self._orphans[entry.account_id, entry.key] = entry
                self._count_entry(entry)
            elif entry.kind == Kind.ALLOC:
                self._orphans.pop((entry.account_id, entry.key), None)
            elif entry.kind == Kind.INTENT:
                with suppress(InvalidRecordError):  # the book has a notice of it
                    self.intents[entry.key] = Intent.from_entry(entry)
        self.book.settle()

    def _watched(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Let entries pass, and notice where the log takes another way than the book that is ahead of it."""
        for entry in entries:
            place = (entry.account_id, entry.key)
            if entry.kind == Kind.FILL and place in self._heard:
                fill = self._heard.pop(place)
                if place == next(iter(self._ahead), None) and (fill.ts, fill.to_body()) == (entry.ts, entry.body):
                    self._expected[place] = self._ahead.pop(place)
                elif self._ahead:
                    self._is_astray = True
            elif entry.kind == Kind.ALLOC and place in self._expected:
                self._is_astray |= self._expected.pop(place).to_body() != entry.body
            elif entry.kind in _MOVING and self._ahead:
                self._is_astray = True
            yield entry

    def _count_entry(self, entry: Entry) -> None:
        body = entry.body
        with suppress(KeyError, TypeError, ValueError, ArithmeticError):  # no fill; the book has a notice of it
            told = Slice(Decimal(body["quantity"]), Decimal(body["price"]), entry.ts)
            self._count(entry.account_id, body["order_id"], body["symbol"], body["fill_id"], told)
