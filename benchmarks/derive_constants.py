"""Derive the polynomial constants of the kernels and write ``attribution/kernels/_constants.py``.

    python benchmarks/derive_constants.py           # compare with the file in the tree
    python benchmarks/derive_constants.py --write   # replace it

Exponential and logarithm are Chebyshev series, cut and rewritten in powers, and the Mills ratio a least-squares
rational fit, in 60-digit arithmetic: deterministic to the last bit. The two seeds of the implied vol are
least-squares rational fits by numpy and may differ in their last digits between machines; they only start an
iteration. Needs mpmath and scipy. Takes about a minute.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import mpmath as mp
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import erfcx

CONSTANTS = Path(__file__).resolve().parents[1] / "attribution" / "kernels" / "_constants.py"

SHIFT = 1.3125
LOWEST = -1.25
MILLS_DEGREE = 11
MILLS_MIDDLE = 4
MILLS_NODES = 80
MILLS_ROUNDS = 5
EXP_DEGREE = 10
ATANH_DEGREE = 8
LOG1P_DEGREE = 8
SAMPLES = 400_000
REWEIGHTINGS = 60

Floats = NDArray[np.float64]
Function = Callable[[mp.mpf], mp.mpf]

mp.mp.dps = 60


def chebyshev(f: Callable[[mp.mpf], mp.mpf], low: mp.mpf, high: mp.mpf, degree: int, nodes: int = 80) -> list[mp.mpf]:
    """Chebyshev series of f on [low, high], cut at ``degree``, as powers of the argument."""
    angles = [mp.pi * (j + mp.mpf(1) / 2) / nodes for j in range(nodes)]
    values = [f((mp.cos(angle) + 1) / 2 * (high - low) + low) for angle in angles]
    series = [
        2 * mp.fsum(v * mp.cos(m * a) for v, a in zip(values, angles, strict=True)) / nodes for m in range(degree + 1)
    ]
    series[0] /= 2
    slope = mp.mpf(2) / (high - low)
    offset = -slope * low - 1
    basis = [[mp.mpf(1)], [offset, slope]]
    while len(basis) <= degree:
        following = [mp.mpf(0)] * (len(basis) + 1)
        for i, c in enumerate(basis[-1]):
            following[i] += 2 * offset * c
            following[i + 1] += 2 * slope * c
        for i, c in enumerate(basis[-2]):
            following[i] -= c
        basis.append(following)
    powers = [mp.mpf(0)] * (degree + 1)
    for weight, polynomial in zip(series, basis, strict=True):
        for i, c in enumerate(polynomial):
            powers[i] += weight * c
    return powers


def mills(v: mp.mpf) -> mp.mpf:
    """M(v), the Mills ratio."""
    if v < 40:
        return mp.sqrt(mp.pi / 2) * mp.exp(v * v / 2) * mp.erfc(v / mp.sqrt(2))
    return mp.fsum((-1) ** j * mp.fac2(2 * j - 1) / v ** (2 * j + 1) for j in range(26))


def mills_slope(v: mp.mpf) -> mp.mpf:
    """M′(v) = vM − 1, which for large v cancels."""
    if v < 40:
        return v * mills(v) - 1
    return -mp.fsum((-1) ** j * mp.fac2(2 * j + 1) / v ** (2 * j + 2) for j in range(25))


def fit_mills() -> tuple[list[mp.mpf], list[mp.mpf]]:
    """Polynomials p and q of x = v + SHIFT such that M(v) = 1/(x + p/q), for x from 0 to ∞.

    Least squares of the relative error of M at Chebyshev nodes of y = (x − 4)/(x + 4). What is linear in the unknowns
    is q times that error; dividing by the q of the round before makes it the error itself.
    """
    nodes = [mp.cos(mp.pi * (j + mp.mpf(1) / 2) / MILLS_NODES) for j in range(MILLS_NODES)]
    x = [MILLS_MIDDLE * (1 + y) / (1 - y) for y in nodes]
    size = [mills(point - SHIFT) for point in x]
    rest = [1 / m - point for m, point in zip(size, x, strict=True)]
    basis = [[mp.chebyt(k, y) for k in range(MILLS_DEGREE + 1)] for y in nodes]
    under = [mp.mpf(1)] * MILLS_NODES
    for _ in range(MILLS_ROUNDS):
        weight = [m / q for m, q in zip(size, under, strict=True)]
        system = [
            [w * t for t in row] + [-w * r * t for t in row[1:]] for w, r, row in zip(weight, rest, basis, strict=True)
        ]
        target = [w * r for w, r in zip(weight, rest, strict=True)]
        found = list(mp.qr_solve(mp.matrix(system), mp.matrix(target))[0])
        p, q = found[: MILLS_DEGREE + 1], [mp.mpf(1), *found[MILLS_DEGREE + 1 :]]
        under = [mp.fdot(q, row) for row in basis]
    p, q = in_powers(p), in_powers(q)
    return [c / q[0] for c in p], [c / q[0] for c in q]


def times(a: list[mp.mpf], b: list[mp.mpf]) -> list[mp.mpf]:
    """Multiply two polynomials."""
    product = [mp.mpf(0)] * (len(a) + len(b) - 1)
    for i, c in enumerate(a):
        for j, d in enumerate(b):
            product[i + j] += c * d
    return product


def in_powers(series: list[mp.mpf]) -> list[mp.mpf]:
    """Powers of x in (x + 4)^n Σ cᵢ Tᵢ(y), y = (x − 4)/(x + 4), n being the last i."""
    over, under = [-mp.mpf(MILLS_MIDDLE), mp.mpf(1)], [mp.mpf(MILLS_MIDDLE), mp.mpf(1)]
    # Tᵢ(y) (x + 4)^i: the rule T₊ = 2y T − T₋, without its denominators.
    terms = [[mp.mpf(1)], over]
    while len(terms) < len(series):
        twice, before = times(over, terms[-1]), times(times(under, under), terms[-2])
        terms.append([2 * a - b for a, b in zip(twice, before, strict=True)])
    powers = [mp.mpf(0)] * len(series)
    for i, c in enumerate(series):
        term = terms[i]
        while len(term) < len(series):
            term = times(term, under)
        powers = [total + c * a for total, a in zip(powers, term, strict=True)]
    return powers


def exp_tail(r: mp.mpf) -> mp.mpf:
    """(e^r − 1 − r)/r²."""
    return (mp.exp(r) - 1 - r) / r**2 if abs(r) > mp.mpf("1e-6") else mp.mpf(1) / 2 + r / 6 + r * r / 24


def atanh_tail(z2: mp.mpf) -> mp.mpf:
    """(atanh z − z)/z³ as a function of z²."""
    if z2 < mp.mpf("1e-8"):
        return mp.mpf(1) / 3 + z2 / 5 + z2 * z2 / 7
    return (mp.atanh(mp.sqrt(z2)) / mp.sqrt(z2) - 1) / z2


def log1p_tail(f: mp.mpf) -> mp.mpf:
    """(ln(1 + f) − f)/f²."""
    return (mp.log1p(f) / f - 1) / f if abs(f) > mp.mpf("1e-6") else mp.mpf(-1) / 2 + f / 3 - f * f / 4


def bachelier_samples() -> tuple[Floats, Floats]:
    """Moneyness u in deviations, and L = ln(1 + |F − K|/c), of Bachelier's model."""
    u = np.concatenate([np.geomspace(1e-4, 1, 150), np.linspace(1, 8, 400)[1:], np.geomspace(8, 37, 80)[1:]])

    def log_ratio(point: float) -> float:
        v = mp.mpf(point)
        mills = mp.sqrt(mp.pi / 2) * mp.exp(v * v / 2) * mp.erfc(v / mp.sqrt(2))
        density = mp.exp(-v * v / 2) / mp.sqrt(2 * mp.pi)
        return float(mp.log1p(v / (density * (1 - v * mills))))

    return u, np.array([log_ratio(point) for point in u])


