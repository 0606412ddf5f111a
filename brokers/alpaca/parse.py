"""Alpaca's payloads to values: pure functions, no network.

Market data has numbers as numbers, the account has them as text. Times are RFC 3339 in UTC with up to nine digits
of a second. Greeks and implied vols come and go with the feed; nothing here needs them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from attribution.errors import SymbolError, TradeError
from attribution.instruments import Equity, Instrument, Option
from attribution.market.marks import mark_of
from attribution.market.quotes import Answer, Bar, Book, Missing
from attribution.symbols import format_occ, format_symbol, parse_occ, parse_symbol
from brokers.base import BrokerOrder, BrokerPosition, BrokerTrade, Direction, OrderStatus, number, positive

__all__ = [
    "Half",
    "Ticker",
    "closes_by_date",
    "fills_by_order",
    "instrument_of",
    "mark_of_snapshot",
    "order_fills",
    "parse_bars",
    "parse_fills",
    "parse_orders",
    "parse_positions",
    "parse_time",
    "snapshots_in",
    "ticker_of",
]

_NEW_YORK = ZoneInfo("America/New_York")
_ADJUSTED_NAME = re.compile(r"[A-Z]+[0-9]+")
_STATUSES = {
    "filled": OrderStatus.FILLED,
    "partially_filled": OrderStatus.OPEN,
    "new": OrderStatus.OPEN,
    "accepted_for_bidding": OrderStatus.OPEN,
    "pending_cancel": OrderStatus.OPEN,
    "pending_replace": OrderStatus.OPEN,
    "accepted": OrderStatus.PENDING,
    "pending_new": OrderStatus.PENDING,
    "held": OrderStatus.PENDING,
    "canceled": OrderStatus.CANCELLED,
    "expired": OrderStatus.CANCELLED,
    "replaced": OrderStatus.CANCELLED,
    "done_for_day": OrderStatus.CANCELLED,
    "rejected": OrderStatus.REJECTED,
}


class Half(StrEnum):
    """The two halves of the market data interface, by the words in their paths."""

    OPTIONS = "options"
    STOCKS = "stocks"


@dataclass(frozen=True, slots=True)
class Ticker:
    """What Alpaca calls an instrument, and where it is asked for."""

    half: Half
    symbol: str


def ticker_of(instrument: Instrument) -> Ticker | Missing:
    """Return how an instrument is asked for; ``Missing`` says why it cannot be."""
    if instrument.exchange != "US":
        return Missing(f"Alpaca serves US exchanges only, not {instrument.exchange}")
    if isinstance(instrument, Option):
        try:
            return Ticker(Half.OPTIONS, format_occ(instrument))
        except SymbolError as exc:
            return Missing(f"no OCC symbol: {exc}")
    if not isinstance(instrument, Equity):
        kind = type(instrument).__name__.lower()
        return Missing(f"Alpaca serves shares and options; {format_symbol(instrument)} is of kind {kind}")
    if _ADJUSTED_NAME.fullmatch(instrument.name):
        return Missing(f"{instrument.name} is the deliverable of adjusted contracts, not a listed share")
    return Ticker(Half.STOCKS, instrument.name)


def instrument_of(symbol: object, asset_class: object = None) -> Instrument | None:
    """Read one of the account's symbols; None for crypto and whatever else is no share or option."""
    if not isinstance(symbol, str) or asset_class not in (None, "", "us_equity", "us_option"):
        return None
    try:
        return parse_occ(symbol)
    except TradeError:
        pass
    try:
        return None if asset_class == "us_option" else parse_symbol(f"{symbol}_STK___", exchange="US")
    except TradeError:
        return None


def parse_time(value: object) -> datetime | None:
    """Read an instant; one without a zone is UTC, as everywhere in this interface. None where there is none."""
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def parse_bars(rows: object) -> list[Bar]:
    """Read the bars of one symbol, in the vendor's order. A row without time or close is none."""
    return [bar for row in _rows(rows) if (bar := _bar(row)) is not None]


def _bar(row: Mapping[str, Any]) -> Bar | None:
    start, close = parse_time(row.get("t")), positive(row.get("c"))
    if start is None or close is None:
        return None
    opened, high, low = (positive(row.get(key)) or close for key in ("o", "h", "l"))
    return Bar(start, opened, high, low, close, number(row.get("v")) or 0.0)


def closes_by_date(bars: Iterable[Bar]) -> dict[date, float]:
    """Closes of daily bars by session: they are stamped with midnight in New York."""
    return {bar.start.astimezone(_NEW_YORK).date(): bar.close for bar in bars}


