"""From the prices of lanes to the split of each: what moved under a leg, its P&L, and the effects at its position.

The rules are those of :mod:`attribution.underlying` and :mod:`attribution.legs`, spelled for columns; a test holds the
two to each other bit for bit on random books.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution.calendars import NAT, day_table
from attribution.calendars.instants import day_number
from attribution.gather import What
from attribution.kernels.arrays import attribute_columns
from attribution.kernels.codes import LegFlag, LegStatus
from attribution.kernels.growth import growth_many
from attribution.kernels.windows import End
from attribution.legs import KERNEL_FLAGS
from attribution.model import Model
from attribution.status import Flag
from attribution.tables.facts import FLAG_BIT
from attribution.tables.lanes import Lanes
from attribution.tables.prices import LanePrices
from attribution.underlying import PlaysSpot

__all__ = ["PLAYS", "LaneSplit", "split_lanes"]

PLAYS = tuple(PlaysSpot)
"""What played the spot, by number; −1 where nothing did."""

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_KERNEL_FLAGS = np.array(
    [sum(FLAG_BIT[flag] for bit, flag in KERNEL_FLAGS.items() if code & bit) for code in range(1 << len(LegFlag))],
    np.int64,
)


@dataclass(slots=True)
class _Move:
    """What moved under each lane, and which price played the spot."""

    spot0: Floats
    basis0: Floats
    spot1: Floats
    basis1: Floats
    plays: NDArray[np.int8]


@dataclass(slots=True)
class LaneSplit:
    """One element per lane. Effects in position currency, prices and vols per unit; ``odd`` lanes hold nothing."""

    odd: Mask
    effects: Floats
    """Rows spot, vol, time decay, spread, residual."""
    pnl: Floats
    price0: Floats
    price1: Floats
    vol0: Floats
    vol1: Floats
    spot0: Floats
    spot1: Floats
    forward0: Floats
    forward1: Floats
    plays: NDArray[np.int8]
    position: Floats
    flags: NDArray[np.int64]
    detail: Floats
    """One row per term of the detail; none where it was not asked for."""


def split_lanes(lanes: Lanes, prices: LanePrices, model: Model, threads: int | None) -> LaneSplit:
    """Explain every lane that columns can speak for."""
    live = lanes.live()
    right, strike = _floats(lanes, "right"), _floats(lanes, "strike")
    price0, price1 = prices.at(What.PRICE, 0), prices.at(What.PRICE, 1)
    growth0, growth1 = _growth(model, lanes.windows.years0), _growth(model, lanes.windows.years1)
    pays = live & (lanes.windows.end_kind == End.PAYOFF)
    with np.errstate(all="ignore"):
        move = _moves(lanes, prices, pays, growth0, growth1)
        settlement = right * (move.spot1 - strike)
        payoff = np.where(right == 0.0, move.spot1, np.where(settlement < 0.0, 0.0, settlement))
        price1 = np.where(pays, payoff, price1)
        odd = prices.odd | (live & ~_is_sound(lanes, prices, move, price0, price1, pays))
        position = lanes.of_trade(lanes.number("entry_quantity")) * _floats(lanes, "weight")
        pnl = position * (price1 - price0) + 0.0
        forward0 = (move.spot0 + move.basis0) * np.where(right == 0.0, 1.0, growth0)
        forward1 = (move.spot1 + move.basis1) * np.where(right == 0.0, 1.0, growth1)
    split = LaneSplit(
        odd=odd,
        effects=np.zeros((5, lanes.size)),
        pnl=np.where(live, pnl, 0.0),
        price0=np.where(live, price0, np.nan),
        price1=np.where(live, price1, np.nan),
        vol0=np.full(lanes.size, np.nan),
        vol1=np.full(lanes.size, np.nan),
        spot0=np.where(live, move.spot0, np.nan),
        spot1=np.where(live, move.spot1, np.nan),
        forward0=np.where(live, forward0, np.nan),
        forward1=np.where(live, forward1, np.nan),
        plays=np.where(live, move.plays, -1).astype(np.int8),
        position=position,
        flags=_standing_flags(lanes, prices),
        detail=np.zeros((28 if model.detail else 0, lanes.size)),
    )
    years = (lanes.windows.years0, lanes.windows.years1)
    _run(split, (right, strike), move, years, live & ~odd, model, threads)
    return split


def _floats(lanes: Lanes, name: str) -> Floats:
    return np.ascontiguousarray(lanes.fact(name), np.float64)


def _growth(model: Model, years: Floats) -> Floats:
    """``e^((r − q)T)``, as :meth:`Model.growth` has it."""
    growth = np.ones(years.size)
    if model.rate != model.dividend_yield:
        growth_many(years, model.rate - model.dividend_yield, growth)
    return growth


def _moves(lanes: Lanes, prices: LanePrices, pays: Mask, growth0: Floats, growth1: Floats) -> _Move:
    """Who plays the spot, and how far the basis is from it: :func:`attribution.underlying.resolve` for columns."""
    spot0, spot1 = prices.at(What.SPOT, 0), prices.at(What.SPOT, 1)
    forward0 = prices.at(What.FORWARD, 0)
    forward1 = np.where(pays, spot1, prices.at(What.FORWARD, 1))
    has_spot = ~(np.isnan(spot0) | np.isnan(spot1))
    has_forward = ~(np.isnan(forward0) | np.isnan(forward1))
    discounted0 = forward0 / growth0
    discounted1 = np.where(pays, forward1, forward1 / growth1)
    both = has_spot & has_forward
    move = _Move(
        spot0=np.where(has_spot, spot0, discounted0),
        basis0=np.where(both, discounted0 - spot0, 0.0),
        spot1=np.where(has_spot, spot1, discounted1),
        basis1=np.where(both & ~pays, discounted1 - spot1, 0.0),
        plays=np.where(both, _SPOT_AND_FUTURE, np.where(has_spot, _SPOT, _FUTURE)).astype(np.int8),
    )
    linear = np.asarray(lanes.fact("right") == 0.0)
    if linear.any():
        _move_linear(lanes, prices, pays, linear, move)
    return move


_SPOT, _FUTURE, _OWN = (PLAYS.index(kind) for kind in (PlaysSpot.SPOT, PlaysSpot.FUTURE, PlaysSpot.OWN))
_SPOT_AND_FUTURE = PLAYS.index(PlaysSpot.SPOT_AND_FUTURE)


def _move_linear(lanes: Lanes, prices: LanePrices, pays: Mask, linear: Mask, move: _Move) -> None:
    """A share is its own spot; the basis of a future is its own price less the spot, and none at its expiry."""
    price0, price1 = prices.at(What.PRICE, 0), prices.at(What.PRICE, 1)
    spot0, spot1 = prices.at(What.SPOT, 0), prices.at(What.SPOT, 1)
    future = linear & (lanes.fact("expires_us") != NAT)
    share = linear & ~future
    columns: tuple[tuple[NDArray[Any], Any, Any], ...] = (
        (move.spot0, price0, spot0),
        (move.spot1, price1, spot1),
        (move.basis0, 0.0, price0 - spot0),
        (move.basis1, 0.0, np.where(pays, 0.0, price1 - spot1)),
        (move.plays, _OWN, _SPOT_AND_FUTURE),
    )
    for column, of_share, of_future in columns:
        np.copyto(column, of_share, where=share, casting="unsafe")
        np.copyto(column, of_future, where=future, casting="unsafe")


def _is_sound(lanes: Lanes, prices: LanePrices, move: _Move, price0: Floats, price1: Floats, pays: Mask) -> Mask:
    """Whether all that a lane needs is there, and is a price that such a thing can have."""
    linear = np.asarray(lanes.fact("right") == 0.0)
    sound = np.isfinite(move.spot0 + move.spot1 + move.basis0 + move.basis1 + price0 + price1)
    sound &= (price0 >= 0.0) & (pays | (price1 >= 0.0))
    sound &= ~linear | ((price0 > 0.0) & (pays | (price1 > 0.0)))
    for what in (What.SPOT, What.FORWARD):
        for end in (0, 1):
            sound &= ~(prices.at(what, end) <= 0.0)
    return sound


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
    move: _Move,
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
    start, end = (move.spot0, split.price0, years[0]), (move.spot1, split.price1, years[1])
    for k, column in enumerate((*contract, *start, *end, move.basis0, move.basis1)):
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
        rest = split.pnl[here] - (scaled[0] + scaled[3] + scaled[1] + scaled[2]) + 0.0
        for k, values in enumerate((*scaled, rest)):
            split.effects[k, here] = values
        if model.detail:
            split.detail[:, here] = position * table.detail + 0.0
    split.flags[here] |= _KERNEL_FLAGS[table.flags]
    # What the kernels refuse, or cannot split, is for the row's own way to tell.
    split.odd[here] |= table.status != LegStatus.OK
