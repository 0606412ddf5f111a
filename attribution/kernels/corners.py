"""Option values at the sixteen corners of a window: each factor at its start or at its end.

Bit f of a corner's number says that factor f (:class:`attribution.kernels.codes.Factor`) stands at its
end value. A corner's value is kept in two parts, intrinsic and time value, and only parts of one kind are
ever subtracted: so the vol effect of a deep in-the-money option does not drown in its intrinsic value.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attribution.kernels._jit import BLOCK, inlined, stage
from attribution.kernels.black import time_value
from attribution.kernels.block import (
    CHANGED,
    PRICE0,
    PRICE1,
    RATE,
    RIGHT,
    SPOT,
    SPREAD,
    STRIKE,
    TIME,
    VOL,
    YIELD,
    Block,
)
from attribution.kernels.elementary import exponential, log_ratio

__all__ = ["CORNERS", "FACTORS", "Corners", "fill_corners", "mark_gaps", "new_corners", "put_observed", "rise"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FACTORS = 4
CORNERS = 16

# Rows of the scratch table ``Block.work`` while corners are valued.
ASSET, CASH, DISTANCE, ROOT_TIME = range(4)


class Corners(NamedTuple):
    """Two parts of each corner's value; tables of shape (CORNERS, BLOCK). [currency]"""

    intrinsic: Floats
    time_value: Floats


@stage
def new_corners() -> Corners:
    """Return empty tables."""
    return Corners(np.empty((CORNERS, BLOCK)), np.empty((CORNERS, BLOCK)))


@stage
def _fill_geometry(legs: Floats, spot: Floats, basis: Floats, time: Floats, lanes: int, work: Floats) -> None:
    """Everything about a corner that the vol does not enter."""
    for j in range(lanes):
        underlying = spot[j] + basis[j]
        carry = (legs[RATE, j] - legs[YIELD, j]) * time[j]
        work[ASSET, j] = underlying * exponential(-legs[YIELD, j] * time[j])
        work[CASH, j] = legs[STRIKE, j] * exponential(-legs[RATE, j] * time[j])
        work[DISTANCE, j] = abs(log_ratio(underlying, legs[STRIKE, j]) + carry)
        work[ROOT_TIME, j] = math.sqrt(time[j])


@stage
def _fill_corner(right: Floats, work: Floats, vol: Floats, lanes: int, intrinsic: Floats, value: Floats) -> None:
    for j in range(lanes):
        asset, cash = work[ASSET, j], work[CASH, j]
        intrinsic[j] = max(right[j] * (asset - cash), 0.0)
        value[j] = time_value(asset, cash, work[DISTANCE, j], vol[j] * work[ROOT_TIME, j])


@stage
def fill_corners(block: Block, window: Floats, lanes: int, corners: Corners) -> None:
    """Value every corner of ``window`` by the model. Equal inputs give equal values to the last bit."""
    for state in range(8):
        spot, basis, time = state & 1, (state >> 1) & 1, (state >> 2) & 1
        _fill_geometry(block.legs, window[SPOT, spot], window[SPREAD, basis], window[TIME, time], lanes, block.work)
        for vol in range(2):
            corner = (spot << SPOT) | (basis << SPREAD) | (vol << VOL) | (time << TIME)
            _fill_corner(
                block.legs[RIGHT],
                block.work,
                window[VOL, vol],
                lanes,
                corners.intrinsic[corner],
                corners.time_value[corner],
            )


@stage
def _put_observed(
    changed: Integers, observed: Floats, lanes: int, at_start: bool, at_end: bool, corner: int, value: Floats
) -> None:
    for j in range(lanes):
        moved = corner & changed[j]
        first, last = observed[0, j], observed[1, j]
        model = value[j]
        model = first if at_start & (moved == 0) & (first > 0.0) else model
        value[j] = last if at_end & (moved == changed[j]) & (last > 0.0) else model


@stage
def put_observed(block: Block, lanes: int, at_start: bool, at_end: bool, corners: Corners) -> None:
    """Where a price determined a vol, that price *is* the corner: take its time value as observed.

    Corners that differ from it only in factors that did not move are the same point, and get the same
    value, or an unmoved factor would be given a rounding error as its effect.
    """
    for corner in range(CORNERS):
        row = corners.time_value[corner]
        _put_observed(block.codes[CHANGED], block.observed, lanes, at_start, at_end, corner, row)


@stage
def mark_gaps(block: Block, lanes: int, corners: Corners, gap: Floats) -> None:
    """Change over the window of observed price − model price; exactly 0 at an end that has a vol."""
    last = CORNERS - 1
    for j in range(lanes):
        model0 = corners.intrinsic[0, j] + corners.time_value[0, j]
        model1 = corners.intrinsic[last, j] + corners.time_value[last, j]
        gap0 = 0.0 if block.observed[0, j] > 0.0 else block.legs[PRICE0, j] - model0
        gap1 = 0.0 if block.observed[1, j] > 0.0 else block.legs[PRICE1, j] - model1
        gap[j] = gap1 - gap0


@inlined
def rise(corners: Corners, corner: int, bit: int, j: int) -> float:
    """Change of value when the factor of ``bit`` moves, the others standing as in ``corner``. [currency]"""
    intrinsic: float = corners.intrinsic[corner | bit, j] - corners.intrinsic[corner, j]
    beyond: float = corners.time_value[corner | bit, j] - corners.time_value[corner, j]
    return intrinsic + beyond
