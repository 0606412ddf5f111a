"""What drove each P&L, in words, and the table of the biggest movers."""

from __future__ import annotations

import io
import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from attribution.report.inputs import Group
from attribution.report.movers import driven_by, movers_html, movers_of, movers_text

NAMES = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib", "residual")


def amounts(*parts, **changes):
    told = dict(zip(NAMES, (*parts, *[0.0] * (5 - len(parts))), strict=True))
    pnl = math.fsum(told.values())
    return {**told, "pnl": pnl, "fees": 0.0, "net_pnl": pnl, **changes}


def group(name, *parts, count=1, explained=True, others=0, **changes):
    return Group(name, amounts(*parts, **changes), count, explained, others)


def table(*groups):
    return ET.fromstring(movers_html(movers_of(groups), "trade"))


def cells(row):
    return ["".join(cell.itertext()) for cell in row]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((0.0, 0.0, 100.0), "time"),
        ((0.0, 60.0, 100.0), "time and vol"),
        ((0.0, 40.0, 100.0), "time"),
        ((-100.0, 0.0, 60.0), "spot, against time"),
        ((-100.0, 0.0, 40.0), "spot"),
        ((60.0, 30.0, -100.0), "time, against spot"),
        ((60.0, 45.0, -100.0), "spot and vol, against time"),
        ((100.0, -100.0), "spot, against vol"),
        ((-100.0, 0.0, 0.0, 0.0, -70.0), "spot and residual"),
        ((0.0, 0.0, 0.0), "nothing moved"),
        ((0.001, -0.001), "nothing moved"),
        ((1e6, 0.02), "spot"),
        ((math.nan, 1.0), "unknown"),
    ],
)
def test_what_drove_it(parts, words):
    assert driven_by(amounts(*parts)) == words


@given(st.lists(st.floats(-1e9, 1e9), min_size=5, max_size=5))
def test_the_driver_is_the_largest_cause_of_the_pnl_s_own_sign(parts):
    told = amounts(*parts)
    words = driven_by(told)
    if words == "nothing moved" or not told["pnl"]:
        return
    labels = dict(zip(("spot", "vol", "time", "spread", "residual"), parts, strict=True))
    driver = words.split(" and ")[0].split(",")[0]
    own = [value for value in parts if value * told["pnl"] > 0.0]
    assert labels[driver] == max(own, key=abs)


def test_each_line_has_its_amounts_and_its_driver():
    html = table(group("condor", -10.5, 0.0, 8000.25), group("future", -25000.0, count=3))
    head, *_ = html.find("thead")
    assert cells(head) == ["trade", "spot", "vol", "time", "spread", "P&L", "", "driven by", "count"]
    first, second = html.find("tbody")
    assert cells(first) == ["condor", "−10.50", "0.00", "8,000.25", "0.00", "7,989.75", "", "time", "1"]
    assert cells(second)[0::7] == ["future", "spot"]
    assert cells(html.find("tfoot")[0]) == [
        *("Σ", "−25,010.50", "0.00", "8,000.25", "0.00", "−17,010.25", "", "spot", "4"),
    ]


def test_a_residual_has_a_column_only_where_there_is_one():
    assert "residual" not in cells(table(group("a", 1.0))[0][0])
    assert "residual" in cells(table(group("a", 1.0), group("b", 0.0, 0.0, 0.0, 0.0, 5.0))[0][0])


def test_bars_point_to_the_side_of_their_sign_and_the_largest_is_the_longest():
    bars = [
        (float(rect.get("x")), float(rect.get("width")))
        for rect in table(group("up", 50.0), group("down", -100.0), group("flat")).iter("rect")
    ]
    assert bars[0] == (41.0, 20.0)
    assert bars[1] == (1.0, 40.0)
    assert bars[2][1] == 0.0


def test_what_is_unknown_is_said_and_never_mixed_into_the_sum():
    lost = group("lost", math.nan, math.nan, math.nan, math.nan, explained=False, pnl=-2250.0)
    html = table(group("known", 100.0), lost)
    assert cells(html.find("tbody")[1]) == ["lost", *["unknown"] * 4, "−2,250.00", "", "not explained"]
    sums = [cells(row) for row in html.find("tfoot")]
    assert sums[0][:6] == ["Σ", "100.00", "0.00", "0.00", "0.00", "100.00"]
    assert sums[1][:6] == ["Σ not explained", *["unknown"] * 4, "−2,250.00"]


def test_names_are_escaped():
    text = movers_html(movers_of([group('<img src=x onerror=alert(1)> & "co"', 1.0)]), "<b>")
    assert "<img" not in text
    assert "<b>" not in text
    assert cells(ET.fromstring(text).find("tbody")[0])[0] == '<img src=x onerror=alert(1)> & "co"'


def test_the_deepest_ground_is_that_of_the_largest_effect():
    html = movers_html(movers_of([group("a", 100.0, -50.0, 0.1)]), "trade")
    assert "background:rgba(0,158,115,0.320)" in html
    assert "background:rgba(213,94,0,0.160)" in html
    assert html.count("background:") == 2


def test_the_terminal_has_the_same_table():
    out = io.StringIO()
    movers = movers_of([group("condor", -10.5, 0.0, 8000.25), group("7 others", 100.0, count=9, others=7)])
    Console(file=out, width=120, color_system=None).print(movers_text(movers, "trade"))
    head, first, second, *rest = out.getvalue().splitlines()
    assert " ".join(head.split()) == "trade driven by spot + vol + time + spread = P&L count"
    assert first.split() == ["condor", "time", "-10.50", "0.00", "8,000.25", "0.00", "7,989.75", "1"]
    assert second.split()[:3] == ["7", "others", "spot"]
    assert "= P&L 8,089.75  ✓" in rest[-1]
