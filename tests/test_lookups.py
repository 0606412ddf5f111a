"""Single prices by the rules of the split: closes, spots, what moves an option, and a trade's prices of a day."""

from __future__ import annotations

import math
from datetime import date, datetime
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from attribution import (
    CalendarError,
    MarketDataError,
    NoSourceError,
    SymbolError,
    TradeError,
    get_historical_close_price,
    get_option_underlying_price,
    get_spot_price_at_time,
    mtm_entry_price,
    mtm_exit_price,
)
from attribution.instruments import Option
from attribution.market.quotes import Answer, CloseOf, FillOf, Price, PriceAt, PriceKind
from attribution.symbols import format_symbol
from tests.market.recorded import RecordedBroker

KOLKATA = ZoneInfo("Asia/Kolkata")
NEW_YORK = ZoneInfo("America/New_York")
CALL = "NIFTY_OPT_20250130_CALL_23500"
PUT = "NIFTY_OPT_20250130_PUT_23500"
FAR = "NIFTY_OPT_20250227_CALL_23500"
FUTURE = "NIFTY_FUT_20250130__"
NIFTY = "NIFTY_IND___"
TCS = "TCS_STK___"
STRADDLE = f"{CALL}?-1:{PUT}?-1"
# Sunday 26 January 2025 is a holiday beside being a Sunday; Wednesday 26 February is a holiday.
FRIDAY, MONDAY, TUESDAY, THURSDAY = date(2025, 1, 24), date(2025, 1, 27), date(2025, 1, 28), date(2025, 1, 30)


def at(text: str, zone: ZoneInfo = KOLKATA) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


# Closes


CLOSES: dict[tuple[str, date], float] = {(CALL, MONDAY): 120.0, (PUT, MONDAY): 180.0, (NIFTY, MONDAY): 23400.0}


@pytest.mark.parametrize("day", [MONDAY, "2025-01-27", at("2025-01-27 11:00")])
def test_the_close_of_one_instrument_whatever_the_date_is_written_as(day: object) -> None:
    broker = RecordedBroker(closes=CLOSES)
    assert get_historical_close_price(broker, CALL, day) == 120.0
    assert broker.asked == [CloseOf(broker.asked[0].instrument, MONDAY, CALL)]


@pytest.mark.parametrize(
    ("symbol", "close"),
    [
        (STRADDLE, -300.0),
        (f"{CALL}?1:{PUT}?-1", -60.0),
        (f"{CALL}?-2:{PUT}?3", 300.0),
        # Written twice, merged: 2 − 1.
        (f"{CALL}?2:{CALL}?-1:{PUT}?-1", -60.0),
    ],
)
def test_the_close_of_a_combo_is_the_signed_net_price(symbol: str, close: float) -> None:
    assert get_historical_close_price(RecordedBroker(closes=CLOSES), symbol, MONDAY) == close


def test_legs_that_share_a_multiplier_are_priced_per_unit() -> None:
    closes = {("SPY_OPT_20250131_CALL_600", MONDAY): 5.0, ("SPY_OPT_20250131_PUT_600", MONDAY): 8.0}
    broker = RecordedBroker(closes=closes)
    assert get_historical_close_price(broker, "SPY250131C00600000?1:SPY250131P00600000?-1", MONDAY) == -3.0


def test_legs_of_different_multipliers_are_priced_in_currency() -> None:
    # 100 shares at 450 against one call on 100 of them at 8.
    broker = RecordedBroker(closes={("SPY_STK___", MONDAY): 450.0, ("SPY_OPT_20250131_CALL_450", MONDAY): 8.0})
    combo = "SPY_STK___?100:SPY250131C00450000?-1"
    assert get_historical_close_price(broker, combo, MONDAY, "US") == 45000.0 - 800.0


def test_a_cached_close_is_not_asked_for() -> None:
    broker = RecordedBroker()
    cache = {(CALL, "20250127"): 121.0, (PUT, "20250127"): 181.0}
    assert get_historical_close_price(broker, STRADDLE, MONDAY, historical_cache=cache) == -302.0
    assert broker.asked == []


