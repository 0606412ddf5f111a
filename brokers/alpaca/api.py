"""Alpaca's two REST servers (market data, account): routes, pages, refusals. What comes back is JSON as it came."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import httpx

from attribution.errors import BrokerError
from brokers.alpaca.parse import Half, snapshots_in
from brokers.base import LoginNeededError, Secret
from brokers.rest import RestClient

__all__ = ["DATA_URL", "LIVE_URL", "PAPER_URL", "AlpacaApi", "RefusedError"]

DATA_URL = "https://data.alpaca.markets"
LIVE_URL = "https://api.alpaca.markets"
PAPER_URL = "https://paper-api.alpaca.markets"

NEEDED = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")

_ROUTES = {Half.OPTIONS: "/v1beta1/options", Half.STOCKS: "/v2/stocks"}
_REFUSALS = frozenset({400, 404, 422})
_MAX_PAGES = 1000
_FILLS_A_PAGE = 100


class RefusedError(BrokerError):
    """The vendor does not know, or does not take, what it was asked for: asking again changes nothing."""


class AlpacaApi:
    """Reads from both servers; every failure is a ``BrokerError``.

    Parameters
    ----------
    key_id, secret_key
        None or empty where there are none: then every call raises ``LoginNeededError``, naming what is missing.
    client
        Makes the client of a base URL; a test gives clients of its own.
    """

    def __init__(
        self,
        key_id: Secret | None,
        secret_key: Secret | None,
        *,
        trading_url: str,
        data_url: str,
        client: Callable[[str, Mapping[str, str]], RestClient],
    ) -> None:
        self.missing = tuple(name for name, given in zip(NEEDED, (key_id, secret_key), strict=True) if not given)
        headers = {}
        if key_id and secret_key:
            headers = {"APCA-API-KEY-ID": key_id.reveal(), "APCA-API-SECRET-KEY": secret_key.reveal()}
        self._data, self._trading = client(data_url, headers), client(trading_url, headers)
        for rest in (self._data, self._trading):
            rest.hide(key_id, secret_key)

    def close(self) -> None:
        """Close all connections."""
        self._data.close()
        self._trading.close()

    def bars(self, half: Half, symbols: Sequence[str], params: Mapping[str, str]) -> dict[str, list[Any]]:
        """Return the rows of bars by symbol, from all pages."""
        found: dict[str, list[Any]] = {symbol: [] for symbol in symbols}
        for page in self._pages(f"{_ROUTES[half]}/bars", {"symbols": ",".join(symbols), **params}):
            bars = page.get("bars")
            for symbol, rows in bars.items() if isinstance(bars, Mapping) else ():
                # What was not asked for is not ours to use.
                if symbol in found and isinstance(rows, list):
                    found[symbol] += rows
        return found

    def snapshots(self, half: Half, symbols: Sequence[str], params: Mapping[str, str]) -> dict[str, Any]:
        """Return the latest quote and trade by symbol, from all pages."""
        found: dict[str, Any] = {}
        for page in self._pages(f"{_ROUTES[half]}/snapshots", {"symbols": ",".join(symbols), **params}):
            found.update((symbol, shot) for symbol, shot in snapshots_in(page).items() if symbol in symbols)
        return found

    def account(self) -> Any:
        """Return the account: the cheapest question that needs a session."""
        return self._get(self._trading, "/v2/account", {})

    def positions(self) -> list[Any]:
        """Return what is held."""
        return self._list("/v2/positions", {})

    def orders(self, params: Mapping[str, str]) -> list[Any]:
        """Return one page of orders, legs inside their order."""
        return self._list("/v2/orders", {"nested": "true", **params})

    def order(self, order_id: str) -> Any:
        """Return one order with its legs."""
        return self._get(self._trading, f"/v2/orders/{order_id}", {"nested": "true"})

    def fills(self, params: Mapping[str, str]) -> list[Any]:
        """Return FILL activities, oldest first, from all pages: the next one starts after the last id of this one."""
        found: list[Any] = []
        token: dict[str, str] = {}
        for _ in range(_MAX_PAGES):
            asked = {"direction": "asc", "page_size": str(_FILLS_A_PAGE), **params, **token}
            page = self._list("/v2/account/activities/FILL", asked)
            found += page
            last = str(page[-1].get("id", "")) if page and isinstance(page[-1], Mapping) else ""
            if len(page) < _FILLS_A_PAGE or not last:
                return found
            if token.get("page_token") == last:
                break
            token = {"page_token": last}
        raise self._trading.error("/v2/account/activities/FILL", "the pages do not end", "ask for a shorter time")

    def _pages(self, route: str, params: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        seen: set[str] = set()
        token: dict[str, str] = {}
        for _ in range(_MAX_PAGES):
            page = self._get(self._data, route, {**params, **token})
            if not isinstance(page, Mapping):
                raise self._data.error(route, f"the answer is a {type(page).__name__}, not an object")
            yield page
            following = page.get("next_page_token")
            if not following:
                return
            if following in seen:
                break
            seen.add(following)
            token = {"page_token": str(following)}
        raise self._data.error(route, "the pages do not end", "ask for a shorter time")

    def _list(self, route: str, params: Mapping[str, str]) -> list[Any]:
        answer = self._get(self._trading, route, params)
        if not isinstance(answer, list):
            raise self._trading.error(route, f"the answer is a {type(answer).__name__}, not a list")
        return answer

    def _get(self, rest: RestClient, route: str, params: Mapping[str, str]) -> Any:
        if self.missing:
            raise LoginNeededError(f"Alpaca: no credentials; set {' and '.join(self.missing)}")
        response = rest.send("GET", route, params=params, accept=_REFUSALS | {403})
        if response.status_code >= 300:
            raise self._refusal(rest, route, response)
        try:
            return json.loads(response.content)
        except (ValueError, RecursionError) as exc:
            what = f"the answer is not JSON, or only a part of it: {response.text or 'an empty body'}"
            raise rest.error(route, what) from exc

    def _refusal(self, rest: RestClient, route: str, response: httpx.Response) -> BrokerError:
        what = f"HTTP {response.status_code}: {response.text}"
        if response.status_code != 403:
            return RefusedError(str(rest.error(route, what, "the request was refused")))
        if "subscription" in response.text:
            # The session is sound: it is the feed that this account does not pay for.
            return rest.error(route, what, "choose another stock_feed or option_feed, or an earlier time")
        return rest.login_needed(route, what, "check the keys, and whether they are paper or live")
