"""Parsed files, as many as fit: the least recently used go first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sized
from typing import TypeVar

from brokers.replay.files import FileError

__all__ = ["FileCache"]

Parsed = TypeVar("Parsed", bound=Sized)


class FileCache:
    """Remembers what was parsed, up to a number of entries in all; safe to share between threads.

    One lock, held while a file is parsed: two threads that want one file parse it once. What cannot be read is
    remembered as well, and raised again.

    Parameters
    ----------
    most
        Lines of all parsed files together. One file larger than that is kept alone, until another is needed.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._found: OrderedDict[Hashable, tuple[int, object]] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: Hashable, parse: Callable[[], Parsed], rows: Callable[[Parsed], int] = len) -> Parsed:
        """Return what ``parse`` gave for this key, now or before; ``rows`` tells its size.

        Raises
        ------
        FileError
            ``parse`` raised it, now or before.
        """
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            else:
                self._add(key, parse, rows)
            found = self._found[key][1]
        if isinstance(found, FileError):
            raise found.with_traceback(None)
        return found  # type: ignore[return-value]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._found.clear()
            self._held = 0

    def __len__(self) -> int:
        return self._held

    def _add(self, key: Hashable, parse: Callable[[], Parsed], rows: Callable[[Parsed], int]) -> None:
        try:
            parsed = parse()
        except FileError as exc:
            self._found[key] = (1, exc)
        else:
            self._found[key] = (rows(parsed), parsed)
        self._held += self._found[key][0]
        while self._held > self._most and len(self._found) > 1:
            _, (dropped, _) = self._found.popitem(last=False)
            self._held -= dropped
