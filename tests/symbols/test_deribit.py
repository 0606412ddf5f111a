"""Deribit's names: both ways, and no pretence that they can be attributed."""

from __future__ import annotations

import contextlib
import csv
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.errors import SymbolError
from attribution.instruments import Right
from attribution.symbols import DeribitName, format_deribit, parse_deribit, parse_symbol

LAW = settings(deadline=None)
SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "deribit_2026" / "btc_20260105_12.csv"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("BTC-16JAN26-82000-C", DeribitName("BTC", date(2026, 1, 16), Right.CALL, 82000.0)),
        ("BTC-8JAN26-94000-P", DeribitName("BTC", date(2026, 1, 8), Right.PUT, 94000.0)),
        ("XRP_USDC-30JUN25-0d625-C", DeribitName("XRP_USDC", date(2025, 6, 30), Right.CALL, 0.625)),
        ("SOL_USDC-30JUN25-142d5-P", DeribitName("SOL_USDC", date(2025, 6, 30), Right.PUT, 142.5)),
        ("ETH-27MAR26", DeribitName("ETH", date(2026, 3, 27))),
        ("BTC-PERPETUAL", DeribitName("BTC")),
        ("ETH_USDC-PERPETUAL", DeribitName("ETH_USDC")),
    ],
)
def test_examples(text: str, name: DeribitName) -> None:
    assert parse_deribit(text) == name
    assert format_deribit(name) == text


def test_what_a_name_says_besides() -> None:
    inverse, linear = parse_deribit("BTC-16JAN26-82000-C"), parse_deribit("XRP_USDC-PERPETUAL")
    assert inverse.is_option
    assert inverse.is_inverse
    assert inverse.expires_at == datetime(2026, 1, 16, 8, tzinfo=UTC)
    assert not linear.is_option
    assert not linear.is_inverse
    assert linear.expires_at is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("BTC", "no option, future or perpetual"),
        ("BTC_USDC", "no option, future or perpetual"),
        ("BTC-16JAN26-82000", "no option, future or perpetual"),
        ("BTC-FS-16JAN26_PERP", "no option, future or perpetual"),
        ("SYN.BTC-8JAN26", "no option, future or perpetual"),
        ("btc-PERPETUAL", "no option, future or perpetual"),
        ("BTC-31FEB26-82000-C", "expiry '31FEB26' is not a date"),
        ("BTC-08JAN26-82000-C", "expiry '08JAN26' is not a date"),
        ("BTC-8JAN2026", "is not a date"),
        ("BTC-8JAN26-82000-X", "right 'X' is not C or P"),
        ("BTC-8JAN26-0-C", "strike '0' is not a positive"),
        ("BTC-8JAN26-0.625-C", "strike '0.625' is not a positive"),
        ("", "no option, future or perpetual"),
    ],
)
def test_errors(text: str, says: str) -> None:
    with pytest.raises(SymbolError, match=says):
        parse_deribit(text)


@pytest.mark.parametrize(
    "name",
    [
        DeribitName("BTC", None, Right.CALL, 82000.0),
        DeribitName("BTC", date(2026, 1, 16), Right.CALL),
        DeribitName("BTC", date(1999, 1, 16)),
        DeribitName("BTC-X", date(2026, 1, 16)),
        DeribitName("BTC", date(2026, 1, 16), Right.CALL, -1.0),
    ],
)
def test_what_has_no_name_is_refused(name: DeribitName) -> None:
    with pytest.raises(SymbolError):
        format_deribit(name)


def test_it_is_no_instrument_and_the_reader_of_symbols_says_so() -> None:
    with pytest.raises(SymbolError, match="parse_deribit"):
        parse_symbol("BTC-16JAN26-82000-C")


@LAW
@given(
    st.from_regex(r"[A-Z0-9]{2,5}(_[A-Z]{3,4})?", fullmatch=True),
    st.dates(min_value=date(2000, 1, 1), max_value=date(2099, 12, 31)),
    st.sampled_from(Right),
    st.one_of(st.integers(1, 10_000_000).map(float), st.integers(1, 10_000_000).map(lambda units: units / 10_000.0)),
)
def test_round_trips(underlying: str, expiry: date, right: Right, strike: float) -> None:
    for name in (
        DeribitName(underlying),
        DeribitName(underlying, expiry),
        DeribitName(underlying, expiry, right, strike),
    ):
        assert parse_deribit(format_deribit(name)) == name


@LAW
@given(st.text(max_size=30))
def test_no_text_makes_it_fall_over(text: str) -> None:
    with contextlib.suppress(SymbolError):
        parse_deribit(text)


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample of Deribit's chain lies beside the project, not in it")
def test_a_week_of_real_names() -> None:
    with SAMPLE.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) > 3000
    for row in rows:
        name = parse_deribit(row["instrument_name"])
        assert format_deribit(name) == row["instrument_name"]
        assert name.strike == float(row["strike"])
        assert name.right is (Right.CALL if row["option_type"] == "call" else Right.PUT)
        assert name.expires_at == datetime.fromisoformat(row["expiry_datetime"])
