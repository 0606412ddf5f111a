"""The cache: what it remembers, for how long, and what it never serves."""

from __future__ import annotations

import gc
import math
import weakref
from contextlib import nullcontext
from datetime import date, timedelta
from typing import Any

import pytest

from attribution.errors import BrokerError
from attribution.market.cache import CachedBarBroker, CachedBroker, CacheStats, cached, clear_caches
from attribution.market.quotes import BarsOf, CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf, Why
from attribution.market.source import BarSource, Broker
from tests.market import test_contract as plain
from tests.market.counting import (
    BANKNIFTY,
    CALL,
    FRIDAY,
    MONDAY,
    NIFTY,
    SUNDAY,
    TCS,
    CountingBarBroker,
    CountingBroker,
    Time,
    at,
    outage,
    values,
)
from tests.market.recorded import RecordedBroker

TEN, ELEVEN = at("2025-01-27 10:00"), at("2025-01-27 11:00")
CALL_TEXT = "NIFTY_OPT_20250130_CALL_23500"


def made(
    text: str = "2025-01-28 12:00", *, bars: bool = False, **settings: Any
) -> tuple[CachedBroker, CountingBroker, Time]:
    """A cache around a counting broker, with clocks that stand at ``text``."""
    time = Time(text)
    broker = (CountingBarBroker if bars else CountingBroker)(time)
    return CachedBroker(broker, clock=time.clock, wall=time.wall, **settings), broker, time


class TestPricesThroughTheCache(plain.PricesAtInstants):
    def make(self) -> CachedBroker:
        return CachedBroker(
            RecordedBroker(prices={("NIFTY_IND___", plain.TEN): 23400.0, ("NIFTY_IND___", plain.CLOSE): 23350.5})
        )


class TestClosesThroughTheCache(plain.SessionCloses):
    def make(self) -> CachedBroker:
        return CachedBroker(RecordedBroker(closes={("NIFTY_IND___", MONDAY): 23350.5}))


class TestPricesFromBarsThroughTheCache(plain.PricesAtInstants):
    known = (
        (PriceAt(NIFTY, at("2025-01-27 09:15:30")), 23000.0, PriceKind.BAR),
        (PriceAt(NIFTY, at("2025-01-27 10:00")), 23044.5, PriceKind.BAR),
        (PriceAt(NIFTY, at("2025-01-27 10:00:59")), 23044.5, PriceKind.BAR),
        (PriceAt(NIFTY, at("2025-01-27 20:00")), 23374.5, PriceKind.BAR),
    )
    unknown = (PriceAt(NIFTY, at("2025-01-29 10:00")),)

    def make(self) -> CachedBroker:
        return made("2025-01-28 12:00", bars=True)[0]


def test_it_is_a_broker_and_a_bar_source_where_the_inner_one_is() -> None:
    assert isinstance(CachedBroker(CountingBroker()), Broker)
    assert not isinstance(CachedBroker(CountingBroker()), BarSource)
    assert isinstance(CachedBroker(CountingBarBroker()), BarSource)
    assert type(CachedBroker(CountingBarBroker())) is CachedBarBroker
    with pytest.raises(TypeError, match="knows no minute bars"):
        CachedBarBroker(CountingBroker())


def test_what_is_no_broker_is_refused_by_name_of_what_it_lacks() -> None:
    with pytest.raises(TypeError, match="lacks name, prices_at, closes, quotes, fills"):
        CachedBroker(object())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["quote_life", "miss_life", "failure_life", "settling"])
def test_a_negative_life_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not less than 0"):
        CachedBroker(CountingBroker(), **{name: timedelta(seconds=-1)})


def test_bounds_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="max_entries=-1"):
        CachedBroker(CountingBroker(), max_entries=-1)
    with pytest.raises(ValueError, match="max_workers=0"):
        CachedBroker(CountingBroker(), max_workers=0)


# ---------------------------------------------------------------------------------------------- what never changes


def test_a_past_instant_is_asked_once_and_for_ever() -> None:
    cache, broker, time = made()
    for _ in range(3):
        assert values(cache.prices_at([PriceAt(NIFTY, TEN)])) == [10.0]
        time.pass_by(86_400 * 400)
    assert broker.calls == [("prices_at", [PriceAt(NIFTY, TEN)])]


