"""Choosing the grammar, the underlying of things, caches, and a quiet import."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from attribution.errors import SymbolError, TradeError
from attribution.instruments import Equity, Future, Index, Option
from attribution.symbols import (
    format_symbol,
    parse_symbol,
    same_expiry_future,
    underlying_of,
    underlying_symbol,
)


@pytest.mark.parametrize("text", ["FOO", "RELIANCE", "NIFTY25JAN23500CE", "", "230113P03965000"])
def test_what_no_grammar_reads_lists_what_was_tried(text: str) -> None:
    with pytest.raises(SymbolError) as caught:
        parse_symbol(text)
    message = str(caught.value)
    assert "tried canonical" in message
    assert "OCC" in message
    assert "NIFTY_OPT_20250130_CALL_23500" in message


@pytest.mark.parametrize("value", [None, float("nan"), 7, b"TCS_STK___", ["TCS_STK___"]])
def test_what_is_not_text(value: str) -> None:
    with pytest.raises(SymbolError, match="text, such as"):
        parse_symbol(value)


def test_a_combo_is_not_one_instrument() -> None:
    with pytest.raises(SymbolError, match="parse_legs"):
        parse_symbol("TCS_STK___?1:NIFTY_FUT_20250130__?-1")


def test_a_symbol_error_is_a_trade_error() -> None:
    with pytest.raises(TradeError, match="symbol='FOO'"):
        parse_symbol("FOO")


@pytest.mark.parametrize(
    ("text", "underlying"),
    [
        ("NIFTY_OPT_20250130_CALL_23500", "NIFTY_IND___"),
        ("NIFTY_FUT_20250130__", "NIFTY_IND___"),
        ("NIFTY_IND___", "NIFTY_IND___"),
        ("TCS_OPT_20250130_CALL_4000", "TCS_STK___"),
        ("TCS_STK___", "TCS_STK___"),
        ("NIFTYBEES_STK___", "NIFTYBEES_STK___"),
        ("SPXW230113P03965000", "SPX_IND___"),
        ("XEO230120C01800000", "OEX_IND___"),
        ("SPY240119C00450000", "SPY_STK___"),
        ("XOM2241220P00280000", "XOM2_STK___"),
    ],
)
def test_underlyings(text: str, underlying: str) -> None:
    instrument = parse_symbol(text)
    assert underlying_symbol(instrument) == underlying
    assert isinstance(underlying_of(instrument), Equity | Index)
    assert underlying_of(underlying_of(instrument)) == underlying_of(instrument)


def test_same_expiry_future() -> None:
    option = parse_symbol("NIFTY_OPT_20250130_CALL_23500")
    assert isinstance(option, Option)
    future = same_expiry_future(option)
    assert future == Future(Index("NIFTY"), date(2025, 1, 30))
    assert format_symbol(future) == "NIFTY_FUT_20250130__"
    spx = parse_symbol("SPX230120P03965000")
    assert isinstance(spx, Option)
    assert format_symbol(same_expiry_future(spx)) == "SPX_FUT_20230120__"


def test_answers_are_remembered() -> None:
    text = "TCS_OPT_20250130_CALL_4000"
    assert parse_symbol(text) is parse_symbol(f" {text} ")
    assert parse_symbol(text, exchange="BSE") is not parse_symbol(text)


def test_errors_are_raised_every_time() -> None:
    for _ in range(2):
        with pytest.raises(SymbolError):
            parse_symbol("NIFTY_OPT_20250230_CALL_1")


def test_import_reads_no_table() -> None:
    program = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
import attribution.symbols
tables = [path for path in opened if path.endswith(".csv")]
assert not tables, tables
attribution.symbols.parse_symbol("NIFTY_IND___")
assert any(path.endswith("indices.csv") for path in opened)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
