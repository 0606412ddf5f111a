"""The vols that a block's observed prices imply, and what stands in for those that do not exist."""

from __future__ import annotations

import math

import numpy as np

from attribution.kernels._jit import inlined, sequence, stage
from attribution.kernels.black import FARTHEST, is_positive
from attribution.kernels.block import (
    ABOVE_BOUND,
    BELOW_INTRINSIC,
    EXPIRED_IN_WINDOW,
    FLAGS,
    NO_VOL,
    PRICE0,
    RIGHT,
    SPOT,
    SPREAD,
    STRIKE,
    TICK,
    TIME,
    VOL,
    VOL_BORROWED,
    Block,
    is_option,
)
from attribution.kernels.corners import Corners
from attribution.kernels.elementary import difference_error, exponential, sum_error
from attribution.kernels.implied_vol import safe_total_std, solve_vols, time_value_of_price
from attribution.kernels.lanes import Floats, any_differs, copy
from attribution.kernels.normal import INV_SQRT_2PI

__all__ = ["imply_vols"]

VOL_POINT = 0.01


@stage
def _observe(
    right: Floats,
    strike: Floats,
    price: Floats,
    spot: Floats,
    basis: Floats,
    asset_growth: Floats,
    cash_growth: Floats,
    observed: Floats,
    difference: Floats,
) -> None:
    """Fill the time values of the observed prices, and |X − Y|."""
    for j in range(observed.size):
        underlying = spot[j] + basis[j]
        # X − Y = (S + b − K) + what carry adds, each with a rounding of its own size: that of X and Y would drown them.
        bare, gain = underlying - strike[j], underlying * asset_growth[j] - strike[j] * cash_growth[j]
        moneyness, lost = bare + gain, sum_error(spot[j], basis[j])
        lost = (lost + lost * asset_growth[j]) + (difference_error(underlying, strike[j]) + sum_error(bare, gain))
        observed[j] = time_value_of_price(price[j], moneyness, lost, right[j])
        difference[j] = abs(moneyness)


@inlined
def _under_tick(value: float, distance: float, root: float, total_std: float, time: float, tick: float) -> bool:
    """Whether a price is too coarse to tell a vol: time value < ½ tick, or a vol point moves it < 1 tick."""
    u = min(distance / total_std, FARTHEST)
    weight = root * INV_SQRT_2PI * exponential(-0.5 * (u * u + 0.25 * total_std * total_std))
    return (value < 0.5 * tick) | (weight * math.sqrt(time) * VOL_POINT < tick)


@stage
def _imply_with_care(block: Block, end: int, place: int, corners: Corners, j: int) -> float:
    """Implied vol of one leg at one end, or NaN; and flag the price that has none."""
    legs, window = block.legs, block.window
    time, value = window[TIME, end, j], block.observed[end, j]
    if not is_option(block, j) or time <= 0.0:
        return np.nan
    underlying, strike = window[SPOT, end, j] + window[SPREAD, end, j], legs[STRIKE, j]
    asset = underlying + underlying * corners.growth[2 * end, j]
    cash = strike + strike * corners.growth[2 * end + 1, j]
    room = (asset if legs[RIGHT, j] > 0.0 else cash) - legs[PRICE0 + end, j]
    if value <= 0.0:
        block.codes[FLAGS, j] |= BELOW_INTRINSIC
    elif room <= 0.0:
        block.codes[FLAGS, j] |= ABOVE_BOUND
    total_std = safe_total_std(value, room, corners.distance[place, j], math.sqrt(asset * cash))
    return total_std / math.sqrt(time)


@stage
def _mend(block: Block, lanes: int, end: int, place: int, corners: Corners) -> int:
    """Try again, carefully, where no vol was found; return how many lanes have none."""
    vol, observed = block.own_vol[end], block.observed[end]
    missing = 0
    for j in range(lanes):
        if math.isnan(vol[j]) or not is_option(block, j):
            found = _imply_with_care(block, end, place, corners, j)
            exists = is_positive(found)
            vol[j] = found if exists else np.nan
            observed[j] = observed[j] if exists else np.nan
            missing += 0 if exists else 1
    return missing


@stage
def _apply_tick(block: Block, lanes: int, end: int, place: int, corners: Corners) -> int:
    """Drop the vols that a price of limited precision cannot tell; return how many."""
    dropped = 0
    for j in range(lanes):
        tick, time = block.legs[TICK, j], block.window[TIME, end, j]
        vol, value = block.own_vol[end, j], block.observed[end, j]
        if tick > 0.0 and vol > 0.0:
            distance, lesser = corners.distance[place, j], corners.lesser[place, j]
            root = lesser * math.exp(0.5 * distance)
            if _under_tick(value, distance, root, vol * math.sqrt(time), time, tick):
                block.own_vol[end, j] = np.nan
                block.observed[end, j] = np.nan
                dropped += 1
    return dropped


@sequence
def _imply_end(block: Block, lanes: int, special: int, end: int, place: int, corners: Corners, work: Floats) -> int:
    """Imply the vols of one end; return on how many lanes there is none."""
    legs, window = block.legs, block.window
    observed, difference, vol = block.observed[end, :lanes], work[0], block.own_vol[end, :lanes]
    growth = corners.growth
    _observe(
        legs[RIGHT],
        legs[STRIKE],
        legs[PRICE0 + end],
        window[SPOT, end],
        window[SPREAD, end],
        growth[2 * end],
        growth[2 * end + 1],
        observed,
        difference,
    )
    lesser, distance = corners.lesser[place], corners.distance[place]
    missing = solve_vols(observed, lesser, difference, distance, corners.root_time[end], work[1:], vol)
    if missing + special > 0:
        missing = _mend(block, lanes, end, place, corners)
    if any_differs(legs[TICK, :lanes], 0.0):
        missing += _apply_tick(block, lanes, end, place, corners)
    return missing


@stage
def _borrow(block: Block, lanes: int) -> None:
    """Let a missing vol borrow the other end's, and flag it; with none at either end σ is 0 at both."""
    window, flags = block.window, block.codes[FLAGS]
    for j in range(lanes):
        vol0, vol1 = block.own_vol[0, j], block.own_vol[1, j]
        none0, none1 = math.isnan(vol0), math.isnan(vol1)
        if none0 or none1:
            if is_option(block, j):
                expired = window[TIME, 1, j] == 0.0 and window[TIME, 0, j] > 0.0
                flags[j] |= NO_VOL if none0 and none1 else VOL_BORROWED
                flags[j] |= EXPIRED_IN_WINDOW if expired else 0
            window[VOL, 0, j] = 0.0 if none0 and none1 else (vol1 if none0 else vol0)
            window[VOL, 1, j] = 0.0 if none0 and none1 else (vol0 if none1 else vol1)


@sequence
def imply_vols(block: Block, lanes: int, special: int, end_place: int, corners: Corners, work: Floats) -> int:
    """Fill the vols the block's own and those the model uses; return how many are missing at either end.

    Parameters
    ----------
    special
        How many lanes are not options in order.
    end_place
        The place of the window's end; that of its start is 0. Both are filled already.
    work
        (1 + SOLVE_ROWS, LANES), scratch.
    """
    missing = 0
    for end in range(2):
        missing += _imply_end(block, lanes, special, end, end * end_place, corners, work)
        copy(block.own_vol[end], block.window[VOL, end, :lanes])
    if missing > 0:
        _borrow(block, lanes)
    return missing
