"""Polynomial constants of the kernels. Written by ``benchmarks/derive_constants.py``; do not edit by hand.

Each tuple runs from the constant term upwards. Exponential and logarithm are Chebyshev series in 60-digit
arithmetic, cut where the rest is under the rounding of a double, and rewritten in powers; the Mills ratio is
a least-squares rational fit in as many digits. The two seeds are such fits in doubles: they only start an
iteration, so 3e-6 is enough.
"""

from __future__ import annotations

MILLS_SHIFT = 1.3125
"""k in x = v + k: a little beyond where the fit begins to be used, since at its very end the slope is worst."""

MILLS_NUMERATOR = (
    0.1862240884617604,
    -0.42941892997921083,
    -0.7371737542455646,
    -0.5835537741880159,
    -0.3021797765145821,
    -0.1134416786475001,
    -0.03212318831282415,
    -0.006935661504139651,
    -0.00112946839375073,
    -0.00013364815615551004,
    -1.0520625679152097e-05,
    -4.316308942640676e-07,
)
"""p(x) in M(v) = 1/(x + p/q)."""

MILLS_DENOMINATOR = (
    1.0,
    1.5652246989044658,
    1.338053553553784,
    0.7843090358275446,
    0.34183956629572587,
    0.11471473126282443,
    0.030024627122110837,
    0.00611447204249553,
    0.0009513758607582677,
    0.00010845414330839795,
    8.266276047925433e-06,
    3.288616337249733e-07,
)
"""q(x), see MILLS_NUMERATOR."""

EXP_TAIL = (
    0.5,
    0.1666666666666667,
    0.04166666666666668,
    0.008333333333326082,
    0.0013888888888879001,
    0.00019841269875003973,
    2.480158733663232e-05,
    2.7557255168123062e-06,
    2.755726307600547e-07,
    2.5105313423078524e-08,
    2.0918212752506956e-09,
)
"""(e^r − 1 − r)/r² on |r| ≤ ½ ln 2."""

ATANH_TAIL = (
    0.3333333333333333,
    0.19999999999999948,
    0.1428571428574765,
    0.11111111102683341,
    0.09090910156115953,
    0.07692232204374139,
    0.06669798940611392,
    0.058070937060143116,
    0.06222534879586385,
)
"""(atanh z − z)/z³ in powers of z², on z² ≤ 0.0405."""

LOG1P_TAIL = (
    -0.49999999429304404,
    0.33333393023654667,
    -0.25000244905089297,
    0.19993908735203567,
    -0.1664446706900904,
    0.14426704733925091,
    -0.13144742569265372,
    0.10748569687371386,
    -0.048576349209482485,
)
"""(ln(1 + f) − f)/f² on −¼ ≤ f ≤ ½, rough: for the seed alone."""

BACHELIER_NUMERATOR = (
    0.39894221341813385,
    0.0656575129350115,
    0.01141277014102045,
    0.0009108751791994419,
    2.6911535989697054e-05,
    6.708226472299523e-08,
)
"""u/L as a rational function of L = ln(1 + |F − K|/c): Bachelier's model inverted."""

BACHELIER_DENOMINATOR = (
    1.0,
    0.16457588200910314,
    0.03237255153708073,
    0.0028912745890642935,
    0.00014578703712015027,
    1.464642179153021e-06,
)
"""See BACHELIER_NUMERATOR."""

LOGNORMAL_NUMERATOR = (
    0.041656353092580575,
    -0.005085898712586339,
    0.0005880322049502477,
    3.0218189634589127e-05,
    -1.0371981495985654e-05,
    1.8608035528423529e-06,
)
"""Correction from Bachelier to Black: terms 1, Y, X, Y², XY, X² (Y = seed², X = ln²(F/K))."""

LOGNORMAL_DENOMINATOR = (
    -0.20987539404987793,
    0.022371538150059603,
    0.00974393460592754,
    -0.00245964880032497,
    0.0001052669850713271,
)
"""See LOGNORMAL_NUMERATOR; the terms Y, X, Y², XY, X² over a leading 1."""
