"""A recorded fill as people read it: the union of the documented fields, missing data as None.

A :class:`TradeLedgerEntry` is a view of the log, never the truth: it is made of a fill entry, of the allocation that
was written with it, and of the corrections that came later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from attribution.ledger.canonical import decimal_text
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.money import exact

__all__ = ["TradeLedger", "TradeLedgerEntry", "instant_at", "require_one_currency"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NONE: Mapping[str, Decimal] = MappingProxyType({})


def instant_at(ts: int) -> datetime:
    """Return nanoseconds since 1970-01-01 UTC as an aware instant; below a microsecond it is cut off."""
    return _EPOCH + timedelta(microseconds=ts // 1000)


def require_one_currency(currencies: Iterable[str], advice: str) -> None:
    """Refuse to add up amounts of several currencies.

    Raises
    ------
    InvalidRecordError
        There are several; it says how to ask for one.
    """
    several = sorted(set(currencies))
    if len(several) > 1:
        allowed = f"one of {', '.join(several)}; amounts of different currencies have no sum: {advice}"
        raise InvalidRecordError("currency", None, allowed)


@dataclass(frozen=True, slots=True)
class TradeLedgerEntry:
    """One fill on record. Amounts are exact decimals in the fill's currency; what nobody told is None.

    ``direction`` is ``"BUY"`` or ``"SELL"`` and ``filled_qty`` has no sign. ``ts`` is in ns since 1970-01-01 UTC.
    ``strategy_weights`` is what the plan said, ``strategy_quantities`` and ``strategy_fees`` what each strategy was
    given, and ``policy`` the rule by which. ``revision`` counts the corrections already applied here.
    """

    seq: int
    key: str
    account_id: str
    order_id: str
    symbol: str
    direction: str
    filled_qty: Decimal
    fill_price: Decimal
    ts: int
    trade_date: date
    source: str
    schema_version: int
    fill_id: str | None = None
    client_order_id: str | None = None
    plan_id: str | None = None
    plan_item: str | int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    ledger_id: str | None = None
    event_id: str | None = None
    asset_type: str | None = None
    order_type: str = "MARKET"
    fees: Decimal | None = None
    bid_at_fill: Decimal | None = None
    ask_at_fill: Decimal | None = None
    quote_ts: int | None = None
    expected_price: Decimal | None = None
    venue: str | None = None
    multiplier: Decimal = Decimal(1)
    currency: str = "USD"
    leg_group: str | None = None
    notes: str | None = None
    policy: str | None = None
    strategy_weights: Mapping[str, Decimal] | None = None
    strategy_quantities: Mapping[str, Decimal] = field(default_factory=lambda: _NONE)
    strategy_fees: Mapping[str, Decimal] = field(default_factory=lambda: _NONE)
    revision: int = 0

    @property
    def strategy_names(self) -> tuple[str, ...]:
        """The strategies this fill belongs to, in alphabetical order."""
        return tuple(sorted(self.strategy_quantities))

    @property
    def strategy_name(self) -> str | None:
        """The one strategy this fill belongs to; None where several share it."""
        names = self.strategy_names
        return names[0] if len(names) == 1 else None

    @property
    def side(self) -> str:
        """``direction``, under its other documented name."""
        return self.direction

    @property
    def quantity(self) -> Decimal:
        """``filled_qty``, under its other documented name."""
        return self.filled_qty

    @property
    def price(self) -> Decimal:
        """``fill_price``, under its other documented name. [currency per unit]"""
        return self.fill_price

    @property
    def fill_timestamp(self) -> datetime:
        """When it was filled, in UTC."""
        return instant_at(self.ts)

    @property
    def timestamp(self) -> datetime:
        """``fill_timestamp``, under its other documented name."""
        return instant_at(self.ts)

    @property
    def mid_at_fill(self) -> Decimal | None:
        """The middle of bid and ask at the fill, where both are known and not crossed. [currency per unit]"""
        bid, ask = self.bid_at_fill, self.ask_at_fill
        if bid is None or ask is None or bid > ask:
            return None
        with exact():
            return (bid + ask) / 2

    @property
    def gross_value(self) -> Decimal:
        """Quantity × price × multiplier, without fees. [currency]"""
        with exact():
            return self.filled_qty * self.fill_price * self.multiplier

    @property
    def total_value(self) -> Decimal:
        """The gross value and the fees that are known. [currency]"""
        with exact():
            return self.gross_value + (self.fees or 0)

    @property
    def net_value(self) -> Decimal:
        """What the fill did to the cash: negative for a purchase. [currency]"""
        with exact():
            value = self.gross_value.copy_negate() if self.direction == "BUY" else self.gross_value
            return value - (self.fees or 0)

    def to_dict(self) -> dict[str, Any]:
        """The documented fields as JSON can hold them: amounts as text, instants in ISO form, unknown as None."""
        told = {one.name: _plain(getattr(self, one.name)) for one in fields(self)}
        told |= {"fill_timestamp": self.fill_timestamp.isoformat(), "strategy_names": list(self.strategy_names)}
        return told


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class TradeLedger:
    """The fills of a ledger at one moment, in the order in which they were recorded."""

    ledger_id: str
    created_at: datetime
    entries: tuple[TradeLedgerEntry, ...]

    @property
    def total_entries(self) -> int:
        """How many fills."""
        return len(self.entries)

    @property
    def total_buy_value(self) -> Decimal:
        """Gross value of all purchases, which must be in one currency. [currency]"""
        return self.value("BUY")

    @property
    def total_sell_value(self) -> Decimal:
        """Gross value of all sales, which must be in one currency. [currency]"""
        return self.value("SELL")

    @property
    def currencies(self) -> list[str]:
        """The currencies of the fills."""
        return sorted({one.currency for one in self.entries})

    def value(self, direction: str, currency: str | None = None) -> Decimal:
        """Gross value of all purchases (``"BUY"``) or sales (``"SELL"``) in a currency; None: in the only one there is.

        Raises
        ------
        InvalidRecordError
            There are several currencies.
        """
        if currency is None:
            require_one_currency(self.currencies, f"ask value({direction!r}, currency=…)")
        own = [one for one in self.entries if one.direction == direction and currency in (None, one.currency)]
        with exact():
            return sum((one.gross_value for one in own), Decimal(0))

    def to_dict(self) -> dict[str, Any]:
        """The ledger as JSON can hold it; where there are several currencies each has its own totals."""
        totals: dict[str, Any] = {"total_buy_value": None, "total_sell_value": None}
        if len(self.currencies) > 1:
            totals["totals_by_currency"] = {one: self._totals(one) for one in self.currencies}
        else:
            totals |= self._totals(None)
        return {
            "ledger_id": self.ledger_id,
            "created_at": self.created_at.isoformat(),
            "total_entries": self.total_entries,
            **totals,
            "entries": [one.to_dict() for one in self.entries],
        }

    def _totals(self, currency: str | None) -> dict[str, str]:
        return {
            "total_buy_value": decimal_text(self.value("BUY", currency)),
            "total_sell_value": decimal_text(self.value("SELL", currency)),
        }
