"""The folder as one place to look things up: files are found, read and remembered behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

from attribution.calendars import get_calendar, to_epoch_us
from attribution.market.quotes import Bar, Book, Missing, Price, QuoteOf, Side
from brokers.replay.answers import Question, Recorded, read_answers, recorded_key
from brokers.replay.cache import FileCache
from brokers.replay.exchange import Closing, read_exchange_file
from brokers.replay.files import FileError, Key, key_of
from brokers.replay.folder import PARTIAL, Contents, scan
from brokers.replay.tables import (
    Fill,
    FillFile,
    count_fills,
    count_quotes,
    read_bars,
    read_closes,
    read_fills,
    read_quotes,
)

__all__ = ["Library"]


class Library:
    """Looks up what a folder holds; every method may raise FileError. Safe to share between threads."""

    def __init__(self, folder: Path, most_rows: int) -> None:
        self.folder = folder
        self._cache = FileCache(most_rows)
        self._contents: Contents | None = None
        self._lock = threading.Lock()

    @property
    def contents(self) -> Contents:
        """The files, listed on first use."""
        with self._lock:
            if self._contents is None:
                self._contents = scan(self.folder)
            return self._contents

    def refresh(self) -> None:
        """Forget what was listed and read: the files may have changed."""
        with self._lock:
            self._contents = None
            self._cache.clear()

    def recorded(self, ask: Question) -> Price | Missing | str | None:
        """Return the answer that was recorded of this very question."""
        paths = self.contents.answers
        if not paths:
            return None
        found: Recorded = self._cache.get("answers", partial(read_answers, paths))
        return found.get(recorded_key(ask))

    def bars(self, key: Key, session: date) -> tuple[tuple[Bar, ...], bool] | None:
        """Return the 1-minute bars of a session and whether they are all; None where there is no file."""
        path = self.contents.bars.get((key, session))
        if path is None:
            return None
        bars = self._cache.get(path, partial(read_bars, path, key[0], session))
        return bars, PARTIAL not in path.name

    def book(self, ask: QuoteOf, max_age: timedelta) -> Book | None:
        """Return the last book shown by the instant of a question; files of sessions that are too old are not read."""
        key = key_of(ask.instrument)
        found: list[Book] = []
        files = self.contents.quotes
        calendar = get_calendar(ask.instrument.exchange)
        day, oldest = calendar.localize(ask.now).date(), calendar.localize(ask.now - max_age).date()
        while day >= oldest and not found and files:
            for path in files.get(day, ()):
                books = self._cache.get(path, partial(read_quotes, path), count_quotes).get(key)
                book = None if books is None else books.as_of(ask.now)
                if book is not None:
                    found.append(book)
            day -= timedelta(days=1)
        return max(found, key=lambda book: book.time or ask.now, default=None)

    def closings(self, key: Key, session: date) -> Iterator[Closing]:
        """Yield how a session ended for an instrument: our tables first, then its own exchange file, then others'."""
        for path in self.contents.closes:
            table = self._cache.get(path, partial(read_closes, path))
            if (key, session) in table:
                yield table[key, session]
        beside: list[Closing] = []
        for path in self.contents.exchange.get(session, ()):
            day = self._cache.get(path, partial(read_exchange_file, path, session))
            if key in day and day[key].beside:
                beside.append(day[key])
            elif key in day:
                yield day[key]
        yield from beside

    def fills_of_order(self, order_id: str) -> list[Fill]:
        """Return the executions of an order."""
        return [fill for file in self._fill_files() for fill in file.by_order.get(order_id, ())]

    def fills_at(self, key: Key, side: Side, at: datetime) -> list[Fill]:
        """Return the executions of a leg at an instant."""
        place = (key, side, to_epoch_us(at))
        return [fill for file in self._fill_files() for fill in file.by_place.get(place, ())]

    def _fill_files(self) -> Iterator[FillFile]:
        for path in self.contents.fills:
            yield self._cache.get(path, partial(read_fills, path), count_fills)

    def problems(self) -> list[str]:
        """Read every file once, and return what is wrong with those that cannot be read."""
        contents = self.contents
        checks: list[Callable[[], object]] = [partial(read_closes, path) for path in contents.closes]
        checks += [partial(read_fills, path) for path in contents.fills]
        checks += [partial(read_quotes, path) for paths in contents.quotes.values() for path in paths]
        checks += [partial(read_bars, path, key[0], day) for (key, day), path in contents.bars.items()]
        exchange = contents.exchange.items()
        checks += [partial(read_exchange_file, path, day) for day, paths in exchange for path in paths]
        checks += [partial(read_answers, [path]) for path in contents.answers]
        wrong = [problem for check in checks if (problem := _problem(check)) is not None]
        return [str(problem) for problem in (*contents.unplaced, *wrong)]


def _problem(check: Callable[[], object]) -> FileError | None:
    try:
        check()
    except FileError as exc:
        return exc
    return None
