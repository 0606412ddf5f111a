"""Brokers' exports: everything is recorded or listed, cash agrees with the file, and nothing counts twice."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attribution.app.ledger_import import tell_import
from attribution.ledger.canonical import digest
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.importers import (
    ImportFileError,
    Renaming,
    import_statement,
    read_alpaca,
    read_generic,
    read_tastytrade,
)
from attribution.ledger.importers.cells import amount_of
from attribution.ledger.records import Correction, Event, EventAction, Fill
from tests.ledger.ledger_tools import order, service_in
from tests.market_data import market_data

CENT = Decimal("0.01")


@pytest.fixture
def service(tmp_path):
    with service_in(tmp_path / "ledger") as made:
        yield made


# --- tastytrade ---------------------------------------------------------------------------------------------------

OLD = (
    *("Date", "Type", "Action", "Symbol", "Instrument Type", "Description", "Value", "Quantity", "Average Price"),
    *("Commissions", "Fees", "Multiplier", "Root Symbol", "Underlying Symbol", "Expiration Date", "Strike Price"),
    *("Call or Put", "Order #"),
)
NEW = (*OLD[:2], "Sub Type", *OLD[2:], "Currency")
PUT = "XYZ   230120P00050000"


def row(**cells: object) -> dict[str, Any]:
    return {"Date": "2023-01-10T10:00:00-0600", "Type": "Trade", "Commissions": "--", "Fees": "0.00"} | cells


def trade(action: str, value: str, quantity: int = 1, **cells: object) -> dict[str, Any]:
    usual = {"Symbol": PUT, "Instrument Type": "Equity Option", "Multiplier": 100, "Order #": "77"}
    return row(Action=action, Value=value, Quantity=quantity, **{**usual, "Underlying Symbol": "XYZ", **cells})


def removal(what: str, **cells: object) -> dict[str, Any]:
    value = str(cells.pop("Value", "0.00"))
    return trade("", value, **{"Type": "Receive Deliver", "Description": f"Removal of option due to {what}"} | cells)


def lines(rows: list[dict[str, Any]], header: tuple[str, ...] = OLD) -> list[str]:
    import io

    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().splitlines(keepends=True)


def own_cash(path) -> Decimal:
    """The export's own cash, by hand: value, and costs whichever sign they are written with."""
    total = Decimal(0)
    with path.open(encoding="utf-8-sig", newline="") as file:
        for one in csv.DictReader(file):
            costs = (one["Commissions"].replace("--", "0"), one["Fees"].replace("--", "0"))
            total += Decimal(one["Value"].replace(",", "")) - sum(
                (abs(Decimal(cost or 0)) for cost in costs), Decimal(0)
            )
    return total


@pytest.mark.parametrize("name", ["tastytrade_2021.csv", "tastytrade_spx_0dte_202301.csv"])
def test_a_real_export_reconciles_to_its_own_cash_to_the_cent(service, name):
    path = market_data("data", "trade_logs", name)
    report = import_statement(service, read_tastytrade(path, "tasty"))
    assert report.unmatched == []
    assert report.recorded >= report.rows - 12, "an assignment and a change of symbol are two rows each"
    assert report.cash_of_file == own_cash(path)
    assert service.book.cash(account_id="tasty") == own_cash(path)
    assert service.book.notices == []


@pytest.mark.parametrize("name", ["tastytrade_2021.csv", "tastytrade_spx_0dte_202301.csv"])
def test_a_real_export_twice_is_nothing_new(service, name):
    statement = read_tastytrade(market_data("data", "trade_logs", name), "tasty", strategy="wheel")
    first, again = import_statement(service, statement), import_statement(service, statement)
    assert (again.recorded, again.known, again.unmatched) == (0, first.recorded, [])
    renamed = sum(isinstance(item, Renaming) for _, item in statement.items)
    fills = sum(isinstance(item, Fill) for _, item in statement.items)
    assert service.log.head().seq == len(statement.items) + renamed + fills, (
        "a fill is two entries, and so is a renaming"
    )


def test_every_real_option_that_went_leaves_no_lot_behind(service):
    path = market_data("data", "trade_logs", "tastytrade_spx_0dte_202301.csv")
    import_statement(service, read_tastytrade(path, "tasty"))
    left = {one.symbol: one.quantity for one in service.book.positions()}
    assert left == {"SPXW230113C04065000": 1, "SPXW230113P03800000": 1}, "the export ends before the last expiry"


def test_a_real_change_of_symbol_keeps_the_position(service):
    statement = read_tastytrade(market_data("data", "trade_logs", "tastytrade_2021.csv"), "tasty", strategy="spacs")
    import_statement(service, statement)
    book = service.book
    assert [one.symbol for one in book.positions("spacs", "VGAC")] == []
    assert book.positions(symbol="ME") == [], "renamed, then delivered against the call that was renamed with it"
    assert [one.strategy for one in book.positions(symbol="ME", flat=True)] == ["spacs"]


