"""The bones of an adapter: retries, limits, secrets, and failures told in our own words; all over real HTTP."""

from __future__ import annotations

import gzip
import json
import logging
import threading
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.errors import BrokerError
from attribution.instruments import Index, Option, Right
from attribution.market.quotes import FillOf, Missing, Price, PriceKind, Why
from brokers.base import (
    BrokerTrade,
    LoginNeededError,
    OutOfReachError,
    Secret,
    ask_all,
    day_ranges,
    fill_from_trades,
    number,
    positive,
    same_contract,
    secret_in,
)
from brokers.rest import RateLimiter, RestClient, RetryPolicy
from tests.brokers.fake_vendor import (
    HANGS,
    RESETS,
    FakeVendor,
    cut_off,
    reply,
    server_error,
    too_many_requests,
    truncated,
)

GOOD = {"ok": True}


class Clock:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def client(vendor: FakeVendor, clock: Clock | None = None, **settings: Any) -> RestClient:
    clock = clock or Clock()
    settings = {"per_second": 1e6, "timeout": 2.0, **settings}
    return RestClient("Vendor", vendor.url, clock=clock, sleep=clock.sleep, **settings)


# -- what is tried again ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [server_error(502), server_error(503), server_error(504), too_many_requests()])
def test_a_busy_vendor_is_asked_again_after_a_growing_wait(vendor: FakeVendor, failure: Any) -> None:
    vendor.answer("/quote", [failure, failure, reply(GOOD)])
    clock = Clock()
    with client(vendor, clock) as rest:
        assert rest.json("GET", "/quote") == GOOD
    assert len(vendor.calls) == 3
    waits = [wait for wait in clock.slept if wait > 0.01]
    assert 0.125 <= waits[0] <= 0.25
    assert 0.25 <= waits[1] <= 0.5


@pytest.mark.parametrize("failure", [RESETS, cut_off(GOOD)])
def test_a_broken_connection_is_tried_again(vendor: FakeVendor, failure: Any) -> None:
    vendor.answer("/quote", [failure, reply(GOOD)])
    with client(vendor) as rest:
        assert rest.json("GET", "/quote") == GOOD


def test_a_time_out_is_tried_again(vendor: FakeVendor) -> None:
    vendor.answer("/quote", [HANGS, reply(GOOD)])
    with client(vendor, timeout=0.05) as rest:
        assert rest.json("GET", "/quote") == GOOD


def test_attempts_come_to_an_end(vendor: FakeVendor) -> None:
    vendor.answer("/quote", server_error(503))
    with client(vendor, retry=RetryPolicy(attempts=3)) as rest, pytest.raises(OutOfReachError) as caught:
        rest.json("GET", "/quote")
    assert str(caught.value) == "Vendor /quote: HTTP 503 after 3 attempts; try again later"
    assert len(vendor.calls) == 3


@pytest.mark.parametrize("status", [400, 404, 422, 500, 302])
def test_what_would_fail_again_is_not_tried_again(vendor: FakeVendor, status: int) -> None:
    vendor.answer("/quote", reply({"message": "bad field"}, status))
    with client(vendor) as rest, pytest.raises(BrokerError, match=rf"Vendor /quote: HTTP {status} .*bad field"):
        rest.json("GET", "/quote")
    assert len(vendor.calls) == 1


@pytest.mark.parametrize("failure", [RESETS, HANGS, server_error(503)])
def test_a_call_that_uses_up_a_code_is_not_repeated(vendor: FakeVendor, failure: Any) -> None:
    vendor.answer("/login", failure)
    with client(vendor, timeout=0.05) as rest, pytest.raises(BrokerError):
        rest.json("POST", "/login", body={}, repeatable=False)
    assert len(vendor.calls) == 1


def test_nobody_at_home() -> None:
    with FakeVendor() as gone:
        url = gone.url
    clock = Clock()
    with (
        RestClient("Vendor", url, clock=clock, sleep=clock.sleep) as rest,
        pytest.raises(BrokerError, match=r"cannot connect .* after 4 attempts") as caught,
    ):
        rest.json("GET", "/quote")
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


