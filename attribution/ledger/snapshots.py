"""Arrow and Parquet: the fills as columns, for history and for tools that read neither SQLite nor JSON.

One row per fill and strategy. Amounts are ``decimal128(38, 18)``, exact, and instants are UTC nanoseconds. A Parquet
snapshot has one file per trade date, each written whole or not at all; the same ledger gives the same files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution.ledger.errors import InvalidRecordError, StoreError
from attribution.ledger.view import TradeLedgerEntry

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["fills_table", "write_parquet"]

_PLACES = 18
_TEXTS = (
    *("account_id", "key", "order_id", "fill_id", "client_order_id", "plan_id", "correlation_id"),
    *("symbol", "asset_type", "side", "strategy", "policy", "order_type", "venue", "currency", "leg_group", "source"),
)
_AMOUNTS = ("quantity", "price", "multiplier", "fees", "bid", "ask", "expected_price")


def fills_table(fills: Iterable[TradeLedgerEntry]) -> pa.Table:
    """Return fills as an Arrow table, one row per fill and strategy, in their order.

    Raises
    ------
    ImportError
        pyarrow is not installed.
    InvalidRecordError
        An amount has more digits than ``decimal128(38, 18)`` holds.
    """
    import pyarrow as pa

    amount = pa.decimal128(38, _PLACES)
    schema = pa.schema(
        [
            ("seq", pa.int64()),
            ("ts", pa.timestamp("ns", tz="UTC")),
            ("trade_date", pa.date32()),
            *((name, pa.string()) for name in _TEXTS),
            *((name, amount) for name in _AMOUNTS),
        ]
    )
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    for row in _rows(fills):
        for name, value in row.items():
            columns[name].append(value)
    try:
        return pa.table(columns, schema=schema)
    except pa.ArrowInvalid as error:
        raise InvalidRecordError(
            "amount", str(error), f"at most 20 digits before and {_PLACES} after the point"
        ) from error


def write_parquet(fills: Iterable[TradeLedgerEntry], folder: Path) -> list[Path]:
    """Write one Parquet file per trade date, ``fills/{date}.parquet``; return the files.

    Raises
    ------
    ImportError
        pyarrow is not installed.
    StoreError
        A file cannot be written.
    """
    import pyarrow.parquet as pq

    by_date: dict[str, list[TradeLedgerEntry]] = {}
    for fill in fills:
        by_date.setdefault(fill.trade_date.isoformat(), []).append(fill)
    target = folder / "fills"
    written = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        for day, own in sorted(by_date.items()):
            path, beside = target / f"{day}.parquet", target / f".{day}.{os.getpid()}.tmp"
            try:
                pq.write_table(fills_table(own), beside)
                os.replace(beside, path)
            finally:
                beside.unlink(missing_ok=True)
            written.append(path)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written: {error.strerror or error}") from error
    return written


def _rows(fills: Iterable[TradeLedgerEntry]) -> Iterator[dict[str, Any]]:
    for fill in fills:
        shared = {name: getattr(fill, name, None) for name in _TEXTS}
        shared |= {"seq": fill.seq, "ts": fill.ts, "trade_date": fill.trade_date, "side": fill.direction}
        shared |= {"price": fill.fill_price, "multiplier": fill.multiplier, "expected_price": fill.expected_price}
        shared |= {"bid": fill.bid_at_fill, "ask": fill.ask_at_fill}
        for strategy, quantity in sorted(fill.strategy_quantities.items()):
            fees = None if fill.fees is None else fill.strategy_fees.get(strategy, Decimal(0))
            yield {**shared, "strategy": strategy, "quantity": quantity, "fees": fees}
