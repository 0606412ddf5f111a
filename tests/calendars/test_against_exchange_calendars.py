"""Weekday sessions against an independent calendar; each difference is listed with its reason."""

from __future__ import annotations

import datetime as dt
import warnings

import pytest

from attribution.calendars import get_calendar

# The oracle has no Muhurat sessions: it closes these weekdays altogether.
MUHURAT_WEEKDAYS = {
    "2015-11-11",
    "2017-10-19",
    "2018-11-07",
    "2021-11-04",
    "2022-10-24",
    "2024-11-01",
    "2025-10-21",
}
ORACLES = {"NSE": ("XBOM", "2026-12-31"), "BSE": ("XBOM", "2026-12-31"), "US": ("XNYS", "2028-12-31")}


@pytest.fixture(scope="module")
def oracles():
    with warnings.catch_warnings():
        # The oracle's own pandas idioms may be deprecated; that is not ours to fail on.
        warnings.simplefilter("ignore")
        library = pytest.importorskip("exchange_calendars")
        return {code: library.get_calendar(code, start="2015-01-01", end=end) for code, end in set(ORACLES.values())}


def oracle_schedule(calendar) -> dict[str, tuple[dt.datetime, dt.datetime]]:
    schedule = calendar.schedule
    return {
        day.date().isoformat(): (row["open"].to_pydatetime(), row["close"].to_pydatetime())
        for day, row in schedule.iterrows()
        if day.weekday() < 5
    }


def our_schedule(exchange: str, last: str) -> dict[str, tuple[dt.datetime, dt.datetime]]:
    sessions = get_calendar(exchange).sessions_between("2015-01-01", last)
    return {s.date.isoformat(): (s.open, s.close) for s in sessions if s.date.weekday() < 5}


@pytest.mark.parametrize("exchange", ["NSE", "BSE"])
def test_weekdays_of_india(oracles, exchange):
    code, last = ORACLES[exchange]
    ours, theirs = our_schedule(exchange, last), oracle_schedule(oracles[code])
    assert set(ours) - set(theirs) == MUHURAT_WEEKDAYS
    assert set(theirs) - set(ours) == set()
    other_hours = {day for day in theirs if ours[day] != theirs[day]}
    # The oracle knows neither the outage of 2021 nor the close at 15:40.
    assert {day for day in other_hours if day < "2026-08-03"} == {"2021-02-24"}
    assert other_hours - {"2021-02-24"} == {day for day in theirs if day >= "2026-08-03"}


def test_days_and_hours_of_the_us(oracles):
    code, last = ORACLES["US"]
    assert our_schedule("US", last) == oracle_schedule(oracles[code])
