"""Clocks against slow twins, typed answers and laws."""

from __future__ import annotations

import datetime as dt
import pickle
import random
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.calendars import CLOCK_NAMES, get_calendar, get_clock, to_epoch_us
from attribution.errors import CalendarError

KOLKATA, NEW_YORK = ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")
EXCHANGES = ("NSE", "BSE", "US")

# Stretches without short, weekend or moved sessions: first and last date, zone, hours, weekday holidays.
PLAIN = {
    "NSE 2023": (
        "NSE",
        date(2022, 11, 9),
        date(2023, 11, 10),
        KOLKATA,
        (dt.time(9, 15), dt.time(15, 30)),
        "2023-01-26 2023-03-07 2023-03-30 2023-04-04 2023-04-07 2023-04-14 2023-05-01 2023-06-29 2023-08-15 "
        "2023-09-19 2023-10-02 2023-10-24",
    ),
    "BSE with the 15:40 close": (
        "BSE",
        date(2026, 8, 3),
        date(2026, 11, 6),
        KOLKATA,
        (dt.time(9, 15), dt.time(15, 40)),
        "2026-09-14 2026-10-02 2026-10-20",
    ),
    "US 2022, two changes of clocks": (
        "US",
        date(2022, 1, 3),
        date(2022, 11, 23),
        NEW_YORK,
        (dt.time(9, 30), dt.time(16, 0)),
        "2022-01-17 2022-02-21 2022-04-15 2022-05-30 2022-06-20 2022-07-04 2022-09-05",
    ),
}


class FractionalBusinessDays:
    """The widely used count, day by day: N(a, b] + [a open](1 − stub a) − [b open](1 − stub b)."""

    def __init__(self, hours: tuple[dt.time, dt.time], holidays: str) -> None:
        self.hours = hours
        self.holidays = {date.fromisoformat(text) for text in holidays.split()}

    def is_business_day(self, day: date) -> bool:
        return day.weekday() < 5 and day not in self.holidays

    def stub(self, t: dt.datetime) -> float:
        opened, closed = (dt.datetime.combine(t.date(), at) for at in self.hours)
        return min(max((t - opened) / (closed - opened), 0.0), 1.0)

    def between(self, a: dt.datetime, b: dt.datetime) -> float:
        days = [a.date() + dt.timedelta(days=k) for k in range(1, (b.date() - a.date()).days + 1)]
        count = float(sum(map(self.is_business_day, days)))
        if self.is_business_day(a.date()):
            count += 1 - self.stub(a)
        if self.is_business_day(b.date()):
            count -= 1 - self.stub(b)
        return count


@pytest.mark.parametrize("stretch", PLAIN)
def test_sessions_clock_is_fractional_business_days(stretch):
    exchange, first, last, zone, hours, holidays = PLAIN[stretch]
    twin, clock = FractionalBusinessDays(hours, holidays), get_clock("sessions", exchange)
    rng = random.Random(20260803)
    start = dt.datetime.combine(first, dt.time())
    seconds = ((last - first).days + 1) * 86_400
    for _ in range(2_000):
        a, b = (start + dt.timedelta(seconds=s) for s in sorted((rng.randrange(seconds), rng.randrange(seconds))))
        a_us, b_us = (to_epoch_us(t.replace(tzinfo=zone)) for t in (a, b))
        expected = twin.between(a, b)
        assert clock.years_between(a_us, b_us) * 252 == pytest.approx(expected, rel=1e-12, abs=1e-12)
        assert clock.tau(b_us) - clock.tau(a_us) == pytest.approx(expected, rel=1e-12, abs=2e-12)


def at(text: str, exchange: str = "NSE") -> int:
    return to_epoch_us(get_calendar(exchange).localize(text))


