"""The canonical grammar: laws over random contracts, examples typed by hand, every error."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from attribution.errors import SymbolError
from attribution.instruments import Equity, Future, Index, Instrument, Option, Right, Settlement, Style
from attribution.symbols import format_symbol, parse_symbol
from attribution.symbols.names import find_index
from attribution.symbols.option_classes import is_index_root

LAW = settings(deadline=None)

NIFTY = Index("NIFTY", "NSE")


def _is_share_name(name: str) -> bool:
    return find_index(name) is None and not is_index_root(name)


share_names = st.one_of(
    st.sampled_from(["TCS", "M&M", "M&MFIN", "BAJAJ-AUTO", "NIFTYBEES", "BANKBEES", "360ONE", "J&KBANK"]),
    st.text("ABCXYZ0159&-.", min_size=1, max_size=12).filter(_is_share_name),
)
expiries = st.dates(min_value=date(2000, 1, 1), max_value=date(2099, 12, 31))
rights = st.sampled_from(Right)
strikes = st.one_of(
    st.floats(min_value=0.0, exclude_min=True, allow_infinity=False),
    st.integers(min_value=1, max_value=10_000_000).map(lambda ticks: ticks / 20),
    st.integers(min_value=1, max_value=10**9).map(lambda thousandths: thousandths / 1000),
)
indian_shares = st.builds(Equity, share_names, st.sampled_from(["NSE", "BSE"]))
indian_indices = st.sampled_from([NIFTY, Index("BANKNIFTY"), Index("SENSEX", "BSE"), Index("BANKEX", "BSE")])
indian_underlyings = st.one_of(indian_shares, indian_indices)
instruments = st.one_of(
    indian_underlyings,
    st.builds(Future, indian_underlyings, expiries),
    st.builds(Option, indian_underlyings, expiries, rights, strikes),
)


@LAW
@given(instruments)
def test_instrument_to_text_and_back(instrument: Instrument) -> None:
    text = format_symbol(instrument)
    assert parse_symbol(text, exchange=instrument.exchange) == instrument
    assert "e" not in text
    assert text.count("_") == 4


@LAW
@given(
    st.one_of(share_names, st.sampled_from(["NIFTY", "MIDCPNIFTY"])),
    st.dates(min_value=date(1, 1, 1)),
    rights,
    st.integers(min_value=1, max_value=10**9),
)
def test_text_to_instrument_and_back(name: str, expiry: date, right: Right, ticks: int) -> None:
    day = expiry.isoformat().replace("-", "")
    strike = f"{ticks // 100}.{ticks % 100:02}".rstrip("0").rstrip(".")
    for text in (f"{name}_FUT_{day}__", f"{name}_OPT_{day}_{right.name}_{strike}"):
        assert format_symbol(parse_symbol(text)) == text


@LAW
@given(st.builds(Equity, share_names, st.just("US")), expiries, rights, strikes)
def test_us_share_options(share: Equity, expiry: date, right: Right, strike: float) -> None:
    assume(share.name not in ("BRKB", "BFB"))
    option = Option(share, expiry, right, strike, 100.0, Style.AMERICAN)
    assert parse_symbol(format_symbol(option), exchange="US") == option


@pytest.mark.parametrize(
    ("text", "instrument"),
    [
        ("TCS_STK___", Equity("TCS")),
        ("M&M_STK___", Equity("M&M")),
        ("NIFTYBEES_STK___", Equity("NIFTYBEES")),
        ("NIFTY_IND___", NIFTY),
        ("SENSEX_IND___", Index("SENSEX", "BSE")),
        ("NIFTYIT_IND___", Index("NIFTYIT")),
        ("SPX_IND___", Index("SPX", "US")),
        ("NIFTY_FUT_20250130__", Future(NIFTY, date(2025, 1, 30))),
        ("BAJAJ-AUTO_FUT_20250130__", Future(Equity("BAJAJ-AUTO"), date(2025, 1, 30))),
        ("NIFTY_OPT_20250130_CALL_23500", Option(NIFTY, date(2025, 1, 30), Right.CALL, 23500.0)),
        ("TCS_OPT_20250130_PUT_0.625", Option(Equity("TCS"), date(2025, 1, 30), Right.PUT, 0.625)),
        ("MRF_OPT_20250130_PUT_1234567.5", Option(Equity("MRF"), date(2025, 1, 30), Right.PUT, 1234567.5)),
    ],
)
def test_examples(text: str, instrument: Instrument) -> None:
    assert parse_symbol(text) == instrument
    assert format_symbol(instrument) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("NIFTY_FUT_20250130___", "NIFTY_FUT_20250130__"),
        ("NIFTY_opt_20250130_call_23500", "NIFTY_OPT_20250130_CALL_23500"),
        (" NIFTY_OPT_20250130_Put_23500.0 ", "NIFTY_OPT_20250130_PUT_23500"),
        ("NSENIFTY_IND___", "NIFTY_IND___"),
        ("NIFTYBANK_OPT_20250130_PUT_050000.50", "BANKNIFTY_OPT_20250130_PUT_50000.5"),
    ],
)
def test_looser_spellings_are_read_and_not_written(text: str, canonical: str) -> None:
    assert format_symbol(parse_symbol(text)) == canonical
    assert parse_symbol(text) == parse_symbol(canonical)


@pytest.mark.parametrize("strike", [1e-7, 5e-324, 1e16, 1e22, 1.7976931348623157e308, 0.1 + 0.2])
def test_strikes_are_exact_and_without_exponent(strike: float) -> None:
    option = Option(NIFTY, date(2025, 1, 30), Right.CALL, strike)
    text = format_symbol(option)
    assert "e" not in text.rsplit("_", 1)[1]
    back = parse_symbol(text)
    assert isinstance(back, Option)
    assert back.strike == strike


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("TCS_STK", "2 fields where BASE_KIND_EXPIRY_RIGHT_STRIKE has 5 and a BASE, as in TCS_STK___"),
        ("_STK___", "as in TCS_STK___"),
        ("NIFTY_OPT_20250130_CALL", "4 fields"),
        ("NIFTY_OPT_20250130_CALL_23500_", "6 fields"),
        ("NIFTY_FUT_20250130____", "7 fields"),
        ("NIFTY_FUT_20250130", "as in NIFTY_FUT_20250130__"),
        ("NIFTY_XXX_20250130_CALL_23500", "kind 'XXX' is not one of STK, IND, FUT, OPT"),
        ("NIFTY_OPT_20250230_CALL_23500", "expiry '20250230' is not a date YYYYMMDD"),
        ("NIFTY_OPT_250130_CALL_23500", "expiry '250130' is not a date YYYYMMDD"),
        ("NIFTY_FUT_2025-1-3__", "is not a date YYYYMMDD"),
        ("NIFTY_FUT_２０２５０１３０__", "is not a date YYYYMMDD"),
        ("NIFTY_OPT_20250130_CE_23500", "right 'CE' is not CALL or PUT"),
        ("NIFTY_OPT_20250130_C_23500", "right 'C' is not CALL or PUT"),
        ("NIFTY_OPT_20250130__23500", "right '' is not CALL or PUT"),
        ("NIFTY_OPT_20250130_CALL_0", "strike '0' is not a positive decimal"),
        ("NIFTY_OPT_20250130_CALL_-5", "strike '-5' is not a positive decimal"),
        ("NIFTY_OPT_20250130_CALL_", "strike '' is not a positive decimal"),
        ("NIFTY_OPT_20250130_CALL_nan", "strike 'nan' is not a positive decimal"),
        ("NIFTY_OPT_20250130_CALL_1e+06", "without sign or exponent"),
        ("NIFTY_OPT_20250130_CALL_" + "9" * 400, "is not a positive decimal"),
        ("TCS_STK_20250130__", "'20250130__' where STK has empty fields"),
        ("NIFTY_FUT_20250130_CALL_", "'CALL_' where FUT has empty fields"),
        ("nifty_OPT_20250130_CALL_23500", "the name 'nifty' is not made of the characters A-Z"),
        ("BF/B_STK___", "the name 'BF/B' is not made of the characters"),
        ("NIFTY_STK___", "NIFTY is an index: write NIFTY_IND___"),
        ("NIFTYBANK_STK___", "NIFTYBANK is an index: write BANKNIFTY_IND___"),
        ("SPXW_IND___", "SPXW is a root of index options"),
        ("SPXW_FUT_20250321__", "SPXW is a root of index options"),
    ],
)
def test_errors_say_what_is_wrong_and_what_is_allowed(text: str, says: str) -> None:
    with pytest.raises(SymbolError) as caught:
        parse_symbol(text)
    assert says in str(caught.value)
    assert caught.value.value == text


@pytest.mark.parametrize(
    "instrument",
    [
        Equity("NIFTY"),
        Equity("nifty"),
        Equity("TCS", "XETR"),
        Equity("TCS", "NFO"),
        Index("SENSEX", "NSE"),
        Option(Equity("AAPL", "US"), date(2025, 1, 17), Right.CALL, 200.0, 100.0),  # shares are American
        Option(Index("NIFTYIT"), date(2025, 1, 30), Right.CALL, 40000.0),  # no options are listed on it
        Option(Index("SPX", "US"), date(2025, 1, 13), Right.CALL, 5800.0, 100.0, settlement=Settlement.OPEN),
    ],
)
def test_what_would_be_read_differently_is_not_written(instrument: Instrument) -> None:
    with pytest.raises(SymbolError):
        format_symbol(instrument)


def test_multiplier_is_not_part_of_the_text() -> None:
    assert format_symbol(Option(NIFTY, date(2025, 1, 30), Right.CALL, 23500.0, 75.0)) == (
        "NIFTY_OPT_20250130_CALL_23500"
    )


@pytest.mark.parametrize("thing", ["NIFTY", None, 7])
def test_only_instruments_have_symbols(thing):
    with pytest.raises(TypeError, match="must be an Option, a Future, an Equity or an Index"):
        format_symbol(thing)
