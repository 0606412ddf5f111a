"""First in, first out: the open lots of one strategy in one symbol, and what closing them earned.

*First* is by the order of telling, which is that of the log, and not by the time that a fill carries: what was closed
stays closed as it was when an older fill becomes known.

Everything here is an integer on the grids of :mod:`attribution.ledger.money`. A lot keeps what it cost *in all*
and never a cost per unit, because a third of a lot may have no finite cost; the cost of what is closed is the
difference of two cumulative shares, so that the parts of a lot add up to the lot however it is sliced.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from attribution.ledger.money import share

__all__ = ["Line", "Lot", "Match", "Piece"]


class Lot:
    """Units opened together. ``open`` says how many are still there; ``cash`` and ``fees`` are what belongs to those.

    ``opened`` is how many there were, and ``opening_cash`` (negative for a purchase) and ``opening_fees`` what flowed.
    """

    __slots__ = ("cash", "fees", "key", "multiplier", "open", "opened", "opening_cash", "opening_fees", "ts")

    def __init__(self, units: int, cash: int, fees: int, ts: int, key: str, multiplier: int) -> None:
        self.opened = self.open = units
        self.opening_cash = self.cash = cash
        self.opening_fees = self.fees = fees
        self.ts = ts
        self.key = key
        self.multiplier = multiplier

    def take(self, units: int) -> tuple[int, int]:
        """Close ``units``; return the cash and the fees that belong to them."""
        cash, fees = self.cash, self.fees
        self.open -= units
        if self.open:
            closed = self.opened - self.open
            self.cash = self.opening_cash - share(self.opening_cash, closed, self.opened)
            self.fees = self.opening_fees - share(self.opening_fees, closed, self.opened) if self.opening_fees else 0
            return cash - self.cash, fees - self.fees
        self.cash = self.fees = 0
        return cash, fees


@dataclass(frozen=True, slots=True)
class Match:
    """Units of one lot that one trade closed: what was paid and received for them, net of nothing."""

    strategy: str
    opened_key: str
    opened_ts: int
    closed_key: str
    closed_ts: int
    units: int
    """Signed as the lot was: positive where a long was closed."""
    opening_cash: int
    closing_cash: int
    fees: int

    @property
    def gain(self) -> int:
        """What it earned, after fees."""
        return self.opening_cash + self.closing_cash - self.fees


class Piece(NamedTuple):
    """One strategy's piece of a trade: signed ``units``, the ``cash`` that flowed, the ``fees`` paid (0 if unknown)."""

    units: int
    cash: int
    fees: int
    ts: int
    key: str
    multiplier: int


