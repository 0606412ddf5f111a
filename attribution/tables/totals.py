"""Lanes added up to trades."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attribution.kernels.trades import LegAmounts, RowPrices, TradeAmounts, add_up_many, sum_legs_many
from attribution.kernels.windows import Life
from attribution.status import Flag, Status
from attribution.tables.facts import FLAG_BIT
from attribution.tables.lanes import Lanes
from attribution.tables.split import LaneSplit

__all__ = ["STATUSES", "TradeTotals", "status_of_life", "total_lanes"]

STATUSES = tuple(Status)
"""Statuses by number, from harmless to grave."""

_STATUS_OF_LIFE = np.array(
    [
        STATUSES.index(
            {Life.LIVE: Status.OK, Life.CLOSED: Status.CLOSED, Life.EXPIRED: Status.EXPIRED}.get(life, Status.NOT_OPEN)
        )
        for life in Life
    ],
    np.int8,
)


@dataclass(slots=True)
class TradeTotals:
    """One element per trade; ``odd`` ones are for the row's own way."""

    odd: NDArray[np.bool_]
    amounts: TradeAmounts
    status: NDArray[np.int8]
    detail: NDArray[np.float64]


def status_of_life(life: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return the status, by number, of legs whose split is complete."""
    return _STATUS_OF_LIFE[life]


def total_lanes(lanes: Lanes, split: LaneSplit) -> TradeTotals:
    """Add the legs of each trade up, exactly."""
    size = lanes.rows.size
    most = int(np.diff(lanes.first_leg).max(initial=1))
    amounts = _amounts(size)
    book = lanes.book
    rows = RowPrices(
        quantity=lanes.number("entry_quantity"),
        common_multiplier=np.ascontiguousarray(book.facts.keys["common_multiplier"][book.key[lanes.rows]]),
        entry_price=lanes.number("entry_price"),
        exit_price=lanes.number("exit_price"),
        mtm=lanes.number("mtm"),
        commission=lanes.number("commission"),
    )
    spot, vol, timedecay, spread, _ = split.effects
    weight = lanes.fact("weight")
    legs = LegAmounts(
        spot, vol, timedecay, spread, split.moves.pnl, split.moves.price0, split.moves.price1, weight, split.flags
    )
    exit_us = book.exit_us[lanes.rows]
    room = np.empty((3, 2 * most + 2))
    add_up_many(lanes.first_leg, exit_us, rows, lanes.trades, lanes.windows, legs, amounts, room)
    amounts.flags[amounts.gap_flagged != 0] |= FLAG_BIT[Flag.COMBO_GAP]
    odd = (lanes.trades.refused != 0) | (amounts.contradicts != 0) | _any_lane(lanes, split.odd)
    # Amounts beyond all numbers are for the row's own way to refuse.
    odd |= ~(np.isfinite(amounts.residual) & np.isfinite(amounts.net_pnl))
    detail = np.zeros((split.detail.shape[0], size))
    if detail.size:
        sum_legs_many(lanes.first_leg, split.detail, detail, room[0])
    return TradeTotals(odd, amounts, _statuses(lanes), detail)


def _amounts(size: int) -> TradeAmounts:
    floats = [np.empty(size) for _ in range(9)]
    end_us, flags = np.empty(size, np.int64), np.empty(size, np.int64)
    end_kind, gap_flagged, contradicts = (np.empty(size, np.uint8) for _ in range(3))
    return TradeAmounts._make((*floats, end_us, end_kind, flags, gap_flagged, contradicts))


def _any_lane(lanes: Lanes, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if lanes.row is None:
        return mask
    return np.logical_or.reduceat(mask, lanes.first_leg[:-1]) if mask.size else np.zeros(lanes.rows.size, np.bool_)


def _statuses(lanes: Lanes) -> NDArray[np.int8]:
    """The gravest leg gives a trade its status."""
    status = status_of_life(lanes.windows.life)
    if lanes.row is None or not status.size:
        return status
    return np.maximum.reduceat(status, lanes.first_leg[:-1])
