"""The table of window ends, case by case, with instants typed by hand from the exchanges' calendars."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from attribution.calendars import get_calendar
from attribution.errors import CalendarError
from attribution.window import (
    Ending,
    EndKind,
    Phase,
    Window,
    clip_to_expiry,
    end_of_day,
    fill_session,
    trade_window,
)

KOLKATA = ZoneInfo("Asia/Kolkata")
NEW_YORK = ZoneInfo("America/New_York")
NSE = get_calendar("NSE")
US = get_calendar("US")
FILL, CLOSE, MARK, PAYOFF = EndKind.FILL, EndKind.CLOSE, EndKind.MARK, EndKind.PAYOFF


def at(text: str, zone: ZoneInfo = KOLKATA) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def window(
    entry: str, leave: str | None, now: str, *, day: bool = True, exchange: str = "NSE"
) -> tuple[str, EndKind, str, EndKind, Phase]:
    """Start instant and kind, end instant and kind (on the exchange's wall clock), and the phase."""
    calendar = get_calendar(exchange)
    zone = calendar.zone
    found = trade_window(calendar, at(entry, zone), None if leave is None else at(leave, zone), at(now, zone), day=day)
    start, end = (f"{ending.at.astimezone(zone):%Y-%m-%d %H:%M}" for ending in (found.start, found.end))
    return start, found.start.kind, end, found.end.kind, found.phase


LIVE_DAYS = [
    # Monday 27 to Thursday 30 January 2025 are plain sessions, 09:15 to 15:30.
    pytest.param(
        "2025-01-27 10:00",
        "2025-01-27 14:00",
        "2025-01-27 14:00",
        ("2025-01-27 10:00", FILL, "2025-01-27 14:00", FILL),
        id="opened-and-closed-inside",
    ),
    pytest.param(
        "2025-01-27 10:00",
        "2025-01-27 14:00",
        "2025-01-27 18:00",
        ("2025-01-27 10:00", FILL, "2025-01-27 14:00", FILL),
        id="opened-and-closed-inside-seen-in-the-evening",
    ),
    pytest.param(
        "2025-01-27 10:00",
        None,
        "2025-01-27 12:30",
        ("2025-01-27 10:00", FILL, "2025-01-27 12:30", MARK),
        id="opened-inside-still-open-session-running",
    ),
    pytest.param(
        "2025-01-27 10:00",
        None,
        "2025-01-27 16:00",
        ("2025-01-27 10:00", FILL, "2025-01-27 15:30", CLOSE),
        id="opened-inside-still-open-session-over",
    ),
    pytest.param(
        "2025-01-27 10:00",
        None,
        "2025-01-27 15:30",
        ("2025-01-27 10:00", FILL, "2025-01-27 15:30", CLOSE),
        id="the-instant-of-the-close-is-after-the-session",
    ),
    pytest.param(
        "2025-01-27 10:00",
        None,
        "2025-01-28 09:15",
        ("2025-01-27 15:30", CLOSE, "2025-01-28 09:15", MARK),
        id="the-instant-of-the-open-is-in-the-session",
    ),
    pytest.param(
        "2025-01-27 10:00",
        None,
        "2025-01-28 12:30",
        ("2025-01-27 15:30", CLOSE, "2025-01-28 12:30", MARK),
        id="opened-before-still-open-session-running",
    ),
    pytest.param(
        "2025-01-27 10:00",
        None,
        "2025-01-28 20:00",
        ("2025-01-27 15:30", CLOSE, "2025-01-28 15:30", CLOSE),
        id="opened-before-still-open-session-over",
    ),
    pytest.param(
        "2025-01-27 10:00",
        "2025-01-28 11:00",
        "2025-01-28 11:00",
        ("2025-01-27 15:30", CLOSE, "2025-01-28 11:00", FILL),
        id="opened-before-closed-inside",
    ),
    pytest.param(
        "2025-01-27 10:00",
        "2025-01-28 14:00",
        "2025-01-28 11:00",
        ("2025-01-27 15:30", CLOSE, "2025-01-28 11:00", MARK),
        id="an-exit-still-to-come-is-not-known",
    ),
    pytest.param(
        "2025-01-27 10:00",
        "2025-01-29 14:00",
        "2025-01-28 18:00",
        ("2025-01-27 15:30", CLOSE, "2025-01-28 15:30", CLOSE),
        id="an-exit-of-tomorrow-is-not-known",
    ),
    pytest.param(
        "2025-01-24 10:00",
        None,
        "2025-01-27 08:00",
        ("2025-01-24 10:00", FILL, "2025-01-24 15:30", CLOSE),
        id="before-the-open-means-the-last-session-opened",
    ),
    pytest.param(
        "2025-01-23 10:00",
        None,
        "2025-01-26 12:00",
        ("2025-01-23 15:30", CLOSE, "2025-01-24 15:30", CLOSE),
        id="a-sunday-means-friday",
    ),
    pytest.param(
        "2025-02-24 10:00",
        None,
        "2025-02-26 12:00",
        ("2025-02-24 15:30", CLOSE, "2025-02-25 15:30", CLOSE),
        id="a-holiday-means-the-session-before",
    ),
    pytest.param(
        "2025-02-24 10:00",
        None,
        "2025-02-27 12:00",
        ("2025-02-25 15:30", CLOSE, "2025-02-27 12:00", MARK),
        id="the-previous-session-skips-the-holiday",
    ),
    pytest.param(
        "2025-01-30 10:00",
        None,
        "2025-02-01 12:00",
        ("2025-01-31 15:30", CLOSE, "2025-02-01 12:00", MARK),
        id="the-budget-saturday-is-a-session",
    ),
    pytest.param(
        "2025-01-30 10:00",
        None,
        "2025-02-03 12:00",
        ("2025-02-01 15:30", CLOSE, "2025-02-03 12:00", MARK),
        id="monday-starts-at-the-close-of-the-budget-saturday",
    ),
    pytest.param(
        "2024-10-30 10:00",
        None,
        "2024-11-01 12:00",
        ("2024-10-30 15:30", CLOSE, "2024-10-31 15:30", CLOSE),
        id="noon-of-a-muhurat-day-means-the-day-before",
    ),
    pytest.param(
        "2024-10-30 10:00",
        None,
        "2024-11-01 18:30",
        ("2024-10-31 15:30", CLOSE, "2024-11-01 18:30", MARK),
        id="a-muhurat-evening-is-a-session",
    ),
    pytest.param(
        "2024-10-30 10:00",
        None,
        "2024-11-04 12:00",
        ("2024-11-01 19:00", CLOSE, "2024-11-04 12:00", MARK),
        id="monday-starts-at-the-close-of-muhurat",
    ),
    pytest.param(
        "2026-07-31 10:00",
        None,
        "2026-07-31 15:35",
        ("2026-07-31 10:00", FILL, "2026-07-31 15:30", CLOSE),
        id="the-last-session-that-ends-at-half-past-three",
    ),
    pytest.param(
        "2026-07-31 10:00",
        None,
        "2026-08-03 15:35",
        ("2026-07-31 15:30", CLOSE, "2026-08-03 15:35", MARK),
        id="the-first-session-that-runs-to-twenty-to-four",
    ),
    pytest.param(
        "2026-07-31 10:00",
        None,
        "2026-08-03 15:40",
        ("2026-07-31 15:30", CLOSE, "2026-08-03 15:40", CLOSE),
        id="and-closes-there",
    ),
    # Late and early records stay on their own date.
    pytest.param(
        "2025-01-27 10:00",
        "2025-01-28 15:47",
        "2025-01-28 15:47",
        ("2025-01-27 15:30", CLOSE, "2025-01-28 15:47", FILL),
        id="an-exit-recorded-after-the-close-stays-on-its-day",
    ),
    pytest.param(
        "2025-01-27 10:00",
        "2025-01-28 09:08",
        "2025-01-28 12:00",
        ("2025-01-27 15:30", CLOSE, "2025-01-28 09:08", FILL),
        id="a-pre-open-exit-stays-on-its-day",
    ),
    pytest.param(
        "2025-01-28 09:08",
        None,
        "2025-01-28 12:00",
        ("2025-01-28 09:08", FILL, "2025-01-28 12:00", MARK),
        id="a-pre-open-entry-stays-on-its-day",
    ),
    pytest.param(
        "2025-01-25 11:00",
        None,
        "2025-01-27 12:00",
        ("2025-01-25 11:00", FILL, "2025-01-27 12:00", MARK),
        id="an-entry-on-a-saturday-belongs-to-monday",
    ),
    pytest.param(
        "2025-01-24 10:00",
        "2025-01-25 11:00",
        "2025-01-27 12:00",
        ("2025-01-24 15:30", CLOSE, "2025-01-25 11:00", FILL),
        id="an-exit-on-a-saturday-belongs-to-monday",
    ),
    pytest.param(
        "2025-01-27 15:47",
        "2025-01-28 11:00",
        "2025-01-28 11:00",
        ("2025-01-27 15:30", CLOSE, "2025-01-28 11:00", FILL),
        id="a-late-entry-is-carried-from-the-close-of-its-day",
    ),
]


@pytest.mark.parametrize(("entry", "leave", "now", "expected"), LIVE_DAYS)
def test_one_day(entry: str, leave: str | None, now: str, expected: tuple[str, EndKind, str, EndKind]) -> None:
    assert window(entry, leave, now) == (*expected, Phase.LIVE)


def test_a_late_entry_ends_its_day_at_the_close() -> None:
    # Tomorrow starts at this close, so today must end at it: else the days do not tile the trade's life.
    start, start_kind, _, end_kind, phase = window("2025-01-27 15:47", None, "2025-01-27 18:00")
    assert (start, start_kind, end_kind, phase) == ("2025-01-27 15:47", FILL, CLOSE, Phase.LIVE)


WHOLE_LIVES = [
    pytest.param(
        "2025-01-24 10:00",
        "2025-01-28 11:00",
        "2025-01-28 11:00",
        ("2025-01-24 10:00", FILL, "2025-01-28 11:00", FILL),
        id="from-fill-to-fill",
    ),
    pytest.param(
        "2025-01-24 10:00",
        "2025-01-28 11:00",
        "2025-02-03 12:00",
        ("2025-01-24 10:00", FILL, "2025-01-28 11:00", FILL),
        id="ends-at-the-exit-however-late-it-is-asked",
    ),
    pytest.param(
        "2025-01-24 10:00",
        "2025-01-28 11:00",
        "2025-01-27 12:00",
        ("2025-01-24 10:00", FILL, "2025-01-27 12:00", MARK),
        id="before-the-exit-the-trade-counts-as-open",
    ),
    pytest.param(
        "2025-01-24 10:00",
        None,
        "2025-01-26 12:00",
        ("2025-01-24 10:00", FILL, "2025-01-24 15:30", CLOSE),
        id="open-on-a-sunday-ends-at-the-close-of-friday",
    ),
    pytest.param(
        "2025-01-24 10:00",
        "2025-01-28 09:08",
        "2025-01-28 09:08",
        ("2025-01-24 10:00", FILL, "2025-01-28 09:08", FILL),
        id="a-pre-open-exit-is-an-exit",
    ),
]


@pytest.mark.parametrize(("entry", "leave", "now", "expected"), WHOLE_LIVES)
def test_whole_life(entry: str, leave: str | None, now: str, expected: tuple[str, EndKind, str, EndKind]) -> None:
    assert window(entry, leave, now, day=False) == (*expected, Phase.LIVE)


@pytest.mark.parametrize("day", [True, False])
def test_a_trade_that_opens_later_is_not_open(day: bool) -> None:
    assert window("2025-01-28 10:00", None, "2025-01-28 09:59", day=day)[4] is Phase.NOT_OPEN
    assert window("2025-01-28 10:00", None, "2025-01-27 18:00", day=day)[4] is Phase.NOT_OPEN


def test_a_weekend_entry_is_not_open_in_the_session_before() -> None:
    # Saturday's fill belongs to Monday; on Sunday the session that is explained is Friday's.
    assert window("2025-01-25 11:00", None, "2025-01-26 12:00")[4] is Phase.NOT_OPEN


def test_the_instant_of_the_entry_is_open() -> None:
    assert window("2025-01-28 10:00", None, "2025-01-28 10:00") == (
        "2025-01-28 10:00",
        FILL,
        "2025-01-28 10:00",
        MARK,
        Phase.LIVE,
    )


@pytest.mark.parametrize("now", ["2025-01-28 09:15", "2025-01-28 20:00", "2025-02-03 12:00"])
def test_a_trade_that_ended_on_an_earlier_day_is_closed(now: str) -> None:
    assert window("2025-01-24 10:00", "2025-01-27 15:47", now)[4] is Phase.CLOSED


def test_a_trade_that_ended_yesterday_is_alive_until_today_opens() -> None:
    assert window("2025-01-24 10:00", "2025-01-27 14:00", "2025-01-28 09:14")[4] is Phase.LIVE


def test_a_whole_life_is_never_closed() -> None:
    assert window("2025-01-24 10:00", "2025-01-27 14:00", "2025-03-03 12:00", day=False)[4] is Phase.LIVE


def test_us_sessions_run_on_new_york_time() -> None:
    assert window("2024-11-26 10:00", None, "2024-11-27 12:00", exchange="US") == (
        "2024-11-26 16:00",
        CLOSE,
        "2024-11-27 12:00",
        MARK,
        Phase.LIVE,
    )


def test_us_thanksgiving_friday_is_a_half_day() -> None:
    assert window("2024-11-26 10:00", None, "2024-11-29 14:00", exchange="US") == (
        "2024-11-27 16:00",
        CLOSE,
        "2024-11-29 13:00",
        CLOSE,
        Phase.LIVE,
    )


def test_an_instant_of_another_zone_is_read_on_the_exchanges_clock() -> None:
    # 04:45 UTC is 10:15 in Kolkata: the session of the 28th is running.
    now = datetime(2025, 1, 28, 4, 45, tzinfo=ZoneInfo("UTC"))
    found = trade_window(NSE, at("2025-01-27 10:00"), None, now, day=True)
    assert (found.start.at, found.end.at) == (at("2025-01-27 15:30"), at("2025-01-28 10:15"))


def test_the_ends_name_their_sessions() -> None:
    found = trade_window(NSE, at("2025-02-24 10:00"), None, at("2025-02-27 18:00"), day=True)
    assert (found.start.session, found.end.session) == (date(2025, 2, 25), date(2025, 2, 27))


def test_before_the_first_known_session_is_an_error() -> None:
    with pytest.raises(CalendarError, match="2015-01-01"):
        trade_window(NSE, at("2014-12-30 10:00"), None, at("2014-12-31 12:00"), day=True)


@pytest.mark.parametrize(
    ("instant", "session"),
    [
        ("2025-01-27 10:00", date(2025, 1, 27)),
        ("2025-01-27 00:00", date(2025, 1, 27)),
        ("2025-01-27 23:59", date(2025, 1, 27)),
        ("2025-01-26 12:00", date(2025, 1, 27)),
        ("2025-02-26 12:00", date(2025, 2, 27)),
        ("2025-02-01 16:00", date(2025, 2, 1)),
        ("2024-11-01 10:00", date(2024, 11, 1)),
        ("2024-11-02 10:00", date(2024, 11, 4)),
    ],
)
def test_a_fill_belongs_to_the_session_of_its_date_else_the_next(instant: str, session: date) -> None:
    assert fill_session(NSE, at(instant)).date == session


def test_the_date_of_a_fill_is_that_of_the_exchange() -> None:
    # 19:00 UTC on Monday is 00:30 on Tuesday in Kolkata.
    assert fill_session(NSE, datetime(2025, 1, 27, 19, 0, tzinfo=ZoneInfo("UTC"))).date == date(2025, 1, 28)


def test_the_end_of_a_day_is_after_its_latest_record_and_before_the_next_day() -> None:
    session = NSE.session_on(date(2025, 1, 27))
    assert session is not None
    assert end_of_day(session) == at("2025-01-27 23:59:59.999999")


# Legs that expire. The monthly NIFTY contracts of January 2025 expire on Thursday 30th, 15:30.

EXPIRY = at("2025-01-30 15:30")


def clipped(entry: str, leave: str | None, now: str, *, day: bool = True, expires_at: datetime = EXPIRY) -> Window:
    whole = trade_window(NSE, at(entry), None if leave is None else at(leave), at(now), day=day)
    return clip_to_expiry(whole, expires_at)


def test_before_the_expiry_nothing_is_clipped() -> None:
    found = clipped("2025-01-29 10:00", None, "2025-01-30 15:29")
    assert (found.end.at, found.end.kind, found.phase) == (at("2025-01-30 15:29"), MARK, Phase.LIVE)


@pytest.mark.parametrize("now", ["2025-01-30 15:30", "2025-01-30 18:00", "2025-01-31 08:00"])
def test_the_close_of_the_expiry_day_is_the_payoff(now: str) -> None:
    found = clipped("2025-01-29 10:00", None, now)
    assert found.start == Ending(at("2025-01-29 15:30"), CLOSE, date(2025, 1, 29))
    assert found.end == Ending(EXPIRY, PAYOFF, date(2025, 1, 30))


def test_a_life_that_runs_past_the_expiry_ends_there() -> None:
    found = clipped("2025-01-29 10:00", "2025-02-03 11:00", "2025-02-03 11:00", day=False)
    assert (found.start.at, found.start.kind) == (at("2025-01-29 10:00"), FILL)
    assert found.end == Ending(EXPIRY, PAYOFF, date(2025, 1, 30))


def test_a_fill_before_the_expiry_stays_a_fill() -> None:
    found = clipped("2025-01-29 10:00", "2025-01-30 15:29", "2025-01-30 15:29")
    assert (found.end.at, found.end.kind) == (at("2025-01-30 15:29"), FILL)


@pytest.mark.parametrize("leave", ["2025-01-30 15:30", "2025-01-30 15:47", "2025-01-30 23:00"])
@pytest.mark.parametrize("day", [True, False])
def test_a_fill_recorded_late_on_the_expiry_day_stays_a_fill(leave: str, day: bool) -> None:
    found = clipped("2025-01-29 10:00", leave, leave, day=day)
    assert (found.end.at, found.end.kind, found.phase) == (at(leave), FILL, Phase.LIVE)


def test_an_entry_recorded_late_on_the_expiry_day_ends_at_the_payoff() -> None:
    found = clipped("2025-01-30 15:47", None, "2025-01-30 18:00")
    assert (found.start.at, found.start.kind) == (at("2025-01-30 15:47"), FILL)
    assert (found.end.kind, found.end.session, found.phase) == (PAYOFF, date(2025, 1, 30), Phase.LIVE)
    assert found.end.at >= found.start.at


@pytest.mark.parametrize("now", ["2025-01-31 09:15", "2025-01-31 18:00", "2025-02-03 12:00"])
def test_from_the_next_open_on_the_leg_is_expired(now: str) -> None:
    assert clipped("2025-01-29 10:00", None, now).phase is Phase.EXPIRED
    assert clipped("2025-01-30 15:47", None, now).phase is Phase.EXPIRED


def test_a_contract_settled_at_the_open_pays_off_there() -> None:
    # SPX monthly of 17 January 2025: the settlement value is struck at 09:30 in New York.
    whole = trade_window(US, at("2025-01-16 10:00", NEW_YORK), None, at("2025-01-17 11:00", NEW_YORK), day=True)
    found = clip_to_expiry(whole, at("2025-01-17 09:30", NEW_YORK))
    assert found.start.at == at("2025-01-16 16:00", NEW_YORK)
    assert found.end == Ending(at("2025-01-17 09:30", NEW_YORK), PAYOFF, date(2025, 1, 17))


@pytest.mark.parametrize(
    ("entry", "leave", "now", "phase"),
    [
        ("2025-01-31 10:00", None, "2025-01-30 12:00", Phase.NOT_OPEN),
        ("2025-01-28 10:00", "2025-01-28 11:00", "2025-01-31 12:00", Phase.CLOSED),
    ],
)
def test_what_was_not_alive_stays_so(entry: str, leave: str | None, now: str, phase: Phase) -> None:
    assert clipped(entry, leave, now).phase is phase


def test_a_window_tells_its_instants_in_the_zone_they_came_in() -> None:
    entry, leave = at("2025-01-27 10:00"), at("2025-01-27 14:00")
    for zone in (KOLKATA, NEW_YORK, KOLKATA):
        times = [instant.astimezone(zone) for instant in (entry, leave)]
        found = trade_window(NSE, times[0], times[1], times[1], day=False)
        assert (found.start.at, found.end.at) == (entry, leave)
        assert {found.start.at.tzinfo, found.end.at.tzinfo} == {zone}


def test_the_two_passes_of_a_repeated_hour_are_two_windows() -> None:
    first = at("2024-11-03 01:30", NEW_YORK)
    second, leave = first.replace(fold=1), at("2024-11-04 10:00", NEW_YORK)
    folds = [trade_window(US, entry, leave, leave, day=False).start.at.fold for entry in (first, second, first)]
    assert folds == [0, 1, 0]
