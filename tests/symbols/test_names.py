"""Index names are data; exchanges are checked against them."""

from __future__ import annotations

from datetime import date

import pytest

from attribution.errors import SymbolError
from attribution.instruments import Equity, Index, Option, Style
from attribution.symbols import format_symbol, parse_symbol, parse_underlying_name
from attribution.symbols.names import find_index, read_table
from attribution.symbols.option_classes import option_class


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("NIFTY", Index("NIFTY")),
        ("nifty", Index("NIFTY")),
        ("Nifty 50", Index("NIFTY")),
        ("NSENIFTY", Index("NIFTY")),
        ("Nifty Bank", Index("BANKNIFTY")),
        ("NIFTY FIN SERVICE", Index("FINNIFTY")),
        ("NIFTY MID SELECT", Index("MIDCPNIFTY")),
        ("NIFTY NEXT 50", Index("NIFTYNXT50")),
        ("India VIX", Index("INDIAVIX")),
        ("SENSEX", Index("SENSEX", "BSE")),
        ("BANKEX", Index("BANKEX", "BSE")),
        ("SNSX50", Index("SENSEX50", "BSE")),
        ("SPX", Index("SPX", "US")),
        ("^GSPC", Index("SPX", "US")),
        ("^VIX", Index("VIX", "US")),
        ("SPX_IND___", Index("SPX", "US")),
    ],
)
def test_index_names(name: str, index: Index) -> None:
    assert parse_underlying_name(name) == index
    assert parse_underlying_name(name, exchange=index.exchange) == index
    assert parse_symbol(format_symbol(index)) == index


@pytest.mark.parametrize("name", ["NIFTYBEES", "BANKBEES", "NIFTYETF", "SENSEXETF", "SETFNIF50", "VIXY", "SPXL"])
def test_names_that_contain_an_index_name_are_shares(name: str) -> None:
    assert find_index(name) is None
    assert parse_underlying_name(name) == Equity(name)
    option = parse_symbol(f"{name}_OPT_20250130_CALL_100")
    assert isinstance(option, Option)
    assert option.underlying == Equity(name)


def test_shares_are_at_home_where_the_caller_says() -> None:
    assert parse_underlying_name("TCS") == Equity("TCS", "NSE")
    assert parse_underlying_name("TCS", exchange="BSE") == Equity("TCS", "BSE")
    assert parse_underlying_name("TCS_STK___", exchange="BFO") == Equity("TCS", "BSE")
    assert parse_symbol("AAPL_STK___", exchange="NASDAQ") == Equity("AAPL", "US")


def test_options_on_us_shares() -> None:
    option = parse_symbol("AAPL_OPT_20250117_CALL_150", exchange="CBOE")
    assert isinstance(option, Option)
    assert option.underlying == Equity("AAPL", "US")
    assert (option.multiplier, option.style) == (100.0, Style.AMERICAN)


def test_options_on_indian_names() -> None:
    for text in ("TCS_OPT_20250130_CALL_4000", "NIFTY_OPT_20250130_CALL_23500"):
        option = parse_symbol(text, exchange="NFO")
        assert isinstance(option, Option)
        assert (option.multiplier, option.style, option.exchange) == (1.0, Style.EUROPEAN, "NSE")


@pytest.mark.parametrize(
    ("text", "exchange"),
    [
        ("NIFTY_OPT_20250130_CALL_23500", "BSE"),
        ("NIFTY_IND___", "US"),
        ("SENSEX_FUT_20250128__", "NSE"),
        ("SPXW_OPT_20230113_PUT_3965", "NSE"),
        ("SPXW230113P03965000", "NSE"),
    ],
)
def test_contradictory_exchange(text: str, exchange: str) -> None:
    with pytest.raises(SymbolError, match="is at home on") as caught:
        parse_symbol(text, exchange=exchange)
    assert caught.value.field == "exchange"


def test_contradictory_exchange_of_a_name() -> None:
    with pytest.raises(SymbolError, match="NIFTY is at home on NSE"):
        parse_underlying_name("NIFTY", exchange="US")


@pytest.mark.parametrize("read", [parse_symbol, parse_underlying_name])
def test_unknown_exchange(read: object) -> None:
    with pytest.raises(SymbolError) as caught:
        read("TCS_STK___", exchange="XETR")  # type: ignore[operator]
    assert caught.value.field == "exchange"


@pytest.mark.parametrize("text", ["", "tcs", "TCS?1", "A:B", "NIFTY_FUT_20250130__", "BF/B", 7, None, float("nan")])
def test_what_is_not_a_name(text: str) -> None:
    with pytest.raises(SymbolError):
        parse_underlying_name(text)


def test_every_root_of_the_table_stands_for_a_listed_index_or_share() -> None:
    for row in read_table("occ_roots.csv"):
        index = find_index(row["underlying"])
        assert (index is not None) is (row["kind"] == "index")
        terms = option_class(row["root"], date(2025, 3, 21))
        assert terms.underlying.name == row["underlying"]
        assert terms.underlying.exchange == "US"


def test_every_us_index_has_an_option_class() -> None:
    underlyings = {row["underlying"] for row in read_table("occ_roots.csv")}
    for row in read_table("indices.csv"):
        assert row["exchange"] in {"NSE", "BSE", "US"}
        assert row["exchange"] != "US" or row["name"] in underlyings
