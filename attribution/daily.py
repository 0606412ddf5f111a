"""A trade explained day by day: one result per trade and session, chained over its life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from attribution.batch import Job, end_of_trade, explain, read_trade
from attribution.calendars import ExchangeCalendar, get_calendar
from attribution.errors import AttributionError
from attribution.market.given import LegPrices, SpotPrices, market_of
from attribution.market.source import Broker
from attribution.model import model_of
from attribution.parts import Exits, closed_by_keys
from attribution.single import DEFAULT_ORDER, symbol_of
from attribution.trade import Trade, as_instant
from attribution.window import end_of_day, fill_session

__all__ = ["attribute_daily"]


def attribute_daily(
    rows: Sequence[object],
    start: object = None,
    end: object = None,
    *,
    broker: Broker | None = None,
    spot_prices: SpotPrices | None = None,
    leg_prices: LegPrices | None = None,
    current_time: object = None,
    historical_cache: Mapping[Any, Any] | None = None,
    method: str = "waterfall",
    order: Sequence[str] = DEFAULT_ORDER,
    clock: str = "sessions",
    rate: float = 0.0,
    dividend_yield: float = 0.0,
    detail: bool = False,
    raise_on_missing: bool = False,
    steps: int = 16,
    price_tick: float = 0.0,
) -> list[dict[str, Any]]:
    """Split the P&L of each trade on each session of its life; the days add up to the trade.

    Parameters
    ----------
    rows
        Trades, as in :func:`~attribution.calculate_attribution_for_trade`.
    start, end
        First and last day to explain (dates or text); None: from the entry, and to the exit or the last
        expiry of a trade, else to ``current_time``.
    current_time
        The instant beyond which nothing is known; None: now. The other arguments are those of the single
        call.

    Returns
    -------
    list of dict
        In the order of ``rows``, then of sessions; each is a result with its ``session`` and ``row`` (the place of its
        trade in ``rows``). A trade without a session in the range has none; a row that cannot be read has one, with
        its status and reason.
    """
    model = model_of(method, order, steps, clock, rate, dividend_yield, detail, price_tick)
    market = market_of(broker, spot_prices, leg_prices, historical_cache)
    rows = list(rows)
    places: list[int] = []
    jobs: list[Job | AttributionError] = []
    trades = [read_trade(row) for row in rows]
    nows = {i: _now(trade, current_time) for i, trade in enumerate(trades) if isinstance(trade, Trade)}
    exits = closed_by_keys([(trades[i], now) for i, now in nows.items()], market)  # type: ignore[misc]
    for place, trade in enumerate(trades):
        own = [trade] if isinstance(trade, AttributionError) else _jobs_by_day(trade, start, end, nows[place], exits)
        places += [place] * len(own)
        jobs += own
    symbols = [symbol_of(rows[place]) for place in places]
    results = explain(jobs, symbols, market, model, raise_on_missing=raise_on_missing)
    for place, result in zip(places, results, strict=True):
        result["row"] = place
    return results


def _now(trade: Trade, current_time: object) -> datetime:
    """The instant beyond which nothing is known of a trade."""
    calendar = get_calendar(trade.legs[0].leg.instrument.exchange)
    return as_instant("current_time", current_time, calendar.name) or datetime.now(UTC).astimezone(calendar.zone)


def _jobs_by_day(trade: Trade, start: object, end: object, now: datetime, exits: Exits) -> list[Job | AttributionError]:
    calendar = get_calendar(trade.legs[0].leg.instrument.exchange)
    asked_first, asked_last = _as_date("start", start, calendar), _as_date("end", end, calendar)
    try:
        first = fill_session(calendar, trade.entry_time).date
        last = calendar.session_at(now).date
        ends = end_of_trade(trade, exits, now)
        if ends is not None:
            last = min(last, fill_session(calendar, ends).date)
        sessions = calendar.sessions_between(max(first, asked_first or first), min(last, asked_last or last))
    except AttributionError as exc:
        return [exc]
    return [Job(trade, min(end_of_day(session), now), day=True) for session in sessions]


def _as_date(field: str, value: object, calendar: ExchangeCalendar) -> date | None:
    instant = as_instant(field, value, calendar.name)
    return None if instant is None else instant.date()
