"""The service: what it records, what it leaves out, and that a ledger in trouble stops nobody and hides nothing."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from attribution.ledger.entry import Kind
from attribution.ledger.errors import ConflictError
from attribution.ledger.query import TradeLedgerQuery
from attribution.ledger.records import Intent, Side
from attribution.ledger.service import TradeLedgerService
from attribution.ledger.settings import Backend, LedgerSettings
from tests.ledger.ledger_tools import MORNING, breakable, fill, order, service_in, settings_in


@pytest.fixture
def service(tmp_path):
    with service_in(tmp_path) as made:
        yield made


@pytest.fixture
def example(service):
    """A 60 and B 40 at 100, then an untagged sale of 50 at 110."""
    service.record_filled_order(order(1, "BUY", 60, 100, "A"), "run-1")
    service.record_filled_order(order(2, "BUY", 40, 100, "B"), "run-1")
    service.record_filled_order(order(3, "SELL", 50, 110), "run-1")
    return service


class Action(Enum):
    BUY = "BUY"


@dataclass
class OrderResult:
    """As upstream's executor makes it."""

    symbol: str = "AAPL"
    action: object = "BUY"
    shares: object = Decimal(10)
    price: object = Decimal("187.50")
    order_id: str | None = "abc"
    success: bool = True
    order_type: str = "LIMIT"
    filled_at: datetime | None = MORNING
    timestamp: datetime = MORNING
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class QuoteModel:
    bid_price: object
    ask_price: object


@dataclass
class Plan:
    metadata: dict[str, Any] | None = None
    plan_id: str = "plan-7"


# --- what the documents promise --------------------------------------------------------------------------------


def test_an_untagged_close_gives_30_and_20(example):
    entry = example.get_entries_for_symbol("AAPL")[-1]
    assert entry.strategy_quantities == {"A": Decimal(30), "B": Decimal(20)}
    assert example.book.realised(strategy="A") == 300
    assert example.book.realised(strategy="B") == 200


def test_totals_and_queries(example):
    assert example.total_entries == 3
    assert example.total_buy_value == 10_000
    assert example.total_sell_value == 5_500
    assert [one.order_id for one in example.get_entries_for_strategy("B")] == ["order-2", "order-3"]
    assert example.get_entries_for_symbol("MSFT") == []
    ledger = example.get_ledger()
    assert ledger.total_entries == 3
    assert ledger.total_buy_value == 10_000
    assert ledger.ledger_id == example.ledger_id


def test_an_entry_carries_every_documented_field(service):
    plan = Plan({"strategy_attribution": {"AAPL": {"momentum": 0.6, "mean_rev": 0.4}}})
    entry = service.record_filled_order(OrderResult(), "run-9", plan, QuoteModel(Decimal("187.4"), 187.6))
    assert entry is not None
    assert (entry.order_id, entry.correlation_id, entry.plan_id) == ("abc", "run-9", "plan-7")
    assert (entry.direction, entry.filled_qty, entry.fill_price) == ("BUY", Decimal(10), Decimal("187.50"))
    assert (entry.bid_at_fill, entry.ask_at_fill) == (Decimal("187.4"), Decimal("187.6"))
    assert entry.mid_at_fill == Decimal("187.5")
    assert entry.order_type == "LIMIT"
    assert entry.fill_timestamp == MORNING
    assert entry.strategy_names == ("mean_rev", "momentum")
    assert entry.strategy_weights == {"momentum": Decimal("0.6"), "mean_rev": Decimal("0.4")}
    assert entry.strategy_quantities == {"momentum": 6, "mean_rev": 4}
    assert entry.total_value == 1875
    assert json.loads(json.dumps(entry.to_dict()))["fill_price"] == "187.5"


def test_missing_data_is_none_and_never_an_error(service):
    entry = service.record_filled_order(OrderResult(order_type=""), "run-1")
    assert entry is not None
    assert entry.order_type == "MARKET"
    nothing = (entry.bid_at_fill, entry.ask_at_fill, entry.fees, entry.client_order_id, entry.venue, entry.notes)
    assert nothing == (None,) * 6
    assert service.health().ok


def test_one_bad_side_of_a_quote_leaves_the_other(service):
    entry = service.record_filled_order(OrderResult(), "run-1", None, QuoteModel(0, "187.6"))
    assert entry is not None
    assert (entry.bid_at_fill, entry.ask_at_fill, entry.mid_at_fill) == (None, Decimal("187.6"), None)


