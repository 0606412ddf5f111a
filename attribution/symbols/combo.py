"""Combos: ``SYMBOL?ratio:SYMBOL?ratio``, each leg in any grammar.

A text is a combo if it contains ``?``; otherwise it is one instrument with ratio +1. A ratio is a signed
whole number. Legs that name the same instrument are merged by adding their ratios and keep the
place and the text of the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from attribution.errors import SymbolError
from attribution.instruments import Instrument, Leg
from attribution.symbols.names import check_exchange
from attribution.symbols.occ import is_occ
from attribution.symbols.option_classes import US
from attribution.symbols.reading import DEFAULT_EXCHANGE, check_text, parse_symbol, read_symbol

__all__ = ["format_legs", "parse_legs"]

_EXAMPLE = "NIFTY_OPT_20250130_CALL_23500?-1:NIFTY_OPT_20250130_PUT_23500?-1"
_RATIO = re.compile(r"[+-]?[0-9]{1,9}")


def parse_legs(text: str, *, exchange: str | None = None) -> tuple[Leg, ...]:
    """Read a combo, or a single symbol as one leg of ratio +1.

    Parameters
    ----------
    text
        Such as ``A?1:B?-2``; see :mod:`attribution.symbols.combo`.
    exchange
        As for :func:`~attribution.symbols.parse_symbol`. In a combo it is the home of the names that have no
        other; legs on several exchanges may be mixed, but at least one must be on this one. If None, and
        a leg is an OCC symbol, it is US (``SPY_STK___?100:SPY240119C00450000?-1``), else NSE.

    Returns
    -------
    tuple of Leg
        Distinct instruments in the order of first appearance, ratios other than zero. ``Leg.symbol`` is
        the text as written.

    Raises
    ------
    SymbolError
        A leg cannot be read, a ratio is zero or no whole number, or the legs of an instrument cancel.
    """
    return _parse_legs(check_text(text), exchange)


@lru_cache(maxsize=65536)
def _parse_legs(text: str, exchange: str | None) -> tuple[Leg, ...]:
    if "?" not in text:
        return (Leg(parse_symbol(text, exchange=exchange), 1, text),)
    parts = [_split_part(text, part) for part in text.split(":")]
    home = _home(exchange, [symbol for symbol, _ in parts])
    symbols: dict[Instrument, str] = {}
    ratios: dict[Instrument, int] = {}
    for symbol, ratio in parts:
        instrument = read_symbol(symbol, home)
        symbols.setdefault(instrument, symbol)
        ratios[instrument] = ratios.get(instrument, 0) + ratio
    for instrument, ratio in ratios.items():
        if ratio == 0:
            raise SymbolError("symbol", text, f"the legs of {symbols[instrument]} cancel to a ratio of zero")
    if exchange is not None and all(instrument.exchange != home for instrument in ratios):
        raise SymbolError("exchange", exchange, f"no leg of {text} is at home there: name another or none")
    return tuple(Leg(instrument, ratio, symbols[instrument]) for instrument, ratio in ratios.items())


def _split_part(text: str, part: str) -> tuple[str, int]:
    symbol, mark, ratio = part.partition("?")
    symbol, ratio = symbol.strip(), ratio.strip()
    if not mark or not symbol or not _RATIO.fullmatch(ratio):
        raise SymbolError(
            "symbol", text, f"leg {part!r} is not SYMBOL?ratio with a signed whole number, as in {_EXAMPLE}"
        )
    if int(ratio) == 0:
        raise SymbolError("symbol", text, f"leg {part!r} has a ratio of zero")
    return symbol, int(ratio)


def _home(exchange: str | None, symbols: list[str]) -> str:
    if exchange is not None:
        return check_exchange(exchange)
    return US if any(is_occ(symbol) for symbol in symbols) else DEFAULT_EXCHANGE


def format_legs(legs: Iterable[Leg]) -> str:
    """Write legs as the text they were read from: a single symbol, or a combo if there is a ratio to tell.

    ``parse_legs(format_legs(legs), exchange=…) == legs`` for the exchange they were read with.
    """
    legs = tuple(legs)
    if not legs:
        raise SymbolError("symbol", "", f"at least one leg, as in {_EXAMPLE}")
    if len(legs) == 1 and legs[0].ratio == 1:
        return legs[0].symbol
    return ":".join(f"{leg.symbol}?{leg.ratio}" for leg in legs)
