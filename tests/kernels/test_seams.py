"""Where one piece of code hands over to another: nothing jumps there, and nothing depends on the place."""

import numpy as np
import pytest

from attribution.kernels import attribute_legs, black_greeks, black_price, implied_vol
from attribution.kernels.lanes import LANES

METHODS = ("waterfall", "shapley", "path", "one_at_a_time", "taylor")
SIZES = (1, 2, 31, 32, 33, 256, LANES - 1, LANES, LANES + 1, 2 * LANES + 5)


def steps_around(value, count=200, width=1e-9):
    return value * (1.0 + np.linspace(-width, width, count))


@pytest.mark.parametrize("moneyness", [0.0, 0.3, 1.5])
@pytest.mark.parametrize("right", [1, -1])
def test_prices_rise_smoothly_where_the_complement_takes_over(moneyness, right):
    """u − t = −1.25: at the money that is s = 2.5."""
    edge = 1.25 + np.sqrt(1.25**2 + 2.0 * moneyness)
    strike = 100.0 * np.exp(moneyness)
    price = black_price(100.0, strike, 1.0, steps_around(edge), right)
    slope = (price[-1] - price[0]) / (len(price) - 1)
    # Neighbours differ by a thousand times what rounding may do to them.
    assert slope > 1e-10
    assert np.all(np.abs(np.diff(price) - slope) <= 2e-15 * (100.0 + strike))


@pytest.mark.parametrize("moneyness", [0.0, 1e-6, 0.3, 1.5])
def test_vols_rise_smoothly_across_the_edge_of_the_seed(moneyness):
    edge = 1.25 + np.sqrt(1.25**2 + 2.0 * moneyness)
    strike = 100.0 * np.exp(moneyness)
    price = np.linspace(*black_price(100.0, strike, 1.0, [edge * (1 - 1e-9), edge * (1 + 1e-9)], 1), 200)
    vol = implied_vol(price, 100.0, strike, 1.0, 1)
    slope = (vol[-1] - vol[0]) / (len(vol) - 1)
    assert np.all(np.abs(np.diff(vol) - slope) <= 2e-14)


def test_vols_of_vanishing_prices_rise_across_the_edge_of_the_seed():
    """L = ln(1 + |F − K|/c) = 45, where the careful loop takes over."""
    price = 50.0 / np.expm1(np.linspace(44.0, 46.0, 2001))
    vol = implied_vol(price, 50.0, 100.0, 1.0, 1)
    assert np.all(np.diff(vol) < 0.0)
    assert np.all(np.abs(np.diff(vol, 3)) < 1e-13)


def test_vols_around_the_money():
    strike = 100.0 + np.concatenate([-(10.0 ** np.linspace(-13, 0, 200)), [0.0], 10.0 ** np.linspace(-13, 0, 200)])
    for vol in (0.001, 0.2, 1.4):
        price = black_price(100.0, strike, 0.1, vol, 1)
        value = price - np.maximum(100.0 - strike, 0.0)
        known = value > 1e-4
        again = implied_vol(price, 100.0, strike, 0.1, 1)
        np.testing.assert_allclose(again[known], vol, rtol=1e-11)


def test_prices_fall_to_nothing_far_from_the_money():
    """u = 37.6, beyond which nothing is left."""
    strike = 100.0 * np.exp(0.1 * np.linspace(30.0, 45.0, 3000))
    price = black_price(100.0, strike, 0.25, 0.2, 1)
    assert np.all(np.diff(price) <= 0.0)
    assert price[0] > 0.0
    assert price[-1] == 0.0
    assert np.max(price[price < 1e-300]) >= 0.0


