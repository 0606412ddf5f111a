"""Laws that every attribution obeys, whatever the numbers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attribution import (
    AttributionError,
    attribute_daily,
    attribute_legs,
    black_price,
    calculate_attribution_for_trade,
    calculate_attribution_for_trades,
    summarise,
)
from tests import naive
from tests.builders import Case, random_case, rough_price

METHODS = ("waterfall", "shapley", "path", "one_at_a_time", "taylor")
REVALUING = METHODS[:4]
EXACT = METHODS[:3]
EFFECTS = ("spot", "spread", "vol", "timedecay")
ATTRIBS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")

laws = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
few_laws = settings(laws, max_examples=40)
seeds = st.integers(min_value=0, max_value=2**32 - 1)


class Legs(NamedTuple):
    """Arguments of ``attribute_legs`` for one option whose vols exist at both ends, and these vols."""

    right: int
    strike: float
    spots: tuple[float, float]
    bases: tuple[float, float]
    times: tuple[float, float]
    vols: tuple[float, float]
    rate: float
    dividend_yield: float

    def price(self, end: int, right: int | None = None) -> float:
        time = self.times[end]
        forward = (self.spots[end] + self.bases[end]) * math.exp((self.rate - self.dividend_yield) * time)
        right = self.right if right is None else right
        return float(black_price(forward, self.strike, time, self.vols[end], right, math.exp(-self.rate * time)))

    def split(self, method: str = "waterfall", *, right: int | None = None, reverse: bool = False, **how: Any) -> Any:
        first, last = (1, 0) if reverse else (0, 1)
        right = self.right if right is None else right
        given_prices = how.pop("prices", (self.price(0, right), self.price(1, right)))
        return attribute_legs(
            right,
            self.strike,
            self.spots[first],
            given_prices[first],
            self.times[first],
            self.spots[last],
            given_prices[last],
            self.times[last],
            basis0=self.bases[first],
            basis1=self.bases[last],
            rate=self.rate,
            dividend_yield=self.dividend_yield,
            method=method,
            **how,
        )


@st.composite
def options(draw: Callable[..., Any]) -> Legs:
    """An option of a liquid kind: within two deviations of the money, with a day at least to live."""
    strike = draw(st.sampled_from([100.0, 1250.0, 23500.0]))
    times = draw(st.tuples(st.floats(1 / 252, 1.0), st.floats(1 / 252, 1.0)))
    vols = draw(st.tuples(st.floats(0.08, 0.9), st.floats(0.08, 0.9)))
    reach = min(vols) * math.sqrt(min(times))
    away = draw(st.tuples(st.floats(-2.0, 2.0), st.floats(-2.0, 2.0)))
    spots = tuple(strike * math.exp(x * reach) for x in away)
    bases = draw(st.tuples(st.floats(-0.005, 0.005), st.floats(-0.005, 0.005)))
    rate, dividend_yield = draw(st.sampled_from([(0.0, 0.0), (0.065, 0.0), (0.03, 0.05)]))
    right = draw(st.sampled_from([1, -1]))
    return Legs(right, strike, spots, tuple(strike * b for b in bases), times, vols, rate, dividend_yield)


def numbers(effects: Any) -> dict[str, float]:
    return {name: float(getattr(effects, name)) for name in EFFECTS}


def assert_all_close(one: dict[str, float], other: dict[str, float], allowed: float) -> None:
    for name, x in one.items():
        assert x == pytest.approx(other[name], rel=0.0, abs=allowed), name


# --- one leg ---------------------------------------------------------------------------------------------------


@laws
@given(options(), st.sampled_from(METHODS), st.sampled_from(["spots", "bases", "times"]))
def test_a_factor_that_did_not_move_has_no_effect(leg: Legs, method: str, still: str) -> None:
    leg = leg._replace(**{still: (getattr(leg, still)[0],) * 2})
    effects = leg.split(method)
    name = {"spots": "spot", "bases": "spread", "times": "timedecay"}[still]
    assert float(getattr(effects, name)) == 0.0, "exactly, not nearly"


@laws
@given(options(), st.sampled_from(METHODS))
def test_a_flat_window_is_all_zeros(leg: Legs, method: str) -> None:
    pairs = ("spots", "bases", "times", "vols")
    leg = leg._replace(**{name: (getattr(leg, name)[0],) * 2 for name in pairs})
    effects = leg.split(method)
    assert numbers(effects) == dict.fromkeys(EFFECTS, 0.0)
    assert int(effects.status) == 0


@laws
@given(options(), st.sampled_from(REVALUING))
def test_an_unmoved_vol_has_no_effect_beyond_the_rounding_of_prices(leg: Legs, method: str) -> None:
    """Here the vols are implied: each is only as good as the last digit of its price."""
    leg = leg._replace(vols=(leg.vols[0],) * 2)
    assert float(leg.split(method).vol) == pytest.approx(0.0, abs=1e-11 * leg.strike)


@laws
@given(options(), st.sampled_from(["shapley", "path"]))
def test_reversing_the_window_negates_every_effect(leg: Legs, method: str) -> None:
    forth, back = numbers(leg.split(method)), numbers(leg.split(method, reverse=True))
    assert_all_close(forth, {name: -x for name, x in back.items()}, 1e-12 * leg.strike)


@laws
@given(options())
def test_the_order_of_factors_matters_to_the_waterfall_only(leg: Legs) -> None:
    orders = (("time", "spot", "spread", "vol"), ("vol", "spread", "spot", "time"))
    for method in ("shapley", "path", "one_at_a_time", "taylor"):
        first, last = (numbers(leg.split(method, order=order)) for order in orders)
        assert first == last


@laws
@given(options())
def test_changing_the_method_never_changes_the_total(leg: Legs) -> None:
    moved = leg.price(1) - leg.price(0)
    for method in METHODS:
        effects = leg.split(method)
        total = sum(numbers(effects).values()) + float(effects.residual)
        assert total == pytest.approx(moved, rel=0.0, abs=1e-13 * leg.strike)
        if method in EXACT:
            assert abs(float(effects.residual)) <= 1e-13 * leg.strike


@laws
@given(options(), st.sampled_from(METHODS))
def test_the_detail_is_the_same_beside_every_method(leg: Legs, method: str) -> None:
    beside = leg.split(method, detail=True).detail._asdict()
    alone = leg.split("waterfall", detail=True).detail._asdict()
    # Only the share of the basis is a reading of the corners; all else is the corners themselves.
    beside.pop("basis"), alone.pop("basis")
    assert beside == alone
    # The main effects are those of one factor at a time; with their interactions they make up the whole move.
    each = numbers(leg.split("one_at_a_time"))
    assert beside["main_spot"] == each["spot"]
    assert beside["main_spread"] == each["spread"]
    assert beside["main_vol"] == each["vol"]
    assert beside["main_time"] == each["timedecay"]
    factors = ("spot", "spread", "vol", "time")
    together = [x for name, x in beside.items() if name.startswith("main_") or set(name.split("_")) <= set(factors)]
    assert len(together) == 15
    assert math.fsum(map(float, together)) == pytest.approx(leg.price(1) - leg.price(0), abs=1e-11 * leg.strike)


@laws
@given(options(), st.sampled_from(METHODS))
def test_a_call_less_a_put_of_one_strike_and_vol_has_no_vol_effect(leg: Legs, method: str) -> None:
    """By parity the pair is a forward; where the one gains from vol the other gains the same."""
    call, put = (float(leg.split(method, right=right).vol) for right in (1, -1))
    assert call - put == pytest.approx(0.0, abs=1e-11 * leg.strike)


price = st.floats(0.05, 1e5)


@laws
@given(price, price, st.sampled_from(METHODS))
def test_a_share_has_a_spot_effect_only(first: float, last: float, method: str) -> None:
    effects = attribute_legs(0, math.nan, first, first, math.nan, last, last, math.nan, method=method)
    assert numbers(effects) == {"spot": last - first, "spread": 0.0, "vol": 0.0, "timedecay": 0.0}


@laws
@given(price, price, price, price, st.sampled_from(METHODS))
def test_a_future_has_a_spot_and_a_spread_effect_only(s0: float, s1: float, f0: float, f1: float, method: str) -> None:
    effects = attribute_legs(
        0, math.nan, s0, f0, math.nan, s1, f1, math.nan, basis0=f0 - s0, basis1=f1 - s1, method=method
    )
    assert (float(effects.vol), float(effects.timedecay)) == (0.0, 0.0)
    assert float(effects.spot) == s1 - s0
    # The basis is a difference of large numbers: its own rounding is part of the effect.
    assert float(effects.spread) == pytest.approx((f1 - s1) - (f0 - s0), rel=1e-15, abs=1e-15 * max(s0, s1, f0, f1))


@laws
@given(options(), st.sampled_from(METHODS))
def test_effects_are_continuous_while_time_and_vol_last(leg: Legs, method: str) -> None:
    """A nudge of a part in a billion moves no effect by more than a few hundred millionths of the strike."""
    off = 1.0 + 1e-9
    nudged = leg._replace(
        spots=(leg.spots[0] * off, leg.spots[1] / off),
        times=(leg.times[0] / off, leg.times[1] * off),
        vols=(leg.vols[0] * off, leg.vols[1] / off),
    )
    effects = numbers(leg.split(method))
    # Gamma and its kin grow as 1/(σ√T); Taylor carries them far beyond any price that an option can have, and
    # where time runs to a multiple of what was left, terms much larger than the effects cancel in them.
    size = leg.strike + max(map(abs, effects.values()))
    assert_all_close(effects, numbers(nudged.split(method)), (1e-6 if method == "taylor" else 1e-8) * size)


@laws
@given(options(), st.floats(0.0, 3.0))
def test_the_waterfall_is_continuous_as_the_end_nears_expiry(leg: Legs, vol_ratio: float) -> None:
    """As T1 → 0 it tends to the expiry rule, whatever the vol does meanwhile."""
    spots = (leg.spots[0], leg.spots[1] + leg.bases[1])
    vols = (leg.vols[0], leg.vols[0] * (0.1 + vol_ratio))
    leg = leg._replace(spots=spots, bases=(leg.bases[0], 0.0), vols=vols)
    expired = leg._replace(times=(leg.times[0], 0.0))
    at_expiry = numbers(expired.split(prices=(leg.price(0), max(leg.right * (spots[1] - leg.strike), 0.0))))
    assert at_expiry["vol"] == 0.0
    for left in (1e-6, 1e-9, 1e-12):
        near = leg._replace(times=(leg.times[0], left))
        # No option has more time value than its at-the-money neighbour, 0.4 K σ√T; up to four corners of it.
        allowed = 4 * 0.4 * leg.strike * max(vols) * math.sqrt(left) + 1e-11 * leg.strike
        assert_all_close(numbers(near.split()), at_expiry, allowed)


@laws
@given(options(), st.booleans())
def test_the_waterfall_is_continuous_at_the_bounds_up_to_the_time_value_there(leg: Legs, above: bool) -> None:
    """At its bound a price has no vol and borrows; a hair inside it has an extreme one of its own."""
    discount = math.exp(-leg.rate * leg.times[1])
    forward = (leg.spots[1] + leg.bases[1]) * math.exp((leg.rate - leg.dividend_yield) * leg.times[1])
    intrinsic = max(leg.right * (forward - leg.strike), 0.0) * discount
    bound = (forward if leg.right == 1 else leg.strike) * discount if above else intrinsic
    hair = (-1e-9 if above else 1e-9) * leg.strike
    outside = leg.split(prices=(leg.price(0), max(bound - hair, 0.0)))
    inside = leg.split(prices=(leg.price(0), bound + hair))
    one, other = numbers(outside), numbers(inside)
    assert one["vol"] == 0.0
    # Time, spot and basis are valued at the start's vol: the end's price does not enter them at all.
    assert (one["timedecay"], one["spot"]) == (other["timedecay"], other["spot"])
    # What the vol effect was the mark gap becomes: their sum has no jump, each jumps by the time value at σ0 there.
    assert one["vol"] + one["spread"] == pytest.approx(other["vol"] + other["spread"], abs=3e-9 * leg.strike)
    at_start_vol = leg._replace(vols=(leg.vols[0],) * 2).price(1)
    assert abs(other["vol"]) <= abs(bound - at_start_vol) + 3e-9 * leg.strike


def test_the_path_converges_with_the_square_of_its_steps() -> None:
    leg = Legs(1, 23500.0, (23300.0, 23700.0), (20.0, 5.0), (9 / 252, 4 / 252), (0.13, 0.18), 0.0, 0.0)
    limit = numbers(leg.split("path", steps=1024))
    misses = [
        max(abs(x - limit[name]) for name, x in numbers(leg.split("path", steps=steps)).items())
        for steps in (8, 16, 32)
    ]
    assert misses[0] / misses[1] == pytest.approx(4.0, rel=0.05)
    assert misses[1] / misses[2] == pytest.approx(4.0, rel=0.05)


# --- one trade -------------------------------------------------------------------------------------------------


def explain(case: Case, row: dict[str, Any] | None = None, **how: Any) -> dict[str, Any]:
    return calculate_attribution_for_trade(row or case.row, day=False, **case.sources, **case.model, **how)


@few_laws
@given(seeds, st.sampled_from(METHODS))
def test_effects_scale_with_quantity(seed: int, method: str) -> None:
    case = random_case(random.Random(seed))
    one = explain(case, method=method)
    many = explain(case, {**case.row, "entry_quantity": -4 * case.row["entry_quantity"]}, method=method)
    for name in (*ATTRIBS, "pnl", "combo_gap"):
        # A power of two scales every rounding with it: equal to the last bit.
        assert math.isnan(one[name]) or many[name] == -4 * one[name], name


@few_laws
@given(seeds, st.sampled_from(METHODS))
def test_a_combo_is_the_sum_of_its_legs_and_the_combo_gap(seed: int, method: str) -> None:
    case = random_case(random.Random(seed))
    whole = explain(case, method=method)
    row = {name: x for name, x in case.row.items() if name not in ("entry_price", "exit_price")}
    alone = []
    for symbol, leg in whole["per_leg"].items():
        own = {**row, "symbol": symbol, "entry_quantity": leg["quantity"]}
        prices = {symbol: {"entry": leg["price0"], "exit": leg["price1"]}}
        sources = {"leg_prices": prices, "spot_prices": case.spot_prices}
        alone.append(calculate_attribution_for_trade(own, day=False, method=method, **sources, **case.model))
    gap = whole["combo_gap"]
    for name in (*ATTRIBS, "pnl"):
        total = math.fsum(result[name] for result in alone) + (gap if name in ("pnl", "spread_attrib") else 0.0)
        scale = math.fsum(abs(result[name]) for result in alone) + abs(gap)
        assert math.isnan(whole[name]) == math.isnan(total)
        assert math.isnan(total) or whole[name] == pytest.approx(total, rel=0.0, abs=1e-12 * scale + 1e-12)


@few_laws
@given(seeds, st.sampled_from(METHODS))
def test_parts_and_residual_add_up_to_pnl_at_every_level(seed: int, method: str) -> None:
    rng = random.Random(seed)
    cases = [random_case(rng) for _ in range(3)]
    results = [explain(case, method=method, detail=True) for case in cases]
    for result in results:
        whole = {name: result[name] for name in (*ATTRIBS, "residual", "pnl")}
        parts = [whole, *result["per_leg"].values()]
        for part in parts:
            if math.isnan(part["spot_attrib"]):
                assert result["status"] == "no_start_vol"
                continue
            explained = math.fsum(part[name] for name in (*ATTRIBS, "residual"))
            gross = math.fsum(abs(part[name]) for name in (*ATTRIBS, "residual"))
            assert explained == pytest.approx(part["pnl"], rel=0.0, abs=1e-12 * gross)
            if method in EXACT:
                # The corners telescope: what is left over is rounding of values of the size of the underlying.
                size = math.fsum(
                    abs(leg["quantity"]) * leg["multiplier"] * leg["spot0"] for leg in result["per_leg"].values()
                )
                assert abs(part["residual"]) <= 1e-12 * gross + 8 * 2.0**-52 * size
            if "detail" in part:
                detail = part["detail"]
                spread = detail["basis"] + detail["mark_gap"] + detail.get("combo_gap", 0.0)
                if method == "waterfall" and detail["basis"] == 0.0:
                    assert spread == pytest.approx(part["spread_attrib"], abs=1e-12 * gross)
        net = result["pnl"] - result["fees"]
        assert result["net_pnl"] == net
    for by in ((), ("trade",), ("leg",), ("underlying",), ("expiry",), ("underlying", "expiry")):
        table = summarise(results, by)
        for name in (*ATTRIBS, "residual", "pnl"):
            total, expected = math.fsum(t[name] for t in table), math.fsum(r[name] for r in results)
            effects = [leg[part] for r in results for leg in r["per_leg"].values() for part in ATTRIBS]
            gross = math.fsum(abs(x) for x in effects if not math.isnan(x))
            assert math.isnan(total) == math.isnan(expected)
            assert math.isnan(total) or total == pytest.approx(expected, rel=0.0, abs=1e-12 * gross + 1e-12), by


def test_the_combo_gap_is_known_on_the_exit_day_after_a_leg_has_expired() -> None:
    """An end at which a leg has expired counts as agreement; a leg gone for days must not make the trade NaN."""
    near, far = "NIFTY_OPT_20250109_CALL_23700", "NIFTY_OPT_20250130_CALL_23700"
    row = {
        "symbol": f"{near}?-1:{far}?1",
        "entry_time": "2025-01-08 11:00",
        "exit_time": "2025-01-13 11:00",
        "entry_quantity": 75,
        "entry_price": 300.25,  # a quarter more than its legs
        "exit_price": 310.0,
    }
    sources = {
        "leg_prices": {near: {"entry": 100.0}, far: (400.0, 310.0)},
        "spot_prices": {("NIFTY_IND___", "2025-01-13 11:00"): 23200.0, ("NIFTY_IND___", "2025-01-08 11:00"): 23680.0},
        "historical_cache": {
            **{
                ("NIFTY_IND___", f"202501{day}"): spot
                for day, spot in (("08", 23690.0), ("09", 23530.0), ("10", 23430.0))
            },
            **{(far, f"202501{day}"): price for day, price in (("08", 405.0), ("09", 350.0), ("10", 320.0))},
            (near, "20250108"): 95.0,
        },
    }
    days = attribute_daily([row], current_time="2025-01-13 18:00", **sources)  # type: ignore[arg-type]
    whole = calculate_attribution_for_trade(row, day=False, **sources)  # type: ignore[arg-type]
    assert [day["status"] for day in days] == ["ok"] * 4
    assert [day["combo_gap"] for day in days] == [-0.25 * 75, 0.0, 0.0, 0.0]
    assert math.fsum(day["pnl"] for day in days) == pytest.approx(whole["pnl"], abs=1e-9)


def test_fees_fall_into_one_day_of_a_trade_whose_exit_is_recorded_after_its_expiry() -> None:
    """Squaring off what has expired is often recorded on the next morning."""
    symbol = "NIFTY_OPT_20250109_CALL_23700"
    row = {
        "symbol": symbol,
        "entry_time": "2025-01-08 11:00",
        "exit_time": "2025-01-10 09:20",
        "entry_quantity": -75,
        "entry_price": 100.0,
        "exit_price": 0.0,
        "commission": 61.5,
    }
    closes = {("NIFTY_IND___", "20250108"): 23690.0, ("NIFTY_IND___", "20250109"): 23530.0, (symbol, "20250108"): 95.0}
    sources = {"spot_prices": {("NIFTY_IND___", "2025-01-08 11:00"): 23680.0}, "historical_cache": closes}
    whole = calculate_attribution_for_trade(row, day=False, **sources)  # type: ignore[arg-type]
    days = attribute_daily([row], current_time="2025-01-13 18:00", **sources)  # type: ignore[arg-type]
    assert whole["fees"] == 61.5
    assert whole["pnl"] == pytest.approx(7500.0)
    assert math.fsum(day["pnl"] for day in days) == pytest.approx(7500.0)
    assert math.fsum(day["fees"] for day in days) == 61.5


IST = timezone(timedelta(hours=5, minutes=30))


def test_the_combo_gap_of_a_combo_across_exchanges_counts_both_ends() -> None:
    """01:00 in Mumbai is yesterday afternoon in New York: one instant, two dates, and still one exit."""
    entry, leave = datetime(2025, 1, 21, 11, 0, tzinfo=IST), datetime(2025, 1, 24, 1, 0, tzinfo=IST)
    nifty, spx = "NIFTY_OPT_20250130_CALL_23500", "SPXW_OPT_20250131_CALL_6000"
    row = {
        "symbol": f"{nifty}?1:{spx}?1",
        "entry_quantity": 1,
        "entry_time": entry,
        "exit_time": leave,
        "entry_price": 300.0 + 100 * 80.0,
        "exit_price": 320.0 + 100 * 90.0 + 5.0,
    }
    spots = {
        ("NIFTY_IND___", entry): 23500.0,
        ("NIFTY_IND___", leave): 23550.0,
        ("SPX_IND___", entry): 6000.0,
        ("SPX_IND___", leave): 6030.0,
    }
    prices = {nifty: (300.0, 320.0), spx: (80.0, 90.0)}
    result = calculate_attribution_for_trade(row, day=False, leg_prices=prices, spot_prices=spots)
    assert result["combo_gap"] == 5.0
    assert result["pnl"] == row["exit_price"] - row["entry_price"]  # type: ignore[operator]


def test_a_leg_expires_by_the_date_of_its_own_exchange() -> None:
    """00:30 in Mumbai is the afternoon before in New York, where the option still lives."""
    entry, leave = datetime(2025, 1, 29, 0, 30, tzinfo=IST), datetime(2025, 1, 29, 1, 30, tzinfo=IST)
    nifty, spx = "NIFTY_OPT_20250130_CALL_23500", "SPXW_OPT_20250128_CALL_6000"
    row = {"symbol": f"{nifty}?1:{spx}?1", "entry_quantity": 1, "entry_time": entry, "exit_time": leave}
    spots = {
        ("NIFTY_IND___", entry): 23500.0,
        ("NIFTY_IND___", leave): 23501.0,
        ("SPX_IND___", entry): 6000.0,
        ("SPX_IND___", leave): 6010.0,
    }
    prices = {nifty: (150.0, 150.5), spx: (20.0, 24.0)}
    result = calculate_attribution_for_trade(row, day=False, leg_prices=prices, spot_prices=spots)
    assert result["status"] == "ok"
    assert result["pnl"] == pytest.approx(0.5 + 100 * 4.0)


def test_a_daily_price_is_of_the_date_of_its_own_exchange() -> None:
    """00:30 on the 29th in Mumbai is the afternoon of the 28th in New York: the 29th's value is not known yet."""
    entry, leave = datetime(2025, 1, 29, 0, 30, tzinfo=IST), datetime(2025, 1, 30, 0, 30, tzinfo=IST)
    nifty, spx = "NIFTY_OPT_20250227_CALL_23500", "SPXW_OPT_20250221_CALL_6000"
    row = {"symbol": f"{nifty}?1:{spx}?1", "entry_quantity": 1, "entry_time": entry, "exit_time": leave}
    spots: dict[Any, float] = {
        ("NIFTY_IND___", "NSE", entry): 23500.0,
        ("NIFTY_IND___", "NSE", leave): 23501.0,
        ("SPX_IND___", "US", "2025-01-28"): 6000.0,
        ("SPX_IND___", "US", "2025-01-29"): 6010.0,
        ("SPX_IND___", "US", "2025-01-30"): 6100.0,
    }
    prices = {nifty: (300.0, 300.5), spx: (110.0, 114.0)}
    result = calculate_attribution_for_trade(row, day=False, leg_prices=prices, spot_prices=spots)
    leg = result["per_leg"][spx]
    assert (leg["spot0"], leg["spot1"]) == (6000.0, 6010.0)
    alone = {"symbol": spx, "entry_quantity": 1, "entry_time": entry, "exit_time": leave}
    single = calculate_attribution_for_trade(alone, day=False, leg_prices={spx: prices[spx]}, spot_prices=spots)
    assert [single[name] for name in ATTRIBS] == [leg[name] for name in ATTRIBS]


