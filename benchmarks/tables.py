"""What was measured, as tables in Markdown: for the terminal, and for the README."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.contest import TASKS, WRONG, Measurement
from benchmarks.machine import describe
from benchmarks.sets import SETS

__all__ = ["BEGIN", "END", "Table", "contest_tables", "nanoseconds", "readme_region", "replace_region"]

BEGIN, END = "<!-- benchmark table -->", "<!-- end -->"
TITLES = {
    "price": "Price",
    "greeks": "Price and greeks",
    "implied vol": "Implied vol",
    "leg": "Split of one leg: two implied vols, six prices, Shapley",
}
MISSING = "–"


@dataclass(frozen=True, slots=True)
class Table:
    """Text in the first column, numbers in the others."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.headers, *self.rows, strict=True)]
        rule = "|".join("-" * (width + 2) if i == 0 else "-" * (width + 1) + ":" for i, width in enumerate(widths))
        lines = [_line(self.headers, widths), f"|{rule}|", *(_line(row, widths) for row in self.rows)]
        return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return f"| {' | '.join(padded)} |"


def nanoseconds(value: float) -> str:
    """Three figures or so: 5.93, 41.2, 1,511."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _ratio(line: Measurement) -> str:
    ratio = line.nanoseconds / line.ours_nanoseconds
    return f"{ratio:.1f}" if ratio < 100 else f"{ratio:,.0f}"


def _error(value: float) -> str:
    return MISSING if math.isnan(value) else f"{value:.1e}"


def _failed(line: Measurement) -> str:
    return f"{line.failures:,}/{line.known:,}" if line.failures else "0"


def _lines(results: dict[str, Any]) -> list[Measurement]:
    groups = results["groups"].values()
    return [Measurement(**line) for group in groups for line in group.get("measurements", ())]


def _ours(lines: Sequence[Measurement]) -> list[Measurement]:
    """Ours, one line per call, compared with the first: timed beside every peer, so take the medians of those."""
    libraries = dict.fromkeys(line.library for line in lines if line.is_ours)
    calls = [[line for line in lines if line.library == library] for library in libraries]
    costs = [statistics.median(line.nanoseconds for line in call) for call in calls]
    return [
        dataclasses.replace(call[0], nanoseconds=cost, ours_nanoseconds=costs[0])
        for call, cost in zip(calls, costs, strict=True)
    ]


def _peers(lines: Sequence[Measurement]) -> list[Measurement]:
    return sorted((line for line in lines if not line.is_ours), key=lambda line: line.nanoseconds)


def contest_tables(results: dict[str, Any]) -> list[Table]:
    """One table per task and set, ours first, then the peers from the fastest."""
    everything = _lines(results)
    headers = ("", "options", "distinct", "ns each", "× ours", "median error", "max error", "failures")
    tables = []
    for task, names in TASKS.items():
        for name in names:
            lines = [line for line in everything if (line.task, line.set) == (task, name)]
            if not lines:
                continue
            rows = [
                [
                    line.library,
                    f"{line.options:,}",
                    f"{line.known:,}",
                    nanoseconds(line.nanoseconds),
                    _ratio(line),
                    _error(line.median_error),
                    _error(line.max_error),
                    f"{line.failures:,}",
                ]
                for line in [*_ours(lines), *_peers(lines)]
            ]
            tables.append(Table(f"{TITLES[task]} · set {name} ({SETS[name]})", headers, rows))
    return tables


def absent(results: dict[str, Any]) -> list[str]:
    """What could not be installed or run beside ours, and why."""
    groups = results["groups"].items()
    return [f"{name}: {group['not_run']}." for name, group in groups if "not_run" in group]


def notes(results: dict[str, Any]) -> list[str]:
    """Return what a reader must know to read the tables."""
    peers = "".join(
        f"; {name} {version}"
        for group in results["groups"].values()
        for name, version in group.get("versions", {}).items()
    )
    remarks = {line.library: line.remark for line in _lines(results) if line.remark}
    return [
        f"{describe(results['machine'])}{peers}; {results['date']}.",
        f"One thread; median of {results['rounds']} rounds after a warm-up; each peer in one process with ours, "
        "on the same arrays, and “× ours” is the ratio in that process. Slow libraries take fewer options.",
        f"Errors are relative to 50-digit truth, for the {results['known']:,} distinct options of a set (seed "
        f"{results['seed']}) or those of them that a library took. A failure is no number, or one more than "
        f"{WRONG:.0%} off, and does not count towards the errors. Greeks: the worst of price, delta, gamma, vega, "
        "theta and rho. A leg: relative to the sum of the sizes of its effects.",
        *(f"{library}: {remark}." for library, remark in remarks.items()),
        *absent(results),
    ]


def _readme_table(task: str, lines: Sequence[Measurement]) -> Table:
    """One task: cost on its first set, errors on the everyday and the hard set, failures on all."""
    sets = TASKS[task]
    by_set = {name: [line for line in lines if line.set == name] for name in sets}
    shown = {
        name: {line.library: line for line in [*_ours(rows), *_peers(rows)]} for name, rows in by_set.items() if rows
    }
    base = shown[sets[0]]
    rows = []
    for library, line in base.items():
        cells = [library, nanoseconds(line.nanoseconds), _ratio(line)]
        for name in sets:
            found = shown.get(name, {}).get(library)
            cells.append(_error(found.max_error) if found else MISSING)
            cells.append(_failed(found) if found else MISSING)
        rows.append(cells)
    columns = [f"{what} {name}" for name in sets for what in ("max error", "failed")]
    return Table(TITLES[task], (TITLES[task].partition(":")[0], "ns each", "× ours", *columns), rows)


def readme_region(results: dict[str, Any]) -> str:
    """Return the README's benchmark tables: cost on the everyday set, errors and failures on every set."""
    everything = _lines(results)
    parts = [
        str(_readme_table(task, [line for line in everything if line.task == task]))
        for task, names in TASKS.items()
        if any((line.task, line.set) == (task, names[0]) for line in everything)
    ]
    legend = [f"Set {name}: {text.partition(': ')[2]}." for name, text in SETS.items()]
    return "\n\n".join([*parts, " ".join(legend), *notes(results)])


def replace_region(text: str, region: str) -> str:
    """Return ``text`` with what stands between the two marks replaced; ValueError where a mark is missing."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the marks {BEGIN} and {END} must stand in this order in the text")
    return f"{head}{BEGIN}\n\n{region}\n\n{END}{tail}"
