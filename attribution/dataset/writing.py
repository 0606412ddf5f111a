"""Parquet files that are whole or not there, and that say of themselves which input they were made from."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from attribution.result import EFFECTS

__all__ = ["PartWriter", "facts_of"]

_KEY = "attribution.dataset"
_BATCH = 1 << 16
"""Values that are encoded at a time. With this many, with statistics of times alone, and without packing the effects,
whose digits are noise, writing takes two thirds of the time that it takes by default."""


class PartWriter:
    """Write tables to a file that appears under its name when :meth:`commit` is called, and never else.

    It is written in a folder for passing files on the same disk, and flushed before it is moved: after a power cut it
    is whole or missing.
    """

    def __init__(self, path: str, passing: str, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        os.makedirs(passing, exist_ok=True)
        self._passing = os.path.join(passing, f"{os.getpid()}-{secrets.token_hex(8)}.tmp")
        self._writer = pq.ParquetWriter(
            self._passing,
            schema,
            compression={field.name: "none" if field.name in EFFECTS else "lz4" for field in schema},
            use_dictionary=[field.name for field in schema if not pa.types.is_floating(field.type)],
            write_statistics=[field.name for field in schema if pa.types.is_temporal(field.type)],
            write_batch_size=_BATCH,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        if os.path.exists(self._passing):
            os.unlink(self._passing)

    def write(self, table: pa.Table) -> None:
        """Add rows, as one row group; columns of another width or time zone are made equal to the first table's."""
        self._writer.write_table(table if table.schema.equals(self._schema) else table.cast(self._schema))

    def commit(self, facts: Mapping[str, Any]) -> None:
        """Finish the file, with these facts in its footer, and put it into its place."""
        self._writer.add_key_value_metadata({_KEY: json.dumps(facts)})
        self._writer.close()
        with open(self._passing, "rb") as written:
            os.fsync(written.fileno())
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        os.replace(self._passing, self._path)


def facts_of(path: str) -> dict[str, Any] | None:
    """The facts in the footer of a file that :class:`PartWriter` wrote; None for any other file."""
    try:
        told = pq.read_metadata(path).metadata or {}
        facts = json.loads(told.get(_KEY.encode(), b"null"))
    except (OSError, ValueError, pa.ArrowException):
        return None
    return facts if isinstance(facts, dict) else None
