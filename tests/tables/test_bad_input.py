"""What is wrong with a frame is said, at once and by name; what is wrong with a row stays with the row."""

from __future__ import annotations

import math
import time
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from attribution import attribute_daily, calculate_attribution_for_trades, summarise
from attribution.tables.leg_results import LegRows
from attribution.tables.results import TradeRows
from tests.tables.test_equals_rows import AMOUNTS, same

ROW = {
    "symbol": "NIFTY_OPT_20250130_CALL_23500",
    "entry_time": pd.Timestamp("2025-01-06 10:00"),
    "exit_time": pd.Timestamp("2025-01-06 14:00"),
    "entry_quantity": 75.0,
    "entry_price": 150.0,
    "exit_price": 180.0,
    "spot_entry": 23_400.0,
    "spot_exit": 23_460.0,
}
(SINGLE,) = calculate_attribution_for_trades([ROW])


def frame_of(count: int = 3, **cells: Any) -> pd.DataFrame:
    return pd.DataFrame([ROW] * count).assign(**cells)


def assert_like_the_single(frame: pd.DataFrame) -> None:
    for name in AMOUNTS:
        assert all(same(value, SINGLE[name]) for value in frame[name].tolist()), name
    assert set(frame["status"]) == {"ok"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drop": "entry_time"}, r"column 'entry_time' is missing"),
        ({"rename": {"entry_quantity": "quantity"}}, r"'entry_quantity' is missing \(nearest: 'quantity'\)"),
        ({"rename": {"spot_entry": "spot_entri"}}, r"'spot_entri' looks like 'spot_entry' misspelt"),
        ({"rename": {"exit_time": "exit_tme"}}, r"'exit_tme' looks like 'exit_time' misspelt"),
    ],
)
def test_columns_missing_or_misspelt(change: dict[str, Any], message: str) -> None:
    frame = frame_of()
    frame = frame.drop(columns=change["drop"]) if "drop" in change else frame.rename(columns=change["rename"])
    with pytest.raises(ValueError, match=message):
        calculate_attribution_for_trades(frame)


