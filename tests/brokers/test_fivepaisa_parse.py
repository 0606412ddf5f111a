"""5paisa's payloads and names, read without a network."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.errors import BrokerError, SymbolError
from attribution.instruments import Equity, Future, Index, Instrument, Option, Right
from brokers.base import OrderStatus, Secret
from brokers.fivepaisa import totp_code
from brokers.fivepaisa.parse import (
    bars_of,
    body_of,
    candles_of,
    closes_of,
    depth_of,
    failure_of,
    is_ended,
    is_nothing,
    lasts_of,
    order_of,
    position_of,
    rows_of,
    time_of,
    trade_of,
    with_broker_ids,
)
from brokers.fivepaisa.symbols import format_name, parse_master, parse_name, segment_of
from brokers.scrips import Scrip
from tests.brokers.fivepaisa_account import MASTER

INDIA = ZoneInfo("Asia/Kolkata")
NIFTY, SENSEX = Index("NIFTY"), Index("SENSEX", "BSE")
CALL = Option(NIFTY, date(2025, 11, 25), Right.CALL, 26000.0)
CALL_SCRIP = Scrip("ND", "57633", "NIFTY 25 Nov 2025 CE 26000.00", CALL)
Read = Callable[[str], Any]


def by_text(segment: str, code: str, name: str) -> Instrument | None:
    try:
        return parse_name(segment, name)
    except SymbolError:
        return None


# -- names


@pytest.mark.parametrize(
    ("segment", "text", "instrument"),
    [
        ("ND", "NIFTY 25 Nov 2025 CE 26000.00", CALL),
        ("ND", "NIFTY 25 Nov 2025", Future(NIFTY, date(2025, 11, 25))),
        ("ND", "M&M 25 Nov 2025 PE 3742.50", Option(Equity("M&M"), date(2025, 11, 25), Right.PUT, 3742.5)),
        ("ND", "BAJAJ-AUTO 01 Dec 2026", Future(Equity("BAJAJ-AUTO"), date(2026, 12, 1))),
        ("BD", "SENSEX 26 Nov 2026 PE 85000.00", Option(SENSEX, date(2026, 11, 26), Right.PUT, 85000.0)),
    ],
)
def test_names_both_ways(segment: str, text: str, instrument: Instrument) -> None:
    assert parse_name(segment, text) == instrument
    assert format_name(instrument) == text
    assert segment_of(instrument) == segment
    # Another spelling that is seen: capitals, and spaces at the end.
    assert parse_name(segment, f"{text.upper()}  ") == instrument


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        ("NC", "ITC"),
        ("NC", "NIFTY 25 Nov 2025"),
        ("ND", "NIFTY 31 Nov 2025"),
        ("ND", "NIFTY 25 Foo 2025"),
        ("ND", "NIFTY 25 Nov 2025 CE"),
        ("ND", "NIFTY 25 Nov 2025 CE 0.00"),
        ("ND", "ABC Ltd 25 Nov 2025"),
        ("MD", "SILVERMIC 30 Aug 2024"),
        ("ND", ""),
    ],
)
def test_a_name_that_does_not_tell_is_no_guess(segment: str, text: str) -> None:
    with pytest.raises(SymbolError):
        parse_name(segment, text)


def test_names_that_cannot_be_written() -> None:
    assert format_name(Equity("ITC")) == "ITC"
    with pytest.raises(SymbolError):
        format_name(Equity("SPY", "US"))
    with pytest.raises(SymbolError):
        format_name(Option(NIFTY, date(2025, 11, 25), Right.CALL, 100.125))


NAMES = st.sampled_from([NIFTY, SENSEX, Index("NIFTYNXT50"), Equity("M&M"), Equity("BAJAJ-AUTO"), Equity("TCS", "BSE")])
EXPIRIES = st.dates(date(2015, 1, 1), date(2099, 12, 31))
STRIKES = st.integers(1, 10**7).map(lambda ticks: round(ticks * 0.05, 2))


@given(NAMES, EXPIRIES, STRIKES, st.sampled_from(Right))
def test_every_contract_reads_back(underlying: Any, expiry: date, strike: float, right: Right) -> None:
    for instrument in (Option(underlying, expiry, right, strike), Future(underlying, expiry)):
        segment = segment_of(instrument)
        assert segment is not None
        assert parse_name(segment, format_name(instrument)) == instrument


# -- the scrip master


PLAIN = MASTER.encode()
WRITTEN = {"plain": PLAIN, "gzip": gzip.compress(PLAIN), "bom": b"\xef\xbb\xbf" + PLAIN}


@pytest.mark.parametrize("content", WRITTEN.values(), ids=WRITTEN)
def test_the_scrip_master(content: bytes) -> None:
    scrips = parse_master(content)
    found = {
        instrument: scrip.code
        for instrument in (
            NIFTY,
            SENSEX,
            Equity("ITC"),
            Equity("YESBANK"),
            Equity("IDEA", "BSE"),
            Future(NIFTY, date(2026, 11, 24)),
            Option(NIFTY, date(2026, 11, 24), Right.CALL, 26000.0),
            Option(SENSEX, date(2026, 11, 26), Right.PUT, 85000.0),
        )
        if (scrip := scrips.of(instrument)) is not None
    }
    assert list(found.values()) == ["999920000", "999901", "1660", "11915", "532822", "35001", "47001", "837931"]
    assert scrips.by_code("NC", "1660") == Scrip("NC", "1660", "ITC", Equity("ITC"))
    # Bonds, commodities, unknown indices and impossible contracts are left out.
    assert len(scrips) == 14


def test_of_several_codes_of_a_contract_the_newest_is_taken() -> None:
    scrip = parse_master(MASTER.encode()).of(Option(Equity("ITC", "BSE"), date(2026, 11, 26), Right.CALL, 400.0))
    assert scrip is not None
    assert scrip.code == "1190002"


def test_columns_may_be_written_otherwise() -> None:
    assert len(parse_master(MASTER.replace("ScripCode", "Scripcode").encode())) == 14


BROKEN = {
    "empty": b"",
    "html": b"<html>",
    "gzip": b"\x1f\x8bbroken",
    "cut": gzip.compress(PLAIN)[:60],
    "columns": b"Exch,ExchType\nN,C\n",
    "text": b"\xff\xff",
    "field": PLAIN + b'"' + b"x" * 200_000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_master_is_an_error(content: bytes) -> None:
    with pytest.raises(BrokerError, match="5paisa ScripMaster"):
        parse_master(content)


def test_a_line_that_breaks_off_is_left_out() -> None:
    assert len(parse_master(f"{MASTER}N,D,47009,NIFTY 24 Nov 2026 CE 27000.00\nN\n\n".encode())) == 14


# -- envelopes


@pytest.mark.parametrize(
    "name",
    [
        "GetAccessToken_ok",
        "Holding_V4_doc",
        "MarketSnapshot_doc",
        "NetPositionNetWise_doc",
        "NetPosition_reconstructed",
        "OrderBook_V3_reconstructed",
        "OrderStatus_V2_doc",
        "TradeBook_V1_doc",
        "V2_MarketDepth_byscrip_reconstructed",
        "V3_MarketDepth_doc",
    ],
)
def test_an_answer_is_no_failure(payload: Read, name: str) -> None:
    assert failure_of(payload(f"fivepaisa/{name}.json")) is None


def test_failures(payload: Read) -> None:
    status, words = failure_of(payload("fivepaisa/GetAccessToken_expired.json")) or ("", "")
    assert (status, words) == ("2", "Token Expired.")
    assert is_ended(status, words)
    assert failure_of(payload("fivepaisa/V2_historical_error_doc.json")) == ("1", "Error While Processing")
    assert failure_of({"head": {"status": "9", "statusDescription": "Invalid Session"}}) == ("9", "Invalid Session")
    assert is_ended("9", "")
    assert not is_ended("1", "Error While Processing")


@pytest.mark.parametrize("told", [None, [], "x", {}, {"head": {"status": 0}}, {"head": {}, "body": None}])
def test_what_is_no_envelope(told: Any) -> None:
    assert failure_of(told) is not None


@pytest.mark.parametrize("words", ["No Record Found", "no orders", "There are no positions today", "No Data"])
def test_what_means_that_there_is_nothing(words: str) -> None:
    assert is_nothing(words)


def test_what_does_not_mean_that_there_is_nothing() -> None:
    assert not is_nothing("Error While Processing")
    assert not is_nothing("Unknown record")


# -- times


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("/Date(1763612100000+0530)/", datetime(2025, 11, 20, 9, 45, tzinfo=INDIA)),
        ("/Date(1763612100000)/", datetime(2025, 11, 20, 9, 45, tzinfo=INDIA)),
        ("/Date(-62135596800000+0530)/", None),
        ("2025-05-19T12:34:56Z", datetime(2025, 5, 19, 12, 34, 56, tzinfo=UTC)),
        ("2025-05-19T12:34:56", datetime(2025, 5, 19, 12, 34, 56, tzinfo=INDIA)),
        ("0001-01-01T00:00:00", None),
        ("36300", None),
        (None, None),
        ("/Date(999999999999999999999)/", None),
    ],
)
def test_times(text: Any, read: datetime | None) -> None:
    assert time_of(text) == read


def test_the_codes_of_one_time_passwords_are_those_of_rfc_6238() -> None:
    secret = Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert totp_code(secret, datetime.fromtimestamp(seconds, UTC)) == code
    with pytest.raises(ValueError, match="base 32") as caught:
        totp_code(Secret("not base 32!"), datetime.fromtimestamp(59, UTC))
    assert "not base 32!" not in str(caught.value)


# -- history


def test_daily_candles(payload: Read) -> None:
    candles = candles_of(payload("fivepaisa/V2_historical_1d_doc.json"))
    assert not isinstance(candles, str)
    assert closes_of(candles) == {date(2023, 1, 1): 293.55, date(2023, 1, 2): 295.3}
    assert candles_of(payload("fivepaisa/V2_historical_empty.json")) == []
    assert candles_of(payload("fivepaisa/V2_historical_error_doc.json")) == "Error While Processing"
    assert candles_of({"status": "failure", "message": "bad interval"}) == "bad interval"
    assert candles_of({"status": "success", "data": None}) == []


def test_minute_candles_in_any_order() -> None:
    candles = [
        ["2026-06-17T09:16:00", 2, 3, 1, 2.5, 100],
        ["2026-06-17T09:15:00", "1.0", 1.5, 0, "1.25"],
        ["2026-06-17T09:17:00", 0, 0, 0, 0, 0],
    ]
    second, first = bars_of(candles)
    assert (first.start, first.open, first.high, first.low, first.close, first.volume) == (
        datetime(2026, 6, 17, 9, 15, tzinfo=INDIA),
        1.0,
        1.5,
        1.0,
        1.25,
        0.0,
    )
    assert (second.start.minute, second.close, second.volume) == (16, 2.5, 100.0)


@pytest.mark.parametrize("candles", [{}, [1], [[]], [["2026-06-17T09:15:00"]]])
def test_candles_of_another_shape(candles: Any) -> None:
    with pytest.raises(BrokerError, match="candles"):
        candles_of({"status": "success", "data": {"candles": candles}})


def test_a_candle_without_a_time() -> None:
    with pytest.raises(BrokerError, match="without a time"):
        bars_of([["soon", 1, 1, 1, 1]])


# -- quotes


def test_last_trades(payload: Read) -> None:
    asked = Scrip("NC", "12345", "ABC", Equity("ABC"))
    other = Scrip("ND", "12345", "NIFTY 25 Nov 2025", Future(NIFTY, date(2025, 11, 25)))
    found = lasts_of(body_of(payload("fivepaisa/MarketSnapshot_doc.json")), [asked, other])
    assert list(found) == [asked]
    assert found[asked].last == 3456.78


def test_a_last_trade_of_zero_is_none() -> None:
    row = {"Exch": "N", "ExchType": "D", "ScripCode": "57633", "LastTradedPrice": 0.0}
    book = lasts_of({"data": [row | {"LastTradeTime": "/Date(1763612100000)/"}]}, [CALL_SCRIP])[CALL_SCRIP]
    assert book.last is None
    assert book.time == datetime(2025, 11, 20, 9, 45, tzinfo=INDIA)


def test_depth_as_one_flat_list(payload: Read) -> None:
    body = body_of(payload("fivepaisa/V2_MarketDepth_byscrip_reconstructed.json"))
    book = depth_of(body, CALL_SCRIP)
    assert (book.bid, book.ask, book.time) == (101.5, 101.7, None)


def test_depth_as_a_list_of_each_side(payload: Read) -> None:
    body = body_of(payload("fivepaisa/V3_MarketDepth_doc.json"))
    book = depth_of(body, Scrip("NC", "12345", "ABC", Equity("ABC")))
    assert (book.bid, book.ask) == (100.5, 100.7)
    assert book.time == datetime(2025, 5, 19, 10, 15, 30, tzinfo=UTC)


def test_depth_of_nobody() -> None:
    levels = [{"BbBuySellFlag": 66, "Price": 0.0}, {"BbBuySellFlag": 83, "Price": 101.0}, {"BbBuySellFlag": 1}]
    book = depth_of({"marketdepthdata": levels}, CALL_SCRIP)
    assert (book.bid, book.ask) == (None, 101.0)
    assert depth_of({"marketdepthdata": None}, CALL_SCRIP).ask is None


@pytest.mark.parametrize(
    "other", [{"scripcode": 57634}, {"scripcode": "57634"}, {"exchange": "B"}, {"exchangetype": "C"}]
)
def test_depth_of_another_scrip_is_not_used(payload: Read, other: dict[str, Any]) -> None:
    body = body_of(payload("fivepaisa/V2_MarketDepth_byscrip_reconstructed.json")) | other
    with pytest.raises(BrokerError, match=r"when asked for ND 57633 .*; the price was not used"):
        depth_of(body, CALL_SCRIP)


def test_a_body_without_its_list() -> None:
    with pytest.raises(BrokerError, match="MarketDepthData"):
        depth_of({"status": 0}, CALL_SCRIP)
    with pytest.raises(BrokerError, match="OrderBookDetail or orderBook"):
        rows_of("OrderBook", {"orderbook": [1]}, "OrderBookDetail", "orderBook")


# -- books


def test_orders(payload: Read) -> None:
    body = body_of(payload("fivepaisa/OrderBook_V3_reconstructed.json"))
    (order,) = (order_of(row, by_text) for row in rows_of("OrderBook", body, "OrderBookDetail", "orderBook"))
    assert (order.order_id, order.exchange_order_id) == ("672112769", "1000000015310807")
    assert (order.instrument, order.direction, order.status) == (CALL, "sell", OrderStatus.FILLED)
    assert (order.quantity, order.filled, order.limit_price, order.average_price) == (75.0, 75.0, 101.5, 101.5)
    assert order.time == datetime(2025, 11, 20, 9, 45, 1, tzinfo=INDIA)


def test_orders_as_documented_go_by_other_names(payload: Read) -> None:
    body = body_of(payload("fivepaisa/OrderStatus_V2_doc.json"))
    rows = [row | {"buysell": "B"} for row in rows_of("OrderStatus", body, "OrdStatusResLst")]
    modified, executed = (order_of(row, by_text) for row in rows)
    assert (modified.status, modified.filled, modified.order_id) == (OrderStatus.OPEN, 0.0, "10000365323")
    assert (executed.status, executed.filled, executed.limit_price) == (OrderStatus.FILLED, 1.0, 431.05)


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("Fully Executed", OrderStatus.FILLED),
        ("Partially Executed", OrderStatus.OPEN),
        ("Pending", OrderStatus.OPEN),
        ("Xmitted", OrderStatus.PENDING),
        ("Cancelled", OrderStatus.CANCELLED),
        ("CANCELED", OrderStatus.CANCELLED),
        ("Rejected By 5P", OrderStatus.REJECTED),
        ("", OrderStatus.UNDEFINED),
        ("Something New", OrderStatus.UNDEFINED),
    ],
)
def test_spellings_of_a_status(payload: Read, written: str, status: OrderStatus) -> None:
    row = payload("fivepaisa/OrderBook_V3_reconstructed.json")["body"]["OrderBookDetail"][0]
    assert order_of(row | {"OrderStatus": written}, by_text).status is status


def test_trades_go_by_the_exchanges_order_id(payload: Read) -> None:
    row = payload("fivepaisa/TradeBook_V1_doc.json")["body"]["TradeBookDetail"][0]
    trade = trade_of(row, by_text)
    assert (trade.order_id, trade.trade_id, trade.quantity, trade.price) == ("ABC12345678", "TRD987654", 100.0, 540.25)
    order = order_of(payload("fivepaisa/OrderBook_V3_reconstructed.json")["body"]["OrderBookDetail"][0], by_text)
    book = [trade, trade_of(row | {"ExchOrderID": "1000000015310807"}, by_text)]
    assert [renamed.order_id for renamed in with_broker_ids(book, [order])] == ["ABC12345678", "672112769"]


@pytest.mark.parametrize("lost", ["Rate", "Qty", "ExchOrderID", "BuySell", "ScripName"])
def test_a_trade_that_cannot_be_read_is_not_passed_over(payload: Read, lost: str) -> None:
    row = payload("fivepaisa/TradeBook_V1_doc.json")["body"]["TradeBookDetail"][0]
    del row[lost]
    with pytest.raises(BrokerError, match=rf"(?i)5paisa TradeBook: no {lost} in a row"):
        trade_of(row, by_text)


def test_positions_on_the_wire(payload: Read) -> None:
    body = body_of(payload("fivepaisa/NetPosition_reconstructed.json"))
    (position,) = (position_of(row, by_text) for row in rows_of("", body, "NetPositionDetail", "NetPositions"))
    assert (position.instrument, position.quantity, position.average_price) == (CALL, -75.0, 101.5)
    assert (position.last, position.realized_pnl, position.unrealized_pnl) == (98.2, 0.0, 247.5)


def test_positions_as_documented(payload: Read) -> None:
    body = body_of(payload("fivepaisa/NetPositionNetWise_doc.json"))
    (position,) = (position_of(row, by_text) for row in rows_of("", body, "NetPositionDetail", "NetPositions"))
    assert (position.quantity, position.average_price, position.last) == (50.0, 150.25, 152.0)
    assert (position.instrument, position.realized_pnl) == (None, None)
    flat = position_of({"ScripName": "X", "NetQty": 0, "AvgRate": 150.25}, by_text)
    assert flat.average_price is None


# -- whatever arrives

LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6)
# fmt: off
FIELDS = [
    "head", "body", "status", "Status", "Message", "data", "candles", "Data", "MarketDepthData", "Bids",
    "Price", "BbBuySellFlag", "ScripCode", "Exchange", "ExchangeType", "LastTradeTime", "ScripName", "Qty",
    "Rate", "BuySell", "ExchOrderID", "NetQty", "TimeStamp",
]
# fmt: on
FIELD = st.sampled_from(FIELDS)
JSON = st.recursive(LEAF, lambda inner: st.lists(inner) | st.dictionaries(FIELD, inner), max_leaves=20)
ROW = st.dictionaries(FIELD, LEAF | JSON)
READERS: list[Callable[[Any], object]] = [
    failure_of,
    lambda told: lasts_of(body_of(told), [CALL_SCRIP]),
    lambda told: depth_of(body_of(told), CALL_SCRIP),
    lambda told: bars_of(candles_of(told)),
    lambda told: closes_of(candles_of({"status": "success", "data": {"candles": told}})),
    lambda told: [order_of(row, by_text) for row in rows_of("", {"x": told}, "x")],
    lambda told: [trade_of(row, by_text) for row in rows_of("", {"x": told}, "x")],
    lambda told: [position_of(row, by_text) for row in rows_of("", {"x": told}, "x")],
]


@given(JSON | st.lists(ROW) | st.fixed_dictionaries({"head": ROW, "body": ROW}), st.sampled_from(READERS))
def test_whatever_arrives_is_read_or_a_broker_error(told: Any, read: Callable[[Any], object]) -> None:
    with contextlib.suppress(BrokerError):
        read(told)
