"""One leg's P&L split by every method, for many legs: the kernel behind ``attribute_legs``."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from attribution.kernels._jit import BLOCK, inlined, kernel, stage
from attribution.kernels.block import (
    FLAGS,
    INVALID_INPUT,
    OK,
    PRICE0,
    PRICE1,
    RIGHT,
    SPOT,
    SPREAD,
    STATUS,
    TIME,
    VOL,
    Block,
    LegInputs,
    classify,
    imply_vols,
    load,
    new_block,
    padded,
)
from attribution.kernels.codes import LegFlag, LegStatus, Method
from attribution.kernels.corners import (
    FACTORS,
    Corners,
    fill_corners,
    mark_gaps,
    new_corners,
    put_observed,
)
from attribution.kernels.readings import (
    INTERACTIONS,
    fill_interactions,
    one_at_a_time,
    shapley,
    stand_between,
    waterfall,
)
from attribution.kernels.taylor import BASIS, DELTA, GREEK_TERMS, fill_greek_terms

__all__ = ["DETAIL_ROWS", "EFFECT_ROWS", "attribute_many"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Compiled code compares whole numbers: the members of the public enumerations by their bare values.
WATERFALL, SHAPLEY, PATH, ONE_AT_A_TIME, TAYLOR = (int(method) for method in Method)
NO_START_VOL = int(LegStatus.NO_START_VOL)
ILL_CONDITIONED = int(LegFlag.ILL_CONDITIONED)
ILL_CONDITIONED_FROM = 3.0

EFFECT_ROWS = 7
"""spot, vol, timedecay, spread, residual, vol0, vol1"""
BASIS_ROW = GREEK_TERMS
GAP_ROW = GREEK_TERMS + 1
INTERACTION_ROW = GREEK_TERMS + 2
DETAIL_ROWS = INTERACTION_ROW + len(INTERACTIONS)


@stage
def _split_linear(block: Block, lanes: int, effects: Floats, gap: Floats, detail: Floats) -> None:
    """Overwrite the lanes of legs worth S + b: spot, basis, and what the mark adds to them."""
    for j in range(lanes):
        if block.legs[RIGHT, j] != 0.0:
            continue
        spot_move = block.window[SPOT, 1, j] - block.window[SPOT, 0, j]
        basis_move = block.window[SPREAD, 1, j] - block.window[SPREAD, 0, j]
        gap[j] = ((block.legs[PRICE1, j] - block.legs[PRICE0, j]) - spot_move) - basis_move
        effects[VOL, j] = 0.0
        effects[TIME, j] = 0.0
        for row in range(DETAIL_ROWS):
            detail[row, j] = 0.0
        effects[SPOT, j] = spot_move
        effects[SPREAD, j] = basis_move
        detail[DELTA, j] = spot_move
        detail[BASIS, j] = basis_move
        detail[INTERACTION_ROW + SPOT, j] = spot_move
        detail[INTERACTION_ROW + SPREAD, j] = basis_move


@stage
def _withhold(block: Block, lanes: int, method: int, effects: Floats, gap: Floats, detail: Floats) -> None:
    """Make the numbers NaN that do not exist; unknown is never zero."""
    for j in range(lanes):
        no_greeks = (block.legs[RIGHT, j] != 0.0) & math.isnan(block.own_vol[0, j])
        if no_greeks:
            for row in range(GREEK_TERMS):
                detail[row, j] = np.nan
            if method == TAYLOR and block.codes[STATUS, j] == OK:
                block.codes[STATUS, j] = NO_START_VOL
                for factor in range(FACTORS):
                    effects[factor, j] = np.nan
        total = effects[SPOT, j] + effects[SPREAD, j] + effects[VOL, j] + effects[TIME, j] + gap[j]
        if block.codes[STATUS, j] == OK and not abs(total) < np.inf:
            # Inputs each fine, but together beyond what doubles can hold.
            block.codes[STATUS, j] = INVALID_INPUT
        if block.codes[STATUS, j] not in (OK, NO_START_VOL):
            block.codes[FLAGS, j] = 0
            gap[j] = np.nan
            for factor in range(FACTORS):
                effects[factor, j] = np.nan
            for row in range(DETAIL_ROWS):
                detail[row, j] = np.nan
            for end in range(2):
                block.own_vol[end, j] = np.nan


@inlined
def _is_ill_conditioned(price0: float, price1: float, largest_effect: float) -> bool:
    """Whether an effect is too large to be news beside the prices of the leg."""
    scale = max(abs(price0), abs(price1), abs(price1 - price0))
    return largest_effect > ILL_CONDITIONED_FROM * scale


@stage
def _store(block: Block, start: int, count: int, effects: Floats, gap: Floats, detail: Floats, results: Floats) -> None:
    """Write the seven result rows, with the mark gap in the spread, and set the last flag."""
    for j in range(count):
        i = start + j
        price0, price1 = block.legs[PRICE0, j], block.legs[PRICE1, j]
        spot, vol, time = effects[SPOT, j], effects[VOL, j], effects[TIME, j]
        spread = effects[SPREAD, j] + gap[j]
        results[0, i] = spot
        results[1, i] = vol
        results[2, i] = time
        results[3, i] = spread
        results[4, i] = (price1 - price0) - (spot + vol + time + spread)
        results[5, i] = block.own_vol[0, j]
        results[6, i] = block.own_vol[1, j]
        detail[BASIS_ROW, j] = effects[SPREAD, j]
        detail[GAP_ROW, j] = gap[j]
        largest = max(abs(spot), abs(vol), abs(time), abs(spread))
        ill = _is_ill_conditioned(price0, price1, largest)
        block.codes[FLAGS, j] |= ILL_CONDITIONED if ill else 0


@stage
def _read_whole(method: int, order: tuple[int, int, int, int], lanes: int, corners: Corners, effects: Floats) -> None:
    """Fill ``effects`` from the corners of the whole window; with zeros for the path, which adds its own."""
    if method == WATERFALL:
        waterfall(corners, lanes, order, effects)
    elif method == ONE_AT_A_TIME:
        one_at_a_time(corners, lanes, effects)
    elif method in (SHAPLEY, PATH):
        for factor in range(FACTORS):
            for j in range(lanes):
                effects[factor, j] = 0.0


@kernel
def attribute_many(
    inputs: LegInputs,
    method: int,
    order: tuple[int, int, int, int],
    steps: int,
    wants_detail: bool,
    results: Floats,
    detail: Floats,
    status: Integers,
    flags: Integers,
) -> None:
    """Split the P&L of every leg.

    Parameters
    ----------
    inputs
        Columns of one length n.
    method, order, steps
        A ``Method``; for the waterfall the factors in the order they move; for the path the number of
        sub-steps.
    results
        (EFFECT_ROWS, n), filled: spot, vol, timedecay, spread, residual, vol0, vol1.
    detail
        (DETAIL_ROWS, n), filled if ``wants_detail``, else not looked at.
    status, flags
        (n,), filled with ``LegStatus`` and ``LegFlag``.
    """
    block = new_block()
    part = np.empty((FACTORS, 2, BLOCK))
    corners = new_corners()
    effects = np.empty((FACTORS, BLOCK))
    gap = np.empty(BLOCK)
    scratch = np.empty((DETAIL_ROWS, BLOCK))
    for start in range(0, status.size, BLOCK):
        count = min(BLOCK, status.size - start)
        lanes = padded(count)
        load(inputs, start, count, block)
        classify(block, lanes)
        imply_vols(block, lanes)
        # Pass 0 is the window as a whole; the path goes on with passes 1 … steps over its sub-steps.
        for number in range(1 + steps if method == PATH else 1):
            whole = number == 0
            divisions = 1 if whole else steps
            stand_between(block.window, lanes, max(number - 1, 0), divisions, part)
            fill_corners(block, part, lanes, corners)
            put_observed(block, lanes, number <= 1, whole | (number == steps), corners)
            if whole:
                mark_gaps(block, lanes, corners, gap)
                if wants_detail:
                    fill_interactions(corners, lanes, scratch[INTERACTION_ROW:])
                if wants_detail or method == TAYLOR:
                    fill_greek_terms(block, lanes, gap, scratch, effects)
                _read_whole(method, order, lanes, corners, effects)
            if method == SHAPLEY or (method == PATH and not whole):
                shapley(corners, lanes, effects)
        _split_linear(block, lanes, effects, gap, scratch)
        _withhold(block, lanes, method, effects, gap, scratch)
        _store(block, start, count, effects, gap, scratch, results)
        for j in range(count):
            status[start + j] = block.codes[STATUS, j]
            flags[start + j] = block.codes[FLAGS, j]
        if wants_detail:
            for row in range(DETAIL_ROWS):
                for j in range(count):
                    detail[row, start + j] = scratch[row, j]
