"""Derivatives of one European option's value, first and second order, in closed form.

    V(S, b, σ, T) = e^(−rT) · Black(F, K, σ√T),   F = (S + b) e^((r − q) T)

All of them are combinations of the four weights of :func:`attribution.kernels.black.tails`; no further
exponential is needed. ``t`` is calendar time: ∂/∂t = −∂/∂T. Formulas: Haug, *The Complete Guide to
Option Pricing Formulas*, 2nd edition, chapter 2, rearranged so that terms that nearly cancel are
cancelled on paper.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attribution.kernels._jit import inlined, kernel
from attribution.kernels.black import FARTHEST, SMALLEST_STD, is_positive, tails
from attribution.kernels.elementary import exponential, log_ratio

__all__ = ["GREEK_COUNT", "Greeks", "black_greeks_many", "greeks_one"]

GREEK_COUNT = 10
"""Rows that :func:`black_greeks_many` fills, in the order of :class:`Greeks` without the last."""


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
    """Greeks of one option; needs S + b > 0, K > 0, T ≥ 0, σ ≥ 0.

    At σ√T = 0 off the money these are the limits (no time value); at the money they are meaningless.
    """
    underlying = spot + basis
    asset = underlying * exponential(-dividend_yield * time_to_expiry)
    cash = strike * exponential(-rate * time_to_expiry)
    root_time = math.sqrt(time_to_expiry)
    carry = rate - dividend_yield
    log_moneyness = log_ratio(underlying, strike) + carry * time_to_expiry
    weight, near, far, value = tails(asset, cash, abs(log_moneyness), volatility * root_time)

    # Floors that only matter where the weight is exactly 0: they keep 0 · ∞ from appearing.
    s = max(volatility * root_time, SMALLEST_STD)
    half_inverse_time = 0.5 / max(time_to_expiry, SMALLEST_STD)
    half_inverse_time = half_inverse_time if weight > 0.0 else 0.0
    h = min(max(log_moneyness / s, -FARTHEST), FARTHEST)
    d1 = h + 0.5 * s
    d2 = h - 0.5 * s
    d1_d2 = d1 * d2
    inverse_vol = root_time / s
    # −∂d₁/∂t = ∂d₁/∂T, and the same of d₂.
    d1_time = carry / s - d2 * half_inverse_time
    d2_time = carry / s - d1 * half_inverse_time

    out_of_the_money = (right > 0.0) == (log_moneyness < 0.0)
    asset_tail = near if log_moneyness < 0.0 else far
    asset_term = right * (asset_tail if out_of_the_money else asset - asset_tail)
    cash_tail = far if log_moneyness < 0.0 else near
    cash_term = right * (cash_tail if out_of_the_money else cash - cash_tail)

    price = value if out_of_the_money else value + right * (asset - cash)
    vega = weight * root_time
    decay = weight * volatility * root_time * half_inverse_time
    return Greeks(
        price=price,
        delta=asset_term / underlying,
        gamma=weight / (s * underlying * underlying),
        vega=vega,
        # r·Y-term − q·X-term, written around the price, which is known without cancellation.
        theta=rate * price - carry * asset_term - decay,
        rho=time_to_expiry * cash_term,
        vanna=-weight * d2 * inverse_vol / underlying,
        volga=vega * d1_d2 * inverse_vol,
        charm=(dividend_yield * asset_term - weight * d1_time) / underlying,
        veta=vega * (dividend_yield + d1 * carry / s - (1.0 + d1_d2) * half_inverse_time),
        theta2=rate * rate * price
        - carry * (rate + dividend_yield) * asset_term
        + weight * (rate * d2_time - dividend_yield * d1_time)
        - decay * (dividend_yield + d1 * d1_time + half_inverse_time),
    )


@inlined
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


@kernel
def black_greeks_many(
    spot: NDArray[np.float64],
    strike: NDArray[np.float64],
    time_to_expiry: NDArray[np.float64],
    volatility: NDArray[np.float64],
    right: NDArray[np.float64],
    basis: NDArray[np.float64],
    rate: NDArray[np.float64],
    dividend_yield: NDArray[np.float64],
    greeks: NDArray[np.float64],
) -> None:
    """Fill the rows of ``greeks`` with price, delta, gamma, vega, theta, rho, vanna, volga, charm, veta.

    Two loops, five rows each: to vectorise a loop the compiler must check that no output overlaps
    another array, and with all ten rows in one loop it gives up. Doing the common part twice is four
    times faster than doing everything one by one.
    """
    s, b, k, t, v = spot, basis, strike, time_to_expiry, volatility
    r, q = rate, dividend_yield
    for i in range(greeks.shape[1]):
        g = _greeks_or_nan(s[i], b[i], k[i], t[i], v[i], right[i], r[i], q[i])
        greeks[0, i] = g.price
        greeks[1, i] = g.delta
        greeks[2, i] = g.gamma
        greeks[3, i] = g.vega
        greeks[4, i] = g.theta
    for i in range(greeks.shape[1]):
        g = _greeks_or_nan(s[i], b[i], k[i], t[i], v[i], right[i], r[i], q[i])
        greeks[5, i] = g.rho
        greeks[6, i] = g.vanna
        greeks[7, i] = g.volga
        greeks[8, i] = g.charm
        greeks[9, i] = g.veta
