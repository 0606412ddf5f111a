"""What a place for objects must offer, and the probe that refuses one that only seems to.

A log of objects needs one thing of its medium: of several writers who create the same name, exactly one succeeds.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Protocol

from attribution.ledger.errors import StoreError

__all__ = ["Objects", "Put", "probe"]

_RIVALS = 6
"""Writers that race for the probe's object."""


class Put(Enum):
    """What became of an attempt to create an object."""

    CREATED = "created"
    TAKEN = "taken"
    UNKNOWN = "unknown"


class Objects(Protocol):
    """Immutable objects by name. Safe to share between threads. Raises ``StoreError`` when the medium fails."""

    place: str

    def put_if_absent(self, name: str, content: bytes) -> Put:
        """Create an object, durably, unless the name is taken.

        ``UNKNOWN`` when no answer came: it may be there, or not, or appear later.
        """
        ...

    def get(self, name: str) -> bytes | None:
        """Return an object's content; None if there is none."""
        ...

    def names_after(self, folder: str, after: str) -> Iterator[str]:
        """Yield the names in ``folder`` that sort after ``after``, in order."""
        ...

    def settle(self, folder: str) -> None:
        """Make durable what others have put there, before anything is built on it."""
        ...

    def remove(self, name: str) -> None:
        """Remove an object that is not part of a log; where that is not permitted it stays."""
        ...


def probe(objects: Objects, prefix: str = "") -> None:
    """Prove that names are given once: a race of several writers for a fresh name, and one who comes late.

    Raises
    ------
    StoreError
        If the place lets two writers create the same name, loses what it took, or cannot be reached.
    """
    name = f"{prefix}probe/{uuid.uuid4().hex}"
    contents = [f"writer {number}".encode() for number in range(_RIVALS)]
    try:
        with ThreadPoolExecutor(_RIVALS) as pool:
            outcomes = list(pool.map(lambda content: objects.put_if_absent(name, content), contents))
        winners = [content for content, put in zip(contents, outcomes, strict=True) if put is Put.CREATED]
        if len(winners) > 1:
            raise StoreError(
                f"{objects.place}: {len(winners)} of {_RIVALS} writers created the same object: the store ignores or "
                "does not honour `If-None-Match: *`, and a log in it would lose entries"
            )
        if not winners and objects.put_if_absent(name, b"late") is Put.CREATED:
            winners = [b"late"]
        _require_kept(objects, name, winners or contents)
    finally:
        objects.remove(name)


def _require_kept(objects: Objects, name: str, allowed: list[bytes]) -> None:
    if objects.put_if_absent(name, b"too late") is Put.CREATED:
        raise StoreError(
            f"{objects.place}: an object that exists was created again: the store ignores `If-None-Match: *`, and a "
            "log in it would lose entries"
        )
    found = objects.get(name)
    if found is None:
        raise StoreError(f"{objects.place}: it does not answer, or does not keep what it takes")
    if found not in allowed:
        raise StoreError(f"{objects.place}: an object that one writer created has another's content")
