"""What every strategy held and did, session by session: the book's changes, cut at the end of every session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from attribution.calendars import get_calendar
from attribution.ledger.changes import Amounts, Change, Movement, Place, changes_of
from attribution.ledger.contracts import contract_of
from attribution.ledger.entry import Entry
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.money import MONEY_PLACES, PRICE_PLACES, exact, from_units
from attribution.ledger.sheet import SheetKey

__all__ = ["AccountState", "Holding", "Movement", "Period", "Place", "Window", "periods_of"]

Window: TypeAlias = tuple[date | None, date | None] | date | None
"""First and last session (None: the ledger's), one session, or None for the ledger's whole life."""

_ZERO = Decimal(0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Holding(NamedTuple):
    """A strategy's line at one moment.

    ``exposure`` is units × multiplier. ``value`` is what the book says without marks: realised + income − cost of what
    is open − fees paid for it; the P&L is value + exposure × mark.
    """

    exposure: Decimal
    value: Decimal


_NOTHING = Holding(_ZERO, _ZERO)


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
    """Fold the entries that were told up to ``current_time`` (with its zone), and cut what happened into sessions.

    Sessions in which nothing was held and nothing happened are left out.
    """
    until = None if current_time is None else (current_time - _EPOCH) // timedelta(microseconds=1) * 1000 + 999
    changes = changes_of(entries, closing, exchange, until)
    if not changes:
        return []
    first, last = _range(window, changes, current_time)
    tally = _Tally()
    waiting = iter(changes)
    change = next(waiting, None)
    while change is not None and change.session < first:
        tally.add(change)
        change = next(waiting, None)
    periods = []
    for session in _sessions(changes, first, last, exchange, current_time):
        period = Period(session, tally.state(), tally.accounts())
        while change is not None and change.session <= session:
            tally.add(change)
            for movement in change.movements:
                period.movements.setdefault(movement.place, []).append(movement)
            change = next(waiting, None)
        period.end, period.account_end = tally.state(), tally.accounts()
        if period.places():
            periods.append(period)
    return periods


def _range(window: Window, changes: Sequence[Change], current_time: datetime | None) -> tuple[date, date]:
    """The first and last date that may be told of; sessions that have not begun are left out later."""
    if window is not None and not isinstance(window, tuple):
        return window, window
    end = changes[-1].session
    if current_time is not None:
        end = max(end, current_time.date() + timedelta(days=1))  # in no zone is it later
    asked_first, asked_last = window or (None, None)
    first, last = asked_first or changes[0].session, asked_last or end
    if first > last:
        raise InvalidRecordError("window", window, "a first session that is not after the last")
    return first, last


def _sessions(
    changes: Sequence[Change], first: date, last: date, exchange: str | None, current_time: datetime | None
) -> list[date]:
    """The sessions of every exchange traded on, as far as they have begun, and the days of whatever has none."""
    days = {change.session for change in changes if first <= change.session <= last}
    symbols = {movement.place.symbol for change in changes for movement in change.movements}
    names = {contract_of(symbol, exchange).exchange for symbol in symbols if symbol}
    for calendar in [get_calendar(name) for name in names if name is not None]:
        for one in calendar.sessions_between(max(first, calendar.first_date), last):
            if current_time is None or one.open <= current_time:
                days.add(one.date)
    return sorted(days)


class _Tally:
    """The changes so far, added up: lines, and sheets without strategies."""

    def __init__(self) -> None:
        self._lines: dict[Place, Holding] = {}
        self._sheets: dict[SheetKey, Amounts] = {}

    def add(self, change: Change) -> None:
        """Add a change."""
        with exact():
            for one in change.movements:
                before = self._lines.get(one.place, _NOTHING)
                self._lines[one.place] = Holding(before.exposure + one.exposure, before.value + one.value)
        for key, moved in change.sheets.items():
            known = self._sheets.get(key, Amounts(0, 0, 0))
            self._sheets[key] = Amounts(*(old + new for old, new in zip(known, moved, strict=True)))

    def state(self) -> dict[Place, Holding]:
        """Every line as it is now."""
        return dict(self._lines)

    def accounts(self) -> dict[tuple[str, str], AccountState]:
        """Every account's sheets as they are now."""
        found: dict[tuple[str, str], dict[str, Amounts]] = {}
        for key, amounts in self._sheets.items():
            found.setdefault((key.account_id, key.currency), {})[key.symbol] = amounts
        return {
            key: AccountState(
                from_units(sum(one.cash for one in rows.values()), MONEY_PLACES),
                from_units(sum(one.contributed for one in rows.values()), MONEY_PLACES),
                {symbol: from_units(one.net, PRICE_PLACES) for symbol, one in rows.items() if one.net},
            )
            for key, rows in found.items()
        }
