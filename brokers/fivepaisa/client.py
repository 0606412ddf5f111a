"""5paisa as a source of prices and books: the calls. What they answer is read in ``parse`` and ``symbols``.

Nothing here can change anything at the broker: no route that places, modifies or cancels is known.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from attribution.errors import BrokerError, SymbolError
from attribution.instruments import Index, Instrument
from attribution.market.bars import prices_from_bars
from attribution.market.marks import DEFAULT_MAX_AGE, mark_of
from attribution.market.quotes import Answer, Bar, Bars, BarsOf, Book, CloseOf, FillOf, Missing, PriceAt, QuoteOf, Why
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
from brokers.fivepaisa.parse import (
    INDIA,
    bars_of,
    body_of,
    candles_of,
    closes_of,
    depth_of,
    failure_of,
    is_ended,
    is_nothing,
    lasts_of,
    order_of,
    position_of,
    rows_of,
    trade_of,
    with_broker_ids,
)
from brokers.fivepaisa.session import API, FivePaisaCredentials, access_token, request_token, totp_code
from brokers.fivepaisa.symbols import parse_master, parse_name, segment_of
from brokers.history import Find, History
from brokers.rest import RestClient
from brokers.scrips import Scrip, ScripCache, ScripList

__all__ = ["BASE_URL", "FivePaisaBroker"]

BASE_URL = "https://Openapi.5paisa.com"

#: 5paisa publishes no rate limit; users report resets after some two hundred calls in a row. [1/s]
PER_SECOND = 3.0

_RANGE_DAYS = 30
"""Ranges beyond 60 days are answered empty; 30 work. [calendar days]"""
_SNAPSHOT_SCRIPS = 50
_MASTER = "All"


def _now() -> datetime:
    return datetime.now(UTC)


class FivePaisaBroker:
    """Prices, closes, marks, fills and books from one 5paisa account. Read only; thread-safe; close it after use.

    Parameters
    ----------
    credentials
        See :class:`~brokers.fivepaisa.session.FivePaisaCredentials`; without a token, :meth:`log_in` comes first.
    rest
        The client to speak through; it carries rate limit, patience and transport.
    max_workers
        Calls under way at a time.
    max_age
        Quotes older than this are not used; where 5paisa tells no time, they are as old as the moment they were read.
    now
        The clock: a zone-aware instant.
    """

    asks_in_bulk = True
    """Whole batches are joined into few requests here, better than one question at a time from outside."""

    name = "5paisa"

    def __init__(
        self,
        credentials: FivePaisaCredentials,
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
        self._minutes = History(self.name, _RANGE_DAYS, max_workers, "it keeps 1-minute bars for about 6 months")
        self._daily = History(self.name, _RANGE_DAYS, max_workers, "its daily bar of a session comes after the close")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, *, rest: RestClient | None = None) -> Self:
        """Build from the variables that :meth:`FivePaisaCredentials.from_environment` names."""
        return cls(FivePaisaCredentials.from_environment(environ), rest=rest)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"FivePaisaBroker(client_code={self._credentials.client_code!r})"

    def close(self) -> None:
        """Close all connections."""
        self._rest.close()

    # -- session

    def log_in(self, totp: str | None = None, *, request: str | Secret | None = None) -> FivePaisaCredentials:
        """Get an access token, use it from now on, and return the credentials for the next program of the day.

        Parameters
        ----------
        totp
            The six digits of the authenticator app; None computes them from the secret in the credentials.
        request
            A request token that 5paisa's login page gave; then no one-time password is needed.
        """
        credentials = self._credentials
        if request is None:
            if totp is None and credentials.totp_secret is None:
                then = "give the one-time password or FIVEPAISA_TOTP_SECRET"
                raise self._rest.login_needed(f"{API}/TOTPLogin", "cannot log in", then)
            if totp is None and credentials.totp_secret is not None:
                totp = totp_code(credentials.totp_secret, self._now())
            request = request_token(self._rest, credentials, totp or "")
        credentials = access_token(self._rest, credentials, Secret(request))
        self._take(credentials)
        return credentials

    def health(self) -> Health:
        """Say whether 5paisa could be asked now, and what is missing. Never raises."""
        missing = self._credentials.missing()
        if missing:
            return Health(self.name, configured=False, missing=missing)
        try:
            self._call("V3/OrderBook", {})
        except LoginNeededError as exc:
            return Health(self.name, configured=True, reachable=True, missing=("a new login",), detail=str(exc))
        except BrokerError as exc:
            reachable = not isinstance(exc, OutOfReachError)
            return Health(self.name, configured=True, reachable=reachable, detail=str(exc))
        return Health(self.name, configured=True, reachable=True, session_valid=True)

    def load_scrips(self, *, refresh_mapping: bool = False) -> int:
        """Read the scrip master now instead of at the first question; return how many lines we know."""
        return len(self._scrips.get(_MASTER, self._today(), refresh_mapping=refresh_mapping))

    # -- the market's questions

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices at instants, from 1-minute bars."""
        return prices_from_bars(wanted, self.minute_bars)

    def minute_bars(self, wanted: Sequence[BarsOf]) -> list[Bars | Missing]:
        """Sessions of 1-minute bars."""
        return self._minutes.minute_bars(wanted, self._finder(wanted), self._fetch_minutes, self._now())

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Session closes, from daily bars."""
        return self._daily.closes(wanted, self._finder(wanted), self._fetch_days, self._now())

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        """Marks now: the last trades of up to 50 instruments per call, and the depth of each, which an index lacks."""
        find = self._finder(wanted)
        scrips = [find(ask.instrument) for ask in wanted]
        read_at = self._now()
        books = self._books([scrip for scrip in dict.fromkeys(scrips) if isinstance(scrip, Scrip)])
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
        orders = self.orders()
        executions = executions_by_order(with_broker_ids(self._trades(), orders), orders)
        return [fill_from_trades(ask, executions, self.name) for ask in wanted]

    # -- books

    def orders(self) -> list[BrokerOrder]:
        """The orders of the current day."""
        rows = self._rows("V3/OrderBook", "OrderBookDetail", "orderBook")
        return [order_of(row, self._instrument) for row in rows]

    def trades(self) -> list[BrokerTrade]:
        """The executions of the current day, under the broker's order ids."""
        return with_broker_ids(self._trades(), self.orders())

    def positions(self) -> list[BrokerPosition]:
        """What the account holds in contracts, and what it traded today."""
        rows = self._rows("V2/NetPositionNetWise", "NetPositionDetail", "NetPositions")
        return [position_of(row, self._instrument) for row in rows]

    def _trades(self) -> list[BrokerTrade]:
        rows = self._rows("V1/TradeBook", "TradeBookDetail")
        return [trade_of(row, self._instrument) for row in rows]

    # -- calls

    def _take(self, credentials: FivePaisaCredentials) -> None:
        self._rest.hide(
            credentials.access_token,
            credentials.app_key,
            credentials.encryption_key,
            credentials.pin,
            credentials.totp_secret,
        )
        with self._lock:
            self._credentials = credentials

    def _today(self) -> date:
        return self._now().astimezone(INDIA).date()

    def _headers(self, path: str) -> dict[str, str]:
        credentials = self._credentials
        if credentials.missing() or credentials.access_token is None:
            raise self._rest.login_needed(path, f"not configured: {', '.join(credentials.missing())}")
        return {"Authorization": f"bearer {credentials.access_token.reveal()}"}

    def _call(self, route: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Send one read; None for "no records". Raises BrokerError for every other failure 5paisa tells."""
        path = f"{API}/{route}"
        headers, credentials = self._headers(path), self._credentials
        key = credentials.app_key.reveal() if credentials.app_key else ""
        envelope = {"head": {"key": key}, "body": {"ClientCode": credentials.client_code, **body}}
        payload = self._rest.json("POST", path, body=envelope, headers=headers)
        failure = failure_of(payload)
        if failure is None:
            return body_of(payload)
        if is_ended(*failure):
            raise self._rest.login_needed(path, failure[1])
        if is_nothing(failure[1]):
            return None
        raise self._rest.error(path, failure[1])

    def _rows(self, route: str, *names: str) -> list[dict[str, Any]]:
        body = self._call(route, {})
        return [] if body is None else rows_of(route, body, *names)

    def _books(self, scrips: Sequence[Scrip]) -> dict[Scrip, Book | Missing]:
        chunks = [tuple(scrips[i : i + _SNAPSHOT_SCRIPS]) for i in range(0, len(scrips), _SNAPSHOT_SCRIPS)]
        with_depth = [scrip for scrip in scrips if not isinstance(scrip.instrument, Index)]
        snapshots = ask_all(chunks, self._fetch_lasts, max_workers=self._max_workers)
        depths = dict(
            zip(with_depth, ask_all(with_depth, self._fetch_depth, max_workers=self._max_workers), strict=True)
        )
        books: dict[Scrip, Book | Missing] = {}
        for chunk, lasts in zip(chunks, snapshots, strict=True):
            for scrip in chunk:
                absent = Missing(f"no quote of {scrip.symbol} in the answer")
                last = lasts if isinstance(lasts, Missing) else lasts.get(scrip, absent)
                books[scrip] = _join(last, depths.get(scrip, Book(None, None, None, None)))
        return books

    def _fetch_lasts(self, scrips: tuple[Scrip, ...]) -> dict[Scrip, Book]:
        body = self._call("MarketSnapshot", {"Data": [_scrip_body(scrip) for scrip in scrips]})
        return {} if body is None else lasts_of(body, scrips)

    def _fetch_depth(self, scrip: Scrip) -> Book:
        body = self._call("V2/MarketDepth", _scrip_body(scrip))
        return Book(None, None, None, None) if body is None else depth_of(body, scrip)

    def _fetch_minutes(self, scrip: Scrip, first: date, last: date) -> list[Bar]:
        return bars_of(self._candles(scrip, "1m", first, last))

    def _fetch_days(self, scrip: Scrip, first: date, last: date) -> dict[date, float]:
        return closes_of(self._candles(scrip, "1d", first, last))

    def _candles(self, scrip: Scrip, interval: str, first: date, last: date) -> list[list[Any]]:
        path = f"/V2/historical/{scrip.segment[0]}/{scrip.segment[1]}/{scrip.code}/{interval}"
        days = {"from": first.isoformat(), "end": last.isoformat()}
        candles = candles_of(self._rest.json("GET", path, params=days, headers=self._headers(path)))
        if not isinstance(candles, str):
            return candles
        if is_ended("", candles):
            raise self._rest.login_needed(path, candles)
        if is_nothing(candles):
            return []
        raise self._rest.error(path, candles)

    # -- names

    def _load_scrips(self, file: str) -> ScripList:
        return parse_master(self._rest.send("GET", f"{API}/ScripMaster/segment/{file}").content)

    def _finder(self, wanted: Iterable[PriceAt | BarsOf | CloseOf | QuoteOf]) -> Find:
        """Read the scrip master if a batch needs it, and return the look-up in it."""
        needed = any(segment_of(ask.instrument) for ask in wanted)
        scrips = self._scrips.get(_MASTER, self._today()) if needed else ScripList(())

        def find(instrument: Instrument) -> Scrip | Missing:
            if segment_of(instrument) is None:
                return Missing(f"5paisa does not trade on {instrument.exchange}")
            absent = f"{format_symbol(instrument)} is not in 5paisa's scrip master, which has what trades now"
            return scrips.of(instrument) or Missing(absent)

        return find

    def _instrument(self, segment: str, code: str, name: str) -> Instrument | None:
        """Read the name of a contract; for shares and indices look up the code."""
        try:
            return parse_name(segment, name)
        except SymbolError:
            if segment not in ("NC", "BC", "ND", "BD"):
                return None
            scrip = self._scrips.get(_MASTER, self._today()).by_code(segment, code)
            return None if scrip is None else scrip.instrument


def _scrip_body(scrip: Scrip) -> dict[str, str]:
    return {
        "Exchange": scrip.segment[0],
        "ExchangeType": scrip.segment[1],
        "ScripCode": scrip.code,
        "ScripData": "",
    }


def _join(last: Book | Missing, depth: Book | Missing) -> Book | Missing:
    """Join last trade and depth. A failed depth fails both: nobody knows whether there was a better price."""
    if isinstance(depth, Missing):
        return depth
    two_sided = depth.bid is not None and depth.ask is not None and depth.bid <= depth.ask
    if isinstance(last, Missing):
        return depth if two_sided and last.why is Why.UNKNOWN else last
    # An old last trade does not make the orders in the book old.
    return Book(depth.bid, depth.ask, last.last, depth.time if two_sided else last.time)
