"""Strategies × causes: exact by row and by column, against cash and marks, on a made book and on real ones."""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution import black_price
from attribution.ledger.entry import GENESIS
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.explain import CAUSES, FACTORS, explain_strategies
from attribution.ledger.fold import fold
from attribution.ledger.records import (
    AssetType,
    Correction,
    CorrectionAction,
    Cross,
    Event,
    EventAction,
    Fill,
    Side,
)
from attribution.report.strategies import strategies_svg, strategies_table, strategy_waterfall
from tests.ledger.ledger_tools import service_in
from tests.market_data import market_data

IST = ZoneInfo("Asia/Kolkata")
DAYS = [date(2025, 1, day) for day in (1, 2, 3, 6, 7, 8, 9, 10)]
NEAR, FAR = date(2025, 1, 9), date(2025, 1, 30)
CALL, PUT = "NIFTY_OPT_20250130_CALL_23500", "NIFTY_OPT_20250130_PUT_23500"
WEEKLY = "NIFTY_OPT_20250109_CALL_23400"
SPOTS = dict(zip(DAYS, (23742.9, 24188.65, 24004.75, 23616.05, 23707.9, 23688.95, 23526.5, 23431.5), strict=True))


def at(day: date, hour: int = 11, minute: int = 0) -> int:
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=IST).timestamp()) * 10**9


def model_price(symbol: str, day: date, spot: float, vol: float) -> float:
    """A price on a tick, from a vol that moves."""
    _, _, expiry, right, strike = symbol.split("_")
    days = (date.fromisoformat(expiry) - day).days
    if days <= 0:
        return max((spot - float(strike)) * (1 if right == "CALL" else -1), 0.0)
    value = black_price(spot, float(strike), days / 365, vol, 1 if right == "CALL" else -1)
    return round(round(float(value) / 0.05) * 0.05, 2)


class Market:
    """Closes of three options and the index, and the index at every instant a fill is made at."""

    def __init__(self) -> None:
        self.closes: dict[tuple[str, str], float] = {}
        self.at_fill: dict[tuple[str, str, str], float] = {}
        for number, day in enumerate(DAYS):
            stamp = f"{day:%Y%m%d}"
            self.closes["NIFTY_IND___", stamp] = SPOTS[day]
            for symbol in (CALL, PUT, WEEKLY):
                self.closes[symbol, stamp] = model_price(symbol, day, SPOTS[day], 0.13 + 0.004 * number)

    def price(self, symbol: str, day: date, hour: int = 11) -> Decimal:
        spot = SPOTS[day] * (1 + 0.0007 * (hour - 11))
        self.at_fill["NIFTY_IND___", "NSE", f"{day} {hour:02d}:00"] = spot
        return Decimal(repr(model_price(symbol, day, spot, 0.14)))

    def sources(self) -> dict[str, Any]:
        return {"prices": self.at_fill, "closes": self.closes}


def option_fill(number: int, day: date, symbol: str, side: str, quantity: int, price: Decimal, **facts: Any) -> Fill:
    told = {
        "account_id": "acc",
        "ts": at(day),
        "trade_date": day,
        "source": "test",
        "order_id": f"o{number}",
        "fill_id": "1",
        "symbol": symbol,
        "side": Side(side),
        "quantity": Decimal(quantity),
        "price": price,
        "fees": Decimal("20.17"),
        "asset_type": AssetType.OPTION,
        "currency": "INR",
        "bid": price - Decimal("0.15"),
        "ask": price + Decimal("0.35"),
    }
    return Fill(**{**told, **facts})


def of(strategy: str, quantity: int) -> dict[str, Decimal]:
    return {strategy: Decimal(quantity)}


@pytest.fixture(scope="module")
def market() -> Market:
    return Market()


