"""Greeks of many options: the block loops behind ``black_greeks``, and those that Taylor's expansion shares.

First each lane's measures are filled into scratch rows; the greeks are then combined from them, a few in each
loop (:mod:`attribution.kernels.greeks`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from attribution.kernels._jit import inlined, kernel, sequence, stage
from attribution.kernels.black import FARTHEST, NO_VALUE_FROM, SMALLEST, SMALLEST_STD
from attribution.kernels.elementary import exponential_inside, log_ratio
from attribution.kernels.greeks import Measures, combine, greeks_or_nan
from attribution.kernels.lanes import LANES, Floats, any_differs, copy, padded, part, scratch_rows
from attribution.kernels.normal import INV_SQRT_2PI, MILLS_LOWEST, mills_pair

__all__ = [
    "GREEK_COUNT",
    "GREEK_COUNT_WITHOUT_DECAY",
    "WEIGHT",
    "WORK_ROWS",
    "State",
    "black_greeks_many",
    "fill_measures",
    "measures_at",
]

GREEK_COUNT = 10
"""Rows that :func:`black_greeks_many` fills, in the order of :class:`Greeks` without the last."""
GREEK_COUNT_WITHOUT_DECAY = GREEK_COUNT - 2
"""Rows without those of the greeks that pass with time, charm and veta."""
WORK_ROWS = 13
LARGEST_EXPONENT = 700.0

# Rows of the scratch table of a block: the fields of Measures, in their order.
UNDERLYING, ASSET, CASH, LOG_MONEYNESS, TOTAL_STD, ROOT_TIME = range(6)
INVERSE_UNDERLYING, INVERSE_STD, HALF_INVERSE_TIME, WEIGHT, NEAR, FAR, VALUE = range(6, WORK_ROWS)


class State(NamedTuple):
    """Columns of the options of a block."""

    spot: Floats
    basis: Floats
    strike: Floats
    time_to_expiry: Floats
    volatility: Floats
    right: Floats
    rate: Floats
    dividend_yield: Floats


@inlined
def measures_at(work: Floats, j: int) -> Measures:
    """Read one lane's measures."""
    return Measures(
        work[UNDERLYING, j],
        work[ASSET, j],
        work[CASH, j],
        work[LOG_MONEYNESS, j],
        work[TOTAL_STD, j],
        work[ROOT_TIME, j],
        work[INVERSE_UNDERLYING, j],
        work[INVERSE_STD, j],
        work[HALF_INVERSE_TIME, j],
        work[WEIGHT, j],
        work[NEAR, j],
        work[FAR, j],
        work[VALUE, j],
    )


@stage
def _measure(state: State, work: Floats) -> None:
    """Fill the measures that hang neither on discounting nor on the Mills ratio."""
    for j in range(state.spot.size):
        underlying = state.spot[j] + state.basis[j]
        time = state.time_to_expiry[j]
        root_time = math.sqrt(time)
        carry = state.rate[j] - state.dividend_yield[j]
        work[UNDERLYING, j] = underlying
        work[LOG_MONEYNESS, j] = log_ratio(underlying, state.strike[j]) + carry * time
        work[TOTAL_STD, j] = state.volatility[j] * root_time
        work[ROOT_TIME, j] = root_time


@stage
def _discount(state: State, work: Floats) -> None:
    """Fill ASSET and CASH. e^0 is exactly 1: leaving it out does not change a bit."""
    lanes = state.spot.size
    if any_differs(state.rate, 0.0) or any_differs(state.dividend_yield, 0.0):
        for j in range(lanes):
            time = state.time_to_expiry[j]
            work[ASSET, j] = work[UNDERLYING, j] * exponential_inside(-state.dividend_yield[j] * time)
            work[CASH, j] = state.strike[j] * exponential_inside(-state.rate[j] * time)
    else:
        for j in range(lanes):
            work[ASSET, j] = work[UNDERLYING, j]
            work[CASH, j] = state.strike[j]


@stage
def _weigh(state: State, work: Floats) -> int:
    """Fill the weights and reciprocals; the weight is NaN, and counted, on lanes that are not ordinary."""
    left = 0
    for j in range(state.spot.size):
        asset, cash, s = work[ASSET, j], work[CASH, j], work[TOTAL_STD, j]
        time = state.time_to_expiry[j]
        inverse = 1.0 / s
        nearest = abs(work[LOG_MONEYNESS, j]) * inverse - 0.5 * s
        mills, gap = mills_pair(nearest, nearest + s, s)
        lesser = min(asset, cash)
        density = INV_SQRT_2PI * exponential_inside(-0.5 * nearest * nearest)
        weight = lesser * density if nearest < NO_VALUE_FROM else 0.0
        holds = (nearest >= MILLS_LOWEST) & (nearest < FARTHEST) & (s > SMALLEST_STD) & (time > SMALLEST_STD)
        holds = holds & (lesser > SMALLEST) & (abs(asset - cash) < np.inf) & (abs(state.right[j]) == 1.0)
        holds = holds & (abs(state.rate[j] * time) < LARGEST_EXPONENT)
        holds = holds & (abs(state.dividend_yield[j] * time) < LARGEST_EXPONENT)
        weight = weight if holds else np.nan
        work[WEIGHT, j] = weight
        work[NEAR, j] = weight * mills
        work[FAR, j] = weight * (mills - gap)
        work[VALUE, j] = weight * gap
        work[INVERSE_STD, j] = inverse
        work[INVERSE_UNDERLYING, j] = 1.0 / work[UNDERLYING, j]
        work[HALF_INVERSE_TIME, j] = 0.5 / time
        left += 0 if holds else 1
    return left


