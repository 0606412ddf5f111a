"""What a worker does: one part of a file, from rows to results. The same function here, in a pool, on a cluster."""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from textwrap import shorten

import pyarrow as pa
import pyarrow.compute as pc

from attribution.dataset.columns import Choice
from attribution.dataset.errors import FileError
from attribution.dataset.parts import Part
from attribution.dataset.reading import empty_table, tables
from attribution.dataset.sources import identity_of
from attribution.dataset.writing import PartWriter, facts_of
from attribution.errors import AttributionError

__all__ = ["Done", "Failed", "Job", "Outcome", "TableFunction", "done_of", "run_part", "staged_path"]

_MOST_TOLD = 400
"""Characters of an error's message that are told: some of them quote whole rows."""

TableFunction = Callable[[pa.Table], pa.Table]
"""Trades in, results out: rows of one table do not depend on those of another."""


@dataclass(frozen=True)
class Job:
    """What all parts of a run have in common."""

    explain: TableFunction
    choice: Choice
    staging: str
    chunk_rows: int


@dataclass(frozen=True, slots=True)
class Done:
    """A part whose results lie in the staging folder. ``key``, ``index`` and ``count`` are its part's."""

    key: str
    index: int
    count: int
    rows: int
    results: int
    statuses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """A part that could not be done, and why."""

    reason: str


Outcome = Done | Failed


def staged_path(staging: str, key: str, index: int) -> str:
    """Where the results of a part lie until those of the whole file are complete."""
    return os.path.join(staging, key, f"part-{index:05d}.parquet")


def run_part(job: Job, part: Part) -> Outcome:
    """Explain one part of a file and leave its results in the staging folder; what is there already is not redone."""
    path = staged_path(job.staging, part.key, part.index)
    before = done_of(path)
    if before is not None:
        return before
    try:
        _refuse_changed(part)
        return _explain_part(job, part, path)
    except (AttributionError, OSError, ValueError, pa.ArrowException) as exc:
        return Failed(_told(part, exc))
    except Exception as exc:  # noqa: BLE001  # a fault of the program over one file is no reason to lose the others
        frame = traceback.extract_tb(exc.__traceback__)[-1]
        place = f"{os.path.basename(frame.filename)}:{frame.lineno}"
        return Failed(f"{type(exc).__name__} at {place}, a fault of the program: {_told(part, exc)}")


def done_of(path: str) -> Done | None:
    """Read what a finished part tells of itself; None where there is none."""
    facts = facts_of(path) if os.path.exists(path) else None
    if facts is None or facts.keys() != {item.name for item in fields(Done)}:
        return None
    return Done(**facts)


def _explain_part(job: Job, part: Part, path: str) -> Done:
    # All columns, read or not: a misspelt name is told of before any row is read.
    blank = empty_table(part)
    schema = job.explain(blank).schema
    rows = results = 0
    statuses: Counter[str] = Counter()
    with PartWriter(path, os.path.join(job.staging, "passing"), schema) as writer:
        for table in tables(part, job.chunk_rows, job.choice):
            explained = job.explain(table)
            writer.write(explained)
            rows += len(table)
            results += len(explained)
            statuses.update(_counts(explained.column("status")))
        _refuse_changed(part)
        if part.rows is not None and rows != part.rows:
            raise FileError(f"holds {rows:,} rows where its footer tells of {part.rows:,}")
        done = Done(part.key, part.index, part.count, rows, results, dict(sorted(statuses.items())))
        writer.commit(asdict(done))
    return done


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {str(entry["values"]): entry["counts"] for entry in pc.value_counts(column).to_pylist()}


def _refuse_changed(part: Part) -> None:
    if identity_of(part.file.path) != part.file.identity:
        raise FileError("was changed since the run began: run again when it is complete")


def _told(part: Part, exc: BaseException) -> str:
    """What went wrong, in one line, and where in the file it was."""
    text = shorten(str(exc), _MOST_TOLD, placeholder=" …") or type(exc).__name__
    if isinstance(exc, OSError) and exc.strerror:
        text = f"cannot be read or written: {exc.strerror}"
    if part.count == 1:
        return text
    return f"{text} [{part.file.form} part {part.index + 1} of {part.count}]"
