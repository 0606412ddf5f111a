"""Who is asked for what, in which order, and what becomes of a source that fails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from attribution import calculate_attribution_for_trade, calculate_attribution_for_trades
from attribution.market.given import market_of
from attribution.market.quotes import Answer, CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf, Why
from attribution.market.source import Market, merge_missing
from attribution.symbols import parse_symbol
from tests.market.recorded import RecordedBroker

KOLKATA = ZoneInfo("Asia/Kolkata")
NIFTY, BANKNIFTY = parse_symbol("NIFTY_IND___"), parse_symbol("BANKNIFTY_IND___")
CALL_TEXT = "NIFTY_OPT_20250130_CALL_23500"
PUT_TEXT = "NIFTY_OPT_20250130_PUT_23500"
CALL = parse_symbol(CALL_TEXT)
TEN = datetime(2025, 1, 27, 10, 0, tzinfo=KOLKATA)
FOURTEEN = datetime(2025, 1, 27, 14, 0, tzinfo=KOLKATA)
MONDAY = date(2025, 1, 27)
WHERE = [PriceAt(NIFTY, TEN), PriceAt(BANKNIFTY, TEN)]


def recorded(name: str, **values: Any) -> RecordedBroker:
    return RecordedBroker(name=name, **values)


# One chain


def test_the_first_that_knows_is_believed() -> None:
    first = recorded("first", prices={("NIFTY_IND___", TEN): 1.0})
    second = recorded("second", prices={("NIFTY_IND___", TEN): 2.0, ("BANKNIFTY_IND___", TEN): 3.0})
    answers = Market(price_sources=(first, second)).prices_at(WHERE)
    assert [(a.value, a.source) for a in answers if isinstance(a, Price)] == [(1.0, "first"), (3.0, "second")]


def test_the_next_is_asked_only_what_is_still_open() -> None:
    first = recorded("first", prices={("NIFTY_IND___", TEN): 1.0})
    second = recorded("second")
    Market(price_sources=(first, second)).prices_at(WHERE)
    assert first.asked == WHERE
    assert second.asked == [PriceAt(BANKNIFTY, TEN)]


def test_nobody_is_asked_nothing() -> None:
    first = recorded("first", prices={("NIFTY_IND___", TEN): 1.0})
    second = recorded("second")
    Market(price_sources=(first, second)).prices_at(WHERE[:1])
    assert second.asked == []


def test_all_absences_are_told() -> None:
    market = Market(price_sources=(recorded("first"), recorded("second")))
    (answer,) = market.prices_at(WHERE[:1])
    assert isinstance(answer, Missing)
    assert answer.why is Why.UNKNOWN
    assert answer.reason.index("first: nothing recorded") < answer.reason.index("second: nothing recorded")


@pytest.mark.parametrize(
    ("method", "question", "what"),
    [
        ("prices_at", PriceAt(NIFTY, TEN), "prices at instants"),
        ("closes", CloseOf(NIFTY, MONDAY), "session closes"),
        ("quotes", QuoteOf(NIFTY, TEN), "current marks"),
        ("fills", FillOf(CALL, CALL_TEXT, "entry", TEN), "leg fills"),
        ("stated_fills", FillOf(CALL, CALL_TEXT, "exit", TEN), "stated exit prices"),
    ],
)
def test_without_a_source_the_answer_says_so(method: str, question: Any, what: str) -> None:
    assert getattr(Market(), method)([question]) == [Missing(f"no source of {what} was given", Why.NO_SOURCE)]


@pytest.mark.parametrize("method", ["prices_at", "closes", "quotes", "fills"])
def test_a_broker_that_fails_is_named_and_the_next_is_asked(method: str) -> None:
    question: Any = {
        "prices_at": PriceAt(NIFTY, TEN),
        "closes": CloseOf(NIFTY, MONDAY),
        "quotes": QuoteOf(NIFTY, TEN),
        "fills": FillOf(CALL, CALL_TEXT, "entry", TEN),
    }[method]
    broken = recorded("broken", fails=method)
    alone = Market().with_broker(broken)
    (answer,) = getattr(alone, method)([question])
    assert isinstance(answer, Missing)
    assert answer.why is Why.FAILED
    assert answer.reason == f"broken: failed: {method}: connection refused"

    rescue = recorded(
        "rescue",
        prices={("NIFTY_IND___", TEN): 5.0},
        closes={("NIFTY_IND___", MONDAY): 5.0},
        quotes={"NIFTY_IND___": 5.0},
        fills={(CALL_TEXT, "entry"): 5.0},
    )
    (answer,) = getattr(alone.with_broker(rescue), method)([question])
    assert isinstance(answer, Price)
    assert (answer.value, answer.source) == (5.0, "rescue")


def test_an_outage_stays_graver_than_an_absence() -> None:
    market = Market(price_sources=(recorded("broken", fails="prices_at"), recorded("empty")))
    (answer,) = market.prices_at(WHERE[:1])
    assert isinstance(answer, Missing)
    assert answer.why is Why.FAILED
    assert "broken: failed" in answer.reason
    assert "empty: nothing recorded" in answer.reason


class Miscounting:
    """Answers with one answer too few or too many."""

    name = "miscounting"

    def __init__(self, surplus: int) -> None:
        self.surplus = surplus

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        return [Price(1.0, self.name, PriceKind.GIVEN)] * (len(wanted) + self.surplus)


@pytest.mark.parametrize("surplus", [-1, 1])
def test_a_wrong_number_of_answers_is_a_failure_not_a_guess(surplus: int) -> None:
    # Which answer belongs to which question is no longer known: none may be used.
    answers = Market(price_sources=(Miscounting(surplus),)).prices_at(WHERE)
    for answer in answers:
        assert isinstance(answer, Missing)
        assert answer.why is Why.FAILED
        assert f"miscounting: failed: {2 + surplus} answers to 2 questions" in answer.reason


class Buggy(RecordedBroker):
    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        raise TypeError("a bug in the broker")


def test_a_bug_in_a_broker_is_raised() -> None:
    with pytest.raises(TypeError, match="a bug in the broker"):
        Market().with_broker(Buggy()).prices_at(WHERE)


def test_merged_absences_keep_the_graver_cause() -> None:
    failed, unknown, nobody = Missing("f", Why.FAILED), Missing("u"), Missing("n", Why.NO_SOURCE)
    assert merge_missing(unknown, failed) == Missing("u; f", Why.FAILED)
    assert merge_missing(failed, unknown) == Missing("f; u", Why.FAILED)
    # A reason that was told already is not told again.
    assert merge_missing(unknown, unknown) == Missing("u", Why.UNKNOWN)
    # Somebody was asked: that there is nobody else is no news.
    assert merge_missing(nobody, unknown) == unknown
    assert merge_missing(unknown, nobody) == unknown


# The market of a call


def names(sources: Sequence[Any]) -> list[str]:
    return [source.name for source in sources]


def test_the_callers_own_prices_come_before_the_broker() -> None:
    market = market_of(recorded("broker"), {("NIFTY", "2025-01-27"): 1.0}, {CALL_TEXT: (1.0, 2.0)}, {})
    assert names(market.price_sources) == ["spot_prices", "broker"]
    assert names(market.close_sources) == ["historical_cache", "spot_prices", "broker"]
    assert names(market.quote_sources) == ["spot_prices", "broker"]
    assert names(market.fill_sources) == ["leg_prices", "spot_prices", "broker"]
    # An order id finds an exit only after the exit: the broker states no marks by way of fills.
    assert names(market.stated_fill_sources) == ["leg_prices"]


def test_a_callable_knows_underlyings_at_instants_and_closes() -> None:
    market = market_of(None, lambda symbol, exchange, when: 1.0)
    assert names(market.price_sources) == names(market.close_sources) == ["spot_prices"]
    assert (market.quote_sources, market.fill_sources) == ((), ())


def test_an_empty_dict_is_a_source_that_knows_nothing() -> None:
    market = market_of(None, {}, {}, {})
    for answers in (
        market.prices_at([PriceAt(NIFTY, TEN)]),
        market.fills([FillOf(CALL, CALL_TEXT, "entry", TEN)]),
        market.closes([CloseOf(NIFTY, MONDAY)]),
    ):
        assert isinstance(answers[0], Missing)
        assert answers[0].why is Why.UNKNOWN


class HalfABroker:
    name = "half"

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        return []


@pytest.mark.parametrize(
    ("broker", "lacking"),
    [(HalfABroker(), "lacks closes, quotes, fills"), (object(), "lacks name, prices_at, closes, quotes, fills")],
)
def test_what_is_no_broker_is_a_type_error(broker: Any, lacking: str) -> None:
    row = {"symbol": "TCS_STK___", "entry_time": "2025-01-27 10:00", "entry_quantity": 1}
    with pytest.raises(TypeError, match=lacking):
        calculate_attribution_for_trade(row, broker)
    with pytest.raises(TypeError, match=lacking):
        calculate_attribution_for_trades([], broker)


# Each distinct question once, over all rows


def straddle(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": f"{CALL_TEXT}?-1:{PUT_TEXT}?-1",
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-27 14:00",
        "entry_quantity": 75,
        **changes,
    }


def test_many_rows_ask_each_distinct_question_once() -> None:
    broker = recorded(
        "broker",
        prices={("NIFTY_IND___", TEN): 23400.0, ("NIFTY_IND___", FOURTEEN): 23350.0},
        fills={
            (CALL_TEXT, "entry"): 120.0,
            (CALL_TEXT, "exit"): 100.0,
            (PUT_TEXT, "entry"): 210.0,
            (PUT_TEXT, "exit"): 225.0,
        },
    )
    results = calculate_attribution_for_trades([straddle(), straddle(entry_quantity=150), straddle()], broker)
    assert [result["status"] for result in results] == ["ok", "ok", "ok"]
    assert [result["pnl"] for result in results] == [75 * 5.0, 150 * 5.0, 75 * 5.0]
    assert len(broker.asked) == len(set(broker.asked))
    asked_fills = [ask for ask in broker.asked if isinstance(ask, FillOf)]
    assert {(ask.symbol, ask.side) for ask in asked_fills} == {
        (CALL_TEXT, "entry"),
        (CALL_TEXT, "exit"),
        (PUT_TEXT, "entry"),
        (PUT_TEXT, "exit"),
    }


def test_fills_of_other_orders_are_other_questions() -> None:
    broker = recorded("broker", fills={(CALL_TEXT, "entry"): 120.0})
    rows = [straddle(entry_keys="a"), straddle(entry_keys="b")]
    calculate_attribution_for_trades(rows, broker)
    keys = {ask.keys for ask in broker.asked if isinstance(ask, FillOf) and ask.side == "entry"}
    assert keys == {("a",), ("b",)}


def test_what_the_caller_gave_is_not_asked_of_the_broker() -> None:
    broker = recorded("broker")
    result = calculate_attribution_for_trade(
        straddle(),
        broker,
        spot_prices={
            ("NIFTY", "2025-01-27 10:00"): (23400.0, 23460.0),
            ("NIFTY", "2025-01-27 14:00"): (23350.0, 23400.0),
        },
        leg_prices={CALL_TEXT: (120.0, 100.0), PUT_TEXT: (180.0, 195.0)},
    )
    assert result["status"] == "ok"
    assert broker.asked == []


def test_a_failed_broker_reaches_the_result_by_name() -> None:
    broker = recorded(
        "acme",
        fails="prices_at",
        fills={
            (CALL_TEXT, "entry"): 120.0,
            (CALL_TEXT, "exit"): 100.0,
            (PUT_TEXT, "entry"): 180.0,
            (PUT_TEXT, "exit"): 195.0,
        },
    )
    result = calculate_attribution_for_trade(straddle(), broker)
    assert result["status"] == "source_failed"
    assert "acme: failed: prices_at: connection refused" in result["reason"]
    assert "NIFTY_IND___ at 2025-01-27 10:00:00" in result["reason"]


def test_futures_are_asked_for_where_somebody_could_know_them() -> None:
    spots = {("NIFTY_IND___", "NSE", "2025-01-27"): 100.0}
    assert not market_of(None, spots).asks_forwards
    assert market_of(None, {("NIFTY_IND___", "NSE", "2025-01-27"): (100.0, 101.0)}).asks_forwards
    assert market_of(None, lambda *_: 100.0).asks_forwards
    assert market_of(recorded("broker"), spots).asks_forwards
