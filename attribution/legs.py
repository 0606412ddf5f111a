"""From gathered prices to the arrays the kernels eat, and back to one outcome per leg."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from attribution.calendars import get_calendar, get_clock
from attribution.errors import TradeError
from attribution.instruments import Option
from attribution.kernels import LegDetail
from attribution.kernels.codes import LegFlag, LegStatus
from attribution.kernels.results import LegRow
from attribution.kernels.rows import attribute_rows
from attribution.market.quotes import Missing, Price, PriceKind, Why
from attribution.model import Model
from attribution.status import Flag, Status
from attribution.task import PRICE, LegTask
from attribution.trade import Trade
from attribution.underlying import PlaysSpot, UnderlyingMove, find_move, is_daily
from attribution.window import LIVE, PAYOFF, Phase

__all__ = ["KERNEL_FLAGS", "LegOutcome", "payoff_of", "solve", "too_large"]

NAN = math.nan
EXPIRED = int(LegFlag.EXPIRED_IN_WINDOW)
WELL, SETTLEMENT, FAILED = Status.OK, PriceKind.SETTLEMENT, Why.FAILED
OK, INVALID_INPUT, NO_START_VOL = int(LegStatus.OK), int(LegStatus.INVALID_INPUT), int(LegStatus.NO_START_VOL)


@dataclass(slots=True)
class LegOutcome:
    """What became of one task. Effects are in position currency; prices and vols per unit."""

    task: LegTask
    status: Status
    reasons: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    price0: float = NAN
    price1: float = NAN
    pnl: float = NAN
    spot: float = NAN
    spread: float = NAN
    vol: float = NAN
    timedecay: float = NAN
    residual: float = NAN
    vol0: float = NAN
    vol1: float = NAN
    spot0: float = NAN
    spot1: float = NAN
    forward0: float = NAN
    forward1: float = NAN
    plays_spot: PlaysSpot | None = None
    detail: dict[str, float] | None = None


_PHASES = {Phase.NOT_OPEN: Status.NOT_OPEN, Phase.CLOSED: Status.CLOSED, Phase.EXPIRED: Status.EXPIRED}
_WHYS = {
    Why.NO_SOURCE: Status.NO_SOURCE,
    Why.UNKNOWN: Status.MISSING_PRICE,
    Why.FAILED: Status.SOURCE_FAILED,
}
KERNEL_FLAGS = {
    int(LegFlag.BELOW_INTRINSIC): Flag.BELOW_INTRINSIC,
    int(LegFlag.ABOVE_BOUND): Flag.ABOVE_BOUND,
    int(LegFlag.VOL_BORROWED): Flag.VOL_BORROWED,
    int(LegFlag.NO_VOL): Flag.NO_VOL,
    int(LegFlag.EXPIRED_IN_WINDOW): Flag.EXPIRED_IN_WINDOW,
    int(LegFlag.ILL_CONDITIONED): Flag.ILL_CONDITIONED,
}


class _Ready(NamedTuple):
    """A leg that has all it needs, and its row of the kernels' table (in the order of ``LegInputs``)."""

    outcome: LegOutcome
    row: tuple[float, ...]


def solve(tasks: Sequence[LegTask], model: Model) -> list[LegOutcome | TradeError]:
    """Explain each leg; a price that no leg can have is answered with the :class:`TradeError` it is."""
    outcomes: list[LegOutcome | TradeError] = []
    ready: list[_Ready] = []
    for task in tasks:
        try:
            found = _prepare(task, *_times_to_expiry(task, model.clock), model)
        except TradeError as exc:
            outcomes.append(exc)
            continue
        if isinstance(found, _Ready):
            ready.append(found)
            outcomes.append(found.outcome)
        else:
            outcomes.append(found)
    refused = _run(ready, model)
    if not refused:
        return outcomes
    return [refused.get(id(outcome), outcome) for outcome in outcomes]


def _times_to_expiry(task: LegTask, clock_name: str) -> tuple[float, float]:
    """Years of the clock to expiry at both ends; NaN for what never expires and what was not alive."""
    expires_at, window = task.item.expires_at, task.window
    if expires_at is None or window.phase is not LIVE:
        return NAN, NAN
    clock = get_clock(clock_name, task.item.exchange)
    # A fill recorded late on the expiry day is at expiry: T = 0, never negative.
    start = max(clock.years_left(window.start.at, expires_at), 0.0)
    return start, max(clock.years_left(window.end.at, expires_at), 0.0)


