"""Queries against a slow twin that reads the log entry by entry, and exact totals whatever the dates."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.ledger.database import QueryDatabase
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.log import Log
from attribution.ledger.performance import TradePerformanceService
from attribution.ledger.pyramid import day_of, day_start, periods_between
from attribution.ledger.query import TradeLedgerQuery
from attribution.ledger.records import AssetType, Correction, CorrectionAction
from attribution.ledger.store.sqlite import SqliteStore
from attribution.ledger.view import TradeLedgerEntry
from tests.ledger.ledger_tools import fill, service_in

STRATEGIES, SYMBOLS, ACCOUNTS = ("alpha", "beta", "gamma"), ("AAPL", "MSFT", "SPY"), ("one", "two")
BEGIN = datetime(2024, 11, 28, 18, tzinfo=UTC)


def made_fill(number: int, hours: int, pick: int) -> Any:
    """A fill that depends on its numbers alone."""
    strategies = [name for place, name in enumerate(STRATEGIES) if pick >> place & 1] or [STRATEGIES[0]]
    quantity = Decimal(len(strategies)) * (1 + pick % 7) / 4
    at = BEGIN + timedelta(hours=hours)
    return fill(
        number,
        "BUY" if pick % 3 else "SELL",
        quantity,
        Decimal(pick % 101 + 1) / 8,
        ts=int(at.timestamp()) * 10**9 + pick,
        trade_date=at.date(),
        account_id=ACCOUNTS[pick % 2],
        symbol=SYMBOLS[pick % 3 if pick % 5 else 2],
        asset_type=AssetType.STOCK if pick % 4 else AssetType.ETF,
        fees=Decimal(pick % 9) / 100 if pick % 6 else None,
        split={name: quantity / len(strategies) for name in strategies},
    )


class Twin:
    """The same answers by looking at every fill."""

    def __init__(self, fills: list[TradeLedgerEntry]) -> None:
        self.fills = fills

    def matches(self, query: TradeLedgerQuery) -> list[TradeLedgerEntry]:
        found = []
        for one in self.fills:
            told = {
                "symbol": one.symbol,
                "asset_type": one.asset_type,
                "side": one.direction,
                "account_id": one.account_id,
            }
            if query.strategy_name is not None and query.strategy_name not in one.strategy_quantities:
                continue
            if any(getattr(query, name) not in (None, value) for name, value in told.items()):
                continue
            if self._after(one, query.start_date) and self._before(one, query.end_date):
                found.append(one)
        return found

    def page(self, query: TradeLedgerQuery) -> list[TradeLedgerEntry]:
        keys = {
            "timestamp": lambda one: (one.ts, one.seq),
            "symbol": lambda one: (one.symbol, one.ts, one.seq),
            "strategy_name": lambda one: (", ".join(one.strategy_names), one.ts, one.seq),
        }
        found = sorted(self.matches(query), key=keys[query.order_by], reverse=not query.ascending)
        return found[query.offset :][: query.limit]

    def totals(self, query: TradeLedgerQuery) -> dict[tuple[str, str], tuple[int, Decimal, Decimal, Decimal, int]]:
        sums: dict[tuple[str, str], list[Any]] = defaultdict(lambda: [0, Decimal(0), Decimal(0), Decimal(0), 0])
        for one in self.matches(query):
            for name, quantity in one.strategy_quantities.items():
                if query.strategy_name not in (None, name):
                    continue
                own = sums[name, one.symbol]
                value = quantity * one.fill_price * one.multiplier
                own[0] += 1
                own[1] += value if one.direction == "BUY" else 0
                own[2] += value if one.direction == "SELL" else 0
                own[3] += one.strategy_fees.get(name, Decimal(0)) if one.fees is not None else 0
                own[4] += one.fees is None
        return {key: tuple(values) for key, values in sums.items()}  # type: ignore[misc]

    @staticmethod
    def _after(one: TradeLedgerEntry, start: date | datetime | None) -> bool:
        if start is None:
            return True
        return one.fill_timestamp >= start if isinstance(start, datetime) else one.fill_timestamp.date() >= start

    @staticmethod
    def _before(one: TradeLedgerEntry, end: date | datetime | None) -> bool:
        if end is None:
            return True
        return one.fill_timestamp <= end if isinstance(end, datetime) else one.fill_timestamp.date() <= end


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """Three hundred fills over eighty days, in two accounts."""
    with service_in(tmp_path_factory.mktemp("ledger")) as service:
        service.append([made_fill(number, (number * 37) % 1920, number * 7919 % 997) for number in range(300)])
        yield service


@pytest.fixture(scope="module")
def twin(ledger):
    fills = ledger.find(TradeLedgerQuery())
    assert len(fills) == 300
    return Twin(sorted(fills, key=lambda one: one.seq))


instants = st.one_of(
    st.none(),
    st.integers(-2, 82).map(lambda days: (BEGIN + timedelta(days=days)).date()),
    st.integers(-10, 1950).map(lambda hours: BEGIN + timedelta(hours=hours, minutes=30)),
)
queries = st.builds(
    TradeLedgerQuery,
    strategy_name=st.sampled_from([None, None, *STRATEGIES, "nobody"]),
    symbol=st.sampled_from([None, None, *SYMBOLS]),
    asset_type=st.sampled_from([None, None, "STOCK", "etf"]),
    side=st.sampled_from([None, None, "BUY", "sell"]),
    account_id=st.sampled_from([None, None, *ACCOUNTS]),
    start_date=instants,
    end_date=instants,
    limit=st.sampled_from([None, 1, 7, 50]),
    offset=st.sampled_from([0, 0, 1, 20]),
    order_by=st.sampled_from(["timestamp", "symbol", "strategy_name"]),
    ascending=st.booleans(),
)


@settings(max_examples=120, deadline=None)
@given(query=queries)
def test_pages_are_those_of_the_twin(ledger, twin, query):
    assert ledger.find(query) == twin.page(query)
    assert ledger.database().count(query) == len(twin.matches(query))


@settings(max_examples=80, deadline=None)
@given(query=queries)
def test_totals_are_those_of_the_twin(ledger, twin, query):
    told = {
        (total.group["strategy_name"], total.group["symbol"]): (
            total.count,
            total.buy_value,
            total.sell_value,
            total.fees,
            total.fees_unknown,
        )
        for total in ledger.totals(("strategy_name", "symbol"), query)
    }
    assert told == twin.totals(query)


def test_every_order_is_stable_and_reverses(ledger):
    for order in ("timestamp", "symbol", "strategy_name"):
        up = ledger.find(TradeLedgerQuery(order_by=order))
        assert up[::-1] == ledger.find(TradeLedgerQuery(order_by=order, ascending=False))


def test_a_page_is_a_piece_of_the_whole(ledger):
    whole = ledger.find(TradeLedgerQuery(order_by="symbol"))
    pieces = [ledger.find(TradeLedgerQuery(order_by="symbol", limit=40, offset=start)) for start in range(0, 300, 40)]
    assert [one for piece in pieces for one in piece] == whole


def test_totals_by_any_grouping_add_up_to_the_same(ledger):
    (whole,) = ledger.totals(())
    for by in ("strategy_name", "symbol", "side", "asset_type", "account_id"):
        parts = ledger.totals([by])
        assert len(parts) > 1
        assert sum(part.buy_value for part in parts) == whole.buy_value
        assert sum(part.fees_unknown for part in parts) == whole.fees_unknown


@given(first=st.integers(0, 800 * 24), length=st.integers(0, 800 * 24))
def test_periods_and_pieces_cover_a_range_once(first, length):
    """Whole months, whole days and pieces of days lie side by side, without gap or overlap."""
    start = day_start(date(2023, 1, 30)) + first * 3600 * 10**9
    end = start + length * 3600 * 10**9 + 17
    cover = periods_between(start, end)
    spans = list(cover.pieces)
    for period in cover.periods:
        month = date.fromisoformat(f"{period[:7]}-01")
        begin, after = month, (month + timedelta(days=32)).replace(day=1)
        if "w" in period:
            begin = month.replace(day=1 + 8 * int(period[-1]))
            after = min(begin + timedelta(days=8), after)
        elif len(period) == 10:
            begin, after = date.fromisoformat(period), date.fromisoformat(period) + timedelta(days=1)
        spans.append((day_start(begin), day_start(after) - 1))
    spans.sort()
    assert spans[0][0] == start
    assert spans[-1][1] == end
    assert all(a[1] + 1 == b[0] for a, b in pairwise(spans))
    assert day_of(start) <= day_of(end)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("side", "HOLD"),
        ("order_by", "price"),
        ("limit", 0),
        ("limit", True),
        ("offset", -1),
        ("symbol", " "),
        ("strategy_name", 7),
        ("start_date", "yesterday"),
    ],
)
def test_a_wrong_field_is_named(field, value):
    with pytest.raises(InvalidRecordError) as caught:
        TradeLedgerQuery(**{field: value})
    assert caught.value.field == field


def test_an_unknown_grouping_is_named(ledger):
    with pytest.raises(InvalidRecordError, match="one of strategy_name, symbol"):
        ledger.totals(["colour"])


def test_upstream_refused_symbols_of_more_than_ten_characters(tmp_path):
    with service_in(tmp_path) as service:
        long = "NIFTY_OPT_20250130_CALL_23500"
        service.append([fill(1, "BUY", 75, "101.05", symbol=long, split={"A": Decimal(75)})])
        assert service.find(TradeLedgerQuery(symbol=long))[0].symbol == long


def test_amounts_keep_every_digit(tmp_path):
    with service_in(tmp_path) as service:
        tiny, huge = Decimal("0.000000000000000001"), Decimal("123456789012345.123456789012345678")
        service.append([fill(1, "BUY", tiny, huge), fill(2, "BUY", 3, "0.1")])
        (total,) = service.totals(())
        assert total.buy_value == Decimal("0.300123456789012345123456789012345678")


# --- the database follows the log -----------------------------------------------------------------------------


def test_the_database_is_brought_up_to_date_and_survives(tmp_path):
    with service_in(tmp_path, database=tmp_path / "query.sqlite3") as service:
        service.append([made_fill(1, 1, 1)])
        assert service.database().count(TradeLedgerQuery()) == 1
        service.append([made_fill(2, 2, 2)])
        assert service.database().count(TradeLedgerQuery()) == 2
        log = Log(SqliteStore(tmp_path / "ledger.sqlite3"))
        again = QueryDatabase(tmp_path / "query.sqlite3")
        assert again.sync(log) == log.head().seq
        assert again.count(TradeLedgerQuery()) == 2
        again.close()
        log.close()


def test_a_database_of_another_log_is_built_anew(tmp_path):
    database = QueryDatabase(tmp_path / "query.sqlite3")
    for name, count in (("one", 5), ("two", 3)):
        with service_in(tmp_path / name) as service:
            service.append([made_fill(number, number, number + 1) for number in range(count)])
            database.sync(service.log)
            assert database.count(TradeLedgerQuery()) == count
    database.close()


def test_two_readers_of_one_file_count_nothing_twice(tmp_path):
    with service_in(tmp_path) as service:
        one, two = QueryDatabase(tmp_path / "query.sqlite3"), QueryDatabase(tmp_path / "query.sqlite3")
        for step, reader in product(range(3), (one, two)):
            service.append([made_fill(100 * step + (reader is one), step, step + 1)])
            reader.sync(service.log)
        one.sync(service.log)
        shares = sum(len(found.strategy_quantities) for found in one.find(TradeLedgerQuery()))
        assert one.count(TradeLedgerQuery()) == 6
        assert one.totals(())[0].count == shares
        one.close()
        two.close()


def correction(one: Any, revision: int, action: str, **facts: Any) -> Correction:
    return Correction(
        account_id=one.account_id,
        ts=one.ts + revision,
        trade_date=one.trade_date,
        source="desk",
        fill_key=one.key,
        revision=revision,
        action=CorrectionAction(action),
        **facts,
    )


def test_queries_read_fills_as_their_corrections_leave_them(tmp_path):
    with service_in(tmp_path) as service:
        bought = fill(1, "BUY", 10, 100, fees=Decimal(1), split={"A": Decimal(6), "B": Decimal(4)})
        service.append([bought])
        for told in (
            correction(bought, 1, "correct", price=Decimal(99), quantity=Decimal(20)),
            correction(bought, 2, "reassign", split={"C": Decimal(20)}),
        ):
            service.database()
            service.append([told])
        (entry,) = service.find(TradeLedgerQuery())
        assert (entry.filled_qty, entry.fill_price, entry.revision) == (20, 99, 2)
        assert entry.strategy_quantities == {"C": 20}
        (total,) = service.totals(["strategy_name"])
        assert (total.group, total.buy_value, total.fees) == ({"strategy_name": "C"}, 1980, 1)
        service.append([correction(bought, 3, "bust")])
        assert service.find(TradeLedgerQuery()) == []
        assert service.totals(["strategy_name"]) == []
        service.append([correction(bought, 4, "correct", price=Decimal(98))])
        assert service.total_buy_value == 1960


def test_a_correction_divides_as_the_book_does(tmp_path):
    with service_in(tmp_path) as service:
        bought = fill(1, "BUY", 10, 100, fees=Decimal(1), split={"A": Decimal(7), "B": Decimal(3)})
        service.append([bought, correction(bought, 1, "correct", quantity=Decimal("9.5"), fees=Decimal("0.7"))])
        (entry,) = service.find(TradeLedgerQuery())
        held = {one.strategy: one for one in service.book.positions()}
        assert entry.strategy_quantities == {name: one.quantity for name, one in held.items()}
        assert entry.strategy_fees == {name: one.fees for name, one in held.items()}


def test_a_correction_that_is_told_before_its_fill_waits_for_it(tmp_path):
    one, two, three = (fill(n, "BUY", 10, 100, split={"A": Decimal(10)}) for n in (1, 2, 3))
    with service_in(tmp_path, database=tmp_path / "query.sqlite3") as service:
        service.append([correction(one, 1, "correct", price=Decimal(90)), correction(two, 1, "bust"), one])
        service.database()
        service.append([correction(three, 1, "correct", price=Decimal(80))])
        service.database()
        service.append([two, three])
        assert [(found.fill_price, found.revision) for found in service.find(TradeLedgerQuery())] == [(90, 1), (80, 1)]
        assert service.total_buy_value == -service.book.cash() == 1700
        service.append([correction(two, 2, "correct", price=Decimal(70))])
        assert service.total_buy_value == -service.book.cash() == 2400


def test_what_the_book_does_not_take_breaks_no_answer(tmp_path):
    bought = fill(1, "BUY", 10, 100, split={"A": Decimal(10)})
    bare = fill(2, "BUY", 10, 100, fees=Decimal(1))
    with service_in(tmp_path) as service:
        service.append([bought])
        service.database()
        service.log.append([correction(bought, 1, "reassign", split={"B": Decimal(7)}).draft()])
        (found,) = service.find(TradeLedgerQuery())
        assert (found.strategy_quantities, found.revision) == ({"A": 10}, 0)
        assert len(service.book.notices) == 1
        service.log.append([bare.draft(), correction(bare, 1, "correct", price=Decimal(90)).draft()])
        found = service.find(TradeLedgerQuery())[1]
        assert (found.fill_price, found.strategy_quantities) == (90, {}), "nobody has said whose it is"
        body = {**bare.to_body(), "order_id": "odd", "price": "cheap"}
        service.log.append([replace(bare.draft(), key="/odd/1", body=body)])
        assert len(service.find(TradeLedgerQuery())) == 2
        assert service.book.cash() == -1901


def test_a_fill_of_one_owner_is_found_before_its_allocation_is_written(tmp_path):
    with service_in(tmp_path) as service:
        service.log.append([fill(1, "BUY", 10, 100, weights={"A": Decimal(1)}, fees=Decimal(2)).draft()])
        (total,) = service.totals(["strategy_name"])
        assert (total.group, total.buy_value, total.fees) == ({"strategy_name": "A"}, 1000, 2)
        service.replay()
        assert service.totals(["strategy_name"]) == [total]


facts = st.lists(
    st.tuples(
        st.sampled_from(["fill", "price", "size", "bust", "owner", "misfit"]), st.integers(1, 4), st.integers(1, 9)
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=80, deadline=None)
@given(told=facts, chunk=st.integers(1, 5))
def test_queries_and_the_book_tell_the_same_of_whatever_the_log_holds(told, chunk, tmp_path_factory):
    """Corrections before and after their fills, fit and unfit, read in one go or piece by piece."""
    revisions: dict[int, int] = defaultdict(int)
    with service_in(tmp_path_factory.mktemp("ledger")) as service:
        for place, (what, number, size) in enumerate(told):
            own = fill(number, "BUY", 10 * number, 100, split={"A": Decimal(6 * number), "B": Decimal(4 * number)})
            service.log.append([_drafted(own, what, revisions, number, Decimal(size))])
            if place % chunk == 0:
                service.database()
        found, held = service.find(TradeLedgerQuery()), service.book.positions()
        assert sum(one.net_value for one in found) == service.book.cash()
        owned = [(name, q) for one in found for name, q in one.strategy_quantities.items()]
        sums = {name: sum(q for other, q in owned if other == name) for name, _ in owned}
        assert sums == {one.strategy: one.quantity for one in held}
        assert {t.group["strategy_name"]: t.buy_quantity for t in service.totals(["strategy_name"])} == sums


def _drafted(own: Any, what: str, revisions: dict[int, int], number: int, size: Decimal) -> Any:
    if what == "fill":
        return own.draft()
    revisions[number] += 1
    facts = {
        "price": ("correct", {"price": size}),
        "size": ("correct", {"quantity": size}),
        "bust": ("bust", {}),
        "owner": ("reassign", {"split": {"C": 10 * Decimal(number)}}),
        "misfit": ("reassign", {"split": {"C": Decimal("0.5")}}),
    }
    action, changes = facts[what]
    return correction(own, revisions[number], action, **changes).draft()


# --- currencies -------------------------------------------------------------------------------------------------


@pytest.fixture
def abroad(tmp_path):
    """The same strategy in two currencies."""
    with service_in(tmp_path) as service:
        split = {"A": Decimal(10)}
        service.append([fill(1, "BUY", 10, 100, split=split), fill(2, "BUY", 10, 50, split=split, currency="EUR")])
        service.append([fill(3, "SELL", 5, 120, split={"A": Decimal(5)})])
        yield service


def test_amounts_of_different_currencies_are_never_added(abroad):
    told = [(one.group["strategy_name"], one.currency, one.buy_value) for one in abroad.totals(["strategy_name"])]
    assert told == [("A", "EUR", 500), ("A", "USD", 1000)]
    assert [one.to_dict()["currency"] for one in abroad.totals(())] == ["EUR", "USD"]
    (euros,) = abroad.totals((), TradeLedgerQuery(currency="EUR"))
    assert euros.buy_value == 500
    assert [one.currency for one in abroad.find(TradeLedgerQuery(currency="EUR"))] == ["EUR"]
    assert [one.group for one in abroad.totals(["currency"])] == [{"currency": "EUR"}, {"currency": "USD"}]


def test_one_number_over_several_currencies_is_refused(abroad):
    ledger = abroad.get_ledger()
    for ask in (
        lambda: abroad.total_buy_value,
        lambda: abroad.total_sell_value,
        lambda: ledger.total_buy_value,
        lambda: TradePerformanceService(abroad).get_all_performance(),
    ):
        with pytest.raises(InvalidRecordError, match=r"EUR, USD.*currency="):
            ask()
    assert (ledger.value("BUY", "EUR"), ledger.value("SELL", "EUR"), ledger.value("SELL", "USD")) == (500, 0, 600)
    told = ledger.to_dict()
    assert told["total_buy_value"] is None
    assert told["totals_by_currency"]["EUR"] == {"total_buy_value": "500", "total_sell_value": "0"}
    assert TradePerformanceService(abroad).verify_attribution_consistency()["total_entries"] == 3


def test_performance_in_a_currency_counts_that_currency_alone(abroad):
    row = TradePerformanceService(abroad, currency="EUR").get_all_performance({"AAPL": 60})[0]
    counts = (row.open_quantity, row.total_buy_quantity, row.total_sell_quantity, row.open_lots_count)
    assert (*counts, row.realized_trades, row.unrealized_pnl) == (10, 10, 0, 1, 0, 100)
    assert len(TradePerformanceService(abroad, currency="USD").get_open_positions()) == 1


# --- several processes ------------------------------------------------------------------------------------------


def test_a_page_is_of_one_moment_while_another_process_busts_its_fills(tmp_path):
    """The other's commit falls between the numbers of a page and its fills."""
    with service_in(tmp_path) as service:
        fills = [fill(number, "BUY", 1, 10, split={"A": Decimal(1)}) for number in range(9)]
        service.append(fills)
        reader, writer = (QueryDatabase(tmp_path / "query.sqlite3") for _ in range(2))
        reader.sync(service.log)
        read = reader._read

        def late(numbers):
            service.append([correction(one, 1, "bust") for one in fills[:5]])
            writer.sync(service.log)
            return read(numbers)

        reader._read = late  # type: ignore[method-assign]
        assert len(reader.find(TradeLedgerQuery())) == 9
        reader._read = read  # type: ignore[method-assign]
        assert len(reader.find(TradeLedgerQuery())) == 4
        reader.close()
        writer.close()
