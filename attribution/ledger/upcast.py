"""Old entries read as if they had been written today.

Entries are never rewritten. When a body's shape changes, ``CURRENT`` grows by one, and a pure function per changed
kind takes a body of the version before to the next. ``tests/ledger/golden`` keeps a log of every version that was ever
written, and what it must read as.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from attribution.ledger.entry import CURRENT, Entry, Kind
from attribution.ledger.errors import NewerSchemaError

__all__ = ["UPCASTERS", "Upcaster", "is_readable", "upcast"]

Upcaster = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""A body of one version → the body of the next; pure."""

UPCASTERS: Mapping[int, Mapping[Kind, Upcaster]] = {}
"""By the version that is read: what changed for a kind on the way to the next. Kinds that did not change are absent."""


def is_readable(entry: Entry, current: int = CURRENT) -> bool:
    """Whether this version of the package knows the entry's kind and its schema version."""
    return type(entry.kind) is Kind and entry.schema_version <= current


def upcast(entry: Entry, steps: Mapping[int, Mapping[Kind, Upcaster]] = UPCASTERS, current: int = CURRENT) -> Entry:
    """Return the entry with its body in the current shape; its digest stays that of what was written.

    Raises
    ------
    NewerSchemaError
        If a newer version of the package wrote it.
    """
    if not is_readable(entry, current):
        raise NewerSchemaError(
            f"entry {entry.seq} is a {str(entry.kind)!r} of schema version {entry.schema_version}; this version of the "
            f"package reads up to version {current}: upgrade it"
        )
    if entry.schema_version == current:
        return entry
    body = entry.body
    for version in range(entry.schema_version, current):
        step = steps.get(version, {}).get(entry.kind)
        body = body if step is None else step(body)
    return replace(entry, body=body, schema_version=current)
