"""The log, folded: entries in, a book out.

The book is a pure function of the entries and of the closing policy, and the policy only counts for fills that
the log holds without an allocation. Replaying from the start therefore gives the same book as a snapshot and
the entries after it, to the byte: :func:`snapshot` of both is the same.

A snapshot keeps what was told (trades, events, corrections, orders under way) and not what follows from it;
restoring posts it all again, without reading a record twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, TypeVar

from attribution.ledger.book import Book
from attribution.ledger.canonical import decimal_text
from attribution.ledger.closing import ClosingPolicy, Order, Pool
from attribution.ledger.entry import Draft, Entry, Head, Kind
from attribution.ledger.errors import NewerSchemaError
from attribution.ledger.records import Correction, Event, Record
from attribution.ledger.sheet import Happening, SheetKey, Trade
from attribution.ledger.told import Notice

__all__ = ["SNAPSHOT_VERSION", "fold", "restore", "snapshot"]

SNAPSHOT_VERSION: Final = 1

_R = TypeVar("_R", bound=Record)


def fold(entries: Iterable[Entry], closing: str | ClosingPolicy = "pro_rata", *, keep_matches: bool = False) -> Book:
    """Return the book that a log's entries, in their order, make.

    Parameters
    ----------
    entries
        From the log's start; to go on from a snapshot, :func:`restore` it and call ``apply_entry`` for the rest.
    closing
        The policy for fills that were written without an allocation.
    keep_matches
        Keep which trade closed which lot.
    """
    book = Book(closing, keep_matches=keep_matches)
    for entry in entries:
        book.apply_entry(entry)
    book.settle()
    return book


def snapshot(book: Book) -> dict[str, Any]:
    """Return the book as plain JSON types (text, integers, lists, mappings), the same for the same facts."""
    told = book.told()
    return {
        "version": SNAPSHOT_VERSION,
        "policy": book.policy.name,
        "head": list(book.head),
        "steps": [_step(kind, step) for (_, kind, _), step in told.steps.items()],
        "orders": [
            [*key, order_id, _order(order)]
            for key, sheet in sorted(book.sheets.items())
            for order_id, order in sorted(sheet.orders.items())
        ],
        "corrections": [
            _record(told.corrections[key][revision])
            for key in sorted(told.corrections)
            for revision in sorted(told.corrections[key])
        ],
        "plans": [
            [*key, {name: decimal_text(weight) for name, weight in sorted(weights.items())}]
            for key, weights in sorted(told.plans.items())
        ],
        "unallocated": [[*key, order_id] for key, order_id in sorted(told.unallocated.items())],
        "notices": [[n.seq, n.kind, n.account_id, n.key, n.text] for n in book.notices],
    }


def restore(
    state: Mapping[str, Any], closing: str | ClosingPolicy | None = None, *, keep_matches: bool = False
) -> Book:
    """Return the book of a snapshot.

    Parameters
    ----------
    state
        What :func:`snapshot` returned, or what JSON made of it.
    closing
        Default: the policy of the snapshot; it must be given where that was a policy of your own.

    Raises
    ------
    NewerSchemaError
        A later version wrote the snapshot: fold the log instead.
    """
    if state["version"] > SNAPSHOT_VERSION:
        raise NewerSchemaError(f"snapshot version {state['version']} is later than {SNAPSHOT_VERSION}: fold the log")
    book = Book(closing or state["policy"], keep_matches=keep_matches)
    told = book.told()
    for row in state["corrections"]:
        correction = _read_record(Correction, row)
        told.corrections.setdefault((correction.account_id, correction.fill_key), {})[correction.revision] = correction
    for account_id, symbol, weights in state["plans"]:
        told.plans[account_id, symbol] = {name: Decimal(weight) for name, weight in weights.items()}
    book.post_again(_read_step(row) for row in state["steps"])
    for account_id, symbol, currency, order_id, order in state["orders"]:
        book.sheets[SheetKey(account_id, symbol, currency)].orders[order_id] = _read_order(order)
    told.unallocated.update({(account_id, key): order_id for account_id, key, order_id in state["unallocated"]})
    book.notices.extend(Notice(*row) for row in state["notices"])
    book.head = Head(*state["head"])
    return book


# --- rows -------------------------------------------------------------------------------------------------------


def _step(kind: str, step: Trade | Happening) -> list[Any]:
    if isinstance(step, Happening):
        return [kind, step.place, *step.sheet, _record(step.event)]
    return [
        str(kind),
        step.place,
        *step.sheet,
        step.key,
        step.ts,
        step.units,
        step.price,
        step.multiplier,
        step.fees,
        dict(sorted(step.parts.items())),
        None if step.fee_parts is None else dict(sorted(step.fee_parts.items())),
        step.firm,
        None if step.plan is None else list(step.plan),
        step.quantum,
    ]


def _read_step(row: list[Any]) -> tuple[str, Trade | Happening]:
    kind, place, account_id, symbol, currency, *rest = row
    sheet = SheetKey(account_id, symbol, currency)
    if kind == Kind.EVENT:
        return kind, Happening(place, sheet, _read_record(Event, rest[0]))
    key, ts, units, price, multiplier, fees, parts, fee_parts, firm, plan, quantum = rest
    facts = (key, ts, units, price, multiplier, fees, parts, fee_parts, firm)
    return kind, Trade(place, sheet, *facts, None if plan is None else (plan[0], plan[1]), quantum)


def _order(order: Order) -> dict[str, Any]:
    return {
        "pools": [[dict(sorted(p.weights.items())), dict(sorted(p.sizes.items()))] for p in order.pools],
        "given": dict(sorted(order.given.items())),
    }


def _read_order(row: Mapping[str, Any]) -> Order:
    return Order([Pool(weights, sizes) for weights, sizes in row["pools"]], dict(row["given"]))


def _record(record: Record) -> list[Any]:
    day = record.trade_date.isoformat()
    return [
        record.account_id,
        record.ts,
        day,
        record.source,
        record.correlation_id,
        record.causation_id,
        record.to_body(),
    ]


def _read_record(kind: type[_R], row: list[Any]) -> _R:
    account_id, ts, day, source, correlation_id, causation_id, body = row
    return kind.from_body(
        body,
        Draft(kind.kind, account_id, "snapshot", ts, date.fromisoformat(day), source, {}, correlation_id, causation_id),
    )
