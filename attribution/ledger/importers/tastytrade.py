"""Tastytrade's transaction history as CSV, in both of its layouts.

The newer layout has a ``Sub Type`` column; in the older one the description tells what a row is. Facts of the format:

* ``Value`` is signed cash without costs. ``Commissions`` and ``Fees`` are costs, in some exports with a minus, in
  others without: a column whose numbers all have one sign holds costs, whichever sign it is; one with both signs
  holds costs with a minus and credits without.
* Two fills of one order can agree in every cell. They are told apart by the order's cumulative quantity within the
  instant, so that importing a file again, or one that overlaps, records nothing twice.
* An assignment or exercise is two rows, the option's removal at no price and the delivery of shares at the strike.
  They become one event: premium and strike count once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from attribution.ledger.canonical import decimal_text
from attribution.ledger.contracts import Contract, contract_of, trade_date_of
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.importers.cells import Line, amount_of, epoch_ns, instant_of, read_lines
from attribution.ledger.importers.statement import Owner, Renaming, Statement, in_order, owner_of
from attribution.ledger.money import exact
from attribution.ledger.records import AssetType, Event, EventAction, Fill, Side

__all__ = ["SOURCE", "read_tastytrade"]

SOURCE = "tastytrade"
_NEEDED = (
    *("Date", "Type", "Action", "Symbol", "Instrument Type", "Description", "Value", "Quantity"),
    *("Commissions", "Fees", "Multiplier"),
)
_ONE, _ZERO = Decimal(1), Decimal(0)
_PRICE_PLACES = Decimal("1e-12")

_REMOVALS = {
    "expiration": EventAction.EXPIRE,
    "assignment": EventAction.ASSIGN,
    "exercise": EventAction.EXERCISE,
}
_ADJUSTMENTS = ("interest", "adjustment", "fee", "rebate", "promotion")
_TRANSFERS = ("withdrawal", "deposit", "wire", "ach", "transfer")


@dataclass(frozen=True, slots=True)
class _Row:
    """One row, its texts read."""

    line: Line
    at: datetime
    type: str
    what: str
    action: str
    contract: Contract | None
    value: Decimal
    quantity: Decimal
    costs: Decimal | None
    order_id: str

    @property
    def side(self) -> Side | None:
        """The direction that the action names."""
        return {"BUY": Side.BUY, "SELL": Side.SELL}.get(self.action.partition("_")[0])

    @property
    def cash(self) -> Decimal:
        """What the row moved. [currency]"""
        with exact():
            return self.value - (self.costs or _ZERO)

    @property
    def opens(self) -> bool:
        """Whether the action opens."""
        return self.action.endswith("_TO_OPEN")

    @property
    def place(self) -> str:
        """What names the row's instant in ids."""
        return self.at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


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
    lines = read_lines(source, _NEEDED)
    statement = Statement(SOURCE, account_id, rows=len(lines))
    costs = {name: _cost_sign([line.text(name) for line in lines]) for name in ("Commissions", "Fees")}
    rows: list[_Row] = []
    for line in lines:
        try:
            rows.append(_read(line, costs))
            statement.count_cash(rows[-1].cash)
        except InvalidRecordError as error:
            statement.refuse(line, str(error))
    _Reader(statement, in_order(rows, lambda row: row.at), strategy).run()
    return statement


def _cost_sign(texts: Iterable[str]) -> Callable[[Decimal], Decimal]:
    """How a column of costs is to be read, by the signs that occur in it."""
    signs = set()
    for text in texts:
        try:
            signs.add((amount_of("costs", text) or _ZERO).compare(_ZERO))
        except InvalidRecordError:  # told of with its row
            continue
    both = {Decimal(1), Decimal(-1)} <= signs
    return (lambda value: -value) if both else abs


def _read(line: Line, costs: dict[str, Callable[[Decimal], Decimal]]) -> _Row:
    if line.problem is not None:
        raise InvalidRecordError("row", line.number, line.problem)
    symbol = line.text("Symbol")
    known = [(sign, amount_of(name, line.text(name))) for name, sign in costs.items()]
    with exact():
        paid = [sign(value) for sign, value in known if value is not None]
        total = sum(paid, _ZERO) if paid else None
    return _Row(
        line=line,
        at=instant_of("Date", line.text("Date")),
        type=line.text("Type"),
        what=f"{line.text('Sub Type')} {line.text('Description')}".lower(),
        action=line.text("Action").upper().replace(" ", "_"),
        contract=contract_of(symbol, None) if symbol else None,
        value=amount_of("Value", line.text("Value")) or _ZERO,
        quantity=abs(amount_of("Quantity", line.text("Quantity")) or _ZERO),
        costs=total,
        order_id=line.text("Order #"),
    )


