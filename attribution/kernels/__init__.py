"""Numbers in, numbers out: option values, implied volatilities, and the split of one leg's P&L.

numba, numpy and math only. Nothing compiles before the first call.
"""

from attribution.kernels._jit import cache_folder, on_compile
from attribution.kernels.arrays import attribute_legs, black_greeks, black_price, implied_vol
from attribution.kernels.codes import Factor, LegFlag, LegStatus, Method
from attribution.kernels.results import BlackGreeks, LegDetail, LegEffects

__all__ = [
    "BlackGreeks",
    "Factor",
    "LegDetail",
    "LegEffects",
    "LegFlag",
    "LegStatus",
    "Method",
    "attribute_legs",
    "black_greeks",
    "black_price",
    "cache_folder",
    "implied_vol",
    "on_compile",
]
