"""``show``: every shape of result, in a notebook and in a terminal; it adds up, and says what it does not know."""

from __future__ import annotations

import io
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import date

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from attribution import attribute_daily, calculate_attribution_for_trades, summarise
from attribution.app.demo import LAST_INSTANT, demo_prices, demo_trades
from attribution.report.notebook import show

EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")
AMOUNTS = (*EFFECTS, "residual", "pnl", "fees", "net_pnl")
FRAMES = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "polars lazy": pl.LazyFrame,
    "pyarrow": pa.Table.from_pylist,
}
EVERY_FRAME = pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)


TAGS = set("div svg title desc g path rect text table thead tbody tfoot tr th td p".split())  # noqa: SIM905
GROUPINGS = ["trade", "leg", "underlying", "expiry", "day", ("day", "leg"), ["underlying", "expiry"]]


@pytest.fixture(scope="module")
def daily():
    return attribute_daily(demo_trades(), spot_prices=demo_prices(), current_time=LAST_INSTANT)


@pytest.fixture(scope="module")
def lives():
    return calculate_attribution_for_trades(
        demo_trades(), spot_prices=demo_prices(), current_time=LAST_INSTANT, day=False
    )


@pytest.fixture(scope="module")
def mixed():
    """Four trades that are explained; one that cannot be read and one without a price."""
    trades = demo_trades()
    unread = {**trades[0], "symbol": "NOPE<b>"}
    legs = "NIFTY_OPT_20250109_CALL_23650?-1:NIFTY_OPT_20250109_PUT_23600?-1"
    unpriced = {**trades[1], "symbol": legs, "trade_id": ""}
    return calculate_attribution_for_trades(
        [*trades, unread, unpriced], spot_prices=demo_prices(), current_time=LAST_INSTANT, day=False
    )


def flat(result, **more):
    """A result as a row of a result frame."""
    return {
        "symbol": result["symbol"],
        "trade": result["trade"],
        **{name: result[name] for name in AMOUNTS},
        "status": result["status"],
        "reason": result["reason"],
        "session": result["session"],
        **more,
    }


def body(report):
    """The HTML, read strictly: what is not well-formed fails."""
    return ET.fromstring(re.sub(r"<style>.*?</style>", "", report.html(), flags=re.DOTALL))


def lines(report, where="tbody"):
    rows = body(report).find(f"table/{where}")
    return [["".join(cell.itertext()) for cell in row] for row in rows]


def sums(movers, name):
    return math.fsum(mover.amounts[name] for mover in movers)


# Every shape of result


def test_one_result_is_told_by_its_legs_and_in_a_sentence(lives):
    report = show(lives[1])
    assert report.title == "short straddle"
    assert "2025-01-06 15:30 → 2025-01-09 15:30 · method waterfall" in report.subtitle
    assert [mover.name for mover in report.movers] == [
        "-75 NIFTY 2025-01-09 23,600 call",
        "-75 NIFTY 2025-01-09 23,600 put",
    ]
    assert "decay earned" in "".join(body(report).find("p").itertext())
    assert "decay earned" in str(report).replace("\n", " ")


def test_a_result_of_one_leg_needs_no_table(lives, result):
    assert show(result()).movers == ()
    assert "<table" not in show(result()).html()


def test_a_list_is_told_by_its_trades_the_largest_first(lives):
    report = show(lives)
    assert report.subtitle == "4 trades"
    assert [mover.name for mover in report.movers] == [
        *("short straddle", "covered future", "iron condor", "calendar spread"),
    ]
    assert [mover.driver for mover in report.movers] == ["time", "spot", "time", "spot"]
    assert report.total.amounts["pnl"] == pytest.approx(12090.0)


def test_days_of_several_trades_are_told_by_trade_and_those_of_one_by_day(daily):
    report = show(daily)
    assert report.subtitle == "4 trades · 23 results · 2025-01-01 → 2025-01-10"
    assert {mover.name: mover.count for mover in report.movers}["iron condor"] == 7
    one = show([result for result in daily if result["trade"] == "short straddle"])
    assert {mover.name for mover in one.movers} == {"2025-01-06", "2025-01-07", "2025-01-08", "2025-01-09"}
    assert show(daily, by="session").movers == show(daily, by="day").movers


