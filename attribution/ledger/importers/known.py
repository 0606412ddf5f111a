"""What of a statement is on record already, and what of it contradicts that: execution by execution, and by order.

One execution can have two names. While trading it may have been recorded by its order's cumulative quantity, the
order as a whole even, and a file has the broker's own ids, or none. A fill is therefore known by its name; in a file
that tells fills of one instant apart by counting, by what they say; and by its order, where the order is on record
under names of another kind: what stays within the recorded quantity is on record.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from attribution.ledger.book import Book
from attribution.ledger.canonical import decimal_text
from attribution.ledger.facts import POINT_PLACES, trade_of_fill
from attribution.ledger.ids import DERIVED, cumulative_of
from attribution.ledger.importers.statement import Statement
from attribution.ledger.money import MONEY_PLACES, QUANTITY_PLACES, from_units, to_units
from attribution.ledger.records import Fill
from attribution.ledger.sheet import Trade

__all__ = ["KnownFills", "cash_of_trade"]

_CUMULATIVE = DERIVED
_COUNTED = ":cum:"
_CONTENT = re.compile(r"[0-9a-f]{16}:\d+")
_HALF_CENT = 5 * 10 ** (POINT_PLACES - 3)

_Order = tuple[str, str, str]
"""Account, venue and order, as they stand in the keys of its fills."""


class _Piece(NamedTuple):
    """A fill of the file: its line, what it is as a trade, and its own id."""

    line: int
    fill: Fill
    trade: Trade
    id: str


@dataclass(slots=True)
class KnownFills:
    """What an import finds on record of its fills before it begins.

    ``known`` lines are on record, each as a trade, or as a part of its order (None); ``refused`` ones contradict what
    is, for a reason. ``orders`` are lines that together are what is on record of an order, and what that is.
    """

    known: dict[int, Trade | None] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    orders: list[tuple[Sequence[int], Sequence[Trade]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, book: Book, statement: Statement) -> KnownFills:
        """Look every fill of a statement up."""
        found = cls()
        pieces: dict[_Order, list[_Piece]] = {}
        seen: dict[tuple[_Order, str], Trade] = {}
        for line, item in statement.items:
            if isinstance(item, Fill):
                piece = _Piece(line, item, trade_of_fill(item, 0), item.key.rpartition("/")[2])
                its_order = _order_of(item)
                first = seen.get((its_order, piece.id))
                if first is not None and _same(first, piece.trade):  # pages overlap
                    found.known[line] = None
                    continue
                seen[its_order, piece.id] = piece.trade
                pieces.setdefault(its_order, []).append(piece)
        recorded = _recorded(book, {(account, order) for account, _, order in pieces})
        for order_key, own in pieces.items():
            on_record = _of_venue(recorded.get((order_key[0], order_key[2]), []), order_key[1])
            rest = found._by_name(own, on_record, statement.former, book)
            rest = found._by_content(rest, on_record)
            for symbol in dict.fromkeys(piece.trade.sheet.symbol for piece in rest):
                told = {name: one for name, one in on_record.items() if one.sheet.symbol == symbol}
                found._by_order([one for one in rest if one.trade.sheet.symbol == symbol], told, book)
        return found

    def _by_name(
        self, pieces: Iterable[_Piece], on_record: dict[str, Trade], former: Mapping[int, str], book: Book
    ) -> list[_Piece]:
        """Take what is on record under its own name, or under one that an earlier version gave it."""
        rest = []
        for piece in pieces:
            trade, name = on_record.get(piece.id), piece.id
            if trade is None and piece.line in former:
                step = book.told().steps.get((piece.fill.account_id, "fill", former[piece.line]))
                trade = step if isinstance(step, Trade) else None
                name = former[piece.line].rpartition("/")[2]
            if trade is not None and _same(trade, piece.trade):
                on_record.pop(name, None)
                self.known[piece.line] = trade
            else:
                rest.append(piece)
        return rest

    def _by_content(self, pieces: Iterable[_Piece], on_record: dict[str, Trade]) -> list[_Piece]:
        """Take, of the fills that a file counted within an instant, those that say what one on record says."""
        rest = []
        for piece in pieces:
            group = piece.id.rpartition(_COUNTED)[0]
            names = [
                name
                for name, trade in on_record.items()
                if group and name.rpartition(_COUNTED)[0] == group and _same(trade, piece.trade)
            ]
            if names:
                self.known[piece.line] = on_record.pop(names[0])
            else:
                rest.append(piece)
        return rest

    # --- by order ------------------------------------------------------------------------------------------------

    def _by_order(self, pieces: list[_Piece], on_record: Mapping[str, Trade], book: Book) -> None:
        """Take the fills of an order that is on record under ids of another kind, or in other slices."""
        # The same name and size at another price is for the log to refuse, which keeps it in quarantine.
        named = {trade.key: trade.units for trade in on_record.values()}
        pieces = [one for one in pieces if named.get(one.trade.key) != one.trade.units]
        by_slices = all(piece.id.startswith(_CUMULATIVE) for piece in pieces)
        kinds = {_kind(piece.id) for piece in pieces}
        told = {own_id: trade for own_id, trade in on_record.items() if by_slices or _kind(own_id) not in kinds}
        if not told or not pieces:
            return
        name = f"order {pieces[0].fill.order_id}"
        first = next(iter(told.values()))
        rest = []
        for piece in pieces:
            if piece.trade.sheet == first.sheet and (piece.trade.units > 0) == (first.units > 0):
                rest.append(piece)
            else:
                has = f"{'BUY' if first.units > 0 else 'SELL'} {first.sheet.symbol} in {first.sheet.currency}"
                self._refuse([piece.line], f"{name} is {has}")
        within = self._within(rest, _spans(told, by_slices=by_slices), by_slices=by_slices, name=name)
        self._agree(within, list(told.values()), name, book)

    def _within(
        self, pieces: list[_Piece], spans: list[tuple[int, int]], *, by_slices: bool, name: str
    ) -> list[_Piece]:
        """The fills that lie within what is recorded of the order; one that lies astride its end is refused."""
        within, end = [], 0
        for piece in pieces:
            size = abs(piece.trade.units)
            end = _cumulative(piece.id) if by_slices else end + size
            covered = min(size, sum(max(0, min(end, high) - max(end - size, low)) for low, high in spans))
            if covered == size:
                within.append(piece)
            elif covered:
                self._refuse([piece.line], f"{name} has {_text(covered)} of the {_text(size)}, in other slices")
        return within

    def _agree(self, pieces: list[_Piece], recorded: Sequence[Trade], name: str, book: Book) -> None:
        """Compare an order's fills with what is recorded of it: all of it, or a part at the same price."""
        if not pieces:
            return
        told = [book.effective(trade) or trade for trade in recorded]
        size, value = _total([piece.trade for piece in pieces])
        recorded_size, recorded_value = _total(told)
        lines = [piece.line for piece in pieces]
        prices, recorded_prices = {piece.trade.price for piece in pieces}, {trade.price for trade in told}
        if size > recorded_size:
            self._refuse(lines, f"{name} has {_text(recorded_size)} of the {_text(size)}")
        elif size == recorded_size:
            self.orders.append((lines, recorded))
            if not any(one.key.rpartition("/")[2].startswith(_CUMULATIVE) for one in told):
                self.notes.append(f"line {lines[0]}: taken for what is on record of {name} under other ids")
            if abs(value - recorded_value) <= (_rounding(told) if len(prices) > 1 else 0):
                self.known.update(dict.fromkeys(lines))
            else:
                self._refuse(lines, f"{name} is on record at another price")
        elif len(prices) == len(recorded_prices) == 1 and prices != recorded_prices:
            self._refuse(lines, f"{name} is on record at another price")
        else:
            self.notes.append(
                f"line {lines[0]}: of {name} {_text(recorded_size)} are on record, {_text(size)} in this file"
            )
            self.known.update(dict.fromkeys(lines))

    def _refuse(self, lines: Iterable[int], reason: str) -> None:
        self.refused.update(dict.fromkeys(lines, f"contradicts what is on record: {reason}"))


