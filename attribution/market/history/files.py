"""Bars and closes as Parquet bytes, and bytes as files that are whole or not there.

The schema has a version. It stands in the path, so that another version's files are never overwritten, and with
source, symbol, exchange and session in each file, so that a file says what it is wherever it lies.
"""

from __future__ import annotations

import os
import re
import secrets
from array import array
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from attribution.calendars import get_calendar, to_epoch_us
from attribution.market.quotes import Bar, Bars, Price, PriceKind

__all__ = [
    "EXTRA",
    "SCHEMA",
    "CorruptError",
    "arrow",
    "bars_from_bytes",
    "bars_to_bytes",
    "close_from_bytes",
    "close_to_bytes",
    "remove_litter",
    "write_whole",
]

SCHEMA = "1"
EXTRA = "history"
PREFIX = "attribution."
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PASSING = re.compile(r"\..+\.[0-9]+\.[0-9a-f]{8}\.tmp")
"""Files on their way; see :func:`write_whole`."""

BAR_COLUMNS = ("open", "high", "low", "close", "volume")


class CorruptError(Exception):
    """A file is not what its name says; the message says how."""


def arrow() -> tuple[Any, Any]:
    """Return ``pyarrow`` and ``pyarrow.parquet``, imported on first use.

    Raises
    ------
    ImportError
        It is not installed; the message says how to get it.
    """
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as exc:
        raise ImportError(f"history on disk needs pyarrow: pip install 'options-attribution[{EXTRA}]'") from exc


def bars_to_bytes(bars: Bars, facts: Mapping[str, str]) -> bytes:
    """Write bars as Parquet; ``facts`` are kept beside them. The same input gives the same bytes."""
    columns: dict[str, list[Any]] = {"start": [to_epoch_us(bar.start) for bar in bars.bars]}
    columns |= {name: [getattr(bar, name) for bar in bars.bars] for name in BAR_COLUMNS}
    return _to_bytes(columns, {**facts, "source": bars.source})


def bars_from_bytes(raw: bytes, facts: Mapping[str, str]) -> Bars:
    """Read what :func:`bars_to_bytes` wrote, the starts in the exchange's zone.

    Raises
    ------
    CorruptError
        The bytes are no such file, or say of themselves anything but ``facts``.
    """
    columns, source = _from_bytes(raw, facts, ("start", *BAR_COLUMNS))
    zone = get_calendar(facts["exchange"]).zone
    if any(later <= earlier for earlier, later in pairwise(columns[0])):
        raise CorruptError("its minutes are not in order")
    starts = [_instant(start, zone) for start in columns[0]]
    rows = zip(starts, *columns[1:], strict=True)
    return Bars(tuple(Bar(*row) for row in rows), source, complete=True)


def close_to_bytes(price: Price, facts: Mapping[str, str]) -> bytes:
    """Write a close as Parquet; see :func:`bars_to_bytes`."""
    observed = None if price.time is None else to_epoch_us(price.time)
    columns: dict[str, list[Any]] = {"value": [price.value], "kind": [price.kind.value], "time": [observed]}
    return _to_bytes(columns, {**facts, "source": price.source})


def close_from_bytes(raw: bytes, facts: Mapping[str, str]) -> Price:
    """Read what :func:`close_to_bytes` wrote. Raises like :func:`bars_from_bytes`."""
    (values, kinds, times), source = _from_bytes(raw, facts, ("value", "kind", "time"))
    if len(values) != 1:
        raise CorruptError(f"it holds {len(values)} closes")
    try:
        kind = PriceKind(kinds[0])
    except ValueError as exc:
        raise CorruptError(f"kind {kinds[0]!r} is unknown") from exc
    observed = None if times[0] is None else _instant(times[0], get_calendar(facts["exchange"]).zone)
    return Price(values[0], source, kind, observed)


