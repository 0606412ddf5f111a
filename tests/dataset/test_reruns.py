"""A target that holds results already: what is done again, what is not, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from attribution import calculate_attribution_for_trades as attribute_frame
from attribution.dataset import DatasetError, Progress, attribute_dataset
from attribution.dataset.door import Request, explain_dataset
from tests.dataset.books import book
from tests.dataset.conftest import look_of, outputs, results, same


def test_a_rerun_does_nothing(source: Path, target: Path, counted: list[str]) -> None:
    attribute_dataset(source, target)
    before, done = look_of(target), len(counted)
    summary = attribute_dataset(source, target)
    assert look_of(target) == before
    assert len(counted) == done
    assert (summary.files, summary.skipped, summary.rows, summary.rows_now) == (0, 3, 90, 0)


def test_a_new_file_is_added_to_what_is_there(source: Path, target: Path, counted: list[str]) -> None:
    attribute_dataset(source, target)
    pq.write_table(book(5, 4), source / "d.parquet")
    summary = attribute_dataset(source, target)
    assert counted[3:] == ["d.parquet"]
    assert (summary.files, summary.skipped, summary.rows) == (1, 3, 95)


def test_a_changed_input_is_refused_by_name_and_nothing_is_done(source: Path, target: Path) -> None:
    attribute_dataset(source, target)
    before = look_of(target)
    pq.write_table(book(41, 9), source / "a.parquet")
    pq.write_table(book(5, 4), source / "d.parquet")
    with pytest.raises(DatasetError, match=r"a\.parquet: changed since .* changed='redo'"):
        attribute_dataset(source, target)
    assert look_of(target) == before


@pytest.mark.usefixtures("small_parts")
def test_a_changed_input_is_redone_as_a_whole(source: Path, target: Path, counted: list[str]) -> None:
    attribute_dataset(source, target)
    pq.write_table(book(8, 9), source / "a.parquet")  # was several parts, is one
    counted.clear()
    summary = attribute_dataset(source, target, changed="redo")
    assert set(counted) == {"a.parquet"}
    assert same(results(target), attribute_frame(pa.concat_tables([book(8, 9), book(30, 2), book(20, 3)])))
    assert summary.rows == 58
    assert attribute_dataset(source, target).skipped == 3


def test_other_options_are_refused_by_name(source: Path, target: Path) -> None:
    attribute_dataset(source, target, rate=0.05)
    with pytest.raises(DatasetError, match=r"rate=0\.05, not 0\.07"):
        attribute_dataset(source, target, rate=0.07)
    with pytest.raises(DatasetError, match=r"rate=0\.05, not .the default."):
        attribute_dataset(source, target)
    same_as_before = {"method": "waterfall", "order": ["time", "spot", "spread", "vol"], "keep": [], "day": True}
    attribute_dataset(source, target, rate=0.05, threads=1, chunk_rows=10, workers=1, **same_as_before)


def test_without_resume_everything_is_done_again(source: Path, target: Path, counted: list[str]) -> None:
    attribute_dataset(source, target)
    pq.write_table(book(8, 9), source / "a.parquet")
    (source / "b" / "b.parquet").unlink()
    counted.clear()
    summary = attribute_dataset(source, target, resume=False, method="shapley")
    assert counted == ["a.parquet", "b/c.parquet"]
    assert (summary.rows, summary.others) == (28, ())
    assert [path.name for path in outputs(target)] == ["a.parquet", "c.parquet"]


def test_results_of_inputs_that_are_gone_are_told_of(source: Path, target: Path) -> None:
    attribute_dataset(source, target)
    (source / "b" / "b.parquet").unlink()
    summary = attribute_dataset(source, target)
    assert summary.others == ("b/b.parquet",)
    assert summary.rows == 60


def test_an_output_that_was_deleted_is_made_again(source: Path, target: Path, counted: list[str]) -> None:
    attribute_dataset(source, target)
    (target / "b" / "b.parquet").unlink()
    counted.clear()
    assert attribute_dataset(source, target).files == 1
    assert counted == ["b/b.parquet"]


def test_a_torn_last_line_of_the_manifest_costs_nothing(source: Path, target: Path, counted: list[str]) -> None:
    attribute_dataset(source, target)
    manifest = target / "_attribution" / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    counted.clear()
    summary = attribute_dataset(source, target)
    assert counted == [], "the file says of itself what it was made from"
    assert summary.rows == 90
    assert [json.loads(line)["input"] for line in manifest.read_text().splitlines()[1:]] == [
        "a.parquet",
        "b/b.parquet",
        "b/c.parquet",
    ]


@pytest.mark.usefixtures("small_parts")
def test_published_parts_without_a_note_are_recognised(source: Path, target: Path, counted: list[str]) -> None:
    attribute_dataset(source, target)
    manifest = target / "_attribution" / "manifest.jsonl"
    manifest.write_text(manifest.read_text().splitlines(keepends=True)[0])
    counted.clear()
    before = results(target)
    assert attribute_dataset(source, target).rows == 90
    assert counted == []
    assert results(target).equals(before)


def test_a_changed_file_that_was_redone_but_not_noted_is_recognised(
    source: Path, target: Path, counted: list[str]
) -> None:
    attribute_dataset(source, target)
    manifest = target / "_attribution" / "manifest.jsonl"
    before = manifest.read_bytes()
    pq.write_table(book(8, 9), source / "a.parquet")
    attribute_dataset(source, target, changed="redo")
    manifest.write_bytes(before)
    counted.clear()
    assert attribute_dataset(source, target).rows == 58
    assert counted == []


def test_a_damaged_manifest_is_told_of(source: Path, target: Path) -> None:
    attribute_dataset(source, target)
    (target / "_attribution" / "manifest.jsonl").write_text('{"format": 7}\n')
    with pytest.raises(DatasetError, match="damaged"):
        attribute_dataset(source, target)
    assert attribute_dataset(source, target, resume=False).rows == 90


def test_files_of_others_survive_when_everything_is_done_again(source: Path, target: Path) -> None:
    attribute_dataset(source, target)
    pq.write_table(book(3, 3), target / "mine.parquet")
    attribute_dataset(source, target, resume=False, rate=0.05)
    assert pq.read_table(target / "mine.parquet").equals(book(3, 3))
    assert len(outputs(target)) == 4


def test_two_runs_do_not_write_to_one_target(source: Path, target: Path) -> None:
    def second(progress: Progress) -> None:
        with pytest.raises(DatasetError, match="another run is writing"):
            attribute_dataset(source, target)

    assert attribute_dataset(source, target, progress=second).rows == 90


def test_a_moved_source_is_not_mixed_in(source: Path, target: Path) -> None:
    attribute_dataset(source, target)
    moved = source.with_name("elsewhere")
    source.rename(moved)
    with pytest.raises(DatasetError, match="elsewhere"):
        attribute_dataset(moved, target)


def test_every_run_over_a_target_has_the_same_now(source: Path, target: Path) -> None:
    seen: list[datetime] = []

    def function(now: datetime, threads: int | None) -> Any:
        seen.append(now)
        return attribute_frame

    explain_dataset(source, target, function, Request())
    pq.write_table(book(5, 4), source / "d.parquet")
    assert explain_dataset(source, target, function, Request()).rows == 95
    assert seen[0] == seen[1]
    assert timedelta(0) < datetime.now(UTC) - seen[0] < timedelta(minutes=5)
