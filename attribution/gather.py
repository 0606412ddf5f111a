"""Every price a batch of legs needs, each distinct question asked once.

What is asked for, in which order and with which fallback is decided here and nowhere else; what is at hand without
asking (:mod:`attribution.stated`) comes first; who answers the rest is the business of the
:class:`~attribution.market.source.Market`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple, TypeVar

from attribution.instruments import DATED, Instrument, Option, Settlement
from attribution.market.quotes import Answer, CloseOf, FillOf, Missing, PriceAt, QuoteOf
from attribution.market.source import Market
from attribution.parity import parity_is_sound
from attribution.stated import (
    close_is_at_hand,
    fill_is_at_hand,
    fill_is_given,
    leg_is_stated,
    mtm_is_at_hand,
    price_is_given,
    state_underlying,
)
from attribution.task import CALL, FORWARD, PRICE, PUT, SIDES, SPOT, LegTask, What
from attribution.window import CLOSE, FILL, LIVE, MARK, PAYOFF, Ending, Window

__all__ = ["gather", "gather_own_prices", "gather_underlyings"]

CALL_AND_PUT = (CALL, PUT)

Question = TypeVar("Question", bound=Hashable)


class Place(NamedTuple):
    """Where an answer is waited for: a price of a leg at an end of its window; ``instrument`` is whose price it is."""

    task: LegTask
    what: What
    end: int
    ending: Ending
    instrument: Instrument

    @property
    def lacks(self) -> bool:
        """Whether no price was found yet."""
        return self.task.lacks(self.what, self.end)


def gather(tasks: Sequence[LegTask], market: Market) -> None:
    """Fill in the answers of every live task."""
    live = [task for task in tasks if task.window.phase is LIVE]
    _leg_prices(live, market)
    gather_underlyings(live, market)


def gather_own_prices(tasks: Sequence[LegTask], market: Market) -> None:
    """Fill in the legs' own prices alone, and the settlement values that payoffs are made of."""
    live = [task for task in tasks if task.window.phase is LIVE]
    _leg_prices(live, market)
    settled = [task for task in live if task.window.end.kind is PAYOFF]
    for task in settled:
        state_underlying(task)
    found = [_place(task, SPOT, 1, task.item.underlying, market) for task in settled]
    _ask_as_of_end([place for place in found if place is not None], market)


def gather_underlyings(tasks: Sequence[LegTask], market: Market) -> None:
    """Fill in what moves live legs: spots, futures, and what parity needs where there is no future."""
    for task in tasks:
        state_underlying(task)
    _ask_as_of_end(_spots_and_futures(tasks, market), market)
    if market.asks_parity:
        _parity_prices(tasks, market)


def _place(task: LegTask, what: What, end: int, instrument: Instrument, market: Market) -> Place | None:
    """Where the price of an instrument as of an end of the window is waited for; None where it is at hand.

    None too for a future's where nobody could know it.
    """
    if not task.lacks(what, end):
        return None
    ending = task.ending(end)
    if _ends_at_close(task, ending):
        memory = market.close_memory
        at_hand = memory is not None and close_is_at_hand(task, what, end, instrument, "", memory, ending.session)
    else:
        given = market.given
        at_hand = given is not None and price_is_given(task, what, end, instrument, given, ending.at)
    if at_hand or (what is FORWARD and not market.asks_forwards):
        return None
    return Place(task, what, end, ending, instrument)


def _ask(
    places: Sequence[Place],
    question_of: Callable[[Place], Question],
    ask: Callable[[Sequence[Question]], list[Answer]],
) -> None:
    """Ask each distinct question once and hand the answer to every place that waits for it."""
    if not places:
        return
    if len(places) == 1:
        place = places[0]
        (answer,) = ask([question_of(place)])
        place.task.settle(place.what, place.end, answer)
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
    own = place.what is PRICE
    return CloseOf(place.instrument, place.ending.session, place.task.item.leg.symbol if own else "")


def _fill_of(place: Place) -> FillOf:
    trade, side = place.task.trade, SIDES[place.end]
    keys = trade.exit_keys if place.end else trade.entry_keys
    return FillOf(place.instrument, place.task.item.leg.symbol, side, place.ending.at, keys)


def _leg_prices(tasks: Sequence[LegTask], market: Market) -> None:
    fills, exits, marks, closes = _waiting(tasks, market)
    if exits:
        _known_exits(exits, market)
    _ask(fills, _fill_of, market.fills)
    if marks:
        # The exit that is on record is not a mark: it lies ahead, or belongs to the closed part.
        open_ones = [place for place in marks if place.task.trade.exit_time is None and place.task.exit_fill is None]
        unstated = [place for place in open_ones if not leg_is_stated(place.task, place.end)]
        if market.stated_fill_sources:
            given = market.given_fills
            asked = [p for p in unstated if given is None or not fill_is_given(p.task, p.end, given)]
            _ask(asked, _fill_of, market.stated_fills)
        lacking = [p for p in marks if p.lacks and not mtm_is_at_hand(p.task, p.end)]
        _ask(lacking, _quote_of, market.quotes)
    _ask(closes, _close_of, market.closes)


