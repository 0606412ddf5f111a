"""A broker behind a folder: what the folder holds is never asked again."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from attribution.errors import BrokerError, SymbolError
from attribution.market.bars import prices_from_bars
from attribution.market.cache.broker import check_broker
from attribution.market.final import SETTLING, bars_are_final, close_is_final, seen, utc_now
from attribution.market.history.folder import OFFICIAL, HistoryFolder
from attribution.market.quotes import Answer, Bars, BarsOf, CloseOf, FillOf, Missing, Price, PriceAt, QuoteOf, Why
from attribution.market.source import BarSource, Broker, delay_of, merge_missing

__all__ = ["HistoryBarBroker", "HistoryBroker"]

Question = TypeVar("Question")
Reply = TypeVar("Reply")

log = logging.getLogger(__name__)


class HistoryBroker:
    """Answers from a :class:`HistoryFolder` first, then from a broker, and stores what will never change.

    Stored are the bars and official closes of sessions that were over, and settled, when they were asked for; never an
    absence, a running session, a mark or a fill. Around a broker that knows minute bars it knows them too (it then is
    a :class:`HistoryBarBroker`) and prices every instant from them, so that a second run over past sessions asks for
    fills at most. Each question reads its file: put a :class:`~attribution.market.cache.CachedBroker` around it.

    Parameters
    ----------
    inner
        Who is asked for what the folder does not hold. Prices keep its name.
    folder
        The folder, or its path.
    settling
        How long after its end a session may still change.
    wall
        The zone-aware time of day; may be replaced for tests.
    """

    def __new__(cls, inner: Broker, *args: Any, **settings: Any) -> HistoryBroker:
        """Choose the kind that knows bars where the inner broker does."""
        return super().__new__(HistoryBarBroker if cls is HistoryBroker and isinstance(inner, BarSource) else cls)

    def __init__(
        self,
        inner: Broker,
        folder: HistoryFolder | str | os.PathLike[str],
        *,
        settling: timedelta = SETTLING,
        wall: Callable[[], datetime] = utc_now,
    ) -> None:
        check_broker(inner)
        self.inner = inner
        self.folder = folder if isinstance(folder, HistoryFolder) else HistoryFolder(folder)
        self._settling = settling
        self._wall = wall

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r}, {self.folder!r})"

    @property
    def name(self) -> str:
        """The inner broker's: it is who stated the prices."""
        return self.inner.name

    @property
    def asks_in_bulk(self) -> bool:
        """Whether the inner broker serves whole batches better than single questions."""
        return bool(getattr(self.inner, "asks_in_bulk", False))

    @property
    def data_delay(self) -> timedelta:
        """How late the inner broker's market data come."""
        return delay_of(self.inner)

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices at instants: from stored bars, else from the broker."""
        return _first_then(wanted, self.folder.prices_at, self.inner.prices_at)

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Official session closes: stored ones, else the broker's."""
        return _first_then(wanted, self.folder.closes, self._fetch_closes)

    def quotes(self, wanted: Sequence[QuoteOf]) -> Sequence[Answer]:
        """Current marks, which only the broker knows."""
        return self.inner.quotes(wanted)

    def fills(self, wanted: Sequence[FillOf]) -> Sequence[Answer]:
        """Leg fills, which only the broker knows."""
        return self.inner.fills(wanted)

    def _fetch_closes(self, wanted: Sequence[CloseOf]) -> Sequence[Answer]:
        wall = seen(self._wall(), self.data_delay)
        answers = self.inner.closes(wanted)
        for ask, found in _pairs(wanted, answers):
            if isinstance(found, Price) and found.kind in OFFICIAL and close_is_final(ask, found, wall, self._settling):
                self._store(self.folder.store_close, ask, found)
        return answers

    def _store(self, store: Callable[[Any, Any], object], ask: object, found: object) -> None:
        """Store an answer; that it cannot be stored is no reason not to give it."""
        try:
            store(ask, found)
        except (OSError, SymbolError) as exc:
            log.warning("%r is not stored: %s", ask, exc)


class HistoryBarBroker(HistoryBroker):
    """A :class:`HistoryBroker` around a broker that knows minute bars."""

    def __init__(self, inner: Broker, folder: HistoryFolder | str | os.PathLike[str], **settings: Any) -> None:
        super().__init__(inner, folder, **settings)
        if not isinstance(inner, BarSource):
            raise TypeError(f"broker={inner!r}: it knows no minute bars")
        self._bars: BarSource = inner

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices at instants, from the bars of their sessions."""
        return prices_from_bars(wanted, self.minute_bars)

    def minute_bars(self, wanted: Sequence[BarsOf]) -> list[Bars | Missing]:
        """Whole sessions of 1-minute bars: stored ones, else the broker's."""
        return _first_then(wanted, self.folder.minute_bars, self._fetch_bars)

    def _fetch_bars(self, wanted: Sequence[BarsOf]) -> Sequence[Bars | Missing]:
        wall = seen(self._wall(), self.data_delay)
        answers = self._bars.minute_bars(wanted)
        for ask, found in _pairs(wanted, answers):
            if isinstance(found, Bars) and bars_are_final(ask.instrument, ask.session, found, wall, self._settling):
                self._store(self.folder.store_bars, ask, found)
        return answers


def _pairs(wanted: Sequence[Question], answers: Sequence[Reply]) -> Iterable[tuple[Question, Reply]]:
    """Questions with their answers; none where it cannot be told whose is whose."""
    return zip(wanted, answers, strict=True) if len(wanted) == len(answers) else ()


def _first_then(
    wanted: Sequence[Question],
    first: Callable[[Sequence[Question]], Sequence[Reply | Missing]],
    then: Callable[[Sequence[Question]], Sequence[Reply | Missing]],
) -> list[Reply | Missing]:
    """Ask one source, and another for what the first does not know.

    Raises
    ------
    BrokerError
        The second failed, and the first knew nothing.
    """
    answers = list(first(wanted))
    lacking = {i: found for i, found in enumerate(answers) if isinstance(found, Missing)}
    if not lacking:
        return answers
    questions = [wanted[i] for i in lacking]
    try:
        replies = then(questions)
    except BrokerError as exc:
        if len(lacking) == len(answers):
            raise
        replies = [Missing(f"failed: {exc}", Why.FAILED)] * len(questions)
    if len(replies) != len(questions):
        raise BrokerError(f"{len(replies)} answers to {len(questions)} questions")
    for (i, before), reply in zip(lacking.items(), replies, strict=True):
        answers[i] = merge_missing(before, reply) if isinstance(reply, Missing) else reply
    return answers
