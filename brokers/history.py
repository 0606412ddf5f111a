"""Many questions about the past as few requests: by instrument, in ranges of days as long as the vendor allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeAlias, TypeVar

from attribution.calendars import Session, get_calendar
from attribution.errors import CalendarError
from attribution.instruments import Instrument
from attribution.market.bars import tidy_bars
from attribution.market.quotes import Answer, Bar, Bars, BarsOf, CloseOf, Missing, Price, PriceKind
from attribution.symbols import format_symbol
from brokers.base import ask_all, day_ranges
from brokers.scrips import Scrip

__all__ = ["SETTLING", "History", "find_session"]

SETTLING = timedelta(minutes=5)
"""How long after a close a vendor may still add or change bars; ten seconds were seen."""

Find: TypeAlias = Callable[[Instrument], Scrip | Missing]


def find_session(instrument: Instrument, day: date, now: datetime) -> Session | Missing:
    """Return the session of ``day`` where the instrument is at home, if it has begun by ``now``."""
    try:
        session = get_calendar(instrument.exchange).session_on(day)
    except CalendarError as exc:
        return Missing(str(exc))
    if session is None:
        return Missing(f"{instrument.exchange} had no session on {day}")
    if session.open > now:
        return Missing(f"the session of {day} has not begun at {now:%Y-%m-%d %H:%M:%S}")
    return session


Key: TypeAlias = tuple[Instrument, date]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class History:
    """A vendor's past: who it is, how much it gives at a time, and what to say where it has nothing."""

    source: str
    max_days: int
    """The longest range of one request. [calendar days]"""
    max_workers: int
    hint: str
    """Why the vendor may have nothing; ends the sentence of a ``Missing``."""

    def minute_bars(
        self, wanted: Sequence[BarsOf], find: Find, fetch: Callable[[Scrip, date, date], list[Bar]], now: datetime
    ) -> list[Bars | Missing]:
        """Sessions of 1-minute bars; ``fetch`` returns what the vendor has of a range, in any order."""
        sessions = {(ask.instrument, ask.session): find_session(ask.instrument, ask.session, now) for ask in wanted}
        found = self._fetch(sessions, find, fetch)

        def answer(ask: BarsOf) -> Bars | Missing:
            session = sessions[ask.instrument, ask.session]
            if isinstance(session, Missing):
                return session
            bars = found[ask.instrument, ask.session]
            if isinstance(bars, Missing):
                return bars
            tidy = tidy_bars(bars, session)
            if not tidy:
                return self._nothing("1-minute bar", ask.instrument, ask.session)
            return Bars(tidy, self.source, complete=now >= session.close + SETTLING)

        return [answer(ask) for ask in wanted]

    def closes(
        self,
        wanted: Sequence[CloseOf],
        find: Find,
        fetch: Callable[[Scrip, date, date], Mapping[date, float]],
        now: datetime,
    ) -> list[Answer]:
        """Session closes; ``fetch`` returns the closes of the daily bars of a range."""
        sessions = {(ask.instrument, ask.session): find_session(ask.instrument, ask.session, now) for ask in wanted}
        for key, session in sessions.items():
            # The daily bar of a running session closes at the last trade so far, which is no close.
            if isinstance(session, Session) and session.close > now:
                sessions[key] = Missing(f"the session of {session.date} is not over at {now:%Y-%m-%d %H:%M:%S}")
        found = self._fetch(sessions, find, fetch)

        def answer(ask: CloseOf) -> Answer:
            session = sessions[ask.instrument, ask.session]
            if isinstance(session, Missing):
                return session
            daily = found[ask.instrument, ask.session]
            if isinstance(daily, Missing):
                return daily
            if ask.session not in daily:
                return self._nothing("daily bar", ask.instrument, ask.session)
            return Price(daily[ask.session], self.source, PriceKind.CLOSE, session.close)

        return [answer(ask) for ask in wanted]

    def _fetch(
        self,
        sessions: Mapping[Key, Session | Missing],
        find: Find,
        fetch: Callable[[Scrip, date, date], Found],
    ) -> dict[Key, Found | Missing]:
        """What the vendor answered for each instrument and day; one request per instrument and range of days."""
        days: dict[Instrument, list[date]] = {}
        for (instrument, day), session in sessions.items():
            if isinstance(session, Session):
                days.setdefault(instrument, []).append(day)
        answers: dict[Key, Found | Missing] = {}
        requests: dict[Key, tuple[Scrip, date, date]] = {}
        for instrument, wanted in days.items():
            scrip = find(instrument)
            if isinstance(scrip, Missing):
                answers |= {(instrument, day): scrip for day in wanted}
                continue
            for first, last in day_ranges(wanted, self.max_days):
                requests |= {(instrument, day): (scrip, first, last) for day in wanted if first <= day <= last}
        replies = ask_all(list(requests.values()), lambda request: fetch(*request), max_workers=self.max_workers)
        return answers | dict(zip(requests, replies, strict=True))

    def _nothing(self, what: str, instrument: Instrument, day: date) -> Missing:
        return Missing(f"no {what} of {format_symbol(instrument)} on {day}; {self.hint}")
