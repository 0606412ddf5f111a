"""What a fill becomes when it is told again: busted, restated, given to other owners."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attribution.ledger.closing import common_unit
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.facts import POINT_PLACES, fee_parts_of, signed_units
from attribution.ledger.money import MONEY_PLACES, QUANTITY_PLACES, from_units, to_units, webster
from attribution.ledger.records import Correction, CorrectionAction, Side
from attribution.ledger.sheet import Trade

__all__ = ["revised"]


def revised(trade: Trade, corrections: Iterable[Correction]) -> Trade | None:
    """Return a trade as its corrections, in the order of their revisions, leave it; None if it is busted.

    A correction that restates a busted fill brings it back. A changed quantity without new owners is divided in
    the proportion of the old ones; a reassignment makes the owners firm. A trade whose owners are not known (no
    ``parts``) stays one until a correction names them.

    Raises
    ------
    InvalidRecordError
        New owners do not add up to the quantity.
    """
    now, busted = trade, False
    for correction in sorted(corrections, key=lambda c: c.revision):
        busted = correction.action == CorrectionAction.BUST
        if not busted:
            now = _restated(now, correction)
    return None if busted else now


def _restated(trade: Trade, correction: Correction) -> Trade:
    size = abs(trade.units)
    if correction.quantity is not None:
        size = to_units(correction.quantity, QUANTITY_PLACES, "quantity")
    buys = trade.units > 0 if correction.side is None else correction.side == Side.BUY
    if correction.split is not None:
        parts, firm = signed_units(correction.split, buys), True
    else:
        parts, firm = _resized(trade.parts, size, buys, trade.quantum), trade.firm
    units = size if buys else -size
    if parts and sum(parts.values()) != units:
        total = from_units(size, QUANTITY_PLACES)
        raise InvalidRecordError("split", dict(correction.split or {}), f"quantities that add up to {total}")
    price = trade.price
    if correction.price is not None:
        price = to_units(correction.price, POINT_PLACES, "price") * trade.multiplier
    fees = trade.fees if correction.fees is None else to_units(correction.fees, MONEY_PLACES, "fees")
    same = fees == trade.fees and parts == trade.parts
    fee_parts = trade.fee_parts if same or not parts else fee_parts_of(fees, parts)
    return trade._replace(units=units, price=price, fees=fees, parts=parts, fee_parts=fee_parts, firm=firm)


def _resized(parts: Mapping[str, int], size: int, buys: bool, quantum: int) -> dict[str, int]:
    """Divide a new size in the proportion of the old parts."""
    if not parts:
        return {}
    names = sorted(parts)
    owned = [abs(parts[name]) for name in names]
    unit = common_unit(quantum, [size, *owned])
    shares = webster(size // unit, [n // unit for n in owned])
    return {name: n * (unit if buys else -unit) for name, n in zip(names, shares, strict=True) if n}
