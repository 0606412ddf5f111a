"""Alpaca: US shares and options over its REST interface, read only; see ``docs/brokers/alpaca.md``."""

from brokers.alpaca.client import AlpacaBroker

__all__ = ["AlpacaBroker"]
