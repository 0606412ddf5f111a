"""Which files a source names: one file, a folder, hive partitions or a glob, and what each of them is."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from attribution.dataset.errors import DatasetError

__all__ = ["Form", "InputFile", "Inputs", "Partition", "find_inputs", "identity_of", "path_of"]

Partition = tuple[tuple[str, str | None], ...]
"""Columns that stand in the path, ``exchange=NSE/day=2025-01-27``, with their values."""

_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
_WILD = frozenset("*?[")


class Form(StrEnum):
    """How a file holds its rows."""

    PARQUET = "parquet"
    CSV = "csv"
    PACKED_CSV = "packed csv"


_FORMS = {
    ".parquet": Form.PARQUET,
    ".pq": Form.PARQUET,
    ".csv": Form.CSV,
    ".csv.gz": Form.PACKED_CSV,
    ".csv.bz2": Form.PACKED_CSV,
    ".csv.zst": Form.PACKED_CSV,
}


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of the source as it was found; ``name`` is its path below the root, with ``/``."""

    path: str
    name: str
    form: Form
    size: int
    mtime_ns: int
    partition: Partition = ()

    @property
    def identity(self) -> tuple[int, int]:
        """Size [bytes] and time of the last change [ns since 1970]: a file whose identity changed is another file."""
        return self.size, self.mtime_ns

    @property
    def output(self) -> str:
        """The name of its results below the target: that of the file, ``trades.csv`` as ``trades.csv.parquet``."""
        stem = self.name.removesuffix(".pq") if self.name.endswith(".pq") else self.name
        return stem if stem.endswith(".parquet") else f"{stem}.parquet"

    @property
    def output_folder(self) -> str:
        """The name of the folder of its results where they have several parts: ``trades.parts``."""
        return self.output.removesuffix(".parquet") + ".parts"


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files of a source in the order of their names, and those that are neither Parquet nor CSV."""

    root: str
    files: tuple[InputFile, ...]
    ignored: tuple[str, ...]


def find_inputs(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> Inputs:
    """Find every Parquet and CSV file that the source names; hidden files, and those that begin with ``_``, are not.

    Raises
    ------
    DatasetError
        There is none, two of them would be written to the same place, or the target lies inside the source.
    """
    text = path_of("source", source)
    if "://" in text:
        raise DatasetError(f"source={text!r}: must be a path; mount what lies elsewhere")
    fixed, found = _search(text)
    root, within = _above_partitions(fixed)
    _refuse_nested(text, fixed, target, found)
    files, ignored = [], []
    for path in found:
        name = PurePosixPath(within, Path(os.path.relpath(path, fixed)).as_posix()).as_posix()
        form = _form_of(name)
        if form is None:
            ignored.append(name)
        else:
            files.append(InputFile(path, name, form, *identity_of(path), _partition_of(name)))
    if not files:
        hint = f"; {len(ignored)} others are there, such as {ignored[0]}" if ignored else ""
        raise DatasetError(f"source={text!r}: holds no file that ends in {', '.join(_FORMS)}{hint}")
    files.sort(key=lambda file: file.name)
    _refuse_collisions(files)
    return Inputs(root, tuple(files), tuple(sorted(ignored)))


def path_of(name: str, value: object) -> str:
    """Return a path as text.

    Raises
    ------
    TypeError
        It is no path.
    DatasetError
        It is blank, which would mean the folder that the program happens to run in.
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} is of type {type(value).__name__}: must be one path, as text or pathlib.Path")
    text = str(os.fspath(value))
    if not text.strip():
        raise DatasetError(f"{name}={text!r}: must not be blank; the folder where the program runs is '.'")
    return text


def identity_of(path: str) -> tuple[int, int]:
    """Size [bytes] and time of the last change [ns since 1970] of a file as it is now."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def _search(text: str) -> tuple[str, list[str]]:
    """Return the part of the path that has no wildcards, and every file below or of it."""
    path = os.path.abspath(text)
    if os.path.isfile(path):
        return os.path.dirname(path), [path]
    if os.path.isdir(path):
        return path, list(_walk(path))
    if not _WILD & set(text):
        raise DatasetError(f"source={text!r}: there is no such file or folder")
    fixed = path
    while _WILD & set(fixed):
        fixed = os.path.dirname(fixed)
    found: dict[str, None] = {}
    for match in sorted(glob.glob(path, recursive=True)):
        found.update(dict.fromkeys(_walk(match) if os.path.isdir(match) else [match]))
    return fixed, [one for one in found if not _is_hidden(os.path.relpath(one, fixed))]


def _walk(folder: str) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        yield from (os.path.join(place, name) for name in sorted(names) if not _is_hidden(name))


def _is_hidden(name: str) -> bool:
    """Whether writers of datasets keep their own notes there: ``_SUCCESS``, ``_metadata``, ``.part-0.crc``."""
    return any(word.startswith((".", "_")) and "=" not in word for word in Path(name).parts)


def _form_of(name: str) -> Form | None:
    low = name.lower()
    return next((form for ending, form in _FORMS.items() if low.endswith(ending)), None)


def _above_partitions(folder: str) -> tuple[str, str]:
    """Split a folder before its first ``key=value``: a source inside one partition still tells which it is."""
    parts = Path(folder).parts
    first = next((i for i, word in enumerate(parts) if _is_partition(word)), len(parts))
    return str(Path(*parts[:first])), PurePosixPath(*parts[first:]).as_posix()


def _is_partition(word: str) -> bool:
    key, mark, _ = word.partition("=")
    return bool(mark) and key.isidentifier()


def _partition_of(name: str) -> Partition:
    words = [word.partition("=") for word in PurePosixPath(name).parts[:-1] if _is_partition(word)]
    return tuple((key, None if value == _HIVE_NULL else unquote(value)) for key, _, value in words)


def _refuse_nested(text: str, fixed: str, target: str | os.PathLike[str], found: list[str]) -> None:
    """Results inside the source would be taken for trades by the next run."""
    place = os.path.realpath(target)
    wild = not os.path.isfile(text) and not os.path.isdir(text)
    inside = [one for one in found if _is_below(os.path.realpath(one), place)]
    if inside or (os.path.isdir(text) and _is_below(place, os.path.realpath(fixed))):
        what = "matches files below the target" if wild else "the target lies inside it"
        raise DatasetError(f"source={text!r}: {what}, {os.fspath(target)!r}: choose a target outside")


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _refuse_collisions(files: list[InputFile]) -> None:
    taken: dict[str, str] = {}
    for file in files:
        other = taken.setdefault(file.output.lower(), file.name)
        if other != file.name:
            raise DatasetError(f"{other} and {file.name} would both be written to {file.output}: rename one of them")
