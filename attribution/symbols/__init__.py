"""Text ↔ instrument: the only place that splits a symbol.

``canonical`` and ``occ`` are the grammars, ``combo`` joins symbols to legs, ``names`` and ``option_classes``
know the tables in ``data/``, and ``reading`` chooses. Importing reads no table; the first symbol does.
``zerodha`` and ``deribit`` are vendors' grammars, whose texts are read only when asked for by name.
"""

from attribution.symbols.combo import format_legs, parse_legs
from attribution.symbols.deribit import DeribitName, format_deribit, parse_deribit
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
from attribution.symbols.zerodha import MonthlyExpiries, format_zerodha, parse_zerodha

__all__ = [
    "DeribitName",
    "MonthlyExpiries",
    "format_deribit",
    "format_legs",
    "format_occ",
    "format_symbol",
    "format_zerodha",
    "is_adjusted",
    "parse_deribit",
    "parse_legs",
    "parse_occ",
    "parse_symbol",
    "parse_underlying_name",
    "parse_zerodha",
    "same_expiry_future",
    "underlying_of",
    "underlying_symbol",
]