def test_two_fills_that_agree_in_every_cell_are_two(service):
    twins = [trade("SELL_TO_OPEN", "205.00", Fees="-0.77")] * 2
    report = import_statement(service, read_tastytrade(lines(twins)))
    assert (report.recorded, report.known) == (2, 0)
    assert service.book.positions()[0].quantity == -2
    overlapping = [trade("SELL_TO_OPEN", "205.00", Fees="-0.77", Date="2023-01-09T10:00:00-0600"), *twins]
    assert import_statement(service, read_tastytrade(lines(overlapping))).recorded == 1


def test_the_price_is_told_by_the_value_and_not_by_a_rounded_average(service):
    bought = trade("BUY_TO_OPEN", "-57", **{"Average Price": "56.99999999999999"})
    (item,) = [item for _, item in read_tastytrade(lines([bought])).items]
    assert isinstance(item, Fill)
    assert item.price == Decimal("0.57")


def test_a_price_without_a_finite_decimal_still_moves_the_exact_cash(service):
    share = {"Symbol": "XYZ", "Instrument Type": "Equity", "Multiplier": ""}
    report = import_statement(service, read_tastytrade(lines([trade("BUY_TO_OPEN", "-1000.00", 3, **share)])))
    assert report.reconciles
    assert service.book.cash() == -1000


@pytest.mark.parametrize(("commission", "fee"), [("-1.00", "-0.14"), ("-1.00", "0.14"), ("1.00", "0.14")])
def test_costs_are_costs_whichever_sign_they_are_written_with(service, commission, fee):
    sold = trade("SELL_TO_OPEN", "205.00", Commissions=commission, Fees=fee)
    import_statement(service, read_tastytrade(lines([sold])))
    assert service.book.cash() == Decimal("203.86")


def test_upstream_counted_the_premium_twice_when_an_option_was_assigned(service):
    """Sold at 2, assigned at 50, the share sold at 49: the put made 200 and the share lost 100; neither counts both."""
    rows = [
        trade("SELL_TO_OPEN", "200.00"),
        removal("assignment", Date="2023-01-20T16:00:00-0600"),
        trade(
            "BUY_TO_OPEN",
            "-5000.00",
            100,
            **{
                "Date": "2023-01-20T16:00:00-0600",
                "Type": "Receive Deliver",
                "Symbol": "XYZ",
                "Instrument Type": "Equity",
            },
        ),
        trade(
            "SELL_TO_CLOSE",
            "4900.00",
            100,
            **{"Date": "2023-01-23T10:00:00-0600", "Symbol": "XYZ", "Instrument Type": "Equity", "Order #": "78"},
        ),
    ]
    for number, one in enumerate(rows):
        one["Multiplier"] = 100 if number < 2 else ""
    for order_of_file in (rows, rows[::-1]):
        statement = read_tastytrade(lines(order_of_file), strategy="wheel")
        report = import_statement(service, statement)
        assert report.unmatched == []
        assert report.reconciles
    book = service.book
    assert book.realised(strategy="wheel", symbol="XYZ230120P00050000") == 200
    assert book.realised(strategy="wheel", symbol="XYZ") == -100
    assert book.cash() == 100
    assert book.positions() == []


def test_an_expiry_closes_at_zero_and_inherits_the_strategy(service):
    rows = [trade("BUY_TO_OPEN", "-120.00"), removal("expiration.", Date="2023-01-20T16:00:00-0600")]
    import_statement(service, read_tastytrade(lines(rows), strategy="lottery"))
    assert service.book.realised(strategy="lottery") == -120
    assert service.book.positions() == []


def test_a_settlement_in_cash_closes_at_what_was_paid(service):
    rows = [
        trade("SELL_TO_OPEN", "120.00"),
        removal("assignment", Value="-700.00", Date="2023-01-20T16:00:00-0600"),
    ]
    report = import_statement(service, read_tastytrade(lines(rows), strategy="condors"))
    assert report.unmatched == []
    assert service.book.realised(strategy="condors") == -580
    assert service.book.cash() == -580


def test_interest_dividends_and_deposits_are_no_trades(service):
    rows = [
        row(Type="Money Movement", Description="Wire Funds Received", Value="1,000.00", Quantity=0),
        row(Type="Money Movement", Description="INTEREST ON CREDIT BALANCE", Value="0.12", Quantity=0),
        row(Type="Money Movement", Description="DIVIDEND PAID", Symbol="XYZ", Value="20", Quantity=0),
        row(Type="Money Movement", Description="DIVIDEND PAID", Symbol="XYZ", Value="-3", Quantity=0),
    ]
    report = import_statement(service, read_tastytrade(lines(rows)))
    assert (report.recorded, report.unmatched) == (4, [])
    assert service.book.cash() == Decimal("1017.12")
    assert service.book.contributed() == 1000
    assert service.book.income() == Decimal("17.12")


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (removal("assignment"), "delivery of the shares"),
        (trade("BUY_TO_OPEN", "-5000", 100, Type="Receive Deliver", Symbol="XYZ"), "removal of an option"),
        (trade("TRANSFER", "0"), "Action"),
        (trade("BUY_TO_OPEN", "-1", 0), "Quantity"),
        (trade("BUY_TO_OPEN", "one"), "Value"),
        (trade("BUY_TO_OPEN", "12"), "never negative"),
        (row(Type="Splits", Value="0"), "not known"),
        (row(Type="Money Movement", Description="Something new", Value="5"), "meaning is not known"),
        (trade("BUY_TO_OPEN", "-1", Date="yesterday"), "Date"),
    ],
)
def test_what_cannot_be_recorded_is_listed_with_its_line(service, bad, told):
    good = trade("BUY_TO_OPEN", "-57")
    report = import_statement(service, read_tastytrade(lines([good, bad])))
    assert report.recorded == 1
    (listed,) = report.unmatched
    assert listed.line == 3
    assert told in str(listed)


