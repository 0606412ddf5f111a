"""One kernel over all elements: at once where that is possible, else chunk by chunk and thread by thread.

Chunks are whole numbers of blocks, and which elements share a block decides nothing else: so the results
are the same to the last bit for any number of threads. Towards the end chunks shared among threads become smaller:
with thirty of one size, and half a one left over, one of two threads would wait for the other a twentieth of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from attribution.kernels._columns import SMALL, ColumnReader, Columns
from attribution.kernels._threads import Span, share_out, thread_count
from attribution.kernels.lanes import LANES
from attribution.kernels.results import Floats

__all__ = ["Plan", "cut", "run"]

Call = Callable[[Sequence[Floats], int], object]
"""A kernel's call with a chunk of the columns, and the number of the chunk's first element: the kernel writes
straight into the results of the whole, from there on."""


class Plan(NamedTuple):
    """How the work of one kernel is shared out."""

    chunk: int
    """Elements worked on in one call: enough to make the call's own cost small, few enough for the cache."""
    pays_from: int
    """Elements from which a second thread pays."""


def run(call: Call, columns: Columns, plan: Plan, threads: int | None) -> None:
    """Have a kernel work on all elements of ``columns``.

    Raises
    ------
    ValueError
        If ``threads`` is not allowed.
    """
    size = columns.size
    count = thread_count(threads, size, plan.pays_from)
    if not columns.pending and (count == 1 or size <= SMALL):
        call(columns.ready, 0)  # type: ignore[arg-type]
        return
    bounds = cut(size, plan.chunk, count)

    def new_worker() -> Span:
        reader = ColumnReader(columns, bounds[1])
        return lambda start, stop: call(reader.read(start, stop), start)

    share_out(new_worker, bounds, count)


def cut(size: int, chunk: int, threads: int) -> list[int]:
    """Return where chunks begin and end, from 0 to ``size``, the first of them the largest.

    Each takes half of what would be a thread's share of the rest; but no more than ``chunk``, and no less than a
    quarter of that, if there is so much for each thread. On one thread all are of one size.
    """
    least = min(chunk // 4, -(-size // threads))
    bounds = [0]
    while (rest := size - bounds[-1]) > 0:
        share = max(rest // (2 * threads), least) if threads > 1 else chunk
        bounds.append(bounds[-1] + min(rest, chunk, -(-share // LANES) * LANES))
    return bounds
