"""Which file of the folder holds what; told from names alone, so that nothing is read before it is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from brokers.replay.files import TABLE_SUFFIXES, FileError, Key

__all__ = ["PARTIAL", "Contents", "scan"]

PARTIAL = ".partial"
"""Before the suffix of a bars file: read while the session was running, so that it may have grown since."""

ANSWERS_SUFFIX = ".jsonl"

_DAYS = (
    (re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)"), "%Y-%m-%d"),
    (re.compile(r"(?<!\d)(20\d{6})(?!\d)"), "%Y%m%d"),
    (re.compile(r"(?<!\d)(\d{2}[A-Z]{3}\d{4})(?=bhav)", re.IGNORECASE), "%d%b%Y"),
    (re.compile(r"(?<!\d)(\d{8})(?!\d)"), "%d%m%Y"),
)
_EXCHANGE_FILE = re.compile(r"fo\d{2}[A-Z]{3}\d{4}bhav|BhavCopy_|ind_close_all_", re.IGNORECASE)


@dataclass(slots=True)
class Contents:
    """The files of a folder by what they hold."""

    bars: dict[tuple[Key, date], Path] = field(default_factory=dict)
    quotes: dict[date, list[Path]] = field(default_factory=dict)
    exchange: dict[date, list[Path]] = field(default_factory=dict)
    closes: list[Path] = field(default_factory=list)
    fills: list[Path] = field(default_factory=list)
    answers: list[Path] = field(default_factory=list)
    ignored: list[Path] = field(default_factory=list)
    unplaced: list[FileError] = field(default_factory=list)
    """Files in a known place with a name that does not say their session."""

    def counts(self) -> dict[str, int]:
        """Return how many files there are of each kind."""
        by_session = {"quotes": self.quotes, "exchange": self.exchange}
        lists = {kind: getattr(self, kind) for kind in ("closes", "fills", "answers", "ignored", "unplaced")}
        return (
            {"bars": len(self.bars)}
            | {kind: sum(map(len, paths.values())) for kind, paths in by_session.items()}
            | {kind: len(paths) for kind, paths in lists.items()}
        )


def scan(folder: Path) -> Contents:
    """List a folder and all below it, in order of name.

    Raises
    ------
    FileError
        There is no such folder.
    """
    if not folder.is_dir():
        raise FileError(folder, "no such folder")
    found = Contents()
    for path in _files(folder):
        try:
            _place(path, path.relative_to(folder).parts, found)
        except FileError as exc:
            found.unplaced.append(exc)
    return found


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue  # also what a recording has not finished writing
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def _place(path: Path, parts: tuple[str, ...], found: Contents) -> None:
    top, table = parts[0], path.name.endswith(TABLE_SUFFIXES)
    if top == "answers" and path.suffix == ANSWERS_SUFFIX:
        found.answers.append(path)
    elif not table:
        found.ignored.append(path)
    elif top == "bars" and len(parts) == 4:
        _place_bars(path, parts, found)
    elif top == "quotes":
        found.quotes.setdefault(_session_in(path), []).append(path)
    elif top == "closes" and len(parts) > 1:
        found.closes.append(path)
    elif top == "fills" and len(parts) > 1:
        found.fills.append(path)
    elif _EXCHANGE_FILE.match(path.name) or any("bhavcopy" in part.lower() for part in parts[:-1]):
        found.exchange.setdefault(_session_in(path), []).append(path)
    else:
        found.ignored.append(path)


def _place_bars(path: Path, parts: tuple[str, ...], found: Contents) -> None:
    key = ((parts[1], parts[2]), _session_in(path))
    # Whole sessions come before partial ones, whatever their order in the folder.
    if key not in found.bars or PARTIAL in found.bars[key].name:
        found.bars[key] = path


def _session_in(path: Path) -> date:
    for pattern, form in _DAYS:
        match = pattern.search(path.name)
        if match:
            try:
                return datetime.strptime(match.group(1).title(), form).date()  # noqa: DTZ007 - a date has no zone
            except ValueError:
                continue
    raise FileError(path, "its name must hold the session, as in 2025-01-30.csv")