def fit_bachelier(u: Floats, logs: Floats, degree: int = 5) -> tuple[Floats, Floats]:
    """u/L as a rational function of L ≤ 40: least squares, reweighted towards the largest error."""
    near = logs <= 40.0
    x, f = logs[near], u[near] / logs[near]
    over, under = np.vander(x, degree + 1, increasing=True), np.vander(x, degree + 1, increasing=True)[:, 1:]
    q, weight = np.ones_like(x), np.ones_like(x)
    best = (np.inf, q, q)
    for _ in range(REWEIGHTINGS):
        system = np.hstack([over / f[:, None], -under]) / q[:, None] * weight[:, None]
        c = np.linalg.lstsq(system, weight / q, rcond=None)[0]
        numerator, denominator = c[: degree + 1], np.concatenate([[1.0], c[degree + 1 :]])
        q = 1.0 + under @ c[degree + 1 :]
        error = np.abs(over @ numerator / q / f - 1.0)
        if error.max() < best[0]:
            best = (error.max(), numerator, denominator)
        weight = weight * (0.3 + error / error.max()) ** 0.5
        weight /= weight.max()
    print(f"Bachelier seed: largest relative error {best[0]:.1e}")
    return best[1], best[2]


def fit_lognormal(u: Floats, logs: Floats) -> tuple[Floats, Floats]:
    """Correction s = y (1 + Y P/Q) of the Bachelier seed y, Y = y², X = ln²(F/K), for s ≤ 2.5."""
    random = np.random.default_rng(1)
    s = 2.5 * np.sqrt(random.uniform(1e-4, 1.0, SAMPLES))
    distance = 3.2 * random.uniform(0.0, 1.0, SAMPLES) ** 1.6 + 1e-4
    h, t = -distance / s, 0.5 * s
    value = 0.5 * np.exp(-0.5 * (h * h + t * t)) * (erfcx(-(h + t) / np.sqrt(2)) - erfcx(-(h - t) / np.sqrt(2)))
    with np.errstate(all="ignore"):
        log_ratio = np.log1p(2.0 * np.sinh(0.5 * distance) / value)
    kept = (log_ratio < 36.0) & (s > 0.03) & np.isfinite(log_ratio)
    s, distance, log_ratio = s[kept], distance[kept], log_ratio[kept]
    slope = CubicSpline(np.log(logs), np.log(u / logs))
    y = distance / (np.exp(slope(np.log(log_ratio))) * log_ratio)
    y2, x2, ratio = y * y, distance * distance, s / y
    target = (ratio - 1.0) / y2
    over = np.stack([np.ones_like(y2), y2, x2, y2 * y2, y2 * x2, x2 * x2], 1)
    under = over[:, 1:]
    q, weight = np.ones_like(y), np.ones_like(y)
    best = (np.inf, q)
    for _ in range(REWEIGHTINGS):
        scale = (y2 / ratio / q * weight)[:, None]
        system = np.hstack([over, -under * target[:, None]]) * scale
        column = np.abs(system).max(0)
        c = np.linalg.lstsq(system / column, target * scale[:, 0], rcond=None)[0] / column
        q = 1.0 + under @ c[6:]
        error = np.abs((over @ c[:6] / q - target) * y2 / ratio)
        if error.max() < best[0]:
            best = (error.max(), c.copy())
        weight = weight * (0.3 + error / error.max()) ** 0.4
        weight /= weight.max()
        q = np.maximum(q, 1e-2)
    print(f"correction to Black: largest relative error {best[0]:.1e}")
    return best[1][:6], best[1][6:]


