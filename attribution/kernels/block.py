"""The work tables of one block of legs, and the first steps on them: load, check, imply the vols.

All loops run over ``lanes``, the legs of the block padded with NaN to a whole number of vector registers.
So every leg takes the same instructions wherever it stands in whatever batch, and a batch of one gives
the same bits as a batch of a million.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attribution.kernels._jit import BLOCK, inlined, stage
from attribution.kernels.black import FARTHEST, is_positive
from attribution.kernels.codes import Factor, LegFlag, LegStatus
from attribution.kernels.elementary import exponential, log_ratio, sum_error
from attribution.kernels.implied_vol import solve_total_std, time_value_of_price
from attribution.kernels.normal import INV_SQRT_2PI

__all__ = ["Block", "LegInputs", "classify", "imply_vols", "load", "new_block", "padded"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

VOL_POINT = 0.01
LANE_MULTIPLE = 32
"""Eight doubles to a register, four registers at a time: the widest step a compiler takes."""

# Compiled code compares whole numbers: the members of the public enumerations by their bare values.
SPOT, SPREAD, VOL, TIME = (int(factor) for factor in Factor)
OK = int(LegStatus.OK)
MISSING_INPUT = int(LegStatus.MISSING_INPUT)
INVALID_INPUT = int(LegStatus.INVALID_INPUT)
BELOW_INTRINSIC = int(LegFlag.BELOW_INTRINSIC)
ABOVE_BOUND = int(LegFlag.ABOVE_BOUND)
EXPIRED_IN_WINDOW = int(LegFlag.EXPIRED_IN_WINDOW)
VOL_BORROWED = int(LegFlag.VOL_BORROWED)
NO_VOL = int(LegFlag.NO_VOL)

# Rows of ``Block.legs``.
RIGHT, STRIKE, PRICE0, PRICE1, RATE, YIELD, TICK = range(7)
# Rows of ``Block.codes``.
STATUS, FLAGS, CHANGED = range(3)
# Rows of ``Block.work`` while the vols of one end are sought.
ROOM, DISTANCE, DIFFERENCE, ROOT, GAP, TOTAL_STD = range(6)


class LegInputs(NamedTuple):
    """What a caller knows of each leg: one float array per column, all of one length."""

    right: Floats
    strike: Floats
    spot0: Floats
    price0: Floats
    time0: Floats
    spot1: Floats
    price1: Floats
    time1: Floats
    basis0: Floats
    basis1: Floats
    rate: Floats
    dividend_yield: Floats
    price_tick: Floats


class Block(NamedTuple):
    """Scratch tables of one block of legs; the last axis counts the legs."""

    legs: Floats
    """(7, BLOCK): what stays the same over the window, and the two observed prices."""
    window: Floats
    """(4, 2, BLOCK): each factor at the start and at the end; the vols are those the model uses."""
    own_vol: Floats
    """(2, BLOCK): the vol implied at each end; NaN where none exists."""
    observed: Floats
    """(2, BLOCK): time value of the observed price; NaN where it determines no vol."""
    work: Floats
    """(6, BLOCK): scratch."""
    codes: Integers
    """(3, BLOCK): status, flags, and a number whose bit f is set where factor f moved."""


@stage
def new_block() -> Block:
    """Return the tables of a block, empty."""
    return Block(
        np.empty((7, BLOCK)),
        np.empty((4, 2, BLOCK)),
        np.empty((2, BLOCK)),
        np.empty((2, BLOCK)),
        np.empty((6, BLOCK)),
        np.empty((3, BLOCK), np.int64),
    )


@inlined
def padded(count: int) -> int:
    """Lanes to work on for ``count`` legs."""
    return (count + LANE_MULTIPLE - 1) // LANE_MULTIPLE * LANE_MULTIPLE


@stage
def _copy(column: Floats, start: int, count: int, row: Floats) -> None:
    for j in range(count):
        row[j] = column[start + j]
    for j in range(count, padded(count)):
        row[j] = np.nan


@stage
def load(inputs: LegInputs, start: int, count: int, block: Block) -> None:
    """Copy the block's legs from the columns; on the expiry end of an option the basis is 0."""
    legs, window = block.legs, block.window
    _copy(inputs.right, start, count, legs[RIGHT])
    _copy(inputs.strike, start, count, legs[STRIKE])
    _copy(inputs.price0, start, count, legs[PRICE0])
    _copy(inputs.price1, start, count, legs[PRICE1])
    _copy(inputs.rate, start, count, legs[RATE])
    _copy(inputs.dividend_yield, start, count, legs[YIELD])
    _copy(inputs.price_tick, start, count, legs[TICK])
    _copy(inputs.spot0, start, count, window[SPOT, 0])
    _copy(inputs.spot1, start, count, window[SPOT, 1])
    _copy(inputs.basis0, start, count, window[SPREAD, 0])
    _copy(inputs.basis1, start, count, window[SPREAD, 1])
    _copy(inputs.time0, start, count, window[TIME, 0])
    _copy(inputs.time1, start, count, window[TIME, 1])
    for end in range(2):
        for j in range(padded(count)):
            expired = (legs[RIGHT, j] != 0.0) & (window[TIME, end, j] == 0.0)
            window[SPREAD, end, j] = 0.0 if expired else window[SPREAD, end, j]


@inlined
def _is_finite(value: float) -> bool:
    return abs(value) < np.inf