def test_a_past_close_is_asked_once_and_for_ever() -> None:
    cache, broker, time = made()
    for _ in range(3):
        assert values(cache.closes([CloseOf(NIFTY, MONDAY)])) == [27.0]
        time.pass_by(86_400 * 400)
    assert broker.calls == [("closes", [CloseOf(NIFTY, MONDAY)])]


def test_every_input_of_a_question_is_in_its_key() -> None:
    cache, broker, _ = made()
    prices = [PriceAt(NIFTY, TEN), PriceAt(NIFTY, ELEVEN), PriceAt(BANKNIFTY, TEN)]
    fills = [
        FillOf(CALL, CALL_TEXT, "entry", TEN, ("1",)),
        FillOf(CALL, CALL_TEXT, "exit", TEN, ("1",)),
        FillOf(CALL, CALL_TEXT, "entry", ELEVEN, ("1",)),
        FillOf(CALL, CALL_TEXT, "entry", TEN, ("1", "2")),
        FillOf(CALL, CALL_TEXT, "entry", TEN),
        FillOf(CALL, "as I write it", "entry", TEN, ("1",)),
        FillOf(TCS, CALL_TEXT, "entry", TEN, ("1",)),
    ]
    closes = [CloseOf(NIFTY, MONDAY), CloseOf(NIFTY, FRIDAY), CloseOf(CALL, MONDAY), CloseOf(CALL, MONDAY, "mine")]
    for _ in range(2):
        cache.prices_at(prices)
        cache.fills(fills)
        cache.closes(closes)
    assert broker.sent("prices_at") == prices
    assert broker.sent("fills") == fills
    assert set(broker.sent("closes")) == set(closes)
    assert len(broker.sent("closes")) == len(closes)


def test_an_instant_is_the_same_in_any_zone_and_a_close_however_its_canonical_symbol_is_told() -> None:
    from datetime import UTC

    cache, broker, _ = made()
    cache.prices_at([PriceAt(NIFTY, TEN)])
    cache.prices_at([PriceAt(NIFTY, TEN.astimezone(UTC))])
    cache.closes([CloseOf(CALL, MONDAY, CALL_TEXT)])
    cache.closes([CloseOf(CALL, MONDAY)])
    assert len(broker.calls) == 2


# ------------------------------------------------------------------------------------------- what can still change


def test_a_current_quote_lives_for_a_minute() -> None:
    cache, broker, time = made("2025-01-28 12:00")
    first = cache.quotes([QuoteOf(NIFTY, time.now)])
    time.pass_by(59)
    assert cache.quotes([QuoteOf(NIFTY, time.now)]) == first
    time.pass_by(1)
    assert cache.quotes([QuoteOf(NIFTY, time.now)]) != first
    assert len(broker.calls) == 2


def test_a_quote_is_never_served_to_somebody_whose_clock_is_before_it() -> None:
    # A replay looks at 11:00 after it looked at 12:00; neither clock of the cache has moved.
    cache, broker, _ = made()
    noon = at("2025-01-27 12:00")
    for now in (noon, noon - timedelta(seconds=1), noon - timedelta(hours=1), noon):
        cache.quotes([QuoteOf(NIFTY, now)])
    assert len(broker.calls) == 4
    # Nor to somebody for whom a minute has gone by.
    cache.quotes([QuoteOf(NIFTY, noon + timedelta(seconds=59))])
    assert len(broker.calls) == 4
    cache.quotes([QuoteOf(NIFTY, noon + timedelta(seconds=60))])
    assert len(broker.calls) == 5


def test_a_batch_of_quotes_at_different_instants_gets_an_answer_for_each() -> None:
    cache, broker, _ = made()
    asks = [QuoteOf(NIFTY, TEN), QuoteOf(NIFTY, ELEVEN), QuoteOf(NIFTY, TEN + timedelta(seconds=1))]
    answers = cache.quotes(asks)
    assert len(answers) == 3
    assert answers[0] == answers[2] != answers[1]
    assert [question.now for question in broker.sent("quotes")] == [TEN, ELEVEN]


def test_no_life_means_no_memory_of_quotes() -> None:
    cache, broker, time = made(quote_life=timedelta(0))
    asks = [QuoteOf(NIFTY, time.now)]
    cache.quotes(asks)
    cache.quotes(asks)
    assert len(broker.calls) == 2


