"""Price, greeks, implied vol and the split of one leg, over arrays; scipy beside them on the same arrays."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from attribution import attribute_legs, black_greeks, black_price, implied_vol
from benchmarks.timing import measure, print_table

SEED = 20250130


def sample(n: int) -> dict[str, np.ndarray]:
    """Market-like options, and their state a little later."""
    rng = np.random.default_rng(SEED)
    forward = rng.uniform(50.0, 150.0, n)
    market = {
        "forward": forward,
        "strike": forward / rng.uniform(0.7, 1.3, n),
        "time": np.exp(rng.uniform(math.log(5 / 252), math.log(2.0), n)),
        "vol": rng.uniform(0.1, 1.0, n),
        "right": rng.choice([-1.0, 1.0], n),
    }
    market["later_forward"] = forward * np.exp(rng.normal(0.0, 0.01, n))
    market["later_time"] = market["time"] - 1 / 252
    market["later_vol"] = market["vol"] * np.exp(rng.normal(0.0, 0.05, n))
    return market


def scipy_price(m: dict[str, np.ndarray]) -> np.ndarray:
    """Black's formula as it is usually written, over whole arrays."""
    std = m["vol"] * np.sqrt(m["time"])
    d1 = np.log(m["forward"] / m["strike"]) / std + 0.5 * std
    phi = m["right"]
    return phi * (m["forward"] * ndtr(phi * d1) - m["strike"] * ndtr(phi * (d1 - std)))


def brentq_vol(price: float, forward: float, strike: float, time: float, right: float) -> float:
    """Implied vol of one option as it is usually written: a root finder around the formula."""

    def miss(vol: float) -> float:
        std = vol * math.sqrt(time)
        d1 = math.log(forward / strike) / std + 0.5 * std
        return float(right * (forward * ndtr(right * d1) - strike * ndtr(right * (d1 - std)))) - price

    return float(brentq(miss, 1e-4, 5.0, xtol=1e-12))


def main(n: int = 200_000) -> None:
    """Print the tables."""
    m = sample(n)
    args = (m["forward"], m["strike"], m["time"], m["vol"], m["right"])
    price = black_price(*args)
    ours = measure("attribution.black_price", lambda: black_price(*args), n)
    theirs = measure("scipy.special.ndtr over whole arrays", lambda: scipy_price(m), n)
    print_table(f"Price of {n:,} options", "option", [ours, theirs])
    print_table(
        f"Price and nine greeks of {n:,} options",
        "option",
        [measure("attribution.black_greeks", lambda: black_greeks(*args), n)],
    )

    few = 200
    solve = (price, m["forward"], m["strike"], m["time"], m["right"])
    rows = [tuple(float(column[i]) for column in solve) for i in range(few)]
    ours = measure("attribution.implied_vol", lambda: implied_vol(*solve), n)
    theirs = measure("scipy.optimize.brentq, row by row", lambda: [brentq_vol(*row) for row in rows], few, rounds=3)
    print_table(f"Implied vol of {n:,} options", "option", [ours, theirs])

    later = black_price(m["later_forward"], m["strike"], m["later_time"], m["later_vol"], m["right"])
    timings = [
        measure(
            f"attribution.attribute_legs, {method}",
            lambda method=method: attribute_legs(
                m["right"],
                m["strike"],
                m["forward"],
                price,
                m["time"],
                m["later_forward"],
                later,
                m["later_time"],
                method=method,
                steps=4,
            ),
            n,
        )
        for method in ("waterfall", "shapley", "path", "one_at_a_time", "taylor")
    ]
    print_table(f"Split of {n:,} legs (two implied vols each; path in 4 steps)", "leg", timings)
