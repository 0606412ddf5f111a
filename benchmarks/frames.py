"""A million trades in a data frame: how long, how much memory, and where the time goes. Run as::

    python -m benchmarks.frames                 # 1,000,000 rows; a tenth with --quick
    python -m benchmarks.frames --update-readme

Each case runs in a process of its own, warm, several rounds; the memory is what the process needed at its peak beyond
what it held before the call, beside the size of its input. The straightforward way, :meth:`pandas.DataFrame.apply` with
scipy's root finder and normal distribution and a Taylor expansion, is timed in the same run on a part of the rows.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from attribution import calculate_attribution_for_trades
from benchmarks import ROOT
from benchmarks.machine import describe, machine
from benchmarks.tables import Table

BEGIN, END = "<!-- frames table -->", "<!-- end -->"
README = ROOT / "README.md"
LATEST = ROOT / "benchmarks" / "results" / "frames.json"
ROUNDS = 7
APPLIED = 2_000
STRIKES = np.arange(22_500, 24_550, 50)
SESSIONS = [day for day in pd.bdate_range("2025-01-02", "2025-01-29") if day != pd.Timestamp("2025-01-26")]


def one_leg_trades(count: int, seed: int = 0) -> pd.DataFrame:
    """Trades of one NIFTY option each, opened and closed on one session, with the spot at both ends."""
    rng = np.random.default_rng(seed)
    strike = rng.choice(STRIKES, count)
    right = rng.choice((1, -1), count)
    spot0 = 23_500.0 + rng.normal(0.0, 200.0, count)
    spot1 = spot0 + rng.normal(0.0, 30.0, count)
    price0 = np.maximum(right * (spot0 - strike), 0.0) + rng.uniform(5.0, 150.0, count)
    price1 = np.maximum(price0 + 0.5 * right * (spot1 - spot0), np.maximum(right * (spot1 - strike), 0.0) + 1.0)
    names = np.array([f"NIFTY_OPT_20250130_{kind}_{k}" for kind in ("CALL", "PUT") for k in STRIKES], dtype=object)
    place = np.searchsorted(STRIKES, strike) + np.where(right > 0, 0, STRIKES.size)
    begin, end = _instants(rng, count)
    return pd.DataFrame(
        {
            "symbol": names[place],
            "entry_time": begin,
            "exit_time": end,
            "entry_quantity": rng.choice([-150.0, 75.0, 300.0], count),
            "entry_price": price0.round(2),
            "exit_price": price1.round(2),
            "spot_entry": spot0.round(2),
            "spot_exit": spot1.round(2),
        }
    )


def _instants(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    days = np.array(SESSIONS, dtype="datetime64[us]")[rng.integers(0, len(SESSIONS), count)]
    begin = rng.integers(9 * 3600 + 900, 13 * 3600, count)
    end = begin + rng.integers(60, 8_000, count)
    return days + begin.astype("timedelta64[s]"), days + end.astype("timedelta64[s]")


def condors(count: int, seed: int = 1) -> pd.DataFrame:
    """Iron condors with the prices of their four legs as columns."""
    rng = np.random.default_rng(seed)
    base = one_leg_trades(count, seed)
    low = rng.choice(STRIKES[:12], count)
    high = rng.choice(STRIKES[-12:], count)
    legs = ((low, "PUT", 1, -1), (low + 200, "PUT", -1, -1), (high - 200, "CALL", -1, 1), (high, "CALL", 1, 1))
    text = [
        ":".join(f"NIFTY_OPT_20250130_{kind}_{k}?{ratio}" for k, (_, kind, ratio, _) in zip(row, legs, strict=True))
        for row in zip(*(strike.tolist() for strike, *_ in legs), strict=True)
    ]
    columns: dict[str, Any] = {"symbol": text, "entry_price": np.nan, "exit_price": np.nan}
    for place, (strike, _, _, right) in enumerate(legs, start=1):
        for side, spot in (("entry", base["spot_entry"]), ("exit", base["spot_exit"])):
            intrinsic = np.maximum(right * (spot.to_numpy() - strike), 0.0)
            columns[f"leg{place}_{side}"] = (intrinsic + rng.uniform(5.0, 120.0, count)).round(2)
    return base.assign(**columns)


def minute_prices() -> pd.DataFrame:
    """The index, minute by minute, over all sessions."""
    minutes = pd.DatetimeIndex(
        np.concatenate([pd.date_range(d + pd.Timedelta("9h15m"), periods=376, freq="1min") for d in SESSIONS])
    )
    walk = np.random.default_rng(2).normal(0.0, 4.0, minutes.size).cumsum()
    return pd.DataFrame({"symbol": "NIFTY_IND___", "time": minutes, "price": (23_500.0 + walk).round(2)})


def _case(name: str, rows: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    if name == "combos":
        return condors(rows // 4), {}
    trades = one_leg_trades(rows)
    if name == "texts":
        for field in ("entry_time", "exit_time"):
            trades[field] = trades[field].dt.strftime("%Y-%m-%d %H:%M:%S")
    if name in ("price frame", "dict"):
        prices = minute_prices()
        for field in ("entry_time", "exit_time"):
            trades[field] = trades[field].dt.floor("1min")
        trades = trades.drop(columns=["spot_entry", "spot_exit"])
        near = prices.set_index("time")["price"]
        for side in ("entry", "exit"):  # prices that fit the index of the minute
            spot = near.reindex(trades[f"{side}_time"]).to_numpy()
            parts = trades["symbol"].str.split("_", expand=True)
            sign = np.where(parts[3] == "CALL", 1.0, -1.0)
            trades[f"{side}_price"] = np.maximum(sign * (spot - parts[4].astype(float)), 0.0) + 40.0
        if name == "dict":
            return trades, {
                "spot_prices": dict(
                    zip(zip(prices["symbol"], prices["time"], strict=True), prices["price"], strict=True)
                )
            }
        return trades, {"spot_prices": prices}
    return trades, {}


CASES = {
    "columns": ("one leg, datetimes, price columns", 0.30),
    "texts": ("the same, times as ISO texts", 0.50),
    "price frame": ("one leg, prices from a frame", 0.80),
    "dict": ("one leg, prices from a dict", 2.00),
    "combos": ("250,000 combos of four legs", 0.35),
}
"""What is measured, and the goal for a million rows (a quarter of that for combos) on two cores. [s]"""


def measure(name: str, rows: int) -> dict[str, Any]:
    """Measure one case in this process."""
    trades, options = _case(name, rows)
    run = lambda: calculate_attribution_for_trades(trades, **options)  # noqa: E731
    run()
    seconds, peaks = [], []
    for _ in range(ROUNDS):
        before = _reset_peak()
        begin = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - begin)
        peaks.append(_peak() - before)
        assert (result["status"] == "ok").all(), result["status"].value_counts()
        del result
    return {
        "rows": len(trades),
        "seconds": statistics.median(seconds),
        "best": min(seconds),
        "input_bytes": int(trades.memory_usage(deep=True).sum()),
        "extra_bytes": statistics.median(peaks),
        "phases": phases(run),
    }


def _reset_peak() -> int:
    """Forget the peak of this process; return what it holds now. [bytes]"""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(field: str) -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(field))) * 1024


PHASES = {
    "parse": [("attribution.tables.api", "read_trades"), ("attribution.tables.api", "read_book")],
    "clock": [("attribution.tables.engine", "lanes_of")],
    "join": [("attribution.tables.engine", "find_prices")],
    "kernel": [("attribution.tables.engine", "split_lanes")],
    "assemble": [
        ("attribution.tables.engine", "total_lanes"),
        ("attribution.tables.results", "TradeRows.take"),
        ("attribution.tables.results", "TradeRows.finish"),
        ("attribution.tables.api", "make_frame"),
    ],
}
"""The functions that each phase is timed by."""


def phases(run: Callable[[], object]) -> dict[str, float]:
    """Where the time of a call goes, on one thread. [s]"""
    from importlib import import_module

    spent = dict.fromkeys(PHASES, 0.0)
    undo = []
    for phase, places in PHASES.items():
        for module, dotted in places:
            owner: Any = import_module(module)
            *path, last = dotted.split(".")
            for each in path:
                owner = getattr(owner, each)
            original = getattr(owner, last)
            undo.append((owner, last, original))
            setattr(owner, last, _timed(original, phase, spent))
    threads = import_module("attribution.tables.engine").thread_count
    import_module("attribution.tables.engine").thread_count = lambda *_: 1
    try:
        run()
    finally:
        import_module("attribution.tables.engine").thread_count = threads
        for owner, last, original in undo:
            setattr(owner, last, original)
    return spent


def _timed(function: Callable[..., Any], phase: str, spent: dict[str, float]) -> Callable[..., Any]:
    def timed(*arguments: Any, **named: Any) -> Any:
        begin = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[phase] += time.perf_counter() - begin

    return timed


def straightforward(rows: int = APPLIED) -> dict[str, Any]:
    """The way it is done by hand: ``DataFrame.apply``, a root finder for the vol, greeks, a Taylor expansion."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    def value(spot: float, strike: float, years: float, vol: float, sign: float) -> float:
        std = vol * math.sqrt(years)
        d1 = math.log(spot / strike) / std + std / 2.0
        return float(sign * (spot * norm.cdf(sign * d1) - strike * norm.cdf(sign * (d1 - std))))

    def explain(row: pd.Series) -> pd.Series:
        _, _, expiry, kind, strike = row["symbol"].split("_")
        sign, strike = (1.0 if kind == "CALL" else -1.0), float(strike)
        end = pd.Timestamp(expiry) + pd.Timedelta("15h30m")
        years0 = (end - row["entry_time"]).total_seconds() / 31_536_000.0
        years1 = (end - row["exit_time"]).total_seconds() / 31_536_000.0
        spot0, spot1 = row["spot_entry"], row["spot_exit"]
        vol0 = brentq(lambda vol: value(spot0, strike, years0, vol, sign) - row["entry_price"], 1e-4, 5.0)
        vol1 = brentq(lambda vol: value(spot1, strike, years1, vol, sign) - row["exit_price"], 1e-4, 5.0)
        std = vol0 * math.sqrt(years0)
        d1 = math.log(spot0 / strike) / std + std / 2.0
        density = float(norm.pdf(d1))
        delta = sign * float(norm.cdf(sign * d1))
        gamma, vega = density / (spot0 * std), spot0 * density * math.sqrt(years0)
        theta = -spot0 * density * vol0 / (2.0 * math.sqrt(years0))
        move = spot1 - spot0
        spot = row["entry_quantity"] * (delta * move + 0.5 * gamma * move * move)
        vol = row["entry_quantity"] * vega * (vol1 - vol0)
        decay = row["entry_quantity"] * theta * (years0 - years1)
        pnl = row["entry_quantity"] * (row["exit_price"] - row["entry_price"])
        return pd.Series({"spot": spot, "vol": vol, "time": decay, "rest": pnl - spot - vol - decay})

    trades = one_leg_trades(rows)
    begin = time.perf_counter()
    trades.apply(explain, axis=1)
    return {"rows": rows, "seconds": time.perf_counter() - begin}


