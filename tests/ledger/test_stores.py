"""What every store promises, held against every store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attribution.ledger.entry import CURRENT, GENESIS, Draft, Entry, Head, Kind, Row
from attribution.ledger.errors import ConflictError, CorruptLogError, LedgerError, NewerSchemaError
from attribution.ledger.log import Log
from attribution.ledger.store.base import LogStore
from tests.ledger.log_tools import DAY, TS, Place, acknowledged, draft, start_writer


def keys(store: LogStore) -> list[str]:
    return [entry.key for entry in store.entries()]


def checked(store: LogStore) -> list[Entry]:
    """All entries, after the proof that they are a chain without gap, repetition or alteration."""
    head = Log(store).verify()
    entries = list(store.entries())
    assert [entry.seq for entry in entries] == list(range(1, head.seq + 1))
    assert len({entry.identity for entry in entries}) == head.seq
    return entries


class TestAppending:
    def test_an_empty_log_ends_at_the_genesis(self, place: Place) -> None:
        store = place.open()
        assert store.head() == Head(0, GENESIS)
        assert list(store.entries()) == []
        assert store.append([]) == []

    def test_what_is_appended_is_read_back_by_everybody(self, place: Place) -> None:
        store = place.open()
        fill = draft("1", correlation_id="run", causation_id="plan", body={"notes": "naïve ☂ 𝄞 \u2028 \"'\\"})
        appended = store.append([fill, draft("2")])
        assert [(one.entry.seq, one.new) for one in appended] == [(1, True), (2, True)]
        for reader in (store, place.open()):
            first, second = reader.entries()
            assert (first, second) == tuple(one.entry for one in appended)
            assert (first.kind, first.account_id, first.key) == (Kind.FILL, "acc", "ALPACA/1/1")
            assert (first.ts, first.trade_date, first.source) == (TS, DAY, "test")
            assert (first.correlation_id, first.causation_id, first.schema_version) == ("run", "plan", CURRENT)
            assert first.body == fill.body
            assert (first.prev_digest, second.prev_digest) == (GENESIS, first.digest)
            assert reader.head() == Head(2, second.digest)

    def test_a_redelivered_fact_changes_nothing(self, place: Place) -> None:
        store, other = place.open(), place.open()
        first = store.append([draft("1")])[0]
        again = other.append([draft("1", source="other", correlation_id="later", causation_id="it")])[0]
        assert (again.new, again.entry) == (False, first.entry)
        assert len(checked(store)) == 1

    def test_the_same_fact_twice_in_a_batch_is_entered_once(self, place: Place) -> None:
        store = place.open()
        one, two, three = store.append([draft("1"), draft("2"), draft("1")])
        assert (one.new, two.new, three.new) == (True, True, False)
        assert three.entry == one.entry
        assert len(checked(store)) == 2

    def test_what_is_new_in_a_half_known_batch_is_entered(self, place: Place) -> None:
        store = place.open()
        store.append([draft("1"), draft("3")])
        appended = store.append([draft("1"), draft("2"), draft("3"), draft("4")])
        assert [(one.entry.seq, one.new) for one in appended] == [(1, False), (3, True), (2, False), (4, True)]
        assert len(checked(place.open())) == 4

    def test_kind_and_account_are_part_of_what_a_fact_is(self, place: Place) -> None:
        store = place.open()
        store.append(
            [draft("1"), draft("1", kind=Kind.ALLOC, body={"policy": "fifo"}), draft("1", account_id="B/./..")]
        )
        assert [entry.identity for entry in checked(store)] == [
            ("acc", "fill", "ALPACA/1/1"),
            ("acc", "alloc", "ALPACA/1/1"),
            ("B/./..", "fill", "ALPACA/1/1"),
        ]

    def test_reading_can_be_narrowed(self, place: Place) -> None:
        store = place.open()
        kinds = [Kind.FILL, Kind.ALLOC, Kind.MARK]
        store.append([draft(number, kind=kinds[number % 3]) for number in range(9)])
        store.append([draft("last")])
        assert [entry.seq for entry in store.entries(after=7)] == [8, 9, 10]
        assert [entry.seq for entry in store.entries(after=2, limit=3)] == [3, 4, 5]
        assert [entry.seq for entry in store.entries(kinds=[Kind.MARK, Kind.ALLOC], after=2, limit=4)] == [3, 5, 6, 8]
        assert [row.seq for row in store.rows(after=8)] == [9, 10]
        assert list(store.entries(limit=0)) == list(store.entries(after=10)) == list(store.entries(kinds=[])) == []

    def test_a_clock_that_goes_back_does_not_reorder_the_log(self, place: Place) -> None:
        store = place.open()
        for number, ts in enumerate([TS, TS - 3_600_000_000_000, TS + 1, 0]):
            store.append([draft(number, ts=ts)])
        assert [entry.ts for entry in checked(store)] == [TS, TS - 3_600_000_000_000, TS + 1, 0]

    def test_a_large_batch_is_one_commit(self, place: Place) -> None:
        store = place.open()
        batch = [draft(number) for number in range(4_500)]
        assert all(one.new for one in store.append(batch))
        assert not any(one.new for one in place.open().append(batch[::7]))
        assert [entry.key for entry in place.open().entries(after=4_497)] == [one.key for one in batch[4_497:]]

    def test_a_closed_store_opens_again(self, place: Place) -> None:
        store = place.open()
        store.append([draft("1")])
        store.close()
        store.close()
        store.append([draft("2")])
        assert len(checked(store)) == 2


class TestConflicts:
    def test_a_contradiction_is_refused_and_kept_in_quarantine(self, place: Place) -> None:
        store = place.open()
        store.append([draft("1")])
        with pytest.raises(ConflictError, match=r"price was '175.32' and is now '175.33'.*quarantine"):
            store.append([draft("1", body={"price": "175.33"}, source="other")])
        original, kept = checked(store)
        assert original.body["price"] == "175.32"
        assert (kept.kind, kept.source, kept.account_id) == (Kind.QUARANTINE, "other", "acc")
        assert kept.body["reason"] == "conflict"
        assert (kept.body["kind"], kept.body["key"], kept.body["kept_seq"]) == ("fill", "ALPACA/1/1", 1)
        assert kept.body["body"]["price"] == "175.33"
        assert list(Log(store).quarantined()) == [kept]

    def test_a_contradiction_delivered_again_is_refused_again_and_kept_once(self, place: Place) -> None:
        store, other = place.open(), place.open()
        store.append([draft("1")])
        for _ in range(2):
            for writer in (store, other):
                with pytest.raises(ConflictError):
                    writer.append([draft("1", body={"quantity": "11"})])
        with pytest.raises(ConflictError):
            store.append([draft("1", ts=TS + 1)])
        assert [entry.kind for entry in checked(store)] == [Kind.FILL, Kind.QUARANTINE, Kind.QUARANTINE]

    def test_a_batch_with_a_contradiction_is_not_written(self, place: Place) -> None:
        store = place.open()
        store.append([draft("1")])
        with pytest.raises(ConflictError, match="1 more of the batch"):
            store.append([draft("0"), draft("1", ts=TS + 1), draft("2"), draft("1", ts=TS + 2)])
        assert [entry.kind for entry in checked(store)] == [Kind.FILL, Kind.QUARANTINE, Kind.QUARANTINE]
        store.append([draft("0"), draft("2")])
        assert keys(store)[-2:] == ["ALPACA/0/1", "ALPACA/2/1"]

    def test_a_batch_that_contradicts_itself_is_not_written(self, place: Place) -> None:
        store = place.open()
        with pytest.raises(ConflictError):
            store.append([draft("1"), draft("1", ts=TS + 1)])
        (kept,) = checked(store)
        assert kept.body["kept_seq"] is None
        store.append([draft("1")])
        assert len(checked(store)) == 2

    def test_of_two_versions_in_a_batch_only_the_one_that_contradicts_the_log_is_kept(self, place: Place) -> None:
        store = place.open()
        store.append([draft("1")])
        with pytest.raises(ConflictError):
            store.append([draft("1", ts=TS + 1), draft("1")])
        assert [entry.kind for entry in checked(store)] == [Kind.FILL, Kind.QUARANTINE]


class TestManyWriters:
    def test_threads_share_a_store(self, place: Place) -> None:
        store, threads, rounds = place.open(), 6, 8
        start = threading.Barrier(threads)

        def write(writer: int) -> list[bool]:
            start.wait()
            new = []
            for number in range(rounds):
                shared, own = store.append([draft(f"shared-{number}"), draft(f"own-{writer}-{number}")])
                assert own.new
                new.append(shared.new)
                assert store.head().seq >= own.entry.seq
            return new

        with ThreadPoolExecutor(threads) as pool:
            new = list(pool.map(write, range(threads)))
        assert len(checked(store)) == rounds * (threads + 1)
        assert [sum(told) for told in zip(*new, strict=True)] == [1] * rounds

    def test_two_hosts_race(self, place: Place) -> None:
        stores, rounds = [place.open(), place.open()], 15
        start = threading.Barrier(2)

        def write(store: LogStore) -> None:
            start.wait()
            for number in range(rounds):
                store.append([draft(f"shared-{number}"), draft(f"own-{id(store)}-{number}")])

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(write, stores))
        first, second = (checked(store) for store in stores)
        assert first == second
        assert len(first) == rounds * 3

    def test_processes_share_a_log(self, place: Place, tmp_path: Path) -> None:
        acks = [tmp_path / f"acks-{writer}" for writer in range(3)]
        processes = [start_writer(place.opener(), writer, 0, 12, acks[writer]) for writer in range(3)]
        for process in processes:
            process.join(60)
            assert process.exitcode == 0
        entries = checked(place.open())
        assert len(entries) == 12 * 4
        assert acknowledged(acks) == {(entry.seq, entry.key) for entry in entries}

    def test_reading_goes_on_while_others_write(self, place: Place) -> None:
        store, writer = place.open(), place.open()
        store.append([draft(number) for number in range(3)])
        reading = store.entries()
        first = next(reading)
        writer.append([draft("meanwhile")])
        assert [first.seq, *(entry.seq for entry in reading)][:3] == [1, 2, 3]
        assert keys(store)[-1] == "ALPACA/meanwhile/1"


def altered(rows: list[Row]) -> list[Row]:
    return [row._replace(body=row.body.replace("175.32", "175.33")) if row.seq == 3 else row for row in rows]


def resigned(rows: list[Row]) -> list[Row]:
    """The alteration of somebody who knows how digests are made, for one entry."""
    head = Head(rows[1].seq, rows[1].digest)
    forged = draft("3", body={"price": "1"}).row(head.seq + 1, head.digest)
    return [*rows[:2], forged, *rows[3:]]


def redated(rows: list[Row]) -> list[Row]:
    return [row._replace(ts=row.ts + 1) if row.seq == 5 else row for row in rows]


def without_one(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.seq != 2]


def swapped(rows: list[Row]) -> list[Row]:
    return [rows[0], rows[2]._replace(seq=2), rows[1]._replace(seq=3), *rows[3:]]


class TestVerify:
    @pytest.mark.parametrize(
        ("change", "entry"), [(altered, 3), (resigned, 4), (redated, 5), (without_one, 3), (swapped, 2)]
    )
    def test_finds_what_was_done_behind_the_stores_back(
        self, place: Place, change: Callable[[list[Row]], Iterable[Row]], entry: int
    ) -> None:
        store = place.open()
        for number in range(1, 6):
            store.append([draft(number)])
        assert Log(store).verify() == store.head()
        store.close()
        place.rewrite(change)
        with pytest.raises(CorruptLogError, match=f"entry {entry}"):
            Log(store).verify()

    def test_a_cut_off_end_is_known_to_whoever_kept_the_head(self, place: Place) -> None:
        store = place.open()
        for number in range(5):
            store.append([draft(number)])
        known = store.head()
        assert Log(store).verify(known) == known
        store.close()
        place.rewrite(lambda rows: rows[:-1])
        log = Log(place.open())
        assert log.verify().seq == 4
        with pytest.raises(CorruptLogError, match="ends at entry 4, and it once had entry 5"):
            log.verify(known)
        log.append([draft("another")])
        with pytest.raises(CorruptLogError, match="entry 5 is not the one that was there"):
            log.verify(known)


class TestNewerVersions:
    """A log that a later version of the package wrote to."""

    @pytest.fixture
    def newer(self, place: Place) -> LogStore:
        store = place.open()
        store.append([draft("1"), draft("2")])
        store.close()

        def plant(rows: list[Row]) -> list[Row]:
            later = draft("3", schema_version=CURRENT + 1).row(3, rows[-1].digest)
            mine = draft("4").row(4, later.digest)
            return [*rows, later, mine]

        place.rewrite(plant)
        return place.open()

    def test_is_read_as_far_as_it_is_known(self, newer: LogStore, caplog: pytest.LogCaptureFixture) -> None:
        log = Log(newer)
        assert [entry.key for entry in log.entries()] == ["ALPACA/1/1", "ALPACA/2/1", "ALPACA/4/1"]
        assert "left out 1 entries" in caplog.text
        assert [entry.seq for entry in log.newer()] == [3]
        assert log.verify().seq == 4

    def test_is_not_written_to(self, newer: LogStore) -> None:
        newer.head()
        for batch in ([draft("5")], [draft("1")]):
            with pytest.raises(NewerSchemaError, match="upgrade it"):
                newer.append(batch)
        assert newer.head().seq == 4


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda text: not text.isspace()
)
DRAFTS = st.builds(
    draft,
    st.integers(0, 6),
    kind=st.sampled_from([Kind.FILL, Kind.MARK]),
    account_id=st.sampled_from(["acc", "b"]),
    ts=st.sampled_from([TS, TS + 1]),
    source=TEXTS,
    body=st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS, max_size=2),
)


class Twin:
    """The same promises, kept by a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str, str], Draft] = {}
        self.quarantined: set[tuple[object, ...]] = set()

    def append(self, drafts: list[Draft]) -> list[bool] | None:
        new, pending, refused = [], dict(self.kept), []
        for one in drafts:
            before = pending.setdefault(one.identity, one)
            new.append(before is one)
            if (before.ts, before.body_text) != (one.ts, one.body_text):
                known = self.kept.get(one.identity)
                refused.append((known is not None, one))
        if not refused:
            self.kept = pending
            return new
        self.quarantined |= {(*one.identity, one.ts, one.body_text) for _, one in refused}
        return None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(DRAFTS, max_size=4), max_size=6))
@pytest.mark.parametrize("kind", ["sqlite", "folder"])
def test_a_store_does_what_a_dictionary_would(
    kind: str, batches: list[list[Draft]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.ledger.log_tools import FolderPlace, SqlitePlace

    place = (SqlitePlace if kind == "sqlite" else FolderPlace)(tmp_path_factory.mktemp("log"))
    store, twin = place.open(), Twin()
    for batch in batches:
        expected = twin.append(batch)
        try:
            got = [one.new for one in store.append(batch)]
        except ConflictError:
            got = None
        assert got == expected
    entries = checked(store)
    facts = {entry.identity: entry for entry in entries if entry.kind is not Kind.QUARANTINE}
    assert facts.keys() == twin.kept.keys()
    assert all(facts[name].body == dict(kept.body) for name, kept in twin.kept.items())
    assert sum(entry.kind is Kind.QUARANTINE for entry in entries) == len(twin.quarantined)
    store.close()


def test_a_draft_is_checked_before_any_store_sees_it() -> None:
    with pytest.raises(LedgerError):
        replace(draft("1"), body={"price": 1.5})
