"""Single prices by the rules of the split: what a trade was worth at an end of its day, closes, spots, forwards."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from attribution.batch import Job, leg_tasks
from attribution.calendars import get_calendar, get_clock, to_epoch_us
from attribution.errors import CalendarError, MarketDataError, NoSourceError, TradeError
from attribution.fields import stamp
from attribution.gather import gather_own_prices, gather_underlyings
from attribution.instruments import Option
from attribution.legs import payoff_of
from attribution.market.given import SpotPrices, market_of
from attribution.market.quotes import Answer, CloseOf, Missing, Price, PriceAt, Why
from attribution.parity import parity_forward
from attribution.priced import PricedLeg
from attribution.symbols import format_symbol, parse_legs, parse_symbol, parse_underlying_name, underlying_symbol
from attribution.task import LegTask, What
from attribution.trade import Part, Trade, as_instant
from attribution.underlying import PlaysSpot, positive
from attribution.window import Ending, EndKind, Phase, Window, end_of_day

__all__ = [
    "UnderlyingFound",
    "get_historical_close_price",
    "get_option_underlying_price",
    "get_spot_price_at_time",
    "mtm_entry_price",
    "mtm_exit_price",
]


class UnderlyingFound(NamedTuple):
    """The price of what moves an option, and which price it is."""

    price: float
    plays: PlaysSpot
    """``future``, ``parity forward`` or ``spot``."""
    source: str
    time: datetime | None


def get_historical_close_price(
    broker: object,
    symbol: str,
    date: object,
    exchange: str | None = None,
    *,
    refresh_mapping: bool = False,
    historical_cache: Mapping[Any, Any] | None = None,
) -> float:
    """Official close of a session; of a combo the signed net price of its legs. [currency per unit]

    Parameters
    ----------
    broker
        Asked for what the cache does not hold; may be None.
    symbol, exchange
        An instrument or combo, and the exchange of names that have no home of their own.
    date
        The session, as a date or text.
    refresh_mapping
        Let the broker read its symbol master anew first.
    historical_cache
        ``(symbol, "YYYYMMDD")`` → close: honoured, and filled with what the broker answered.

    Raises
    ------
    MarketDataError
        No source has the close; the message says who was asked. NoSourceError where nobody could be.
    """
    legs = parse_legs(symbol, exchange=exchange)
    session = _session("date", date, legs[0].instrument.exchange)
    if refresh_mapping and hasattr(broker, "refresh_mapping"):
        broker.refresh_mapping()
    market = market_of(broker, historical_cache=historical_cache)
    answers = market.closes([CloseOf(leg.instrument, session, leg.symbol) for leg in legs])
    common = {leg.instrument.multiplier for leg in legs}
    unit = common.pop() if len(common) == 1 else 1.0
    weights = [leg.ratio * leg.instrument.multiplier / unit for leg in legs]
    closes = [_value(answer, f"close of {leg.symbol} on {session}") for leg, answer in zip(legs, answers, strict=True)]
    for leg, close in zip(legs, closes, strict=True):
        if close < 0.0:
            raise TradeError(f"close of {leg.symbol} on {session}", close, "must be zero or positive")
    return _net(closes, weights)


def get_spot_price_at_time(
    broker: object,
    symbol: str,
    time: object,
    exchange: str | None = None,
    *,
    spot_prices: SpotPrices | None = None,
    historical_cache: Mapping[Any, Any] | None = None,
) -> float:
    """Price of a share, index or future at an instant. [currency per unit]

    ``symbol`` may be a bare name (``"NIFTY"``). At the very close of a session the official close is asked first.

    Raises
    ------
    MarketDataError
        No source has the price; the message says who was asked. NoSourceError where nobody could be.
    """
    instrument = (
        parse_symbol(symbol, exchange=exchange) if "_" in symbol else parse_underlying_name(symbol, exchange=exchange)
    )
    at = _instant("time", time, instrument.exchange)
    market = market_of(broker, spot_prices, None, historical_cache)
    session = get_calendar(instrument.exchange).session_at(at)
    answer: Answer = Missing("not asked", Why.NO_SOURCE)
    if at == session.close:
        (answer,) = market.closes([CloseOf(instrument, session.date, symbol)])
    if isinstance(answer, Missing):
        (answer,) = market.prices_at([PriceAt(instrument, at)])
    return _value(positive(answer), f"price of {format_symbol(instrument)} at {stamp(at)}")


def get_option_underlying_price(
    broker: object,
    symbol: str,
    as_of: object,
    exchange: str | None = None,
    *,
    spot_prices: SpotPrices | None = None,
    historical_cache: Mapping[Any, Any] | None = None,
    clock: str = "sessions",
    rate: float = 0.0,
) -> UnderlyingFound:
    """Price of what moves an option at an instant, and which price it is. [currency per unit]

    The future that expires with it; else the forward that call and put of its strike imply, where both are traded near
    the money; else the spot.

    Raises
    ------
    TradeError
        ``symbol`` is not an option.
    MarketDataError
        None of them is known; the message says who was asked.
    """
    option = parse_symbol(symbol, exchange=exchange)
    if not isinstance(option, Option):
        raise TradeError("symbol", symbol, "an option")
    at = _instant("as_of", as_of, option.exchange)
    task = _probe(option, symbol, at)
    gather_underlyings([task], market_of(broker, spot_prices, None, historical_cache))
    (future, _), (spot, _) = task.answers[What.FORWARD], task.answers[What.SPOT]
    years = get_clock(clock, option.exchange).years_between(to_epoch_us(at), to_epoch_us(option.expires_at))
    parity = parity_forward(
        task.answers[What.CALL][0], task.answers[What.PUT][0], spot, strike=option.strike, years=float(years), rate=rate
    )
    for answer, plays in ((future, PlaysSpot.FUTURE), (parity, PlaysSpot.PARITY), (spot, PlaysSpot.SPOT)):
        if isinstance(positive(answer), Price) and isinstance(answer, Price):
            return UnderlyingFound(answer.value, plays, answer.source, answer.time)
    _value(spot, f"price of {underlying_symbol(option)} at {stamp(at)}")
    raise AssertionError("a price was found and not returned")


def mtm_entry_price(
    row: object, mtm_date: object, broker: object = None, historical_cache: Mapping[Any, Any] | None = None
) -> float:
    """Price a trade starts a day with: its fill if it was opened on it, else the close before. [currency per unit]

    Of a combo the signed net price. Raises :class:`~attribution.MarketDataError` where a price is missing, or where the
    trade was not alive on ``mtm_date``.
    """
    return _day_price(row, mtm_date, broker, historical_cache, 0)


def mtm_exit_price(
    row: object, mtm_date: object, broker: object = None, historical_cache: Mapping[Any, Any] | None = None
) -> float:
    """Price a trade ends a day with: its fill if it was closed on it, its payoff if it expired, else the close.

    Units and errors as in :func:`mtm_entry_price`.
    """
    return _day_price(row, mtm_date, broker, historical_cache, 1)


def _day_price(
    row: object, mtm_date: object, broker: object, historical_cache: Mapping[Any, Any] | None, end: int
) -> float:
    trade = Trade.from_row(row)
    calendar = get_calendar(trade.legs[0].leg.instrument.exchange)
    day = _session("mtm_date", mtm_date, calendar.name)
    session = calendar.session_on(day)
    if session is None:
        raise CalendarError(f"mtm_date={day}: {calendar.name} has no session on that date")
    market = market_of(broker, historical_cache=historical_cache)
    tasks = leg_tasks(Job(trade, end_of_day(session), day=True), market)
    # Of a partly closed trade the part that lives longest is the one with a price at the end of the day.
    lasting = {task.item.leg.symbol: task for task in sorted(tasks, key=_how_lasting)}
    for task in lasting.values():
        if task.window.phase is not Phase.LIVE:
            raise MarketDataError(f"{task.item.leg.symbol} on {day}: {task.window.phase.value}, no price that day")
    row_price = trade.exit_price if end else trade.entry_price
    if row_price is not None and all(task.ending(end).kind is EndKind.FILL for task in lasting.values()):
        return row_price
    gather_own_prices(list(lasting.values()), market)
    prices = [_own_price(lasting[item.leg.symbol], end) for item in trade.legs]
    weights = [item.weight / trade.common_multiplier for item in trade.legs]
    return _net(prices, weights)


def _how_lasting(task: LegTask) -> tuple[bool, datetime]:
    return task.part.exit_time is None, task.window.end.at


def _own_price(task: LegTask, end: int) -> float:
    what = f"price of {task.item.leg.symbol} {task.where(end)}"
    if task.ending(end).kind is EndKind.PAYOFF:
        return payoff_of(task, _value(task.answers[What.SPOT][end], what))
    return _value(task.answers[What.PRICE][end], what)


def _probe(option: Option, symbol: str, at: datetime) -> LegTask:
    """A leg of no trade, at one instant: it needs what any leg of this option would need there."""
    (leg,) = parse_legs(symbol, exchange=option.exchange)
    item = PricedLeg(leg, option.multiplier)
    session = get_calendar(option.exchange).session_at(at)
    ending = Ending(at, EndKind.FILL, session.date, at == session.close)
    trade = Trade(symbol, (item,), 1.0, at)
    return LegTask(0, trade, Part(1.0, None), item, Window(ending, ending))


def _net(prices: list[float], weights: list[float]) -> float:
    return math.fsum(weight * price for weight, price in zip(weights, prices, strict=True)) + 0.0


def _value(answer: Answer, what: str) -> float:
    if isinstance(answer, Price):
        return answer.value
    error = NoSourceError if answer.why is Why.NO_SOURCE else MarketDataError
    raise error(f"{what}: {answer.reason}")


def _instant(field: str, value: object, exchange: str) -> datetime:
    at = as_instant(field, value, exchange)
    if at is None:
        raise TradeError(field, value, "needed: an instant")
    return at


def _session(field: str, value: object, exchange: str) -> date:
    return _instant(field, value, exchange).date()
