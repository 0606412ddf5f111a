"""HTTP to a vendor: one REST client with a rate limit and patience, and one place where its failures are worded.

Whatever goes wrong on the way becomes a :class:`~attribution.errors.BrokerError` in :class:`RestClient`, and nowhere
else; a vendor's *own* words for an error are read by its adapter. No message ever holds a secret. Any ``httpx``
transport will do, so that no vendor's library is needed.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, quote_plus

import httpx

from attribution.errors import BrokerError
from brokers.base import LoginNeededError, OutOfReachError, Secret, number

__all__ = ["DEFAULT_DEADLINE", "DEFAULT_TIMEOUT", "RateLimiter", "RestClient", "RetryPolicy"]

DEFAULT_TIMEOUT = httpx.Timeout(15.0, connect=5.0)
"""Patience with each step of an attempt. [s]"""

DEFAULT_DEADLINE = 120.0
"""Patience with the whole of an attempt: a list of all instruments takes its time on a slow line. [s]"""

_WORTH_RETRYING = frozenset({502, 503, 504})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SHOWN = 300
"""How much of a vendor's text a message quotes. [characters]"""


class RateLimiter:
    """Lets calls through one by one, evenly spaced, whatever the number of threads.

    Parameters
    ----------
    per_second
        Calls per second. [1/s]
    clock, sleep
        What time it is, on a clock that never jumps, and how to wait. [s]
    """

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not per_second > 0.0:
            raise ValueError(f"per_second={per_second!r}: a positive number")
        self._gap = 1.0 / per_second
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = self._held_until = clock()

    def wait(self) -> None:
        """Return when it is this caller's turn."""
        turn = None
        while True:
            with self._lock:
                now = self._clock()
                if turn is not None and turn >= self._held_until:
                    return
                # The first turn, or a new one: the vendor asked to hold off while this caller slept.
                turn = max(now, self._next)
                self._next = turn + self._gap
            if turn > now:
                self._sleep(turn - now)

    def hold_off(self, seconds: float) -> None:
        """Let nobody through for a while, also of those who wait: the vendor asked all of us to slow down. [s]"""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)
            self._next = max(self._next, self._held_until)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try, and how long to wait in between. [s]

    The wait doubles from ``first_delay``, and is drawn from its upper half so that many callers spread out.
    """

    attempts: int = 4
    first_delay: float = 0.25
    longest_delay: float = 8.0
    longest_retry_after: float = 30.0
    """A vendor that asks for more than this is not waited for."""

    def delay(self, attempt: int) -> float:
        """How long to wait after the failure of ``attempt``, counted from 0. [s]"""
        whole = min(self.longest_delay, self.first_delay * 2.0**attempt)
        return whole * random.uniform(0.5, 1.0)


class _TryAgainError(Exception):
    """An attempt failed in a way that another may not; ``after`` is the wait the vendor asked for. [s]"""

    def __init__(self, what: str, after: float | None = None, *, crowded: bool = False) -> None:
        super().__init__(what)
        self.after = after
        self.crowded = crowded


class RestClient:
    """HTTP to one vendor: TLS verified, every wait bounded, every failure a ``BrokerError``. Thread-safe.

    Parameters
    ----------
    vendor
        How messages call it.
    base_url
        Must be https; plain http is for this very machine (loopback) only.
    per_second
        Rate limit over all threads. [1/s]
    timeout
        Patience with each step of an attempt: the connection, and each piece that is sent or read. [s]
    deadline
        Patience with the whole of an attempt, looked at after each piece of the answer's body; a vendor whose headers
        come drop by drop is bounded by ``timeout`` at each drop only. [s]
    retry
        Connect errors, time-outs and broken answers of repeatable calls, 429 and 502/503/504 are tried again.
    transport
        Any ``httpx`` transport instead of the network; for tests and proxies.
    clock, sleep
        See :class:`RateLimiter`.
    """

    def __init__(
        self,
        vendor: str,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        per_second: float = 10.0,
        timeout: httpx.Timeout | float = DEFAULT_TIMEOUT,
        deadline: float = DEFAULT_DEADLINE,
        retry: RetryPolicy | None = None,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.vendor = vendor
        local = _check_url(base_url)
        self._limiter = RateLimiter(per_second, clock=clock, sleep=sleep)
        self._retry = retry or RetryPolicy()
        self._sleep, self._clock, self._deadline = sleep, clock, deadline
        self._secrets: tuple[str, ...] = ()
        # A proxy named in the environment has no business with a server on this machine.
        self._http = httpx.Client(
            base_url=base_url, headers=headers, timeout=timeout, transport=transport, verify=True, trust_env=not local
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; further calls fail."""
        self._http.close()

    def hide(self, *secrets: Secret | None) -> None:
        """Never show these in a message, whoever wrote it, be it as JSON or as a part of an address."""
        told = {form for secret in secrets if secret for form in _forms(secret.reveal())}
        # The longest first: a short one that is a part of a long one would leave the rest of it.
        self._secrets = tuple(sorted(told.union(self._secrets), key=len, reverse=True))

    def redact(self, text: str) -> str:
        """Return ``text`` on one line, shortened, with every known secret struck out."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = " ".join(text.split())
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

    def error(self, route: str, what: str, then: str = "try again later") -> BrokerError:
        """Word a failure: vendor, route, what happened, what to do. For what only the adapter can read."""
        return BrokerError(self.redact(f"{self.vendor} {route}: {what}; {then}"))

    def login_needed(self, route: str, what: str, then: str = "log in again") -> LoginNeededError:
        """Word the end of a session."""
        return LoginNeededError(self.redact(f"{self.vendor} {route}: {what}; {then}"))

    def _out_of_reach(self, route: str, what: str, then: str) -> OutOfReachError:
        return OutOfReachError(str(self.error(route, what, then)))

    def json(self, method: str, route: str, *, secret: bool = False, **request: Any) -> Any:
        """Send a request as :meth:`send` does and read the answer as JSON; BrokerError if it is none."""
        response = self.send(method, route, secret=secret, **request)
        try:
            return json.loads(response.content)
        except (ValueError, RecursionError) as exc:
            what = f"the answer is not JSON, or only a part of it: {_quoted(response, secret)}"
            # The exception holds the whole text.
            raise self.error(route, what) from (None if secret else exc)

    def send(
        self,
        method: str,
        route: str,
        *,
        params: Mapping[str, str] | None = None,
        content: str | bytes | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
        accept: Container[int] = (),
        secret: bool = False,
    ) -> httpx.Response:
        """Send one request, again where that is worth it, and return an answer with a status below 300.

        Parameters
        ----------
        method, route
            HTTP method, and path after the base URL (or a whole URL).
        params, content, body, headers
            Query, raw body, or a body sent as JSON; more headers. Secrets belong in bodies and headers, never in
            the query.
        repeatable
            Whether asking twice does no harm. A call that uses up a code is repeated only if it never got through.
        accept
            Statuses of 300 and above whose body the adapter wants to read itself.
        secret
            Whether the answer may hold a secret that nobody knows yet, as that of a login does: no message quotes it.

        Raises
        ------
        LoginNeededError
            The vendor answered 401 or 403.
        OutOfReachError
            It could not be asked, or was too busy, to the last attempt.
        BrokerError
            Anything else that is no answer.
        """
        arguments: dict[str, Any] = {"params": params, "content": content, "headers": headers}
        if body is not None:
            arguments["json"] = body
        for attempt in range(self._retry.attempts):
            self._limiter.wait()
            try:
                return self._attempt(method, route, arguments, repeatable, accept, secret)
            except _TryAgainError as exc:
                self._pause(route, exc, attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _attempt(
        self,
        method: str,
        route: str,
        arguments: Mapping[str, Any],
        repeatable: bool,
        accept: Container[int],
        secret: bool,
    ) -> httpx.Response:
        with self._mapped(route, repeatable, secret):
            response = self._exchange(method, route, arguments)
            status = response.status_code
            if status < 300 or status in accept:
                return response
            if status == 429:
                raise _TryAgainError("too many requests (HTTP 429)", _retry_after(response), crowded=True)
            if status in _WORTH_RETRYING and repeatable:
                raise _TryAgainError(f"HTTP {status}", _retry_after(response))
            what = f"HTTP {status} {response.reason_phrase}: {_quoted(response, secret)}"
            if status in (401, 403):
                raise self.login_needed(route, what, "log in again, and check that this machine's address is allowed")
            raise self.error(route, what, "the request was refused" if status < 500 else "try again later")

    def _exchange(self, method: str, route: str, arguments: Mapping[str, Any]) -> httpx.Response:
        """Send a request and read its answer to the end; a body that is not whole in time is a time-out."""
        until = self._clock() + self._deadline
        with self._http.stream(method, route, **arguments) as response:
            if response.is_stream_consumed:
                return response  # of a transport that had it at hand
            parts = []
            for part in response.iter_raw():
                parts.append(part)
                if self._clock() > until:
                    raise httpx.ReadTimeout(f"the answer was not whole after {self._deadline:g} s")
        told = {name: response.extensions[name] for name in ("reason_phrase",) if name in response.extensions}
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            content=b"".join(parts),
            request=response.request,
            extensions=told,
        )

    @contextmanager
    def _mapped(self, route: str, repeatable: bool, secret: bool) -> Iterator[None]:
        """Turn every exception of ``httpx`` into ours: the one place. Those about a broken answer may quote it."""
        try:
            yield
        except (httpx.LocalProtocolError, UnicodeEncodeError):
            # These quote the header that cannot be sent, and so the token in it: neither told nor chained.
            what = "the request cannot be sent: a token or an address holds characters that HTTP does not allow"
            raise self.error(route, what, "check what was pasted") from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
            raise _TryAgainError(f"cannot connect ({exc})") from exc
        except (httpx.TransportError, httpx.DecodingError) as exc:
            what = "no answer in time" if isinstance(exc, httpx.TimeoutException) else "the connection broke"
            what = f"{what} ({type(exc).__name__}{'' if secret else f' {exc}'})"
            cause = None if secret else exc
            if repeatable:
                raise _TryAgainError(what) from cause
            raise self._out_of_reach(route, what, "it may or may not have got through") from cause
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise self.error(route, f"{type(exc).__name__} {exc}", "this is a fault of the adapter") from exc

    def _pause(self, route: str, failure: _TryAgainError, attempt: int) -> None:
        """Wait before the next attempt, or raise where there is none."""
        if attempt + 1 >= self._retry.attempts:
            what = f"{failure} after {attempt + 1} attempts"
            raise self._out_of_reach(route, what, "try again later") from (failure.__cause__ or failure)
        after = failure.after
        if after is not None and after > self._retry.longest_retry_after:
            raise self._out_of_reach(route, f"{failure}", f"it asks to wait {after:g} s") from failure
        delay = self._retry.delay(attempt) if after is None else after
        if failure.crowded:
            self._limiter.hold_off(delay)
        else:
            self._sleep(delay)


def _check_url(url: str) -> bool:
    """Return whether the URL points to this very machine; ValueError where secrets would travel in the clear."""
    parsed = httpx.URL(url)
    local = parsed.host in _LOOPBACK
    if parsed.scheme != "https" and not (parsed.scheme == "http" and local):
        raise ValueError(f"base_url={url!r}: https, or http on this machine")
    return local


def _forms(secret: str) -> set[str]:
    """A secret as a vendor may repeat it: plain, inside JSON (by any writer of it), inside an address."""
    written = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    written |= {text.replace("/", "\\/") for text in written}
    return {secret, *written, quote(secret), quote(secret, safe=""), quote_plus(secret)}


def _quoted(response: httpx.Response, secret: bool) -> str:
    """What a message shows of an answer."""
    if secret:
        return f"{len(response.content)} bytes, which may hold a secret and are not shown"
    return response.text.strip() or "an empty body"


def _retry_after(response: httpx.Response) -> float | None:
    """How long the vendor asks to wait: a number, or a date against the vendor's own clock. [s]"""
    text = response.headers.get("retry-after", "")
    seconds = number(text)
    if seconds is not None:
        return max(0.0, seconds)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(response.headers.get("date", ""))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None
