"""What a caller gets: plain dicts whose parts add up to the P&L, and say where each price came from."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from attribution.errors import AttributionError, CalendarError, NoSourceError
from attribution.instruments import DATED
from attribution.legs import LegOutcome, too_large
from attribution.market.quotes import Price, PriceKind
from attribution.model import Model
from attribution.status import Flag, Status, worst
from attribution.task import What
from attribution.trade import Trade
from attribution.window import LIVE, PAYOFF, Window

__all__ = ["EFFECTS", "TradeOutcome", "failed_result", "result_of"]

EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")
"""The four causes; with ``residual`` they add up to ``pnl``."""

_TOLD = tuple((what, f"{what.name.lower()}0", f"{what.name.lower()}1") for what in list(What)[:3])
_FLAG_ORDER = {flag: rank for rank, flag in enumerate(Flag)}


class TradeOutcome(NamedTuple):
    """A trade explained over one window, before it becomes a dict."""

    trade: Trade
    window: Window
    legs: tuple[LegOutcome, ...]
    combo_gap: float
    gap_flagged: bool
    partly_closed: bool
    fees: float
    session: date | None


def result_of(outcome: TradeOutcome, model: Model) -> dict[str, Any]:
    """Build the result dict of :func:`~attribution.calculate_attribution_for_trade`.

    Raises
    ------
    TradeError
        An amount is larger than a number can hold.
    """
    legs = outcome.legs
    per_leg = {symbol: _leg_result(same) for symbol, same in _by_symbol(legs).items()}
    columns = zip(*[(leg.spot, leg.vol, leg.timedecay, leg.spread, leg.pnl) for leg in legs], strict=True)
    try:
        spot, vol, timedecay, spread, pnl = map(math.fsum, columns)
    except (OverflowError, ValueError) as exc:  # what fsum says of a sum beyond all numbers
        raise too_large(outcome.trade, legs) from exc
    spread, pnl = spread + outcome.combo_gap, pnl + outcome.combo_gap
    effects = {"spot_attrib": spot, "vol_attrib": vol, "timedecay_attrib": timedecay, "spread_attrib": spread}
    residual, net_pnl = _residual(pnl, **effects), pnl - outcome.fees
    status = legs[0].status if len(legs) == 1 else worst([leg.status for leg in legs])
    # 0 where both are numbers, and with them all that they are made of; NaN where one is unknown or infinite.
    if residual * 0.0 + net_pnl * 0.0 != 0.0 and (status.has_numbers or math.isinf(net_pnl)):
        raise too_large(outcome.trade, legs)
    result = {
        "symbol": outcome.trade.symbol,
        "trade": outcome.trade.label,
        **effects,
        "per_leg": per_leg,
        "pnl": pnl,
        "residual": residual,
        "combo_gap": outcome.combo_gap,
        "fees": outcome.fees,
        "net_pnl": net_pnl,
        "status": str(status),
        "flags": _flags(outcome),
        "reason": _reason(legs),
        "method": model.method,
        "clock": model.clock,
        "window": _window(outcome.window),
        "session": outcome.session,
    }
    if model.detail:
        result["detail"] = {**_total_detail(legs), "combo_gap": outcome.combo_gap}
    return result


def _residual(
    pnl: float, spot_attrib: float, vol_attrib: float, timedecay_attrib: float, spread_attrib: float
) -> float:
    """The P&L less the effects; plain additions, for the built-in ``sum`` rounds otherwise from Python 3.12 on."""
    return pnl - (spot_attrib + vol_attrib + timedecay_attrib + spread_attrib) + 0.0


def failed_result(row_symbol: object, error: AttributionError, model: Model) -> dict[str, Any]:
    """Build the result of a row that could not even be read: NaN, status and reason, never zeros."""
    if isinstance(error, CalendarError):
        status = Status.OUTSIDE_CALENDAR
    elif isinstance(error, NoSourceError):
        status = Status.NO_SOURCE
    else:
        status = Status.INVALID_TRADE
    unknown = (*EFFECTS, "pnl", "residual", "combo_gap", "fees", "net_pnl")
    return {
        "symbol": row_symbol if isinstance(row_symbol, str) else None,
        "trade": None,
        **dict.fromkeys(unknown, math.nan),
        "per_leg": {},
        "status": str(status),
        "flags": (),
        "reason": str(error),
        "method": model.method,
        "clock": model.clock,
        "window": None,
        "session": None,
        **({"detail": None} if model.detail else {}),
    }


def _reason(legs: Iterable[LegOutcome]) -> str:
    """What is missing, each told once and with the legs that need it: legs of a trade often lack the same price."""
    needed_by: dict[str, dict[str, None]] = {}
    for leg in legs:
        for reason in leg.reasons:
            needed_by.setdefault(reason, {})[leg.task.item.leg.symbol] = None
    told = []
    for reason, symbols in needed_by.items():
        unnamed = [symbol for symbol in symbols if symbol not in reason]
        told.append(f"{reason} [for {', '.join(unnamed)}]" if unnamed else reason)
    return "; ".join(told)


def _flags(outcome: TradeOutcome) -> tuple[str, ...]:
    """The flags of all legs, and those of the trade as a whole."""
    flags = {flag for leg in outcome.legs for flag in leg.flags}
    if outcome.gap_flagged:
        flags.add(Flag.COMBO_GAP)
    if outcome.partly_closed:
        flags.add(Flag.PARTLY_CLOSED)
    return _sorted_flags(flags)


def _sorted_flags(flags: Collection[Flag]) -> tuple[str, ...]:
    if not flags:
        return ()
    return tuple(str(flag) for flag in sorted(set(flags), key=_FLAG_ORDER.__getitem__))


def _by_symbol(legs: Sequence[LegOutcome]) -> dict[str, list[LegOutcome]]:
    """Outcomes of each leg: one, or two where a part was closed and a part is open."""
    grouped: dict[str, list[LegOutcome]] = {}
    for leg in legs:
        grouped.setdefault(leg.task.item.leg.symbol, []).append(leg)
    return grouped


def _window(window: Window) -> dict[str, Any]:
    return {
        "start": window.start.at,
        "end": window.end.at,
        "start_price": str(window.start.kind),
        "end_price": str(window.end.kind),
    }


def _leg_result(parts: Sequence[LegOutcome]) -> dict[str, Any]:
    """The parts of one leg joined. A part that did nothing in the window has no prices and no vols to be joined."""
    if len(parts) > 1:
        parts = [part for part in parts if part.task.window.phase is LIVE] or parts[:1]
    if len(parts) == 1:
        return _part_result(parts[0])
    results = [_part_result(part) for part in parts]
    merged = dict(results[0])
    for name in (*EFFECTS, "pnl", "residual", "quantity"):
        merged[name] = _sum([result[name] for result in results])
    for name in ("price0", "price1"):
        merged[name] = _sum([r[name] * r["quantity"] for r in results]) / merged["quantity"]
    for name in ("vol0", "vol1", "spot0", "spot1", "forward0", "forward1"):
        merged[name] = _common(result[name] for result in results)
    merged["status"] = str(worst(part.status for part in parts))
    merged["flags"] = _sorted_flags([flag for part in parts for flag in part.flags])
    merged["reason"] = _reason(parts)
    if merged.get("detail") is not None:
        merged["detail"] = _total_detail(parts)
    if any(result["window"] != merged["window"] for result in results):
        merged["parts"] = results
    return merged


def _common(values: Iterable[float]) -> float:
    """The value that all parts share, else NaN: two windows have no one vol."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else math.nan


