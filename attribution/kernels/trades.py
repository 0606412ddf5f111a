"""Legs added up to trades: exact sums, the gap of a combo's own price, and the window a trade is reported under.

The rules are those of :mod:`attribution.combo` and :mod:`attribution.result`, spelled for columns; tests hold them
to each other bit for bit. Sums are :func:`math.fsum`'s, so that they depend on no order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from attribution.kernels._jit import exact, lean_kernel
from attribution.kernels.results import Floats, Integers
from attribution.kernels.windows import FILL, LIVE, MARK, NAT, PAYOFF, Bytes, LegWindows, TradeWindows

__all__ = ["LegAmounts", "RowPrices", "TradeAmounts", "add_up_many", "sum_legs_many"]

#: Row prices are quoted to a paisa or a cent; a difference from the legs within it is rounding.
PRICE_TOLERANCE = 0.01


class LegAmounts(NamedTuple):
    """One element per leg; effects in position currency, prices per unit."""

    spot: Floats
    vol: Floats
    timedecay: Floats
    spread: Floats
    pnl: Floats
    price0: Floats
    price1: Floats
    weight: Floats
    """Ratio × multiplier."""
    flags: Integers


class RowPrices(NamedTuple):
    """What each row says of the trade as a whole; NaN where it is silent."""

    quantity: Floats
    common_multiplier: Floats
    entry_price: Floats
    exit_price: Floats
    mtm: Floats
    commission: Floats


class TradeAmounts(NamedTuple):
    """One element per trade. [position currency]"""

    spot: Floats
    vol: Floats
    timedecay: Floats
    spread: Floats
    residual: Floats
    pnl: Floats
    combo_gap: Floats
    fees: Floats
    net_pnl: Floats
    end_us: Integers
    end_kind: Bytes
    flags: Integers
    """Of all legs together."""
    gap_flagged: Bytes
    contradicts: Bytes
    """Whether a row price is the negative of the sum of its legs."""


@exact
def _settle(partials: Floats, count: int) -> float:
    """Round the exact sum of non-overlapping partials once, half to even."""
    if count == 0:
        return 0.0
    count -= 1
    high: float = partials[count]
    low = 0.0
    while count > 0:
        before = high
        count -= 1
        after = partials[count]
        high = before + after
        low = after - (high - before)
        if low != 0.0:
            break
    if count > 0 and ((low < 0.0 and partials[count - 1] < 0.0) or (low > 0.0 and partials[count - 1] > 0.0)):
        twice = low * 2.0
        other = high + twice
        if twice == other - high:
            high = other
    return high


@exact
def _sum(values: Floats, first: int, last: int, partials: Floats) -> float:
    """The sum of ``values[first:last]``, rounded once.

    J. R. Shewchuk, "Adaptive precision floating-point arithmetic", *Discrete & Computational Geometry* 18 (1997).
    """
    plain: float = 0.0
    if last - first == 1:
        plain = values[first]
        return plain
    count = 0
    for j in range(first, last):
        term = values[j]
        plain += term
        kept = 0
        for i in range(count):
            other = partials[i]
            if abs(term) < abs(other):
                term, other = other, term
            high = term + other
            low = other - (high - term)
            if low != 0.0:
                partials[kept] = low
                kept += 1
            term = high
        count = kept
        if term != 0.0:
            partials[count] = term
            count += 1
    return _settle(partials, count) if np.isfinite(plain) else plain


@exact
def _gap(net: float, prices: Floats, weight: Floats, common: float, first: int, last: int, room: Floats) -> float:
    """Row price less the sum of its legs at one end; NaN where it is the negative of that sum."""
    terms, sizes, partials = room[0], room[1], room[2]
    for j in range(first, last):
        terms[j - first] = weight[j] / common * prices[j]
        sizes[j - first] = abs(terms[j - first])
    total = _sum(terms, 0, last - first, partials)
    tolerance = PRICE_TOLERANCE + 1e-9 * _sum(sizes, 0, last - first, partials)
    if abs(net - total) > tolerance and tolerance >= abs(net + total):
        return np.nan
    return net - total


@exact
def _add_combo_gap(
    k: int,
    first: int,
    last: int,
    exit_us: int,
    rows: RowPrices,
    trades: TradeWindows,
    windows: LegWindows,
    legs: LegAmounts,
    out: TradeAmounts,
    room: Floats,
) -> None:
    """Measure the gap between a combo's own price and its legs over the window of trade ``k``."""
    quantity, common, entry = rows.quantity[k], rows.common_multiplier[k], rows.entry_price[k]
    gap0, gap1 = 0.0, 0.0
    if trades.start_kind[k] == FILL and not np.isnan(entry):
        gap0 = _gap(entry, legs.price0, legs.weight, common, first, last, room)
    whole = True
    for j in range(first, last):
        whole &= windows.life[j] == LIVE and windows.end_kind[j] == trades.end_kind[k]
    net = np.nan
    if trades.end_kind[k] == FILL:
        net = rows.exit_price[k]
    elif trades.end_kind[k] == MARK:
        net = rows.mtm[k]
    if whole and not np.isnan(net):
        gap1 = _gap(net, legs.price1, legs.weight, common, first, last, room)
    out.contradicts[k] = np.isnan(gap0) or np.isnan(gap1)
    at_end = rows.mtm[k] if exit_us == NAT else rows.exit_price[k]
    if np.isnan(entry) or np.isnan(at_end):
        return
    out.combo_gap[k] = quantity * common * (gap1 - gap0) + 0.0
    out.gap_flagged[k] = abs(out.combo_gap[k]) > PRICE_TOLERANCE * abs(quantity * common)


