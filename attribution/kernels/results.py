"""What the public functions return: named tuples of arrays, all of the arguments' broadcast shape."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["BlackGreeks", "Floats", "Integers", "LegDetail", "LegEffects", "LegRow", "LegTable"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class BlackGreeks(NamedTuple):
    """Value of an option and its derivatives, per 1.00 of spot, volatility and rate, and per year."""

    price: Floats
    delta: Floats
    """∂V/∂S"""
    gamma: Floats
    """∂²V/∂S²"""
    vega: Floats
    """∂V/∂σ"""
    theta: Floats
    """∂V/∂t = −∂V/∂T: usually negative."""
    rho: Floats
    """∂V/∂r, spot and basis held."""
    vanna: Floats
    """∂²V/∂S∂σ"""
    volga: Floats
    """∂²V/∂σ²"""
    charm: Floats
    """∂²V/∂S∂t"""
    veta: Floats
    """∂²V/∂σ∂t"""


class LegDetail(NamedTuple):
    """What a leg's effects are made of. [currency per unit]

    The same numbers whatever the method, save ``basis``.
    """

    delta_pnl: Floats
    """Greek at the start × move of spot, vol and time; NaN, as the next ten, where no vol exists there."""
    gamma_pnl: Floats
    vega_pnl: Floats
    volga_pnl: Floats
    theta_pnl: Floats
    theta2_pnl: Floats
    vanna_pnl: Floats
    charm_pnl: Floats
    veta_pnl: Floats
    basis_pnl: Floats
    """All terms that contain the move of the basis, to second order."""
    unexplained: Floats
    """P&L less the ten terms above and the mark gap."""
    basis: Floats
    """The part of the spread effect that the move of the basis makes, by the chosen method."""
    mark_gap: Floats
    """The part of the spread effect that is observed price − model price, end less start."""
    main_spot: Floats
    """Effect of one factor alone, from the start; then what two, three, four do together beyond that.
    These fifteen and the mark gap add up to the P&L."""
    main_spread: Floats
    main_vol: Floats
    main_time: Floats
    spot_spread: Floats
    spot_vol: Floats
    spot_time: Floats
    spread_vol: Floats
    spread_time: Floats
    vol_time: Floats
    spot_spread_vol: Floats
    spot_spread_time: Floats
    spot_vol_time: Floats
    spread_vol_time: Floats
    spot_spread_vol_time: Floats


class LegEffects(NamedTuple):
    """One leg's P&L over a window by cause. [currency per unit of the leg]"""

    spot: Floats
    vol: Floats
    timedecay: Floats
    spread: Floats
    residual: Floats
    """P&L less the four effects: rounding, except for ``taylor`` and ``one_at_a_time``."""
    vol0: Floats
    """Volatility implied at the start; NaN where the price determines none (also if one is borrowed)."""
    vol1: Floats
    status: Integers
    """A :class:`~attribution.kernels.codes.LegStatus` per leg."""
    flags: Integers
    """:class:`~attribution.kernels.codes.LegFlag` bits per leg."""
    detail: LegDetail | None
    """Only where asked for."""


class LegTable(NamedTuple):
    """The effects of n legs as plain, contiguous tables; a row each in the order of the named results."""

    effects: Floats
    """(7, n): the rows of :class:`LegEffects` up to ``vol1``. [currency per unit of the leg, per √year]"""
    detail: Floats
    """(28, n): the rows of :class:`LegDetail`; (28, 0) where it was not asked for."""
    status: Integers
    flags: Integers


class LegRow(NamedTuple):
    """The effects of one leg as plain numbers, for callers that go on leg by leg."""

    effects: list[float]
    """The seven of :class:`LegTable`."""
    status: int
    flags: int
    detail: list[float] | None
    """Only where asked for."""
