"""The ends of every domain: what cannot be known is NaN, what is a limit is that limit."""

import numpy as np
import pytest

from attribution.kernels import LegStatus, attribute_legs, black_greeks, black_price, implied_vol

LEG = {
    "right": 1,
    "strike": 100.0,
    "spot0": 101.0,
    "price0": 4.0,
    "time_to_expiry0": 0.1,
    "spot1": 102.0,
    "price1": 4.5,
    "time_to_expiry1": 0.09,
}
OPTION = {"forward": 101.0, "strike": 100.0, "time_to_expiry": 0.1, "volatility": 0.2, "right": 1}
EFFECTS = ("spot", "vol", "timedecay", "spread", "residual")


def leg(**changes):
    return attribute_legs(**(LEG | changes))


def test_price_with_no_deviation_is_discounted_intrinsic():
    for nothing in ({"volatility": 0.0}, {"time_to_expiry": 0.0}):
        assert black_price(**(OPTION | nothing), discount_factor=0.9) == 0.9 * 1.0
        assert black_price(**(OPTION | nothing | {"right": -1})) == 0.0
        assert black_price(**(OPTION | nothing | {"forward": 100.0})) == 0.0


@pytest.mark.parametrize("right", [1, -1])
def test_price_tends_to_its_bounds(right):
    tiny = black_price(90.0, 100.0, 1.0, 1e-9, right)
    huge = black_price(90.0, 100.0, 1.0, 100.0, right)
    assert tiny == max(right * (90.0 - 100.0), 0.0)
    assert huge == (90.0 if right == 1 else 100.0)


@pytest.mark.parametrize("name", ["forward", "strike", "time_to_expiry", "volatility", "right"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.5])
def test_price_outside_its_domain_is_nan(name, value):
    assert np.isnan(black_price(**(OPTION | {name: value})))


@pytest.mark.parametrize("name", ["forward", "strike", "discount_factor"])
def test_price_of_zero_forward_strike_or_discount_is_nan(name):
    assert np.isnan(black_price(**({"discount_factor": 1.0} | OPTION | {name: 0.0})))


@pytest.mark.parametrize("price", [0.0, 1.0, 101.0, 200.0, -1.0, np.nan, np.inf], ids=lambda price: f"price {price}")
def test_no_vol_at_or_beyond_the_bounds(price):
    assert np.isnan(implied_vol(price, 101.0, 100.0, 0.1, 1))


@pytest.mark.parametrize("right", [0, 2, np.nan])
def test_no_vol_of_an_unknown_right(right):
    assert np.isnan(implied_vol(4.0, 101.0, 100.0, 0.1, right))


@pytest.mark.parametrize("time", [0.0, -1.0, np.nan, np.inf])
def test_no_vol_without_time(time):
    assert np.isnan(implied_vol(4.0, 101.0, 100.0, time, 1))


@pytest.mark.parametrize("right", [1, -1])
@pytest.mark.parametrize("total_std", [1e-8, 1e-4, 0.01, 0.5, 2.4, 2.6, 5.0, 12.0])
def test_vol_of_any_size_round_trips(right, total_std):
    """Both sides of the switch between the two forms of the formula, and far beyond."""
    strike = 100.0 * np.exp(np.array([-3.0, -0.7, -1e-3, -1e-9, 0.0, 1e-9, 1e-3, 0.7, 3.0]))
    time = np.array([[1e-9], [1e-3], [1.0], [30.0]])
    vol = total_std / np.sqrt(time)
    price = black_price(100.0, strike, time, vol, right)
    out_of_the_money = np.where(right * (100.0 - strike) <= 0.0, price, 0.0)
    upper = 100.0 if right == 1 else strike
    known = (out_of_the_money > 1e-280) & (upper - price > 0.01 * upper)
    again = implied_vol(price, 100.0, strike, time, right)
    assert np.all(np.abs(again / vol - 1.0)[known] < 2e-13)


def test_vol_of_the_smallest_prices():
    price = 10.0 ** -np.arange(1.0, 301.0, 13.0)
    vol = implied_vol(price, 50.0, 100.0, 1.0, 1)
    assert np.all(np.diff(vol) < 0.0)
    np.testing.assert_allclose(black_price(50.0, 100.0, 1.0, vol, 1), price, rtol=2e-13)


