"""A combo's own price against the sum of its legs: measured, flagged, and refused where the sign is wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest

from attribution import attribute_daily, calculate_attribution_for_trade
from attribution.combo import exceeds_tolerance
from attribution.errors import TradeError

CALL = "NIFTY_OPT_20250130_CALL_23500"
PUT = "NIFTY_OPT_20250130_PUT_23500"
STRADDLE = f"{CALL}?-1:{PUT}?-1"
SPOTS = {
    ("NIFTY", "2025-01-27 10:00"): 23400.0,
    ("NIFTY", "2025-01-27 14:00"): 23350.0,
    ("NIFTY", "2025-01-28 14:00"): 23450.0,
}
# Entered at −120 − 180 = −300, left at −100 − 195 = −295.
LEGS = {CALL: (120.0, 100.0), PUT: (180.0, 195.0)}
CLOSES = {("NIFTY_IND___", "20250127"): 23380.0, (CALL, "20250127"): 110.0, (PUT, "20250127"): 185.0}


def straddle(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": STRADDLE,
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-27 14:00",
        "entry_quantity": 75,
        **changes,
    }


def explain(row: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return calculate_attribution_for_trade(row, spot_prices=SPOTS, leg_prices=LEGS, **arguments)


def test_a_row_that_agrees_with_its_legs_has_no_gap() -> None:
    result = explain(straddle(entry_price=-300.0, exit_price=-295.0))
    assert (result["combo_gap"], result["pnl"]) == (0.0, 375.0)
    assert "combo_gap" not in result["flags"]


def test_a_gap_at_the_exit_is_spread_of_the_trade_and_of_no_leg() -> None:
    # −294 where the legs say −295: one point better on 75.
    agreed = explain(straddle(entry_price=-300.0, exit_price=-295.0))
    result = explain(straddle(entry_price=-300.0, exit_price=-294.0))
    assert (result["combo_gap"], result["pnl"]) == (75.0, 450.0)
    assert result["spread_attrib"] == agreed["spread_attrib"] + 75.0
    assert result["per_leg"] == agreed["per_leg"]
    assert "combo_gap" in result["flags"]


def test_a_gap_at_the_entry_counts_the_other_way() -> None:
    result = explain(straddle(entry_price=-299.0, exit_price=-295.0))
    assert (result["combo_gap"], result["pnl"]) == (-75.0, 300.0)


def test_a_gap_that_does_not_change_is_no_pnl() -> None:
    assert explain(straddle(entry_price=-299.0, exit_price=-294.0))["combo_gap"] == 0.0


def test_a_gap_of_a_short_quantity() -> None:
    result = explain(straddle(entry_quantity=-75, entry_price=-300.0, exit_price=-294.0))
    assert (result["combo_gap"], result["pnl"]) == (-75.0, -450.0)


@pytest.mark.parametrize(
    ("entry", "leave"), [(None, None), (-250.0, None), (None, -250.0), (math.nan, -250.0), ("", -250.0)]
)
def test_a_row_that_has_not_both_of_its_prices_cannot_disagree(entry: Any, leave: Any) -> None:
    result = explain(straddle(entry_price=entry, exit_price=leave))
    assert (result["combo_gap"], result["pnl"]) == (0.0, 375.0)
    assert "combo_gap" not in result["flags"]


@pytest.mark.parametrize(
    ("leave", "gap", "flagged"),
    [
        pytest.param(-295.01, -0.75, False, id="a-paisa-is-rounding"),
        pytest.param(-294.99, 0.75, False, id="a-paisa-the-other-way"),
        pytest.param(-294.95, 3.75, True, id="a-tick-is-not"),
    ],
)
def test_the_flag_is_for_more_than_rounding(leave: float, gap: float, flagged: bool) -> None:
    result = explain(straddle(entry_price=-300.0, exit_price=leave))
    # Below the tolerance it is not flagged, but it is still there: never defined away.
    assert result["combo_gap"] == pytest.approx(gap, rel=1e-9)
    assert ("combo_gap" in result["flags"]) is flagged


@pytest.mark.parametrize(
    ("gap", "expected"), [(0.0, False), (0.74, False), (-0.74, False), (0.76, True), (-0.76, True)]
)
def test_the_tolerance_is_a_hundredth_per_unit_whatever_the_sign(gap: float, expected: bool) -> None:
    assert exceeds_tolerance(gap, 75.0) is expected
    assert exceeds_tolerance(gap, -75.0) is expected


@pytest.mark.parametrize(
    ("field", "prices"),
    [
        ("entry_price", {"entry_price": 300.0, "exit_price": -295.0}),
        ("entry_price", {"entry_price": 300.0, "exit_price": 295.0}),
        ("exit_price", {"entry_price": -300.0, "exit_price": 295.0}),
    ],
)
def test_a_short_straddle_entered_at_a_positive_price_is_an_error(field: str, prices: dict[str, float]) -> None:
    with pytest.raises(TradeError, match="signed net price of the legs") as caught:
        explain(straddle(**prices))
    assert (caught.value.field, caught.value.value) == (field, prices[field])


def test_the_sign_of_an_open_trades_mark_is_checked_too() -> None:
    row = straddle(exit_time=None, entry_price=-300.0, mtm=295.0)
    with pytest.raises(TradeError, match=r"^mtm=295\.0"):
        explain(row, current_time="2025-01-27 14:00")


def test_the_sign_of_an_entry_price_is_checked_without_a_mark() -> None:
    # The row's other price is not needed to see that this one has the wrong sign.
    row = straddle(exit_time=None, entry_price=300.0)
    with pytest.raises(TradeError, match=r"^entry_price=300\.0"):
        explain(row, current_time="2025-01-27 14:00")


def test_a_wrong_sign_beside_equal_legs_is_a_price_of_zero() -> None:
    # A box of legs worth nothing net: 0 is its own negative, and no error.
    legs = {CALL: (100.0, 120.0), PUT: (100.0, 120.0)}
    row = straddle(symbol=f"{CALL}?1:{PUT}?-1", entry_price=0.0, exit_price=0.0)
    result = calculate_attribution_for_trade(row, spot_prices=SPOTS, leg_prices=legs)
    assert (result["combo_gap"], result["pnl"]) == (0.0, 0.0)


def test_an_open_trade_is_measured_by_its_mark() -> None:
    row = straddle(exit_time=None, entry_price=-300.0, mtm=-294.0)
    result = explain(row, current_time="2025-01-27 14:00")
    assert (result["combo_gap"], result["pnl"]) == (75.0, 450.0)


def test_an_exit_price_is_no_mark_of_an_open_trade() -> None:
    row = straddle(exit_time=None, entry_price=-300.0, exit_price=-200.0)
    assert explain(row, current_time="2025-01-27 14:00")["combo_gap"] == 0.0


def test_the_gap_is_in_the_rows_multiplier() -> None:
    result = explain(straddle(entry_price=-300.0, exit_price=-294.0, multiplier=2))
    assert (result["combo_gap"], result["pnl"]) == (150.0, 900.0)
    # Two points of currency per price point do not make a paisa more than a paisa.
    assert "combo_gap" not in explain(straddle(entry_price=-300.0, exit_price=-295.01, multiplier=2))["flags"]


@pytest.mark.parametrize(("leave", "gap"), [(44200.0, 0.0), (44201.0, 1.0)])
def test_legs_with_different_multipliers_are_priced_per_one(leave: float, gap: float) -> None:
    # 100 SPY at 450 against one call at 5 on 100: 45,000 − 500 = 44,500; at 450 and 8: 44,200.
    row = {
        "symbol": "SPY_STK___?100:SPY250131C00450000?-1",
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-27 14:00",
        "entry_quantity": 1,
        "entry_price": 44500.0,
        "exit_price": leave,
    }
    result = calculate_attribution_for_trade(
        row,
        spot_prices={("SPY", "US", "2025-01-27 10:00"): 450.0, ("SPY", "US", "2025-01-27 14:00"): 450.0},
        leg_prices={"SPY_STK___": (450.0, 450.0), "SPY250131C00450000": (5.0, 8.0)},
    )
    assert (result["combo_gap"], result["pnl"]) == (gap, -300.0 + gap)


def test_an_end_at_a_close_counts_as_agreement_so_that_the_days_add_up() -> None:
    # Half a point of gap at the entry, one and a half at the exit: −37.5 and +112.5 on 75 units.
    row = straddle(exit_time="2025-01-28 14:00", entry_price=-299.5, exit_price=-293.5)
    days = attribute_daily(
        [row], current_time="2025-01-28 16:00", spot_prices=SPOTS, leg_prices=LEGS, historical_cache=CLOSES
    )
    assert [day["combo_gap"] for day in days] == [-37.5, 112.5]
    whole = explain(row, day=False)
    assert whole["combo_gap"] == 75.0
    assert sum(day["pnl"] for day in days) == whole["pnl"] == 450.0


def test_the_days_of_an_open_trade_end_in_agreement() -> None:
    row = straddle(exit_time=None, entry_price=-299.5)
    result = explain(row, current_time="2025-01-27 18:00", historical_cache=CLOSES)
    # No mark on record: the gap at the entry would be booked and never come back.
    assert (result["combo_gap"], result["pnl"]) == (0.0, 75 * 5.0)


def test_an_end_at_which_a_leg_has_expired_counts_as_agreement() -> None:
    # A calendar spread whose near leg expired on Thursday: its net price on Friday is that of the far leg alone.
    near, far = "NIFTY_OPT_20250130_CALL_23500", "NIFTY_OPT_20250227_CALL_23500"
    row = {
        "symbol": f"{near}?-1:{far}?1",
        "entry_time": "2025-01-29 10:00",
        "exit_time": "2025-01-31 11:00",
        "entry_quantity": 75,
        "entry_price": 180.0,
        "exit_price": 290.0,
    }
    result = calculate_attribution_for_trade(
        row,
        spot_prices={("NIFTY", "2025-01-29 10:00"): 23400.0, ("NIFTY", "2025-01-31 11:00"): 23480.0},
        leg_prices={near: {"entry": 120.0}, far: (300.0, 290.0)},
        historical_cache={("NIFTY_IND___", "20250130"): 23450.0},
        day=False,
    )
    # The short near call expires worthless: +120; the far one loses 10.
    assert (result["combo_gap"], result["pnl"]) == (0.0, 75 * 110.0)
    assert "expired_in_window" in result["flags"]


def test_an_unknown_leg_makes_the_gap_unknown() -> None:
    result = calculate_attribution_for_trade(
        straddle(entry_price=-300.0, exit_price=-295.0),
        spot_prices=SPOTS,
        leg_prices={CALL: (120.0, 100.0), PUT: (180.0, None)},
    )
    assert math.isnan(result["combo_gap"])
    assert math.isnan(result["pnl"])
    assert math.isnan(result["spread_attrib"])


def test_one_leg_has_no_gap() -> None:
    row = {
        "symbol": CALL,
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-27 14:00",
        "entry_quantity": 75,
        "entry_price": 120.0,
        "exit_price": 90.0,
    }
    # leg_prices say 100 at the exit; the row's own price is the leg's.
    result = explain(row)
    assert (result["combo_gap"], result["pnl"]) == (0.0, -2250.0)