def write_whole(path: Path, raw: bytes) -> None:
    """Write a file so that every reader, in this process or another, sees all of it or none.

    It is written under a name of its own, flushed to the disk, and moved into place. Flushing costs milliseconds beside
    a fetch that took longer, and what is stored may not be had again: vendors forget expired contracts. The folder
    itself is not flushed: after a power cut the file may be missing as if never written, but not torn.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    passing = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with passing.open("xb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        passing.replace(path)
    finally:
        passing.unlink(missing_ok=True)  # once moved into place there is nothing left to remove


def remove_litter(folder: Path, before: float) -> None:
    """Remove what writers left in a folder that died before they moved their file into place.

    ``before`` is a time of the file system [s since 1970]: what is younger may be another process's, still being
    written. Safe with several processes: whoever comes second finds nothing.
    """
    with os.scandir(folder) as entries:
        passing = [entry for entry in entries if _PASSING.fullmatch(entry.name)]
    for entry in passing:
        # Gone meanwhile, or not ours to remove: litter harms nobody, and the next writer tries again.
        with suppress(OSError):
            if entry.stat(follow_symlinks=False).st_mtime < before:
                os.unlink(entry.path)


def _schema(pa: Any, names: Sequence[str]) -> Any:
    instants = pa.timestamp("us", tz="UTC")
    types = {"start": instants, "time": instants, "kind": pa.string()}
    return pa.schema([(name, types.get(name, pa.float64())) for name in names])


def _instant(epoch_us: int, zone: ZoneInfo) -> datetime:
    try:
        return (EPOCH + timedelta(microseconds=epoch_us)).astimezone(zone)
    except OverflowError as exc:
        raise CorruptError(f"an instant in it is no date: {epoch_us} microseconds") from exc


def _to_bytes(columns: dict[str, list[Any]], facts: Mapping[str, str]) -> bytes:
    pa, parquet = arrow()
    schema = _schema(pa, list(columns)).with_metadata({PREFIX + key: text for key, text in facts.items()})
    arrays = [_column(pa, values, schema.field(name).type) for name, values in columns.items()]
    sink = pa.BufferOutputStream()
    table = pa.Table.from_arrays(arrays, schema=schema)
    parquet.write_table(table, sink, compression="zstd", write_page_checksum=True)
    raw: bytes = sink.getvalue().to_pybytes()
    return raw


def _column(pa: Any, values: list[Any], type_: Any) -> Any:
    """Lay out a column: ``pyarrow.array`` would do, but imports pandas wherever that is installed."""
    if values == [None]:
        return pa.nulls(1, type_)
    if type_ == pa.string():
        text = [value.encode() for value in values]
        ends = array("i", [0, *accumulate(map(len, text))])
        return pa.Array.from_buffers(type_, len(values), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(text))])
    laid = array("d", values) if type_ == pa.float64() else array("q", values)
    return pa.Array.from_buffers(type_, len(values), [None, pa.py_buffer(laid)])


def _from_bytes(raw: bytes, facts: Mapping[str, str], names: Sequence[str]) -> tuple[list[list[Any]], str]:
    """Return the columns and the source."""
    pa, parquet = arrow()
    try:
        file = parquet.ParquetFile(pa.BufferReader(raw), page_checksum_verification=True)
        table = file.read(use_threads=False)
        # Bytes that are no text are as corrupt as a broken page, in the names of columns too.
        told = {key.decode(): text.decode() for key, text in (table.schema.metadata or {}).items()}
        named = list(table.schema.names)
    except (pa.ArrowException, OSError, ValueError) as exc:
        raise CorruptError(f"it is no readable Parquet file: {_first_line(exc)}") from exc
    for key, text in facts.items():
        if told.get(PREFIX + key) != text:
            raise CorruptError(f"its {key} is {told.get(PREFIX + key)!r}, not {text!r}")
    if not table.schema.equals(_schema(pa, names)) or PREFIX + "source" not in told:
        raise CorruptError(f"its columns are {named}, not {list(names)} of the agreed types")
    if any(table.column(name).null_count for name in names if name != "time"):
        raise CorruptError("a value is missing in it")
    return [_values(pa, table.column(name)) for name in names], told[PREFIX + "source"]


def _values(pa: Any, column: Any) -> list[Any]:
    """Return a column as a list, instants as UTC microseconds since 1970."""
    found: list[Any] = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
    return found


def _first_line(exc: BaseException) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0]
