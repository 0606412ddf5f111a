"""The exact book: lots, shorts, flips, multipliers, fees, corrections, crosses, and facts told twice."""

from __future__ import annotations

import decimal
from dataclasses import replace
from decimal import Decimal

import pytest

from attribution.ledger.book import TAGGED, Book
from attribution.ledger.errors import ConflictError, InvalidRecordError
from attribution.ledger.records import HOUSE
from tests.ledger.book_tools import (
    amounts,
    assert_adds_up,
    book_of,
    correction,
    cross,
    entries,
    event,
    fill,
    held,
    option_fill,
)

D = Decimal

# --- lots -------------------------------------------------------------------------------------------------------


def test_first_in_first_out_within_a_strategy() -> None:
    book = book_of(fill("a", 10, 100, "A"), fill("b", 10, 120, "A"), fill("c", -15, 130, "A"), keep_matches=True)
    assert book.realised() == 10 * 30 + 5 * 10
    (lot,) = book.lots()
    assert (lot.quantity, lot.cost, lot.key) == (5, 600, "/b/1")
    assert [(c.opened_key, c.quantity, c.cost, c.proceeds, c.gain) for c in book.closed()] == [
        ("/a/1", 10, 1000, 1300, 300),
        ("/b/1", 5, 600, 650, 50),
    ]


def test_a_fill_that_is_told_late_opens_the_last_lot() -> None:
    book = book_of(fill("b", 10, 120, "A", ts=5), fill("a", 10, 100, "A", ts=1), fill("c", -10, 130, "A", ts=9))
    assert book.realised() == 100
    assert [lot.key for lot in book.lots()] == ["/a/1"]


def test_strategies_do_not_see_each_others_lots() -> None:
    book = book_of(fill("a", 10, 100, "A"), fill("b", 10, 120, "B"), fill("c", -10, 130, "B"))
    assert book.realised(strategy="A") == 0
    assert book.realised(strategy="B") == 100


def test_a_short_earns_when_the_price_falls() -> None:
    book = book_of(fill("a", -10, 100, "A"), fill("b", 4, 90, "A"))
    assert book.realised() == 40
    assert book.unrealised(amounts(AAPL=95)) == 30
    (position,) = book.positions()
    assert (position.quantity, position.cost, position.average_price) == (-6, -600, 100)


def test_a_flip_closes_and_opens_in_one_fill() -> None:
    book = book_of(fill("a", 10, 100, "A"), fill("b", -25, 110, "A", fees=D("2.50")), keep_matches=True)
    assert held(book) == amounts(A=-15)
    assert book.realised() == 100 - 1  # 10 of 25 units carry 1.00 of the fee
    (lot,) = book.lots()
    assert (lot.quantity, lot.fees) == (-15, D("1.5"))
    assert_adds_up(book, amounts(AAPL=108))


def test_the_multiplier_counts_once_per_contract() -> None:
    book = book_of(option_fill("a", 2, "1.25", "A", fees=D("1.30")))
    assert book.cash() == D("-251.30")
    assert book.unrealised({"AAPL260320C00100000": D("1.75")}) == 100 - D("1.30")
    (position,) = book.positions()
    assert (position.quantity, position.exposure, position.average_price) == (2, 200, D("1.25"))


def test_fees_follow_their_units() -> None:
    book = book_of(fill("a", 3, 100, "A", fees=D("1.00")), fill("b", -1, 100, "A", fees=D("0.10")))
    # A third of a dollar has no finite decimal: the ninth decimal rounds, and the sum does not.
    assert book.realised() == -D("0.333333333") - D("0.10")
    assert [lot.fees for lot in book.lots()] == [D("0.666666667")]
    book.apply(fill("c", -2, 100, "A"))
    assert book.realised() == D("-1.10")
    assert book.fees() == D("1.10")


def test_a_rebate_is_a_negative_fee() -> None:
    book = book_of(fill("a", 10, 100, "A", fees=D("-0.20")), fill("b", -10, 100, "A", fees=D("0.05")))
    assert book.realised() == D("0.15")


