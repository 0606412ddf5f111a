"""The sessions that a trade lives through, and the job of each."""

from __future__ import annotations

from datetime import date, datetime

from attribution.batch import Job, end_of_trade
from attribution.calendars import ExchangeCalendar, get_calendar
from attribution.errors import AttributionError, TradeError
from attribution.parts import Exits
from attribution.trade import Trade, as_instant
from attribution.window import end_of_day, fill_session

__all__ = ["days_asked", "jobs_by_day"]


def jobs_by_day(trade: Trade, start: object, end: object, now: datetime, exits: Exits) -> list[Job | AttributionError]:
    """Return one job per session from ``start`` to ``end`` in which a trade lives, as known at ``now``."""
    calendar = get_calendar(trade.home)
    asked_first, asked_last = days_asked(start, end, calendar)
    try:
        _check_zones(trade)
        first = fill_session(calendar, trade.entry_time).date
        last = calendar.session_at(now).date
        ends = end_of_trade(trade, exits, now)
        if ends is not None and ends <= now:  # an end ahead, maybe beyond all calendars, limits nothing
            last = min(last, fill_session(calendar, ends).date)
        sessions = calendar.sessions_between(max(first, asked_first or first), min(last, asked_last or last))
    except AttributionError as exc:
        return [exc]
    return [Job(trade, min(end_of_day(session), now), day=True) for session in sessions]


def _check_zones(trade: Trade) -> None:
    """Days of two zones overlap: no sequence of them adds up to the life of a combo that spans both."""
    zones = {str(get_calendar(item.exchange).zone): item.exchange for item in trade.legs}
    if len(zones) > 1:
        allowed = (
            f"legs of one time zone, to be explained day by day; these are of {' and '.join(zones.values())}: explain "
            "the legs as trades of their own, or the whole life (day=False)"
        )
        raise TradeError("symbol", trade.symbol, allowed)


def days_asked(start: object, end: object, calendar: ExchangeCalendar) -> tuple[date | None, date | None]:
    """Return the first and the last day that a caller asked for, in an exchange's zone; None where there is no bound.

    Raises
    ------
    TradeError
        One of them is no date.
    ValueError
        The first is after the last.
    """
    first, last = as_day("start", start, calendar), as_day("end", end, calendar)
    if first is not None and last is not None and first > last:
        raise ValueError(f"start={start!r}, end={end!r}: start must not be after end")
    return first, last


def as_day(field: str, value: object, calendar: ExchangeCalendar) -> date | None:
    """Return the date of a caller's instant or date in an exchange's zone; None where it holds nothing."""
    instant = as_instant(field, value, calendar.name)
    return None if instant is None else instant.date()
