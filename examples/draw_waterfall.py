"""Draw the waterfall of the demo's week into a file, ``docs/images/waterfall.svg`` unless another is named.

::

    python examples/draw_waterfall.py [week.svg]
"""

from __future__ import annotations

import sys
from pathlib import Path

from attribution import attribute_daily
from attribution.app.demo import LAST_INSTANT, demo_prices, demo_trades
from attribution.report.notebook import Report, show

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "waterfall.svg"


def week() -> Report:
    """Four positions, explained on each of their days."""
    days = attribute_daily(demo_trades(), spot_prices=demo_prices(), current_time=LAST_INSTANT)
    pnl = sum(day["pnl"] for day in days)
    return show(days, title=f"Why did the book make {pnl:,.0f} this week?")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    target.parent.mkdir(parents=True, exist_ok=True)
    week().save(target)
