"""Any text to an instrument and back: which grammar is asked, which exchange holds, and the caches.

Rows come by the million and distinct symbols by the thousand, so answers are remembered (errors are not).
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from attribution.errors import SymbolError, TradeError
from attribution.instruments import DATED, Equity, Future, Index, Instrument, Option, Underlying
from attribution.symbols.canonical import format_canonical, parse_canonical
from attribution.symbols.names import check_exchange, check_name, find_index
from attribution.symbols.occ import OCC_EXAMPLE, is_occ, read_occ, write_occ
from attribution.symbols.option_classes import find_share

__all__ = [
    "DEFAULT_EXCHANGE",
    "check_text",
    "format_occ",
    "format_symbol",
    "parse_occ",
    "parse_symbol",
    "parse_underlying_name",
    "read_symbol",
    "same_expiry_future",
    "underlying_of",
    "underlying_symbol",
]

#: Where a share is at home if the text and the caller are silent.
DEFAULT_EXCHANGE = "NSE"

_CACHE_SIZE = 65536


def check_text(value: object) -> str:
    """Return ``value`` as plain text without surrounding white space; SymbolError if it is not text."""
    if not isinstance(value, str):
        raise SymbolError("symbol", value, "text, such as NIFTY_OPT_20250130_CALL_23500")
    return str(value).strip()


def parse_symbol(text: str, *, exchange: str | None = None) -> Instrument:
    """Read a symbol in any known grammar.

    No two grammars overlap: a text with ``_`` is canonical; else a text that ends like an
    OCC symbol is one; else nothing can read it and the error says what was tried.

    Parameters
    ----------
    text
        Such as ``NIFTY_OPT_20250130_CALL_23500``, ``TCS_STK___`` or ``SPXW230113P03965000``.
    exchange
        Exchange code or alias (``NSE``, ``BFO``, ``CBOE``) of names that are not in the index table; NSE if
        None. An index, and an OCC symbol, has one home: naming another is an error.

    Returns
    -------
    Instrument
        The same object for the same arguments, as long as it is cached.

    Raises
    ------
    SymbolError
        No grammar reads the text, it names an impossible contract, or ``exchange`` contradicts it.
    """
    return _parse(check_text(text), exchange)


@lru_cache(maxsize=_CACHE_SIZE)
def _parse(text: str, exchange: str | None) -> Instrument:
    home = DEFAULT_EXCHANGE if exchange is None else check_exchange(exchange)
    instrument = read_symbol(text, home)
    if exchange is not None and instrument.exchange != home:
        raise SymbolError("exchange", exchange, f"{text} is at home on {instrument.exchange}: name that or none")
    return instrument


def read_symbol(text: str, default_exchange: str) -> Instrument:
    """Read one stripped symbol; ``default_exchange`` holds for names without a home of their own."""
    if "?" in text or ":" in text:
        raise SymbolError("symbol", text, "one instrument; '?' and ':' belong to combos, which parse_legs reads")
    if "_" in text:
        return parse_canonical(text, default_exchange)
    if is_occ(text):
        return read_occ(text)
    raise SymbolError(
        "symbol",
        text,
        "readable by a grammar; tried canonical (no '_'; NIFTY_OPT_20250130_CALL_23500, TCS_STK___) "
        f"and OCC (does not end in YYMMDD, C or P, 8 digits; {OCC_EXAMPLE}){_whose(text)}",
    )


def _whose(text: str) -> str:
    """Point to a vendor's grammar that could read the text; one is never tried unasked, for their texts overlap."""
    if re.search(r"[0-9](CE|PE)$|[0-9][A-Z]{3}FUT$", text):
        return "; for a symbol of Kite there is parse_zerodha, for another broker's its adapter"
    if re.search(r"-(PERPETUAL|[0-9]{1,2}[A-Z]{3}[0-9]{2})(-|$)", text):
        return "; for a name of Deribit there is parse_deribit"
    return ""


