"""The facts of intention: plans, orders about to be sent, trades not done; beside them marks and reconciliations.

They move no position. They say why there is one, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final

from attribution.ledger.consolidate import require_contributions_add_up
from attribution.ledger.entry import Kind
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.money import MULTIPLIER_PLACES
from attribution.ledger.record import (
    AssetType,
    Record,
    Shares,
    Side,
    joined_key,
    require_amount,
    require_member,
    require_name,
    require_shares,
    require_symbol,
)

__all__ = ["Intent", "Mark", "Plan", "PlanAction", "PlanItem", "Recon", "Suppression", "SuppressionReason"]

_ZERO: Final = Decimal(0)


class PlanAction(StrEnum):
    """What a plan wants of a symbol."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"
    SUPPRESSED = "SUPPRESSED"


class SuppressionReason(StrEnum):
    """Why an intended trade is not made."""

    BELOW_MIN_NOTIONAL = "below_min_notional"
    BELOW_MIN_QUANTITY = "below_min_quantity"
    BELOW_DRIFT = "below_drift"
    ROUNDED_TO_ZERO = "rounded_to_zero"
    NO_PRICE = "no_price"
    NOT_TRADABLE = "not_tradable"
    BLACKLISTED = "blacklisted"
    CASH_LIMIT = "cash_limit"
    LEG_INCOMPLETE = "leg_incomplete"
    RISK_LIMIT = "risk_limit"
    DUPLICATE = "duplicate"
    MARKET_CLOSED = "market_closed"


