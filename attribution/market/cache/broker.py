"""A broker around a broker, which asks nothing twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeGuard, cast

from attribution.market.cache.desk import Desk
from attribution.market.cache.flights import Memory
from attribution.market.cache.lines import BarPrices, Closes, Fills, Line, Lives, MinuteBars, Prices, Quotes
from attribution.market.cache.stats import CacheStats
from attribution.market.final import SETTLING, utc_now
from attribution.market.quotes import Answer, Bars, BarsOf, CloseOf, FillOf, Missing, PriceAt, QuoteOf
from attribution.market.source import BarSource, Broker, delay_of

__all__ = ["MAX_ENTRIES", "MAX_WORKERS", "CachedBarBroker", "CachedBroker", "check_broker"]

QUOTE_LIFE = timedelta(seconds=60)
MISS_LIFE = timedelta(seconds=30)
FAILURE_LIFE = timedelta(seconds=5)
MAX_ENTRIES = 1_000_000
MAX_WORKERS = 8


@lru_cache(maxsize=64)
def _lives(quote: timedelta, miss: timedelta, failure: timedelta, settling: timedelta, delay: timedelta) -> Lives:
    """A call makes a CachedBroker when its caller holds none: what they have in common is checked once."""
    return Lives(quote, miss, failure, settling, delay)


def check_broker(broker: object) -> Broker:
    """Return a :class:`~attribution.market.source.Broker`; of anything else a TypeError names what is lacking."""
    # Asking the protocol itself takes fifty times as long.
    lacking = [m for m in ("name", "prices_at", "closes", "quotes", "fills") if not hasattr(broker, m)]
    if lacking:
        raise TypeError(f"broker={broker!r}: a Broker is needed; this one lacks {', '.join(lacking)}")
    return cast(Broker, broker)


def _knows_bars(broker: object) -> TypeGuard[BarSource]:
    return hasattr(broker, "name") and hasattr(broker, "minute_bars")


class CachedBroker:
    """A broker that remembers what its inner broker answered.

    Around a broker that knows minute bars it knows them too (it then is a :class:`CachedBarBroker`), and prices every
    instant of a session from one fetch of them.

    =============================  =================================================================================
    prices, bars and fills         for good once their session was over, and settled, when they were asked for
    prices in a running session    for good once their minute was; later ones for ``quote_life``
    closes                         for good once the session had settled; not at all before it ended
    current marks                  ``quote_life``, by ``clock`` and by the asker's ``now``; never one from its future
    absences                       ``miss_life``, with their reasons
    failures                       ``failure_life``: an outage is not hammered, and does not outlive itself
    =============================  =================================================================================

    No vol is ever remembered here: a corrected price is a corrected vol.

    Threads that ask the same at the same time cause one fetch, and what it brings, or raises, reaches all. A batch
    sends each unknown question once. Bars and closes go as calls of one question each, up to ``max_workers`` side by
    side, unless the broker says with a true attribute ``asks_in_bulk`` that it serves whole batches better. A question
    that fails takes no other with it; BrokerError is raised where all of a call failed.

    Parameters
    ----------
    inner
        Who is asked.
    max_entries
        How many prices are remembered, each bar counting as one (about 250 bytes); the longest unused go first.
    settling
        How long after its end a session may still change. A broker that says with an attribute ``data_delay`` that its
        data come late (:func:`~attribution.market.source.delay_of`) is given that much more, for minutes too.
    clock, wall
        Seconds that only go forward, and the zone-aware time of day; both may be replaced for tests.
    memory
        What it knows already, to be shared with other objects around the same broker.
    """

    def __new__(cls, inner: Broker, **settings: Any) -> CachedBroker:
        """Choose the kind that knows bars where the inner broker does."""
        return super().__new__(CachedBarBroker if cls is CachedBroker and _knows_bars(inner) else cls)

    def __init__(
        self,
        inner: Broker,
        *,
        quote_life: timedelta = QUOTE_LIFE,
        miss_life: timedelta = MISS_LIFE,
        failure_life: timedelta = FAILURE_LIFE,
        max_entries: int = MAX_ENTRIES,
        max_workers: int = MAX_WORKERS,
        settling: timedelta = SETTLING,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = utc_now,
        memory: Memory | None = None,
    ) -> None:
        check_broker(inner)
        if max_entries < 0 or max_workers < 1:
            raise ValueError(f"max_entries={max_entries}, max_workers={max_workers}: at least 0 and 1")
        workers = 1 if getattr(inner, "asks_in_bulk", False) else max_workers
        self.inner = inner
        self._memory = Memory() if memory is None else memory
        self._desk = Desk(self._memory, max_entries, workers, clock, wall)
        self._lives = _lives(quote_life, miss_life, failure_life, settling, delay_of(inner))
        self._prices: Line[PriceAt, Any] = Prices(inner, self._lives)
        self._closes = Closes(inner, self._lives)
        self._quotes = Quotes(inner, self._lives)
        self._fills = Fills(inner, self._lives)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"

    @property
    def name(self) -> str:
        """The inner broker's: it is who states the prices."""
        return self.inner.name

    @property
    def data_delay(self) -> timedelta:
        """How late the inner broker's market data come."""
        return self._lives.delay

    @property
    def settling(self) -> timedelta:
        """How long after the end of a session what is answered here may still be of before it had settled."""
        return self._lives.settling + self._lives.delay + self._lives.quote

    @property
    def stats(self) -> CacheStats:
        """What was asked, and what was spared; print it."""
        memory = self._memory
        with memory.lock:
            c = memory.counts
            return CacheStats(
                c.hits, c.misses, c.joined, c.fetches, c.calls, c.evictions, len(memory.shelf), memory.shelf.size
            )

    def clear(self) -> None:
        """Forget everything, counters included."""
        self._memory.clear()

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices at instants."""
        return self._desk.answer(self._prices, wanted)

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Official session closes."""
        return self._desk.answer(self._closes, wanted)

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        """Current marks."""
        return self._desk.answer(self._quotes, wanted)

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Leg fills."""
        return self._desk.answer(self._fills, wanted)


class CachedBarBroker(CachedBroker):
    """A :class:`CachedBroker` around a broker that knows minute bars."""

    def __init__(self, inner: Broker, **settings: Any) -> None:
        super().__init__(inner, **settings)
        if not _knows_bars(inner):
            raise TypeError(f"broker={inner!r}: it knows no minute bars")
        self._prices = BarPrices(inner, self._lives)
        self._bars = MinuteBars(inner, self._lives)

    def minute_bars(self, wanted: Sequence[BarsOf]) -> list[Bars | Missing]:
        """Whole sessions of 1-minute bars."""
        return self._desk.answer(self._bars, wanted)
