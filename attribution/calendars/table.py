"""One venue's sessions as arrays: the table that calendar and clocks look things up in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from attribution.calendars.instants import MICROSECONDS_PER_DAY, day_number
from attribution.calendars.venues import Venue

__all__ = ["LAST_YEAR", "WEIGHT_UNITS", "SessionTable", "build_table"]

LAST_YEAR = 2110
"""The provisional rule is laid out to the end of this year."""

WEIGHT_UNITS = 10_000
"""Weights are counted in these parts of a session: integers add up exactly, 0.16 does not."""

_MICROSECONDS_PER_MINUTE = 60_000_000
_DAYS_PER_WEEK = 7


@dataclass(frozen=True, slots=True, eq=False)
class SessionTable:
    """Sessions in order of time, one element each; arrays are read-only.

    ``day`` [days since 1970-01-01], ``open_us`` and ``close_us`` [UTC microseconds since the epoch],
    ``weight`` [1/10,000 session]. ``start_us`` is local midnight of the venue's first known date.
    """

    day: NDArray[np.int64]
    open_us: NDArray[np.int64]
    close_us: NDArray[np.int64]
    weight: NDArray[np.int64]
    start_us: int


def build_table(venue: Venue) -> SessionTable:
    """Lay out every session of ``venue`` from its first date to the end of :data:`LAST_YEAR`."""
    first = day_number(venue.first_date)
    day = np.arange(first, day_number(dt.date(LAST_YEAR, 12, 31)) + 1, dtype=np.int64)
    weekday = (day + 3) % _DAYS_PER_WEEK  # 1970-01-01 was a Thursday
    is_open = weekday < 5
    is_open[_closed_days(venue) - first] = False

    from_day = np.array([day_number(row.from_date) for row in venue.hours])
    row = np.searchsorted(from_day, day, side="right") - 1
    open_minute = np.array([hours.open_minute for hours in venue.hours])[row]
    close_minute = np.array([hours.close_minute for hours in venue.hours])[row]
    weight = np.full(day.size, WEIGHT_UNITS, dtype=np.int64)

    special = np.array([day_number(entry.date) for entry in venue.specials], dtype=np.int64) - first
    is_open[special] = True
    open_minute[special] = [entry.open_minute for entry in venue.specials]
    close_minute[special] = [entry.close_minute for entry in venue.specials]
    weight[special] = [entry.weight for entry in venue.specials]

    midnight_us = day * MICROSECONDS_PER_DAY - _utc_offsets_us(day, venue.zone)
    open_us = midnight_us + open_minute * _MICROSECONDS_PER_MINUTE
    close_us = midnight_us + close_minute * _MICROSECONDS_PER_MINUTE
    return SessionTable(
        day=_kept(day, is_open),
        open_us=_kept(open_us, is_open),
        close_us=_kept(close_us, is_open),
        weight=_kept(weight, is_open),
        start_us=int(midnight_us[0]),
    )


def _kept(column: NDArray[np.int64], is_open: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Elements of the open days, read-only."""
    kept = column[is_open]
    kept.setflags(write=False)
    return kept


def _closed_days(venue: Venue) -> NDArray[np.int64]:
    """List published holidays, then fixed-date ones to the end of the table [days since 1970-01-01]."""
    years = range(venue.last_published.year + 1, LAST_YEAR + 1)
    fixed = (holiday.observed(year) for holiday in venue.fixed_holidays for year in years)
    provisional = [date for date in fixed if date is not None]
    return np.array([day_number(date) for date in (*venue.holidays, *provisional)], dtype=np.int64)


def _utc_offsets_us(day: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """Local time minus UTC at noon of each day [microseconds].

    Clocks change by night, so noon speaks for the session. Asking the zone once a week, and daily
    only in a week that ends with another offset than it began, costs a fifth of asking daily.
    """
    weekly = np.append(np.arange(0, day.size, _DAYS_PER_WEEK), day.size - 1)
    at_week = np.array([_noon_offset_us(int(number), zone) for number in day[weekly]], dtype=np.int64)
    offsets = np.repeat(at_week[:-1], np.diff(weekly))
    offsets = np.append(offsets, at_week[-1])
    for week in np.flatnonzero(np.diff(at_week)):
        for index in range(weekly[week], weekly[week + 1]):
            offsets[index] = _noon_offset_us(int(day[index]), zone)
    return offsets


def _noon_offset_us(number: int, zone: ZoneInfo) -> int:
    """UTC offset at noon of one day [microseconds]."""
    noon = dt.datetime(1970, 1, 1, 12, tzinfo=zone) + dt.timedelta(days=number)
    offset = zone.utcoffset(noon)
    return 0 if offset is None else offset // dt.timedelta(microseconds=1)
