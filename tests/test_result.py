"""What the result dict holds, and that its parts are what they are called."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from attribution import black_price, calculate_attribution_for_trade, calculate_attribution_for_trades
from attribution.market.quotes import PriceKind
from tests.market.recorded import RecordedBroker

KOLKATA = ZoneInfo("Asia/Kolkata")
CALL = "NIFTY_OPT_20250130_CALL_23500"
PUT = "NIFTY_OPT_20250130_PUT_23500"
FUTURE = "NIFTY_FUT_20250130__"
EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")
SPOTS = {("NIFTY", "2025-01-27 10:00"): 23400.0, ("NIFTY", "2025-01-27 14:00"): 23350.0}
LEGS = {CALL: (120.0, 100.0), PUT: (180.0, 195.0)}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KOLKATA)


def row(symbol: str, **changes: Any) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-27 14:00",
        "entry_quantity": 75,
        **changes,
    }


def straddle(**arguments: Any) -> dict[str, Any]:
    return calculate_attribution_for_trade(
        row(f"{CALL}?-1:{PUT}?-1", commission=40.0), spot_prices=SPOTS, leg_prices=LEGS, **arguments
    )


def future(**changes: Any) -> dict[str, Any]:
    fields = {"entry_price": 23460.0, "exit_price": 23400.0, **changes}
    return calculate_attribution_for_trade(row(FUTURE, **fields), spot_prices=SPOTS)


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for item in value.values():
            yield from numbers(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, float):
        yield value


TRADE_KEYS = {
    *EFFECTS,
    "symbol",
    "trade",
    "per_leg",
    "pnl",
    "residual",
    "combo_gap",
    "fees",
    "net_pnl",
    "status",
    "flags",
    "reason",
    "method",
    "clock",
    "window",
    "session",
}
LEG_KEYS = {
    *EFFECTS,
    "pnl",
    "residual",
    "status",
    "flags",
    "reason",
    "quantity",
    "multiplier",
    "underlying",
    "expiry",
    "price0",
    "price1",
    "vol0",
    "vol1",
    "spot0",
    "spot1",
    "forward0",
    "forward1",
    "plays_spot",
    "sources",
    "window",
}


def test_the_keys_of_a_result_and_of_its_legs() -> None:
    result = straddle()
    assert set(result) == TRADE_KEYS
    assert {symbol: set(leg) for symbol, leg in result["per_leg"].items()} == {CALL: LEG_KEYS, PUT: LEG_KEYS}


def test_a_row_that_cannot_be_read_has_the_same_keys() -> None:
    (result,) = calculate_attribution_for_trades([row("FOO")])
    assert set(result) == TRADE_KEYS


def test_detail_adds_one_key() -> None:
    result = straddle(detail=True)
    assert set(result) == TRADE_KEYS | {"detail"}
    assert set(result["per_leg"][CALL]) == LEG_KEYS | {"detail"}


def test_the_short_straddle_adds_up() -> None:
    result = straddle()
    # Short both: (120 − 100) − (195 − 180) = 5 points on 75.
    assert (result["pnl"], result["fees"], result["net_pnl"]) == (375.0, 40.0, 335.0)
    assert abs(result["residual"]) <= 1e-9
    assert sum(result[name] for name in EFFECTS) + result["residual"] == pytest.approx(375.0, rel=1e-12)
    for name in (*EFFECTS, "pnl"):
        assert sum(leg[name] for leg in result["per_leg"].values()) == pytest.approx(result[name], abs=1e-9)


def test_the_keys_of_per_leg_are_the_trades_own_texts() -> None:
    symbol = "NIFTY_opt_20250130_call_23500?-1:NIFTY_FUT_20250130___?1"
    legs = {CALL: (120.0, 100.0), FUTURE: (23460.0, 23400.0)}
    result = calculate_attribution_for_trade(row(symbol), spot_prices=SPOTS, leg_prices=legs)
    assert list(result["per_leg"]) == ["NIFTY_opt_20250130_call_23500", "NIFTY_FUT_20250130___"]


def test_an_occ_leg_keeps_its_text() -> None:
    spots = {("SPY", "US", "2025-01-27 10:00"): 600.0, ("SPY", "US", "2025-01-27 14:00"): 601.0}
    result = calculate_attribution_for_trade(
        row("SPY   250131C00600000", entry_price=5.0, exit_price=5.5, entry_quantity=2), spot_prices=spots
    )
    assert list(result["per_leg"]) == ["SPY   250131C00600000"]
    assert result["pnl"] == 2 * 100 * 0.5


def test_the_quantity_of_a_leg_is_signed_units() -> None:
    result = calculate_attribution_for_trade(
        row(f"{CALL}?-2:{PUT}?1", entry_quantity=-75), spot_prices=SPOTS, leg_prices=LEGS
    )
    legs = result["per_leg"]
    assert (legs[CALL]["quantity"], legs[PUT]["quantity"]) == (150.0, -75.0)
    # Long 150 calls: −20 each; short 75 puts: −15 each.
    assert (legs[CALL]["pnl"], legs[PUT]["pnl"]) == (-3000.0, -1125.0)


def test_stock_and_option_legs_keep_their_own_multipliers() -> None:
    # 100 SPY 450 → 455 against one short call on 100, 5 → 8: 500 − 300 makes 200.
    symbol = "SPY_STK___?100:SPY250131C00450000?-1"
    result = calculate_attribution_for_trade(
        row(symbol, entry_quantity=1),
        spot_prices={("SPY", "US", "2025-01-27 10:00"): 450.0, ("SPY", "US", "2025-01-27 14:00"): 455.0},
        leg_prices={"SPY_STK___": (450.0, 455.0), "SPY250131C00450000": (5.0, 8.0)},
    )
    stock, call = result["per_leg"].values()
    assert result["pnl"] == 200.0
    assert (stock["multiplier"], call["multiplier"]) == (1.0, 100.0)
    assert (stock["pnl"], stock["spot_attrib"], call["pnl"]) == (500.0, 500.0, -300.0)
    assert "american_as_european" in call["flags"]
    assert stock["flags"] == ()


def test_a_share_has_only_spot() -> None:
    fields = {"entry_price": 4000.0, "exit_price": 4100.0, "entry_quantity": 10}
    result = calculate_attribution_for_trade(row("TCS_STK___", **fields))
    assert [result[name] for name in EFFECTS] == [1000.0, 0.0, 0.0, 0.0]
    (leg,) = result["per_leg"].values()
    assert (leg["plays_spot"], leg["spot0"], leg["spot1"]) == ("own price", 4000.0, 4100.0)
    assert (leg["underlying"], leg["expiry"]) == ("TCS_STK___", None)
    assert math.isnan(leg["vol0"])
    assert math.isnan(leg["vol1"])


def test_a_future_has_only_spot_and_spread() -> None:
    result = future()
    # Spot −50 and basis 60 → 50, on 75.
    assert [result[name] for name in EFFECTS] == [-3750.0, 0.0, 0.0, -750.0]
    (leg,) = result["per_leg"].values()
    assert (leg["spot0"], leg["spot1"], leg["forward0"], leg["forward1"]) == (23400.0, 23350.0, 23460.0, 23400.0)
    assert (leg["plays_spot"], leg["underlying"]) == ("spot and future", "NIFTY_IND___")
    assert leg["expiry"] == date(2025, 1, 30)


@pytest.mark.parametrize(
    ("value0", "value1", "plays", "expected"),
    [
        (23400.0, 23350.0, "spot", (23400.0, 23350.0, 23400.0, 23350.0)),
        ((23400.0, 23460.0), (23350.0, 23400.0), "spot and future", (23400.0, 23350.0, 23460.0, 23400.0)),
        # Known at one end only: of no use.
        ((23400.0, 23460.0), 23350.0, "spot", (23400.0, 23350.0, 23400.0, 23350.0)),
    ],
)
def test_spot_and_forward_of_an_option(value0: Any, value1: Any, plays: str, expected: tuple[float, ...]) -> None:
    result = calculate_attribution_for_trade(
        row(CALL, entry_price=120.0, exit_price=100.0),
        spot_prices={("NIFTY", "2025-01-27 10:00"): value0, ("NIFTY", "2025-01-27 14:00"): value1},
    )
    leg = result["per_leg"][CALL]
    assert leg["plays_spot"] == plays
    assert (leg["spot0"], leg["spot1"], leg["forward0"], leg["forward1"]) == expected


def test_only_the_future_known_plays_the_spot() -> None:
    result = calculate_attribution_for_trade(
        row(CALL, entry_price=120.0, exit_price=100.0),
        spot_prices={(FUTURE, "2025-01-27 10:00"): 23460.0, (FUTURE, "2025-01-27 14:00"): 23400.0},
    )
    leg = result["per_leg"][CALL]
    assert (leg["plays_spot"], leg["spot0"], leg["spot1"]) == ("future", 23460.0, 23400.0)
    assert result["spread_attrib"] == 0.0


def test_the_vols_reprice_the_marks() -> None:
    leg = straddle()["per_leg"][CALL]
    # 10:00 on Monday to 15:30 on Thursday: 3 sessions and 330 of 375 minutes.
    years = (3 + 330 / 375) / 252
    assert 0.05 < leg["vol0"] < 0.5
    assert float(black_price(23400.0, 23500.0, years, leg["vol0"], 1)) == pytest.approx(120.0, rel=1e-10)


# Windows, sources, ages


def test_the_window_tells_instants_and_kinds() -> None:
    result = straddle()
    expected = {
        "start": at("2025-01-27 10:00"),
        "end": at("2025-01-27 14:00"),
        "start_price": "fill",
        "end_price": "fill",
    }
    assert result["window"] == expected
    assert result["per_leg"][CALL]["window"] == expected
    assert result["session"] == date(2025, 1, 27)
    assert (result["method"], result["clock"]) == ("waterfall", "sessions")


def test_a_whole_life_has_no_session() -> None:
    assert straddle(day=False)["session"] is None


def test_each_price_says_who_when_and_how_old() -> None:
    broker = RecordedBroker(quotes={CALL: 100.0})
    result = calculate_attribution_for_trade(
        row(CALL, exit_time=None, entry_price=120.0),
        broker,
        current_time="2025-01-27 14:00",
        spot_prices={("NIFTY", "2025-01-27 10:00"): 23400.0, ("NIFTY", "2025-01-27"): 23350.0},
    )
    sources = result["per_leg"][CALL]["sources"]
    ten = at("2025-01-27 10:00")
    assert sources["price0"] == {"source": "row entry_price", "kind": "fill", "time": ten, "age": 0.0}
    assert sources["spot0"] == {"source": "spot_prices", "kind": "given", "time": ten, "age": 0.0}
    # The broker did not say when: the age is unknown, not zero.
    assert sources["price1"] == {"source": "recorded", "kind": "mark", "time": None, "age": None}
    # Midnight's price stands for 14:00: fourteen hours old.
    midnight = at("2025-01-27 00:00")
    assert sources["spot1"] == {"source": "spot_prices", "kind": "daily", "time": midnight, "age": 50400.0}
    assert set(sources) == {"price0", "price1", "spot0", "spot1"}


def test_a_payoff_says_so() -> None:
    result = calculate_attribution_for_trade(
        row(CALL, exit_time=None, entry_time="2025-01-30 10:00", entry_price=40.0),
        current_time="2025-01-30 18:00",
        spot_prices={("NIFTY", "2025-01-30 10:00"): 23480.0, ("NIFTY", "2025-01-30 15:30"): 23555.5},
    )
    leg = result["per_leg"][CALL]
    assert (leg["price1"], leg["pnl"]) == (55.5, 75 * 15.5)
    expiry = at("2025-01-30 15:30")
    assert leg["sources"]["price1"] == {"source": "settlement value", "kind": "payoff", "time": expiry, "age": 0.0}
    assert leg["window"]["end_price"] == "payoff"
    assert "expired_in_window" in leg["flags"]


def test_the_official_close_comes_before_another_print_of_that_date() -> None:
    # Ten in the morning is the only key of the date: it must not stand for the close beside the closing price.
    result = calculate_attribution_for_trade(
        row(CALL, exit_time=None, entry_price=120.0),
        current_time="2025-01-27 16:00",
        spot_prices={("NIFTY", "2025-01-27 10:00"): 23400.0},
        historical_cache={("NIFTY_IND___", "20250127"): 23350.0, (CALL, "20250127"): 100.0},
    )
    leg = result["per_leg"][CALL]
    assert (leg["status"], leg["spot0"], leg["spot1"]) == ("ok", 23400.0, 23350.0)
    assert leg["sources"]["spot1"]["kind"] == "close"


# Fees and labels


@pytest.mark.parametrize(
    ("changes", "current", "day", "fees"),
    [
        pytest.param({}, None, True, 40.0, id="the-day-of-the-exit"),
        pytest.param({}, "2025-01-27 16:00", True, 0.0, id="the-day-of-the-entry-of-a-trade-with-an-exit"),
        pytest.param({}, None, False, 40.0, id="the-whole-life"),
        pytest.param({"exit_time": None}, "2025-01-27 16:00", True, 40.0, id="the-entry-of-an-open-trade"),
        pytest.param({"exit_time": None}, "2025-01-28 16:00", True, 0.0, id="a-later-day-of-an-open-trade"),
        pytest.param({"commission": None}, None, True, 0.0, id="none-stated"),
    ],
)
def test_fees_fall_into_one_day(changes: dict[str, Any], current: str | None, day: bool, fees: float) -> None:
    fields = {"exit_time": "2025-01-28 14:00", "entry_price": 4000.0, "exit_price": 4100.0, "commission": 40.0}
    closes = {("TCS_STK___", "20250127"): 4050.0, ("TCS_STK___", "20250128"): 4080.0}
    result = calculate_attribution_for_trade(
        row("TCS_STK___", **{**fields, **changes}), current_time=current, day=day, historical_cache=closes
    )
    assert result["fees"] == fees
    assert result["net_pnl"] == result["pnl"] - fees


def test_a_trades_label() -> None:
    assert straddle()["trade"] is None
    assert future(trade_id="T1")["trade"] == "T1"


# Partly closed


def partly(**arguments: Any) -> dict[str, Any]:
    # 30 of 75 sold at 4100 at noon; 45 still there, at 4020 at two.
    fields = row("TCS_STK___", exit_time="2025-01-27 12:00", entry_price=4000.0, exit_price=4100.0, exit_quantity=-30)
    broker = RecordedBroker(quotes={"TCS_STK___": 4020.0})
    return calculate_attribution_for_trade(fields, broker, current_time="2025-01-27 14:00", **arguments)


def test_a_closed_and_an_open_part_each_with_its_own_end() -> None:
    result = partly()
    assert result["pnl"] == 30 * 100.0 + 45 * 20.0
    assert result["flags"] == ("partly_closed",)
    assert result["window"]["end"] == at("2025-01-27 14:00")
    leg = result["per_leg"]["TCS_STK___"]
    assert (leg["quantity"], leg["pnl"], leg["spot_attrib"]) == (75.0, 3900.0, 3900.0)
    # (30 · 4100 + 45 · 4020) / 75
    assert (leg["price0"], leg["price1"]) == (4000.0, 4052.0)
    closed, still_open = leg["parts"]
    assert (closed["quantity"], closed["price1"], closed["pnl"]) == (30.0, 4100.0, 3000.0)
    assert (still_open["quantity"], still_open["price1"], still_open["pnl"]) == (45.0, 4020.0, 900.0)
    assert (closed["window"]["end"], closed["window"]["end_price"]) == (at("2025-01-27 12:00"), "fill")
    assert (still_open["window"]["end"], still_open["window"]["end_price"]) == (at("2025-01-27 14:00"), "mark")


def test_the_parts_of_a_detail_add_up() -> None:
    leg = partly(detail=True)["per_leg"]["TCS_STK___"]
    for name, value in leg["detail"].items():
        terms = [part["detail"].get(name, 0.0) for part in leg["parts"]]
        assert value == pytest.approx(math.fsum(terms), abs=1e-9, nan_ok=True)


def test_the_exit_fill_is_no_mark_of_the_open_part() -> None:
    fields = row("TCS_STK___", exit_time="2025-01-27 12:00", entry_price=4000.0, exit_price=4100.0, exit_quantity=-30)
    result = calculate_attribution_for_trade(
        fields, current_time="2025-01-27 14:00", leg_prices={"TCS_STK___": (4000.0, 4100.0)}
    )
    assert result["status"] == "missing_price"
    assert math.isnan(result["pnl"])


def test_before_the_partial_exit_nothing_is_partly_closed() -> None:
    fields = row("TCS_STK___", exit_time="2025-01-27 12:00", entry_price=4000.0, exit_price=4100.0, exit_quantity=-30)
    broker = RecordedBroker(quotes={"TCS_STK___": 4020.0})
    result = calculate_attribution_for_trade(fields, broker, current_time="2025-01-27 11:00")
    assert result["pnl"] == 75 * 20.0
    assert result["flags"] == ()


# Detail


@pytest.mark.parametrize("method", ["waterfall", "shapley", "path", "one_at_a_time", "taylor"])
def test_the_greek_terms_add_up_to_the_pnl_whatever_the_method(method: str) -> None:
    result = straddle(detail=True, method=method)
    greeks = ("delta", "gamma", "vega", "volga", "theta", "theta2", "vanna", "charm", "veta", "basis")
    for leg in (*result["per_leg"].values(), result):
        terms = leg["detail"]
        total = sum(terms[f"{name}_pnl"] for name in greeks) + terms["unexplained"] + terms["mark_gap"]
        assert total == pytest.approx(leg["pnl"], abs=1e-8)


def test_the_interactions_add_up_to_the_pnl() -> None:
    result = calculate_attribution_for_trade(
        row(CALL, entry_price=120.0, exit_price=100.0),
        spot_prices={("NIFTY", "2025-01-27 10:00"): (23400, 23460), ("NIFTY", "2025-01-27 14:00"): (23350, 23400)},
        detail=True,
    )
    terms = result["detail"]
    parts = [v for k, v in terms.items() if k.startswith(("main_", "spot_", "spread_", "vol_"))]
    assert len(parts) == 15
    assert sum(parts) + terms["mark_gap"] == pytest.approx(-1500.0, abs=1e-8)


def test_the_parts_of_spread_add_up() -> None:
    result = calculate_attribution_for_trade(
        row(f"{CALL}?-1:{PUT}?-1", entry_price=-300.0, exit_price=-294.0),
        spot_prices={("NIFTY", "2025-01-27 10:00"): (23400, 23460), ("NIFTY", "2025-01-27 14:00"): (23350, 23400)},
        leg_prices=LEGS,
        detail=True,
    )
    terms = result["detail"]
    assert terms["combo_gap"] == 75.0
    assert terms["basis"] + terms["mark_gap"] + terms["combo_gap"] == pytest.approx(result["spread_attrib"], abs=1e-9)


def test_a_leg_below_intrinsic_books_the_gap_as_spread() -> None:
    # 23,700 − 23,500 = 200 at both ends' forwards; bought at 190, ten under: the gap closes to exactly what it was.
    result = calculate_attribution_for_trade(
        row(CALL, entry_price=190.0, exit_price=190.0),
        spot_prices={("NIFTY", "2025-01-27 10:00"): 23700.0, ("NIFTY", "2025-01-27 14:00"): 23700.0},
        detail=True,
    )
    assert [result[name] for name in EFFECTS] == [0.0, 0.0, 0.0, 0.0]
    assert set(result["flags"]) == {"below_intrinsic", "no_vol"}
    assert result["status"] == "ok"


# The surface


def test_no_zero_is_negative() -> None:
    # A short position of nothing that moved: −75 × 0 is −0.0 in floating point.
    cases = [
        (row("TCS_STK___", entry_quantity=-75, entry_price=4000.0, exit_price=4000.0), {}),
        (row(FUTURE, entry_quantity=-75, entry_price=23460.0, exit_price=23410.0), {}),
        (row(f"{CALL}?-1", entry_quantity=75, entry_price=-120.0, exit_price=-100.0), {"detail": True}),
        (row(CALL, entry_quantity=-75, entry_price=120.0, exit_price=100.0), {"method": "taylor", "detail": True}),
        (row(CALL, entry_quantity=-75, entry_time="2025-01-28 10:00", exit_time=None), {}),
    ]
    for fields, arguments in cases:
        current = None if fields["exit_time"] else "2025-01-27 16:00"
        result = calculate_attribution_for_trade(fields, spot_prices=SPOTS, current_time=current, **arguments)
        for number in numbers(result):
            assert not (number == 0.0 and math.copysign(1.0, number) < 0.0), result


def test_a_worthless_exit_of_a_single_short_leg_is_a_plain_zero() -> None:
    fields = row(f"{CALL}?-1", entry_price=-120.0, exit_price=0.0)
    price = calculate_attribution_for_trade(fields, spot_prices=SPOTS)["per_leg"][CALL]["price1"]
    assert (price, math.copysign(1.0, price)) == (0.0, 1.0)


@pytest.mark.parametrize("detail", [False, True])
def test_a_result_is_plain_data(detail: bool) -> None:
    result = straddle(detail=detail)
    assert json.loads(json.dumps(result, default=str))["pnl"] == 375.0
    assert all(type(number) is float for number in numbers(result))
    # Text, not enumerations: a result is read by programs that do not know ours.
    assert type(result["status"]) is str
    assert all(type(flag) is str for flag in result["flags"])
    assert type(result["per_leg"][CALL]["plays_spot"]) is str


def test_a_settlement_price_in_place_of_a_close_is_flagged() -> None:
    broker = RecordedBroker(
        closes={(CALL, date(2025, 1, 27)): 100.0, ("NIFTY_IND___", date(2025, 1, 27)): 23350.0},
        close_kind=PriceKind.SETTLEMENT,
    )
    fields = row(CALL, exit_time=None, entry_price=120.0)
    result = calculate_attribution_for_trade(
        fields, broker, current_time="2025-01-27 16:00", spot_prices={("NIFTY", "2025-01-27 10:00"): 23400.0}
    )
    assert result["pnl"] == -1500.0
    assert "settlement_as_close" in result["flags"]
    assert result["per_leg"][CALL]["sources"]["price1"]["kind"] == "settlement"
