"""Prices from remembered bars: one fetch a day, and a running session that is read again only where it must be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from attribution.errors import BrokerError, CalendarError
from attribution.instruments import Instrument
from attribution.market.bars import bars_question, price_from_bars
from attribution.market.cache import CachedBroker
from attribution.market.final import settled_before
from attribution.market.history import HistoryBroker
from attribution.market.quotes import Bars, BarsOf, CloseOf, Missing, Price, PriceAt, PriceKind, Why
from attribution.symbols import parse_symbol
from brokers.fallback import FallbackBroker
from brokers.recording import RecordingBroker
from tests.market.counting import (
    CALL,
    FRIDAY,
    MONDAY,
    NIFTY,
    TCS,
    CountingBarBroker,
    Time,
    at,
    bars_until,
    outage,
    values,
)


def made(text: str = "2025-01-28 12:00", **settings: Any) -> tuple[CachedBroker, CountingBarBroker, Time]:
    time = Time(text)
    broker = CountingBarBroker(time)
    return CachedBroker(broker, clock=time.clock, wall=time.wall, **settings), broker, time


def price(cache: CachedBroker, text: str, instrument: Instrument = NIFTY) -> Any:
    (answer,) = cache.prices_at([PriceAt(instrument, at(text))])
    return answer


@pytest.mark.parametrize("instrument", [NIFTY, CALL], ids=["the spot path", "the option path"])
def test_one_fetch_of_a_day_serves_every_instant_of_it(instrument: Instrument) -> None:
    cache, broker, time = made()
    whole = bars_until(MONDAY, time.now, 23000.0 if instrument is NIFTY else 100.0)
    instants = [at("2025-01-27 09:15") + timedelta(seconds=37 * i) for i in range(600)] + [at("2025-01-28 09:00")]
    asks = [PriceAt(instrument, instant) for instant in instants]
    expected = [price_from_bars(ask, whole) for ask in asks]
    assert cache.prices_at(asks) == expected
    assert [cache.prices_at([ask])[0] for ask in reversed(asks)] == expected[::-1]
    assert broker.calls == [("minute_bars", [BarsOf(instrument, MONDAY)])]


def test_bars_asked_for_as_such_are_the_same_ones() -> None:
    cache, broker, _ = made()
    price(cache, "2025-01-27 10:00")
    (bars,) = cache.minute_bars([BarsOf(NIFTY, MONDAY)])
    assert isinstance(bars, Bars)
    assert len(broker.calls) == 1


def test_the_morning_and_the_afternoon_are_different_prices() -> None:
    cache, _, _ = made()
    assert price(cache, "2025-01-27 09:20").value != price(cache, "2025-01-27 15:20").value


def test_a_settled_instant_of_the_running_session_is_never_asked_again() -> None:
    cache, broker, time = made("2025-01-27 11:00")
    first = price(cache, "2025-01-27 10:00")
    time.pass_by(3600)
    assert price(cache, "2025-01-27 10:00") == first
    assert price(cache, "2025-01-27 10:30").time == at("2025-01-27 10:30")
    assert len(broker.calls) == 1


def test_a_later_instant_than_the_bars_cover_fetches_them_again() -> None:
    cache, broker, time = made("2025-01-27 11:00")
    price(cache, "2025-01-27 10:00")
    time.pass_by(3600)
    assert price(cache, "2025-01-27 11:30").time == at("2025-01-27 11:30")
    assert len(broker.calls) == 2


def test_but_no_more_often_than_once_in_a_life() -> None:
    cache, broker, time = made("2025-01-27 11:00:30")
    seen = []
    for _ in range(6):
        seen.append(price(cache, f"{time.now:%Y-%m-%d %H:%M:%S}").time)
        time.pass_by(20)
    assert len(broker.calls) == 2
    # Its age can be told: the price's time is the end of the bar that was known.
    assert seen == [at("2025-01-27 11:00")] * 3 + [at("2025-01-27 11:01")] * 3


def test_a_bar_in_progress_when_it_was_read_is_never_taken_for_one_that_ended() -> None:
    # Read at 11:00:30, the bar of 11:00 shows its open as its close; at 11:01:10 the cache still serves those bars.
    cache, _, time = made("2025-01-27 11:00:30")
    before = price(cache, "2025-01-27 11:00:30")
    time.pass_by(40)
    assert price(cache, "2025-01-27 11:01:10") == before
    time.pass_by(20)
    assert price(cache, "2025-01-27 11:01:30").time == at("2025-01-27 11:01")


def test_in_the_first_minute_the_first_open_is_the_price() -> None:
    cache, _, time = made("2025-01-27 09:15:20")
    assert price(cache, "2025-01-27 09:15:20") == Price(23000.0, "counting", PriceKind.BAR, at("2025-01-27 09:15"))
    time.pass_by(50)
    assert price(cache, "2025-01-27 09:16:10").value == 23000.0
    time.pass_by(60)
    assert price(cache, "2025-01-27 09:17").value == 23001.5


def test_the_last_instant_of_a_session_is_read_again_when_the_session_is_over() -> None:
    cache, _, time = made("2025-01-27 15:29:30")
    price(cache, "2025-01-27 15:29:30")
    time.pass_by(90)
    assert price(cache, "2025-01-27 15:30") == Price(23374.5, "counting", PriceKind.BAR, at("2025-01-27 15:30"))


def test_a_whole_session_is_kept_once_it_has_settled() -> None:
    cache, broker, time = made("2025-01-27 15:31")
    for _ in range(3):
        cache.minute_bars([BarsOf(NIFTY, MONDAY)])
        time.pass_by(15 * 60)
    assert len(broker.calls) == 2  # at 15:31, when the last bar may be late, and at 15:46


def test_the_sources_word_does_not_make_a_running_session_complete() -> None:
    cache, broker, time = made("2025-01-27 11:00")
    told = bars_until(MONDAY, time.now)
    assert isinstance(told, Bars)
    broker.scripted[BarsOf(NIFTY, MONDAY)] = Bars(told.bars, told.source, complete=True)
    cache.minute_bars([BarsOf(NIFTY, MONDAY)])
    time.pass_by(60)
    cache.minute_bars([BarsOf(NIFTY, MONDAY)])
    assert len(broker.calls) == 2


def test_incomplete_bars_of_a_past_session_are_read_again() -> None:
    cache, broker, time = made()
    broker.scripted[BarsOf(NIFTY, MONDAY)] = bars_until(MONDAY, at("2025-01-27 11:00"))
    assert price(cache, "2025-01-27 15:30").time == at("2025-01-27 11:00")
    del broker.scripted[BarsOf(NIFTY, MONDAY)]
    time.pass_by(60)
    cache.minute_bars([BarsOf(NIFTY, MONDAY)])
    assert price(cache, "2025-01-27 15:30").time == at("2025-01-27 15:30")


def test_an_illiquid_contract_is_not_asked_for_every_quiet_minute() -> None:
    # Last trade at 10:05; at 11:30 the bars say so. 11:00 was quiet, and stays quiet.
    cache, broker, time = made("2025-01-27 11:30")
    broker.scripted[BarsOf(CALL, MONDAY)] = bars_until(MONDAY, at("2025-01-27 10:06"))
    assert price(cache, "2025-01-27 11:00", CALL).time == at("2025-01-27 10:06")
    time.pass_by(3600)
    price(cache, "2025-01-27 11:00", CALL)
    assert len(broker.calls) == 1
    price(cache, "2025-01-27 11:28", CALL)  # too fresh when the bars were read: a bar may have been late
    assert len(broker.calls) == 2


def test_settled_before() -> None:
    wall = at("2025-01-27 11:00:30")
    running = bars_until(MONDAY, wall)
    assert isinstance(running, Bars)
    assert settled_before(running, wall) == at("2025-01-27 11:01")
    assert settled_before(running, at("2025-01-27 11:00:05")) == at("2025-01-27 11:00")
    assert settled_before(Bars((), "x", complete=False), wall) == at("2025-01-27 10:55:30")


def test_a_session_without_a_trade_is_a_miss_for_a_while() -> None:
    cache, broker, time = made()
    missing = broker.scripted[BarsOf(CALL, MONDAY)] = Missing("not traded")
    assert price(cache, "2025-01-27 10:00", CALL) == missing
    assert cache.minute_bars([BarsOf(CALL, MONDAY)]) == [missing]
    assert len(broker.calls) == 1
    time.pass_by(30)
    price(cache, "2025-01-27 10:00", CALL)
    assert len(broker.calls) == 2


@pytest.mark.parametrize("outcome", ["an absence", "an outage"])
def test_an_outage_does_not_take_away_the_minutes_that_were_known(outcome: str) -> None:
    cache, broker, time = made("2025-01-27 11:00")
    known = price(cache, "2025-01-27 10:00")
    time.pass_by(600)
    question = BarsOf(NIFTY, MONDAY)
    broker.scripted[question] = Missing("gone", Why.FAILED) if outcome == "an absence" else outage()
    early, late = cache.prices_at([PriceAt(NIFTY, at("2025-01-27 10:00")), PriceAt(NIFTY, at("2025-01-27 11:05"))])
    assert early == known
    assert isinstance(late, Missing)
    # While it is remembered, and after it was met a second time.
    for _ in range(2):
        assert price(cache, "2025-01-27 10:00") == known
        time.pass_by(5)
        with pytest.raises(BrokerError) if outcome == "an outage" else _nothing():
            price(cache, "2025-01-27 11:05")
    del broker.scripted[question]
    time.pass_by(5)
    assert isinstance(price(cache, "2025-01-27 11:05"), Price)


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()


def test_of_many_sessions_one_fails_and_the_others_are_served() -> None:
    cache, broker, _ = made()
    broker.scripted[BarsOf(TCS, MONDAY)] = outage("504")
    asks = [PriceAt(i, at(f"2025-01-{d} 10:00")) for i in (NIFTY, TCS, CALL) for d in (24, 27)]
    answers = cache.prices_at(asks)
    assert [value is None for value in values(answers)] == [False, False, False, True, False, False]
    assert answers[3] == Missing("failed: 504", Why.FAILED)
    assert len(broker.calls) == 6
    assert all(len(questions) == 1 for _, questions in broker.calls)


def test_whoever_is_gone_is_not_asked_a_hundred_times() -> None:
    cache, broker, _ = made(max_workers=2)
    broker.fails = outage("timed out")
    asks = [CloseOf(NIFTY, date(2025, 1, 1) + timedelta(days=i)) for i in range(100)]
    with pytest.raises(BrokerError, match="timed out"):
        cache.closes(asks)
    assert len(broker.calls) <= 5 + 2


def test_an_instant_outside_the_calendar_is_the_callers_mistake() -> None:
    cache, broker, _ = made()
    with pytest.raises(CalendarError):
        price(cache, "1890-01-01 10:00")
    assert broker.calls == []


def test_ten_thousand_trades_ask_for_each_symbol_and_session_once() -> None:
    cache, broker, _ = made()
    symbols = [parse_symbol(f"STOCK{i}_STK___") for i in range(10)]
    sessions = [date(2025, 1, day) for day in (20, 21, 22, 23, 24)]
    minutes = [timedelta(seconds=61 * i) for i in range(200)]
    asks = [PriceAt(symbols[i % 10], at(f"{sessions[i // 10 % 5]} 09:16") + minutes[i % 200]) for i in range(10_000)]
    answers = cache.prices_at(asks)
    assert None not in values(answers)
    assert len(broker.calls) == len({bars_question(ask) for ask in asks}) == 50
    assert cache.prices_at(asks) == answers
    assert len(broker.calls) == 50
    assert FRIDAY in sessions


class LateBroker(CountingBarBroker):
    """Shows at noon what others showed a quarter of an hour before."""

    data_delay: Any = timedelta(minutes=15)

    def minute_bars(self, wanted: Sequence[BarsOf]) -> Sequence[Bars | Missing]:
        return [bars_until(ask.session, self.time.now - timedelta(minutes=15)) for ask in wanted]


def late(text: str) -> tuple[CachedBroker, Time]:
    time = Time(text)
    return CachedBroker(LateBroker(time), clock=time.clock, wall=time.wall), time


@pytest.mark.parametrize(
    ("wall", "asked"),
    [
        ("2025-01-27 12:00", "2025-01-27 11:52"),  # the last bar told is of 11:45
        ("2025-01-27 15:40", "2025-01-27 15:30"),  # over for ten minutes, of which the data know nothing
    ],
)
def test_a_late_bar_is_not_kept_for_the_price_of_its_delay(wall: str, asked: str) -> None:
    cache, time = late(wall)
    early = price(cache, asked).time
    time.pass_by(3 * 86400.0)
    final = price(cache, asked)
    assert final.time == min(at(asked), at("2025-01-27 15:30"))
    assert early <= final.time


def test_what_a_late_source_has_seen_is_kept_for_good() -> None:
    cache, time = late("2025-01-27 12:00")
    kept = price(cache, "2025-01-27 11:30")
    assert kept.time == at("2025-01-27 11:30")
    time.pass_by(3600.0)
    assert price(cache, "2025-01-27 11:30") == kept
    assert cache.stats.fetches == 1


def test_a_late_close_is_final_later() -> None:
    time = Time("2025-01-27 15:50")
    broker = LateBroker(time)
    cache = CachedBroker(broker, clock=time.clock, wall=time.wall)
    ask = CloseOf(NIFTY, MONDAY)
    cache.closes([ask])
    time.pass_by(61.0)
    cache.closes([ask])
    time.pass_by(600.0)
    cache.closes([ask])
    time.pass_by(600.0)
    cache.closes([ask])
    assert len(broker.sent("closes")) == 3


@pytest.mark.parametrize(("delay", "error"), [(900.0, TypeError), (None, TypeError), (-timedelta(1), ValueError)])
def test_a_delay_is_a_span_of_time(delay: Any, error: type[Exception]) -> None:
    broker = LateBroker()
    broker.data_delay = delay
    with pytest.raises(error, match="data_delay="):
        CachedBroker(broker)


def test_brokers_made_of_brokers_are_as_late_as_their_latest(tmp_path: Path) -> None:
    late, ontime = LateBroker(), CountingBarBroker()
    quarter = timedelta(minutes=15)
    assert CachedBroker(ontime).data_delay == FallbackBroker(ontime).data_delay == timedelta(0)
    assert FallbackBroker(ontime, late).data_delay == quarter
    for made_of in (CachedBroker, HistoryBroker, RecordingBroker):
        folder = () if made_of is CachedBroker else (tmp_path,)
        assert made_of(late, *folder).data_delay == quarter
