"""The gap between a combo's own net price and the sum of its legs: checked, measured, never hidden."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from attribution.errors import TradeError
from attribution.kernels.trades import PRICE_TOLERANCE
from attribution.legs import LegOutcome, too_large
from attribution.market.quotes import Answer, Price
from attribution.trade import Part, Trade
from attribution.window import FILL, LIVE, MARK, Window

__all__ = ["combo_gap", "exceeds_tolerance", "gap_of_separate_exits"]


def exceeds_tolerance(gap: float, position: float) -> bool:
    """Whether a gap in currency is more than the rounding of a quoted row price."""
    return math.fabs(gap) > PRICE_TOLERANCE * math.fabs(position)


def combo_gap(trade: Trade, part: Part, window: Window, legs: Sequence[LegOutcome]) -> float:
    """``q·m_c`` × the change of (row price − sum of legs) over the window. [currency]

    0 where the row agrees with its legs, or has not both of its prices. An end at a session close has no row
    price and counts as agreement, so that the days of a trade add up to the whole; so does an end at which a leg
    has already expired. NaN where a leg's price is unknown.

    Raises
    ------
    TradeError
        A row price is the negative of the sum of the legs: a sign error of the row, not a gap.
    """
    if not trade.is_combo:
        return 0.0
    gap0 = gap1 = 0.0
    if window.start.kind is FILL:
        gap0 = _gap(trade, "entry_price", trade.entry_price, [leg.price0 for leg in legs])
    whole = all(leg.task.window.phase is LIVE and leg.task.window.end.kind is window.end.kind for leg in legs)
    if whole:
        prices = [leg.price1 for leg in legs]
        if window.end.kind is FILL:
            gap1 = _gap(trade, "exit_price", trade.exit_price, prices)
        elif window.end.kind is MARK:
            gap1 = _gap(trade, "mtm", trade.mtm, prices)
    if not trade.has_row_prices(part):
        return 0.0
    return part.quantity * trade.common_multiplier * (gap1 - gap0) + 0.0


def gap_of_separate_exits(trade: Trade, legs: Sequence[LegOutcome], fills: Sequence[Answer]) -> float:
    """The combo gap of a trade whose legs were all closed, each at its own time: booked when the last one was.

    ``fills`` are the exits of the legs. Units and errors as in :func:`combo_gap`.
    """
    gap0 = gap1 = 0.0
    if all(leg.task.window.phase is LIVE and leg.task.window.start.kind is FILL for leg in legs):
        gap0 = _gap(trade, "entry_price", trade.entry_price, [leg.price0 for leg in legs])
    last = max(legs, key=_exit_time)
    if last.task.window.phase is LIVE and last.task.window.end.kind is FILL:
        exits = [fill.value if isinstance(fill, Price) else math.nan for fill in fills]
        gap1 = _gap(trade, "exit_price", trade.exit_price, exits)
    if trade.entry_price is None or trade.exit_price is None:
        return 0.0
    return trade.quantity * trade.common_multiplier * (gap1 - gap0) + 0.0


def _exit_time(leg: LegOutcome) -> datetime:
    return leg.task.part.exit_time or leg.task.window.end.at


def _gap(trade: Trade, column: str, net: float | None, prices: Sequence[float]) -> float:
    """Row price − Σ w m p / m_c at one end; 0 where the row has no price there."""
    if net is None:
        return 0.0
    unit = trade.common_multiplier
    terms = [item.weight / unit * price for item, price in zip(trade.legs, prices, strict=True)]
    try:
        total = math.fsum(terms)
        tolerance = PRICE_TOLERANCE + 1e-9 * math.fsum(map(abs, terms))
    except (OverflowError, ValueError) as exc:  # what fsum says of a sum beyond all numbers
        raise too_large(trade, ()) from exc
    if abs(net - total) > tolerance >= abs(net + total):
        allowed = (
            f"the signed net price of the legs, {total:.10g}: a combo's price is Σ ratio × leg price, "
            "negative for a net short one"
        )
        raise TradeError(column, net, allowed)
    return net - total
