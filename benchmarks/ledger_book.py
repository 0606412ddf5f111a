"""How many fills a second the exact book takes, beside a bare loop over ``Decimal`` lots in the same run.

``python -m benchmarks.ledger_book [FILLS]`` (100,000 by default). The bare loop books the same tagged fills first in,
first out and does nothing else: no identity of facts, no fees divided, no events, rounding at 28 digits. The goal:
50,000 fills/s through the book. Each row is the best of three rounds; the second figure counts the process's own time
only, which is the one to look at where others share the machine.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from random import Random

from attribution.ledger.book import Book
from attribution.ledger.entry import GENESIS, Entry
from attribution.ledger.fold import fold, restore, snapshot
from attribution.ledger.records import Fill, Record
from benchmarks.machine import describe, machine
from benchmarks.tables import Table

__all__ = ["bare_loop", "book_fills", "main", "make_fills", "measure", "paid_and_gained"]

STRATEGIES = ("momentum", "mean_rev", "condor")
SYMBOLS = ("AAPL", "MSFT", "SPY", "TSLA", "QQQ", "IWM", "NVDA", "AMD")
DAY = date(2026, 3, 2)
ROUNDS = 3


def make_fills(count: int, untagged: float, *, partial_fills: int = 1, seed: int = 1) -> list[Fill]:
    """Random trades of shares; a share of them ``untagged``, each order in ``partial_fills`` fills."""
    random, fills = Random(seed), []
    for number in range(count // partial_fills):
        owner = None if random.random() < untagged else random.choice(STRATEGIES)
        symbol, side = random.choice(SYMBOLS), random.choice(("BUY", "SELL"))
        for part in range(partial_fills):
            quantity = Decimal(random.randrange(1, 500))
            fills.append(
                Fill(
                    account_id="main", ts=number, trade_date=DAY, source="benchmark", order_id=f"o{number}",
                    fill_id=str(part), symbol=symbol, side=side, quantity=quantity,
                    price=Decimal(random.randrange(100, 99999)).scaleb(-2), fees=Decimal("0.35"),
                    split=None if owner is None else {owner: quantity},
                )
            )  # fmt: skip
    return fills


def bare_loop(fills: Sequence[Fill]) -> Decimal:
    """The least that FIFO takes: lots as lists of Decimals; returns what was realised."""
    lots: dict[tuple[str, str], deque[list[Decimal]]] = {}
    realised = Decimal(0)
    for fill in fills:
        for owner, size in (fill.split or {}).items():
            held = lots.setdefault((fill.symbol, owner), deque())
            left = size if fill.side == "BUY" else -size
            while left and held and (held[0][0] > 0) != (left > 0):
                lot = held[0]
                closed = min(abs(left), abs(lot[0])) * (1 if lot[0] > 0 else -1)
                realised += closed * (fill.price - lot[1])
                lot[0] -= closed
                left += closed
                if not lot[0]:
                    held.popleft()
            if left:
                held.append([left, fill.price])
        realised -= fill.fees or 0
    return realised


def book_fills(fills: Sequence[Fill]) -> Book:
    """Every fill through the book."""
    book = Book()
    for fill in fills:
        book.apply_fill(fill)
    return book


def entries_of(fills: Sequence[Fill]) -> list[Entry]:
    """Fills and their allocations as entries of a log."""
    book, rows = Book(), []
    for fill in fills:
        allocation = book.allocate(fill)
        book.apply_fill(fill, allocation)
        records: tuple[Record, ...] = (fill, allocation)
        for record in records:
            d = record.draft()
            rows.append(
                Entry(
                    len(rows) + 1, d.kind, d.account_id, d.key, d.ts, d.trade_date, d.source, d.body,
                    d.correlation_id, d.causation_id, d.schema_version, GENESIS, GENESIS,
                )
            )  # fmt: skip
    return rows


def best_seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the wall and of the process, each the best of the rounds."""
    wall, own = [], []
    for _ in range(ROUNDS):
        gc.collect()
        begin, begin_own = time.perf_counter(), time.process_time()
        run()
        wall.append(time.perf_counter() - begin)
        own.append(time.process_time() - begin_own)
    return min(wall), min(own)


def measure(count: int) -> list[tuple[str, int, float, float]]:
    """What was done, to how many fills, and its seconds on the wall and of the process."""
    tagged, mixed = make_fills(count, 0.0), make_fills(count, 0.4)
    sliced = make_fills(count, 0.4, partial_fills=5)
    log = entries_of(mixed)
    state = snapshot(fold(log))
    runs: list[tuple[str, Sequence[Fill], Callable[[], object]]] = [
        ("bare Decimal loop, tagged fills", tagged, lambda: bare_loop(tagged)),
        ("book, tagged fills", tagged, lambda: book_fills(tagged)),
        ("book, 40 % untagged", mixed, lambda: book_fills(mixed)),
        ("book, 40 % untagged, 5 fills an order", sliced, lambda: book_fills(sliced)),
        ("fold of the log's entries, 40 % untagged", mixed, lambda: fold(log)),
        ("restore of a snapshot, 40 % untagged", mixed, lambda: restore(state)),
    ]
    if bare_loop(tagged) != paid_and_gained(book_fills(tagged)):
        raise SystemExit("the book and the bare loop disagree: nothing is timed")
    return [(name, len(fills), *best_seconds(run)) for name, fills, run in runs]


def paid_and_gained(book: Book) -> Decimal:
    """What the bare loop counts: gains of what was closed less all fees, those of open lots included."""
    return book.realised() - sum([lot.fees for lot in book.lots()], Decimal(0))


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(describe(machine()))
    rows = [
        (name, f"{fills / wall:,.0f}", f"{fills / own:,.0f}", f"{own / fills * 1e6:.1f}")
        for name, fills, wall, own in measure(count)
    ]
    print(Table("The exact book", (f"{count:,} fills", "fills/s", "fills/s of own time", "µs each"), rows))


if __name__ == "__main__":
    main()
