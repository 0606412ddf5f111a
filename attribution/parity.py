"""The forward that a call and a put of one strike imply, and when it deserves belief.

Put-call parity: ``F = K + e^(rT)·(C − P)``. The two prices are seldom of the very same instant, and far from the money
one of them is stale or mostly intrinsic value; then the "forward" is noise, and the spot alone is the better witness.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from attribution.market.quotes import Answer, Missing, Price, PriceKind

__all__ = ["parity_forward", "parity_is_sound"]

Number = TypeVar("Number", float, NDArray[np.float64])

#: Farthest strike from the spot whose call and put are both traded well enough.
NEAR_THE_MONEY = 0.025
#: A forward farther from the spot than this, plus this much a year, is a stale price, not a carry.
LARGEST_BASIS = 0.01
LARGEST_CARRY = 0.20
#: Call and put must have been seen within this time of each other.
SAME_TIME = timedelta(minutes=5)

_FIT = frozenset({PriceKind.GIVEN, PriceKind.BAR, PriceKind.MARK, PriceKind.CLOSE})


def parity_is_sound(strike: Number, spot: Number) -> Any:
    """Whether a strike is near enough to the money for its call and put to tell the forward; numbers or arrays."""
    return abs(strike - spot) <= NEAR_THE_MONEY * spot


def parity_forward(call: Answer, put: Answer, spot: Answer, *, strike: float, years: float, rate: float) -> Answer:
    """Return the forward that call and put imply, or why they do not. [currency per unit]"""
    for answer in (call, put):
        if isinstance(answer, Missing):
            return answer
    assert isinstance(call, Price)
    assert isinstance(put, Price)
    if not (call.kind in _FIT and put.kind in _FIT and call.value > 0.0 and put.value > 0.0):
        return Missing(f"put-call parity at {strike:g} needs traded or quoted prices of both")
    if call.time is not None and put.time is not None and abs(call.time - put.time) > SAME_TIME:
        return Missing(f"call and put at {strike:g} were not seen at the same time")
    forward = strike + math.exp(rate * years) * (call.value - put.value)
    if isinstance(spot, Price) and abs(forward - spot.value) > (LARGEST_BASIS + LARGEST_CARRY * years) * spot.value:
        return Missing(f"put-call parity at {strike:g} gives {forward:.10g}, no forward of a spot of {spot.value:.10g}")
    times = [price.time for price in (call, put) if price.time is not None]
    source = call.source if call.source == put.source else f"{call.source} and {put.source}"
    return Price(forward, source, PriceKind.PARITY, min(times, default=None))
