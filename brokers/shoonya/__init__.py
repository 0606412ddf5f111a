"""Shoonya (Finvasia, Noren): prices, books and fills of one Indian broker account."""

from brokers.shoonya.client import BASE_URL, ShoonyaBroker
from brokers.shoonya.session import ShoonyaCredentials, authorize_url

__all__ = ["BASE_URL", "ShoonyaBroker", "ShoonyaCredentials", "authorize_url"]
