import math

import pytest

from attribution.report.figures import adds_up, amount, name_of, parts_shown, rough_amount, totals


def row(spot=1.0, vol=2.0, time=3.0, spread=4.0, residual=0.0, pnl=10.0):
    return {
        "spot_attrib": spot,
        "vol_attrib": vol,
        "timedecay_attrib": time,
        "spread_attrib": spread,
        "residual": residual,
        "pnl": pnl,
        "fees": 0.0,
        "net_pnl": pnl,
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (-0.0, "0.00"),
        (-0.001, "0.00"),
        (-1234.5, "-1,234.50"),
        (1e7, "10,000,000.00"),
        (math.nan, "unknown"),
    ],
)
def test_amount(value, text):
    assert amount(value) == text


@pytest.mark.parametrize(("value", "text"), [(-12340.4, "12,340"), (57.216, "57.22"), (90.0, "90"), (99.6, "100")])
def test_rough_amount(value, text):
    assert rough_amount(value) == text


def test_residual_is_shown_only_if_there_is_one_to_speak_of():
    assert "residual" not in parts_shown([row(residual=-9e-13)])
    assert "residual" in parts_shown([row(), row(residual=1.0, pnl=11.0)])


def test_adds_up():
    assert adds_up(row())
    assert not adds_up(row(pnl=10.01))
    assert not adds_up(row(vol=math.nan))


def test_totals_keep_the_unknown_unknown():
    assert totals([row(), row()])["pnl"] == 20.0
    assert math.isnan(totals([row(), row(vol=math.nan)])["vol_attrib"])


def test_name_of():
    assert name_of({"trade": "a", "symbol": "b"}) == "a"
    assert name_of({"trade": None, "symbol": "b"}) == "b"
    assert name_of({"trade": None, "symbol": None, "row": 4}) == "row 5"
