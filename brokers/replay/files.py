"""Tables on disk, whatever they are packed in: rows of cells, and errors that name file, line and column."""

from __future__ import annotations

import csv
import gzip
import importlib
import io
import lzma
import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from attribution.errors import BrokerError, CalendarError, TradeError
from attribution.instruments import Instrument
from attribution.symbols import format_symbol, parse_symbol

__all__ = ["TABLE_SUFFIXES", "FileError", "Key", "Row", "Sheet", "key_of", "read_sheet"]

TABLE_SUFFIXES = (".csv", ".csv.gz", ".csv.zip", ".zip", ".parquet")

Key = tuple[str, str]
"""An instrument in a table: exchange and canonical symbol."""

_ABSENT = frozenset({"", "-", "nan", "none", "null"})
# A zip file may be encrypted (RuntimeError), or packed in a way that is not known here (NotImplementedError, one too).
_UNREADABLE = (OSError, EOFError, RuntimeError, UnicodeDecodeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d", "%d-%b-%Y", "%d-%m-%Y")


class FileError(BrokerError):
    """A recorded file that cannot be read: where, what stands there, and what should."""

    def __init__(self, path: Path, what: str, line: int | None = None, column: str | None = None) -> None:
        place = [str(path)]
        if line is not None:
            place.append(f"line {line}")
        if column is not None:
            place.append(f"column {column}")
        super().__init__(f"{', '.join(place)}: {what}")
        self._parts = (path, what, line, column)

    def __reduce__(self) -> tuple[type[FileError], tuple[Path, str, int | None, str | None]]:
        return type(self), self._parts


def key_of(instrument: Instrument) -> Key:
    """Return how tables know an instrument. The multiplier is not in it: prices are per unit."""
    return instrument.exchange, format_symbol(instrument)


class Sheet:
    """The rows of one file; columns are found by name, in any order and beside others."""

    def __init__(self, path: Path, header: Sequence[str], rows: Iterator[tuple[int, Sequence[object]]]) -> None:
        self.path = path
        self.columns = {str(name).strip().strip("\ufeff"): i for i, name in enumerate(header)}
        self._rows = rows

    def need(self, *names: str) -> None:
        """Raise FileError unless all these columns are there."""
        lacking = [name for name in names if name not in self.columns]
        if lacking:
            raise FileError(self.path, f"no column {', '.join(lacking)}; there are {', '.join(self.columns)}", 1)

    def __iter__(self) -> Iterator[Row]:
        for line, cells in self._rows:
            yield Row(self, line, cells)


class Row:
    """One line of a sheet. Empty, ``-``, ``nan``, ``none`` and ``null`` are no value."""

    __slots__ = ("_cells", "_sheet", "line")

    def __init__(self, sheet: Sheet, line: int, cells: Sequence[object]) -> None:
        self._sheet, self.line, self._cells = sheet, line, cells

    def cell(self, column: str) -> object | None:
        """Return what stands in a column; None for no value, or no such column."""
        i = self._sheet.columns.get(column)
        if i is None:
            return None
        if i >= len(self._cells):
            raise self.error(column, f"the line has only {len(self._cells)} cells")
        value = self._cells[i]
        if isinstance(value, str):
            value = value.strip()
            return None if value.lower() in _ABSENT else value
        return None if value is None or value != value else value

    def text(self, column: str) -> str:
        """Return the text in a column; empty for no value."""
        value = self.cell(column)
        return "" if value is None else str(value)

    def number(self, column: str) -> float | None:
        """Return the finite number in a column."""
        value = self.cell(column)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise self.error(column, f"{value!r} is not a number")
        try:
            read = float(value)
        except ValueError:
            raise self.error(column, f"{value!r} is not a number") from None
        if not math.isfinite(read):
            raise self.error(column, f"{value!r} is not finite")
        return read

    def price(self, column: str) -> float | None:
        """Return the number in a column, which must not be negative."""
        read = self.number(column)
        if read is not None and read < 0.0:
            raise self.error(column, f"{read:g} is negative")
        return read

    def day(self, column: str) -> date:
        """Return the date in a column: ``2025-01-30``, ``20250130``, ``30-Jan-2025`` or ``30-01-2025``."""
        value = self.cell(column)
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        text = "" if value is None else str(value)
        for form in _DATE_FORMATS:
            try:
                return datetime.strptime(text, form).date()  # noqa: DTZ007 - a date has no zone
            except ValueError:
                continue
        raise self.error(column, f"{text!r} is not a date such as 2025-01-30")

    def instrument(self, column: str = "symbol") -> Instrument:
        """Return the instrument in a column; ``exchange`` beside it says where it is at home, if it must."""
        text = self.text(column)
        try:
            return parse_symbol(text, exchange=self.text("exchange") or None)
        except (TradeError, CalendarError) as exc:
            raise self.error(column, str(exc)) from exc

    def error(self, column: str | None, what: str) -> FileError:
        """Return the error that something is wrong here."""
        return FileError(self._sheet.path, what, self.line, column)


def read_sheet(path: Path) -> Sheet:
    """Open a CSV file (plain, ``.gz`` or ``.zip``) or a Parquet file.

    Raises
    ------
    FileError
        It cannot be unpacked or decoded, or has no header.
    """
    return _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)


def _read_csv(path: Path) -> Sheet:
    lines = csv.reader(io.StringIO(_unpacked(path)), strict=True)
    try:
        header = next(lines, None)
    except csv.Error as exc:
        raise FileError(path, str(exc), 1) from exc
    if not header:
        raise FileError(path, "is empty: a header is needed", 1)
    return Sheet(path, header, _csv_rows(path, lines))


def _csv_rows(path: Path, lines: Iterator[list[str]]) -> Iterator[tuple[int, Sequence[object]]]:
    try:
        for cells in lines:
            if cells:
                yield lines.line_num, cells  # type: ignore[attr-defined]
    except csv.Error as exc:
        raise FileError(path, str(exc), lines.line_num) from exc  # type: ignore[attr-defined]


def _unpacked(path: Path) -> str:
    try:
        packed = path.read_bytes()
        if path.suffix == ".gz":
            packed = gzip.decompress(packed)
        elif path.suffix == ".zip":
            packed = _only_member(path, packed)
        return packed.decode("utf-8-sig")
    except _UNREADABLE as exc:
        raise FileError(path, f"cannot be read: {exc}") from exc


def _only_member(path: Path, packed: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
        if len(names) != 1:
            raise FileError(path, f"holds {len(names)} CSV files where one is needed")
        return archive.read(names[0])


def _read_parquet(path: Path) -> Sheet:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as exc:
        raise FileError(path, "Parquet needs pyarrow: pip install pyarrow") from exc
    try:
        table = parquet.read_table(path)
        columns = [column.to_pylist() for column in table.columns]
    except (OSError, ValueError, NotImplementedError) as exc:  # what pyarrow's own errors derive from
        raise FileError(path, f"cannot be read: {exc}") from exc
    # Line 1 is the header of a CSV file, and the same row has the same number here.
    return Sheet(path, table.column_names, enumerate(zip(*columns, strict=True), start=2))
