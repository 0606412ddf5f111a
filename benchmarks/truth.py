"""What is right, to 50 digits: values, greeks, implied vols and splits of legs, by mpmath.

Everything is a function of the exact binary value of its double arguments. Rates are zero, so that spot and
forward are one number. With x = −|ln(F/K)| and s = σ√T, a value over √(FK) is

    b(x, s) = ½ e^(x/2) erfc(−(h + t)/√2) − ½ e^(−x/2) erfc(−(h − t)/√2),    h = x/s, t = s/2

whose cancellation 50 digits can bear. Slow on purpose: nothing here is shared with the kernels.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

from mpmath import MPContext

__all__ = ["DIGITS", "Greeks", "Split", "exact", "greeks", "implied_vol", "price", "shapley", "time_value_ratios"]

DIGITS = 50
ITERATIONS = 80
GOOD_ENOUGH = "1e-22"
"""A Newton step this small leaves an error of about its square."""

exact = MPContext()
"""A context of our own: the caller's working precision stays as it was."""
exact.dps = DIGITS

Number = Any  # mpmath is untyped
ROOT_2 = exact.sqrt(2)
ROOT_2PI = exact.sqrt(2 * exact.pi)


class Greeks(NamedTuple):
    """Value and first-order greeks at zero rates, per 1.00 and per year, and gamma."""

    price: Number
    delta: Number
    gamma: Number
    vega: Number
    theta: Number
    rho: Number


class Split(NamedTuple):
    """A leg's effects by Shapley's rule."""

    spot: Number
    vol: Number
    time: Number


def _normalised(x: Number, s: Number) -> Number:
    """b(x, s) of an out-of-the-money option, x ≤ 0."""
    h, t = x / s, s / 2
    up = exact.exp(x / 2)
    return (up * exact.erfc(-(h + t) / ROOT_2) - exact.erfc(-(h - t) / ROOT_2) / up) / 2


def _moneyness(forward: float, strike: float) -> Number:
    return -abs(exact.log(exact.mpf(forward) / exact.mpf(strike)))


def _intrinsic(forward: float, strike: float, right: float) -> Number:
    difference = exact.mpf(forward) - exact.mpf(strike)
    return max(difference if right > 0 else -difference, exact.mpf(0))


def price(forward: float, strike: float, time: float, volatility: Number, right: float) -> Number:
    """Black's price of one option. [currency]"""
    s = exact.mpf(volatility) * exact.sqrt(exact.mpf(time))
    root = exact.sqrt(exact.mpf(forward) * exact.mpf(strike))
    return _normalised(_moneyness(forward, strike), s) * root + _intrinsic(forward, strike, right)


def time_value_ratios(forward: float, strike: float, time: float, volatility: float) -> tuple[Number, Number]:
    """Time value over the forward, and how far the value stays from its upper bound, relative to that bound."""
    x = _moneyness(forward, strike)
    b = _normalised(x, exact.mpf(volatility) * exact.sqrt(exact.mpf(time)))
    return b * exact.sqrt(exact.mpf(strike) / exact.mpf(forward)), 1 - b / exact.exp(x / 2)


def greeks(forward: float, strike: float, time: float, volatility: float, right: float) -> Greeks:
    """Value and greeks of one option, spot held at the forward for rho."""
    f, k, t, vol = (exact.mpf(number) for number in (forward, strike, time, volatility))
    s = vol * exact.sqrt(t)
    d1 = exact.log(f / k) / s + s / 2
    density = exact.exp(-d1 * d1 / 2) / ROOT_2PI
    asset, cash = (exact.erfc(-right * d / ROOT_2) / 2 for d in (d1, d1 - s))
    return Greeks(
        price=price(forward, strike, time, volatility, right),
        delta=right * asset,
        gamma=density / (f * s),
        vega=f * density * exact.sqrt(t),
        theta=-f * density * vol / (2 * exact.sqrt(t)),
        rho=right * k * t * cash,
    )


def implied_vol(value: float, forward: float, strike: float, time: float, right: float, start: float) -> Number:
    """Volatility at which the price is ``value``; NaN where the value has no time value. [per √year]

    Newton on the logarithm of the time value or, past half of its bound, of the distance to the bound;
    ``start`` is a volatility nearby.
    """
    root_time = exact.sqrt(exact.mpf(time))
    x = _moneyness(forward, strike)
    root = exact.sqrt(exact.mpf(forward) * exact.mpf(strike))
    target = (exact.mpf(value) - _intrinsic(forward, strike, right)) / root
    bound = exact.exp(x / 2)
    if not 0 < target < bound:
        return exact.nan
    s = exact.mpf(start) * root_time
    for _ in range(ITERATIONS):
        h, t = x / s, s / 2
        b = _normalised(x, s)
        vega = exact.exp(-(h * h + t * t) / 2) / ROOT_2PI
        if 2 * b < bound:
            step = -exact.log(b / target) * b / vega
        else:
            step = exact.log((bound - b) / (bound - target)) * (bound - b) / vega
        step = min(max(step, -s / 2), s)
        s += step
        if abs(step) < exact.mpf(GOOD_ENOUGH) * s:
            return s / root_time
    raise ArithmeticError(f"no convergence: value={value!r} {forward=} {strike=} {time=} {right=}")


def shapley(
    right: float, strike: float, forwards: tuple[float, float], vols: tuple[Number, Number], times: tuple[float, float]
) -> Split:
    """Mean over the six orders in which spot, vol and time can move, of what each move is worth."""
    value = {
        (i, j, k): price(forwards[i], strike, times[k], vols[j], right)
        for i, j, k in itertools.product((0, 1), repeat=3)
    }
    totals = [exact.mpf(0)] * 3
    for order in itertools.permutations(range(3)):
        state = [0, 0, 0]
        for factor in order:
            before = value[state[0], state[1], state[2]]
            state[factor] = 1
            totals[factor] += value[state[0], state[1], state[2]] - before
    return Split(*(total / 6 for total in totals))
