"""OpenAlgo's symbols and payloads, read without a network."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.errors import SymbolError
from attribution.instruments import Equity, Future, Index, Instrument, Option, Right
from attribution.market.quotes import Book
from brokers.base import OrderStatus
from brokers.openalgo.parse import (
    check_clock,
    closed_dates,
    closes_by_date,
    parse_book,
    parse_candles,
    parse_orders,
    parse_positions,
    parse_time,
    parse_trades,
    quotes_by_name,
    trading_hours,
)
from brokers.openalgo.symbols import read_openalgo, write_openalgo

Payload = Callable[[str], Any]
LAW = settings(deadline=None)
INDIA = ZoneInfo("Asia/Kolkata")
TODAY = date(2024, 11, 26)
NIFTY = Index("NIFTY", "NSE")


def ist(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIA)


# -- symbols -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "exchange", "instrument"),
    [
        ("NIFTY28MAR2420800CE", "NFO", Option(NIFTY, date(2024, 3, 28), Right.CALL, 20800.0)),
        ("VEDL25APR24292.5CE", "NFO", Option(Equity("VEDL"), date(2024, 4, 25), Right.CALL, 292.5)),
        ("SENSEX28NOV2480000PE", "BFO", Option(Index("SENSEX", "BSE"), date(2024, 11, 28), Right.PUT, 80000.0)),
        (
            "NIFTYNXT5029NOV2465000CE",
            "NFO",
            Option(Index("NIFTYNXT50", "NSE"), date(2024, 11, 29), Right.CALL, 65000.0),
        ),
        ("NIFTY24APR24FUT", "NFO", Future(NIFTY, date(2024, 4, 24))),
        ("M&M24APR24FUT", "NFO", Future(Equity("M&M"), date(2024, 4, 24))),
        ("NIFTY", "NSE_INDEX", NIFTY),
        ("SENSEX", "BSE_INDEX", Index("SENSEX", "BSE")),
        ("NIFTYAUTO", "NSE_INDEX", Index("NIFTYAUTO", "NSE")),
        ("INFY", "NSE", Equity("INFY")),
        ("TATAMOTORS", "BSE", Equity("TATAMOTORS", "BSE")),
        ("BAJAJ-AUTO", "NSE", Equity("BAJAJ-AUTO")),
    ],
)
def test_symbols_both_ways(symbol: str, exchange: str, instrument: Instrument) -> None:
    assert read_openalgo(symbol, exchange) == instrument
    assert write_openalgo(instrument) == (symbol, exchange)


@pytest.mark.parametrize(
    ("symbol", "exchange"),
    [
        ("CRUDEOIL17APR246750CE", "MCX"),
        ("USDINR19APR2482CE", "CDS"),
        ("NIFTY31FEB2420800CE", "NFO"),
        ("NIFTY28XYZ2420800CE", "NFO"),
        ("NIFTY28MAR240CE", "NFO"),
        ("NIFTY25N2526000CE", "NFO"),
        ("SENSEX28NOV2480000PE", "NFO"),
        ("NIFTY", "NSE"),
        ("SENSEX", "NSE_INDEX"),
        ("US500", "GLOBAL_INDEX"),
        ("", "NFO"),
    ],
)
def test_symbols_that_are_refused(symbol: str, exchange: str) -> None:
    with pytest.raises(SymbolError):
        read_openalgo(symbol, exchange)


@pytest.mark.parametrize(
    "instrument",
    [Equity("SPY", "US"), Future(NIFTY, date(1999, 4, 24)), Equity("NIFTY"), Future(Equity("X28MAR24"), TODAY)],
)
def test_instruments_that_are_refused(instrument: Instrument) -> None:
    if instrument == Future(Equity("X28MAR24"), TODAY):
        # A name that looks like a contract is still told apart by what follows.
        assert read_openalgo(*write_openalgo(instrument)) == instrument
        return
    with pytest.raises(SymbolError):
        write_openalgo(instrument)


def test_a_multiplier_is_no_part_of_the_symbol() -> None:
    assert write_openalgo(Option(NIFTY, date(2024, 3, 28), Right.CALL, 20800.0, 75.0)) == ("NIFTY28MAR2420800CE", "NFO")


@LAW
@given(
    st.one_of(
        st.sampled_from([NIFTY, Index("SENSEX", "BSE"), Index("NIFTYNXT50", "NSE"), Equity("360ONE"), Equity("M&M")]),
        st.from_regex(r"[A-Z][A-Z&\-]{1,9}", fullmatch=True).map(lambda name: Equity(f"{name}Q")),
    ),
    st.dates(min_value=date(2000, 1, 1), max_value=date(2099, 12, 31)),
    st.sampled_from(Right),
    st.integers(1, 4_000_000).map(lambda twentieths: twentieths / 20.0),
)
def test_contracts_round_trip(underlying: Equity | Index, expiry: date, right: Right, strike: float) -> None:
    for contract in (Option(underlying, expiry, right, strike), Future(underlying, expiry)):
        assert read_openalgo(*write_openalgo(contract)) == contract


@LAW
@given(st.text(max_size=30), st.sampled_from(["NFO", "BFO", "NSE", "BSE", "NSE_INDEX", "MCX", ""]))
def test_no_text_makes_it_fall_over(text: str, exchange: str) -> None:
    with contextlib.suppress(SymbolError):
        read_openalgo(text, exchange)


# -- candles -----------------------------------------------------------------------------------------------------------


def test_candles_are_in_epoch_seconds(payload: Payload) -> None:
    bars = parse_candles(payload("openalgo/history_1m.json")["data"])
    assert bars[0].start == ist("2024-11-26T09:15")
    assert bars[0].start.utcoffset() == timedelta(hours=5, minutes=30)
    assert [bar.close for bar in bars] == [80.5, 81.75, 81.5, 81.25, 84.25]
    check_clock(bars, "NSE", ist("2024-11-26T16:30"))


def test_a_candle_without_a_close_is_none(payload: Payload) -> None:
    assert parse_candles([{"timestamp": 1732592700, "close": 0}, {"timestamp": 1732592700}]) == []
    assert parse_candles([]) == []


@pytest.mark.parametrize(
    "rows",
    [
        None,
        "text",
        {"timestamp": 1732592700},
        [1],
        [{"close": 1.0}],
        [{"timestamp": "2024-11-26 09:15", "close": 1.0}],
        [{"timestamp": 1732592700000, "close": 1.0}],
    ],
)
def test_what_is_no_list_of_candles_is_a_failure_not_an_absence(rows: Any) -> None:
    with pytest.raises(ValueError):
        parse_candles(rows)


@pytest.mark.parametrize(
    ("shift", "now"),
    [
        (5.5, "2024-11-26T16:30"),  # the day over: bars in the evening
        (5.5, "2024-11-26T10:00"),  # the day running: bars in the future
        (-5.5, "2024-11-26T16:30"),  # bars before dawn
    ],
)
def test_bars_of_a_server_in_another_zone_are_refused(payload: Payload, shift: float, now: str) -> None:
    rows = payload("openalgo/history_1m.json")["data"]
    moved = parse_candles([{**row, "timestamp": row["timestamp"] + shift * 3600} for row in rows])
    with pytest.raises(ValueError, match="zone is off"):
        check_clock(moved, "NSE", ist(now))


def test_clocks_may_differ_by_seconds() -> None:
    bars = parse_candles([{"timestamp": ist("2024-11-26T12:00").timestamp(), "close": 1.0}])
    check_clock(bars, "NSE", ist("2024-11-26T11:59:52"))
    with pytest.raises(ValueError, match="in the future"):
        check_clock(bars, "NSE", ist("2024-11-26T11:59:45"))


def test_bars_of_the_auctions_and_of_sundays_are_let_through() -> None:
    rows = [
        {"timestamp": ist(t).timestamp(), "close": 1.0}
        for t in ("2024-11-26T09:07", "2024-11-26T15:50", "2024-11-24T03:00")
    ]
    check_clock(parse_candles(rows), "NSE", ist("2024-11-26T16:30"))


def test_daily_candles_by_date(payload: Payload) -> None:
    bars = parse_candles(payload("openalgo/history_D.json")["data"])
    assert closes_by_date(bars) == {date(2024, 11, 25): 92.3, date(2024, 11, 26): 84.0}
    late = parse_candles([{"timestamp": ist("2024-11-25T18:30").timestamp(), "close": 84.0}])
    with pytest.raises(ValueError, match="zone is off"):
        closes_by_date(late)


# -- quotes and books --------------------------------------------------------------------------------------------------


def test_a_zero_of_a_quote_is_nothing(payload: Payload) -> None:
    found = quotes_by_name(payload("openalgo/multiquotes.json")["results"])
    assert parse_book(found["NIFTY28NOV2426000CE", "NFO"]["data"]) == Book(83.5, 84.5, 84.0, None)
    assert parse_book(found["NIFTY", "NSE_INDEX"]["data"]) == Book(None, None, 24180.25, None)
    assert parse_book(found["INFY", "NSE"]["data"]) == Book(1557.9, None, None, None)
    assert parse_book(None) == Book(None, None, None, None)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("13:58:03", ist("2024-11-26T13:58:03")),
        ("08-Apr-2025 13:58:03", ist("2025-04-08T13:58:03")),
        ("29-12-2025 11:10:38", ist("2025-12-29T11:10:38")),
        ("2025-12-29 11:10:38", ist("2025-12-29T11:10:38")),
        ("2025-12-29T05:40:38+00:00", ist("2025-12-29T11:10:38")),
        ("31-Feb-2025 11:10:38", None),
        ("8-Foo-2025 11:10:38", None),
        ("", None),
        (None, None),
        ("soon", None),
    ],
)
def test_times_of_the_books(text: str | None, instant: datetime | None) -> None:
    assert parse_time(text, TODAY) == instant


def test_what_the_trade_book_does_not_tell_is_nan_never_zero(payload: Payload) -> None:
    trades = parse_trades(payload("openalgo/tradebook.json")["data"], TODAY)
    assert [trade.quantity for trade in trades[:2]] == [75.0, 225.0]
    assert trades[0].time == ist("2024-11-26T09:20:03")
    assert math.isnan(trades[2].quantity)
    assert math.isnan(trades[4].price)
    assert trades[4].time is None
    assert [trade.direction for trade in trades[1:3]] == ["buy", "sell"]
    assert trades[5].instrument is None
    with pytest.raises(ValueError):
        parse_trades(None, TODAY)


def test_orders(payload: Payload) -> None:
    done, cancelled, waiting = parse_orders(payload("openalgo/orderbook.json")["data"], TODAY)
    assert (done.status, done.quantity, done.filled, done.limit_price) == (OrderStatus.FILLED, 300.0, 300.0, 84.5)
    assert (cancelled.status, cancelled.limit_price) == (OrderStatus.CANCELLED, None)
    assert math.isnan(cancelled.filled)
    assert (waiting.status, waiting.filled) == (OrderStatus.PENDING, 0.0)
    (odd,) = parse_orders([{"order_status": "whatever", "quantity": "1"}], TODAY)
    assert odd.status is OrderStatus.UNDEFINED


def test_positions(payload: Payload) -> None:
    short, closed, call = parse_positions(payload("openalgo/positionbook.json")["data"])
    assert (short.quantity, short.average_price, short.unrealized_pnl) == (-1.0, 83.74, 0.02)
    assert (closed.quantity, closed.average_price, closed.realized_pnl) == (0.0, None, 5.9)
    assert call.instrument == Option(NIFTY, date(2024, 11, 28), Right.CALL, 26000.0)
    with pytest.raises(ValueError, match="no quantity"):
        parse_positions([{"symbol": "NHPC"}])


def test_hours_and_holidays(payload: Payload) -> None:
    hours = trading_hours(payload("openalgo/timings.json")["data"])
    assert hours["NSE"] == (ist("2025-12-19T09:15"), ist("2025-12-19T15:30"))
    assert hours["NFO"][1] == datetime(2025, 12, 19, 10, 10, tzinfo=UTC)
    closed = closed_dates(payload("openalgo/holidays.json")["data"])
    assert list(closed) == [date(2026, 1, 26)]
    assert "NFO" in closed[date(2026, 1, 26)]
