"""Blocks of lanes: how columns of any length reach loops that know one length only.

Kernels work block by block, in short loops over scratch rows that stay in the first-level cache: one idea
to a loop. A lane is the place of one option in its block. Whole blocks are read where they stand; what is
left at the end of the columns is copied and padded to whole vector registers, by repeating the last option.
So every option takes the same instructions wherever it stands in whatever batch, and a batch of one gives
the same bits as a batch of a million (docs/kernels.md §8).

Loops first treat every lane as an ordinary one, mark with NaN those that are not, and count them. Only if
there are any does a second, scalar loop repair them: absurd inputs do not slow their neighbours down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attribution.kernels._jit import inlined, stage, view

__all__ = ["LANES", "Floats", "any_differs", "copy", "fill", "padded", "part", "read_only", "scratch_rows"]

Floats = NDArray[np.float64]

LANES = 512
"""Options or legs of a whole block: enough that filling and draining the processor's queues between two loops is
small beside the loops, few enough for the cache."""

LANE_MULTIPLE = 32
"""Eight doubles to a register, four registers at a time: the widest step a compiler takes."""

LINE = 8
"""Doubles of a line of the cache."""


@inlined
def padded(count: int) -> int:
    """Lanes to work on for ``count`` options."""
    return (count + LANE_MULTIPLE - 1) // LANE_MULTIPLE * LANE_MULTIPLE


@view
def scratch_rows(rows: int, lanes: int) -> Floats:
    """Return an empty table for blocks of ``lanes``, a line of the cache wider than that.

    A row begins where a line does, or every wide load would take two; and no two rows as far apart as a power of
    two, or the same lane of all rows would want the same few places in the cache.
    """
    width = lanes + LINE
    room = np.empty(rows * width + LINE)
    first = -(room.ctypes.data >> 3) & (LINE - 1)
    return room[first : first + rows * width].reshape(rows, width)


@view
def read_only(row: Floats, column: Floats) -> Floats:
    """Return a row of scratch, with the type of a column: stages that read either are compiled for one.

    The first return is never taken; it is there for its type.
    """
    return column if row.size < 0 else row


@view
def part(column: Floats, start: int, row: Floats) -> Floats:
    """Return a column's block from ``start`` on, where it stands; the end of a column padded, in ``row``."""
    count = column.size - start
    if count >= LANES:
        return column[start : start + LANES]
    for lane in range(count):
        row[lane] = column[start + lane]
    last = column[column.size - 1]
    for lane in range(count, padded(count)):
        row[lane] = last
    return read_only(row[: padded(count)], column)


@stage
def copy(source: Floats, target: Floats) -> None:
    """Fill ``target`` from the first lanes of ``source``."""
    for lane in range(target.size):
        target[lane] = source[lane]


@stage
def fill(row: Floats, value: float) -> None:
    """Set all lanes of a row."""
    for lane in range(row.size):
        row[lane] = value


@stage
def any_differs(row: Floats, usual: float) -> bool:
    """Whether any lane holds something else than the usual value (NaN does)."""
    others = 0
    for lane in range(row.size):
        others += 1 if row[lane] != usual else 0
    return others > 0
