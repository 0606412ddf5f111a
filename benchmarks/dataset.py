"""Files in, files out: rows a second and memory of ``attribute_dataset``, and the same after a kill half-way.

::

    python -m benchmarks.dataset                        # a million rows
    python -m benchmarks.dataset --rows 1e8 --kill      # many, killed half-way and resumed, digests compared
    python -m benchmarks.dataset --sweep                # processes, threads and rows per call against each other

The trades are options on three NIFTY expiries, each held for a part of one session, at prices of a model with noise,
rounded to a tick, with spot and forward at both ends as columns. Every run is a process of its own, watched from
outside: memory is what the system says that it and its workers hold at the same time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from attribution import black_price
from benchmarks.machine import describe, machine
from benchmarks.tables import Table

__all__ = ["digest", "generate", "measure", "trades"]

SEED = 20250127
FILE_ROWS = 2_000_000
GROUP_ROWS = 500_000
SESSIONS = np.array(
    [f"2025-01-{day:02d}" for day in (6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 20, 21, 22, 23, 24)], "M8[us]"
)
EXPIRIES = ("20250130", "20250227", "20250327")
STRIKES = np.arange(21_000.0, 26_001.0, 50.0)
SPOT = 23_500.0
TICK = 0.05
YEAR = np.timedelta64(365, "D") / np.timedelta64(1, "us")
MINUTE = np.timedelta64(60_000_000, "us")
OPEN = np.timedelta64(9 * 60 + 15, "m")


def trades(rows: int, seed: int) -> pa.Table:
    """Option trades with their prices and the underlying's at both ends; the same seed gives the same rows."""
    random = np.random.default_rng(seed)
    session = SESSIONS[random.integers(0, len(SESSIONS), rows)]
    enters = random.integers(0, 300, rows)
    leaves = enters + random.integers(1, 75, rows)
    entry, leave = (session + OPEN + minutes * MINUTE for minutes in (enters, leaves))
    expiry, strike, right = (random.integers(0, n, rows) for n in (len(EXPIRIES), len(STRIKES), 2))
    expires = np.array([f"{day[:4]}-{day[4:6]}-{day[6:]}T15:30" for day in EXPIRIES], "M8[us]")[expiry]
    spot = np.round(SPOT * np.exp(random.normal(0.0, 0.01, rows)), 2)
    later = np.round(spot * np.exp(random.normal(0.0, 0.004, rows)), 2)
    basis = np.round(random.normal(60.0, 10.0, rows), 2)
    vol = random.uniform(0.10, 0.25, rows)
    ends = []
    for at, level, sigma in ((entry, spot, vol), (leave, later, vol * np.exp(random.normal(0.0, 0.03, rows)))):
        price = black_price(level + basis, STRIKES[strike], (expires - at) / YEAR, sigma, 1.0 - 2.0 * right)
        ends.append(np.maximum(np.round(np.asarray(price) / TICK) * TICK, TICK).round(2))
    symbols = [f"NIFTY_OPT_{e}_{r}_{k:g}" for e in EXPIRIES for k in STRIKES for r in ("CALL", "PUT")]
    codes = ((expiry * len(STRIKES) + strike) * 2 + right).astype(np.int32)
    return pa.table(
        {
            "symbol": pa.DictionaryArray.from_arrays(codes, symbols).cast(pa.string()),
            "entry_time": entry,
            "exit_time": leave,
            "entry_quantity": random.choice([-150.0, -75.0, 75.0, 150.0, 300.0], rows),
            "entry_price": ends[0],
            "exit_price": ends[1],
            "spot_entry": spot,
            "spot_exit": later,
            "forward_entry": spot + basis,
            "forward_exit": later + basis,
        }
    )


def generate(folder: Path, rows: int) -> None:
    """Write that many trades as Parquet files; a folder that holds them already is left as it is."""
    done = folder / "_done"
    if done.exists() and done.read_text(encoding="utf-8") == str(rows):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, first in enumerate(range(0, rows, FILE_ROWS)):
        table = trades(min(FILE_ROWS, rows - first), SEED + number)
        pq.write_table(table, folder / f"trades-{number:04d}.parquet", row_group_size=GROUP_ROWS)
    done.write_text(str(rows), encoding="utf-8")


