"""Rows at the door: what is read, and the field, value and allowed range that each refusal names."""

from __future__ import annotations

import math
from collections import namedtuple
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from attribution.errors import SymbolError, TradeError
from attribution.row import row_from_attribution_data
from attribution.trade import Part, Trade, as_instant

KOLKATA = ZoneInfo("Asia/Kolkata")
NEW_YORK = ZoneInfo("America/New_York")
CALL = "NIFTY_OPT_20250130_CALL_23500"
PUT = "NIFTY_OPT_20250130_PUT_23500"
STRADDLE = f"{CALL}?-1:{PUT}?-1"


def row(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "symbol": CALL,
        "entry_time": "2025-01-27 10:00:00",
        "exit_time": "2025-01-28 14:30:00",
        "entry_price": 120.5,
        "exit_price": 99.25,
        "entry_quantity": 75,
    }
    fields.update(changes)
    return fields


def refused(**changes: Any) -> TradeError:
    with pytest.raises(TradeError) as caught:
        Trade.from_row(row(**changes))
    return caught.value


# The faces of a row


def test_a_mapping_is_read_field_by_field() -> None:
    trade = Trade.from_row(
        row(mtm=100, commission="40.5", entry_keys="a b", exit_keys=["c", 7], trade_id="T1", exit_quantity=-75)
    )
    assert trade.symbol == CALL
    assert [(p.leg.symbol, p.leg.ratio, p.multiplier) for p in trade.legs] == [(CALL, 1, 1.0)]
    assert trade.quantity == 75.0
    assert trade.entry_time == datetime(2025, 1, 27, 10, 0, tzinfo=KOLKATA)
    assert trade.exit_time == datetime(2025, 1, 28, 14, 30, tzinfo=KOLKATA)
    assert (trade.entry_price, trade.exit_price, trade.exit_quantity) == (120.5, 99.25, -75.0)
    assert (trade.mtm, trade.commission) == (100.0, 40.5)
    assert (trade.entry_keys, trade.exit_keys) == (("a", "b"), ("c", "7"))
    assert trade.label == "T1"


def test_every_face_of_a_row_gives_the_same_trade() -> None:
    fields = row()
    expected = Trade.from_row(fields)
    assert Trade.from_row(MappingProxyType(fields)) == expected
    assert Trade.from_row(pd.Series(fields)) == expected
    assert Trade.from_row(namedtuple("Row", fields)(**fields)) == expected
    assert Trade.from_row(next(pd.DataFrame([fields]).itertuples(index=False))) == expected


def test_unknown_columns_are_not_looked_at() -> None:
    assert Trade.from_row(row(strategy="short vol", note=object())) == Trade.from_row(row())


@pytest.mark.parametrize("what", [None, 7, "TCS_STK___", [("symbol", CALL)]])
def test_what_is_no_row(what: object) -> None:
    with pytest.raises(TradeError, match=r"row=.*: a mapping, a pandas Series or a named tuple"):
        Trade.from_row(what)


def test_only_symbol_entry_time_and_quantity_are_needed() -> None:
    trade = Trade.from_row({"symbol": CALL, "entry_time": "2025-01-27 10:00", "entry_quantity": -75})
    assert (trade.exit_time, trade.entry_price, trade.exit_price, trade.exit_quantity) == (None, None, None, None)
    assert (trade.mtm, trade.commission, trade.entry_keys, trade.exit_keys, trade.label) == (None, None, (), (), None)


@pytest.mark.parametrize("field", ["symbol", "entry_time", "entry_quantity"])
def test_a_needed_field_that_is_missing(field: str) -> None:
    fields = row()
    del fields[field]
    with pytest.raises(TradeError, match=f"^{field}=None: missing from the row") as caught:
        Trade.from_row(fields)
    assert caught.value.field == field


@pytest.mark.parametrize("field", ["symbol", "entry_time", "entry_quantity"])
@pytest.mark.parametrize("blank", [None, "", " ", math.nan, pd.NA, pd.NaT])
def test_a_needed_field_that_holds_nothing(field: str, blank: object) -> None:
    error = refused(**{field: blank})
    assert error.field == field
    assert "needed" in error.allowed


@pytest.mark.parametrize(
    "field", ["exit_time", "entry_price", "exit_price", "exit_quantity", "mtm", "multiplier", "commission", "exchange"]
)
@pytest.mark.parametrize("blank", [None, "", math.nan, pd.NA, pd.NaT, np.float64("nan")])
def test_an_optional_field_that_holds_nothing_is_absent(field: str, blank: object) -> None:
    fields = row()
    fields.pop(field, None)
    if field == "exit_time":
        fields.pop("exit_price")
    assert Trade.from_row({**fields, field: blank}) == Trade.from_row(fields)


# Symbols


