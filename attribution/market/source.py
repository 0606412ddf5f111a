"""What attribution asks of the world: four small protocols, each batch-first.

A source answers every question of a batch in order, with a :class:`~attribution.market.quotes.Price`
or a :class:`~attribution.market.quotes.Missing`. Absence is an answer, not an exception. A source that
cannot be reached raises :class:`~attribution.errors.BrokerError`; the :class:`Market` turns that into a
``Missing`` that says so, and asks the next one.

A source whose market data come late says so with an attribute ``data_delay``, a ``timedelta``: what it answers at noon
is what others answered that much earlier, and is final that much later (:func:`delay_of`). Its fills are not meant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

from attribution.errors import BrokerError
from attribution.instruments import Instrument
from attribution.market.quotes import (
    Answer,
    Bars,
    BarsOf,
    CloseOf,
    FillOf,
    Missing,
    Price,
    PriceAt,
    PriceKind,
    QuoteOf,
    Side,
    Why,
)

__all__ = [
    "BarSource",
    "Broker",
    "CloseMemory",
    "CloseSource",
    "FillSource",
    "GivenFills",
    "GivenPrices",
    "Market",
    "PriceSource",
    "QuoteSource",
    "delay_of",
]


@runtime_checkable
class PriceSource(Protocol):
    """Knows prices at instants."""

    @property
    def name(self) -> str:
        """How messages call this source."""
        ...

    def prices_at(self, wanted: Sequence[PriceAt]) -> Sequence[Answer]:
        """Answer each question, in order."""
        ...


@runtime_checkable
class CloseSource(Protocol):
    """Knows official session closes."""

    @property
    def name(self) -> str:
        """How messages call this source."""
        ...

    def closes(self, wanted: Sequence[CloseOf]) -> Sequence[Answer]:
        """Answer each question, in order."""
        ...


class CloseMemory(Protocol):
    """Keeps closes that others answered; a memory that holds one already keeps its own."""

    def stated_close(self, instrument: Instrument, session: date, symbol: str) -> Answer | None:
        """Answer where it holds the close that a :class:`CloseOf` would ask for; None where others are to be asked."""
        ...

    def remember(self, wanted: Sequence[CloseOf], answers: Sequence[Answer]) -> None:
        """Keep each close that was answered."""
        ...


@runtime_checkable
class QuoteSource(Protocol):
    """Knows current marks."""

    @property
    def name(self) -> str:
        """How messages call this source."""
        ...

    def quotes(self, wanted: Sequence[QuoteOf]) -> Sequence[Answer]:
        """Answer each question, in order."""
        ...


@runtime_checkable
class FillSource(Protocol):
    """Knows the prices at which the legs of a trade were filled."""

    @property
    def name(self) -> str:
        """How messages call this source."""
        ...

    def fills(self, wanted: Sequence[FillOf]) -> Sequence[Answer]:
        """Answer each question, in order."""
        ...


@runtime_checkable
class BarSource(Protocol):
    """Knows whole sessions of 1-minute bars; from one of them every instant of its day can be priced."""

    @property
    def name(self) -> str:
        """How messages call this source."""
        ...

    def minute_bars(self, wanted: Sequence[BarsOf]) -> Sequence[Bars | Missing]:
        """Answer each question, in order; a session without a trade is a ``Missing``."""
        ...


@runtime_checkable
class Broker(PriceSource, CloseSource, QuoteSource, FillSource, Protocol):
    """Somebody who can be asked everything; what it does not know it answers with ``Missing``."""


def delay_of(source: object) -> timedelta:
    """Return how late the market data of a source come, by its attribute ``data_delay``; 0 where it has none.

    Raises
    ------
    TypeError, ValueError
        ``data_delay`` is no span of time, or less than 0: what is final could not be told.
    """
    delay = getattr(source, "data_delay", timedelta(0))
    if not isinstance(delay, timedelta):
        raise TypeError(f"{source!r}: data_delay={delay!r}: a timedelta is needed, how late its market data come")
    if delay < timedelta(0):
        raise ValueError(f"{source!r}: data_delay={delay!r}: not less than 0")
    return delay


class GivenPrices(Protocol):
    """Prices that the caller stated and nobody needs to be asked for."""

    def stated_at(self, instrument: Instrument, at: datetime) -> Answer | None:
        """Answer where a price is stated for this very instant; None where the price sources are to be asked."""
        ...


class GivenFills(Protocol):
    """Leg fills that the caller stated and nobody needs to be asked for."""

    def stated_fill(self, instrument: Instrument, symbol: str, side: Side, at: datetime) -> Answer | None:
        """Answer where it holds the fill that a :class:`FillOf` would ask for; None where others are to be asked."""
        ...


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def _nobody(what: str) -> Missing:
    return Missing(f"no source of {what} was given", Why.NO_SOURCE)


NO_PRICES, NO_CLOSES = _nobody("prices at instants"), _nobody("session closes")
NO_QUOTES, NO_FILLS = _nobody("current marks"), _nobody("leg fills")
NO_KEYED_FILLS, NO_STATED_FILLS = _nobody("fills by order id"), _nobody("stated exit prices")

DAILY = PriceKind.DAILY
Question = TypeVar("Question")


class Market(NamedTuple):
    """The sources of one call, in the order in which they are asked.

    Each method answers a batch: the first source gets all questions, the next only those still open.
    """

    price_sources: tuple[PriceSource, ...] = ()
    close_sources: tuple[CloseSource, ...] = ()
    quote_sources: tuple[QuoteSource, ...] = ()
    fill_sources: tuple[FillSource, ...] = ()
    stated_fill_sources: tuple[FillSource, ...] = ()
    """Those who state an ``exit`` price even of a leg that is still open, where it serves as its mark."""
    keyed_fill_sources: tuple[FillSource, ...] = ()
    """Those who find fills by the order ids that a row names, with their quantities and times."""
    given: GivenPrices | None = None
    """The first of the price sources, where it is at hand: what it states for an instant is not asked for."""
    given_fills: GivenFills | None = None
    """The first of the fill sources, also of those who state exits, where it is at hand."""
    close_memory: CloseMemory | None = None
    """The first of the close sources, where it is at hand; told of every close that another source answered."""
    asks_forwards: bool = True
    """Whether anybody but the close memory could know the price of a future; where nobody could, none is asked for."""
    asks_parity: bool = False
    """Whether call and put of a strike are looked up where an option has no future to give its forward."""

    def with_broker(self, broker: Broker) -> Market:
        """Return this market with ``broker`` asked last for everything."""
        return self._replace(
            price_sources=(*self.price_sources, broker),
            close_sources=(*self.close_sources, broker),
            quote_sources=(*self.quote_sources, broker),
            fill_sources=(*self.fill_sources, broker),
            keyed_fill_sources=(*self.keyed_fill_sources, broker),
            asks_forwards=True,
            asks_parity=True,
        )

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices at instants."""
        return _ask(self.price_sources, "prices_at", wanted, NO_PRICES)

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Official session closes."""
        answers = _ask(self.close_sources, "closes", wanted, NO_CLOSES)
        if self.close_memory is not None:
            self.close_memory.remember(wanted, answers)
        return answers

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        """Current marks."""
        return _ask(self.quote_sources, "quotes", wanted, NO_QUOTES)

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Leg fills."""
        return _ask(self.fill_sources, "fills", wanted, NO_FILLS)

    def keyed_fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Fills by order ids."""
        return _ask(self.keyed_fill_sources, "fills", wanted, NO_KEYED_FILLS)

    def stated_fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Exit prices that the caller stated for open legs."""
        return _ask(self.stated_fill_sources, "fills", wanted, NO_STATED_FILLS)


