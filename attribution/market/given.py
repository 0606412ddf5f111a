"""The market of one call: the caller's own prices first, then the broker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from attribution.market.cache import cached
from attribution.market.final import SETTLING
from attribution.market.fixed import (
    CloseTable,
    LegPriceFunction,
    LegPriceTable,
    PriceColumns,
    PriceFunction,
    PriceTable,
    SpotValue,
)
from attribution.market.source import Market

__all__ = ["LegPrices", "SpotPrices", "market_of"]

SpotPrices: TypeAlias = (
    Mapping[Any, SpotValue]
    | Iterable[Sequence[Any]]
    | Callable[[str, str, datetime], SpotValue]
    | PriceTable
    | PriceColumns
    | PriceFunction
)
"""What ``spot_prices=`` takes; a :class:`PriceTable` or :class:`PriceColumns` built once serves many calls."""

LegPrices: TypeAlias = (
    Mapping[str, Any] | Iterable[Sequence[Any]] | Callable[[str, Any], float | None] | LegPriceTable | LegPriceFunction
)
"""What ``leg_prices=`` takes."""


def market_of(
    broker: object = None,
    spot_prices: SpotPrices | None = None,
    leg_prices: LegPrices | None = None,
    historical_cache: Mapping[Any, Any] | None = None,
) -> Market:
    """Return who is asked for what, in which order.

    Prices: ``spot_prices``, broker. Fills: ``leg_prices``, then a price of the leg itself in ``spot_prices`` at exactly
    the instant of the fill, broker. Closes: ``historical_cache``, ``spot_prices``, broker. What the broker answered is
    kept by the process-wide cache of that broker object.
    """
    spot = _spot_source(spot_prices)
    legs = _leg_source(leg_prices)
    prices = () if spot is None else (spot,)
    table = (spot,) if isinstance(spot, (PriceTable, PriceColumns)) else ()
    stated = () if legs is None else (legs,)
    asked = None if broker is None else cached(broker)
    settling = SETTLING if asked is None else asked.settling
    own = [source.name for source in prices]
    memory = None if historical_cache is None else CloseTable(historical_cache, settling=settling, besides=own)
    market = Market(
        price_sources=prices,
        close_sources=prices if memory is None else (memory, *prices),
        quote_sources=table,
        fill_sources=(*stated, *table),
        stated_fill_sources=stated,
        given=spot if isinstance(spot, PriceTable) else None,
        given_fills=legs if isinstance(legs, LegPriceTable) else None,
        close_memory=memory,
        asks_forwards=not isinstance(spot, PriceTable) or spot.holds_forwards,
    )
    return market if asked is None else market.with_broker(asked)


def _spot_source(prices: SpotPrices | None) -> PriceTable | PriceColumns | PriceFunction | None:
    if prices is None or isinstance(prices, (PriceTable, PriceColumns, PriceFunction)):
        return prices
    return PriceFunction(prices) if callable(prices) else PriceTable(prices)


def _leg_source(prices: LegPrices | None) -> LegPriceTable | LegPriceFunction | None:
    if prices is None or isinstance(prices, (LegPriceTable, LegPriceFunction)):
        return prices
    return LegPriceFunction(prices) if callable(prices) else LegPriceTable(prices)
