"""A row made of its fields by name, for callers that hold no frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["row_from_attribution_data"]


def row_from_attribution_data(
    symbol: str,
    entry_time: object,
    exit_time: object,
    entry_price: float | None,
    exit_price: float | None,
    entry_quantity: float,
    *,
    entry_keys: str | Sequence[str] | None = None,
    exit_keys: str | Sequence[str] | None = None,
    mtm: float | None = None,
    exit_quantity: float | None = None,
    multiplier: float | None = None,
    commission: float | None = None,
) -> pd.Series[Any]:
    """Make the row that :func:`~attribution.calculate_attribution_for_trade` takes.

    Parameters
    ----------
    symbol
        An instrument (``"TCS_STK___"``) or a combo (``"NIFTY_OPT_20250130_CALL_23500?-1:…?-1"``).
    entry_time, exit_time
        Instants of the fills: text, datetime or Timestamp; naive ones are in the exchange's zone.
        ``""``, ``"0"``, NaN and None mean absent: an absent exit is an open trade.
    entry_price, exit_price, mtm
        Net price per unit at the fills, and the current mark. [currency per unit] For a combo the signed sum
        of ratio × leg price: a short straddle is entered at a negative price.
    entry_quantity, exit_quantity
        Signed units, not lots: + long, − short; the exit has the opposite sign. An absent exit quantity
        closes all of it.
    entry_keys, exit_keys
        Broker order ids of the fills.
    multiplier
        Units of currency per point and unit where it is not the contract's own. [–]
    commission
        Fees of the whole trade. [currency]

    Returns
    -------
    pandas.Series
        The row, indexed by these names.
    """
    import pandas as pd

    fields = {
        "symbol": symbol,
        "entry_time": entry_time,
        "exit_time": exit_time,
        "entry_price": entry_price,
        "exit_price": exit_price,
        "entry_quantity": entry_quantity,
        "exit_quantity": exit_quantity,
        "entry_keys": entry_keys,
        "exit_keys": exit_keys,
        "mtm": mtm,
        "multiplier": multiplier,
        "commission": commission,
    }
    return pd.Series(fields, dtype=object)
