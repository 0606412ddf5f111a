"""Alpaca's payloads, read without a network."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from attribution.instruments import Equity, Future, Index, Instrument, Option, Right, Style
from attribution.market.quotes import Missing, Price, PriceKind
from attribution.symbols import parse_occ
from brokers.alpaca.parse import (
    Half,
    Ticker,
    closes_by_date,
    fills_by_order,
    instrument_of,
    mark_of_snapshot,
    order_fills,
    parse_bars,
    parse_fills,
    parse_orders,
    parse_positions,
    parse_time,
    snapshots_in,
    ticker_of,
)
from brokers.base import OrderStatus

Payload = Callable[[str], Any]
QUARTER = timedelta(minutes=15)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("instrument", "ticker"),
    [
        (parse_occ("SPY240426C00555000"), Ticker(Half.OPTIONS, "SPY240426C00555000")),
        (parse_occ("SPXW230113P03965000"), Ticker(Half.OPTIONS, "SPXW230113P03965000")),
        # An adjusted contract is another one than the plain contract of its strike and date.
        (parse_occ("XOM2241220P00280000"), Ticker(Half.OPTIONS, "XOM2241220P00280000")),
        (Equity("AAPL", "US"), Ticker(Half.STOCKS, "AAPL")),
        (Equity("BRK.B", "US"), Ticker(Half.STOCKS, "BRK.B")),
        (Equity("AAPL", "US", 100.0), Ticker(Half.STOCKS, "AAPL")),
    ],
)
def test_what_an_instrument_is_called(instrument: Instrument, ticker: Ticker) -> None:
    assert ticker_of(instrument) == ticker


@pytest.mark.parametrize(
    ("instrument", "says"),
    [
        (Index("SPX", "US"), "SPX_IND___ is of kind index"),
        (Index("NIFTY", "NSE"), "US exchanges only, not NSE"),
        (Future(Equity("AAPL", "US"), date(2024, 4, 26)), "is of kind future"),
        (Equity("XOM2", "US"), "XOM2 is the deliverable of adjusted contracts"),
        (Option(Equity("SPY", "US"), date(2024, 4, 26), Right.CALL, 555.0001, 100.0, Style.AMERICAN), "no OCC symbol"),
    ],
)
def test_what_is_not_served_is_missing_with_a_reason(instrument: Instrument, says: str) -> None:
    missing = ticker_of(instrument)
    assert isinstance(missing, Missing)
    assert says in missing.reason


def test_symbols_of_the_account() -> None:
    assert instrument_of("AAPL", "us_equity") == Equity("AAPL", "US")
    assert instrument_of("BRK.B") == Equity("BRK.B", "US")
    assert instrument_of("XOM2241220P00280000", "us_option") == parse_occ("XOM2241220P00280000")
    for symbol, kind in (("BTCUSD", "crypto"), ("", ""), (None, None), ("AAPL", "us_option"), ("a b", "us_equity")):
        assert instrument_of(symbol, kind) is None


def test_times_without_a_zone_are_utc() -> None:
    assert parse_time("2024-02-02T20:59:59.731674112Z") == utc("2024-02-02T20:59:59.731674")
    assert parse_time("2024-02-02T20:59:59") == utc("2024-02-02T20:59:59")
    assert parse_time("2024-02-02T15:59:59-05:00") == utc("2024-02-02T20:59:59")
    assert parse_time("yesterday") is None
    assert parse_time(None) is None


def test_bars(payload: Payload) -> None:
    first, second = parse_bars(payload("alpaca/v1beta1_options_bars.json")["bars"]["SPY240426C00555000"])
    assert (first.start, first.open, first.high, first.low, first.close) == (
        utc("2024-03-12T13:00:00"),
        0.24,
        0.24,
        0.21,
        0.21,
    )
    assert (second.close, second.volume) == (0.3, 3.0)
    rows = [{"t": "2024-03-12T13:00:00Z", "c": 0}, {"t": None, "c": 1}, {"c": 1}, {"t": "2024-03-12T13:00:00Z"}, 7]
    assert parse_bars(rows) == []
    assert parse_bars(None) == []


def test_daily_bars_belong_to_the_date_in_new_york(payload: Payload) -> None:
    bars = parse_bars(payload("alpaca/v2_stocks_bars_1Day.json")["bars"]["AAPL"])
    assert closes_by_date(bars) == {date(2022, 2, 28): 165.12}
    summer = parse_bars([{"t": "2024-07-01T04:00:00Z", "c": 1.0}])
    assert closes_by_date(summer) == {date(2024, 7, 1): 1.0}


def test_the_mark_is_the_middle_of_the_quote(payload: Payload) -> None:
    now = utc("2024-02-02T21:00:10")
    for name in ("v1beta1_options_snapshots.json", "v1beta1_options_snapshots_no_greeks.json"):
        (shot,) = snapshots_in(payload(f"alpaca/{name}")).values()
        mark = mark_of_snapshot(shot, now, "alpaca", QUARTER)
        assert mark == Price(0.5 * (0.48 + 0.59), "alpaca", PriceKind.MARK, utc("2024-02-02T20:59:59.731674"))


def test_both_shapes_of_stock_snapshots(payload: Payload) -> None:
    now = utc("2022-08-17T10:18:30")
    for name in ("v2_stocks_snapshots.json", "v2_stocks_snapshots_wrapped.json"):
        mark = mark_of_snapshot(snapshots_in(payload(f"alpaca/{name}"))["AAPL"], now, "alpaca", QUARTER)
        assert isinstance(mark, Price)
        assert mark.value == pytest.approx(172.65)


def test_a_quote_and_a_trade_are_each_judged_by_their_own_time(payload: Payload) -> None:
    (shot,) = snapshots_in(payload("alpaca/v1beta1_options_snapshots_adjusted_root.json")).values()
    fresh = mark_of_snapshot(shot, utc("2024-11-26T21:00:10"), "alpaca", QUARTER)
    assert isinstance(fresh, Price)
    assert fresh.value == 8.25
    # One-sided: the trade of three months before is no mark of now.
    one_sided = {**shot, "latestQuote": {**shot["latestQuote"], "bp": 0}}
    missing = mark_of_snapshot(one_sided, utc("2024-11-26T21:00:10"), "alpaca", QUARTER)
    assert isinstance(missing, Missing)
    assert "bid none, ask 9.5" in missing.reason
    assert "2024-08-26 14:37:34 is stale" in missing.reason
    old = mark_of_snapshot(one_sided, utc("2024-08-26T14:38:00"), "alpaca", QUARTER)
    assert old == Price(15.79, "alpaca", PriceKind.LAST, utc("2024-08-26T14:37:34.549471"))


@pytest.mark.parametrize("shot", [None, {}, {"latestQuote": None}, {"latestQuote": {"bp": 1, "ap": 2}}, 7])
def test_a_snapshot_without_quote_and_trade_is_missing(shot: Any) -> None:
    assert isinstance(mark_of_snapshot(shot, utc("2024-11-26T21:00:10"), "alpaca", QUARTER), Missing)


def test_fills_have_numbers_as_text(payload: Payload) -> None:
    (trade,) = parse_fills(payload("alpaca/v2_account_activities_FILL.json"))
    assert (trade.price, trade.quantity, trade.direction) == (2630.95, 9.0, "buy")
    assert trade.instrument == Equity("GOOGL", "US")
    assert trade.time == utc("2022-03-04T14:53:18.500245")
    assert parse_fills([{"qty": "1", "order_id": "a"}, {"price": "1", "qty": "0", "order_id": "a"}, 1]) == []


def fill(order: str, quantity: str, cumulated: str, price: str = "1", key: str | None = None) -> dict[str, str]:
    row = {"order_id": order, "qty": quantity, "cum_qty": cumulated, "price": price, "symbol": "AAPL", "side": "buy"}
    return {**row, "id": key or f"{order}-{cumulated}"}


def test_an_order_is_whole_or_left_to_the_order_itself(payload: Payload) -> None:
    # The payload's own order had 1.177 shares filled before.
    assert fills_by_order(payload("alpaca/v2_account_activities_FILL.json")) == {}
    rows = [fill("a", "1", "1"), fill("a", "2", "3"), fill("b", "2", "5"), fill("a", "1", "1")]
    found = fills_by_order(rows)
    assert set(found) == {"a"}
    # One that cannot be read leaves the rest no whole.
    assert fills_by_order([fill("a", "1", "1"), {**fill("a", "2", "3"), "price": None}]) == {}
    # The same activity seen on two pages counts once.
    assert [trade.quantity for trade in found["a"]] == [1.0, 2.0]


def test_a_multi_leg_order_is_read_leg_by_leg(payload: Payload) -> None:
    order = payload("alpaca/v2_order_mleg.json")
    whole, bought, sold = parse_orders([order])
    assert whole.instrument is None
    assert (whole.status, whole.limit_price) == (OrderStatus.FILLED, 1.35)
    assert (bought.direction, sold.direction) == ("buy", "sell")
    trades = order_fills(order, "the-id-asked-for")
    legs = {trade.instrument: trade for trade in trades}
    assert legs[parse_occ("SPY240426C00520000")].price == 9.1
    assert legs[parse_occ("SPY240426C00525000")].quantity == 2.0
    assert {trade.order_id for trade in trades} == {"the-id-asked-for"}


@pytest.mark.parametrize("kind", ["bracket", "oto", "oco", ""])
def test_the_orders_that_end_a_bracket_are_no_part_of_its_fill(kind: str) -> None:
    filled = {"symbol": "SPY250321C00570000", "asset_class": "us_option", "status": "filled", "filled_qty": "2"}
    entry = {**filled, "id": "a", "side": "buy", "filled_avg_price": "5.00", "order_class": kind}
    target = {**filled, "id": "b", "side": "sell", "filled_avg_price": "9.00"}
    (fill,) = order_fills({**entry, "legs": [target]}, "a")
    assert (fill.price, fill.quantity, fill.direction) == (5.0, 2.0, "buy")
    assert [one.order_id for one in parse_orders([{**entry, "legs": [target]}])] == ["a", "b"]


def test_orders_not_filled() -> None:
    row = {"id": "a", "symbol": "AAPL", "qty": "5", "filled_qty": "0", "filled_avg_price": None, "side": "sell"}
    statuses = ["accepted", "new", "partially_filled", "canceled", "rejected", "calculated"]
    orders = parse_orders([{**row, "status": status} for status in statuses])
    assert [order.status for order in orders] == [
        OrderStatus.PENDING,
        OrderStatus.OPEN,
        OrderStatus.OPEN,
        OrderStatus.CANCELLED,
        OrderStatus.REJECTED,
        OrderStatus.UNDEFINED,
    ]
    assert orders[0].average_price is None
    assert order_fills(row, "a") == []


def test_positions(payload: Payload) -> None:
    (long,) = parse_positions(payload("alpaca/v2_positions_equity_test.json"))
    assert (long.quantity, long.average_price, long.last, long.unrealized_pnl) == (5.0, 100.0, 120.0, 100.0)
    assert long.realized_pnl is None
    short, coin = parse_positions(payload("alpaca/v2_positions_option_short.json"))
    assert (short.instrument, short.quantity) == (parse_occ("SPY240426C00525000"), -2.0)
    assert (coin.instrument, coin.quantity) == (None, 0.5)
    # Short without the sign is short all the same.
    (unsigned,) = parse_positions([{"symbol": "AAPL", "qty": "2", "side": "short"}])
    assert unsigned.quantity == -2.0
    with pytest.raises(ValueError, match="no quantity"):
        parse_positions([{"symbol": "AAPL"}])
