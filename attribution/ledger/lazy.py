"""A store that is opened when it is first needed, and again until it can be: a log that is down stops nobody."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence

from attribution.ledger.entry import Draft, Entry, Head, Kind, Row
from attribution.ledger.settings import LedgerSettings, open_store
from attribution.ledger.store.base import Appended, LogStore

__all__ = ["LazyStore"]


class LazyStore:
    """The store that settings name; a failure to open it is a failure of the call that needed it."""

    def __init__(self, settings: LedgerSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._store: LogStore | None = None

    def __repr__(self) -> str:
        return f"LazyStore({self._settings!r})"

    def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        """Commit the drafts, all or none; see ``LogStore.append``."""
        return self._opened().append(drafts)

    def entries(
        self, after: int = 0, limit: int | None = None, kinds: Collection[Kind] | None = None
    ) -> Iterator[Entry]:
        """Yield entries in order; see ``LogStore.entries``."""
        return self._opened().entries(after, limit, kinds)

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Yield rows unchecked, in order; see ``LogStore.rows``."""
        return self._opened().rows(after)

    def head(self) -> Head:
        """Return the end of the log."""
        return self._opened().head()

    def close(self) -> None:
        """Let go of the store, if it was opened."""
        with self._lock:
            if self._store is not None:
                self._store.close()

    def _opened(self) -> LogStore:
        with self._lock:
            if self._store is None:
                self._store = open_store(self._settings)
            return self._store
