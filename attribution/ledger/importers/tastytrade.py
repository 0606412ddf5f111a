"""Tastytrade's transaction history as CSV, in both of its layouts.

The newer layout has a ``Sub Type`` column; in the older one the description tells what a row is. Facts of the format:

* ``Value`` is signed cash without costs. ``Commissions`` and ``Fees`` are costs, in some exports with a minus, in
  others without: a column whose numbers all have one sign holds costs, whichever sign it is; one with both signs
  holds costs with a minus and credits without.
* Two fills of one order can agree in every cell. They are told apart by the order's cumulative quantity within the
  instant, counted in the order of their quantities and prices and not in that of the rows, which an export may turn
  around: importing a file again, or one that overlaps, records nothing twice.
* An assignment or exercise is two rows, the option's removal at no price and the delivery of shares at the strike.
  They become one event: premium and strike count once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from attribution.ledger.canonical import decimal_text
from attribution.ledger.contracts import Contract, trade_date_of
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.importers.cells import epoch_ns, quotient, read_lines
from attribution.ledger.importers.statement import Owner, Renaming, Statement, in_order, owner_of
from attribution.ledger.importers.tastytrade_rows import (
    Row,
    cost_sign,
    exact_sum,
    fill_ids,
    multiplier_of,
    price_of,
    read_row,
)
from attribution.ledger.records import AssetType, Event, EventAction, Fill, Side

__all__ = ["SOURCE", "read_tastytrade"]

SOURCE = "tastytrade"
_NEEDED = (
    *("Date", "Type", "Action", "Symbol", "Instrument Type", "Description", "Value", "Quantity"),
    *("Commissions", "Fees", "Multiplier"),
)
_USED = ("Order #", "Underlying Symbol", "Strike Price", "Sub Type", "Currency")
_ZERO = Decimal(0)

_REMOVALS = {
    "expiration": EventAction.EXPIRE,
    "assignment": EventAction.ASSIGN,
    "exercise": EventAction.EXERCISE,
}
_ADJUSTMENTS = ("interest", "adjustment", "fee", "rebate", "promotion")
_TRANSFERS = ("withdrawal", "deposit", "wire", "ach", "transfer")


def read_tastytrade(
    source: Path | str | Iterable[str], account_id: str = "tastytrade", *, strategy: Owner = None
) -> Statement:
    """Read a transaction history.

    Parameters
    ----------
    source
        The file, or the lines of an open one.
    account_id
        The account it is of; the file does not say.
    strategy
        Whose the trades are: a name, a function of the row's cells, or None for untagged.

    Raises
    ------
    ImportFileError
        The file is not such an export.
    """
    lines = read_lines(source, _NEEDED, _USED)
    statement = Statement(SOURCE, account_id, rows=len(lines))
    costs = {name: cost_sign([line.text(name) for line in lines]) for name in ("Commissions", "Fees")}
    rows: list[Row] = []
    for line in lines:
        try:
            rows.append(read_row(line, costs))
            statement.count_cash(rows[-1].cash, rows[-1].currency)
        except InvalidRecordError as error:
            statement.refuse(line, str(error))
            statement.count_refused(None, "")
    _Reader(statement, in_order(rows, lambda row: row.at), strategy).run()
    return statement


class _Reader:
    """Turns rows, oldest first, into the records of a statement."""

    def __init__(self, statement: Statement, rows: list[Row], strategy: Owner) -> None:
        self._statement = statement
        self._rows = rows
        self._strategy = strategy
        self._taken: set[int] = set()
        self._deliveries: dict[int, Row] = {}
        self._fill_ids = fill_ids(rows)
        self._seen: Counter[str] = Counter()

    def run(self) -> None:
        """Read every row once; a row that completes another one is taken with it."""
        for row in self._rows:
            if _removal(row) in (EventAction.ASSIGN, EventAction.EXERCISE) and not row.value:
                self._claim_delivery(row)
        for row in self._rows:
            if row.line.number in self._taken:
                continue
            self._taken.add(row.line.number)
            try:
                self._take(row)
            except InvalidRecordError as error:
                self._statement.refuse(row.line, str(error))

    def _take(self, row: Row) -> None:
        if row.type == "Trade":
            self._statement.add(row.line, self._fill(row))
        elif row.type == "Money Movement":
            self._money(row)
        elif row.type == "Receive Deliver":
            self._delivery(row)
        else:
            self._statement.refuse(row.line, f"rows of type {row.type!r} are not known")

    # --- trades --------------------------------------------------------------------------------------------------

    def _fill(self, row: Row) -> Fill:
        contract, side = _required(row)
        if row.value and (row.value < 0) != (side is Side.BUY):
            raise InvalidRecordError("Value", row.value, f"the sign of a {side}: a price is never negative")
        price, left = price_of(row)
        fees = row.costs
        if left:
            fees = exact_sum(fees or _ZERO, left)
        owner = owner_of(self._strategy, row.line.cells)
        return Fill(
            **self._envelope(row),
            order_id=row.order_id or f"{row.place}:{contract.symbol}",
            fill_id=self._fill_ids[row.line.number],
            symbol=contract.symbol,
            side=side,
            quantity=row.quantity,
            price=price,
            fees=fees,
            split=None if owner is None else {owner: row.quantity},
            asset_type=AssetType(contract.asset_type),
            multiplier=multiplier_of(row),
            venue=SOURCE,
            leg_group=row.order_id or None,
            currency=row.currency,
            notes="price rounded; what was cut off is in the fees" if left else None,
        )

    def _envelope(self, row: Row) -> dict[str, Any]:
        ts = epoch_ns(row.at)
        day = row.at.date() if row.contract is None else trade_date_of(row.contract, ts)
        return {"account_id": self._statement.account_id, "ts": ts, "trade_date": day, "source": SOURCE}

    # --- deliveries, expiries, new names -------------------------------------------------------------------------

    def _delivery(self, row: Row) -> None:
        action = _removal(row)
        if "symbol change" in row.what:
            self._renaming(row)
        elif action is EventAction.EXPIRE or (action is not None and row.value):
            self._statement.add(row.line, self._expiry(row))
        elif action is not None:
            self._statement.add(row.line, self._assignment(row, action))
        else:
            self._statement.refuse(row.line, "a delivery without the removal of an option that explains it")

    def _expiry(self, row: Row) -> Event:
        """An expiry at 0, or a settlement in cash at what was paid for it."""
        contract = _with_contract(row)
        price, left = price_of(row) if row.value else (_ZERO, _ZERO)
        if left:
            raise InvalidRecordError("Value", row.value, "an amount that a price per unit can tell")
        side = None if not row.value else Side.BUY if row.value < 0 else Side.SELL
        return self._event(row, contract, EventAction.EXPIRE, price=price, side=side, fees=row.costs)

    def _assignment(self, row: Row, action: EventAction) -> Event:
        contract = _with_contract(row)
        delivery = self._deliveries.get(row.line.number)
        if delivery is None:
            raise InvalidRecordError("Symbol", contract.symbol, "a delivery of the shares at the same instant")
        into, side = _required(delivery)
        strike, left = price_of(delivery)
        if left:
            raise InvalidRecordError("Value", delivery.value, "an amount that the strike can tell")
        bought = side is Side.BUY
        return self._event(
            row,
            contract,
            action,
            price=_ZERO,
            side=Side.BUY if action is EventAction.ASSIGN else Side.SELL,
            fees=exact_sum(row.costs or _ZERO, delivery.costs or _ZERO),
            into=into.symbol,
            strike=strike,
            deliverable=quotient(delivery.quantity, row.quantity),
            right="CALL" if bought == (action is EventAction.EXERCISE) else "PUT",
        )

    def _claim_delivery(self, row: Row) -> None:
        """Find the row that delivers the shares of an option's removal, whichever of the two comes first."""
        wanted = row.at, row.type, row.line.text("Underlying Symbol"), row.quantity * multiplier_of(row)
        for other in self._rows:
            found = other.at, other.type, other.line.text("Underlying Symbol"), other.quantity
            delivers = other.side is not None and other.line.text("Instrument Type") == "Equity"
            if delivers and found == wanted and other.line.number not in self._taken:
                self._taken.add(other.line.number)
                self._deliveries[row.line.number] = other
                return

    def _renaming(self, row: Row) -> None:
        partner = next((other for other in self._rows if self._continues(row, other)), None)
        if partner is None:
            raise InvalidRecordError("Symbol", row.line.text("Symbol"), "the other half of the change of symbol")
        self._taken.add(partner.line.number)
        leaves, enters = (partner, row) if row.opens else (row, partner)
        self._statement.add(row.line, Renaming(self._transfer(leaves), self._transfer(enters)))

    def _continues(self, row: Row, other: Row) -> bool:
        """Whether another row is the other half of a change of symbol."""
        texts = ("Instrument Type", "Strike Price", "Currency")
        same = (row.at, row.quantity, *(row.line.text(name) for name in texts))
        its = (other.at, other.quantity, *(other.line.text(name) for name in texts))
        free = other.line.number not in self._taken and "symbol change" in other.what
        return free and same == its and row.value == other.value.copy_negate() and row.opens != other.opens

    def _transfer(self, row: Row) -> Event:
        contract, side = _required(row)
        price, left = price_of(row)
        if left:
            raise InvalidRecordError("Value", row.value, "an amount that a price per unit can tell")
        return self._event(row, contract, EventAction.TRANSFER, price=price, side=side, fees=row.costs)

    # --- cash ----------------------------------------------------------------------------------------------------

    def _money(self, row: Row) -> None:
        if "dividend" in row.what and row.contract is not None:
            self._statement.add(row.line, self._cash(row, EventAction.DIVIDEND, row.contract))
        elif any(word in row.what for word in _TRANSFERS):
            self._statement.add(row.line, self._cash(row, EventAction.TRANSFER))
        elif any(word in row.what for word in _ADJUSTMENTS):
            self._statement.add(row.line, self._cash(row, EventAction.ADJUST))
        else:
            self._statement.refuse(row.line, "a movement of money whose meaning is not known")

    def _cash(self, row: Row, action: EventAction, contract: Contract | None = None) -> Event:
        return Event(
            **self._envelope(row),
            event_id=self._event_id(row, action, row.line.text("Symbol")),
            action=action,
            symbol=None if contract is None else contract.symbol,
            asset_type=AssetType.STOCK if contract is None else AssetType(contract.asset_type),
            amount=row.value,
            fees=row.costs or None,
            currency=row.currency,
            notes=row.line.text("Description") or None,
        )

    def _event(self, row: Row, contract: Contract, action: EventAction, **facts: Any) -> Event:
        return Event(
            **self._envelope(row),
            event_id=self._event_id(row, action, contract.symbol),
            action=action,
            symbol=contract.symbol,
            asset_type=AssetType(contract.asset_type),
            quantity=row.quantity,
            multiplier=multiplier_of(row),
            order_id=row.order_id or None,
            currency=row.currency,
            notes=row.line.text("Description") or None,
            **facts,
        )

    def _event_id(self, row: Row, action: EventAction, symbol: str) -> str:
        """What happened, to what, when; rows that agree in all of it and in the amount are counted."""
        amounts = f"{decimal_text(row.quantity)}:{decimal_text(row.value)}"
        name = f"{SOURCE}:{row.place}:{action}:{row.action or '-'}:{symbol or 'cash'}:{amounts}"
        self._seen[name] += 1
        return f"{name}:{self._seen[name]}"


def _removal(row: Row) -> EventAction | None:
    """How an option left the account without a trade; None: it did not."""
    if row.type != "Receive Deliver" or row.side is not None:
        return None
    return next((action for word, action in _REMOVALS.items() if word in row.what), None)


def _required(row: Row) -> tuple[Contract, Side]:
    """The contract and the direction of a row that must have both."""
    if row.side is None:
        raise InvalidRecordError("Action", row.line.text("Action"), "BUY_TO_… or SELL_TO_…")
    return _with_contract(row), row.side


def _with_contract(row: Row) -> Contract:
    if row.contract is None:
        raise InvalidRecordError("Symbol", "", "needed for this row")
    if not row.quantity:
        raise InvalidRecordError("Quantity", row.line.text("Quantity"), "more than 0")
    return row.contract
