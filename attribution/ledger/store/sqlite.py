"""The embedded store: one SQLite file, safe with many threads and processes of one machine.

Write-ahead log, ``synchronous=FULL``: every commit is on the disk before ``append`` returns. The file must lie on a
local disk: SQLite's write-ahead log needs shared memory, which network file systems do not have.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from attribution.ledger.entry import Draft, Entry, Head, Kind, Row
from attribution.ledger.errors import StoreError
from attribution.ledger.store.base import Appended, Plan, plan_append, require_writable_schema
from attribution.ledger.store.disk import is_writable, sync_folder
from attribution.ledger.store.group import GroupCommit, Request
from attribution.ledger.store.link import Link, prepare_folder
from attribution.ledger.store.table import Table, paged, set_write_ahead

__all__ = ["SqliteStore"]

_PRAGMAS = (
    "synchronous = FULL",  # every commit reaches the disk before it is acknowledged
    "fullfsync = ON",  # on a Mac too, where fsync alone does not
    "checkpoint_fullfsync = ON",
    "cache_size = -65536",  # 64 MiB: the index of identities stays in memory
    "wal_autocheckpoint = 4000",  # pages; a fold of the log into the file costs two more syncs
    "trusted_schema = OFF",
)


class SqliteStore:
    """A log in a SQLite file.

    Parameters
    ----------
    path
        The file.
    create
        Whether to make the file and its folder if they are not there; otherwise that is a ``StoreError``, and a file
        that cannot be written, on a medium that can only be read say, is opened for reading.
    busy_seconds
        How long to wait for the commits of others before ``StoreError``.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = True, busy_seconds: float = 30.0) -> None:
        self.path = Path(path).absolute()
        self._create = create
        self._busy_seconds = busy_seconds
        self._group = GroupCommit(self._commit_group)
        self._writer = Link(str(self.path), self._open, self._group.renew)
        self._reader = Link(str(self.path), self._open)
        with self._writer.table():
            pass

    def __repr__(self) -> str:
        return f"SqliteStore({str(self.path)!r})"

    def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        """Commit the drafts, all or none; see ``LogStore.append``. Threads that come together share a commit."""
        if not drafts:
            return []
        return self._group.submit(Request(drafts)).outcome()

    def entries(
        self, after: int = 0, limit: int | None = None, kinds: Collection[Kind] | None = None
    ) -> Iterator[Entry]:
        """Yield entries in order; what is appended meanwhile is seen too. See ``LogStore.entries``."""
        return (row.entry() for row in paged(self._reader.table, after, limit, kinds))

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Yield rows unchecked, in order; see ``LogStore.rows``."""
        return paged(self._reader.table, after)

    def head(self) -> Head:
        """Return the end of the log."""
        with self._reader.table() as table:
            return table.head()

    def close(self) -> None:
        """Close the file. It is opened again if the store is used again."""
        self._writer.close()
        self._reader.close()

    def _commit_group(self, requests: Sequence[Request]) -> None:
        with self._writer.table() as table:
            plans = _commit_as_new(table, requests) or _commit(table, requests)
        for request, plan in zip(requests, plans, strict=True):
            request.plan = plan

    def _open(self) -> sqlite3.Connection:
        """Open the file in the one mode that keeps the promise, and make the table if it is not there."""
        is_new = not self.path.exists()
        if is_new and not self._create:
            raise StoreError(f"{self.path}: there is no log")
        if not self._create and not is_writable(self.path):
            return self._open_to_read()
        if is_new:
            prepare_folder(self.path.parent)
        connection = sqlite3.connect(
            self.path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            set_write_ahead(connection, str(self.path), self._busy_seconds)
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            Table(connection).create()
            if is_new:
                sync_folder(self.path.parent)
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_to_read(self) -> sqlite3.Connection:
        """Open a file that cannot be written: with its write-ahead log where others keep one, else as it stands."""
        try:
            return self._connect_to_read("mode=ro")
        except sqlite3.OperationalError:
            ahead = self.path.with_name(f"{self.path.name}-wal")
            if ahead.exists() and ahead.stat().st_size:
                reason = f"its last commits are in {ahead.name}, which cannot be read where nothing can be written"
                raise StoreError(f"{self.path}: {reason}; copy both to where something can") from None
            return self._connect_to_read("immutable=1")

    def _connect_to_read(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?{mode}",
            uri=True,
            timeout=self._busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            Table(connection).create()
            connection.execute("SELECT 1 FROM entries LIMIT 1")
        except BaseException:
            connection.close()
            raise
        return connection


class _NotAllNewError(Exception):
    """Something in a batch is in the log already, or contradicts itself."""


def _commit_as_new(table: Table, requests: Sequence[Request]) -> list[Plan] | None:
    """Commit batches without looking any draft up; None, and nothing is written, if one is not new after all."""
    try:
        with table.transaction():
            return [_added_as_new(table, request.drafts) for request in requests]
    except (sqlite3.IntegrityError, _NotAllNewError):
        return None


def _added_as_new(table: Table, drafts: Sequence[Draft]) -> Plan:
    require_writable_schema(table.newest_schema())
    plan = plan_append(drafts, table.head())
    if plan.conflicts:
        raise _NotAllNewError
    table.add(plan.rows)
    return plan


def _commit(table: Table, requests: Sequence[Request]) -> list[Plan]:
    """Commit what is new in each batch, or, if it contradicts the log, its quarantine."""
    with table.transaction():
        return [_added(table, request.drafts) for request in requests]


def _added(table: Table, drafts: Sequence[Draft]) -> Plan:
    require_writable_schema(table.newest_schema())
    plan = plan_append(drafts, table.head(), table.lookup)
    table.add(plan.rows)
    return plan
