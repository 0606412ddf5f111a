"""Additive totals of a frame of results, by any of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution.status import Status
from attribution.tables.factors import Factor, combine, factorise
from attribution.tables.frames import NativeFrame, read_frame
from attribution.totals import AMOUNTS, TOTALS, total

__all__ = ["summarise_frame"]

_COLUMN_OF = {"day": "session"}
"""Groupings of results that go by another name in a frame."""


def summarise_frame(results: NativeFrame, by: Sequence[str], *, skip: bool) -> NativeFrame:
    """Add the rows of a result frame up; see :func:`attribution.summarise`."""
    import narwhals.stable.v2 as nw

    data, lazy = read_frame(results)
    names = [_column(data.columns, name) for name in by]
    for name in (*_needed(data.columns), "status"):
        if name not in data.columns:
            raise ValueError(f"results: the column {name!r} is missing; pass what the attribution calls returned")
    factors = [factorise(data[name]) for name in names]
    group, members = _groups(factors, len(data))
    order = np.argsort(group, kind="stable")
    count = members[0].size if members else min(len(data), 1)
    bounds = np.searchsorted(group[order], np.arange(count + 1))
    columns = {name: np.asarray(data[name].to_numpy(), np.float64)[order] for name in _needed(data.columns)}
    statuses = factorise(data["status"])
    told = [Status(value) for value in statuses.values]
    codes = statuses.codes[order]
    totals = []
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        own = {name: column[first:last].tolist() for name, column in columns.items()}
        totals.append(total(own, [told[code] for code in codes[first:last].tolist()], skip=skip))
    made: dict[str, Any] = {
        asked: [None if code < 0 else factor.values[code] for code in codes.tolist()]
        for asked, factor, codes in zip(by, factors, members, strict=True)
    }
    made |= {key: [each[key] for each in totals] for key in TOTALS}
    frame = nw.from_dict(made, backend=data.implementation)
    return frame.lazy().to_native() if lazy else frame.to_native()


def _needed(columns: Sequence[str]) -> list[str]:
    """The amounts; a frame of legs has no combo gap beside its legs."""
    return [name for name in AMOUNTS if name != "combo_gap" or name in columns]


def _column(columns: Sequence[str], name: str) -> str:
    found = _COLUMN_OF.get(name, name) if name not in columns else name
    if found not in columns:
        hint = "; results leg by leg (level='leg') have it" if name == "leg" else ""
        raise ValueError(f"by={name!r}: the results have no such column{hint}; they have {', '.join(columns)}")
    return found


def _groups(factors: Sequence[Factor], size: int) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """The number of each row's group, and per grouping the code that each group has."""
    if not factors:
        return np.zeros(size, np.int64), []
    return combine([(factor.codes, len(factor.values)) for factor in factors])
