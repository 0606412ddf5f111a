"""The Shoonya adapter against a fake Shoonya, over real HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest

from attribution.errors import BrokerError
from attribution.instruments import Equity, Future, Index, Instrument, Option, Right
from attribution.market.quotes import (
    Bars,
    BarsOf,
    CloseOf,
    FillOf,
    Missing,
    Price,
    PriceAt,
    PriceKind,
    QuoteOf,
    Why,
)
from attribution.market.source import BarSource, Broker, CloseSource, FillSource, Market, PriceSource, QuoteSource
from brokers.base import LoginNeededError, OrderStatus, Secret
from brokers.shoonya import ShoonyaBroker, ShoonyaCredentials
from tests.brokers.fake_vendor import Call, FakeVendor, Reply, reply, server_error, truncated
from tests.brokers.shoonya_account import API, INDIA, NOW, broker, data_of, stock
from tests.market.contract import SourceContract

NIFTY, SENSEX, MM = Index("NIFTY"), Index("SENSEX", "BSE"), Equity("M&M")
EXPIRY = date(2026, 11, 24)
CALL = Option(NIFTY, EXPIRY, Right.CALL, 26000.0)
PUT = Option(NIFTY, EXPIRY, Right.PUT, 26000.0)
FUTURE = Future(NIFTY, EXPIRY)
UNLISTED = Option(NIFTY, EXPIRY, Right.CALL, 26050.0)
SPY = Equity("SPY", "US")
FRIDAY, THURSDAY, SATURDAY = date(2026, 11, 20), date(2026, 11, 19), date(2026, 11, 21)
EXPIRED = {"stat": "Not_Ok", "emsg": "Session Expired : Invalid Session Key"}
NO_DATA = {"stat": "Not_Ok", "emsg": 'Error Occurred : 5 "no data"'}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIA)


# -- a fake Shoonya with a market in it

QUOTES = {
    "26000": {"exch": "NSE", "tsym": "NIFTY INDEX", "lp": "25990.10"},
    "47001": {"exch": "NFO", "tsym": "NIFTY24NOV26C26000", "bp1": "101.50", "sp1": "101.70", "lp": "101.55"},
    "47002": {"exch": "NFO", "tsym": "NIFTY24NOV26P26000", "bp1": "0.00", "sp1": "120.00", "lp": "0.00"},
}


def quote(call: Call) -> Any:
    asked = data_of(call)
    told = QUOTES.get(asked["token"])
    return NO_DATA if told is None else {"stat": "Ok", "token": asked["token"], "lut": lut(NOW), **told}


def lut(when: datetime) -> str:
    return str(int(when.timestamp()))


def bar(start: datetime, close: float) -> dict[str, str]:
    price = f"{close:.2f}"
    written = f"{start:%d-%m-%Y %H:%M:%S}"
    return {"stat": "Ok", "time": written, "into": price, "inth": price, "intl": price, "intc": price, "intv": "75"}


MINUTES = {
    "47001": [(at("2026-11-20 09:15"), 100.0), (at("2026-11-20 09:20"), 104.0), (at("2026-11-19 15:39"), 90.0)],
    "26000": [(at("2026-11-20 09:15"), 25900.0)],
}


def series(call: Call) -> Any:
    """Newest first, each bar twice, with a stale bar of zeros and one of the night."""
    asked = data_of(call)
    inside = [
        (start, close)
        for start, close in MINUTES.get(asked["token"], [])
        if int(asked["st"]) <= start.timestamp() <= int(asked["et"])
    ]
    if not inside:
        return NO_DATA
    night = [(at("2026-11-20 00:00"), 1.0), (at("2026-11-20 09:25"), 0.0)]
    return [bar(*told) for told in sorted([*inside, *inside, *night], reverse=True)]


DAYS = {"NSE:Nifty 50": '{"time":"20-NOV-2026", "intc":"25991.20", "ssboe":"1795132800"}'}


def daily(call: Call) -> Any:
    told = DAYS.get(data_of(call)["sym"])
    return [] if told is None else [told]


TRADES = [
    {"norenordno": "1", "tsym": "NIFTY24NOV26C26000", "flqty": "75", "flprc": "101.00", "trantype": "S", "flid": "1"},
    {"norenordno": "1", "tsym": "NIFTY24NOV26C26000", "flqty": "150", "flprc": "104.00", "trantype": "S", "flid": "2"},
    {"norenordno": "2", "tsym": "NIFTY24NOV26P26000", "flqty": "75", "flprc": "88.00", "trantype": "S", "flid": "3"},
]
ORDERS = [
    {"norenordno": "1", "tsym": "NIFTY24NOV26C26000", "qty": "225", "fillshares": "225", "avgprc": "103.00"},
    {"norenordno": "2", "tsym": "NIFTY24NOV26P26000", "qty": "75", "fillshares": "75", "avgprc": "88.00"},
    {"norenordno": "3", "tsym": "NIFTY24NOV26F", "qty": "75", "fillshares": "75", "avgprc": "26010.00"},
    {
        "norenordno": "4",
        "tsym": "NIFTY24NOV26C26000",
        "qty": "75",
        "fillshares": "0",
        "avgprc": "0",
        "status": "REJECT",
    },
]
COMMON = {"stat": "Ok", "exch": "NFO", "trantype": "S", "status": "COMPLETE", "norentm": "10:00:00 20-11-2026"}


@pytest.fixture
def shoonya(vendor: FakeVendor) -> Iterator[ShoonyaBroker]:
    with open_for_business(vendor) as running:
        yield running


def open_for_business(vendor: FakeVendor, now: datetime = NOW, **credentials: Any) -> ShoonyaBroker:
    stock(vendor)
    vendor.answer(f"{API}/GetQuotes", quote)
    vendor.answer(f"{API}/TPSeries", series)
    vendor.answer(f"{API}/EODChartData", daily)
    vendor.answer(f"{API}/TradeBook", [{**COMMON, **row} for row in TRADES])
    vendor.answer(f"{API}/OrderBook", [{**COMMON, **row} for row in ORDERS])
    vendor.answer(f"{API}/PositionBook", NO_DATA)
    vendor.answer(f"{API}/Limits", {"stat": "Ok", "cash": "1.00"})
    return broker(vendor, now, **credentials)


# -- what every source owes its caller


class ShoonyaContract(SourceContract):
    @pytest.fixture(autouse=True)
    def _open(self, vendor: FakeVendor) -> Iterator[None]:
        with open_for_business(vendor) as self.broker:
            yield

    def make(self) -> ShoonyaBroker:
        return self.broker


class TestPrices(ShoonyaContract):
    protocol = PriceSource
    method = "prices_at"
    known: ClassVar[Sequence[Any]] = [
        (PriceAt(CALL, at("2026-11-20 09:15:30")), 100.0, PriceKind.BAR),
        (PriceAt(CALL, at("2026-11-20 09:20:59")), 100.0, PriceKind.BAR),
        (PriceAt(CALL, at("2026-11-20 15:00")), 104.0, PriceKind.BAR),
        (PriceAt(CALL, at("2026-11-20 08:00")), 90.0, PriceKind.BAR),
        (PriceAt(NIFTY, at("2026-11-20 10:00")), 25900.0, PriceKind.BAR),
    ]
    unknown: ClassVar[Sequence[Any]] = [
        PriceAt(PUT, at("2026-11-20 10:00")),
        PriceAt(UNLISTED, at("2026-11-20 10:00")),
        PriceAt(CALL, at("2026-11-13 10:00")),
        PriceAt(SPY, at("2026-11-19 22:00")),
    ]


class TestCloses(ShoonyaContract):
    protocol = CloseSource
    method = "closes"
    known: ClassVar[Sequence[Any]] = [(CloseOf(NIFTY, FRIDAY), 25991.2, PriceKind.CLOSE)]
    unknown: ClassVar[Sequence[Any]] = [
        CloseOf(NIFTY, THURSDAY),
        CloseOf(NIFTY, SATURDAY),
        CloseOf(NIFTY, date(2026, 11, 23)),
        CloseOf(NIFTY, date(1999, 1, 4)),
        CloseOf(CALL, FRIDAY),
        CloseOf(SENSEX, FRIDAY),
        CloseOf(SPY, THURSDAY),
    ]


class TestQuotes(ShoonyaContract):
    protocol = QuoteSource
    method = "quotes"
    known: ClassVar[Sequence[Any]] = [
        (QuoteOf(CALL, NOW), 101.6, PriceKind.MARK),
        (QuoteOf(NIFTY, NOW), 25990.1, PriceKind.LAST),
    ]
    unknown: ClassVar[Sequence[Any]] = [
        QuoteOf(PUT, NOW),
        QuoteOf(FUTURE, NOW),
        QuoteOf(UNLISTED, NOW),
        QuoteOf(SPY, NOW),
        QuoteOf(CALL, NOW + timedelta(hours=1)),
        QuoteOf(CALL, NOW - timedelta(hours=1)),
    ]


class TestFills(ShoonyaContract):
    protocol = FillSource
    method = "fills"
    known: ClassVar[Sequence[Any]] = [
        (FillOf(CALL, "", "entry", NOW, ("1", "2")), 103.0, PriceKind.FILL),
        (FillOf(CALL, "", "entry", NOW, ("1", "4")), 103.0, PriceKind.FILL),
        (FillOf(PUT, "", "entry", NOW, ("1", "2F1")), 88.0, PriceKind.FILL),
        (FillOf(FUTURE, "", "exit", NOW, ("3",)), 26010.0, PriceKind.FILL),
    ]
    unknown: ClassVar[Sequence[Any]] = [
        FillOf(CALL, "", "entry", NOW, ()),
        FillOf(CALL, "", "entry", NOW, ("99",)),
        FillOf(CALL, "", "entry", NOW, ("1", "99")),
        FillOf(CALL, "", "entry", NOW, ("4",)),
        FillOf(PUT, "", "exit", NOW, ("3",)),
    ]


def test_it_can_be_asked_everything(shoonya: ShoonyaBroker) -> None:
    assert isinstance(shoonya, Broker)
    assert isinstance(shoonya, BarSource)


# -- history


def test_a_session_of_bars_in_order_each_minute_once(shoonya: ShoonyaBroker) -> None:
    (bars,) = shoonya.minute_bars([BarsOf(CALL, FRIDAY)])
    assert isinstance(bars, Bars)
    assert [(b.start, b.close) for b in bars.bars] == [(at("2026-11-20 09:15"), 100.0), (at("2026-11-20 09:20"), 104.0)]
    assert bars.complete


@pytest.mark.parametrize(("now", "complete"), [("2026-11-20 15:44:59", False), ("2026-11-20 15:45", True)])
def test_bars_of_a_running_session_may_change(vendor: FakeVendor, now: str, complete: bool) -> None:
    with open_for_business(vendor, at(now)) as shoonya:
        (bars,) = shoonya.minute_bars([BarsOf(CALL, FRIDAY)])
    assert isinstance(bars, Bars)
    assert bars.complete is complete


def test_days_are_asked_for_in_ranges_that_shoonya_allows(shoonya: ShoonyaBroker, vendor: FakeVendor) -> None:
    days = [FRIDAY - timedelta(days=back) for back in range(12)]
    answers = shoonya.minute_bars([BarsOf(CALL, day) for day in days])
    assert [isinstance(answer, Bars) for answer in answers] == [True, True, *[False] * 10]
    asked = [data_of(call) for call in vendor.asked(f"{API}/TPSeries")]
    # 9 to 13 November and 16 to 20; days without a session are not asked for.
    assert len(asked) == 2
    assert max(int(call["et"]) - int(call["st"]) for call in asked) <= 5 * 86400
    assert {call["intrv"] for call in asked} == {"1"}


def test_one_request_for_many_instants_of_a_session(shoonya: ShoonyaBroker, vendor: FakeVendor) -> None:
    instants = [at("2026-11-20 09:30") + timedelta(minutes=step) for step in range(60)]
    shoonya.prices_at([PriceAt(CALL, instant) for instant in instants])
    assert len(vendor.asked(f"{API}/TPSeries")) == 1


def test_a_close_of_a_session_that_runs_is_no_close(vendor: FakeVendor) -> None:
    with open_for_business(vendor, at("2026-11-20 12:00")) as shoonya:
        (answer,) = shoonya.closes([CloseOf(NIFTY, FRIDAY)])
    assert isinstance(answer, Missing)
    assert "is not over" in answer.reason


def test_an_index_of_bse_has_no_daily_bars(shoonya: ShoonyaBroker, vendor: FakeVendor) -> None:
    (answer,) = shoonya.closes([CloseOf(SENSEX, FRIDAY)])
    assert isinstance(answer, Missing)
    assert "BSE's indices" in answer.reason
    assert "another source" in answer.reason
    assert vendor.asked(f"{API}/EODChartData") == []


def test_history_carries_the_second_token(shoonya: ShoonyaBroker, vendor: FakeVendor) -> None:
    shoonya.closes([CloseOf(NIFTY, FRIDAY), CloseOf(MM, FRIDAY)])
    shoonya.quotes([QuoteOf(CALL, NOW)])
    calls = vendor.asked(f"{API}/EODChartData")
    assert {data_of(call)["sym"] for call in calls} == {"NSE:Nifty 50", "NSE:M&M-EQ"}
    assert all(parse_qs(call.body.decode())["jKey"] == ["USER-456"] for call in calls)
    assert all(call.headers["authorization"] == "Bearer ACCESS-123" for call in calls)
    (quoted,) = vendor.asked(f"{API}/GetQuotes")
    assert b"jKey" not in quoted.body


def test_an_account_with_the_second_token_only(vendor: FakeVendor) -> None:
    with open_for_business(vendor, access_token=None) as shoonya:
        assert isinstance(shoonya.quotes([QuoteOf(CALL, NOW)])[0], Price)
    (quoted,) = vendor.asked(f"{API}/GetQuotes")
    assert quoted.body.endswith(b"&jKey=USER-456")
    assert "authorization" not in quoted.headers


# -- what goes wrong


def test_an_answer_for_another_symbol_is_a_failure_never_a_price(vendor: FakeVendor, shoonya: ShoonyaBroker) -> None:
    def mixed_up(call: Call) -> Any:
        return {**quote(call), "token": "26000"} if data_of(call)["token"] == "47001" else quote(call)

    vendor.answer(f"{API}/GetQuotes", mixed_up)
    wrong, right = shoonya.quotes([QuoteOf(CALL, NOW), QuoteOf(NIFTY, NOW)])
    assert isinstance(wrong, Missing)
    assert wrong.why is Why.FAILED
    assert "the price was not used" in wrong.reason
    assert isinstance(right, Price)


def test_a_quote_without_a_time_marks_the_moment_it_was_read(vendor: FakeVendor, shoonya: ShoonyaBroker) -> None:
    vendor.answer(f"{API}/GetQuotes", {**QUOTES["47001"], "stat": "Ok", "token": "47001"})
    now, before = shoonya.quotes([QuoteOf(CALL, NOW), QuoteOf(CALL, NOW - timedelta(days=3))])
    assert now == Price(101.6, "Shoonya", PriceKind.MARK)
    assert isinstance(before, Missing)
    assert "was read at 2026-11-20 16:30:00: no mark of 2026-11-17 16:30:00" in before.reason


def test_a_crossed_book_is_no_market(vendor: FakeVendor, shoonya: ShoonyaBroker) -> None:
    told = {**QUOTES["47001"], "stat": "Ok", "token": "47001", "lut": lut(NOW), "bp1": "102.00"}
    vendor.answer(f"{API}/GetQuotes", told | {"ltd": "20-11-2026", "ltt": "16:20:00"})
    (answer,) = shoonya.quotes([QuoteOf(CALL, NOW)])
    assert answer == Price(101.55, "Shoonya", PriceKind.LAST, at("2026-11-20 16:20"))
    vendor.answer(f"{API}/GetQuotes", told | {"ltd": "20-11-2026", "ltt": "11:00:00"})
    (answer,) = shoonya.quotes([QuoteOf(CALL, NOW)])
    assert isinstance(answer, Missing)
    assert "stale" in answer.reason


@pytest.mark.parametrize(
    "failure", [server_error(502), truncated([{"a": 1}]), {"stat": "Not_Ok", "emsg": "Server Timeout :  "}]
)
def test_a_failure_of_one_question_loses_none_of_the_others(
    vendor: FakeVendor, shoonya: ShoonyaBroker, failure: Any
) -> None:
    vendor.answer(f"{API}/TPSeries", lambda call: failure if data_of(call)["token"] == "47002" else series(call))
    failed, answered = shoonya.minute_bars([BarsOf(PUT, FRIDAY), BarsOf(CALL, FRIDAY)])
    assert isinstance(failed, Missing)
    assert failed.why is Why.FAILED
    assert "Shoonya /NorenWClientAPI/TPSeries" in failed.reason
    assert isinstance(answered, Bars)


def test_a_master_file_that_fails_fails_its_segment_only(vendor: FakeVendor, shoonya: ShoonyaBroker) -> None:
    vendor.answer("/NFO_symbols.txt.zip", server_error(503))
    failed, answered = shoonya.quotes([QuoteOf(CALL, NOW), QuoteOf(NIFTY, NOW)])
    assert isinstance(failed, Missing)
    assert failed.why is Why.FAILED
    assert isinstance(answered, Price)


def test_a_shoonya_that_is_down_is_an_error_and_the_market_says_so(vendor: FakeVendor, shoonya: ShoonyaBroker) -> None:
    vendor.answer(f"{API}/GetQuotes", server_error(503))
    with pytest.raises(BrokerError, match="HTTP 503 after 4 attempts"):
        shoonya.quotes([QuoteOf(CALL, NOW)])
    (answer,) = Market().with_broker(shoonya).quotes([QuoteOf(CALL, NOW)])
    assert isinstance(answer, Missing)
    assert answer.why is Why.FAILED


@pytest.mark.parametrize("ended", [EXPIRED, reply(EXPIRED, 401), reply(EXPIRED, 400)])
def test_an_ended_session_says_to_log_in_again(vendor: FakeVendor, shoonya: ShoonyaBroker, ended: Any) -> None:
    vendor.answer(f"{API}/GetQuotes", ended)
    with pytest.raises(LoginNeededError, match="log in again"):
        shoonya.quotes([QuoteOf(CALL, NOW), QuoteOf(NIFTY, NOW)])


def test_null_for_an_answer(vendor: FakeVendor, shoonya: ShoonyaBroker) -> None:
    vendor.answer(f"{API}/TPSeries", lambda call: Reply(b"null"))
    (answer,) = shoonya.minute_bars([BarsOf(CALL, FRIDAY)])
    assert isinstance(answer, Missing)
    assert answer.why is Why.UNKNOWN


# -- books


def test_books(shoonya: ShoonyaBroker) -> None:
    orders, trades = shoonya.orders(), shoonya.trades()
    assert [order.status for order in orders] == [OrderStatus.FILLED] * 3 + [OrderStatus.REJECTED]
    assert [order.instrument for order in orders] == [CALL, PUT, FUTURE, CALL]
    assert [trade.price for trade in trades] == [101.0, 104.0, 88.0]
    assert shoonya.positions() == []


def test_positions_of_bse_are_named_by_the_master_file(vendor: FakeVendor, shoonya: ShoonyaBroker) -> None:
    row = {"stat": "Ok", "netqty": "-20", "netavgprc": "400.00", "lp": "410.00", "rpnl": "0.00", "urmtom": "-200.00"}
    rows = [
        row | {"exch": "BFO", "tsym": "SENSEX26NOV85000PE"},
        row | {"exch": "BFO", "tsym": "UNHEARD26NOV1PE"},
        row | {"exch": "MCX", "tsym": "SILVERMIC30AUG24"},
    ]
    vendor.answer(f"{API}/PositionBook", rows)
    known, unlisted, elsewhere = shoonya.positions()
    assert known.instrument == Option(SENSEX, date(2026, 11, 26), Right.PUT, 85000.0)
    assert (known.quantity, known.average_price, known.unrealized_pnl) == (-20.0, 400.0, -200.0)
    assert (unlisted.instrument, elsewhere.instrument) == (None, None)


def test_a_fill_tells_its_quantity_and_time(shoonya: ShoonyaBroker) -> None:
    (answer,) = shoonya.fills([FillOf(CALL, "", "entry", NOW, ("1", "2"))])
    assert answer == Price(103.0, "Shoonya", PriceKind.FILL, at("2026-11-20 10:00"), quantity=225.0)


def test_a_trade_book_that_lags_behind_the_order_book(vendor: FakeVendor, shoonya: ShoonyaBroker) -> None:
    vendor.answer(f"{API}/TradeBook", [{**COMMON, **TRADES[0]}])
    (answer,) = shoonya.fills([FillOf(CALL, "", "entry", NOW, ("1",))])
    assert isinstance(answer, Price)
    assert (answer.value, answer.quantity) == (103.0, 225.0)


def test_no_order_ids_no_call(shoonya: ShoonyaBroker, vendor: FakeVendor) -> None:
    shoonya.fills([FillOf(CALL, "", "entry", NOW, ())])
    assert vendor.calls == []


# -- the master files


def test_master_files_are_read_once_a_day_and_on_request(vendor: FakeVendor) -> None:
    today = [NOW]
    with open_for_business(vendor) as shoonya:
        shoonya._now = lambda: today[0]
        for _ in range(3):
            shoonya.quotes([QuoteOf(CALL, NOW)])
        assert len(vendor.asked("/NFO_symbols.txt.zip")) == 1
        assert vendor.asked("/BFO_symbols.txt.zip") == []
        assert shoonya.load_scrips() == 15
        assert len(vendor.asked("/NFO_symbols.txt.zip")) == 1
        shoonya.load_scrips(refresh_mapping=True)
        assert len(vendor.asked("/NFO_symbols.txt.zip")) == 2
        today[0] += timedelta(days=1)
        shoonya.quotes([QuoteOf(CALL, NOW)])
        assert len(vendor.asked("/NFO_symbols.txt.zip")) == 3


# -- session


LOGIN = {"access_token": None, "user_token": None, "client_id": "FA12345_U", "client_secret": Secret("hush")}


def test_a_code_becomes_tokens(vendor: FakeVendor) -> None:
    answer = {"stat": "Ok", "access_token": "NEW-1", "susertoken": "NEW-2", "USERID": "FA12345"}
    vendor.answer(f"{API}/GenAcsTok", answer)
    with open_for_business(vendor, **LOGIN) as shoonya:
        assert shoonya.authorize_url().endswith("client_id=FA12345_U")
        credentials = shoonya.log_in("CODE")
        assert shoonya.health().session_valid
    (call,) = vendor.asked(f"{API}/GenAcsTok")
    assert data_of(call) == {
        "code": "CODE",
        "checksum": hashlib.sha256(b"FA12345_UhushCODE").hexdigest(),
        "uid": "FA12345",
    }
    assert credentials.access_token is not None
    assert credentials.access_token.reveal() == "NEW-1"
    assert "NEW-1" not in repr(credentials)
    (limits,) = vendor.asked(f"{API}/Limits")
    assert limits.headers["authorization"] == "Bearer NEW-1"


@pytest.mark.parametrize("refusal", ["error_invalid_verifier", "error_session_expired"])
def test_a_refused_code(vendor: FakeVendor, payload: Callable[[str], Any], refusal: str) -> None:
    vendor.answer(f"{API}/GenAcsTok", payload(f"shoonya/{refusal}.json"))
    with open_for_business(vendor, **LOGIN) as shoonya, pytest.raises(LoginNeededError) as caught:
        shoonya.log_in("CODE-9")
    assert "ask for a new code" in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("answer", [{}, [], reply(b"null"), {"stat": "Ok", "access_token": ""}])
def test_an_answer_without_a_token(vendor: FakeVendor, answer: Any) -> None:
    vendor.answer(f"{API}/GenAcsTok", answer)
    with open_for_business(vendor, **LOGIN) as shoonya, pytest.raises(LoginNeededError):
        shoonya.log_in("CODE")


@pytest.mark.parametrize(
    "answer",
    [
        truncated({"stat": "Ok", "access_token": "NEW-1", "more": "x" * 100}),
        reply(b'{"stat": "Ok", "access_token": "NEW-1"}<!-- cdn -->'),
        reply({"stat": "Ok", "access_token": "NEW-1"}, 500),
        {"susertoken": "NEW-1", "USERID": "FA12345"},
        {"stat": "ok", "susertoken": "NEW-1", "emsg": {"access_token": "NEW-1"}},
        [{"access_token": "NEW-1"}],
    ],
)
def test_no_message_shows_what_a_login_gave(vendor: FakeVendor, answer: Any) -> None:
    vendor.answer(f"{API}/GenAcsTok", answer)
    with open_for_business(vendor, **LOGIN) as shoonya, pytest.raises(BrokerError) as caught:
        shoonya.log_in("CODE")
    assert "NEW-1" not in str(caught.value)


def test_a_login_needs_a_client_and_its_secret(vendor: FakeVendor) -> None:
    with open_for_business(vendor) as shoonya, pytest.raises(LoginNeededError, match="SHOONYA_CLIENT_SECRET"):
        shoonya.log_in("CODE")
    assert vendor.calls == []


def test_from_the_environment() -> None:
    environ = {"SHOONYA_USER_ID": "FA12345", "SHOONYA_ACCESS_TOKEN": "t0k3n", "SHOONYA_CLIENT_SECRET": "hush"}
    credentials = ShoonyaCredentials.from_environment(environ)
    assert credentials.missing() == ()
    assert "t0k3n" not in repr(credentials)
    assert "hush" not in repr(credentials)
    with ShoonyaBroker.from_environment(environ) as shoonya:
        assert repr(shoonya) == "ShoonyaBroker(user_id='FA12345')"


def test_health_says_what_is_missing() -> None:
    with ShoonyaBroker.from_environment({}) as shoonya:
        health = shoonya.health()
        assert not health.configured
        assert health.missing == ("SHOONYA_USER_ID", "SHOONYA_ACCESS_TOKEN (or log in with a code)")
        with pytest.raises(LoginNeededError, match="SHOONYA_USER_ID"):
            shoonya.orders()


def test_health_tells_the_cases_apart(vendor: FakeVendor, shoonya: ShoonyaBroker) -> None:
    health = shoonya.health()
    assert (health.configured, health.reachable, health.session_valid) == (True, True, True)
    vendor.answer(f"{API}/Limits", EXPIRED)
    health = shoonya.health()
    assert (health.reachable, health.session_valid, health.missing) == (True, False, ("a new login",))
    vendor.answer(f"{API}/Limits", server_error(502))
    health = shoonya.health()
    assert (health.configured, health.reachable) == (True, False)
    assert "HTTP 502" in health.detail
    vendor.answer(f"{API}/Limits", {"stat": "Not_Ok", "emsg": "Server Timeout :  "})
    health = shoonya.health()
    assert (health.reachable, health.session_valid) == (True, False)
    assert "Server Timeout" in health.detail


def test_no_token_is_ever_told(vendor: FakeVendor, shoonya: ShoonyaBroker) -> None:
    def parrot(call: Call) -> Any:
        return {"stat": "Not_Ok", "emsg": f"bad token {call.headers['authorization']} {call.body.decode()}"}

    vendor.answer(f"{API}/TradeBook", parrot)
    with pytest.raises(BrokerError) as caught:
        shoonya.trades()
    assert "ACCESS-123" not in str(caught.value)


def test_instruments_with_another_multiplier_are_the_same_contract(shoonya: ShoonyaBroker) -> None:
    lot: Instrument = Option(NIFTY, EXPIRY, Right.CALL, 26000.0, multiplier=75.0)
    assert isinstance(shoonya.quotes([QuoteOf(lot, NOW)])[0], Price)
    assert isinstance(shoonya.minute_bars([BarsOf(lot, FRIDAY)])[0], Bars)
