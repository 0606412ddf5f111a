"""fast-vollib: py_vollib's interface over arrays; by the backend that is its fastest here, and its Jäckel solver."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import fast_vollib
import numpy as np
from fast_vollib.jackel import jackel_iv_black
from numpy.typing import NDArray

from benchmarks.contest import Contestant
from benchmarks.peers import DAY, VOL_POINT
from benchmarks.sets import Sample

__all__ = ["CONTESTANTS", "DISTRIBUTIONS"]

DISTRIBUTIONS = ("fast-vollib",)
ROWS = 200_000


def _columns(sample: Sample) -> list[Any]:
    flags = np.where(sample["right"] > 0, "c", "p")
    return [flags, *(sample[name] for name in ("forward", "strike", "time")), 0.0, sample["volatility"]]


def _price(sample: Sample) -> Callable[[], Any]:
    return functools.partial(fast_vollib.fast_black, *_columns(sample), return_as="numpy", backend="numba")


def _greeks(sample: Sample) -> Callable[[], Any]:
    columns = _columns(sample)
    price = functools.partial(fast_vollib.fast_black, *columns, return_as="numpy", backend="numba")
    greeks = functools.partial(fast_vollib.get_all_greeks, *columns, return_as="dict", backend="numba")
    return lambda: (price(), greeks())


def _read_greeks(found: Any) -> NDArray[np.float64]:
    price, greek = found
    scaled = [(greek["vega"], VOL_POINT), (greek["theta"], DAY), (greek["rho"], VOL_POINT)]
    return np.stack([price, greek["delta"], greek["gamma"]] + [row / unit for row, unit in scaled])


def _implied_vol(sample: Sample) -> Callable[[], Any]:
    columns = [sample[name] for name in ("price", "forward", "strike", "time")]
    return functools.partial(jackel_iv_black, *columns, sample["right"] > 0)


CONTESTANTS = (
    Contestant("fast-vollib", "price", _price, rows=ROWS),
    Contestant("fast-vollib (price and 5)", "greeks", _greeks, _read_greeks, rows=ROWS),
    Contestant("fast-vollib, jackel", "implied vol", _implied_vol, rows=ROWS),
)
