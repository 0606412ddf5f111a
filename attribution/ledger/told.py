"""Everything a book was told, and what of it could not be used."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from attribution.ledger.records import Correction
from attribution.ledger.sheet import Happening, Trade

__all__ = ["Notice", "StepKey", "Told"]

StepKey = tuple[str, str, str]
"""Account, kind, key."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An entry of the log that the book could not use: which, and why. It moved nothing."""

    seq: int
    kind: str
    account_id: str
    key: str
    text: str


@dataclass(slots=True)
class Told:
    """Everything a book was told, of which the rest follows.

    ``steps`` by account, kind and key, in the order of telling; ``corrections`` by account and fill key, then revision;
    ``plans`` the latest weights by account and symbol; ``unallocated`` the order ids of fills without an allocation, by
    account and key.
    """

    steps: dict[StepKey, Trade | Happening] = field(default_factory=dict)
    corrections: dict[tuple[str, str], dict[int, Correction]] = field(default_factory=dict)
    plans: dict[tuple[str, str], dict[str, Decimal]] = field(default_factory=dict)
    unallocated: dict[tuple[str, str], str] = field(default_factory=dict)
