"""The log's entries, filed as rows of the query database: a fill, its allocation, its corrections, in any order.

What the book does not take moves nothing here either: an allocation or a correction that does not fit its fill is
passed over, and so is a fill that cannot be read. The book keeps a notice of each.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from attribution.ledger.entry import Entry, Kind
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.money import EXACT
from attribution.ledger.pyramid import Pyramid
from attribution.ledger.records import Correction
from attribution.ledger.rows import FILL_COLUMNS, PART_COLUMNS, Document, read_document

__all__ = ["FillWriter"]

_logger = logging.getLogger(__name__)

_Place = tuple[str, str]
"""Account and key."""

_UNREADABLE = (InvalidRecordError, KeyError, TypeError, ValueError, ArithmeticError, AttributeError)


class FillWriter:
    """Writes a run of entries into an open transaction; amounts are added up in memory first."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._documents: dict[_Place, Document] = {}
        self._early: dict[_Place, list[Mapping[str, Any]]] = {}
        for account_id, key, text in connection.execute("SELECT account_id, key, correction FROM early"):
            self._early.setdefault((account_id, key), []).append(json.loads(text))
        self._pyramid = Pyramid()

    def take(self, entry: Entry) -> None:
        """Take one entry in; kinds that are no matter of fills are passed over."""
        if entry.kind == Kind.FILL:
            document = Document.of(entry)
            if self._early:
                document = _corrected(document, self._early.pop((entry.account_id, entry.key), []))
            self._documents[entry.account_id, entry.key] = document
        elif entry.kind == Kind.ALLOC:
            self._amend(entry, lambda document: _allocated(document, entry.body))
        elif entry.kind == Kind.CORRECT and _is_correction(entry):
            self._correct(entry)

    def _correct(self, entry: Entry) -> None:
        """Amend the fill; a correction that comes before its fill waits for it."""
        if not self._amend(entry, lambda document: _corrected(document, [entry.body])):
            self._early.setdefault((entry.account_id, entry.body["fill_key"]), []).append(entry.body)

    def flush(self) -> None:
        """Write what was gathered. A busted fill is kept, for it may yet be restored, but nobody finds it."""
        rows: list[tuple[Any, ...]] = []
        parts: list[tuple[Any, ...]] = []
        busted: list[tuple[Any, ...]] = []
        for document in self._documents.values():
            if document.busted:
                busted.append((document.account_id, document.key, document.text()))
                continue
            try:
                row, own = _row(document), list(document.shares())
            except _UNREADABLE as error:
                _logger.warning("entry %d is a fill that cannot be read, and in no answer: %s", document.seq, error)
                continue
            rows.append(row)
            parts += self._parts(document, own)
        self._connection.executemany(f"INSERT INTO fill VALUES ({', '.join('?' * FILL_COLUMNS)})", rows)
        self._connection.executemany(f"INSERT INTO part VALUES ({', '.join('?' * PART_COLUMNS)})", parts)
        self._connection.executemany("INSERT INTO busted VALUES (?, ?, ?)", busted)
        self._connection.execute("DELETE FROM early")
        early = [(*place, json.dumps(body)) for place, bodies in self._early.items() for body in bodies]
        self._connection.executemany("INSERT INTO early VALUES (?, ?, ?)", early)
        self._pyramid.write(self._connection)
        self._documents.clear()

    def _parts(
        self, document: Document, shares: list[tuple[str, Decimal, Decimal, Decimal | None]]
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of the shares, each counted on the way."""
        rest, same = document.cell(), document.columns()
        for strategy, quantity, value, fee in shares:
            self._pyramid.add(document.ts, (document.account_id, strategy, *rest), quantity, value, fee)
            amounts = (str(quantity), str(value), None if fee is None else str(fee))
            yield (strategy, document.ts, document.seq, *same, *amounts)

    def _amend(self, entry: Entry, change: Callable[[Document], Document]) -> bool:
        """Take a fill out of what is gathered, else out of the tables, and put it back with what is new about it.

        Returns whether there is such a fill.
        """
        place = (entry.account_id, str(entry.body.get("fill_key")))
        document = self._documents.get(place) or self._withdrawn(*place)
        if document is not None:
            self._documents[place] = change(document)
        return document is not None

    def _withdrawn(self, account_id: str, key: str) -> Document | None:
        """Take a fill out of the tables and out of the totals."""
        place = (account_id, key)
        for table in ("fill", "busted"):
            where = f"FROM {table} WHERE account_id = ? AND key = ?"
            row = self._connection.execute(f"SELECT document {where}", place).fetchone()
            if row is not None:
                self._connection.execute(f"DELETE {where}", place)
                break
        else:
            return None
        document = read_document(row[0])
        if not document.busted:
            for strategy, quantity, value, fee in document.shares():
                part = (strategy, document.ts, document.seq)
                self._connection.execute("DELETE FROM part WHERE strategy = ? AND ts = ? AND seq = ?", part)
                cell = (account_id, strategy, *document.cell())
                self._pyramid.remove(document.ts, cell, quantity, value, fee)
        return document


def _is_correction(entry: Entry) -> bool:
    try:
        Correction.from_entry(entry)
    except InvalidRecordError:
        return False
    return True


def _corrected(document: Document, corrections: list[Mapping[str, Any]]) -> Document:
    """The document with corrections; without any of them where they do not fit the fill together."""
    amended = document
    for correction in corrections:
        amended = amended.amended(correction)
    return amended if not corrections or amended.fits() else document


def _allocated(document: Document, allocation: Mapping[str, Any]) -> Document:
    """The document with its allocation; without it where it is another fill's."""
    amended = document._replace(allocation=allocation)
    return amended if _plainly_fits(document, allocation) or amended.fits() else document


def _plainly_fits(document: Document, allocation: Mapping[str, Any]) -> bool:
    """Whether an allocation obviously adds up; a record of each would take most of the time of a long log."""
    fill = document.fill
    try:
        parts = [Decimal(part) for part in allocation["parts"].values()]
        fees = [Decimal(fee) for fee in (allocation.get("fees") or {}).values()]
        if fill.get("split", allocation["parts"]) != allocation["parts"] or document.corrections or min(parts) <= 0:
            return False
        told = Decimal(fill.get("fees", 0))
        return _sum(parts) == Decimal(fill["quantity"]) and ("fees" in fill) == bool(fees) and _sum(fees) == told
    except _UNREADABLE:
        return False


def _sum(amounts: list[Decimal]) -> Decimal:
    total = amounts[0] if amounts else Decimal(0)
    for amount in amounts[1:]:
        total = EXACT.add(total, amount)
    return total


def _row(document: Document) -> tuple[Any, ...]:
    """The row of a fill."""
    order = document.fill["order_id"]
    return (document.seq, document.ts, *document.columns(), document.key, order, document.text())
