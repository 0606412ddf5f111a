"""The query database: what :mod:`attribution.ledger.query` asks, derived from the log and never the truth.

``sync`` reads the log from where it stopped. If the log there is not the one it read before, it starts again.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from attribution.ledger.entry import GENESIS, Entry, Head
from attribution.ledger.errors import StoreError
from attribution.ledger.filing import FillWriter
from attribution.ledger.pyramid import PYRAMID_TABLE
from attribution.ledger.query import GroupTotal, TradeLedgerQuery
from attribution.ledger.rows import INDEXES, TABLES, read_document
from attribution.ledger.totals import group_totals, page_sql, where_sql
from attribution.ledger.view import TradeLedgerEntry

__all__ = ["EntrySource", "QueryDatabase"]

VERSION: Final = 2
"""Of the tables; a database of another version is built anew."""

_CHUNK = 50_000
"""Entries read between two commits."""

_CACHE_KIB = 262_144
"""At most; what is written in no order stays in memory until it is."""


class EntrySource(Protocol):
    """Whatever gives the entries of a log, in order."""

    def entries(self, after: int = 0, limit: int | None = None, kinds: Any = None) -> Iterator[Entry]:
        """Yield entries with ``seq > after``."""
        ...

    def head(self) -> Head:
        """Return the end of the log."""
        ...


class QueryDatabase:
    """Fills by strategy, symbol and time. Safe to share between threads.

    Parameters
    ----------
    path
        Where the database is kept; None: in memory.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self._lock = threading.RLock()
        self._path = None if path is None else Path(path)
        self._connection = self._open()
        # Whoever forgets to close it has it closed when nobody holds it any more.
        self._closing = weakref.finalize(self, self._connection.close)

    def close(self) -> None:
        """Let go of the file; closing twice is harmless."""
        with self._lock:
            self._closing()

    # --- from the log --------------------------------------------------------------------------------------------

    def sync(self, log: EntrySource) -> int:
        """Read what the log has more than this database; return the number of the last entry that is in it."""
        with self._lock:
            done = self._resume(log)
            entries = log.entries(after=done.seq)
            while chunk := list(islice(entries, _CHUNK)):
                if not self._take(done, chunk):  # another process was here first
                    return self.sync(log)
                done = Head(chunk[-1].seq, chunk[-1].digest)
            self._connection.executescript(INDEXES)
            return done.seq

    def _resume(self, log: EntrySource) -> Head:
        """Where to go on; after emptying the tables, if the log is another one than was read before."""
        done = self._read_head()
        if done.seq == 0:
            return done
        kept = next(iter(log.entries(after=done.seq - 1, limit=1)), None)
        if kept is not None and kept.seq == done.seq and kept.digest == done.digest:
            return done
        _create(self._connection)
        return Head(0, GENESIS)

    def _take(self, done: Head, chunk: Sequence[Entry]) -> bool:
        """Write a run of entries in one commit, unless the database has moved on from ``done`` meanwhile."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            if self._read_head() != done:
                connection.rollback()
                return False
            writer = FillWriter(connection)
            for entry in chunk:
                writer.take(entry)
            writer.flush()
            head = f"{chunk[-1].seq}:{chunk[-1].digest}"
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('head', ?)", (head,))
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        return True

    # --- questions -----------------------------------------------------------------------------------------------

    def find(self, query: TradeLedgerQuery) -> list[TradeLedgerEntry]:
        """The fills that a query asks for, in its order."""
        sql, values = page_sql(query)
        with self._one_moment():
            numbers = [row[0] for row in self._connection.execute(sql, values)]
            return self._read(numbers)

    def count(self, query: TradeLedgerQuery) -> int:
        """How many fills a query lets through, whatever its limit."""
        table, where, values = where_sql(query)
        with self._lock:
            row = self._connection.execute(f"SELECT count(*) FROM {table} WHERE {where}", values).fetchone()
        return int(row[0])

    def fill_by_key(self, account_id: str, key: str) -> TradeLedgerEntry | None:
        """The fill under an idempotency key, if it is on record and not busted."""
        return next(iter(self._by("account_id = ? AND key = ?", (account_id, key))), None)

    def fills_of_order(self, account_id: str, order_id: str) -> list[TradeLedgerEntry]:
        """The fills of one order, in the order of the log."""
        return self._by("account_id = ? AND order_id = ?", (account_id, order_id))

    def totals(self, by: Sequence[str], query: TradeLedgerQuery | None = None) -> list[GroupTotal]:
        """Exact totals by group, of the fills that a query lets through; its order and page do not matter."""
        with self._one_moment():
            return group_totals(self._connection, by, query or TradeLedgerQuery())

    @contextmanager
    def _one_moment(self) -> Iterator[None]:
        """What is read here is of one moment, whatever other processes write meanwhile."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.rollback()

    def _by(self, where: str, values: tuple[Any, ...]) -> list[TradeLedgerEntry]:
        with self._one_moment():
            rows = self._connection.execute(f"SELECT seq FROM fill WHERE {where} ORDER BY seq", values)
            return self._read([row[0] for row in rows])

    def _read(self, numbers: Sequence[int]) -> list[TradeLedgerEntry]:
        found: dict[int, TradeLedgerEntry] = {}
        for start in range(0, len(numbers), 500):
            some = numbers[start : start + 500]
            marks = ",".join("?" * len(some))
            rows = self._connection.execute(f"SELECT seq, document FROM fill WHERE seq IN ({marks})", some)
            found |= {seq: read_document(document).view() for seq, document in rows}
        return [found[number] for number in numbers]

    # --- the file ------------------------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        name = ":memory:" if self._path is None else str(self._path)
        try:
            connection = sqlite3.connect(name, check_same_thread=False, timeout=30.0, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                _create(connection)
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"query database {name}: {error}; it may be deleted, it is rebuilt from the log"
            ) from error
        return connection

    def _read_head(self) -> Head:
        row = self._connection.execute("SELECT value FROM meta WHERE name = 'head'").fetchone()
        if row is None:
            return Head(0, GENESIS)
        seq, _, digest = str(row[0]).partition(":")
        return Head(int(seq), digest)


def _create(connection: sqlite3.Connection) -> None:
    """Lay out empty tables. What is derived need not survive a crash: losing it costs a rebuild, not a fact."""
    emptied = "".join(
        f"DROP TABLE IF EXISTS {table};" for table in ("meta", "fill", "busted", "early", "part", "total")
    )
    connection.executescript(f"BEGIN IMMEDIATE;{emptied}{TABLES}{PYRAMID_TABLE}PRAGMA user_version = {VERSION};COMMIT;")
