"""What can go wrong, as one tree.

::

    AttributionError
     ├── TradeError           the row is wrong: which field, what was received, what is allowed
     │    └── SymbolError     the row's symbol cannot be read
     ├── CalendarError        an instant or date outside what the calendars know
     ├── MarketDataError      a needed price is missing
     │    └── NoSourceError   nobody was configured who could know a needed price
     ├── BrokerError          the outside world failed: a vendor, a server, the network
     ├── DatasetError         a run over files cannot begin (attribution.dataset)
     └── LedgerError          a record, a log or a store of the ledger (attribution.ledger.errors)

``ValueError`` and ``TypeError`` are kept for wrong *arguments* of a function (an unknown
method name, arrays that do not broadcast); they are bugs in the calling program, not in the data.
"""

from __future__ import annotations

__all__ = [
    "AttributionError",
    "BrokerError",
    "CalendarError",
    "MarketDataError",
    "NoSourceError",
    "SymbolError",
    "TradeError",
]


class AttributionError(Exception):
    """Base of every error this library raises on purpose."""


class TradeError(AttributionError):
    """A trade row is malformed.

    ``field`` names the column, ``value`` is what was received; the message adds what is allowed.
    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(f"{field}={value!r}: {allowed}")
        self.field = field
        self.value = value
        self.allowed = allowed

    def __reduce__(self) -> tuple[type[TradeError], tuple[str, object, str]]:
        return type(self), (self.field, self.value, self.allowed)


class SymbolError(TradeError):
    """A symbol that no grammar can read, or that names an impossible contract."""


class CalendarError(AttributionError):
    """An instant or date outside what the shipped calendars know."""


class MarketDataError(AttributionError):
    """A price the split needs is missing; the message says which, and what was tried."""


class NoSourceError(MarketDataError):
    """A needed price could not even be asked for: no source was given that could know it."""


class BrokerError(AttributionError):
    """A broker, data vendor or server failed to answer."""
