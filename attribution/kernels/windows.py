"""Windows of many trades at once: which instants each leg is explained between, and the years to its expiry there.

The rule is that of :mod:`attribution.window`, which has it in words; here it is spelled for whole columns of instants
(int64 UTC microseconds), and a test holds the two to each other on random trades. A trade with an instant outside the
calendar is refused.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attribution.kernels._jit import exact, lean_kernel
from attribution.kernels.results import Floats, Integers

__all__ = ["NAT", "End", "LegWindows", "Life", "TradeWindows", "WindowTables", "windows_many"]

NAT = np.iinfo(np.int64).min
"""No instant."""

DAY_US = 86_400_000_000
WEIGHT_UNITS = 10_000.0

Bytes = NDArray[np.uint8]


class End(IntEnum):
    """What sort of price an end of a window takes."""

    FILL = 0
    CLOSE = 1
    MARK = 2
    PAYOFF = 3


class Life(IntEnum):
    """Whether the position was alive in its window."""

    LIVE = 0
    NOT_OPEN = 1
    CLOSED = 2
    EXPIRED = 3


# Compiled code stores plain numbers.
FILL, CLOSE, MARK, PAYOFF = (int(end) for end in End)
LIVE, NOT_OPEN, CLOSED, EXPIRED = (int(life) for life in Life)


class WindowTables(NamedTuple):
    """One exchange's days and sessions, and one clock's spans. Instants in UTC microseconds."""

    midnight_us: Integers
    """Local midnights, one more than there are days."""
    session_from: Integers
    """For each day, the position of the first session on or after it."""
    session_day: Integers
    """For each session, the position of its day."""
    open_us: Integers
    close_us: Integers
    span_start_us: Integers
    span_us: Floats
    span_weight: Integers
    """[1/10,000]"""
    elapsed: Integers
    """Weight of the spans before each. [1/10,000]"""
    clock_first_us: int
    clock_last_us: int
    by_session: bool
    """Whether the spans are the sessions; else they are the days of UTC since 1970."""
    unit: float
    """Spans in a year."""


class TradeWindows(NamedTuple):
    """One element per trade, before any expiry."""

    refused: Bytes
    start_us: Integers
    start_kind: Bytes
    start_session: Integers
    """Position of the session that the start belongs to."""
    start_at_close: Bytes
    end_us: Integers
    end_kind: Bytes
    life: Bytes
    session: Integers
    """Position of the session in which the trade is looked at."""
    pays_fees: Bytes
    """Whether the trade's fees fall into that session."""


class LegWindows(NamedTuple):
    """One element per leg; the start is its trade's."""

    end_us: Integers
    end_kind: Bytes
    end_day: Integers
    """Position of the day of the session that the end belongs to."""
    end_at_close: Bytes
    life: Bytes
    years0: Floats
    """Years to expiry at the start; NaN for what never expires or was not alive."""
    years1: Floats