@pytest.mark.parametrize("symbol", ["FOO", "NIFTY_OPT_20250130_CALL", "A?1:B", f"{CALL}?0"])
def test_a_symbol_that_cannot_be_read(symbol: str) -> None:
    error = refused(symbol=symbol)
    assert isinstance(error, SymbolError)
    assert error.field == "symbol"


@pytest.mark.parametrize("symbol", [7, b"TCS_STK___", ["TCS_STK___"]])
def test_a_symbol_that_is_not_text(symbol: object) -> None:
    error = refused(symbol=symbol)
    assert (error.field, error.value, error.allowed) == ("symbol", symbol, "text")


def test_a_leg_that_is_written_twice_is_merged() -> None:
    trade = Trade.from_row(row(symbol=f"{CALL}?-1:{PUT}?1:{CALL}?-2", entry_price=None, exit_price=None))
    assert [(p.leg.symbol, p.leg.ratio) for p in trade.legs] == [(CALL, -3), (PUT, 1)]


def test_legs_that_cancel_are_no_trade() -> None:
    assert refused(symbol=f"{CALL}?-1:{CALL}?1").field == "symbol"


# Numbers


@pytest.mark.parametrize("field", ["entry_price", "exit_price", "entry_quantity", "exit_quantity", "mtm", "commission"])
@pytest.mark.parametrize("value", ["abc", "1,000", [1.0], {}, True])
def test_a_number_of_the_wrong_kind(field: str, value: object) -> None:
    error = refused(**{field: value})
    assert (error.field, error.value, error.allowed) == (field, value, "a number")


@pytest.mark.parametrize("field", ["entry_price", "exit_price", "entry_quantity", "exit_quantity", "mtm", "commission"])
@pytest.mark.parametrize("value", [math.inf, -math.inf, "inf"])
def test_an_infinite_number(field: str, value: object) -> None:
    error = refused(**{field: value})
    assert (error.field, error.allowed) == (field, "a finite number")


def test_numbers_may_be_text() -> None:
    trade = Trade.from_row(row(entry_price="120.5", exit_price=" 99.25", entry_quantity="75", mtm="1e2"))
    assert (trade.entry_price, trade.exit_price, trade.quantity, trade.mtm) == (120.5, 99.25, 75.0, 100.0)


def test_a_price_of_zero_is_a_price() -> None:
    assert Trade.from_row(row(exit_price=0)).exit_price == 0.0


@pytest.mark.parametrize("zero", [0, 0.0, -0.0, "0"])
def test_no_quantity_is_no_trade(zero: object) -> None:
    error = refused(entry_quantity=zero)
    assert (error.field, error.value) == ("entry_quantity", 0.0)
    assert "other than zero" in error.allowed


@pytest.mark.parametrize("zero", [0, 0.0, "0"])
def test_an_exit_quantity_of_zero_is_a_trade_still_open(zero: object) -> None:
    trade = Trade.from_row(row(exit_quantity=zero))
    assert trade.exit_time is None
    assert trade.parts == (Part(75.0, None),)


@pytest.mark.parametrize(
    ("entry", "leave"),
    [
        pytest.param(75, 75, id="same-sign-long"),
        pytest.param(-75, -75, id="same-sign-short"),
        pytest.param(75, -76, id="more-than-was-bought"),
        pytest.param(-75, 150, id="more-than-was-sold"),
    ],
)
def test_an_exit_quantity_that_cannot_close_the_entry(entry: float, leave: float) -> None:
    error = refused(entry_quantity=entry, exit_quantity=leave)
    assert (error.field, error.value) == ("exit_quantity", leave)
    assert f"opposite sign of entry_quantity={entry}" in error.allowed


@pytest.mark.parametrize(("side", "quantity"), [("SELL", 75), ("short", 75), ("BUY", -75), (" Long ", -75)])
def test_a_side_that_contradicts_the_sign(side: str, quantity: float) -> None:
    error = refused(side=side, entry_quantity=quantity)
    assert (error.field, error.value) == ("entry_quantity", quantity)
    assert f"side={side!r}" in error.allowed


@pytest.mark.parametrize(
    ("side", "quantity"), [("BUY", 75), ("long", 75), ("SELL", -75), ("SHORT", -75), (None, -75), ("COVER", 75)]
)
def test_a_side_that_agrees_or_says_nothing(side: object, quantity: float) -> None:
    assert Trade.from_row(row(side=side, entry_quantity=quantity)).quantity == quantity


# Multipliers


def test_a_contracts_own_multiplier() -> None:
    assert Trade.from_row(row(symbol="SPY250131C00600000")).legs[0].multiplier == 100.0


