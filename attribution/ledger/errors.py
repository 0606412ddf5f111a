"""What can go wrong in the ledger, as one branch of the library's tree of errors.

::

    AttributionError
     └── LedgerError
          ├── InvalidRecordError    a record is malformed: which field, what was received, what is allowed
          ├── ConflictError         a key that is already in the log came again with other content
          ├── StoreError            the store cannot be reached, refused to write, or cannot be trusted to
          ├── CorruptLogError       the log is not what was written: a gap, a broken chain, a torn line
          └── NewerSchemaError      the log holds entries of a later version than this program knows
"""

from __future__ import annotations

from attribution.errors import AttributionError, TradeError

__all__ = [
    "ConflictError",
    "CorruptLogError",
    "InvalidRecordError",
    "LedgerError",
    "NewerSchemaError",
    "StoreError",
]


class LedgerError(AttributionError):
    """Base of every error the ledger raises on purpose."""


class InvalidRecordError(LedgerError, TradeError):
    """A record is malformed; ``field``, ``value`` and what is ``allowed``, as in every :class:`TradeError`."""


class ConflictError(LedgerError):
    """The same key came again with other content; what was written first stands.

    ``kind`` and ``key`` name the entry, ``detail`` says what differs.
    """

    def __init__(self, kind: str, key: str, detail: str) -> None:
        super().__init__(f"{kind} {key!r} is already recorded with other content: {detail}")
        self.kind = kind
        self.key = key
        self.detail = detail

    def __reduce__(self) -> tuple[type[ConflictError], tuple[str, str, str]]:
        return type(self), (self.kind, self.key, self.detail)


class StoreError(LedgerError):
    """The store cannot be reached, refused to write, or lacks a guarantee the log needs."""


class CorruptLogError(LedgerError):
    """What is stored is not what was written: a gap, a broken hash chain, a line that cannot be read."""


class NewerSchemaError(LedgerError):
    """The log was written by a later version; it can be read as far as it is known, never appended to."""
