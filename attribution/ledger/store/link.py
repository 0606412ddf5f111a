"""One SQLite connection that threads take turns with, and that never crosses a fork.

A connection inherited by a forked child makes SQLite believe it holds file locks that it does not. So every
connection is closed before the process forks, and parent and child each open their own when they next need one.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attribution.ledger.errors import StoreError
from attribution.ledger.store.disk import make_folder
from attribution.ledger.store.table import Table, translated

__all__ = ["Link", "prepare_folder"]


class Link:
    """A table behind a lock, opened when it is first used and again after ``close`` or a fork."""

    def __init__(
        self, place: str, connect: Callable[[], sqlite3.Connection], after_fork: Callable[[], None] | None = None
    ) -> None:
        self.place = place
        self._connect = connect
        self._after_fork = after_fork
        self._lock = threading.RLock()
        self._table: Table | None = None
        self._closing: weakref.finalize[[], Link] | None = None
        with _LINKS_LOCK:
            _LINKS.add(self)

    @contextmanager
    def table(self) -> Iterator[Table]:
        """The table, for this thread alone until the block ends."""
        with self._lock, translated(self.place):
            if self._table is None:
                connection = self._connect()
                # Whoever forgets to close it has it closed when nobody holds it any more.
                self._closing = weakref.finalize(self, connection.close)
                self._table = Table(connection)
            yield self._table

    def close(self) -> None:
        """Close the connection, once whoever uses it is done."""
        with self._lock:
            self._table = None
            if self._closing is not None:
                self._closing()
                self._closing = None

    def hold(self) -> None:
        """Close the connection and keep everybody out until ``release``."""
        self._lock.acquire()
        self.close()

    def release(self) -> None:
        """Let them in again."""
        self._lock.release()

    def renew(self) -> None:
        """Start with a free lock: in a forked child the threads that waited for it do not exist."""
        self._lock = threading.RLock()
        if self._after_fork is not None:
            self._after_fork()


def prepare_folder(folder: Path) -> None:
    """Make the folder of a database if it is not there."""
    try:
        make_folder(folder)
    except OSError as error:
        raise StoreError(f"{folder}: {error.strerror or error}") from error


_LINKS: weakref.WeakSet[Link] = weakref.WeakSet()
_LINKS_LOCK = threading.RLock()
_held: list[Link] = []


def _before_fork() -> None:
    _LINKS_LOCK.acquire()
    for link in list(_LINKS):
        link.hold()
        _held.append(link)


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().release()
    _LINKS_LOCK.release()


def _after_fork_in_child() -> None:
    global _LINKS_LOCK
    while _held:
        _held.pop().renew()
    _LINKS_LOCK = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
