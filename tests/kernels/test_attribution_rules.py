"""The conventions of one leg's split: borrowed vols, marks, expiry, linear legs, flags, detail."""

import numpy as np
import pytest

from attribution.kernels import LegFlag, LegStatus, attribute_legs, black_greeks, black_price, implied_vol

METHODS = ("waterfall", "shapley", "path", "one_at_a_time", "taylor")
ADDITIVE = ("waterfall", "shapley", "path")
BASE = {
    "right": 1,
    "strike": 100.0,
    "spot0": 101.0,
    "price0": 4.0,
    "time_to_expiry0": 0.1,
    "spot1": 102.5,
    "price1": 4.75,
    "time_to_expiry1": 0.09,
    "basis0": 0.3,
    "basis1": 0.1,
    "rate": 0.05,
    "dividend_yield": 0.01,
}


def leg(**changes):
    return attribute_legs(**(BASE | changes))


def total(effects):
    return effects.spot + effects.vol + effects.timedecay + effects.spread


@pytest.mark.parametrize("method", METHODS)
def test_a_flat_day_is_zeros(method):
    same = {"spot1": 101.0, "price1": 4.0, "time_to_expiry1": 0.1, "basis1": 0.3}
    effects = leg(**same, method=method)
    assert effects.status == LegStatus.OK
    assert effects.flags == 0
    assert all(value == 0.0 for value in effects[:5])
    assert effects.vol0 == effects.vol1 > 0.0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("end", "start", "effect"),
    [
        ("spot1", "spot0", "spot"),
        ("basis1", "basis0", "spread"),
        ("time_to_expiry1", "time_to_expiry0", "timedecay"),
    ],
)
def test_a_factor_that_stood_still_has_no_effect(method, end, start, effect):
    assert getattr(leg(**{end: BASE[start], "method": method}), effect) == 0.0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("price", [0.0, 0.5, 500.0])
@pytest.mark.parametrize("missing", ["price0", "price1"])
def test_one_end_without_a_vol_borrows_the_other(method, price, missing):
    effects = leg(**{missing: price, "method": method, "detail": True})
    bound = LegFlag.ABOVE_BOUND if price > 100.0 else LegFlag.BELOW_INTRINSIC
    if method == "taylor" and missing == "price0":
        assert effects.status == LegStatus.NO_START_VOL
        assert all(np.isnan(value) for value in effects[:5])
        assert np.isfinite(effects.detail.mark_gap)
        return
    assert effects.status == LegStatus.OK
    assert effects.flags & (LegFlag.VOL_BORROWED | bound) == LegFlag.VOL_BORROWED | bound
    assert effects.vol == 0.0
    assert np.isnan(effects.vol0 if missing == "price0" else effects.vol1)
    assert effects.spread == effects.detail.basis + effects.detail.mark_gap
    end = int(missing[-1])
    vol = effects.vol1 if end == 0 else effects.vol0
    time = BASE[f"time_to_expiry{end}"]
    model = black_greeks(
        BASE[f"spot{end}"], 100.0, time, vol, 1, basis=BASE[f"basis{end}"], rate=0.05, dividend_yield=0.01
    ).price
    gap = (price - model) * (1 if end == 1 else -1)
    assert effects.detail.mark_gap == pytest.approx(gap, abs=1e-12)
    if method in ADDITIVE:
        assert total(effects) == pytest.approx(
            (BASE | {missing: price})["price1"] - (BASE | {missing: price})["price0"]
        )
        assert abs(effects.residual) < 1e-12 * max(price, 5.0)


def test_no_vol_at_either_end_leaves_intrinsic_and_gap():
    effects = leg(price0=0.5, price1=1.0, rate=0.0, dividend_yield=0.0, detail=True)
    assert effects.flags & (LegFlag.NO_VOL | LegFlag.BELOW_INTRINSIC) == LegFlag.NO_VOL | LegFlag.BELOW_INTRINSIC
    assert np.isnan(effects.vol0)
    assert np.isnan(effects.vol1)
    assert effects.vol == effects.timedecay == 0.0
    assert effects.spot == pytest.approx(1.5, abs=1e-13)
    assert effects.detail.mark_gap == pytest.approx(0.5 - (2.6 - 1.3), abs=1e-13)
    assert total(effects) == pytest.approx(0.5)
    assert np.isnan(effects.detail.delta_pnl)


