"""US option classes: what a root such as SPXW says about the contract besides its underlying.

On the US exchange the root of a symbol, not the underlying, decides style and settlement: SPX and SPXW are
both options on the index SPX, but SPX is settled at the open. ``data/occ_roots.csv`` holds the roots that
are not simply the ticker of a share; every other root is a share or fund: American, settled at the close.

*Roots and dates.* SPX, NDX and RUT list open-settled options on the monthly expiry only: the third Friday,
the session before if that is a holiday, the Saturday after until January 2015. On any other date there is
but the close-settled class, so ``SPX`` on a Monday is read as SPXW: that is what people and vendors who
drop the W mean. VIX and VIXW have the same terms and never share a date.

*Adjusted roots.* After a merger, split or special dividend a contract is renamed with a digit (XOM2): its
deliverable is no longer 100 shares of XOM but some other number, or other shares and cash. Its underlying
is therefore named by the adjusted root, ``Equity("XOM2", "US")``: the deliverable of one contract, divided
by 100. That keeps XOM and XOM2 contracts of one strike and date different, makes the text round-trip, and
never lets the price of one XOM share stand for a basket. A source that knows the deliverable can price it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache, lru_cache

from attribution.calendars import get_calendar
from attribution.errors import CalendarError
from attribution.instruments import Equity, Index, Instrument, Option, Settlement, Style, Underlying
from attribution.symbols.names import find_equity, find_index, read_table

__all__ = [
    "US",
    "US_MULTIPLIER",
    "OptionClass",
    "find_share",
    "is_adjusted",
    "is_index_root",
    "option_class",
    "root_of",
]

US = "US"
US_MULTIPLIER = 100.0  # units of the underlying per listed US option contract

_ADJUSTED = re.compile(r"[A-Z]+[0-9]+")
_LAST_SATURDAY_EXPIRY = date(2015, 1, 31)  # from February 2015 on, monthly contracts expire on the Friday


class Expiries(StrEnum):
    """On which dates a class is listed."""

    ANY = "any"
    THIRD_FRIDAY = "third_friday"
    VIX_MONTHLY = "vix_monthly"


@dataclass(frozen=True, slots=True)
class OptionClass:
    """The terms all options of one root share."""

    root: str
    underlying: Underlying
    style: Style
    settlement: Settlement
    expiries: Expiries = Expiries.ANY

    def lists(self, expiry: date) -> bool:
        """Whether the class has options that expire on ``expiry``."""
        if self.expiries is Expiries.THIRD_FRIDAY:
            return _is_monthly(expiry)
        if self.expiries is Expiries.VIX_MONTHLY:
            return _is_vix_monthly(expiry)
        return True


def _third_friday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 14)


@lru_cache(maxsize=1024)
def _is_monthly(expiry: date) -> bool:
    friday = _third_friday(expiry.year, expiry.month)
    if expiry == friday + timedelta(days=1):
        return expiry <= _LAST_SATURDAY_EXPIRY
    if expiry == friday - timedelta(days=1):
        return not _is_us_session(friday)
    return expiry == friday


def _is_us_session(day: date) -> bool:
    try:
        return get_calendar(US).session_on(day) is not None
    except CalendarError:
        return True  # outside the calendar's years: take the rule without its exceptions


@lru_cache(maxsize=1024)
def _is_vix_monthly(expiry: date) -> bool:
    """Return whether a VIX monthly expires then: 30 days before the next third Friday, or a day before that.

    "Next" is next month's. A holiday on either end moves the expiry to the day before, a Tuesday. No weekly
    option expires on it otherwise, so both days are accepted without asking the calendar.
    """
    year, month = (expiry.year, expiry.month + 1) if expiry.month < 12 else (expiry.year + 1, 1)
    wednesday = _third_friday(year, month) - timedelta(days=30)
    return wednesday - timedelta(days=1) <= expiry <= wednesday


@cache
def _classes() -> dict[str, OptionClass]:
    table: dict[str, OptionClass] = {}
    for row in read_table("occ_roots.csv"):
        make = Index if row["kind"] == "index" else Equity
        table[row["root"]] = OptionClass(
            root=row["root"],
            underlying=make(row["underlying"], US),
            style=Style(row["style"]),
            settlement=Settlement(row["settlement"]),
            expiries=Expiries(row["expiries"]),
        )
    return table


@cache
def _classes_by_underlying() -> dict[Underlying, tuple[OptionClass, ...]]:
    table: dict[Underlying, tuple[OptionClass, ...]] = {}
    for row in _classes().values():
        table[row.underlying] = (*table.get(row.underlying, ()), row)
    return table


def is_index_root(name: str) -> bool:
    """Whether ``name`` is the root of index options, such as SPXW."""
    row = _classes().get(name)
    return row is not None and isinstance(row.underlying, Index)


def find_share(name: str, exchange: str) -> Equity:
    """Return the share called ``name``; on the US exchange a root such as BRKB is the share BRK.B."""
    row = _classes().get(name) if exchange == US else None
    if row is not None and isinstance(row.underlying, Equity):
        return row.underlying
    return find_equity(name, exchange)


def option_class(name: str, expiry: date) -> OptionClass:
    """Return the class of the US options written as ``name`` (a root, index or ticker) and expiring then."""
    index = find_index(name)
    row = _classes().get(name if index is None else index.name)
    if row is None:
        underlying = find_equity(name, US)
        return OptionClass(name, underlying, Style.AMERICAN, Settlement.CLOSE)
    if row.lists(expiry):
        return row
    siblings = _classes_by_underlying()[row.underlying]
    return next((other for other in siblings if other.style is row.style and other.lists(expiry)), row)


def root_of(option: Option) -> str:
    """Return the root under which a US option is listed: SPXW for a close-settled option on SPX."""
    for row in _classes_by_underlying().get(option.underlying, ()):
        if row.style is option.style and row.settlement is option.settlement and row.lists(option.expiry):
            return row.root
    return option.underlying.name


def is_adjusted(instrument: Instrument) -> bool:
    """Whether a US option's deliverable is not the standard 100 shares: no share price is its spot."""
    return (
        isinstance(instrument, Option)
        and instrument.exchange == US
        and isinstance(instrument.underlying, Equity)
        and _ADJUSTED.fullmatch(instrument.underlying.name) is not None
    )
