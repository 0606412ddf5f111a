"""Files that are whole or not there: corruption, crashes, and several processes at once."""

from __future__ import annotations

import multiprocessing
import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from attribution.market.history import HistoryBroker, HistoryFolder
from attribution.market.history import files as history_files
from attribution.market.history.files import SCHEMA, write_whole
from attribution.market.quotes import Bar, Bars, BarsOf, CloseOf, Missing, Price, PriceKind, Why
from tests.market.counting import MONDAY, NIFTY, TCS, CountingBarBroker, Time, at, bars_until

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

BARS, CLOSE = BarsOf(NIFTY, MONDAY), CloseOf(NIFTY, MONDAY)
WAIT = 60.0


def filled(path: Path) -> tuple[HistoryFolder, Path]:
    folder = HistoryFolder(path)
    bars = bars_until(MONDAY, at("2025-01-28 12:00"))
    assert isinstance(bars, Bars)
    return folder, folder.store_bars(BARS, bars)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def cut(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def flip(raw: bytes) -> bytes:
    """One bit in the middle of the data: only a checksum can tell."""
    return raw[:300] + bytes([raw[300] ^ 1]) + raw[301:]


@pytest.mark.parametrize(
    "damage", [cut, flip, lambda raw: b"", lambda raw: b"no parquet at all", lambda raw: bytes(len(raw))]
)
def test_a_corrupt_file_is_set_aside_and_fetched_again(tmp_path: Path, damage: Any) -> None:
    folder, path = filled(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    damaged = path.read_bytes()
    (answer,) = folder.minute_bars([BARS])
    assert isinstance(answer, Missing)
    assert str(path) in answer.reason
    assert "set aside as 20250127.bars.parquet.corrupt" in answer.reason
    assert names(path.parent) == ["20250127.bars.parquet.corrupt"]
    assert (path.parent / "20250127.bars.parquet.corrupt").read_bytes() == damaged

    time = Time()
    history = HistoryBroker(CountingBarBroker(time), folder, wall=time.wall)
    assert isinstance(history.minute_bars([BARS])[0], Bars)
    assert names(path.parent) == ["20250127.bars.parquet", "20250127.bars.parquet.corrupt"]


def test_if_it_cannot_be_fetched_again_the_reason_names_the_file(tmp_path: Path) -> None:
    folder, path = filled(tmp_path)
    path.write_bytes(b"")
    broker = CountingBarBroker(Time())
    broker.scripted[BARS] = Missing("too old for this vendor")
    (answer,) = HistoryBroker(broker, folder).minute_bars([BARS])
    assert isinstance(answer, Missing)
    assert str(path) in answer.reason
    assert answer.reason.endswith("; too old for this vendor")


def test_what_was_set_aside_before_is_not_lost(tmp_path: Path) -> None:
    folder, path = filled(tmp_path)
    for number in range(3):
        path.write_bytes(str(number).encode())
        folder.minute_bars([BARS])
    aside = ["20250127.bars.parquet.corrupt", "20250127.bars.parquet.corrupt2", "20250127.bars.parquet.corrupt3"]
    assert names(path.parent) == aside
    assert [(path.parent / name).read_bytes() for name in aside] == [b"0", b"1", b"2"]


def rewritten(path: Path, change: Any) -> None:
    table = parquet.read_table(path)
    parquet.write_table(change(table), path)


@pytest.mark.parametrize("fact", ["schema", "kind", "symbol", "exchange", "session"])
def test_a_file_that_says_it_is_another_is_not_believed(tmp_path: Path, fact: str) -> None:
    folder, path = filled(tmp_path)
    key = f"attribution.{fact}".encode()
    rewritten(path, lambda table: table.replace_schema_metadata({**table.schema.metadata, key: b"another"}))
    (answer,) = folder.minute_bars([BARS])
    assert isinstance(answer, Missing)
    assert f"its {fact} is 'another'" in answer.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.replace_schema_metadata(None), "its schema is None, not '1'"),
        (lambda t: t.drop_columns(["volume"]), "its columns are"),
        (lambda t: t.set_column(4, "close", t.column("close").cast(pyarrow.float32())), "of the agreed types"),
        (lambda t: t.set_column(4, "close", pyarrow.nulls(375, pyarrow.float64())), "a value is missing in it"),
        (lambda t: pyarrow.concat_tables([t, t]), "its minutes are not in order"),
    ],
)
def test_a_file_of_another_shape_is_not_believed(tmp_path: Path, change: Any, reason: str) -> None:
    folder, path = filled(tmp_path)
    rewritten(path, change)
    (answer,) = folder.minute_bars([BARS])
    assert isinstance(answer, Missing)
    assert reason in answer.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: pyarrow.concat_tables([t, t]), "it holds 2 closes"),
        (lambda t: t.set_column(1, "kind", pyarrow.array(["guess"])), "kind 'guess' is unknown"),
    ],
)
def test_a_close_of_another_shape_is_not_believed(tmp_path: Path, change: Any, reason: str) -> None:
    folder = HistoryFolder(tmp_path)
    rewritten(folder.store_close(CLOSE, Price(1.0, "x", PriceKind.CLOSE)), change)
    (answer,) = folder.closes([CLOSE])
    assert isinstance(answer, Missing)
    assert reason in answer.reason