def measure_all(rows: int) -> dict[str, Any]:
    """Measure every case, each in a process of its own."""
    results: dict[str, Any] = {"machine": machine(), "rows": rows, "cases": {}}
    for name in CASES:
        print(f"{name} …", file=sys.stderr)
        command = [sys.executable, "-m", "benchmarks.frames", "--case", name, "--rows", str(rows)]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        results["cases"][name] = json.loads(done.stdout)
    results["straightforward"] = straightforward()
    return results


def table(results: dict[str, Any]) -> Table:
    """What was measured, as a table."""
    by_hand = results["straightforward"]["seconds"] / results["straightforward"]["rows"]
    rows = []
    for name, case in results["cases"].items():
        share = case["extra_bytes"] / case["input_bytes"]
        total = sum(case["phases"].values())
        parts = [f"{100.0 * part / total:.0f}" for part in case["phases"].values()]
        rate = case["rows"] / case["seconds"] / 1e6
        faster = by_hand * case["rows"] / case["seconds"]
        rows.append(
            [
                CASES[name][0],
                f"{case['rows']:,}",
                f"{case['seconds']:.2f}",
                f"{rate:.1f}",
                f"{share:.1f}",
                *parts,
                f"{faster:,.0f}×",
            ]
        )
    headers = [
        "trades",
        "rows",
        "s",
        "M rows/s",
        "extra memory ÷ input",
        *(f"{phase} %" for phase in PHASES),
        "than apply",
    ]
    return Table("Trades in a data frame", headers, rows)


def readme_region(results: dict[str, Any]) -> str:
    """The table as the README shows it."""
    made = "\n".join(["`python -m benchmarks.frames`:", "", str(table(results)), "", describe(results["machine"])])
    return f"{BEGIN}\n{made}\n{END}"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frames", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("--case", choices=CASES, help="one case, as JSON")
    parser.add_argument("--update-readme", action="store_true", help="replace the table in README.md")
    wanted = parser.parse_args()
    rows = wanted.rows // 10 if wanted.quick else wanted.rows
    if wanted.case:
        print(json.dumps(measure(wanted.case, rows)))
        return
    results = measure_all(rows)
    print(f"\n{table(results)}\n\n{describe(results['machine'])}")
    applied = results["straightforward"]
    print(f"DataFrame.apply: {applied['rows']:,} rows in {applied['seconds']:.1f} s")
    if not wanted.quick:
        LATEST.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if wanted.update_readme:
        text = README.read_text(encoding="utf-8")
        begin, end = text.index(BEGIN), text.index(END, text.index(BEGIN)) + len(END)
        README.write_text(text[:begin] + readme_region(results) + text[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
