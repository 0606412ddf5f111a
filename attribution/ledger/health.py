"""How the recording is doing, in words that a monitor can read."""

from __future__ import annotations

from dataclasses import dataclass

from attribution.ledger.spool import Health

__all__ = ["LedgerHealth", "Unrecorded", "Written"]


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """A filled order that could not become an entry, and why."""

    order_id: str | None
    symbol: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class LedgerHealth:
    """How the recording is doing: what waits for the log, and what could not be read at all.

    ``unallocated`` counts the fills of the log, as far as it was read, of which no entry says whose they are: the next
    fill that is recorded, or a replay, says it.
    """

    log: Health
    unrecorded: tuple[Unrecorded, ...] = ()
    unallocated: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything that was filled is in the log with its owners, and nothing contradicted it."""
        return self.log.ok and not self.unrecorded and not self.unallocated

    @property
    def waiting(self) -> int:
        """Batches that are not in the log yet."""
        return self.log.waiting + self.log.in_memory


@dataclass(frozen=True, slots=True)
class Written:
    """How many of a run of records were new, and how many were on record before."""

    new: int
    known: int
