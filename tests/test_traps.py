"""What goes wrong elsewhere, each trap by its name; the numbers are small enough to check by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from attribution import (
    BrokerError,
    NoSourceError,
    TradeError,
    attribute_legs,
    black_greeks,
    black_price,
    calculate_attribution_for_trade,
    calculate_attribution_for_trades,
    implied_vol,
    summarise,
)
from attribution.market.cache import CachedBroker
from attribution.market.quotes import Answer, CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf
from attribution.units import rho_per_bp, theta_per_calendar_day, theta_per_session, vega_per_vol_point

EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")
CALL = "NIFTY_OPT_20250130_CALL_23500"
PUT = "NIFTY_OPT_20250130_PUT_23500"
NIFTY = "NIFTY_IND___"
MORNING, AFTERNOON = "2025-01-20 09:20", "2025-01-20 15:20"


def call_row(**changed: Any) -> dict[str, Any]:
    row = {
        "symbol": CALL,
        "entry_time": MORNING,
        "exit_time": AFTERNOON,
        "entry_quantity": 75,
        "entry_price": 200.0,
        "exit_price": 230.0,
    }
    return {**row, **changed}


SPOTS = {(NIFTY, "NSE", MORNING): 23350.0, (NIFTY, "NSE", AFTERNOON): 23420.0}


# --- unknown is never zero -------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [MORNING, AFTERNOON])
@pytest.mark.parametrize("absent", ["no key", None, math.nan])
def test_missing_spot_is_never_zero(end: str, absent: Any) -> None:
    """The pnl is known without a spot; what moved it is not."""
    spots = {key: spot for key, spot in SPOTS.items() if key[2] != end}
    if absent != "no key":
        spots[NIFTY, "NSE", end] = absent
    result = calculate_attribution_for_trade(call_row(), spot_prices=spots)
    assert result["status"] == "missing_price"
    assert all(math.isnan(result[name]) for name in (*EFFECTS, "residual"))
    assert result["pnl"] == 75 * 30.0
    assert result["reason"]


@pytest.mark.parametrize(
    "spots",
    [
        {(NIFTY, "NSE", MORNING): 23350.0, (NIFTY, "NSE", AFTERNOON): None},
        {(NIFTY, "NSE", MORNING): 23350.0, (NIFTY, "NSE", "2025-01-20 11:00"): 1.0},
        {(NIFTY, "NSE", "2025-01-20"): 23350.0},
    ],
    ids=["a hole", "two candidates", "one for both ends"],
)
def test_the_reason_names_what_was_wanted_and_when(spots: dict[Any, Any]) -> None:
    """In a list of a thousand trades 'missing' alone is no help: of which leg, and when."""
    row = call_row(symbol=f"{CALL}?-1:TCS_STK___?1", entry_price=None, exit_price=None)
    prices = {CALL: (200.0, 230.0), "TCS_STK___": (4000.0, 4001.0)}
    result = calculate_attribution_for_trade(row, spot_prices=spots, leg_prices=prices)
    assert result["status"] == "missing_price"
    assert CALL in result["reason"]
    assert "2025-01-20" in result["reason"]
    assert "TCS" not in result["reason"]
    assert result["per_leg"][CALL]["reason"]
    assert result["per_leg"]["TCS_STK___"]["reason"] == ""
    assert result["per_leg"]["TCS_STK___"]["status"] == "ok"


def test_missing_leg_price_is_never_zero() -> None:
    """One leg without a price: the other's numbers stay, the trade's are unknown."""
    row = call_row(symbol=f"{CALL}?-1:{PUT}?-1", entry_price=None, exit_price=None)
    prices = {CALL: (200.0, 230.0), PUT: (150.0, None)}
    result = calculate_attribution_for_trade(row, spot_prices=SPOTS, leg_prices=prices)
    assert result["status"] == "missing_price"
    assert math.isnan(result["pnl"])
    assert all(math.isnan(result[name]) for name in EFFECTS)
    assert PUT in result["reason"]
    assert result["per_leg"][CALL]["status"] == "ok"
    assert result["per_leg"][CALL]["pnl"] == -75 * 30.0
    totals = summarise([result])[0]
    assert math.isnan(totals["pnl"])
    assert totals["missing"] == 1


def test_an_outage_and_a_flat_day_do_not_look_alike() -> None:
    def out_of_order(symbol: str, exchange: str, at: datetime) -> float:
        raise BrokerError("connection refused")

    outage = calculate_attribution_for_trade(call_row(), spot_prices=out_of_order)
    assert outage["status"] == "source_failed"
    assert "connection refused" in outage["reason"]
    assert all(math.isnan(outage[name]) for name in EFFECTS)
    flat = calculate_attribution_for_trade(
        call_row(symbol="TCS_STK___", entry_price=4000.0, exit_price=4000.0),
    )
    assert flat["status"] == "ok"
    assert [flat[name] for name in (*EFFECTS, "pnl", "residual")] == [0.0] * 6


def test_a_bug_in_the_callers_source_is_not_swallowed() -> None:
    def broken(symbol: str, exchange: str, at: datetime) -> float:
        return symbol.no_such_attribute  # type: ignore[attr-defined, no-any-return]

    with pytest.raises(AttributeError):
        calculate_attribution_for_trade(call_row(), spot_prices=broken)


def test_no_source_at_all_is_an_error_and_keeps_its_place_in_a_list() -> None:
    with pytest.raises(NoSourceError):
        calculate_attribution_for_trade(call_row())
    other = call_row(symbol="TCS_STK___")
    results = calculate_attribution_for_trades([call_row(), other])
    assert [result["status"] for result in results] == ["no_source", "ok"]
    assert math.isnan(results[0]["spot_attrib"])


def test_a_zero_that_a_caller_gives_for_an_option_is_a_price_and_for_a_spot_an_error() -> None:
    worthless = calculate_attribution_for_trade(call_row(exit_price=0.0), spot_prices=SPOTS)
    assert worthless["status"] == "ok"
    assert worthless["pnl"] == -75 * 200.0
    with pytest.raises(TradeError, match="positive"):
        calculate_attribution_for_trade(call_row(), spot_prices={**SPOTS, (NIFTY, "NSE", AFTERNOON): 0.0})
    with pytest.raises(TradeError, match="zero or positive"):
        calculate_attribution_for_trade(call_row(exit_price=-0.05), spot_prices=SPOTS)


# --- caches ----------------------------------------------------------------------------------------------------


def test_corrected_price_changes_the_vol() -> None:
    """A vol remembered by symbol and minute would outlive the price that it was implied from."""
    first = calculate_attribution_for_trade(call_row(exit_price=230.0), spot_prices=SPOTS)
    corrected = calculate_attribution_for_trade(call_row(exit_price=260.0), spot_prices=SPOTS)
    again = calculate_attribution_for_trade(call_row(exit_price=230.0), spot_prices=SPOTS)
    vols = [result["per_leg"][CALL]["vol1"] for result in (first, corrected, again)]
    assert vols[1] > vols[0] + 0.01
    assert vols[2] == vols[0]


def test_a_corrected_spot_changes_the_vol() -> None:
    first = calculate_attribution_for_trade(call_row(), spot_prices=SPOTS)
    higher = {**SPOTS, (NIFTY, "NSE", AFTERNOON): 23440.0}
    corrected = calculate_attribution_for_trade(call_row(), spot_prices=higher)
    assert corrected["per_leg"][CALL]["vol1"] < first["per_leg"][CALL]["vol1"]


class Vendor:
    """A broker that learns prices while it is in use, and counts how often it is asked."""

    name = "vendor"

    def __init__(self) -> None:
        self.spots: dict[datetime, float] = {}
        self.asked = 0

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        self.asked += 1
        return [
            Price(self.spots[ask.at], self.name, PriceKind.GIVEN, ask.at)
            if ask.at in self.spots and type(ask.instrument).__name__ == "Index"
            else Missing("not there yet")
            for ask in wanted
        ]

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        return [Missing("knows no closes")] * len(wanted)

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        return [Missing("knows no quotes")] * len(wanted)

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        return [Missing("knows no fills")] * len(wanted)


IST = timezone(timedelta(hours=5, minutes=30))


def test_a_missing_price_found_later_is_used() -> None:
    """A miss is an answer of that moment; remembered for ever, it would outlive the outage."""
    vendor, seconds = Vendor(), [0.0]
    broker = CachedBroker(vendor, clock=lambda: seconds[0])
    vendor.spots[datetime(2025, 1, 20, 9, 20, tzinfo=IST)] = 23350.0
    before = calculate_attribution_for_trade(call_row(), broker)
    assert before["status"] == "missing_price"
    vendor.spots[datetime(2025, 1, 20, 15, 20, tzinfo=IST)] = 23420.0
    seconds[0] = 31.0
    after = calculate_attribution_for_trade(call_row(), broker)
    assert after["status"] == "ok"
    assert after["spot_attrib"] > 0.0


def test_a_close_added_to_the_cache_later_is_used() -> None:
    cache = {(NIFTY, "20250120"): 23420.0}
    row = call_row(exit_time=None, exit_price=None)
    how: dict[str, Any] = {"spot_prices": SPOTS, "historical_cache": cache, "current_time": "2025-01-20 18:00"}
    assert calculate_attribution_for_trade(row, **how)["status"] == "missing_price"
    cache[CALL, "20250120"] = 231.0
    assert calculate_attribution_for_trade(row, **how)["pnl"] == 75 * 31.0


def test_a_callable_is_asked_anew_by_every_call() -> None:
    asked = []

    def spot(symbol: str, exchange: str, at: datetime) -> float | None:
        asked.append(at)
        return 23350.0 if at.hour == 9 else (23420.0 if len(asked) > 2 else None)

    assert calculate_attribution_for_trade(call_row(), spot_prices=spot)["status"] == "missing_price"
    assert calculate_attribution_for_trade(call_row(), spot_prices=spot)["status"] == "ok"


def test_a_broker_is_asked_in_batches_not_once_per_trade() -> None:
    vendor = Vendor()
    for minute in range(60):
        vendor.spots[datetime(2025, 1, 20, 10, minute, tzinfo=IST)] = 23350.0 + minute
    rows = [call_row(entry_time=f"2025-01-20 10:{m:02}", exit_time=f"2025-01-20 10:{m + 5:02}") for m in range(50)]
    results = calculate_attribution_for_trades(rows, vendor)
    assert {result["status"] for result in results} == {"ok"}
    assert vendor.asked <= 2


# --- signs and multipliers -------------------------------------------------------------------------------------

HEDGE = "NIFTY_OPT_20250130_CALL_24000"


def test_short_combo_keeps_the_hedge_positive() -> None:
    """A short spread sold as one: ratio −1 of the near call, +1 of the far one, entered long at a net credit."""
    row = call_row(symbol=f"{CALL}?-1:{HEDGE}?1", entry_price=-150.0, exit_price=-170.0)
    prices = {CALL: (200.0, 230.0), HEDGE: (50.0, 60.0)}
    result = calculate_attribution_for_trade(row, spot_prices=SPOTS, leg_prices=prices)
    legs = result["per_leg"]
    assert (legs[CALL]["quantity"], legs[HEDGE]["quantity"]) == (-75.0, 75.0)
    assert (legs[CALL]["pnl"], legs[HEDGE]["pnl"]) == (-75 * 30.0, 75 * 10.0)
    assert legs[CALL]["spot_attrib"] < 0.0 < legs[HEDGE]["spot_attrib"]
    assert result["pnl"] == -75 * 20.0
    assert result["combo_gap"] == 0.0


def test_selling_a_spread_makes_the_hedge_negative_only_by_the_quantity() -> None:
    """The same position as a short quantity of the long spread: every leg's sign is quantity × ratio."""
    row = call_row(symbol=f"{CALL}?1:{HEDGE}?-1", entry_quantity=-75, entry_price=150.0, exit_price=170.0)
    prices = {CALL: (200.0, 230.0), HEDGE: (50.0, 60.0)}
    result = calculate_attribution_for_trade(row, spot_prices=SPOTS, leg_prices=prices)
    assert result["per_leg"][HEDGE]["quantity"] == 75.0
    assert result["pnl"] == -75 * 20.0


