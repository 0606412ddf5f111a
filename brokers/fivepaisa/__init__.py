"""5paisa: prices, books and fills of one Indian broker account."""

from brokers.fivepaisa.client import BASE_URL, FivePaisaBroker
from brokers.fivepaisa.session import FivePaisaCredentials, totp_code

__all__ = ["BASE_URL", "FivePaisaBroker", "FivePaisaCredentials", "totp_code"]
