"""History on disk: a report over past sessions that ran once needs no network again. Needs pyarrow."""

from attribution.market.history.broker import HistoryBarBroker, HistoryBroker
from attribution.market.history.folder import HistoryFolder

__all__ = ["HistoryBarBroker", "HistoryBroker", "HistoryFolder"]