def test_vol_next_to_the_upper_bound():
    room = 10.0 ** -np.arange(1.0, 12.0)
    vol = implied_vol(100.0 - room, 100.0, 120.0, 1.0, 1)
    assert np.all(np.diff(vol) > 0.0)
    np.testing.assert_allclose(100.0 - black_price(100.0, 120.0, 1.0, vol, 1), room, rtol=1e-2)


def test_greeks_without_deviation_are_those_of_the_payoff():
    g = black_greeks(110.0, 100.0, 0.0, 0.2, [1, -1])
    assert np.array_equal(g.price, [10.0, 0.0])
    assert np.array_equal(g.delta, [1.0, 0.0])
    for name in ("gamma", "vega", "theta", "rho", "vanna", "volga", "charm", "veta"):
        assert np.array_equal(np.abs(getattr(g, name)), [0.0, 0.0]), name
    still = black_greeks(110.0, 100.0, 0.5, 0.0, 1, rate=0.05)
    assert still.theta == pytest.approx(-0.05 * 100.0 * np.exp(-0.025), rel=1e-14)


@pytest.mark.parametrize("nothing", [{"time_to_expiry": 0.0}, {"volatility": 0.0}])
def test_greeks_on_the_kink_do_not_exist(nothing):
    arguments = {"spot": 100.0, "strike": 100.0, "time_to_expiry": 0.1, "volatility": 0.2, "right": 1}
    g = black_greeks(**(arguments | nothing))
    assert g.price == 0.0
    assert all(np.isnan(value) for value in g[1:])


def test_greeks_of_bad_inputs_are_nan():
    good = {"spot": 100.0, "strike": 90.0, "time_to_expiry": 0.1, "volatility": 0.2, "right": 1}
    zero = {"basis": 0.0, "rate": 0.0, "dividend_yield": 0.0}
    for name in good | zero:
        for value in (np.nan, np.inf, -np.inf):
            assert all(np.isnan(x) for x in black_greeks(**(good | zero | {name: value}))), (name, value)


def test_results_have_the_broadcast_shape():
    prices = black_price(np.ones((3, 1)) * 100.0, [90, 100, 110, 120], 0.1, 0.2, 1)
    assert prices.shape == (3, 4)
    assert black_greeks(100.0, [[90.0], [100.0]], [0.1, 0.2, 0.3], 0.2, -1).veta.shape == (2, 3)
    effects = leg(strike=[[99.0], [100.0]], price1=[4.0, 4.5, 5.0], detail=True)
    assert effects.vol.shape == effects.status.shape == effects.detail.mark_gap.shape == (2, 3)


def test_numbers_in_numpy_scalars_out():
    assert isinstance(black_price(**OPTION), np.float64)
    assert isinstance(implied_vol(4.0, 101, 100, 0.1, 1), np.float64)
    assert isinstance(leg().vol, np.float64)
    assert leg().status == LegStatus.OK
    assert leg().detail is None


@pytest.mark.parametrize("kind", ["int", "float32", "list", "strided", "reversed", "fortran", "read-only"])
def test_any_numeric_input_gives_the_same_numbers(kind):
    strikes = np.arange(90.0, 114.0).reshape(4, 6)
    wide = np.zeros((8, 12))
    wide[::2, ::2] = strikes
    locked = strikes.copy()
    locked.flags.writeable = False
    given = {
        "int": strikes.astype(np.int16),
        "float32": strikes.astype(np.float32),
        "list": strikes.tolist(),
        "strided": wide[::2, ::2],
        "reversed": strikes[::-1, ::-1].copy()[::-1, ::-1],
        "fortran": np.asfortranarray(strikes),
        "read-only": locked,
    }[kind]
    before = np.array(given)
    price = black_price(101.0, given, 0.1, 0.2, 1)
    assert np.array_equal(price, black_price(101.0, strikes, 0.1, 0.2, 1))
    vol = implied_vol(price, 101.0, given, 0.1, 1)
    np.testing.assert_allclose(vol, 0.2, rtol=1e-9)
    assert np.array_equal(leg(strike=given, price0=12.5).vol, leg(strike=strikes, price0=12.5).vol, True)
    assert np.array_equal(before, given)


