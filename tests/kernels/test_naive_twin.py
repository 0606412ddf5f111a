"""The kernels against slow and obvious code: textbook formulas, root finding, all 24 orders."""

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
from scipy import optimize, stats

from attribution.kernels import attribute_legs, black_greeks, black_price, elementary, implied_vol, normal
from tests.kernels.compiled import from_python

exponential, exponential_less_one, log_ratio, mills_pair, normal_cdf, normal_density = map(
    from_python,
    (
        elementary.exponential,
        elementary.exponential_less_one,
        elementary.log_ratio,
        normal.mills_pair,
        normal.normal_cdf,
        normal.normal_density,
    ),
)

FACTORS = ("spot", "spread", "vol", "time")


def value(right, strike, rate, dividend_yield, spot, spread, vol, time):
    """The model, as in a textbook."""
    discount = math.exp(-rate * time)
    forward = (spot + spread) * math.exp((rate - dividend_yield) * time)
    if time == 0.0 or vol == 0.0:
        return discount * max(right * (forward - strike), 0.0)
    s = vol * math.sqrt(time)
    d1 = math.log(forward / strike) / s + s / 2.0
    terms = forward * stats.norm.cdf(right * d1) - strike * stats.norm.cdf(right * (d1 - s))
    return right * discount * terms


def walk(orders, start, end, model):
    """Mean over ``orders`` of the steps taken when factors move one after the other."""
    effects = dict.fromkeys(FACTORS, 0.0)
    for order in orders:
        state = dict(start)
        for factor in order:
            before = model(**state)
            state[factor] = end[factor]
            effects[factor] += (model(**state) - before) / len(orders)
    return effects


@pytest.fixture(scope="module")
def cases():
    rng = np.random.default_rng(7)
    found = []
    for _ in range(25):
        contract = (int(rng.choice([1, -1])), 100.0, rng.uniform(0, 0.1), rng.uniform(0, 0.05))
        start, end = (
            {
                "spot": rng.uniform(92, 108),
                "spread": rng.uniform(-1, 1),
                "vol": rng.uniform(0.15, 0.6),
                "time": rng.uniform(0.05, 0.5),
            }
            for _ in range(2)
        )
        found.append((contract, start, end))
    return found


@pytest.mark.parametrize("method", ["waterfall", "shapley", "path", "one_at_a_time"])
def test_effects(cases, method):
    for (right, strike, rate, dividend_yield), start, end in cases:

        def model(**state):
            return value(right, strike, rate, dividend_yield, **state)  # noqa: B023

        ours = attribute_legs(
            right,
            strike,
            start["spot"],
            model(**start),
            start["time"],
            end["spot"],
            model(**end),
            end["time"],
            basis0=start["spread"],
            basis1=end["spread"],
            rate=rate,
            dividend_yield=dividend_yield,
            method=method,
            steps=3,
        )
        if method == "waterfall":
            twin = walk([("time", "spot", "spread", "vol")], start, end, model)
        elif method == "shapley":
            twin = walk(list(itertools.permutations(FACTORS)), start, end, model)
        elif method == "path":
            points = [{f: start[f] + (end[f] - start[f]) * k / 3 for f in FACTORS} for k in range(4)]
            parts = [walk(list(itertools.permutations(FACTORS)), a, b, model) for a, b in itertools.pairwise(points)]
            twin = {f: sum(part[f] for part in parts) for f in FACTORS}
        else:
            twin = {f: model(**(start | {f: end[f]})) - model(**start) for f in FACTORS}
        assert ours.spot == pytest.approx(twin["spot"], abs=1e-10)
        assert ours.spread == pytest.approx(twin["spread"], abs=1e-10)
        assert ours.vol == pytest.approx(twin["vol"], abs=1e-10)
        assert ours.timedecay == pytest.approx(twin["time"], abs=1e-10)


def test_implied_vol_is_the_root(cases):
    for (right, strike, _, _), state, _ in cases:
        price = value(right, strike, 0.0, 0.0, **state)
        root = optimize.brentq(
            lambda vol, r=right, k=strike, s=state, p=price: value(r, k, 0.0, 0.0, **(s | {"vol": vol})) - p,
            1e-3,
            3.0,
            xtol=1e-14,
        )
        ours = implied_vol(price, state["spot"] + state["spread"], strike, state["time"], right)
        assert ours == pytest.approx(root, rel=1e-10)


def _model_50_digits(right, strike, s, b, v, t, r, q):
    spot, basis, vol, time = (mp.mpf(float(x)) for x in (s, b, v, t))
    total_std = vol * mp.sqrt(time)
    forward = (spot + basis) * mp.exp((r - q) * time)
    d1 = mp.log(forward / strike) / total_std + total_std / 2
    return right * mp.exp(-r * time) * (forward * mp.ncdf(right * d1) - strike * mp.ncdf(right * (d1 - total_std)))


@pytest.mark.parametrize(("vol", "time"), [(0.2, 0.1), (3.0, 2.0), (1.5, 9.0), (0.01, 1e-4)])
@pytest.mark.parametrize("strike", [60.0, 99.95, 100.05, 140.0])
@pytest.mark.parametrize("right", [1, -1])
def test_prices_in_many_digits_beyond_the_polynomials_domain_too(right, strike, vol, time):
    with mp.workdps(50):
        for rate, dividend_yield in ((0.0, 0.0), (0.07, 0.03)):
            r, q = mp.mpf(rate), mp.mpf(dividend_yield)
            exact = _model_50_digits(right, mp.mpf(strike), 99.5, 0.5, vol, time, r, q)
            ours = black_greeks(
                99.5, strike, time, vol, right, basis=0.5, rate=rate, dividend_yield=dividend_yield
            ).price
            # A deviation of u amplifies the rounding of ln(F/K) by u²; with rates, discounted forward and
            # strike are rounded too, and the intrinsic value is their difference.
            u = abs(math.log(100.0 / strike)) / (vol * math.sqrt(time))
            allowed = (2e-14 + 1e-15 * u * u) * exact + (3e-16 * strike if rate else 1e-290)
            assert abs(ours - exact) <= allowed