def test_a_row_price_with_the_wrong_sign_is_an_error_not_a_gap() -> None:
    """A short straddle is entered at −350: at +350 every number would be off by 700 a unit."""
    row = call_row(symbol=f"{CALL}?-1:{PUT}?-1", entry_price=350.0, exit_price=-330.0)
    prices = {CALL: (200.0, 190.0), PUT: (150.0, 140.0)}
    with pytest.raises(TradeError, match="entry_price"):
        calculate_attribution_for_trade(row, spot_prices=SPOTS, leg_prices=prices)


def test_a_row_price_off_its_legs_is_a_named_gap() -> None:
    row = call_row(symbol=f"{CALL}?-1:{PUT}?-1", entry_price=-350.0, exit_price=-329.5)
    prices = {CALL: (200.0, 190.0), PUT: (150.0, 140.0)}
    result = calculate_attribution_for_trade(row, spot_prices=SPOTS, leg_prices=prices, detail=True)
    assert result["combo_gap"] == pytest.approx(75 * 0.5)
    assert result["pnl"] == pytest.approx(75 * 20.5)
    assert "combo_gap" in result["flags"]
    assert result["detail"]["combo_gap"] == result["combo_gap"]
    assert math.fsum(leg["pnl"] for leg in result["per_leg"].values()) == pytest.approx(75 * 20.0)


