"""What every entry changed of every line, in the book's own words: the exact half of the join, step by step.

The book is told the log in the log's order, and then posted again from what it was told, corrections known from
the start: that is how it reposts a corrected sheet itself. Read off step by step this says what each fill, cross and
event is in the end, so that the changes of a line add up to what the book has of it, whatever the order in which
things were told, and a corrected fill counts, from its own time on, as if it had always been right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from attribution.calendars import get_calendar
from attribution.errors import CalendarError
from attribution.ledger.book import Book
from attribution.ledger.contracts import contract_of
from attribution.ledger.corporate import delivery_sheet
from attribution.ledger.entry import GENESIS, Entry, Head, Kind
from attribution.ledger.events import Event, EventAction
from attribution.ledger.facts import POINT_PLACES
from attribution.ledger.lots import Line
from attribution.ledger.money import MONEY_PLACES, PRICE_PLACES, exact, from_units
from attribution.ledger.sheet import Happening, Sheet, SheetKey, Trade
from attribution.ledger.told import StepKey

__all__ = ["Amounts", "Change", "Movement", "Place", "changes_of"]

_COLUMNS = {
    EventAction.EXPIRE: "delivery",
    EventAction.EXERCISE: "delivery",
    EventAction.ASSIGN: "delivery",
    EventAction.DIVIDEND: "income",
    EventAction.ADJUST: "income",
    EventAction.SPLIT: "split",
    EventAction.TRANSFER: "corrections",
}
_START = Head(0, GENESIS)


class Place(NamedTuple):
    """Whose, and in what."""

    account_id: str
    strategy: str
    symbol: str
    currency: str


class Amounts(NamedTuple):
    """A sheet without its strategies: cash, contributions, exposure; on the grids of the book."""

    cash: int
    contributed: int
    net: int


@dataclass(frozen=True, slots=True)
class Movement:
    """What one entry changed of one line.

    ``column`` is the factor that takes all of it, or None for a trade, which is explained from ``start`` (the mid at
    the fill, or its price where no quote is known) to the mark.
    """

    place: Place
    session: date
    ts: int
    exposure: Decimal
    value: Decimal
    fees: Decimal
    column: str | None
    start: Decimal | None = None
    quoted: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """What one entry changed: of lines, and of the sheets they stand on."""

    session: date
    ts: int
    movements: tuple[Movement, ...]
    sheets: Mapping[SheetKey, Amounts]


class _Fact(NamedTuple):
    """What an entry says that the book does not keep."""

    trade_date: date
    ts: int
    bid: object
    ask: object

    @property
    def mid(self) -> Decimal | None:
        """The mid of the quote at a fill; None where there is none, or one that cannot be."""
        if self.bid is None or self.ask is None:
            return None
        with exact():
            low, high = Decimal(str(self.bid)), Decimal(str(self.ask))
            return (low + high) / 2 if low <= high else None


def changes_of(entries: Iterable[Entry], closing: str, exchange: str | None, until: int | None) -> list[Change]:
    """Return what every entry up to ``until`` (UTC, ns) changed, in order of session and time.

    Entries may come from several logs, each in its own order.
    """
    book, facts = _folded(entries, closing, until)
    told = book.told()
    again = Book(closing)
    again.told().corrections.update(told.corrections)
    reader = _Reader(again, exchange)
    changes = []
    for step_key, step in told.steps.items():
        again.post_again([(step_key[1], step)])
        changes.append(reader.change(step, facts[step_key]))
    changes.sort(key=lambda change: (change.session, change.ts))  # stable: of one instant in the book's order
    return changes


def _folded(entries: Iterable[Entry], closing: str, until: int | None) -> tuple[Book, dict[StepKey, _Fact]]:
    """The book that the entries make, and what it does not keep of them."""
    book = Book(closing)
    facts: dict[StepKey, _Fact] = {}
    for entry in entries:
        if until is not None and entry.ts > until:
            continue
        if entry.seq <= book.head.seq:  # another log begins
            book.head = _START
        book.apply_entry(entry)
        if entry.kind in (Kind.FILL, Kind.CROSS, Kind.EVENT):
            fact = _Fact(entry.trade_date, entry.ts, entry.body.get("bid"), entry.body.get("ask"))
            facts.setdefault((entry.account_id, str(entry.kind), entry.key), fact)
    book.settle()
    return book, facts


class _Reader:
    """Sees what a step changed of the sheets it touched."""

    def __init__(self, book: Book, exchange: str | None) -> None:
        self._book = book
        self._exchange = exchange
        self._lines: dict[Place, tuple[int, int, int]] = {}
        self._sheets: dict[SheetKey, Amounts] = {}

    def change(self, step: Trade | Happening, fact: _Fact) -> Change:
        """What the step that was posted last changed."""
        session = self._session(step.sheet.symbol, fact.trade_date)
        movements: list[Movement] = []
        sheets: dict[SheetKey, Amounts] = {}
        for key in _touched(step):
            sheet = self._book.sheets.get(key)
            if sheet is None:
                continue
            movements += self._movements(sheet, session, step, fact)
            before, now = self._sheets.get(key, Amounts(0, 0, 0)), _amounts(sheet)
            self._sheets[key] = now
            sheets[key] = Amounts(*(new - old for new, old in zip(now, before, strict=True)))
        return Change(session, fact.ts, tuple(movements), sheets)

    def _movements(self, sheet: Sheet, session: date, step: Trade | Happening, fact: _Fact) -> Iterator[Movement]:
        explained = self._explained_by(step, fact)
        for line in sheet.lines.values():
            place = Place(sheet.key.account_id, line.strategy, sheet.key.symbol, sheet.key.currency)
            before, now = self._lines.get(place, (0, 0, 0)), _state(line)
            if now != before:
                self._lines[place] = now
                exposure, value, fees = (new - old for new, old in zip(now, before, strict=True))
                yield Movement(
                    place,
                    session,
                    fact.ts,
                    from_units(exposure, PRICE_PLACES),
                    from_units(value, MONEY_PLACES),
                    from_units(fees, MONEY_PLACES),
                    *explained,
                )

    def _session(self, symbol: str, day: date) -> date:
        """The session of the symbol's exchange that a trade date belongs to; the date itself where there is none."""
        name = contract_of(symbol, self._exchange).exchange if symbol else None
        if name is None:
            return day
        try:
            return get_calendar(name).session_on_or_after(day).date
        except CalendarError:
            return day

    def _explained_by(self, step: Trade | Happening, fact: _Fact) -> tuple[str | None, Decimal | None, bool]:
        """The column of a step's effect, or None with the price it is explained from, and whether that is a quote."""
        if isinstance(step, Happening):
            return _explained_event(step.event)
        mid = fact.mid
        if mid is not None:
            return None, mid, True
        trade = self._book.effective(step) or step
        return None, from_units(trade.price // trade.multiplier, POINT_PLACES), not step.units


def _explained_event(event: Event) -> tuple[str | None, Decimal | None, bool]:
    if event.action == EventAction.TRANSFER and event.to_split is None and event.price is not None:
        return None, event.price, True
    return _COLUMNS[EventAction(event.action)], None, True


def _touched(step: Trade | Happening) -> list[SheetKey]:
    into = delivery_sheet(step) if isinstance(step, Happening) else None
    return [step.sheet] if into is None else [step.sheet, into]


def _state(line: Line) -> tuple[int, int, int]:
    """Units × multiplier; realised + income − cost of what is open − fees paid for it; everything paid so far."""
    return line.exposure, line.realised + line.income + line.open_cash - line.open_fees, line.fees


def _amounts(sheet: Sheet) -> Amounts:
    return Amounts(sheet.cash, sheet.contributed, sum(line.exposure for line in sheet.lines.values()))
