"""Texts of the plainest shape are read all at once as they are read one by one, and only they."""

from __future__ import annotations

from datetime import datetime

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.calendars import NAT
from attribution.tables.plain_times import plain_column, plain_times

EPOCH = datetime(1970, 1, 1)


@settings(deadline=None)
@given(st.lists(st.datetimes(), max_size=20), st.sampled_from(["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"]))
def test_as_the_standard_library_reads_them(times: list[datetime], shape: str) -> None:
    texts = [f"{at.year:04d}{at.strftime(shape)[at.strftime(shape).index('-') :]}" for at in times]
    expected = [(datetime.fromisoformat(text) - EPOCH) // (datetime(1970, 1, 1, 0, 0, 0, 1) - EPOCH) for text in texts]
    assert plain_times(texts).tolist() == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "noon", "2025-01-30", "2025-01-30 15", "2025-01-30 15:3", "2025-01-30 15:30:", "2025-01-30 15:30:1"),
        *("2025-01-30 15:30:10.5", "2025-01-30 15:30:10Z", "2025-01-30 15:30+05:30", " 2025-01-30 15:30"),
        *("2025-13-30 15:30", "2025-00-30 15:30", "2025-02-29 15:30", "2025-04-31 15:30", "2025-01-00 15:30"),
        *("2025-01-30 24:00", "2025-01-30 15:60", "2025-01-30 15:30:60", "0000-01-30 15:30", "2025/01/30 15:30"),
        *("2025-01-30_15:30", "２０２５-01-30 15:30", "-025-01-30 15:30", "2100-02-29 10:00"),
    ],
)
def test_any_other_shape_is_left_to_the_cell(text: str) -> None:
    assert plain_times([text, "2024-02-29 15:30"]).tolist() == [NAT, 1_709_220_600_000_000]


def test_other_things_than_texts_are_left_to_the_cell() -> None:
    assert plain_times([None, 5, datetime(2025, 1, 1), np.datetime64("2025-01-01")]).tolist() == [NAT] * 4
    assert plain_times([]).tolist() == []


TEXTS = ["2024-02-29 15:30", None, "", "2024-02-29T15:30:10", "noon", "2024-02-29 15:30:10.5", "２０２４-02-29 15:30"]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(TEXTS, dtype="string[pyarrow]"),
        pl.Series(TEXTS),
        pa.chunked_array([TEXTS[:3], TEXTS[3:]]),
        pa.chunked_array([pa.array([*TEXTS, "x"]).slice(0, 7)]),
        pa.chunked_array([pa.array(["x", *TEXTS], pa.large_string()).slice(1)]),
    ],
    ids=["pandas", "polars", "chunks", "a slice", "large"],
)
def test_a_column_is_read_where_its_letters_lie(column: object) -> None:
    found = plain_column(nw.from_native(column, series_only=True))
    assert found is not None
    times, other = found
    assert times.tolist() == plain_times([text or "" for text in TEXTS]).tolist()
    assert other.tolist() == [False, False, True, False, True, True, True]


def test_a_column_without_rows_and_one_of_objects() -> None:
    found = plain_column(nw.from_native(pl.Series([], dtype=pl.String), series_only=True))
    assert found is not None
    assert found[0].size == 0
    assert plain_column(nw.from_native(pd.Series(TEXTS, dtype=object), series_only=True)) is None