def test_a_leg_written_twice_is_merged() -> None:
    row = call_row(symbol=f"{CALL}?1:{PUT}?-1:{CALL}?1", entry_price=None, exit_price=None)
    prices = {CALL: (200.0, 230.0), PUT: (150.0, 120.0)}
    result = calculate_attribution_for_trade(row, spot_prices=SPOTS, leg_prices=prices)
    assert result["per_leg"][CALL]["quantity"] == 150.0
    assert result["pnl"] == 75 * (2 * 30.0 + 30.0)


SPY_CALL = "SPY_OPT_20250221_CALL_455"
US_MORNING, US_AFTERNOON = "2025-01-21 10:00", "2025-01-21 15:00"
SPY_SPOTS = {("SPY_STK___", "US", US_MORNING): 450.0, ("SPY_STK___", "US", US_AFTERNOON): 455.0}


def covered_call(**changed: Any) -> dict[str, Any]:
    row = {
        "symbol": f"SPY_STK___?100:{SPY_CALL}?-1",
        "exchange": "US",
        "entry_time": US_MORNING,
        "exit_time": US_AFTERNOON,
        "entry_quantity": 1,
    }
    return {**row, **changed}


def test_spy_stock_against_call_makes_200() -> None:
    """100 shares gain 500; one call of 100, short, loses 300: neither is multiplied as the other is."""
    prices = {"SPY_STK___": (450.0, 455.0), SPY_CALL: (5.0, 8.0)}
    result = calculate_attribution_for_trade(covered_call(), leg_prices=prices, spot_prices=SPY_SPOTS)
    legs = result["per_leg"]
    assert result["status"] == "ok"
    assert result["pnl"] == 200.0
    assert (legs["SPY_STK___"]["pnl"], legs[SPY_CALL]["pnl"]) == (500.0, -300.0)
    assert (legs["SPY_STK___"]["multiplier"], legs[SPY_CALL]["multiplier"]) == (1.0, 100.0)
    # The row's net price of mixed multipliers is in currency: 100 × 450 − 100 × 5.
    priced = covered_call(entry_price=44500.0, exit_price=44700.0)
    assert calculate_attribution_for_trade(priced, leg_prices=prices, spot_prices=SPY_SPOTS)["combo_gap"] == 0.0


