"""Alpaca's past: 1-minute bars and session closes, a hundred symbols to a call."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from attribution.calendars import Session
from attribution.instruments import Instrument
from attribution.market.bars import tidy_bars
from attribution.market.quotes import Answer, Bar, Bars, BarsOf, CloseOf, Missing, Price, PriceKind, Why
from brokers.alpaca.api import AlpacaApi, RefusedError
from brokers.alpaca.parse import Half, Ticker, closes_by_date, parse_bars, ticker_of
from brokers.base import ask_all, day_ranges
from brokers.history import find_session

__all__ = ["BarDesk", "in_halves", "in_parts", "rfc3339"]

_NEW_YORK = ZoneInfo("America/New_York")
_SYMBOLS_A_CALL = 100
_BARS_A_PAGE = "10000"
_CLOSE_DAYS = 92
# Free feeds run a quarter of an hour late, and a bar is computed again half a minute after it ended.
_SETTLING = timedelta(minutes=20)

Known: TypeAlias = tuple[Ticker, Session] | Missing
Found: TypeAlias = Mapping[tuple[Hashable, str], list[Bar] | Missing]


@dataclass(frozen=True, slots=True)
class _Call:
    """One question for bars: many symbols, one stretch of time, both ends included."""

    half: Half
    symbols: tuple[str, ...]
    timeframe: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class BarDesk:
    """Answers what bars can answer.

    ``stock_feed`` None leaves the feed of shares to the vendor; bars of options come from one only.
    """

    api: AlpacaApi
    source: str
    stock_feed: str | None
    now: Callable[[], datetime]

    def minute_bars(self, wanted: Sequence[BarsOf]) -> list[Bars | Missing]:
        """Return sessions of 1-minute bars."""
        known = [self._know(ask.instrument, ask.session) for ask in wanted]
        symbols: dict[tuple[Half, Session], list[str]] = {}
        for one in known:
            if not isinstance(one, Missing):
                symbols.setdefault((one[0].half, one[1]), []).append(one[0].symbol)
        calls = [
            ((half, session.date), _Call(half, part, "1Min", session.open, session.close))
            for (half, session), names in symbols.items()
            for part in in_parts(names)
        ]
        found = self._fetch(calls)
        return [one if isinstance(one, Missing) else self._session(*one, found) for one in known]

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Return the closes of daily bars."""
        known = [self._over(self._know(ask.instrument, ask.session)) for ask in wanted]
        symbols: dict[Half, dict[date, set[str]]] = {}
        for one in known:
            if not isinstance(one, Missing):
                symbols.setdefault(one[0].half, {}).setdefault(one[1].date, set()).add(one[0].symbol)
        calls = [call for half, by_day in symbols.items() for call in _daily_calls(half, by_day)]
        found = self._fetch(calls)
        return [one if isinstance(one, Missing) else self._close(*one, found) for one in known]

    def _know(self, instrument: Instrument, day: date) -> Known:
        ticker = ticker_of(instrument)
        if isinstance(ticker, Missing):
            return ticker
        session = find_session(instrument, day, self.now())
        return session if isinstance(session, Missing) else (ticker, session)

    def _over(self, known: Known) -> Known:
        """Leave out sessions whose daily bar may still change."""
        if not isinstance(known, Missing) and self.now() < known[1].close + _SETTLING:
            return Missing(f"the daily bar of {known[1].date} is not final yet")
        return known

    def _session(self, ticker: Ticker, session: Session, found: Found) -> Bars | Missing:
        rows = found[(ticker.half, session.date), ticker.symbol]
        if isinstance(rows, Missing):
            return rows
        # Shares trade from four to eight in New York: what lies outside the session is left out here.
        bars = tidy_bars(rows, session)
        if not bars:
            return Missing(f"Alpaca has no trade of {ticker.symbol} in the session of {session.date}")
        return Bars(bars, self.source, self.now() >= session.close + _SETTLING)

    def _close(self, ticker: Ticker, session: Session, found: Found) -> Answer:
        rows = found[(ticker.half, session.date), ticker.symbol]
        if isinstance(rows, Missing):
            return rows
        close = closes_by_date(rows).get(session.date)
        if close is None:
            return Missing(f"Alpaca has no daily bar of {ticker.symbol} on {session.date}: it did not trade")
        return Price(close, self.source, PriceKind.CLOSE, session.close)

    def _fetch(self, calls: Sequence[tuple[Hashable, _Call]]) -> Found:
        """Ask for bars; the answers by (key of the call, symbol)."""
        found: dict[tuple[Hashable, str], list[Bar] | Missing] = {}
        replies = ask_all([call for _, call in calls], self._ask)
        for (key, call), reply in zip(calls, replies, strict=True):
            for symbol in call.symbols:
                found[key, symbol] = reply if isinstance(reply, Missing) else reply[symbol]
        return found

    def _ask(self, call: _Call) -> dict[str, list[Bar] | Missing]:
        params = {"timeframe": call.timeframe, "start": rfc3339(call.start), "end": rfc3339(call.end)}
        params["limit"] = _BARS_A_PAGE
        if call.half is Half.STOCKS:
            # Prices as they were traded: a trade of before a split is in prices of before it.
            params["adjustment"] = "raw"
            params |= {} if self.stock_feed is None else {"feed": self.stock_feed}

        def ask(symbols: Sequence[str]) -> dict[str, list[Bar]]:
            return {symbol: parse_bars(rows) for symbol, rows in self.api.bars(call.half, symbols, params).items()}

        return in_halves(ask, call.symbols)


def _daily_calls(half: Half, by_day: Mapping[date, set[str]]) -> list[tuple[tuple[Half, date], _Call]]:
    """Cover days and symbols by few calls; a call that serves several days is there once for each."""
    calls = []
    for first, last in day_ranges(by_day, _CLOSE_DAYS):
        inside = [day for day in by_day if first <= day <= last]
        start, end = (datetime.combine(day, time(), _NEW_YORK) for day in (first, last))
        for part in in_parts(sorted({symbol for day in inside for symbol in by_day[day]})):
            call = _Call(half, part, "1Day", start, end)
            calls += [((half, day), call) for day in inside]
    return calls


def in_parts(symbols: Iterable[str]) -> list[tuple[str, ...]]:
    """Cut distinct symbols into as many as one call takes."""
    distinct = tuple(dict.fromkeys(symbols))
    return [distinct[i : i + _SYMBOLS_A_CALL] for i in range(0, len(distinct), _SYMBOLS_A_CALL)]


def rfc3339(instant: datetime) -> str:
    """Write an instant in UTC: a time without a zone would be taken for UTC there, whatever it was meant to be."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Reply = TypeVar("Reply")


def in_halves(
    ask: Callable[[Sequence[str]], Mapping[str, Reply]], symbols: Sequence[str]
) -> dict[str, Reply | Missing]:
    """Ask for all; if that is refused, for each half, so that one that the vendor does not know spoils no other."""
    try:
        return dict(ask(symbols))
    except RefusedError as exc:
        if len(symbols) == 1:
            unknown = "symbol" in str(exc) or "not found" in str(exc)
            return {symbols[0]: Missing(f"refused: {exc}", Why.UNKNOWN if unknown else Why.FAILED)}
    middle = len(symbols) // 2
    return in_halves(ask, symbols[:middle]) | in_halves(ask, symbols[middle:])
