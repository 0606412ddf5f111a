"""Four readings of one set of corners: how the joint move of the factors is shared out.

Each fills ``effects`` of shape (4, LANES), in the order of :class:`attribution.kernels.codes.Factor`, from
the corners named in the constant beside it (docs/kernels.md §7).
"""

from __future__ import annotations

from attribution.kernels._jit import sequence, stage
from attribution.kernels.block import FACTORS, SPOT, SPREAD, TIME, VOL, Moves
from attribution.kernels.corners import CORNERS, Corners
from attribution.kernels.lanes import Floats, fill

__all__ = [
    "INTERACTIONS",
    "ONE_MOVED",
    "fill_interactions",
    "one_by_one",
    "shapley",
    "stand_between",
    "wanted_by_waterfall",
]

START = 0
WHOLE = 1.0
ONE_MOVED = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 4) | (1 << 8)
"""Corners of one at a time: the start, and each factor alone at its end."""

# s! (3 − s)! / 4!: the share of the 24 orders in which a factor moves after s given others.
SHARES_OF_FOUR = (1.0 / 4.0, 1.0 / 12.0, 1.0 / 12.0, 1.0 / 4.0)

INTERACTIONS = (1, 2, 4, 8, 3, 5, 9, 6, 10, 12, 7, 11, 13, 14, 15)
"""Sets of factors, as corner numbers, in the order of the detail: mains, pairs, triples, all four."""


@stage
def wanted_by_waterfall(order: tuple[int, int, int, int]) -> int:
    """Corners on the way from start to end, both included."""
    corner, wanted = 0, 1
    for factor in order:
        corner |= 1 << factor
        wanted |= 1 << corner
    return wanted


@stage
def _add_rise(corners: Corners, moves: Moves, corner: int, bit: int, weight: float, effect: Floats) -> None:
    """Add to ``effect`` the weighted change of value when the factor of ``bit`` moves from ``corner``."""
    value, place = corners.time_value, corners.intrinsic
    low, high = corner & moves.any, (corner | bit) & moves.any
    low_place, high_place = corner & moves.place, (corner | bit) & moves.place
    for j in range(effect.size):
        effect[j] += weight * ((place[high_place, j] - place[low_place, j]) + (value[high, j] - value[low, j]))


@sequence
def one_by_one(
    corners: Corners, moves: Moves, lanes: int, order: tuple[int, int, int, int], stay: bool, effects: Floats
) -> None:
    """Move the factors in ``order``: each from where the last one left, or if they do not stay, from the start.

    In the latter case, what they do together is left over.
    """
    corner = int(START)  # were it a plain 0, numba would compile _add_rise for that 0 too
    for factor in order:
        effect = effects[factor, :lanes]
        fill(effect, 0.0)
        _add_rise(corners, moves, corner, 1 << factor, float(WHOLE), effect)
        corner |= (1 << factor) if stay else 0


@stage
def _add_share_of_three(table: Floats, moved: int, bit: int, first: int, second: int, effect: Floats) -> None:
    """Add the mean over the 6 orders of three factors, the basis standing at its start, of one part of the value.

    Parameters
    ----------
    table
        That part at the corners, each masked by ``moved``.
    """
    up = bit & moved
    b, b_up = first & moved, (first | bit) & moved
    c, c_up = second & moved, (second | bit) & moved
    d, d_up = (first | second) & moved, (first | second | bit) & moved
    for j in range(effect.size):
        outer = (table[up, j] - table[0, j]) + (table[d_up, j] - table[d, j])
        inner = (table[b_up, j] - table[b, j]) + (table[c_up, j] - table[c, j])
        effect[j] += (2.0 * outer + inner) * (1.0 / 6.0)


@sequence
def _share_of_four(corners: Corners, moves: Moves, factor: int, effect: Floats) -> None:
    """Fill ``effect`` with the mean over all 24 orders of the four factors."""
    bit = 1 << factor
    fill(effect, 0.0)
    for corner in range(CORNERS):
        if corner & bit == 0:
            others = (corner & 1) + ((corner >> 1) & 1) + ((corner >> 2) & 1) + ((corner >> 3) & 1)
            _add_rise(corners, moves, corner, bit, SHARES_OF_FOUR[others], effect)


@stage
def shapley(
    corners: Corners, moves: Moves, basis0: Floats, basis1: Floats, lanes: int, effect: Floats, effects: Floats
) -> None:
    """Mean over all orders of moving the factors.

    Where the basis did not move, three factors are shared out over eight corners. That is decided lane by
    lane, so that a leg's bits do not hang on its neighbours'.

    Parameters
    ----------
    basis0, basis1
        The basis at the two ends.
    effect
        Scratch.
    """
    s, v, t = 1 << SPOT, 1 << VOL, 1 << TIME
    three = s | v | t
    for factor in range(FACTORS):
        bit, whole = 1 << factor, effects[factor, :lanes]
        fill(whole, 0.0)
        if bit & three:
            others = three ^ bit
            first = others & -others
            _add_share_of_three(corners.time_value, moves.any, bit, first, others ^ first, whole)
            if bit & moves.place:
                _add_share_of_three(corners.intrinsic, moves.place, bit, first, others ^ first, whole)
    if moves.any & (1 << SPREAD):
        for factor in range(FACTORS):
            _share_of_four(corners, moves, factor, effect[:lanes])
            whole = effects[factor]
            for j in range(lanes):
                whole[j] = effect[j] if basis0[j] != basis1[j] else whole[j]


@stage
def stand_between(window: Floats, lanes: int, step: int, steps: int, part: Floats) -> None:
    """Make ``part`` the sub-step ``step`` of ``steps`` of the straight line; exact at the two ends."""
    since, until = step / steps, (step + 1) / steps
    for factor in range(len(part)):
        for j in range(lanes):
            first, last = window[factor, 0, j], window[factor, 1, j]
            part[factor, 0, j] = first + (last - first) * since
            part[factor, 1, j] = last if step + 1 == steps else first + (last - first) * until


@stage
def fill_interactions(corners: Corners, moves: Moves, lanes: int, table: Floats) -> None:
    """Fill the rows of ``table`` with the main effects and interactions of the four factors.

    The effect of a set of factors is what they do together beyond all that their subsets do
    (the Möbius transform of the corners); the fifteen add up to the change of model value.
    """
    for row in range(len(INTERACTIONS)):
        factors = INTERACTIONS[row]
        lowest = factors & -factors
        rest = factors ^ lowest
        effect = table[row, :lanes]
        fill(effect, 0.0)
        for corner in range(CORNERS):
            # Alternating sum of the lowest factor's rises over every subset of the others.
            if corner & ~rest:
                continue
            missing = rest ^ corner
            odd = (missing ^ (missing >> 1) ^ (missing >> 2) ^ (missing >> 3)) & 1
            _add_rise(corners, moves, corner, lowest, -1.0 if odd else 1.0, effect)
