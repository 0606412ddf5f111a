"""Strategies × causes for the terminal and the notebook: a table that adds up both ways, a waterfall per strategy.

Rows are plain mappings: what they are of, an exact amount per factor, and ``pnl``; None is "not known".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Group
from rich.text import Text

from attribution.report.figures import UNKNOWN, amount
from attribution.report.layout import AmountTable
from attribution.report.svg import Theme, small_multiples_svg

__all__ = ["strategies_svg", "strategies_table", "strategy_waterfall"]

Row = Mapping[str, Any]

_LABEL_WIDTH = 12
_AMOUNT_WIDTH = 18
_LEAST_BAR = 8
_CELLS = {(True, True): "█", (True, False): "▌", (False, True): "▐"}


def strategies_table(
    rows: Sequence[Row],
    total: Row | None,
    keys: Sequence[str],
    factors: Sequence[str],
    *,
    title: str | None = None,
    notes: Sequence[str] = (),
) -> Group:
    """One line per row, the Σ line, and the notes below.

    Parameters
    ----------
    rows, total
        What is to stand in the lines, and in the last one; None where the rows have no sum.
    keys
        The names in a row that tell what it is of.
    factors
        The columns, in their order. They add up to ``pnl``.
    notes
        Sentences to be told below, such as the check against the account.
    """
    causes = [name if place == 0 else f"+ {name}" for place, name in enumerate(factors)]
    table = AmountTable(keys, [*causes, "= P&L"], title, whole="= P&L")
    for row in rows:
        table.add([str(row[key]) for key in keys], _cells(row, factors))
    if keys and total is not None:
        table.add(["Σ"], _cells(total, factors), style="bold")
    return Group(table, *(Text(note) for note in notes))


def strategy_waterfall(row: Row, factors: Sequence[str], *, title: str, width: int = 80) -> Text:
    """Draw how the factors lead from zero to one row's P&L; what is unknown is said so and has no bar."""
    drawing = Text(title + "\n", style="bold")
    if any(row[name] is None for name in (*factors, "pnl")):
        lines = [Text(_head(name, row[name]), style="yellow") for name in (*factors, "pnl")]
        return drawing.append_text(Text("\n").join(lines))
    steps = list(_steps(row, factors))
    low = min(0.0, *(min(start, end) for _, _, start, end in steps))
    high = max(0.0, *(max(start, end) for _, _, start, end in steps))
    cells = max(width - _LABEL_WIDTH - _AMOUNT_WIDTH - 2, _LEAST_BAR)
    scale = 2 * cells / (high - low) if high > low else 0.0
    zero = min(round(-low * scale) // 2, cells - 1)
    lines = []
    for name, value, start, end in steps:
        first, last = sorted((round((start - low) * scale), round((end - low) * scale)))
        if first == last and value:  # the smallest amount still shows
            first, last = (first, first + 1) if first < 2 * cells else (first - 1, first)
        colour = "green" if value > 0 else "red" if value < 0 else "dim"
        line = Text(_head("P&L" if name == "pnl" else name, value) + "  ", style="bold" if name == "pnl" else "")
        line.append(_bar(first, last, zero, cells), style=f"bold {colour}" if name == "pnl" else colour)
        line.rstrip()
        lines.append(line)
    return drawing.append_text(Text("\n").join(lines))


def strategies_svg(
    rows: Sequence[Row], factors: Sequence[str], *, title: str, subtitle: str = "", theme: Theme = "page"
) -> str:
    """Draw one small waterfall per strategy side by side, for a notebook or a file: one ``<svg>`` element."""
    causes = {f"{name}_part": name for name in factors}
    groups = {
        str(row["strategy"]): {
            **{f"{name}_part": _number(row[name]) for name in factors},
            "pnl": _number(row["pnl"]),
        }
        for row in rows
    }
    return small_multiples_svg(groups, title=title, subtitle=subtitle, causes=causes, theme=theme)


def _number(value: Decimal | None) -> float:
    return math.nan if value is None else float(value)


def _steps(row: Row, factors: Sequence[str]) -> list[tuple[str, Decimal, float, float]]:
    """Where each bar begins and ends; the P&L stands on zero again."""
    steps, level = [], Decimal(0)
    for name in factors:
        start, level = level, level + row[name]
        steps.append((name, row[name], float(start), float(level)))
    return [*steps, ("pnl", row["pnl"], 0.0, float(row["pnl"]))]


def _bar(first: int, last: int, zero: int, cells: int) -> str:
    """Fill half-cells ``first`` to ``last``; a thin line marks zero."""
    drawn = []
    for cell in range(cells):
        filled = (first <= 2 * cell < last, first <= 2 * cell + 1 < last)
        drawn.append(_CELLS.get(filled) or ("┊" if cell == zero else " "))
    return "".join(drawn)


def _head(label: str, value: Decimal | None) -> str:
    return f"{label:<{_LABEL_WIDTH}}{_written(value):>{_AMOUNT_WIDTH}}"


def _written(value: Decimal | None) -> str:
    return UNKNOWN if value is None else amount(float(value))


def _cells(row: Row, factors: Sequence[str]) -> list[Text]:
    return [_cell(row[name]) for name in (*factors, "pnl")]


def _cell(value: Decimal | None) -> Text:
    style = "yellow" if value is None else "red" if value < 0 else ""
    return Text(_written(value), style=style)
