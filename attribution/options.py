"""The keyword arguments of the calls for many trades, for type checkers: what goes in decides what comes out.

The calls spell them out themselves, for readers and for ``help``; a test holds the two to each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from attribution.market.given import LegPrices, SpotPrices
from attribution.market.source import Broker
from attribution.tables import Level, NativeFrame

__all__ = ["DailyOptions", "ManyOptions"]


class _Options(TypedDict, total=False):
    """What :func:`~attribution.calculate_attribution_for_trades` documents, and ``attribute_daily`` takes too."""

    level: Level
    columns: Mapping[str, str] | None
    keep: Sequence[str]
    threads: int | None
    spot_prices: SpotPrices | NativeFrame | None
    leg_prices: LegPrices | None
    current_time: object
    historical_cache: Mapping[Any, Any] | None
    method: str
    order: Sequence[str]
    clock: str
    rate: float
    dividend_yield: float
    detail: bool
    raise_on_missing: bool
    steps: int
    price_tick: float


class ManyOptions(_Options, total=False):
    """Of :func:`~attribution.calculate_attribution_for_trades`."""

    day: bool


class DailyOptions(_Options, total=False):
    """Of :func:`~attribution.attribute_daily`."""

    broker: Broker | None