def test_only_what_the_cache_lacks_is_asked_for_and_then_kept() -> None:
    cache: dict[tuple[str, str], float] = {(CALL, "20250127"): 121.0}
    broker = RecordedBroker(closes=CLOSES)
    assert get_historical_close_price(broker, STRADDLE, MONDAY, historical_cache=cache) == -301.0
    assert [format_symbol(ask.instrument) for ask in broker.asked] == [PUT]
    assert cache == {(CALL, "20250127"): 121.0, (PUT, "20250127"): 180.0}
    nobody = RecordedBroker(fails="closes")
    assert get_historical_close_price(nobody, STRADDLE, MONDAY, historical_cache=cache) == -301.0


def test_what_was_answered_is_kept_though_another_leg_is_missing() -> None:
    cache: dict[tuple[str, str], float] = {}
    with pytest.raises(MarketDataError, match=PUT):
        get_historical_close_price(
            RecordedBroker(closes={(CALL, MONDAY): 120.0}), STRADDLE, MONDAY, historical_cache=cache
        )
    assert cache == {(CALL, "20250127"): 120.0}


def test_a_settlement_price_is_used_and_not_kept_as_a_close() -> None:
    cache: dict[tuple[str, str], float] = {}
    broker = RecordedBroker(closes=CLOSES, close_kind=PriceKind.SETTLEMENT)
    assert get_historical_close_price(broker, STRADDLE, MONDAY, historical_cache=cache) == -300.0
    assert cache == {}


def test_a_cache_that_cannot_be_written_to_is_only_read() -> None:
    cache = MappingProxyType({(CALL, "20250127"): 121.0})
    broker = RecordedBroker(closes=CLOSES)
    assert get_historical_close_price(broker, STRADDLE, MONDAY, historical_cache=cache) == -301.0


@pytest.mark.parametrize("blank", [None, math.nan])
def test_a_blank_in_the_cache_is_not_known_and_never_zero(blank: float | None) -> None:
    cache = {(CALL, "20250127"): blank}
    with pytest.raises(MarketDataError, match="NaN or None"):
        get_historical_close_price(None, CALL, MONDAY, historical_cache=cache)
    assert get_historical_close_price(RecordedBroker(closes=CLOSES), CALL, MONDAY, historical_cache=cache) == 120.0
    assert get_historical_close_price(None, CALL, MONDAY, historical_cache=cache) == 120.0


class Mapped(RecordedBroker):
    """Notes when its symbol master was read anew, among the questions."""

    def refresh_mapping(self) -> None:
        self.asked.append("refreshed")


def test_the_symbol_master_is_read_anew_once_and_before_any_question() -> None:
    broker = Mapped(closes=CLOSES)
    assert get_historical_close_price(broker, STRADDLE, MONDAY, refresh_mapping=True) == -300.0
    assert broker.asked[0] == "refreshed"
    assert broker.asked.count("refreshed") == 1
    assert len(broker.asked) == 3


def test_the_symbol_master_is_left_alone_unless_asked_for() -> None:
    broker = Mapped(closes=CLOSES)
    get_historical_close_price(broker, STRADDLE, MONDAY)
    assert "refreshed" not in broker.asked


@pytest.mark.parametrize("broker", [RecordedBroker(closes=CLOSES), None])
def test_a_broker_without_a_symbol_master_needs_no_refresh(broker: RecordedBroker | None) -> None:
    cache = {(CALL, "20250127"): 120.0}
    assert get_historical_close_price(broker, CALL, MONDAY, refresh_mapping=True, historical_cache=cache) == 120.0


def test_nobody_to_ask_is_no_source() -> None:
    with pytest.raises(NoSourceError, match=CALL):
        get_historical_close_price(None, CALL, MONDAY)


def test_an_absence_names_instrument_session_and_all_who_were_asked() -> None:
    with pytest.raises(MarketDataError) as caught:
        get_historical_close_price(RecordedBroker(name="acme"), CALL, MONDAY, historical_cache={})
    assert not isinstance(caught.value, NoSourceError)
    for part in (CALL, "2025-01-27", "historical_cache: no close", "acme: nothing recorded"):
        assert part in str(caught.value)


