"""Where a fact waits while the log cannot take it: trading goes on, and nothing is lost or hidden.

Each waiting batch is a file of its own, written whole and synced before anybody is told that it is kept. Batches are
replayed in order, before anything newer is appended; a batch that was in the log after all changes nothing there.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from attribution.ledger.canonical import canonical_json, digest
from attribution.ledger.entry import Draft, Kind
from attribution.ledger.errors import ConflictError, CorruptLogError, InvalidRecordError, LedgerError, StoreError
from attribution.ledger.log import Log
from attribution.ledger.store.base import Appended
from attribution.ledger.store.disk import create_whole, make_folder

__all__ = ["Complete", "Health", "Recorded", "SafeLog", "Spool"]

_logger = logging.getLogger(__name__)

_PATIENCE = 4
"""A log that fails slowly is left alone for so many times as long as it took: a fifth of the time at most is lost."""

Complete = Callable[[Sequence[Draft]], Sequence[Draft]]
"""What makes a batch that waited into what is appended, given the log as it is then."""

_WAITING = ".json"
_SET_ASIDE = ".damaged"


class Spool:
    """Batches of drafts in a folder on a local disk; several processes may share it."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()

    def __repr__(self) -> str:
        return f"Spool({str(self.folder)!r})"

    def put(self, drafts: Sequence[Draft]) -> None:
        """Keep a batch; when this returns, it survives the end of the process and of the machine.

        Raises
        ------
        OSError
            If the disk does not take it.
        """
        make_folder(self.folder)
        content = _batch_text(drafts).encode()
        number = max(self._numbers(), default=0) + 1
        while not create_whole(self._path(number), content):
            number += 1

    def waiting(self) -> list[Path]:
        """Return the waiting batches, oldest first."""
        return [self._path(number) for number in self._numbers()]

    def damaged(self) -> list[Path]:
        """Return the files that were set aside because they are not what was written."""
        return sorted(self.folder.glob(f"*{_SET_ASIDE}"))

    def read(self, path: Path) -> list[Draft]:
        """Read a waiting batch.

        Raises
        ------
        CorruptLogError
            If the file is torn or altered.
        """
        return _batch_of(path.read_bytes(), path)

    def done(self, path: Path) -> None:
        """Forget a batch that is in the log."""
        path.unlink(missing_ok=True)

    def set_aside(self, path: Path) -> Path:
        """Keep a damaged file out of the way, for somebody to look at."""
        target = path.with_suffix(_SET_ASIDE)
        number = 1
        while target.exists():
            number += 1
            target = path.with_suffix(f".{number}{_SET_ASIDE}")
        return path.rename(target)

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob(f"*{_WAITING}") if path.stem.isdigit())

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:020d}{_WAITING}"


@dataclass(frozen=True, slots=True)
class Health:
    """How the recording is doing.

    ``waiting`` batches are on disk and ``in_memory`` only in this process; ``damaged`` files were set aside;
    ``conflicts`` drafts were put in quarantine since the start; ``last_error`` is why the log last refused, and
    ``spool_error`` why the disk does not take what is in memory.
    """

    waiting: int
    in_memory: int
    damaged: int
    conflicts: int
    last_error: str | None
    spool_error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether everything that was recorded is in the log, and none of it contradicted it."""
        return not (self.waiting or self.in_memory or self.damaged or self.conflicts)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch: its places in the log, or the reason why it waits or (``refused``) is in quarantine."""

    appended: tuple[Appended, ...]
    error: str | None = None
    refused: ConflictError | None = None

    @property
    def in_log(self) -> bool:
        """Whether the batch is in the log."""
        return self.error is None


