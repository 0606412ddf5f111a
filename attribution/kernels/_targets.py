"""Where results go: into new arrays, or into those of the caller's that are to be filled (``out=``).

A kernel fills flat columns, and tables of which each row is a result. A caller's arrays are taken only if they can
be filled just as new ones would be: of the result's shape and type, contiguous, and apart from every argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from attribution.kernels._columns import Columns
from attribution.kernels.decompose import DETAIL_ROWS, EFFECT_ROWS
from attribution.kernels.greek_blocks import GREEK_COUNT
from attribution.kernels.results import BlackGreeks, Floats, LegDetail, LegEffects, LegTable

__all__ = [
    "check_leg_table",
    "column_for",
    "empty_leg_table",
    "greek_table_for",
    "greeks_in",
    "leg_table_for",
    "legs_in",
    "shaped",
]

FLOAT, INTEGER = np.dtype(np.float64), np.dtype(np.int64)
LEG_NAMES = tuple(f"out.{name}" for name in LegEffects._fields[:EFFECT_ROWS])
DETAIL_NAMES = tuple(f"out.detail.{name}" for name in LegDetail._fields)
GREEK_NAMES = tuple(f"out.{name}" for name in BlackGreeks._fields)


def shaped(row: NDArray[Any], shape: tuple[int, ...]) -> Any:
    """Return one result in the broadcast shape; a numpy scalar where that shape is ()."""
    return row.reshape(shape) if shape else row[0]


def _rows(table: Floats, shape: tuple[int, ...]) -> Any:
    """Return the rows of a table in the broadcast shape."""
    return table.reshape(len(table), *shape) if shape else table[:, 0]


def column_for(out: NDArray[Any] | None, columns: Columns) -> Floats:
    """Return a flat column for one result: new, or the caller's array.

    Raises
    ------
    ValueError
        If the caller's array cannot be filled.
    """
    if out is None:
        return np.empty(columns.size)
    _check("out", out, columns.shape, FLOAT)
    _keep_apart(columns, out)
    return np.asarray(out).reshape(-1)


def greek_table_for(out: BlackGreeks | None, columns: Columns) -> Floats:
    """Return a table for the greeks: new, or that of an earlier result; ValueError as for :func:`column_for`."""
    if out is None:
        return np.empty((GREEK_COUNT, columns.size))
    if not isinstance(out, BlackGreeks):
        raise ValueError(f"out: must be what an earlier call returned, received {type(out).__name__}")
    table = _table_of(GREEK_NAMES, out, columns)
    _keep_apart(columns, table)
    return table


def greeks_in(table: Floats, shape: tuple[int, ...]) -> BlackGreeks:
    """Return the result whose numbers stand in a table."""
    return BlackGreeks._make(_rows(table, shape))


def leg_table_for(out: LegEffects | None, columns: Columns, *, detail: bool) -> LegTable:
    """Return tables for legs: new, or those of an earlier result; ValueError as for :func:`column_for`."""
    if out is None:
        return empty_leg_table(columns.size, detail=detail)
    if not isinstance(out, LegEffects):
        raise ValueError(f"out: must be what an earlier call returned, received {type(out).__name__}")
    if detail != (out.detail is not None):
        raise ValueError(f"out: must be what an earlier call with detail={detail} returned")
    codes = (out.status, out.flags)
    for name, array in zip(("out.status", "out.flags"), codes, strict=True):
        _check(name, array, columns.shape, INTEGER)
    table = LegTable(
        _table_of(LEG_NAMES, out[:EFFECT_ROWS], columns),
        np.empty((DETAIL_ROWS, 0)) if out.detail is None else _table_of(DETAIL_NAMES, out.detail, columns),
        *(np.asarray(array).reshape(-1) for array in codes),
    )
    _keep_apart(columns, *table)
    return table


def legs_in(table: LegTable, shape: tuple[int, ...], *, detail: bool) -> LegEffects:
    """Return the result whose numbers stand in these tables."""
    parts = LegDetail._make(_rows(table.detail, shape)) if detail else None
    codes = (shaped(table.status, shape), shaped(table.flags, shape))
    return LegEffects._make((*_rows(table.effects, shape), *codes, parts))


def empty_leg_table(size: int, *, detail: bool) -> LegTable:
    """Return tables for ``size`` legs, to be filled."""
    status, flags = np.empty((2, size), np.int64)
    return LegTable(np.empty((EFFECT_ROWS, size)), np.empty((DETAIL_ROWS, size if detail else 0)), status, flags)


def check_leg_table(out: LegTable, columns: Columns, *, detail: bool) -> None:
    """ValueError if these tables cannot be filled."""
    size = columns.size
    shapes = [(EFFECT_ROWS, size), (DETAIL_ROWS, size if detail else 0), (size,), (size,)]
    types = (FLOAT, FLOAT, INTEGER, INTEGER)
    for name, array, shape, dtype in zip(LegTable._fields, out, shapes, types, strict=True):
        _check(f"out.{name}", array, shape, dtype)
    _keep_apart(columns, *out)


def _check(name: str, array: object, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """ValueError, naming the array, if it cannot be filled."""
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name}: must be a numpy array, received {type(array).__name__}")
    if array.shape != shape:
        raise ValueError(f"{name}: must have the result's shape {shape}, received {array.shape}")
    if array.dtype != dtype:
        raise ValueError(f"{name}: must be {dtype}, received {array.dtype}")
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise ValueError(f"{name}: must be contiguous, the last axis running fastest")
    if not array.flags.writeable:
        raise ValueError(f"{name}: is read-only")


def _table_of(names: Sequence[str], rows: Sequence[Any], columns: Columns) -> Floats:
    """Return the table that some arrays are the rows of: they must follow each other in memory, as a result's do."""
    for name, row in zip(names, rows, strict=True):
        _check(name, row, columns.shape, FLOAT)
    first, width = _address(rows[0]), rows[0].nbytes
    for i, name in enumerate(names):
        if _address(rows[i]) != first + i * width:
            raise ValueError(f"{name}: does not follow the array before it in memory, as in an earlier result it does")
    return as_strided(np.asarray(rows[0]).reshape(-1), (len(rows), columns.size), (width, FLOAT.itemsize))


def _address(array: NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _keep_apart(columns: Columns, *targets: NDArray[Any]) -> None:
    """ValueError if an argument lies where results are written: a second, careful look would find it overwritten."""
    for name, given in zip(columns.names, columns.given, strict=True):
        if any(np.may_share_memory(given, target) for target in targets):
            raise ValueError(f"out: shares memory with {name}")
