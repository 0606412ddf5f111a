"""Columns of repeating values as codes: each distinct value is looked at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Factor", "combine", "distinct", "factorise"]


class Factor(NamedTuple):
    """``values[codes]`` is the column; a code of −1 is an empty cell."""

    codes: NDArray[np.int64]
    values: list[Any]


def factorise(series: Any) -> Factor:
    """Return the codes of a narwhals series, in order of first appearance where it is not categorical."""
    native = series.to_native()
    implementation = series.implementation
    if implementation.is_pyarrow():
        return _of_arrow(native)
    if implementation.is_polars():
        return _of_polars(native)
    return _of_pandas(native)


def _of_arrow(native: Any) -> Factor:
    import pyarrow as pa

    encoded = native if pa.types.is_dictionary(native.type) else native.dictionary_encode()
    array = encoded.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # a column without a single chunk
        return Factor(np.empty(0, np.int64), [])
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Factor(codes, array.dictionary.to_pylist())


def _of_polars(native: Any) -> Factor:
    import polars as pl

    values = native.drop_nulls().unique(maintain_order=True)
    if values.dtype == pl.String:
        codes = native.cast(pl.Enum(values)).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
        return Factor(codes, values.to_list())
    if values.dtype in (pl.Categorical, pl.Enum):
        return _of_polars(native.cast(pl.String))
    return _of_pandas(native.to_list())


def _of_pandas(native: Any) -> Factor:
    import pandas as pd

    if isinstance(native, pd.Series) and isinstance(native.dtype, pd.CategoricalDtype):
        return Factor(native.cat.codes.to_numpy().astype(np.int64), native.cat.categories.tolist())
    column = native if isinstance(native, pd.Series) else pd.Series(native, dtype=object)
    codes, values = pd.factorize(column)
    return Factor(codes.astype(np.int64), values.tolist())


def distinct(values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return codes and distinct values of an array without empty cells, in order of first appearance."""
    import pandas as pd

    codes, found = pd.factorize(values)
    return codes.astype(np.int64), np.asarray(found)


def combine(parts: Sequence[tuple[NDArray[np.int64], int]]) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Number the distinct combinations of several codes.

    Parameters
    ----------
    parts
        Codes from −1 on, and how many values there are, part by part.

    Returns
    -------
    tuple
        The number of each element's combination, and for each part the code that belongs to a combination.
    """
    codes, count = parts[0]
    if len(parts) == 1 and (codes.size == 0 or int(codes.min()) >= 0):
        return codes, [np.arange(count, dtype=np.int64)]
    joined = codes + 1
    for more, size in parts[1:]:
        joined = joined * (size + 1) + (more + 1)
    number, keys = distinct(joined)
    members: list[NDArray[np.int64]] = []
    for _, size in reversed(parts[1:]):
        members.insert(0, keys % (size + 1) - 1)
        keys = keys // (size + 1)
    return number, [keys - 1, *members]
