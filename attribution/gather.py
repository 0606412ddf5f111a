"""Every price a batch of legs needs, each distinct question asked once.

What is asked for, in which order and with which fallback is decided here and nowhere else; who answers
is the business of the :class:`~attribution.market.source.Market`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
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
from attribution.trade import Part, PricedLeg, Trade
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
    return [[UNASKED, UNASKED], [UNASKED, UNASKED], [UNASKED, UNASKED], [UNASKED, UNASKED], [UNASKED, UNASKED]]


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
        if isinstance(answer, Missing):
            before = self.answers[what][end]
            if isinstance(before, Missing):
                answer = merge_missing(before, answer)
        self.answers[what][end] = answer

    def lacks(self, what: What, end: int) -> bool:
        """Whether no price was found yet."""
        return isinstance(self.answers[what][end], Missing)


Question = TypeVar("Question", bound=Hashable)
Place: TypeAlias = tuple[LegTask, What, int]
End: TypeAlias = tuple[LegTask, int]


def gather(tasks: Sequence[LegTask], market: Market) -> None:
    """Fill in the answers of every live task."""
    live = [task for task in tasks if task.window.phase is Phase.LIVE]
    _leg_prices(live, market)
    gather_underlyings(live, market)


def gather_underlyings(tasks: Sequence[LegTask], market: Market) -> None:
    """Fill in what moves live legs: spots, futures, and what parity needs where there is no future."""
    _ask_as_of_end(_spots_and_futures(tasks, market), market)
    if market.asks_parity:
        _parity_prices(tasks, market)


def _ask(pairs: Sequence[tuple[Place, Question]], ask: Callable[[Sequence[Question]], list[Answer]]) -> None:
    """Ask each distinct question once and hand the answer to every place that waits for it."""
    if not pairs:
        return
    distinct: dict[Question, int] = {}
    numbers = [distinct.setdefault(question, len(distinct)) for _, question in pairs]
    answers = ask(list(distinct))
    for ((task, what, end), _), number in zip(pairs, numbers, strict=True):
        task.settle(what, end, answers[number])


def _leg_prices(tasks: Sequence[LegTask], market: Market) -> None:
    fills, marks, closes = _by_kind(tasks)
    for task, end in fills:
        _from_row(task, end)
    _known_exits(tasks, market)
    _ask(_fills(fills), market.fills)
    if marks:
        _ask(_stated_exits(marks), market.stated_fills)
        for task, end in marks:
            _from_mtm(task, end)
        _ask(_quotes(marks), market.quotes)
    _ask(_closes(closes), market.closes)


def _by_kind(tasks: Sequence[LegTask]) -> tuple[list[End], list[End], list[End]]:
    """Ends of windows by the price they take: fills, marks, closes. A payoff is nobody's answer."""
    fills: list[End] = []
    marks: list[End] = []
    closes: list[End] = []
    for task in tasks:
        for end in (0, 1):
            kind = task.ending(end).kind
            if kind is EndKind.FILL:
                fills.append((task, end))
            elif kind is EndKind.MARK:
                marks.append((task, end))
            elif kind is EndKind.CLOSE:
                closes.append((task, end))
    return fills, marks, closes


def _known_exits(tasks: Sequence[LegTask], market: Market) -> None:
    """Exits that were asked for already, and are not asked again; what the caller states of them comes first."""
    known = [task for task in tasks if task.exit_fill is not None and task.window.end.kind is EndKind.FILL]
    _ask([((task, What.PRICE, 1), _fill_of(task, 1)) for task in known], market.stated_fills)
    for task in known:
        if task.exit_fill is not None and task.lacks(What.PRICE, 1):
            task.settle(What.PRICE, 1, task.exit_fill)


def _from_row(task: LegTask, end: int) -> None:
    """The row's own prices are the leg's where there is one leg."""
    if not task.trade.is_combo:
        net = task.trade.exit_price if end else task.trade.entry_price
        _settle_row_price(task, end, net, PriceKind.FILL)


def _from_mtm(task: LegTask, end: int) -> None:
    if not task.trade.is_combo and task.lacks(What.PRICE, end):
        _settle_row_price(task, end, task.trade.mtm, PriceKind.MARK)


def _settle_row_price(task: LegTask, end: int, net: float | None, kind: PriceKind) -> None:
    column = "mtm" if kind is PriceKind.MARK else "exit_price" if end else "entry_price"
    if net is None:
        task.settle(What.PRICE, end, Missing(f"row: no {column}"))
        return
    price = Price(net / task.item.leg.ratio + 0.0, f"row {column}", kind, task.ending(end).at)
    task.settle(What.PRICE, end, price)