def test_the_close_of_a_running_session_is_not_remembered_as_its_close() -> None:
    cache, broker, time = made("2025-01-27 15:29:50")
    ask = CloseOf(NIFTY, MONDAY)
    broker.scripted[ask] = Price(23400.0, "counting", PriceKind.CLOSE)  # what a vendor shows: the running price
    assert values(cache.closes([ask])) == [23400.0]
    broker.scripted[ask] = Price(23350.5, "counting", PriceKind.CLOSE)
    time.pass_by(11)  # 15:30:01
    assert values(cache.closes([ask])) == [23350.5]


def test_a_close_is_final_only_once_the_session_has_settled() -> None:
    cache, broker, time = made("2025-01-27 15:31")
    ask = CloseOf(NIFTY, MONDAY)
    cache.closes([ask])
    time.pass_by(30)
    cache.closes([ask])
    assert len(broker.calls) == 1
    time.pass_by(30)
    broker.scripted[ask] = Price(23351.0, "counting", PriceKind.CLOSE)  # the official one comes late
    assert values(cache.closes([ask])) == [23351.0]
    time.pass_by(14 * 60)  # 15:46
    cache.closes([ask])
    assert len(broker.calls) == 3
    time.pass_by(86_400)
    cache.closes([ask])
    assert len(broker.calls) == 3


def test_a_mark_in_the_place_of_a_close_is_a_stopgap() -> None:
    cache, broker, time = made()
    ask = CloseOf(CALL, MONDAY)
    broker.scripted[ask] = Price(12.0, "counting", PriceKind.LAST)
    cache.closes([ask])
    time.pass_by(60)
    cache.closes([ask])
    assert len(broker.calls) == 2


def test_a_date_without_a_session_is_past_once_it_is_over() -> None:
    cache, broker, time = made("2025-01-26 23:59:59")
    ask = CloseOf(NIFTY, SUNDAY)
    cache.closes([ask])
    cache.closes([ask])
    assert len(broker.calls) == 2
    time.pass_by(1)
    cache.closes([ask])
    time.pass_by(86_400)
    cache.closes([ask])
    assert len(broker.calls) == 3


def test_an_instant_of_the_running_session_is_kept_only_if_its_bar_was_over() -> None:
    cache, broker, time = made("2025-01-27 10:02")
    over, partial, given = PriceAt(NIFTY, TEN), PriceAt(NIFTY, at("2025-01-27 10:02")), PriceAt(BANKNIFTY, TEN)
    broker.scripted[over] = Price(1.0, "counting", PriceKind.BAR, TEN)
    broker.scripted[partial] = Price(2.0, "counting", PriceKind.BAR, at("2025-01-27 10:02"))  # ended this very second
    cache.prices_at([over, partial, given])
    time.pass_by(60)
    cache.prices_at([over, partial, given])
    assert broker.calls[1][1] == [partial, given]


def test_a_bar_that_may_be_late_is_not_taken_for_a_minute_without_trade() -> None:
    # At 10:00:20 the vendor tells the bar that ended at 09:59: the one that ended at 10:00 may still come.
    cache, broker, time = made("2025-01-27 10:00:20")
    ask = PriceAt(NIFTY, TEN)
    broker.scripted[ask] = Price(1.0, "counting", PriceKind.BAR, at("2025-01-27 09:59"))
    cache.prices_at([ask])
    time.pass_by(60)
    cache.prices_at([ask])
    assert len(broker.calls) == 2
    time.pass_by(300)  # asked again at 10:06:20, there was no trade in that minute
    cache.prices_at([ask])
    time.pass_by(3600)
    cache.prices_at([ask])
    assert len(broker.calls) == 3


def test_fills_of_the_running_session_may_still_grow() -> None:
    cache, broker, time = made("2025-01-27 12:00")
    ask = FillOf(CALL, CALL_TEXT, "entry", TEN, ("1", "2"))
    cache.fills([ask])
    time.pass_by(60)
    cache.fills([ask])
    assert len(broker.calls) == 2
    time.pass_by(6 * 3600)
    cache.fills([ask])
    time.pass_by(86_400)
    cache.fills([ask])
    assert len(broker.calls) == 3


