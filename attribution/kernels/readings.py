"""Four readings of one set of corners: how the joint move of the factors is shared out.

Each fills ``effects`` of shape (4, BLOCK), in the order of :class:`attribution.kernels.codes.Factor`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attribution.kernels._jit import stage
from attribution.kernels.corners import CORNERS, FACTORS, Corners, rise

__all__ = ["INTERACTIONS", "fill_interactions", "one_at_a_time", "shapley", "stand_between", "waterfall"]

Floats = NDArray[np.float64]

# s! (3 − s)! / 4!: the share of the 24 orders in which a factor moves after s given others.
SHAPLEY_WEIGHTS = (1.0 / 4.0, 1.0 / 12.0, 1.0 / 12.0, 1.0 / 4.0)

INTERACTIONS = (1, 2, 4, 8, 3, 5, 9, 6, 10, 12, 7, 11, 13, 14, 15)
"""Sets of factors, as corner numbers, in the order of the detail: mains, pairs, triples, all four."""


@stage
def waterfall(corners: Corners, lanes: int, order: tuple[int, int, int, int], effects: Floats) -> None:
    """Move one factor after the other, in ``order``, each from where the last one left."""
    corner = 0
    for factor in order:
        bit = 1 << factor
        for j in range(lanes):
            effects[factor, j] = rise(corners, corner, bit, j)
        corner |= bit


@stage
def one_at_a_time(corners: Corners, lanes: int, effects: Floats) -> None:
    """Move each factor alone, from the start; what they do together is left over."""
    for factor in range(FACTORS):
        for j in range(lanes):
            effects[factor, j] = rise(corners, 0, 1 << factor, j)


@stage
def shapley(corners: Corners, lanes: int, effects: Floats) -> None:
    """Add to ``effects`` the mean over all 24 orders of moving the factors."""
    for factor in range(FACTORS):
        bit = 1 << factor
        for corner in range(CORNERS):
            if corner & bit:
                continue
            others = (corner & 1) + ((corner >> 1) & 1) + ((corner >> 2) & 1) + ((corner >> 3) & 1)
            weight = SHAPLEY_WEIGHTS[others]
            for j in range(lanes):
                effects[factor, j] += weight * rise(corners, corner, bit, j)


@stage
def stand_between(window: Floats, lanes: int, step: int, steps: int, part: Floats) -> None:
    """Make ``part`` the sub-step ``step`` of ``steps`` of the straight line; exact at the two ends."""
    for factor in range(FACTORS):
        for j in range(lanes):
            first, last = window[factor, 0, j], window[factor, 1, j]
            part[factor, 0, j] = first + (last - first) * (step / steps)
            part[factor, 1, j] = last if step + 1 == steps else first + (last - first) * ((step + 1) / steps)


@stage
def fill_interactions(corners: Corners, lanes: int, table: Floats) -> None:
    """Fill the rows of ``table`` with the main effects and interactions of the four factors.

    The effect of a set of factors is what they do together beyond all that their subsets do
    (the Möbius transform of the corners); the fifteen add up to the change of model value.
    """
    for row in range(len(INTERACTIONS)):
        factors = INTERACTIONS[row]
        lowest = factors & -factors
        rest = factors ^ lowest
        for j in range(lanes):
            table[row, j] = 0.0
        for corner in range(CORNERS):
            # Alternating sum of the lowest factor's rises over every subset of the others.
            if corner & ~rest:
                continue
            missing = rest ^ corner
            odd = (missing ^ (missing >> 1) ^ (missing >> 2) ^ (missing >> 3)) & 1
            sign = -1.0 if odd else 1.0
            for j in range(lanes):
                table[row, j] += sign * rise(corners, corner, lowest, j)
