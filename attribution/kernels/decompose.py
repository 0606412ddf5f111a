"""One leg's P&L split by every method, for many legs: the kernel behind ``attribute_legs``."""

from __future__ import annotations

import math

import numpy as np

from attribution.kernels._jit import kernel, sequence, stage
from attribution.kernels.block import (
    BLOCK_ROWS,
    FACTORS,
    FLAGS,
    INVALID_INPUT,
    OK,
    OWN_VOL_ROW,
    PRICE0,
    PRICE1,
    RIGHT,
    SPOT,
    SPREAD,
    STATUS,
    TIME,
    VOL,
    Block,
    Integers,
    LegInputs,
    Moves,
    block_in,
    classify,
    count_moved,
    has_carry,
    load,
)
from attribution.kernels.codes import LegFlag, LegStatus, Method
from attribution.kernels.corners import (
    ALL_CORNERS,
    CORNER_ROWS,
    ENDS,
    LAST,
    Corners,
    corners_in,
    fill_corners,
    fill_growth,
    fill_place,
    mark_gaps,
    put_ends,
    without_ends,
)
from attribution.kernels.implied_vol import SOLVE_ROWS
from attribution.kernels.lanes import LANES, Floats, copy, fill, padded, scratch_rows
from attribution.kernels.readings import (
    INTERACTIONS,
    ONE_MOVED,
    fill_interactions,
    one_by_one,
    shapley,
    stand_between,
    wanted_by_waterfall,
)
from attribution.kernels.taylor import BASIS, DELTA, GREEK_TERMS, TAYLOR_ROWS, fill_greek_terms
from attribution.kernels.vols import imply_vols

__all__ = ["DETAIL_ROWS", "EFFECT_ROWS", "attribute_many"]

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
WORK_ROWS = max(1 + SOLVE_ROWS, TAYLOR_ROWS)
# Where a stage is called with a constant, numba compiles it for that constant: int() and bool() hide that it is one.
WHOLE = True
NONE = 0

EFFECTS_FROM = BLOCK_ROWS + CORNER_ROWS
WORK_FROM = EFFECTS_FROM + FACTORS
PARTS_FROM = WORK_FROM + WORK_ROWS
SCRATCH_ROWS = PARTS_FROM + DETAIL_ROWS + 1
RESULT_ROWS = (
    *(EFFECTS_FROM + SPOT, EFFECTS_FROM + VOL, EFFECTS_FROM + TIME, WORK_FROM, WORK_FROM + 1),
    *(OWN_VOL_ROW, OWN_VOL_ROW + 1),
)
"""Rows of the scratch table, in the order of the results."""


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


@stage
def _close(block: Block, effects: Floats, gap: Floats, spread: Floats, residual: Floats, flags: Integers) -> int:
    """Fill the spread, with the mark gap in it, and the residual; return how many totals are not finite."""
    price0, price1 = block.legs[PRICE0], block.legs[PRICE1]
    spot, vol, time, basis = effects[SPOT], effects[VOL], effects[TIME], effects[SPREAD]
    unsound = 0
    for j in range(residual.size):
        pnl = price1[j] - price0[j]
        spread[j] = basis[j] + gap[j]
        residual[j] = pnl - (spot[j] + vol[j] + time[j] + spread[j])
        unsound += 0 if abs(residual[j]) < np.inf else 1
        # An effect too large to be news beside the prices of the leg.
        scale = max(max(abs(price0[j]), abs(price1[j])), abs(pnl))
        largest = max(max(abs(spot[j]), abs(vol[j])), max(abs(time[j]), abs(spread[j])))
        flags[j] |= ILL_CONDITIONED if largest > ILL_CONDITIONED_FROM * scale else 0
    return unsound


@sequence
def _store_codes(codes: Integers, start: int, count: int, status: Integers, flags: Integers) -> None:
    status_part, flags_part = status[start : start + count], flags[start : start + count]
    for j in range(status_part.size):
        status_part[j] = codes[STATUS, j]
    for j in range(flags_part.size):
        flags_part[j] = codes[FLAGS, j]


@stage
def _moves(block: Block, lanes: int, carried: bool) -> Moves:
    """What moved on some lane and on all; before the vols are known, only ``place`` is to be trusted."""
    some, every = 0, 0
    for factor in range(len(block.window)):
        moved = count_moved(block, lanes, factor)
        some |= (1 << factor) if moved > 0 else 0
        every |= (1 << factor) if moved == lanes else 0
    place = some & ((1 << SPOT) | (1 << SPREAD) | ((1 << TIME) if carried else 0))
    return Moves(some, every, place)


@stage
def _wanted(method: int, order: tuple[int, int, int, int], detail: bool) -> int:
    """Corners of the whole window that a method reads, as a set of bits."""
    if detail or method == SHAPLEY:
        return ALL_CORNERS
    if method == WATERFALL:
        return wanted_by_waterfall(order)
    return ONE_MOVED if method == ONE_AT_A_TIME else ENDS


