"""Shoonya (Noren) as a source of prices and books: the calls. What they answer is read in ``parse`` and ``symbols``.

Nothing here can change anything at the broker: no route that places, modifies or cancels is known.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from types import TracebackType
from typing import Any, Self

from attribution.errors import BrokerError, SymbolError
from attribution.instruments import Index, Instrument
from attribution.market.bars import prices_from_bars
from attribution.market.marks import DEFAULT_MAX_AGE, mark_of
from attribution.market.quotes import Answer, Bar, Bars, BarsOf, Book, CloseOf, FillOf, Missing, PriceAt, QuoteOf
from attribution.symbols import format_symbol
from brokers.base import (
    BrokerOrder,
    BrokerPosition,
    BrokerTrade,
    Health,
    LoginNeededError,
    OutOfReachError,
    Secret,
    ask_all,
    executions_by_order,
    fill_from_trades,
)
from brokers.history import Find, History
from brokers.rest import RestClient
from brokers.scrips import Scrip, ScripCache, ScripList
from brokers.shoonya.parse import (
    INDIA,
    bars_of,
    book_of,
    closes_of,
    error_of,
    order_of,
    position_of,
    rows_of,
    trade_of,
)
from brokers.shoonya.session import API, ShoonyaCredentials, authorize_url, body_of, exchange_code
from brokers.shoonya.symbols import parse_master, parse_tsym, segment_of

__all__ = ["BASE_URL", "ShoonyaBroker"]

BASE_URL = "https://api.shoonya.com"

#: Shoonya publishes no rate limit: a cautious guess. [1/s]
PER_SECOND = 2.0

_MINUTES_DAYS = 5
"""A longer range of 1-minute bars is answered 504. [calendar days]"""
_DAILY_DAYS = 365
"""Daily bars are cut to the newest 1201 without a word: ask for fewer. [calendar days]"""
_HISTORY_ROUTES = frozenset({"TPSeries", "EODChartData"})
_NO_DATA = "no data"
_ENDED = ("session expired", "invalid session", "invalid access token")


def _now() -> datetime:
    return datetime.now(UTC)


class ShoonyaBroker:
    """Prices, closes, marks, fills and books from one Shoonya account. Read only; thread-safe; close it after use.

    Parameters
    ----------
    credentials
        See :class:`~brokers.shoonya.session.ShoonyaCredentials`; without tokens, :meth:`log_in` comes first.
    rest
        The client to speak through; it carries rate limit, patience and transport.
    max_workers
        Calls under way at a time.
    max_age
        Quotes older than this are not used.
    now
        The clock: a zone-aware instant.
    """

    asks_in_bulk = True
    """Whole batches are joined into few requests here, better than one question at a time from outside."""

    name = "Shoonya"

    def __init__(
        self,
        credentials: ShoonyaCredentials,
        *,
        rest: RestClient | None = None,
        max_workers: int = 4,
        max_age: timedelta = DEFAULT_MAX_AGE,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._rest = rest or RestClient(self.name, BASE_URL, per_second=PER_SECOND)
        self._max_workers, self._max_age, self._now = max_workers, max_age, now
        self._scrips = ScripCache(self._load_scrips)
        self._lock = threading.Lock()
        self._take(credentials)
        hint = "its 1-minute bars begin in March 2025, and it often answers empty around midnight and on holidays"
        self._minutes = History(self.name, _MINUTES_DAYS, max_workers, hint)
        hint = "Shoonya's daily bars come late and are at times empty: give the close, or ask another source"
        self._daily = History(self.name, _DAILY_DAYS, max_workers, hint)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, *, rest: RestClient | None = None) -> Self:
        """Build from the variables that :meth:`ShoonyaCredentials.from_environment` names."""
        return cls(ShoonyaCredentials.from_environment(environ), rest=rest)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ShoonyaBroker(user_id={self._credentials.user_id!r})"

    def close(self) -> None:
        """Close all connections."""
        self._rest.close()

    # -- session

    def authorize_url(self) -> str:
        """Return the page at which the account's holder logs in; it leads back with the code for :meth:`log_in`."""
        return authorize_url(self._credentials.client_id)

    def log_in(self, code: str | Secret) -> ShoonyaCredentials:
        """Exchange the code of a login for tokens, use them from now on, and return them for the next program."""
        credentials = exchange_code(self._rest, self._credentials, code)
        self._take(credentials)
        return credentials

    def health(self) -> Health:
        """Say whether Shoonya could be asked now, and what is missing. Never raises."""
        missing = self._credentials.missing()
        if missing:
            return Health(self.name, configured=False, missing=missing)
        try:
            self._call("Limits", self._account())
        except LoginNeededError as exc:
            return Health(self.name, configured=True, reachable=True, missing=("a new login",), detail=str(exc))
        except BrokerError as exc:
            reachable = not isinstance(exc, OutOfReachError)
            return Health(self.name, configured=True, reachable=reachable, detail=str(exc))
        return Health(self.name, configured=True, reachable=True, session_valid=True)

    def load_scrips(self, *, refresh_mapping: bool = False) -> int:
        """Read the symbol master files now instead of at the first question; return how many lines we know."""
        today = self._now().astimezone(INDIA).date()
        files = ("NSE", "NFO", "BSE", "BFO")
        return sum(len(self._scrips.get(file, today, refresh_mapping=refresh_mapping)) for file in files)

    # -- the market's questions

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices at instants, from 1-minute bars."""
        return prices_from_bars(wanted, self.minute_bars)

    def minute_bars(self, wanted: Sequence[BarsOf]) -> list[Bars | Missing]:
        """Sessions of 1-minute bars."""
        find = self._finder(ask.instrument for ask in wanted)
        return self._minutes.minute_bars(wanted, find, self._fetch_minutes, self._now())

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Session closes, from daily bars."""
        find = self._finder(ask.instrument for ask in wanted)

        def find_daily(instrument: Instrument) -> Scrip | Missing:
            if isinstance(instrument, Index) and instrument.exchange == "BSE":
                return Missing("Shoonya has no daily bars of BSE's indices: give the close, or ask another source")
            return find(instrument)

        return self._daily.closes(wanted, find_daily, self._fetch_days, self._now())

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        """Marks now, one call per instrument."""
        find = self._finder(ask.instrument for ask in wanted)
        scrips = [find(ask.instrument) for ask in wanted]
        asked = [scrip for scrip in scrips if isinstance(scrip, Scrip)]
        read_at = self._now()
        books = dict(zip(asked, ask_all(asked, self._fetch_book, max_workers=self._max_workers), strict=True))
        took = self._now() - read_at

        def answer(ask: QuoteOf, scrip: Scrip | Missing) -> Answer:
            book = books[scrip] if isinstance(scrip, Scrip) else scrip
            if isinstance(book, Missing):
                return book
            return mark_of(book, ask.now, self.name, read_at=read_at, took=took, max_age=self._max_age)

        return [answer(ask, scrip) for ask, scrip in zip(wanted, scrips, strict=True)]

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Fill prices of the current day's orders, by the order ids that the trade carries."""
        if not any(ask.keys for ask in wanted):
            return [fill_from_trades(ask, {}, self.name) for ask in wanted]
        executions = executions_by_order(self.trades(), self.orders())
        return [fill_from_trades(ask, executions, self.name) for ask in wanted]

    # -- books

    def orders(self) -> list[BrokerOrder]:
        """The orders of the current day."""
        rows = rows_of("OrderBook", self._call("OrderBook", {"uid": self._credentials.user_id}))
        return [order_of(row, self._instrument) for row in rows]

    def trades(self) -> list[BrokerTrade]:
        """The executions of the current day."""
        rows = rows_of("TradeBook", self._call("TradeBook", self._account()))
        return [trade_of(row, self._instrument) for row in rows]

    def positions(self) -> list[BrokerPosition]:
        """What the account holds in contracts, and what it traded today."""
        rows = rows_of("PositionBook", self._call("PositionBook", self._account()))
        return [position_of(row, self._instrument) for row in rows]

    # -- calls

    def _take(self, credentials: ShoonyaCredentials) -> None:
        self._rest.hide(credentials.access_token, credentials.user_token, credentials.client_secret)
        with self._lock:
            self._credentials = credentials

    def _account(self) -> dict[str, str]:
        user_id = self._credentials.user_id
        return {"uid": user_id, "actid": user_id}

    def _call(self, route: str, data: Mapping[str, str]) -> Any:
        """Send one read; None for "no data". Raises BrokerError for every other error of Shoonya's."""
        credentials = self._credentials
        path = f"{API}/{route}"
        if credentials.missing():
            raise self._rest.login_needed(path, f"not configured: {', '.join(credentials.missing())}")
        with_user_token = route in _HISTORY_ROUTES or not credentials.access_token
        body, headers = body_of(data, credentials.user_token if with_user_token else None)
        if credentials.access_token:
            headers["Authorization"] = f"Bearer {credentials.access_token.reveal()}"
        payload = self._rest.json("POST", path, content=body, headers=headers, accept=(400,))
        failure = error_of(payload)
        if failure is None:
            return payload
        if _NO_DATA in failure.lower():
            return None
        if any(words in failure.lower() for words in _ENDED):
            raise self._rest.login_needed(path, failure)
        raise self._rest.error(path, failure)

    def _fetch_book(self, scrip: Scrip) -> Book | Missing:
        data = {"uid": self._credentials.user_id, "exch": scrip.segment, "token": scrip.code}
        payload = self._call("GetQuotes", data)
        if payload is None:
            return Missing(f"no quote of {scrip.symbol}: {_NO_DATA}")
        return book_of(payload, scrip)

    def _fetch_minutes(self, scrip: Scrip, first: date, last: date) -> list[Bar]:
        start, end = _midnight(first, INDIA), _midnight(last + timedelta(days=1), INDIA)
        data = {
            "uid": self._credentials.user_id,
            "exch": scrip.segment,
            "token": scrip.code,
            "st": start,
            "et": end,
            "intrv": "1",
        }
        return bars_of(self._call("TPSeries", data))

    def _fetch_days(self, scrip: Scrip, first: date, last: date) -> dict[date, float]:
        # A daily bar stands at midnight of UTC: a day more at both ends cannot miss one.
        margin = timedelta(days=1)
        # An index goes by its display name there ("Nifty 50"), which the master file has.
        data = {
            "uid": self._credentials.user_id,
            "sym": f"{scrip.segment}:{scrip.display or scrip.symbol}",
            "from": _midnight(first - margin, UTC),
            "to": _midnight(last + margin, UTC),
        }
        return closes_of(self._call("EODChartData", data))

    # -- names

    def _load_scrips(self, segment: str) -> ScripList:
        response = self._rest.send("GET", f"/{segment}_symbols.txt.zip")
        return parse_master(segment, response.content)

    def _list(self, segment: str) -> ScripList:
        return self._scrips.get(segment, self._now().astimezone(INDIA).date())

    def _finder(self, instruments: Iterable[Instrument]) -> Find:
        """Read the master files that a batch needs, and return the look-up in them."""
        segments = list(dict.fromkeys(filter(None, map(segment_of, instruments))))
        lists = dict(zip(segments, ask_all(segments, self._list, max_workers=self._max_workers), strict=True))

        def find(instrument: Instrument) -> Scrip | Missing:
            segment = segment_of(instrument)
            if segment is None:
                return Missing(f"Shoonya does not trade on {instrument.exchange}")
            found = lists[segment]
            if isinstance(found, Missing):
                return found
            absent = f"{format_symbol(instrument)} is not in Shoonya's list of {segment}, which has what trades now"
            return found.of(instrument) or Missing(absent)

        return find

    def _instrument(self, segment: str, symbol: str) -> Instrument | None:
        """Read a trading symbol by its text, or in the master file where the text does not tell."""
        try:
            return parse_tsym(segment, symbol)
        except SymbolError:
            if segment not in ("NSE", "NFO", "BSE", "BFO"):
                return None
            scrip = self._list(segment).by_symbol(segment, symbol)
            return None if scrip is None else scrip.instrument


def _midnight(day: date, zone: Any) -> str:
    return str(int(datetime.combine(day, time(), zone).timestamp()))
