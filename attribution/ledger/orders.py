"""What an execution reports, read as a fill: attributes or keys under any of their usual names, blanks as None.

Nothing here touches the log. An order that was not filled is no fill; one that was, and whose price or quantity
cannot be read, is an :class:`~attribution.ledger.errors.InvalidRecordError` that says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from attribution.fields import is_absent
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.record import AssetType, Side

__all__ = ["Execution", "Quote", "read_execution", "read_quote", "weights_for"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "symbol": ("symbol",),
    "order_id": ("order_id", "id"),
    "side": ("action", "side", "direction"),
    "quantity": ("filled_qty", "filled_quantity", "shares", "quantity", "qty"),
    "price": ("fill_price", "filled_avg_price", "price", "average_price"),
    "at": ("filled_at", "fill_timestamp", "fill_time", "timestamp"),
    "fill_id": ("fill_id", "execution_id"),
    "cumulative": ("cum_qty", "cumulative_quantity"),
    "fees": ("fees", "commission"),
    "bid": ("bid_at_fill",),
    "ask": ("ask_at_fill",),
    "weights": ("strategy_weights",),
    "strategy": ("strategy_name", "strategy"),
}
_FILLED_ONLY = ("filled_qty", "filled_quantity", "cum_qty")
"""Names of a quantity that can only mean what was filled; ``shares`` may be what was wanted."""
_TEXTS = ("client_order_id", "causation_id", "event_id", "venue", "currency", "leg_group", "notes", "plan_id")
_SIDES = {
    **dict.fromkeys(("BUY", "LONG", "BUY_TO_OPEN", "BUY_TO_CLOSE", "BUY_TO_COVER"), Side.BUY),
    **dict.fromkeys(("SELL", "SHORT", "SELL_SHORT", "SELL_TO_OPEN", "SELL_TO_CLOSE"), Side.SELL),
}
_DEAD = frozenset(("REJECTED", "CANCELED", "CANCELLED", "EXPIRED", "FAILED", "ERROR", "NEW", "PENDING", "ACCEPTED"))


@dataclass(frozen=True, slots=True)
class Quote:
    """The market at a fill; a side that is not quoted is None. [currency per unit]"""

    bid: Decimal | None = None
    ask: Decimal | None = None
    ts: int | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """What an order result says of a fill. ``cumulative`` is what the whole order has filled so far, if it says."""

    symbol: str
    order_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    at: int | None
    fill_id: str | None
    cumulative: Decimal | None
    fees: Decimal | None
    expected_price: Decimal | None
    order_type: str
    asset_type: str | None
    multiplier: Decimal | None
    quote: Quote
    weights: dict[str, Decimal] | None
    texts: dict[str, str]


def read_execution(order_result: object) -> Execution | None:
    """Read an order result; None for an order that was not filled.

    Raises
    ------
    InvalidRecordError
        The order was filled, and a field that a fill cannot do without is missing or malformed.
    """
    if not _was_filled(order_result):
        return None
    quantity = _amount(order_result, "quantity")
    if quantity is None or quantity == 0:
        return None
    asset_type = _text(order_result, "asset_type")
    return Execution(
        symbol=_required_text(order_result, "symbol"),
        order_id=_required_text(order_result, "order_id"),
        side=_side(order_result),
        quantity=quantity.copy_abs(),  # abs() would round to the thread's precision
        price=_price(order_result, asset_type),
        at=instant_ns("filled_at", _get(order_result, "at")),
        fill_id=_text(order_result, "fill_id"),
        cumulative=_amount(order_result, "cumulative"),
        fees=_amount(order_result, "fees"),
        expected_price=_positive(_amount(order_result, "expected_price")),
        order_type=(_text(order_result, "order_type") or "MARKET").upper(),
        asset_type=asset_type.upper() if asset_type else None,
        multiplier=_positive(_amount(order_result, "multiplier")),
        quote=Quote(_positive(_amount(order_result, "bid")), _positive(_amount(order_result, "ask"))),
        weights=_own_weights(order_result),
        texts={name: text for name in _TEXTS if (text := _text(order_result, name)) is not None},
    )


def read_quote(quote: object | None) -> Quote:
    """Read a quote: ``bid_price``/``ask_price`` or ``bid``/``ask``; a price that is not positive is no quote."""
    if quote is None:
        return Quote()
    bid, ask = (_positive(_first_amount(quote, names)) for names in (("bid_price", "bid"), ("ask_price", "ask")))
    return Quote(bid, ask, instant_ns("quote_time", _first(quote, ("timestamp", "time", "quote_time"))))


def weights_for(symbol: str, plan: object | None) -> dict[str, Decimal] | None:
    """What a rebalance plan says of the owners of a symbol; None where it says nothing.

    Read are ``metadata["strategy_attribution"][symbol]`` and ``strategy_contributions[strategy][symbol]``.
    """
    metadata = None if plan is None else _first(plan, ("metadata",))
    if isinstance(metadata, Mapping):
        attribution = metadata.get("strategy_attribution")
        own = attribution.get(symbol) if isinstance(attribution, Mapping) else None
        if own:
            return _weights(own)
    contributions = None if plan is None else _first(plan, ("strategy_contributions", "contributions"))
    if isinstance(contributions, Mapping):
        own = {name: wants[symbol] for name, wants in contributions.items() if symbol in wants}
        return _weights(own) if own else None
    return None


def instant_ns(field: str, value: object) -> int | None:
    """An instant in nanoseconds UTC: a datetime (UTC if it has no zone), ISO text, or None where it says nothing."""
    if is_absent(value):
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidRecordError(field, value, "an instant such as 2025-01-06T14:30:00Z") from None
    if not isinstance(value, datetime):
        raise InvalidRecordError(field, value, "a datetime")
    at = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def _was_filled(order_result: object) -> bool:
    success = _first(order_result, ("success",))
    status = _word(_first(order_result, ("status", "order_status")))
    if success is False or status in _DEAD:
        filled = _first_amount(order_result, _FILLED_ONLY)
        return filled is not None and filled != 0
    return True


def _price(order_result: object, asset_type: str | None) -> Decimal:
    """The fill price; 0 is one for an option alone, for anything else it stands for "not known"."""
    price = _amount(order_result, "price")
    if price is None or price < 0 or (price == 0 and (asset_type or "").upper() != AssetType.OPTION):
        raise InvalidRecordError("price", price, "the price of a filled order; without it the fill has no value")
    return price


def _side(order_result: object) -> Side:
    value = _get(order_result, "side")
    side = _SIDES.get(_word(value))
    if side is None:
        raise InvalidRecordError("side", value, "BUY or SELL")
    return side


def _own_weights(order_result: object) -> dict[str, Decimal] | None:
    weights = _get(order_result, "weights")
    if isinstance(weights, Mapping) and weights:
        return _weights(weights)
    strategy = _text(order_result, "strategy")
    if strategy is not None:
        return {strategy: Decimal(1)}
    names = _first(order_result, ("strategy_names",))
    if isinstance(names, Iterable) and not isinstance(names, str):
        only = [str(name) for name in names]
        return {only[0]: Decimal(1)} if len(only) == 1 else None
    return None


def _weights(weights: Mapping[Any, Any]) -> dict[str, Decimal]:
    """Strategy → weight; weights of 0 own nothing."""
    read = {str(name): _decimal(f"weight of {name}", weight) for name, weight in weights.items()}
    return {name: weight for name, weight in read.items() if weight}


def _get(source: object, field: str) -> Any:
    return _first(source, _NAMES.get(field, (field,)))


def _first(source: object, names: Iterable[str]) -> Any:
    """The first of several attributes or keys that says something."""
    for name in names:
        value = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
        if isinstance(value, Mapping | list | tuple | set | frozenset) or not is_absent(value):
            return value
    return None


def _text(source: object, field: str) -> str | None:
    value = _get(source, field)
    text = "" if value is None else str(getattr(value, "value", value)).strip()
    return text or None


def _required_text(source: object, field: str) -> str:
    text = _text(source, field)
    if text is None:
        raise InvalidRecordError(field, None, "needed: a filled order has one")
    return text


def _word(value: object) -> str:
    """An enumeration's value or a text, in upper case and without its class name."""
    return str(getattr(value, "value", value)).strip().upper().rpartition(".")[2]


def _amount(source: object, field: str) -> Decimal | None:
    value = _get(source, field)
    return None if value is None else _decimal(field, value)


def _first_amount(source: object, names: Iterable[str]) -> Decimal | None:
    value = _first(source, names)
    return None if value is None else _decimal("amount", value)


def _decimal(field: str, value: object) -> Decimal:
    """An exact amount; a float means the shortest decimal that is this float."""
    if isinstance(value, bool):
        raise InvalidRecordError(field, value, "a number")
    try:
        amount = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise InvalidRecordError(field, value, "a number") from None
    if not amount.is_finite():
        raise InvalidRecordError(field, value, "a finite number")
    return amount


def _positive(value: Decimal | None) -> Decimal | None:
    """A price that a vendor writes as 0 when there is none."""
    return value if value is not None and value > 0 else None
