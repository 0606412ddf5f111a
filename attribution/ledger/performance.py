"""Who made how much: summaries per strategy and symbol out of the book. Nothing here is stored, all of it follows.

Amounts are exact. A price that nobody gave makes what depends on it None, and a total of which a part is unknown is
unknown; ``average_cost_basis`` is the one number that is rounded, and nothing is computed from it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from attribution.ledger.book import Book
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.money import exact
from attribution.ledger.positions import OpenLot, Position, Selection, SheetSelection
from attribution.ledger.query import GroupTotal, TradeLedgerQuery
from attribution.ledger.view import instant_at, require_one_currency

__all__ = ["PerformanceSummary", "Prices", "TradePerformanceService"]

Prices = Mapping[str, Decimal | float | int | str]
"""Symbol → current price per unit; a float means the shortest decimal that is this float."""


class Ledger(Protocol):
    """What performance is told of: a service, or anything with a book and totals."""

    @property
    def book(self) -> Book:
        """Positions, lots and P&L."""
        ...

    def totals(self, by: Sequence[str], query: TradeLedgerQuery | None = None) -> list[GroupTotal]:
        """Exact totals of fills by group."""
        ...


@dataclass(frozen=True, slots=True)
class PerformanceSummary:
    """What one strategy made in one symbol (``""``: cash that belongs to none), or (``symbol`` None) in all of them.

    ``realized_pnl`` is after the fees of what was closed, ``income`` came without a trade, and
    ``unrealized_pnl`` is None where a price is missing. ``open_quantity`` is signed, and None in a sum over symbols.
    ``realized_trades`` counts lots, or parts of lots, that a trade closed; ``fees_unknown`` counts trades whose fees
    nobody told: they are in no sum.
    """

    strategy_name: str
    symbol: str | None
    calculation_timestamp: datetime
    realized_pnl: Decimal
    realized_trades: int
    income: Decimal
    open_quantity: Decimal | None
    open_lots_count: int
    average_cost_basis: Decimal | None
    current_price: Decimal | None
    unrealized_pnl: Decimal | None
    total_buy_quantity: Decimal | None
    total_sell_quantity: Decimal | None
    total_fees: Decimal
    fees_unknown: int

    @property
    def total_pnl(self) -> Decimal | None:
        """Realised, unrealised and income together; None where a part is unknown."""
        if self.unrealized_pnl is None:
            return None
        with exact():
            return self.realized_pnl + self.income + self.unrealized_pnl

    @property
    def net_quantity(self) -> Decimal | None:
        """Bought less sold; differs from what is open by what expired, was delivered, split or transferred."""
        if self.total_buy_quantity is None or self.total_sell_quantity is None:
            return None
        with exact():
            return self.total_buy_quantity - self.total_sell_quantity


class TradePerformanceService:
    """Reports on a ledger. Every call reads the ledger as it is now.

    Parameters
    ----------
    trade_ledger
        A :class:`~attribution.ledger.TradeLedgerService`.
    account_id
        One account; None: all of them.
    currency
        One currency; None: the only one there is. Amounts of different currencies have no sum.
    """

    def __init__(self, trade_ledger: Ledger, *, account_id: str | None = None, currency: str | None = None) -> None:
        self._ledger = trade_ledger
        self._account_id = account_id
        self._currency = currency

    def get_strategy_performance(
        self, strategy_name: str, current_prices: Prices | None = None
    ) -> list[PerformanceSummary]:
        """One summary per symbol of a strategy, then its total (``symbol`` None); nothing if it has no trade."""
        rows = self._summaries(current_prices, strategy=strategy_name)
        return [*rows, _total_of(strategy_name, rows)] if rows else []

    def get_symbol_performance(self, symbol: str, current_prices: Prices | None = None) -> list[PerformanceSummary]:
        """One summary per strategy that has traded a symbol."""
        return self._summaries(current_prices, symbol=symbol)

    def get_all_performance(self, current_prices: Prices | None = None) -> list[PerformanceSummary]:
        """Per strategy: one summary per symbol, then its total."""
        by_strategy: dict[str, list[PerformanceSummary]] = {}
        for row in self._summaries(current_prices):
            by_strategy.setdefault(row.strategy_name, []).append(row)
        return [row for name, rows in sorted(by_strategy.items()) for row in (*rows, _total_of(name, rows))]

    def get_attribution_report(self, symbol: str, current_prices: Prices | None = None) -> dict[str, Any]:
        """Whose the P&L in a symbol is: totals, one breakdown per strategy, and the open lots of each."""
        rows = self.get_symbol_performance(symbol, current_prices)
        with exact():
            unrealized = [row.unrealized_pnl for row in rows]
            known = None if any(value is None for value in unrealized) else sum(_some(unrealized), Decimal(0))
            realized = sum((row.realized_pnl for row in rows), Decimal(0))
            open_quantity = sum(_some(row.open_quantity for row in rows), Decimal(0))
        lots: dict[str, list[dict[str, Any]]] = {}
        for lot in self.get_open_positions(symbol=symbol):
            lots.setdefault(lot.strategy, []).append(_told_lot(lot))
        return {
            "symbol": symbol,
            "current_price": _prices(current_prices).get(symbol),
            "total_realized_pnl": realized,
            "total_unrealized_pnl": known,
            "total_open_quantity": open_quantity,
            "strategies": {row.strategy_name: _breakdown(row) for row in rows},
            "open_lots_by_strategy": lots,
        }

    def get_open_positions(self, strategy_name: str | None = None, symbol: str | None = None) -> list[OpenLot]:
        """The open lots, in the order in which they will be closed."""
        lots = self._ledger.book.lots(strategy_name, symbol, self._account_id)
        return [lot for lot in lots if self._currency in (None, lot.currency)]

    def get_realized_pnl(self, strategy_name: str | None = None, symbol: str | None = None) -> Decimal:
        """P&L of what was closed, after fees. [currency]"""
        return self._ledger.book.realised(**self._only(strategy_name, symbol))

    def get_unrealized_pnl(
        self, current_prices: Prices, strategy_name: str | None = None, symbol: str | None = None
    ) -> Decimal | None:
        """P&L of what is open at the given prices; None where one of them is missing. [currency]"""
        return self._ledger.book.unrealised(_prices(current_prices), **self._only(strategy_name, symbol))

    def _only(self, strategy: str | None, symbol: str | None) -> Selection:
        return {
            "strategy": strategy,
            "symbol": symbol,
            "account_id": self._account_id,
            "currency": self._currency,
        }

    def verify_attribution_consistency(self) -> dict[str, Any]:
        """Whether strategies add up to the account exactly, and what of the log could not be used.

        Returns
        -------
        dict
            ``verification_passed``, ``issues`` (sentences), ``total_entries`` (shares of fills), ``total_summaries``
            and ``symbols_analyzed``.
        """
        book = self._ledger.book
        issues = [
            f"entry {one.seq}: {one.kind} {one.key} moved nothing: {one.text}"
            for one in book.notices
            if self._account_id in (None, one.account_id)
        ]
        issues += _imbalances(book, self._account_id)
        held = book.positions(account_id=self._account_id, flat=True)
        totals = self._ledger.totals((), TradeLedgerQuery(account_id=self._account_id))
        return {
            "verification_passed": not issues,
            "issues": issues,
            "total_entries": sum(total.count for total in totals),
            "total_summaries": len(held),
            "symbols_analyzed": len({one.symbol for one in held}),
        }

    def _summaries(
        self, current_prices: Prices | None, strategy: str | None = None, symbol: str | None = None
    ) -> list[PerformanceSummary]:
        book, prices = self._ledger.book, _prices(current_prices)
        query = TradeLedgerQuery(strategy, symbol, account_id=self._account_id, currency=self._currency)
        lots = Counter((lot.strategy, lot.symbol) for lot in self.get_open_positions(strategy, symbol))
        closed = Counter(
            (one.strategy, one.symbol)
            for one in book.closed(strategy, symbol, self._account_id)
            if self._currency in (None, one.currency)
        )
        held = book.positions(strategy, symbol, self._account_id, flat=True)
        if self._currency is None:
            require_one_currency((one.currency for one in held), "give currency=")
        traded = {
            (total.group["strategy_name"], total.group["symbol"]): total
            for total in self._ledger.totals(("strategy_name", "symbol"), query)
        }
        now = instant_at(time.time_ns())
        grouped: dict[tuple[str, str], list[Position]] = {}
        for position in (one for one in held if self._currency in (None, one.currency)):
            grouped.setdefault((position.strategy, position.symbol), []).append(position)
        return [
            _summary(own, traded.get(place), (lots[place], closed[place]), prices.get(place[1]), now)
            for place, own in sorted(grouped.items())
        ]


def _summary(
    own: Sequence[Position],
    traded: GroupTotal | None,
    counts: tuple[int, int],
    price: Decimal | None,
    now: datetime,
) -> PerformanceSummary:
    """One strategy's line in one symbol; ``counts`` are open lots and closings. Lines of several accounts are one."""
    with exact():
        quantity = sum((one.quantity for one in own), Decimal(0))
        unrealized = [
            Decimal(0) if not one.exposure else None if price is None else one.unrealised(price) for one in own
        ]
        return PerformanceSummary(
            strategy_name=own[0].strategy,
            symbol=own[0].symbol,
            calculation_timestamp=now,
            realized_pnl=sum((one.realised for one in own), Decimal(0)),
            realized_trades=counts[1],
            income=sum((one.income for one in own), Decimal(0)),
            open_quantity=quantity,
            open_lots_count=counts[0],
            average_cost_basis=own[0].average_price if len(own) == 1 else None,
            current_price=price,
            unrealized_pnl=None if None in unrealized else sum(_some(unrealized), Decimal(0)),
            total_buy_quantity=Decimal(0) if traded is None else traded.buy_quantity,
            total_sell_quantity=Decimal(0) if traded is None else traded.sell_quantity,
            total_fees=sum((one.fees for one in own), Decimal(0)),
            fees_unknown=sum(one.unknown_fees for one in own),
        )


