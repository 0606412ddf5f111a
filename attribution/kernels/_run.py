"""One kernel over all elements: at once where that is possible, else chunk by chunk and thread by thread.

Chunks are whole numbers of blocks, and which elements share a block decides nothing else: so the results
are the same to the last bit for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attribution.kernels._columns import SMALL, ColumnReader, Columns
from attribution.kernels._jit import BLOCK
from attribution.kernels._threads import Span, share_out, thread_count
from attribution.kernels.results import Floats

__all__ = ["Plan", "run"]

Call = Callable[[Sequence[Floats], Sequence[NDArray[Any]]], object]
"""A kernel's call with inputs and outputs."""


class Plan(NamedTuple):
    """How the work of one kernel is shared out."""

    chunk: int
    """Elements worked on in one call: enough to make the call's own cost small, few enough for the cache."""
    pays_from: int
    """Elements from which a second thread pays."""


def run(call: Call, columns: Columns, outputs: Sequence[NDArray[Any]], plan: Plan, threads: int | None) -> None:
    """Fill ``outputs`` from ``columns``.

    Parameters
    ----------
    call
        The kernel.
    outputs
        Contiguous arrays whose last axis counts the elements. One that has none is passed as it is.

    Raises
    ------
    ValueError
        If ``threads`` is not allowed.
    """
    size = columns.size
    count = thread_count(threads, size, plan.pays_from)
    if not columns.pending and (count == 1 or size <= SMALL):
        call(columns.ready, outputs)  # type: ignore[arg-type]
        return
    share = -(-size // count)
    chunk = min(plan.chunk, -(-share // BLOCK) * BLOCK)

    def new_worker() -> Span:
        reader = ColumnReader(columns, chunk)
        writers = [_Writer(output, chunk) for output in outputs]

        def span(start: int, stop: int) -> None:
            call(reader.read(start, stop), [writer.room(start, stop) for writer in writers])
            for writer in writers:
                writer.put(start, stop)

        return span

    share_out(new_worker, size, chunk, count)


class _Writer:
    """Gives a kernel a contiguous array for one chunk of an output.

    Of a table (rows, elements) a chunk is not contiguous: its rows are filled elsewhere and then copied,
    while they are still in the cache.
    """

    def __init__(self, output: NDArray[Any], rows: int) -> None:
        self._output = output
        self._copied = output.ndim == 2 and output.shape[1] > 0
        self._store = np.empty(output.shape[0] * rows if self._copied else 0, output.dtype)

    def room(self, start: int, stop: int) -> NDArray[Any]:
        if not self._copied:
            return self._output[start:stop] if self._output.ndim == 1 else self._output
        return self._store[: len(self._output) * (stop - start)].reshape(-1, stop - start)

    def put(self, start: int, stop: int) -> None:
        if self._copied:
            self._output[:, start:stop] = self.room(start, stop)
