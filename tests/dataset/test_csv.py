"""CSV in: the results are those from Parquet, whatever stands in quotes, above the header or in place of a number."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from attribution import calculate_attribution_for_trades as attribute_frame
from attribution.dataset import attribute_dataset
from tests.dataset.books import book
from tests.dataset.conftest import outputs, results, same


def write_csv(table: pa.Table, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        for row in table.to_pylist():
            writer.writerow([str(value) for value in row.values()])


@pytest.mark.usefixtures("small_parts")
def test_csv_gives_what_parquet_gives(tmp_path: Path, target: Path) -> None:
    write_csv(book(60, 1), tmp_path / "t.csv")
    attribute_dataset(tmp_path / "t.csv", target)
    assert len(outputs(target)) > 5, "it is cut into parts"
    assert same(results(target), attribute_frame(book(60, 1)))


@pytest.mark.usefixtures("small_parts")
def test_csv_rows_may_have_lines_and_commas_in_quotes(tmp_path: Path, target: Path) -> None:
    table = book(60, 1)
    notes = pa.array([f'said "{i}",\nand left\n' * (i % 7) for i in range(60)])
    write_csv(table.append_column("note", notes), tmp_path / "t.csv")
    attribute_dataset(tmp_path / "t.csv", target, keep=["note"])
    found = results(target)
    assert found.column("note").to_pylist() == [note or None for note in notes.to_pylist()]
    assert len(outputs(target)) > 5


@pytest.mark.parametrize("ending", ["gz", "bz2", "zst"])
def test_packed_csv(tmp_path: Path, target: Path, ending: str) -> None:
    write_csv(book(20, 1), tmp_path / "t.csv")
    kind = {"gz": "gzip", "bz2": "bz2", "zst": "zstd"}[ending]
    with pa.CompressedOutputStream(str(tmp_path / f"t.csv.{ending}"), kind) as file:
        file.write((tmp_path / "t.csv").read_bytes())
    attribute_dataset(tmp_path / f"t.csv.{ending}", target)
    assert same(results(target), attribute_frame(book(20, 1)))
    assert [path.name for path in outputs(target)] == [f"t.csv.{ending}.parquet"]


def test_csv_with_a_mark_notes_above_and_a_word_for_a_number(tmp_path: Path, target: Path) -> None:
    write_csv(book(20, 1), tmp_path / "t.csv")
    text = (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
    cells = text[7].split(",")
    cells[5] = "three"
    text[7] = ",".join(cells)
    (tmp_path / "t.csv").write_text("# of the desk\n\n" + "\n".join(text), encoding="utf-8-sig")
    summary = attribute_dataset(tmp_path / "t.csv", target)
    assert summary.statuses == {"ok": 19, "invalid_trade": 1}
    status = results(target).column("status").to_pylist()
    assert [place for place, one in enumerate(status) if one != "ok"] == [6]
