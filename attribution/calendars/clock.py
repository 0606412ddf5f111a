"""Clocks: instants → years, additively.

A clock is a table of spans, each with a start, a length and a weight. τ(t) is the weight of the spans
behind t plus the elapsed fraction of the running one, and the time between two instants is

    T = (τ(expiry) − τ(t)) / unit                                                     [yr]

so that T is additive, never negative for t ≤ expiry, and exactly 0 at expiry.

``sessions``
    spans are the exchange's sessions; unit 252. Nights, weekends and holidays take no time. With
    every weight 1 this is the "fractional business days" clock.
``calendar``
    spans are days of 86,400 seconds; unit 365. The same for every exchange.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from attribution.calendars.instants import MICROSECONDS_PER_DAY, day_number, from_epoch_us, to_epoch_us
from attribution.calendars.sessions import canonical_exchange, get_calendar
from attribution.calendars.table import LAST_YEAR, WEIGHT_UNITS
from attribution.errors import CalendarError
from attribution.once import once
from attribution.units import DAYS_PER_YEAR, SESSIONS_PER_YEAR

__all__ = ["CLOCK_NAMES", "Clock", "ClockSpans", "get_clock"]

CLOCK_NAMES: Final = ("sessions", "calendar")
"""The clocks there are; the first is the default everywhere."""

_NAT = np.iinfo(np.int64).min
_ORIGIN_US = day_number(dt.date(2024, 1, 1)) * MICROSECONDS_PER_DAY
"""τ = 0 near here, so that τ is small, and its rounding with it, where trades are."""


class ClockSpans(NamedTuple):
    """A clock's table, one element per span. Instants in UTC microseconds, weights in 1/10,000 of a span."""

    start_us: NDArray[np.int64]
    length_us: NDArray[np.float64]
    weight: NDArray[np.int64]
    elapsed: NDArray[np.int64]
    """Weight of the spans before each."""
    first_us: int
    """The first instant that the clock knows."""
    last_us: int


