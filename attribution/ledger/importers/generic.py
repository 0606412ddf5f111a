"""Any CSV of trades, by a map of its columns.

One row is one fill, or an event that the side names:

==================================  ===================================================================================
``EXPIRE``                          closes what is open of ``quantity`` at ``price``, 0 or the settlement; what was paid
                                    is ``amount``, if the file says it
``DIVIDEND, INTEREST, ADJUSTMENT``  ``amount`` is signed: + received, − paid
``FEE``                             paid; where a file writes some of them with a minus, one without is refused
``DEPOSIT``, ``WITHDRAWAL``         received, and paid whichever sign it is written with; ``TRANSFER`` is signed
==================================  ===================================================================================

A fill without a side is bought or sold by the sign of its quantity. Every row counts in its own ``currency``; events
keep ``fees`` and ``strategy``. What could be read in two ways is listed and not recorded.

A row is known by the broker's ``fill_id``. One without is known by what its mapped columns say, notes excepted, in
whatever order they stand: rows that agree in all of it are counted, so that two equal fills are two, and the same
file again is nothing new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attribution.ledger.canonical import decimal_text, digest
from attribution.ledger.contracts import Contract, contract_of, trade_date_of
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.importers.cells import ImportFileError, Line, amount_of, epoch_ns, instant_of, read_lines
from attribution.ledger.importers.statement import Owner, Statement, cash_moved, in_order, owner_of
from attribution.ledger.money import exact
from attribution.ledger.record import joined_key, require_member
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
_NUMBERS = frozenset((*_AMOUNTS, "quantity", "price", "multiplier", "amount"))
_ZERO = Decimal(0)


def read_generic(
    source: Path | str | Iterable[str],
    account_id: str,
    columns: Mapping[str, str] | None = None,
    *,
    strategy: Owner = None,
    zone: str = "UTC",
    exchange: str | None = None,
    decimal: str = ".",
    delimiter: str = ",",
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
    decimal, delimiter
        What stands before decimals, and between columns: ``","`` and ``";"`` in many European files.

    Raises
    ------
    ImportFileError
        The file cannot be read, a needed column is missing or there twice, a field, the zone or the decimal point is
        unknown.
    """
    names = _columns(columns or {})
    if decimal not in (".", ","):
        raise ImportFileError(f"decimals after {decimal!r}: must be '.' or ','")
    lines = read_lines(source, [names[field] for field in REQUIRED], names.values(), delimiter)
    statement = Statement(SOURCE, account_id, rows=len(lines))
    reader = _Reader(statement, names, strategy, _zone(zone), exchange, decimal)
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
        self,
        statement: Statement,
        names: dict[str, str],
        strategy: Owner,
        zone: tzinfo,
        exchange: str | None,
        decimal: str,
    ) -> None:
        self._statement = statement
        self._names = names
        self._strategy = strategy
        self._zone = zone
        self._exchange = exchange
        self._decimal = decimal
        self._seen: Counter[str] = Counter()
        self._former: Counter[str] = Counter()
        self._fees_have_signs = False

    def run(self, lines: list[Line]) -> None:
        """Read every row; what is wrong with one is listed."""
        self._fees_have_signs = any(self._is_fee_with_minus(line) for line in lines)
        items: list[tuple[Line, Fill | Event]] = []
        for line in lines:
            try:
                item = self._item(line)
                items.append((line, item))
            except InvalidRecordError as error:
                self._statement.refuse(line, str(error))
                self._statement.count_refused(self._moved(line), self._currency(line))
        for line, item in in_order(items, lambda pair: pair[1].ts):
            moved = cash_moved(item)
            if moved is not None:  # else the book knows the direction in which it closed
                self._statement.count_cash(moved, item.currency)
            self._statement.add(line, item)

    def _item(self, line: Line) -> Fill | Event:
        if line.problem is not None:
            raise InvalidRecordError("row", line.number, line.problem)
        former = _counted(self._former, "\x1f".join(line.cells.values()))
        word = self._text(line, "side").upper()
        if word in _EVENTS:
            self._statement.former[line.number] = f"{SOURCE}:{former}"
            return self._event(line, word)
        order_id, fill_id = self._text(line, "order_id"), self._text(line, "fill_id")
        venue = self._text(line, "venue")
        self._statement.former[line.number] = joined_key(venue, order_id or former, fill_id or former)
        return self._fill(line, word)

    def _identity(self, line: Line) -> str:
        """What a row without a broker's id is known by: what it says, whichever way it is written."""
        told = {}
        for field in FIELDS:
            text = self._text(line, field)
            if field == "notes" or not text:
                continue
            if field in _NUMBERS:
                value = self._amount(line, field)
                text = "" if value is None else decimal_text(value)
            elif field == "timestamp":
                text = str(epoch_ns(instant_of(field, text, self._zone)))
            told[field] = text.upper() if field == "side" else text
        return _counted(self._seen, told)

    # --- fills ---------------------------------------------------------------------------------------------------

    def _fill(self, line: Line, word: str) -> Fill:
        side, quantity = self._direction(line, word)
        contract = self._contract(line)
        owner = self._text(line, "strategy") or owner_of(self._strategy, line.cells)
        fill_id = self._text(line, "fill_id") or self._identity(line)
        return Fill(
            **self._envelope(line, contract),
            order_id=self._text(line, "order_id") or fill_id,
            fill_id=fill_id,
            symbol=contract.symbol,
            side=side,
            quantity=quantity,
            price=self._needed(line, "price"),
            split={owner: quantity} if owner else None,
            asset_type=self._asset_type(line, contract),
            multiplier=self._multiplier(line, contract),
            currency=self._currency(line),
            order_type=self._text(line, "order_type").upper() or "MARKET",
            **self._optional(line),
        )

    def _direction(self, line: Line, word: str) -> tuple[Side, Decimal]:
        """Side and size, from the word for the side, or from the sign of the quantity."""
        signed = self._needed(line, "quantity")
        if word and word not in _SIDES:
            raise InvalidRecordError("side", word, f"one of {', '.join((*_SIDES, *_EVENTS))}")
        if not word:
            return Side.BUY if signed > 0 else Side.SELL, signed.copy_abs()
        if _SIDES[word] is Side.BUY and signed < 0:
            raise InvalidRecordError("quantity", signed, f"not negative, for a {word}")
        return _SIDES[word], signed.copy_abs()

    # --- events --------------------------------------------------------------------------------------------------

    def _event(self, line: Line, word: str) -> Event:
        action = _EVENTS[word]
        contract = None
        if action in (EventAction.EXPIRE, EventAction.DIVIDEND):
            contract = self._contract(line)
        facts = self._expiry(line, contract) if contract and action is EventAction.EXPIRE else self._cash(line, word)
        own_id = self._text(line, "fill_id")
        return Event(
            **self._envelope(line, contract),
            event_id=f"{SOURCE}:{own_id or self._identity(line)}",
            action=action,
            symbol=None if contract is None else contract.symbol,
            currency=self._currency(line),
            fees=self._amount(line, "fees"),
            notes=self._text(line, "notes") or None,
            **facts,
        )

    def _expiry(self, line: Line, contract: Contract) -> dict[str, Any]:
        """What is open closes at 0 or at the settlement; which way, the book knows, or what was paid says it."""
        quantity, multiplier = self._needed(line, "quantity").copy_abs(), self._multiplier(line, contract)
        price, paid = self._amount(line, "price") or _ZERO, self._amount(line, "amount")
        with exact():
            worth = quantity * price * multiplier
        if paid is not None and paid.copy_abs() != worth:
            raise InvalidRecordError("amount", paid, f"what {quantity} at {price} are worth, {worth}")
        owner = self._text(line, "strategy")
        return {
            "asset_type": self._asset_type(line, contract),
            "quantity": quantity,
            "side": None if not paid else Side.SELL if paid > 0 else Side.BUY,
            "price": price,
            "multiplier": multiplier,
            "split": {owner: quantity} if owner else None,
        }

    def _cash(self, line: Line, word: str) -> dict[str, Any]:
        """The amount of an event that is cash alone, signed, and whose it is."""
        amount, owner = self._signed(line, word), self._text(line, "strategy")
        if _EVENTS[word] is EventAction.TRANSFER:
            if owner or self._amount(line, "fees"):
                field = "strategy" if owner else "fees"
                raise InvalidRecordError(field, self._text(line, field), f"empty: a {word} is the account's, and free")
            return {"amount": amount}
        return {"amount": amount, "split": {owner: amount} if owner and amount else None}

    def _signed(self, line: Line, word: str) -> Decimal:
        """What an event moved: + received, − paid. What could be meant either way is refused."""
        amount = self._needed(line, "amount")
        if word == "WITHDRAWAL":
            return amount.copy_abs().copy_negate()
        if word == "DEPOSIT" and amount < 0:
            raise InvalidRecordError("amount", amount, "not negative, for a DEPOSIT")
        if word == "FEE":
            if amount > 0 and self._fees_have_signs:
                raise InvalidRecordError(
                    "amount", amount, "signed like the file's other fees; a refund is an ADJUSTMENT"
                )
            return amount.copy_abs().copy_negate()
        return amount

    def _is_fee_with_minus(self, line: Line) -> bool:
        try:
            return self._text(line, "side").upper() == "FEE" and (self._amount(line, "amount") or _ZERO) < 0
        except InvalidRecordError:  # told of with its row
            return False

    def _moved(self, line: Line) -> Decimal | None:
        """What a row that is not recorded says it moved; None where that cannot be told."""
        word = self._text(line, "side").upper()
        try:
            if word in _EVENTS and word != "EXPIRE":
                return self._signed(line, word)
            if word in _EVENTS:
                return self._amount(line, "amount")
            side, quantity = self._direction(line, word)
            with exact():
                units = (quantity if side is Side.BUY else -quantity) * self._multiplier(line, self._contract(line))
                return -units * self._needed(line, "price") - (self._amount(line, "fees") or _ZERO)
        except InvalidRecordError:
            return None

    # --- cells ---------------------------------------------------------------------------------------------------

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

    def _multiplier(self, line: Line, contract: Contract) -> Decimal:
        given = self._amount(line, "multiplier")
        return contract.multiplier if given is None else given

    def _currency(self, line: Line) -> str:
        return self._text(line, "currency") or "USD"

    def _text(self, line: Line, field: str) -> str:
        return line.text(self._names[field])

    def _amount(self, line: Line, field: str) -> Decimal | None:
        return amount_of(field, self._text(line, field), self._decimal)

    def _needed(self, line: Line, field: str) -> Decimal:
        value = self._amount(line, field)
        if value is None:
            raise InvalidRecordError(field, self._text(line, field), "a number")
        return value


def _counted(seen: Counter[str], told: object) -> str:
    """A digest of what is told, and the how-manieth it is."""
    name = digest(told)[:16]
    seen[name] += 1
    return f"{name}:{seen[name]}"
