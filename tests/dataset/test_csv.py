"""CSV in: the results are those from Parquet, whatever stands in quotes, above the header or in place of a number."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
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


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
def test_headers_for_people_and_ends_of_lines_of_any_machine(
    tmp_path: Path, target: Path, end: str, packed: bool
) -> None:
    write_csv(book(20, 1), tmp_path / "plain.csv")
    head, *rows = (tmp_path / "plain.csv").read_text(encoding="utf-8").splitlines()
    text = end.join([head.replace("_", " ").title(), *rows, ""]).encode()
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(gzip.compress(text) if packed else text)
    assert attribute_dataset(path, target).ok
    assert same(results(target), attribute_frame(book(20, 1)))


def test_a_renamed_field_takes_no_column_that_is_written_like_it(tmp_path: Path, target: Path) -> None:
    table = book(20, 1).rename_columns({"symbol": "Instrument"}).append_column("Symbol", pa.array(["NOPE"] * 20))
    pq.write_table(table, tmp_path / "t.parquet")
    assert attribute_dataset(tmp_path / "t.parquet", target, columns={"symbol": "Instrument"}, keep=["Symbol"]).ok
    expected = attribute_frame(table.drop_columns("Symbol"), columns={"symbol": "Instrument"})
    assert same(results(target).drop_columns("Symbol"), expected)
    assert set(results(target)["Symbol"].to_pylist()) == {"NOPE"}


@pytest.mark.parametrize("mark", [";", "\t", "|"])
@pytest.mark.parametrize("packed", [False, True])
def test_other_separators_are_told_of(tmp_path: Path, target: Path, mark: str, packed: bool) -> None:
    text = mark.join(["symbol", "entry_time", "entry_quantity"]).encode() + b"\n"
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(gzip.compress(text) if packed else text)
    (failure,) = attribute_dataset(path, target).failures
    assert "the columns are not separated by commas: save the file as comma-separated" in failure.reason
