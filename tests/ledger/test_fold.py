"""The log, folded: replay, snapshot and tail, allocations that come late or never, entries that cannot be used."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.ledger.book import Book
from attribution.ledger.canonical import canonical_json
from attribution.ledger.coverage import coverage, plan_pnl
from attribution.ledger.errors import NewerSchemaError
from attribution.ledger.fold import fold, restore, snapshot
from attribution.ledger.records import Mark, Plan, Record
from tests.ledger.book_tools import (
    ACCOUNT,
    DAY,
    LAW,
    amounts,
    book_of,
    correction,
    cross,
    entries,
    event,
    fill,
    held,
    option_event,
    option_fill,
)

D = Decimal


def story() -> list[Record]:
    """A bit of everything."""
    plan = Plan(
        account_id=ACCOUNT, ts=1, trade_date=DAY, source="t", plan_id="p1",
        contributions={"A": amounts(AAPL="0.3"), "B": amounts(AAPL="-0.1")}, targets=amounts(AAPL="0.2"),
    )  # fmt: skip
    told: list[Record] = [
        plan,
        cross("p1", 100, amounts(A=10), amounts(B=10)),
        fill("o1/1", 20, 100, None, weights=amounts(A=2, C=1), fees=D("0.35"), plan_id="p1", plan_item="1"),
        fill("o1/2", 10, 101, None, weights=amounts(A=2, C=1), fees=None, plan_id="p1", plan_item="1"),
        fill("x/1", -7, 105, fees=D("0.07")),
        fill("x/2", -6, 106, fees=D("0.06")),
        option_fill("opt", -4, "2.15", amounts(A=3, C=1), fees=D("2.60")),
        Mark(account_id=ACCOUNT, ts=5, trade_date=DAY, source="t", symbol="AAPL", price=D(104)),
        correction("o1/2", "correct", price=D("100.50")),
        option_event("as", "assign", quantity=D(2), into="AAPL", strike=D(100), right="PUT"),
        event("sp", "split", new=2, old=1),
        fill("x/3", -9, 53, fees=D("0.05")),
        option_event("ex", "expire"),
        event("div", "dividend", amount=D("1.01")),
        correction("x/1", "bust"),
        fill("y/1", 500, 51),
        correction("late/1", "bust"),
    ]
    return told


def with_allocations(told: list[Record], closing: str = "pro_rata") -> list[Record]:
    """The log as a service writes it: every fill with its allocation."""
    book, log = Book(closing), []
    for record in told:
        log.append(record)
        if record.kind == "fill":
            log.append(book.allocate(record))  # type: ignore[arg-type]
        book.apply(record)
    return log


def text(book: Book) -> str:
    return canonical_json(snapshot(book))


def report(book: Book) -> list[Any]:
    return [book.positions(flat=True), book.lots(), book.cash(), book.fees(), book.contributed(), book.unallocated()]


@pytest.mark.parametrize("closing", ["pro_rata", "fifo", "house"])
def test_a_replay_is_a_snapshot_and_the_tail(closing: str) -> None:
    """R2, at every place of the log, and through JSON."""
    log = entries(with_allocations(story(), closing))
    whole = fold(log, closing)
    assert report(whole) == report(book_of(*story(), closing=closing))
    for cut in range(len(log) + 1):
        state = json.loads(canonical_json(snapshot(fold(log[:cut], closing))))
        resumed = restore(state)
        for entry in log[cut:]:
            resumed.apply_entry(entry)
        assert text(resumed) == text(whole), cut
        assert report(resumed) == report(whole)


def test_a_log_without_allocations_is_divided_by_todays_policy_and_says_so() -> None:
    told = story()
    book = fold(entries(told))
    assert report(book)[:-1] == report(book_of(*told))[:-1]
    assert len(book.unallocated()) == sum(record.kind == "fill" for record in told)
    assert fold(entries(with_allocations(told))).unallocated() == []


@LAW
@given(st.permutations(range(6)))
def test_allocations_may_come_in_any_order_after_their_fills(order: list[int]) -> None:
    fills = [record for record in story() if record.kind == "fill"][:6]
    pairs = with_allocations(list(fills), "fifo")
    allocations = pairs[1::2]
    late = entries([*fills, *(allocations[i] for i in order)])
    assert report(fold(late)) == report(fold(entries(pairs)))


def test_an_allocation_after_a_reading_replaces_the_books_own_answer() -> None:
    fills = [fill("a", 60, 100, "A"), fill("b", 40, 100, "B"), fill("c/1", -20, 110), fill("c/2", -30, 110)]
    log = with_allocations(list(fills), "house")
    straight = fold(entries(log))
    book = Book("pro_rata")
    for entry in entries([*fills, *log[1::2]]):
        book.apply_entry(entry)
        book.positions()  # a reading between every two entries
    assert held(book) == held(straight) == {"A": D(60), "B": D(40), "unattributed": D(-50)}
    assert book.unallocated() == []
    assert snapshot(book)["orders"][0][-1]["given"] == snapshot(straight)["orders"][0][-1]["given"]


def test_an_entry_folded_in_before_changes_nothing() -> None:
    log = entries(with_allocations(story()))
    book = fold(log)
    before = text(book)
    for entry in log:
        book.apply_entry(entry)
    assert text(book) == before
    assert book.head == (len(log), log[-1].digest)


def test_what_cannot_be_used_is_listed_and_moves_nothing() -> None:
    good = entries([fill("a", 10, 100, "A")])
    bad = [
        replace(entry, seq=seq, **changed)
        for seq, (entry, changed) in enumerate(
            [
                (good[0], {"key": "/b/1", "body": {"order_id": "b"}}),
                (good[0], {"key": "/c/1", "schema_version": 99}),
                (good[0], {"key": "/d/1", "body": {**good[0].body, "order_id": "d", "price": "ten"}}),
                (entries([correction("a/1", "reassign", split=amounts(B=11))])[0], {}),
                (entries([Book().allocate(fill("nowhere", 1, 1))])[0], {}),
            ],
            start=2,
        )
    ]
    book = fold([*good, *bad])
    assert held(book) == amounts(A=10)
    assert [notice.seq for notice in book.notices] == [2, 3, 4, 5, 6]
    assert all(notice.text for notice in book.notices)


def test_a_fill_with_an_allocation_that_does_not_fit_stands_without_it() -> None:
    one = fill("a/1", 10, 100)
    wrong = replace(Book().allocate(one), parts=amounts(A=9))
    book = fold(entries([fill("b/1", 4, 100, "B"), one, wrong]))
    assert held(book) == {"B": D(4), "unattributed": D(10)}
    assert book.unallocated() == [(ACCOUNT, "/a/1"), (ACCOUNT, "/b/1")]
    assert [(notice.kind, notice.key) for notice in book.notices] == [("alloc", "/a/1")]


def test_a_quarantined_entry_moves_nothing() -> None:
    (entry,) = entries([fill("a", 10, 100, "A")])
    quarantined = replace(entry, kind=type(entry.kind)("quarantine"), body={"why": "conflict"})
    book = fold([quarantined])
    assert (book.positions(), book.notices, book.head.seq) == ([], [], 1)


def test_a_later_snapshot_is_refused() -> None:
    with pytest.raises(NewerSchemaError):
        restore(snapshot(Book()) | {"version": 2})


def test_a_snapshot_keeps_its_policy() -> None:
    state = snapshot(book_of(fill("a", 60, 100, "A"), closing="house"))
    assert restore(state).policy.name == "house"
    assert restore(state, "fifo").policy.name == "fifo"


def test_matches_are_rebuilt_from_a_snapshot() -> None:
    book = fold(entries(with_allocations(story())), keep_matches=True)
    again = restore(snapshot(book), keep_matches=True)
    assert again.closed() == book.closed() != []
    with pytest.raises(ValueError, match="keep_matches"):
        restore(snapshot(book)).closed()


# --- plans ------------------------------------------------------------------------------------------------------


def test_coverage_and_pnl_of_plans() -> None:
    """L1: every fill of an intent carries its plan; the others are listed; plans and others add up to the account."""
    book = fold(entries(with_allocations(story())))
    marks = amounts(AAPL=55)
    covered = coverage(book)
    assert (covered.fills, covered.planned) == (6, 2)  # the bust is no fill
    assert (ACCOUNT, "/x/2") in covered.external
    assert covered.share == pytest.approx(1 / 3)

    planned, external = plan_pnl(book, "p1", marks), plan_pnl(book, None, marks)
    # 20 at 100 and 10 at 100.50, then two for one, at 55; one fee is 0.35, the other not known.
    assert planned.pnl == 60 * 55 - 2000 - 1005 - D("0.35")
    assert (planned.fills, planned.fees, planned.unknown_fees) == (2, D("0.35"), 1)
    assert external.missing_marks == ()  # the option expired at 0


def test_plans_and_external_fills_add_up_to_the_account() -> None:
    told = [
        fill("a", 10, 100, "A", plan_id="p1"),
        fill("b", -4, 103, "A", plan_id="p2", fees=D("0.5")),
        fill("c", -3, 99),
        option_fill("d", 2, 3, "B", plan_id="p2"),
        option_event("e", "expire", price=D(1)),
    ]
    book, marks = book_of(*told), amounts(AAPL=97)
    parts = [plan_pnl(book, plan, marks).pnl or 0 for plan in ("p1", "p2", None)]
    unrealised = book.unrealised(marks)
    assert unrealised is not None
    assert sum(parts) == book.realised() + unrealised


def test_a_plans_pnl_without_a_mark_is_not_known() -> None:
    book = book_of(fill("a", 10, 100, "A", plan_id="p1"))
    result = plan_pnl(book, "p1", {})
    assert (result.pnl, result.missing_marks) == (None, ("AAPL",))
    assert coverage(Book()).share is None
