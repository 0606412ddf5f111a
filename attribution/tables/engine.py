"""A book explained: chunk after chunk as columns, and what columns cannot speak for row by row, each in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from attribution.batch import Job, explain, job_of, read_trade
from attribution.calendars import NAT, get_calendar
from attribution.calendars.instants import from_epoch_us
from attribution.errors import AttributionError
from attribution.kernels._threads import share_out, thread_count
from attribution.market.source import Market
from attribution.model import Model
from attribution.tables.book import Book
from attribution.tables.lanes import Lanes, lanes_of
from attribution.tables.prices import find_prices
from attribution.tables.split import LaneSplit, split_lanes
from attribution.tables.totals import TradeTotals, total_lanes
from attribution.trade import as_instant

__all__ = ["Chunk", "Looks", "Taker", "explain_book"]

CHUNK = 32_768
"""Trades worked on together: columns of this length and their intermediate results stay small beside a large frame."""

PAYS_FROM = 2 * CHUNK
"""Trades from which a second thread pays."""

SINGLES = 20_000
"""Rows that go the row's way at a time, so that a book of nothing but such rows needs no memory for all at once."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Which trades are looked at, and from when: one element per look; a trade may be looked at many times.

    ``row`` is the place of the trade in the book, ``now_us`` the instant it is looked at [UTC microseconds]; ``NAT``:
    ``current_time``, else its exit, else the wall's clock, once the row's own way has read it.
    """

    row: NDArray[np.int64]
    now_us: NDArray[np.int64]
    day: bool
    current_time: object = None
    failed: Mapping[int, AttributionError] = field(default_factory=dict)
    """Looks that failed before they began."""

    @property
    def size(self) -> int:
        """Number of looks."""
        return self.row.size


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some looks explained as columns: ``looks[good]`` of them, where ``good`` are positions within the chunk."""

    looks: NDArray[np.int64]
    good: NDArray[np.bool_]
    lanes: Lanes
    split: LaneSplit
    totals: TradeTotals
    sessions: NDArray[np.int64] | None
    """The session each look is of [days since 1970-01-01]; None where lives are explained."""


class Taker(Protocol):
    """Who lays results out."""

    def take(self, chunk: Chunk) -> None:
        """Take a chunk of columns; from any thread, each look once."""
        ...

    def take_single(self, look: int, result: Mapping[str, Any]) -> None:
        """Take the result of a look that went the row's way, once no chunk is to come."""
        ...


def explain_book(
    book: Book,
    looks: Looks,
    market: Market,
    model: Model,
    taker: Taker,
    *,
    threads: int | None,
    raise_on_missing: bool,
    wall: datetime,
) -> None:
    """Explain every look, chunk by chunk as columns, and last one by one those that columns cannot speak for.

    ``wall`` is now.
    """
    count = thread_count(threads, looks.size, PAYS_FROM)
    odd = book.odd[looks.row]
    spans = list(_spans(book, looks, odd))

    def new_worker() -> Callable[[int, int], object]:
        def work(first: int, last: int) -> None:
            for span in spans[first:last]:
                chunk = _explain_chunk(book, looks, span, market, model, 1 if count > 1 else threads)
                odd[chunk.looks[~chunk.good]] = True
                taker.take(chunk)

        return work

    share_out(new_worker, range(len(spans) + 1), min(count, max(len(spans), 1)))
    places = np.flatnonzero(odd)
    for start in range(0, places.size, SINGLES):
        singles = places[start : start + SINGLES]
        _explain_singly(book, looks, singles, market, model, taker, raise_on_missing=raise_on_missing, wall=wall)


def _spans(book: Book, looks: Looks, odd: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """Chunks of looks, each of one exchange."""
    whole = not odd.any()
    if whole and len(book.facts.calendars) == 1:
        for start in range(0, looks.size, CHUNK):
            yield np.arange(start, min(start + CHUNK, looks.size), dtype=np.int64)
        return
    calendar = book.facts.keys["calendar"][book.key[looks.row]]
    for number in range(len(book.facts.calendars)):
        own = np.flatnonzero(~odd & (calendar == number))
        for start in range(0, own.size, CHUNK):
            yield own[start : start + CHUNK]


def _explain_chunk(
    book: Book, looks: Looks, span: NDArray[np.int64], market: Market, model: Model, threads: int | None
) -> Chunk:
    rows = looks.row[span]
    calendar = int(book.facts.keys["calendar"][book.key[rows[0]]])
    lanes = lanes_of(book, rows, looks.now_us[span], calendar, model.clock, day=looks.day)
    prices = find_prices(lanes, market)
    split = split_lanes(lanes, prices, model, threads)
    totals = total_lanes(lanes, split)
    sessions = lanes.sessions() if looks.day else None
    return Chunk(span, ~totals.odd, lanes, split, totals, sessions)


def _explain_singly(
    book: Book,
    looks: Looks,
    places: NDArray[np.int64],
    market: Market,
    model: Model,
    taker: Taker,
    *,
    raise_on_missing: bool,
    wall: datetime,
) -> None:
    """The row's own way."""
    rows = book.frame.rows(looks.row[places])
    jobs = [_job(row, look, looks, wall) for row, look in zip(rows, places.tolist(), strict=True)]
    symbols = [row.get("symbol") for row in rows]
    results = explain(jobs, symbols, market, model, raise_on_missing=raise_on_missing)
    for look, result in zip(places.tolist(), results, strict=True):
        taker.take_single(look, result)


def _job(row: dict[str, Any], look: int, looks: Looks, wall: datetime) -> Job | AttributionError:
    trade = looks.failed[look] if look in looks.failed else read_trade(row)
    if isinstance(trade, AttributionError):
        return trade
    now_us = int(looks.now_us[look])
    home = trade.legs[0].leg.instrument.exchange
    if now_us == NAT:
        now = as_instant("current_time", looks.current_time, home) or trade.exit_time or wall
        return job_of(trade, now, day=looks.day)
    return Job(trade, from_epoch_us(now_us, get_calendar(home).zone), looks.day)