@pytest.mark.parametrize(
    ("exchange", "start", "end", "sessions"),
    [
        # half a session; a whole one; a night; a weekend
        ("NSE", "2023-07-10 09:15", "2023-07-10 12:22:30", 0.5),
        ("NSE", "2023-07-10 09:15", "2023-07-10 15:30", 1.0),
        ("NSE", "2023-07-10 15:30", "2023-07-11 09:15", 0.0),
        ("NSE", "2023-07-07 15:30", "2023-07-11 15:30", 2.0),
        # last minute before and after the close moved
        ("NSE", "2026-07-31 15:29", "2026-07-31 15:30", 1 / 375),
        ("NSE", "2026-08-03 15:39", "2026-08-03 15:40", 1 / 385),
        # Muhurat afternoon of 2025: 20 Oct full, 21 Oct one hour, 22 Oct closed, 23 Oct full
        ("NSE", "2025-10-20 15:30", "2025-10-21 14:15", 0.08),
        ("NSE", "2025-10-20 15:30", "2025-10-22 23:00", 0.16),
        ("NSE", "2025-10-20 12:22:30", "2025-10-23 15:30", 0.5 + 0.16 + 1.0),
        # Budget Sunday counts like any day; a drill counts the minutes traded
        ("BSE", "2026-01-30 15:30", "2026-02-02 15:30", 2.0),
        ("NSE", "2024-03-01 15:30", "2024-03-04 09:15", 0.28),
        # US half day: whole session in half the time; the weekend the clocks change
        ("US", "2026-11-27 09:30", "2026-11-27 11:15", 0.5),
        ("US", "2026-11-25 16:00", "2026-11-30 16:00", 2.0),
        ("US", "2026-03-06 16:00", "2026-03-09 12:45", 0.5),
    ],
)
def test_sessions_counted_by_hand(exchange, start, end, sessions):
    years = get_clock("sessions", exchange).years_between(at(start, exchange), at(end, exchange))
    assert float(years) * 252 == pytest.approx(sessions, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-03-06 16:00", "2026-03-09 16:00", 3 - 1 / 24),  # an hour is lost on the way
        ("2026-01-01 00:00", "2027-01-01 00:00", 365.0),
        ("2026-07-02 09:30", "2026-07-02 09:31", 1 / 1440),
    ],
)
def test_calendar_days_counted_by_hand(start, end, days):
    years = get_clock("calendar", "US").years_between(at(start, "US"), at(end, "US"))
    assert float(years) * 365 == pytest.approx(days, rel=1e-13, abs=0)


def test_calendar_clock_is_the_same_everywhere():
    t = np.array([at("2026-03-06 16:00"), at("2031-01-01")])
    assert (get_clock("calendar", "NSE").tau(t) == get_clock("calendar", "US").tau(t)).all()


def test_long_dated_option():
    nse = get_calendar("NSE")
    years = get_clock("sessions", "NSE").years_between(at("2026-11-23"), to_epoch_us(nse.expiry_instant("2060-12-30")))
    assert 34 < years < 36.5


# -- laws ---------------------------------------------------------------------------------------

LOW, HIGH = at("2015-01-01", "US"), at("2110-12-31")
instants = st.integers(LOW, HIGH)
near = st.integers(at("2024-01-01"), at("2026-12-31"))
every_clock = pytest.mark.parametrize(
    "clock", [get_clock(name, exchange) for name in CLOCK_NAMES for exchange in EXCHANGES], ids=repr
)


@every_clock
@given(a=instants, b=instants, c=instants)
def test_additive(clock, a, b, c):
    direct = clock.years_between(a, c)
    assert clock.years_between(a, b) + clock.years_between(b, c) == pytest.approx(float(direct), abs=1e-13, rel=1e-14)
    assert clock.years_between(c, a) == -direct
    assert clock.years_between(a, a) == 0.0


@every_clock
@given(a=instants, step=st.integers(0, 10**13))
def test_monotone(clock, a, step):
    b = min(a + step, HIGH)
    assert clock.tau(a) <= clock.tau(b)
    assert clock.years_between(a, b) >= 0.0


@every_clock
@given(a=near, b=near)
def test_tau_and_years_between_agree(clock, a, b):
    by_tau = (clock.tau(b) - clock.tau(a)) / clock.unit
    assert clock.years_between(a, b) == pytest.approx(float(by_tau), abs=5e-15)


@pytest.mark.parametrize("exchange", EXCHANGES)
@given(day=st.dates(date(2015, 1, 2), date(2060, 12, 31)), fraction=st.floats(0, 1))
def test_a_session_takes_its_weight_and_a_night_nothing(exchange, day, fraction):
    calendar, clock = get_calendar(exchange), get_clock("sessions", exchange)
    session = calendar.session_on_or_after(day)
    opened, closed = to_epoch_us(session.open), to_epoch_us(session.close)
    assert clock.years_between(opened, closed) * 252 == pytest.approx(session.weight, rel=1e-15)
    next_open = to_epoch_us(calendar.next_session(session.date).open)
    inside = closed + int(fraction * (next_open - closed))
    assert clock.years_between(closed, inside) == 0.0
    assert clock.tau(inside) == clock.tau(closed) == clock.tau(next_open)


@every_clock
def test_zero_exactly_at_expiry(clock):
    expiry = to_epoch_us(get_calendar(clock.exchange).expiry_instant("2026-11-24"))
    assert clock.years_between(expiry, expiry) == 0.0
    assert clock.years_between(expiry - 1, expiry) > 0.0


