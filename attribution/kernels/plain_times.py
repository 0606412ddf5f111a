"""Texts of the plainest shape, ``2025-01-30 15:29`` or ``2025-01-30T15:29:30``, as local microseconds, many at once."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from attribution.kernels._jit import exact, lean_kernel
from attribution.kernels.results import Integers
from attribution.kernels.windows import NAT

__all__ = ["plain_times_many"]

ZERO, DASH, COLON, BLANK, TEE = 48, 45, 58, 32, 84


@exact
def _number(letters: NDArray[Any], first: int, count: int) -> int:
    """The number that some letters write; −1 where one of them is no figure."""
    total = 0
    for place in range(first, first + count):
        figure = int(letters[place]) - ZERO
        if figure < 0 or figure > 9:
            return -1
        total = total * 10 + figure
    return total


@exact
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar; years begin in March, so that a leap day ends one."""
    if month <= 2:
        year -= 1
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


@exact
def _is_date(year: int, month: int, day: int) -> bool:
    if year < 1 or month < 1 or month > 12 or day < 1:
        return False
    if month == 2:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return day <= (29 if leap else 28)
    return day <= (30 if month in (4, 6, 9, 11) else 31)


@exact
def _plain_time(letters: NDArray[Any], first: int, last: int) -> int:
    """One text; NAT where it is not of the shape, or no such time exists."""
    size = last - first
    if size != 16 and size != 19:
        return NAT
    shaped = letters[first + 4] == DASH and letters[first + 7] == DASH and letters[first + 13] == COLON
    if not shaped or (letters[first + 10] != BLANK and letters[first + 10] != TEE):
        return NAT
    year, month, day = _number(letters, first, 4), _number(letters, first + 5, 2), _number(letters, first + 8, 2)
    hour, minute, second = _number(letters, first + 11, 2), _number(letters, first + 14, 2), 0
    if size == 19:
        if letters[first + 16] != COLON:
            return NAT
        second = _number(letters, first + 17, 2)
    if (
        not _is_date(year, month, day)
        or hour < 0
        or hour > 23
        or minute < 0
        or minute > 59
        or second < 0
        or second > 59
    ):
        return NAT
    return (((_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000


@lean_kernel
def plain_times_many(letters: NDArray[Any], first: Integers, last: Integers, local_us: Integers) -> None:
    """Read the texts ``letters[first[k]:last[k]]``, less the zeros that fill them up, as microseconds since 1970-01-01.

    Parameters
    ----------
    letters
        Code points, or the bytes of UTF-8.
    local_us
        Filled with local times; ``NAT`` for what is not of the shape.
    """
    for k in range(first.size):
        end = last[k]
        while end > first[k] and letters[end - 1] == 0:
            end -= 1
        local_us[k] = _plain_time(letters, first[k], end)