def test_an_expiry_of_what_the_ledger_never_saw_opened_is_noted(service):
    report = import_statement(service, read_tastytrade(lines([removal("expiration")])))
    assert report.recorded == 1
    assert "of which the ledger holds 0" in report.notes[0]


@pytest.mark.parametrize(
    ("content", "told"), [("", "empty"), ("a,b\n1,2\n", "no column 'Date'"), ('"open', "not a CSV row")]
)
def test_what_is_no_export_is_refused_whole(tmp_path, content, told):
    path = tmp_path / "export.csv"
    path.write_text(content)
    with pytest.raises(ImportFileError, match=told):
        read_tastytrade(path)
    with pytest.raises(ImportFileError, match="cannot be read"):
        read_tastytrade(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("first_file", [[0, 1], [1, 0]])
@pytest.mark.parametrize("second_file", [[0, 1, 2], [1, 0, 2], [2, 0, 1], [2, 1, 0]])
def test_exports_that_overlap_record_nothing_twice_whichever_way_round_they_are(service, first_file, second_file):
    """One order filled 1 and 2 within a second: a file of that second alone does not say which end is the newest."""
    earlier = trade("SELL_TO_CLOSE", "50.00", Date="2023-01-05T10:00:00-0600", **{"Order #": "5"})
    rows = [trade("BUY_TO_OPEN", "-100.00", 1), trade("BUY_TO_OPEN", "-220.00", 2), earlier]
    import_statement(service, read_tastytrade(lines([rows[n] for n in first_file]), "default"))
    report = import_statement(service, read_tastytrade(lines([rows[n] for n in second_file]), "default"))
    assert (report.recorded, report.known, report.unmatched) == (1, 2, [])
    assert report.reconciles
    assert service.book.positions()[0].quantity == 2
    assert service.book.cash() == -270


def test_what_an_earlier_version_counted_in_the_order_of_the_rows_is_known(service):
    """It named the larger fill cum:2 and the smaller one cum:3, because the file did."""
    rows = [trade("BUY_TO_OPEN", "-100.00", 1), trade("BUY_TO_OPEN", "-220.00", 2)]
    statement = read_tastytrade(lines(rows), "default")
    (small, large) = (item for _, item in statement.items)
    stem = small.fill_id.rpartition(":")[0]
    service.append([replace(large, fill_id=f"{stem}:2"), replace(small, fill_id=f"{stem}:3")])
    report = import_statement(service, statement)
    assert (report.recorded, report.known, report.unmatched) == (0, 2, [])


def test_every_row_counts_in_its_own_currency(service):
    rows = [
        trade("BUY_TO_OPEN", "-100.00", Currency="EUR"),
        removal("expiration", Date="2023-01-20T16:00:00-0600", Currency="EUR"),
        row(Type="Money Movement", Description="Wire Funds Received", Value="70", Quantity=0, Currency="EUR"),
        row(Type="Money Movement", Description="INTEREST ON CREDIT BALANCE", Value="5", Quantity=0, Currency="USD"),
    ]
    report = import_statement(service, read_tastytrade(lines(rows, NEW), "default", strategy="A"))
    assert (report.recorded, report.unmatched, report.notes) == (4, [], [])
    assert report.cash == {"EUR": (-30, -30), "USD": (5, 5)}
    assert service.book.positions() == []
    assert service.book.cash(currency="EUR") == -30
    with pytest.raises(InvalidRecordError, match=r"EUR.*USD"):
        _ = report.cash_of_file


def test_the_command_line_tells_every_currency_and_what_it_cannot_compare(service, capsys, tmp_path):
    rows = [
        row(Type="Money Movement", Description="Wire", Value=value, Quantity=0, Currency=currency)
        for value, currency in (("70", "EUR"), ("5", "USD"), ("five", "USD"))
    ]
    tell_import(tmp_path / "export.csv", import_statement(service, read_tastytrade(lines(rows, NEW), "default")))
    told = capsys.readouterr().out
    assert "cash EUR: 70.00 by the file, 70.00 by the ledger: reconciles" in told
    assert "cash USD: 5.00 by the file, 5.00 by the ledger: reconciles" in told
    assert "cash: 1 listed rows do not tell what they moved" in told


def test_a_change_of_symbol_that_was_broken_off_halfway_keeps_the_owners(service):
    old = {"Symbol": "OLD", "Instrument Type": "Equity", "Multiplier": 1}
    new = old | {"Symbol": "NEW"}
    rows = [
        trade("BUY_TO_OPEN", "-100.00", Date="2023-01-05T10:00:00-0600", **old),
        trade("SELL_TO_CLOSE", "100.00", Type="Receive Deliver", Description="Symbol change", **old),
        trade("BUY_TO_OPEN", "-100.00", Type="Receive Deliver", Description="Symbol change", **new),
    ]
    statement = read_tastytrade(lines(rows), "default", strategy="A")
    (_, bought), (_, renaming) = statement.items
    assert isinstance(renaming, Renaming)
    service.append([bought, replace(renaming.leaves, split={"A": Decimal(1)})])
    report = import_statement(service, statement)
    assert (report.recorded, report.unmatched) == (1, [])
    assert [(one.strategy, one.symbol, one.quantity) for one in service.book.positions()] == [("A", "NEW", 1)]


def test_the_callers_own_decimal_context_is_none_of_ours(service):
    share = {"Symbol": "XYZ", "Instrument Type": "Equity", "Multiplier": ""}
    with localcontext(prec=3):
        report = import_statement(service, read_tastytrade(lines([trade("BUY_TO_OPEN", "-1234567.89", 7, **share)])))
    assert (report.unmatched, report.reconciles) == ([], True)
    assert service.book.cash() == Decimal("-1234567.89")


# --- alpaca -------------------------------------------------------------------------------------------------------


def activity(kind: str, **facts: object) -> dict[str, Any]:
    return {"id": f"{kind}-{sorted(facts.items())}", "activity_type": kind, "date": "2025-01-31", **facts}


def test_the_documented_payload():
    statement = read_alpaca(market_data("payloads", "alpaca", "v2_account_activities_FILL.json"))
    (item,) = [item for _, item in statement.items]
    assert isinstance(item, Fill)
    assert (item.account_id, item.symbol, item.side) == ("6e8cb861-e8b9-4278-8ed2-c8452535a165", "GOOGL", "BUY")
    assert (item.quantity, item.price, item.fill_id) == (9, Decimal("2630.95"), "cum:10.177047834")
    assert item.ts == 1646405598500245000
    assert item.trade_date.isoformat() == "2022-03-04"
    assert item.fees is None, "not known, which is not zero"


def test_upstream_a_fill_recorded_while_trading_was_imported_a_second_time(service):
    """The order's cumulative quantity is the id on both ways into the ledger."""
    live = service_of_alpaca(service)
    live.record_filled_order(order(1, "BUY", 9, "2630.95", "A") | {"symbol": "GOOGL", "cum_qty": 9}, "run-1")
    filled = activity(
        "FILL",
        transaction_time="2025-01-06T15:01:00Z",
        price="2630.95",
        qty="9",
        cum_qty="9",
        side="buy",
        symbol="GOOGL",
        order_id="order-1",
    )
    report = import_statement(live, read_alpaca([filled], "default", strategy="A"))
    assert live.total_entries == 1
    assert (report.recorded, report.known, report.unmatched) == (0, 1, [])
    filled["price"] = "2631"
    assert len(import_statement(live, read_alpaca([filled], "default", strategy="A")).unmatched) == 1, "a contradiction"


def slices_of(*parts: tuple[int, str], side: str = "buy", order_id: str = "order-1") -> list[dict[str, Any]]:
    """Activities of one order, its fills one after the other."""
    made, total = [], 0
    for number, (quantity, price) in enumerate(parts):
        total += quantity
        facts = {"qty": str(quantity), "cum_qty": str(total), "price": price, "side": side, "symbol": "AAPL"}
        when = f"2025-01-06T15:01:{number:02d}Z"
        made.append(activity("FILL", transaction_time=when, order_id=order_id, **facts))
    return made


@pytest.mark.parametrize(
    ("parts", "price"),
    [
        ([(50, "100")], "100"),
        ([(20, "100"), (30, "100")], "100"),
        ([(20, "99"), (30, "101")], "100.2"),
        ([(20, "100"), (15, "100"), (15, "100")], "100"),
    ],
)
def test_an_order_recorded_as_a_whole_is_known_by_its_activities(service, parts, price):
    live = service_of_alpaca(service)
    live.record_filled_order(order(1, "BUY", 50, price, "A"))
    before = live.book.cash()
    report = import_statement(live, read_alpaca(slices_of(*parts), "default", strategy="A"))
    assert (report.recorded, report.known, report.unmatched) == (0, len(parts), [])
    assert report.cash_of_file == -50 * Decimal(price)
    assert report.cash_of_ledger == before
    assert live.book.positions()[0].quantity == 50
    again = import_statement(live, read_alpaca(slices_of(*parts), "default", strategy="A"))
    assert (again.recorded, again.known) == (0, len(parts))


@pytest.mark.parametrize("cum", [{}, {"fill_id": "cum:50"}])
def test_an_order_recorded_without_a_venue_is_known_by_its_id(service, cum):
    service.record_filled_order(order(1, "BUY", 50, "100", "A") | {"fees": "0"} | cum)
    for activities in (slices_of((50, "100")), slices_of((20, "100"), (30, "100"))):
        report = import_statement(service, read_alpaca(activities, "default"))
        assert (report.recorded, report.unmatched, report.reconciles) == (0, [], True)
    dearer = import_statement(service, read_alpaca(slices_of((50, "101")), "default"))
    assert "another price" in str(dearer.unmatched[0])
    assert service.book.positions()[0].quantity == 50


def test_a_cost_whose_sign_another_export_shows_is_told(service):
    """A column with plusses alone holds costs; beside a minus the same plus is a credit: the difference shows."""
    credit = trade("BUY_TO_OPEN", "-100.00", Commissions="0.25")
    cost = trade("BUY_TO_OPEN", "-100.00", Commissions="-1.00", Date="2023-01-05T10:00:00-0600", **{"Order #": "5"})
    import_statement(service, read_tastytrade(lines([credit]), "default"))
    report = import_statement(service, read_tastytrade(lines([credit, cost]), "default"))
    assert (report.recorded, report.known, report.reconciles) == (1, 1, False)
    assert report.notes == ["line 2: -99.75 by the file, -100.25 by the ledger"]


def test_activities_within_a_recorded_order_are_known_and_those_beyond_it_are_new(service):
    live = service_of_alpaca(service)
    live.record_filled_order(order(1, "BUY", 50, "100", "A"))
    before = live.book.cash()
    one = import_statement(live, read_alpaca(slices_of((20, "100")), "default"))
    assert (one.recorded, one.known, one.unmatched) == (0, 1, [])
    assert "50 are on record, 20 in this file" in one.notes[0]
    more = import_statement(live, read_alpaca(slices_of((20, "100"), (30, "100"), (10, "101")), "default"))
    assert (more.recorded, more.known, more.unmatched) == (1, 2, [])
    assert live.book.cash() == before - 1010
    assert sum(one.quantity for one in live.book.positions()) == 60


@pytest.mark.parametrize(
    ("activities", "told"),
    [
        (slices_of((20, "100"), (30, "103")), "another price"),
        (slices_of((20, "100"), (31, "100")), "has 30 of the 31, in other slices"),
        (slices_of((20, "100"), (30, "100"), side="sell"), "is BUY AAPL"),
        (slices_of((20, "103")), "another price"),
    ],
)
def test_activities_that_contradict_a_recorded_order_are_listed_and_nothing_is_doubled(service, activities, told):
    live = service_of_alpaca(service)
    live.record_filled_order(order(1, "BUY", 50, "100", "A"))
    cash = live.book.cash()
    report = import_statement(live, read_alpaca(activities, "default"))
    assert report.recorded == 0
    assert told in str(report.unmatched[0])
    assert live.book.cash() == cash
    assert not report.reconciles


@pytest.mark.parametrize(
    ("told", "parts", "cash"),
    [
        ({"action": "correct", "price": Decimal(101)}, [(20, "101"), (30, "101")], -5050),
        ({"action": "correct", "quantity": Decimal(45)}, [(20, "100"), (25, "100")], -4500),
        ({"action": "bust"}, [(20, "100"), (30, "100")], 0),
    ],
)
def test_a_corrected_order_is_compared_as_it_was_corrected(service, told, parts, cash):
    live = service_of_alpaca(service)
    live.record_filled_order(order(1, "BUY", 50, "100", "A") | {"fees": "0"})
    (fill,) = live.get_ledger().entries
    envelope = {"account_id": "default", "ts": fill.ts, "trade_date": fill.trade_date, "source": "desk"}
    live.append([Correction(**envelope, fill_key=fill.key, revision=1, **told)])
    report = import_statement(live, read_alpaca(slices_of(*parts), "default"))
    assert (report.recorded, report.known, report.unmatched) == (0, 2, [])
    assert report.cash_of_ledger == live.book.cash() == cash
    assert report.reconciles == (cash != 0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.integers(1, 9), min_size=1, max_size=6), recorded=st.sets(st.integers(0, 5)), again=st.booleans()
)
def test_an_order_counts_once_however_it_was_sliced_on_its_two_ways_in(tmp_path_factory, parts, recorded, again):
    """Reported while trading after some of its fills, imported by all of them: the order's own quantity, once."""
    with service_in(tmp_path_factory.mktemp("ledger")) as made:
        live = service_of_alpaca(made)
        for number in sorted(recorded & set(range(len(parts)))):
            live.record_filled_order(order(1, "BUY", sum(parts[: number + 1]), "100", "A"))
        activities = slices_of(*((quantity, "100") for quantity in parts))
        for _ in range(1 + again):
            report = import_statement(live, read_alpaca(activities, "default", strategy="A"))
            assert report.unmatched == []
        assert [one.quantity for one in live.book.positions()] == [sum(parts)]


