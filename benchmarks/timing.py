"""How everything outside the contests is timed: warm up first, then the median of several rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

__all__ = ["median_seconds"]

ROUNDS = (3, 101)


def median_seconds(run: Callable[[], object], budget: float = 0.5) -> float:
    """Median duration of a call, over as many rounds as fit into ``budget`` seconds, at least 3, at most 101.

    The first call warms up and is not counted.
    """
    run()
    spent: list[float] = []
    fewest, most = ROUNDS
    while len(spent) < fewest or (sum(spent) < budget and len(spent) < most):
        begin = time.perf_counter()
        run()
        spent.append(time.perf_counter() - begin)
    return statistics.median(spent)
