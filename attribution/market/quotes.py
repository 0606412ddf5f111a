"""What can be asked of a market, and what comes back: frozen values, no behaviour.

A question names an instrument and an instant (or session). An answer is a :class:`Price` or a
:class:`Missing`; a missing price always carries the reason, and is never a zero. They are tuples because a call
makes a handful of them, and a frozen dataclass takes three times as long to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, NamedTuple, TypeAlias

from attribution.instruments import Instrument

__all__ = [
    "Answer",
    "Bar",
    "Bars",
    "BarsOf",
    "Book",
    "CloseOf",
    "FillOf",
    "Missing",
    "Price",
    "PriceAt",
    "PriceKind",
    "QuoteOf",
    "Side",
    "Why",
]

Side: TypeAlias = Literal["entry", "exit"]


class PriceKind(StrEnum):
    """What sort of observation a price is."""

    FILL = "fill"
    """The price a trade was done at."""
    GIVEN = "given"
    """A value the caller stated for this very instant."""
    DAILY = "daily"
    """One value that the caller stated for the whole date, not for the instant asked."""
    CLOSE = "close"
    """Official session close."""
    SETTLEMENT = "settlement"
    """Official settlement price, where there was no trade to make a close."""
    MARK = "mark"
    """A current mark: the middle of bid and ask, or what the row carries as ``mtm``."""
    LAST = "last"
    """The last trade, where there was no two-sided quote or no completed bar to take."""
    BAR = "bar"
    """Close of the last 1-minute bar that had ended."""
    PARITY = "parity"
    """Implied by a call and a put of one strike."""
    PAYOFF = "payoff"
    """Computed from the final settlement value of the underlying."""


class Price(NamedTuple):
    """An observed price. [currency per unit]

    ``source`` says who stated it; ``time`` when it was observed (None: not known). Of a fill, ``quantity`` is
    how many units were filled at it, without sign (None: not known, or not a fill).
    """

    value: float
    source: str
    kind: PriceKind
    time: datetime | None = None
    quantity: float | None = None


class Why(StrEnum):
    """Why a price is missing."""

    NO_SOURCE = "no source"
    """Nobody was configured who could be asked."""
    UNKNOWN = "unknown"
    """Everybody asked answered that they do not have it."""
    FAILED = "failed"
    """Somebody asked could not answer: an outage, not an absence."""


class Missing(NamedTuple):
    """No price. ``reason`` is a sentence fit for a user; ``why`` lets a program tell the cases apart."""

    reason: str
    why: Why = Why.UNKNOWN


Answer: TypeAlias = Price | Missing


@dataclass(frozen=True, slots=True)
class Book:
    """What a vendor shows of an instrument now. [currency per unit] None where it shows nothing.

    A 0.00 that means "none" is None here: the adapter knows its vendor. ``time`` is when it was observed.
    """

    bid: float | None
    ask: float | None
    last: float | None
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute of trading: ``start`` is its zone-aware beginning. [currency per unit]"""

    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0


@dataclass(frozen=True, slots=True)
class Bars:
    """The 1-minute bars of one session, in order of time, each minute once; minutes without a trade have none.

    ``complete`` says that the session was over when they were read, so that they will never change.
    """

    bars: tuple[Bar, ...]
    source: str
    complete: bool


@dataclass(frozen=True, slots=True)
class BarsOf:
    """The 1-minute bars of an instrument on a session."""

    instrument: Instrument
    session: date


class PriceAt(NamedTuple):
    """The price of an instrument at a past or present instant (zone-aware)."""

    instrument: Instrument
    at: datetime


class CloseOf(NamedTuple):
    """The official close of an instrument on a session; ``symbol`` is how the trade wrote it, if it did."""

    instrument: Instrument
    session: date
    symbol: str = ""


class QuoteOf(NamedTuple):
    """The current mark of an instrument; ``now`` is the caller's clock."""

    instrument: Instrument
    now: datetime


class FillOf(NamedTuple):
    """The price at which one leg of a trade was filled.

    ``symbol`` is the leg as the trade wrote it, ``at`` the instant of the fill, and ``keys`` the order ids
    that the trade carries for that side.
    """

    instrument: Instrument
    symbol: str
    side: Side
    at: datetime
    keys: tuple[str, ...] = ()
