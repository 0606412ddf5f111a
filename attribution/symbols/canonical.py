"""The canonical grammar: ``BASE_KIND_EXPIRY_RIGHT_STRIKE``, always five fields.

::

    TCS_STK___                        a share
    NIFTY_IND___                      an index
    NIFTY_FUT_20250130__              a future (a third trailing underscore is read, never written)
    NIFTY_OPT_20250130_CALL_23500     an option; the strike is the shortest decimal that reads back exactly

BASE is upper case and may contain ``&``, ``-`` and ``.`` but never ``_``. KIND and RIGHT are read in any case
and written in upper case. The text does not hold the exchange: an index is at home where the index table
says, everything else on the exchange the caller names. For options on US indices BASE is the root
(``SPXW``), because the root holds style and settlement; see :mod:`attribution.symbols.option_classes`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from attribution.errors import SymbolError
from attribution.instruments import Equity, Future, Index, Instrument, Option, Right, Underlying
from attribution.symbols.names import check_name, find_index
from attribution.symbols.option_classes import (
    US,
    US_MULTIPLIER,
    find_share,
    is_index_root,
    option_class,
    root_of,
)

__all__ = ["format_canonical", "parse_canonical"]

_RIGHTS = {"CALL": Right.CALL, "PUT": Right.PUT}
_EXAMPLES = {
    "STK": "TCS_STK___",
    "IND": "NIFTY_IND___",
    "FUT": "NIFTY_FUT_20250130__",
    "OPT": "NIFTY_OPT_20250130_CALL_23500",
}
_DATE = re.compile(r"[0-9]{8}")
_STRIKE = re.compile(r"[0-9]+(\.[0-9]+)?")


def parse_canonical(text: str, default_exchange: str) -> Instrument:
    """Read one canonical symbol.

    Parameters
    ----------
    text
        The symbol, without surrounding white space.
    default_exchange
        Exchange code of every name that is not in the index table.

    Raises
    ------
    SymbolError
        The text has the wrong shape or names an impossible contract.
    """
    fields = text.split("_")
    kind = fields[1].upper() if len(fields) > 1 else ""
    if kind == "FUT" and len(fields) == 6 and fields[5] == "":
        del fields[5]
    read = _READERS.get(kind)
    if len(fields) != 5 or not fields[0]:
        example = _EXAMPLES.get(kind, _EXAMPLES["OPT"])
        raise SymbolError(
            "symbol",
            text,
            f"{len(fields)} fields where BASE_KIND_EXPIRY_RIGHT_STRIKE has 5 and a BASE, as in {example}",
        )
    if read is None:
        raise SymbolError("symbol", text, f"kind {fields[1]!r} is not one of {', '.join(_EXAMPLES)}")
    check_name(text, fields[0])
    return read(text, fields, default_exchange)


def _read_equity(text: str, fields: list[str], default_exchange: str) -> Equity:
    _check_empty(text, "STK", fields[2:])
    underlying = _underlying(text, fields[0], default_exchange)
    if isinstance(underlying, Index):
        raise SymbolError("symbol", text, f"{fields[0]} is an index: write {underlying.name}_IND___")
    return underlying


def _read_index(text: str, fields: list[str], default_exchange: str) -> Index:
    _check_empty(text, "IND", fields[2:])
    _refuse_root(text, fields[0])
    # An index outside the table has no listed derivatives, but its level can still be asked for.
    return find_index(fields[0]) or Index(fields[0], default_exchange)


def _read_future(text: str, fields: list[str], default_exchange: str) -> Future:
    _check_empty(text, "FUT", fields[3:])
    return Future(_underlying(text, fields[0], default_exchange), _read_date(text, fields[2]))


def _read_option(text: str, fields: list[str], default_exchange: str) -> Option:
    name, _, expiry_text, right_text, strike_text = fields
    expiry = _read_date(text, expiry_text)
    right = _RIGHTS.get(right_text.upper())
    if right is None:
        raise SymbolError("symbol", text, f"right {right_text!r} is not CALL or PUT, as in {_EXAMPLES['OPT']}")
    strike = _read_strike(text, strike_text)
    index = find_index(name)
    exchange = default_exchange if index is None else index.exchange
    if exchange == US or is_index_root(name):
        terms = option_class(name, expiry)
        return Option(terms.underlying, expiry, right, strike, US_MULTIPLIER, terms.style, terms.settlement)
    return Option(index or find_share(name, exchange), expiry, right, strike)


_READERS: dict[str, Callable[[str, list[str], str], Instrument]] = {
    "STK": _read_equity,
    "IND": _read_index,
    "FUT": _read_future,
    "OPT": _read_option,
}


def _underlying(text: str, name: str, default_exchange: str) -> Underlying:
    _refuse_root(text, name)
    return find_index(name) or find_share(name, default_exchange)


def _refuse_root(text: str, name: str) -> None:
    """SPXW is a class of options; there is no share, index or future of that name."""
    if find_index(name) is None and is_index_root(name):
        raise SymbolError("symbol", text, f"{name} is a root of index options, not a name: write its index")


def _check_empty(text: str, kind: str, fields: list[str]) -> None:
    if any(fields):
        raise SymbolError(
            "symbol", text, f"{'_'.join(fields)!r} where {kind} has empty fields, as in {_EXAMPLES[kind]}"
        )


def _read_date(text: str, digits: str) -> date:
    try:
        if _DATE.fullmatch(digits):
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        pass
    raise SymbolError("symbol", text, f"expiry {digits!r} is not a date YYYYMMDD, as in 20250130")


def _read_strike(text: str, digits: str) -> float:
    strike = float(digits) if _STRIKE.fullmatch(digits) else math.nan
    if not 0.0 < strike < math.inf:
        raise SymbolError(
            "symbol",
            text,
            f"strike {digits!r} is not a positive decimal without sign or exponent, as in 23500 or 0.625",
        )
    return strike


def format_canonical(instrument: Instrument) -> str:
    """Write the canonical symbol, without asking whether it reads back as the same instrument."""
    if isinstance(instrument, Equity):
        return f"{instrument.name}_STK___"
    if isinstance(instrument, Index):
        return f"{instrument.name}_IND___"
    if isinstance(instrument, Future):
        return f"{instrument.underlying.name}_FUT_{_date_text(instrument.expiry)}__"
    base = instrument.underlying.name
    if instrument.exchange == US and isinstance(instrument.underlying, Index):
        base = root_of(instrument)
    expiry, strike = _date_text(instrument.expiry), _strike_text(instrument.strike)
    return f"{base}_OPT_{expiry}_{instrument.right.name}_{strike}"


def _date_text(day: date) -> str:
    return f"{day.year:04}{day.month:02}{day.day:02}"


def _strike_text(strike: float) -> str:
    """Write the shortest decimal that reads back as the same double, without exponent."""
    shortest = repr(float(strike))
    if "e" in shortest:
        shortest = format(Decimal(shortest), "f")
    return shortest.removesuffix(".0")
