"""What moved under many legs: from the prices found to the columns that the split takes.

The rules are those of :mod:`attribution.underlying` and :mod:`attribution.legs`, which have them in words; here they
are spelled for columns, and a test holds the two to each other bit for bit on random trades.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attribution.kernels._jit import exact, lean_kernel
from attribution.kernels.results import Floats
from attribution.kernels.windows import LIVE, PAYOFF, Bytes

__all__ = ["FOUND_FUTURE", "FOUND_OWN", "FOUND_SPOT", "FOUND_SPOT_AND_FUTURE", "FoundPrices", "Moves", "moves_many"]

NOTHING, FOUND_OWN, FOUND_SPOT, FOUND_FUTURE, FOUND_SPOT_AND_FUTURE = range(5)
"""Which price played the spot."""


class FoundPrices(NamedTuple):
    """Prices at both ends, NaN where there is none. [currency per unit]"""

    price0: Floats
    price1: Floats
    spot0: Floats
    spot1: Floats
    forward0: Floats
    forward1: Floats


class Moves(NamedTuple):
    """One element per leg; NaN, and 0 P&L, where it was not alive. [currency per unit]"""

    spot0: Floats
    basis0: Floats
    spot1: Floats
    basis1: Floats
    price0: Floats
    price1: Floats
    forward0: Floats
    forward1: Floats
    pnl: Floats
    """[position currency]"""
    plays: NDArray[np.int8]
    sound: Bytes
    """Whether all that the leg needs is there, and is a price that such a thing can have."""


@exact
def _option(
    k: int, right: float, strike: float, pays: bool, growth0: float, growth1: float, found: FoundPrices, out: Moves
) -> None:
    """Who plays the spot of an option, and how far the basis is from it."""
    spot0, spot1, forward0 = found.spot0[k], found.spot1[k], found.forward0[k]
    forward1 = spot1 if pays else found.forward1[k]
    has_spot = not (np.isnan(spot0) or np.isnan(spot1))
    has_forward = not (np.isnan(forward0) or np.isnan(forward1))
    discounted0 = forward0 / growth0
    discounted1 = forward1 if pays else forward1 / growth1
    out.basis0[k] = out.basis1[k] = 0.0
    if has_spot:
        out.spot0[k], out.spot1[k], out.plays[k] = spot0, spot1, FOUND_SPOT
        if has_forward:
            out.basis0[k], out.plays[k] = discounted0 - spot0, FOUND_SPOT_AND_FUTURE
            if not pays:
                out.basis1[k] = discounted1 - spot1
    else:
        out.spot0[k], out.spot1[k], out.plays[k] = discounted0, discounted1, FOUND_FUTURE
    if pays:
        payoff = right * (out.spot1[k] - strike)
        out.price1[k] = 0.0 if payoff < 0.0 else payoff
    out.forward0[k] = (out.spot0[k] + out.basis0[k]) * growth0
    out.forward1[k] = (out.spot1[k] + out.basis1[k]) * growth1


@exact
def _linear(k: int, dated: bool, pays: bool, found: FoundPrices, out: Moves) -> None:
    """A share is its own spot; the basis of a future is its own price less the spot, and none at its expiry."""
    price0, price1 = found.price0[k], found.price1[k]
    out.spot0[k], out.spot1[k], out.basis0[k], out.basis1[k], out.plays[k] = price0, price1, 0.0, 0.0, FOUND_OWN
    if dated:
        spot0, spot1 = found.spot0[k], found.spot1[k]
        out.spot0[k], out.spot1[k], out.plays[k] = spot0, spot1, FOUND_SPOT_AND_FUTURE
        out.basis0[k] = price0 - spot0
        if pays:
            out.price1[k] = spot1
        else:
            out.basis1[k] = price1 - spot1
    out.forward0[k] = out.spot0[k] + out.basis0[k]
    out.forward1[k] = out.spot1[k] + out.basis1[k]


@exact
def _is_sound(k: int, linear: bool, pays: bool, found: FoundPrices, out: Moves) -> bool:
    total = out.spot0[k] + out.spot1[k] + out.basis0[k] + out.basis1[k] + out.price0[k] + out.price1[k]
    if not np.isfinite(total):
        return False
    price0, price1 = found.price0[k], found.price1[k]
    if price0 < 0.0 or (linear and price0 == 0.0):
        return False
    if not pays and (price1 < 0.0 or (linear and price1 == 0.0)):
        return False
    underlying = found.spot0[k] <= 0.0 or found.spot1[k] <= 0.0
    return not (underlying or found.forward0[k] <= 0.0 or found.forward1[k] <= 0.0)


@lean_kernel
def moves_many(
    right: Floats,
    strike: Floats,
    dated: NDArray[np.bool_],
    life: Bytes,
    end_kind: Bytes,
    growth0: Floats,
    growth1: Floats,
    position: Floats,
    found: FoundPrices,
    out: Moves,
) -> None:
    """Fill ``out``.

    Parameters
    ----------
    right, strike, dated
        +1 call, −1 put, 0 linear; of options; whether it expires.
    life, end_kind
        As in :mod:`attribution.kernels.windows`.
    growth0, growth1
        ``e^((r − q)T)`` at both ends.
    position
        Signed units × multiplier.
    """
    for k in range(right.size):
        out.price0[k], out.price1[k] = found.price0[k], found.price1[k]
        if life[k] != LIVE:
            out.spot0[k] = out.spot1[k] = out.basis0[k] = out.basis1[k] = np.nan
            out.price0[k] = out.price1[k] = out.forward0[k] = out.forward1[k] = np.nan
            out.pnl[k], out.plays[k], out.sound[k] = 0.0, NOTHING, 1
            continue
        pays = end_kind[k] == PAYOFF
        linear = right[k] == 0.0
        if linear:
            _linear(k, dated[k], pays, found, out)
        else:
            _option(k, right[k], strike[k], pays, growth0[k], growth1[k], found, out)
        out.pnl[k] = position[k] * (out.price1[k] - out.price0[k]) + 0.0
        out.sound[k] = _is_sound(k, linear, pays, found, out)
