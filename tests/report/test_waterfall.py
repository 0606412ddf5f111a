import math

import pytest

from attribution.report import waterfall

BARS = set("█▌▐")


def lines_of(drawing):
    return {line.split()[0]: line for line in drawing.plain.splitlines() if line.strip()}


def extent(line):
    """Where the bar of a line begins and ends, in columns."""
    places = [i for i, mark in enumerate(line) if mark in BARS]
    return (places[0], places[-1]) if places else None


def test_each_cause_has_its_amount_and_bar(result):
    lines = lines_of(waterfall(result()))
    assert "-12,340.00" in lines["spot"]
    assert "1,000.00" in lines["vol"]
    assert "3,210.00" in lines["time"]
    assert "-8,130.00" in lines["P&L"]
    assert extent(lines["spread"]) is None
    assert "residual" not in lines


def test_bars_hang_together(result):
    """Each bar begins where the one before it ended, and the P&L reaches from zero to where they lead."""
    lines = lines_of(waterfall(result(), width=120))
    spot, vol, time, pnl = (extent(lines[name]) for name in ("spot", "vol", "time", "P&L"))
    assert abs(vol[0] - spot[0]) <= 1
    assert abs(time[0] - vol[1]) <= 1
    assert abs(pnl[0] - time[1]) <= 1
    assert abs(pnl[1] - spot[1]) <= 1


@pytest.mark.parametrize("width", [28, 34, 40, 80, 100, 133])
def test_width_is_kept_and_deterministic(result, width):
    drawing = waterfall(result(), width=width)
    assert drawing.plain == waterfall(result(), width=width).plain
    assert max(map(len, drawing.plain.splitlines()[1:])) <= width


def test_a_small_amount_is_still_seen(result, leg):
    lines = lines_of(waterfall(result({"TCS_STK___": leg((1e6, 0.01, 0.0, 0.0))})))
    assert extent(lines["vol"]) is not None
    assert extent(lines["time"]) is None


def test_residual_and_fees_are_shown_where_there_are_any(result):
    lines = lines_of(waterfall(result(residual=500.0, pnl=-7630.0, fees=20.0, net_pnl=-7650.0)))
    assert "500.00" in lines["residual"]
    assert "-20.00" in lines["fees"]
    assert "-7,650.00" in lines["net"]


def test_flat_day_has_zeros_and_no_bars(result, leg):
    drawing = waterfall(result({"TCS_STK___": leg()}), title="")
    assert drawing.plain.count("0.00") == 5
    assert not BARS.intersection(drawing.plain)


def test_unknown_is_never_a_bar_or_a_zero(unknown):
    drawing = waterfall(unknown(), title="").plain
    assert drawing.count("unknown") == 5
    assert "0.00" not in drawing
    assert not BARS.intersection(drawing)
    assert "missing_price: price of X at 2025-01-06: no close" in drawing


def test_known_pnl_beside_unknown_effects(unknown):
    lines = lines_of(waterfall(unknown(pnl=-2250.0)))
    assert "-2,250.00" in lines["P&L"]
    assert "unknown" in lines["spot"]


def test_total_with_an_unknown_part_has_no_bars(result):
    drawing = waterfall(result(vol_attrib=math.nan, status="missing_price", window=None, session=None)).plain
    assert not BARS.intersection(drawing)


def test_title(result):
    assert waterfall(result()).plain.splitlines()[0] == "t1  2025-01-06  close → close"
    assert "2025-01-03 15:30 → 2025-01-06 15:30" in waterfall(result(session=None)).plain
    assert waterfall(result(), title="mine").plain.startswith("mine\n")
