"""The fact files keep the rules that ``data/README.md`` states."""

from __future__ import annotations

import csv
from datetime import date
from importlib.resources import files

import pytest

DATA = files("attribution.calendars").joinpath("data")
VENUES = ("nse", "bse", "us")
# Sessions with a pause: minutes that were traded, from the notices.
TRADED_MINUTES = {"2024-03-02": 105, "2024-05-18": 105, "2021-02-24": 220}

venues = pytest.mark.parametrize("venue", VENUES)


def rows(*path: str) -> list[dict[str, str]]:
    lines = DATA.joinpath(*path).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def minutes(clock_time: str) -> int:
    hours, mins = clock_time.split(":")
    return 60 * int(hours) + int(mins)


def regular_minutes(venue: str, day: str) -> int:
    row = [r for r in rows(venue, "hours.csv") if r["from_date"] <= day][-1]
    return minutes(row["close"]) - minutes(row["open"])


@venues
@pytest.mark.parametrize(("name", "column"), [("hours", "from_date"), ("holidays", "date"), ("special", "date")])
def test_dates_are_in_order_and_unique(venue, name, column):
    days = [date.fromisoformat(row[column]) for row in rows(venue, f"{name}.csv")]
    assert days == sorted(set(days))


@venues
def test_no_field_is_empty(venue):
    for name in ("hours", "holidays", "special", "fixed_holidays"):
        for row in rows(venue, f"{name}.csv"):
            assert None not in row, row
            assert all(row.values()), row


@venues
def test_holidays_are_weekdays_inside_the_published_years(venue):
    about = next(row for row in rows("venues.csv") if row["exchange"] == venue.upper())
    first, last = date.fromisoformat(about["first_date"]), date.fromisoformat(about["last_published"])
    days = [date.fromisoformat(row["date"]) for row in rows(venue, "holidays.csv")]
    assert all(day.weekday() < 5 and first <= day <= last for day in days)
    assert {day.year for day in days} == set(range(first.year, last.year + 1))


@venues
def test_hours_cover_the_first_date(venue):
    about = next(row for row in rows("venues.csv") if row["exchange"] == venue.upper())
    assert rows(venue, "hours.csv")[0]["from_date"] <= about["first_date"]


@venues
def test_weights_follow_the_rule(venue):
    for row in rows(venue, "special.csv"):
        traded = TRADED_MINUTES.get(row["date"], minutes(row["close"]) - minutes(row["open"]))
        if venue == "bse" and row["date"] == "2021-02-24":
            traded = 465  # no pause there
        regular = regular_minutes(venue, row["date"])
        expected = 1.0 if 2 * traded >= regular else round(traded / regular, 4)
        assert float(row["weight"]) == expected, row


@venues
def test_special_sessions_differ_from_regular_ones(venue):
    holidays = {row["date"] for row in rows(venue, "holidays.csv")}
    for row in rows(venue, "special.csv"):
        weekend = date.fromisoformat(row["date"]).weekday() >= 5
        other_hours = minutes(row["close"]) - minutes(row["open"]) != regular_minutes(venue, row["date"])
        assert weekend or other_hours or row["date"] in holidays, row


def test_only_the_muhurat_of_2026_is_unverified():
    unverified = [row["date"] for v in VENUES for row in rows(v, "special.csv") if "unverified" in row["source"]]
    assert unverified == ["2026-11-08", "2026-11-08"]


def test_nse_and_bse_agree_on_dates_and_hours():
    for name, columns in (("holidays", ("date",)), ("special", ("date", "open", "close", "weight"))):
        nse, bse = ([[r[c] for c in columns] for r in rows(v, f"{name}.csv")] for v in ("nse", "bse"))
        assert nse == bse
