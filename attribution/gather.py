"""Every price a batch of legs needs, each distinct question asked once.

What is asked for, in which order and with which fallback is decided here and nowhere else; who answers
is the business of the :class:`~attribution.market.source.Market`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple, TypeVar

from attribution.fields import stamp
from attribution.instruments import DATED, Instrument, Option, Settlement
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
from attribution.market.source import GivenPrices, Market, merge_missing
from attribution.parity import parity_is_sound
from attribution.priced import PricedLeg
from attribution.trade import Part, Trade, leg_fields
from attribution.window import Ending, EndKind, Phase, Window

__all__ = ["LegTask", "What", "gather", "gather_own_prices", "gather_underlyings"]

SIDES: tuple[Side, Side] = ("entry", "exit")
UNASKED = Missing("not asked for", Why.NO_SOURCE)


class What(IntEnum):
    """The prices that each end of a leg may need; the last two only for a parity forward."""

    PRICE = 0
    SPOT = 1
    FORWARD = 2
    CALL = 3
    PUT = 4


CALL_AND_PUT = (What.CALL, What.PUT)


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


class Place(NamedTuple):
    """Where an answer belongs: a price of a leg at an end of its window; ``instrument`` is whose price it is."""

    task: LegTask
    what: What
    end: int
    ending: Ending
    instrument: Instrument

    @property
    def lacks(self) -> bool:
        """Whether no price was found yet."""
        return isinstance(self.task.answers[self.what][self.end], Missing)


def gather(tasks: Sequence[LegTask], market: Market) -> None:
    """Fill in the answers of every live task."""
    live = [task for task in tasks if task.window.phase is Phase.LIVE]
    _leg_prices(live, market)
    gather_underlyings(live, market)


def gather_underlyings(tasks: Sequence[LegTask], market: Market) -> None:
    """Fill in what moves live legs: spots, futures, and what parity needs where there is no future."""
    for task in tasks:
        _stated_of_underlying(task)
    _ask_as_of_end(_spots_and_futures(tasks, market), market)
    if market.asks_parity:
        _parity_prices(tasks, market)


def _ask(
    places: Sequence[Place],
    question_of: Callable[[Place], Question],
    ask: Callable[[Sequence[Question]], list[Answer]],
) -> None:
    """Ask each distinct question once and hand the answer to every place that waits for it."""
    if not places:
        return
    distinct: dict[Question, int] = {}
    numbers = [distinct.setdefault(question_of(place), len(distinct)) for place in places]
    answers = ask(list(distinct))
    for (task, what, end, _, _), number in zip(places, numbers, strict=True):
        task.settle(what, end, answers[number])


def _price_at(place: Place) -> PriceAt:
    return PriceAt(place.instrument, place.ending.at)


def _quote_of(place: Place) -> QuoteOf:
    return QuoteOf(place.instrument, place.ending.at)


def _close_of(place: Place) -> CloseOf:
    own = place.what is What.PRICE
    return CloseOf(place.instrument, place.ending.session, place.task.item.leg.symbol if own else "")


def _fill_of(place: Place) -> FillOf:
    trade, side = place.task.trade, SIDES[place.end]
    keys = trade.exit_keys if place.end else trade.entry_keys
    return FillOf(place.instrument, place.task.item.leg.symbol, side, place.ending.at, keys)


def _leg_prices(tasks: Sequence[LegTask], market: Market) -> None:
    fills, exits, marks, closes = _by_kind(tasks)
    for place in fills:
        _from_row(place)
    _stated_of_leg(fills)
    if exits:
        _stated_of_leg(exits)
        _known_exits([place for place in exits if place.lacks], market)
    _ask([place for place in fills if place.lacks], _fill_of, market.fills)
    if marks:
        # The exit that is on record is not a mark: it lies ahead, or belongs to the closed part.
        stated = [place for place in marks if place.task.trade.exit_time is None and place.task.exit_fill is None]
        _stated_of_leg(stated)
        _ask([place for place in stated if place.lacks], _fill_of, market.stated_fills)
        for place in marks:
            _from_mtm(place)
        _ask([place for place in marks if place.lacks], _quote_of, market.quotes)
    _ask(closes, _close_of, market.closes)


def _by_kind(tasks: Sequence[LegTask]) -> tuple[list[Place], list[Place], list[Place], list[Place]]:
    """The legs' own prices by what they are: fills, exits told before, marks, closes. A payoff is nobody's answer."""
    fills: list[Place] = []
    exits: list[Place] = []
    marks: list[Place] = []
    closes: list[Place] = []
    for task in tasks:
        for end, ending in enumerate((task.window.start, task.window.end)):
            place = Place(task, What.PRICE, end, ending, task.item.leg.instrument)
            if ending.kind is EndKind.FILL:
                (exits if end and task.exit_fill is not None else fills).append(place)
            elif ending.kind is EndKind.MARK:
                marks.append(place)
            elif ending.kind is EndKind.CLOSE:
                closes.append(place)
    return fills, exits, marks, closes


def _known_exits(exits: Sequence[Place], market: Market) -> None:
    """Exits that were asked for already, and are not asked again; what the caller states of them comes first."""
    _ask(exits, _fill_of, market.stated_fills)
    for place in exits:
        if place.task.exit_fill is not None and place.lacks:
            place.task.settle(What.PRICE, 1, place.task.exit_fill)


def _from_row(place: Place) -> None:
    """The row's own prices are the leg's where there is one leg."""
    trade = place.task.trade
    if trade.is_combo:
        return
    if place.end:
        _settle_row_price(place, trade.exit_price, "row exit_price", PriceKind.FILL)
    else:
        _settle_row_price(place, trade.entry_price, "row entry_price", PriceKind.FILL)


def _stated_of_leg(places: Sequence[Place]) -> None:
    """What rows state of a leg itself."""
    for place in places:
        task, what, end, ending, _ = place
        stated = task.trade.stated
        if stated is None or not place.lacks:
            continue
        number = task.trade.legs.index(task.item)
        value = stated.legs[number][end]
        if value is not None:
            task.settle(what, end, Price(value, f"row {leg_fields(number + 1)[end]}", PriceKind.FILL, ending.at))


def _stated_of_underlying(task: LegTask) -> None:
    """What the row states of its underlying, at the ends that are the trade's own."""
    stated, expires_at = task.trade.stated, task.item.expires_at
    if stated is None or expires_at is None:
        return
    for end in (0, 1):
        if not _is_own_end(task, expires_at, end):
            continue
        _settle_stated(task, What.SPOT, end, stated.spot[end])
        if task.item.forward is not None and task.ending(end).kind is not EndKind.PAYOFF:
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
        source = f"row {what.name.lower()}_{SIDES[end]}"
        task.settle(what, end, Price(value, source, PriceKind.GIVEN, task.ending(end).at))


