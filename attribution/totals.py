"""What a group of results adds up to: one rule for lists of results and for frames of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attribution.result import EFFECTS
from attribution.status import Status, worst

__all__ = ["AMOUNTS", "TOTALS", "exact_sum", "total"]

AMOUNTS = (*EFFECTS, "residual", "pnl", "fees", "net_pnl")
"""What is added up. [currency]"""

TOTALS = (*AMOUNTS, "count", "missing", "missing_pnl", "unexplained_share", "status")
"""What :func:`total` tells, in its order."""


def exact_sum(values: Iterable[float]) -> float:
    """Return the sum, rounded once; NaN where a term is unknown, or where no number can hold the sum."""
    try:
        found = math.fsum(values)
    except (OverflowError, ValueError):  # what fsum says of a sum beyond all numbers
        return math.nan
    return found if math.isfinite(found) else math.nan


def total(amounts: Mapping[str, Sequence[float]], statuses: Sequence[Status], *, skip: bool) -> dict[str, Any]:
    """Return the sums of a group's amounts, and how much of it is known.

    Parameters
    ----------
    amounts
        :data:`AMOUNTS`, each with one number per result.
    statuses
        One per result.
    skip
        Whether what is unknown is left out; else it makes its sum unknown.
    """
    told: dict[str, Any] = {}
    for name in AMOUNTS:
        values = amounts[name]
        told[name] = exact_sum(v for v in values if math.isfinite(v)) if skip else exact_sum(values)
    told["count"] = len(statuses)
    told["missing"] = sum(not status.has_numbers for status in statuses)
    told["missing_pnl"] = sum(not math.isfinite(value) for value in amounts["pnl"])
    told["unexplained_share"] = _unexplained_share(amounts, skip=skip)
    told["status"] = str(worst(statuses))
    return told


def _unexplained_share(amounts: Mapping[str, Sequence[float]], *, skip: bool) -> float:
    """The part of the gross flow that no cause explains: residuals, and the P&L of what could not be split. [0 to 1]

    Gross flow is the sum of the absolute effects and of what is unexplained; NaN where a P&L is unknown (and not
    skipped), 0 where nothing flowed.
    """
    explained: list[float] = []
    unexplained: list[float] = []
    for *effects, residual, pnl in zip(*(amounts[name] for name in (*EFFECTS, "residual", "pnl")), strict=True):
        if not math.isfinite(pnl):
            if not skip:
                return math.nan
        elif not all(map(math.isfinite, effects)):
            unexplained.append(abs(pnl))
        else:
            explained += map(abs, effects)
            unexplained.append(abs(residual))
    lost = exact_sum(unexplained)
    flow = exact_sum(explained) + lost
    return lost / flow if flow != 0.0 else 0.0