@exact
def _day_at(tables: WindowTables, at: int) -> int:
    """Position of the local day of an instant; −1 outside the table."""
    midnights = tables.midnight_us
    if at < midnights[0] or at >= midnights[-1]:
        return -1
    day: int = min((at - midnights[0]) // DAY_US, midnights.size - 2)
    while midnights[day] > at:
        day -= 1
    while midnights[day + 1] <= at:
        day += 1
    return day


@exact
def _fill_session(tables: WindowTables, at: int) -> int:
    """Position of the session a fill belongs to: that of its date, else the next; −1 where there is none."""
    day = _day_at(tables, at)
    if day < 0:
        return -1
    session: int = tables.session_from[day]
    return session if session < tables.open_us.size else -1


@exact
def _session_at(tables: WindowTables, at: int) -> int:
    """Position of the session in progress, else of the last one opened; −1 where there is none."""
    day = _day_at(tables, at)
    if day < 0:
        return -1
    session: int = tables.session_from[day]
    if session >= tables.open_us.size or tables.open_us[session] > at:
        session -= 1
    return session


@exact
def _span_at(tables: WindowTables, at: int) -> int:
    """Position of the last span that has begun; 0 before the first."""
    if tables.by_session:
        return max(_session_at(tables, at), 0)
    return at // DAY_US


@exact
def _years(tables: WindowTables, at: int, whole: int, part: float) -> float:
    """Years from an instant to an expiry whose clock reads ``whole`` and ``part``: never negative. [yr]"""
    span = _span_at(tables, at)
    fraction = (at - tables.span_start_us[span]) / tables.span_us[span]
    own_whole, own_part = tables.elapsed[span], 0.0
    if fraction >= 1.0:
        own_whole += tables.span_weight[span]
    elif fraction > 0.0:
        own_part = fraction * (tables.span_weight[span] / WEIGHT_UNITS)
    years: float = ((whole - own_whole) / WEIGHT_UNITS + (part - own_part)) / tables.unit
    return max(years, 0.0)


@exact
def _clock_knows(tables: WindowTables, at: int) -> bool:
    return tables.clock_first_us <= at <= tables.clock_last_us


@exact
def _whole_window(
    tables: WindowTables, k: int, entry: int, leave: int, now: int, day: bool, last_day: int, trades: TradeWindows
) -> tuple[int, bool]:
    """Write the window of trade ``k``; return the session and whether the very close of its end, −1 if refused."""
    session, opened = _session_at(tables, now), _fill_session(tables, entry)
    closed = -1 if leave == NAT else _fill_session(tables, leave)
    if session < 0 or opened < 0 or (leave != NAT and closed < 0):
        return -1, False

    start, start_kind, start_session, start_at_close = entry, FILL, opened, entry == tables.close_us[opened]
    if leave != NAT and leave <= now and (not day or closed <= session):
        end, end_kind, end_session, at_close = leave, FILL, closed, leave == tables.close_us[closed]
    elif now < tables.close_us[session]:
        end, end_kind, end_session, at_close = now, MARK, session, False
    else:
        end, end_kind, end_session, at_close = tables.close_us[session], CLOSE, session, True
    if day and opened < session:
        start_session = session - 1
        start, start_kind, start_at_close = tables.close_us[start_session], CLOSE, True

    life = LIVE
    if entry > now or (day and opened > session):
        life = NOT_OPEN
    elif day and end_session < session:
        life, end, end_kind, end_session, at_close = CLOSED, tables.close_us[session], CLOSE, session, True
    elif end_kind == CLOSE and end_session < opened:
        end, end_kind, end_session, at_close = now, MARK, session, False

    paid = opened
    if leave != NAT:
        paid = closed
        if last_day >= 0:
            paid = min(paid, tables.session_from[last_day])
    trades.start_us[k], trades.start_kind[k] = start, start_kind
    trades.start_session[k], trades.start_at_close[k] = start_session, start_at_close
    trades.end_us[k], trades.end_kind[k], trades.life[k] = max(start, end), end_kind, life
    trades.session[k], trades.pays_fees[k] = session, not day or paid == session
    return end_session, at_close


@exact
def _clip(
    tables: WindowTables, k: int, j: int, expires: int, expiry_day: int, trades: TradeWindows, legs: LegWindows
) -> None:
    """Let the payoff of leg ``j`` replace any later end of the window of its trade ``k``."""
    if legs.life[j] != LIVE:
        return
    if trades.start_kind[k] == CLOSE and trades.start_us[k] >= expires:
        legs.life[j] = EXPIRED
        return
    filled_that_day = legs.end_kind[j] == FILL and legs.end_day[j] <= expiry_day
    if legs.end_us[j] >= expires and not filled_that_day:
        legs.end_us[j], legs.end_kind[j] = max(expires, trades.start_us[k]), PAYOFF
        legs.end_day[j], legs.end_at_close[j] = expiry_day, False


@exact
def _last_expiry(expires_us: Integers, expiry_day: Integers, first: int, last: int) -> int:
    """Position of the day on which the last leg expires; −1 where one never does."""
    found = -1
    for j in range(first, last):
        if expires_us[j] == NAT:
            return -1
        found = max(found, expiry_day[j])
    return found


@lean_kernel
def windows_many(
    tables: WindowTables,
    entry_us: Integers,
    exit_us: Integers,
    now_us: Integers,
    day: bool,
    first_leg: Integers,
    expires_us: Integers,
    expiry_day: Integers,
    expiry_whole: Integers,
    expiry_part: Floats,
    trades: TradeWindows,
    legs: LegWindows,
) -> None:
    """Fill ``trades`` and ``legs``.

    Parameters
    ----------
    entry_us, exit_us, now_us
        Per trade; ``NAT`` for an exit that is not on record.
    day
        Whether one session is explained, else the whole life.
    first_leg
        Position of each trade's first leg, and at last the number of legs.
    expires_us, expiry_day, expiry_whole, expiry_part
        Per leg: instant (``NAT``: never) and position of the day of the expiry, and what the clock reads there.
    """
    for k in range(entry_us.size):
        legs_from, legs_to = first_leg[k], first_leg[k + 1]
        trades.refused[k] = 1
        last_day = _last_expiry(expires_us, expiry_day, legs_from, legs_to)
        end_session, at_close = _whole_window(tables, k, entry_us[k], exit_us[k], now_us[k], day, last_day, trades)
        if end_session < 0:
            continue
        trades.refused[k] = 0
        for j in range(legs_from, legs_to):
            legs.end_us[j], legs.end_kind[j] = trades.end_us[k], trades.end_kind[k]
            legs.end_day[j] = tables.session_day[end_session]
            legs.end_at_close[j], legs.life[j] = at_close, trades.life[k]
            legs.years0[j] = legs.years1[j] = np.nan
            if expires_us[j] == NAT:
                continue
            _clip(tables, k, j, expires_us[j], expiry_day[j], trades, legs)
            if legs.life[j] != LIVE:
                continue
            if not (_clock_knows(tables, trades.start_us[k]) and _clock_knows(tables, legs.end_us[j])):
                trades.refused[k] = 1
                continue
            legs.years0[j] = _years(tables, trades.start_us[k], expiry_whole[j], expiry_part[j])
            legs.years1[j] = _years(tables, legs.end_us[j], expiry_whole[j], expiry_part[j])
