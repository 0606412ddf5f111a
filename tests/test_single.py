"""The single call: what each argument takes, and what is refused."""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from attribution import (
    TradeError,
    UnderlyingPrice,
    attribute_daily,
    calculate_attribution_for_trade,
    calculate_attribution_for_trades,
    row_from_attribution_data,
)
from attribution.market.fixed import LegPriceFunction, LegPriceTable, PriceFunction, PriceTable
from tests.market.recorded import RecordedBroker

KOLKATA = ZoneInfo("Asia/Kolkata")
CALL = "NIFTY_OPT_20250130_CALL_23500"
PUT = "NIFTY_OPT_20250130_PUT_23500"
FUTURE = "NIFTY_FUT_20250130__"
EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")
SPOTS = {("NIFTY_IND___", "NSE", "2025-01-27 10:00"): 23400.0, ("NIFTY_IND___", "NSE", "2025-01-27 14:00"): 23350.0}
LEGS = {CALL: (120.0, 100.0), PUT: (180.0, 195.0)}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KOLKATA)


def share(**changes: Any) -> dict[str, Any]:
    """Ten TCS from Monday to Tuesday, 4000 → 4100."""
    return {
        "symbol": "TCS_STK___",
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-28 14:00",
        "entry_price": 4000.0,
        "exit_price": 4100.0,
        "entry_quantity": 10,
        **changes,
    }


def straddle(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": f"{CALL}?-1:{PUT}?-1",
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-27 14:00",
        "entry_quantity": 75,
        **changes,
    }


def option(**changes: Any) -> dict[str, Any]:
    return {**straddle(symbol=CALL, entry_price=120.0, exit_price=100.0), **changes}


CLOSES = {("TCS_STK___", "20250127"): 4050.0, ("TCS_STK___", "20250128"): 4080.0}
explain = calculate_attribution_for_trade


# Rows


def test_every_face_of_a_row_gives_the_same_result() -> None:
    fields = share()
    expected = explain(fields, historical_cache=CLOSES)
    faces = [
        pd.Series(fields),
        namedtuple("Row", fields)(**fields),
        row_from_attribution_data("TCS_STK___", fields["entry_time"], fields["exit_time"], 4000.0, 4100.0, 10),
    ]
    assert [repr(explain(face, historical_cache=CLOSES)) for face in faces] == [repr(expected)] * 3


def test_a_row_is_not_written_to() -> None:
    fields = share()
    explain(fields, historical_cache=CLOSES)
    assert fields == share()


# Spot prices


def as_function(symbol: str, exchange: str, when: datetime) -> float | None:
    return {at("2025-01-27 10:00"): 23400.0, at("2025-01-27 14:00"): 23350.0}.get(when)


def as_pairs(symbol: str, exchange: str, when: datetime) -> UnderlyingPrice | None:
    return {
        at("2025-01-27 10:00"): UnderlyingPrice(23400.0),
        at("2025-01-27 14:00"): UnderlyingPrice(23350.0),
    }.get(when)


@pytest.mark.parametrize(
    "spots",
    [
        pytest.param(
            {("NIFTY", "2025-01-27 10:00"): 23400, ("NIFTY", at("2025-01-27 14:00")): 23350}, id="no-exchange"
        ),
        pytest.param([(*key, value) for key, value in SPOTS.items()], id="list"),
        pytest.param(PriceTable(SPOTS), id="table"),
        pytest.param(as_function, id="callable"),
        pytest.param(as_pairs, id="callable-of-named-pairs"),
        pytest.param(PriceFunction(as_function), id="function"),
    ],
)
def test_spot_prices_in_every_form(spots: Any) -> None:
    expected = explain(straddle(), spot_prices=SPOTS, leg_prices=LEGS)
    result = explain(straddle(), spot_prices=spots, leg_prices=LEGS)
    assert result["status"] == "ok"
    assert [result[name] for name in EFFECTS] == [expected[name] for name in EFFECTS]


def test_a_generator_of_spot_prices_is_read_once_for_both_ends() -> None:
    rows = ((*key, value) for key, value in SPOTS.items())
    assert explain(straddle(), spot_prices=rows, leg_prices=LEGS)["status"] == "ok"


