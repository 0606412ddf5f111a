"""The words all adapters share: secrets, orders, trades, positions, health; and asking many questions at once.

An adapter answers the protocols of :mod:`attribution.market.source` from a vendor's REST interface. What goes wrong
outside is a :class:`~attribution.errors.BrokerError`; :mod:`brokers.rest` has the client that words it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal, TypeAlias, TypeVar

from attribution.errors import BrokerError
from attribution.instruments import Instrument
from attribution.market.quotes import Answer, FillOf, Missing, Price, PriceKind, Why

__all__ = [
    "BrokerOrder",
    "BrokerPosition",
    "BrokerTrade",
    "Direction",
    "Health",
    "LoginNeededError",
    "OrderStatus",
    "OutOfReachError",
    "Secret",
    "ask_all",
    "day_ranges",
    "executions_by_order",
    "fill_from_trades",
    "number",
    "positive",
    "same_contract",
    "secret_in",
]


class LoginNeededError(BrokerError):
    """There is no session, or the vendor no longer accepts it: log in again."""


class OutOfReachError(BrokerError):
    """The vendor could not be asked, or was too busy to answer anybody: the next question would fare no better."""


class Secret:
    """A text that must not be told: it prints as ``***``, and only :meth:`reveal` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str | Secret) -> None:
        self._text: str = text.reveal() if isinstance(text, Secret) else text.strip()

    def reveal(self) -> str:
        """Return the text itself, for the one line that sends it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"


def secret_in(environ: Mapping[str, str], name: str) -> Secret | None:
    """Return the secret that an environment variable holds; None where it is unset or empty."""
    return Secret(environ.get(name, "")) or None


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a broker could be asked now. ``missing`` names what the caller has yet to give or do."""

    vendor: str
    configured: bool
    reachable: bool = False
    session_valid: bool = False
    missing: tuple[str, ...] = ()
    detail: str = ""


Direction: TypeAlias = Literal["buy", "sell"]


class OrderStatus(StrEnum):
    """Where an order is in its life, whatever the vendor calls it."""

    PENDING = "pending"
    """Accepted by the broker, not yet at the exchange, or waiting for its trigger."""
    OPEN = "open"
    """At the exchange; it may be filled in part."""
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    UNDEFINED = "undefined"
    """The vendor's word for it is not known to us."""


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """One order as the broker shows it. Prices in currency per unit, quantities in units without sign.

    ``symbol`` is the vendor's own; ``instrument`` is None where it cannot be read. A price is None where there is
    none: of a market order, or before the first fill.
    """

    order_id: str
    symbol: str
    instrument: Instrument | None
    direction: Direction
    status: OrderStatus
    quantity: float
    filled: float
    limit_price: float | None
    average_price: float | None
    time: datetime | None
    reason: str = ""
    exchange_order_id: str = ""


@dataclass(frozen=True, slots=True)
class BrokerTrade:
    """One execution. ``price`` in currency per unit, ``quantity`` in units without sign."""

    trade_id: str
    order_id: str
    symbol: str
    instrument: Instrument | None
    direction: Direction
    quantity: float
    price: float
    time: datetime | None


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """What is held, as the broker counts it. ``quantity`` in units, + long and − short.

    ``average_price`` and ``last`` in currency per unit, the P&Ls in currency; None where the broker shows none. The
    broker's ``realized_pnl`` follows its own rule (mostly pooled averages), which is not ours.
    """

    symbol: str
    instrument: Instrument | None
    quantity: float
    average_price: float | None
    last: float | None
    realized_pnl: float | None
    unrealized_pnl: float | None


Question = TypeVar("Question", bound=Hashable)
Reply = TypeVar("Reply")


@dataclass(slots=True)
class _Breaker:
    """Stops asking somebody who is gone: after an ended session, or when out of reach many times in a row."""

    patience: int
    failures: int = 0
    last: BrokerError | None = None
    any_answer: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self) -> BrokerError | None:
        with self.lock:
            gone = self.failures >= self.patience or isinstance(self.last, LoginNeededError)
            return self.last if gone else None

    def note(self, failure: BrokerError | None) -> None:
        with self.lock:
            # Who refuses a question is there, and may answer the next.
            self.failures = self.failures + 1 if isinstance(failure, OutOfReachError) else 0
            self.any_answer |= failure is None
            # An ended session stays ended, even if an answer that was under way still comes in.
            self.last = self.last if isinstance(self.last, LoginNeededError) else failure or self.last


