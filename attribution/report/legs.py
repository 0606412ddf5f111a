"""The legs of a result in words: what each is, and which belong together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from attribution.errors import SymbolError
from attribution.instruments import Future, Option, Right
from attribution.status import Flag
from attribution.symbols import parse_symbol, parse_underlying_name

__all__ = ["LegWords", "join_words", "legs_of", "underlying_name"]


@dataclass(frozen=True, slots=True)
class LegWords:
    """One leg of a result: its numbers, and the words for it."""

    kind: str
    strike: str
    result: Mapping[str, Any]

    @property
    def side(self) -> str:
        """Which side the position is on."""
        return "short" if self.result["quantity"] < 0 else "long"

    @property
    def is_option(self) -> bool:
        """Whether it is a call or a put."""
        return self.kind in ("call", "put")

    @property
    def name(self) -> str:
        """The leg in words: ``"23,600 call"``, ``"future"``."""
        return f"{self.strike} {self.kind}" if self.strike else self.kind

    @property
    def position(self) -> str:
        """The leg in full: ``"-75 NIFTY 2025-01-09 23,600 call"``."""
        words = [f"{self.result['quantity']:+,.10g}", underlying_name(str(self.result["underlying"]))]
        if self.result["expiry"] is not None:
            words.append(str(self.result["expiry"]))
        return " ".join([*words, self.name])

    @property
    def expired(self) -> bool:
        """Whether it ended at its payoff."""
        return str(Flag.EXPIRED_IN_WINDOW) in self.result["flags"]

    @property
    def ends_at(self) -> datetime:
        """The end of its own window."""
        end: datetime = self.result["window"]["end"]
        return end

    @property
    def vol_change(self) -> float:
        """How far its implied vol moved, NaN where it has none of its own at both ends. [vol points]"""
        borrowed = {str(Flag.VOL_BORROWED), str(Flag.NO_VOL)}.intersection(self.result["flags"])
        if not self.is_option or borrowed or self.expired:
            return math.nan
        return 100.0 * (float(self.result["vol1"]) - float(self.result["vol0"]))


def legs_of(result: Mapping[str, Any]) -> list[LegWords]:
    """The legs of a result, in their order."""
    return [_leg(symbol, leg) for symbol, leg in result["per_leg"].items()]


def _leg(symbol: str, leg: Mapping[str, Any]) -> LegWords:
    try:
        instrument = parse_symbol(symbol)
    except SymbolError:
        return LegWords(symbol, "", leg)
    if isinstance(instrument, Option):
        kind = "call" if instrument.right is Right.CALL else "put"
        return LegWords(kind, f"{instrument.strike:,.10g}", leg)
    return LegWords("future" if isinstance(instrument, Future) else "share", "", leg)


def underlying_name(symbol: str) -> str:
    """The plain name of an underlying: ``NIFTY_IND___`` → ``NIFTY``."""
    for read in (parse_symbol, parse_underlying_name):
        try:
            instrument = read(symbol)
        except SymbolError:
            continue
        return str(getattr(instrument, "name", symbol))
    return symbol


def join_words(words: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *others, last = list(words) or [""]
    return f"{', '.join(others)} and {last}" if others else last
