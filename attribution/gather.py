"""Every price a batch of legs needs, each distinct question asked once.

What is asked for, in which order and with which fallback is decided here and nowhere else; who answers
is the business of the :class:`~attribution.market.source.Market`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from typing import TypeAlias, TypeVar

from attribution.fields import stamp
from attribution.instruments import DATED, Instrument, Option, Right, Settlement
from attribution.market.quotes import (
    Answer,
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
from attribution.market.source import Market, merge_missing
from attribution.parity import parity_is_sound
from attribution.symbols import same_expiry_future, underlying_of
from attribution.trade import Part, PricedLeg, StatedPrices, Trade
from attribution.window import Ending, EndKind, Phase, Window

__all__ = ["LegTask", "What", "gather", "gather_own_prices", "gather_underlyings"]

UNASKED = Missing("not asked for", Why.NO_SOURCE)


class What(IntEnum):
    """The prices that each end of a leg may need; the last two only for a parity forward."""

    PRICE = 0
    SPOT = 1
    FORWARD = 2
    CALL = 3
    PUT = 4


def _blank() -> list[list[Answer]]:
    return [[UNASKED, UNASKED] for _ in What]


@dataclass(slots=True)
class LegTask:
    """One leg of one part of one trade over its own window, and the prices found for it so far.

    ``answers[what][end]`` with end 0 for the start of the window and 1 for its end.
    """

    job: int
    trade: Trade
    part: Part
    item: PricedLeg
    window: Window
    answers: list[list[Answer]] = field(default_factory=_blank)
    exit_fill: Answer | None = None
    """What the exit orders of this leg filled, where that is known before it is asked for."""

    @property
    def position(self) -> float:
        """``q·w·m``: currency gained per 1.00 of the leg's price."""
        return self.part.quantity * self.item.weight

    def ending(self, end: int) -> Ending:
        """Return the start (0) or end (1) of the window."""
        return self.window.end if end else self.window.start

    def where(self, end: int) -> str:
        """Tell which end of the window is meant, for a reader of messages."""
        ending = self.ending(end)
        return f"at {stamp(ending.at)} ({'end' if end else 'start'} of the window, {ending.kind.value})"

    def settle(self, what: What, end: int, answer: Answer) -> None:
        """Record an answer; an absence is told beside the absences before it."""
        before = self.answers[what][end]
        if isinstance(before, Missing) and isinstance(answer, Missing):
            answer = merge_missing(before, answer)
        self.answers[what][end] = answer

    def lacks(self, what: What, end: int) -> bool:
        """Whether no price was found yet."""
        return isinstance(self.answers[what][end], Missing)


Question = TypeVar("Question", bound=Hashable)
Place: TypeAlias = tuple[LegTask, What, int]


def gather(tasks: Sequence[LegTask], market: Market) -> None:
    """Fill in the answers of every live task."""
    live = [task for task in tasks if task.window.phase is Phase.LIVE]
    _leg_prices(live, market)
    gather_underlyings(live, market)


def gather_underlyings(tasks: Sequence[LegTask], market: Market) -> None:
    """Fill in what moves live legs: spots, futures, and what parity needs where there is no future."""
    for task in tasks:
        _stated_of_underlying(task)
    _ask_as_of_end(_spots_and_futures(tasks), market)
    if market.asks_parity:
        _parity_prices(tasks, market)


def _ask(places: Iterable[tuple[Place, Question]], ask: Callable[[Sequence[Question]], list[Answer]]) -> None:
    """Ask each distinct question once and hand the answer to every place that waits for it."""
    pairs = list(places)
    if not pairs:
        return
    distinct = list(dict.fromkeys(question for _, question in pairs))
    answers = dict(zip(distinct, ask(distinct), strict=True))
    for (task, what, end), question in pairs:
        task.settle(what, end, answers[question])


def _leg_prices(tasks: Sequence[LegTask], market: Market) -> None:
    ends = [(task, end) for task in tasks for end in (0, 1)]
    for task, end in ends:
        _from_row(task, end)
    _known_exits(tasks, market)
    _ask(_fills(ends, EndKind.FILL), market.fills)
    _ask(_fills(ends, EndKind.MARK), market.stated_fills)
    for task, end in ends:
        _from_mtm(task, end)
    _ask(_marks(ends), market.quotes)
    _ask(_closes(ends), market.closes)


