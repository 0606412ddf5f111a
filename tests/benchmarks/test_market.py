"""The benchmark of the market's cache runs, and asks each distinct question once."""

from __future__ import annotations

from benchmarks.calls import table
from benchmarks.market import measure_report


def test_a_report_asks_each_distinct_question_once() -> None:
    first, warm, fresh = measure_report(trades=40, underlyings=2, sessions=2, delay=0.0)
    assert first["calls"] == first["distinct"] > 0
    assert (warm["calls"], fresh["calls"]) == (0, 0)
    assert first["ok"] == warm["ok"] == fresh["ok"] == 40


def test_the_table_of_row_calls_has_a_line_per_call() -> None:
    assert "a dict" in str(table([{"what": "a dict", "nanoseconds": 60_000.0}]))
