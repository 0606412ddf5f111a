"""Sources made of the caller's own values: dicts, lists and callables.

They answer from what they were given and from nothing else. All values are checked here: a value that
is not a number is a :class:`~attribution.errors.TradeError`, a NaN or None is ``Missing``.
"""

from attribution.market.fixed.closes import CloseTable
from attribution.market.fixed.columns import PriceColumns
from attribution.market.fixed.fills import LegPriceFunction, LegPriceTable
from attribution.market.fixed.functions import PriceFunction
from attribution.market.fixed.prices import PriceTable
from attribution.market.fixed.values import SpotValue, UnderlyingPrice

__all__ = [
    "CloseTable",
    "LegPriceFunction",
    "LegPriceTable",
    "PriceColumns",
    "PriceFunction",
    "PriceTable",
    "SpotValue",
    "UnderlyingPrice",
]