def _known_exits(tasks: Sequence[LegTask], market: Market) -> None:
    """Exits that were asked for already, and are not asked again; what the caller states of them comes first."""
    known = [task for task in tasks if task.exit_fill is not None and task.window.end.kind is EndKind.FILL]
    _ask(((((task, What.PRICE, 1), _fill_of(task, 1)) for task in known)), market.stated_fills)
    for task in known:
        if task.exit_fill is not None and task.lacks(What.PRICE, 1):
            task.settle(What.PRICE, 1, task.exit_fill)


def _from_row(task: LegTask, end: int) -> None:
    """The row's own prices are the leg's where there is one leg; else, what it states of the leg."""
    kind = task.ending(end).kind
    if kind is EndKind.FILL and not task.trade.is_combo:
        net = task.trade.exit_price if end else task.trade.entry_price
        _settle_row_price(task, end, net, PriceKind.FILL)
    if task.trade.stated is not None and task.lacks(What.PRICE, end):
        is_mark = end == 1 and kind is EndKind.MARK and task.trade.exit_time is None
        if kind is EndKind.FILL or is_mark:
            _settle_stated_leg(task, task.trade.stated, end)


def _settle_stated_leg(task: LegTask, stated: StatedPrices, end: int) -> None:
    place = task.trade.legs.index(task.item)
    value = stated.legs[place][end]
    if value is not None:
        source = f"row leg{place + 1}_{_side(end)}"
        task.settle(What.PRICE, end, Price(value, source, PriceKind.FILL, task.ending(end).at))


def _stated_of_underlying(task: LegTask) -> None:
    """What the row states of its underlying, at the ends that are the trade's own."""
    stated = task.trade.stated
    instrument = task.item.leg.instrument
    if stated is None or not isinstance(instrument, DATED):
        return
    for end in (0, 1):
        if not _is_own_end(task, instrument.expires_at, end):
            continue
        _settle_stated(task, What.SPOT, end, stated.spot[end])
        if isinstance(instrument, Option) and task.ending(end).kind is not EndKind.PAYOFF:
            _settle_stated(task, What.FORWARD, end, stated.forward[end])


def _is_own_end(task: LegTask, expires_at: datetime, end: int) -> bool:
    """Whether an end of the window is the trade's entry, its exit, its mark or its last expiry.

    A session close is none: a trade has many of them.
    """
    kind, exit_time = task.ending(end).kind, task.trade.exit_time
    if kind is EndKind.FILL:
        # A leg that an order of its own closed at another time ends elsewhere.
        return end == 0 or task.part.exit_time == exit_time
    if exit_time is not None:
        return False
    return kind is EndKind.MARK or (kind is EndKind.PAYOFF and expires_at == task.trade.last_expiry)


def _settle_stated(task: LegTask, what: What, end: int, value: float | None) -> None:
    if value is not None:
        source = f"row {what.name.lower()}_{_side(end)}"
        task.settle(what, end, Price(value, source, PriceKind.GIVEN, task.ending(end).at))


def _from_mtm(task: LegTask, end: int) -> None:
    if not task.trade.is_combo and task.ending(end).kind is EndKind.MARK and task.lacks(What.PRICE, end):
        _settle_row_price(task, end, task.trade.mtm, PriceKind.MARK)


def _settle_row_price(task: LegTask, end: int, net: float | None, kind: PriceKind) -> None:
    column = "mtm" if kind is PriceKind.MARK else _side(end) + "_price"
    if net is None:
        task.settle(What.PRICE, end, Missing(f"row: no {column}"))
        return
    price = Price(net / task.item.leg.ratio + 0.0, f"row {column}", kind, task.ending(end).at)
    task.settle(What.PRICE, end, price)


def _side(end: int) -> Side:
    return "exit" if end else "entry"


def _fills(ends: Iterable[tuple[LegTask, int]], kind: EndKind) -> Iterable[tuple[Place, FillOf]]:
    for task, end in ends:
        if task.ending(end).kind is not kind or not task.lacks(What.PRICE, end):
            continue
        if end and task.exit_fill is not None:
            continue
        if kind is EndKind.MARK and task.trade.exit_time is not None:
            continue  # the exit that is on record is not this end: it lies ahead, or belongs to the closed part
        yield (task, What.PRICE, end), _fill_of(task, end)


def _fill_of(task: LegTask, end: int) -> FillOf:
    keys = task.trade.exit_keys if end else task.trade.entry_keys
    leg = task.item.leg
    return FillOf(leg.instrument, leg.symbol, _side(end), task.ending(end).at, keys)


