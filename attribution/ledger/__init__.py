"""The ledger: whose P&L was it.

Facts are appended to one log; positions, lots and P&L per strategy are pure functions of it. Start with
:class:`TradeLedgerService`. Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attribution.ledger.book import Book
    from attribution.ledger.errors import (
        ConflictError,
        CorruptLogError,
        InvalidRecordError,
        LedgerError,
        NewerSchemaError,
        StoreError,
    )
    from attribution.ledger.explain import StrategyReport, explain_strategies
    from attribution.ledger.fold import fold
    from attribution.ledger.health import LedgerHealth
    from attribution.ledger.importers import (
        ImportReport,
        import_statement,
        read_alpaca,
        read_generic,
        read_tastytrade,
    )
    from attribution.ledger.log import Log
    from attribution.ledger.performance import PerformanceSummary, TradePerformanceService
    from attribution.ledger.query import GroupTotal, TradeLedgerQuery
    from attribution.ledger.records import Allocation, Correction, Cross, Event, Fill
    from attribution.ledger.service import TradeLedgerService
    from attribution.ledger.settings import LedgerSettings, open_log, open_safe_log
    from attribution.ledger.view import TradeLedger, TradeLedgerEntry

_HOMES = {
    "book": ("Book",),
    "errors": (
        "ConflictError",
        "CorruptLogError",
        "InvalidRecordError",
        "LedgerError",
        "NewerSchemaError",
        "StoreError",
    ),
    "explain": ("StrategyReport", "explain_strategies"),
    "fold": ("fold",),
    "health": ("LedgerHealth",),
    "importers": ("ImportReport", "import_statement", "read_alpaca", "read_generic", "read_tastytrade"),
    "log": ("Log",),
    "performance": ("PerformanceSummary", "TradePerformanceService"),
    "query": ("GroupTotal", "TradeLedgerQuery"),
    "records": ("Allocation", "Correction", "Cross", "Event", "Fill"),
    "service": ("TradeLedgerService",),
    "settings": ("LedgerSettings", "open_log", "open_safe_log"),
    "view": ("TradeLedger", "TradeLedgerEntry"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Allocation",
    "Book",
    "ConflictError",
    "Correction",
    "CorruptLogError",
    "Cross",
    "Event",
    "Fill",
    "GroupTotal",
    "ImportReport",
    "InvalidRecordError",
    "LedgerError",
    "LedgerHealth",
    "LedgerSettings",
    "Log",
    "NewerSchemaError",
    "PerformanceSummary",
    "StoreError",
    "StrategyReport",
    "TradeLedger",
    "TradeLedgerEntry",
    "TradeLedgerQuery",
    "TradeLedgerService",
    "TradePerformanceService",
    "explain_strategies",
    "fold",
    "import_statement",
    "open_log",
    "open_safe_log",
    "read_alpaca",
    "read_generic",
    "read_tastytrade",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