def test_unknown_fees_are_counted_and_never_taken_for_zero() -> None:
    book = book_of(fill("a", 10, 100, "A", fees=None), fill("b", 10, 100, "B"))
    assert book.unknown_fees() == book.unknown_fees(strategy="A") == 1
    assert book.unknown_fees(strategy="B") == 0
    assert book.allocate(fill("c", 1, 1, "A", fees=None)).fees is None
    book.apply(correction("a/1", "correct", fees=D("0.30")))
    assert book.unknown_fees() == 0
    assert book.cash() == D("-2000.30")


def test_a_price_of_zero_is_a_price() -> None:
    """What goes wrong elsewhere: a price must be above 0, and worthless expiries are lost."""
    book = book_of(option_fill("a", 1, 2, "A"), option_fill("b", -1, 0, "A"))
    assert book.realised() == -200


def test_no_unit_cost_is_ever_divided() -> None:
    """What goes wrong elsewhere: after a split 100 for 3 is kept as 33.33 each, and a cent is gone at the end."""
    book = book_of(fill("a", 1, 100, "A"), event("e", "split", new=3, old=1))
    for i in range(3):
        book.apply(fill(f"s{i}", -1, "33.34", "A"))
        assert_adds_up(book, amounts(AAPL=30))
    assert book.realised() == D("0.02")


def test_missing_marks_are_said_and_not_guessed() -> None:
    book = book_of(fill("a", 1, 100, "A"), fill("b", 1, 50, "A", symbol="MSFT"))
    assert book.unrealised(amounts(AAPL=110)) is None
    assert book.missing_marks(amounts(AAPL=110)) == ["MSFT"]
    assert book.unrealised(amounts(AAPL=110), symbol="AAPL") == 10


def test_the_average_price_is_a_rounded_view() -> None:
    (position,) = book_of(fill("a", 1, 1, "A"), fill("b", 2, 2, "A")).positions()
    assert position.average_price == D("1.666666666667")
    assert position.cost == 5


def test_currencies_are_never_added() -> None:
    book = book_of(fill("a", 1, 100, "A"), fill("b", 1, 50, "A", symbol="SAP", currency="EUR"))
    with pytest.raises(InvalidRecordError, match="one of EUR, USD"):
        book.cash()
    assert book.cash(currency="EUR") == -50


def test_the_threads_context_changes_nothing() -> None:
    with decimal.localcontext(decimal.Context(prec=3)):
        book = book_of(fill("a", "1.000000001", "1234.56789", "A", fees=D("0.123456789")), fill("b", "-1", "2000", "A"))
        gain = book.realised()
        assert_adds_up(book, amounts(AAPL="1999.99"))
    assert gain == book.realised()
    # 1 of 1.000000001 units at 1234.56789 each costs 1234.56789; its part of the fee is rounded at the ninth decimal.
    assert gain == D("765.43211") - D("0.123456789")


# --- told twice -------------------------------------------------------------------------------------------------


def test_a_fill_told_twice_counts_once() -> None:
    book = Book()
    assert book.apply(fill("a", 10, 100, "A"))
    assert not book.apply(fill("a", 10, 100, "A"))
    assert held(book) == amounts(A=10)


def test_an_untagged_fill_told_twice_counts_once() -> None:
    book = book_of(fill("a", 60, 100, "A"), fill("b", 40, 100, "B"), fill("c", -50, 110))
    assert not book.apply(fill("c", -50, 110))
    assert held(book) == amounts(A=30, B=20)
    assert book.allocate(fill("c", -50, 110)).parts == amounts(A=30, B=20)  # as it was, not as it would be now


