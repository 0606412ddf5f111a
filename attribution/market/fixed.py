"""Sources made of the caller's own values: dicts, lists and callables.

They answer from what they were given and from nothing else. All values are checked here: a value that
is not a number is a :class:`~attribution.errors.TradeError`, a NaN or None is ``Missing``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from attribution.calendars import canonical_exchange, get_calendar
from attribution.errors import BrokerError, CalendarError, MarketDataError, SymbolError, TradeError
from attribution.fields import as_number
from attribution.instruments import Equity, Future, Index, Instrument
from attribution.market.quotes import Answer, CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf, Why
from attribution.symbols import format_symbol, parse_symbol, parse_underlying_name, underlying_of

__all__ = ["CloseTable", "LegPriceFunction", "LegPriceTable", "PriceFunction", "PriceTable", "UnderlyingPrice"]


class UnderlyingPrice(NamedTuple):
    """Spot and forward of an underlying at one instant, so that the basis can be told from the spot.

    ``forward`` is the price for delivery at the option's expiry [currency per unit], or a mapping from
    expiry (a date or ``"YYYYMMDD"``) to such prices, or None where only the spot is known.
    """

    spot: float
    forward: float | Mapping[Any, float] | None = None


SpotValue: TypeAlias = float | UnderlyingPrice | tuple[float, float] | Mapping[str, Any] | None

#: What a callable of the caller may raise to say "I could not answer"; anything else is its bug and is raised.
SOURCE_ERRORS = (LookupError, OSError, ValueError, BrokerError, MarketDataError)


@lru_cache(maxsize=65536)
def _canonical(symbol: str, exchange: str | None) -> tuple[str, str | None]:
    """Return canonical text and exchange of a key; an unreadable symbol stands for itself."""
    try:
        instrument = parse_symbol(symbol, exchange=exchange)
    except SymbolError:
        try:
            instrument = parse_underlying_name(symbol, exchange=exchange)
        except SymbolError:
            return symbol, exchange
    return format_symbol(instrument), instrument.exchange


def _as_underlying_price(field: str, value: object) -> UnderlyingPrice | None:
    if isinstance(value, UnderlyingPrice):
        spot, forward = value.spot, value.forward
    elif isinstance(value, tuple):
        if len(value) != 2:
            raise TradeError(field, value, "a price, or a pair (spot, forward)")
        spot, forward = value
    elif isinstance(value, Mapping):
        if "spot" not in value:
            raise TradeError(field, value, 'a price, or a mapping with "spot" and "forward"')
        spot, forward = value["spot"], value.get("forward")
    else:
        spot, forward = as_number(field, value), None  # type: ignore[assignment]
    checked = as_number(field, spot)
    return None if checked is None else UnderlyingPrice(checked, forward)


def _forward_for(field: str, quoted: UnderlyingPrice, expiry: date) -> float | None:
    forward = quoted.forward
    if isinstance(forward, Mapping):
        for key in (expiry, expiry.strftime("%Y%m%d"), expiry.isoformat()):
            if key in forward:
                return as_number(field, forward[key])
        return None
    return as_number(field, forward)


def _answer(value: float | None, name: str, kind: PriceKind, at: datetime, what: str) -> Answer:
    if value is None:
        return Missing(f"{what} is given as NaN or None")
    return Price(value, name, kind, at)


class _Series:
    """The given prices of one symbol, by instant."""

    __slots__ = ("_by_date", "_by_instant")

    def __init__(self) -> None:
        self._by_instant: dict[datetime, object] = {}
        self._by_date: dict[date, list[datetime]] = {}

    def add(self, at: datetime, value: object) -> None:
        if at not in self._by_instant:
            self._by_date.setdefault(at.date(), []).append(at)
        self._by_instant[at] = value

    def exact(self, at: datetime) -> tuple[object, datetime] | None:
        return (self._by_instant[at], at) if at in self._by_instant else None

    def daily(self, day: date) -> tuple[object, datetime] | None:
        """The value of a date-typed or midnight key."""
        for at in self._by_date.get(day, ()):
            if at.time() == time(0):
                return self._by_instant[at], at
        return None

    def only(self, day: date) -> tuple[object, datetime] | None:
        """The value of the only key of a date."""
        instants = self._by_date.get(day, ())
        return (self._by_instant[instants[0]], instants[0]) if len(instants) == 1 else None

    def count(self, day: date) -> int:
        return len(self._by_date.get(day, ()))


class PriceTable:
    """Prices by (symbol, exchange, time), from a dict or a list.

    ``{(symbol, exchange, time): price}``, ``{(symbol, time): price}``, or an iterable of
    ``(symbol, exchange, time, price)`` / ``(symbol, time, price)``. A price of an underlying may be an
    :class:`UnderlyingPrice` (or a plain pair, or a mapping with ``spot`` and ``forward``). A forward may also
    stand under the symbol of the future that expires with the option.

    Look-up: the exact instant; else a date-typed or midnight key of that date, or the only key of that date
    (both answered as ``PriceKind.DAILY``); several candidates are a ``Missing`` with the reason.
    """

    def __init__(self, prices: Mapping[Any, SpotValue] | Iterable[Sequence[Any]], name: str = "spot_prices") -> None:
        self.name = name
        self._series: dict[tuple[str, str | None], _Series] = {}
        rows = (
            ((*key, value) if isinstance(key, tuple) else (key, value) for key, value in prices.items())
            if isinstance(prices, Mapping)
            else prices
        )
        for row in rows:
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
            text, home = _canonical(symbol, venue)
            instant = get_calendar(venue or home or "NSE").localize(at)
        except CalendarError as exc:
            raise TradeError(self.name, row, str(exc)) from exc
        self._series.setdefault((text, venue), _Series()).add(instant, value)

    def _series_of(self, instrument: Instrument) -> Iterable[_Series]:
        text = format_symbol(instrument)
        for venue in (instrument.exchange, None):
            if (series := self._series.get((text, venue))) is not None:
                yield series

    def _find(self, instrument: Instrument, at: datetime) -> tuple[object, datetime, bool] | Missing:
        day = at.date()
        crowded = 0
        for series in self._series_of(instrument):
            if (hit := series.exact(at)) is not None:
                return (*hit, True)
            if (hit := series.daily(day) or series.only(day)) is not None:
                return (*hit, False)
            crowded += series.count(day)
        what = f"{format_symbol(instrument)} on {instrument.exchange}"
        if crowded:
            return Missing(f"{crowded} prices of {what} on {day}, none of them at {at:%H:%M:%S}")
        return Missing(f"no price of {what} at {at:%Y-%m-%d %H:%M:%S}")

    def _priced(self, instrument: Instrument, found: tuple[object, datetime, bool]) -> Answer:
        value, at, exact = found
        quoted = _as_underlying_price(self.name, value)
        kind = PriceKind.GIVEN if exact else PriceKind.DAILY
        what = f"{format_symbol(instrument)} at {at:%Y-%m-%d %H:%M:%S}"
        return _answer(None if quoted is None else quoted.spot, self.name, kind, at, what)

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices at instants, by the look-up rule of the class."""
        return [self._price_at(ask) for ask in wanted]

    def _price_at(self, ask: PriceAt) -> Answer:
        found = self._find(ask.instrument, ask.at)
        if not isinstance(found, Missing):
            return self._priced(ask.instrument, found)
        if isinstance(ask.instrument, Future):
            beside = self._find(underlying_of(ask.instrument), ask.at)
            if not isinstance(beside, Missing):
                return self._forward_beside(ask.instrument, beside)
        return found

    def _forward_beside(self, future: Future, found: tuple[object, datetime, bool]) -> Answer:
        value, at, exact = found
        quoted = _as_underlying_price(self.name, value)
        forward = None if quoted is None else _forward_for(self.name, quoted, future.expiry)
        if forward is None:
            return Missing(f"no forward beside the spot for {format_symbol(future)}")
        return Price(forward, self.name, PriceKind.GIVEN if exact else PriceKind.DAILY, at)

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Closes: a price at the very instant of the close, or a date-typed key of that date."""
        return [self._close(ask) for ask in wanted]

    def _close(self, ask: CloseOf) -> Answer:
        session = get_calendar(ask.instrument.exchange).session_on(ask.session)
        for series in self._series_of(ask.instrument):
            hit = None if session is None else series.exact(session.close)
            hit = hit or series.daily(ask.session)
            if hit is not None:
                answer = self._priced(ask.instrument, (*hit, True))
                return _as_close(answer)
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
                return self._priced(instrument, (*hit, True))
        return Missing(f"no price of {format_symbol(instrument)} at exactly {at:%Y-%m-%d %H:%M:%S}")


def _as_close(answer: Answer) -> Answer:
    if isinstance(answer, Price):
        return Price(answer.value, answer.source, PriceKind.CLOSE, answer.time)
    return answer


class PriceFunction:
    """Underlying prices from a callable ``(underlying_symbol, exchange, time) -> price``.

    It is called with the canonical symbol of an underlying (``"NIFTY_IND___"``), its exchange code and a
    zone-aware datetime, once per distinct question. It may return a number, an :class:`UnderlyingPrice`,
    a pair (spot, forward), or None for "not known".
    """

    def __init__(self, function: Callable[[str, str, datetime], SpotValue], name: str = "spot_prices") -> None:
        self.name = name
        self._function = function
        self._seen: dict[tuple[str, str, datetime], UnderlyingPrice | Missing] = {}

    def _call(self, symbol: str, exchange: str, at: datetime) -> UnderlyingPrice | Missing:
        key = (symbol, exchange, at)
        if key not in self._seen:
            self._seen[key] = self._ask(symbol, exchange, at)
        return self._seen[key]

    def _ask(self, symbol: str, exchange: str, at: datetime) -> UnderlyingPrice | Missing:
        what = f"{symbol} on {exchange} at {at:%Y-%m-%d %H:%M:%S}"
        try:
            value = self._function(symbol, exchange, at)
        except TradeError:
            raise
        except SOURCE_ERRORS as exc:
            return Missing(f"the callable failed for {what}: {exc!r}", Why.FAILED)
        quoted = _as_underlying_price(self.name, value)
        return Missing(f"the callable knows no {what}") if quoted is None else quoted

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices of underlyings, and of the futures whose forward was returned beside the spot."""
        return [self._price_at(ask) for ask in wanted]

    def _price_at(self, ask: PriceAt) -> Answer:
        instrument = ask.instrument
        if not isinstance(instrument, Equity | Index | Future):
            return Missing("the callable is asked for underlyings only")
        underlying = underlying_of(instrument)
        quoted = self._call(format_symbol(underlying), underlying.exchange, ask.at)
        if isinstance(quoted, Missing):
            return quoted
        if not isinstance(instrument, Future):
            return Price(quoted.spot, self.name, PriceKind.GIVEN, ask.at)
        forward = _forward_for(self.name, quoted, instrument.expiry)
        if forward is None:
            return Missing(f"no forward beside the spot for {format_symbol(instrument)}")
        return Price(forward, self.name, PriceKind.GIVEN, ask.at)


