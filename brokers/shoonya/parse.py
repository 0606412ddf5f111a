"""Shoonya's payloads to values; pure. All numbers are texts, 0.00 means "none", what has no value is left out.

Times come in four writings, all of India: ``18-05-2021 12:05:21``, the same with the time first, ``28-OCT-2022``
and seconds since 1970 (``lut``; of a daily bar ``ssboe`` is midnight of *UTC*, so that its date text is read).
A time in 1980 means "none".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from attribution.errors import BrokerError
from attribution.instruments import Future, Index, Instrument, Option
from attribution.market.quotes import Bar, Book
from brokers.base import BrokerOrder, BrokerPosition, BrokerTrade, Direction, OrderStatus, number, positive
from brokers.scrips import Scrip
from brokers.shoonya.symbols import parse_date

__all__ = ["bars_of", "book_of", "closes_of", "error_of", "order_of", "position_of", "rows_of", "time_of", "trade_of"]

INDIA = ZoneInfo("Asia/Kolkata")
_NO_TIME_BEFORE = 1990
_FORMATS = ("%d-%m-%Y %H:%M:%S", "%H:%M:%S %d-%m-%Y")

Row = Mapping[str, Any]
Name = Callable[[str, str], Instrument | None]
"""Segment and trading symbol → instrument, None where it cannot be read."""

_STATUS = {
    "COMPLETE": OrderStatus.FILLED,
    "FILLED": OrderStatus.FILLED,
    "OPEN": OrderStatus.OPEN,
    "PENDING": OrderStatus.PENDING,
    "TRIGGERPENDING": OrderStatus.PENDING,
    "CANCELED": OrderStatus.CANCELLED,
    "CANCELLED": OrderStatus.CANCELLED,
    "REJECT": OrderStatus.REJECTED,
    "REJECTED": OrderStatus.REJECTED,
}
_DIRECTIONS: dict[str, Direction] = {"B": "buy", "S": "sell"}


def error_of(payload: object) -> str | None:
    """Return Shoonya's own words for an error; None for an answer.

    Where there are no words the fields are named, without what is in them: that of a login may be a token.
    """
    if not isinstance(payload, dict) or payload.get("stat") == "Ok":
        return None
    words = payload.get("emsg")
    if isinstance(words, str) and words.strip():
        return " ".join(words.split())
    return f"no words for it, but the fields {', '.join(map(str, payload)) or 'of an empty object'}"


def rows_of(route: str, payload: object) -> list[Row]:
    """Return the rows of a list; ``null``, which Shoonya sends around midnight and on holidays, has none."""
    if payload is None:
        return []
    if not isinstance(payload, list) or not all(isinstance(row, dict) for row in payload):
        raise BrokerError(f"Shoonya {route}: a list of rows was expected, not {str(payload)[:80]}; its format changed")
    return payload


def time_of(*texts: object) -> datetime | None:
    """Return the first of the times that is one, in India's zone."""
    for text in texts:
        for form in _FORMATS:
            try:
                read = datetime.strptime(str(text), form).replace(tzinfo=INDIA)
            except ValueError:
                continue
            if read.year >= _NO_TIME_BEFORE:
                return read
    return None


def book_of(payload: object, asked: Scrip) -> Book:
    """Read GetQuotes.

    A two-sided book is as old as the last update, anything else as the last trade.

    Raises
    ------
    BrokerError
        The answer is about another instrument than the one asked for.
    """
    if not isinstance(payload, dict):
        raise BrokerError(f"Shoonya GetQuotes: a quote was expected, not {str(payload)[:80]}; its format changed")
    _check_asked(payload, asked)
    bid, ask = positive(payload.get("bp1")), positive(payload.get("sp1"))
    traded = time_of(f"{payload.get('ltd')} {payload.get('ltt')}")
    updated = _epoch(payload.get("lut"))
    two_sided = bid is not None and ask is not None and bid <= ask
    return Book(bid, ask, positive(payload.get("lp")), updated if two_sided or traded is None else traded)


def _check_asked(payload: Row, asked: Scrip) -> None:
    """Tokens are given to new contracts when old ones expire: token, symbol and expiry must all be the ones asked."""
    token, segment, symbol = (payload.get(name) for name in ("token", "exch", "tsym"))
    same = (str(token), segment) == (asked.code, asked.segment)
    # An index goes by more than one name; its token is its own for good.
    if not isinstance(asked.instrument, Index):
        same = same and symbol in (None, asked.symbol)
    if isinstance(asked.instrument, Future | Option):
        same = same and parse_date(str(payload.get("exd", ""))) in (None, asked.instrument.expiry)
    if not same:
        got, want = f"{segment}|{token} {symbol}", f"{asked.segment}|{asked.code} {asked.symbol}"
        raise BrokerError(f"Shoonya GetQuotes: answered for {got} when asked for {want}; the price was not used")


def _epoch(value: object) -> datetime | None:
    seconds = positive(value)
    if seconds is None or seconds > 1e11:
        return None
    return datetime.fromtimestamp(seconds, UTC).astimezone(INDIA)


