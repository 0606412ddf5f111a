"""Scales between the kernels' units (per 1.00, per year) and the units people quote.

Kernels always work per 1.00 of volatility or rate and per year. A scaled number has another name,
and the scaling happens here, once.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BASIS_POINT",
    "DAYS_PER_YEAR",
    "SESSIONS_PER_YEAR",
    "VOL_POINT",
    "rho_per_bp",
    "theta_per_calendar_day",
    "theta_per_session",
    "vega_per_vol_point",
]

VOL_POINT = 0.01
"""One volatility point: 0.20 → 0.21."""

BASIS_POINT = 0.0001
"""One hundredth of a per cent of rate."""

DAYS_PER_YEAR = 365.0
"""Unit of the ``calendar`` clock: days of 86,400 seconds in its year."""

SESSIONS_PER_YEAR = 252.0
"""Unit of the ``sessions`` clock: trading sessions in its year."""

Number = TypeVar("Number", float, NDArray[np.float64])


def vega_per_vol_point(vega: Number) -> Number:
    """Vega for a move of one vol point. [currency per 0.01 of volatility]"""
    return vega * VOL_POINT


def theta_per_calendar_day(theta: Number) -> Number:
    """Theta for one calendar day. [currency per day]; meaningful under the ``calendar`` clock."""
    return theta / DAYS_PER_YEAR


def theta_per_session(theta: Number) -> Number:
    """Theta for one session. [currency per session]; meaningful under the ``sessions`` clock."""
    return theta / SESSIONS_PER_YEAR


def rho_per_bp(rho: Number) -> Number:
    """Rho for a move of one basis point. [currency per 0.0001 of rate]"""
    return rho * BASIS_POINT
