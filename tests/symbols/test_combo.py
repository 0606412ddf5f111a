"""Combos: ratios, merging, mixed legs, homes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.errors import SymbolError
from attribution.instruments import Equity, Future, Index, Option
from attribution.symbols import format_legs, parse_legs, parse_symbol

LAW = settings(deadline=None)

SYMBOLS = [
    "NIFTY_OPT_20250130_CALL_23500",
    "NIFTY_OPT_20250130_PUT_23500",
    "NIFTY_OPT_20250227_CALL_23500",
    "NIFTY_FUT_20250130__",
    "SENSEX_OPT_20250128_PUT_76000.5",
    "M&M_STK___",
    "BAJAJ-AUTO_FUT_20250130__",
    "SPXW  230113P03965000",
    "XOM2241220P00280000",
    "XOM241220P00280000",
]
ratios = st.integers(-1000, 1000).filter(bool)


@LAW
@given(st.dictionaries(st.sampled_from(SYMBOLS), ratios, min_size=1))
def test_text_to_legs_and_back(legs: dict[str, int]) -> None:
    text = ":".join(f"{symbol}?{ratio}" for symbol, ratio in legs.items())
    parsed = parse_legs(text)
    assert {leg.symbol: leg.ratio for leg in parsed} == legs
    assert parse_legs(format_legs(parsed)) == parsed
    if legs != {next(iter(legs)): 1}:
        assert format_legs(parsed) == text


@LAW
@given(st.lists(st.tuples(st.sampled_from(SYMBOLS), ratios), min_size=1, max_size=8))
def test_repeated_legs_add_up(parts: list[tuple[str, int]]) -> None:
    text = ":".join(f"{symbol}?{ratio}" for symbol, ratio in parts)
    sums: dict[str, int] = {}
    for symbol, ratio in parts:
        sums[symbol] = sums.get(symbol, 0) + ratio
    if 0 in sums.values():
        with pytest.raises(SymbolError, match="cancel to a ratio of zero"):
            parse_legs(text)
    else:
        assert [(leg.symbol, leg.ratio) for leg in parse_legs(text)] == list(sums.items())


def test_a_single_symbol_is_one_leg() -> None:
    (leg,) = parse_legs(" TCS_STK___ ")
    assert (leg.instrument, leg.ratio, leg.symbol) == (Equity("TCS"), 1, "TCS_STK___")
    assert parse_legs("TCS_STK___?1") == (leg,)
    assert format_legs((leg,)) == "TCS_STK___"
    assert format_legs(parse_legs("TCS_STK___?-1")) == "TCS_STK___?-1"


def test_short_straddle() -> None:
    legs = parse_legs("NIFTY_OPT_20250130_CALL_23500?-1:NIFTY_OPT_20250130_PUT_23500?-1")
    assert [leg.ratio for leg in legs] == [-1, -1]
    assert [leg.instrument for leg in legs] == [parse_symbol(leg.symbol) for leg in legs]


def test_the_text_first_written_is_kept_when_merging() -> None:
    (leg,) = parse_legs("NIFTY_FUT_20250130___?1:NIFTY_FUT_20250130__?+2")
    assert (leg.symbol, leg.ratio) == ("NIFTY_FUT_20250130___", 3)
    (leg,) = parse_legs("SPXW  230113P03965000?1:SPXW_OPT_20230113_PUT_3965?1")
    assert (leg.symbol, leg.ratio) == ("SPXW  230113P03965000", 2)


def test_adjusted_contracts_are_not_merged() -> None:
    legs = parse_legs("XOM2241220P00280000?1:XOM241220P00280000?-1")
    assert [leg.ratio for leg in legs] == [1, -1]


def test_legs_keep_their_own_underlying_expiry_and_exchange() -> None:
    legs = parse_legs(
        "NIFTY_OPT_20250130_CALL_23500?1:SENSEX_OPT_20250128_CALL_76000?-1:NIFTY_FUT_20250227__?-1:TCS_STK___?10"
    )
    option, other, future, share = (leg.instrument for leg in legs)
    assert isinstance(option, Option)
    assert isinstance(other, Option)
    assert option.underlying == Index("NIFTY")
    assert other.underlying == Index("SENSEX", "BSE")
    assert isinstance(future, Future)
    assert future.expiry > option.expiry > other.expiry
    assert share == Equity("TCS")


def test_exchange_is_the_home_of_names_without_one() -> None:
    text = "TCS_STK___?1:NIFTY_FUT_20250130__?-1"
    assert [leg.instrument.exchange for leg in parse_legs(text)] == ["NSE", "NSE"]
    assert [leg.instrument.exchange for leg in parse_legs(text, exchange="BSE")] == ["BSE", "NSE"]


def test_a_combo_may_mix_exchanges_but_not_contradict_all_legs() -> None:
    text = "NIFTY_FUT_20250130__?1:SENSEX_FUT_20250128__?-1"
    for exchange in (None, "NSE", "NFO", "BSE", "BFO"):
        assert [leg.instrument.exchange for leg in parse_legs(text, exchange=exchange)] == ["NSE", "BSE"]
    with pytest.raises(SymbolError, match=r"no leg of .* is at home there"):
        parse_legs(text, exchange="US")


def test_shares_beside_occ_legs_are_american() -> None:
    share, option = (leg.instrument for leg in parse_legs("SPY_STK___?100:SPY240119C00450000?-1"))
    assert share == Equity("SPY", "US")
    assert isinstance(option, Option)
    assert option.underlying == share
    assert (share.multiplier, option.multiplier) == (1.0, 100.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("TCS_STK___?0", "has a ratio of zero"),
        ("TCS_STK___?-0", "has a ratio of zero"),
        ("TCS_STK___?", "is not SYMBOL?ratio with a signed whole number"),
        ("TCS_STK___?1.5", "is not SYMBOL?ratio"),
        ("TCS_STK___?one", "is not SYMBOL?ratio"),
        ("TCS_STK___?1?2", "is not SYMBOL?ratio"),
        ("TCS_STK___?１", "is not SYMBOL?ratio"),
        ("TCS_STK___?1:", "leg '' is not SYMBOL?ratio"),
        ("?1", "is not SYMBOL?ratio"),
        ("TCS_STK___?1:NIFTY_FUT_20250130__", "leg 'NIFTY_FUT_20250130__' is not SYMBOL?ratio"),
        ("TCS_STK___?1:TCS_STK___?-1", "the legs of TCS_STK___ cancel to a ratio of zero"),
        ("TCS_STK___:NIFTY_FUT_20250130__", "'?' and ':' belong to combos"),
        ("TCS_STK___?1:FOO?1", "tried canonical"),
        ("", "tried canonical"),
    ],
)
def test_errors(text: str, says: str) -> None:
    with pytest.raises(SymbolError) as caught:
        parse_legs(text)
    assert says in str(caught.value)


def test_legs_of_nothing_cannot_be_written() -> None:
    with pytest.raises(SymbolError, match="at least one leg"):
        format_legs(())


def test_answers_are_remembered() -> None:
    text = "NIFTY_FUT_20250130__?1:NIFTY_FUT_20250227__?-1"
    assert parse_legs(text) is parse_legs(text)