@pytest.mark.parametrize(
    "change",
    [{"success": False}, {"shares": 0}, {"success": False, "price": None}, {"status": "rejected"}],
    ids=["failed", "nothing filled", "failed without a price", "rejected"],
)
def test_failed_orders_are_not_recorded(service, change):
    assert service.record_filled_order(order(1, "BUY", 60, 100, "A") | change, "run-1") is None
    assert service.total_entries == 0
    assert service.health().ok


def test_what_a_cancelled_order_filled_before_counts(service):
    partial = order(1, "BUY", 60, 100, "A") | {"status": "CANCELED", "filled_qty": 25}
    entry = service.record_filled_order(partial, "run-1")
    assert entry is not None
    assert entry.filled_qty == 25


def test_a_filled_order_without_a_price_is_told_of(service, caplog):
    with caplog.at_level(logging.ERROR):
        assert service.record_filled_order(order(1, "BUY", 60, None, "A"), "run-1") is None
    health = service.health()
    assert not health.ok
    assert health.unrecorded[0].order_id == "order-1"
    assert "price" in health.unrecorded[0].reason
    assert "order-1" in caplog.text


def test_enumerations_floats_and_naive_times_are_read(service):
    naive = OrderResult(action=Action.BUY, shares=10.5, price=187.1, filled_at=None, timestamp=datetime(2025, 1, 6, 15))
    entry = service.record_filled_order(naive, "run-1")
    assert entry is not None
    assert (entry.filled_qty, entry.fill_price) == (Decimal("10.5"), Decimal("187.1"))
    assert entry.fill_timestamp == datetime(2025, 1, 6, 15, tzinfo=UTC)


def test_an_occ_symbol_brings_its_multiplier_and_one_name(service):
    padded = order(1, "SELL", 1, "1.25", "condors") | {"symbol": "SPXW  230113P03965000"}
    entry = service.record_filled_order(padded, "run-1")
    assert entry is not None
    assert (entry.symbol, entry.asset_type, entry.multiplier) == ("SPXW230113P03965000", "OPTION", 100)
    assert service.get_entries_for_symbol("SPXW  230113P03965000") == service.get_entries_for_symbol(entry.symbol)


def test_the_ledger_survives_the_process(example, tmp_path):
    example.close()
    with service_in(tmp_path) as again:
        assert again.total_entries == 3
        assert again.book.realised(strategy="A") == 300


def test_the_file_of_a_run(example, tmp_path):
    assert example.persist_run("run-1")
    (path,) = (tmp_path / "trade-ledgers").rglob("*.json")
    assert path.parent.relative_to(tmp_path).as_posix() == "trade-ledgers/2025/01/06"
    assert path.name.endswith("-run-1.json")
    assert json.loads(path.read_text())["total_entries"] == 3
    before = path.read_bytes()
    assert example.persist_to_s3("run-1"), "again"
    assert path.read_bytes() == before


def test_a_disabled_ledger_records_nothing(tmp_path):
    off = LedgerSettings(Backend.SQLITE, tmp_path, enabled=False)
    with TradeLedgerService(settings=off) as service:
        assert service.record_filled_order(order(1, "BUY", 60, 100, "A"), "run-1") is None
        assert not service.persist_run()
    assert list(tmp_path.iterdir()) == []


# --- identity ---------------------------------------------------------------------------------------------------


def test_upstream_a_fill_without_an_id_got_a_random_one_and_was_recorded_twice(service):
    """Here its id is the order's cumulative quantity, so that a redelivery is known."""
    first = service.record_filled_order(order(1, "BUY", 60, 100, "A"), "run-1")
    again = service.record_filled_order(order(1, "BUY", 60, 100, "A"), "run-2")
    assert first is not None
    assert again is not None
    assert first.fill_id == "cum:60"
    assert (again.seq, service.total_entries) == (first.seq, 1)


def test_a_redelivery_after_other_fills_changes_nothing(example):
    sold = example.record_filled_order(order(3, "SELL", 50, 110), "run-2")
    assert sold is not None
    assert sold.strategy_quantities == {"A": Decimal(30), "B": Decimal(20)}
    assert example.total_entries == 3
    assert example.health().ok


