"""Price → volatility: one explicit seed and one fourth-order step, with a safeguarded loop behind them.

With c the time value, β = c √2π / √(XY), and u, t, M as in :mod:`attribution.kernels.black`, the total
deviation s = σ√T solves

    f(s) = ln( [M(u − t) − M(u + t)] / β ) − (u² + t²)/2 = 0,     f′ = 1 / [M(u − t) − M(u + t)]

The seed inverts Bachelier's model and corrects it to Black's (relative error 3e-6); a Householder step of
third order then ends at rounding. Lanes outside the seed's domain are repeated by an iteration that keeps
a bracket. After Jäckel, "Let's be rational" (2015), whose objective function this is.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from attribution.kernels._constants import (
    BACHELIER_DENOMINATOR,
    BACHELIER_NUMERATOR,
    LOGNORMAL_DENOMINATOR,
    LOGNORMAL_NUMERATOR,
)
from attribution.kernels._jit import BLOCK, inlined, kernel, stage
from attribution.kernels.black import is_positive
from attribution.kernels.elementary import difference_error, log_ratio, polynomial
from attribution.kernels.normal import INV_SQRT_2PI, MILLS_LOWEST, SQRT_2PI, mills_pair

__all__ = ["implied_vol_many", "solve_total_std", "time_value_of_price"]

UNSOLVED = -1.0
# Keeps ln(1 + |F − K|/c) and the seed away from 0/0 at the money; too small to be seen elsewhere.
AT_THE_MONEY = 1e-11
SEED_LARGEST_LOG = 45.0
SEED_LARGEST_STD = 2.5
SEED_SMALLEST_BETA = 1e-290
SEED_LARGEST_STEP = 2e-5

ITERATIONS = 200
STEP_SMALL_ENOUGH = 1e-5
LARGEST_MONEYNESS = 64.0
"""No positive double is the time value of an option this many deviations from the money."""
LARGEST_HALF_STD = 40.0
"""Nor is the distance to the upper bound, for half deviations that exceed the moneyness by so much."""


@inlined
def time_value_of_price(price: float, upper: float, lower: float, right: float, error: float) -> float:
    """Price less intrinsic value, exact up to one rounding. [currency]

    ``upper`` − ``lower`` is forward − strike (discounted alike), ``error`` what is known to be missing
    from that difference beyond its own rounding.
    """
    intrinsic = right * (upper - lower)
    missing = right * (difference_error(upper, lower) + error)
    return (price - intrinsic) - missing if intrinsic > 0.0 else price


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
    return bachelier * (1.0 + y * p / q)


@inlined
def _householder_step(f: float, slope: float, s: float, u: float) -> float:
    """Fourth-order step to the zero of f = ln(model/target), with f′ = ``slope`` at s.

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


@inlined
def _start(value: float, distance: float, difference: float, root: float) -> float:
    """Seed of the total deviation; NaN outside its domain."""
    beta = value * (SQRT_2PI / root)
    logarithm = log_ratio(value + (difference + AT_THE_MONEY * value), value)
    s = _seed(distance + AT_THE_MONEY * INV_SQRT_2PI * beta, logarithm)
    good = (value > 0.0) & (logarithm < SEED_LARGEST_LOG) & (beta > SEED_SMALLEST_BETA)
    return s if good & (s < SEED_LARGEST_STD) else np.nan


@inlined
def _finish(s: float, gap: float, value: float, distance: float, root: float) -> float:
    """One step from a seed s with ``gap`` = M(u − t) − M(u + t); ``UNSOLVED`` if that is not enough."""
    beta = value * (SQRT_2PI / root)
    u = distance / s
    t = 0.5 * s
    f = log_ratio(gap, beta) - 0.5 * (u * u + t * t)
    step = _householder_step(f, 1.0 / gap, s, u)
    good = (abs(step) < SEED_LARGEST_STEP * s) & (u - t > MILLS_LOWEST)
    return s + step if good else UNSOLVED


