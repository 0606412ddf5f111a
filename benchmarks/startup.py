"""What a fresh interpreter pays: the import, a first call that compiles, a first call that finds the cache.

A slower import means that something heavy moved to the top of a module; a slower cold call, more code to
compile; a slower warm one, that the cache is no longer found.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks import ROOT
from benchmarks.tables import Table

__all__ = ["measure_startup", "table"]

PROGRAM = """
import json, time
begin = time.perf_counter()
import attribution
spent = {"import attribution": time.perf_counter() - begin}
calls = {
    "black_price": lambda: attribution.black_price(100.0, 101.0, 0.5, 0.2, 1),
    "black_greeks": lambda: attribution.black_greeks(100.0, 101.0, 0.5, 0.2, 1),
    "implied_vol": lambda: attribution.implied_vol(5.0, 100.0, 101.0, 0.5, 1),
    "attribute_legs": lambda: attribution.attribute_legs(1, 101.0, 100.0, 5.0, 0.5, 102.0, 6.0, 0.49),
}
for name, call in calls.items() if CALLS else ():
    begin = time.perf_counter()
    call()
    spent["first call of " + name] = time.perf_counter() - begin
print(json.dumps(spent))
"""
IMPORTS = 5


def _seconds(cache: str, calls: bool) -> dict[str, float]:
    """Run the program in a fresh interpreter with the given compile cache."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("CALLS", str(calls))],
        cwd=ROOT,
        env=os.environ | {"NUMBA_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=True,
    )
    spent: dict[str, float] = json.loads(done.stdout)
    return spent


def measure_startup() -> list[dict[str, Any]]:
    """Return seconds with an empty cache and with a full one."""
    with tempfile.TemporaryDirectory() as cache:
        cold = _seconds(cache, calls=True)
        warm = _seconds(cache, calls=True)
        imports = [_seconds(cache, calls=False)["import attribution"] for _ in range(IMPORTS)]
    warm["import attribution"] = cold["import attribution"] = statistics.median(imports)
    return [{"what": what, "cold": cold[what], "warm": warm[what]} for what in cold]


def table(rows: list[dict[str, Any]]) -> Table:
    """One line per step, and their sum."""
    lines = [[row["what"], f"{row['cold']:.2f}", f"{row['warm']:.2f}"] for row in rows]
    sums = [f"{sum(row[column] for row in rows):.2f}" for column in ("cold", "warm")]
    headers = ("in a fresh interpreter", "compiling [s]", "from the cache [s]")
    return Table("Start-up", headers, [*lines, ["all", *sums]])
