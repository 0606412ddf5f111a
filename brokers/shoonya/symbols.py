"""Shoonya's names: segments, trading symbols, and the symbol master files.

::

    NFO  NIFTY25NOV25C26000   NIFTY25NOV25F     base, DDMMMYY, C or P and strike, or F
    NSE  ACC-EQ   RELIANCE-BE   NIFTY INDEX     base and series, or the name of an index
    BFO  SENSEX26NOV85000CE                     no day in the text: only the master file tells the expiry
    BSE  RELIANCE

A master file is a CSV in a zip, one per segment; its columns Symbol, Expiry, OptionType and StrikePrice are the
authority. BSE's file of derivatives has its own names for indices, and its file of shares lacks the indices.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from attribution.errors import BrokerError, SymbolError, TradeError
from attribution.instruments import Equity, Future, Index, Instrument, Option, Right, Underlying
from attribution.symbols import parse_underlying_name
from brokers.base import number
from brokers.scrips import Scrip, ScripList

__all__ = ["MONTHS", "format_tsym", "parse_date", "parse_master", "parse_tsym", "segment_of"]

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

_CONTRACT = re.compile(
    rf"(?P<base>.+?)(?P<expiry>[0-9]{{2}}(?:{'|'.join(MONTHS)})[0-9]{{2}})"
    r"(?:F|(?P<right>[CP])(?P<strike>[0-9]+(?:\.[0-9]+)?))"
)
_SHARE = re.compile(r"(?P<base>.+)-(?:EQ|BE)")
_RIGHTS = {"C": Right.CALL, "P": Right.PUT}
_OPTION_TYPES = {"CE": Right.CALL, "PE": Right.PUT}
_EXCHANGES = {"NSE": "NSE", "NFO": "NSE", "BSE": "BSE", "BFO": "BSE"}
_SERIES = ("EQ", "BE")

#: Where the master files write an index otherwise than its derivatives do.
_INDEX_NAMES = {
    "NIFTY INDEX": "NIFTY",
    "BSXOPT": "SENSEX",
    "BSXFUT": "SENSEX",
    "BKXOPT": "BANKEX",
    "BKXFUT": "BANKEX",
    "SX50OPT": "SENSEX50",
    "SX50FUT": "SENSEX50",
}
#: The file of BSE shares does not list the indices; their tokens are known.
_BSE_INDICES = {"SENSEX": "1", "BANKEX": "12"}


def segment_of(instrument: Instrument) -> str | None:
    """Return Shoonya's segment: NSE and BSE for shares and indices, NFO and BFO for contracts; None elsewhere."""
    contract = isinstance(instrument, Future | Option)
    return {"NSE": "NFO" if contract else "NSE", "BSE": "BFO" if contract else "BSE"}.get(instrument.exchange)


def parse_date(text: str) -> date | None:
    """Read ``30-AUG-2024``, ``30-Aug-2024`` or ``25NOV25``; None where it is none of them."""
    compact = text.replace("-", "").upper()
    day, month, year = compact[:2], compact[2:5], compact[5:]
    if month not in MONTHS or not (day.isdecimal() and year.isdecimal()) or len(year) not in (2, 4):
        return None
    try:
        return date(int(year) + (2000 if len(year) == 2 else 0), MONTHS.index(month) + 1, int(day))
    except ValueError:
        return None


def parse_tsym(segment: str, text: str) -> Instrument:
    """Read a trading symbol by its text alone.

    Raises
    ------
    SymbolError
        The text does not tell: an index, a series other than EQ and BE, anything of BSE's. Ask the master file.
    """
    try:
        read = _read_tsym(segment, text)
    except TradeError as exc:
        raise SymbolError("symbol", f"{segment}:{text}", str(exc)) from exc
    if read is None:
        allowed = "such as NFO:NIFTY25NOV25C26000, NFO:NIFTY25NOV25F or NSE:ACC-EQ"
        raise SymbolError("symbol", f"{segment}:{text}", allowed)
    return read


def _read_tsym(segment: str, text: str) -> Instrument | None:
    if segment == "NSE":
        share = _SHARE.fullmatch(text)
        return parse_underlying_name(share["base"], exchange="NSE") if share else None
    found = _CONTRACT.fullmatch(text) if segment == "NFO" else None
    expiry = parse_date(found["expiry"]) if found else None
    if found is None or expiry is None:
        return None
    underlying = parse_underlying_name(found["base"], exchange="NSE")
    if found["right"] is None:
        return Future(underlying, expiry)
    return Option(underlying, expiry, _RIGHTS[found["right"]], float(found["strike"]))


