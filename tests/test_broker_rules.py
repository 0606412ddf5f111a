"""The row API with a row and a broker and nothing else: who is asked for what, and what becomes of the answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from attribution import (
    MarketDataError,
    NoSourceError,
    SymbolError,
    TradeError,
    calculate_attribution_for_trade,
    calculate_attribution_for_trades,
)
from attribution.instruments import Option
from attribution.market.quotes import Answer, CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf, Why
from attribution.symbols import format_symbol
from tests.market.recorded import RecordedBroker

KOLKATA = ZoneInfo("Asia/Kolkata")
CALL = "NIFTY_OPT_20250130_CALL_23500"
PUT = "NIFTY_OPT_20250130_PUT_23500"
FUTURE = "NIFTY_FUT_20250130__"
NIFTY = "NIFTY_IND___"
TCS = "TCS_STK___"
MONDAY, TUESDAY = date(2025, 1, 27), date(2025, 1, 28)
EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")
explain = calculate_attribution_for_trade


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KOLKATA)


TEN, TWO = at("2025-01-27 10:00"), at("2025-01-27 14:00")
SPOTS: dict[tuple[str, datetime], float] = {(NIFTY, TEN): 23400.0, (NIFTY, TWO): 23350.0}
FUTURES: dict[tuple[str, datetime], float] = {(FUTURE, TEN): 23460.0, (FUTURE, TWO): 23400.0}
# Call − put: −40 and −100, so that parity tells 23,460 and 23,400.
PAIRS: dict[tuple[str, datetime], float] = {
    (CALL, TEN): 120.0,
    (PUT, TEN): 160.0,
    (CALL, TWO): 100.0,
    (PUT, TWO): 200.0,
}


def row(symbol: str = CALL, **changes: Any) -> dict[str, Any]:
    """75 calls bought at 120 on Monday at 10:00 and sold at 100 at 14:00."""
    return {
        "symbol": symbol,
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-27 14:00",
        "entry_price": 120.0,
        "exit_price": 100.0,
        "entry_quantity": 75,
        **changes,
    }


def share(**changes: Any) -> dict[str, Any]:
    return row(TCS, **{"entry_price": 4000.0, "exit_price": 4100.0, "entry_quantity": 10, **changes})


def straddle(**changes: Any) -> dict[str, Any]:
    return row(f"{CALL}?-1:{PUT}?-1", **{"entry_price": None, "exit_price": None, **changes})


def effects(result: dict[str, Any]) -> list[float]:
    return [result[name] for name in EFFECTS]


def questions(broker: RecordedBroker, kind: type[Any]) -> set[tuple[str, object]]:
    """What was asked: the symbol, with the instant or session or side."""
    told: set[tuple[str, object]] = set()
    for ask in broker.asked:
        if type(ask) is kind:
            when = next(getattr(ask, name) for name in ("side", "session", "now", "at") if hasattr(ask, name))
            told.add((format_symbol(ask.instrument), when))
    return told


def distinct(broker: RecordedBroker) -> int:
    """How many different questions there were; the way in which a trade writes a symbol makes no difference."""
    return len({(type(ask), ask._replace(symbol="") if hasattr(ask, "symbol") else ask) for ask in broker.asked})


def adds_up(result: dict[str, Any]) -> bool:
    return math.isclose(sum(effects(result)) + result["residual"], result["pnl"], abs_tol=1e-9)


# What moves each kind of leg


def test_a_share_needs_nothing_but_its_row() -> None:
    broker = RecordedBroker()
    result = explain(share(), broker)
    assert (result["status"], result["pnl"], effects(result)) == ("ok", 1000.0, [1000.0, 0.0, 0.0, 0.0])
    assert broker.asked == []


def test_a_share_without_row_prices_takes_the_fills_of_its_orders() -> None:
    broker = RecordedBroker(fills={(TCS, "entry"): 4000.0, (TCS, "exit"): 4100.0})
    result = explain(share(entry_price=None, exit_price=None, entry_keys="E1", exit_keys="X1"), broker)
    assert result["pnl"] == 1000.0
    assert {(ask.side, ask.keys) for ask in broker.asked} == {("entry", ("E1",)), ("exit", ("X1",))}


def test_a_future_is_explained_by_the_index_at_both_ends() -> None:
    broker = RecordedBroker(prices=SPOTS)
    result = explain(row(FUTURE, entry_price=23460.0, exit_price=23400.0), broker)
    # The index fell 50, and the basis from 60 to 50.
    assert effects(result) == [75 * -50.0, 0.0, 0.0, 75 * -10.0]
    assert questions(broker, PriceAt) == {(NIFTY, TEN), (NIFTY, TWO)}


def test_a_future_without_its_index_has_a_pnl_and_no_split() -> None:
    result = explain(row(FUTURE, entry_price=23460.0, exit_price=23400.0), RecordedBroker(prices=FUTURES))
    assert (result["status"], result["pnl"]) == ("missing_price", -4500.0)
    assert all(math.isnan(effect) for effect in effects(result))
    assert "recorded: nothing recorded for ('NIFTY_IND___'" in result["reason"]


def test_an_option_takes_index_and_future_of_both_ends_and_the_basis_is_told_apart() -> None:
    broker = RecordedBroker(prices={**SPOTS, **FUTURES})
    result = explain(row(), broker)
    leg = result["per_leg"][CALL]
    assert (leg["plays_spot"], leg["spot0"], leg["spot1"]) == ("spot and future", 23400.0, 23350.0)
    assert (leg["forward0"], leg["forward1"]) == (23460.0, 23400.0)
    assert questions(broker, PriceAt) == {(symbol, when) for symbol in (NIFTY, FUTURE) for when in (TEN, TWO)}
    # A call loses by the index and by the basis, and the basis fell by a fifth of what the index did.
    assert result["spread_attrib"] < 0.0
    assert result["spot_attrib"] == pytest.approx(5 * result["spread_attrib"], rel=0.1)
    assert (result["status"], result["pnl"]) == ("ok", -1500.0)
    assert adds_up(result)


def test_the_sources_name_the_broker_and_the_age_of_each_price() -> None:
    minute_ago = Price(23350.0, "recorded", PriceKind.BAR, at("2025-01-27 13:59"))
    broker = RecordedBroker(prices={**SPOTS, (NIFTY, TWO): minute_ago})
    sources = explain(row(), broker)["per_leg"][CALL]["sources"]
    assert (sources["price0"]["source"], sources["price0"]["kind"]) == ("row entry_price", "fill")
    assert (sources["spot1"]["source"], sources["spot1"]["kind"], sources["spot1"]["age"]) == ("recorded", "bar", 60.0)


def test_only_the_future_known_plays_the_spot() -> None:
    leg = explain(row(), RecordedBroker(prices=FUTURES))["per_leg"][CALL]
    assert (leg["plays_spot"], leg["spot0"], leg["spot1"], leg["forward0"]) == ("future", 23460.0, 23400.0, 23460.0)


# Parity, where no future exists


def test_parity_tells_the_forward_where_there_is_no_future() -> None:
    result = explain(row(), RecordedBroker(prices={**SPOTS, **PAIRS}))
    leg = result["per_leg"][CALL]
    assert leg["plays_spot"] == "spot and parity forward"
    assert (leg["spot0"], leg["spot1"], leg["forward0"], leg["forward1"]) == (23400.0, 23350.0, 23460.0, 23400.0)
    assert (leg["sources"]["forward0"]["kind"], leg["sources"]["forward1"]["kind"]) == ("parity", "parity")
    assert leg["sources"]["forward0"]["source"] == "recorded"
    assert result["spread_attrib"] < 0.0
    assert adds_up(result)


def test_parity_gives_the_numbers_that_a_future_of_the_same_price_gives() -> None:
    parity = explain(row(), RecordedBroker(prices={**SPOTS, **PAIRS}))
    future = explain(row(), RecordedBroker(prices={**SPOTS, **FUTURES}))
    assert effects(parity) == effects(future)


def test_parity_is_not_asked_where_the_future_is_known() -> None:
    broker = RecordedBroker(prices={**SPOTS, **FUTURES, **PAIRS})
    assert explain(row(), broker)["per_leg"][CALL]["plays_spot"] == "spot and future"
    assert not any(isinstance(ask.instrument, Option) for ask in broker.asked)


@pytest.mark.parametrize("end", [TEN, TWO])
def test_a_future_at_one_end_gives_way_to_parity_at_both(end: datetime) -> None:
    # The future is ten points off parity: mixing the two would book ten points of basis that nobody saw.
    future = {(FUTURE, end): FUTURES[FUTURE, end] + 10.0}
    leg = explain(row(), RecordedBroker(prices={**SPOTS, **PAIRS, **future}))["per_leg"][CALL]
    assert leg["plays_spot"] == "spot and parity forward"
    assert (leg["forward0"], leg["forward1"]) == (23460.0, 23400.0)


@pytest.mark.parametrize("lost", list(PAIRS))
def test_a_future_at_one_end_and_parity_at_the_other_make_no_basis(lost: tuple[str, datetime]) -> None:
    pairs = {key: value for key, value in PAIRS.items() if key != lost}
    future = {(FUTURE, lost[1]): FUTURES[FUTURE, lost[1]]}
    result = explain(row(), RecordedBroker(prices={**SPOTS, **pairs, **future}))
    leg = result["per_leg"][CALL]
    assert (leg["plays_spot"], leg["forward0"], leg["forward1"]) == ("spot", 23400.0, 23350.0)
    assert result["spread_attrib"] == 0.0


def test_parity_plays_the_spot_where_the_index_is_not_known() -> None:
    leg = explain(row(), RecordedBroker(prices=PAIRS))["per_leg"][CALL]
    assert (leg["plays_spot"], leg["spot0"], leg["spot1"]) == ("parity forward", 23460.0, 23400.0)


def test_an_expiring_option_needs_parity_at_its_start_only() -> None:
    expiry = date(2025, 1, 30)
    broker = RecordedBroker(prices={**SPOTS, **PAIRS}, closes={(NIFTY, expiry): 23555.5})
    leg = explain(row(exit_time=None), broker, current_time="2025-01-30 18:00", day=False)["per_leg"][CALL]
    assert (leg["plays_spot"], leg["forward0"], leg["price1"]) == ("spot and parity forward", 23460.0, 55.5)
    assert (leg["spot1"], leg["forward1"]) == (23555.5, 23555.5)
    assert (PUT, expiry) not in questions(broker, CloseOf)


def test_parity_is_not_asked_far_from_the_money() -> None:
    # 2.5 % of 23,400 are 585 points; the strike is 600 away.
    far = CALL.replace("23500", "24000")
    pairs = {(s.replace("23500", "24000"), when): price for (s, when), price in PAIRS.items()}
    broker = RecordedBroker(prices={**SPOTS, **pairs})
    result = explain(row(far, entry_price=20.0, exit_price=15.0), broker)
    assert (result["status"], result["per_leg"][far]["plays_spot"]) == ("ok", "spot")
    assert not any(isinstance(ask.instrument, Option) for ask in broker.asked)


def test_a_strike_that_drifts_away_from_the_money_has_no_parity_at_either_end() -> None:
    # 550 points from 23,400, but 600 from 23,350, of which 583.75 are 2.5 %.
    near = CALL.replace("23500", "23950")
    pairs = {(s.replace("23500", "23950"), when): price for (s, when), price in PAIRS.items()}
    leg = explain(row(near), RecordedBroker(prices={**SPOTS, **pairs}))["per_leg"][near]
    assert (leg["plays_spot"], leg["forward0"], leg["forward1"]) == ("spot", 23400.0, 23350.0)


def test_parity_is_not_used_without_a_broker() -> None:
    leg = explain(row(), spot_prices={**SPOTS, **PAIRS})["per_leg"][CALL]
    assert (leg["plays_spot"], leg["forward0"]) == ("spot", 23400.0)


def test_a_stale_parity_leaves_the_spot_alone() -> None:
    # 500 points above the index, three sessions before expiry: somebody's price is of another hour.
    stale = {**PAIRS, (CALL, TWO): 500.0, (PUT, TWO): 0.05}
    leg = explain(row(), RecordedBroker(prices={**SPOTS, **stale}))["per_leg"][CALL]
    assert (leg["plays_spot"], leg["forward1"]) == ("spot", 23350.0)


# Closes


CLOSES: dict[tuple[str, date], float] = {
    (NIFTY, MONDAY): 23360.0,
    (NIFTY, TUESDAY): 23300.0,
    (CALL, MONDAY): 105.0,
    (PUT, MONDAY): 195.0,
    (CALL, TUESDAY): 70.0,
    (PUT, TUESDAY): 230.0,
}
OPEN: dict[str, Any] = {"exit_time": None, "exit_price": None}


def test_a_day_of_an_open_trade_runs_from_close_to_close() -> None:
    broker = RecordedBroker(closes={**CLOSES, (FUTURE, MONDAY): 23420.0, (FUTURE, TUESDAY): 23350.0})
    result = explain(row(**OPEN), broker, current_time="2025-01-28 16:00")
    leg = result["per_leg"][CALL]
    assert (leg["price0"], leg["price1"], result["pnl"]) == (105.0, 70.0, 75 * -35.0)
    assert (leg["spot0"], leg["forward0"], leg["spot1"], leg["forward1"]) == (23360.0, 23420.0, 23300.0, 23350.0)
    assert (leg["window"]["start"], leg["window"]["end"]) == (at("2025-01-27 15:30"), at("2025-01-28 15:30"))
    # A close is a close: no price of an instant and no quote is asked for.
    assert {type(ask) for ask in broker.asked} == {CloseOf}


def test_parity_of_a_day_comes_from_the_closes() -> None:
    leg = explain(row(**OPEN), RecordedBroker(closes=CLOSES), current_time="2025-01-28 16:00")["per_leg"][CALL]
    # 23,500 + 105 − 195 and 23,500 + 70 − 230.
    assert (leg["plays_spot"], leg["forward0"], leg["forward1"]) == ("spot and parity forward", 23410.0, 23340.0)


def test_settlement_prices_are_flagged_and_tell_no_parity() -> None:
    broker = RecordedBroker(closes=CLOSES, close_kind=PriceKind.SETTLEMENT)
    result = explain(row(**OPEN), broker, current_time="2025-01-28 16:00")
    assert (result["status"], result["pnl"]) == ("ok", 75 * -35.0)
    assert "settlement_as_close" in result["flags"]
    assert result["per_leg"][CALL]["plays_spot"] == "spot"


def test_the_callers_cache_is_filled_and_spares_the_broker_the_next_time() -> None:
    cache: dict[tuple[str, str], float] = {(CALL, "20250127"): 110.0}
    result = explain(
        row(**OPEN), RecordedBroker(closes=CLOSES), current_time="2025-01-28 16:00", historical_cache=cache
    )
    # The caller's own close wins, and stays.
    assert result["pnl"] == 75 * (70.0 - 110.0)
    assert cache == {
        (CALL, "20250127"): 110.0,
        (CALL, "20250128"): 70.0,
        (NIFTY, "20250127"): 23360.0,
        (NIFTY, "20250128"): 23300.0,
        (PUT, "20250127"): 195.0,
        (PUT, "20250128"): 230.0,
    }
    fresh = RecordedBroker()
    again = explain(row(**OPEN), fresh, current_time="2025-01-28 16:00", historical_cache=cache)
    assert (again["pnl"], again["status"]) == (-3000.0, "ok")
    assert {symbol for symbol, _ in questions(fresh, CloseOf)} == {FUTURE}


def test_settlement_prices_and_no_numbers_are_not_kept_as_closes() -> None:
    cache: dict[tuple[str, str], float] = {}
    settled = RecordedBroker(closes=CLOSES, close_kind=PriceKind.SETTLEMENT)
    explain(row(**OPEN), settled, current_time="2025-01-28 16:00", historical_cache=cache)
    broken = RecordedBroker(closes=dict.fromkeys(CLOSES, math.nan))
    explain(row(**OPEN), broken, current_time="2025-01-28 16:00", historical_cache=cache)
    assert cache == {}


# Current marks


def test_an_open_leg_is_marked_by_the_brokers_quote_of_now() -> None:
    broker = RecordedBroker(prices=SPOTS, quotes={CALL: 90.0, PUT: 195.0}, fills={(CALL, "entry"): 120.0})
    result = explain(row(**OPEN), broker, current_time="2025-01-27 14:00")
    leg = result["per_leg"][CALL]
    assert (leg["price1"], result["pnl"], leg["window"]["end_price"]) == (90.0, -2250.0, "mark")
    assert leg["sources"]["price1"]["kind"] == "mark"
    assert (CALL, TWO) in questions(broker, QuoteOf)
    assert questions(broker, FillOf) == set()


def test_the_rows_mtm_comes_before_the_brokers_quote() -> None:
    broker = RecordedBroker(prices={**SPOTS, **FUTURES}, quotes={CALL: 90.0})
    result = explain(row(**OPEN, mtm=95.0), broker, current_time="2025-01-27 14:00")
    assert result["pnl"] == 75 * -25.0
    assert questions(broker, QuoteOf) == set()


def test_the_index_of_now_may_be_a_quote() -> None:
    broker = RecordedBroker(prices={(NIFTY, TEN): 23400.0}, quotes={CALL: 90.0, NIFTY: 23355.0})
    leg = explain(row(**OPEN), broker, current_time="2025-01-27 14:00")["per_leg"][CALL]
    assert (leg["spot1"], leg["sources"]["spot1"]["kind"]) == (23355.0, "mark")


def test_a_quote_is_of_now_and_never_stands_at_the_start() -> None:
    broker = RecordedBroker(prices={(NIFTY, TWO): 23350.0}, quotes={CALL: 90.0, NIFTY: 23355.0})
    result = explain(row(**OPEN), broker, current_time="2025-01-27 14:00")
    assert (result["status"], result["pnl"]) == ("missing_price", -2250.0)
    assert questions(broker, QuoteOf).isdisjoint({(NIFTY, TEN), (CALL, TEN)})


# Each question once


def test_many_trades_ask_each_question_once() -> None:
    rows = [row(entry_quantity=n) for n in range(1, 41)]
    broker = RecordedBroker(prices={**SPOTS, **PAIRS})
    results = calculate_attribution_for_trades(rows, broker)
    assert [result["pnl"] for result in results] == [-20.0 * n for n in range(1, 41)]
    # Index, future, call and put at two ends.
    assert len(broker.asked) == distinct(broker) == 8


def test_many_open_trades_ask_each_question_once() -> None:
    rows = [row(**OPEN, entry_quantity=n) for n in range(1, 41)]
    quotes = {CALL: 100.0, PUT: 200.0, NIFTY: 23350.0}
    broker = RecordedBroker(
        prices={key: price for key, price in {**SPOTS, **PAIRS}.items() if key[1] == TEN}, quotes=quotes
    )
    results = calculate_attribution_for_trades(rows, broker, current_time="2025-01-27 14:00")
    assert {result["per_leg"][CALL]["plays_spot"] for result in results} == {"spot and parity forward"}
    # Four symbols at the start and at the end, and the quotes of the end: the call's own mark is also parity's.
    assert len(broker.asked) == distinct(broker) == 12


def test_many_days_ask_each_close_once() -> None:
    rows = [row(**OPEN, entry_quantity=n) for n in range(1, 41)]
    broker = RecordedBroker(closes=CLOSES)
    calculate_attribution_for_trades(rows, broker, current_time="2025-01-28 16:00")
    closes = [(format_symbol(ask.instrument), ask.session) for ask in broker.asked if isinstance(ask, CloseOf)]
    assert sorted(closes) == sorted((symbol, day) for symbol in (CALL, PUT, NIFTY, FUTURE) for day in (MONDAY, TUESDAY))


# The caller's own prices first


def test_the_callers_own_prices_come_first_and_the_broker_fills_in() -> None:
    exit_time = at("2025-01-28 14:00")
    broker = RecordedBroker(prices={(NIFTY, TEN): 1.0, (NIFTY, exit_time): 23300.0})
    given = {("NIFTY", TEN): 23400.0}
    leg = explain(row(exit_time=exit_time), broker, spot_prices=given, day=False)["per_leg"][CALL]
    assert (leg["spot0"], leg["spot1"]) == (23400.0, 23300.0)
    assert (leg["sources"]["spot0"]["source"], leg["sources"]["spot1"]["source"]) == ("spot_prices", "recorded")
    assert (NIFTY, TEN) not in questions(broker, PriceAt)


def test_the_callers_only_price_of_a_date_does_not_stand_in_for_an_instant_that_the_broker_knows() -> None:
    # The caller knows ten o'clock and the broker two: together they know both ends.
    result = explain(row(), RecordedBroker(prices=SPOTS), spot_prices={("NIFTY", TEN): 23400.0})
    leg = result["per_leg"][CALL]
    assert (result["status"], leg["spot0"], leg["spot1"]) == ("ok", 23400.0, 23350.0)


@pytest.mark.parametrize("form", ["dict", "callable"])
def test_the_callers_spot_at_a_close_comes_before_the_brokers(form: str) -> None:
    closes = {at("2025-01-27 15:30"): 23365.0, at("2025-01-28 15:30"): 23305.0}
    given: Any = {("NIFTY", when): price for when, price in closes.items()}
    if form == "callable":
        given = lambda symbol, exchange, when: closes.get(when)  # noqa: E731
    result = explain(row(**OPEN), RecordedBroker(closes=CLOSES), spot_prices=given, current_time="2025-01-28 16:00")
    leg = result["per_leg"][CALL]
    assert (leg["spot0"], leg["spot1"]) == (23365.0, 23305.0)


# A broker that fails


@pytest.mark.parametrize(
    ("method", "fields", "now"),
    [
        pytest.param("prices_at", row(), None, id="prices_at"),
        pytest.param("closes", row(**OPEN), "2025-01-28 16:00", id="closes"),
        pytest.param("quotes", row(**OPEN), "2025-01-27 14:00", id="quotes"),
        pytest.param("fills", straddle(), None, id="fills"),
    ],
)
def test_a_broker_that_is_down_is_told_by_name_and_reason(method: str, fields: dict[str, Any], now: str | None) -> None:
    known: dict[str, Any] = {
        "prices": {**SPOTS, **FUTURES},
        "closes": CLOSES,
        "quotes": {CALL: 90.0},
        "fills": {(leg, side): 100.0 for leg in (CALL, PUT) for side in ("entry", "exit")},
    }
    assert explain(fields, RecordedBroker(**known), current_time=now)["status"] == "ok"
    result = explain(fields, RecordedBroker(**known, name="acme", fails=method), current_time=now)
    assert result["status"] == "source_failed"
    assert f"acme: failed: {method}: connection refused" in result["reason"]
    assert all(math.isnan(effect) for effect in effects(result))
    # What the row itself tells is told.
    assert (result["pnl"] == -1500.0) == (method == "prices_at")


ALL = ("prices_at", "closes", "quotes", "fills")


def test_a_broker_that_is_down_is_no_matter_where_the_caller_knows() -> None:
    result = explain(
        straddle(),
        RecordedBroker(fails=ALL),
        spot_prices={("NIFTY", TEN): 23400.0, ("NIFTY", TWO): 23350.0},
        leg_prices={CALL: (120.0, 100.0), PUT: (160.0, 200.0)},
    )
    assert (result["status"], result["pnl"]) == ("ok", -1500.0)


def test_a_close_that_the_caller_knows_is_used_while_the_broker_is_down() -> None:
    cache = {(TCS, "20250127"): 4050.0, (TCS, "20250128"): 4080.0}
    result = explain(share(**OPEN), RecordedBroker(fails=ALL), historical_cache=cache, current_time="2025-01-28 16:00")
    assert (result["status"], result["pnl"]) == ("ok", 300.0)


def test_a_failure_half_way_loses_nothing_that_was_known() -> None:
    # Closes are answered, quotes are not: the trade that ended keeps its numbers, the open ones their reasons.
    cache: dict[tuple[str, str], float] = {}
    broker = RecordedBroker(
        closes={(TCS, MONDAY): 4050.0, **CLOSES},
        prices={(NIFTY, at("2025-01-28 11:00")): 23330.0},
        quotes={TCS: 4090.0, CALL: 80.0},
        fails="quotes",
    )
    ended = share(exit_time="2025-01-28 10:30")
    open_share, open_call, bad = share(**OPEN), row(**OPEN), row("FOO")
    results = calculate_attribution_for_trades(
        [open_share, ended, bad, open_call, row(**OPEN, mtm=85.0)],
        broker,
        current_time="2025-01-28 11:00",
        historical_cache=cache,
    )
    assert [result["status"] for result in results] == ["source_failed", "ok", "invalid_trade", "source_failed", "ok"]
    assert (results[1]["pnl"], results[4]["pnl"]) == (500.0, 75 * -20.0)
    assert results[3]["per_leg"][CALL]["price0"] == 105.0
    assert (cache[TCS, "20250127"], cache[CALL, "20250127"]) == (4050.0, 105.0)


class HalfDead(RecordedBroker):
    """Cannot tell the price of one instrument, and says so for it alone."""

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        return [
            Missing("time-out", Why.FAILED) if format_symbol(ask.instrument) == "BANKNIFTY_IND___" else answer
            for ask, answer in zip(wanted, super().prices_at(wanted), strict=True)
        ]


def test_an_outage_for_one_underlying_harms_its_own_trades_only() -> None:
    bank = row("BANKNIFTY_OPT_20250130_CALL_49000", entry_price=500.0, exit_price=480.0)
    first, second = calculate_attribution_for_trades([bank, row()], HalfDead(prices=SPOTS))
    assert first["status"] == "source_failed"
    assert "recorded: time-out" in first["reason"]
    assert (second["status"], second["pnl"]) == ("ok", -1500.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("values", "fields", "now"),
    [
        pytest.param("prices", row(), None, id="prices_at"),
        pytest.param("closes", row(**OPEN), "2025-01-28 16:00", id="closes"),
        pytest.param("quotes", row(**OPEN), "2025-01-27 14:00", id="quotes"),
        pytest.param("fills", straddle(), None, id="fills"),
    ],
)
def test_an_answer_that_is_no_number_is_a_failure_not_an_absence(
    value: float, values: str, fields: dict[str, Any], now: str | None
) -> None:
    known: dict[str, Any] = {
        "prices": SPOTS,
        "closes": CLOSES,
        "quotes": {CALL: 90.0},
        "fills": {(leg, side): 100.0 for leg in (CALL, PUT) for side in ("entry", "exit")},
    }
    known[values] = dict.fromkeys(known[values], value)
    result = explain(fields, RecordedBroker(**known), current_time=now)
    assert result["status"] == "source_failed"
    assert f"recorded: failed: answered {value}" in result["reason"]
    assert all(math.isnan(effect) for effect in effects(result))


def test_a_negative_quote_of_an_option_is_an_error_of_its_own_row() -> None:
    broker = RecordedBroker(prices=SPOTS, quotes={CALL: -5.0, TCS: 4010.0})
    with pytest.raises(TradeError, match="-5"):
        explain(row(**OPEN), broker, current_time="2025-01-27 14:00")
    first, second = calculate_attribution_for_trades([row(**OPEN), share(**OPEN)], broker, current_time=TWO)
    assert (first["status"], second["status"], second["pnl"]) == ("invalid_trade", "ok", 100.0)


# Instants


JULY, AUGUST = date(2026, 7, 31), date(2026, 8, 3)
LATER = "NIFTY_FUT_20260825__"


def later(**changes: Any) -> dict[str, Any]:
    """A future held over the weekend on which the close moved from 15:30 to 15:40."""
    fields = {"entry_time": "2026-07-30 10:00", "entry_price": 25000.0, "entry_quantity": 75, **OPEN, **changes}
    return row(LATER, **fields)


AROUND: dict[str, Any] = {
    "closes": {
        (LATER, date(2026, 7, 30)): 25050.0,
        (NIFTY, date(2026, 7, 30)): 24960.0,
        (LATER, JULY): 25100.0,
        (NIFTY, JULY): 25000.0,
        (LATER, AUGUST): 25220.0,
        (NIFTY, AUGUST): 25110.0,
    },
    "prices": {(NIFTY, at("2026-08-03 15:35")): 25105.0, (NIFTY, at("2026-08-03 15:30")): 25104.0},
    "quotes": {LATER: 25210.0},
}


@pytest.mark.parametrize(
    ("now", "end", "kind", "moves"),
    [
        # Friday's session is over at 15:35: index +40, basis 90 → 100.
        pytest.param("2026-07-31 15:35", "2026-07-31 15:30", "close", (40.0, 10.0), id="friday-is-over"),
        # Monday's is not: index 25,000 → 25,105, basis 100 → 105.
        pytest.param("2026-08-03 15:35", "2026-08-03 15:35", "mark", (105.0, 5.0), id="monday-is-not"),
        # Index 25,000 → 25,110, basis 100 → 110.
        pytest.param("2026-08-03 15:40", "2026-08-03 15:40", "close", (110.0, 10.0), id="monday-is-over"),
    ],
)
def test_the_session_of_the_new_hours_ends_ten_minutes_later(
    now: str, end: str, kind: str, moves: tuple[float, float]
) -> None:
    result = explain(later(), RecordedBroker(**AROUND), current_time=now)
    assert (result["status"], result["window"]["end"], result["window"]["end_price"]) == ("ok", at(end), kind)
    assert effects(result) == [75 * moves[0], 0.0, 0.0, 75 * moves[1]]


def test_a_day_starts_at_the_close_of_the_old_hours() -> None:
    window = explain(later(), RecordedBroker(**AROUND), current_time="2026-08-03 15:40")["window"]
    assert (window["start"], window["end"]) == (at("2026-07-31 15:30"), at("2026-08-03 15:40"))


@pytest.mark.parametrize(
    ("leave", "spot"),
    [
        # 15:30 was the close, and is an instant like any other now.
        pytest.param("2026-08-03 15:30", 25104.0, id="old-close"),
        pytest.param("2026-08-03 15:40", 25110.0, id="new-close"),
    ],
)
def test_a_fill_takes_the_official_close_only_at_the_close_of_its_day(leave: str, spot: float) -> None:
    broker = RecordedBroker(**AROUND)
    leg = explain(later(exit_time=leave, exit_price=25200.0), broker)["per_leg"][LATER]
    assert leg["spot1"] == spot


def test_a_longer_session_is_one_session_of_time() -> None:
    # From Friday's close, two sessions are left, from Monday's one: nothing else moved.
    call = "NIFTY_OPT_20260804_CALL_25000"
    closes = {
        (NIFTY, JULY): 25000.0,
        (NIFTY, AUGUST): 25000.0,
        (call, JULY): 200.0,
        (call, AUGUST): 200.0 / math.sqrt(2),
    }
    fields = row(call, entry_time="2026-07-30 10:00", entry_price=180.0, **OPEN)
    leg = explain(fields, RecordedBroker(closes=closes), current_time="2026-08-03 16:00")["per_leg"][call]
    # At the money a price is all but proportional to the root of time.
    assert leg["vol1"] == pytest.approx(leg["vol0"], rel=1e-4)


@pytest.mark.parametrize(
    ("now", "days"),
    [
        pytest.param("2025-02-26 11:00", (date(2025, 2, 24), date(2025, 2, 25)), id="holiday"),
        pytest.param("2025-02-27 09:00", (date(2025, 2, 24), date(2025, 2, 25)), id="before-the-open"),
        pytest.param("2025-02-02 12:00", (date(2025, 1, 31), date(2025, 2, 1)), id="after-the-special-saturday"),
        pytest.param("2025-02-03 16:00", (date(2025, 2, 1), date(2025, 2, 3)), id="monday-after-it"),
    ],
)
def test_a_day_is_a_session_and_a_holiday_has_none(now: str, days: tuple[date, date]) -> None:
    broker = RecordedBroker(closes={(TCS, days[0]): 4050.0, (TCS, days[1]): 4080.0})
    result = explain(share(**OPEN), broker, current_time=now)
    assert (result["status"], result["pnl"], result["session"]) == ("ok", 300.0, days[1])
    assert questions(broker, CloseOf) == {(TCS, day) for day in days}
    assert questions(broker, QuoteOf) == set()


# Refusals


def test_a_symbol_that_cannot_be_read_is_asked_of_nobody() -> None:
    broker = RecordedBroker()
    with pytest.raises(SymbolError, match="FOO_BAR"):
        explain(row("FOO_BAR"), broker)
    assert calculate_attribution_for_trades([row("FOO_BAR")], broker)[0]["status"] == "invalid_trade"
    assert broker.asked == []


def test_a_symbol_that_the_broker_does_not_know_is_missing_not_zero() -> None:
    result = explain(row("ZZZZ_STK___", **OPEN), RecordedBroker(quotes={TCS: 1.0}), current_time=TWO)
    assert result["status"] == "missing_price"
    assert "recorded: nothing recorded for ZZZZ_STK___" in result["reason"]
    assert math.isnan(result["pnl"])
    assert all(math.isnan(effect) for effect in effects(result))


@pytest.mark.parametrize("fails", [(), ALL])
def test_raise_on_missing_raises_with_symbol_place_and_source(fails: tuple[str, ...]) -> None:
    with pytest.raises(MarketDataError) as caught:
        explain(row(), RecordedBroker(fails=fails, name="acme"), raise_on_missing=True)
    assert not isinstance(caught.value, NoSourceError)
    for part in (CALL, NIFTY, "2025-01-27 10:00:00", "acme: "):
        assert part in str(caught.value)
    with pytest.raises(MarketDataError, match="acme"):
        calculate_attribution_for_trades(
            [share(), row()], RecordedBroker(fails=fails, name="acme"), raise_on_missing=True
        )


def test_raise_on_missing_says_nothing_where_nothing_is_missing() -> None:
    result = explain(row(), RecordedBroker(prices=SPOTS), raise_on_missing=True)
    assert (result["status"], result["pnl"]) == ("ok", -1500.0)


def test_without_a_broker_the_call_raises_no_source_and_the_list_tells_it() -> None:
    with pytest.raises(NoSourceError):
        explain(row())
    (listed,) = calculate_attribution_for_trades([row()])
    assert (listed["status"], listed["pnl"]) == ("no_source", -1500.0)
