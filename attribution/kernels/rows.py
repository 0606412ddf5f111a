"""The door for callers that go leg by leg: rows of plain numbers in, rows of plain numbers out.

Of few legs, the split takes less time than tables to put them in: the same tables serve again and again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attribution.kernels._columns import FLOAT, locked
from attribution.kernels._jit import entry_point
from attribution.kernels._targets import empty_leg_table
from attribution.kernels.arrays import LEGS_NAMES, attribute_columns, read_choices
from attribution.kernels.block import LegInputs
from attribution.kernels.decompose import attribute_many
from attribution.kernels.results import LegRow, LegTable

__all__ = ["FEW", "attribute_rows"]

FEW = 8
"""Up to so many legs, laying out their tables would cost more than the split does: these are used again."""


class _FewLegs:
    """Room for the inputs and results of a few legs, and the kernel that takes just these columns."""

    __slots__ = ("inputs", "out", "rows", "split")

    def __init__(self, size: int, *, detail: bool) -> None:
        table = np.empty((len(LEGS_NAMES), size))
        self.rows = table.T
        self.inputs = LegInputs(*locked(table))
        self.out = empty_leg_table(size, detail=detail)
        self.split = entry_point(attribute_many, (self.inputs, 0, (0, 1, 2, 3), 1, detail, *self.out, 0))


_spare_tables: dict[tuple[int, bool], list[_FewLegs]] = {}


def attribute_rows(
    rows: Sequence[Sequence[float]], *, method: str, order: Sequence[str], steps: int, detail: bool
) -> list[LegRow]:
    """The split for legs that stand row by row, told as plain numbers.

    Parameters
    ----------
    rows
        Of each leg, of at least one, the floats of :class:`LegInputs` in that order.
    method, order, steps, detail
        As for :func:`attribute_legs`.
    """
    size = len(rows)
    if size > FEW:
        columns = np.ascontiguousarray(np.array(rows, dtype=FLOAT).T)
        return _told(attribute_columns(columns, method=method, order=order, steps=steps, detail=detail))
    spare = _spare_tables.setdefault((size, detail), [])
    try:
        table = spare.pop()  # nobody else has it now: threads take turns at a list
    except IndexError:
        table = _FewLegs(size, detail=detail)
    table.rows[:] = rows
    table.split(table.inputs, *read_choices(method, order, steps), detail, *table.out, 0)
    found = _told(table.out)
    spare.append(table)
    return found


def _told(table: LegTable) -> list[LegRow]:
    details = table.detail.T.tolist() if table.detail.size else [None] * table.status.size
    return list(map(LegRow, table.effects.T.tolist(), table.status.tolist(), table.flags.tolist(), details))
