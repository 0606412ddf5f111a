"""The thread's decimal context says nothing about the ledger: every digit is kept, or refused, whatever it is."""

from __future__ import annotations

import decimal
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.ledger.fold import snapshot
from attribution.ledger.performance import TradePerformanceService
from attribution.ledger.query import TradeLedgerQuery
from attribution.ledger.records import Correction, CorrectionAction, Event, EventAction
from tests.ledger.ledger_tools import MORNING, order, service_in

LONG = "12345678901.123456789012345678"
ENVELOPE: dict[str, Any] = {"account_id": "default", "ts": 1, "trade_date": MORNING.date(), "source": "test"}


def told(folder: Any) -> tuple[Any, ...]:
    """Everything a small ledger says of itself."""
    with service_in(folder, clock=lambda: 10**18) as service:
        service.record_filled_order(order(1, "BUY", LONG, "1234567.890123456789", "A", fees="0.000000123456789"), "r")
        weights = {"A": Decimal("0.3333"), "B": Decimal("0.6667")}
        service.record_filled_order(order(2, "BUY", "1234567.89", 100, None, strategy_weights=weights), "r")
        service.record_filled_order(order(2, "BUY", "2234567.91", "100.123456", None, strategy_weights=weights), "r")
        sold = service.record_filled_order(order(3, "SELL", "7654321.987654321", "110.01", fees="1234567.891"), "r")
        occ = order(4, "SELL", 3, "1.2345678901234") | {"symbol": "SPXW230113P03965000"}
        service.record_filled_order(occ | {"filled_at": MORNING + timedelta(hours=1)}, "r")
        assert sold is not None
        service.database()
        fixed = {"revision": 1, "action": CorrectionAction.CORRECT, "price": Decimal("109.123456789012345")}
        interest = {"event_id": "i", "action": EventAction.ADJUST, "amount": Decimal("1234567.8901234")}
        service.append([Correction(**ENVELOPE, fill_key=sold.key, **fixed), Event(**ENVELOPE, **interest)])
        rows = TradePerformanceService(service).get_all_performance({"AAPL": "123.456789", "SPXW230113P03965000": 1})
        sums = [(one.strategy_name, one.symbol, one.total_pnl, one.net_quantity) for one in rows]
        texts = [str(one.to_dict()) for one in service.find(TradeLedgerQuery())]
        values = [one.net_value for one in service.find(TradeLedgerQuery())]
        totals = (service.totals(["strategy_name"]), service.total_buy_value, service.get_ledger().total_sell_value)
        assert service.health().ok
        return snapshot(service.book), sums, texts, values, totals


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return told(tmp_path_factory.mktemp("expected"))


@settings(max_examples=25, deadline=None)
@given(precision=st.integers(1, 60), rounding=st.sampled_from([decimal.ROUND_UP, decimal.ROUND_HALF_EVEN]))
def test_a_ledger_is_the_same_in_every_context(expected, tmp_path_factory, precision, rounding):
    with decimal.localcontext(decimal.Context(prec=precision, rounding=rounding)):
        assert told(tmp_path_factory.mktemp("ledger")) == expected


def test_a_quantity_of_29_digits_is_kept(tmp_path):
    with service_in(tmp_path) as service:
        entry = service.record_filled_order(order(1, "SELL", LONG, 1, "A"))
        assert entry is not None
        assert str(entry.filled_qty) == LONG
        assert service.book.cash() == Decimal(LONG)


@pytest.mark.parametrize("quantity", ["1.0000000000000000001", "1" * 16, "1e-19"])
def test_what_cannot_be_held_exactly_is_refused(tmp_path, quantity):
    with service_in(tmp_path) as service:
        assert service.record_filled_order(order(1, "BUY", quantity, 1, "A")) is None
        assert "quantity" in service.health().unrecorded[0].reason