# --- many trades -----------------------------------------------------------------------------------------------


def same(one: Any, other: Any) -> bool:
    """Equality to the last bit, with NaN equal to itself and −0.0 different from 0.0."""
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return isinstance(other, float) and np.float64(one).tobytes() == np.float64(other).tobytes()
    return bool(one == other)


class Book:
    """Random trades that share one market, some of them unreadable or without a price."""

    def __init__(self, rng: random.Random, size: int) -> None:
        self.rows: list[dict[str, Any]] = []
        self.spot_prices: dict[Any, Any] = {}
        for _ in range(size):
            case = random_case(rng)
            self.rows.append(case.row)
            self.spot_prices.update(case.spot_prices)
            for symbol, fills in case.leg_prices.items():
                # A leg's fill may stand under its own symbol at the instant of the fill.
                exchange = "US" if symbol.startswith("SP") else "NSE"
                for side, price_ in fills.items():
                    self.spot_prices[symbol, exchange, case.row[f"{side}_time"]] = price_
        for i in rng.sample(range(size), size // 10):
            broken = rng.choice(
                [
                    {"symbol": "NOT A SYMBOL"},
                    {"entry_quantity": 0},
                    {"side": "BUY", "entry_quantity": -1},
                    {"entry_time": datetime(2024, 3, 1, 11, 0)},
                ]
            )
            self.rows[i] = {**self.rows[i], **broken}

    def one(self, row: dict[str, Any], **how: Any) -> dict[str, Any] | str:
        try:
            return calculate_attribution_for_trade(row, day=False, spot_prices=self.spot_prices, **how)
        except AttributionError as exc:
            return str(exc)

    def many(self, rows: Sequence[dict[str, Any]], **how: Any) -> list[dict[str, Any]]:
        return calculate_attribution_for_trades(rows, day=False, spot_prices=self.spot_prices, **how)


@pytest.mark.parametrize("method", METHODS)
def test_one_row_and_a_list_of_rows_agree_to_the_last_bit(method: str) -> None:
    """Shuffled, in chunks of any size, in any number of threads: a leg's numbers hang on nothing but the leg."""
    rng = random.Random(20250113)
    book = Book(rng, 260)  # some 600 legs: more than two of the kernels' blocks
    how: dict[str, Any] = {"method": method, "steps": 4, "detail": True, "rate": 0.03}
    single = [book.one(row, **how) for row in book.rows]
    assert sum(isinstance(result, str) for result in single) >= 10
    assert sum(isinstance(result, dict) and result["status"] == "ok" for result in single) >= 100

    def check(order: Sequence[int], results: Sequence[dict[str, Any]]) -> None:
        for i, result in zip(order, results, strict=True):
            expected = single[i]
            if isinstance(expected, str):
                # What the single call raises the list call tells, in the row's place.
                assert expected in (result["reason"], f"{result['symbol']}: {result['reason']}")
                assert math.isnan(result["pnl"]) or result["status"] in ("no_source", "missing_price")
                assert math.isnan(result["spot_attrib"])
            else:
                assert same(result, expected), (i, book.rows[i])

    everything = list(range(len(book.rows)))
    check(everything, book.many(book.rows, **how))
    rng.shuffle(everything)
    check(everything, book.many([book.rows[i] for i in everything], **how))
    chunks = []
    while everything:
        size = rng.choice([1, 2, 3, 7, 31, 64, 100])
        chunks.append(everything[:size])
        del everything[:size]
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda chunk: book.many([book.rows[i] for i in chunk], **how), chunks)
        for chunk, results in zip(chunks, answers, strict=True):
            check(chunk, results)


