"""A session of 1-minute bars as the prices of its instants: never a look ahead."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from attribution.calendars import Session, get_calendar
from attribution.market.quotes import Answer, Bar, Bars, BarsOf, Missing, Price, PriceAt, PriceKind
from attribution.symbols import format_symbol

__all__ = ["MINUTE", "bars_question", "price_from_bars", "prices_from_bars", "tidy_bars"]

MINUTE = timedelta(minutes=1)


def tidy_bars(bars: Iterable[Bar], session: Session) -> tuple[Bar, ...]:
    """Put vendor bars in order: inside the session, positive, each minute once (the last one told wins)."""
    by_start = {bar.start: bar for bar in bars if session.open <= bar.start < session.close and bar.close > 0.0}
    return tuple(by_start[start] for start in sorted(by_start))


def bars_question(ask: PriceAt) -> BarsOf:
    """Return the session whose bars can price an instant: the one in progress or last opened."""
    return BarsOf(ask.instrument, get_calendar(ask.instrument.exchange).session_at(ask.at).date)


def price_from_bars(ask: PriceAt, found: Bars | Missing) -> Answer:
    """Price an instant: the close of the last bar that had ended, in the very first minute the bar's open.

    The price's ``time`` is the end of that bar, so that its age can be told.
    """
    if isinstance(found, Missing):
        return found
    ended = bisect_right(found.bars, ask.at, key=_end)
    if ended:
        bar = found.bars[ended - 1]
        return Price(bar.close, found.source, PriceKind.BAR, _end(bar))
    if found.bars and found.bars[0].start <= ask.at:
        first = found.bars[0]
        return Price(first.open, found.source, PriceKind.BAR, first.start)
    what = f"{format_symbol(ask.instrument)} before {ask.at:%Y-%m-%d %H:%M:%S}"
    return Missing(f"no trade of {what} in the session's 1-minute bars")


def prices_from_bars(
    wanted: Sequence[PriceAt], minute_bars: Callable[[Sequence[BarsOf]], Sequence[Bars | Missing]]
) -> list[Answer]:
    """Price instants with one question per distinct instrument and session."""
    questions = [bars_question(ask) for ask in wanted]
    distinct = list(dict.fromkeys(questions))
    found = dict(zip(distinct, minute_bars(distinct) if distinct else (), strict=True))
    return [price_from_bars(ask, found[question]) for ask, question in zip(wanted, questions, strict=True)]


def _end(bar: Bar) -> datetime:
    return bar.start + MINUTE
