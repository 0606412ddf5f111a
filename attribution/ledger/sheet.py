"""A sheet of the book: one symbol of one account, every strategy's line in it, and the trades it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from attribution.ledger.closing import Order
from attribution.ledger.lots import Line, Match, Piece
from attribution.ledger.money import share
from attribution.ledger.quanta import quantum_of
from attribution.ledger.record import HOUSE, AssetType

if TYPE_CHECKING:
    from attribution.ledger.events import Event

__all__ = ["Happening", "Sheet", "SheetKey", "Trade"]


class SheetKey(NamedTuple):
    """What a sheet is about; an empty symbol is the account's cash that belongs to no symbol."""

    account_id: str
    symbol: str
    currency: str


class Trade(NamedTuple):
    """What the book keeps of a fill or a cross: integers on the grids, and whose they are.

    ``place`` is the position in the book's own sequence, ``units`` the signed quantity (0 for a cross), ``price``
    the price times the multiplier. ``parts`` are signed units by strategy; ``fees`` and ``fee_parts`` are None
    where they are not known. ``firm`` parts are posted as they are; the others, made by a closing policy, close at
    most what the strategy holds when they are posted.
    """

    place: int
    sheet: SheetKey
    key: str
    ts: int
    units: int
    price: int
    multiplier: int
    fees: int | None
    parts: Mapping[str, int]
    fee_parts: Mapping[str, int] | None
    firm: bool
    plan: tuple[str, str | None] | None
    quantum: int
    """The unit that the instrument is divided into."""

    def same_fact(self, other: Trade) -> bool:
        """Whether both tell the same execution; owners count where both name them."""
        mine = (self.sheet, self.ts, self.units, self.price, self.multiplier, self.fees, self.firm, self.plan)
        its = (other.sheet, other.ts, other.units, other.price, other.multiplier, other.fees, other.firm, other.plan)
        return mine == its and (not self.parts or not other.parts or not self.firm or self.parts == other.parts)


@dataclass(frozen=True, slots=True)
class Happening:
    """A corporate event in the book's sequence."""

    place: int
    sheet: SheetKey
    event: Event


@dataclass(slots=True)
class Sheet:
    """One symbol of one account.

    ``cash`` is what flowed because of it, ``contributed`` the part of that which came from outside and is no P&L.
    ``steps`` is everything that was posted, in order, as it was first told; ``orders`` what the orders under way
    have been divided into; ``matches`` what closed what, where the book keeps that.
    """

    key: SheetKey
    matches: list[Match] | None = None
    lines: dict[str, Line] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    steps: list[Trade | Happening] = field(default_factory=list)
    cash: int = 0
    contributed: int = 0
    quantum: int = quantum_of(AssetType.OTHER)
    multiplier: int | None = None
    """Those of the last trade; before the first, not known."""

    def line(self, strategy: str) -> Line:
        """The strategy's line; a new one where it has none."""
        line = self.lines.get(strategy)
        if line is None:
            line = self.lines[strategy] = Line(strategy)
        return line

    @property
    def units(self) -> int:
        """The account's net position."""
        return sum([line.units for line in self.lines.values()])

    def holders(self, *, long: bool) -> dict[str, Line]:
        """The lines that are open on that side."""
        return {name: line for name, line in self.lines.items() if (line.units > 0 if long else line.units < 0)}

    def clear(self) -> None:
        """Forget what was posted, and keep what was told."""
        self.lines.clear()
        self.cash = self.contributed = 0
        self.quantum, self.multiplier = quantum_of(AssetType.OTHER), None
        if self.matches is not None:
            self.matches.clear()

    def post(self, trade: Trade) -> None:
        """Move every strategy's part of a trade, and the cash."""
        self.cash -= trade.units * trade.price + (trade.fees or 0)
        self.quantum, self.multiplier = trade.quantum, trade.multiplier
        fees: Mapping[str, int] = {} if trade.fee_parts is None else trade.fee_parts
        parts = trade.parts
        if not trade.firm:
            parts, fees = self._limited(parts, fees)
        for strategy, units in parts.items():
            line = self.line(strategy)
            if trade.fee_parts is None:
                line.unknown_fees += 1
            fee = fees.get(strategy, 0)
            line.trade(Piece(units, -units * trade.price, fee, trade.ts, trade.key, trade.multiplier), self.matches)

    def _limited(
        self, parts: Mapping[str, int], fees: Mapping[str, int]
    ) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Parts of an untagged trade as far as each strategy can close them; the rest, fees included, is the house's.

        Parts fit when they are made. They may not fit any more where a correction has taken away what they closed.
        """
        excess = []
        for name, units in parts.items():
            if name != HOUSE:
                line = self.lines.get(name)
                after = units + (line.units if line is not None else 0)
                if (after > 0) if units > 0 else (after < 0):
                    excess.append((name, min(units, after) if units > 0 else max(units, after)))
        if not excess:
            return parts, fees
        fitted, paid = dict(parts), dict(fees)
        for name, units in excess:
            fee = share(fees.get(name, 0), units, parts[name])
            for amounts, moved in ((fitted, units), (paid, fee)):
                amounts[name] = amounts.get(name, 0) - moved
                amounts[HOUSE] = amounts.get(HOUSE, 0) + moved
        return {name: units for name, units in fitted.items() if units}, paid
