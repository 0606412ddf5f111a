"""Runs that are killed, workers that die: nothing is lost, nothing is done twice, and the results are the same."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution import calculate_attribution_for_trades as attribute_frame
from attribution.dataset import Progress, attribute_dataset
from attribution.dataset.door import Request, explain_dataset
from tests.dataset.books import book
from tests.dataset.conftest import ALL, outputs, results, same

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by POSIX signals")

PROJECT = Path(__file__).parents[2]
RUN = """
import multiprocessing, sys, time
from attribution.dataset import attribute_dataset, parts

parts.PART_ROWS = 10

def hold(progress):
    if progress.rows >= 30:
        print("half-way", *(child.pid for child in multiprocessing.active_children()), flush=True)
        time.sleep(120)

if __name__ == "__main__":
    attribute_dataset(sys.argv[1], sys.argv[2], workers=int(sys.argv[3]), progress=hold)
"""


@pytest.fixture(params=[1, 2], ids=["alone", "two workers"])
def killed(request: pytest.FixtureRequest, source: Path, target: Path, tmp_path: Path) -> list[int]:
    """The ids of the workers of a run over ``source`` that was killed by signal 9 half-way."""
    script = tmp_path / "run.py"
    script.write_text(RUN)
    words = [sys.executable, str(script), str(source), str(target), str(request.param)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
    assert line.startswith("half-way")
    return [int(word) for word in line.split()[1:]]


@pytest.mark.usefixtures("small_parts")
def test_a_killed_run_goes_on_where_it_was(
    killed: list[int], source: Path, target: Path, counted: list[str], tmp_path: Path
) -> None:
    for worker in killed:
        wait_for_end(worker)
    finished = {path.stat().st_ino for path in target.rglob("part-*.parquet")}
    assert finished
    made = sum(pq.read_metadata(path).num_rows for path in target.rglob("part-*.parquet"))
    summary = attribute_dataset(source, target)
    there = {path.stat().st_ino for path in outputs(target)}
    assert finished <= there, "what was finished was not made again"
    assert 0 < len(counted) == len(there - finished), "and the rest was made once"
    assert (summary.rows, summary.rows_now) == (90, 90 - made)
    assert same(results(target), attribute_frame(ALL))
    assert not list(target.rglob("*.tmp"))
    assert not (target / "_attribution" / "parts").exists()


@pytest.mark.usefixtures("small_parts")
def test_a_worker_that_dies_is_replaced(source: Path, target: Path) -> None:
    victims = []

    def kill_one(progress: Progress) -> None:
        if progress.rows and not victims:
            victims.append(multiprocessing.active_children()[0].pid)
            os.kill(victims[0], signal.SIGKILL)

    summary = attribute_dataset(source, target, workers=2, progress=kill_one)
    assert len(victims) == 1
    assert summary.ok
    assert same(results(target), attribute_frame(ALL))


def test_a_file_that_kills_every_worker_is_reported_and_the_rest_goes_on(source: Path, target: Path) -> None:
    pq.write_table(book(13, 4), source / "deadly.parquet")
    summary = explain_dataset(source, target, lambda now, threads: die_of_thirteen, Request(workers=2))
    assert [str(failure) for failure in summary.failures] == [
        "deadly.parquet: its worker died, as if out of memory: try smaller chunk_rows"
    ]
    assert summary.rows == 90
    assert same(results(target), attribute_frame(ALL))


def die_of_thirteen(table: pa.Table) -> pa.Table:
    """Explain a table, but end the process at one of 13 rows."""
    if len(table) == 13:
        os._exit(1)
    return attribute_frame(table)


def test_an_interrupted_run_ends_its_workers_and_goes_on_later(source: Path, target: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.rows:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attribute_dataset(source, target, workers=2, progress=interrupt)
    assert multiprocessing.active_children() == []
    assert attribute_dataset(source, target).rows == 90
    assert same(results(target), attribute_frame(ALL))


def wait_for_end(process: int, seconds: float = 10.0) -> None:
    """Wait until a process is gone, or only its parent has not yet been told."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            try:
                os.kill(process, 0)
            except ProcessLookupError:
                return
        else:
            if state == "Z":
                return
        time.sleep(0.05)
    raise AssertionError(f"worker {process} outlives its parent")
