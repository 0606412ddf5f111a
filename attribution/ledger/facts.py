"""Records → what the book keeps of them: decimals at the door, integers on the grids inside."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Final

from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.money import (
    MONEY_PLACES,
    MULTIPLIER_PLACES,
    PRICE_PLACES,
    QUANTITY_PLACES,
    from_units,
    split_units,
    to_units,
)
from attribution.ledger.quanta import quantum_of
from attribution.ledger.records import Allocation, Cross, Fill, Side
from attribution.ledger.sheet import SheetKey, Trade

__all__ = [
    "POINT_PLACES",
    "allocation_of",
    "fee_parts_of",
    "has_memory",
    "recorded_parts",
    "signed_units",
    "trade_of_cross",
    "trade_of_fill",
]

POINT_PLACES: Final = PRICE_PLACES - MULTIPLIER_PLACES
"""Decimals of a price before its multiplier."""


@lru_cache(maxsize=1024)
def _multiplier_units(multiplier: Decimal) -> int:
    return to_units(multiplier, MULTIPLIER_PLACES, "multiplier")


def signed_units(shares: Mapping[str, Decimal], buys: bool) -> dict[str, int]:
    """Quantities by strategy as signed units, in the order of the names."""
    units = {name: to_units(part, QUANTITY_PLACES, "split") for name, part in sorted(shares.items())}
    return units if buys else {name: -n for name, n in units.items()}


def fee_parts_of(fees: int | None, parts: Mapping[str, int]) -> dict[str, int] | None:
    """Divide a fee like the quantities it was paid for; None where it is not known."""
    if fees is None:
        return None
    if not fees:
        return {}
    if len(parts) == 1:
        return dict.fromkeys(parts, fees)
    return split_units(fees, {name: abs(units) for name, units in parts.items()})


def trade_of_fill(fill: Fill, place: int) -> Trade:
    """What a fill says; whose it is as far as the fill itself says it in quantities."""
    buys = fill.side == Side.BUY
    units = to_units(fill.quantity, QUANTITY_PLACES, "quantity")
    units = units if buys else -units
    multiplier = _multiplier_units(fill.multiplier)
    fees = None if fill.fees is None else to_units(fill.fees, MONEY_PLACES, "fees")
    if fill.split is None:
        parts = {}
    else:
        parts = signed_units(fill.split, buys) if len(fill.split) > 1 else dict.fromkeys(fill.split, units)
    return Trade(
        place,
        SheetKey(fill.account_id, fill.symbol, fill.currency),
        fill.key,
        fill.ts,
        units,
        to_units(fill.price, POINT_PLACES, "price") * multiplier,
        multiplier,
        fees,
        parts,
        fee_parts_of(fees, parts) if parts else None,
        fill.is_tagged,
        None if fill.plan_id is None else (fill.plan_id, fill.plan_item),
        quantum_of(fill.asset_type),
    )


def trade_of_cross(cross: Cross, place: int) -> Trade:
    """A cross: parts that add up to nothing, and no fee."""
    multiplier = _multiplier_units(cross.multiplier)
    return Trade(
        place,
        SheetKey(cross.account_id, cross.symbol, cross.currency),
        cross.key,
        cross.ts,
        0,
        to_units(cross.price, POINT_PLACES, "price") * multiplier,
        multiplier,
        0,
        dict(sorted((signed_units(cross.sells, False) | signed_units(cross.buys, True)).items())),
        {},
        True,
        (cross.plan_id, None),
        quantum_of(cross.asset_type),
    )


def has_memory(fill: Fill) -> bool:
    """Whether the division of later fills of the order depends on this one."""
    return fill.split is None and (fill.weights is None or len(fill.weights) > 1)


def allocation_of(fill: Fill, policy: str, parts: Mapping[str, int], fee_parts: Mapping[str, int] | None) -> Allocation:
    """Write a division as the record that goes to the log beside its fill."""
    fees = None
    if fee_parts is not None:
        fees = {name: from_units(fee_parts.get(name, 0), MONEY_PLACES) for name in sorted(parts)}
    return Allocation(
        account_id=fill.account_id,
        ts=fill.ts,
        trade_date=fill.trade_date,
        source=fill.source,
        correlation_id=fill.correlation_id,
        causation_id=fill.causation_id,
        fill_key=fill.key,
        policy=policy,
        parts={name: from_units(abs(units), QUANTITY_PLACES) for name, units in sorted(parts.items())},
        fees=fees,
    )


def recorded_parts(trade: Trade, allocation: Allocation) -> tuple[dict[str, int], dict[str, int] | None]:
    """Return the parts and fees that an allocation recorded for this trade.

    Raises
    ------
    InvalidRecordError
        They are another fill's: the key differs, or they do not add up to it.
    """
    if allocation.fill_key != trade.key or allocation.account_id != trade.sheet.account_id:
        raise InvalidRecordError("fill_key", allocation.fill_key, f"the allocation of {trade.key}")
    parts = signed_units(allocation.parts, trade.units > 0)
    if sum(parts.values()) != trade.units:
        total = from_units(abs(trade.units), QUANTITY_PLACES)
        raise InvalidRecordError("parts", dict(allocation.parts), f"quantities that add up to {total}")
    if trade.parts and parts != trade.parts:
        raise InvalidRecordError("parts", dict(allocation.parts), "what the fill itself says in its split")
    if trade.fees is None or allocation.fees is None:
        return parts, fee_parts_of(trade.fees, parts)
    fee_parts = {name: to_units(fee, MONEY_PLACES, "fees") for name, fee in allocation.fees.items() if fee}
    if sum(fee_parts.values()) != trade.fees:
        total = from_units(trade.fees, MONEY_PLACES)
        raise InvalidRecordError("fees", dict(allocation.fees), f"amounts that add up to {total}")
    return parts, fee_parts
