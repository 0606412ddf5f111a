"""What a target holds: which input gave which output, under which options. One line of JSON per finished file.

::

    OUT/a/trades.parquet               results of a/trades.parquet; a/trades.parts/ where they have several parts
    OUT/_attribution/manifest.jsonl    the head (version, options, root), then one line per finished input
    OUT/_attribution/lock              held by the run that writes
    OUT/_attribution/parts/            finished parts of unfinished files; gone when the run is through

Results appear under their names when all parts of their file are done, in one rename. What was renamed and not yet
noted when the machine went down is known by its own footer.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from typing import Any

from attribution.dataset.errors import DatasetError
from attribution.dataset.sources import InputFile
from attribution.dataset.writing import facts_of

__all__ = ["Entry", "Head", "Manifest", "locked", "remove"]

FORMAT = 1
FOLDER = "_attribution"


@dataclass(frozen=True)
class Head:
    """What all results in a target have in common. ``now`` is the instant that counts as now for open trades."""

    version: str
    options: Mapping[str, Any]
    root: str
    now: str

    def difference(self, other: Head) -> str | None:
        """What makes results under this head and another not belong together; None: nothing."""
        if self.version != other.version:
            return f"version {self.version} made them, and this is {other.version}"
        if self.root != other.root:
            return f"they come from files below {self.root}, not {other.root}"
        for name in sorted({*self.options, *other.options}):
            before, asked = (repr(head.options.get(name, "the default")) for head in (self, other))
            if before != asked:
                return f"they were made with {name}={before}, not {asked}"
        return None


@dataclass(frozen=True, slots=True)
class Entry:
    """One finished input and what it gave."""

    input: str
    size: int
    mtime_ns: int
    output: str
    parts: int
    rows: int
    results: int
    statuses: Mapping[str, int]


class Manifest:
    """The notes of a target; :meth:`open` reads them, and only a run that holds the lock writes them."""

    def __init__(self, target: str, head: Head, entries: dict[str, Entry]) -> None:
        self.target = target
        self.head = head
        self.entries = entries

    @property
    def staging(self) -> str:
        """Where finished parts of unfinished files lie."""
        return os.path.join(self.target, FOLDER, "parts")

    @classmethod
    def open(cls, target: str, head: Head, *, resume: bool = True) -> Manifest:
        """Read the notes of a target, or begin them under ``head``; the *now* of an earlier run stays.

        Without ``resume`` what an earlier run wrote is removed first.

        Raises
        ------
        DatasetError
            What the target holds does not belong to results under this head.
        """
        path = _path(target)
        if not os.path.exists(path):
            _refuse_foreign(target)
            return cls._begin(target, head)
        if not resume:
            _forget(target)
            return cls._begin(target, head)
        try:
            before, entries = _read(path)
        except (ValueError, KeyError, TypeError) as exc:
            raise DatasetError(f"{path}: is damaged ({exc}); resume=False does everything again") from exc
        difference = before.difference(head)
        if difference is not None:
            raise DatasetError(
                f"target={target!r} holds other results: {difference}; choose another target, or resume=False to do "
                "everything again"
            )
        there = {name: entry for name, entry in entries.items() if os.path.exists(os.path.join(target, entry.output))}
        return cls(target, before, there)

    @classmethod
    def _begin(cls, target: str, head: Head) -> Manifest:
        path = _path(target)
        passing = f"{path}.tmp"
        with open(passing, "w", encoding="utf-8") as file:
            file.write(_line({"format": FORMAT, **asdict(head)}))
            file.flush()
            os.fsync(file.fileno())
        os.replace(passing, path)
        return cls(target, head, {})

    def key_of(self, file: InputFile) -> str:
        """One word for a file as it is now under these options: parts of another never carry it."""
        facts = [file.name, *file.identity, file.partition, self.head.version, self.head.options, self.head.now]
        return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=12).hexdigest()

    def has(self, file: InputFile) -> bool:
        """Whether the results of a file as it is now are in the target."""
        entry = self.entries.get(file.name)
        return entry is not None and (entry.size, entry.mtime_ns) == file.identity

    def is_stale(self, file: InputFile) -> bool:
        """Whether results are there, but the file was changed since."""
        return file.name in self.entries and not self.has(file)

    def note(self, entry: Entry) -> None:
        """Write down that a file is finished."""
        with open(_path(self.target), "a", encoding="utf-8") as file:
            file.write(_line(asdict(entry)))
            file.flush()
            os.fsync(file.fileno())
        self.entries[entry.input] = entry

    def tidy(self, keys: set[str]) -> None:
        """Remove staged parts that belong to none of these keys, and what a worker left unfinished."""
        with suppress(FileNotFoundError):
            for name in os.listdir(self.staging):
                if name not in keys:
                    remove(os.path.join(self.staging, name))
        with suppress(OSError):  # something is left in it, or it is not there
            os.rmdir(self.staging)


@contextmanager
def locked(target: str) -> Iterator[None]:
    """Hold a target against other runs; the system lets go of it however this process ends.

    Raises
    ------
    DatasetError
        Another run holds it, or it cannot be written.
    """
    path = os.path.join(target, FOLDER, "lock")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        file = open(path, "a", encoding="utf-8")  # noqa: SIM115  # closed below: its lock lasts as long as it is open
    except OSError as exc:
        raise DatasetError(f"target={target!r}: cannot be written: {exc.strerror or exc}") from exc
    with file:
        try:
            _lock(file.fileno())
        except OSError as exc:
            raise DatasetError(f"target={target!r}: another run is writing to it") from exc
        yield


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove(path: str) -> None:
    """Remove a file or a folder with all that is in it, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        with suppress(FileNotFoundError):
            os.unlink(path)


def _forget(target: str) -> None:
    """Remove every file that says of itself that a run wrote it, and what is staged."""
    remove(os.path.join(target, FOLDER, "parts"))
    for path in list(_files_below(target)):
        if facts_of(path) is not None:
            os.unlink(path)
    for folder, _, _ in os.walk(target, topdown=False):
        with suppress(OSError):  # something is in it
            os.rmdir(folder)


def _path(target: str) -> str:
    return os.path.join(target, FOLDER, "manifest.jsonl")


def _line(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=False) + "\n"


def _read(path: str) -> tuple[Head, dict[str, Entry]]:
    head, *lines = _whole_lines(path)
    if head["format"] != FORMAT:
        raise ValueError(f"format {head['format']}, not {FORMAT}")
    facts = {item.name: head[item.name] for item in fields(Head)}
    return Head(**facts), {line["input"]: Entry(**line) for line in lines}


def _whole_lines(path: str) -> list[dict[str, Any]]:
    """Read every line; one that was being written when the machine went down is cut off."""
    with open(path, "rb+") as file:
        raw = file.read()
        whole = raw.rfind(b"\n") + 1
        if whole < len(raw):
            file.truncate(whole)
    return [json.loads(line) for line in raw[:whole].splitlines()]


def _refuse_foreign(target: str) -> None:
    """A folder with files of somebody else's: results would be mixed with them."""
    there = next(_files_below(target), None)
    if there is not None:
        name = os.path.relpath(there, target)
        raise DatasetError(f"target={target!r}: holds files of others, such as {name!r}: choose an empty folder")


def _files_below(target: str) -> Iterator[str]:
    """Every file of a target but the notes."""
    for folder, folders, names in os.walk(target):
        if folder == target and FOLDER in folders:
            folders.remove(FOLDER)
        yield from (os.path.join(folder, name) for name in names)
