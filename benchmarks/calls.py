"""What one call of the row API costs, and one row of a list."""

from __future__ import annotations

from attribution import calculate_attribution_for_trade, calculate_attribution_for_trades
from benchmarks.timing import measure, print_table

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


def main() -> None:
    """Print the table."""
    rows = [ROW] * 2000
    timings = [
        measure(
            "calculate_attribution_for_trade, one leg",
            lambda: [calculate_attribution_for_trade(ROW, spot_prices=SPOT, day=False) for _ in range(200)],
            200,
        ),
        measure(
            "calculate_attribution_for_trades, a list of 2,000",
            lambda: calculate_attribution_for_trades(rows, spot_prices=SPOT, day=False),
            len(rows),
        ),
    ]
    print_table("Row calls, prices given", "trade", timings)