def test_an_outage_is_told_as_one() -> None:
    with pytest.raises(MarketDataError, match="acme: failed: closes: connection refused") as caught:
        get_historical_close_price(RecordedBroker(closes=CLOSES, name="acme", fails="closes"), CALL, MONDAY)
    assert not isinstance(caught.value, NoSourceError)


@pytest.mark.parametrize("day", [date(2025, 1, 26), date(2025, 2, 26)])
def test_a_day_without_a_session_has_no_close_and_takes_none_of_another_day(day: date) -> None:
    # Closes of the days around it are known.
    around = {(NIFTY, date(2025, 1, 24)): 1.0, (NIFTY, date(2025, 1, 27)): 2.0, (NIFTY, date(2025, 2, 25)): 3.0}
    with pytest.raises(MarketDataError, match=str(day)):
        get_historical_close_price(RecordedBroker(closes=around), NIFTY, day)


@pytest.mark.parametrize("day", [None, "", "someday"])
def test_a_date_that_cannot_be_read_is_named(day: object) -> None:
    with pytest.raises(TradeError) as caught:
        get_historical_close_price(RecordedBroker(closes=CLOSES), CALL, day)
    assert caught.value.field == "date"


def test_a_symbol_that_cannot_be_read() -> None:
    with pytest.raises(SymbolError):
        get_historical_close_price(RecordedBroker(), "FOO_BAR", MONDAY)


def test_what_is_no_broker_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="lacks"):
        get_historical_close_price(object(), CALL, MONDAY)


# Spots


TEN = at("2025-01-27 10:00")
CLOSE = at("2025-01-27 15:30")


@pytest.mark.parametrize(
    ("symbol", "exchange", "canonical"),
    [
        ("NIFTY", None, NIFTY),
        ("Nifty 50", None, NIFTY),
        (NIFTY, None, NIFTY),
        ("TCS", None, TCS),
        ("M&M", "NSE", "M&M_STK___"),
        ("SENSEX", None, "SENSEX_IND___"),
        (FUTURE, None, FUTURE),
    ],
)
def test_a_name_may_be_bare(symbol: str, exchange: str | None, canonical: str) -> None:
    broker = RecordedBroker(prices={(canonical, TEN): 23400.0})
    assert get_spot_price_at_time(broker, symbol, "2025-01-27 10:00", exchange) == 23400.0


def test_a_bare_name_of_another_exchange_is_read_on_its_clock() -> None:
    broker = RecordedBroker(prices={("SPY_STK___", at("2025-01-27 10:00", NEW_YORK)): 600.0})
    assert get_spot_price_at_time(broker, "SPY", "2025-01-27 10:00", "US") == 600.0


@pytest.mark.parametrize(
    ("when", "price"),
    [
        ("2025-01-27 15:29", 23391.0),
        ("2025-01-27 15:30", 23400.0),
        # An instant after the close is the broker's to price.
        ("2025-01-27 16:00", 23392.0),
        # The close of the new hours, and the old one, which is an instant like any other.
        ("2026-08-03 15:30", 25001.0),
        ("2026-08-03 15:40", 25010.0),
        ("2026-07-31 15:30", 24900.0),
    ],
)
def test_the_official_close_stands_at_the_exact_instant_of_the_close(when: str, price: float) -> None:
    prices: dict[tuple[str, datetime], float | Answer] = {
        (NIFTY, at("2025-01-27 15:29")): 23391.0,
        (NIFTY, at("2025-01-27 15:30")): 23388.0,
        (NIFTY, at("2025-01-27 16:00")): 23392.0,
        (NIFTY, at("2026-07-31 15:30")): 24888.0,
        (NIFTY, at("2026-08-03 15:30")): 25001.0,
        (NIFTY, at("2026-08-03 15:40")): 25002.0,
    }
    closes = {**CLOSES, (NIFTY, date(2026, 7, 31)): 24900.0, (NIFTY, date(2026, 8, 3)): 25010.0}
    assert get_spot_price_at_time(RecordedBroker(prices=prices, closes=closes), NIFTY, when) == price


