"""Polynomial constants of the kernels. Written by ``benchmarks/derive_constants.py``; do not edit by hand.

Each tuple runs from the constant term upwards. The Mills ratio, exponential and logarithm are Chebyshev
series in 60-digit arithmetic, cut where the rest is under the rounding of a double, and rewritten in
powers. The two seeds are least-squares rational fits: they only start an iteration, so 3e-6 is enough.
"""

from __future__ import annotations

MILLS_SHIFT = 5.5
"""k in w = 1/(v + k)."""
MILLS_SCALE = 8.5
"""2 (k − 1.25): z = 1 − 8.5 w runs over [−1, 1] as v runs over [−1.25, ∞]."""

MILLS_EVEN = (
    2.589017539035878,
    4.223998006576597,
    3.172671737402833,
    0.9246981942541539,
    0.005126042105971648,
    -0.012592634585078227,
    0.002661332938338853,
    -0.000493254901139352,
    9.709095165756275e-05,
    -2.095184731567519e-05,
    4.711738361767337e-06,
    -9.86616725711058e-07,
    1.6024105253189216e-07,
    -1.4188233624774547e-08,
)
"""Even powers of z in M(v)/w."""

MILLS_ODD = (
    -3.6410352155492345,
    -4.048089165468241,
    -1.97986635115664,
    -0.2697993735519826,
    0.03600192850170094,
    -0.0023922909332914485,
    -2.270853631670967e-05,
    4.52535207880929e-05,
    -1.0340303186904166e-05,
    1.2986624927279279e-06,
    3.972219160780297e-08,
    -5.687678628816333e-08,
    8.862154869547513e-09,
)
"""Odd powers of z in M(v)/w."""

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
