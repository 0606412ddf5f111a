"""Deribit's names: ``BTC-16JAN26-82000-C``, ``XRP_USDC-30JUN25-0d625-C``, ``BTC-16JAN26``, ``BTC-PERPETUAL``.

A name is read to a :class:`DeribitName` and written back, and that is all: it is no
:class:`~attribution.instruments.Instrument`. Deribit trades without sessions, so that no calendar here has its
hours, and its coin-settled contracts pay ``max(S − K, 0) / S`` coins, which the model of a leg does not price. A name
turned into an option on NSE's hours would give numbers that look right and are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal

from attribution.errors import SymbolError
from attribution.instruments import Right
from attribution.symbols.months import MONTHS, date_or_none, month_number
from attribution.symbols.reading import check_text

__all__ = ["DeribitName", "format_deribit", "parse_deribit"]

_EXAMPLES = "BTC-16JAN26-82000-C, BTC-16JAN26 or BTC-PERPETUAL"
_UNDERLYING = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)?")
_DATE = re.compile(r"([1-9]|[12][0-9]|3[01])([A-Z]{3})([0-9]{2})")
_STRIKE = re.compile(r"[0-9]+(d[0-9]+)?")
_RIGHTS = {"C": Right.CALL, "P": Right.PUT}
_PERPETUAL = "PERPETUAL"
_EXPIRES = time(8, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DeribitName:
    """What a Deribit name says.

    ``underlying`` is the pair as written (``BTC``, ``XRP_USDC``). ``expiry`` is None for a perpetual; ``right`` and
    ``strike`` are None unless it is an option. ``strike`` in the quote currency per unit of the underlying.
    """

    underlying: str
    expiry: date | None = None
    right: Right | None = None
    strike: float | None = None

    @property
    def is_option(self) -> bool:
        """Whether the name is that of an option."""
        return self.right is not None

    @property
    def is_inverse(self) -> bool:
        """Whether it is settled, and an option quoted, in the coin itself: names without a quote currency are."""
        return "_" not in self.underlying

    @property
    def expires_at(self) -> datetime | None:
        """The instant of expiry, 08:00 UTC; None for a perpetual."""
        return None if self.expiry is None else datetime.combine(self.expiry, _EXPIRES)


def parse_deribit(text: str) -> DeribitName:
    """Read one Deribit instrument name.

    For every name that Deribit writes ``format_deribit(parse_deribit(text))`` is the text.

    Raises
    ------
    SymbolError
        The text has another shape or names an impossible contract; spot pairs and combos are not read.
    """
    plain = check_text(text)
    underlying, *rest = plain.split("-")
    if not _UNDERLYING.fullmatch(underlying) or len(rest) not in (1, 3):
        raise SymbolError("symbol", text, f"no option, future or perpetual of Deribit, as in {_EXAMPLES}")
    if rest == [_PERPETUAL]:
        return DeribitName(underlying)
    expiry = _read_date(plain, rest[0])
    if len(rest) == 1:
        return DeribitName(underlying, expiry)
    right = _RIGHTS.get(rest[2])
    if right is None:
        raise SymbolError("symbol", text, f"right {rest[2]!r} is not C or P, as in {_EXAMPLES}")
    return DeribitName(underlying, expiry, right, _read_strike(plain, rest[1]))


def _read_date(text: str, words: str) -> date:
    match = _DATE.fullmatch(words)
    expiry = date_or_none(2000 + int(match[3]), month_number(match[2]), int(match[1])) if match else None
    if expiry is None:
        raise SymbolError("symbol", text, f"expiry {words!r} is not a date DMMMYY, as in 8JAN26")
    return expiry


def _read_strike(text: str, digits: str) -> float:
    strike = float(digits.replace("d", ".")) if _STRIKE.fullmatch(digits) else 0.0
    if not 0.0 < strike < float("inf"):
        raise SymbolError("symbol", text, f"strike {digits!r} is not a positive decimal, as in 82000 or 0d625")
    return strike


def format_deribit(name: DeribitName) -> str:
    """Write a Deribit instrument name.

    Raises
    ------
    SymbolError
        No name reads back as this value.
    """
    text = _write(name)
    if parse_deribit(text) != name:
        raise SymbolError("name", name, f"what a Deribit name can say; {text} is another")
    return text


def _write(name: DeribitName) -> str:
    if name.expiry is None:
        return f"{name.underlying}-{_PERPETUAL}"
    day = f"{name.expiry.day}{MONTHS[name.expiry.month - 1]}{name.expiry.year % 100:02}"
    if name.right is None or name.strike is None:
        return f"{name.underlying}-{day}"
    strike = format(Decimal(repr(float(name.strike))), "f").removesuffix(".0").replace(".", "d")
    return f"{name.underlying}-{day}-{strike}-{name.right.name[0]}"