def _require_optional(record: object, *names: str) -> None:
    for name in names:
        if getattr(record, name) is not None:
            require_amount(name, getattr(record, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanItem:
    """What a plan wants of one symbol; what was intended stays, whatever is traded.

    ``item`` names it within the plan. ``intended_quantity`` and ``intended_amount`` are signed, ``quantity`` is what
    the order asks for (None where there is none).
    """

    item: str
    symbol: str
    action: PlanAction
    intended_quantity: Decimal | None = None
    intended_amount: Decimal | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    reason: SuppressionReason | None = None
    leg_group: str | None = None

    def __post_init__(self) -> None:
        require_name("item", self.item)
        require_symbol("symbol", self.symbol)
        require_member("action", self.action, PlanAction)
        _require_optional(self, "intended_quantity", "intended_amount", "quantity", "price")
        if (self.action == PlanAction.SUPPRESSED) != (self.reason is not None):
            raise InvalidRecordError("reason", self.reason, "the reason of a suppressed item, and of no other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Record):
    """What a run wants to hold and how to get there, written before its first order goes out.

    Parameters
    ----------
    plan_id
        A digest of the plan's inputs (:func:`attribution.ledger.ids.plan_id_of`): the same inputs are the same plan.
    contributions
        Strategy → symbol → weight (signed).
    targets
        Symbol → weight; for every symbol exactly the sum of the contributions.
    items
        One per symbol of targets and positions, those that hold included.
    positions, prices, equity
        What was held, at which prices, and what it was worth, when the plan was made.
    settings
        The thresholds and policies it was made with, as text.
    """

    kind: ClassVar[Kind] = Kind.PLAN

    plan_id: str
    contributions: Mapping[str, Mapping[str, Decimal]]
    targets: Mapping[str, Decimal]
    items: tuple[PlanItem, ...] = ()
    positions: Mapping[str, Decimal] = field(default_factory=dict)
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    equity: Decimal | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_name("plan_id", self.plan_id)
        for name in ("targets", "positions", "prices"):
            for symbol, amount in getattr(self, name).items():
                require_symbol(f"{name} (symbol)", symbol)
                require_amount(f"{name}[{symbol}]", amount)
        require_contributions_add_up(self.contributions, self.targets)
        if len({item.item for item in self.items}) != len(self.items):
            raise InvalidRecordError("items", [item.item for item in self.items], "items with distinct names")

    @property
    def key(self) -> str:
        """The plan's id."""
        return self.plan_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent(Record):
    """An order about to be sent, written before it is.

    ``client_order_id`` is what the broker will see; ``full_id`` is the id in full where the broker's limit asked for
    the compact form. ``weights`` (strategy → weight) say whose the fills will be.
    """

    kind: ClassVar[Kind] = Kind.INTENT

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    plan_id: str | None = None
    item: str | None = None
    attempt: int = 1
    full_id: str | None = None
    weights: Shares | None = None
    asset_type: AssetType = AssetType.STOCK
    order_type: str = "MARKET"
    limit_price: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    expected_price: Decimal | None = None
    multiplier: Decimal = Decimal(1)
    currency: str = "USD"
    leg_group: str | None = None
    notes: str | None = None

    def __post_init__(self) -> None:
        require_name("client_order_id", self.client_order_id)
        require_symbol("symbol", self.symbol)
        require_member("side", self.side, Side)
        require_member("asset_type", self.asset_type, AssetType)
        require_amount("quantity", self.quantity, above=_ZERO)
        require_amount("multiplier", self.multiplier, places=MULTIPLIER_PLACES, above=_ZERO)
        _require_optional(self, "limit_price", "bid", "ask", "expected_price")
        if type(self.attempt) is not int or self.attempt < 1:
            raise InvalidRecordError("attempt", self.attempt, "a whole number from 1")
        if self.weights is not None:
            require_shares("weights", self.weights)

    @property
    def key(self) -> str:
        """The client order id."""
        return self.client_order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression(Record):
    """A trade that was intended and not made, and why.

    Quantities and amounts are signed as intended and may be 0; ``threshold`` is what ``intended`` fell short of.
    """

    kind: ClassVar[Kind] = Kind.SUPPRESS

    plan_id: str
    item: str
    symbol: str
    reason: SuppressionReason
    side: Side | None = None
    intended_quantity: Decimal | None = None
    intended_amount: Decimal | None = None
    threshold: Decimal | None = None
    price: Decimal | None = None
    contributions: Shares | None = None
    leg_group: str | None = None
    notes: str | None = None

    def __post_init__(self) -> None:
        require_name("plan_id", self.plan_id)
        require_name("item", self.item)
        require_symbol("symbol", self.symbol)
        require_member("reason", self.reason, SuppressionReason)
        if self.side is not None:
            require_member("side", self.side, Side)
        _require_optional(self, "intended_quantity", "intended_amount", "threshold", "price")
        if self.contributions:
            require_shares("contributions", self.contributions, signed=True)

    @property
    def key(self) -> str:
        """Plan and item."""
        return joined_key(self.plan_id, self.item)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark(Record):
    """What an instrument was worth at the end of a date, as somebody saw it."""

    kind: ClassVar[Kind] = Kind.MARK

    symbol: str
    price: Decimal
    bid: Decimal | None = None
    ask: Decimal | None = None
    currency: str = "USD"

    def __post_init__(self) -> None:
        require_symbol("symbol", self.symbol)
        require_amount("price", self.price, least=_ZERO)
        _require_optional(self, "bid", "ask")

    @property
    def key(self) -> str:
        """Instrument and date."""
        return joined_key(self.symbol, self.trade_date.isoformat())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recon(Record):
    """A difference between the ledger and the broker, or the statement that there was none.

    ``recon_id`` is made of what was compared and when, never at random. ``level`` is ``orders``, ``fills``,
    ``positions`` or ``cash``; ``subject`` the symbol, order or currency.
    """

    kind: ClassVar[Kind] = Kind.RECON

    recon_id: str
    level: str
    subject: str
    ours: Decimal | None = None
    theirs: Decimal | None = None
    as_of: date | None = None
    notes: str | None = None

    def __post_init__(self) -> None:
        for name in ("recon_id", "level", "subject"):
            require_name(name, getattr(self, name))
        _require_optional(self, "ours", "theirs")

    @property
    def key(self) -> str:
        """The reconciliation's id."""
        return self.recon_id
