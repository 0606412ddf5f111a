"""The forward that a call and a put of one strike imply, and when it is believed."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from attribution.market.quotes import Answer, Missing, Price, PriceKind
from attribution.parity import parity_forward, parity_is_sound

NOON = datetime(2025, 1, 20, 12, tzinfo=ZoneInfo("Asia/Kolkata"))
SPOT = Price(23400.0, "broker", PriceKind.BAR, NOON)


def price(value: float, kind: PriceKind = PriceKind.BAR, at: datetime = NOON) -> Price:
    return Price(value, "broker", kind, at)


def implied(call: Answer, put: Answer, spot: Answer = SPOT, years: float = 0.02, rate: float = 0.0) -> Answer:
    return parity_forward(call, put, spot, strike=23400.0, years=years, rate=rate)


def test_forward_is_strike_plus_call_less_put() -> None:
    found = implied(price(210.0), price(150.0))
    assert isinstance(found, Price)
    assert found.value == 23460.0
    assert found.kind is PriceKind.PARITY
    assert found.source == "broker"


def test_a_rate_grows_the_difference_to_expiry() -> None:
    found = implied(price(210.0), price(150.0), years=0.5, rate=0.08)
    assert isinstance(found, Price)
    assert found.value == 23400.0 + math.exp(0.04) * 60.0


def test_the_older_price_dates_the_forward() -> None:
    found = implied(price(210.0, at=NOON - timedelta(minutes=3)), price(150.0))
    assert isinstance(found, Price)
    assert found.time == NOON - timedelta(minutes=3)


def test_prices_of_different_times_imply_nothing() -> None:
    assert isinstance(implied(price(210.0, at=NOON - timedelta(minutes=6)), price(150.0)), Missing)


@pytest.mark.parametrize("kind", [PriceKind.DAILY, PriceKind.SETTLEMENT, PriceKind.LAST, PriceKind.FILL])
def test_only_traded_or_quoted_prices_of_the_instant_imply_a_forward(kind: PriceKind) -> None:
    assert isinstance(implied(price(210.0, kind), price(150.0)), Missing)


def test_a_zero_is_no_trade() -> None:
    assert isinstance(implied(price(60.0), price(0.0)), Missing)


def test_a_forward_far_from_the_spot_is_a_stale_price() -> None:
    # 1 % and 20 % a year over 0.02 years: 327.6 around 23,400.
    assert isinstance(implied(price(520.0), price(150.0)), Missing)
    assert isinstance(implied(price(470.0), price(150.0)), Price)


def test_an_absent_leg_is_named_by_its_own_reason() -> None:
    assert implied(Missing("no call"), price(150.0)) == Missing("no call")


def test_far_strikes_are_not_asked() -> None:
    assert parity_is_sound(23400.0, 23000.0)
    assert not parity_is_sound(24000.0, 23000.0)
