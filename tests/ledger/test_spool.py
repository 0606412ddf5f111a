"""What waits while the log is down: kept, in order, shown, and in the log in the end."""

from __future__ import annotations

import errno
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from attribution.ledger.entry import Draft, Kind
from attribution.ledger.errors import ConflictError, CorruptLogError, NewerSchemaError, StoreError
from attribution.ledger.log import Log
from attribution.ledger.spool import SafeLog, Spool
from attribution.ledger.store.base import Appended
from attribution.ledger.store.sqlite import SqliteStore
from tests.ledger.log_tools import draft


class MoodyLog(Log):
    """A log that fails while ``trouble`` is set."""

    trouble: Exception | None = None
    asked = 0

    def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return super().append(drafts)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def log(tmp_path: Path) -> MoodyLog:
    return MoodyLog(SqliteStore(tmp_path / "ledger.sqlite3"))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def safe(log: MoodyLog, spool: Spool, clock: Clock) -> SafeLog:
    return SafeLog(log, spool, retry_seconds=5.0, clock=clock)


def keys(log: Log) -> list[str]:
    return [entry.key.split("/")[1] for entry in log.entries()]


class TestSpool:
    def test_gives_back_what_was_put(self, spool: Spool) -> None:
        batches = [[draft("1", correlation_id="run"), draft("2", kind=Kind.MARK)], [draft("ü ☂", body={"n": None})]]
        for batch in batches:
            spool.put(batch)
        assert [spool.read(path) for path in Spool(spool.folder).waiting()] == batches
        for path in spool.waiting():
            spool.done(path)
        assert spool.waiting() == []

    def test_several_may_put_at_once(self, spool: Spool) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: Spool(spool.folder).put([draft(number)]), range(40)))
        found = {one.key for path in spool.waiting() for one in spool.read(path)}
        assert found == {draft(number).key for number in range(40)}

    @pytest.mark.parametrize("kept", [0, 1, 40, -2, -1])
    def test_a_torn_file_is_known(self, spool: Spool, kept: int) -> None:
        spool.put([draft("1")])
        (path,) = spool.waiting()
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(CorruptLogError):
            spool.read(path)

    @pytest.mark.parametrize(
        ("old", "new"), [("175.32", "175.33"), ('"fill"', '"novel"'), ('"drafts":[', '"drafts":[ ')]
    )
    def test_an_altered_file_is_known(self, spool: Spool, old: str, new: str) -> None:
        spool.put([draft("1")])
        (path,) = spool.waiting()
        path.write_text(path.read_text().replace(old, new))
        with pytest.raises(CorruptLogError):
            spool.read(path)

    def test_damaged_files_keep_their_distance(self, spool: Spool) -> None:
        for _ in range(2):
            spool.put([draft("1")])
            spool.set_aside(spool.waiting()[0])
        assert spool.waiting() == []
        assert len(spool.damaged()) == 2