def test_files_of_another_version_are_left_alone(tmp_path: Path) -> None:
    folder, path = filled(tmp_path)
    other = tmp_path / "v2" / path.relative_to(tmp_path / f"v{SCHEMA}")
    other.parent.mkdir(parents=True)
    path.rename(other)
    assert isinstance(folder.minute_bars([BARS])[0], Missing)
    assert other.exists()


def test_a_file_that_may_not_be_read_is_an_outage_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, path = filled(tmp_path)

    def refuse(self: Path, *args: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        (answer,) = folder.minute_bars([BARS])
    assert isinstance(answer, Missing)
    assert answer.why is Why.FAILED
    assert f"failed: {path} cannot be read" in answer.reason
    assert isinstance(folder.minute_bars([BARS])[0], Bars)


def test_a_file_that_was_replaced_while_it_was_read_is_not_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from attribution.market.history import folder as folders

    folder, path = filled(tmp_path)
    good = path.read_bytes()
    path.write_bytes(b"torn")
    read = folders.bars_from_bytes

    def and_meanwhile(raw: bytes, facts: Any) -> Bars:
        write_whole(path, good)  # another process has set it aside and fetched it again
        return read(raw, facts)

    with monkeypatch.context() as patch:
        patch.setattr(folders, "bars_from_bytes", and_meanwhile)
        (answer,) = folder.minute_bars([BARS])
    assert isinstance(answer, Missing)
    assert "meanwhile it was replaced" in answer.reason
    assert names(path.parent) == ["20250127.bars.parquet"]
    assert isinstance(folder.minute_bars([BARS])[0], Bars)


@pytest.mark.parametrize(
    ("error", "told"), [(FileNotFoundError, "set aside"), (PermissionError, "could not be set aside")]
)
def test_that_it_cannot_be_set_aside_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[OSError], told: str
) -> None:
    folder, path = filled(tmp_path)
    path.write_bytes(b"torn")

    def refuse(self: Path, target: Any) -> Any:
        raise error(1, "no")

    monkeypatch.setattr(Path, "rename", refuse)
    (answer,) = folder.minute_bars([BARS])
    assert isinstance(answer, Missing)
    assert told in answer.reason


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "file"
    write_whole(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(history_files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new and longer")
    assert path.read_bytes() == b"old"
    assert names(path.parent) == ["file"]


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen = tmp_path / "file", list[tuple[bool, int]]()
    monkeypatch.setattr(
        history_files.os, "fsync", lambda number: seen.append((path.exists(), os.fstat(number).st_size))
    )
    write_whole(path, b"whole")
    assert seen == [(False, 5)]


def test_what_a_crashed_writer_left_is_not_read(tmp_path: Path) -> None:
    folder, path = filled(tmp_path)
    path.rename(path.with_name(f".{path.name}.4711.deadbeef.tmp"))
    assert isinstance(folder.minute_bars([BARS])[0], Missing)


# ------------------------------------------------------------------------------------------------- several processes

ROUNDS = 25


def versions(number: int) -> Bars:
    """Bars of one session whose every value says which version they are."""
    start, value = at("2025-01-27 09:15"), float(number + 1)
    bars = (Bar(start + timedelta(minutes=i), value, value, value, value, value) for i in range(375))
    return Bars(tuple(bars), f"writer {number}", complete=True)


def write_again_and_again(path: str, number: int, start: Any) -> None:
    folder, bars = HistoryFolder(path), versions(number)
    start.wait(WAIT)
    for turn in range(ROUNDS):
        folder.store_bars(BARS, bars)
        folder.store_close(CloseOf(TCS, date(2025, 1, 1) + timedelta(days=turn)), Price(7.0, "x", PriceKind.CLOSE))


def read_again_and_again(path: str, start: Any, results: Any) -> None:
    folder, allowed = HistoryFolder(path), [versions(number) for number in range(2)]
    torn, seen = [], 0
    start.wait(WAIT)
    for _ in range(2 * ROUNDS):
        (found,) = folder.minute_bars([BARS])
        seen += 1
        if found not in allowed:
            torn.append(str(found)[:200])
    results.put((seen, torn))


def test_processes_that_read_and_write_at_once_never_see_a_torn_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    HistoryFolder(tmp_path).store_bars(BARS, versions(0))
    start, results = context.Barrier(4), context.Queue()
    path = str(tmp_path)
    processes = [context.Process(target=write_again_and_again, args=(path, i, start)) for i in range(2)]
    processes += [context.Process(target=read_again_and_again, args=(path, start, results)) for _ in range(2)]
    for process in processes:
        process.start()
    try:
        told = [results.get(timeout=WAIT) for _ in range(2)]
    finally:
        for process in processes:
            process.join(WAIT)
        results.close()
        results.join_thread()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert told == [(2 * ROUNDS, [])] * 2
    left = [file.name for file in tmp_path.rglob("*") if file.is_file()]
    assert not [name for name in left if not name.endswith(".parquet")]
    assert len(left) == 1 + ROUNDS


@pytest.mark.parametrize("place", ["metadata", "column"])
def test_bytes_that_are_no_text_are_corrupt(tmp_path: Path, place: str) -> None:
    folder, path = filled(tmp_path)
    raw = path.read_bytes()
    word = b"attribution.source" if place == "metadata" else b"volume"
    assert word in raw
    path.write_bytes(raw.replace(word, b"\xc3" + word[1:]))
    (answer,) = folder.minute_bars([BARS])
    assert isinstance(answer, Missing)
    assert names(path.parent) == ["20250127.bars.parquet.corrupt"]


def test_any_bit_of_the_footer_may_flip(tmp_path: Path) -> None:
    folder = HistoryFolder(tmp_path)
    path = folder.store_close(CLOSE, Price(23350.0, "acme", PriceKind.CLOSE, at("2025-01-27 15:30")))
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x80]) + whole[place + 1 :])
        (answer,) = folder.closes([CLOSE])
        assert isinstance(answer, Missing) or answer.value == 23350.0


def test_what_dead_writers_left_is_removed_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    _, path = filled(tmp_path)
    long_ago = path.stat().st_mtime - 2 * 86400.0
    old, young, foreign = ".20250124.close.parquet.77.0badcafe.tmp", ".x.78.0badcafe.tmp", ".keep.tmp"
    for name in (old, young, foreign):
        (path.parent / name).write_bytes(b"half")
        if name != young:
            os.utime(path.parent / name, (long_ago, long_ago))
    folder = HistoryFolder(tmp_path)
    folder.closes([CLOSE])
    assert old in names(path.parent)
    folder.store_close(CLOSE, Price(23350.0, "acme", PriceKind.CLOSE, None))
    stored = ["20250127.bars.parquet", "20250127.close.parquet"]
    assert names(path.parent) == sorted([young, foreign, *stored])
