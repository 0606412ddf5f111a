"""Prices that a row states itself: of its underlying at its own two ends, and of its legs one by one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from attribution import NoSourceError, TradeError, attribute_daily, calculate_attribution_for_trade

CALL, PUT = "NIFTY_OPT_20250130_CALL_23500", "NIFTY_OPT_20250130_PUT_23500"
NEXT = "NIFTY_OPT_20250227_CALL_23500"
SPOT, FUTURE = "NIFTY_IND___", "NIFTY_FUT_20250130__"
ENTRY, EXIT, CLOSE = "2025-01-06 10:00", "2025-01-06 14:00", "2025-01-06 15:30"
EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib", "pnl")
ROW = {
    "symbol": CALL,
    "entry_time": ENTRY,
    "exit_time": EXIT,
    "entry_quantity": 75.0,
    "entry_price": 150.0,
    "exit_price": 180.0,
}


def split(row: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return calculate_attribution_for_trade(row, **arguments)


def assert_same(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert [left[name] for name in EFFECTS] == [right[name] for name in EFFECTS]
    assert left["status"] == right["status"]


def test_spot_and_forward_as_if_they_were_passed() -> None:
    stated = split(
        {**ROW, "spot_entry": 23_400.0, "spot_exit": 23_460.0, "forward_entry": 23_450.0, "forward_exit": 23_515.0}
    )
    passed = split(ROW, spot_prices={(SPOT, ENTRY): (23_400.0, 23_450.0), (SPOT, EXIT): (23_460.0, 23_515.0)})
    assert_same(stated, passed)
    assert stated["per_leg"][CALL]["plays_spot"] == "spot and future"
    assert stated["per_leg"][CALL]["sources"]["spot0"]["source"] == "row spot_entry"


def test_what_the_row_states_comes_before_what_the_call_passes() -> None:
    row = {**ROW, "spot_entry": 23_400.0, "spot_exit": 23_460.0}
    passed = {(SPOT, ENTRY): 1.0, (SPOT, EXIT): 2.0}
    assert_same(split(row, spot_prices=passed), split(row))
    half = {**ROW, "spot_entry": 23_400.0, "spot_exit": math.nan}  # what it does not state is looked up
    assert_same(split(half, spot_prices={(SPOT, EXIT): 23_460.0}), split(row))


def test_of_an_open_trade_the_exit_prices_are_the_mark() -> None:
    row = {**ROW, "exit_time": None, "exit_price": None, "mtm": 180.0, "spot_entry": 23_400.0, "spot_exit": 23_460.0}
    assert_same(split(row, current_time=EXIT), split({**ROW, "spot_entry": 23_400.0, "spot_exit": 23_460.0}))
    legs = {**row, "mtm": None, "leg1_exit": 180.0}
    assert_same(split(legs, current_time=EXIT), split(row, current_time=EXIT))


def test_the_exit_on_record_is_not_a_mark_and_a_close_is_neither() -> None:
    row = {**ROW, "spot_entry": 23_400.0, "spot_exit": 23_460.0, "leg1_exit": 180.0, "mtm": 170.0}
    ahead = split(row, current_time="2025-01-06 12:00", spot_prices={(SPOT, "2025-01-06 12:00"): 23_430.0})
    assert ahead["per_leg"][CALL]["spot1"] == 23_430.0
    assert ahead["per_leg"][CALL]["price1"] == 170.0
    still_open = {**row, "exit_time": None, "exit_price": None}
    after = split(
        still_open, current_time=CLOSE, historical_cache={(CALL, "20250106"): 175.0, (SPOT, "20250106"): 23_470.0}
    )
    assert (after["per_leg"][CALL]["price1"], after["per_leg"][CALL]["spot1"]) == (175.0, 23_470.0)
    days = attribute_daily([still_open], current_time="2025-01-07 12:00")
    assert [day["status"] for day in days] == ["no_source", "no_source"]  # no close is made of the mark


def test_at_the_last_expiry_the_spot_is_the_settlement_value() -> None:
    row = {**ROW, "exit_time": None, "exit_price": None, "spot_entry": 23_400.0, "spot_exit": 23_620.0}
    result = split(row, current_time="2025-02-03 10:00", day=False)
    assert result["window"]["end_price"] == "payoff"
    assert result["per_leg"][CALL]["price1"] == pytest.approx(120.0)
    assert result["pnl"] == pytest.approx(75.0 * (120.0 - 150.0))


def test_an_expiry_before_the_end_of_the_trade_is_not_the_rows_to_state() -> None:
    calendar = {
        **ROW,
        "symbol": f"{CALL}?-1:{NEXT}?1",
        "exit_time": None,
        "entry_price": None,
        "exit_price": None,
        "spot_entry": 23_400.0,
        "spot_exit": 23_700.0,
        "leg1_entry": 150.0,
        "leg2_entry": 260.0,
        "leg2_exit": 330.0,
    }
    with pytest.raises(NoSourceError, match=f"{SPOT} at 2025-01-30 15:30:00 .*payoff"):
        split(calendar, current_time="2025-02-03 12:00", day=False)
    known = split(calendar, current_time="2025-02-03 12:00", day=False, historical_cache={(SPOT, "20250130"): 23_550.0})
    assert known["per_leg"][CALL]["price1"] == pytest.approx(50.0)
    assert known["per_leg"][NEXT]["spot1"] == 23_700.0
    assert known["status"] == "ok"


def test_legs_one_by_one() -> None:
    row = {**ROW, "symbol": f"{CALL}?-1:{PUT}?-1", "entry_price": -300.0, "exit_price": -290.0}
    row |= {"spot_entry": 23_400.0, "spot_exit": 23_460.0}
    stated = split({**row, "leg1_entry": 150.0, "leg1_exit": 160.0, "leg2_entry": 150.0, "leg2_exit": 130.0})
    passed = split(row, leg_prices={CALL: (150.0, 160.0), PUT: (150.0, 130.0)})
    assert_same(stated, passed)
    assert stated["combo_gap"] == passed["combo_gap"]
    assert stated["per_leg"][PUT]["sources"]["price1"]["source"] == "row leg2_exit"


def test_one_field_cannot_hold_the_prices_of_two() -> None:
    pair = {**ROW, "symbol": f"{CALL}?1:BANKNIFTY_OPT_20250130_CALL_50000?-1"}
    with pytest.raises(TradeError, match="different underlyings, whose prices go into spot_prices"):
        split({**pair, "spot_entry": 23_400.0})
    spread = {**ROW, "symbol": f"{CALL}?-1:{NEXT}?1"}
    with pytest.raises(TradeError, match="different underlyings or expiries"):
        split({**spread, "forward_exit": 23_400.0})


@pytest.mark.parametrize("field", ["spot_entry", "forward_exit", "leg1_entry", "leg1_exit"])
@pytest.mark.parametrize("value", ["much", math.inf, True])
def test_what_is_no_number_is_named(field: str, value: Any) -> None:
    with pytest.raises(TradeError, match=field):
        split({**ROW, field: value})


def test_a_future_is_told_from_its_spot() -> None:
    row = {**ROW, "symbol": FUTURE, "entry_price": 23_450.0, "exit_price": 23_515.0}
    result = split({**row, "spot_entry": 23_400.0, "spot_exit": 23_460.0})
    assert result["spot_attrib"] == pytest.approx(75.0 * 60.0)
    assert result["spread_attrib"] == pytest.approx(75.0 * 5.0)
