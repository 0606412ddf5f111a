"""Which columns of a file are read, and what they hold where a file holds text only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from attribution.tables.api import KNOWN
from attribution.trade import LEG_FIELDS, NUMBER_FIELDS, OPTIONAL_FIELDS, REQUIRED_FIELDS, leg_fields

__all__ = ["FIELDS", "Choice", "columns_of", "is_field"]

_NUMBERS = frozenset((*NUMBER_FIELDS, *LEG_FIELDS))
_KNOWN = frozenset(KNOWN)
FIELDS = (*REQUIRED_FIELDS, *OPTIONAL_FIELDS, *leg_fields(1), *leg_fields(2), "…")
"""The fields of a row, for messages."""

_REPEATING = frozenset({"symbol", "exchange", "side"})


def plain_name(name: str) -> str:
    """Return a header as fields are written: ``Entry Time`` is ``entry_time``."""
    return "_".join(name.lower().split())


def columns_of(names: Sequence[str], fields: Collection[str], renames: Mapping[str, str]) -> dict[str, str]:
    """Return field → column: as renamed, else the column of that name, else the first that is written like it."""
    found: dict[str, str] = {}
    for name in names:
        field = plain_name(name)
        if field in fields and field not in renames and name not in renames.values():
            found[field] = name if name == field else found.get(field, name)
    return {**found, **renames}


def is_field(name: str) -> bool:
    """Whether the rows of trades may have a field of this name."""
    return name in _KNOWN


@dataclass(frozen=True)
class Choice:
    """The columns that a run reads: those that mean something under their own or the caller's name, and ``keep``.

    ``renames`` gives the caller's name of a field, as ``columns`` of the call does.
    """

    renames: Mapping[str, str] = field(default_factory=dict)
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a name for a field that does not exist."""
        for meaning in self.renames:
            if not is_field(meaning):
                raise ValueError(f"columns={{{meaning!r}: …}}: no such field; fields are {', '.join(FIELDS)}")

    def of_names(self, names: Sequence[str]) -> list[str]:
        """Those of a file's columns that are read, in their order."""
        return [name for name in names if name in self.keep or self.field_of(name) is not None]

    def field_of(self, name: str) -> str | None:
        """What a column means: the field that the caller calls so, else the field of that name, ``Entry Time`` too."""
        for meaning, column in self.renames.items():
            if column == name:
                return meaning
        field = plain_name(name)
        return field if is_field(field) and field not in self.renames else None

    def columns(self, names: Sequence[str]) -> dict[str, str]:
        """Field → column for the fields that go by another name in a file with these columns."""
        found = columns_of(names, _KNOWN, self.renames)
        return {field: column for field, column in found.items() if field != column}

    def is_number(self, name: str) -> bool:
        """Whether text in this column is the text of a number."""
        return self.field_of(name) in _NUMBERS

    def repeats(self, name: str) -> bool:
        """Whether few values fill this column, so that each is better read once."""
        return self.field_of(name) in _REPEATING
