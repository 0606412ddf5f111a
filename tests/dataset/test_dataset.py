"""Files in, files out: every row in its order, once, whoever does the work and however often it is begun."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from attribution import calculate_attribution_for_trades as attribute_frame
from attribution.dataset import DatasetError, Progress, attribute_dataset
from tests.dataset.books import book
from tests.dataset.conftest import ALL, outputs, results, same


def test_results_are_those_of_the_frame_call_in_the_order_of_the_rows(source: Path, target: Path) -> None:
    summary = attribute_dataset(source, target)
    expected = attribute_frame(ALL)
    assert same(results(target), expected)
    assert [str(path.relative_to(target)) for path in outputs(target)] == ["a.parquet", "b/b.parquet", "b/c.parquet"]
    assert (summary.files, summary.skipped, summary.rows, summary.results) == (3, 0, 90, 90)
    assert summary.statuses == {"ok": 90}
    assert summary.ok


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("how", [{"workers": 1}, {"workers": 1, "chunk_rows": 1}, {"chunk_rows": 13}, {"threads": 2}])
def test_results_do_not_depend_on_parts_chunks_and_threads(source: Path, target: Path, how: dict[str, int]) -> None:
    attribute_dataset(source, target, **how)  # type: ignore[arg-type]
    expected = attribute_frame(ALL)
    assert same(results(target), expected)
    assert "a.parts/part-00003.parquet" in {path.relative_to(target).as_posix() for path in outputs(target)}


@pytest.mark.usefixtures("small_parts")
def test_any_executor_may_do_the_work(source: Path, target: Path) -> None:
    with ThreadPoolExecutor(3) as executor:
        summary = attribute_dataset(source, target, client=executor)
    assert same(results(target), attribute_frame(ALL))
    assert summary.rows == 90


def test_processes_give_the_same_results(source: Path, target: Path, tmp_path: Path) -> None:
    attribute_dataset(source, target, workers=2)
    attribute_dataset(source, tmp_path / "alone", workers=1)
    assert same(results(target), results(tmp_path / "alone"))


def test_options_and_kept_columns_reach_the_frame_call(source: Path, target: Path) -> None:
    options = {"method": "shapley", "keep": ["desk"]}
    attribute_dataset(source, target, **options)
    expected = attribute_frame(ALL, **options)
    assert same(results(target), expected)
    assert "desk" in results(target).column_names


def test_columns_of_other_names_are_read(tmp_path: Path, target: Path) -> None:
    table = book(10, 1)
    pq.write_table(table.rename_columns({"symbol": "Instrument", "spot_entry": "S0"}), tmp_path / "t.parquet")
    summary = attribute_dataset(tmp_path / "t.parquet", target, columns={"symbol": "Instrument", "spot_entry": "S0"})
    assert summary.statuses == {"ok": 10}
    assert same(results(target), attribute_frame(table))


def test_empty_files_give_empty_results_with_the_same_columns(tmp_path: Path, target: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    pq.write_table(book(10, 1), folder / "a.parquet")
    pq.write_table(book(10, 1).slice(0, 0), folder / "b.parquet")
    pq.ParquetWriter(folder / "c.parquet", book(1, 1).schema).close()
    (folder / "d.csv").write_text(",".join(book(1, 1).column_names) + "\n")
    summary = attribute_dataset(folder, target)
    assert (summary.files, summary.rows, summary.failures) == (4, 10, ())
    schemas = [pq.read_schema(path).remove_metadata() for path in outputs(target)]
    assert len(schemas) == 4
    assert len({str(schema) for schema in schemas}) == 1


def test_hive_partitions_are_columns_and_stay_in_the_path(tmp_path: Path, target: Path) -> None:
    for exchange, day in (("NSE", "2025-01-06"), ("NSE", "2025-01-07")):
        folder = tmp_path / "in" / f"exchange={exchange}" / f"day={day}"
        folder.mkdir(parents=True)
        pq.write_table(book(10, int(day[-1])), folder / "x.parquet")
    summary = attribute_dataset(tmp_path / "in", target, keep=["day"])
    assert summary.statuses == {"ok": 20}
    read = pq.read_table(target)
    assert sorted(set(map(str, read.column("day").to_pylist()))) == ["2025-01-06", "2025-01-07"]
    assert set(read.column("exchange").to_pylist()) == {"NSE"}


def test_a_source_inside_one_partition_still_tells_which_it_is(tmp_path: Path, target: Path) -> None:
    folder = tmp_path / "in" / "exchange=NOWHERE"
    folder.mkdir(parents=True)
    pq.write_table(book(10, 1), folder / "x.parquet")
    for source in (folder, folder / "x.parquet", folder / "*.parquet"):
        summary = attribute_dataset(source, target)
        assert summary.rows == 10
        assert "ok" not in summary.statuses, "NOWHERE is no exchange"
    assert [path.relative_to(target).as_posix() for path in outputs(target)] == ["exchange=NOWHERE/x.parquet"]


def test_globs(source: Path, target: Path, tmp_path: Path) -> None:
    assert attribute_dataset(source / "*.parquet", target).rows == 40
    assert attribute_dataset(source / "**" / "[ac].parquet", target).rows == 60
    assert attribute_dataset(source / "b*", tmp_path / "other").rows == 50


def test_progress_tells_how_far_it_is(source: Path, target: Path) -> None:
    told: list[Progress] = []
    (source / "broken.parquet").write_bytes(b"nothing")
    attribute_dataset(source, target, progress=told.append)
    assert [(one.files, one.failed, one.rows) for one in told] == [
        (0, 0, 0),
        (1, 0, 40),
        (2, 0, 70),
        (3, 0, 90),
        (3, 1, 90),
    ]
    assert [one.fraction for one in told] == sorted(one.fraction for one in told)
    assert (told[0].fraction, told[-1].fraction) == (0.0, 1.0)
    assert told[-1].seconds_left == 0.0
    assert told[-1].rows_per_second > 0.0


def test_the_summary_reads_well(source: Path, target: Path) -> None:
    (source / "broken.parquet").write_bytes(b"nothing")
    text = str(attribute_dataset(source, target)).splitlines()
    assert text[0] == f"{target}: 3 files, 90 rows: 90 ok"
    assert text[1].startswith("this run: 3 files with 90 rows in ")
    assert text[2].startswith("failed: broken.parquet: is no readable Parquet file")


def test_results_hold_the_counts_of_statuses(source: Path, target: Path) -> None:
    bad = book(10, 5).to_pylist()
    for row in bad[:4]:
        row["symbol"] = "NOT A SYMBOL"
    pq.write_table(pa.Table.from_pylist(bad, book(1, 1).schema), source / "e.parquet")
    summary = attribute_dataset(source, target)
    assert summary.statuses == {"ok": 96, "invalid_trade": 4}
    counted = pc.value_counts(results(target).column("status")).to_pylist()
    assert {str(one["values"]): one["counts"] for one in counted} == dict(summary.statuses)


def test_prices_may_come_as_a_frame_or_a_dict(source: Path, target: Path, tmp_path: Path) -> None:
    bare = book(20, 3).drop_columns(["spot_entry", "spot_exit"])
    pq.write_table(bare, tmp_path / "t.parquet")
    rows = book(20, 3).to_pylist()
    told = [("NIFTY", row[f"{end}_time"], row[f"spot_{end}"]) for row in rows for end in ("entry", "exit")]
    frame = pd.DataFrame(told, columns=["symbol", "time", "price"]).drop_duplicates(["time"])
    table = {(symbol, time): price for symbol, time, price in frame.itertuples(index=False)}
    expected, times = attribute_frame(bare, spot_prices=table), frame["time"].tolist()
    for number, (prices, others) in enumerate(((frame, frame[:10]), (table, {**table, ("NIFTY", times[0]): 2.0}))):
        out = tmp_path / f"out{number}"
        assert attribute_dataset(tmp_path / "t.parquet", out, spot_prices=prices).statuses == {"ok": 20}
        assert same(results(out), expected)
        assert attribute_dataset(tmp_path / "t.parquet", out, spot_prices=prices).skipped == 1
        with pytest.raises(DatasetError, match="spot_prices"):
            attribute_dataset(tmp_path / "t.parquet", out, spot_prices=others)


def test_options_that_cannot_be_sent_are_used_here(source: Path, target: Path) -> None:
    assert attribute_dataset(source, target, spot_prices=lambda symbol, exchange, time: 23_500.0).rows == 90


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def most_held(copies: int) -> int:
        folder = tmp_path / str(copies)
        folder.mkdir()
        table = pa.concat_tables([book(1_000, 1)] * copies).combine_chunks()
        pq.write_table(table, folder / "t.parquet", row_group_size=len(table))
        del table
        usual = pa.default_memory_pool()
        pool = pa.proxy_memory_pool(usual)
        pa.set_memory_pool(pool)
        try:
            attribute_dataset(folder / "t.parquet", folder / "out", chunk_rows=2_000, workers=1)
        finally:
            pa.set_memory_pool(usual)
        return int(pool.max_memory())

    few, many = most_held(10), most_held(100)
    assert 0 < many < 1.5 * few
