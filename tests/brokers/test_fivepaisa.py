"""The 5paisa adapter against a fake 5paisa, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

import pytest

from attribution.errors import BrokerError
from attribution.instruments import Equity, Future, Index, Option, Right
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
from brokers.fivepaisa import FivePaisaBroker, FivePaisaCredentials
from tests.brokers.fake_vendor import RESETS, Call, FakeVendor, Reply, reply, server_error, truncated
from tests.brokers.fivepaisa_account import API, INDIA, MASTER, NOW, broker, failed, told
from tests.market.contract import SourceContract

NIFTY, SENSEX, ITC = Index("NIFTY"), Index("SENSEX", "BSE"), Equity("ITC")
EXPIRY = date(2026, 11, 24)
CALL = Option(NIFTY, EXPIRY, Right.CALL, 26000.0)
PUT = Option(NIFTY, EXPIRY, Right.PUT, 26000.0)
FUTURE = Future(NIFTY, EXPIRY)
UNLISTED = Option(NIFTY, EXPIRY, Right.CALL, 26050.0)
SPY = Equity("SPY", "US")
FRIDAY, THURSDAY, SATURDAY = date(2026, 11, 20), date(2026, 11, 19), date(2026, 11, 21)
ENDED = failed(9, "Invalid Session")
MASTER_PATH = f"{API}/ScripMaster/segment/All"
CALL_HISTORY = "/V2/historical/N/D/47001"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIA)


# -- a fake 5paisa with a market in it

LASTS = {"999920000": 25990.1, "999901": 85010.5, "47001": 101.55, "47002": 0.0, "1660": 431.05}
DEPTHS = {"47001": ([101.45, 101.5], [101.75, 101.7]), "47002": ([], [120.0])}


def snapshot(call: Call) -> Any:
    rows = [
        {
            "Exchange": "NSE" if ask["Exchange"] == "N" else "BSE",
            "ExchangeType": ask["ExchangeType"],
            "ScripCode": int(ask["ScripCode"]),
            "LastTradedPrice": LASTS[ask["ScripCode"]],
        }
        for ask in call.json()["body"]["Data"]
        if ask["ScripCode"] in LASTS
    ]
    return told(Data=rows[::-1])


def depth(call: Call) -> Any:
    asked = call.json()["body"]
    bids, asks = DEPTHS.get(asked["ScripCode"], ([], []))
    rows = [{"BbBuySellFlag": 66, "Price": price, "Quantity": 75} for price in bids]
    rows += [{"BbBuySellFlag": 83, "Price": price, "Quantity": 75} for price in asks]
    echo = {name: asked[name] for name in ("Exchange", "ExchangeType", "ScripCode")}
    return told(**echo, MarketDepthData=rows)


MINUTES = {
    CALL_HISTORY: [("2026-11-20T09:20:00", 104.0), ("2026-11-19T15:39:00", 90.0), ("2026-11-20T09:15:00", 100.0)],
    "/V2/historical/N/C/999920000": [("2026-11-20T09:15:00", 25900.0)],
}
DAYS = {
    "/V2/historical/N/C/999920000": [("2026-11-20T00:00:00", 25991.2), ("2026-11-19T00:00:00", 25900.0)],
    "/V2/historical/B/C/999901": [("2026-11-20T00:00:00", 85010.5)],
}


def history(candles: dict[str, list[tuple[str, float]]]) -> Callable[[Call], Any]:
    """Out of order, each candle twice, with a stale one of zeros and one of the night."""

    def answer(call: Call) -> Any:
        inside = [
            [time, close, close, close, close, 75]
            for time, close in candles.get(call.path.rpartition("/")[0], [])
            if call.query["from"] <= time[:10] <= call.query["end"]
        ]
        night = [["2026-11-20T03:00:00", 1, 1, 1, 1, 0], ["2026-11-20T09:25:00", 0, 0, 0, 0, 0]] if inside else []
        return {"status": "success", "data": {"candles": [*inside, *night, *inside]}}

    return answer


ORDER = {
    "Exch": "N",
    "ExchType": "D",
    "BuySell": "S",
    "OrderStatus": "Fully Executed",
    "AtMarket": "N",
    "BrokerOrderTime": "/Date(1795149000000+0530)/",
}
NAMES = {1: "NIFTY 24 Nov 2026 CE 26000.00", 2: "NIFTY 24 Nov 2026 PE 26000.00", 3: "NIFTY 24 Nov 2026  "}
ORDERS = [
    {"BrokerOrderId": 11, "ExchOrderID": "111", "ScripName": NAMES[1], "Qty": 225, "TradedQty": 225, "Rate": 0},
    {"BrokerOrderId": 12, "ExchOrderID": "112", "ScripName": NAMES[2], "Qty": 75, "TradedQty": 75, "AveragePrice": 88},
    {"BrokerOrderId": 13, "ExchOrderID": "0", "ScripName": NAMES[1], "Qty": 75, "OrderStatus": "Rejected By 5P"},
]
TRADES = [
    {"ExchOrderID": "111", "ExchangeTradeID": "t1", "ScripName": NAMES[1], "Qty": 75, "Rate": 101.0},
    {"ExchOrderID": "111", "ExchangeTradeID": "t2", "ScripName": NAMES[1], "Qty": 150, "Rate": 104.0},
]


def open_for_business(vendor: FakeVendor, now: datetime = NOW, **credentials: Any) -> FivePaisaBroker:
    vendor.answer(MASTER_PATH, Reply(MASTER.encode()))
    vendor.answer(f"{API}/MarketSnapshot", snapshot)
    vendor.answer(f"{API}/V2/MarketDepth", depth)
    for segment, code in (("N/D", 47001), ("N/D", 47002), ("N/C", 999920000), ("B/C", 999901), ("N/C", 2031)):
        vendor.answer(f"/V2/historical/{segment}/{code}/1m", history(MINUTES))
        vendor.answer(f"/V2/historical/{segment}/{code}/1d", history(DAYS))
    vendor.answer(f"{API}/V3/OrderBook", told(OrderBookDetail=[{**ORDER, **row} for row in ORDERS]))
    vendor.answer(f"{API}/V1/TradeBook", told(TradeBookDetail=[{**ORDER, **row} for row in TRADES]))
    vendor.answer(f"{API}/V2/NetPositionNetWise", failed(1, "No Record Found"))
    return broker(vendor, now, **credentials)


@pytest.fixture
def fivepaisa(vendor: FakeVendor) -> Iterator[FivePaisaBroker]:
    with open_for_business(vendor) as running:
        yield running


# -- what every source owes its caller


class FivePaisaContract(SourceContract):
    @pytest.fixture(autouse=True)
    def _open(self, vendor: FakeVendor) -> Iterator[None]:
        with open_for_business(vendor) as self.broker:
            yield

    def make(self) -> FivePaisaBroker:
        return self.broker


class TestPrices(FivePaisaContract):
    protocol = PriceSource
    method = "prices_at"
    known: ClassVar[Sequence[Any]] = [
        (PriceAt(CALL, at("2026-11-20 09:15:30")), 100.0, PriceKind.BAR),
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


class TestCloses(FivePaisaContract):
    protocol = CloseSource
    method = "closes"
    known: ClassVar[Sequence[Any]] = [
        (CloseOf(NIFTY, FRIDAY), 25991.2, PriceKind.CLOSE),
        (CloseOf(NIFTY, THURSDAY), 25900.0, PriceKind.CLOSE),
        (CloseOf(SENSEX, FRIDAY), 85010.5, PriceKind.CLOSE),
    ]
    unknown: ClassVar[Sequence[Any]] = [
        CloseOf(NIFTY, date(2026, 11, 18)),
        CloseOf(NIFTY, SATURDAY),
        CloseOf(NIFTY, date(2026, 11, 23)),
        CloseOf(CALL, FRIDAY),
        CloseOf(SPY, THURSDAY),
    ]


class TestQuotes(FivePaisaContract):
    protocol = QuoteSource
    method = "quotes"
    known: ClassVar[Sequence[Any]] = [
        (QuoteOf(CALL, NOW), 101.6, PriceKind.MARK),
        (QuoteOf(ITC, NOW), 431.05, PriceKind.LAST),
        (QuoteOf(NIFTY, NOW), 25990.1, PriceKind.LAST),
        (QuoteOf(SENSEX, NOW), 85010.5, PriceKind.LAST),
    ]
    unknown: ClassVar[Sequence[Any]] = [
        QuoteOf(PUT, NOW),
        QuoteOf(FUTURE, NOW),
        QuoteOf(UNLISTED, NOW),
        QuoteOf(SPY, NOW),
    ]


class TestFills(FivePaisaContract):
    protocol = FillSource
    method = "fills"
    known: ClassVar[Sequence[Any]] = [
        (FillOf(CALL, "", "entry", NOW, ("11", "12")), 103.0, PriceKind.FILL),
        (FillOf(CALL, "", "entry", NOW, ("11", "13")), 103.0, PriceKind.FILL),
        (FillOf(PUT, "", "entry", NOW, ("11F2", "12")), 88.0, PriceKind.FILL),
    ]
    unknown: ClassVar[Sequence[Any]] = [
        FillOf(CALL, "", "entry", NOW, ()),
        FillOf(CALL, "", "entry", NOW, ("99",)),
        FillOf(CALL, "", "entry", NOW, ("11", "99")),
        FillOf(CALL, "", "entry", NOW, ("13",)),
        FillOf(FUTURE, "", "exit", NOW, ("12",)),
    ]


def test_it_can_be_asked_everything(fivepaisa: FivePaisaBroker) -> None:
    assert isinstance(fivepaisa, Broker)
    assert isinstance(fivepaisa, BarSource)


# -- history


def test_a_session_of_bars_in_order_each_minute_once(fivepaisa: FivePaisaBroker) -> None:
    (bars,) = fivepaisa.minute_bars([BarsOf(CALL, FRIDAY)])
    assert isinstance(bars, Bars)
    assert [(b.start, b.close) for b in bars.bars] == [(at("2026-11-20 09:15"), 100.0), (at("2026-11-20 09:20"), 104.0)]
    assert bars.complete


def test_days_are_asked_for_in_ranges_that_5paisa_allows(fivepaisa: FivePaisaBroker, vendor: FakeVendor) -> None:
    days = [FRIDAY - timedelta(days=back) for back in range(90)]
    answers = fivepaisa.minute_bars([BarsOf(CALL, day) for day in days])
    assert sum(isinstance(answer, Bars) for answer in answers) == 2
    calls = vendor.asked(f"{CALL_HISTORY}/1m")
    ranges = sorted((date.fromisoformat(call.query["from"]), date.fromisoformat(call.query["end"])) for call in calls)
    assert len(ranges) == 3
    assert all((last - first).days < 30 for first, last in ranges)
    assert all(call.headers["authorization"] == "bearer JWT-123" for call in calls)


def test_a_close_of_a_session_that_runs_is_no_close(vendor: FakeVendor) -> None:
    with open_for_business(vendor, at("2026-11-20 12:00")) as fivepaisa:
        today, before = fivepaisa.closes([CloseOf(NIFTY, FRIDAY), CloseOf(NIFTY, THURSDAY)])
    assert isinstance(today, Missing)
    assert "is not over" in today.reason
    assert before == Price(25900.0, "5paisa", PriceKind.CLOSE, at("2026-11-19 15:40"))


# -- quotes


def test_fifty_scrips_to_a_snapshot(vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "N,C,{code},SHARE{code},,EQ,0,A SHARE,0.05,1,0,1,SHARE{code},Y,,,EQ\n"
    codes = range(70000, 70120)
    for code in codes:
        monkeypatch.setitem(LASTS, str(code), float(code))
    with open_for_business(vendor) as fivepaisa:
        vendor.answer(MASTER_PATH, Reply((MASTER + "".join(line.format(code=code) for code in codes)).encode()))
        answers = fivepaisa.quotes([QuoteOf(Equity(f"SHARE{code}"), NOW) for code in codes])
    assert [answer.value for answer in answers if isinstance(answer, Price)] == [float(code) for code in codes]
    sizes = [len(call.json()["body"]["Data"]) for call in vendor.asked(f"{API}/MarketSnapshot")]
    assert sorted(sizes) == [20, 50, 50]


def test_the_envelope_and_no_depth_of_an_index(fivepaisa: FivePaisaBroker, vendor: FakeVendor) -> None:
    fivepaisa.quotes([QuoteOf(CALL, NOW), QuoteOf(NIFTY, NOW)])
    (asked,) = vendor.asked(f"{API}/V2/MarketDepth")
    assert asked.headers["authorization"] == "bearer JWT-123"
    assert asked.json() == {
        "head": {"key": "APP-KEY-1"},
        "body": {
            "ClientCode": "123456",
            "Exchange": "N",
            "ExchangeType": "D",
            "ScripCode": "47001",
            "ScripData": "",
        },
    }


def test_a_crossed_book_is_no_market(vendor: FakeVendor, fivepaisa: FivePaisaBroker) -> None:
    rows = [{"BbBuySellFlag": 66, "Price": 102.0}, {"BbBuySellFlag": 83, "Price": 101.0}]
    vendor.answer(f"{API}/V2/MarketDepth", told(ScripCode=47001, MarketDepthData=rows))
    (answer,) = fivepaisa.quotes([QuoteOf(CALL, NOW)])
    assert answer == Price(101.55, "5paisa", PriceKind.LAST)


def test_an_old_last_trade_is_stale_but_does_not_make_the_book_old(
    vendor: FakeVendor, fivepaisa: FivePaisaBroker
) -> None:
    old = f"/Date({int(at('2026-11-20 11:00').timestamp() * 1000)}+0530)/"
    row = {"Exchange": "N", "ExchangeType": "D", "ScripCode": 47001, "LastTradedPrice": 90.0, "LastTradeTime": old}
    vendor.answer(f"{API}/MarketSnapshot", told(Data=[row]))
    (answer,) = fivepaisa.quotes([QuoteOf(CALL, NOW)])
    assert answer == Price(101.6, "5paisa", PriceKind.MARK)
    vendor.answer(f"{API}/V2/MarketDepth", told(ScripCode=47001, MarketDepthData=[]))
    (answer,) = fivepaisa.quotes([QuoteOf(CALL, NOW)])
    assert isinstance(answer, Missing)
    assert "stale" in answer.reason


def test_a_quote_without_a_time_marks_the_moment_it_was_read(fivepaisa: FivePaisaBroker) -> None:
    now, before = fivepaisa.quotes([QuoteOf(CALL, NOW), QuoteOf(CALL, NOW - timedelta(days=3))])
    assert now == Price(101.6, "5paisa", PriceKind.MARK)
    assert isinstance(before, Missing)
    assert "was read at 2026-11-20 16:30:00: no mark of 2026-11-17 16:30:00" in before.reason


def test_a_depth_without_a_last_trade_will_do(vendor: FakeVendor, fivepaisa: FivePaisaBroker) -> None:
    vendor.answer(f"{API}/MarketSnapshot", told(Data=[]))
    mark, nothing = fivepaisa.quotes([QuoteOf(CALL, NOW), QuoteOf(NIFTY, NOW)])
    assert isinstance(mark, Price)
    assert nothing == Missing("no quote of NIFTY in the answer")


# -- what goes wrong


def test_an_answer_for_another_symbol_is_a_failure_never_a_price(
    vendor: FakeVendor, fivepaisa: FivePaisaBroker
) -> None:
    vendor.answer(f"{API}/V2/MarketDepth", told(ScripCode=47002, MarketDepthData=[]))
    wrong, right = fivepaisa.quotes([QuoteOf(CALL, NOW), QuoteOf(PUT, NOW)])
    assert isinstance(wrong, Missing)
    assert wrong.why is Why.FAILED
    assert "the price was not used" in wrong.reason
    assert isinstance(right, Missing)
    assert right.why is Why.UNKNOWN


FAILURES = [server_error(502), truncated({"a": 1}), failed(1, "Error While Processing"), RESETS, {"status": "failure"}]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_of_one_question_loses_none_of_the_others(
    vendor: FakeVendor, fivepaisa: FivePaisaBroker, failure: Any
) -> None:
    vendor.answer("/V2/historical/N/D/47002/1m", failure)
    lost, answered = fivepaisa.minute_bars([BarsOf(PUT, FRIDAY), BarsOf(CALL, FRIDAY)])
    assert isinstance(lost, Missing)
    assert lost.why is Why.FAILED
    assert "5paisa /V2/historical/N/D/47002/1m" in lost.reason
    assert isinstance(answered, Bars)


def test_a_5paisa_that_is_down_is_an_error_and_the_market_says_so(
    vendor: FakeVendor, fivepaisa: FivePaisaBroker
) -> None:
    vendor.answer(MASTER_PATH, server_error(503))
    with pytest.raises(BrokerError, match="HTTP 503 after 4 attempts"):
        fivepaisa.quotes([QuoteOf(CALL, NOW)])
    (answer,) = Market().with_broker(fivepaisa).quotes([QuoteOf(CALL, NOW)])
    assert isinstance(answer, Missing)
    assert answer.why is Why.FAILED


def test_what_it_does_not_trade_needs_no_call(vendor: FakeVendor, fivepaisa: FivePaisaBroker) -> None:
    assert isinstance(fivepaisa.quotes([QuoteOf(SPY, NOW)])[0], Missing)
    assert vendor.calls == []


@pytest.mark.parametrize("ended", [ENDED, reply(ENDED, 401), failed(2, "Token Expired.")])
def test_an_ended_session_says_to_log_in_again(vendor: FakeVendor, fivepaisa: FivePaisaBroker, ended: Any) -> None:
    vendor.answer(f"{API}/MarketSnapshot", ended)
    vendor.answer(f"{CALL_HISTORY}/1m", ended)
    with pytest.raises(LoginNeededError, match="log in again"):
        fivepaisa.quotes([QuoteOf(CALL, NOW), QuoteOf(NIFTY, NOW)])
    with pytest.raises(LoginNeededError, match="log in again"):
        fivepaisa.minute_bars([BarsOf(CALL, FRIDAY)])


def test_a_history_of_no_records(vendor: FakeVendor, fivepaisa: FivePaisaBroker) -> None:
    vendor.answer(f"{CALL_HISTORY}/1m", {"status": "failure", "message": "No data found"})
    (answer,) = fivepaisa.minute_bars([BarsOf(CALL, FRIDAY)])
    assert isinstance(answer, Missing)
    assert answer.why is Why.UNKNOWN
    assert "about 6 months" in answer.reason


# -- books


def test_books(fivepaisa: FivePaisaBroker) -> None:
    orders, trades = fivepaisa.orders(), fivepaisa.trades()
    assert [order.status for order in orders] == [OrderStatus.FILLED] * 2 + [OrderStatus.REJECTED]
    assert [order.instrument for order in orders] == [CALL, PUT, CALL]
    assert [(trade.order_id, trade.price) for trade in trades] == [("11", 101.0), ("11", 104.0)]
    assert fivepaisa.positions() == []


def test_books_as_documented_go_by_other_names(vendor: FakeVendor, fivepaisa: FivePaisaBroker) -> None:
    vendor.answer(f"{API}/V3/OrderBook", told(orderBook=[{**ORDER, **ORDERS[0]}]))
    assert [order.order_id for order in fivepaisa.orders()] == ["11"]
    vendor.answer(f"{API}/V3/OrderBook", told(OrderBookDetail=None))
    assert fivepaisa.orders() == []


def test_positions_in_shares_are_named_by_their_code(vendor: FakeVendor, fivepaisa: FivePaisaBroker) -> None:
    row = {"Exch": "N", "ExchType": "C", "ScripCode": 1660, "ScripName": "ITC LTD", "NetQty": 10, "BuyAvgRate": 430.0}
    elsewhere = {"Exch": "M", "ExchType": "D", "ScripCode": 1, "ScripName": "SILVERMIC 30 Nov 2026", "NetQty": 1}
    unheard = {"Exch": "N", "ExchType": "C", "ScripCode": 5, "ScripName": "A B", "NetQty": 1}
    vendor.answer(f"{API}/V2/NetPositionNetWise", told(NetPositionDetail=[row, elsewhere, unheard]))
    positions = fivepaisa.positions()
    assert [position.instrument for position in positions] == [ITC, None, None]
    assert (positions[0].quantity, positions[0].average_price) == (10.0, 430.0)


def test_a_fill_tells_its_quantity(fivepaisa: FivePaisaBroker) -> None:
    (answer,) = fivepaisa.fills([FillOf(CALL, "", "entry", NOW, ("11",))])
    assert answer == Price(103.0, "5paisa", PriceKind.FILL, None, quantity=225.0)


# -- session

LOGIN = {
    "access_token": None,
    "encryption_key": Secret("encrypt-me"),
    "user_id": "user-7",
    "pin": Secret("4711"),
    "totp_secret": Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
}


def test_a_one_time_password_becomes_a_token(vendor: FakeVendor, payload: Callable[[str], Any]) -> None:
    vendor.answer(f"{API}/TOTPLogin", told(RequestToken="REQUEST-5"))
    vendor.answer(f"{API}/GetAccessToken", payload("fivepaisa/GetAccessToken_ok.json"))
    with open_for_business(vendor, datetime.fromtimestamp(59, INDIA), **LOGIN) as fivepaisa:
        credentials = fivepaisa.log_in()
        assert fivepaisa.health().session_valid
    first, second, third = vendor.calls
    assert first.json() == {
        "head": {"Key": "APP-KEY-1"},
        "body": {"Email_ID": "123456", "TOTP": "287082", "PIN": "4711"},
    }
    assert second.json()["body"] == {"RequestToken": "REQUEST-5", "EncryKey": "encrypt-me", "UserId": "user-7"}
    assert third.headers["authorization"] == "bearer JWT_TOKEN"
    assert "JWT_TOKEN" not in repr(credentials)


def test_a_password_given_by_hand(vendor: FakeVendor, payload: Callable[[str], Any]) -> None:
    vendor.answer(f"{API}/TOTPLogin", told(RequestToken="REQUEST-5"))
    vendor.answer(f"{API}/GetAccessToken", payload("fivepaisa/GetAccessToken_ok.json"))
    with open_for_business(vendor, **{**LOGIN, "totp_secret": None}) as fivepaisa:
        with pytest.raises(LoginNeededError, match="FIVEPAISA_TOTP_SECRET"):
            fivepaisa.log_in()
        fivepaisa.log_in("123456")
    assert vendor.calls[0].json()["body"]["TOTP"] == "123456"


def test_a_request_token_of_the_login_page(vendor: FakeVendor, payload: Callable[[str], Any]) -> None:
    vendor.answer(f"{API}/GetAccessToken", payload("fivepaisa/GetAccessToken_ok.json"))
    with open_for_business(vendor, **LOGIN) as fivepaisa:
        fivepaisa.log_in(request="REQUEST-6")
    (call,) = vendor.calls
    assert call.json()["body"]["RequestToken"] == "REQUEST-6"


def test_a_refused_login(vendor: FakeVendor, payload: Callable[[str], Any]) -> None:
    vendor.answer(f"{API}/TOTPLogin", failed(1, "Invalid PIN 4711"))
    with open_for_business(vendor, **LOGIN) as fivepaisa, pytest.raises(LoginNeededError) as caught:
        fivepaisa.log_in("123456")
    assert "Invalid PIN ***" in str(caught.value)
    assert len(vendor.calls) == 1
    vendor.answer(f"{API}/GetAccessToken", payload("fivepaisa/GetAccessToken_expired.json"))
    with open_for_business(vendor, **LOGIN) as fivepaisa, pytest.raises(LoginNeededError, match=r"Token Expired\."):
        fivepaisa.log_in(request="OLD")


@pytest.mark.parametrize(
    "answer",
    [
        truncated(told(AccessToken="NEW-TOKEN", More="x" * 100)),
        {"AccessToken": "NEW-TOKEN"},
        reply(told(AccessToken="NEW-TOKEN"), 500),
        {"head": {"AccessToken": "NEW-TOKEN"}, "body": {"Status": 1, "Message": {"AccessToken": "NEW-TOKEN"}}},
    ],
)
def test_no_message_shows_what_a_login_gave(vendor: FakeVendor, answer: Any) -> None:
    vendor.answer(f"{API}/GetAccessToken", answer)
    with open_for_business(vendor, **LOGIN) as fivepaisa, pytest.raises(BrokerError) as caught:
        fivepaisa.log_in(request="REQUEST-6")
    assert "NEW-TOKEN" not in str(caught.value)


def test_a_login_says_what_it_needs(vendor: FakeVendor) -> None:
    with open_for_business(vendor) as fivepaisa, pytest.raises(LoginNeededError, match="give FIVEPAISA_PIN"):
        fivepaisa.log_in("123456")
    with (
        open_for_business(vendor) as fivepaisa,
        pytest.raises(LoginNeededError, match="give FIVEPAISA_ENCRYPTION_KEY, FIVEPAISA_USER_ID"),
    ):
        fivepaisa.log_in(request="REQUEST-6")
    assert vendor.calls == []


def test_from_the_environment() -> None:
    environ = {"FIVEPAISA_CLIENT_CODE": "123456", "FIVEPAISA_APP_KEY": "k3y", "FIVEPAISA_ACCESS_TOKEN": "t0k3n"}
    credentials = FivePaisaCredentials.from_environment(environ)
    assert credentials.missing() == ()
    assert "k3y" not in repr(credentials)
    assert "t0k3n" not in repr(credentials)
    with FivePaisaBroker.from_environment(environ) as fivepaisa:
        assert repr(fivepaisa) == "FivePaisaBroker(client_code='123456')"


def test_health_says_what_is_missing() -> None:
    with FivePaisaBroker.from_environment({}) as fivepaisa:
        health = fivepaisa.health()
        assert not health.configured
        assert health.missing == (
            "FIVEPAISA_CLIENT_CODE",
            "FIVEPAISA_APP_KEY",
            "FIVEPAISA_ACCESS_TOKEN (or log in)",
        )
        with pytest.raises(LoginNeededError, match="FIVEPAISA_APP_KEY"):
            fivepaisa.orders()


def test_health_tells_the_cases_apart(vendor: FakeVendor, fivepaisa: FivePaisaBroker) -> None:
    health = fivepaisa.health()
    assert (health.configured, health.reachable, health.session_valid) == (True, True, True)
    vendor.answer(f"{API}/V3/OrderBook", ENDED)
    health = fivepaisa.health()
    assert (health.reachable, health.session_valid, health.missing) == (True, False, ("a new login",))
    vendor.answer(f"{API}/V3/OrderBook", server_error(502))
    health = fivepaisa.health()
    assert (health.configured, health.reachable) == (True, False)


def test_the_scrip_master_is_read_once_a_day_and_on_request(vendor: FakeVendor, fivepaisa: FivePaisaBroker) -> None:
    for _ in range(3):
        fivepaisa.quotes([QuoteOf(CALL, NOW)])
    assert fivepaisa.load_scrips() == 14
    assert len(vendor.asked(MASTER_PATH)) == 1
    fivepaisa.load_scrips(refresh_mapping=True)
    assert len(vendor.asked(MASTER_PATH)) == 2
