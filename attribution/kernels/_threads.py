"""Work on many elements shared among threads: how many, which, and who does what.

numba's own ``parallel=True`` is not used: depending on its back end, it aborts when two threads call at
once, or kills forked children. Here plain Python threads call kernels that let go of the interpreter.
The calling thread works too and takes chunk after chunk like every helper. So the work gets done even if
no helper ever comes (all busy, or the interpreter on its way out), and no one can wait for himself.
"""

from __future__ import annotations

import functools
import itertools
import operator
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

__all__ = ["VARIABLE", "available_cores", "default_threads", "share_out", "thread_count"]

VARIABLE = "ATTRIBUTION_THREADS"
MOST_HELPERS = 64
"""Threads that ever stand ready, for all callers together; they are started as they are needed."""

Span = Callable[[int, int], object]
"""Work on the elements from the first number up to, but not including, the second."""


def available_cores() -> int:
    """Cores that this process may run on."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def default_threads() -> int:
    """Return what ``ATTRIBUTION_THREADS`` said at the first call, else the number of cores.

    Raises
    ------
    ValueError
        If the variable holds anything but a whole number of at least 1.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return available_cores()
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"environment variable {VARIABLE}={text!r}: must be a whole number of at least 1")
    return int(text)


def thread_count(threads: int | None, size: int, pays_from: int) -> int:
    """Threads to share ``size`` elements among, where by default fewer than ``pays_from`` are not shared.

    Raises
    ------
    ValueError
        If ``threads``, or the environment variable it defaults to, is not a whole number of at least 1.
    """
    if threads is None:
        default = default_threads()
        return default if size >= pays_from else 1
    try:
        count = operator.index(threads)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(f"threads={threads!r}: must be a whole number of at least 1, or None")
    return count


def share_out(new_worker: Callable[[], Span], bounds: Sequence[int], threads: int) -> None:
    """Have chunk after chunk worked on by up to ``threads`` threads.

    Parameters
    ----------
    new_worker
        Called once in each thread that takes part; may make room for that thread's intermediate results.
    bounds
        The number of the first element of each chunk, and at last that beyond all.
    """
    chunks = list(itertools.pairwise(bounds))
    waiting = iter(chunks)  # under the interpreter's lock each chunk is handed out once

    def work() -> None:
        span = new_worker()
        for start, stop in waiting:
            span(start, stop)

    helpers = _helpers(work, min(threads, len(chunks)) - 1)
    try:
        work()
    finally:
        # After an error, or a Ctrl-C, nobody begins another chunk.
        for _ in waiting:
            pass
        begun = [helper for helper in helpers if not helper.cancel()]
        wait(begun)
    for helper in begun:
        helper.result()


_pool: ThreadPoolExecutor | None = None
_pool_lock = threading.Lock()


def _helpers(work: Callable[[], None], count: int) -> list[Future[None]]:
    """Ask for helpers; there may come fewer."""
    global _pool
    if count < 1:
        return []
    with _pool_lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(MOST_HELPERS, thread_name_prefix="attribution")
        pool = _pool
    helpers: list[Future[None]] = []
    with suppress(RuntimeError):  # the interpreter is on its way out, or has no more threads to give
        helpers.extend(pool.submit(work) for _ in range(min(count, MOST_HELPERS)))
    return helpers


def _forget_pool() -> None:
    """In a forked child: the threads of the parent's pool do not exist here."""
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
