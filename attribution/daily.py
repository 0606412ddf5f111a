"""A trade explained day by day: one result per trade and session, chained over its life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Unpack, overload

from attribution.batch import Job, explain, read_trade
from attribution.calendars import get_calendar
from attribution.errors import AttributionError
from attribution.lifetime import jobs_by_day
from attribution.market.given import LegPrices, SpotPrices
from attribution.market.source import Broker
from attribution.model import model_of
from attribution.options import DailyOptions
from attribution.parts import closed_by_keys
from attribution.single import DEFAULT_ORDER, market_for, rows_of, symbol_of
from attribution.tables import FrameT, Level, NativeFrame, attribute_frame_daily, is_frame
from attribution.trade import Trade, as_instant

__all__ = ["attribute_daily"]


@overload
def attribute_daily(
    rows: FrameT, start: object = None, end: object = None, **options: Unpack[DailyOptions]
) -> FrameT: ...


@overload
def attribute_daily(
    rows: Sequence[object], start: object = None, end: object = None, **options: Unpack[DailyOptions]
) -> list[dict[str, Any]]: ...


def attribute_daily(
    rows: Sequence[object] | NativeFrame,
    start: object = None,
    end: object = None,
    *,
    broker: Broker | None = None,
    level: Level = "trade",
    columns: Mapping[str, str] | None = None,
    keep: Sequence[str] = (),
    threads: int | None = None,
    spot_prices: SpotPrices | NativeFrame | None = None,
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
) -> Any:
    """Split the P&L of each trade on each session of its life; the days add up to the trade.

    Parameters
    ----------
    rows
        Trades, as in :func:`~attribution.calculate_attribution_for_trades`: a list, or a data frame.
    start, end
        First and last day to explain (dates or text); None: from the entry, and to the exit or the last
        expiry of a trade, else to ``current_time``.
    current_time
        The instant beyond which nothing is known; None: now. The other arguments are those of the single
        call; ``level``, ``columns``, ``keep`` and ``threads``, for frames, those of the call for many.

    Returns
    -------
    list of dict, or frame
        In the order of ``rows``, then of sessions; each is a result with its ``session`` and ``row`` (the place of its
        trade in ``rows``). A trade without a session in the range has none; a row that cannot be read has one, with
        its status and reason. Of a frame, a frame of its kind, one row each.

    Raises
    ------
    TypeError, ValueError
        As the call for many; also where ``start`` is after ``end``.
    """
    model = model_of(method, order, steps, clock, rate, dividend_yield, detail, price_tick)
    market = market_for(broker, spot_prices, leg_prices, historical_cache)
    if is_frame(rows):
        return attribute_frame_daily(
            *(rows, market, model, start, end),
            level=level,
            columns=columns,
            keep=keep,
            current_time=current_time,
            threads=threads,
            raise_on_missing=raise_on_missing,
        )
    rows = rows_of(rows)
    places: list[int] = []
    jobs: list[Job | AttributionError] = []
    trades = [read_trade(row) for row in rows]
    nows = {i: _now(trade, current_time) for i, trade in enumerate(trades) if isinstance(trade, Trade)}
    exits = closed_by_keys([(trades[i], now) for i, now in nows.items()], market)  # type: ignore[misc]
    for place, trade in enumerate(trades):
        own = [trade] if isinstance(trade, AttributionError) else jobs_by_day(trade, start, end, nows[place], exits)
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