def test_one_multiplier_for_legs_of_different_ones_is_an_error() -> None:
    with pytest.raises(TradeError, match="multiplier"):
        calculate_attribution_for_trade(covered_call(multiplier=100), spot_prices=SPY_SPOTS)


def test_stock_leg_is_not_priced_as_option() -> None:
    """A share has no vol, no decay and no spread; it needs no spot but its own price."""
    row = call_row(symbol="TCS_STK___", entry_price=4000.0, exit_price=4100.0)
    result = calculate_attribution_for_trade(row)
    assert [result[name] for name in EFFECTS] == [7500.0, 0.0, 0.0, 0.0]
    leg = result["per_leg"]["TCS_STK___"]
    assert math.isnan(leg["vol0"])
    assert math.isnan(leg["vol1"])
    assert leg["plays_spot"] == "own price"


def test_a_future_is_not_priced_as_an_option_and_needs_its_spot() -> None:
    future = "NIFTY_FUT_20250130__"
    row = call_row(symbol=future, entry_price=23450.0, exit_price=23500.0)
    result = calculate_attribution_for_trade(row, spot_prices=SPOTS)
    assert result["spot_attrib"] == 75 * 70.0
    assert result["spread_attrib"] == 75 * -20.0
    assert (result["vol_attrib"], result["timedecay_attrib"]) == (0.0, 0.0)
    alone = calculate_attribution_for_trade(row, spot_prices={(future, "NSE", MORNING): 23450.0})
    assert alone["status"] == "missing_price", "its basis is unknown, not zero"
    assert math.isnan(alone["spread_attrib"])


