"""Tables of results with a Σ line that shows spot + vol + time + spread (+ residual) = P&L."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from attribution.report.figures import (
    LABELS,
    UNKNOWN,
    adds_up,
    amount,
    is_explained,
    name_of,
    parts_shown,
    totals,
    window_text,
)
from attribution.report.layout import AmountTable
from attribution.report.legs import legs_of
from attribution.status import Flag, Status
from attribution.totals import exact_sum

__all__ = ["check_line", "groups_table", "results_table"]

_MOST_REASONS = 20
_WHOLE = "= P&L"


def results_table(
    results: Sequence[Mapping[str, Any]],
    *,
    title: str | None = None,
    names: bool = True,
    footnotes: bool = True,
    check: bool = True,
) -> Group:
    """One line per result, the Σ line, the check of the sum, and footnotes.

    Parameters
    ----------
    results
        What the calls returned, in the order in which they are to stand.
    title
        What stands above the table.
    names
        Whether the first column tells the trade; False for a table about one trade.
    footnotes
        Whether flags and statuses are marked and told below. What is unknown is told in any case.
    check
        Whether the sum is written out below the Σ line.
    """
    parts = parts_shown(results)
    notes = _Notes(wanted=footnotes)
    marks = [notes.marks_of(result) for result in results]
    fees = _has_fees(results)
    sessions = {result["session"] for result in results if result["session"] is not None}
    if title is None and len(sessions) == 1:
        title = f"session {next(iter(sessions))}"
    heads = _heads(names=names, sessions=len(sessions))
    table = _new_table(title, heads, parts, ["fees"] if fees else [])
    for result, mark in zip(results, marks, strict=True):
        paid = [amount(result["fees"])] if fees else []
        cells = [_cell(result, head, sessions=bool(sessions)) for head in heads]
        table.add(cells, [*_amount_cells(result, parts), *paid], notes=mark)
    for label, total in _sums(results):
        paid = [amount(total["fees"])] if fees else []
        table.add([label], [*_amount_cells(total, parts), *paid], style="bold")
    checked = [check_line(totals(results), parts)] if check else []
    return Group(table, *checked, *notes.lines())


def _heads(*, names: bool, sessions: int) -> list[str]:
    """Columns that tell the rows apart. A whole life stands below the trade's name, which keeps the table narrow."""
    told = ["trade"] if names else []
    if sessions > 1:
        told.append("session")
    return [*told, "window"] if sessions or not names else told


def _cell(result: Mapping[str, Any], head: str, *, sessions: bool) -> str:
    if head == "session":
        return "" if result["session"] is None else str(result["session"])
    window = window_text(result)
    if head == "window":
        return window
    name = _trade_text(result)
    return name if sessions or not window else "\n".join([name, window.replace(" → ", " →\n")])


def groups_table(
    groups: Sequence[Mapping[str, Any]], by: Sequence[str], *, title: str | None = None, counts: bool = True
) -> Group:
    """One line per group of :func:`~attribution.summarise`, the Σ line and the check of the sum.

    ``counts``: whether to tell how many results, or parts of results, each group holds.
    """
    parts = parts_shown(groups)
    fees = _has_fees(groups)
    table = _new_table(title, by, parts, [*(["fees"] if fees else []), *(["count"] if counts else [])])
    for group in groups:
        keys = [_key_text(name, group[name]) for name in by]
        missing = f" ({group['missing']} {UNKNOWN})" if group["missing"] else ""
        paid = [amount(group["fees"])] if fees else []
        count = [f"{group['count']}{missing}"] if counts else []
        table.add(keys, [*_amount_cells(group, parts), *paid, *count])
    for label, total in _sums(groups):
        paid = [amount(total["fees"])] if fees else []
        table.add([label], [*_amount_cells(total, parts), *paid, *([""] if counts else [])], style="bold")
    return Group(table, check_line(totals(groups), parts))


