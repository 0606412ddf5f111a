"""One contract, run against every source that is made of the caller's own values, and against a minimal broker."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from attribution.market.fixed import CloseTable, LegPriceFunction, LegPriceTable, PriceFunction, PriceTable
from attribution.market.quotes import CloseOf, FillOf, PriceAt, PriceKind, QuoteOf
from attribution.market.source import Broker, CloseSource, FillSource, PriceSource, QuoteSource
from attribution.symbols import parse_symbol
from tests.market.contract import SourceContract
from tests.market.recorded import RecordedBroker

KOLKATA = ZoneInfo("Asia/Kolkata")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KOLKATA)


NIFTY = parse_symbol("NIFTY_IND___")
BANKNIFTY = parse_symbol("BANKNIFTY_IND___")
FUTURE = parse_symbol("NIFTY_FUT_20250130__")
CALL = parse_symbol("NIFTY_OPT_20250130_CALL_23500")
PUT = parse_symbol("NIFTY_OPT_20250130_PUT_23500")
TEN, ELEVEN, CLOSE = at("2025-01-27 10:00"), at("2025-01-27 11:00"), at("2025-01-27 15:30")
MONDAY, TUESDAY = date(2025, 1, 27), date(2025, 1, 28)
SPOTS = {
    ("NIFTY_IND___", "NSE", "2025-01-27 10:00"): 23400,
    ("NIFTY_IND___", "NSE", "2025-01-27 15:30"): 23350.5,
    ("NIFTY_IND___", "NSE", "2025-01-27 11:00"): math.nan,
    ("NIFTY_OPT_20250130_CALL_23500", "NSE", "2025-01-27 10:00"): 0,
    ("BANKNIFTY_IND___", "NSE", "2025-01-27 11:00"): None,
    ("BANKNIFTY_IND___", "NSE", "2025-01-27 12:00"): 48000,
}
ROWS = [(*key, value) for key, value in SPOTS.items()]
CLOSES = {("NIFTY_IND___", "20250127"): 23350.5, ("NIFTY_OPT_20250130_CALL_23500", "20250127"): 0}


def fill(instrument: Any, symbol: str, side: Any = "entry") -> FillOf:
    return FillOf(instrument, symbol, side, TEN, ())


class PricesAtInstants(SourceContract):
    protocol = PriceSource
    method = "prices_at"
    known: Sequence[Any] = [
        (PriceAt(NIFTY, TEN), 23400.0, PriceKind.GIVEN),
        (PriceAt(NIFTY, CLOSE), 23350.5, PriceKind.GIVEN),
    ]
    unknown: Sequence[Any] = [
        PriceAt(NIFTY, ELEVEN),
        PriceAt(BANKNIFTY, ELEVEN),
        PriceAt(NIFTY, at("2025-01-28 10:00")),
        PriceAt(FUTURE, TEN),
        PriceAt(parse_symbol("TCS_STK___"), TEN),
        PriceAt(parse_symbol("NIFTY_OPT_20250130_PUT_23500"), TEN),
    ]


class TestPriceTableOfADict(PricesAtInstants):
    def make(self) -> PriceTable:
        return PriceTable(SPOTS)


class TestPriceTableOfAList(PricesAtInstants):
    def make(self) -> PriceTable:
        return PriceTable(ROWS)


class TestPriceFunction(PricesAtInstants):
    def make(self) -> PriceFunction:
        given = {("NIFTY_IND___", "NSE", TEN): 23400, ("NIFTY_IND___", "NSE", CLOSE): 23350.5}
        return PriceFunction(lambda *question: given.get(question, math.nan))


class TestBrokerPrices(PricesAtInstants):
    def make(self) -> RecordedBroker:
        return RecordedBroker(prices={("NIFTY_IND___", TEN): 23400.0, ("NIFTY_IND___", CLOSE): 23350.5})


class SessionCloses(SourceContract):
    protocol = CloseSource
    method = "closes"
    known: Sequence[Any] = [(CloseOf(NIFTY, MONDAY), 23350.5, PriceKind.CLOSE)]
    unknown: Sequence[Any] = [
        CloseOf(NIFTY, TUESDAY),
        CloseOf(BANKNIFTY, MONDAY),
        CloseOf(PUT, MONDAY, "NIFTY_OPT_20250130_PUT_23500"),
        # A Sunday: no session, and so no close.
        CloseOf(NIFTY, date(2025, 1, 26)),
    ]


class TestPriceTableCloses(SessionCloses):
    def make(self) -> PriceTable:
        return PriceTable(SPOTS)


class TestCloseTable(SessionCloses):
    # An option may close at zero: a price.
    known = (*SessionCloses.known, (CloseOf(CALL, MONDAY), 0.0, PriceKind.CLOSE))

    def make(self) -> CloseTable:
        return CloseTable({**CLOSES, ("NIFTY_IND___", "20250128"): math.nan, ("BANKNIFTY_IND___", "20250127"): None})


class TestBrokerCloses(SessionCloses):
    def make(self) -> RecordedBroker:
        return RecordedBroker(closes={("NIFTY_IND___", MONDAY): 23350.5})


class CurrentMarks(SourceContract):
    protocol = QuoteSource
    method = "quotes"
    unknown: Sequence[Any] = [QuoteOf(PUT, TEN), QuoteOf(FUTURE, TEN), QuoteOf(BANKNIFTY, TEN)]


class TestPriceTableQuotes(CurrentMarks):
    # A mark is a price of exactly now: what was known an hour ago is not one.
    known = ((QuoteOf(NIFTY, TEN), 23400.0, PriceKind.GIVEN),)
    unknown = (*CurrentMarks.unknown, QuoteOf(NIFTY, at("2025-01-27 10:01")))

    def make(self) -> PriceTable:
        return PriceTable(SPOTS)


class TestBrokerQuotes(CurrentMarks):
    known = ((QuoteOf(NIFTY, TEN), 23400.0, PriceKind.MARK),)

    def make(self) -> RecordedBroker:
        return RecordedBroker(quotes={"NIFTY_IND___": 23400.0})


class LegFills(SourceContract):
    protocol = FillSource
    method = "fills"
    known: Sequence[Any] = [
        (fill(CALL, "NIFTY_OPT_20250130_CALL_23500"), 120.0, PriceKind.FILL),
        # A fill at zero is a price that was given.
        (fill(CALL, "NIFTY_OPT_20250130_CALL_23500", "exit"), 0.0, PriceKind.FILL),
    ]
    unknown: Sequence[Any] = [
        fill(PUT, "NIFTY_OPT_20250130_PUT_23500", "exit"),
        fill(FUTURE, "NIFTY_FUT_20250130__"),
        fill(FUTURE, "NIFTY_FUT_20250130__", "exit"),
    ]


class TestLegPriceTableOfMappings(LegFills):
    def make(self) -> LegPriceTable:
        return LegPriceTable(
            {
                "NIFTY_OPT_20250130_CALL_23500": {"entry": 120, "exit": 0},
                "NIFTY_OPT_20250130_PUT_23500": {"entry": 180},
            }
        )


class TestLegPriceTableOfPairs(LegFills):
    def make(self) -> LegPriceTable:
        return LegPriceTable(
            {"NIFTY_OPT_20250130_CALL_23500": (120, 0), "NIFTY_OPT_20250130_PUT_23500": [180, math.nan]}
        )


class TestLegPriceTableOfAList(LegFills):
    def make(self) -> LegPriceTable:
        return LegPriceTable([("NIFTY_OPT_20250130_CALL_23500", 120, 0.0), ("NIFTY_OPT_20250130_PUT_23500", 180, None)])


class TestLegPriceFunction(LegFills):
    def make(self) -> LegPriceFunction:
        given = {
            ("NIFTY_OPT_20250130_CALL_23500", "entry"): 120,
            ("NIFTY_OPT_20250130_CALL_23500", "exit"): 0,
            ("NIFTY_OPT_20250130_PUT_23500", "exit"): math.nan,
        }
        return LegPriceFunction(lambda leg, side: given.get((leg, side)))


class TestPriceTableFills(LegFills):
    known = ((fill(CALL, "NIFTY_OPT_20250130_CALL_23500"), 0.0, PriceKind.GIVEN),)

    def make(self) -> PriceTable:
        return PriceTable(SPOTS)


class TestBrokerFills(LegFills):
    def make(self) -> RecordedBroker:
        call = "NIFTY_OPT_20250130_CALL_23500"
        return RecordedBroker(fills={(call, "entry"): 120.0, (call, "exit"): 0.0})


def test_the_minimal_broker_is_a_broker() -> None:
    assert isinstance(RecordedBroker(), Broker)