@sequence
def _value_window(
    block: Block, lanes: int, special: int, wanted: int, corners: Corners, gap: Floats, work: Floats
) -> Moves:
    """Imply the vols, and value the corners that are wanted; the two ends only where some vol is missing."""
    carried = has_carry(block, lanes)
    moves = _moves(block, lanes, carried)
    end_place = LAST & moves.place
    fill_growth(block.legs, block.window, lanes, carried, corners)
    for end in range(2):
        if end == 0 or end_place != 0:
            fill_place(block.legs, block.window, lanes, end * end_place, corners)
    missing = imply_vols(block, lanes, special, end_place, corners, work)
    moves = _moves(block, lanes, carried)
    chosen = without_ends(wanted, moves) if missing == 0 else wanted | ENDS
    fill_corners(block, block.window, lanes, chosen, 1 | (1 << end_place), moves, bool(WHOLE), bool(WHOLE), corners)
    if missing == 0:
        put_ends(block, lanes, moves, corners)
        fill(gap, 0.0)
    else:
        mark_gaps(block, lanes, moves, corners, gap)
    return moves


@sequence
def _walk(
    block: Block, lanes: int, steps: int, moves: Moves, corners: Corners, part: Floats, work: Floats, effects: Floats
) -> None:
    """Add up Shapley's effects over the sub-steps of the straight line."""
    shares = work[1 : 1 + FACTORS]
    carried = has_carry(block, lanes)
    for factor in range(FACTORS):
        fill(effects[factor], 0.0)
    for step in range(steps):
        stand_between(block.window, lanes, step, steps, part)
        fill_growth(block.legs, part, lanes, carried, corners)
        fill_corners(block, part, lanes, int(ALL_CORNERS), int(NONE), moves, step == 0, step + 1 == steps, corners)
        shapley(corners, moves, part[SPREAD, 0], part[SPREAD, 1], lanes, work[0], shares)
        for factor in range(FACTORS):
            for j in range(lanes):
                effects[factor, j] += shares[factor, j]


@sequence
def _finish(
    block: Block,
    start: int,
    count: int,
    method: int,
    wants_detail: bool,
    special: int,
    scratch: Floats,
    effects: Floats,
    gap: Floats,
    parts: Floats,
    work: Floats,
    results: Floats,
    detail: Floats,
) -> None:
    """Put right what is no option in order, and write the block's results."""
    lanes = padded(count)
    if special > 0:
        _split_linear(block, lanes, effects, gap, parts)
    unsound = _close(block, effects, gap, work[0, :count], work[1, :count], block.codes[FLAGS])
    if special + unsound > 0 or wants_detail or method == TAYLOR:
        _withhold(block, count, method, effects, gap, parts)
        for j in range(count):
            work[0, j] = effects[SPREAD, j] + gap[j]
            if block.codes[STATUS, j] != OK:
                work[1, j] = np.nan
    b = slice(start, start + count)
    for row in range(len(results)):
        copy(scratch[RESULT_ROWS[row]], results[row, b])
    if wants_detail:
        copy(effects[SPREAD], parts[BASIS_ROW, :count])
        copy(gap, parts[GAP_ROW, :count])
        for row in range(DETAIL_ROWS):
            copy(parts[row], detail[row, b])


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
    first: int,
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
        (EFFECT_ROWS, N ≥ first + n), filled from column ``first`` on: spot, vol, timedecay, spread, residual,
        vol0, vol1.
    detail
        (DETAIL_ROWS, N), filled likewise if ``wants_detail``, else not looked at.
    status, flags
        (N,), filled likewise with ``LegStatus`` and ``LegFlag``.
    """
    size = inputs.right.size
    width = min(LANES, padded(size))
    scratch = scratch_rows(SCRATCH_ROWS, width)
    block, corners = block_in(scratch), corners_in(scratch[BLOCK_ROWS:])
    part = np.empty((FACTORS, 2, width if method == PATH else 0))
    effects, work, parts = scratch[EFFECTS_FROM:], scratch[WORK_FROM:], scratch[PARTS_FROM:]
    gap = parts[DETAIL_ROWS]
    wanted = _wanted(method, order, wants_detail)
    for start in range(0, size, LANES):
        count = min(LANES, size - start)
        lanes = padded(count)
        load(inputs, start, count, block)
        special = classify(block, lanes)
        moves = _value_window(block, lanes, special, wanted, corners, gap, work)
        if wants_detail:
            fill_interactions(corners, moves, lanes, parts[INTERACTION_ROW:])
        if wants_detail or method == TAYLOR:
            fill_greek_terms(block, lanes, wants_detail, inputs.right, gap, parts, effects, work)
        if method in (WATERFALL, ONE_AT_A_TIME):
            one_by_one(corners, moves, lanes, order, method == WATERFALL, effects)
        elif method == SHAPLEY:
            shapley(corners, moves, block.window[SPREAD, 0], block.window[SPREAD, 1], lanes, work[0], effects)
        elif method == PATH:
            _walk(block, lanes, steps, moves, corners, part, work, effects)
        target = first + start
        _finish(
            block, target, count, method, wants_detail, special, scratch, effects, gap, parts, work, results, detail
        )
        _store_codes(block.codes, target, count, status, flags)
