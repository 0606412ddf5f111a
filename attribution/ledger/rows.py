"""Fills as rows of the query database: what is kept of each, and how it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

from attribution.ledger.corrections import revised
from attribution.ledger.entry import Draft, Entry, Kind
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.facts import fee_parts_of, recorded_parts, trade_of_fill
from attribution.ledger.money import EXACT, MONEY_PLACES, QUANTITY_PLACES, from_units
from attribution.ledger.records import Allocation, Correction, CorrectionAction, Fill
from attribution.ledger.sheet import Trade
from attribution.ledger.view import TradeLedgerEntry

__all__ = ["FILL_COLUMNS", "INDEXES", "PART_COLUMNS", "TABLES", "Document", "read_document"]

TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE fill (
    seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, symbol TEXT NOT NULL, strategies TEXT NOT NULL,
    side TEXT NOT NULL, asset_type TEXT NOT NULL, account_id TEXT NOT NULL, currency TEXT NOT NULL,
    key TEXT NOT NULL, order_id TEXT NOT NULL, document TEXT NOT NULL
);
CREATE INDEX fill_by_key ON fill (account_id, key);
CREATE TABLE busted (
    account_id TEXT NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (account_id, key)
) WITHOUT ROWID;
CREATE TABLE early (account_id TEXT NOT NULL, key TEXT NOT NULL, correction TEXT NOT NULL);
CREATE TABLE part (
    strategy TEXT NOT NULL, ts INTEGER NOT NULL, seq INTEGER NOT NULL, symbol TEXT NOT NULL, strategies TEXT NOT NULL,
    side TEXT NOT NULL, asset_type TEXT NOT NULL, account_id TEXT NOT NULL, currency TEXT NOT NULL,
    quantity TEXT NOT NULL, value TEXT NOT NULL, fees TEXT,
    PRIMARY KEY (strategy, ts, seq)
) WITHOUT ROWID;
"""

INDEXES: Final = """
CREATE INDEX IF NOT EXISTS fill_by_order ON fill (account_id, order_id);
CREATE INDEX IF NOT EXISTS fill_by_time ON fill (ts, seq, symbol, side, asset_type, account_id, currency);
CREATE INDEX IF NOT EXISTS fill_by_symbol ON fill (symbol, ts, seq, side, asset_type, account_id, currency);
CREATE INDEX IF NOT EXISTS fill_by_strategies ON fill (
    strategies, ts, seq, symbol, side, asset_type, account_id, currency
);
CREATE INDEX IF NOT EXISTS part_by_time ON part (ts);
"""
"""Made once a long log has been read: sorting once costs far less than keeping order row by row."""

FILL_COLUMNS, PART_COLUMNS = 11, 12
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
        """Strategy → quantity, as text; empty where nobody has said it yet."""
        recorded = self._recorded("parts")
        if recorded is not None:
            return recorded
        return {name: _text(abs(units), QUANTITY_PLACES) for name, units in self._trade().parts.items()}

    def fee_shares(self) -> Mapping[str, str]:
        """Strategy → fee, as text; empty where the fee is not known."""
        recorded = self._recorded("fees")
        if recorded is not None:
            return recorded
        fees = self._trade().fee_parts if self.told("fees") is not None else None
        return {name: _text(units, MONEY_PLACES) for name, units in (fees or {}).items()}

    def fits(self) -> bool:
        """Whether allocation and corrections are such that the book takes them."""
        try:
            self._trade()
        except InvalidRecordError:
            return False
        return True

    def _recorded(self, name: str) -> Mapping[str, str] | None:
        """What the allocation says, where it is the last word."""
        return None if self.corrections or self.allocation is None else self.allocation.get(name)

    def _trade(self) -> Trade:
        """The fill as its corrections leave it, by the book's own rules; a busted one as it was before."""
        day = date.fromisoformat(self.trade_date)
        told = (self.account_id, self.key, self.ts, day, self.source)
        fill = Fill.from_entry(Draft(Kind.FILL, *told, self.fill))
        trade = trade_of_fill(fill, 0)
        if self.allocation is not None:
            allocation = Allocation.from_entry(Draft(Kind.ALLOC, *told, self.allocation))
            parts, fee_parts = recorded_parts(trade, allocation)
            trade = trade._replace(parts=parts, fee_parts=fee_parts)
        elif fill.weights is not None and len(fill.weights) == 1:
            parts = dict.fromkeys(fill.weights, trade.units)
            trade = trade._replace(parts=parts, fee_parts=fee_parts_of(trade.fees, parts))
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

    def cell(self) -> tuple[str, str, str, str]:
        """Symbol, kind of asset, side and currency, as totals are kept of them."""
        return self.fill["symbol"], self.fill.get("asset_type", ""), self.told("side"), self.fill.get("currency", "USD")

    def columns(self) -> tuple[str, str, str, str, str, str]:
        """What both tables are searched by, beside the strategy and the time."""
        symbol, asset_type, side, currency = self.cell()
        return symbol, ", ".join(sorted(self.owners())), side, asset_type, self.account_id, currency

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