def test_a_page_that_is_repeated_is_one(service):
    pages = slices_of((20, "100"), (30, "100")) * 2
    report = import_statement(service, read_alpaca(pages, "default"))
    assert (report.recorded, report.known) == (2, 2)
    assert report.cash_of_ledger == service.book.cash() == -5000
    assert not report.reconciles, "the file tells of more than happened"


def test_the_cash_compared_is_that_of_the_book(service):
    """Recorded without fees while trading: the fill is known, and the 9.99 that the ledger lacks are told."""
    live = service_of_alpaca(service)
    live.record_filled_order(order(1, "BUY", 50, "100", "A") | {"fees": None, "fill_id": "F"})
    text = (
        "timestamp,symbol,side,quantity,price,order_id,fill_id,fees,venue\n"
        "2025-01-06T15:01:00Z,AAPL,BUY,50,100,order-1,F,9.99,alpaca\n"
    )
    report = import_statement(live, read_generic(text.splitlines(keepends=True), "default"))
    assert (report.recorded, report.known) == (0, 1)
    assert (report.cash_of_file, report.cash_of_ledger) == (Decimal("-5009.99"), -5000)
    assert not report.reconciles
    assert report.notes == ["line 2: -5009.99 by the file, -5000 by the ledger"]


def service_of_alpaca(service):
    from attribution.ledger.service import TradeLedgerService

    return TradeLedgerService(service.log, settings=service._settings, account_id="default", venue="alpaca")


