"""Prices at hand: what a trade's row, or the caller's own table of prices, states. Nobody need be asked for them."""

from __future__ import annotations

from datetime import date, datetime

from attribution.instruments import Instrument
from attribution.market.quotes import Missing, Price, PriceKind
from attribution.market.source import CloseMemory, GivenFills, GivenPrices
from attribution.task import FORWARD, PRICE, SIDES, SPOT, LegTask, What
from attribution.trade import leg_fields
from attribution.window import FILL, MARK, PAYOFF

__all__ = [
    "close_is_at_hand",
    "fill_is_at_hand",
    "fill_is_given",
    "leg_is_stated",
    "mtm_is_at_hand",
    "price_is_given",
    "state_underlying",
]

_OWN_PRICE = ("entry_price", "exit_price")


def fill_is_at_hand(task: LegTask, end: int) -> bool:
    """Settle the fill at an end by the row, if it states it, and tell whether it does.

    The row's own prices are the leg's where there is one leg; those of a combo are net prices.
    """
    trade = task.trade
    if len(trade.legs) == 1 and _settle_net(
        task, end, trade.exit_price if end else trade.entry_price, _OWN_PRICE[end], PriceKind.FILL
    ):
        return True
    return leg_is_stated(task, end)


def fill_is_given(task: LegTask, end: int, fills: GivenFills) -> bool:
    """Settle the fill (of an open leg: the mark) at an end by the caller's leg prices, and tell whether it is there."""
    leg = task.item.leg
    answer = fills.stated_fill(leg.instrument, leg.symbol, SIDES[end], task.ending(end).at)
    if not isinstance(answer, Price):
        return False
    task.answers[PRICE][end] = answer
    return True


def mtm_is_at_hand(task: LegTask, end: int) -> bool:
    """Settle the mark of a leg that is a trade of its own by the row's ``mtm``, and tell whether there is one."""
    return len(task.trade.legs) == 1 and _settle_net(task, end, task.trade.mtm, "mtm", PriceKind.MARK)


def _settle_net(task: LegTask, end: int, net: float | None, field: str, kind: PriceKind) -> bool:
    if net is None:
        task.settle(PRICE, end, Missing(f"row: no {field}"))
        return False
    # "+ 0.0" turns the −0.0 of a worthless leg held short into a plain zero.
    price = Price(net / task.item.leg.ratio + 0.0, f"row {field}", kind, task.ending(end).at)
    task.answers[PRICE][end] = price
    return True


def leg_is_stated(task: LegTask, end: int) -> bool:
    """Settle a leg's own price by the row's column for that leg, and tell whether it holds one."""
    stated = task.trade.stated
    if stated is None:
        return False
    number = task.trade.legs.index(task.item)
    value = stated.legs[number][end]
    if value is None:
        return False
    field = leg_fields(number + 1)[end]
    task.answers[PRICE][end] = Price(value, f"row {field}", PriceKind.FILL, task.ending(end).at)
    return True


def price_is_given(
    task: LegTask, what: What, end: int, instrument: Instrument, given: GivenPrices, at: datetime
) -> bool:
    """Settle a price by what the caller gave for that very instant, and tell whether that is there."""
    answer = given.stated_at(instrument, at)
    if not isinstance(answer, Price):
        return False
    task.answers[what][end] = answer
    return True


def close_is_at_hand(
    task: LegTask, what: What, end: int, instrument: Instrument, symbol: str, memory: CloseMemory, session: date
) -> bool:
    """Settle a price at the close of a session by the caller's closes, and tell whether they hold it."""
    answer = memory.stated_close(instrument, session, symbol)
    if not isinstance(answer, Price):
        return False
    task.answers[what][end] = answer
    return True


def state_underlying(task: LegTask) -> None:
    """Settle what the row states of its underlying, at the ends that are the trade's own."""
    stated, expires_at = task.trade.stated, task.item.expires_at
    if stated is None or expires_at is None:
        return
    for end in (0, 1):
        if not _is_own_end(task, expires_at, end):
            continue
        _settle_stated(task, SPOT, end, stated.spot[end])
        if task.item.forward is not None and task.ending(end).kind is not PAYOFF:
            _settle_stated(task, FORWARD, end, stated.forward[end])


def _is_own_end(task: LegTask, expires_at: datetime, end: int) -> bool:
    """Whether an end of the window is the trade's entry, its exit, its mark or its last expiry.

    A session close is none: a trade has many of them.
    """
    kind, exit_time = task.ending(end).kind, task.trade.exit_time
    if kind is FILL:
        # A leg that an order of its own closed at another time ends elsewhere.
        return end == 0 or task.part.exit_time == exit_time
    if exit_time is not None:
        return False
    return kind is MARK or (kind is PAYOFF and expires_at == task.trade.last_expiry)


def _settle_stated(task: LegTask, what: What, end: int, value: float | None) -> None:
    if value is not None:
        source = f"row {what.name.lower()}_{SIDES[end]}"
        task.settle(what, end, Price(value, source, PriceKind.GIVEN, task.ending(end).at))
