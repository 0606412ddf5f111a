"""Some rows of a book as legs over their windows: one lane per leg, one element per lane in every column."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution.calendars import ExchangeCalendar, day_table, get_clock
from attribution.kernels.windows import End, LegWindows, Life, TradeWindows, WindowTables, windows_many
from attribution.tables.book import Book

__all__ = ["Lanes", "lanes_of"]


@dataclass(slots=True)
class Lanes:
    """Rows ``rows`` of a book, all on one exchange, and their legs.

    ``first_leg`` has the position of each row's first lane, ``leg`` the number of each lane's leg among the book's
    facts, and ``row`` the position of its trade among ``rows`` (None: each trade has one leg).
    """

    book: Book
    rows: NDArray[np.int64]
    calendar: ExchangeCalendar
    first_leg: NDArray[np.int64]
    leg: NDArray[np.int64]
    row: NDArray[np.int64] | None
    trades: TradeWindows
    windows: LegWindows
    facts: dict[str, NDArray[Any]] = field(default_factory=dict)
    """What was asked of the legs so far."""

    @property
    def size(self) -> int:
        """Number of lanes."""
        return self.leg.size

    def fact(self, name: str) -> NDArray[Any]:
        """Return what the legs say, lane by lane."""
        if name not in self.facts:
            self.facts[name] = self.book.facts.legs[name][self.leg]
        return self.facts[name]

    def of_trade(self, column: NDArray[Any]) -> NDArray[Any]:
        """Return a column of the trades, lane by lane."""
        return column if self.row is None else column[self.row]

    def number(self, field: str) -> NDArray[np.float64]:
        """Return a number column of the frame, trade by trade."""
        return self.book.number(field, self.rows)

    @property
    def place(self) -> NDArray[np.int64]:
        """Which leg of its trade a lane is, counted from 0."""
        if self.row is None:
            return np.zeros(self.size, np.int64)
        return np.arange(self.size, dtype=np.int64) - self.first_leg[self.row]

    @property
    def combos(self) -> NDArray[np.bool_]:
        """Whether a lane's trade has several legs."""
        return self.of_trade(np.diff(self.first_leg) > 1)

    def live(self) -> NDArray[np.bool_]:
        """Which lanes were alive in their window."""
        live: NDArray[np.bool_] = self.windows.life == Life.LIVE
        return live

    def kind(self, end: int) -> NDArray[np.uint8]:
        """What sort of price each lane takes at the start (0) or end (1) of its window."""
        return self.windows.end_kind if end else self.of_trade(self.trades.start_kind)

    def at(self, end: int) -> NDArray[np.int64]:
        """Instant of an end, lane by lane. [UTC microseconds]"""
        return self.windows.end_us if end else self.of_trade(self.trades.start_us)

    def day(self, end: int) -> NDArray[np.int64]:
        """Position of the day of the session that an end belongs to."""
        if end:
            return self.windows.end_day
        days = window_tables(self.calendar, "sessions").session_day[self.trades.start_session]
        return self.of_trade(days)

    def sessions(self) -> NDArray[np.int64]:
        """The session in which each trade is looked at. [days since 1970-01-01]"""
        days = window_tables(self.calendar, "sessions").session_day[self.trades.session]
        return days + day_table(self.calendar.name).first_day

    def takes_close(self, end: int) -> NDArray[np.bool_]:
        """Whether the official close of the session is what the underlying's price at an end is asked for first."""
        kind = self.kind(end)
        at_close = self.windows.end_at_close if end else self.of_trade(self.trades.start_at_close)
        settles = (kind == End.PAYOFF) & self.fact("settles_at_close")
        takes: NDArray[np.bool_] = settles | ((at_close != 0) & (kind != End.MARK) & (kind != End.PAYOFF))
        return takes


def lanes_of(
    book: Book, rows: NDArray[np.int64], now_us: NDArray[np.int64], calendar: int, clock: str, *, day: bool
) -> Lanes:
    """Lay out the legs of some rows over their windows, as looked at from ``now_us`` (row by row)."""
    facts = book.facts
    keys = book.key[rows]
    first = facts.first_leg[keys]
    counts = facts.first_leg[keys + 1] - first
    first_leg = np.zeros(rows.size + 1, np.int64)
    np.cumsum(counts, out=first_leg[1:])
    row = None if bool((counts == 1).all()) else np.repeat(np.arange(rows.size, dtype=np.int64), counts)
    leg = first if row is None else first[row] + np.arange(row.size, dtype=np.int64) - first_leg[row]
    own = facts.calendars[calendar]
    lanes = Lanes(book, rows, own, first_leg, leg, row, _trade_windows(rows.size), _leg_windows(leg.size))
    windows_many(
        window_tables(own, clock),
        book.entry_us[rows],
        book.exit_us[rows],
        now_us,
        day,
        first_leg,
        *(
            np.ascontiguousarray(lanes.fact(name))
            for name in ("expires_us", "expiry_day", "expiry_whole", "expiry_part")
        ),
        lanes.trades,
        lanes.windows,
    )
    return lanes


def _trade_windows(size: int) -> TradeWindows:
    instants = [np.zeros(size, np.int64) for _ in range(4)]
    codes = [np.zeros(size, np.uint8) for _ in range(6)]
    return TradeWindows(
        refused=codes[0],
        start_us=instants[0],
        start_kind=codes[1],
        start_session=instants[1],
        start_at_close=codes[2],
        end_us=instants[2],
        end_kind=codes[3],
        life=codes[4],
        session=instants[3],
        pays_fees=codes[5],
    )


def _leg_windows(size: int) -> LegWindows:
    end_us, end_day = np.zeros(size, np.int64), np.zeros(size, np.int64)
    end_kind, end_at_close = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    life = np.full(size, int(Life.NOT_OPEN), np.uint8)  # until its window is known
    years0, years1 = np.full(size, np.nan), np.full(size, np.nan)
    return LegWindows(end_us, end_kind, end_day, end_at_close, life, years0, years1)


@lru_cache(maxsize=64)
def window_tables(calendar: ExchangeCalendar, clock: str) -> WindowTables:
    """Return the tables of an exchange and a clock for compiled code."""
    days, sessions, spans = day_table(calendar.name), calendar.table, get_clock(clock, calendar.name).spans
    return WindowTables(
        midnight_us=days.midnight_us,
        session_from=days.session_from,
        session_day=_locked(sessions.day - days.first_day),
        open_us=sessions.open_us,
        close_us=sessions.close_us,
        span_start_us=_locked(spans.start_us),
        span_us=_locked(spans.length_us),
        span_weight=_locked(spans.weight),
        elapsed=_locked(spans.elapsed),
        clock_first_us=spans.first_us,
        clock_last_us=spans.last_us,
        by_session=clock == "sessions",
        unit=get_clock(clock, calendar.name).unit,
    )


def _locked(array: NDArray[Any]) -> NDArray[Any]:
    """A contiguous view that cannot be written to, so that compiled code sees one type."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
