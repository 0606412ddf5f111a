"""What must hold for any numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.kernels import LegStatus, attribute_legs, black_greeks, black_price, implied_vol

METHODS = ("waterfall", "shapley", "path", "one_at_a_time", "taylor")
ADDITIVE = ("waterfall", "shapley", "path")
NAMES = ("spot", "vol", "timedecay", "spread")


def between(low, high):
    return st.floats(low, high, allow_nan=False, allow_subnormal=False)


SPOT, STRIKE = between(50.0, 150.0), between(50.0, 150.0)
TIME, VOL = between(0.01, 2.0), between(0.05, 1.5)
BASIS, RATE = between(-2.0, 2.0), between(-0.05, 0.15)
RIGHT = st.sampled_from([1, -1])


@st.composite
def windows(draw):
    """A leg over a window, priced by the model at two random states."""
    leg = {
        "right": draw(RIGHT),
        "strike": draw(STRIKE),
        "rate": draw(RATE),
        "dividend_yield": draw(RATE),
    }
    for end in "01":
        leg[f"spot{end}"] = draw(SPOT)
        leg[f"basis{end}"] = draw(BASIS)
        leg[f"time_to_expiry{end}"] = draw(TIME)
        leg[f"price{end}"] = float(
            black_greeks(
                leg[f"spot{end}"],
                leg["strike"],
                leg[f"time_to_expiry{end}"],
                draw(VOL),
                leg["right"],
                basis=leg[f"basis{end}"],
                rate=leg["rate"],
                dividend_yield=leg["dividend_yield"],
            ).price
        )
    return leg


def scale(leg):
    return max(leg["spot0"], leg["spot1"], leg["strike"])


def reversed_in_time(leg):
    swapped = dict(leg)
    for name in ("spot", "basis", "time_to_expiry", "price"):
        swapped[f"{name}0"], swapped[f"{name}1"] = leg[f"{name}1"], leg[f"{name}0"]
    return swapped


@given(SPOT, STRIKE, TIME, VOL, between(0.5, 1.0))
def test_put_call_parity(forward, strike, time, vol, discount):
    call = black_price(forward, strike, time, vol, 1, discount)
    put = black_price(forward, strike, time, vol, -1, discount)
    assert abs((call - put) - discount * (forward - strike)) <= 1e-15 * (forward + strike)


@given(SPOT, STRIKE, TIME, VOL, VOL, RIGHT)
def test_price_rises_with_vol_between_its_bounds(forward, strike, time, vol, other, right):
    low, high = sorted((vol, other))
    cheap, dear = black_price(forward, strike, time, low, right), black_price(forward, strike, time, high, right)
    assert max(right * (forward - strike), 0.0) <= cheap
    assert cheap <= dear * (1.0 + 1e-14)
    assert dear <= (forward if right == 1 else strike)


@given(SPOT, STRIKE, TIME, VOL, RIGHT)
def test_vol_gives_back_its_price(forward, strike, time, vol, right):
    price = black_price(forward, strike, time, vol, right)
    back = implied_vol(price, forward, strike, time, right)
    if np.isnan(back):
        assert price - max(right * (forward - strike), 0.0) < 1e-13 * forward
    else:
        again = black_price(forward, strike, time, back, right)
        assert abs(again - price) <= 1e-14 * max(forward, strike)


@given(SPOT, STRIKE, TIME, VOL, VOL, RIGHT)
def test_scaling_currency_scales_prices_and_leaves_vols(forward, strike, time, vol, factor, right):
    price = black_price(forward, strike, time, vol, right)
    scaled = black_price(forward * factor, strike * factor, time, vol, right)
    assert scaled == pytest.approx(price * factor, rel=1e-9, abs=1e-13 * forward)


@pytest.mark.parametrize("method", ADDITIVE)
@given(leg=windows())
@settings(max_examples=60)
def test_effects_add_up_to_the_pnl(method, leg):
    effects = attribute_legs(**leg, method=method, steps=5)
    assert effects.status == LegStatus.OK
    total = effects.spot + effects.vol + effects.timedecay + effects.spread
    assert abs(total - (leg["price1"] - leg["price0"])) <= 2e-14 * scale(leg)
    assert abs(effects.residual) <= 2e-14 * scale(leg)


@pytest.mark.parametrize("method", ["shapley", "path"])
@given(leg=windows())
@settings(max_examples=60)
def test_reversing_the_window_negates_every_effect(method, leg):
    forth = attribute_legs(**leg, method=method, steps=7)
    back = attribute_legs(**reversed_in_time(leg), method=method, steps=7)
    for name in NAMES:
        assert abs(getattr(forth, name) + getattr(back, name)) <= 1e-10 * scale(leg)


@pytest.mark.parametrize("method", METHODS)
@given(leg=windows(), still=st.sets(st.sampled_from(["spot", "basis", "time_to_expiry"])))
@settings(max_examples=60)
def test_a_factor_that_stands_still_has_exactly_no_effect(method, leg, still):
    leg |= {f"{name}1": leg[f"{name}0"] for name in still}
    effects = attribute_legs(**leg, method=method, steps=3)
    names = {"spot": "spot", "basis": "spread", "time_to_expiry": "timedecay"}
    detail = attribute_legs(**leg, detail=True).detail
    if effects.status == LegStatus.OK:
        for name in still - ({"basis"} if detail.mark_gap != 0.0 else set()):
            assert getattr(effects, names[name]) == 0.0
    if still == {"spot", "basis", "time_to_expiry"}:
        flat = attribute_legs(**(leg | {"price1": leg["price0"]}), method=method, steps=3)
        assert flat.status == LegStatus.NO_START_VOL or all(value == 0.0 for value in flat[:5])


@pytest.mark.parametrize("method", ADDITIVE)
@given(leg=windows(), vol0=VOL, vol1=VOL)
@settings(max_examples=60)
def test_call_less_put_of_one_vol_has_no_vol_effect(method, leg, vol0, vol1):
    sides = {}
    for right in (1, -1):
        prices = [
            black_greeks(
                leg[f"spot{end}"],
                leg["strike"],
                leg[f"time_to_expiry{end}"],
                vol,
                right,
                basis=leg[f"basis{end}"],
                rate=leg["rate"],
                dividend_yield=leg["dividend_yield"],
            ).price
            for end, vol in (("0", vol0), ("1", vol1))
        ]
        both = leg | {"right": right, "price0": prices[0], "price1": prices[1]}
        sides[right] = attribute_legs(**both, method=method, steps=4)
    if not (np.isnan(sides[1].vol0 + sides[1].vol1 + sides[-1].vol0 + sides[-1].vol1)):
        # Each side's vol is its own price's; deep in the money that price is known to 1e-14 only.
        moved = max(abs(sides[1].vol0 / sides[-1].vol0 - 1.0), abs(sides[1].vol1 / sides[-1].vol1 - 1.0))
        assert abs(sides[1].vol - sides[-1].vol) <= (1e-12 + 5.0 * moved) * scale(leg)


@given(leg=windows())
@settings(max_examples=40)
def test_a_leg_alone_and_in_a_batch_gives_the_same_bits(leg):
    for method in METHODS:
        alone = attribute_legs(**leg, method=method, detail=True, steps=2)
        crowd = {name: np.full(301, value) for name, value in leg.items()}
        crowd["spot0"] = np.linspace(60.0, 140.0, 301)
        for at in (0, 7, 255, 300):
            crowd["spot0"][at] = leg["spot0"]
        many = attribute_legs(**crowd, method=method, detail=True, steps=2)
        for at in (0, 7, 255, 300):
            same = [
                np.array_equal(one, all_of[at], equal_nan=True) for one, all_of in zip(alone[:-1], many, strict=False)
            ]
            assert all(same)
            for one, all_of in zip(alone.detail, many.detail, strict=True):
                assert np.array_equal(one, all_of[at], equal_nan=True)


WEEK = {
    "right": -1,
    "strike": 100.0,
    "spot0": 102.0,
    "price0": 3.2,
    "time_to_expiry0": 0.12,
    "spot1": 97.0,
    "price1": 5.9,
    "time_to_expiry1": 0.10,
    "basis0": 0.4,
    "basis1": 0.1,
}


def test_path_converges_with_the_square_of_its_steps():
    by_steps = [attribute_legs(**WEEK, method="path", steps=n) for n in (4, 8, 16, 1024)]
    for name in NAMES:
        limit = getattr(by_steps[-1], name)
        errors = [abs(getattr(effects, name) - limit) for effects in by_steps[:-1]]
        assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)
        assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.1)


def test_path_of_one_step_is_shapley():
    assert attribute_legs(**WEEK, method="path", steps=1) == attribute_legs(**WEEK, method="shapley")


def test_waterfall_tends_to_the_expiry_rule():
    """As T1 → 0 with the price tending to the payoff, the effects tend to those at T1 = 0."""
    leg = WEEK | {"basis0": 0.0, "basis1": 0.0}
    expired = attribute_legs(**(leg | {"time_to_expiry1": 0.0, "price1": 3.0}))
    for time in (1e-6, 1e-9, 1e-12):
        price = 3.0 + float(black_price(97.0, 100.0, time, 0.4, 1))
        near = attribute_legs(**(leg | {"time_to_expiry1": time, "price1": price}))
        for name in NAMES:
            assert getattr(near, name) == pytest.approx(getattr(expired, name), abs=10.0 * np.sqrt(time))


def test_taylor_is_right_to_second_order():
    """Halving every move divides the remainder by eight."""

    def remainder(size):
        vol = 0.3
        start = {"spot": 100.0, "basis": 0.5, "time": 0.25, "vol": vol}
        end = {"spot": 100.0 + 4.0 * size, "basis": 0.5 - size, "time": 0.25 - 0.03 * size, "vol": vol + 0.04 * size}
        price0, price1 = (
            black_greeks(
                s["spot"], 103.0, s["time"], s["vol"], 1, basis=s["basis"], rate=0.06, dividend_yield=0.02
            ).price
            for s in (start, end)
        )
        effects = attribute_legs(
            1,
            103.0,
            start["spot"],
            price0,
            start["time"],
            end["spot"],
            price1,
            end["time"],
            basis0=start["basis"],
            basis1=end["basis"],
            rate=0.06,
            dividend_yield=0.02,
            method="taylor",
        )
        return effects.residual

    assert remainder(0.5) / remainder(0.25) == pytest.approx(8.0, rel=0.15)
    assert remainder(0.25) / remainder(0.125) == pytest.approx(8.0, rel=0.1)