def test_without_an_official_close_the_price_of_the_instant_serves() -> None:
    broker = RecordedBroker(prices={(NIFTY, CLOSE): 23388.0})
    assert get_spot_price_at_time(broker, NIFTY, CLOSE) == 23388.0
    assert [type(ask) for ask in broker.asked] == [CloseOf, PriceAt]


def test_the_close_may_come_from_the_callers_cache() -> None:
    cache = {("NIFTY", "20250127"): 23401.0}
    assert get_spot_price_at_time(None, "NIFTY", CLOSE, historical_cache=cache) == 23401.0


def test_a_callable_is_asked_with_canonical_symbol_exchange_and_instant_before_the_broker() -> None:
    seen: list[tuple[str, str, datetime]] = []

    def spot(symbol: str, exchange: str, when: datetime) -> float:
        seen.append((symbol, exchange, when))
        return 23333.0

    broker = RecordedBroker(prices={(NIFTY, TEN): 1.0})
    assert get_spot_price_at_time(broker, "NIFTY", "2025-01-27 10:00", spot_prices=spot) == 23333.0
    assert seen == [(NIFTY, "NSE", TEN)]
    assert broker.asked == []


def test_a_callable_that_does_not_know_leaves_it_to_the_broker() -> None:
    broker = RecordedBroker(prices={(NIFTY, TEN): 23400.0})
    assert get_spot_price_at_time(broker, "NIFTY", TEN, spot_prices=lambda symbol, exchange, when: None) == 23400.0


def test_a_callable_serves_at_the_instant_of_the_close_too() -> None:
    assert get_spot_price_at_time(None, "NIFTY", CLOSE, spot_prices=lambda *where: 23400.0) == 23400.0


def test_a_spot_nobody_was_given_for_is_no_source() -> None:
    with pytest.raises(NoSourceError, match=NIFTY):
        get_spot_price_at_time(None, "NIFTY", TEN)
    with pytest.raises(NoSourceError, match=NIFTY):
        get_spot_price_at_time(None, "NIFTY", CLOSE)


