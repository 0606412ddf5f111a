"""The import of a statement into a ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from attribution.ledger.book import Book
from attribution.ledger.closing import Order, ProRata, divide_untagged
from attribution.ledger.errors import LedgerError
from attribution.ledger.importers.known import KnownFills, cash_of_trade
from attribution.ledger.importers.statement import (
    ImportReport,
    Item,
    Renaming,
    Statement,
    Unmatched,
    cash_moved,
    currency_of,
)
from attribution.ledger.money import QUANTITY_PLACES, exact, from_units, to_units
from attribution.ledger.quanta import quantum_of
from attribution.ledger.record import Record, Side
from attribution.ledger.records import Event, EventAction
from attribution.ledger.sheet import Happening, SheetKey, Trade

__all__ = ["import_statement"]


class Written(Protocol):
    """How many records were new, and how many known."""

    @property
    def new(self) -> int: ...

    @property
    def known(self) -> int: ...


class Recorder(Protocol):
    """What a statement is recorded by: a :class:`~attribution.ledger.TradeLedgerService`."""

    @property
    def book(self) -> Book: ...

    def append(
        self, records: Iterable[Record], on_refused: Callable[[Record, LedgerError], None] | None = None
    ) -> Written: ...


def import_statement(service: Recorder, statement: Statement) -> ImportReport:
    """Record what a statement says. What is on record already stays as it is; what contradicts it is listed.

    Raises
    ------
    LedgerError
        The log failed. Importing again later is safe.
    """
    report = ImportReport(
        statement.source, statement.rows, unmatched=list(statement.unmatched), notes=list(statement.notes)
    )
    run = _Run(service.book, statement, report)
    written = service.append(run.records(), run.refuse)
    report.recorded, report.known = written.new, written.known + run.known
    report.cash, report.uncounted = run.compared_cash(), statement.uncounted
    report.unmatched.sort(key=lambda one: one.line)
    return report


class _Run:
    """Hands the records out one by one, looking at the book before each."""

    def __init__(self, book: Book, statement: Statement, report: ImportReport) -> None:
        self._book = book
        self._statement = statement
        self._report = report
        self._line = 0
        self._fills = KnownFills()
        self._refused: set[int] = set()
        self.known = 0

    def records(self) -> Iterator[Record]:
        """The statement's records; both halves of a renaming with whose they are."""
        self._fills = KnownFills.of(self._book, self._statement)
        self._report.notes += self._fills.notes
        for line, item in self._statement.items:
            self._line = line
            if isinstance(item, Renaming):
                yield from self._renamed(item)
            elif line in self._fills.refused:
                told = {"order_id": item.order_id, "symbol": item.symbol}
                self._refused.add(line)
                self._report.unmatched.append(Unmatched(line, self._fills.refused[line], told))
            elif line in self._fills.known or (isinstance(item, Event) and self._is_on_record(line, item)):
                self.known += 1
            else:
                self._note_short(item)
                yield item

    def _happened(self, line: int, event: Event) -> Event | None:
        """The event as it is on record, under its own name or under one that an earlier version gave it."""
        steps = self._book.told().steps
        for key in (event.key, self._statement.former.get(line)):
            known = steps.get((event.account_id, "event", key or ""))
            if isinstance(known, Happening):
                return known.event
        return None

    def _is_on_record(self, line: int, event: Event) -> bool:
        """Whether the same event was recorded before, perhaps with other notes; a contradiction is for the log."""
        known = self._happened(line, event)
        if known is None:
            return False
        return known.key != event.key or replace(known, notes=None) == replace(
            event, notes=None, source=known.source, correlation_id=known.correlation_id, causation_id=known.causation_id
        )

    def refuse(self, record: Record, error: LedgerError) -> None:
        """List a record that the ledger does not take."""
        self._refused.add(self._line)
        told = {"key": record.key, "symbol": getattr(record, "symbol", None)}
        self._report.unmatched.append(Unmatched(self._line, str(error), told))

    def _renamed(self, renaming: Renaming) -> Iterator[Record]:
        """The owners of the old units, in their proportion, own the new ones."""
        leaves, enters = renaming.leaves, renaming.enters
        known = [self._happened(self._line, event) for event in (leaves, enters)]
        if None not in known:
            self.known += 2  # whose they were is not what the book says now, after they have left
            return
        recorded = next((event for event in known if event is not None), None)
        if recorded is not None and recorded.split is not None:
            owners = dict(recorded.split)  # an import that was broken off recorded one half
        else:
            owners = _owners(self._book, leaves, longs=leaves.side == Side.SELL)
        with exact():
            yield replace(leaves, split=owners)
            yield replace(enters, split=owners)

    def _note_short(self, item: Item) -> None:
        """Say where a statement closes what the ledger never saw opened: the export begins too late."""
        if not isinstance(item, Event) or item.action not in (
            EventAction.EXPIRE,
            EventAction.ASSIGN,
            EventAction.EXERCISE,
        ):
            return
        with exact():
            held = sum(
                (
                    abs(one.quantity)
                    for one in self._book.positions(symbol=item.symbol, account_id=item.account_id)
                    if one.currency == item.currency and (item.split is None or one.strategy in item.split)
                ),
                Decimal(0),
            )
        if item.quantity is not None and held < item.quantity:
            whose = "" if item.split is None else f" of {', '.join(item.split)}"
            self._report.notes.append(
                f"line {self._line}: {item.action} of {item.quantity} {item.symbol}{whose}, "
                f"of which the ledger holds {held}"
            )

    # --- cash ----------------------------------------------------------------------------------------------------

    def compared_cash(self) -> dict[str, tuple[Decimal, Decimal]]:
        """By currency: what the file says, and what the book holds for it; where a row differs, a note says so."""
        held: dict[str, Decimal] = dict.fromkeys(self._statement.cash, Decimal(0))
        whole = {line for lines, _ in self._fills.orders for line in lines}
        told: dict[int, Decimal] = {}
        seen: set[tuple[str, str]] = set()
        with exact():
            for line, item in self._statement.items:
                moved, currency, name = cash_moved(item), currency_of(item), _name_of(item)
                if moved is None:
                    self._report.notes.append(f"line {line}: the file does not say what was paid; it is not compared")
                    continue
                told[line] = moved
                if line not in whole:
                    booked = Decimal(0) if name in seen else self._held(line, item)
                    booked = moved if booked is None else booked
                    self._compare([line], moved, booked)
                    held[currency] = held.get(currency, Decimal(0)) + booked
                seen.add(name)
            for lines, trades in self._fills.orders:
                booked = sum((self._cash(trade) for trade in trades), Decimal(0))
                self._compare(lines, sum((told[line] for line in lines), Decimal(0)), booked)
                currency = trades[0].sheet.currency
                held[currency] = held.get(currency, Decimal(0)) + booked
        return {name: (self._statement.cash.get(name, Decimal(0)), held[name]) for name in sorted(held)}

    def _compare(self, lines: Sequence[int], told: Decimal, booked: Decimal) -> None:
        if told != booked and lines[0] not in self._refused:
            name = f"line {lines[0]}" if len(lines) == 1 else f"lines {', '.join(map(str, lines))}"
            self._report.notes.append(f"{name}: {told:f} by the file, {booked:f} by the ledger")

    def _held(self, line: int, item: Item) -> Decimal | None:
        """What the book holds for a row, however it came to know it; None: a part of an order, at the file's word."""
        if isinstance(item, Renaming):
            events = [self._happened(line, event) for event in (item.leaves, item.enters)]
            return sum((cash_moved(event) or Decimal(0) for event in events if event is not None), Decimal(0))
        if isinstance(item, Event):
            event = self._happened(line, item)
            return Decimal(0) if event is None or event.currency != item.currency else cash_moved(event)
        trade = self._fills.known.get(line)
        if trade is None:
            if line in self._fills.known:
                return None
            step = self._book.told().steps.get((item.account_id, "fill", item.key))
            if not isinstance(step, Trade):
                return Decimal(0)
            trade = step
        return self._cash(trade)

    def _cash(self, trade: Trade) -> Decimal:
        """What the book moved for a trade as its corrections leave it; nothing for a busted one."""
        effective = self._book.effective(trade)
        return Decimal(0) if effective is None else cash_of_trade(effective)


def _name_of(item: Item) -> tuple[str, str]:
    """What names a fact of an account: its kind and its key."""
    record = item.leaves if isinstance(item, Renaming) else item
    return str(record.kind), record.key


def _owners(book: Book, event: Event, *, longs: bool) -> dict[str, Decimal]:
    """Who gives up the units of an event, pro rata; what nobody holds is the house's."""
    assert event.quantity is not None
    units = to_units(event.quantity, QUANTITY_PLACES, "quantity")
    sheet = book.sheets.get(SheetKey(event.account_id, event.symbol or "", event.currency))
    holders = {} if sheet is None else sheet.holders(long=longs)
    parts = divide_untagged(
        units, Order(ProRata().pools(holders, {})), holders, ProRata(), {}, quantum_of(event.asset_type)
    )
    return {name: from_units(n, QUANTITY_PLACES) for name, n in sorted(parts.items())}
