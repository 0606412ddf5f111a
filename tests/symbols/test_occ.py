"""The OCC grammar: exact round trips, index classes, adjusted roots."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.errors import SymbolError
from attribution.instruments import Equity, Index, Option, Right, Settlement, Style
from attribution.symbols import format_occ, format_symbol, is_adjusted, parse_occ, parse_symbol

LAW = settings(deadline=None)

AM_ROOTS = ["SPX", "NDX", "RUT"]
ANY_DATE_ROOTS = [
    "SPXW",
    "NDXP",
    "RUTW",
    "XSP",
    "MRUT",
    "XND",
    "NQX",
    "OEX",
    "XEO",
    "DJX",
    "RUI",
    "RLG",
    "RLV",
]


def _third_friday(year: int, month: int) -> date:
    fridays = [date(year, month, day) for day in range(15, 22) if date(year, month, day).weekday() == 4]
    return fridays[0]


share_roots = st.one_of(
    st.sampled_from(["F", "SPY", "GOOGL", "BRKB", "BFB", "XOM2", "AMZN7", "ABCDE1"]),
    st.from_regex(r"[A-Z]{1,4}[1-9]?", fullmatch=True).filter(
        lambda root: root not in {*AM_ROOTS, *ANY_DATE_ROOTS, "VIX", "VIXW"}
    ),
)
dates = st.dates(min_value=date(2000, 1, 1), max_value=date(2099, 12, 31))
# Months whose third Friday is a session: Good Friday and Juneteenth have their own test.
monthly_dates = st.builds(_third_friday, st.integers(2016, 2028), st.sampled_from([1, 2, 5, 7, 8, 9, 10, 11, 12]))
listed = st.one_of(
    st.tuples(share_roots, dates),
    st.tuples(st.sampled_from(ANY_DATE_ROOTS), dates),
    st.tuples(st.sampled_from(AM_ROOTS), monthly_dates),
)


@LAW
@given(listed, st.sampled_from("CP"), st.integers(1, 99_999_999))
def test_text_to_option_and_back(root_and_date: tuple[str, date], right: str, thousandths: int) -> None:
    root, expiry = root_and_date
    tail = f"{expiry:%y%m%d}{right}{thousandths:08}"
    unpadded, padded = root + tail, root.ljust(6) + tail
    option = parse_occ(unpadded)
    assert parse_occ(padded) == option
    assert format_occ(option) == unpadded
    assert format_occ(option, padded=True) == padded
    assert parse_symbol(unpadded) == parse_symbol(padded, exchange="OPRA") == option
    assert parse_symbol(format_symbol(option), exchange="US") == option


def test_examples() -> None:
    spxw = Option(Index("SPX", "US"), date(2023, 1, 13), Right.PUT, 3965.0, 100.0, Style.EUROPEAN, Settlement.CLOSE)
    assert parse_symbol("SPXW  230113P03965000") == spxw
    assert parse_symbol("SPXW230113P03965000") == spxw
    assert format_symbol(spxw) == "SPXW_OPT_20230113_PUT_3965"
    spy = Option(Equity("SPY", "US"), date(2024, 1, 19), Right.CALL, 450.5, 100.0, Style.AMERICAN)
    assert parse_symbol("SPY240119C00450500") == spy
    assert format_symbol(spy) == "SPY_OPT_20240119_CALL_450.5"


@pytest.mark.parametrize(
    ("text", "underlying", "style", "settlement"),
    [
        ("SPX230120P03965000", "SPX", Style.EUROPEAN, Settlement.OPEN),
        ("SPXW230120P03965000", "SPX", Style.EUROPEAN, Settlement.CLOSE),
        ("NDX230120P11000000", "NDX", Style.EUROPEAN, Settlement.OPEN),
        ("NDXP230120P11000000", "NDX", Style.EUROPEAN, Settlement.CLOSE),
        ("RUTW230113P01800000", "RUT", Style.EUROPEAN, Settlement.CLOSE),
        ("VIX230118C00020000", "VIX", Style.EUROPEAN, Settlement.OPEN),
        ("VIXW230111C00020000", "VIX", Style.EUROPEAN, Settlement.OPEN),
        ("XSP230120C00400000", "XSP", Style.EUROPEAN, Settlement.CLOSE),
        ("OEX230120C01800000", "OEX", Style.AMERICAN, Settlement.CLOSE),
        ("XEO230120C01800000", "OEX", Style.EUROPEAN, Settlement.CLOSE),
        ("DJX230120C00340000", "DJX", Style.EUROPEAN, Settlement.OPEN),
    ],
)
def test_index_classes(text: str, underlying: str, style: Style, settlement: Settlement) -> None:
    option = parse_occ(text)
    assert option.underlying == Index(underlying, "US")
    assert (option.style, option.settlement, option.multiplier) == (style, settlement, 100.0)
    assert format_occ(option) == text
    assert parse_symbol(format_symbol(option)) == option


def test_open_and_close_settled_contracts_of_one_date_differ() -> None:
    am, pm = parse_occ("SPX230120P03965000"), parse_occ("SPXW230120P03965000")
    assert am != pm
    assert am.underlying == pm.underlying
    assert (am.expires_at.hour, am.expires_at.minute) == (9, 30)
    assert (pm.expires_at.hour, pm.expires_at.minute) == (16, 0)
    assert format_symbol(am) == "SPX_OPT_20230120_PUT_3965"
    assert format_symbol(pm) == "SPXW_OPT_20230120_PUT_3965"


@pytest.mark.parametrize(
    ("expiry", "settlement"),
    [
        ("230120", Settlement.OPEN),  # third Friday
        ("230119", Settlement.CLOSE),  # the Thursday before it
        ("230121", Settlement.CLOSE),
        ("230123", Settlement.CLOSE),  # a Monday: nothing is open-settled then
        ("250417", Settlement.OPEN),  # the third Friday is Good Friday
        ("260618", Settlement.OPEN),  # the third Friday is Juneteenth
        ("130119", Settlement.OPEN),  # Saturday expiries of old
        ("130117", Settlement.CLOSE),
    ],
)
def test_spx_is_open_settled_on_monthly_dates_only(expiry: str, settlement: Settlement) -> None:
    assert parse_occ(f"SPX{expiry}P04000000").settlement is settlement


@pytest.mark.parametrize(
    ("expiry", "root"),
    [
        ("230118", "VIX"),
        ("230111", "VIXW"),
        ("231220", "VIX"),  # thirty days before a third Friday of the next year
        ("190319", "VIX"),  # thirty days before Good Friday would be the 20th
    ],
)
def test_vix_monthlies_and_weeklies(expiry: str, root: str) -> None:
    option = parse_occ(f"{root}{expiry}C00020000")
    assert format_occ(option) == f"{root}{expiry}C00020000"
    assert format_symbol(option).startswith(f"{root}_OPT_")
    # The two roots mean the same contract, so either is read.
    assert parse_occ(f"VIX{expiry}C00020000") == parse_occ(f"VIXW{expiry}C00020000") == option


def test_adjusted_roots_are_other_contracts() -> None:
    adjusted, standard = parse_occ("XOM2241220P00280000"), parse_occ("XOM241220P00280000")
    assert adjusted != standard
    assert adjusted.underlying == Equity("XOM2", "US")
    assert is_adjusted(adjusted)
    assert not is_adjusted(standard)
    assert format_occ(adjusted, padded=True) == "XOM2  241220P00280000"
    assert format_symbol(adjusted) == "XOM2_OPT_20241220_PUT_280"
    assert parse_symbol("XOM2_OPT_20241220_PUT_280", exchange="US") == adjusted


def test_only_us_share_options_can_be_adjusted() -> None:
    assert not is_adjusted(Equity("XOM2", "US"))
    assert not is_adjusted(parse_symbol("ABC2_OPT_20250130_CALL_100"))
    assert not is_adjusted(parse_occ("SPXW230113P03965000"))


def test_share_classes_whose_root_is_not_their_ticker() -> None:
    option = parse_occ("BRKB230120C00300000")
    assert option.underlying == Equity("BRK.B", "US")
    assert format_symbol(option) == "BRK.B_OPT_20230120_CALL_300"
    for text in ("BRK.B_OPT_20230120_CALL_300", "BRKB_OPT_20230120_CALL_300"):
        assert parse_symbol(text, exchange="US") == option
    assert parse_symbol("BRKB_STK___", exchange="US") == Equity("BRK.B", "US")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SPXW230113X03965000", "not an OCC symbol: root, YYMMDD, C or P, 8 digits of strike"),
        ("spxw230113P03965000", "not an OCC symbol"),
        ("SPXW230113P3965000", "not an OCC symbol"),
        ("230113P03965000", "not an OCC symbol"),
        ("O:SPXW230113P03965000", "not an OCC symbol"),
        ("SPXW230113P03965000?1", "not an OCC symbol"),
        ("SPXW230231P03965000", "expiry 230231 is not a date YYMMDD"),
        ("SPXW230113P00000000", "strike 00000000 is not positive"),
        ("SPXW 230113P03965000", "padded to 5 places: pad to 6 or not at all"),
        ("ABCDEFG230113P03965000", "root 'ABCDEFG' is not 1 to 6 letters"),
        ("AB1C230113P03965000", "root 'AB1C' is not 1 to 6 letters"),
        ("4SPX230113P03965000", "root 4SPX is a FLEX contract"),
    ],
)
def test_errors(text: str, says: str) -> None:
    with pytest.raises(SymbolError) as caught:
        parse_occ(text)
    assert says in str(caught.value)


SPY = Equity("SPY", "US")
DAY = date(2024, 1, 19)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (Option(Equity("SPY"), DAY, Right.CALL, 450.0), "an option on the US exchange"),
        (Option(SPY, date(2100, 1, 15), Right.CALL, 450.0), "two digits of the year"),
        (Option(SPY, DAY, Right.CALL, 450.0001), "a strike in whole thousandths up to 99999.999"),
        (Option(SPY, DAY, Right.CALL, 100_000.0), "a strike in whole thousandths up to 99999.999"),
        (Option(SPY, DAY, Right.CALL, 0.0001), "a strike in whole thousandths"),
        (Option(Equity("MOG.A", "US"), DAY, Right.CALL, 450.0), "MOG.A is none"),
        (Option(SPY, DAY, Right.CALL, 450.0), "no symbol can name it"),  # European options on it do not exist
        (Option(Index("SPX", "US"), DAY, Right.CALL, 4500.0, style=Style.AMERICAN), "no symbol can name it"),
        (SPY, "an option"),
    ],
)
def test_what_cannot_be_written(option: Option, says: str) -> None:
    with pytest.raises(SymbolError, match=says):
        format_occ(option)


def test_every_weekday_of_a_month_round_trips_for_listed_spx_classes() -> None:
    for offset in range(31):
        day = date(2025, 3, 1) + timedelta(days=offset)
        option = parse_occ(f"SPX{day:%y%m%d}C05600000")
        expected = "SPX" if day == date(2025, 3, 21) else "SPXW"
        assert format_occ(option) == f"{expected}{day:%y%m%d}C05600000"
