"""The store for several machines: the log is a run of immutable objects, and a commit creates the next one.

``log/{account}/{seq:020d}.jsonl`` holds one committed batch, a line per entry; its number is that of its first entry.
Whoever creates the object with the next number has committed. Whoever finds it taken reads the winner's entries and
plans again, so that nothing is entered twice and no number is left out. No other coordination exists, and none is
needed: nothing is locked, nothing expires, no clock is read.
"""

from __future__ import annotations

import logging
import random
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path
from urllib.parse import quote

from attribution.ledger.entry import Draft, Entry, Head, Kind, Row
from attribution.ledger.errors import CorruptLogError, StoreError
from attribution.ledger.store.base import Appended, plan_append, require_writable_schema
from attribution.ledger.store.link import Link, prepare_folder
from attribution.ledger.store.numbered import Objects, Put, probe
from attribution.ledger.store.table import Table, paged, set_write_ahead

__all__ = ["ObjectStore"]

_logger = logging.getLogger(__name__)

_STEPS = 3
"""Objects that are read one by one before a listing is asked for."""

_READERS = 16
"""Objects read at the same time."""

_TOGETHER = 64
"""Objects per transaction of the mirror."""

_PAUSE = 0.01
_LONGEST_PAUSE = 0.5
"""Seconds; between attempts, doubled each time and drawn at random below that."""


