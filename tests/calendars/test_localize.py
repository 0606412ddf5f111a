"""What counts as an instant, and what is refused."""

from __future__ import annotations

import datetime as dt
import math
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from attribution.calendars import get_calendar, to_epoch_us
from attribution.errors import CalendarError

KOLKATA = ZoneInfo("Asia/Kolkata")
NSE, US = get_calendar("NSE"), get_calendar("US")
EXPECTED = dt.datetime(2026, 8, 3, 9, 15, tzinfo=KOLKATA)


@pytest.mark.parametrize(
    "value",
    [
        dt.datetime(2026, 8, 3, 9, 15),
        dt.datetime(2026, 8, 3, 3, 45, tzinfo=dt.UTC),
        dt.datetime(2026, 8, 2, 23, 45, tzinfo=ZoneInfo("America/New_York")),
        pd.Timestamp("2026-08-03 09:15"),
        pd.Timestamp("2026-08-03 03:45", tz="UTC"),
        pd.Timestamp("2026-08-03 09:15", tz="Asia/Kolkata"),
        pd.Timestamp("2026-08-03 09:15:00.000000789"),
        np.datetime64("2026-08-03T09:15"),
        np.datetime64("2026-08-03T09:15:00.000000789", "ns"),
        "2026-08-03 09:15",
        "2026-08-03 09:15:00",
        "2026-08-03T09:15:00.000000",
        " 2026-08-03T09:15 ",
        "2026-08-03T03:45Z",
        "2026-08-03 03:45:00+00:00",
        "2026-08-03T09:15:00.000+0530",
        np.str_("2026-08-03 09:15"),
    ],
    ids=repr,
)
def test_the_same_instant_in_many_forms(value):
    local = NSE.localize(value)
    assert local == EXPECTED
    assert type(local) is dt.datetime
    assert local.tzinfo is NSE.zone
    assert local.isoformat() == "2026-08-03T09:15:00+05:30"


@pytest.mark.parametrize("value", [dt.date(2026, 8, 3), "2026-08-03", np.datetime64("2026-08-03")])
def test_a_date_is_its_midnight(value):
    assert NSE.localize(value) == dt.datetime(2026, 8, 3, tzinfo=KOLKATA)
    assert US.localize(value).isoformat() == "2026-08-03T00:00:00-04:00"


def test_naive_is_the_exchange_zone_and_aware_is_converted():
    naive = dt.datetime(2026, 1, 15, 9, 30)
    assert US.localize(naive).isoformat() == "2026-01-15T09:30:00-05:00"
    assert US.localize(naive.replace(tzinfo=KOLKATA)).isoformat() == "2026-01-14T23:00:00-05:00"


def test_microseconds_survive():
    assert NSE.localize("2026-08-03 09:15:00.123456").microsecond == 123456
    assert NSE.localize(pd.Timestamp("2026-08-03 09:15:00.123456789")).microsecond == 123456


def test_repeated_and_skipped_hours_follow_fold():
    first = US.localize(dt.datetime(2026, 11, 1, 1, 30))
    second = US.localize(dt.datetime(2026, 11, 1, 1, 30, fold=1))
    assert to_epoch_us(second) - to_epoch_us(first) == 3600 * 1_000_000


@pytest.mark.parametrize(
    "value",
    [
        None,
        20260803,
        1.5,
        math.nan,
        True,
        "",
        "03-08-2026",
        "20260803",
        "2026-W32-1",
        "2026-08-03 9:15",
        "2026-08-03 09:15 IST",
        "2026-13-01",
        "2026-02-30",
        "2026-08-03 25:00",
        pd.NaT,
        np.datetime64("NaT"),
        np.datetime64("20000-01-01"),
        dt.time(9, 15),
        b"2026-08-03",
    ],
    ids=repr,
)
def test_anything_else_is_refused_with_what_is_allowed(value):
    with pytest.raises(CalendarError) as caught:
        NSE.localize(value)
    message = str(caught.value)
    assert repr(value) in message
    assert "expected a datetime" in message
    assert "'2026-08-03 09:15'" in message


def test_year_that_no_zone_can_express():
    with pytest.raises(CalendarError, match="outside the years"):
        US.localize(dt.datetime(1, 1, 1, tzinfo=KOLKATA))


def test_to_epoch_us():
    assert to_epoch_us(dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) == 0
    assert to_epoch_us(EXPECTED) == 1_785_728_700_000_000
    assert to_epoch_us(dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC)) == -1
    assert to_epoch_us(pd.Timestamp("2026-08-03 03:45:00.000001789", tz="UTC")) == 1_785_728_700_000_001


@pytest.mark.parametrize("value", [dt.datetime(2026, 8, 3), pd.NaT])
def test_to_epoch_us_refuses_naive_and_nat(value):
    with pytest.raises(ValueError, match="zone-aware"):
        to_epoch_us(value)