def test_a_corrected_price_is_served_once_the_old_one_is_too_old() -> None:
    # Nothing derived from a price is remembered here, so the vol that is solved from it is corrected with it.
    cache, broker, time = made()
    ask = QuoteOf(CALL, time.now)
    broker.scripted[ask] = Price(480.0, "counting", PriceKind.MARK)
    cache.quotes([ask])
    broker.scripted[ask] = Price(408.0, "counting", PriceKind.MARK)
    assert values(cache.quotes([ask])) == [480.0]
    time.pass_by(60)
    assert values(cache.quotes([ask])) == [408.0]


# ------------------------------------------------------------------------------------------------ absence and outage


@pytest.mark.parametrize("method", ["prices_at", "closes", "quotes", "fills"])
def test_a_miss_is_remembered_briefly_with_its_reason(method: str) -> None:
    cache, broker, time = made()
    ask = {
        "prices_at": PriceAt(NIFTY, TEN),
        "closes": CloseOf(NIFTY, MONDAY),
        "quotes": QuoteOf(NIFTY, time.now),
        "fills": FillOf(CALL, CALL_TEXT, "entry", TEN),
    }[method]
    missing = broker.scripted[ask] = Missing("the vendor has not got it", Why.UNKNOWN)
    assert getattr(cache, method)([ask]) == [missing]
    time.pass_by(29)
    del broker.scripted[ask]
    assert getattr(cache, method)([ask]) == [missing]
    time.pass_by(1)
    assert isinstance(getattr(cache, method)([ask])[0], Price)
    assert len(broker.calls) == 2


def test_an_outage_is_remembered_for_seconds_only() -> None:
    cache, broker, time = made()
    broker.fails = outage()
    for _ in range(3):
        with pytest.raises(BrokerError, match="connection refused"):
            cache.prices_at([PriceAt(NIFTY, TEN)])
    assert len(broker.calls) == 1
    time.pass_by(5)
    broker.fails = None
    assert values(cache.prices_at([PriceAt(NIFTY, TEN)])) == [10.0]


def test_a_remembered_outage_holds_on_to_nobodys_data() -> None:
    class TokenEndedError(BrokerError):
        pass

    class Data:
        pass

    cache, broker, _ = made()
    broker.fails = TokenEndedError("log in again")

    def ask() -> weakref.ref[Data]:
        data = Data()
        with pytest.raises(TokenEndedError, match="log in again"):
            cache.prices_at([PriceAt(NIFTY, TEN)])
        return weakref.ref(data)

    seen = [ask(), ask()]
    broker.fails = None
    gc.collect()
    assert [ref() for ref in seen] == [None, None]
    assert len(broker.calls) == 1


def test_an_error_that_cannot_be_copied_is_remembered_by_its_text() -> None:
    class OddError(BrokerError):
        def __init__(self, code: int, text: str) -> None:
            super().__init__(f"{code}: {text}")

    cache, broker, _ = made()
    broker.fails = OddError(502, "bad gateway")
    for _ in range(2):
        with pytest.raises(BrokerError, match="502: bad gateway"):
            cache.prices_at([PriceAt(NIFTY, TEN)])


def test_with_no_life_for_failures_every_question_goes_out() -> None:
    cache, broker, _ = made(failure_life=timedelta(0))
    broker.fails = outage()
    for _ in range(2):
        with pytest.raises(BrokerError):
            cache.closes([CloseOf(NIFTY, MONDAY)])
    assert len(broker.calls) == 2


def test_a_failed_answer_lives_as_short_as_an_outage() -> None:
    cache, broker, time = made()
    ask = PriceAt(NIFTY, TEN)
    broker.scripted[ask] = Missing("failed: timed out", Why.FAILED)
    cache.prices_at([ask])
    time.pass_by(5)
    cache.prices_at([ask])
    assert len(broker.calls) == 2


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_price_is_not_kept(value: float) -> None:
    cache, broker, time = made()
    ask = PriceAt(NIFTY, TEN)
    broker.scripted[ask] = Price(value, "counting", PriceKind.GIVEN)
    cache.prices_at([ask])
    time.pass_by(5)
    del broker.scripted[ask]
    assert values(cache.prices_at([ask])) == [10.0]


