"""From what is known of an underlying at both ends of a window: spot, basis, and which price plays the spot.

The rule: only what is known at *both* ends can be compared. Spot and forward at both ends: the basis is told
from the spot. Only one of them at both ends: it plays the spot and the basis is 0. Nothing in common: missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from attribution.market.quotes import Answer, Missing, Price, PriceKind, Why
from attribution.market.source import merge_missing

__all__ = ["PlaysSpot", "UnderlyingMove", "is_daily", "resolve", "unknown", "values"]


class PlaysSpot(StrEnum):
    """Which price of the underlying the split was made with."""

    OWN = "own price"
    SPOT = "spot"
    FUTURE = "future"
    SPOT_AND_FUTURE = "spot and future"


@dataclass(frozen=True, slots=True)
class UnderlyingMove:
    """``S`` and ``b`` at both ends of the window. [currency per unit]"""

    spot0: float
    basis0: float
    spot1: float
    basis1: float
    plays: PlaysSpot


def resolve(
    spot: tuple[Answer, Answer],
    forward: tuple[Answer, Answer],
    growth: tuple[float, float],
    *,
    expires: bool,
    instant: bool = False,
) -> UnderlyingMove | Missing:
    """Return what moved under an option.

    ``growth`` is ``e^((r−q)T)`` at each end, so that ``F = (S + b)·growth``; ``expires`` says that the
    window ends at the payoff, where the spot is the settlement value and ``b = 0``; ``instant`` that start and
    end are the same instant.
    """
    spot_gap = unknown(spot, instant=instant)
    ends = (forward[0], spot[1] if expires else forward[1])
    forward_gap = unknown(ends, instant=instant)
    if spot_gap is not None and forward_gap is not None:
        # Who lacks the spot lacks the forward as a rule; only an outage is worth a second sentence.
        return merge_missing(spot_gap, forward_gap) if forward_gap.why is Why.FAILED else spot_gap
    plays = _who_plays(spot, ends, spot_gap, forward_gap)
    (s0, s1), (f0, f1) = values(spot), values(ends)
    discounted0, discounted1 = f0 / growth[0], f1 if expires else f1 / growth[1]
    if plays is PlaysSpot.SPOT:
        return UnderlyingMove(s0, 0.0, s1, 0.0, plays)
    if plays is PlaysSpot.FUTURE:
        return UnderlyingMove(discounted0, 0.0, discounted1, 0.0, plays)
    return UnderlyingMove(s0, discounted0 - s0, s1, 0.0 if expires else discounted1 - s1, plays)


def _who_plays(
    spot: tuple[Answer, Answer], forward: tuple[Answer, Answer], spot_gap: Missing | None, forward_gap: Missing | None
) -> PlaysSpot:
    """Both, where both are of the same instants: a daily value beside an exact one makes no basis."""
    if forward_gap is not None:
        return PlaysSpot.SPOT
    if spot_gap is not None:
        return PlaysSpot.FUTURE
    daily = [(is_daily(s), is_daily(f)) for s, f in zip(spot, forward, strict=True)]
    if all(of_spot == of_forward for of_spot, of_forward in daily):
        return PlaysSpot.SPOT_AND_FUTURE
    return PlaysSpot.FUTURE if any(of_spot for of_spot, _ in daily) else PlaysSpot.SPOT


def is_daily(answer: Answer) -> bool:
    """Whether a price stands for a whole date, not for the instant asked."""
    return isinstance(answer, Price) and answer.kind is PriceKind.DAILY


def values(ends: tuple[Answer, Answer]) -> tuple[float, float]:
    """The two prices, NaN where one is missing."""
    first, last = ends
    if isinstance(first, Price) and isinstance(last, Price):
        return first.value, last.value
    return math.nan, math.nan


def unknown(ends: tuple[Answer, Answer], *, instant: bool = False) -> Missing | None:
    """Why prices at the two ends cannot be compared, or None where they can."""
    first, last = ends
    if isinstance(first, Missing):
        return first
    if isinstance(last, Missing):
        return last
    return None if instant else _shared_daily(first, last)


def _shared_daily(first: Price, last: Price) -> Missing | None:
    """One daily value cannot tell two instants of that day apart: it would make the move vanish."""
    daily = PriceKind.DAILY in (first.kind, last.kind)
    if daily and first.time == last.time and first.source == last.source:
        when = "" if first.time is None else f" of {first.time:%Y-%m-%d %H:%M:%S}"
        return Missing(f"{first.source}: the one value{when} cannot stand for both ends of the window")
    return None
