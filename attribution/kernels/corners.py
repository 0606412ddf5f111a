"""Option values at the corners of a window: each factor at its start or at its end.

Bit f of a corner's number says that factor f (:class:`attribution.kernels.codes.Factor`) stands at its
end value. A corner's value is kept in two parts, intrinsic and time value, and only parts of one kind are
ever subtracted: so the vol effect of a deep in-the-money option does not drown in its intrinsic value
(docs/kernels.md §7). Two ends are known already: where a price determined a vol, that price is the corner.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from attribution.kernels._jit import sequence, stage
from attribution.kernels.black import ordinary_value, time_value
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
    Integers,
    Moves,
    is_option,
    note_changes,
)
from attribution.kernels.elementary import exponential_less_one, log_ratio, sum_error
from attribution.kernels.lanes import Floats, copy, fill

__all__ = [
    "ALL_CORNERS",
    "CORNERS",
    "CORNER_ROWS",
    "ENDS",
    "LAST",
    "Corners",
    "corners_in",
    "fill_corners",
    "fill_growth",
    "fill_place",
    "mark_gaps",
    "put_ends",
    "without_ends",
]

CORNERS = 16
LAST = CORNERS - 1
PLACES = 1 + (LAST & ~(1 << VOL))
CORNER_ROWS = CORNERS + 3 * PLACES + 6
ALL_CORNERS = (1 << CORNERS) - 1
ENDS = 1 | (1 << LAST)


class Corners(NamedTuple):
    """What is known of the corners; the last axis counts the lanes. [currency]

    The first is indexed by corner, masked by ``Moves.any``; the next three by place, which is the corner
    masked by ``Moves.place``: of corners that are the same point only one is filled.
    """

    time_value: Floats
    intrinsic: Floats
    lesser: Floats
    """min(X, Y) of discounted forward X and strike Y."""
    distance: Floats
    """|ln(X/Y)|"""
    growth: Floats
    """(4, LANES): e^(−qT) − 1 and e^(−rT) − 1 at the start, the same at the end."""
    root_time: Floats
    """(2, LANES): √T at the start and at the end."""


@sequence
def corners_in(table: Floats) -> Corners:
    """Return empty tables, cut from one of CORNER_ROWS rows."""
    places = table[CORNERS:]
    rest = places[3 * PLACES :]
    return Corners(table[:CORNERS], places, places[PLACES:], places[2 * PLACES :], rest, rest[4:])


@stage
def _discount(rate: Floats, time: Floats, lanes: int, growth: Floats) -> None:
    for j in range(lanes):
        growth[j] = exponential_less_one(-rate[j] * time[j])


@stage
def fill_growth(legs: Floats, window: Floats, lanes: int, carried: bool, corners: Corners) -> None:
    """Fill the growth and √T of both ends. e^0 − 1 is exactly 0: not computing it changes no bit."""
    for end in range(window.shape[1]):
        time, root = window[TIME, end], corners.root_time[end]
        for j in range(lanes):
            root[j] = math.sqrt(time[j])
        if carried:
            _discount(legs[YIELD], time, lanes, corners.growth[2 * end])
            _discount(legs[RATE], time, lanes, corners.growth[2 * end + 1])
        else:
            fill(corners.growth[2 * end], 0.0)
            fill(corners.growth[2 * end + 1], 0.0)


@stage
def _measure(
    legs: Floats,
    spot: Floats,
    basis: Floats,
    time: Floats,
    asset_growth: Floats,
    cash_growth: Floats,
    lesser: Floats,
    distance: Floats,
    intrinsic: Floats,
    lanes: int,
) -> None:
    for j in range(lanes):
        underlying, strike = spot[j] + basis[j], legs[STRIKE, j]
        carry = (legs[RATE, j] - legs[YIELD, j]) * time[j]
        lesser[j] = min(underlying + underlying * asset_growth[j], strike + strike * cash_growth[j])
        distance[j] = abs(log_ratio(underlying, strike) + carry)
        # What rounding took from S + b is part of it, as it is of the observed time value: the two add up to the price.
        lost = sum_error(spot[j], basis[j])
        gain = underlying * asset_growth[j] - strike * cash_growth[j]
        payoff = legs[RIGHT, j] * ((underlying - strike) + gain)
        missing = legs[RIGHT, j] * (lost + lost * asset_growth[j])
        intrinsic[j] = 0.0 if payoff <= 0.0 else payoff + missing


@sequence
def fill_place(legs: Floats, window: Floats, lanes: int, place: int, corners: Corners) -> None:
    """Fill everything about a corner that the vol does not enter."""
    spot, basis, end = (place >> SPOT) & 1, (place >> SPREAD) & 1, (place >> TIME) & 1
    _measure(
        legs,
        window[SPOT, spot],
        window[SPREAD, basis],
        window[TIME, end],
        corners.growth[2 * end],
        corners.growth[2 * end + 1],
        corners.lesser[place],
        corners.distance[place],
        corners.intrinsic[place],
        lanes,
    )


@stage
def _value(vol: Floats, root_time: Floats, lesser: Floats, distance: Floats, value: Floats, lanes: int) -> int:
    """Fill ``value``, NaN on the lanes that are not ordinary, and return their number."""
    left = 0
    for j in range(lanes):
        found, holds = ordinary_value(lesser[j], distance[j], vol[j] * root_time[j])
        value[j] = found if holds else np.nan
        left += 0 if holds else 1
    return left


@sequence
def _fill_corner(block: Block, vols: Floats, lanes: int, corner: int, place: int, corners: Corners) -> None:
    vol, root_time = vols[(corner >> VOL) & 1], corners.root_time[(corner >> TIME) & 1]
    lesser, distance, value = corners.lesser[place], corners.distance[place], corners.time_value[corner]
    if _value(vol, root_time, lesser, distance, value, lanes) > 0:
        for j in range(lanes):
            if math.isnan(value[j]) and is_option(block, j):
                value[j] = time_value(lesser[j], lesser[j], distance[j], vol[j] * root_time[j])


@stage
def _pick_observed(
    changed: Integers, observed: Floats, lanes: int, at_start: bool, at_end: bool, corner: int, value: Floats
) -> None:
    # Where the window's end is not the block's no lane takes its observed value. Told as numbers that no value
    # exceeds; told as conditions, the compiler would make four loops of this one.
    bar0, bar1 = 0.0 if at_start else np.inf, 0.0 if at_end else np.inf
    for j in range(lanes):
        moved = corner & changed[j]
        first, last = observed[0, j], observed[1, j]
        model = first if (moved == 0) & (first > bar0) else value[j]
        value[j] = last if (moved == changed[j]) & (last > bar1) else model


@stage
def fill_corners(
    block: Block,
    window: Floats,
    lanes: int,
    wanted: int,
    placed: int,
    moves: Moves,
    at_start: bool,
    at_end: bool,
    corners: Corners,
) -> None:
    """Value the corners of ``window`` whose bits are set in ``wanted``.

    Where a price determined a vol, that price *is* the corner at its end: its time value is taken as
    observed. Corners that differ from it only in factors that did not move are the same point, and get the
    same value, or an unmoved factor would be given a rounding error as its effect.

    Parameters
    ----------
    window
        The block's window, or a part of it.
    placed
        The places that are filled already, as ``wanted``.
    at_start, at_end
        Whether the window starts, and ends, where the block's does.
    """
    filled, noted = 0, False
    for number in range(CORNERS):
        corner, place = number & moves.any, number & moves.place
        if (wanted >> number) & 1 == 0 or (filled >> corner) & 1 == 1:
            continue
        filled |= 1 << corner
        if (placed >> place) & 1 == 0:
            placed |= 1 << place
            fill_place(block.legs, window, lanes, place, corners)
        _fill_corner(block, window[VOL], lanes, corner, place, corners)
        # With a factor moved on every lane, and another that did not move yet on any, no lane is at an end.
        if (at_start and corner & moves.all == 0) or (at_end and ~corner & moves.all == 0):
            if not noted:
                note_changes(block, lanes)
                noted = True
            value = corners.time_value[corner]
            _pick_observed(block.codes[CHANGED], block.observed, lanes, at_start, at_end, corner, value)


@stage
def without_ends(wanted: int, moves: Moves) -> int:
    """Leave out of a set of corners the start, the end, and those that are the same points."""
    for corner in range(CORNERS):
        if corner & moves.any in (0, moves.any):
            wanted &= ~(1 << corner)
    return wanted


@sequence
def put_ends(block: Block, lanes: int, moves: Moves, corners: Corners) -> None:
    """Take both ends of the window as observed, every lane having a price that determined a vol."""
    copy(block.observed[0], corners.time_value[0, :lanes])
    copy(block.observed[1], corners.time_value[LAST & moves.any, :lanes])


@stage
def mark_gaps(block: Block, lanes: int, moves: Moves, corners: Corners, gap: Floats) -> None:
    """Change over the window of observed price − model price; exactly 0 at an end that has a vol."""
    corner, place = LAST & moves.any, LAST & moves.place
    for j in range(lanes):
        model0 = corners.intrinsic[0, j] + corners.time_value[0, j]
        model1 = corners.intrinsic[place, j] + corners.time_value[corner, j]
        gap0 = 0.0 if block.observed[0, j] > 0.0 else block.legs[PRICE0, j] - model0
        gap1 = 0.0 if block.observed[1, j] > 0.0 else block.legs[PRICE1, j] - model1
        gap[j] = gap1 - gap0
