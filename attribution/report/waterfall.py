"""A waterfall as text: each cause is a bar from where the last one ended, and the P&L is where they lead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from attribution.report.figures import LABELS, amount, is_explained, name_of, parts_shown, window_text
from attribution.result import EFFECTS
from attribution.status import Status

__all__ = ["waterfall"]

_LABEL_WIDTH = 9
_AMOUNT_WIDTH = 16
_LEAST_BAR = 8
_BEYOND = "an amount is larger than a number can hold"
_CELLS = {(True, True): "█", (True, False): "▌", (False, True): "▐"}


def waterfall(result: Mapping[str, Any], *, width: int = 80, title: str | None = None) -> Text:
    """Draw one result, or a total of results.

    Parameters
    ----------
    result
        A result of the calls, or an item of :func:`~attribution.summarise`.
    width
        Width of the drawing. [columns]
    title
        What stands above it; None: the trade's name and its window; "" : nothing.

    Returns
    -------
    rich.text.Text
        One line per cause, then the P&L, then fees where there are any. What is unknown is said so, with status and
        reason, and has no bar. ``.plain`` is the same without colours.
    """
    drawing = Text()
    if title is None:
        session = str(result["session"]) if result.get("session") is not None else ""
        title = "  ".join(part for part in (name_of(result), session, window_text(result)) if part)
    if title:
        drawing.append(title + "\n", style="bold")
    known = is_explained(result) and all(map(math.isfinite, _reached(result)))
    drawing.append_text(_bars(result, width) if known else _unknown(result))
    fees = float(result.get("fees", 0.0))
    if fees and not math.isnan(fees):
        drawing.append("\n" + _head("fees", -fees), style="dim")
        drawing.append("\n" + _head("net", float(result["net_pnl"])), style="bold")
    return drawing


def _head(label: str, value: float) -> str:
    return f"{label:<{_LABEL_WIDTH}}{amount(value):>{_AMOUNT_WIDTH}}"


def _bars(result: Mapping[str, Any], width: int) -> Text:
    steps = list(_steps(result))
    reached = _reached(result)
    low, high = min(reached), max(reached)
    cells = width - _LABEL_WIDTH - _AMOUNT_WIDTH - 2
    cells = cells if cells >= _LEAST_BAR else 0  # the numbers go before
    halves = 2 * cells
    scale = halves / (high - low) if high > low else 0.0
    zero = round((0.0 - low) * scale)
    lines = []
    for name, start, end in steps:
        value = float(result[name])
        first, last = sorted((round((start - low) * scale), round((end - low) * scale)))
        if first == last and value:  # the smallest amount still shows
            first, last = (first, first + 1) if first < halves else (first - 1, first)
        colour = "green" if value > 0 else "red" if value < 0 else "dim"
        style = f"bold {colour}" if name == "pnl" else colour
        line = Text(_head(LABELS[name], value) + "  ", style="bold" if name == "pnl" else "")
        if cells:
            line.append(_bar(first, last, zero, cells), style=style)
        line.rstrip()
        lines.append(line)
    return Text("\n").join(lines)


def _reached(result: Mapping[str, Any]) -> list[float]:
    """Where the bars begin and end."""
    return [0.0, *(end for _, *ends in _steps(result) for end in ends)]


def _steps(result: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Where each bar begins and ends; the P&L stands on zero again."""
    level = 0.0
    for name in parts_shown([result]):
        start, level = level, level + float(result[name])
        yield name, start, level
    yield "pnl", 0.0, float(result["pnl"])


def _bar(first: int, last: int, zero: int, cells: int) -> str:
    """Fill half-cells ``first`` to ``last``; a thin line marks zero."""
    drawn = []
    axis = min(zero // 2, cells - 1)
    for cell in range(cells):
        filled = (first <= 2 * cell < last, first <= 2 * cell + 1 < last)
        drawn.append(_CELLS.get(filled) or ("┊" if cell == axis else " "))
    return "".join(drawn)


def _unknown(result: Mapping[str, Any]) -> Text:
    """Lines without bars, and why: an unknown effect is not a zero."""
    status = Status(result["status"])
    lines = Text("\n").join(Text(_head(LABELS[name], math.nan), style="yellow") for name in EFFECTS)
    lines.append("\n" + _head(LABELS["pnl"], float(result["pnl"])), style="bold yellow")
    why = f"{status}: {result.get('reason') or status.advice}" if not status.has_numbers else _BEYOND
    lines.append(f"\n{why}", style="yellow")
    return lines
