"""Price → volatility: one explicit seed and one fourth-order step, with a safeguarded loop behind them.

With c the time value and u, t, M as in :mod:`attribution.kernels.black`, the total deviation s = σ√T solves

    f(s) = ln( min(X, Y) φ(u − t) [M(u − t) − M(u + t)] / c ) = 0,     f′ = 1 / [M(u − t) − M(u + t)]

The seed inverts Bachelier's model and corrects it to Black's (relative error 3e-6); one step of fourth
order then ends at rounding (docs/kernels.md §4). Lanes where that is not sure are repeated by an iteration
that keeps a bracket. After Jäckel, "Let's be rational" (2015), whose objective function this is.
"""

from __future__ import annotations

import math

import numpy as np

from attribution.kernels._constants import (
    BACHELIER_DENOMINATOR,
    BACHELIER_NUMERATOR,
    LOGNORMAL_DENOMINATOR,
    LOGNORMAL_NUMERATOR,
)
from attribution.kernels._jit import inlined, kernel, sequence, stage
from attribution.kernels.black import is_positive
from attribution.kernels.elementary import (
    difference_error,
    exponential_inside,
    log_ratio,
    polynomial,
    rough_log1p,
)
from attribution.kernels.lanes import LANES, Floats, copy, padded, part, scratch_rows
from attribution.kernels.normal import INV_SQRT_2PI, MILLS_LOWEST, SQRT_2PI, mills_pair

__all__ = ["SOLVE_ROWS", "implied_vol_many", "safe_total_std", "solve_vols", "time_value_of_price"]

# Keeps ln(1 + |X − Y|/c) and the seed away from 0/0 at the money; too small to be seen elsewhere.
AT_THE_MONEY = 1e-11
SEED_LARGEST_LOG = 45.0
SMALLEST_VALUE = 1e-140
NEGLIGIBLE = 1e-16

ITERATIONS = 200
STEP_SMALL_ENOUGH = 1e-5
LARGEST_MONEYNESS = 64.0
"""No positive double is the time value of an option this many deviations from the money."""
LARGEST_HALF_STD = 40.0
"""Nor is the distance to the upper bound, for half deviations that exceed the moneyness by so much."""

SOLVE_ROWS = 5


@inlined
def time_value_of_price(price: float, moneyness: float, lost: float, right: float) -> float:
    """Price less intrinsic value, exact up to one rounding. [currency]

    ``moneyness`` is forward − strike (discounted alike), ``lost`` what rounding has taken from it.
    """
    intrinsic = right * moneyness
    return (price - intrinsic) - right * lost if intrinsic > 0.0 else price


@inlined
def _seed(distance: float, log_ratio_to_value: float) -> float:
    """Total deviation, to 3e-6, from |ln(F/K)| and L = ln(1 + |F − K|/c)."""
    numerator = polynomial(log_ratio_to_value, BACHELIER_NUMERATOR)
    denominator = polynomial(log_ratio_to_value, BACHELIER_DENOMINATOR)
    bachelier = distance * denominator / (log_ratio_to_value * numerator)
    y = bachelier * bachelier
    x = distance * distance
    p0, p_y, p_x, p_yy, p_xy, p_xx = LOGNORMAL_NUMERATOR
    q_y, q_x, q_yy, q_xy, q_xx = LOGNORMAL_DENOMINATOR
    p = p0 + y * (p_y + p_yy * y + p_xy * x) + x * (p_x + p_xx * x)
    q = 1.0 + y * (q_y + q_yy * y + q_xy * x) + x * (q_x + q_xx * x)
    return bachelier + bachelier * (y * p / q)


@inlined
def _fourth_order_step(f: float, gap: float, s: float, u: float) -> float:
    """Step to the zero of f = ln(model/target), f′ = 1/gap, by three terms of the inverse series; no division.

    f″/f′ and f‴/f′ follow from (ln vega)′ = u²/s − s/4, vega being the derivative of the model.
    """
    u_s = u / s
    p = (u * u_s - 0.25 * s) * gap
    k = (3.0 * u_s * u_s + 0.25) * gap * gap
    second = 0.5 * (p - 1.0)
    third = (1.0 / 6.0) * (1.0 + p * (2.0 * p - 3.0) + k)
    return -f * gap * (1.0 + f * (second + f * third))


@stage
def _start(
    value: Floats,
    lesser: Floats,
    difference: Floats,
    distance: Floats,
    inverse: Floats,
    logarithm: Floats,
    total_std: Floats,
) -> None:
    """Fill 1/c, L and the seeds."""
    for j in range(total_std.size):
        c = value[j]
        share = 1.0 / (c * lesser[j])
        reciprocal = lesser[j] * share
        length = rough_log1p(difference[j] * reciprocal + AT_THE_MONEY)
        inverse[j] = reciprocal
        logarithm[j] = length
        total_std[j] = _seed(distance[j] + AT_THE_MONEY * c * c * share, length)


