"""The import of a statement into a ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from attribution.ledger.book import Book
from attribution.ledger.closing import Order, ProRata, divide_untagged
from attribution.ledger.errors import LedgerError
from attribution.ledger.facts import trade_of_fill
from attribution.ledger.importers.statement import ImportReport, Item, Renaming, Statement, Unmatched, cash_moved
from attribution.ledger.money import QUANTITY_PLACES, exact, from_units, to_units
from attribution.ledger.quanta import quantum_of
from attribution.ledger.record import Record, Side
from attribution.ledger.records import Event, EventAction, Fill
from attribution.ledger.sheet import SheetKey, Trade

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
        statement.source,
        statement.rows,
        unmatched=list(statement.unmatched),
        notes=list(statement.notes),
        cash_of_file=statement.cash,
    )
    run = _Run(service.book, statement, report)
    written = service.append(run.records(), run.refuse)
    report.recorded, report.known = written.new, written.known + run.known
    with exact():
        moved = (cash_moved(item) for line, item in statement.items if line not in run.refused)
        report.cash_of_ledger = sum(moved, Decimal(0))
    report.unmatched.sort(key=lambda one: one.line)
    return report


class _Run:
    """Hands the records out one by one, looking at the book before each."""

    def __init__(self, book: Book, statement: Statement, report: ImportReport) -> None:
        self._book = book
        self._statement = statement
        self._report = report
        self._line = 0
        self.refused: set[int] = set()
        self.known = 0

    def records(self) -> Iterator[Record]:
        """The statement's records; both halves of a renaming with whose they are."""
        for line, item in self._statement.items:
            self._line = line
            if isinstance(item, Renaming):
                yield from self._renamed(item)
                continue
            if isinstance(item, Fill) and self._is_on_record(item):
                self.known += 1
                continue
            self._note_short(item)
            yield item

    def _is_on_record(self, fill: Fill) -> bool:
        """Whether the same trade was recorded before, perhaps while trading, when more or less was known about it."""
        known = self._book.told().steps.get((fill.account_id, "fill", fill.key))
        if not isinstance(known, Trade):
            return False
        told = trade_of_fill(fill, known.place)
        return (known.sheet, known.units, known.price) == (told.sheet, told.units, told.price)

    def refuse(self, record: Record, error: LedgerError) -> None:
        """List a record that the ledger does not take."""
        self.refused.add(self._line)
        told = {"key": record.key, "symbol": getattr(record, "symbol", None)}
        self._report.unmatched.append(Unmatched(self._line, str(error), told))

    def _renamed(self, renaming: Renaming) -> Iterator[Record]:
        """The owners of the old units, in their proportion, own the new ones."""
        leaves, enters = renaming.leaves, renaming.enters
        steps = self._book.told().steps
        if all((event.account_id, "event", event.key) in steps for event in (leaves, enters)):
            self.known += 2  # whose they were is not what the book says now, after they have left
            return
        longs = leaves.side == Side.SELL
        owners = _owners(self._book, leaves, longs=longs)
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
        held = sum(
            (abs(one.quantity) for one in self._book.positions(symbol=item.symbol, account_id=item.account_id)),
            Decimal(0),
        )
        if item.quantity is not None and held < item.quantity:
            self._report.notes.append(
                f"line {self._line}: {item.action} of {item.quantity} {item.symbol}, of which the ledger holds {held}"
            )


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
