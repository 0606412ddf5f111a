"""5paisa's payloads to values; pure. Documents and wire disagree about names: both are read, in any case of letters.

Times are ``/Date(1763612100000+0530)/`` (milliseconds since 1970, UTC; the offset is for the eye), ISO texts with a
zone, or ISO texts without one, which are India's. The smallest .NET date means "none".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from attribution.errors import BrokerError
from attribution.instruments import Instrument
from attribution.market.quotes import Bar, Book
from brokers.base import BrokerOrder, BrokerPosition, BrokerTrade, Direction, OrderStatus, number, positive
from brokers.scrips import Scrip

__all__ = [
    "bars_of",
    "body_of",
    "candles_of",
    "closes_of",
    "depth_of",
    "failure_of",
    "is_ended",
    "is_nothing",
    "lasts_of",
    "order_of",
    "position_of",
    "rows_of",
    "time_of",
    "trade_of",
    "with_broker_ids",
]

INDIA = ZoneInfo("Asia/Kolkata")
_DOTNET = re.compile(r"/Date\((-?[0-9]+)(?:[+-][0-9]{4})?\)/")
_NO_TIME_BEFORE = datetime(1990, 1, 1, tzinfo=UTC)
_NOTHING = re.compile(r"\bno (record|data|order|trade|position)", re.IGNORECASE)
_ENDED = re.compile(r"invalid session|session expired|token expired|invalid token", re.IGNORECASE)
_INVALID_SESSION = "9"

Row = Mapping[str, Any]
Name = Callable[[str, str, str], Instrument | None]
"""Segment, scrip code and scrip name → instrument, None where it cannot be read."""

_DIRECTIONS: dict[str, Direction] = {"B": "buy", "S": "sell"}
#: The first word that a status contains decides.
_STATUS = (
    ("fully executed", OrderStatus.FILLED),
    ("cancel", OrderStatus.CANCELLED),
    ("reject", OrderStatus.REJECTED),
    ("xmitted", OrderStatus.PENDING),
    ("trigger", OrderStatus.PENDING),
    ("pending", OrderStatus.OPEN),
    ("placed", OrderStatus.OPEN),
    ("modified", OrderStatus.OPEN),
    ("partial", OrderStatus.OPEN),
)


def _row(value: object) -> dict[str, Any]:
    """Return a JSON object with its names in lower case; empty if it is none."""
    return {str(name).lower(): told for name, told in value.items()} if isinstance(value, dict) else {}


def failure_of(payload: object) -> tuple[str, str] | None:
    """Return status and words of an envelope that tells a failure; None for an answer."""
    envelope = _row(payload)
    head, body = _row(envelope.get("head")), _row(envelope.get("body"))
    if "head" not in envelope:
        # Its fields are named, without what is in them: that of a login may be a token.
        return "", f"no envelope but {', '.join(envelope) or type(payload).__name__}"
    for part in (body, head):
        status = str(part.get("status", "0"))
        if status != "0":
            told = (body.get("message"), head.get("statusdescription"), head.get("status_description"))
            return status, next((words for words in told if isinstance(words, str) and words), f"status {status}")
    return None if body else ("", "an empty body")


def is_ended(status: str, words: str) -> bool:
    """Whether a failure means that the session is over."""
    return status == _INVALID_SESSION or bool(_ENDED.search(words))


def is_nothing(words: str) -> bool:
    """Whether a failure means that there is nothing to tell: an empty order book is told as a failure."""
    return bool(_NOTHING.search(words))


def body_of(payload: object) -> dict[str, Any]:
    """Return the body of an envelope, with its names in lower case."""
    return _row(_row(payload).get("body"))


def rows_of(route: str, body: Row, *names: str) -> list[dict[str, Any]]:
    """Return the rows of a body's list, whichever of its names it goes by; ``null`` has none."""
    for name in names:
        if name.lower() in body:
            rows = body[name.lower()]
            if rows is None:
                return []
            if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
                return [_row(row) for row in rows]
    raise BrokerError(f"5paisa {route}: no list {' or '.join(names)} in the answer; its format changed")


def time_of(*texts: object) -> datetime | None:
    """Return the first of the times that is one, in India's zone."""
    for text in texts:
        read = _time(str(text))
        if read is not None and read >= _NO_TIME_BEFORE:
            return read.astimezone(INDIA)
    return None