def bars_of(payload: object) -> list[Bar]:
    """Read TPSeries, newest first as it comes. A bar of zeros is a minute without a trade, and left out."""
    bars = []
    for row in rows_of("TPSeries", payload):
        start = time_of(row.get("time"))
        if start is None:
            raise BrokerError(f"Shoonya TPSeries: a bar without a time ({dict(row)}); its format changed")
        close = positive(row.get("intc"))
        if close is not None:
            bars.append(_bar(start, close, row))
    return bars


def _bar(start: datetime, close: float, row: Row) -> Bar:
    # A part that is zero beside a close is not told either; it cannot be outside what is.
    opened = positive(row.get("into")) or close
    high = positive(row.get("inth")) or max(opened, close)
    low = positive(row.get("intl")) or min(opened, close)
    return Bar(start, opened, high, low, close, number(row.get("intv")) or 0.0)


def closes_of(payload: object) -> dict[date, float]:
    """Read EODChartData: a list whose items are JSON again, as texts."""
    if payload is None:
        payload = []
    if not isinstance(payload, list):
        raise BrokerError(f"Shoonya EODChartData: a list was expected, not {str(payload)[:80]}; its format changed")
    closes: dict[date, float] = {}
    for item in payload:
        try:
            row = json.loads(item) if isinstance(item, str) else item
            day, close = parse_date(str(row["time"]).split()[0]), positive(row.get("intc"))
        except (ValueError, LookupError, AttributeError, TypeError) as exc:
            raise BrokerError(f"Shoonya EODChartData: {str(item)[:80]} is no daily bar; its format changed") from exc
        if day is not None and close is not None:
            closes[day] = close
    return closes


def order_of(row: Row, name: Name) -> BrokerOrder:
    """Read one row of OrderBook."""
    symbol, segment = _symbol("OrderBook", row)
    written = str(row.get("status", "")).upper().replace("_", "").replace(" ", "")
    return BrokerOrder(
        order_id=_text("OrderBook", row, "norenordno"),
        symbol=symbol,
        instrument=name(segment, symbol),
        direction=_direction("OrderBook", row),
        status=_STATUS.get(written, OrderStatus.UNDEFINED),
        quantity=_quantity("OrderBook", row, "qty"),
        filled=number(row.get("fillshares")) or 0.0,
        limit_price=positive(row.get("prc")),
        average_price=positive(row.get("avgprc")),
        time=time_of(row.get("exch_tm"), row.get("norentm")),
        reason=str(row.get("rejreason", "")),
        exchange_order_id=str(row.get("exchordid", "")),
    )


def trade_of(row: Row, name: Name) -> BrokerTrade:
    """Read one row of TradeBook; a row that cannot be read is an error, for a fill must not lose a slice."""
    symbol, segment = _symbol("TradeBook", row)
    price = positive(row.get("flprc"))
    if price is None:
        raise BrokerError(f"Shoonya TradeBook: no price in {_shown(row)}; its format changed")
    return BrokerTrade(
        trade_id=str(row.get("flid", "")),
        order_id=_text("TradeBook", row, "norenordno"),
        symbol=symbol,
        instrument=name(segment, symbol),
        direction=_direction("TradeBook", row),
        quantity=_quantity("TradeBook", row, "flqty"),
        price=price,
        time=time_of(row.get("fltm"), row.get("exch_tm"), row.get("norentm")),
    )


def position_of(row: Row, name: Name) -> BrokerPosition:
    """Read one row of PositionBook. ``rpnl`` is a pooled average, not first in, first out."""
    symbol, segment = _symbol("PositionBook", row)
    return BrokerPosition(
        symbol=symbol,
        instrument=name(segment, symbol),
        quantity=_quantity("PositionBook", row, "netqty"),
        average_price=positive(row.get("netavgprc")),
        last=positive(row.get("lp")),
        realized_pnl=number(row.get("rpnl")),
        unrealized_pnl=number(row.get("urmtom")),
    )


def _shown(row: Row) -> str:
    shown: Iterable[str] = (f"{key}={row[key]}" for key in ("norenordno", "exch", "tsym", "status") if key in row)
    return " ".join(shown) or "a row"


def _text(route: str, row: Row, field: str) -> str:
    text = str(row.get(field, "")).strip()
    if not text:
        raise BrokerError(f"Shoonya {route}: no {field} in {_shown(row)}; its format changed")
    return text


def _symbol(route: str, row: Row) -> tuple[str, str]:
    return _text(route, row, "tsym"), _text(route, row, "exch")


def _direction(route: str, row: Row) -> Direction:
    direction = _DIRECTIONS.get(str(row.get("trantype", "")).upper())
    if direction is None:
        raise BrokerError(f"Shoonya {route}: trantype is neither B nor S in {_shown(row)}; its format changed")
    return direction


def _quantity(route: str, row: Row, field: str) -> float:
    quantity = number(row.get(field))
    if quantity is None:
        raise BrokerError(f"Shoonya {route}: no {field} in {_shown(row)}; its format changed")
    return quantity
