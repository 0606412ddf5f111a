"""One validated trade, read once from a row; afterwards nobody checks or guesses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, NamedTuple, cast

from attribution.calendars import canonical_exchange, get_calendar
from attribution.errors import CalendarError, TradeError
from attribution.fields import as_number, is_absent
from attribution.instruments import DATED
from attribution.priced import PricedLeg, priced_legs
from attribution.symbols import underlying_of

__all__ = [
    "LEG_FIELDS",
    "NUMBER_FIELDS",
    "OPTIONAL_FIELDS",
    "REQUIRED_FIELDS",
    "UNDERLYING_FIELDS",
    "Part",
    "StatedPrices",
    "Trade",
    "as_instant",
    "leg_fields",
]

REQUIRED_FIELDS = ("symbol", "entry_time", "entry_quantity")
"""What every row must hold."""

UNDERLYING_FIELDS = ("spot_entry", "spot_exit", "forward_entry", "forward_exit")
"""Fields in which a row may state the prices of its underlying at its own two ends."""

_AMOUNTS = ("entry_price", "exit_price", "exit_quantity", "mtm", "multiplier", "commission")
OPTIONAL_FIELDS = (
    *("exit_time", *_AMOUNTS, "exchange", "trade_id", "int_order_id", "side", "entry_keys", "exit_keys"),
    *UNDERLYING_FIELDS,
)
"""What a row may hold besides; and of each leg what :func:`leg_fields` names."""

NUMBER_FIELDS = ("entry_quantity", *_AMOUNTS, *UNDERLYING_FIELDS)
"""The fields that hold numbers."""


def leg_fields(place: int) -> tuple[str, str]:
    """Return the fields in which a row may state the prices of its leg number ``place``, counted from 1."""
    return f"leg{place}_entry", f"leg{place}_exit"


MOST_LEGS = 20
"""Legs whose own prices a file or a frame may have columns for."""

LEG_FIELDS = tuple(field for place in range(1, MOST_LEGS + 1) for field in leg_fields(place))
"""Those columns."""

_PRICE_FIELDS = frozenset((*UNDERLYING_FIELDS, *LEG_FIELDS))


_LONG_SIDES = frozenset({"BUY", "LONG"})
_SHORT_SIDES = frozenset({"SELL", "SHORT"})


class Part(NamedTuple):
    """The share of a trade that ends in one way: closed at ``exit_time``, or still open (None)."""

    quantity: float
    exit_time: datetime | None


@dataclass(frozen=True, slots=True)
class StatedPrices:
    """Prices that the row itself states, beside those of the trade as a whole. [currency per unit]

    Each pair is (at the entry, at the exit); without an exit the second is the mark, or the settlement value at the
    last expiry. ``legs`` are in the order of the trade's legs.
    """

    spot: tuple[float | None, float | None] = (None, None)
    forward: tuple[float | None, float | None] = (None, None)
    legs: tuple[tuple[float | None, float | None], ...] = ()


class Trade(NamedTuple):
    """What a row says, checked: signed quantity, legs, own prices and times (zone-aware)."""

    symbol: str
    legs: tuple[PricedLeg, ...]
    quantity: float
    entry_time: datetime
    exit_time: datetime | None = None
    entry_price: float | None = None
    exit_price: float | None = None
    exit_quantity: float | None = None
    mtm: float | None = None
    commission: float | None = None
    entry_keys: tuple[str, ...] = ()
    exit_keys: tuple[str, ...] = ()
    label: str | None = None
    stated: StatedPrices | None = None

    @property
    def home(self) -> str:
        """Exchange code of the first leg: in its zone the row's times are read."""
        return self.legs[0].exchange

    @property
    def is_combo(self) -> bool:
        """Whether the row's own prices are net prices of several legs."""
        return len(self.legs) > 1

    @property
    def last_expiry(self) -> datetime | None:
        """The instant at which nothing of the trade is left; None where a leg never expires."""
        instants = []
        for item in self.legs:
            if item.expires_at is None:
                return None
            instants.append(item.expires_at)
        return max(instants)

    @property
    def common_multiplier(self) -> float:
        """``m_c``: the multiplier that all legs share, else 1. The row's net prices are per this unit."""
        first = self.legs[0].multiplier
        for leg in self.legs:
            if leg.multiplier != first:
                return 1.0
        return first

    @property
    def parts(self) -> tuple[Part, ...]:
        """The closed part and the open part, whichever exist."""
        if self.exit_time is None:
            return (Part(self.quantity, None),)
        closed = self.quantity if self.exit_quantity is None else -self.exit_quantity
        if closed == self.quantity:
            return (Part(closed, self.exit_time),)
        return (Part(closed, self.exit_time), Part(self.quantity - closed, None))

    def has_row_prices(self, part: Part) -> bool:
        """Whether both of the row's own prices are there, so that it can disagree with its legs.

        A closed part needs the exit price, an open one the ``mtm``: a difference at one end alone would be booked in
        one window and never come back in another.
        """
        last = self.mtm if part.exit_time is None else self.exit_price
        return self.entry_price is not None and last is not None

    @classmethod
    def from_row(cls, row: object) -> Trade:
        """Read a mapping, a ``pd.Series`` or a named tuple.

        Raises
        ------
        TradeError
            A field is missing, of the wrong kind or contradicts another; the message names it.
        """
        return _read(_as_mapping(row))


