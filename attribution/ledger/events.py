"""What happens to positions without a trade: the record of expiries, exercises, splits, dividends, transfers.

What each does to the book is told in :mod:`attribution.ledger.corporate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final

from attribution.ledger.entry import Kind
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.money import MULTIPLIER_PLACES
from attribution.ledger.record import (
    AssetType,
    Record,
    Shares,
    Side,
    require_amount,
    require_member,
    require_name,
    require_shares,
    require_symbol,
    total_units,
)

__all__ = ["Event", "EventAction"]

_ZERO: Final = Decimal(0)


class EventAction(StrEnum):
    """What happened."""

    EXPIRE = "expire"
    """The contract ended: what is open closes at ``price`` (0, or the value of a cash settlement)."""
    EXERCISE = "exercise"
    """The holder used the right: longs close at ``price`` and ``into`` is traded at ``strike``."""
    ASSIGN = "assign"
    """Another holder used the right: shorts close at ``price`` and ``into`` is traded at ``strike``."""
    SPLIT = "split"
    """``old`` units became ``new`` ones; cash in lieu of a fraction is ``amount``."""
    DIVIDEND = "dividend"
    """A distribution: ``price`` per unit held (shorts pay), or ``amount`` in all."""
    TRANSFER = "transfer"
    """Units change strategy (at cost) or account (at ``price``), or cash is paid in or out (``amount``)."""
    ADJUST = "adjust"
    """Cash that is P&L but no trade: interest, an account's fees, a broker's correction (``amount``)."""


_NEEDS: Final = {
    EventAction.EXERCISE: ("symbol",),
    EventAction.ASSIGN: ("symbol",),
    EventAction.EXPIRE: ("symbol",),
    EventAction.SPLIT: ("symbol", "new", "old"),
    EventAction.DIVIDEND: ("symbol",),
    EventAction.TRANSFER: (),
    EventAction.ADJUST: ("amount",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Record):
    """A change of positions or cash that is no trade.

    Parameters
    ----------
    event_id
        The broker's id, or one made of the event's facts; the same on redelivery.
    action
        See :class:`EventAction`.
    symbol
        The instrument it happens to; None for cash alone.
    quantity
        Units concerned (> 0). None: all that is open. For a split: what the account holds after it.
    side
        The direction of the *closing* or transferring trade, where a quantity alone does not tell.
    price
        Currency per unit (and point of multiplier) at which units close, are transferred or pay.
    amount
        Cash in all, received (+) or paid (−).
    fees
        In currency; None for not known.
    into, strike, deliverable, into_multiplier
        For a physical exercise or assignment: the symbol delivered, the price paid for it, how many units of
        it one contract delivers (default: the contract's multiplier), and their multiplier.
    right
        ``"CALL"`` or ``"PUT"``.
    asset_type, multiplier
        Needed only for what the book does not know from its trades: it keeps the last one's.
    new, old
        The ratio of a split: 4 new for 1 old.
    split
        Strategy → quantity (or, for cash, amount): whose it is, where that is known. None: pro rata. Amounts have the
        signs of what each strategy receives and add up to ``amount``, or none of them has a sign and they add up to its
        size. Entries of before that was asked for are read as shares in proportion to their sizes.
    to_split
        A transfer between strategies: who receives, strategy → quantity.
    """

    kind: ClassVar[Kind] = Kind.EVENT

    event_id: str
    action: EventAction
    symbol: str | None = None
    asset_type: AssetType = AssetType.STOCK
    quantity: Decimal | None = None
    side: Side | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    fees: Decimal | None = None
    into: str | None = None
    strike: Decimal | None = None
    deliverable: Decimal | None = None
    into_multiplier: Decimal = Decimal(1)
    right: str | None = None
    new: int | None = None
    old: int | None = None
    split: Shares | None = None
    to_split: Shares | None = None
    multiplier: Decimal | None = None
    currency: str = "USD"
    order_id: str | None = None
    notes: str | None = None

    def __post_init__(self) -> None:
        require_name("event_id", self.event_id)
        require_member("action", self.action, EventAction)
        require_member("asset_type", self.asset_type, AssetType)
        require_name("currency", self.currency)
        for name in _NEEDS[EventAction(self.action)]:
            if getattr(self, name) is None:
                raise InvalidRecordError(name, None, f"a value, for the event {self.action}")
        for name in ("symbol", "into"):
            if getattr(self, name) is not None:
                require_symbol(name, getattr(self, name))
        if self.side is not None:
            require_member("side", self.side, Side)
        self._check_amounts()
        self._check_action()

    def _check_amounts(self) -> None:
        for name in ("multiplier", "into_multiplier"):
            if getattr(self, name) is not None:
                require_amount(name, getattr(self, name), places=MULTIPLIER_PLACES, above=_ZERO)
        for name in ("quantity", "deliverable"):
            if getattr(self, name) is not None:
                require_amount(name, getattr(self, name), above=_ZERO)
        for name in ("price", "strike"):
            if getattr(self, name) is not None:
                require_amount(name, getattr(self, name), least=_ZERO)
        for name in ("amount", "fees"):
            if getattr(self, name) is not None:
                require_amount(name, getattr(self, name))
        for name in ("split", "to_split"):
            if getattr(self, name) is not None:
                require_shares(name, getattr(self, name), signed=True)

    def _check_action(self) -> None:
        if self.into is not None:
            if self.strike is None:
                raise InvalidRecordError("strike", None, f"the price at which {self.into} is delivered")
            if self.right not in ("CALL", "PUT"):
                raise InvalidRecordError("right", self.right, "CALL or PUT, for a delivery")
        for name in ("new", "old"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise InvalidRecordError(name, value, "a whole number from 1")
        if self.action == EventAction.DIVIDEND and (self.price is None) == (self.amount is None):
            raise InvalidRecordError("amount", self.amount, "either the amount in all or the price per unit")
        if self.action == EventAction.TRANSFER:
            self._check_transfer()

    def _check_transfer(self) -> None:
        if self.symbol is None:
            if self.amount is None:
                raise InvalidRecordError("amount", None, "the cash transferred, or a symbol and a quantity")
        elif self.to_split is None:
            for name in ("quantity", "side", "price"):
                if getattr(self, name) is None:
                    raise InvalidRecordError(name, None, "a value, for units that change account")
        elif self.split is None or total_units(self.split) != total_units(self.to_split):
            raise InvalidRecordError("split", self.split, "who gives, with the same sum as to_split")

    @property
    def key(self) -> str:
        """The event's id."""
        return self.event_id
