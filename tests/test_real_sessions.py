"""Every NIFTY and BANKNIFTY option that traded within 5 % of the money, 1 to 10 January 2025, held from close to close.

One long trade per contract and unbroken run of traded sessions: bought at the first close, explained day by day, and
sold at the last close, still open, or expired. Closes come as a cache; the front future's close stands under its own
symbol, so that options which expire with it are explained from spot and basis, all others from the spot alone.
BANKNIFTY's contracts changed their expiry dates, and with them their names, after the first session.

On an expiry day the settlement price of a bhavcopy's option row is the *index*. It is put into the cache as if it
were the option's close, as careless code does: the payoff must win.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from attribution import attribute_daily, calculate_attribution_for_trades, summarise
from tests.market_data import market_data

EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")
NOW = "2025-01-10 18:00"
SESSIONS = [f"2025-01-{day}" for day in ("01", "02", "03", "06", "07", "08", "09", "10")]

# Counted in the file, with each run of at least two traded sessions a trade.
CONTRACTS, TRADES, TRADE_DAYS, EXPIRED = 729, 742, 3692, 164


@dataclass
class Market:
    """The eight sessions as the library sees them, and the file's lines by contract and date."""

    closes: dict[tuple[str, str], float] = field(default_factory=dict)
    at_close: dict[Any, float] = field(default_factory=dict)
    lines: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)

    def add(self, line: dict[str, str]) -> None:
        base, day = line["symbol"], line["date"]
        stamp = day.replace("-", "")
        expired = day == line["expiry"]
        self.lines.setdefault(symbol_of(line), {})[day] = line
        self.closes[symbol_of(line), stamp] = float(line["settle"] if expired else line["close"])
        underlying = {
            f"{base}_IND___": float(line["spot_close"]),
            f"{base}_FUT_{line['front_fut_expiry'].replace('-', '')}__": float(line["front_fut_close"]),
        }
        for symbol, price in underlying.items():
            self.closes[symbol, stamp] = price
            # Trades begin and end at closes, and these fills are instants like any other.
            self.at_close[symbol, "NSE", f"{day} 15:30"] = price

    @property
    def sources(self) -> dict[str, Any]:
        return {"spot_prices": self.at_close, "historical_cache": self.closes, "current_time": NOW}


def symbol_of(line: dict[str, str]) -> str:
    right = {"CE": "CALL", "PE": "PUT"}[line["type"]]
    return f"{line['symbol']}_OPT_{line['expiry'].replace('-', '')}_{right}_{float(line['strike']):g}"


def runs_of(days: dict[str, dict[str, str]]) -> list[list[str]]:
    """Unbroken runs of at least two traded sessions."""
    runs: list[list[str]] = [[]]
    for day in SESSIONS:
        if day in days and int(days[day]["volume"]) > 0 and float(days[day]["close"]) > 0.0:
            runs[-1].append(day)
        else:
            runs.append([])
    return [run for run in runs if len(run) > 1]


@pytest.fixture(scope="module")
def market() -> Market:
    found = Market()
    path = market_data("data", "nse_eod_2025", "index_options_tidy.csv")
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            found.add(line)
    return found


@pytest.fixture(scope="module")
def rows(market: Market) -> list[dict[str, Any]]:
    made = []
    for symbol, days in market.lines.items():
        for run in runs_of(days):
            first, last = days[run[0]], days[run[-1]]
            row: dict[str, Any] = {
                "symbol": symbol,
                "entry_time": f"{run[0]} 15:30",
                "entry_quantity": int(first["lot"]),
                "entry_price": float(first["close"]),
                "trade_id": f"{symbol} from {run[0]}",
            }
            if run[-1] != SESSIONS[-1] and run[-1] != last["expiry"]:
                row |= {"exit_time": f"{run[-1]} 15:30", "exit_price": float(last["close"])}
            made.append(row)
    return made


