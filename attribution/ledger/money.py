"""Exact numbers: decimals that refuse to round, integers that cannot, and fair division of whole units.

At the door every amount is a :class:`~decimal.Decimal`. Inside, the book counts in integers on a fixed grid:

====================  ===============================  =======================
``QUANTITY_PLACES``   18 decimals of a quantity        1 share = 10**18 units
``PRICE_PLACES``      24 decimals of price·multiplier  18 of the price, 6 of it
``MONEY_PLACES``      42 decimals of an amount         their product
====================  ===============================  =======================

so that quantity × price × multiplier is an integer for everything the records accept: no sum of the book can
be inexact, whatever the thread's decimal context says. Only a *division* can need rounding (half a cent of
fee, a third of a share's cost); those are made here, cumulatively, so that the parts always add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow, localcontext
from fractions import Fraction
from math import lcm
from typing import Final

from attribution.ledger.errors import InvalidRecordError

__all__ = [
    "EXACT",
    "MONEY_PLACES",
    "MONEY_QUANTUM",
    "MULTIPLIER_PLACES",
    "PRICE_PLACES",
    "QUANTITY_PLACES",
    "exact",
    "from_units",
    "share",
    "split_amount",
    "split_units",
    "to_units",
    "webster",
]

EXACT: Final = Context(prec=80, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
"""Eighty digits, and any rounding raises: what comes out is what the operands are."""

_WIDE: Final = Context(prec=200, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
"""Room for any sum of the book on its way out."""

QUANTITY_PLACES: Final = 18
MULTIPLIER_PLACES: Final = 6
PRICE_PLACES: Final = 24
MONEY_PLACES: Final = QUANTITY_PLACES + PRICE_PLACES

MONEY_QUANTUM: Final = Decimal("1e-9")
"""The unit in which an amount is divided where the exact share has no finite decimal. [currency]"""

_GRIDS: Final[tuple[int, ...]] = tuple([10**places for places in range(MONEY_PLACES + 1)])

_QUANTUM_UNITS: Final = 10 ** (MONEY_PLACES - 9)


def exact() -> AbstractContextManager[Context]:
    """A ``with`` block in which every decimal operation is exact or raises :class:`decimal.Inexact`."""
    return localcontext(EXACT)


def to_units(value: Decimal, places: int, field: str) -> int:
    """Count ``value`` in units of ``10**-places``.

    Raises
    ------
    InvalidRecordError
        ``value`` is no finite number, or has more decimals than the grid.
    """
    try:
        top, bottom = value.as_integer_ratio()
    except (ValueError, OverflowError):
        raise InvalidRecordError(field, value, "a finite number") from None
    units, rest = divmod(top * _GRIDS[places], bottom)
    if rest:
        raise InvalidRecordError(field, value, f"a number with at most {places} decimals")
    return units


def from_units(units: int, places: int) -> Decimal:
    """Return ``units · 10**-places``, without trailing zeros and without an exponent on whole numbers."""
    whole, rest = divmod(units, 10**places)
    if not rest:
        return Decimal(whole)
    return _WIDE.normalize(_WIDE.scaleb(Decimal(units), -places))


def share(amount: int, part: int, whole: int) -> int:
    """Return the share of ``amount`` (money units) that belongs to ``part`` of ``whole``.

    Exact where the grid allows, otherwise to the nearest ``MONEY_QUANTUM``. Callers keep sums exact by taking
    *differences* of cumulative shares: ``share(a, whole, whole) == a``.
    """
    units, rest = divmod(amount * part, whole)
    if not rest:
        return units
    return (2 * amount * part + whole * _QUANTUM_UNITS) // (2 * whole * _QUANTUM_UNITS) * _QUANTUM_UNITS


# --- fair division ----------------------------------------------------------------------------------------------


def webster(
    seats: int, weights: Sequence[int], have: Sequence[int] | None = None, caps: Sequence[int] | None = None
) -> list[int]:
    """Divide ``seats`` whole units in proportion to ``weights`` by Sainte-Laguë's (Webster's) method.

    The method gives one unit after the other, each to the claimant with the smallest ``(2a + 1)/w``, ties to the
    first. More units therefore never take one back from anybody, and an order filled in slices ends where the
    same order filled at once does: hand in what is already given as ``have``.

    Parameters
    ----------
    seats
        Units to divide in all, those in ``have`` included.
    weights
        Claims, not negative. A claimant without weight gets nothing on top of what it has.
    have, caps
        Units that each claimant already has (default 0), and may have at most (default: no limit).

    Raises
    ------
    ValueError
        The units cannot be divided so: fewer than already given, more than the caps allow, no weight at all.
    """
    floor = list(have) if have is not None else [0] * len(weights)
    limit = _limits(seats, weights, floor, caps)
    started = sum(floor)
    if not started <= seats <= sum(limit):
        raise ValueError(f"{seats} units do not lie between {started} already given and {sum(limit)} allowed")
    if len(weights) == 1 or seats == started:
        return [seats] if len(weights) == 1 else floor
    given = _at_level(seats, sum(weights), weights, floor, limit)
    if abs(sum(given) - seats) > len(weights):  # floors or caps bind: the level of the last unit lies elsewhere
        level = _water_level(seats, weights, floor, limit)
        given = _at_level(level.numerator, level.denominator, weights, floor, limit)
    return _settle(seats - sum(given), given, weights, floor, limit)


def _limits(seats: int, weights: Sequence[int], floor: Sequence[int], caps: Sequence[int] | None) -> list[int]:
    """The most that each claimant can end with."""
    if min(weights, default=0) < 0:
        raise ValueError(f"weight {min(weights)} is negative: opposite claims are crosses, not shares")
    if caps is None:
        return [seats if w else low for w, low in zip(weights, floor, strict=True)]
    return [max(low, min(cap, seats)) if w else low for w, low, cap in zip(weights, floor, caps, strict=True)]


def _at_level(top: int, bottom: int, weights: Sequence[int], floor: Sequence[int], limit: Sequence[int]) -> list[int]:
    """All units whose quotient ``(2a + 1)/(2w)`` lies below the level ``top/bottom``, within floor and limit."""
    return [
        max(low, min(high, -((bottom - 2 * w * top) // (2 * bottom))))
        for w, low, high in zip(weights, floor, limit, strict=True)
    ]


def _water_level(seats: int, weights: Sequence[int], floor: Sequence[int], limit: Sequence[int]) -> Fraction:
    """The level at which ``Σ clamp(w·level, floor, limit)`` is ``seats``, were units divisible."""
    claims = [(w, low, high) for w, low, high in zip(weights, floor, limit, strict=True) if w]
    idle = sum([low for w, low in zip(weights, floor, strict=True) if not w])

    def filled(level: Fraction) -> Fraction:
        return idle + sum((max(Fraction(low), min(Fraction(high), w * level)) for w, low, high in claims), Fraction(0))

    bends = sorted({Fraction(bound, w) for w, low, high in claims for bound in (low, high)})
    below, above = 0, len(bends) - 1
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if filled(bends[middle]) <= seats else (below, middle)
    rising = sum([w for w, low, high in claims if Fraction(low, w) <= bends[below] < Fraction(high, w)])
    return bends[below] + (seats - filled(bends[below])) / rising if rising else bends[above]


def _settle(
    missing: int, given: list[int], weights: Sequence[int], floor: Sequence[int], limit: Sequence[int]
) -> list[int]:
    """Give the missing units in the method's order, or take back the last ones it gave."""
    if not missing:
        return given
    common = lcm(*(w for w in weights if w))
    pace = [common // w if w else 0 for w in weights]  # (2a + 1)/w on a common denominator
    for _ in range(missing):
        takers = [i for i, w in enumerate(weights) if w and given[i] < limit[i]]
        given[min(takers, key=lambda i: ((2 * given[i] + 1) * pace[i], i))] += 1
    for _ in range(-missing):
        givers = [i for i, w in enumerate(weights) if w and given[i] > floor[i]]
        given[max(givers, key=lambda i: ((2 * given[i] - 1) * pace[i], i))] -= 1
    return given


def split_units(amount: int, weights: Mapping[str, int], quantum: int = _QUANTUM_UNITS) -> dict[str, int]:
    """Divide ``amount`` money units over names in proportion to weights, in whole ``quantum`` units.

    An amount with finer decimals than the quantum is divided in its own last decimal. The sign is the amount's.
    """
    if len(weights) == 1:
        return dict.fromkeys(weights, amount)
    names = sorted(weights)
    while amount % quantum:
        quantum //= 10
    parts = webster(abs(amount) // quantum, [weights[name] for name in names])
    sign = -quantum if amount < 0 else quantum
    return {name: sign * part for name, part in zip(names, parts, strict=True)}


def split_amount(amount: Decimal, weights: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Divide an amount (a fee, a dividend) over names, exactly: the parts add up to it. [currency]"""
    claims = {name: to_units(weight, QUANTITY_PLACES, "weights") for name, weight in weights.items()}
    parts = split_units(to_units(amount, MONEY_PLACES, "amount"), claims)
    return {name: from_units(part, MONEY_PLACES) for name, part in parts.items()}
