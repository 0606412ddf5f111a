"""From what is known of an underlying at both ends of a window: spot, basis, and which price plays the spot.

The rule: only what is known at *both* ends can be compared. Spot and forward at both ends: the basis is told
from the spot. Only one of them at both ends: it plays the spot and the basis is 0. Nothing in common: missing.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

from attribution.errors import TradeError
from attribution.instruments import DATED, Future, Option
from attribution.market.quotes import Answer, Missing, Price, PriceKind, Why
from attribution.market.source import merge_missing
from attribution.model import Model
from attribution.parity import parity_forward
from attribution.task import CALL, FORWARD, PUT, SPOT, LegTask
from attribution.window import PAYOFF

__all__ = ["PlaysSpot", "UnderlyingMove", "find_move", "is_daily", "positive", "resolve", "unknown", "values"]


DAILY = PriceKind.DAILY


class PlaysSpot(StrEnum):
    """Which price of the underlying the split was made with."""

    OWN = "own price"
    SPOT = "spot"
    FUTURE = "future"
    SPOT_AND_FUTURE = "spot and future"
    PARITY = "parity forward"
    SPOT_AND_PARITY = "spot and parity forward"


class UnderlyingMove(NamedTuple):
    """``S`` and ``b`` at both ends of the window. [currency per unit]"""

    spot0: float
    basis0: float
    spot1: float
    basis1: float
    plays: PlaysSpot


def find_move(
    task: LegTask, prices: tuple[float, float], times: tuple[float, float], model: Model
) -> UnderlyingMove | Missing:
    """Return what moved under a leg, from the prices gathered for it, or why that is not known.

    ``prices`` are the leg's own at both ends [currency per unit], ``times`` its years to expiry there.
    """
    instrument = task.item.leg.instrument
    if not isinstance(instrument, DATED):
        return UnderlyingMove(prices[0], 0.0, prices[1], 0.0, PlaysSpot.OWN)
    spot = (_spot(task, 0), _spot(task, 1))
    if isinstance(instrument, Future):
        move = _future_move(task, prices, spot)
    else:
        move = _option_move(task, instrument, spot, times, model)
    if isinstance(move, Missing) and not any(isinstance(answer, Missing) for answer in spot):
        # Both were found, and yet they cannot be compared: say of what.
        return Missing(f"underlying price of {task.item.underlying_symbol}: {move.reason}", move.why)
    return move


def _future_move(task: LegTask, prices: tuple[float, float], spot: tuple[Answer, Answer]) -> UnderlyingMove | Missing:
    """The basis of a future is its own price less the spot; at its expiry there is none."""
    gap = unknown(spot, instant=_is_instant(task))
    if gap is not None:
        return gap
    s0, s1 = values(spot)
    basis1 = 0.0 if task.window.end.kind is PAYOFF else prices[1] - s1
    return UnderlyingMove(s0, prices[0] - s0, s1, basis1, PlaysSpot.SPOT_AND_FUTURE)


def _option_move(
    task: LegTask, option: Option, spot: tuple[Answer, Answer], times: tuple[float, float], model: Model
) -> UnderlyingMove | Missing:
    """Spot and forward: that of the future where both ends have one, else that of parity where both ends do."""
    expires = task.window.end.kind is PAYOFF
    first, last = task.answers[FORWARD]
    forward = (positive(first), positive(last))
    (call0, call1), (put0, put1) = task.answers[CALL], task.answers[PUT]
    parity = False
    if isinstance(call0, Price) and (isinstance(first, Missing) or (isinstance(last, Missing) and not expires)):
        ends = ((call0, put0, spot[0], times[0]), (call1, put1, spot[1], times[1]))
        implied0, implied1 = (
            parity_forward(call, put, at, strike=option.strike, years=years, rate=model.rate)
            for call, put, at, years in ends
        )
        parity = isinstance(implied0, Price) and (expires or isinstance(implied1, Price))
        if parity:
            forward = (implied0, implied1)
            task.answers[FORWARD] = [implied0, implied1]
    growth = (model.growth(times[0]), model.growth(times[1])) if model.carries else (1.0, 1.0)
    return resolve(spot, forward, growth, expires=expires, instant=_is_instant(task), parity=parity)


def _is_instant(task: LegTask) -> bool:
    return task.window.start.at == task.window.end.at


def _spot(task: LegTask, end: int) -> Answer:
    """The spot found at an end; where it is missing, with its place told."""
    answer = task.answers[SPOT][end]
    if isinstance(answer, Missing):
        symbol = task.item.underlying_symbol
        return Missing(f"underlying price of {symbol} {task.where(end)}: {answer.reason}", answer.why)
    return positive(answer)


def positive(answer: Answer) -> Answer:
    """Return the answer, or raise :class:`TradeError` for a price that no underlying can have."""
    if isinstance(answer, Price) and not answer.value > 0.0:
        raise TradeError(f"underlying price ({answer.source})", answer.value, "must be positive")
    return answer


def resolve(
    spot: tuple[Answer, Answer],
    forward: tuple[Answer, Answer],
    growth: tuple[float, float],
    *,
    expires: bool,
    instant: bool = False,
    parity: bool = False,
) -> UnderlyingMove | Missing:
    """Return what moved under an option.

    ``growth`` is ``e^((r−q)T)`` at each end, so that ``F = (S + b)·growth``; ``expires`` says that the
    window ends at the payoff, where the spot is the settlement value and ``b = 0``; ``instant`` that start and
    end are the same instant; ``parity`` that the forward was implied by a call and a put.
    """
    spot_gap = unknown(spot, instant=instant)
    ends = (forward[0], spot[1] if expires else forward[1])
    forward_gap = unknown(ends, instant=instant)
    if spot_gap is not None and forward_gap is not None:
        # Who lacks the spot lacks the forward as a rule; only an outage is worth a second sentence.
        return merge_missing(spot_gap, forward_gap) if forward_gap.why is Why.FAILED else spot_gap
    plays = _who_plays(spot, ends, spot_gap, forward_gap)
    s0, s1 = values(spot)
    if plays is PlaysSpot.SPOT:
        return UnderlyingMove(s0, 0.0, s1, 0.0, plays)
    f0, f1 = values(ends)
    discounted0, discounted1 = f0 / growth[0], f1 if expires else f1 / growth[1]
    told = _OF_PARITY[plays] if parity else plays
    if plays is PlaysSpot.FUTURE:
        return UnderlyingMove(discounted0, 0.0, discounted1, 0.0, told)
    return UnderlyingMove(s0, discounted0 - s0, s1, 0.0 if expires else discounted1 - s1, told)


_OF_PARITY = {PlaysSpot.FUTURE: PlaysSpot.PARITY, PlaysSpot.SPOT_AND_FUTURE: PlaysSpot.SPOT_AND_PARITY}


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
    return isinstance(answer, Price) and answer.kind is DAILY


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
    daily = first.kind is DAILY or last.kind is DAILY
    if daily and first.time == last.time and first.source == last.source:
        when = "" if first.time is None else f" of {first.time:%Y-%m-%d %H:%M:%S}"
        return Missing(f"{first.source}: the one value{when} cannot stand for both ends of the window")
    return None
