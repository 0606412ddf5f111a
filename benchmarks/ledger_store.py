"""What a durable entry costs: our stores beside the same rows put into SQLite, and into a file, without them.

Ours and the raw rate take turns, so that a disk or a machine that changes its mind changes both. "Raw" commits the
very rows that our store made, into a table with the same columns and keys, without look-ups, digests, triggers or
checks: the difference is what idempotency and the hash chain cost::

    python -m benchmarks.ledger_store              # some 10 s
    python -m benchmarks.ledger_store --quick
    python -m benchmarks.ledger_store --entries 1_000_000
"""

from __future__ import annotations

import argparse
import gc
import os
import sqlite3
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from attribution.ledger.entry import GENESIS, Draft, Kind, Row
from attribution.ledger.log import Log
from attribution.ledger.store.folder import FolderObjects
from attribution.ledger.store.objects import ObjectStore
from attribution.ledger.store.sqlite import SqliteStore
from benchmarks.tables import Table

__all__ = ["Measured", "drafts", "main", "measure", "store_table"]

BATCH = 10_000
THREADS = (8, 32)
TS = 1_767_364_200_000_000_000
DAY = date(2026, 1, 2)

_RAW_SCHEMA = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, account_id TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
    schema_version INTEGER NOT NULL, ts INTEGER NOT NULL, trade_date TEXT NOT NULL, source TEXT NOT NULL,
    correlation_id TEXT, causation_id TEXT, body TEXT NOT NULL, digest TEXT NOT NULL, prev_digest TEXT NOT NULL,
    UNIQUE (account_id, kind, key)
) STRICT
"""
_RAW_INSERT = f"INSERT INTO entries VALUES ({', '.join('?' * len(Row._fields))})"


@dataclass
class Measured:
    """The rates of one task, round by round [per second]."""

    ours: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)


def drafts(start: int = 0) -> Iterator[Draft]:
    """Fills with all that is usually known of one, without end."""
    number = start
    while True:
        yield Draft(
            Kind.FILL,
            "PA3X",
            f"ALPACA/order-{number // 3}/fill-{number}",
            TS + number * 1_000_000,
            DAY,
            "benchmark",
            _body(number),
            "run-7",
            "plan-7",
        )
        number += 1


def _body(number: int) -> dict[str, Any]:
    return {
        "order_id": f"order-{number // 3}",
        "fill_id": f"fill-{number}",
        "symbol": "AAPL",
        "asset_type": "STOCK",
        "side": "BUY" if number % 2 else "SELL",
        "quantity": "10",
        "price": f"{170 + number % 1000 / 100:.2f}",
        "fees": "0.05",
        "order_type": "LIMIT",
        "bid": "175.31",
        "ask": "175.33",
        "quote_ts": TS + number * 1_000_000 - 5_000,
        "client_order_id": f"momentum-AAPL-20260102T143000-{number:08x}-v1",
        "plan_id": "plan-7",
        "plan_item": "AAPL",
        "venue": "ALPACA",
        "multiplier": "1",
        "currency": "USD",
        "split": {"momentum": "6", "mean_rev": "4"},
    }


class RawFile:
    """A SQLite file in the same mode as our store's, and nothing around it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536", "wal_autocheckpoint = 4000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(_RAW_SCHEMA)

    def insert(self, rows: Sequence[Row]) -> None:
        """Commit rows."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(_RAW_INSERT, rows)
        self._connection.execute("COMMIT")


def rate(count: int, work: Callable[[], object]) -> float:
    """How many a second, of ``count`` done by ``work``."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def each(work: Callable[[Any], object], items: Sequence[Any]) -> Callable[[], None]:
    """The work for one item after the other."""

    def run() -> None:
        for item in items:
            work(item)

    return run


