"""Whose position an untagged fill closes: the closing policies, and the division over an order's life.

An untagged fill says what was traded and not for whom. A policy names the *pools* it closes, in order: a pool is
a set of claims that share what is taken from it in proportion. Every policy obeys the same three laws:

* nobody gives up more than it holds, so an untagged fill never flips or enlarges a strategy's position;
* within an order the division is cumulative (Webster), so it does not matter how the order is sliced;
* what nobody can close opens in the house strategy, ``unattributed``.

=============  ==========================================================================================
``pro_rata``   everybody gives up the same fraction of what it held at the order's first fill (the default)
``fifo``       by the instants at which lots were opened, across strategies; those of one instant share pro rata
``weights``    in proportion to the plan's weights; holders without a weight come after, pro rata
``house``      nobody: all of it is the house's
=============  ==========================================================================================

Which of its own lots a strategy then closes is no matter of the policy: first in, first out in the order of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Protocol

from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.lots import Line
from attribution.ledger.money import QUANTITY_PLACES, to_units, webster
from attribution.ledger.record import HOUSE

__all__ = [
    "POLICIES",
    "ClosingPolicy",
    "Fifo",
    "HouseOnly",
    "Order",
    "PlanWeights",
    "Pool",
    "ProRata",
    "Weights",
    "common_unit",
    "divide_tagged",
    "divide_untagged",
    "policy_named",
]

Units = Mapping[str, int]
"""Strategy → units on the quantity grid."""

PlanWeights = Mapping[str, Decimal]
"""Strategy → its weight in the plan, for one symbol; empty where no plan is known."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Claims that share in proportion to ``weights``, each up to its ``size``."""

    weights: Units
    sizes: Units


@dataclass(slots=True)
class Order:
    """What an order has been divided into so far, and the pools as they were at its first fill."""

    pools: list[Pool] = field(default_factory=list)
    given: dict[str, int] = field(default_factory=dict)

    def add(self, parts: Units) -> None:
        """Take note of a fill's (signed) division."""
        for name, units in parts.items():
            self.given[name] = self.given.get(name, 0) + abs(units)

    def take_back(self, parts: Units) -> None:
        """Forget a division that another one replaces."""
        for name, units in parts.items():
            self.given[name] -= abs(units)
            if not self.given[name]:
                del self.given[name]


class ClosingPolicy(Protocol):
    """Names the pools that an untagged fill closes."""

    @property
    def name(self) -> str:
        """The name that allocations record."""

    def pools(self, holders: Mapping[str, Line], plan: PlanWeights) -> list[Pool]:
        """Return the pools, in the order they are closed; ``holders`` are open on the side that can be closed."""


def _holdings(holders: Mapping[str, Line]) -> dict[str, int]:
    return {name: abs(line.units) for name, line in holders.items()}


@dataclass(frozen=True, slots=True)
class ProRata:
    """The same fraction of every strategy's open quantity."""

    name: str = "pro_rata"

    def pools(self, holders: Mapping[str, Line], plan: PlanWeights) -> list[Pool]:
        """One pool of all holdings."""
        held = _holdings(holders)
        return [Pool(held, held)] if held else []


@dataclass(frozen=True, slots=True)
class Fifo:
    """Whose lots were opened at the earliest instant, first."""

    name: str = "fifo"

    def pools(self, holders: Mapping[str, Line], plan: PlanWeights) -> list[Pool]:
        """One pool per opening instant."""
        instants: dict[int, dict[str, int]] = {}
        for name, line in holders.items():
            for lot in line.lots:
                held = instants.setdefault(lot.ts, {})
                held[name] = held.get(name, 0) + lot.open
        return [Pool(held, held) for _, held in sorted(instants.items())]


@dataclass(frozen=True, slots=True)
class Weights:
    """In proportion to given weights, or without any to those of the latest plan."""

    weights: PlanWeights | None = None
    name: str = "weights"

    def pools(self, holders: Mapping[str, Line], plan: PlanWeights) -> list[Pool]:
        """The holders with a weight, then the others pro rata."""
        weights = plan if self.weights is None else self.weights
        held = _holdings(holders)
        claims = {name: to_units(abs(weights[name]), QUANTITY_PLACES, "weights") for name in held if weights.get(name)}
        others = {name: units for name, units in held.items() if name not in claims}
        pools = [Pool(claims, {name: held[name] for name in claims})] if claims else []
        return pools + ([Pool(others, others)] if others else [])


