import io
from datetime import date

import pytest
from rich.console import Console

from attribution import summarise
from attribution.report import groups_table, results_table
from attribution.status import Flag, Status


def render(part, width=160):
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, highlight=False).print(part)
    return out.getvalue()


def line_with(text, word):
    return next(line for line in text.splitlines() if line.startswith(word))


def numbers(line):
    words = line.replace(",", "").split()
    return [float(word) for word in words if word.lstrip("-").replace(".", "", 1).isdigit() and "." in word]


def test_sum_line_is_the_sum_of_the_rows(result, leg):
    results = [
        result(trade="a"),
        result({"TCS_STK___": leg((250.25, 0.0, 0.0, 0.0))}, trade="b"),
        result({"TCS_STK___": leg((-1.0, 2.0, 3.5, 4.25))}, trade="c"),
    ]
    text = render(results_table(results))
    rows = [numbers(line_with(text, name)) for name in "abc"]
    total = numbers(line_with(text, "Σ"))
    assert total == pytest.approx([sum(column) for column in zip(*rows, strict=True)])
    assert total[-1] == pytest.approx(sum(total[:-1]))
    assert "Σ spot -12,090.75 + vol 1,002.00 + time 3,213.50 + spread 4.25 = P&L -7,871.00  ✓" in text


def test_heads_read_as_the_sum_they_are(result):
    title, head, *_ = render(results_table([result()])).splitlines()
    assert title.strip() == "session 2025-01-06"
    assert " ".join(head.split()) == "trade window spot + vol + time + spread = P&L"
    assert "residual" not in head


def test_residual_has_a_column_if_one_row_has_one(result):
    text = render(results_table([result(), result(trade="u", residual=30.0, pnl=-8100.0)]))
    assert "+ residual" in text
    assert "+ residual 30.00 = P&L -16,230.00  ✓" in text


def test_parts_that_do_not_add_up_are_exposed(result):
    text = render(results_table([result(pnl=-8000.0)]))
    assert "✗ differs by -130.00" in text
    assert "✓" not in text


def test_unknown_rows_are_unknown_and_told(result, unknown):
    text = render(results_table([result(), {**unknown(), "line": 7}]))
    assert line_with(text, "lost").count("unknown") == 5
    assert line_with(text, "Σ ").count("unknown") == 5
    assert "-8,130.00" in line_with(text, "Σ of 1 known")
    assert "Σ unknown" in text
    assert "line 7, lost, 2025-01-06: price of X at 2025-01-06: no close" in text
    assert Status.MISSING_PRICE.advice in text


def test_flags_are_footnotes_with_advice(result):
    text = render(results_table([result(flags=("expired_in_window",)), result(trade="u")]), width=250)
    assert line_with(text, "t1").rstrip().endswith(" 1")
    assert f"1  expired_in_window: {Flag.EXPIRED_IN_WINDOW.advice}" in text
    assert "notes" not in render(results_table([result()]))


def test_window_is_printed(result):
    assert "close → close" in render(results_table([result()]))
    whole = render(results_table([result(session=None)]))
    assert "2025-01-03 15:30 →\n2025-01-06 15:30\n" in "\n".join(line.rstrip() for line in whole.splitlines())
    two = render(results_table([result(), result(session=date(2025, 1, 7))]))
    assert two.splitlines()[0].split()[:3] == ["trade", "session", "window"]
    assert "2025-01-06  close → close" in two


@pytest.mark.parametrize("by", [["trade"], ["leg"], ["underlying"], ["day"], ["day", "leg"]])
def test_groups(result, leg, by):
    two = {"TCS_STK___": leg((10.0, 0, 0, 0), underlying="TCS_STK___"), "NIFTY_FUT_20250130__": leg((5.0, 0, 0, 1.0))}
    groups = summarise([result(), result(two, trade="b")], by)
    text = render(groups_table(groups, by))
    assert "= P&L -8,114.00  ✓" in text
    for group in groups:
        assert str(group[by[0]]) in text


def test_what_belongs_to_no_leg_is_named_so(result):
    groups = summarise([result(combo_gap=-5.0, spread_attrib=-5.0, pnl=-8135.0, net_pnl=-8135.0)], ["leg"])
    assert "(no leg)" in render(groups_table(groups, ["leg"]))


def test_numbers_are_right_aligned(result, leg):
    text = render(results_table([result(trade="a"), result({"TCS_STK___": leg((1.0, 0, 0, 0))}, trade="b")]))
    first, second = line_with(text, "a"), line_with(text, "b")
    assert first.index("-12,340.00") + len("-12,340.00") == second.index("1.00") + len("1.00")


def test_unlabelled_trades_are_named_by_their_legs(result, leg):
    legs = {
        "NIFTY_OPT_20250130_CALL_24000": leg((1.0, 0, 0, 0)),
        "TCS_STK___": leg((1.0, 0, 0, 0), quantity=7500.0, underlying="TCS_STK___", expiry=None),
    }
    text = render(results_table([result(legs, trade=None)]))
    assert "-75 NIFTY 2025-01-30 24,000 call" in text
    assert "+7,500 TCS share" in text


@pytest.mark.parametrize("width", [60, 80, 100])
def test_narrow_terminals_lose_no_figure(result, width):
    text = render(results_table([result()]), width=width)
    assert text.count("-12,340.00") == 3
    assert text.count("-8,130.00") == 3


@pytest.mark.parametrize("width", [24, 30, 40, 45, 50, 60, 80, 100, 120])
@pytest.mark.parametrize("legs", [1, 4])
def test_no_width_cuts_a_number_or_loses_a_word(result, leg, width, legs):
    many = {f"NIFTY_OPT_20250130_CALL_{24000 + 50 * i}": leg((-1_234_567.25, 1000.0, 0.0, 3.5)) for i in range(legs)}
    results = [
        result(many, trade="iron condor", fees=1_180.0, flags=("expired_in_window",)),
        result(trade="covered", session=date(2025, 1, 7)),
    ]
    wide, narrow = (render(results_table(results), width=each) for each in (250, width))
    assert "…" not in narrow
    assert sorted(numbers(narrow)) == sorted(numbers(wide))
    for word in ("iron", "condor", "covered", "2025-01-06", "2025-01-07", "close", "fees"):
        assert word in narrow
    assert max(len(line.rstrip()) for line in narrow.splitlines()) <= width


def test_narrow_groups_are_blocks(result):
    groups = summarise([result(fees=20.0), result(trade="b", fees=20.0, session=date(2025, 1, 7))], ["trade", "day"])
    lines = [line.rstrip() for line in render(groups_table(groups, ["trade", "day"]), width=40).splitlines()]
    assert lines[:8] == [
        *("t1", "2025-01-06", "  spot      -12,340.00", "  + vol       1,000.00", "  + time      3,210.00"),
        *("  + spread        0.00", "  = P&L      -8,130.00", "  fees           20.00"),
    ]


def test_groups_tell_fees_where_there_are_any(result):
    text = render(groups_table(summarise([result(fees=20.0), result(trade="b", fees=640.0)], ["trade"]), ["trade"]))
    assert numbers(line_with(text, "Σ "))[-1] == 660.0
    assert "fees" in text
    assert "fees" not in render(groups_table(summarise([result()], ["trade"]), ["trade"]))