def as_instant(field: str, value: object, exchange: str) -> datetime | None:
    """Return the zone-aware instant in a field, or None where it holds nothing.

    ``""``, ``"0"``, 0, NaN, NaT and None mean nothing; a naive time is read in the exchange's zone.
    """
    if type(value) is str:  # texts repeat: entry times of one basket, the close of one day
        return _instant_of_text(field, value, exchange)
    if value is None or is_absent(value) or value == 0:
        return None
    return _instant(field, value, exchange)


@lru_cache(maxsize=65536)
def _instant_of_text(field: str, value: str, exchange: str) -> datetime | None:
    return None if value.strip() in ("", "0") else _instant(field, value, exchange)


def _instant(field: str, value: object, exchange: str) -> datetime:
    try:
        return get_calendar(exchange).localize(cast(Any, value))
    except CalendarError as exc:
        raise TradeError(field, value, str(exc).removeprefix(f"instant={value!r}: ")) from exc


def _as_mapping(row: object) -> Mapping[str, Any]:
    if isinstance(row, (dict, Mapping)):
        return row
    if hasattr(row, "to_dict"):  # it is slow to say that it lacks anything
        series = cast(Any, row)
        one_row = getattr(series, "ndim", None) == 1
        return dict(zip(_names_of(series), series, strict=True)) if one_row else dict(series.to_dict())
    if hasattr(row, "_asdict"):  # named tuple
        return dict(row._asdict())
    raise TradeError("row", type(row).__name__, "a mapping, a pandas Series or a named tuple")


_names: tuple[object, Sequence[Any]] = ((), ())
"""The labels of the last Series, and the same as plain texts."""


def _names_of(row: Any) -> Sequence[Any]:
    """Return the labels of a Series. The rows of a frame share one Index, which never changes and is slow to read."""
    global _names
    index, names = _names
    if index is not row.index:
        index = row.index
        names = index.tolist()
        _names = (index, names)
    return names


def _required(row: Mapping[str, Any], field: str, allowed: str) -> Any:
    if field not in row:
        raise TradeError(field, None, f"missing from the row; it takes {allowed}")
    value = row[field]
    if is_absent(value):
        raise TradeError(field, value, f"needed: {allowed}")
    return value


def _read(row: Mapping[str, Any]) -> Trade:
    symbol = _required(row, "symbol", "an instrument or a combo such as 'A?1:B?-1'")
    if not isinstance(symbol, str):
        raise TradeError("symbol", symbol, "text")
    legs = priced_legs(symbol, _exchange(row), as_number("multiplier", row.get("multiplier")))
    home = legs[0].exchange
    quantity = as_number("entry_quantity", _required(row, "entry_quantity", "a signed number of units, + long"))
    if quantity is None or quantity == 0.0:
        raise TradeError("entry_quantity", quantity, "a signed number of units other than zero, + long")
    _check_side(row.get("side"), quantity)
    entry_time = as_instant("entry_time", _required(row, "entry_time", "the instant of the entry fill"), home)
    if entry_time is None:
        raise TradeError("entry_time", row["entry_time"], "needed: the instant of the entry fill")
    exit_time = as_instant("exit_time", row.get("exit_time"), home)
    exit_quantity = as_number("exit_quantity", row.get("exit_quantity"))
    exit_time, exit_quantity = _check_exit(entry_time, exit_time, quantity, exit_quantity)
    trade = Trade(
        symbol=symbol,
        legs=legs,
        quantity=quantity,
        entry_time=entry_time,
        exit_time=exit_time,
        entry_price=as_number("entry_price", row.get("entry_price")),
        exit_price=as_number("exit_price", row.get("exit_price")),
        exit_quantity=exit_quantity,
        mtm=as_number("mtm", row.get("mtm")),
        commission=as_number("commission", row.get("commission")),
        entry_keys=_keys("entry_keys", row.get("entry_keys")),
        exit_keys=_keys("exit_keys", row.get("exit_keys")),
        label=_label(row),
        stated=_stated(row, legs),
    )
    _check_expiries(trade)
    return trade


