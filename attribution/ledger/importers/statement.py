"""What a broker's file says, as records of the ledger: what cannot be recorded is listed, never dropped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar

from attribution.ledger.errors import ConflictError, InvalidRecordError
from attribution.ledger.importers.cells import Line
from attribution.ledger.money import exact
from attribution.ledger.records import Event, EventAction, Fill

__all__ = [
    "ImportReport",
    "Item",
    "Owner",
    "Renaming",
    "Statement",
    "Unmatched",
    "cash_moved",
    "currency_of",
    "in_order",
    "owner_of",
]

Owner: TypeAlias = str | Callable[[Mapping[str, Any]], str | None] | None
"""Whose the fills of a file are: one strategy, a function of the row, or None for untagged."""


_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A row that could not be recorded: where it stands, why, and what it says."""

    line: int
    reason: str
    row: Mapping[str, Any]

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self.row.items() if value not in ("", None))
        return f"line {self.line}: {self.reason} ({told})"


@dataclass(frozen=True, slots=True)
class Renaming:
    """An instrument that goes on under another symbol: units leave the old one, and come in under the new one.

    The new units belong to the strategies that gave up the old ones.
    """

    leaves: Event
    enters: Event


Row = TypeVar("Row")

Item: TypeAlias = Fill | Event | Renaming


@dataclass(slots=True)
class Statement:
    """A file read: what to record, in order of time, each with the line it comes from, and what could not be read.

    ``cash`` is what the file itself says its rows moved, by currency, the unmatched ones included as far as they can
    be read. ``former`` are keys under which earlier versions recorded the row of a line.
    """

    source: str
    account_id: str
    rows: int = 0
    items: list[tuple[int, Item]] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cash: dict[str, Decimal] = field(default_factory=dict)
    former: dict[int, str] = field(default_factory=dict)
    uncounted: int = 0
    """Unmatched rows of which it cannot be told what they moved."""

    def add(self, line: Line, item: Item) -> None:
        """Take a record in."""
        self.items.append((line.number, item))

    def refuse(self, line: Line, reason: str) -> None:
        """List a row that cannot be recorded."""
        self.unmatched.append(Unmatched(line.number, reason, line.cells))

    def count_cash(self, amount: Decimal, currency: str) -> None:
        """Add what a row says it moved."""
        with exact():
            self.cash[currency] = self.cash.get(currency, Decimal(0)) + amount

    def count_refused(self, amount: Decimal | None, currency: str) -> None:
        """Add what an unmatched row says it moved; None: that cannot be told."""
        if amount is None:
            self.uncounted += 1
        else:
            self.count_cash(amount, currency)


@dataclass(slots=True)
class ImportReport:
    """What became of a statement.

    ``cash`` is, by currency, what the file's rows say they moved, and what the ledger's book holds for them, whether
    they were recorded now, earlier, or while trading. Where they differ, ``notes`` and ``unmatched`` say which rows.
    Rows that do not tell what they moved are in neither; those of them that could not be recorded are ``uncounted``.
    """

    source: str
    rows: int
    recorded: int = 0
    known: int = 0
    unmatched: list[Unmatched] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cash: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    uncounted: int = 0

    @property
    def cash_of_file(self) -> Decimal:
        """What the rows say they moved, where they are of one currency.

        Raises
        ------
        InvalidRecordError
            There are several currencies, which have no sum: look into ``cash``.
        """
        return self._of_one_currency()[0]

    @property
    def cash_of_ledger(self) -> Decimal:
        """What the ledger's book holds for the rows, where they are of one currency.

        Raises
        ------
        InvalidRecordError
            There are several currencies, which have no sum: look into ``cash``.
        """
        return self._of_one_currency()[1]

    @property
    def reconciles(self) -> bool:
        """Whether the ledger moves exactly the cash that every row of the file says, in every currency."""
        return not self.uncounted and all(of_file == of_ledger for of_file, of_ledger in self.cash.values())

    def _of_one_currency(self) -> tuple[Decimal, Decimal]:
        if len(self.cash) > 1:
            raise InvalidRecordError("cash", sorted(self.cash), "one currency; else see cash")
        return next(iter(self.cash.values()), (Decimal(0), Decimal(0)))


def owner_of(owner: Owner, row: Mapping[str, Any]) -> str | None:
    """The strategy that a row belongs to, by the caller's word; None: untagged."""
    name = owner(row) if callable(owner) else owner
    return name.strip() or None if name is not None else None


def cash_moved(item: Item) -> Decimal | None:
    """What a record moves in the account's cash; unknown fees move nothing that is known. [currency]

    None: the record does not say, for it closes at a price what the book knows the direction of.
    """
    with exact():
        if isinstance(item, Renaming):
            leaves, enters = cash_moved(item.leaves), cash_moved(item.enters)
            return None if leaves is None or enters is None else leaves + enters
        fees = item.fees or Decimal(0)
        if isinstance(item, Fill):
            return -item.signed_quantity * item.price * item.multiplier - fees
        if item.into is not None and item.strike is not None and item.quantity is not None:
            units = item.quantity * (item.deliverable or item.multiplier or _ONE)
            buys = (item.right == "CALL") == (item.action == "exercise")
            return (-units if buys else units) * item.strike - fees
        if item.action == EventAction.TRANSFER and item.symbol is not None:
            return -fees
        if item.amount is not None:
            return item.amount - fees
        if item.symbol is not None and item.price and item.quantity is not None:
            if item.side is None:
                return None
            units = item.quantity if item.side == "BUY" else -item.quantity
            return -units * item.price * (item.multiplier or _ONE) - fees
        return -fees


def currency_of(item: Item) -> str:
    """What a record's amounts are in."""
    return item.enters.currency if isinstance(item, Renaming) else item.currency


def conflict_of(error: ConflictError) -> str:
    """Why a record was refused, for the list of unmatched rows."""
    return f"contradicts what is on record: {error}"


def shares_given(before: Mapping[str, Decimal], after: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """How much each strategy gave up between two states of its position, without sign."""
    with exact():
        given = {name: abs(units - after.get(name, Decimal(0))) for name, units in before.items()}
    return {name: units for name, units in given.items() if units}


def in_order(rows: Sequence[Row], key: Callable[[Row], Any]) -> list[Row]:
    """Rows from the oldest to the newest; a file that begins with the newest is turned around first."""
    ordered = list(rows)
    if len(ordered) > 1 and key(ordered[0]) > key(ordered[-1]):
        ordered.reverse()
    return sorted(ordered, key=key)