# --- residual --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["waterfall", "shapley", "path", "one_at_a_time", "taylor"])
def test_residual_is_returned_and_bounded(method: str) -> None:
    """Nothing is left over where prices are revalued; the true remainder is told where they are expanded."""
    result = calculate_attribution_for_trade(call_row(), spot_prices=SPOTS, method=method)
    explained = math.fsum(result[name] for name in EFFECTS)
    assert result["residual"] == pytest.approx(result["pnl"] - explained, abs=1e-9)
    if method in ("waterfall", "shapley", "path"):
        assert abs(result["residual"]) <= 1e-12 * math.fsum(abs(result[name]) for name in EFFECTS)
    else:
        assert abs(result["residual"]) > 1e-3, "a remainder that is exactly zero was defined away"
        assert abs(result["residual"]) < 0.1 * abs(result["pnl"])


def test_the_remainder_of_taylor_is_what_the_second_order_leaves() -> None:
    """It shrinks with the third power of the move: four times smaller in spot, 64 times smaller."""

    def remainder(up: float) -> float:
        first = black_price(23350.0, 23500.0, 0.03, 0.14, 1)
        last = black_price(23350.0 + up, 23500.0, 0.03, 0.14, 1)
        effects = attribute_legs(1, 23500.0, 23350.0, first, 0.03, 23350.0 + up, last, 0.03, method="taylor")
        return float(effects.residual)

    assert remainder(160.0) / remainder(40.0) == pytest.approx(64.0, rel=0.4)


# --- clocks ----------------------------------------------------------------------------------------------------

FRIDAY_CLOSE, MONDAY_OPEN, MONDAY_CLOSE = "2025-01-17 15:30", "2025-01-20 09:15", "2025-01-20 15:30"


def call_price(spot: float, sessions: float, vol: float = 0.14) -> float:
    return float(black_price(spot, 23500.0, sessions / 252, vol, 1))


def weekend_row(end: str, price: float) -> dict[str, Any]:
    # 30 January closes nine sessions after the close of Friday 17 January.
    entry = call_price(23350.0, 9)
    return call_row(entry_time=FRIDAY_CLOSE, exit_time=end, entry_price=entry, exit_price=price)


def test_weekend_theta_does_not_return_as_vega() -> None:
    """Two nights and a weekend take no time: at an unchanged vol there is neither decay nor a vol effect."""
    spots = {(NIFTY, "NSE", FRIDAY_CLOSE): 23350.0, (NIFTY, "NSE", MONDAY_OPEN): 23350.0}
    row = weekend_row(MONDAY_OPEN, call_price(23350.0, 9))
    result = calculate_attribution_for_trade(row, spot_prices=spots, day=False)
    assert result["status"] == "ok"
    assert [result[name] for name in (*EFFECTS, "pnl")] == [0.0] * 5


def test_monday_decays_by_one_session_not_by_three_days() -> None:
    spots = {(NIFTY, "NSE", FRIDAY_CLOSE): 23350.0, (NIFTY, "NSE", MONDAY_CLOSE): 23350.0}
    row = weekend_row(MONDAY_CLOSE, call_price(23350.0, 8))
    result = calculate_attribution_for_trade(row, spot_prices=spots, day=False)
    lost = call_price(23350.0, 8) - call_price(23350.0, 9)
    assert result["timedecay_attrib"] == pytest.approx(75 * lost, rel=1e-12)
    assert result["vol_attrib"] == pytest.approx(0.0, abs=1e-9)
    # The calendar clock sees three days of decay in the same prices, and hands back what is too much as vol.
    calendar = calculate_attribution_for_trade(row, spot_prices=spots, day=False, clock="calendar")
    assert calendar["timedecay_attrib"] < 1.5 * result["timedecay_attrib"]
    assert calendar["vol_attrib"] > 100.0
    assert calendar["clock"] == "calendar"
    assert calendar["pnl"] == result["pnl"]