@pytest.fixture(scope="module")
def crowd():
    """Legs of every sort, clean and absurd, in an order without order."""
    rng = np.random.default_rng(11)
    n = 2 * LANES + 5
    legs = {
        "right": rng.choice([1.0, -1.0], n),
        "strike": rng.uniform(80.0, 120.0, n),
        "spot0": rng.uniform(90.0, 110.0, n),
        "time_to_expiry0": rng.uniform(0.01, 2.0, n),
        "basis0": np.where(rng.uniform(size=n) < 0.5, 0.0, rng.normal(0.0, 0.3, n)),
        "rate": np.where(rng.uniform(size=n) < 0.5, 0.0, 0.05),
        "dividend_yield": np.where(rng.uniform(size=n) < 0.7, 0.0, 0.02),
        "price_tick": np.where(rng.uniform(size=n) < 0.8, 0.0, 0.05),
    }
    legs["spot1"] = legs["spot0"] * np.exp(rng.normal(0.0, 0.02, n))
    legs["basis1"] = np.where(rng.uniform(size=n) < 0.5, legs["basis0"], legs["basis0"] + 0.1)
    legs["time_to_expiry1"] = legs["time_to_expiry0"] - 0.004
    vols = rng.uniform(0.05, 0.9, (2, n))
    for end in range(2):
        legs[f"price{end}"] = black_greeks(
            legs[f"spot{end}"],
            legs["strike"],
            legs[f"time_to_expiry{end}"],
            vols[end],
            legs["right"],
            basis=legs[f"basis{end}"],
            rate=legs["rate"],
            dividend_yield=legs["dividend_yield"],
        ).price.copy()
    absurd = rng.permutation(n)[: n // 3]
    values = (np.nan, np.inf, -np.inf, 0.0, -1.0, 5e-324, 1e-310, 1e300, 1e-5)
    for i in absurd:
        legs[rng.choice(list(legs))][i] = rng.choice(values)
    legs["right"][rng.permutation(n)[:40]] = 0.0
    return legs


def part(legs, chosen):
    return {name: column[chosen] for name, column in legs.items()}


def same_bits(one, other):
    return np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("method", METHODS)
def test_a_legs_bits_do_not_hang_on_its_neighbours_or_its_place(crowd, method):
    whole = attribute_legs(**crowd, method=method, steps=2, detail=True)
    n = crowd["right"].size
    rng = np.random.default_rng(3)
    for size in SIZES:
        chosen = rng.permutation(n)[:size]
        some = attribute_legs(**part(crowd, chosen), method=method, steps=2, detail=True)
        for name, one, other in zip(whole._fields[:-1], whole, some, strict=False):
            assert same_bits(one[chosen], other), (size, name)
        for name, one, other in zip(whole.detail._fields, whole.detail, some.detail, strict=True):
            assert same_bits(one[chosen], other), (size, name)


def test_without_detail_the_effects_are_the_same_bits(crowd):
    for method in METHODS:
        with_detail = attribute_legs(**crowd, method=method, steps=2, detail=True)
        without = attribute_legs(**crowd, method=method, steps=2)
        for one, other in zip(with_detail[:-1], without[:-1], strict=True):
            assert same_bits(one, other)


def test_prices_vols_and_greeks_do_not_hang_on_their_place(crowd):
    c = crowd
    price = black_price(c["spot0"], c["strike"], c["time_to_expiry0"], 0.3, c["right"])
    vol = implied_vol(c["price0"], c["spot0"], c["strike"], c["time_to_expiry0"], c["right"])
    state = (c["spot0"], c["strike"], c["time_to_expiry0"], 0.3, c["right"])
    greeks = black_greeks(*state, basis=c["basis0"], rate=c["rate"], dividend_yield=c["dividend_yield"])
    rng = np.random.default_rng(4)
    for size in SIZES:
        at = rng.permutation(price.size)[:size]
        s, k, t, phi = (c[name][at] for name in ("spot0", "strike", "time_to_expiry0", "right"))
        assert same_bits(black_price(s, k, t, 0.3, phi), price[at])
        assert same_bits(implied_vol(c["price0"][at], s, k, t, phi), vol[at])
        some = black_greeks(
            s, k, t, 0.3, phi, basis=c["basis0"][at], rate=c["rate"][at], dividend_yield=c["dividend_yield"][at]
        )
        for one, other in zip(greeks, some, strict=True):
            assert same_bits(one[at], other)


def test_absurd_prices_lane_by_lane_amid_clean_ones():
    n = LANES + 40
    clean = {"forward": 100.0, "strike": 105.0, "time_to_expiry": 0.5, "volatility": 0.3, "right": 1.0}
    expected = black_price(**clean)
    for name in clean:
        for value in (np.nan, np.inf, -np.inf, 0.0, -1.5):
            columns = {key: np.full(n, number) for key, number in clean.items()}
            columns[name][3::17] = value
            price = black_price(**columns)
            zero = name in ("time_to_expiry", "volatility") and value == 0.0
            assert np.all(price[3::17] == 0.0 if zero else np.isnan(price[3::17])), (name, value)
            untouched = np.delete(price, np.s_[3::17])
            assert np.all(untouched == expected)


def test_effects_of_a_basis_that_moves_nearly_not_at_all():
    """Eight corners and sixteen tell the same story as the move of the basis tends to nothing."""
    leg = {"right": 1, "strike": 100.0, "spot0": 101.0, "price0": 4.0, "time_to_expiry0": 0.1, "spot1": 102.5}
    leg |= {"price1": 4.75, "time_to_expiry1": 0.09, "basis0": 0.3}
    still = attribute_legs(**leg, basis1=0.3, method="shapley")
    moved = attribute_legs(**leg, basis1=0.3 + 1e-13, method="shapley")
    assert still.spread == 0.0
    for one, other in zip(still[:5], moved[:5], strict=True):
        assert abs(one - other) < 1e-12