class LegPriceTable:
    """Leg fills from ``{leg: {"entry": x, "exit": y}}``, ``{leg: (x, y)}`` or ``[(leg, entry, exit)]``."""

    def __init__(
        self,
        prices: Mapping[str, Mapping[str, Any] | Sequence[Any]] | Iterable[Sequence[Any]],
        name: str = "leg_prices",
    ) -> None:
        self.name = name
        self._prices: dict[str, tuple[float | None, float | None]] = {}
        rows = prices.items() if isinstance(prices, Mapping) else (_leg_row(name, row) for row in prices)
        for leg, value in rows:
            if not isinstance(leg, str):
                raise TradeError(name, leg, "a leg symbol as text")
            self._prices[_canonical(leg, None)[0]] = self._pair(leg, value)

    def _pair(self, leg: str, value: object) -> tuple[float | None, float | None]:
        field = f"{self.name}[{leg!r}]"
        if isinstance(value, Mapping):
            unknown = set(value) - {"entry", "exit"}
            if unknown:
                raise TradeError(field, value, 'a mapping with the keys "entry" and "exit"')
            entry, leave = value.get("entry"), value.get("exit")
        elif isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
            entry, leave = value
        else:
            raise TradeError(field, value, '{"entry": x, "exit": y} or (entry, exit)')
        return as_number(f"{field} entry", entry), as_number(f"{field} exit", leave)

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """The given entry or exit price of each leg."""
        return [self._fill(ask) for ask in wanted]

    def _fill(self, ask: FillOf) -> Answer:
        for key in (format_symbol(ask.instrument), _canonical(ask.symbol, None)[0]):
            if key in self._prices:
                value = self._prices[key][0 if ask.side == "entry" else 1]
                if value is None:
                    return Missing(f"no {ask.side} price of {ask.symbol}")
                return Price(value, self.name, PriceKind.FILL, ask.at)
        return Missing(f"leg {ask.symbol} is not in it")


