"""The tables of one block of legs, and the first steps on them: load, check, and note what moved.

Scratch rows hold one number per lane (:mod:`attribution.kernels.lanes`). Loops treat every lane as an
option with ordinary inputs; linear legs and wrong inputs are counted, and put right by scalar loops.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attribution.kernels._jit import inlined, sequence, stage
from attribution.kernels.black import is_positive
from attribution.kernels.codes import Factor, LegFlag, LegStatus
from attribution.kernels.lanes import Floats, any_differs, padded

__all__ = [
    "BLOCK_ROWS",
    "FACTORS",
    "Block",
    "LegInputs",
    "Moves",
    "block_in",
    "classify",
    "count_moved",
    "has_carry",
    "is_option",
    "load",
    "note_changes",
]

Integers = NDArray[np.int64]

FACTORS = 4

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
UNCHECKED = -1

# Rows of ``Block.legs``.
RIGHT, STRIKE, PRICE0, PRICE1, RATE, YIELD, TICK = range(7)
OWN_VOL_ROW = 7
OBSERVED_ROW = OWN_VOL_ROW + 2
WINDOW_ROW = OBSERVED_ROW + 2
BLOCK_ROWS = WINDOW_ROW + 2 * FACTORS
# Rows of ``Block.codes``.
STATUS, FLAGS, CHANGED = range(3)


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
    """Scratch tables of one block of legs; the last axis counts the lanes."""

    legs: Floats
    """(7, LANES): what stays the same over the window, and the two observed prices."""
    window: Floats
    """(4, 2, LANES): each factor at the start and at the end; the vols are those the model uses."""
    own_vol: Floats
    """(2, LANES): the vol implied at each end; NaN where none exists."""
    observed: Floats
    """(2, LANES): time value of the observed price; NaN where it determines no vol."""
    codes: Integers
    """(3, LANES): status, flags, and a number whose bit f is set where factor f moved."""


class Moves(NamedTuple):
    """Sets of factors, as numbers whose bit f stands for factor f."""

    any: int
    """Moved on some lane of the block. A corner that differs from another only in factors outside this
    set is the same point on every lane, so it is valued once."""
    all: int
    """Moved on every lane of the block."""
    place: int
    """Of ``any``, those that move the discounted forward or strike: not vol, and time only under carry."""


@sequence
def block_in(table: Floats) -> Block:
    """Return the tables of a block, empty; those of numbers cut from one of BLOCK_ROWS rows."""
    width = table.shape[1]
    window = table[WINDOW_ROW:BLOCK_ROWS].reshape(FACTORS, 2, width)
    return Block(table, window, table[OWN_VOL_ROW:], table[OBSERVED_ROW:], np.empty((3, width), np.int64))


@stage
def _copy(column: Floats, start: int, count: int, row: Floats) -> None:
    part = column[start : start + count]
    for j in range(part.size):
        row[j] = part[j]
    last = part[count - 1]
    for j in range(count, padded(count)):
        row[j] = last


@stage
def _drop_expired_basis(right: Floats, time: Floats, basis: Floats, lanes: int) -> None:
    for j in range(lanes):
        expired = (right[j] != 0.0) & (time[j] == 0.0)
        basis[j] = 0.0 if expired else basis[j]


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
        _drop_expired_basis(legs[RIGHT], window[TIME, end], window[SPREAD, end], padded(count))


@inlined
def _is_finite(value: float) -> bool:
    return abs(value) < np.inf


@stage
def _status_of(legs: Floats, window: Floats, j: int) -> int:
    """Status of a leg from its inputs alone; a missing number outranks a wrong one."""
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
    if missing:
        return MISSING_INPUT
    return OK if fine else INVALID_INPUT


@stage
def _pass_ordinary(legs: Floats, window: Floats, lanes: int, status: Integers) -> int:
    """Mark options whose inputs are all in order as OK, and count the lanes left unchecked."""
    left = 0
    for j in range(lanes):
        spot0, spot1 = window[SPOT, 0, j], window[SPOT, 1, j]
        basis0, basis1 = window[SPREAD, 0, j], window[SPREAD, 1, j]
        time0, time1 = window[TIME, 0, j], window[TIME, 1, j]
        price0, price1 = legs[PRICE0, j], legs[PRICE1, j]
        strike, tick = legs[STRIKE, j], legs[TICK, j]
        # A sum is finite only if every term is.
        total = (spot0 + spot1) + (basis0 + basis1) + (time0 + time1) + (price0 + price1)
        total = total + (strike + tick) + (legs[RATE, j] + legs[YIELD, j])
        lowest = min(min(min(time0, time1), min(price0, price1)), tick)
        smallest = min(min(spot0 + basis0, spot1 + basis1), strike)
        fine = _is_finite(total) & (lowest >= 0.0) & (smallest > 0.0) & (abs(legs[RIGHT, j]) == 1.0)
        status[j] = OK if fine else UNCHECKED
        left += 0 if fine else 1
    return left


@sequence
def classify(block: Block, lanes: int) -> int:
    """Fill the status of each leg and clear its flags; return how many are not options in order."""
    codes = block.codes
    special = _pass_ordinary(block.legs, block.window, lanes, codes[STATUS])
    for j in range(lanes):
        codes[FLAGS, j] = 0
    if special > 0:
        for j in range(lanes):
            if codes[STATUS, j] == UNCHECKED:
                codes[STATUS, j] = _status_of(block.legs, block.window, j)
    return special


@inlined
def is_option(block: Block, j: int) -> bool:
    """Whether a lane is an option with inputs in order."""
    option: bool = (block.codes[STATUS, j] == OK) & (block.legs[RIGHT, j] != 0.0)
    return option


@stage
def count_moved(block: Block, lanes: int, factor: int) -> int:
    """Lanes on which a factor differs between the two ends (where it is NaN, too)."""
    first, last = block.window[factor, 0], block.window[factor, 1]
    moved = 0
    for j in range(lanes):
        moved += 1 if first[j] != last[j] else 0
    return moved


@stage
def note_changes(block: Block, lanes: int) -> None:
    """Fill the row CHANGED of the codes."""
    codes, window = block.codes, block.window
    for j in range(lanes):
        codes[CHANGED, j] = 0
    for factor in range(len(window)):
        for j in range(lanes):
            codes[CHANGED, j] |= (1 << factor) if window[factor, 0, j] != window[factor, 1, j] else 0


@stage
def has_carry(block: Block, lanes: int) -> bool:
    """Whether any lane has a rate or a dividend yield."""
    return any_differs(block.legs[RATE, :lanes], 0.0) or any_differs(block.legs[YIELD, :lanes], 0.0)
