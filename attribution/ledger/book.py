"""The exact book: who holds what, what it cost, what it earned; a pure function of the facts it was told.

The book is told records, in the order of the log. It is idempotent (a fact told twice counts once, the same key
with another fact is an error), it never rounds, and at every moment

    Σ realised + Σ income + Σ unrealised = cash + market value − contributed

holds with equality, for the account and, sheet by sheet, for every symbol.

**Corrections** are retroactive: the entry of the fill stays, and the sheet is posted anew as if the fill had
been told right. A recorded allocation stands through that as far as it can: where a strategy no longer holds
what an untagged fill once closed for it, the difference is the house's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from attribution.ledger.closing import ClosingPolicy, Order, divide_tagged, divide_untagged, policy_named
from attribution.ledger.corporate import require_amounts, require_held
from attribution.ledger.entry import Entry, Head
from attribution.ledger.errors import ConflictError, InvalidRecordError
from attribution.ledger.facts import (
    allocation_of,
    fee_parts_of,
    has_memory,
    recorded_parts,
    trade_of_cross,
    trade_of_fill,
)
from attribution.ledger.money import QUANTITY_PLACES, to_units
from attribution.ledger.posting import Posting
from attribution.ledger.records import (
    Allocation,
    Correction,
    Cross,
    Event,
    Fill,
    Plan,
    Record,
    record_of,
)
from attribution.ledger.sheet import Happening, Sheet, SheetKey, Trade
from attribution.ledger.told import Notice
from attribution.ledger.upcast import is_readable, upcast

__all__ = ["TAGGED", "Book"]

TAGGED: Final = "tagged"
"""The policy that an allocation names where the fill itself says whose it is."""


class Book(Posting):
    """Lots and P&L per strategy.

    Parameters
    ----------
    closing
        The policy for untagged fills: ``"pro_rata"``, ``"fifo"``, ``"weights"``, ``"house"``, or an object of your own.
    keep_matches
        Keep which trade closed which lot, for :meth:`closed`.
    """

    def __init__(self, closing: str | ClosingPolicy = "pro_rata", *, keep_matches: bool = False) -> None:
        super().__init__(keep_matches=keep_matches)
        self.policy = policy_named(closing)
        self._pending: OrderedDict[tuple[str, str], tuple[Fill, Allocation | None]] = OrderedDict()

    def forget(self) -> None:
        """Become a book that was told nothing."""
        self._pending.clear()
        super().forget()

    # --- the log ---

    def apply_entry(self, entry: Entry) -> None:
        """Fold in the next entry of the log; one that was folded in before changes nothing.

        A fill waits for its allocation, which is written in the same commit. One that comes without is divided by
        the book's own policy as soon as anything else is told or the book is read; see :meth:`unallocated`.
        """
        if entry.seq <= self.head.seq:
            return
        self.head = Head(entry.seq, entry.digest)
        try:
            if not is_readable(entry):
                raise InvalidRecordError("schema_version", entry.schema_version, "one that this version reads")
            self._fold(record_of(upcast(entry)))
        except (InvalidRecordError, ConflictError) as error:
            self.notices.append(Notice(entry.seq, str(entry.kind), entry.account_id, entry.key, str(error)))

    def _fold(self, record: Record | None) -> None:
        if isinstance(record, Fill):
            self._pending.setdefault((record.account_id, record.key), (record, None))
        elif isinstance(record, Allocation):
            waiting = self._pending.get((record.account_id, record.key))
            if waiting is None:
                self.reallocate(record)
            else:
                self._pending[record.account_id, record.key] = (waiting[0], record)
                self._post_pending(allocated_only=True)
        elif record is not None:
            self.settle()
            self._take_note(record)

    def settle(self) -> None:
        """Post the fills that still wait for an allocation."""
        if self._pending:
            self._post_pending(allocated_only=False)

    def _post_pending(self, *, allocated_only: bool) -> None:
        """Post the fills that wait, in their order; if so wanted, only up to the first without an allocation."""
        while self._pending:
            key, (fill, allocation) = self._pending.popitem(last=False)
            if allocation is None and allocated_only:
                self._pending[key] = (fill, None)
                self._pending.move_to_end(key, last=False)
                return
            self._post_waiting(key, fill, allocation)

    def _post_waiting(self, key: tuple[str, str], fill: Fill, allocation: Allocation | None) -> None:
        try:
            self.apply_fill(fill, allocation)
        except ConflictError as error:
            self.notices.append(Notice(self.head.seq, fill.kind, *key, str(error)))
            return
        except InvalidRecordError as error:  # the allocation is another fill's: the fill itself stands
            self.notices.append(Notice(self.head.seq, Allocation.kind, *key, str(error)))
            self.apply_fill(fill)
            allocation = None
        if allocation is None:
            self._told.unallocated[key] = fill.order_id

    def unallocated(self) -> list[tuple[str, str]]:
        """Account and key of fills that the log holds without an allocation: whose they are is today's answer."""
        self.settle()
        return sorted(self._told.unallocated)

    # --- being told ---

    def apply(self, record: Record, allocation: Allocation | None = None) -> bool:
        """Take note of a record; return whether it was new. Records that move nothing (marks, intents) are let pass.

        Raises
        ------
        ConflictError
            The same key was told before with another fact.
        InvalidRecordError
            The record contradicts what the book knows; the book is left as it was.
        """
        if isinstance(record, Fill):
            return self.apply_fill(record, allocation)
        if isinstance(record, Event) and (record.account_id, "event", record.key) not in self._steps:
            require_amounts(record)  # at the door alone: what is on record is read as it always was
        return self._take_note(record)

    def _take_note(self, record: Record) -> bool:
        if isinstance(record, Cross):
            return self._apply_cross(record)
        if isinstance(record, Correction):
            return self.correct(record)
        if isinstance(record, Event):
            return self._apply_event(record)
        if isinstance(record, Allocation):
            return self.reallocate(record)
        if isinstance(record, Plan):
            self._learn(record)
        return True

    def apply_fill(self, fill: Fill, allocation: Allocation | None = None) -> bool:
        """Post a fill, divided as ``allocation`` says, without one as the closing policy says now."""
        trade = trade_of_fill(fill, len(self._steps))
        step_key = (fill.account_id, "fill", trade.key)
        if self._is_known(step_key, trade):
            return False
        recorded = None if allocation is None else recorded_parts(trade, allocation)
        sheet = self._sheet(trade.sheet)
        if has_memory(fill):
            made, order = self._divide(fill, trade, sheet, sheet.orders.get(fill.order_id), self.policy)
            parts, fee_parts = recorded or (made, fee_parts_of(trade.fees, made))
            order.add(parts)
            sheet.orders[fill.order_id] = order
            trade = trade._replace(parts=parts, fee_parts=fee_parts)
        elif recorded is not None or fill.split is None:
            own = dict.fromkeys(fill.weights or (), trade.units)
            parts, fee_parts = recorded or (own, fee_parts_of(trade.fees, own))
            trade = trade._replace(parts=parts, fee_parts=fee_parts)
        self._post(step_key, trade, sheet)
        return True

    def allocate(self, fill: Fill, closing: ClosingPolicy | None = None) -> Allocation:
        """Say whose a fill is: as recorded if the book knows it, else as it would be divided now. Nothing changes.

        Parameters
        ----------
        closing
            The policy, if it is not the book's own.

        Returns
        -------
        Allocation
            To be written with the fill, and handed to :meth:`apply_fill` with it.
        """
        self.settle()
        closing = closing or self.policy
        policy = TAGGED if fill.is_tagged else closing.name
        trade = trade_of_fill(fill, len(self._steps))
        known = self._steps.get((fill.account_id, "fill", trade.key))
        if isinstance(known, Trade):
            return allocation_of(fill, policy, known.parts, known.fee_parts)
        parts = trade.parts
        if has_memory(fill):
            sheet = self.sheets.get(trade.sheet) or Sheet(trade.sheet)
            order = sheet.orders.get(fill.order_id)
            copy = None if order is None else Order(list(order.pools), dict(order.given))
            parts, _ = self._divide(fill, trade, sheet, copy, closing)
        elif fill.split is None:
            parts = dict.fromkeys(fill.weights or (), trade.units)
        return allocation_of(fill, policy, parts, fee_parts_of(trade.fees, parts))

    def _divide(
        self, fill: Fill, trade: Trade, sheet: Sheet, order: Order | None, closing: ClosingPolicy
    ) -> tuple[dict[str, int], Order]:
        """Divide a fill by its weights or by the closing policy: signed parts, and the order's memory."""
        size = abs(trade.units)
        if fill.weights is not None:
            order = Order() if order is None else order
            weights = {name: to_units(w, QUANTITY_PLACES, "weights") for name, w in fill.weights.items()}
            parts = divide_tagged(size, weights, order.given, trade.quantum)
        else:
            holders, plan = sheet.holders(long=trade.units < 0), self._plan(fill)
            order = Order(closing.pools(holders, plan)) if order is None else order
            parts = divide_untagged(size, order, holders, closing, plan, trade.quantum)
        sign = 1 if trade.units > 0 else -1
        return {name: sign * parts[name] for name in sorted(parts)}, order

    def _plan(self, fill: Fill) -> Mapping[str, Decimal]:
        return self._told.plans.get((fill.account_id, fill.symbol), {})

    def _learn(self, plan: Plan) -> None:
        """The latest plan's weights are those of the ``weights`` policy."""
        for symbol in plan.targets:
            wants = {name: wants[symbol] for name, wants in plan.contributions.items() if wants.get(symbol)}
            self._told.plans[plan.account_id, symbol] = wants

    # --- crosses and events ---

    def _apply_cross(self, cross: Cross) -> bool:
        trade = trade_of_cross(cross, len(self._steps))
        step_key = (cross.account_id, "cross", trade.key)
        if self._is_known(step_key, trade):
            return False
        self._post(step_key, trade, self._sheet(trade.sheet))
        return True

    def _apply_event(self, event: Event) -> bool:
        key = SheetKey(event.account_id, event.symbol or "", event.currency)
        step_key = (event.account_id, "event", event.key)
        known = self._steps.get(step_key)
        if isinstance(known, Happening):
            if known.event.to_body() != event.to_body() or known.event.ts != event.ts:
                raise ConflictError(event.kind, event.key, f"{known.event!r} was told, now {event!r}")
            return False
        require_held(event, self.sheets.get(key))
        self._happen(Happening(len(self._steps), key, event))
        return True

    # --- telling again ---

    def reallocate(self, allocation: Allocation) -> bool:
        """Take note of an allocation that comes after its fill was posted: it replaces the book's own answer."""
        step_key = (allocation.account_id, "fill", allocation.fill_key)
        trade = self._steps.get(step_key)
        if not isinstance(trade, Trade):
            raise InvalidRecordError("fill_key", allocation.fill_key, "the key of a fill that was told before")
        parts, fee_parts = recorded_parts(trade._replace(parts={}), allocation)
        order_id = self._told.unallocated.pop((allocation.account_id, allocation.fill_key), None)
        if parts == trade.parts and fee_parts == trade.fee_parts:
            return False
        if order_id is None:
            raise ConflictError(allocation.kind, allocation.key, f"{dict(trade.parts)} was told, now {parts}")
        sheet = self.sheets[trade.sheet]
        if order_id in sheet.orders:
            sheet.orders[order_id].take_back(trade.parts)
            sheet.orders[order_id].add(parts)
        self._steps[step_key] = trade._replace(parts=parts, fee_parts=fee_parts)
        sheet.steps[sheet.steps.index(trade)] = self._steps[step_key]
        self._repost(trade.sheet)
        return True