@pytest.fixture(scope="module")
def records(market: Market) -> list[Any]:
    """Two strategies over eight sessions: carried, traded, day-traded, crossed, corrected, expired, closed untagged."""
    price = market.price
    wrong = option_fill(5, DAYS[2], PUT, "BUY", 75, price(PUT, DAYS[2]), split=of("hedge", 75))
    return [
        option_fill(1, DAYS[0], CALL, "SELL", 150, price(CALL, DAYS[0]), split=of("straddles", 150)),
        option_fill(2, DAYS[0], PUT, "SELL", 150, price(PUT, DAYS[0]), split=of("straddles", 150)),
        option_fill(3, DAYS[1], CALL, "BUY", 75, price(CALL, DAYS[1]), split=of("hedge", 75)),
        option_fill(4, DAYS[1], WEEKLY, "BUY", 225, price(WEEKLY, DAYS[1]), split=of("hedge", 225), bid=None),
        wrong,
        option_fill(6, DAYS[3], CALL, "BUY", 75, price(CALL, DAYS[3]), split=of("scalps", 75)),
        option_fill(7, DAYS[3], CALL, "SELL", 75, price(CALL, DAYS[3], 13), split=of("scalps", 75), ts=at(DAYS[3], 13)),
        Cross(
            account_id="acc",
            ts=at(DAYS[4]),
            trade_date=DAYS[4],
            source="test",
            plan_id="p1",
            symbol=CALL,
            price=price(CALL, DAYS[4]),
            buys=of("straddles", 25),
            sells=of("hedge", 25),
            asset_type=AssetType.OPTION,
            currency="INR",
        ),
        Correction(
            account_id="acc",
            ts=at(DAYS[5]),
            trade_date=DAYS[5],
            source="desk",
            fill_key=wrong.key,
            revision=1,
            action=CorrectionAction.CORRECT,
            price=wrong.price + 1,
        ),
        option_fill(8, DAYS[6], PUT, "BUY", 60, price(PUT, DAYS[6])),
        Event(
            account_id="acc",
            ts=at(NEAR, 15, 30),
            trade_date=NEAR,
            source="test",
            event_id="x1",
            action=EventAction.EXPIRE,
            symbol=WEEKLY,
            asset_type=AssetType.OPTION,
            price=Decimal("126.5"),
            currency="INR",
        ),
        option_fill(9, DAYS[7], CALL, "BUY", 50, price(CALL, DAYS[7]), split=of("straddles", 50), fees=None),
    ]


@pytest.fixture(scope="module")
def service(tmp_path_factory, records):
    with service_in(tmp_path_factory.mktemp("ledger"), account_id="acc") as made:
        made.append(records)
        yield made


@pytest.fixture(scope="module")
def report(service, market):
    return explain_strategies(service, None, **market.sources())


def test_the_grand_total_is_cash_and_marks_with_equality(report):
    assert report.check.is_exact
    total = report.by()[0]
    assert total["pnl"] == report.check.account_pnl
    assert total["unknown"] == total["partial"] == 0
    assert {cell.reasons for cell in report.cells} == {()}


def test_every_cell_row_and_column_adds_up_exactly(report):
    for cell in report.cells:
        assert sum(value for value in cell.factors.values() if value is not None) == cell.pnl
    total = report.by()[0]
    for keys in (("strategy",), ("symbol",), ("session",), ("strategy", "session"), ("strategy", "symbol", "session")):
        rows = report.by(*keys)
        assert len(rows) > 2
        for name in (*FACTORS, "pnl"):
            assert sum(row[name] for row in rows) == total[name]


def test_what_is_left_unexplained_is_rounding(report):
    assert max(abs(cell.factors["unexplained"]) for cell in report.cells) < Decimal("1e-6")
    assert any(cell.factors["vol"] for cell in report.cells)


def test_the_p_and_l_is_the_books_own(report, service, market):
    """Realised, income and unrealised at the last marks: the book knows nothing of sessions and causes."""
    marks = {symbol: Decimal(repr(market.closes[symbol, "20250110"])) for symbol in (CALL, PUT)}
    for row in report.by("strategy"):
        own = {"strategy": row["strategy"]}
        book = service.book
        assert row["pnl"] == book.realised(**own) + book.income(**own) + book.unrealised(marks, **own)


