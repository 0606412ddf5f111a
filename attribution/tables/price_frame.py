"""A data frame of prices as a source: columns symbol, time, price and, where needed, exchange."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from attribution.calendars import NAT, ExchangeCalendar, canonical_exchange, get_calendar
from attribution.calendars.instants import from_epoch_us
from attribution.errors import CalendarError
from attribution.market.fixed import PriceColumns
from attribution.market.fixed.values import canonical_key
from attribution.symbols.reading import DEFAULT_EXCHANGE
from attribution.tables.factors import Factor, combine, factorise
from attribution.tables.frames import NativeFrame, TradeFrame, match_columns, read_frame
from attribution.tables.instants import instants_of
from attribution.tables.numbers import numbers_of

__all__ = ["price_frame"]

FIELDS = ("symbol", "time", "price", "exchange")


def price_frame(
    frame: NativeFrame,
    *,
    tolerance: timedelta = timedelta(minutes=1),
    columns: Mapping[str, str] | None = None,
    name: str = "spot_prices",
) -> PriceColumns:
    """Make a source of prices from a pandas, polars or pyarrow frame; pass it as ``spot_prices``.

    Parameters
    ----------
    frame
        One observation per row: ``symbol`` (an instrument, or the plain name of an underlying), ``time`` (a naive one
        is in the zone of the exchange; midnight stands for the close of that date), ``price`` [currency per unit] and,
        where a name is at home on several, ``exchange``. Rows in any order.
    tolerance
        At an instant between two observations the earlier one counts, if it is no older than this.
    columns
        Field → column, where they have other names.

    Raises
    ------
    ValueError
        A column is missing or holds no such thing, a cell cannot be read, or one instant has two prices.
    """
    if tolerance < timedelta(0):
        raise ValueError(f"tolerance={tolerance!r}: must not be negative")
    data, _ = read_frame(frame)
    own = TradeFrame(data, match_columns(data.columns, FIELDS, FIELDS[:3], columns, name), lazy=False)
    keys, number, calendar, calendars = _keys(own, name)
    times_us, bad_time = instants_of("time", own.series("time"), calendar, calendars)
    prices, bad_price = numbers_of("price", own.series("price"))
    _refuse(own, name, "time", bad_time | (times_us == NAT), "an instant")
    if bad_price is not None:
        _refuse(own, name, "price", bad_price, "a finite number")
    order = np.lexsort((times_us, number))
    number, times_us, prices = number[order], times_us[order], prices[order]
    _refuse_contradictions(name, keys, number, times_us, prices)
    kept = np.ones(number.size, np.bool_)
    kept[1:] = (number[1:] != number[:-1]) | (times_us[1:] != times_us[:-1])
    number, times_us, prices = number[kept], times_us[kept], prices[kept]
    first = np.searchsorted(number, np.arange(len(keys) + 1)).astype(np.int64)
    return PriceColumns(keys, first, times_us, prices, tolerance, name)


def _keys(
    frame: TradeFrame, name: str
) -> tuple[list[tuple[str, str | None]], NDArray[np.int64], NDArray[np.int64], list[ExchangeCalendar]]:
    """Canonical (symbol, exchange) of each series, per row its series and calendar."""
    symbols = factorise(frame.series("symbol"))
    exchanges = factorise(frame.series("exchange")) if "exchange" in frame else Factor(np.empty(0, np.int64), [])
    parts = [(symbols.codes, len(symbols.values))]
    if exchanges.values:
        parts.append((exchanges.codes, len(exchanges.values)))
    pair, members = combine(parts)
    keys: dict[tuple[str, str | None], int] = {}
    calendars: dict[str, int] = {}
    series, calendar = [], []
    for place, code in enumerate(members[0].tolist()):
        exchange = exchanges.values[members[1][place]] if exchanges.values and members[1][place] >= 0 else None
        key = _key(None if code < 0 else symbols.values[code], exchange, name)
        series.append(keys.setdefault(key, len(keys)))
        calendar.append(calendars.setdefault(key[1] or DEFAULT_EXCHANGE, len(calendars)))
    number = np.array(series, np.int64)[pair]
    return list(keys), number, np.array(calendar, np.int64)[pair], [get_calendar(each) for each in calendars]


def _key(symbol: object, exchange: object, name: str) -> tuple[str, str | None]:
    if not isinstance(symbol, str) or not symbol.strip():
        raise ValueError(f"{name}: symbol={symbol!r}: must be text, an instrument or the name of an underlying")
    try:
        key = canonical_key(symbol, None if exchange is None else canonical_exchange(str(exchange)))
    except CalendarError as exc:
        raise ValueError(f"{name}: {exc}") from exc
    return key[0], key[1]


def _refuse(frame: TradeFrame, name: str, field: str, bad: NDArray[np.bool_], allowed: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        value = frame.series(field)[row]
        raise ValueError(f"{name}: row {row}, {field}={value!r}: must be {allowed} ({int(bad.sum())} such rows)")


def _refuse_contradictions(
    name: str,
    keys: list[tuple[str, str | None]],
    number: NDArray[np.int64],
    times_us: NDArray[np.int64],
    prices: NDArray[np.float64],
) -> None:
    same = (number[1:] == number[:-1]) & (times_us[1:] == times_us[:-1])
    other = same & (prices[1:] != prices[:-1]) & ~(np.isnan(prices[1:]) & np.isnan(prices[:-1]))
    if other.any():
        k = int(np.argmax(other))
        symbol, exchange = keys[int(number[k])]
        at = from_epoch_us(int(times_us[k]), get_calendar(exchange or DEFAULT_EXCHANGE).zone)
        raise ValueError(f"{name}: {symbol} has two prices at {at.isoformat(' ')}: {prices[k]:g} and {prices[k + 1]:g}")