@inlined
def _objective(s: float, distance: float, beta: float, beta_room: float) -> tuple[float, float]:
    """Return a function that rises through 0 at the solution, and its slope.

    ln(model/target) of the time value; beyond the Mills polynomial, where the time value saturates,
    −ln(model/target) of its distance to the upper bound.
    """
    u = distance / s
    t = 0.5 * s
    exponent = 0.5 * (u * u + t * t)
    if u - t < MILLS_LOWEST:
        mills, gap = mills_pair(t - u, u + t, u + u)
        room = mills + (mills - gap)
        return exponent - math.log(room / beta_room), 1.0 / room
    _, gap = mills_pair(u - t, u + t, s)
    return math.log(gap / beta) - exponent, 1.0 / gap


@stage
def _safe_total_std(value: float, room: float, distance: float, root: float) -> float:
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


@stage
def solve_total_std(
    value: NDArray[np.float64],
    room: NDArray[np.float64],
    distance: NDArray[np.float64],
    difference: NDArray[np.float64],
    root: NDArray[np.float64],
    gap: NDArray[np.float64],
    total_std: NDArray[np.float64],
) -> None:
    """Fill ``total_std`` with σ√T; NaN where no volatility exists.

    One short loop per stage: a processor overlaps the steps of many short loops better than of a long one.

    Parameters
    ----------
    value, room
        Time value of the option, and its price's distance to the upper bound. [currency]
    distance, difference, root
        |ln(X/Y)|, |X − Y| and √(XY) of discounted forward X and strike Y.
    gap
        Scratch.
    """
    for i in range(value.size):
        total_std[i] = _start(value[i], distance[i], difference[i], root[i])
    for i in range(value.size):
        s = total_std[i]
        u = distance[i] / s
        _, gap[i] = mills_pair(u - 0.5 * s, u + 0.5 * s, s)
    unsolved = 0
    for i in range(value.size):
        total_std[i] = _finish(total_std[i], gap[i], value[i], distance[i], root[i])
        unsolved += total_std[i] == UNSOLVED
    if unsolved > 0:
        for i in range(value.size):
            if total_std[i] == UNSOLVED:
                total_std[i] = _safe_total_std(value[i], room[i], distance[i], root[i])


@stage
def _prepare(
    price: NDArray[np.float64],
    forward: NDArray[np.float64],
    strike: NDArray[np.float64],
    right: NDArray[np.float64],
    discount_factor: NDArray[np.float64],
    work: NDArray[np.float64],
) -> None:
    """Fill the rows of ``work`` with the first five arguments of :func:`solve_total_std`."""
    for i in range(price.size):
        f, k, phi = forward[i], strike[i], right[i]
        undiscounted = price[i] / discount_factor[i]
        valid = is_positive(f) & is_positive(k) & is_positive(discount_factor[i]) & (abs(phi) == 1.0)
        value = time_value_of_price(undiscounted, f, k, phi, 0.0)
        work[0, i] = value if valid else np.nan
        work[1, i] = (f if phi > 0.0 else k) - undiscounted
        work[2, i] = abs(log_ratio(f, k))
        work[3, i] = abs(f - k)
        work[4, i] = math.sqrt(f * k)


@kernel
def implied_vol_many(
    price: NDArray[np.float64],
    forward: NDArray[np.float64],
    strike: NDArray[np.float64],
    time_to_expiry: NDArray[np.float64],
    right: NDArray[np.float64],
    discount_factor: NDArray[np.float64],
    volatility: NDArray[np.float64],
) -> None:
    """Fill ``volatility``; NaN where the price determines none, or an input is outside its domain."""
    work = np.empty((6, BLOCK))
    for start in range(0, volatility.size, BLOCK):
        b = slice(start, min(start + BLOCK, volatility.size))
        n = b.stop - b.start
        _prepare(price[b], forward[b], strike[b], right[b], discount_factor[b], work[:, :n])
        solve_total_std(work[0, :n], work[1], work[2], work[3], work[4], work[5], volatility[b])
        for i in range(b.start, b.stop):
            alive = is_positive(time_to_expiry[i])
            volatility[i] = volatility[i] / math.sqrt(time_to_expiry[i]) if alive else np.nan
