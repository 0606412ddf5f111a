"""Kite's trading symbols: both ways, and never a guessed day of expiry."""

from __future__ import annotations

import contextlib
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.errors import SymbolError
from attribution.instruments import Equity, Future, Index, Instrument, Option, Right
from attribution.symbols import format_zerodha, parse_symbol, parse_zerodha
from attribution.symbols.names import find_index

LAW = settings(deadline=None)
NIFTY = Index("NIFTY", "NSE")
SENSEX = Index("SENSEX", "BSE")
EXPIRIES = {
    ("NIFTY", 2025, 1): date(2025, 1, 30),
    ("NIFTY", 2025, 11): date(2025, 11, 25),
    ("NIFTYNXT50", 2025, 11): date(2025, 11, 25),
    ("SENSEX", 2025, 11): date(2025, 11, 27),
    ("RELIANCE", 2025, 11): date(2025, 11, 25),
    ("VEDL", 2025, 11): date(2025, 11, 25),
}


@pytest.mark.parametrize(
    ("text", "instrument"),
    [
        ("NIFTY25N1826000CE", Option(NIFTY, date(2025, 11, 18), Right.CALL, 26000.0)),
        ("NIFTY25O0724800PE", Option(NIFTY, date(2025, 10, 7), Right.PUT, 24800.0)),
        ("NIFTY25D0226000CE", Option(NIFTY, date(2025, 12, 2), Right.CALL, 26000.0)),
        ("NIFTY2512326000CE", Option(NIFTY, date(2025, 1, 23), Right.CALL, 26000.0)),
        ("NIFTY25N2526000CE", Option(NIFTY, date(2025, 11, 25), Right.CALL, 26000.0)),
        ("NIFTY25NOV26000CE", Option(NIFTY, date(2025, 11, 25), Right.CALL, 26000.0)),
        ("NIFTY25NOVFUT", Future(NIFTY, date(2025, 11, 25))),
        ("SENSEX25N2084000CE", Option(SENSEX, date(2025, 11, 20), Right.CALL, 84000.0)),
        ("SENSEX25NOV84000PE", Option(SENSEX, date(2025, 11, 27), Right.PUT, 84000.0)),
        ("NIFTYNXT5025NOV65000CE", Option(Index("NIFTYNXT50", "NSE"), date(2025, 11, 25), Right.CALL, 65000.0)),
        ("NIFTYNXT5025N1865000CE", Option(Index("NIFTYNXT50", "NSE"), date(2025, 11, 18), Right.CALL, 65000.0)),
        ("RELIANCE25NOV1500CE", Option(Equity("RELIANCE"), date(2025, 11, 25), Right.CALL, 1500.0)),
        ("VEDL25NOV292.5PE", Option(Equity("VEDL"), date(2025, 11, 25), Right.PUT, 292.5)),
        ("RELIANCE", Equity("RELIANCE")),
        ("M&M", Equity("M&M")),
        ("NIFTY 50", NIFTY),
        ("BAJFINANCE", Equity("BAJFINANCE")),  # it merely ends like a call
    ],
)
def test_examples(text: str, instrument: Instrument) -> None:
    assert parse_zerodha(text, expiries=EXPIRIES, exchange=instrument.exchange) == instrument
    assert parse_zerodha(f" {text} ", expiries=lambda *key: EXPIRIES.get(key)) == instrument


def test_without_the_day_comes_first() -> None:
    """As a weekly symbol the text would be a name ``ABC25NOV`` with an expiry on 2025-01-05."""
    with pytest.raises(SymbolError, match="last expiry in 2025-11"):
        parse_zerodha("ABC25NOV251051550CE")
    option = parse_zerodha("ABC25NOV251051550CE", expiry=date(2025, 11, 25))
    assert isinstance(option, Option)
    assert (option.underlying, option.strike) == (Equity("ABC"), 251051550.0)


@pytest.mark.parametrize("text", ["NIFTY25NOV26000CE", "NIFTY25NOVFUT", "RELIANCE25NOV1500CE"])
def test_a_missing_day_is_asked_for_never_computed(text: str) -> None:
    for expiries in (None, {}, {("NIFTY", 2025, 12): date(2025, 12, 30)}, lambda *key: None):
        with pytest.raises(
            SymbolError, match=r"last expiry in 2025-11, which .* does not hold: give expiry=, or expir"
        ):
            parse_zerodha(text, expiries=expiries)
    told = parse_zerodha(text, expiry=date(2025, 11, 25))
    assert isinstance(told, Option | Future)
    assert told.expiry == date(2025, 11, 25)


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("NIFTY25N1826000CE", {"expiry": date(2025, 11, 25)}, "expires on 2025-11-18"),
        ("NIFTY25NOV26000CE", {"expiry": date(2025, 12, 30)}, "expires in 2025-11"),
        ("NIFTY25NOV26000CE", {"expiries": {("NIFTY", 2025, 11): date(2025, 10, 28)}}, "expires in 2025-11"),
        ("NIFTY25NOV26000CE", {"exchange": "BFO", "expiry": date(2025, 11, 25)}, "at home on NSE"),
        ("SENSEX25N2084000CE", {"exchange": "NFO"}, "at home on BSE"),
        ("SPX25N2084000CE", {}, "at home on US"),
        ("NIFTY25N3126000CE", {}, "no trading symbol of Kite"),
        ("NIFTY25N1800000CE", {}, "no trading symbol of Kite"),
        ("NIFTY25NOX26000CE", {}, "no trading symbol of Kite"),
        ("NIFTY25XYZFUT", {}, "no trading symbol of Kite"),
        ("NIFTY25NOV0.0CE", {"expiry": date(2025, 11, 25)}, "strike 0.0 is not a positive number"),
        (f"NIFTY25NOV{'9' * 400}CE", {"expiry": date(2025, 11, 25)}, "strike inf is not a positive number"),
        (None, {}, "text, such as"),
        ("NIFTY_IND___", {}, "is not made of the characters"),
        ("", {}, "is not made of the characters"),
    ],
)
def test_errors(text: str, arguments: dict[str, object], says: str) -> None:
    with pytest.raises(SymbolError, match=says):
        parse_zerodha(text, **arguments)  # type: ignore[arg-type]


