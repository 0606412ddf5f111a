"""py_vollib_vectorized: py_vollib's formulas over arrays by numba. Its import replaces py_vollib's functions."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contest import Contestant
from benchmarks.peers import DAY, VOL_POINT
from benchmarks.sets import Sample

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from py_vollib_vectorized import get_all_greeks, vectorized_black, vectorized_implied_volatility_black

__all__ = ["CONTESTANTS", "DISTRIBUTIONS"]

DISTRIBUTIONS = ("py_vollib_vectorized", "py_vollib", "py_lets_be_rational")
ROWS = 200_000


def _columns(sample: Sample, *names: str) -> list[Any]:
    made = {"flag": np.where(sample["right"] > 0, "c", "p"), "rate": np.zeros(len(sample))}
    return [made[name] if name in made else sample[name] for name in names]


def _price(sample: Sample) -> Callable[[], Any]:
    columns = _columns(sample, "flag", "forward", "strike", "time", "rate", "volatility")
    return functools.partial(vectorized_black, *columns, return_as="numpy")


def _greeks(sample: Sample) -> Callable[[], Any]:
    columns = _columns(sample, "flag", "forward", "strike", "time", "rate", "volatility")
    price = functools.partial(vectorized_black, *columns, return_as="numpy")
    greeks = functools.partial(get_all_greeks, *columns, model="black_scholes", return_as="dict")
    return lambda: (price(), greeks())


def _read_greeks(found: Any) -> NDArray[np.float64]:
    price, greek = found
    rows = [price, greek["delta"], greek["gamma"]]
    scaled = [(greek["vega"], VOL_POINT), (greek["theta"], DAY), (greek["rho"], VOL_POINT)]
    return np.stack([np.asarray(row) for row in rows] + [np.asarray(row) / unit for row, unit in scaled])


def _implied_vol(sample: Sample) -> Callable[[], Any]:
    columns = _columns(sample, "price", "forward", "strike", "rate", "time", "flag")
    return functools.partial(vectorized_implied_volatility_black, *columns, on_error="ignore", return_as="numpy")


CONTESTANTS = (
    Contestant("py_vollib_vectorized", "price", _price, rows=ROWS),
    Contestant(
        "py_vollib_vectorized (price and 5)",
        "greeks",
        _greeks,
        _read_greeks,
        rows=ROWS,
        not_judged=("theta",),
        remark="its greeks are finite differences of fixed steps, its theta the loss of the next day: not judged",
    ),
    Contestant("py_vollib_vectorized", "implied vol", _implied_vol, rows=ROWS),
)
