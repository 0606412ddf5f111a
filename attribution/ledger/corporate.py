"""What happens to a sheet without a trade: expiry, exercise, assignment, splits, dividends, transfers, cash.

Who is concerned is decided pro rata to what is open, like an untagged close, unless the event says whose it is;
what nobody holds is the house's, in sight. An option that is exercised or assigned closes at 0, and the stock is
booked at the strike: the premium is in the option's P&L, the intrinsic value in the stock's, and neither in both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from attribution.ledger.closing import Order, ProRata, divide_untagged
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.events import Event, EventAction
from attribution.ledger.lots import Line
from attribution.ledger.money import (
    MONEY_PLACES,
    MULTIPLIER_PLACES,
    PRICE_PLACES,
    QUANTITY_PLACES,
    from_units,
    share,
    split_units,
    to_units,
)
from attribution.ledger.quanta import quantum_of
from attribution.ledger.record import HOUSE, Shares, Side
from attribution.ledger.sheet import Happening, Sheet, SheetKey, Trade

__all__ = ["delivery_sheet", "happen", "require_amounts", "require_held"]

_ONE: Final = 10**QUANTITY_PLACES
_POINT: Final = 10**MULTIPLIER_PLACES
_ZERO: Final = Decimal(0)

_PAYING: Final = frozenset({EventAction.DIVIDEND, EventAction.ADJUST, EventAction.SPLIT})
"""Events whose amount is income, and whose split says how much of it is whose."""

SheetOf = Callable[[SheetKey], Sheet]


def delivery_sheet(happening: Happening) -> SheetKey | None:
    """The other sheet an event touches: that of what an exercise delivers."""
    into = happening.event.into
    return None if into is None else happening.sheet._replace(symbol=into)


def happen(happening: Happening, sheet_of: SheetOf) -> None:
    """Let an event happen to the sheets it touches."""
    _EFFECTS[EventAction(happening.event.action)](happening, sheet_of)


# --- contracts that end -----------------------------------------------------------------------------------------


def _expire(happening: Happening, sheet_of: SheetOf) -> None:
    sheet, event = sheet_of(happening.sheet), happening.event
    _post(sheet, happening, _expiring(sheet, event), event.price or _ZERO)


def _expiring(sheet: Sheet, event: Event) -> dict[str, int]:
    """The parts that close: all that is open, unless the event concerns less than the account's net position."""
    if event.split is not None:
        return _stated(event, -1 if _closes_longs(sheet, event) else 1)
    net = sheet.units
    told = abs(net) if event.quantity is None else to_units(event.quantity, QUANTITY_PLACES, "quantity")
    if told < abs(net):
        return _closing(sheet, told, event, longs=net > 0)
    parts = {name: -line.units for name, line in sheet.lines.items() if line.units}
    if told > abs(net):
        surplus = told - abs(net)
        parts[HOUSE] = parts.get(HOUSE, 0) + (-surplus if _closes_longs(sheet, event) else surplus)
    return parts


def _closes_longs(sheet: Sheet, event: Event) -> bool:
    return event.side == Side.SELL if event.side is not None else sheet.units >= 0


def _used(happening: Happening, sheet_of: SheetOf) -> None:
    """An exercise (longs) or an assignment (shorts)."""
    sheet, event = sheet_of(happening.sheet), happening.event
    longs = event.action == EventAction.EXERCISE
    if event.split is not None:
        parts = _stated(event, -1 if longs else 1)
    else:
        held = sum([abs(line.units) for line in sheet.holders(long=longs).values()])
        told = held if event.quantity is None else to_units(event.quantity, QUANTITY_PLACES, "quantity")
        parts = _closing(sheet, told, event, longs=longs)
    _post(sheet, happening, parts, event.price or _ZERO)
    key = delivery_sheet(happening)
    if key is not None:
        _deliver(sheet, sheet_of(key), happening, parts)


