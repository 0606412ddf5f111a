"""Instruments: validated, frozen, and sure of when they expire."""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from attribution.errors import TradeError
from attribution.instruments import Equity, Future, Index, Leg, Option, Right, Settlement, Style

NIFTY = Index("NIFTY")
SPX = Index("SPX", "US")
IST = timedelta(hours=5, minutes=30)
DAY = date(2025, 1, 30)


def test_rights_are_the_sign_in_the_formulas() -> None:
    assert (int(Right.CALL), int(Right.PUT)) == (1, -1)
    assert 0.5 * Right.PUT == -0.5


@pytest.mark.parametrize("make", [Equity, Index])
@pytest.mark.parametrize("name", ["", "A_B", "A?B", "A:B", "NIFTY 50", "A\tB"])
def test_names_cannot_break_a_symbol(make: type[Equity | Index], name: str) -> None:
    with pytest.raises(TradeError, match="name="):
        make(name)


@pytest.mark.parametrize("multiplier", [0.0, -1.0, math.nan, math.inf])
def test_multipliers_are_positive_and_finite(multiplier: float) -> None:
    makers = (
        lambda: Equity("TCS", multiplier=multiplier),
        lambda: Index("NIFTY", multiplier=multiplier),
        lambda: Future(NIFTY, DAY, multiplier),
        lambda: Option(NIFTY, DAY, Right.CALL, 23500.0, multiplier),
    )
    for make in makers:
        with pytest.raises(TradeError, match="multiplier="):
            make()


@pytest.mark.parametrize("strike", [0.0, -23500.0, math.nan, math.inf])
def test_strikes_are_positive_and_finite(strike: float) -> None:
    with pytest.raises(TradeError, match="strike="):
        Option(NIFTY, DAY, Right.CALL, strike)


def test_a_leg_weighs_something() -> None:
    assert Leg(NIFTY, -2, "NIFTY_IND___").ratio == -2
    with pytest.raises(TradeError, match="non-zero whole number for leg NIFTY_IND___"):
        Leg(NIFTY, 0, "NIFTY_IND___")


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (Equity("TCS"), "name"),
        (NIFTY, "exchange"),
        (Future(NIFTY, DAY), "expiry"),
        (Option(NIFTY, DAY, Right.CALL, 23500.0), "strike"),
        (Leg(NIFTY, 1, "NIFTY_IND___"), "ratio"),
    ],
)
def test_values_are_frozen(value: object, field: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, field, None)
    assert hash(value) == hash(value)


def test_equality_is_by_contract() -> None:
    call = Option(NIFTY, DAY, Right.CALL, 23500.0)
    assert call == Option(Index("NIFTY"), DAY, Right.CALL, 23500.0)
    assert len({call, Option(NIFTY, DAY, Right.PUT, 23500.0), Option(NIFTY, DAY, Right.CALL, 23500.5)}) == 3
    assert Equity("TCS", "NSE") != Equity("TCS", "BSE")
    assert len({Equity("NIFTY"), Index("NIFTY")}) == 2
    assert call != Option(NIFTY, DAY, Right.CALL, 23500.0, settlement=Settlement.OPEN)


def test_defaults_are_the_indian_conventions() -> None:
    call = Option(NIFTY, DAY, Right.CALL, 23500.0)
    assert (call.multiplier, call.style, call.settlement) == (1.0, Style.EUROPEAN, Settlement.CLOSE)
    assert Equity("TCS").exchange == "NSE"


def test_the_exchange_is_that_of_the_underlying() -> None:
    assert Option(SPX, DAY, Right.CALL, 6000.0).exchange == "US"
    assert Future(Index("SENSEX", "BSE"), DAY).exchange == "BSE"


@pytest.mark.parametrize(
    ("expiry", "hour", "minute"),
    [
        (date(2025, 1, 30), 15, 30),
        (date(2026, 7, 28), 15, 30),
        (date(2026, 8, 25), 15, 40),  # derivatives trade ten minutes longer from August 2026
    ],
)
@pytest.mark.parametrize("exchange", ["NSE", "BSE"])
def test_indian_contracts_expire_at_the_close_of_their_day(exchange: str, expiry: date, hour: int, minute: int) -> None:
    underlying = Equity("TCS", exchange)
    expected = datetime(expiry.year, expiry.month, expiry.day, hour, minute, tzinfo=UTC) - IST
    for contract in (Option(underlying, expiry, Right.CALL, 100.0), Future(underlying, expiry)):
        assert contract.expires_at == expected
        assert contract.expires_at.utcoffset() == IST


@pytest.mark.parametrize(
    ("expiry", "settlement", "utc"),
    [
        (date(2023, 1, 13), Settlement.CLOSE, datetime(2023, 1, 13, 21, 0, tzinfo=UTC)),
        (date(2023, 7, 21), Settlement.CLOSE, datetime(2023, 7, 21, 20, 0, tzinfo=UTC)),
        (date(2023, 1, 20), Settlement.OPEN, datetime(2023, 1, 20, 14, 30, tzinfo=UTC)),
        (date(2023, 11, 24), Settlement.CLOSE, datetime(2023, 11, 24, 18, 0, tzinfo=UTC)),  # half day
    ],
)
def test_us_contracts_expire_at_the_open_or_close(expiry: date, settlement: Settlement, utc: datetime) -> None:
    option = Option(SPX, expiry, Right.PUT, 4000.0, 100.0, settlement=settlement)
    assert option.expires_at == utc
    assert Future(SPX, expiry, settlement=settlement).expires_at == utc


def test_the_hash_of_an_instrument_does_not_travel_to_another_process() -> None:
    option = Option(NIFTY, DAY, Right.CALL, 23500.0)
    assert {option: 1}[Option(Index("NIFTY"), DAY, Right.CALL, 23500.0)] == 1
    program = """
import pickle, sys
from datetime import date
from attribution.instruments import Index, Option, Right
told = pickle.loads(sys.stdin.buffer.read())
assert {told: 1}[Option(Index("NIFTY"), date(2025, 1, 30), Right.CALL, 23500.0)] == 1
"""
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(
            [sys.executable, "-c", program], input=pickle.dumps(option), env=environment, check=True, timeout=60
        )


def test_a_changed_copy_has_a_hash_of_its_own() -> None:
    option = Option(NIFTY, DAY, Right.CALL, 23500.0)
    put = {option: "call"}.get(replace(option, right=Right.PUT))
    assert put is None
    assert {replace(option, right=Right.PUT): "put"}[Option(NIFTY, DAY, Right.PUT, 23500.0)] == "put"
