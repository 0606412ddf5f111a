"""Black (1976) value of one European option, and the weights its greeks are made of.

With discounted forward X and discounted strike Y, ``x = |ln(X/Y)|``, ``s = σ√T``, ``u = x/s`` and
``t = s/2``, the time value (the price of the out-of-the-money option of the pair) is

    √(XY) φ-weight · [M(u − t) − M(u + t)],    φ-weight = exp(−(u² + t²)/2) / √2π

with M the Mills ratio. An option is its time value plus its intrinsic value, by put-call parity.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from attribution.kernels._jit import inlined, kernel
from attribution.kernels.elementary import exponential, log_ratio
from attribution.kernels.normal import INV_SQRT_2PI, MILLS_LOWEST, mills_pair

__all__ = ["black_price_many", "black_price_one", "is_positive", "tails", "time_value"]

# Below the smallest total deviation an option has no time value in double precision; beyond the
# farthest moneyness (in deviations) neither. Both only keep the arithmetic finite on the way to 0.
SMALLEST_STD = 1e-150
FARTHEST = 1e9


@inlined
def is_positive(value: float) -> bool:
    """Whether a number is positive and finite; NaN is not."""
    return (value > 0.0) & (value < np.inf)


@inlined
def tails(asset: float, cash: float, distance: float, total_std: float) -> tuple[float, float, float, float]:
    """Time value of an option and the three weights it is made of. [currency]

    Parameters
    ----------
    asset, cash
        Discounted forward X and discounted strike Y.
    distance
        |ln(X/Y)|, given because the caller knows it more accurately than X/Y does.
    total_std
        s = σ√T ≥ 0.

    Returns
    -------
    weight, near, far, value
        ``weight`` = X φ(d₁) = Y φ(d₂). Of the out-of-the-money option, ``near`` and ``far`` are the
        two terms of Black's formula, near > far (X Φ(d₁) and Y Φ(d₂) of a call, Y Φ(−d₂) and
        X Φ(−d₁) of a put); ``value`` = near − far, free of cancellation.
    """
    s = max(total_std, SMALLEST_STD)
    u = min(distance / s, FARTHEST)
    t = 0.5 * s
    weight = math.sqrt(asset * cash) * (INV_SQRT_2PI * exponential(-0.5 * (u * u + t * t)))
    # Left of the polynomial's domain (only where s > 2.5), the complement: Φ(v) = 1 − Φ(−v).
    beyond = u - t < MILLS_LOWEST
    v1 = t - u if beyond else u - t
    mills, gap = mills_pair(v1, u + t, u + u if beyond else t + t)
    lesser = min(asset, cash)
    far = weight * (mills - gap)
    near = lesser - weight * mills if beyond else weight * mills
    value = lesser - weight * (mills + (mills - gap)) if beyond else weight * gap
    return weight, near, far, value if total_std > 0.0 else 0.0


@inlined
def time_value(asset: float, cash: float, distance: float, total_std: float) -> float:
    """Price of the out-of-the-money option of a call-put pair; 0 where ``total_std`` is 0. [currency]"""
    _, _, _, value = tails(asset, cash, distance, total_std)
    return value


@inlined
def black_price_one(
    forward: float,
    strike: float,
    time_to_expiry: float,
    volatility: float,
    right: float,
    discount_factor: float,
) -> float:
    """Discounted Black price of one option; NaN outside the domain of the formula. [currency]"""
    total_std = volatility * math.sqrt(time_to_expiry)
    value = time_value(forward, strike, abs(log_ratio(forward, strike)), total_std)
    price = discount_factor * (value + max(right * (forward - strike), 0.0))
    valid = is_positive(forward) & is_positive(strike) & is_positive(discount_factor)
    valid = valid & (time_to_expiry >= 0.0) & (volatility >= 0.0) & (total_std < np.inf)
    valid = valid & (abs(right) == 1.0)
    return price if valid else np.nan


@kernel
def black_price_many(
    forward: NDArray[np.float64],
    strike: NDArray[np.float64],
    time_to_expiry: NDArray[np.float64],
    volatility: NDArray[np.float64],
    right: NDArray[np.float64],
    discount_factor: NDArray[np.float64],
    price: NDArray[np.float64],
) -> None:
    """Fill ``price`` with :func:`black_price_one` of each element."""
    for i in range(price.size):
        price[i] = black_price_one(
            forward[i], strike[i], time_to_expiry[i], volatility[i], right[i], discount_factor[i]
        )