def _deliver(sheet: Sheet, stock: Sheet, happening: Happening, parts: Mapping[str, int]) -> None:
    """Trade the underlying at the strike: who closed a long call or a short put buys, the others sell."""
    event = happening.event
    contract = _multiplier(sheet, event)
    per_contract = contract * _ONE // _POINT
    if event.deliverable is not None:
        per_contract = to_units(event.deliverable, QUANTITY_PLACES, "deliverable")
    sign = -1 if event.right == "CALL" else 1  # a long call closes by a negative part and buys
    delivered = {name: sign * units * per_contract // _ONE for name, units in parts.items()}
    multiplier = to_units(event.into_multiplier, MULTIPLIER_PLACES, "into_multiplier")
    stock.post(_trade(stock, happening, delivered, event.strike or _ZERO, multiplier, {}))


# --- units without cash, cash without units ---------------------------------------------------------------------


def _split(happening: Happening, sheet_of: SheetOf) -> None:
    sheet, event = sheet_of(happening.sheet), happening.event
    assert event.new is not None
    assert event.old is not None
    for line in sheet.lines.values():
        if line.units:
            units = abs(line.units) * event.new // event.old
            line.rescale(units if line.units > 0 else -units)
    if event.quantity is not None:
        _round_split(sheet, happening, to_units(event.quantity, QUANTITY_PLACES, "quantity"))
    if event.amount is not None:
        _receive(sheet, event, _units_of_money(event.amount), sheet.lines)
    _pay(sheet, event, sheet.lines)


def _round_split(sheet: Sheet, happening: Happening, told: int) -> None:
    """Bring the account to the units the broker states: fractions close at 0 (their cash in lieu is income)."""
    net = sheet.units
    change = (told - abs(net)) * (1 if net >= 0 else -1)
    if not change:
        return
    grows = (change > 0) == (net > 0)
    parts = {HOUSE: change} if grows else _closing(sheet, abs(change), happening.event, longs=net > 0)
    _post(sheet, happening, parts, _ZERO, fees=0)


def _dividend(happening: Happening, sheet_of: SheetOf) -> None:
    sheet, event = sheet_of(happening.sheet), happening.event
    if event.price is not None:
        price = to_units(event.price, PRICE_PLACES, "price")
        for line in sheet.lines.values():
            line.income += line.units * price
        sheet.cash += sheet.units * price
    else:
        _receive(sheet, event, _units_of_money(event.amount or _ZERO), sheet.lines)
    _pay(sheet, event, sheet.lines)


def _adjust(happening: Happening, sheet_of: SheetOf) -> None:
    sheet, event = sheet_of(happening.sheet), happening.event
    _receive(sheet, event, _units_of_money(event.amount or _ZERO), sheet.lines)
    _pay(sheet, event, sheet.lines)


def _receive(sheet: Sheet, event: Event, amount: int, lines: Mapping[str, Line]) -> None:
    """Book an amount as income: to whom the event says, else pro rata to what is held, else to the house."""
    sheet.cash += amount
    stated = None if event.split is None else _amounts_of(event.split)
    parts = stated if stated and sum(stated.values()) == amount else _shares_of(amount, event, lines)
    for name, part in parts.items():
        sheet.line(name).income += part


def require_amounts(event: Event) -> None:
    """Refuse cash whose split is not made of amounts: with their signs, or all of them without one.

    Raises
    ------
    InvalidRecordError
        They do not add up to the event's amount.
    """
    if event.amount is None or event.split is None or event.action not in _PAYING:
        return
    amount, stated = _units_of_money(event.amount), _amounts_of(event.split)
    total = sum(stated.values())
    if total != amount and (total != abs(amount) or min(stated.values()) < 0):
        raise InvalidRecordError("split", dict(event.split), f"amounts by strategy that add up to {event.amount}")


def _amounts_of(split: Shares) -> dict[str, int]:
    return {name: _units_of_money(part) for name, part in sorted(split.items())}


def _pay(sheet: Sheet, event: Event, lines: Mapping[str, Line]) -> None:
    """Book an event's fees like a loss that is realised at once."""
    amount = _units_of_money(event.fees or _ZERO)
    sheet.cash -= amount
    for name, part in _shares_of(amount, event, lines).items() if amount else ():
        line = sheet.line(name)
        line.fees += part
        line.realised -= part


def _shares_of(amount: int, event: Event, lines: Mapping[str, Line]) -> dict[str, int]:
    if event.split is not None:
        weights = {name: abs(to_units(part, QUANTITY_PLACES, "split")) for name, part in event.split.items()}
        return split_units(amount, weights)
    held = {name: line.units for name, line in sorted(lines.items()) if line.units}
    if not held or not sum(held.values()):
        return {HOUSE: amount}
    if all(units > 0 for units in held.values()) or all(units < 0 for units in held.values()):
        return split_units(amount, {name: abs(units) for name, units in held.items()})
    parts, before, net = {}, 0, sum(held.values())
    for name, units in held.items():  # longs receive what shorts pay: signed shares, cumulative so that they add up
        parts[name] = share(amount, before + units, net) - share(amount, before, net)
        before += units
    return parts


# --- transfers --------------------------------------------------------------------------------------------------


def _transfer(happening: Happening, sheet_of: SheetOf) -> None:
    sheet, event = sheet_of(happening.sheet), happening.event
    if event.symbol is None:
        amount = _units_of_money(event.amount or _ZERO)
        sheet.cash += amount
        sheet.contributed += amount
    elif event.to_split is not None and event.split is not None:
        _hand_over(sheet, event.split, event.to_split)
    else:
        _move_account(sheet, happening)


def require_held(event: Event, sheet: Sheet | None) -> None:
    """Refuse a transfer between strategies that gives more than is held.

    Raises
    ------
    InvalidRecordError
        A strategy's part is larger than its position.
    """
    if event.action == EventAction.TRANSFER and event.to_split is not None and event.split is not None:
        for name, given in _sizes(event.split):
            held = abs(sheet.lines[name].units) if sheet is not None and name in sheet.lines else 0
            if given > held:
                raise InvalidRecordError(
                    f"split[{name}]", event.split[name], f"at most what it holds, {from_units(held, QUANTITY_PLACES)}"
                )


def _hand_over(sheet: Sheet, given: Shares, taken: Shares) -> None:
    """Move lots between strategies at cost, first in first out; nobody gives more than it holds."""
    givers, takers = deque(_sizes(given)), deque(_sizes(taken))
    while givers and takers:
        (giver, give), (taker, take) = givers.popleft(), takers.popleft()
        units = min(give, take)
        for piece in sheet.line(giver).release(units):
            sheet.line(taker).receive(piece, sheet.matches)
        if give > units:
            givers.appendleft((giver, give - units))
        if take > units:
            takers.appendleft((taker, take - units))


def _sizes(shares: Shares) -> list[tuple[str, int]]:
    return [(name, abs(to_units(part, QUANTITY_PLACES, "split"))) for name, part in sorted(shares.items())]


def _move_account(sheet: Sheet, happening: Happening) -> None:
    """Units come from or go to another account at ``price``: value is contributed or withdrawn, no cash flows."""
    event = happening.event
    assert event.quantity is not None
    units = to_units(event.quantity, QUANTITY_PLACES, "quantity")
    incoming = event.side == Side.BUY
    if event.split is not None:
        parts = _stated(event, 1 if incoming else -1)
    elif incoming:
        parts = {HOUSE: units}
    else:
        parts = _closing(sheet, units, event, longs=True)
    cash = sheet.cash
    _post(sheet, happening, parts, event.price or _ZERO)
    fees = _units_of_money(event.fees or _ZERO)
    sheet.contributed += cash - fees - sheet.cash
    sheet.cash = cash - fees


# --- shared -----------------------------------------------------------------------------------------------------


def _closing(sheet: Sheet, units: int, event: Event, *, longs: bool) -> dict[str, int]:
    """Signed parts that close ``units`` of one side pro rata; what nobody holds is the house's."""
    if not units:
        return {}
    holders = sheet.holders(long=longs)
    order = Order(ProRata().pools(holders, {}))
    parts = divide_untagged(units, order, holders, ProRata(), {}, _quantum(sheet, event))
    return {name: -n if longs else n for name, n in parts.items()}


def _stated(event: Event, sign: int) -> dict[str, int]:
    assert event.split is not None
    return {name: sign * abs(to_units(part, QUANTITY_PLACES, "split")) for name, part in event.split.items()}


def _post(sheet: Sheet, happening: Happening, parts: dict[str, int], price: Decimal, fees: int | None = None) -> None:
    """Post parts as a trade at ``price``; an event of which no fees are told has none."""
    event = happening.event
    if not parts:
        _pay(sheet, event, {})
        return
    paid = _units_of_money(event.fees or _ZERO) if fees is None else fees
    fee_parts = split_units(paid, {name: abs(units) for name, units in parts.items()}) if paid else {}
    sheet.post(_trade(sheet, happening, parts, price, _multiplier(sheet, event), fee_parts))


def _trade(
    sheet: Sheet,
    happening: Happening,
    parts: dict[str, int],
    price: Decimal,
    multiplier: int,
    fee_parts: dict[str, int],
) -> Trade:
    event = happening.event
    return Trade(
        place=happening.place,
        sheet=sheet.key,
        key=event.key,
        ts=event.ts,
        units=sum(parts.values()),
        price=to_units(price, PRICE_PLACES - MULTIPLIER_PLACES, "price") * multiplier,
        multiplier=multiplier,
        fees=sum(fee_parts.values()),
        parts=parts,
        fee_parts=fee_parts,
        firm=True,
        plan=None,
        quantum=_quantum(sheet, event),
    )


def _multiplier(sheet: Sheet, event: Event) -> int:
    """The event's own, else that of the last trade, else 1."""
    if event.multiplier is not None:
        return to_units(event.multiplier, MULTIPLIER_PLACES, "multiplier")
    return _POINT if sheet.multiplier is None else sheet.multiplier


def _quantum(sheet: Sheet, event: Event) -> int:
    """That of the last trade, else the event's own."""
    return quantum_of(event.asset_type) if sheet.multiplier is None else sheet.quantum


def _units_of_money(amount: Decimal) -> int:
    return to_units(amount, MONEY_PLACES, "amount")


_EFFECTS: Final[Mapping[EventAction, Callable[[Happening, SheetOf], None]]] = {
    EventAction.EXPIRE: _expire,
    EventAction.EXERCISE: _used,
    EventAction.ASSIGN: _used,
    EventAction.SPLIT: _split,
    EventAction.DIVIDEND: _dividend,
    EventAction.TRANSFER: _transfer,
    EventAction.ADJUST: _adjust,
}
