"""What a cache spared, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CacheStats"]


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Counters since the cache was made or last cleared.

    Each question asked is one of ``hits`` (answered from memory), ``misses`` (had to be fetched) or ``joined`` (waited
    for what another thread was fetching). ``fetches`` are the distinct questions sent to the broker, in ``calls``
    calls; an instant that is priced from a session's bars sends the question for the session. ``evictions`` are answers
    dropped for want of room, ``entries`` those in memory, and ``prices`` what they hold, each bar counting as one.
    """

    hits: int = 0
    misses: int = 0
    joined: int = 0
    fetches: int = 0
    calls: int = 0
    evictions: int = 0
    entries: int = 0
    prices: int = 0

    def __str__(self) -> str:
        asked = self.hits + self.misses + self.joined
        return (
            f"{asked:,} questions: {self.hits:,} answered from memory, {self.misses:,} by {self.fetches:,} fetches "
            f"in {self.calls:,} calls, {self.joined:,} by fetches of other threads; "
            f"{self.entries:,} answers with {self.prices:,} prices in memory, {self.evictions:,} evicted"
        )
