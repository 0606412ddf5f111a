"""Bounded memory: what was asked last stays longest."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from attribution.errors import BrokerError
from attribution.market.quotes import Bars, Missing, Price

__all__ = ["Entry", "Failure", "Found", "Shelf"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A question that the broker failed to answer; ``remembered`` from an earlier time it was asked."""

    error: BrokerError
    remembered: bool = False

    def to_remember(self) -> Failure:
        """Return the same without the frames that a raised error holds on to, and with them the caller's data."""
        try:
            return Failure(copy.copy(self.error), remembered=True)
        except TypeError:  # an error whose arguments are not those of its class
            return Failure(BrokerError(str(self.error)), remembered=True)

    def to_raise(self) -> BrokerError:
        """Return what to raise; what is remembered stays as it is."""
        return self.to_remember().error if self.remembered else self.error


Found: TypeAlias = Price | Bars | Missing | Failure


@dataclass(frozen=True, slots=True)
class Entry:
    """One remembered answer.

    ``about`` is the instant that the question was about, where that is not in its key; ``read_at`` the clock on the
    wall before it was sent; until ``fresh_until`` on the cache's own clock [s] it answers without more ado.
    ``settled`` is the instant before which running bars price for good; ``held`` are such bars that a newer
    answer without bars could not replace.
    """

    found: Found
    about: datetime | None
    read_at: datetime
    fresh_until: float
    settled: datetime | None = None
    held: Entry | None = None

    @property
    def size(self) -> int:
        """Prices it holds: every bar counts as one."""
        own = max(1, len(self.found.bars)) if isinstance(self.found, Bars) else 1
        return own + (0 if self.held is None else self.held.size)


class Shelf:
    """Entries by key, in the order of their last use, of a bounded total size. Not locked: its owner is."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> Entry | None:
        """Return the entry, which thereby is the last one used."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Hashable, entry: Entry, most: int) -> int:
        """Keep an entry and return how many had to go for it; one that is larger than ``most`` is not kept."""
        before = self._entries.pop(key, None)
        self.size -= 0 if before is None else before.size
        if entry.size > most:
            return 0
        self._entries[key] = entry
        self.size += entry.size
        gone = 0
        while self.size > most:
            _, oldest = self._entries.popitem(last=False)
            self.size -= oldest.size
            gone += 1
        return gone

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.size = 0
