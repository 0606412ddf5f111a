"""The list call: every row keeps its place, says what it says alone, and stops no other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from attribution import TradeError, calculate_attribution_for_trade, calculate_attribution_for_trades

CALL = "NIFTY_OPT_20250130_CALL_23500"
PUT = "NIFTY_OPT_20250130_PUT_23500"
SPOTS = {
    ("NIFTY", "2025-01-27 10:00"): (23400.0, 23460.0),
    ("NIFTY", "2025-01-27 14:00"): (23350.0, 23400.0),
    ("SPY", "US", "2025-01-27 10:00"): 600.0,
    ("SPY", "US", "2025-01-27 14:00"): 601.0,
}
LEGS = {CALL: (120.0, 100.0), PUT: (180.0, 195.0)}


def row(symbol: str = "TCS_STK___", **changes: Any) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-27 14:00",
        "entry_price": 4000.0,
        "exit_price": 4100.0,
        "entry_quantity": 10,
        **changes,
    }


GOOD = [
    row(),
    row(CALL, entry_price=120.0, exit_price=100.0, entry_quantity=75),
    row(f"{CALL}?-1:{PUT}?-1", entry_price=-300.0, exit_price=-294.0, entry_quantity=75, commission=40.0),
    row("SPY250131C00600000", entry_price=5.0, exit_price=5.5, entry_quantity=-2),
    row("NIFTY_FUT_20250130__", entry_price=23460.0, exit_price=23400.0, entry_quantity=-75),
    row(CALL, entry_price=150.0, exit_price=100.0, entry_quantity=25),
]


def explain(rows: Any, **arguments: Any) -> list[dict[str, Any]]:
    return calculate_attribution_for_trades(rows, spot_prices=SPOTS, leg_prices=LEGS, **arguments)


def test_the_results_are_in_the_order_of_the_rows() -> None:
    assert [result["symbol"] for result in explain(GOOD)] == [fields["symbol"] for fields in GOOD]
    assert [result["pnl"] for result in explain(GOOD)] == [1000.0, -1500.0, 450.0, -100.0, 4500.0, -1250.0]


@pytest.mark.parametrize("method", ["waterfall", "shapley", "path", "one_at_a_time", "taylor"])
def test_a_row_in_a_list_is_bit_for_bit_the_row_alone(method: str) -> None:
    listed = explain(GOOD, method=method, detail=True)
    for fields, result in zip(GOOD, listed, strict=True):
        alone = calculate_attribution_for_trade(fields, spot_prices=SPOTS, leg_prices=LEGS, method=method, detail=True)
        # repr tells NaN from numbers and every double from its neighbour.
        assert repr(result) == repr(alone)


def test_the_place_of_a_row_does_not_change_its_numbers() -> None:
    # More rows than one block of the kernels holds, so that each lands in another lane.
    shifted = [GOOD[0]] * 301 + GOOD
    assert repr(explain(shifted)[301:]) == repr(explain(GOOD))


def test_bad_rows_keep_their_places_and_stop_nobody() -> None:
    bad = [
        row("FOO"),
        row(entry_quantity="many"),
        None,
        {"entry_time": "2025-01-27 10:00"},
        row(entry_time="2014-12-30 10:00", exit_time="2014-12-30 11:00"),
        row("BANKNIFTY_OPT_20250130_CALL_50000"),
    ]
    mixed = [item for pair in zip(GOOD, bad, strict=True) for item in pair]
    results = explain(mixed)
    assert repr(results[::2]) == repr(explain(GOOD))
    assert [result["status"] for result in results[1::2]] == [
        "invalid_trade",
        "invalid_trade",
        "invalid_trade",
        "invalid_trade",
        "outside_calendar",
        "missing_price",
    ]
    for result in results[1::2]:
        assert result["reason"]
        assert math.isnan(result["spot_attrib"])


def test_a_bad_row_is_told_by_its_symbol_where_it_has_one() -> None:
    results = explain([row("FOO"), pd.Series(row("FOO")), row(7), None])
    assert [result["symbol"] for result in results] == ["FOO", "FOO", None, None]
    assert results[0]["reason"].startswith("symbol='FOO'")


def test_a_generator_of_rows() -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield from GOOD

    assert repr(explain(rows())) == repr(explain(GOOD))


def test_rows_of_different_kinds() -> None:
    frame = pd.DataFrame([GOOD[0]])
    rows = [GOOD[0], pd.Series(GOOD[0]), next(frame.itertuples(index=False)), frame.iloc[0]]
    results = explain(rows)
    assert [repr(result) for result in results] == [repr(results[0])] * 4


def test_no_rows_no_results() -> None:
    assert explain([]) == []
    assert calculate_attribution_for_trades([]) == []


def test_each_row_is_seen_from_its_own_exit() -> None:
    # Without current_time each row's own exit fixes its session.
    later = row(exit_time="2025-01-28 14:00", exit_price=4200.0)
    first, second = explain([row(), later], historical_cache={("TCS_STK___", "20250127"): 4150.0})
    assert (first["pnl"], second["pnl"]) == (1000.0, 500.0)


def test_one_current_time_for_all() -> None:
    later = row(exit_time="2025-01-28 14:00", exit_price=4200.0)
    closes = {("TCS_STK___", "20250127"): 4150.0}
    results = explain([row(), later], historical_cache=closes, current_time="2025-01-28 16:00")
    assert [result["status"] for result in results] == ["closed", "ok"]
    assert [result["pnl"] for result in results] == [0.0, 500.0]


def test_a_naive_current_time_is_read_on_each_rows_own_clock() -> None:
    # 12:00 in Mumbai for the one, 12:00 in New York for the other.
    rows = [row(), row("SPY_STK___", exchange="US", entry_price=600.0, exit_price=601.0)]
    first, second = explain(
        [{**fields, "exit_time": None, "mtm": fields["exit_price"]} for fields in rows],
        current_time="2025-01-27 12:00",
    )
    assert str(first["window"]["end"]) == "2025-01-27 12:00:00+05:30"
    assert str(second["window"]["end"]) == "2025-01-27 12:00:00-05:00"


def test_a_wrong_current_time_is_not_the_rows_fault() -> None:
    with pytest.raises(TradeError, match="current_time='noon'"):
        explain(GOOD, current_time="noon")
