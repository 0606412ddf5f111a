"""The library's own side of every contest, on one thread."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution import attribute_legs, black_greeks, black_price, implied_vol
from benchmarks.contest import Contestant
from benchmarks.sets import GREEKS, Sample

__all__ = ["CONTESTANTS", "takes_threads", "with_threads"]

Call = Callable[[], Any]


def takes_threads(function: Callable[..., Any]) -> bool:
    """Whether a function can be told how many threads to use."""
    return "threads" in inspect.signature(function).parameters


def with_threads(function: Callable[..., Any], threads: int) -> Callable[..., Any]:
    """Bind the number of threads, where the function takes one."""
    return functools.partial(function, threads=threads) if takes_threads(function) else function


def _price(sample: Sample) -> Call:
    columns = [sample[name] for name in ("forward", "strike", "time", "volatility", "right")]
    return functools.partial(with_threads(black_price, 1), *columns)


def _greeks(sample: Sample) -> Call:
    columns = [sample[name] for name in ("forward", "strike", "time", "volatility", "right")]
    return functools.partial(with_threads(black_greeks, 1), *columns)


def _first_greeks(result: Any) -> NDArray[np.float64]:
    return np.stack([getattr(result, name) for name in GREEKS])


def _implied_vol(sample: Sample) -> Call:
    columns = [sample[name] for name in ("price", "forward", "strike", "time", "right")]
    return functools.partial(with_threads(implied_vol, 1), *columns)


def _leg(sample: Sample) -> Call:
    names = ("right", "strike", "forward0", "price0", "time0", "forward1", "price1", "time1")
    return functools.partial(with_threads(attribute_legs, 1), *(sample[name] for name in names), method="shapley")


def _three_effects(result: Any) -> NDArray[np.float64]:
    return np.stack([result.spot, result.vol, result.timedecay])


CONTESTANTS = (
    Contestant("attribution.black_price", "price", _price),
    Contestant("attribution.black_greeks (price and 9)", "greeks", _greeks, _first_greeks),
    Contestant("attribution.implied_vol", "implied vol", _implied_vol),
    Contestant("attribution.attribute_legs, Shapley", "leg", _leg, _three_effects),
)
