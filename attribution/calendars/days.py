"""The days of one exchange as arrays: local midnights, and the session that each day leads to."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attribution.calendars.instants import MICROSECONDS_PER_DAY, day_number
from attribution.calendars.sessions import ExchangeCalendar, canonical_exchange, get_calendar
from attribution.calendars.table import LAST_YEAR

__all__ = ["NAT", "DayTable", "day_table"]

NAT = int(np.iinfo(np.int64).min)
"""No instant, as numpy has it."""


class DayTable(NamedTuple):
    """Every day that an exchange's calendar knows, session or not, one element each.

    ``midnight_us`` has one element more: where the last day ends.
    """

    first_day: int
    """Number of the first day. [days since 1970-01-01]"""
    midnight_us: NDArray[np.int64]
    """Instant of local midnight. [UTC microseconds since 1970-01-01]"""
    offset_us: NDArray[np.int64]
    """Local time minus UTC; :data:`NAT` on a day on which clocks change. [microseconds]"""
    session_from: NDArray[np.int64]
    """Position of the first session on or after the day; the number of sessions where there is none."""

    def to_utc(self, local_us: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the instants of local times [µs], and which of them could be told: not on days that clocks change."""
        days = local_us // MICROSECONDS_PER_DAY - self.first_day
        inside = (days >= 0) & (days < self.offset_us.size)
        offsets = self.offset_us[np.where(inside, days, 0)]
        told = inside & (offsets != NAT)
        return np.where(told, local_us - np.where(told, offsets, 0), NAT), told


def day_table(exchange: str) -> DayTable:
    """Return the days of an exchange, laid out once; names as in :func:`canonical_exchange`."""
    return _day_table(canonical_exchange(exchange))


@cache
def _day_table(exchange: str) -> DayTable:
    calendar = get_calendar(exchange)
    first = day_number(calendar.first_date)
    days = np.arange(first, day_number(dt.date(LAST_YEAR, 12, 31)) + 2, dtype=np.int64)
    midnight_us = days * MICROSECONDS_PER_DAY - _midnight_offsets_us(days, calendar)
    even = np.diff(midnight_us) == MICROSECONDS_PER_DAY
    offset_us = np.where(even, days[:-1] * MICROSECONDS_PER_DAY - midnight_us[:-1], NAT)
    session_from = np.searchsorted(calendar.table.day, days[:-1]).astype(np.int64)
    table = DayTable(first, midnight_us, offset_us, session_from)
    for column in table[1:]:
        column.setflags(write=False)
    return table


def _midnight_offsets_us(days: NDArray[np.int64], calendar: ExchangeCalendar) -> NDArray[np.int64]:
    """Local time minus UTC at each local midnight. [microseconds]

    A zone is asked once a week, and daily only in a week that ends with another offset than it began.
    """
    epoch = dt.datetime(1970, 1, 1, tzinfo=calendar.zone)

    def offset(number: int) -> int:
        told = calendar.zone.utcoffset(epoch + dt.timedelta(days=number))
        return 0 if told is None else told // dt.timedelta(microseconds=1)

    weekly = np.append(np.arange(0, days.size, 7), days.size - 1)
    at_week = np.array([offset(int(days[index])) for index in weekly], dtype=np.int64)
    offsets = np.append(np.repeat(at_week[:-1], np.diff(weekly)), at_week[-1])
    for week in np.flatnonzero(np.diff(at_week)):
        for index in range(weekly[week], weekly[week + 1]):
            offsets[index] = offset(int(days[index]))
    return offsets