def test_half_a_session_is_half_a_session() -> None:
    noon = "2025-01-20 12:22:30"
    spots = {(NIFTY, "NSE", FRIDAY_CLOSE): 23350.0, (NIFTY, "NSE", noon): 23350.0}
    row = weekend_row(noon, call_price(23350.0, 8.5))
    result = calculate_attribution_for_trade(row, spot_prices=spots, day=False)
    lost = call_price(23350.0, 8.5) - call_price(23350.0, 9)
    assert result["timedecay_attrib"] == pytest.approx(75 * lost, rel=1e-12)
    assert result["vol_attrib"] == pytest.approx(0.0, abs=1e-9)


def test_the_clock_does_not_stand_at_import_time() -> None:
    """``current_time`` is an argument; the same call at two instants sees two windows."""
    row = call_row(exit_time=None, exit_price=None, entry_time="2025-01-17 10:00")
    cache = {
        (CALL, "20250117"): 205.0,
        (CALL, "20250120"): 215.0,
        (NIFTY, "20250117"): 23360.0,
        (NIFTY, "20250120"): 23400.0,
    }
    spots = {(NIFTY, "NSE", "2025-01-17 10:00"): 23350.0}
    how: dict[str, Any] = {"spot_prices": spots, "historical_cache": cache}
    friday = calculate_attribution_for_trade(row, current_time="2025-01-17 20:00", **how)
    # Saturday, and Monday before the open: Friday is still the last session that opened.
    for instant in ("2025-01-18 12:00", "2025-01-20 09:00"):
        again = calculate_attribution_for_trade(row, current_time=instant, **how)
        assert again["pnl"] == friday["pnl"] == 75 * 5.0
    monday = calculate_attribution_for_trade(row, current_time="2025-01-20 20:00", **how)
    assert monday["pnl"] == 75 * 10.0
    assert monday["window"]["start_price"] == "close"


def test_a_time_with_a_zone_is_converted_not_cut() -> None:
    """03:50 in London is 09:20 in Mumbai."""
    utc = UTC
    row = call_row(
        entry_time=datetime(2025, 1, 20, 3, 50, tzinfo=utc), exit_time=datetime(2025, 1, 20, 9, 50, tzinfo=utc)
    )
    zoned = calculate_attribution_for_trade(row, spot_prices=SPOTS)
    naive = calculate_attribution_for_trade(call_row(), spot_prices=SPOTS)
    assert [zoned[name] for name in EFFECTS] == [naive[name] for name in EFFECTS]


# --- expiry ----------------------------------------------------------------------------------------------------


def test_expiry_day_uses_the_options_payoff_not_index_settlement_price() -> None:
    """On expiry day a bhavcopy's settlement price of the option row is the index: 23,560, not 60."""
    row = call_row(exit_time=None, exit_price=None, entry_time="2025-01-29 11:00", entry_price=80.0)
    cache = {
        (CALL, "20250129"): 75.0,
        (NIFTY, "20250129"): 23480.0,
        (NIFTY, "20250130"): 23560.0,
        (CALL, "20250130"): 23560.0,
    }
    result = calculate_attribution_for_trade(row, historical_cache=cache, current_time="2025-01-30 18:00")
    leg = result["per_leg"][CALL]
    assert result["status"] == "ok"
    assert leg["price1"] == 60.0
    assert leg["window"]["end_price"] == "payoff"
    assert result["pnl"] == 75 * (60.0 - 75.0)
    assert result["vol_attrib"] == 0.0
    assert "expired_in_window" in result["flags"]


def test_an_expired_option_does_nothing_on_the_next_day() -> None:
    row = call_row(exit_time=None, exit_price=None, entry_time="2025-01-29 11:00", entry_price=80.0)
    result = calculate_attribution_for_trade(row, historical_cache={}, current_time="2025-01-31 18:00")
    assert result["status"] == "expired"
    assert [result[name] for name in (*EFFECTS, "pnl")] == [0.0] * 5


