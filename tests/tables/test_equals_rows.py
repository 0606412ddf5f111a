"""A frame gives, bit for bit, what its rows give one by one: thousands of random trades of every kind, good and bad."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import attribution.tables.engine as engine
from attribution import calculate_attribution_for_trades
from attribution.kernels.results import LegDetail
from attribution.market.fixed import PriceTable
from tests.tables.books import LEVELS, Oracle, random_rows

AMOUNTS = (
    *("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib", "residual"),
    *("pnl", "combo_gap", "fees", "net_pnl"),
)
LEG_NUMBERS = (
    *("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib", "residual", "pnl", "quantity", "multiplier"),
    *("price0", "price1", "vol0", "vol1", "spot0", "spot1", "forward0", "forward1"),
)
NOW = "2025-01-20 12:00"
ROWS = 1_200

CALLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "columns, the day of the exit": ({"closed": True}, {}),
    "columns, a day": ({}, {"current_time": NOW}),
    "columns, a life": ({}, {"current_time": NOW, "day": False}),
    "broker, the day of the exit": ({"closed": True, "prices": "broker"}, {"broker": True}),
    "columns and a broker": ({}, {"current_time": NOW, "broker": True}),
    "broker, a day": ({"prices": "broker"}, {"current_time": NOW, "broker": True}),
    "broker, a life, carry": ({"prices": "broker"}, {"current_time": NOW, "broker": True, "day": False, "rate": 0.05}),
    "broker, calendar clock": ({"prices": "broker"}, {"current_time": NOW, "broker": True, "clock": "calendar"}),
    "taylor": ({}, {"current_time": NOW, "broker": True, "method": "taylor", "day": False}),
    "shapley, detail": ({}, {"current_time": NOW, "broker": True, "method": "shapley", "detail": True}),
    "path": ({}, {"current_time": NOW, "broker": True, "method": "path", "steps": 3, "price_tick": 0.05}),
    "after all is over": ({}, {"current_time": "2025-04-01 12:00", "broker": True}),
    "on a holiday": ({}, {"current_time": "2025-01-26 12:00", "broker": True}),
}


def same(left: object, right: object) -> bool:
    """Whether two numbers have the same bits, or are both unknown."""
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return left == right


def options_of(call: dict[str, Any]) -> dict[str, Any]:
    options = dict(call)
    if options.pop("broker", False):
        options["broker"] = Oracle()
    return options


def plain(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows)


def assert_equal_trades(frame: pd.DataFrame, singles: list[dict[str, Any]]) -> None:
    assert len(frame) == len(singles)
    for told, single in zip(frame.to_dict("records"), singles, strict=True):
        for name in AMOUNTS:
            assert same(float(told[name]), float(single[name])), (name, told, single)
        assert told["status"] == single["status"]
        assert told["flags"] == " ".join(single["flags"])
        assert told["reason"] == single["reason"]
        window, session = single["window"], single["session"]
        assert pd.isna(told["start"]) == (window is None)
        if window is not None:
            assert (told["start"], told["end"]) == (window["start"], window["end"])
            assert (told["start_price"], told["end_price"]) == (window["start_price"], window["end_price"])
        assert pd.isna(told["session"]) == (session is None)
        assert session is None or told["session"].date() == session
        for name in LegDetail._fields:  # of a trade without a living leg the single call tells no terms
            assert name not in (single.get("detail") or {}) or same(told[name], single["detail"][name]), name


@pytest.mark.parametrize("name", CALLS)
def test_trades(name: str) -> None:
    kinds, call = CALLS[name]
    rows = random_rows(len(name), ROWS, **kinds)
    frame = calculate_attribution_for_trades(plain(rows), **options_of(call))
    singles = calculate_attribution_for_trades(rows, **options_of(call))
    assert sum(single["status"] == "ok" for single in singles) > 10 or "over" in name
    assert_equal_trades(frame, singles)


@pytest.mark.parametrize("name", ["columns, a day", "broker, a life, carry", "shapley, detail"])
def test_legs(name: str) -> None:
    kinds, call = CALLS[name]
    rows = random_rows(7, 500, **kinds)
    frame = calculate_attribution_for_trades(plain(rows), level="leg", **options_of(call))
    singles = calculate_attribution_for_trades(rows, **options_of(call))
    for place, single in enumerate(singles):
        own = frame.loc[[place]].to_dict("records")
        legs = [leg for leg in own if not pd.isna(leg["leg"])]
        assert [leg["leg"] for leg in legs] == list(single["per_leg"])
        for told, leg in zip(legs, single["per_leg"].values(), strict=True):
            for field in LEG_NUMBERS:
                assert same(float(told[field]), float(leg[field])), (field, told, leg)
            assert told["status"] == leg["status"]
            assert told["flags"] == " ".join(leg["flags"])
            assert told["plays_spot"] == leg["plays_spot"] or (
                leg["plays_spot"] is None and pd.isna(told["plays_spot"])
            )
            assert told["end"] == leg["window"]["end"]
        if legs:  # what belongs to no leg stands beside them: together they are the trade
            for field in ("pnl", "spread_attrib", "fees", "net_pnl"):
                total = math.fsum(leg[field] for leg in own)
                assert same(total, single[field]) or math.isclose(total, single[field], rel_tol=1e-15, abs_tol=1e-9)
        else:
            assert len(own) == 1
            assert math.isnan(own[0]["pnl"])


def test_most_rows_go_as_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    singly: list[int] = []
    original = engine._explain_singly

    def spy(book: Any, looks: Any, places: Any, *rest: Any, **named: Any) -> None:
        singly.append(len(places))
        original(book, looks, places, *rest, **named)

    monkeypatch.setattr(engine, "_explain_singly", spy)
    broker = Oracle(lacks=0.0, fails=0.0, daily=0.0)
    calculate_attribution_for_trades(plain(random_rows(3, ROWS, prices="broker")), broker=broker, current_time=NOW)
    assert 0 < singly[0] < ROWS / 3


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("threads", [1, 3])
def test_neither_chunks_nor_threads_matter(chunk: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = plain(random_rows(11, 300))
    whole = calculate_attribution_for_trades(frame, broker=Oracle(), current_time=NOW)
    monkeypatch.setattr(engine, "CHUNK", chunk)
    parts = calculate_attribution_for_trades(frame, broker=Oracle(), current_time=NOW, threads=threads)
    for name in AMOUNTS:
        assert parts[name].to_numpy().tobytes() == whole[name].to_numpy().tobytes()
    assert parts["reason"].tolist() == whole["reason"].tolist()
    assert parts["flags"].cat.codes.tolist() == whole["flags"].cat.codes.tolist()


@pytest.mark.parametrize("kind", ["polars", "lazy", "pyarrow", "text times", "categories"])
def test_every_kind_of_frame_says_the_same(kind: str) -> None:
    rows = random_rows(5, 400)
    pandas = plain(rows)
    whole = calculate_attribution_for_trades(pandas, broker=Oracle(), current_time=NOW)
    other: Any = pandas
    if kind in ("polars", "lazy"):
        other = pl.DataFrame(rows, infer_schema_length=None)
        other = other.lazy() if kind == "lazy" else other
    elif kind == "pyarrow":
        other = pa.Table.from_pylist(rows)
    elif kind == "text times":
        other = pandas.assign(
            entry_time=pandas["entry_time"].dt.strftime("%Y-%m-%d %H:%M"),
            exit_time=pandas["exit_time"].dt.strftime("%Y-%m-%d %H:%M:%S").fillna(""),
        )
    else:
        other = pandas.astype({"symbol": "category"})
    result = calculate_attribution_for_trades(other, broker=Oracle(), current_time=NOW)
    if kind == "lazy":
        assert isinstance(result, pl.LazyFrame)
        result = result.collect()
    assert type(result) is (pl.DataFrame if kind == "lazy" else type(other))
    cells = result if isinstance(result, pd.DataFrame) else result.to_pandas() if kind == "pyarrow" else None
    for name in (*AMOUNTS, "status"):
        own = cells[name].tolist() if cells is not None else result[name].to_list()
        assert all(map(same, own, whole[name].tolist())), name


def test_each_distinct_question_is_asked_once() -> None:
    broker = Oracle()
    rows = random_rows(6, 500, prices="broker")
    calculate_attribution_for_trades(plain(rows * 3), broker=broker, current_time=NOW)
    assert len(broker.asked) == len(set(broker.asked))


def test_the_row_apis_dicts_serve_a_frame_too() -> None:
    rows = random_rows(8, 300)
    spots = {}
    for row in rows:
        name = next((each for each in LEVELS if each in str(row["symbol"])), "NIFTY")
        row.update(spot_entry=None, spot_exit=None)
        for at in (row["entry_time"], row["exit_time"]):
            if at is not None:
                spots[f"{name}_{'STK' if name in ('TCS', 'SPY') else 'IND'}___", at] = LEVELS[name] + at.minute
    table = PriceTable(spots)
    frame = calculate_attribution_for_trades(plain(rows), spot_prices=table, current_time=NOW, day=False)
    singles = calculate_attribution_for_trades(rows, spot_prices=table, current_time=NOW, day=False)
    assert sum(single["status"] == "ok" for single in singles) > 20
    assert_equal_trades(frame, singles)
