"""The envelope of every fact, and the chain that shows that none was altered.

A ``Draft`` is a fact not yet in the log. The log gives it a place and a digest, and it is an ``Entry``. The digest
covers everything in the envelope, the digest of the entry before it included, so that one altered byte anywhere
breaks the chain there. A ``Row`` is an entry as it is kept, with the body still text: stores and ``verify`` work on
rows, everybody else on entries.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple, cast

from attribution.ledger.canonical import canonical_json, quoted
from attribution.ledger.errors import CorruptLogError, InvalidRecordError

__all__ = ["CURRENT", "GENESIS", "Draft", "Entry", "Head", "Identity", "Kind", "Row"]

CURRENT = 1
"""The schema version that is written. ``upcast`` reads every older one."""

GENESIS = "0" * 64
"""The digest before the first entry."""

_LATEST = 2**63 - 1
"""The last instant, and the last integer, that every store can hold."""


class Kind(StrEnum):
    """What sort of fact an entry tells, and (after the colon) what makes it the same fact when it is told again."""

    PLAN = "plan"  # plan_id, a digest of the plan's inputs
    SUPPRESS = "suppress"  # plan_id, item
    INTENT = "intent"  # client_order_id
    FILL = "fill"  # venue, order_id, fill_id
    ALLOC = "alloc"  # the fill's key
    CROSS = "cross"  # plan_id, symbol
    CORRECT = "correct"  # the fill's key, revision
    EVENT = "event"  # what happened, to which instrument, when
    MARK = "mark"  # instrument, date
    RECON = "recon"  # what was compared, and when
    QUARANTINE = "quarantine"  # the refused draft's kind, key and content


class Identity(NamedTuple):
    """What makes a fact the same fact when it is delivered again."""

    account_id: str
    kind: str
    key: str


class Head(NamedTuple):
    """The end of a log: the last entry's number (0 for none) and its digest (``GENESIS`` for none)."""

    seq: int
    digest: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A fact, ready to be appended.

    Parameters
    ----------
    kind
        What sort of fact.
    account_id
        Whose; any text that is not blank.
    key
        What makes it the same fact when it is delivered again, within its account and kind.
    ts
        When it happened: nanoseconds since 1970-01-01 UTC.
    trade_date
        The exchange's date it belongs to.
    source
        Who told it.
    body
        The fact itself: text, integers, booleans, ``None``, lists and mappings; amounts as ``Decimal`` or plain text.
    correlation_id, causation_id
        The run it belongs to and what led to it, where known.
    schema_version
        The version the body is written in.

    Notes
    -----
    Two drafts of one identity say the same if ``ts``, ``trade_date`` and ``body`` agree; who delivered it, and in
    which run, may differ from delivery to delivery.
    """

    kind: Kind
    account_id: str
    key: str
    ts: int
    trade_date: date
    source: str
    body: Mapping[str, Any]
    correlation_id: str | None = None
    causation_id: str | None = None
    schema_version: int = CURRENT
    body_text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.kind) is not Kind:
            raise InvalidRecordError("kind", self.kind, "a member of Kind")
        for name in ("account_id", "key", "source"):
            _require_text(name, getattr(self, name))
        for name in ("correlation_id", "causation_id"):
            if getattr(self, name) is not None:
                _require_text(name, getattr(self, name))
        _require_integer("ts", self.ts, 0)
        _require_integer("schema_version", self.schema_version, 1)
        if type(self.trade_date) is not date:
            raise InvalidRecordError("trade_date", self.trade_date, "a date without a time of day")
        if not isinstance(self.body, Mapping):
            raise InvalidRecordError("body", self.body, "a mapping")
        object.__setattr__(self, "body_text", canonical_json(self.body))

    @property
    def identity(self) -> Identity:
        """Account, kind and key."""
        return Identity._make((self.account_id, self.kind, self.key))

    def row(self, seq: int, prev_digest: str) -> Row:
        """Return the draft as row number ``seq``, after the row with ``prev_digest``."""
        fields = (
            seq,
            self.account_id,
            self.kind._value_,
            self.key,
            self.schema_version,
            self.ts,
            self.trade_date.isoformat(),
            self.source,
            self.correlation_id,
            self.causation_id,
            self.body_text,
        )
        before, after = _halves(*fields, prev_digest)
        return Row._make((*fields, _sha256(f"{before},{after}"), prev_digest))


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact in the log: a draft with its place (``seq``, from 1, without gaps), its digest, and the one before it."""

    seq: int
    kind: Kind
    account_id: str
    key: str
    ts: int
    trade_date: date
    source: str
    body: Mapping[str, Any]
    correlation_id: str | None
    causation_id: str | None
    schema_version: int
    digest: str
    prev_digest: str

    @property
    def identity(self) -> Identity:
        """Account, kind and key."""
        return Identity._make((self.account_id, self.kind, self.key))