# -- how long it waits -----------------------------------------------------------------------------------------------


def test_the_wait_a_vendor_asks_for_is_kept(vendor: FakeVendor) -> None:
    vendor.answer("/quote", [too_many_requests("7"), reply(GOOD)])
    clock = Clock()
    with client(vendor, clock) as rest:
        rest.json("GET", "/quote")
    assert max(clock.slept) == pytest.approx(7.0, abs=0.01)


def test_a_wait_told_as_a_date_is_read_against_the_vendors_clock(vendor: FakeVendor) -> None:
    late = reply({}, 503, Retry_After="Fri, 20 Nov 2026 10:00:12 GMT", Date="Fri, 20 Nov 2026 10:00:00 GMT")
    vendor.answer("/quote", [late, reply(GOOD)])
    clock = Clock()

    # http.server sends a Date of its own first; a transport in between keeps the vendor's only.
    class LastDate(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = super().handle_request(request)
            date_told = response.headers.get_list("date")[-1]
            response.headers["date"] = date_told
            return response

    with client(vendor, clock, transport=LastDate()) as rest:
        rest.json("GET", "/quote")
    assert max(clock.slept) == pytest.approx(12.0)


@pytest.mark.parametrize("after", ["Wed, 21 Oct 99999999999 07:28:00 GMT", "nan", "-5", "1e400", "soon", ""])
def test_a_wait_that_cannot_be_read_is_ours_to_choose(vendor: FakeVendor, after: str) -> None:
    vendor.answer("/quote", [too_many_requests(after), reply(GOOD)])
    with client(vendor) as rest:
        assert rest.json("GET", "/quote") == GOOD


class Drips(httpx.BaseTransport):
    """An answer that comes byte by byte, one a second."""

    def __init__(self, clock: Clock, body: bytes) -> None:
        self.clock, self.body = clock, body

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        clock, body = self.clock, self.body

        class Body(httpx.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                for byte in body:
                    clock.now += 1.0
                    yield bytes([byte])

        return httpx.Response(200, stream=Body())


def test_an_answer_that_drips_is_given_up(vendor: FakeVendor) -> None:
    clock = Clock()
    with client(vendor, clock, transport=Drips(clock, b'{"ok": true}'), deadline=12.0) as rest:
        assert rest.json("GET", "/quote") == GOOD
    retry = RetryPolicy(attempts=1)
    with (
        client(vendor, clock, transport=Drips(clock, b'{"ok": true}'), deadline=5.0, retry=retry) as rest,
        pytest.raises(OutOfReachError, match="not whole after 5 s"),
    ):
        rest.json("GET", "/quote")


def test_an_answer_may_be_packed(vendor: FakeVendor) -> None:
    vendor.answer("/quote", reply(gzip.compress(b'{"ok": true}'), Content_Encoding="gzip"))
    with client(vendor) as rest:
        assert rest.json("GET", "/quote") == GOOD


def test_a_vendor_that_asks_for_too_long_is_not_waited_for(vendor: FakeVendor) -> None:
    vendor.answer("/quote", too_many_requests("3600"))
    with client(vendor) as rest, pytest.raises(BrokerError, match="asks to wait 3600 s"):
        rest.json("GET", "/quote")
    assert len(vendor.calls) == 1


def test_calls_are_evenly_spaced() -> None:
    clock = Clock()
    limiter = RateLimiter(4.0, clock=clock, sleep=clock.sleep)
    for _ in range(5):
        limiter.wait()
    assert clock.now == pytest.approx(101.0)


def test_calls_are_spaced_over_all_threads() -> None:
    turns: list[float] = []
    limiter = RateLimiter(10.0, clock=lambda: 0.0, sleep=turns.append)
    threads = [threading.Thread(target=limiter.wait) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(turns) == pytest.approx([i / 10 for i in range(1, 20)])


def test_who_waits_for_his_turn_is_held_off_too() -> None:
    clock = Clock()

    def sleep(seconds: float) -> None:
        if not clock.slept:  # the vendor asks for three seconds while the first caller sleeps
            limiter.hold_off(3.0)
        clock.sleep(seconds)

    limiter = RateLimiter(4.0, clock=clock, sleep=sleep)
    limiter.wait()
    limiter.wait()
    assert clock.now == pytest.approx(103.0)
    limiter.wait()
    assert clock.now == pytest.approx(103.25)


def test_a_slow_caller_is_not_held_up() -> None:
    clock = Clock()
    limiter = RateLimiter(2.0, clock=clock, sleep=clock.sleep)
    limiter.wait()
    clock.now += 5.0
    limiter.wait()
    assert clock.slept == []


@pytest.mark.parametrize("per_second", [0.0, -1.0, float("nan")])
def test_a_rate_is_positive(per_second: float) -> None:
    with pytest.raises(ValueError, match="per_second"):
        RateLimiter(per_second)


# -- what is told ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", [truncated(GOOD), reply(b""), reply(b"<html>"), reply(b"\xff\xfe"), reply(b"[" * 99999)]
)
def test_what_is_not_json_is_said(vendor: FakeVendor, bad: Any) -> None:
    vendor.answer("/quote", bad)
    with client(vendor) as rest, pytest.raises(BrokerError, match="Vendor /quote: the answer is not JSON"):
        rest.json("GET", "/quote")


@pytest.mark.parametrize("status", [401, 403])
def test_an_ended_session_is_told_apart(vendor: FakeVendor, status: int) -> None:
    vendor.answer("/quote", reply({"message": "expired"}, status))
    with client(vendor) as rest, pytest.raises(LoginNeededError, match="log in again"):
        rest.json("GET", "/quote")


def test_a_status_the_adapter_reads_itself(vendor: FakeVendor) -> None:
    vendor.answer("/quote", reply({"stat": "Not_Ok"}, 400))
    with client(vendor) as rest:
        assert rest.send("GET", "/quote", accept=(400,)).json() == {"stat": "Not_Ok"}


def test_a_vendor_that_repeats_a_secret_does_not_make_us_tell_it(
    vendor: FakeVendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = Secret("s3cr3t-token")
    vendor.answer("/quote", lambda call: reply({"you_sent": call.headers["authorization"]}, 400))
    headers = {"Authorization": f"Bearer {token.reveal()}"}
    with client(vendor) as rest:
        rest.hide(token, None)
        with pytest.raises(BrokerError) as caught:
            rest.json("GET", "/quote", headers=headers)
    assert "Bearer ***" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    told_by_us = [record.getMessage() for record in caplog.records if record.name.startswith(("httpx", "brokers"))]
    assert not any("s3cr3t" in line for line in told_by_us)


def test_a_secret_is_struck_out_whole_and_in_whatever_writing(vendor: FakeVendor) -> None:
    with client(vendor) as rest:
        rest.hide(Secret("1234"))
        rest.hide(Secret("token-1234-REST"), Secret("a/b+c=="), Secret('quo"te'), Secret("tökén"))
        assert rest.redact("sent token-1234-REST and 1234") == "sent *** and ***"
        assert rest.redact(r'{"token": "a\/b+c==", "at": "a%2Fb%2Bc%3D%3D"}') == '{"token": "***", "at": "***"}'
        assert rest.redact(json.dumps(['quo"te', "tökén"])) == '["***", "***"]'


NEW = {"token": "a-token-nobody-knows-yet"}


@pytest.mark.parametrize("bad", [truncated(NEW), reply(json.dumps(NEW).encode() + b"<!-- cdn -->"), reply(NEW, 500)])
@pytest.mark.parametrize("status", [None, 403])
def test_the_answer_to_a_login_is_not_quoted(vendor: FakeVendor, bad: Any, status: int | None) -> None:
    vendor.answer("/login", bad if status is None else replace(bad, status=status))
    with client(vendor) as rest, pytest.raises(BrokerError) as caught:
        rest.json("POST", "/login", repeatable=False, secret=True)
    assert "a-token" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None
    with client(vendor) as rest, pytest.raises(BrokerError, match="a-token"):
        rest.json("POST", "/login", repeatable=False)


@pytest.mark.parametrize("pasted", ["two\nlines-of-a-token", "tökén-hush"])
def test_a_token_that_http_cannot_carry_is_not_told(vendor: FakeVendor, pasted: str) -> None:
    headers = {"Authorization": f"Bearer {pasted}"}
    with client(vendor) as rest, pytest.raises(BrokerError, match="characters that HTTP does not allow") as caught:
        rest.json("GET", "/quote", headers=headers)
    told = "".join(traceback.format_exception(caught.value))
    assert "lines-of-a-token" not in told
    assert "hush" not in told
    assert vendor.calls == []


def test_a_long_answer_is_quoted_in_part(vendor: FakeVendor) -> None:
    vendor.answer("/quote", reply(b"x" * 5000, 500))
    with client(vendor) as rest, pytest.raises(BrokerError) as caught:
        rest.json("GET", "/quote")
    assert len(str(caught.value)) < 500


def test_a_secret_does_not_print() -> None:
    secret = Secret("  hunter2 ")
    assert secret.reveal() == "hunter2"
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {secret!s:>10}"
    assert Secret(secret).reveal() == "hunter2"
    assert not Secret("")


def test_secrets_from_the_environment() -> None:
    found = secret_in({"TOKEN": "abc", "BLANK": " "}, "TOKEN")
    assert found is not None
    assert found.reveal() == "abc"
    assert secret_in({"BLANK": " "}, "BLANK") is None
    assert secret_in({}, "TOKEN") is None


@pytest.mark.parametrize(
    "url", ["http://api.shoonya.com", "http://10.0.0.1:5000", "ftp://127.0.0.1", "api.shoonya.com"]
)
def test_secrets_never_travel_in_the_clear(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        RestClient("Vendor", url)


@pytest.mark.parametrize(
    "url", ["https://api.shoonya.com", "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"]
)
def test_plain_http_stays_on_this_machine(url: str) -> None:
    RestClient("Vendor", url).close()


# -- many questions --------------------------------------------------------------------------------------------------


def test_answers_come_in_order_and_each_question_is_asked_once() -> None:
    asked: list[int] = []

    def ask(question: int) -> int:
        asked.append(question)
        return question * 10

    assert ask_all([3, 1, 3, 2], ask, max_workers=3) == [30, 10, 30, 20]
    assert sorted(asked) == [1, 2, 3]
    assert ask_all([], ask) == []


def test_a_failed_question_loses_none_of_the_others() -> None:
    def ask(question: int) -> int:
        if question == 2:
            raise BrokerError("no answer in time")
        return question

    first, second, third = ask_all([1, 2, 3], ask)
    assert (first, third) == (1, 3)
    assert second == Missing("failed: no answer in time", Why.FAILED)


def test_if_all_fail_it_is_an_error() -> None:
    def ask(question: int) -> int:
        raise BrokerError(f"down at {question}")

    with pytest.raises(BrokerError, match="down at"):
        ask_all([1, 2, 3], ask)


def test_a_broker_that_went_down_half_way_is_left_alone() -> None:
    asked: list[int] = []

    def ask(question: int) -> int:
        asked.append(question)
        if question >= 10:
            raise OutOfReachError("down")
        return question

    answers = ask_all(range(1000), ask, max_workers=1, patience=5)
    assert answers[:10] == list(range(10))
    assert all(isinstance(answer, Missing) and answer.why is Why.FAILED for answer in answers[10:])
    assert len(asked) == 15


def test_a_broker_that_refuses_some_questions_is_asked_the_others() -> None:
    def ask(question: int) -> int:
        if question < 50:
            raise BrokerError("unknown token")
        return question

    answers = ask_all(range(100), ask, max_workers=1)
    assert answers[50:] == list(range(50, 100))


def test_after_an_ended_session_nothing_more_is_asked() -> None:
    asked: list[int] = []

    def ask(question: int) -> int:
        asked.append(question)
        raise LoginNeededError("log in again")

    with pytest.raises(LoginNeededError):
        ask_all(range(100), ask, max_workers=1)
    assert asked == [0]


def test_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        ask_all([1, 0], lambda question: 1 // question)


# -- small readers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "read"),
    [("101.50", 101.5), ("0.00", 0.0), (7, 7.0), ("-3", -3.0), (" 2 ", 2.0)]
    + [(bad, None) for bad in ("", "nan", "inf", "1e999", None, True, "abc", [], "1,5", 10**400)],
)
def test_numbers(value: Any, read: float | None) -> None:
    assert number(value) == read


def test_a_zero_from_a_vendor_is_none() -> None:
    assert positive("0.00") is None
    assert positive("-1") is None
    assert positive("0.05") == 0.05


DAYS = st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=40)


@given(DAYS, st.integers(1, 30))
def test_ranges_cover_every_day_and_none_is_too_long(days: list[date], longest: int) -> None:
    ranges = day_ranges(days, longest)
    assert all(1 <= (last - first).days + 1 <= longest for first, last in ranges)
    assert all(sum(first <= day <= last for first, last in ranges) == 1 for day in days)
    assert ranges == sorted(ranges)


# -- fills -----------------------------------------------------------------------------------------------------------

NIFTY = Index("NIFTY")
CALL = Option(NIFTY, date(2026, 11, 24), Right.CALL, 26000.0)
PUT = Option(NIFTY, date(2026, 11, 24), Right.PUT, 26000.0)


def trade(order_id: str, quantity: float, price: float, instrument: Any = CALL) -> BrokerTrade:
    return BrokerTrade("t", order_id, "", instrument, "buy", quantity, price, None)


def fill_of(*keys: str) -> FillOf:
    return FillOf(CALL, "", "entry", datetime(2026, 11, 20), keys)


def test_slices_are_weighted_by_quantity() -> None:
    book = {"1": [trade("1", 75, 100.0), trade("1", 150, 103.0)], "2": [trade("2", 75, 104.0)]}
    assert fill_from_trades(fill_of("1", "2"), book, "Vendor") == Price(
        102.5, "Vendor", PriceKind.FILL, None, quantity=300.0
    )


def test_the_other_legs_of_the_trade_are_left_out() -> None:
    book = {"1": [trade("1", 75, 100.0)], "2": [trade("2", 75, 50.0, PUT)]}
    answer = fill_from_trades(fill_of("1", "2"), book, "Vendor")
    assert isinstance(answer, Price)
    assert (answer.value, answer.quantity) == (100.0, 75.0)


def test_a_forked_id_stands_for_its_order() -> None:
    answer = fill_from_trades(fill_of("1F2"), {"1": [trade("1", 75, 100.0)]}, "Vendor")
    assert isinstance(answer, Price)


@pytest.mark.parametrize("keys", [(), ("9",), ("1", "9"), ("2",)])
def test_a_part_is_never_told_for_the_whole(keys: tuple[str, ...]) -> None:
    book = {"1": [trade("1", 75, 100.0)], "2": [trade("2", 75, 50.0, PUT)]}
    assert isinstance(fill_from_trades(fill_of(*keys), book, "Vendor"), Missing)


def test_a_multiplier_of_the_row_makes_no_other_contract() -> None:
    assert same_contract(CALL, Option(NIFTY, date(2026, 11, 24), Right.CALL, 26000.0, multiplier=75.0))
    assert not same_contract(CALL, PUT)
    assert not same_contract(CALL, NIFTY)
    assert not same_contract(CALL, None)


def test_both_directions_are_no_one_side_of_a_trade() -> None:
    back = replace(trade("2", 75.0, 110.0), direction="sell")
    answer = fill_from_trades(fill_of("1", "2"), {"1": [trade("1", 75.0, 100.0)], "2": [back]}, "x")
    assert isinstance(answer, Missing)
    assert "both bought and sold" in answer.reason
