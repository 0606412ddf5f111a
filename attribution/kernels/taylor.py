"""The second-order expansion of a window in the greeks at its start."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attribution.kernels._jit import stage
from attribution.kernels.block import (
    PRICE0,
    PRICE1,
    RATE,
    RIGHT,
    SPOT,
    SPREAD,
    STRIKE,
    TIME,
    VOL,
    YIELD,
    Block,
)
from attribution.kernels.greeks import greeks_one

__all__ = ["BASIS", "DELTA", "GREEK_TERMS", "fill_greek_terms"]

Floats = NDArray[np.float64]

# Rows of the greek detail. BASIS holds every term with the move of the basis, UNEXPLAINED what neither
# the other ten nor the mark gap explain.
DELTA, GAMMA, VEGA, VOLGA, THETA, THETA2, VANNA, CHARM, VETA, BASIS, UNEXPLAINED = range(11)
GREEK_TERMS = 11


@stage
def fill_greek_terms(block: Block, lanes: int, gap: Floats, terms: Floats, effects: Floats) -> None:
    """Fill the greek terms, and ``effects`` as the Taylor method shares them; NaN without a start vol.

    Each mixed term goes half and half to its two factors. Spot and basis enter the value only as their
    sum, so both have the same greeks.
    """
    legs, window = block.legs, block.window
    for j in range(lanes):
        spot, basis, time = window[SPOT, 0, j], window[SPREAD, 0, j], window[TIME, 0, j]
        vol = block.own_vol[0, j]
        g = greeks_one(spot, basis, legs[STRIKE, j], time, vol, legs[RIGHT, j], legs[RATE, j], legs[YIELD, j])
        spot_move = window[SPOT, 1, j] - spot
        basis_move = window[SPREAD, 1, j] - basis
        vol_move = window[VOL, 1, j] - vol
        elapsed = time - window[TIME, 1, j]
        delta, gamma = g.delta * spot_move, 0.5 * g.gamma * spot_move * spot_move
        vega, volga = g.vega * vol_move, 0.5 * g.volga * vol_move * vol_move
        theta, theta2 = g.theta * elapsed, 0.5 * g.theta2 * elapsed * elapsed
        vanna = g.vanna * spot_move * vol_move
        charm = g.charm * spot_move * elapsed
        veta = g.veta * vol_move * elapsed
        spot_basis = g.gamma * spot_move * basis_move
        basis_vol = g.vanna * basis_move * vol_move
        basis_time = g.charm * basis_move * elapsed
        basis_alone = g.delta * basis_move + 0.5 * g.gamma * basis_move * basis_move
        terms[DELTA, j], terms[GAMMA, j] = delta, gamma
        terms[VEGA, j], terms[VOLGA, j] = vega, volga
        terms[THETA, j], terms[THETA2, j] = theta, theta2
        terms[VANNA, j], terms[CHARM, j], terms[VETA, j] = vanna, charm, veta
        terms[BASIS, j] = basis_alone + spot_basis + basis_vol + basis_time
        effects[SPOT, j] = delta + gamma + 0.5 * (spot_basis + vanna + charm)
        effects[SPREAD, j] = basis_alone + 0.5 * (spot_basis + basis_vol + basis_time)
        effects[VOL, j] = vega + volga + 0.5 * (vanna + basis_vol + veta)
        effects[TIME, j] = theta + theta2 + 0.5 * (charm + basis_time + veta)
    for j in range(lanes):
        explained = gap[j]
        for row in range(UNEXPLAINED):
            explained += terms[row, j]
        terms[UNEXPLAINED, j] = (legs[PRICE1, j] - legs[PRICE0, j]) - explained
