"""Trades and prices from their files; what is wrong with a row stays with the row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attribution.app.sheet import Columns, Record, Sheet, read_sheet
from attribution.errors import SymbolError, TradeError
from attribution.market.fixed import PriceTable
from attribution.symbols import parse_symbol, parse_underlying_name
from attribution.trade import LEG_FIELDS, NUMBER_FIELDS, OPTIONAL_FIELDS, REQUIRED_FIELDS

__all__ = ["COLUMNS", "PriceFile", "TradeFile", "TradeRow", "read_prices", "read_trades"]

COLUMNS: Mapping[str, Columns] = {
    "trades": Columns(REQUIRED_FIELDS, (*OPTIONAL_FIELDS, *LEG_FIELDS)),
    "prices": Columns(("symbol", "time", "price"), ("exchange",)),
}

_NUMBERS = frozenset((*NUMBER_FIELDS, *LEG_FIELDS))
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SHAPE = (
    "must have as many cells as the header; quote a cell that holds a comma, write numbers without thousands separators"
)
_NOTHING = frozenset({"", "nan"})


@dataclass(frozen=True, slots=True)
class TradeRow:
    """One row of the trades: its line in the file, and its values or what is wrong with them."""

    line: int
    row: dict[str, Any]
    error: TradeError | None = None

    @property
    def label(self) -> str | None:
        """The trade's own name, if it has one."""
        return self.row.get("trade_id") or self.row.get("int_order_id") or None

    @property
    def symbol(self) -> str | None:
        """The symbol as it is written, if it is."""
        return self.row.get("symbol") or None


@dataclass(frozen=True, slots=True)
class TradeFile:
    """All rows of a trades file, in their order."""

    sheet: Sheet
    rows: list[TradeRow]


@dataclass(frozen=True, slots=True)
class PriceFile:
    """The prices of a file in one table, and a message for each row that could not be used."""

    sheet: Sheet
    table: PriceTable
    problems: list[str] = field(default_factory=list)


def read_trades(path: Path, renames: Mapping[str, str] | None = None) -> TradeFile:
    """Read the trades; InputError where the file as a whole is of no use."""
    sheet = read_sheet(path, COLUMNS["trades"], renames or {}, "trades")
    return TradeFile(sheet, [_trade_row(record) for record in sheet.records])


def _trade_row(record: Record) -> TradeRow:
    if record.problem is not None:
        return TradeRow(record.line, dict(record.cells), TradeError("row", record.problem, _SHAPE))
    row: dict[str, Any] = dict(record.cells)
    for name in _NUMBERS & row.keys():
        try:
            row[name] = _number(name, row[name])
        except TradeError as exc:
            return TradeRow(record.line, dict(record.cells), exc)
    return TradeRow(record.line, row)


def _number(name: str, text: str) -> float | None:
    if text.lower() in _NOTHING:
        return None
    if not _NUMBER.fullmatch(text):
        raise TradeError(name, text, "a number such as -1234.5, without thousands separators or signs of currency")
    return float(text)


def read_prices(path: Path, renames: Mapping[str, str] | None = None) -> PriceFile:
    """Read the prices. A row that is wrong is told of; it never becomes another price than it says."""
    sheet = read_sheet(path, COLUMNS["prices"], renames or {}, "prices")
    problems: list[_Problem] = []
    rows = list(_price_rows(sheet, problems))
    table = _table(rows, problems)
    return PriceFile(sheet, table, [f"{path}:{line}: {text}" for line, text in sorted(problems)])


_Row = tuple[str, str | None, str, float | None]
_Problem = tuple[int, str]


def _price_rows(sheet: Sheet, problems: list[_Problem]) -> Iterator[tuple[int, _Row]]:
    """Rows for the table. An unreadable price keeps its key, so that no other price takes its place."""
    seen: dict[tuple[str, str | None, str], tuple[int, float | None]] = {}
    for record in sheet.records:
        line = record.line
        if record.problem is not None:
            problems.append((line, f"{record.problem}: {_SHAPE}"))
            continue
        cells = record.cells
        key = (cells["symbol"], cells.get("exchange") or None, cells["time"])
        try:
            _check_symbol(*key[:2])
            price = _number("price", cells["price"])
        except SymbolError as exc:
            problems.append((line, str(exc)))
            continue
        except TradeError as exc:
            problems.append((line, str(exc)))
            price = None
        if key in seen and seen[key][1] != price:
            before, other = seen[key]
            problems.append((line, f"price={price}: line {before} gives {other} for the same instant; neither is used"))
            price = None
        seen[key] = (line, price)
        yield line, (*key, price)


def _check_symbol(symbol: str, exchange: str | None) -> None:
    """Anything that can have a price: an instrument, or the plain name of an underlying."""
    try:
        parse_symbol(symbol, exchange=exchange)
    except SymbolError as first:
        try:
            parse_underlying_name(symbol, exchange=exchange)
        except SymbolError:
            raise first from None


def _table(rows: list[tuple[int, _Row]], problems: list[_Problem]) -> PriceTable:
    try:
        return PriceTable([row for _, row in rows], name="prices")
    except TradeError:
        good = []
        for line, row in rows:  # one by one, to say which are wrong
            try:
                PriceTable([row])
            except TradeError as exc:
                problems.append((line, exc.allowed))
            else:
                good.append(row)
        return PriceTable(good, name="prices")
