"""What every store promises, and the one place that decides what is new, known, or in conflict.

A store keeps rows in the order in which they were committed, numbered from 1 without a gap, each chained to the one
before. It never changes or removes one. ``tests/ledger/test_stores.py`` holds every store to this.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from attribution.ledger.canonical import canonical_json, digest
from attribution.ledger.entry import CURRENT, Draft, Entry, Head, Identity, Kind, Row
from attribution.ledger.errors import ConflictError, NewerSchemaError
from attribution.ledger.upcast import upcast

__all__ = ["Appended", "Conflict", "LogStore", "Plan", "plan_append", "require_writable_schema"]


class Appended(NamedTuple):
    """Where a draft stands in the log, and whether this call put it there (``new``)."""

    row: Row
    new: bool

    @property
    def entry(self) -> Entry:
        """The entry; read anew from its row each time, so that a bulk load pays nothing for it."""
        return self.row.entry()


class LogStore(Protocol):
    """An append-only log on some medium. Safe to share between threads; several processes may open the same log."""

    def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        """Commit the drafts, all or none, and return where each stands.

        When it returns, what it returned survives the end of the process and of the machine. A draft whose identity
        is in the log with the same content changes nothing.

        Raises
        ------
        ConflictError
            A draft's identity is in the log with other content. None of the batch was written, but each such draft
            is now in the log as a ``QUARANTINE`` entry.
        StoreError
            The medium failed. Appending the same drafts again is safe, whatever became of them.
        NewerSchemaError
            A newer version of this package writes this log.
        """
        ...

    def entries(
        self, after: int = 0, limit: int | None = None, kinds: Collection[Kind] | None = None
    ) -> Iterator[Entry]:
        """Yield entries with ``seq > after`` as they were written, in order: at most ``limit``, only of ``kinds``."""
        ...

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Yield rows with ``seq > after`` from the medium itself, unchecked: what ``verify`` reads."""
        ...

    def head(self) -> Head:
        """Return the end of the log."""
        ...

    def close(self) -> None:
        """Let go of files and connections; closing twice is harmless."""
        ...


Lookup = Callable[[Collection[Identity]], Mapping[Identity, Row]]


@dataclass(slots=True)
class Plan:
    """What an append comes to: the rows to write, where each draft stands, and what contradicts the log."""

    rows: list[Row] = field(default_factory=list)
    places: list[Appended] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)

    def outcome(self) -> list[Appended]:
        """Return where the drafts stand, once ``rows`` are written.

        Raises
        ------
        ConflictError
            If ``rows`` were quarantine entries.
        """
        if self.conflicts:
            raise _conflict_error(self.conflicts)
        return self.places


@dataclass(frozen=True, slots=True)
class Conflict:
    """A draft that contradicts what the log (or an earlier draft of its batch) says under the same identity."""

    draft: Draft
    kept: Row


def nothing_known(identities: Collection[Identity]) -> Mapping[Identity, Row]:
    """The look-up of whoever hopes that everything is new."""
    return {}


def plan_append(drafts: Sequence[Draft], head: Head, lookup: Lookup = nothing_known) -> Plan:
    """Decide what appending ``drafts`` to a log that ends at ``head`` means.

    ``lookup`` returns the rows of those identities that are in the log. Without it the plan holds only if all its rows
    turn out to be new and it has no conflicts: the usual case, and the fast one.
    """
    identities = [draft.identity for draft in drafts]
    known = dict(lookup(identities))
    plan, (seq, prev_digest) = Plan(), head
    for identity, draft in zip(identities, drafts, strict=True):
        kept = known.get(identity)
        if kept is None:
            seq += 1
            row = known[identity] = draft.row(seq, prev_digest)
            prev_digest = row.digest
            plan.rows.append(row)
            plan.places.append(Appended(row, True))
        elif says_the_same(draft, kept):
            plan.places.append(Appended(kept, False))
        else:
            plan.conflicts.append(Conflict(draft, kept))
    return _plan_quarantine(plan.conflicts, head, lookup) if plan.conflicts else plan


def says_the_same(draft: Draft, kept: Row) -> bool:
    """Whether a delivered draft tells the same as the kept row, whatever schema version that was written in."""
    if (draft.ts, draft.trade_date.isoformat()) != (kept.ts, kept.trade_date):
        return False
    if draft.body_text == kept.body:
        return True
    return kept.schema_version < draft.schema_version and draft.body_text == canonical_json(upcast(kept.entry()).body)


def require_writable_schema(newest: int) -> None:
    """Refuse to write to a log that holds entries of a schema version above ours.

    Raises
    ------
    NewerSchemaError
        If ``newest``, the newest version in the log, is one that only a newer package knows.
    """
    if newest > CURRENT:
        raise NewerSchemaError(
            f"the log holds entries of schema version {newest}, and this version of the package writes {CURRENT}: it "
            "can read what it knows of the log, but must not write to it; upgrade it"
        )


def _plan_quarantine(conflicts: list[Conflict], head: Head, lookup: Lookup) -> Plan:
    """Write the contradicting drafts aside, each once, and nothing else of their batch."""
    drafts = {draft.identity: draft for draft in (_quarantine_draft(conflict, head) for conflict in conflicts)}
    known = lookup(list(drafts))
    plan = Plan(conflicts=conflicts)
    for identity, draft in drafts.items():
        if identity not in known:
            row = draft.row(head.seq + 1, head.digest)
            plan.rows.append(row)
            head = row.head
    return plan


def _quarantine_draft(conflict: Conflict, head: Head) -> Draft:
    """The entry that keeps a refused draft: its identity names the content, so that a redelivery is not kept twice."""
    draft, kept = conflict.draft, conflict.kept
    content = digest([draft.ts, draft.trade_date, draft.body_text])
    body = {
        "reason": "conflict",
        "kind": draft.kind.value,
        "key": draft.key,
        "schema_version": draft.schema_version,
        "body": json.loads(draft.body_text),
        "kept_seq": kept.seq if kept.seq <= head.seq else None,
    }
    return Draft(
        Kind.QUARANTINE,
        draft.account_id,
        f"{draft.kind}:{draft.key}:{content[:32]}",
        draft.ts,
        draft.trade_date,
        draft.source,
        body,
        draft.correlation_id,
        draft.causation_id,
    )


def _conflict_error(conflicts: Sequence[Conflict]) -> ConflictError:
    first = conflicts[0]
    more = f", and so are {len(conflicts) - 1} more of the batch" if len(conflicts) > 1 else ""
    return ConflictError(
        first.draft.kind.value,
        first.draft.key,
        f"{_difference(first)} (account {first.draft.account_id!r}, entry {first.kept.seq}){more}; nothing of the "
        "batch was written, and what was refused is in quarantine",
    )


def _difference(conflict: Conflict) -> str:
    """Name what differs: the fields of the body, or the time."""
    draft, kept = conflict.draft, conflict.kept.entry()
    told = {"ts": draft.ts, "trade_date": draft.trade_date.isoformat(), **json.loads(draft.body_text)}
    known = {"ts": kept.ts, "trade_date": kept.trade_date.isoformat(), **kept.body}
    names = sorted(name for name in told.keys() | known.keys() if told.get(name, ...) != known.get(name, ...))
    return ", ".join(f"{name} was {known.get(name)!r} and is now {told.get(name)!r}" for name in names[:3])