def test_the_account_per_cause_is_the_net_position_times_the_unit(report, market):
    """On a day without trades the strategies' causes add up to the account's own: the same vector, net quantity."""
    from attribution import calculate_attribution_for_trade

    unit = calculate_attribution_for_trade(
        {"symbol": CALL, "entry_time": "2024-12-31 15:30", "entry_quantity": 1, "multiplier": 1},
        historical_cache=market.closes,
        current_time="2025-01-08 18:00",
    )
    (row,) = [row for row in report.by("session", "symbol") if row["session"] == DAYS[5] and row["symbol"] == CALL]
    for cause, name in zip(CAUSES, ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib"), strict=True):
        net = Decimal(-150 + 75)
        assert float(row[cause]) == pytest.approx(float(net) * unit[name], abs=1e-6)


def test_the_edge_is_spread_and_the_way_to_the_mark_is_causes(report):
    """Bid −0.15, ask +0.35: every unit bought at its price gained 0.10 against the mid, and every unit sold lost it."""
    (first,) = [c for c in report.cells if (c.session, c.symbol, c.strategy) == (DAYS[0], CALL, "straddles")]
    assert first.factors["spread"] == -150 * Decimal("0.10")
    scalp = [c for c in report.cells if c.strategy == "scalps"]
    assert len(scalp) == 1, "a day trade is in one session"
    assert scalp[0].factors["spread"] == 0, "bought and sold with the same edge"
    assert scalp[0].factors["fees"] == Decimal("-40.34")


def test_a_fill_without_a_quote_says_so(report):
    (cell,) = [c for c in report.cells if (c.session, c.symbol) == (DAYS[1], WEEKLY)]
    assert "no_quote" in cell.flags
    assert cell.factors["spread"] == 0


def test_a_cross_moves_no_money_between_causes_and_account(report, service):
    crossed = [c for c in report.cells if c.session == DAYS[4] and c.symbol == CALL]
    assert {c.strategy for c in crossed} == {"hedge", "straddles"}
    assert sum(c.factors["fees"] for c in crossed) == 0
    assert sum(c.factors["spread"] for c in crossed) == 0


def test_a_corrected_fill_is_explained_as_if_it_had_always_been_right(report, service, market):
    """Told at DAYS[5] that the fill of DAYS[2] was a point dearer: that day pays for it, not the day of telling."""
    untold = [entry for entry in service.log.entries() if entry.kind != "correct"]
    before = {row["session"]: row for row in explain_strategies(untold, None, **market.sources()).by("session")}
    for row in report.by("session"):
        moved = -75 if row["session"] == DAYS[2] else 0
        assert row["pnl"] - before[row["session"]]["pnl"] == moved
        assert row["spread"] - before[row["session"]]["spread"] == moved, "dearer than the mid by as much"
    assert report.by()[0]["corrections"] == 0


def test_an_untagged_close_is_explained_for_those_who_held(report):
    held = {c.strategy for c in report.cells if c.session == DAYS[6] and c.symbol == PUT}
    assert held == {"hedge", "straddles"}


def test_upstream_counted_an_expired_options_premium_twice(report, records):
    """It settled at its payoff: nothing is delivered, and the P&L is the payoff less what was paid."""
    weekly = next(row for row in report.by("symbol") if row["symbol"] == WEEKLY)
    bought = records[3]
    assert weekly["delivery"] == 0
    assert weekly["pnl"] == 225 * (Decimal("126.5") - bought.price) - bought.fees


def test_a_window_is_a_part_of_the_whole(service, market, report):
    early = explain_strategies(service, (DAYS[0], DAYS[3]), **market.sources())
    late = explain_strategies(service, (DAYS[4], DAYS[-1]), **market.sources())
    day = explain_strategies(service, DAYS[4], **market.sources())
    assert early.check.is_exact
    assert late.check.is_exact
    for name in (*FACTORS, "pnl"):
        assert early.by()[0][name] + late.by()[0][name] == report.by()[0][name]
    assert {cell.session for cell in day.cells} == {DAYS[4]}
    with pytest.raises(InvalidRecordError, match="not after"):
        explain_strategies(service, (DAYS[4], DAYS[0]), **market.sources())


@pytest.mark.parametrize("method", ["shapley", "taylor"])
def test_other_methods_move_the_causes_and_never_the_pnl(service, market, report, method):
    other = explain_strategies(service, None, method=method, **market.sources())
    assert other.check == report.check
    assert [cell.pnl for cell in other.cells] == [cell.pnl for cell in report.cells]
    assert [cell.factors["vol"] for cell in other.cells] != [cell.factors["vol"] for cell in report.cells]


def test_a_missing_underlying_leaves_the_pnl_known_and_the_causes_unknown(service, market):
    closes = {key: value for key, value in market.closes.items() if key != ("NIFTY_IND___", "20250106")}
    report = explain_strategies(service, None, market.at_fill, closes=closes)
    assert report.check.is_exact
    partial = [cell for cell in report.cells if cell.is_partial]
    assert {cell.session for cell in partial} == {DAYS[3], DAYS[4]}
    assert {cell.factors["spot"] for cell in partial if cell.session == DAYS[3]} == {None}
    crossed = [cell for cell in partial if cell.session == DAYS[4] and cell.symbol == CALL and cell.strategy == "hedge"]
    assert crossed[0].factors["spot"] is not None, "of what was crossed the causes are known"
    for cell in partial:
        assert cell.pnl is not None
        assert "NIFTY_IND___" in cell.reasons[0]
    assert report.by()[0]["partial"] == len(partial)


def test_a_missing_mark_is_unknown_and_never_zero(service, market):
    closes = {key: value for key, value in market.closes.items() if key != (CALL, "20250107")}
    report = explain_strategies(service, None, market.at_fill, closes=closes)
    unknown = [cell for cell in report.cells if cell.pnl is None]
    assert {(cell.session, cell.symbol) for cell in unknown} == {(DAYS[4], CALL), (DAYS[5], CALL)}
    assert report.by()[0]["pnl"] is None
    assert not report.check.is_exact
    other = next(row for row in report.by("symbol") if row["symbol"] == PUT)
    assert other["pnl"] is not None


def test_a_session_in_progress_ends_at_the_current_marks(service, market):
    now = datetime(2025, 1, 7, 13, tzinfo=IST)
    marks = {
        **market.at_fill,
        ("NIFTY_IND___", "NSE", "2025-01-07 13:00"): 23650.0,
        **{(symbol, "NSE", "2025-01-07 13:00"): 150.25 for symbol in (CALL, PUT, WEEKLY)},
    }
    entries = [entry for entry in service.log.entries() if entry.trade_date <= DAYS[4]]
    closes = {key: value for key, value in market.closes.items() if key[1] < "20250107"}
    report = explain_strategies(entries, (DAYS[4], DAYS[4]), marks, closes=closes, current_time=now)
    assert report.check.is_exact, [cell.reasons for cell in report.cells]
    (weekly,) = [cell for cell in report.cells if cell.symbol == WEEKLY]
    assert weekly.pnl == 225 * (Decimal("150.25") - Decimal(repr(market.closes[WEEKLY, "20250106"])))
    assert weekly.factors["spot"] is not None


def test_an_unreadable_symbol_is_explained_by_nobody_and_booked_all_the_same(tmp_path):
    with service_in(tmp_path, account_id="acc") as made:
        coin = {"asset_type": AssetType.CRYPTO, "bid": None, "ask": None, "currency": "USD"}
        made.append(
            [
                option_fill(1, DAYS[0], "BTC/USD", "BUY", 2, Decimal(90000), split=of("coins", 2), **coin),
                option_fill(2, DAYS[0], "BTC/USD", "SELL", 2, Decimal(90500), split=of("coins", 2), **coin),
            ]
        )
        (cell,) = explain_strategies(made).cells
        assert cell.pnl == Decimal(1000) - Decimal("40.34")
        assert cell.factors["spot"] is None
        assert cell.factors["unexplained"] == 1000


def test_assignment_moves_the_strike_into_the_share_and_nothing_twice(tmp_path):
    """Sold a put at 2, assigned at 50 with the share at 49: the option made 200, the share is at −100."""
    days = [date(2025, 1, 16), date(2025, 1, 17), date(2025, 1, 21)]
    put = "XYZ250117P00050000"
    zone = ZoneInfo("America/New_York")
    instants = [
        int(datetime(d.year, d.month, d.day, h, tzinfo=zone).timestamp()) * 10**9
        for d, h in zip(days, (11, 16, 11), strict=True)
    ]
    sold = option_fill(
        1,
        days[0],
        put,
        "SELL",
        1,
        Decimal(2),
        split=of("wheel", 1),
        multiplier=Decimal(100),
        currency="USD",
        fees=Decimal(0),
        ts=instants[0],
    )
    assigned = Event(
        account_id="acc",
        ts=instants[1],
        trade_date=days[1],
        source="test",
        event_id="a1",
        action=EventAction.ASSIGN,
        symbol=put,
        asset_type=AssetType.OPTION,
        quantity=Decimal(1),
        price=Decimal(0),
        multiplier=Decimal(100),
        into="XYZ",
        strike=Decimal(50),
        right="PUT",
    )
    prices = {("XYZ_STK___", "US", "2025-01-16 11:00"): 50.5, ("XYZ_STK___", "US", "2025-01-21 11:00"): 49.5}
    closes = {
        ("XYZ_STK___", "20250116"): 50.2,
        (put, "20250116"): 1.1,
        ("XYZ_STK___", "20250117"): 49.0,
        ("XYZ_STK___", "20250121"): 48.0,
    }
    with service_in(tmp_path, account_id="acc") as made:
        made.append([sold, assigned])
        report = explain_strategies(made, (days[0], days[2]), prices, closes=closes)
    assert report.check.is_exact
    rows = {row["symbol"]: row for row in report.by("symbol")}
    assert rows[put]["pnl"] == 200
    assert rows["XYZ"]["pnl"] == -200
    assert rows["XYZ"]["spot"] == -100
    assert rows[put]["delivery"] == 100
    assert rows["XYZ"]["delivery"] == -100
    assert report.by()[0]["pnl"] == 0
    assert report.by()[0]["delivery"] == 0


def test_a_split_share_moves_by_spot_alone(tmp_path):
    share = {"asset_type": AssetType.STOCK, "bid": None, "ask": None, "fees": Decimal(0)}
    bought = option_fill(1, DAYS[0], "TCS_STK___", "BUY", 10, Decimal(4000), split=of("value", 10), **share)
    split = Event(
        account_id="acc",
        ts=at(DAYS[1], 9, 15),
        trade_date=DAYS[1],
        source="test",
        event_id="s1",
        action=EventAction.SPLIT,
        symbol="TCS_STK___",
        new=4,
        old=1,
        currency="INR",
    )
    closes = {
        ("TCS_STK___", f"{day:%Y%m%d}"): price for day, price in zip(DAYS, (4020.0, 1010.0, 1012.5), strict=False)
    }
    with service_in(tmp_path, account_id="acc") as made:
        made.append([bought, split])
        report = explain_strategies(made, (DAYS[0], DAYS[2]), closes=closes)
    assert report.check.is_exact
    assert [row["spot"] for row in report.by("session")] == [200, 40 * 1010 - 10 * 4020, 100]
    assert report.by()[0]["pnl"] == report.by()[0]["spot"]


def test_currencies_are_never_added(tmp_path):
    with service_in(tmp_path, account_id="acc") as made:
        coin = {"asset_type": AssetType.CRYPTO, "bid": None, "ask": None}
        made.append(
            [
                option_fill(n, DAYS[0], "BTC/USD", side, 1, Decimal(9), currency=money, split=of("coins", 1), **coin)
                for n, (side, money) in enumerate([("BUY", "USD"), ("SELL", "USD"), ("BUY", "EUR"), ("SELL", "EUR")])
            ]
        )
        report = explain_strategies(made)
    with pytest.raises(InvalidRecordError, match="EUR, USD have no sum"):
        report.by("strategy")
    assert [row["currency"] for row in report.by("strategy", "currency")] == ["EUR", "USD"]
    assert set(report.checks) == {("acc", "EUR"), ("acc", "USD")}
    with pytest.raises(InvalidRecordError, match="checks"):
        _ = report.check


SHARES = ("TCS_STK___", "INFY_STK___")
fills_of_shares = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(0, 1),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 500),
        st.integers(-300, 300),
        st.sampled_from(["A", "B", None]),
        st.booleans(),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=40, deadline=None)
