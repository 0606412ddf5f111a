"""Several sources as one broker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from attribution import calculate_attribution_for_trade
from attribution.errors import BrokerError
from attribution.market.quotes import (
    Bar,
    Bars,
    BarsOf,
    CloseOf,
    FillOf,
    Missing,
    Price,
    PriceAt,
    PriceKind,
    QuoteOf,
    Why,
)
from attribution.market.source import BarSource, Broker, CloseSource, FillSource, PriceSource, QuoteSource
from attribution.symbols import parse_symbol
from brokers.base import Health
from brokers.fallback import FallbackBarBroker, FallbackBroker
from tests.market.contract import SourceContract
from tests.market.recorded import RecordedBroker

TEN = datetime(2025, 1, 27, 10, tzinfo=ZoneInfo("Asia/Kolkata"))
ELEVEN = TEN.replace(hour=11)
MONDAY = date(2025, 1, 27)
NIFTY, BANKNIFTY = parse_symbol("NIFTY_IND___"), parse_symbol("BANKNIFTY_IND___")
CALL_TEXT = "NIFTY_OPT_20250130_CALL_23500"
CALL = parse_symbol(CALL_TEXT)
BAR = Bar(TEN, 1.0, 2.0, 0.5, 1.5)


def first(**options: Any) -> RecordedBroker:
    return RecordedBroker(
        prices={("NIFTY_IND___", TEN): 23400.0},
        closes={("NIFTY_IND___", MONDAY): 23350.5},
        quotes={"NIFTY_IND___": 23400.0},
        fills={(CALL_TEXT, "entry"): 120.0},
        name="first",
        **options,
    )


def second(**options: Any) -> RecordedBroker:
    return RecordedBroker(
        prices={("NIFTY_IND___", TEN): 1.0, ("NIFTY_IND___", ELEVEN): 23410.0},
        closes={("NIFTY_IND___", MONDAY): 1.0, ("BANKNIFTY_IND___", MONDAY): 48000.0},
        quotes={"NIFTY_IND___": 1.0, "BANKNIFTY_IND___": 48100.0},
        fills={(CALL_TEXT, "entry"): 1.0, (CALL_TEXT, "exit"): 0.0},
        name="second",
        **options,
    )


class BarMember:
    def __init__(self, name: str, bars: dict[str, tuple[Bar, ...]] | None = None, fails: str = "") -> None:
        self.name, self.bars, self.fails = name, bars or {}, fails

    def minute_bars(self, wanted: Sequence[BarsOf]) -> list[Bars | Missing]:
        if self.fails:
            raise BrokerError(self.fails)
        found = [self.bars.get(ask.instrument.underlying.name) for ask in wanted]  # type: ignore[union-attr]
        return [Missing("no trade") if bars is None else Bars(bars, self.name, True) for bars in found]


class FallbackContract(SourceContract):
    def make(self) -> FallbackBroker:
        return FallbackBroker(first(), second())

    def test_a_price_says_who_stated_it(self) -> None:
        # The member, not the broker that is made of it.
        for question, _, _ in self.known:
            (answer,) = self.ask([question])
            assert isinstance(answer, Price)
            assert answer.source in ("first", "second")


class TestPrices(FallbackContract):
    protocol = PriceSource
    method = "prices_at"
    known = ((PriceAt(NIFTY, TEN), 23400.0, PriceKind.GIVEN), (PriceAt(NIFTY, ELEVEN), 23410.0, PriceKind.GIVEN))
    unknown = (PriceAt(BANKNIFTY, TEN), PriceAt(CALL, TEN))


class TestCloses(FallbackContract):
    protocol = CloseSource
    method = "closes"
    known = ((CloseOf(NIFTY, MONDAY), 23350.5, PriceKind.CLOSE), (CloseOf(BANKNIFTY, MONDAY), 48000.0, PriceKind.CLOSE))
    unknown = (CloseOf(CALL, MONDAY), CloseOf(NIFTY, date(2025, 1, 28)))


class TestQuotes(FallbackContract):
    protocol = QuoteSource
    method = "quotes"
    known = ((QuoteOf(NIFTY, TEN), 23400.0, PriceKind.MARK), (QuoteOf(BANKNIFTY, TEN), 48100.0, PriceKind.MARK))
    unknown = (QuoteOf(CALL, TEN),)


class TestFills(FallbackContract):
    protocol = FillSource
    method = "fills"
    known = (
        (FillOf(CALL, CALL_TEXT, "entry", TEN), 120.0, PriceKind.FILL),
        (FillOf(CALL, CALL_TEXT, "exit", TEN), 0.0, PriceKind.FILL),
    )
    unknown = (FillOf(NIFTY, "NIFTY_IND___", "entry", TEN),)


class BarBroker(RecordedBroker):
    def __init__(self, name: str, bars: dict[str, tuple[Bar, ...]] | None = None, fails: str = "") -> None:
        super().__init__(name=name)
        self.minute_bars = BarMember(name, bars, fails).minute_bars


def test_it_is_a_broker_and_named_after_its_members() -> None:
    broker = FallbackBroker(first(), second())
    assert isinstance(broker, Broker)
    assert broker.name == "first or second"
    assert FallbackBroker(first(), name="mine").name == "mine"


def test_the_second_is_asked_only_for_what_is_missing() -> None:
    one, two = first(), second()
    asked = [PriceAt(NIFTY, TEN), PriceAt(NIFTY, ELEVEN), PriceAt(NIFTY, TEN)]
    answers = FallbackBroker(one, two).prices_at(asked)
    assert [(a.value, a.source) for a in answers if isinstance(a, Price)] == [
        (23400.0, "first"),
        (23410.0, "second"),
        (23400.0, "first"),
    ]
    assert two.asked == [PriceAt(NIFTY, ELEVEN)]
    two.asked.clear()
    FallbackBroker(one, two).prices_at(asked[:1])
    assert two.asked == []


def test_an_outage_does_not_hide_the_answer_of_the_next() -> None:
    broker = FallbackBroker(first(fails="quotes"), second())
    there, absent = broker.quotes([QuoteOf(NIFTY, TEN), QuoteOf(CALL, TEN)])
    assert isinstance(there, Price)
    assert there.source == "second"
    assert isinstance(absent, Missing)
    # Somebody might have known: that is not the same as nobody knowing.
    assert absent.why is Why.FAILED
    assert "first: failed: quotes: connection refused" in absent.reason
    assert "second: nothing recorded" in absent.reason


def test_each_is_named_when_all_fail() -> None:
    broker = FallbackBroker(first(fails="closes"), second(fails="closes"))
    (absent,) = broker.closes([CloseOf(NIFTY, MONDAY)])
    text = "first: failed: closes: connection refused; second: failed: closes: connection refused"
    assert absent == Missing(text, Why.FAILED)


def test_members_may_know_one_thing_each() -> None:
    broker = FallbackBroker(BarMember("bars", {"NIFTY": (BAR,)}), first())
    assert isinstance(broker.quotes([QuoteOf(NIFTY, TEN)])[0], Price)
    (nothing,) = FallbackBroker(BarMember("bars")).quotes([QuoteOf(NIFTY, TEN)])
    assert isinstance(nothing, Missing)
    assert nothing.why is Why.NO_SOURCE


def test_it_hands_out_bars_where_no_price_is_lost_by_it() -> None:
    fills = type("Fills", (), {"name": "fills", "fills": lambda self, wanted: []})()
    assert isinstance(FallbackBroker(BarBroker("a"), BarMember("b"), fills), BarSource)
    assert not isinstance(FallbackBroker(BarBroker("a"), first()), BarSource)
    assert not isinstance(FallbackBroker(fills), BarSource)


def test_it_is_asked_in_bulk_if_all_members_are() -> None:
    one, two = first(), second()
    one.asks_in_bulk = True  # type: ignore[attr-defined]
    assert not FallbackBroker(one, two).asks_in_bulk
    assert FallbackBroker(one).asks_in_bulk


def test_minute_bars_of_who_has_them() -> None:
    asked = [BarsOf(CALL, MONDAY), BarsOf(parse_symbol("TCS_FUT_20250130__"), MONDAY)]
    broker = FallbackBarBroker(
        BarMember("down", fails="gone"), BarBroker("a"), BarMember("b", {"NIFTY": (BAR,)}), BarMember("c")
    )
    there, absent = broker.minute_bars(asked)
    assert there == Bars((BAR,), "b", True)
    assert absent == Missing("down: failed: gone; a: no trade; b: no trade; c: no trade", Why.FAILED)
    assert broker.minute_bars([]) == []


def test_a_member_that_answers_too_little() -> None:
    member = BarMember("short")
    member.minute_bars = lambda wanted: []  # type: ignore[method-assign]
    (absent,) = FallbackBarBroker(member).minute_bars([BarsOf(CALL, MONDAY)])
    assert absent == Missing("short: failed: 0 answers to 1 questions", Why.FAILED)


def test_health_is_that_of_the_fittest_and_tells_of_all() -> None:
    fit, ill, raises = first(), second(), RecordedBroker(name="third")
    ill.health = lambda: Health("second", configured=False, missing=("API key",))  # type: ignore[attr-defined]

    def fail() -> Health:
        raise BrokerError("gone")

    raises.health = fail  # type: ignore[attr-defined]
    told = FallbackBroker(fit, ill, raises).health()
    assert (told.vendor, told.configured, told.reachable, told.session_valid) == (
        "first or second or third",
        True,
        True,
        True,
    )
    assert told.missing == ("second: API key",)
    assert told.detail == "first: ok; second: not configured; third: not reachable (gone)"
    assert not FallbackBroker(ill, raises).health().reachable


def test_members_are_checked() -> None:
    with pytest.raises(TypeError, match="at least one"):
        FallbackBroker()
    with pytest.raises(TypeError, match="is no source"):
        FallbackBroker(first(), "second")
    odd = first()
    odd.health = lambda: "fine"  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=r"first.health\(\) returned str, not Health"):
        FallbackBroker(odd).health()


def test_a_trade_is_explained_by_two_half_brokers() -> None:
    row = {
        "symbol": CALL_TEXT,
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-27 11:00",
        "entry_quantity": 75,
        "entry_keys": "1",
        "exit_price": 130.0,
        "exit_keys": "2",
    }
    result = calculate_attribution_for_trade(row, FallbackBroker(first(), second()), day=False)
    leg = result["per_leg"][CALL_TEXT]
    assert (leg["price0"], leg["price1"], leg["spot0"], leg["spot1"]) == (120.0, 130.0, 23400.0, 23410.0)