@pytest.mark.parametrize(
    "by", ["trade", "leg", "underlying", "expiry", "day", ("day", "leg"), ["underlying", "expiry"]]
)
@pytest.mark.parametrize("most", [1, 3, 100])
def test_whatever_the_grouping_the_lines_make_the_picture(daily, by, most):
    report = show(daily, by=by, most=most)
    assert len(report.movers) <= most + 1
    for name in (*EFFECTS, "pnl"):
        assert sums(report.movers, name) == pytest.approx(report.total.amounts[name], abs=1e-6)
    sizes = [abs(mover.amounts["pnl"]) for mover in report.movers if not mover.others]
    assert sizes == sorted(sizes, reverse=True)


def test_what_is_not_told_one_by_one_is_counted(daily):
    *_, others = show(daily, by="day", most=3).movers
    assert others.name == "5 others"
    assert others.others == 5


def test_legs_are_told_in_words(lives):
    names = [mover.name for mover in show(lives, by="leg").movers]
    assert "NIFTY 2025-01-30 24,000 call" in names
    assert "NIFTY 2025-01-30 future" in names
    assert not any("(no leg)" in name for name in names)


def test_a_combo_gap_belongs_to_no_leg_and_is_told(result):
    gap = {"combo_gap": -5.0, "spread_attrib": -5.0, "pnl": -8135.0, "net_pnl": -8135.0}
    assert [mover.name for mover in show(result(**gap), by="leg").movers][-1] == "(no leg)"


def test_totals_keep_their_keys(daily):
    report = show(summarise(daily, ["underlying", "day"]))
    assert report.head == "underlying · day"
    assert report.movers[0].name == "NIFTY · 2025-01-07"
    assert show(summarise(daily, ["trade"])).subtitle == "4 totals"
    alone = show(summarise(daily))
    assert alone.movers == ()
    assert alone.total.amounts["pnl"] == pytest.approx(12090.0)


def test_totals_may_be_grouped_further(daily):
    report = show(summarise(daily, ["trade", "day"]), by="trade")
    assert [mover.name for mover in report.movers][:2] == ["short straddle", "covered future"]


def test_a_generator_and_a_row_of_a_frame_will_do(lives):
    assert show(result for result in lives).movers == show(lives).movers
    row = pd.DataFrame([flat(result) for result in lives]).iloc[0]
    assert show(row).title == "iron condor"
    assert show(row).total.amounts["pnl"] == pytest.approx(8253.75)


def test_unlabelled_trades_go_by_their_row_and_what_they_hold(result, leg):
    legs = {"NIFTY_OPT_20250130_CALL_24000": leg((1.0, 0, 0, 0)), "NIFTY_FUT_20250130__": leg((1.0, 0, 0, 0))}
    report = show([result(trade=None), result(legs, trade=None, symbol="?-1:".join([*legs, ""])[:-1])])
    assert [mover.name for mover in report.movers] == [
        "row 1: NIFTY 2025-01-30 24,000 call",
        "row 2: NIFTY 2025-01-30 24,000 call and 1 more",
    ]


def test_panels_draw_each_group(daily):
    report = show(daily, panels="trade")
    pictures = body(report).findall("{http://www.w3.org/2000/svg}svg")
    assert len(pictures) == 2
    for name in ("iron condor", "short straddle"):
        assert name in "".join(pictures[1].itertext())
        assert f"\n{name}\n" in str(report)
    assert show(daily).panels == ()
    with pytest.raises(ValueError, match="no panels"):
        show(daily).panels_svg()


def test_many_panels_are_bounded_and_still_add_up(result):
    report = show([result(trade=str(i)) for i in range(40)], panels="trade")
    assert len(report.panels) == 12
    assert report.panels[-1].name == "29 others"
    assert sum(group.amounts["pnl"] for group in report.panels) == pytest.approx(40 * -8130.0)


