"""Additive totals of results: by trade, leg, underlying, expiry or day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, overload

from attribution.result import EFFECTS
from attribution.status import Status
from attribution.tables import FrameT, NativeFrame, is_frame, summarise_frame
from attribution.totals import AMOUNTS, total

__all__ = ["GROUPINGS", "summarise"]

GROUPINGS = ("trade", "leg", "underlying", "expiry", "day")
_RESULTS = "must be a list of what the attribution calls returned, or a frame of it"
_OF_A_LEG = frozenset({"leg", "underlying", "expiry"})


@overload
def summarise(results: FrameT, by: Sequence[str] = (), *, on_missing: Literal["nan", "skip"] = "nan") -> FrameT: ...


@overload
def summarise(
    results: Iterable[dict[str, Any]], by: Sequence[str] = (), *, on_missing: Literal["nan", "skip"] = "nan"
) -> list[dict[str, Any]]: ...


def summarise(
    results: Iterable[dict[str, Any]] | NativeFrame,
    by: Sequence[str] = (),
    *,
    on_missing: Literal["nan", "skip"] = "nan",
) -> Any:
    """Add results up.

    Parameters
    ----------
    results
        What the single, list or daily calls returned; or a frame of results, which gives a frame of its kind.
    by
        Of a frame, any of its columns, those that were kept from the trades included (``"day"`` is its ``session``).
        Of results, any of ``"trade", "leg", "underlying", "expiry", "day"``. Nothing: one grand total. Grouped by leg,
        underlying or expiry, a combo gap belongs to no leg and stands in a group of its own, with None as its key, and
        so do fees and results without legs; the groups still add up to the grand total.
    on_missing
        ``"nan"``: a total with an unknown part is unknown. ``"skip"``: totals of what is known.

    Returns
    -------
    list of dict
        In order of first appearance: the keys of ``by``, then ``spot_attrib, vol_attrib, timedecay_attrib,
        spread_attrib, residual, pnl, fees, net_pnl`` [currency], ``count`` (results that contributed), ``missing`` (of
        these, without effects), ``missing_pnl`` (without even a P&L), ``unexplained_share`` (the part of the gross flow
        that no cause explains, 0 to 1) and the worst ``status``.

    Raises
    ------
    TypeError
        ``results`` holds no results; a single one must stand in a list.
    ValueError
        An unknown grouping or ``on_missing``.
    """
    by = tuple([by] if isinstance(by, str) else by)
    if on_missing not in ("nan", "skip"):
        raise ValueError(f"on_missing={on_missing!r}: must be 'nan' or 'skip'")
    if is_frame(results):
        return summarise_frame(results, by, skip=on_missing == "skip")
    for name in by:
        if name not in GROUPINGS:
            raise ValueError(f"by={name!r}: must be one of {', '.join(map(repr, GROUPINGS))}")
    if isinstance(results, Mapping | str | bytes) or not isinstance(results, Iterable):
        raise TypeError(f"results is of type {type(results).__name__}: {_RESULTS}")
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for place, result in enumerate(results):
        if not isinstance(result, dict):
            raise TypeError(f"results[{place}] is of type {type(result).__name__}: {_RESULTS}")
        for item in _items(result, place, per_leg=not _OF_A_LEG.isdisjoint(by)):
            groups.setdefault(tuple(item[name] for name in by), []).append(item)
    skip = on_missing == "skip"
    return [{**dict(zip(by, key, strict=True)), **_total(items, skip=skip)} for key, items in groups.items()]


def _total(items: Sequence[dict[str, Any]], *, skip: bool) -> dict[str, Any]:
    amounts = {name: [item[name] for item in items] for name in AMOUNTS}
    return total(amounts, [Status(item["status"]) for item in items], skip=skip)


def _items(result: dict[str, Any], place: int, *, per_leg: bool) -> Iterator[dict[str, Any]]:
    """The pieces of a result: itself, or its legs and what belongs to no leg."""
    shared = {"trade": _trade_key(result, place), "day": result["session"]}
    nowhere: dict[str, Any] = {**shared, "leg": None, "underlying": None, "expiry": None}
    amounts = {name: result[name] for name in AMOUNTS}
    if not per_leg or not result["per_leg"]:
        yield {**nowhere, **amounts, "status": result["status"]}
        return
    for symbol, leg in result["per_leg"].items():
        own = {name: leg[name] for name in (*EFFECTS, "residual", "pnl")}
        where = {"leg": symbol, "underlying": leg["underlying"], "expiry": leg["expiry"]}
        yield {**shared, **where, **own, "fees": 0.0, "net_pnl": leg["pnl"], "status": leg["status"]}
    gap, fees = result["combo_gap"], result["fees"]
    if gap or fees:
        rest = dict.fromkeys(AMOUNTS, 0.0) | {"spread_attrib": gap, "pnl": gap, "fees": fees, "net_pnl": gap - fees}
        yield {**nowhere, **rest, "status": result["status"]}


def _trade_key(result: dict[str, Any], place: int) -> Any:
    """A trade's own label, else its place among the rows, else among the results."""
    if result["trade"] is not None:
        return result["trade"]
    return result.get("row", place)
