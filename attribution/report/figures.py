"""How amounts, prices and windows are written, and the check that the parts make the whole."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from attribution.result import EFFECTS
from attribution.status import Status
from attribution.totals import exact_sum

__all__ = [
    "LABELS",
    "UNKNOWN",
    "adds_up",
    "amount",
    "is_explained",
    "name_of",
    "parts_shown",
    "rough_amount",
    "shows_residual",
    "totals",
    "window_text",
]

UNKNOWN = "unknown"
"""What stands where a number is not known; never a zero."""

LABELS = {
    "spot_attrib": "spot",
    "vol_attrib": "vol",
    "timedecay_attrib": "time",
    "spread_attrib": "spread",
    "residual": "residual",
    "pnl": "P&L",
}
_AMOUNTS = (*EFFECTS, "residual", "pnl", "fees", "net_pnl")


def amount(value: float) -> str:
    """Write an amount to the cent with thousands separators. [currency]"""
    if not math.isfinite(value):
        return UNKNOWN
    text = f"{value:,.2f}"
    return "0.00" if text == "-0.00" else text


def rough_amount(value: float) -> str:
    """Write the size of an amount for a sentence: whole units where there are many. [currency]"""
    size = abs(value)
    return f"{size:,.0f}" if size >= 99.5 or size == round(size) else f"{size:,.2f}"


def is_explained(result: Mapping[str, Any]) -> bool:
    """Whether a result holds numbers (zeros included)."""
    return Status(result["status"]).has_numbers


def name_of(result: Mapping[str, Any]) -> str:
    """The trade's own label, else its symbol, else its place."""
    for key in ("trade", "symbol"):
        if result.get(key) is not None:
            return str(result[key])
    return f"row {result['row'] + 1}" if "row" in result else "?"


def shows_residual(result: Mapping[str, Any]) -> bool:
    """Whether the residual is more than the rounding of the last digits."""
    residual = float(result["residual"])
    return math.isfinite(residual) and abs(residual) > max(0.005, 1e-9 * _gross(result))


def parts_shown(results: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The four effects, and the residual if any of the results has one to speak of."""
    return (*EFFECTS, "residual") if any(shows_residual(result) for result in results) else EFFECTS


def adds_up(result: Mapping[str, Any]) -> bool:
    """Whether the four effects and the residual make the P&L; False where one of them is unknown."""
    total = exact_sum(float(result[name]) for name in (*EFFECTS, "residual"))
    return abs(total - float(result["pnl"])) <= 1e-6 + 1e-9 * _gross(result)


def _gross(result: Mapping[str, Any]) -> float:
    return exact_sum(abs(float(result[name])) for name in EFFECTS)


def totals(results: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Sum every amount of the results; NaN as soon as one is unknown, or no number can hold the sum. [currency]"""
    rows = list(results)
    return {name: exact_sum(float(row[name]) for row in rows) for name in _AMOUNTS}


def instant_text(value: datetime) -> str:
    """Write an instant in its own zone to the minute, to the second where there are seconds."""
    return f"{value:%Y-%m-%d %H:%M:%S}" if value.second else f"{value:%Y-%m-%d %H:%M}"


def window_text(result: Mapping[str, Any]) -> str:
    """Write the window of a result: instants, or for one session what stands at each end of it."""
    window = result.get("window")
    if window is None:
        return ""
    if not isinstance(result.get("session"), date):
        return f"{instant_text(window['start'])} → {instant_text(window['end'])}"
    return f"{_end_text(window, 'start')} → {_end_text(window, 'end')}"


def _end_text(window: Mapping[str, Any], end: str) -> str:
    """A close or a payoff speaks for itself; a fill or a mark has a time."""
    kind = str(window[f"{end}_price"])
    return kind if kind in ("close", "payoff") else f"{kind} {window[end]:%H:%M}"
