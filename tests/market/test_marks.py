"""From a book to a mark: which moment a book is of, and which instants it marks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from attribution.market.marks import MAX_LEAD, mark_of
from attribution.market.quotes import Book, Missing, Price, PriceKind
from tests.market.counting import at

NOW = at("2025-01-28 12:00")
SECOND, QUARTER = timedelta(seconds=1), timedelta(minutes=15)


def book(time: datetime | None = None) -> Book:
    return Book(99.0, 101.0, 90.0, time)


@pytest.mark.parametrize("lead", [-QUARTER, timedelta(0), MAX_LEAD])
def test_a_book_marks_what_is_near_its_moment(lead: timedelta) -> None:
    assert mark_of(book(NOW + lead), NOW, "x") == Price(100.0, "x", PriceKind.MARK, NOW + lead)
    assert mark_of(book(), NOW, "x", read_at=NOW + lead) == Price(100.0, "x", PriceKind.MARK)


@pytest.mark.parametrize(("lead", "what"), [(-QUARTER - SECOND, "stale at"), (MAX_LEAD + SECOND, "from after")])
def test_a_timed_book_marks_nothing_else(lead: timedelta, what: str) -> None:
    answer = mark_of(book((NOW + lead).astimezone(UTC)), NOW, "x")
    assert answer == Missing(f"the quote of {NOW + lead:%Y-%m-%d %H:%M:%S} is {what} 2025-01-28 12:00:00")


@pytest.mark.parametrize("lead", [-QUARTER - SECOND, MAX_LEAD + SECOND, timedelta(days=26)])
def test_a_book_without_a_time_marks_the_moment_it_was_read(lead: timedelta) -> None:
    answer = mark_of(book(), NOW, "x", read_at=NOW + lead)
    read = f"{NOW + lead:%Y-%m-%d %H:%M:%S}"
    assert answer == Missing(f"the quote has no time of its own and was read at {read}: no mark of 2025-01-28 12:00:00")


def test_a_book_of_no_known_moment_marks_nothing() -> None:
    assert isinstance(mark_of(book(), NOW, "x"), Missing)


def test_a_long_batch_may_bring_later_books() -> None:
    late = book(NOW + timedelta(minutes=3))
    assert isinstance(mark_of(late, NOW, "x", took=timedelta(minutes=1)), Missing)
    assert isinstance(mark_of(late, NOW, "x", took=timedelta(minutes=2)), Price)