class _Reader:
    """Turns rows, oldest first, into the records of a statement."""

    def __init__(self, statement: Statement, rows: list[_Row], strategy: Owner) -> None:
        self._statement = statement
        self._rows = rows
        self._strategy = strategy
        self._taken: set[int] = set()
        self._deliveries: dict[int, _Row] = {}
        self._filled: dict[tuple[str, ...], Decimal] = {}
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

    def _take(self, row: _Row) -> None:
        if row.type == "Trade":
            self._statement.add(row.line, self._fill(row))
        elif row.type == "Money Movement":
            self._money(row)
        elif row.type == "Receive Deliver":
            self._delivery(row)
        else:
            self._statement.refuse(row.line, f"rows of type {row.type!r} are not known")

    # --- trades --------------------------------------------------------------------------------------------------

    def _fill(self, row: _Row) -> Fill:
        contract, side = _required(row)
        if row.value and (row.value < 0) != (side is Side.BUY):
            raise InvalidRecordError("Value", row.value, f"the sign of a {side}: a price is never negative")
        price, left = _price(row)
        fees = row.costs
        if left:
            fees = _exact_sum(fees or _ZERO, left)
        owner = owner_of(self._strategy, row.line.cells)
        order_id = row.order_id or f"{row.place}:{contract.symbol}"
        return Fill(
            **self._envelope(row),
            order_id=order_id,
            fill_id=self._fill_id(row, contract, side, order_id),
            symbol=contract.symbol,
            side=side,
            quantity=row.quantity,
            price=price,
            fees=fees,
            split=None if owner is None else {owner: row.quantity},
            asset_type=AssetType(contract.asset_type),
            multiplier=_multiplier(row),
            venue=SOURCE,
            leg_group=row.order_id or None,
            currency=row.line.text("Currency") or "USD",
            notes="price rounded; what was cut off is in the fees" if left else None,
        )

    def _fill_id(self, row: _Row, contract: Contract, side: Side, order_id: str) -> str:
        """The order's cumulative quantity in this contract at this instant: the same in every export of it."""
        leg = (order_id, contract.symbol, side, row.place)
        self._filled[leg] = _exact_sum(self._filled.get(leg, _ZERO), row.quantity)
        return f"{row.place}:{contract.symbol}:{side}:cum:{decimal_text(self._filled[leg])}"

    def _envelope(self, row: _Row) -> dict[str, Any]:
        ts = epoch_ns(row.at)
        day = row.at.date() if row.contract is None else trade_date_of(row.contract, ts)
        return {"account_id": self._statement.account_id, "ts": ts, "trade_date": day, "source": SOURCE}

    # --- deliveries, expiries, new names -------------------------------------------------------------------------

    def _delivery(self, row: _Row) -> None:
        action = _removal(row)
        if "symbol change" in row.what:
            self._renaming(row)
        elif action is EventAction.EXPIRE or (action is not None and row.value):
            self._statement.add(row.line, self._expiry(row))
        elif action is not None:
            self._statement.add(row.line, self._assignment(row, action))
        else:
            self._statement.refuse(row.line, "a delivery without the removal of an option that explains it")

    def _expiry(self, row: _Row) -> Event:
        """An expiry at 0, or a settlement in cash at what was paid for it."""
        contract = _with_contract(row)
        price, left = _price(row) if row.value else (_ZERO, _ZERO)
        if left:
            raise InvalidRecordError("Value", row.value, "an amount that a price per unit can tell")
        side = None if not row.value else Side.BUY if row.value < 0 else Side.SELL
        return self._event(row, contract, EventAction.EXPIRE, price=price, side=side, fees=row.costs)

    def _assignment(self, row: _Row, action: EventAction) -> Event:
        contract = _with_contract(row)
        delivery = self._deliveries.get(row.line.number)
        if delivery is None:
            raise InvalidRecordError("Symbol", contract.symbol, "a delivery of the shares at the same instant")
        into, side = _required(delivery)
        strike, left = _price(delivery)
        if left:
            raise InvalidRecordError("Value", delivery.value, "an amount that the strike can tell")
        bought = side is Side.BUY
        return self._event(
            row,
            contract,
            action,
            price=_ZERO,
            side=Side.BUY if action is EventAction.ASSIGN else Side.SELL,
            fees=_exact_sum(row.costs or _ZERO, delivery.costs or _ZERO),
            into=into.symbol,
            strike=strike,
            deliverable=delivery.quantity / row.quantity,
            right="CALL" if bought == (action is EventAction.EXERCISE) else "PUT",
        )

    def _claim_delivery(self, row: _Row) -> None:
        """Find the row that delivers the shares of an option's removal, whichever of the two comes first."""
        wanted = row.at, row.type, row.line.text("Underlying Symbol"), row.quantity * _multiplier(row)
        for other in self._rows:
            found = other.at, other.type, other.line.text("Underlying Symbol"), other.quantity
            delivers = other.side is not None and other.line.text("Instrument Type") == "Equity"
            if delivers and found == wanted and other.line.number not in self._taken:
                self._taken.add(other.line.number)
                self._deliveries[row.line.number] = other
                return

    def _renaming(self, row: _Row) -> None:
        partner = next((other for other in self._rows if self._continues(row, other)), None)
        if partner is None:
            raise InvalidRecordError("Symbol", row.line.text("Symbol"), "the other half of the change of symbol")
        self._taken.add(partner.line.number)
        leaves, enters = (partner, row) if row.opens else (row, partner)
        self._statement.add(row.line, Renaming(self._transfer(leaves), self._transfer(enters)))

    def _continues(self, row: _Row, other: _Row) -> bool:
        """Whether another row is the other half of a change of symbol."""
        same = (row.at, row.quantity, row.line.text("Instrument Type"), row.line.text("Strike Price"))
        its = (other.at, other.quantity, other.line.text("Instrument Type"), other.line.text("Strike Price"))
        free = other.line.number not in self._taken and "symbol change" in other.what
        return free and same == its and row.value == -other.value and row.opens != other.opens

    def _transfer(self, row: _Row) -> Event:
        contract, side = _required(row)
        price, left = _price(row)
        if left:
            raise InvalidRecordError("Value", row.value, "an amount that a price per unit can tell")
        return self._event(row, contract, EventAction.TRANSFER, price=price, side=side, fees=row.costs)

    # --- cash ----------------------------------------------------------------------------------------------------

    def _money(self, row: _Row) -> None:
        if "dividend" in row.what and row.contract is not None:
            self._statement.add(row.line, self._cash(row, EventAction.DIVIDEND, row.contract))
        elif any(word in row.what for word in _TRANSFERS):
            self._statement.add(row.line, self._cash(row, EventAction.TRANSFER))
        elif any(word in row.what for word in _ADJUSTMENTS):
            self._statement.add(row.line, self._cash(row, EventAction.ADJUST))
        else:
            self._statement.refuse(row.line, "a movement of money whose meaning is not known")

    def _cash(self, row: _Row, action: EventAction, contract: Contract | None = None) -> Event:
        return Event(
            **self._envelope(row),
            event_id=self._event_id(row, action, row.line.text("Symbol")),
            action=action,
            symbol=None if contract is None else contract.symbol,
            asset_type=AssetType.STOCK if contract is None else AssetType(contract.asset_type),
            amount=row.value,
            fees=row.costs or None,
            notes=row.line.text("Description") or None,
        )

    def _event(self, row: _Row, contract: Contract, action: EventAction, **facts: Any) -> Event:
        return Event(
            **self._envelope(row),
            event_id=self._event_id(row, action, contract.symbol),
            action=action,
            symbol=contract.symbol,
            asset_type=AssetType(contract.asset_type),
            quantity=row.quantity,
            multiplier=_multiplier(row),
            order_id=row.order_id or None,
            notes=row.line.text("Description") or None,
            **facts,
        )

    def _event_id(self, row: _Row, action: EventAction, symbol: str) -> str:
        """What happened, to what, when; rows that agree in all of it and in the amount are counted."""
        amounts = f"{decimal_text(row.quantity)}:{decimal_text(row.value)}"
        name = f"{SOURCE}:{row.place}:{action}:{row.action or '-'}:{symbol or 'cash'}:{amounts}"
        self._seen[name] += 1
        return f"{name}:{self._seen[name]}"


