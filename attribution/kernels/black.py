"""Black (1976) value of one European option, and the weights its greeks are made of.

With discounted forward X and discounted strike Y, ``x = |ln(X/Y)|``, ``s = σ√T``, ``u = x/s`` and
``t = s/2``, the time value (the price of the out-of-the-money option of the pair) is

    min(X, Y) φ(u − t) [M(u − t) − M(u + t)]

with φ the normal density and M the Mills ratio (docs/kernels.md §1). An option is its time value plus its
intrinsic value, by put-call parity.
"""

from __future__ import annotations

import math

import numpy as np

from attribution.kernels._jit import inlined, kernel, sequence, stage
from attribution.kernels.elementary import exponential, exponential_inside, log_ratio
from attribution.kernels.lanes import LANES, Floats, copy, padded, part, scratch_rows
from attribution.kernels.normal import INV_SQRT_2PI, MILLS_LOWEST, mills_pair

__all__ = [
    "FARTHEST",
    "NO_VALUE_FROM",
    "SMALLEST",
    "SMALLEST_STD",
    "black_price_many",
    "black_price_one",
    "is_positive",
    "ordinary_value",
    "tails",
    "time_value",
]

SMALLEST = 1e-300
"""A forward or strike under this takes the careful path."""
NO_VALUE_FROM = 37.6
"""φ of more than this is under 1e-307: no time value is left."""

# Of the careful path. Below the smallest total deviation an option has no time value in double precision;
# beyond the farthest moneyness (in deviations) neither. Both only keep the arithmetic finite on the way to 0.
SMALLEST_STD = 1e-150
FARTHEST = 1e9


@inlined
def is_positive(value: float) -> bool:
    """Whether a number is positive and finite; NaN is not."""
    return (value > 0.0) & (value < np.inf)


@inlined
def ordinary_value(lesser: float, distance: float, total_std: float) -> tuple[float, bool]:
    """Time value, and whether it holds: the fast path, for nearly every lane there is. [currency]

    Parameters
    ----------
    lesser
        The smaller of discounted forward X and strike Y, a positive normal number.
    distance
        |ln(X/Y)|.
    total_std
        s = σ√T ≥ 0.

    Returns
    -------
    value, holds
        ``holds`` is False left of where the Mills ratio is fitted (only where s > 2.5), at 0/0, and for NaN.
    """
    u = distance / total_std
    t = 0.5 * total_std
    nearest = u - t
    _, gap = mills_pair(nearest, u + t, total_std)
    density = INV_SQRT_2PI * exponential_inside(-0.5 * nearest * nearest)
    value = lesser * density * gap
    return 0.0 if nearest > NO_VALUE_FROM else value, nearest >= MILLS_LOWEST


@stage
def tails(asset: float, cash: float, distance: float, total_std: float) -> tuple[float, float, float, float]:
    """Time value of an option and the three weights it is made of: the careful path. [currency]

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
    t = min(0.5 * s, FARTHEST)
    lesser = min(asset, cash)
    weight = lesser * (INV_SQRT_2PI * exponential(-0.5 * (u - t) * (u - t)))
    # Left of where M is fitted (only where s > 2.5), the complement: Φ(v) = 1 − Φ(−v).
    beyond = u - t < MILLS_LOWEST
    v1 = t - u if beyond else u - t
    mills, gap = mills_pair(v1, u + t, u + u if beyond else t + t)
    far = weight * (mills - gap)
    near = lesser - weight * mills if beyond else weight * mills
    value = lesser - weight * (mills + (mills - gap)) if beyond else weight * gap
    return weight, near, far, value if total_std > 0.0 else 0.0


@inlined
def time_value(asset: float, cash: float, distance: float, total_std: float) -> float:
    """Price of the out-of-the-money option of a strike; also each option's price less intrinsic. [currency]

    Arguments as for :func:`tails`. 0 where there is no deviation.
    """
    _, _, _, value = tails(asset, cash, distance, total_std)
    return value


@stage
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
    valid = is_positive(forward) & is_positive(strike) & is_positive(discount_factor)
    valid = valid & (time_to_expiry >= 0.0) & (volatility >= 0.0) & (total_std < np.inf)
    if not (valid and abs(right) == 1.0):
        return np.nan
    value = time_value(forward, strike, abs(log_ratio(forward, strike)), total_std)
    return discount_factor * (value + max(right * (forward - strike), 0.0))


@stage
def _measure(
    forward: Floats, strike: Floats, time_to_expiry: Floats, volatility: Floats, distance: Floats, total_std: Floats
) -> None:
    for j in range(forward.size):
        distance[j] = abs(log_ratio(forward[j], strike[j]))
        total_std[j] = volatility[j] * math.sqrt(time_to_expiry[j])


@stage
def _value(
    forward: Floats,
    strike: Floats,
    right: Floats,
    discount_factor: Floats,
    distance: Floats,
    total_std: Floats,
    price: Floats,
) -> int:
    """Fill ``price``, NaN on the lanes that are not ordinary, and return their number."""
    left = 0
    for j in range(price.size):
        difference = forward[j] - strike[j]
        lesser = min(forward[j], strike[j])
        value, holds = ordinary_value(lesser, distance[j], total_std[j])
        whole = discount_factor[j] * (value + max(right[j] * difference, 0.0))
        holds = holds & (lesser > SMALLEST) & (abs(difference) < np.inf) & (total_std[j] >= 0.0)
        holds = holds & (abs(right[j]) == 1.0) & (discount_factor[j] > 0.0) & (whole < np.inf)
        price[j] = whole if holds else np.nan
        left += 0 if holds else 1
    return left


@sequence
def _price_block(
    forward: Floats,
    strike: Floats,
    time_to_expiry: Floats,
    volatility: Floats,
    right: Floats,
    discount_factor: Floats,
    price: Floats,
    work: Floats,
) -> None:
    distance, total_std = work[0, : price.size], work[1, : price.size]
    _measure(forward, strike, time_to_expiry, volatility, distance, total_std)
    if _value(forward, strike, right, discount_factor, distance, total_std, price) > 0:
        for j in range(price.size):
            if math.isnan(price[j]):
                price[j] = black_price_one(
                    forward[j], strike[j], time_to_expiry[j], volatility[j], right[j], discount_factor[j]
                )


@kernel
def black_price_many(
    forward: Floats,
    strike: Floats,
    time_to_expiry: Floats,
    volatility: Floats,
    right: Floats,
    discount_factor: Floats,
    price: Floats,
    first: int,
) -> None:
    """Fill ``price`` from element ``first`` on with :func:`black_price_one` of each element."""
    scratch = scratch_rows(9, min(LANES, padded(forward.size)))
    work, last = scratch[7:], scratch[:7]
    for start in range(0, forward.size, LANES):
        f, k = part(forward, start, last[0]), part(strike, start, last[1])
        t, v = part(time_to_expiry, start, last[2]), part(volatility, start, last[3])
        phi, d = part(right, start, last[4]), part(discount_factor, start, last[5])
        room = price[first + start : first + min(start + LANES, forward.size)]
        target = room if room.size == LANES else last[6, : f.size]
        _price_block(f, k, t, v, phi, d, target, work)
        if room.size < LANES:
            copy(target, room)
