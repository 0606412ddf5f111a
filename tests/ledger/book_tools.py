"""Records in few words, and the identity every book must keep, for the tests of the book."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import settings

from attribution.ledger.book import Book
from attribution.ledger.entry import GENESIS, Entry
from attribution.ledger.money import exact
from attribution.ledger.records import Correction, Cross, Event, Fill, Record

LAW = settings(deadline=None)
"""For laws on random cases: a busy machine breaks no law."""

ACCOUNT = "acct"
DAY = date(2026, 3, 2)


def amounts(**values: str | int) -> dict[str, Decimal]:
    """``amounts(A=60)`` is ``{"A": Decimal(60)}``."""
    return {name: Decimal(value) for name, value in values.items()}


def _envelope(ts: int) -> dict[str, Any]:
    return {"account_id": ACCOUNT, "ts": ts, "trade_date": DAY + timedelta(days=ts // 100), "source": "test"}


def fill(
    key: str, signed: str | int, price: str | int = 100, owner: str | Mapping[str, Decimal] | None = None, **more: Any
) -> Fill:
    """A fill: ``fill("o1/f1", 60, 100, "A", ts=1)``; negative quantities sell, no owner is untagged."""
    order_id, _, fill_id = key.partition("/")
    quantity = Decimal(signed)  # an int, text, or a Decimal
    more.setdefault("fees", Decimal(0))
    values = _envelope(more.pop("ts", 1)) | {
        "order_id": order_id,
        "fill_id": fill_id or "1",
        "symbol": "AAPL",
        "side": "BUY" if quantity > 0 else "SELL",
        "quantity": abs(quantity),
        "price": Decimal(price),
        "split": {owner: abs(quantity)} if isinstance(owner, str) else owner,
    }
    return Fill(**(values | more))


def option_fill(
    key: str, signed: str | int, price: str | int, owner: str | Mapping[str, Decimal] | None = None, **more: Any
) -> Fill:
    """A fill of option contracts with multiplier 100."""
    contract = {"asset_type": "OPTION", "multiplier": Decimal(100), "symbol": "AAPL260320C00100000"}
    return fill(key, signed, price, owner, **(contract | more))


def event(event_id: str, action: str, symbol: str | None = "AAPL", **more: Any) -> Event:
    """A corporate event."""
    return Event(**(_envelope(more.pop("ts", 50)) | {"event_id": event_id, "action": action, "symbol": symbol} | more))


def option_event(event_id: str, action: str, **more: Any) -> Event:
    """A corporate event of the option of :func:`option_fill`."""
    contract = {"asset_type": "OPTION", "multiplier": Decimal(100), "symbol": "AAPL260320C00100000"}
    return event(event_id, action, **(contract | more))


def correction(fill_key: str, action: str, revision: int = 1, **more: Any) -> Correction:
    """A correction of ``fill_key`` (``"o1/1"``)."""
    values = {"fill_key": "/" + fill_key, "revision": revision, "action": action}
    return Correction(**(_envelope(more.pop("ts", 60)) | values | more))


def cross(
    plan_id: str, price: str | int, buys: Mapping[str, Decimal], sells: Mapping[str, Decimal], **more: Any
) -> Cross:
    """A cross in AAPL."""
    values = {"plan_id": plan_id, "symbol": "AAPL", "price": Decimal(price), "buys": buys, "sells": sells}
    return Cross(**(_envelope(more.pop("ts", 1)) | values | more))


def book_of(*records: Record, closing: Any = "pro_rata", **more: Any) -> Book:
    """A book that was told these records."""
    book = Book(closing, **more)
    for record in records:
        book.apply(record)
    return book


def entries(records: Iterable[Record], start: int = 0) -> list[Entry]:
    """Records as the entries of a log (without a real chain: the book does not look at it)."""
    rows = []
    for seq, record in enumerate(records, start + 1):
        d = record.draft()
        rows.append(
            Entry(
                seq, d.kind, d.account_id, d.key, d.ts, d.trade_date, d.source, d.body, d.correlation_id,
                d.causation_id, d.schema_version, f"{seq:064x}", f"{seq - 1:064x}" if seq > 1 else GENESIS,
            )
        )  # fmt: skip
    return rows


def held(book: Book, symbol: str | None = None) -> dict[str, Decimal]:
    """Strategy → quantity, of what is open."""
    return {p.strategy: p.quantity for p in book.positions(symbol=symbol)}


def assert_adds_up(book: Book, marks: Mapping[str, Decimal]) -> None:
    """The account identity, sheet by sheet and in all, with equality."""
    for symbol in [None, *sorted({key.symbol for key in book.sheets})]:
        unrealised = book.unrealised(marks, symbol=symbol)
        value = book.market_value(marks, symbol=symbol)
        assert unrealised is not None
        assert value is not None
        with exact():
            earned = book.realised(symbol=symbol) + book.income(symbol=symbol) + unrealised
            assert earned == book.cash(symbol=symbol) + value - book.contributed(symbol=symbol), symbol
