"""Prices by (symbol, exchange, time), from a dict or a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from itertools import chain
from typing import Any, TypeAlias

from attribution.calendars import canonical_exchange, get_calendar
from attribution.errors import CalendarError, TradeError
from attribution.fields import as_number, stamp
from attribution.instruments import Future, Instrument
from attribution.market.fixed.values import SpotValue, canonical_key, forward_of, spot_of
from attribution.market.quotes import Answer, CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf
from attribution.symbols import format_symbol, underlying_of

__all__ = ["PriceTable"]


_Given: TypeAlias = tuple[object, datetime, PriceKind]
"""A value as it was given, its instant, and whether it is of that instant or of the whole date."""

_NOTHING = object()


class _Series:
    """The given prices of one symbol, by instant."""

    __slots__ = ("_by_instant", "_dates")

    def __init__(self) -> None:
        self._by_instant: dict[datetime, object] = {}
        self._dates: dict[date, list[datetime]] | None = None

    def add(self, at: datetime, value: object) -> None:
        self._by_instant[at] = value
        self._dates = None

    def exact(self, at: datetime) -> _Given | None:
        value = self._by_instant.get(at, _NOTHING)
        return None if value is _NOTHING else (value, at, PriceKind.GIVEN)

    def daily(self, day: date) -> _Given | None:
        """The value of a date-typed or midnight key."""
        for at in self.of_date(day):
            if at.time() == time(0):
                return self._by_instant[at], at, PriceKind.DAILY
        return None

    def only(self, day: date) -> _Given | None:
        """The value of the only key of a date."""
        instants = self.of_date(day)
        return (self._by_instant[instants[0]], instants[0], PriceKind.DAILY) if len(instants) == 1 else None

    def of_date(self, day: date) -> Sequence[datetime]:
        """The keys of a date; sorted by date only when the first question needs it."""
        dates = self._dates
        if dates is None:
            dates = {}
            for at in self._by_instant:
                dates.setdefault(at.date(), []).append(at)
            self._dates = dates
        return dates.get(day, ())


class PriceTable:
    """Prices by (symbol, exchange, time), from a dict or a list.

    ``{(symbol, exchange, time): price}``, ``{(symbol, time): price}``, or an iterable of
    ``(symbol, exchange, time, price)`` / ``(symbol, time, price)``. A price of an underlying may be an
    :class:`UnderlyingPrice` (or a plain pair, or a mapping with ``spot`` and ``forward``). A forward may also
    stand under the symbol of the future that expires with the option.

    Look-up: the exact instant; else a date-typed or midnight key of that date, or the only key of that date
    (both answered as ``PriceKind.DAILY``); several candidates are a ``Missing`` with the reason. Of two keys of
    the same sort the one that names the exchange counts.
    """

    def __init__(self, prices: Mapping[Any, SpotValue] | Iterable[Sequence[Any]], name: str = "spot_prices") -> None:
        self.name = name
        self._series: dict[tuple[str, str | None], _Series] = {}
        self._found: dict[Instrument, list[_Series]] = {}
        self._holds_pairs = False
        self.holds_forwards = False
        """Whether it could know the price of any future."""
        if isinstance(prices, (dict, Mapping)):
            for key, value in prices.items():
                self._add((*key, value) if isinstance(key, tuple) else (key, value))
        else:
            for row in prices:
                self._add(tuple(row))

    def _add(self, row: tuple[Any, ...]) -> None:
        if len(row) == 4:
            symbol, exchange, at, value = row
        elif len(row) == 3:
            (symbol, at, value), exchange = row, None
        else:
            raise TradeError(self.name, row, "(symbol, exchange, time) or (symbol, time), with a price")
        if not isinstance(symbol, str):
            raise TradeError(self.name, symbol, "a symbol as text in the first place of the key")
        try:
            venue = None if exchange is None else canonical_exchange(exchange)
            key = canonical_key(symbol, venue)
            instant = get_calendar(venue or key.exchange or "NSE").localize(at)
        except CalendarError as exc:
            raise TradeError(self.name, row, str(exc)) from exc
        place = (key.text, venue)
        series = self._series.get(place)
        if series is None:
            series = self._series[place] = _Series()
        series.add(instant, value)
        pair = type(value) is not float and isinstance(value, (tuple, Mapping))
        self._holds_pairs |= pair
        self.holds_forwards |= pair or key.is_future

    def _series_of(self, instrument: Instrument) -> Sequence[_Series]:
        found = self._found.get(instrument)
        if found is None:
            text, every = format_symbol(instrument), self._series
            both = every.get((text, instrument.exchange)), every.get((text, None))
            found = self._found[instrument] = [series for series in both if series is not None]
        return found

    def _find(self, instrument: Instrument, at: datetime) -> _Given | Missing:
        # A date is a date of the instrument's own exchange, whatever zone the question came in.
        at = at.astimezone(get_calendar(instrument.exchange).zone)
        day = at.date()
        every = self._series_of(instrument)
        # A price of the very instant goes before one of the date, whether or not its key names the exchange.
        exact, daily = (series.exact(at) for series in every), (series.daily(day) for series in every)
        for hit in chain(exact, daily, (series.only(day) for series in every)):
            if hit is not None:
                return hit
        crowded = sum(len(series.of_date(day)) for series in every)
        what = f"{format_symbol(instrument)} on {instrument.exchange}"
        if crowded:
            return Missing(f"{crowded} prices of {what} on {day}, none of them at {at:%H:%M:%S}")
        return Missing(f"no price of {what} at {stamp(at)}")

    def _priced(self, instrument: Instrument, value: object, at: datetime, kind: PriceKind) -> Answer:
        try:
            spot = as_number(self.name, value if type(value) is float else spot_of(self.name, value))
        except TradeError as exc:
            raise TradeError(
                f"{self.name}[{format_symbol(instrument)} at {stamp(at)}]", exc.value, exc.allowed
            ) from None
        if spot is None:
            return Missing(f"{format_symbol(instrument)} at {stamp(at)} is given as NaN or None")
        return Price(spot, self.name, kind, at)

    def stated_at(self, instrument: Instrument, at: datetime) -> Answer | None:
        """The answer of :meth:`prices_at` where it is a price of this very instant, without a question being made."""
        series = self._series_of(instrument)
        if not series:
            return None
        zone = get_calendar(instrument.exchange).zone
        local = at if at.tzinfo is zone else at.astimezone(zone)
        hit = series[0].exact(local)
        if hit is None and len(series) > 1:
            hit = series[1].exact(local)
        return None if hit is None else self._priced(instrument, *hit)

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices at instants, by the look-up rule of the class."""
        return [self._price_at(ask) for ask in wanted]

    def _price_at(self, ask: PriceAt) -> Answer:
        found = self._find(ask.instrument, ask.at)
        if not isinstance(found, Missing):
            return self._priced(ask.instrument, *found)
        if self._holds_pairs and isinstance(ask.instrument, Future):
            beside = self._find(underlying_of(ask.instrument), ask.at)
            if not isinstance(beside, Missing):
                return self._forward_beside(ask.instrument, *beside)
        return found

    def _forward_beside(self, future: Future, value: object, at: datetime, kind: PriceKind) -> Answer:
        forward = forward_of(self.name, value, future.expiry)
        if forward is None:
            return Missing(f"no forward beside the spot for {format_symbol(future)}")
        return Price(forward, self.name, kind, at)

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Closes: a price at the very instant of the close, or a date-typed key of that date."""
        return [self._close(ask) for ask in wanted]

    def _close(self, ask: CloseOf) -> Answer:
        session = get_calendar(ask.instrument.exchange).session_on(ask.session)
        every = self._series_of(ask.instrument)
        exact = () if session is None else (series.exact(session.close) for series in every)
        for hit in chain(exact, (series.daily(ask.session) for series in every)):
            if hit is not None:
                value, at, _ = hit
                return self._priced(ask.instrument, value, at, PriceKind.CLOSE)
        return Missing(f"no close of {format_symbol(ask.instrument)} on {ask.session}")

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        """Current marks: a price given for exactly the instant that is now."""
        return [self._exactly(ask.instrument, ask.now) for ask in wanted]

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Leg fills: a price given for exactly the instant of the fill."""
        return [self._exactly(ask.instrument, ask.at) for ask in wanted]

    def _exactly(self, instrument: Instrument, at: datetime) -> Answer:
        for series in self._series_of(instrument):
            if (hit := series.exact(at)) is not None:
                return self._priced(instrument, *hit)
        return Missing(f"no price of {format_symbol(instrument)} at exactly {stamp(at)}")
