"""A frame of prices as a source: the exact instant, else the last one shortly before; never one from the future."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest

from attribution import calculate_attribution_for_trade, calculate_attribution_for_trades, parse_symbol, price_frame
from attribution.market.quotes import CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf
from tests.tables.test_equals_rows import AMOUNTS, assert_equal_trades, same

INDIA = ZoneInfo("Asia/Kolkata")
NIFTY = parse_symbol("NIFTY_IND___")
CALL = "NIFTY_OPT_20250130_CALL_23500"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIA)


PRICES = pd.DataFrame(
    {
        "symbol": ["NIFTY_IND___", "NIFTY", "NIFTY_IND___", "NIFTY_IND___", CALL],
        "time": ["2025-01-06 10:00", "2025-01-06 10:01", "2025-01-06 15:30", "2025-01-07", "2025-01-06 15:29:30"],
        "price": [23_400.0, 23_410.0, 23_500.0, 23_600.0, 161.0],
    }
)


def test_the_exact_instant_else_the_last_one_shortly_before() -> None:
    source = price_frame(PRICES)
    asked = ["10:00", "10:00:30", "10:01:59", "10:02:00", "10:02:01", "09:59:59"]
    answers = source.prices_at([PriceAt(NIFTY, at(f"2025-01-06 {each}")) for each in asked])
    told = [answer.value if isinstance(answer, Price) else None for answer in answers]
    assert told == [23_400.0, 23_400.0, 23_410.0, 23_410.0, None, None]
    assert [a.kind for a in answers if isinstance(a, Price)][:2] == [PriceKind.GIVEN, PriceKind.LAST]
    assert isinstance(answers[1], Price)
    assert answers[1].time == at("2025-01-06 10:00")
    wide = price_frame(PRICES, tolerance=timedelta(hours=2))
    (answer,) = wide.prices_at([PriceAt(NIFTY, at("2025-01-06 12:01"))])
    assert isinstance(answer, Price)
    assert answer.value == 23_410.0


def test_closes_marks_and_fills() -> None:
    source = price_frame(PRICES)
    option = parse_symbol(CALL)
    close, daily, holiday = source.closes(
        [
            CloseOf(option, at("2025-01-06 12:00").date()),
            *(CloseOf(NIFTY, at(f"2025-01-{d} 12:00").date()) for d in ("07", "26")),
        ]
    )
    assert isinstance(close, Price)
    assert (close.value, close.kind, close.time) == (161.0, PriceKind.CLOSE, at("2025-01-06 15:29:30"))
    assert isinstance(daily, Price)
    assert daily.value == 23_600.0
    assert isinstance(holiday, Missing)
    assert "no session" in holiday.reason
    (mark,) = source.quotes([QuoteOf(option, at("2025-01-06 15:30"))])
    assert isinstance(mark, Price)
    late, exact = source.fills(
        [
            FillOf(option, CALL, "exit", at("2025-01-06 15:29:31")),
            FillOf(option, CALL, "exit", at("2025-01-06 15:29:30")),
        ]
    )
    assert isinstance(late, Missing)  # a fill is what was paid, not what was last seen
    assert isinstance(exact, Price)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": "noon"}, r"row 0, time='noon': must be an instant \(5 such rows\)"),
        ({"price": ["1", "x", "2", "3", "4"]}, r"row 1, price='x': must be a finite number"),
        ({"symbol": ""}, r"symbol='': must be text"),
        ({"exchange": "MOON"}, r"exchange='MOON'"),
    ],
)
def test_what_is_wrong_with_it_is_said(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        price_frame(PRICES.assign(**change))


def test_two_prices_of_one_instant_are_refused_and_one_twice_is_not() -> None:
    twice = pd.concat([PRICES, PRICES.head(1)])
    (answer,) = price_frame(twice).prices_at([PriceAt(NIFTY, at("2025-01-06 10:00"))])
    assert isinstance(answer, Price)
    other = pd.concat([PRICES, PRICES.head(1).assign(price=1.0)])
    with pytest.raises(ValueError, match=r"NIFTY_IND___ has two prices at 2025-01-06 10:00:00\+05:30: 23400 and 1"):
        price_frame(other)
    with pytest.raises(ValueError, match=r"tolerance="):
        price_frame(PRICES, tolerance=timedelta(seconds=-1))


def _book(count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = random.Random(4)
    minutes = pd.date_range("2025-01-06 09:15", "2025-01-06 15:30", freq="1min")
    prices = pd.DataFrame(
        {
            "symbol": "NIFTY",
            "time": minutes,
            "price": 23_400.0 + np.cumsum(np.random.default_rng(4).normal(0, 5, len(minutes))),
        }
    )
    rows = []
    for _ in range(count):
        begin = datetime(2025, 1, 6, 9, 10) + timedelta(seconds=rng.randint(0, 22_000))
        strike = 23_000 + 50 * rng.randint(0, 16)
        rows.append(
            {
                "symbol": f"NIFTY_OPT_20250130_{rng.choice(('CALL', 'PUT'))}_{strike}",
                "entry_time": begin,
                "exit_time": begin + timedelta(seconds=rng.randint(60, 3_000)),
                "entry_quantity": rng.choice((-75.0, 75.0)),
                "entry_price": rng.uniform(100.0, 700.0),
                "exit_price": rng.uniform(100.0, 700.0),
            }
        )
    return pd.DataFrame(rows), prices


def test_frames_of_trades_and_prices_equal_the_rows() -> None:
    trades, prices = _book(800)
    frame = calculate_attribution_for_trades(trades, spot_prices=prices)
    singles = calculate_attribution_for_trades(trades.to_dict("records"), spot_prices=prices)
    assert 100 < sum(single["status"] == "ok" for single in singles) < 800
    assert_equal_trades(frame, singles)
    one = calculate_attribution_for_trade(trades.iloc[5], spot_prices=prices)
    assert all(same(float(frame[name].iloc[5]), one[name]) for name in AMOUNTS)


def test_no_price_comes_from_the_future() -> None:
    trades, prices = _book(200)
    whole = calculate_attribution_for_trades(trades, spot_prices=prices)
    for place in range(0, 200, 20):
        known = prices[prices["time"] <= trades["exit_time"].iloc[place]]
        part = calculate_attribution_for_trades(trades.iloc[[place]], spot_prices=known)
        assert same(float(part["spot_attrib"].iloc[0]), float(whole["spot_attrib"].iloc[place]))


def test_polars_prices_serve_pandas_trades() -> None:
    trades, prices = _book(50)
    mixed = calculate_attribution_for_trades(trades, spot_prices=pl.from_pandas(prices))
    plain = calculate_attribution_for_trades(trades, spot_prices=prices)
    assert all(map(same, mixed["pnl"].tolist(), plain["pnl"].tolist()))
