"""Columns of numbers as float64, NaN where a cell is empty."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution.errors import TradeError
from attribution.fields import as_number
from attribution.tables.factors import factorise

__all__ = ["is_empty", "numbers_of"]


def is_empty(series: Any) -> bool:
    """Whether no cell of a column holds anything: null, or NaN throughout."""
    if series.null_count() == len(series):
        return True
    return bool(series.dtype.is_float()) and bool(np.isnan(np.asarray(series.to_numpy(), np.float64)).all())


def numbers_of(field: str, series: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    """Return a column as float64, and which cells the row's own way must look at (None: no one).

    Raises
    ------
    ValueError
        The column is of a kind that holds no numbers: times, durations, truth values, lists.
    """
    import narwhals.stable.v2 as nw

    dtype = series.dtype
    if dtype.is_numeric():
        values = _floats(series)
        infinite = np.isinf(values)
        return values, infinite if infinite.any() else None
    if is_empty(series):
        return np.full(len(series), np.nan), None
    if dtype in (nw.String, nw.Object, nw.Categorical) or isinstance(dtype, nw.Enum):
        return _from_cells(field, series)
    raise ValueError(f"trades: column {series.name!r} ({field}) holds {dtype}; numbers are needed")


def _floats(series: Any) -> NDArray[np.float64]:
    import narwhals.stable.v2 as nw

    if series.dtype != nw.Float64 or series.null_count():
        series = series.cast(nw.Float64)
    return np.asarray(series.to_numpy(), np.float64)


def _from_cells(field: str, series: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Texts and objects: the distinct ones as the single call reads them."""
    factor = factorise(series)
    told, bad = [], []
    for value in factor.values:
        try:
            number = as_number(field, value)
        except TradeError:
            number, wrong = None, True
        else:
            wrong = False
        told.append(np.nan if number is None else number)
        bad.append(wrong)
    return np.array([*told, np.nan])[factor.codes], np.array([*bad, False])[factor.codes]
