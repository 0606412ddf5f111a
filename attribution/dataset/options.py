"""The options of a run as text that can be compared: the manifest says with which ones its results were made."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any

__all__ = ["describe"]

_SILENT = frozenset({"threads"})
"""Options that change no result."""


def describe(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What JSON can hold of each option that is not at its default.

    Small values stand as they are; dicts, lists and frames of prices by a digest. What a function, a broker or a source
    answers cannot be compared: only who it is.
    """
    told = {name: _told(value) for name, value in sorted(options.items()) if name not in _SILENT}
    usual = {name: _told(value) for name, value in defaults.items()}
    return {name: value for name, value in told.items() if name not in usual or value != usual[name]}


def _told(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        small = len(value) <= 64 and all(isinstance(key, str) and isinstance(one, str) for key, one in value.items())
        return dict(value) if small else _digest(f"{key!r}:{one!r}" for key, one in value.items())
    if isinstance(value, Sequence):
        small = len(value) <= 64 and all(isinstance(one, str | int | float) for one in value)
        return list(value) if small else _digest(map(repr, value))
    if hasattr(value, "__arrow_c_stream__"):
        return _digest_of_frame(value)
    if isinstance(value, functools.partial):
        return [_told(value.func), _told(value.args), _told(value.keywords)]
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _digest(texts: Any) -> str:
    """A digest that does not depend on the order."""
    total = 0
    for text in texts:
        total += int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
    return f"{total % (1 << 128):032x}"


def _digest_of_frame(frame: Any) -> str:
    import pyarrow as pa

    found = hashlib.blake2b(digest_size=16)
    table = pa.table(frame).combine_chunks()
    found.update(str(table.schema.remove_metadata()).encode())
    for batch in table.to_batches():
        found.update(batch.serialize())
    return found.hexdigest()
