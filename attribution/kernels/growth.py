"""What a forward grows by, for many times at once."""

from __future__ import annotations

import math

import numpy as np

from attribution.kernels._jit import exact, lean_kernel
from attribution.kernels.results import Floats

__all__ = ["growth_many"]


@exact
def _growth(years: float, carry: float) -> float:
    """``e^((r − q)T)`` to the bits of :func:`math.exp`; 1 where nothing is carried, infinite where none is a number."""
    if np.isnan(years):
        return 1.0
    exponent = carry * years
    return math.exp(exponent) if exponent < 700.0 else math.inf


@lean_kernel
def growth_many(years: Floats, carry: float, growth: Floats) -> None:
    """Fill ``growth`` from times to expiry [yr] and a carry [per year]."""
    for k in range(years.size):
        growth[k] = _growth(years[k], carry)
