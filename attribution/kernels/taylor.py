"""The second-order expansion of a window in the greeks at its start."""

from __future__ import annotations

import math
from typing import NamedTuple

from attribution.kernels._jit import inlined, sequence, stage
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
    is_option,
)
from attribution.kernels.greek_blocks import WEIGHT, WORK_ROWS, State, fill_measures, measures_at
from attribution.kernels.greeks import Greeks, combine, greeks_one
from attribution.kernels.lanes import Floats, read_only

__all__ = ["BASIS", "DELTA", "GREEK_TERMS", "TAYLOR_ROWS", "fill_greek_terms"]

# Rows of the greek detail. BASIS holds every term with the move of the basis, UNEXPLAINED what neither
# the other ten nor the mark gap explain.
DELTA, GAMMA, VEGA, VOLGA, THETA, THETA2, VANNA, CHARM, VETA, BASIS, UNEXPLAINED = range(11)
GREEK_TERMS = 11
TAYLOR_ROWS = WORK_ROWS


class Expansion(NamedTuple):
    """Terms of one leg's expansion, and the effects they add up to. [currency]"""

    delta: float
    gamma: float
    vega: float
    volga: float
    theta: float
    theta2: float
    vanna: float
    charm: float
    veta: float
    basis: float
    spot_effect: float
    spread_effect: float
    vol_effect: float
    time_effect: float


@inlined
def _expand(g: Greeks, window: Floats, vol: float, j: int) -> Expansion:
    """Expand one leg. Each mixed term goes half and half to its two factors.

    Spot and basis enter the value only as their sum, so both have the same greeks. In a loop, what the
    loop does not store is not computed.
    """
    spot_move = window[SPOT, 1, j] - window[SPOT, 0, j]
    basis_move = window[SPREAD, 1, j] - window[SPREAD, 0, j]
    vol_move = window[VOL, 1, j] - vol
    elapsed = window[TIME, 0, j] - window[TIME, 1, j]
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
    return Expansion(
        delta=delta,
        gamma=gamma,
        vega=vega,
        volga=volga,
        theta=theta,
        theta2=theta2,
        vanna=vanna,
        charm=charm,
        veta=veta,
        basis=basis_alone + spot_basis + basis_vol + basis_time,
        spot_effect=delta + gamma + 0.5 * (spot_basis + vanna + charm),
        spread_effect=basis_alone + 0.5 * (spot_basis + basis_vol + basis_time),
        vol_effect=vega + volga + 0.5 * (vanna + basis_vol + veta),
        time_effect=theta + theta2 + 0.5 * (charm + basis_time + veta),
    )


@inlined
def _expand_lane(state: State, window: Floats, work: Floats, j: int) -> Expansion:
    greeks = combine(
        measures_at(work, j), state.time_to_expiry[j], state.right[j], state.rate[j], state.dividend_yield[j]
    )
    return _expand(greeks, window, state.volatility[j], j)


@stage
def _fill_effects(state: State, window: Floats, work: Floats, lanes: int, effects: Floats) -> None:
    for j in range(lanes):
        e = _expand_lane(state, window, work, j)
        effects[SPOT, j] = e.spot_effect
        effects[SPREAD, j] = e.spread_effect
        effects[VOL, j] = e.vol_effect
        effects[TIME, j] = e.time_effect


@stage
def _fill_terms(state: State, window: Floats, work: Floats, lanes: int, terms: Floats) -> None:
    for j in range(lanes):
        e = _expand_lane(state, window, work, j)
        terms[DELTA, j] = e.delta
        terms[GAMMA, j] = e.gamma
        terms[VANNA, j] = e.vanna
        terms[CHARM, j] = e.charm
        terms[BASIS, j] = e.basis
    for j in range(lanes):
        e = _expand_lane(state, window, work, j)
        terms[VEGA, j] = e.vega
        terms[VOLGA, j] = e.volga
        terms[THETA, j] = e.theta
        terms[THETA2, j] = e.theta2
        terms[VETA, j] = e.veta


@stage
def _repair(block: Block, state: State, work: Floats, lanes: int, terms: Floats, effects: Floats) -> None:
    """Redo, one by one and carefully, the options whose measures are not ordinary."""
    for j in range(lanes):
        if math.isnan(work[WEIGHT, j]) and is_option(block, j) and not math.isnan(state.volatility[j]):
            greeks = greeks_one(
                state.spot[j],
                state.basis[j],
                state.strike[j],
                state.time_to_expiry[j],
                state.volatility[j],
                state.right[j],
                state.rate[j],
                state.dividend_yield[j],
            )
            e = _expand(greeks, block.window, state.volatility[j], j)
            terms[DELTA, j], terms[GAMMA, j], terms[VEGA, j] = e.delta, e.gamma, e.vega
            terms[VOLGA, j], terms[THETA, j], terms[THETA2, j] = e.volga, e.theta, e.theta2
            terms[VANNA, j], terms[CHARM, j], terms[VETA, j] = e.vanna, e.charm, e.veta
            terms[BASIS, j] = e.basis
            effects[SPOT, j], effects[SPREAD, j] = e.spot_effect, e.spread_effect
            effects[VOL, j], effects[TIME, j] = e.vol_effect, e.time_effect


@sequence
def _start_state(block: Block, lanes: int, column: Floats) -> State:
    """Return the start of the window, with the vols implied there; rows of the type of ``column``."""
    legs, window = block.legs, block.window
    return State(
        read_only(window[SPOT, 0, :lanes], column),
        read_only(window[SPREAD, 0, :lanes], column),
        read_only(legs[STRIKE, :lanes], column),
        read_only(window[TIME, 0, :lanes], column),
        read_only(block.own_vol[0, :lanes], column),
        read_only(legs[RIGHT, :lanes], column),
        read_only(legs[RATE, :lanes], column),
        read_only(legs[YIELD, :lanes], column),
    )


@sequence
def fill_greek_terms(
    block: Block,
    lanes: int,
    wants_terms: bool,
    column: Floats,
    gap: Floats,
    terms: Floats,
    effects: Floats,
    work: Floats,
) -> None:
    """Fill the greek terms, and ``effects`` as the Taylor method shares them; NaN without a start vol.

    Parameters
    ----------
    wants_terms
        Whether the terms are wanted too, beside the effects.
    column
        Any column of the caller's, for its type.
    work
        (TAYLOR_ROWS, LANES), scratch.
    """
    legs, window = block.legs, block.window
    state = _start_state(block, lanes, column)
    left = fill_measures(state, work)
    _fill_effects(state, window, work, lanes, effects)
    if wants_terms:
        _fill_terms(state, window, work, lanes, terms)
    if left > 0:
        _repair(block, state, work, lanes, terms, effects)
    if wants_terms:
        unexplained = terms[UNEXPLAINED]
        for j in range(lanes):
            unexplained[j] = (legs[PRICE1, j] - legs[PRICE0, j]) - gap[j]
        for row in range(UNEXPLAINED):
            for j in range(lanes):
                unexplained[j] -= terms[row, j]
