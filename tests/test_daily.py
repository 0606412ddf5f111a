"""A trade day by day: which sessions it has, and that the days add up to the trade."""

from __future__ import annotations

import math
from datetime import date
from itertools import pairwise
from typing import Any

import pandas as pd
import polars as pl
import pytest

from attribution import (
    TradeError,
    attribute_daily,
    calculate_attribution_for_trade,
    calculate_attribution_for_trades,
)
from tests.market.recorded import RecordedBroker

CALL = "NIFTY_OPT_20250130_CALL_23500"
EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")


def share(**changes: Any) -> dict[str, Any]:
    """Ten TCS over Mahashivratri: Monday 24 February 2025 to Friday 28th, 4000 → 4100; Wednesday is closed."""
    return {
        "symbol": "TCS_STK___",
        "entry_time": "2025-02-24 10:00",
        "exit_time": "2025-02-28 14:00",
        "entry_price": 4000.0,
        "exit_price": 4100.0,
        "entry_quantity": 10,
        **changes,
    }


CLOSES = {
    ("TCS_STK___", "20250224"): 4010.0,
    ("TCS_STK___", "20250225"): 3990.0,
    ("TCS_STK___", "20250227"): 4050.0,
    ("TCS_STK___", "20250228"): 4080.0,
}
NOW = "2025-03-05 12:00"


def daily(row: Any, *bounds: Any, **arguments: Any) -> list[tuple[date, float]]:
    arguments = {"historical_cache": CLOSES, "current_time": NOW, **arguments}
    results = attribute_daily([row], *bounds, **arguments)
    return [(result["session"], result["pnl"]) for result in results]


def days(*numbers: int) -> list[date]:
    return [date(2025, 2, number) for number in numbers]


def test_one_result_per_session_of_its_life() -> None:
    # 10, −20, 60 and 50 points on ten; nothing on the holiday.
    assert daily(share()) == list(zip(days(24, 25, 27, 28), [100.0, -200.0, 600.0, 500.0], strict=True))


def test_the_days_chain_at_the_closes() -> None:
    results = attribute_daily([share()], historical_cache=CLOSES, current_time=NOW)
    ends = [(r["window"]["start_price"], r["window"]["end_price"]) for r in results]
    assert ends == [("fill", "close"), ("close", "close"), ("close", "close"), ("close", "fill")]
    for before, after in pairwise(results):
        assert after["window"]["start"] == before["window"]["end"]


def test_the_days_add_up_to_the_trade() -> None:
    whole = calculate_attribution_for_trade(share(commission=40.0), day=False)
    results = attribute_daily([share(commission=40.0)], historical_cache=CLOSES, current_time=NOW)
    for name in ("pnl", "fees", "net_pnl"):
        assert math.fsum(result[name] for result in results) == whole[name]
    assert [result["fees"] for result in results] == [0.0, 0.0, 0.0, 40.0]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2025-02-25", "2025-02-27", days(25, 27)),
        ("2025-02-26", None, days(27, 28)),
        (None, "2025-02-26", days(24, 25)),
        (date(2025, 2, 25), date(2025, 2, 25), days(25)),
        ("2025-02-26", "2025-02-26", []),
        ("2025-03-01", None, []),
        (None, "2025-02-23", []),
        ("2020-01-01", "2030-01-01", days(24, 25, 27, 28)),
        ("", "", days(24, 25, 27, 28)),
    ],
)
def test_a_range_of_days(start: Any, end: Any, expected: list[date]) -> None:
    assert [day for day, _ in daily(share(), start, end)] == expected


@pytest.mark.parametrize("kind", [list, pd.DataFrame])
def test_a_range_that_ends_before_it_begins_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match="start='2025-02-27', end='2025-02-25': start must not be after end"):
        attribute_daily(kind([share()]), "2025-02-27", "2025-02-25", historical_cache=CLOSES, current_time=NOW)


