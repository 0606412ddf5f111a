"""QuantLib's formulas, one option per call from Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import QuantLib as ql
from numpy.typing import NDArray

from benchmarks.contest import Contestant, row_by_row
from benchmarks.sets import Sample

__all__ = ["CONTESTANTS", "DISTRIBUTIONS"]

DISTRIBUTIONS = ("QuantLib",)
ROWS = 20_000
ACCURACY = 1e-12
ITERATIONS = 200


def _rows(sample: Sample, *names: str) -> list[tuple[Any, ...]]:
    kinds = [ql.Option.Call if right > 0 else ql.Option.Put for right in sample["right"]]
    return list(zip(kinds, *(sample[name].tolist() for name in names), strict=True))


def _price(sample: Sample) -> Callable[[], list[float]]:
    def value(kind: int, strike: float, forward: float, vol: float, time: float) -> float:
        return float(ql.blackFormula(kind, strike, forward, vol * math.sqrt(time)))

    rows = _rows(sample, "strike", "forward", "volatility", "time")
    return lambda: row_by_row(value, rows, (RuntimeError,))


def _greeks(sample: Sample) -> Callable[[], list[tuple[float, ...]]]:
    def all_of(kind: int, strike: float, forward: float, vol: float, time: float) -> tuple[float, ...]:
        one = ql.BlackCalculator(ql.PlainVanillaPayoff(kind, strike), forward, vol * math.sqrt(time))
        return (
            one.value(),
            one.delta(forward),
            one.gamma(forward),
            one.vega(time),
            one.theta(forward, time),
            one.rho(time),
        )

    rows = _rows(sample, "strike", "forward", "volatility", "time")
    return lambda: [all_of(*row) for row in rows]


def _read_greeks(found: list[tuple[float, ...]]) -> NDArray[np.float64]:
    return np.array(found).T


def _implied_vol(sample: Sample) -> Callable[[], list[float]]:
    guess = ql.nullDouble()

    def vol(kind: int, strike: float, forward: float, value: float, time: float) -> float:
        std = ql.blackFormulaImpliedStdDev(kind, strike, forward, value, 1.0, 0.0, guess, ACCURACY, ITERATIONS)
        return float(std) / math.sqrt(time)

    rows = _rows(sample, "strike", "forward", "price", "time")
    return lambda: row_by_row(vol, rows, (RuntimeError,))


CONTESTANTS = (
    Contestant("QuantLib, row by row", "price", _price, rows=ROWS),
    Contestant("QuantLib, row by row (price and 5)", "greeks", _greeks, _read_greeks, rows=ROWS),
    Contestant(f"QuantLib, row by row, accuracy {ACCURACY:g}", "implied vol", _implied_vol, rows=ROWS),
)