def test_a_callable_gets_canonical_symbol_exchange_and_aware_instant() -> None:
    seen: list[tuple[str, str, datetime]] = []

    def spot(symbol: str, exchange: str, when: datetime) -> float | None:
        seen.append((symbol, exchange, when))
        return as_function(symbol, exchange, when)

    explain(straddle(), spot_prices=spot, leg_prices=LEGS)
    assert seen == [
        ("NIFTY_IND___", "NSE", at("2025-01-27 10:00")),
        ("NIFTY_IND___", "NSE", at("2025-01-27 14:00")),
    ]
    assert all(when.utcoffset() is not None for _, _, when in seen)


def test_a_bug_in_a_callable_is_raised() -> None:
    with pytest.raises(TypeError):
        explain(straddle(), spot_prices=lambda symbol: 1.0, leg_prices=LEGS)  # type: ignore[arg-type, misc]


def test_morning_and_evening_are_two_prices() -> None:
    # 09:20 and 15:20 resolved to one daily price would make the spot effect vanish.
    row = option(symbol=FUTURE, entry_time="2025-01-27 09:20", exit_time="2025-01-27 15:20")
    row |= {"entry_price": 23460.0, "exit_price": 23360.0}
    spots = {("NIFTY", "2025-01-27 09:20"): 23400.0, ("NIFTY", "2025-01-27 15:20"): 23300.0}
    result = explain(row, spot_prices=spots)
    assert [result[name] for name in EFFECTS] == [-7500.0, 0.0, 0.0, 0.0]


# Leg prices


@pytest.mark.parametrize(
    "legs",
    [
        pytest.param({CALL: {"entry": 120, "exit": 100}, PUT: {"entry": 180, "exit": 195}}, id="mappings"),
        pytest.param([(CALL, 120, 100), (PUT, 180, 195)], id="list"),
        pytest.param(LegPriceTable(LEGS), id="table"),
        pytest.param(lambda leg, side: LEGS[leg][side == "exit"], id="callable"),
        pytest.param(LegPriceFunction(lambda leg, side: LEGS[leg][side == "exit"]), id="function"),
    ],
)
def test_leg_prices_in_every_form(legs: Any) -> None:
    expected = explain(straddle(), spot_prices=SPOTS, leg_prices=LEGS)
    assert repr(explain(straddle(), spot_prices=SPOTS, leg_prices=legs)) == repr(expected)


def test_leg_fills_may_stand_among_the_spot_prices_at_the_exact_instant() -> None:
    legs = {
        (CALL, "2025-01-27 10:00"): 120.0,
        (CALL, "2025-01-27 14:00"): 100.0,
        (PUT, "2025-01-27 10:00"): 180.0,
        (PUT, "2025-01-27 14:00"): 195.0,
    }
    assert explain(straddle(), spot_prices={**SPOTS, **legs})["pnl"] == 375.0


def test_a_rows_own_price_of_one_leg_wins_over_leg_prices() -> None:
    # What the row says was paid is what was paid.
    assert explain(option(), spot_prices=SPOTS, leg_prices={CALL: (1.0, 2.0)})["pnl"] == -1500.0


def test_leg_prices_fill_in_for_a_row_without_its_own() -> None:
    row = option(entry_price=None, exit_price=None)
    assert explain(row, spot_prices=SPOTS, leg_prices=LEGS)["pnl"] == -1500.0


def test_each_leg_keeps_its_own_sign() -> None:
    # A short iron condor: turning every leg of a short combo negative would make the wings short as well.
    legs = {
        "NIFTY_OPT_20250130_CALL_23800": (60.0, 40.0),
        "NIFTY_OPT_20250130_CALL_24000": (30.0, 18.0),
        "NIFTY_OPT_20250130_PUT_23000": (55.0, 50.0),
        "NIFTY_OPT_20250130_PUT_22800": (25.0, 22.0),
    }
    ratios = (-1, 1, -1, 1)
    symbol = ":".join(f"{leg}?{ratio}" for leg, ratio in zip(legs, ratios, strict=True))
    result = explain(straddle(symbol=symbol), spot_prices=SPOTS, leg_prices=legs)
    # +20 − 12 + 5 − 3 = 10 points on 75.
    assert result["pnl"] == 750.0
    assert [leg["pnl"] for leg in result["per_leg"].values()] == [1500.0, -900.0, 375.0, -225.0]


# The window


