"""Dates and instants at the door: whatever callers hold becomes a plain datetime or an integer."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from attribution.errors import CalendarError

__all__ = [
    "MICROSECONDS_PER_DAY",
    "DateLike",
    "InstantLike",
    "as_date",
    "as_datetime",
    "day_number",
    "from_epoch_us",
    "to_epoch_us",
]

MICROSECONDS_PER_DAY = 86_400_000_000

InstantLike = dt.date | str | np.datetime64
"""A datetime (naive or aware, also a pandas.Timestamp), a date, a text, a numpy.datetime64."""

DateLike = InstantLike
"""The same kinds, where only the date counts."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()
_TEXT = re.compile(
    r"\d{4}-\d{2}-\d{2}"
    r"(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
)
_ALLOWED = (
    "expected a datetime (without a zone it is the exchange's own time), a date, a numpy.datetime64, "
    "or text such as '2026-08-03', '2026-08-03 09:15', '2026-08-03T09:15:00.5+05:30'"
)


def to_epoch_us(instant: dt.datetime) -> int:
    """UTC microseconds since 1970-01-01 of a zone-aware instant.

    Raises
    ------
    ValueError
        ``instant`` has no zone, or is NaT.
    """
    if instant == instant:
        try:
            # A pandas.Timestamp subtracts to nanoseconds; the difference of plain datetimes is exact.
            since = (instant if type(instant) is dt.datetime else _plain(instant)) - _EPOCH
        except TypeError:  # without a zone
            pass
        else:
            return since.days * MICROSECONDS_PER_DAY + since.seconds * 1_000_000 + since.microseconds
    raise ValueError(
        f"instant={instant!r}: expected a zone-aware datetime; "
        "ExchangeCalendar.localize gives a naive one its exchange's zone"
    )


def from_epoch_us(instant_us: int, zone: dt.tzinfo) -> dt.datetime:
    """Inverse of :func:`to_epoch_us`, shown in ``zone``."""
    return (_EPOCH + dt.timedelta(microseconds=instant_us)).astimezone(zone)


def day_number(date: dt.date) -> int:
    """Days since 1970-01-01."""
    return date.toordinal() - _EPOCH_ORDINAL


def as_datetime(value: InstantLike, zone: ZoneInfo) -> dt.datetime:
    """``value`` as a plain datetime aware of ``zone``; without a zone of its own it is local there.

    A date is its midnight. Digits finer than a microsecond are dropped.

    Raises
    ------
    CalendarError
        ``value`` is NaT, of another type, or text of another shape.
    """
    return _of_text(value, zone) if type(value) is str else _read(value, zone)


@lru_cache(maxsize=65536)
def _of_text(value: str, zone: ZoneInfo) -> dt.datetime:
    """Texts repeat: the entry times of one basket, the keys of a price table that is made anew for each call."""
    return _read(value, zone)


def _read(value: InstantLike, zone: ZoneInfo) -> dt.datetime:
    instant = _parse(value)
    if instant.tzinfo is zone:
        return instant
    if instant.utcoffset() is None:
        return instant.replace(tzinfo=zone)
    try:
        return instant.astimezone(zone)
    except OverflowError as exc:
        raise CalendarError(f"instant={value!r}: outside the years that datetime can express") from exc


def as_date(value: DateLike, zone: ZoneInfo) -> dt.date:
    """Date of ``value`` in ``zone``. Raises like :func:`as_datetime`."""
    return value if type(value) is dt.date else as_datetime(value, zone).date()


def _parse(value: object) -> dt.datetime:
    """``value`` as a plain datetime, with a zone only if it came with one."""
    if isinstance(value, dt.datetime):
        if value == value:  # NaT of pandas is a datetime that differs from itself
            return _plain(value)
    elif isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the caller adds the zone
    elif isinstance(value, np.datetime64):
        plain = value.astype("datetime64[us]").item()
        if isinstance(plain, dt.datetime):  # None for NaT, an integer beyond year 9999
            return plain
    elif isinstance(value, str) and _TEXT.fullmatch(value.strip()):
        try:
            return dt.datetime.fromisoformat(value.strip())
        except ValueError as exc:
            raise CalendarError(f"instant={value!r}: {exc}; {_ALLOWED}") from exc
    raise CalendarError(f"instant={value!r}: {_ALLOWED}")


def _plain(value: dt.datetime) -> dt.datetime:
    """``value`` without what subclasses add, such as the nanoseconds of a pandas.Timestamp."""
    if type(value) is dt.datetime:
        return value
    return dt.datetime(
        value.year,
        value.month,
        value.day,
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
        tzinfo=value.tzinfo,
        fold=value.fold,
    )