def test_expiries_assignments_dividends_fees_and_deposits(service):
    option = "XYZ250117P00050000"
    fills = {"price": "2.00", "side": "sell_short", "symbol": option, "order_id": "o1", "cum_qty": "3", "qty": "3"}
    activities = [
        activity("OPTRD", symbol="XYZ", qty="200", price="50", date="2025-01-17"),
        activity("OPASN", symbol=option, qty="2", date="2025-01-17"),
        activity("OPEXP", symbol=option, qty="1", date="2025-01-17"),
        activity("FILL", transaction_time="2025-01-06T15:00:00Z", **fills),
        activity("CSD", net_amount="20000", date="2025-01-02"),
        activity("DIV", net_amount="12.50", symbol="XYZ"),
        activity("FEE", net_amount="-0.31", description="TAF fee"),
        activity("SPLIT", symbol="XYZ", qty="10"),
    ]
    report = import_statement(service, read_alpaca(activities, "default", strategy="wheel"))
    assert [one.line for one in report.unmatched] == [8], "a split is left to a person, and listed"
    book = service.book
    assert {one.symbol: one.quantity for one in book.positions()} == {"XYZ": 200}
    assert book.realised(symbol=option) == 600
    assert book.cash() == Decimal(20000 + 600 - 10000) + Decimal("12.19")
    assert book.income(strategy="wheel") == Decimal("12.50")


