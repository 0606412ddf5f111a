"""Zerodha's trading symbols (Kite), both ways: ``NIFTY25N2526000CE``, ``NIFTY25NOV26000CE``, ``NIFTY25NOVFUT``.

::

    NIFTY25N2526000CE     weekly option: year 25, month N (1 to 9, O, N, D), day 25, strike 26000
    NIFTY25NOV26000CE     option of the month's last expiry: year 25, month NOV, *no day*
    NIFTY25NOVFUT         future of the month's last expiry
    INFY                  a share; on the exchanges' index segments ``NIFTY 50`` is an index

Of a month's last expiry the text holds the month only, and the day has moved too often (Thursday, Tuesday,
holidays, announcements withdrawn) to be computed: it is looked up in a table of ``expiries`` or told by ``expiry=``,
else reading fails. The same table decides how an index option is *written*: on the month's last expiry without the
day, on any other with it. Options on shares are listed on the last expiry of a month only.

The text alone does not say whose it is: ``NIFTY28MAR2420800CE`` is a strike of 2,420,800 here and an option of
28 March 2024 in symbols of the form DDMMMYY. So these symbols are read when asked for by name, and
:func:`~attribution.symbols.parse_symbol` does not try them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TypeAlias

from attribution.errors import SymbolError
from attribution.instruments import Equity, Future, Index, Instrument, Option, Right, Underlying
from attribution.symbols.months import MONTHS, date_or_none, month_number
from attribution.symbols.names import check_exchange, check_name, find_equity, find_index, read_table
from attribution.symbols.reading import check_text

__all__ = ["MonthlyExpiries", "format_zerodha", "parse_zerodha"]

MonthlyExpiries: TypeAlias = Mapping[tuple[str, int, int], date] | Callable[[str, int, int], date | None]
"""The day of the last expiry of a (name, year, month): a table, or a function that answers None if it does not know."""

_EXAMPLE = "NIFTY25N2526000CE, NIFTY25NOV26000CE or NIFTY25NOVFUT"
_WEEKLY_MONTHS = "123456789OND"
_RIGHTS = {"CE": Right.CALL, "PE": Right.PUT}
_RIGHT_NAMES = {right: name for name, right in _RIGHTS.items()}
_INDIA = ("NSE", "BSE")

_FUTURE = re.compile(r"([0-9]{2})([A-Z]{3})FUT")
_MONTHLY = re.compile(r"([0-9]{2})([A-Z]{3})([1-9][0-9]*(?:\.[0-9]+)?|0\.[0-9]+)(CE|PE)")
_WEEKLY = re.compile(r"([0-9]{2})([1-9OND])([0-9]{2})([1-9][0-9]*(?:\.[0-9]+)?|0\.[0-9]+)(CE|PE)")


@dataclass(frozen=True, slots=True)
class _Contract:
    """What the text says: ``day`` is None where it names a month only, ``right`` None for a future."""

    name: str
    year: int
    month: int
    day: int | None
    right: Right | None
    strike: float


def parse_zerodha(
    text: str, *, exchange: str | None = None, expiry: date | None = None, expiries: MonthlyExpiries | None = None
) -> Instrument:
    """Read one Kite trading symbol.

    Parameters
    ----------
    text
        Such as ``NIFTY25N2526000CE``.
    exchange
        Kite's ``exchange`` of the instrument (``NFO``, ``BFO``, ``NSE``); NSE if None. An index has one home.
    expiry
        The contract's expiry, where it is known from elsewhere (Kite's instrument dump has it).
    expiries
        The last expiry of each month, for the symbols that do not hold the day.

    Raises
    ------
    SymbolError
        The text is no Kite symbol, contradicts ``expiry`` or ``exchange``, or does not hold its day of expiry and
        neither ``expiry`` nor ``expiries`` tells it.
    """
    plain = check_text(text)
    contract = _read(plain)
    home = "NSE" if exchange is None else check_exchange(exchange)
    if contract is None:
        return _underlying(plain, plain, home, exchange)
    underlying = _underlying(plain, contract.name, home, exchange)
    day = _expiry(plain, contract, expiry, expiries)
    if contract.right is None:
        return Future(underlying, day)
    if not 0.0 < contract.strike < float("inf"):
        raise SymbolError("symbol", text, f"strike {contract.strike} is not a positive number")
    return Option(underlying, day, contract.right, contract.strike)


def _read(text: str) -> _Contract | None:
    """Return the contract, None for the bare name of a share or index; SymbolError for neither.

    Without the day comes first: ``ABC25NOV2511550CE`` is a strike of 2,511,550, not a name ``ABC25NOV``.
    """
    for split in (_read_future, _read_monthly, _read_weekly):
        for name, rest in _splits(text):
            contract = split(name, rest)
            if contract is not None:
                return contract
    if text.endswith(("CE", "PE", "FUT")) and any(c.isdigit() for c in text[:-2]) and find_index(text) is None:
        raise SymbolError("symbol", text, f"no trading symbol of Kite, as in {_EXAMPLE}")
    return None


@cache
def _names_in_digits() -> tuple[str, ...]:
    """Index names that end in a digit, which would else be taken for the year: NIFTYNXT50, SENSEX50."""
    return tuple(row["name"] for row in read_table("indices.csv") if row["name"][-1].isdigit())


def _splits(text: str) -> Iterator[tuple[str, str]]:
    """Ways to take a name off the front: known names in digits, then names that end in a letter, shortest first."""
    for name in _names_in_digits():
        if text.startswith(name):
            yield name, text[len(name) :]
    for end in range(1, len(text)):
        if not text[end - 1].isdigit():
            yield text[:end], text[end:]


def _read_future(name: str, rest: str) -> _Contract | None:
    match = _FUTURE.fullmatch(rest)
    month = month_number(match[2]) if match else None
    return None if match is None or month is None else _Contract(name, 2000 + int(match[1]), month, None, None, 0.0)


def _read_monthly(name: str, rest: str) -> _Contract | None:
    match = _MONTHLY.fullmatch(rest)
    month = month_number(match[2]) if match else None
    if match is None or month is None:
        return None
    return _Contract(name, 2000 + int(match[1]), month, None, _RIGHTS[match[4]], float(match[3]))


def _read_weekly(name: str, rest: str) -> _Contract | None:
    match = _WEEKLY.fullmatch(rest)
    if match is None:
        return None
    year, month, day = 2000 + int(match[1]), _WEEKLY_MONTHS.index(match[2]) + 1, int(match[3])
    if date_or_none(year, month, day) is None:
        return None
    return _Contract(name, year, month, day, _RIGHTS[match[5]], float(match[4]))


def _underlying(text: str, name: str, home: str, exchange: str | None) -> Underlying:
    index = find_index(name)
    found: Underlying
    if index is None:
        check_name(text, name)
        found = find_equity(name, home)
    else:
        found = index
    if found.exchange not in _INDIA or (exchange is not None and found.exchange != home):
        raise SymbolError("exchange", exchange, f"{text} is at home on {found.exchange}")
    return found


def _expiry(text: str, contract: _Contract, told: date | None, expiries: MonthlyExpiries | None) -> date:
    if contract.day is not None:
        found: date | None = date(contract.year, contract.month, contract.day)
        if told is not None and told != found:
            raise SymbolError("expiry", told, f"{text} expires on {found}")
    else:
        found = told if told is not None else _look_up(expiries, contract.name, contract.year, contract.month)
    month = f"{contract.year}-{contract.month:02}"
    if found is None:
        needed = f"the day of {contract.name}'s last expiry in {month}, which {text} does not hold"
        raise SymbolError("symbol", text, f"{needed}: give expiry=, or expiries= that knows it")
    if (found.year, found.month) != (contract.year, contract.month):
        raise SymbolError("expiry", found, f"{text} expires in {month}")
    return found


def _look_up(expiries: MonthlyExpiries | None, name: str, year: int, month: int) -> date | None:
    if expiries is None:
        return None
    return expiries(name, year, month) if callable(expiries) else expiries.get((name, year, month))


def format_zerodha(
    instrument: Instrument, *, expiries: MonthlyExpiries | None = None, monthly: bool | None = None
) -> str:
    """Write the Kite trading symbol of an Indian instrument.

    Parameters
    ----------
    instrument
        A share, an index (by its own name), a future or an option of NSE or BSE.
    expiries
        The last expiry of each month, to tell whether an index option is written without its day.
    monthly
        Says the same of this one option: whether it is of its month's last expiry.

    Raises
    ------
    SymbolError
        The contract has no Kite symbol, or it is not known whether an index option is of its month's last expiry.
    """
    if instrument.exchange not in _INDIA:
        raise SymbolError("instrument", instrument, "an instrument of NSE or BSE; Kite knows no other")
    if isinstance(instrument, Equity | Index):
        return instrument.name
    text = _write(instrument, expiries, monthly)
    if parse_zerodha(text, exchange=instrument.exchange, expiry=instrument.expiry) != instrument:
        raise SymbolError("instrument", instrument, f"no trading symbol of Kite can name it: {text} is another")
    return text


def _write(contract: Future | Option, expiries: MonthlyExpiries | None, monthly: bool | None) -> str:
    name, expiry = contract.underlying.name, contract.expiry
    if not 2000 <= expiry.year <= 2099:
        raise SymbolError(
            "instrument", contract, "an expiry in 2000 to 2099: Kite's symbols hold two digits of the year"
        )
    year, month = f"{expiry.year % 100:02}", MONTHS[expiry.month - 1]
    if isinstance(contract, Future):
        return f"{name}{year}{month}FUT"
    tail = f"{_strike_text(contract.strike)}{_RIGHT_NAMES[contract.right]}"
    if _is_monthly(contract, expiries, monthly):
        return f"{name}{year}{month}{tail}"
    return f"{name}{year}{_WEEKLY_MONTHS[expiry.month - 1]}{expiry.day:02}{tail}"


def _is_monthly(option: Option, expiries: MonthlyExpiries | None, told: bool | None) -> bool:
    if told is not None:
        return told
    if isinstance(option.underlying, Equity):
        return True
    last = _look_up(expiries, option.underlying.name, option.expiry.year, option.expiry.month)
    if last is None:
        month = f"{option.expiry:%Y-%m}"
        needed = f"the last expiry of {option.underlying.name} in {month}, to know how {option.expiry} is written"
        raise SymbolError("instrument", option, f"{needed}: give monthly=, or expiries= that knows it")
    return option.expiry == last


def _strike_text(strike: float) -> str:
    """Write the shortest decimal that reads back as the same double, without exponent."""
    return format(Decimal(repr(float(strike))), "f").removesuffix(".0")
