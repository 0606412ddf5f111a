"""Results to where they are wanted: tables for people, CSV and JSON for programs, files written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from attribution.app.files import write_whole
from attribution.app.sheet import InputError
from attribution.report import groups_table, results_table, sentence, waterfall
from attribution.result import EFFECTS
from attribution.summary import summarise

__all__ = [
    *("Format", "complain", "emit", "format_of", "groups_of", "let_go_of_output", "message"),
    *("render_groups", "render_results"),
]

_FILE_WIDTH = 120
_WIDEST_PICTURE = 90
_BINARY = frozenset({"parquet", "pq", "feather", "arrow", "xlsx", "xls", "ods", "pdf", "png", "gz", "zip", "db"})
"""Endings of files that hold no text: what is written here would be no such file."""

_OTHERS = frozenset({"tsv", "html", "htm", "svg", "xml", "yaml", "yml", "jsonl", "ndjson", "md", "ipynb", "parquet"})
"""Endings of texts that are no table for people."""

_FLAT = (
    *("line", "trade", "symbol", "session", "window_start", "window_end", "start_price", "end_price"),
    *(*EFFECTS, "residual", "pnl", "combo_gap", "fees", "net_pnl"),
    *("status", "flags", "reason", "method", "clock"),
)
_GROUP_AMOUNTS = (*EFFECTS, "residual", "pnl", "fees", "net_pnl", "count", "missing", "missing_pnl", "status")


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    WATERFALL = "waterfall"
    CSV = "csv"
    JSON = "json"


def format_of(asked: Format | None, output: Path | None) -> Format:
    """The format asked for, else that of the file's ending, else a table.

    Raises
    ------
    InputError
        The file's ending promises another format.
    """
    ending = "" if output is None else output.suffix.lower().removeprefix(".")
    if ending in _BINARY or (asked is None and ending in _OTHERS):
        ways = "name a file that ends in .csv, .json or .txt" + ("" if ending in _BINARY else ", or say --format")
        raise InputError(f"--output {output}: .{ending} is not written here: {ways}")
    if asked is not None:
        return asked
    return Format(ending) if ending in ("csv", "json") else Format.TABLE


def message(text: str) -> None:
    """Tell the person at the terminal something; standard output is for data alone."""
    with suppress(OSError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def complain(lines: Sequence[str], most: int = 20) -> None:
    """Tell of what went wrong, line by line, and of how many more there are."""
    for line in lines[:most]:
        message(line)
    if len(lines) > most:
        message(f"… and {len(lines) - most} more like these")


def render_results(results: Sequence[Mapping[str, Any]], form: Format) -> str | list[RenderableType]:
    """Results in a format: text as it is to be written, or what the terminal renders."""
    if form is Format.JSON:
        return _json(results)
    if form is Format.CSV:
        return _csv([_flat(result) for result in results], _FLAT)
    if form is Format.WATERFALL:
        return _waterfalls(results)
    return [results_table(results)]


def _waterfalls(results: Sequence[Mapping[str, Any]]) -> list[RenderableType]:
    drawn: list[RenderableType] = []
    width = min(_WIDEST_PICTURE, _page_width())
    for result in results:
        drawn += [waterfall(result, width=width), Text(sentence(result), style="italic"), Text("")]
    if len(results) > 1:
        drawn.append(waterfall(summarise(map(dict, results))[0], width=width, title=f"Σ of {len(results)}"))
    return drawn


def groups_of(results: Sequence[dict[str, Any]], by: Sequence[str]) -> list[dict[str, Any]]:
    """Totals by the groupings; a trade without a label goes by its line in the file."""
    groups: list[dict[str, Any]] = summarise(results, by)
    lines = {result["row"]: result["line"] for result in results}
    for group in groups:
        if isinstance(group.get("trade"), int):
            group["trade"] = f"line {lines[group['trade']]}"
    return groups


def render_groups(groups: Sequence[Mapping[str, Any]], by: Sequence[str], form: Format) -> str | list[RenderableType]:
    """Totals in a format."""
    if form is Format.JSON:
        return _json(groups)
    if form is Format.CSV:
        names = (*by, *_GROUP_AMOUNTS)
        return _csv([{name: group[name] for name in names} for group in groups], names)
    if form is Format.WATERFALL:
        titles = [", ".join(f"{name} {group[name]}" for name in by) for group in groups]
        width = min(_WIDEST_PICTURE, _page_width())
        return [waterfall(group, width=width, title=title) for group, title in zip(groups, titles, strict=True)]
    return [groups_table(groups, by)]


def _flat(result: Mapping[str, Any]) -> dict[str, Any]:
    """One result as one row of a CSV file; the legs are in the JSON, or to be had by ``--by leg``."""
    window = result["window"] or {}
    told = {
        **result,
        "window_start": window.get("start"),
        "window_end": window.get("end"),
        "start_price": window.get("start_price"),
        "end_price": window.get("end_price"),
        "flags": " ".join(result["flags"]),
    }
    flat = {name: told.get(name) for name in _FLAT}
    if "detail" in result:
        flat |= {f"detail_{name}": value for name, value in (result["detail"] or {}).items()}
    return flat


def _csv(rows: Sequence[Mapping[str, Any]], first: Sequence[str]) -> str:
    """CSV with every column that any row has; numbers read back as the same doubles."""
    text = io.StringIO()
    names = list(dict.fromkeys((*first, *(name for row in rows for name in row))))
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return value.isoformat() if isinstance(value, date) else value


def _json(results: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps([_plain(result) for result in results], ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _plain(value: object) -> object:
    """What JSON can hold: what is no number is null, dates and instants are ISO text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def emit(content: str | list[RenderableType], output: Path | None = None, *, most: int | None = None) -> None:
    """Write to standard output, or to a file that then is complete; ``most`` bounds the width. [columns]"""
    if output is not None:
        write_whole(output, content if isinstance(content, str) else _as_text(content))
        message(f"wrote {output}")
        return
    try:
        if not isinstance(content, str) and sys.stdout.isatty():
            console = Console(file=sys.stdout, highlight=False)
            console.width = min(console.width, most or console.width)
            for part in content:
                console.print(part)
        else:
            sys.stdout.write(content if isinstance(content, str) else _as_text(content, most))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` perhaps, has had enough
        let_go_of_output()


def let_go_of_output() -> None:
    """Send standard output nowhere: what is left in its buffer must not fail again when the program ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _page_width() -> int:
    """Of the terminal, if standard output is one; else that of a file. [columns]"""
    return Console(file=sys.stdout).width if sys.stdout.isatty() else _file_width()


def _file_width() -> int:
    """As wide as COLUMNS says, else 120. [columns]"""
    return shutil.get_terminal_size((_FILE_WIDTH, 0)).columns if "COLUMNS" in os.environ else _FILE_WIDTH


def _as_text(content: Sequence[RenderableType], most: int | None = None) -> str:
    """Render for a file or a pipe: no colours, as wide as COLUMNS says, else 120."""
    buffer = io.StringIO()
    width = _file_width()
    console = Console(file=buffer, width=min(width, most or width), highlight=False, color_system=None)
    for part in content:
        console.print(part)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
