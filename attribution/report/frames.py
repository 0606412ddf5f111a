"""Result frames of any kind, summed where they are, so that a million rows take about a second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from attribution.report.inputs import AMOUNTS, NO_LEG, Group, Trouble, checked_by, key_text, others_text, row_text
from attribution.result import EFFECTS

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["FrameResults", "as_frame"]

_EXPLAINED, _ROW, _SIZE, _COUNT = "__explained", "__row", "__size", "__count"
_ROW_GIVEN = "row"
_OTHERS, _PLACE = "__others", "__place"
_MISSING = {name: f"__missing_{name}" for name in AMOUNTS}
_NEEDED = (*EFFECTS, "pnl")
_TELLING = ("trade", "session", "leg", "underlying")
_ALIASES = {"day": "session"}


def as_frame(value: object) -> nw.DataFrame[Any] | None:
    """The value as a frame, a lazy one collected; None where it is no frame of any kind."""
    import narwhals as nw

    frame = nw.from_native(value, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        return frame.collect()
    return frame if isinstance(frame, nw.DataFrame) else None


class FrameResults:
    """A frame with one result, leg or total per row."""

    noun = "row"

    def __init__(self, frame: nw.DataFrame[Any]) -> None:
        import narwhals as nw

        for name in _NEEDED:
            if name not in frame.columns:
                raise ValueError(
                    f"the frame has no column {name!r}, it has {', '.join(map(repr, frame.columns)) or 'none'}: "
                    "must be a result of calculate_attribution_for_trades, attribute_daily or summarise"
                )
        self._tells_row = _ROW_GIVEN in frame.columns and frame.schema[_ROW_GIVEN].is_integer()
        if (
            "trade" not in frame.columns
            and "symbol" in frame.columns
            and ("leg" not in frame.columns or self._tells_row)
        ):
            # Without labels each row is a trade, or a part of the one that it names.
            frame = frame.with_columns(nw.lit(None, dtype=nw.String).alias("trade"))
        first = min(frame.columns.index(name) for name in AMOUNTS if name in frame.columns)
        self._keys = () if "symbol" in frame.columns or "leg" in frame.columns else tuple(frame.columns[:first])
        self._columns = [name for name in frame.columns if name not in AMOUNTS]
        absent = {"residual": nw.lit(0.0), "fees": nw.lit(0.0), "net_pnl": _net(frame)}
        amounts = [
            (nw.col(name) if name in frame.columns else absent[name]).cast(nw.Float64).alias(name) for name in AMOUNTS
        ]
        # A line of totals stands for as many results as it says.
        weight = nw.col("count") if self._keys and "count" in frame.columns else nw.lit(1)
        finite = [nw.col(name).is_finite().fill_null(False) for name in _NEEDED]
        self._frame = frame.with_columns(*amounts).with_columns(
            nw.all_horizontal(*finite, ignore_nulls=False).alias(_EXPLAINED), weight.cast(nw.Int64).alias(_COUNT)
        )

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self._frame)

    @property
    def unexplained(self) -> int:
        """The number of rows with an unknown effect or P&L."""
        return self.count - int(self._frame[_EXPLAINED].sum())

    @property
    def trades(self) -> int | None:
        """Distinct labels where every row has one, else the rows that the results name."""
        if "trade" not in self._columns:
            return None
        if self._frame["trade"].is_null().any():
            return int(self._frame[_ROW_GIVEN].n_unique()) if self._tells_row else None
        return int(self._frame["trade"].n_unique())

    @property
    def days(self) -> tuple[date, date] | None:
        """The first and the last session."""
        if "session" not in self._columns:
            return None
        days = self._frame["session"].drop_nulls()
        if len(days) == 0:
            return None
        return _day(days.min()), _day(days.max())

    def default_by(self) -> tuple[str, ...]:
        """The first of trade, session, leg and underlying that tells rows apart; for totals, their keys."""
        if self.count < 2:
            return ()
        if self._keys:
            return self._keys
        first = next((name for name in _TELLING if name in self._columns and self._frame[name].n_unique() > 1), None)
        if first != "trade" and "trade" in self._columns and self._frame["trade"].is_null().any():
            several = (self.trades or 0) > 1 if self._tells_row else first != "session"
            first = "trade" if several else first
        return () if first is None else (first,)

    def check_by(self, argument: str, by: Sequence[str]) -> tuple[str, ...]:
        """Any column that is no amount."""
        names = [_ALIASES.get(name, name) if name not in self._columns else name for name in by]
        return checked_by(argument, names, self._columns)

    def total(self) -> Group:
        """The sum of the explained rows."""
        import narwhals as nw

        known = self._frame.filter(nw.col(_EXPLAINED))
        rows = known if len(known) else self._frame
        (summed,) = _summed(rows, ()).iter_rows(named=True)
        return Group("Σ", _amounts(summed), len(rows), explained=len(known) > 0)

    def groups(self, by: Sequence[str], most: int) -> list[Group]:
        """Sums by any columns, computed in the frame."""
        import narwhals as nw

        frame, keys = self._keyed(by)
        # Where no trade has a label every row is a group of its own already.
        apart = list(by) == ["trade"] and not self._tells_row and bool(self._frame["trade"].is_null().all())
        ranked = _summed(frame, (*keys, _EXPLAINED), apart=apart)
        if "leg" in self._columns and not NO_LEG.isdisjoint(by):
            ranked = ranked.filter(~_is_fees_alone(by))
        told = [
            Group(_name(row, by), _amounts(row), row[_COUNT], explained=row[_EXPLAINED])
            for row in ranked.head(most).iter_rows(named=True)
        ]
        if len(ranked) <= most:
            return told
        sums = [nw.col(name).sum() for name in (*AMOUNTS, *_MISSING.values(), _COUNT)]
        rest = ranked.tail(len(ranked) - most).group_by(_EXPLAINED).agg(*sums, nw.len().alias(_OTHERS))
        for row in rest.sort(_EXPLAINED, descending=True).iter_rows(named=True):
            name = others_text(row[_OTHERS], explained=row[_EXPLAINED])
            told.append(Group(name, _amounts(row), row[_COUNT], row[_EXPLAINED], others=row[_OTHERS]))
        return told

    def troubles(self) -> list[Trouble]:
        """Statuses and reasons of the rows that are not explained."""
        import narwhals as nw

        told = [name for name in ("status", "reason") if name in self._columns]
        unknown = self._frame.filter(~nw.col(_EXPLAINED))
        if not told:
            return [Trouble("", "", len(unknown))] if len(unknown) else []
        counted = unknown.group_by(told).agg(nw.len().alias(_COUNT)).sort(_COUNT, *told, descending=True)
        return [
            Trouble(str(row.get("status") or ""), str(row.get("reason") or ""), row[_COUNT])
            for row in counted.iter_rows(named=True)
        ]

    def _keyed(self, by: Sequence[str]) -> tuple[nw.DataFrame[Any], list[str]]:
        """The frame with keys that tell trades apart: one without a label goes by its row and its symbol."""
        import narwhals as nw

        if "trade" not in by or not self._frame["trade"].is_null().any():
            return self._frame, list(by)
        frame = self._frame
        # Days of the same trade share its row, where the frame tells it.
        own = _ROW_GIVEN if self._tells_row else _ROW
        if own == _ROW:
            frame = frame.with_row_index(_ROW)
        unnamed = nw.col("trade").is_null()
        frame = frame.with_columns(nw.when(unnamed).then(nw.col(own).cast(nw.Int64)).otherwise(-1).alias(_ROW))
        if "symbol" not in frame.columns:
            return frame, [*by, _ROW]
        return frame, [*by, _ROW, *(["symbol"] if "symbol" not in by else [])]


def _summed(frame: nw.DataFrame[Any], keys: Sequence[str], *, apart: bool = False) -> nw.DataFrame[Any]:
    """Sums, and how many of their terms are unknown; the largest P&L first, then in order of first appearance."""
    import narwhals as nw

    known = {name: nw.col(name).is_finite().fill_null(False) for name in AMOUNTS}
    # Kinds of frames differ in what a sum makes of NaN and null: here it never meets one.
    cleaned = frame.with_row_index(_PLACE).with_columns(
        *(nw.when(known[name]).then(nw.col(name)).otherwise(0.0).alias(name) for name in AMOUNTS),
        *((~known[name]).cast(nw.Int64).alias(_MISSING[name]) for name in AMOUNTS),
    )
    sums = [nw.col(name).sum() for name in (*AMOUNTS, *_MISSING.values(), _COUNT)]
    if not keys:
        return cleaned.select(*sums)
    summed = cleaned if apart else cleaned.group_by(list(keys)).agg(*sums, nw.col(_PLACE).min())
    size = nw.when(nw.col(_MISSING["pnl"]) == 0).then(nw.col("pnl").abs()).otherwise(-1.0)
    return summed.with_columns(size.alias(_SIZE)).sort(_SIZE, _PLACE, descending=[True, False])


def _is_fees_alone(by: Sequence[str]) -> nw.Expr:
    """Rows that are there only because fees belong to no leg."""
    import narwhals as nw

    nowhere = [nw.col(name).is_null() for name in by if name in NO_LEG]
    nothing = [(nw.col(name) == 0.0) & (nw.col(_MISSING[name]) == 0) for name in _NEEDED]
    return nw.all_horizontal(*nowhere, *nothing, ignore_nulls=False)


def _net(frame: nw.DataFrame[Any]) -> nw.Expr:
    import narwhals as nw

    return nw.col("pnl") - nw.col("fees") if "fees" in frame.columns else nw.col("pnl")


def _amounts(row: dict[str, Any]) -> dict[str, float]:
    return {name: math.nan if row[_MISSING[name]] else float(row[name]) for name in AMOUNTS}


def _name(row: dict[str, Any], by: Sequence[str]) -> str:
    return " · ".join(_key(row, name) for name in by)


def _key(row: dict[str, Any], name: str) -> str:
    unnamed = name == "trade" and row.get(_ROW, -1) >= 0
    return row_text(row[_ROW], row.get("symbol")) if unnamed else key_text(name, row[name])


def _day(value: Any) -> date:
    return value.date() if isinstance(value, datetime) else value
