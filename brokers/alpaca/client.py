"""Alpaca as a source of prices, closes, marks and fills, and of what is ordered, traded and held; read only."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, get_args

import httpx

from attribution.errors import BrokerError
from attribution.market.bars import prices_from_bars
from attribution.market.marks import DEFAULT_MAX_AGE
from attribution.market.quotes import (
    Answer,
    Bars,
    BarsOf,
    CloseOf,
    FillOf,
    Missing,
    PriceAt,
    QuoteOf,
    Why,
)
from brokers.alpaca.api import DATA_URL, LIVE_URL, PAPER_URL, AlpacaApi, RefusedError
from brokers.alpaca.bars import BarDesk, in_halves, in_parts, rfc3339
from brokers.alpaca.parse import (
    Half,
    Ticker,
    fills_by_order,
    mark_of_snapshot,
    order_fills,
    parse_fills,
    parse_orders,
    parse_positions,
    ticker_of,
)
from brokers.base import (
    BrokerOrder,
    BrokerPosition,
    BrokerTrade,
    Health,
    LoginNeededError,
    Secret,
    ask_all,
    day_ranges,
    fill_from_trades,
    secret_in,
)
from brokers.rest import DEFAULT_TIMEOUT, RestClient, RetryPolicy

__all__ = ["AlpacaBroker"]

OptionFeed: TypeAlias = Literal["indicative", "opra"]
StockFeed: TypeAlias = Literal["iex", "sip", "delayed_sip"]

_FORKED = re.compile(r"F\d+$")
_FREE_DELAY = timedelta(minutes=15)
_FILL_DAYS = 31
_ORDERS_A_PAGE = 500
# Executions are looked for around the fill that the trade tells; an order may have worked for days before it.
_BEFORE_FILL, _AFTER_FILL = timedelta(days=7), timedelta(days=2)


@dataclass(frozen=True, slots=True)
class _ShotCall:
    half: Half
    symbols: tuple[str, ...]


class AlpacaBroker:
    """Prices and the account of Alpaca.

    Parameters
    ----------
    key_id, secret_key
        The two halves of an API key. Paper and live accounts have different ones.
    paper
        Whether the account is the paper one; market data is the same for both.
    option_feed
        ``indicative`` (free: quotes are derived, trades 15 minutes late) or ``opra`` (subscription).
    stock_feed
        ``sip``, ``iex`` or ``delayed_sip``; None leaves it to the vendor, who takes the best the account pays for.
    max_age
        How old a quote or trade may be to count as a current mark.
    per_second
        Rate limit of each of the two servers. [1/s]
    now
        The clock on the wall; decides whether a session is over.
    trading_url, data_url, transport, timeout, retry
        Other servers, and how to reach them; see :class:`~brokers.rest.RestClient`.
    """

    asks_in_bulk = True
    """Whole batches are joined into few requests here, better than one question at a time from outside."""

    name = "alpaca"

    def __init__(
        self,
        key_id: Secret | str | None,
        secret_key: Secret | str | None,
        *,
        paper: bool = True,
        option_feed: OptionFeed = "indicative",
        stock_feed: StockFeed | None = None,
        max_age: timedelta = DEFAULT_MAX_AGE,
        per_second: float = 3.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        trading_url: str | None = None,
        data_url: str = DATA_URL,
        transport: httpx.BaseTransport | None = None,
        timeout: httpx.Timeout | float = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
    ) -> None:
        _check_feed("option_feed", option_feed, get_args(OptionFeed))
        _check_feed("stock_feed", stock_feed, (None, *get_args(StockFeed)))

        def client(url: str, headers: Mapping[str, str]) -> RestClient:
            settings: dict[str, Any] = {"per_second": per_second, "timeout": timeout, "retry": retry}
            return RestClient("Alpaca", url, headers=headers, transport=transport, **settings)

        self._api = AlpacaApi(
            Secret(key_id) if key_id else None,
            Secret(secret_key) if secret_key else None,
            trading_url=trading_url or (PAPER_URL if paper else LIVE_URL),
            data_url=data_url,
            client=client,
        )
        self._desk = BarDesk(self._api, self.name, stock_feed, now)
        self._paper, self._option_feed, self._stock_feed = paper, option_feed, stock_feed
        self._max_age, self._now = max_age, now

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **settings: Any) -> Self:
        """Make one from the variables in ``docs/brokers/alpaca.md``; ``settings`` go before them.

        Without credentials it can be made too: :meth:`health` says what is missing.
        """
        found = os.environ if environ is None else environ
        url = found.get("APCA_API_BASE_URL", "").strip().rstrip("/").removesuffix("/v2")
        told: dict[str, Any] = {
            "paper": _paper(found.get("ALPACA_PAPER", ""), url),
            "trading_url": url or None,
            "option_feed": found.get("ALPACA_OPTION_FEED", "").strip() or "indicative",
            "stock_feed": found.get("ALPACA_STOCK_FEED", "").strip() or None,
        }
        keys = secret_in(found, "APCA_API_KEY_ID"), secret_in(found, "APCA_API_SECRET_KEY")
        return cls(*keys, **{**told, **settings})

    @property
    def data_delay(self) -> timedelta:
        """How late market data come, by the feed of options: who pays for theirs has no late one of shares either.

        The bars of options have no feed to choose, and the vendor chooses that of shares where we do not: both by what
        the account pays for. So ``iex``, which is free and on time, counts as late beside free options.
        """
        paid = self._option_feed == "opra" and self._stock_feed != "delayed_sip"
        return timedelta(0) if paid else _FREE_DELAY

    def __repr__(self) -> str:
        return f"AlpacaBroker({'paper' if self._paper else 'live'}, option_feed={self._option_feed!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._api.close()

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Answer with the close of the last 1-minute bar that had ended."""
        return prices_from_bars(wanted, self.minute_bars)

    def minute_bars(self, wanted: Sequence[BarsOf]) -> list[Bars | Missing]:
        """Return sessions of 1-minute bars; many symbols share a call."""
        return self._desk.minute_bars(wanted)

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Answer with the close of the session's daily bar, once it is final."""
        return self._desk.closes(wanted)

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        """Answer with the middle of the latest quote, else the latest trade, where they are fresh."""
        tickers = [ticker_of(ask.instrument) for ask in wanted]
        calls = []
        for half in Half:
            symbols = [ticker.symbol for ticker in tickers if isinstance(ticker, Ticker) and ticker.half is half]
            calls += [_ShotCall(half, part) for part in in_parts(symbols)]
        found: dict[Ticker, Any] = {}
        for call, reply in zip(calls, ask_all(calls, self._ask_snapshots), strict=True):
            for symbol in call.symbols:
                found[Ticker(call.half, symbol)] = reply if isinstance(reply, Missing) else reply.get(symbol)
        return [
            ticker if isinstance(ticker, Missing) else self._mark(found[ticker], ask)
            for ask, ticker in zip(wanted, tickers, strict=True)
        ]

    def _mark(self, snapshot: object, ask: QuoteOf) -> Answer:
        if isinstance(snapshot, Missing):
            return snapshot
        return mark_of_snapshot(snapshot, ask.now, self.name, self._max_age)

    def _ask_snapshots(self, call: _ShotCall) -> dict[str, Any]:
        feed = self._option_feed if call.half is Half.OPTIONS else self._stock_feed
        params = {} if feed is None else {"feed": feed}
        return in_halves(lambda symbols: self._api.snapshots(call.half, symbols, params), call.symbols)

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Answer with the quantity-weighted price of the executions of the trade's orders."""
        known = self._fills_around(ask.at for ask in wanted if ask.keys)
        # What the activities do not show, or only in part, the orders themselves tell: those of several legs too.
        rest = sorted({_order_id(key) for ask in wanted for key in ask.keys} - known.keys())
        try:
            replies = ask_all(rest, self._ask_order)
        except BrokerError as exc:
            replies = [Missing(f"failed: {exc}", Why.FAILED)] * len(rest)
        failed: dict[str, Missing] = {}
        for order_id, reply in zip(rest, replies, strict=True):
            if isinstance(reply, Missing):
                failed[order_id] = reply
            elif reply:
                known[order_id] = reply
        answers: list[Answer] = []
        for ask in wanted:
            gone = [failed[_order_id(key)] for key in ask.keys if _order_id(key) in failed]
            lost = [key for key in ask.keys if _order_id(key) not in known]
            if gone:
                answers.append(gone[0])
            elif lost:
                answers.append(Missing(f"Alpaca knows no execution of order {', '.join(lost)}"))
            else:
                answers.append(fill_from_trades(ask, known, self.name))
        return answers

    def _fills_around(self, instants: Iterable[datetime]) -> dict[str, list[BrokerTrade]]:
        rows: list[Any] = []
        for first, last in day_ranges((at.astimezone(UTC).date() for at in instants), _FILL_DAYS):
            start, end = datetime.combine(first, time(), UTC), datetime.combine(last, time(), UTC)
            rows += self._api.fills({"after": rfc3339(start - _BEFORE_FILL), "until": rfc3339(end + _AFTER_FILL)})
        return dict(fills_by_order(rows))

    def _ask_order(self, order_id: str) -> list[BrokerTrade]:
        try:
            return order_fills(self._api.order(order_id), order_id)
        except RefusedError:
            return []

    def orders(self) -> list[BrokerOrder]:
        """Return the latest 500 orders, newest first; a multi-leg order is followed by its legs."""
        return parse_orders(self._api.orders({"status": "all", "limit": str(_ORDERS_A_PAGE), "direction": "desc"}))

    def trades(self, since: datetime | None = None) -> list[BrokerTrade]:
        """Return all executions since an instant (a week ago if None), oldest first."""
        since = self._now() - _BEFORE_FILL if since is None else since
        return parse_fills(self._api.fills({"after": rfc3339(since)}))

    def positions(self) -> list[BrokerPosition]:
        """Return what is held; quantities of options in contracts."""
        try:
            return parse_positions(self._api.positions())
        except ValueError as exc:
            raise BrokerError(f"Alpaca /v2/positions: {exc}") from exc

    def health(self) -> Health:
        """Ask for the account, and say what came of it; never raises."""
        if self._api.missing:
            return Health("alpaca", configured=False, missing=self._api.missing)
        try:
            account = self._api.account()
        except LoginNeededError as exc:
            return Health("alpaca", configured=True, reachable=True, missing=("a valid API key",), detail=str(exc))
        except BrokerError as exc:
            return Health("alpaca", configured=True, detail=str(exc))
        status = account.get("status", "unknown") if isinstance(account, Mapping) else "unknown"
        detail = f"{'paper' if self._paper else 'live'} account, {status}"
        return Health("alpaca", configured=True, reachable=True, session_valid=True, detail=detail)


def _check_feed(name: str, feed: str | None, allowed: tuple[str | None, ...]) -> None:
    # A feed the vendor does not know would be refused for every symbol, as if none of them were known.
    if feed not in allowed:
        raise ValueError(f"{name}={feed!r}: one of {', '.join(map(str, allowed))}")


def _paper(word: str, url: str) -> bool:
    word = word.strip().lower()
    if not word:
        return "paper" in url if url else True
    if word in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        return word in ("1", "true", "yes", "on")
    raise ValueError(f"ALPACA_PAPER={word!r}: true or false")


def _order_id(key: str) -> str:
    """Return the order behind an id of a row that was split from another."""
    return _FORKED.sub("", key)
