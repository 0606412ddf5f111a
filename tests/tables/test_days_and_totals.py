"""Frames day by day, and their totals: what the lists say, in frames."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import polars as pl
import pytest

from attribution import attribute_daily, calculate_attribution_for_trades, summarise
from tests.tables.books import Oracle, random_rows
from tests.tables.test_equals_rows import assert_equal_trades, same

NOW = "2025-02-03 11:00"
ROWS = 400
SURE = {"lacks": 0.0, "fails": 0.0, "daily": 0.0}


@pytest.mark.parametrize("span", [(None, None), ("2025-01-10", "2025-01-20"), ("2025-01-25", "2025-01-26")])
@pytest.mark.parametrize("prices", ["columns", "broker"])
def test_days_are_those_of_the_list(span: tuple[Any, Any], prices: str) -> None:
    rows = random_rows(21, ROWS, prices=prices)
    frame = attribute_daily(pd.DataFrame(rows), *span, broker=Oracle(), current_time=NOW)
    days = attribute_daily(rows, *span, broker=Oracle(), current_time=NOW)
    assert frame["row"].tolist() == [day["row"] for day in days]
    assert_equal_trades(frame, days)


def test_the_days_of_a_trade_add_up_to_it() -> None:
    rows = pd.DataFrame(random_rows(22, ROWS, prices="broker"))
    oracle = Oracle(**SURE)
    lives = calculate_attribution_for_trades(rows, broker=oracle, current_time=NOW, day=False)
    days = attribute_daily(rows, broker=oracle, current_time=NOW)
    compared = 0
    for place, pnl in lives.loc[lives["status"] == "ok", "pnl"].items():
        own = days.loc[days["row"] == place]
        if (own["status"] == "ok").all():
            assert math.fsum(own["pnl"]) == pytest.approx(pnl, rel=1e-9, abs=1e-6)
            compared += 1
    assert compared > ROWS / 3


def test_parts_of_a_trade_closed_in_part_add_up() -> None:
    row = {
        "symbol": "NIFTY_OPT_20250130_CALL_23500",
        "entry_time": "2025-01-06 10:00",
        "exit_time": "2025-01-08 11:00",
        "entry_quantity": 300.0,
        "exit_quantity": -100.0,
        "entry_price": 150.0,
        "exit_price": 170.0,
    }
    frame = pd.DataFrame([row, {**row, "exit_quantity": -300.0}])
    oracle = Oracle(**SURE)
    options = {"broker": oracle, "current_time": "2025-01-09 12:00"}
    legs = calculate_attribution_for_trades(frame, level="leg", day=False, **options)
    assert legs["quantity"].tolist() == [300.0, 300.0]
    assert "partly_closed" in str(calculate_attribution_for_trades(frame, day=False, **options)["flags"].iloc[0])
    days = attribute_daily(frame, **options)
    life = calculate_attribution_for_trades(frame, day=False, **options)
    assert math.fsum(days.loc[days["row"] == 0, "pnl"]) == pytest.approx(life["pnl"].iloc[0])


@pytest.mark.parametrize("by", [(), "underlying", "day", ("underlying", "day"), "expiry", "leg"])
@pytest.mark.parametrize("on_missing", ["nan", "skip"])
def test_totals_are_those_of_the_list(by: Any, on_missing: Any) -> None:
    rows = random_rows(23, ROWS, prices="broker")
    options: dict[str, Any] = {"broker": Oracle(), "current_time": NOW}
    per_leg = {"underlying", "expiry", "leg"} & {*([by] if isinstance(by, str) else by)}
    frame = attribute_daily(pd.DataFrame(rows), level="leg" if per_leg else "trade", **options)
    totals = summarise(frame, by, on_missing=on_missing)
    expected = summarise(attribute_daily(rows, **options), by, on_missing=on_missing)
    names = [by] if isinstance(by, str) else list(by)
    own = {tuple(_plain(row[name]) for name in names): row for row in totals.to_dict("records")}
    assert len(own) == len(totals) == len(expected)
    for group in expected:
        told = own[tuple(group[name] for name in names)]
        for field in ("pnl", "spot_attrib", "vol_attrib", "fees", "net_pnl", "missing_pnl", "unexplained_share"):
            assert same(told[field], group[field]), field
        assert told["status"] == group["status"]


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.date() if isinstance(value, pd.Timestamp) else value


def test_a_column_that_was_kept_groups_too() -> None:
    rows = random_rows(24, ROWS, closed=True)
    for number, row in enumerate(rows):
        row["strategy"] = ("alpha", "beta", None)[number % 3]
    for frame in (pd.DataFrame(rows), pl.DataFrame(rows, infer_schema_length=None)):
        results = calculate_attribution_for_trades(frame, broker=Oracle(**SURE), keep=["strategy"])
        totals = summarise(results, ["strategy", "status"], on_missing="skip")
        assert type(totals) is type(frame)
        assert sum(totals["count"]) == ROWS
        assert set(totals["strategy"]) >= {"alpha", "beta"}
        whole = summarise(results, on_missing="skip")
        assert math.fsum(totals["pnl"]) == pytest.approx(whole["pnl"][0])


def test_a_grouping_that_is_not_there_is_told() -> None:
    frame = pd.DataFrame(random_rows(25, 5))
    results = calculate_attribution_for_trades(frame)
    with pytest.raises(ValueError, match=r"by='leg': the results have no such column; results leg by leg"):
        summarise(results, "leg")
    with pytest.raises(ValueError, match=r"column 'spot_attrib' is missing"):
        summarise(frame, "symbol")
    assert len(summarise(results.head(0))) == 0
