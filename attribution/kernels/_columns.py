"""Numbers of any shape and kind turned into the columns that kernels read, copying no more than needed.

A kernel reads flat, contiguous, read-only float64 columns of one length. Few elements are copied into one
small table. Many are not: what already is such a column is passed as it is, and everything else (single
numbers, strides, other numeric types, partial broadcasts) is converted chunk by chunk as the work goes on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from attribution.kernels.results import Floats

__all__ = ["SMALL", "ColumnReader", "Columns", "columns_of", "locked", "read_columns"]

SMALL = 1024
"""Up to so many elements, copying them is cheaper than finding out which need not be copied."""

FLOAT = np.dtype(np.float64)
NUMBER_TYPES = {float, int, bool, np.float64, np.float32, np.int64}
NUMERIC_KINDS = "fiub"


class Columns:
    """Arguments that broadcast to one shape.

    Attributes
    ----------
    shape, size
        The broadcast shape and its number of elements.
    ready
        For each argument a column that kernels can read; None while it is pending.
    pending
        Index and array of each argument to be converted: a single number, or broadcast to ``shape``.
    names, given
        Of each argument its name, and its array or number as it came: where results must not be written.
        Neither where all are single numbers.
    """

    __slots__ = ("given", "names", "pending", "ready", "shape", "size")

    def __init__(self, shape: tuple[int, ...], size: int, ready: Sequence[Floats | None]) -> None:
        self.shape = shape
        self.size = size
        self.ready = list(ready)
        self.pending: list[tuple[int, NDArray[Any]]] = []
        self.names: Sequence[str] = ()
        self.given: Sequence[Any] = ()


def locked(array: Floats) -> Floats:
    """Return a view that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def columns_of(table: Floats | Sequence[Floats]) -> Columns:
    """Return float64 columns of one length, or the rows of a table, as they are."""
    rows = [*locked(table)] if isinstance(table, np.ndarray) else [locked(row) for row in table]
    columns = Columns(rows[0].shape, rows[0].size, rows)
    columns.names, columns.given = ("columns",) * len(rows), rows
    return columns


def read_columns(names: Sequence[str], values: Sequence[ArrayLike]) -> Columns:
    """Broadcast the arguments.

    Raises
    ------
    ValueError
        If an argument is not numeric, or the shapes do not broadcast together.
    """
    if NUMBER_TYPES.issuperset(map(type, values)):
        with suppress(OverflowError):  # a whole number beyond doubles: found and named below
            return _of_table((), 1, np.array(values, dtype=FLOAT))
    # A Python float stays one: making an array of each default would cost more than all the rest.
    arrays: list[Any] = [
        value if type(value) is float or (type(value) is np.ndarray and value.dtype is FLOAT) else _numeric(name, value)
        for name, value in zip(names, values, strict=True)
    ]
    shape = _common_shape(names, arrays)
    size = math.prod(shape)
    if size <= SMALL:
        table = np.empty((len(arrays), *shape))
        for i, array in enumerate(arrays):
            table[i] = array
        columns = _of_table(shape, size, table)
        columns.names, columns.given = names, arrays
        return columns
    columns = Columns(shape, size, [None] * len(arrays))
    columns.names, columns.given = names, arrays
    for i, array in enumerate(map(np.asarray, arrays)):
        if array.size == size and _is_plain(array):
            columns.ready[i] = locked(array.reshape(-1))
        else:
            columns.pending.append((i, array if array.size == 1 else np.broadcast_to(array, shape)))
    return columns


def _of_table(shape: tuple[int, ...], size: int, table: Floats) -> Columns:
    table.flags.writeable = False
    return Columns(shape, size, [*table.reshape(len(table), size)])


def _is_plain(array: NDArray[Any]) -> bool:
    return array.dtype == FLOAT and array.flags.c_contiguous and array.flags.aligned


def _numeric(name: str, value: ArrayLike) -> NDArray[Any]:
    try:
        array = np.asarray(value)
        return array if array.dtype.kind in NUMERIC_KINDS else np.asarray(value, dtype=FLOAT)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}={value!r}: must be numbers ({error})") from None


def _common_shape(names: Sequence[str], arrays: Sequence[Any]) -> tuple[int, ...]:
    shapes: set[tuple[int, ...]] = {array.shape for array in arrays if type(array) is not float}
    if len(shapes) == 1:
        return shapes.pop()
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        told = ", ".join(
            f"{name}{np.shape(array)}" for name, array in zip(names, arrays, strict=True) if np.ndim(array)
        )
        raise ValueError(f"shapes do not broadcast together: {told}") from None


class ColumnReader:
    """Reads columns chunk by chunk, with room for the conversion of one chunk.

    Parameters
    ----------
    columns
        What to read.
    rows
        The most elements of a chunk.
    """

    __slots__ = ("_columns", "_moving", "_room", "_shown")

    def __init__(self, columns: Columns, rows: int) -> None:
        self._columns = columns
        self._room = np.empty((len(columns.pending), rows))
        self._shown = locked(self._room)
        self._moving: list[tuple[int, NDArray[Any]]] = []
        for slot, (_, array) in enumerate(columns.pending):
            if array.size == 1:
                self._room[slot] = array.reshape(())
            else:
                self._moving.append((slot, array))

    def read(self, start: int, stop: int) -> list[Floats]:
        """Return all columns from ``start`` to ``stop``, to be used before the next call."""
        for slot, array in self._moving:
            self._room[slot, : stop - start] = _flat_part(array, start, stop)
        columns: list[Any] = [None if column is None else column[start:stop] for column in self._columns.ready]
        for slot, (i, _) in enumerate(self._columns.pending):
            columns[i] = self._shown[slot, : stop - start]
        return columns


def _flat_part(array: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
    """Return ``array.reshape(-1)[start:stop]``, copying hardly more than that part."""
    if array.ndim == 1:
        return array[start:stop]
    inner = array.size // len(array)
    first, last = start // inner, -(-stop // inner)
    if last - first == 1:
        return _flat_part(array[first], start - first * inner, stop - first * inner)
    if inner > stop - start:  # the end of one long row and the start of the next: rare, and slow
        return array.flat[start:stop]
    return array[first:last].reshape(-1)[start - first * inner : stop - first * inner]