@dataclass(frozen=True)
class Measured:
    """One run: its time, the processors' time, and the most memory that it held, by itself and with its workers."""

    rows: int
    seconds: float
    worked: float
    parent: int
    workers: int
    together: int
    statuses: dict[str, int]


class _Watch(threading.Thread):
    """Looks every 50 ms at the memory of a process and of those it began."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(process)
        self._over = threading.Event()
        self.parent = self.workers = self.together = 0

    def run(self) -> None:
        while not self._over.wait(0.05):
            own = _held(self._root)
            others = sum(_held(child) for child in _children(self._root))
            self.parent, self.workers = max(self.parent, own), max(self.workers, others)
            self.together = max(self.together, own + others)

    def stop(self) -> None:
        self._over.set()
        self.join()


def _held(process: psutil.Process) -> int:
    """Memory of a process. [bytes] Pages of files that it maps, such as libraries, are counted for each process."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


_RUN = """
import json, os, sys
from concurrent.futures import ThreadPoolExecutor
from attribution.dataset import attribute_dataset

if __name__ == "__main__":
    source, target, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    threads = settings.pop("pool_of_threads", None)
    client = None if threads is None else ThreadPoolExecutor(threads)
    summary = attribute_dataset(source, target, client=client, **settings)
    worked = sum(os.times()[:4])  # by this process and by its workers, all of them ended
    failures = [str(failure) for failure in summary.failures]
    print(json.dumps([summary.rows_now, summary.seconds, worked, dict(summary.statuses), failures]))
"""