def test_legs_agree_to_the_last_bit_wherever_they_stand_in_an_array() -> None:
    rng = np.random.default_rng(7)
    n = 700
    columns = {
        "right": rng.choice([1.0, -1.0, 0.0], n),
        "strike": rng.uniform(80.0, 120.0, n),
        "spot0": rng.uniform(90.0, 110.0, n),
        "price0": rng.choice([0.0, 5.0, 25.0], n) + rng.uniform(0.0, 5.0, n),
        "time_to_expiry0": rng.uniform(0.0, 0.5, n),
        "spot1": rng.uniform(90.0, 110.0, n),
        "price1": rng.choice([0.0, 5.0, 25.0], n) + rng.uniform(0.0, 5.0, n),
        "time_to_expiry1": rng.choice([0.0, 0.01, 0.2], n),
    }
    for method in METHODS:
        whole = attribute_legs(**columns, method=method, detail=True)
        for start, stop in ((0, 1), (1, 2), (5, 38), (250, 262), (255, 512), (511, 700)):
            part = attribute_legs(**{name: x[start:stop] for name, x in columns.items()}, method=method, detail=True)
            for one, other in zip(whole[:-1], part[:-1], strict=True):
                assert one[start:stop].tobytes() == other.tobytes()
            for one, other in zip(whole.detail, part.detail, strict=True):
                assert one[start:stop].tobytes() == other.tobytes()


