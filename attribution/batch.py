"""Trades in, results out: windows → prices → kernels → results. One path for one trade and for many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from attribution.calendars import ExchangeCalendar, get_calendar
from attribution.combo import combo_gap, exceeds_tolerance, gap_of_separate_exits
from attribution.errors import AttributionError, CalendarError, MarketDataError, NoSourceError, TradeError
from attribution.gather import gather
from attribution.legs import LegOutcome, solve
from attribution.market.quotes import Answer
from attribution.market.source import Market
from attribution.model import Model
from attribution.parts import Exits, closed_by_keys, exits_of, parts_of_legs
from attribution.result import TradeOutcome, failed_result, result_of
from attribution.status import Status
from attribution.task import LegTask
from attribution.trade import Trade, as_instant
from attribution.window import LIVE, PAYOFF, Window, clip_to_expiry, fill_session, session_of, trade_window

__all__ = ["Job", "end_of_trade", "explain", "explain_one", "job_of", "jobs_of", "leg_tasks", "read_trade"]


class Job(NamedTuple):
    """One trade to be explained as it is known at ``now`` (zone-aware)."""

    trade: Trade
    now: datetime
    day: bool


def read_trade(row: object) -> Trade | AttributionError:
    """Read a row; what is wrong with it is returned, for callers that keep the row's place."""
    try:
        return Trade.from_row(row)
    except AttributionError as exc:
        return exc


def job_of(trade: Trade, current_time: object, *, day: bool) -> Job:
    """Fix the instant at which a trade is looked at: ``current_time``, else its exit, else now."""
    now = as_instant("current_time", current_time, trade.home) or trade.exit_time
    return Job(trade, now or datetime.now(UTC).astimezone(get_calendar(trade.home).zone), day)


def jobs_of(rows: Sequence[object], current_time: object, *, day: bool) -> list[Job | AttributionError]:
    """Read every row; a bad one becomes the error that it is."""
    jobs: list[Job | AttributionError] = []
    for row in rows:
        trade = read_trade(row)
        jobs.append(trade if isinstance(trade, AttributionError) else job_of(trade, current_time, day=day))
    return jobs


@dataclass(slots=True)
class _Plan:
    """The leg tasks of one job, leg by leg and part by part.

    ``windows`` of its parts (of the first leg's), and what its exit orders filled, where they tell the parts.
    """

    job: Job
    windows: list[Window]
    tasks: list[LegTask]
    fills: tuple[Answer, ...] | None


def explain_one(job: Job, market: Market, model: Model, *, raise_on_missing: bool) -> dict[str, Any]:
    """Explain one trade; malformed input and absent sources raise."""
    outcome = _outcomes([job], market, model)[0]
    if isinstance(outcome, AttributionError):
        raise outcome
    result = result_of(outcome, model)
    _raise_if_missing(result, raise_on_missing=raise_on_missing)
    return result


def explain(
    jobs: Sequence[Job | AttributionError],
    symbols: Sequence[object],
    market: Market,
    model: Model,
    *,
    raise_on_missing: bool,
) -> list[dict[str, Any]]:
    """Explain many trades; a row that cannot be explained keeps its place, with status and reason."""
    good = [job for job in jobs if isinstance(job, Job)]
    done = iter(_outcomes(good, market, model))
    results = []
    for job, symbol in zip(jobs, symbols, strict=True):
        outcome = next(done) if isinstance(job, Job) else job
        if isinstance(outcome, AttributionError):
            results.append(failed_result(symbol, outcome, model))
            continue
        try:
            results.append(result_of(outcome, model))
        except TradeError as exc:
            results.append(failed_result(symbol, exc, model))
        if raise_on_missing:
            _raise_if_missing(results[-1], raise_on_missing=True)
    return results


def _raise_if_missing(result: dict[str, Any], *, raise_on_missing: bool) -> None:
    status = result["status"]
    if status == Status.NO_SOURCE:
        raise NoSourceError(f"{result['symbol']}: {result['reason']}")
    if raise_on_missing and status in (Status.MISSING_PRICE, Status.SOURCE_FAILED):
        raise MarketDataError(f"{result['symbol']}: {result['reason']}")


def leg_tasks(job: Job, market: Market) -> list[LegTask]:
    """Return the legs of one trade over their windows, before any price is known.

    Raises
    ------
    AttributionError
        The windows cannot be told.
    """
    plan = _plan(0, job, closed_by_keys([(job.trade, job.now)], market))
    if isinstance(plan, AttributionError):
        raise plan
    return plan.tasks


def _outcomes(jobs: Sequence[Job], market: Market, model: Model) -> list[TradeOutcome | AttributionError]:
    exits = closed_by_keys([(job.trade, job.now) for job in jobs], market)
    plans = [_plan(i, job, exits) for i, job in enumerate(jobs)]
    tasks = [task for plan in plans if isinstance(plan, _Plan) for task in plan.tasks]
    gather(tasks, market)
    solved = iter(solve(tasks, model))
    outcomes: list[TradeOutcome | AttributionError] = []
    for plan in plans:
        if isinstance(plan, AttributionError):
            outcomes.append(plan)
        else:
            outcomes.append(_outcome(plan, [next(solved) for _ in plan.tasks]))
    return outcomes


