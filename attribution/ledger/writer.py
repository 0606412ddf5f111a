"""Puts facts into the log: what waits before what is new, and every fill with its allocation in one commit.

A fill is divided against the book of everything before it. So nothing is divided or written before what waits in the
spool is in the log, each waiting fill with its own allocation, and before somebody has said whose the fills are that
the log holds without one. Where that is not possible now, what is new waits, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from attribution.ledger.closing import ClosingPolicy
from attribution.ledger.entry import Draft, Kind
from attribution.ledger.errors import ConflictError, InvalidRecordError, LedgerError, StoreError
from attribution.ledger.facts import has_memory
from attribution.ledger.health import Written
from attribution.ledger.record import Record
from attribution.ledger.recording import rest_of_order
from attribution.ledger.records import Allocation, Fill
from attribution.ledger.runs import view_of_drafts, view_of_recorded
from attribution.ledger.spool import Recorded, SafeLog
from attribution.ledger.teller import Teller
from attribution.ledger.view import TradeLedgerEntry

__all__ = ["Writer"]

_logger = logging.getLogger(__name__)

_BATCH: Final = 500


class Writer:
    """Writes one log, and keeps the book that says whose its fills are. Not safe between threads by itself."""

    def __init__(self, safe: SafeLog, closing: str | ClosingPolicy) -> None:
        self._safe = safe
        self._closing = closing
        self.teller = Teller(closing)
        self._found_waiting: dict[tuple[str, str], int] | None = None

    # --- what comes first ----------------------------------------------------------------------------------------

    def catch_up(self) -> bool:
        """Append what waits, allocate what has no owners, tell the book the log; whether all of that was possible."""
        try:
            if self._safe.drain(self._complete):
                self._follow()
                return True
        except (LedgerError, OSError) as error:  # appending will fail for the same reason, and the health tells
            _logger.debug("the log cannot be read: %s", error)
        except Exception:  # what is filled is kept whatever is wrong with the book
            _logger.exception("the ledger's book cannot be brought up to date")
        return False

    def replay(self) -> None:
        """Catch up now, even where the log is left alone for a while."""
        with suppress(LedgerError, OSError):  # the health tells
            health = self._safe.replay(self._complete)
            if not health.waiting and not health.in_memory:
                self._follow()

    def _follow(self) -> None:
        """Read the log to its end, and write whose the fills are that it holds without saying so."""
        log, teller = self._safe.log, self.teller
        teller.sync(log)
        teller.forget_heard(log)
        orphans = teller.orphans()
        if orphans:
            with suppress(ConflictError):  # another process has just said it
                log.append([teller.book.allocate(fill).draft() for fill in orphans])
            teller.sync(log)

    def _complete(self, drafts: Sequence[Draft]) -> Sequence[Draft]:
        """A batch that waited, with the allocation that its fill has as the next of the log."""
        self.teller.sync(self._safe.log)
        if [draft.kind for draft in drafts] not in ([Kind.FILL], [Kind.FILL, Kind.ALLOC]):
            return drafts
        try:
            fill = Fill.from_entry(drafts[0])
            return self._completed(fill, Allocation.from_entry(drafts[1]) if len(drafts) > 1 else None)
        except InvalidRecordError as error:  # a later version's, perhaps: the log takes it as it is
            _logger.error("a waiting fill is appended as it is: %s", error)
            return drafts

    def _completed(self, fill: Fill, said: Allocation | None) -> list[Draft]:
        teller = self.teller
        if teller.knows(fill):
            return [fill.draft()]
        rest = fill if teller.has(fill) else rest_of_order(fill, teller.slices_of_log(fill))
        if rest is None:
            _logger.info("%s of order %s are on record already", fill.quantity, fill.order_id)
            return []
        return [rest.draft(), teller.settle(rest, said, self._safe.log).draft()]

    # --- one fill ------------------------------------------------------------------------------------------------

    def record(self, fill: Fill, *, is_current: bool) -> TradeLedgerEntry | None:
        """Append a fill and its allocation, or leave them in the spool; ``is_current``: after catching up.

        Returns
        -------
        TradeLedgerEntry or None
            What is on record now; None: the fill was recorded before, and busted since.

        Raises
        ------
        ConflictError
            The fill contradicts the log, or what waits for it.
        """
        teller = self.teller
        if teller.knows(fill):
            drafts = [fill.draft()]
        else:
            allocation = teller.allocate(fill)
            drafts = [fill.draft()] if allocation is None else [fill.draft(), allocation.draft()]
            if teller.heard(fill):
                return view_of_drafts(0, drafts)
        recorded = self._put(fill, drafts, is_current=is_current)
        if not recorded.in_log:
            teller.hear(fill, Allocation.from_entry(drafts[1]) if len(drafts) > 1 else None)
            return view_of_drafts(0, drafts)
        teller.take([one.entry for one in recorded.appended])
        first = recorded.appended[0]
        if first.new:
            return view_of_drafts(first.entry.seq, drafts)
        return view_of_recorded(first.entry, self._safe.log, teller.book)

    def _put(self, fill: Fill, drafts: Sequence[Draft], *, is_current: bool) -> Recorded:
        """Append or keep; a division that depends on a log that cannot be read now is not written into it."""
        if not is_current and has_memory(fill) and not self.teller.knows(fill):
            return self._safe.keep(drafts)
        recorded = self._safe.record(drafts, self._complete)
        if recorded.refused is not None:
            raise recorded.refused
        return recorded

    def time_of(self, account_id: str, key: str) -> int | None:
        """When the fill of this key happened, if it is on record or waits to be; busted ones too. [UTC ns]"""
        known = self.teller.time_of(account_id, key)
        if known is not None:
            return known
        if self._found_waiting is None:  # read once: what this process adds to the spool the teller has heard of
            fills = (one for one in self._safe.waiting() if one.kind == Kind.FILL)
            self._found_waiting = {(one.account_id, one.key): one.ts for one in fills}
        return self._found_waiting.get((account_id, key))

    # --- many records --------------------------------------------------------------------------------------------

    def append(self, records: Iterable[Record], on_refused: Callable[[Record, LedgerError], None] | None) -> Written:
        """Append records in few commits; see :meth:`attribution.ledger.TradeLedgerService.append`."""
        health = self._safe.replay(self._complete)
        if health.waiting or health.in_memory:
            raise StoreError(f"earlier batches wait and cannot be appended: {health.last_error}")
        self._follow()
        new = known = 0
        waiting: list[Draft] = []
        try:
            for record in records:
                try:
                    drafts = self._tell(record)
                except LedgerError as error:
                    if on_refused is None:
                        raise self._refusal(record, error) from error
                    self._commit(waiting)
                    on_refused(record, self._refusal(record, error))
                    continue
                new, known = (new + 1, known) if drafts else (new, known + 1)
                waiting += drafts
                if len(waiting) >= _BATCH:
                    self._commit(waiting)
            self._commit(waiting)
        except BaseException as error:
            if waiting or not isinstance(error, LedgerError):
                self._forget()
            raise
        return Written(new, known)

    def _tell(self, record: Record) -> list[Draft]:
        """Tell the book of a record; the drafts to commit, none if it is known."""
        book = self.teller.book
        if isinstance(record, Fill):
            allocation = book.allocate(record)
            if not book.apply_fill(record, allocation):
                return []
            self.teller.count(record)
            return [record.draft(), allocation.draft()]
        return [record.draft()] if book.apply(record) else []

    def _commit(self, drafts: list[Draft]) -> None:
        if drafts:
            appended = self._safe.log.append(drafts)
            self.teller.take([one.entry for one in appended])
            drafts.clear()

    def _forget(self) -> None:
        """The book is ahead of the log, for good: read it again when it is next needed."""
        self.teller = Teller(self._closing)

    def _refusal(self, record: Record, error: LedgerError) -> LedgerError:
        """Let the log see a contradiction, which keeps it in quarantine."""
        if isinstance(error, ConflictError):
            try:
                self._safe.log.append([record.draft()])
            except ConflictError as told:
                return told
        return error