def test_the_default_explains_the_day_of_the_exit() -> None:
    result = explain(share(), historical_cache=CLOSES)
    # From Monday's close at 4050, not from the fill at 4000.
    assert (result["pnl"], result["spot_attrib"]) == (500.0, 500.0)
    assert (result["window"]["start"], result["window"]["start_price"]) == (at("2025-01-27 15:30"), "close")
    assert (result["window"]["end"], result["window"]["end_price"]) == (at("2025-01-28 14:00"), "fill")


def test_day_false_explains_the_whole_trade() -> None:
    result = explain(share(), day=False)
    assert result["pnl"] == 1000.0
    assert (result["window"]["start_price"], result["window"]["end_price"]) == ("fill", "fill")


@pytest.mark.parametrize(
    ("current", "pnl"),
    [
        # Monday evening: 4000 → 4050. Tuesday evening: 4050 → 4100, the fill and not the close.
        ("2025-01-27 16:00", 500.0),
        ("2025-01-28 08:00", 500.0),
        ("2025-01-28 16:00", 500.0),
        ("2025-01-29 10:00", 0.0),
    ],
)
def test_the_day_is_the_session_of_the_current_time(current: str, pnl: float) -> None:
    assert explain(share(), historical_cache=CLOSES, current_time=current)["pnl"] == pnl


@pytest.mark.parametrize(
    "current",
    [
        "2025-01-27 16:00",
        at("2025-01-27 16:00"),
        datetime(2025, 1, 27, 16, 0),
        datetime(2025, 1, 27, 10, 30, tzinfo=UTC),
        pd.Timestamp("2025-01-27 16:00"),
    ],
)
def test_current_time_in_every_form(current: object) -> None:
    result = explain(share(), historical_cache=CLOSES, current_time=current)
    assert result["window"]["end"] == at("2025-01-27 15:30")


def test_before_the_exit_the_trade_counts_as_open_and_its_exit_is_no_mark() -> None:
    broker = RecordedBroker(quotes={"TCS_STK___": 4070.0})
    result = explain(share(), broker, historical_cache=CLOSES, current_time="2025-01-28 11:00")
    assert (result["pnl"], result["window"]["end_price"]) == (200.0, "mark")
    result = explain(
        share(), historical_cache=CLOSES, current_time="2025-01-28 11:00", leg_prices={"TCS_STK___": (4000.0, 4100.0)}
    )
    assert result["status"] == "missing_price"


def test_without_current_time_and_exit_it_is_now() -> None:
    earliest = datetime.now(UTC)
    result = explain(share(exit_time=None, mtm=4050.0), RecordedBroker(), day=False)
    # While a session runs the end is this very moment; else the last close before it.
    end, kind = result["window"]["end"], result["window"]["end_price"]
    assert kind in ("mark", "close")
    assert earliest <= end <= datetime.now(UTC) if kind == "mark" else timedelta(0) < earliest - end < timedelta(days=6)


@pytest.mark.parametrize("nothing", [None, "", "0", 0, math.nan, pd.NaT])
def test_a_current_time_that_holds_nothing_is_the_exit(nothing: object) -> None:
    assert explain(share(), historical_cache=CLOSES, current_time=nothing)["pnl"] == 500.0


# Marks of an open trade


def open_share(**changes: Any) -> dict[str, Any]:
    return share(exit_time=None, exit_price=None, **changes)


@pytest.mark.parametrize(
    ("row", "legs", "quotes", "pnl"),
    [
        pytest.param({"mtm": 4020.0}, {"TCS_STK___": (None, 4010.0)}, {"TCS_STK___": 4030.0}, 100.0, id="stated-exit"),
        pytest.param({"mtm": 4020.0}, None, {"TCS_STK___": 4030.0}, 200.0, id="then-the-rows-mtm"),
        pytest.param({}, None, {"TCS_STK___": 4030.0}, 300.0, id="then-the-broker"),
        pytest.param({}, {"TCS_STK___": (None, None)}, {"TCS_STK___": 4030.0}, 300.0, id="a-blank-exit-is-none"),
    ],
)
def test_the_order_of_marks(row: dict[str, Any], legs: Any, quotes: dict[str, float], pnl: float) -> None:
    result = explain(open_share(**row), RecordedBroker(quotes=quotes), leg_prices=legs, current_time="2025-01-27 14:00")
    assert (result["pnl"], result["window"]["end_price"]) == (pnl, "mark")


