"""The formulas as they are usually written: scipy over whole arrays, and scipy's root finder row by row."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import norm

from benchmarks.contest import Contestant, row_by_row
from benchmarks.sets import Sample

__all__ = ["CONTESTANTS", "DISTRIBUTIONS"]

Floats = NDArray[np.float64]
DISTRIBUTIONS = ("scipy",)
OPTION = ("forward", "strike", "time", "volatility", "right")
SLOW_ROWS = 100
LARGEST_VOL = 20.0


def price(forward: Floats, strike: Floats, time: Floats, vol: Floats, right: Floats) -> Floats:
    """Black's formula over whole arrays."""
    std = vol * np.sqrt(time)
    d1 = np.log(forward / strike) / std + 0.5 * std
    return right * (forward * ndtr(right * d1) - strike * ndtr(right * (d1 - std)))


def greeks(forward: Floats, strike: Floats, time: Floats, vol: Floats, right: Floats) -> list[Floats]:
    """Value, delta, gamma, vega, theta and rho over whole arrays, at zero rates."""
    root_time = np.sqrt(time)
    std = vol * root_time
    d1 = np.log(forward / strike) / std + 0.5 * std
    asset, cash = ndtr(right * d1), ndtr(right * (d1 - std))
    density = np.exp(-0.5 * d1 * d1) / math.sqrt(2 * math.pi)
    return [
        right * (forward * asset - strike * cash),
        right * asset,
        density / (forward * std),
        forward * density * root_time,
        -forward * density * vol / (2 * root_time),
        right * strike * time * cash,
    ]


def scalar_price(forward: float, strike: float, time: float, vol: float, right: float) -> float:
    """Black's formula of one option, with ``scipy.stats.norm``."""
    std = vol * math.sqrt(time)
    d1 = math.log(forward / strike) / std + 0.5 * std
    return float(right * (forward * norm.cdf(right * d1) - strike * norm.cdf(right * (d1 - std))))


def scalar_vol(value: float, forward: float, strike: float, time: float, right: float) -> float:
    """Implied vol of one option: a root finder around the formula."""

    def miss(vol: float) -> float:
        return scalar_price(forward, strike, time, vol, right) - value

    return float(brentq(miss, 1e-6, LARGEST_VOL, xtol=1e-14))


def scalar_leg(
    right: float,
    strike: float,
    forward0: float,
    price0: float,
    time0: float,
    forward1: float,
    price1: float,
    time1: float,
) -> tuple[float, float, float]:
    """Split of one leg's P&L by Shapley's rule: two implied vols, six more prices, the mean over six orders."""
    forwards, times = (forward0, forward1), (time0, time1)
    vols = (scalar_vol(price0, forward0, strike, time0, right), scalar_vol(price1, forward1, strike, time1, right))
    value = {(0, 0, 0): price0, (1, 1, 1): price1}
    for i, j, k in itertools.product((0, 1), repeat=3):
        if (i, j, k) not in value:
            value[i, j, k] = scalar_price(forwards[i], strike, times[k], vols[j], right)
    effects = [0.0, 0.0, 0.0]
    for order in itertools.permutations(range(3)):
        state = [0, 0, 0]
        for factor in order:
            before = value[state[0], state[1], state[2]]
            state[factor] = 1
            effects[factor] += (value[state[0], state[1], state[2]] - before) / 6.0
    return effects[0], effects[1], effects[2]


def _rows(sample: Sample, names: tuple[str, ...]) -> list[tuple[float, ...]]:
    return list(zip(*(sample[name].tolist() for name in names), strict=True))


def _whole(function: Callable[..., object]) -> Callable[[Sample], Callable[[], object]]:
    return lambda sample: functools.partial(function, *(sample[name] for name in OPTION))


def _implied_vol(sample: Sample) -> Callable[[], list[float]]:
    rows = _rows(sample, ("price", "forward", "strike", "time", "right"))
    return lambda: row_by_row(scalar_vol, rows, (ValueError, RuntimeError, ArithmeticError))


def _leg(sample: Sample) -> Callable[[], list[tuple[float, float, float]]]:
    rows = _rows(sample, ("right", "strike", "forward0", "price0", "time0", "forward1", "price1", "time1"))
    return lambda: [scalar_leg(*row) for row in rows]


CONTESTANTS = (
    Contestant("scipy.special.ndtr, whole arrays", "price", _whole(price)),
    Contestant("scipy.special.ndtr, whole arrays (price and 5)", "greeks", _whole(greeks)),
    Contestant("scipy.stats.norm + brentq, row by row", "implied vol", _implied_vol, rows=SLOW_ROWS),
    Contestant(
        "scipy.stats.norm + brentq, row by row", "leg", _leg, lambda found: np.array(found).T, rows=SLOW_ROWS // 2
    ),
)
