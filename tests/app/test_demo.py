import csv
import math
from importlib.resources import files

import pytest

from attribution import attribute_daily, calculate_attribution_for_trades
from attribution.app import demo
from attribution.calendars import get_calendar
from attribution.market.fixed import PriceTable

EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")


@pytest.fixture(scope="module")
def table():
    return PriceTable(demo.demo_prices())


@pytest.fixture(scope="module")
def daily(table):
    return attribute_daily(demo.demo_trades(), spot_prices=table, current_time=demo.LAST_INSTANT)


def test_every_trade_is_explained_on_every_session(daily):
    assert {result["status"] for result in daily} == {"ok"}
    assert [sum(result["row"] == place for result in daily) for place in range(4)] == [7, 4, 6, 6]


def test_parts_make_the_pnl_on_every_line(daily):
    for result in daily:
        parts = math.fsum(result[name] for name in EFFECTS)
        assert parts == pytest.approx(result["pnl"], abs=1e-9)
        assert result["residual"] == pytest.approx(0.0, abs=1e-9)


def test_days_make_the_whole_life(daily, table):
    lives = calculate_attribution_for_trades(
        demo.demo_trades(), spot_prices=table, current_time=demo.LAST_INSTANT, day=False
    )
    for place, life in enumerate(lives):
        days = [result for result in daily if result["row"] == place]
        for name in ("pnl", "fees", "net_pnl"):
            assert math.fsum(day[name] for day in days) == pytest.approx(life[name], abs=1e-8)


def test_pnl_is_what_the_fills_and_the_settlement_say(daily):
    """By hand: premium kept by the condor; 390.00 less 73.50 for the straddle; exit less entry for the others."""
    expected = [110.05 * 75, (390.00 - 73.50) * 75, (121.70 - 74.15) * 75, (23382.50 - 23695.40) * 75]
    for place, pnl in enumerate(expected):
        assert math.fsum(r["pnl"] for r in daily if r["row"] == place) == pytest.approx(pnl, abs=1e-6)


def test_the_basis_is_told_from_the_spot(daily):
    for result in daily:
        for symbol, leg in result["per_leg"].items():
            if "20250130" in symbol:
                assert leg["plays_spot"] == "spot and future"


def test_figures_are_few_and_on_sessions():
    with (files("attribution.app") / "data" / "demo_closes.csv").open(encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    comments = [line for line in lines if line.startswith("#")]
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert "National Stock Exchange of India" in " ".join(comments)
    assert len(rows) <= 200
    assert len({(row["symbol"], row["date"]) for row in rows}) == len(rows)
    for row in rows:
        assert get_calendar(row["exchange"]).session_on(row["date"]) is not None
        assert float(row["close"]) > 0


def test_demo_prints_and_adds_up(run):
    result = run("demo")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) < 110
    assert max(map(len, lines)) <= 100
    for words in ("iron condor", "short straddle", "calendar spread", "covered future"):
        assert words in result.stdout
    assert "= P&L 12,090.00  ✓" in result.stdout
    assert "all four options expired worthless" in " ".join(result.stdout.split())
    assert "the 23,600 put settled at 73.50" in " ".join(result.stdout.split())
    assert "attribution explain folder/trades.csv --prices folder/prices.csv --daily" in result.stdout


def test_demo_fails_if_the_parts_do_not_add_up(run, monkeypatch):
    honest = demo.attribute_daily

    def off(*args, **options):
        results = honest(*args, **options)
        results[3]["vol_attrib"] += 1.0
        return results

    monkeypatch.setattr(demo, "attribute_daily", off)
    result = run("demo")
    assert result.exit_code == 1
    assert "do not add up" in result.stderr


def test_written_files_are_not_overwritten(run, tmp_path):
    target = tmp_path / "new" / "folder"
    assert run("demo", "--write", target).exit_code == 0
    assert sorted(path.name for path in target.iterdir()) == ["prices.csv", "trades.csv"]
    again = run("demo", "--write", target)
    assert again.exit_code == 2
    assert "cannot be written" in again.stderr
