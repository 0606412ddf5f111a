"""A row of tastytrade's transaction history, its texts read; see :mod:`attribution.ledger.importers.tastytrade`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from attribution.ledger.canonical import decimal_text
from attribution.ledger.contracts import Contract, contract_of
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.importers.cells import DIVISION, Line, amount_of, instant_of, quotient
from attribution.ledger.money import exact
from attribution.ledger.records import Side

__all__ = ["Row", "cost_sign", "exact_sum", "fill_ids", "multiplier_of", "price_of", "read_row"]

_ONE, _ZERO = Decimal(1), Decimal(0)
_PRICE_PLACES = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class Row:
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
    def currency(self) -> str:
        """What its amounts are in; the older layout knows one currency."""
        return self.line.text("Currency") or "USD"

    @property
    def opens(self) -> bool:
        """Whether the action opens."""
        return self.action.endswith("_TO_OPEN")

    @property
    def place(self) -> str:
        """What names the row's instant in ids."""
        return self.at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def cost_sign(texts: Iterable[str]) -> Callable[[Decimal], Decimal]:
    """How a column of costs is to be read, by the signs that occur in it."""
    signs = set()
    for text in texts:
        try:
            signs.add((amount_of("costs", text) or _ZERO).compare(_ZERO))
        except InvalidRecordError:  # told of with its row
            continue
    both = {Decimal(1), Decimal(-1)} <= signs
    return Decimal.copy_negate if both else Decimal.copy_abs


def read_row(line: Line, costs: dict[str, Callable[[Decimal], Decimal]]) -> Row:
    """Read a row; ``costs`` says how each column of costs is to be read.

    Raises
    ------
    InvalidRecordError
        A cell cannot be read.
    """
    if line.problem is not None:
        raise InvalidRecordError("row", line.number, line.problem)
    symbol = line.text("Symbol")
    known = [(sign, amount_of(name, line.text(name))) for name, sign in costs.items()]
    with exact():
        paid = [sign(value) for sign, value in known if value is not None]
        total = sum(paid, _ZERO) if paid else None
    return Row(
        line=line,
        at=instant_of("Date", line.text("Date")),
        type=line.text("Type"),
        what=f"{line.text('Sub Type')} {line.text('Description')}".lower(),
        action=line.text("Action").upper().replace(" ", "_"),
        contract=contract_of(symbol, None) if symbol else None,
        value=amount_of("Value", line.text("Value")) or _ZERO,
        quantity=(amount_of("Quantity", line.text("Quantity")) or _ZERO).copy_abs(),
        costs=total,
        order_id=line.text("Order #"),
    )


def fill_ids(rows: Iterable[Row]) -> dict[int, str]:
    """By line, the order's cumulative quantity in a contract at an instant: the same in every export of it."""
    filled: dict[tuple[str, str], Decimal] = {}
    ids: dict[int, str] = {}
    for row in sorted(rows, key=lambda row: (row.quantity, row.value, row.costs or _ZERO)):
        if row.type == "Trade" and row.contract is not None and row.side is not None:
            leg = f"{row.place}:{row.contract.symbol}:{row.side}"
            filled[row.order_id, leg] = exact_sum(filled.get((row.order_id, leg), _ZERO), row.quantity)
            ids[row.line.number] = f"{leg}:cum:{decimal_text(filled[row.order_id, leg])}"
    return ids


def multiplier_of(row: Row) -> Decimal:
    """Units per contract; 1 where the row has none."""
    given = amount_of("Multiplier", row.line.text("Multiplier"))
    return _ONE if given is None else given


def price_of(row: Row) -> tuple[Decimal, Decimal]:
    """The price per unit that ``Value`` tells, and what cannot be told by one of 12 decimals. [currency]"""
    with exact():
        units, value = row.quantity * multiplier_of(row), row.value.copy_abs()
    price = quotient(value, units).quantize(_PRICE_PLACES, context=DIVISION).normalize(DIVISION)
    with exact():
        left = value - price * units
        return price, left if row.value < 0 else -left


def exact_sum(first: Decimal, second: Decimal) -> Decimal:
    """Return the sum, never rounded."""
    with exact():
        return first + second
