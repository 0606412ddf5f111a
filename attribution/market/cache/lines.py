"""The kinds of questions: what makes two of them the same, how long an answer is good, and how it is read."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from attribution.calendars import to_epoch_us
from attribution.errors import SymbolError
from attribution.instruments import Instrument
from attribution.market.bars import bars_question, price_from_bars
from attribution.market.cache.shelf import Entry, Failure, Found
from attribution.market.final import (
    bars_are_final,
    close_has_come,
    close_is_final,
    fill_is_final,
    price_is_final,
    seen,
    settled_before,
)
from attribution.market.quotes import Answer, Bars, BarsOf, CloseOf, FillOf, Missing, Price, PriceAt, QuoteOf, Why
from attribution.market.source import BarSource, CloseSource, FillSource, PriceSource, QuoteSource
from attribution.symbols import format_symbol

__all__ = ["BarPrices", "Closes", "Fills", "Line", "Lives", "MinuteBars", "Prices", "Quotes", "Reply"]

Reply: TypeAlias = Price | Bars | Missing | Failure
Ask = TypeVar("Ask")
Question = TypeVar("Question")


@lru_cache(maxsize=16384)
def _epoch_us(at: datetime, fold: int) -> int:
    """Instants repeat from call to call; two that differ in ``fold`` alone are equal, and an hour apart."""
    return to_epoch_us(at)


@dataclass(frozen=True, slots=True)
class Lives:
    """How long answers are good that are not good for ever, how long a session takes to settle, how late data come."""

    quote: timedelta
    miss: timedelta
    failure: timedelta
    settling: timedelta
    delay: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        for name in ("quote", "miss", "failure", "settling", "delay"):
            if getattr(self, name) < timedelta(0):
                raise ValueError(f"{name}={getattr(self, name)}: a span of time, not less than 0")


class Line(ABC, Generic[Ask, Question]):
    """One kind of question: an ``Ask`` of a caller is answered from the answer to a ``Question`` to the broker."""

    splits: ClassVar[bool] = False
    """Whether each question is a call of its own by nature, so that several may go side by side."""

    def __init__(self, lives: Lives) -> None:
        self.lives = lives

    @abstractmethod
    def question(self, ask: Ask) -> Question:
        """Return what the broker is asked."""

    @abstractmethod
    def key(self, question: Question) -> Hashable:
        """Return every input of the question that its answer depends on."""

    @abstractmethod
    def send(self, questions: Sequence[Question]) -> Sequence[Answer | Bars]:
        """Ask the broker."""

    @abstractmethod
    def good_for(self, question: Question, found: Any, wall: datetime) -> float:
        """Return how long [s] a price or bars, asked for at ``wall``, are good; ``math.inf`` if they are final."""

    def life(self, question: Question, found: Found, wall: datetime) -> float:
        """Return how long [s] an answer is good."""
        if isinstance(found, Failure) or (isinstance(found, Missing) and found.why is Why.FAILED):
            return self.lives.failure.total_seconds()
        if isinstance(found, Missing):
            return self.lives.miss.total_seconds()
        if isinstance(found, Price) and not math.isfinite(found.value):
            return self.lives.failure.total_seconds()  # no price at all: the market will say so
        return self.good_for(question, found, wall)

    def entry(self, question: Question, found: Found, wall: datetime, fresh_until: float) -> Entry:
        """Return what to remember."""
        return Entry(found, None, wall, fresh_until)

    def suits(self, entry: Entry, ask: Ask) -> bool:
        """Whether an answer under the same key, however fresh, is one to this caller."""
        return True

    def serves(self, entry: Entry, ask: Ask, tick: float) -> bool:
        """Whether a remembered answer is still one, by the cache's clock [s]."""
        return tick < entry.fresh_until and self.suits(entry, ask)

    def read(self, entry: Entry, ask: Ask) -> Reply:
        """Return the caller's answer."""
        return entry.found


class _Same(Line[Ask, Ask]):
    """Lines on which the caller's question is the broker's."""

    def question(self, ask: Ask) -> Ask:
        return ask


class Prices(_Same[PriceAt]):
    """Prices at instants, one by one."""

    def __init__(self, inner: PriceSource, lives: Lives) -> None:
        super().__init__(lives)
        self._inner = inner

    def key(self, question: PriceAt) -> Hashable:
        """Instrument and instant, whatever zone it is written in."""
        at = question.at
        return PriceAt, question.instrument, _epoch_us(at, at.fold)

    def send(self, questions: Sequence[PriceAt]) -> Sequence[Answer]:
        """Ask for prices."""
        return self._inner.prices_at(questions)

    def good_for(self, question: PriceAt, found: Price, wall: datetime) -> float:
        """For ever once nothing can come between the price and its instant."""
        final = price_is_final(question, found, seen(wall, self.lives.delay), self.lives.settling)
        return math.inf if final else self.lives.quote.total_seconds()


class Closes(_Same[CloseOf]):
    """Session closes."""

    splits = True

    def __init__(self, inner: CloseSource, lives: Lives) -> None:
        super().__init__(lives)
        self._inner = inner

    def key(self, question: CloseOf) -> Hashable:
        """Instrument, session, and how the trade wrote it where that says anything new."""
        symbol = question.symbol
        return CloseOf, question.instrument, question.session, "" if symbol == _text(question.instrument) else symbol

    def send(self, questions: Sequence[CloseOf]) -> Sequence[Answer]:
        """Ask for closes."""
        return self._inner.closes(questions)

    def good_for(self, question: CloseOf, found: Price, wall: datetime) -> float:
        """For ever once the session has settled; not at all before it has ended."""
        until = seen(wall, self.lives.delay)
        if close_is_final(question, found, until, self.lives.settling):
            return math.inf
        return self.lives.quote.total_seconds() if close_has_come(question, until) else 0.0