def test_without_any_mark_the_price_is_missing() -> None:
    result = explain(open_share(), RecordedBroker(), current_time="2025-01-27 14:00")
    assert result["status"] == "missing_price"
    assert "row: no mtm" in result["reason"]
    assert math.isnan(result["pnl"])


def test_a_mark_is_not_the_close() -> None:
    # The session is over: its close counts, whatever the row still carries.
    result = explain(open_share(mtm=4020.0), historical_cache=CLOSES, current_time="2025-01-27 16:00")
    assert (result["pnl"], result["window"]["end_price"]) == (500.0, "close")


def test_the_mtm_of_a_combo_is_no_price_of_its_legs() -> None:
    broker = RecordedBroker(quotes={CALL: 100.0, PUT: 195.0})
    row = straddle(exit_time=None, mtm=-295.0)
    result = explain(
        row,
        broker,
        spot_prices=SPOTS,
        leg_prices={CALL: (120.0, None), PUT: (180.0, None)},
        current_time="2025-01-27 14:00",
    )
    assert (result["pnl"], result["combo_gap"]) == (375.0, 0.0)


def test_closes_come_from_the_cache_before_the_broker() -> None:
    broker = RecordedBroker(closes={("TCS_STK___", at("2025-01-27 00:00").date()): 1.0})
    assert explain(share(), broker, historical_cache=CLOSES)["pnl"] == 500.0
    assert broker.asked == []


def test_the_expiry_takes_the_index_and_not_the_close_of_the_option() -> None:
    # The option's row in the exchange's file carries the index settlement as its settlement price.
    row = option(entry_time="2025-01-30 10:00", exit_time=None, entry_price=40.0)
    result = explain(
        row,
        current_time="2025-01-30 18:00",
        spot_prices={("NIFTY", "2025-01-30 10:00"): 23480.0},
        historical_cache={(CALL, "20250130"): 23555.5, ("NIFTY_IND___", "20250130"): 23555.5},
    )
    assert result["per_leg"][CALL]["price1"] == 55.5
    assert result["pnl"] == 75 * 15.5


def test_a_future_expires_at_the_index() -> None:
    row = option(symbol=FUTURE, entry_time="2025-01-30 10:00", exit_time=None, entry_price=23490.0)
    result = explain(
        row,
        current_time="2025-01-30 18:00",
        spot_prices={("NIFTY", "2025-01-30 10:00"): 23480.0},
        historical_cache={("NIFTY_IND___", "20250130"): 23555.5},
    )
    # Spot +75.5, and the basis of 10 has run out.
    assert [result[name] for name in EFFECTS] == [75 * 75.5, 0.0, 0.0, -750.0]


def test_a_corrected_price_is_not_answered_with_the_old_vol() -> None:
    # Vols remembered by symbol and minute would keep the first one.
    first = explain(option(), spot_prices=SPOTS)["per_leg"][CALL]["vol0"]
    second = explain(option(entry_price=130.0), spot_prices=SPOTS)["per_leg"][CALL]["vol0"]
    assert second > first


def test_a_weekend_takes_no_time_on_the_sessions_clock() -> None:
    # Friday's close to Monday's open, nothing moved: no decay on one clock, three days of it on the other.
    row = option(entry_time="2025-01-24 15:30", exit_time="2025-01-27 09:15", entry_price=120.0, exit_price=120.0)
    spots = {("NIFTY", "2025-01-24 15:30"): 23400.0, ("NIFTY", "2025-01-27 09:15"): 23400.0}
    assert [explain(row, day=False, spot_prices=spots)[name] for name in EFFECTS] == [0.0, 0.0, 0.0, 0.0]
    calendar = explain(row, day=False, spot_prices=spots, clock="calendar")
    assert calendar["clock"] == "calendar"
    assert calendar["timedecay_attrib"] < -100.0
    assert calendar["vol_attrib"] > 100.0


# Methods and refusals


@pytest.mark.parametrize("method", ["waterfall", "shapley", "path", "one_at_a_time", "taylor"])
def test_the_total_does_not_depend_on_the_method(method: str) -> None:
    result = explain(straddle(), spot_prices=SPOTS, leg_prices=LEGS, method=method)
    assert (result["method"], result["pnl"]) == (method, 375.0)
    total = sum(result[name] for name in EFFECTS) + result["residual"]
    assert total == pytest.approx(375.0, abs=1e-9)
    if method in ("waterfall", "shapley", "path"):
        assert abs(result["residual"]) < 1e-9


