"""Which instants a window runs between, and what sort of price stands at each end. Pure dates.

A window is one session (``day=True``) or a trade's life (``day=False``). A fill belongs to the session
of its own date: late records after the close, and pre-open fills before the open, stay on that day. A fill on a
day without a session belongs to the next session.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache

from attribution.calendars import ExchangeCalendar, Session

__all__ = [
    "CLOSE",
    "FILL",
    "LIVE",
    "MARK",
    "PAYOFF",
    "EndKind",
    "Ending",
    "Phase",
    "Window",
    "clip_to_expiry",
    "end_of_day",
    "fill_session",
    "session_of",
    "trade_window",
]


class EndKind(StrEnum):
    """What sort of price an end of the window takes."""

    FILL = "fill"
    CLOSE = "close"
    MARK = "mark"
    PAYOFF = "payoff"


class Phase(StrEnum):
    """Whether the position was alive in the window."""

    LIVE = "live"
    NOT_OPEN = "not_open"
    CLOSED = "closed"
    EXPIRED = "expired"


# By their bare names: up to Python 3.11 a member costs ten times as much to find by way of its class.
FILL, CLOSE, MARK, PAYOFF = EndKind
LIVE = Phase.LIVE


@dataclass(frozen=True, slots=True)
class Ending:
    """One end: the instant, the price it takes, and the session it belongs to.

    ``at_close`` says that the instant is the very close of that session, whatever price is taken there.
    """

    at: datetime
    kind: EndKind
    session: date
    at_close: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Window:
    """Start and end of what is explained; outside ``LIVE`` the position did nothing in it."""

    start: Ending
    end: Ending
    phase: Phase = LIVE


def fill_session(calendar: ExchangeCalendar, at: datetime) -> Session:
    """Return the session a fill belongs to: that of its date, else the next one."""
    return calendar.session_on_or_after(at.astimezone(calendar.zone).date())


def end_of_day(session: Session) -> datetime:
    """Return the last instant of a session's date: every fill recorded late on that day is before it."""
    midnight = session.close.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1, microseconds=-1)


def trade_window(
    calendar: ExchangeCalendar,
    entry_time: datetime,
    exit_time: datetime | None,
    current_time: datetime,
    *,
    day: bool,
) -> Window:
    """Return the window of a position that is known of at ``current_time``.

    ``day=True``: the session in progress or last opened. ``day=False``: from the entry to the exit, or to
    ``current_time`` while the exit lies ahead of it. The exit of a trade that is still to come is not known.
    """
    # Instants of two zones can be equal, and two that differ in ``fold`` alone are: the window tells them as they came.
    exit_at = exit_time or entry_time
    zones = (entry_time.tzinfo, exit_at.tzinfo, current_time.tzinfo)
    written = (zones, entry_time.fold, exit_at.fold, current_time.fold)
    return _trade_window(calendar, entry_time, exit_time, current_time, day, written)


def session_of(calendar: ExchangeCalendar, at: datetime) -> Session:
    """Return the session in progress at an instant, else the last one opened before it."""
    return _session_of(calendar, at, at.tzinfo, at.fold)


@lru_cache(maxsize=16384)
def _session_of(calendar: ExchangeCalendar, at: datetime, zone: tzinfo | None, fold: int) -> Session:
    return calendar.session_at(at)


@lru_cache(maxsize=16384)
def _trade_window(
    calendar: ExchangeCalendar,
    entry_time: datetime,
    exit_time: datetime | None,
    current_time: datetime,
    day: bool,
    written: tuple[tuple[tzinfo | None, ...], int, int, int],
) -> Window:
    """Legs of one trade, and trades of one basket, share their window."""
    session = session_of(calendar, current_time)
    opened = fill_session(calendar, entry_time)
    entered_in = opened.date
    start = Ending(entry_time, FILL, entered_in, entry_time == opened.close)
    end = _end(calendar, session, exit_time, current_time, day=day)
    if day and entered_in < session.date:
        previous = calendar.previous_session(session.date)
        start = Ending(previous.close, CLOSE, previous.date, True)
    phase = LIVE
    if entry_time > current_time or (day and entered_in > session.date):
        phase = Phase.NOT_OPEN
    elif day and end.session < session.date:
        phase, end = Phase.CLOSED, Ending(session.close, CLOSE, session.date, True)
    elif end.kind is CLOSE and end.session < entered_in:
        # Entered before the next open: the last close is not this trade's, only a mark can value it.
        end = Ending(current_time, MARK, session.date)
    return Window(start, end if end.at >= start.at else replace(end, at=start.at), phase)


def _end(
    calendar: ExchangeCalendar,
    session: Session,
    exit_time: datetime | None,
    current_time: datetime,
    *,
    day: bool,
) -> Ending:
    if exit_time is not None and exit_time <= current_time:
        closed = fill_session(calendar, exit_time)
        if not day or closed.date <= session.date:
            return Ending(exit_time, FILL, closed.date, exit_time == closed.close)
    if current_time < session.close:
        return Ending(current_time, MARK, session.date)
    return Ending(session.close, CLOSE, session.date, True)


def clip_to_expiry(window: Window, expires_at: datetime) -> Window:
    """Return the window of a leg that expires: its payoff replaces any later end.

    A fill on the expiry day stays a fill, however late it was recorded: that is what was paid.
    """
    if window.phase is not LIVE:
        return window
    expiry_day = expires_at.date()
    if window.start.kind is CLOSE and window.start.at >= expires_at:
        return replace(window, phase=Phase.EXPIRED)
    fill_that_day = window.end.kind is FILL and window.end.session <= expiry_day
    if window.end.at < expires_at or fill_that_day:
        return window
    at = max(expires_at, window.start.at)
    return replace(window, end=Ending(at, PAYOFF, expiry_day))
