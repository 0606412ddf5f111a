"""OpenAlgo's payloads to values: pure functions, no network.

The server puts one shape over many brokers, and leaves gaps where a broker has none: a price of 0 is "not shown",
quotes have no time, quantities in the trade book may be 0. Instants are epoch seconds (milliseconds in the market's
hours); the books have text in Indian time, often without a date.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from attribution.calendars import get_calendar
from attribution.errors import TradeError
from attribution.instruments import Instrument
from attribution.market.quotes import Bar, Book
from attribution.symbols.months import date_or_none, month_number
from brokers.base import BrokerOrder, BrokerPosition, BrokerTrade, Direction, OrderStatus, number, positive
from brokers.openalgo.symbols import read_openalgo

__all__ = [
    "INDIA",
    "check_clock",
    "closed_dates",
    "closes_by_date",
    "instrument_of",
    "parse_book",
    "parse_candles",
    "parse_orders",
    "parse_positions",
    "parse_time",
    "parse_trades",
    "quotes_by_name",
    "trading_hours",
]

INDIA = ZoneInfo("Asia/Kolkata")

_STATUSES = {
    "complete": OrderStatus.FILLED,
    "open": OrderStatus.OPEN,
    "pending": OrderStatus.PENDING,
    "trigger pending": OrderStatus.PENDING,
    "rejected": OrderStatus.REJECTED,
    "cancelled": OrderStatus.CANCELLED,
}
_DATED = re.compile(r"([0-9]{1,2})-([A-Za-z]{3}|[0-9]{1,2})-([0-9]{4})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2})")
# Auctions before the open and after the close, and no more than that, lie outside a session.
_AUCTIONS = timedelta(hours=1)
# Two clocks are never quite the same, and at the turn of a minute its bar may be there before it has begun here.
_SKEW = timedelta(seconds=10)


def parse_candles(rows: object) -> list[Bar]:
    """Read candles, in the server's order. A row without a close is none.

    Raises
    ------
    ValueError
        The rows are no list of candles, or one has no time.
    """
    bars = []
    for row in _rows(rows):
        stamp = number(row.get("timestamp"))
        # A moment in milliseconds would be in the year 50,000: no guess is made about units.
        if stamp is None or not 0.0 < stamp < 1e11:
            raise ValueError(f"a candle without a time in epoch seconds: {row!r}")
        close = positive(row.get("close"))
        if close is not None:
            opened, high, low = (positive(row.get(key)) or close for key in ("open", "high", "low"))
            start, volume = datetime.fromtimestamp(stamp, INDIA), number(row.get("volume")) or 0.0
            bars.append(Bar(start, opened, high, low, close, volume))
    return bars


def check_clock(bars: Iterable[Bar], exchange: str, now: datetime) -> None:
    """Refuse 1-minute bars that cannot be where their times put them.

    A server in another zone than India's has been seen to shift bars by five and a half hours: most of such a day
    lies outside the session, but some would be taken for another hour's prices.

    Raises
    ------
    ValueError
        A bar begins in the future, by more than two clocks may differ, or more than an hour outside its session.
    """
    calendar = get_calendar(exchange)
    for bar in bars:
        if bar.start > now + _SKEW:
            raise ValueError(f"a bar of {bar.start:%Y-%m-%d %H:%M} is in the future: the server's clock or zone is off")
        session = calendar.session_on(bar.start.date())
        if session is not None and not session.open - _AUCTIONS <= bar.start < session.close + _AUCTIONS:
            raise ValueError(f"a bar of {bar.start:%Y-%m-%d %H:%M} is outside the session: the server's zone is off")


def closes_by_date(bars: Iterable[Bar]) -> dict[date, float]:
    """Closes of daily bars by date; brokers stamp them with midnight in India or in UTC, or with the open.

    Raises
    ------
    ValueError
        A stamp late in the day: that is a midnight moved to the day before by a zone, and the date is not sure.
    """
    closes = {}
    for bar in bars:
        if bar.start.time() >= time(16):
            raise ValueError(f"a daily bar is stamped {bar.start:%Y-%m-%d %H:%M}: the server's zone is off")
        closes[bar.start.date()] = bar.close
    return closes


def quotes_by_name(rows: object) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the results of a question for many quotes by (symbol, exchange), as the server itself names them."""
    return {(str(row.get("symbol")), str(row.get("exchange"))): row for row in _rows(rows)}


def parse_book(data: object) -> Book:
    """Read what is shown of an instrument. Quotes have no time here, so neither has the book."""
    shown = data if isinstance(data, Mapping) else {}
    return Book(positive(shown.get("bid")), positive(shown.get("ask")), positive(shown.get("ltp")), None)