def test_a_row_price_at_expiry_that_is_the_payoff_of_nothing_is_not_used() -> None:
    """Synthetic exits of what expired are written with any price; the payoff counts."""
    row = call_row(entry_time="2025-01-29 11:00", entry_price=80.0, exit_time="2025-01-31 09:16", exit_price=0.05)
    cache = {(NIFTY, "20250129"): 23480.0, (NIFTY, "20250130"): 23560.0}
    spots = {(NIFTY, "NSE", "2025-01-29 11:00"): 23470.0}
    result = calculate_attribution_for_trade(row, historical_cache=cache, spot_prices=spots, day=False)
    assert result["pnl"] == 75 * (60.0 - 80.0)


def test_large_parts_that_cancel_on_the_last_day_are_flagged_and_the_default_stays_sane() -> None:
    """A 23,700 call at 11.74 becomes worth 0.05 a minute before expiry, its vol tenfold: vol +, time −, no news."""
    row = {
        "symbol": "NIFTY_OPT_20250130_CALL_23700",
        "entry_time": "2025-01-30 10:00",
        "exit_time": "2025-01-30 15:29",
        "entry_quantity": 1,
        "entry_price": 11.74,
        "exit_price": 0.05,
    }
    spots = {(NIFTY, "NSE", "2025-01-30 10:00"): 23600.0, (NIFTY, "NSE", "2025-01-30 15:29"): 23610.0}
    useless = calculate_attribution_for_trade(row, spot_prices=spots, method="shapley")
    sane = calculate_attribution_for_trade(row, spot_prices=spots)
    assert "ill_conditioned" in useless["flags"]
    assert useless["vol_attrib"] > 3 * 11.74
    assert "ill_conditioned" not in sane["flags"]
    assert max(abs(sane[name]) for name in EFFECTS) <= 11.74
    assert sane["pnl"] == useless["pnl"]


# --- units -----------------------------------------------------------------------------------------------------


def test_units_of_greeks() -> None:
    """Per 1.00 of vol and per year, checked by differences; other scales have other names."""
    spot, strike, time, vol, right, rate = 23350.0, 23500.0, 0.08, 0.14, 1, 0.065

    def value(spot: float = spot, time: float = time, vol: float = vol, rate: float = rate) -> float:
        return float(black_price(spot * math.exp(rate * time), strike, time, vol, right, math.exp(-rate * time)))

    greeks = black_greeks(spot, strike, time, vol, right, rate=rate)
    h = 1e-5
    assert float(greeks.vega) == pytest.approx((value(vol=vol + h) - value(vol=vol - h)) / (2 * h), rel=1e-7)
    assert float(greeks.theta) == pytest.approx((value(time=time - h) - value(time=time + h)) / (2 * h), rel=1e-6)
    assert float(greeks.rho) == pytest.approx((value(rate=rate + h) - value(rate=rate - h)) / (2 * h), rel=1e-7)
    assert float(greeks.delta) == pytest.approx((value(spot + 1) - value(spot - 1)) / 2, rel=1e-6)
    # What people quote.
    assert vega_per_vol_point(float(greeks.vega)) == pytest.approx(value(vol=vol + 0.01) - value(), rel=0.01)
    assert theta_per_session(float(greeks.theta)) == pytest.approx(value(time=time - 1 / 252) - value(), rel=0.03)
    assert theta_per_calendar_day(float(greeks.theta)) == pytest.approx(value(time=time - 1 / 365) - value(), rel=0.03)
    assert rho_per_bp(float(greeks.rho)) == pytest.approx(value(rate=rate + 1e-4) - value(), rel=0.01)


def test_vols_are_told_per_one_not_in_points() -> None:
    result = calculate_attribution_for_trade(call_row(), spot_prices=SPOTS)
    assert 0.05 < result["per_leg"][CALL]["vol0"] < 0.5


