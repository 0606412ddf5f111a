"""What happens without a trade: expiry, exercise, assignment, splits, dividends, transfers, cash."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from attribution.ledger.book import Book
from attribution.ledger.errors import ConflictError, InvalidRecordError
from attribution.ledger.fold import fold
from attribution.ledger.records import HOUSE, Event
from tests.ledger.book_tools import (
    ACCOUNT,
    DAY,
    amounts,
    assert_adds_up,
    book_of,
    correction,
    entries,
    event,
    fill,
    held,
    option_event,
    option_fill,
)

D = Decimal
OPTION = "AAPL260320C00100000"
CALL: dict[str, Any] = {"into": "AAPL", "strike": D(100), "right": "CALL"}
PUT: dict[str, Any] = {"into": "AAPL", "strike": D(100), "right": "PUT"}


def gains(book: Book, symbol: str) -> dict[str, Decimal]:
    return {p.strategy: p.realised for p in book.positions(symbol=symbol, flat=True)}


# --- expiry -----------------------------------------------------------------------------------------------------


def test_a_worthless_expiry_costs_longs_the_premium_and_leaves_it_to_shorts() -> None:
    book = book_of(option_fill("a", 3, 2, "A"), option_fill("b", -1, "1.50", "B"), option_event("e", "expire"))
    assert gains(book, OPTION) == amounts(A=-600, B=150)
    assert held(book) == {}
    assert_adds_up(book, {})


def test_a_cash_settled_expiry_closes_at_its_value() -> None:
    book = book_of(option_fill("a", 3, 2, "A"), option_event("e", "expire", price=D("12.34"), fees=D("1.05")))
    assert gains(book, OPTION) == amounts(A=3 * 1034 - D("1.05"))


def test_an_expiry_told_in_parts_closes_pro_rata_and_then_the_rest() -> None:
    opens = [option_fill("a", 6, 2, "A"), option_fill("b", 4, 2, "B")]
    book = book_of(*opens, option_event("e1", "expire", quantity=D(5)))
    assert held(book) == amounts(A=3, B=2)
    book.apply(option_event("e2", "expire", quantity=D(5)))
    assert held(book) == {}


def test_an_expiry_of_the_net_closes_both_sides() -> None:
    opens = [option_fill("a", 6, 2, "A"), option_fill("b", -4, 2, "B")]
    assert held(book_of(*opens, option_event("e", "expire", quantity=D(2)))) == {}


def test_an_expiry_of_more_than_is_known_shows_in_the_house() -> None:
    book = book_of(option_fill("a", 2, 2, "A"), option_event("e", "expire", quantity=D(3)))
    assert held(book) == {HOUSE: D(-1)}
    assert held(book_of(option_event("e", "expire", quantity=D(3), side="BUY"))) == {HOUSE: D(3)}


def test_an_expiry_may_say_whose_it_is() -> None:
    opens = [option_fill("a", 6, 2, "A"), option_fill("b", 4, 2, "B")]
    book = book_of(*opens, option_event("e", "expire", split=amounts(B=4)))
    assert held(book) == amounts(A=6)


# --- exercise and assignment ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "contracts", "terms", "shares"),
    [("exercise", 2, CALL, 200), ("exercise", 2, PUT, -200), ("assign", -2, CALL, -200), ("assign", -2, PUT, 200)],
)
def test_the_right_shares_move_at_the_strike(action: str, contracts: int, terms: dict[str, Any], shares: int) -> None:
    book = book_of(option_fill("a", contracts, 5, "A"), option_event("e", action, **terms))
    (stock,) = book.positions()
    assert (stock.symbol, stock.strategy, stock.quantity, stock.average_price) == ("AAPL", "A", shares, 100)
    assert gains(book, OPTION) == amounts(A=-1000 if contracts > 0 else 1000)
    assert_adds_up(book, amounts(AAPL=112))


def test_the_premium_counts_once() -> None:
    """What goes wrong elsewhere (flox #352, ibkr-report-parser #1191): in the option's P&L and in the stock's basis."""
    book = book_of(option_fill("a", 1, 5, "A"), option_event("e", "exercise", **CALL), fill("s", -100, 112, "A"))
    assert book.realised() == book.cash() == 100 * (112 - 100) - 500
    assert book.realised(symbol=OPTION) == -500
    assert book.realised(symbol="AAPL") == 1200


def test_a_covered_call_gives_its_shares() -> None:
    book = book_of(fill("s", 100, 90, "A"), option_fill("a", -1, 3, "A"), option_event("e", "assign", **CALL))
    assert held(book) == {}
    assert book.realised() == 300 + 1000


def test_the_shares_are_whose_the_contracts_were() -> None:
    opens = [option_fill("a", -6, 2, "A"), option_fill("b", -4, 2, "B")]
    book = book_of(*opens, option_event("e", "assign", quantity=D(5), **PUT))
    assert held(book, OPTION) == amounts(A=-3, B=-2)
    assert held(book, "AAPL") == amounts(A=300, B=200)


def test_the_deliverable_and_its_multiplier() -> None:
    terms = CALL | {"deliverable": D(1), "into": "ES", "into_multiplier": D(50), "multiplier": D(50)}
    opened = option_fill("a", 2, 5, "A", multiplier=D(50))
    book = book_of(opened, option_event("e", "exercise", **terms))
    (future,) = book.positions()
    assert (future.quantity, future.exposure, future.cost) == (2, 100, 10000)


def test_the_book_knows_its_contracts() -> None:
    bare = {"multiplier": None, "asset_type": "STOCK"}  # an importer that tells the symbol and nothing else
    opens = [option_fill("a", -3, 2, "A"), option_fill("b", -2, 2, "B")]
    book = book_of(*opens, option_event("e", "assign", quantity=D(3), **(PUT | bare)))
    assert held(book, OPTION) == amounts(A=-1, B=-1)
    assert held(book, "AAPL") == amounts(A=200, B=100)
    book.apply(option_event("x", "expire", price=D("0.10"), **bare))
    assert book.cash(symbol=OPTION) == 1000 - 20


def test_an_assignment_of_what_is_not_held_is_the_houses() -> None:
    book = book_of(option_event("e", "assign", quantity=D(1), **PUT))
    assert held(book, "AAPL") == {HOUSE: D(100)}
    assert held(book, OPTION) == {HOUSE: D(1)}
    assert book.cash() == -10000


def test_cash_settlement_delivers_nothing() -> None:
    book = book_of(option_fill("a", 1, 5, "A"), option_event("e", "exercise", price=D(12)))
    assert held(book) == {}
    assert book.realised() == 700


def test_correcting_the_option_moves_the_delivered_stock() -> None:
    opens = [option_fill("a", 1, 5, "A"), option_fill("b", 1, 5, "B")]
    book = book_of(*opens, option_event("e", "exercise", **CALL), fill("s", -50, 110, "A"))
    assert held(book, "AAPL") == amounts(A=50, B=100)
    book.apply(correction("b/1", "reassign", split=amounts(A=1)))
    assert held(book, "AAPL") == amounts(A=150)
    book.apply(correction("a/1", "bust"))
    assert held(book, "AAPL") == amounts(A=50)
    assert_adds_up(book, amounts(AAPL=105))


# --- splits -----------------------------------------------------------------------------------------------------


def test_a_split_changes_units_and_no_money() -> None:
    book = book_of(fill("a", 10, 100, "A", fees=D(1)), fill("b", -5, 100, "B"), event("e", "split", new=4, old=1))
    assert held(book) == amounts(A=40, B=-20)
    assert book.cash() == -501
    assert [(lot.quantity, lot.cost, lot.fees) for lot in book.lots("A")] == [(40, 1000, 1)]
    book.apply(fill("c", -40, 26, "A"))
    assert book.realised(strategy="A") == 39
    assert_adds_up(book, amounts(AAPL=26))


def test_a_partly_closed_lot_splits_with_what_is_left_of_its_cost() -> None:
    book = book_of(fill("a", 10, 100, "A"), fill("b", -4, 110, "A"), event("e", "split", new=3, old=2))
    (lot,) = book.lots()
    assert (lot.quantity, lot.cost) == (9, 600)


def test_a_reverse_split_with_cash_in_lieu() -> None:
    opens = [fill("a", 25, 10, "A"), fill("b", 10, 10, "B")]
    paid = event("e", "split", new=1, old=10, quantity=D(3), amount=D("52.00"))
    book = book_of(*opens, paid)
    # 2.5 and 1 become 3 in all: half a share is sold, its cost is realised and the cash is income.
    assert sum(held(book).values()) == 3
    assert book.income() == 52
    assert book.cash() == -350 + 52
    assert_adds_up(book, amounts(AAPL=104))


def test_a_split_that_is_rounded_up_shows_in_the_house() -> None:
    book = book_of(fill("a", 25, 10, "A"), event("e", "split", new=1, old=10, quantity=D(3)))
    assert held(book) == {"A": D("2.5"), HOUSE: D("0.5")}


def test_a_split_without_a_finite_ratio_still_adds_up() -> None:
    book = book_of(fill("a", 100, 10, "A"), event("e", "split", new=1, old=3))
    assert abs(held(book)["A"] - D(100) / 3) < D("1e-17")
    book.apply(fill("b", -33, 31, "A"))
    assert_adds_up(book, amounts(AAPL=29))


def test_what_a_split_leaves_nothing_of_is_realised() -> None:
    dust = "0.000000000000000001"  # one point of the grid; half of it is none
    book = book_of(fill("a", dust, 100, "A", fees=D("0.5")), event("e", "split", new=1, old=2))
    assert held(book) == {}
    assert book.realised() == book.cash() == -D(dust) * 100 - D("0.5")


# --- dividends and cash -----------------------------------------------------------------------------------------


def test_a_dividend_per_share_is_paid_by_shorts() -> None:
    book = book_of(fill("a", 10, 100, "A"), fill("b", -4, 100, "B"), event("e", "dividend", price=D("0.25")))
    assert {p.strategy: p.income for p in book.positions()} == amounts(A="2.5", B=-1)
    assert book.cash() == -600 + D("1.5")
    assert_adds_up(book, amounts(AAPL=99))


def test_a_dividend_in_all_is_shared_to_the_last_decimal() -> None:
    opens = [fill("a", 1, 100, "A"), fill("b", 2, 100, "B")]
    book = book_of(*opens, event("e", "dividend", amount=D("0.10"), fees=D("0.01")))
    assert book.income() == D("0.10")
    assert book.fees() == D("0.01")
    assert_adds_up(book, amounts(AAPL=99))
    mixed = book_of(fill("a", 10, 100, "A"), fill("b", -4, 100, "B"), event("e", "dividend", amount=D(6)))
    assert {p.strategy: p.income for p in mixed.positions()} == amounts(A=10, B=-4)


def test_a_dividend_on_what_nobody_holds_is_the_houses() -> None:
    book = book_of(event("e", "dividend", amount=D(6)))
    assert {p.strategy: p.income for p in book.positions(flat=True)} == {HOUSE: D(6)}


def test_interest_and_account_fees_are_pnl_without_a_symbol() -> None:
    book = book_of(event("i", "adjust", None, amount=D("1.23")), event("f", "adjust", None, amount=D("-10")))
    assert book.income() == book.cash() == D("-8.77")
    tagged = book_of(event("f", "adjust", None, amount=D("-10"), split=amounts(A=6, B=4)))
    assert tagged.income(strategy="A") == -6


@pytest.mark.parametrize("action", ["dividend", "adjust"])
def test_cash_that_is_split_in_amounts_keeps_their_signs(action: str) -> None:
    """What a short pays for a dividend is no income of its strategy."""
    opens = [fill("a", 10, 100, "A"), fill("b", -5, 100, "B")]
    book = book_of(*opens, event("e", action, amount=D(5), split=amounts(A=10, B=-5)))
    assert {p.strategy: p.income for p in book.positions()} == amounts(A=10, B=-5)
    thirds = {"A": D("0.333333333333333333"), "B": D("0.666666666666666667")}
    book.apply(event("f", action, amount=D(1), split=thirds))
    assert book.income(strategy="A") == D("10.333333333333333333")
    assert_adds_up(book, amounts(AAPL=99))


@pytest.mark.parametrize("split", [amounts(A=10, B=20), amounts(A="0.6", B="0.4"), amounts(A=-10, B=20)])
def test_cash_whose_split_does_not_add_up_is_refused(split: dict[str, Any]) -> None:
    book = book_of(fill("a", 10, 100, "A"))
    with pytest.raises(InvalidRecordError, match="amounts by strategy that add up to 100"):
        book.apply(event("e", "adjust", None, amount=D(100), split=split))
    assert book.cash() == -1000


def test_a_split_in_shares_that_is_on_record_is_read_as_it_always_was() -> None:
    shared = event("e", "adjust", None, amount=D(100), split=amounts(A=10, B=30))
    book = fold(entries([shared]))
    assert {p.strategy: p.income for p in book.positions(flat=True)} == amounts(A=25, B=75)
    assert book.apply(shared) is False
    assert book.notices == []


def test_an_event_that_cannot_happen_is_noticed_and_moves_nothing() -> None:
    told = [
        fill("a", 10, 100, "A"),
        event("e", "adjust", None, amount=D(5), split=amounts(A=0, B=0)),
        fill("b", 5, 100, "A"),
    ]
    book = fold(entries(told))
    assert (book.cash(), held(book), len(book.notices)) == (-1500, amounts(A=15), 1)
    assert not [key for key in book.sheets if not key.symbol]


def test_cash_paid_in_is_no_pnl() -> None:
    book = book_of(event("t", "transfer", None, amount=D(10000)))
    assert (book.cash(), book.contributed(), book.income(), book.realised()) == (10000, 10000, 0, 0)


# --- transfers --------------------------------------------------------------------------------------------------


def test_a_transfer_between_strategies_moves_lots_at_cost() -> None:
    opens = [fill("a", 10, 100, "A", ts=1, fees=D(1)), fill("a2", 10, 120, "A", ts=3), fill("b", 5, 110, "B", ts=2)]
    book = book_of(*opens, event("t", "transfer", split=amounts(A=15), to_split=amounts(B=12, C=3)))
    assert held(book) == amounts(A=5, B=17, C=3)
    assert book.realised() == 0
    assert [(lot.key, lot.quantity, lot.cost) for lot in book.lots("B")] == [
        ("/a/1", 10, 1000),
        ("/b/1", 5, 550),
        ("/a2/1", 2, 240),
    ]
    assert book.fees(strategy="B") == 1
    assert_adds_up(book, amounts(AAPL=111))


def test_a_transfer_to_the_other_side_closes_at_cost() -> None:
    opens = [fill("a", 10, 100, "A"), fill("b", -4, 110, "B")]
    book = book_of(*opens, event("t", "transfer", split=amounts(A=6), to_split=amounts(B=6)))
    assert held(book) == amounts(A=4, B=2)
    assert book.realised(strategy="B") == 40
    assert_adds_up(book, amounts(AAPL=111))


def test_nobody_transfers_what_it_does_not_hold() -> None:
    book = book_of(fill("a", 10, 100, "A"))
    with pytest.raises(InvalidRecordError, match="at most what it holds, 10"):
        book.apply(event("t", "transfer", split=amounts(A=11), to_split=amounts(B=11)))
    assert held(book) == amounts(A=10)
    assert book.apply(event("t", "transfer", split=amounts(A=10), to_split=amounts(B=10)))


def test_units_from_another_account_come_with_their_value_and_without_cash() -> None:
    came = event("t", "transfer", quantity=D(10), side="BUY", price=D(90), fees=D(5))
    book = book_of(came)
    assert held(book) == {HOUSE: D(10)}
    assert (book.cash(), book.contributed()) == (-5, 900)
    assert_adds_up(book, amounts(AAPL=100))
    book.apply(event("u", "transfer", quantity=D(4), side="SELL", price=D(95)))
    assert (book.cash(), book.contributed(), book.realised()) == (-5, 900 - 380, 18)
    assert_adds_up(book, amounts(AAPL=100))


# --- told twice, told wrong -------------------------------------------------------------------------------------


def test_an_event_told_twice_counts_once_and_another_is_an_error() -> None:
    book = book_of(fill("a", 10, 100, "A"), event("e", "split", new=2, old=1))
    assert not book.apply(event("e", "split", new=2, old=1))
    with pytest.raises(ConflictError):
        book.apply(event("e", "split", new=3, old=1))
    assert held(book) == amounts(A=20)


@pytest.mark.parametrize(
    ("action", "values", "field"),
    [
        ("expire", {"symbol": None}, "symbol"),
        ("split", {"new": 2}, "old"),
        ("split", {"new": 0, "old": 1}, "new"),
        ("split", {"new": 1.5, "old": 1}, "new"),
        ("exercise", {"into": "AAPL", "right": "CALL"}, "strike"),
        ("exercise", {"into": "AAPL", "strike": D(1), "right": "C"}, "right"),
        ("dividend", {}, "amount"),
        ("dividend", {"amount": D(1), "price": D(1)}, "amount"),
        ("adjust", {}, "amount"),
        ("transfer", {"symbol": None}, "amount"),
        ("transfer", {"quantity": D(1), "price": D(1)}, "side"),
        ("transfer", {"split": amounts(A=1), "to_split": amounts(B=2)}, "split"),
        ("expire", {"price": D(-1)}, "price"),
        ("expire", {"quantity": D(0)}, "quantity"),
        ("expire", {"quantity": 3}, "quantity"),
        ("explode", {}, "action"),
    ],
)
def test_a_malformed_event_names_the_field(action: str, values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        Event(
            **(
                {"account_id": ACCOUNT, "ts": 1, "trade_date": DAY, "source": "t", "event_id": "e"}
                | {"action": action, "symbol": "AAPL"}
                | values
            )
        )
    assert caught.value.field == field
