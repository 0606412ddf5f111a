"""From what an execution reports to the fill that is new about it: ids, slices, owners, dates."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import takewhile
from typing import Final

from attribution.ledger.consolidate import net_strategies
from attribution.ledger.contracts import Contract, contract_of, trade_date_of
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.ids import DERIVED, derived_fill_id, owner_of
from attribution.ledger.money import exact
from attribution.ledger.orders import Execution, Quote, weights_for
from attribution.ledger.record import HOUSE, AssetType
from attribution.ledger.records import Fill
from attribution.ledger.teller import Slice, Teller

__all__ = ["FillMaker", "rest_of_order"]

_logger = logging.getLogger(__name__)

_PRICE_PLACES: Final = Decimal("1e-18")
_DIVISION: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
_CLASSES: Final = {"US_EQUITY": "STOCK", "EQUITY": "STOCK", "US_OPTION": "OPTION", "EQUITY OPTION": "OPTION"}
_UNDATED: Final = date(1970, 1, 1)


class FillMaker:
    """Makes the fills of one account.

    ``time_of`` tells when a fill of this key happened, where the execution does not say.
    """

    def __init__(
        self, account_id: str, venue: str | None, exchange: str | None, source: str, time_of: Callable[[str], int]
    ) -> None:
        self._account_id = account_id
        self._venue, self._exchange, self._source = venue, exchange, source
        self._time_of = time_of

    def fill_of(
        self, execution: Execution, teller: Teller, correlation_id: str | None, plan: object | None, quote: Quote
    ) -> Fill | None:
        """The fill that an execution adds to what is on record; None where it adds nothing."""
        contract = contract_of(execution.symbol, self._exchange)
        texts = execution.texts
        venue = texts.get("venue") or self._venue
        slot = self._slice(execution, contract.symbol, teller)
        if slot is None:
            _logger.debug("order %s: %s filled are on record already", execution.order_id, execution.quantity)
            return None
        fill_id, quantity, price = slot
        weights = self._weights_of(execution, contract, plan, teller)
        intent = teller.intents.get(texts.get("client_order_id", ""))
        fill = Fill(
            account_id=self._account_id,
            ts=0,
            trade_date=_UNDATED,
            source=self._source,
            correlation_id=correlation_id or None,
            causation_id=texts.get("causation_id"),
            order_id=execution.order_id,
            fill_id=fill_id,
            symbol=contract.symbol,
            side=execution.side,
            quantity=quantity,
            price=price,
            fees=execution.fees,
            weights=weights,
            asset_type=_asset_type(execution, contract),
            order_type=execution.order_type,
            bid=quote.bid or execution.quote.bid,
            ask=quote.ask or execution.quote.ask,
            quote_ts=quote.ts,
            expected_price=execution.expected_price,
            client_order_id=texts.get("client_order_id"),
            plan_id=texts.get("plan_id") or _plan_id(plan) or (intent.plan_id if intent is not None else None),
            plan_item=intent.item if intent is not None else None,
            venue=venue,
            multiplier=execution.multiplier or contract.multiplier,
            currency=texts.get("currency", "USD"),
            leg_group=texts.get("leg_group"),
            notes=texts.get("notes"),
            event_id=texts.get("event_id"),
        )
        ts = execution.at if execution.at is not None else self._time_of(fill.key)
        return replace(fill, ts=ts, trade_date=trade_date_of(contract, ts))

    def _slice(self, execution: Execution, symbol: str, teller: Teller) -> tuple[str, Decimal, Decimal] | None:
        """The id, quantity and price of what is new about an order; None where nothing is.

        Without a fill id of the broker's the order's cumulative quantity is the id. An order reported as a whole,
        again and again with more of it filled, is recorded by its differences from what is on record of it.
        """
        told = teller.slices(self._account_id, execution.order_id, symbol)
        if execution.fill_id is not None:
            return _named_slice(execution, execution.fill_id, told)
        cumulative = execution.cumulative or execution.quantity
        fill_id = derived_fill_id(cumulative, self._leg(execution, symbol, told, teller))
        known = list(takewhile(lambda one: one != fill_id, told))
        below = [told[one] for one in known]
        with exact():
            before = sum((one.quantity for one in below), Decimal(0))
            if execution.cumulative is not None and before + execution.quantity == cumulative:
                return fill_id, execution.quantity, execution.price
        rest = _rest(cumulative, execution.price, below)
        if rest is not None and rest[1] < 0:
            raise InvalidRecordError("price", execution.price, f"an average that the {before} filled before allow")
        return None if rest is None else (fill_id, *rest)

    def _leg(self, execution: Execution, symbol: str, told: Mapping[str, Slice], teller: Teller) -> str:
        """The symbol, where the order says that it has several legs, or is on record with another one; else nothing."""
        called = _leg_told(told)
        if called is not None:
            return called
        several = "leg_group" in execution.texts or teller.has_other_legs(self._account_id, execution.order_id, symbol)
        return symbol if several else ""

    def _weights_of(
        self, execution: Execution, contract: Contract, plan: object | None, teller: Teller
    ) -> Mapping[str, Decimal] | None:
        """Whose the order is: by the plan, else by itself, else by its client order id; None: untagged."""
        weights = weights_for(execution.symbol, plan) or weights_for(contract.symbol, plan) or execution.weights
        if weights is None:
            told = owner_of(execution.texts.get("client_order_id"), teller.intents)
            weights = dict(told) if told is not None and set(told) != {HOUSE} else None
        if weights and any(weight < 0 for weight in weights.values()):
            # Opposite wishes are crosses: what reached the market belongs to the larger side alone.
            weights = dict(net_strategies(weights).order)
        return weights or None


def rest_of_order(fill: Fill, told: Mapping[str, Slice]) -> Fill | None:
    """What a fill adds to its order, where it reports all of it and was made by who could not read the log.

    ``told`` is what the log has of the order. None: the fill adds nothing.
    """
    below = [one for name, one in told.items() if name != fill.fill_id]
    own_ids = derived_fill_id(fill.quantity), derived_fill_id(fill.quantity, fill.symbol)
    if not below or fill.split is not None or fill.fill_id not in own_ids:
        return fill
    rest = _rest(fill.quantity, fill.price, below)
    if rest is None:
        return None
    return replace(fill, quantity=rest[0], price=rest[1] if rest[1] >= 0 else fill.price)


def _rest(cumulative: Decimal, average: Decimal, below: Sequence[Slice]) -> tuple[Decimal, Decimal] | None:
    """Quantity and price of what an order has filled beyond the slices on record; None for nothing."""
    with exact():
        before = sum((one.quantity for one in below), Decimal(0))
        if cumulative <= before:
            return None
        rest = cumulative - before
        value = cumulative * average - sum((one.quantity * one.price for one in below), Decimal(0))
    price = average
    if below:
        price = _DIVISION.divide(value, rest).quantize(_PRICE_PLACES, ROUND_HALF_EVEN, _DIVISION)
    return rest, price.normalize(_DIVISION)


def _named_slice(execution: Execution, fill_id: str, told: Mapping[str, Slice]) -> tuple[str, Decimal, Decimal] | None:
    """What is new about an order by an execution with an id of the broker's; None where nothing is.

    Raises
    ------
    InvalidRecordError
        The order is on record by its cumulative quantity, and the execution does not say whether it is part of that.
    """
    own = fill_id, execution.quantity, execution.price
    if fill_id in told or not any(name.startswith(DERIVED) for name in told):
        return own
    if execution.cumulative is None:
        if Slice(execution.quantity, execution.price, execution.at or 0) in told.values():
            return None
        allowed = f"what the order has filled so far: it is on record by that ({', '.join(told)}), and not by fills"
        raise InvalidRecordError("cum_qty", None, allowed)
    with exact():
        recorded = sum((one.quantity for one in told.values()), Decimal(0))
        rest = execution.cumulative - recorded
        if rest <= 0:
            return None
        leg = _leg_told(told) or ""
        return (
            own if rest >= execution.quantity else (derived_fill_id(execution.cumulative, leg), rest, execution.price)
        )


def _leg_told(told: Iterable[str]) -> str | None:
    """The leg in the derived ids of an order's fills, "" where they name none; None where no id was derived."""
    return next((name.removeprefix(DERIVED).partition(":")[2] for name in told if name.startswith(DERIVED)), None)


def _asset_type(execution: Execution, contract: Contract) -> AssetType:
    """What the order says it traded, where that is a word of ours, else what the symbol says."""
    said = _CLASSES.get(execution.asset_type or "", execution.asset_type or "")
    return AssetType(said) if said in AssetType.__members__ else AssetType(contract.asset_type)


def _plan_id(plan: object | None) -> str | None:
    value = plan.get("plan_id") if isinstance(plan, Mapping) else getattr(plan, "plan_id", None)
    return value if isinstance(value, str) and value.strip() else None