@stage
def _differ(distance: Floats, total_std: Floats, moneyness: Floats, gap: Floats) -> None:
    """Fill u and M(u − t) − M(u + t)."""
    for j in range(total_std.size):
        s = total_std[j]
        u = distance[j] / s
        moneyness[j] = u
        _, gap[j] = mills_pair(u - 0.5 * s, u + 0.5 * s, s)


@stage
def _finish(
    value: Floats,
    lesser: Floats,
    inverse: Floats,
    logarithm: Floats,
    total_std: Floats,
    moneyness: Floats,
    gap: Floats,
    root_time: Floats,
    volatility: Floats,
) -> int:
    """Take the step; NaN, and counted, where it is not sure to end at rounding."""
    left = 0
    for j in range(volatility.size):
        s, u, g = total_std[j], moneyness[j], gap[j]
        nearest = u - 0.5 * s
        model = lesser[j] * (INV_SQRT_2PI * exponential_inside(-0.5 * nearest * nearest)) * g
        r = (model - value[j]) * inverse[j]
        f = r * (1.0 + r * (-0.5 + r * (1.0 / 3.0 - 0.25 * r)))
        vol = (s + _fourth_order_step(f, g, s, u)) / root_time[j]
        # The first term left out of the series is of the order of f⁴. What has to be positive goes into one number:
        # minima take less time than comparisons, and what is NaN here makes the vol NaN.
        f2 = f * f
        room = min(NEGLIGIBLE * s - f2 * f2 * g, value[j] - SMALLEST_VALUE)
        room = min(room, min(nearest - MILLS_LOWEST, SEED_LARGEST_LOG - logarithm[j]))
        sure = (room > 0.0) & is_positive(vol)
        volatility[j] = vol if sure else np.nan
        left += 0 if sure else 1
    return left


@sequence
def solve_vols(
    value: Floats,
    lesser: Floats,
    difference: Floats,
    distance: Floats,
    root_time: Floats,
    work: Floats,
    volatility: Floats,
) -> int:
    """Fill ``volatility``, NaN on the lanes that need :func:`safe_total_std`; return their number.

    Parameters
    ----------
    value
        Time value of the option; a lane where it is NaN has no vol. [currency]
    lesser, difference, distance
        min(X, Y), |X − Y| and |ln(X/Y)| of discounted forward X and strike Y.
    work
        (SOLVE_ROWS, LANES), scratch.
    """
    lanes = volatility.size
    inverse, logarithm = work[0, :lanes], work[1, :lanes]
    total_std, moneyness, gap = work[2, :lanes], work[3, :lanes], work[4, :lanes]
    _start(value, lesser, difference, distance, inverse, logarithm, total_std)
    _differ(distance, total_std, moneyness, gap)
    return _finish(value, lesser, inverse, logarithm, total_std, moneyness, gap, root_time, volatility)


@inlined
def _householder_step(f: float, slope: float, s: float, u: float) -> float:
    """Fourth-order step to the zero of f = ln(model/target), with f′ = ``slope`` at s, from any distance.

    The model is an option's time value or its distance to the upper bound: both have ± vega as their
    derivative, so f″/f′ and f‴/f′ follow from (ln vega)′ = u²/s − s/4.
    """
    newton = -f / slope
    bend = u * u / s - 0.25 * s
    bend_slope = bend * bend - 3.0 * (u / s) * (u / s) - 0.25
    second = bend - slope
    third = bend_slope - 3.0 * bend * slope + 2.0 * slope * slope
    over = 1.0 + 0.5 * second * newton
    under = 1.0 + newton * (second + third * newton * (1.0 / 6.0))
    # Far from the zero the rational step can point anywhere; Newton's never points uphill.
    return newton * over / under if (over > 0.0) & (under > 0.0) else newton


@stage
def _objective(s: float, distance: float, beta: float, beta_room: float) -> tuple[float, float]:
    """Return a function that rises through 0 at the solution, and its slope.

    ln(model/target) of the time value; beyond where M is fitted, where the time value saturates,
    −ln(model/target) of its distance to the upper bound.
    """
    u = distance / s
    t = 0.5 * s
    exponent = 0.5 * (u * u + t * t)
    beyond = u - t < MILLS_LOWEST
    mills, gap = mills_pair(t - u if beyond else u - t, u + t, u + u if beyond else s)
    if beyond:
        room = mills + (mills - gap)
        return exponent - math.log(room / beta_room), 1.0 / room
    return math.log(gap / beta) - exponent, 1.0 / gap


