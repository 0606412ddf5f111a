"""From what a vendor shows now to a mark: the one rule for thin, crossed and stale books."""

from __future__ import annotations

from datetime import datetime, timedelta

from attribution.market.quotes import Answer, Book, Missing, Price, PriceKind

__all__ = ["DEFAULT_MAX_AGE", "mark_of"]

DEFAULT_MAX_AGE = timedelta(minutes=15)
"""A book or last trade older than this says nothing about now."""


def mark_of(book: Book, now: datetime, source: str, *, max_age: timedelta = DEFAULT_MAX_AGE) -> Answer:
    """Return the middle of a two-sided book, else the last trade; ``Missing`` where neither is fit.

    A crossed book (bid above ask) is no market, and a one-sided one has no middle: both fall back to the last trade.
    What is older than ``max_age``, or comes from more than ``max_age`` ahead of ``now``, is not used.
    """
    if book.time is not None and abs(now - book.time) > max_age:
        return Missing(f"the quote of {book.time:%Y-%m-%d %H:%M:%S} is stale at {now:%Y-%m-%d %H:%M:%S}")
    two_sided = book.bid is not None and book.ask is not None and 0.0 < book.bid <= book.ask
    if two_sided and book.bid is not None and book.ask is not None:
        return Price(0.5 * (book.bid + book.ask), source, PriceKind.MARK, book.time)
    if book.last is not None and book.last > 0.0:
        return Price(book.last, source, PriceKind.LAST, book.time)
    shown = ", ".join(
        f"{name} {'none' if value is None else format(value, 'g')}"
        for name, value in (("bid", book.bid), ("ask", book.ask), ("last", book.last))
    )
    return Missing(f"no two-sided quote and no last trade ({shown})")
