"""From a batch of asks to their answers: what is known, what is under way, and what must be fetched."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import get_ident
from typing import Any, Generic, NamedTuple, TypeVar

from attribution.errors import BrokerError
from attribution.market.cache.flights import Flight, Memory
from attribution.market.cache.lines import Line, Reply
from attribution.market.cache.shelf import Entry, Failure, Found
from attribution.market.quotes import Bars, Missing, Why

__all__ = ["Desk"]

Question = TypeVar("Question")

PATIENCE = 5
"""After so many failures in a row the rest of a batch is not sent: whoever is gone is not asked a thousand times."""


@dataclass(slots=True)
class _Order(Generic[Question]):
    """One question to be fetched by this thread."""

    key: Hashable
    question: Question
    flight: Flight


@dataclass(slots=True)
class _Patience:
    failures: int = 0
    last: BrokerError | None = None

    def note(self, error: BrokerError | None) -> None:
        self.failures, self.last = (0, None) if error is None else (self.failures + 1, error)

    @property
    def spent(self) -> BrokerError | None:
        return self.last if self.failures >= PATIENCE else None


@dataclass(frozen=True, slots=True)
class _Batch(Generic[Question]):
    """The asks of one call, each with its question and key, and what was found so far by position."""

    line: Line[Any, Question]
    wanted: Sequence[Any]
    questions: Sequence[Question]
    keys: Sequence[Hashable]
    found: dict[int, Reply] = field(default_factory=dict)


@dataclass(slots=True)
class _Round(Generic[Question]):
    """What one pass over the open asks came to; places are positions in the batch."""

    known: dict[int, Entry] = field(default_factory=dict)
    waiting: dict[int, Flight] = field(default_factory=dict)
    mine: list[_Order[Question]] = field(default_factory=list)


class Desk(NamedTuple):
    """Answers batches from a memory, and fetches what is not there."""

    memory: Memory
    max_entries: int
    max_workers: int
    clock: Callable[[], float]
    wall: Callable[[], datetime]

    def answer(self, line: Line[Any, Question], wanted: Sequence[Any]) -> list[Any]:
        """Answer each ask, in order; raise BrokerError where every one failed."""
        questions = [line.question(ask) for ask in wanted]
        keys = [line.key(question) for question in questions]
        known = self._known(line, wanted, keys)
        if known is not None:
            return _told([line.read(entry, ask) for entry, ask in zip(known, wanted, strict=True)])
        batch = _Batch(line, wanted, questions, keys)
        while len(batch.found) < len(wanted):  # again only for those whose fetch was given up, or was not quite theirs
            self._pass(batch)
        return _told([batch.found[place] for place in range(len(wanted))])

    def _known(self, line: Line[Any, Question], wanted: Sequence[Any], keys: Sequence[Hashable]) -> list[Entry] | None:
        """What is remembered, where that is all that is asked for: no flights to be looked for, and nothing to send."""
        tick, known = self.clock(), []
        memory = self.memory
        with memory.lock:
            for ask, key in zip(wanted, keys, strict=True):
                entry = memory.shelf.get(key)
                if entry is None or not line.serves(entry, ask, tick):
                    return None
                known.append(entry)
            memory.counts.hits += len(known)
        return known

    def _pass(self, batch: _Batch[Question]) -> None:
        todo: _Round[Question] = _Round()
        try:
            self._plan(batch, todo)
            self._fetch(batch.line, todo.mine)
        finally:
            self._give_up(todo.mine)
        line, wanted, found = batch.line, batch.wanted, batch.found
        for place, entry in todo.known.items():
            found[place] = line.read(entry, wanted[place])
        own = {id(order.flight) for order in todo.mine}
        misses = joined = 0
        for place, flight in todo.waiting.items():
            brought = flight.wait()
            if brought is not None and line.suits(brought, wanted[place]):
                found[place] = line.read(brought, wanted[place])
                misses, joined = (misses + 1, joined) if id(flight) in own else (misses, joined + 1)
        with self.memory.lock:
            counts = self.memory.counts
            counts.hits += len(todo.known)
            counts.misses += misses
            counts.joined += joined

    def _plan(self, batch: _Batch[Question], todo: _Round[Question]) -> None:
        """Sort the open asks: known, being fetched by somebody, or to be fetched here."""
        tick, me, booked = self.clock(), get_ident(), set[Hashable]()
        memory = self.memory
        with memory.lock:
            for place, (ask, key) in enumerate(zip(batch.wanted, batch.keys, strict=True)):
                if place in batch.found:
                    continue
                entry = memory.shelf.get(key)
                if entry is not None and batch.line.serves(entry, ask, tick):
                    todo.known[place] = entry
                    continue
                flight = memory.flights.get(key)
                # A broker that asks this cache in turn must not wait for its own answer.
                if flight is None or (flight.owner == me and key not in booked):
                    flight = Flight()
                    todo.mine.append(_Order(key, batch.questions[place], flight))
                    memory.flights[key] = flight
                    booked.add(key)
                todo.waiting[place] = flight

    def _fetch(self, line: Line[Any, Question], orders: Sequence[_Order[Question]]) -> None:
        """Send what must be fetched: as one batch, or one by one and several side by side."""
        if not orders:
            return
        patience = _Patience()
        if not line.splits or self.max_workers == 1 or len(orders) == 1:
            self._send(line, orders, patience)
            return
        workers = min(self.max_workers, len(orders))
        with ThreadPoolExecutor(workers, thread_name_prefix="attribution-market") as pool:
            for _ in pool.map(lambda order: self._send(line, [order], patience), orders):
                pass

    def _send(self, line: Line[Any, Question], orders: Sequence[_Order[Question]], patience: _Patience) -> None:
        """Make one call and hand over its answers at once: nobody waits for the rest of the batch."""
        tick, wall = self.clock(), self.wall()
        spent = patience.spent
        if spent is not None:
            for order in orders:
                self._land(line, order, Failure(spent), wall, tick)
            return
        try:
            replies = self._call(line, [order.question for order in orders])
        except BrokerError as exc:
            patience.note(exc)
            replies = [Failure(exc)] * len(orders)
        except Exception as exc:  # noqa: BLE001 - raised by Flight.wait, in this thread and in all that wait
            for order in orders:
                self._depart(order)
                order.flight.land(None, exc)
            return
        else:
            patience.note(None)
        for order, reply in zip(orders, replies, strict=True):
            self._land(line, order, reply, wall, tick)

    def _call(self, line: Line[Any, Question], questions: Sequence[Question]) -> list[Found]:
        with self.memory.lock:
            self.memory.counts.fetches += len(questions)
            self.memory.counts.calls += 1
        replies = line.send(questions)
        if len(replies) == len(questions):
            return list(replies)
        return [Missing(f"failed: {len(replies)} answers to {len(questions)} questions", Why.FAILED)] * len(questions)

    def _land(
        self, line: Line[Any, Question], order: _Order[Question], found: Found, wall: datetime, tick: float
    ) -> None:
        """Remember an answer as long as it is good, and hand it to those who wait.

        A price is as old as its question. An absence or a failure lives from when it was told: one that took long to
        come would be forgotten as it comes, and whoever is gone asked again at once.
        """
        life = line.life(order.question, found, wall)
        since = self.clock() if isinstance(found, Missing | Failure) else tick
        entry = line.entry(order.question, found, wall, since + life)
        self._depart(order, entry if life > 0.0 else None)
        order.flight.land(entry)

    def _depart(self, order: _Order[Question], keep: Entry | None = None) -> None:
        """Take a flight off the board and put what it brought onto the shelf, in one move.

        If the memory was cleared meanwhile, the flight is not there any more, and nothing is to be remembered.
        """
        memory = self.memory
        with memory.lock:
            if memory.flights.get(order.key) is not order.flight:
                return
            del memory.flights[order.key]
            if keep is not None:
                kept = _to_keep(keep, memory.shelf.get(order.key))
                memory.counts.evictions += memory.shelf.put(order.key, kept, self.max_entries)

    def _give_up(self, orders: Sequence[_Order[Question]]) -> None:
        """After an interruption: let those who wait go themselves."""
        for order in orders:
            if not order.flight.landed:
                self._depart(order)
                order.flight.land(None)


def _to_keep(entry: Entry, before: Entry | None) -> Entry:
    """Keep the bars that were known beside an answer without any: an outage does not take minutes away."""
    if isinstance(entry.found, Failure):
        entry = replace(entry, found=entry.found.to_remember())
    if before is None or not isinstance(entry.found, Missing | Failure):
        return entry
    return replace(entry, held=before if isinstance(before.found, Bars) else before.held)


def _told(replies: Sequence[Reply]) -> list[Any]:
    """Turn failures into absences beside answers that came; where there is nothing else, raise one."""
    failures = [reply for reply in replies if isinstance(reply, Failure)]
    if failures and len(failures) == len(replies):
        raise failures[0].to_raise()
    return [Missing(f"failed: {r.error}", Why.FAILED) if isinstance(r, Failure) else r for r in replies]
