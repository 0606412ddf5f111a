"""What is wrong with a file, a source, a target or an argument is told of, and costs nothing else."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from attribution import calculate_attribution_for_trades as attribute_frame
from attribution.dataset import DatasetError, Progress, attribute_dataset
from attribution.dataset.door import Request, explain_dataset
from tests.dataset.books import book
from tests.dataset.conftest import outputs


def test_a_bad_file_is_reported_and_the_rest_goes_on(source: Path, target: Path) -> None:
    (source / "broken.parquet").write_bytes(b"PAR1 and nothing else")
    pq.write_table(book(5, 1).rename_columns({"symbol": "symbl"}), source / "misspelt.parquet")
    (source / "empty.csv").write_text("")
    (source / "ragged.csv").write_text("symbol,entry_time,entry_quantity\nTCS_STK___,2025-01-06 10:00,75,8\n")
    summary = attribute_dataset(source, target)
    told = {failure.name: failure.reason for failure in summary.failures}
    assert list(told) == ["broken.parquet", "empty.csv", "misspelt.parquet", "ragged.csv"]
    assert "no readable Parquet" in told["broken.parquet"]
    assert "'symbol'" in told["misspelt.parquet"]
    assert "symbl" in told["misspelt.parquet"]
    assert "Expected 3 columns, got 4" in told["ragged.csv"]
    assert not summary.ok
    assert (summary.files, summary.rows) == (3, 90)
    assert len(outputs(target)) == 3
    assert not (target / "_attribution" / "parts").exists()


@pytest.mark.usefixtures("small_parts")
def test_nothing_of_a_file_that_breaks_off_half_way_is_in_the_target(source: Path, target: Path) -> None:
    path = source / "a.parquet"
    group = pq.read_metadata(path).row_group(4).column(5)
    raw = bytearray(path.read_bytes())
    first = group.dictionary_page_offset or group.data_page_offset
    raw[first : first + group.total_compressed_size] = b"\xff" * group.total_compressed_size
    path.write_bytes(raw)
    summary = attribute_dataset(source, target)
    assert [failure.name for failure in summary.failures] == ["a.parquet"]
    assert "part 5 of 6" in summary.failures[0].reason
    assert summary.rows == 50
    assert {path.relative_to(target).parts[0] for path in outputs(target)} == {"b"}
    assert not (target / "_attribution" / "parts").exists()
    pq.write_table(book(40, 1), path)
    assert attribute_dataset(source, target).ok


def test_a_file_that_changes_while_it_is_read_is_a_failure(source: Path, target: Path) -> None:
    class Meddler:
        touched = False

        def __call__(self, progress: Progress) -> None:
            if not self.touched:
                os.utime(source / "b" / "c.parquet", (1, 1))
                self.touched = True

    summary = attribute_dataset(source, target, progress=Meddler())
    assert [str(failure) for failure in summary.failures] == [
        "b/c.parquet: was changed since the run began: run again when it is complete"
    ]
    assert attribute_dataset(source, target).rows == 90


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"workers": 0}, ValueError, "workers=0"),
        ({"chunk_rows": 0.5}, ValueError, r"chunk_rows=0\.5"),
        ({"changed": "ignore"}, ValueError, "'refuse' or 'redo'"),
        ({"methd": "shapley"}, TypeError, "'methd'"),
        ({"frame": None}, TypeError, "'frame'"),
        ({"method": "guess"}, ValueError, "guess"),
        ({"columns": {"symbl": "Instrument"}}, ValueError, "'symbl'"),
        ({"keep": "desk"}, ValueError, "keep='desk'"),
        ({"keep": ["pnl"]}, ValueError, "keep='pnl': the results have a column of that name"),
        ({"clock": "wall"}, ValueError, "wall"),
        ({"level": "strike"}, ValueError, "level='strike'"),
        ({"client": object()}, TypeError, "client=object"),
        ({"leg_prices": lambda leg, end: 1.0, "workers": 2}, TypeError, "workers=1"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_done(
    source: Path, target: Path, arguments: dict[str, object], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        attribute_dataset(source, target, **arguments)  # type: ignore[arg-type]
    assert outputs(target) == []


def test_wrong_sources_and_targets_are_refused(source: Path, target: Path, tmp_path: Path) -> None:
    def refused(told: str, source: object = source, target: object = target) -> None:
        with pytest.raises(DatasetError, match=told):
            attribute_dataset(source, target)  # type: ignore[arg-type]

    refused("no such file or folder", tmp_path / "nowhere")
    refused("must be a path", "s3://bucket/trades")
    refused("source='': must not be blank", "")
    refused("target=' ': must not be blank", target=" ")
    with pytest.raises(TypeError, match="source is of type list: must be one path"):
        attribute_dataset([source], target)  # type: ignore[arg-type]
    refused("holds no file that ends in", tmp_path / "*.xlsx")
    refused("the target lies inside", target=source / "out")
    refused("the target lies inside", target=source)
    refused("below the target", source / "**" / "*.parquet", source / "b")
    refused("is a file", target=source / "a.parquet")
    (source / "a.pq").write_bytes((source / "a.parquet").read_bytes())
    refused("would both be written to a.parquet")
    (source / "a.pq").unlink()
    (source / "notes.txt").write_text("hello")
    target.mkdir()
    (target / "mine.parquet").write_text("")
    refused("holds files of others, such as 'mine.parquet'")
    assert (target / "mine.parquet").exists()


def test_other_files_are_ignored_and_told_of(source: Path, target: Path) -> None:
    for name in ("notes.txt", "_SUCCESS", ".hidden.parquet"):
        (source / name).write_text("hello")
    assert attribute_dataset(source, target).ignored == ("notes.txt",)


def test_a_fault_of_the_program_is_told_of_with_its_place(source: Path, target: Path) -> None:
    def faulty(table: pa.Table) -> pa.Table:
        return attribute_frame(table) if len(table) != 30 else {}["no such key"]

    summary = explain_dataset(source, target, lambda now, threads: faulty, Request())
    (failure,) = summary.failures
    assert failure.name == "b/b.parquet"
    assert re.fullmatch(r"KeyError at test_refusals\.py:\d+, a fault of the program: 'no such key'", failure.reason)
    assert summary.rows == 60
