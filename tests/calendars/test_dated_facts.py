"""Single facts about single dates, each typed from the exchange's notice."""

from __future__ import annotations

import datetime as dt
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from attribution.calendars import get_calendar

KOLKATA, NEW_YORK = ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")

MUHURAT = {
    "2015-11-11": ("Wed", "17:45", "18:45"),
    "2016-10-30": ("Sun", "18:30", "19:30"),
    "2017-10-19": ("Thu", "18:30", "19:30"),
    "2018-11-07": ("Wed", "17:30", "18:30"),
    "2019-10-27": ("Sun", "18:15", "19:15"),
    "2020-11-14": ("Sat", "18:15", "19:15"),
    "2021-11-04": ("Thu", "18:15", "19:15"),
    "2022-10-24": ("Mon", "18:15", "19:15"),
    "2023-11-12": ("Sun", "18:15", "19:15"),
    "2024-11-01": ("Fri", "18:00", "19:00"),
    "2025-10-21": ("Tue", "13:45", "14:45"),
}
FULL_WEEKEND_SESSIONS = ["2015-02-28", "2020-02-01", "2024-01-20", "2025-02-01", "2026-02-01"]
DRILLS = ["2024-03-02", "2024-05-18"]

india = pytest.mark.parametrize("exchange", ["NSE", "BSE"])


def described(session):
    return session.open.strftime("%a"), session.open.strftime("%H:%M"), session.close.strftime("%H:%M")


@india
@pytest.mark.parametrize(("day", "expected"), MUHURAT.items())
def test_muhurat(exchange, day, expected):
    session = get_calendar(exchange).session_on(day)
    assert described(session) == expected
    assert session.weight == 0.16  # 60 of 375 minutes


@india
def test_muhurat_2026_counts_against_the_longer_session(exchange):
    session = get_calendar(exchange).session_on("2026-11-08")
    assert session.open.weekday() == 6
    assert session.close - session.open == dt.timedelta(hours=1)
    assert session.weight == 0.1558  # 60 of 385 minutes


@india
def test_muhurat_day_before_the_evening_belongs_to_the_day_before(exchange):
    calendar = get_calendar(exchange)
    assert calendar.session_at("2024-11-01 17:59:59").date == date(2024, 10, 31)
    assert calendar.session_at("2024-11-01 18:00").date == date(2024, 11, 1)
    assert calendar.session_at("2024-11-03 12:00").date == date(2024, 11, 1)


@india
@pytest.mark.parametrize("day", FULL_WEEKEND_SESSIONS)
def test_full_weekend_sessions(exchange, day):
    session = get_calendar(exchange).session_on(day)
    weekday, opens, closes = described(session)
    assert weekday == ("Sun" if day.startswith("2026") else "Sat")
    assert (opens, closes, session.weight) == ("09:15", "15:30", 1.0)


@india
@pytest.mark.parametrize("day", DRILLS)
def test_drill_counts_the_minutes_traded(exchange, day):
    session = get_calendar(exchange).session_on(day)
    assert described(session) == ("Sat", "09:15", "12:30")
    assert session.weight == 0.28  # 45 + 60 of 375 minutes


@india
def test_extended_session_after_the_outage_of_2021(exchange):
    session = get_calendar(exchange).session_on("2021-02-24")
    assert described(session) == ("Wed", "09:15", "17:00")
    assert session.weight == 1.0


@india
def test_no_other_weekend_sessions(exchange):
    sessions = get_calendar(exchange).sessions_between("2015-01-01", "2026-12-31")
    weekend = {s.date.isoformat() for s in sessions if s.date.weekday() >= 5}
    muhurat = {day for day, (weekday, *_) in MUHURAT.items() if weekday in ("Sat", "Sun")}
    assert weekend == {*FULL_WEEKEND_SESSIONS, *DRILLS, *muhurat, "2026-11-08"}


@india
def test_close_moves_from_1530_to_1540(exchange):
    calendar = get_calendar(exchange)
    assert calendar.expiry_instant("2026-07-31") == dt.datetime(2026, 7, 31, 15, 30, tzinfo=KOLKATA)
    assert calendar.next_session("2026-07-31").close == dt.datetime(2026, 8, 3, 15, 40, tzinfo=KOLKATA)
    assert calendar.session_at("2026-08-03 15:35").date == date(2026, 8, 3)


@india
def test_holiday_expiry_falls_back_to_the_session_before(exchange):
    calendar = get_calendar(exchange)
    tuesday = date(2026, 11, 24)
    assert tuesday.weekday() == 1
    assert calendar.session_on(tuesday) is None
    assert calendar.expiry_instant(tuesday) == dt.datetime(2026, 11, 23, 15, 40, tzinfo=KOLKATA)


def test_saturday_expiry_of_us_options():
    calendar = get_calendar("US")
    assert calendar.expiry_instant("2015-01-17") == dt.datetime(2015, 1, 16, 16, 0, tzinfo=NEW_YORK)
    opened = calendar.expiry_instant("2015-01-17", at_open=True)
    assert opened == dt.datetime(2015, 1, 16, 9, 30, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    "day",
    [
        "2015-12-24",
        "2016-11-25",
        "2019-07-03",
        "2023-07-03",
        "2025-11-28",
        "2026-12-24",
        "2027-11-26",
        "2028-07-03",
    ],
)
def test_us_half_days_are_whole_sessions_that_close_at_1300(day):
    session = get_calendar("US").session_on(day)
    assert described(session)[1:] == ("09:30", "13:00")
    assert session.weight == 1.0


def test_us_daylight_saving():
    calendar = get_calendar("US")
    winter, summer = calendar.session_on("2026-03-06"), calendar.session_on("2026-03-09")
    assert (winter.open.hour, summer.open.hour) == (9, 9)
    assert winter.open.astimezone(dt.UTC).strftime("%H:%M") == "14:30"
    assert summer.open.astimezone(dt.UTC).strftime("%H:%M") == "13:30"
    friday, monday = calendar.session_on("2026-10-30"), calendar.session_on("2026-11-02")
    assert friday.close.astimezone(dt.UTC).strftime("%H:%M") == "20:00"
    assert monday.close.astimezone(dt.UTC).strftime("%H:%M") == "21:00"


def test_us_daylight_saving_of_every_session():
    for session in get_calendar("US").sessions_between("2015-01-01", "2035-12-31"):
        wall = (session.open.hour, session.open.minute, session.close.hour, session.close.minute)
        assert wall in {(9, 30, 16, 0), (9, 30, 13, 0)}, session
