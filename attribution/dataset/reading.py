"""A part of a file as tables that fit into memory, with the columns of its path beside its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from attribution.dataset.columns import Choice
from attribution.dataset.errors import FileError
from attribution.dataset.parts import Part, csv_header, named_columns
from attribution.dataset.sources import Form, Partition

__all__ = ["empty_table", "gathered", "tables"]

_CSV_BLOCK = 4 << 20
_BUFFER = 1 << 20
"""How much of a column is read from the disk at once, instead of the whole row group of it. [bytes]"""


def empty_table(part: Part) -> pa.Table:
    """Return a table of every column that the file has, read or not, and of no rows: what there is to choose from.

    Raises
    ------
    FileError
        The file is not what its name says.
    """
    if part.file.form is Form.PARQUET:
        schema = pq.read_schema(part.file.path)
    else:
        schema = pa.schema([(name, pa.string()) for name in _csv_names(part)])
    return _with_partition(schema.empty_table(), part.file.partition)


def tables(part: Part, rows: int, choice: Choice) -> Iterator[pa.Table]:
    """Read the chosen columns of a part, about ``rows`` rows at a time.

    Raises
    ------
    FileError, OSError, pa.ArrowException
        The file is not what its name says.
    """
    batches = _parquet_batches(part, rows, choice) if part.file.form is Form.PARQUET else _csv_batches(part, choice)
    partition = tuple((key, value) for key, value in part.file.partition if choice.of_names([key]))
    for table in gathered(batches, rows):
        yield _numbers_read(_with_partition(table, partition), choice)


def _parquet_batches(part: Part, rows: int, choice: Choice) -> Iterator[pa.RecordBatch]:
    names = pq.read_schema(part.file.path).names
    # Without pre-buffering memory does not grow with the row group, of which a file may have only one.
    with pq.ParquetFile(
        part.file.path,
        read_dictionary=[name for name in names if choice.repeats(name)],
        buffer_size=_BUFFER,
        pre_buffer=False,
    ) as file:
        groups = list(range(part.start, file.num_row_groups if part.stop is None else part.stop))
        yield from file.iter_batches(rows, row_groups=groups, columns=choice.of_names(names), use_threads=False)


def _csv_batches(part: Part, choice: Choice) -> Iterator[pa.RecordBatch]:
    names = _csv_names(part)
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise FileError(f"column {twice[0]!r} stands there twice")
    wanted = choice.of_names(names)
    if part.start == part.stop:
        return
    with pyarrow.csv.open_csv(
        _csv_stream(part),
        pyarrow.csv.ReadOptions(
            use_threads=False,
            block_size=_CSV_BLOCK,
            column_names=names,
            skip_rows=0 if part.file.form is Form.CSV else 1,
        ),
        pyarrow.csv.ParseOptions(newlines_in_values=True),
        pyarrow.csv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            null_values=[""],
        ),
    ) as reader:
        yield from reader


def _csv_names(part: Part) -> list[str]:
    if part.file.form is Form.CSV:
        return csv_header(part.file.path)[0]
    with pyarrow.csv.open_csv(
        pa.input_stream(part.file.path),
        pyarrow.csv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK),
    ) as reader:
        return named_columns(reader.schema.names)


def _csv_stream(part: Part) -> Any:
    if part.stop is None:
        return pa.input_stream(part.file.path)
    with open(part.file.path, "rb") as text:
        text.seek(part.start)
        return pa.BufferReader(text.read(part.stop - part.start))


def gathered(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Small batches put together: every call has a price, whatever the size of the row groups."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        if held and count + batch.num_rows > rows:
            yield pa.Table.from_batches(held)
            held, count = [], 0
        held.append(batch)
        count += batch.num_rows
    if count:
        yield pa.Table.from_batches(held)


def _with_partition(table: pa.Table, partition: Partition) -> pa.Table:
    """Add the columns of the path; where the file has such a column itself, that one counts."""
    for key, value in partition:
        if key not in table.column_names:
            codes = pa.repeat(pa.scalar(None if value is None else 0, pa.int32()), len(table))
            values = pa.array([] if value is None else [value], pa.string())
            table = table.append_column(key, pa.DictionaryArray.from_arrays(codes, values))
    return table


def _numbers_read(table: pa.Table, choice: Choice) -> pa.Table:
    """Make numbers of the text of numbers; a column with a word in it stays text, and the word is its row's fault."""
    for place, name in enumerate(table.column_names):
        kind = table.schema.field(place).type
        if choice.is_number(name) and (pa.types.is_string(kind) or pa.types.is_dictionary(kind)):
            try:
                numbers = pc.cast(table.column(place), pa.float64())
            except pa.ArrowInvalid:
                continue
            table = table.set_column(place, name, numbers)
    return table
