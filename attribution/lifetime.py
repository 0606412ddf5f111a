"""The sessions that a trade lives through, and the job of each."""

from __future__ import annotations

from datetime import date, datetime

from attribution.batch import Job, end_of_trade
from attribution.calendars import ExchangeCalendar, get_calendar
from attribution.errors import AttributionError
from attribution.parts import Exits
from attribution.trade import Trade, as_instant
from attribution.window import end_of_day, fill_session

__all__ = ["as_day", "jobs_by_day"]


def jobs_by_day(trade: Trade, start: object, end: object, now: datetime, exits: Exits) -> list[Job | AttributionError]:
    """Return one job per session from ``start`` to ``end`` in which a trade lives, as known at ``now``."""
    calendar = get_calendar(trade.legs[0].leg.instrument.exchange)
    asked_first, asked_last = as_day("start", start, calendar), as_day("end", end, calendar)
    try:
        first = fill_session(calendar, trade.entry_time).date
        last = calendar.session_at(now).date
        ends = end_of_trade(trade, exits, now)
        if ends is not None:
            last = min(last, fill_session(calendar, ends).date)
        sessions = calendar.sessions_between(max(first, asked_first or first), min(last, asked_last or last))
    except AttributionError as exc:
        return [exc]
    return [Job(trade, min(end_of_day(session), now), day=True) for session in sessions]


def as_day(field: str, value: object, calendar: ExchangeCalendar) -> date | None:
    """Return the date of a caller's instant or date in an exchange's zone; None where it holds nothing."""
    instant = as_instant(field, value, calendar.name)
    return None if instant is None else instant.date()
