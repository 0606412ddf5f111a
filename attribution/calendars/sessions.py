"""Trading sessions of one exchange: which day is one, when it opens and closes.

A *date* is the zone-less label of a trading day, an *instant* a zone-aware datetime. Every method
accepts what :meth:`ExchangeCalendar.localize` accepts.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, NoReturn, final

from attribution.calendars.instants import (
    DateLike,
    InstantLike,
    as_date,
    as_datetime,
    day_number,
    from_epoch_us,
    to_epoch_us,
)
from attribution.calendars.table import LAST_YEAR, WEIGHT_UNITS, SessionTable, build_table
from attribution.calendars.venues import Venue, load_venue, venue_aliases
from attribution.errors import CalendarError
from attribution.once import once

__all__ = ["ExchangeCalendar", "Session", "canonical_exchange", "get_calendar"]


@dataclass(frozen=True, slots=True)
class Session:
    """One trading session.

    ``open`` and ``close`` are aware of the exchange's zone. ``weight`` is what it counts on the
    ``sessions`` clock: 1.0, less for a Muhurat evening or a drill. ``provisional``: the exchange has not
    published that year's holidays yet.
    """

    exchange: str
    date: dt.date
    open: dt.datetime
    close: dt.datetime
    weight: float
    provisional: bool


@final
class ExchangeCalendar:
    """The sessions of one exchange, from dated facts; get one from :func:`get_calendar`.

    After ``last_published`` a provisional rule holds: weekdays less national holidays on fixed dates,
    at the latest known hours, to the end of year 2110. Building takes some milliseconds, once.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._sessions: dict[int, Session] = {}
        self.name: Final = venue.name
        """Canonical name of the exchange."""
        self.zone: Final = venue.zone
        """Zone in which the exchange keeps its hours."""
        self.first_date: Final = venue.first_date
        """First date the calendar knows about; earlier ones raise."""
        self.last_published: Final = venue.last_published
        """Last date whose holidays the exchange has published; later ones are provisional."""

    def __repr__(self) -> str:
        return f"ExchangeCalendar({self.name!r})"

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return get_calendar, (self.name,)

    @once
    def table(self) -> SessionTable:
        """All sessions as arrays, laid out on first use."""
        return build_table(self._venue)

    @once
    def _days(self) -> list[int]:
        """The table's days as plain numbers: one look-up among them costs a tenth of one in an array."""
        days: list[int] = self.table.day.tolist()
        return days

    @once
    def _opens_us(self) -> list[int]:
        opens: list[int] = self.table.open_us.tolist()
        return opens

    def localize(self, value: InstantLike) -> dt.datetime:
        """``value`` as a plain datetime in the exchange's zone.

        A value without a zone is the exchange's own time, one with a zone is converted; a date is its
        midnight. Local times that a change of clocks skips or repeats follow the rules of ``fold``.

        Raises
        ------
        CalendarError
            ``value`` is NaT, of another type, or text of another shape.
        """
        return as_datetime(value, self.zone)

    def is_provisional(self, date: DateLike) -> bool:
        """Whether holidays around ``date`` follow the provisional rule, not a published list."""
        return as_date(date, self.zone) > self.last_published

    def session_on(self, date: DateLike) -> Session | None:
        """Session of ``date``, or None on a day without one. CalendarError outside the table."""
        day = self._day(date)
        index = bisect_left(self._days, day)
        return self._session(index) if index < len(self._days) and self._days[index] == day else None

    def session_at(self, instant: InstantLike) -> Session:
        """Session in progress at ``instant``, else the last one opened before it.

        Raises
        ------
        CalendarError
            No known session has opened by then, or ``instant`` is after the table.
        """
        local = self.localize(instant)
        self._day(local.date())
        opened = bisect_right(self._opens_us, to_epoch_us(local))
        return self._session(opened - 1) if opened else self._no_session(-1, f"a session opened by {local}")

    def previous_session(self, date: DateLike) -> Session:
        """Last session strictly before ``date``. CalendarError if none is known."""
        index = bisect_left(self._days, self._day(date)) - 1
        return self._session(index) if index >= 0 else self._no_session(index, f"a session before {date}")

    def session_on_or_before(self, date: DateLike) -> Session:
        """Session of ``date``, else the last one before it. CalendarError if none is known."""
        index = bisect_right(self._days, self._day(date)) - 1
        return self._session(index) if index >= 0 else self._no_session(index, f"a session on or before {date}")

    def next_session(self, date: DateLike) -> Session:
        """First session strictly after ``date``. CalendarError if none is known."""
        index = bisect_right(self._days, self._day(date))
        return self._session(index) if index < len(self._days) else self._no_session(index, f"a session after {date}")

    def session_on_or_after(self, date: DateLike) -> Session:
        """Session of ``date``, else the first one after it. CalendarError if none is known."""
        index = bisect_left(self._days, self._day(date))
        found = index < len(self._days)
        return self._session(index) if found else self._no_session(index, f"a session on or after {date}")

    def sessions_between(self, first: DateLike, last: DateLike) -> list[Session]:
        """Sessions from ``first`` to ``last``, both included, in order; empty if ``last`` is earlier."""
        start = bisect_left(self._days, self._day(first))
        stop = bisect_right(self._days, self._day(last))
        return [self._session(index) for index in range(start, stop)]

    def expiry_instant(self, expiry_date: DateLike, *, at_open: bool = False) -> dt.datetime:
        """Instant at which a contract with this expiry date expires: the close of that day's session.

        A date without a session (a Saturday, a holiday) means the last session before it, short ones
        included. ``at_open`` takes the open of the same session, for contracts settled in the morning.

        Raises
        ------
        CalendarError
            The date is outside the table, or no session before it is known.
        """
        session = self.session_on_or_before(expiry_date)
        return session.open if at_open else session.close

    def _day(self, value: DateLike) -> int:
        """Day number of a date inside the table, or CalendarError."""
        date = as_date(value, self.zone)
        if not (self.first_date <= date and date.year <= LAST_YEAR):
            raise CalendarError(f"date={date}: the {self.name} calendar knows {self.first_date} to {LAST_YEAR}-12-31")
        return day_number(date)

    def _no_session(self, index: int, wanted: str) -> NoReturn:
        """Say that ``wanted`` lies beyond an edge of the table, and where the edge is."""
        edge = self._session(0 if index < 0 else len(self._days) - 1)
        place = "first" if index < 0 else "last"
        raise CalendarError(f"{wanted}: the {place} session the {self.name} calendar knows is {edge.date}")

    def _session(self, index: int) -> Session:
        """Session at a position of the table, made once."""
        session = self._sessions.get(index)
        if session is None:
            opened = from_epoch_us(int(self.table.open_us[index]), self.zone)
            session = self._sessions[index] = Session(
                exchange=self.name,
                date=opened.date(),
                open=opened,
                close=from_epoch_us(int(self.table.close_us[index]), self.zone),
                weight=int(self.table.weight[index]) / WEIGHT_UNITS,
                provisional=opened.date() > self.last_published,
            )
        return session


@lru_cache(maxsize=1024)
def canonical_exchange(name: str) -> str:
    """Name of the calendar for an exchange, segment or market code, in any case of letters.

    Raises
    ------
    CalendarError
        No calendar goes by that name; the message lists those that do.
    """
    aliases = venue_aliases()
    found = aliases.get(str(name).strip().upper())
    if found is None:
        known = dict.fromkeys(aliases.values())
        spelled = "; ".join(f"{key} ({', '.join(a for a in aliases if aliases[a] == key != a)})" for key in known)
        raise CalendarError(f"exchange={name!r}: no such calendar; known are {spelled}")
    return found


@lru_cache(maxsize=1024)
def get_calendar(exchange: str) -> ExchangeCalendar:
    """Calendar of an exchange, made once; names as in :func:`canonical_exchange`."""
    return _calendar(canonical_exchange(exchange))


@cache
def _calendar(exchange: str) -> ExchangeCalendar:
    return ExchangeCalendar(load_venue(exchange))
