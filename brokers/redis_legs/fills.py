"""From the orders of a trade to the price of one of its legs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from attribution.calendars import get_calendar
from attribution.errors import CalendarError
from attribution.market.quotes import Answer, FillOf, Missing, Price, PriceKind
from attribution.symbols import format_symbol
from brokers.redis_legs.orders import NoFill, Order

__all__ = ["Sliced", "fill_of"]

Sliced: TypeAlias = Literal["average", "first"]
"""A leg filled by several orders: the average over their quantities, or the first one's price."""


def fill_of(ask: FillOf, found: Sequence[Order | NoFill], sliced: Sliced, source: str) -> Answer:
    """Answer one question from the orders behind its keys, in the order of the keys.

    An average needs every slice, each with its price: over those at hand it would be another number. So an order
    that is not there, and may be a slice of this leg, leaves the leg without a price.
    """
    wanted = format_symbol(ask.instrument)
    mine = [order for order in found if isinstance(order, Order) and order.symbol == wanted]
    if not mine:
        return _missing(f"no {ask.side} fill of {ask.symbol}", *map(_why_not, found))
    if sliced == "first":
        del mine[1:]
    else:
        unclear = [gap.reason for gap in found if isinstance(gap, NoFill) and gap.unclear]
        if unclear:
            return _missing(f"the {ask.side} fill of {ask.symbol} may lack a slice", *unclear)
    flaws = [order.flaw for order in mine if order.flaw]
    if flaws:
        return _missing(f"the {ask.side} fill of {ask.symbol} has no price", *flaws)
    types = {order.order_type for order in mine if order.order_type}
    if len(types) > 1:
        keys = ", ".join(order.key for order in mine)
        return _missing(f"orders {keys} of {ask.symbol} contradict each other: {' and '.join(sorted(types))}")
    return _average(ask, mine, source)


def _missing(*told: str) -> Missing:
    return Missing("; ".join(told))


def _why_not(order: Order | NoFill) -> str:
    return order.reason if isinstance(order, NoFill) else f"order {order.key} is of {order.symbol}"


def _last(ask: FillOf, orders: Sequence[Order]) -> datetime | None:
    """When the last of the orders was placed; None where one of them does not tell, or tells no time there is."""
    calendar = get_calendar(ask.instrument.exchange)
    times = [order.time for order in orders if order.time is not None]
    if len(times) < len(orders):
        return None
    try:
        return max(map(calendar.localize, times))
    except (CalendarError, ValueError):
        return None


def _average(ask: FillOf, orders: Sequence[Order], source: str) -> Answer:
    prices = [order.price for order in orders if order.price is not None]
    weights = [order.quantity for order in orders if order.quantity is not None]
    known = len(weights) == len(orders)
    quantity = math.fsum(weights) if known else None
    at = _last(ask, orders)
    if min(prices) == max(prices):
        # Equal prices have one average, whatever their quantities, and no rounding.
        return Price(prices[0], source, PriceKind.FILL, at, quantity)
    if quantity is None:
        keys = ", ".join(order.key for order in orders if order.quantity is None)
        return _missing(f"no average {ask.side} price of {ask.symbol}: order {keys} has no quantity to weigh it with")
    value = math.fsum(price * weight for price, weight in zip(prices, weights, strict=True)) / quantity
    return Price(value, source, PriceKind.FILL, at, quantity)
