"""CSV exports as rows with line numbers, and the texts in them as exact numbers and instants."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from attribution.errors import AttributionError
from attribution.ledger.errors import InvalidRecordError

__all__ = ["Cells", "ImportFileError", "Line", "amount_of", "epoch_ns", "instant_of", "read_lines"]

Cells = Mapping[str, str]

_NOTHING = frozenset({"", "--", "-", "n/a", "nan", "none", "null"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ImportFileError(AttributionError):
    """A file that cannot be imported at all; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a file: where it begins, its cells by header, and what is wrong with its shape."""

    number: int
    cells: Cells
    problem: str | None = None

    def text(self, header: str) -> str:
        """The cell under a header; empty where there is none."""
        return self.cells.get(header, "")


def read_lines(source: Path | str | Iterable[str], needed: Iterable[str]) -> list[Line]:
    """Read a CSV export: a path, or the lines of an open file.

    Raises
    ------
    ImportFileError
        The file cannot be read, is no CSV text in UTF-8, or lacks one of the ``needed`` headers.
    """
    name, text = _text_of(source)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begin = 1
    header: list[str] = []
    lines: list[Line] = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells):
                if not header:
                    header = cells
                    _require_headers(name, header, needed)
                else:
                    lines.append(_line(begin, cells, header))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise ImportFileError(f"{name}:{begin}: not a CSV row: {error}") from error
    if not header:
        raise ImportFileError(f"{name}: the file is empty; its first line must name columns: {', '.join(needed)}")
    return lines


def _text_of(source: Path | str | Iterable[str]) -> tuple[str, str]:
    if not isinstance(source, Path | str):
        return "the export", "".join(source)
    try:
        return str(source), Path(source).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ImportFileError(f"{source}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ImportFileError(f"{source}: byte {error.start} is not UTF-8 text: export it as CSV in UTF-8") from error


def _require_headers(name: str, header: list[str], needed: Iterable[str]) -> None:
    for column in needed:
        if column not in header:
            raise ImportFileError(f"{name}: no column {column!r}; the columns are {', '.join(header)}")


def _line(number: int, cells: list[str], header: list[str]) -> Line:
    problem = None if len(cells) == len(header) else f"{len(cells)} cells where the header has {len(header)}"
    return Line(number, dict(zip(header, cells, strict=False)), problem)


def amount_of(field: str, text: str) -> Decimal | None:
    """The exact number in a cell, thousands separators and a currency sign allowed; None where it says nothing.

    Raises
    ------
    InvalidRecordError
        The cell holds something else.
    """
    plain = text.replace(",", "").replace("$", "").replace(" ", "")
    if plain.lower() in _NOTHING:
        return None
    if plain.startswith("(") and plain.endswith(")"):  # accountants' minus
        plain = f"-{plain[1:-1]}"
    try:
        value = Decimal(plain)
    except InvalidOperation:
        raise InvalidRecordError(field, text, "a number such as -1234.5") from None
    if not value.is_finite():
        raise InvalidRecordError(field, text, "a finite number")
    return value


def instant_of(field: str, text: str, zone: Any = UTC) -> datetime:
    """The instant in a cell, in ISO form; without a zone it is read in ``zone``.

    Raises
    ------
    InvalidRecordError
        The cell holds something else.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRecordError(field, text, "an instant such as 2021-07-07T19:24:00+0000") from None
    return instant.replace(tzinfo=zone) if instant.tzinfo is None else instant


def epoch_ns(instant: datetime) -> int:
    """Nanoseconds since 1970-01-01 UTC, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1000