def parse_occ(text: str) -> Option:
    """Read an OCC symbol, padded or not: an option on the US exchange, multiplier 100.

    Raises
    ------
    SymbolError
        The text is not an OCC symbol or names an impossible contract.
    """
    return read_occ(check_text(text))


def format_occ(option: Option, *, padded: bool = False) -> str:
    """Write the OCC symbol of a US option.

    For every listed symbol ``format_occ(parse_occ(text))`` is the text. For every option that can be
    written ``parse_occ(format_occ(option))`` is the option; what the text does not hold, the multiplier, is
    taken to be 100.

    Raises
    ------
    SymbolError
        The option cannot be written: another exchange, or terms that no root stands for.
    """
    if not isinstance(option, Option):
        raise SymbolError("instrument", option, "an option")
    text = write_occ(option, padded=padded)
    _check_same(option, read_occ(text), text)
    return text


def format_symbol(instrument: Instrument) -> str:
    """Write the canonical symbol of an instrument.

    ``parse_symbol(format_symbol(x), exchange=x.exchange) == x`` holds for everything this function does
    not refuse. The multiplier is not in the text: the exchange's own is read back.

    Raises
    ------
    SymbolError
        The text would be read as another instrument, for instance an equity with the name of an index, or a
        US option whose style and settlement no listed class has.
    TypeError
        It is no instrument.
    """
    return _format(instrument)


@lru_cache(maxsize=_CACHE_SIZE)
def _format(instrument: object) -> str:
    if not isinstance(instrument, Equity | Index | Future | Option):
        raise TypeError(f"instrument={instrument!r}: must be an Option, a Future, an Equity or an Index")
    text = format_canonical(instrument)
    try:
        back = parse_canonical(text, check_exchange(instrument.exchange))
    except TradeError as error:
        raise SymbolError("instrument", instrument, f"no symbol can name it: {error}") from error
    _check_same(instrument, back, text)
    return text


def _check_same(instrument: Instrument, back: Instrument, text: str) -> None:
    if back != instrument and replace(back, multiplier=instrument.multiplier) != instrument:
        raise SymbolError("instrument", instrument, f"no symbol can name it: {text} is {back!r}")


def underlying_of(instrument: Instrument) -> Underlying:
    """Return what the instrument settles on; a share or an index is its own underlying."""
    return instrument.underlying if isinstance(instrument, DATED) else instrument


def underlying_symbol(instrument: Instrument) -> str:
    """Return the canonical symbol of the underlying, such as ``NIFTY_IND___`` or ``TCS_STK___``."""
    return format_symbol(underlying_of(instrument))


@lru_cache(maxsize=_CACHE_SIZE)
def same_expiry_future(option: Option) -> Future:
    """Return the future on the option's underlying that expires with it, whether or not one is listed."""
    return Future(option.underlying, option.expiry)


def parse_underlying_name(text: str, *, exchange: str | None = None) -> Underlying:
    """Read the name of a share or index: ``NIFTY``, ``Nifty 50``, ``TCS`` or ``TCS_STK___``.

    Index names are matched without regard to case and spaces; those of shares are upper case. ``exchange``
    is as for :func:`parse_symbol`.

    Raises
    ------
    SymbolError
        The text cannot be a name, names a contract, or ``exchange`` contradicts it.
    """
    return _parse_name(check_text(text), exchange)


@lru_cache(maxsize=_CACHE_SIZE)
def _parse_name(text: str, exchange: str | None) -> Underlying:
    if "_" in text:
        instrument = _parse(text, exchange)
        if isinstance(instrument, Equity | Index):
            return instrument
        raise SymbolError("symbol", text, "the name of a share or index, not a contract")
    home = DEFAULT_EXCHANGE if exchange is None else check_exchange(exchange)
    index = find_index(text)
    if index is None:
        check_name(text, text)
        return find_share(text, home)
    if exchange is not None and index.exchange != home:
        raise SymbolError("exchange", exchange, f"{text} is at home on {index.exchange}: name that or none")
    return index
