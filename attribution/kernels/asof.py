"""The last observation at or before each instant, for many instants at once."""

from __future__ import annotations

from attribution.kernels._jit import lean_kernel
from attribution.kernels.results import Integers

__all__ = ["last_before_many"]


@lean_kernel
def last_before_many(
    first: Integers, times_us: Integers, tolerance_us: int, series: Integers, at_us: Integers, found: Integers
) -> None:
    """Write the position of the last observation at or before each instant, at most ``tolerance_us`` older; else −1.

    Parameters
    ----------
    first, times_us
        ``times_us[first[s]:first[s + 1]]`` are the observations of series ``s``, in order of time.
    series, at_us
        Which series each instant is looked up in (−1: none), and the instant. [UTC microseconds]
    """
    for k in range(at_us.size):
        found[k] = -1
        own = series[k]
        if own < 0:
            continue
        low, high = first[own], first[own + 1]
        begin = low
        while low < high:
            middle = (low + high) // 2
            if times_us[middle] <= at_us[k]:
                low = middle + 1
            else:
                high = middle
        if low > begin and at_us[k] - times_us[low - 1] <= tolerance_us:
            found[k] = low - 1