def test_an_order_reported_again_with_more_of_it_filled_is_recorded_by_the_difference(service):
    service.record_filled_order(order(1, "BUY", 30, 100, "A"), "run-1")
    rest = service.record_filled_order(order(1, "BUY", 50, "100.2", "A"), "run-1")
    assert rest is not None
    assert (rest.fill_id, rest.filled_qty, rest.fill_price) == ("cum:50", 20, Decimal("100.5"))
    assert service.record_filled_order(order(1, "BUY", 40, 100, "A"), "run-1") is None, "older than what is known"
    assert service.total_buy_value == Decimal("5010")


def test_executions_with_a_running_total_are_recorded_one_by_one(service):
    for quantity, total in ((10, 10), (15, 25), (5, 30)):
        service.record_filled_order(order(1, "BUY", quantity, 100, "A") | {"cum_qty": total}, "run-1")
    entries = service.get_entries_for_symbol("AAPL")
    assert [(one.fill_id, one.filled_qty) for one in entries] == [("cum:10", 10), ("cum:25", 15), ("cum:30", 5)]


def test_the_same_fill_with_another_price_is_refused_and_kept_in_quarantine(service):
    service.record_filled_order(order(1, "BUY", 60, 100, "A") | {"fill_id": "f1"}, "run-1")
    assert service.record_filled_order(order(1, "BUY", 60, 101, "A") | {"fill_id": "f1"}, "run-1") is None
    assert service.total_buy_value == 6000
    assert not service.health().ok
    assert len(list(service.log.quarantined())) == 1


def test_a_fill_without_a_time_is_dated_once(tmp_path):
    ticks = iter(range(10**18, 10**18 + 100 * 10**9, 10**9))
    timeless = order(1, "BUY", 60, 100, "A") | {"filled_at": None, "timestamp": None}
    with service_in(tmp_path, clock=lambda: next(ticks)) as service:
        first = service.record_filled_order(timeless, "run-1")
        again = service.record_filled_order(timeless, "run-1")
        assert first is not None
        assert again is not None
        assert (again.ts, service.total_entries, service.health().ok) == (first.ts, 1, True)


# --- owners -----------------------------------------------------------------------------------------------------


def test_upstream_an_unowned_fill_belonged_to_default(service):
    """Here it is the house's, in sight, and can be reassigned."""
    entry = service.record_filled_order(order(1, "BUY", 60, 100), "run-1")
    assert entry is not None
    assert entry.strategy_quantities == {"unattributed": 60}
    assert entry.policy == "pro_rata"


def test_upstream_divided_by_signed_weights_and_gave_150_percent(service):
    """A +0.6 and B −0.2 is an order of 0.4 that is A's alone; the 0.2 between them are a cross."""
    plan = Plan({"strategy_attribution": {"AAPL": {"A": "0.6", "B": "-0.2"}}})
    entry = service.record_filled_order(order(1, "BUY", 40, 100), "run-1", plan)
    assert entry is not None
    assert entry.strategy_quantities == {"A": 40}


def test_upstream_gave_all_partial_fills_of_one_lot_to_the_first_strategy(service):
    plan = Plan({"strategy_attribution": {"X": {}, "AAPL": {"A": 1, "B": 1, "C": 1}}})
    for total in range(1, 10):
        one = order(1, "BUY", 1, 5) | {"cum_qty": total, "asset_type": "option"}
        assert service.record_filled_order(one, "run-1", plan) is not None
    assert [one.quantity for one in service.book.positions()] == [3, 3, 3]


def test_the_client_order_id_names_the_strategy(service):
    named = order(1, "BUY", 60, 100) | {"client_order_id": "1-KMLM-AAPL-20231201T093000-a1b2c3d4-v1"}
    entry = service.record_filled_order(named, "run-1")
    assert entry is not None
    assert entry.strategy_quantities == {"1-KMLM": 60}


def test_a_fill_that_follows_from_an_intent_carries_its_plan(service):
    intent = Intent(
        account_id="default",
        ts=1,
        trade_date=MORNING.date(),
        source="planner",
        client_order_id="a1b2c3d4e5f6a7b8c9d0",
        symbol="AAPL",
        side=Side.BUY,
        quantity=Decimal(90),
        plan_id="plan-1",
        item="AAPL",
        weights={"momentum": Decimal("0.4"), "mean_rev": Decimal("0.2")},
    )
    service.append([intent])
    entry = service.record_filled_order(order(1, "BUY", 90, 10) | {"client_order_id": intent.key}, "run-1")
    assert entry is not None
    assert entry.strategy_quantities == {"momentum": 60, "mean_rev": 30}
    assert (entry.plan_id, entry.plan_item) == ("plan-1", "AAPL")


