"""Amounts beyond what a number can hold: no numbers, a reason that names what is too large, and others go on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from attribution import (
    TradeError,
    attribute_daily,
    calculate_attribution_for_trade,
    calculate_attribution_for_trades,
    show,
    summarise,
)
from attribution.dataset import attribute_dataset

CALL, PUT = "NIFTY_OPT_20250130_CALL_23500", "NIFTY_OPT_20250130_PUT_23500"
AMOUNTS = (
    *("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib", "residual"),
    *("pnl", "combo_gap", "fees", "net_pnl"),
)
METHODS = ("waterfall", "shapley", "path", "one_at_a_time", "taylor")
SPOTS = {"spot_entry": 23_400.0, "spot_exit": 23_460.0}
LEGS = {"leg1_entry": 150.0, "leg1_exit": 160.0, "leg2_entry": 150.0, "leg2_exit": 130.0}


def share(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "TCS_STK___",
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-27 14:00",
        "entry_price": 4000.0,
        "exit_price": 4100.0,
        "entry_quantity": 10.0,
        **changes,
    }


def option(**changes: Any) -> dict[str, Any]:
    return share(**{"symbol": CALL, "entry_price": 150.0, "exit_price": 180.0, **SPOTS, **changes})


def combo(**changes: Any) -> dict[str, Any]:
    own = {"symbol": f"{CALL}?-1:{PUT}?1", "entry_price": 0.0, "exit_price": -30.0, "entry_quantity": 75.0}
    return share(**{**own, **SPOTS, **LEGS, **changes})


TOO_LARGE = [
    (share(entry_quantity=1e308, entry_price=1e308), "entry_quantity=1e+308: too large: with entry_price=1e+308"),
    (share(entry_price=1e308, exit_price=4100.0), "entry_price=1e+308: too large: with entry_quantity=10.0"),
    (share(multiplier=1e308), "multiplier=1e+308: too large"),
    (share(entry_quantity=1.7e306, commission=-1.7e308), "commission=-1.7e+308: too large"),
    (option(entry_quantity=1e307), "entry_quantity=1e+307: too large"),
    (option(entry_quantity=1e307, exit_quantity=-5e306), "entry_quantity=1e+307: too large"),
    (option(entry_quantity=1e307, spot_exit=None), "entry_quantity=1e+307: too large"),
    (option(exit_price=1e308, spot_exit=None), "exit_price=1e+308: too large"),
    (combo(entry_quantity=1e307), "entry_quantity=1e+307: too large"),
    (combo(entry_price=-1e308), "entry_price=-1e+308: too large"),
    (combo(leg1_exit=1.5e308, leg2_exit=1.5e308), f"price of {CALL}=1.5e+308: too large"),
    (combo(symbol=f"{CALL}?-1:{PUT}?-1", leg1_exit=1.5e308, leg2_exit=1.5e308), "=1.5e+308: too large"),
]
ROWS = [row for row, _ in TOO_LARGE]


@pytest.mark.parametrize(("row", "told"), TOO_LARGE)
@pytest.mark.parametrize("method", METHODS)
def test_a_trade_that_makes_more_than_a_number_holds_is_no_trade(row: dict[str, Any], told: str, method: str) -> None:
    before, result, after = calculate_attribution_for_trades([share(), row, share()], method=method, detail=True)
    assert result["status"] == "invalid_trade"
    assert told in result["reason"]
    assert all(math.isnan(result[name]) for name in AMOUNTS)
    assert before["pnl"] == after["pnl"] == 1000.0
    with pytest.raises(TradeError, match="too large"):
        calculate_attribution_for_trade(row, method=method)


@pytest.mark.parametrize("level", ["trade", "leg"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("error")
def test_frames_say_so_too(level: str, method: str) -> None:
    singles = calculate_attribution_for_trades(ROWS, method=method)
    frame = calculate_attribution_for_trades(pd.DataFrame(ROWS), method=method, level=level)
    assert frame["status"].tolist() == ["invalid_trade"] * len(ROWS)
    assert frame["reason"].tolist() == [single["reason"] for single in singles]
    assert frame[[name for name in AMOUNTS if name in frame]].isna().all(axis=None)


def test_the_days_say_so_too() -> None:
    row = option(exit_time="2025-01-28 14:00", entry_quantity=1e307)
    closes = {(CALL, "20250127"): 190.0, ("NIFTY_IND___", "20250127"): 23_400.0}
    days = attribute_daily([row], historical_cache=closes)
    assert [day["status"] for day in days] == ["invalid_trade"] * 2
    frame = attribute_daily(pd.DataFrame([row]), historical_cache=closes)
    assert frame["reason"].tolist() == [day["reason"] for day in days]
    assert frame["pnl"].isna().all()


def test_datasets_say_so_too(tmp_path: Path) -> None:
    frame = pd.DataFrame([share(), *ROWS])
    frame.to_parquet(tmp_path / "t.parquet")
    summary = attribute_dataset(tmp_path / "t.parquet", tmp_path / "out")
    assert summary.statuses == {"invalid_trade": len(ROWS), "ok": 1}
    found = pq.read_table(tmp_path / "out" / "t.parquet").to_pandas()
    assert found["pnl"].tolist()[0] == 1000.0
    assert found["pnl"].isna().tolist() == [False, *[True] * len(ROWS)]


def test_large_numbers_that_a_number_can_hold_are_fine() -> None:
    rows = [share(entry_quantity=1e305), share(entry_price=1e306, exit_price=1e306), share(commission=1e308)]
    assert [result["pnl"] for result in calculate_attribution_for_trades(rows)] == [1e307, 0.0, 1000.0]


def test_a_total_beyond_all_numbers_is_unknown() -> None:
    results = calculate_attribution_for_trades([share(entry_quantity=1.5e306)] * 2)
    assert all(result["status"] == "ok" for result in results)
    for totals in (summarise(results), summarise(calculate_attribution_for_trades([share(entry_quantity=1e308)]))):
        assert math.isnan(totals[0]["pnl"])
        assert math.isnan(totals[0]["unexplained_share"])
    (total,) = summarise(results)
    told = str(show(results))
    assert (total["count"], total["missing"]) == (2, 0)
    assert "an amount is larger than a number can hold" in told
    assert "complete" not in told


def test_a_total_with_a_trade_that_is_too_large() -> None:
    results = calculate_attribution_for_trades([share(), ROWS[0]])
    (total,) = summarise(results)
    assert (total["missing"], total["missing_pnl"], total["status"]) == (1, 1, "invalid_trade")
    assert math.isnan(total["pnl"])
    assert math.isnan(total["unexplained_share"])
    assert summarise(results, on_missing="skip")[0]["pnl"] == 1000.0
    assert "invalid_trade: entry_quantity=1e+308: too large" in str(show(results))