def test_an_outage_takes_no_known_price_with_it() -> None:
    cache, broker, _ = made()
    cache.prices_at([PriceAt(NIFTY, TEN)])
    broker.fails = outage()
    known, unknown = cache.prices_at([PriceAt(NIFTY, TEN), PriceAt(NIFTY, ELEVEN)])
    assert known.value == 10.0
    assert unknown == Missing("failed: connection refused", Why.FAILED)


def test_too_few_answers_are_an_outage_not_a_mix_up() -> None:
    cache, broker, time = made()
    broker.prices_at = lambda wanted: []  # type: ignore[method-assign]
    (answer,) = cache.prices_at([PriceAt(NIFTY, TEN)])
    assert answer == Missing("failed: 0 answers to 1 questions", Why.FAILED)
    time.pass_by(5)
    del broker.prices_at
    assert values(cache.prices_at([PriceAt(NIFTY, TEN)])) == [10.0]


def test_a_bug_of_the_broker_is_raised_and_not_remembered() -> None:
    cache, broker, _ = made()
    broker.fails = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        cache.prices_at([PriceAt(NIFTY, TEN)])
    broker.fails = None
    assert values(cache.prices_at([PriceAt(NIFTY, TEN)])) == [10.0]


def test_an_unknown_exchange_is_kept_for_no_longer_than_a_quote() -> None:
    from attribution.instruments import Equity

    cache, broker, time = made()
    ask = CloseOf(Equity("ABC", "NOWHERE"), MONDAY)
    cache.closes([ask])
    time.pass_by(60)
    cache.closes([ask])
    assert len(broker.calls) == 2


# -------------------------------------------------------------------------------------------------------- batches


def test_a_batch_sends_one_call_with_only_the_unknown_distinct_questions() -> None:
    cache, broker, _ = made()
    cache.prices_at([PriceAt(NIFTY, TEN)])
    asks = [PriceAt(NIFTY, ELEVEN), PriceAt(NIFTY, TEN), PriceAt(TCS, TEN), PriceAt(NIFTY, ELEVEN)]
    assert values(cache.prices_at(asks)) == [11.0, 10.0, 10.0, 11.0]
    assert broker.calls[1:] == [("prices_at", [PriceAt(NIFTY, ELEVEN), PriceAt(TCS, TEN)])]


def test_with_one_worker_closes_go_as_one_call_too() -> None:
    cache, broker, _ = made(max_workers=1)
    asks = [CloseOf(NIFTY, MONDAY), CloseOf(TCS, MONDAY), CloseOf(NIFTY, MONDAY)]
    cache.closes(asks)
    assert broker.calls == [("closes", asks[:2])]


def test_a_broker_that_asks_in_bulk_gets_whole_batches() -> None:
    broker = CountingBroker()
    broker.asks_in_bulk = True  # type: ignore[attr-defined]
    CachedBroker(broker).closes([CloseOf(NIFTY, MONDAY), CloseOf(TCS, MONDAY)])
    assert len(broker.calls) == 1


def test_no_question_costs_nothing() -> None:
    cache, broker, _ = made()
    assert cache.prices_at([]) == cache.closes([]) == cache.quotes([]) == cache.fills([]) == []
    assert broker.calls == []


# -------------------------------------------------------------------------------------------------- bounded memory


def test_the_longest_unused_go_first() -> None:
    cache, broker, _ = made(max_entries=2)
    one, two, three = (PriceAt(instrument, TEN) for instrument in (NIFTY, BANKNIFTY, TCS))
    for ask in (one, two, one, three, one, two):
        cache.prices_at([ask])
    assert broker.sent("prices_at") == [one, two, three, two]
    assert (cache.stats.evictions, cache.stats.entries) == (2, 2)


def test_bars_count_by_their_number() -> None:
    cache, broker, _ = made(bars=True, max_entries=800)
    for session in (MONDAY, FRIDAY, date(2025, 1, 23)):  # 375 bars each
        cache.minute_bars([BarsOf(NIFTY, session)])
    assert (cache.stats.entries, cache.stats.prices, cache.stats.evictions) == (2, 750, 1)
    cache.minute_bars([BarsOf(NIFTY, MONDAY)])
    assert len(broker.calls) == 4


def test_what_is_larger_than_the_memory_is_served_and_not_kept() -> None:
    cache, broker, _ = made(bars=True, max_entries=100)
    cache.closes([CloseOf(NIFTY, MONDAY)])
    assert len(cache.minute_bars([BarsOf(NIFTY, MONDAY)])[0].bars) == 375
    assert (cache.stats.entries, cache.stats.evictions) == (1, 0)
    assert len(broker.calls) == 2


