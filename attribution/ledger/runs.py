"""What a run leaves behind: its entries as they will read, and the documented file of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from attribution.ledger.book import Book
from attribution.ledger.database import EntrySource
from attribution.ledger.entry import Draft, Entry, Kind
from attribution.ledger.exports import Layout, Target, documented_files, write_files
from attribution.ledger.records import Fill
from attribution.ledger.rows import Document
from attribution.ledger.settings import Backend, LedgerSettings
from attribution.ledger.store.folder import FolderObjects
from attribution.ledger.view import TradeLedgerEntry

__all__ = ["view_of_drafts", "view_of_recorded", "write_runs"]


def view_of_drafts(seq: int, drafts: Sequence[Draft]) -> TradeLedgerEntry:
    """The drafts of a fill, read as its entry will be."""
    bodies = [json.loads(draft.body_text) for draft in drafts]
    fill = drafts[0]
    entry = Entry(
        seq, fill.kind, fill.account_id, fill.key, fill.ts, fill.trade_date, fill.source, bodies[0],
        fill.correlation_id, fill.causation_id, fill.schema_version, "", "",
    )  # fmt: skip
    document = Document.of(entry)
    return (document._replace(allocation=bodies[1]) if len(bodies) > 1 else document).view()


def view_of_recorded(entry: Entry, log: EntrySource, book: Book) -> TradeLedgerEntry | None:
    """A fill of the log as its allocation and its corrections leave it; None: it was busted."""
    document = Document.of(entry)
    beside = next(iter(log.entries(after=entry.seq, limit=1)), None)
    if beside is not None and (beside.kind, beside.key) == (Kind.ALLOC, entry.key):
        document = document._replace(allocation=beside.body)
    else:
        document = document._replace(allocation=book.allocate(Fill.from_entry(entry)).to_body())
    for correction in book.corrections_of(entry.account_id, entry.key):
        document = document.amended(correction.to_body())
    return None if document.busted else document.view()


def write_runs(fills: Iterable[TradeLedgerEntry], correlation_id: str | None, settings: LedgerSettings) -> list[str]:
    """Write the file of one run, or (None) of every run, where the ledger is kept; return those that were not there."""
    own = [fill for fill in fills if correlation_id in (None, fill.correlation_id)]
    own.sort(key=lambda fill: fill.seq)
    return write_files(documented_files(own, Layout.RUNS), _target(settings))


def _target(settings: LedgerSettings) -> Target:
    """Where documented files are written: the bucket, or the local folder."""
    if settings.backend is not Backend.S3:
        return FolderObjects(settings.base_path)
    from attribution.ledger.store.s3 import S3Objects

    assert settings.bucket is not None
    return S3Objects(settings.bucket, endpoint_url=settings.endpoint_url)
