"""Who does the parts: this process, processes of its own, any executor, or a Dask cluster. One face for all."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from typing import Any, Protocol

from attribution.dataset.parts import Part
from attribution.dataset.work import Job, Outcome, run_part

__all__ = ["ExecutorPool", "InlinePool", "Pool", "ProcessPool", "is_portable", "open_pool"]


class Pool(Protocol):
    """Workers that take parts.

    ``lost`` are the exceptions that tell of a worker that died, ``attempts`` is how often a part may cost one, and
    ``falls_whole`` says that all parts under way are lost with it.
    """

    lost: tuple[type[BaseException], ...]
    attempts: int
    falls_whole: bool

    @property
    def width(self) -> int:
        """How many parts to hand out at a time."""

    def submit(self, part: Part) -> Future[Outcome]:
        """Hand out a part."""

    def renew(self) -> None:
        """Begin anew after a worker died."""

    def close(self) -> None:
        """Let go of the workers, after the parts that are under way; what has not begun is dropped."""


class InlinePool:
    """No workers: each part is done when it is handed out."""

    lost: tuple[type[BaseException], ...] = ()
    attempts = 1
    falls_whole = False
    width = 1

    def __init__(self, job: Job) -> None:
        self._job = job

    def submit(self, part: Part) -> Future[Outcome]:
        """Do a part."""
        done: Future[Outcome] = Future()
        done.set_result(run_part(self._job, part))
        return done

    def renew(self) -> None:
        """There is nobody who could have died."""

    def close(self) -> None:
        """There is nobody to let go of."""


class ProcessPool:
    """Processes on this machine. They are begun afresh, not forked: threads of the caller do not survive a fork."""

    lost: tuple[type[BaseException], ...] = (BrokenExecutor,)
    attempts = 2
    falls_whole = True

    def __init__(self, job: Job, workers: int) -> None:
        # One part ahead of each worker, so that none waits while this process puts results into their place.
        self.width = 2 * workers
        self._job = pickle.dumps(job)
        self._workers = workers
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._workers, context, initializer=_begin_worker, initargs=(self._job,))

    def submit(self, part: Part) -> Future[Outcome]:
        """Hand out a part."""
        return self._pool.submit(_run_in_worker, part)

    def renew(self) -> None:
        """Start other processes: a pool of which one died takes no more work."""
        self.close()
        self._pool = self._start()

    def close(self) -> None:
        """Let go of the processes, after the parts that are under way."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class ExecutorPool:
    """Somebody else's workers, which stay when the run is over."""

    def __init__(
        self,
        job: Job,
        executor: Executor,
        width: Callable[[], int],
        lost: tuple[type[BaseException], ...] = (BrokenExecutor,),
    ) -> None:
        self.lost = lost
        self.attempts = 1
        self.falls_whole = False
        self._job = job
        self._executor = executor
        self._width = width

    @property
    def width(self) -> int:
        """How many parts to hand out at a time: a cluster may grow while it works."""
        return self._width()

    def submit(self, part: Part) -> Future[Outcome]:
        """Hand out a part."""
        return self._executor.submit(run_part, self._job, part)

    def renew(self) -> None:
        """Whose workers they are sees to it."""

    def close(self) -> None:
        """They are not ours to let go of."""


def open_pool(job: Job, workers: int, client: Any = None) -> Pool:
    """Return the workers of a run: a Dask client's, an executor's, or as many processes as asked for.

    Raises
    ------
    TypeError
        ``client`` is neither.
    """
    if isinstance(client, Executor):
        return ExecutorPool(job, client, lambda: _IN_FLIGHT)
    if client is not None:
        return _dask_pool(job, client)
    return InlinePool(job) if workers == 1 else ProcessPool(job, workers)


_IN_FLIGHT = 64
"""Parts handed out at a time where it is not known how many workers there are."""


def _dask_pool(job: Job, client: Any) -> Pool:
    if not hasattr(client, "get_executor"):
        kind = type(client).__qualname__
        raise TypeError(f"client={kind}: must be a dask.distributed.Client or a concurrent.futures.Executor")
    from distributed import KilledWorker

    # Not pure: a part is work on files, and its name alone does not say whether it is done.
    executor = client.get_executor(pure=False)
    return ExecutorPool(job, executor, lambda: max(_IN_FLIGHT, 2 * sum(client.nthreads().values())), (KilledWorker,))


def is_portable(thing: object) -> bool:
    """Whether a thing can be sent to another process of this machine; functions without a name in a module cannot."""
    try:
        pickle.dumps(thing)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True


_job: Job | None = None
"""In a worker process: what it was begun for."""


def _begin_worker(packed: bytes) -> None:
    global _job  # one process, one job
    # The parent hears Ctrl-C and lets the parts under way finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _keep_freed_memory()
    _job = pickle.loads(packed)


def _keep_freed_memory() -> None:
    """Have the C library keep what one chunk frees for the next one.

    By default glibc gives big arrays back to the system at once, and takes them again page by page: a quarter of a
    worker's time. What a worker holds at most is the same.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_MMAP_THRESHOLD, _KEPT)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT = 256 << 20


def _end_with_parent() -> None:
    """Nobody waits for the results of a parent that was killed, and nobody else would end this process."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_in_worker(part: Part) -> Outcome:
    assert _job is not None, "the pool begins every worker with its job"
    return run_part(_job, part)
