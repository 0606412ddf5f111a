"""A vendor on this machine, over real HTTP: it replays payloads, remembers its calls, and misbehaves on request.

::

    with FakeVendor() as vendor:
        vendor.answer("/GetQuotes", payload)                       # the same for every call
        vendor.answer("/TPSeries", [server_error(503), payload])   # one after the other; the last one stays
        vendor.answer("/PositionBook", lambda call: ...)           # made from the call
        broker = SomeBroker(..., base_url=vendor.url)
        assert vendor.calls[0].path == "/GetQuotes"

A payload is anything ``json.dumps`` takes, ``bytes``, or a :class:`Reply`.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Call:
    """What the vendor was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What it answers, and how badly."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Announce the whole body, send this many bytes of it, and hang up."""
    hang: bool = False
    """Answer nothing until the vendor is stopped."""
    reset: bool = False
    """Reset the connection instead of answering."""


def reply(payload: Any, status: int = 200, **headers: str) -> Reply:
    """A JSON answer (or raw bytes) with a status of choice; ``Retry_After="2"`` is a header."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Reply(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


def too_many_requests(retry_after: str | None = None) -> Reply:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Reply(b"slow down", 429, headers)


def server_error(status: int = 503) -> Reply:
    return Reply(b"<html>Bad Gateway</html>", status)


def truncated(payload: Any) -> Reply:
    """A whole HTTP answer whose JSON ends in the middle."""
    body = json.dumps(payload).encode()
    return Reply(body[: max(1, len(body) // 2)])


def cut_off(payload: Any) -> Reply:
    """An HTTP answer that breaks off before its announced end."""
    body = json.dumps(payload).encode()
    return Reply(body, cut=max(1, len(body) // 2))


HANGS = Reply(hang=True)
RESETS = Reply(reset=True)

Answerer = Callable[[Call], Any]


class FakeVendor:
    """The server; use as a context manager. Unknown routes answer 404."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._routes: dict[str, Answerer] = {}
        self._next: list[Any] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, payload: Any) -> None:
        """Set what a path answers: a payload, a list of :class:`Reply` and payloads in a row, or a function.

        A list is a row of answers only if it holds a :class:`Reply`; else it is a JSON payload.
        """
        if callable(payload):
            self._routes[path] = payload
        elif isinstance(payload, list) and any(isinstance(item, Reply) for item in payload):
            self._routes[path] = _in_a_row(payload)
        else:
            self._routes[path] = lambda call: payload

    def next(self, *payloads: Any) -> None:
        """Answer these to the next calls, whatever their path."""
        with self._lock:
            self._next += payloads

    def asked(self, path: str) -> list[Call]:
        """The calls to one path, in order."""
        return [call for call in self.calls if call.path == path]

    def reply_to(self, call: Call) -> Reply:
        with self._lock:
            self.calls.append(call)
            payload = self._next.pop(0) if self._next else None
        if payload is None:
            answerer = self._routes.get(call.path)
            payload = reply({"error": f"no route {call.path}"}, 404) if answerer is None else answerer(call)
        return payload if isinstance(payload, Reply) else reply(payload)

    def wait_until_stopped(self) -> None:
        self._stopped.wait(10.0)


def _in_a_row(payloads: list[Any]) -> Answerer:
    left, lock = list(payloads), threading.Lock()

    def answerer(call: Call) -> Any:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return answerer


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is what many tests are about: no traceback for it."""


def _handler(vendor: FakeVendor) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body are two writes: without this each answer waits for the client's delayed acknowledgement.
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            call = Call(
                self.command,
                parts.path,
                {name: values[-1] for name, values in parse_qs(parts.query).items()},
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
            )
            self._send(vendor.reply_to(call))

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def _send(self, answer: Reply) -> None:
            if answer.hang:
                vendor.wait_until_stopped()
                self.close_connection = True
                return
            if answer.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # The two file objects hold the socket open: without closing all three there is no reset.
                self.wfile.close()
                self.rfile.close()
                self.connection.close()
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
            self.close_connection = self.close_connection or answer.cut is not None

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

    return Handler