def _removal(row: _Row) -> EventAction | None:
    """How an option left the account without a trade; None: it did not."""
    if row.type != "Receive Deliver" or row.side is not None:
        return None
    return next((action for word, action in _REMOVALS.items() if word in row.what), None)


def _required(row: _Row) -> tuple[Contract, Side]:
    """The contract and the direction of a row that must have both."""
    if row.side is None:
        raise InvalidRecordError("Action", row.line.text("Action"), "BUY_TO_… or SELL_TO_…")
    return _with_contract(row), row.side


def _with_contract(row: _Row) -> Contract:
    if row.contract is None:
        raise InvalidRecordError("Symbol", "", "needed for this row")
    if not row.quantity:
        raise InvalidRecordError("Quantity", row.line.text("Quantity"), "more than 0")
    return row.contract


def _multiplier(row: _Row) -> Decimal:
    given = amount_of("Multiplier", row.line.text("Multiplier"))
    return _ONE if given is None else given


def _price(row: _Row) -> tuple[Decimal, Decimal]:
    """The price per unit that ``Value`` tells, and what cannot be told by one of 12 decimals. [currency]"""
    units = row.quantity * _multiplier(row)
    price = abs(row.value) / units
    price = price.quantize(_PRICE_PLACES).normalize()
    with exact():
        left = abs(row.value) - price * units
        return price, left if row.value < 0 else -left


def _exact_sum(first: Decimal, second: Decimal) -> Decimal:
    with exact():
        return first + second
