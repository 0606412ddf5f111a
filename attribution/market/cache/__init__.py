"""A source around a source: nothing is asked twice, and nothing that can change is kept for good."""

from attribution.market.cache.broker import CachedBarBroker, CachedBroker
from attribution.market.cache.registry import cached, clear_caches
from attribution.market.cache.stats import CacheStats

__all__ = ["CacheStats", "CachedBarBroker", "CachedBroker", "cached", "clear_caches"]
