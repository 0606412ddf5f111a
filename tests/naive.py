"""A slow, obvious twin of the library, to compare with.

Written from ``docs/conventions.md`` alone, in plain loops and forty digits, without a line of the library: Black's
formula through ``erfc``, the implied volatility by bisection, every method by brute force (Shapley is the mean
of the 24 waterfalls), derivatives by differencing, time to expiry by walking through the days.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import mpmath

#: An own context: no other code's precision is touched.
mp = mpmath.MPContext()
mp.dps = 40

FACTORS = ("spot", "spread", "vol", "time")
DEFAULT_ORDER = ("time", "spot", "spread", "vol")


# --- the model -------------------------------------------------------------------------------------------------


def normal_cdf(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def black(forward: Any, strike: Any, total_std: Any, right: int) -> Any:
    """Undiscounted Black (1976) price; intrinsic value where nothing is uncertain."""
    if total_std == 0:
        return max(right * (forward - strike), mp.zero)
    d1 = mp.log(forward / strike) / total_std + total_std / 2
    d2 = d1 - total_std
    return right * (forward * normal_cdf(right * d1) - strike * normal_cdf(right * d2))


@dataclass(frozen=True)
class Contract:
    """What stays the same: ``right`` +1 call, −1 put, 0 anything worth S + b."""

    right: int
    strike: Any = None
    rate: Any = 0
    dividend_yield: Any = 0


@dataclass(frozen=True)
class State:
    """What moves."""

    spot: Any
    spread: Any
    vol: Any
    time: Any


def value(contract: Contract, state: State) -> Any:
    underlying = state.spot + state.spread
    if contract.right == 0:
        return underlying
    forward = underlying * mp.exp((contract.rate - contract.dividend_yield) * state.time)
    discount = mp.exp(-contract.rate * state.time)
    return discount * black(forward, contract.strike, state.vol * mp.sqrt(state.time), contract.right)


def implied_vol(contract: Contract, price: Any, spot: Any, spread: Any, time_to_expiry: Any) -> Any:
    """The vol that reprices ``price``, by bisection; None where there is none."""
    if contract.right == 0 or time_to_expiry == 0:
        return None

    def at(vol: Any) -> Any:
        return value(contract, State(spot, spread, vol, time_to_expiry))

    bound = spot + spread
    upper = bound * mp.exp(-contract.dividend_yield * time_to_expiry)
    if contract.right == -1:
        upper = contract.strike * mp.exp(-contract.rate * time_to_expiry)
    if price <= at(mp.zero) or price >= upper:
        return None
    low, high = mp.zero, mp.one
    while at(high) < price:
        low, high = high, 2 * high
    for _ in range(120):
        middle = (low + high) / 2
        if at(middle) < price:
            low = middle
        else:
            high = middle
    return (low + high) / 2


# --- one leg over one window -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sight:
    """What is seen of a leg at one end: its price, its underlying's, and the time left. None: not known."""

    price: Any
    spot: Any = None
    forward: Any = None
    time: Any = mp.zero


@dataclass(frozen=True)
class Leg:
    """One leg: ``position`` is quantity × ratio × multiplier."""

    contract: Contract
    position: Any
    start: Sight
    end: Sight


@dataclass(frozen=True)
class Move:
    """A leg ready to be explained: both states of the model, both own vols, and the change of the mark gap."""

    contract: Contract
    start: State
    end: State
    own_vols: tuple[Any, Any]
    gap: Any


def spot_and_basis(leg: Leg) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Which price plays the spot: only what is known at both ends can be compared."""
    contract, ends = leg.contract, (leg.start, leg.end)
    if contract.right == 0:
        if leg.start.spot is None:  # a share: its own price
            return (leg.start.price, leg.end.price), (mp.zero, mp.zero)
        spots = (leg.start.spot, leg.end.spot)
        return spots, tuple(end.price - end.spot for end in ends)  # type: ignore[return-value]
    carry = contract.rate - contract.dividend_yield
    forwards = []
    for end in ends:
        # At expiry the settlement value is spot and forward in one.
        known = end.spot if end.time == 0 and end.spot is not None else end.forward
        forwards.append(None if known is None else known * mp.exp(-carry * end.time))
    spots = (leg.start.spot, leg.end.spot)
    if None in forwards:
        return spots, (mp.zero, mp.zero)
    if None in spots:
        return (forwards[0], forwards[1]), (mp.zero, mp.zero)
    return spots, (forwards[0] - spots[0], forwards[1] - spots[1])


def move_of(leg: Leg) -> Move:
    """Imply the vols, let a missing one borrow the other's, and measure what the model then misses."""
    contract, (spots, spreads) = leg.contract, spot_and_basis(leg)
    ends = (leg.start, leg.end)
    own = tuple(
        implied_vol(contract, end.price, spot, spread, end.time)
        for end, spot, spread in zip(ends, spots, spreads, strict=True)
    )
    used = [own[0], own[1]]
    if used[0] is None:
        used[0] = mp.zero if own[1] is None else own[1]
    if used[1] is None:
        used[1] = used[0]
    states = [
        State(spot, spread, vol, end.time) for end, spot, spread, vol in zip(ends, spots, spreads, used, strict=True)
    ]
    misses = [end.price - value(contract, state) for end, state in zip(ends, states, strict=True)]
    return Move(contract, states[0], states[1], own, misses[1] - misses[0])  # type: ignore[arg-type]