class Row(NamedTuple):
    """An entry as it is kept: body and date are text, and the kind may be one that only a newer version knows."""

    seq: int
    account_id: str
    kind: str
    key: str
    schema_version: int
    ts: int
    trade_date: str
    source: str
    correlation_id: str | None
    causation_id: str | None
    body: str
    digest: str
    prev_digest: str

    @property
    def identity(self) -> Identity:
        """Account, kind and key."""
        return Identity._make((self.account_id, self.kind, self.key))

    @property
    def head(self) -> Head:
        """The end of the log after this row."""
        return Head(self.seq, self.digest)

    def require_after(self, head: Head) -> None:
        """Check that the row is what was written as the successor of ``head``.

        Raises
        ------
        CorruptLogError
            If an entry is missing before it, if it was altered, or if one before it was.
        """
        if self.seq != head.seq + 1:
            raise CorruptLogError(f"entry {self.seq} follows entry {head.seq}: there is a gap or a repetition")
        if self.prev_digest != head.digest:
            raise CorruptLogError(f"entry {self.seq} does not continue entry {head.seq}: one of them was replaced")
        before, after = _halves(*self[:-2], self.prev_digest)
        if self.digest != _sha256(f"{before},{after}"):
            raise CorruptLogError(f"entry {self.seq} was altered after it was written: its digest does not fit")

    def line(self) -> str:
        """Return the entry as one line of canonical JSON, without the line end."""
        before, after = _halves(*self[:-2], self.prev_digest)
        return f'{before},"digest":"{self.digest}",{after}'

    def entry(self) -> Entry:
        """Return the entry with its body read, as it was written; ``upcast`` brings it up to date."""
        return Entry(
            self.seq,
            cast("Kind", _KINDS.get(self.kind, self.kind)),
            self.account_id,
            self.key,
            self.ts,
            date.fromisoformat(self.trade_date),
            self.source,
            json.loads(self.body),
            self.correlation_id,
            self.causation_id,
            self.schema_version,
            self.digest,
            self.prev_digest,
        )

    @classmethod
    def from_line(cls, line: str) -> Row:
        """Read what ``line`` wrote.

        Raises
        ------
        CorruptLogError
            If it is torn, or anything but the canonical form of an entry.
        """
        try:
            fields = json.loads(line)
            row = cls(**{**fields, "body": canonical_json(fields["body"])})
            same = row.line() == line
        except (ValueError, TypeError, KeyError, InvalidRecordError) as error:
            raise CorruptLogError(f"not an entry of the log: {line[:80]!r} ({error})") from None
        if not same:
            raise CorruptLogError(f"not in canonical form: {line[:80]!r}")
        return row


def _halves(
    seq: int,
    account_id: str,
    kind: str,
    key: str,
    schema_version: int,
    ts: int,
    trade_date: str,
    source: str,
    correlation_id: str | None,
    causation_id: str | None,
    body: str,
    prev_digest: str,
) -> tuple[str, str]:
    """The canonical line of an entry up to where its digest stands, and from there on; the keys are in order."""
    before = (
        f'{{"account_id":{quoted(account_id)},"body":{body},"causation_id":{_optional(causation_id)}'
        f',"correlation_id":{_optional(correlation_id)}'
    )
    after = (
        f'"key":{quoted(key)},"kind":{quoted(kind)},"prev_digest":"{prev_digest}","schema_version":{schema_version}'
        f',"seq":{seq},"source":{quoted(source)},"trade_date":"{trade_date}","ts":{ts}}}'
    )
    return before, after


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_KINDS = {kind.value: kind for kind in Kind}


def _optional(text: str | None) -> str:
    return "null" if text is None else quoted(text)


def _require_text(name: str, value: object) -> None:
    if type(value) is not str or not value or value.isspace():
        raise InvalidRecordError(name, value, "text that is not blank")
    if not value.isascii():
        canonical_json(value)


def _require_integer(name: str, value: object, least: int) -> None:
    if type(value) is not int or not least <= value <= _LATEST:
        raise InvalidRecordError(name, value, f"an integer from {least} to {_LATEST}")
