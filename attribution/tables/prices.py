"""Every price that lanes need, from the frame's own columns first, then from the market: each distinct question once.

The order of sources and fallbacks is that of :mod:`attribution.gather`. What columns cannot hold – a value of a whole
date, a source that failed, a forward to be implied by call and put – makes the lane odd: its row goes the row's way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution.calendars import NAT, day_table
from attribution.calendars.instants import from_epoch_us
from attribution.kernels.windows import End
from attribution.market.fixed import PriceColumns
from attribution.market.quotes import Answer, CloseOf, FillOf, Missing, PriceAt, PriceKind, QuoteOf, Side, Why
from attribution.market.source import Market
from attribution.parity import parity_is_sound
from attribution.tables.factors import combine, distinct
from attribution.tables.lanes import Lanes
from attribution.task import What
from attribution.trade import leg_fields

__all__ = ["LanePrices", "find_prices"]

_EPOCH = date(1970, 1, 1)
_SIDES: tuple[Side, Side] = ("entry", "exit")


@dataclass(slots=True)
class LanePrices:
    """Prices per lane at both ends of its window; NaN where there is none. [currency per unit]

    ``odd`` lanes are for the row's own way, ``settled`` ones took a settlement price for a close.
    """

    values: dict[tuple[What, int], NDArray[np.float64]]
    odd: NDArray[np.bool_]
    settled: NDArray[np.bool_]

    def at(self, what: What, end: int) -> NDArray[np.float64]:
        """Return the prices of one sort at one end."""
        return self.values[what, end]


def find_prices(lanes: Lanes, market: Market) -> LanePrices:
    """Find what every live lane needs; what nobody knows stays NaN."""
    size = lanes.size
    wanted = [(what, end) for what in (What.PRICE, What.SPOT, What.FORWARD) for end in (0, 1)]
    prices = LanePrices(
        {place: np.full(size, np.nan) for place in wanted}, np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    )
    live = lanes.live()
    for end in (0, 1):
        _own_prices(lanes, prices, live, market, end)
    for end in (0, 1):
        _underlying_prices(lanes, prices, live, market, What.SPOT, end)
        _underlying_prices(lanes, prices, live, market, What.FORWARD, end)
    if market.asks_parity:
        _mark_parity(lanes, prices, live)
    return prices


def _own_prices(lanes: Lanes, prices: LanePrices, live: NDArray[np.bool_], market: Market, end: int) -> None:
    """The legs' own prices: the row's, what it states of a leg, fills, marks and closes."""
    found = prices.at(What.PRICE, end)
    kind = lanes.kind(end)
    filled = live & (kind == End.FILL)
    marked = live & (kind == End.MARK) & (lanes.of_trade(lanes.book.exit_us[lanes.rows]) == NAT)
    single = ~lanes.combos
    _take(found, filled & single, lambda: _per_leg(lanes, _SIDES[end] + "_price"))
    stated = filled if end == 0 else filled | marked
    _take_stated(lanes, found, stated, end)
    if market.fill_sources:
        _ask_fills(lanes, prices, filled & np.isnan(found), market.fills, end)
    if end == 1:
        if market.stated_fill_sources:
            _ask_fills(lanes, prices, marked & np.isnan(found), market.stated_fills, end)
        running = live & (kind == End.MARK)
        _take(found, running & single & np.isnan(found), lambda: _per_leg(lanes, "mtm"))
        if market.quote_sources:
            _ask_quotes(lanes, prices, What.PRICE, running & np.isnan(found), market, end)
    closes = live & (kind == End.CLOSE)
    if market.close_sources:
        _ask_closes(lanes, prices, What.PRICE, closes, market, end)


def _take(found: NDArray[np.float64], where: NDArray[np.bool_], values: Callable[[], NDArray[np.float64]]) -> None:
    if where.any():
        np.copyto(found, values(), where=where)


def _per_leg(lanes: Lanes, field: str) -> NDArray[np.float64]:
    """A row's own price as that of its one leg."""
    prices: NDArray[np.float64] = lanes.of_trade(lanes.number(field)) / lanes.fact("ratio") + 0.0
    return prices


def _take_stated(lanes: Lanes, found: NDArray[np.float64], where: NDArray[np.bool_], end: int) -> None:
    """What the frame's columns say of legs one by one."""
    place = lanes.place
    for number in range(int(place.max(initial=-1)) + 1):
        field = leg_fields(number + 1)[end]
        if field in lanes.book.numbers:
            here = where & (place == number) & np.isnan(found)
            if here.any():
                np.copyto(found, lanes.of_trade(lanes.number(field)), where=here)


def _underlying_prices(
    lanes: Lanes, prices: LanePrices, live: NDArray[np.bool_], market: Market, what: What, end: int
) -> None:
    """The spot of what expires, and of an option the future that expires with it."""
    found = prices.at(what, end)
    number = lanes.fact("underlying" if what is What.SPOT else "future")
    wanted = live & (lanes.fact("expires_us") != NAT) & (number >= 0)
    kind = lanes.kind(end)
    if what is What.FORWARD:
        wanted &= kind != End.PAYOFF
    field = f"{what.name.lower()}_{_SIDES[end]}"
    if field in lanes.book.numbers:
        _take(found, wanted & _is_own_end(lanes, end), lambda: lanes.of_trade(lanes.number(field)))
    if what is What.FORWARD and not (market.asks_forwards or market.close_memory is not None):
        return
    if market.close_sources:
        _ask_closes(lanes, prices, what, wanted & lanes.takes_close(end) & np.isnan(found), market, end)
    if what is What.FORWARD and not market.asks_forwards:
        return
    if market.price_sources:
        _ask_instants(lanes, prices, what, wanted & np.isnan(found), market, end)
    if market.quote_sources:
        _ask_quotes(lanes, prices, what, wanted & (kind == End.MARK) & np.isnan(found), market, end)


