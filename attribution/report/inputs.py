"""What can be shown, brought to one shape: totals, groups ranked by what they made, and what is not explained."""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Protocol

from attribution.errors import SymbolError
from attribution.report.figures import totals
from attribution.report.legs import legs_of, underlying_name
from attribution.result import EFFECTS
from attribution.summary import GROUPINGS, summarise
from attribution.symbols import parse_legs, underlying_symbol

__all__ = [
    "AMOUNTS",
    "NO_LEG",
    "Group",
    "Material",
    "Results",
    "Totals",
    "Trouble",
    "checked_by",
    "is_known",
    "key_text",
    "others_text",
    "row_text",
    "symbol_words",
]

AMOUNTS = (*EFFECTS, "residual", "pnl", "fees", "net_pnl")
"""What adds up. [currency]"""

NO_LEG = frozenset({"leg", "underlying", "expiry"})
"""Groupings in which fees and combo gaps have no place of their own."""

_NO_KEY = {**dict.fromkeys(NO_LEG, "(no leg)"), "day": "whole window", "session": "whole window"}
_ALIASES = {"session": "day"}


@dataclass(frozen=True, slots=True)
class Group:
    """Results that belong together, summed; either all of them are explained or none is."""

    name: str
    amounts: Mapping[str, float]
    count: int
    explained: bool
    others: int = 0
    """How many groups it stands for, where they are not told one by one."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why some results are not explained, and how many share the reason."""

    status: str
    reason: str
    count: int


class Material(Protocol):
    """What :func:`~attribution.show` needs to know of what it was given."""

    noun: str
    """What one of them is called."""

    @property
    def count(self) -> int:
        """How many results there are."""

    @property
    def unexplained(self) -> int:
        """How many of them have a number that is not known."""

    @property
    def trades(self) -> int | None:
        """How many trades they are about, None where that cannot be told."""

    @property
    def days(self) -> tuple[date, date] | None:
        """The first and the last session, where sessions were explained."""

    def default_by(self) -> tuple[str, ...]:
        """What tells the results apart; nothing where there is one alone."""

    def check_by(self, argument: str, by: Sequence[str]) -> tuple[str, ...]:
        """The groupings by their own names; ValueError for one that does not exist."""

    def total(self) -> Group:
        """The sum of what is explained; where nothing is, of everything."""

    def groups(self, by: Sequence[str], most: int) -> list[Group]:
        """One sum per group, the largest P&L of either sign first; what is beyond ``most`` is summed as others."""

    def troubles(self) -> list[Trouble]:
        """Why results are not explained, the most frequent reason first."""


def is_known(row: Mapping[str, Any]) -> bool:
    """Whether the split of a result is known, and with it the P&L."""
    return all(math.isfinite(row[name]) for name in (*EFFECTS, "pnl"))


def others_text(number: int, *, explained: bool) -> str:
    """What stands for the groups that are not told one by one."""
    text = f"{number:,} other{'s' if number != 1 else ''}"
    return text if explained else f"{text}, not explained"


def _ranked(groups: Iterable[Group], most: int) -> list[Group]:
    """By the size of the P&L, one that is not known last; the others summed at the end."""
    ranked = sorted(groups, key=lambda group: -_size(group.amounts["pnl"]))
    told, rest = ranked[:most], ranked[most:]
    for explained in (True, False):
        others = [group for group in rest if group.explained is explained]
        if others:
            name = others_text(len(others), explained=explained)
            amounts = totals(group.amounts for group in others)
            told.append(Group(name, amounts, sum(group.count for group in others), explained, others=len(others)))
    return told


def _size(value: float) -> float:
    return -1.0 if math.isnan(value) else abs(value)


def checked_by(argument: str, by: Sequence[str], allowed: Sequence[str]) -> tuple[str, ...]:
    """The groupings asked for; ValueError names one that does not exist, and the nearest that does."""
    for name in by:
        if name not in allowed:
            near = difflib.get_close_matches(str(name), allowed, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"{argument}={name!r}: {hint}must be one of {', '.join(map(repr, allowed))}")
    return tuple(by)


def key_text(name: str, key: object) -> str:
    """Write the key of a group: a leg in words, a day as a date."""
    if key is None or key != key:  # NaN and NaT: the frames' words for None
        return _NO_KEY.get(name, "(none)")
    if isinstance(key, datetime) and key.time() == time():
        return str(key.date())
    if name in ("leg", "symbol"):
        return symbol_words(str(key))
    return underlying_name(str(key)) if name == "underlying" else str(key)


def row_text(place: int, symbol: object) -> str:
    """Name a trade that has no label of its own by its place and what it holds."""
    return f"row {place + 1}: {symbol_words(symbol)}" if isinstance(symbol, str) else f"row {place + 1}"


def symbol_words(symbol: str) -> str:
    """A symbol in words, ``NIFTY 2025-01-09 23,600 call and 3 more``; as it is where it cannot be read."""
    try:
        first, *more = parse_legs(symbol)
    except SymbolError:
        return symbol
    (leg,) = legs_of({"per_leg": {first.symbol: {}}})
    underlying = underlying_name(underlying_symbol(first.instrument))
    expiry = getattr(first.instrument, "expiry", None)
    words = " ".join(str(word) for word in (underlying, expiry, leg.name) if word is not None)
    return f"{words} and {len(more)} more" if more else words