# --- many days -------------------------------------------------------------------------------------------------

SESSIONS = [day for k in range(60) if naive.HOURS["NSE"].is_session(day := date(2025, 1, 6) + timedelta(days=k))]


class Life:
    """A combo on NIFTY, BANKNIFTY and a share, held over some sessions, with every close of its life."""

    def __init__(self, rng: random.Random) -> None:
        first = rng.randrange(0, 20)
        held = rng.randrange(0, 12)
        days = SESSIONS[first : first + held + 1]
        hours = naive.HOURS["NSE"]
        self.spot_prices: dict[Any, float] = {}
        self.closes: dict[tuple[str, str], float] = {}
        entry = datetime.combine(days[0], hours.opens) + timedelta(minutes=rng.randrange(0, 180))
        leave = datetime.combine(days[-1], hours.closes) - timedelta(minutes=rng.randrange(0, 180))
        ends = {"entry": entry, "exit": leave}
        levels = {"NIFTY": 23500.0, "BANKNIFTY": 50000.0}
        paths = {base: self._path(rng, base, level, days, ends) for base, level in levels.items()}
        self.leg_prices: dict[str, dict[str, float]] = {}
        self.ratios: dict[str, int] = {}
        for _ in range(rng.choice([1, 2, 3, 4])):
            self._leg(rng, paths, days, ends)
        self.row = self._row(rng, ends)
        # A trade that is partly open ends at the close of its last session.
        self.now = datetime.combine(days[-1], hours.closes) + timedelta(hours=1)

    def _path(self, rng: random.Random, base: str, level: float, days: list[date], ends: dict[str, datetime]) -> Any:
        path: dict[Any, float] = {}
        for day in days:
            level *= math.exp(rng.gauss(0.0, 0.01))
            path[day] = self.closes[f"{base}_IND___", f"{day:%Y%m%d}"] = round(level, 2)
        for side, at in ends.items():
            path[side] = self.spot_prices[f"{base}_IND___", "NSE", at] = round(level * math.exp(rng.gauss(0, 0.01)), 2)
        return path

    def _leg(self, rng: random.Random, paths: Any, days: list[date], ends: dict[str, datetime]) -> None:
        base = rng.choice(["NIFTY", "BANKNIFTY"])
        path = paths[base]
        expiry = SESSIONS[SESSIONS.index(days[0]) + rng.randrange(0, 16)]
        strike = 100.0 * round(path["entry"] * math.exp(rng.gauss(0.0, 0.02)) / 100)
        right = rng.choice([1, -1])
        kind = rng.choice(["option", "option", "option", "future", "share"])
        if kind == "share":
            symbol, path = "RELIANCE_STK___", {key: round(x / 20, 2) for key, x in path.items()}
        elif kind == "future":
            symbol = f"{base}_FUT_{expiry:%Y%m%d}__"
        else:
            symbol = f"{base}_OPT_{expiry:%Y%m%d}_{'CALL' if right == 1 else 'PUT'}_{strike:g}"
        if symbol in self.ratios:
            return
        self.ratios[symbol] = rng.choice([1, -1, 2, -3])

        def quote(key: Any, day: date) -> float:
            if kind != "option":
                return path[key] + (0.0 if kind == "share" else round(10 * rng.random(), 2))
            left = max((expiry - day).days, 0) / 365
            quoted = rough_price(right, path[key], strike, left, 0.15 * math.exp(rng.gauss(0.0, 0.1)))
            # Some closes are stale and below intrinsic.
            return round(quoted * (0.97 if rng.random() < 0.1 else 1.0), 2)

        for day in days:
            self.closes[symbol, f"{day:%Y%m%d}"] = quote(day, day)
        self.leg_prices[symbol] = {side: quote(side, at.date()) for side, at in ends.items()}

    def _row(self, rng: random.Random, ends: dict[str, datetime]) -> dict[str, Any]:
        quantity = rng.choice([1, -75, 150, -4])
        row = {
            "symbol": ":".join(f"{symbol}?{ratio}" for symbol, ratio in self.ratios.items()),
            "entry_time": ends["entry"],
            "exit_time": ends["exit"],
            "entry_quantity": quantity,
            "commission": rng.choice([None, 0.0, 61.5]),
        }
        if rng.random() < 0.4:
            row["exit_quantity"] = -quantity * rng.choice([0.25, 0.5, 1.0])
        if len(self.ratios) > 1 and rng.random() < 0.6:
            for side in ends:
                net = sum(ratio * self.leg_prices[symbol][side] for symbol, ratio in self.ratios.items())
                row[f"{side}_price"] = net + rng.choice([0.0, 0.35, -1.1])
        return row

    @property
    def sources(self) -> dict[str, Any]:
        return {
            "leg_prices": self.leg_prices,
            "spot_prices": self.spot_prices,
            "historical_cache": self.closes,
            "current_time": self.now,
        }


