"""Effects against the exact split of the doubles that came in: nothing is allowed for the rounding of decimal prices.

The tables state the split of decimal prices, which a double cannot hold. Where a leg is deep in the money, its
time value is the last few digits of its price, and the vol, hence every effect, hangs on how these were rounded
(docs/kernels.md §7). Here the price *is* the double, and 50 digits imply the vols from it.
"""

import itertools
import os
import secrets

import mpmath as mp
import numpy as np
import pytest

from attribution.kernels import LegStatus, attribute_legs, black_greeks

DIGITS = 50
COUNT = 60
SEED = int(os.environ.get("KERNEL_TEST_SEED") or secrets.randbits(32))
METHODS = ("shapley", "waterfall", "one_at_a_time")
SPOT, SPREAD, VOL, TIME = range(4)
NAMES = ("right", "strike", "spot0", "price0", "time0", "spot1", "price1", "time1", "basis0", "basis1")


class Leg:
    """One option of the textbook, in as many digits as are asked for."""

    def __init__(self, right, strike, rate, dividend_yield):
        self.right, self.strike, self.rate, self.dividend_yield = right, strike, rate, dividend_yield

    def discounted(self, state):
        """Forward X and strike Y, discounted."""
        spot, basis, _, time = state
        return (spot + basis) * mp.exp(-self.dividend_yield * time), self.strike * mp.exp(-self.rate * time)

    def time_value(self, state):
        """Price of the out-of-the-money option."""
        x, y = self.discounted(state)
        s = state[VOL] * mp.sqrt(state[TIME])
        if s == 0:
            return mp.mpf(0)
        right = 1 if y >= x else -1
        d1 = mp.log(x / y) / s + s / 2
        return right * (x * mp.ncdf(right * d1) - y * mp.ncdf(right * (d1 - s)))

    def intrinsic(self, state):
        x, y = self.discounted(state)
        return max(self.right * (x - y), mp.mpf(0))

    def value(self, state):
        return self.time_value(state) + self.intrinsic(state)

    def implied_vol(self, price, state, start):
        """Newton's method on the logarithm of the time value; None where the price has none."""
        target, time = price - self.intrinsic(state), state[TIME]
        if time == 0 or target <= 0:
            return None
        vol = start
        for _ in range(60):
            trial = (*state[:VOL], vol, time)
            x, y = self.discounted(trial)
            s, model = vol * mp.sqrt(time), self.time_value(trial)
            vega = x * mp.npdf(mp.log(x / y) / s + s / 2) * mp.sqrt(time)
            step = mp.log(model / target) * model / vega
            vol -= step
            if abs(step) < mp.mpf(10) ** -30 * vol:
                return vol
        raise AssertionError("the reference did not converge")


def exact_split(leg, prices, states, starts):
    """Every method's effects, from the vols that the prices imply."""
    vols = [leg.implied_vol(price, state, vol) for price, state, vol in zip(prices, states, starts, strict=True)]
    vol0, vol1 = vols[0] or vols[1] or mp.mpf(0), vols[1] or vols[0] or mp.mpf(0)
    first, last = ((*state[:VOL], vol, state[TIME]) for state, vol in zip(states, (vol0, vol1), strict=True))
    corner = [leg.value([last[f] if (number >> f) & 1 else first[f] for f in range(4)]) for number in range(16)]

    def mean_over(orders):
        effects = [mp.mpf(0)] * 4
        for order in orders:
            number = 0
            for factor in order:
                effects[factor] += (corner[number | (1 << factor)] - corner[number]) / len(orders)
                number |= 1 << factor
        return effects

    split = {
        "shapley": mean_over(list(itertools.permutations(range(4)))),
        "waterfall": mean_over([(TIME, SPOT, SPREAD, VOL)]),
        "one_at_a_time": [corner[1 << factor] - corner[0] for factor in range(4)],
    }
    for effects in split.values():  # the mark gap: 0 but where a price determines no vol
        effects[SPREAD] += (prices[1] - corner[15]) - (prices[0] - corner[0])
    return split


def split_by_kernel(t):
    """Of each method, a table of effects."""
    found = {}
    for method in METHODS:
        carry = {name: t[name] for name in ("basis0", "basis1", "rate", "dividend_yield")}
        e = attribute_legs(*(t[name] for name in NAMES[:8]), **carry, method=method)
        assert np.all(e.status == LegStatus.OK)
        found[method] = np.stack([e.spot, e.spread, e.vol, e.timedecay])
    return found


def exact_splits(t, i, nudges):
    """Split one leg exactly, its two prices moved by each pair of ``nudges``."""
    row = {name: mp.mpf(float(t[name][i])) for name in (*NAMES, "rate", "dividend_yield", "vol0", "vol1")}
    states = [(row[f"spot{end}"], row[f"basis{end}"], None, row[f"time{end}"]) for end in "01"]
    if row["time1"] == 0:  # an option's basis ends with it
        states[1] = (row["spot1"], mp.mpf(0), None, row["time1"])
    leg = Leg(int(row["right"]), row["strike"], row["rate"], row["dividend_yield"])
    starts = (row["vol0"], row["vol1"])
    return [exact_split(leg, (row["price0"] + up0, row["price1"] + up1), states, starts) for up0, up1 in nudges]