HEADER = '''"""Polynomial constants of the kernels. Written by ``benchmarks/derive_constants.py``; do not edit by hand.

Each tuple runs from the constant term upwards. Exponential and logarithm are Chebyshev series in 60-digit
arithmetic, cut where the rest is under the rounding of a double, and rewritten in powers; the Mills ratio is
a least-squares rational fit in as many digits. The two seeds are such fits in doubles: they only start an
iteration, so 3e-6 is enough.
"""

from __future__ import annotations

MILLS_SHIFT = 1.3125
"""k in x = v + k: a little beyond where the fit begins to be used, since at its very end the slope is worst."""
'''


def series() -> dict[str, tuple[str, list[float]]]:
    """Derive the constants that are found in 60 digits: the same to the last bit wherever it is done."""
    over, under = fit_mills()
    half = mp.log(2) / 2 * mp.mpf("1.001")
    constants = {
        "MILLS_NUMERATOR": ("p(x) in M(v) = 1/(x + p/q).", over),
        "MILLS_DENOMINATOR": ("q(x), see MILLS_NUMERATOR.", under),
        "EXP_TAIL": ("(e^r − 1 − r)/r² on |r| ≤ ½ ln 2.", chebyshev(exp_tail, -half, half, EXP_DEGREE, nodes=64)),
        "ATANH_TAIL": (
            "(atanh z − z)/z³ in powers of z², on z² ≤ 0.0405.",
            chebyshev(atanh_tail, mp.mpf(0), mp.mpf("0.0405"), ATANH_DEGREE, nodes=64),
        ),
        "LOG1P_TAIL": (
            "(ln(1 + f) − f)/f² on −¼ ≤ f ≤ ½, rough: for the seed alone.",
            chebyshev(log1p_tail, mp.mpf(-1) / 4, mp.mpf(1) / 2, LOG1P_DEGREE, nodes=64),
        ),
    }
    return {name: (text, [float(c) for c in values]) for name, (text, values) in constants.items()}


