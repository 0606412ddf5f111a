"""What can be held: frozen, typed, validated values that know nothing of prices or text.

An instrument knows its underlying, exchange, contract multiplier and, where it ends, the instant
it expires. How it is *written* is the business of :mod:`attribution.symbols`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import IntEnum, StrEnum
from functools import cache
from typing import Final, TypeAlias

from attribution.calendars import get_calendar
from attribution.errors import TradeError

__all__ = [
    "DATED",
    "Equity",
    "Future",
    "Index",
    "Instrument",
    "Leg",
    "Option",
    "Right",
    "Settlement",
    "Style",
    "Underlying",
]


class Right(IntEnum):
    """Call or put, as the sign φ of the pricing formulas."""

    CALL = 1
    PUT = -1


class Style(StrEnum):
    """When an option may be exercised. American contracts are priced as European and flagged."""

    EUROPEAN = "european"
    AMERICAN = "american"


class Settlement(StrEnum):
    """Whether the final settlement value is struck at the open or the close of the expiry session."""

    OPEN = "open"
    CLOSE = "close"


@cache
def _expires_at(exchange: str, expiry: date, settlement: Settlement) -> datetime:
    calendar = get_calendar(exchange)
    return calendar.expiry_instant(expiry, at_open=settlement is Settlement.OPEN)


def _check_name(name: str) -> None:
    if not name or "_" in name or "?" in name or ":" in name or any(c.isspace() for c in name):
        raise TradeError("name", name, "a non-empty name without '_', '?', ':' or white space")


def _check_multiplier(multiplier: float) -> None:
    if not (math.isfinite(multiplier) and multiplier > 0.0):
        raise TradeError("multiplier", multiplier, "a positive finite number")


class _Hashed:
    """Instruments are the keys of every table of prices: their hash is worked out once."""

    __slots__ = ("_hash",)

    def __hash__(self) -> int:
        try:
            return self._hash  # type: ignore[attr-defined, no-any-return]
        except AttributeError:
            found = hash(tuple(getattr(self, field.name) for field in fields(self)))  # type: ignore[arg-type]
            object.__setattr__(self, "_hash", found)
            return found


@dataclass(frozen=True, slots=True)
class Equity(_Hashed):
    """A share. One unit is one share; it never expires."""

    name: str
    exchange: str = "NSE"
    multiplier: float = 1.0

    __hash__ = _Hashed.__hash__

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_multiplier(self.multiplier)


@dataclass(frozen=True, slots=True)
class Index(_Hashed):
    """An index level. It cannot be held, but it is what index futures and options settle on."""

    name: str
    exchange: str = "NSE"
    multiplier: float = 1.0

    __hash__ = _Hashed.__hash__

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_multiplier(self.multiplier)


Underlying: TypeAlias = Equity | Index


@dataclass(frozen=True, slots=True)
class Future(_Hashed):
    """A future on an equity or index, expiring on the session labelled ``expiry``."""

    underlying: Underlying
    expiry: date
    multiplier: float = 1.0
    settlement: Settlement = Settlement.CLOSE

    __hash__ = _Hashed.__hash__

    def __post_init__(self) -> None:
        _check_multiplier(self.multiplier)

    @property
    def exchange(self) -> str:
        """Exchange code of the underlying."""
        return self.underlying.exchange

    @property
    def expires_at(self) -> datetime:
        """The zone-aware instant of the final settlement value."""
        return _expires_at(self.exchange, self.expiry, self.settlement)


@dataclass(frozen=True, slots=True)
class Option(_Hashed):
    """A vanilla option; ``strike`` in currency per unit of the underlying."""

    underlying: Underlying
    expiry: date
    right: Right
    strike: float
    multiplier: float = 1.0
    style: Style = Style.EUROPEAN
    settlement: Settlement = Settlement.CLOSE

    __hash__ = _Hashed.__hash__

    def __post_init__(self) -> None:
        if not (math.isfinite(self.strike) and self.strike > 0.0):
            raise TradeError("strike", self.strike, "a positive finite number")
        _check_multiplier(self.multiplier)

    @property
    def exchange(self) -> str:
        """Exchange code of the underlying."""
        return self.underlying.exchange

    @property
    def expires_at(self) -> datetime:
        """The zone-aware instant of the final settlement value; from it on ``T = 0``."""
        return _expires_at(self.exchange, self.expiry, self.settlement)


DATED: Final = (Future, Option)
"""The instruments that expire."""

Instrument: TypeAlias = Equity | Index | Future | Option


@dataclass(frozen=True, slots=True)
class Leg:
    """One instrument of a trade: ``ratio`` is its signed weight, ``symbol`` the text it was read from."""

    instrument: Instrument
    ratio: int
    symbol: str

    def __post_init__(self) -> None:
        if self.ratio == 0:
            raise TradeError("ratio", self.ratio, f"a non-zero whole number for leg {self.symbol}")
