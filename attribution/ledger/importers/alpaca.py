"""Alpaca's account activities, as the API answers them (``GET /v2/account/activities``).

A fill's id is the order's cumulative quantity, ``cum:{cum_qty}``, which is what a fill that was recorded while
trading is called, too: an import after the fact finds it on record. Costs are no part of a fill here, they come as
activities of their own; a fill's fees are therefore not known, and the ``FEE`` activity is the account's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from attribution.calendars import get_calendar
from attribution.errors import CalendarError
from attribution.ledger.contracts import PLAIN_EXCHANGE, Contract, contract_of, trade_date_of
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.ids import derived_fill_id
from attribution.ledger.importers.cells import ImportFileError, Line, amount_of, epoch_ns, instant_of, quotient
from attribution.ledger.importers.statement import Owner, Statement, cash_moved, in_order, owner_of
from attribution.ledger.money import exact
from attribution.ledger.records import AssetType, Event, EventAction, Fill, Side

__all__ = ["SOURCE", "read_alpaca"]

SOURCE = "alpaca"
_SIDES = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL, "buy_to_cover": Side.BUY}
_TRANSFERS = frozenset(("CSD", "CSW", "JNLC", "TRANS", "ACATC"))
_ADJUSTMENTS = frozenset(("INT", "FEE", "CFEE", "PTC", "MISC", "PTR"))
_REMOVALS = {
    "OPEXP": EventAction.EXPIRE,
    "OPASN": EventAction.ASSIGN,
    "OPXRC": EventAction.EXERCISE,
    "OPEXC": EventAction.EXERCISE,
}
_DELIVERY = "OPTRD"


@dataclass(frozen=True, slots=True)
class _Activity:
    """One activity: its place in the list, its texts, and when it happened."""

    line: Line
    at: datetime

    @property
    def type(self) -> str:
        return self.line.text("activity_type")

    def amount(self, field: str) -> Decimal:
        value = amount_of(field, self.line.text(field))
        if value is None:
            raise InvalidRecordError(field, self.line.text(field), "a number, for this kind of activity")
        return value


def read_alpaca(
    source: Path | str | Sequence[Mapping[str, Any]], account_id: str | None = None, *, strategy: Owner = None
) -> Statement:
    """Read account activities.

    Parameters
    ----------
    source
        A JSON file, or the list that the API answered with.
    account_id
        The account, where the activities do not name one.
    strategy
        Whose the fills are: a name, a function of the activity, or None for untagged.

    Raises
    ------
    ImportFileError
        The file is not such a list.
    """
    activities = _activities(source)
    account = account_id or next((str(one["account_id"]) for one in activities if one.get("account_id")), SOURCE)
    statement = Statement(SOURCE, account, rows=len(activities))
    read = []
    for number, activity in enumerate(activities, 1):
        line = Line(number, {name: "" if value is None else str(value) for name, value in activity.items()})
        try:
            read.append(_Activity(line, _instant(line)))
        except InvalidRecordError as error:
            statement.refuse(line, str(error))
            statement.count_refused(None, "")
    _Reader(statement, in_order(read, lambda one: one.at), strategy).run()
    return statement


def _activities(source: Path | str | Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    if not isinstance(source, Path | str):
        return source
    try:
        found = json.loads(Path(source).read_text(encoding="utf-8"), parse_float=str, parse_int=str)
    except OSError as error:
        raise ImportFileError(f"{source}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ImportFileError(f"{source}: not JSON: {error}") from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ImportFileError(f"{source}: not a list of account activities")
    return found


def _instant(line: Line) -> datetime:
    """When it happened; an activity that has a date alone happened at the close of that day's session."""
    if line.text("transaction_time"):
        return instant_of("transaction_time", line.text("transaction_time"))
    try:
        day = date.fromisoformat(line.text("date")[:10])
    except ValueError:
        raise InvalidRecordError("date", line.text("date"), "a date such as 2025-01-31") from None
    calendar = get_calendar(PLAIN_EXCHANGE)
    try:
        session = calendar.session_on(day)
    except CalendarError:
        session = None
    return datetime(day.year, day.month, day.day, 16, tzinfo=calendar.zone) if session is None else session.close