def test_greek_terms_are_in_position_currency_and_add_up() -> None:
    result = calculate_attribution_for_trade(call_row(), spot_prices=SPOTS, detail=True)
    detail = result["detail"]
    leg = result["per_leg"][CALL]
    # 8 sessions to the end of the 29th, one of the 30th, less 5 minutes of this one.
    left = (9 - 5 / 375) / 252
    vega = float(black_greeks(23350.0, 23500.0, left, leg["vol0"], 1).vega)
    assert detail["vega_pnl"] == pytest.approx(75 * vega * (leg["vol1"] - leg["vol0"]), rel=1e-9)
    terms = ("delta", "gamma", "vega", "volga", "theta", "theta2", "vanna", "charm", "veta", "basis")
    total = math.fsum(detail[f"{name}_pnl"] for name in terms) + detail["mark_gap"] + detail["unexplained"]
    assert total == pytest.approx(result["pnl"], abs=1e-9)


# --- daily prices ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["2025-01-20", "2025-01-20 00:00", "2025-01-20 12:00"])
def test_one_daily_price_cannot_serve_0920_and_1520(key: str) -> None:
    """Resolved to the same value, the spot would not have moved and the vol taken all the blame."""
    result = calculate_attribution_for_trade(call_row(), spot_prices={(NIFTY, "NSE", key): 23400.0})
    assert result["status"] == "missing_price"
    assert math.isnan(result["spot_attrib"])
    assert "both ends" in result["reason"]


def test_two_daily_prices_serve_two_days() -> None:
    spots = {(NIFTY, "NSE", "2025-01-20"): 23350.0, (NIFTY, "NSE", "2025-01-21"): 23420.0}
    row = call_row(exit_time="2025-01-21 15:20")
    result = calculate_attribution_for_trade(row, spot_prices=spots, day=False)
    assert result["status"] == "ok"
    assert result["spot_attrib"] > 0.0
    assert result["per_leg"][CALL]["sources"]["spot0"]["kind"] == "daily"


def test_several_candidates_of_a_date_are_none() -> None:
    """With 10:00 and 14:00 given, neither is the price at 15:20."""
    spots = {
        (NIFTY, "NSE", MORNING): 23350.0,
        (NIFTY, "NSE", "2025-01-20 10:00"): 1.0,
        (NIFTY, "NSE", "2025-01-20 14:00"): 2.0,
    }
    result = calculate_attribution_for_trade(call_row(), spot_prices=spots)
    assert result["status"] == "missing_price"
    assert "3 prices" in result["reason"]


# --- vols that do not exist ------------------------------------------------------------------------------------


def test_a_price_below_intrinsic_is_a_mark_gap_not_a_vol() -> None:
    """A stale deep close: the vol of the other end is borrowed, and the miss has a name."""
    deep = "NIFTY_OPT_20250130_CALL_22500"
    row = call_row(symbol=deep, entry_price=870.0, exit_price=900.0)  # 20 under intrinsic at the exit
    result = calculate_attribution_for_trade(row, spot_prices=SPOTS, detail=True)
    leg = result["per_leg"][deep]
    assert math.isnan(leg["vol1"])
    assert leg["vol0"] > 0.0
    assert result["vol_attrib"] == 0.0
    assert {"below_intrinsic", "vol_borrowed"} <= set(result["flags"])
    assert result["detail"]["mark_gap"] == result["spread_attrib"]
    assert result["spread_attrib"] < -75 * 20.0
    assert result["pnl"] == 75 * 30.0


def test_vol_does_not_underflow_to_a_floor() -> None:
    """No clamped 1 %: a price of almost no time value has the tiny vol that it has, and reprices."""
    price = float(black_price(23350.0, 23500.0, 9 / 252, 0.005, 1))
    assert 0.0 < price < 1e-7
    assert float(implied_vol(price, 23350.0, 23500.0, 9 / 252, 1)) == pytest.approx(0.005, rel=1e-12)
    assert math.isnan(float(implied_vol(0.0, 23350.0, 23500.0, 9 / 252, 1)))


def test_a_discount_is_not_forgotten_where_the_vol_is_zero() -> None:
    """Continuous as the vol goes to 0, discounted on both sides of it."""
    prices = [float(black_price(110.0, 100.0, 1.0, vol, 1, 0.9)) for vol in (1e-9, 0.0)]
    assert prices == [pytest.approx(9.0), pytest.approx(9.0)]
    assert math.isnan(float(black_price(110.0, 100.0, 1.0, math.nan, 1, 0.9)))
