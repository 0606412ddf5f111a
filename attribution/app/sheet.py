"""A CSV file as records with line numbers: encoding, comments and column names; no meaning yet."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Columns", "InputError", "Record", "Sheet", "parse_columns", "read_sheet"]

_NEAR = 0.8
"""From this likeness on, an unknown column is taken for a misspelling of a known one."""


class InputError(Exception):
    """A file or an option that cannot be used at all; the message is for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns a kind of file has."""

    required: tuple[str, ...]
    optional: tuple[str, ...]

    @property
    def known(self) -> tuple[str, ...]:
        """All of them, in the order in which they are documented."""
        return self.required + self.optional


@dataclass(frozen=True, slots=True)
class Record:
    """One row: where it begins in the file, its cells by known column, and what is wrong with its shape."""

    line: int
    cells: dict[str, str]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file read: records, the file's own name of each known column, and the columns that mean nothing here."""

    path: Path
    records: list[Record]
    headers: dict[str, str]
    ignored: tuple[str, ...]


def parse_columns(mappings: Sequence[str], known: Mapping[str, Columns]) -> dict[str, dict[str, str]]:
    """Read ``--columns``: ``field=Header`` for the trades, ``prices.field=Header`` for the prices.

    Returns, per kind of file, field → header; an empty header says that the file has no such column.
    """
    renames: dict[str, dict[str, str]] = {kind: {} for kind in known}
    for item in (part for text in mappings for part in text.split(",") if part.strip()):
        target, mark, header = (word.strip() for word in item.partition("="))
        kind, dot, field = target.partition(".")
        if not dot:
            kind, field = "trades", target
        if not mark or kind not in known or field not in known[kind].known:
            names = ", ".join(known[kind].known) if kind in known else ", ".join(known["trades"].known)
            hint = _nearest(field, known[kind].known) if kind in known else ""
            raise InputError(
                f"--columns {item!r}: expected FIELD=Header, or prices.FIELD=Header{hint}; fields are {names}"
            )
        renames[kind][field] = header
    return renames


def read_sheet(path: Path, columns: Columns, renames: Mapping[str, str], kind: str) -> Sheet:
    """Read a UTF-8 CSV file; blank lines and lines that begin with ``#`` are left out.

    Raises
    ------
    InputError
        The file cannot be read, has no header or no rows, or its columns are not the ones needed.
    """
    rows = _rows(path)
    header_line, header = next(rows, (0, []))
    if not header:
        raise InputError(f"{path}: the file is empty; the first line must name columns: {', '.join(columns.required)}")
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise InputError(
            f"{path}:{header_line}: the columns are not separated by commas: save the file as comma-separated"
        )
    places = _places(path, header_line, header, columns, renames, kind)
    records = [_record(line, cells, len(header), places) for line, cells in rows]
    if not records:
        raise InputError(f"{path}: there is a header but no row below it")
    taken = set(places.values())
    ignored = tuple(name for i, name in enumerate(header) if i not in taken and name)
    return Sheet(path, records, {field: header[i] for field, i in places.items()}, ignored)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row that says something, with the line on which it begins."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as exc:
        raise InputError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"{path}: byte {exc.start} is not UTF-8 text: save the file as CSV in UTF-8") from exc
    if "\0" in text:
        raise InputError(f"{path}: holds zero bytes: this is not a CSV text file")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begin = 1
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells) and not cells[0].startswith("#"):
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as exc:
        raise InputError(f"{path}:{begin}: not a CSV row: {exc}") from exc


def _record(line: int, cells: Sequence[str], width: int, places: Mapping[str, int]) -> Record:
    problem = None
    if len(cells) != width:
        problem = f"{len(cells)} cells where the header has {width}"
    return Record(line, {field: cells[i] for field, i in places.items() if i < len(cells)}, problem)


def _places(
    path: Path, line: int, header: Sequence[str], columns: Columns, renames: Mapping[str, str], kind: str
) -> dict[str, int]:
    """At which place each known column stands."""
    where = f"{path}:{line}"
    twice = [name for i, name in enumerate(header) if name and name in header[:i]]
    if twice:
        raise InputError(f"{where}: column {twice[0]!r} stands there twice")
    plain = [_plain(name) for name in header]
    places: dict[str, int] = {}
    for field, name in renames.items():
        if not name:
            continue
        if name not in header:
            raise InputError(f"{where}: no column {name!r}, which --columns gives for {field}{_nearest(name, header)}")
        places[field] = header.index(name)
    for field in columns.known:
        if field not in renames and field in plain:
            places[field] = plain.index(field)
    _refuse_misspelled(where, header, places, columns, renames, kind)
    return places


def _refuse_misspelled(
    where: str,
    header: Sequence[str],
    places: Mapping[str, int],
    columns: Columns,
    renames: Mapping[str, str],
    kind: str,
) -> None:
    """A needed column is absent, or an optional one seems misspelled: guessing would change the numbers."""
    prefix = "" if kind == "trades" else f"{kind}."
    free = [name for i, name in enumerate(header) if i not in places.values() and name]
    for field in columns.required:
        if field not in places:
            hint = _nearest(field, free) or f"; the columns are {', '.join(header)}"
            raise InputError(f"{where}: no column {field!r}{hint}; name it with --columns {prefix}{field}=HEADER")
    absent = [field for field in columns.optional if field not in places and field not in renames]
    for name in free:
        near = difflib.get_close_matches(_plain(name), absent, 1, _NEAR)
        if near:
            raise InputError(
                f"{where}: unknown column {name!r}; did you mean {near[0]!r}? Then use "
                f"--columns {prefix}{near[0]}={name}, otherwise --columns {prefix}{near[0]}= to say that there is none"
            )


def _plain(name: str) -> str:
    return "_".join(name.lower().split())


def _nearest(wanted: str, names: Sequence[str]) -> str:
    by_plain = {_plain(name): name for name in names}
    near = difflib.get_close_matches(_plain(wanted), list(by_plain), 1, 0.5)
    return f"; the nearest is {by_plain[near[0]]!r}" if near else ""
