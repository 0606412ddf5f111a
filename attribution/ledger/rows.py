"""Fills as rows of the query database: how they are written, corrected and read back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

from attribution.ledger.corrections import revised
from attribution.ledger.entry import Draft, Entry, Kind
from attribution.ledger.facts import recorded_parts, trade_of_fill
from attribution.ledger.money import EXACT, MONEY_PLACES, QUANTITY_PLACES, from_units
from attribution.ledger.pyramid import Pyramid
from attribution.ledger.records import Allocation, Correction, CorrectionAction, Fill
from attribution.ledger.sheet import Trade
from attribution.ledger.view import TradeLedgerEntry

__all__ = ["INDEXES", "TABLES", "Document", "FillWriter", "read_document"]

TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE fill (
    seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, symbol TEXT NOT NULL, strategies TEXT NOT NULL,
    side TEXT NOT NULL, asset_type TEXT NOT NULL, account_id TEXT NOT NULL,
    key TEXT NOT NULL, order_id TEXT NOT NULL, document TEXT NOT NULL
);
CREATE INDEX fill_by_key ON fill (account_id, key);
CREATE TABLE busted (
    account_id TEXT NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (account_id, key)
) WITHOUT ROWID;
CREATE TABLE part (
    strategy TEXT NOT NULL, ts INTEGER NOT NULL, seq INTEGER NOT NULL, symbol TEXT NOT NULL, strategies TEXT NOT NULL,
    side TEXT NOT NULL, asset_type TEXT NOT NULL, account_id TEXT NOT NULL,
    quantity TEXT NOT NULL, value TEXT NOT NULL, fees TEXT,
    PRIMARY KEY (strategy, ts, seq)
) WITHOUT ROWID;
"""

INDEXES: Final = """
CREATE INDEX IF NOT EXISTS fill_by_order ON fill (account_id, order_id);
CREATE INDEX IF NOT EXISTS fill_by_time ON fill (ts, seq, symbol, side, asset_type, account_id);
CREATE INDEX IF NOT EXISTS fill_by_symbol ON fill (symbol, ts, seq, side, asset_type, account_id);
CREATE INDEX IF NOT EXISTS fill_by_strategies ON fill (strategies, ts, seq, symbol, side, asset_type, account_id);
CREATE INDEX IF NOT EXISTS part_by_time ON part (ts);
"""
"""Made once a long log has been read: sorting once costs far less than keeping order row by row."""

_FILL_COLUMNS, _PART_COLUMNS = 10, 11
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode
_AMOUNTS = {
    "filled_qty": "quantity",
    "fill_price": "price",
    "fees": "fees",
    "bid_at_fill": "bid",
    "ask_at_fill": "ask",
    "expected_price": "expected_price",
    "multiplier": "multiplier",
}
_PLAIN = (
    *("order_id", "symbol", "fill_id", "client_order_id", "plan_id", "plan_item", "ledger_id", "event_id"),
    *("order_type", "quote_ts", "venue", "currency", "leg_group", "notes"),
)


