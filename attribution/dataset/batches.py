"""Record batches in, record batches out: the face that Spark's ``mapInArrow`` and its like want."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from attribution.dataset.door import CHUNK_ROWS
from attribution.dataset.engine import described, frame_function
from attribution.dataset.reading import gathered

__all__ = ["attribute_batches", "results_schema"]


def attribute_batches(
    batches: Iterable[pa.RecordBatch], *, chunk_rows: int = CHUNK_ROWS, **options: Any
) -> Iterator[pa.RecordBatch]:
    """Explain a stream of trades, about ``chunk_rows`` at a time.

    ``options`` are those of :func:`~attribution.calculate_attribution_for_trades` over a frame. Where trades are open,
    give ``current_time``: each stream else looks at them from the instant at which it begins.

    Raises
    ------
    TypeError, ValueError
        An option is not what it may be, or a column is missing, misspelt or of another kind.
    """
    described(options)
    explain = frame_function(options, datetime.now(UTC), threads=1)
    for table in gathered(batches, chunk_rows):
        yield from _plain(explain(table)).to_batches()


def results_schema(trades: pa.Schema, **options: Any) -> pa.Schema:
    """Return the columns of the results of trades with these columns, under these options."""
    described(options)
    return _plain(frame_function(options, datetime.now(UTC), threads=1)(trades.empty_table())).schema


def _plain(table: pa.Table) -> pa.Table:
    """Texts as texts: not every reader of Arrow knows dictionaries."""
    plain = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(plain))