def _leg_row(name: str, row: Sequence[Any]) -> tuple[Any, tuple[Any, Any]]:
    if len(row) != 3:
        raise TradeError(name, row, "(leg, entry, exit)")
    return row[0], (row[1], row[2])


class LegPriceFunction:
    """Leg fills from a callable ``(leg, "entry" | "exit") -> price``; ``leg`` is the trade's own text."""

    def __init__(self, function: Callable[[str, Any], float | None], name: str = "leg_prices") -> None:
        self.name = name
        self._function = function

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """What the callable says of each leg."""
        return [self._fill(ask) for ask in wanted]

    def _fill(self, ask: FillOf) -> Answer:
        try:
            value = self._function(ask.symbol, ask.side)
        except TradeError:
            raise
        except SOURCE_ERRORS as exc:
            return Missing(f"the callable failed for {ask.symbol}, {ask.side}: {exc!r}", Why.FAILED)
        number = as_number(f"{self.name}({ask.symbol!r}, {ask.side!r})", value)
        if number is None:
            return Missing(f"the callable knows no {ask.side} price of {ask.symbol}")
        return Price(number, self.name, PriceKind.FILL, ask.at)


class CloseTable:
    """Session closes from the caller's ``historical_cache`` of ``(symbol, "YYYYMMDD")`` → close.

    The dict is read where it stands, so that closes added to it later are seen.
    """

    def __init__(self, closes: Mapping[Any, Any], name: str = "historical_cache") -> None:
        self.name = name
        self._closes = closes

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """The cached close of each instrument and session."""
        return [self._close(ask) for ask in wanted]

    def _close(self, ask: CloseOf) -> Answer:
        stamp = ask.session.strftime("%Y%m%d")
        for symbol in _spellings(ask):
            if (symbol, stamp) in self._closes:
                field = f"{self.name}[{symbol!r}, {stamp!r}]"
                value = as_number(field, self._closes[symbol, stamp])
                if value is None:
                    return Missing(f"the close of {symbol} on {ask.session} is NaN or None")
                session = get_calendar(ask.instrument.exchange).session_on(ask.session)
                return Price(value, self.name, PriceKind.CLOSE, None if session is None else session.close)
        return Missing(f"no close of {format_symbol(ask.instrument)} on {ask.session}")


def _spellings(ask: CloseOf) -> Iterable[str]:
    """The ways in which a close may be keyed: canonical, as the trade wrote it, and the looser ones seen."""
    text = format_symbol(ask.instrument)
    yield text
    if ask.symbol and ask.symbol != text:
        yield ask.symbol
    if isinstance(ask.instrument, Future):
        yield text + "_"
    if isinstance(ask.instrument, Equity | Index):
        yield ask.instrument.name
