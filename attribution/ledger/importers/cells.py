"""CSV exports as rows with line numbers, and the texts in them as exact numbers and instants."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any, Final

from attribution.errors import AttributionError
from attribution.ledger.errors import InvalidRecordError

__all__ = [
    "DIVISION",
    "Cells",
    "ImportFileError",
    "Line",
    "amount_of",
    "epoch_ns",
    "instant_of",
    "quotient",
    "read_lines",
]

Cells = Mapping[str, str]

_NOTHING = frozenset({"", "--", "-", "n/a", "nan", "none", "null"})
_PLAIN = r"(?:\d+{point}?\d*|{point}\d+)(?:[eE][+-]?\d+)?"
_GROUPED = r"[1-9]\d{{0,2}}(?:{comma}\d{{3}})+(?:{point}\d*)?|[1-9]\d?(?:{comma}\d{{2}})+{comma}\d{{3}}(?:{point}\d*)?"
DIVISION: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
_NUMBERS = {
    point: re.compile("|".join((_PLAIN, _GROUPED)).format(point=re.escape(point), comma=re.escape(comma)), re.ASCII)
    for point, comma in ((".", ","), (",", "."))
}
"""By decimal point: plain numbers, and those in groups of thousands, or of lakhs and crores."""
_DRESS = re.compile(r"(?P<open>\()?\s*(?P<sign>[+-]?)\s*\$?\s*(?P<sign2>[+-]?)(?P<number>[^()\s]+)\s*(?P<close>\))?")
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


def read_lines(
    source: Path | str | Iterable[str], needed: Iterable[str], used: Iterable[str] = (), delimiter: str = ","
) -> list[Line]:
    """Read a CSV export: a path, or the lines of an open file.

    Raises
    ------
    ImportFileError
        The file cannot be read, is no CSV text in UTF-8, lacks one of the ``needed`` headers, or has one of them or of
        the ``used`` ones twice.
    """
    name, text = _text_of(source)
    needed = list(needed)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begin = 1
    header: list[str] = []
    lines: list[Line] = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells):
                if not header:
                    header = cells
                    _require_headers(name, header, needed, [*needed, *used])
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


def _require_headers(name: str, header: list[str], needed: Iterable[str], used: Iterable[str]) -> None:
    for column in needed:
        if column not in header:
            raise ImportFileError(f"{name}: no column {column!r}; the columns are {', '.join(header)}")
    for column in used:
        if header.count(column) > 1:
            raise ImportFileError(f"{name}: two columns are called {column!r}: which one counts?")


def _line(number: int, cells: list[str], header: list[str]) -> Line:
    problem = None if len(cells) == len(header) else f"{len(cells)} cells where the header has {len(header)}"
    return Line(number, dict(zip(header, cells, strict=False)), problem)


def amount_of(field: str, text: str, decimal: str = ".") -> Decimal | None:
    """The exact number in a cell: plain, or in proper groups of thousands; None where it says nothing.

    A currency sign before it, and brackets as the accountant's minus, are allowed. Nothing is guessed: ``187,50``,
    ``1,2`` and ``1.234,56`` are refused, unless the file is said to write its decimals after a comma.

    Parameters
    ----------
    decimal
        What the file writes before decimals: ``"."`` or ``","``; the other one separates thousands.

    Raises
    ------
    InvalidRecordError
        The cell holds something else.
    """
    plain = text.strip()
    if plain.lower() in _NOTHING:
        return None
    comma = "," if decimal == "." else "."
    dress = _DRESS.fullmatch(plain)
    signs = "" if dress is None else dress["sign"] + dress["sign2"]
    if (
        dress is None
        or len(signs) > 1
        or (dress["open"] is None) != (dress["close"] is None)
        or (dress["open"] is not None and signs)
        or _NUMBERS[decimal].fullmatch(dress["number"]) is None
    ):
        example = "-1234.5 or 1,234.50" if decimal == "." else "-1234,5 or 1.234,50"
        raise InvalidRecordError(field, text, f"a number such as {example}")
    value = Decimal(dress["number"].replace(comma, "").replace(decimal, "."))
    return value.copy_negate() if dress["open"] is not None or signs == "-" else value


def quotient(first: Decimal, second: Decimal) -> Decimal:
    """Return the ratio to sixty digits, whatever the caller's own decimal context is."""
    return DIVISION.divide(first, second)


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
