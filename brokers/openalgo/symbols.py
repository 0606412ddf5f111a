"""OpenAlgo's symbols and exchange codes: ``NIFTY28MAR2420800CE`` on NFO, ``NIFTY24APR24FUT``, ``NIFTY`` on NSE_INDEX.

The text holds the whole expiry (DDMMMYY), so it is read and written without a list of instruments. The exchange code
is a part of the name: ``NIFTY`` on NSE_INDEX is the index, on NSE it would be a share.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from attribution.errors import SymbolError, TradeError
from attribution.instruments import Equity, Future, Index, Instrument, Option, Right
from attribution.symbols import format_symbol, parse_symbol, parse_underlying_name
from attribution.symbols.months import MONTHS, date_or_none, month_number

__all__ = ["read_openalgo", "write_openalgo"]

_RIGHTS = {"CE": Right.CALL, "PE": Right.PUT}
_RIGHT_NAMES = {right: name for name, right in _RIGHTS.items()}
_SEGMENTS = {"NFO": "NSE", "BFO": "BSE"}
_SEGMENT_OF = {home: segment for segment, home in _SEGMENTS.items()}
_INDEX_SEGMENTS = {"NSE_INDEX": "NSE", "BSE_INDEX": "BSE"}
_EXAMPLE = "NIFTY28MAR2420800CE or NIFTY24APR24FUT"

# The letters of the month part the text: the two digits before them are the day, those after them the year.
_CONTRACT = re.compile(r"(.+?)([0-9]{2})([A-Z]{3})([0-9]{2})(?:FUT|([0-9]+(?:\.[0-9]+)?)(CE|PE))")


def read_openalgo(symbol: str, exchange: str) -> Instrument:
    """Read one symbol on one of OpenAlgo's exchange codes.

    Raises
    ------
    SymbolError
        The text has another shape, names an impossible contract, or the exchange is none of ours (MCX, CDS).
    """
    if exchange in _INDEX_SEGMENTS:
        return _index(symbol, exchange)
    if exchange in ("NSE", "BSE"):
        return parse_symbol(f"{symbol}_STK___", exchange=exchange)
    home = _SEGMENTS.get(exchange)
    match = _CONTRACT.fullmatch(symbol) if home is not None else None
    if home is None or match is None:
        raise SymbolError("symbol", f"{exchange}:{symbol}", f"a contract on NFO or BFO, as in {_EXAMPLE}")
    name, day, month, year, strike, right = match.groups()
    underlying = parse_underlying_name(name, exchange=home)
    expiry = _date(symbol, year, month, day)
    if right is None:
        return Future(underlying, expiry)
    price = float(strike)
    if not 0.0 < price < float("inf"):
        raise SymbolError("symbol", symbol, f"strike {strike} is not a positive number")
    return Option(underlying, expiry, _RIGHTS[right], price)


def _index(symbol: str, exchange: str) -> Index:
    index = parse_symbol(f"{symbol}_IND___", exchange=_INDEX_SEGMENTS[exchange])
    if not isinstance(index, Index):
        raise SymbolError("symbol", symbol, f"an index on {exchange}")
    return index


def _date(symbol: str, year: str, month: str, day: str) -> date:
    found = date_or_none(2000 + int(year), month_number(month), int(day))
    if found is None:
        raise SymbolError("symbol", symbol, f"expiry {day}{month}{year} is not a date DDMMMYY, as in 28MAR24")
    return found


def write_openalgo(instrument: Instrument) -> tuple[str, str]:
    """Return the symbol and the exchange code of an Indian instrument.

    Raises
    ------
    SymbolError
        The instrument is not of NSE or BSE, or its text would be read as another.
    """
    if instrument.exchange not in _SEGMENT_OF:
        raise SymbolError("instrument", instrument, "an instrument of NSE or BSE; OpenAlgo serves no other of ours")
    symbol, exchange = _write(instrument)
    try:
        back = read_openalgo(symbol, exchange)
    except TradeError as exc:
        raise SymbolError("instrument", instrument, f"no OpenAlgo symbol can name it: {exc}") from exc
    # The multiplier of a row is not in any text; canonical symbols leave it out as well.
    if format_symbol(back) != format_symbol(instrument):
        raise SymbolError("instrument", instrument, f"no OpenAlgo symbol can name it: {symbol} is {back!r}")
    return symbol, exchange


def _write(instrument: Instrument) -> tuple[str, str]:
    if isinstance(instrument, Equity):
        return instrument.name, instrument.exchange
    if isinstance(instrument, Index):
        return instrument.name, f"{instrument.exchange}_INDEX"
    name, expiry = instrument.underlying.name, instrument.expiry
    text = f"{name}{expiry.day:02}{MONTHS[expiry.month - 1]}{expiry.year % 100:02}"
    if isinstance(instrument, Future):
        return f"{text}FUT", _SEGMENT_OF[instrument.exchange]
    strike = format(Decimal(repr(float(instrument.strike))), "f").removesuffix(".0")
    return f"{text}{strike}{_RIGHT_NAMES[instrument.right]}", _SEGMENT_OF[instrument.exchange]