@given(fills=fills_of_shares, moves=st.lists(st.integers(-400, 400), min_size=12, max_size=12))
def test_any_book_of_shares_adds_up_exactly(fills, moves):
    """Longs, shorts, flips and untagged closes, with and without quotes: rows, columns and account, with equality."""
    closes = {
        (symbol, f"{day:%Y%m%d}"): 3000.0 + moves[2 * place + number] / 20
        for place, day in enumerate([date(2024, 12, 31), *DAYS[:5]])
        for number, symbol in enumerate(SHARES)
    }
    entries = []
    for number, (day, share, side, quantity, ticks, owner, quoted) in enumerate(fills):
        price = Decimal(3000) + Decimal(ticks) * Decimal("0.05")
        quote = {} if quoted else {"bid": None, "ask": None}
        split = {} if owner is None else {"split": of(owner, quantity)}
        made = option_fill(number, DAYS[day], SHARES[share], side, quantity, price, **quote, **split)
        entries.append(replace(made, asset_type=AssetType.STOCK).draft().row(number + 1, GENESIS).entry())
    report = explain_strategies(entries, closes=closes)
    assert report.check.is_exact
    total = report.by()[0]
    assert total["partial"] == total["unknown"] == total["vol"] == total["time"] == 0
    for keys in (("strategy",), ("symbol",), ("session",)):
        for name in (*FACTORS, "pnl"):
            assert sum(row[name] for row in report.by(*keys)) == total[name]
    assert all(abs(cell.factors["unexplained"]) < Decimal("1e-6") for cell in report.cells)


