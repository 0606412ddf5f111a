"""A trade's legs with the multipliers that count, and what follows from their contracts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from attribution.errors import TradeError
from attribution.instruments import DATED, Future, Leg, Option, Right, Style, Underlying
from attribution.once import once
from attribution.status import Flag
from attribution.symbols import format_symbol, is_adjusted, parse_legs, same_expiry_future, underlying_of

__all__ = ["PricedLeg", "priced_legs"]


@dataclass(frozen=True)
class PricedLeg:
    """A leg with the multiplier that counts for this trade, and what follows from its contract.

    Rows come by the million and contracts by the thousand: what follows is found out once for all rows of one symbol.
    """

    leg: Leg
    multiplier: float

    @once
    def weight(self) -> float:
        """``w·m``: how many currency units the trade's unit gains per 1.00 of this leg's price."""
        return self.leg.ratio * self.multiplier

    @once
    def exchange(self) -> str:
        """Exchange code of the instrument."""
        return self.leg.instrument.exchange

    @once
    def expires_at(self) -> datetime | None:
        """The zone-aware instant of the final settlement value; None for what never expires."""
        instrument = self.leg.instrument
        return instrument.expires_at if isinstance(instrument, DATED) else None

    @once
    def underlying(self) -> Underlying:
        """What it settles on; a share or an index is its own underlying."""
        return underlying_of(self.leg.instrument)

    @once
    def underlying_symbol(self) -> str:
        """Canonical symbol of the underlying."""
        return format_symbol(self.underlying)

    @once
    def forward(self) -> Future | None:
        """The future that expires with an option; None for everything else."""
        instrument = self.leg.instrument
        return same_expiry_future(instrument) if isinstance(instrument, Option) else None

    @once
    def call_and_put(self) -> tuple[Option, Option] | None:
        """Both rights of an option's strike, whose prices imply the forward; None for everything else."""
        instrument = self.leg.instrument
        if not isinstance(instrument, Option):
            return None
        return replace(instrument, right=Right.CALL), replace(instrument, right=Right.PUT)

    @once
    def flags(self) -> tuple[Flag, ...]:
        """What is worth telling of the contract whatever its prices."""
        instrument = self.leg.instrument
        american = isinstance(instrument, Option) and instrument.style is Style.AMERICAN
        flags = ((Flag.AMERICAN_AS_EUROPEAN, american), (Flag.ADJUSTED_CONTRACT, is_adjusted(instrument)))
        return tuple(flag for flag, holds in flags if holds)


@lru_cache(maxsize=65536)
def priced_legs(symbol: str, exchange: str | None, multiplier: float | None) -> tuple[PricedLeg, ...]:
    """Return the legs of a symbol with the multipliers that count; ``exchange`` is canonical.

    Raises
    ------
    TradeError
        The symbol cannot be read, or the multiplier is none, or belongs to legs with different ones.
    """
    legs = parse_legs(symbol, exchange=exchange)
    if multiplier is None:
        return tuple(PricedLeg(leg, leg.instrument.multiplier) for leg in legs)
    if not multiplier > 0.0:
        raise TradeError("multiplier", multiplier, "a positive number")
    own = {leg.instrument.multiplier for leg in legs}
    if len(own) > 1:
        allowed = f"absent: the legs of {symbol} have different multipliers ({sorted(own)})"
        raise TradeError("multiplier", multiplier, allowed)
    return tuple(PricedLeg(leg, multiplier) for leg in legs)
