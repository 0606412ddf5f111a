"""What one call of the row API costs, and one row of a list."""

from __future__ import annotations

from typing import Any

from attribution import calculate_attribution_for_trade, calculate_attribution_for_trades
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
ROWS = 2_000


def measure_calls() -> list[dict[str, Any]]:
    """Time one trade per call, and a list of trades in one call."""
    one = median_seconds(lambda: calculate_attribution_for_trade(ROW, spot_prices=SPOT, day=False))
    rows = [ROW] * ROWS
    many = median_seconds(lambda: calculate_attribution_for_trades(rows, spot_prices=SPOT, day=False), budget=2.0)
    return [
        {"what": "calculate_attribution_for_trade, one leg", "nanoseconds": one * 1e9},
        {"what": f"calculate_attribution_for_trades, a list of {ROWS:,}", "nanoseconds": many / ROWS * 1e9},
    ]


def table(rows: list[dict[str, Any]]) -> Table:
    """One line per call."""
    return Table(
        "Row calls, prices given", ("call", "ns per trade"), [[r["what"], nanoseconds(r["nanoseconds"])] for r in rows]
    )
