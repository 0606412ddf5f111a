"""Prices from files of the kinds that trades may be in, as one table for ``spot_prices``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from attribution.dataset.columns import Choice, columns_of
from attribution.dataset.errors import DatasetError, FileError
from attribution.dataset.parts import cut
from attribution.dataset.reading import empty_table, tables
from attribution.dataset.sources import InputFile, find_inputs
from attribution.tables import price_frame

__all__ = ["read_prices"]

_NEEDED = ("symbol", "time", "price")
_COLUMNS = (*_NEEDED, "exchange")
_ROWS = 1 << 17


def read_prices(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> pa.Table:
    """Return the columns ``symbol, time, price`` and, where a file has it, ``exchange`` of every file of a source.

    ``target`` is where results are to be written: it may not lie inside the source.

    Raises
    ------
    DatasetError
        There is no such file, one cannot be read, or what it holds is no price at an instant: the message says where.
    """
    found: list[pa.Table] = []
    for file in find_inputs(source, target).files:
        try:
            found += _tables_of(file)
        except (FileError, OSError, pa.ArrowException) as exc:
            raise DatasetError(f"{file.name}: {exc}") from exc
    try:
        prices = pa.concat_tables(found, promote_options="default")
        price_frame(prices)
    except (pa.ArrowException, ValueError) as exc:
        raise DatasetError(str(exc)) from exc
    return prices


def _tables_of(file: InputFile) -> Iterator[pa.Table]:
    for part in cut(file, key=""):
        found = columns_of(empty_table(part).column_names, _COLUMNS, {})
        for name in _NEEDED:
            if name not in found:
                raise FileError(f"no column {name!r}; needed are {', '.join(_NEEDED)}")
        for table in tables(part, _ROWS, Choice(keep=tuple(found.values()))):
            yield _plain(table, found)


def _plain(table: pa.Table, found: Mapping[str, str]) -> pa.Table:
    """Texts as plain texts, the text of a price as its number: what differs from file to file becomes alike."""
    columns = {name: table.column(found[name]) for name in _COLUMNS if name in found}
    for name, column in columns.items():
        if name == "price":
            columns[name] = pc.cast(column, pa.float64())
        elif name != "time" or pa.types.is_dictionary(column.type):
            columns[name] = pc.cast(column, pa.string())
    return pa.table(columns)