def _marks(ends: Iterable[tuple[LegTask, int]]) -> Iterable[tuple[Place, QuoteOf]]:
    for task, end in ends:
        if task.ending(end).kind is EndKind.MARK and task.lacks(What.PRICE, end):
            yield (task, What.PRICE, end), QuoteOf(task.item.leg.instrument, task.ending(end).at)


def _closes(ends: Iterable[tuple[LegTask, int]]) -> Iterable[tuple[Place, CloseOf]]:
    for task, end in ends:
        if task.ending(end).kind is EndKind.CLOSE:
            leg = task.item.leg
            yield (task, What.PRICE, end), CloseOf(leg.instrument, task.ending(end).session, leg.symbol)


def gather_own_prices(tasks: Sequence[LegTask], market: Market) -> None:
    """Fill in the legs' own prices alone, and the settlement values that payoffs are made of."""
    live = [task for task in tasks if task.window.phase is Phase.LIVE]
    _leg_prices(live, market)
    settled = [task for task in live if task.window.end.kind is EndKind.PAYOFF]
    for task in settled:
        _stated_of_underlying(task)
    places: list[tuple[Place, Instrument]] = [
        ((task, What.SPOT, 1), underlying_of(task.item.leg.instrument)) for task in settled
    ]
    _ask_as_of_end(places, market)


def _spots_and_futures(tasks: Sequence[LegTask]) -> list[tuple[Place, Instrument]]:
    """Spot for futures and options; beside it, for options, the future that expires with them."""
    places: list[tuple[Place, Instrument]] = []
    for task in tasks:
        instrument = task.item.leg.instrument
        if isinstance(instrument, DATED):
            places += [((task, What.SPOT, end), underlying_of(instrument)) for end in (0, 1)]
        if isinstance(instrument, Option):
            # At expiry the forward is the settlement value itself: nothing to ask.
            alive = [end for end in (0, 1) if task.ending(end).kind is not EndKind.PAYOFF]
            places += [((task, What.FORWARD, end), same_expiry_future(instrument)) for end in alive]
    return places


def _ask_as_of_end(places: list[tuple[Place, Instrument]], market: Market) -> None:
    """Ask the price that an instrument had at the end of a window it stands beside.

    At a close the official one comes first: a price of some other instant of that date is only a stopgap.
    """
    places = [(p, i) for p, i in places if p[0].lacks(p[1], p[2])]
    _ask(((p, CloseOf(i, p[0].ending(p[2]).session)) for p, i in places if _ends_at_close(p)), market.closes)
    places = [(p, i) for p, i in places if p[0].lacks(p[1], p[2])]
    _ask(((p, PriceAt(i, p[0].ending(p[2]).at)) for p, i in places), market.prices_at)
    places = [(p, i) for p, i in places if p[0].lacks(p[1], p[2]) and _ends_now(p)]
    _ask(((p, QuoteOf(i, p[0].ending(p[2]).at)) for p, i in places), market.quotes)


def _parity_prices(tasks: Sequence[LegTask], market: Market) -> None:
    """Call and put of an option's strike, where it has no future and lies near enough to the money."""
    places: list[tuple[Place, Instrument]] = []
    for task in tasks:
        option = task.item.leg.instrument
        if not isinstance(option, Option):
            continue
        alive = [end for end in (0, 1) if task.ending(end).kind is not EndKind.PAYOFF]
        if not any(task.lacks(What.FORWARD, end) for end in alive):
            continue
        for end in alive:
            spot = task.answers[What.SPOT][end]
            if isinstance(spot, Missing) or parity_is_sound(option.strike, spot.value):
                places.append(((task, What.CALL, end), replace(option, right=Right.CALL)))
                places.append(((task, What.PUT, end), replace(option, right=Right.PUT)))
    _ask_as_of_end(places, market)


def _ends_at_close(place: Place) -> bool:
    """Whether the official close of the session is the price at this end; a fill may be of that very instant."""
    task, _, end = place
    ending = task.ending(end)
    if ending.kind is EndKind.PAYOFF:
        instrument = task.item.leg.instrument
        return isinstance(instrument, DATED) and instrument.settlement is Settlement.CLOSE
    return ending.at_close and ending.kind is not EndKind.MARK


def _ends_now(place: Place) -> bool:
    task, _, end = place
    return task.ending(end).kind is EndKind.MARK
