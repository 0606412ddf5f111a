"""Rows that are unusual and yet in order, or wrong in an unusual way: each is explained, or refused by itself."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd
import pytest

from attribution import (
    TradeError,
    attribute_daily,
    calculate_attribution_for_trade,
    calculate_attribution_for_trades,
    get_historical_close_price,
)

CALL = "NIFTY_OPT_20250130_CALL_23500"
DAYS = ("20250120", "20250121", "20250122")
CLOSES = {
    **{(CALL, day): price for day, price in zip(DAYS, (205.0, 190.0, 180.0), strict=True)},
    **{("NIFTY", day): price for day, price in zip(DAYS, (23350.0, 23300.0, 23250.0), strict=True)},
}
HALF_CLOSED = {
    "symbol": CALL,
    "entry_time": "2025-01-20 10:00",
    "exit_time": "2025-01-21 10:00",
    "entry_quantity": 150,
    "exit_quantity": -75,
    "entry_price": 200.0,
    "exit_price": 210.0,
}
SHARE = {"symbol": "TCS_STK___", "entry_time": "2025-01-20 10:00", "entry_quantity": 10, "entry_price": 4000.0}
SHARE_CLOSES = {("TCS_STK___", day): price for day, price in zip(DAYS, (4010.0, 4020.0, 4050.0), strict=True)}


def test_the_open_part_keeps_its_drill_down_after_the_day_of_a_partial_close() -> None:
    """The closed part did nothing on that day: it has no prices that could be joined to those of the open one."""
    how: dict[str, Any] = {"historical_cache": CLOSES, "current_time": "2025-01-22 16:00", "detail": True}
    result = calculate_attribution_for_trade(HALF_CLOSED, **how)
    leg = result["per_leg"][CALL]
    assert (leg["quantity"], leg["price0"], leg["price1"], leg["spot0"], leg["spot1"]) == (75, 190, 180, 23300, 23250)
    assert leg["vol0"] > 0.0
    assert leg["sources"]["spot1"]["source"] == "historical_cache"
    assert leg["pnl"] == result["pnl"] == 75 * (180.0 - 190.0)
    assert leg["detail"]["delta_pnl"] == pytest.approx(result["detail"]["delta_pnl"])
    frame = calculate_attribution_for_trades(pd.DataFrame([HALF_CLOSED]), level="leg", **how)
    for name in ("quantity", "price0", "price1", "vol0", "vol1", "spot0", "spot1", "delta_pnl"):
        assert frame[name][0] == (leg["detail"] if name == "delta_pnl" else leg)[name], name


def test_an_exit_beyond_all_calendars_is_one_that_lies_ahead() -> None:
    """Files write "9999-12-31" for a trade that is open; its fees fall on no day that can be asked for."""
    row = {**SHARE, "exit_time": "9999-12-31", "exit_price": 1.0, "mtm": 4030.0, "commission": 20.0}
    how: dict[str, Any] = {"historical_cache": SHARE_CLOSES, "current_time": "2025-01-21 16:00"}
    single = calculate_attribution_for_trade(row, **how)
    assert (single["status"], single["pnl"], single["fees"]) == ("ok", 100.0, 0.0)
    both = calculate_attribution_for_trades([row, SHARE], **how)
    assert [result["status"] for result in both] == ["ok", "ok"]
    assert calculate_attribution_for_trades(pd.DataFrame([row, SHARE]), **how)["pnl"].tolist() == [100.0, 100.0]
    days = attribute_daily([row], **how)
    assert [(day["status"], day["pnl"]) for day in days] == [("ok", 100.0), ("ok", 100.0)]
    assert attribute_daily(pd.DataFrame([row]), **how)["pnl"].tolist() == [100.0, 100.0]


def test_a_combo_across_time_zones_has_no_days() -> None:
    row = {
        "symbol": "NIFTY_OPT_20250227_CALL_23500?1:SPXW_OPT_20250221_CALL_5900?-1",
        "entry_time": "2025-01-20 10:00",
        "exit_time": "2025-01-24 10:00",
        "entry_quantity": 1,
    }
    (result,) = attribute_daily([row], current_time="2025-01-25 12:00")
    assert result["status"] == "invalid_trade"
    assert "one time zone" in result["reason"]
    assert "day=False" in result["reason"]
    frame = attribute_daily(pd.DataFrame([row]), current_time="2025-01-25 12:00")
    assert frame[["status", "reason"]].to_numpy().tolist() == [[result["status"], result["reason"]]]


@pytest.mark.parametrize(("day", "flags"), [("2025-01-16 23:00", False), ("2025-01-17 12:00", True)])
def test_the_eve_of_an_expiry_at_the_open_is_no_expiry(day: str, flags: bool) -> None:
    """No session passes between Thursday's close and Friday's open: time is up, and yet nothing has expired."""
    symbol = "SPX   250117C05900000"
    row = {"symbol": symbol, "entry_time": "2025-01-16 10:00", "entry_quantity": 2, "entry_price": 60.0}
    how: dict[str, Any] = {
        "historical_cache": {(symbol, "20250116"): 55.0, ("SPX", "20250116"): 5937.0},
        "spot_prices": {("SPX", "2025-01-16 10:00"): 5930.0, ("SPX", "2025-01-17 09:30"): 5960.0},
        "current_time": day,
    }
    single = calculate_attribution_for_trade(row, **how)
    assert single["status"] == "ok"
    assert ("expired_in_window" in single["flags"]) is flags
    frame = calculate_attribution_for_trades(pd.DataFrame([row]), **how)
    assert tuple(frame["flags"][0].split()) == tuple(single["flags"]) or list(frame["flags"][0]) == list(
        single["flags"]
    )


@pytest.mark.parametrize("key", [672112769, 672112769.0])
def test_an_order_id_that_a_file_held_as_a_number(key: Any) -> None:
    row = {**HALF_CLOSED, "entry_keys": key, "exit_keys": None}
    how: dict[str, Any] = {"historical_cache": CLOSES, "current_time": "2025-01-22 16:00"}
    plain = calculate_attribution_for_trade({**row, "entry_keys": "672112769"}, **how)
    assert calculate_attribution_for_trade(row, **how) == plain
    assert calculate_attribution_for_trades(pd.DataFrame([row]), **how)["pnl"].tolist() == [plain["pnl"]]


@pytest.mark.parametrize("key", [True, 1.5, 2.0**60])
def test_a_number_that_is_no_order_id(key: Any) -> None:
    with pytest.raises(TradeError, match="entry_keys="):
        calculate_attribution_for_trade({**SHARE, "entry_keys": key}, historical_cache=SHARE_CLOSES)


@pytest.mark.parametrize(
    "value",
    [10**400, 10**5000, Fraction(10**400), Decimal("1e400"), Decimal("sNaN")],
    ids=["large", "larger", "fraction", "decimal", "signalling"],
)
def test_numbers_that_no_double_holds(value: Any) -> None:
    """They are refused by name, or stand for nothing; never a bare error of Python."""
    results = calculate_attribution_for_trades(
        [{**SHARE, "entry_quantity": value}, SHARE], historical_cache=SHARE_CLOSES, current_time="2025-01-21 16:00"
    )
    assert [result["status"] for result in results] == ["invalid_trade", "ok"]
    assert "entry_quantity" in results[0]["reason"]


def test_a_row_that_only_turns_into_a_dict() -> None:
    class Row:
        def to_dict(self) -> dict[str, Any]:
            return SHARE

    how: dict[str, Any] = {"historical_cache": SHARE_CLOSES, "current_time": "2025-01-21 16:00"}
    assert calculate_attribution_for_trade(Row(), **how)["pnl"] == 100.0


def test_no_option_closes_below_zero() -> None:
    with pytest.raises(TradeError, match=r"must be zero or positive"):
        get_historical_close_price(None, CALL, "2025-01-20", historical_cache={(CALL, "20250120"): -5.0})
    assert not math.isnan(get_historical_close_price(None, CALL, "2025-01-20", historical_cache=CLOSES))


def test_the_callers_own_prices_do_not_come_back_as_closes() -> None:
    """One price of a date stands for both ends of a window: that makes no move, however often it is asked."""
    option = "TCS_OPT_20250130_CALL_4100"
    row = {"symbol": option, "entry_time": "2025-01-20 10:00", "entry_quantity": 175, "entry_price": 80.0}
    closes: dict[Any, Any] = {(option, "20250120"): 85.0}
    how: dict[str, Any] = {
        "spot_prices": {("TCS", "NSE", "2025-01-20"): 4120.0},
        "historical_cache": closes,
        "current_time": "2025-01-20 16:00",
    }
    for _ in range(2):
        assert calculate_attribution_for_trade(row, **how)["status"] == "missing_price"
        assert calculate_attribution_for_trades(pd.DataFrame([row]), **how)["status"].tolist() == ["missing_price"]
        assert attribute_daily(pd.DataFrame([row]), **how)["status"].tolist() == ["missing_price"]
    other = {"symbol": "TCS_STK___", "entry_time": "2025-01-17 10:00", "entry_quantity": 1, "entry_price": 4100.0}
    assert calculate_attribution_for_trades([other, row], **how)[1]["status"] == "missing_price"
    assert closes == {(option, "20250120"): 85.0}


@pytest.mark.parametrize(
    "pair",
    [(None, 23500.0), {"spot": None, "forward": {"20250130": 23500.0}}, (None, {pd.Timestamp("2025-01-30"): 23500.0})],
    ids=["pair", "mapping", "timestamp"],
)
def test_a_forward_without_a_spot_plays_the_spot(pair: Any) -> None:
    row = {**HALF_CLOSED, "exit_quantity": None}
    prices = {("NIFTY", "NSE", "2025-01-20 10:00"): pair, ("NIFTY", "NSE", "2025-01-21 10:00"): pair}
    result = calculate_attribution_for_trade(row, spot_prices=prices, day=False)
    assert (result["status"], result["per_leg"][CALL]["plays_spot"]) == ("ok", "future")


def test_a_price_that_is_no_number_is_named_by_symbol_and_instant() -> None:
    prices = {("NIFTY", "NSE", "2025-01-20 10:00"): "n/a", ("NIFTY", "NSE", "2025-01-21 10:00"): 23500.0}
    with pytest.raises(TradeError, match=r"NIFTY_IND___ at 2025-01-20 10:00:00\]='n/a': a number"):
        calculate_attribution_for_trade({**HALF_CLOSED, "exit_quantity": None}, spot_prices=prices, day=False)