def test_the_order_of_the_waterfall_matters_and_the_total_does_not() -> None:
    first = explain(option(), spot_prices=SPOTS)
    last = explain(option(), spot_prices=SPOTS, order=("vol", "spread", "spot", "time"))
    assert first["timedecay_attrib"] != last["timedecay_attrib"]
    assert sum(last[name] for name in EFFECTS) == pytest.approx(-1500.0, abs=1e-9)


def test_the_default_order_is_time_spot_spread_vol() -> None:
    named = explain(option(), spot_prices=SPOTS, order=["time", "spot", "spread", "vol"])
    assert repr(named) == repr(explain(option(), spot_prices=SPOTS))


Call = Callable[..., Any]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda **a: calculate_attribution_for_trade(option(), **a), id="single"),
        pytest.param(lambda **a: calculate_attribution_for_trades([option()], **a), id="list"),
        pytest.param(lambda **a: calculate_attribution_for_trades([], **a), id="empty-list"),
        pytest.param(lambda **a: attribute_daily([option()], **a), id="daily"),
    ],
)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "magic"}, "method='magic'"),
        ({"method": "Waterfall"}, "method='Waterfall'"),
        ({"clock": "trading"}, "clock='trading'"),
        ({"order": ("time", "spot", "vol")}, "order="),
        ({"order": ("time", "time", "spot", "vol")}, "order="),
        ({"order": ("time", "spot", "spread", "gamma")}, "order="),
        ({"order": "time"}, "order="),
        ({"method": "path", "steps": 0}, "steps=0"),
        ({"price_tick": -0.05}, "price_tick="),
        ({"rate": math.nan}, "rate="),
        ({"dividend_yield": math.inf}, "dividend_yield="),
    ],
)
def test_a_wrong_argument_is_a_value_error_that_names_it(call: Call, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(spot_prices=SPOTS, **arguments)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ({"steps": 1, "method": "path"}, {"steps": 1.0, "method": "path"}, "steps=1.0"),
        ({"rate": 1}, {"rate": True}, "rate=True"),
        ({"clock": "sessions"}, {"clock": ["sessions"]}, "clock="),
        ({"method": "taylor"}, {"method": ["taylor"]}, "method="),
    ],
)
def test_a_wrong_argument_does_not_pass_for_a_right_one_remembered(
    right: dict[str, Any], wrong: dict[str, Any], message: str
) -> None:
    explain(option(), spot_prices=SPOTS, **right)
    with pytest.raises(ValueError, match=message):
        explain(option(), spot_prices=SPOTS, **wrong)


@pytest.mark.parametrize("arguments", [{"method": "magic"}, {"clock": "trading"}, {"order": ("time",)}])
def test_a_wrong_argument_is_told_even_where_a_price_is_missing(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        explain(option(), spot_prices={}, **arguments)


@pytest.mark.parametrize("value", ["noon", 20250127, True])
def test_a_current_time_that_cannot_be_read_is_named(value: object) -> None:
    with pytest.raises(TradeError) as caught:
        explain(option(), spot_prices=SPOTS, current_time=value)
    assert (caught.value.field, caught.value.value) == ("current_time", value)


def test_a_price_tick_leaves_a_worthless_option_without_a_vol() -> None:
    # 0.05 for a far call: under half a tick of 0.20, it determines no vol.
    row = option(symbol="NIFTY_OPT_20250130_CALL_25000", entry_price=0.05, exit_price=0.05)
    assert "no_vol" not in explain(row, spot_prices=SPOTS)["flags"]
    assert "no_vol" in explain(row, spot_prices=SPOTS, price_tick=0.2)["flags"]


def test_a_rate_discounts() -> None:
    # The put–call difference is e^(−rT)(F − K): with a rate the spot alone no longer plays the forward.
    plain = explain(option(), spot_prices=SPOTS)["per_leg"][CALL]
    carried = explain(option(), spot_prices=SPOTS, rate=0.07)["per_leg"][CALL]
    assert plain["forward0"] == 23400.0
    years = (3 + 330 / 375) / 252
    assert carried["forward0"] == pytest.approx(23400.0 * math.exp(0.07 * years), rel=1e-12)
    held = explain(option(), spot_prices=SPOTS, rate=0.07, dividend_yield=0.07)["per_leg"][CALL]
    assert held["forward0"] == pytest.approx(23400.0, rel=1e-15)
