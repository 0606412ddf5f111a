"""What a run tells: how far it is while it runs, and afterwards what became of every file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["DatasetSummary", "FailedFile", "Progress"]


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that could not be read or explained; nothing of it is in the target."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: files, input bytes and rows of this run; what an earlier one had done is not counted."""

    files: int
    files_total: int
    failed: int
    bytes: int
    bytes_total: int
    rows: int
    seconds: float

    @property
    def fraction(self) -> float:
        """Share of the input that is done, by its size. [0, 1]"""
        return self.bytes / self.bytes_total if self.bytes_total else 1.0

    @property
    def rows_per_second(self) -> float:
        """Rows explained per second so far; NaN before the first."""
        return self.rows / self.seconds if self.rows and self.seconds > 0.0 else float("nan")

    @property
    def seconds_left(self) -> float:
        """Time to the end if it goes on like this; NaN before the first part is done. [seconds]"""
        return self.seconds * (1.0 / self.fraction - 1.0) if self.bytes else float("nan")


@dataclass(frozen=True)
class DatasetSummary:
    """What became of the files of a source.

    Attributes
    ----------
    target
        The folder that holds the results.
    files, skipped
        Files that this run explained, and those that an earlier run already had.
    failures
        Files that could not be read or explained, each with its reason; nothing of them is in the target.
    rows, results
        Rows read and rows written for all files in the target, by this run and earlier ones.
    statuses
        How many results have which status, likewise; see :class:`~attribution.Status`.
    rows_now, seconds
        Rows that this run read, and how long it took. [seconds]
    ignored
        Files of the source that are neither Parquet nor CSV.
    others
        Inputs of earlier runs that this source does not name; their results are still in the target.
    """

    target: str
    files: int
    skipped: int
    failures: tuple[FailedFile, ...]
    rows: int
    results: int
    statuses: Mapping[str, int]
    rows_now: int
    seconds: float
    ignored: tuple[str, ...] = ()
    others: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether every file of the source has its results in the target."""
        return not self.failures

    @property
    def rows_per_second(self) -> float:
        """Rows that this run explained per second; NaN where there were none."""
        return self.rows_now / self.seconds if self.rows_now and self.seconds > 0.0 else float("nan")

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {status}" for status, count in self.statuses.items()) or "no rows"
        lines = [f"{self.target}: {self.files + self.skipped:,} files, {self.rows:,} rows: {counts}"]
        if self.rows_now:
            done = f"{self.files:,} files with {self.rows_now:,} rows"
            lines.append(f"this run: {done} in {self.seconds:.1f} s, {self.rows_per_second:,.0f} rows/s")
        lines += [f"failed: {failure}" for failure in self.failures]
        return "\n".join(lines)