@pytest.mark.parametrize("rows", [share(), pd.Series(share()), pl.Series([1.0]), "TCS_STK___", b"TCS", None, 7])
def test_what_holds_no_rows_is_refused(rows: Any) -> None:
    told = f"rows is of type {type(rows).__name__}: must be a list of rows or a data frame"
    for call in (attribute_daily, calculate_attribution_for_trades):
        with pytest.raises(TypeError, match=told):
            call(rows, historical_cache=CLOSES, current_time=NOW)


def test_a_day_of_a_range_says_what_the_single_call_says() -> None:
    (result,) = attribute_daily([share()], "2025-02-25", "2025-02-25", historical_cache=CLOSES, current_time=NOW)
    single = calculate_attribution_for_trade(share(), historical_cache=CLOSES, current_time="2025-02-25 18:00")
    assert result.pop("row") == 0
    assert repr(result) == repr(single)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2025-02-24 09:00", []),
        ("2025-02-24 18:00", days(24)),
        ("2025-02-26 12:00", days(24, 25)),
        ("2025-02-27 18:00", days(24, 25, 27)),
        ("2025-02-28 14:00", days(24, 25, 27, 28)),
    ],
)
def test_nothing_is_known_beyond_the_current_time(now: str, expected: list[date]) -> None:
    assert [day for day, _ in daily(share(), current_time=now)] == expected


def test_an_open_trade_runs_to_the_current_time() -> None:
    broker = RecordedBroker(quotes={"TCS_STK___": 4060.0})
    row = share(exit_time=None, exit_price=None)
    found = daily(row, current_time="2025-02-28 11:00", broker=broker)
    assert found == list(zip(days(24, 25, 27, 28), [100.0, -200.0, 600.0, 100.0], strict=True))


def test_an_open_trade_in_the_evening_ends_at_the_close() -> None:
    row = share(exit_time=None, exit_price=None)
    assert daily(row, current_time="2025-02-28 18:00")[-1] == (date(2025, 2, 28), 300.0)


@pytest.mark.parametrize(
    ("entry", "leave", "first", "last"),
    [
        pytest.param("2025-02-24 15:47", "2025-02-28 14:00", 24, 28, id="late-entry"),
        pytest.param("2025-02-24 09:05", "2025-02-28 14:00", 24, 28, id="pre-open-entry"),
        pytest.param("2025-02-26 12:00", "2025-02-28 14:00", 27, 28, id="entry-on-a-holiday"),
        pytest.param("2025-02-23 12:00", "2025-02-28 14:00", 24, 28, id="entry-on-a-sunday"),
        pytest.param("2025-02-24 10:00", "2025-02-28 15:47", 24, 28, id="late-exit"),
        pytest.param("2025-02-24 10:00", "2025-02-28 09:05", 24, 28, id="pre-open-exit"),
        pytest.param("2025-02-24 10:00", "2025-02-26 12:00", 24, 27, id="exit-on-a-holiday"),
    ],
)
def test_odd_fills_stay_on_their_day_and_the_days_tile_the_life(entry: str, leave: str, first: int, last: int) -> None:
    row = share(entry_time=entry, exit_time=leave)
    found = daily(row)
    assert (found[0][0], found[-1][0]) == (date(2025, 2, first), date(2025, 2, last))
    assert math.fsum(pnl for _, pnl in found) == 1000.0


def test_a_muhurat_evening_is_a_day() -> None:
    row = share(entry_time="2024-10-31 10:00", exit_time="2024-11-04 11:00")
    closes = {("TCS_STK___", "20241031"): 4010.0, ("TCS_STK___", "20241101"): 4030.0}
    assert daily(row, historical_cache=closes) == [
        (date(2024, 10, 31), 100.0),
        (date(2024, 11, 1), 200.0),
        (date(2024, 11, 4), 700.0),
    ]


# Expiry inside

SPOTS = {("NIFTY", "2025-01-29 10:00"): 23400.0}
INDEX = {("NIFTY_IND___", "20250129"): 23450.0, ("NIFTY_IND___", "20250130"): 23555.5}


def option(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": CALL,
        "entry_time": "2025-01-29 10:00",
        "entry_price": 70.0,
        "entry_quantity": 75,
        **changes,
    }