@pytest.mark.parametrize(("policy", "sold"), [("fifo", {"A": 50}), ("house", {"unattributed": 50})])
def test_other_policies(tmp_path, policy, sold):
    with service_in(tmp_path, closing=policy) as service:
        service.record_filled_order(order(1, "BUY", 60, 100, "A"), "run-1")
        service.record_filled_order(order(2, "BUY", 40, 100, "B"), "run-1")
        entry = service.record_filled_order(order(3, "SELL", 50, 110), "run-1")
    assert entry is not None
    assert entry.strategy_quantities == sold
    assert entry.policy == policy


# --- failures ---------------------------------------------------------------------------------------------------


def test_upstream_a_ledger_failure_was_a_log_line_and_the_fill_was_gone(tmp_path, caplog):
    """Here it waits in the spool, the health says so, and replay puts it where it belongs."""
    service, store = breakable(tmp_path)
    service.record_filled_order(order(1, "BUY", 60, 100, "A"), "run-1")
    store.is_down = True
    with caplog.at_level(logging.WARNING):
        waiting = service.record_filled_order(order(2, "BUY", 40, 100, "B"), "run-1")
        sold = service.record_filled_order(order(3, "SELL", 50, 110), "run-1")
    assert waiting is not None
    assert sold is not None
    assert waiting.seq == 0
    assert sold.strategy_quantities == {"A": 30, "B": 20}, "what waits is known to the book"
    assert (service.health().ok, service.health().waiting) == (False, 2)
    assert "nobody answers" in caplog.text
    store.is_down = False
    assert service.replay().ok
    assert service.total_entries == 3
    assert service.book.realised(strategy="B") == 200
    service.close()


def test_the_next_fill_replays_what_waits_first(tmp_path):
    service, store = breakable(tmp_path)
    store.is_down = True
    service.record_filled_order(order(1, "BUY", 60, 100, "A"), "run-1")
    store.is_down = False
    service.record_filled_order(order(2, "BUY", 40, 100, "B"), "run-1")
    assert [one.order_id for one in service.get_entries_for_symbol("AAPL")] == ["order-1", "order-2"]
    assert service.health().ok
    service.close()


def test_a_service_that_starts_while_the_log_is_down_lets_replay_say_whose_a_close_is(tmp_path):
    with service_in(tmp_path) as before:
        before.record_filled_order(order(1, "BUY", 60, 100, "A"), "run-1")
        before.record_filled_order(order(2, "BUY", 40, 100, "B"), "run-1")
    service, store = breakable(tmp_path)
    store.is_down = True
    blind = service.record_filled_order(order(3, "SELL", 50, 110), "run-2")
    assert blind is not None
    assert blind.strategy_quantities == {}, "nobody can say"
    store.is_down = False
    assert service.replay().ok
    (sold,) = [one for one in service.get_entries_for_symbol("AAPL") if one.direction == "SELL"]
    assert sold.strategy_quantities == {"A": 30, "B": 20}
    assert [entry.kind for entry in service.log.entries()][-2:] == [Kind.FILL, Kind.ALLOC]
    service.close()


def test_a_store_that_cannot_be_opened_stops_nobody(tmp_path):
    folder = tmp_path / "ledger"
    folder.mkdir()
    (folder / "ledger.sqlite3").mkdir()  # no file can be opened there
    with TradeLedgerService(settings=settings_in(folder)) as service:
        assert service.record_filled_order(order(1, "BUY", 60, 100, "A"), "run-1") is not None
        assert service.health().waiting == 1
        (folder / "ledger.sqlite3").rmdir()
        assert service.replay().ok
        assert service.total_entries == 1


class _Explodes:
    success = True

    @property
    def symbol(self):
        raise ZeroDivisionError("a broken property")

    shares = filled_qty = 1


@pytest.mark.parametrize("broken", [None, 7, "text", _Explodes(), {"success": True, "shares": "many"}])
def test_nothing_that_is_handed_over_raises(service, broken):
    assert service.record_filled_order(broken, "run-1") is None


def test_a_broken_order_is_a_matter_of_health(service):
    service.record_filled_order(_Explodes(), "run-1")
    assert not service.health().ok
    assert "a broken property" in service.health().unrecorded[0].reason


