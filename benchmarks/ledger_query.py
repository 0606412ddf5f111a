"""How fast a ledger answers: pages and totals out of a query database of many fills.

``python -m benchmarks.ledger_query [FILLS]`` (a million by default) fills a database in a temporary folder from a
made log of ten strategies and fifty symbols over a year, then times each kind of question. The goals: a filtered,
ordered page in 100 ms, totals by strategy × symbol in 200 ms.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from attribution.ledger.database import QueryDatabase
from attribution.ledger.entry import GENESIS, Entry, Head, Kind
from attribution.ledger.query import TradeLedgerQuery
from benchmarks.machine import describe, machine
from benchmarks.timing import median_seconds

STRATEGIES = tuple(f"strategy-{i}" for i in range(10))
SYMBOLS = tuple(f"SYM{i:02d}" for i in range(50))
BEGIN = 1_704_067_200 * 10**9  # 2024-01-01 UTC
YEAR = 366 * 86_400 * 10**9
PAGE = 100


class MadeLog:
    """A log of fills, each shared by one or two strategies, that costs nothing to keep."""

    def __init__(self, fills: int) -> None:
        self._fills = fills

    def head(self) -> Head:
        """Where the log ends."""
        return Head(2 * self._fills, self._digest(2 * self._fills))

    def entries(self, after: int = 0, limit: int | None = None, kinds: Any = None) -> Iterator[Entry]:
        """Each fill and its allocation, as a store would give them."""
        random = Random(after)
        last = 2 * self._fills if limit is None else min(2 * self._fills, after + limit)
        for seq in range(after + 1, last + 1):
            number, is_alloc = (seq - 1) // 2, seq % 2 == 0
            if not is_alloc:
                quantity = random.randint(1, 500)
                fee = f"{random.randint(1, 500) / 100:.2f}"
                body: dict[str, Any] = {
                    "order_id": f"o{number}",
                    "fill_id": "1",
                    "symbol": SYMBOLS[random.randrange(50)],
                    "side": "BUY" if random.random() < 0.5 else "SELL",
                    "quantity": str(quantity),
                    "price": f"{random.randint(1000, 90000) / 100:.2f}",
                    "fees": fee,
                }
            else:
                first = random.randint(0, quantity)
                names = random.sample(STRATEGIES, 2)
                parts = {name: str(q) for name, q in zip(names, (first, quantity - first), strict=True) if q}
                fees = dict.fromkeys(parts, "0") | {next(iter(parts)): fee}
                body = {"fill_key": f"/o{number}/1", "policy": "tagged", "parts": parts, "fees": fees}
            yield self._entry(seq, Kind.ALLOC if is_alloc else Kind.FILL, f"/o{number}/1", body)

    def _entry(self, seq: int, kind: Kind, key: str, body: dict[str, Any]) -> Entry:
        ts = BEGIN + YEAR * seq // (2 * self._fills + 1)
        day = date(2024, 1, 1) + timedelta(days=(ts - BEGIN) // (86_400 * 10**9))
        digest = self._digest(seq)
        return Entry(seq, kind, "main", key, ts, day, "benchmark", body, None, None, 1, digest, GENESIS)

    def _digest(self, seq: int) -> str:
        return f"{seq:064x}"


QUESTIONS: dict[str, TradeLedgerQuery] = {
    "first page by time": TradeLedgerQuery(limit=PAGE),
    "last page by time": TradeLedgerQuery(limit=PAGE, ascending=False),
    "one strategy, one symbol, one side": TradeLedgerQuery(
        strategy_name=STRATEGIES[3], symbol=SYMBOLS[7], side="SELL", limit=PAGE
    ),
    "one symbol in one month, by strategy": TradeLedgerQuery(
        symbol=SYMBOLS[7],
        start_date=date(2024, 5, 1),
        end_date=date(2024, 5, 31),
        order_by="strategy_name",
        limit=PAGE,
    ),
    "one side, by symbol, page in the middle": TradeLedgerQuery(
        side="BUY", order_by="symbol", limit=PAGE, offset=100_000
    ),
    "one strategy, latest first": TradeLedgerQuery(strategy_name=STRATEGIES[0], ascending=False, limit=PAGE),
    "nothing matches": TradeLedgerQuery(account_id="nobody", limit=PAGE),
}

TOTALS: dict[str, TradeLedgerQuery] = {
    "strategy × symbol, for ever": TradeLedgerQuery(),
    "strategy × symbol, ten weeks": TradeLedgerQuery(start_date=date(2024, 2, 12), end_date=date(2024, 4, 20)),
    "strategy × symbol, from instant to instant": TradeLedgerQuery(
        start_date=datetime(2024, 2, 12, 14, 30, tzinfo=UTC), end_date=datetime(2024, 4, 20, 9, 15, tzinfo=UTC)
    ),
    "strategy × symbol of one strategy, sells": TradeLedgerQuery(strategy_name=STRATEGIES[1], side="SELL"),
}


def measure(fills: int) -> None:
    """Build the database and time every question."""
    print(describe(machine()))
    with tempfile.TemporaryDirectory() as folder:
        database = QueryDatabase(Path(folder) / "query.sqlite")
        begin = time.perf_counter()
        database.sync(MadeLog(fills))
        spent = time.perf_counter() - begin
        print(f"{fills:,} fills read in {spent:.1f} s: {fills / spent:,.0f} fills/s")
        for name, query in QUESTIONS.items():
            print(f"page   {name:<45} {1e3 * median_seconds(partial(database.find, query)):8.1f} ms")
        for name, query in TOTALS.items():
            ask = partial(database.totals, ("strategy_name", "symbol"), query)
            print(f"totals {name:<45} {1e3 * median_seconds(ask):8.1f} ms")
        whole = database.totals((), TradeLedgerQuery())[0]
        exact = sum((one.buy_value for one in database.totals(("symbol",))), Decimal(0))
        print(f"check: {whole.count:,} shares, Σ buys by symbol − total buys = {exact - whole.buy_value}")
        database.close()


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
