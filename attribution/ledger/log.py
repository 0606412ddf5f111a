"""The log as the rest of the ledger sees it: entries in today's shape, and the proof that none was altered."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from types import TracebackType
from typing import Self

from attribution.ledger.entry import GENESIS, Draft, Entry, Head, Kind
from attribution.ledger.errors import CorruptLogError
from attribution.ledger.store.base import Appended, LogStore
from attribution.ledger.upcast import is_readable, upcast

__all__ = ["Log"]

_logger = logging.getLogger(__name__)


class Log:
    """A log over any store. As safe to share between threads and processes as its store.

    Examples
    --------
    >>> from attribution.ledger.store.sqlite import SqliteStore
    >>> with Log(SqliteStore("ledger.sqlite3")) as log:  # doctest: +SKIP
    ...     log.append([draft])
    ...     log.verify()
    """

    def __init__(self, store: LogStore) -> None:
        self.store = store

    def __repr__(self) -> str:
        return f"Log({self.store!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        """Commit the drafts, all or none, durably, and return where each stands.

        A draft that is in the log already, with the same content, changes nothing.

        Raises
        ------
        ConflictError
            A draft contradicts the log; it is now in quarantine, and nothing of the batch was written.
        StoreError
            The store failed; appending the same again later is safe.
        NewerSchemaError
            A newer version of this package writes this log.
        """
        return self.store.append(drafts)

    def entries(
        self, after: int = 0, limit: int | None = None, kinds: Collection[Kind] | None = None
    ) -> Iterator[Entry]:
        """Yield entries with ``seq > after`` in order, brought up to today's shape.

        Entries that only a newer version of the package knows are left out and counted in a warning of the logger;
        ``newer`` yields them. Such a log is never written to.
        """
        unknown = 0
        for entry in self.store.entries(after, limit, kinds):
            if is_readable(entry):
                yield upcast(entry)
            else:
                unknown += 1
        if unknown:
            _logger.warning("%r: left out %d entries that a newer version of the package wrote", self.store, unknown)

    def newer(self) -> Iterator[Entry]:
        """Yield the entries, as they are, that only a newer version of the package knows."""
        return (entry for entry in self.store.entries() if not is_readable(entry))

    def quarantined(self) -> Iterator[Entry]:
        """Yield what was refused because it contradicted the log."""
        return self.entries(kinds=[Kind.QUARANTINE])

    def head(self) -> Head:
        """Return the last entry's number and digest. Kept elsewhere, it lets ``verify`` notice a cut-off end."""
        return self.store.head()

    def verify(self, known: Head | None = None) -> Head:
        """Read the whole log from the store, check every digest, number and link, and return its head.

        Parameters
        ----------
        known
            A head that the log once had: it must still hold that entry. A log cut off at its end is a good chain, so
            that only somebody who remembers can tell.

        Raises
        ------
        CorruptLogError
            Naming the first entry that is not as it was written, or missing.
        """
        head = Head(0, GENESIS)
        for row in self.store.rows():
            row.require_after(head)
            head = row.head
            if known is not None and head.seq == known.seq and head != known:
                raise CorruptLogError(f"entry {head.seq} is not the one that was there: its digest is another")
        if known is not None and head.seq < known.seq:
            raise CorruptLogError(f"the log ends at entry {head.seq}, and it once had entry {known.seq}")
        return head

    def close(self) -> None:
        """Let go of the store's files and connections."""
        self.store.close()