def test_a_rows_multiplier_replaces_the_contracts() -> None:
    trade = Trade.from_row(row(symbol=STRADDLE, multiplier="25"))
    assert [leg.multiplier for leg in trade.legs] == [25.0, 25.0]
    assert [leg.weight for leg in trade.legs] == [-25.0, -25.0]
    assert trade.common_multiplier == 25.0


@pytest.mark.parametrize("value", [0, -1, -0.5])
def test_a_multiplier_that_is_not_positive(value: float) -> None:
    error = refused(multiplier=value)
    assert (error.field, error.value, error.allowed) == ("multiplier", value, "a positive number")


def test_a_multiplier_on_legs_that_do_not_share_one() -> None:
    # 100 shares against one call on 100: which of the two would the row mean?
    error = refused(symbol="SPY_STK___?100:SPY250131C00600000?-1", multiplier=100)
    assert (error.field, error.value) == ("multiplier", 100.0)
    assert "absent" in error.allowed
    assert "[1.0, 100.0]" in error.allowed


def test_legs_that_share_no_multiplier_have_net_prices_per_one() -> None:
    trade = Trade.from_row(row(symbol="SPY_STK___?100:SPY250131C00600000?-1"))
    assert trade.common_multiplier == 1.0
    assert [leg.weight for leg in trade.legs] == [100.0, -100.0]


# Exchanges


def test_an_exchange_may_be_a_segment() -> None:
    assert Trade.from_row(row(symbol="TCS_STK___", exchange="bfo")).legs[0].leg.instrument.exchange == "BSE"


@pytest.mark.parametrize("exchange", ["LSE", 7])
def test_an_exchange_without_a_calendar(exchange: object) -> None:
    error = refused(exchange=exchange)
    assert (error.field, error.value) == ("exchange", exchange)
    assert "NSE" in error.allowed


def test_an_exchange_where_the_symbol_is_not_at_home() -> None:
    assert refused(exchange="US").field == "exchange"


# Times

INSTANT = datetime(2025, 1, 27, 10, 0, tzinfo=KOLKATA)


@pytest.mark.parametrize(
    "value",
    [
        "2025-01-27 10:00",
        "2025-01-27 10:00:00",
        "2025-01-27T10:00:00",
        "2025-01-27T10:00:00+05:30",
        "2025-01-27T04:30:00Z",
        datetime(2025, 1, 27, 10, 0),
        datetime(2025, 1, 27, 4, 30, tzinfo=UTC),
        pd.Timestamp("2025-01-27 10:00"),
        pd.Timestamp("2025-01-27 04:30", tz="UTC"),
        pd.Timestamp("2025-01-26 23:30", tz="America/New_York"),
        np.datetime64("2025-01-27T10:00:00"),
    ],
)
def test_one_instant_in_many_spellings(value: object) -> None:
    trade = Trade.from_row(row(entry_time=value))
    assert trade.entry_time == INSTANT
    # The date of an instant is read off it later: it must be in the exchange's zone.
    assert trade.entry_time.date() == date(2025, 1, 27)
    assert trade.entry_time.utcoffset() == INSTANT.utcoffset()


def test_a_naive_time_of_a_us_trade_is_in_new_york() -> None:
    trade = Trade.from_row(row(symbol="SPY250131C00600000"))
    assert trade.entry_time == datetime(2025, 1, 27, 10, 0, tzinfo=NEW_YORK)


@pytest.mark.parametrize("blank", [None, "", " ", "0", 0, 0.0, math.nan, pd.NA, pd.NaT, np.datetime64("NaT")])
def test_an_exit_time_that_holds_nothing_is_a_trade_still_open(blank: object) -> None:
    trade = Trade.from_row(row(exit_time=blank))
    assert trade.exit_time is None
    assert trade.parts == (Part(75.0, None),)


@pytest.mark.parametrize("blank", ["0", 0, 0.0])
def test_an_entry_time_of_zero_is_missing(blank: object) -> None:
    error = refused(entry_time=blank)
    assert error.field == "entry_time"
    assert "needed" in error.allowed


@pytest.mark.parametrize("field", ["entry_time", "exit_time"])
@pytest.mark.parametrize("value", ["yesterday", "27-01-2025 10:00", "2025-13-01", 1737954000, True, []])
def test_a_time_that_cannot_be_read(field: str, value: object) -> None:
    error = refused(**{field: value})
    assert (error.field, error.value) == (field, value)
    assert "'2026-08-03 09:15'" in error.allowed


def test_an_exit_before_the_entry() -> None:
    error = refused(exit_time="2025-01-27 09:59:59")
    assert error.field == "exit_time"
    assert error.value == "2025-01-27T09:59:59+05:30"
    assert "not before entry_time 2025-01-27T10:00:00+05:30" in error.allowed


def test_an_exit_at_the_instant_of_the_entry() -> None:
    assert Trade.from_row(row(exit_time="2025-01-27 10:00:00")).exit_time == INSTANT


