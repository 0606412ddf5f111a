"""Services over a log in a folder, and orders to record."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from attribution.ledger.entry import Draft, Entry, Head, Kind, Row
from attribution.ledger.errors import StoreError
from attribution.ledger.log import Log
from attribution.ledger.records import AssetType, Fill, Side
from attribution.ledger.service import TradeLedgerService
from attribution.ledger.settings import Backend, LedgerSettings
from attribution.ledger.spool import SafeLog, Spool
from attribution.ledger.store.base import Appended
from attribution.ledger.store.sqlite import SqliteStore

MORNING = datetime(2025, 1, 6, 15, 0, tzinfo=UTC)


def settings_in(folder: Path) -> LedgerSettings:
    return LedgerSettings(Backend.SQLITE, folder)


def service_in(folder: Path, **options: Any) -> TradeLedgerService:
    return TradeLedgerService(settings=settings_in(folder), **options)


def order(number: int, side: str, quantity: object, price: object, strategy: str | None = None, **facts: Any) -> dict:
    """An order result as upstream's executors report it, minute by minute."""
    return {
        "success": True,
        "symbol": "AAPL",
        "action": side,
        "shares": quantity,
        "price": price,
        "order_id": f"order-{number}",
        "filled_at": MORNING.replace(minute=number % 60),
        "strategy_name": strategy,
        **facts,
    }


def fill(number: int, side: str, quantity: object, price: object, **facts: Any) -> Fill:
    """A fill of its own order."""
    settled = {
        "account_id": "default",
        "ts": int(MORNING.timestamp()) * 10**9 + number,
        "trade_date": date(2025, 1, 6),
        "source": "test",
        "order_id": f"order-{number}",
        "fill_id": "1",
        "symbol": "AAPL",
        "side": Side(side),
        "quantity": Decimal(str(quantity)),
        "price": Decimal(str(price)),
        "asset_type": AssetType.STOCK,
    }
    return Fill(**{**settled, **facts})


class BrokenStore:
    """A store that can be taken down and brought up again."""

    def __init__(self, folder: Path) -> None:
        self.inner = SqliteStore(folder / "ledger.sqlite3")
        self.is_down = False

    def _check(self) -> None:
        if self.is_down:
            raise StoreError("nobody answers")

    def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        self._check()
        return self.inner.append(drafts)

    def entries(
        self, after: int = 0, limit: int | None = None, kinds: Collection[Kind] | None = None
    ) -> Iterator[Entry]:
        self._check()
        return self.inner.entries(after, limit, kinds)

    def rows(self, after: int = 0) -> Iterator[Row]:
        self._check()
        return self.inner.rows(after)

    def head(self) -> Head:
        self._check()
        return self.inner.head()

    def close(self) -> None:
        self.inner.close()


def breakable(folder: Path, **options: Any) -> tuple[TradeLedgerService, BrokenStore]:
    """A service whose log can be taken down; it asks the log again at once."""
    store = BrokenStore(folder)
    safe = SafeLog(Log(store), Spool(folder / "spool"), retry_seconds=0.0)
    return TradeLedgerService(safe, account_id="default", **options), store
