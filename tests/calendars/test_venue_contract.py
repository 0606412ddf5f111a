"""One contract, run against every venue; the answers are typed by hand from the exchanges' notices."""

from __future__ import annotations

import datetime as dt
import pickle
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from attribution.calendars import ExchangeCalendar, Session, canonical_exchange, get_calendar
from attribution.errors import CalendarError


@dataclass(frozen=True)
class Answers:
    """What the exchange said, for one venue."""

    zone: str
    first_date: date
    first_session: date
    last_published: date
    regular: dict[date, tuple[str, str]]
    holidays: tuple[date, ...]
    weekend: tuple[date, ...]
    neighbours: tuple[tuple[date, date, date], ...]
    counts: dict[int, int]
    provisional_closed: tuple[date, ...]
    provisional_open: tuple[date, ...]
    provisional_hours: tuple[str, str]


INDIA = Answers(
    zone="Asia/Kolkata",
    first_date=date(2015, 1, 1),
    first_session=date(2015, 1, 1),
    last_published=date(2026, 12, 31),
    regular={
        date(2015, 1, 1): ("09:15", "15:30"),
        date(2019, 3, 28): ("09:15", "15:30"),
        date(2026, 7, 31): ("09:15", "15:30"),
        date(2026, 8, 3): ("09:15", "15:40"),
        date(2026, 12, 31): ("09:15", "15:40"),
    },
    holidays=(
        date(2015, 1, 26),
        date(2019, 4, 29),
        date(2023, 6, 29),
        date(2024, 1, 22),
        date(2024, 5, 20),
        date(2024, 11, 20),
        date(2026, 1, 15),
        date(2026, 11, 24),
    ),
    weekend=(date(2024, 1, 21), date(2025, 1, 25), date(2026, 2, 7)),
    neighbours=(
        # previous session, date, next session
        (date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 25)),
        (date(2024, 1, 20), date(2024, 1, 22), date(2024, 1, 23)),
        (date(2023, 6, 28), date(2023, 6, 29), date(2023, 6, 30)),
        (date(2026, 1, 30), date(2026, 2, 1), date(2026, 2, 2)),
        (date(2026, 12, 31), date(2027, 1, 1), date(2027, 1, 4)),
    ),
    # 2024: 262 weekdays - 17 holidays + 3 Saturdays + 1 Muhurat; the others likewise
    counts={2018: 246, 2020: 252, 2021: 248, 2023: 246, 2024: 249, 2025: 249, 2026: 247},
    provisional_closed=(
        date(2027, 1, 26),
        date(2028, 5, 1),
        date(2031, 8, 15),
        date(2060, 10, 2),
        date(2099, 12, 25),
    ),
    provisional_open=(date(2027, 1, 1), date(2027, 8, 16), date(2060, 1, 2), date(2100, 12, 31)),
    provisional_hours=("09:15", "15:40"),
)

US = Answers(
    zone="America/New_York",
    first_date=date(2015, 1, 1),
    first_session=date(2015, 1, 2),
    last_published=date(2028, 12, 31),
    regular={
        date(2015, 1, 2): ("09:30", "16:00"),
        date(2020, 3, 18): ("09:30", "16:00"),
        date(2026, 7, 2): ("09:30", "16:00"),
        date(2027, 12, 31): ("09:30", "16:00"),
    },
    holidays=(
        date(2015, 1, 1),
        date(2018, 12, 5),
        date(2021, 12, 24),
        date(2022, 6, 20),
        date(2025, 1, 9),
        date(2026, 7, 3),
        date(2027, 3, 26),
        date(2027, 6, 18),
        date(2028, 4, 14),
    ),
    weekend=(date(2015, 1, 17), date(2024, 1, 20), date(2026, 2, 1)),
    neighbours=(
        (date(2025, 1, 8), date(2025, 1, 9), date(2025, 1, 10)),
        (date(2018, 12, 4), date(2018, 12, 5), date(2018, 12, 6)),
        (date(2026, 7, 2), date(2026, 7, 3), date(2026, 7, 6)),
        (date(2027, 12, 31), date(2028, 1, 1), date(2028, 1, 3)),
    ),
    counts={2015: 252, 2018: 251, 2023: 250, 2024: 252, 2025: 250, 2026: 251, 2027: 251, 2028: 251},
    provisional_closed=(
        date(2029, 1, 1),
        date(2032, 7, 5),  # 4 July on a Sunday
        date(2033, 12, 26),  # Christmas on a Sunday
        date(2034, 1, 2),  # New Year on a Sunday
        date(2060, 7, 5),  # 4 July on a Sunday
        date(2060, 6, 18),  # 19 June on a Saturday
        date(2100, 12, 24),  # Christmas on a Saturday
    ),
    provisional_open=(date(2032, 12, 31), date(2060, 12, 27), date(2100, 12, 31)),
    provisional_hours=("09:30", "16:00"),
)

