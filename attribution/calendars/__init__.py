"""Which exchange is open when, and how much time is left: dated sessions and additive clocks.

Facts live in ``data/*.csv`` (``data/README.md`` tells the formats, and how to add a venue); no file
is read before a calendar is first asked for.
"""

from attribution.calendars.clock import CLOCK_NAMES, Clock, ClockSpans, get_clock
from attribution.calendars.days import NAT, DayTable, day_table
from attribution.calendars.instants import to_epoch_us
from attribution.calendars.sessions import ExchangeCalendar, Session, canonical_exchange, get_calendar

__all__ = [
    "CLOCK_NAMES",
    "NAT",
    "Clock",
    "ClockSpans",
    "DayTable",
    "ExchangeCalendar",
    "Session",
    "canonical_exchange",
    "day_table",
    "get_calendar",
    "get_clock",
    "to_epoch_us",
]
