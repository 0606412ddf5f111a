"""One run over a dataset: what is to be done, who does it, and what became of each file."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field

from attribution.dataset.errors import DatasetError, FileError
from attribution.dataset.manifest import Entry, Manifest, remove
from attribution.dataset.parts import Part, cut
from attribution.dataset.publishing import count_statuses, find_published, publish
from attribution.dataset.sources import InputFile, Inputs
from attribution.dataset.summary import DatasetSummary, FailedFile, Progress
from attribution.dataset.work import Done, Failed, Outcome, done_of, staged_path
from attribution.dataset.workers import Pool

__all__ = ["Run", "files_to_do"]


def files_to_do(inputs: Inputs, manifest: Manifest, *, redo_changed: bool) -> list[InputFile]:
    """Return the files without results; results of a file that was changed since are refused, or removed as a whole.

    Raises
    ------
    DatasetError
        A file was changed since, and ``redo_changed`` is not set.
    """
    stale = [file for file in inputs.files if manifest.is_stale(file) and find_published(manifest, file) is None]
    if stale and not redo_changed:
        more = f" and {len(stale) - 1} more" if len(stale) > 1 else ""
        raise DatasetError(
            f"{stale[0].name}{more}: changed since the results in {manifest.target!r} were made; "
            "changed='redo' explains changed files again"
        )
    for file in stale:
        remove(os.path.join(manifest.target, manifest.entries.pop(file.name).output))
    return [file for file in inputs.files if not manifest.has(file)]


@dataclass(slots=True)
class _Ticket:
    """A part that is to be done, and how many workers it has cost."""

    part: Part
    deaths: int = 0


@dataclass(slots=True)
class _FileState:
    """How far a file is; ``weight`` is how much of its size the finished parts account for. [bytes]"""

    file: InputFile
    parts: int
    done: list[Done] = field(default_factory=list)
    weight: int = 0
    failed: bool = False


class Run:
    """The coordinator: hands out parts, puts finished files into their place, and keeps the notes.

    Nothing of it grows with the number of rows; files are cut into parts as workers come free.
    """

    def __init__(
        self,
        manifest: Manifest,
        todo: Sequence[InputFile],
        pool: Pool,
        progress: Callable[[Progress], object] | None = None,
    ) -> None:
        self._manifest = manifest
        self._todo = todo
        self._pool = pool
        self._tell = progress
        self._begin = time.perf_counter()
        self._waiting = self._tickets()
        self._again: deque[_Ticket] = deque()
        self._flying: dict[Future[Outcome], _Ticket] = {}
        self._states: dict[str, _FileState] = {}
        self._failures: list[FailedFile] = []
        self._files = self._bytes = self._rows = 0
        self._bytes_total = sum(file.size for file in todo)
        self._told: tuple[int, int, int] | None = None

    def go(self) -> None:
        """Do every part; a file that fails stops no other."""
        self._report()
        try:
            self._hand_out()
            while self._flying:
                self._take_in(wait(self._flying, return_when=FIRST_COMPLETED).done)
                self._report()
                self._hand_out()
            self._report()
        finally:
            for future in self._flying:
                future.cancel()

    def summary(self, inputs: Inputs) -> DatasetSummary:
        """What became of every file of the source."""
        here = {file.name for file in inputs.files}
        entries = [entry for name, entry in self._manifest.entries.items() if name in here]
        return DatasetSummary(
            target=self._manifest.target,
            files=self._files,
            skipped=len(inputs.files) - len(self._todo),
            failures=tuple(sorted(self._failures, key=lambda failure: failure.name)),
            rows=sum(entry.rows for entry in entries),
            results=sum(entry.results for entry in entries),
            statuses=count_statuses(entry.statuses.items() for entry in entries),
            rows_now=self._rows,
            seconds=time.perf_counter() - self._begin,
            ignored=inputs.ignored,
            others=tuple(sorted(self._manifest.entries.keys() - here)),
        )

    def _tickets(self) -> Iterator[_Ticket]:
        """Every part that is to be done, cut as it is asked for."""
        for file in self._todo:
            published = find_published(self._manifest, file)
            if published is not None:
                self._finish(published)
                self._bytes += file.size
                continue
            key = self._manifest.key_of(file)
            try:
                parts = cut(file, key)
            except FileError as exc:
                self._fail(_FileState(file, 0), str(exc))
                continue
            state = self._states[key] = _FileState(file, len(parts))
            for part in parts:
                if state.failed:
                    break
                before = done_of(staged_path(self._manifest.staging, key, part.index))
                if before is None:
                    yield _Ticket(part)
                else:
                    self._keep(part, before)

    def _hand_out(self) -> None:
        """Keep the workers busy; a part that cost a worker goes alone, so that it takes no other with it."""
        if self._again:
            if not self._flying:
                self._submit(self._again.popleft())
            return
        width = self._pool.width
        while len(self._flying) < width:
            ticket = next(self._waiting, None)
            if ticket is None:
                break
            self._submit(ticket)

    def _submit(self, ticket: _Ticket) -> None:
        try:
            future = self._pool.submit(ticket.part)
        except self._pool.lost:  # a worker died between two parts
            self._pool.renew()
            future = self._pool.submit(ticket.part)
        self._flying[future] = ticket

    def _take_in(self, landed: set[Future[Outcome]]) -> None:
        lost = [self._land(future) for future in landed]
        if not any(lost):
            return
        if self._pool.falls_whole:
            for future in wait(self._flying).done:
                self._land(future)
        self._pool.renew()

    def _land(self, future: Future[Outcome]) -> bool:
        """Take one outcome in; return whether there is none because the worker died."""
        ticket = self._flying.pop(future)
        try:
            outcome = future.result()
        except self._pool.lost:
            ticket.deaths += 1
            if ticket.deaths < self._pool.attempts:
                self._again.append(ticket)
            else:
                self._settle(ticket.part, Failed("its worker died, as if out of memory: try smaller chunk_rows"))
            return True
        self._settle(ticket.part, outcome)
        return False

    def _settle(self, part: Part, outcome: Outcome) -> None:
        state = self._states[part.key]
        if state.failed:
            return
        if isinstance(outcome, Failed):
            self._fail(state, outcome.reason)
            return
        self._rows += outcome.rows
        self._keep(part, outcome)

    def _keep(self, part: Part, done: Done) -> None:
        """Count a finished part; with the last of its file the file is finished."""
        state = self._states[part.key]
        state.done.append(done)
        state.weight += part.weight
        self._bytes += part.weight
        if len(state.done) == state.parts:
            self._finish(publish(self._manifest, state.file, state.done))
            self._bytes += state.file.size - state.weight
            del self._states[part.key]

    def _finish(self, entry: Entry) -> None:
        self._manifest.note(entry)
        self._files += 1

    def _fail(self, state: _FileState, reason: str) -> None:
        """Count a file as failed; what is under way of it is let go by."""
        state.failed = True
        self._bytes += state.file.size - state.weight
        self._failures.append(FailedFile(state.file.name, reason))

    def _report(self) -> None:
        """Tell how far it is, if that is news."""
        far = (self._files, len(self._failures), self._bytes)
        if self._tell is None or far == self._told:
            return
        self._told = far
        self._tell(
            Progress(
                files=self._files,
                files_total=len(self._todo),
                failed=len(self._failures),
                bytes=self._bytes,
                bytes_total=self._bytes_total,
                rows=self._rows,
                seconds=time.perf_counter() - self._begin,
            )
        )