def _total_of(strategy: str, rows: Sequence[PerformanceSummary]) -> PerformanceSummary:
    """A strategy's total; quantities of different instruments have no sum."""
    with exact():
        unknown = any(row.unrealized_pnl is None for row in rows)
        return PerformanceSummary(
            strategy_name=strategy,
            symbol=None,
            calculation_timestamp=rows[0].calculation_timestamp,
            realized_pnl=sum((row.realized_pnl for row in rows), Decimal(0)),
            realized_trades=sum(row.realized_trades for row in rows),
            income=sum((row.income for row in rows), Decimal(0)),
            open_quantity=None,
            open_lots_count=sum(row.open_lots_count for row in rows),
            average_cost_basis=None,
            current_price=None,
            unrealized_pnl=None if unknown else sum(_some(row.unrealized_pnl for row in rows), Decimal(0)),
            total_buy_quantity=None,
            total_sell_quantity=None,
            total_fees=sum((row.total_fees for row in rows), Decimal(0)),
            fees_unknown=sum(row.fees_unknown for row in rows),
        )


def _imbalances(book: Book, account_id: str | None) -> list[str]:
    """Accounts in which Σ (realised + income − cost of what is open − its fees) is not cash − contributions."""
    issues = []
    for account, currency in sorted({(key.account_id, key.currency) for key in book.sheets}):
        if account_id not in (None, account):
            continue
        lines = [one for one in book.positions(account_id=account, flat=True) if one.currency == currency]
        only: SheetSelection = {"account_id": account, "currency": currency}
        with exact():
            told = sum((one.realised + one.income - one.cost - one.open_fees for one in lines), Decimal(0))
            kept = book.cash(**only) - book.contributed(**only)
        if told != kept:
            issues.append(f"account {account}: strategies say {told} {currency}, the cash says {kept}")
    return issues


