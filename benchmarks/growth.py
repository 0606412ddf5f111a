"""How the cost of each public function grows with the number of options, on one thread and on two.

A slow-down at n = 1 is overhead per call; at 1,000 in the kernel; from 100,000 on in memory or threads.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution import attribute_legs, black_greeks, black_price, implied_vol
from benchmarks.ours import takes_threads
from benchmarks.sets import SEED
from benchmarks.tables import Table, nanoseconds
from benchmarks.timing import median_seconds

__all__ = ["measure_growth", "table"]

SIZES = tuple(10**power for power in range(8))
THREADS = (1, 2)
METHODS = ("waterfall", "shapley", "path", "one_at_a_time", "taylor")
SESSION = 1 / 252
Row = dict[str, Any]


def market(n: int) -> dict[str, NDArray[np.float64]]:
    """Everyday options and their state a session later, without truth."""
    random = np.random.default_rng(SEED)
    forward = random.uniform(50.0, 150.0, n)
    state = {
        "forward": forward,
        "strike": forward / random.uniform(0.7, 1.3, n),
        "time": np.exp(random.uniform(np.log(5 * SESSION), np.log(2.0), n)),
        "vol": random.uniform(0.1, 1.0, n),
        "right": random.choice([-1.0, 1.0], n),
    }
    state["price"] = black_price(forward, state["strike"], state["time"], state["vol"], state["right"])
    state["later_forward"] = forward * np.exp(random.normal(0.0, 0.01, n))
    state["later_time"] = state["time"] - SESSION
    later_vol = state["vol"] * np.exp(random.normal(0.0, 0.05, n))
    state["later_price"] = black_price(
        state["later_forward"], state["strike"], state["later_time"], later_vol, state["right"]
    )
    return state


def calls(n: int) -> Iterator[tuple[str, Callable[..., Any], Callable[..., Any]]]:
    """Name, function and call of everything that is timed at one size."""
    m = market(n)
    options = [m[name] for name in ("forward", "strike", "time", "vol", "right")]
    solve = [m[name] for name in ("price", "forward", "strike", "time", "right")]
    legs = [m[name] for name in ("right", "strike", "forward", "price", "time")]
    legs += [m[name] for name in ("later_forward", "later_price", "later_time")]
    yield "black_price", black_price, functools.partial(black_price, *options)
    yield "black_greeks", black_greeks, functools.partial(black_greeks, *options)
    yield "implied_vol", implied_vol, functools.partial(implied_vol, *solve)
    for method in METHODS:
        call = functools.partial(attribute_legs, *legs, method=method, steps=4)
        yield f"attribute_legs, {method}{' in 4 steps' if method == 'path' else ''}", attribute_legs, call


def measure_growth(largest: int = SIZES[-1]) -> list[Row]:
    """Time every function at every size up to ``largest``, with every number of threads it can use."""
    rows: list[Row] = []
    for n in (size for size in SIZES if size <= largest):
        for name, function, call in calls(n):
            for threads in THREADS if takes_threads(function) else (1,):
                timed = functools.partial(call, threads=threads) if takes_threads(function) else call
                seconds = median_seconds(timed, budget=0.3)
                rows.append({"function": name, "n": n, "threads": threads, "nanoseconds": seconds / n * 1e9})
    return rows


def table(rows: list[Row]) -> Table:
    """One line per function and number of threads, one column per size."""
    sizes = sorted({row["n"] for row in rows})
    cost = {(row["function"], row["threads"], row["n"]): row["nanoseconds"] for row in rows}
    lines = list(dict.fromkeys((row["function"], row["threads"]) for row in rows))
    return Table(
        "Cost against size: ns per option or leg (two threads need two idle cores)",
        ("function", "threads", *(f"n = {size:,}" for size in sizes)),
        [[name, str(threads), *(nanoseconds(cost[name, threads, n]) for n in sizes)] for name, threads in lines],
    )
