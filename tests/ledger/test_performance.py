"""Performance summaries: exact, per strategy and symbol, and unknown where a price is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.performance import TradePerformanceService
from attribution.ledger.records import AssetType, Event, EventAction
from tests.ledger.ledger_tools import fill, service_in


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The documents' example, a second symbol, a short, a dividend and interest."""
    with service_in(tmp_path_factory.mktemp("ledger")) as service:
        first = fill(1, "BUY", 60, 100, split={"A": Decimal(60)}, fees=Decimal("1.50"))
        event = {"account_id": "default", "ts": first.ts + 50, "trade_date": first.trade_date, "source": "test"}
        service.append(
            [
                first,
                fill(2, "BUY", 40, 100, split={"B": Decimal(40)}, fees=Decimal(0)),
                fill(3, "SELL", 50, 110),
                fill(
                    4,
                    "SELL",
                    3,
                    "2.5",
                    symbol="XYZ250117P00050000",
                    split={"A": Decimal(3)},
                    fees=Decimal("0.3"),
                    multiplier=Decimal(100),
                    asset_type=AssetType.OPTION,
                ),
                Event(**event, event_id="d", action=EventAction.DIVIDEND, symbol="AAPL", amount=Decimal(5)),
                Event(**event, event_id="i", action=EventAction.ADJUST, amount=Decimal("0.07")),
            ]
        )
        yield TradePerformanceService(service)


PRICES = {"AAPL": Decimal(110), "XYZ250117P00050000": "1.5"}


def test_the_60_40_example_gives_300_and_200(told):
    by_strategy = {row.strategy_name: row for row in told.get_symbol_performance("AAPL", PRICES)}
    a, b = by_strategy["A"], by_strategy["B"]
    assert (a.realized_pnl, b.realized_pnl) == (Decimal("299.25"), 200), "half of A's fee belongs to what was sold"
    assert (a.open_quantity, b.open_quantity) == (30, 20)
    assert (a.unrealized_pnl, b.unrealized_pnl) == (Decimal("299.25"), 200)
    assert (a.total_buy_quantity, a.total_sell_quantity, a.net_quantity) == (60, 30, 30)
    assert (a.realized_trades, a.open_lots_count, a.average_cost_basis) == (1, 1, 100)
    assert (a.income, b.income) == (3, 2)
    assert a.total_pnl == Decimal("601.50")


def test_a_strategy_has_its_symbols_and_its_total(told):
    *rows, total = told.get_strategy_performance("A", PRICES)
    assert [row.symbol for row in rows] == ["AAPL", "XYZ250117P00050000"]
    assert total.symbol is None
    assert total.realized_pnl == sum(row.realized_pnl for row in rows)
    assert total.unrealized_pnl == Decimal("299.25") + Decimal("299.70")
    assert total.open_quantity is None, "shares and puts have no sum"
    assert told.get_strategy_performance("nobody") == []


def test_upstream_open_quantities_could_not_be_short(told):
    (row,) = told.get_symbol_performance("XYZ250117P00050000", PRICES)
    assert row.open_quantity == -3
    assert row.unrealized_pnl == Decimal("299.70")
    assert row.average_cost_basis == Decimal("2.5")


def test_upstream_summed_the_unrealised_that_it_knew(told):
    """A total of which a part is unknown is unknown."""
    rows = told.get_all_performance({"AAPL": 110.0})
    totals = {row.strategy_name: row for row in rows if row.symbol is None}
    assert totals["A"].unrealized_pnl is None
    assert totals["A"].total_pnl is None
    assert totals["B"].unrealized_pnl == 200
    assert told.get_unrealized_pnl({"AAPL": 110}) is None
    assert told.get_unrealized_pnl(PRICES, "B") == 200


def test_upstream_an_unrealised_of_zero_was_reported_as_unknown(told):
    report = told.get_attribution_report("AAPL", {"AAPL": 100})
    assert report["strategies"]["B"]["unrealized_pnl"] == 0
    flat = told.get_attribution_report("AAPL", {"AAPL": Decimal("100.015")})
    assert flat["total_unrealized_pnl"] == 0
    assert flat["total_unrealized_pnl"] is not None


