"""What a hash on the server says of one order: text to values, each absence with its own words."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from attribution.errors import TradeError
from attribution.market.quotes import Missing, Side
from attribution.symbols import format_symbol, parse_symbol

__all__ = [
    "ORDER_FIELDS",
    "PARENT_FIELDS",
    "UNFILLED",
    "Cells",
    "NoFill",
    "Order",
    "OrderKeys",
    "canonical",
    "parent_key",
    "read_order",
    "read_parent",
    "stored_key",
]

Cells: TypeAlias = Sequence[bytes | str | None]
"""A reply to HMGET: a client may or may not have decoded it."""

ORDER_FIELDS = (
    "long_symbol",
    "order_type",
    "quantity",
    "price",
    "status",
    "exchange",
    "broker",
    "remote_order_id",
)
PARENT_FIELDS = ("long_symbol", "entry_keys", "exit_keys")

UNFILLED = frozenset({"PENDING", "OPEN", "REJECTED"})
"""Of an order in one of these states the price is the limit it was placed with, not what it was filled at."""

_FORKED_ORDER = re.compile(r"F\d+$")
_FORKED_PARENT = re.compile(r"_F\d+$")
_REMOTE_ID = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\d\d")
_SIDES: dict[str, Side] = {"BUY": "entry", "SHORT": "entry", "SELL": "exit", "COVER": "exit"}

# How the writer spells a value that it does not have.
_NOTHING = ("", "None")

# An expiry exit is written down at the exchange's smallest price, because the writer takes 0 for "no price".
_EXPIRY_EXIT = "SQUAREOFF"
_SMALLEST_PRICE = 0.05


class Order(NamedTuple):
    """One filled order; ``symbol`` is canonical where it can be read, else what is stored.

    ``price`` [currency per unit] and ``quantity`` [units] are None where they are not known. ``flaw`` says what is
    wrong with the price, if anything: the order was filled, and its price cannot be told.
    """

    key: str
    symbol: str
    order_type: str
    price: float | None
    quantity: float | None
    flaw: str = ""
    time: str | None = None
    """When it was placed, to the second and in the exchange's own time; None where it is not told."""


class NoFill(NamedTuple):
    """Why an order is no fill. ``unclear``: it cannot even be told whose leg it would be."""

    reason: str
    unclear: bool = False


@dataclass(frozen=True, slots=True)
class OrderKeys:
    """What an internal order id stands for: its symbol, and the broker's order ids of both sides."""

    internal_order_id: str
    symbol: str
    entry_keys: tuple[str, ...]
    exit_keys: tuple[str, ...]


def stored_key(key: str) -> str:
    """Return the id under which an order is stored: a row that was split in two has ``F1``, ``F2`` … after it."""
    return _FORKED_ORDER.sub("", key)


def parent_key(internal_order_id: str) -> str:
    """Return the id under which a parent order is stored, likewise without its fork."""
    return _FORKED_PARENT.sub("", internal_order_id)


@lru_cache(maxsize=65536)
def canonical(text: str) -> str:
    """Return the one spelling of a stored symbol; the text itself where no grammar reads it."""
    try:
        return format_symbol(parse_symbol(text))
    except TradeError:
        return text


def read_order(
    key: str, cells: Cells, side: Side, *, broker: str | None = None, unfilled: Collection[str] = UNFILLED
) -> Order | NoFill:
    """Read one order hash.

    Parameters
    ----------
    key, cells
        The order id, for messages, and the values of ``ORDER_FIELDS`` in that order.
    side
        The side of the trade that the key was listed for.
    broker
        The broker whose orders count; None for any.
    unfilled
        The states in which the price is not a fill.

    Returns
    -------
    Order | NoFill
        The order, or why it is no fill of that side.
    """
    if cells.count(None) == len(cells):
        return NoFill(f"order {key} is not on the server", unclear=True)
    symbol, order_type, quantity, price, status, exchange, owner, remote_id = _texts(cells)
    if broker is not None and owner != broker:
        return NoFill(f"order {key} is of broker {owner or 'unknown'}, not {broker}")
    if symbol is None or symbol in _NOTHING:
        return NoFill(f"order {key} has no long_symbol", unclear=True)
    wrong = _wrong_side(order_type, side)
    if wrong:
        return NoFill(f"order {key} {wrong}")
    if status in unfilled:
        return NoFill(f"order {key} is {status}: its price is not a fill")
    units, _ = _number(quantity, "quantity")
    if units == 0.0:
        return NoFill(f"order {key} has quantity 0: nothing was filled")
    value, flaw = _price(price, side == "exit" and exchange == _EXPIRY_EXIT)
    kind = "" if order_type is None or order_type in _NOTHING else order_type
    return Order(key, canonical(symbol), kind, value, units, flaw and f"order {key} has {flaw}", _placed(remote_id))


def read_parent(internal_order_id: str, cells: Cells) -> OrderKeys | Missing:
    """Read one parent hash: the values of ``PARENT_FIELDS``, in that order."""
    symbol, entry_keys, exit_keys = (text or "" for text in _texts(cells))
    if not symbol and not entry_keys and not exit_keys:
        return Missing(f"order {internal_order_id} is not on the server")
    if entry_keys in _NOTHING:
        return Missing(f"order {internal_order_id} has no entry_keys")
    leaving = () if exit_keys in _NOTHING else tuple(exit_keys.split())
    return OrderKeys(internal_order_id, symbol, tuple(entry_keys.split()), leaving)


def _texts(cells: Cells) -> list[str | None]:
    """Decode what a client has not; nothing that is written here has white space around it."""
    return [cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell for cell in cells]


def _placed(remote_id: str | None) -> str | None:
    """The first 14 of the 16 digits of ``remote_order_id``: year to second; the rest are hundredths."""
    found = _REMOTE_ID.fullmatch(remote_id or "")
    return f"{found[1]}-{found[2]}-{found[3]} {found[4]}:{found[5]}:{found[6]}" if found else None


def _wrong_side(order_type: str | None, side: Side) -> str:
    """Older hashes have no order type; one that is there must agree with the list the key stands in."""
    if order_type is None or order_type in _NOTHING:
        return ""
    known = _SIDES.get(order_type)
    if known == side:
        return ""
    if known is None:
        return f"has order_type {order_type!r}, which is not BUY, SHORT, SELL or COVER"
    return f"is a {order_type}, which is an {known} and not an {side}"


def _price(text: str | None, expiry_exit: bool) -> tuple[float | None, str]:
    value, flaw = _number(text, "price")
    if expiry_exit and value is not None and math.isclose(value, _SMALLEST_PRICE):
        return 0.0, ""
    if value == 0.0 and not expiry_exit:
        return None, "price 0, which stands for not filled"
    return value, flaw


def _number(text: str | None, field: str) -> tuple[float | None, str]:
    """Return a finite number that is not negative, or what stands there instead of it."""
    if text is None:
        return None, f"no {field}"
    try:
        value = float(text)
    except ValueError:
        return None, f"{field} {text!r}, which is not a number"
    if 0.0 <= value < math.inf:
        return value + 0.0, ""
    if math.isnan(value):
        return None, f"{field} nan"
    return None, f"{field} {text}, which must be finite and not negative"
