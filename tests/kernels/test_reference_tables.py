"""Every kernel against tables computed or printed elsewhere."""

import numpy as np
import pytest

from attribution.kernels import LegFlag, LegStatus, attribute_legs, black_greeks, black_price, implied_vol

GREEKS = ("price", "delta", "gamma", "vega", "theta", "rho", "vanna", "volga", "charm", "veta")


def test_implied_vol_50_digits(table):
    t = table("implied_vol.csv")
    vol = implied_vol(t["price"], t["forward"], t["strike"], t["time_to_expiry"], t["right"], t["discount_factor"])
    error = np.abs(vol / t["implied_vol"] - 1.0)
    assert np.all(error <= 4.0 * t["attainable_rel_error"] + 1e-14)


def test_price_50_digits_of_the_same_rows(table):
    t = table("implied_vol.csv")
    price = black_price(
        t["forward"], t["strike"], t["time_to_expiry"], t["implied_vol"], t["right"], t["discount_factor"]
    )
    # The table's vol is rounded to double; far out of the money the price amplifies that rounding.
    distance = np.log(t["forward"] / t["strike"]) / (t["implied_vol"] * np.sqrt(t["time_to_expiry"]))
    np.testing.assert_array_less(np.abs(price / t["price"] - 1.0), 1e-14 + 1e-15 * distance**2)


@pytest.mark.parametrize("name", GREEKS)
def test_greeks_50_digits(table, name):
    t = table("greeks.csv")
    greeks = black_greeks(
        t["spot"],
        t["strike"],
        t["time_to_expiry"],
        t["volatility"],
        t["right"],
        basis=t["basis"],
        rate=t["rate"],
        dividend_yield=t["dividend_yield"],
    )
    np.testing.assert_allclose(getattr(greeks, name), t[name], rtol=5e-13, atol=0.0)


@pytest.mark.parametrize(
    ("method", "column"),
    [
        ("shapley", "shapley"),
        ("waterfall", "waterfall_time_spot_spread_vol"),
        ("one_at_a_time", "one_at_a_time"),
    ],
)
def test_attribution_50_digits(table, method, column):
    t = table("attribution.csv")
    effects = attribute_legs(
        t["right"],
        t["strike"],
        t["spot0"],
        t["price0"],
        t["time0"],
        t["spot1"],
        t["price1"],
        t["time1"],
        basis0=t["basis0"],
        basis1=t["basis1"],
        rate=t["rate"],
        dividend_yield=t["dividend_yield"],
        method=method,
    )
    assert np.all(effects.status == LegStatus.OK)
    # What rounding the prices allows is told per unit of spot: tests/reference/PROVENANCE.md.
    allowed = t["spot0"] * (1e-15 + 4.0 * t["price_rounding_effect"])
    ours = {"spot": effects.spot, "spread": effects.spread, "vol": effects.vol, "time": effects.timedecay}
    for factor, values in ours.items():
        assert np.all(np.abs(values - t[f"{column}_{factor}"]) <= allowed), factor
    if method != "one_at_a_time":
        assert np.all(np.abs(effects.residual) <= 1e-12 * np.maximum(t["price0"], t["price1"]))
    expired = (t["time1"] == 0.0) & (t["time0"] > 0.0)
    assert np.array_equal((effects.flags & LegFlag.EXPIRED_IN_WINDOW) != 0, expired)


def _sign(t):
    return np.where(t["type"] == "Call", 1, -1)


def test_haug_values_as_printed(table):
    t = table("haug_european_values_quantlib.csv")
    price = black_greeks(t["spot"], t["strike"], t["t"], t["vol"], _sign(t), rate=t["r"], dividend_yield=t["q"]).price
    assert np.all(np.abs(price - t["value"]) <= t["tol"])


def test_haug_greeks_as_printed(table):
    t = table("haug_european_greeks_quantlib.csv")
    g = black_greeks(t["spot"], t["strike"], t["t"], t["vol"], _sign(t), rate=t["r"], dividend_yield=t["q"])
    ours = {
        "delta": g.delta,
        "elasticity": g.delta * t["spot"] / g.price,
        "gamma": g.gamma,
        "vega_per_1.00": g.vega,
        "theta_per_year": g.theta,
        "theta_per_day365": g.theta / 365.0,
        "rho_per_1.00": g.rho,
        # F depends on r and q through r − q, the discount on r alone: ∂V/∂q = −T S delta.
        "dividend_rho_per_1.00": -t["t"] * t["spot"] * g.delta,
    }
    for row, measure in enumerate(t["measure"]):
        assert abs(ours[measure][row] - t["expected"][row]) <= 0.5001e-4, measure


def test_py_vollib_table_as_printed(table):
    t = table("py_vollib_test_data_101rows.csv")
    columns = {"price": "", "delta": "D", "gamma": "G", "theta": "T", "vega": "V", "rho": "R"}
    for right, letter, price in ((1, "C", "bs_call"), (-1, "P", "bs_put")):
        g = black_greeks(t["S"], t["K"], t["t"], t["v"], right, rate=t["R"])
        for name, suffix in columns.items():
            printed = t[price if name == "price" else letter + suffix]
            # Nine decimals, or nine to ten significant digits of larger numbers.
            np.testing.assert_allclose(getattr(g, name), printed, rtol=2e-9, atol=6e-10, err_msg=name)


def test_published_vols_of_the_exchange(market_table):
    t = market_table("nse_exchange_iv_reference_2019.csv")
    time = t["T_days"] / 365.0
    growth = np.exp(0.10 * time)
    vol = 100.0 * implied_vol(t["ltp"], t["S"] * growth, t["K"], time, t["cp"], 1.0 / growth)
    assert len(t) == 1413
    assert np.max(np.abs(vol - t["iv_nse"])) <= 0.012
