"""The picture: bars that hang together, numbers that can be read, words for those who listen, and nothing hidden."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.report.lettering import escaped, number_text, shortened, signed, text_width, wrapped
from attribution.report.svg import GAIN, LOSS, small_multiples_svg, waterfall_svg

SVG = "{http://www.w3.org/2000/svg}"
AMOUNTS = st.one_of(st.floats(0.01, 1e7), st.floats(-1e7, -0.01), st.sampled_from([0.0, 0.01, -0.01, 1e12, -1e12]))
WORDS = st.text(st.characters(), max_size=60)


def effects(spot=0.0, vol=0.0, time=0.0, spread=0.0, residual=0.0, **changes):
    parts = (spot, vol, time, spread)
    names = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")
    return {**dict(zip(names, parts, strict=True)), "residual": residual, "pnl": sum(parts) + residual, **changes}


def read(text):
    return ET.fromstring(text)


def texts(svg):
    return [node.text for node in svg.iter(f"{SVG}text")]


def columns(svg):
    """Each column by its name: its bar (top, bottom, colour; None without one) and the number beside it."""
    found = {}
    for group in svg.iter(f"{SVG}g"):
        bar = group.find(f"{SVG}rect")
        name = group.find(f"{SVG}title").text.rsplit(" ", 1)[0]
        label = group.find(f"{SVG}text")
        box = None
        if bar is not None:
            top = float(bar.get("y"))
            box = (top, top + float(bar.get("height")), bar.get("fill"))
        found[name] = (box, label)
    return found


def zero_of(svg):
    """The height of the line of zero: the first path drawn. [pixels]"""
    return float(re.match(r"M\S+ (\S+)H", svg.find(f"{SVG}path").get("d"))[1])


def bars(svg):
    return {name: box for name, (box, _) in columns(svg).items() if box is not None}


# Geometry


def test_the_bars_lead_from_zero_to_net():
    told = effects(100.0, -250.0, 400.0, 30.0, fees=20.0, net_pnl=260.0)
    svg = read(waterfall_svg(told, title="t"))
    assert [node for node in texts(svg) if node not in ("t", "0")] == [
        *("+100", "spot", "−250", "vol", "+400", "time", "+30", "spread"),
        *("280", "P&L", "−20", "fees", "260", "net"),
    ]
    drawn = bars(svg)
    zero = zero_of(svg)
    assert drawn["spot"][1] == pytest.approx(zero, abs=0.1)
    assert drawn["vol"][0] == pytest.approx(drawn["spot"][0], abs=0.1)
    assert drawn["time"][1] == pytest.approx(drawn["vol"][1], abs=0.1)
    assert drawn["spread"][1] == pytest.approx(drawn["time"][0], abs=0.1)
    assert drawn["P&L"][:2] == pytest.approx((drawn["spread"][0], zero), abs=0.1)
    assert drawn["fees"][0] == pytest.approx(drawn["P&L"][0], abs=0.1)
    assert drawn["net"][:2] == pytest.approx((drawn["fees"][1], zero), abs=0.1)
    assert [drawn[name][2] for name in ("spot", "vol", "fees")] == [GAIN, LOSS, LOSS]
    assert drawn["P&L"][2] == drawn["net"][2] not in (GAIN, LOSS)


@given(st.lists(AMOUNTS, min_size=4, max_size=4).filter(any))
def test_each_bar_reaches_from_where_the_last_one_ended_as_far_as_its_amount(parts):
    svg = read(waterfall_svg(effects(*parts), title="t"))
    drawn, zero = bars(svg), zero_of(svg)
    levels = [0.0, *(sum(parts[: i + 1]) for i in range(4))]
    highest, lowest = min(box[0] for box in drawn.values()), max(box[1] for box in drawn.values())
    per_unit = (lowest - highest) / (max(levels) - min(levels))
    for name, part, (start, end) in zip(("spot", "vol", "time", "spread"), parts, pairwise(levels), strict=True):
        if part == 0.0:
            assert name not in drawn
            continue
        top, bottom, colour = drawn[name]
        assert colour == (GAIN if part > 0.0 else LOSS)
        # The smallest bars are drawn a little higher than they are.
        assert (top, bottom) == pytest.approx(sorted((zero - start * per_unit, zero - end * per_unit)), abs=5.0)


@pytest.mark.parametrize(
    "told",
    [
        effects(1.0, 2.0, 3.0, 4.0),
        effects(-1.0, -2.0, -3.0, -4.0, fees=3.0, net_pnl=-13.0),
        effects(5.0, -9.0, 7.0, -12.0),
        effects(1e6, 0.01, -0.01, 2.0),
        effects(),
        effects(1e300, -2e300, 1e299, 5.0),
        effects(math.nan, 1.0, 2.0, 3.0, pnl=-2250.0),
    ],
    ids=["positive", "negative", "crossing", "tiny beside huge", "flat", "enormous", "unknown"],
)
def test_everything_stays_inside_and_no_number_covers_another(told):
    svg = read(waterfall_svg(told, title="title", subtitle="subtitle", note="note"))
    _, _, width, height = map(float, svg.get("viewBox").split())
    for rect in svg.iter(f"{SVG}rect"):
        x, y, w, h = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
    rows: dict[str, list[tuple[float, float]]] = {}
    for node in svg.iter(f"{SVG}text"):
        size, x, y = (float(node.get(name)) for name in ("font-size", "x", "y"))
        assert size <= y <= height - 2
        wide = text_width(node.text, size)
        left = {"start": x, "middle": x - wide / 2, "end": x - wide}[node.get("text-anchor")]
        assert left >= 0
        assert left + wide <= width
        if node.get("text-anchor") == "middle":
            rows.setdefault(node.get("y"), []).append((left, left + wide))
    for row in rows.values():
        for (_, right), (left, _) in pairwise(sorted(row)):
            assert right <= left


def test_the_line_of_zero_crosses_no_number():
    for told in (effects(3566.0, 20000.0, fees=150.0, net_pnl=23416.0), effects(-900.0, 870.0, -9000.0)):
        svg = read(waterfall_svg(told, title=""))
        zero = zero_of(svg)
        for name, (_, label) in columns(svg).items():
            size, base = float(label.get("font-size")), float(label.get("y"))
            assert not base - 0.75 * size < zero < base, name


@pytest.mark.parametrize("value", [0.01, -0.01])
def test_the_smallest_amount_still_shows_and_nothing_is_drawn_for_nothing(value):
    drawn = bars(read(waterfall_svg(effects(1e6, value), title="t")))
    assert drawn["vol"][1] - drawn["vol"][0] > 1.0
    assert drawn["vol"][2] == (GAIN if value > 0 else LOSS)
    assert "time" not in drawn


# What is told


def test_the_residual_is_a_column_only_where_it_is_not_rounding():
    assert "residual" not in texts(read(waterfall_svg(effects(10.0, residual=1e-9), title="t")))
    assert "residual" in texts(read(waterfall_svg(effects(10.0, residual=3.0), title="t")))


def test_fees_and_net_stand_only_where_there_are_fees():
    assert "fees" not in texts(read(waterfall_svg(effects(10.0, fees=0.0, net_pnl=10.0), title="t")))
    told = texts(read(waterfall_svg(effects(10.0, fees=-2.0), title="t")))
    assert told[told.index("fees") - 1] == "+2"
    assert told[told.index("net") - 1] == "12"


def test_an_unknown_cause_has_no_bar_and_no_zero():
    svg = read(waterfall_svg(effects(5.0, math.nan, 7.0, 9.0, pnl=-2250.0), title="t", note="missing_price: why"))
    assert list(bars(svg)) == ["P&L"]
    told = texts(svg)
    assert told[told.index("vol") - 1] == "unknown"
    assert told[told.index("time") - 1] == "+7"
    assert told[told.index("P&L") - 1] == "−2,250"
    assert "missing_price: why" in told


def test_all_unknown_is_said_five_times():
    svg = read(waterfall_svg(effects(*[math.nan] * 4, fees=12.0), title="t"))
    assert bars(svg) == {}
    assert texts(svg).count("unknown") == 5
    assert "fees" not in texts(svg)


def test_unknown_fees_make_the_net_unknown():
    told = texts(read(waterfall_svg(effects(10.0, fees=None, net_pnl=math.nan), title="t")))
    assert told[told.index("fees") - 1] == told[told.index("net") - 1] == "unknown"


def test_a_missing_effect_is_told():
    with pytest.raises(ValueError, match="effects has no 'vol_attrib': it has 'spot_attrib'"):
        waterfall_svg({"spot_attrib": 1.0}, title="t")


def test_infinity_and_none_are_unknown():
    for value in (math.inf, -math.inf, None):
        told = effects(1.0)
        told["vol_attrib"] = value
        assert list(bars(read(waterfall_svg(told, title="t")))) == ["P&L"]


def test_parts_that_do_not_make_the_pnl_are_exposed():
    assert any(
        "differ from the P&L by −10" in text for text in texts(read(waterfall_svg(effects(10.0, pnl=20.0), title="")))
    )
    assert not any("differ" in text for text in texts(read(waterfall_svg(effects(10.0, residual=0.004), title=""))))


def test_causes_of_ones_own():
    told = {"carried": 5.0, "edge": -2.0, "pnl": 3.0}
    svg = read(waterfall_svg(told, title="t", causes={"carried": "carried lots", "edge": "trading edge"}))
    assert list(bars(svg)) == ["carried lots", "trading edge", "P&L"]
    with pytest.raises(ValueError, match=r"effects has no 'edges': it has 'carried', 'edge', 'pnl'"):
        waterfall_svg(told, title="t", causes={"edges": "x"})


def test_without_a_pnl_the_causes_are_summed():
    told = effects(10.0, -4.0)
    del told["pnl"]
    assert "6" in texts(read(waterfall_svg(told, title="t")))


def test_whoever_listens_hears_every_number_to_the_cent():
    svg = read(waterfall_svg(effects(-22765.456, 8183.28, fees=660.0), title="My <week>", subtitle="four trades"))
    title, description = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
    assert svg.get("role") == "img"
    assert svg.get("aria-labelledby").split() == [title.get("id"), description.get("id")]
    assert title.text == "My <week>"
    assert description.text.startswith("four trades Waterfall: from zero spot −22,765.46, vol +8,183.28, time 0.00")
    assert "P&L −14,582.18, fees −660.00, net −15,242.18" in description.text


# Text


@given(WORDS, WORDS, WORDS, st.dictionaries(WORDS, st.just(effects(1.0, -2.0)), min_size=1, max_size=3))
def test_any_text_makes_a_well_formed_picture_and_no_element_of_its_own(title, subtitle, note, groups):
    for text in (
        waterfall_svg(effects(1.0), title=title, subtitle=subtitle, note=note, theme="auto"),
        small_multiples_svg(groups, title=title, subtitle=subtitle, note=note),
    ):
        tags = {node.tag.removeprefix(SVG) for node in read(text).iter()}
        assert tags <= {"svg", "title", "desc", "g", "path", "rect", "text", "style"}


def test_markup_in_a_name_is_text():
    text = waterfall_svg(effects(1.0), title='<script>alert("1")</script>&\x00')
    assert "<script" not in text
    assert read(text).find(f"{SVG}title").text == '<script>alert("1")</script>&�'
    assert escaped("a'\"<\ud800") == "a&#x27;&quot;&lt;�"


@pytest.mark.parametrize(
    ("value", "plain", "with_sign"),
    [
        (0.0, "0", "0"),
        (-0.0, "0", "0"),
        (12.5, "12.50", "+12.50"),
        (-0.001, "0.00", "0.00"),
        (0.001, "0.00", "0.00"),
        (-1234.6, "−1,235", "−1,235"),
        (1e7, "10,000,000", "+10,000,000"),
        (-2e15, "−2.000e+15", "−2.000e+15"),
        (math.nan, "unknown", "unknown"),
        (math.inf, "unknown", "unknown"),
    ],
)
def test_numbers(value, plain, with_sign):
    assert number_text(value) == plain
    assert signed(value) == with_sign


@given(WORDS, st.floats(20, 400), st.integers(1, 4))
def test_text_keeps_to_its_room(text, room, most):
    assert text_width(shortened(text, room, 12.0), 12.0) <= max(room, text_width("…", 12.0))
    lines = wrapped(text, room, 12.0, most=most)
    assert len(lines) <= most
    assert shortened("short", 400, 12.0) == "short"


# The page around it


def test_the_same_input_is_the_same_text_and_two_pictures_share_no_name():
    one, other = effects(1.0, 2.0), effects(1.0, 3.0)
    assert waterfall_svg(one, title="t") == waterfall_svg(dict(one), title="t")
    names = [read(waterfall_svg(told, title="t")).find(f"{SVG}desc").get("id") for told in (one, other)]
    assert names[0] != names[1]


def test_on_a_page_it_has_no_colours_of_text_and_no_style_that_could_leak():
    text = waterfall_svg(effects(1.0, -2.0, fees=1.0), title="t")
    assert "<style" not in text
    assert set(re.findall(r'(?:fill|stroke|color)="([^"]+)"', text)) == {"currentColor", GAIN, LOSS, "#5b7fa6"}
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_a_file_follows_light_and_dark_by_itself():
    text = waterfall_svg(effects(1.0), title="t", theme="auto")
    assert "prefers-color-scheme:dark" in text
    assert 'class="card"' in text
    assert 'fill="#0d1117"' in waterfall_svg(effects(1.0), title="t", theme="dark")
    with pytest.raises(ValueError, match="theme='night': must be"):
        waterfall_svg(effects(1.0), title="t", theme="night")


def _linear(colour):
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def _luminance(colour):
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), _linear(colour), strict=True))


@pytest.mark.parametrize("paper", ["#ffffff", "#0d1117", "#1e1e1e", "#111111"])
@pytest.mark.parametrize("colour", [GAIN, LOSS, "#5b7fa6"])
def test_bars_stand_out_on_light_and_on_dark(colour, paper):
    low, high = sorted((_luminance(colour), _luminance(paper)))
    assert (high + 0.05) / (low + 0.05) >= 3.0


# Linear RGB as seen without the red, and without the green cones (Viénot, Brettel and Mollon, 1999).
PROTANOPE = ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0))
DEUTERANOPE = ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0))


@pytest.mark.parametrize("eye", [PROTANOPE, DEUTERANOPE], ids=["protanope", "deuteranope"])
def test_gain_and_loss_differ_for_every_eye(eye):
    gain, loss = (_lab(_times(eye, _linear(colour))) for colour in (GAIN, LOSS))
    assert math.dist(gain, loss) > 30  # 2 is just seen


def _times(matrix, vector):
    return [sum(m * v for m, v in zip(row, vector, strict=True)) for row in matrix]


def _lab(rgb):
    """CIE L*a*b* of linear sRGB, for the white of daylight."""
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    x, y, z = (
        max(v / white, 0.0) ** (1 / 3) for v, white in zip(_times(to_xyz, rgb), (0.9505, 1.0, 1.089), strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


# Small multiples


def test_small_multiples_share_one_scale():
    groups = {"big": effects(1000.0, 500.0), "small": effects(100.0, 50.0)}
    heights = [box[1] - box[0] for box in _panel_bars(small_multiples_svg(groups, title="t"))]
    assert heights[0] == pytest.approx(10 * heights[3], rel=0.05)
    own = [box[1] - box[0] for box in _panel_bars(small_multiples_svg(groups, title="t", same_scale=False))]
    assert own[:3] == pytest.approx(own[3:])


def _panel_bars(text):
    rects = read(text).iter(f"{SVG}rect")
    return [(float(r.get("y")), float(r.get("y")) + float(r.get("height"))) for r in rects]


def test_every_group_has_the_same_columns_and_its_name():
    groups = {"a": effects(1.0, fees=2.0), "b": effects(3.0, residual=1.0), "c": effects(math.nan)}
    told = texts(read(small_multiples_svg(groups, title="t")))
    for name in ("a", "b", "c"):
        assert name in told
    for label in ("spot", "residual", "P&L", "fees", "net"):
        assert told.count(label) == 3
    description = read(small_multiples_svg(groups, title="t")).find(f"{SVG}desc").text
    assert "a: from zero spot +1.00" in description
    assert "c: from zero spot unknown" in description


def test_fees_beside_an_unknown_pnl_are_no_zero():
    lost = [math.nan] * 4
    groups = {"a": effects(1.0, fees=2.0), "b": effects(*lost, fees=90.0), "c": effects(*lost, fees=math.nan)}
    told = texts(read(small_multiples_svg(groups, title="t")))
    beside = [told[i - 1] for i, text in enumerate(told) if text == "fees"]
    assert beside == ["−2", "−90", "unknown"]


@pytest.mark.parametrize(
    ("count", "columns", "rows"),
    [(1, None, [1]), (2, None, [2]), (4, None, [2, 2]), (5, None, [3, 2]), (7, None, [3, 3, 1]), (5, 2, [2, 2, 1])],
)
def test_panels_fill_their_lines_evenly(count, columns, rows):
    groups = {str(i): effects(100.0, 5.0, fees=1.0) for i in range(count)}
    svg = read(small_multiples_svg(groups, title="t", columns=columns))
    heights = [node.get("y") for node in svg.iter(f"{SVG}text") if node.get("font-size") == "13"]
    assert list(Counter(heights).values()) == rows


@pytest.mark.parametrize(
    ("groups", "columns", "message"), [({}, None, "at least one"), ({"a": effects()}, 0, "columns=0")]
)
def test_small_multiples_of_nothing(groups, columns, message):
    with pytest.raises(ValueError, match=message):
        small_multiples_svg(groups, title="t", columns=columns)
