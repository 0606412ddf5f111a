"""Exponential, logarithm of a ratio, and exact error terms, as code a loop can be vectorised around.

The library functions ``math.exp`` and ``math.log`` are calls into scalar code and stop the whole loop
from vectorising; these are short polynomials over the bits of a double.
"""

from __future__ import annotations

import numpy as np

from attribution.kernels._constants import ATANH_TAIL, EXP_TAIL, LOG1P_TAIL
from attribution.kernels._jit import inlined

__all__ = [
    "difference_error",
    "exponential",
    "exponential_inside",
    "exponential_less_one",
    "log_ratio",
    "polynomial",
    "rough_log1p",
    "sum_error",
]

# ln 2 in two parts: the first has enough trailing zeros for an exact product with any exponent.
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
LN2 = 0.6931471805599453
ONE_OVER_LN2 = 1.4426950408889634074

# Adding 1.5 · 2^52 leaves a nearby whole number in the low bits of the sum.
ROUNDER = 6755399441055744.0
ROUNDER_BITS = 0x4338000000000000
MANTISSA_BITS = 52
HALF_EXPONENT_STEP = 1 << 51
ONE_BITS = 0x3FF0000000000000
THREE_QUARTERS_BITS = 0x3FE8000000000000

EXP_UNDERFLOW = -708.0
EXP_OVERFLOW = 709.0


@inlined
def polynomial(x: float, coefficients: tuple[float, ...]) -> float:
    """Σ cᵢ xⁱ by Horner's rule; the loop unrolls, for the coefficients are constants."""
    value = coefficients[-1]
    for i in range(len(coefficients) - 2, -1, -1):
        value = value * x + coefficients[i]
    return value


@inlined
def exponential_inside(y: float) -> float:
    """e^y to 1 ulp for −708 ≤ y ≤ 709; outside, and for NaN, a meaningless number.

    y = k ln 2 + r with |r| ≤ ½ ln 2; e^r is a polynomial and 2^k goes into the exponent bits.
    """
    shifted = y * ONE_OVER_LN2 + ROUNDER
    k = shifted - ROUNDER
    r = (y - k * LN2_HIGH) - k * LN2_LOW
    mantissa = 1.0 + (r + r * r * polynomial(r, EXP_TAIL))
    bits = np.float64(mantissa).view(np.int64) + (np.float64(shifted).view(np.int64) << MANTISSA_BITS)
    value: float = np.int64(bits).view(np.float64)
    return value


@inlined
def exponential(y: float) -> float:
    """e^y to 1 ulp; 0 below −708 (results under 1e-307), inf above 709, NaN for NaN."""
    value = exponential_inside(min(max(y, EXP_UNDERFLOW), EXP_OVERFLOW) if y == y else 0.0)
    value = 0.0 if y < EXP_UNDERFLOW else value
    value = np.inf if y > EXP_OVERFLOW else value
    return value if y == y else np.nan


@inlined
def exponential_less_one(y: float) -> float:
    """e^y − 1, to full relative accuracy where y is small; −1 below −708, inf above 709, NaN for NaN.

    As :func:`exponential_inside`, but the 1 goes before the rest comes: 2^k e^r − 1 = (2^k − 1) + 2^k (e^r − 1).
    """
    inside = min(max(y, EXP_UNDERFLOW), EXP_OVERFLOW) if y == y else 0.0
    shifted = inside * ONE_OVER_LN2 + ROUNDER
    k = shifted - ROUNDER
    r = (inside - k * LN2_HIGH) - k * LN2_LOW
    scale = np.int64(ONE_BITS + (np.float64(shifted).view(np.int64) << MANTISSA_BITS)).view(np.float64)
    value: float = (scale - 1.0) + scale * (r + r * r * polynomial(r, EXP_TAIL))
    value = np.inf if y > EXP_OVERFLOW else value
    return value if y == y else np.nan


@inlined
def log_ratio(numerator: float, denominator: float) -> float:
    """ln(numerator / denominator) for two positive normal doubles, also accurate where they are close.

    The exponents are subtracted as whole numbers, so that the rest z = (p − q)/(p + q) is small and
    ln(p/q) = 2 atanh z keeps the accuracy of ``log1p`` at the money.
    """
    p_bits = np.float64(numerator).view(np.int64)
    q_bits = np.float64(denominator).view(np.int64)
    exponent = (p_bits - q_bits + HALF_EXPONENT_STEP) >> MANTISSA_BITS
    q = np.int64(q_bits + (exponent << MANTISSA_BITS)).view(np.float64)
    k = np.int64(exponent + ROUNDER_BITS).view(np.float64) - ROUNDER
    z = (numerator - q) / (numerator + q)
    z2 = z * z
    return k * LN2_HIGH + ((z + z) + ((z + z) * z2 * polynomial(z2, ATANH_TAIL) + k * LN2_LOW))


@inlined
def rough_log1p(x: float) -> float:
    """ln(1 + x) for x ≥ 0, to a relative 1e-7 and without a division: enough to start an iteration.

    1 + x = 2^k (1 + f) with f in [−1/4, 1/2); f is formed from x, or small x would lose its digits.
    """
    exponent = (np.float64(1.0 + x).view(np.int64) - THREE_QUARTERS_BITS) >> MANTISSA_BITS
    scale = np.int64(ONE_BITS - (exponent << MANTISSA_BITS)).view(np.float64)
    k = np.int64(exponent + ROUNDER_BITS).view(np.float64) - ROUNDER
    f = x * scale + (scale - 1.0)
    return k * LN2 + (f + f * f * polynomial(f, LOG1P_TAIL))


@inlined
def sum_error(a: float, b: float) -> float:
    """(a + b) − fl(a + b), exactly (Knuth's TwoSum)."""
    total = a + b
    b_part = total - a
    return (a - (total - b_part)) + (b - b_part)


@inlined
def difference_error(a: float, b: float) -> float:
    """(a − b) − fl(a − b), exactly (Knuth's TwoDiff)."""
    difference = a - b
    b_part = a - difference
    return (a - (difference + b_part)) + (b_part - b)
