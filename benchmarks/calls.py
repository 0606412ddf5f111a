"""What one call of the row API costs, and one row of a list; prices given, or found by a broker and kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from attribution import calculate_attribution_for_trade, calculate_attribution_for_trades
from attribution.market.quotes import Answer, CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf
from attribution.symbols import format_symbol
from benchmarks.tables import Table, nanoseconds
from benchmarks.timing import median_seconds

__all__ = ["ROW", "SPOT", "measure_calls", "table"]

CALL = "NIFTY_OPT_20250130_CALL_23500"
ENTRY, EXIT = "2025-01-01 10:00:00", "2025-01-03 15:00:00"
ROW = {
    "symbol": CALL,
    "entry_time": ENTRY,
    "exit_time": EXIT,
    "entry_price": 480.0,
    "exit_price": 690.0,
    "entry_quantity": 75,
}
SPOT = {("NIFTY_IND___", "NSE", ENTRY): 23700.0, ("NIFTY_IND___", "NSE", EXIT): 24000.0}
DAY_BEFORE = {("NIFTY_IND___", "20250102"): 23800.0, (CALL, "20250102"): 560.0}
CONDOR_LEGS = {
    "NIFTY_OPT_20250130_PUT_23000": (110.0, 70.0),
    "NIFTY_OPT_20250130_PUT_23300": (170.0, 112.0),
    "NIFTY_OPT_20250130_CALL_24200": (180.0, 260.0),
    "NIFTY_OPT_20250130_CALL_24500": (110.0, 165.0),
}
CONDOR = {
    **ROW,
    "symbol": ":".join(f"{leg}?{ratio}" for leg, ratio in zip(CONDOR_LEGS, (1, -1, -1, 1), strict=True)),
    "entry_price": -130.0,
    "exit_price": -137.0,
}
ROWS = 2_000


class _Broker:
    """Knows the index at two instants and nothing else; behind the process-wide cache it is asked once."""

    name = "bench"

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        return [
            Price(24000.0 if ask.at.day == 3 else 23700.0, self.name, PriceKind.GIVEN, ask.at)
            if format_symbol(ask.instrument) == "NIFTY_IND___"
            else Missing("not known")
            for ask in wanted
        ]

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        return [Missing("not known")] * len(wanted)

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        return [Missing("not known")] * len(wanted)

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        return [Missing("not known")] * len(wanted)


def _open_leg() -> Callable[[], object]:
    """What a live publisher asks, again and again: nothing of the current instant is known from the call before."""
    entry, midday = "2025-01-01 10:00:00", datetime(2025, 1, 3, 10, tzinfo=ZoneInfo("Asia/Kolkata"))
    row = {**ROW, "exit_time": None, "exit_price": None}
    calls = itertools.count()

    def call() -> object:
        number = next(calls)
        now = midday + timedelta(milliseconds=number % 10_000_000)
        spots = {("NIFTY_IND___", "NSE", entry): 23700.0, ("NIFTY_IND___", "NSE", now): 23900.0 + number % 11}
        marked = {**row, "mtm": 560.0 + number % 7}
        return calculate_attribution_for_trade(marked, spot_prices=spots, historical_cache=DAY_BEFORE, current_time=now)

    return call


def measure_calls() -> list[dict[str, Any]]:
    """Time one trade per call, and a list of trades in one call."""
    series, broker, rows = pd.Series(ROW), _Broker(), [ROW] * ROWS
    calls: list[tuple[str, Callable[[], object]]] = [
        ("one leg, a dict", lambda: calculate_attribution_for_trade(ROW, spot_prices=SPOT, day=False)),
        (
            "one leg, its last day from the close before",
            lambda: calculate_attribution_for_trade(ROW, spot_prices=SPOT, historical_cache=DAY_BEFORE),
        ),
        ("one open leg, its day so far, a new mark and instant each time", _open_leg()),
        ("one leg, a pd.Series", lambda: calculate_attribution_for_trade(series, spot_prices=SPOT, day=False)),
        (
            "four legs, a dict",
            lambda: calculate_attribution_for_trade(CONDOR, spot_prices=SPOT, leg_prices=CONDOR_LEGS, day=False),
        ),
        ("one leg, a broker behind its warm cache", lambda: calculate_attribution_for_trade(ROW, broker, day=False)),
    ]
    timed = [{"what": what, "nanoseconds": median_seconds(run) * 1e9} for what, run in calls]
    many = median_seconds(lambda: calculate_attribution_for_trades(rows, spot_prices=SPOT, day=False), budget=2.0)
    return [*timed, {"what": f"one row of a list of {ROWS:,}", "nanoseconds": many / ROWS * 1e9}]


def table(rows: list[dict[str, Any]]) -> Table:
    """One line per call."""
    return Table("Row calls", ("call", "ns per trade"), [[r["what"], nanoseconds(r["nanoseconds"])] for r in rows])
