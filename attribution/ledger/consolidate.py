"""What strategies want, added up: targets, the order that goes out, and the crosses that need none.

Weights are signed and never divided by a signed sum: with A at +0.6 and B at −0.2, dividing by the net 0.4 would
give A 150 % and B −50 % of every fill. Instead 0.2 go from B to A as a cross, and the order for 0.4 is A's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.money import QUANTITY_PLACES, from_units, to_units, webster

__all__ = ["Consolidated", "Netting", "consolidate", "net_strategies", "require_contributions_add_up"]

Contributions = Mapping[str, Mapping[str, Decimal]]
"""Strategy → symbol → weight or quantity, signed."""


@dataclass(frozen=True, slots=True)
class Consolidated:
    """Contributions per strategy, and per symbol their exact sum (also where it is 0)."""

    contributions: Contributions
    targets: Mapping[str, Decimal]

    def of_symbol(self, symbol: str) -> dict[str, Decimal]:
        """Strategy → contribution to ``symbol``, for those that have one."""
        return {name: wants[symbol] for name, wants in self.contributions.items() if symbol in wants}


def consolidate(wishes: Iterable[tuple[str, Mapping[str, Decimal]]]) -> Consolidated:
    """Add up what strategies want.

    Parameters
    ----------
    wishes
        ``(strategy, {symbol: weight})``, in any order; a strategy may come more than once, its wishes add up.

    Raises
    ------
    InvalidRecordError
        A weight is not a finite ``Decimal`` of at most 18 decimals.
    """
    sums: dict[str, dict[str, int]] = {}
    targets: dict[str, int] = {}
    for strategy, wants in wishes:
        mine = sums.setdefault(strategy, {})
        for symbol, weight in wants.items():
            units = _units(weight, f"contributions[{strategy}][{symbol}]")
            mine[symbol] = mine.get(symbol, 0) + units
            targets[symbol] = targets.get(symbol, 0) + units
    contributions = {name: _amounts(mine) for name, mine in sorted(sums.items())}
    return Consolidated(contributions, _amounts(targets))


def require_contributions_add_up(contributions: Contributions, targets: Mapping[str, Decimal]) -> None:
    """Refuse targets that are not, for every symbol, exactly the sum of the strategies' contributions."""
    sums = consolidate(contributions.items()).targets
    for symbol in sorted(sums.keys() | targets.keys()):
        if sums.get(symbol) != targets.get(symbol):
            raise InvalidRecordError(
                f"targets[{symbol}]", targets.get(symbol), f"the sum of the contributions, {sums.get(symbol)}"
            )


@dataclass(frozen=True, slots=True)
class Netting:
    """How wishes in one symbol are served: ``quantity`` (signed) by an order, the rest by crosses.

    ``order`` says whose the order's fills are (strategy → quantity > 0, empty where there is no order); ``buys`` and
    ``sells`` are the two sides of the cross (equal sums, empty where there is none).
    """

    quantity: Decimal
    order: Mapping[str, Decimal]
    buys: Mapping[str, Decimal]
    sells: Mapping[str, Decimal]


def net_strategies(wishes: Mapping[str, Decimal], quantum: Decimal = Decimal("1e-9")) -> Netting:
    """Net signed wishes of several strategies in one symbol.

    The smaller side is served by crosses in full; the larger side shares what is crossed in proportion to its
    wishes, in whole quanta, and the order serves the rest.

    Parameters
    ----------
    wishes
        Strategy → units to buy (+) or sell (−).
    quantum
        The smallest unit to divide into: 1 for contracts. Wishes finer than it are divided in their own last decimal.
    """
    units = {name: _units(wish, f"wishes[{name}]") for name, wish in sorted(wishes.items())}
    buyers = {name: n for name, n in units.items() if n > 0}
    sellers = {name: -n for name, n in units.items() if n < 0}
    net = sum(buyers.values()) - sum(sellers.values())
    many, few = (buyers, sellers) if net >= 0 else (sellers, buyers)
    crossed = _proportional(sum(few.values()), many, _units(quantum, "quantum"))
    order = {name: n - crossed[name] for name, n in many.items() if n > crossed[name]}
    sides = ({name: n for name, n in crossed.items() if n}, few)
    buys, sells = sides if net >= 0 else sides[::-1]
    return Netting(from_units(net, QUANTITY_PLACES), _amounts(order), _amounts(buys), _amounts(sells))


def _proportional(total: int, claims: Mapping[str, int], quantum: int) -> dict[str, int]:
    """Divide ``total`` in proportion to claims, none above its own, in the coarsest unit that fits."""
    if not claims:
        return {}
    while any(n % quantum for n in (total, *claims.values())):
        quantum //= 10
    weights = [n // quantum for n in claims.values()]
    parts = webster(total // quantum, weights, caps=weights)
    return {name: part * quantum for name, part in zip(claims, parts, strict=True)}


def _units(value: Decimal, field: str) -> int:
    if not isinstance(value, Decimal):
        raise InvalidRecordError(field, value, "a Decimal; a float is not exact")
    return to_units(value, QUANTITY_PLACES, field)


def _amounts(units: Mapping[str, int]) -> dict[str, Decimal]:
    return {name: from_units(n, QUANTITY_PLACES) for name, n in units.items()}