def test_an_activity_that_names_no_account_or_price_is_listed(service, tmp_path):
    path = tmp_path / "activities.json"
    path.write_text(json.dumps([activity("FILL", qty="1", side="buy", symbol="A", order_id="o", date="2025-01-06")]))
    report = import_statement(service, read_alpaca(path))
    assert "price" in str(report.unmatched[0])
    path.write_text("{}")
    with pytest.raises(ImportFileError, match="not a list"):
        read_alpaca(path)


# --- generic ------------------------------------------------------------------------------------------------------

TRADES = """When,Ticker,Dir,Qty,Px,Owner,Cost
2025-01-06 09:30,AAPL,buy,60,100,A,1.00
2025-01-06 09:31,AAPL,buy,40,100,B,0.50
2025-01-06 10:00,AAPL,sell,50,110,,
"""
MAP = {
    "timestamp": "When",
    "symbol": "Ticker",
    "side": "Dir",
    "quantity": "Qty",
    "price": "Px",
    "strategy": "Owner",
    "fees": "Cost",
}


def test_any_file_by_a_map_of_its_columns(service):
    statement = read_generic(TRADES.splitlines(keepends=True), "mine", MAP, zone="America/New_York")
    report = import_statement(service, statement)
    assert (report.recorded, report.reconciles) == (3, True)
    book = service.book
    assert {one.strategy: (one.quantity, one.realised) for one in book.positions()} == {
        "A": (30, Decimal("299.5")),
        "B": (20, Decimal("199.75")),
    }
    first = service.get_ledger().entries or service.database().find(_all())
    assert first[0].fill_timestamp.isoformat() == "2025-01-06T14:30:00+00:00"
    assert first[-1].fees is None, "an empty cell is not known"


def _all():
    from attribution.ledger.query import TradeLedgerQuery

    return TradeLedgerQuery()


def test_equal_rows_are_two_fills_and_the_file_again_is_none(service):
    text = "timestamp,symbol,quantity,price\n" + "2025-01-06T15:00:00Z,AAPL,-5,10\n" * 2
    statement = read_generic(text.splitlines(keepends=True), "mine")
    assert import_statement(service, statement).recorded == 2
    assert import_statement(service, statement).known == 2
    assert service.book.positions()[0].quantity == -10


def test_events_that_a_side_names(service):
    text = (
        "timestamp,symbol,side,quantity,price,amount\n"
        "2023-01-10T15:00:00Z,XYZ230120P00050000,buy,1,1.20,\n"
        "2023-01-20T21:00:00Z,XYZ230120P00050000,expire,1,0,\n"
        "2023-01-21T15:00:00Z,,interest,,,0.50\n"
        "2023-01-22T15:00:00Z,,deposit,,,100\n"
    )
    statement = read_generic(text.splitlines(keepends=True), "mine")
    assert [item.action for _, item in statement.items if isinstance(item, Event)] == [
        EventAction.EXPIRE,
        EventAction.ADJUST,
        EventAction.TRANSFER,
    ]
    assert import_statement(service, statement).reconciles
    assert service.book.cash() == Decimal("-19.5")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("2025-01-06,AAPL,hold,1,2", "side"),
        ("2025-01-06,AAPL,buy,many,2", "quantity"),
        ("2025-01-06,,buy,1,2", "symbol"),
        ("2025-01-06,AAPL,buy,1,-2", "price"),
        ("noon,AAPL,buy,1,2", "timestamp"),
        ("2025-01-06,AAPL,buy,1", "4 cells"),
    ],
)
def test_rows_that_cannot_be_read_are_listed(service, line, told):
    text = f"timestamp,symbol,side,quantity,price\n{line}\n2025-01-06,AAPL,buy,1,2\n"
    report = import_statement(service, read_generic(text.splitlines(keepends=True), "mine"))
    assert report.recorded == 1
    assert told in str(report.unmatched[0])


