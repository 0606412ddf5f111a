"""The log over a store: what its context manager, its order and its words do. The proofs are in ``test_stores``."""

from __future__ import annotations

from pathlib import Path

import pytest

from attribution.ledger.entry import Head, Kind
from attribution.ledger.errors import CorruptLogError
from attribution.ledger.log import Log
from attribution.ledger.store.sqlite import SqliteStore
from tests.ledger.log_tools import draft


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(SqliteStore(tmp_path / "ledger.sqlite3"))


def test_entries_can_be_followed(log: Log) -> None:
    log.append([draft("1"), draft("2")])
    seen = log.head()
    log.append([draft("3"), draft("4", kind=Kind.MARK)])
    assert [entry.seq for entry in log.entries(after=seen.seq)] == [3, 4]
    assert [entry.seq for entry in log.entries(after=seen.seq, kinds={Kind.MARK})] == [4]
    assert [entry.seq for entry in log.entries(limit=1)] == [1]


def test_a_good_log_verifies_against_every_head_it_had(log: Log) -> None:
    heads = [log.head()]
    for number in range(5):
        log.append([draft(number)])
        heads.append(log.head())
    assert all(log.verify(head) == heads[-1] for head in heads)


def test_another_history_of_the_same_length_is_found(log: Log, tmp_path: Path) -> None:
    other = Log(SqliteStore(tmp_path / "other.sqlite3"))
    log.append([draft("1"), draft("2")])
    other.append([draft("1"), draft("3")])
    with pytest.raises(CorruptLogError, match="entry 2 is not the one that was there"):
        other.verify(log.head())
    with pytest.raises(CorruptLogError, match="entry 1 is not"):
        log.verify(Head(1, "0" * 64))


def test_the_same_facts_in_the_same_order_are_the_same_log_on_every_machine(log: Log, tmp_path: Path) -> None:
    log.append([draft("1"), draft("2")])
    other = Log(SqliteStore(tmp_path / "other.sqlite3"))
    other.append([draft("1")])
    other.append([draft("2")])
    assert log.head() == other.head()


def test_a_log_is_closed_by_its_block(tmp_path: Path) -> None:
    with Log(SqliteStore(tmp_path / "ledger.sqlite3")) as log:
        log.append([draft("1")])
        assert (tmp_path / "ledger.sqlite3-wal").exists()
    assert not (tmp_path / "ledger.sqlite3-wal").exists()
    assert "ledger.sqlite3" in repr(log)