def test_the_attribution_report(told):
    report = told.get_attribution_report("AAPL", PRICES)
    assert (report["symbol"], report["current_price"]) == ("AAPL", 110)
    assert report["total_realized_pnl"] == Decimal("499.25")
    assert report["total_unrealized_pnl"] == Decimal("499.25")
    assert report["total_open_quantity"] == 50
    assert set(report["strategies"]) == {"A", "B"}
    assert report["strategies"]["A"]["total_fees"] == Decimal("1.50")
    (lot,) = report["open_lots_by_strategy"]["A"]
    assert (lot["quantity"], lot["cost"], lot["fees"]) == (30, 3000, Decimal("0.75"))
    assert told.get_attribution_report("AAPL")["total_unrealized_pnl"] is None
    assert told.get_attribution_report("AAPL")["current_price"] is None


def test_cash_that_belongs_to_no_symbol_has_a_line(told):
    rows = [row for row in told.get_all_performance(PRICES) if row.strategy_name == "unattributed"]
    assert [(row.symbol, row.income, row.unrealized_pnl) for row in rows] == [
        ("", Decimal("0.07"), 0),
        (None, Decimal("0.07"), 0),
    ]


def test_summaries_add_up_to_the_account(told):
    rows = [row for row in told.get_all_performance(PRICES) if row.symbol is None]
    assert sum(row.realized_pnl for row in rows) == told.get_realized_pnl()
    assert sum(row.unrealized_pnl for row in rows) == told.get_unrealized_pnl(PRICES)
    assert sum(row.fees_unknown for row in rows) == 2, "the untagged sale told no fees, and two strategies share it"


def test_open_positions_are_lots(told):
    assert [lot.quantity for lot in told.get_open_positions("A")] == [30, -3]
    assert [lot.strategy for lot in told.get_open_positions(symbol="AAPL")] == ["A", "B"]


def test_upstream_found_quantities_consistent_within_a_thousandth(told):
    """Here the check is an equality, of money and not of quantities alone."""
    found = told.verify_attribution_consistency()
    assert found["verification_passed"]
    assert found["issues"] == []
    assert (found["total_entries"], found["symbols_analyzed"]) == (5, 3)


def test_a_cent_that_went_astray_is_found(tmp_path):
    with service_in(tmp_path) as service:
        service.append([fill(1, "BUY", 10, 10, split={"A": Decimal(10)})])
        sheet = next(iter(service.book.sheets.values()))
        sheet.lines["A"].realised += 10**40
        found = TradePerformanceService(service).verify_attribution_consistency()
        assert not found["verification_passed"]
        assert "the cash says -100" in found["issues"][0]


def test_one_account_of_several(tmp_path):
    with service_in(tmp_path) as service:
        service.append([fill(n, "BUY", n, 10, account_id=f"acc{n}", split={"A": Decimal(n)}) for n in (1, 2)])
        (row, _) = TradePerformanceService(service, account_id="acc2").get_all_performance({"AAPL": 11})
        assert (row.open_quantity, row.unrealized_pnl) == (2, 2)
        (both, _) = TradePerformanceService(service).get_all_performance({"AAPL": 11})
        assert (both.open_quantity, both.unrealized_pnl) == (3, 3)


def test_currencies_are_never_added(tmp_path):
    with service_in(tmp_path) as service:
        dollars = fill(1, "BUY", 1, 10, split={"A": Decimal(1)})
        rupees = fill(2, "BUY", 1, 800, symbol="TCS_STK___", currency="INR", split={"A": Decimal(1)})
        service.append([dollars, rupees])
        with pytest.raises(InvalidRecordError, match="INR, USD"):
            TradePerformanceService(service).get_all_performance()
        prices = {"AAPL": 11, "TCS_STK___": 790}
        told = TradePerformanceService(service, currency="INR").get_all_performance(prices)
        assert [(row.symbol, row.unrealized_pnl) for row in told] == [("TCS_STK___", -10), (None, -10)]


@pytest.mark.parametrize("price", ["ten", -1, float("nan"), None])
def test_what_is_no_price_is_named(told, price):
    with pytest.raises(InvalidRecordError, match=r"current_prices\[AAPL\]"):
        told.get_all_performance({"AAPL": price})