def merge_missing(first: Missing, then: Missing) -> Missing:
    """Join two absences: both reasons are told, and the graver cause is kept."""
    if first.why is Why.NO_SOURCE:
        return then
    if then.why is Why.NO_SOURCE:
        return first
    why = Why.FAILED if Why.FAILED in (first.why, then.why) else Why.UNKNOWN
    told = first.reason if then.reason in first.reason else f"{first.reason}; {then.reason}"
    return Missing(told, why)


def _ask(sources: Sequence[_Named], method: str, wanted: Sequence[Question], nobody: Missing) -> list[Answer]:
    """Ask one source after the other what is still open; ``method`` is how sources of this kind are asked."""
    answers: list[Answer] = [nobody] * len(wanted)
    still_open = list(range(len(wanted)))
    for source in sources:
        asked, still_open = still_open, []
        questions = wanted if len(asked) == len(wanted) else [wanted[i] for i in asked]
        for i, reply in zip(asked, _reply(getattr(source, method), questions), strict=True):
            answer = answers[i] = _settle(source, answers[i], reply)
            # A value of the whole date is only a stopgap for one of the instant: the next source is worth asking.
            if isinstance(answer, Missing) or answer.kind is DAILY:
                still_open.append(i)
        if not still_open:
            break
    return answers


def _reply(ask: Callable[[Sequence[Question]], Sequence[Answer]], questions: Sequence[Question]) -> Sequence[Answer]:
    try:
        replies = ask(questions)
    except BrokerError as exc:
        return [Missing(f"failed: {exc}", Why.FAILED)] * len(questions)
    if len(replies) != len(questions):
        reason = f"failed: {len(replies)} answers to {len(questions)} questions"
        return [Missing(reason, Why.FAILED)] * len(questions)
    return replies


def _settle(source: _Named, before: Answer, reply: Answer) -> Answer:
    if isinstance(reply, Price):
        if math.isfinite(reply.value):
            return reply
        reply = Missing(f"failed: answered {reply.value}, which is no price", Why.FAILED)
    if isinstance(before, Price):
        return before
    return merge_missing(before, Missing(f"{source.name}: {reply.reason}", reply.why))