def import_text(service, text: str, **options: Any):
    return import_statement(service, read_generic(text.splitlines(keepends=True), "mine", **options))


@pytest.mark.parametrize(
    ("cell", "decimal", "value"),
    [
        ("1,234,567.89", ".", "1234567.89"),
        ("12,34,567", ".", "1234567"),
        ("$1,234.50", ".", "1234.50"),
        ("(5.00)", ".", "-5.00"),
        ("-$5", ".", "-5"),
        ("1E-05", ".", "0.00001"),
        ("187,50", ",", "187.50"),
        ("1.234,56", ",", "1234.56"),
    ],
)
def test_numbers_as_exports_write_them(cell, decimal, value):
    assert amount_of("price", cell, decimal) == Decimal(value)


@pytest.mark.parametrize(
    ("cell", "decimal"),
    [
        (cell, ".")
        for cell in ("187,50", "1,2", "1.234,56", "1234,567", "0,123", "1,,234", "1_000", "1 234", "5-", "--5")
    ]
    + [("1.2", ","), ("1,234.5", ",")],
)
def test_a_number_that_could_be_another_one_is_never_guessed(cell, decimal):
    with pytest.raises(InvalidRecordError, match="a number such as"):
        amount_of("price", cell, decimal)


@given(
    value=st.decimals(-(10**9), 10**9, places=2),
    form=st.sampled_from(["{:f}", "{:,f}"]),
    comma=st.booleans(),
    precision=st.integers(1, 40),
)
def test_a_number_is_read_as_it_was_written(value, form, comma, precision):
    """Plain or in thousands, with either decimal point, and whatever precision the caller computes with."""
    text = form.format(value)
    if comma:
        text = text.translate(str.maketrans(",.", ".,"))
    with localcontext(prec=precision):
        assert str(amount_of("price", text, "," if comma else ".")) == str(value)


def test_decimal_commas_are_listed_and_read_where_they_are_told_of(service):
    text = 'timestamp,symbol,side,quantity,price\n2025-01-06T15:00:00,SAP,BUY,10,"187,50"\n'
    report = import_text(service, text)
    assert report.recorded == 0
    assert "187,50" in str(report.unmatched[0])
    assert not report.reconciles, "what the row moved is not known"
    european = "timestamp;symbol;side;quantity;price\n2025-01-06T15:00:00;SAP;BUY;1.000;187,50\n"
    assert import_text(service, european, decimal=",", delimiter=";").cash_of_ledger == -187500
    with pytest.raises(ImportFileError, match="decimals after"):
        import_text(service, text, decimal="'")


def test_two_columns_of_one_name_are_refused(service):
    with pytest.raises(ImportFileError, match="two columns are called 'price'"):
        import_text(service, "timestamp,symbol,quantity,price,price\n2025-01-06,AAPL,1,1,999\n")


CELLS = {
    "timestamp": "2025-01-06T15:00:00Z",
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": "10",
    "price": "100",
    "notes": "",
}