def test_a_spot_that_nobody_knows_names_all_who_were_asked() -> None:
    with pytest.raises(MarketDataError) as caught:
        get_spot_price_at_time(RecordedBroker(name="acme"), "NIFTY", TEN, spot_prices={})
    assert not isinstance(caught.value, NoSourceError)
    for part in (NIFTY, "2025-01-27 10:00:00", "spot_prices: no price", "acme: nothing recorded"):
        assert part in str(caught.value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_spot_that_is_no_number_is_a_failure(value: float) -> None:
    with pytest.raises(MarketDataError, match="failed: answered"):
        get_spot_price_at_time(RecordedBroker(prices={(NIFTY, TEN): value}), "NIFTY", TEN)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_spot_that_no_underlying_can_have_is_an_error(value: float) -> None:
    # As in the split: a price of 0 is a price for an option, and an error for what moves it.
    with pytest.raises(TradeError, match="positive"):
        get_spot_price_at_time(None, "NIFTY", TEN, spot_prices={("NIFTY", TEN): value})


@pytest.mark.parametrize("when", [None, "", "noon"])
def test_an_instant_that_cannot_be_read_is_named(when: object) -> None:
    with pytest.raises(TradeError) as caught:
        get_spot_price_at_time(RecordedBroker(), "NIFTY", when)
    assert caught.value.field == "time"


# What moves an option


INDEX: dict[tuple[str, datetime], float | Answer] = {(NIFTY, TEN): 23400.0}
PAIR: dict[tuple[str, datetime], float | Answer] = {(CALL, TEN): 120.0, (PUT, TEN): 160.0}


def test_the_future_that_expires_with_the_option_comes_first() -> None:
    future: dict[tuple[str, datetime], float | Answer] = {
        (FUTURE, TEN): Price(23465.0, "acme", PriceKind.BAR, at("2025-01-27 09:59"))
    }
    broker = RecordedBroker(prices={**INDEX, **PAIR, **future})
    found = get_option_underlying_price(broker, CALL, TEN)
    assert found == (23465.0, "future", "acme", at("2025-01-27 09:59"))
    # Nobody needs the other right then.
    assert not any(isinstance(ask.instrument, Option) for ask in broker.asked)


@pytest.mark.parametrize("symbol", [CALL, PUT])
def test_parity_of_call_and_put_comes_next(symbol: str) -> None:
    found = get_option_underlying_price(RecordedBroker(prices={**INDEX, **PAIR}), symbol, TEN)
    assert (found.price, found.plays, found.source) == (23460.0, "parity forward", "recorded")


@pytest.mark.parametrize("lacking", list(PAIR))
def test_the_spot_comes_last(lacking: tuple[str, datetime]) -> None:
    prices = {key: value for key, value in {**INDEX, **PAIR}.items() if key != lacking}
    found = get_option_underlying_price(RecordedBroker(prices=prices), CALL, TEN)
    assert (found.price, found.plays, found.source) == (23400.0, "spot", "recorded")


def test_the_future_of_another_month_is_no_forward() -> None:
    other: dict[tuple[str, datetime], float | Answer] = {("NIFTY_FUT_20250227__", TEN): 23600.0}
    found = get_option_underlying_price(RecordedBroker(prices={**INDEX, **other}), CALL, TEN)
    assert (found.price, found.plays) == (23400.0, "spot")


def test_a_strike_far_from_the_money_tells_no_forward() -> None:
    far = CALL.replace("23500", "24000")
    pair = {(symbol.replace("23500", "24000"), when): value for (symbol, when), value in PAIR.items()}
    broker = RecordedBroker(prices={**INDEX, **pair})
    assert get_option_underlying_price(broker, far, TEN).plays == "spot"
    assert not any(isinstance(ask.instrument, Option) for ask in broker.asked)


@pytest.mark.parametrize(
    ("clock", "years"),
    [
        # Monday 10:00 to Thursday 15:30: three sessions and 330 of 375 minutes; three days and five hours and a half.
        ("sessions", (3 + 330 / 375) / 252),
        ("calendar", (3 + 5.5 / 24) / 365),
    ],
)
def test_parity_counts_time_by_the_clock_that_was_asked_for(clock: str, years: float) -> None:
    broker = RecordedBroker(prices={**INDEX, **PAIR})
    found = get_option_underlying_price(broker, CALL, TEN, clock=clock, rate=0.5)
    assert found.price == pytest.approx(23500.0 - 40.0 * math.exp(0.5 * years), rel=1e-14)


def test_at_the_close_the_official_closes_come_first() -> None:
    closes = {**CLOSES, (FUTURE, MONDAY): 23450.0}
    broker = RecordedBroker(prices={(FUTURE, CLOSE): 1.0, (NIFTY, CLOSE): 1.0}, closes=closes)
    found = get_option_underlying_price(broker, CALL, CLOSE)
    assert (found.price, found.plays) == (23450.0, "future")


def test_the_callers_spot_and_forward_come_before_the_broker() -> None:
    broker = RecordedBroker(prices={**INDEX, (FUTURE, TEN): 1.0})
    found = get_option_underlying_price(broker, CALL, TEN, spot_prices={("NIFTY", TEN): (23400.0, 23470.0)})
    assert (found.price, found.plays, found.source) == (23470.0, "future", "spot_prices")


def test_a_share_has_its_own_options() -> None:
    broker = RecordedBroker(prices={(TCS, TEN): 4100.0})
    found = get_option_underlying_price(broker, "TCS_OPT_20250130_CALL_4100", TEN)
    assert (found.price, found.plays) == (4100.0, "spot")


@pytest.mark.parametrize("symbol", [TCS, NIFTY, FUTURE])
def test_what_is_not_an_option_is_an_error_of_the_symbol(symbol: str) -> None:
    with pytest.raises(TradeError, match="an option") as caught:
        get_option_underlying_price(RecordedBroker(), symbol, TEN)
    assert (caught.value.field, caught.value.value) == ("symbol", symbol)


def test_a_combo_is_not_one_option() -> None:
    with pytest.raises(SymbolError):
        get_option_underlying_price(RecordedBroker(), STRADDLE, TEN)


def test_an_underlying_that_nobody_knows_is_missing_and_one_that_nobody_was_asked_is_no_source() -> None:
    with pytest.raises(MarketDataError, match="acme: nothing recorded") as caught:
        get_option_underlying_price(RecordedBroker(name="acme"), CALL, TEN)
    assert not isinstance(caught.value, NoSourceError)
    with pytest.raises(NoSourceError, match=NIFTY):
        get_option_underlying_price(None, CALL, TEN)


def test_a_broker_that_is_down_is_told() -> None:
    broker = RecordedBroker(prices={**INDEX}, name="acme", fails=("prices_at", "closes", "quotes"))
    with pytest.raises(MarketDataError, match="acme: failed: prices_at: connection refused"):
        get_option_underlying_price(broker, CALL, TEN)


# A trade's prices of a day


def row(symbol: str = CALL, **changes: Any) -> dict[str, Any]:
    """Bought on Monday at 10:00, sold on Tuesday at 14:00."""
    return {
        "symbol": symbol,
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-28 14:00",
        "entry_price": 118.0,
        "exit_price": 95.0,
        "entry_quantity": 75,
        **changes,
    }


def combo(**changes: Any) -> dict[str, Any]:
    return row(STRADDLE, **{"entry_price": None, "exit_price": None, **changes})


DAYS: dict[tuple[str, date], float | Answer] = {
    **CLOSES,
    (CALL, TUESDAY): 90.0,
    (PUT, TUESDAY): 200.0,
    (FUTURE, MONDAY): 23450.0,
    (FAR, THURSDAY): 300.0,
    (NIFTY, THURSDAY): 23555.5,
}
FILLS: dict[tuple[str, str], float | Answer] = {
    (CALL, "entry"): 118.0,
    (PUT, "entry"): 178.0,
    (CALL, "exit"): 95.0,
    (PUT, "exit"): 205.0,
}


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        # Opened on Monday: its fill, and the close. Closed on Tuesday: the close before, and its fill.
        pytest.param(MONDAY, 118.0, 120.0, id="opened"),
        pytest.param(TUESDAY, 120.0, 95.0, id="closed"),
        pytest.param("2025-01-28", 120.0, 95.0, id="text"),
        pytest.param(at("2025-01-28 09:00"), 120.0, 95.0, id="instant"),
    ],
)
def test_a_day_starts_and_ends_with_fills_on_their_days_and_closes_else(day: object, first: float, last: float) -> None:
    broker = RecordedBroker(closes=DAYS)
    assert mtm_entry_price(row(), day, broker) == first
    assert mtm_exit_price(row(), day, broker) == last