def _part_result(leg: LegOutcome) -> dict[str, Any]:
    item = leg.task.item
    instrument = item.leg.instrument
    result = {
        "spot_attrib": leg.spot,
        "vol_attrib": leg.vol,
        "timedecay_attrib": leg.timedecay,
        "spread_attrib": leg.spread,
        "pnl": leg.pnl,
        "residual": leg.residual + 0.0,
        "status": str(leg.status),
        "flags": _sorted_flags(leg.flags),
        "reason": _reason([leg]),
        "quantity": leg.task.part.quantity * item.leg.ratio,
        "multiplier": item.multiplier,
        "underlying": item.underlying_symbol,
        "expiry": instrument.expiry if isinstance(instrument, DATED) else None,
        "price0": leg.price0,
        "price1": leg.price1,
        "vol0": leg.vol0,
        "vol1": leg.vol1,
        "spot0": leg.spot0,
        "spot1": leg.spot1,
        "forward0": leg.forward0,
        "forward1": leg.forward1,
        "plays_spot": None if leg.plays_spot is None else str(leg.plays_spot),
        "sources": _sources(leg),
        "window": _window(leg.task.window),
    }
    if leg.detail is not None:
        result["detail"] = leg.detail
    return result


def _sources(leg: LegOutcome) -> dict[str, dict[str, Any]]:
    """Who stated each price, what sort it is, and how old it was at the end it stands for. [seconds]"""
    told = {}
    answers, window = leg.task.answers, leg.task.window
    at0, at1 = window.start.at, window.end.at
    for what, name0, name1 in _TOLD:
        first, last = answers[what]
        if isinstance(first, Price):
            told[name0] = _source(first, at0)
        if isinstance(last, Price):
            told[name1] = _source(last, at1)
    if window.end.kind is PAYOFF and not math.isnan(leg.price1):
        told["price1"] = _source(Price(leg.price1, "settlement value", PriceKind.PAYOFF, at1), at1)
    return told


def _source(price: Price, at: datetime) -> dict[str, Any]:
    time = price.time
    age = None if time is None else 0.0 if time is at else (at - time).total_seconds()
    return {"source": price.source, "kind": str(price.kind), "time": time, "age": age}


def _total_detail(legs: Sequence[LegOutcome]) -> dict[str, float]:
    """Terms summed over legs; zero for a leg that did nothing, NaN where a leg has none."""
    names = next((tuple(leg.detail) for leg in legs if leg.detail is not None), ())
    terms = [_terms(leg, len(names)) for leg in legs]
    return dict(zip(names, map(_sum, zip(*terms, strict=True)), strict=True))


def _sum(terms: Sequence[float]) -> float:
    """The exact sum, rounded once; infinite or NaN where no number can hold it, as the kernels have it."""
    try:
        return math.fsum(terms)
    except (OverflowError, ValueError):
        total = 0.0
        for term in terms:
            total += term
        return total


def _terms(leg: LegOutcome, count: int) -> Collection[float]:
    if leg.detail is not None:
        return leg.detail.values()
    return [0.0 if leg.status.has_numbers else math.nan] * count