# --- threads and batches ----------------------------------------------------------------------------------------


def test_many_threads_record_every_fill_once(tmp_path):
    count, each = 8, 12
    with service_in(tmp_path) as service:

        def work(name: int) -> None:
            for number in range(each):
                service.record_filled_order(order(name * 100 + number, "BUY", 1, 10, f"S{name}"), f"run-{name}")
                service.record_filled_order(order(number, "BUY", 1, 10, "shared"), f"run-{name}")

        threads = [threading.Thread(target=work, args=(name,)) for name in range(1, count + 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert service.health().ok
        assert service.total_entries == count * each + each
        assert service.book.positions("shared")[0].quantity == each
        service.log.verify()


def test_services_of_one_log_see_each_others_fills(tmp_path):
    with service_in(tmp_path) as one, service_in(tmp_path) as other:
        one.record_filled_order(order(1, "BUY", 60, 100, "A"), "run-1")
        other.record_filled_order(order(2, "BUY", 40, 100, "B"), "run-1")
        sold = one.record_filled_order(order(3, "SELL", 50, 110), "run-1")
        assert sold is not None
        assert sold.strategy_quantities == {"A": 30, "B": 20}
        assert other.total_entries == 3


def test_append_counts_what_was_known_and_refuses_contradictions(service):
    records = [fill(n, "BUY", n, 10, split={"A": Decimal(n)}) for n in range(1, 8)]
    assert (service.append(records).new, service.append(records).known) == (7, 7)
    other = fill(1, "BUY", 1, 11, split={"A": Decimal(1)})
    with pytest.raises(ConflictError):
        service.append([other])
    refused: list[Any] = []
    written = service.append([fill(8, "BUY", 8, 10), other, fill(9, "BUY", 9, 10)], lambda *told: refused.append(told))
    assert (written.new, len(refused)) == (2, 1)
    assert len(list(service.log.quarantined())) == 1
    assert service.total_entries == 9


def test_a_batch_that_fails_is_forgotten_by_the_book_too(tmp_path):
    service, store = breakable(tmp_path)
    service.append([fill(1, "BUY", 5, 10, split={"A": Decimal(5)})])
    inner, store.inner.append = store.inner.append, _refuse
    with pytest.raises(Exception, match="the disk is full"):
        service.append([fill(2, "BUY", 7, 10, split={"A": Decimal(7)})])
    store.inner.append = inner
    assert service.book.positions("A")[0].quantity == 5
    service.close()


def _refuse(_drafts):
    from attribution.ledger.errors import StoreError

    raise StoreError("the disk is full")


# --- orders of several legs


LEGS = ("SPXW230113P03965000", "SPXW230113C03965000")


@pytest.mark.parametrize("group", [None, "straddle-1"])
def test_the_legs_of_one_order_are_told_apart_without_ids_of_the_brokers(tmp_path, group):
    """Each leg is filled by quantities of its own, told again and again, with more of it and after a restart."""
    facts = {} if group is None else {"leg_group": group}
    reports = [(LEGS[0], 1), (LEGS[1], 1), (LEGS[0], 2), (LEGS[1], 2)]
    for _ in range(2):
        with service_in(tmp_path) as service:
            for symbol, filled in (*reports, *reports):
                service.record_filled_order(order(1, "BUY", filled, 5, "A", symbol=symbol, **facts), "run-1")
            assert service.health().ok
            assert [held.quantity for held in service.book.positions("A")] == [2, 2]
    with service_in(tmp_path) as service:
        ids = {(fill.symbol, fill.fill_id) for fill in service.find(TradeLedgerQuery())}
    first = "" if group is None else f":{LEGS[0]}"
    assert ids == {(LEGS[0], f"cum:{n}{first}") for n in (1, 2)} | {(LEGS[1], f"cum:{n}:{LEGS[1]}") for n in (1, 2)}


def test_the_legs_of_one_order_wait_side_by_side(tmp_path):
    """While the log is down the fills that wait are known to the process that told them."""
    service, store = breakable(tmp_path)
    store.is_down = True
    for symbol in LEGS:
        service.record_filled_order(order(1, "BUY", 2, 5, "A", symbol=symbol), "run-1")
    store.is_down = False
    assert service.replay().ok
    assert [held.quantity for held in service.book.positions("A")] == [2, 2]
    service.close()