def _from_mtm(place: Place) -> None:
    if not place.task.trade.is_combo and place.lacks:
        _settle_row_price(place, place.task.trade.mtm, "row mtm", PriceKind.MARK)


def _settle_row_price(place: Place, net: float | None, source: str, kind: PriceKind) -> None:
    task, what, end, ending, _ = place
    if net is None:
        task.settle(what, end, Missing(f"row: no {source.removeprefix('row ')}"))
    else:
        task.settle(what, end, Price(net / task.item.leg.ratio + 0.0, source, kind, ending.at))


def gather_own_prices(tasks: Sequence[LegTask], market: Market) -> None:
    """Fill in the legs' own prices alone, and the settlement values that payoffs are made of."""
    live = [task for task in tasks if task.window.phase is Phase.LIVE]
    _leg_prices(live, market)
    settled = [task for task in live if task.window.end.kind is EndKind.PAYOFF]
    for task in settled:
        _stated_of_underlying(task)
    _ask_as_of_end([Place(task, What.SPOT, 1, task.window.end, task.item.underlying) for task in settled], market)


def _spots_and_futures(tasks: Sequence[LegTask], market: Market) -> list[Place]:
    """Spot for futures and options; beside it, for options, the future that expires with them."""
    places: list[Place] = []
    for task in tasks:
        item, window = task.item, task.window
        if item.expires_at is None:
            continue
        places.append(Place(task, What.SPOT, 0, window.start, item.underlying))
        places.append(Place(task, What.SPOT, 1, window.end, item.underlying))
        if item.forward is not None and (market.asks_forwards or market.close_memory is not None):
            places += [Place(task, What.FORWARD, end, ending, item.forward) for end, ending in _alive(window)]
    return places


def _alive(window: Window) -> list[tuple[int, Ending]]:
    """Ends before expiry; at expiry the forward is the settlement value itself: nothing to ask."""
    ends = enumerate((window.start, window.end))
    return [(end, ending) for end, ending in ends if ending.kind is not EndKind.PAYOFF]


def _ask_as_of_end(places: Sequence[Place], market: Market) -> None:
    """Ask the price that an instrument had at the end of a window it stands beside.

    At a close the official one comes first: a price of some other instant of that date is only a stopgap.
    """
    places = [place for place in places if place.lacks]
    at_close = [place for place in places if _ends_at_close(place)]
    if at_close:
        _ask(at_close, _close_of, market.closes)
        places = [place for place in places if place.lacks]
    if not market.asks_forwards:
        places = [place for place in places if place.what is not What.FORWARD]
    if market.given is not None:
        places = [place for place in places if not _is_stated(place, market.given)]
    _ask(places, _price_at, market.prices_at)
    _ask([place for place in places if place.ending.kind is EndKind.MARK and place.lacks], _quote_of, market.quotes)


def _parity_prices(tasks: Sequence[LegTask], market: Market) -> None:
    """Call and put of an option's strike, where it has no future and lies near enough to the money."""
    places: list[Place] = []
    for task in tasks:
        option, twins = task.item.leg.instrument, task.item.call_and_put
        if twins is None or not isinstance(option, Option):
            continue
        alive = _alive(task.window)
        if not any(task.lacks(What.FORWARD, end) for end, _ in alive):
            continue
        for end, ending in alive:
            spot = task.answers[What.SPOT][end]
            if isinstance(spot, Missing) or parity_is_sound(option.strike, spot.value):
                places += [Place(task, what, end, ending, twin) for what, twin in zip(CALL_AND_PUT, twins, strict=True)]
    _ask_as_of_end(places, market)


def _is_stated(place: Place, given: GivenPrices) -> bool:
    """Whether the caller gave the price of this very instant, which then is the answer."""
    answer = given.stated_at(place.instrument, place.ending.at)
    if not isinstance(answer, Price):
        return False
    place.task.settle(place.what, place.end, answer)
    return True


def _ends_at_close(place: Place) -> bool:
    """Whether the official close of the session is the price at this end; a fill may be of that very instant."""
    kind = place.ending.kind
    if kind is EndKind.PAYOFF:
        instrument = place.task.item.leg.instrument
        return isinstance(instrument, DATED) and instrument.settlement is Settlement.CLOSE
    return place.ending.at_close and kind is not EndKind.MARK