@pytest.mark.parametrize("method", METHODS)
def test_expiry_at_the_payoff_is_decay_and_spot_only(method):
    effects = leg(time_to_expiry1=0.0, basis0=0.0, price1=2.5, method=method, rate=0.0, dividend_yield=0.0)
    assert effects.status == LegStatus.OK
    assert effects.flags & LegFlag.EXPIRED_IN_WINDOW
    assert effects.flags & LegFlag.VOL_BORROWED
    assert not effects.flags & LegFlag.BELOW_INTRINSIC
    assert effects.vol == effects.spread == 0.0
    if method == "waterfall":
        assert effects.timedecay == pytest.approx(1.0 - 4.0, abs=1e-13)
        assert effects.spot == pytest.approx(1.5, abs=1e-13)


def test_basis_vanishes_at_expiry_and_its_effect_is_spread():
    effects = leg(time_to_expiry1=0.0, basis0=0.3, basis1=7.0, price1=2.5, rate=0.0, dividend_yield=0.0)
    assert effects.spread == pytest.approx(-0.3, abs=1e-13)
    assert effects.timedecay == pytest.approx(1.3 - 4.0, abs=1e-13)


def test_expiry_at_both_ends_is_payoff_arithmetic():
    effects = leg(time_to_expiry0=0.0, time_to_expiry1=0.0, price0=1.0, price1=2.5)
    assert effects.flags == LegFlag.NO_VOL
    assert (effects.spot, effects.spread, effects.vol, effects.timedecay) == (1.5, 0.0, 0.0, 0.0)


def test_a_window_that_starts_at_expiry_borrows_backwards():
    effects = leg(time_to_expiry0=0.0, price0=1.0, basis0=0.0)
    assert effects.flags == LegFlag.VOL_BORROWED
    assert effects.vol == 0.0
    assert abs(effects.residual) < 1e-14
    assert leg(time_to_expiry0=0.0, price0=1.0, method="taylor").status == LegStatus.NO_START_VOL


def test_price_tick_drops_vols_that_a_price_cannot_tell():
    far = {"strike": 130.0, "price0": 0.02, "price1": 0.03}
    assert leg(**far).flags == 0
    assert leg(**far, price_tick=0.05).flags & LegFlag.NO_VOL
    assert leg(price_tick=0.05).flags == 0


def test_ill_conditioned_is_said_on_the_last_day():
    last_day = {
        "strike": 23700.0,
        "spot0": 23500.0,
        "price0": 11.74,
        "time_to_expiry0": 1.0 / 252.0,
        "spot1": 23600.0,
        "price1": 0.05,
        "time_to_expiry1": 1.0 / 252.0 / 375.0,
        "basis0": 0.0,
        "basis1": 0.0,
        "rate": 0.0,
    }
    assert leg(**last_day, method="shapley").flags & LegFlag.ILL_CONDITIONED
    assert not leg(**last_day, method="waterfall").flags & LegFlag.ILL_CONDITIONED


@pytest.mark.parametrize("method", METHODS)
def test_a_linear_leg_has_spot_basis_and_mark(method):
    nothing = {"strike": np.nan, "time_to_expiry0": np.nan, "time_to_expiry1": 0.0, "rate": np.nan}
    future = leg(**nothing, right=0, price0=101.3, price1=102.75, method=method, detail=True)
    assert future.status == LegStatus.OK
    assert (future.spot, future.vol, future.timedecay) == (1.5, 0.0, 0.0)
    assert future.detail.basis == BASE["basis1"] - BASE["basis0"]
    assert future.detail.mark_gap == pytest.approx(0.15, abs=1e-13)
    assert future.spread == future.detail.basis + future.detail.mark_gap
    assert abs(future.residual) < 1e-13
    assert np.isnan(future.vol0)
    stock = leg(**nothing, right=0, price0=101.0, price1=102.5, basis0=0.0, basis1=0.0, method=method)
    assert (stock.spot, stock.vol, stock.timedecay, stock.spread, stock.residual) == (1.5, 0.0, 0.0, 0.0, 0.0)


def test_a_linear_leg_may_cost_less_than_nothing():
    crude = leg(right=0, spot0=10.0, spot1=-37.63, price0=10.0, price1=-37.63, basis0=0.0, basis1=0.0)
    assert crude.status == LegStatus.OK
    assert crude.spot == -47.63
    assert leg(right=0, basis1=np.nan).status == LegStatus.MISSING_INPUT
    assert leg(right=0, price0=np.inf).status == LegStatus.INVALID_INPUT


