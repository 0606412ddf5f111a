"""The exchanges' own files of a day: derivatives bhavcopies in both layouts, and the closes of indices.

What is read out of them is small: per symbol whether it traded, its close and its settlement price.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

from attribution.errors import TradeError
from attribution.symbols import format_symbol, parse_underlying_name
from brokers.replay.files import FileError, Key, Row, read_sheet

__all__ = ["Closing", "DayFile", "read_exchange_file"]

_RIGHTS = {"CE": "CALL", "PE": "PUT"}
_UNDERLYING = {"IDF": "IND", "IDO": "IND", "STF": "STK", "STO": "STK"}


class Closing(NamedTuple):
    """How a session ended for one instrument. [currency per unit] None where the file has nothing to say.

    ``close`` is None of a contract that did not trade: what its row shows then is an older day's. ``settlement`` is
    None on the expiry day: what an option's row shows then is the settlement value of the *index*.
    """

    close: float | None
    settlement: float | None
    expiry_day: bool = False
    beside: bool = False
    """Taken from a column of the underlying's derivatives: the underlying's own file knows better."""


DayFile: TypeAlias = dict[Key, Closing]


def read_exchange_file(path: Path, session: date) -> DayFile:
    """Read one exchange file of a session.

    Raises
    ------
    FileError
        It has none of the known layouts, is of another day, or a cell cannot be read.
    """
    sheet = read_sheet(path)
    layout = next((one for one in _LAYOUTS if one.columns[0] in sheet.columns), None)
    if layout is None:
        raise FileError(path, f"no known layout begins with the columns {', '.join([*sheet.columns][:4])}", 1)
    sheet.need(*layout.columns)
    check_day = _day_of(layout.day, session)
    found: DayFile = {}
    for row in sheet:
        if row.text(layout.columns[0]):
            check_day(row)
            layout.read(row, session, found)
    return found


def _day_of(column: str, session: date) -> Callable[[Row], None]:
    """Check that each row is of the session; the few distinct texts are parsed once."""
    good: set[str] = set()

    def check(row: Row) -> None:
        text = row.text(column)
        if text not in good:
            if row.day(column) != session:
                raise row.error(column, f"{text} in a file of {session}")
            good.add(text)

    return check


def _read_udiff(row: Row, session: date, found: DayFile) -> None:
    exchange = row.text("Src")
    kind, base = row.text("FinInstrmTp"), row.text("TckrSymb")
    if kind == "STK":
        if exchange != "NSE" or row.text("SctySrs") == "EQ":
            found[exchange, f"{base}_STK___"] = _closing(row, "ClsPric", "SttlmPric", "TtlTradgVol", False)
        return
    if kind not in _UNDERLYING:
        return
    name = _underlying(base, exchange, _UNDERLYING[kind])
    expiry = row.day("XpryDt")
    # A contract whose expiry date became a holiday expires on the day before; the name keeps the date.
    last = row.day("FininstrmActlXpryDt") if row.cell("FininstrmActlXpryDt") is not None else expiry
    closing = _closing(row, "ClsPric", "SttlmPric", "TtlTradgVol", session >= min(expiry, last))
    found[exchange, _contract(row, name[0], expiry, "OptnTp", "StrkPric")] = closing
    spot = row.price("UndrlygPric")
    if spot:
        found.setdefault((exchange, name[1]), Closing(spot, None, beside=True))


def _read_legacy(row: Row, session: date, found: DayFile) -> None:
    kind = row.text("INSTRUMENT")
    if kind not in ("FUTIDX", "OPTIDX", "FUTSTK", "OPTSTK"):
        return
    name = _underlying(row.text("SYMBOL"), "NSE", "IND" if kind.endswith("IDX") else "STK")
    expiry = row.day("EXPIRY_DT")
    closing = _closing(row, "CLOSE", "SETTLE_PR", "CONTRACTS", session >= expiry)
    found["NSE", _contract(row, name[0], expiry, "OPTION_TYP", "STRIKE_PR")] = closing


def _read_index(row: Row, session: date, found: DayFile) -> None:
    value = row.price("Closing Index Value")
    try:
        index = parse_underlying_name(row.text("Index Name"))
    except TradeError:
        return  # an index that has no name here has no derivatives either
    if value:
        found[index.exchange, format_symbol(index)] = Closing(value, None)


class _Layout(NamedTuple):
    """The columns that a layout must have, the first of which tells it from the others."""

    columns: tuple[str, ...]
    day: str
    read: Callable[[Row, date, DayFile], None]


_UDIFF = "FinInstrmTp TradDt Src TckrSymb XpryDt StrkPric OptnTp ClsPric SttlmPric TtlTradgVol"
_LEGACY = "INSTRUMENT SYMBOL EXPIRY_DT STRIKE_PR OPTION_TYP CLOSE SETTLE_PR CONTRACTS TIMESTAMP"
_LAYOUTS = (
    _Layout(tuple(_UDIFF.split()), "TradDt", _read_udiff),
    _Layout(tuple(_LEGACY.split()), "TIMESTAMP", _read_legacy),
    _Layout(("Index Name", "Index Date", "Closing Index Value"), "Index Date", _read_index),
)


@lru_cache(maxsize=4096)
def _underlying(base: str, exchange: str, kind: str) -> tuple[str, str]:
    """Return the name as contracts carry it, and the canonical symbol of the underlying itself."""
    try:
        underlying = parse_underlying_name(base, exchange=exchange)
    except TradeError:
        return base, f"{base}_{kind}___"
    return underlying.name, format_symbol(underlying)


def _contract(row: Row, name: str, expiry: date, right_column: str, strike_column: str) -> str:
    """Write the canonical symbol; reading it as an instrument and writing that back would be slow, and the same."""
    right = row.text(right_column)
    if right in ("", "XX"):
        return f"{name}_FUT_{expiry:%Y%m%d}__"
    strike = row.number(strike_column)
    if right not in _RIGHTS:
        raise row.error(right_column, f"{right!r} is not CE, PE or XX")
    if strike is None or strike <= 0.0:
        raise row.error(strike_column, "an option needs a positive strike")
    return f"{name}_OPT_{expiry:%Y%m%d}_{_RIGHTS[right]}_{repr(strike).removesuffix('.0')}"


def _closing(row: Row, close_column: str, settle_column: str, traded_column: str, expiry_day: bool) -> Closing:
    """Sort out what the row's figures stand for; zeros are no prices."""
    close, settlement = row.price(close_column), row.price(settle_column)
    traded = (row.number(traded_column) or 0.0) > 0.0
    return Closing(close if traded and close else None, None if expiry_day else settlement or None, expiry_day)
