"""Our own tables: 1-minute bars, quotes, closes and fills."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple, TypeAlias

from attribution.calendars import get_calendar, to_epoch_us
from attribution.errors import CalendarError
from attribution.instruments import Future, Instrument, Option
from attribution.market.bars import tidy_bars
from attribution.market.quotes import Bar, Book, Side
from brokers.replay.exchange import Closing
from brokers.replay.files import Key, Row, key_of, read_sheet

__all__ = [
    "Books",
    "Closes",
    "Fill",
    "FillFile",
    "QuoteFile",
    "count_fills",
    "count_quotes",
    "read_bars",
    "read_closes",
    "read_fills",
    "read_quotes",
]

_SIDES: dict[str, Side] = {"entry": "entry", "exit": "exit"}


class Books(NamedTuple):
    """What was shown of one instrument, in order of time."""

    times: list[int]
    books: list[Book]

    def as_of(self, now: datetime) -> Book | None:
        """Return the last book that had been shown by ``now``: never one from later."""
        shown = bisect_right(self.times, to_epoch_us(now))
        return self.books[shown - 1] if shown else None


class Fill(NamedTuple):
    """One execution of an order, or a slice of it. ``quantity`` in units without sign, None where not known."""

    key: Key
    order_id: str
    side: Side | None
    time: datetime | None
    price: float
    quantity: float | None


class FillFile(NamedTuple):
    """The executions of one file, by order id and by leg, side and instant [UTC microseconds]."""

    by_order: dict[str, list[Fill]]
    by_place: dict[tuple[Key, Side, int], list[Fill]]


QuoteFile: TypeAlias = dict[Key, Books]
Closes: TypeAlias = dict[tuple[Key, date], Closing]


def read_bars(path: Path, exchange: str, session: date) -> tuple[Bar, ...]:
    """Read ``start, open, high, low, close`` and perhaps ``volume``; bars outside the session are left out."""
    hours = get_calendar(exchange).session_on(session)
    sheet = read_sheet(path)
    sheet.need("start", "open", "high", "low", "close")
    bars = [
        Bar(
            _instant(row, "start", exchange),
            _needed(row, "open"),
            _needed(row, "high"),
            _needed(row, "low"),
            _needed(row, "close"),
            row.price("volume") or 0.0,
        )
        for row in sheet
    ]
    return () if hours is None else tidy_bars(bars, hours)


def read_quotes(path: Path) -> QuoteFile:
    """Read ``symbol, time`` and any of ``bid, ask, last``; of one instant the last line counts."""
    sheet = read_sheet(path)
    sheet.need("symbol", "time")
    shown: dict[Key, dict[int, Book]] = {}
    for row in sheet:
        instrument = row.instrument()
        time = _instant(row, "time", instrument.exchange)
        book = Book(row.price("bid"), row.price("ask"), row.price("last"), time)
        shown.setdefault(key_of(instrument), {})[to_epoch_us(time)] = book
    return {key: Books(sorted(books), [books[time] for time in sorted(books)]) for key, books in shown.items()}


def read_closes(path: Path) -> Closes:
    """Read ``symbol, session`` and any of ``close, settlement``; a close of 0 is a price here."""
    sheet = read_sheet(path)
    sheet.need("symbol", "session")
    found: Closes = {}
    for row in sheet:
        instrument, session = row.instrument(), row.day("session")
        ended = _ends(instrument, session)
        closing = Closing(row.price("close"), None if ended else row.price("settlement"), ended)
        if found.setdefault((key_of(instrument), session), closing) != closing:
            raise row.error("close", f"{row.text('symbol')} on {session} was given before, and otherwise")
    return found


def read_fills(path: Path) -> FillFile:
    """Read ``symbol, price``, ``order_id`` or ``side`` and ``time``, and perhaps ``quantity``."""
    sheet = read_sheet(path)
    sheet.need("symbol", "price")
    found = FillFile({}, {})
    for row in sheet:
        fill = _fill(row)
        if fill.order_id:
            found.by_order.setdefault(fill.order_id, []).append(fill)
        if fill.side is not None and fill.time is not None:
            found.by_place.setdefault((fill.key, fill.side, to_epoch_us(fill.time)), []).append(fill)
    return found


def count_quotes(file: QuoteFile) -> int:
    """Return how many books a file holds."""
    return sum(len(books.times) for books in file.values())


def count_fills(file: FillFile) -> int:
    """Return how many executions a file holds, or a little more."""
    return sum(map(len, file.by_order.values())) + sum(map(len, file.by_place.values()))


def _fill(row: Row) -> Fill:
    instrument = row.instrument()
    order_id, side = row.text("order_id"), row.text("side").lower()
    if side and side not in _SIDES:
        raise row.error("side", f"{side!r} is not entry or exit")
    time = None if row.cell("time") is None else _instant(row, "time", instrument.exchange)
    if not order_id and (time is None or not side):
        raise row.error("order_id", "an order id is needed, or side and time")
    return Fill(key_of(instrument), order_id, _SIDES.get(side), time, _needed(row, "price"), row.price("quantity"))


def _ends(instrument: Instrument, session: date) -> bool:
    return isinstance(instrument, Future | Option) and session >= instrument.expires_at.date()


def _needed(row: Row, column: str) -> float:
    value = row.price(column)
    if value is None:
        raise row.error(column, "a number is needed")
    return value


def _instant(row: Row, column: str, exchange: str) -> datetime:
    """Return an instant; without a zone of its own it is the exchange's."""
    value = row.cell(column)
    try:
        if isinstance(value, str | datetime):
            return get_calendar(exchange).localize(value)
    except CalendarError as exc:
        raise row.error(column, str(exc)) from exc
    raise row.error(column, f"{value!r} is not an instant such as 2025-01-30 09:15:00")
