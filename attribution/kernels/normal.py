"""The normal distribution through its Mills ratio, accurate in both tails.

``M(v) = (1 − Φ(v)) / φ(v)`` falls smoothly from 2.8 at v = −1.25 towards 1/v. With ``w = 1/(v + 5.5)``
it is ``w`` times a single polynomial in ``1 − 8.5 w``. Option values need *differences* of M at nearby
points; these come from the polynomial's divided difference, gathered in the same Horner loop, so
nothing cancels. No branch, no table, one division.
"""

from __future__ import annotations

from attribution.kernels._constants import MILLS_EVEN, MILLS_ODD, MILLS_SCALE, MILLS_SHIFT
from attribution.kernels._jit import inlined
from attribution.kernels.elementary import exponential

__all__ = ["INV_SQRT_2PI", "MILLS_LOWEST", "SQRT_2PI", "mills_pair", "normal_cdf", "normal_density"]

SQRT_2PI = 2.5066282746310002
INV_SQRT_2PI = 0.3989422804014327
MILLS_LOWEST = -1.25
"""The Mills polynomial holds from here to +∞; further left use 1/φ(v) − M(−v)."""


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

    Needs v1 ≥ −1.25 and v2 ≥ v1; ``distance`` is v2 − v1 as the caller knows it without cancellation.
    """
    a1 = v1 + MILLS_SHIFT
    a2 = v2 + MILLS_SHIFT
    product = 1.0 / (a1 * a2)
    w1 = a2 * product
    w2 = a1 * product
    z1 = 1.0 - MILLS_SCALE * w1
    z2 = 1.0 - MILLS_SCALE * w2
    # P(z) = E(z²) + z·O(z²): two short chains of multiplications in place of a long one.
    y1 = z1 * z1
    y2 = z2 * z2
    even, even_slope = _value_and_slope(y1, y2, MILLS_EVEN)
    odd, odd_slope = _value_and_slope(y1, y2, MILLS_ODD)
    total = even + z1 * odd
    slope = (even_slope + z2 * odd_slope) * (z1 + z2) + odd
    # M(v1) − M(v2) = w1 P(z1) − w2 P(z2), with w1 − w2 = distance · product.
    return w1 * total, distance * product * (total - MILLS_SCALE * w2 * slope)


@inlined
def normal_density(x: float) -> float:
    """φ(x), the standard normal density."""
    return INV_SQRT_2PI * exponential(-0.5 * x * x)


@inlined
def normal_cdf(x: float) -> float:
    """Φ(x) to full relative accuracy in the lower tail, full absolute accuracy in the upper."""
    distance = abs(x)
    tail, _ = mills_pair(distance, distance, 0.0)
    tail = tail * normal_density(x)
    return tail if x < 0.0 else 1.0 - tail