def _prepare(task: LegTask, time0: float, time1: float, model: Model) -> LegOutcome | _Ready:
    """Turn answers into numbers, or into the status and reason of what is missing."""
    if task.window.phase is not LIVE:
        zeros = dict.fromkeys(("pnl", "spot", "spread", "vol", "timedecay", "residual"), 0.0)
        status = _PHASES[task.window.phase]
        return LegOutcome(task, status, flags=_flags_of(task, 0), **zeros)  # type: ignore[arg-type]
    outcome = LegOutcome(task, WELL)
    gap0, gap1 = _leg_price(task, outcome, 0), _leg_price(task, outcome, 1)
    move = find_move(task, (outcome.price0, outcome.price1), (time0, time1), model)
    if task.window.end.kind is PAYOFF and not isinstance(move, Missing):
        outcome.price1 = payoff_of(task, move.spot1)
    outcome.pnl = task.position * (outcome.price1 - outcome.price0) + 0.0
    if gap0 is None and gap1 is None and not isinstance(move, Missing):
        return _ready(outcome, move, time0, time1, model)
    return _missing(outcome, [gap for gap in (gap0, gap1, move) if isinstance(gap, Missing)])


def _missing(outcome: LegOutcome, gaps: Sequence[Missing]) -> LegOutcome:
    if math.isinf(outcome.pnl):
        raise too_large(outcome.task.trade, [outcome])
    worst = max(gaps, key=lambda gap: _WHYS[gap.why].severity)
    outcome.status = _WHYS[worst.why]
    outcome.reasons = tuple(dict.fromkeys(gap.reason for gap in gaps))
    outcome.flags = _flags_of(outcome.task, 0)
    return outcome


def _leg_price(task: LegTask, outcome: LegOutcome, end: int) -> Missing | None:
    """Read the leg's own price at an end; say what is missing of it."""
    if task.ending(end).kind is PAYOFF:
        return None
    answer = task.answers[PRICE][end]
    leg = task.item.leg
    if isinstance(answer, Missing):
        return Missing(f"price of {leg.symbol} {task.where(end)}: {answer.reason}", answer.why)
    linear = not isinstance(leg.instrument, Option)
    if answer.value < 0.0 or (linear and answer.value == 0.0):
        allowed = "positive" if linear else "zero or positive"
        raise TradeError(f"price of {leg.symbol} {task.where(end)}", answer.value, f"must be {allowed}")
    if end:
        outcome.price1 = answer.value
    else:
        outcome.price0 = answer.value
    return None


def payoff_of(task: LegTask, settlement: float) -> float:
    """What an expired leg is worth at the final settlement value of its underlying. [currency per unit]"""
    instrument = task.item.leg.instrument
    if isinstance(instrument, Option):
        return max(instrument.right * (settlement - instrument.strike), 0.0)
    return settlement


def _ready(outcome: LegOutcome, move: UnderlyingMove, time0: float, time1: float, model: Model) -> _Ready:
    instrument = outcome.task.item.leg.instrument
    outcome.spot0, outcome.spot1, outcome.plays_spot = move.spot0, move.spot1, move.plays
    outcome.forward0, outcome.forward1 = move.spot0 + move.basis0, move.spot1 + move.basis1
    right, strike = 0.0, NAN
    if isinstance(instrument, Option):
        right, strike = float(instrument.right), instrument.strike
        if model.carries:
            outcome.forward0 *= model.growth(time0)
            outcome.forward1 *= model.growth(time1)
    start = (move.spot0, outcome.price0, time0)
    end = (move.spot1, outcome.price1, time1)
    same = (model.rate, model.dividend_yield, model.price_tick)
    return _Ready(outcome, (right, strike, *start, *end, move.basis0, move.basis1, *same))


def _run(ready: Sequence[_Ready], model: Model) -> dict[int, TradeError]:
    """Send all legs through the kernels in one call and hand each its share.

    Returned, by the ``id`` of their outcomes: legs whose numbers are too large for the split to hold.
    """
    refused: dict[int, TradeError] = {}
    if not ready:
        return refused
    rows, detail = [leg.row for leg in ready], bool(model.detail)
    shares = attribute_rows(rows, method=model.method, order=model.order, steps=model.steps, detail=detail)
    for leg, share in zip(ready, shares, strict=True):
        outcome = leg.outcome
        if share.status == INVALID_INPUT:
            refused[id(outcome)] = _split_too_large(leg)
            continue
        _take(outcome, share)
        # 0 where it is a number, and with it the P&L and all effects.
        if outcome.residual * 0.0 != 0.0 and (share.status == OK or math.isinf(outcome.pnl)):
            refused[id(outcome)] = too_large(outcome.task.trade, [outcome])
    return refused


