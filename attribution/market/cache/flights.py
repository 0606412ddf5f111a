"""One fetch per question, however many ask: the first goes, the others wait for what it brings."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from weakref import WeakSet

from attribution.market.cache.shelf import Entry, Shelf

__all__ = ["Counts", "Flight", "Memory", "all_memories"]


class Flight:
    """A fetch under way."""

    __slots__ = ("_entry", "_error", "_landed", "owner")

    def __init__(self) -> None:
        self.owner = threading.get_ident()
        self._landed = threading.Event()
        self._entry: Entry | None = None
        self._error: Exception | None = None

    @property
    def landed(self) -> bool:
        """Whether it is over, whatever it brought."""
        return self._landed.is_set()

    def land(self, entry: Entry | None, error: Exception | None = None) -> None:
        """Hand the answer, or what was raised instead, to all who wait; neither means that it was given up."""
        self._entry, self._error = entry, error
        self._landed.set()

    def wait(self) -> Entry | None:
        """Return what it brought; None if it was given up, and somebody must go again."""
        self._landed.wait()
        if self._error is not None:
            raise self._error
        return self._entry


@dataclass(slots=True)
class Counts:
    """See :class:`~attribution.market.cache.stats.CacheStats`."""

    hits: int = 0
    misses: int = 0
    joined: int = 0
    fetches: int = 0
    calls: int = 0
    evictions: int = 0


@dataclass(eq=False)
class Memory:
    """What is known of one broker, and what is being fetched; to be touched under ``lock`` only.

    The lock is never held while a broker is asked.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    shelf: Shelf = field(default_factory=Shelf)
    flights: dict[Hashable, Flight] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        with _memories_lock:
            _memories.add(self)

    def clear(self) -> None:
        """Forget everything; what is under way still reaches those who wait, but is not remembered."""
        with self.lock:
            self.shelf.clear()
            self.flights.clear()
            self.counts = Counts()


_memories: WeakSet[Memory] = WeakSet()
_memories_lock = threading.Lock()
_held_for_fork: list[Memory] = []


def all_memories() -> list[Memory]:
    """Every memory in the process."""
    with _memories_lock:
        return list(_memories)


def _before_fork() -> None:
    """Have nobody half-way through a change while the process is copied."""
    _memories_lock.acquire()
    _held_for_fork[:] = list(_memories)
    for memory in _held_for_fork:
        memory.lock.acquire()


def _after_fork() -> None:
    for memory in _held_for_fork:
        memory.lock.release()
    _held_for_fork.clear()
    _memories_lock.release()


def _after_fork_in_child() -> None:
    """Keep what is known; the threads that were fetching do not exist here."""
    for memory in _held_for_fork:
        memory.flights.clear()
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
