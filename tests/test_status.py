"""The closed list of outcomes: each has advice, a rank, and a way to be reached through the public calls."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import pytest

from attribution import (
    CalendarError,
    Flag,
    MarketDataError,
    NoSourceError,
    Status,
    SymbolError,
    TradeError,
    calculate_attribution_for_trade,
    calculate_attribution_for_trades,
)
from attribution.status import worst
from tests.market.recorded import RecordedBroker

CALL = "NIFTY_OPT_20250130_CALL_23500"
PUT = "NIFTY_OPT_20250130_PUT_23500"
EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")
SPOTS = {("NIFTY", "2025-01-27 10:00"): 23400.0, ("NIFTY", "2025-01-27 14:00"): 23350.0}


def option(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": CALL,
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-27 14:00",
        "entry_price": 120.0,
        "exit_price": 100.0,
        "entry_quantity": 75,
        "commission": 40.0,
        **changes,
    }


def both(row: dict[str, Any], broker: Any = None, **arguments: Any) -> dict[str, Any]:
    """The result of the single call, after a look that the list call says the same."""
    single = calculate_attribution_for_trade(row, broker, **arguments)
    (listed,) = calculate_attribution_for_trades([row], broker, **arguments)
    assert repr(listed) == repr(single)
    return single


def zeros(result: dict[str, Any]) -> bool:
    return all(result[name] == 0.0 for name in (*EFFECTS, "pnl", "residual", "fees", "net_pnl"))


def unknown_effects(result: dict[str, Any]) -> bool:
    return all(math.isnan(result[name]) for name in (*EFFECTS, "residual"))


# The enumeration


def test_the_list_of_statuses_is_closed() -> None:
    # A status is part of the contract: whoever adds one tells the readers of results.
    assert [str(status) for status in Status] == [
        "expired",
        "closed",
        "not_open",
        "ok",
        "no_start_vol",
        "missing_price",
        "source_failed",
        "no_source",
        "outside_calendar",
        "invalid_trade",
    ]


@pytest.mark.parametrize("member", [*Status, *Flag])
def test_each_has_one_sentence_of_advice(member: Status | Flag) -> None:
    assert member.advice.endswith(".")
    assert member.advice[0].isupper()
    assert "\n" not in member.advice
    assert ". " not in member.advice


def test_no_two_share_their_advice() -> None:
    advice = [member.advice for member in (*Status, *Flag)]
    assert len(set(advice)) == len(advice)


@pytest.mark.parametrize("status", list(Status))
def test_the_advice_tells_whether_numbers_exist(status: Status) -> None:
    assert ("NaN" in status.advice) is not status.has_numbers


def test_which_have_numbers() -> None:
    assert {str(status) for status in Status if status.has_numbers} == {"ok", "expired", "closed", "not_open"}


def test_the_worst_leg_wins_and_a_leg_that_did_nothing_is_less_grave_than_ok() -> None:
    assert worst([Status.OK, Status.MISSING_PRICE, Status.EXPIRED]) is Status.MISSING_PRICE
    assert worst([Status.EXPIRED, Status.OK]) is Status.OK
    assert worst([Status.CLOSED, Status.EXPIRED]) is Status.CLOSED
    assert worst([Status.SOURCE_FAILED, Status.NO_SOURCE]) is Status.NO_SOURCE
    assert worst([]) is Status.OK


def test_severity_is_a_strict_order() -> None:
    ranks = [status.severity for status in Status]
    assert ranks == sorted(set(ranks))


# Each status, reached


def test_ok() -> None:
    result = both(option(), spot_prices=SPOTS)
    assert (result["status"], result["reason"], result["pnl"]) == ("ok", "", -1500.0)


def test_a_flat_day_is_zeros_and_ok() -> None:
    flat = dict.fromkeys(SPOTS, 23400.0)
    row = option(symbol="NIFTY_FUT_20250130__", entry_price=23460.0, exit_price=23460.0, commission=None)
    result = both(row, spot_prices=flat)
    assert (result["status"], result["reason"]) == ("ok", "")
    assert zeros(result)


def test_not_open() -> None:
    result = both(option(), spot_prices={}, current_time="2025-01-27 09:30")
    assert (result["status"], result["reason"]) == ("not_open", "")
    assert zeros(result)


def test_closed() -> None:
    result = both(option(), spot_prices={}, current_time="2025-01-28 11:00")
    assert (result["status"], result["reason"]) == ("closed", "")
    assert zeros(result)


def test_expired() -> None:
    result = both(option(exit_time=None), spot_prices={}, current_time="2025-01-31 11:00")
    assert (result["status"], result["reason"]) == ("expired", "")
    assert zeros(result)


@pytest.mark.parametrize("current", ["2025-01-27 09:30", "2025-01-28 11:00"])
def test_a_trade_that_did_nothing_needs_no_source(current: str) -> None:
    assert zeros(both(option(), current_time=current))


def test_no_start_vol() -> None:
    # Bought at nothing while out of the money: no greeks exist there.
    result = both(option(entry_price=0.0), spot_prices=SPOTS, method="taylor")
    assert result["status"] == "no_start_vol"
    assert unknown_effects(result)
    # The P&L is known though its causes are not.
    assert result["pnl"] == 7500.0
    assert CALL in result["reason"]
    assert both(option(entry_price=0.0), spot_prices=SPOTS)["status"] == "ok"


def test_missing_price_of_the_underlying_leaves_the_pnl_known() -> None:
    result = both(option(), spot_prices={("NIFTY", "2025-01-27 10:00"): 23400.0, ("NIFTY", "2025-01-28"): 1.0})
    assert result["status"] == "missing_price"
    assert unknown_effects(result)
    assert (result["pnl"], result["net_pnl"]) == (-1500.0, -1540.0)


def test_missing_price_of_the_leg() -> None:
    result = both(option(exit_price=None), spot_prices=SPOTS)
    assert result["status"] == "missing_price"
    assert unknown_effects(result)
    assert math.isnan(result["pnl"])
    # Which price of which leg at which instant, and what was tried.
    assert f"price of {CALL} at 2025-01-27 14:00:00" in result["reason"]
    assert "row: no exit_price" in result["reason"]
    assert "spot_prices: no price of" in result["reason"]


def test_a_future_without_its_spot_is_missing_not_free_of_basis() -> None:
    row = option(symbol="NIFTY_FUT_20250130__", entry_price=23460.0, exit_price=23400.0)
    result = both(row, spot_prices={})
    assert result["status"] == "missing_price"
    assert unknown_effects(result)
    assert result["pnl"] == -4500.0


@pytest.mark.parametrize("key", ["2025-01-27", "2025-01-27 11:00"])
def test_one_daily_spot_for_both_ends_is_missing(key: str) -> None:
    result = both(option(), spot_prices={("NIFTY", key): 23400.0})
    assert result["status"] == "missing_price"
    assert "cannot stand for both ends" in result["reason"]
    assert unknown_effects(result)


def test_source_failed() -> None:
    def spot(symbol: str, exchange: str, when: datetime) -> float:
        raise OSError("connection reset")

    result = both(option(), spot_prices=spot)
    assert result["status"] == "source_failed"
    assert "connection reset" in result["reason"]
    assert unknown_effects(result)
    assert result["pnl"] == -1500.0


def test_a_broker_that_fails() -> None:
    broker = RecordedBroker(name="acme", fails="prices_at")
    result = both(option(), broker)
    assert result["status"] == "source_failed"
    assert "acme: failed: prices_at: connection refused" in result["reason"]


def test_no_source_raises_in_the_single_call_and_is_told_in_the_list() -> None:
    with pytest.raises(NoSourceError, match="no source of prices at instants was given"):
        calculate_attribution_for_trade(option())
    (result,) = calculate_attribution_for_trades([option()])
    assert result["status"] == "no_source"
    assert unknown_effects(result)
    assert result["pnl"] == -1500.0


def test_outside_calendar_raises_in_the_single_call_and_is_told_in_the_list() -> None:
    row = option(symbol="TCS_STK___", entry_time="2014-12-30 10:00", exit_time="2014-12-30 11:00")
    with pytest.raises(CalendarError, match="2014-12-30"):
        calculate_attribution_for_trade(row)
    (result,) = calculate_attribution_for_trades([row])
    assert result["status"] == "outside_calendar"
    assert "2014-12-30" in result["reason"]
    assert unknown_effects(result)
    assert math.isnan(result["pnl"])


@pytest.mark.parametrize(
    ("row", "error", "reason"),
    [
        (option(symbol="FOO"), SymbolError, "symbol='FOO'"),
        (option(entry_quantity=0), TradeError, "entry_quantity=0"),
        (option(exit_time="2025-01-27 09:00"), TradeError, "exit_time="),
        (option(entry_price=-1.0), TradeError, "must be zero or positive"),
        (option(symbol="TCS_STK___", exit_price=0.0), TradeError, "must be positive"),
    ],
)
def test_invalid_trade_raises_in_the_single_call_and_is_told_in_the_list(
    row: dict[str, Any], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        calculate_attribution_for_trade(row, spot_prices=SPOTS)
    (result,) = calculate_attribution_for_trades([row], spot_prices=SPOTS)
    assert result["status"] == "invalid_trade"
    assert reason in result["reason"]
    assert unknown_effects(result)
    assert math.isnan(result["pnl"])
    assert math.isnan(result["fees"])
    assert result["per_leg"] == {}


def test_an_underlying_at_zero_harms_its_own_row_only() -> None:
    rows = [option(), option(symbol="TCS_STK___", entry_price=4000.0, exit_price=4100.0)]
    spots = {**SPOTS, ("NIFTY", "2025-01-27 14:00"): 0.0}
    first, second = calculate_attribution_for_trades(rows, spot_prices=spots)
    assert first["status"] == "invalid_trade"
    assert "must be positive" in first["reason"]
    assert (second["status"], second["pnl"]) == ("ok", 7500.0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_broker_that_answers_no_number_is_told_and_harms_its_own_row_only(value: float) -> None:
    # It breaks the rule that a missing price is a Missing; the other rows are not to blame.
    rows = [option(exit_price=None), option()]
    broker = RecordedBroker(fills={(CALL, "exit"): value})
    first, second = calculate_attribution_for_trades(rows, broker, spot_prices=SPOTS)
    assert first["status"] != "ok"
    assert unknown_effects(first)
    assert first["reason"]
    assert (second["status"], second["pnl"]) == ("ok", -1500.0)


# Several legs


def test_the_gravest_leg_gives_the_trade_its_status_and_reason() -> None:
    row = option(symbol=f"{CALL}?-1:{PUT}?-1", entry_price=None, exit_price=None)
    result = both(row, spot_prices=SPOTS, leg_prices={CALL: (120.0, 100.0)})
    assert {symbol: leg["status"] for symbol, leg in result["per_leg"].items()} == {CALL: "ok", PUT: "missing_price"}
    assert result["status"] == "missing_price"
    assert PUT in result["reason"]
    assert CALL not in result["reason"]
    assert unknown_effects(result)
    # What is known of a leg stays known.
    assert result["per_leg"][CALL]["pnl"] == 1500.0


def test_an_expired_leg_leaves_the_other_ok() -> None:
    far = "NIFTY_OPT_20250227_CALL_23500"
    row = option(symbol=f"{CALL}?-1:{far}?1", exit_time=None, entry_price=None, exit_price=None)
    result = both(
        row,
        current_time="2025-01-31 16:00",
        historical_cache={
            ("NIFTY_IND___", "20250130"): 23400.0,
            ("NIFTY_IND___", "20250131"): 23500.0,
            (far, "20250130"): 300.0,
            (far, "20250131"): 350.0,
        },
    )
    assert {symbol: leg["status"] for symbol, leg in result["per_leg"].items()} == {CALL: "expired", far: "ok"}
    assert (result["status"], result["pnl"]) == ("ok", 75 * 50.0)


# raise_on_missing


def test_raise_on_missing_raises_for_a_missing_price() -> None:
    with pytest.raises(MarketDataError, match=f"{CALL}: .*NIFTY_IND___ at 2025-01-27 10:00:00"):
        calculate_attribution_for_trade(option(), spot_prices={}, raise_on_missing=True)
    with pytest.raises(MarketDataError, match=f"{CALL}: .*NIFTY_IND___ at 2025-01-27 10:00:00"):
        calculate_attribution_for_trades([option()], spot_prices={}, raise_on_missing=True)


def test_raise_on_missing_raises_for_a_failed_source() -> None:
    with pytest.raises(MarketDataError, match="connection refused"):
        calculate_attribution_for_trade(option(), RecordedBroker(fails="prices_at"), raise_on_missing=True)


def test_raise_on_missing_raises_no_source_in_the_list_too() -> None:
    with pytest.raises(NoSourceError):
        calculate_attribution_for_trades([option()], raise_on_missing=True)


@pytest.mark.parametrize("current", ["2025-01-27 09:30", "2025-01-27 14:00", "2025-01-28 11:00"])
def test_raise_on_missing_leaves_numbers_alone(current: str) -> None:
    result = calculate_attribution_for_trade(option(), spot_prices=SPOTS, current_time=current, raise_on_missing=True)
    assert Status(result["status"]).has_numbers


# Flags, reached


def flags(row: dict[str, Any], **arguments: Any) -> tuple[str, ...]:
    result = both(row, **arguments)
    assert result["status"] == "ok"
    found: tuple[str, ...] = result["flags"]
    return found


HIGH = dict.fromkeys(SPOTS, 23700.0)
US_SPOTS = {("SPY", "US", "2025-01-27 10:00"): 600.0, ("SPY", "US", "2025-01-27 14:00"): 601.0}


def test_below_intrinsic_at_the_start_borrows_the_vol_of_the_end() -> None:
    assert flags(option(entry_price=190.0, exit_price=240.0), spot_prices=HIGH) == ("below_intrinsic", "vol_borrowed")


def test_below_intrinsic_at_both_ends_has_no_vol() -> None:
    assert flags(option(entry_price=190.0, exit_price=195.0), spot_prices=HIGH) == ("below_intrinsic", "no_vol")


def test_above_the_bound() -> None:
    # A call above its own forward.
    assert "above_bound" in flags(option(exit_price=24000.0), spot_prices=SPOTS)


def test_expired_in_window() -> None:
    row = option(entry_time="2025-01-30 10:00", exit_time=None)
    spots = {("NIFTY", "2025-01-30 10:00"): 23480.0, ("NIFTY", "2025-01-30 15:30"): 23555.5}
    found = flags(row, spot_prices=spots, current_time="2025-01-30 18:00")
    assert "expired_in_window" in found
    assert "vol_borrowed" in found


def test_ill_conditioned_on_the_last_day_by_shapley_only() -> None:
    # A 23,700 call at 11.74 in the morning and 0.05 a minute before the expiry.
    row = option(
        symbol="NIFTY_OPT_20250130_CALL_23700",
        entry_time="2025-01-30 10:00",
        exit_time="2025-01-30 15:29",
        entry_price=11.74,
        exit_price=0.05,
    )
    spots = {("NIFTY", "2025-01-30 10:00"): 23500.0, ("NIFTY", "2025-01-30 15:29"): 23555.0}
    assert "ill_conditioned" in flags(row, spot_prices=spots, method="shapley")
    assert "ill_conditioned" not in flags(row, spot_prices=spots)


def test_american_as_european() -> None:
    row = option(symbol="SPY250131C00600000", entry_price=5.0, exit_price=5.5)
    assert flags(row, spot_prices=US_SPOTS) == ("american_as_european",)


def test_adjusted_contract() -> None:
    row = option(
        symbol="XOM2241220P00280000",
        entry_time="2024-12-17 10:00",
        exit_time="2024-12-17 14:00",
        entry_price=5.0,
        exit_price=5.5,
    )
    spots = {("XOM2", "US", "2024-12-17 10:00"): 27.9, ("XOM2", "US", "2024-12-17 14:00"): 27.8}
    assert "adjusted_contract" in flags(row, spot_prices=spots)


def test_combo_gap_is_a_flag_of_the_trade_not_of_a_leg() -> None:
    row = option(symbol=f"{CALL}?-1:{PUT}?-1", entry_price=-300.0, exit_price=-290.0)
    result = both(row, spot_prices=SPOTS, leg_prices={CALL: (120.0, 100.0), PUT: (180.0, 195.0)})
    assert result["flags"] == ("combo_gap",)
    assert [leg["flags"] for leg in result["per_leg"].values()] == [(), ()]


def test_provisional_beyond_the_last_published_holidays() -> None:
    row = option(symbol="NIFTY_OPT_20270128_CALL_23500", entry_price=3000.0, exit_price=2990.0)
    assert flags(row, spot_prices=SPOTS) == ("provisional",)
    assert flags(option(symbol="NIFTY_OPT_20261231_CALL_23500", entry_price=3000.0), spot_prices=SPOTS) == ()


def test_flags_come_in_one_order_whatever_the_order_of_the_legs() -> None:
    american, adjusted = "SPY250131C00600000", "XOM2250131P00280000"
    spots = {**US_SPOTS, ("XOM2", "US", "2025-01-27 10:00"): 27.9, ("XOM2", "US", "2025-01-27 14:00"): 27.8}
    legs = {american: (5.0, 5.5), adjusted: (5.0, 5.5)}
    found = [
        both(option(symbol=symbol, entry_price=None, exit_price=None), spot_prices=spots, leg_prices=legs)["flags"]
        for symbol in (f"{american}?1:{adjusted}?1", f"{adjusted}?1:{american}?1")
    ]
    assert found[0] == found[1]
    assert {"american_as_european", "adjusted_contract"} <= set(found[0])


@pytest.mark.parametrize("flag", list(Flag))
def test_a_flag_is_its_own_text(flag: Flag) -> None:
    assert str(flag) == flag.value == flag.name.lower()


OPENED, CLOSED = "2025-01-27 10:00", "2025-01-27 14:00"


def test_numbers_that_overflow_the_split_are_an_invalid_trade_and_stop_no_other() -> None:
    fine = {"symbol": "TCS_STK___", "entry_time": OPENED, "exit_time": CLOSED, "entry_quantity": 1}
    fine |= {"entry_price": 4000.0, "exit_price": 4010.0}
    huge = {**fine, "symbol": "NIFTY_OPT_20250227_CALL_23500", "entry_price": 300.0, "exit_price": 310.0}
    # The square of such a move is no double: Taylor has no gamma term for it.
    how: dict[str, Any] = {"spot_prices": {("NIFTY", OPENED): 23400.0, ("NIFTY", CLOSED): 1e300}, "day": False}
    results = calculate_attribution_for_trades([huge, fine], method="taylor", **how)
    assert [result["status"] for result in results] == ["invalid_trade", "ok"]
    assert math.isnan(results[0]["pnl"])
    assert results[1]["spot_attrib"] == 10.0
    with pytest.raises(TradeError, match="NIFTY_OPT_20250227_CALL_23500"):
        calculate_attribution_for_trade(huge, method="taylor", **how)


def test_a_rate_beyond_all_growth_is_no_crash() -> None:
    row = {"symbol": "NIFTY_OPT_20250227_CALL_23500", "entry_time": OPENED, "exit_time": CLOSED, "entry_quantity": 1}
    row |= {"entry_price": 300.0, "exit_price": 310.0}
    spots = {("NIFTY", OPENED): 23400.0, ("NIFTY", CLOSED): 23410.0}
    (result,) = calculate_attribution_for_trades([row], spot_prices=spots, day=False, rate=1e6)
    assert result["pnl"] == 10.0
    assert result["flags"] == ("below_intrinsic", "no_vol")
