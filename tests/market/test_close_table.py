"""What is filled into the caller's dict of closes: when, under which key, and for whom."""

from __future__ import annotations

import copy
import math
import pickle
from datetime import date, timedelta
from typing import Any

import pytest

from attribution.instruments import Equity
from attribution.market.cache import CachedBroker
from attribution.market.fixed import CloseTable
from attribution.market.given import market_of
from attribution.market.quotes import CloseOf, Missing, Price, PriceKind
from tests.market.counting import MONDAY, NIFTY, CountingBroker, Time, at


def value_of(answer: Any) -> float:
    assert isinstance(answer, Price), answer
    return answer.value


def answered(value: float, instrument: Any = NIFTY, session: date = MONDAY, **kind: Any) -> tuple[Any, Any]:
    return [CloseOf(instrument, session)], [Price(value, "acme", PriceKind.CLOSE, **kind)]


def test_only_final_closes_are_filled_in() -> None:
    cache: dict[Any, Any] = {}
    wall = [at("2025-01-27 15:30:01")]
    table = CloseTable(cache, wall=lambda: wall[0])
    table.remember(*answered(1190.0))
    assert cache == {}
    wall[0] = at("2025-01-27 15:45")
    table.remember(*answered(1187.5))
    assert cache == {("NIFTY_IND___", "20250127"): 1187.5}


def test_a_close_from_the_cache_of_a_late_broker_is_filled_in_when_it_is_final() -> None:
    time = Time("2025-01-27 15:46")
    broker = CountingBroker(time)
    broker.data_delay = timedelta(minutes=15)  # type: ignore[attr-defined]
    cached = CachedBroker(broker, clock=time.clock, wall=time.wall)
    cache: dict[Any, Any] = {}
    memory = market_of(cached, historical_cache=cache).close_memory
    assert isinstance(memory, CloseTable)
    memory._wall = time.wall
    for minutes, known in ((14.9, 0), (1.1, 1)):  # settled at 16:00, and a minute for what was remembered before
        time.pass_by(60.0 * minutes)
        memory.remember(*answered(27.0))
        assert len(cache) == known


RELIANCE = {exchange: Equity("RELIANCE", exchange) for exchange in ("NSE", "BSE")}


@pytest.mark.parametrize("order", [("NSE", "BSE"), ("BSE", "NSE")])
def test_what_was_filled_in_for_one_exchange_is_no_close_of_another(order: tuple[str, str]) -> None:
    cache: dict[Any, Any] = {}
    first, second = order
    CloseTable(cache).remember(*answered(1200.0, RELIANCE[first]))
    for kept in (cache, pickle.loads(pickle.dumps(cache)), copy.deepcopy(cache)):
        table = CloseTable(kept)
        assert table.stated_close(RELIANCE[second], MONDAY, "") is None
        assert value_of(table.stated_close(RELIANCE[first], MONDAY, "")) == 1200.0
        table.remember(*answered(1207.5, RELIANCE[second]))
        assert [value_of(table.stated_close(RELIANCE[one], MONDAY, "")) for one in order] == [1200.0, 1207.5]
        assert {key: type(value).__mro__[1] for key, value in kept.items()} == {
            ("RELIANCE_STK___", "20250127"): float,
            ("RELIANCE_STK___", "BSE", "20250127"): float,
        }


@pytest.mark.parametrize("exchange", ["NSE", "BSE"])
@pytest.mark.parametrize("name", ["RELIANCE_STK___", "RELIANCE"])
def test_a_callers_key_means_the_exchange_he_means(exchange: str, name: str) -> None:
    share = RELIANCE[exchange]
    table = CloseTable({(name, "20250127"): 1200.0})
    assert value_of(table.stated_close(share, MONDAY, "")) == 1200.0
    named = CloseTable({("RELIANCE_STK___", "20250127"): 1.0, (name, "BSE", "20250127"): 1207.5})
    assert value_of(named.stated_close(share, MONDAY, "")) == (1207.5 if exchange == "BSE" else 1.0)
    assert CloseTable({(name, "US", "20250127"): 1.0}).stated_close(share, MONDAY, "") is None


@pytest.mark.parametrize("nothing", [math.nan, None, ""])
def test_a_close_that_is_not_known_hides_no_other_and_is_replaced(nothing: Any) -> None:
    cache: dict[Any, Any] = {("NIFTY_IND___", "20250127"): nothing, ("NIFTY", "20250127"): 23350.0}
    table = CloseTable(cache)
    assert value_of(table.stated_close(NIFTY, MONDAY, "")) == 23350.0
    del cache["NIFTY", "20250127"]
    assert table.stated_close(NIFTY, MONDAY, "") == Missing("the close of NIFTY_IND___ on 2025-01-27 is NaN or None")
    table.remember(*answered(23351.0))
    assert value_of(table.stated_close(NIFTY, MONDAY, "")) == 23351.0
    table.remember(*answered(23352.0))
    assert cache == {("NIFTY_IND___", "20250127"): 23351.0}