class Document(NamedTuple):
    """Everything the log says of one fill: its envelope, its body, and what was written about it later."""

    seq: int
    account_id: str
    key: str
    ts: int
    trade_date: str
    source: str
    correlation_id: str | None
    causation_id: str | None
    schema_version: int
    fill: Mapping[str, Any]
    allocation: Mapping[str, Any] | None = None
    corrections: Sequence[Mapping[str, Any]] = ()
    """In the order of their revisions; each restates what the one before left."""

    @classmethod
    def of(cls, entry: Entry) -> Document:
        """Begin the document of a fill entry."""
        envelope = (entry.seq, entry.account_id, entry.key, entry.ts, entry.trade_date.isoformat(), entry.source)
        return cls(*envelope, entry.correlation_id, entry.causation_id, entry.schema_version, entry.body)

    @property
    def busted(self) -> bool:
        """Whether the last word about the fill is that it never was."""
        return bool(self.corrections) and self.corrections[-1]["action"] == CorrectionAction.BUST

    def amended(self, correction: Mapping[str, Any]) -> Document:
        """Return the document with one more correction."""
        corrections = sorted((*self.corrections, correction), key=lambda one: int(one["revision"]))
        return self._replace(corrections=corrections)

    def text(self) -> str:
        """Return the document as it is kept."""
        return _encode(self)

    def told(self, name: str) -> Any:
        """A field of the fill, the last correction's word before the fill's own."""
        for correction in reversed(self.corrections):
            if correction.get(name) is not None:
                return correction[name]
        return self.fill.get(name)

    def owners(self) -> Mapping[str, str]:
        """Strategy → quantity, as text."""
        if self.corrections:
            return {name: _text(abs(units), QUANTITY_PLACES) for name, units in self._revised().parts.items()}
        parts: Mapping[str, str] = (self.allocation or {}).get("parts") or self.fill.get("split") or {}
        return parts

    def fee_shares(self) -> Mapping[str, str]:
        """Strategy → fee, as text; empty where the fee is not known."""
        if self.corrections:
            fees = self._revised().fee_parts or {}
            return {name: _text(units, MONEY_PLACES) for name, units in fees.items()}
        return (self.allocation or {}).get("fees") or {}

    def _revised(self) -> Trade:
        """The fill as its corrections leave it, by the book's own rules; a busted one as it was before."""
        day = date.fromisoformat(self.trade_date)
        told = (self.account_id, self.key, self.ts, day, self.source)
        trade = trade_of_fill(Fill.from_entry(Draft(Kind.FILL, *told, self.fill)), 0)
        if self.allocation is not None:
            allocation = Allocation.from_entry(Draft(Kind.ALLOC, *told, self.allocation))
            parts, fee_parts = recorded_parts(trade, allocation)
            trade = trade._replace(parts=parts, fee_parts=fee_parts)
        corrections = [Correction.from_entry(Draft(Kind.CORRECT, *told, body)) for body in self.corrections]
        last = [one for one in corrections if one.action != CorrectionAction.BUST]
        return revised(trade, last) or trade

    def shares(self) -> Iterator[tuple[str, Decimal, Decimal, Decimal | None]]:
        """Strategy, quantity, value and fee of each share; a fee that is not known stays unknown."""
        per_unit = EXACT.multiply(Decimal(self.told("price")), Decimal(self.fill.get("multiplier", 1)))
        fees, known = self.fee_shares(), self.told("fees") is not None
        for name, text in self.owners().items():
            quantity = Decimal(text)
            fee = Decimal(fees.get(name, 0)) if known else None
            yield name, quantity, EXACT.multiply(quantity, per_unit), fee

    def cell(self) -> tuple[str, str, str]:
        """Symbol, kind of asset and side, as totals are kept of them."""
        return self.fill["symbol"], self.fill.get("asset_type", ""), self.told("side")

    def columns(self) -> tuple[str, str, str, str, str]:
        """What both tables are searched by, beside the strategy and the time."""
        symbol, asset_type, side = self.cell()
        return symbol, ", ".join(sorted(self.owners())), side, asset_type, self.account_id

    def view(self) -> TradeLedgerEntry:
        """Return the fill as people read it."""
        fill = self.fill
        fields: dict[str, Any] = {name: fill[name] for name in _PLAIN if name in fill}
        for name, raw in _AMOUNTS.items():
            value = self.told(raw)
            if value is not None:
                fields[name] = Decimal(value)
        weights = fill.get("weights")
        return TradeLedgerEntry(
            seq=self.seq,
            key=self.key,
            account_id=self.account_id,
            direction=self.told("side"),
            ts=self.ts,
            trade_date=date.fromisoformat(self.trade_date),
            source=self.source,
            schema_version=self.schema_version,
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
            asset_type=fill.get("asset_type"),
            policy=None if self.allocation is None else self.allocation["policy"],
            strategy_weights=None if weights is None else _decimals(weights),
            strategy_quantities=_decimals(self.owners()),
            strategy_fees=_decimals(self.fee_shares()),
            revision=int(self.corrections[-1]["revision"]) if self.corrections else 0,
            **fields,
        )


def _text(units: int, places: int) -> str:
    return str(from_units(units, places))


def _decimals(shares: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(share) for name, share in shares.items()}


def read_document(text: str) -> Document:
    """Read what :meth:`Document.text` wrote."""
    return Document(*json.loads(text))


class FillWriter:
    """Writes a run of entries into an open transaction; amounts are added up in memory first."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._documents: dict[tuple[str, str], Document] = {}
        self._pyramid = Pyramid()

    def take(self, entry: Entry) -> None:
        """Take one entry in; kinds that are no matter of fills are passed over."""
        if entry.kind == Kind.FILL:
            self._documents[entry.account_id, entry.key] = Document.of(entry)
        elif entry.kind == Kind.ALLOC:
            self._amend(entry, lambda document: document._replace(allocation=entry.body))
        elif entry.kind == Kind.CORRECT:
            self._amend(entry, lambda document: document.amended(entry.body))

    def flush(self) -> None:
        """Write what was gathered. A busted fill is kept, for it may yet be restored, but nobody finds it."""
        rows: list[tuple[Any, ...]] = []
        parts: list[tuple[Any, ...]] = []
        busted: list[tuple[Any, ...]] = []
        for document in self._documents.values():
            if document.busted:
                busted.append((document.account_id, document.key, document.text()))
            else:
                rows.append(_row(document))
                parts += self._parts(document)
        self._connection.executemany(f"INSERT INTO fill VALUES ({', '.join('?' * _FILL_COLUMNS)})", rows)
        self._connection.executemany(f"INSERT INTO part VALUES ({', '.join('?' * _PART_COLUMNS)})", parts)
        self._connection.executemany("INSERT INTO busted VALUES (?, ?, ?)", busted)
        self._pyramid.write(self._connection)
        self._documents.clear()

    def _parts(self, document: Document) -> Iterator[tuple[Any, ...]]:
        """The rows of the shares, each counted on the way."""
        rest, same = document.cell(), document.columns()
        for strategy, quantity, value, fee in document.shares():
            self._pyramid.add(document.ts, (document.account_id, strategy, *rest), quantity, value, fee)
            amounts = (str(quantity), str(value), None if fee is None else str(fee))
            yield (strategy, document.ts, document.seq, *same, *amounts)

    def _amend(self, entry: Entry, change: Callable[[Document], Document]) -> None:
        """Take a fill out of what is gathered, else out of the tables, and put it back with what is new about it."""
        place = (entry.account_id, entry.body["fill_key"])
        document = self._documents.get(place) or self._withdrawn(*place)
        if document is not None:
            self._documents[place] = change(document)

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


def _row(document: Document) -> tuple[Any, ...]:
    """The row of a fill."""
    order = document.fill["order_id"]
    return (document.seq, document.ts, *document.columns(), document.key, order, document.text())