@pytest.fixture(scope="module")
def whole(market: Market, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return calculate_attribution_for_trades(rows, day=False, **market.sources)


@pytest.fixture(scope="module")
def days(market: Market, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return attribute_daily(rows, **market.sources)


def only_leg(result: dict[str, Any]) -> dict[str, Any]:
    (leg,) = result["per_leg"].values()
    return leg  # type: ignore[no-any-return]


def test_so_many_contracts_are_held(rows: list[dict[str, Any]], days: list[dict[str, Any]]) -> None:
    """What the other tests are worth; a reader that lost rows would show here."""
    assert len({row["symbol"] for row in rows}) == CONTRACTS
    assert len(rows) == TRADES
    assert len(days) == TRADE_DAYS


def test_every_status_is_ok(whole: list[dict[str, Any]], days: list[dict[str, Any]]) -> None:
    assert Counter(result["status"] for result in whole) == {"ok": len(whole)}
    assert Counter(result["status"] for result in days) == {"ok": len(days)}


def test_the_days_add_up_to_the_period(
    rows: list[dict[str, Any]], whole: list[dict[str, Any]], days: list[dict[str, Any]]
) -> None:
    by_trade = {item["trade"]: item for item in summarise(days, "trade")}
    assert len(by_trade) == len(rows)
    for result in whole:
        item = by_trade[result["trade"]]
        assert item["pnl"] == pytest.approx(result["pnl"], rel=0.0, abs=1e-9)
        assert item["missing"] == 0


def test_the_period_is_the_difference_of_the_exchanges_prices(
    market: Market, rows: list[dict[str, Any]], whole: list[dict[str, Any]]
) -> None:
    """Taken from the file without the library: last close, or payoff on the index close, less first close."""
    for row, result in zip(rows, whole, strict=True):
        lines = market.lines[row["symbol"]]
        run = next(run for run in runs_of(lines) if f"{run[0]} 15:30" == row["entry_time"])
        last = lines[run[-1]]
        value = float(last["close"])
        if run[-1] == last["expiry"]:
            sign = 1 if last["type"] == "CE" else -1
            value = max(sign * (float(last["spot_close"]) - float(last["strike"])), 0.0)
        expected = row["entry_quantity"] * (value - row["entry_price"])
        assert result["pnl"] == pytest.approx(expected, rel=0.0, abs=1e-8)


def test_the_parts_of_each_day_add_up_to_its_pnl(days: list[dict[str, Any]]) -> None:
    for result in days:
        parts = [result[name] for name in EFFECTS]
        gross = math.fsum(map(abs, parts))
        assert math.fsum(parts) == pytest.approx(result["pnl"], rel=0.0, abs=1e-12 * gross + 1e-9)
        assert abs(result["residual"]) <= 1e-12 * gross + 1e-9


def test_contracts_that_expired_end_at_their_payoff(market: Market, days: list[dict[str, Any]]) -> None:
    """The last day of each is the one on which the cache holds the index in the option's place."""
    last_days = [result for result in days if str(only_leg(result)["expiry"]) == str(result["session"])]
    assert len(last_days) == EXPIRED
    for result in last_days:
        leg = only_leg(result)
        line = market.lines[result["symbol"]][str(result["session"])]
        assert float(line["settle"]) == float(line["spot_close"]), "the trap in the file"
        assert leg["window"]["end_price"] == "payoff"
        sign = 1 if line["type"] == "CE" else -1
        assert leg["price1"] == max(sign * (float(line["spot_close"]) - float(line["strike"])), 0.0)
        assert result["vol_attrib"] == 0.0
        assert "expired_in_window" in result["flags"]


def test_the_basis_is_told_from_the_spot_exactly_where_a_future_expires_with_the_option(
    market: Market, days: list[dict[str, Any]]
) -> None:
    kinds: Counter[str] = Counter()
    for result in days:
        leg, line = only_leg(result), next(iter(market.lines[result["symbol"]].values()))
        with_future = line["expiry"] == line["front_fut_expiry"]
        assert leg["plays_spot"] == ("spot and future" if with_future else "spot")
        kinds[leg["plays_spot"]] += 1
        if not with_future and not {"below_intrinsic", "expired_in_window"} & set(leg["flags"]):
            assert result["spread_attrib"] == 0.0
    assert min(kinds.values()) > 500


def test_below_intrinsic_is_flagged_exactly_where_the_close_is(days: list[dict[str, Any]]) -> None:
    """Deep closes are stale; and on the spot alone, with no carry, the puts of far expiries look cheap."""
    flagged = 0
    for result in days:
        leg = only_leg(result)
        right, strike = result["symbol"].split("_")[3:]
        sign = 1 if right == "CALL" else -1
        bounds = [max(sign * (leg[f"forward{end}"] - float(strike)), 0.0) for end in (0, 1)]
        alive = [True, leg["window"]["end_price"] != "payoff"]
        below = any(
            lives and leg[f"price{end}"] <= bound for end, (lives, bound) in enumerate(zip(alive, bounds, strict=True))
        )
        assert below == ("below_intrinsic" in leg["flags"])
        for end, (lives, bound) in enumerate(zip(alive, bounds, strict=True)):
            assert math.isnan(leg[f"vol{end}"]) == (not lives or leg[f"price{end}"] <= bound)
        flagged += below
    assert flagged > 20


def test_totals_by_any_grouping_are_the_same(days: list[dict[str, Any]]) -> None:
    grand = summarise(days)[0]
    gross = math.fsum(abs(result[name]) for result in days for name in EFFECTS)
    for by in ("trade", "leg", "underlying", "expiry", "day"):
        table = summarise(days, by)
        assert len(table) > 1
        for name in (*EFFECTS, "pnl", "residual"):
            assert math.fsum(item[name] for item in table) == pytest.approx(grand[name], rel=0.0, abs=1e-12 * gross)
    assert {item["day"].isoformat() for item in summarise(days, "day")} == set(SESSIONS)


@pytest.mark.parametrize("method", ["shapley", "path"])
def test_other_methods_move_the_parts_and_never_the_pnl(
    market: Market, rows: list[dict[str, Any]], whole: list[dict[str, Any]], method: str
) -> None:
    other = calculate_attribution_for_trades(rows, day=False, method=method, **market.sources)
    assert [result["pnl"] for result in other] == [result["pnl"] for result in whole]
    for result in other:
        gross = math.fsum(abs(result[name]) for name in EFFECTS)
        assert abs(result["residual"]) <= 1e-12 * gross + 1e-9
    moved = [abs(a["vol_attrib"] - b["vol_attrib"]) for a, b in zip(other, whole, strict=True)]
    assert max(moved) > 1.0