def begin(source: Path, target: Path, **settings: Any) -> subprocess.Popen[str]:
    """Start a run in a process of its own."""
    script = target.with_name("run_dataset.py")
    script.write_text(_RUN, encoding="utf-8")
    words = [sys.executable, str(script), str(source), str(target), json.dumps(settings)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def measure(source: Path, target: Path, **settings: Any) -> Measured:
    """Run once and look on."""
    process = begin(source, target, **settings)
    watch = _Watch(process.pid)
    watch.start()
    out, _ = process.communicate()
    watch.stop()
    if process.returncode:
        raise SystemExit(f"the run ended with {process.returncode}")
    rows, seconds, worked, statuses, failures = json.loads(out.splitlines()[-1])
    if failures:
        raise SystemExit("\n".join(failures))
    return Measured(rows, seconds, worked, watch.parent, watch.workers, watch.together, statuses)


def run_with_kill(source: Path, target: Path, parts: int, **settings: Any) -> tuple[int, Measured]:
    """Kill a run, and nothing but its first process, when so many parts are there; resume it; return how far it was."""
    process = begin(source, target, **settings)
    while process.poll() is None and len(list(target.rglob("*.parquet"))) < parts:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    rows = sum(pq.read_metadata(path).num_rows for path in target.rglob("*.parquet"))
    return rows, measure(source, target, **settings)


def digest(folder: Path) -> str:
    """One word for all results in their order, whatever the row groups: the bits of every number, and every text."""
    total, place = 0, 0
    for path in sorted(folder.rglob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(250_000):
            places = np.arange(place, place + batch.num_rows, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            for number, column in enumerate(batch.columns):
                mixed = (_bits(column) ^ places) * np.uint64(0xBF58476D1CE4E5B9 + 2 * number)
                total += int(np.sum(mixed ^ (mixed >> np.uint64(29)), dtype=np.uint64))
            place += batch.num_rows
    return f"{place:,} rows {total % (1 << 64):016x}"


def _bits(column: pa.Array) -> Any:
    """Every value as 64 bits: a number's own, a text's by a digest."""
    if pa.types.is_floating(column.type):
        return column.fill_null(float("nan")).to_numpy(zero_copy_only=False).view(np.uint64)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    words = [hashlib.blake2b(str(value).encode(), digest_size=8).digest() for value in column.dictionary.to_pylist()]
    table = np.frombuffer(b"".join(words) + bytes(8), np.uint64)
    return table[column.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)]


def sweep(source: Path, folder: Path) -> Table:
    """Processes against threads, and rows per call."""
    rows = []
    for settings in SWEEP:
        shutil.rmtree(folder / "out", ignore_errors=True)
        run = measure(source, folder / "out", **settings)
        shown = ", ".join(f"{name} {value}" for name, value in settings.items())
        rows.append([shown, *_figures(run), digest(folder / "out")])
    return Table("Workers and rows per call", ("settings", *_HEADS, "digest"), rows)


SWEEP: tuple[dict[str, int], ...] = (
    {"workers": 1, "threads": 1},
    {"workers": 1},
    {"pool_of_threads": 2},
    {"workers": 2},
    {"workers": 2, "chunk_rows": 50_000},
    {"workers": 2, "chunk_rows": 100_000},
    {"workers": 2, "chunk_rows": 500_000},
    {"workers": 2, "chunk_rows": 1_000_000},
)
_HEADS = ("rows/s", "seconds", "CPU seconds", "memory of the first process", "of its workers", "at most together")


def _figures(run: Measured) -> list[str]:
    memory = [f"{held / 2**20:,.0f} MiB" for held in (run.parent, run.workers, run.together)]
    return [f"{run.rows / run.seconds:,.0f}", f"{run.seconds:,.1f}", f"{run.worked:,.1f}", *memory]


def straight(source: Path, folder: Path, settings: dict[str, int], *, kill: bool) -> Table:
    """One run from begin to end; then one that is killed half-way and resumed, and whether the results are the same."""
    whole = folder / "out"
    shutil.rmtree(whole, ignore_errors=True)
    run = measure(source, whole, **settings)
    told, parts = digest(whole), len(list(whole.rglob("*.parquet")))
    rows = [["begin to end", f"{run.rows:,}", *_figures(run), told]]
    if kill:
        shutil.rmtree(whole)  # a disk that holds both is more than most have
        done, rest = run_with_kill(source, whole, parts // 2, **settings)
        again = digest(whole)
        rows.append([f"killed with {done:,} rows done, resumed", f"{rest.rows:,}", *_figures(rest), again])
        if again != told:
            raise SystemExit(f"the resumed run's results differ: {again}, not {told}")
    return Table(f"Parquet to Parquet, {settings or 'default settings'}", ("run", "rows", *_HEADS, "digest"), rows)


def main(words: Sequence[str] | None = None) -> None:
    """Generate, run, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dataset", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=1_000_000, help="how many (default: 1e6)")
    parser.add_argument("--workers", type=int, help="processes (default: one for each core)")
    parser.add_argument("--chunk-rows", type=int, help="rows that a worker holds at a time")
    parser.add_argument("--kill", action="store_true", help="also kill a run half-way, resume it, compare the results")
    parser.add_argument("--sweep", action="store_true", help="compare processes, threads and rows per call")
    parser.add_argument("--folder", type=Path, help="where to put the files (default: a temporary folder)")
    wanted = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="attribution-") as passing:
        folder = wanted.folder or Path(passing)
        source = folder / f"trades-{wanted.rows}"
        generate(source, wanted.rows)
        size = sum(path.stat().st_size for path in source.iterdir())
        generate(folder / "few", 1_000)
        shutil.rmtree(folder / "few-out", ignore_errors=True)
        measure(folder / "few", folder / "few-out", workers=1)  # compiles the kernels, once
        print(describe(machine()))
        print(f"{wanted.rows:,} trades in {len(list(source.glob('*.parquet')))} files, {size / 2**20:,.0f} MiB")
        if wanted.sweep:
            table = sweep(source, folder)
        else:
            given = {"workers": wanted.workers, "chunk_rows": wanted.chunk_rows}
            settings = {name: value for name, value in given.items() if value is not None}
            table = straight(source, folder, settings, kill=wanted.kill)
        print(f"\n{table.title}\n\n{table}")


if __name__ == "__main__":
    main()
