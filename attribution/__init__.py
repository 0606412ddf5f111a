"""Options P&L attribution: how much of a P&L came from spot, vol, time and spread.

The parts add up to the P&L exactly. Start with :func:`calculate_attribution_for_trade`.
"""

from typing import TYPE_CHECKING, Any

from attribution.daily import attribute_daily
from attribution.dataset import DatasetError, DatasetSummary, attribute_dataset
from attribution.errors import (
    AttributionError,
    BrokerError,
    CalendarError,
    MarketDataError,
    NoSourceError,
    SymbolError,
    TradeError,
)
from attribution.kernels import attribute_legs, black_greeks, black_price, implied_vol
from attribution.lookups import (
    UnderlyingFound,
    get_historical_close_price,
    get_option_underlying_price,
    get_spot_price_at_time,
    mtm_entry_price,
    mtm_exit_price,
)
from attribution.market.cache import clear_caches
from attribution.market.fixed import UnderlyingPrice
from attribution.row import row_from_attribution_data
from attribution.single import calculate_attribution_for_trade, calculate_attribution_for_trades
from attribution.status import Flag, Status
from attribution.summary import summarise
from attribution.symbols import format_symbol, parse_legs, parse_symbol
from attribution.tables import price_frame
from attribution.version import __version__

if TYPE_CHECKING:
    from attribution.report.notebook import show


__all__ = [
    "AttributionError",
    "BrokerError",
    "CalendarError",
    "DatasetError",
    "DatasetSummary",
    "Flag",
    "MarketDataError",
    "NoSourceError",
    "Status",
    "SymbolError",
    "TradeError",
    "UnderlyingFound",
    "UnderlyingPrice",
    "__version__",
    "attribute_daily",
    "attribute_dataset",
    "attribute_legs",
    "black_greeks",
    "black_price",
    "calculate_attribution_for_trade",
    "calculate_attribution_for_trades",
    "clear_caches",
    "format_symbol",
    "get_historical_close_price",
    "get_option_underlying_price",
    "get_spot_price_at_time",
    "implied_vol",
    "mtm_entry_price",
    "mtm_exit_price",
    "parse_legs",
    "parse_symbol",
    "price_frame",
    "row_from_attribution_data",
    "show",
    "summarise",
]


def __getattr__(name: str) -> Any:
    """Import ``show`` when it is asked for: it draws with libraries that the numbers do not need."""
    if name == "show":
        from attribution.report.notebook import show

        return show
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