@sequence
def fill_measures(state: State, work: Floats) -> int:
    """Fill the rows of ``work`` with the measures; return how many lanes are not ordinary (weight NaN)."""
    _measure(state, work)
    _discount(state, work)
    return _weigh(state, work)


@stage
def _first_greeks(state: State, work: Floats, price: Floats, delta: Floats, gamma: Floats, vega: Floats) -> None:
    for j in range(price.size):
        g = combine(
            measures_at(work, j), state.time_to_expiry[j], state.right[j], state.rate[j], state.dividend_yield[j]
        )
        price[j] = g.price
        delta[j] = g.delta
        gamma[j] = g.gamma
        vega[j] = g.vega


@stage
def _second_greeks(state: State, work: Floats, theta: Floats, rho: Floats, vanna: Floats, volga: Floats) -> None:
    for j in range(theta.size):
        g = combine(
            measures_at(work, j), state.time_to_expiry[j], state.right[j], state.rate[j], state.dividend_yield[j]
        )
        theta[j] = g.theta
        rho[j] = g.rho
        vanna[j] = g.vanna
        volga[j] = g.volga


@stage
def _decay_of_greeks(state: State, work: Floats, charm: Floats, veta: Floats) -> None:
    for j in range(charm.size):
        g = combine(
            measures_at(work, j), state.time_to_expiry[j], state.right[j], state.rate[j], state.dividend_yield[j]
        )
        charm[j] = g.charm
        veta[j] = g.veta


@stage
def _repair(state: State, work: Floats, greeks: Floats, start: int) -> None:
    """Redo, one by one and carefully, the lanes that are not ordinary."""
    for j in range(state.spot.size):
        if math.isnan(work[WEIGHT, j]):
            g = greeks_or_nan(
                state.spot[j],
                state.basis[j],
                state.strike[j],
                state.time_to_expiry[j],
                state.volatility[j],
                state.right[j],
                state.rate[j],
                state.dividend_yield[j],
            )
            i = start + j
            greeks[0, i], greeks[1, i], greeks[2, i], greeks[3, i] = g.price, g.delta, g.gamma, g.vega
            greeks[4, i], greeks[5, i] = g.theta, g.rho
            greeks[6, i], greeks[7, i] = g.vanna, g.volga
            if len(greeks) == GREEK_COUNT:
                greeks[8, i], greeks[9, i] = g.charm, g.veta


@sequence
def _greeks_block(state: State, greeks: Floats, start: int, work: Floats) -> None:
    b = slice(start, start + state.spot.size)
    left = fill_measures(state, work)
    _first_greeks(state, work, greeks[0, b], greeks[1, b], greeks[2, b], greeks[3, b])
    _second_greeks(state, work, greeks[4, b], greeks[5, b], greeks[6, b], greeks[7, b])
    if len(greeks) == GREEK_COUNT:
        _decay_of_greeks(state, work, greeks[8, b], greeks[9, b])
    if left > 0:
        _repair(state, work, greeks, start)


@kernel
def black_greeks_many(
    spot: Floats,
    strike: Floats,
    time_to_expiry: Floats,
    volatility: Floats,
    right: Floats,
    basis: Floats,
    rate: Floats,
    dividend_yield: Floats,
    greeks: Floats,
    first: int,
) -> None:
    """Fill the rows of ``greeks``, from element ``first`` on, in the order of :class:`Greeks` without the last.

    A table of GREEK_COUNT_WITHOUT_DECAY rows is filled with so many.
    """
    size = spot.size
    scratch = scratch_rows(WORK_ROWS + 8 + GREEK_COUNT, min(LANES, padded(size)))
    work, last, table = scratch[:WORK_ROWS], scratch[WORK_ROWS:], scratch[WORK_ROWS + 8 :]
    for start in range(0, size, LANES):
        state = State(
            part(spot, start, last[0]),
            part(basis, start, last[1]),
            part(strike, start, last[2]),
            part(time_to_expiry, start, last[3]),
            part(volatility, start, last[4]),
            part(right, start, last[5]),
            part(rate, start, last[6]),
            part(dividend_yield, start, last[7]),
        )
        whole = size - start >= LANES
        _greeks_block(state, greeks if whole else table[: len(greeks)], first + start if whole else 0, work)
        if not whole:
            for row in range(len(greeks)):
                copy(table[row], greeks[row, first + start : first + size])