def test_groups_that_are_written_alike_stay_apart(result):
    zero = dict.fromkeys(AMOUNTS, 0.0)
    totals = [{"strategy": key, **zero, "spot_attrib": 1.0, "pnl": 1.0} for key in (None, "(none)", "x")]
    report = show([*totals, {**totals[2], "vol_attrib": math.nan, "pnl": math.nan}], panels="strategy")
    assert len(report.movers) == len(report.panels) == 4
    for name in ("(none)", "(none) (2)", "x", "x (not explained)"):
        assert f">{name}</text>" in report.panels_svg()
    assert "x: not explained; P&L unknown" in str(report)


# Frames


@EVERY_FRAME
def test_a_frame_is_shown_as_the_list_it_came_from(make, mixed):
    frame, rows = show(make([flat(result) for result in mixed])), show(mixed)
    assert [mover.name for mover in frame.movers] == [mover.name for mover in rows.movers]
    for ours, theirs in zip(frame.movers, rows.movers, strict=True):
        assert ours.amounts == pytest.approx(theirs.amounts, nan_ok=True)
        assert (ours.driver, ours.count, ours.explained) == (theirs.driver, theirs.count, theirs.explained)
    assert frame.total.amounts == pytest.approx(rows.total.amounts)
    assert {(t.status, t.reason, t.count) for t in frame.troubles} == {
        (t.status, t.reason, t.count) for t in rows.troubles
    }


@EVERY_FRAME
@pytest.mark.parametrize("by", ["trade", "leg", "underlying", "expiry", "day", "strategy", ("underlying", "expiry")])
def test_frames_of_the_calls_are_shown_like_their_lists(make, by, lives):
    trades = [{**trade, "strategy": "vol" if i < 2 else "rest"} for i, trade in enumerate(demo_trades())]
    level = "leg" if by in ("leg", "underlying", "expiry", ("underlying", "expiry")) else "trade"
    frame = calculate_attribution_for_trades(
        make(trades), spot_prices=demo_prices(), current_time=LAST_INSTANT, day=False, keep=["strategy"], level=level
    )
    report = show(frame, by=by)
    assert report.total.amounts == pytest.approx(show(lives).total.amounts, abs=1e-6)
    if by == "strategy":
        assert [mover.name for mover in report.movers] == ["vol", "rest"]
        return
    rows = show(lives, by=by)
    assert [mover.name for mover in report.movers] == [mover.name for mover in rows.movers]
    for ours, theirs in zip(report.movers, rows.movers, strict=True):
        assert [ours.amounts[name] for name in (*EFFECTS, "pnl")] == pytest.approx(
            [theirs.amounts[name] for name in (*EFFECTS, "pnl")], abs=1e-6
        )


@EVERY_FRAME
@pytest.mark.parametrize("level", ["trade", "leg"])
def test_days_of_a_frame_are_shown_like_their_list(make, level, daily):
    unlabelled = [{name: value for name, value in trade.items() if name != "trade_id"} for trade in demo_trades()]
    frame = attribute_daily(make(unlabelled), spot_prices=demo_prices(), current_time=LAST_INSTANT, level=level)
    report = show(frame)
    assert report.total.amounts == pytest.approx(show(daily).total.amounts, abs=1e-6)
    assert [mover.name.split(":")[0] for mover in report.movers] == ["row 2", "row 4", "row 1", "row 3"]
    assert report.subtitle.startswith("4 trades · ")
    assert report.subtitle.endswith(" · 2025-01-01 → 2025-01-10")


@EVERY_FRAME
def test_a_frame_is_grouped_by_any_of_its_columns(make, daily):
    strategies = {"iron condor": "premium", "short straddle": "premium", "covered future": None}
    rows = [flat(result, strategy=strategies.get(result["trade"], "time")) for result in daily]
    report = show(make(rows), by="strategy", panels="strategy")
    assert [(mover.name, mover.count) for mover in report.movers] == [("premium", 11), ("(none)", 6), ("time", 6)]
    assert report.subtitle == "4 trades · 23 rows · 2025-01-01 → 2025-01-10"
    assert sums(report.movers, "pnl") == pytest.approx(12090.0)
    for most in (1, 2):
        assert sums(show(make(rows), by=["strategy", "day"], most=most).movers, "pnl") == pytest.approx(12090.0)


