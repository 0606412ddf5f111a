"""The boundary to data frames: pandas, polars and pyarrow in, the caller's own kind out. Nothing else here knows one.

Frames are read and made through narwhals, which is imported at the first frame.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["FrameT", "NativeFrame", "TradeFrame", "is_frame", "match_columns", "read_frame"]

NativeFrame: TypeAlias = Any
"""A pandas or polars data frame, a polars lazy frame, a pyarrow table."""


class _ArrowFrame(Protocol):
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class _LazyFrame(Protocol):
    def collect_schema(self) -> Any: ...


FrameT = TypeVar("FrameT", bound=_ArrowFrame | _LazyFrame)
"""The caller's kind of frame, to a type checker."""

_FACES = ("__arrow_c_stream__", "__dataframe__", "collect_schema", "__narwhals_dataframe__")


def is_frame(value: object) -> bool:
    """Whether a value is a data frame of some kind, to the eye: nothing is imported."""
    kind: Any = type(value)
    return _is_frame_type(kind)


@lru_cache(maxsize=1024)
def _is_frame_type(kind: type) -> bool:
    is_column = hasattr(kind, "to_frame")
    return not is_column and any(hasattr(kind, face) for face in _FACES)


@dataclass(frozen=True, slots=True)
class TradeFrame:
    """A frame of trades: which of its columns holds which field.

    ``data`` is the narwhals frame, ``lazy`` whether the caller's was lazy.
    """

    data: Any
    columns: Mapping[str, str]
    lazy: bool

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.data)

    def __contains__(self, field: str) -> bool:
        return field in self.columns

    def series(self, field: str) -> Any:
        """Return the narwhals series of a field."""
        return self.data[self.columns[field]]

    def rows(self, places: NDArray[np.int64]) -> list[dict[str, Any]]:
        """Return rows as the single call takes them: field → value, known fields only."""
        names = list(dict.fromkeys(self.columns.values()))
        part = self.data.select(names)[places]
        cells = {name: part[name].to_list() for name in names}
        fields = list(self.columns)
        values = zip(*(cells[self.columns[field]] for field in fields), strict=True)
        return [dict(zip(fields, row, strict=True)) for row in values]


def read_frame(native: NativeFrame) -> tuple[Any, bool]:
    """Return the narwhals frame, collected, and whether it was lazy.

    Raises
    ------
    ValueError
        Two columns have one name.
    """
    import narwhals.stable.v2 as nw

    try:
        data = nw.from_native(native)
    except nw.exceptions.DuplicateError as exc:
        names = [str(name) for name in getattr(native, "columns", ())]
        _refuse_twice(names, "frame")
        raise ValueError(f"frame: {exc}") from exc
    lazy = isinstance(data, nw.LazyFrame)
    return (data.collect() if isinstance(data, nw.LazyFrame) else data), lazy


def _refuse_twice(names: Sequence[str], what: str) -> None:
    for name in dict.fromkeys(names):
        if list(names).count(name) > 1:
            raise ValueError(f"{what}: column {name!r} is there {list(names).count(name)} times; name each once")


def match_columns(
    names: Sequence[str],
    known: Sequence[str],
    required: Sequence[str],
    renames: Mapping[str, str] | None,
    what: str = "trades",
) -> dict[str, str]:
    """Return field → column for the fields that a frame has.

    Raises
    ------
    ValueError
        A required column is not there, ``columns`` names a field or a column that does not exist, a column is there
        twice, or is so near to a field's name that it must be a misspelling; the message gives the nearest name.
    """
    return dict(_matched(tuple(names), tuple(known), tuple(required), tuple((renames or {}).items()), what))


@lru_cache(maxsize=256)
def _matched(
    names: tuple[str, ...],
    known: tuple[str, ...],
    required: tuple[str, ...],
    renames: tuple[tuple[str, str], ...],
    what: str,
) -> dict[str, str]:
    """Match once what comes again and again: the frames of a dataset have the same columns."""
    _refuse_twice(names, what)
    found = {field: field for field in known if field in names}
    for field, column in renames:
        if field not in known:
            raise ValueError(
                f"columns={{{field!r}: …}}: no such field{_nearest(field, known)}; known are {_told(known)}"
            )
        if column not in names:
            raise ValueError(
                f"columns={{{field!r}: {column!r}}}: the {what} have no such column{_nearest(column, names)}"
            )
        found[field] = column
    for field in required:
        if field not in found:
            raise ValueError(
                f"{what}: the column {field!r} is missing{_nearest(field, names)}; "
                "say columns={'" + field + "': 'your column'} where it has another name"
            )
    _refuse_misspelt(names, known, found, what)
    return found


def _refuse_misspelt(names: Sequence[str], known: Sequence[str], found: Mapping[str, str], what: str) -> None:
    """A misspelt optional column would be ignored in silence, and what it holds would be taken for unknown."""
    used = set(found.values())
    for name in names:
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.85)
        if name not in used and near and near[0] not in found:
            raise ValueError(
                f"{what}: column {name!r} looks like {near[0]!r} misspelt; rename it, or say columns="
                f"{{{near[0]!r}: {name!r}}}"
            )


def _nearest(word: str, words: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, [str(other) for other in words], n=1, cutoff=0.6)
    return f" (nearest: {near[0]!r})" if near else ""


def _told(words: Sequence[str]) -> str:
    return ", ".join(words)