def measure_bulk(folder: Path, count: int) -> tuple[Measured, Measured, SqliteStore]:
    """Commits of 10,000: with drafts at hand, and with the drafts' making included."""
    store, raw = SqliteStore(folder / "bulk.sqlite3"), RawFile(folder / "raw-bulk.sqlite3")
    ready, made = Measured(), Measured()
    source = drafts()
    for _ in range(max(1, count // BATCH)):
        start = time.perf_counter()
        batch = list(islice(source, BATCH))
        making = time.perf_counter() - start
        ready.ours.append(rate(BATCH, partial(store.append, batch)))
        made.ours.append(BATCH / (making + BATCH / ready.ours[-1]))
        rows = list(store.rows(after=store.head().seq - BATCH))
        ready.raw.append(rate(BATCH, partial(raw.insert, rows)))
    made.raw = ready.raw
    return ready, made, store


def measure_single(folder: Path, count: int, rounds: int) -> dict[str, Measured]:
    """Commits of one fill, by one thread and by several."""
    store, raw = SqliteStore(folder / "single.sqlite3"), RawFile(folder / "raw-single.sqlite3")
    source, one, many = drafts(), Measured(), {threads: Measured() for threads in THREADS}
    for _ in range(rounds):
        one.ours.append(rate(count, each(store.append, [[draft] for draft in islice(source, count)])))
        rows = list(store.rows(after=store.head().seq - count))
        one.raw.append(rate(count, each(raw.insert, [[row] for row in rows])))
        for threads, measured in many.items():
            batches = [[draft] for draft in islice(source, count)]
            with ThreadPoolExecutor(threads) as pool:
                measured.ours.append(rate(count, partial(_drain, pool.map(store.append, batches))))
            measured.raw = one.raw
    store.close()
    several = {f"commits of one fill, {threads} threads": measured for threads, measured in many.items()}
    return {"commits of one fill, one thread": one} | several


def _drain(results: Iterator[object]) -> None:
    deque(results, maxlen=0)


def measure_objects(folder: Path, count: int) -> Measured:
    """Commits of one fill as objects of a folder, beside files of the same bytes that are only written and synced."""
    store, measured = ObjectStore(FolderObjects(folder / "objects")), Measured()
    batch = [[draft] for draft in islice(drafts(), count)]
    measured.ours.append(rate(count, each(store.append, batch)))
    contents = [row.line().encode() for row in store.rows()]
    (folder / "files").mkdir()

    def write(number: int) -> None:
        with (folder / "files" / str(number)).open("xb") as file:
            file.write(contents[number])
            file.flush()
            os.fsync(file.fileno())

    measured.raw.append(rate(count, each(write, range(count))))
    store.close()
    return measured


def measure_reading(store: SqliteStore, entries: int) -> dict[str, Measured]:
    """What a full log gives back, and how fast it is proven."""
    again = list(islice(drafts(), min(entries, 5 * BATCH)))
    connection = sqlite3.connect(store.path)
    raw = rate(entries, lambda: list(connection.execute("SELECT * FROM entries")))
    connection.close()
    return {
        "redelivered, 10,000 at a time": Measured(
            [rate(BATCH, partial(store.append, again[at : at + BATCH])) for at in range(0, len(again), BATCH)]
        ),
        "entries read": Measured([rate(entries, lambda: sum(1 for _ in store.entries()))], [raw]),
        "entries verified": Measured([rate(entries, Log(store).verify)], [raw]),
    }


def disk_rate(folder: Path, count: int) -> float:
    """How often a second the disk says that 4 KiB at the end of a file will last."""
    descriptor = os.open(folder / "sync", os.O_CREAT | os.O_WRONLY)

    def work() -> None:
        for _ in range(count):
            os.write(descriptor, b"x" * 4096)
            os.fsync(descriptor)

    try:
        return rate(count, work)
    finally:
        os.close(descriptor)


def measure(entries: int, singles: int, rounds: int, place: Path) -> tuple[dict[str, Measured], dict[str, float]]:
    """Measure everything in a folder that is gone afterwards; rates and facts."""
    gc.collect()
    gc.freeze()
    next(drafts()).row(1, GENESIS)
    with tempfile.TemporaryDirectory(dir=place, prefix=".ledger-benchmark-") as name:
        folder = Path(name)
        facts = {"syncs of 4 KiB a second, before": disk_rate(folder, singles // 4 or 1)}
        results = measure_single(folder, singles, rounds)
        ready, made, store = measure_bulk(folder, entries)
        results |= {"entries in bulk, 10,000 a commit": ready, "the same, making the drafts included": made}
        results |= measure_reading(store, store.head().seq)
        seq = store.head().seq
        store.close()
        facts["bytes per entry in the file"] = store.path.stat().st_size / seq
        results["commits of one fill, as objects in a folder"] = measure_objects(folder, singles)
        facts["syncs of 4 KiB a second, after"] = disk_rate(folder, singles // 4 or 1)
    return results, facts


def store_table(results: dict[str, Measured]) -> Table:
    """Medians over the rounds."""
    rows = []
    for what, measured in results.items():
        ours = statistics.median(measured.ours)
        raw = statistics.median(measured.raw) if measured.raw else None
        rows.append(
            [what, f"{ours:,.0f}", f"{max(measured.ours):,.0f}"]
            + (["–", "–"] if raw is None else [f"{raw:,.0f}", f"{ours / raw:.0%}"])
        )
    return Table("Ledger store", ("per second", "median", "best", "raw, median", "ours / raw"), rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table and the facts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--entries", type=int, default=100_000, help="entries in bulk (default 100,000)")
    parser.add_argument("--singles", type=int, default=1_000, help="commits of one fill, a round (default 1,000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of single commits (default 5)")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="on which disk (default: the current folder's)")
    options = parser.parse_args(arguments)
    share = 10 if options.quick else 1
    results, facts = measure(options.entries // share, options.singles // share, options.rounds, options.folder)
    print(store_table(results))
    print()
    for what, value in facts.items():
        print(f"{what}: {value:,.0f}")
    print(f"SQLite {sqlite3.sqlite_version}; {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
