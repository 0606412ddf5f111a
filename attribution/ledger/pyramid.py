"""Exact totals by period: for ever, by month, by eighth day and by day, so that any range of dates is a few periods.

A cell is a period, an account, a strategy, a symbol, a kind of asset, a side and a currency. A range of days is
covered by the whole months in it, at its two ends by blocks of eight days (``2025-01w0`` is the 1st to the 8th), and by
the days that are left; "for ever" covers everything with one period.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from attribution.ledger.money import EXACT

__all__ = ["EVER", "PYRAMID_TABLE", "Cell", "Pyramid", "Sums", "periods_between"]

EVER: Final = ""
"""The period that holds everything."""

PYRAMID_TABLE: Final = """
CREATE TABLE total (
    period TEXT NOT NULL, account_id TEXT NOT NULL, strategy TEXT NOT NULL, symbol TEXT NOT NULL,
    asset_type TEXT NOT NULL, side TEXT NOT NULL, currency TEXT NOT NULL,
    count INTEGER NOT NULL, quantity TEXT NOT NULL, value TEXT NOT NULL, fees TEXT NOT NULL,
    fees_unknown INTEGER NOT NULL,
    PRIMARY KEY (period, account_id, strategy, symbol, asset_type, side, currency)
) WITHOUT ROWID;
"""

_BLOCK = 8
_DAY_NS = 86_400 * 1_000_000_000
_EPOCH = date(1970, 1, 1)
_ZERO = Decimal(0)


class Cell(NamedTuple):
    """What a total is of."""

    period: str
    account_id: str
    strategy: str
    symbol: str
    asset_type: str
    side: str
    currency: str


Rest = tuple[str, str, str, str, str, str]
"""A cell without its period."""


class Sums:
    """A running total: count, quantity, value, known fees, and how many fees are unknown."""

    __slots__ = ("count", "fees", "fees_unknown", "quantity", "value")

    def __init__(self) -> None:
        self.count = 0
        self.quantity = self.value = self.fees = Decimal(0)
        self.fees_unknown = 0

    def add(self, count: int, quantity: Decimal, value: Decimal, fees: Decimal, unknown: int) -> None:
        """Add exactly; amounts that cannot be added exactly raise :class:`decimal.Inexact`."""
        self.count += count
        self.quantity = EXACT.add(self.quantity, quantity)
        self.value = EXACT.add(self.value, value)
        self.fees = EXACT.add(self.fees, fees)
        self.fees_unknown += unknown


class Pyramid:
    """Totals gathered in memory and written to the table in one go."""

    def __init__(self) -> None:
        self._sums: dict[Cell, Sums] = {}

    def add(self, ts: int, rest: Rest, quantity: Decimal, value: Decimal, fees: Decimal | None) -> None:
        """Count one share of a fill."""
        self._count(ts, rest, 1, quantity, value, fees)

    def remove(self, ts: int, rest: Rest, quantity: Decimal, value: Decimal, fees: Decimal | None) -> None:
        """Take back a share of a fill that was counted before."""
        back = None if fees is None else fees.copy_negate()
        self._count(ts, rest, -1, quantity.copy_negate(), value.copy_negate(), back)

    def _count(
        self,
        ts: int,
        rest: Rest,
        count: int,
        quantity: Decimal,
        value: Decimal,
        fees: Decimal | None,
    ) -> None:
        cell = Cell(day_of(ts).isoformat(), *rest)
        sums = self._sums.get(cell)
        if sums is None:
            sums = self._sums[cell] = Sums()
        sums.add(count, quantity, value, fees or _ZERO, count if fees is None else 0)

    def write(self, connection: sqlite3.Connection) -> None:
        """Add what was gathered to the table, and forget it."""
        rows = []
        for cell, sums in self._levels():
            kept = connection.execute(
                "SELECT count, quantity, value, fees, fees_unknown FROM total WHERE period = ? AND account_id = ? "
                "AND strategy = ? AND symbol = ? AND asset_type = ? AND side = ? AND currency = ?",
                cell,
            ).fetchone()
            if kept is not None:
                sums.add(kept[0], Decimal(kept[1]), Decimal(kept[2]), Decimal(kept[3]), kept[4])
            amounts = (str(sums.quantity), str(sums.value), str(sums.fees))
            rows.append((*cell, sums.count, *amounts, sums.fees_unknown))
        connection.executemany("INSERT OR REPLACE INTO total VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._sums.clear()

    def _levels(self) -> Iterator[tuple[Cell, Sums]]:
        """The days that were gathered, and the months and the whole that they add up to."""
        above: dict[Cell, Sums] = {}
        for cell, sums in self._sums.items():
            month = cell.period[:7]
            for period in (EVER, month, block_of(month, int(cell.period[8:]))):
                whole = Cell(period, *cell[1:])
                total = above.get(whole)
                if total is None:
                    total = above[whole] = Sums()
                total.add(sums.count, sums.quantity, sums.value, sums.fees, sums.fees_unknown)
        yield from above.items()
        yield from self._sums.items()


def block_of(month: str, day: int) -> str:
    """The block of eight days that a day of a month is in."""
    return f"{month}w{(day - 1) // _BLOCK}"


def day_of(ts: int) -> date:
    """The UTC day of an instant in ns."""
    return _EPOCH + timedelta(days=ts // _DAY_NS)


def day_start(day: date) -> int:
    """The first nanosecond of a UTC day."""
    return (day - _EPOCH).days * _DAY_NS


class Cover(NamedTuple):
    """A range of instants as whole periods, and the pieces of days left over at its ends. [UTC ns, both included]"""

    periods: list[str]
    pieces: list[tuple[int, int]]


def periods_between(first: int, last: int) -> Cover:
    """Cover a range of instants by whole months, whole days and what is left of days."""
    if first > last:
        return Cover([], [])
    begin, end = first // _DAY_NS, (last + 1) // _DAY_NS  # whole days: begin ≤ day < end
    if begin * _DAY_NS < first:
        begin += 1
    if begin > end:
        return Cover([], [(first, last)])
    pieces = [piece for piece in ((first, begin * _DAY_NS - 1), (end * _DAY_NS, last)) if piece[0] <= piece[1]]
    days = (_EPOCH + timedelta(days=number) for number in range(begin, end))
    return Cover(list(_whole(list(days))), pieces)


def _whole(days: Sequence[date]) -> Iterator[str]:
    """The months that are all there, the blocks of the others, and the days that are left."""
    for month, own in _by_month(days):
        if own[0].day == 1 and _is_last(own[-1]):
            yield month
            continue
        blocks: dict[str, list[date]] = {}
        for day in own:
            blocks.setdefault(block_of(month, day.day), []).append(day)
        for block, inside in blocks.items():
            whole = inside[0].day % _BLOCK == 1 and (len(inside) == _BLOCK or _is_last(inside[-1]))
            yield from [block] if whole else [day.isoformat() for day in inside]


def _is_last(day: date) -> bool:
    """Whether a day is the last of its month."""
    return (day + timedelta(days=1)).month != day.month


def _by_month(days: Iterable[date]) -> Iterator[tuple[str, list[date]]]:
    months: dict[str, list[date]] = {}
    for day in days:
        months.setdefault(day.isoformat()[:7], []).append(day)
    return iter(months.items())