@pytest.mark.parametrize("own", [{}, {"order_id": "X1"}, {"fill_id": "F1"}, {"order_id": "X1", "fill_id": "F1"}])
@pytest.mark.parametrize(
    "change",
    [
        {"notes": "settled"},
        {"quantity": "10.0", "price": "1.00E+2"},
        {"timestamp": "2025-01-06T10:00:00-05:00"},
        {"side": "buy", "bid": ""},
        {"Ignored": "anything"},
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_the_same_row_written_otherwise_is_the_same(service, own, change, reverse):
    first = CELLS | own
    second = first | change
    for cells in (first, dict(reversed(second.items())) if reverse else second):
        report = import_text(service, ",".join(cells) + "\n" + ",".join(cells.values()) + "\n")
        assert report.unmatched == []
    assert report.known == 1
    assert service.book.positions()[0].quantity == 10


def test_an_event_written_with_other_notes_is_the_same(service):
    text = "timestamp,symbol,side,quantity,price,amount,fill_id,notes\n2025-01-06,,interest,,,5,I1,{}\n"
    import_text(service, text.format(""))
    assert import_text(service, text.format("January")).known == 1
    assert len(import_text(service, text.replace(",5,", ",6,").format("")).unmatched) == 1
    assert service.book.income() == 5


@pytest.mark.parametrize("own", [{}, {"order_id": "X1"}, {"fill_id": "F1"}])
def test_a_row_that_an_earlier_version_recorded_is_known(service, own):
    """It named rows by a digest of all their cells, in the order of the columns."""
    cells = CELLS | own
    former = digest("\x1f".join(cells.values()))[:16] + ":1"
    text = ",".join(cells) + "\n" + ",".join(cells.values()) + "\n"
    (item,) = [item for _, item in read_generic(text.splitlines(keepends=True), "mine").items]
    service.append(
        [
            replace(item, order_id=own.get("order_id", former), fill_id=own.get("fill_id", former)),
        ]
    )
    report = import_text(service, text)
    assert (report.recorded, report.known, report.reconciles) == (0, 1, True)


def test_events_keep_currency_fees_and_strategy(service):
    text = (
        "timestamp,symbol,side,quantity,price,currency,fees,strategy,amount\n"
        "2025-01-06T15:00:00,SAP,BUY,10,100,EUR,1,A,\n"
        "2025-01-06T15:00:00,SAP,BUY,10,100,EUR,1,B,\n"
        "2025-01-07T15:00:00,SAP,DIVIDEND,,,EUR,0.5,A,7\n"
        "2025-01-08T15:00:00,SAP,EXPIRE,10,0,EUR,2.5,B,\n"
        "2025-01-08T15:00:00,,DEPOSIT,,,EUR,,,1000\n"
        "2025-01-08T15:00:00,,FEE,,,EUR,,A,-3\n"
    )
    report = import_text(service, text)
    assert (report.recorded, report.unmatched, report.notes) == (6, [], [])
    assert report.cash == {"EUR": (-1001, -1001)}
    book = service.book
    assert book.currencies == ["EUR"]
    assert [(one.strategy, one.quantity) for one in book.positions()] == [("A", 10)]
    assert book.income(strategy="A") == 4
    assert book.realised(strategy="B") == Decimal("-1003.5")
    assert book.contributed() == 1000


@pytest.mark.parametrize("extra", ["1,", ",A"])
def test_what_a_deposit_cannot_keep_is_listed_and_still_counted(service, extra):
    text = f"timestamp,symbol,side,quantity,price,amount,fees,strategy\n2025-01-08,,DEPOSIT,,,1000,{extra}\n"
    report = import_text(service, text)
    assert "the account's" in str(report.unmatched[0])
    assert (report.cash_of_file, report.cash_of_ledger, report.reconciles) == (1000, 0, False)


@pytest.mark.parametrize(
    ("word", "amounts", "booked", "listed"),
    [
        ("FEE", ["5.00"], -5, 0),
        ("FEE", ["-5.00"], -5, 0),
        ("FEE", ["-5.00", "2.00"], -5, 1),
        ("WITHDRAWAL", ["500"], -500, 0),
        ("WITHDRAWAL", ["-500", "20"], -520, 0),
        ("DEPOSIT", ["500"], 500, 0),
        ("DEPOSIT", ["-500"], 0, 1),
        ("INTEREST", ["-3", "4"], 1, 0),
        ("ADJUSTMENT", ["-3"], -3, 0),
    ],
)
def test_words_say_which_way_the_cash_went(service, word, amounts, booked, listed):
    rows = [f"2025-01-0{number},,{word},,,{amount}\n" for number, amount in enumerate(amounts, 1)]
    report = import_text(service, "timestamp,symbol,side,quantity,price,amount\n" + "".join(rows))
    assert service.book.cash() == booked
    assert len(report.unmatched) == listed


def test_a_buy_of_a_negative_quantity_is_refused_and_a_sale_of_one_is_a_sale(service):
    text = "timestamp,symbol,side,quantity,price\n2025-01-06,X,{},-5,10\n"
    assert "not negative" in str(import_text(service, text.format("BUY")).unmatched[0])
    assert import_text(service, text.format("SELL")).recorded == 1
    assert service.book.positions()[0].quantity == -5


@pytest.mark.parametrize(("side", "cash"), [("buy", 5000), ("sell", -5000)])
@pytest.mark.parametrize("amount", ["", "{}"])
def test_an_expiry_at_the_settlement_closes_what_is_open(service, side, cash, amount):
    option = "SPXW250110C05900000"
    text = (
        "timestamp,symbol,side,quantity,price,amount\n"
        f"2025-01-06T15:00:00Z,{option},{side},2,10,\n"
        f"2025-01-10T21:00:00Z,{option},EXPIRE,2,25,{amount.format(cash)}\n"
    )
    for known in (0, 2):
        report = import_text(service, text)
        assert (report.unmatched, report.known) == ([], known)
        assert report.reconciles
    assert service.book.positions() == []
    assert service.book.realised() == cash * 3 / 5
    wrong = text.replace(",EXPIRE,2,25,", ",EXPIRE,2,25,7")
    if amount == "":
        assert "are worth" in str(import_text(service, wrong).unmatched[0])


def test_maps_and_zones_that_do_not_exist_are_refused():
    with pytest.raises(ImportFileError, match="no field 'colour'"):
        read_generic(["timestamp\n"], "mine", {"colour": "Red"})
    with pytest.raises(ImportFileError, match="no time zone"):
        read_generic(["timestamp,symbol,quantity,price\n"], "mine", zone="Mars/Olympus")