@dataclass(frozen=True, slots=True)
class HouseOnly:
    """Nobody's but the house's."""

    name: str = "house"

    def pools(self, holders: Mapping[str, Line], plan: PlanWeights) -> list[Pool]:
        """None."""
        return []


POLICIES: Final[Mapping[str, ClosingPolicy]] = {p.name: p for p in (ProRata(), Fifo(), Weights(), HouseOnly())}


def policy_named(policy: str | ClosingPolicy) -> ClosingPolicy:
    """Return the policy of that name; a policy is returned as it is.

    Raises
    ------
    InvalidRecordError
        There is no such policy.
    """
    if not isinstance(policy, str):
        return policy
    if policy not in POLICIES:
        raise InvalidRecordError("closing", policy, "one of " + ", ".join(POLICIES))
    return POLICIES[policy]


# --- the division -----------------------------------------------------------------------------------------------


def common_unit(quantum: int, amounts: Iterable[int]) -> int:
    """The unit to divide in: the instrument's quantum, or the last decimal in use where a venue deals in finer ones."""
    for units in amounts:
        while units % quantum:
            quantum //= 10
    return quantum


def divide_tagged(units: int, weights: Units, given: Units, quantum: int) -> dict[str, int]:
    """Divide a fill of ``units`` by the order's weights, on top of what the order has given so far."""
    names = sorted(weights)
    have = [given.get(name, 0) for name in names]
    unit = common_unit(quantum, [units, *have])
    seats = [n // unit for n in have]
    parts = webster(sum(seats) + units // unit, [weights[name] for name in names], seats)
    return {name: (n - had) * unit for name, n, had in zip(names, parts, seats, strict=True) if n > had}


def divide_untagged(
    units: int, order: Order, holders: Mapping[str, Line], policy: ClosingPolicy, plan: PlanWeights, quantum: int
) -> dict[str, int]:
    """Divide an untagged fill of ``units`` over the order's pools; what nobody can close is the house's.

    Who came to hold something only after the order's first fill is asked after those who did before; the order
    then keeps their pools, too. ``order.given`` is left to the caller.
    """
    held = _holdings(holders)
    parts: dict[str, int] = {}
    left = _take(units, order.pools, order.given, held, parts, quantum)
    if left and any(held.values()):
        late = policy.pools({name: line for name, line in holders.items() if held[name]}, plan)
        order.pools.extend(late)
        left = _take(left, late, {}, held, parts, quantum)
    if left:
        parts[HOUSE] = parts.get(HOUSE, 0) + left
    return parts


def _take(
    units: int, pools: Iterable[Pool], given: Units, held: dict[str, int], parts: dict[str, int], quantum: int
) -> int:
    """Take up to ``units`` from the pools, one after the other, into ``parts``; return what could not be taken."""
    unspent = dict(given)
    for pool in pools:
        names, have, caps = sorted(pool.weights), [], []
        for name in names:
            size = pool.sizes[name]
            had = min(size, unspent.get(name, 0))
            if had:
                unspent[name] -= had
            have.append(had)
            caps.append(min(size, had + held.get(name, 0)))
        room = sum(caps) - sum(have)
        ends = caps if room <= units else _shared(sum(have) + units, pool, names, have, caps, quantum)
        for name, end, had in zip(names, ends, have, strict=True):
            if end > had:
                parts[name] = parts.get(name, 0) + end - had
                held[name] -= end - had
        units -= min(units, room)
        if not units:
            break
    return units


def _shared(
    units: int, pool: Pool, names: Sequence[str], have: Sequence[int], caps: Sequence[int], quantum: int
) -> list[int]:
    """Divide a pool's cumulative ``units``, on top of what was given from it and up to what can be."""
    if len(names) == 1:
        return [units]
    unit = common_unit(quantum, [units, *have, *caps])
    weights = [pool.weights[name] for name in names]
    return [n * unit for n in webster(units // unit, weights, [n // unit for n in have], [n // unit for n in caps])]