@final
class Clock:
    """An additive clock; get one from :func:`get_clock`.

    Instants are int64 UTC microseconds since 1970-01-01, in arrays of any shape. All methods raise
    CalendarError for an instant outside the table or NaT, naming the first one.
    """

    def __init__(
        self,
        *,
        name: str,
        exchange: str,
        unit: float,
        span_start_us: NDArray[np.int64],
        span_end_us: NDArray[np.int64],
        span_weight: NDArray[np.int64],
        start_us: int,
    ) -> None:
        self.name: Final = name
        """``sessions`` or ``calendar``."""
        self.exchange: Final = exchange
        """Canonical name of the exchange whose sessions it counts."""
        self.unit: Final = unit
        """τ in a year: 252 sessions, 365 days."""
        self._span_start_us = span_start_us
        self._span_us = (span_end_us - span_start_us).astype(np.float64)
        self._weight = span_weight
        elapsed = np.concatenate(([0], np.cumsum(span_weight)))[:-1]
        origin = int(np.searchsorted(span_start_us, _ORIGIN_US))
        self._elapsed = elapsed - elapsed[origin]
        self._first_us, self._last_us = start_us, int(span_end_us[-1])

    def __repr__(self) -> str:
        return f"get_clock({self.name!r}, {self.exchange!r})"

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return get_clock, (self.name, self.exchange)

    @property
    def spans(self) -> ClockSpans:
        """The table itself, for compiled code that reads many instants."""
        columns = (self._span_start_us, self._span_us, self._weight, self._elapsed)
        return ClockSpans(*columns, self._first_us, self._last_us)

    def covers(self, instants: NDArray[np.int64] | int) -> NDArray[np.bool_]:
        """Whether each instant is inside the table; False for NaT."""
        instants_us = _as_int64(instants)
        return np.asarray((instants_us >= self._first_us) & (instants_us <= self._last_us))

    def tau(self, instants: NDArray[np.int64] | int) -> NDArray[np.float64]:
        """Clock reading at each instant [sessions or days since a fixed origin].

        Differences are good to about 1e-12; :meth:`years_between` is better for instants close
        together.
        """
        whole, part = self._read(instants)
        return np.asarray(whole / WEIGHT_UNITS + part)

    def tau_at(self, instant: dt.datetime) -> float:
        """Clock reading at one zone-aware instant. ValueError for a naive one."""
        return float(self.tau(to_epoch_us(instant)))

    def years_between(self, t_us: NDArray[np.int64] | int, expiry_us: NDArray[np.int64] | int) -> NDArray[np.float64]:
        """Time from ``t_us`` to ``expiry_us``, broadcast together [yr].

        Exactly 0 for equal instants (and across a closed market), negative where ``t_us`` is the later.
        Whole spans are subtracted as integers, so the last minute is as accurate as the last year.
        """
        whole_t, part_t = self._read(t_us)
        whole_e, part_e = self._read(expiry_us)
        return np.asarray(((whole_e - whole_t) / WEIGHT_UNITS + (part_e - part_t)) / self.unit)

    def years_at(self, t_us: int, expiry_us: int) -> float:
        """:meth:`years_between` of two single instants, to the same bits at a twentieth of the cost. [yr]"""
        whole_t, part_t = self._read_one(t_us)
        whole_e, part_e = self._read_one(expiry_us)
        return ((whole_e - whole_t) / WEIGHT_UNITS + (part_e - part_t)) / self.unit

    def reading(self, instant_us: int) -> tuple[int, float]:
        """Weight of the spans behind an instant [1/10,000], and of the part of the running one [spans]."""
        return self._read_one(instant_us)

    def _read_one(self, instant_us: int) -> tuple[int, float]:
        if not self._first_us <= instant_us <= self._last_us:
            self._check(np.asarray(instant_us))
        starts, lengths, weights, elapsed = self._spans
        span = max(bisect_right(starts, instant_us) - 1, 0)
        fraction = (instant_us - starts[span]) / lengths[span]
        if fraction >= 1.0:
            return elapsed[span] + weights[span], 0.0
        return elapsed[span], max(fraction, 0.0) * (weights[span] / WEIGHT_UNITS)

    def years_left(self, at: dt.datetime, expires_at: dt.datetime) -> float:
        """:meth:`years_at` of two zone-aware instants. [yr]

        Instants repeat, in a list of trades and from call to call: what the clock shows at one is remembered.
        """
        # Two instants that differ in ``fold`` alone are equal, and an hour apart.
        whole_t, part_t = self._read_instant(at, at.fold)
        whole_e, part_e = self._read_instant(expires_at, expires_at.fold)
        return ((whole_e - whole_t) / WEIGHT_UNITS + (part_e - part_t)) / self.unit

    @once
    def _read_instant(self) -> Callable[[dt.datetime, int], tuple[int, float]]:
        @lru_cache(maxsize=16384)
        def read(at: dt.datetime, fold: int) -> tuple[int, float]:
            return self._read_one(to_epoch_us(at))

        return read

    @once
    def _spans(self) -> tuple[list[int], list[float], list[int], list[int]]:
        """The table as plain numbers, for look-ups one by one."""
        columns = (self._span_start_us, self._span_us, self._weight, self._elapsed)
        starts, lengths, weights, elapsed = (column.tolist() for column in columns)
        return starts, lengths, weights, elapsed

    def _read(self, instants: NDArray[np.int64] | int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Weight of the spans behind each instant [1/10,000], and of the part of the running one."""
        instants_us = _as_int64(instants)
        self._check(instants_us)
        # Before the first span nothing has elapsed: the clip below makes that a 0.
        span = np.maximum(np.searchsorted(self._span_start_us, instants_us, side="right") - 1, 0)
        fraction = (instants_us - self._span_start_us[span]) / self._span_us[span]
        over = fraction >= 1.0
        whole = self._elapsed[span] + np.where(over, self._weight[span], 0)
        part = np.where(over, 0.0, np.maximum(fraction, 0.0) * (self._weight[span] / WEIGHT_UNITS))
        return whole, part

    def _check(self, instants_us: NDArray[np.int64]) -> None:
        """Raise CalendarError for the first instant that the table does not cover."""
        covered = self.covers(instants_us)
        if covered.all():
            return
        position = int(np.argmin(covered))
        value = int(instants_us.ravel()[position])
        shown = "NaT" if value == _NAT else str(np.datetime64(value, "us")) + " UTC"
        first, last = (from_epoch_us(edge, dt.UTC).isoformat(" ") for edge in (self._first_us, self._last_us))
        raise CalendarError(
            f"instant={shown} (position {position}): the {self.name} clock of {self.exchange} knows {first} to {last}"
        )


def get_clock(name: str, exchange: str) -> Clock:
    """Clock ``name`` of an exchange, made once; exchanges as in :func:`canonical_exchange`.

    Raises
    ------
    ValueError
        ``name`` is not one of :data:`CLOCK_NAMES`.
    CalendarError
        The exchange has no calendar.
    """
    if name not in CLOCK_NAMES:
        raise ValueError(f"clock={name!r}: expected one of {', '.join(CLOCK_NAMES)}")
    return _clock(name, canonical_exchange(exchange))


@cache
def _clock(name: str, exchange: str) -> Clock:
    if name == "calendar":
        return _calendar_clock(exchange)
    table = get_calendar(exchange).table
    return Clock(
        name=name,
        exchange=exchange,
        unit=SESSIONS_PER_YEAR,
        span_start_us=table.open_us,
        span_end_us=table.close_us,
        span_weight=table.weight,
        start_us=table.start_us,
    )


def _calendar_clock(exchange: str) -> Clock:
    """Every day counts 1, from 1970 to the last year of the calendars; leap seconds do not exist."""
    day = np.arange(day_number(dt.date(LAST_YEAR + 1, 1, 1)), dtype=np.int64)
    return Clock(
        name="calendar",
        exchange=exchange,
        unit=DAYS_PER_YEAR,
        span_start_us=day * MICROSECONDS_PER_DAY,
        span_end_us=(day + 1) * MICROSECONDS_PER_DAY,
        span_weight=np.full(day.size, WEIGHT_UNITS, dtype=np.int64),
        start_us=0,
    )


def _as_int64(instants: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Instants as an int64 array; TypeError for anything that is not integers."""
    array = np.asarray(instants)
    if array.dtype.kind not in "iu":
        raise TypeError(f"instants of dtype {array.dtype}: expected int64 microseconds of UTC since 1970-01-01")
    return array.astype(np.int64, copy=False)
