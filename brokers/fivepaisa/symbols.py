"""5paisa's names: exchange letters, scrip names, and the scrip master.

::

    NIFTY 25 Nov 2025 CE 26000.00     base, day, CE or PE, strike with two decimals
    NIFTY 25 Nov 2025                 a future
    ITC                               a share, or an index

Routes ask for Exchange (N, B), ExchangeType (C cash, D derivatives) and ScripCode. The scrip master is one CSV of
all of them, at times compressed; its columns are the authority.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import zip_longest

from attribution.errors import BrokerError, SymbolError, TradeError
from attribution.instruments import Equity, Future, Index, Instrument, Option, Right
from attribution.symbols import parse_underlying_name
from brokers.base import number
from brokers.scrips import Scrip, ScripList

__all__ = ["format_name", "parse_master", "parse_name", "segment_of"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CONTRACT = re.compile(
    r"(?P<base>\S+) (?P<day>[0-9]{1,2}) (?P<month>[A-Za-z]{3}) (?P<year>[0-9]{4})"
    r"(?: (?P<right>CE|PE) (?P<strike>[0-9]+(?:\.[0-9]+)?))?"
)
_RIGHTS = {"CE": Right.CALL, "PE": Right.PUT}
_EXCHANGES = {"N": "NSE", "B": "BSE"}
_LETTERS = {"NSE": "N", "BSE": "B"}
_FIRST_INDEX = 999900
_COLUMNS = {"exch", "exchtype", "scripcode", "name", "expiry", "scriptype", "strikerate", "symbolroot", "series"}
_SERIES = ("EQ", "BE")
_GZIP = b"\x1f\x8b"


def segment_of(instrument: Instrument) -> str | None:
    """Return Exchange and ExchangeType as two letters, such as ``ND``; None for other exchanges."""
    letter = _LETTERS.get(instrument.exchange)
    return None if letter is None else letter + ("D" if isinstance(instrument, Future | Option) else "C")


def parse_name(segment: str, text: str) -> Instrument:
    """Read the name of a contract.

    Raises
    ------
    SymbolError
        It is none. Shares and indices are told apart by the scrip master only.
    """
    found = _CONTRACT.fullmatch(" ".join(text.split()))
    expiry = _date(found["day"], found["month"], found["year"]) if found else None
    if segment not in ("ND", "BD") or found is None or expiry is None:
        raise SymbolError("symbol", f"{segment}:{text}", "a contract, such as ND:NIFTY 25 Nov 2025 CE 26000.00")
    try:
        underlying = parse_underlying_name(found["base"], exchange=_EXCHANGES[segment[0]])
        if found["right"] is None:
            return Future(underlying, expiry)
        return Option(underlying, expiry, _RIGHTS[found["right"]], float(found["strike"]))
    except TradeError as exc:
        raise SymbolError("symbol", f"{segment}:{text}", str(exc)) from exc


def _date(day: str, month: str, year: str) -> date | None:
    try:
        return date(int(year), _MONTHS.index(month.title()) + 1, int(day))
    except ValueError:
        return None


def format_name(instrument: Instrument) -> str:
    """Write the name: of a share or index its own, of a contract with expiry, right and strike.

    Raises
    ------
    SymbolError
        The exchange is neither NSE nor BSE, or the strike has more than the two decimals that the name holds.
    """
    if segment_of(instrument) is None:
        raise SymbolError("instrument", instrument, "on NSE or BSE")
    if isinstance(instrument, Equity | Index):
        return instrument.name
    day = instrument.expiry
    head = f"{instrument.underlying.name} {day.day:02} {_MONTHS[day.month - 1]} {day.year:04}"
    if isinstance(instrument, Future):
        return head
    strike = f"{instrument.strike:.2f}"
    if float(strike) != instrument.strike:
        raise SymbolError("strike", instrument.strike, "at most two decimals")
    return f"{head} {'CE' if instrument.right is Right.CALL else 'PE'} {strike}"


def parse_master(content: bytes) -> ScripList:
    """Read the scrip master.

    Lines that are nothing we could hold (currencies, commodities, bonds) are left out.

    Raises
    ------
    BrokerError
        It is no CSV, or lacks a needed column.
    """
    try:
        raw = gzip.decompress(content) if content.startswith(_GZIP) else content
        rows = csv.reader(io.StringIO(raw.decode("utf-8-sig")))
        names = [name.strip().lower() for name in next(rows, [])]
        lacking = _COLUMNS - set(names)
        if not lacking:
            ranked = sorted(_scrips(names, rows), key=lambda each: each[0])
            return ScripList(scrip for _, scrip in ranked)
    except (OSError, EOFError, zlib.error, csv.Error, UnicodeDecodeError) as exc:
        raise BrokerError(f"5paisa ScripMaster: no CSV ({exc}); try again later") from exc
    raise BrokerError(f"5paisa ScripMaster: no column {', '.join(sorted(lacking))}; its format changed")


def _scrips(names: list[str], rows: Iterable[list[str]]) -> Iterator[tuple[tuple[bool, int], Scrip]]:
    """Every line we can hold, with its rank among those that name the same instrument."""
    for values in rows:
        # A line that breaks off has empty columns.
        row = dict(zip_longest(names, map(str.strip, values[: len(names)]), fillvalue=""))
        segment, code = row["exch"] + row["exchtype"], row["scripcode"]
        if segment not in ("NC", "BC", "ND", "BD") or not code.isdecimal():
            continue
        instrument = _contract(segment, row) if segment[1] == "D" else _cash(segment, row)
        if instrument is not None:
            # Some contracts are listed under several codes: the newest, which is the highest, is traded. Of a
            # share's series EQ goes before BE; of an index the first line is the one.
            age = -int(code) if segment[1] == "D" else int(code)
            yield (row["series"] == "BE", age), Scrip(segment, code, row["name"], instrument)


def _cash(segment: str, row: Mapping[str, str]) -> Instrument | None:
    exchange, index_row = _EXCHANGES[segment[0]], int(row["scripcode"]) >= _FIRST_INDEX
    if not index_row and segment == "NC" and row["series"] not in _SERIES:
        return None
    try:
        if not index_row:
            return Equity(row["name"], exchange)
        read = parse_underlying_name(row["name"], exchange=exchange)
        return read if isinstance(read, Index) else None
    except TradeError:
        return None


def _contract(segment: str, row: Mapping[str, str]) -> Instrument | None:
    kind, strike = row["scriptype"], number(row["strikerate"])
    try:
        expiry = date.fromisoformat(row["expiry"][:10])
        underlying = parse_underlying_name(row["symbolroot"], exchange=_EXCHANGES[segment[0]])
        if kind == "XX":
            return Future(underlying, expiry)
        return None if kind not in _RIGHTS or strike is None else Option(underlying, expiry, _RIGHTS[kind], strike)
    except (TradeError, ValueError):
        return None