def test_the_close_before_a_monday_is_fridays() -> None:
    broker = RecordedBroker(closes={(CALL, FRIDAY): 111.0})
    assert mtm_entry_price(row(entry_time="2025-01-23 10:00"), MONDAY, broker) == 111.0


def test_a_trade_of_one_day_has_both_its_fills() -> None:
    broker = RecordedBroker()
    fields = row(exit_time="2025-01-27 14:00")
    assert (mtm_entry_price(fields, MONDAY, broker), mtm_exit_price(fields, MONDAY, broker)) == (118.0, 95.0)
    assert broker.asked == []


@pytest.mark.parametrize(("day", "first", "last"), [(MONDAY, -296.0, -300.0), (TUESDAY, -300.0, -300.0)])
def test_combos_net_their_legs(day: date, first: float, last: float) -> None:
    broker = RecordedBroker(closes=DAYS, fills=FILLS)
    assert mtm_entry_price(combo(), day, broker) == first
    assert mtm_exit_price(combo(), day, broker) == last


def test_the_fills_of_a_combo_are_asked_for_by_its_keys() -> None:
    broker = RecordedBroker(closes=DAYS, fills=FILLS)
    mtm_entry_price(combo(entry_keys="E1 E2"), MONDAY, broker)
    entries = [ask for ask in broker.asked if isinstance(ask, FillOf) and ask.side == "entry"]
    assert {(ask.symbol, ask.keys) for ask in entries} == {(CALL, ("E1", "E2")), (PUT, ("E1", "E2"))}


