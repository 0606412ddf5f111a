"""Reading many hashes at once from any client of a Redis or Valkey server, alone or a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeAlias

from attribution.errors import BrokerError
from brokers.redis_legs.orders import Cells

__all__ = ["Pipelined", "Protocol_", "address_of", "connect", "ping", "read_hashes"]

Protocol_: TypeAlias = Literal[2, 3]

CHUNK = 2000
"""Commands per pipeline: long enough to hide the way to the server, short enough to bound what both sides hold."""

CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 5.0
RETRIES, LONGEST_PAUSE_SECONDS = 2, 0.2

_WRONG_TYPE = "WRONGTYPE"


class Pipelined(Protocol):
    """All that is needed of a client: redis-py, valkey-py, their clusters, sentinels and emulators have it."""

    def pipeline(self, transaction: Any = ...) -> Any:
        """Return an object that collects commands and sends them together."""
        ...


def connect(url: str, protocol: Protocol_) -> Pipelined:
    """Open no connection yet, but return a client that will, with time-outs and two retries.

    The defaults of redis-py would try ten times before they tell that a server is gone.
    """
    try:
        import redis
        from redis.backoff import ExponentialBackoff
        from redis.retry import Retry
    except ImportError as exc:
        raise BrokerError("RedisLegs of a URL needs redis: pip install 'options-attribution[redis]'") from exc
    try:
        client: Pipelined = redis.Redis.from_url(
            url.replace("valkey://", "redis://", 1).replace("valkeys://", "rediss://", 1),
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(ExponentialBackoff(cap=LONGEST_PAUSE_SECONDS, base=0.01), RETRIES),
            protocol=protocol,
        )
    except ValueError:
        # The message may quote a part of the URL, and a part of the URL is the password.
        raise BrokerError("the URL of the server cannot be read: redis://host:port/db, unix:///path") from None
    return client


def address_of(client: object) -> str:
    """Where a client connects to, for messages: ``host:port/db`` or the path of a socket, and no more of it."""
    settings = _settings(client)
    if settings.get("path"):
        return str(settings["path"])
    if settings.get("host"):
        return f"{settings['host']}:{settings.get('port', 6379)}/{settings.get('db') or 0}"
    node = getattr(getattr(client, "nodes_manager", None), "default_node", None)
    return str(getattr(node, "name", None) or type(client).__name__)


def read_hashes(client: Pipelined, keys: Sequence[str], fields: Sequence[str]) -> dict[str, Cells | str]:
    """Read some fields of many hashes.

    No transaction, and each command names one key: so a cluster can split a pipeline by node.

    Returns
    -------
    dict[str, Cells | str]
        By key the values of ``fields``, or in words why the key has none.

    Raises
    ------
    BrokerError
        The server cannot be reached, or refuses to answer.
    """
    found: dict[str, Cells | str] = {}
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        for key, reply in zip(chunk, _replies(client, chunk, fields), strict=True):
            found[key] = _cells(client, key, reply)
    return found


def ping(client: Pipelined) -> None:
    """Raise BrokerError unless the server answers."""
    read_hashes(client, ["attribution:ping"], ["attribution"])


def _replies(client: Pipelined, keys: Sequence[str], fields: Sequence[str]) -> list[Any]:
    try:
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.hmget(key, list(fields))
        replies = list(pipe.execute(raise_on_error=False))
    except Exception as exc:  # noqa: BLE001 - any client may be given, each with its own tree of errors
        raise _broker_error(client, exc) from None
    if len(replies) != len(keys):
        raise _broker_error(client, RuntimeError(f"{len(replies)} replies to {len(keys)} commands"))
    return replies


def _cells(client: Pipelined, key: str, reply: Any) -> Cells | str:
    if isinstance(reply, Exception):
        if _WRONG_TYPE in str(reply):
            return f"order {key} is not a hash"
        raise _broker_error(client, reply)
    cells: Cells = reply
    return cells


def _broker_error(client: object, cause: Exception) -> BrokerError:
    """Name the server and the cause. No chaining: the traceback of a client may print what it connects with."""
    text = f"{type(cause).__name__}: {cause}"
    for secret in ("password", "username"):
        value = _settings(client).get(secret)
        if value:
            text = text.replace(str(value), "***")
    return BrokerError(f"{address_of(client)} does not answer: {text}")


def _settings(client: object) -> dict[str, Any]:
    pool = getattr(client, "connection_pool", None)
    settings = getattr(pool, "connection_kwargs", None)
    return settings if isinstance(settings, dict) else {}