def series_errors(constants: dict[str, tuple[str, list[float]]]) -> dict[str, float]:
    """Return the largest relative error of each function that is made of the constants, in exact arithmetic."""

    def value(name: str, x: mp.mpf) -> mp.mpf:
        return mp.fsum(mp.mpf(c) * x**i for i, c in enumerate(constants[name][1]))

    def largest(approximation: Function, exact: Function, low: float, high: float) -> float:
        points = [mp.mpf(low) + (mp.mpf(high) - mp.mpf(low)) * i / 300 + mp.mpf("1e-9") for i in range(300)]
        return float(max(abs(approximation(x) / exact(x) - 1) for x in points))

    def fitted(v: mp.mpf) -> mp.mpf:
        x = v + mp.mpf(SHIFT)
        return 1 / (x + value("MILLS_NUMERATOR", x) / value("MILLS_DENOMINATOR", x))

    def seen_from_far(f: Function) -> Function:
        """The same as a function of w = 1/(v + 5): equal steps of w are small ones of v where v is small."""
        return lambda w: f(1 / w - 5)

    lowest, highest = 1e-3, 1 / (LOWEST + 5) - 1e-8
    half = float(mp.log(2) / 2)
    return {
        "M(v)": largest(seen_from_far(fitted), seen_from_far(mills), lowest, highest),
        "M′(v)": largest(seen_from_far(lambda v: mp.diff(fitted, v)), seen_from_far(mills_slope), lowest, highest),
        "e^r": largest(lambda r: 1 + r + r * r * value("EXP_TAIL", r), mp.exp, -half, half),
        "atanh z": largest(lambda z: z + z**3 * value("ATANH_TAIL", z * z), mp.atanh, 0.0, 0.2),
        "ln(1 + f)": largest(lambda f: f + f * f * value("LOG1P_TAIL", f), mp.log1p, -0.25, 0.5),
    }


def derive() -> dict[str, tuple[str, list[float]]]:
    """Return each constant's name, its description and its coefficients."""
    u, logs = bachelier_samples()
    g_over, g_under = fit_bachelier(u, logs)
    c_over, c_under = fit_lognormal(u, logs)
    fits = {
        "BACHELIER_NUMERATOR": (
            "u/L as a rational function of L = ln(1 + |F − K|/c): Bachelier's model inverted.",
            g_over,
        ),
        "BACHELIER_DENOMINATOR": ("See BACHELIER_NUMERATOR.", g_under),
        "LOGNORMAL_NUMERATOR": (
            "Correction from Bachelier to Black: terms 1, Y, X, Y², XY, X² (Y = seed², X = ln²(F/K)).",
            c_over,
        ),
        "LOGNORMAL_DENOMINATOR": (
            "See LOGNORMAL_NUMERATOR; the terms Y, X, Y², XY, X² over a leading 1.",
            c_under,
        ),
    }
    return series() | {name: (text, [float(c) for c in values]) for name, (text, values) in fits.items()}


def rendered(constants: dict[str, tuple[str, list[float]]]) -> str:
    """Return the source of ``_constants.py``."""
    parts = [HEADER]
    for name, (text, values) in constants.items():
        lines = "".join(f"    {value!r},\n" for value in values)
        parts.append(f'\n{name} = (\n{lines})\n"""{text}"""\n')
    return "".join(parts)


def main() -> None:
    """Write the file, or say how far the one in the tree is from what is derived here."""
    constants = derive()
    for name, error in series_errors(constants).items():
        print(f"{name}: largest relative error {error:.1e}")
    if "--write" in sys.argv[1:]:
        CONSTANTS.write_text(rendered(constants), encoding="utf-8")
        return
    known: dict[str, tuple[float, ...]] = {}
    exec(CONSTANTS.read_text(encoding="utf-8"), known)
    for name, (_, values) in constants.items():
        scale = max(map(abs, values))
        print(f"{name:22} {max(abs(a - b) for a, b in zip(values, known[name], strict=True)) / scale:.1e}")


if __name__ == "__main__":
    main()