def distance(one, other):
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def largest_errors(t, allowing=0.0):
    """Of each method, every leg's largest error of an effect, as a share of the spot.

    Less ``allowing`` × what half a last digit of either price makes of the exact effects.
    """
    found = split_by_kernel(t)
    errors = {method: np.empty(len(t["strike"])) for method in METHODS}
    with mp.workdps(DIGITS):
        for i in range(len(t["strike"])):
            half0, half1 = (mp.mpf(float(np.spacing(t[name][i]))) / 2 for name in ("price0", "price1"))
            nudges = [(half0, 0), (-half0, 0), (0, half1), (0, -half1)] if allowing else []
            split, *nudged = exact_splits(t, i, [(0, 0), *nudges])
            for method in METHODS:
                ours = [mp.mpf(float(effect)) for effect in found[method][:, i]]
                rounding = max((distance(other[method], split[method]) for other in nudged), default=0)
                errors[method][i] = (distance(ours, split[method]) - allowing * rounding) / mp.mpf(float(t["spot0"][i]))
    return errors


def test_the_table_of_attributions(table):
    for method, error in largest_errors(table("attribution.csv")).items():
        assert np.all(error <= 1e-15), (method, np.flatnonzero(error > 1e-15))


@pytest.mark.parametrize(("deepest", "highest_rate"), [(0.5, 0.0), (4.0, 0.0), (0.5, 0.1), (4.0, 0.1)])
def test_legs_nobody_has_seen_before(deepest, highest_rate):
    """Up to ``deepest`` deviations in the money, where time values fall below 1e-6 of the price.

    With rates the product rate · time is rounded too: by less than the price, but not by nothing.
    """
    print(f"KERNEL_TEST_SEED={SEED}")  # noqa: T201  (shown where the test fails)
    rng = np.random.default_rng(SEED)
    t = {"right": rng.choice([-1.0, 1.0], COUNT), "spot0": rng.uniform(50.0, 150.0, COUNT)}
    t["vol0"], t["vol1"] = np.exp(rng.uniform(np.log(0.1), np.log(0.6), (2, COUNT)))
    t["time0"] = np.exp(rng.uniform(np.log(0.01), np.log(0.25), COUNT))
    t["time1"] = t["time0"] * rng.uniform(0.5, 1.0, COUNT)
    t["basis0"], t["basis1"] = rng.uniform(-0.5, 0.5, (2, COUNT))
    depth = rng.uniform(0.0, deepest, COUNT) * t["vol1"] * np.sqrt(t["time1"])
    t["strike"] = t["spot0"] * np.exp(-t["right"] * depth)
    t["spot1"] = t["spot0"] * np.exp(rng.normal(0.0, 0.01, COUNT))
    t["rate"], t["dividend_yield"] = rng.uniform(0.0, highest_rate, (2, COUNT))
    for end in "01":
        state = (t[f"spot{end}"], t["strike"], t[f"time{end}"], t[f"vol{end}"], t["right"])
        carry = {"basis": t[f"basis{end}"], "rate": t["rate"], "dividend_yield": t["dividend_yield"]}
        t[f"price{end}"] = black_greeks(*state, **carry).price
    for method, error in largest_errors(t, allowing=4.0 if highest_rate > 0.0 else 0.0).items():
        assert np.all(error <= 1e-15), (method, np.flatnonzero(error > 1e-15))


def test_a_price_next_to_its_lower_bound_has_a_vol_where_exact_arithmetic_says_so():
    """Deep in the money, at prices within a few last digits of the bound: all that is left open is carry's rounding."""
    print(f"KERNEL_TEST_SEED={SEED}")  # noqa: T201
    rng = np.random.default_rng(SEED)
    count = 400
    right, spot, basis = rng.choice([-1, 1], count), rng.uniform(50.0, 150.0, count), rng.uniform(-0.5, 0.5, count)
    strike = spot * np.exp(-right * rng.uniform(0.02, 0.3, count))
    rate, dividend_yield = rng.uniform(0.0, 0.1, (2, count)) * rng.integers(0, 2, (2, count))
    time = np.exp(rng.uniform(np.log(0.01), np.log(0.25), count))
    with mp.workdps(DIGITS):
        bound, open_ = np.empty(count, object), np.empty(count)
        for i in range(count):
            leg = Leg(*(mp.mpf(float(a[i])) for a in (right, strike, rate, dividend_yield)))
            state = [mp.mpf(float(a[i])) for a in (spot, basis, time, time)]
            bound[i] = leg.intrinsic(state)
            carried = (spot[i] + basis[i]) * dividend_yield[i] + strike[i] * rate[i]
            open_[i] = 4 * 2.0**-53 * carried * time[i]
        assert np.count_nonzero(open_ == 0.0) > 50
        for steps in (-2, -1, 0, 1, 2):
            price = np.array([float(b) for b in bound]) + steps * np.spacing(bound.astype(float))
            above = np.array([float(mp.mpf(float(p)) - b) for p, b in zip(price, bound, strict=True)])
            e = attribute_legs(
                *(right, strike, spot, price, time, spot, price, time),
                **{"basis0": basis, "basis1": basis, "rate": rate, "dividend_yield": dividend_yield},
            )
            decided = np.abs(above) > open_
            assert np.count_nonzero(decided) > 0.5 * count
            np.testing.assert_array_equal(np.isfinite(e.vol0)[decided], above[decided] > 0.0)
