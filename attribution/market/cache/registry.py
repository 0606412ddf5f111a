"""The one cache of each broker object in this process."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable

from attribution.market.cache.broker import CachedBroker, check_broker
from attribution.market.cache.flights import Memory, all_memories
from attribution.market.source import Broker

__all__ = ["cached", "clear_caches"]

# The memory lives as long as the broker; the CachedBroker holds the broker, so it must not be held here.
_Known = tuple["weakref.ref[Broker]", Memory, "weakref.ref[CachedBroker]"]
_known: dict[int, _Known] = {}
_lock = threading.Lock()


def cached(broker: object) -> CachedBroker:
    """Return the process-wide cache around a broker; a :class:`CachedBroker` is returned as it is.

    What it remembers lives as long as the broker object does. A broker to which no weak reference can be made gets a
    cache of its own on every call: hold on to it.

    Raises
    ------
    TypeError
        ``broker`` is not a Broker; the message names what it lacks.
    """
    if isinstance(broker, CachedBroker):
        return broker
    inner = check_broker(broker)
    with _lock:
        known = _known.get(id(inner))
        memory = known[1] if known is not None and known[0]() is inner else None
        existing = known[2]() if known is not None and memory is not None else None
        if existing is not None:
            return existing
        fresh = CachedBroker(inner, memory=memory)
        try:
            alive = known[0] if known is not None and memory is not None else weakref.ref(inner, _forgetter(id(inner)))
        except TypeError:
            return fresh
        _known[id(inner)] = (alive, fresh._memory, weakref.ref(fresh))
        return fresh


def _forgetter(number: int) -> Callable[[weakref.ref[Broker]], None]:
    """Without the lock: a broker may die anywhere, also while this thread holds it."""

    def forget(gone: weakref.ref[Broker]) -> None:
        known = _known.get(number)
        if known is not None and known[0] is gone:
            del _known[number]

    return forget


def clear_caches() -> None:
    """Empty every cache in this process, counters included."""
    for memory in all_memories():
        memory.clear()


def _new_lock() -> None:
    """In a forked child: whoever held the lock does not exist here."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)