def test_without_room_everything_is_asked() -> None:
    cache, broker, _ = made(max_entries=0)
    for _ in range(2):
        assert values(cache.prices_at([PriceAt(NIFTY, TEN)] * 2)) == [10.0, 10.0]
    assert len(broker.calls) == 2


# -------------------------------------------------------------------------------------- counters, one cache per broker


def test_the_counters_tell_what_was_spared() -> None:
    cache, _, _ = made(bars=True)
    cache.prices_at([PriceAt(NIFTY, TEN), PriceAt(NIFTY, ELEVEN), PriceAt(TCS, TEN)])
    cache.prices_at([PriceAt(NIFTY, at("2025-01-27 12:00"))])
    cache.closes([CloseOf(NIFTY, MONDAY)])
    assert cache.stats == CacheStats(hits=1, misses=4, joined=0, fetches=3, calls=3, entries=3, prices=751)
    assert str(cache.stats) == (
        "5 questions: 1 answered from memory, 4 by 3 fetches in 3 calls, 0 by fetches of other threads; "
        "3 answers with 751 prices in memory, 0 evicted"
    )
    cache.clear()
    assert cache.stats == CacheStats()


def test_there_is_one_cache_per_broker_object() -> None:
    one, other = CountingBroker(), CountingBroker()
    assert cached(one) is cached(one)
    assert cached(one) is not cached(other)
    assert cached(cached(one)) is cached(one)
    own = CachedBroker(one)
    assert cached(own) is own


def test_what_is_known_outlives_the_cache_object_but_not_the_broker() -> None:
    broker = CountingBroker(Time())
    cached(broker).prices_at([PriceAt(NIFTY, TEN)])
    gc.collect()
    cached(broker).prices_at([PriceAt(NIFTY, TEN)])
    assert len(broker.calls) == 1
    memory, alive = weakref.ref(cached(broker)._memory), weakref.ref(broker)
    del broker
    gc.collect()
    assert alive() is None
    assert memory() is None


def test_equal_brokers_are_different_brokers() -> None:
    class Equal(CountingBroker):
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return True

    one, other = Equal(), Equal()
    assert cached(one) is not cached(other)
    assert cached(one) is cached(one)


def test_a_broker_without_weak_references_gets_a_cache_of_its_own_each_time() -> None:
    class Slotted:
        __slots__ = ()
        name = "slotted"
        prices_at = closes = quotes = fills = lambda self, wanted: [Missing("nothing")] * len(wanted)

    broker = Slotted()
    assert cached(broker).inner is broker
    assert cached(broker) is not cached(broker)


def test_clear_caches_empties_all_of_them() -> None:
    brokers = [CountingBroker(), CountingBroker()]
    caches = [cached(brokers[0]), CachedBroker(brokers[1])]
    for cache in caches:
        cache.prices_at([PriceAt(NIFTY, TEN)])
    clear_caches()
    for cache, broker in zip(caches, brokers, strict=True):
        assert cache.stats == CacheStats()
        cache.prices_at([PriceAt(NIFTY, TEN)])
        assert len(broker.calls) == 2


def test_it_prints_itself() -> None:
    broker = CountingBroker()
    assert repr(CachedBroker(broker)) == f"CachedBroker({broker!r})"


@pytest.mark.parametrize("told", [outage("no answer in time"), Missing("nothing recorded")])
def test_an_outage_that_takes_long_to_show_is_remembered(told: Any) -> None:
    time = Time()
    broker = CountingBroker(time)
    broker.pause = lambda: time.pass_by(40.0)
    ask = CloseOf(NIFTY, MONDAY)
    broker.scripted[ask] = told
    cache = CachedBroker(broker, clock=time.clock, wall=time.wall)
    for _ in range(3):
        with nullcontext() if isinstance(told, Missing) else pytest.raises(BrokerError):
            cache.closes([ask])
        time.pass_by(1.0)
    assert len(broker.calls) == 1
    time.pass_by(60.0)
    with nullcontext() if isinstance(told, Missing) else pytest.raises(BrokerError):
        cache.closes([ask])
    assert len(broker.calls) == 2