def share_fill(number: int, day: date, side: str, quantity: int, price: int, **facts: Any) -> Fill:
    plain = {"asset_type": AssetType.STOCK, "bid": None, "ask": None, "fees": Decimal(0)}
    return option_fill(number, day, SHARES[0], side, quantity, Decimal(price), **plain, **facts)


def share_correction(number: int, day: date, action: str, revision: int = 1, **facts: Any) -> Correction:
    told = {"account_id": "acc", "ts": at(day), "trade_date": day, "source": "desk", "revision": revision}
    return Correction(**told, fill_key=f"/o{number}/1", action=CorrectionAction(action), **facts)


RISING = {(SHARES[0], f"{day:%Y%m%d}"): 3000.0 + 10 * number for number, day in enumerate([date(2024, 12, 31), *DAYS])}


def by_strategy(made: Any, **facts: Any) -> dict[str, Decimal]:
    report = explain_strategies(made, (DAYS[0], DAYS[4]), closes=RISING, **facts)
    assert report.check.is_exact
    return {row["strategy"]: row["pnl"] for row in report.by("strategy")}


def test_a_busted_fill_earned_nothing_and_a_reassigned_one_earned_for_its_owner(tmp_path):
    bought = share_fill(1, DAYS[0], "BUY", 10, 3000, split=of("A", 10))
    with service_in(tmp_path / "bust", account_id="acc") as made:
        made.append([bought, share_correction(1, DAYS[1], "bust")])
        assert by_strategy(made) == {}
    with service_in(tmp_path / "reassign", account_id="acc") as made:
        made.append([bought, share_correction(1, DAYS[1], "reassign", split=of("B", 10))])
        assert by_strategy(made) == {"B": 500}
        monday = datetime(2025, 1, 1, 18, tzinfo=IST)
        early = explain_strategies(made, closes=RISING, current_time=monday)
        assert {row["strategy"]: row["pnl"] for row in early.by("strategy")} == {"A": 100}, "nobody had said otherwise"