def test_empty_in_empty_out():
    assert black_price([], 100.0, 0.1, 0.2, 1).shape == (0,)
    assert implied_vol(np.empty((2, 0)), 100.0, 100.0, 0.1, 1).shape == (2, 0)
    assert black_greeks([], 100.0, 0.1, 0.2, 1).vanna.shape == (0,)
    effects = leg(price1=[], detail=True)
    assert effects.spot.shape == effects.flags.shape == effects.detail.main_vol.shape == (0,)


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match=r"forward\(2,\), strike\(3,\)"):
        black_price([1.0, 2.0], [1.0, 2.0, 3.0], 0.1, 0.2, 1)


def test_text_is_not_a_number():
    with pytest.raises(ValueError, match="strike='abc'"):
        black_price(100.0, "abc", 0.1, 0.2, 1)


@pytest.mark.parametrize(
    ("argument", "value", "allowed"),
    [
        ("method", "Waterfall", "waterfall, shapley, path, one_at_a_time, taylor"),
        ("method", 1, "waterfall"),
        ("order", ("time", "spot", "spread"), "spot, spread, vol, time"),
        ("order", ("time", "time", "spread", "vol"), "each of"),
        ("order", "time", "each of"),
        ("steps", 0, "at least 1"),
        ("steps", 2.5, "at least 1"),
    ],
)
def test_wrong_choices_name_the_argument_and_what_is_allowed(argument, value, allowed):
    with pytest.raises(ValueError, match=f"{argument}=.*{allowed}"):
        leg(**{argument: value})


NUMBERS = [name for name in LEG if name != "right"]
ZEROS = ["basis0", "basis1", "rate", "dividend_yield", "price_tick"]


@pytest.mark.parametrize("name", ["right", *NUMBERS, *ZEROS])
@pytest.mark.parametrize("method", ["waterfall", "path", "taylor"])
def test_a_missing_number_gives_nan_and_says_so(name, method):
    effects = leg(**{name: np.nan, "method": method, "detail": True})
    assert effects.status == LegStatus.MISSING_INPUT
    assert effects.flags == 0
    assert all(np.isnan(getattr(effects, effect)) for effect in (*EFFECTS, "vol0", "vol1"))
    assert all(np.isnan(part) for part in effects.detail)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("right", 2),
        ("strike", 0.0),
        ("strike", -1.0),
        ("price0", -0.05),
        ("price1", np.inf),
        ("time_to_expiry0", -1e-9),
        ("time_to_expiry1", np.inf),
        ("spot0", 0.0),
        ("spot1", -np.inf),
        ("basis0", -101.0),
        ("rate", np.inf),
        ("price_tick", -0.05),
    ],
)
def test_an_impossible_number_gives_nan_and_says_so(name, value):
    effects = leg(**{name: value, "detail": True})
    assert effects.status == LegStatus.INVALID_INPUT
    assert all(np.isnan(getattr(effects, effect)) for effect in (*EFFECTS, "vol0", "vol1"))
    assert all(np.isnan(part) for part in effects.detail)


def test_numbers_beyond_doubles_are_not_called_ok():
    effects = leg(right=-1, rate=-20000.0, detail=True)
    assert effects.status == LegStatus.INVALID_INPUT
    assert np.isnan(effects.spot + effects.vol0)


def test_missing_outranks_impossible():
    assert leg(strike=-1.0, price1=np.nan).status == LegStatus.MISSING_INPUT


def test_basis_is_not_needed_on_the_expiry_end():
    effects = leg(time_to_expiry1=0.0, price1=2.0, basis1=np.nan)
    assert effects.status == LegStatus.OK
    assert effects.spread == leg(time_to_expiry1=0.0, price1=2.0, basis1=0.0).spread


def test_a_bad_leg_does_not_spoil_its_neighbours():
    prices = np.full(40, 4.5)
    prices[::3] = np.nan
    effects = leg(price1=prices)
    assert np.all(np.isnan(effects.vol) == np.isnan(prices))
    assert np.all(effects.vol[1::3] == leg().vol)
