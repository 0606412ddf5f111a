"""Prices, vols and greeks against many digits, on numbers nobody has seen before."""

import os
import secrets

import mpmath as mp
import numpy as np
import pytest

from attribution.kernels import attribute_legs, black_greeks, black_price, implied_vol

COUNT = 150
SEED = int(os.environ.get("KERNEL_TEST_SEED") or secrets.randbits(32))
DIGITS = 50


@pytest.fixture
def rng():
    print(f"KERNEL_TEST_SEED={SEED}")  # noqa: T201  (shown where a test fails)
    return np.random.default_rng(SEED)


def market(rng, count=COUNT):
    """Options as markets have them: strikes within 30 %, an hour to two years, vols of 5 to 150 %."""
    forward = rng.uniform(50.0, 150.0, count)
    strike = forward / rng.uniform(0.7, 1.3, count)
    time = np.exp(rng.uniform(np.log(1.0 / 8760.0), np.log(2.0), count))
    vol = rng.uniform(0.05, 1.5, count)
    right = rng.choice([-1.0, 1.0], count)
    return forward, strike, time, vol, right


def hard(rng, count=COUNT):
    """Far wings, minutes to expiry, and prices next to intrinsic."""
    forward = 100.0 * np.exp(rng.uniform(-0.7, 0.7, count))
    near = rng.uniform(size=count) < 0.4
    step = np.where(near, 10.0 ** rng.uniform(-8.0, -2.0, count), rng.uniform(0.1, 2.5, count))
    strike = forward * np.exp(rng.choice([-1.0, 1.0], count) * step)
    time = np.exp(rng.uniform(np.log(1.0 / 525600.0), np.log(5.0), count))
    vol = np.exp(rng.uniform(np.log(0.01), np.log(3.0), count))
    return forward, strike, time, vol, rng.choice([-1.0, 1.0], count)


def exact_time_value(forward, strike, total_std):
    """Undiscounted price of the out-of-the-money option."""
    right = 1 if strike >= forward else -1
    d1 = mp.log(forward / strike) / total_std + total_std / 2
    return right * (forward * mp.ncdf(right * d1) - strike * mp.ncdf(right * (d1 - total_std)))


def exact_std(value, forward, strike, start):
    """Total deviation of a time value, by Newton steps on its logarithm."""
    s = start
    for _ in range(60):
        model = exact_time_value(forward, strike, s)
        d1 = mp.log(forward / strike) / s + s / 2
        step = mp.log(model / value) * model / (forward * mp.npdf(d1))
        s -= step
        if abs(step) < mp.mpf(10) ** -30 * s:
            return s
    raise AssertionError("the reference did not converge")


def test_prices(rng):
    forward, strike, time, vol, right = market(rng)
    ours = black_price(forward, strike, time, vol, right)
    with mp.workdps(DIGITS):
        for i in range(COUNT):
            f, k = mp.mpf(forward[i]), mp.mpf(strike[i])
            s = mp.mpf(vol[i]) * mp.sqrt(mp.mpf(time[i]))
            exact = exact_time_value(f, k, s) + max(right[i] * (f - k), 0)
            if exact > 1e-6 * f:
                assert abs(ours[i] / exact - 1) <= 1e-14, i


@pytest.mark.parametrize("draw", [market, hard])
def test_vols(rng, draw):
    forward, strike, time, vol, right = draw(rng)
    price = black_price(forward, strike, time, vol, right)
    ours = implied_vol(price, forward, strike, time, right)
    checked = 0
    with mp.workdps(DIGITS):
        for i in range(COUNT):
            f, k = mp.mpf(forward[i]), mp.mpf(strike[i])
            # The vol of the rounded price, not the one the price was made from.
            value = mp.mpf(price[i]) - max(right[i] * (f - k), 0)
            upper = f if right[i] > 0 else k
            if value <= 1e-12 * f or upper - mp.mpf(price[i]) < 0.05 * upper:
                continue
            root = mp.sqrt(mp.mpf(time[i]))
            exact = exact_std(value, f, k, mp.mpf(vol[i]) * root) / root
            assert abs(ours[i] / exact - 1) <= 5e-15, i
            checked += 1
    assert checked > COUNT // 5