@stage
def classify(block: Block, lanes: int) -> None:
    """Fill the status of each leg from its inputs alone; a missing number outranks a wrong one."""
    legs, window = block.legs, block.window
    for j in range(lanes):
        right = legs[RIGHT, j]
        missing = math.isnan(right)
        fine = (abs(right) == 1.0) | (right == 0.0)
        for end in range(2):
            spot, basis = window[SPOT, end, j], window[SPREAD, end, j]
            price, time = legs[PRICE0 + end, j], window[TIME, end, j]
            missing = missing | math.isnan(spot) | math.isnan(basis) | math.isnan(price)
            fine = fine & _is_finite(spot) & _is_finite(basis) & _is_finite(price)
            if right != 0.0:
                missing = missing | math.isnan(time)
                fine = fine & (time >= 0.0) & _is_finite(time)
                fine = fine & (price >= 0.0) & (spot + basis > 0.0)
        if right != 0.0:
            strike, rate, yields, tick = legs[STRIKE, j], legs[RATE, j], legs[YIELD, j], legs[TICK, j]
            missing = missing | math.isnan(strike) | math.isnan(rate) | math.isnan(yields) | math.isnan(tick)
            fine = fine & is_positive(strike) & _is_finite(rate) & _is_finite(yields)
            fine = fine & (tick >= 0.0) & _is_finite(tick)
        status = OK if fine else INVALID_INPUT
        block.codes[STATUS, j] = MISSING_INPUT if missing else status


@inlined
def _under_tick(value: float, distance: float, root: float, total_std: float, time: float, tick: float) -> bool:
    """Whether a price is too coarse to tell a vol: time value < ½ tick, or a vol point moves it < 1 tick."""
    u = min(distance / total_std, FARTHEST)
    weight = root * INV_SQRT_2PI * exponential(-0.5 * (u * u + 0.25 * total_std * total_std))
    return (value < 0.5 * tick) | (weight * math.sqrt(time) * VOL_POINT < tick)


@stage
def _measure(block: Block, lanes: int, end: int) -> None:
    """Fill ``work`` and ``observed`` with what the search for the vols of one end needs."""
    legs, window, work = block.legs, block.window, block.work
    for j in range(lanes):
        right, strike, price = legs[RIGHT, j], legs[STRIKE, j], legs[PRICE0 + end, j]
        spot, basis, time = window[SPOT, end, j], window[SPREAD, end, j], window[TIME, end, j]
        underlying = spot + basis
        shrink = exponential(-legs[YIELD, j] * time)
        asset = underlying * shrink
        cash = strike * exponential(-legs[RATE, j] * time)
        carry = (legs[RATE, j] - legs[YIELD, j]) * time
        value = time_value_of_price(price, asset, cash, right, sum_error(spot, basis) * shrink)
        has_vol = (block.codes[STATUS, j] == OK) & (right != 0.0) & (time > 0.0)
        block.observed[end, j] = value if has_vol else np.nan
        work[ROOM, j] = (asset if right > 0.0 else cash) - price
        work[DISTANCE, j] = abs(log_ratio(underlying, strike) + carry)
        work[DIFFERENCE, j] = abs(asset - cash)
        work[ROOT, j] = math.sqrt(asset * cash)


@stage
def _imply_end(block: Block, lanes: int, end: int) -> None:
    """Imply the vol of one end of each leg, and flag the prices that have none."""
    work, observed, flags = block.work, block.observed[end], block.codes[FLAGS]
    _measure(block, lanes, end)
    solve_total_std(
        observed[:lanes],
        work[ROOM],
        work[DISTANCE],
        work[DIFFERENCE],
        work[ROOT],
        work[GAP],
        work[TOTAL_STD],
    )
    for j in range(lanes):
        value, time, tick = observed[j], block.window[TIME, end, j], block.legs[TICK, j]
        vol = work[TOTAL_STD, j] / math.sqrt(time)
        if tick > 0.0 and _under_tick(value, work[DISTANCE, j], work[ROOT, j], work[TOTAL_STD, j], time, tick):
            vol = np.nan
        flags[j] |= BELOW_INTRINSIC if value <= 0.0 else 0
        flags[j] |= ABOVE_BOUND if (value > 0.0) & (work[ROOM, j] <= 0.0) else 0
        exists = is_positive(vol)
        block.own_vol[end, j] = vol if exists else np.nan
        observed[j] = value if exists else np.nan


@stage
def imply_vols(block: Block, lanes: int) -> None:
    """Imply both vols, let a missing one borrow the other's, and note which factors moved."""
    window, codes = block.window, block.codes
    codes[FLAGS] = 0
    for end in range(2):
        _imply_end(block, lanes, end)
    for j in range(lanes):
        vol0, vol1 = block.own_vol[0, j], block.own_vol[1, j]
        none0, none1 = math.isnan(vol0), math.isnan(vol1)
        option = (codes[STATUS, j] == OK) & (block.legs[RIGHT, j] != 0.0)
        expired = (window[TIME, 1, j] == 0.0) & (window[TIME, 0, j] > 0.0)
        borrowed = VOL_BORROWED if none0 != none1 else 0
        none = NO_VOL if none0 & none1 else 0
        codes[FLAGS, j] |= (borrowed | none | (EXPIRED_IN_WINDOW if expired else 0)) if option else 0
        vol0, vol1 = vol1 if none0 else vol0, vol0 if none1 else vol1
        window[VOL, 0, j] = 0.0 if none0 & none1 else vol0
        window[VOL, 1, j] = 0.0 if none0 & none1 else vol1
    for j in range(lanes):
        codes[CHANGED, j] = 0
    for factor in range(4):
        for j in range(lanes):
            codes[CHANGED, j] |= (1 << factor) if window[factor, 0, j] != window[factor, 1, j] else 0