def _exchange(row: Mapping[str, Any]) -> str | None:
    value = row.get("exchange")
    if value is None or is_absent(value):
        return None
    try:
        return canonical_exchange(str(value))
    except CalendarError as exc:
        raise TradeError("exchange", value, str(exc)) from exc


def _check_side(side: object, quantity: float) -> None:
    """A row that says both 'short' and '+75' would get the wrong sign whichever we believed."""
    if not isinstance(side, str):
        return
    word = side.strip().upper()
    if (word in _SHORT_SIDES and quantity > 0) or (word in _LONG_SIDES and quantity < 0):
        allowed = f"agreement with side={side!r}: positive for a long trade, negative for a short one"
        raise TradeError("entry_quantity", quantity, allowed)


def _check_exit(
    entry_time: datetime, exit_time: datetime | None, quantity: float, exit_quantity: float | None
) -> tuple[datetime | None, float | None]:
    if exit_time is not None and exit_time < entry_time:
        raise TradeError("exit_time", exit_time.isoformat(), f"not before entry_time {entry_time.isoformat()}")
    if exit_time is None and exit_quantity:
        raise TradeError("exit_time", None, f"needed: exit_quantity={exit_quantity:g} says that something was closed")
    if exit_time is None or exit_quantity == 0.0:
        return None, None
    if exit_quantity is not None and not 0.0 < -exit_quantity / quantity <= 1.0:
        allowed = f"the opposite sign of entry_quantity={quantity:g} and not more of it"
        raise TradeError("exit_quantity", exit_quantity, allowed)
    return exit_time, exit_quantity


def _keys(field: str, value: object) -> tuple[str, ...]:
    """Order ids: space-separated text, or a sequence of ids."""
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, Real):
        return _key_of_number(field, value)
    if isinstance(value, Sequence):
        return tuple(str(key) for key in value)
    if is_absent(value):
        return ()
    raise TradeError(field, value, "order ids as space-separated text or a list")


def _key_of_number(field: str, value: Any) -> tuple[str, ...]:
    """One id that a file held as a number; beside empty cells it has become a float."""
    if math.isnan(value):
        return ()
    whole = isinstance(value, Integral) or (float(value).is_integer() and abs(value) < 2**53)
    if not whole or value is True or value is False:
        raise TradeError(field, value, "order ids as space-separated text or a list; as numbers they are not exact")
    return (str(int(value)),)


def _label(row: Mapping[str, Any]) -> str | None:
    for field in ("trade_id", "int_order_id"):
        if field in row and not is_absent(row[field]):
            return str(row[field])
    return None


def _stated(row: Mapping[str, Any], legs: tuple[PricedLeg, ...]) -> StatedPrices | None:
    """Read what the row states of its underlying and of its legs one by one (``leg1_entry``, ``leg1_exit``, …)."""
    if _PRICE_FIELDS.isdisjoint(row) and len(legs) <= MOST_LEGS:
        return None
    own = [leg_fields(place) for place in range(1, len(legs) + 1)]
    if not any(field in row for field in UNDERLYING_FIELDS) and not any(a in row or b in row for a, b in own):
        return None
    spot0, spot1, forward0, forward1 = (as_number(field, row.get(field)) for field in UNDERLYING_FIELDS)
    prices = tuple((as_number(a, row.get(a)), as_number(b, row.get(b))) for a, b in own)
    stated = StatedPrices((spot0, spot1), (forward0, forward1), prices)
    if len(legs) > 1:
        _check_common(stated, legs)
    return stated


def _check_common(stated: StatedPrices, legs: tuple[PricedLeg, ...]) -> None:
    """One column can hold the price of one underlying, and of one delivery."""
    dated = [leg.leg.instrument for leg in legs if isinstance(leg.leg.instrument, DATED)]
    for field, values, distinct in (
        ("spot", stated.spot, {underlying_of(instrument) for instrument in dated}),
        ("forward", stated.forward, {(underlying_of(instrument), instrument.expiry) for instrument in dated}),
    ):
        if len(distinct) > 1 and any(value is not None for value in values):
            what = "underlyings" if field == "spot" else "underlyings or expiries"
            allowed = f"absent: the legs have different {what}, whose prices go into spot_prices"
            raise TradeError(f"{field}_entry, {field}_exit", values, allowed)


def _check_expiries(trade: Trade) -> None:
    for item in trade.legs:
        expires_at = item.expires_at
        # Fills are recorded a little late: the rest of the expiry day still counts as before expiry.
        if expires_at is None or trade.entry_time <= expires_at:
            continue
        if trade.entry_time.astimezone(expires_at.tzinfo).date() > expires_at.date():
            allowed = f"not after the expiry of {item.leg.symbol} ({expires_at.isoformat()})"
            raise TradeError("entry_time", trade.entry_time.isoformat(), allowed)
