"""The library against its naive twin: random trades through the public call, every method, all parts.

A few hundred trades of one to five legs: long, short, ratio, calendar and cross-underlying combos with shares and
futures, in India and in the US, with and without forwards, rates and row prices; some legs expire inside the
trade, some prices are below intrinsic or above all bounds.

*Tolerance.* What a last bit of spot, forward and time does to the twin it may do to the library, a few times over: the
vol of a deep option hangs on such bits, that of a liquid one does not. So the twin explains each trade a second
time from inputs that are off by two roundings, and the difference, times ``FEW``, is allowed; beside it a few
roundings of the underlying's price, of which all values are sums.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from attribution import calculate_attribution_for_trade
from tests import naive
from tests.builders import Case, random_case

TRADES = 300
BLOCKS = 10
METHODS = ("waterfall", "shapley", "path", "one_at_a_time", "taylor")
NAMES = {
    "spot": "spot_attrib",
    "vol": "vol_attrib",
    "time": "timedecay_attrib",
    "spread": "spread_attrib",
    "residual": "residual",
}
STEPS = 3

FEW = 4
ROUNDING = 2.0**-52


def nudged(leg: naive.Leg) -> naive.Leg:
    """The same leg with spots, forwards and times off by two roundings, in opposite directions at the two ends."""

    def scaled(sight: naive.Sight, by: Any) -> naive.Sight:
        known = {name: getattr(sight, name) for name in ("spot", "forward", "time")}
        return replace(sight, **{name: None if x is None else x * by for name, x in known.items()})

    off = 2 * naive.mp.mpf(ROUNDING)
    return replace(leg, start=scaled(leg.start, 1 + off), end=scaled(leg.end, 1 - off))


class Twin:
    """A trade as the naive twin explains it, and how far rounding may carry the library from that."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.moves = [naive.move_of(leg) for leg in case.legs]
        self.nudged_moves = [self._nudged_move(leg, move) for leg, move in zip(case.legs, self.moves, strict=True)]
        sizes = [leg.start.spot or leg.start.forward or leg.start.price for leg in case.legs]
        self.floor = (
            FEW * ROUNDING * float(sum(abs(leg.position) * size for leg, size in zip(case.legs, sizes, strict=True)))
        )

    @staticmethod
    def _nudged_move(leg: naive.Leg, move: naive.Move) -> naive.Move:
        """A price exactly at a bound has no vol, however its neighbours fare: such a leg is not nudged."""
        other = naive.move_of(nudged(leg))
        existence = [vol is None for vol in move.own_vols]
        return other if [vol is None for vol in other.own_vols] == existence else move

    def is_determined(self) -> bool:
        """Whether the last bits of the underlying leave no doubt which of the prices have a vol.

        A deep option's price can be off its lower bound by less than these, as if by chance. One exactly at it has no
        vol; but with carry a given forward is divided by its growth first, and what the rounding of that leaves of
        the bound may be on either side of the price. Where nothing is carried, or the bound is 0, it is exact.
        """
        for leg, move in zip(self.case.legs, self.moves, strict=True):
            contract = leg.contract
            for sight, state in ((leg.start, move.start), (leg.end, move.end)):
                bound = naive.value(contract, replace(state, vol=naive.mp.zero))
                above = abs(sight.price - bound)
                is_exact = above == 0 and (bound == 0 or contract.rate == contract.dividend_yield == 0)
                if contract.right != 0 and state.time > 0 and not is_exact and above <= FEW * ROUNDING * state.spot:
                    return False
        return True

    def explain(self, **how: Any) -> tuple[dict[str, float], dict[str, float]] | None:
        legs, gap = self.case.legs, self.case.combo_gap
        expected = naive.explain_trade(legs, gap, moves=self.moves, **how)
        other = naive.explain_trade(legs, gap, moves=self.nudged_moves, **how)
        if expected is None or other is None:
            return None
        allowed = {name: self.floor + FEW * abs(float(other[name] - x)) for name, x in expected.items()}
        # The library's residual is what its pnl and four parts leave over: their errors add up in it.
        allowed["residual"] += sum(allowed[name] for name in naive.FACTORS)
        return {name: float(x) for name, x in expected.items()}, allowed


