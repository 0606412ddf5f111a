"""Frames day by day: every trade looked at once per session of its life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from attribution.batch import read_trade
from attribution.calendars import NAT, ExchangeCalendar, day_table, get_calendar, to_epoch_us
from attribution.calendars.instants import day_number, from_epoch_us
from attribution.errors import AttributionError
from attribution.lifetime import days_asked, jobs_by_day
from attribution.market.remembered import RememberedMarket, remembered
from attribution.market.source import Market
from attribution.model import Model
from attribution.parts import closed_by_keys
from attribution.tables.api import Level, check_keep, explain_looks, read_trades
from attribution.tables.book import Book, read_book
from attribution.tables.engine import Looks
from attribution.tables.frames import NativeFrame
from attribution.tables.instants import one_instant
from attribution.trade import Trade, as_instant

__all__ = ["attribute_frame_daily"]

Integers = NDArray[np.int64]


def attribute_frame_daily(
    frame: NativeFrame,
    market: Market,
    model: Model,
    start: object,
    end: object,
    *,
    level: Level,
    columns: Mapping[str, str] | None,
    keep: Sequence[str],
    current_time: object,
    threads: int | None,
    raise_on_missing: bool,
) -> NativeFrame:
    """Explain every session of every trade of a frame; see :func:`attribution.attribute_daily`."""
    keep = check_keep(keep, level, detail=model.detail, tell_row=True)
    book = read_book(read_trades(frame, columns, keep, level), model.clock)
    wall = datetime.now(UTC)
    asking = remembered(market)
    looks = _looks(book, start, end, current_time, wall, asking)
    return explain_looks(
        *(book, looks, asking, model),
        level=level,
        keep=keep,
        threads=threads,
        raise_on_missing=raise_on_missing,
        wall=wall,
        tell_row=True,
    )


def _looks(
    book: Book, start: object, end: object, current_time: object, wall: datetime, market: RememberedMarket
) -> Looks:
    """Every (trade, session) of the range, in order of trades and then of sessions."""
    rows: list[Integers] = [np.empty(0, np.int64)]
    nows: list[Integers] = [np.empty(0, np.int64)]
    for number, calendar in enumerate(book.facts.calendars):
        own = np.flatnonzero(~book.odd & (book.facts.keys["calendar"][book.key] == number))
        now_us = one_instant("current_time", current_time, calendar)
        now_us = to_epoch_us(wall) if now_us == NAT else now_us
        first, last = _life(book, own, calendar, start, end, now_us)
        odd = (first < 0) | (last < 0)
        book.odd[own[odd]] = True
        counts = np.where(odd, 0, np.maximum(last - first + 1, 0))
        rows.append(np.repeat(own, counts))
        within = np.arange(int(counts.sum()), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
        session = np.repeat(first, counts) + within
        nows.append(np.minimum(_end_of_day(calendar)[session], now_us))
    singles = _single_looks(book, start, end, current_time, wall, market)
    row = np.concatenate([*rows, np.array([place for place, _ in singles], np.int64)])
    now = np.concatenate(
        [*nows, np.array([NAT if isinstance(at, AttributionError) else at for _, at in singles], np.int64)]
    )
    order = np.argsort(row, kind="stable")
    failed_from = row.size - len(singles)
    failed = {
        int(place): at
        for place, source in enumerate(order.tolist())
        if source >= failed_from and isinstance(at := singles[source - failed_from][1], AttributionError)
    }
    return Looks(row[order], now[order], True, current_time, failed)


def _life(
    book: Book, rows: Integers, calendar: ExchangeCalendar, start: object, end: object, now_us: int
) -> tuple[Integers, Integers]:
    """Positions of the first and last session of each trade in the range; −1 where the table has none."""
    days = day_table(calendar.name)
    table = calendar.table

    def fill_session(at_us: Integers) -> Integers:
        day = np.searchsorted(days.midnight_us, at_us, side="right") - 1
        inside = (day >= 0) & (day < days.session_from.size)
        found = days.session_from[np.where(inside, day, 0)]
        return np.where(inside & (found < table.day.size), found, -1)

    first = fill_session(book.entry_us[rows])
    known = calendar.session_at(from_epoch_us(now_us, calendar.zone)).date
    last = np.full(rows.size, int(np.searchsorted(table.day, day_number(known))))
    expiry_us, exit_us = book.facts.keys["last_expiry_us"][book.key[rows]], book.exit_us[rows]
    for ends_us in (expiry_us, exit_us):
        ends = fill_session(np.where(ends_us == NAT, 0, ends_us))
        last = np.where(ends_us == NAT, last, np.minimum(last, ends))
    for asked, side in zip(days_asked(start, end, calendar), ("left", "right"), strict=True):
        if asked is None:
            continue
        place = int(np.searchsorted(table.day, day_number(asked), side=side))  # type: ignore[call-overload]
        if side == "left":
            first = np.where(first < 0, first, np.maximum(first, place))
        elif place == 0:
            last = np.where(last < 0, last, first - 1)
        else:
            last = np.minimum(last, place - 1)
    return first, last


def _end_of_day(calendar: ExchangeCalendar) -> Integers:
    """The last instant of each session's date. [UTC microseconds]"""
    days = day_table(calendar.name)
    ends: Integers = days.midnight_us[calendar.table.day - days.first_day + 1] - 1
    return ends


def _single_looks(
    book: Book, start: object, end: object, current_time: object, wall: datetime, market: RememberedMarket
) -> list[tuple[int, int | AttributionError]]:
    """The looks of rows that columns cannot speak for: (row, now), or what is wrong with the row."""
    places = np.flatnonzero(book.odd)
    trades = [read_trade(row) for row in book.frame.rows(places)] if places.size else []
    nows = {k: _now(trade, current_time, wall) for k, trade in enumerate(trades) if isinstance(trade, Trade)}
    exits = closed_by_keys([(trades[k], now) for k, now in nows.items()], market)  # type: ignore[misc]
    looks: list[tuple[int, int | AttributionError]] = []
    for k, (place, trade) in enumerate(zip(places.tolist(), trades, strict=True)):
        jobs = [trade] if isinstance(trade, AttributionError) else jobs_by_day(trade, start, end, nows[k], exits)
        looks += [(place, job if isinstance(job, AttributionError) else to_epoch_us(job.now)) for job in jobs]
    return looks


def _now(trade: Trade, current_time: object, wall: datetime) -> datetime:
    home = trade.legs[0].leg.instrument.exchange
    return as_instant("current_time", current_time, home) or wall.astimezone(get_calendar(home).zone)