def test_an_index_option_is_written_by_the_table() -> None:
    weekly, monthly = (Option(NIFTY, date(2025, 11, day), Right.CALL, 26000.0) for day in (18, 25))
    assert format_zerodha(weekly, expiries=EXPIRIES) == "NIFTY25N1826000CE"
    assert format_zerodha(monthly, expiries=EXPIRIES) == "NIFTY25NOV26000CE"
    assert format_zerodha(weekly, monthly=False) == "NIFTY25N1826000CE"
    assert format_zerodha(monthly, monthly=True) == "NIFTY25NOV26000CE"
    with pytest.raises(SymbolError, match="give monthly=, or expiries= that knows it"):
        format_zerodha(monthly)


def test_options_on_shares_are_of_the_months_last_expiry() -> None:
    option = Option(Equity("VEDL"), date(2025, 11, 25), Right.PUT, 292.5)
    assert format_zerodha(option) == "VEDL25NOV292.5PE"
    assert format_zerodha(Future(Equity("VEDL"), date(2025, 11, 25))) == "VEDL25NOVFUT"
    assert format_zerodha(Equity("M&M")) == "M&M"
    assert format_zerodha(NIFTY) == "NIFTY"


@pytest.mark.parametrize(
    "instrument",
    [
        Equity("SPY", "US"),
        Option(Equity("AB12"), date(2025, 11, 25), Right.CALL, 100.0),
        Option(Equity("ABC"), date(1999, 11, 25), Right.CALL, 100.0),
        Option(Equity("ABC"), date(2025, 11, 25), Right.CALL, 100.0, 50.0),
    ],
)
def test_what_kite_cannot_name_is_refused(instrument: Instrument) -> None:
    with pytest.raises(SymbolError):
        format_zerodha(instrument)


def test_the_symbol_alone_does_not_say_whose_it_is() -> None:
    """Here a strike of 2,420,800; in symbols of the form DDMMMYY an option of 28 March 2024."""
    option = parse_zerodha("NIFTY28MAR2420800CE", expiry=date(2028, 3, 28))
    assert isinstance(option, Option)
    assert option.strike == 2420800.0
    with pytest.raises(SymbolError, match="parse_zerodha"):
        parse_symbol("NIFTY28MAR2420800CE")


names = st.one_of(
    st.sampled_from(
        ["NIFTY", "BANKNIFTY", "SENSEX", "NIFTYNXT50", "SENSEX50", "RELIANCE", "M&M", "BAJAJ-AUTO", "360ONE"]
    ),
    st.from_regex(r"[A-Z][A-Z&\-]{1,9}", fullmatch=True).filter(lambda name: find_index(name) is None),
)
dates = st.dates(min_value=date(2000, 1, 1), max_value=date(2099, 12, 31))
strikes = st.one_of(
    st.integers(1, 200_000).map(float), st.integers(1, 4_000_000).map(lambda twentieths: twentieths / 20.0)
)


def _underlying(name: str) -> Equity | Index:
    return find_index(name) or Equity(name)


@LAW
@given(names, dates, st.sampled_from(Right), strikes, st.booleans())
def test_options_round_trip(name: str, expiry: date, right: Right, strike: float, monthly: bool) -> None:
    option = Option(_underlying(name), expiry, right, strike)
    last = expiry if monthly else (expiry + timedelta(days=1) if expiry.day == 1 else expiry.replace(day=1))
    table = {(name, expiry.year, expiry.month): last}
    text = format_zerodha(option, expiries=table, monthly=monthly)
    assert parse_zerodha(text, expiries=table) == option
    assert format_zerodha(option, monthly=monthly) == text


@LAW
@given(names, dates)
def test_futures_round_trip(name: str, expiry: date) -> None:
    future = Future(_underlying(name), expiry)
    text = format_zerodha(future)
    assert parse_zerodha(text, expiry=expiry) == future
    assert parse_zerodha(text, expiries=lambda *key: expiry) == future


@LAW
@given(st.text(max_size=30))
def test_no_text_makes_it_fall_over(text: str) -> None:
    with contextlib.suppress(SymbolError):
        parse_zerodha(text)
