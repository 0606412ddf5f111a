"""The calls people make: one trade, a list of trades. One trade is a batch of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Unpack, overload

from attribution.batch import explain, explain_one, job_of, jobs_of
from attribution.market.given import LegPrices, SpotPrices, market_of
from attribution.market.source import Broker, Market
from attribution.model import model_of
from attribution.options import ManyOptions
from attribution.tables import FrameT, Level, NativeFrame, attribute_frame, is_frame, price_frame
from attribution.trade import Trade

__all__ = ["calculate_attribution_for_trade", "calculate_attribution_for_trades"]

DEFAULT_ORDER = ("time", "spot", "spread", "vol")


def calculate_attribution_for_trade(
    row: object,
    broker: Broker | None = None,
    *,
    spot_prices: SpotPrices | NativeFrame | None = None,
    leg_prices: LegPrices | None = None,
    current_time: object = None,
    day: bool = True,
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
) -> dict[str, Any]:
    """Split the P&L of one trade into spot, vol, time decay and spread. [currency]

    **The default explains one day**: the session in progress or last opened at ``current_time``. Pass
    ``day=False`` for the whole life of the trade. The window is in the result.

    Parameters
    ----------
    row
        A ``pd.Series``, mapping or named tuple with ``symbol, entry_time, entry_quantity`` and, as far as they are
        known, ``exit_time, entry_price, exit_price, exit_quantity, mtm, multiplier, commission, entry_keys,
        exit_keys, exchange``: see :func:`~attribution.row_from_attribution_data`.
    broker
        Asked last for every price that the other arguments do not hold.
    spot_prices
        Underlying prices: ``{(underlying_symbol, exchange, time): price}`` (or ``(symbol, time)`` keys), a list of
        ``(symbol, exchange, time, price)``, or a callable ``(underlying_symbol, exchange, time)``. Look-up: the
        exact instant; else a date-typed or midnight key of that date, or the only key of that date.
        Where the forward is known too, the basis is told from the spot: give ``(spot, forward)`` or
        :class:`~attribution.UnderlyingPrice` as the price, or give the price of the future that expires
        with the option under its own symbol.
    leg_prices
        Fills of a combo's legs: ``{leg: {"entry": x, "exit": y}}``, ``{leg: (x, y)}``, a list of
        ``(leg, entry, exit)``, or a callable ``(leg, "entry" | "exit")``. They belong to the trade's own ends;
        the ``exit`` of a trade that is still open is its mark.
    current_time
        The instant from which the trade is looked at; None: its exit, else now. Before the exit the trade
        counts as open.
    day
        True: one session. False: from entry to exit (or to ``current_time``).
    historical_cache
        Session closes by ``(symbol, "YYYYMMDD")``, of legs and underlyings. A dict is filled with the final closes that
        were answered, by ``(symbol, exchange, "YYYYMMDD")`` where the symbol alone means another exchange.
    method, order, steps
        ``"waterfall"`` (in ``order``), ``"shapley"``, ``"path"`` (in ``steps``), ``"one_at_a_time"``, ``"taylor"``.
    clock
        ``"sessions"`` (252 a year) or ``"calendar"`` (365 days): how time to expiry is counted.
    rate, dividend_yield
        Continuously compounded, per year.
    detail
        Add the greek terms, the parts of spread and the interactions, per leg and in total.
    raise_on_missing
        Raise :class:`~attribution.MarketDataError` where a price is missing, instead of NaN with a status.
    price_tick
        A price whose time value or vega is under a tick does not determine a vol. [currency per unit] 0: off.

    Returns
    -------
    dict
        ``spot_attrib, vol_attrib, timedecay_attrib, spread_attrib`` [position currency] and ``per_leg`` (leg symbol →
        the same four and that leg's prices, vols and sources); besides ``pnl, residual, fees, net_pnl, combo_gap,
        status, flags, reason, method, clock, window, session``. The four and ``residual`` add up to ``pnl``.
        A missing price makes the effects NaN, and ``status`` and ``reason`` say which; never zeros.

    Raises
    ------
    TradeError
        The row is malformed; the message names the field, the value and what is allowed.
    NoSourceError
        A price is needed and nothing was passed that could know it.
    CalendarError
        An instant lies before the first known session.
    ValueError
        An unknown method, order or clock.
    """
    model = model_of(method, order, steps, clock, rate, dividend_yield, detail, price_tick)
    market = market_for(broker, spot_prices, leg_prices, historical_cache)
    job = job_of(Trade.from_row(row), current_time, day=day)
    return explain_one(job, market, model, raise_on_missing=raise_on_missing)


@overload
def calculate_attribution_for_trades(
    rows: FrameT, broker: Broker | None = None, **options: Unpack[ManyOptions]
) -> FrameT: ...


@overload
def calculate_attribution_for_trades(
    rows: Sequence[object], broker: Broker | None = None, **options: Unpack[ManyOptions]
) -> list[dict[str, Any]]: ...


def calculate_attribution_for_trades(
    rows: Sequence[object] | NativeFrame,
    broker: Broker | None = None,
    *,
    level: Level = "trade",
    columns: Mapping[str, str] | None = None,
    keep: Sequence[str] = (),
    threads: int | None = None,
    spot_prices: SpotPrices | NativeFrame | None = None,
    leg_prices: LegPrices | None = None,
    current_time: object = None,
    day: bool = True,
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
    """Split the P&L of many trades: a list of rows, or a data frame of pandas, polars or pyarrow.

    The results are in the order of ``rows`` and equal, bit for bit, what the single call gives. A row that cannot be
    read or priced keeps its place, with NaN effects, ``status`` and ``reason``; it never stops the others.

    Parameters
    ----------
    rows
        A list gives a list of result dicts. A frame gives a frame of its own kind (a polars lazy frame a lazy one) with
        the same index and order. Its columns are the fields of a row; the prices of the underlying and of single
        legs may stand beside them (``spot_entry, spot_exit, forward_entry, forward_exit, leg1_entry, leg1_exit, …``).
        Naive times are in the zone of the exchange; the result's ``start`` and ``end`` are in UTC.
    level
        Of a frame: ``"trade"``, one row each; or ``"leg"``, one row per leg, and one more where a combo gap or fees
        belong to no leg, so that the rows of a trade add up to it.
    columns
        Of a frame: field → column, where they have other names: ``{"entry_time": "opened"}``.
    keep
        Columns of the frame that the result carries on, such as a strategy.
    threads
        The most threads to work with; the results do not depend on it.
    spot_prices
        As in the single call; or a frame with the columns ``symbol, time, price`` and, if needed, ``exchange``: the
        exact instant counts, else the last one within a minute before (:func:`price_frame` takes another tolerance).

    Every other argument is that of :func:`calculate_attribution_for_trade`; ``raise_on_missing=True`` raises for
    missing prices.

    Returns
    -------
    list of dict, or frame
        Of a frame: ``symbol, trade, underlying, expiry``, the four effects and ``residual, pnl, combo_gap, fees,
        net_pnl`` [position currency], ``status, flags, reason, start, end, start_price, end_price, session``, with
        ``detail=True`` its terms, and the columns to ``keep``. Leg by leg also ``leg, quantity, multiplier,
        plays_spot``, prices, vols, spots and forwards at both ends (0 and 1).

    Raises
    ------
    TypeError
        ``rows`` is a single row, or holds no rows.
    ValueError
        A column of the frame is missing, misspelt (the nearest name is told) or of a kind that holds no such thing; or
        an unknown method, order, clock or level.
    """
    model = model_of(method, order, steps, clock, rate, dividend_yield, detail, price_tick)
    market = market_for(broker, spot_prices, leg_prices, historical_cache)
    if is_frame(rows):
        return attribute_frame(
            *(rows, market, model),
            level=level,
            columns=columns,
            keep=keep,
            current_time=current_time,
            day=day,
            threads=threads,
            raise_on_missing=raise_on_missing,
        )
    rows = rows_of(rows)
    jobs = jobs_of(rows, current_time, day=day)
    return explain(jobs, [symbol_of(row) for row in rows], market, model, raise_on_missing=raise_on_missing)


def market_for(
    broker: Broker | None,
    spot_prices: SpotPrices | NativeFrame | None,
    leg_prices: LegPrices | None,
    historical_cache: Mapping[Any, Any] | None,
) -> Market:
    """Return the market of a call, whose prices may be a data frame."""
    prices = price_frame(spot_prices) if is_frame(spot_prices) else spot_prices
    return market_of(broker, prices, leg_prices, historical_cache)


def rows_of(rows: object) -> list[object]:
    """Return the rows of a call for many.

    Raises
    ------
    TypeError
        It is a single row or a text, whose fields or letters are no rows; or nothing that holds rows.
    """
    is_tuple = hasattr(rows, "_fields")
    is_series = hasattr(rows, "to_frame")
    if isinstance(rows, Mapping | str | bytes) or is_tuple or is_series or not isinstance(rows, Iterable):
        kind = type(rows).__name__
        raise TypeError(f"rows is of type {kind}: must be a list of rows or a data frame; put a single row into a list")
    return list(rows)


def symbol_of(row: object) -> object:
    """The symbol field of a row that may be malformed."""
    return row.get("symbol") if isinstance(row, Mapping) else getattr(row, "symbol", None)
