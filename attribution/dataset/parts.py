"""A file cut into parts: the unit that one worker does in one go, and that an interrupted run need not do again.

Where the cuts lie depends on the file alone, never on the workers or on how many rows are held in memory.
"""

from __future__ import annotations

import codecs
import csv
import os
from dataclasses import dataclass
from typing import BinaryIO

from attribution.dataset.errors import FileError
from attribution.dataset.sources import Form, InputFile

__all__ = ["PART_BYTES", "PART_ROWS", "Part", "csv_header", "cut", "named_columns"]

PART_ROWS = 1_000_000
"""Rows of a part of a Parquet file, unless one row group has more: it takes a second or so."""

PART_BYTES = 32 << 20
"""Size of a part of a CSV file, to the end of the row. [bytes]"""

_MOST_HEADER = 1 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """Row groups (Parquet) or bytes (CSV) of a file from ``start`` up to ``stop``; None: to its end.

    ``key`` names the file, its identity and the options in one word; ``weight`` is the part's share of the file's
    size [bytes]; ``rows`` is known of Parquet only.
    """

    file: InputFile
    key: str
    index: int
    count: int
    start: int
    stop: int | None
    weight: int
    rows: int | None = None


def cut(file: InputFile, key: str) -> list[Part]:
    """Cut a file into its parts, at least one.

    Raises
    ------
    FileError
        It is not what its name says.
    """
    if file.form is Form.PARQUET:
        return _cut_parquet(file, key)
    if file.form is Form.CSV:
        return _cut_csv(file, key)
    return [Part(file, key, 0, 1, 0, None, file.size)]


def _cut_parquet(file: InputFile, key: str) -> list[Part]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        facts = pq.read_metadata(file.path)
    except (OSError, pa.ArrowException) as exc:
        raise FileError(f"is no readable Parquet file: {exc}") from exc
    sizes = [facts.row_group(i).num_rows for i in range(facts.num_row_groups)]
    spans = _spans(sizes)
    parts = []
    for index, (start, stop) in enumerate(spans):
        rows = sum(sizes[start:stop])
        weight = file.size * rows // facts.num_rows if facts.num_rows else file.size
        parts.append(Part(file, key, index, len(spans), start, stop, weight, rows))
    return parts


def _spans(sizes: list[int]) -> list[tuple[int, int]]:
    """Neighbouring row groups that have up to ``PART_ROWS`` rows together."""
    spans: list[tuple[int, int]] = []
    start, rows = 0, 0
    for i, size in enumerate(sizes):
        if i > start and rows + size > PART_ROWS:
            spans.append((start, i))
            start, rows = i, 0
        rows += size
    return [*spans, (start, len(sizes))]


def _cut_csv(file: InputFile, key: str) -> list[Part]:
    try:
        _, begin = csv_header(file.path)
        ends = _ends_of_rows(file.path, begin)
    except OSError as exc:
        raise FileError(f"cannot be read: {exc.strerror or exc}") from exc
    starts = [begin, *ends[:-1]]
    spans = list(zip(starts, ends, strict=True))
    return [Part(file, key, index, len(spans), start, stop, stop - start) for index, (start, stop) in enumerate(spans)]


def _ends_of_rows(path: str, begin: int) -> list[int]:
    """Ends of rows about every ``PART_BYTES``; a line's end between quotes ends no row."""
    ends = []
    with open(path, "rb") as text:
        text.seek(begin)
        while block := text.read(PART_BYTES):
            quotes = block.count(b'"')
            for line in text:
                quotes += line.count(b'"')
                if quotes % 2 == 0:
                    break
            ends.append(text.tell())
    return ends or [begin]


def csv_header(path: str) -> tuple[list[str], int]:
    """Column names of a CSV file, and where its rows begin. [bytes]

    Blank lines and lines of ``#`` above the names are passed over.

    Raises
    ------
    FileError
        There is no header, or it is not UTF-8 text separated by commas.
    """
    with open(path, "rb") as text:
        while line := _line_of(text).removeprefix(codecs.BOM_UTF8):
            if not line.strip() or line.startswith(b"#"):
                continue
            try:
                names = next(csv.reader([line.decode()]))
            except (UnicodeDecodeError, csv.Error) as exc:
                raise FileError(f"its first line is no header in UTF-8: {exc}") from exc
            return named_columns(names), text.tell()
    raise FileError(f"{os.path.basename(path)} is empty: the first line must name columns")


def _line_of(text: BinaryIO) -> bytes:
    """Read a line, which may end as old Macs had it: with a carriage return alone."""
    begin = text.tell()
    line = text.readline(_MOST_HEADER)
    head, mark, rest = line.partition(b"\r")
    if not mark or rest in (b"", b"\n") or b'"' in head:
        return line
    text.seek(begin + len(head) + 1)
    return head + mark


def named_columns(names: list[str]) -> list[str]:
    """Return the names of the columns without blanks around them.

    Raises
    ------
    FileError
        They are not separated by commas.
    """
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        raise FileError("the columns are not separated by commas: save the file as comma-separated")
    return [name.strip() for name in names]
