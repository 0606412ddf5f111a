"""The OpenAlgo adapter over real HTTP, against a server that behaves and one that does not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

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
from attribution.market.source import BarSource, Broker, CloseSource, FillSource, Market, PriceSource, QuoteSource
from attribution.symbols import parse_symbol
from brokers.base import LoginNeededError
from brokers.openalgo import OpenAlgoBroker
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
KEY = "a-key-that-nobody-may-see"
INDIA = ZoneInfo("Asia/Kolkata")
FAST = RetryPolicy(attempts=2, first_delay=0.0)

MONDAY, TUESDAY, WEDNESDAY = date(2024, 11, 25), date(2024, 11, 26), date(2024, 11, 27)
CALL = parse_symbol("NIFTY_OPT_20241128_CALL_26000")
FAR = parse_symbol("NIFTY_OPT_20241128_CALL_99000")
PUT = parse_symbol("NIFTY_OPT_20241128_PUT_23000")
LOW = parse_symbol("NIFTY_OPT_20241128_PUT_22000")
NIFTY = parse_symbol("NIFTY_IND___")
SPY = parse_symbol("SPY_STK___", exchange="US")


def at(text: str, day: date = TUESDAY) -> datetime:
    return datetime.fromisoformat(f"{day}T{text}").replace(tzinfo=INDIA)


NOW = at("16:30")
KNOWN = {"NIFTY28NOV2426000CE", "NIFTY"}


@pytest.fixture
def broker(vendor: FakeVendor, payload: Payload) -> Iterator[OpenAlgoBroker]:
    def history(call: Call) -> Any:
        asked = call.json()
        if asked["symbol"] not in KNOWN:
            return reply(payload("openalgo/error_symbol_400.json"), 400)
        return payload(f"openalgo/history_{asked['interval']}.json")

    vendor.answer("/api/v1/history", history)
    vendor.answer("/api/v1/multiquotes", payload("openalgo/multiquotes.json"))
    for book in ("tradebook", "orderbook", "positionbook", "ping"):
        vendor.answer(f"/api/v1/{book}", payload(f"openalgo/{book}.json"))
    vendor.answer("/api/v1/market/timings", payload("openalgo/timings.json"))
    vendor.answer("/api/v1/market/holidays", payload("openalgo/holidays.json"))
    with make(vendor) as running:
        yield running


def make(vendor: FakeVendor, **settings: Any) -> OpenAlgoBroker:
    told = {"per_second": 1e6, "now": lambda: NOW, "retry": FAST, "timeout": 2.0, **settings}
    return OpenAlgoBroker(KEY, base_url=vendor.url, **told)


class _OverHttp(SourceContract):
    @pytest.fixture(autouse=True)
    def _running(self, broker: OpenAlgoBroker) -> None:
        self.broker = broker

    def make(self) -> OpenAlgoBroker:
        return self.broker


class TestPrices(_OverHttp):
    protocol = PriceSource
    method = "prices_at"
    known: Sequence[Any] = (
        (PriceAt(CALL, at("09:15:30")), 80.0, PriceKind.BAR),  # in the first minute: its open
        (PriceAt(CALL, at("09:17")), 81.25, PriceKind.BAR),  # told twice and out of order: the last one told counts
        (PriceAt(CALL, at("09:17:59")), 81.25, PriceKind.BAR),  # the bar under way is not looked into
        (PriceAt(NIFTY, at("15:30")), 84.25, PriceKind.BAR),
        (PriceAt(CALL, at("00:00", WEDNESDAY)), 84.25, PriceKind.BAR),  # midnight: the session before
    )
    unknown: Sequence[Any] = (
        PriceAt(FAR, at("10:00")),
        PriceAt(PUT, at("10:00")),
        PriceAt(CALL, at("10:00", MONDAY)),
        PriceAt(SPY, at("20:00", MONDAY)),
    )


class TestCloses(_OverHttp):
    protocol = CloseSource
    method = "closes"
    known: Sequence[Any] = (
        (CloseOf(CALL, TUESDAY), 84.0, PriceKind.CLOSE),
        (CloseOf(CALL, MONDAY), 92.3, PriceKind.CLOSE),
    )
    unknown: Sequence[Any] = (
        CloseOf(FAR, TUESDAY),
        CloseOf(CALL, date(2024, 11, 22)),  # not among the bars
        CloseOf(CALL, WEDNESDAY),  # not begun
        CloseOf(CALL, date(2024, 11, 24)),  # a Sunday
        CloseOf(SPY, MONDAY),
    )


class TestQuotes(_OverHttp):
    protocol = QuoteSource
    method = "quotes"
    known: Sequence[Any] = (
        (QuoteOf(CALL, NOW), 84.0, PriceKind.MARK),
        (QuoteOf(NIFTY, NOW), 24180.25, PriceKind.LAST),
    )
    unknown: Sequence[Any] = (
        QuoteOf(FAR, NOW),  # an error of its own in the answer
        QuoteOf(PUT, NOW),  # not in the answer
        QuoteOf(parse_symbol("INFY_STK___"), NOW),  # a bid and nothing else
        QuoteOf(SPY, NOW),
    )


def fill_of(instrument: Any, *keys: str, when: datetime | None = None) -> FillOf:
    return FillOf(instrument, "as written", "entry", when or at("09:20"), keys)


class TestFills(_OverHttp):
    protocol = FillSource
    method = "fills"
    known: Sequence[Any] = (
        (fill_of(CALL, "241126000000001"), (75 * 84.0 + 225 * 84.4) / 300, PriceKind.FILL),
        (fill_of(CALL, "241126000000001F2", "241126000000002"), (75 * 84.0 + 225 * 84.4) / 300, PriceKind.FILL),
        # One execution has one price, though the book shows no quantity.
        (fill_of(PUT, "241126000000002"), 12.35, PriceKind.FILL),
    )
    unknown: Sequence[Any] = (
        fill_of(CALL),
        fill_of(CALL, "241126000000002"),
        fill_of(CALL, "241126000000001", "no-such-order"),
        fill_of(PUT, "241126000000002", "241126000000003"),  # two prices, and nothing to weigh them by
        fill_of(LOW, "241126000000004"),  # no price shown
        fill_of(CALL, "241126000000001", when=at("09:20", MONDAY)),  # another day's order of that number
    )


def test_it_is_a_broker_and_a_source_of_bars(broker: OpenAlgoBroker) -> None:
    assert isinstance(broker, Broker)
    assert isinstance(broker, BarSource)


def test_a_fill_tells_its_quantity_and_time_where_the_book_does(broker: OpenAlgoBroker) -> None:
    whole, bare = broker.fills([fill_of(CALL, "241126000000001"), fill_of(PUT, "241126000000002")])
    assert isinstance(whole, Price)
    assert isinstance(bare, Price)
    assert (whole.quantity, whole.time) == (300.0, at("09:20:05"))
    assert (bare.quantity, bare.time) == (None, at("09:21:00"))


# -- what it asks ------------------------------------------------------------------------------------------------------


def test_many_instants_are_one_question_and_the_key_is_in_the_body(vendor: FakeVendor, broker: OpenAlgoBroker) -> None:
    broker.prices_at([PriceAt(CALL, at("10:00") + timedelta(minutes=m)) for m in range(60)])
    (call,) = vendor.calls
    assert call.method == "POST"
    assert call.query == {}
    assert call.json() == {
        "apikey": KEY,
        "symbol": "NIFTY28NOV2426000CE",
        "exchange": "NFO",
        "interval": "1m",
        "start_date": "2024-11-26",
        "end_date": "2024-11-26",
    }


def test_the_local_store_can_be_asked_instead(vendor: FakeVendor, broker: OpenAlgoBroker, payload: Payload) -> None:
    with make(vendor, history_source="db") as other:
        other.closes([CloseOf(NIFTY, TUESDAY)])
        vendor.answer("/api/v1/history", reply(payload("openalgo/error_historify_404.json"), 404))
        (missing,) = other.minute_bars([BarsOf(NIFTY, TUESDAY)])
    assert isinstance(missing, Missing)
    assert missing.why is Why.UNKNOWN
    asked = vendor.calls[0].json()
    assert (asked["source"], asked["exchange"], asked["interval"]) == ("db", "NSE_INDEX", "D")


def test_quotes_of_many_are_one_question(vendor: FakeVendor, broker: OpenAlgoBroker) -> None:
    broker.quotes([QuoteOf(CALL, NOW), QuoteOf(NIFTY, NOW), QuoteOf(CALL, NOW)])
    (call,) = vendor.calls
    assert call.json()["symbols"] == [
        {"symbol": "NIFTY28NOV2426000CE", "exchange": "NFO"},
        {"symbol": "NIFTY", "exchange": "NSE_INDEX"},
    ]


def test_a_name_that_refuses_the_whole_question_is_asked_alone(
    vendor: FakeVendor, broker: OpenAlgoBroker, payload: Payload
) -> None:
    def answer(call: Call) -> Any:
        if any(one["symbol"] == "NIFTY28NOV2499000CE" for one in call.json()["symbols"]):
            return reply(payload("openalgo/error_symbol_400.json"), 400)
        return payload("openalgo/multiquotes.json")

    vendor.answer("/api/v1/multiquotes", answer)
    good, bad = broker.quotes([QuoteOf(CALL, NOW), QuoteOf(FAR, NOW)])
    assert isinstance(good, Price)
    assert isinstance(bad, Missing)
    assert bad.why is Why.UNKNOWN


def test_an_answer_for_another_symbol_or_exchange_is_not_taken(vendor: FakeVendor, broker: OpenAlgoBroker) -> None:
    data = {"bid": 83.5, "ask": 84.5, "ltp": 84.0}
    others = [("NIFTY28NOV2426000PE", "NFO"), ("NIFTY28NOV2426000CE", "BFO")]
    results = [{"symbol": symbol, "exchange": exchange, "data": data} for symbol, exchange in others]
    vendor.answer("/api/v1/multiquotes", {"status": "success", "results": results})
    (missing,) = broker.quotes([QuoteOf(CALL, NOW)])
    assert isinstance(missing, Missing)


def test_a_quote_marks_the_moment_it_was_read_and_no_other(broker: OpenAlgoBroker) -> None:
    past = NOW - timedelta(days=1)
    now, before, soon = broker.quotes([QuoteOf(CALL, NOW), QuoteOf(CALL, past), QuoteOf(CALL, NOW - timedelta(0, 60))])
    assert isinstance(now, Price)
    assert isinstance(soon, Price)
    assert isinstance(before, Missing)
    assert f"{NOW:%Y-%m-%d %H:%M:%S}" in before.reason
    assert f"{past:%Y-%m-%d %H:%M:%S}" in before.reason


def test_a_session_is_complete_once_it_is_over(vendor: FakeVendor, broker: OpenAlgoBroker) -> None:
    (found,) = broker.minute_bars([BarsOf(CALL, TUESDAY)])
    assert isinstance(found, Bars)
    assert found.complete
    assert [bar.start for bar in found.bars] == [at("09:15"), at("09:16"), at("09:17"), at("15:29")]
    with make(vendor, now=lambda: at("15:30")) as running:
        (found,) = running.minute_bars([BarsOf(CALL, TUESDAY)])
        assert isinstance(found, Bars)
        assert not found.complete
    with make(vendor, now=lambda: at("15:29:59")) as running:
        (close,) = running.closes([CloseOf(CALL, TUESDAY)])
        assert isinstance(close, Missing)


# -- what goes wrong ---------------------------------------------------------------------------------------------------

ROUTES = ["/api/v1/history", "/api/v1/multiquotes", "/api/v1/tradebook"]


def ask_everything(broker: OpenAlgoBroker) -> list[Callable[[], Any]]:
    return [
        lambda: broker.prices_at([PriceAt(CALL, at("10:00"))]),
        lambda: broker.closes([CloseOf(CALL, TUESDAY)]),
        lambda: broker.quotes([QuoteOf(CALL, NOW)]),
        lambda: broker.fills([fill_of(CALL, "241126000000001")]),
    ]


@pytest.mark.parametrize("failure", [server_error(503), too_many_requests("0"), RESETS, cut_off({"status": "success"})])
def test_a_passing_failure_is_asked_again(vendor: FakeVendor, broker: OpenAlgoBroker, failure: Any) -> None:
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
        truncated({"status": "success", "data": [1, 2, 3], "results": []}),
        cut_off({"status": "success", "data": []}),
        reply(b""),
        reply([]),
        reply(None),
        reply({}),
        reply({"status": "success"}),
        reply({"status": "success", "data": {"a": 1}, "results": "none"}),
        reply({"status": "success", "data": [1], "results": [1]}),
        reply({"status": "error", "message": "Broker-specific module not found"}, 404),
        reply({"status": "error", "message": "HTTPSConnectionPool: read timed out"}, 500),
        reply({"status": "error", "message": "something"}, 200),
    ],
)
def test_a_lasting_failure_is_a_broker_error_never_a_price(
    vendor: FakeVendor, broker: OpenAlgoBroker, failure: Any
) -> None:
    for route in ROUTES:
        vendor.answer(route, failure)
    for ask in ask_everything(broker):
        with pytest.raises(BrokerError, match="OpenAlgo"):
            ask()


def test_a_server_that_does_not_answer_is_given_up(vendor: FakeVendor) -> None:
    vendor.answer("/api/v1/history", HANGS)
    with make(vendor, timeout=0.1) as broker, pytest.raises(BrokerError, match="no answer in time"):
        broker.closes([CloseOf(CALL, TUESDAY)])


def test_to_the_market_a_failure_is_told_apart_from_an_absence(vendor: FakeVendor, broker: OpenAlgoBroker) -> None:
    market = Market().with_broker(broker)
    (absent,) = market.closes([CloseOf(FAR, TUESDAY)])
    vendor.answer("/api/v1/history", server_error(500))
    (failed,) = market.closes([CloseOf(CALL, TUESDAY)])
    assert isinstance(absent, Missing)
    assert isinstance(failed, Missing)
    assert (absent.why, failed.why) == (Why.UNKNOWN, Why.FAILED)


def test_bars_of_a_server_in_another_zone_are_a_failure(
    vendor: FakeVendor, broker: OpenAlgoBroker, payload: Payload
) -> None:
    history = payload("openalgo/history_1m.json")
    for row in history["data"]:
        row["timestamp"] += 19800
    vendor.answer("/api/v1/history", history)
    with pytest.raises(BrokerError, match="zone is off"):
        broker.prices_at([PriceAt(CALL, at("15:00"))])


def test_one_instrument_that_fails_spoils_no_other(
    vendor: FakeVendor, broker: OpenAlgoBroker, payload: Payload
) -> None:
    def answer(call: Call) -> Any:
        wrong = call.json()["symbol"] != "NIFTY"
        return server_error(500) if wrong else payload("openalgo/history_D.json")

    vendor.answer("/api/v1/history", answer)
    good, bad = broker.closes([CloseOf(NIFTY, TUESDAY), CloseOf(CALL, TUESDAY)])
    assert isinstance(good, Price)
    assert isinstance(bad, Missing)
    assert bad.why is Why.FAILED


def test_no_candles_are_an_absence(vendor: FakeVendor, broker: OpenAlgoBroker) -> None:
    vendor.answer("/api/v1/history", {"status": "success", "data": []})
    for found in (*broker.minute_bars([BarsOf(CALL, TUESDAY)]), *broker.closes([CloseOf(CALL, TUESDAY)])):
        assert isinstance(found, Missing)
        assert found.why is Why.UNKNOWN
        assert "knows no contract that has expired" in found.reason


@pytest.mark.parametrize(
    ("error", "status"), [("error_apikey_403", 403), ("error_session_500", 500), ("error_session_500", 401)]
)
def test_a_session_that_has_ended(
    vendor: FakeVendor, broker: OpenAlgoBroker, payload: Payload, error: str, status: int
) -> None:
    for route in ROUTES:
        vendor.answer(route, reply(payload(f"openalgo/{error}.json"), status))
    for ask in ask_everything(broker):
        with pytest.raises(LoginNeededError):
            ask()


# -- the books ---------------------------------------------------------------------------------------------------------


def test_the_books_are_of_the_last_session_even_on_a_sunday(vendor: FakeVendor, broker: OpenAlgoBroker) -> None:
    with make(vendor, now=lambda: at("12:00", date(2024, 12, 1))) as sunday:
        assert sunday.trades()[0].time == at("09:20:03", date(2024, 11, 29))


def test_orders_positions_and_the_market(broker: OpenAlgoBroker) -> None:
    assert broker.orders()[0].order_id == "241126000000001"
    assert [position.quantity for position in broker.positions()] == [-1.0, 0.0, 300.0]
    hours = broker.trading_hours(date(2025, 12, 19))
    assert hours["NFO"][0] == at("09:15", date(2025, 12, 19))
    assert list(broker.closed_dates(2026)) == [date(2026, 1, 26)]


def test_health(vendor: FakeVendor, broker: OpenAlgoBroker, payload: Payload) -> None:
    good = broker.health()
    assert (good.configured, good.reachable, good.session_valid, good.detail) == (True, True, True, "broker zerodha")
    vendor.answer("/api/v1/ping", reply(payload("openalgo/error_apikey_403.json"), 403))
    closed = broker.health()
    assert (closed.reachable, closed.session_valid) == (True, False)
    vendor.answer("/api/v1/ping", RESETS)
    gone = broker.health()
    assert (gone.reachable, gone.session_valid) == (False, False)


def test_from_the_environment(vendor: FakeVendor) -> None:
    with OpenAlgoBroker.from_environment({}) as broker:
        assert broker.health().missing == ("OPENALGO_API_KEY",)
        with pytest.raises(LoginNeededError, match="set OPENALGO_API_KEY"):
            broker.trades()
    environ = {"OPENALGO_API_KEY": KEY, "OPENALGO_HOST": f"{vendor.url}/", "OPENALGO_HISTORY_SOURCE": "db"}
    with OpenAlgoBroker.from_environment(environ, timeout=2.0) as broker:
        vendor.answer("/api/v1/ping", {"status": "success", "data": {"broker": "dhan"}})
        assert broker.health().detail == "broker dhan"
        assert "db" in repr(broker)
    with pytest.raises(ValueError, match="api or db"):
        OpenAlgoBroker.from_environment({**environ, "OPENALGO_HISTORY_SOURCE": "broker"})
    with pytest.raises(ValueError, match="https, or http on this machine"):
        OpenAlgoBroker(KEY, base_url="http://example.com")


def test_secrets_are_never_told(vendor: FakeVendor, broker: OpenAlgoBroker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.answer("/api/v1/history", lambda call: reply({"status": "error", "message": call.body.decode()}, 500))
    results = [{"symbol": "NIFTY", "exchange": "NSE_INDEX", "error": f"bad key {KEY}"}]
    vendor.answer("/api/v1/multiquotes", {"status": "success", "results": results})
    with pytest.raises(BrokerError) as caught:
        broker.closes([CloseOf(CALL, TUESDAY)])
    told = f"{caught.value} {broker!r} {broker.health()} {broker.quotes([QuoteOf(NIFTY, NOW)])} {caplog.text}"
    assert "bad key ***" in told
    assert KEY not in told