def test_a_sale_told_late_closes_for_those_whom_the_book_says(tmp_path):
    """Bought at 11 o'clock; told afterwards of an untagged sale at 10: the book closed A with it, and A is flat."""
    with service_in(tmp_path, account_id="acc") as made:
        made.append([share_fill(1, DAYS[0], "BUY", 60, 3000, split=of("A", 60))])
        made.append([share_fill(2, DAYS[0], "SELL", 60, 3000, ts=at(DAYS[0], 10))])
        assert made.book.positions() == []
        assert by_strategy(made) == {"A": 0}


def test_a_transfer_that_is_stamped_before_its_fill_moves_the_lots_all_the_same(tmp_path):
    handed = Event(
        account_id="acc",
        ts=at(DAYS[0], 10),
        trade_date=DAYS[0],
        source="desk",
        event_id="t1",
        action=EventAction.TRANSFER,
        symbol=SHARES[0],
        split=of("A", 60),
        to_split=of("B", 60),
        currency="INR",
    )
    with service_in(tmp_path, account_id="acc") as made:
        made.append([share_fill(1, DAYS[0], "BUY", 60, 3000, split=of("A", 60)), handed])
        assert {one.strategy for one in made.book.positions()} == {"B"}
        assert by_strategy(made) == {"A": 0, "B": 60 * 50}