def test_a_combo_whose_row_has_its_own_fill_needs_no_legs() -> None:
    # It is the very number that was asked for.
    assert mtm_entry_price(combo(entry_price=-296.0), MONDAY) == -296.0
    assert mtm_exit_price(combo(exit_price=-300.0), TUESDAY) == -300.0


def test_the_net_price_of_a_combo_of_one_multiplier_is_per_unit() -> None:
    closes = {("SPY_OPT_20250131_CALL_600", MONDAY): 5.0, ("SPY_OPT_20250131_PUT_600", MONDAY): 8.0}
    fields = row("SPY250131C00600000?1:SPY250131P00600000?-1", entry_price=None, exit_time=None, exit_price=None)
    assert mtm_exit_price(fields, MONDAY, RecordedBroker(closes=closes)) == -3.0


def test_the_net_price_of_a_combo_of_different_multipliers_is_in_currency() -> None:
    closes = {("SPY_STK___", MONDAY): 600.0, ("SPY_OPT_20250131_CALL_600", MONDAY): 5.0}
    fields = row(
        "SPY_STK___?100:SPY250131C00600000?-1", entry_price=None, exit_time=None, exit_price=None, exchange="US"
    )
    assert mtm_exit_price(fields, MONDAY, RecordedBroker(closes=closes)) == 60000.0 - 500.0


def test_an_open_trade_ends_its_day_at_the_close_and_not_at_its_mark() -> None:
    fields = row(exit_time=None, exit_price=None, mtm=1.0)
    assert mtm_exit_price(fields, TUESDAY, RecordedBroker(closes=DAYS, quotes={CALL: 2.0})) == 90.0


def test_an_exit_that_lies_ahead_is_not_the_end_of_the_day() -> None:
    fields = row(exit_time="2025-01-29 14:00")
    assert mtm_exit_price(fields, TUESDAY, RecordedBroker(closes=DAYS)) == 90.0


@pytest.mark.parametrize(
    ("symbol", "payoff"),
    [
        (CALL, 55.5),
        (PUT, 0.0),
        # The future is delivered at the index.
        (FUTURE, 23555.5),
        (STRADDLE, -55.5),
        # The far leg has a close of its own.
        (f"{CALL}?-1:{FAR}?1", 300.0 - 55.5),
    ],
)
def test_on_its_expiry_a_leg_is_worth_its_payoff(symbol: str, payoff: float) -> None:
    # The close of an expiring option's row in the exchange's file is the index: never that.
    wrong = {(leg, THURSDAY): 23555.5 for leg in (CALL, PUT)}
    fields = row(symbol, entry_price=None, exit_time=None, exit_price=None)
    assert mtm_exit_price(fields, THURSDAY, RecordedBroker(closes={**DAYS, **wrong})) == payoff


def test_a_fill_on_the_expiry_day_stays_a_fill() -> None:
    fields = row(exit_time="2025-01-30 15:25", exit_price=51.0)
    assert mtm_exit_price(fields, THURSDAY, RecordedBroker(closes=DAYS)) == 51.0


def test_of_a_partly_closed_trade_the_open_part_ends_the_day() -> None:
    fields = row(exit_time="2025-01-28 11:00", exit_quantity=-30)
    assert mtm_exit_price(fields, TUESDAY, RecordedBroker(closes=DAYS)) == 90.0


def test_a_part_that_was_closed_and_recorded_late_does_not_hide_the_open_one() -> None:
    # The fill was written down after the close; 45 units are open all the same, and worth the close.
    fields = row(exit_time="2025-01-28 15:45", exit_quantity=-30)
    assert mtm_exit_price(fields, TUESDAY, RecordedBroker(closes=DAYS)) == 90.0


