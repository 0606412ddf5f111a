"""The facts of trading, one frozen record per kind of entry.

Here stand the facts that move positions; what was intended is in :mod:`attribution.ledger.plans`, and both are
importable from here. :func:`record_of` reads whatever an entry holds.

Quantities are positive and the side gives the direction. Amounts are ``Decimal``; ``None`` is "not known",
which is never the same as zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final

from attribution.ledger.entry import Draft, Entry, Kind
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.events import Event, EventAction
from attribution.ledger.money import MULTIPLIER_PLACES
from attribution.ledger.plans import (
    Intent,
    Mark,
    Plan,
    PlanAction,
    PlanItem,
    Recon,
    Suppression,
    SuppressionReason,
)
from attribution.ledger.record import (
    HOUSE,
    LONGEST_SYMBOL,
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
    total_units,
)

__all__ = [
    "HOUSE",
    "LONGEST_SYMBOL",
    "Allocation",
    "AssetType",
    "Correction",
    "CorrectionAction",
    "Cross",
    "Event",
    "EventAction",
    "Fill",
    "Intent",
    "Mark",
    "Plan",
    "PlanAction",
    "PlanItem",
    "Recon",
    "Record",
    "Shares",
    "Side",
    "Suppression",
    "SuppressionReason",
    "record_of",
]

_ZERO: Final = Decimal(0)


class CorrectionAction(StrEnum):
    """What a correction does to the fill it names."""

    BUST = "bust"
    """The fill never was."""
    CORRECT = "correct"
    """The fill was different: the fields given here replace its own."""
    REASSIGN = "reassign"
    """The fill was right, its owner was not: ``split`` names the owners."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill(Record):
    """One execution.

    Parameters
    ----------
    order_id, fill_id
        The broker's. Without a fill id of the broker's, :func:`attribution.ledger.ids.derived_fill_id` makes one of
        the order's cumulative quantity; a random one would make every redelivery a new fill.
    symbol
        As the ledger keeps it, at most 50 characters.
    side, quantity, price
        Direction, units (> 0), currency per unit and point of multiplier (≥ 0: worthless options expire at 0).
    fees
        In currency; negative for a rebate, None for not known.
    split
        Strategy → quantity, adding up to ``quantity``: the fill is tagged. None: see ``weights``.
    weights
        Strategy → weight, if the split is to be made of them, over the order as a whole. With neither the fill
        is *untagged*, and the closing policy says whose it is.
    multiplier
        Units of currency per point and unit: 100 for US options.
    bid, ask, quote_ts, expected_price
        The market at the fill, when it was seen, and what was hoped for.
    leg_group
        What joins the legs of one multi-leg order.
    ledger_id, event_id
        The run's and the delivery's own ids; not part of what makes the fill the same fill, so only ids that are
        the same on redelivery belong here.
    """

    kind: ClassVar[Kind] = Kind.FILL

    order_id: str
    fill_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fees: Decimal | None = None
    split: Shares | None = None
    weights: Shares | None = None
    asset_type: AssetType = AssetType.STOCK
    order_type: str = "MARKET"
    bid: Decimal | None = None
    ask: Decimal | None = None
    quote_ts: int | None = None
    expected_price: Decimal | None = None
    client_order_id: str | None = None
    plan_id: str | None = None
    plan_item: str | None = None
    venue: str | None = None
    multiplier: Decimal = Decimal(1)
    currency: str = "USD"
    leg_group: str | None = None
    notes: str | None = None
    ledger_id: str | None = None
    event_id: str | None = None

    def __post_init__(self) -> None:
        require_name("order_id", self.order_id)
        require_name("fill_id", self.fill_id)
        require_symbol("symbol", self.symbol)
        require_member("side", self.side, Side)
        require_member("asset_type", self.asset_type, AssetType)
        require_name("currency", self.currency)
        require_amount("quantity", self.quantity, above=_ZERO)
        require_amount("price", self.price, least=_ZERO)
        require_amount("multiplier", self.multiplier, places=MULTIPLIER_PLACES, above=_ZERO)
        for name in ("fees", "expected_price", "bid", "ask"):
            if getattr(self, name) is not None:
                require_amount(name, getattr(self, name))
        if self.split is not None:
            require_shares("split", self.split, total=self.quantity)
        if self.weights is not None:
            require_shares("weights", self.weights)

    @property
    def key(self) -> str:
        """Venue, order and fill: what the broker calls this execution."""
        return joined_key(self.venue or "", self.order_id, self.fill_id)

    @property
    def is_tagged(self) -> bool:
        """Whether the fill itself says whose it is."""
        return self.split is not None or self.weights is not None

    @property
    def signed_quantity(self) -> Decimal:
        """Units, positive for a buy."""
        return self.quantity if self.side == Side.BUY else self.quantity.copy_negate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation(Record):
    """Whose a fill is: the policy's answer at that moment, written with the fill and never changed by a later policy.

    ``parts`` are quantities and ``fees`` amounts by strategy, each adding up to the fill's; ``fees`` is None where the
    fill's are not known. ``policy`` is ``"tagged"`` where the fill itself named its owners.
    """

    kind: ClassVar[Kind] = Kind.ALLOC

    fill_key: str
    policy: str
    parts: Shares
    fees: Shares | None = None

    def __post_init__(self) -> None:
        require_name("fill_key", self.fill_key, 1000)
        require_name("policy", self.policy)
        require_shares("parts", self.parts)
        if self.fees is not None:
            require_shares("fees", self.fees, signed=True)

    @property
    def key(self) -> str:
        """The fill's key."""
        return self.fill_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Cross(Record):
    """A trade between strategies: what one gives the other takes, at one price, without an order and without a fee.

    ``buys`` and ``sells`` are quantities by strategy with equal sums; ``price`` is the mid at arrival.
    """

    kind: ClassVar[Kind] = Kind.CROSS

    plan_id: str
    symbol: str
    price: Decimal
    buys: Shares
    sells: Shares
    asset_type: AssetType = AssetType.STOCK
    multiplier: Decimal = Decimal(1)
    currency: str = "USD"
    bid: Decimal | None = None
    ask: Decimal | None = None
    notes: str | None = None

    def __post_init__(self) -> None:
        require_name("plan_id", self.plan_id)
        require_symbol("symbol", self.symbol)
        require_member("asset_type", self.asset_type, AssetType)
        require_name("currency", self.currency)
        require_amount("price", self.price, least=_ZERO)
        require_amount("multiplier", self.multiplier, places=MULTIPLIER_PLACES, above=_ZERO)
        require_shares("sells", self.sells)
        require_shares("buys", self.buys)
        if total_units(self.buys) != total_units(self.sells):
            raise InvalidRecordError("buys", dict(self.buys), f"quantities that add up to those of sells, {self.sells}")
        if both := set(self.buys) & set(self.sells):
            raise InvalidRecordError("buys", sorted(both), "strategies that do not also sell")

    @property
    def key(self) -> str:
        """Plan and symbol: a plan crosses a symbol once."""
        return joined_key(self.plan_id, self.symbol)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction(Record):
    """What was wrong about a fill, told later; the fill's own entry stays as it is.

    Parameters
    ----------
    fill_key, revision
        Which fill, and the how-manieth correction of it (from 1). The last revision counts.
    action
        ``bust``, ``correct`` or ``reassign``.
    side, quantity, price, fees
        What replaces the fill's own (``correct``); None leaves it.
    split
        The owners (``reassign``, or ``correct`` where they change too): strategy → quantity.
    """

    kind: ClassVar[Kind] = Kind.CORRECT

    fill_key: str
    revision: int
    action: CorrectionAction
    side: Side | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    fees: Decimal | None = None
    split: Shares | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        require_name("fill_key", self.fill_key, 1000)
        if type(self.revision) is not int or self.revision < 1:
            raise InvalidRecordError("revision", self.revision, "a whole number from 1")
        require_member("action", self.action, CorrectionAction)
        if self.side is not None:
            require_member("side", self.side, Side)
        if self.quantity is not None:
            require_amount("quantity", self.quantity, above=_ZERO)
        if self.price is not None:
            require_amount("price", self.price, least=_ZERO)
        if self.fees is not None:
            require_amount("fees", self.fees)
        if self.split is not None:
            require_shares("split", self.split, total=self.quantity)
        self._check_action()

    def _check_action(self) -> None:
        changes = [name for name in ("side", "quantity", "price", "fees") if getattr(self, name) is not None]
        if self.action != CorrectionAction.CORRECT and changes:
            raise InvalidRecordError(changes[0], getattr(self, changes[0]), f"nothing in a {self.action}")
        if self.action == CorrectionAction.REASSIGN and self.split is None:
            raise InvalidRecordError("split", None, "the new owners of the fill")
        if self.action == CorrectionAction.BUST and self.split is not None:
            raise InvalidRecordError("split", dict(self.split), "nothing in a bust")
        if self.action == CorrectionAction.CORRECT and not changes:
            raise InvalidRecordError("action", self.action, "at least one of side, quantity, price, fees")

    @property
    def key(self) -> str:
        """The fill's key and the revision."""
        return f"{self.fill_key}#{self.revision}"


_RECORDS: Final[Mapping[Kind, type[Record]]] = {
    record.kind: record
    for record in (Plan, Suppression, Intent, Fill, Allocation, Cross, Correction, Event, Mark, Recon)
}


def record_of(entry: Entry | Draft) -> Record | None:
    """Read the record an entry holds; None for a kind that has none (quarantine, or one of a later version).

    Raises
    ------
    InvalidRecordError
        The body is not what the kind promises.
    """
    record = _RECORDS.get(entry.kind)
    return None if record is None else record.from_entry(entry)
