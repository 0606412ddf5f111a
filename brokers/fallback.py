"""Several sources as one broker: each is asked in turn for what is still missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from attribution.errors import BrokerError
from attribution.market.quotes import Answer, Bars, BarsOf, CloseOf, FillOf, Missing, PriceAt, QuoteOf, Why
from attribution.market.source import (
    BarSource,
    CloseSource,
    FillSource,
    Market,
    PriceSource,
    QuoteSource,
    delay_of,
    merge_missing,
)
from brokers.base import Health

__all__ = ["FallbackBarBroker", "FallbackBroker"]


class FallbackBroker:
    """A :class:`~attribution.market.source.Broker` made of others.

    Each member is asked, in the order given, for what those before it did not know, and only for what it can be
    asked: a source of fills alone may stand beside a full broker. A member that cannot be reached is passed over.
    Every price says which member stated it; where nobody has one, the reason tells what each of them said.

    Where all members that price instants know 1-minute bars, it knows them too and is a :class:`FallbackBarBroker`.
    Else it does not, because whoever has the bars of some would ask no more for the prices of the others.

    It keeps no state, so it may be shared between threads as far as its members may.

    Parameters
    ----------
    *members
        Anything that speaks at least one of the protocols of :mod:`attribution.market.source`.
    name
        How messages call it; the names of the members if not given.

    Raises
    ------
    TypeError
        No member, or one that speaks no protocol.
    """

    def __new__(cls, *members: object, name: str | None = None) -> FallbackBroker:
        """Choose the kind that knows bars where no price would be lost by it."""
        priced = [member for member in members if isinstance(member, PriceSource | BarSource)]
        bars = bool(priced) and all(isinstance(member, BarSource) for member in priced)
        return super().__new__(FallbackBarBroker if cls is FallbackBroker and bars else cls)

    def __init__(self, *members: object, name: str | None = None) -> None:
        if not members:
            raise TypeError("FallbackBroker needs at least one member")
        for member in members:
            if not isinstance(member, PriceSource | CloseSource | QuoteSource | FillSource | BarSource):
                raise TypeError(f"{member!r} is no source: prices_at, closes, quotes, fills or minute_bars is needed")
        self.name = name or " or ".join(str(getattr(member, "name", member)) for member in members)
        self._members = members
        self._bars = tuple(member for member in members if isinstance(member, BarSource))
        self._market = Market(
            price_sources=tuple(member for member in members if isinstance(member, PriceSource)),
            close_sources=tuple(member for member in members if isinstance(member, CloseSource)),
            quote_sources=tuple(member for member in members if isinstance(member, QuoteSource)),
            fill_sources=tuple(member for member in members if isinstance(member, FillSource)),
        )

    @property
    def asks_in_bulk(self) -> bool:
        """Whether every member serves whole batches better than single questions."""
        return all(getattr(member, "asks_in_bulk", False) for member in self._members)

    @property
    def data_delay(self) -> timedelta:
        """How late the market data of its latest member come: nobody knows beforehand who will answer."""
        return max(map(delay_of, self._members))

    def __repr__(self) -> str:
        return f"FallbackBroker({', '.join(map(repr, self._members))})"

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices at instants, of the first member that knows each."""
        return self._market.prices_at(wanted)

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Session closes, of the first member that knows each."""
        return self._market.closes(wanted)

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        """Current marks, of the first member that knows each."""
        return self._market.quotes(wanted)

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Leg fills, of the first member that knows each."""
        return self._market.fills(wanted)

    def health(self) -> Health:
        """Ask all members: fit if one of them is; ``missing`` and ``detail`` tell who says what."""
        told = [_health_of(member) for member in self._members]
        return Health(
            vendor=self.name,
            configured=any(one.configured for one in told),
            reachable=any(one.reachable for one in told),
            session_valid=any(one.reachable and one.session_valid for one in told),
            missing=tuple(f"{one.vendor}: {what}" for one in told for what in one.missing),
            detail="; ".join(f"{one.vendor}: {_state(one)}" for one in told),
        )


class FallbackBarBroker(FallbackBroker):
    """A :class:`FallbackBroker` of which every member that prices instants knows their 1-minute bars."""

    def minute_bars(self, wanted: Sequence[BarsOf]) -> list[Bars | Missing]:
        """Sessions of 1-minute bars, of the first member that knows each."""
        answers: list[Bars | Missing] = [Missing("nobody was asked", Why.NO_SOURCE)] * len(wanted)
        for member in self._bars:
            still_open = [i for i, answer in enumerate(answers) if isinstance(answer, Missing)]
            if not still_open:
                break
            replies = _bars_of(member, [wanted[i] for i in still_open])
            for i, reply in zip(still_open, replies, strict=True):
                before = answers[i]
                if isinstance(before, Missing) and isinstance(reply, Missing):
                    reply = merge_missing(before, Missing(f"{member.name}: {reply.reason}", reply.why))
                answers[i] = reply
        return answers


def _bars_of(member: BarSource, wanted: Sequence[BarsOf]) -> Sequence[Bars | Missing]:
    try:
        replies = member.minute_bars(wanted)
    except BrokerError as exc:
        return [Missing(f"failed: {exc}", Why.FAILED)] * len(wanted)
    if len(replies) != len(wanted):
        return [Missing(f"failed: {len(replies)} answers to {len(wanted)} questions", Why.FAILED)] * len(wanted)
    return replies


def _health_of(member: object) -> Health:
    """What a member says of itself; one without a ``health`` method needs nothing to be asked."""
    name = str(getattr(member, "name", member))
    ask = getattr(member, "health", None)
    if ask is None:
        return Health(name, configured=True, reachable=True, session_valid=True)
    try:
        told = ask()
    except BrokerError as exc:
        return Health(name, configured=True, detail=str(exc))
    if not isinstance(told, Health):
        raise TypeError(f"{name}.health() returned {type(told).__name__}, not Health")
    return told


def _state(told: Health) -> str:
    if told.reachable and told.session_valid:
        return told.detail or "ok"
    wrong = "not configured" if not told.configured else "not reachable" if not told.reachable else "no valid session"
    return f"{wrong} ({told.detail})" if told.detail else wrong