class _Rows:
    """What lists of results and lists of totals share."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self.rows = [_complete(row, place) for place, row in enumerate(rows)]
        self._known = [row for row in self.rows if is_known(row)]
        self._unknown = [row for row in self.rows if not is_known(row)]

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def unexplained(self) -> int:
        return len(self._unknown)

    def total(self) -> Group:
        rows = self._known or self.rows
        return Group("Σ", totals(rows), len(rows), explained=bool(self._known))

    def troubles(self) -> list[Trouble]:
        told = Counter((str(row.get("status", "")), str(row.get("reason", ""))) for row in self._unknown)
        return [Trouble(*key, count=count) for key, count in told.most_common()]


class Results(_Rows):
    """Result dicts of the single, list or daily calls."""

    noun = "result"

    @property
    def trades(self) -> int | None:
        """How many trades the results are about."""
        return len({_trade_of(row) for row in self.rows})

    @property
    def days(self) -> tuple[date, date] | None:
        """The first and the last session."""
        days = [row["session"] for row in self.rows if row["session"] is not None]
        return (min(days), max(days)) if days else None

    def default_by(self) -> tuple[str, ...]:
        """The trades, else the days of the one trade, else the legs of the one result."""
        if (self.trades or 0) > 1:
            return ("trade",)
        if self.count > 1:
            return ("day",)
        return ("leg",) if any(len(row["per_leg"]) > 1 for row in self.rows) else ()

    def check_by(self, argument: str, by: Sequence[str]) -> tuple[str, ...]:
        """The groupings of :func:`~attribution.summarise`."""
        return checked_by(argument, [_ALIASES.get(name, name) for name in by], GROUPINGS)

    def groups(self, by: Sequence[str], most: int) -> list[Group]:
        """Sums by trade, leg, underlying, expiry or day."""
        symbols = {row["row"]: row["symbol"] for row in self.rows}
        positions = self._positions()
        groups = (
            Group(
                " · ".join(_result_key_text(name, group[name], symbols, positions) for name in by),
                {name: group[name] for name in AMOUNTS},
                group["count"],
                # Legs of a trade that is not explained are not in its picture, except where it is the only one.
                explained=is_known(group) if self.count == 1 else rows is self._known,
            )
            for rows in (self._known, self._unknown)
            for group in summarise(map(dict, rows), by)
            if not _is_fees_alone(group)
        )
        return _ranked(groups, most)

    def _positions(self) -> dict[str, str]:
        """The legs of one result alone are told with their quantities."""
        return {} if self.count != 1 else dict(zip(self.rows[0]["per_leg"], _position_texts(self.rows[0]), strict=True))


def _is_fees_alone(group: Mapping[str, Any]) -> bool:
    """Whether a group is there only because fees belong to no leg."""
    nowhere = all(group[name] is None for name in NO_LEG if name in group)
    return nowhere and not NO_LEG.isdisjoint(group) and not any(group[name] for name in (*EFFECTS, "pnl"))


def _position_texts(result: Mapping[str, Any]) -> list[str]:
    return [leg.position for leg in legs_of(result)]


def _result_key_text(name: str, key: object, symbols: Mapping[int, Any], positions: Mapping[str, str]) -> str:
    if name == "trade" and isinstance(key, int):
        return row_text(key, symbols.get(key))
    return positions[str(key)] if name == "leg" and key in positions else key_text(name, key)


def _trade_of(row: Mapping[str, Any]) -> object:
    return row["row"] if row["trade"] is None else row["trade"]


class Totals(_Rows):
    """Totals of :func:`~attribution.summarise`, or single rows of a result frame: amounts with keys before them."""

    noun = "total"

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        super().__init__(rows)
        names = dict.fromkeys(name for row in self.rows for name in _keys_of(row))
        self._keys = tuple(names)

    @property
    def trades(self) -> int | None:
        """Totals do not tell."""
        return None

    @property
    def days(self) -> tuple[date, date] | None:
        """Totals do not tell."""
        return None

    def default_by(self) -> tuple[str, ...]:
        """Every key of the totals."""
        return self._keys if self.count > 1 else ()

    def check_by(self, argument: str, by: Sequence[str]) -> tuple[str, ...]:
        """The keys of the totals."""
        if by and not self._keys:
            raise ValueError(f"{argument}={by[0]!r}: these totals have no keys; summarise with by={by[0]!r} first")
        return checked_by(argument, by, self._keys)

    def groups(self, by: Sequence[str], most: int) -> list[Group]:
        """Totals of the totals that share the keys of ``by``."""
        found: dict[tuple[bool, tuple[object, ...]], list[Mapping[str, Any]]] = {}
        for row in self.rows:
            found.setdefault((is_known(row), tuple(row.get(key) for key in by)), []).append(row)
        groups = (
            Group(
                " · ".join(_total_key_text(name, key) for name, key in zip(by, keys, strict=True)),
                totals(rows),
                sum(int(row.get("count", 1)) for row in rows),
                explained,
            )
            for (explained, keys), rows in found.items()
        )
        return _ranked(groups, most)


def _total_key_text(name: str, key: object) -> str:
    return row_text(key, None) if name == "trade" and isinstance(key, int) else key_text(name, key)


def _keys_of(row: Mapping[str, Any]) -> list[str]:
    """The names before the first amount: that is where ``summarise`` writes its keys."""
    names = list(row)
    return names[: min((names.index(name) for name in AMOUNTS if name in row), default=0)]


def _complete(row: Mapping[str, Any], place: int) -> dict[str, Any]:
    """A row with every amount as a number, and a place of its own."""
    missing = [name for name in (*EFFECTS, "pnl") if name not in row]
    if missing:
        raise ValueError(f"results[{place}] has no {', '.join(map(repr, missing))}: must be a result or a total")
    numbers = {name: _number(row[name]) for name in (*EFFECTS, "pnl")}
    told = {"residual": 0.0, "fees": 0.0, "net_pnl": numbers["pnl"] - _number(row.get("fees", 0.0))}
    others = {name: _number(row.get(name, value)) for name, value in told.items()}
    whole = {**row, **numbers, **others}
    return {**whole, "row": row.get("row", place)} if "per_leg" in row else whole


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
