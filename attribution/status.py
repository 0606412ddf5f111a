"""The closed vocabulary of outcomes: what a status means, what to do about it, how grave it is.

A *status* says whether numbers exist. A *flag* is a fact worth telling about numbers that are complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

__all__ = ["Flag", "Status", "worst"]


class Status(StrEnum):
    """What became of a leg, or of a trade (its gravest leg). Ordered from harmless to grave."""

    EXPIRED = "expired"
    CLOSED = "closed"
    NOT_OPEN = "not_open"
    OK = "ok"
    NO_START_VOL = "no_start_vol"
    MISSING_PRICE = "missing_price"
    SOURCE_FAILED = "source_failed"
    NO_SOURCE = "no_source"
    OUTSIDE_CALENDAR = "outside_calendar"
    INVALID_TRADE = "invalid_trade"

    @property
    def has_numbers(self) -> bool:
        """Whether every effect is a number (zeros included); otherwise the effects are NaN."""
        return self in _COMPLETE

    @property
    def advice(self) -> str:
        """One sentence: what it means and what to do."""
        return _ADVICE[self]

    @property
    def severity(self) -> int:
        """Rank in the order of gravity; the gravest leg gives a trade its status."""
        return _SEVERITY[self]


_COMPLETE = frozenset({Status.EXPIRED, Status.CLOSED, Status.NOT_OPEN, Status.OK})
_SEVERITY = {status: rank for rank, status in enumerate(Status)}
_ADVICE = {
    Status.EXPIRED: "The contract expired before the window began: zeros; explain an earlier day.",
    Status.CLOSED: "The trade ended before the window began: zeros; explain an earlier day.",
    Status.NOT_OPEN: "The trade opens after the window ends: zeros; explain a later day.",
    Status.OK: "The effects are complete and add up to the P&L.",
    Status.NO_START_VOL: (
        "Taylor needs greeks at the start, and no implied vol exists there: effects are NaN; "
        "use method='waterfall', which needs none."
    ),
    Status.MISSING_PRICE: (
        "A price that the split needs is not known to any source: effects are NaN; supply the price "
        "that `reason` names."
    ),
    Status.SOURCE_FAILED: (
        "A source failed while a needed price was looked up: effects are NaN; mend the source that "
        "`reason` names and run again."
    ),
    Status.NO_SOURCE: (
        "Nobody was given who could know a needed price: effects are NaN; pass spot_prices, leg_prices, "
        "historical_cache or a broker."
    ),
    Status.OUTSIDE_CALENDAR: (
        "An instant lies outside the sessions that the calendar knows: effects are NaN; correct the "
        "date that `reason` names."
    ),
    Status.INVALID_TRADE: "The row itself is wrong: effects are NaN; correct the field that `reason` names.",
}


class Flag(StrEnum):
    """Facts about an outcome whose numbers are complete. In the order in which they are listed."""

    BELOW_INTRINSIC = "below_intrinsic"
    ABOVE_BOUND = "above_bound"
    VOL_BORROWED = "vol_borrowed"
    NO_VOL = "no_vol"
    EXPIRED_IN_WINDOW = "expired_in_window"
    ILL_CONDITIONED = "ill_conditioned"
    AMERICAN_AS_EUROPEAN = "american_as_european"
    ADJUSTED_CONTRACT = "adjusted_contract"
    SETTLEMENT_AS_CLOSE = "settlement_as_close"
    DAILY_PRICE = "daily_price"
    FORWARD_FAILED = "forward_failed"
    COMBO_GAP = "combo_gap"
    PARTLY_CLOSED = "partly_closed"
    PROVISIONAL = "provisional"

    @property
    def advice(self) -> str:
        """One sentence: what the flag tells."""
        return _FLAG_ADVICE[self]


_FLAG_ADVICE = {
    Flag.BELOW_INTRINSIC: (
        "A price was at or below its lower no-arbitrage bound (stale or deep in the money), so that no vol "
        "exists there; the difference to the model is in the mark gap of spread_attrib."
    ),
    Flag.ABOVE_BOUND: (
        "A price was at or above its upper no-arbitrage bound, so that no vol exists there; check the price "
        "and the spot it was matched with."
    ),
    Flag.VOL_BORROWED: "One end had no vol and used the other's: vol_attrib is exactly 0 for this leg.",
    Flag.NO_VOL: "Neither end had a vol: the leg was explained as pure intrinsic value.",
    Flag.EXPIRED_IN_WINDOW: "The contract expired inside the window and ends at its payoff.",
    Flag.ILL_CONDITIONED: (
        "An effect is more than three times any price or P&L in sight: large parts cancel; read the sum, or use "
        "method='waterfall'."
    ),
    Flag.AMERICAN_AS_EUROPEAN: "An American contract was priced by the European model.",
    Flag.ADJUSTED_CONTRACT: (
        "A corporate action changed what the contract delivers: its underlying is the deliverable, not the share."
    ),
    Flag.SETTLEMENT_AS_CLOSE: "The contract did not trade; its settlement price stands in for the close.",
    Flag.DAILY_PRICE: (
        "A price of the underlying was given for the date only, and was taken for an instant of that date."
    ),
    Flag.FORWARD_FAILED: (
        "A source failed while the forward was looked up, and the spot alone was used: a move of the basis is then in "
        "vol_attrib."
    ),
    Flag.COMBO_GAP: "The row's net price and the sum of its legs differ; the change is in spread_attrib.",
    Flag.PARTLY_CLOSED: "Part of the quantity was closed; the closed and the open part were explained separately.",
    Flag.PROVISIONAL: "The window or an expiry lies beyond the last published holiday list.",
}


def worst(statuses: Iterable[Status]) -> Status:
    """Return the gravest status; ``OK`` for none."""
    return max(statuses, key=_SEVERITY.__getitem__, default=Status.OK)
