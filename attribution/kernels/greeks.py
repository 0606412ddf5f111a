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

from attribution.kernels._jit import inlined, stage
from attribution.kernels.black import FARTHEST, SMALLEST_STD, is_positive, tails
from attribution.kernels.elementary import exponential, log_ratio

__all__ = ["Greeks", "Measures", "combine", "greeks_one", "greeks_or_nan"]


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


@stage
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
def greeks_or_nan(
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
