"""The cache against a naive twin: one dict, one rule per kind of question, no batches, no threads."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from attribution.errors import BrokerError
from attribution.market.cache import CachedBroker
from attribution.market.cache.shelf import Entry, Shelf
from attribution.market.quotes import CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf, Why
from tests.market.counting import BANKNIFTY, CALL, NIFTY, TCS, CountingBroker, Time, at, outage

INSTRUMENTS = st.sampled_from([NIFTY, BANKNIFTY, TCS])
DAYS = [date(2025, 1, day) for day in (24, 27, 28, 29)]
MOMENTS = ["09:00", "09:15", "10:00", "14:01", "14:30", "15:30", "18:00"]
METHODS = {PriceAt: "prices_at", CloseOf: "closes", QuoteOf: "quotes", FillOf: "fills"}
INSTANTS = st.builds(lambda day, moment: at(f"{day} {moment}"), st.sampled_from(DAYS), st.sampled_from(MOMENTS))
STEPS = [1, 10, 29, 31, 61, 600, 3600, 16 * 3600]


def hours(day: date) -> tuple[datetime, datetime]:
    """The regular session of a working day of that month."""
    return at(f"{day} 09:15"), at(f"{day} 15:30")


def session_of(instant: datetime) -> date:
    """The one in progress or last opened: back to a weekday that had opened by then."""
    day = instant.date()
    while day.weekday() >= 5 or hours(day)[0] > instant:
        day -= timedelta(days=1)
    return day


class Naive:
    """What a cache is, said slowly."""

    def __init__(self) -> None:
        self.known: dict[Any, tuple[Any, float, float, datetime | None]] = {}
        self.fetched = 0

    def life(self, ask: Any, found: Any, now: datetime) -> float:
        if isinstance(found, str):
            return 5.0
        if isinstance(found, Missing):
            return 30.0
        if isinstance(ask, QuoteOf):
            return 60.0
        if isinstance(ask, CloseOf):
            close = hours(ask.session)[1]
            return 0.0 if now < close else 60.0 if now < close + timedelta(minutes=15) else float("inf")
        day = session_of(ask.at) if isinstance(ask, PriceAt) else ask.at.date()
        return float("inf") if now >= hours(day)[1] + timedelta(minutes=15) else 60.0

    def answer(self, ask: Any, truth: Any, time: Time) -> Any:
        key = (QuoteOf, ask.instrument) if isinstance(ask, QuoteOf) else ask
        if key in self.known:
            found, since, life, about = self.known[key]
            fresh = time.ticks - since < life
            if about is not None:
                fresh = fresh and about <= ask.now and ask.now - about < timedelta(seconds=60)
            if fresh:
                return found
        self.fetched += 1
        life = self.life(ask, truth, time.now)
        if life:
            self.known[key] = (truth, time.ticks, life, ask.now if isinstance(ask, QuoteOf) else None)
        return truth


class CacheMachine(RuleBasedStateMachine):
    """Both are asked the same; they must agree on every answer and on how often the broker was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.time = Time("2025-01-27 14:00")
        self.broker = CountingBroker(self.time)
        self.broker._answer = self.truths  # type: ignore[method-assign]
        self.cache = CachedBroker(self.broker, clock=self.time.clock, wall=self.time.wall, max_workers=2)
        self.naive = Naive()
        self.version = 0
        self.down = self.blank = False
        self.asked = 0

    def truth(self, ask: Any) -> Any:
        """What the broker would say now: a text where it would raise."""
        if self.down:
            return "down"
        if self.blank and ask.instrument == NIFTY:
            return Missing(f"blank {self.version}", Why.UNKNOWN)
        kind = PriceKind.CLOSE if isinstance(ask, CloseOf) else PriceKind.GIVEN
        return Price(float(self.version), "counting", kind)

    def truths(self, method: str, wanted: Any, rule: Any) -> list[Any]:
        self.asked += len(wanted)
        if self.down:
            raise outage("down")
        return [self.truth(ask) for ask in wanted]

    @precondition(lambda self: self.time.now < at("2025-01-29 12:00"))
    @rule(seconds=st.sampled_from(STEPS))
    def time_passes(self, seconds: int) -> None:
        self.time.pass_by(seconds)

    @rule()
    def the_market_moves(self) -> None:
        self.version += 1

    @rule(down=st.booleans(), blank=st.booleans())
    def the_world_changes(self, down: bool, blank: bool) -> None:
        self.down, self.blank = down, blank

    @rule(
        instruments=st.lists(INSTRUMENTS, min_size=1, max_size=4), instants=st.lists(INSTANTS, min_size=4, max_size=4)
    )
    def prices(self, instruments: list[Any], instants: list[datetime]) -> None:
        self.compare([PriceAt(i, t) for i, t in zip(instruments, instants, strict=False)])

    @rule(instruments=st.lists(INSTRUMENTS, min_size=1, max_size=4), days=st.lists(st.sampled_from(DAYS), min_size=4))
    def closes(self, instruments: list[Any], days: list[date]) -> None:
        self.compare([CloseOf(i, day) for i, day in zip(instruments, days, strict=False)])

    @rule(instruments=st.lists(INSTRUMENTS, min_size=1, max_size=3), back=st.sampled_from([0, 10, 7200]))
    def quotes(self, instruments: list[Any], back: int) -> None:
        self.compare([QuoteOf(i, self.time.now - timedelta(seconds=back)) for i in instruments])

    @rule(instant=INSTANTS, keys=st.sampled_from([(), ("1",), ("1", "2")]))
    def fills(self, instant: datetime, keys: tuple[str, ...]) -> None:
        self.compare([FillOf(CALL, "as written", "entry", instant, keys)])

    def compare(self, asks: list[Any]) -> None:
        expected = [self.naive.answer(ask, self.truth(ask), self.time) for ask in dict.fromkeys(asks)]
        by_ask = dict(zip(dict.fromkeys(asks), expected, strict=True))
        wanted = [by_ask[ask] for ask in asks]
        method = getattr(self.cache, METHODS[type(asks[0])])
        if set(wanted) == {"down"}:
            with pytest.raises(BrokerError, match="down"):
                method(asks)
        else:
            told = [Missing(f"failed: {w}", Why.FAILED) if isinstance(w, str) else w for w in wanted]
            assert method(asks) == told

    @invariant()
    def nothing_is_asked_twice(self) -> None:
        assert self.asked == self.naive.fetched == self.cache.stats.fetches

    @invariant()
    def memory_is_what_it_says(self) -> None:
        shelf = self.cache._memory.shelf
        assert shelf.size == sum(entry.size for entry in shelf._entries.values())
        assert not self.cache._memory.flights


CacheMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCacheAgainstTheNaiveTwin = CacheMachine.TestCase


@given(
    st.integers(0, 6),
    st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(1, 4)), max_size=60),
)
@settings(deadline=None)
def test_the_shelf_against_a_list(most: int, steps: list[tuple[bool, int, int]]) -> None:
    from attribution.market.quotes import Bar, Bars

    shelf, naive = Shelf(), list[tuple[int, int]]()
    wall = at("2025-01-27 10:00")
    evicted = expected = 0
    for put, key, size in steps:
        kept = dict(naive)
        if put:
            entry = Entry(Bars((Bar(wall, 1.0, 1.0, 1.0, 1.0),) * size, "x", complete=True), None, wall, 1.0)
            evicted += shelf.put(key, entry, most)
            naive = [item for item in naive if item[0] != key]
            if size <= most:
                naive.append((key, size))
            while sum(s for _, s in naive) > most:
                del naive[0]
                expected += 1
        else:
            found = shelf.get(key)
            assert (None if found is None else found.size) == kept.get(key)
            naive.sort(key=lambda item: item[0] == key)  # stable: the used one moves to the end
        assert (list(shelf._entries), shelf.size) == ([k for k, _ in naive], sum(s for _, s in naive))
        assert len(shelf) == len(naive)
    assert evicted == expected
