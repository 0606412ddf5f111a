"""Texts of times in the shape in which they come by the million: all at once, none of them a Python object.

Every other text goes the way of a single cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution.calendars import NAT
from attribution.kernels.plain_times import plain_times_many

__all__ = ["plain_column", "plain_times"]

WIDTH = 20
"""One more than the longest text of the shape, so that a longer one is seen to be longer."""


def plain_times(values: Sequence[object]) -> NDArray[np.int64]:
    """Return the local times in texts as microseconds since 1970-01-01; NAT for what is not of the shape."""
    plain = values if set(map(type, values)) <= {str} else [v if isinstance(v, str) else "" for v in values]
    letters = np.array(plain, dtype=f"U{WIDTH}").view(np.uint32)
    first = np.arange(0, len(values) * WIDTH, WIDTH, dtype=np.int64)
    return _read(letters, first, first + WIDTH)


def plain_column(series: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
    """Return the local times of a narwhals series of texts, and which cells hold a text of another shape.

    None where its letters do not lie side by side: without pyarrow, or for texts that are objects.
    """
    if find_spec("pyarrow") is None or not _is_dense(series):
        return None
    import pyarrow as pa

    local_us, other = [np.empty(0, np.int64)], [np.empty(0, np.bool_)]
    column = series.to_arrow()
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        texts = chunk.cast(pa.large_string())
        _, ends, data = texts.buffers()
        offsets = np.frombuffer(ends, np.int64)[texts.offset : texts.offset + len(texts) + 1]
        letters = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
        times = _read(letters, np.ascontiguousarray(offsets[:-1]), np.ascontiguousarray(offsets[1:]))
        valid = np.asarray(texts.is_valid())
        local_us.append(np.where(valid, times, NAT))
        other.append(valid & (times == NAT))
    return np.concatenate(local_us), np.concatenate(other)


def _is_dense(series: Any) -> bool:
    implementation = series.implementation
    if implementation.is_pandas():
        return getattr(series.to_native().dtype, "storage", "") == "pyarrow"
    return bool(implementation.is_polars() or implementation.is_pyarrow())


def _read(letters: NDArray[Any], first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    locked = letters.view()
    locked.flags.writeable = False
    local_us = np.empty(first.size, np.int64)
    plain_times_many(locked, first, last, local_us)
    return local_us