class TestSafeLog:
    def test_a_log_that_works_gets_it_at_once(self, safe: SafeLog, log: MoodyLog, spool: Spool) -> None:
        recorded = safe.record([draft("1")])
        assert recorded.in_log
        assert [one.new for one in recorded.appended] == [True]
        assert safe.health().ok
        assert not spool.folder.exists()
        assert keys(log) == ["1"]

    @pytest.mark.parametrize(
        "trouble", [StoreError("S3 is down"), CorruptLogError("a gap"), NewerSchemaError("upgrade")]
    )
    def test_what_a_broken_log_refuses_waits_and_is_seen_to(
        self,
        safe: SafeLog,
        log: MoodyLog,
        spool: Spool,
        clock: Clock,
        caplog: pytest.LogCaptureFixture,
        trouble: Exception,
    ) -> None:
        log.trouble = trouble
        recorded = safe.record([draft("1")])
        assert not recorded.in_log
        assert recorded.error == f"{type(trouble).__name__}: {trouble}"
        health = safe.health()
        assert (health.ok, health.waiting, health.in_memory, health.last_error) == (False, 1, 0, recorded.error)
        assert "1 entries wait" in caplog.text
        assert str(trouble) in caplog.text
        log.trouble = None
        clock.now = 5.0
        assert safe.record([draft("2")]).in_log
        assert keys(log) == ["1", "2"]
        assert safe.health().ok

    def test_the_order_is_kept_while_others_wait(self, safe: SafeLog, log: MoodyLog, clock: Clock) -> None:
        log.trouble = StoreError("down")
        safe.record([draft("1")])
        log.trouble = None
        assert not safe.record([draft("2")]).in_log
        assert keys(log) == []
        clock.now = 5.0
        assert safe.record([draft("3")]).in_log
        assert keys(log) == ["1", "2", "3"]

    def test_a_log_that_does_not_answer_does_not_hold_up_every_fill(
        self, safe: SafeLog, log: MoodyLog, clock: Clock
    ) -> None:
        log.trouble = StoreError("timed out after 10 s")
        for number in range(100):
            safe.record([draft(number)])
        assert log.asked == 1
        clock.now = 5.0
        safe.record([draft("again")])
        assert log.asked == 2
        assert safe.health().waiting == 101
        log.trouble = None
        assert safe.replay().ok
        assert keys(log) == [*map(str, range(100)), "again"]

    def test_a_log_that_fails_slowly_is_left_alone_for_longer(
        self, safe: SafeLog, log: MoodyLog, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def slow(drafts: Sequence[Draft]) -> list[Appended]:
            log.asked += 1
            clock.now += 30.0
            raise StoreError("no answer for 30 seconds")

        monkeypatch.setattr(log, "append", slow)
        safe.record([draft("1")])
        clock.now = 30.0 + 4 * 30.0 - 1.0
        safe.record([draft("2")])
        assert log.asked == 1
        clock.now += 1.0
        safe.record([draft("3")])
        assert log.asked == 2
        assert safe.health().waiting == 3

    def test_a_new_process_finds_what_waits(self, safe: SafeLog, log: MoodyLog, spool: Spool) -> None:
        log.trouble = StoreError("down")
        safe.record([draft("1"), draft("2")])
        log.trouble = None
        again = SafeLog(log, Spool(spool.folder))
        assert again.health().waiting == 1
        assert again.record([draft("3")]).in_log
        assert keys(log) == ["1", "2", "3"]

    def test_what_had_landed_after_all_is_not_entered_twice(self, safe: SafeLog, log: MoodyLog, clock: Clock) -> None:
        log.store.append([draft("1")])
        log.trouble = StoreError("the answer was lost")
        safe.record([draft("1")])
        log.trouble = None
        assert safe.replay().ok
        assert keys(log) == ["1"]

    def test_a_contradiction_goes_to_quarantine_and_stays_in_sight(
        self, safe: SafeLog, log: MoodyLog, caplog: pytest.LogCaptureFixture
    ) -> None:
        safe.record([draft("1")])
        recorded = safe.record([draft("1", body={"price": "1"})])
        assert not recorded.in_log
        assert recorded.error is not None
        assert "quarantine" in recorded.error
        health = safe.health()
        assert (health.ok, health.conflicts, health.waiting) == (False, 1, 0)
        assert "refused a contradiction" in caplog.text
        assert [entry.kind for entry in log.entries()] == [Kind.FILL, Kind.QUARANTINE]

    def test_a_contradiction_that_waited_does_not_hold_up_what_comes_after(
        self, safe: SafeLog, log: MoodyLog, clock: Clock
    ) -> None:
        safe.record([draft("1")])
        log.trouble = StoreError("down")
        for one in (draft("1", body={"price": "1"}), draft("2")):
            safe.record([one])
        log.trouble = None
        health = safe.replay()
        assert (health.waiting, health.conflicts) == (0, 1)
        assert [entry.kind for entry in log.entries()] == [Kind.FILL, Kind.QUARANTINE, Kind.FILL]

    def test_a_torn_file_is_set_aside_and_stays_in_sight(
        self, safe: SafeLog, log: MoodyLog, spool: Spool, caplog: pytest.LogCaptureFixture
    ) -> None:
        log.trouble = StoreError("down")
        for number in range(3):
            safe.record([draft(number)])
        torn = spool.waiting()[1]
        torn.write_bytes(torn.read_bytes()[:-20])
        log.trouble = None
        health = safe.replay()
        assert keys(log) == ["0", "2"]
        assert (health.ok, health.waiting, health.damaged) == (False, 0, 1)
        assert "set aside" in caplog.text
        assert spool.damaged()[0].read_bytes()

    def test_when_the_disk_is_full_too_it_is_kept_in_memory_and_shouted_about(
        self,
        safe: SafeLog,
        log: MoodyLog,
        spool: Spool,
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def full(drafts: Sequence[Draft]) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        log.trouble = StoreError("database or disk is full")
        monkeypatch.setattr(spool, "put", full)
        for number in range(2):
            assert not safe.record([draft(number)]).in_log
        assert safe.health().in_memory == 2
        assert safe.health().spool_error == "OSError: [Errno 28] No space left on device"
        shout = [record for record in caplog.records if record.levelno == logging.CRITICAL]
        assert len(shout) == 2
        assert draft("1").key in shout[1].getMessage()
        monkeypatch.undo()
        safe.record([draft("2")])
        health = safe.health()
        assert (health.in_memory, health.waiting) == (0, 3)
        log.trouble = None
        assert safe.replay().ok
        assert keys(log) == ["0", "1", "2"]

    def test_what_is_in_memory_goes_to_the_disk_at_the_latest_when_it_is_closed(
        self, safe: SafeLog, log: MoodyLog, spool: Spool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(drafts: Sequence[Draft]) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        log.trouble = StoreError("down")
        with monkeypatch.context() as patch:
            patch.setattr(spool, "put", full)
            safe.record([draft("1")])
        safe.close()
        assert len(spool.waiting()) == 1
        assert (safe.health().in_memory, safe.health().spool_error) == (0, None)

    def test_closing_opens_nothing(self, spool: Spool) -> None:
        def opened() -> Log:
            raise StoreError("no server")

        SafeLog(opened, spool).close()

    def test_a_log_that_cannot_be_opened_is_tried_again(self, log: MoodyLog, spool: Spool, clock: Clock) -> None:
        attempts = []

        def opened() -> Log:
            attempts.append(clock.now)
            if len(attempts) < 3:
                raise StoreError("no network yet")
            return log

        safe = SafeLog(opened, spool, clock=clock)
        for now in (0.0, 1.0, 5.0, 6.0):
            clock.now = now
            assert not safe.record([draft(now)]).in_log
        assert attempts == [0.0, 5.0]
        with pytest.raises(ConflictError):
            log.append([draft("x"), draft("x", ts=1)])
        clock.now = 10.0
        assert safe.record([draft("last")]).in_log
        assert keys(log)[1:] == ["0.0", "1.0", "5.0", "6.0", "last"]
        safe.close()

    def test_threads_may_share_it(self, safe: SafeLog, log: MoodyLog, clock: Clock) -> None:
        def record(number: int) -> None:
            log.trouble = StoreError("now and then") if number % 7 == 3 else None
            clock.now += 6.0
            safe.record([draft(number)])

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(record, range(80)))
        log.trouble = None
        assert safe.replay().ok
        assert sorted(keys(log), key=int) == [str(number) for number in range(80)]
        log.verify()