def test_a_trade_ends_with_its_last_expiry() -> None:
    results = attribute_daily(
        [option()], current_time=NOW, spot_prices=SPOTS, historical_cache={**INDEX, (CALL, "20250129"): 80.0}
    )
    # 70 → 80 at the close of Wednesday → 55.5 at the payoff; nothing on the Friday after.
    assert [(r["session"], r["pnl"], r["status"]) for r in results] == [
        (date(2025, 1, 29), 750.0, "ok"),
        (date(2025, 1, 30), 75 * -24.5, "ok"),
    ]
    assert results[-1]["per_leg"][CALL]["window"]["end_price"] == "payoff"
    for result in results:
        assert math.fsum(result[name] for name in EFFECTS) == pytest.approx(result["pnl"], abs=1e-9)


def test_a_leg_that_expires_first_leaves_the_other_days() -> None:
    row = option(symbol=f"{CALL}?-1:TCS_STK___?1", exit_time="2025-01-31 11:00", entry_price=None, entry_quantity=10)
    closes = {
        **INDEX,
        (CALL, "20250129"): 80.0,
        ("TCS_STK___", "20250129"): 4010.0,
        ("TCS_STK___", "20250130"): 4020.0,
    }
    results = attribute_daily(
        [row],
        current_time=NOW,
        spot_prices=SPOTS,
        historical_cache=closes,
        leg_prices={CALL: (70.0, None), "TCS_STK___": (4000.0, 4050.0)},
    )
    # Short call: −10, then +24.5, then nothing. Share: +10, +10, +30.
    assert [(r["status"], r["pnl"]) for r in results] == [("ok", 0.0), ("ok", 345.0), ("ok", 300.0)]
    assert [r["per_leg"][CALL]["status"] for r in results] == ["ok", "ok", "expired"]


# Partly closed


def test_a_partly_closed_trade_lives_on() -> None:
    row = share(exit_time="2025-02-25 14:00", exit_price=4000.0, exit_quantity=-4)
    broker = RecordedBroker(quotes={"TCS_STK___": 4060.0})
    found = daily(row, current_time="2025-02-28 11:00", broker=broker)
    # Ten to 4010; four leave at 4000 and six go on to 3990; six to 4050, six to 4060.
    assert found == list(zip(days(24, 25, 27, 28), [100.0, 4 * -10.0 + 6 * -20.0, 6 * 60.0, 6 * 10.0], strict=True))


# Many rows


def test_each_result_tells_the_place_of_its_row() -> None:
    rows = [share(), {"symbol": "FOO"}, share(entry_time="2025-02-28 10:00"), share(entry_time="2026-01-05 10:00")]
    rows[3]["exit_time"] = None
    results = attribute_daily(rows, historical_cache=CLOSES, current_time=NOW)
    assert [(r["row"], r["status"]) for r in results] == [
        (0, "ok"),
        (0, "ok"),
        (0, "ok"),
        (0, "ok"),
        (1, "invalid_trade"),
        (2, "ok"),
        # The fourth opens after all that is known: no session, no result.
    ]
    assert results[4]["session"] is None


def test_a_row_before_the_calendar_has_one_result_that_says_so() -> None:
    row = share(entry_time="2014-12-30 10:00", exit_time="2014-12-31 11:00")
    (result,) = attribute_daily([row], current_time=NOW)
    assert (result["row"], result["status"]) == (0, "outside_calendar")


def test_a_missing_close_is_told_on_both_of_its_days_and_no_other() -> None:
    closes = {key: value for key, value in CLOSES.items() if key[1] != "20250225"}
    results = attribute_daily([share()], historical_cache=closes, current_time=NOW)
    assert [r["status"] for r in results] == ["ok", "missing_price", "missing_price", "ok"]


def test_no_rows_no_days() -> None:
    assert attribute_daily([]) == []


@pytest.mark.parametrize("field", ["start", "end", "current_time"])
def test_a_bound_that_cannot_be_read_is_named(field: str) -> None:
    with pytest.raises(TradeError, match=f"{field}='soon'"):
        attribute_daily([share()], **{field: "soon"})
