"""Drafts to append, places to keep logs in, and writer processes that can be killed."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from attribution.ledger.entry import Draft, Kind, Row
from attribution.ledger.store.base import LogStore
from attribution.ledger.store.folder import FolderObjects
from attribution.ledger.store.objects import ObjectStore
from attribution.ledger.store.s3 import S3Objects, new_client
from attribution.ledger.store.sqlite import SqliteStore

TS = 1_767_364_200_000_000_000
DAY = date(2026, 1, 2)


def draft(name: object, **changes: Any) -> Draft:
    """A small fill: ``name`` tells it apart, ``quantity`` and ``price`` are what a conflict would change."""
    body = {"symbol": "AAPL", "side": "BUY", "quantity": "10", "price": "175.32", "split": {"a": "6", "b": "4"}}
    body |= changes.pop("body", {})
    fields: dict[str, Any] = {
        "kind": Kind.FILL,
        "account_id": "acc",
        "key": f"ALPACA/{name}/1",
        "ts": TS,
        "trade_date": DAY,
        "source": "test",
        "body": body,
    }
    return Draft(**(fields | changes))


class Place(Protocol):
    """A medium that keeps one log, and what an enemy of the log could do to it."""

    name: str

    def open(self) -> LogStore:
        """Open the log as one more process would."""
        ...

    def opener(self) -> Callable[[], LogStore]:
        """``open``, in a form that travels to another process."""
        ...

    def rewrite(self, change: Callable[[list[Row]], Iterable[Row]]) -> None:
        """Write the whole log anew behind the store's back."""
        ...


@dataclass
class SqliteOpener:
    path: Path

    def __call__(self) -> SqliteStore:
        return SqliteStore(self.path)


@dataclass
class SqlitePlace:
    folder: Path
    name: str = "sqlite"

    def opener(self) -> SqliteOpener:
        return SqliteOpener(self.folder / "log" / "ledger.sqlite3")

    def open(self) -> SqliteStore:
        return self.opener()()

    def rewrite(self, change: Callable[[list[Row]], Iterable[Row]]) -> None:
        self.open().close()
        connection = sqlite3.connect(self.opener().path)
        with connection:
            rows = list(map(Row._make, connection.execute("SELECT * FROM entries ORDER BY seq")))
            triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            connection.execute("DELETE FROM entries")
            new = list(change(rows))
            connection.executemany(f"INSERT INTO entries VALUES ({','.join('?' * len(Row._fields))})", new)
            connection.execute(f"PRAGMA user_version = {max((row.schema_version for row in new), default=0)}")
            for _, sql in triggers:
                connection.execute(sql)
        connection.close()


@dataclass
class FolderOpener:
    folder: Path

    def __call__(self) -> ObjectStore:
        return ObjectStore(FolderObjects(self.folder), "acc")


@dataclass
class FolderPlace:
    folder: Path
    name: str = "folder"

    def opener(self) -> FolderOpener:
        return FolderOpener(self.folder)

    def open(self) -> ObjectStore:
        return self.opener()()

    def rewrite(self, change: Callable[[list[Row]], Iterable[Row]]) -> None:
        store = ObjectStore(FolderObjects(self.folder), "acc", probe_first=False)
        rows = list(store.rows())
        folder = self.folder / "log" / "acc"
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for row in change(rows):
            (folder / f"{row.seq:020d}.jsonl").write_text(row.line() + "\n", encoding="utf-8")


@cache
def shared_client(endpoint_url: str) -> Any:
    """One client for all stores of the test process: it takes a tenth of a second to make."""
    return new_client(endpoint_url)


@dataclass
class S3Opener:
    bucket: str
    endpoint_url: str
    mirror: Path | None
    environment: dict[str, str]

    def __call__(self) -> ObjectStore:
        os.environ.update(self.environment)
        return ObjectStore(S3Objects(self.bucket, endpoint_url=self.endpoint_url), "acc", mirror=self.mirror)


@dataclass
class S3Place:
    """A bucket; other processes keep a mirror in common, and the tests' own stores read the bucket itself."""

    bucket: str
    endpoint_url: str
    mirror: Path | None = None
    name: str = "s3"

    def opener(self) -> S3Opener:
        keys = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        return S3Opener(self.bucket, self.endpoint_url, self.mirror, keys)

    def objects(self) -> S3Objects:
        return S3Objects(self.bucket, client=partial(shared_client, self.endpoint_url))

    def open(self) -> ObjectStore:
        return ObjectStore(self.objects(), "acc")

    def rewrite(self, change: Callable[[list[Row]], Iterable[Row]]) -> None:
        objects = self.objects()
        store = ObjectStore(objects, "acc", probe_first=False)
        rows = list(store.rows())
        for name in list(objects.names_after("log/acc/", "log/acc/")):
            objects.remove(name)
        for row in change(rows):
            objects.replace(f"log/acc/{row.seq:020d}.jsonl", f"{row.line()}\n".encode())


# --- writer processes -------------------------------------------------------------------------------------------

_START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
_processes = multiprocessing.get_context(_START)
if _START == "forkserver":
    _processes.set_forkserver_preload(["tests.ledger.log_tools", "boto3"])


def write_fills(opener: Callable[[], LogStore], writer: int, start: int, stop: int, acks: Path) -> None:
    """Append, one commit each: a fill that every writer delivers, and one of its own; note what was acknowledged."""
    store = opener()
    descriptor = os.open(acks, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in range(start, stop):
        batch = [draft(f"shared-{number}"), draft(f"own-{writer}-{number}")]
        for appended in store.append(batch):
            os.write(descriptor, f"{appended.row.seq} {appended.row.key}\n".encode())
    store.close()


def start_writer(opener: Callable[[], LogStore], writer: int, start: int, stop: int, acks: Path) -> BaseProcess:
    """Start a writer process."""
    process = _processes.Process(target=write_fills, args=(opener, writer, start, stop, acks), daemon=True)
    process.start()
    return process


def acknowledged(paths: Iterable[Path]) -> set[tuple[int, str]]:
    """What the writers were told is in the log; the last line of a killed one may be torn."""
    found = set()
    for path in paths:
        for line in path.read_text().splitlines(keepends=True) if path.exists() else ():
            if line.endswith("\n"):
                seq, key = line.split()
                found.add((int(seq), key))
    return found


@contextmanager
def deadline(seconds: float, what: str) -> Iterator[Callable[[], None]]:
    """Yield a function that fails once the time is up: a loop that waits must end."""
    end = time.monotonic() + seconds

    def check() -> None:
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.02)

    yield check
