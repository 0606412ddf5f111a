"""What a caller may write as a key and as a price, read in one way by every source."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from attribution.errors import BrokerError, MarketDataError, SymbolError, TradeError
from attribution.fields import as_number
from attribution.instruments import Future
from attribution.symbols import format_symbol, parse_symbol, parse_underlying_name

__all__ = [
    "CALLABLE_ERRORS",
    "SpotValue",
    "UnderlyingPrice",
    "as_underlying_price",
    "canonical_key",
    "forward_for",
    "forward_of",
    "spot_of",
]


class UnderlyingPrice(NamedTuple):
    """Spot and forward of an underlying at one instant, so that the basis can be told from the spot.

    ``forward`` is the price for delivery at the option's expiry [currency per unit], or a mapping from
    expiry (a date or ``"YYYYMMDD"``) to such prices, or None where only the spot is known.
    """

    spot: float
    forward: float | Mapping[Any, float] | None = None


SpotValue: TypeAlias = float | UnderlyingPrice | tuple[float, float] | Mapping[str, Any] | None

#: What a callable of the caller may raise to say "I could not answer"; anything else is its bug and is raised.
CALLABLE_ERRORS = (LookupError, OSError, ValueError, BrokerError, MarketDataError)


class Key(NamedTuple):
    """What a caller's symbol stands for."""

    text: str
    exchange: str | None
    is_future: bool


@lru_cache(maxsize=65536)
def canonical_key(symbol: str, exchange: str | None) -> Key:
    """Return canonical text and exchange of a key; an unreadable symbol stands for itself."""
    try:
        instrument = parse_symbol(symbol, exchange=exchange)
    except SymbolError:
        try:
            instrument = parse_underlying_name(symbol, exchange=exchange)
        except SymbolError:
            return Key(symbol, exchange, is_future=False)
    return Key(format_symbol(instrument), instrument.exchange, isinstance(instrument, Future))


def spot_of(field: str, value: object) -> object:
    """Return what stands for the spot in a given value, unchecked."""
    return _spot_and_forward(field, value)[0]


def as_underlying_price(field: str, value: object) -> UnderlyingPrice | None:
    """Return spot and forward of a given value, or None where it holds no spot.

    Raises
    ------
    TradeError
        The value has another shape, or is not a finite number; ``field`` names it in the message.
    """
    spot, forward = _spot_and_forward(field, value)
    checked = as_number(field, spot)
    return None if checked is None else UnderlyingPrice(checked, forward)


def _spot_and_forward(field: str, value: object) -> tuple[object, Any]:
    if isinstance(value, tuple):
        if len(value) != 2:
            raise TradeError(field, value, "a price, or a pair (spot, forward)")
        return value
    if isinstance(value, Mapping):
        if "spot" not in value:
            raise TradeError(field, value, 'a price, or a mapping with "spot" and "forward"')
        return value["spot"], value.get("forward")
    return value, None


def forward_of(field: str, value: object, expiry: date) -> float | None:
    """Return the forward for delivery at ``expiry`` in a given value, whether or not a spot stands beside it.

    In the currency, per unit; None where there is none.
    """
    return forward_for(field, _spot_and_forward(field, value)[1], expiry)


def forward_for(field: str, forward: object, expiry: date) -> float | None:
    """Return the forward for delivery at ``expiry`` among one or several, or None. [currency per unit]"""
    if not isinstance(forward, Mapping):
        return as_number(field, forward)
    for key in (expiry, expiry.strftime("%Y%m%d"), expiry.isoformat()):
        if key in forward:
            return as_number(field, forward[key])
    for key, one in forward.items():  # a Timestamp of that day equals no date
        if isinstance(key, datetime) and key.date() == expiry:
            return as_number(field, one)
    return None