def _fills(ends: Sequence[End]) -> list[tuple[Place, FillOf]]:
    """What the row does not tell; an exit that its orders told is known already."""
    return [
        ((task, What.PRICE, end), _fill_of(task, end))
        for task, end in ends
        if task.lacks(What.PRICE, end) and not (end and task.exit_fill is not None)
    ]


def _stated_exits(ends: Sequence[End]) -> list[tuple[Place, FillOf]]:
    """Marks that the caller may have stated as exits.

    The exit that is on record is not this end: it lies ahead, or belongs to the closed part.
    """
    return [
        ((task, What.PRICE, end), _fill_of(task, end))
        for task, end in ends
        if task.trade.exit_time is None and not (end and task.exit_fill is not None)
    ]


def _fill_of(task: LegTask, end: int) -> FillOf:
    keys = task.trade.exit_keys if end else task.trade.entry_keys
    leg = task.item.leg
    side: Side = "exit" if end else "entry"
    return FillOf(leg.instrument, leg.symbol, side, task.ending(end).at, keys)


def _quotes(ends: Sequence[End]) -> list[tuple[Place, QuoteOf]]:
    return [
        ((task, What.PRICE, end), QuoteOf(task.item.leg.instrument, task.ending(end).at))
        for task, end in ends
        if task.lacks(What.PRICE, end)
    ]


def _closes(ends: Sequence[End]) -> list[tuple[Place, CloseOf]]:
    return [
        (
            (task, What.PRICE, end),
            CloseOf(task.item.leg.instrument, task.ending(end).session, task.item.leg.symbol),
        )
        for task, end in ends
    ]


def gather_own_prices(tasks: Sequence[LegTask], market: Market) -> None:
    """Fill in the legs' own prices alone, and the settlement values that payoffs are made of."""
    live = [task for task in tasks if task.window.phase is Phase.LIVE]
    _leg_prices(live, market)
    settled = [task for task in live if task.window.end.kind is EndKind.PAYOFF]
    _ask_as_of_end([((task, What.SPOT, 1), task.item.underlying) for task in settled], market)


def _spots_and_futures(tasks: Sequence[LegTask], market: Market) -> list[tuple[Place, Instrument]]:
    """Spot for futures and options; beside it, for options, the future that expires with them."""
    places: list[tuple[Place, Instrument]] = []
    for task in tasks:
        item = task.item
        if item.expires_at is None:
            continue
        places.append(((task, What.SPOT, 0), item.underlying))
        places.append(((task, What.SPOT, 1), item.underlying))
        if item.forward is not None and market.asks_forwards:
            # At expiry the forward is the settlement value itself: nothing to ask.
            alive = [end for end in (0, 1) if task.ending(end).kind is not EndKind.PAYOFF]
            places += [((task, What.FORWARD, end), item.forward) for end in alive]
    return places


def _ask_as_of_end(places: Sequence[tuple[Place, Instrument]], market: Market) -> None:
    """Ask the price that an instrument had at the end of a window it stands beside.

    At a close the official one comes first: a price of some other instant of that date is only a stopgap.
    """
    at_close = [
        ((task, what, end), CloseOf(instrument, task.ending(end).session))
        for (task, what, end), instrument in places
        if _ends_at_close(task, end)
    ]
    if at_close:
        _ask(at_close, market.closes)
        places = _lacking(places)
    _ask([(place, PriceAt(instrument, place[0].ending(place[2]).at)) for place, instrument in places], market.prices_at)
    current = [
        ((task, what, end), QuoteOf(instrument, task.ending(end).at))
        for (task, what, end), instrument in places
        if task.ending(end).kind is EndKind.MARK and task.lacks(what, end)
    ]
    _ask(current, market.quotes)


def _lacking(places: Sequence[tuple[Place, Instrument]]) -> list[tuple[Place, Instrument]]:
    return [(place, instrument) for place, instrument in places if place[0].lacks(place[1], place[2])]


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


def _ends_at_close(task: LegTask, end: int) -> bool:
    """Whether the official close of the session is the price at this end; a fill may be of that very instant."""
    ending = task.ending(end)
    if ending.kind is EndKind.PAYOFF:
        instrument = task.item.leg.instrument
        return isinstance(instrument, DATED) and instrument.settlement is Settlement.CLOSE
    return ending.at_close and ending.kind is not EndKind.MARK