@pytest.mark.parametrize(
    "other",
    [
        {"price": D(101)},
        {"quantity": D(11), "split": amounts(A=11)},
        {"fees": D(1)},
        {"side": "SELL"},
        {"symbol": "MSFT"},
        {"ts": 2},
        {"split": amounts(B=10)},
        {"split": None},
        {"plan_id": "p"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_the_same_key_with_another_fact_is_an_error_and_the_first_stands(other: dict[str, object]) -> None:
    book = book_of(fill("a", 10, 100, "A"))
    with pytest.raises(ConflictError):
        book.apply(replace(fill("a", 10, 100, "A"), **other))  # type: ignore[arg-type]
    assert held(book) == amounts(A=10)


def test_the_same_order_and_fill_id_at_another_venue_or_account_is_another_fill() -> None:
    one = fill("a", 10, 100, "A")
    book = book_of(one, replace(one, venue="XNAS"), replace(one, account_id="other"))
    assert [p.quantity for p in book.positions()] == [20, 10]
    assert book.cash(account_id="other") == -1000


# --- allocations ------------------------------------------------------------------------------------------------


def test_an_allocation_says_whose_and_by_which_policy() -> None:
    book = book_of(fill("a", 60, 100, "A"), fill("b", 40, 100, "B"))
    said = book.allocate(fill("c", -50, 110, fees=D("0.05")))
    assert (said.policy, said.parts, said.fees) == ("pro_rata", amounts(A=30, B=20), amounts(A="0.03", B="0.02"))
    assert said.key == fill("c", -50).key
    assert held(book) == amounts(A=60, B=40)  # nothing changed
    assert book.allocate(fill("d", 1, 1, "A")).policy == TAGGED


def test_history_does_not_change_when_the_policy_does() -> None:
    records = [fill("a", 60, 100, "A"), fill("b", 40, 100, "B"), fill("c", -50, 110)]
    writer, log = Book("pro_rata"), []
    for record in records:
        allocation = writer.allocate(record)
        writer.apply(record, allocation)
        log += [record, allocation]
    reader = Book("house")
    for entry in entries(log):
        reader.apply_entry(entry)
    assert held(reader) == held(writer) == amounts(A=30, B=20)


def test_an_allocation_that_is_not_the_fills_is_refused() -> None:
    book, one = Book(), fill("a", 60, 100)
    said = book.allocate(one)
    for wrong in (
        replace(said, fill_key="other"),
        replace(said, parts=amounts(A=59)),
        replace(said, fees=amounts(A=1)),
    ):
        with pytest.raises(InvalidRecordError):
            book.apply(one, wrong)
    with pytest.raises(InvalidRecordError, match="in its split"):
        book.apply(fill("b", 60, 100, "A"), replace(book.allocate(fill("b", 60, 100, "A")), parts=amounts(B=60)))
    assert book.positions(flat=True) == []


# --- crosses ----------------------------------------------------------------------------------------------------


def test_a_cross_moves_between_strategies_and_leaves_the_account_alone() -> None:
    """K3: A wants +60, B −20; one order for 40, and 20 from B to A at the mid."""
    order = fill("o", 40, "100.10", "A", fees=D("0.40"))
    before, book = book_of(order), book_of(cross("p1", 100, amounts(A=20), amounts(B=20)), order)
    assert held(book) == amounts(A=60, B=-20)
    assert book.cash() == before.cash()
    assert book.fees() == D("0.40")
    marks = amounts(AAPL=103)
    assert book.unrealised(marks) == before.unrealised(marks)
    assert book.unrealised(marks, strategy="B") == -60
    assert_adds_up(book, marks)


def test_a_cross_told_twice_counts_once() -> None:
    book = book_of(cross("p1", 100, amounts(A=20), amounts(B=20)))
    assert not book.apply(cross("p1", 100, amounts(A=20), amounts(B=20)))
    with pytest.raises(ConflictError):
        book.apply(cross("p1", 101, amounts(A=20), amounts(B=20)))


# --- corrections ------------------------------------------------------------------------------------------------


def test_a_bust_is_as_if_the_fill_had_never_been() -> None:
    book = book_of(fill("a", 10, 100, "A"), fill("b", 10, 120, "A"), fill("c", -10, 130, "A"))
    assert book.realised() == 300
    book.apply(correction("a/1", "bust"))
    assert book.realised() == 100
    assert held(book) == {}
    assert_adds_up(book, {})


def test_a_corrected_price_flows_into_what_closed_the_lot() -> None:
    book = book_of(fill("a", 10, 100, "A"), fill("b", -10, 130, "A"))
    book.apply(correction("a/1", "correct", price=D(101)))
    assert book.realised() == 290
    assert book.cash() == 290


def test_a_correction_equals_a_book_that_was_told_right() -> None:
    told = [fill("a", 60, 100, "A"), fill("b", 40, 99, "B", fees=D("0.1")), fill("c", -50, 110), fill("d", 5, 90, "B")]
    right = [told[0], fill("b", 44, 98, "B", fees=D("0.2")), told[2], told[3]]
    fixed = book_of(*told, correction("b/1", "correct", quantity=D(44), price=D(98), fees=D("0.2")))
    fresh = Book()
    for record, original in zip(right, told, strict=True):
        fresh.apply(record, book_of(*told).allocate(original) if record is original else None)
    assert fixed.positions() == fresh.positions()
    assert fixed.cash() == fresh.cash()


def test_reassigning_the_house() -> None:
    book = book_of(fill("a", 10, 100), fill("b", -4, 110, "A"))
    assert held(book) == {HOUSE: D(10), "A": D(-4)}
    book.apply(correction("a/1", "reassign", split=amounts(A=7, B=3)))
    assert held(book) == amounts(A=3, B=3)
    assert book.realised() == 40
    assert_adds_up(book, amounts(AAPL=105))


def test_an_untagged_close_never_flips_a_strategy_not_even_after_a_bust() -> None:
    book = book_of(fill("a", 60, 100, "A"), fill("b", 40, 100, "B"), fill("c", -50, 110, fees=D("0.50")))
    book.apply(correction("a/1", "bust"))
    # A no longer holds the 30 that were closed for it: they are the house's, and B's 20 stay as recorded.
    assert held(book) == {"B": D(20), HOUSE: D(-30)}
    assert book.fees(strategy=HOUSE) == D("0.30")
    assert_adds_up(book, amounts(AAPL=105))


def test_revisions_count_in_their_order_whenever_they_come() -> None:
    start = [fill("a", 10, 100, "A")]
    first = correction("a/1", "correct", 1, price=D(101))
    second = correction("a/1", "correct", 2, price=D(102))
    third = correction("a/1", "reassign", 3, split=amounts(B=10))
    for order in ((first, second, third), (third, first, second), (second, third, first)):
        book = book_of(*start, *order)
        assert held(book) == amounts(B=10)
        assert book.cash() == -1020


def test_a_busted_fill_can_be_brought_back() -> None:
    book = book_of(fill("a", 10, 100, "A"), correction("a/1", "bust"))
    assert held(book) == {}
    book.apply(correction("a/1", "correct", 2, price=D(99)))
    assert book.cash() == -990


def test_a_correction_may_turn_the_side() -> None:
    book = book_of(fill("a", 10, 100, "A"), correction("a/1", "correct", side="SELL"))
    assert held(book) == amounts(A=-10)


def test_a_changed_quantity_is_divided_like_the_old_one() -> None:
    one = option_fill("a", 9, 1, amounts(A=6, B=3))
    assert held(book_of(one, correction("a/1", "correct", quantity=D(3)))) == amounts(A=2, B=1)


def test_a_correction_that_comes_first_waits() -> None:
    book = book_of(correction("a/1", "bust"))
    assert [c.fill_key for c in book.waiting()] == ["/a/1"]
    book.apply(fill("a", 10, 100, "A"))
    assert book.waiting() == []
    assert held(book) == {}


def test_a_waiting_correction_that_does_not_fit_is_listed_and_the_fill_stands() -> None:
    book = book_of(correction("a/1", "reassign", split=amounts(B=11)), fill("a", 10, 100, "A"))
    assert held(book) == amounts(A=10)
    assert [(n.kind, n.key) for n in book.notices] == [("correct", "/a/1")]


def test_a_correction_that_does_not_fit_changes_nothing() -> None:
    book = book_of(fill("a", 10, 100, "A"))
    with pytest.raises(InvalidRecordError, match="add up to 10"):
        book.apply(correction("a/1", "reassign", split=amounts(B=11)))
    assert held(book) == amounts(A=10)
    book.apply(correction("a/1", "reassign", split=amounts(B=10)))  # the revision is still free
    assert held(book) == amounts(B=10)


def test_a_correction_told_twice_counts_once_and_another_is_an_error() -> None:
    book = book_of(fill("a", 10, 100, "A"), correction("a/1", "bust"))
    assert not book.apply(correction("a/1", "bust"))
    with pytest.raises(ConflictError):
        book.apply(correction("a/1", "correct", price=D(5)))


def test_a_redelivered_fill_does_not_undo_its_bust() -> None:
    book = book_of(fill("a", 10, 100, "A"), correction("a/1", "bust"))
    assert not book.apply(fill("a", 10, 100, "A"))
    assert held(book) == {}
