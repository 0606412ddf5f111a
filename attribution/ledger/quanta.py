"""The smallest unit a quantity is divided into, by what is traded."""

from __future__ import annotations

from typing import Final

from attribution.ledger.money import QUANTITY_PLACES
from attribution.ledger.record import AssetType

__all__ = ["quantum_of"]

_CONTRACT: Final = 10**QUANTITY_PLACES
_FRACTION: Final = 10 ** (QUANTITY_PLACES - 9)
_CONTRACTS: Final = frozenset({AssetType.OPTION, AssetType.FUTURE})


def quantum_of(asset_type: AssetType | str) -> int:
    """One contract of an option or future, else 1e-9 of a unit; in units of the quantity grid."""
    return _CONTRACT if asset_type in _CONTRACTS else _FRACTION
