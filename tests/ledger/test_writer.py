"""What the writer promises: what waits comes first, every fill has owners, a failure leaves no trace, twice is once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.ledger.entry import Kind
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.fold import fold, snapshot
from attribution.ledger.health import Written
from attribution.ledger.query import TradeLedgerQuery
from attribution.ledger.records import Correction, CorrectionAction, Event, EventAction
from tests.ledger.ledger_tools import MORNING, breakable, fill, order, service_in


@pytest.fixture
def service(tmp_path):
    with service_in(tmp_path) as made:
        yield made


# --- what waits comes first -------------------------------------------------------------------------------------


def _spooled(folder, *orders):
    """Record orders while the log is down, and end the process."""
    service, store = breakable(folder)
    store.is_down = True
    for one in orders:
        assert service.record_filled_order(one, "run-1") is not None
    service.close()


def test_a_close_after_an_outage_closes_what_waited_before_it(tmp_path):
    _spooled(tmp_path, order(1, "BUY", 60, 100, "A"), order(2, "BUY", 40, 100, "B"))
    with service_in(tmp_path) as service:
        sold = service.record_filled_order(order(3, "SELL", 50, 110), "run-2")
        assert sold is not None
        assert sold.strategy_quantities == {"A": 30, "B": 20}
        assert [entry.kind for entry in service.log.entries()] == [Kind.FILL, Kind.ALLOC] * 3
        assert [len(service.get_entries_for_strategy(name)) for name in "AB"] == [2, 2]
        assert service.total_buy_value == 10_000
        assert service.health().ok


def test_records_of_other_kinds_come_after_what_waits_too(tmp_path):
    _spooled(tmp_path, order(1, "BUY", 60, 100, "A"), order(2, "BUY", 40, 100, "B"))
    with service_in(tmp_path) as service:
        assert service.append([fill(3, "SELL", 50, 110)]) == Written(1, 0)
        assert {one.strategy: one.quantity for one in service.book.positions()} == {"A": 30, "B": 20}
        assert service.health().ok


def test_fills_without_owners_are_counted_and_get_them_with_the_next_fill(tmp_path):
    with service_in(tmp_path) as service:
        service.log.append([fill(1, "BUY", 60, 100, weights={"A": Decimal(1)}).draft()])
        service.log.append([fill(2, "BUY", 40, 100, weights={"A": Decimal(1), "B": Decimal(1)}).draft()])
        assert service.book.positions("A")
        health = service.health()
        assert (health.ok, health.unallocated) == (False, 2)
        service.record_filled_order(order(3, "SELL", 10, 110), "run-1")
        assert (service.health().ok, service.health().unallocated) == (True, 0)
        assert len(service.get_entries_for_strategy("B")) == 2
        bought = {one.group["strategy_name"]: one.buy_value for one in service.totals(["strategy_name"])}
        assert bought == {"A": 8000, "B": 2000}


def test_what_another_process_wrote_meanwhile_counts_when_the_log_is_back(tmp_path):
    """What is said while the log is down is provisional; what is written is divided as the log has it."""
    service, store = breakable(tmp_path)
    service.record_filled_order(order(1, "BUY", 60, 100, "A"), "run-1")
    store.is_down = True
    said = service.record_filled_order(order(3, "SELL", 50, 110), "run-1")
    assert said is not None
    assert said.strategy_quantities == {"A": 50}
    other, _ = breakable(tmp_path)
    other._safe.spool.folder = tmp_path / "another spool"  # another machine's: it does not replay what waits here
    other.record_filled_order(order(2, "BUY", 40, 100, "B"), "run-1")
    other.close()
    store.is_down = False
    service.record_filled_order(order(4, "BUY", 1, 100, "C"), "run-1")
    assert {one.strategy: one.quantity for one in service.book.positions()} == {"A": 30, "B": 20, "C": 1}
    assert snapshot(service.book) == snapshot(fold(service.log.entries()))
    assert service.health().ok
    service.close()


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["one", "other", "down", "up", "again"]),
            st.sampled_from(["BUY", "SELL"]),
            st.integers(1, 9),
            st.sampled_from([None, "A", "B"]),
        ),
        min_size=1,
        max_size=14,
    )
)
def test_whatever_fails_when_the_book_is_that_of_the_log_and_every_fill_has_owners(steps, tmp_path_factory):
    """Two processes with one spool, a log that comes and goes, restarts: nothing is lost, double or without owners."""
    folder = tmp_path_factory.mktemp("ledger")
    (one, store), (other, _) = breakable(folder), breakable(folder)
    net, count = 0, 0
    for number, (who, side, quantity, owner) in enumerate(steps, 1):
        if who in {"down", "up"}:
            store.is_down = who == "down"
        elif who == "again":
            one.close()
            was_down = store.is_down
            one, store = breakable(folder)
            store.is_down = was_down
        else:
            service = one if who == "one" else other
            told = order(number, side, quantity, 10 + number, owner, filled_at=MORNING + timedelta(seconds=number))
            assert service.record_filled_order(told, "run-1") is not None
            assert service.record_filled_order(told, "run-1") is not None, "delivered again"
            net, count = net + (quantity if side == "BUY" else -quantity), count + 1
    store.is_down = False
    assert one.replay().ok
    assert other.replay().ok
    assert one.total_entries == count
    assert sum(one.quantity for one in one.book.positions()) == net
    whole = snapshot(fold(one.log.entries()))
    assert whole["unallocated"] == whole["notices"] == []
    assert snapshot(one.book) == snapshot(other.book) == whole
    kinds = [entry.kind for entry in one.log.entries()]
    assert kinds == [Kind.FILL, Kind.ALLOC] * count, "an allocation stands beside its fill"
    one.close()
    other.close()


@pytest.mark.parametrize("owner", ["A", None])
def test_an_order_reported_as_a_whole_while_the_log_is_down_adds_what_the_log_has_not(tmp_path, owner):
    """Who starts while the log is down does not know how much of the order is on record."""
    with service_in(tmp_path) as before:
        before.record_filled_order(order(1, "BUY", 30, 100, owner), "run-1")
        before.record_filled_order(order(2, "BUY", 10, 100, owner), "run-1")
    _spooled(tmp_path, order(1, "BUY", 50, "100.2", owner), order(2, "BUY", 10, 100, owner))
    with service_in(tmp_path) as service:
        assert service.replay().ok
        last = service.find(TradeLedgerQuery())[-1]
        told = [(one.fill_id, one.filled_qty, one.fill_price) for one in service.find(TradeLedgerQuery(symbol="AAPL"))]
        assert sorted(told) == [("cum:10", 10, 100), ("cum:30", 30, 100), ("cum:50", 20, Decimal("100.5"))]
        assert last.strategy_quantities
        assert service.total_buy_value == 6010
        assert service.record_filled_order(order(1, "BUY", 50, "100.2", owner), "run-1") is not None
        assert (service.total_entries, service.health().ok) == (3, True)


def test_a_book_that_cannot_be_read_loses_no_fill(tmp_path, monkeypatch):
    service, _ = breakable(tmp_path)
    monkeypatch.setattr(service._writer.teller, "sync", _explode)
    assert service.record_filled_order(order(1, "SELL", 50, 110), "run-1") is not None
    assert service.health().waiting == 1
    monkeypatch.undo()
    assert service.replay().ok
    assert service.total_entries == 1
    service.close()


def _explode(*_):
    raise ZeroDivisionError("a fault in the book")


# --- an append that fails leaves no trace -----------------------------------------------------------------------


def test_records_that_fail_half_way_can_be_appended_again(service):
    def records():
        yield fill(1, "BUY", 10, 100, split={"A": Decimal(10)})
        raise RuntimeError("the network")

    with pytest.raises(RuntimeError):
        service.append(records())
    assert (service.book.positions(), service.log.head().seq) == ([], 0)
    assert service.append([fill(1, "BUY", 10, 100, split={"A": Decimal(10)})]) == Written(1, 0)
    assert service.total_entries == 1


def test_an_event_that_cannot_happen_leaves_book_and_log_as_they_were(service):
    service.append([fill(1, "BUY", 10, 100, split={"A": Decimal(10)})])
    before = snapshot(service.book)
    nobody = Event(
        **{"account_id": "default", "ts": 1, "trade_date": MORNING.date(), "source": "test"},
        event_id="interest",
        action=EventAction.ADJUST,
        amount=Decimal(5),
        split={"A": Decimal(0), "B": Decimal(0)},
    )
    with pytest.raises(InvalidRecordError):
        service.append([fill(2, "BUY", 5, 100, split={"A": Decimal(5)}), nobody])
    assert snapshot(service.book) == before
    with pytest.raises(InvalidRecordError):
        service.book.apply(nobody)
    assert service.book.cash() == -1000
    assert service.append([fill(2, "BUY", 5, 100, split={"A": Decimal(5)})]) == Written(1, 0)
    assert snapshot(service.book) == snapshot(fold(service.log.entries()))


# --- delivered again, by another name or without a time ---------------------------------------------------------


def test_an_order_told_by_its_fills_and_then_as_a_whole_is_one(service):
    service.record_filled_order(order(1, "BUY", 10, 100, "A") | {"fill_id": "F1"}, "run-1")
    assert service.record_filled_order(order(1, "BUY", 10, 100, "A"), "run-1") is None, "nothing new"
    rest = service.record_filled_order(order(1, "BUY", 25, "100.6", "A"), "run-1")
    assert rest is not None
    assert (rest.fill_id, rest.filled_qty, rest.fill_price) == ("cum:25", 15, 101)
    assert service.record_filled_order(order(1, "BUY", 25, "100.6", "A"), "run-1") == rest
    assert service.book.positions("A")[0].quantity == 25
    assert service.health().ok


def test_an_order_told_as_a_whole_and_then_by_its_fills_is_one(service):
    service.record_filled_order(order(1, "BUY", 10, 100, "A"), "run-1")
    assert service.record_filled_order(order(1, "BUY", 10, 100, "A") | {"fill_id": "F1"}, "run-1") is None, "the same"
    more = order(1, "BUY", 10, 101, "A") | {"fill_id": "F2", "cum_qty": 20}
    assert service.record_filled_order(more, "run-1") is not None
    assert service.record_filled_order(more, "run-1") is not None, "again"
    late = order(1, "BUY", 4, 99, "A") | {"fill_id": "F0"}
    assert service.record_filled_order(late | {"cum_qty": 4}, "run-1") is None, "part of the ten"
    assert service.health().ok
    assert service.record_filled_order(late, "run-1") is None, "part of the ten, or not: nobody can say"
    assert "cum_qty" in service.health().unrecorded[0].reason
    assert service.book.positions("A")[0].quantity == 20


@pytest.mark.parametrize("restart", [False, True])
def test_a_fill_without_a_time_is_dated_once_while_the_log_is_down_too(tmp_path, restart):
    ticks = iter(range(10**18, 10**18 + 100 * 10**9, 10**9))
    service, store = breakable(tmp_path, clock=lambda: next(ticks))
    store.is_down = True
    timeless = order(1, "BUY", 60, 100, "A") | {"filled_at": None, "timestamp": None}
    first = service.record_filled_order(timeless, "run-1")
    if restart:
        service.close()
        service, store = breakable(tmp_path, clock=lambda: next(ticks))
        store.is_down = True
    again = service.record_filled_order(timeless, "run-1")
    assert first is not None
    assert again is not None
    assert again.ts == first.ts
    store.is_down = False
    assert service.replay().ok
    assert service.total_entries == 1
    service.close()


def _correction(entry, revision, action, **facts):
    told = {"account_id": "default", "ts": 1, "trade_date": MORNING.date(), "source": "desk", "fill_key": entry.key}
    return Correction(**told, revision=revision, action=CorrectionAction(action), **facts)


def test_a_corrected_fill_that_is_delivered_again_reads_as_it_was_corrected(service):
    ticks = iter(range(10**18, 10**18 + 100 * 10**9, 10**9))
    service._clock = lambda: next(ticks)
    timeless = order(1, "BUY", 60, 100, "A") | {"filled_at": None, "timestamp": None, "fill_id": "F1"}
    entry = service.record_filled_order(timeless, "run-1")
    service.append([_correction(entry, 1, "correct", price=Decimal(90))])
    again = service.record_filled_order(timeless, "run-1")
    assert again is not None
    assert (again.fill_price, again.revision, again.policy) == (90, 1, "tagged")
    assert [again] == service.find(TradeLedgerQuery())
    service.append([_correction(entry, 2, "bust")])
    assert service.record_filled_order(timeless, "run-1") is None, "it is on record, and counts no more"
    assert service.health().ok


def test_a_fill_delivered_again_under_another_policy_keeps_its_owners(tmp_path):
    with service_in(tmp_path) as service:
        service.record_filled_order(order(1, "BUY", 60, 100, "A"), "run-1")
        service.record_filled_order(order(2, "BUY", 40, 100, "B"), "run-1")
        service.record_filled_order(order(3, "SELL", 50, 110), "run-1")
    with service_in(tmp_path, closing="house") as service:
        sold = service.record_filled_order(order(3, "SELL", 50, 110), "run-2")
        assert sold is not None
        assert (sold.policy, sold.strategy_quantities) == ("pro_rata", {"A": 30, "B": 20})
        assert service.health().ok
