"""The normal distribution through its Mills ratio, accurate in both tails.

``M(v) = (1 − Φ(v)) / φ(v)`` falls smoothly from 4.9 at v = −1.25 towards 1/v. Its reciprocal is nearly a straight
line: with ``x = v + 1.3125`` it is ``x + p(x)/q(x)``, p and q polynomials. Option values need *differences* of M at
nearby points; these come from the divided differences of p and q, gathered in the same Horner loops, so nothing
cancels (docs/kernels.md §2). No branch, no table, one division.
"""

from __future__ import annotations

from attribution.kernels._constants import MILLS_DENOMINATOR, MILLS_NUMERATOR, MILLS_SHIFT
from attribution.kernels._jit import inlined
from attribution.kernels.elementary import exponential

__all__ = ["INV_SQRT_2PI", "MILLS_LOWEST", "SQRT_2PI", "mills_pair", "normal_cdf", "normal_density"]

SQRT_2PI = 2.5066282746310002
INV_SQRT_2PI = 0.3989422804014327
MILLS_LOWEST = -1.25
"""The fit holds from here to +∞; further left use 1/φ(v) − M(−v)."""
FARTHEST_TAIL = 1e3
"""Φ is 0 long before; beyond 1e12 the polynomials overflow."""


@inlined
def _value_and_slope(y1: float, y2: float, coefficients: tuple[float, ...]) -> tuple[float, float]:
    """Return P(y1) and the divided difference (P(y1) − P(y2)) / (y1 − y2), defined for y1 = y2 too."""
    value = coefficients[-1]
    slope = 0.0
    for i in range(len(coefficients) - 2, -1, -1):
        slope = slope * y2 + value
        value = value * y1 + coefficients[i]
    return value, slope


@inlined
def mills_pair(v1: float, v2: float, distance: float) -> tuple[float, float]:
    """Return M(v1) and M(v1) − M(v2), both to full relative accuracy.

    Needs v1 ≥ −1.25 and v2 ≥ v1, neither over 1e12; ``distance`` is v2 − v1 as the caller knows it without
    cancellation.
    """
    x1 = v1 + MILLS_SHIFT
    x2 = v2 + MILLS_SHIFT
    p1, p_slope = _value_and_slope(x1, x2, MILLS_NUMERATOR)
    q1, q_slope = _value_and_slope(x1, x2, MILLS_DENOMINATOR)
    p2 = p1 + distance * p_slope
    q2 = q1 + distance * q_slope
    under1 = x1 * q1 + p1
    under2 = x2 * q2 + p2
    inverse = 1.0 / (under1 * under2)
    # M(v1) − M(v2) = M(v1) M(v2) (1/M(v2) − 1/M(v1)), and of that bracket the line's part is just ``distance``.
    return q1 * under2 * inverse, distance * inverse * (q1 * q2 + (p_slope * q1 - p1 * q_slope))


@inlined
def normal_density(x: float) -> float:
    """φ(x), the standard normal density."""
    return INV_SQRT_2PI * exponential(-0.5 * x * x)


@inlined
def normal_cdf(x: float) -> float:
    """Φ(x) to full relative accuracy in the lower tail, full absolute accuracy in the upper."""
    distance = min(abs(x), FARTHEST_TAIL)
    tail, _ = mills_pair(distance, distance, 0.0)
    tail = tail * normal_density(x)
    return tail if x < 0.0 else 1.0 - tail
