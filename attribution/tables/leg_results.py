"""Results leg by leg: one row per leg of each look, and one more for what belongs to no leg."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution.calendars.instants import day_number
from attribution.instruments import DATED
from attribution.kernels.results import LegDetail
from attribution.result import EFFECTS
from attribution.tables.book import Book
from attribution.tables.engine import Chunk, Looks
from attribution.tables.results import NO_DAY, TAIL, Column, Rows, trade_columns
from attribution.tables.split import PLAYS
from attribution.tables.texts import Texts
from attribution.tables.totals import status_of_life

__all__ = ["LegRows"]

AMOUNTS = (*EFFECTS, "residual", "pnl", "fees", "net_pnl")
FACTS = ("quantity", "multiplier", "price0", "price1", "vol0", "vol1", "spot0", "spot1", "forward0", "forward1")
NUMBERS = (*AMOUNTS, *FACTS)

_PLAYS_CODE = np.array([-1, *range(len(PLAYS))])
"""The code of what played the spot, by its number; none where nothing did."""


class LegRows:
    """Keeps chunks until all are there, then lays out their legs by look."""

    def __init__(self, book: Book, *, detail: bool) -> None:
        self._book = book
        self._terms = LegDetail._fields if detail else ()
        self._chunks: list[Chunk] = []
        self._singles: dict[int, Mapping[str, Any]] = {}

    @staticmethod
    def names(*, detail: bool) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        terms = LegDetail._fields if detail else ()
        return ("symbol", "trade", "leg", "underlying", "expiry", *NUMBERS, *terms, "plays_spot", *TAIL)

    def take(self, chunk: Chunk) -> None:
        """Keep a chunk."""
        self._chunks.append(chunk)

    def take_single(self, look: int, result: Mapping[str, Any]) -> None:
        """Keep the result of a single row."""
        self._singles[look] = result

    def finish(self, looks: Looks) -> tuple[dict[str, Column], NDArray[np.int64]]:
        """Return the columns in their order, and the look of each row."""
        first = self._first_rows(looks.size)
        size = int(first[-1])
        rows = Rows(size, (*NUMBERS, *self._terms))
        named = _Named(size)
        for chunk in self._chunks:
            self._write_chunk(chunk, first, rows, named)
        for place, result in self._singles.items():
            self._write_single(result, int(first[place]), rows, named)
        look = np.repeat(np.arange(first.size - 1, dtype=np.int64), np.diff(first))
        trade = trade_columns(self._book, looks.row[look])
        return {**trade, **named.columns(), **rows.numbers, "plays_spot": named.plays, **rows.tail()}, look

    def _first_rows(self, size: int) -> NDArray[np.int64]:
        """Position of the first row of each look, and at last the number of rows."""
        counts = np.zeros(size + 1, np.int64)
        for chunk in self._chunks:
            counts[chunk.looks + 1] = np.diff(chunk.lanes.first_leg) + _has_rest(chunk)
        for look, result in self._singles.items():
            counts[look + 1] = max(len(result["per_leg"]) + _is_rest(result), 1)
        return np.cumsum(counts)

    def _write_chunk(self, chunk: Chunk, first: NDArray[np.int64], rows: Rows, named: _Named) -> None:
        lanes, split, windows = chunk.lanes, chunk.split, chunk.lanes.windows
        good = np.asarray(lanes.of_trade(chunk.good))
        place = (np.asarray(lanes.of_trade(first[chunk.looks])) + lanes.place)[good]
        multiplier = lanes.fact("multiplier")
        with np.errstate(over="ignore"):  # of trades that were refused
            quantity = np.asarray(lanes.of_trade(lanes.number("entry_quantity"))) * lanes.fact("ratio")
        moves = split.moves
        amounts = (*split.effects, moves.pnl, np.zeros(lanes.size), moves.pnl)
        others = (quantity, multiplier, moves.price0, moves.price1, split.vol0, split.vol1)
        prices = (moves.spot0, moves.spot1, moves.forward0, moves.forward1)
        columns = (*amounts, *others, *prices, *split.detail)
        for name, column in zip((*NUMBERS, *self._terms), columns, strict=True):
            rows.numbers[name][place] = column[good]
        rows.status.codes[place] = status_of_life(windows.life)[good]
        rows.reason.codes[place] = 0
        rows.set_flags(place, split.flags[good])
        rows.start_us[place], rows.end_us[place] = lanes.at(0)[good], windows.end_us[good]
        rows.start_price.codes[place], rows.end_price.codes[place] = lanes.kind(0)[good], windows.end_kind[good]
        if chunk.sessions is not None:
            rows.session[place] = np.asarray(lanes.of_trade(chunk.sessions))[good]
        named.write(self._book, lanes.leg[good], place)
        named.plays.codes[place] = _PLAYS_CODE[moves.plays[good]]
        self._write_rest(chunk, first, rows)

    def _write_rest(self, chunk: Chunk, first: NDArray[np.int64], rows: Rows) -> None:
        """What belongs to no leg stands after the legs of its look."""
        amounts = chunk.totals.amounts
        here = np.flatnonzero(_has_rest(chunk) & chunk.good)
        place = first[chunk.looks[here]] + np.diff(chunk.lanes.first_leg)[here]
        gap, fees = amounts.combo_gap[here], amounts.fees[here]
        for name in (*EFFECTS, "residual"):
            rows.numbers[name][place] = 0.0
        rows.numbers["spread_attrib"][place] = rows.numbers["pnl"][place] = gap
        rows.numbers["fees"][place], rows.numbers["net_pnl"][place] = fees, gap - fees
        rows.status.codes[place] = chunk.totals.status[here]
        rows.flags.codes[place] = rows.reason.codes[place] = 0
        if chunk.sessions is not None:
            rows.session[place] = chunk.sessions[here]

    def _write_single(self, result: Mapping[str, Any], place: int, rows: Rows, named: _Named) -> None:
        session = result["session"]
        for symbol, leg in result["per_leg"].items():
            told = {**(leg.get("detail") or {}), **leg, "fees": 0.0, "net_pnl": leg["pnl"]}
            rows.set_result(place, told, session)
            named.write_one(place, symbol, leg)
            place += 1
        if not result["per_leg"]:
            rows.set_result(place, result, session)
        elif _is_rest(result):
            gap, fees = result["combo_gap"], result["fees"]
            rest = dict.fromkeys((*EFFECTS, "residual"), 0.0) | {"spread_attrib": gap, "pnl": gap, "fees": fees}
            told = {**rest, "net_pnl": gap - fees, "status": result["status"], "flags": (), "reason": ""}
            rows.set_result(place, told, session)


class _Named:
    """Columns that name a leg."""

    def __init__(self, size: int) -> None:
        self.leg, self.underlying, self.plays = (
            Texts(size),
            Texts(size),
            Texts(size, [str(kind) for kind in PLAYS.values()]),
        )
        self.expiry = np.full(size, NO_DAY)

    def write(self, book: Book, legs: NDArray[np.int64], place: NDArray[np.int64]) -> None:
        instruments = [item.leg.instrument for item in book.facts.items]
        self.leg.codes[place] = self.leg.codes_of(item.leg.symbol for item in book.facts.items)[legs]
        self.underlying.codes[place] = self.underlying.codes_of(item.underlying_symbol for item in book.facts.items)[
            legs
        ]
        days = [day_number(each.expiry) if isinstance(each, DATED) else NO_DAY for each in instruments]
        self.expiry[place] = np.array(days, np.int64)[legs]

    def write_one(self, place: int, symbol: str, leg: Mapping[str, Any]) -> None:
        self.leg.codes[place] = self.leg.code(symbol)
        self.underlying.codes[place] = self.underlying.code(leg["underlying"])
        if leg["expiry"] is not None:
            self.expiry[place] = day_number(leg["expiry"])
        self.plays.codes[place] = self.plays.code(leg["plays_spot"])

    def columns(self) -> dict[str, Column]:
        return {"leg": self.leg, "underlying": self.underlying, "expiry": self.expiry}


def _has_rest(chunk: Chunk) -> NDArray[np.bool_]:
    """Which trades have amounts that belong to no leg."""
    amounts = chunk.totals.amounts
    rest: NDArray[np.bool_] = (amounts.combo_gap != 0.0) | (amounts.fees != 0.0)
    return rest


def _is_rest(result: Mapping[str, Any]) -> bool:
    return bool(result["per_leg"]) and bool(result["combo_gap"] or result["fees"])
