"""Random trades in NIFTY options, with the prices of both ends as columns."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

__all__ = ["book"]

OPENS = datetime(2025, 1, 6, 9, 15)


def book(rows: int, seed: int) -> pa.Table:
    """Trades of some hours within one session; the same seed gives the same ones."""
    random = np.random.default_rng(seed)
    strikes = random.integers(460, 480, rows) * 50
    spot = np.round(random.normal(23_500.0, 100.0, rows), 2)
    later = np.round(spot + random.normal(0.0, 40.0, rows), 2)
    price = np.round(random.uniform(50.0, 400.0, rows), 2)
    enters = [OPENS + timedelta(days=int(d), minutes=int(m)) for d, m in random.integers(0, (5, 200), (rows, 2))]
    return pa.table(
        {
            "symbol": [f"NIFTY_OPT_20250130_{'PUT' if k % 100 else 'CALL'}_{k}" for k in strikes],
            "entry_time": pa.array(enters, pa.timestamp("us")),
            "exit_time": pa.array([at + timedelta(minutes=90) for at in enters], pa.timestamp("us")),
            "entry_quantity": random.choice([75.0, -75.0, 150.0], rows),
            "entry_price": price,
            "exit_price": np.round(price * random.uniform(0.8, 1.2, rows), 2),
            "spot_entry": spot,
            "spot_exit": later,
            "desk": [f"desk {i % 3}" for i in range(rows)],
        }
    )