@EVERY_FRAME
def test_rows_without_a_label_are_trades_of_their_own(make, lives):
    rows = [flat(result) for result in lives]
    some = [{**row, "trade": None} if i < 2 else row for i, row in enumerate(rows)]
    names = [mover.name for mover in show(make(some)).movers]
    assert names == [
        "row 2: NIFTY 2025-01-09 23,600 call and 1 more",
        *("covered future", "row 1: NIFTY 2025-01-09 23,300 put and 3 more", "calendar spread"),
    ]
    none = pd.DataFrame([{**row, "trade": None} for row in rows])
    assert [mover.name.split(":")[0] for mover in show(none, most=3).movers] == ["row 2", "row 4", "row 1", "1 other"]


def test_a_frame_without_labels_is_told_by_its_rows_or_by_its_days(lives, daily):
    rows = [{name: value for name, value in flat(result).items() if name != "trade"} for result in lives]
    report = show(pl.DataFrame(rows))
    assert report.subtitle == "4 rows"
    assert [mover.name for mover in report.movers][:2] == [
        "row 2: NIFTY 2025-01-09 23,600 call and 1 more",
        "row 4: NIFTY 2025-01-30 future and 1 more",
    ]
    assert show(pd.DataFrame(flat(result) for result in daily).drop(columns="trade")).head == "session"
    legs = pd.DataFrame([{"leg": name, **row} for row, name in zip(rows, "abcd", strict=True)])
    assert show(legs).head == "leg"
    with pytest.raises(ValueError, match="by='trade': must be one of 'leg'"):
        show(legs, by="trade")


@EVERY_FRAME
def test_a_frame_of_totals_keeps_its_keys(make, daily):
    report = show(make(summarise(daily, ["underlying", "day"])))
    assert report.head == "underlying · day"
    listed = show(summarise(daily, ["underlying", "day"]))
    assert [(mover.name, mover.count) for mover in report.movers] == [(m.name, m.count) for m in listed.movers]


@EVERY_FRAME
def test_days_of_an_unlabelled_trade_share_its_row(make, daily):
    rows = [{**flat(result), "trade": None, "row": result["row"]} for result in daily]
    report = show(make(rows), by="trade")
    assert [(mover.name.split(":")[0], mover.count) for mover in report.movers] == [
        *(("row 2", 4), ("row 4", 6), ("row 1", 7), ("row 3", 6)),
    ]
    assert show(make(rows)).subtitle == "4 trades · 23 rows · 2025-01-01 → 2025-01-10"
    assert show(make(rows)).movers == report.movers
    assert show(make([row for row in rows if row["row"] == 1])).head == "session"
    words = [{**row, "row": "x"} for row in rows]
    assert len(show(make(words), by="trade", most=100).movers) == 23


@EVERY_FRAME
def test_an_empty_frame_is_said_to_be_empty(make, lives):
    rows = make([flat(result) for result in lives])
    empty = rows[:0] if not isinstance(rows, pl.LazyFrame | pa.Table) else rows.slice(0, 0)
    assert str(show(empty)) == "Nothing to show\nno results"


def test_unknown_fees_make_no_zero(lives):
    rows = [flat(result, fees=math.nan, net_pnl=math.nan) for result in lives]
    for make in FRAMES.values():
        report = show(make(rows))
        assert math.isnan(report.total.amounts["net_pnl"])
        assert "unknown" in "".join(body(report).itertext())


def test_a_duplicated_index_changes_nothing(lives):
    frame = pd.DataFrame([flat(result) for result in lives])
    frame.index = [7, 7, 7, 7]
    assert [mover.name for mover in show(frame).movers] == [mover.name for mover in show(lives).movers]


def test_categories_group_like_words(lives):
    frame = pd.DataFrame([flat(result, strategy="premium") for result in lives])
    frame["strategy"] = pd.Categorical(frame["strategy"], categories=["premium", "never used"])
    assert [mover.name for mover in show(frame, by="strategy").movers] == ["premium"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6) | st.just(math.nan)] * 4, st.sampled_from("abc")), min_size=1))
