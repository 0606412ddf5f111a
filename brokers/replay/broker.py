"""The broker over recorded files."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from attribution.calendars import Session, get_calendar
from attribution.errors import CalendarError, SymbolError
from attribution.instruments import Future, Instrument, Option
from attribution.market.bars import bars_question, price_from_bars
from attribution.market.marks import DEFAULT_MAX_AGE, mark_of
from attribution.market.quotes import (
    Answer,
    Bars,
    BarsOf,
    CloseOf,
    FillOf,
    Missing,
    Price,
    PriceAt,
    PriceKind,
    QuoteOf,
    Why,
)
from attribution.symbols import format_symbol
from brokers.base import Health
from brokers.replay.answers import Question
from brokers.replay.exchange import Closing
from brokers.replay.files import FileError, key_of
from brokers.replay.library import Library
from brokers.replay.tables import Fill

__all__ = ["ReplayBarBroker", "ReplayBroker"]

Asked = TypeVar("Asked", bound=Question)
Reply = TypeVar("Reply")

_FORKED = re.compile(r"F\d+$")


class ReplayBroker:
    """A :class:`~attribution.market.source.Broker` over a folder of recorded files.

    Files are listed at the first question and each is read when it is first needed. An answer never uses what lies
    after the instant asked about. A file that cannot be read fails the questions that need it, and no others; the
    reason names file, line and column. Safe to share between threads.

    Parameters
    ----------
    folder
        Where the files are; ``docs/brokers/replay.md`` tells the layout. All of it is optional.
    name
        How messages call this source.
    max_age
        A quote, or the last minute bar instead of one, that is older than this is no current mark.
    cache_rows
        Lines of parsed files kept in memory; a full day of NSE derivatives has about 40,000.
    """

    asks_in_bulk = True
    """A batch is one pass over files: nothing is gained by asking piece by piece."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        name: str = "replay",
        max_age: timedelta = DEFAULT_MAX_AGE,
        cache_rows: int = 1_000_000,
    ) -> None:
        self.name = name
        self._max_age = max_age
        self._library = Library(Path(folder), cache_rows)

    def __repr__(self) -> str:
        return f"ReplayBroker({str(self._library.folder)!r})"

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Price instants: from minute bars, else the quote as of then, else after the close the official close."""
        return [self._answered(ask, self._price_at) for ask in wanted]

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Return session closes: from tables of closes, then exchange files; settlement for what did not trade."""
        return [self._answered(ask, self._close) for ask in wanted]

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        """Return marks as of ``now``: from recorded quotes, else the last minute bar that is fresh enough."""
        return [self._answered(ask, self._quote) for ask in wanted]

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Return leg fills by order id, else by leg, side and instant; several slices have their average price."""
        return [self._answered(ask, self._fill) for ask in wanted]

    def health(self) -> Health:
        """Tell whether the folder can be listed, and how many files of each kind it holds."""
        try:
            contents = self._library.contents
        except FileError as exc:
            return Health(self.name, configured=True, detail=str(exc))
        counts = ", ".join(f"{kind} {count}" for kind, count in contents.counts().items())
        return Health(self.name, configured=True, reachable=True, session_valid=True, detail=counts)

    def check(self) -> list[str]:
        """Read every file once and return what is wrong, one sentence per file."""
        return self._library.problems()

    def refresh(self) -> None:
        """Look at the folder anew: files were added or changed."""
        self._library.refresh()

    def _answered(self, ask: Asked, find: Callable[[Asked], Answer]) -> Answer:
        def answer() -> Answer:
            recorded = self._library.recorded(ask)
            return find(ask) if recorded is None or isinstance(recorded, str) else recorded

        return _guarded(answer)

    def _price_at(self, ask: PriceAt) -> Answer:
        bars = self._bars(bars_question(ask))
        answer = price_from_bars(ask, bars)
        if isinstance(answer, Price):
            return answer
        book = self._library.book(QuoteOf(ask.instrument, ask.at), self._max_age)
        if book is not None:
            quoted = mark_of(book, ask.at, self.name, max_age=self._max_age)
            if isinstance(quoted, Price):
                return quoted
        session = get_calendar(ask.instrument.exchange).session_at(ask.at)
        if ask.at >= session.close:
            return self._close(CloseOf(ask.instrument, session.date))
        return answer

    def _close(self, ask: CloseOf) -> Answer:
        what = f"{format_symbol(ask.instrument)} on {ask.session}"
        session = get_calendar(ask.instrument.exchange).session_on(ask.session)
        told = [self._closing(ask, one, session) for one in self._library.closings(key_of(ask.instrument), ask.session)]
        prices = [answer for answer in told if isinstance(answer, Price)]
        if prices:
            # A close that somebody states goes before a settlement that stands in for one.
            return min(prices, key=lambda price: price.kind is not PriceKind.CLOSE)
        return told[0] if told else Missing(f"no close of {what} in the recorded files")

    def _closing(self, ask: CloseOf, found: Closing, session: Session | None) -> Answer:
        time = None if session is None else session.close
        if found.close is not None:
            return Price(found.close, self.name, PriceKind.CLOSE, time)
        what = f"{format_symbol(ask.instrument)} on {ask.session}"
        if found.expiry_day or _expired(ask.instrument, ask.session):
            return Missing(f"{what} did not trade on its last day, and its settlement is that of the underlying")
        if found.settlement is not None:
            return Price(found.settlement, self.name, PriceKind.SETTLEMENT, time)
        return Missing(f"{what} has neither a close nor a settlement price")

    def _quote(self, ask: QuoteOf) -> Answer:
        book = self._library.book(ask, self._max_age)
        what = f"{format_symbol(ask.instrument)} at {ask.now:%Y-%m-%d %H:%M:%S}"
        answer: Answer = Missing(f"no quote of {what} in the recorded files")
        if book is not None:
            answer = mark_of(book, ask.now, self.name, max_age=self._max_age)
        if isinstance(answer, Price):
            return answer
        at = PriceAt(ask.instrument, ask.now)
        traded = price_from_bars(at, self._bars(bars_question(at)))
        if isinstance(traded, Price) and traded.time is not None and ask.now - traded.time <= self._max_age:
            return traded
        return answer

    def _fill(self, ask: FillOf) -> Answer:
        ids = tuple(dict.fromkeys(_FORKED.sub("", key) for key in ask.keys))
        known = {order_id: self._library.fills_of_order(order_id) for order_id in ids}
        unknown = [order_id for order_id, fills in known.items() if not fills]
        key = key_of(ask.instrument)
        mine = [fill for fills in known.values() for fill in fills if fill.key == key and fill.side in (None, ask.side)]
        what = f"{ask.side} fill of {ask.symbol}"
        if not mine:
            mine, unknown = self._library.fills_at(key, ask.side, ask.at), []
        if not mine:
            by = f"by order {', '.join(ids)} or " if ids else ""
            return Missing(f"no {what} {by}at {ask.at:%Y-%m-%d %H:%M:%S} in the recorded files")
        if unknown:
            return Missing(f"the {what} may lack a slice: no fill of order {', '.join(unknown)} was recorded")
        return _average(mine, what, self.name, ask.at)

    def _bars(self, ask: BarsOf) -> Bars | Missing:
        recorded = self._library.recorded(ask)
        if isinstance(recorded, Missing):
            return recorded
        found = self._library.bars(key_of(ask.instrument), ask.session)
        what = f"1-minute bars of {format_symbol(ask.instrument)} on {ask.session}"
        if found is None:
            return Missing(f"no {what} in the recorded files")
        bars, complete = found
        if not bars:
            return Missing(f"the recorded {what} lie outside its session, or are none")
        return Bars(bars, recorded if isinstance(recorded, str) else self.name, complete)


class ReplayBarBroker(ReplayBroker):
    """A :class:`ReplayBroker` that hands out its sessions of 1-minute bars: also a ``BarSource``.

    Who is given one may price every instant from bars alone, and then never asks for the quotes and closes that
    :meth:`ReplayBroker.prices_at` falls back on: right where each instrument of the folder has its bars.
    """

    def minute_bars(self, wanted: Sequence[BarsOf]) -> list[Bars | Missing]:
        """Return sessions of 1-minute bars."""
        return [_guarded(partial(self._bars, ask)) for ask in wanted]


def _guarded(answer: Callable[[], Reply]) -> Reply | Missing:
    """Turn what is wrong with one question into its answer: the others of the batch have theirs."""
    try:
        return answer()
    except FileError as exc:
        return Missing(f"failed: {exc}", Why.FAILED)
    except (CalendarError, SymbolError) as exc:
        return Missing(str(exc))


def _expired(instrument: Instrument, session: object) -> bool:
    return isinstance(instrument, Future | Option) and instrument.expires_at.date() == session


def _average(fills: Sequence[Fill], what: str, source: str, at: datetime) -> Answer:
    """Average slices by quantity; equal prices need no quantities, and no rounding."""
    times = [fill.time for fill in fills if fill.time is not None]
    weights = [fill.quantity for fill in fills if fill.quantity is not None]
    quantity = math.fsum(weights) if len(weights) == len(fills) else None
    prices = {fill.price for fill in fills}
    if len(prices) == 1:
        value = prices.pop()
    elif quantity:
        value = math.fsum(fill.price * (fill.quantity or 0.0) for fill in fills) / quantity
    else:
        return Missing(f"no average of the {what}: not all of its slices have a quantity")
    return Price(value, source, PriceKind.FILL, max(times, default=at), quantity)
