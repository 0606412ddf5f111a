"""Combos whose rows name exit orders: each leg ends by what its own orders filled, one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from attribution import TradeError, attribute_daily, calculate_attribution_for_trade, calculate_attribution_for_trades
from attribution.errors import BrokerError
from attribution.market.cache import CachedBroker
from attribution.market.quotes import Answer, FillOf, Missing, Price, PriceKind, Why
from attribution.symbols import format_symbol
from brokers.redis_legs import RedisLegs
from tests.market.recorded import RecordedBroker

KOLKATA = ZoneInfo("Asia/Kolkata")
CALL = "NIFTY_OPT_20250130_CALL_23500"
PUT = "NIFTY_OPT_20250130_PUT_23500"
NIFTY = "NIFTY_IND___"
MONDAY, TUESDAY, WEDNESDAY = date(2025, 1, 27), date(2025, 1, 28), date(2025, 1, 29)
EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")
SPOTS = {
    ("NIFTY", "2025-01-27 10:00"): 23400.0,
    ("NIFTY", "2025-01-27 11:00"): 23390.0,
    ("NIFTY", "2025-01-27 11:30"): 23380.0,
    ("NIFTY", "2025-01-27 11:45"): 23385.0,
    ("NIFTY", "2025-01-27 14:00"): 23350.0,
    ("NIFTY", "2025-01-28 14:00"): 23300.0,
}
ENTRIES = {(CALL, "entry"): 120.0, (PUT, "entry"): 180.0}
QUOTES = {CALL: 90.0, PUT: 195.0}
explain = calculate_attribution_for_trade


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KOLKATA)


def straddle(**changes: Any) -> dict[str, Any]:
    """75 short straddles of Monday 10:00, still open as far as the row can tell, with one exit order."""
    return {
        "symbol": f"{CALL}?-1:{PUT}?-1",
        "entry_time": "2025-01-27 10:00",
        "entry_quantity": 75,
        "entry_keys": "E1 E2",
        "exit_keys": "X1",
        **changes,
    }


def filled(value: float, quantity: float | None = 75.0, when: str | None = "2025-01-27 11:30") -> Price:
    return Price(value, "orders", PriceKind.FILL, None if when is None else at(when), quantity)


def broker_with(exits: Mapping[str, float | Answer], **values: Any) -> RecordedBroker:
    fills: dict[tuple[str, str], float | Answer] = {**ENTRIES, **{(leg, "exit"): fill for leg, fill in exits.items()}}
    return RecordedBroker(**{"fills": fills, "quotes": QUOTES, "name": "orders", **values})


def at_two(broker: Any, fields: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    """Look at the trade on Monday at 14:00."""
    chosen: dict[str, Any] = {"spot_prices": SPOTS, "current_time": "2025-01-27 14:00", **arguments}
    return explain(straddle() if fields is None else fields, broker, **chosen)


def adds_up(result: dict[str, Any]) -> bool:
    return math.isclose(sum(result[name] for name in EFFECTS) + result["residual"], result["pnl"], abs_tol=1e-9)


def end_of(result: dict[str, Any], leg: str) -> tuple[datetime, str]:
    window = result["per_leg"][leg]["window"]
    return window["end"], window["end_price"]


# One leg exited, the other open


@pytest.mark.parametrize(
    "known",
    [
        pytest.param({}, id="row-knows-no-exit"),
        # As upstream's rows do: the time of the last exit order, although a leg is still open.
        pytest.param({"exit_time": "2025-01-27 11:30"}, id="row-has-the-time-of-the-order"),
        pytest.param({"exit_time": "2025-01-27 11:29", "exit_quantity": -75}, id="row-says-all-was-closed"),
    ],
)
def test_an_exited_leg_ends_at_its_own_fill_and_the_other_at_its_mark(known: dict[str, Any]) -> None:
    result = at_two(broker_with({CALL: filled(100.0)}), straddle(**known))
    assert result["status"] == "ok"
    call, put = result["per_leg"][CALL], result["per_leg"][PUT]
    assert end_of(result, CALL) == (at("2025-01-27 11:30"), "fill")
    assert end_of(result, PUT) == (at("2025-01-27 14:00"), "mark")
    assert (call["price0"], call["price1"], call["pnl"]) == (120.0, 100.0, 1500.0)
    assert (put["price0"], put["price1"], put["pnl"]) == (180.0, 195.0, -1125.0)
    assert (call["quantity"], put["quantity"]) == (-75.0, -75.0)
    # Each against the index of its own end.
    assert (call["spot1"], put["spot1"]) == (23380.0, 23350.0)
    assert put["sources"]["price1"]["kind"] == "mark"
    assert result["pnl"] == 375.0
    assert adds_up(result)
    assert result["flags"] == ("partly_closed",)


def test_the_trade_is_reported_under_the_window_of_the_leg_that_lives() -> None:
    window = at_two(broker_with({CALL: filled(100.0)}))["window"]
    assert (window["end"], window["end_price"]) == (at("2025-01-27 14:00"), "mark")


def test_a_leg_may_be_the_second_one() -> None:
    result = at_two(broker_with({PUT: filled(170.0)}))
    assert (result["per_leg"][CALL]["pnl"], result["per_leg"][PUT]["pnl"]) == (2250.0, 750.0)
    assert end_of(result, PUT) == (at("2025-01-27 11:30"), "fill")


def test_legs_that_were_exited_at_different_times_end_at_their_own() -> None:
    broker = broker_with({CALL: filled(100.0), PUT: filled(195.0, when="2025-01-27 11:45")}, quotes={})
    result = at_two(broker)
    assert end_of(result, CALL) == (at("2025-01-27 11:30"), "fill")
    assert end_of(result, PUT) == (at("2025-01-27 11:45"), "fill")
    assert (result["status"], result["pnl"]) == ("ok", 375.0)
    # Nothing is open any more.
    assert result["flags"] == ()


def test_the_mark_of_the_open_leg_is_needed_although_the_row_has_an_exit_price() -> None:
    broker = broker_with({CALL: filled(100.0)}, quotes={})
    result = at_two(broker, straddle(exit_time="2025-01-27 11:30", exit_price=-295.0, mtm=-295.0))
    assert result["status"] == "missing_price"
    assert PUT in result["reason"]
    assert math.isnan(result["pnl"])
    assert result["per_leg"][CALL]["pnl"] == 1500.0


def test_an_exit_of_an_earlier_day_is_zeros_and_the_open_leg_goes_on() -> None:
    broker = broker_with({CALL: filled(100.0)}, closes={(PUT, MONDAY): 200.0, (NIFTY, MONDAY): 23360.0})
    result = at_two(broker, current_time="2025-01-28 14:00")
    assert (result["per_leg"][CALL]["status"], result["per_leg"][CALL]["pnl"]) == ("closed", 0.0)
    # From Monday's close: 75 × −(195 − 200).
    assert (result["status"], result["pnl"]) == ("ok", 375.0)
    assert "partly_closed" in result["flags"]


def test_an_exit_that_still_lies_ahead_is_not_known_yet() -> None:
    result = at_two(broker_with({CALL: filled(100.0)}), current_time="2025-01-27 11:00")
    assert end_of(result, CALL) == (at("2025-01-27 11:00"), "mark")
    assert result["per_leg"][CALL]["price1"] == 90.0
    assert result["flags"] == ()


def test_the_open_leg_may_expire() -> None:
    settled = {(NIFTY, date(2025, 1, 30)): 23400.0}
    broker = broker_with({CALL: filled(100.0)}, closes=settled, quotes={})
    result = at_two(broker, current_time="2025-01-30 18:00", day=False)
    assert end_of(result, CALL) == (at("2025-01-27 11:30"), "fill")
    assert end_of(result, PUT) == (at("2025-01-30 15:30"), "payoff")
    assert (result["per_leg"][PUT]["price1"], result["pnl"]) == (100.0, 1500.0 + 6000.0)


# Part of a leg


def test_a_partial_fill_splits_its_leg_and_the_parts_add_up() -> None:
    result = at_two(broker_with({CALL: filled(100.0, 30.0)}))
    leg = result["per_leg"][CALL]
    closed, still_open = leg["parts"]
    assert (closed["quantity"], closed["price1"], closed["pnl"]) == (-30.0, 100.0, 600.0)
    assert (still_open["quantity"], still_open["price1"], still_open["pnl"]) == (-45.0, 90.0, 1350.0)
    assert (closed["window"]["end"], closed["window"]["end_price"]) == (at("2025-01-27 11:30"), "fill")
    assert (still_open["window"]["end"], still_open["window"]["end_price"]) == (at("2025-01-27 14:00"), "mark")
    assert (leg["quantity"], leg["price0"], leg["price1"], leg["pnl"]) == (-75.0, 120.0, 94.0, 1950.0)
    for name in EFFECTS:
        assert leg[name] == pytest.approx(closed[name] + still_open[name], abs=1e-9)
    assert "parts" not in result["per_leg"][PUT]
    assert (result["status"], result["pnl"], result["flags"]) == ("ok", 825.0, ("partly_closed",))
    assert adds_up(result)


def test_a_quantity_is_counted_in_units_of_the_leg_not_of_the_trade() -> None:
    # 150 calls are short: 50 of them are a third of the trade, not two thirds.
    row = straddle(symbol=f"{CALL}?-2:{PUT}?1")
    leg = at_two(broker_with({CALL: filled(100.0, 50.0)}), row)["per_leg"][CALL]
    assert [part["quantity"] for part in leg["parts"]] == pytest.approx([-50.0, -100.0], rel=1e-15)
    assert leg["pnl"] == pytest.approx(50 * 20.0 + 100 * 30.0, rel=1e-15)


def test_the_sign_of_a_part_is_that_of_the_trade() -> None:
    row = straddle(symbol=f"{CALL}?1:{PUT}?1", entry_quantity=-75)
    leg = at_two(broker_with({CALL: filled(100.0, 30.0)}), row)["per_leg"][CALL]
    assert [part["quantity"] for part in leg["parts"]] == [-30.0, -45.0]
    assert leg["pnl"] == 1950.0


def test_no_more_of_a_leg_is_closed_than_there_was() -> None:
    # The same order may have closed another trade's units too.
    leg = at_two(broker_with({CALL: filled(100.0, 100.0)}))["per_leg"][CALL]
    assert (leg["quantity"], leg["pnl"]) == (-75.0, 1500.0)
    assert "parts" not in leg


def test_the_fills_and_not_the_rows_exit_quantity_say_how_much_of_a_leg_was_closed() -> None:
    row = straddle(exit_time="2025-01-27 11:30", exit_quantity=-50)
    result = at_two(broker_with({CALL: filled(100.0, 30.0)}), row)
    assert [part["quantity"] for part in result["per_leg"][CALL]["parts"]] == [-30.0, -45.0]
    assert end_of(result, PUT) == (at("2025-01-27 14:00"), "mark")


# The row's own prices


def test_no_combo_gap_is_computed_while_a_leg_is_open() -> None:
    # The row's exit price is that of the call alone: against both legs it would be a gap of 395 points.
    row = straddle(exit_time="2025-01-27 11:30", entry_price=-300.0, exit_price=-100.0)
    result = at_two(broker_with({CALL: filled(100.0)}), row)
    assert (result["combo_gap"], result["spread_attrib"]) == (0.0, 0.0)
    assert (result["pnl"], result["flags"]) == (375.0, ("partly_closed",))


@pytest.mark.parametrize("when", ["2025-01-27 11:30", "2025-01-27 11:45"])
def test_the_combo_gap_is_there_again_when_all_legs_are_closed(when: str) -> None:
    # Orders of one exit are filled seconds apart; the row is off its legs by five points all the same.
    row = straddle(exit_time="2025-01-27 11:45", entry_price=-300.0, exit_price=-290.0)
    broker = broker_with({CALL: filled(100.0, when=when), PUT: filled(195.0, when="2025-01-27 11:45")})
    result = at_two(broker, row)
    assert (result["combo_gap"], result["pnl"]) == (375.0, 750.0)
    assert "combo_gap" in result["flags"]


@pytest.mark.parametrize("when", ["2025-01-27 11:30", "2025-01-27 11:45"])
def test_a_wrong_sign_of_the_rows_exit_price_is_an_error_when_all_legs_are_closed(when: str) -> None:
    row = straddle(exit_time="2025-01-27 11:45", entry_price=-300.0, exit_price=295.0)
    broker = broker_with({CALL: filled(100.0, when=when), PUT: filled(195.0, when="2025-01-27 11:45")})
    with pytest.raises(TradeError, match="exit_price=295"):
        at_two(broker, row)


# What is not known


@pytest.mark.parametrize("leave", [None, "2025-01-27 11:30"])
def test_an_outage_of_the_fill_source_never_passes_for_open(leave: str | None) -> None:
    # The entries are known without the broker, and so are marks: nothing but the exits could tell.
    result = at_two(
        broker_with({}, fails="fills"),
        straddle(exit_time=leave),
        leg_prices={CALL: (120.0, None), PUT: (180.0, None)},
    )
    assert result["status"] == "source_failed"
    assert "orders: failed: fills: connection refused" in result["reason"]
    assert math.isnan(result["pnl"])
    assert all(math.isnan(result[name]) for name in EFFECTS)


def test_an_outage_never_passes_for_open_on_a_later_day() -> None:
    # The day starts at closes and ends at marks: no other fill is needed that would betray the outage.
    closes = {(CALL, MONDAY): 110.0, (PUT, MONDAY): 200.0, (NIFTY, MONDAY): 23360.0}
    result = at_two(broker_with({}, fails="fills", closes=closes), current_time="2025-01-28 14:00")
    assert result["status"] == "source_failed"
    assert "connection refused" in result["reason"]


def test_an_outage_for_one_leg_leaves_the_other_known() -> None:
    broker = broker_with({CALL: Missing("the server hung up", Why.FAILED), PUT: filled(195.0)})
    result = at_two(broker)
    assert {leg: part["status"] for leg, part in result["per_leg"].items()} == {CALL: "source_failed", PUT: "ok"}
    assert result["status"] == "source_failed"
    assert "the server hung up" in result["reason"]
    assert result["per_leg"][PUT]["pnl"] == -1125.0


class HiccupBroker(RecordedBroker):
    """Its fills fail once and answer the next time."""

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        if not self.asked:
            self.asked += wanted
            raise BrokerError("try again")
        return super().fills(wanted)


def test_an_outage_that_passes_by_does_not_pass_for_closed() -> None:
    # 30 of 75 calls were bought back and no put: whoever takes an outage for an exit of all makes −75 of −30.
    exits = {(CALL, "exit"): filled(100.0, 30.0), (PUT, "exit"): filled(170.0, 30.0)}
    forgetful = CachedBroker(HiccupBroker(fills={**ENTRIES, **exits}, quotes=QUOTES), failure_life=timedelta(0))
    result = at_two(forgetful, straddle(exit_time="2025-01-27 11:30"))
    right = 30 * 20.0 + 45 * 30.0 + 30 * 10.0 - 45 * 15.0
    assert result["status"] == "source_failed" or result["pnl"] == right


def test_an_outage_in_a_list_harms_its_own_rows_only() -> None:
    share = {
        "symbol": "TCS_STK___",
        "entry_time": "2025-01-27 10:00",
        "exit_time": "2025-01-27 11:30",
        "entry_price": 4000.0,
        "exit_price": 4010.0,
        "entry_quantity": 10,
    }
    broker = broker_with({}, fails="fills")
    first, second = calculate_attribution_for_trades(
        [straddle(exit_time="2025-01-27 11:30"), share], broker, spot_prices=SPOTS, current_time="2025-01-27 14:00"
    )
    assert first["status"] == "source_failed"
    assert (second["status"], second["pnl"]) == ("ok", 100.0)


def test_orders_that_filled_no_leg_leave_all_of_it_open() -> None:
    result = at_two(broker_with({}))
    assert (result["status"], result["pnl"], result["flags"]) == ("ok", 2250.0 - 1125.0, ())


def test_fills_without_quantities_leave_a_row_open_that_says_open() -> None:
    result = at_two(broker_with({CALL: filled(100.0, None), PUT: filled(170.0, None)}))
    assert [end_of(result, leg) for leg in (CALL, PUT)] == [(at("2025-01-27 14:00"), "mark")] * 2
    assert (result["pnl"], result["flags"]) == (1125.0, ())


def test_fills_without_quantities_leave_a_row_closed_that_says_closed() -> None:
    row = straddle(exit_time="2025-01-27 11:30")
    result = at_two(broker_with({CALL: filled(100.0, None), PUT: filled(170.0, None)}), row)
    assert [end_of(result, leg) for leg in (CALL, PUT)] == [(at("2025-01-27 11:30"), "fill")] * 2
    assert (result["pnl"], result["flags"]) == (2250.0, ())


def test_a_fill_without_a_quantity_beside_one_that_has_it_is_as_the_row_says() -> None:
    row = straddle(exit_time="2025-01-27 11:45")
    result = at_two(broker_with({CALL: filled(100.0, 30.0), PUT: filled(170.0, None)}), row)
    assert [part["quantity"] for part in result["per_leg"][CALL]["parts"]] == [-30.0, -45.0]
    assert end_of(result, PUT) == (at("2025-01-27 11:45"), "fill")
    assert result["per_leg"][PUT]["pnl"] == 750.0


@pytest.mark.parametrize("quantity", [30.0, 75.0])
def test_a_fill_without_a_time_needs_the_rows_exit_time(quantity: float) -> None:
    with pytest.raises(TradeError) as caught:
        at_two(broker_with({CALL: filled(100.0, quantity, None)}))
    assert caught.value.field == "exit_time"
    assert CALL in str(caught.value)


def test_a_fill_without_a_time_takes_the_rows_exit_time() -> None:
    row = straddle(exit_time="2025-01-27 11:45")
    result = at_two(broker_with({CALL: filled(100.0, when=None)}), row)
    assert end_of(result, CALL) == (at("2025-01-27 11:45"), "fill")
    assert end_of(result, PUT) == (at("2025-01-27 14:00"), "mark")


def test_a_fill_without_a_time_spoils_no_other_row_of_a_list() -> None:
    rows = [straddle(), straddle(exit_time="2025-01-27 11:45")]
    first, second = calculate_attribution_for_trades(
        rows, broker_with({CALL: filled(100.0, when=None)}), spot_prices=SPOTS, current_time="2025-01-27 14:00"
    )
    assert first["status"] == "invalid_trade"
    assert first["reason"].startswith("exit_time=")
    assert (second["status"], second["pnl"]) == ("ok", 375.0)


class Orders:
    """Hashes of a Redis server, in memory."""

    def __init__(self, hashes: dict[str, dict[str, str]]) -> None:
        self.hashes = hashes

    def pipeline(self, transaction: bool = True) -> Orders:
        self.commands: list[tuple[str, list[str]]] = []
        return self

    def hmget(self, key: str, fields: list[str]) -> None:
        self.commands.append((key, fields))

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        return [[self.hashes.get(key, {}).get(field) for field in fields] for key, fields in self.commands]


class OrdersBroker(RecordedBroker):
    """A broker whose fills are those of order hashes."""

    orders: RedisLegs

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        return self.orders.fills(wanted)


def redis_orders() -> OrdersBroker:
    common = {"broker": "SHOONYA", "quantity": "75", "status": "FILLED", "exchange": "NSE"}
    broker = OrdersBroker(quotes=QUOTES)
    broker.orders = RedisLegs(
        Orders(
            {
                "E1": {**common, "long_symbol": CALL, "order_type": "SHORT", "price": "120.0"},
                "E2": {**common, "long_symbol": PUT, "order_type": "SHORT", "price": "180.0"},
                "X1": {**common, "long_symbol": CALL, "order_type": "COVER", "price": "100.0"},
            }
        )
    )
    return broker


def test_order_hashes_split_a_row_that_has_the_time_of_its_exit_order() -> None:
    result = at_two(redis_orders(), straddle(exit_time="2025-01-27 11:30"))
    assert end_of(result, CALL) == (at("2025-01-27 11:30"), "fill")
    assert (result["status"], result["pnl"], result["flags"]) == ("ok", 375.0, ("partly_closed",))


def test_order_hashes_without_a_time_do_not_date_an_exit_at_its_entry() -> None:
    # Neither the hashes nor the row know when the call was bought back: not at 10:00, when it was sold.
    with pytest.raises(TradeError) as caught:
        at_two(redis_orders())
    assert caught.value.field == "exit_time"


# Who is asked


def fills_asked(broker: RecordedBroker, side: str) -> list[FillOf]:
    return [ask for ask in broker.asked if isinstance(ask, FillOf) and ask.side == side]


@pytest.mark.parametrize("keys", [None, "", (), math.nan])
def test_without_exit_keys_no_exit_is_asked_for(keys: object) -> None:
    broker = broker_with({CALL: filled(100.0)})
    result = at_two(broker, straddle(exit_keys=keys))
    assert fills_asked(broker, "exit") == []
    assert len(fills_asked(broker, "entry")) == 2
    assert (result["pnl"], result["flags"]) == (1125.0, ())


def test_the_exit_keys_of_a_single_leg_are_not_asked_for_while_its_row_says_open() -> None:
    broker = broker_with({CALL: filled(100.0, 30.0)})
    result = at_two(broker, straddle(symbol=CALL, entry_price=120.0, mtm=110.0))
    assert fills_asked(broker, "exit") == []
    assert result["pnl"] == -750.0


def test_each_fill_is_asked_for_once_with_the_keys_of_its_side() -> None:
    broker = broker_with({CALL: filled(100.0)})
    rows = [straddle(exit_time="2025-01-27 11:30"), straddle(exit_time="2025-01-27 11:30", entry_quantity=75)]
    calculate_attribution_for_trades(rows, broker, spot_prices=SPOTS, current_time="2025-01-27 14:00")
    asked = [(ask.symbol, ask.side, ask.keys) for ask in fills_asked(broker, "entry") + fills_asked(broker, "exit")]
    assert sorted(asked) == [
        (CALL, "entry", ("E1", "E2")),
        (CALL, "exit", ("X1",)),
        (PUT, "entry", ("E1", "E2")),
        (PUT, "exit", ("X1",)),
    ]


class KeyedBroker(RecordedBroker):
    """Knows exits by the order id as well."""

    exits: Mapping[tuple[str, str], Price]

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        answers = super().fills(wanted)
        return [
            self.exits.get((ask.keys[0], format_symbol(ask.instrument)), Missing("not of these orders"))
            if ask.side == "exit"
            else answer
            for ask, answer in zip(wanted, answers, strict=True)
        ]


def test_trades_in_the_same_legs_end_by_their_own_orders() -> None:
    broker = KeyedBroker(fills=ENTRIES, quotes=QUOTES)
    broker.exits = {("X1", CALL): filled(100.0), ("X2", PUT): filled(170.0, 30.0)}
    rows = [straddle(exit_keys="X1"), straddle(exit_keys="X2"), straddle(exit_keys="X3")]
    results = calculate_attribution_for_trades(rows, broker, spot_prices=SPOTS, current_time="2025-01-27 14:00")
    # Open legs: call +30 points, put −15.
    assert [result["pnl"] for result in results] == [1500.0 - 1125.0, 2250.0 + 300.0 - 675.0, 2250.0 - 1125.0]
    assert [result["flags"] for result in results] == [("partly_closed",), ("partly_closed",), ()]


def test_entries_that_the_caller_gave_hide_no_exit() -> None:
    broker = broker_with({CALL: filled(100.0)})
    result = at_two(broker, leg_prices={CALL: (120.0, None), PUT: (180.0, None)})
    assert end_of(result, CALL) == (at("2025-01-27 11:30"), "fill")
    assert fills_asked(broker, "entry") == []


def test_entries_among_the_spot_prices_hide_no_exit() -> None:
    # Leg fills may stand among the spot prices at their instant: the price at 10:00 is no exit of anything.
    entries = {(CALL, "2025-01-27 10:00"): 120.0, (PUT, "2025-01-27 10:00"): 180.0}
    result = at_two(broker_with({CALL: filled(100.0)}), spot_prices={**SPOTS, **entries})
    assert end_of(result, CALL) == (at("2025-01-27 11:30"), "fill")
    assert (result["per_leg"][CALL]["price1"], result["pnl"]) == (100.0, 375.0)


# Day by day


@pytest.mark.parametrize("leave", [None, "2025-01-27 11:30"])
def test_the_days_of_a_partly_exited_trade_go_on_and_add_up(leave: str | None) -> None:
    closes = {
        (PUT, MONDAY): 200.0,
        (PUT, TUESDAY): 210.0,
        (PUT, WEDNESDAY): 190.0,
        (NIFTY, MONDAY): 23360.0,
        (NIFTY, TUESDAY): 23330.0,
        (NIFTY, WEDNESDAY): 23370.0,
    }
    broker = broker_with({CALL: filled(100.0)}, closes=closes)
    row = straddle(exit_time=leave, commission=40.0)
    days = attribute_daily([row], broker=broker, spot_prices=SPOTS, current_time="2025-01-29 18:00")
    # Monday +1500 − 75·20; Tuesday −75·10; Wednesday +75·20.
    assert [(day["session"], day["pnl"]) for day in days] == [(MONDAY, 0.0), (TUESDAY, -750.0), (WEDNESDAY, 1500.0)]
    assert sum(day["fees"] for day in days) == 40.0
    whole = at_two(broker, row, current_time="2025-01-29 18:00", day=False)
    assert (whole["pnl"], whole["fees"]) == (750.0, 40.0)
