"""Result columns → a frame of the caller's kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution.tables.frames import NativeFrame, TradeFrame
from attribution.tables.results import NO_DAY, Column
from attribution.tables.texts import Texts

__all__ = ["make_frame"]

_INSTANTS = ("start", "end")
_DAYS = ("expiry", "session")


def make_frame(
    source: TradeFrame, columns: Mapping[str, Column], row: NDArray[np.int64], keep: Sequence[str]
) -> NativeFrame:
    """Return the columns, and those of the source that are kept, as a frame of the source's kind.

    ``row`` is the row of the source that each row of the result belongs to: a pandas index, and the columns to keep,
    are taken from there. Texts that repeat are categorical in pandas and dictionary-encoded in pyarrow.
    """
    implementation = source.data.implementation
    whole = row.size == source.size and bool((row == np.arange(row.size)).all())
    kept = source.data.select(list(keep)).to_native() if keep else None
    if implementation.is_pandas():
        return _pandas(source.data.to_native().index, columns, kept, row, whole)
    if implementation.is_polars():
        frame = _polars(columns, kept, row, whole)
        return frame.lazy() if source.lazy else frame
    if implementation.is_pyarrow():
        return _arrow(columns, kept, row, whole)
    raise TypeError(f"a frame of {implementation}: pandas, polars and pyarrow are known; convert it to one of them")


def _pandas(index: Any, columns: Mapping[str, Column], kept: Any, row: NDArray[np.int64], whole: bool) -> Any:
    import pandas as pd

    own = index if whole else index.take(row)
    made: dict[str, Any] = {}
    for name, column in columns.items():
        if isinstance(column, Texts):
            made[name] = pd.Categorical.from_codes(column.codes, pd.Index(column.values, dtype=object))
        elif name in _INSTANTS:
            made[name] = pd.DatetimeIndex(column.view("datetime64[us]")).tz_localize("UTC")
        elif name in _DAYS:
            made[name] = _days(column).astype("datetime64[s]")
        else:
            made[name] = column
    frame = pd.DataFrame(made, index=own, copy=False)
    if kept is not None:
        part = kept if whole else kept.take(row)
        for name in kept.columns:
            frame[name] = part[name].array
    return frame


def _polars(columns: Mapping[str, Column], kept: Any, row: NDArray[np.int64], whole: bool) -> Any:
    import polars as pl

    made = []
    for name, column in columns.items():
        if isinstance(column, Texts):
            values = pl.Series(name, [*column.values, None], dtype=pl.String)
            made.append(values.gather(np.where(column.codes < 0, len(column.values), column.codes)))
        elif name in _INSTANTS:
            made.append(pl.Series(name, column.view("datetime64[us]")).dt.replace_time_zone("UTC"))
        elif name in _DAYS:
            made.append(pl.Series(name, _days(column)))
        else:
            made.append(pl.Series(name, column))
    frame = pl.DataFrame(made)
    return frame if kept is None else frame.hstack(kept if whole else kept[row])


def _arrow(columns: Mapping[str, Column], kept: Any, row: NDArray[np.int64], whole: bool) -> Any:
    import pyarrow as pa

    made = {}
    for name, column in columns.items():
        if isinstance(column, Texts):
            codes = pa.array(column.codes.astype(np.int32), mask=column.codes < 0)
            made[name] = pa.DictionaryArray.from_arrays(codes, pa.array(column.values, pa.string()))
        elif name in _INSTANTS:
            made[name] = pa.array(column.view("datetime64[us]"), pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
        elif name in _DAYS:
            made[name] = pa.array(_days(column), pa.date32())
        else:
            made[name] = pa.array(column)
    table = pa.table(made)
    if kept is not None:
        part = kept if whole else kept.take(pa.array(row))
        for name in kept.column_names:
            table = table.append_column(name, part[name])
    return table


def _days(column: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """Day numbers as dates; the least number there is, is none in both."""
    assert np.iinfo(np.int64).min == NO_DAY
    return column.view("datetime64[D]")
