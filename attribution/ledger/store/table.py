"""The one SQLite table that holds rows: the store's own, and the local mirror of a log of objects.

``user_version`` is the newest schema version among the entries. Triggers refuse to change or remove a row, and to add
one anywhere but at the end; whoever drops the triggers first is found by ``verify``.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from attribution.ledger.entry import CURRENT, GENESIS, Head, Identity, Kind, Row
from attribution.ledger.errors import CorruptLogError, StoreError

__all__ = ["Table", "paged", "set_write_ahead", "translated"]

_NEEDED = (3, 37, 0)
"""The first SQLite with STRICT tables (November 2021)."""

_APPLICATION_ID = 0x4C454447
"""``LEDG``: in the file's header, so that no other program's database is taken for a log."""

_PAGE = 2_000
"""Rows per read: an iterator holds no transaction and no lock between pages."""

_IDENTITIES = 300
"""Identities per look-up statement."""

_OPEN_AGAIN = 0.01
"""Seconds between attempts to open a file that another process is just making."""

_COLUMNS = ", ".join(Row._fields)

_SCHEMA = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    trade_date TEXT NOT NULL,
    source TEXT NOT NULL,
    correlation_id TEXT,
    causation_id TEXT,
    body TEXT NOT NULL,
    digest TEXT NOT NULL,
    prev_digest TEXT NOT NULL,
    UNIQUE (account_id, kind, key)
) STRICT;
CREATE TRIGGER entries_keep_values BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the log is append-only: no entry is ever changed'); END;
CREATE TRIGGER entries_keep_rows BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the log is append-only: no entry is ever removed'); END;
CREATE TRIGGER entries_go_to_the_end BEFORE INSERT ON entries
    WHEN NEW.seq <= (SELECT max(seq) FROM entries)
    OR EXISTS (SELECT 1 FROM entries WHERE account_id = NEW.account_id AND kind = NEW.kind AND key = NEW.key)
    BEGIN SELECT RAISE(ABORT, 'the log is append-only: a new entry goes to its end, under a new identity'); END;
"""


class Table:
    """The rows of one database, over one connection that the caller owns and serialises."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def create(self) -> None:
        """Make the table if the database is new; refuse a database that is something else."""
        if sqlite3.sqlite_version_info < _NEEDED:
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: {'.'.join(map(str, _NEEDED))} is needed")
        if self._pragma("application_id") == _APPLICATION_ID:
            return
        with self.transaction():
            if self._pragma("application_id") == _APPLICATION_ID:
                return
            if self.connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                raise StoreError("the database belongs to another program: it holds tables, and none is ours")
            for statement in _statements(_SCHEMA):
                self.connection.execute(statement)
            self.connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, with the write lock held from the start."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def head(self) -> Head:
        """Return the end of the rows."""
        found = self.connection.execute("SELECT seq, digest FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
        return Head(*found) if found else Head(0, GENESIS)

    def newest_schema(self) -> int:
        """Return the newest schema version among the rows; 0 for none."""
        return self._pragma("user_version")

    def add(self, rows: Collection[Row]) -> None:
        """Insert rows; inside a transaction."""
        marks = ", ".join("?" * len(Row._fields))
        self.connection.executemany(f"INSERT INTO entries ({_COLUMNS}) VALUES ({marks})", rows)
        newest = max((row.schema_version for row in rows), default=CURRENT)
        if newest > self.newest_schema():
            self.connection.execute(f"PRAGMA user_version = {newest}")

    def lookup(self, identities: Collection[Identity]) -> dict[Identity, Row]:
        """Return the rows of those identities that are there."""
        wanted = list(identities)
        found: dict[Identity, Row] = {}
        for start in range(0, len(wanted), _IDENTITIES):
            chunk = wanted[start : start + _IDENTITIES]
            marks = ", ".join(["(?, ?, ?)"] * len(chunk))
            cursor = self.connection.execute(
                f"WITH wanted AS (VALUES {marks}) SELECT {_COLUMNS} FROM wanted CROSS JOIN entries "
                "ON account_id = column1 AND kind = column2 AND key = column3",
                [text for identity in chunk for text in identity],
            )
            found.update((row.identity, row) for row in map(Row._make, cursor))
        return found

    def page(self, after: int, kinds: Collection[Kind] | None = None, limit: int = _PAGE) -> list[Row]:
        """Return the first rows with ``seq > after``, at most a page."""
        if kinds is None:
            cursor = self.connection.execute(
                f"SELECT {_COLUMNS} FROM entries WHERE seq > ? ORDER BY seq LIMIT ?", (after, min(limit, _PAGE))
            )
        else:
            marks = ", ".join("?" * len(kinds))
            cursor = self.connection.execute(
                f"SELECT {_COLUMNS} FROM entries WHERE seq > ? AND kind IN ({marks}) ORDER BY seq LIMIT ?",
                (after, *(kind.value for kind in kinds), min(limit, _PAGE)),
            )
        return list(map(Row._make, cursor))

    def _pragma(self, name: str) -> int:
        return int(self.connection.execute(f"PRAGMA {name}").fetchone()[0])


def paged(
    table: Callable[[], AbstractContextManager[Table]],
    after: int = 0,
    limit: int | None = None,
    kinds: Collection[Kind] | None = None,
) -> Iterator[Row]:
    """Yield rows with ``seq > after``, page by page; ``table`` lends the table for a page."""
    left = sys.maxsize if limit is None else limit
    while left > 0:
        with table() as lent:
            page = lent.page(after, kinds, left)
        if not page:
            return
        yield from page
        after, left = page[-1].seq, left - len(page)


def set_write_ahead(connection: sqlite3.Connection, place: str, busy_seconds: float) -> None:
    """Switch to the write-ahead log; while another process does the same, SQLite says busy without waiting."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_OPEN_AGAIN)
            continue
        if mode != "wal":
            raise StoreError(f"{place}: no write-ahead log there (SQLite says {mode!r}); the log needs a local disk")
        return


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn SQLite's errors into the ledger's, with the place of the database in the message."""
    try:
        yield
    except (sqlite3.NotSupportedError, sqlite3.ProgrammingError):
        raise
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT):
            raise CorruptLogError(f"{place}: {error}") from error
        raise StoreError(f"{place}: {error}") from error


def _statements(script: str) -> Iterable[str]:
    """The statements of a script, one by one: ``executescript`` would commit the transaction it is in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
