"""An S3 server's bad days, on loopback: a proxy that loses answers, forgets a header, or is the one that answers."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class FaultyProxy:
    """Forwards to ``upstream``, and does to the next requests of a method what ``faults`` lists.

    ``"lose answer"``: the server does it, nobody hears of it. ``"lose request"``: nothing reaches the server.
    ``"forget condition"``: ``If-None-Match`` is left out. A number: that status is the answer, and the server hears
    nothing. ``always`` does the same to every request of a method.
    """

    def __init__(self, upstream: str) -> None:
        self.faults: dict[str, list[str | int]] = {}
        self.always: dict[str, str | int] = {}
        self.seen: list[tuple[str, str]] = []
        parts = urlsplit(upstream)
        assert parts.hostname is not None
        self._upstream = parts.hostname, parts.port or 80
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _fault(self, method: str, path: str) -> str | int | None:
        with self._lock:
            self.seen.append((method, path))
            queue = self.faults.get(method, [])
            return queue.pop(0) if queue else self.always.get(method)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                fault = proxy._fault(self.command, self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if fault == "lose request":
                    self.close_connection = True
                    return
                if isinstance(fault, int):
                    self.answer(fault, [], _error(fault))
                    return
                headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
                if fault == "forget condition":
                    headers = {name: value for name, value in headers.items() if name.lower() != "if-none-match"}
                status, given, content = proxy._forward(self.command, self.path, body, headers)
                if fault == "lose answer":
                    self.close_connection = True
                    return
                self.answer(status, given, content)

            do_GET = do_PUT = do_DELETE = do_HEAD = do_POST = handle_any

            def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in {"content-length", "transfer-encoding", "connection", "date"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                pass

        return Handler

    def _forward(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(*self._upstream, timeout=10)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()


def _error(status: int) -> bytes:
    code = {403: "AccessDenied", 404: "NoSuchBucket", 409: "ConditionalRequestConflict", 412: "PreconditionFailed"}
    code |= {500: "InternalError", 501: "NotImplemented", 503: "SlowDown"}
    return f"<Error><Code>{code[status]}</Code><Message>as asked</Message></Error>".encode()