class ObjectStore:
    """A log of numbered objects.

    Parameters
    ----------
    objects
        Where the objects are: ``S3Objects`` or ``FolderObjects``.
    account_id
        Names the log's folder. One log per account keeps the writers of different accounts apart; nothing breaks if a
        log holds several.
    prefix
        Comes before every name, such as ``"live/"``.
    mirror
        A SQLite file that keeps a copy of the log, so that a new process reads only what is new. None: a temporary
        copy per process. It is never more than a copy, and may be deleted.
    probe_first
        Whether to prove at once that the place creates no name twice; only for reading may it be left out.
    patience_seconds
        How long to race with other writers, or to wait for answers, before ``StoreError``.
    """

    def __init__(
        self,
        objects: Objects,
        account_id: str = "default",
        *,
        prefix: str = "",
        mirror: Path | str | None = None,
        probe_first: bool = True,
        patience_seconds: float = 30.0,
    ) -> None:
        self.place = f"{objects.place}/{prefix}{_folder_of(account_id)}"
        self._objects = objects
        self._folder = f"{prefix}{_folder_of(account_id)}/"
        self._patience_seconds = patience_seconds
        self._mirror_path = None if mirror is None else Path(mirror).absolute()
        self._mirror = Link(str(self._mirror_path or f"the mirror of {self.place}"), self._open_mirror)
        if probe_first:
            probe(objects, prefix)
        with self._mirror.table() as table:
            self._require_own_mirror(table)
            self._catch_up_by_listing(table)

    def __repr__(self) -> str:
        return f"ObjectStore({self.place!r})"

    def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        """Commit the drafts as one object, all or none; see ``LogStore.append``."""
        if not drafts:
            return []
        deadline = time.monotonic() + self._patience_seconds
        with self._mirror.table() as table:
            for attempt in count():
                require_writable_schema(table.newest_schema())
                plan = plan_append(drafts, table.head(), table.lookup)
                if not plan.rows or self._commit(plan.rows, deadline):
                    self._remember(table, plan.rows)
                    return plan.outcome()
                if not self._catch_up(table):
                    _pause(attempt)
                if time.monotonic() > deadline:
                    break
        raise StoreError(f"{self.place}: others were always faster for {self._patience_seconds:g} seconds")

    def entries(
        self, after: int = 0, limit: int | None = None, kinds: Collection[Kind] | None = None
    ) -> Iterator[Entry]:
        """Yield entries in order, after a look at what others appended. See ``LogStore.entries``."""
        self.head()
        return (row.entry() for row in paged(self._mirror.table, after, limit, kinds))

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Yield rows from the objects themselves; see ``LogStore.rows``."""
        for _, rows in self._listed(0):
            yield from (row for row in rows if row.seq > after)

    def head(self) -> Head:
        """Return the end of the log, after a look at what others appended."""
        with self._mirror.table() as table:
            self._catch_up(table)
            return table.head()

    def close(self) -> None:
        """Close the mirror. It is opened again if the store is used again."""
        self._mirror.close()

    def _name(self, seq: int) -> str:
        return f"{self._folder}{seq:020d}.jsonl"

    def _commit(self, rows: Sequence[Row], deadline: float) -> bool:
        """Create the next object, and return whether it is ours.

        Where no answer came, the object is read back: with our content it is ours. The same bytes are sent again only
        under the same name, so that a late arrival of the first attempt changes nothing.
        """
        name = self._name(rows[0].seq)
        content = "".join(f"{row.line()}\n" for row in rows).encode()
        doubt = False
        for attempt in count():
            put = self._objects.put_if_absent(name, content)
            if put is Put.CREATED:
                return True
            if put is Put.TAKEN and not doubt:
                return False
            doubt = True
            found = self._objects.get(name)
            if found is not None:
                self._objects.settle(self._folder)
                return found == content
            if time.monotonic() > deadline:
                break
            _pause(attempt)
        raise StoreError(f"{self.place}: no answer for {self._patience_seconds:g} seconds; append the same again later")

    def _remember(self, table: Table, rows: Sequence[Row]) -> None:
        """Copy what was committed into the mirror; the commit stands even if the copy fails."""
        try:
            with table.transaction():
                if rows and rows[0].seq == table.head().seq + 1:
                    _copy(table, rows)
        except sqlite3.Error as error:
            _logger.warning("%s: committed, but not copied to %s: %s", self.place, self._mirror.place, error)

    def _catch_up(self, table: Table) -> bool:
        """Copy what others committed into the mirror, and return whether there was anything."""
        start = table.head().seq
        for _ in range(_STEPS if start else 0):
            name = self._name(table.head().seq + 1)
            content = self._objects.get(name)
            if content is None:
                break
            self._take_in(table, [(name, rows_of(name, content))])
        else:
            self._catch_up_by_listing(table)
        return table.head().seq > start

    def _catch_up_by_listing(self, table: Table) -> None:
        """Copy whatever is there. Only a listing shows that an object is missing before others: so a store begins."""
        listed = self._listed(table.head().seq)
        while batch := list(islice(listed, _TOGETHER)):
            self._take_in(table, batch)

    def _listed(self, seq: int) -> Iterator[tuple[str, list[Row]]]:
        """Yield the objects after entry ``seq``.

        A listing made while others write may show an object and not the one before it, which then is asked for by
        name; if there is none, whoever checks the chain will find the gap.
        """
        for name, content in self._fetched(self._objects.names_after(self._folder, self._name(seq))):
            while name > (missing := self._name(seq + 1)) and (between := self._objects.get(missing)) is not None:
                rows = rows_of(missing, between)
                seq = rows[-1].seq
                yield missing, rows
            rows = rows_of(name, content)
            if rows[-1].seq > seq:
                seq = rows[-1].seq
                yield name, rows

    def _take_in(self, table: Table, objects: Sequence[tuple[str, list[Row]]]) -> None:
        """Check that objects continue the mirror, number by number and digest by digest, and copy them."""
        self._objects.settle(self._folder)
        with table.transaction():
            for name, rows in objects:
                head = table.head()
                if rows[-1].seq <= head.seq:
                    continue
                if name != self._name(rows[0].seq):
                    raise CorruptLogError(f"{name}: it begins with entry {rows[0].seq}")
                for row in rows:
                    row.require_after(head)
                    head = row.head
                try:
                    _copy(table, rows)
                except sqlite3.IntegrityError as error:
                    raise CorruptLogError(f"{name}: it enters a fact that was entered before") from error

    def _fetched(self, names: Iterator[str]) -> Iterator[tuple[str, bytes]]:
        """Yield names with their content, in order, several read at a time."""
        with ThreadPoolExecutor(_READERS) as pool:
            while chunk := list(islice(names, _TOGETHER)):
                for name, content in zip(chunk, pool.map(self._objects.get, chunk), strict=True):
                    if content is None:
                        raise CorruptLogError(f"{name}: it is listed, and cannot be read")
                    yield name, content

    def _require_own_mirror(self, table: Table) -> None:
        """Refuse a kept mirror whose last object is not in this log: it copies another, or the log was replaced."""
        found = table.connection.execute(  # in one statement: other processes may be adding to the same mirror
            "SELECT (SELECT max(first_seq) FROM objects), seq, digest FROM entries ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        if found is None:
            return
        first_seq, *head = found
        name = self._name(first_seq)
        content = self._objects.get(name)
        if content is None or rows_of(name, content)[-1].head != Head(*head):
            raise CorruptLogError(
                f"{self._mirror.place} is not a copy of {self.place}: {name} differs; if the log is as it should be, "
                "delete the copy"
            )

    def _open_mirror(self) -> sqlite3.Connection:
        if self._mirror_path is not None:
            prepare_folder(self._mirror_path.parent)
        connection = sqlite3.connect(
            self._mirror_path or "", timeout=self._patience_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            if self._mirror_path is not None:
                set_write_ahead(connection, str(self._mirror_path), self._patience_seconds)
            for pragma in ("synchronous = NORMAL", "trusted_schema = OFF"):
                connection.execute(f"PRAGMA {pragma}")
            Table(connection).create()
            connection.execute("CREATE TABLE IF NOT EXISTS objects (first_seq INTEGER PRIMARY KEY) STRICT")
        except BaseException:
            connection.close()
            raise
        return connection


def rows_of(name: str, content: bytes) -> list[Row]:
    """Read an object.

    Raises
    ------
    CorruptLogError
        If it is torn, empty, or anything but canonical lines.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise CorruptLogError(f"{name}: {error}") from None
    if not text.endswith("\n"):
        raise CorruptLogError(f"{name}: it is torn: its last line has no end")
    try:
        return [Row.from_line(line) for line in text[:-1].split("\n")]
    except CorruptLogError as error:
        raise CorruptLogError(f"{name}: {error}") from None


def _copy(table: Table, rows: Sequence[Row]) -> None:
    table.add(rows)
    table.connection.execute("INSERT INTO objects VALUES (?)", (rows[0].seq,))


def _folder_of(account_id: str) -> str:
    """The folder of an account's log; an account's name may hold any character, a folder's may not."""
    return f"log/{quote(account_id, safe='').replace('.', '%2E')}"


def _pause(attempt: int) -> None:
    """Wait a random while, longer with every attempt, so that rivals do not keep meeting."""
    time.sleep(random.uniform(0, min(_LONGEST_PAUSE, _PAUSE * 2 ** min(attempt, 10))))
