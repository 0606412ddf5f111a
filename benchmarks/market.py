"""What remembering prices costs and spares: a look-up beside the vol it would save, and a large report's calls.

A slower look-up means that a key got dearer to make; more calls than distinct questions, that one is fetched twice::

    python -m benchmarks.market            # 10,000 trades, 50 underlyings, 20 sessions, 50 ms a call
    python -m benchmarks.market --quick
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from attribution import calculate_attribution_for_trades, implied_vol
from attribution.calendars import get_calendar
from attribution.instruments import Option
from attribution.market.bars import MINUTE, prices_from_bars
from attribution.market.cache import CachedBroker
from attribution.market.history import HistoryBroker
from attribution.market.quotes import (
    Answer,
    Bar,
    Bars,
    BarsOf,
    CloseOf,
    FillOf,
    Missing,
    Price,
    PriceAt,
    PriceKind,
    QuoteOf,
)
from attribution.symbols import parse_symbol
from benchmarks.tables import Table, nanoseconds
from benchmarks.timing import median_seconds

__all__ = ["FakeBroker", "lookup_table", "main", "measure_lookups", "measure_report", "report_table"]

FIRST = date(2025, 1, 1)
NOW = datetime(2025, 6, 2, tzinfo=UTC)
EXPIRY = "20250529"
SPOT = 1000.0
LOOKUPS = 2_000
FULL = {"trades": 10_000, "underlyings": 50, "sessions": 20, "delay": 0.050}
QUICK = {"trades": 1_000, "underlyings": 10, "sessions": 5, "delay": 0.005}


class FakeBroker:
    """Knows every price, says it after ``delay`` seconds a call, and counts."""

    name = "fake"

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.calls = 0
        self.asked: set[object] = set()
        self._lock = threading.Lock()

    def minute_bars(self, wanted: Sequence[BarsOf]) -> list[Bars | Missing]:
        """Bars that rise by a little every minute."""
        self._work(wanted)
        return [self._bars(ask) for ask in wanted]

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices from the bars."""
        return prices_from_bars(wanted, self.minute_bars)

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """One level for options, one for what they are on."""
        self._work(wanted)
        return [
            Price(50.0 if isinstance(ask.instrument, Option) else SPOT, self.name, PriceKind.CLOSE) for ask in wanted
        ]

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        """Nothing is current here."""
        self._work(wanted)
        return [Missing("no quotes")] * len(wanted)

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """The rows have them."""
        self._work(wanted)
        return [Missing("no fills")] * len(wanted)

    def _work(self, wanted: Sequence[object]) -> None:
        with self._lock:
            self.calls += 1
            self.asked |= set(wanted)
        time.sleep(self.delay)

    def _bars(self, ask: BarsOf) -> Bars | Missing:
        session = get_calendar(ask.instrument.exchange).session_on(ask.session)
        if session is None:
            return Missing("no session")
        level = 50.0 if isinstance(ask.instrument, Option) else SPOT
        bars = []
        for number in range((session.close - session.open) // MINUTE):
            value = level + 0.01 * number
            bars.append(Bar(session.open + number * MINUTE, value, value, value, value))
        return Bars(tuple(bars), self.name, complete=True)


def wall() -> datetime:
    """Return an instant after all sessions of the report."""
    return NOW


def measure_lookups() -> list[dict[str, Any]]:
    """Time what the cache answers from memory, per price, and the vol that is solved from such a price."""
    cache = CachedBroker(FakeBroker(0.0), wall=wall)
    nifty, call = parse_symbol("NIFTY_IND___"), parse_symbol("NIFTY_OPT_20250130_CALL_23500")
    session = get_calendar("NSE").session_on(date(2025, 1, 27))
    assert session is not None
    instants = [session.open + timedelta(seconds=11 * (1 + i)) for i in range(LOOKUPS)]
    asks = [PriceAt(nifty, instant) for instant in instants]
    closes = [CloseOf(call, session.date)] * LOOKUPS
    quotes = [QuoteOf(call, session.open)]
    random = np.random.default_rng(1)
    options = (random.uniform(40.0, 90.0, 100_000), 1000.0, random.uniform(990.0, 1010.0, 100_000), 0.1, 1)
    works: dict[str, tuple[Callable[[], object], int]] = {
        f"price at an instant from remembered bars, {LOOKUPS:,} a call": (lambda: cache.prices_at(asks), LOOKUPS),
        "price at an instant, one a call": (lambda: cache.prices_at(asks[:1]), 1),
        f"remembered close, {LOOKUPS:,} a call": (lambda: cache.closes(closes), LOOKUPS),
        "remembered absence of a quote, one a call": (lambda: cache.quotes(quotes), 1),
        "implied vol solved, 100,000 a call, one thread": (lambda: implied_vol(*options, threads=1), 100_000),
        "implied vol solved, one a call": (lambda: implied_vol(50.0, 1000.0, 1001.0, 0.1, 1), 1),
    }
    return [{"what": what, "nanoseconds": median_seconds(work) / count * 1e9} for what, (work, count) in works.items()]


def rows_of(trades: int, underlyings: int, sessions: int) -> list[dict[str, Any]]:
    """Option trades inside a day each, spread over underlyings and sessions."""
    days = [s.date for s in get_calendar("NSE").sessions_between(FIRST, FIRST + timedelta(days=60))][:sessions]
    places = itertools.cycle(itertools.product(range(underlyings), days))
    rows = []
    for number, (stock, day) in zip(range(trades), places, strict=False):
        minute = number % 90
        rows.append(
            {
                "symbol": f"STOCK{stock}_OPT_{EXPIRY}_CALL_1000",
                "entry_time": f"{day} {10 + minute // 60}:{minute % 60:02}:07",
                "exit_time": f"{day} {13 + minute // 60}:{minute % 60:02}:42",
                "entry_price": 50.0,
                "exit_price": 51.0 + number % 7,
                "entry_quantity": 100,
            }
        )
    return rows


def measure_report(trades: int, underlyings: int, sessions: int, delay: float) -> list[dict[str, Any]]:
    """Run one report cold, warm, and from disk; count the broker's calls beside its distinct questions."""
    rows = rows_of(trades, underlyings, sessions)
    calculate_attribution_for_trades(rows[:1], FakeBroker(0.0), day=False)  # compile
    measured = []
    with tempfile.TemporaryDirectory() as folder:

        def run(what: str, broker: FakeBroker, cache: CachedBroker) -> None:
            before = broker.calls
            begin = time.perf_counter()
            results = calculate_attribution_for_trades(rows, cache, day=False)
            spent = time.perf_counter() - begin
            ok = sum(result["status"] == "ok" for result in results)
            calls, asked = broker.calls - before, len(broker.asked)
            measured.append({"what": what, "seconds": spent, "calls": calls, "distinct": asked, "ok": ok})

        broker = FakeBroker(delay)
        cache = CachedBroker(HistoryBroker(broker, folder, wall=wall), wall=wall)
        run("first run", broker, cache)
        broker.asked.clear()
        run("again, from memory", broker, cache)
        fresh = FakeBroker(delay)
        run("a new process's, from disk", fresh, CachedBroker(HistoryBroker(fresh, folder, wall=wall), wall=wall))
        print(f"\n{cache.stats}")
    return measured


def lookup_table(rows: list[dict[str, Any]]) -> Table:
    """One line per kind of look-up."""
    return Table("From memory", ("what", "ns each"), [[row["what"], nanoseconds(row["nanoseconds"])] for row in rows])


def report_table(rows: list[dict[str, Any]], sizes: dict[str, Any]) -> Table:
    """One line per run."""
    title = (
        f"A report of {sizes['trades']:,} trades on {sizes['underlyings']} underlyings over {sizes['sessions']} "
        f"sessions, {sizes['delay'] * 1e3:g} ms a call"
    )
    lines = [
        [row["what"], f"{row['calls']:,}", f"{row['distinct']:,}", f"{row['ok']:,}", f"{row['seconds']:.2f}"]
        for row in rows
    ]
    return Table(title, ("run", "calls", "distinct questions", "trades ok", "seconds"), lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.market", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small report with a faster broker")
    sizes = QUICK if parser.parse_args().quick else FULL
    lookups = lookup_table(measure_lookups())
    print(f"{lookups.title}\n\n{lookups}")
    report = report_table(measure_report(**sizes), sizes)  # type: ignore[arg-type]
    print(f"\n{report.title}\n\n{report}")


if __name__ == "__main__":
    main()