def parse_time(value: object, today: date) -> datetime | None:
    """Read a time of the books; without a date it is of ``today``. None where there is none, or in another shape."""
    text = str(value or "").strip()
    match = _DATED.fullmatch(text)
    if match is not None:
        month = month_number(match[2].upper()) or (int(match[2]) if match[2].isdigit() else None)
        day = date_or_none(int(match[3]), month, int(match[1]))
        text = f"{day}T{match[4]}"
    elif re.fullmatch(r"[0-9]{2}:[0-9]{2}:[0-9]{2}", text):
        text = f"{today}T{text}"
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant.replace(tzinfo=INDIA) if instant.tzinfo is None else instant.astimezone(INDIA)


def instrument_of(symbol: object, exchange: object) -> Instrument | None:
    """Read a name of the books; None for what we have no instruments for (commodities, currencies)."""
    try:
        return read_openalgo(str(symbol), str(exchange))
    except TradeError:
        return None


def parse_trades(payload: object, today: date) -> list[BrokerTrade]:
    """Read executions. A price or quantity of 0 was not told by the broker: it is NaN, not 0, and never left out."""
    return [
        BrokerTrade(
            trade_id="",
            order_id=str(row.get("orderid", "")),
            symbol=str(row.get("symbol", "")),
            instrument=instrument_of(row.get("symbol"), row.get("exchange")),
            direction=_direction(row.get("action")),
            quantity=positive(row.get("quantity")) or math.nan,
            price=positive(row.get("average_price")) or math.nan,
            time=parse_time(row.get("timestamp"), today),
        )
        for row in _rows(payload)
    ]


def parse_orders(payload: object, today: date) -> list[BrokerOrder]:
    """Read orders. How much of an order was filled is not told: NaN, unless its status says all or nothing."""
    rows = payload.get("orders") if isinstance(payload, Mapping) else payload
    return [_order(row, today) for row in _rows(rows)]


def _order(row: Mapping[str, Any], today: date) -> BrokerOrder:
    status = _STATUSES.get(str(row.get("order_status", "")).strip().lower(), OrderStatus.UNDEFINED)
    quantity = number(row.get("quantity")) or 0.0
    filled = {OrderStatus.FILLED: quantity, OrderStatus.REJECTED: 0.0, OrderStatus.PENDING: 0.0}.get(status, math.nan)
    return BrokerOrder(
        order_id=str(row.get("orderid", "")),
        symbol=str(row.get("symbol", "")),
        instrument=instrument_of(row.get("symbol"), row.get("exchange")),
        direction=_direction(row.get("action")),
        status=status,
        quantity=quantity,
        filled=filled,
        limit_price=positive(row.get("price")),
        average_price=positive(row.get("average_price")),
        time=parse_time(row.get("timestamp"), today),
    )


def parse_positions(payload: object) -> list[BrokerPosition]:
    """Read what is held, closed positions of the day included: those have a quantity of 0.

    Raises
    ------
    ValueError
        A position has no quantity.
    """
    return [_position(row) for row in _rows(payload)]


def _position(row: Mapping[str, Any]) -> BrokerPosition:
    quantity, pnl = number(row.get("quantity")), number(row.get("pnl"))
    if quantity is None:
        raise ValueError(f"the position of {row.get('symbol')} has no quantity")
    return BrokerPosition(
        symbol=str(row.get("symbol", "")),
        instrument=instrument_of(row.get("symbol"), row.get("exchange")),
        quantity=quantity,
        average_price=positive(row.get("average_price")),
        last=positive(row.get("ltp")),
        # The server has one figure for both: of a closed position it is what was realised.
        realized_pnl=pnl if quantity == 0.0 else None,
        unrealized_pnl=None if quantity == 0.0 else pnl,
    )


def trading_hours(payload: object) -> dict[str, tuple[datetime, datetime]]:
    """Return open and close by exchange code, from a day's timings in epoch milliseconds."""
    found = {}
    for row in _rows(payload):
        start, end = number(row.get("start_time")), number(row.get("end_time"))
        if start is not None and end is not None:
            found[str(row.get("exchange"))] = (_from_milliseconds(start), _from_milliseconds(end))
    return found


def closed_dates(payload: object) -> dict[date, frozenset[str]]:
    """Return the exchange codes that are closed all day, by date; settlement holidays close none."""
    found = {}
    for row in _rows(payload):
        closed = frozenset(str(code) for code in row.get("closed_exchanges") or ())
        if closed:
            found[date.fromisoformat(str(row.get("date")))] = closed
    return found


def _from_milliseconds(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp / 1000.0, UTC).astimezone(INDIA)


def _direction(action: object) -> Direction:
    return "sell" if str(action).strip().upper() == "SELL" else "buy"


def _rows(value: object) -> list[Mapping[str, Any]]:
    """Return a list of objects; ValueError for anything else, which is not the same as an empty list."""
    if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
        raise ValueError(f"a {type(value).__name__} where a list of objects belongs")
    return value
