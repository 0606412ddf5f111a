"""Sixty four-leg condors on NIFTY with a published P&L, April to August 2021: one-minute closes and spot at both ends.

The log's ``short_weight`` is the signed weight of each leg in the trade (−1 the sold inner options, +1 the bought
wings), so the published points are Σ weight × (exit − entry). ``expiry`` is the corrected one; the published column
names the expiry after. The log's vols are Black's on the spot, with calendar days over 365.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from attribution import calculate_attribution_for_trade, calculate_attribution_for_trades, summarise
from tests.market_data import market_data

EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")
METHODS = ("waterfall", "shapley", "path")
NIFTY = "NIFTY_IND___"


@dataclass(frozen=True)
class Condor:
    """One trade of the log: its row, the prices it needs, what was published, and the log's own lines by leg."""

    row: dict[str, Any]
    sources: dict[str, Any]
    published: float
    lines: dict[str, dict[str, str]]


def leg_symbol(line: dict[str, str]) -> str:
    expiry = line["expiry"].replace("-", "")
    return f"NIFTY_OPT_{expiry}_{line['option_type']}_{float(line['strike']):g}"


def read_condors() -> Iterator[Condor]:
    path = market_data("data", "trade_logs", "nifty_iron_condors_first60.csv")
    with path.open(encoding="utf-8", newline="") as file:
        trades: dict[str, list[dict[str, str]]] = {}
        for line in csv.DictReader(file):
            trades.setdefault(line["trade_id"], []).append(line)
    for trade_id, lines in trades.items():
        first = lines[0]
        by_leg = {leg_symbol(line): line for line in lines}
        row = {
            "symbol": ":".join(f"{symbol}?{line['short_weight']}" for symbol, line in by_leg.items()),
            "entry_time": first["entry_ts"],
            "exit_time": first["exit_ts"],
            "entry_quantity": int(first["lot_size"]),
            "trade_id": trade_id,
        }
        leg_prices = {
            symbol: {"entry": float(line["entry_close"]), "exit": float(line["exit_close"])}
            for symbol, line in by_leg.items()
        }
        spot_prices = {
            (NIFTY, "NSE", first["entry_ts"]): float(first["entry_spot"]),
            (NIFTY, "NSE", first["exit_ts"]): float(first["exit_spot"]),
        }
        sources = {"leg_prices": leg_prices, "spot_prices": spot_prices}
        yield Condor(row, sources, float(first["published_trade_pnl_points"]), by_leg)


@pytest.fixture(scope="module")
def condors() -> list[Condor]:
    return list(read_condors())


def gross_of(result: dict[str, Any]) -> float:
    return math.fsum(abs(leg[name]) for leg in result["per_leg"].values() for name in EFFECTS)


def test_there_are_sixty_condors_of_four_legs(condors: list[Condor]) -> None:
    assert len(condors) == 60
    assert all(len(condor.lines) == 4 for condor in condors)
    # Sold in the middle, bought outside: each trade is −1, −1, +1, +1.
    assert all(sum(int(line["short_weight"]) for line in condor.lines.values()) == 0 for condor in condors)


@pytest.mark.parametrize("method", METHODS)
def test_the_pnl_is_the_published_one_and_the_parts_add_up_to_it(condors: list[Condor], method: str) -> None:
    results = [
        calculate_attribution_for_trade(condor.row, day=False, method=method, **condor.sources) for condor in condors
    ]
    for condor, result in zip(condors, results, strict=True):
        assert result["status"] == "ok", (condor.row, result["reason"])
        lot = condor.row["entry_quantity"]
        assert result["pnl"] / lot == pytest.approx(condor.published, rel=0.0, abs=1e-9)
        parts = math.fsum(result[name] for name in EFFECTS)
        assert parts == pytest.approx(result["pnl"], rel=0.0, abs=1e-12 * gross_of(result))
        assert abs(result["residual"]) <= 1e-12 * gross_of(result)
        # Only spots are given: nothing can be told of a basis, and every vol exists or its absence is flagged.
        assert {leg["plays_spot"] for leg in result["per_leg"].values()} == {"spot"}
        if not {"below_intrinsic", "above_bound"} & set(result["flags"]):
            assert result["spread_attrib"] == 0.0
    total = summarise(results)[0]
    published = math.fsum(condor.published * condor.row["entry_quantity"] for condor in condors)
    assert total["pnl"] == pytest.approx(published, rel=0.0, abs=1e-6)


