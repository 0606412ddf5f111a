"""What SQLite adds: triggers against every way to change a row, one file for many processes, and a fork."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from attribution.ledger.entry import CURRENT
from attribution.ledger.errors import ConflictError, CorruptLogError, StoreError
from attribution.ledger.log import Log
from attribution.ledger.store import sqlite as sqlite_module
from attribution.ledger.store import table as table_module
from attribution.ledger.store.sqlite import SqliteStore
from attribution.ledger.store.table import Table
from tests.ledger.log_tools import SqliteOpener, draft, start_writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "below" / "ledger.sqlite3"


@pytest.fixture
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """The file with two entries, in the hands of another program."""
    store = SqliteStore(path)
    store.append([draft("1"), draft("2")])
    store.close()
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


VALUES = "VALUES ({seq}, 'acc', 'fill', '{key}', 1, 0, '2026-01-02', 's', NULL, NULL, '{{}}', 'd', 'p')"


class TestTriggers:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE entries SET body = '{}' WHERE seq = 1",
            "UPDATE entries SET seq = 7 WHERE seq = 2",
            "DELETE FROM entries WHERE seq = 2",
            "DELETE FROM entries",
            "INSERT OR REPLACE INTO entries " + VALUES.format(seq=1, key="new"),
            "INSERT OR REPLACE INTO entries " + VALUES.format(seq=3, key="ALPACA/1/1"),
            "REPLACE INTO entries " + VALUES.format(seq=2, key="ALPACA/2/1"),
            "INSERT INTO entries " + VALUES.format(seq=0, key="before"),
            "INSERT INTO entries " + VALUES.format(seq=3, key="ALPACA/2/1"),
            "INSERT INTO entries " + VALUES.format(seq=3, key="x") + " ON CONFLICT DO UPDATE SET body = '{}'"
            " WHERE 1; UPDATE entries SET body = '{}'",
        ],
    )
    def test_abort_whatever_is_not_an_append(self, raw: sqlite3.Connection, path: Path, statement: str) -> None:
        before = raw.execute("SELECT * FROM entries").fetchall()
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.executescript(f"BEGIN; {statement}; COMMIT")
        raw.execute("ROLLBACK")
        assert raw.execute("SELECT * FROM entries").fetchall() == before
        assert Log(SqliteStore(path)).verify().seq == 2

    def test_types_are_strict(self, raw: sqlite3.Connection) -> None:
        with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT value in INTEGER column"):
            raw.execute("INSERT INTO entries " + VALUES.format(seq=3, key="x").replace(", 0, '2026", ", 'late', '2026"))


class TestTheFile:
    def test_every_commit_reaches_the_disk(self, path: Path) -> None:
        store = SqliteStore(path)
        with store._writer.table() as table:
            pragmas = {
                name: table.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "fullfsync")
            }
            assert pragmas == {"synchronous": 2, "fullfsync": 1}
            assert table.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"

    def test_its_user_version_is_that_of_the_newest_entry(self, raw: sqlite3.Connection) -> None:
        assert raw.execute("PRAGMA user_version").fetchone()[0] == CURRENT

    def test_another_programs_database_is_refused(self, tmp_path: Path) -> None:
        other = sqlite3.connect(tmp_path / "other.db")
        other.execute("CREATE TABLE people (name TEXT)")
        other.close()
        with pytest.raises(StoreError, match="belongs to another program"):
            SqliteStore(tmp_path / "other.db")

    def test_what_is_no_database_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "text.db").write_text("not a database, " * 100)
        with pytest.raises(CorruptLogError, match="not a database"):
            SqliteStore(tmp_path / "text.db")

    def test_a_folder_that_cannot_be_made_is_a_store_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreError, match="file"):
            SqliteStore(tmp_path / "file" / "ledger.sqlite3")

    def test_for_reading_nothing_is_made(self, path: Path) -> None:
        with pytest.raises(StoreError, match="there is no log"):
            SqliteStore(path, create=False)
        assert not path.parent.exists()

    def test_an_old_sqlite_is_refused(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(table_module.sqlite3, "sqlite_version_info", (3, 36, 0))
        with pytest.raises(StoreError, match=r"3\.37\.0 is needed"):
            SqliteStore(path)

    def test_a_log_that_is_locked_for_too_long_is_a_store_error(self, raw: sqlite3.Connection, path: Path) -> None:
        store = SqliteStore(path, busy_seconds=0.05)
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            store.append([draft("3")])
        assert [entry.seq for entry in store.entries()] == [1, 2]
        raw.execute("ROLLBACK")
        store.append([draft("3")])

    def test_no_write_ahead_log_is_refused(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        class Stubborn(sqlite3.Connection):
            def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
                return super().execute(sql.replace("= WAL", "= DELETE"), *rest)

        connect = sqlite3.connect
        monkeypatch.setattr(sqlite_module.sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Stubborn))
        with pytest.raises(StoreError, match="local disk"):
            SqliteStore(path)


class TestManyWriters:
    def test_everybody_may_be_the_one_who_makes_the_file(self, path: Path) -> None:
        start = threading.Barrier(8)

        def make(number: int) -> None:
            start.wait()
            SqliteStore(path).append([draft(number)])

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(make, range(8)))
        assert Log(SqliteStore(path)).verify().seq == 8

    def test_processes_may_make_the_file_at_once(self, path: Path, tmp_path: Path) -> None:
        writers = [start_writer(SqliteOpener(path), number, 0, 3, tmp_path / f"acks-{number}") for number in range(4)]
        for writer in writers:
            writer.join(60)
            assert writer.exitcode == 0
        assert Log(SqliteStore(path)).verify().seq == 3 * 5

    def test_threads_that_come_together_share_a_commit_and_nothing_else(self, path: Path) -> None:
        """While one commit is held up the others queue; one of them contradicts the log, and only that one fails."""
        store = SqliteStore(path)
        store.append([draft("known")])
        before = store.head()
        with ThreadPoolExecutor(6) as pool, store._writer.table():
            batches = [[draft(number), draft("shared")] for number in range(4)]
            batches += [[draft("known")], [draft("early"), draft("known", ts=0)]]
            futures = [pool.submit(store.append, batch) for batch in batches]
            while store._group.waiting < len(batches) - 1:
                time.sleep(0.001)
        *good, bad = futures
        told = [future.result() for future in good]
        with pytest.raises(ConflictError):
            bad.result()
        assert [appended[0].new for appended in told] == [True] * 4 + [False]
        assert sum(appended[1].new for appended in told[:4]) == 1
        assert len({appended[1].row.seq for appended in told[:4]}) == 1
        entries = list(store.entries(after=before.seq))
        assert sorted(entry.kind for entry in entries) == ["fill"] * 5 + ["quarantine"]
        assert Log(store).verify().seq == 1 + 6

    def test_of_those_that_come_together_each_hears_of_a_failure(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = SqliteStore(path)
        with monkeypatch.context() as patch, ThreadPoolExecutor(3) as pool:
            with store._writer.table():
                futures = [pool.submit(store.append, [draft(number)]) for number in range(3)]
                while store._group.waiting < 2:
                    time.sleep(0.001)

                def full(table: Table, rows: object) -> None:
                    raise sqlite3.OperationalError("database or disk is full")

                patch.setattr(Table, "add", full)
            for future in futures:
                with pytest.raises(StoreError, match="disk is full"):
                    future.result()
        assert not store._group.waiting
        assert store.append([draft(number) for number in range(3)])[2].row.seq == 3

    @pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_store_may_be_carried_through_a_fork(self, path: Path) -> None:
        store = SqliteStore(path)
        store.append([draft("before")])
        reading = store.entries()
        next(reading)

        def child() -> None:
            for number in range(20):
                store.append([draft(f"child-{number}")])

        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        for number in range(20):
            store.append([draft(f"parent-{number}")])
        process.join(60)
        assert process.exitcode == 0
        assert Log(store).verify().seq == 41
        assert len(list(store.entries())) == 41