def ask_all(
    questions: Sequence[Question], ask: Callable[[Question], Reply], *, max_workers: int = 4, patience: int = 5
) -> list[Reply | Missing]:
    """Ask each distinct question once, several at a time; answers come in the order of the questions.

    A question that fails is a ``Missing`` that says so; the others keep their answers. After an ended session, or
    when the vendor was out of reach ``patience`` times in a row, the rest is not asked.

    Raises
    ------
    BrokerError
        Every one failed.
    """
    distinct = list(dict.fromkeys(questions))
    if not distinct:
        return []
    breaker = _Breaker(patience)

    def answer(question: Question) -> Reply | Missing:
        gone = breaker.open()
        if gone is not None:
            return Missing(f"not asked: {gone}", Why.FAILED)
        try:
            reply = ask(question)
        except BrokerError as exc:
            breaker.note(exc)
            return Missing(f"failed: {exc}", Why.FAILED)
        breaker.note(None)
        return reply

    with ThreadPoolExecutor(max_workers=min(max_workers, len(distinct))) as pool:
        found = dict(zip(distinct, pool.map(answer, distinct), strict=True))
    if not breaker.any_answer and breaker.last is not None:
        raise breaker.last
    return [found[question] for question in questions]


def day_ranges(days: Iterable[date], max_days: int) -> list[tuple[date, date]]:
    """Cover ``days`` by few ranges of at most ``max_days`` calendar days, both ends included."""
    ranges: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if ranges and day - ranges[-1][0] < timedelta(days=max_days):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges


def same_contract(one: Instrument | None, other: Instrument | None) -> bool:
    """Whether both are the same contract; a multiplier that a row overrides makes it no other contract."""
    if one is None or other is None or type(one) is not type(other):
        return False
    return replace(one, multiplier=other.multiplier) == other


def executions_by_order(
    trades: Iterable[BrokerTrade], orders: Iterable[BrokerOrder] = ()
) -> dict[str, list[BrokerTrade]]:
    """Every known execution by order id.

    Where the trades of an order do not add up to what the order says was filled, the order stands in for them with
    its average price: the two books of a vendor are not written at the same moment.
    """
    found: dict[str, list[BrokerTrade]] = {}
    for trade in trades:
        found.setdefault(trade.order_id, []).append(trade)
    for order in orders:
        told = found.setdefault(order.order_id, [])
        if order.filled > sum(trade.quantity for trade in told) and order.average_price is not None:
            found[order.order_id] = [_as_one_trade(order, order.average_price)]
    return found


def _as_one_trade(order: BrokerOrder, price: float) -> BrokerTrade:
    return BrokerTrade(
        trade_id="",
        order_id=order.order_id,
        symbol=order.symbol,
        instrument=order.instrument,
        direction=order.direction,
        quantity=order.filled,
        price=price,
        time=order.time,
    )


_FORKED = re.compile(r"F\d+$")


def fill_from_trades(ask: FillOf, trades: Mapping[str, Sequence[BrokerTrade]], source: str) -> Answer:
    """Return the quantity-weighted price of one leg over all slices that its order ids were filled in.

    Parameters
    ----------
    ask
        The order ids of a trade cover all its legs; those of other legs are left out. An id that ends in ``F`` and
        digits belongs to a row that was split from another, and stands for the order before the ``F``.
    trades
        Every execution the broker knows, by order id.

    Notes
    -----
    An order id that the broker does not know may be another slice of this leg: then part of the fill would be told
    for the whole, so the answer is ``Missing``.
    """
    ids = dict.fromkeys(_FORKED.sub("", key) for key in ask.keys)
    if not ids:
        return Missing("the trade carries no order ids for this side")
    unknown = [order_id for order_id in ids if order_id not in trades]
    if unknown:
        return Missing(f"no executions of order {', '.join(unknown)} in the trade book, which holds the current day")
    own = [t for order_id in ids for t in trades[order_id] if same_contract(t.instrument, ask.instrument)]
    filled = sum(trade.quantity for trade in own)
    if not filled > 0.0:
        return Missing(f"no execution of order {', '.join(ids)} is of this leg")
    if len({trade.direction for trade in own}) > 1:
        return Missing(f"orders {', '.join(ids)} both bought and sold this leg: they are not one side of a trade")
    times = [trade.time for trade in own if trade.time is not None]
    prices = {trade.price for trade in own}
    # One price needs no arithmetic, and so no rounding.
    average = prices.pop() if len(prices) == 1 else sum(trade.quantity * trade.price for trade in own) / filled
    return Price(average, source, PriceKind.FILL, max(times, default=None), filled)


def number(value: object) -> float | None:
    """Read a vendor's number, text or not, as a finite float; None where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if abs(read) < float("inf") else None


def positive(value: object) -> float | None:
    """Read a vendor's price, where 0.00 means "none" and nothing is negative."""
    read = number(value)
    return read if read is not None and read > 0.0 else None