def check(case: Case, twin: Twin, **how: Any) -> None:
    result = calculate_attribution_for_trade(case.row, day=False, **case.sources, **case.model, **how)
    answer = twin.explain(**how)
    if answer is None:
        assert how["method"] == "taylor"
        assert result["status"] == "no_start_vol"
        assert all(result[name] != result[name] for name in NAMES.values()), "unknown is NaN"
        return
    expected, allowed = answer
    assert result["status"] == "ok", result["reason"]
    for factor, name in NAMES.items():
        assert result[name] == pytest.approx(expected[factor], rel=0.0, abs=allowed[factor]), (name, how, case.row)
    assert result["pnl"] == pytest.approx(expected["pnl"], rel=0.0, abs=twin.floor)
    assert result["combo_gap"] == pytest.approx(float(case.combo_gap), rel=0.0, abs=twin.floor)


def check_vols(case: Case, twin: Twin) -> None:
    """The drill-down names each leg's own vols: NaN exactly where the twin finds none."""
    result = calculate_attribution_for_trade(case.row, day=False, **case.sources, **case.model)
    for symbol, move, other in zip(case.symbols, twin.moves, twin.nudged_moves, strict=True):
        told = result["per_leg"][symbol]
        for end, vol in enumerate(move.own_vols):
            if vol is None:
                assert told[f"vol{end}"] != told[f"vol{end}"], (symbol, end)
            else:
                allowed = FEW * (abs(float(other.own_vols[end] - vol)) + FEW * ROUNDING * float(vol))
                assert told[f"vol{end}"] == pytest.approx(float(vol), rel=0.0, abs=allowed), (symbol, end)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_the_public_call_agrees_with_the_naive_twin(block: int) -> None:
    compared = 0
    for seed in range(block, TRADES, BLOCKS):
        print(f"seed {seed}")  # noqa: T201 - told by pytest where a trade fails
        rng = random.Random(seed)
        case = random_case(rng)
        order = tuple(rng.sample(naive.FACTORS, 4)) if seed % 3 else naive.DEFAULT_ORDER
        twin = Twin(case)
        if not twin.is_determined():
            continue
        compared += 1
        check_vols(case, twin)
        for method in METHODS:
            check(case, twin, method=method, order=order, steps=STEPS)
    assert compared >= 0.85 * TRADES / BLOCKS


def test_the_random_trades_hold_every_situation() -> None:
    """The comparison above is worth what its trades contain: none of these may get lost."""
    seen: Counter[str] = Counter()
    for seed in range(TRADES):
        case = random_case(random.Random(seed))
        result = calculate_attribution_for_trade(case.row, day=False, **case.sources, **case.model)
        seen.update(result["flags"])
        legs = result["per_leg"]
        seen.update({str(leg["plays_spot"]) for leg in legs.values()})
        seen["long"] += result["per_leg"][case.symbols[0]]["quantity"] > 0
        seen["ratio"] += len({abs(leg["quantity"]) for leg in legs.values()}) > 1
        seen["mixed multipliers"] += len({leg["multiplier"] for leg in legs.values()}) > 1
        seen["calendar"] += len({leg["expiry"] for leg in legs.values()}) > 1
        seen["cross-underlying"] += len({leg["underlying"] for leg in legs.values()}) > 1
        seen["cross-exchange"] += {"SPX_IND___", "NIFTY_IND___"} <= {leg["underlying"] for leg in legs.values()}
        seen["future"] += any("_FUT_" in symbol for symbol in legs)
        seen["rate"] += case.model["rate"] != 0.0
        seen["zero price"] += any(0.0 in prices.values() for prices in case.leg_prices.values())
    wanted = {
        *("below_intrinsic", "above_bound", "vol_borrowed", "no_vol", "expired_in_window", "combo_gap"),
        *("own price", "spot", "future", "spot and future", "long", "ratio", "mixed multipliers", "calendar"),
        *("cross-underlying", "cross-exchange", "future", "rate", "zero price", "american_as_european"),
    }
    assert {name for name in wanted if seen[name] < 5} == set(), seen


def test_the_twin_knows_a_textbook_price() -> None:
    """The twin itself, against a figure of J. C. Hull's textbook: it must not be wrong in the same way."""
    # Options, Futures and Other Derivatives, example on the Black-Scholes formulas: S 42, K 40, r 10 %, σ 20 %, ½ year.
    hull = naive.Contract(1, naive.mp.mpf(40), naive.mp.mpf("0.1"), naive.mp.zero)
    state = naive.State(naive.mp.mpf(42), naive.mp.zero, naive.mp.mpf("0.2"), naive.mp.mpf("0.5"))
    assert float(naive.value(hull, state)) == pytest.approx(4.76, abs=0.005)
    put = replace(hull, right=-1)
    assert float(naive.value(put, state)) == pytest.approx(0.81, abs=0.005)
    price = naive.value(hull, state)
    assert float(naive.implied_vol(hull, price, state.spot, state.spread, state.time)) == pytest.approx(0.2, rel=1e-15)
