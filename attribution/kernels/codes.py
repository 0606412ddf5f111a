"""The whole numbers that kernels speak: methods, factors, statuses and flags.

They are plain ``IntEnum``/``IntFlag`` members so that compiled code can compare them; their meaning
in words lives in :mod:`attribution.result`, one floor up.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

__all__ = ["Factor", "LegFlag", "LegStatus", "Method"]


class Method(IntEnum):
    """How the joint move of the four factors is shared out (``docs/conventions.md`` §3)."""

    WATERFALL = 0
    SHAPLEY = 1
    PATH = 2
    ONE_AT_A_TIME = 3
    TAYLOR = 4


class Factor(IntEnum):
    """The four things that move. The value is the factor's bit position in a corner's number."""

    SPOT = 0
    SPREAD = 1
    VOL = 2
    TIME = 3


class LegStatus(IntEnum):
    """Whether a leg's effects exist, and if not why."""

    OK = 0
    MISSING_INPUT = 1
    """Some input is NaN: every effect is NaN."""
    INVALID_INPUT = 2
    """Some input is outside its domain (negative or infinite price, strike ≤ 0, T < 0, …)."""
    NO_START_VOL = 3
    """``taylor`` only: no implied vol exists at the start, so there are no greeks; effects NaN."""


class LegFlag(IntFlag):
    """Facts worth telling about a leg whose numbers are complete."""

    BELOW_INTRINSIC = 1
    """At one end at least, the price is at or below its lower no-arbitrage bound: no vol exists there."""
    ABOVE_BOUND = 2
    """At one end at least, the price is at or above its upper no-arbitrage bound: no vol exists there."""
    EXPIRED_IN_WINDOW = 4
    """``T = 0`` at the end but not at the start."""
    VOL_BORROWED = 8
    """One end has no vol of its own and uses the other's: the vol effect is 0, the rest is mark gap."""
    NO_VOL = 16
    """Neither end has a vol: σ = 0 at both."""
    ILL_CONDITIONED = 32
    """An effect exceeds 3 × max(start value, end value, |pnl|): arithmetic, not news."""
