"""From the prices of lanes to the split of each: what moved under a leg, its P&L, and the effects at its position.

The rules are those of :mod:`attribution.underlying` and :mod:`attribution.legs`, spelled for columns; a test holds the
two to each other bit for bit on random books.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attribution.calendars import NAT, day_table
from attribution.calendars.instants import day_number
from attribution.kernels.arrays import attribute_columns
from attribution.kernels.codes import LegFlag, LegStatus
from attribution.kernels.growth import growth_many
from attribution.kernels.moves import (
    FOUND_FUTURE,
    FOUND_OWN,
    FOUND_SPOT,
    FOUND_SPOT_AND_FUTURE,
    FoundPrices,
    Moves,
    moves_many,
)
from attribution.kernels.results import LegDetail
from attribution.kernels.windows import End
from attribution.legs import KERNEL_FLAGS
from attribution.model import Model
from attribution.status import Flag
from attribution.tables.facts import FLAG_BIT
from attribution.tables.lanes import Lanes
from attribution.tables.prices import LanePrices
from attribution.task import What
from attribution.underlying import PlaysSpot

__all__ = ["PLAYS", "LaneSplit", "split_lanes"]

PLAYS = {
    FOUND_OWN: PlaysSpot.OWN,
    FOUND_SPOT: PlaysSpot.SPOT,
    FOUND_FUTURE: PlaysSpot.FUTURE,
    FOUND_SPOT_AND_FUTURE: PlaysSpot.SPOT_AND_FUTURE,
}
"""What played the spot, by the number that the kernels give it."""

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_KERNEL_FLAGS = np.array(
    [sum(FLAG_BIT[flag] for bit, flag in KERNEL_FLAGS.items() if code & bit) for code in range(1 << len(LegFlag))],
    np.int64,
)


@dataclass(slots=True)
class LaneSplit:
    """One element per lane. Effects in position currency, vols per √year; ``odd`` lanes hold nothing."""

    odd: Mask
    moves: Moves
    effects: Floats
    """Rows spot, vol, time decay, spread, residual."""
    vol0: Floats
    vol1: Floats
    position: Floats
    flags: NDArray[np.int64]
    detail: Floats
    """One row per term of the detail; none where it was not asked for."""


def split_lanes(lanes: Lanes, prices: LanePrices, model: Model, threads: int | None) -> LaneSplit:
    """Explain every lane that columns can speak for."""
    right, strike = lanes.fact("right"), lanes.fact("strike")
    with np.errstate(over="ignore"):  # what is too large is refused with what it makes
        position = lanes.of_trade(lanes.number("entry_quantity")) * lanes.fact("weight")
    moves = _moves(lanes, prices, model, position)
    odd = prices.odd | (moves.sound == 0)
    split = LaneSplit(
        odd=odd,
        moves=moves,
        effects=np.zeros((5, lanes.size)),
        vol0=np.full(lanes.size, np.nan),
        vol1=np.full(lanes.size, np.nan),
        position=position,
        flags=_standing_flags(lanes, prices),
        detail=np.zeros((len(LegDetail._fields) if model.detail else 0, lanes.size)),
    )
    years = (lanes.windows.years0, lanes.windows.years1)
    live = lanes.live() & ~odd
    _run(split, (right, strike), years, live, model, threads)
    _tell_expiries(split.flags, live, (right != 0.0) & (lanes.windows.end_kind == End.PAYOFF))
    return split


def _tell_expiries(flags: NDArray[np.int64], live: Mask, expired: Mask) -> None:
    """Say which options expired; without time left, as the kernels see it, they also are on the eve of an open."""
    bit = FLAG_BIT[Flag.EXPIRED_IN_WINDOW]
    flags[live] &= ~bit
    flags[live & expired] |= bit


def _moves(lanes: Lanes, prices: LanePrices, model: Model, position: Floats) -> Moves:
    size = lanes.size
    found = FoundPrices(*(prices.at(what, end) for what in (What.PRICE, What.SPOT, What.FORWARD) for end in (0, 1)))
    moves = Moves._make((*np.empty((9, size)), np.empty(size, np.int8), np.empty(size, np.uint8)))
    windows = lanes.windows
    moves_many(
        *(lanes.fact("right"), lanes.fact("strike"), lanes.fact("expires_us") != NAT, windows.life, windows.end_kind),
        *(_growth(model, windows.years0), _growth(model, windows.years1), position, found, moves),
    )
    return moves


def _growth(model: Model, years: Floats) -> Floats:
    """``e^((r − q)T)``, as :meth:`Model.growth` has it."""
    growth = np.ones(years.size)
    if model.rate != model.dividend_yield:
        growth_many(years, model.rate - model.dividend_yield, growth)
    return growth


def _standing_flags(lanes: Lanes, prices: LanePrices) -> NDArray[np.int64]:
    """Flags that hang on the contract and the calendar, and on where a price came from."""
    flags = np.array(lanes.fact("flags"), np.int64)
    flags[prices.settled] |= FLAG_BIT[Flag.SETTLEMENT_AS_CLOSE]
    last = np.where(lanes.fact("expires_us") == NAT, lanes.windows.end_day, lanes.fact("expiry_day"))
    last = np.maximum(last, lanes.windows.end_day)
    published = day_number(lanes.calendar.last_published) - day_table(lanes.calendar.name).first_day
    flags[last > published] |= FLAG_BIT[Flag.PROVISIONAL]
    return flags


def _run(
    split: LaneSplit,
    contract: tuple[Floats, Floats],
    years: tuple[Floats, Floats],
    ready: Mask,
    model: Model,
    threads: int | None,
) -> None:
    """Send the lanes that are ready through the kernels, and scale what comes back to their positions."""
    places = None if ready.all() else np.flatnonzero(ready)
    size = ready.size if places is None else places.size
    if not size:
        return
    columns = np.empty((13, size))
    moves = split.moves
    start, end = (moves.spot0, moves.price0, years[0]), (moves.spot1, moves.price1, years[1])
    for k, column in enumerate((*contract, *start, *end, moves.basis0, moves.basis1)):
        columns[k] = column if places is None else column[places]
    columns[10:] = np.array([[model.rate], [model.dividend_yield], [model.price_tick]])
    table = attribute_columns(
        columns, method=model.method, order=model.order, steps=model.steps, detail=model.detail, threads=threads
    )
    here = slice(None) if places is None else places
    position = split.position[here]
    with np.errstate(all="ignore"):
        spot, vol, timedecay, spread, _, split.vol0[here], split.vol1[here] = table.effects
        scaled = [position * effect + 0.0 for effect in (spot, vol, timedecay, spread)]
        rest = moves.pnl[here] - (scaled[0] + scaled[3] + scaled[1] + scaled[2]) + 0.0
        for k, values in enumerate((*scaled, rest)):
            split.effects[k, here] = values
        if model.detail:
            split.detail[:, here] = position * table.detail + 0.0
    split.flags[here] |= _KERNEL_FLAGS[table.flags]
    # What the kernels refuse, or cannot split, and what no number can hold, is for the row's own way to tell.
    split.odd[here] |= (table.status != LegStatus.OK) | ~np.isfinite(rest)
