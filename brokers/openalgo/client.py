"""An OpenAlgo server as a source of prices, closes, marks and fills, and of the broker's books; read only."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, TypeVar

import httpx

from attribution.calendars import get_calendar
from attribution.errors import BrokerError, SymbolError
from attribution.instruments import Instrument
from attribution.market.bars import prices_from_bars
from attribution.market.marks import mark_of
from attribution.market.quotes import (
    Answer,
    Bar,
    Bars,
    BarsOf,
    CloseOf,
    FillOf,
    Missing,
    Price,
    PriceAt,
    PriceKind,
    QuoteOf,
    Why,
)
from brokers.base import (
    BrokerOrder,
    BrokerPosition,
    BrokerTrade,
    Health,
    LoginNeededError,
    Secret,
    ask_all,
    executions_by_order,
    fill_from_trades,
    same_contract,
    secret_in,
)
from brokers.history import History
from brokers.openalgo.parse import (
    INDIA,
    check_clock,
    closed_dates,
    closes_by_date,
    parse_book,
    parse_candles,
    parse_orders,
    parse_positions,
    parse_trades,
    quotes_by_name,
    trading_hours,
)
from brokers.openalgo.symbols import write_openalgo
from brokers.rest import RestClient, RetryPolicy
from brokers.scrips import Scrip

__all__ = ["OpenAlgoBroker"]

HistorySource: TypeAlias = Literal["api", "db"]
Found = TypeVar("Found")

DEFAULT_URL = "http://127.0.0.1:5000"
_KEY_VARIABLE = "OPENALGO_API_KEY"
# A server in front of a slow broker is slow itself, and it lets three questions for history through a second.
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_QUOTES_A_CALL = 50
_HINT = "OpenAlgo gives what its broker gives, and knows no contract that has expired"
_MINUTES = History("openalgo", max_days=5, max_workers=3, hint=_HINT)
_DAILY = History("openalgo", max_days=365, max_workers=3, hint=_HINT)

# The server passes its brokers' words on, with whatever status.
_WORDED = frozenset({400, 404, 500})
_ABSENT = re.compile(r"symbol\b.*not found|no data|no candles|download data first|could not find instrument", re.I)
_ENDED = re.compile(
    r"invalid openalgo apikey|tokenexception|session\b.*(expired|invalid)|(expired|invalid) (session|access.?token)"
    r"|access.?token\b.*(expired|invalid)|log ?in again",
    re.I,
)


class _AbsentError(BrokerError):
    """The server, or the broker behind it, has nothing of what was asked for."""


class OpenAlgoBroker:
    """Prices and books of whatever broker an OpenAlgo server is logged in to.

    Parameters
    ----------
    api_key
        Of the server, from its own page; None where there is none: then :meth:`health` says so.
    base_url
        Where the server listens: https, or http on this machine.
    history_source
        ``api``: the broker's history; ``db``: what the server has downloaded before, expired contracts included.
    per_second
        Rate limit; a server allows 50 as it is shipped, 10 if its settings say nothing. [1/s]
    now
        The clock on the wall; decides whether a session is over, which day the books are of, and which moment quotes.
    transport, timeout, retry
        See :class:`~brokers.rest.RestClient`.
    """

    asks_in_bulk = True
    """Whole batches are joined into few requests here, better than one question at a time from outside."""

    name = "openalgo"

    def __init__(
        self,
        api_key: Secret | str | None,
        *,
        base_url: str = DEFAULT_URL,
        history_source: HistorySource = "api",
        per_second: float = 40.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        transport: httpx.BaseTransport | None = None,
        timeout: httpx.Timeout | float = _TIMEOUT,
        retry: RetryPolicy | None = None,
    ) -> None:
        if history_source not in ("api", "db"):
            raise ValueError(f"history_source={history_source!r}: api or db")
        self._key = Secret(api_key) if api_key else None
        self._rest = RestClient(
            "OpenAlgo", base_url, per_second=per_second, timeout=timeout, retry=retry, transport=transport
        )
        self._rest.hide(self._key)
        self._history_source, self._now = history_source, now

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **settings: Any) -> Self:
        """Make one from the variables in ``docs/brokers/openalgo.md``; ``settings`` go before them."""
        found = os.environ if environ is None else environ
        told = {
            "base_url": found.get("OPENALGO_HOST", "").strip().rstrip("/") or DEFAULT_URL,
            "history_source": found.get("OPENALGO_HISTORY_SOURCE", "").strip() or "api",
        }
        return cls(secret_in(found, _KEY_VARIABLE), **{**told, **settings})

    def __repr__(self) -> str:
        return f"OpenAlgoBroker(history_source={self._history_source!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._rest.close()

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Answer with the close of the last 1-minute bar that had ended."""
        return prices_from_bars(wanted, self.minute_bars)

    def minute_bars(self, wanted: Sequence[BarsOf]) -> list[Bars | Missing]:
        """Return sessions of 1-minute bars; days of one instrument share a call."""
        return _MINUTES.minute_bars(wanted, _find, self._ask_minutes, self._now())

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Answer with the close of the session's daily bar, once the session is over."""
        return _DAILY.closes(wanted, _find, self._ask_closes, self._now())

    def _ask_minutes(self, scrip: Scrip, first: date, last: date) -> list[Bar]:
        def read(rows: object) -> list[Bar]:
            bars = parse_candles(rows)
            check_clock(bars, scrip.instrument.exchange, self._now())
            return bars

        return self._history(scrip, "1m", first, last, read) or []

    def _ask_closes(self, scrip: Scrip, first: date, last: date) -> dict[date, float]:
        return self._history(scrip, "D", first, last, lambda rows: closes_by_date(parse_candles(rows))) or {}

    def _history(
        self, scrip: Scrip, interval: str, first: date, last: date, read: Callable[[object], Found]
    ) -> Found | None:
        body = {
            "symbol": scrip.code,
            "exchange": scrip.segment,
            "interval": interval,
            "start_date": first.isoformat(),
            "end_date": last.isoformat(),
        }
        if self._history_source != "api":
            body["source"] = self._history_source
        try:
            return self._read("history", body, "data", read)
        except _AbsentError:
            return None

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        """Answer with the middle of bid and ask, else the last trade.

        The server does not tell their time: they are of the moment they were read.
        """
        read_at = self._now()
        scrips = [_find(ask.instrument) for ask in wanted]
        names = list(dict.fromkeys((one.code, one.segment) for one in scrips if isinstance(one, Scrip)))
        parts = [tuple(names[i : i + _QUOTES_A_CALL]) for i in range(0, len(names), _QUOTES_A_CALL)]
        found: dict[tuple[str, str], Mapping[str, Any] | Missing | None] = {}
        for part, reply in zip(parts, ask_all(parts, self._ask_quotes), strict=True):
            for name in part:
                found[name] = reply if isinstance(reply, Missing) else reply.get(name)
        return [
            one if isinstance(one, Missing) else self._mark(one, found[one.code, one.segment], ask.now, read_at)
            for ask, one in zip(wanted, scrips, strict=True)
        ]

    def _ask_quotes(self, names: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], Mapping[str, Any]]:
        symbols = [{"symbol": symbol, "exchange": exchange} for symbol, exchange in names]
        try:
            return self._read("multiquotes", {"symbols": symbols}, "results", quotes_by_name)
        except _AbsentError:
            # One unknown name may refuse the whole question: then each is asked alone.
            if len(names) == 1:
                return {}
        return {name: row for one in names for name, row in self._ask_quotes((one,)).items()}

    def _mark(self, scrip: Scrip, row: Mapping[str, Any] | Missing | None, now: datetime, read_at: datetime) -> Answer:
        if isinstance(row, Missing):
            return row
        if row is None:
            return Missing(f"OpenAlgo has no quote of {scrip.code} on {scrip.segment}")
        if row.get("error") and not row.get("data"):
            said = self._rest.redact(str(row["error"]))
            return Missing(f"of {scrip.code} it says: {said}", Why.UNKNOWN if _ABSENT.search(said) else Why.FAILED)
        return mark_of(parse_book(row.get("data")), now, self.name, read_at=read_at)

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Answer with the quantity-weighted price of the day's executions of the trade's orders."""
        if not any(ask.keys for ask in wanted):
            return [Missing("the trade carries no order ids for this side")] * len(wanted)
        today = self._book_date()
        trades = executions_by_order(self.trades())
        return [self._fill(ask, trades, today) for ask in wanted]

    def _fill(self, ask: FillOf, trades: Mapping[str, list[BrokerTrade]], today: date) -> Answer:
        if ask.keys and ask.at.astimezone(INDIA).date() != today:
            # Some brokers number their orders anew each day.
            return Missing(f"the trade book holds executions of {today}, not of {ask.at.astimezone(INDIA):%Y-%m-%d}")
        orders = {re.sub(r"F\d+$", "", key) for key in ask.keys}
        own = [t for order in orders for t in trades.get(order, ()) if same_contract(t.instrument, ask.instrument)]
        if orders <= trades.keys() and any(math.isnan(trade.price) for trade in own):
            return Missing(f"the trade book shows no price of order {', '.join(sorted(orders))}")
        if orders <= trades.keys() and any(math.isnan(trade.quantity) for trade in own):
            if len({trade.price for trade in own}) > 1:
                return Missing(f"the trade book shows prices of order {', '.join(sorted(orders))} but no quantities")
            # One price is the price, however much was done at it.
            return Price(own[0].price, self.name, PriceKind.FILL, own[0].time)
        return fill_from_trades(ask, trades, self.name)

    def _book_date(self) -> date:
        """Return the day of the books: the session in progress or last opened, also at night and on Sundays."""
        return get_calendar("NSE").session_at(self._now()).date

    def orders(self) -> list[BrokerOrder]:
        """Return the orders of the day."""
        return self._read("orderbook", {}, "data", lambda data: parse_orders(data, self._book_date()))

    def trades(self) -> list[BrokerTrade]:
        """Return the executions of the day; price or quantity are NaN where the broker does not tell them."""
        return self._read("tradebook", {}, "data", lambda data: parse_trades(data, self._book_date()))

    def positions(self) -> list[BrokerPosition]:
        """Return what is held, closed positions of the day included."""
        return self._read("positionbook", {}, "data", parse_positions)

    def trading_hours(self, day: date) -> dict[str, tuple[datetime, datetime]]:
        """Return open and close by exchange code (NFO, BFO, NSE …) as the server has them, to compare with ours."""
        return self._read("market/timings", {"date": day.isoformat()}, "data", trading_hours)

    def closed_dates(self, year: int) -> dict[date, frozenset[str]]:
        """Return the exchange codes that are closed all day, by date, as the server has them."""
        return self._read("market/holidays", {"year": year}, "data", closed_dates)

    def health(self) -> Health:
        """Ping the server, and say what came of it; never raises."""
        if not self._key:
            return Health(self.name, configured=False, missing=(_KEY_VARIABLE,))
        try:
            data = self._read("ping", {}, "data", lambda found: found)
        except LoginNeededError as exc:
            return Health(self.name, True, reachable=True, missing=("a valid API key",), detail=str(exc))
        except BrokerError as exc:
            return Health(self.name, True, detail=str(exc))
        behind = data.get("broker", "unknown") if isinstance(data, Mapping) else "unknown"
        return Health(self.name, True, reachable=True, session_valid=True, detail=f"broker {behind}")

    def _read(self, route: str, body: Mapping[str, object], key: str, read: Callable[[object], Found]) -> Found:
        """Ask, and read what lies under ``key`` of the answer."""
        answer = self._ask(route, body)
        try:
            return read(answer.get(key))
        except ValueError as exc:
            raise self._rest.error(route, str(exc)) from exc

    def _ask(self, route: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        if not self._key:
            raise LoginNeededError(f"OpenAlgo: no API key; set {_KEY_VARIABLE}")
        sent = {"apikey": self._key.reveal(), **body}
        response = self._rest.send("POST", f"/api/v1/{route}", body=sent, accept=_WORDED)
        try:
            answer = json.loads(response.content)
        except (ValueError, RecursionError) as exc:
            what = f"HTTP {response.status_code}, and no JSON or only a part of it: {response.text or 'an empty body'}"
            raise self._rest.error(route, what) from exc
        if not isinstance(answer, Mapping):
            raise self._rest.error(route, f"the answer is a {type(answer).__name__}, not an object")
        if answer.get("status") != "success" or response.status_code >= 300:
            raise self._failure(route, response.status_code, str(answer.get("message") or response.text))
        return answer

    def _failure(self, route: str, status: int, said: str) -> BrokerError:
        if _ENDED.search(said):
            return self._rest.login_needed(route, said, "check the API key, and log the server in to its broker")
        if _ABSENT.search(said):
            return _AbsentError(self._rest.redact(said))
        return self._rest.error(route, f"HTTP {status}: {said}")


def _find(instrument: Instrument) -> Scrip | Missing:
    try:
        symbol, exchange = write_openalgo(instrument)
    except SymbolError as exc:
        return Missing(f"OpenAlgo has no symbol for it: {exc}")
    return Scrip(exchange, symbol, symbol, instrument)
