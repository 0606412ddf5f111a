"""One sentence that says what moved and what it did, from a result alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attribution.report.figures import amount, instant_text, is_explained, rough_amount, shows_residual
from attribution.report.legs import LegWords, join_words, legs_of, underlying_name
from attribution.result import EFFECTS
from attribution.status import Flag, Status
from attribution.totals import exact_sum

__all__ = ["sentence"]

_LEAST_SHARE = 0.002
"""An effect smaller than this share of all of them is not worth a word."""

_CAUSES = {"spot_attrib": "the move", "vol_attrib": "vol", "timedecay_attrib": "decay"}
_NUMERALS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_OFF_BOUNDS = {str(Flag.BELOW_INTRINSIC), str(Flag.ABOVE_BOUND), str(Flag.NO_VOL)}
_UNTOUCHED = {
    Status.EXPIRED: "It had expired before: there is nothing to explain.",
    Status.CLOSED: "It was closed before: there is nothing to explain.",
    Status.NOT_OPEN: "It was not open yet: there is nothing to explain.",
}


def sentence(result: Mapping[str, Any], *, by_leg: bool = True) -> str:
    """Say in one sentence what moved, what each cause did to the position, and what came of it.

    Parameters
    ----------
    result
        A result of :func:`~attribution.calculate_attribution_for_trade` or of the list and daily calls.
    by_leg
        Whether to end with what each sort of leg made, where there are several.
    """
    status = Status(result["status"])
    if not is_explained(result):
        return _unexplained(result, status)
    if status in _UNTOUCHED:
        return _UNTOUCHED[status]
    window = result["window"]
    if window["start"] == window["end"]:
        return f"It was opened at {instant_text(window['start'])}, where the window ends: nothing has moved yet."
    legs = legs_of(result)
    market = [*_moves(legs), *_vols(legs)]
    effects = _effects(result, legs)
    told = f"{join_words(market)}: {effects}" if market else effects
    text = "; ".join(part for part in (told, _expiries(legs), _outcome(result, legs if by_leg else ())) if part) + "."
    return text[0].upper() + text[1:]


def _unexplained(result: Mapping[str, Any], status: Status) -> str:
    why = f"{status}: {result['reason'] or status.advice}"
    pnl = float(result["pnl"])
    if math.isnan(pnl):
        return f"Not explained ({why})."
    return f"The P&L is {amount(pnl)}, but what caused it is unknown ({why})."


def _moves(legs: Iterable[LegWords]) -> list[str]:
    """How far each underlying went, over the longest window that any leg has on it."""
    seen: dict[str, LegWords] = {}
    for leg in legs:
        if math.isnan(leg.result["spot0"]) or math.isnan(leg.result["spot1"]):
            continue
        name = underlying_name(str(leg.result["underlying"]))
        if name not in seen or leg.ends_at > seen[name].ends_at:
            seen[name] = leg
    return [_move(name, leg.result["spot0"], leg.result["spot1"]) for name, leg in seen.items()]


def _move(name: str, start: float, end: float) -> str:
    if start == end:
        return f"{name} stood still at {start:,.2f}"
    percent = 100.0 * (end / start - 1.0)
    path = f"({start:,.2f} → {end:,.2f})"
    if abs(percent) < 0.05:
        return f"{name} hardly moved {path}"
    return f"{name} {'rose' if percent > 0 else 'fell'} {abs(percent):.1f} % {path}"


def _vols(legs: Iterable[LegWords]) -> list[str]:
    changes = [leg.vol_change for leg in legs if not math.isnan(leg.vol_change)]
    if not changes:
        return []
    low, high = min(changes), max(changes)
    if max(abs(low), abs(high)) < 0.05:
        return ["implied vol hardly moved"]
    if low * high <= 0.0 and high - low >= 0.1:
        return [f"implied vols moved by {low:+.1f} to {high:+.1f} points"]
    middle = (low + high) / 2
    word = "rose" if middle > 0 else "fell"
    near, far = sorted((abs(low), abs(high)))
    if f"{near:.1f}" == f"{far:.1f}" or far - near < 0.1:
        return [f"implied vol {word} {_points(abs(middle))}"]
    return [f"implied vols {word} {near:.1f} to {far:.1f} points"]


def _points(value: float) -> str:
    text = f"{value:.1f}"
    return f"{text} point" if text == "1.0" else f"{text} points"


def _effects(result: Mapping[str, Any], legs: Sequence[LegWords]) -> str:
    """What each cause did, the largest first."""
    values = {name: float(result[name]) for name in EFFECTS}
    gross = exact_sum(map(abs, values.values()))
    worth = [name for name in EFFECTS if abs(values[name]) > max(_LEAST_SHARE * gross, 0.005)]
    worth.sort(key=lambda name: -abs(values[name]))
    causes = {**_CAUSES, "spread_attrib": _spread_cause(result, legs)}
    told = [f"{causes[name]} {_did(values[name])}" for name in worth]
    if shows_residual(result):
        told.append(f"{amount(float(result['residual']))} is left unexplained")
    return join_words(told) if told else "nothing was gained or lost"


def _spread_cause(result: Mapping[str, Any], legs: Sequence[LegWords]) -> str:
    """What stands behind the spread: a future's basis, prices outside their bounds, or a combo's own price."""
    causes = []
    if any(leg.result["plays_spot"] == "spot and future" for leg in legs):
        causes.append("the basis")
    if any(_OFF_BOUNDS.intersection(leg.result["flags"]) for leg in legs):
        causes.append("stale marks")
    if abs(result["combo_gap"]) > 0.005:
        causes.append("the gap to the legs' prices")
    return join_words(causes) or "the spread"


def _did(value: float) -> str:
    return f"{'earned' if value > 0 else 'cost'} {rough_amount(value)}"


def _expiries(legs: Iterable[LegWords]) -> str:
    """How the legs that expired ended."""
    expired = [leg for leg in legs if leg.expired]
    options = [leg for leg in expired if leg.is_option and not math.isnan(leg.result["price1"])]
    worthless = [leg.name for leg in options if leg.result["price1"] == 0.0]
    told = [
        f"the {leg.name} settled at {leg.result['price1']:,.2f}"
        for leg in expired
        if leg.result["price1"] > 0.0 or not leg.is_option
    ]
    if worthless:
        every = len(worthless) == len(options) and len(worthless) > 2
        names = f"all {_count(len(worthless))} options" if every else f"the {join_words(worthless)}"
        told.append(f"{names} expired worthless")
    return join_words(told)


def _count(number: int) -> str:
    return _NUMERALS[number] if number < len(_NUMERALS) else str(number)


def _outcome(result: Mapping[str, Any], legs: Iterable[LegWords]) -> str:
    """The P&L, fees, and who made it where there are several sorts of legs."""
    pnl, fees = float(result["pnl"]), float(result["fees"])
    text = f"{_profit(pnl)} in all"
    if fees and not math.isnan(fees):
        net = pnl - fees
        same = net * pnl > 0.0
        text += f", {rough_amount(net) if same else _profit(net)} after fees of {rough_amount(fees)}"
    groups: dict[tuple[str, str], list[float]] = {}
    for leg in legs:
        groups.setdefault((leg.side, leg.kind), []).append(float(leg.result["pnl"]))
    if len(groups) > 1:
        shares = (f"{_group_name(*key, len(own))} {_signed(exact_sum(own))}" for key, own in groups.items())
        text += f" ({', '.join(shares)})"
    return text


def _group_name(side: str, kind: str, count: int) -> str:
    plural = "s" if count > 1 and kind in ("call", "put", "future", "share") else ""
    return f"{side} {kind}{plural}"


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{rough_amount(value)}"


def _profit(value: float) -> str:
    if abs(value) < 0.005:
        return "neither profit nor loss"
    return f"a {'profit' if value > 0 else 'loss'} of {rough_amount(value)}"