def test_greeks(rng):
    forward, strike, time, vol, right = market(rng, 60)
    time = np.maximum(time, 0.01)
    rate, dividend_yield = rng.uniform(0.0, 0.1, 60), rng.uniform(0.0, 0.05, 60)
    ours = black_greeks(forward, strike, time, vol, right, rate=rate, dividend_yield=dividend_yield)
    with mp.workdps(DIGITS):
        for i in range(60):
            s, k, t, v, r, q = (mp.mpf(float(x[i])) for x in (forward, strike, time, vol, rate, dividend_yield))
            root = mp.sqrt(t)
            d1 = (mp.log(s / k) + (r - q) * t) / (v * root) + v * root / 2
            d2 = d1 - v * root
            if abs(d1) > 25:  # not a number of any size is left
                continue
            density = s * mp.exp(-q * t) * mp.npdf(d1)
            exact = {
                "gamma": density / (s * s * v * root),
                "vega": density * root,
                "vanna": -density * d2 / (s * v),
                "volga": density * root * d1 * d2 / v,
                "delta": right[i] * mp.exp(-q * t) * mp.ncdf(right[i] * d1),
                "rho": right[i] * t * k * mp.exp(-r * t) * mp.ncdf(right[i] * d2),
            }
            # A deviation of d amplifies the rounding of ln(F/K) by d²; vanna and volga vanish with d₁ or d₂.
            for name, number in exact.items():
                size = max(abs(number), abs(exact["vega"] / (s if name == "vanna" else 1)) * 0.1)
                scale = size if name in ("vanna", "volga") else abs(number)
                assert abs(getattr(ours, name)[i] - number) <= (2e-14 + 2e-15 * d1 * d1) * scale, (i, name)


@pytest.mark.parametrize("method", ["waterfall", "shapley"])
@pytest.mark.parametrize("right", [1, -1])
def test_the_effect_of_a_tiny_vol_move(method, right):
    """Two vols 1e-9 apart: the effect is vega times the move, to 1e-6 of itself."""
    strike = np.linspace(80.0, 120.0, 41)
    vol0, vol1 = 0.25, 0.25 * (1.0 + 4e-9)
    price0 = black_price(100.0, strike, 0.25, vol0, right)
    price1 = black_price(100.0, strike, 0.25, vol1, right)
    effects = attribute_legs(right, strike, 100.0, price0, 0.25, 100.0, price1, 0.25, method=method)
    # All that moved is the vol: its effect is the difference of the prices, digit by digit.
    np.testing.assert_allclose(effects.vol, price1 - price0, rtol=1e-6, atol=3e-14)
    assert np.all(effects.spot == 0.0)
    assert np.all(effects.timedecay == 0.0)


@pytest.mark.parametrize("rate", [0.0, 0.05])
@pytest.mark.parametrize("method", ["waterfall", "shapley", "path"])
def test_effects_add_up_beside_a_moving_basis(rng, method, rate):
    """To the rounding of prices and effects, far out of the money too, where S + b is a large number beside them."""
    count = 20_000
    spot, time, vol = rng.uniform(90.0, 110.0, count), rng.uniform(0.05, 1.0, count), rng.uniform(0.1, 0.6, count)
    strike = spot * np.exp(rng.uniform(-4.0, 4.0, count) * vol * np.sqrt(time))
    right, basis0, basis1 = rng.choice([-1.0, 1.0], count), *rng.uniform(-1.0, 1.0, (2, count))
    spot1, time1 = spot * np.exp(rng.normal(0.0, 0.02, count)), time - 0.01
    price0 = black_greeks(spot, strike, time, vol, right, basis=basis0, rate=rate).price
    price1 = black_greeks(spot1, strike, time1, 1.05 * vol, right, basis=basis1, rate=rate).price
    legs = (right, strike, spot, price0, time, spot1, price1, time1)
    effects = attribute_legs(*legs, basis0=basis0, basis1=basis1, rate=rate, method=method)
    parts = (effects.spot, effects.vol, effects.timedecay, effects.spread)
    gross = price0 + price1 + sum(map(np.abs, parts))
    told = (effects.status == 0) & (gross > 1e-6)
    assert told.sum() > count // 2
    assert np.all(np.abs(effects.residual[told]) <= 1e-15 * gross[told])
    assert np.all(np.abs((price1 - price0 - sum(parts))[told]) <= 4e-15 * gross[told])
