"""Look-up of a price in what the caller gave: the exact instant, the date, the only key, or a reason."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from attribution import UnderlyingPrice
from attribution.errors import TradeError
from attribution.instruments import Instrument
from attribution.market.fixed import CloseTable, LegPriceFunction, LegPriceTable, PriceFunction, PriceTable
from attribution.market.quotes import Answer, CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf, Why
from attribution.symbols import parse_symbol

KOLKATA = ZoneInfo("Asia/Kolkata")
NIFTY = parse_symbol("NIFTY_IND___")
FUTURE = parse_symbol("NIFTY_FUT_20250130__")
CALL = parse_symbol("NIFTY_OPT_20250130_CALL_23500")
MONDAY = date(2025, 1, 27)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KOLKATA)


TEN = at("2025-01-27 10:00")


def lookup(prices: Any, when: datetime = TEN, instrument: Instrument = NIFTY) -> Answer:
    (answer,) = PriceTable(prices).prices_at([PriceAt(instrument, when)])
    return answer


def value_of(answer: Answer) -> float:
    assert isinstance(answer, Price), answer
    return answer.value


# The rule


def test_the_exact_instant_wins_over_all() -> None:
    answer = lookup(
        {
            ("NIFTY", "2025-01-27"): 1.0,
            ("NIFTY", "2025-01-27 09:59"): 2.0,
            ("NIFTY", "2025-01-27 10:00"): 23400.0,
        }
    )
    assert answer == Price(23400.0, "spot_prices", PriceKind.GIVEN, TEN)


@pytest.mark.parametrize(
    "key", [MONDAY, "2025-01-27", "2025-01-27 00:00", datetime(2025, 1, 27), pd.Timestamp("2025-01-27")]
)
def test_a_date_or_midnight_key_stands_for_its_date(key: object) -> None:
    answer = lookup({("NIFTY", key): 23400.0, ("NIFTY", "2025-01-27 09:20"): 1.0, ("NIFTY", "2025-01-27 15:20"): 2.0})
    assert answer == Price(23400.0, "spot_prices", PriceKind.DAILY, at("2025-01-27 00:00"))


def test_the_only_key_of_a_date_stands_for_it() -> None:
    answer = lookup({("NIFTY", "2025-01-27 09:20"): 23400.0, ("NIFTY", "2025-01-28 09:20"): 1.0})
    # DAILY, not GIVEN: who reads it must know that it is not of the instant asked.
    assert answer == Price(23400.0, "spot_prices", PriceKind.DAILY, at("2025-01-27 09:20"))


def test_several_candidates_are_missing_and_say_so() -> None:
    answer = lookup({("NIFTY", "2025-01-27 09:20"): 1.0, ("NIFTY", "2025-01-27 15:20"): 2.0})
    assert isinstance(answer, Missing)
    assert answer.why is Why.UNKNOWN
    assert answer.reason == "2 prices of NIFTY_IND___ on NSE on 2025-01-27, none of them at 10:00:00"


def test_the_key_of_another_date_is_none() -> None:
    answer = lookup({("NIFTY", "2025-01-28"): 23400.0})
    assert answer == Missing("no price of NIFTY_IND___ on NSE at 2025-01-27 10:00:00")


def test_the_date_of_a_key_is_that_of_the_exchange() -> None:
    # 20:00 UTC on Sunday is 01:30 on Monday in Kolkata.
    answer = lookup({("NIFTY", datetime(2025, 1, 26, 20, 0, tzinfo=UTC)): 23400.0})
    assert answer == Price(23400.0, "spot_prices", PriceKind.DAILY, at("2025-01-27 01:30"))


def test_an_instant_of_another_zone_is_exact() -> None:
    answer = lookup({("NIFTY", datetime(2025, 1, 27, 4, 30, tzinfo=UTC)): 23400.0})
    assert answer == Price(23400.0, "spot_prices", PriceKind.GIVEN, TEN)


def test_the_last_of_equal_keys_holds() -> None:
    rows = [("NIFTY", "2025-01-27 10:00", 1.0), ("NIFTY", "2025-01-27 10:00:00", 23400.0)]
    assert value_of(lookup(rows)) == 23400.0
    # And one instant stays one candidate of its date.
    assert value_of(lookup(rows, at("2025-01-27 11:00"))) == 23400.0


# Keys


@pytest.mark.parametrize("symbol", ["NIFTY_IND___", "NIFTY", "Nifty 50", "nifty"])
@pytest.mark.parametrize("exchange", ["NSE", "NFO", "nse", "NSE_INDEX", None])
def test_spellings_of_an_underlying(symbol: str, exchange: str | None) -> None:
    assert value_of(lookup({(symbol, exchange, "2025-01-27 10:00"): 23400.0})) == 23400.0


@pytest.mark.parametrize("symbol", ["NIFTY_FUT_20250130__", "NIFTY_FUT_20250130___"])
def test_a_future_may_have_a_third_underscore(symbol: str) -> None:
    assert value_of(lookup({(symbol, "NFO", "2025-01-27 10:00"): 23460.0}, instrument=FUTURE)) == 23460.0


def test_another_exchange_is_another_price() -> None:
    tcs = parse_symbol("TCS_STK___", exchange="BSE")
    rows = [("TCS_STK___", "NSE", "2025-01-27 10:00", 4000.0), ("TCS_STK___", "BSE", "2025-01-27 10:00", 4001.0)]
    assert value_of(lookup(rows, instrument=tcs)) == 4001.0
    assert isinstance(lookup(rows[:1], instrument=tcs), Missing)


def test_a_key_without_exchange_serves_every_exchange() -> None:
    prices = {("TCS_STK___", "2025-01-27 10:00"): 4000.0}
    assert value_of(lookup(prices, instrument=parse_symbol("TCS_STK___"))) == 4000.0
    assert value_of(lookup(prices, instrument=parse_symbol("TCS_STK___", exchange="BSE"))) == 4000.0


def test_a_us_key_is_read_on_new_york_time() -> None:
    prices = {("SPX_IND___", "US", "2025-01-27 10:00"): 6000.0}
    ten = datetime(2025, 1, 27, 10, 0, tzinfo=ZoneInfo("America/New_York"))
    assert value_of(lookup(prices, ten, parse_symbol("SPX_IND___", exchange="US"))) == 6000.0


def test_a_key_nobody_can_read_harms_no_other() -> None:
    prices = {("NIFTY 25 JAN FUT?", "NSE", "2025-01-27 10:00"): 1.0, ("NIFTY", "2025-01-27 10:00"): 23400.0}
    assert value_of(lookup(prices)) == 23400.0


@pytest.mark.parametrize(
    "prices",
    [
        pytest.param({"NIFTY": 23400.0}, id="no-time"),
        pytest.param({("NIFTY", "NSE", "2025-01-27", "10:00"): 23400.0}, id="four-in-the-key"),
        pytest.param([("NIFTY", 23400.0)], id="two-in-the-row"),
        pytest.param({(7, "2025-01-27"): 23400.0}, id="symbol-not-text"),
        pytest.param({("NIFTY", "LSE", "2025-01-27"): 23400.0}, id="no-such-exchange"),
        pytest.param({("NIFTY", "NSE", "27-01-2025"): 23400.0}, id="time-not-read"),
        pytest.param({("NIFTY", "NSE", pd.NaT): 23400.0}, id="no-time-at-all"),
    ],
)
def test_a_key_of_the_wrong_shape_names_the_argument(prices: Any) -> None:
    with pytest.raises(TradeError) as caught:
        PriceTable(prices)
    assert caught.value.field == "spot_prices"


# Values


@pytest.mark.parametrize("value", [23400, 23400.0, np.float64(23400), "23400", UnderlyingPrice(23400.0)])
def test_numbers_of_any_kind(value: Any) -> None:
    assert value_of(lookup({("NIFTY", "2025-01-27 10:00"): value})) == 23400.0


@pytest.mark.parametrize("value", [None, math.nan, pd.NA, (None, 23460.0), {"spot": math.nan, "forward": 23460.0}])
def test_a_price_that_holds_nothing_is_not_known(value: Any) -> None:
    answer = lookup({("NIFTY", "2025-01-27 10:00"): value})
    assert answer == Missing("NIFTY_IND___ at 2025-01-27 10:00:00 is given as NaN or None")


@pytest.mark.parametrize("value", ["abc", math.inf, [23400.0], (1.0, 2.0, 3.0), {"forward": 1.0}, {"spot": "abc"}])
def test_a_price_of_the_wrong_kind_names_the_argument(value: Any) -> None:
    with pytest.raises(TradeError) as caught:
        lookup({("NIFTY", "2025-01-27 10:00"): value})
    assert caught.value.field == "spot_prices[NIFTY_IND___ at 2025-01-27 10:00:00]"


WITH_FORWARD = [
    pytest.param((23400.0, 23460.0), id="pair"),
    pytest.param({"spot": 23400.0, "forward": 23460.0}, id="mapping"),
    pytest.param(UnderlyingPrice(23400.0, 23460.0), id="named"),
    pytest.param(UnderlyingPrice(23400.0, {date(2025, 1, 30): 23460.0}), id="by-date"),
    pytest.param(UnderlyingPrice(23400.0, {"20250130": 23460.0, "20250227": 23600.0}), id="by-digits"),
    pytest.param({"spot": 23400.0, "forward": {"2025-01-30": 23460.0}}, id="by-iso-text"),
]


@pytest.mark.parametrize("value", WITH_FORWARD)
def test_a_forward_beside_the_spot(value: Any) -> None:
    prices = {("NIFTY", "2025-01-27 10:00"): value}
    assert value_of(lookup(prices)) == 23400.0
    assert lookup(prices, instrument=FUTURE) == Price(23460.0, "spot_prices", PriceKind.GIVEN, TEN)


@pytest.mark.parametrize("value", WITH_FORWARD)
def test_a_forward_beside_a_daily_spot_is_daily(value: Any) -> None:
    answer = lookup({("NIFTY", "2025-01-27"): value}, instrument=FUTURE)
    assert answer == Price(23460.0, "spot_prices", PriceKind.DAILY, at("2025-01-27 00:00"))


@pytest.mark.parametrize(
    "value",
    [
        23400.0,
        (23400.0, None),
        UnderlyingPrice(23400.0, math.nan),
        UnderlyingPrice(23400.0, {"20250227": 23600.0}),
        UnderlyingPrice(23400.0, {}),
    ],
)
def test_no_forward_of_that_expiry_is_missing_never_the_spot(value: Any) -> None:
    answer = lookup({("NIFTY", "2025-01-27 10:00"): value}, instrument=FUTURE)
    assert isinstance(answer, Missing)
    assert "NIFTY_FUT_20250130__" in answer.reason


def test_the_futures_own_price_wins_over_a_forward_beside_the_spot() -> None:
    prices = {("NIFTY", "2025-01-27 10:00"): (23400.0, 1.0), ("NIFTY_FUT_20250130__", "2025-01-27 10:00"): 23460.0}
    assert value_of(lookup(prices, instrument=FUTURE)) == 23460.0


def test_the_future_of_another_month_is_no_forward() -> None:
    answer = lookup({("NIFTY_FUT_20250227__", "2025-01-27 10:00"): 23600.0}, instrument=FUTURE)
    assert isinstance(answer, Missing)


# Closes, marks and fills from a table of instants


def close_in(prices: Any, instrument: Instrument = NIFTY) -> Answer:
    (answer,) = PriceTable(prices).closes([CloseOf(instrument, MONDAY)])
    return answer


def test_a_price_at_the_instant_of_the_close_is_a_close() -> None:
    close = at("2025-01-27 15:30")
    prices = {("NIFTY", "2025-01-27 15:30"): 23350.0, ("NIFTY", "2025-01-27 10:00"): 1.0}
    assert close_in(prices) == Price(23350.0, "spot_prices", PriceKind.CLOSE, close)


def test_a_date_key_is_a_close() -> None:
    assert value_of(close_in({("NIFTY", MONDAY): 23350.0})) == 23350.0


def test_the_only_key_of_a_date_is_no_close() -> None:
    # A print at ten is not what the exchange publishes in the evening.
    assert close_in({("NIFTY", "2025-01-27 10:00"): 23400.0}) == Missing("no close of NIFTY_IND___ on 2025-01-27")


@pytest.mark.parametrize("key", ["2025-01-27", "2025-01-27 10:01", "2025-01-27 09:59"])
def test_marks_and_fills_are_taken_at_the_exact_instant_only(key: str) -> None:
    table = PriceTable({("NIFTY_OPT_20250130_CALL_23500", key): 120.0})
    (quote,) = table.quotes([QuoteOf(CALL, TEN)])
    (fill,) = table.fills([FillOf(CALL, "NIFTY_OPT_20250130_CALL_23500", "entry", TEN)])
    assert isinstance(quote, Missing)
    assert isinstance(fill, Missing)
    assert "at exactly 2025-01-27 10:00:00" in quote.reason


# The callable


def test_a_callable_is_asked_once_per_distinct_question() -> None:
    calls: list[tuple[str, str, datetime]] = []

    def spot(symbol: str, exchange: str, when: datetime) -> tuple[float, float]:
        calls.append((symbol, exchange, when))
        return (23400.0, 23460.0)

    source = PriceFunction(spot)
    answers = source.prices_at([PriceAt(NIFTY, TEN), PriceAt(FUTURE, TEN), PriceAt(NIFTY, TEN)])
    assert [value_of(answer) for answer in answers] == [23400.0, 23460.0, 23400.0]
    assert calls == [("NIFTY_IND___", "NSE", TEN)]


@pytest.mark.parametrize("error", [KeyError("x"), IndexError("x"), OSError("down"), ValueError("x"), TimeoutError()])
def test_a_callable_that_could_not_answer_has_failed(error: Exception) -> None:
    def spot(symbol: str, exchange: str, when: datetime) -> float:
        raise error

    (answer,) = PriceFunction(spot).prices_at([PriceAt(NIFTY, TEN)])
    assert isinstance(answer, Missing)
    assert answer.why is Why.FAILED
    assert repr(error) in answer.reason
    assert "NIFTY_IND___ on NSE at 2025-01-27 10:00:00" in answer.reason


@pytest.mark.parametrize("error", [TypeError, AttributeError, ZeroDivisionError, NameError])
def test_a_bug_in_a_callable_is_raised(error: type[Exception]) -> None:
    def spot(symbol: str, exchange: str, when: datetime) -> float:
        raise error("a bug")

    with pytest.raises(error, match="a bug"):
        PriceFunction(spot).prices_at([PriceAt(NIFTY, TEN)])


@pytest.mark.parametrize("value", ["abc", math.inf, (1.0, 2.0, 3.0)])
def test_a_callable_that_returns_no_price_is_told_so(value: Any) -> None:
    with pytest.raises(TradeError, match="spot_prices="):
        PriceFunction(lambda *question: value).prices_at([PriceAt(NIFTY, TEN)])


@pytest.mark.parametrize("first", [None, math.nan, OSError("down")])
def test_a_miss_is_not_remembered_for_ever(first: Any) -> None:
    # A source that is built once and serves many calls: the price may be there the next time.
    replies = iter([first, 23400.0])

    def spot(symbol: str, exchange: str, when: datetime) -> float:
        reply = next(replies)
        if isinstance(reply, Exception):
            raise reply
        return reply

    source = PriceFunction(spot)
    assert isinstance(source.prices_at([PriceAt(NIFTY, TEN)])[0], Missing)
    assert value_of(source.prices_at([PriceAt(NIFTY, TEN)])[0]) == 23400.0


# Leg prices


def leg_fill(source: LegPriceTable | LegPriceFunction, symbol: str, side: Any = "entry") -> Answer:
    (answer,) = source.fills([FillOf(parse_symbol(symbol), symbol, side, TEN)])
    return answer


def test_a_leg_is_found_under_any_spelling_of_its_symbol() -> None:
    table = LegPriceTable({"NIFTY_opt_20250130_call_23500.0": (120.0, 99.0)})
    assert value_of(leg_fill(table, "NIFTY_OPT_20250130_CALL_23500")) == 120.0
    assert value_of(leg_fill(table, "NIFTY_OPT_20250130_CALL_23500", "exit")) == 99.0


def test_an_occ_leg_is_found_padded_or_not() -> None:
    table = LegPriceTable({"SPY   250131C00600000": (5.0, 8.0)})
    assert value_of(leg_fill(table, "SPY250131C00600000")) == 5.0


@pytest.mark.parametrize(
    "prices",
    [
        pytest.param({"A_STK___": {"entry": 1.0, "close": 2.0}}, id="unknown-key"),
        pytest.param({"A_STK___": (1.0,)}, id="one-value"),
        pytest.param({"A_STK___": 1.0}, id="a-number"),
        pytest.param({"A_STK___": "12"}, id="text-of-two"),
        pytest.param({"A_STK___": ("abc", 1.0)}, id="entry-not-a-number"),
        pytest.param({"A_STK___": {"exit": math.inf}}, id="exit-not-finite"),
        pytest.param({7: (1.0, 2.0)}, id="leg-not-text"),
        pytest.param([("A_STK___", 1.0)], id="short-row"),
        pytest.param([("A_STK___", 1.0, 2.0, 3.0)], id="long-row"),
    ],
)
def test_leg_prices_of_the_wrong_shape_name_the_argument(prices: Any) -> None:
    with pytest.raises(TradeError, match="leg_prices"):
        LegPriceTable(prices)


@pytest.mark.parametrize("error", [KeyError("x"), OSError("down"), ValueError("x")])
def test_a_leg_callable_that_could_not_answer_has_failed(error: Exception) -> None:
    def price(leg: str, side: str) -> float:
        raise error

    answer = leg_fill(LegPriceFunction(price), "TCS_STK___")
    assert isinstance(answer, Missing)
    assert answer.why is Why.FAILED
    assert repr(error) in answer.reason


def test_a_bug_in_a_leg_callable_is_raised() -> None:
    with pytest.raises(TypeError):
        leg_fill(LegPriceFunction(lambda leg: 1.0), "TCS_STK___")  # type: ignore[arg-type, misc]


def test_a_leg_callable_gets_the_trades_own_text() -> None:
    seen: list[tuple[str, str]] = []

    def price(leg: str, side: str) -> float:
        seen.append((leg, side))
        return 1.0

    leg_fill(LegPriceFunction(price), "NIFTY_FUT_20250130___", "exit")
    assert seen == [("NIFTY_FUT_20250130___", "exit")]


# Closes


def test_the_cache_is_read_where_it_stands() -> None:
    cache: dict[tuple[str, str], float] = {}
    source = CloseTable(cache)
    assert isinstance(source.closes([CloseOf(NIFTY, MONDAY)])[0], Missing)
    cache["NIFTY_IND___", "20250127"] = 23350.0
    assert source.closes([CloseOf(NIFTY, MONDAY)]) == [
        Price(23350.0, "historical_cache", PriceKind.CLOSE, at("2025-01-27 15:30"))
    ]


@pytest.mark.parametrize(
    ("symbol", "asked", "written"),
    [
        ("NIFTY_IND___", "NIFTY_IND___", "NIFTY_IND___"),
        ("NIFTY", "NIFTY_IND___", ""),
        ("TCS", "TCS_STK___", ""),
        ("NIFTY_FUT_20250130___", "NIFTY_FUT_20250130__", ""),
        ("NIFTY_FUT_20250130__", "NIFTY_FUT_20250130___", "NIFTY_FUT_20250130___"),
        ("SPY250131C00600000", "SPY250131C00600000", "SPY250131C00600000"),
    ],
)
def test_spellings_of_a_close(symbol: str, asked: str, written: str) -> None:
    source = CloseTable({(symbol, "20250127"): 99.5})
    assert value_of(source.closes([CloseOf(parse_symbol(asked), MONDAY, written)])[0]) == 99.5


def test_a_close_of_the_wrong_kind_names_its_key() -> None:
    with pytest.raises(TradeError, match=r"historical_cache\['NIFTY_IND___', '20250127'\]='abc'"):
        CloseTable({("NIFTY_IND___", "20250127"): "abc"}).closes([CloseOf(NIFTY, MONDAY)])


@pytest.mark.parametrize(
    ("key", "exact"),
    [("2025-01-27 10:00", True), ("2025-01-27T04:30:00Z", True), ("2025-01-27", False), ("2025-01-27 10:01", False)],
)
@pytest.mark.parametrize("exchange", [("NSE",), ()])
@pytest.mark.parametrize("value", [100.0, 100, (100.0, 101.0), None])
def test_what_is_stated_for_an_instant_is_what_the_look_up_finds_there(
    key: str, exact: bool, exchange: tuple[str, ...], value: Any
) -> None:
    table = PriceTable({("NIFTY_IND___", *exchange, key): value})
    for when in (TEN, TEN.astimezone(UTC)):
        (found,) = table.prices_at([PriceAt(NIFTY, when)])
        stated = table.stated_at(NIFTY, when)
        assert stated == (found if exact else None)
        if isinstance(stated, Price):
            assert stated.time is not None
            assert stated.time.tzinfo == KOLKATA


@pytest.mark.parametrize("named", ["date", "instant", "both"])
def test_a_price_of_the_instant_goes_before_one_of_the_date_whichever_names_the_exchange(named: str) -> None:
    date_key, instant_key = (("NSE",) if named in (one, "both") else () for one in ("date", "instant"))
    table = PriceTable({("NIFTY", *date_key, "2025-01-27"): 1.0, ("NIFTY", *instant_key, "2025-01-27 10:00"): 2.0})
    (found,) = table.prices_at([PriceAt(NIFTY, TEN)])
    assert table.stated_at(NIFTY, TEN) == found == Price(2.0, "spot_prices", PriceKind.GIVEN, TEN)
    assert table.stated_at(NIFTY, TEN.replace(hour=11)) is None
    assert value_of(table.prices_at([PriceAt(NIFTY, TEN.replace(hour=11))])[0]) == 1.0


def test_a_close_of_the_instant_goes_before_one_of_the_date() -> None:
    table = PriceTable({("NIFTY", "NSE", "2025-01-27"): 1.0, ("NIFTY", "2025-01-27 15:30"): 2.0})
    assert value_of(table.closes([CloseOf(NIFTY, MONDAY)])[0]) == 2.0


def test_of_two_prices_of_an_instant_the_one_that_names_the_exchange_counts() -> None:
    table = PriceTable({("NIFTY", "2025-01-27 10:00"): 1.0, ("NIFTY", "NSE", "2025-01-27 10:00"): 2.0})
    (found,) = table.prices_at([PriceAt(NIFTY, TEN)])
    assert table.stated_at(NIFTY, TEN) == found
    assert value_of(found) == 2.0


@pytest.mark.parametrize(
    ("prices", "holds"),
    [
        ({("NIFTY_IND___", "NSE", TEN): 100.0}, False),
        ({("NIFTY_IND___", "NSE", TEN): UnderlyingPrice(100.0, 101.0)}, True),
        ({("NIFTY_IND___", "NSE", TEN): {"spot": 100.0, "forward": 101.0}}, True),
        ({("NIFTY_FUT_20250130__", TEN): 101.0}, True),
        ([("nifty_fut_20250130___", TEN, 101.0)], False),
        ([("NIFTY_fut_20250130___", TEN, 101.0)], True),
    ],
)
def test_a_table_knows_whether_it_could_price_any_future(prices: Any, holds: bool) -> None:
    table = PriceTable(prices)
    assert table.holds_forwards is holds
    (answer,) = table.prices_at([PriceAt(FUTURE, TEN)])
    assert isinstance(answer, Price) is holds