def test_an_hour_of_a_short_condor_earns_decay(condors: list[Condor]) -> None:
    """The sign that a short combo turned round would lose: sold the dear options, bought the cheap ones."""
    results = [calculate_attribution_for_trade(condor.row, day=False, **condor.sources) for condor in condors]
    earned = [result["timedecay_attrib"] for result in results]
    assert sum(decay > 0.0 for decay in earned) >= 55
    for condor, result in zip(condors, results, strict=True):
        for symbol, line in condor.lines.items():
            leg = result["per_leg"][symbol]
            assert math.copysign(1, leg["quantity"]) == int(line["short_weight"])
            assert leg["timedecay_attrib"] * int(line["short_weight"]) <= 0.0


def test_the_implied_vols_are_those_of_the_log(condors: list[Condor]) -> None:
    """On its own clock: calendar days. They are written with five decimals."""
    compared = 0
    for condor in condors:
        how = {"day": False, "clock": "calendar", **condor.sources}
        result = calculate_attribution_for_trade(condor.row, **how)
        for symbol, line in condor.lines.items():
            leg = result["per_leg"][symbol]
            for end, column in enumerate(("entry_iv_spot_calc", "exit_iv_spot_calc")):
                if line[column]:
                    assert leg[f"vol{end}"] == pytest.approx(float(line[column]), abs=6e-6), (symbol, column)
                    compared += 1
    assert compared >= 450


def test_the_expiry_as_published_would_show_in_the_vols(condors: list[Condor]) -> None:
    """One expiry too late halves the vols of the last days: the correction matters, and the clock sees it."""
    condor = next(c for c in condors if float(next(iter(c.lines.values()))["entry_dte"]) < 0.5)
    line = next(iter(condor.lines.values()))
    late = {symbol: leg_symbol({**x, "expiry": x["expiry_as_published"]}) for symbol, x in condor.lines.items()}
    symbol = condor.row["symbol"]
    for right, wrong in late.items():
        symbol = symbol.replace(right, wrong)
    prices = {late[right]: fills for right, fills in condor.sources["leg_prices"].items()}
    sources = {"leg_prices": prices, "spot_prices": condor.sources["spot_prices"]}
    result = calculate_attribution_for_trade({**condor.row, "symbol": symbol}, day=False, clock="calendar", **sources)
    assert result["pnl"] / condor.row["entry_quantity"] == pytest.approx(condor.published, abs=1e-9)
    assert result["per_leg"][late[leg_symbol(line)]]["vol0"] < 0.5 * float(line["entry_iv_spot_calc"])


def test_the_list_call_agrees_with_the_single_calls(condors: list[Condor]) -> None:
    """All condors in one call, with every fill under the leg's own symbol at its instant."""
    prices: dict[Any, float] = {}
    for condor in condors:
        prices.update(condor.sources["spot_prices"])
        for symbol, fills in condor.sources["leg_prices"].items():
            for side, price in fills.items():
                prices[symbol, "NSE", condor.row[f"{side}_time"]] = price
    results = calculate_attribution_for_trades([condor.row for condor in condors], day=False, spot_prices=prices)
    for condor, result in zip(condors, results, strict=True):
        single = calculate_attribution_for_trade(condor.row, day=False, **condor.sources)
        assert [result[name] for name in (*EFFECTS, "pnl")] == [single[name] for name in (*EFFECTS, "pnl")]
