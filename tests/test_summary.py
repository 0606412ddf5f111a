"""Totals: whatever the grouping, the groups add up to the grand total, and what is unknown is told."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest

from attribution import attribute_daily, calculate_attribution_for_trades, summarise
from attribution.summary import GROUPINGS

CALL = "NIFTY_OPT_20250130_CALL_23500"
PUT = "NIFTY_OPT_20250130_PUT_23500"
FUTURE = "NIFTY_FUT_20250227__"
AMOUNTS = (
    "spot_attrib",
    "vol_attrib",
    "timedecay_attrib",
    "spread_attrib",
    "residual",
    "pnl",
    "fees",
    "net_pnl",
)
SPOTS = {("NIFTY", "2025-01-27 10:00"): 23400.0, ("NIFTY", "2025-01-27 14:00"): 23350.0}
LEGS = {CALL: (120.0, 100.0), PUT: (180.0, 195.0)}


def row(symbol: str, entry: float | None, leave: float | None, quantity: float, **changes: Any) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-27 14:00",
        "entry_price": entry,
        "exit_price": leave,
        "entry_quantity": quantity,
        **changes,
    }


# P&L: 5 points + a gap of 1 on 75; −20 on 25; spot −50 and basis −10 on −75; 10 on 10.
ROWS = [
    row(f"{CALL}?-1:{PUT}?-1", -300.0, -294.0, 75, commission=40.0, trade_id="straddle"),
    row(CALL, 120.0, 100.0, 25, commission=5.0),
    row(FUTURE, 23460.0, 23400.0, -75, trade_id="hedge"),
    row("TCS_STK___", 4000.0, 4010.0, 10, trade_id="hedge"),
]


def results(rows: list[dict[str, Any]] = ROWS) -> list[dict[str, Any]]:
    return calculate_attribution_for_trades(rows, spot_prices=SPOTS, leg_prices=LEGS)


def keyed(by: Any, **arguments: Any) -> dict[Any, dict[str, Any]]:
    names = (by,) if isinstance(by, str) else by
    groups = summarise(results(), by, **arguments)
    return {tuple(g[name] for name in names) if len(names) > 1 else g[names[0]]: g for g in groups}


def test_the_grand_total() -> None:
    (total,) = summarise(results())
    assert (total["pnl"], total["fees"], total["net_pnl"]) == (450.0 - 500.0 + 4500.0 + 100.0, 45.0, 4505.0)
    assert (total["count"], total["missing"], total["missing_pnl"], total["status"]) == (4, 0, 0, "ok")
    assert set(total) == {*AMOUNTS, "count", "missing", "missing_pnl", "unexplained_share", "status"}
    assert total["unexplained_share"] < 1e-12
    parts = math.fsum(total[name] for name in AMOUNTS[:5])
    assert parts == pytest.approx(total["pnl"], abs=1e-9)


@pytest.mark.parametrize(
    "by", [*GROUPINGS, ("underlying", "expiry"), ("day", "trade", "leg"), ("expiry", "day"), list(GROUPINGS)]
)
def test_the_groups_add_up_to_the_grand_total(by: Any) -> None:
    (total,) = summarise(results())
    groups = summarise(results(), by)
    assert len(groups) > 1 or by == "day"
    for name in AMOUNTS:
        assert math.fsum(group[name] for group in groups) == pytest.approx(total[name], abs=1e-9), name


def test_by_trade_a_label_joins_and_the_rest_stand_alone() -> None:
    groups = keyed("trade")
    # The second row has no label: its place stands for it.
    assert {key: group["pnl"] for key, group in groups.items()} == {"straddle": 450.0, 1: -500.0, "hedge": 4600.0}
    assert [group["count"] for group in groups.values()] == [1, 1, 2]
    assert groups["straddle"]["net_pnl"] == 410.0


def test_by_leg_the_combo_gap_and_the_fees_belong_to_none() -> None:
    groups = keyed("leg")
    # The call is in two trades: +1500 short, −500 long.
    assert {key: group["pnl"] for key, group in groups.items()} == {
        CALL: 1000.0,
        PUT: -1125.0,
        None: 75.0,
        FUTURE: 4500.0,
        "TCS_STK___": 100.0,
    }
    assert (groups[None]["spread_attrib"], groups[None]["fees"], groups[None]["net_pnl"]) == (75.0, 45.0, 30.0)
    assert (groups[CALL]["fees"], groups[CALL]["net_pnl"]) == (0.0, 1000.0)


def test_by_underlying() -> None:
    groups = keyed("underlying")
    assert {key: group["pnl"] for key, group in groups.items()} == {
        "NIFTY_IND___": 1000.0 - 1125.0 + 4500.0,
        None: 75.0,
        "TCS_STK___": 100.0,
    }


def test_by_expiry_a_share_has_none() -> None:
    groups = keyed("expiry")
    assert {key: group["pnl"] for key, group in groups.items()} == {
        date(2025, 1, 30): -125.0,
        # The combo gap and the share: neither expires.
        None: 175.0,
        date(2025, 2, 27): 4500.0,
    }


def test_by_two_names_the_keys_come_in_their_order() -> None:
    groups = summarise(results(), ("expiry", "underlying"))
    assert list(groups[0])[:2] == ["expiry", "underlying"]
    assert (groups[0]["expiry"], groups[0]["underlying"]) == (date(2025, 1, 30), "NIFTY_IND___")


def test_groups_come_in_order_of_first_appearance() -> None:
    assert [group["trade"] for group in summarise(results(), "trade")] == ["straddle", 1, "hedge"]


def test_by_day_over_the_life_of_trades() -> None:
    rows = [
        row("TCS_STK___", 4000.0, 4100.0, 10, exit_time="2025-01-28 14:00"),
        row("INFY_STK___", 1800.0, 1790.0, 20, entry_time="2025-01-28 10:00", exit_time="2025-01-28 14:00"),
    ]
    days = attribute_daily(rows, historical_cache={("TCS_STK___", "20250127"): 4050.0}, current_time="2025-01-31 12:00")
    assert {g["day"]: g["pnl"] for g in summarise(days, "day")} == {date(2025, 1, 27): 500.0, date(2025, 1, 28): 300.0}
    # Unlabelled rows are told apart by their place among the rows, not among the results.
    assert {g["trade"]: g["pnl"] for g in summarise(days, "trade")} == {0: 1000.0, 1: -200.0}


def with_missing() -> list[dict[str, Any]]:
    unknown_split = row("BANKNIFTY_OPT_20250130_CALL_50000", 100.0, 110.0, 10, trade_id="split")
    unknown_pnl = row("BANKNIFTY_OPT_20250130_CALL_50000", 100.0, None, 10, trade_id="price")
    return results([*ROWS[1:2], unknown_split, unknown_pnl, row("FOO", 1.0, 2.0, 1)])


def test_a_total_with_an_unknown_part_is_unknown() -> None:
    (total,) = summarise(with_missing())
    for name in AMOUNTS:
        assert math.isnan(total[name]), name
    assert (total["count"], total["missing"], total["missing_pnl"]) == (4, 3, 2)
    assert total["status"] == "invalid_trade"


def test_skip_adds_up_what_is_known_and_still_counts_the_rest() -> None:
    (total,) = summarise(with_missing(), on_missing="skip")
    (known,) = summarise(results(ROWS[1:2]))
    for name in ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib"):
        assert total[name] == known[name]
    # −500 and, of the trade whose split is unknown, +100.
    assert (total["pnl"], total["fees"]) == (-400.0, 5.0)
    assert (total["count"], total["missing"], total["missing_pnl"]) == (4, 3, 2)
    assert total["status"] == "invalid_trade"


def test_an_unknown_group_leaves_the_others_known() -> None:
    groups = {g["trade"]: g for g in summarise(with_missing(), "trade")}
    assert groups[0]["pnl"] == -500.0
    assert groups["split"]["pnl"] == 100.0
    assert math.isnan(groups["split"]["spot_attrib"])
    assert math.isnan(groups["price"]["pnl"])


def test_a_row_without_legs_stands_beside_them() -> None:
    groups = {g["leg"]: g for g in summarise(with_missing(), "leg")}
    assert groups[None]["status"] == "invalid_trade"
    assert math.isnan(groups[None]["pnl"])
    assert groups[CALL]["pnl"] == -500.0


def test_a_missing_leg_does_not_hide_its_neighbour() -> None:
    combo = row(f"{CALL}?-1:{PUT}?-1", None, None, 75)
    found = calculate_attribution_for_trades([combo], spot_prices=SPOTS, leg_prices={CALL: (120.0, 100.0)})
    groups = {g["leg"]: g for g in summarise(found, "leg")}
    assert groups[CALL]["pnl"] == 1500.0
    assert groups[PUT]["status"] == "missing_price"
    assert math.isnan(groups[PUT]["pnl"])


def test_a_generator_of_results() -> None:
    assert repr(summarise(result for result in results())) == repr(summarise(results()))


def test_results_are_not_written_to() -> None:
    given = results()
    summarise(given, GROUPINGS)
    assert repr(given) == repr(results())


@pytest.mark.parametrize("by", ["symbol", ("day", "strategy"), "days"])
def test_an_unknown_grouping_is_named(by: Any) -> None:
    with pytest.raises(ValueError, match=r"by='(symbol|strategy|days)': must be one of 'trade', 'leg'"):
        summarise(results(), by)


@pytest.mark.parametrize("value", ["zero", "drop", None, 0])
def test_an_unknown_treatment_of_the_missing_is_named(value: Any) -> None:
    with pytest.raises(ValueError, match="on_missing="):
        summarise(results(), on_missing=value)


def test_the_arguments_are_checked_before_the_results_are_read() -> None:
    with pytest.raises(ValueError, match="by="):
        summarise([], "symbol")


def test_nothing_is_nothing() -> None:
    assert summarise([], "trade") == []


def test_the_share_that_no_cause_explains() -> None:
    known = results()
    unsplit = {**known[0], "pnl": -1_000.0, "status": "missing_price", **dict.fromkeys(AMOUNTS[:5], math.nan)}
    gross = math.fsum(abs(result[name]) for result in known for name in AMOUNTS[:4])
    (total,) = summarise([*known, unsplit])
    assert total["unexplained_share"] == pytest.approx(1_000.0 / (gross + 1_000.0))
    unknown = {**unsplit, "pnl": math.nan}
    assert math.isnan(summarise([*known, unknown])[0]["unexplained_share"])
    assert summarise([*known, unknown], on_missing="skip")[0]["unexplained_share"] < 1e-12
    assert summarise([{**known[0], **dict.fromkeys(AMOUNTS, 0.0)}])[0]["unexplained_share"] == 0.0


@pytest.mark.parametrize("results", [None, 7, "pnl", {"pnl": 1.0}, [None], ["pnl"]])
def test_what_is_no_result_is_refused(results: Any) -> None:
    with pytest.raises(TypeError, match="must be a list of what the attribution calls returned, or a frame of it"):
        summarise(results)
