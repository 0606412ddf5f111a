"""Reading the book: positions, lots, matches and sums, as decimals and by strategy, symbol and account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TypedDict, Unpack

from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.lots import Line, Match
from attribution.ledger.money import (
    MONEY_PLACES,
    MULTIPLIER_PLACES,
    PRICE_PLACES,
    QUANTITY_PLACES,
    from_units,
    to_units,
)
from attribution.ledger.sheet import Sheet, SheetKey

__all__ = ["Closed", "Holdings", "Marks", "OpenLot", "Position", "Selection", "SheetSelection"]

Marks = Mapping[str, Decimal]
"""Symbol → its price per unit and point of multiplier."""


class SheetSelection(TypedDict, total=False):
    """Which sheets; what is left out means all."""

    symbol: str | None
    account_id: str | None
    currency: str | None


class Selection(SheetSelection, total=False):
    """Which sheets, and which strategy's lines in them."""

    strategy: str | None


_MARK_PLACES = PRICE_PLACES - MULTIPLIER_PLACES
_VIEW = Context(prec=34, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Position:
    """What one strategy holds and has earned in one symbol.

    ``quantity`` is signed; ``cost`` is what the open lots cost in all (negative where a short brought money in), before
    ``open_fees``; ``realised`` is net of the fees of what was closed; ``income`` came without a trade; ``fees`` is
    everything paid. ``unknown_fees`` counts trades whose fees are not known and therefore in no sum.
    """

    account_id: str
    symbol: str
    currency: str
    strategy: str
    quantity: Decimal
    exposure: Decimal
    cost: Decimal
    open_fees: Decimal
    realised: Decimal
    income: Decimal
    fees: Decimal
    unknown_fees: int

    @property
    def average_price(self) -> Decimal | None:
        """Cost per unit and point of multiplier, rounded to 12 decimals: a view, no basis of sums; None if flat."""
        if not self.exposure:
            return None
        return _VIEW.divide(self.cost, self.exposure).quantize(Decimal("1e-12"), context=_VIEW).normalize(_VIEW)

    def unrealised(self, mark: Decimal) -> Decimal:
        """What the open lots would earn at ``mark``, after the fees paid to open them. [currency]"""
        value = to_units(self.exposure, PRICE_PLACES, "exposure") * to_units(mark, _MARK_PLACES, "mark")
        paid = to_units(self.cost, MONEY_PLACES, "cost") + to_units(self.open_fees, MONEY_PLACES, "fees")
        return from_units(value - paid, MONEY_PLACES)


@dataclass(frozen=True, slots=True)
class OpenLot:
    """Units that were opened together and are still open: signed ``quantity``, their ``cost`` and ``fees`` in all."""

    account_id: str
    symbol: str
    currency: str
    strategy: str
    key: str
    ts: int
    quantity: Decimal
    multiplier: Decimal
    cost: Decimal
    fees: Decimal


@dataclass(frozen=True, slots=True)
class Closed:
    """Units of a lot that one trade closed; ``quantity`` is signed as the lot was, ``gain`` is after fees."""

    account_id: str
    symbol: str
    currency: str
    strategy: str
    opened_key: str
    opened_ts: int
    closed_key: str
    closed_ts: int
    quantity: Decimal
    cost: Decimal
    proceeds: Decimal
    fees: Decimal
    gain: Decimal


class Holdings:
    """The sheets, and every way to read them. Selections left out mean *all*."""

    def __init__(self) -> None:
        self.sheets: dict[SheetKey, Sheet] = {}

    def settle(self) -> None:
        """Bring the sheets up to date before they are read; nothing to do where nothing waits."""

    def _sheets(
        self, symbol: str | None = None, account_id: str | None = None, currency: str | None = None
    ) -> Iterator[Sheet]:
        self.settle()
        wanted = (account_id, symbol, currency)
        for key in sorted(self.sheets):
            if all(want is None or want == has for want, has in zip(wanted, key, strict=True)):
                yield self.sheets[key]

    def _selected(
        self,
        strategy: str | None = None,
        symbol: str | None = None,
        account_id: str | None = None,
        currency: str | None = None,
    ) -> Iterator[tuple[Sheet, Line]]:
        for sheet in self._sheets(symbol, account_id, currency):
            for name in sorted(sheet.lines):
                if strategy is None or strategy == name:
                    yield sheet, sheet.lines[name]

    def positions(
        self,
        strategy: str | None = None,
        symbol: str | None = None,
        account_id: str | None = None,
        *,
        flat: bool = False,
    ) -> list[Position]:
        """What is held, by account, symbol, currency and strategy; with ``flat`` also what no longer is."""
        chosen = self._selected(strategy, symbol, account_id)
        return [_position(sheet.key, line) for sheet, line in chosen if line.units or flat]

    def lots(
        self, strategy: str | None = None, symbol: str | None = None, account_id: str | None = None
    ) -> list[OpenLot]:
        """The open lots, within a strategy's symbol in the order in which they will be closed."""
        return list(_open_lots(self._selected(strategy, symbol, account_id)))

    def closed(
        self, strategy: str | None = None, symbol: str | None = None, account_id: str | None = None
    ) -> list[Closed]:
        """Which trade closed which lot, in the order of closing; needs ``keep_matches=True``."""
        rows = []
        for sheet in self._sheets(symbol, account_id):
            if sheet.matches is None:
                raise ValueError("this book keeps no matches: make it with keep_matches=True")
            rows += [_closed(sheet.key, match) for match in sheet.matches if strategy in (None, match.strategy)]
        return rows

    # --- sums ---

    def realised(self, **only: Unpack[Selection]) -> Decimal:
        """P&L of what was closed, after fees, without income. [currency]"""
        return self._sum(lambda line: line.realised, only)

    def income(self, **only: Unpack[Selection]) -> Decimal:
        """Cash that came without a trade and is P&L: dividends, interest, adjustments. [currency]"""
        return self._sum(lambda line: line.income, only)

    def fees(self, **only: Unpack[Selection]) -> Decimal:
        """Every fee that is known. :meth:`unknown_fees` counts the trades whose fees are not. [currency]"""
        return self._sum(lambda line: line.fees, only)

    def unknown_fees(self, **only: Unpack[Selection]) -> int:
        """How many parts of trades have fees that nobody has told."""
        return sum(line.unknown_fees for _, line in self._selected(**only))

    def unrealised(self, marks: Marks, **only: Unpack[Selection]) -> Decimal | None:
        """P&L of what is open, at ``marks``, after the fees of opening; None where a mark is missing. [currency]"""
        return self._marked(marks, lambda line, mark: line.exposure * mark + line.open_cash - line.open_fees, only)

    def market_value(self, marks: Marks, **only: Unpack[Selection]) -> Decimal | None:
        """What is held, at ``marks``; None where a mark is missing. [currency]"""
        return self._marked(marks, lambda line, mark: line.exposure * mark, only)

    def cash(self, **only: Unpack[SheetSelection]) -> Decimal:
        """What flowed: purchases (−), sales, fees, income and contributions. Strategies have no cash of their own."""
        return self._sheet_sum(lambda sheet: sheet.cash, only)

    def contributed(self, **only: Unpack[SheetSelection]) -> Decimal:
        """Cash and units, at their transfer prices, that came from outside (+) or went there: no P&L. [currency]"""
        return self._sheet_sum(lambda sheet: sheet.contributed, only)

    def missing_marks(self, marks: Marks) -> list[str]:
        """Symbols that are open in some strategy and have no mark."""
        open_symbols = {sheet.key.symbol for sheet, line in self._selected() if line.units}
        return sorted(open_symbols - marks.keys())

    def _marked(self, marks: Marks, value: Callable[[Line, int], int], only: Selection) -> Decimal | None:
        self._require_one_currency(only)
        total = 0
        for sheet, line in self._selected(**only):
            if line.units:
                mark = marks.get(sheet.key.symbol)
                if mark is None:
                    return None
                total += value(line, to_units(mark, _MARK_PLACES, f"marks[{sheet.key.symbol}]"))
        return from_units(total, MONEY_PLACES)

    def _sum(self, amount: Callable[[Line], int], only: Selection) -> Decimal:
        self._require_one_currency(only)
        return from_units(sum(amount(line) for _, line in self._selected(**only)), MONEY_PLACES)

    def _sheet_sum(self, amount: Callable[[Sheet], int], only: SheetSelection) -> Decimal:
        self._require_one_currency(only)
        return from_units(sum(amount(sheet) for sheet in self._sheets(**only)), MONEY_PLACES)

    @property
    def currencies(self) -> list[str]:
        """The currencies of all sheets."""
        return sorted({sheet.key.currency for sheet in self._sheets()})

    def _require_one_currency(self, only: Selection | SheetSelection) -> None:
        if only.get("currency") is None and len(self.currencies) > 1:
            allowed = "one of " + ", ".join(self.currencies) + "; amounts of different currencies have no sum"
            raise InvalidRecordError("currency", None, allowed)


def _position(key: SheetKey, line: Line) -> Position:
    return Position(
        *key,
        line.strategy,
        from_units(line.units, QUANTITY_PLACES),
        from_units(line.exposure, PRICE_PLACES),
        from_units(-line.open_cash, MONEY_PLACES),
        from_units(line.open_fees, MONEY_PLACES),
        from_units(line.realised, MONEY_PLACES),
        from_units(line.income, MONEY_PLACES),
        from_units(line.fees, MONEY_PLACES),
        line.unknown_fees,
    )


def _open_lots(chosen: Iterator[tuple[Sheet, Line]]) -> Iterator[OpenLot]:
    for sheet, line in chosen:
        sign = 1 if line.units > 0 else -1
        for lot in line.lots:
            yield OpenLot(
                *sheet.key,
                line.strategy,
                lot.key,
                lot.ts,
                from_units(sign * lot.open, QUANTITY_PLACES),
                from_units(lot.multiplier, MULTIPLIER_PLACES),
                from_units(-lot.cash, MONEY_PLACES),
                from_units(lot.fees, MONEY_PLACES),
            )


def _closed(key: SheetKey, match: Match) -> Closed:
    return Closed(
        *key,
        match.strategy,
        match.opened_key,
        match.opened_ts,
        match.closed_key,
        match.closed_ts,
        from_units(match.units, QUANTITY_PLACES),
        from_units(-match.opening_cash, MONEY_PLACES),
        from_units(match.closing_cash, MONEY_PLACES),
        from_units(match.fees, MONEY_PLACES),
        from_units(match.gain, MONEY_PLACES),
    )