@settings(laws, max_examples=120)
@given(seeds, st.sampled_from(EXACT))
def test_the_days_of_a_trade_add_up_to_the_trade(seed: int, method: str) -> None:
    """Each day starts where the one before ended; partly closed, with row prices, and past expiries too."""
    life = Life(random.Random(seed))
    whole = calculate_attribution_for_trade(life.row, day=False, method=method, **life.sources)
    days = attribute_daily([life.row], method=method, **life.sources)
    assert whole["status"] == "ok", whole["reason"]
    assert {day["status"] for day in days} <= {"ok", "expired"}, [day["reason"] for day in days]
    assert len({day["session"] for day in days}) == len(days)
    assert not any(math.isnan(day[name]) for day in days for name in (*ATTRIBS, "pnl")), "numbers exist where it is ok"
    gross = math.fsum(abs(day[name]) for day in days for name in ATTRIBS)
    for name in ("pnl", "combo_gap", "fees", "net_pnl"):
        total = math.fsum(day[name] for day in days)
        assert total == pytest.approx(whole[name], rel=0.0, abs=1e-12 * gross + 1e-9), name
    assert whole["fees"] == (life.row["commission"] or 0.0)
    assert sum(day["fees"] != 0.0 for day in days) <= 1
    for day in days:
        explained = math.fsum(day[name] for name in (*ATTRIBS, "residual"))
        assert explained == pytest.approx(day["pnl"], rel=0.0, abs=1e-12 * gross)
        assert abs(day["residual"]) <= 1e-12 * gross + 1e-9
    # Leg by leg as well: no leg's day is booked under another.
    legs = {leg["leg"]: leg["pnl"] for leg in summarise(days, "leg")}
    for symbol, leg in whole["per_leg"].items():
        assert legs[symbol] == pytest.approx(leg["pnl"], rel=0.0, abs=1e-12 * gross + 1e-9), symbol


@few_laws
@given(seeds)
def test_a_day_of_attribute_daily_is_the_day_of_the_single_call(seed: int) -> None:
    life = Life(random.Random(seed))
    days = attribute_daily([life.row], **life.sources)
    for day in days:
        evening = datetime.combine(day["session"], datetime.max.time())
        at = {"current_time": min(evening, life.now)}
        single = calculate_attribution_for_trade(life.row, **{**life.sources, **at})
        assert same(single, {name: x for name, x in day.items() if name != "row"})


def test_days_on_which_nothing_was_held_are_zeros() -> None:
    life = Life(random.Random(1))
    for shift, status in ((timedelta(days=-7), "not_open"), (timedelta(days=14), "closed")):
        side = "entry_time" if shift < timedelta(0) else "exit_time"
        row = {name: x for name, x in life.row.items() if name != "exit_quantity"}
        result = calculate_attribution_for_trade(row, **{**life.sources, "current_time": life.row[side] + shift})
        assert result["status"] in (status, "expired" if status == "closed" else status)
        assert [result[name] for name in (*ATTRIBS, "pnl", "residual", "fees")] == [0.0] * 7