def test_an_entry_after_the_expiry() -> None:
    error = refused(entry_time="2025-01-31 09:15", exit_time=None)
    assert error.field == "entry_time"
    assert error.value == "2025-01-31T09:15:00+05:30"
    assert f"not after the expiry of {CALL}" in error.allowed
    assert "2025-01-30T15:30:00+05:30" in error.allowed


def test_an_entry_recorded_late_on_the_expiry_day() -> None:
    trade = Trade.from_row(row(entry_time="2025-01-30 15:47", exit_time=None))
    assert trade.entry_time == datetime(2025, 1, 30, 15, 47, tzinfo=KOLKATA)


def test_one_expired_leg_of_a_combo_is_enough() -> None:
    symbol = f"NIFTY_OPT_20250123_CALL_23500?-1:{CALL}?1"
    error = refused(symbol=symbol, entry_price=None, exit_price=None)
    assert "NIFTY_OPT_20250123_CALL_23500" in error.allowed


def test_as_instant_names_the_field_it_was_asked_for() -> None:
    with pytest.raises(TradeError, match=r"^current_time='noon'"):
        as_instant("current_time", "noon", "NSE")


# Keys and labels


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("a1 b2", ("a1", "b2")),
        ("  a1 ", ("a1",)),
        ("", ()),
        (["a1", "b2"], ("a1", "b2")),
        (("a1", 17), ("a1", "17")),
        ([], ()),
        (None, ()),
        (math.nan, ()),
        (pd.NA, ()),
    ],
)
def test_order_ids(value: object, keys: tuple[str, ...]) -> None:
    trade = Trade.from_row(row(entry_keys=value, exit_keys=value))
    assert (trade.entry_keys, trade.exit_keys) == (keys, keys)


@pytest.mark.parametrize("field", ["entry_keys", "exit_keys"])
def test_order_ids_of_the_wrong_kind(field: str) -> None:
    error = refused(**{field: 1.5})
    assert (error.field, error.value) == (field, 1.5)
    assert "space-separated" in error.allowed


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"trade_id": "T1", "int_order_id": "O1"}, "T1"),
        ({"trade_id": math.nan, "int_order_id": "O1"}, "O1"),
        ({"int_order_id": 17}, "17"),
        ({}, None),
    ],
)
def test_the_label_of_a_trade(fields: dict[str, Any], label: str | None) -> None:
    assert Trade.from_row(row(**fields)).label == label


# Parts


@pytest.mark.parametrize(
    ("entry", "leave", "parts"),
    [
        (75, None, [(75.0, True)]),
        (75, -75, [(75.0, True)]),
        (-75, 75, [(-75.0, True)]),
        (75, -50, [(50.0, True), (25.0, False)]),
        (-75, 50, [(-50.0, True), (-25.0, False)]),
    ],
)
def test_the_closed_and_the_open_part(entry: float, leave: float | None, parts: list[tuple[float, bool]]) -> None:
    found = Trade.from_row(row(entry_quantity=entry, exit_quantity=leave)).parts
    assert [(part.quantity, part.exit_time is not None) for part in found] == parts


# The constructor of rows


def test_a_built_row_reads_back_as_the_same_trade() -> None:
    series = row_from_attribution_data(
        CALL,
        "2025-01-27 10:00:00",
        "2025-01-28 14:30:00",
        120.5,
        99.25,
        75,
        entry_keys="a b",
        exit_keys=["c"],
        mtm=100.0,
        exit_quantity=-75,
        multiplier=2,
        commission=40.5,
    )
    assert isinstance(series, pd.Series)
    expected = row(entry_keys="a b", exit_keys=["c"], mtm=100.0, exit_quantity=-75, multiplier=2, commission=40.5)
    assert Trade.from_row(series) == Trade.from_row(expected)


def test_a_built_row_of_an_open_trade() -> None:
    series = row_from_attribution_data(CALL, "2025-01-27 10:00:00", "", 120.5, None, 75)
    expected = {"symbol": CALL, "entry_time": "2025-01-27 10:00:00", "entry_price": 120.5, "entry_quantity": 75}
    assert Trade.from_row(series) == Trade.from_row(expected)
    assert list(series.index) == [
        "symbol",
        "entry_time",
        "exit_time",
        "entry_price",
        "exit_price",
        "entry_quantity",
        "exit_quantity",
        "entry_keys",
        "exit_keys",
        "mtm",
        "multiplier",
        "commission",
    ]


def test_a_built_row_is_not_checked_before_it_is_read() -> None:
    series = row_from_attribution_data(CALL, "2025-01-27 10:00:00", None, 120.5, None, 0)
    with pytest.raises(TradeError, match="entry_quantity=0"):
        Trade.from_row(series)
