"""The OCC grammar: root, ``YYMMDD``, ``C`` or ``P``, strike × 1000 in eight digits.

::

    SPXW  230113P03965000    padded: the root fills six places
    SPXW230113P03965000      unpadded: the same contract
    XOM2241220P00280000      root XOM2, an adjusted contract, expiring on 2024-12-20

The last fifteen characters have fixed places, so a root may end in a digit. What a root means is told by
:mod:`attribution.symbols.option_classes`. Roots that start with a digit (FLEX contracts) are refused: their
style and settlement are not in the text.
"""

from __future__ import annotations

import re
from datetime import date

from attribution.errors import SymbolError
from attribution.instruments import Option, Right
from attribution.symbols.option_classes import US, US_MULTIPLIER, option_class, root_of

__all__ = ["OCC_EXAMPLE", "is_occ", "read_occ", "write_occ"]

OCC_EXAMPLE = "SPXW230113P03965000"

_ROOT_PLACES = 6
_ROOT = re.compile(r"[A-Z]+[0-9]*")
_SHAPE = re.compile(r"([A-Z0-9]+)( *)([0-9]{6})([CP])([0-9]{8})")
_RIGHTS = {"C": Right.CALL, "P": Right.PUT}
_STRIKE_UNIT = 1000.0  # strikes are written in thousandths
_MAX_STRIKE_DIGITS = 99_999_999


def is_occ(text: str) -> bool:
    """Whether the text has the shape of an OCC symbol; its date may still be impossible."""
    return _SHAPE.fullmatch(text) is not None


def read_occ(text: str) -> Option:
    """Read one OCC symbol, padded or not, as an option on the US exchange.

    Raises
    ------
    SymbolError
        The text has the wrong shape or names an impossible contract.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise SymbolError(
            "symbol",
            text,
            f"not an OCC symbol: root, YYMMDD, C or P, 8 digits of strike, as in {OCC_EXAMPLE}",
        )
    root, padding, day, right, digits = match.groups()
    _check_root(text, root)
    if padding and len(root) + len(padding) != _ROOT_PLACES:
        raise SymbolError(
            "symbol",
            text,
            f"the root {root} is padded to {len(root + padding)} places: pad to 6 or not at all",
        )
    strike = int(digits)
    if strike == 0:
        raise SymbolError("symbol", text, "strike 00000000 is not positive")
    expiry = _read_date(text, day)
    terms = option_class(root, expiry)
    return Option(
        terms.underlying,
        expiry,
        _RIGHTS[right],
        strike / _STRIKE_UNIT,
        US_MULTIPLIER,
        terms.style,
        terms.settlement,
    )


def _check_root(text: str, root: str) -> None:
    if root[0].isdigit():
        raise SymbolError(
            "symbol",
            text,
            f"root {root} is a FLEX contract, whose terms are not in its symbol: not supported",
        )
    if len(root) > _ROOT_PLACES or not _ROOT.fullmatch(root):
        raise SymbolError("symbol", text, f"root {root!r} is not 1 to 6 letters, then digits, as in XOM or XOM2")


def _read_date(text: str, digits: str) -> date:
    try:
        return date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:]))
    except ValueError:
        raise SymbolError("symbol", text, f"expiry {digits} is not a date YYMMDD, as in 230113") from None


def write_occ(option: Option, *, padded: bool) -> str:
    """Write the OCC symbol, without asking whether it reads back as the same option.

    Raises
    ------
    SymbolError
        The contract does not fit the grammar: another exchange, century, root or fineness of strike.
    """
    if option.exchange != US:
        raise SymbolError("instrument", option, "an option on the US exchange; OCC symbols name no other")
    if not 2000 <= option.expiry.year <= 2099:
        raise SymbolError("instrument", option, "an expiry in 2000 to 2099; OCC symbols hold two digits of the year")
    thousandths = round(option.strike * _STRIKE_UNIT)
    if not 0 < thousandths <= _MAX_STRIKE_DIGITS or thousandths / _STRIKE_UNIT != option.strike:
        raise SymbolError("instrument", option, "a strike in whole thousandths up to 99999.999")
    root = root_of(option)
    if len(root) > _ROOT_PLACES or not _ROOT.fullmatch(root):
        raise SymbolError("instrument", option, f"an OCC root of 1 to 6 letters, then digits; {root} is none")
    if padded:
        root = root.ljust(_ROOT_PLACES)
    return f"{root}{option.expiry:%y%m%d}{option.right.name[0]}{thousandths:08d}"
