"""py_vollib: Jäckel's LetsBeRational behind Python functions of one option."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contest import Contestant, row_by_row
from benchmarks.peers import DAY, VOL_POINT
from benchmarks.sets import Sample

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it announces its successor
    from py_vollib.black import undiscounted_black
    from py_vollib.black.implied_volatility import implied_volatility_of_undiscounted_option_price
    from py_vollib.black_scholes import black_scholes
    from py_vollib.black_scholes.greeks import analytical

__all__ = ["CONTESTANTS", "DISTRIBUTIONS"]

DISTRIBUTIONS = ("py_vollib", "vollib")
ROWS = 5_000
UNITS = np.array([[1.0], [1.0], [1.0], [1 / VOL_POINT], [1 / DAY], [1 / VOL_POINT]])
ERRORS = (Exception,)  # it has an exception tree of its own, not derived from the usual ones
FUNCTIONS = (analytical.delta, analytical.gamma, analytical.vega, analytical.theta, analytical.rho)


def _rows(sample: Sample, *names: str) -> list[tuple[Any, ...]]:
    flags = np.where(sample["right"] > 0, "c", "p").tolist()
    columns = {"flag": flags, "rate": [0.0] * len(sample)}
    return list(zip(*(columns.get(name) or sample[name].tolist() for name in names), strict=True))


def _price(sample: Sample) -> Callable[[], list[float]]:
    rows = _rows(sample, "forward", "strike", "volatility", "time", "flag")
    return lambda: row_by_row(undiscounted_black, rows, ERRORS)


def _greeks(sample: Sample) -> Callable[[], list[list[float]]]:
    rows = _rows(sample, "flag", "forward", "strike", "time", "rate", "volatility")
    return lambda: [row_by_row(function, rows, ERRORS) for function in (black_scholes, *FUNCTIONS)]


def _read_greeks(found: list[list[float]]) -> NDArray[np.float64]:
    return np.array(found) * UNITS


def _implied_vol(sample: Sample) -> Callable[[], list[float]]:
    rows = _rows(sample, "price", "forward", "strike", "time", "flag")
    return lambda: row_by_row(implied_volatility_of_undiscounted_option_price, rows, ERRORS)


CONTESTANTS = (
    Contestant("py_vollib, row by row", "price", _price, rows=ROWS),
    Contestant("py_vollib, row by row (price and 5)", "greeks", _greeks, _read_greeks, rows=ROWS),
    Contestant("py_vollib, row by row", "implied vol", _implied_vol, rows=ROWS),
)
