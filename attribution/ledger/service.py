"""The service that trading code calls: it records what was filled, never raises, and is never silent about a failure.

::

    service = TradeLedgerService()
    service.record_filled_order(order_result, correlation_id, rebalance_plan, quote_at_fill)
    service.health().ok

A fill and its allocation to strategies are one commit. While the log cannot take them they wait in a spool on disk
and are appended, in their order and each with its owners, before anything newer is.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from attribution.ledger.book import Book
from attribution.ledger.closing import ClosingPolicy
from attribution.ledger.contracts import contract_of
from attribution.ledger.database import QueryDatabase
from attribution.ledger.errors import ConflictError, InvalidRecordError, LedgerError
from attribution.ledger.health import LedgerHealth, Unrecorded, Written
from attribution.ledger.lazy import LazyStore
from attribution.ledger.log import Log
from attribution.ledger.orders import read_execution, read_quote
from attribution.ledger.query import GroupTotal, TradeLedgerQuery
from attribution.ledger.record import Record
from attribution.ledger.recording import FillMaker
from attribution.ledger.runs import write_runs
from attribution.ledger.settings import LedgerSettings
from attribution.ledger.spool import SafeLog, Spool
from attribution.ledger.view import TradeLedger, TradeLedgerEntry, instant_at, require_one_currency
from attribution.ledger.writer import Writer

__all__ = ["LedgerHealth", "TradeLedgerService", "Unrecorded"]

_logger = logging.getLogger(__name__)

_MOST_UNRECORDED: Final = 1000


class TradeLedgerService:
    """Records fills, and answers for them. Safe to share between threads; processes may share the log.

    Parameters
    ----------
    log
        The log, with or without its spool; None: the one that ``settings`` name.
    settings
        Where the ledger is kept; None: what the environment says (see :mod:`attribution.ledger.settings`). A log that
        cannot be opened is no error here: fills wait in the spool until it can.
    closing
        Whose position an untagged fill closes: ``"pro_rata"``, ``"fifo"``, ``"weights"``, ``"house"``.
    venue
        The venue of orders that do not name one. It is part of a fill's identity: use the same in every process.
    exchange
        The home of symbols that do not say it.
    source
        Who records, as entries tell it.
    database
        Where queries are answered from; None: in memory, built when first asked.
    clock
        Nanoseconds UTC, for a fill whose time nobody told.
    """

    def __init__(
        self,
        log: Log | SafeLog | None = None,
        *,
        settings: LedgerSettings | None = None,
        account_id: str | None = None,
        closing: str | ClosingPolicy = "pro_rata",
        venue: str | None = None,
        exchange: str | None = None,
        source: str = "execution",
        database: QueryDatabase | Path | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        if log is None or isinstance(log, Log):
            settings = settings or LedgerSettings.from_environment()
            log = SafeLog(log or Log(LazyStore(settings)), Spool(settings.spool_path))
        self._safe = log
        self._settings = settings
        self._enabled = settings is None or settings.enabled
        self.account_id = account_id or (settings.account_id if settings is not None else "default")
        self.ledger_id = uuid.uuid4().hex
        self._exchange = exchange
        self._maker = FillMaker(self.account_id, venue, exchange, source, self._time_of)
        self._clock = clock
        self._lock = threading.RLock()
        self._writer = Writer(log, closing)
        self._database = database if isinstance(database, QueryDatabase) else None
        self._database_path = database if isinstance(database, Path) else None
        self._unrecorded: list[Unrecorded] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def log(self) -> Log:
        """The log, for those who want to know exactly."""
        return self._safe.log

    # --- recording -----------------------------------------------------------------------------------------------

    def record_filled_order(
        self,
        order_result: object,
        correlation_id: str | None = None,
        rebalance_plan: object | None = None,
        quote_at_fill: object | None = None,
    ) -> TradeLedgerEntry | None:
        """Record a filled order. Never raises; what went wrong is in :meth:`health` and in the log of the program.

        Parameters
        ----------
        order_result
            An object or mapping with ``symbol, order_id, action`` (or ``side``), ``shares`` (or ``filled_qty``),
            ``price`` (or ``fill_price``) and, as far as they are known, ``success, filled_at, order_type, fill_id,
            cum_qty, fees, client_order_id, strategy_name, strategy_weights`` and the other documented fields.
        correlation_id
            The run it belongs to.
        rebalance_plan
            Whose the order is, by ``metadata["strategy_attribution"][symbol]`` or ``strategy_contributions``.
        quote_at_fill
            Bid and ask at the fill; a price that is not positive counts as not quoted.

        Returns
        -------
        TradeLedgerEntry or None
            What is on record now, also where it was before, with its corrections; ``seq`` is 0 while it waits for the
            log, and whose it is may change until it is there. None: the order was not filled, adds nothing to what is
            on record, was busted, or could not be recorded.
        """
        if not self._enabled:
            return None
        try:
            with self._lock:
                return self._record_order(order_result, correlation_id, rebalance_plan, quote_at_fill)
        except (InvalidRecordError, ConflictError) as error:
            self._note_unrecorded(order_result, str(error))
        except Exception as error:  # trading goes on whatever is wrong with the ledger, and is told of it
            _logger.exception("the trade ledger failed to record an order")
            self._note_unrecorded(order_result, f"{type(error).__name__}: {error}")
        return None

    def _record_order(
        self, order_result: object, correlation_id: str | None, plan: object | None, quote: object | None
    ) -> TradeLedgerEntry | None:
        execution = read_execution(order_result)
        if execution is None:
            _logger.debug("not recorded, for it was not filled: %r", order_result)
            return None
        is_current = self._writer.catch_up()
        fill = self._maker.fill_of(execution, self._writer.teller, correlation_id, plan, read_quote(quote))
        return None if fill is None else self._writer.record(fill, is_current=is_current)

    def _time_of(self, key: str) -> int:
        """When a fill that does not say so happened: as it is on record or waits to be, else now."""
        known = self._writer.time_of(self.account_id, key)
        return self._clock() if known is None else known

    def _note_unrecorded(self, order_result: object, reason: str) -> None:
        one = Unrecorded(_told(order_result, "order_id"), _told(order_result, "symbol"), reason)
        with self._lock:
            self._unrecorded.append(one)
            del self._unrecorded[:-_MOST_UNRECORDED]
        _logger.error("a filled order is not in the ledger (%s): %r", reason, order_result)

    # --- recording, for those who can handle errors --------------------------------------------------------------

    def append(
        self, records: Iterable[Record], on_refused: Callable[[Record, LedgerError], None] | None = None
    ) -> Written:
        """Append records of any kind, fills with their allocations, in few commits.

        Records are drawn one by one, so that a generator may look at :attr:`book` between them. What waits in the spool
        is appended first.

        Parameters
        ----------
        on_refused
            Told of a record that contradicts the log or the book; None: it raises.

        Raises
        ------
        LedgerError
            The log failed, or refused a record. Commits that were complete stay (one per some hundred entries); of the
            rest nothing is in the log or the book, as after any other error.
        """
        with self._lock:
            return self._writer.append(records, on_refused)

    # --- health --------------------------------------------------------------------------------------------------

    def health(self) -> LedgerHealth:
        """Whether everything that was filled is on record, and what is not."""
        with self._lock:
            unallocated = self._writer.teller.unallocated
            return LedgerHealth(self._safe.health(), tuple(self._unrecorded), unallocated)

    def replay(self) -> LedgerHealth:
        """Append what waits in the spool, and say whose the fills are that are on record without their owners."""
        with self._lock:
            self._writer.replay()
            return self.health()

    # --- reading -------------------------------------------------------------------------------------------------

    @property
    def book(self) -> Book:
        """Positions, lots and P&L after the last entry of the log."""
        with self._lock:
            self._writer.teller.sync(self.log)
            return self._writer.teller.book

    def database(self) -> QueryDatabase:
        """The query database, brought up to the end of the log."""
        with self._lock:
            if self._database is None:
                self._database = QueryDatabase(self._database_path)
            self._database.sync(self.log)
            return self._database

    def find(self, query: TradeLedgerQuery) -> list[TradeLedgerEntry]:
        """The fills that a query asks for."""
        return self.database().find(query)

    def totals(self, by: Sequence[str], query: TradeLedgerQuery | None = None) -> list[GroupTotal]:
        """Exact totals by group, and always by currency, of the fills that a query lets through."""
        return self.database().totals(by, query)

    def get_ledger(self) -> TradeLedger:
        """All fills of the account, in the order in which they happened."""
        entries = self.find(TradeLedgerQuery(account_id=self.account_id))
        return TradeLedger(self.ledger_id, instant_at(self._clock()), tuple(entries))

    def get_entries_for_symbol(self, symbol: str) -> list[TradeLedgerEntry]:
        """The account's fills in a symbol, in the order in which they happened."""
        known = contract_of(symbol, self._exchange).symbol
        return self.find(TradeLedgerQuery(account_id=self.account_id, symbol=known))

    def get_entries_for_strategy(self, strategy_name: str) -> list[TradeLedgerEntry]:
        """The account's fills in which a strategy has a share, in the order in which they happened."""
        return self.find(TradeLedgerQuery(account_id=self.account_id, strategy_name=strategy_name))

    @property
    def total_entries(self) -> int:
        """How many fills of the account are on record."""
        return self.database().count(TradeLedgerQuery(account_id=self.account_id))

    @property
    def total_buy_value(self) -> Decimal:
        """Gross value of the account's purchases, which must be in one currency. [currency]"""
        return self._total("buy_value")

    @property
    def total_sell_value(self) -> Decimal:
        """Gross value of the account's sales, which must be in one currency. [currency]"""
        return self._total("sell_value")

    def _total(self, name: str) -> Decimal:
        found = self.totals((), TradeLedgerQuery(account_id=self.account_id))
        require_one_currency((one.currency for one in found), "ask totals((), TradeLedgerQuery(currency=…))")
        value: Decimal = getattr(found[0], name) if found else Decimal(0)
        return value

    def persist_run(self, correlation_id: str | None = None) -> bool:
        """Write the documented file of each run, ``trade-ledgers/YYYY/MM/DD/HHMMSS-{ledger_id}-{correlation_id}.json``.

        They are made of the log and written where it is kept; ``correlation_id`` None: every run of the account. Never
        raises: whether it worked is the answer, and the reason is in the log of the program.
        """
        if not self._enabled or self._settings is None:
            return False
        try:
            write_runs(self.find(TradeLedgerQuery(account_id=self.account_id)), correlation_id, self._settings)
        except (LedgerError, OSError, ImportError) as error:
            _logger.error("the run's file could not be written: %s", error)
            return False
        return True

    persist_to_s3 = persist_run

    def close(self) -> None:
        """Let go of the log's and the database's files."""
        with self._lock:
            self._safe.close()
            if self._database is not None:
                self._database.close()


def _told(source: object, name: str) -> str | None:
    """A field for the message about an object that could not be read, and that may break again when it is looked at."""
    try:
        value: Any = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
        return None if value is None else str(value)
    except Exception as exc:  # noqa: BLE001  # an object of the caller's may raise anything, and trading goes on
        return f"unreadable ({type(exc).__name__})"