_Told = tuple[str, float | None]


def too_large(trade: Trade, legs: Sequence[LegOutcome]) -> TradeError:
    """Return the error of a trade that makes more than a number can hold: its largest amount, and its largest price."""
    amounts: list[_Told] = [("entry_quantity", trade.quantity)]
    others = [("commission", trade.commission), *(("multiplier", item.multiplier) for item in trade.legs)]
    amounts += [other for other in others if _size(other) > _HARMLESS]
    prices: list[_Told] = [(name, getattr(trade, name)) for name in ("entry_price", "exit_price", "mtm")]
    prices += [(f"price of {leg.task.item.leg.symbol}", price) for leg in legs for price in (leg.price0, leg.price1)]
    told = [max(own, key=_size) for own in (amounts, prices)]
    (name, value), (other, beside) = sorted(told, key=_size, reverse=True)
    return TradeError(name, value, f"too large: with {other}={beside!r} the P&L, an effect or the fees exceed 1.8e308")


_HARMLESS = 1e100
"""Fees and multipliers up to this size made nothing too large."""


def _size(told: _Told) -> float:
    """How large a number is; one that is not known is none."""
    value = told[1]
    return -1.0 if value is None or not math.isfinite(value) else abs(value)


def _split_too_large(leg: _Ready) -> TradeError:
    """Signs were checked before: what the kernels refuse is what overflows."""
    _, _, spot0, price0, _, spot1, price1, *_ = leg.row
    symbol = leg.outcome.task.item.leg.symbol
    seen = {"spot": (spot0, spot1), "price": (price0, price1)}
    return TradeError(f"prices of {symbol}", seen, "prices, rates and times whose split a number can hold")


def _take(outcome: LegOutcome, share: LegRow) -> None:
    """Scale one leg's effects to its position, and say what the kernels said of it."""
    position = outcome.task.position
    # The kernels see no time left; that is also so on the eve of an expiry at the open, which is none yet.
    expired = outcome.task.window.end.kind is PAYOFF and isinstance(outcome.task.item.leg.instrument, Option)
    outcome.flags = _flags_of(outcome.task, share.flags & ~EXPIRED | (EXPIRED if expired else 0))
    if share.status == NO_START_VOL:
        outcome.status = Status.NO_START_VOL
        outcome.reasons = (f"no implied vol of {outcome.task.item.leg.symbol} {outcome.task.where(0)}",)
    elif share.status != OK:
        raise AssertionError(f"a number was missing and not noticed: {outcome!r}")
    spot, vol, timedecay, spread, _, outcome.vol0, outcome.vol1 = share.effects
    # "+ 0.0" turns the −0.0 of a short position into a plain zero.
    outcome.spot = position * spot + 0.0
    outcome.spread = position * spread + 0.0
    outcome.vol = position * vol + 0.0
    outcome.timedecay = position * timedecay + 0.0
    outcome.residual = outcome.pnl - (outcome.spot + outcome.spread + outcome.vol + outcome.timedecay)
    if share.detail is not None:
        terms = zip(LegDetail._fields, share.detail, strict=True)
        outcome.detail = {name: position * value + 0.0 for name, value in terms}


def _flags_of(task: LegTask, code: int) -> tuple[Flag, ...]:
    flags = [flag for bit, flag in KERNEL_FLAGS.items() if code & bit] if code else []
    flags += task.item.flags
    prices, spots, forwards, *_ = task.answers
    settlement = daily = failed = False
    for price, spot, forward in zip(prices, spots, forwards, strict=True):
        settlement |= isinstance(price, Price) and price.kind is SETTLEMENT
        daily |= is_daily(spot) or is_daily(forward)
        failed |= isinstance(forward, Missing) and forward.why is FAILED
    if settlement:
        flags.append(Flag.SETTLEMENT_AS_CLOSE)
    if daily:
        flags.append(Flag.DAILY_PRICE)
    if failed:
        flags.append(Flag.FORWARD_FAILED)
    if _provisional(task):
        flags.append(Flag.PROVISIONAL)
    return tuple(flags)


def _provisional(task: LegTask) -> bool:
    last, expires_at = task.window.end.session, task.item.expires_at
    if expires_at is not None:
        last = max(last, expires_at.date())
    return get_calendar(task.item.exchange).is_provisional(last)