def _plan(index: int, job: Job, exits: Exits) -> _Plan | AttributionError:
    trade = job.trade
    try:
        fills = exits_of(trade, exits, job.now)
        parts = [trade.parts] * len(trade.legs) if fills is None else parts_of_legs(trade, fills, job.now)
        tasks, windows = [], []
        for leg, (item, own_parts) in enumerate(zip(trade.legs, parts, strict=True)):
            for part in own_parts:
                calendar = get_calendar(item.exchange)
                whole = trade_window(calendar, trade.entry_time, part.exit_time, job.now, day=job.day)
                own = whole if item.expires_at is None else clip_to_expiry(whole, item.expires_at)
                told = None if fills is None or part.exit_time is None else fills[leg]
                tasks.append(LegTask(index, trade, part, item, own, exit_fill=told))
                if leg == 0:
                    windows.append(whole)
    except AttributionError as exc:
        return exc
    return _Plan(job, windows, tasks, fills)


def _outcome(plan: _Plan, solved: Sequence[LegOutcome | TradeError]) -> TradeOutcome | AttributionError:
    legs: list[LegOutcome] = []
    for found in solved:
        if isinstance(found, TradeError):
            return found
        legs.append(found)
    try:
        gap, flagged = _combo_gap(plan, legs)
    except TradeError as exc:
        return exc
    job, trade = plan.job, plan.job.trade
    window = _window(plan.windows, legs)
    session = session_of(get_calendar(trade.home), job.now).date if job.day else None
    ends = {leg.task.part.exit_time is not None and leg.task.part.exit_time <= job.now for leg in legs}
    return TradeOutcome(trade, window, tuple(legs), gap, flagged, len(ends) > 1, _fees(trade, window, session), session)


def _combo_gap(plan: _Plan, legs: Sequence[LegOutcome]) -> tuple[float, bool]:
    """The combo gap over all parts, and whether one is more than rounding; none while a leg is open by its orders."""
    trade = plan.job.trade
    if plan.fills is not None:
        if any(leg.task.part.exit_time is None for leg in legs) or len(legs) != len(trade.legs):
            return 0.0, False
        gap = gap_of_separate_exits(trade, legs, plan.fills)
        return gap, exceeds_tolerance(gap, trade.quantity * trade.common_multiplier)
    if not trade.is_combo:
        return 0.0, False
    gap, flagged, parts = 0.0, False, len(trade.parts)
    for k, (part, window) in enumerate(zip(trade.parts, plan.windows, strict=True)):
        if window.phase is LIVE:
            own = combo_gap(trade, part, window, legs[k::parts])
            gap += own
            flagged |= exceeds_tolerance(own, part.quantity * trade.common_multiplier)
    return gap, flagged


def _window(windows: Sequence[Window], legs: Sequence[LegOutcome]) -> Window:
    """The window a trade is reported under: that of the leg that lives longest, so an expiry shows as its end."""
    live = [leg.task.window for leg in legs if leg.task.window.phase is LIVE]
    if len(live) == 1:
        return live[0]
    return max(live or windows, key=lambda window: (window.end.at, window.end.kind is not PAYOFF))


def _fees(trade: Trade, window: Window, session: date | None) -> float:
    """The row's commission, in exactly one of a trade's days: that of its exit, for an open one its entry."""
    if trade.commission is None or window.phase is not LIVE:
        return 0.0
    if session is None:
        return trade.commission
    calendar = get_calendar(trade.home)
    try:
        entered = fill_session(calendar, trade.entry_time).date
        paid = entered if trade.exit_time is None else last_session(trade, calendar)
    except CalendarError:  # an exit beyond all calendars ("9999-12-31") is in no session that can be asked for
        return 0.0
    return trade.commission if paid == session else 0.0


def end_of_trade(trade: Trade, exits: Exits, now: datetime) -> datetime | None:
    """When nothing of a trade is left: its last exit or its last expiry; None while neither is known."""
    fills = exits_of(trade, exits, now)
    parts = trade.parts if fills is None else [part for own in parts_of_legs(trade, fills, now) for part in own]
    exit_times = [part.exit_time for part in parts if part.exit_time is not None]
    ends = [trade.last_expiry] if len(exit_times) < len(parts) else [max(exit_times), trade.last_expiry]
    return min((at for at in ends if at is not None), default=None)


def last_session(trade: Trade, calendar: ExchangeCalendar) -> date | None:
    """The session in which a trade ends: that of its exit or of its last expiry; None while neither is known."""
    ends = [at for at in (trade.exit_time, trade.last_expiry) if at is not None]
    return min((fill_session(calendar, at).date for at in ends), default=None)