def format_tsym(instrument: Instrument) -> str:
    """Write the trading symbol of a share or contract of NSE.

    Raises
    ------
    SymbolError
        Its text is only in the master file: an index, or anything of BSE's.
    """
    if instrument.exchange != "NSE" or isinstance(instrument, Index):
        raise SymbolError("instrument", instrument, "a share or contract of NSE")
    if isinstance(instrument, Equity):
        return f"{instrument.name}-EQ"
    day = instrument.expiry
    head = f"{instrument.underlying.name}{day.day:02}{MONTHS[day.month - 1]}{day.year % 100:02}"
    if isinstance(instrument, Future):
        return f"{head}F"
    return f"{head}{'C' if instrument.right is Right.CALL else 'P'}{_strike_text(instrument.strike)}"


def _strike_text(strike: float) -> str:
    return f"{strike:.10f}".rstrip("0").rstrip(".")


def parse_master(segment: str, zipped: bytes) -> ScripList:
    """Read one symbol master file.

    Lines that are nothing we could hold (bonds, funds, odd series) are left out.

    Raises
    ------
    BrokerError
        It is no zip, or lacks a needed column.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
            text = archive.read(archive.namelist()[0]).decode("utf-8-sig")
        rows = csv.DictReader(io.StringIO(text), restval="")
        lacking = {"Token", "Symbol", "TradingSymbol", "Instrument"} - set(rows.fieldnames or ())
        if not lacking:
            return ScripList(_scrips(segment, rows))
    except (zipfile.BadZipFile, zlib.error, csv.Error, IndexError, EOFError, RuntimeError, UnicodeDecodeError) as exc:
        raise BrokerError(f"Shoonya {segment}_symbols.txt.zip: no zip of a CSV ({exc}); try again later") from exc
    raise BrokerError(f"Shoonya {segment}_symbols.txt: no column {', '.join(sorted(lacking))}; its format changed")


def _scrips(segment: str, rows: Iterable[Mapping[str, str]]) -> Iterator[Scrip]:
    # A share is listed once per series: EQ comes first, so that it is the one found by name.
    later: list[Scrip] = []
    for row in rows:
        read = _instrument(segment, row)
        if read is None:
            continue
        display = row["Symbol"].strip() if row["Instrument"] == "INDEX" else ""
        scrip = Scrip(segment, row["Token"].strip(), row["TradingSymbol"].strip(), read, display)
        if row["Instrument"] == "BE":
            later.append(scrip)
        else:
            yield scrip
    yield from later
    if segment == "BSE":
        for name, token in _BSE_INDICES.items():
            yield Scrip("BSE", token, name, Index(name, "BSE"))


def _instrument(segment: str, row: Mapping[str, str]) -> Instrument | None:
    """Read one line; None for what we do not know."""
    exchange = _EXCHANGES[segment]
    try:
        if segment in ("NFO", "BFO"):
            return _contract(_underlying(segment, row), row)
        if row["Instrument"] == "INDEX":
            return _index(row, exchange)
        if segment == "NSE" and row["Instrument"] not in _SERIES:
            return None
        return Equity(row["Symbol"].strip(), exchange)
    except TradeError:
        return None


def _index(row: Mapping[str, str], exchange: str) -> Index | None:
    for written in (row["TradingSymbol"].strip(), row["Symbol"].strip()):
        try:
            found = parse_underlying_name(_INDEX_NAMES.get(written, written), exchange=exchange)
        except SymbolError:
            continue
        if isinstance(found, Index):
            return found
    return None


def _underlying(segment: str, row: Mapping[str, str]) -> Underlying:
    name = row["Symbol"].strip()
    return parse_underlying_name(_INDEX_NAMES.get(name, name), exchange=_EXCHANGES[segment])


def _contract(underlying: Underlying, row: Mapping[str, str]) -> Instrument | None:
    expiry = parse_date(row.get("Expiry", "").strip())
    # BSE's column Symbol is not always the name: what its trading symbol does not confirm is not believed.
    before, named, rest = row["TradingSymbol"].partition(underlying.name)
    if expiry is None or not named or before or not rest[:1].isdecimal():
        return None
    kind = row.get("OptionType", "").strip()
    if kind == "XX":
        return Future(underlying, expiry)
    strike = number(row.get("StrikePrice", ""))
    if kind not in _OPTION_TYPES or strike is None:
        return None
    return Option(underlying, expiry, _OPTION_TYPES[kind], strike)