def _time(text: str) -> datetime | None:
    try:
        dotnet = _DOTNET.fullmatch(text)
        if dotnet:
            return datetime.fromtimestamp(int(dotnet[1]) / 1000.0, UTC)
        read = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return read.replace(tzinfo=INDIA) if read.tzinfo is None else read


def candles_of(payload: object) -> list[list[Any]] | str:
    """Return the candles of a history answer, or its words for a failure."""
    answer = _row(payload)
    if str(answer.get("status", "")).lower() != "success":
        failure = failure_of(payload) if "head" in answer else None
        return failure[1] if failure else str(answer.get("message") or str(payload)[:80])
    candles = _row(answer.get("data")).get("candles")
    if candles is None:
        return []
    if not isinstance(candles, list) or not all(isinstance(candle, list) and len(candle) >= 5 for candle in candles):
        raise BrokerError("5paisa historical: candles of another shape than [time, o, h, l, c, v]; its format changed")
    return candles


def bars_of(candles: Iterable[list[Any]]) -> list[Bar]:
    """Read 1-minute candles, in any order. One without a close is a minute without a trade, and left out."""
    bars = []
    for candle in candles:
        start, close = _candle(candle)
        if close is not None:
            opened, high, low = (positive(value) for value in candle[1:4])
            opened = opened or close
            volume = number(candle[5]) if len(candle) > 5 else None
            bars.append(Bar(start, opened, high or max(opened, close), low or min(opened, close), close, volume or 0.0))
    return bars


def closes_of(candles: Iterable[list[Any]]) -> dict[date, float]:
    """Read daily candles: their closes by date."""
    read = (_candle(candle) for candle in candles)
    return {start.date(): close for start, close in read if close is not None}


def _candle(candle: list[Any]) -> tuple[datetime, float | None]:
    start = time_of(candle[0])
    if start is None:
        raise BrokerError(f"5paisa historical: a candle without a time ({candle[0]!r}); its format changed")
    return start, positive(candle[4])


def lasts_of(body: Row, asked: Iterable[Scrip]) -> dict[Scrip, Book]:
    """Read MarketSnapshot: the last trade of each scrip asked for. What it tells of others is not used."""
    wanted = {(scrip.segment, scrip.code): scrip for scrip in asked}
    found: dict[Scrip, Book] = {}
    for row in rows_of("MarketSnapshot", body, "Data"):
        exchange, kind = (
            str(row.get("exchange") or row.get("exch")),
            str(row.get("exchangetype") or row.get("exchtype")),
        )
        scrip = wanted.get((exchange[:1] + kind, str(row.get("scripcode"))))
        if scrip is not None:
            time = time_of(row.get("lasttradetime"), row.get("tickdt"), row.get("timestamp"))
            found[scrip] = Book(None, None, positive(row.get("lasttradedprice")), time)
    return found


def depth_of(body: Row, asked: Scrip) -> Book:
    """Read MarketDepth: best bid and ask, from one flat list of both or from a list of each.

    Raises
    ------
    BrokerError
        The answer is about another scrip than the one asked for.
    """
    rows = rows_of("MarketDepth", body, "MarketDepthData")
    _check_asked(body, asked)
    sides: tuple[list[Row], list[Row]] = ([], [])
    time = time_of(body.get("timestamp"))
    for row in rows:
        if "bids" in row or "asks" in row:
            _check_asked(row, asked)
            time = time_of(row.get("timestamp")) or time
            sides[0].extend(map(_row, row.get("bids") or ()))
            sides[1].extend(map(_row, row.get("asks") or ()))
        else:
            flag = str(row.get("bbbuysellflag"))
            if flag in ("66", "83"):
                sides[flag == "83"].append(row)
    bids, asks = ([price for row in side if (price := positive(row.get("price")))] for side in sides)
    return Book(max(bids, default=None), min(asks, default=None), None, time)


def _check_asked(told: Row, asked: Scrip) -> None:
    """Raise where the answer names another scrip; what it leaves out, it leaves out."""
    code = told.get("scripcode")
    exchange, kind = told.get("exchange") or told.get("exch"), told.get("exchangetype") or told.get("exchtype")
    segment = f"{str(exchange)[:1]}{kind}" if exchange and kind else asked.segment
    if segment != asked.segment or code not in (None, asked.code, int(asked.code)):
        what = f"answered for {segment} {code} when asked for {asked.segment} {asked.code} {asked.symbol}"
        raise BrokerError(f"5paisa MarketDepth: {what}; the price was not used")


