"""The cache under threads and forks: one flight per question, and nobody waits for ever."""

from __future__ import annotations

import multiprocessing
import os
import threading
from datetime import date
from typing import Any

import pytest

from attribution.errors import BrokerError
from attribution.market.cache import CachedBroker, cached, clear_caches
from attribution.market.quotes import BarsOf, CloseOf, Missing, PriceAt, QuoteOf, Why
from tests.market.counting import (
    BANKNIFTY,
    FRIDAY,
    MONDAY,
    NIFTY,
    TCS,
    CountingBarBroker,
    CountingBroker,
    Time,
    at,
    outage,
    run_together,
    values,
)

TEN, ELEVEN = at("2025-01-27 10:00"), at("2025-01-27 11:00")
WAIT = 10.0


def made(*, bars: bool = False, **settings: Any) -> tuple[CachedBroker, CountingBroker, Time]:
    time = Time()
    broker = (CountingBarBroker if bars else CountingBroker)(time)
    return CachedBroker(broker, clock=time.clock, wall=time.wall, **settings), broker, time


class Gate:
    """Holds calls inside the broker until it is opened, and tells when one has come in."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.opened.wait(WAIT)


def ask_while_in_flight(cache: CachedBroker, gate: Gate, count: int, job: Any) -> dict[str, Any]:
    """Start one thread, and when it is inside the broker, ``count`` more; open the gate when those are waiting."""
    waiting = cache.stats.hits + cache.stats.misses

    def follow() -> Any:
        assert gate.entered.wait(WAIT)
        return job()

    def open_gate() -> None:
        assert gate.entered.wait(WAIT)
        # Followers are inside the cache as soon as they are waiting on the flight; a moment is all that takes.
        for _ in range(200):
            waiters = sum(len(f._landed._cond._waiters) for f in list(cache._memory.flights.values()))
            if waiters >= count:
                break
            threading.Event().wait(0.005)
        gate.opened.set()

    found = run_together({"leader": job, **{f"follower {i}": follow for i in range(count)}, "gate": open_gate})
    assert cache.stats.hits + cache.stats.misses >= waiting
    del found["gate"]
    return found


@pytest.mark.parametrize("bars", [False, True], ids=["prices", "bars"])
def test_many_threads_one_question_one_call(bars: bool) -> None:
    cache, broker, _ = made(bars=bars)
    gate = broker.pause = Gate()
    found = ask_while_in_flight(cache, gate, 9, lambda: cache.prices_at([PriceAt(NIFTY, TEN)]))
    assert len(found) == 10
    assert len({answers[0] for answers in found.values()}) == 1
    assert len(broker.calls) == 1
    assert (cache.stats.misses, cache.stats.joined, cache.stats.fetches) == (1, 9, 1)


def test_an_outage_reaches_all_who_wait() -> None:
    cache, broker, _ = made()
    gate, broker.fails = Gate(), outage("gone")
    broker.pause = gate
    found = ask_while_in_flight(cache, gate, 5, lambda: cache.closes([CloseOf(NIFTY, MONDAY)]))
    assert [str(error) for error in found.values()] == ["gone"] * 6
    assert all(isinstance(error, BrokerError) for error in found.values())
    assert len(broker.calls) == 1


def test_a_bug_reaches_all_who_wait_and_the_next_asks_anew() -> None:
    cache, broker, _ = made()
    gate, broker.fails = Gate(), ZeroDivisionError("a bug")
    broker.pause = gate
    found = ask_while_in_flight(cache, gate, 5, lambda: cache.prices_at([PriceAt(NIFTY, TEN)]))
    assert all(isinstance(error, ZeroDivisionError) for error in found.values())
    assert len(broker.calls) == 1
    broker.fails = None
    assert values(cache.prices_at([PriceAt(NIFTY, TEN)])) == [10.0]


def test_an_interrupted_fetch_is_taken_over_by_one_who_waited() -> None:
    cache, broker, _ = made()
    gate = Gate()
    first = threading.Lock()

    def pause() -> None:
        if first.acquire(blocking=False):
            gate()
            raise KeyboardInterrupt

    broker.pause = pause

    def ask() -> Any:
        try:
            return cache.prices_at([PriceAt(NIFTY, TEN)])
        except KeyboardInterrupt:
            return "interrupted"

    found = ask_while_in_flight(cache, gate, 3, ask)
    assert found.pop("leader") == "interrupted"
    assert [values(answers) for answers in found.values()] == [[10.0]] * 3
    assert len(broker.calls) == 2


def test_crossing_batches_do_not_wait_for_each_other_in_a_circle() -> None:
    cache, broker, _ = made(max_workers=1)
    meet = threading.Barrier(2, timeout=WAIT)
    broker.pause = meet.wait  # both are inside the broker at once, each with a question the other one has asked too
    one, other = CloseOf(NIFTY, MONDAY), CloseOf(NIFTY, FRIDAY)
    start = threading.Barrier(2, timeout=WAIT)

    def ask(*asks: CloseOf) -> Any:
        start.wait()
        return values(cache.closes(asks))

    third, fourth = CloseOf(TCS, MONDAY), CloseOf(BANKNIFTY, MONDAY)
    for _ in range(20):
        found = run_together({"a": lambda: ask(one, third, other), "b": lambda: ask(other, fourth, one)})
        assert found == {"a": [27.0, 27.0, 24.0], "b": [24.0, 27.0, 27.0]}
        assert len(broker.sent("closes")) == 4
        broker.calls.clear()
        cache.clear()


def test_single_questions_go_side_by_side() -> None:
    # Each call waits until four are inside: with fewer at a time this would never end.
    cache, broker, _ = made(bars=True, max_workers=4)
    broker.pause = threading.Barrier(4, timeout=WAIT).wait
    asks = [PriceAt(instrument, TEN) for instrument in (NIFTY, BANKNIFTY, TCS)] + [
        PriceAt(NIFTY, at("2025-01-24 10:00"))
    ]
    assert None not in values(cache.prices_at(asks))
    assert len(broker.calls) == 4


def test_but_no_more_than_the_workers() -> None:
    cache, broker, _ = made(max_workers=3)
    inside, most, lock = 0, 0, threading.Lock()

    def pause() -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.001)
        with lock:
            inside -= 1

    broker.pause = pause
    cache.closes([CloseOf(NIFTY, date(2025, 1, day)) for day in range(1, 28)])
    assert len(broker.calls) == 27
    assert most <= 3


def test_those_who_wait_for_one_question_do_not_wait_for_the_rest_of_its_batch() -> None:
    cache, broker, _ = made(max_workers=2)
    slow = Gate()
    broker.pause = lambda: slow() if broker.calls[-1][1] == [CloseOf(TCS, MONDAY)] else None
    lead = threading.Thread(target=cache.closes, args=([CloseOf(TCS, MONDAY), CloseOf(NIFTY, MONDAY)],), daemon=True)
    lead.start()
    assert slow.entered.wait(WAIT)
    found = run_together({"follower": lambda: values(cache.closes([CloseOf(NIFTY, MONDAY)]))})
    assert found == {"follower": [27.0]}
    slow.opened.set()
    lead.join(WAIT)
    assert not lead.is_alive()


def test_who_joins_a_quote_from_his_own_future_asks_again() -> None:
    cache, broker, time = made()
    gate = broker.pause = Gate()
    earlier = time.now.replace(hour=11)
    jobs = iter([time.now, earlier])
    found = ask_while_in_flight(cache, gate, 1, lambda: cache.quotes([QuoteOf(NIFTY, next(jobs))]))
    assert found["leader"] != found["follower 0"]
    assert [question.now for question in broker.sent("quotes")] == [time.now, earlier]


def test_what_was_under_way_when_the_cache_was_cleared_is_delivered_and_forgotten() -> None:
    cache, broker, _ = made()
    gate = broker.pause = Gate()

    def clear() -> None:
        assert gate.entered.wait(WAIT)
        cache.clear()
        gate.opened.set()

    found = run_together({"ask": lambda: values(cache.prices_at([PriceAt(NIFTY, TEN)])), "clear": clear})
    assert found["ask"] == [10.0]
    cache.prices_at([PriceAt(NIFTY, TEN)])
    assert len(broker.calls) == 2


def test_a_broker_that_asks_its_own_cache_does_not_wait_for_itself() -> None:
    cache, broker, _ = made()
    asked_back: list[Any] = []

    def pause() -> None:
        if not asked_back:
            asked_back.append(None)
            asked_back[0] = values(cache.prices_at([PriceAt(NIFTY, TEN)]))

    broker.pause = pause
    found = run_together({"ask": lambda: values(cache.prices_at([PriceAt(NIFTY, TEN)]))})
    assert found["ask"] == asked_back[0] == [10.0]


def test_a_storm_of_threads_loses_and_doubles_nothing() -> None:
    cache, broker, _ = made(bars=True, max_entries=10_000)
    asks = [PriceAt(instrument, at(f"2025-01-{day} 10:{minute}"))
            for instrument in (NIFTY, BANKNIFTY, TCS) for day in (23, 24, 27) for minute in (10, 40)]  # fmt: skip
    expected = values(CountingBarBroker(Time()).prices_at(asks))
    start = threading.Barrier(8, timeout=WAIT)

    def work(turn: int) -> bool:
        start.wait()
        order = list(range(len(asks)))[turn:] + list(range(len(asks)))[:turn]
        return all(
            values(cache.prices_at([asks[i], asks[-i]])) == [expected[i], expected[-i]] for i in order for _ in range(5)
        )

    found = run_together({str(turn): lambda turn=turn: work(turn) for turn in range(8)})
    assert set(found.values()) == {True}
    assert len(broker.calls) == 9
    stats = cache.stats
    assert stats.hits + stats.misses + stats.joined == 8 * 5 * len(asks) * 2


def test_cached_makes_one_cache_for_all_threads() -> None:
    broker = CountingBroker()
    start = threading.Barrier(8, timeout=WAIT)

    def make() -> CachedBroker:
        start.wait()
        return cached(broker)

    assert len(set(run_together({str(i): make for i in range(8)}).values())) == 1


def test_clearing_while_asking_is_safe() -> None:
    cache, _, _ = made()
    done = threading.Event()

    def ask() -> None:
        for _ in range(300):
            assert values(cache.prices_at([PriceAt(NIFTY, TEN), PriceAt(TCS, ELEVEN)])) == [10.0, 11.0]
        done.set()

    def clear() -> None:
        while not done.is_set():
            clear_caches()

    assert run_together({"ask": ask, "clear": clear}) == {"ask": None, "clear": None}


def _in_child(cache: CachedBroker, broker: CountingBroker, connection: Any) -> None:
    broker.pause = lambda: None
    known = values(cache.prices_at([PriceAt(TCS, TEN)]))
    before = len(broker.calls)
    asked = values(cache.prices_at([PriceAt(NIFTY, TEN)]))  # in the parent this one is still under way
    fresh = values(cached(CountingBroker(Time())).closes([CloseOf(NIFTY, MONDAY)]))
    connection.send((known, before, asked, len(broker.calls), fresh))
    connection.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_keeps_what_is_known_and_waits_for_no_thread_of_its_parent() -> None:
    cache, broker, _ = made()
    cache.prices_at([PriceAt(TCS, TEN)])
    gate = broker.pause = Gate()
    flying = threading.Thread(target=cache.prices_at, args=([PriceAt(NIFTY, TEN)],), daemon=True)
    flying.start()
    assert gate.entered.wait(WAIT)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_in_child, args=(cache, broker, sender))
    child.start()
    try:
        assert receiver.poll(WAIT), "the child waits for ever"
        assert receiver.recv() == ([10.0], 2, [10.0], 3, [27.0])
    finally:
        gate.opened.set()
        child.join(WAIT)
        flying.join(WAIT)
        receiver.close()
        sender.close()
    assert child.exitcode == 0
    assert values(cache.prices_at([PriceAt(NIFTY, TEN)])) == [10.0]  # the parent's locks are free again


def test_of_one_batch_the_failed_question_is_an_absence_for_all_threads() -> None:
    cache, broker, _ = made(bars=True)
    broker.scripted[BarsOf(TCS, MONDAY)] = outage("504")
    found = run_together({str(i): lambda: cache.prices_at([PriceAt(NIFTY, TEN), PriceAt(TCS, TEN)]) for i in range(6)})
    for answers in found.values():
        assert values(answers)[0] == 23044.5
        assert answers[1] == Missing("failed: 504", Why.FAILED)
    assert len(broker.calls) == 2
