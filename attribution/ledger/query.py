"""Questions to a ledger of a million fills: a filtered, ordered page, and exact totals by group.

The log is the truth; the answers come from a query database that is rebuilt from it and may be deleted at any time.
It is SQLite: one row per fill, one per fill and strategy, and a pyramid of totals (for ever, by month, by day), so
that a group-by adds up a few thousand cells instead of a million rows. Amounts are kept as decimal text and added as
decimals: no sum is ever rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.money import exact

__all__ = ["GROUPS", "ORDERS", "Bounds", "GroupTotal", "TradeLedgerQuery"]

ORDERS: Final = ("timestamp", "symbol", "strategy_name")
"""What a query may be ordered by."""

GROUPS: Final = ("strategy_name", "symbol", "side", "asset_type", "account_id", "currency")
"""What totals may be grouped by."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SIDES = ("BUY", "SELL")
_TEXTS = ("strategy_name", "symbol", "asset_type", "side", "account_id", "currency")


@dataclass(frozen=True, slots=True)
class Bounds:
    """The first and the last instant that a query takes in. [UTC ns; None: open]"""

    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class TradeLedgerQuery:
    """Which fills, and in which order. Every filter that is None lets everything through.

    Parameters
    ----------
    strategy_name
        Fills in which this strategy has a share.
    symbol, asset_type, side, account_id
        Equal to this; ``asset_type`` and ``side`` in any case of letters.
    start_date, end_date
        Both included. A date is the whole UTC day; a datetime is an instant, in UTC if it has no zone.
    limit, offset
        How many fills at most (None: all), after leaving out how many.
    order_by, ascending
        ``"timestamp"``, ``"symbol"`` or ``"strategy_name"``; fills that are equal in it are in order of time, then in
        that of the log, and ``ascending=False`` turns all of it around.
    currency
        Fills in this currency.

    Raises
    ------
    InvalidRecordError
        A field holds something else; the message names it and what is allowed.
    """

    strategy_name: str | None = None
    symbol: str | None = None
    asset_type: str | None = None
    side: str | None = None
    account_id: str | None = None
    start_date: date | datetime | None = None
    end_date: date | datetime | None = None
    limit: int | None = None
    offset: int = 0
    order_by: str = "timestamp"
    ascending: bool = True
    currency: str | None = None

    def __post_init__(self) -> None:
        for name in _TEXTS:
            self._check_text(name)
        for name in ("asset_type", "side"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, str(value).upper())
        if self.side is not None and self.side not in _SIDES:
            raise InvalidRecordError("side", self.side, "BUY or SELL")
        if self.order_by not in ORDERS:
            raise InvalidRecordError("order_by", self.order_by, f"one of {', '.join(ORDERS)}")
        self._check_count("limit", least=1)
        self._check_count("offset", least=0)
        for name in ("start_date", "end_date"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, date):
                raise InvalidRecordError(name, value, "a date or a datetime")

    def _check_text(self, name: str) -> None:
        value = getattr(self, name)
        if value is None:
            return
        if not isinstance(value, str) or not value.strip():
            raise InvalidRecordError(name, value, "text that is not blank, or None for any")
        object.__setattr__(self, name, value.strip())

    def _check_count(self, name: str, *, least: int) -> None:
        value = getattr(self, name)
        if name == "limit" and value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InvalidRecordError(name, value, f"a whole number from {least}")

    @property
    def bounds(self) -> Bounds:
        """The instants of the two dates. [UTC ns]"""
        first = None if self.start_date is None else _edge(self.start_date, last=False)
        last = None if self.end_date is None else _edge(self.end_date, last=True)
        return Bounds(first, last)

    def filters(self) -> dict[str, str]:
        """The equalities that are asked for."""
        return {name: getattr(self, name) for name in _TEXTS if getattr(self, name) is not None}


def _edge(value: date | datetime, *, last: bool) -> int:
    """The first or last nanosecond that a date or an instant stands for."""
    if isinstance(value, datetime):
        at = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        ns = (at - _EPOCH) // _MICROSECOND * 1000
        return ns + 999 if last else ns  # an instant is known to the microsecond; all of it is meant
    day = datetime.combine(value, time(), UTC)
    ns = (day - _EPOCH) // _MICROSECOND * 1000
    return ns + 86_400 * 1_000_000_000 - 1 if last else ns


@dataclass(frozen=True, slots=True)
class GroupTotal:
    """What the fills of one group come to, exactly.

    ``group`` holds the values of what was grouped by, and ``currency`` that of the amounts: amounts of different
    currencies have no sum, so that a group with several of them has a row for each. Quantities are unsigned, values are
    quantity × price × multiplier [currency]; ``fees`` are those that are known, ``fees_unknown`` counts shares of fills
    without any. A fill that two strategies share counts in both of their groups, each with its own part.
    """

    group: dict[str, str | None]
    currency: str
    count: int
    buy_quantity: Decimal
    sell_quantity: Decimal
    buy_value: Decimal
    sell_value: Decimal
    fees: Decimal
    fees_unknown: int

    @property
    def net_quantity(self) -> Decimal:
        """Bought less sold."""
        with exact():
            return self.buy_quantity - self.sell_quantity

    def to_dict(self) -> dict[str, Any]:
        """The group's values and its amounts in one row."""
        amounts = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("group", "currency")}
        return {**self.group, "currency": self.currency, **amounts}


def check_groups(by: Sequence[str]) -> tuple[str, ...]:
    """Return the groupings, or raise for what cannot be grouped by."""
    names = tuple([by] if isinstance(by, str) else by)
    for name in names:
        if name not in GROUPS:
            raise InvalidRecordError("by", name, f"one of {', '.join(GROUPS)}")
    return tuple(dict.fromkeys(names))