def test_columns_may_have_other_names() -> None:
    renamed = frame_of().rename(columns={"entry_time": "opened", "entry_quantity": "lots", "spot_entry": "und_in"})
    names = {"entry_time": "opened", "entry_quantity": "lots", "spot_entry": "und_in"}
    assert_like_the_single(calculate_attribution_for_trades(renamed, columns=names))
    with pytest.raises(ValueError, match=r"no such field \(nearest: 'entry_time'\)"):
        calculate_attribution_for_trades(renamed, columns={"entry_tim": "opened"})
    with pytest.raises(ValueError, match=r"the trades have no such column \(nearest: 'opened'\)"):
        calculate_attribution_for_trades(renamed, columns={"entry_time": "opend"})
    with pytest.raises(ValueError, match=r"keep='desk': the trades have no such column"):
        calculate_attribution_for_trades(frame_of(), keep=["desk"])
    with pytest.raises(ValueError, match=r"level='day': must be 'trade' or 'leg'"):
        calculate_attribution_for_trades(frame_of(), level="day")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"entry_quantity": [True, False, True]}, r"'entry_quantity' \(entry_quantity\) holds Boolean; numbers"),
        ({"entry_price": pd.Timestamp("2025-01-06")}, r"'entry_price' .* holds Datetime.*; numbers are needed"),
        ({"entry_time": [1, 2, 3]}, r"'entry_time' .* holds Int64; datetimes, dates or texts are needed"),
        ({"exit_time": pd.Timedelta("1D")}, r"'exit_time' .* holds Duration.*; datetimes"),
    ],
)
def test_columns_of_the_wrong_kind(cells: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        calculate_attribution_for_trades(frame_of(**cells))


@pytest.mark.parametrize(
    "cells",
    [
        {"entry_quantity": np.array([75, 75, 75], np.int32)},
        {"entry_quantity": ["75", "75.0", " 75 "]},
        {"entry_quantity": np.array([75.0] * 3, np.float32)},
        {"entry_price": pd.array([150, 150, 150], dtype="Int64")},
        {"symbol": pd.Categorical([ROW["symbol"]] * 3)},
        {"exit_quantity": [None, np.nan, -75.0]},
        {"multiplier": [None, 1.0, 1]},
        {"exchange": ["NSE", "nfo", None]},
        {"side": ["BUY", "long", None]},
        {"entry_time": ["2025-01-06 10:00", "2025-01-06T10:00:00", "2025-01-06T04:30:00Z"]},
        {"entry_time": pd.to_datetime(["2025-01-06 04:30"] * 3, utc=True)},
        {"entry_time": pd.DatetimeIndex(["2025-01-06 10:00"] * 3).as_unit("ns")},
        {"entry_time": [datetime(2025, 1, 6, 10), pd.Timestamp("2025-01-06 10:00"), "2025-01-06 10:00"]},
        {"entry_keys": [None, "", "A1 A2"], "exit_keys": ["B1", None, ""]},
        {"mtm": [np.nan] * 3, "commission": [None] * 3, "trade_id": [None, np.nan, None]},
    ],
)
def test_many_ways_to_say_the_same(cells: dict[str, Any]) -> None:
    assert_like_the_single(calculate_attribution_for_trades(frame_of(**cells)))


def test_times_of_mixed_zones_in_one_column() -> None:
    mixed = [pd.Timestamp("2025-01-06 04:30", tz="UTC"), pd.Timestamp("2025-01-06 10:00", tz="Asia/Kolkata"), None]
    frame = frame_of(entry_time=pd.Series(mixed, dtype=object))
    result = calculate_attribution_for_trades(frame)
    assert_like_the_single(result.head(2))
    assert result["status"].tolist()[2] == "invalid_trade"
    assert "entry_time" in result["reason"].tolist()[2]


@pytest.mark.parametrize("index", [[7, 7, 7], ["a", "b", "a"], [("x", 1), ("x", 2), ("y", 1)]])
def test_the_index_comes_back_as_it_was(index: list[Any]) -> None:
    frame = frame_of()
    frame.index = pd.MultiIndex.from_tuples(index) if isinstance(index[0], tuple) else pd.Index(index, name="id")
    for level, each in (("trade", 1), ("leg", 1)):
        result = calculate_attribution_for_trades(frame, level=level)
        assert result.index.equals(frame.index.repeat(each))
        assert result.index.names == frame.index.names


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "pyarrow"])
@pytest.mark.parametrize("level", ["trade", "leg"])
def test_an_empty_frame_gives_an_empty_one(kind: str, level: str) -> None:
    frame: Any = frame_of().head(0)
    if kind in ("polars", "lazy"):
        frame = pl.from_pandas(frame)
        frame = frame.lazy() if kind == "lazy" else frame
    elif kind == "pyarrow":
        frame = pa.Table.from_pandas(frame, preserve_index=False)
    result = calculate_attribution_for_trades(frame, level=level)
    assert type(result) is type(frame)
    result = result.collect() if kind == "lazy" else result
    assert len(result) == 0
    names = result.column_names if kind == "pyarrow" else list(result.columns)
    full = calculate_attribution_for_trades(frame_of(), level=level)
    assert names == list(full.columns)


def test_rows_that_cannot_be_explained_keep_their_place() -> None:
    frame = frame_of(6)
    frame["symbol"] = [ROW["symbol"], "NOPE", ROW["symbol"], None, ROW["symbol"], "NIFTY_OPT_2025_CALL"]
    frame.loc[2, "spot_exit"] = np.nan
    frame.loc[4, "entry_quantity"] = 0.0
    result = calculate_attribution_for_trades(frame)
    assert result["status"].tolist() == [
        "ok",
        "invalid_trade",
        "no_source",
        "invalid_trade",
        "invalid_trade",
        "invalid_trade",
    ]
    assert np.isnan(result["spot_attrib"].to_numpy()[1:]).all()
    assert result["pnl"].tolist()[2] == SINGLE["pnl"]
    assert all(result["reason"].tolist()[1:])
    counts = result["status"].value_counts()
    assert (counts["ok"], counts["invalid_trade"], counts["no_source"]) == (1, 4, 1)


def test_a_frame_of_nothing_but_bad_symbols_is_soon_done() -> None:
    frame = frame_of(10_000, symbol=[f"NOPE{number}" for number in range(10_000)])
    begun = time.perf_counter()
    result = calculate_attribution_for_trades(frame)
    assert time.perf_counter() - begun < 30.0
    assert set(result["status"]) == {"invalid_trade"}
    assert result["reason"].nunique() == 10_000
    assert result["spot_attrib"].isna().all()