def _is_own_end(lanes: Lanes, end: int) -> NDArray[np.bool_]:
    """Whether an end is the trade's entry, its exit, its mark or its last expiry."""
    kind = lanes.kind(end)
    filled: NDArray[np.bool_] = kind == End.FILL
    if end == 0:
        return filled
    is_open = lanes.of_trade(lanes.book.exit_us[lanes.rows]) == NAT
    last = lanes.of_trade(lanes.book.facts.keys["last_expiry_us"][lanes.book.key[lanes.rows]])
    ends = (kind == End.MARK) | ((kind == End.PAYOFF) & (lanes.fact("expires_us") == last))
    own: NDArray[np.bool_] = filled | (is_open & ends)
    return own


def _ask_fills(
    lanes: Lanes,
    prices: LanePrices,
    where: NDArray[np.bool_],
    ask: Callable[[Sequence[FillOf]], list[Answer]],
    end: int,
) -> None:
    items, zone = lanes.book.facts.items, lanes.calendar.zone

    def question(leg: int, at: int) -> FillOf:
        item = items[leg].leg
        return FillOf(item.instrument, item.symbol, _SIDES[end], from_epoch_us(at, zone))

    _ask(prices, What.PRICE, end, where, lanes.leg, lanes.at(end), question, ask)


def _ask_quotes(
    lanes: Lanes, prices: LanePrices, what: What, where: NDArray[np.bool_], market: Market, end: int
) -> None:
    instruments, zone = lanes.book.facts.instruments, lanes.calendar.zone
    _ask(
        *(prices, what, end, where, _instrument(lanes, what), lanes.at(end)),
        lambda number, at: QuoteOf(instruments[number], from_epoch_us(at, zone)),
        market.quotes,
    )


def _ask_instants(
    lanes: Lanes, prices: LanePrices, what: What, where: NDArray[np.bool_], market: Market, end: int
) -> None:
    instruments, zone = lanes.book.facts.instruments, lanes.calendar.zone
    number = _instrument(lanes, what)
    first = market.price_sources[0]
    if isinstance(first, PriceColumns) and where.any():
        first.fill_in(prices.at(what, end), where, number, lanes.at(end), instruments)
        where = where & np.isnan(prices.at(what, end))
        if len(market.price_sources) == 1:
            return
    _ask(
        *(prices, what, end, where, number, lanes.at(end)),
        lambda number, at: PriceAt(instruments[number], from_epoch_us(at, zone)),
        market.prices_at,
    )


def _ask_closes(
    lanes: Lanes, prices: LanePrices, what: What, where: NDArray[np.bool_], market: Market, end: int
) -> None:
    facts, first_day = lanes.book.facts, day_table(lanes.calendar.name).first_day

    def of_leg(leg: int, day: int) -> CloseOf:
        item = facts.items[leg].leg
        return CloseOf(item.instrument, _date(first_day + day), item.symbol)

    def of_instrument(number: int, day: int) -> CloseOf:
        return CloseOf(facts.instruments[number], _date(first_day + day))

    if what is What.PRICE:
        _ask(prices, what, end, where, lanes.leg, lanes.day(end), of_leg, market.closes)
    else:
        _ask(prices, what, end, where, _instrument(lanes, what), lanes.day(end), of_instrument, market.closes)


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)


def _instrument(lanes: Lanes, what: What) -> NDArray[np.int64]:
    names = {What.PRICE: "instrument", What.SPOT: "underlying", What.FORWARD: "future"}
    return lanes.fact(names[what])


def _ask(
    prices: LanePrices,
    what: What,
    end: int,
    where: NDArray[np.bool_],
    thing: NDArray[np.int64],
    when: NDArray[np.int64],
    question: Callable[[int, int], Any],
    ask: Callable[[Sequence[Any]], list[Answer]],
) -> None:
    """Ask each distinct (thing, when) of the lanes ``where`` once, and write the answers into their places."""
    places = np.flatnonzero(where)
    if not places.size:
        return
    moments, instants = distinct(when[places])
    number, (things, times) = combine([(thing[places], int(thing.max()) + 1), (moments, instants.size)])
    times = instants[times]
    answers = ask([question(*pair) for pair in zip(things.tolist(), times.tolist(), strict=True)])
    known = np.array([np.nan if isinstance(answer, Missing) else answer.value for answer in answers])
    prices.at(what, end)[places] = known[number]
    odd = np.array([_is_odd(answer) for answer in answers])
    if odd.any():
        prices.odd[places] |= odd[number]
    if what is What.PRICE:
        settled = np.array([not isinstance(a, Missing) and a.kind is PriceKind.SETTLEMENT for a in answers])
        prices.settled[places] |= settled[number]


def _is_odd(answer: Answer) -> bool:
    """Whether an answer says more than a number: an outage, or the one value of a whole date."""
    if isinstance(answer, Missing):
        return answer.why is Why.FAILED
    return answer.kind is PriceKind.DAILY


def _mark_parity(lanes: Lanes, prices: LanePrices, live: NDArray[np.bool_]) -> None:
    """Options whose forward a call and a put may tell."""
    option = live & (lanes.fact("right") != 0.0)
    strike = lanes.fact("strike")
    lacks = np.zeros(lanes.size, np.bool_)
    sound = np.ones(lanes.size, np.bool_)
    for end in (0, 1):
        alive = lanes.kind(end) != End.PAYOFF
        spot = prices.at(What.SPOT, end)
        lacks |= alive & np.isnan(prices.at(What.FORWARD, end))
        sound &= ~alive | np.isnan(spot) | parity_is_sound(strike, spot)
    prices.odd |= option & lacks & sound
