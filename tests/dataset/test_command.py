"""The command ``attribution batch``: what it writes, says and returns."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from attribution import calculate_attribution_for_trades
from attribution.app.batch import batch
from attribution.app.explain import warm_up
from attribution.model import Model
from tests.dataset.books import book
from tests.dataset.conftest import ALL, outputs, results, same

PROJECT = Path(__file__).parents[2]
Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """Run the command in this process."""
    warm_up(Model())
    app = typer.Typer()
    app.command()(batch)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words], prog_name="batch")


def test_it_explains_a_folder_and_counts(run: Run, source: Path, target: Path) -> None:
    result = run(source, target)
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.stdout.splitlines()] == [["status", "results"], ["ok", "90"], ["all", "90"]]
    assert "explained 3 files: 90 rows in " in result.stderr
    assert same(results(target), calculate_attribution_for_trades(ALL))


def test_run_again_it_does_nothing(run: Run, source: Path, target: Path) -> None:
    first = run(source, target)
    second = run(source, target)
    assert (second.exit_code, second.stdout) == (0, first.stdout)
    assert second.stderr == "nothing to do: every file has its results\n"


def test_options_reach_the_engine(run: Run, source: Path, target: Path) -> None:
    words = "--method shapley --trade --keep desk --level leg --rate 0.05 --chunk-rows 9"
    assert run(source, target, *words.split()).exit_code == 0
    options = {"method": "shapley", "day": False, "keep": ["desk"], "level": "leg", "rate": 0.05}
    assert same(results(target), calculate_attribution_for_trades(ALL, **options))


def test_columns_may_have_other_names(run: Run, tmp_path: Path, target: Path) -> None:
    pq.write_table(book(10, 1).rename_columns({"symbol": "Instrument"}), tmp_path / "t.parquet")
    assert run(tmp_path / "t.parquet", target, "--columns", "symbol=Instrument").exit_code == 0
    assert same(results(target), calculate_attribution_for_trades(book(10, 1)))


@pytest.mark.parametrize("form", ["parquet", "csv", "csv.gz"])
def test_prices_may_stand_in_files_of_their_own(run: Run, tmp_path: Path, target: Path, form: str) -> None:
    trades = book(40, 1)
    instants = sorted({*trades["entry_time"].to_pylist(), *trades["exit_time"].to_pylist()})
    spots = {at: 23_400.0 + place * 1.25 for place, at in enumerate(instants)}
    prices = pa.table({"symbol": ["NIFTY"] * len(spots), "time": list(spots), "price": list(spots.values())})
    (tmp_path / "prices").mkdir()
    half = len(spots) // 2
    write_table(prices[:half], tmp_path / "prices" / f"a.{form}")
    write_table(prices[half:], tmp_path / "prices" / f"b.{form}")
    pq.write_table(trades.drop_columns(["spot_entry", "spot_exit"]), tmp_path / "t.parquet")
    told = run(tmp_path / "t.parquet", target, "--prices", tmp_path / "prices")
    assert told.exit_code == 0, told.output
    beside = {
        f"spot_{end}": pa.array([spots[at] for at in trades[f"{end}_time"].to_pylist()]) for end in ("entry", "exit")
    }
    for name, column in beside.items():
        trades = trades.set_column(trades.column_names.index(name), name, column)
    expected = calculate_attribution_for_trades(trades)
    for name in ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib", "status"):
        assert results(target)[name].to_pylist() == expected[name].to_pylist(), name


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("symbol,time\nNIFTY,2025-01-06 10:00\n", "p.csv: no column 'price'; needed are symbol, time, price"),
        ("symbol,time,price\nNIFTY,2025-01-06 10:00,many\n", "p.csv: "),
        ("symbol,time,price\nNIFTY,yesterday,23500\n", "time='yesterday': must be an instant"),
        ("symbol,time,price\nNIFTY,2025-01-06 10:00,1\nNIFTY,2025-01-06 10:00,2\n", "two prices at 2025-01-06 10:00"),
    ],
)
def test_prices_that_are_none_are_refused(
    run: Run, source: Path, target: Path, tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "p.csv").write_text(text)
    result = run(source, target, "--prices", tmp_path / "p.csv")
    assert told in result.stderr
    assert result.exit_code == 2
    assert outputs(target) == []


def write_table(table: pa.Table, path: Path) -> None:
    """Write Parquet, or CSV that may be packed."""
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return
    with pa.output_stream(path, compression="detect") as stream:
        pa_csv.write_csv(table, stream)


def test_a_bad_file_is_told_of_and_the_exit_code_says_so(run: Run, source: Path, target: Path) -> None:
    (source / "broken.csv").write_text("symbl,entry_time,entry_quantity\n")
    (source / "notes.txt").write_text("hello")
    result = run(source, target)
    assert result.exit_code == 1
    assert "failed: broken.csv: " in result.stderr
    assert "nearest: 'symbl'" in result.stderr
    assert "note: neither Parquet nor CSV, not read: notes.txt" in result.stderr
    assert len(outputs(target)) == 3


def test_a_changed_file_is_refused_or_redone(run: Run, source: Path, target: Path) -> None:
    run(source, target)
    pq.write_table(book(7, 9), source / "a.parquet")
    refused = run(source, target)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("attribution: a.parquet: changed since")
    assert refused.stderr.endswith("--redo-changed explains changed files again\n")
    assert run(source, target, "--redo-changed").stdout.splitlines()[-1].split() == ["all", "57"]
    assert "explained 3 files" in run(source, target, "--again").stderr


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ([], ["--trade"], "made without --trade, not with --trade; choose another target, or --again to do"),
        (["--trade"], [], "made with --trade, not without --trade"),
        (["--keep", "desk"], [], "made with --keep desk, not without --keep"),
        (["--method", "taylor"], ["--method", "path"], "made with --method taylor, not with --method path"),
        (["--columns", "side=desk"], ["--detail"], "made with --columns side=desk, not without --columns"),
        (["--price-tick", "0.05"], [], "made with --price-tick 0.05, not without --price-tick"),
    ],
)
def test_other_results_are_told_of_by_their_options(
    run: Run, source: Path, target: Path, before: list[str], after: list[str], told: str
) -> None:
    assert run(source, target, *before).exit_code == 0
    result = run(source, target, *after)
    assert told in result.stderr
    assert result.exit_code == 2


def test_columns_that_files_lack_are_told_of_by_the_options(run: Run, source: Path, target: Path) -> None:
    (source / "d.csv").write_text("Instrument,entry_time,entry_quantity\n")
    told = run(source / "d.csv", target, "--keep", "desk").stderr
    assert "failed: d.csv: --keep desk: the trades have no such column" in told
    told = run(source / "d.csv", target, "--again").stderr
    assert "'symbol' is missing; say --columns symbol=COLUMN where it has another name" in told
    told = run(source / "d.csv", target, "--again", "--columns", "symbol=Instrumen").stderr
    assert "--columns symbol=Instrumen: the trades have no such column (nearest: 'Instrument')" in told


def test_blank_paths_are_refused(run: Run, source: Path, target: Path) -> None:
    assert "IN '': must not be blank" in run("", target).stderr
    result = run(source, "")
    assert "OUT '': must not be blank" in result.stderr
    assert result.exit_code == 2


def test_headers_of_prices_may_be_written_for_people(run: Run, tmp_path: Path, target: Path) -> None:
    trades = book(1, 1).drop_columns(["spot_entry", "spot_exit"])
    pq.write_table(trades, tmp_path / "t.parquet")
    times = [trades[name][0].as_py() for name in ("entry_time", "exit_time")]
    lines = [f"NIFTY,{at},{23_400 + place}\n" for place, at in enumerate(times)]
    (tmp_path / "p.csv").write_text("Symbol,Time, Price\n" + "".join(lines))
    assert run(tmp_path / "t.parquet", target, "--prices", tmp_path / "p.csv").exit_code == 0
    assert results(target)["status"].to_pylist() == ["ok"]


def test_the_help_tells_defaults(run: Run) -> None:
    told = " ".join(run("--help").stdout.replace("│", " ").split())
    for default in ("one for each core", "131072", "each trade's exit, else now"):
        assert f"[default: {default}]" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--level", "strike"], "--level 'strike': must be one of trade, leg"),
        (["--method", "guess"], "guess"),
        (["--rate", "nan"], "--rate nan: must be a finite number"),
        (["--columns", "symbol"], "--columns 'symbol': expected FIELD=Column"),
        (["--columns", "symbl=Instrument"], "--columns 'symbl=Instrument': expected FIELD=Column; fields are symbol, "),
        (["--current-time", "2025-01-06"], "needs a time of day; say that of the session's close"),
        (["--keep", "desk,pnl"], "--keep pnl: the results have a column of that name"),
        (["--prices", ""], "--prices '': must not be blank"),
        (["--prices", "nowhere.csv"], "--prices nowhere.csv: there is no such file"),
        (["--dask", "a"], "--dask 'a': must be the address of a scheduler with its port"),
    ],
)
def test_wrong_usage_is_refused(run: Run, source: Path, target: Path, words: list[str], told: str) -> None:
    result = run(source, target, *words)
    assert told in result.stderr
    assert result.exit_code == 2
    assert outputs(target) == []


def test_a_scheduler_that_does_not_answer(
    run: Run, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="pip install 'options-attribution[dask]'")
    monkeypatch.setattr("attribution.app.batch._PATIENCE", 0.5)
    result = run(source, target, "--dask", "tcp://127.0.0.1:1")
    assert result.exit_code == 2
    assert "--dask tcp://127.0.0.1:1: no scheduler answers" in result.stderr


def test_a_source_that_is_not_there(run: Run, tmp_path: Path, target: Path) -> None:
    result = run(tmp_path / "nowhere", target)
    assert (result.exit_code, target.exists()) == (2, False)
    assert "there is no such file or folder" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_is_shown_a_bar(source: Path, target: Path, tmp_path: Path) -> None:
    script = tmp_path / "command.py"
    script.write_text("import typer\nfrom attribution.app.batch import batch\ntyper.run(batch)\n")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "TERM": "xterm", "COLUMNS": "160"}
    words = [sys.executable, str(script), str(source), str(target)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # the other end was closed
            pass
        finally:
            os.close(ours)
    assert process.returncode == 0
    assert "3 of 3 files · 90 rows" in shown.decode()
    assert "100%" in shown.decode()