@stage
def safe_total_std(value: float, room: float, distance: float, root: float) -> float:
    """Solve for any attainable time value; NaN if there is none or the value under- or overflows."""
    if not (is_positive(value) and is_positive(room) and is_positive(root) and distance < np.inf):
        return np.nan
    beta = value / root * SQRT_2PI
    beta_room = room / root * SQRT_2PI
    # vega ≤ √(XY)/√2π, hence s ≥ β; the other bounds say that the value is a positive double.
    low = max(distance / LARGEST_MONEYNESS, beta * (1.0 - 1e-12))
    high = 2.0 * LARGEST_HALF_STD + math.sqrt(2.0 * distance)
    if not (is_positive(beta) and is_positive(beta_room) and low < high):
        return np.nan
    s = min(max(math.sqrt(2.0 * distance), low), high)
    for _ in range(ITERATIONS):
        f, slope = _objective(s, distance, beta, beta_room)
        if f > 0.0:
            high = s
        else:
            low = s
        u = distance / s
        # Near the upper bound the step solves for ln(room), which is −f.
        beyond = u - 0.5 * s < MILLS_LOWEST
        step = _householder_step(-f, -slope, s, u) if beyond else _householder_step(f, slope, s, u)
        if abs(step) * (1.0 + u * u + 0.25 * s * s) < STEP_SMALL_ENOUGH * s:
            return s + step
        s = s + step if low < s + step < high else math.sqrt(low * high)
    return s


@inlined
def _measure_one(price: float, forward: float, strike: float, right: float) -> tuple[float, float, float, float]:
    """Time value, min(F, K), |F − K| and |ln(F/K)| of an option with an undiscounted price."""
    moneyness = forward - strike
    value = time_value_of_price(price, moneyness, difference_error(forward, strike), right)
    return value, min(forward, strike), abs(moneyness), abs(log_ratio(forward, strike))


@stage
def implied_vol_one(
    price: float, forward: float, strike: float, time_to_expiry: float, right: float, discount_factor: float
) -> float:
    """Volatility of one option whatever its price; NaN where there is none."""
    valid = is_positive(forward) & is_positive(strike) & is_positive(discount_factor)
    if not (valid and abs(right) == 1.0 and is_positive(time_to_expiry)):
        return np.nan
    undiscounted = price / discount_factor
    value, _, _, distance = _measure_one(undiscounted, forward, strike, right)
    room = (forward if right > 0.0 else strike) - undiscounted
    return safe_total_std(value, room, distance, math.sqrt(forward * strike)) / math.sqrt(time_to_expiry)


@stage
def _measure(
    price: Floats,
    forward: Floats,
    strike: Floats,
    time_to_expiry: Floats,
    right: Floats,
    discount_factor: Floats,
    value: Floats,
    lesser: Floats,
    difference: Floats,
    distance: Floats,
    root_time: Floats,
) -> None:
    for j in range(value.size):
        root_time[j] = math.sqrt(time_to_expiry[j])
        measured, lesser[j], difference[j], distance[j] = _measure_one(
            price[j] / discount_factor[j], forward[j], strike[j], right[j]
        )
        value[j] = measured if abs(right[j]) == 1.0 else np.nan


@sequence
def _vol_block(
    price: Floats,
    forward: Floats,
    strike: Floats,
    time_to_expiry: Floats,
    right: Floats,
    discount_factor: Floats,
    volatility: Floats,
    work: Floats,
) -> None:
    lanes = volatility.size
    value, root_time = work[0, :lanes], work[1, :lanes]
    lesser, difference, distance = work[2, :lanes], work[3, :lanes], work[4, :lanes]
    _measure(
        price, forward, strike, time_to_expiry, right, discount_factor, value, lesser, difference, distance, root_time
    )
    if solve_vols(value, lesser, difference, distance, root_time, work[5:], volatility) > 0:
        for j in range(lanes):
            if math.isnan(volatility[j]):
                volatility[j] = implied_vol_one(
                    price[j], forward[j], strike[j], time_to_expiry[j], right[j], discount_factor[j]
                )


@kernel
def implied_vol_many(
    price: Floats,
    forward: Floats,
    strike: Floats,
    time_to_expiry: Floats,
    right: Floats,
    discount_factor: Floats,
    volatility: Floats,
    first: int,
) -> None:
    """Fill ``volatility`` from element ``first`` on; NaN where a price determines none, or inputs are out of domain."""
    scratch = scratch_rows(12 + SOLVE_ROWS, min(LANES, padded(forward.size)))
    work, last = scratch[7:], scratch[:7]
    for start in range(0, forward.size, LANES):
        p, f, k = part(price, start, last[0]), part(forward, start, last[1]), part(strike, start, last[2])
        t, phi = part(time_to_expiry, start, last[3]), part(right, start, last[4])
        d = part(discount_factor, start, last[5])
        room = volatility[first + start : first + min(start + LANES, forward.size)]
        target = room if room.size == LANES else last[6, : f.size]
        _vol_block(p, f, k, t, phi, d, target, work)
        if room.size < LANES:
            copy(target, room)