@exact
def _report_window(k: int, first: int, last: int, trades: TradeWindows, windows: LegWindows, out: TradeAmounts) -> bool:
    """Write the end of the leg that lives longest, so that an expiry shows as the end; tell whether one was alive."""
    alive = False
    for j in range(first, last):
        if windows.life[j] != LIVE:
            continue
        end, kind = windows.end_us[j], windows.end_kind[j]
        later = end > out.end_us[k] or (end == out.end_us[k] and out.end_kind[k] == PAYOFF and kind != PAYOFF)
        if not alive or later:
            out.end_us[k], out.end_kind[k] = end, kind
        alive = True
    if not alive:
        out.end_us[k], out.end_kind[k] = trades.end_us[k], trades.end_kind[k]
    return alive


@lean_kernel
def add_up_many(
    first_leg: Integers,
    exit_us: Integers,
    rows: RowPrices,
    trades: TradeWindows,
    windows: LegWindows,
    legs: LegAmounts,
    out: TradeAmounts,
    room: Floats,
) -> None:
    """Fill ``out``; ``room`` is three rows of at least as many numbers as a trade has legs, and as many again."""
    partials = room[2]
    for k in range(exit_us.size):
        first, last = first_leg[k], first_leg[k + 1]
        out.combo_gap[k], out.gap_flagged[k], out.contradicts[k] = 0.0, 0, 0
        if last - first > 1 and trades.life[k] == LIVE:
            _add_combo_gap(k, first, last, exit_us[k], rows, trades, windows, legs, out, room)
        gap = out.combo_gap[k]
        spot = _sum(legs.spot, first, last, partials)
        vol = _sum(legs.vol, first, last, partials)
        timedecay = _sum(legs.timedecay, first, last, partials)
        spread = _sum(legs.spread, first, last, partials) + gap
        pnl = _sum(legs.pnl, first, last, partials) + gap
        out.spot[k], out.vol[k], out.timedecay[k], out.spread[k], out.pnl[k] = spot, vol, timedecay, spread, pnl
        out.residual[k] = _residual(pnl, spot, vol, timedecay, spread)
        alive = _report_window(k, first, last, trades, windows, out)
        lives = alive or trades.life[k] == LIVE
        fees = rows.commission[k]
        out.fees[k] = fees if lives and trades.pays_fees[k] and not np.isnan(fees) else 0.0
        out.net_pnl[k] = pnl - out.fees[k]
        flags = np.int64(0)
        for j in range(first, last):
            flags |= legs.flags[j]
        out.flags[k] = flags


@exact
def _residual(pnl: float, spot: float, vol: float, timedecay: float, spread: float) -> float:
    return pnl - (spot + vol + timedecay + spread) + 0.0


@lean_kernel
def sum_legs_many(first_leg: Integers, values: Floats, totals: Floats, partials: Floats) -> None:
    """Add each row of ``values`` (terms, legs) up to ``totals`` (terms, trades)."""
    for k in range(first_leg.size - 1):
        for term in range(values.shape[0]):
            totals[term, k] = _sum(values[term], first_leg[k], first_leg[k + 1], partials)
