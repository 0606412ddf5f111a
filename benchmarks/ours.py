"""The library's own side of every contest, on one thread.

The call that everyone makes comes first; beside it the same with ``out=``, which spares it fresh memory.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution import attribute_legs, black_greeks, black_price, implied_vol
from attribution.kernels._columns import columns_of
from attribution.kernels.greek_blocks import GREEK_COUNT_WITHOUT_DECAY, black_greeks_many
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


def _seven_greeks(sample: Sample) -> Call:
    """The kernel itself, told to leave out charm and veta: price and seven greeks, in a table that is kept."""
    rates = np.zeros(len(sample))
    names = ("forward", "strike", "time", "volatility", "right")
    columns = columns_of([*(sample[name] for name in names), rates, rates, rates]).ready
    table = np.empty((GREEK_COUNT_WITHOUT_DECAY, len(sample)))

    def call() -> NDArray[np.float64]:
        black_greeks_many(*columns, table, 0)
        return table

    return call


def _implied_vol(sample: Sample) -> Call:
    columns = [sample[name] for name in ("price", "forward", "strike", "time", "right")]
    return functools.partial(with_threads(implied_vol, 1), *columns)


def _leg(sample: Sample) -> Call:
    names = ("right", "strike", "forward0", "price0", "time0", "forward1", "price1", "time1")
    return functools.partial(with_threads(attribute_legs, 1), *(sample[name] for name in names), method="shapley")


def _three_effects(result: Any) -> NDArray[np.float64]:
    return np.stack([result.spot, result.vol, result.timedecay])


def _again(prepare: Callable[[Sample], Call]) -> Callable[[Sample], Call]:
    """Make the call fill the arrays of an earlier one."""

    def prepare_again(sample: Sample) -> Call:
        call = prepare(sample)
        return functools.partial(call, out=call())

    return prepare_again


CONTESTANTS = (
    Contestant("attribution.black_price", "price", _price),
    Contestant("attribution.black_price, out=", "price", _again(_price)),
    Contestant("attribution.black_greeks (price and 9)", "greeks", _greeks, _first_greeks),
    Contestant("attribution.black_greeks, out=", "greeks", _again(_greeks), _first_greeks),
    Contestant(
        "attribution, price and 7",
        "greeks",
        _seven_greeks,
        lambda table: np.asarray(table[: len(GREEKS)]),
        remark="the kernel of black_greeks without charm and veta, which no public call leaves out",
    ),
    Contestant("attribution.implied_vol", "implied vol", _implied_vol),
    Contestant("attribution.implied_vol, out=", "implied vol", _again(_implied_vol)),
    Contestant("attribution.attribute_legs, Shapley", "leg", _leg, _three_effects),
    Contestant("attribution.attribute_legs, Shapley, out=", "leg", _again(_leg), _three_effects),
)
