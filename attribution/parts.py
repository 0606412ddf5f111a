"""Which part of each leg was closed, where the trade's order ids can tell: legs of a combo exit one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from attribution.errors import TradeError
from attribution.market.quotes import Answer, FillOf, Missing, Price, Why
from attribution.market.source import Market
from attribution.trade import Part, PricedLeg, Trade

__all__ = ["closed_by_keys", "parts_of_legs"]


def closed_by_keys(trades: Sequence[Trade], market: Market) -> dict[FillOf, Answer]:
    """Ask once, for all combos whose rows name exit orders, what those orders filled."""
    wanted = [_exit_of(trade, item) for trade in trades if trade.is_combo and trade.exit_keys for item in trade.legs]
    distinct = list(dict.fromkeys(wanted))
    return dict(zip(distinct, market.fills(distinct), strict=True)) if distinct else {}


def parts_of_legs(trade: Trade, exits: Mapping[FillOf, Answer], now: datetime) -> tuple[tuple[Part, ...], ...] | None:
    """Return the closed and open parts of each leg by filled quantity; None where all legs are as the row says.

    Raises
    ------
    TradeError
        An order id names an exit whose time neither the fill nor the row knows.
    """
    if not (trade.is_combo and trade.exit_keys):
        return None
    fills = [exits[_exit_of(trade, item)] for item in trade.legs]
    if not any(isinstance(fill, Price) and fill.quantity is not None for fill in fills):
        return None
    parts = tuple(_parts(trade, item, fill, now) for item, fill in zip(trade.legs, fills, strict=True))
    return None if all(own == trade.parts for own in parts) else parts


def _exit_of(trade: Trade, item: PricedLeg) -> FillOf:
    at = trade.entry_time if trade.exit_time is None else trade.exit_time
    return FillOf(item.leg.instrument, item.leg.symbol, "exit", at, trade.exit_keys)


def _parts(trade: Trade, item: PricedLeg, fill: Answer, now: datetime) -> tuple[Part, ...]:
    if isinstance(fill, Missing):
        # No exit order of this leg: it is open. An outage tells nothing, and must not pass for "open".
        failed = fill.why is Why.FAILED
        return (Part(trade.quantity, (trade.exit_time or now) if failed else None),)
    if fill.quantity is None:
        return trade.parts
    units = abs(trade.quantity * item.leg.ratio)
    closed = trade.quantity * min(fill.quantity / units, 1.0)
    exit_time = trade.exit_time if fill.time is None else fill.time
    if exit_time is None:
        allowed = f"needed: the exit orders of {item.leg.symbol} were filled at a time that nobody knows"
        raise TradeError("exit_time", None, allowed)
    if math.isclose(closed, trade.quantity, rel_tol=1e-12):
        return (Part(trade.quantity, exit_time),)
    return (Part(closed, exit_time), Part(trade.quantity - closed, None))