class Quotes(_Same[QuoteOf]):
    """Current marks: one per instrument, good for a short time after the instant for which it was asked."""

    def __init__(self, inner: QuoteSource, lives: Lives) -> None:
        super().__init__(lives)
        self._inner = inner

    def key(self, question: QuoteOf) -> Hashable:
        """The instrument; the caller's instant is compared in :meth:`suits`."""
        return QuoteOf, question.instrument

    def send(self, questions: Sequence[QuoteOf]) -> Sequence[Answer]:
        """Ask for marks."""
        return self._inner.quotes(questions)

    def good_for(self, question: QuoteOf, found: Price, wall: datetime) -> float:
        """Return the short life."""
        return self.lives.quote.total_seconds()

    def entry(self, question: QuoteOf, found: Found, wall: datetime, fresh_until: float) -> Entry:
        """Remember the instant for which it was asked."""
        return Entry(found, question.now, wall, fresh_until)

    def suits(self, entry: Entry, ask: QuoteOf) -> bool:
        """Not a mark from the caller's future, nor one that is old by the caller's clock."""
        if entry.about is None:
            return False
        age = ask.now - entry.about
        return age == timedelta(0) or timedelta(0) < age < self.lives.quote


class Fills(_Same[FillOf]):
    """Fills of legs."""

    def __init__(self, inner: FillSource, lives: Lives) -> None:
        super().__init__(lives)
        self._inner = inner

    def key(self, question: FillOf) -> Hashable:
        """Everything that was asked."""
        return FillOf, question.instrument, question.symbol, question.side, to_epoch_us(question.at), question.keys

    def send(self, questions: Sequence[FillOf]) -> Sequence[Answer]:
        """Ask for fills."""
        return self._inner.fills(questions)

    def good_for(self, question: FillOf, found: Price, wall: datetime) -> float:
        """For ever once the session of the fill is over: until then its orders may go on filling.

        The account's own fills come at once, however late the data of the market.
        """
        return math.inf if fill_is_final(question, wall, self.lives.settling) else self.lives.quote.total_seconds()


class _Bars(Line[Ask, BarsOf]):
    """Lines that are answered from whole sessions of bars, and share them."""

    splits = True

    def __init__(self, inner: BarSource, lives: Lives) -> None:
        super().__init__(lives)
        self._inner = inner

    def key(self, question: BarsOf) -> Hashable:
        """Instrument and session."""
        return question

    def send(self, questions: Sequence[BarsOf]) -> Sequence[Bars | Missing]:
        """Ask for bars."""
        return self._inner.minute_bars(questions)

    def good_for(self, question: BarsOf, found: Bars, wall: datetime) -> float:
        """For ever if the session is over; those of a running one are read again after a short life."""
        until = seen(wall, self.lives.delay)
        final = bars_are_final(question.instrument, question.session, found, until, self.lives.settling)
        return math.inf if final else self.lives.quote.total_seconds()

    def entry(self, question: BarsOf, found: Found, wall: datetime, fresh_until: float) -> Entry:
        """Remember up to which instant running bars are settled."""
        running = isinstance(found, Bars) and fresh_until != math.inf
        until = seen(wall, self.lives.delay)
        settled = settled_before(found, until) if running and isinstance(found, Bars) else None
        return Entry(found, None, wall, fresh_until, settled)


class MinuteBars(_Bars[BarsOf]):
    """Sessions of bars, asked for as such."""

    def question(self, ask: BarsOf) -> BarsOf:
        """Return the question itself."""
        return ask


class BarPrices(_Bars[PriceAt]):
    """Prices at instants from the bars of their session: one fetch serves the whole day."""

    def question(self, ask: PriceAt) -> BarsOf:
        """Return the session in progress or last opened."""
        return bars_question(ask)

    def serves(self, entry: Entry, ask: PriceAt, tick: float) -> bool:
        """Running bars serve settled instants for good, later ones for a short time."""
        return tick < entry.fresh_until or _settled(entry, ask) is not None

    def read(self, entry: Entry, ask: PriceAt) -> Reply:
        """Price the instant, by what was known when the bars were read."""
        settled = _settled(entry, ask)
        if settled is not None:
            return price_from_bars(ask, settled)
        if not isinstance(entry.found, Bars):
            return entry.found
        if entry.settled is not None and ask.at > entry.read_at:
            # The bar that was in progress then must not pass for one that had ended.
            ask = ask._replace(at=entry.read_at.astimezone(ask.at.tzinfo))
        return price_from_bars(ask, entry.found)


def _settled(entry: Entry, ask: PriceAt) -> Bars | None:
    """Running bars that price the instant for good."""
    for candidate in (entry, entry.held):
        if candidate is None or candidate.settled is None or not isinstance(candidate.found, Bars):
            continue
        if ask.at < candidate.settled:
            return candidate.found
    return None


def _text(instrument: Instrument) -> str:
    """Canonical symbol, or nothing where no symbol can name the instrument."""
    try:
        return format_symbol(instrument)
    except SymbolError:
        return ""
