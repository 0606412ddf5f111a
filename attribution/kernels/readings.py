"""Four readings of one set of corners: how the joint move of the factors is shared out.

Each fills ``effects`` of shape (4, LEG_LANES), in the order of :class:`attribution.kernels.codes.Factor`, from
the corners named in the constant beside it (docs/kernels.md §7).
"""

from __future__ import annotations

from attribution.kernels._jit import stage
from attribution.kernels.block import FACTORS, SPOT, SPREAD, TIME, VOL, Moves
from attribution.kernels.corners import CORNERS, Corners, rise
from attribution.kernels.lanes import Floats, fill

__all__ = [
    "INTERACTIONS",
    "ONE_MOVED",
    "fill_interactions",
    "one_at_a_time",
    "shapley",
    "stand_between",
    "wanted_by_waterfall",
    "waterfall",
]

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
def _rise(corners: Corners, moves: Moves, corner: int, bit: int, effect: Floats) -> None:
    """Fill ``effect`` with the change of value when the factor of ``bit`` moves from ``corner``."""
    low, high = corners.time_value[corner & moves.any], corners.time_value[(corner | bit) & moves.any]
    low_place, high_place = corners.intrinsic[corner & moves.place], corners.intrinsic[(corner | bit) & moves.place]
    for j in range(effect.size):
        effect[j] = rise(low, high, low_place, high_place, j)


@stage
def _add_rise(corners: Corners, moves: Moves, corner: int, bit: int, weight: float, effect: Floats) -> None:
    """Add to ``effect`` the weighted change of value when the factor of ``bit`` moves from ``corner``."""
    low, high = corners.time_value[corner & moves.any], corners.time_value[(corner | bit) & moves.any]
    low_place, high_place = corners.intrinsic[corner & moves.place], corners.intrinsic[(corner | bit) & moves.place]
    for j in range(effect.size):
        effect[j] += weight * rise(low, high, low_place, high_place, j)


@stage
def waterfall(corners: Corners, moves: Moves, lanes: int, order: tuple[int, int, int, int], effects: Floats) -> None:
    """Move one factor after the other, in ``order``, each from where the last one left."""
    corner = 0
    for factor in order:
        _rise(corners, moves, corner, 1 << factor, effects[factor, :lanes])
        corner |= 1 << factor


@stage
def one_at_a_time(corners: Corners, moves: Moves, lanes: int, effects: Floats) -> None:
    """Move each factor alone, from the start; what they do together is left over."""
    for factor in range(FACTORS):
        _rise(corners, moves, 0, 1 << factor, effects[factor, :lanes])


@stage
def _share_of_three(corners: Corners, moves: Moves, bit: int, first: int, second: int, effect: Floats) -> None:
    """Fill ``effect`` with the mean over the 6 orders of three factors, the basis standing at its start."""
    value, place = corners.time_value, corners.intrinsic
    any_, at = moves.any, moves.place
    a, a_up = value[0], value[bit & any_]
    b, b_up = value[first & any_], value[(first | bit) & any_]
    c, c_up = value[second & any_], value[(second | bit) & any_]
    d, d_up = value[(first | second) & any_], value[(first | second | bit) & any_]
    for j in range(effect.size):
        outer = (a_up[j] - a[j]) + (d_up[j] - d[j])
        inner = (b_up[j] - b[j]) + (c_up[j] - c[j])
        effect[j] = (2.0 * outer + inner) * (1.0 / 6.0)
    if bit & at:
        a, a_up = place[0], place[bit & at]
        b, b_up = place[first & at], place[(first | bit) & at]
        c, c_up = place[second & at], place[(second | bit) & at]
        d, d_up = place[(first | second) & at], place[(first | second | bit) & at]
        for j in range(effect.size):
            outer = (a_up[j] - a[j]) + (d_up[j] - d[j])
            inner = (b_up[j] - b[j]) + (c_up[j] - c[j])
            effect[j] += (2.0 * outer + inner) * (1.0 / 6.0)


@stage
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
    _share_of_three(corners, moves, s, v, t, effects[SPOT, :lanes])
    _share_of_three(corners, moves, v, s, t, effects[VOL, :lanes])
    _share_of_three(corners, moves, t, s, v, effects[TIME, :lanes])
    fill(effects[SPREAD, :lanes], 0.0)
    if moves.any & (1 << SPREAD):
        for factor in range(FACTORS):
            _share_of_four(corners, moves, factor, effect[:lanes])
            whole = effects[factor]
            for j in range(lanes):
                whole[j] = effect[j] if basis0[j] != basis1[j] else whole[j]


@stage
def stand_between(window: Floats, lanes: int, step: int, steps: int, part: Floats) -> None:
    """Make ``part`` the sub-step ``step`` of ``steps`` of the straight line; exact at the two ends."""
    for factor in range(FACTORS):
        for j in range(lanes):
            first, last = window[factor, 0, j], window[factor, 1, j]
            part[factor, 0, j] = first + (last - first) * (step / steps)
            part[factor, 1, j] = last if step + 1 == steps else first + (last - first) * ((step + 1) / steps)


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
