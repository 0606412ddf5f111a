"""A frame of trades as columns: what every row holds, read once, and which rows are odd.

An odd row is one that columns cannot speak for: a cell that is wrong, a trade closed in part, order ids that tell when
each leg was closed. It goes the way of a single trade, and comes back to its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution.calendars import NAT
from attribution.fields import is_absent
from attribution.tables.factors import Factor, combine, distinct, factorise
from attribution.tables.facts import Facts, read_facts
from attribution.tables.frames import TradeFrame
from attribution.tables.instants import instants_of
from attribution.tables.numbers import numbers_of
from attribution.tables.texts import Texts
from attribution.trade import NUMBER_FIELDS, UNDERLYING_FIELDS

__all__ = ["Book", "read_book"]

_SIDES = {"BUY": 1.0, "LONG": 1.0, "SELL": -1.0, "SHORT": -1.0}


@dataclass(slots=True)
class Book:
    """Trades as columns, one element per row of the frame."""

    frame: TradeFrame
    facts: Facts
    key: NDArray[np.int64]
    entry_us: NDArray[np.int64]
    exit_us: NDArray[np.int64]
    numbers: Mapping[str, NDArray[np.float64]]
    """Number columns that the frame has."""
    symbols: Factor
    odd: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Number of rows."""
        return self.key.size

    def number(self, field: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return a number column at some rows; NaN where the frame has no such column."""
        column = self.numbers.get(field)
        return np.full(rows.size, np.nan) if column is None else column[rows]

    def labels(self) -> Texts:
        """What the rows call themselves: ``trade_id``, else ``int_order_id``; None where they say nothing."""
        texts = Texts(self.size)
        for field in ("trade_id", "int_order_id"):
            if field in self.frame:
                factor = factorise(self.frame.series(field))
                told = texts.codes_of(None if is_absent(value) else str(value) for value in factor.values)
                codes = np.append(told, -1)[factor.codes]
                texts.codes = np.where(texts.codes < 0, codes, texts.codes)
        return texts


def read_book(frame: TradeFrame, clock: str) -> Book:
    """Read a frame; what is wrong with a cell makes its row odd, what is wrong with a column is an error."""
    symbols = factorise(frame.series("symbol"))
    odd = np.zeros(frame.size, np.bool_)
    numbers = {}
    for field in frame.columns:
        if field in NUMBER_FIELDS or field.startswith("leg"):
            numbers[field], wrong = numbers_of(field, frame.series(field))
            if wrong is not None:
                odd |= wrong
    key, facts = _read_keys(frame, symbols, numbers.get("multiplier"), clock)
    odd |= facts.keys["odd"][key]
    entry_us, exit_us, wrong_time = _times(frame, facts.keys["calendar"][key], facts)
    odd |= wrong_time
    book = Book(frame, facts, key, entry_us, exit_us, numbers, symbols, odd)
    book.odd |= _is_odd_trade(book)
    return book


def _read_keys(
    frame: TradeFrame, symbols: Factor, multiplier: NDArray[np.float64] | None, clock: str
) -> tuple[NDArray[np.int64], Facts]:
    """Number the distinct (symbol, exchange, multiplier), and read each once."""
    exchange = factorise(frame.series("exchange")) if "exchange" in frame else Factor(np.empty(0, np.int64), [])
    parts = [(symbols.codes, len(symbols.values))]
    if exchange.values:
        parts.append((exchange.codes, len(exchange.values)))
    amounts: list[float] = []
    if multiplier is not None and not np.isnan(multiplier).all():
        codes, found = distinct(np.where(np.isnan(multiplier), 0.0, multiplier))
        amounts = found.tolist()
        parts.append((np.where(np.isnan(multiplier), -1, codes), len(amounts)))
    key, members = combine(parts)
    names = _chosen(symbols.values, members[0])
    exchanges = _chosen(exchange.values, members[1]) if exchange.values else [None] * len(names)
    factors = _chosen(amounts, members[-1]) if amounts else [None] * len(names)
    return key, read_facts(list(zip(names, exchanges, factors, strict=True)), clock)  # type: ignore[arg-type]


def _chosen(values: Sequence[object], codes: NDArray[np.int64]) -> list[object]:
    return [None if code < 0 else values[code] for code in codes.tolist()]


def _times(
    frame: TradeFrame, calendar: NDArray[np.int64], facts: Facts
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Entry, exit, and where one of them is for the row's own way to read."""
    nothing = np.full(frame.size, NAT), np.zeros(frame.size, np.bool_)
    if not facts.calendars:
        return nothing[0], nothing[0], np.ones(frame.size, np.bool_)
    entry_us, wrong = instants_of("entry_time", frame.series("entry_time"), calendar, facts.calendars)
    exit_us, wrong_exit = nothing
    if "exit_time" in frame:
        exit_us, wrong_exit = instants_of("exit_time", frame.series("exit_time"), calendar, facts.calendars)
    return entry_us, exit_us, wrong | wrong_exit | (entry_us == NAT)


def _is_odd_trade(book: Book) -> NDArray[np.bool_]:
    quantity = book.numbers["entry_quantity"]
    odd = ~(np.abs(quantity) > 0.0)
    odd |= book.entry_us >= book.facts.keys["too_late_us"][book.key]
    odd |= (book.exit_us != NAT) & (book.exit_us < book.entry_us)
    exit_quantity = book.numbers.get("exit_quantity")
    if exit_quantity is not None:
        closed = book.exit_us != NAT
        whole = np.isnan(exit_quantity) | np.where(closed, -exit_quantity == quantity, exit_quantity == 0.0)
        odd |= ~whole
    for field, shared in (("spot", "shares_underlying"), ("forward", "shares_delivery")):
        shares = book.facts.keys[shared]
        if not shares.all():
            columns = [
                book.numbers[name] for name in UNDERLYING_FIELDS if name.startswith(field) and name in book.numbers
            ]
            for column in columns:
                odd |= ~shares[book.key] & ~np.isnan(column)
    if "side" in book.frame:
        odd |= _contradicts(factorise(book.frame.series("side")), quantity)
    return odd | _names_orders(book)


def _contradicts(side: Factor, quantity: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows whose side and sign of quantity disagree: the row's own way refuses them."""
    signs = [_SIDES.get(str(value).strip().upper(), 0.0) if isinstance(value, str) else 0.0 for value in side.values]
    return np.array([*signs, 0.0])[side.codes] * np.sign(quantity) < 0.0


def _names_orders(book: Book) -> NDArray[np.bool_]:
    """Rows with order ids whose fills would be asked for: those of combos, and where the row has no price."""
    named = np.zeros(book.size, np.bool_)
    for field, price in (("entry_keys", "entry_price"), ("exit_keys", "exit_price")):
        if field not in book.frame:
            continue
        holds = _holds(book.frame.series(field))
        count = np.diff(book.facts.first_leg)[book.key] if book.size else np.empty(0, np.int64)
        known = book.numbers.get(price)
        lacks = np.ones(book.size, np.bool_) if known is None else np.isnan(known)
        named |= holds & ((count > 1) | lacks)
    return named


def _holds(series: Any) -> NDArray[np.bool_]:
    """Which cells name an order: texts that are not blank, lists that are not empty."""
    import narwhals.stable.v2 as nw

    if series.dtype == nw.String:
        factor = factorise(series)
        return np.array([*(bool(value.strip()) for value in factor.values), False])[factor.codes]
    return np.array([_is_id(cell) for cell in series.to_list()], np.bool_)


def _is_id(cell: object) -> bool:
    """Whether a cell that is no text names an order: a list of ids, or an id that a file held as a number."""
    return len(cell) > 0 if isinstance(cell, Sequence) else not is_absent(cell)