def order_of(row: Row, name: Name) -> BrokerOrder:
    """Read one row of OrderBook."""
    route, row = "OrderBook", _row(row)
    exchange_id = _code(row.get("exchorderid"))
    written = str(row.get("orderstatus") or row.get("status") or "").lower()
    return BrokerOrder(
        order_id=_code(row.get("brokerorderid")) or exchange_id or _lost(route, "BrokerOrderId"),
        symbol=_symbol(route, row),
        instrument=_instrument(row, name),
        direction=_direction(route, row),
        status=next((status for words, status in _STATUS if words in written), OrderStatus.UNDEFINED),
        quantity=_quantity(route, row, "qty", "orderqty"),
        filled=number(row.get("tradedqty")) or 0.0,
        limit_price=None if row.get("atmarket") == "Y" else positive(row.get("rate", row.get("orderrate"))),
        average_price=positive(row.get("averageprice")),
        time=time_of(row.get("exchordertime"), row.get("brokerordertime")),
        reason=str(row.get("reason") or "").strip(),
        exchange_order_id=exchange_id,
    )


def trade_of(row: Row, name: Name) -> BrokerTrade:
    """Read one row of TradeBook, which knows the exchange's order ids only.

    A row that cannot be read is an error, for a fill must not lose a slice.
    """
    route, row = "TradeBook", _row(row)
    price = positive(row.get("rate"))
    return BrokerTrade(
        trade_id=_code(row.get("exchangetradeid")),
        order_id=_code(row.get("exchorderid")) or _lost(route, "ExchOrderID"),
        symbol=_symbol(route, row),
        instrument=_instrument(row, name),
        direction=_direction(route, row),
        quantity=_quantity(route, row, "qty"),
        price=_lost(route, "Rate") if price is None else price,
        time=time_of(row.get("exchangetradetime")),
    )


def with_broker_ids(trades: Iterable[BrokerTrade], orders: Iterable[BrokerOrder]) -> list[BrokerTrade]:
    """Return trades under the broker's order ids, which are those that a row of trades carries."""
    ids = {order.exchange_order_id: order.order_id for order in orders if order.exchange_order_id}
    return [replace(trade, order_id=ids.get(trade.order_id, trade.order_id)) for trade in trades]


def position_of(row: Row, name: Name) -> BrokerPosition:
    """Read one row of NetPositionNetWise. The average is of the side that is open."""
    route, row = "NetPositionNetWise", _row(row)
    quantity = _quantity(route, row, "netqty")
    side = row.get("buyavgrate") if quantity > 0.0 else row.get("sellavgrate")
    return BrokerPosition(
        symbol=_symbol(route, row),
        instrument=_instrument(row, name),
        quantity=quantity,
        average_price=positive(row.get("avgrate", side)) if quantity else None,
        last=positive(row.get("ltp", row.get("lastrate"))),
        realized_pnl=number(row.get("bookedpl")),
        unrealized_pnl=number(row.get("mtom")),
    )


def _code(value: object) -> str:
    """Return an id as text; 0 is none."""
    text = "" if value is None else str(value).strip()
    return "" if text == "0" else text


def _lost(route: str, field: str) -> Any:
    raise BrokerError(f"5paisa {route}: no {field} in a row; its format changed")


def _symbol(route: str, row: Row) -> str:
    return str(row.get("scripname") or row.get("symbol") or "").strip() or str(_lost(route, "ScripName"))


def _instrument(row: Row, name: Name) -> Instrument | None:
    symbol = str(row.get("scripname") or row.get("symbol") or "").strip()
    return name(f"{row.get('exch')}{row.get('exchtype')}", str(row.get("scripcode")), symbol)


def _direction(route: str, row: Row) -> Direction:
    written = str(row.get("buysell", "")).strip().upper()[:1]
    return _DIRECTIONS[written] if written in _DIRECTIONS else _lost(route, "BuySell")


def _quantity(route: str, row: Row, *names: str) -> float:
    for name in names:
        quantity = number(row.get(name))
        if quantity is not None:
            return quantity
    return float(_lost(route, names[0]))
