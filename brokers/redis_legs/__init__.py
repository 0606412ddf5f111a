"""Per-leg fill prices from the order hashes of a Redis or Valkey server.

``orders`` reads one hash and ``fills`` joins several to the price of a leg, both without any input or output;
``connection`` talks to the server; ``source`` is what attribution asks. ``docs/brokers/redis.md`` tells the layout.
"""

from brokers.redis_legs.orders import OrderKeys
from brokers.redis_legs.source import RedisLegs

__all__ = ["OrderKeys", "RedisLegs"]