@every_clock
def test_arrays_equal_scalars_bit_for_bit(clock):
    t = np.random.default_rng(7).integers(LOW, HIGH, size=(50, 4))
    tau = clock.tau(t)
    assert tau.shape == t.shape
    assert tau.dtype == np.float64
    assert all(tau[i] == clock.tau(int(t[i])) for i in np.ndindex(t.shape))
    years = clock.years_between(t, HIGH)
    assert all(years[i] == clock.years_between(int(t[i]), HIGH) for i in np.ndindex(t.shape))
    assert clock.tau(np.empty(0, dtype=np.int64)).shape == (0,)


# -- the door -----------------------------------------------------------------------------------


def test_identity():
    assert CLOCK_NAMES == ("sessions", "calendar")
    sessions, calendar = (get_clock(name, "nfo") for name in CLOCK_NAMES)
    assert (sessions.name, sessions.exchange, sessions.unit) == ("sessions", "NSE", 252.0)
    assert (calendar.name, calendar.exchange, calendar.unit) == ("calendar", "NSE", 365.0)
    assert get_clock("sessions", "NSE") is sessions
    assert pickle.loads(pickle.dumps(sessions)) is sessions


def test_tau_at():
    clock = get_clock("sessions", "NSE")
    instant = dt.datetime(2026, 8, 3, 12, tzinfo=KOLKATA)
    assert clock.tau_at(instant) == clock.tau(to_epoch_us(instant)) == clock.tau_at(instant.astimezone(dt.UTC))
    assert type(clock.tau_at(instant)) is float
    with pytest.raises(ValueError, match="zone-aware"):
        clock.tau_at(dt.datetime(2026, 8, 3, 12))


def test_unknown_clock_lists_the_known():
    with pytest.raises(ValueError, match=r"clock='trading'.*sessions, calendar"):
        get_clock("trading", "NSE")
    with pytest.raises(CalendarError, match="MCX"):
        get_clock("sessions", "MCX")


@pytest.mark.parametrize(
    ("exchange", "text", "shown"),
    [("NSE", "2014-12-31 23:59", "2014-12-31T18:29"), ("US", "2014-12-31 23:59", "2015-01-01T04:59")],
)
def test_before_the_table(exchange, text, shown):
    clock = get_clock("sessions", exchange)
    bad = to_epoch_us(get_calendar(exchange).localize(text))
    good = at("2026-08-03")
    assert clock.covers(np.array([good, bad])).tolist() == [True, False]
    with pytest.raises(CalendarError, match=rf"{shown}.*UTC \(position 1\).*sessions clock of {exchange}"):
        clock.tau(np.array([good, bad, bad]))
    assert clock.tau(bad + 60_000_000) <= clock.tau(good)


@every_clock
def test_nat_is_named(clock):
    nat = np.array(["2026-08-03", "NaT"], dtype="datetime64[us]").view(np.int64)
    assert clock.covers(nat).tolist() == [True, False]
    with pytest.raises(CalendarError, match=r"NaT \(position 1\)"):
        clock.tau(nat)


@every_clock
def test_after_the_table(clock):
    with pytest.raises(CalendarError, match="2150-01-01"):
        clock.tau(to_epoch_us(dt.datetime(2150, 1, 1, tzinfo=dt.UTC)))


@pytest.mark.parametrize("wrong", [1.5e15, np.array([1.5e15]), np.array([True]), "2026-08-03", [None]])
def test_only_integers_are_instants(wrong):
    with pytest.raises(TypeError, match="int64 microseconds"):
        get_clock("sessions", "NSE").tau(wrong)


@pytest.mark.parametrize("name", CLOCK_NAMES)
def test_time_left_is_the_time_between_whatever_the_zone_and_the_fold(name: str) -> None:
    clock, expires_at = get_clock(name, "US"), dt.datetime(2024, 11, 15, 16, tzinfo=NEW_YORK)
    twice = dt.datetime(2024, 11, 3, 1, 30, tzinfo=NEW_YORK)  # the hour that the change of clocks repeats
    instants = [
        *(twice, twice.replace(fold=1), twice.astimezone(KOLKATA), twice.replace(fold=1).astimezone(KOLKATA)),
        *(dt.datetime(2024, 11, 4, 11, tzinfo=NEW_YORK), dt.datetime(2024, 11, 4, 16, tzinfo=dt.UTC), expires_at),
    ]
    for at in instants * 2:
        assert clock.years_left(at, expires_at) == clock.years_at(to_epoch_us(at), to_epoch_us(expires_at))