tellings = st.lists(
    st.one_of(
        st.tuples(
            st.just("fill"), st.integers(0, 4), st.sampled_from(["BUY", "SELL"]), st.sampled_from(["A", "B", None])
        ),
        st.tuples(st.just("correct"), st.integers(0, 4), st.sampled_from(["bust", "price", "less", "A", "B"])),
    ),
    min_size=2,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(tellings=tellings, size=st.integers(4, 40))
def test_cells_are_the_books_whatever_the_order_of_telling(tellings, size):
    """Late fills, untagged closes, busts, prices, quantities and owners told anew, in an order that no clock has."""
    records: list[Any] = []
    fills: list[Fill] = []
    for number, (kind, day, *rest) in enumerate(tellings):
        if kind == "fill":
            side, owner = rest
            split = {} if owner is None else {"split": of(owner, size + number)}
            fills.append(share_fill(number, DAYS[day], side, size + number, 3000 + 3 * number, **split))
            records.append(fills[-1])
        elif fills:
            (what,) = rest
            of_fill = fills[number % len(fills)]
            facts: dict[str, Any] = {
                "bust": {"action": "bust"},
                "price": {"action": "correct", "price": of_fill.price + 7},
                "less": {"action": "correct", "quantity": of_fill.quantity - 2},
            }.get(what, {"action": "reassign", "split": {what: of_fill.quantity}})
            told = share_correction(int(of_fill.order_id[1:]), DAYS[day], facts.pop("action"), number + 1, **facts)
            records.append(told)
    entries = [record.draft().row(number + 1, GENESIS).entry() for number, record in enumerate(records)]
    book, report = fold(entries), explain_strategies(entries, (DAYS[0], DAYS[4]), closes=RISING)
    marks = {SHARES[0]: Decimal(repr(RISING[SHARES[0], f"{DAYS[4]:%Y%m%d}"]))}
    assert report.check.is_exact
    told = {row["strategy"]: row["pnl"] for row in report.by("strategy")}
    for one in book.positions(flat=True):
        own = {"strategy": one.strategy}
        assert told.pop(one.strategy, 0) == book.realised(**own) + book.income(**own) + book.unrealised(marks, **own)
    assert not any(told.values())


# --- time ---------------------------------------------------------------------------------------------------------


def test_nothing_after_the_current_time_counts(tmp_path):
    now = datetime(2025, 1, 2, 11, 30, tzinfo=IST)
    mark = {(SHARES[0], "NSE", "2025-01-02 11:30"): 3100.0}
    with service_in(tmp_path, account_id="acc") as made:
        made.append([share_fill(1, DAYS[0], "BUY", 10, 3000, split=of("A", 10))])
        made.append([share_fill(2, DAYS[1], "BUY", 10, 3000, ts=at(DAYS[1], 12)), share_fill(3, DAYS[2], "BUY", 1, 1)])
        for current in (now, now.astimezone(ZoneInfo("America/New_York")), now.replace(tzinfo=None)):
            report = explain_strategies(made, None, mark, closes=RISING, current_time=current)
            assert report.check.is_exact
            assert [(cell.session, cell.pnl) for cell in report.cells] == [(DAYS[0], 100), (DAYS[1], 900)]


def test_an_evening_elsewhere_is_no_session_here(tmp_path):
    """01:00 of the 8th in UTC is the evening of the 7th in New York."""
    bought = share_fill(1, date(2025, 1, 6), "BUY", 10, 100, split=of("A", 10))
    opened = replace(bought, symbol="AAPL", currency="USD", ts=at(date(2025, 1, 6), 20, 30))
    closes = {("AAPL_STK___", "20250106"): 106.0, ("AAPL_STK___", "20250107"): 107.0}
    with service_in(tmp_path, account_id="acc") as made:
        made.append([opened])
        current = datetime(2025, 1, 8, 1, tzinfo=ZoneInfo("UTC"))
        report = explain_strategies(made, closes=closes, current_time=current)
        assert [(cell.session.day, cell.pnl) for cell in report.cells] == [(6, 60), (7, 10)]


@pytest.mark.parametrize("first", [6, 8, 9, 10, 13, 14])
def test_an_expiry_that_nobody_told_pays_off_and_is_flat_ever_after(tmp_path, first):
    """Sold at 3.50, the share ends at 110: −650 a contract from the fill on, and nothing after the 10th."""
    call = "AAPL250110C00100000"
    fact = {"multiplier": Decimal(100), "currency": "USD", "fees": Decimal(0), "ts": at(date(2025, 1, 6), 20, 30)}
    sold = option_fill(1, date(2025, 1, 6), call, "SELL", 2, Decimal("3.5"), split=of("A", 2), **fact)
    closes = {("AAPL", f"202501{day:02d}"): 100.0 + day for day in range(2, 20)}
    closes |= {(call, f"202501{day:02d}"): 3.0 for day in (6, 7, 8)}
    with service_in(tmp_path, account_id="acc") as made:
        made.append([sold])
        report = explain_strategies(made, (date(2025, 1, first), date(2025, 1, 15)), closes=closes)
    assert report.check.is_exact
    whole = {6: -1300, 8: -1400, 9: -1400, 10: -1400}
    assert report.by()[0]["pnl"] == whole.get(first, 0)
    assert {cell.session.day for cell in report.cells} >= {13, 14, 15} - set(range(first))


@pytest.mark.parametrize("first", [date(2025, 1, 8), date(2025, 1, 9)])
def test_a_window_may_begin_where_one_exchange_is_closed(tmp_path, first):
    """New York was closed on the 9th: what is held there carries the last known price."""
    facts = {"symbol": "AAPL", "currency": "USD", "ts": at(date(2025, 1, 6), 20, 30), "order_id": "us"}
    indian = share_fill(1, date(2025, 1, 6), "BUY", 10, 3000, split=of("A", 10))
    closes = dict(RISING) | {("AAPL_STK___", f"202501{day:02d}"): 100.0 + day for day in range(2, 14)}
    with service_in(tmp_path, account_id="acc") as made:
        made.append([indian, replace(indian, **facts)])
        report = explain_strategies(made, (first, date(2025, 1, 10)), closes=closes)
    told = {cell.session.day: cell.pnl for cell in report.cells if cell.symbol == "AAPL"}
    assert told == ({8: 10} if first.day == 8 else {}) | {9: 0, 10: 20}
    assert all(check.is_exact for check in report.checks.values())


# --- a real market ------------------------------------------------------------------------------------------------


def real_market() -> tuple[dict[tuple[str, str], float], dict[str, dict[str, dict[str, str]]]]:
    closes: dict[tuple[str, str], float] = {}
    lines: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    with market_data("data", "nse_eod_2025", "index_options_tidy.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            stamp, expiry = line["date"].replace("-", ""), line["expiry"].replace("-", "")
            right = {"CE": "CALL", "PE": "PUT"}[line["type"]]
            symbol = f"{line['symbol']}_OPT_{expiry}_{right}_{float(line['strike']):g}"
            lines[symbol][line["date"]] = line
            expired = line["date"] == line["expiry"]  # the file's settlement is the index: the payoff must win
            closes[symbol, stamp] = float(line["settle" if expired else "close"])
            closes[f"{line['symbol']}_IND___", stamp] = float(line["spot_close"])
            front = line["front_fut_expiry"].replace("-", "")
            closes[f"{line['symbol']}_FUT_{front}__", stamp] = float(line["front_fut_close"])
    return closes, lines


def real_book(lines: dict[str, Any], at_fill: dict[Any, float]) -> list[Any]:
    """Strangles, condors and hedges opened, adjusted and closed over eight sessions, at the closes' own levels."""
    random = Random(2025)
    whole = [s for s, days in lines.items() if len(days) == 8 and all(int(d["volume"]) > 0 for d in days.values())]
    weekly = [
        s
        for s, days in lines.items()
        if s.startswith("NIFTY_OPT_20250109")
        and len(days) == 7
        and all(float(d["close"]) > 0 or d["date"] == d["expiry"] for d in days.values())
    ]
    chosen = random.sample(sorted(whole), 10) + random.sample(sorted(weekly), 4)
    made: list[Any] = []
    for number in range(160):
        day, hour = DAYS[number // 20], 10 + number % 20 // 5
        symbol = random.choice(chosen)
        line = lines[symbol].get(str(day))
        if line is None or (line["date"] == line["expiry"] and hour > 14):
            continue
        level = Decimal(line["close"]) if line["date"] != line["expiry"] else Decimal(5)
        price = max(level + Decimal(random.randint(-30, 30)) * Decimal("0.05"), Decimal("0.05"))
        at_fill[f"{line['symbol']}_IND___", "NSE", f"{day} {hour:02d}:00"] = float(line["spot_close"]) + 3.5 * hour
        quantity = int(line["lot"]) * random.randint(1, 4)
        owner = random.choice(["strangles", "condors", "hedge", None])
        made.append(
            option_fill(
                number,
                day,
                symbol,
                random.choice(["BUY", "SELL"]),
                quantity,
                price,
                ts=at(day, hour),
                split=None if owner is None else of(owner, quantity),
            )
        )
    return made + [settled(symbol, lines) for symbol in chosen if symbol in weekly]


def settled(symbol: str, lines: dict[str, Any]) -> Event:
    line = lines[symbol][str(NEAR)]
    sign = 1 if line["type"] == "CE" else -1
    value = max(sign * (float(line["spot_close"]) - float(line["strike"])), 0.0)
    return Event(
        account_id="acc",
        ts=at(NEAR, 15, 30),
        trade_date=NEAR,
        source="test",
        event_id=f"x-{symbol}",
        action=EventAction.EXPIRE,
        symbol=symbol,
        asset_type=AssetType.OPTION,
        price=Decimal(repr(round(value, 2))),
        currency="INR",
    )


def test_a_real_multi_strategy_book_adds_up_exactly(tmp_path):
    closes, lines = real_market()
    at_fill: dict[Any, float] = {}
    with service_in(tmp_path, account_id="acc") as made:
        made.append(real_book(lines, at_fill))
        report = explain_strategies(made, None, at_fill, closes=closes)
        book = made.book
        assert book.notices == []
        total = report.by()[0]
        assert total["unknown"] == total["partial"] == 0
        assert report.check.is_exact
        assert {row["strategy"] for row in report.by("strategy")} >= {"strangles", "condors", "hedge"}
        assert len(report.by("session")) == 8
        for name in (*FACTORS, "pnl"):
            for keys in (("strategy",), ("symbol",), ("session",), ("strategy", "symbol", "session")):
                assert sum(row[name] for row in report.by(*keys)) == total[name]
        marks = {one.symbol: Decimal(repr(closes[one.symbol, "20250110"])) for one in book.positions()}
        assert total["pnl"] == book.realised() + book.income() + book.unrealised(marks)
        gross = sum(abs(cell.factors[cause] or 0) for cell in report.cells for cause in CAUSES)
        left = sum(abs(cell.factors["unexplained"] or 0) for cell in report.cells)
        assert left < gross * Decimal("1e-9")
        assert gross > 100_000


# --- shown --------------------------------------------------------------------------------------------------------


def test_the_table_the_waterfall_and_the_picture(report):
    from rich.console import Console

    rows, factors, total = report.by("strategy"), report.factors(), report.by()[0]
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(strategies_table(rows, total, ["strategy"], factors, notes=["checked"]))
    text = console.export_text()
    assert f"{total['pnl']:,.2f}" in text
    assert "straddles" in text
    assert "checked" in text
    drawn = strategy_waterfall(rows[0], factors, title="hedge").plain
    assert [line.split()[0] for line in drawn.splitlines()] == ["hedge", *factors, "P&L"]
    assert "█" in drawn
    unknown = dict(rows[0]) | {"vol": None}
    assert "unknown" in strategy_waterfall(unknown, factors, title="x").plain
    picture = strategies_svg(rows, factors, title="Strategies")
    assert picture.startswith("<svg")
    assert "straddles" in picture
    assert not math.isnan(float(total["pnl"]))


def test_by_names_what_it_does_not_know(report):
    with pytest.raises(InvalidRecordError, match="by="):
        report.by("colour")
