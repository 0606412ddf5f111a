"""OpenAlgo: one local server in front of many Indian brokers, read only; see ``docs/brokers/openalgo.md``."""

from brokers.openalgo.client import OpenAlgoBroker

__all__ = ["OpenAlgoBroker"]