def check_line(total: Mapping[str, float], parts: Sequence[str]) -> Text:
    """Write the sum out: what the parts make, what the P&L is, and whether they agree."""
    terms = " ".join(_term(i, LABELS[name], total[name]) for i, name in enumerate(parts))
    text = f"Σ {terms} = P&L {amount(total['pnl'])}"
    if not all(math.isfinite(total[name]) for name in (*parts, "pnl")):
        return Text("Σ unknown: a part is unknown, and a sum of the rest would not be the whole", style="yellow")
    if adds_up(total):
        return Text(f"{text}  ✓", style="green")
    gap = exact_sum(total[name] for name in parts) - total["pnl"]
    return Text(f"{text}  ✗ differs by {amount(gap)}", style="bold red")


def _trade_text(result: Mapping[str, Any]) -> str:
    """The trade's label; without one its legs, one under the other."""
    if result["trade"] is not None or not result["per_leg"]:
        return name_of(result)
    return "\n".join(leg.position for leg in legs_of(result))


def _term(place: int, label: str, value: float) -> str:
    if place == 0:
        return f"{label} {amount(value)}"
    sign = "-" if value < 0 else "+"
    return f"{sign} {label} {amount(abs(value))}"


def _new_table(title: str | None, heads: Sequence[str], parts: Sequence[str], extra: Sequence[str]) -> AmountTable:
    causes = [LABELS[name] if place == 0 else f"+ {LABELS[name]}" for place, name in enumerate(parts)]
    return AmountTable(heads, [*causes, _WHOLE, *extra], title, whole=_WHOLE)


def _has_fees(rows: Iterable[Mapping[str, Any]]) -> bool:
    return any(row["fees"] and not math.isnan(row["fees"]) for row in rows)


def _amount_cells(row: Mapping[str, Any], parts: Sequence[str]) -> list[Text]:
    return [_amount_cell(float(row[name])) for name in (*parts, "pnl")]


def _amount_cell(value: float) -> Text:
    style = "yellow" if math.isnan(value) else "red" if value < 0 else ""
    return Text(amount(value), style=style)


def _sums(rows: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, dict[str, float]]]:
    """The total; where a part is unknown, the total of what is known stands beside it, and says so."""
    yield "Σ", totals(rows)
    known = [row for row in rows if all(math.isfinite(row[name]) for name in LABELS)]
    if 0 < len(known) < len(rows):
        yield f"Σ of {len(known)} known", totals(known)


def _key_text(name: str, key: object) -> str:
    if key is None:
        return "whole window" if name == "day" else "(no leg)"
    return f"row {key + 1}" if name == "trade" and isinstance(key, int) else str(key)


class _Notes:
    """Footnotes, numbered in order of first use."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._numbers: dict[str, int] = {}
        self._reasons: dict[str, None] = {}

    def marks_of(self, result: Mapping[str, Any]) -> str:
        status = Status(result["status"])
        told = [f"{Flag(flag)}: {Flag(flag).advice}" for flag in result["flags"]]
        if status is not Status.OK:
            told.insert(0, f"{status}: {status.advice}")
        if not is_explained(result):
            self._reasons[f"{_place(result)}: {result['reason']}"] = None
        if not self._wanted:
            return ""
        return " ".join(str(self._numbers.setdefault(text, len(self._numbers) + 1)) for text in told)

    def lines(self) -> list[Text]:
        lines = [Text(f"{number}  {text}", style="dim") for text, number in self._numbers.items()]
        reasons = list(self._reasons)
        lines += [Text(reason, style="yellow") for reason in reasons[:_MOST_REASONS]]
        if len(reasons) > _MOST_REASONS:
            lines.append(Text(f"… and {len(reasons) - _MOST_REASONS} more like these", style="yellow"))
        return lines


def _place(result: Mapping[str, Any]) -> str:
    line = f"line {result['line']}, " if "line" in result else ""
    session = f", {result['session']}" if result.get("session") is not None else ""
    return f"{line}{name_of(result)}{session}"
