"""Derivatives of one European option's value, first and second order, in closed form.

    V(S, b, σ, T) = e^(−rT) · Black(F, K, σ√T),   F = (S + b) e^((r − q) T)

All of them are combinations of the four weights of :func:`attribution.kernels.black.tails`; no further
exponential is needed (docs/kernels.md §6). ``t`` is calendar time: ∂/∂t = −∂/∂T. Formulas: Haug, *The Complete Guide to
Option Pricing Formulas*, 2nd edition, chapter 2, rearranged so that terms that nearly cancel are
cancelled on paper.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from attribution.kernels._jit import inlined, kernel, stage
from attribution.kernels.black import FARTHEST, NO_VALUE_FROM, SMALLEST, SMALLEST_STD, is_positive, tails
from attribution.kernels.elementary import exponential, exponential_inside, log_ratio
from attribution.kernels.lanes import LANES, Floats, any_differs, copy, new_rows, rest
from attribution.kernels.normal import INV_SQRT_2PI, MILLS_LOWEST, mills_pair

__all__ = [
    "GREEK_COUNT",
    "WEIGHT",
    "WORK_ROWS",
    "Greeks",
    "State",
    "black_greeks_many",
    "combine",
    "fill_measures",
    "greeks_one",
    "measures_at",
]

GREEK_COUNT = 10
"""Rows that :func:`black_greeks_many` fills, in the order of :class:`Greeks` without the last."""
WORK_ROWS = 13
LARGEST_EXPONENT = 700.0


class Greeks(NamedTuple):
    """Value and derivatives of one option, per 1.00 of spot, volatility and rate, per year."""

    price: float
    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float
    vanna: float
    volga: float
    charm: float
    veta: float
    theta2: float


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


class Measures(NamedTuple):
    """What the greeks of one option are made of; the weights as in :func:`attribution.kernels.black.tails`."""

    underlying: float
    asset: float
    cash: float
    log_moneyness: float
    total_std: float
    root_time: float
    inverse_underlying: float
    inverse_std: float
    half_inverse_time: float
    weight: float
    near: float
    far: float
    value: float


@inlined
def combine(m: Measures, time_to_expiry: float, right: float, rate: float, dividend_yield: float) -> Greeks:
    """Greeks of one option from its measures; in a loop, what the loop does not store is not computed."""
    carry = rate - dividend_yield
    h = min(max(m.log_moneyness * m.inverse_std, -FARTHEST), FARTHEST)
    d1 = h + 0.5 * m.total_std
    d2 = h - 0.5 * m.total_std
    d1_d2 = d1 * d2
    inverse_vol = m.root_time * m.inverse_std
    # −∂d₁/∂t = ∂d₁/∂T, and the same of d₂.
    d1_time = carry * m.inverse_std - d2 * m.half_inverse_time
    d2_time = carry * m.inverse_std - d1 * m.half_inverse_time

    out_of_the_money = (right > 0.0) == (m.log_moneyness < 0.0)
    asset_tail = m.near if m.log_moneyness < 0.0 else m.far
    asset_term = right * (asset_tail if out_of_the_money else m.asset - asset_tail)
    cash_tail = m.far if m.log_moneyness < 0.0 else m.near
    cash_term = right * (cash_tail if out_of_the_money else m.cash - cash_tail)

    price = m.value if out_of_the_money else m.value + right * (m.asset - m.cash)
    vega = m.weight * m.root_time
    decay = m.weight * m.total_std * m.half_inverse_time
    return Greeks(
        price=price,
        delta=asset_term * m.inverse_underlying,
        gamma=m.weight * m.inverse_std * m.inverse_underlying * m.inverse_underlying,
        vega=vega,
        # r·Y-term − q·X-term, written around the price, which is known without cancellation.
        theta=rate * price - carry * asset_term - decay,
        rho=time_to_expiry * cash_term,
        vanna=-m.weight * d2 * inverse_vol * m.inverse_underlying,
        volga=vega * d1_d2 * inverse_vol,
        charm=(dividend_yield * asset_term - m.weight * d1_time) * m.inverse_underlying,
        veta=vega * (dividend_yield + d1 * carry * m.inverse_std - (1.0 + d1_d2) * m.half_inverse_time),
        theta2=rate * rate * price
        - carry * (rate + dividend_yield) * asset_term
        + m.weight * (rate * d2_time - dividend_yield * d1_time)
        - decay * (dividend_yield + d1 * d1_time + m.half_inverse_time),
    )


@inlined
def greeks_one(
    spot: float,
    basis: float,
    strike: float,
    time_to_expiry: float,
    volatility: float,
    right: float,
    rate: float,
    dividend_yield: float,
) -> Greeks:
    """Greeks of one option, the careful path; needs S + b > 0, K > 0, T ≥ 0, σ ≥ 0.

    At σ√T = 0 off the money these are the limits (no time value); at the money they are meaningless.
    """
    underlying = spot + basis
    asset = underlying * exponential(-dividend_yield * time_to_expiry)
    cash = strike * exponential(-rate * time_to_expiry)
    root_time = math.sqrt(time_to_expiry)
    log_moneyness = log_ratio(underlying, strike) + (rate - dividend_yield) * time_to_expiry
    weight, near, far, value = tails(asset, cash, abs(log_moneyness), volatility * root_time)
    # Floors that only matter where the weight is exactly 0: they keep 0 · ∞ from appearing.
    s = max(volatility * root_time, SMALLEST_STD)
    half_inverse_time = 0.5 / max(time_to_expiry, SMALLEST_STD) if weight > 0.0 else 0.0
    measures = Measures(
        underlying,
        asset,
        cash,
        log_moneyness,
        s,
        root_time,
        1.0 / underlying,
        1.0 / s,
        half_inverse_time,
        weight,
        near,
        far,
        value,
    )
    return combine(measures, time_to_expiry, right, rate, dividend_yield)


@stage
def _greeks_or_nan(
    spot: float,
    basis: float,
    strike: float,
    time_to_expiry: float,
    volatility: float,
    right: float,
    rate: float,
    dividend_yield: float,
) -> Greeks:
    """:func:`greeks_one`, with NaN outside its domain and for greeks that do not exist."""
    valid = is_positive(spot + basis) & is_positive(strike) & (abs(right) == 1.0)
    valid = valid & (time_to_expiry >= 0.0) & (time_to_expiry < np.inf)
    valid = valid & (volatility >= 0.0) & (volatility < np.inf)
    valid = valid & (abs(rate) < np.inf) & (abs(dividend_yield) < np.inf)
    # With no deviation at all and the forward on the strike, the payoff has a kink.
    moneyness = log_ratio(spot + basis, strike) + (rate - dividend_yield) * time_to_expiry
    smooth = valid & ((volatility * time_to_expiry > 0.0) | (moneyness != 0.0))
    g = greeks_one(spot, basis, strike, time_to_expiry, volatility, right, rate, dividend_yield)
    return Greeks(
        price=g.price if valid else np.nan,
        delta=g.delta if smooth else np.nan,
        gamma=g.gamma if smooth else np.nan,
        vega=g.vega if smooth else np.nan,
        theta=g.theta if smooth else np.nan,
        rho=g.rho if smooth else np.nan,
        vanna=g.vanna if smooth else np.nan,
        volga=g.volga if smooth else np.nan,
        charm=g.charm if smooth else np.nan,
        veta=g.veta if smooth else np.nan,
        theta2=g.theta2 if smooth else np.nan,
    )


# Rows of the scratch table of a block: the fields of Measures, in their order.
UNDERLYING, ASSET, CASH, LOG_MONEYNESS, TOTAL_STD, ROOT_TIME = range(6)
INVERSE_UNDERLYING, INVERSE_STD, HALF_INVERSE_TIME, WEIGHT, NEAR, FAR, VALUE = range(6, WORK_ROWS)


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


@stage
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
def _cross_greeks(state: State, work: Floats, vanna: Floats, volga: Floats, charm: Floats, veta: Floats) -> None:
    for j in range(vanna.size):
        g = combine(
            measures_at(work, j), state.time_to_expiry[j], state.right[j], state.rate[j], state.dividend_yield[j]
        )
        vanna[j] = g.vanna
        volga[j] = g.volga
        charm[j] = g.charm
        veta[j] = g.veta


@stage
def _slow_greeks(state: State, work: Floats, theta: Floats, rho: Floats) -> None:
    for j in range(theta.size):
        g = combine(
            measures_at(work, j), state.time_to_expiry[j], state.right[j], state.rate[j], state.dividend_yield[j]
        )
        theta[j] = g.theta
        rho[j] = g.rho


@stage
def _repair(state: State, work: Floats, greeks: Floats, start: int) -> None:
    """Redo, one by one and carefully, the lanes that are not ordinary."""
    for j in range(state.spot.size):
        if math.isnan(work[WEIGHT, j]):
            g = _greeks_or_nan(
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
            greeks[6, i], greeks[7, i], greeks[8, i], greeks[9, i] = g.vanna, g.volga, g.charm, g.veta


@stage
def _greeks_block(state: State, greeks: Floats, start: int, work: Floats) -> None:
    b = slice(start, start + state.spot.size)
    left = fill_measures(state, work)
    _first_greeks(state, work, greeks[0, b], greeks[1, b], greeks[2, b], greeks[3, b])
    _slow_greeks(state, work, greeks[4, b], greeks[5, b])
    _cross_greeks(state, work, greeks[6, b], greeks[7, b], greeks[8, b], greeks[9, b])
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
) -> None:
    """Fill the rows of ``greeks`` with price, delta, gamma, vega, theta, rho, vanna, volga, charm, veta."""
    work = new_rows(WORK_ROWS, LANES)
    size = greeks.shape[1]
    whole = size - size % LANES
    for start in range(0, whole, LANES):
        b = slice(start, start + LANES)
        state = State(
            spot[b], basis[b], strike[b], time_to_expiry[b], volatility[b], right[b], rate[b], dividend_yield[b]
        )
        _greeks_block(state, greeks, start, work)
    if whole < size:
        last, table = new_rows(8, LANES), new_rows(GREEK_COUNT, LANES)
        state = State(
            rest(spot, whole, last[0]),
            rest(basis, whole, last[1]),
            rest(strike, whole, last[2]),
            rest(time_to_expiry, whole, last[3]),
            rest(volatility, whole, last[4]),
            rest(right, whole, last[5]),
            rest(rate, whole, last[6]),
            rest(dividend_yield, whole, last[7]),
        )
        _greeks_block(state, table, 0, work)
        for row in range(GREEK_COUNT):
            copy(table[row], greeks[row, whole:])