def _waiting(tasks: Sequence[LegTask], market: Market) -> tuple[list[Place], list[Place], list[Place], list[Place]]:
    """The legs' own prices by what they are: fills, exits told before, marks, closes. A payoff is nobody's answer.

    Fills and closes that are at hand are settled.
    """
    fills: list[Place] = []
    exits: list[Place] = []
    marks: list[Place] = []
    closes: list[Place] = []
    given, memory = market.given_fills, market.close_memory
    for task in tasks:
        for end, ending in enumerate((task.window.start, task.window.end)):
            kind = ending.kind
            leg = task.item.leg
            if kind is FILL:
                if not fill_is_at_hand(task, end) and (given is None or not fill_is_given(task, end, given)):
                    waiting = exits if end and task.exit_fill is not None else fills
                    waiting.append(Place(task, PRICE, end, ending, leg.instrument))
            elif kind is MARK:
                marks.append(Place(task, PRICE, end, ending, leg.instrument))
            elif kind is CLOSE:
                told = (leg.instrument, leg.symbol)
                if memory is None or not close_is_at_hand(task, PRICE, end, *told, memory, ending.session):
                    closes.append(Place(task, PRICE, end, ending, leg.instrument))
    return fills, exits, marks, closes


def _known_exits(exits: Sequence[Place], market: Market) -> None:
    """Exits that were asked for already, and are not asked again; what the caller states of them comes first."""
    _ask(exits, _fill_of, market.stated_fills)
    for place in exits:
        if place.task.exit_fill is not None and place.lacks:
            place.task.settle(PRICE, 1, place.task.exit_fill)


def _spots_and_futures(tasks: Sequence[LegTask], market: Market) -> list[Place]:
    """Spot for futures and options; beside it, for options, the future that expires with them."""
    found: list[Place | None] = []
    forwards = market.asks_forwards or market.close_memory is not None
    before: LegTask | None = None
    for task in tasks:
        item = task.item
        if item.expires_at is None:
            continue
        if before is None or not _shares_spots(before, task):
            found.append(_place(task, SPOT, 0, item.underlying, market))
            found.append(_place(task, SPOT, 1, item.underlying, market))
        before = task
        if forwards and item.forward is not None:
            found += [_place(task, FORWARD, end, item.forward, market) for end in _alive(task.window)]
    return [place for place in found if place is not None]


def _shares_spots(before: LegTask, task: LegTask) -> bool:
    """Settle the spots of a leg by those at hand for the leg before it in the same combo, where they are the same."""
    if before.window is not task.window or before.trade is not task.trade:
        return False
    if before.lacks(SPOT, 0) or before.lacks(SPOT, 1) or before.item.underlying != task.item.underlying:
        return False
    task.answers[SPOT] = before.answers[SPOT].copy()
    return True


def _alive(window: Window) -> tuple[int, ...]:
    """Ends before expiry; at expiry the forward is the settlement value itself: nothing to ask."""
    return tuple(end for end, at in enumerate((window.start, window.end)) if at.kind is not PAYOFF)


def _ask_as_of_end(places: Sequence[Place], market: Market) -> None:
    """Ask the price that an instrument had at the end of a window it stands beside.

    At a close the official one comes first: a price of some other instant of that date is only a stopgap.
    """
    if not places:
        return
    at_close = [place for place in places if _ends_at_close(place.task, place.ending)]
    if at_close:
        _ask(at_close, _close_of, market.closes)
        places = [place for place in places if place.lacks and not _is_given(place, market)]
    _ask(places, _price_at, market.prices_at)
    _ask([place for place in places if place.ending.kind is MARK and place.lacks], _quote_of, market.quotes)


def _parity_prices(tasks: Sequence[LegTask], market: Market) -> None:
    """Call and put of an option's strike, where it has no future and lies near enough to the money."""
    places: list[Place | None] = []
    for task in tasks:
        option, twins = task.item.leg.instrument, task.item.call_and_put
        if twins is None or not isinstance(option, Option):
            continue
        alive = _alive(task.window)
        if not any(task.lacks(FORWARD, end) for end in alive):
            continue
        for end in alive:
            spot = task.answers[SPOT][end]
            if isinstance(spot, Missing) or parity_is_sound(option.strike, spot.value):
                both = zip(CALL_AND_PUT, twins, strict=True)
                places += [_place(task, what, end, twin, market) for what, twin in both]
    _ask_as_of_end([place for place in places if place is not None], market)


def _is_given(place: Place, market: Market) -> bool:
    """Whether the caller gave the price of this very instant, which no close was found for."""
    task, what, end, ending, instrument = place
    return market.given is not None and price_is_given(task, what, end, instrument, market.given, ending.at)


def _ends_at_close(task: LegTask, ending: Ending) -> bool:
    """Whether the official close of the session is the price at this end; a fill may be of that very instant."""
    kind = ending.kind
    if kind is PAYOFF:
        instrument = task.item.leg.instrument
        return isinstance(instrument, DATED) and instrument.settlement is Settlement.CLOSE
    return ending.at_close and kind is not MARK
