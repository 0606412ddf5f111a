"""Shoonya's payloads and names, read without a network."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.calendars import Session
from attribution.errors import BrokerError, SymbolError
from attribution.instruments import Equity, Future, Index, Instrument, Option, Right
from attribution.market.bars import tidy_bars
from brokers.base import OrderStatus
from brokers.scrips import Scrip
from brokers.shoonya.parse import (
    bars_of,
    book_of,
    closes_of,
    error_of,
    order_of,
    position_of,
    rows_of,
    time_of,
    trade_of,
)
from brokers.shoonya.session import body_of
from brokers.shoonya.symbols import format_tsym, parse_date, parse_master, parse_tsym, segment_of
from tests.brokers.shoonya_account import BFO, BSE, NFO, NSE, zipped

INDIA = ZoneInfo("Asia/Kolkata")
NIFTY = Index("NIFTY")
EXPIRY = date(2026, 11, 24)
CALL = Option(NIFTY, EXPIRY, Right.CALL, 26000.0)
Read = Callable[[str], Any]


def by_text(segment: str, symbol: str) -> Instrument | None:
    try:
        return parse_tsym(segment, symbol)
    except SymbolError:
        return None


# -- symbols


@pytest.mark.parametrize(
    ("segment", "text", "instrument"),
    [
        ("NFO", "NIFTY25NOV25C26000", Option(NIFTY, date(2025, 11, 25), Right.CALL, 26000.0)),
        ("NFO", "NIFTY25NOV25F", Future(NIFTY, date(2025, 11, 25))),
        ("NFO", "NIFTYNXT5025NOV25F", Future(Index("NIFTYNXT50"), date(2025, 11, 25))),
        ("NFO", "M&M25NOV25P3742.5", Option(Equity("M&M"), date(2025, 11, 25), Right.PUT, 3742.5)),
        ("NFO", "BAJAJ-AUTO25NOV25F", Future(Equity("BAJAJ-AUTO"), date(2025, 11, 25))),
        ("NFO", "360ONE25NOV25F", Future(Equity("360ONE"), date(2025, 11, 25))),
        ("NSE", "ACC-EQ", Equity("ACC")),
        ("NSE", "BAJAJ-AUTO-EQ", Equity("BAJAJ-AUTO")),
    ],
)
def test_symbols_both_ways(segment: str, text: str, instrument: Instrument) -> None:
    assert parse_tsym(segment, text) == instrument
    assert format_tsym(instrument) == text
    assert segment_of(instrument) == segment


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        ("NFO", "NIFTY31NOV25F"),
        ("NFO", "NIFTY25NOV25C"),
        ("NFO", "NIFTY25NOV25C0"),
        ("NFO", "nifty-25NOV25F "),
        ("NFO", "25NOV25F"),
        ("NSE", "ACC-GB"),
        ("NSE", "NIFTY INDEX"),
        ("BFO", "SENSEX26NOV85000CE"),
        ("MCX", "SILVERMIC30AUG24"),
        ("NFO", ""),
    ],
)
def test_a_text_that_does_not_tell_is_no_guess(segment: str, text: str) -> None:
    with pytest.raises(SymbolError):
        parse_tsym(segment, text)


def test_what_only_the_master_file_names() -> None:
    for instrument in (NIFTY, Index("SENSEX", "BSE"), Equity("HDFC", "BSE")):
        with pytest.raises(SymbolError):
            format_tsym(instrument)
    assert segment_of(Equity("SPY", "US")) is None


NAMES = st.sampled_from(["NIFTY", "BANKNIFTY", "NIFTYNXT50", "M&M", "BAJAJ-AUTO", "360ONE", "TCS", "3MINDIA"])
EXPIRIES = st.dates(date(2015, 1, 1), date(2099, 12, 31))
STRIKES = st.integers(1, 10**7).map(lambda ticks: round(ticks * 0.05, 2))


def underlying(name: str) -> Index | Equity:
    return Index(name) if name in ("NIFTY", "BANKNIFTY", "NIFTYNXT50") else Equity(name)


@given(NAMES, EXPIRIES, STRIKES, st.sampled_from(Right))
def test_every_contract_reads_back(name: str, expiry: date, strike: float, right: Right) -> None:
    for instrument in (Option(underlying(name), expiry, right, strike), Future(underlying(name), expiry)):
        assert parse_tsym("NFO", format_tsym(instrument)) == instrument


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("30-AUG-2024", date(2024, 8, 30)),
        ("30-Aug-2024", date(2024, 8, 30)),
        ("25NOV25", date(2025, 11, 25)),
        ("31-FEB-2024", None),
        ("", None),
        ("2024-08-30", None),
        ("XX-AUG-2024", None),
    ],
)
def test_dates(text: str, day: date | None) -> None:
    assert parse_date(text) == day


# -- master files


def test_the_master_of_nse() -> None:
    scrips = parse_master("NSE", zipped(NSE))
    nifty = scrips.of(NIFTY)
    assert nifty == Scrip("NSE", "26000", "NIFTY INDEX", NIFTY, "Nifty 50")
    assert scrips.of(Index("BANKNIFTY")) == Scrip("NSE", "26009", "NIFTY BANK", Index("BANKNIFTY"), "Nifty Bank")
    acc = scrips.of(Equity("ACC", multiplier=250.0))
    assert acc is not None
    assert acc.symbol == "ACC-EQ"
    assert scrips.by_symbol("NSE", "ACC-BE") is not None
    assert scrips.by_code("NSE", "900") is None
    assert scrips.by_code("NSE", "26999") is None
    assert len(scrips) == 6


def test_the_master_of_nse_contracts() -> None:
    scrips = parse_master("NFO", zipped(NFO))
    found = scrips.of(CALL)
    assert found == Scrip("NFO", "47001", "NIFTY24NOV26C26000", CALL)
    assert scrips.of(Future(NIFTY, EXPIRY)) is not None
    assert scrips.of(Option(Equity("M&M"), EXPIRY, Right.CALL, 3742.5)) is not None
    assert scrips.of(Option(NIFTY, EXPIRY, Right.CALL, 26050.0)) is None


def test_the_masters_of_bse() -> None:
    shares = parse_master("BSE", zipped(BSE))
    sensex = Index("SENSEX", "BSE")
    found = shares.of(sensex)
    assert found is not None
    assert found.code == "1"
    assert shares.of(Equity("HDFC", "BSE")) is not None
    contracts = parse_master("BFO", zipped(BFO))
    put = contracts.of(Option(sensex, date(2026, 11, 26), Right.PUT, 85000.0))
    assert put is not None
    assert put.symbol == "SENSEX26NOV85000PE"
    assert contracts.of(Future(sensex, date(2026, 11, 26))) is not None
    # Its column Symbol is no name: better no instrument than a wrong one.
    assert contracts.by_code("BFO", "837002") is None


BROKEN = {
    "empty": b"",
    "html": b"<html>",
    "cut": zipped(NSE)[:50],
    "columns": zipped("a,b\n1,2\n"),
    "nothing": zipped(""),
    "field": zipped(NSE + '"' + "x" * 200_000),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_master_is_an_error(content: bytes) -> None:
    with pytest.raises(BrokerError, match="NSE_symbols"):
        parse_master("NSE", content)


def test_a_line_that_breaks_off_is_left_out() -> None:
    scrips = parse_master("NFO", zipped(f"{NFO}NFO,47009,75,NIFTY,NIFTY24NOV26C27000\nNFO\n\n"))
    assert scrips.by_code("NFO", "47009") is None
    assert len(scrips) == 4


# -- quotes


def test_a_quote(payload: Read) -> None:
    told = payload("shoonya/GetQuotes_MCX_FUT_2024-06-25.json")
    asked = Scrip("MCX", "426308", "SILVERMIC30AUG24", Future(Equity("SILVERMIC"), date(2024, 8, 30)))
    book = book_of(told, asked)
    assert (book.bid, book.ask, book.last) == (90821.0, 90835.0, 90822.0)
    assert book.time == datetime(2024, 6, 25, 13, 33, 42, tzinfo=INDIA)


def test_zeros_and_absent_fields_are_none(payload: Read) -> None:
    book = book_of(payload("shoonya/GetQuotes_illiquid_zeros_doc.json"), Scrip("NSE", "22", "ACC-EQ", Equity("ACC")))
    assert (book.bid, book.ask, book.last, book.time) == (2000.0, None, None, None)


def test_a_one_sided_book_is_as_old_as_its_last_trade(payload: Read) -> None:
    told = payload("shoonya/GetQuotes_MCX_FUT_2024-06-25.json") | {"sp1": "0.00"}
    asked = Scrip("MCX", "426308", "SILVERMIC30AUG24", Future(Equity("SILVERMIC"), date(2024, 8, 30)))
    assert book_of(told, asked).time == datetime(2024, 6, 25, 13, 33, 40, tzinfo=INDIA)


@pytest.mark.parametrize(
    "other", [{"token": "23"}, {"tsym": "ACC-BE"}, {"exch": "BSE"}, {"token": None}, {"token": "", "tsym": ""}]
)
def test_an_answer_for_another_symbol_is_not_used(payload: Read, other: dict[str, Any]) -> None:
    told = payload("shoonya/GetQuotes_illiquid_zeros_doc.json") | other
    with pytest.raises(BrokerError, match=r"when asked for NSE\|22 ACC-EQ; the price was not used"):
        book_of(told, Scrip("NSE", "22", "ACC-EQ", Equity("ACC")))


def test_a_token_given_to_another_expiry_is_not_used() -> None:
    told = {"stat": "Ok", "exch": "NFO", "token": "47001", "exd": "01-DEC-2026", "lp": "5.00"}
    with pytest.raises(BrokerError, match="not used"):
        book_of(told, Scrip("NFO", "47001", "NIFTY24NOV26C26000", CALL))


def test_an_index_may_go_by_another_name() -> None:
    told = {"stat": "Ok", "exch": "NSE", "token": "26000", "tsym": "Nifty 50", "lp": "25990.10", "lut": "1795168800"}
    book = book_of(told, Scrip("NSE", "26000", "NIFTY INDEX", NIFTY))
    assert (book.bid, book.last) == (None, 25990.1)
    assert book.time == datetime.fromtimestamp(1795168800, INDIA)


@pytest.mark.parametrize("told", [None, [], "Ok", 3])
def test_what_is_no_quote(told: Any) -> None:
    with pytest.raises(BrokerError, match="GetQuotes"):
        book_of(told, Scrip("NFO", "47001", "X", CALL))


# -- bars


def test_bars_as_documented(payload: Read) -> None:
    (bar,) = bars_of(payload("shoonya/TPSeries_1m_doc_shape.json"))
    assert bar.start == datetime(2020, 6, 2, 15, 43, 23, tzinfo=INDIA)
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (1287.0, 1287.0, 1287.0, 1287.0, 4.0)


def bar_row(text: str, close: str) -> dict[str, str]:
    return {"stat": "Ok", "time": text, "into": close, "inth": close, "intl": close, "intc": close, "intv": "75"}


def test_bars_in_any_order_and_twice_are_put_in_order() -> None:
    rows = [
        bar_row("20-11-2026 15:41:00", "9.00"),
        bar_row("20-11-2026 09:16:00", "2.00"),
        bar_row("20-11-2026 09:15:00", "1.00"),
        bar_row("20-11-2026 09:16:00", "2.50"),
        bar_row("20-11-2026 00:00:00", "7.00"),
        bar_row("20-11-2026 09:17:00", "0.00"),
    ]
    opened = datetime(2026, 11, 20, 9, 15, tzinfo=INDIA)
    session = Session("NSE", opened.date(), opened, opened + timedelta(minutes=385), 1.0, False)
    assert [(bar.start.minute, bar.close) for bar in tidy_bars(bars_of(rows), session)] == [(15, 1.0), (16, 2.5)]


@pytest.mark.parametrize("told", [{"stat": "Ok"}, "text", [1], [{"intc": "5"}], [{"time": "soon", "intc": "5"}]])
def test_what_are_no_bars(told: Any) -> None:
    with pytest.raises(BrokerError, match="TPSeries"):
        bars_of(told)


def test_nothing_around_midnight() -> None:
    assert bars_of(None) == []
    assert closes_of(None) == {}


def test_daily_bars_are_texts_in_a_list(payload: Read) -> None:
    closes = closes_of(payload("shoonya/EODChartData_2022-10.json"))
    assert closes == {
        date(2022, 10, 28): 2526.15,
        date(2022, 10, 27): 2451.15,
        date(2022, 10, 25): 2441.55,
        date(2022, 10, 24): 2479.85,
    }
    assert closes_of(payload("shoonya/EODChartData_empty.json")) == {}


def test_daily_bars_that_are_not_texts_will_do() -> None:
    assert closes_of([{"time": "28-OCT-2022", "intc": "5.00"}, {"time": "27-OCT-2022", "intc": "0.00"}]) == {
        date(2022, 10, 28): 5.0
    }


@pytest.mark.parametrize("told", [{"stat": "Ok"}, ["{"], ["[]"], [{}], ["null"], [{"time": ""}]])
def test_what_are_no_daily_bars(told: Any) -> None:
    with pytest.raises(BrokerError, match="EODChartData"):
        closes_of(told)


# -- books


def test_orders(payload: Read) -> None:
    first, second = (order_of(row, by_text) for row in payload("shoonya/OrderBook_doc.json"))
    assert (first.order_id, first.instrument, first.status) == ("20062500000001223", Equity("ACC"), OrderStatus.OPEN)
    assert (first.direction, first.quantity, first.filled, first.average_price) == ("buy", 100.0, 0.0, None)
    assert (second.status, second.reason) == (OrderStatus.REJECTED, "Insufficient funds")


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("COMPLETE", OrderStatus.FILLED),
        ("Complete", OrderStatus.FILLED),
        ("CANCELED", OrderStatus.CANCELLED),
        ("CANCELLED", OrderStatus.CANCELLED),
        ("REJECTED", OrderStatus.REJECTED),
        ("TRIGGER_PENDING", OrderStatus.PENDING),
        ("Trigger Pending", OrderStatus.PENDING),
        ("PENDING", OrderStatus.PENDING),
        ("open", OrderStatus.OPEN),
        ("AFTER_MARKET", OrderStatus.UNDEFINED),
        ("", OrderStatus.UNDEFINED),
    ],
)
def test_spellings_of_a_status(payload: Read, written: str, status: OrderStatus) -> None:
    row = payload("shoonya/OrderBook_doc.json")[0] | {"status": written}
    assert order_of(row, by_text).status is status


def test_an_order_with_its_history(payload: Read) -> None:
    filled, placed = (order_of(row, by_text) for row in payload("shoonya/SingleOrdHist_doc.json"))
    assert (filled.status, filled.filled, filled.average_price) == (OrderStatus.FILLED, 180.0, 800.0)
    assert (placed.status, placed.filled, placed.average_price) == (OrderStatus.OPEN, 0.0, None)
    # The exchange's time is of 1980, which is none.
    assert filled.time == datetime(2020, 12, 13, 19, 59, 32, tzinfo=INDIA)


def test_trades(payload: Read) -> None:
    (trade,) = (trade_of(row, by_text) for row in payload("shoonya/TradeBook_doc.json"))
    assert (trade.order_id, trade.trade_id, trade.direction) == ("20121300065715", "102", "sell")
    assert (trade.quantity, trade.price, trade.instrument) == (180.0, 800.0, Equity("ACCELYA"))
    assert trade.time == datetime(2020, 12, 13, 19, 59, 32, tzinfo=INDIA)


@pytest.mark.parametrize("lost", ["flprc", "flqty", "norenordno", "trantype", "tsym", "exch"])
def test_a_trade_that_cannot_be_read_is_not_passed_over(payload: Read, lost: str) -> None:
    row = {key: value for key, value in payload("shoonya/TradeBook_doc.json")[0].items() if key != lost}
    with pytest.raises(BrokerError, match=f"Shoonya TradeBook: .*{'price' if lost == 'flprc' else lost}"):
        trade_of(row, by_text)


def test_positions(payload: Read) -> None:
    (position,) = (position_of(row, by_text) for row in payload("shoonya/PositionBook_doc.json"))
    assert (position.quantity, position.average_price, position.last) == (0.0, None, None)
    assert (position.realized_pnl, position.unrealized_pnl) == (0.0, 0.0)
    assert position.instrument == Equity("ACC")


# -- the rest

LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6)
# fmt: off
FIELDS = [
    "stat", "emsg", "time", "intc", "token", "exch", "tsym", "lut", "bp1", "lp", "ltd", "ltt", "exd",
    "norenordno", "qty", "trantype", "flprc", "flqty", "netqty",
]
# fmt: on
FIELD = st.sampled_from(FIELDS)
JSON = st.recursive(LEAF, lambda inner: st.lists(inner) | st.dictionaries(FIELD, inner), max_leaves=20)
ACC = Scrip("NSE", "22", "ACC-EQ", Equity("ACC"))
READERS: list[Callable[[Any], object]] = [
    error_of,
    bars_of,
    closes_of,
    lambda told: book_of(told, ACC),
    lambda told: [order_of(row, by_text) for row in rows_of("OrderBook", told)],
    lambda told: [trade_of(row, by_text) for row in rows_of("TradeBook", told)],
    lambda told: [position_of(row, by_text) for row in rows_of("PositionBook", told)],
]


@given(JSON | st.lists(st.dictionaries(FIELD, LEAF)), st.sampled_from(READERS))
def test_whatever_arrives_is_read_or_a_broker_error(told: Any, read: Callable[[Any], object]) -> None:
    with contextlib.suppress(BrokerError):
        read(told)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_data", 'Error Occurred : 5 "no data"'),
        ("server_timeout", "Server Timeout :"),
        ("session_expired", "Session Expired : Invalid Session Key"),
        ("invalid_verifier", "Invalid Input : INVALID_VERIFIER"),
    ],
)
def test_errors(payload: Read, name: str, words: str) -> None:
    assert error_of(payload(f"shoonya/error_{name}.json")) == words


def test_what_is_no_error(payload: Read) -> None:
    assert error_of(payload("shoonya/GetOptionChain_2022-02.json")) is None
    assert error_of([]) is None
    assert error_of(None) is None


def test_rows_must_be_rows() -> None:
    with pytest.raises(BrokerError, match="OrderBook"):
        rows_of("OrderBook", [1])


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("18-05-2021 12:05:21", datetime(2021, 5, 18, 12, 5, 21, tzinfo=INDIA)),
        ("12:05:21 18-05-2021", datetime(2021, 5, 18, 12, 5, 21, tzinfo=INDIA)),
        ("00:00:00 01-01-1980", None),
        (None, None),
        ("None 05:30:00", None),
    ],
)
def test_times(text: Any, read: datetime | None) -> None:
    assert time_of(text) == read


def test_an_ampersand_does_not_end_the_body() -> None:
    body, _ = body_of({"sym": "NSE:M&M-EQ"})
    assert "&" not in body
    assert json.loads(body.removeprefix("jData=")) == {"sym": "NSE:M&M-EQ"}