def _breakdown(row: PerformanceSummary) -> dict[str, Any]:
    return {
        "realized_pnl": row.realized_pnl,
        "unrealized_pnl": row.unrealized_pnl,
        "income": row.income,
        "open_quantity": row.open_quantity,
        "average_cost_basis": row.average_cost_basis,
        "total_fees": row.total_fees,
        "fees_unknown": row.fees_unknown,
        "realized_trades": row.realized_trades,
    }


def _told_lot(lot: OpenLot) -> dict[str, Any]:
    return {
        "lot_id": lot.key,
        "quantity": lot.quantity,
        "cost": lot.cost,
        "fees": lot.fees,
        "opened_timestamp": instant_at(lot.ts).isoformat(),
    }


def _prices(prices: Prices | None) -> dict[str, Decimal]:
    """Exact prices; what is no price is an error that names the symbol."""
    read = {}
    for symbol, price in (prices or {}).items():
        try:
            value = price if isinstance(price, Decimal) else Decimal(str(price))
        except ArithmeticError:
            raise InvalidRecordError(f"current_prices[{symbol}]", price, "a number") from None
        if not value.is_finite() or value < 0:
            raise InvalidRecordError(f"current_prices[{symbol}]", price, "a finite number, not negative")
        read[symbol] = value
    return read


def _some(values: Iterable[Decimal | None]) -> Iterable[Decimal]:
    return (value for value in values if value is not None)
