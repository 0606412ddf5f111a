"""The fills of a trade's legs, by the order ids that the trade carries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain

from attribution.errors import BrokerError
from attribution.market.quotes import Answer, FillOf, Missing, Side
from brokers.base import Health
from brokers.redis_legs.connection import Pipelined, Protocol_, address_of, connect, ping, read_hashes
from brokers.redis_legs.fills import Sliced, fill_of
from brokers.redis_legs.orders import (
    ORDER_FIELDS,
    PARENT_FIELDS,
    UNFILLED,
    Cells,
    NoFill,
    Order,
    OrderKeys,
    parent_key,
    read_order,
    read_parent,
    stored_key,
)

__all__ = ["RedisLegs"]


class RedisLegs:
    """Leg fills from order hashes: a :class:`~attribution.market.source.FillSource`.

    Every call reads the server anew, one pipeline for all questions (in pieces of 2000 orders); nothing is
    remembered, so a corrected price is seen. Safe to share between threads as far as the client is: redis-py is.

    Parameters
    ----------
    server
        A URL (``redis://host:port/db``, ``rediss://…``, ``unix:///path?db=1``) or a client with a
        ``pipeline`` method, decoding its replies or not.
    broker
        The ``broker`` field of the orders that count, such as ``"SHOONYA"``; None for any.
    sliced
        ``"average"``: a leg filled by several orders has their average price, weighted by quantity; an order id that
        the server does not know leaves the legs of its trade without a price, because it may be one of their slices.
        ``"first"``: the price of the first matching order, whatever the others are.
    unfilled
        Order states whose price is a limit and not a fill.
    protocol
        2 or 3, of a connection made from a URL. 2 is what every server speaks, and twice as fast to read in Python.
    name
        How messages call this source.

    Raises
    ------
    BrokerError
        A URL that cannot be read, or ``redis`` is not installed. No connection is made before the first question.
    """

    asks_in_bulk = True
    """A batch is one pipeline: piece by piece, each piece would pay the way to the server."""

    def __init__(
        self,
        server: str | Pipelined = "redis://localhost:6379/0",
        *,
        broker: str | None = None,
        sliced: Sliced = "average",
        unfilled: Collection[str] = UNFILLED,
        protocol: Protocol_ = 2,
        name: str = "redis",
    ) -> None:
        if sliced not in ("average", "first"):
            raise ValueError(f"sliced={sliced!r}: 'average' or 'first'")
        self.name = name
        self._broker = broker
        self._sliced: Sliced = sliced
        self._unfilled = frozenset(unfilled)
        self._client = connect(server, protocol) if isinstance(server, str) else server

    def __repr__(self) -> str:
        return f"RedisLegs({address_of(self._client)!r})"

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        """Answer each question by the orders behind its keys.

        Raises
        ------
        BrokerError
            The server cannot be reached, or refuses to answer; the message names it, never its password.
        """
        # The legs of a trade, and the halves of a split row, share their orders: each is read once.
        stored = {keys: tuple(dict.fromkeys(map(stored_key, keys))) for keys in {ask.keys for ask in wanted}}
        cells = read_hashes(self._client, list(dict.fromkeys(chain(*stored.values()))), ORDER_FIELDS)
        orders: dict[tuple[Side, tuple[str, ...]], list[Order | NoFill]] = {}
        for ask in wanted:
            batch = (ask.side, ask.keys)
            if batch not in orders:
                orders[batch] = [self._order(key, cells[key], ask.side) for key in stored[ask.keys]]
        return [self._fill(ask, orders[ask.side, ask.keys]) for ask in wanted]

    def parents(self, internal_order_ids: Sequence[str]) -> list[OrderKeys | Missing]:
        """Return the order ids that stand behind internal ones, such as ``SCALPING01_1949``.

        Raises
        ------
        BrokerError
            As of :meth:`fills`.
        """
        stored = [parent_key(one) for one in internal_order_ids]
        found = read_hashes(self._client, list(dict.fromkeys(stored)), PARENT_FIELDS)
        return [self._parent(one, found[key]) for one, key in zip(internal_order_ids, stored, strict=True)]

    def health(self) -> Health:
        """Ask the server for a sign of life; what is wrong is told, not raised."""
        try:
            ping(self._client)
        except BrokerError as exc:
            return Health(self.name, configured=True, detail=str(exc))
        return Health(self.name, configured=True, reachable=True, session_valid=True)

    def _fill(self, ask: FillOf, orders: Sequence[Order | NoFill]) -> Answer:
        if not ask.keys:
            return Missing(f"the trade has no {ask.side}_keys, and fills are stored by order id")
        return fill_of(ask, orders, self._sliced, self.name)

    def _order(self, key: str, cells: Cells | str, side: Side) -> Order | NoFill:
        if isinstance(cells, str):
            return NoFill(cells, unclear=True)
        return read_order(key, cells, side, broker=self._broker, unfilled=self._unfilled)

    @staticmethod
    def _parent(internal_order_id: str, cells: Cells | str) -> OrderKeys | Missing:
        return Missing(cells) if isinstance(cells, str) else read_parent(internal_order_id, cells)