def test_the_waterfall_moves_factors_in_its_order():
    def model(end, vol_end):
        s, b, t = (np.where(np.array(e), 1, 0) for e in end)
        spot, basis = (101.0, 102.5)[s], (0.3, 0.1)[b]
        return black_greeks(
            spot, 100.0, (0.1, 0.09)[t], vols[vol_end], 1, basis=basis, rate=0.05, dividend_yield=0.01
        ).price

    vols = (leg().vol0, leg().vol1)
    default = leg()
    assert default.timedecay == pytest.approx(model((0, 0, 1), 0) - 4.0, abs=1e-12)
    assert default.vol == pytest.approx(4.75 - model((1, 1, 1), 0), abs=1e-12)
    backwards = leg(order=("vol", "spread", "spot", "time"))
    assert backwards.vol == pytest.approx(model((0, 0, 0), 1) - 4.0, abs=1e-12)
    assert backwards.timedecay == pytest.approx(4.75 - model((1, 1, 0), 1), abs=1e-12)


def test_detail_is_the_same_whatever_the_method_and_adds_up():
    pnl = BASE["price1"] - BASE["price0"]
    details = [leg(method=method, detail=True).detail for method in METHODS]
    for detail in details:
        assert sum(detail[13:]) + detail.mark_gap == pytest.approx(pnl, abs=1e-13)
        assert sum(detail[:11]) + detail.mark_gap == pytest.approx(pnl, abs=1e-13)
        same = detail._replace(basis=details[0].basis)
        assert same == details[0]


def test_interactions_rebuild_shapley():
    effects = leg(method="shapley", detail=True)
    d = effects.detail
    spot = d.main_spot + (d.spot_spread + d.spot_vol + d.spot_time) / 2.0
    spot += (d.spot_spread_vol + d.spot_spread_time + d.spot_vol_time) / 3.0 + d.spot_spread_vol_time / 4.0
    assert effects.spot == pytest.approx(spot, abs=1e-13)
    alone = leg(method="one_at_a_time")
    assert (alone.spot, alone.vol, alone.timedecay) == (d.main_spot, d.main_vol, d.main_time)


def test_taylor_splits_mixed_terms_half_and_half():
    effects = leg(method="taylor", detail=True)
    d = effects.detail
    g = black_greeks(101.0, 100.0, 0.1, effects.vol0, 1, basis=0.3, rate=0.05, dividend_yield=0.01)
    ds, db, dv, dt = 1.5, 0.1 - 0.3, effects.vol1 - effects.vol0, 0.1 - 0.09
    assert d.delta_pnl == pytest.approx(g.delta * ds, rel=1e-14)
    assert d.charm_pnl == pytest.approx(g.charm * ds * dt, rel=1e-12)
    assert effects.spot == pytest.approx(
        g.delta * ds + 0.5 * g.gamma * ds**2 + 0.5 * (g.gamma * ds * db + g.vanna * ds * dv + g.charm * ds * dt),
        rel=1e-12,
    )
    assert effects.residual == pytest.approx(d.unexplained, abs=1e-14)


def test_second_theta_is_the_slope_of_theta():
    effects = leg(method="taylor", detail=True)
    step = 1e-5

    def theta(time):
        vol = effects.vol0
        return black_greeks(101.0, 100.0, time, vol, 1, basis=0.3, rate=0.05, dividend_yield=0.01).theta

    slope = (theta(0.1 - step) - theta(0.1 + step)) / (2.0 * step)
    elapsed = 0.1 - 0.09
    assert effects.detail.theta2_pnl == pytest.approx(0.5 * slope * elapsed**2, rel=1e-5)


def test_time_may_run_backwards():
    effects = leg(time_to_expiry1=0.2, price1=7.0)
    assert effects.status == LegStatus.OK
    assert effects.timedecay > 0.0


def test_deep_in_the_money_vol_effect_keeps_its_digits():
    """A price next to intrinsic: differencing whole values would leave 1e-8 of the vol effect."""
    otm = {"right": -1, "strike": 60.0, "rate": 0.0, "dividend_yield": 0.0, "basis0": 0.0, "basis1": 0.0}
    put0, put1 = black_price(101.0, 60.0, 0.1, 0.45, -1), black_price(102.5, 60.0, 0.09, 0.5, -1)
    call = leg(**(otm | {"right": 1}), price0=41.0 + put0, price1=42.5 + put1)
    put = leg(**otm, price0=put0, price1=put1)
    # The call's prices carry a rounding of 4e-15 each; that alone may move the effect.
    assert call.vol == pytest.approx(put.vol, abs=3e-14)
    assert implied_vol(41.0 + put0, 101.0, 60.0, 0.1, 1) == pytest.approx(0.45, rel=1e-9)
