"""Texts of the plainest shape, ``2025-01-30 15:29`` or ``2025-01-30T15:29:30``, read all at once.

It is the shape in which times come by the million. Every other text goes the way of a single cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from attribution.calendars import NAT

__all__ = ["plain_times"]

WIDTH = 20
"""One more than the longest text of the shape, so that a longer one is seen to be longer."""

_DIGITS = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15)
_SECONDS = (17, 18)
_DAYS_OF_MONTH = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def plain_times(values: Sequence[object]) -> NDArray[np.int64]:
    """Return the local times in texts as microseconds since 1970-01-01; NAT for what is not of the shape."""
    plain = values if set(map(type, values)) <= {str} else [v if isinstance(v, str) else "" for v in values]
    texts = np.array(plain, dtype=f"U{WIDTH}")
    # One row per place in the text, so that a place of all texts lies side by side.
    letters = np.ascontiguousarray(texts.view(np.int32).reshape(len(values), WIDTH).T)
    figures = letters - ord("0")
    is_figure = (figures >= 0) & (figures <= 9)
    long = letters[16] == ord(":")
    good = is_figure[_DIGITS, :].all(axis=0)
    good &= (letters[4] == ord("-")) & (letters[7] == ord("-")) & (letters[13] == ord(":"))
    good &= (letters[10] == ord(" ")) | (letters[10] == ord("T"))
    good &= np.where(long, is_figure[_SECONDS, :].all(axis=0) & (letters[19] == 0), letters[16] == 0)

    def number(first: int, count: int) -> NDArray[np.int64]:
        total = np.zeros(len(values), np.int32)
        for place in range(first, first + count):
            total = total * 10 + figures[place]
        return np.where(good, total, 1).astype(np.int64)

    year, month, day = number(0, 4), number(5, 2), number(8, 2)
    hour, minute = number(11, 2), number(14, 2)
    second = np.where(long, number(17, 2), 0)
    good &= (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second < 60) & (year >= 1)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    good &= day <= _DAYS_OF_MONTH[np.where(good, month, 1)] - ((month == 2) & ~leap)
    seconds = _days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second
    return np.where(good, seconds * 1_000_000, NAT)


def _days(year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days since 1970-01-01 in the Gregorian calendar."""
    months = (year - 1970) * 12 + month - 1
    return months.astype("datetime64[M]").astype("datetime64[D]").view(np.int64) + day - 1
