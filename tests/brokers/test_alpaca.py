"""The Alpaca adapter over real HTTP, against a vendor that behaves and one that does not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from attribution.errors import BrokerError
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
from attribution.market.source import (
    BarSource,
    Broker,
    CloseSource,
    FillSource,
    Market,
    PriceSource,
    QuoteSource,
    delay_of,
)
from attribution.symbols import parse_occ, parse_symbol
from brokers.alpaca import AlpacaBroker
from brokers.base import LoginNeededError
from brokers.rest import RetryPolicy
from tests.brokers.fake_vendor import (
    HANGS,
    RESETS,
    Call,
    FakeVendor,
    cut_off,
    reply,
    server_error,
    too_many_requests,
    truncated,
)
from tests.market.contract import SourceContract

Payload = Callable[[str], Any]
KEY, SECRET = "PKTESTKEY0000000", "a-secret-that-nobody-may-see"

TUESDAY, WEDNESDAY = date(2024, 3, 12), date(2024, 3, 13)
NOW = datetime(2024, 3, 13, 15, 0, tzinfo=UTC)  # Wednesday, 11:00 in New York
CALL = parse_occ("SPY240426C00520000")
PUT = parse_occ("SPY240426P00500000")
NEVER_TRADED = parse_occ("SPY240426C00900000")
ADJUSTED = parse_occ("XOM2241220P00280000")
SPX = parse_symbol("SPX_IND___")
NIFTY = parse_symbol("NIFTY_IND___")
SPY = parse_symbol("SPY_STK___", exchange="US")

FAST = RetryPolicy(attempts=2, first_delay=0.0)


def at(hour: int, minute: int, second: int = 0, day: date = TUESDAY) -> datetime:
    """An instant in UTC; the session of that week is 13:30 to 20:00."""
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=UTC)


def bar(hour: int, minute: int, close: float, day: date = TUESDAY) -> dict[str, Any]:
    return {"t": at(hour, minute, day=day).strftime("%Y-%m-%dT%H:%M:%SZ"), "o": close - 0.1, "c": close, "v": 1}


#: Out of order, one minute twice, one bar before the open and one after the close.
MINUTES = [
    bar(14, 31, 9.3),
    bar(13, 30, 9.0),
    bar(13, 29, 1.0),
    bar(14, 30, 9.9),
    bar(14, 30, 9.2),
    bar(20, 5, 2.0),
    bar(19, 59, 9.5),
]
DAILY = [{"t": "2024-03-12T04:00:00Z", "o": 9.0, "c": 9.55, "v": 9}]
SHOT = {
    "latestQuote": {"t": "2024-03-13T14:59:50.123456789Z", "bp": 9.0, "ap": 9.2},
    "latestTrade": {"t": "2024-03-13T14:50:00Z", "p": 9.4},
}
SERVED = {"SPY240426C00520000", "SPY"}


def bars_answer(call: Call) -> Any:
    rows = MINUTES if call.query["timeframe"] == "1Min" else DAILY
    asked = [symbol for symbol in call.query["symbols"].split(",") if symbol in SERVED]
    # Something nobody asked for comes along: it must not be taken for an answer.
    return {"bars": {**dict.fromkeys(asked, rows), "SPY240426P00500009": rows}, "next_page_token": None}


def option_shots(call: Call) -> Any:
    asked = [symbol for symbol in call.query["symbols"].split(",") if symbol in SERVED]
    return {"snapshots": dict.fromkeys(asked, SHOT), "next_page_token": None}


def activity(order: str, quantity: float, cumulated: float, price: float, symbol: str = "SPY240426C00520000") -> Any:
    row = {"id": f"{order}-{cumulated:g}", "order_id": order, "symbol": symbol, "side": "buy", "price": str(price)}
    done = at(14, 30).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**row, "qty": f"{quantity:g}", "cum_qty": f"{cumulated:g}", "transaction_time": done}


ACTIVITIES = [
    activity("order-1", 1, 1, 9.0),
    activity("order-1", 3, 4, 9.4),
    activity("order-2", 4, 4, 7.0, "SPY240426P00500000"),
]


@pytest.fixture
def broker(vendor: FakeVendor) -> Iterator[AlpacaBroker]:
    vendor.answer("/v1beta1/options/bars", bars_answer)
    vendor.answer("/v2/stocks/bars", bars_answer)
    vendor.answer("/v1beta1/options/snapshots", option_shots)
    vendor.answer("/v2/stocks/snapshots", lambda call: option_shots(call)["snapshots"])
    vendor.answer("/v2/account/activities/FILL", ACTIVITIES)
    with make(vendor) as running:
        yield running


def make(vendor: FakeVendor, **settings: Any) -> AlpacaBroker:
    told = {"per_second": 1e6, "now": lambda: NOW, "retry": FAST, "timeout": 2.0, **settings}
    return AlpacaBroker(KEY, SECRET, trading_url=vendor.url, data_url=vendor.url, **told)


class _OverHttp(SourceContract):
    @pytest.fixture(autouse=True)
    def _running(self, broker: AlpacaBroker) -> None:
        self.broker = broker

    def make(self) -> AlpacaBroker:
        return self.broker


class TestPrices(_OverHttp):
    protocol = PriceSource
    method = "prices_at"
    known: Sequence[Any] = (
        (PriceAt(CALL, at(13, 30, 30)), 8.9, PriceKind.BAR),  # in the first minute: its open
        (PriceAt(CALL, at(14, 31)), 9.2, PriceKind.BAR),  # told twice: the last one counts
        (PriceAt(CALL, at(14, 31, 59)), 9.2, PriceKind.BAR),  # the bar under way is not looked into
        (PriceAt(SPY, at(20, 0)), 9.5, PriceKind.BAR),
        (PriceAt(CALL, at(8, 0, day=WEDNESDAY)), 9.5, PriceKind.BAR),  # before the open: Tuesday's session
    )
    unknown: Sequence[Any] = (
        PriceAt(PUT, at(14, 31)),
        PriceAt(NEVER_TRADED, at(14, 31)),
        PriceAt(SPX, at(14, 31)),
        PriceAt(NIFTY, at(8, 0)),
        PriceAt(ADJUSTED, at(14, 31)),
    )


class TestCloses(_OverHttp):
    protocol = CloseSource
    method = "closes"
    known: Sequence[Any] = (
        (CloseOf(CALL, TUESDAY), 9.55, PriceKind.CLOSE),
        (CloseOf(SPY, TUESDAY), 9.55, PriceKind.CLOSE),
    )
    unknown: Sequence[Any] = (
        CloseOf(PUT, TUESDAY),
        CloseOf(CALL, date(2024, 3, 11)),  # no bar of that day: it did not trade
        CloseOf(CALL, WEDNESDAY),  # running
        CloseOf(CALL, date(2024, 3, 14)),
        CloseOf(CALL, date(2024, 3, 10)),  # a Sunday
        CloseOf(CALL, date(1999, 3, 12)),
        CloseOf(SPX, TUESDAY),
    )


class TestQuotes(_OverHttp):
    protocol = QuoteSource
    method = "quotes"
    known: Sequence[Any] = ((QuoteOf(CALL, NOW), 9.1, PriceKind.MARK), (QuoteOf(SPY, NOW), 9.1, PriceKind.MARK))
    unknown: Sequence[Any] = (
        QuoteOf(PUT, NOW),
        QuoteOf(CALL, NOW + timedelta(hours=1)),
        QuoteOf(SPX, NOW),
        QuoteOf(NIFTY, NOW),
    )


def fill_of(instrument: Any, *keys: str) -> FillOf:
    return FillOf(instrument, "as written", "entry", at(14, 30), keys)


class TestFills(_OverHttp):
    protocol = FillSource
    method = "fills"
    known: Sequence[Any] = (
        (fill_of(CALL, "order-1"), (9.0 + 3 * 9.4) / 4, PriceKind.FILL),
        (fill_of(PUT, "order-1", "order-2"), 7.0, PriceKind.FILL),
        (fill_of(PUT, "order-2F3"), 7.0, PriceKind.FILL),
    )
    unknown: Sequence[Any] = (
        fill_of(CALL),
        fill_of(CALL, "order-2"),
        fill_of(CALL, "no-such-order"),
        fill_of(CALL, "order-1", "no-such-order"),
    )


def test_it_is_a_broker_and_a_source_of_bars(broker: AlpacaBroker) -> None:
    assert isinstance(broker, Broker)
    assert isinstance(broker, BarSource)


# -- what it asks ------------------------------------------------------------------------------------------------------


def test_many_instants_and_instruments_are_one_call_a_session(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    instants = [at(14, minute) for minute in range(60)]
    broker.prices_at([PriceAt(one, instant) for one in (CALL, PUT, ADJUSTED) for instant in instants])
    (call,) = vendor.calls
    assert set(call.query["symbols"].split(",")) == {"SPY240426C00520000", "SPY240426P00500000", "XOM2241220P00280000"}
    # Times in UTC, with their zone; prices as they were traded.
    assert (call.query["start"], call.query["end"]) == ("2024-03-12T13:30:00Z", "2024-03-12T20:00:00Z")
    assert "adjustment" not in call.query
    broker.closes([CloseOf(SPY, TUESDAY)])
    assert vendor.calls[-1].query["adjustment"] == "raw"
    assert vendor.calls[-1].query["start"] == "2024-03-12T04:00:00Z"


def test_credentials_travel_in_headers_only(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    broker.closes([CloseOf(CALL, TUESDAY)])
    (call,) = vendor.calls
    assert call.headers["apca-api-key-id"] == KEY
    assert call.headers["apca-api-secret-key"] == SECRET
    assert SECRET not in str(call.query)


def test_feeds_are_a_choice(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    broker.quotes([QuoteOf(CALL, NOW), QuoteOf(SPY, NOW)])
    assert {call.path: call.query.get("feed") for call in vendor.calls} == {
        "/v1beta1/options/snapshots": "indicative",
        "/v2/stocks/snapshots": None,
    }
    vendor.calls.clear()
    with make(vendor, option_feed="opra", stock_feed="iex") as other:
        other.quotes([QuoteOf(CALL, NOW), QuoteOf(SPY, NOW)])
        other.closes([CloseOf(SPY, TUESDAY)])
    assert {call.path: call.query.get("feed") for call in vendor.calls} == {
        "/v1beta1/options/snapshots": "opra",
        "/v2/stocks/snapshots": "iex",
        "/v2/stocks/bars": "iex",
    }


def test_pages_are_followed_to_the_end(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    pages = {"": ([bar(13, 30, 9.0)], "two"), "two": ([bar(14, 0, 9.1)], "three"), "three": ([bar(15, 0, 9.2)], None)}

    def answer(call: Call) -> Any:
        rows, token = pages[call.query.get("page_token", "")]
        return {"bars": {"SPY240426C00520000": rows}, "next_page_token": token}

    vendor.answer("/v1beta1/options/bars", answer)
    (found,) = broker.minute_bars([BarsOf(CALL, TUESDAY)])
    assert isinstance(found, Bars)
    assert [one.close for one in found.bars] == [9.0, 9.1, 9.2]


def test_pages_that_go_in_a_circle_are_a_failure(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    vendor.answer("/v1beta1/options/bars", {"bars": {}, "next_page_token": "again"})
    with pytest.raises(BrokerError, match="the pages do not end"):
        broker.minute_bars([BarsOf(CALL, TUESDAY)])
    vendor.answer("/v2/account/activities/FILL", [activity(str(i), 1, 1, 1.0) for i in range(100)])
    with pytest.raises(BrokerError, match="the pages do not end"):
        broker.trades()


def test_fills_are_looked_for_around_the_trade(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    asked = [fill_of(CALL, "order-1"), FillOf(PUT, "x", "entry", at(14, 30) - timedelta(days=300), ("order-2",))]
    first, second = broker.fills(asked)
    assert isinstance(first, Price)
    assert first.quantity == 4.0
    assert isinstance(second, Price)
    spans = [(call.query["after"], call.query["until"]) for call in vendor.asked("/v2/account/activities/FILL")]
    assert spans[-1] == ("2024-03-05T00:00:00Z", "2024-03-14T00:00:00Z")
    assert len(spans) == 2


def test_activities_come_in_pages(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    many = [activity("order-1", 1, n + 1, 9.0 if n < 150 else 9.4) for n in range(200)]

    def answer(call: Call) -> Any:
        ids = [one["id"] for one in many]
        start = ids.index(call.query["page_token"]) + 1 if "page_token" in call.query else 0
        return many[start : start + 100]

    vendor.answer("/v2/account/activities/FILL", answer)
    (found,) = broker.fills([fill_of(CALL, "order-1")])
    assert isinstance(found, Price)
    assert (found.value, found.quantity) == (pytest.approx(9.1), 200.0)


def test_an_order_of_several_legs_is_asked_for_by_its_id(
    vendor: FakeVendor, broker: AlpacaBroker, payload: Payload
) -> None:
    order = payload("alpaca/v2_order_mleg.json")
    vendor.answer(f"/v2/orders/{order['id']}", order)
    legs = [parse_occ("SPY240426C00520000"), parse_occ("SPY240426C00525000")]
    bought, sold = broker.fills([fill_of(leg, order["id"]) for leg in legs])
    assert isinstance(bought, Price)
    assert isinstance(sold, Price)
    assert (bought.value, bought.quantity, sold.value) == (9.1, 2.0, 7.8)
    assert len(vendor.asked(f"/v2/orders/{order['id']}")) == 1


def test_an_order_seen_in_part_is_asked_for_whole(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    vendor.answer("/v2/account/activities/FILL", [activity("order-1", 1, 4, 9.4)])
    (missing,) = broker.fills([fill_of(CALL, "order-1")])
    assert isinstance(missing, Missing)
    order = {"id": "order-1", "symbol": "SPY240426C00520000", "filled_qty": "4", "filled_avg_price": "9.3"}
    vendor.answer("/v2/orders/order-1", order)
    (found,) = broker.fills([fill_of(CALL, "order-1")])
    assert isinstance(found, Price)
    assert (found.value, found.quantity) == (9.3, 4.0)


def test_an_order_that_cannot_be_asked_for_spoils_no_other(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    vendor.answer("/v2/orders/order-9", server_error(500))
    good, bad = broker.fills([fill_of(CALL, "order-1"), fill_of(CALL, "order-9")])
    assert isinstance(good, Price)
    assert isinstance(bad, Missing)
    assert bad.why is Why.FAILED


def test_a_session_is_complete_when_nothing_can_change_it(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    (found,) = broker.minute_bars([BarsOf(CALL, TUESDAY)])
    assert isinstance(found, Bars)
    assert found.complete
    assert [one.start for one in found.bars] == [at(13, 30), at(14, 30), at(14, 31), at(19, 59)]
    for seconds, complete in ((0, False), (19 * 60, False), (20 * 60, True)):
        with make(vendor, now=lambda: at(20, 0) + timedelta(seconds=seconds)) as other:  # noqa: B023
            (found,) = other.minute_bars([BarsOf(CALL, TUESDAY)])
            assert isinstance(found, Bars)
            assert found.complete is complete
            (close,) = other.closes([CloseOf(CALL, TUESDAY)])
            assert isinstance(close, Price) is complete


def test_an_overnight_gap_is_answered_from_the_session_before(broker: AlpacaBroker) -> None:
    midnight = at(4, 0, day=WEDNESDAY)  # midnight in New York
    (found,) = broker.prices_at([PriceAt(CALL, midnight)])
    assert found == Price(9.5, "alpaca", PriceKind.BAR, at(20, 0))


# -- what goes wrong ---------------------------------------------------------------------------------------------------

ROUTES = ["/v1beta1/options/bars", "/v1beta1/options/snapshots", "/v2/account/activities/FILL"]


def ask_everything(broker: AlpacaBroker) -> list[Callable[[], Any]]:
    return [
        lambda: broker.closes([CloseOf(CALL, TUESDAY)]),
        lambda: broker.quotes([QuoteOf(CALL, NOW)]),
        lambda: broker.fills([fill_of(CALL, "order-1")]),
    ]


@pytest.mark.parametrize("failure", [server_error(503), too_many_requests("0"), RESETS, cut_off({"bars": {}})])
def test_a_passing_failure_is_asked_again(vendor: FakeVendor, broker: AlpacaBroker, failure: Any) -> None:
    vendor.next(failure)
    (found,) = broker.closes([CloseOf(CALL, TUESDAY)])
    assert isinstance(found, Price)
    assert len(vendor.calls) == 2


@pytest.mark.parametrize(
    "failure",
    [
        server_error(500),
        server_error(503),
        too_many_requests("0"),
        RESETS,
        truncated({"bars": {"SPY240426C00520000": MINUTES}}),
        cut_off({"bars": {}}),
        reply(b""),
        reply(b"<html>maintenance</html>"),
        reply("text"),
        reply(None),
    ],
)
def test_a_lasting_failure_is_a_broker_error_never_a_price(
    vendor: FakeVendor, broker: AlpacaBroker, failure: Any
) -> None:
    for route in ROUTES:
        vendor.answer(route, failure)
    for ask in ask_everything(broker):
        with pytest.raises(BrokerError, match="Alpaca"):
            ask()


def test_a_vendor_that_does_not_answer_is_given_up(vendor: FakeVendor) -> None:
    vendor.answer("/v1beta1/options/bars", HANGS)
    with make(vendor, timeout=0.1) as broker, pytest.raises(BrokerError, match="no answer in time"):
        broker.closes([CloseOf(CALL, TUESDAY)])


def test_to_the_market_a_failure_is_told_apart_from_an_absence(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    vendor.answer("/v1beta1/options/bars", server_error(500))
    (missing,) = Market().with_broker(broker).closes([CloseOf(CALL, TUESDAY)])
    assert isinstance(missing, Missing)
    assert missing.why is Why.FAILED


@pytest.mark.parametrize("status", [401, 403])
def test_keys_that_are_not_accepted(vendor: FakeVendor, broker: AlpacaBroker, payload: Payload, status: int) -> None:
    for route in ROUTES:
        vendor.answer(route, reply(payload("alpaca/error_forbidden_403.json"), status))
    for ask in ask_everything(broker):
        with pytest.raises(LoginNeededError):
            ask()


def test_a_feed_that_is_not_paid_for_is_no_question_of_login(
    vendor: FakeVendor, broker: AlpacaBroker, payload: Payload
) -> None:
    vendor.answer("/v2/stocks/bars", reply(payload("alpaca/error_sip_subscription_403.json"), 403))
    with pytest.raises(BrokerError, match="choose another stock_feed") as caught:
        broker.minute_bars([BarsOf(SPY, WEDNESDAY)])
    assert not isinstance(caught.value, LoginNeededError)


def test_a_symbol_that_is_refused_spoils_no_other(vendor: FakeVendor, broker: AlpacaBroker, payload: Payload) -> None:
    def answer(call: Call) -> Any:
        if "SPY240426C00900000" in call.query["symbols"]:
            return reply(payload("alpaca/error_invalid_symbol_400.json"), 400)
        return bars_answer(call)

    vendor.answer("/v1beta1/options/bars", answer)
    good, bad = broker.closes([CloseOf(CALL, TUESDAY), CloseOf(NEVER_TRADED, TUESDAY)])
    assert isinstance(good, Price)
    assert isinstance(bad, Missing)
    assert (bad.why, "invalid symbol" in bad.reason) == (Why.UNKNOWN, True)


def test_a_refusal_for_another_reason_is_a_failure(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    vendor.answer("/v1beta1/options/bars", reply({"message": "invalid start"}, 400))
    (bad,) = broker.closes([CloseOf(CALL, TUESDAY)])
    assert isinstance(bad, Missing)
    assert bad.why is Why.FAILED


@pytest.mark.parametrize(
    ("feeds", "minutes"),
    [
        ({}, 15),
        ({"stock_feed": "iex"}, 15),
        ({"option_feed": "opra"}, 0),
        ({"option_feed": "opra", "stock_feed": "sip"}, 0),
        ({"option_feed": "opra", "stock_feed": "delayed_sip"}, 15),
    ],
)
def test_it_says_how_late_its_feeds_are(vendor: FakeVendor, feeds: dict[str, Any], minutes: int) -> None:
    with make(vendor, **feeds) as broker:
        assert delay_of(broker) == timedelta(minutes=minutes)


def test_feeds_that_do_not_exist() -> None:
    for feeds in ({"option_feed": "OPRA"}, {"stock_feed": "free"}):
        with pytest.raises(ValueError, match="one of"):
            AlpacaBroker(KEY, SECRET, **feeds)  # type: ignore[arg-type]


def test_bars_that_are_null_are_no_bars(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    vendor.answer("/v1beta1/options/bars", {"bars": None, "next_page_token": None})
    (found,) = broker.minute_bars([BarsOf(CALL, TUESDAY)])
    assert isinstance(found, Missing)
    assert found.why is Why.UNKNOWN


def test_what_was_not_asked_for_is_not_taken(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    vendor.answer("/v1beta1/options/bars", {"bars": {"SPY240426C00525000": DAILY}})
    vendor.answer("/v1beta1/options/snapshots", {"snapshots": {"SPY240426C00525000": SHOT}})
    for answers in (broker.closes([CloseOf(CALL, TUESDAY)]), broker.quotes([QuoteOf(CALL, NOW)])):
        assert isinstance(answers[0], Missing)


# -- the account -------------------------------------------------------------------------------------------------------


def test_what_is_ordered_traded_and_held(vendor: FakeVendor, broker: AlpacaBroker, payload: Payload) -> None:
    vendor.answer("/v2/orders", [payload("alpaca/v2_order_mleg.json")])
    vendor.answer("/v2/positions", payload("alpaca/v2_positions_option_short.json"))
    assert [order.symbol for order in broker.orders()] == ["", "SPY240426C00520000", "SPY240426C00525000"]
    assert [trade.quantity for trade in broker.trades(at(0, 0))] == [1.0, 3.0, 4.0]
    assert vendor.asked("/v2/account/activities/FILL")[-1].query["after"] == "2024-03-12T00:00:00Z"
    assert [position.quantity for position in broker.positions()] == [-2.0, 0.5]
    vendor.answer("/v2/positions", [{"symbol": "AAPL"}])
    with pytest.raises(BrokerError, match="no quantity"):
        broker.positions()
    assert all(call.method == "GET" for call in vendor.calls)


def test_health(vendor: FakeVendor, broker: AlpacaBroker) -> None:
    vendor.answer("/v2/account", {"status": "ACTIVE"})
    good = broker.health()
    assert (good.configured, good.reachable, good.session_valid) == (True, True, True)
    assert good.detail == "paper account, ACTIVE"
    vendor.answer("/v2/account", reply({"message": "forbidden."}, 403))
    closed = broker.health()
    assert (closed.reachable, closed.session_valid) == (True, False)
    vendor.answer("/v2/account", RESETS)
    gone = broker.health()
    assert (gone.reachable, gone.session_valid) == (False, False)
    assert gone.detail


def test_without_credentials_it_says_what_is_missing(vendor: FakeVendor) -> None:
    with AlpacaBroker.from_environment({"APCA_API_KEY_ID": KEY}, trading_url=vendor.url, data_url=vendor.url) as broker:
        assert broker.health().missing == ("APCA_API_SECRET_KEY",)
        with pytest.raises(LoginNeededError, match="set APCA_API_SECRET_KEY"):
            broker.closes([CloseOf(CALL, TUESDAY)])
        with pytest.raises(LoginNeededError):
            broker.positions()
    assert vendor.calls == []


@pytest.mark.parametrize(
    ("more", "account"),
    [
        ({}, "paper"),
        ({"ALPACA_PAPER": "false"}, "live"),
        ({"ALPACA_PAPER": "1"}, "paper"),
        ({"APCA_API_BASE_URL": "https://api.alpaca.markets/v2"}, "live"),
        ({"APCA_API_BASE_URL": "https://paper-api.alpaca.markets"}, "paper"),
    ],
)
def test_which_account(more: dict[str, str], account: str) -> None:
    environ = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET, **more}
    with AlpacaBroker.from_environment(environ) as broker:
        assert account in repr(broker)
    with pytest.raises(ValueError, match="ALPACA_PAPER"):
        AlpacaBroker.from_environment({**environ, "ALPACA_PAPER": "perhaps"})


def test_secrets_are_never_told(vendor: FakeVendor, broker: AlpacaBroker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.answer("/v1beta1/options/bars", reply(f"bad key {KEY} with {SECRET}".encode(), 500))
    with pytest.raises(BrokerError) as caught:
        broker.closes([CloseOf(CALL, TUESDAY)])
    told = f"{caught.value} {broker!r} {broker.health()} {caplog.text}"
    assert SECRET not in told
    assert KEY not in told