# --- the methods -----------------------------------------------------------------------------------------------


def waterfall(contract: Contract, start: State, end: State, order: tuple[str, ...]) -> dict[str, Any]:
    effects, state = {}, start
    for factor in order:
        moved = replace(state, **{factor: getattr(end, factor)})
        effects[factor] = value(contract, moved) - value(contract, state)
        state = moved
    return effects


def shapley(contract: Contract, start: State, end: State) -> dict[str, Any]:
    """The mean over all 24 orders."""
    corners: dict[frozenset[str], Any] = {}
    for count in range(5):
        for moved in itertools.combinations(FACTORS, count):
            corners[frozenset(moved)] = value(contract, replace(start, **{f: getattr(end, f) for f in moved}))
    total = dict.fromkeys(FACTORS, mp.zero)
    for order in itertools.permutations(FACTORS):
        done: frozenset[str] = frozenset()
        for factor in order:
            total[factor] += corners[done | {factor}] - corners[done]
            done |= {factor}
    return {factor: effect / 24 for factor, effect in total.items()}


def path(contract: Contract, start: State, end: State, steps: int) -> dict[str, Any]:
    """Shapley over equal sub-steps of the straight line."""

    def between(i: int) -> State:
        fraction = mp.mpf(i) / steps
        return State(*(getattr(start, f) + (getattr(end, f) - getattr(start, f)) * fraction for f in FACTORS))

    total = dict.fromkeys(FACTORS, mp.zero)
    for i in range(steps):
        for factor, effect in shapley(contract, between(i), between(i + 1)).items():
            total[factor] += effect
    return total


def one_at_a_time(contract: Contract, start: State, end: State) -> dict[str, Any]:
    first = value(contract, start)
    return {f: value(contract, replace(start, **{f: getattr(end, f)})) - first for f in FACTORS}


def derivative(contract: Contract, state: State, **orders: int) -> Any:
    """A partial derivative of the value by central differences in eighty digits.

    The step of 1e−12 leaves a relative error of 1e−24 times (the state's own scale)², the digits one of 1e−56.
    """
    with mp.workdps(80):
        points: list[tuple[Any, State]] = [(mp.one, state)]
        for factor, order in orders.items():
            step = getattr(state, factor) * mp.mpf("1e-12")
            for _ in range(order):
                points = [
                    (sign * weight / (2 * step), replace(at, **{factor: getattr(at, factor) + sign * step}))
                    for weight, at in points
                    for sign in (1, -1)
                ]
        return sum(weight * value(contract, at) for weight, at in points)


def taylor(contract: Contract, start: State, end: State) -> dict[str, Any]:
    """Second order at the start; each mixed term half and half between its two factors."""
    moves = {factor: getattr(end, factor) - getattr(start, factor) for factor in FACTORS}
    if contract.right == 0:
        return {"spot": moves["spot"], "spread": moves["spread"], "vol": mp.zero, "time": mp.zero}
    # Spot and spread enter the value as their sum, so every derivative by the spread is one by the spot.
    by = {"spot": "spot", "spread": "spot", "vol": "vol", "time": "time"}

    def second(one: str, other: str) -> Any:
        if by[one] == by[other]:
            return derivative(contract, start, **{by[one]: 2})
        return derivative(contract, start, **{by[one]: 1, by[other]: 1})

    effects = {}
    for factor, moved in moves.items():
        effects[factor] = mp.zero
        if moved == 0:
            continue
        effects[factor] = derivative(contract, start, **{by[factor]: 1}) * moved
        for other, also in moves.items():
            # ½ f″ of its own, and half of each mixed term.
            effects[factor] += second(factor, other) * moved * also / 2 if also != 0 else 0
    return effects


