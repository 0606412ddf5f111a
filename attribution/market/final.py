"""Which answers will never change any more: only those may be kept for good.

``wall`` is always the clock on the wall *before* the question was sent: what was over then, the answer has seen over.
Of a source whose data come late (:func:`~attribution.market.source.delay_of`) it is that clock less their delay, which
is what :func:`seen` returns.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from attribution.calendars import get_calendar
from attribution.errors import CalendarError
from attribution.instruments import Instrument
from attribution.market.bars import MINUTE
from attribution.market.quotes import Bars, CloseOf, FillOf, Price, PriceAt, PriceKind

__all__ = [
    "SETTLING",
    "bars_are_final",
    "close_has_come",
    "close_is_final",
    "fill_is_final",
    "price_is_final",
    "seen",
    "session_over",
    "settled_before",
    "utc_now",
]

SETTLING = timedelta(minutes=15)
"""How long after its end a session's figures may still change: the last bar and the close come late."""

BAR_LAG = timedelta(seconds=10)
"""How long after its end a bar that was told may still be a part of one."""

SILENCE = timedelta(minutes=5)
"""After so long a minute without a bar is a minute without a trade, not a bar that is late."""

CURRENT = frozenset({PriceKind.MARK, PriceKind.LAST})
"""Prices of the instant at which they were read, whatever was asked."""


def utc_now() -> datetime:
    """Return the clock on the wall, where nobody gave another."""
    return datetime.now(UTC)


def seen(wall: datetime, delay: timedelta) -> datetime:
    """Return the instant up to which market data that come with a delay, asked for at ``wall``, can have seen."""
    return wall - delay if delay else wall


def session_over(instrument: Instrument, session: date, wall: datetime, settling: timedelta = SETTLING) -> bool:
    """Whether a session had ended, and settled; of a date without one, whether the date had.

    False where no calendar can tell.
    """
    try:
        calendar = get_calendar(instrument.exchange)
        found = calendar.session_on(session)
    except CalendarError:
        return False
    if found is None:
        return wall >= datetime.combine(session + timedelta(days=1), time(), calendar.zone)
    return wall >= found.close + settling


def close_has_come(ask: CloseOf, wall: datetime) -> bool:
    """Whether the session had ended: what is told as its close before that is the price of some other instant."""
    return session_over(ask.instrument, ask.session, wall, timedelta(0))


def close_is_final(ask: CloseOf, price: Price, wall: datetime, settling: timedelta = SETTLING) -> bool:
    """Whether a close is the close: told after the session had settled, and not a price of now."""
    return price.kind not in CURRENT and session_over(ask.instrument, ask.session, wall, settling)


def bars_are_final(instrument: Instrument, session: date, bars: Bars, wall: datetime, settling: timedelta) -> bool:
    """Whether bars are a whole session's; the source's word alone does not make a running session complete."""
    return bars.complete and session_over(instrument, session, wall, settling)


def fill_is_final(ask: FillOf, wall: datetime, settling: timedelta = SETTLING) -> bool:
    """Whether the orders of a fill can fill no further: those of a session end with it."""
    try:
        calendar = get_calendar(ask.instrument.exchange)
        session = calendar.session_on_or_after(ask.at.astimezone(calendar.zone).date())
    except CalendarError:
        return False
    return session_over(ask.instrument, session.date, wall, settling)


def price_is_final(ask: PriceAt, price: Price, wall: datetime, settling: timedelta = SETTLING) -> bool:
    """Whether a price of an instant will stay: its session is over, or its bar ended and no later one can come."""
    try:
        session = get_calendar(ask.instrument.exchange).session_at(ask.at)
    except CalendarError:
        return False
    if session_over(ask.instrument, session.date, wall, settling):
        return True
    if price.kind is not PriceKind.BAR or price.time is None or price.time > min(ask.at, wall - BAR_LAG):
        return False
    return ask.at < price.time + MINUTE or ask.at < wall - SILENCE


def settled_before(bars: Bars, wall: datetime) -> datetime:
    """Return the instant before which a running session's bars, read at ``wall``, price every instant for good."""
    ended = (bar.start + MINUTE for bar in reversed(bars.bars))
    last = next((end for end in ended if end <= wall - BAR_LAG), None)
    return wall - SILENCE if last is None else max(last + MINUTE, wall - SILENCE)