VENUES = {"NSE": INDIA, "BSE": INDIA, "US": US}
ALIASES = {
    "NSE": ("nse", "NFO", "NSE_FO", "nfo", " Nse "),
    "BSE": ("bse", "BFO", "BSE_FO"),
    "US": ("us", "NYSE", "NASDAQ", "nasdaq", "CBOE", "OPRA", "XNYS"),
}


def hhmm(session: Session) -> tuple[str, str]:
    return session.open.strftime("%H:%M"), session.close.strftime("%H:%M")


@pytest.fixture(params=list(VENUES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def calendar(name: str) -> ExchangeCalendar:
    return get_calendar(name)


@pytest.fixture
def answers(name: str) -> Answers:
    return VENUES[name]


class TestContract:
    def test_identity(self, calendar, answers, name):
        assert calendar.name == name
        assert calendar.zone == ZoneInfo(answers.zone)
        assert calendar.first_date == answers.first_date
        assert calendar.last_published == answers.last_published

    def test_aliases_give_the_same_object(self, calendar, name):
        for alias in ALIASES[name]:
            assert canonical_exchange(alias) == name
            assert get_calendar(alias) is calendar

    def test_pickle_gives_the_same_object(self, calendar):
        assert pickle.loads(pickle.dumps(calendar)) is calendar

    def test_regular_hours(self, calendar, answers):
        for day, hours in answers.regular.items():
            session = calendar.session_on(day)
            assert session is not None
            assert hhmm(session) == hours
            assert session.date == session.open.date() == session.close.date() == day
            assert (session.exchange, session.weight, session.provisional) == (calendar.name, 1.0, False)
            assert session.open.tzinfo is session.close.tzinfo is calendar.zone

    def test_holidays_and_weekends_have_no_session(self, calendar, answers):
        for day in (*answers.holidays, *answers.weekend):
            assert calendar.session_on(day) is None, day

    def test_neighbours(self, calendar, answers):
        for before, day, after in answers.neighbours:
            assert calendar.previous_session(day).date == before
            assert calendar.next_session(day).date == after
            on = calendar.session_on(day)
            assert calendar.session_on_or_before(day).date == (day if on else before)
            assert calendar.session_on_or_after(day).date == (day if on else after)

    def test_sessions_per_year(self, calendar, answers):
        for year, count in answers.counts.items():
            sessions = calendar.sessions_between(date(year, 1, 1), date(year, 12, 31))
            assert len(sessions) == count, year

    def test_sessions_between_includes_both_ends(self, calendar):
        days = [s.date for s in calendar.sessions_between(date(2023, 7, 10), date(2023, 7, 14))]
        assert days == [date(2023, 7, day) for day in range(10, 15)]
        assert calendar.sessions_between(date(2023, 7, 8), date(2023, 7, 9)) == []
        assert calendar.sessions_between(date(2023, 7, 14), date(2023, 7, 10)) == []

    def test_session_at(self, calendar):
        monday, friday = (calendar.session_on(date(2023, 7, day)) for day in (10, 7))
        second = dt.timedelta(seconds=1)
        assert calendar.session_at(monday.open) == monday
        assert calendar.session_at(monday.open + second) == monday
        assert calendar.session_at(monday.close) == monday
        assert calendar.session_at(monday.close + second) == monday
        assert calendar.session_at(monday.open - second) == friday
        assert calendar.session_at(date(2023, 7, 9)) == friday

    def test_session_at_compares_instants_not_walls(self, calendar):
        opened = calendar.session_on(date(2023, 7, 10)).open
        assert calendar.session_at(opened.astimezone(dt.UTC)).date == date(2023, 7, 10)
        just_before = opened.astimezone(dt.UTC) - dt.timedelta(microseconds=1)
        assert calendar.session_at(just_before).date == date(2023, 7, 7)

    def test_expiry_on_a_session_is_its_close_or_open(self, calendar, answers):
        day, (opens, closes) = next(iter(answers.regular.items()))
        assert calendar.expiry_instant(day).strftime("%Y-%m-%d %H:%M") == f"{day} {closes}"
        assert calendar.expiry_instant(day, at_open=True).strftime("%Y-%m-%d %H:%M") == f"{day} {opens}"

    def test_provisional_years(self, calendar, answers):
        for day in answers.provisional_closed:
            assert calendar.session_on(day) is None, day
        for day in answers.provisional_open:
            session = calendar.session_on(day)
            assert session is not None, day
            assert session.provisional is (day > answers.last_published)
        far = calendar.session_on(date(2060, 3, 3))
        assert far is not None
        assert far.provisional
        assert hhmm(far) == answers.provisional_hours

    def test_is_provisional(self, calendar, answers):
        assert not calendar.is_provisional(answers.last_published)
        assert calendar.is_provisional(answers.last_published + dt.timedelta(days=1))

    def test_before_the_table(self, calendar, answers):
        day = answers.first_date - dt.timedelta(days=1)
        for method in (
            calendar.session_on,
            calendar.previous_session,
            calendar.next_session,
            calendar.session_on_or_after,
            calendar.session_on_or_before,
            calendar.expiry_instant,
            calendar.session_at,
        ):
            with pytest.raises(CalendarError, match=f"2014-12-31.*{answers.first_date}"):
                method(day)
        with pytest.raises(CalendarError, match="2014-12-31"):
            calendar.sessions_between(day, date(2015, 2, 1))

    def test_nothing_before_the_first_session(self, calendar, answers):
        with pytest.raises(CalendarError, match=f"before.*first.*{answers.first_session}"):
            calendar.previous_session(answers.first_session)
        with pytest.raises(CalendarError, match=f"first.*{answers.first_session}"):
            calendar.session_at(dt.datetime(2015, 1, 1, 0, 1))

    def test_after_the_table(self, calendar):
        with pytest.raises(CalendarError, match=r"2111-01-01.*to 2110-12-31"):
            calendar.session_on(date(2111, 1, 1))
        with pytest.raises(CalendarError, match="last session"):
            calendar.next_session(date(2110, 12, 31))

    def test_dates_are_read_like_instants(self, calendar):
        expected = calendar.session_on(date(2023, 7, 10))
        noon = dt.datetime(2023, 7, 10, 12)
        for value in ("2023-07-10", noon, noon.replace(tzinfo=calendar.zone), np.datetime64("2023-07-10")):
            assert calendar.session_on(value) == expected

    def test_table_is_in_order_and_read_only(self, calendar):
        table = calendar.table
        assert (table.open_us < table.close_us).all()
        assert (table.close_us[:-1] < table.open_us[1:]).all()
        with pytest.raises(ValueError, match="read-only"):
            table.open_us[0] = 0


@pytest.mark.parametrize("wrong", ["MCX", "", None, 5])
def test_unknown_exchange_lists_the_known(wrong):
    with pytest.raises(CalendarError, match=r"NSE \(NFO.*BSE \(BFO.*US \("):
        get_calendar(wrong)


def test_session_is_frozen():
    session = get_calendar("NSE").session_on(date(2023, 7, 10))
    with pytest.raises(AttributeError):
        session.weight = 2.0
