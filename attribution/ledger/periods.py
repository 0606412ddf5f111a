"""What every strategy held and did, session by session: the exact half of the join."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from attribution.calendars import get_calendar
from attribution.errors import CalendarError
from attribution.ledger.book import Book
from attribution.ledger.contracts import Contract, contract_of
from attribution.ledger.entry import Entry, Kind
from attribution.ledger.errors import ConflictError, InvalidRecordError
from attribution.ledger.lots import Line
from attribution.ledger.money import MONEY_PLACES, PRICE_PLACES, exact, from_units
from attribution.ledger.records import Allocation, Correction, Cross, Event, EventAction, Fill, Record, record_of
from attribution.ledger.sheet import SheetKey

__all__ = ["AccountState", "Holding", "Movement", "Period", "Place", "Window", "periods_of"]

Window: TypeAlias = tuple[date | None, date | None] | date | None
"""First and last session (None: the ledger's), one session, or None for the ledger's whole life."""

_ZERO = Decimal(0)
_COLUMNS = {
    EventAction.EXPIRE: "delivery",
    EventAction.EXERCISE: "delivery",
    EventAction.ASSIGN: "delivery",
    EventAction.DIVIDEND: "income",
    EventAction.ADJUST: "income",
    EventAction.SPLIT: "split",
    EventAction.TRANSFER: "corrections",
}


class Place(NamedTuple):
    """Whose, and in what."""

    account_id: str
    strategy: str
    symbol: str
    currency: str


class Holding(NamedTuple):
    """A strategy's line at one moment.

    ``exposure`` is units × multiplier. ``value`` is what the book says without marks: realised + income − cost of what
    is open − fees paid for it; the P&L is value + exposure × mark. ``fees`` is everything paid so far.
    """

    exposure: Decimal
    value: Decimal
    fees: Decimal


_NOTHING = Holding(_ZERO, _ZERO, _ZERO)


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
class AccountState:
    """An account's sheets at one moment, without strategies: cash, contributions, net exposure by symbol."""

    cash: Decimal
    contributed: Decimal
    net: Mapping[str, Decimal]


AccountStates: TypeAlias = Mapping[tuple[str, str], AccountState]
"""By account and currency."""


@dataclass(slots=True)
class Period:
    """One session: what was held when it began, what moved, and what was held when it ended."""

    session: date
    start: Mapping[Place, Holding]
    account_start: AccountStates
    movements: dict[Place, list[Movement]] = field(default_factory=dict)
    end: Mapping[Place, Holding] = field(default_factory=dict)
    account_end: AccountStates = field(default_factory=dict)

    def places(self) -> list[Place]:
        """Every line that was open or moved."""
        held = {place for place, holding in self.start.items() if holding.exposure}
        return sorted(held | self.movements.keys())

    def movements_of(self, place: Place) -> Sequence[Movement]:
        """What happened to a line, in order."""
        return self.movements.get(place, ())

    def value_change(self, place: Place) -> Decimal:
        """How far the book's value of a line moved."""
        return self.end.get(place, _NOTHING).value - self.start.get(place, _NOTHING).value

    def split_change(self, place: Place) -> Decimal | None:
        """By how much a split changed a line's exposure; None: there was none."""
        changes = [one.exposure for one in self.movements_of(place) if one.column == "split"]
        return sum(changes, _ZERO) if changes else None

    @property
    def held(self) -> set[str]:
        """The symbols that were held when it began."""
        return {place.symbol for place, holding in self.start.items() if holding.exposure}


def periods_of(
    entries: Iterable[Entry],
    window: Window = None,
    closing: str = "pro_rata",
    exchange: str | None = None,
    current_time: datetime | None = None,
) -> list[Period]:
    """Tell a book the entries in order of time, and cut what happens into sessions.

    Sessions in which nothing was held and nothing happened are left out.
    """
    steps = _steps_of(entries, exchange)
    if not steps:
        return []
    first, last = _range(window, steps, current_time)
    teller = _Teller(closing, exchange)
    waiting = iter(steps)
    step = next(waiting, None)
    while step is not None and step.session < first:
        teller.tell(step)
        step = next(waiting, None)
    periods = []
    for session in _sessions(steps, first, last):
        period = Period(session, teller.state(), teller.accounts())
        while step is not None and step.session <= session:
            for movement in teller.tell(step):
                period.movements.setdefault(movement.place, []).append(movement)
            step = next(waiting, None)
        period.end, period.account_end = teller.state(), teller.accounts()
        if period.places():
            periods.append(period)
    return periods


class _Step(NamedTuple):
    """A record in its place in time, with the allocation of a fill."""

    session: date
    ts: int
    seq: int
    record: Record
    allocation: Allocation | None
    contract: Contract | None


def _steps_of(entries: Iterable[Entry], exchange: str | None) -> list[_Step]:
    records: list[tuple[Entry, Record]] = []
    allocations: dict[tuple[str, str], Allocation] = {}
    for entry in entries:
        try:
            record = record_of(entry) if entry.kind != Kind.QUARANTINE else None
        except InvalidRecordError:  # the book leaves it out, too
            continue
        if isinstance(record, Allocation):
            allocations[record.account_id, record.fill_key] = record
        elif isinstance(record, Fill | Cross | Event | Correction):
            records.append((entry, record))
    return sorted(
        (_step(entry, record, allocations.get((record.account_id, record.key)), exchange) for entry, record in records),
        key=lambda step: step[:3],
    )


def _step(entry: Entry, record: Record, allocation: Allocation | None, exchange: str | None) -> _Step:
    symbol = getattr(record, "symbol", None)
    contract = None if symbol is None else contract_of(symbol, exchange)
    session = record.trade_date
    if contract is not None and contract.exchange is not None:
        try:
            session = get_calendar(contract.exchange).session_on_or_after(session).date
        except CalendarError:
            session = record.trade_date
    return _Step(session, record.ts, entry.seq, record, allocation, contract)


def _range(window: Window, steps: Sequence[_Step], current_time: datetime | None) -> tuple[date, date]:
    if window is not None and not isinstance(window, tuple):
        return window, window
    end = steps[-1].session if current_time is None else max(steps[-1].session, current_time.date())
    asked_first, asked_last = window or (None, None)
    first, last = asked_first or steps[0].session, asked_last or end
    if first > last:
        raise InvalidRecordError("window", window, "a first session that is not after the last")
    return first, last


def _sessions(steps: Sequence[_Step], first: date, last: date) -> list[date]:
    """The sessions of every exchange that is traded on, and the days of whatever has no calendar."""
    days = {step.session for step in steps if first <= step.session <= last}
    for name in {step.contract.exchange for step in steps if step.contract is not None}:
        if name is not None:
            calendar = get_calendar(name)
            days |= {one.date for one in calendar.sessions_between(max(first, calendar.first_date), last)}
    return sorted(days)


class _Teller:
    """A book, and the state of its lines as they were last seen."""

    def __init__(self, closing: str, exchange: str | None) -> None:
        self._book = Book(closing)
        self._exchange = exchange
        self._state: dict[Place, Holding] = {}

    def state(self) -> dict[Place, Holding]:
        """Every line as it is now."""
        return dict(self._state)

    def accounts(self) -> dict[tuple[str, str], AccountState]:
        """Every account's sheets as they are now."""
        found: dict[tuple[str, str], list[tuple[str, int, int, int]]] = {}
        for key, sheet in self._book.sheets.items():
            net = sum(line.exposure for line in sheet.lines.values())
            found.setdefault((key.account_id, key.currency), []).append(
                (key.symbol, sheet.cash, sheet.contributed, net)
            )
        return {
            key: AccountState(
                from_units(sum(row[1] for row in rows), MONEY_PLACES),
                from_units(sum(row[2] for row in rows), MONEY_PLACES),
                {symbol: from_units(net, PRICE_PLACES) for symbol, _, _, net in rows if net},
            )
            for key, rows in found.items()
        }

    def tell(self, step: _Step) -> list[Movement]:
        """Tell the book a record; what that changed. What contradicts the book moves nothing."""
        try:
            self._book.apply(step.record, step.allocation)
        except (InvalidRecordError, ConflictError):
            return []
        changed = []
        for place, now in self._touched(step.record):
            before = self._state.get(place, _NOTHING)
            if now != before:
                self._state[place] = now
                changed.append(self._movement(step, place, before, now))
        return changed

    def _touched(self, record: Record) -> Iterator[tuple[Place, Holding]]:
        """The lines of the sheets that a record can change; a correction posts sheets anew."""
        keys: Iterable[SheetKey] = self._book.sheets
        if not isinstance(record, Correction):
            symbols = (getattr(record, "symbol", None) or "", getattr(record, "into", None))
            currency = getattr(record, "currency", "")
            keys = (SheetKey(record.account_id, symbol, currency) for symbol in symbols if symbol is not None)
        for key in keys:
            sheet = self._book.sheets.get(key)
            for line in sheet.lines.values() if sheet is not None else ():
                yield _place(key, line), _holding(line)

    def _movement(self, step: _Step, place: Place, before: Holding, now: Holding) -> Movement:
        column, start, quoted = _explained_by(step.record)
        with exact():
            change = (now.exposure - before.exposure, now.value - before.value, now.fees - before.fees)
        return Movement(place, step.session, step.ts, *change, column, start, quoted)


def _explained_by(record: Record) -> tuple[str | None, Decimal | None, bool]:
    """The column of a record's effect, or None with the price it is explained from, and whether that is a quote."""
    if isinstance(record, Fill):
        if record.bid is not None and record.ask is not None and record.bid <= record.ask:
            with exact():
                return None, (record.bid + record.ask) / 2, True
        return None, record.price, False
    if isinstance(record, Cross):
        return None, record.price, True
    if isinstance(record, Event):
        if record.action == EventAction.TRANSFER and record.to_split is None and record.price is not None:
            return None, record.price, True
        return _COLUMNS[EventAction(record.action)], None, True
    return "corrections", None, True


def _place(key: SheetKey, line: Line) -> Place:
    return Place(key.account_id, line.strategy, key.symbol, key.currency)


def _holding(line: Line) -> Holding:
    return Holding(
        from_units(line.exposure, PRICE_PLACES),
        from_units(line.realised + line.income + line.open_cash - line.open_fees, MONEY_PLACES),
        from_units(line.fees, MONEY_PLACES),
    )
