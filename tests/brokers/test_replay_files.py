"""Recorded files that cannot be read, or not yet, or no longer."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from attribution.market.quotes import Missing, Price, QuoteOf, Why
from brokers.replay import FileError, ReplayBroker
from brokers.replay.cache import FileCache
from tests.brokers.test_replay import BHAVCOPY, CALL, FILES, SHARE, at, only, write_files

GOOD_BAR = "2025-01-27 09:15:00,1,1,1,1\n"
BAD: dict[str, tuple[str, str, str]] = {
    "no column": ("closes/a.csv", "symbol,close\n", "line 1: no column session; there are symbol, close"),
    "no header": ("closes/a.csv", "", "line 1: is empty"),
    "not a number": (
        "closes/a.csv",
        "symbol,session,close\nTCS_STK___,2025-01-27,x\n",
        "line 2, column close: 'x' is not a number",
    ),
    "infinite": (
        "closes/a.csv",
        "symbol,session,close\nTCS_STK___,2025-01-27,inf\n",
        "column close: 'inf' is not finite",
    ),
    "negative": ("closes/a.csv", "symbol,session,close\nTCS_STK___,2025-01-27,-1\n", "column close: -1 is negative"),
    "no date": (
        "closes/a.csv",
        "symbol,session,close\nTCS_STK___,Monday,1\n",
        "line 2, column session: 'Monday' is not",
    ),
    "no symbol": ("closes/a.csv", "symbol,session,close\nTCS,2025-01-27,1\n", "line 2, column symbol: symbol='TCS'"),
    "no exchange": (
        "closes/a.csv",
        "symbol,session,close,exchange\nTCS_STK___,2025-01-27,1,MARS\n",
        "line 2, column symbol: exchange='MARS'",
    ),
    "twice": (
        "closes/a.csv",
        "symbol,session,close\nTCS_STK___,2025-01-27,1\n\nTCS_STK___,2025-01-27,2\n",
        "line 4, column close: TCS_STK___ on 2025-01-27 was given before, and otherwise",
    ),
    "short line": (
        "closes/a.csv",
        "symbol,session,close\nTCS_STK___,2025-01-27\n",
        "column close: the line has only 2",
    ),
    "no instant": (
        "bars/NSE/TCS_STK___/2025-01-27.csv",
        f"start,open,high,low,close\n{GOOD_BAR}09:16,1,1,1,1\n",
        "line 3, column start: instant='09:16'",
    ),
    "no price": (
        "bars/NSE/TCS_STK___/2025-01-27.csv",
        "start,open,high,low,close\n2025-01-27 09:15:00,1,,1,1\n",
        "line 2, column high: a number is needed",
    ),
    "no session in the name": ("bars/NSE/TCS_STK___/monday.csv", "", "its name must hold the session"),
    "wrong day": (
        "bhavcopy/2025-01-27.csv",
        BHAVCOPY,
        "line 2, column TradDt: 2025-01-28 in a file of 2025-01-27",
    ),
    "unknown layout": ("bhavcopy/2025-01-27.csv", "a,b\n1,2\n", "line 1: no known layout begins with the columns a, b"),
    "a column too few": (
        "bhavcopy/2025-01-28.csv",
        BHAVCOPY.replace("SttlmPric", "Other"),
        "line 1: no column SttlmPric",
    ),
    "a right": ("bhavcopy/2025-01-28.csv", BHAVCOPY.replace(",PE,", ",XE,"), "line 3, column OptnTp: 'XE'"),
    "a strike": ("bhavcopy/2025-01-28.csv", BHAVCOPY.replace("23500.00", "0"), "line 2, column StrkPric"),
    "a side": ("fills/a.csv", "order_id,symbol,price,side\n1,TCS_STK___,1,buy\n", "line 2, column side: 'buy'"),
    "no id": ("fills/a.csv", "symbol,price,side\nTCS_STK___,1,entry\n", "line 2, column order_id: an order id"),
    "quotes without a time": (
        "quotes/2025-01-27.csv",
        "symbol,time,last\nTCS_STK___,,1\n",
        "line 2, column time: None",
    ),
    "no recording": ("answers/1.jsonl", '{"asked": "quotes"}\n', "line 1: is no recorded answer"),
    "not gzip": ("closes/a.csv.gz", "", "cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_told_by_file_line_and_column(tmp_path: Path, name: str) -> None:
    file, text, told = BAD[name]
    if name == "not gzip":
        (tmp_path / "closes").mkdir()
        (tmp_path / file).write_bytes(b"\x1f\x8bxxxx")
    else:
        write_files(tmp_path, {file: text})
    (problem,) = ReplayBroker(tmp_path).check()
    assert problem.startswith(str(tmp_path / file))
    assert told in problem


def test_a_bad_file_fails_those_who_need_it(tmp_path: Path) -> None:
    write_files(tmp_path, FILES | {"quotes/2025-01-28.csv": "symbol,time,last\nTCS_STK___,noon,1\n"})
    broker = ReplayBroker(tmp_path)
    good, bad = broker.quotes([QuoteOf(CALL, at("2025-01-27 10:01")), QuoteOf(SHARE, at("2025-01-28 10:01"))])
    assert isinstance(good, Price)
    assert isinstance(bad, Missing)
    assert bad.why is Why.FAILED
    assert "2025-01-28.csv, line 2, column time: instant='noon'" in bad.reason
    # It is asked again, and answers the same.
    assert broker.quotes([QuoteOf(SHARE, at("2025-01-28 10:01"))]) == [bad]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    broker = ReplayBroker(tmp_path / "none")
    answer = only(broker.quotes([QuoteOf(CALL, at("2025-01-27 10:01"))]))
    assert answer == Missing(f"failed: {tmp_path / 'none'}: no such folder", Why.FAILED)
    assert not broker.health().reachable


def test_nothing_is_read_before_it_is_needed(tmp_path: Path) -> None:
    broker = ReplayBroker(tmp_path / "later")
    write_files(tmp_path / "later", FILES | {"quotes/2025-01-29.csv": "rubbish"})
    assert isinstance(only(broker.quotes([QuoteOf(CALL, at("2025-01-27 10:01"))])), Price)
    assert broker.health().detail == "bars 1, quotes 2, exchange 3, closes 1, fills 1, answers 0, ignored 1, unplaced 0"


def test_the_cache_forgets_what_was_used_longest_ago() -> None:
    cache = FileCache(5)
    parsed: list[str] = []

    def parse(name: str) -> Callable[[], list[int]]:
        return lambda: parsed.append(name) or [1, 2]  # type: ignore[func-returns-value]

    for name in ("a", "b", "a", "c", "a", "b"):
        cache.get(name, parse(name))
        assert len(cache) <= 5
    assert parsed == ["a", "b", "c", "b"]

    def bad() -> list[int]:
        parsed.append("bad")
        raise FileError(Path("x"), "wrong")

    for _ in range(2):
        with pytest.raises(FileError, match="x: wrong"):
            cache.get("bad", bad)
    assert parsed.count("bad") == 1
    cache.clear()
    assert len(cache) == 0


def encrypted(packed: bytearray) -> None:
    packed[6] |= 1
    packed[packed.rfind(b"PK\x01\x02") + 8] |= 1


def of_a_later_method(packed: bytearray) -> None:
    packed[8] = packed[packed.rfind(b"PK\x01\x02") + 10] = 99


def garbled(packed: bytearray) -> None:
    first = packed.find(b"a.csv") + 5
    packed[first : first + 20] = bytes(byte ^ 0xFF for byte in packed[first : first + 20])


@pytest.mark.parametrize("damage", [encrypted, of_a_later_method, garbled])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_cannot_be_unpacked(tmp_path: Path, damage: Callable[[bytearray], None], method: int) -> None:
    path = tmp_path / "closes" / "a.csv.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.csv", "symbol,session,close\nTCS_STK___,2025-01-27,4000\n" * 3)
    packed = bytearray(path.read_bytes())
    damage(packed)
    path.write_bytes(packed)
    (problem,) = ReplayBroker(tmp_path).check()
    assert f"{path}: cannot be read" in problem
