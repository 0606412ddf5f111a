"""Any CSV of trades, by a map of its columns.

One row is one fill, or an event that the side names (``EXPIRE``, ``DIVIDEND``, ``INTEREST``, ``FEE``, ``DEPOSIT``,
``WITHDRAWAL``). A row without ids of its own is known by its content: rows that agree in every cell are counted, so
that two equal fills are two, and the same file again is nothing new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attribution.ledger.canonical import digest
from attribution.ledger.contracts import Contract, contract_of, trade_date_of
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.importers.cells import ImportFileError, Line, amount_of, epoch_ns, instant_of, read_lines
from attribution.ledger.importers.statement import Owner, Statement, cash_moved, in_order, owner_of
from attribution.ledger.record import require_member
from attribution.ledger.records import AssetType, Event, EventAction, Fill, Side

__all__ = ["FIELDS", "REQUIRED", "SOURCE", "read_generic"]

SOURCE: Final = "csv"
REQUIRED: Final = ("timestamp", "symbol", "quantity", "price")
FIELDS: Final = (
    *REQUIRED,
    *("side", "fees", "strategy", "order_id", "fill_id", "client_order_id", "asset_type", "multiplier", "currency"),
    *("bid", "ask", "expected_price", "order_type", "venue", "leg_group", "plan_id", "notes", "amount"),
)
"""The fields that a column may be mapped to; a column of the same name needs no map."""

_SIDES: Final = {
    **dict.fromkeys(("BUY", "B", "BOT", "BOUGHT", "LONG"), Side.BUY),
    **dict.fromkeys(("SELL", "S", "SLD", "SOLD", "SHORT"), Side.SELL),
}
_EVENTS: Final = {
    **dict.fromkeys(("EXPIRE", "EXPIRED", "EXPIRATION", "EXPIRY"), EventAction.EXPIRE),
    "DIVIDEND": EventAction.DIVIDEND,
    **dict.fromkeys(("INTEREST", "FEE", "ADJUSTMENT"), EventAction.ADJUST),
    **dict.fromkeys(("DEPOSIT", "WITHDRAWAL", "TRANSFER"), EventAction.TRANSFER),
}
_TEXTS = ("client_order_id", "venue", "leg_group", "plan_id", "notes")
_AMOUNTS = ("fees", "bid", "ask", "expected_price")


def read_generic(
    source: Path | str | Iterable[str],
    account_id: str,
    columns: Mapping[str, str] | None = None,
    *,
    strategy: Owner = None,
    zone: str = "UTC",
    exchange: str | None = None,
) -> Statement:
    """Read a CSV file of trades.

    Parameters
    ----------
    source
        The file, or the lines of an open one.
    account_id
        The account it is of.
    columns
        Field → header, for columns that are not called as the field: ``{"timestamp": "Exec time"}``.
    strategy
        Whose the fills are that the file itself gives no ``strategy`` for.
    zone
        Where times without a zone were written, such as ``"Asia/Kolkata"``.
    exchange
        The home of symbols that do not say it.

    Raises
    ------
    ImportFileError
        The file cannot be read, a needed column is missing, a field or the zone is unknown.
    """
    names = _columns(columns or {})
    lines = read_lines(source, [names[field] for field in REQUIRED])
    statement = Statement(SOURCE, account_id, rows=len(lines))
    reader = _Reader(statement, names, strategy, _zone(zone), exchange)
    reader.run(lines)
    return statement


def _columns(columns: Mapping[str, str]) -> dict[str, str]:
    for field in columns:
        if field not in FIELDS:
            raise ImportFileError(f"no field {field!r}; a column can be mapped to {', '.join(FIELDS)}")
    return {field: columns.get(field, field) for field in FIELDS}


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ImportFileError(f"no time zone {name!r}: give one such as 'America/New_York'") from error


class _Reader:
    """Turns rows into the records of a statement."""

    def __init__(
        self, statement: Statement, names: dict[str, str], strategy: Owner, zone: tzinfo, exchange: str | None
    ) -> None:
        self._statement = statement
        self._names = names
        self._strategy = strategy
        self._zone = zone
        self._exchange = exchange
        self._seen: Counter[str] = Counter()

    def run(self, lines: list[Line]) -> None:
        """Read every row; what is wrong with one is listed."""
        items: list[tuple[Line, Fill | Event]] = []
        for line in lines:
            try:
                item = self._item(line)
                items.append((line, item))
            except InvalidRecordError as error:
                self._statement.refuse(line, str(error))
                self._statement.count_refused(None, "")
        for line, item in in_order(items, lambda pair: pair[1].ts):
            moved = cash_moved(item)
            if moved is not None:  # else the book knows the direction in which it closed
                self._statement.count_cash(moved, item.currency)
            self._statement.add(line, item)

    def _item(self, line: Line) -> Fill | Event:
        if line.problem is not None:
            raise InvalidRecordError("row", line.number, line.problem)
        name = digest("\x1f".join(line.cells.values()))[:16]
        self._seen[name] += 1
        identity = f"{name}:{self._seen[name]}"
        word = self._text(line, "side").upper()
        if word in _EVENTS:
            return self._event(line, _EVENTS[word], identity)
        return self._fill(line, word, identity)

    def _fill(self, line: Line, word: str, identity: str) -> Fill:
        signed = self._needed(line, "quantity")
        if word and word not in _SIDES:
            raise InvalidRecordError("side", word, f"one of {', '.join((*_SIDES, *_EVENTS))}")
        side = _SIDES[word] if word else Side.BUY if signed > 0 else Side.SELL
        contract, quantity = self._contract(line), abs(signed)
        owner = self._text(line, "strategy") or owner_of(self._strategy, line.cells)
        multiplier = self._amount(line, "multiplier")
        return Fill(
            **self._envelope(line, contract),
            order_id=self._text(line, "order_id") or identity,
            fill_id=self._text(line, "fill_id") or identity,
            symbol=contract.symbol,
            side=side,
            quantity=quantity,
            price=self._needed(line, "price"),
            split={owner: quantity} if owner else None,
            asset_type=self._asset_type(line, contract),
            multiplier=contract.multiplier if multiplier is None else multiplier,
            currency=self._text(line, "currency") or "USD",
            order_type=self._text(line, "order_type").upper() or "MARKET",
            **self._optional(line),
        )

    def _event(self, line: Line, action: EventAction, identity: str) -> Event:
        envelope: dict[str, Any] = {"event_id": f"{SOURCE}:{identity}", "action": action}
        if action is EventAction.EXPIRE:
            contract = self._contract(line)
            return Event(
                **self._envelope(line, contract),
                **envelope,
                symbol=contract.symbol,
                asset_type=AssetType(contract.asset_type),
                quantity=abs(self._needed(line, "quantity")),
                side=None,
                price=self._amount(line, "price") or Decimal(0),
                multiplier=contract.multiplier,
            )
        paid_by = self._contract(line) if action is EventAction.DIVIDEND else None
        return Event(
            **self._envelope(line, paid_by),
            **envelope,
            symbol=None if paid_by is None else paid_by.symbol,
            amount=self._needed(line, "amount"),
            notes=self._text(line, "notes") or None,
        )

    def _envelope(self, line: Line, contract: Contract | None) -> dict[str, Any]:
        at = instant_of("timestamp", self._text(line, "timestamp"), self._zone)
        ts = epoch_ns(at)
        day = at.date() if contract is None else trade_date_of(contract, ts)
        return {"account_id": self._statement.account_id, "ts": ts, "trade_date": day, "source": SOURCE}

    def _contract(self, line: Line) -> Contract:
        symbol = self._text(line, "symbol")
        if not symbol:
            raise InvalidRecordError("symbol", "", "needed for this row")
        return contract_of(symbol, self._exchange)

    def _optional(self, line: Line) -> dict[str, Any]:
        """What a fill can do without."""
        amounts = {field: self._amount(line, field) for field in _AMOUNTS}
        return {**amounts, **{field: self._text(line, field) or None for field in _TEXTS}}

    def _asset_type(self, line: Line, contract: Contract) -> AssetType:
        word = self._text(line, "asset_type").upper()
        require_member("asset_type", word or contract.asset_type, AssetType)
        return AssetType(word or contract.asset_type)

    def _text(self, line: Line, field: str) -> str:
        return line.text(self._names[field])

    def _amount(self, line: Line, field: str) -> Decimal | None:
        return amount_of(field, self._text(line, field))

    def _needed(self, line: Line, field: str) -> Decimal:
        value = self._amount(line, field)
        if value is None:
            raise InvalidRecordError(field, self._text(line, field), "a number")
        return value