class _Reader:
    """Turns activities, oldest first, into the records of a statement."""

    def __init__(self, statement: Statement, activities: list[_Activity], strategy: Owner) -> None:
        self._statement = statement
        self._activities = activities
        self._strategy = strategy
        self._deliveries: dict[int, _Activity] = {}

    def run(self) -> None:
        """Read every activity once; a delivery goes with the assignment or exercise that it belongs to."""
        for one in self._activities:
            if one.type in _REMOVALS and one.type != "OPEXP":
                self._claim_delivery(one)
        claimed = {delivery.line.number for delivery in self._deliveries.values()}
        for one in self._activities:
            if one.line.number in claimed:
                continue
            try:
                item = self._item(one)
                self._statement.add(one.line, item)
                self._statement.count_cash(cash_moved(item) or Decimal(0), item.currency)
            except InvalidRecordError as error:
                self._statement.refuse(one.line, str(error))
                self._count_refused(one)

    def _item(self, one: _Activity) -> Fill | Event:
        if one.type == "FILL":
            return self._fill(one)
        if one.type in _REMOVALS:
            return self._removal(one, _REMOVALS[one.type])
        if one.type.startswith("DIV"):
            return self._cash(one, EventAction.DIVIDEND if one.line.text("symbol") else EventAction.ADJUST)
        if one.type in _TRANSFERS:
            return self._cash(one, EventAction.TRANSFER)
        if one.type in _ADJUSTMENTS:
            return self._cash(one, EventAction.ADJUST)
        raise InvalidRecordError("activity_type", one.type, "a kind that is known; this one is left to a person")

    def _count_refused(self, one: _Activity) -> None:
        """Count what a refused activity says it moved, so that the difference shows."""
        try:
            moved = amount_of("net_amount", one.line.text("net_amount"))
        except InvalidRecordError:
            moved = None
        self._statement.count_refused(moved, _currency(one.line))

    def _fill(self, one: _Activity) -> Fill:
        line = one.line
        side = _SIDES.get(line.text("side").lower())
        if side is None:
            raise InvalidRecordError("side", line.text("side"), f"one of {', '.join(_SIDES)}")
        contract, quantity = _contract(line), one.amount("qty")
        cumulative = amount_of("cum_qty", line.text("cum_qty"))
        owner = owner_of(self._strategy, line.cells)
        return Fill(
            **self._envelope(one, contract),
            order_id=line.text("order_id"),
            fill_id=line.text("id") if cumulative is None else derived_fill_id(cumulative),
            symbol=contract.symbol,
            side=side,
            quantity=quantity,
            price=one.amount("price"),
            split=None if owner is None else {owner: quantity},
            asset_type=AssetType(contract.asset_type),
            multiplier=contract.multiplier,
            venue=SOURCE,
            currency=_currency(line),
        )

    def _removal(self, one: _Activity, action: EventAction) -> Event:
        contract, quantity = _contract(one.line), one.amount("qty").copy_abs()
        facts: dict[str, Any] = {"price": Decimal(0)}
        if action is not EventAction.EXPIRE:
            delivery = self._deliveries.get(one.line.number)
            if delivery is None:
                raise InvalidRecordError("symbol", contract.symbol, f"an {_DELIVERY} activity that delivers the shares")
            bought = delivery.amount("qty") > 0
            facts |= {
                "into": _contract(delivery.line).symbol,
                "strike": delivery.amount("price"),
                "deliverable": quotient(delivery.amount("qty").copy_abs(), quantity),
                "right": "CALL" if bought == (action is EventAction.EXERCISE) else "PUT",
                "side": Side.BUY if action is EventAction.ASSIGN else Side.SELL,
            }
        return self._event(one, contract, action, quantity=quantity, multiplier=contract.multiplier, **facts)

    def _claim_delivery(self, removal: _Activity) -> None:
        try:
            with exact():
                wanted = removal.at.date(), abs(removal.amount("qty")) * _contract(removal.line).multiplier
        except InvalidRecordError:  # told of when the removal itself is read
            return
        taken = {one.line.number for one in self._deliveries.values()}
        underlying = _contract(removal.line).underlying_name
        for other in self._activities:
            if other.type != _DELIVERY or other.line.number in taken or other.line.text("symbol") != underlying:
                continue
            if (other.at.date(), (amount_of("qty", other.line.text("qty")) or Decimal(0)).copy_abs()) == wanted:
                self._deliveries[removal.line.number] = other
                return

    def _cash(self, one: _Activity, action: EventAction) -> Event:
        contract = _contract(one.line) if action is EventAction.DIVIDEND else None
        return self._event(one, contract, action, amount=one.amount("net_amount"))

    def _event(self, one: _Activity, contract: Contract | None, action: EventAction, **facts: Any) -> Event:
        if not one.line.text("id"):
            raise InvalidRecordError("id", "", "the activity's id")
        return Event(
            **self._envelope(one, contract),
            event_id=f"{SOURCE}:{one.line.text('id')}",
            action=action,
            symbol=None if contract is None else contract.symbol,
            asset_type=AssetType.STOCK if contract is None else AssetType(contract.asset_type),
            currency=_currency(one.line),
            notes=one.line.text("description") or None,
            **facts,
        )

    def _envelope(self, one: _Activity, contract: Contract | None) -> dict[str, Any]:
        ts = epoch_ns(one.at)
        day = one.at.date() if contract is None else trade_date_of(contract, ts)
        return {"account_id": self._statement.account_id, "ts": ts, "trade_date": day, "source": SOURCE}


def _contract(line: Line) -> Contract:
    if not line.text("symbol"):
        raise InvalidRecordError("symbol", "", "needed for this kind of activity")
    return contract_of(line.text("symbol"), None)


def _currency(line: Line) -> str:
    return line.text("currency") or "USD"