def test_greeks_are_the_slopes_in_many_digits():
    s, b, k, v, t, r, q = 103.0, -0.5, 97.0, 0.9, 8.0, 0.06, 0.02
    with mp.workdps(50):
        for right in (1, -1):
            ours = black_greeks(s, k, t, v, right, basis=b, rate=r, dividend_yield=q)

            def at(spot, vol, time, rate, right=right):
                forward = (spot + b) * mp.exp((rate - q) * time)
                std = vol * mp.sqrt(time)
                d1 = mp.log(forward / k) / std + std / 2
                both = forward * mp.ncdf(right * d1) - k * mp.ncdf(right * (d1 - std))
                return right * mp.exp(-rate * time) * both

            here = tuple(mp.mpf(x) for x in (s, v, t, r))
            slopes = {
                "delta": mp.diff(at, here, (1, 0, 0, 0)),
                "gamma": mp.diff(at, here, (2, 0, 0, 0)),
                "vega": mp.diff(at, here, (0, 1, 0, 0)),
                "theta": -mp.diff(at, here, (0, 0, 1, 0)),
                "rho": mp.diff(at, here, (0, 0, 0, 1)),
                "vanna": mp.diff(at, here, (1, 1, 0, 0)),
                "volga": mp.diff(at, here, (0, 2, 0, 0)),
                "charm": -mp.diff(at, here, (1, 0, 1, 0)),
                "veta": -mp.diff(at, here, (0, 1, 1, 0)),
            }
            for name, slope in slopes.items():
                assert getattr(ours, name) == pytest.approx(float(slope), rel=2e-13), name


def test_normal_distribution_in_both_tails():
    x = np.concatenate([np.linspace(-37.0, 8.0, 181), [0.0, -1e-9, 1e-9]])
    with mp.workdps(40):
        for point in x:
            exact = mp.ncdf(mp.mpf(float(point)))
            assert abs(normal_cdf(point) / exact - 1) < 1e-15 + 3e-16 * point * point
            density = mp.npdf(mp.mpf(float(point)))
            assert abs(normal_density(point) / density - 1) < 1e-15 + 3e-16 * point * point


def test_mills_ratio_and_its_differences_do_not_cancel():
    with mp.workdps(60):

        def exact(v):
            v = mp.mpf(v)
            return mp.ncdf(-v) / mp.npdf(v) if v < 1e4 else 1 / v - 1 / v**3 + 3 / v**5

        for v1 in (-1.25, -0.5, 0.0, 0.3, 2.0, 9.0, 30.0):
            for distance in (1e-12, 1e-6, 1e-2, 1.0, 5.0, 80.0, 1e9):
                mills, gap = mills_pair(v1, v1 + distance, distance)
                assert abs(mills / exact(v1) - 1) < 3e-15
                true_gap = exact(v1) - exact(mp.mpf(v1) + mp.mpf(distance))
                assert abs(gap / true_gap - 1) < 4e-15


def test_exponential_and_logarithm():
    y = np.concatenate([np.linspace(-707.9, 708.9, 997), [0.0, -1e-300, 1e-17]])
    ours = np.array([exponential(x) for x in y])
    np.testing.assert_allclose(ours, np.exp(y), rtol=4e-16)
    assert exponential(0.0) == 1.0
    assert exponential(-709.0) == 0.0
    assert exponential(710.0) == np.inf
    assert np.isnan(exponential(np.nan))
    ratio = np.concatenate([10.0 ** np.linspace(-300, 300, 601), 1.0 + 10.0 ** -np.arange(1.0, 16.0)])
    logs = np.array([log_ratio(3.0 * x, 3.0) for x in ratio])
    with mp.workdps(40):
        for x, log in zip(ratio, logs, strict=True):
            exact = mp.log(mp.mpf(float(3.0 * x)) / 3)
            assert abs(log - exact) <= 4e-16 * abs(exact)


def test_exponential_less_one():
    y = np.concatenate([np.linspace(-40.0, 40.0, 2_001), np.geomspace(1e-18, 1.0, 500), -np.geomspace(1e-18, 1.0, 500)])
    ours = np.array([exponential_less_one(x) for x in y])
    np.testing.assert_allclose(ours, np.expm1(y), rtol=5e-16, atol=0.0)
    assert exponential_less_one(0.0) == 0.0
    assert exponential_less_one(-1e300) == exponential_less_one(-np.inf) == -1.0
    assert exponential_less_one(1e300) == exponential_less_one(np.inf) == np.inf
    assert np.isnan(exponential_less_one(np.nan))


def test_prices_of_a_whole_chain():
    strikes = np.linspace(60.0, 160.0, 500)
    twin = [value(-1, k, 0.0, 0.0, 100.0, 0.0, 0.25, 0.3) for k in strikes]
    np.testing.assert_allclose(black_price(100.0, strikes, 0.3, 0.25, -1), twin, rtol=1e-9, atol=1e-13)