def test_null_columns_and_lists_of_order_ids() -> None:
    frame = frame_of(exit_time=[None] * 3, exit_price=[None] * 3, mtm=[180.0] * 3)
    result = calculate_attribution_for_trades(frame, current_time="2025-01-06 14:00")
    assert_like_the_single(result)
    lists = frame_of(entry_keys=[["A1"], [], ["A2", "A3"]])
    assert_like_the_single(calculate_attribution_for_trades(lists))


def test_a_column_twice_is_refused() -> None:
    frame = frame_of()
    frame.columns = [*frame.columns[:-1], "spot_entry"]
    for call in (calculate_attribution_for_trades, attribute_daily, summarise):
        with pytest.raises(ValueError, match="column 'spot_entry' is there 2 times; name each once"):
            call(frame)


def test_raise_on_missing_names_the_row() -> None:
    from attribution import NoSourceError

    with pytest.raises(NoSourceError, match=ROW["symbol"]):
        calculate_attribution_for_trades(frame_of(spot_exit=np.nan), raise_on_missing=True)


def test_prices_given_for_legs_one_by_one() -> None:
    straddle = "NIFTY_OPT_20250130_CALL_23500?-1:NIFTY_OPT_20250130_PUT_23500?-1"
    row = {**ROW, "symbol": straddle, "entry_price": -300.0, "exit_price": -290.0}
    stated = {**row, "leg1_entry": 150.0, "leg1_exit": 160.0, "leg2_entry": 150.0, "leg2_exit": 130.0}
    dicts = {"NIFTY_OPT_20250130_CALL_23500": (150.0, 160.0), "NIFTY_OPT_20250130_PUT_23500": (150.0, 130.0)}
    result = calculate_attribution_for_trades(pd.DataFrame([stated]))
    (single,) = calculate_attribution_for_trades([row], leg_prices=dicts)
    assert all(same(float(result[name].iloc[0]), single[name]) for name in AMOUNTS)
    assert math.isfinite(single["pnl"])


def test_one_column_cannot_hold_two_underlyings() -> None:
    pair = "NIFTY_OPT_20250130_CALL_23500?1:BANKNIFTY_OPT_20250130_CALL_50000?-1"
    result = calculate_attribution_for_trades(frame_of(symbol=pair))
    assert set(result["status"]) == {"invalid_trade"}
    assert "different underlyings" in result["reason"].iloc[0]


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "pyarrow"])
@pytest.mark.parametrize(
    ("keep", "options", "message"),
    [
        (["pnl"], {}, r"keep='pnl': the results have a column of that name; rename that of the trades"),
        (["desk", "status"], {}, r"keep='status': the results have a column of that name"),
        (["leg"], {"level": "leg"}, r"keep='leg': the results have a column of that name"),
        (["gamma_pnl"], {"detail": True}, r"keep='gamma_pnl': the results have a column of that name"),
        (["desk", "desk"], {}, r"keep=\['desk', 'desk'\]: names 'desk' twice; name each once"),
        ("desk", {}, r"keep='desk': must be a list of names of columns"),
    ],
)
def test_a_column_that_cannot_be_kept_is_refused(kind: str, keep: Any, options: dict[str, Any], message: str) -> None:
    frame: Any = frame_of(desk="a", pnl=999.0, status="fine", leg="x", gamma_pnl=1.0)
    if kind in ("polars", "lazy"):
        frame = pl.from_pandas(frame)
        frame = frame.lazy() if kind == "lazy" else frame
    elif kind == "pyarrow":
        frame = pa.Table.from_pandas(frame, preserve_index=False)
    with pytest.raises(ValueError, match=message):
        calculate_attribution_for_trades(frame, keep=keep, **options)
    with pytest.raises(ValueError, match=message):
        attribute_daily(frame, keep=keep, **options)


def test_the_row_of_a_day_is_not_kept_over() -> None:
    frame = frame_of(row=7)
    assert calculate_attribution_for_trades(frame, keep=["row"])["row"].tolist() == [7, 7, 7]
    with pytest.raises(ValueError, match="keep='row': the results have a column of that name"):
        attribute_daily(frame, keep=["row"])


@pytest.mark.parametrize("level", ["trade", "leg"])
@pytest.mark.parametrize("detail", [False, True])
def test_the_columns_of_results_are_those_that_are_foretold(level: str, detail: bool) -> None:
    rows = LegRows if level == "leg" else TradeRows
    result = calculate_attribution_for_trades(frame_of(), level=level, detail=detail)
    assert list(result.columns) == list(rows.names(detail=detail))
