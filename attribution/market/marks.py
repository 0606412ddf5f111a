"""From what a vendor shows now to a mark: the one rule for thin, crossed and stale books."""

from __future__ import annotations

from datetime import datetime, timedelta

from attribution.market.quotes import Answer, Book, Missing, Price, PriceKind

__all__ = ["DEFAULT_MAX_AGE", "MAX_LEAD", "mark_of"]

DEFAULT_MAX_AGE = timedelta(minutes=15)
"""A book or last trade older than this says nothing about now."""

MAX_LEAD = timedelta(seconds=60)
"""How far ahead of ``now`` a book may be: clocks differ, and asking takes time. Beyond that it is from the future."""


def mark_of(
    book: Book,
    now: datetime,
    source: str,
    *,
    read_at: datetime | None = None,
    took: timedelta = timedelta(0),
    max_age: timedelta = DEFAULT_MAX_AGE,
) -> Answer:
    """Return the middle of a two-sided book, else the last trade; ``Missing`` where neither is fit.

    A crossed book (bid above ask) is no market, and a one-sided one has no middle: both fall back to the last trade.
    What is older than ``max_age``, or from more than ``MAX_LEAD`` after ``now``, is not used. A book without a time of
    its own is of the moment it was read, ``read_at`` by the adapter's clock before it asked; without that too it is of
    no known time. A batch that ``took`` long is given that much more: its last book is later than its first.
    """
    moment = read_at if book.time is None else book.time
    if moment is None:
        return Missing(f"the quote has no time, and nobody tells when it was read: no mark of {_told(now)}")
    if not now - max_age <= moment <= now + MAX_LEAD + took:
        return _untimely(moment, now, timed=book.time is not None)
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


def _untimely(moment: datetime, now: datetime, *, timed: bool) -> Missing:
    at, wanted = _told(moment, now), _told(now)
    if not timed:
        return Missing(f"the quote has no time of its own and was read at {at}: no mark of {wanted}")
    return Missing(f"the quote of {at} is {'stale at' if moment < now else 'from after'} {wanted}")


def _told(instant: datetime, beside: datetime | None = None) -> str:
    """Write an instant, in the zone of the one it stands beside: the two are there to be compared."""
    shown = instant if beside is None else instant.astimezone(beside.tzinfo)
    return f"{shown:%Y-%m-%d %H:%M:%S}"
