"""Which part of each leg was closed, where the trade's order ids can tell: legs of a combo exit one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from attribution.errors import TradeError
from attribution.market.quotes import Answer, FillOf, Missing, Price, Why
from attribution.market.source import Market
from attribution.priced import PricedLeg
from attribution.trade import Part, Trade

__all__ = ["Exits", "closed_by_keys", "exits_of", "parts_of_legs"]

Exits: TypeAlias = Mapping[FillOf, Answer]
"""What the exit orders that rows name filled, leg by leg."""


def closed_by_keys(trades: Sequence[tuple[Trade, datetime]], market: Market) -> Exits:
    """Ask once, for all combos whose rows name exit orders, what those orders filled as known now."""
    named = [(trade, now) for trade, now in trades if trade.is_combo and trade.exit_keys]
    if not named:
        return {}
    distinct = list(dict.fromkeys(_exit_of(trade, item, now) for trade, now in named for item in trade.legs))
    return dict(zip(distinct, market.keyed_fills(distinct), strict=True))


def exits_of(trade: Trade, exits: Exits, now: datetime) -> tuple[Answer, ...] | None:
    """Return what is known of each leg's exit by the row's order ids; None where they tell nothing.

    They tell nothing where the row names none, or where nobody knows of a filled quantity and nobody failed to say.
    """
    if not (trade.is_combo and trade.exit_keys):
        return None
    fills = tuple(exits[_exit_of(trade, item, now)] for item in trade.legs)
    telling = any(fill.quantity is not None if isinstance(fill, Price) else fill.why is Why.FAILED for fill in fills)
    return fills if telling else None


def parts_of_legs(trade: Trade, fills: Sequence[Answer], now: datetime) -> tuple[tuple[Part, ...], ...]:
    """Return the closed and open parts of each leg by filled quantity.

    Raises
    ------
    TradeError
        An order id names an exit whose time neither the fill nor the row knows.
    """
    return tuple(_parts(trade, item, fill, now) for item, fill in zip(trade.legs, fills, strict=True))


def _exit_of(trade: Trade, item: PricedLeg, now: datetime) -> FillOf:
    at = now if trade.exit_time is None else trade.exit_time
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