class Line:
    """One strategy's position in one symbol: its open lots, all of one sign, and what it earned so far.

    ``units`` is the signed position; ``exposure`` is units × multiplier; ``open_cash`` and ``open_fees`` belong to the
    lots still open; ``realised`` is net of the fees of what was closed; ``income`` is cash that came without a
    trade; ``fees`` is everything paid, whether its lot is closed or not; ``unknown_fees`` counts the trades whose fees
    nobody has told, which are taken as nothing until somebody does.
    """

    __slots__ = (
        "exposure",
        "fees",
        "income",
        "lots",
        "open_cash",
        "open_fees",
        "realised",
        "strategy",
        "units",
        "unknown_fees",
    )

    def __init__(self, strategy: str) -> None:
        self.strategy = strategy
        self.lots: deque[Lot] = deque()
        self.units = self.exposure = 0
        self.open_cash = self.open_fees = 0
        self.realised = self.income = self.fees = self.unknown_fees = 0

    def trade(self, piece: Piece, matches: list[Match] | None = None) -> None:
        """Close what is open on the other side, first in first out; open a lot with what is left."""
        self.fees += piece.fees
        if self.units and (self.units > 0) != (piece.units > 0):
            self._close(piece, matches)
        else:
            self._open(piece.units, piece.cash, piece.fees, piece)

    def _close(self, piece: Piece, matches: list[Match] | None) -> None:
        """Close lots with a piece; each takes its share of the piece's cash and fees, cumulatively."""
        whole = left = abs(piece.units)
        cash_left, fees_left = piece.cash, piece.fees
        while left and self.lots:
            closed = self._close_first(left)
            left -= closed[0]
            cash, fees = cash_left, fees_left
            if left:
                cash -= piece.cash - share(piece.cash, whole - left, whole)
                fees -= piece.fees - share(piece.fees, whole - left, whole)
                cash_left -= cash
                fees_left -= fees
            self.realised += closed[1] + cash - closed[2] - fees
            if matches is not None:
                matches.append(self._match(closed, piece, cash, fees))
        if left:
            self._open(left if piece.units > 0 else -left, cash_left, fees_left, piece)

    def _close_first(self, wanted: int) -> tuple[int, int, int, Lot]:
        """Close up to ``wanted`` units of the first lot: the units, their cash, their fees, and the lot."""
        lot = self.lots[0]
        units = lot.open if lot.open < wanted else wanted
        cash, fees = lot.take(units)
        self.open_cash -= cash
        self.open_fees -= fees
        signed = units if self.units > 0 else -units
        self.units -= signed
        self.exposure -= signed * lot.multiplier
        if not lot.open:
            self.lots.popleft()
        return units, cash, fees, lot

    def _open(self, signed: int, cash: int, fees: int, piece: Piece) -> None:
        units = abs(signed)
        self.lots.append(Lot(units, cash, fees, piece.ts, piece.key, piece.multiplier))
        self.units += signed
        self.exposure += signed * piece.multiplier
        self.open_cash += cash
        self.open_fees += fees

    def _match(self, closed: tuple[int, int, int, Lot], piece: Piece, cash: int, fees: int) -> Match:
        units, opening_cash, opening_fees, lot = closed
        signed = units if piece.units < 0 else -units
        return Match(
            self.strategy,
            lot.key,
            lot.ts,
            piece.key,
            piece.ts,
            signed,
            opening_cash,
            cash,
            opening_fees + fees,
        )

    def rescale(self, units: int) -> None:
        """Make the position ``units`` (same sign) without a trade, as a split does; costs and dates stay."""
        whole, target, sign = abs(self.units), abs(units), 1 if self.units > 0 else -1
        lots, self.lots = self.lots, deque()
        self.units = self.exposure = 0
        before = 0
        for lot in lots:
            after = before + lot.open
            scaled = after * target // whole - before * target // whole
            before = after
            if scaled:
                self.lots.append(Lot(scaled, lot.cash, lot.fees, lot.ts, lot.key, lot.multiplier))
                self.units += sign * scaled
                self.exposure += sign * scaled * lot.multiplier
            else:  # less than the grid can hold is left of it
                self.open_cash -= lot.cash
                self.open_fees -= lot.fees
                self.realised += lot.cash - lot.fees

    def release(self, units: int) -> Iterator[Piece]:
        """Hand over the first ``units`` (> 0) at cost, lot by lot: no gain, no cash, no fee of its own."""
        left = units
        while left and self.lots:
            sign = 1 if self.units > 0 else -1
            taken, cash, fees, lot = self._close_first(left)
            left -= taken
            self.fees -= fees
            yield Piece(sign * taken, cash, fees, lot.ts, lot.key, lot.multiplier)

    def receive(self, piece: Piece, matches: list[Match] | None = None) -> None:
        """Take over what :meth:`release` handed out, as a lot in its place by date.

        Where the line is open on the other side, it closes that at its own cost.
        """
        if self.units and (self.units > 0) != (piece.units > 0):
            self.trade(piece, matches)
            return
        self.fees += piece.fees
        self._open(piece.units, piece.cash, piece.fees, piece)
        lot = self.lots.pop()
        place = next((i for i, other in enumerate(self.lots) if other.ts > lot.ts), len(self.lots))
        self.lots.insert(place, lot)
