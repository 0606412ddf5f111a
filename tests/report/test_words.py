import math

import pytest

from attribution.report import sentence


def test_what_moved_and_what_it_did(result):
    assert sentence(result()) == (
        "NIFTY rose 1.9 % (23,742.90 → 24,188.65) and implied vol fell 0.8 points: the move cost 12,340, "
        "decay earned 3,210 and vol earned 1,000; a loss of 8,130 in all."
    )


def test_several_sorts_of_legs(result, leg):
    legs = {
        "NIFTY_OPT_20250130_CALL_24000": leg((-300.0, 0.0, 100.0, 0.0)),
        "NIFTY_OPT_20250130_CALL_24100": leg((-300.0, 0.0, 100.0, 0.0), vol1=0.139),
        "NIFTY_OPT_20250130_PUT_23000": leg((150.0, 0.0, -50.0, 0.0), quantity=75.0),
    }
    text = sentence(result(legs))
    assert "implied vols fell 0.3 to 0.8 points" in text
    assert text.endswith("a loss of 300 in all (short calls -400, long put +100).")
    assert "(short" not in sentence(result(legs), by_leg=False)


@pytest.mark.parametrize(
    ("vols", "words"),
    [
        (((0.14, 0.14), (0.15, 0.15)), "implied vol hardly moved"),
        (((0.14, 0.15), (0.15, 0.16)), "implied vol rose 1.0 point:"),
        (((0.14, 0.13), (0.15, 0.16)), "implied vols moved by -1.0 to +1.0 points"),
        (((0.14, math.nan), (0.15, 0.12)), "implied vol fell 3.0 points"),
    ],
)
def test_vol_words(result, leg, vols, words):
    legs = {
        f"NIFTY_OPT_20250130_CALL_{24000 + i}": leg((1.0, 1.0, 1.0, 0.0), vol0=v0, vol1=v1)
        for i, (v0, v1) in enumerate(vols)
    }
    assert words in sentence(result(legs))


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (23742.90, "NIFTY stood still at 23,742.90"),
        (23744.00, "NIFTY hardly moved"),
        (23000.0, "NIFTY fell 3.1 % (23,742.90 → 23,000.00)"),
    ],
)
def test_move_words(result, leg, end, words):
    assert words in sentence(result({"NIFTY_FUT_20250130__": leg((1.0, 0, 0, 0), spot1=end)}))


def test_several_underlyings(result, leg):
    legs = {
        "NIFTY_FUT_20250130__": leg((10.0, 0, 0, 2.0)),
        "TCS_STK___": leg((5.0, 0, 0, 0), underlying="TCS_STK___", spot0=100.0, spot1=90.0),
    }
    assert sentence(result(legs)).startswith("NIFTY rose 1.9 % (23,742.90 → 24,188.65) and TCS fell 10.0 %")


def test_expiries(result, leg):
    gone = {"flags": ("vol_borrowed", "expired_in_window"), "vol1": math.nan}
    legs = {
        "NIFTY_OPT_20250109_CALL_23600": leg((10.0, 0, 5.0, 0), price1=0.0, **gone),
        "NIFTY_OPT_20250109_PUT_23600": leg((10.0, 0, 5.0, 0), price1=73.5, **gone),
    }
    text = sentence(result(legs))
    assert "the 23,600 put settled at 73.50 and the 23,600 call expired worthless" in text
    assert "implied vol" not in text
    worthless = {symbol.replace("23600", k): {**legs[symbol], "price1": 0.0} for symbol in legs for k in ("1", "2")}
    assert "all four options expired worthless" in sentence(result(worthless))


def test_spread_is_named_for_what_it_is(result, leg):
    basis = {"NIFTY_FUT_20250130__": leg((1.0, 0, 0, 50.0), plays_spot="spot and future")}
    assert "the basis earned 50" in sentence(result(basis))
    stale = {"NIFTY_OPT_20250130_CALL_20000": leg((1.0, 0, 0, -50.0), flags=("below_intrinsic",))}
    assert "stale marks cost 50" in sentence(result(stale))
    gap = result(combo_gap=-75.0, spread_attrib=-75.0)
    assert "the gap to the legs' prices cost 75" in sentence(gap)


def test_fees_and_residual(result):
    text = sentence(result(fees=130.0, residual=500.0, pnl=-7630.0))
    assert "500.00 is left unexplained" in text
    assert "a loss of 7,630 in all, 7,760 after fees of 130" in text
    turned = sentence(result(pnl=100.0, residual=8230.0, fees=130.0))
    assert "a profit of 100 in all, a loss of 30 after fees of 130" in turned


def test_unknown_says_why_and_shows_no_zero(unknown):
    text = sentence(unknown())
    assert text == "Not explained (missing_price: price of X at 2025-01-06: no close)."
    assert sentence(unknown(pnl=-2250.0)).startswith("The P&L is -2,250.00, but what caused it is unknown")


@pytest.mark.parametrize(("status", "word"), [("expired", "expired"), ("closed", "closed"), ("not_open", "not open")])
def test_nothing_to_explain(result, leg, status, word):
    assert word in sentence(result({"TCS_STK___": leg()}, status=status))


def test_zero_day_and_empty_window(result, leg):
    still = leg(spot1=23742.90, vol1=0.142)
    assert "nothing was gained or lost; neither profit nor loss in all" in sentence(
        result({"NIFTY_OPT_20250130_CALL_24000": still})
    )
    same = result()["window"] | {"end": result()["window"]["start"]}
    assert sentence(result(window=same)).startswith("It was opened at 2025-01-03 15:30")


def test_unreadable_leg_keeps_its_own_text(result, leg):
    legs = {"WHAT EVER": leg((1.0, 0, 0, 0), underlying="WHAT EVER"), "TCS_STK___": leg((1.0, 0, 0, 0))}
    assert "short WHAT EVER +1" in sentence(result(legs))
