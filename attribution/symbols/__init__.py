"""Text ↔ instrument: the only place that splits a symbol.

``canonical`` and ``occ`` are the grammars, ``combo`` joins symbols to legs, ``names`` and ``option_classes``
know the tables in ``data/``, and ``reading`` chooses. Importing reads no table; the first symbol does.
"""

from attribution.symbols.combo import format_legs, parse_legs
from attribution.symbols.option_classes import is_adjusted
from attribution.symbols.reading import (
    format_occ,
    format_symbol,
    parse_occ,
    parse_symbol,
    parse_underlying_name,
    same_expiry_future,
    underlying_of,
    underlying_symbol,
)

__all__ = [
    "format_legs",
    "format_occ",
    "format_symbol",
    "is_adjusted",
    "parse_legs",
    "parse_occ",
    "parse_symbol",
    "parse_underlying_name",
    "same_expiry_future",
    "underlying_of",
    "underlying_symbol",
]
