"""What a frame of results is made of: columns filled chunk by chunk, and by the results of single rows."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution.calendars import NAT, to_epoch_us
from attribution.calendars.instants import day_number
from attribution.kernels.results import LegDetail
from attribution.kernels.windows import End
from attribution.result import EFFECTS
from attribution.status import Flag
from attribution.tables.book import Book
from attribution.tables.engine import Chunk, Looks
from attribution.tables.texts import Texts
from attribution.tables.totals import STATUSES
from attribution.window import EndKind

__all__ = ["AMOUNTS", "NO_DAY", "TAIL", "Column", "Rows", "TradeRows", "flag_names", "trade_columns"]

Column = NDArray[Any] | Texts
END_KINDS = {End.FILL: EndKind.FILL, End.CLOSE: EndKind.CLOSE, End.MARK: EndKind.MARK, End.PAYOFF: EndKind.PAYOFF}
KIND_NAMES = [str(END_KINDS[end]) for end in End]
STATUS_NAMES = [str(status) for status in STATUSES]
AMOUNTS = (*EFFECTS, "residual", "pnl", "combo_gap", "fees", "net_pnl")
"""The columns of amounts of a trade. [position currency]"""

TAIL = ("status", "flags", "reason", "start", "end", "start_price", "end_price", "session")
"""The columns that stand after the numbers."""

NO_DAY = np.iinfo(np.int64).min
"""No session, where a column holds days."""

_FLAGS = tuple(Flag)


def flag_names(bits: int) -> str:
    """Return flags as one text, in the order in which they are listed, with blanks between."""
    return " ".join(str(flag) for rank, flag in enumerate(_FLAGS) if bits >> rank & 1)


class Rows:
    """Columns of ``size`` rows that every level of results has."""

    def __init__(self, size: int, numbers: Sequence[str]) -> None:
        self.numbers = {name: np.full(size, np.nan) for name in numbers}
        self.status = Texts(size, STATUS_NAMES)
        self.flags = Texts(size, [""])
        self.reason = Texts(size, [""])
        self.start_us, self.end_us = np.full(size, NAT), np.full(size, NAT)
        self.start_price, self.end_price = Texts(size, KIND_NAMES), Texts(size, KIND_NAMES)
        self.session = np.full(size, NO_DAY)

    def set_flags(self, places: Any, bits: NDArray[np.int64]) -> None:
        """Write flags; most rows share a few sets of them."""
        seen = np.zeros(1 << len(_FLAGS), np.bool_)
        seen[bits] = True
        found = np.flatnonzero(seen)
        codes = np.zeros(seen.size, np.int64)
        codes[found] = self.flags.codes_of(flag_names(int(each)) for each in found)
        self.flags.codes[places] = codes[bits]

    def set_result(self, place: int, result: Mapping[str, Any], session: date | None) -> None:
        """Write what a result dict of a trade or leg says."""
        for name, column in self.numbers.items():
            value = result.get(name)
            if value is not None:
                column[place] = value
        self.status.codes[place] = self.status.code(result["status"])
        self.flags.codes[place] = self.flags.code(" ".join(result["flags"]))
        self.reason.codes[place] = self.reason.code(result["reason"])
        window = result.get("window")
        if window is not None:
            self.start_us[place], self.end_us[place] = to_epoch_us(window["start"]), to_epoch_us(window["end"])
            self.start_price.codes[place] = self.start_price.code(window["start_price"])
            self.end_price.codes[place] = self.end_price.code(window["end_price"])
        if session is not None:
            self.session[place] = day_number(session)

    def tail(self) -> dict[str, Column]:
        """The columns that stand after the numbers."""
        self.flags.sort()  # sets of flags were numbered as they came, in any order of threads
        columns = (
            *(self.status, self.flags, self.reason, self.start_us, self.end_us),
            *(self.start_price, self.end_price, self.session),
        )
        return dict(zip(TAIL, columns, strict=True))


class TradeRows:
    """One row per look."""

    def __init__(self, book: Book, size: int, *, detail: bool) -> None:
        self._book = book
        self._detail = detail
        self._rows = Rows(size, _numbers(detail=detail))
        self._lock = threading.Lock()

    @staticmethod
    def names(*, detail: bool) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return ("symbol", "trade", "underlying", "expiry", *_numbers(detail=detail), *TAIL)

    def take(self, chunk: Chunk) -> None:
        """Write a chunk of columns into its places."""
        rows, trades = self._rows, chunk.lanes.trades
        places, good = _places(chunk)
        amounts = chunk.totals.amounts
        columns = (
            *(amounts.spot, amounts.vol, amounts.timedecay, amounts.spread, amounts.residual),
            *(amounts.pnl, amounts.combo_gap, amounts.fees, amounts.net_pnl),
        )
        for name, column in zip(AMOUNTS, columns, strict=True):
            rows.numbers[name][places] = column[good]
        for name, column in zip(LegDetail._fields if self._detail else (), chunk.totals.detail, strict=True):
            rows.numbers[name][places] = column[good]
        rows.status.codes[places] = chunk.totals.status[good]
        rows.reason.codes[places] = 0
        rows.start_us[places], rows.end_us[places] = trades.start_us[good], amounts.end_us[good]
        rows.start_price.codes[places] = trades.start_kind[good]
        rows.end_price.codes[places] = amounts.end_kind[good]
        if chunk.sessions is not None:
            rows.session[places] = chunk.sessions[good]
        with self._lock:  # a set of flags seen for the first time gets a number
            rows.set_flags(places, amounts.flags[good])

    def take_single(self, look: int, result: Mapping[str, Any]) -> None:
        """Write the result of a single row into its place."""
        self._rows.set_result(look, {**(result.get("detail") or {}), **result}, result["session"])

    def finish(self, looks: Looks) -> dict[str, Column]:
        """Return the columns in their order."""
        book, row = self._book, looks.row
        return {**trade_columns(book, row), **_of_keys(book, row), **self._rows.numbers, **self._rows.tail()}


def _numbers(*, detail: bool) -> tuple[str, ...]:
    return (*AMOUNTS, *(LegDetail._fields if detail else ()))


def _places(chunk: Chunk) -> tuple[Any, Any]:
    """Where the good looks of a chunk are in the results, and in the chunk: slices where all are, side by side."""
    looks = chunk.looks
    if not chunk.good.all():
        return looks[chunk.good], chunk.good
    if looks.size and int(looks[-1]) - int(looks[0]) == looks.size - 1:  # they are in rising order
        return slice(int(looks[0]), int(looks[-1]) + 1), slice(None)
    return looks, slice(None)


def trade_columns(book: Book, row: NDArray[np.int64]) -> dict[str, Column]:
    """What names a trade: its symbol, and its label where the frame has one."""
    symbol = Texts(0, [str(value) for value in book.symbols.values])
    symbol.codes = book.symbols.codes[row]
    label = book.labels()
    label.codes = label.codes[row]
    return {"symbol": symbol, "trade": label}


def _of_keys(book: Book, row: NDArray[np.int64]) -> dict[str, Column]:
    """Underlying and expiry of trades whose legs share them."""
    underlying = Texts(0)
    codes = underlying.codes_of(book.facts.underlyings)
    underlying.codes = codes[book.key[row]]
    return {"underlying": underlying, "expiry": book.facts.keys["expiry"][book.key[row]]}
