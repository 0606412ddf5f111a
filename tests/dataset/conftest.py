"""Files of trades, results read back, and what a target looks like from outside."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution.dataset import parts, work
from tests.dataset.books import book

ALL = pa.concat_tables([book(40, 1), book(30, 2), book(20, 3)])
"""The trades of ``source``, in the order of its files."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three Parquet files of 40, 30 and 20 trades, two of them in a folder below."""
    folder = tmp_path / "in"
    (folder / "b").mkdir(parents=True)
    pq.write_table(book(40, 1), folder / "a.parquet", row_group_size=7)
    pq.write_table(book(30, 2), folder / "b" / "b.parquet", row_group_size=11)
    pq.write_table(book(20, 3), folder / "b" / "c.parquet")
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where results go; not there yet."""
    return tmp_path / "out"


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut files as if they were big: ten rows or half a kilobyte to a part."""
    monkeypatch.setattr(parts, "PART_ROWS", 10)
    monkeypatch.setattr(parts, "PART_BYTES", 512)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of the file of every part that this process explains; not of those that are there already."""
    seen: list[str] = []
    explain = work._explain_part

    def count(job: work.Job, part: parts.Part, path: str) -> work.Done:
        seen.append(part.file.name)
        return explain(job, part, path)

    monkeypatch.setattr(work, "_explain_part", count)
    return seen


def results(target: Path) -> pa.Table:
    """All results, in the order of their files."""
    return pa.concat_tables([pq.ParquetFile(path).read() for path in outputs(target)], promote_options="permissive")


def outputs(target: Path) -> list[Path]:
    """The files of results, in order."""
    return sorted(path for path in target.rglob("*.parquet") if "_attribution" not in path.parts)


def same(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables hold the same rows, to the last bit; unknown numbers are the same unknown."""
    return one.equals(other) or [repr(row) for row in one.to_pylist()] == [repr(row) for row in other.to_pylist()]


def look_of(target: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder with its size and the time of its last change."""
    found = (path for path in target.rglob("*") if path.is_file())
    return {str(path.relative_to(target)): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}
