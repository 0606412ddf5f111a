"""A run from its arguments to its summary: finds the files, holds the target, chooses the workers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from attribution.dataset.columns import Choice
from attribution.dataset.errors import DatasetError
from attribution.dataset.manifest import Head, Manifest, locked
from attribution.dataset.parts import PART_BYTES
from attribution.dataset.run import Run, files_to_do
from attribution.dataset.sources import InputFile, find_inputs, path_of
from attribution.dataset.summary import DatasetSummary, Progress
from attribution.dataset.work import Job, TableFunction
from attribution.dataset.workers import is_portable, open_pool
from attribution.kernels._threads import available_cores
from attribution.version import __version__

__all__ = ["CHUNK_ROWS", "Request", "explain_dataset"]

CHUNK_ROWS = 1 << 17
"""Rows that a worker holds at a time. More is hardly faster and takes memory in proportion; with fewer, what each call
costs by itself begins to show."""

_WORTH_WORKERS = 2 * PART_BYTES
"""Input under which no process is begun, which takes a second or two. [bytes]"""


@dataclass(frozen=True)
class Request:
    """How a run is to be done. ``options`` are what its results depend on, as the manifest will tell it."""

    choice: Choice = field(default_factory=Choice)
    options: Mapping[str, Any] = field(default_factory=dict)
    workers: int | None = None
    chunk_rows: int = CHUNK_ROWS
    client: Any = None
    resume: bool = True
    redo_changed: bool = False
    progress: Callable[[Progress], object] | None = None


def explain_dataset(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    function: Callable[[datetime, int | None], TableFunction],
    request: Request,
) -> DatasetSummary:
    """Explain every file of a source and return what became of each.

    Parameters
    ----------
    function
        Makes the function from trades to results, given the instant that counts as now and the number of threads that
        one call may use.
    request
        How it is to be done.

    Raises
    ------
    DatasetError
        Nothing was done: the source, the target or what it holds does not allow it.
    TypeError
        ``client`` is no client, or an option cannot be sent to the workers asked for.
    """
    place = os.path.abspath(path_of("target", target))
    if os.path.exists(place) and not os.path.isdir(place):
        raise DatasetError(f"target={os.fspath(target)!r}: is a file; results are written to a folder")
    inputs = find_inputs(source, place)
    now = datetime.now(UTC)
    portable = is_portable(function(now, 1))
    if not portable and request.client is None and (request.workers or 1) > 1:
        raise TypeError("an option cannot be sent to another process: name functions in a module, or pass workers=1")
    with locked(place):
        head = Head(__version__, request.options, inputs.root, now.isoformat())
        manifest = Manifest.open(place, head, resume=request.resume)
        todo = files_to_do(inputs, manifest, redo_changed=request.redo_changed)
        manifest.tidy({manifest.key_of(file) for file in todo})
        workers = _workers(request, todo) if portable else 1
        # Where several work at once each keeps to one core; alone, the kernels may have them all.
        threads = None if workers == 1 and request.client is None else 1
        explain = function(datetime.fromisoformat(manifest.head.now), threads)
        job = Job(explain, request.choice, manifest.staging, request.chunk_rows)
        pool = open_pool(job, workers, request.client)
        run = Run(manifest, todo, pool, request.progress)
        try:
            run.go()
        finally:
            pool.close()
        # What is left there is of files that failed, and of no use without the rest of them.
        manifest.tidy(set())
        return run.summary(inputs)


def _workers(request: Request, todo: list[InputFile]) -> int:
    """As many as asked for, else one for each core, where there is so much to do that starting them pays."""
    if not todo:
        return 1
    if request.workers is not None:
        return request.workers
    small = sum(file.size for file in todo) < _WORTH_WORKERS
    return 1 if small else available_cores()