def cash_of_trade(trade: Trade) -> Decimal:
    """What the book moved for a trade. [currency]"""
    return from_units(-trade.units * trade.price - (trade.fees or 0), MONEY_PLACES)


def _order_of(fill: Fill) -> _Order:
    venue, order, _ = fill.key.split("/")
    return fill.account_id, venue, order


def _recorded(book: Book, orders: Container[tuple[str, str]]) -> dict[tuple[str, str], list[Trade]]:
    """What the book was told of orders, by account and order."""
    found: dict[tuple[str, str], list[Trade]] = {}
    for (account, kind, key), step in book.told().steps.items():
        if kind == "fill" and isinstance(step, Trade):
            order = key.split("/")[1]
            if (account, order) in orders:
                found.setdefault((account, order), []).append(step)
    return found


def _of_venue(trades: Iterable[Trade], venue: str) -> dict[str, Trade]:
    """Those of a venue by their own ids, and those where one of both sides does not know it."""
    found: dict[str, Trade] = {}
    for trade in trades:
        its_venue, _, own_id = trade.key.split("/")
        if its_venue == venue:
            found[own_id] = trade
        elif not its_venue or not venue:
            found.setdefault(own_id, trade)
    return found


def _same(known: Trade, told: Trade) -> bool:
    """Whether both are the same trade, though more or less may have been known about it."""
    return (known.sheet, known.units, known.price) == (told.sheet, told.units, told.price)


def _kind(own_id: str) -> str:
    """What sort of name a fill has: the order's cumulative quantity, a count or digest of ours, or the broker's own."""
    if own_id.startswith(_CUMULATIVE):
        return "cumulative"
    if _COUNTED in own_id:
        return "counted"
    return "content" if _CONTENT.fullmatch(own_id) else "broker"


def _cumulative(own_id: str) -> int:
    return to_units(cumulative_of(own_id), QUANTITY_PLACES, "fill_id")


def _spans(told: Mapping[str, Trade], *, by_slices: bool) -> list[tuple[int, int]]:
    """What is recorded, from and to which cumulative quantity of the order; without slices from its beginning."""
    spans, other = [], 0
    for own_id, trade in told.items():
        if by_slices and own_id.startswith(_CUMULATIVE):
            end = _cumulative(own_id)
            spans.append((end - abs(trade.units), end))
        else:
            other += abs(trade.units)
    return [*spans, (0, other)] if other else spans


def _total(trades: Sequence[Trade]) -> tuple[int, int]:
    """Units without sign, and their value."""
    return sum(abs(one.units) for one in trades), sum(abs(one.units) * one.price for one in trades)


def _rounding(told: Iterable[Trade]) -> int:
    """How far an average price, rounded to the cent, may be off in all; on the grid of money."""
    return sum(abs(one.units) * one.multiplier * _HALF_CENT for one in told)


def _text(units: int) -> str:
    return decimal_text(from_units(units, QUANTITY_PLACES))