def snapshots_in(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the snapshots by symbol: under a key of their own, or (of shares) the whole answer."""
    inner = payload.get("snapshots", payload)
    return inner if isinstance(inner, Mapping) else {}


def mark_of_snapshot(snapshot: object, now: datetime, source: str, max_age: timedelta) -> Answer:
    """Return the mark that a snapshot shows: of its quote, else of its last trade.

    The two have a time each, and the trade's may be months before the quote's; so each is judged by its own.
    """
    if not isinstance(snapshot, Mapping):
        return Missing("Alpaca knows no quote and no trade of it")
    quote, trade = (_mapping(snapshot.get(key)) for key in ("latestQuote", "latestTrade"))
    book = Book(positive(quote.get("bp")), positive(quote.get("ap")), None, parse_time(quote.get("t")))
    last = Book(None, None, positive(trade.get("p")), parse_time(trade.get("t")))
    by_quote = mark_of(book, now, source, max_age=max_age) if book.time else Missing("no quote")
    if not isinstance(by_quote, Missing):
        return by_quote
    by_trade = mark_of(last, now, source, max_age=max_age) if last.time else Missing("no trade")
    if not isinstance(by_trade, Missing):
        return by_trade
    return Missing(f"of the quote: {by_quote.reason}; of the last trade: {by_trade.reason}")


def parse_fills(payload: object) -> list[BrokerTrade]:
    """Read FILL activities. Of options the quantity is in contracts, which are the units that are held."""
    return [trade for row in _rows(payload) if (trade := _fill(row)) is not None]


def _fill(row: Mapping[str, Any]) -> BrokerTrade | None:
    price, quantity, order_id = number(row.get("price")), positive(row.get("qty")), row.get("order_id")
    if price is None or quantity is None or not isinstance(order_id, str):
        return None
    symbol = str(row.get("symbol", ""))
    return BrokerTrade(
        trade_id=str(row.get("id", "")),
        order_id=order_id,
        symbol=symbol,
        instrument=instrument_of(symbol),
        direction=_direction(row.get("side")),
        quantity=quantity,
        price=price,
        time=parse_time(row.get("transaction_time")),
    )


def fills_by_order(payload: object) -> dict[str, list[BrokerTrade]]:
    """Executions by order id, of the orders all of whose executions are among them.

    Each activity says how much of its order was filled by then (``cum_qty``): where that is more than the sum seen,
    others lie outside what was asked for, or could not be read, and an average over these would be wrong.
    """
    said: dict[str, float] = {}
    found: dict[str, list[BrokerTrade]] = {}
    for row in {row.get("id", index): row for index, row in enumerate(_rows(payload))}.values():
        trade, order_id = _fill(row), str(row.get("order_id"))
        so_far = (number(row.get("cum_qty")) or 0.0) if trade else math.inf
        said[order_id] = max(said.get(order_id, 0.0), so_far)
        if trade:
            found.setdefault(order_id, []).append(trade)
    # Fractions of shares have nine decimals: sums of them may be off by rounding.
    return {
        order_id: trades
        for order_id, trades in found.items()
        if said[order_id] <= sum(trade.quantity for trade in trades) * (1.0 + 1e-9)
    }


def order_fills(order: object, order_id: str) -> list[BrokerTrade]:
    """Read an order as one execution per leg at its average price; all under the id that was asked for.

    The legs of a multi-leg order are orders of their own, while a trade carries the id of the whole. What an order with
    a symbol of its own has as legs (a bracket's) are the orders that end it, which are no part of its fill.
    """
    outer = _mapping(order)
    several = outer.get("order_class") == "mleg" or not outer.get("symbol")
    return [
        BrokerTrade("", order_id, one.symbol, one.instrument, one.direction, one.filled, one.average_price, one.time)
        for one in parse_orders([order if several else {**outer, "legs": None}])
        if one.filled > 0.0 and one.average_price is not None
    ]


def parse_orders(payload: object) -> list[BrokerOrder]:
    """Read orders; a multi-leg order is followed by its legs."""
    return [_order(row) for outer in _rows(payload) for row in (outer, *_rows(outer.get("legs")))]


def _order(row: Mapping[str, Any]) -> BrokerOrder:
    symbol = str(row.get("symbol") or "")
    return BrokerOrder(
        order_id=str(row.get("id", "")),
        symbol=symbol,
        instrument=instrument_of(symbol, row.get("asset_class")),
        direction=_direction(row.get("side")),
        status=_STATUSES.get(str(row.get("status")), OrderStatus.UNDEFINED),
        quantity=number(row.get("qty")) or 0.0,
        filled=number(row.get("filled_qty")) or 0.0,
        limit_price=number(row.get("limit_price")),
        average_price=number(row.get("filled_avg_price")),
        time=parse_time(row.get("filled_at") or row.get("submitted_at")),
    )


def parse_positions(payload: object) -> list[BrokerPosition]:
    """Read what is held. Short positions are negative, whether or not the vendor's number has the sign."""
    return [_position(row) for row in _rows(payload)]


def _position(row: Mapping[str, Any]) -> BrokerPosition:
    symbol, quantity = str(row.get("symbol", "")), number(row.get("qty"))
    if quantity is None:
        raise ValueError(f"a position of {symbol or 'no symbol'} has no quantity")
    return BrokerPosition(
        symbol=symbol,
        instrument=instrument_of(symbol, row.get("asset_class")),
        quantity=-abs(quantity) if row.get("side") == "short" else quantity,
        average_price=number(row.get("avg_entry_price")),
        last=positive(row.get("current_price")),
        realized_pnl=None,
        unrealized_pnl=number(row.get("unrealized_pl")),
    )


def _direction(side: object) -> Direction:
    return "sell" if str(side).startswith("sell") else "buy"


def _rows(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield from (row for row in value if isinstance(row, Mapping))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