class SafeLog:
    """A log for code that must not stop: what cannot be appended waits in a spool, and the health says so.

    Parameters
    ----------
    log
        The log, or how to open it: a store that fails at the start is tried again like one that fails later.
    spool
        Where batches wait.
    retry_seconds
        After a failure the log is left alone for so long, or four times as long as the failure took, and batches go to
        the spool at once: a store that does not answer must not hold up trading with every fill.
    clock
        Seconds that never go backwards; only differences matter.
    """

    def __init__(
        self,
        log: Log | Callable[[], Log],
        spool: Spool,
        *,
        retry_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self.spool = spool
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._lock = threading.RLock()
        self._in_memory: deque[list[Draft]] = deque()
        self._quiet_until = float("-inf")
        self._conflicts = 0
        self._last_error: str | None = None
        self._spool_error: str | None = None

    @property
    def log(self) -> Log:
        """The log, opened if it is not yet.

        Raises
        ------
        LedgerError
            If it cannot be opened.
        """
        with self._lock:
            if not isinstance(self._log, Log):
                self._log = self._log()
            return self._log

    def close(self) -> None:
        """Close the log, if it is open; what waits stays in the spool, where there is room for it by now."""
        with self._lock:
            if not self._put_away():
                self._shout([draft for batch in self._in_memory for draft in batch], "it is closed")
            if isinstance(self._log, Log):
                self._log.close()

    def record(self, drafts: Sequence[Draft], complete: Complete | None = None) -> Recorded:
        """Append a batch, or keep it until the log takes it; never raises because of the log or the disk.

        Parameters
        ----------
        complete
            What earlier batches that wait are made into before they are appended; None: they are appended as they are.
        """
        with self._lock:
            begin = self._clock()
            try:
                if not self._drained(begin, complete):
                    return self._keep(drafts, self._last_error or "earlier batches wait before it")
                return Recorded(tuple(self._append(drafts)))
            except ConflictError as error:
                return Recorded((), str(error), error)
            except (LedgerError, OSError) as error:
                return self._keep(drafts, self._failed(error, begin))

    def keep(self, drafts: Sequence[Draft], reason: str | None = None) -> Recorded:
        """Let a batch wait that cannot be completed now."""
        with self._lock:
            return self._keep(drafts, reason or self._last_error or "the log cannot be read")

    def drain(self, complete: Complete | None = None) -> bool:
        """Append what waits, unless the log is left alone just now; whether nothing waits any more."""
        with self._lock:
            return self._drained(self._clock(), complete)

    def replay(self, complete: Complete | None = None) -> Health:
        """Append what waits, now, oldest first, until the log refuses; return the health after it."""
        with self._lock:
            self._replay(self._clock(), complete)
            return self.health()

    def waiting(self) -> Iterator[Draft]:
        """Yield the drafts that wait, oldest first; files that cannot be read are passed over: replay tells of them."""
        with self._lock:
            for path in self.spool.waiting():
                with suppress(OSError, CorruptLogError):
                    yield from self.spool.read(path)
            for drafts in self._in_memory:
                yield from drafts

    def health(self) -> Health:
        """Return how the recording is doing."""
        with self._lock:
            return Health(
                len(self.spool.waiting()),
                len(self._in_memory),
                len(self.spool.damaged()),
                self._conflicts,
                self._last_error,
                self._spool_error if self._in_memory else None,
            )

    def _drained(self, now: float, complete: Complete | None) -> bool:
        """Whether a new batch may be appended: the log was not just down, and no older batch waits any more."""
        return now >= self._quiet_until and self._replay(now, complete)

    def _replay(self, begin: float, complete: Complete | None) -> bool:
        """Append what waits; whether nothing waits any more."""
        try:
            for path in self.spool.waiting():
                self._replay_file(path, complete)
            while self._in_memory:
                self._append_quietly(self._in_memory[0], complete)
                self._in_memory.popleft()
        except (LedgerError, OSError) as error:
            self._failed(error, begin)
            return False
        self._quiet_until = float("-inf")
        return True

    def _replay_file(self, path: Path, complete: Complete | None) -> None:
        try:
            drafts = self.spool.read(path)
        except FileNotFoundError:
            return  # another process has replayed it
        except CorruptLogError as error:
            aside = self.spool.set_aside(path)
            _logger.error("a waiting batch is damaged and was set aside as %s: %s", aside, error)
            return
        self._append_quietly(drafts, complete)
        self.spool.done(path)

    def _append_quietly(self, drafts: Sequence[Draft], complete: Complete | None) -> None:
        whole = drafts if complete is None else _completed(drafts, complete)
        if not whole:
            return
        with suppress(ConflictError):  # in quarantine, counted and in the logger; it must not hold up what comes after
            self._append(whole)

    def _append(self, drafts: Sequence[Draft]) -> list[Appended]:
        try:
            return self.log.append(drafts)
        except ConflictError as error:
            self._conflicts += 1
            _logger.error("the ledger refused a contradiction: %s", error)
            raise

    def _failed(self, error: Exception, begin: float) -> str:
        now = self._clock()
        quiet = max(self._retry_seconds, _PATIENCE * (now - begin))
        self._quiet_until = now + quiet
        self._last_error = f"{type(error).__name__}: {error}"
        _logger.error("the ledger's log failed, and is left alone for %.3g s: %s", quiet, error)
        return self._last_error

    def _keep(self, drafts: Sequence[Draft], reason: str) -> Recorded:
        """Put a batch where it waits: on the disk, or in memory while the disk takes nothing either."""
        self._in_memory.append(list(drafts))
        if self._put_away():
            _logger.warning("%d entries wait in %s: %s", len(drafts), self.spool.folder, reason)
        else:
            self._shout(drafts, reason)
        return Recorded((), reason)

    def _put_away(self) -> bool:
        """Move what is in memory to the disk; whether all of it is there now."""
        try:
            while self._in_memory:
                self.spool.put(self._in_memory[0])
                self._in_memory.popleft()
        except OSError as error:
            self._spool_error = f"{type(error).__name__}: {error}"
            return False
        return True

    def _shout(self, drafts: Sequence[Draft], reason: str) -> None:
        """Say in full what only this process knows."""
        _logger.critical(
            "%d entries are in memory only, because the log failed (%s) and so did %s (%s): %s",
            len(drafts),
            reason,
            self.spool.folder,
            self._spool_error,
            _batch_text(drafts),
        )


def _completed(drafts: Sequence[Draft], complete: Complete) -> Sequence[Draft]:
    """Complete a batch; whatever is wrong with that, the batch goes on waiting."""
    try:
        return complete(drafts)
    except (LedgerError, OSError):
        raise
    except Exception as error:  # nothing that waits may be lost for want of what would be written beside it
        raise StoreError(f"a waiting batch cannot be completed: {type(error).__name__}: {error}") from error


def _batch_text(drafts: Sequence[Draft]) -> str:
    """One line: the drafts, and a digest over them by which a torn or altered line is known."""
    text = "[" + ",".join(_draft_text(draft) for draft in drafts) + "]"
    return f'{{"digest":"{digest(text)}","drafts":{text}}}\n'


def _batch_of(content: bytes, path: Path) -> list[Draft]:
    try:
        batch = json.loads(content)
        drafts = [_draft_of(fields) for fields in batch["drafts"]]
        whole = _batch_text(drafts).encode() == content
    except (ValueError, TypeError, KeyError, InvalidRecordError) as error:
        raise CorruptLogError(f"{path}: not a waiting batch, or torn: {error}") from None
    if not whole:
        raise CorruptLogError(f"{path}: altered after it was written: its digest does not fit")
    return drafts


def _draft_text(draft: Draft) -> str:
    return canonical_json(
        {
            "kind": draft.kind.value,
            "account_id": draft.account_id,
            "key": draft.key,
            "ts": draft.ts,
            "trade_date": draft.trade_date,
            "source": draft.source,
            "body": json.loads(draft.body_text),
            "correlation_id": draft.correlation_id,
            "causation_id": draft.causation_id,
            "schema_version": draft.schema_version,
        }
    )


def _draft_of(fields: dict[str, Any]) -> Draft:
    return Draft(**{**fields, "kind": Kind(fields["kind"]), "trade_date": date.fromisoformat(fields["trade_date"])})
