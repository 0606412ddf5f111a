"""How everything here is timed: warm up first, then the median of several rounds."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Timing", "machine", "measure", "print_table"]


@dataclass(frozen=True, slots=True)
class Timing:
    """One line of a table: what was run, the seconds of a median round, and how many units a round holds."""

    what: str
    seconds: float
    units: int

    @property
    def nanoseconds(self) -> float:
        """Cost of one unit. [ns]"""
        return self.seconds / self.units * 1e9


def measure(what: str, run: Callable[[], object], units: int, rounds: int = 7) -> Timing:
    """Time ``run``, which works on ``units`` units; the first call warms up and is not counted."""
    run()
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return Timing(what, statistics.median(seconds), units)


def machine() -> str:
    """Name of the processor and the versions that matter."""
    import numba
    import numpy

    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    return f"{name}; Python {platform.python_version()}, numpy {numpy.__version__}, numba {numba.__version__}"


def print_table(title: str, unit: str, timings: list[Timing]) -> None:
    """Print the timings, each beside its ratio to the first."""
    print(f"\n{title}")
    base = timings[0].nanoseconds
    for timing in timings:
        print(f"  {timing.what:<52} {timing.nanoseconds:14,.1f} ns per {unit}  {timing.nanoseconds / base:10,.1f} ×")