def test_frames_and_lists_agree_and_add_up(rows):
    told = [
        {"trade": name, **dict(zip(EFFECTS, parts, strict=True)), "residual": 0.0, "pnl": math.fsum(parts)}
        for *parts, name in rows
    ]
    listed = show(told, by="trade", most=2)
    for make in (pd.DataFrame, pl.DataFrame):
        report = show(make(told), by="trade", most=2)
        assert report.total.amounts == pytest.approx(listed.total.amounts, nan_ok=True, abs=1e-6)
        assert report.unexplained == listed.unexplained == sum(any(map(math.isnan, parts)) for *parts, _ in rows)
        known = [mover for mover in report.movers if mover.explained]
        if known:
            assert sums(known, "pnl") == pytest.approx(report.total.amounts["pnl"], abs=1e-6)


# What is not known


def test_what_is_not_explained_stands_apart(mixed, lives):
    report = show(mixed)
    assert report.total.amounts == pytest.approx(show(lives).total.amounts)
    assert report.unexplained == 2
    assert [row[0] for row in lines(report, "tfoot")] == ["Σ", "Σ not explained"]
    assert lines(report)[-1][1:6] == ["unknown"] * 5
    told = "".join(body(report).itertext())
    assert "2 of 6 results are not explained and not in the picture" in told
    assert "missing_price: price of NIFTY_OPT_20250109_CALL_23650" in told
    assert "2 of 6 results are not explained and not in the picture" in str(report)


def test_a_known_pnl_without_its_split_is_a_mover_still(result, unknown):
    report = show([result(), unknown(pnl=-90000.0)])
    first = report.movers[0]
    assert (first.name, first.amounts["pnl"], first.driver) == ("lost", -90000.0, "not explained")
    assert report.total.amounts["pnl"] == -8130.0


def test_one_result_that_is_not_explained_says_why(mixed):
    report = show(mixed[-1])
    told = "".join(body(report).itertext())
    assert told.count("missing_price: price of NIFTY_OPT_20250109_CALL_23650") == 1 + 1  # seen, and heard
    assert "missing_price: price of NIFTY_OPT_20250109_CALL_23650" in str(report).replace("\n", " ")
    known = {mover.name: mover.explained for mover in report.movers}
    assert known == {"-75 NIFTY 2025-01-09 23,600 put": True, "-75 NIFTY 2025-01-09 23,650 call": False}


def test_nothing_explained_draws_no_bar(unknown):
    report = show([unknown(trade="a"), unknown(trade="b")])
    assert "<rect" not in report.svg()
    assert "2 of 2 results are not explained" in report.svg()
    picture = re.split("trade +driven by", str(report))[0]
    assert picture.count("unknown") == 5
    assert "0.00" not in picture


def test_reasons_are_counted_and_bounded(unknown):
    rows = [unknown(trade=str(i), reason=f"reason {i % 9}") for i in range(30)]
    told = str(show(rows))
    assert told.count(" × missing_price") == 5
    assert "4 other reasons" in told


def test_nothing_to_show_is_said():
    report = show([])
    assert "Nothing to show" in report.html()
    assert "Nothing to show" in repr(report)
    with pytest.raises(ValueError, match="nothing to draw"):
        report.svg()


# Manners


def test_a_notebook_gets_html_and_a_terminal_gets_text(lives):
    report = show(lives)
    bundle = report._repr_mimebundle_()
    assert bundle == {"text/html": report._repr_html_(), "text/plain": repr(report)}
    assert "█" in bundle["text/plain"]
    assert "\x1b" not in bundle["text/plain"]
    out = io.StringIO()
    Console(file=out, width=90, force_terminal=True, color_system="standard").print(report)
    assert "\x1b[" in out.getvalue()
    assert max(len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in out.getvalue().splitlines()) <= 90