def test_legs_that_exit_one_by_one_end_each_in_its_own_way() -> None:
    exited = Price(95.0, "recorded", PriceKind.FILL, at("2025-01-28 11:00"), 75.0)
    broker = RecordedBroker(closes=DAYS, fills={(CALL, "exit"): exited})
    fields = combo(exit_time=None, entry_quantity=75, exit_keys="X1")
    assert mtm_entry_price(fields, TUESDAY, broker) == -300.0
    assert mtm_exit_price(fields, TUESDAY, broker) == -(95.0 + 200.0)


@pytest.mark.parametrize(
    ("fields", "day", "why"),
    [
        pytest.param(row(), FRIDAY, "not_open", id="before-it-opened"),
        pytest.param(row(), date(2025, 1, 29), "closed", id="after-it-closed"),
        pytest.param(row(exit_time=None), date(2025, 1, 31), "expired", id="after-it-expired"),
    ],
)
@pytest.mark.parametrize("price", [mtm_entry_price, mtm_exit_price])
def test_a_day_on_which_the_trade_was_not_alive_has_no_price(
    price: Any, fields: dict[str, Any], day: date, why: str
) -> None:
    broker = RecordedBroker(closes={(CALL, d): 100.0 for d in (FRIDAY, MONDAY, TUESDAY, THURSDAY, day)})
    with pytest.raises(MarketDataError, match=f"{CALL} on {day}: {why}"):
        price(fields, day, broker)


@pytest.mark.parametrize("day", [date(2025, 1, 26), "2025-02-26"])
@pytest.mark.parametrize("price", [mtm_entry_price, mtm_exit_price])
def test_a_day_without_a_session_is_an_error_of_the_calendar(price: Any, day: object) -> None:
    with pytest.raises(CalendarError, match="mtm_date="):
        price(row(exit_time=None, exit_price=None), day, RecordedBroker(closes=DAYS))


def test_a_price_of_a_day_that_is_missing_says_where_and_who_was_asked() -> None:
    broker = RecordedBroker(name="acme")
    with pytest.raises(MarketDataError) as caught:
        mtm_exit_price(row(), MONDAY, broker, {})
    assert not isinstance(caught.value, NoSourceError)
    for part in (CALL, "2025-01-27 15:30:00", "historical_cache: no close", "acme: nothing recorded"):
        assert part in str(caught.value)
    with pytest.raises(NoSourceError, match=CALL):
        mtm_exit_price(row(), MONDAY)


def test_a_payoff_without_a_settlement_value_is_missing() -> None:
    with pytest.raises(MarketDataError, match="acme: nothing recorded"):
        mtm_exit_price(row(exit_time=None), THURSDAY, RecordedBroker(name="acme"))


def test_the_cache_serves_the_days_of_a_trade_and_is_filled() -> None:
    cache: dict[tuple[str, str], float] = {(CALL, "20250127"): 121.0}
    broker = RecordedBroker(closes=DAYS)
    fields = row(exit_time=None, exit_price=None)
    assert mtm_entry_price(fields, TUESDAY, broker, cache) == 121.0
    assert mtm_exit_price(fields, TUESDAY, broker, cache) == 90.0
    assert (cache[CALL, "20250127"], cache[CALL, "20250128"]) == (121.0, 90.0)


@pytest.mark.parametrize("day", [None, "someday"])
def test_a_day_that_cannot_be_read_is_named(day: object) -> None:
    with pytest.raises(TradeError) as caught:
        mtm_entry_price(row(), day, RecordedBroker())
    assert caught.value.field == "mtm_date"


def test_a_broker_that_is_down_is_told_for_a_day_too() -> None:
    with pytest.raises(MarketDataError, match="acme: failed: closes: connection refused"):
        mtm_entry_price(row(), TUESDAY, RecordedBroker(closes=DAYS, name="acme", fails="closes"))
