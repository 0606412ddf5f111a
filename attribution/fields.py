"""Numbers from outside: one place that decides what a blank, a NaN and a typo mean."""

from __future__ import annotations

import math
from datetime import datetime
from typing import SupportsFloat, SupportsIndex, cast

import numpy as np

from attribution.errors import TradeError

__all__ = ["as_number", "is_absent", "stamp"]

_TRUTHS = (bool, np.bool_)


def stamp(at: datetime) -> str:
    """Return an instant as messages show it: ``2025-01-30 15:30:00``, in its own zone."""
    return str(at.replace(microsecond=0, tzinfo=None))


def is_absent(value: object) -> bool:
    """Whether a field holds nothing: None, blank text, NaN, NaT or NA."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, _TRUTHS):
        return False
    try:
        differs: object = value != value  # true of NaN and NaT; pandas' NA answers with itself
    except ArithmeticError:  # a signalling NaN of decimal
        return True
    return differs is value or differs is True or (isinstance(differs, np.bool_) and bool(differs))


def as_number(field: str, value: object) -> float | None:
    """Return the finite number in ``value``, or None where the field holds nothing.

    Raises
    ------
    TradeError
        The value is not a number, or is infinite.
    """
    if value is None:
        return None
    if type(value) is int and -(2**1023) < value < 2**1023:
        value = float(value)
    elif type(value) is not float:
        if is_absent(value):
            return None
        if isinstance(value, _TRUTHS):
            raise TradeError(field, value, "a number")
        if isinstance(value, str) and ("_" in value or not value.isascii()):
            raise TradeError(field, value, "a number in plain digits")
        try:
            value = float(cast("str | SupportsFloat | SupportsIndex", value))
        except OverflowError:
            raise TradeError(field, _shortened(value), "a number that a double can hold") from None
        except (TypeError, ValueError, ArithmeticError):
            raise TradeError(field, value, "a number") from None
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return None
    raise TradeError(field, value, "a finite number")


def _shortened(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # more digits than Python writes out
        return f"{type(value).__name__} of thousands of digits"
    return text if len(text) <= 40 else f"{text[:20]}…{text[-10:]} ({len(text)} characters)"