def test_text_adds_up_in_sight(daily):
    assert "= P&L 12,090.00 ✓" in " ".join(str(show(daily)).split())  # wherever a narrow terminal breaks the line


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_text_keeps_to_the_terminal(daily, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert max(map(len, str(show(daily)).splitlines())) <= max(min(int(columns), 120), 60)


def test_names_of_users_are_text_and_never_markup(result):
    nasty = '</svg><script>alert("x")</script>&<img src=x>'
    report = show([result(trade=nasty), result(trade=nasty + "2")], title=nasty, panels="trade")
    assert "<script" not in report.html()
    assert "<img" not in report.html()
    tags = {node.tag.rsplit("}", 1)[-1] for node in body(report).iter()}
    assert tags <= TAGS
    assert nasty in {mover.name for mover in report.movers}
    assert "[/bold]" in str(show(result(trade="[/bold]")))


def test_the_style_touches_nothing_of_the_page(lives):
    style = re.search(r"<style>(.*?)</style>", show(lives).html(), re.DOTALL)[1]
    selectors = [part.strip() for part in re.findall(r"([^{}]+)\{", style)]
    assert selectors
    assert all(selector.startswith(".attribution") for selector in selectors)


def test_it_is_saved_as_a_page_or_a_picture(lives, tmp_path):
    report = show(lives, title="The week <1>")
    page = report.save(tmp_path / "week.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "<title>The week &lt;1&gt;</title>" in page
    assert report.html() in page
    picture = report.save(str(tmp_path / "week.svg")).read_text(encoding="utf-8")
    assert ET.fromstring(picture).tag.endswith("svg")
    assert "prefers-color-scheme" in picture
    assert report.save(tmp_path / "WEEK.SVG").read_text(encoding="utf-8") == picture
    assert report.save(tmp_path / "Week.Html").read_text(encoding="utf-8") == page
    with pytest.raises(ValueError, match=r"week\.png': must end with \.html or \.svg"):
        report.save("week.png")


def test_results_are_left_as_they_were(daily):
    before = [dict(result) for result in daily]
    show(daily, by="leg", panels="day").html()
    assert daily == before


# Bad input


@pytest.mark.parametrize("name", ["by", "panels"])
def test_a_misspelt_grouping_is_told_with_the_nearest(name, daily):
    with pytest.raises(ValueError, match=rf"{name}='expiri': did you mean 'expiry'\? must be one of 'trade'"):
        show(daily, **{name: "expiri"})
    frame = pd.DataFrame([flat(result, strategy="x") for result in daily])
    with pytest.raises(ValueError, match=rf"{name}='stratgy': did you mean 'strategy'\?"):
        show(frame, **{name: "stratgy"})
    with pytest.raises(ValueError, match=rf"{name}='pnl': "):
        show(frame, **{name: "pnl"})
    with pytest.raises(ValueError, match=r"must be one of 'trade'"):
        show(summarise(daily, ["trade"]), **{name: "day"})


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("trades.csv", TypeError, "result='trades.csv': must be results"),
        (5, TypeError, "of type int"),
        ([{"pnl": 1.0}], ValueError, r"results\[0\] has no 'spot_attrib', 'vol_attrib'"),
        ([1], TypeError, r"results\[0\] is of type int"),
        (pd.DataFrame({"pnl": [1.0]}), ValueError, "the frame has no column 'spot_attrib', it has 'pnl'"),
    ],
)
def test_what_cannot_be_shown_is_told(value, error, message):
    with pytest.raises(error, match=message):
        show(value)


def test_results_and_totals_do_not_mix(lives):
    with pytest.raises(TypeError, match="mixed"):
        show([lives[0], *summarise(lives)])


def test_most_is_one_or_more(lives):
    with pytest.raises(ValueError, match="most=0: must be 1 or more"):
        show(lives, most=0)


def test_lists_are_shown_without_any_frame_library():
    program = """
import sys
from attribution.report.notebook import show
zero = dict.fromkeys(("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib", "residual", "pnl"), 0.0)
show([{"trade": "a", **zero}, {"trade": "b", **zero}]).html()
assert not {"pandas", "polars", "pyarrow", "narwhals"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=120)


def test_days_of_a_frame_may_be_instants(lives):
    frame = pd.DataFrame([flat(result, session=pd.Timestamp("2025-01-07")) for result in lives])
    report = show(frame, by="day")
    assert report.subtitle == "4 trades · 2025-01-07"
    assert [mover.name for mover in report.movers] == ["2025-01-07"]
    assert date.fromisoformat(report.movers[0].name) == date(2025, 1, 7)