def split(move: Move, method: str, order: tuple[str, ...] = DEFAULT_ORDER, steps: int = 16) -> dict[str, Any] | None:
    """Effects of one unit of a leg by any method; None where the method has no answer."""
    contract, start, end = move.contract, move.start, move.end
    if method == "waterfall":
        effects = waterfall(contract, start, end, order)
    elif method == "shapley":
        effects = shapley(contract, start, end)
    elif method == "path":
        effects = path(contract, start, end, steps)
    elif method == "one_at_a_time":
        effects = one_at_a_time(contract, start, end)
    elif contract.right != 0 and move.own_vols[0] is None:
        return None
    else:
        effects = taylor(contract, start, end)
    effects["spread"] += move.gap
    return effects


def explain_trade(
    legs: list[Leg],
    combo_gap: Any = 0,
    *,
    method: str = "waterfall",
    order: tuple[str, ...] = DEFAULT_ORDER,
    steps: int = 16,
    moves: list[Move] | None = None,
) -> dict[str, Any] | None:
    """The four effects of a trade, its pnl and the residual; None where a leg has no answer."""
    total = dict.fromkeys((*FACTORS, "pnl"), mp.zero)
    for leg, move in zip(legs, moves or [move_of(leg) for leg in legs], strict=True):
        effects = split(move, method, order, steps)
        if effects is None:
            return None
        for factor in FACTORS:
            total[factor] += leg.position * effects[factor]
        total["pnl"] += leg.position * (leg.end.price - leg.start.price)
    total["spread"] += combo_gap
    total["pnl"] += combo_gap
    total["residual"] = total["pnl"] - sum(total[factor] for factor in FACTORS)
    return total


# --- clocks, from January to April 2025 ------------------------------------------------------------------------


@dataclass(frozen=True)
class Hours:
    """Sessions of one exchange: weekdays less holidays, and the odd Saturday."""

    zone: ZoneInfo
    opens: time
    closes: time
    holidays: dict[date, str]
    extra: dict[date, str]

    def is_session(self, day: date) -> bool:
        if not date(2025, 1, 1) <= day < date(2025, 5, 1):
            raise ValueError(f"{day}: the holidays typed here are those of January to April 2025")
        return day in self.extra or (day.weekday() < 5 and day not in self.holidays)

    def session(self, day: date) -> tuple[datetime, datetime]:
        return datetime.combine(day, self.opens, self.zone), datetime.combine(day, self.closes, self.zone)


HOURS = {
    "NSE": Hours(
        ZoneInfo("Asia/Kolkata"),
        time(9, 15),
        time(15, 30),
        {
            date(2025, 2, 26): "Mahashivratri",
            date(2025, 3, 14): "Holi",
            date(2025, 3, 31): "Id-ul-Fitr",
            date(2025, 4, 10): "Mahavir Jayanti",
            date(2025, 4, 14): "Dr Babasaheb Ambedkar Jayanti",
            date(2025, 4, 18): "Good Friday",
        },
        {date(2025, 2, 1): "Union Budget on a Saturday"},
    ),
    "US": Hours(
        ZoneInfo("America/New_York"),
        time(9, 30),
        time(16, 0),
        {
            date(2025, 1, 1): "New Year's Day",
            date(2025, 1, 9): "National day of mourning",
            date(2025, 1, 20): "Martin Luther King Jr Day",
            date(2025, 2, 17): "Washington's Birthday",
            date(2025, 4, 18): "Good Friday",
        },
        {},
    ),
}

MICROSECOND = timedelta(microseconds=1)


def sessions_between(exchange: str, first: datetime, last: datetime) -> Fraction:
    """Sessions from one instant to a later one, with the elapsed fraction of running ones."""
    hours = HOURS[exchange]
    day, total = first.astimezone(hours.zone).date(), Fraction(0)
    while day <= last.astimezone(hours.zone).date():
        if hours.is_session(day):
            opens, closes = hours.session(day)
            overlap = min(last, closes) - max(first, opens)
            total += max(Fraction(overlap // MICROSECOND, (closes - opens) // MICROSECOND), Fraction(0))
        day += timedelta(days=1)
    return total


def years_between(clock: str, exchange: str, first: datetime, last: datetime) -> Any:
    """Time to expiry on a named clock. [yr]"""
    if first >= last:
        return mp.zero
    if clock == "sessions":
        years = sessions_between(exchange, first, last) / 252
    else:
        elapsed = last.astimezone(ZoneInfo("UTC")) - first.astimezone(ZoneInfo("UTC"))
        years = Fraction(elapsed // MICROSECOND, 365 * 86_400_000_000)
    return mp.mpf(years.numerator) / years.denominator
