"""The 50-digit truth against formulas written another way."""

import mpmath
import pytest

from benchmarks import truth

OPTIONS = [
    (100.0, 110.0, 0.5, 0.2, 1.0),
    (100.0, 90.0, 2.0, 1.4, 1.0),
    (64.7, 64.7, 0.003, 0.8, -1.0),
    (100.0, 140.0, 0.2, 0.6, -1.0),
    (1.0, 1.0000211875009386, 1.0, 0.0213, 1.0),
]
CLOSE = mpmath.mpf("1e-38")


@pytest.fixture(autouse=True)
def _fifty_digits():
    with mpmath.workdps(50):
        yield


def textbook(forward, strike, time, vol, right):
    f, k, t, v = map(mpmath.mpf, (forward, strike, time, vol))
    d1 = mpmath.log(f / k) / (v * mpmath.sqrt(t)) + v * mpmath.sqrt(t) / 2
    d2 = d1 - v * mpmath.sqrt(t)
    return right * (f * mpmath.ncdf(right * d1) - k * mpmath.ncdf(right * d2))


def is_close(ours, theirs):
    return abs(mpmath.mpf(str(ours)) / theirs - 1) < CLOSE


@pytest.mark.parametrize("option", OPTIONS)
def test_price_is_the_textbook_formula(option):
    assert is_close(truth.price(*option), textbook(*option))


@pytest.mark.parametrize("option", OPTIONS)
def test_greeks_are_derivatives_of_the_textbook_formula(option):
    forward, strike, time, vol, right = option
    greeks = truth.greeks(*option)

    def numerically(function, at, order=1):
        return mpmath.diff(function, mpmath.mpf(at), order)

    expected = {
        "delta": numerically(lambda f: textbook(f, strike, time, vol, right), forward),
        "gamma": numerically(lambda f: textbook(f, strike, time, vol, right), forward, 2),
        "vega": numerically(lambda v: textbook(forward, strike, time, v, right), vol),
        "theta": -numerically(lambda t: textbook(forward, strike, t, vol, right), time),
        "rho": numerically(
            lambda r: mpmath.exp(-r * time) * textbook(forward * mpmath.exp(r * time), strike, time, vol, right), 0.0
        ),
    }
    for name, value in expected.items():
        assert abs(mpmath.mpf(str(getattr(greeks, name))) / value - 1) < mpmath.mpf("1e-12"), name


@pytest.mark.parametrize("option", OPTIONS)
def test_implied_vol_reprices_the_double_it_was_given(option):
    forward, strike, time, vol, right = option
    value = float(truth.price(*option))
    implied = truth.implied_vol(value, forward, strike, time, right, vol * 1.3)
    assert is_close(truth.price(forward, strike, time, implied, right), mpmath.mpf(value))


def test_a_price_at_intrinsic_or_beyond_the_bound_has_no_vol():
    assert truth.exact.isnan(truth.implied_vol(10.0, 100.0, 90.0, 1.0, 1.0, 0.2))
    assert truth.exact.isnan(truth.implied_vol(100.0, 100.0, 90.0, 1.0, 1.0, 0.2))


def test_the_split_adds_up():
    vols = (0.2, 0.25)
    split = truth.shapley(1.0, 100.0, (98.0, 101.0), vols, (0.5, 0.4))
    change = textbook(101.0, 100.0, 0.4, 0.25, 1.0) - textbook(98.0, 100.0, 0.5, 0.2, 1.0)
    assert is_close(sum(split), change)
    assert split.spot > 0 > split.time
