"""``show``: results as a picture and a table, in a notebook as HTML, in a terminal as text."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution.report.figures import UNKNOWN, amount, name_of, window_text
from attribution.report.frames import FrameResults, as_frame
from attribution.report.inputs import Group, Material, Results, Totals, Trouble, symbol_words
from attribution.report.lettering import escaped
from attribution.report.movers import MOVERS_STYLE, Mover, movers_html, movers_of, movers_text
from attribution.report.svg import Theme, small_multiples_svg, waterfall_svg
from attribution.report.waterfall import waterfall
from attribution.report.words import sentence
from attribution.status import Status

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.console import Group as Renderables
    from rich.text import Text

__all__ = ["Report", "show"]

_WIDEST = 120
"""Of the text. [columns]"""

_MOST_PANELS = 12
_MOST_REASONS = 5
_STYLE = """
.attribution{color:inherit;font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;
 font-size:14px;line-height:1.45;max-width:1180px;overflow-x:auto}
.attribution p{margin:4px 28px 8px 28px;max-width:52em}
.attribution .unexplained{border-left:3px solid #d55e00;padding:2px 0 2px 10px;margin:8px 28px;max-width:52em}
.attribution .unexplained ul{margin:2px 0 0 0;padding-left:1.2em}
"""
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>:root{{color-scheme:light dark}}body{{margin:24px;color:#1f2328;background:#fff}}
@media(prefers-color-scheme:dark){{body{{color:#e6edf3;background:#0d1117}}}}</style></head>
<body>{body}</body></html>
"""


def show(
    result: Any,
    *,
    by: str | Sequence[str] | None = None,
    panels: str | Sequence[str] | None = None,
    most: int = 10,
    title: str | None = None,
) -> Report:
    """Show what made a P&L: the waterfall from zero to net, and the biggest movers with what drove each.

    In a notebook the last value of a cell shows itself; in a terminal ``print(show(result))``.

    Parameters
    ----------
    result
        What the calls returned: one result, a list of results (of days, too), a list of totals of
        :func:`~attribution.summarise`, or a result frame (pandas, polars, pyarrow; a lazy one is collected).
    by
        What the movers are: any of ``"trade", "leg", "underlying", "expiry", "day"``, for totals their keys, for a
        frame any of its columns; None: the trades, else the days of the one trade, else the legs of the one
        result. Several are combined.
    panels
        Draws a small waterfall for each group as well, for example ``panels="strategy"`` for a frame that has such
        a column; the same choices as ``by``.
    most
        How many movers are told one by one; the others are summed in a line of their own.
    title
        What stands above it all; None: the trade's name, or what was summed.

    Returns
    -------
    Report
        Shows itself; ``.svg()`` is the picture, ``.movers`` the table's lines, ``.save("week.html")`` writes it down.

    Raises
    ------
    ValueError
        A grouping that does not exist (the nearest is named), ``most`` below one, or rows without effects.
    TypeError
        Something that is neither results nor totals nor a frame.
    """
    if most < 1:
        raise ValueError(f"most={most!r}: must be 1 or more")
    rows, material = _material(result)
    lines = material.default_by() if by is None else material.check_by("by", _names(by))
    split = () if panels is None else material.check_by("panels", _names(panels))
    if not material.count:
        return Report(title or "Nothing to show", "no results", None)
    alone = rows[0] if len(rows) == 1 else None
    return Report(
        title=_title(alone) if title is None else title,
        subtitle=_subtitle(alone, material),
        total=material.total(),
        head=" · ".join(lines),
        movers=tuple(movers_of(material.groups(lines, most))) if lines else (),
        panels=tuple(material.groups(split, _MOST_PANELS - 1)) if split else (),
        panels_head=" · ".join(split),
        words=sentence(alone) if alone is not None and "per_leg" in alone else "",
        troubles=tuple(material.troubles()),
        count=material.count,
    )


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What :func:`show` returns: it shows itself in notebooks, terminals and on ``print``."""

    title: str
    subtitle: str
    total: Group | None
    head: str = ""
    movers: tuple[Mover, ...] = ()
    panels: tuple[Group, ...] = ()
    panels_head: str = ""
    words: str = ""
    troubles: tuple[Trouble, ...] = ()
    count: int = 0

    def svg(self, theme: Theme = "page") -> str:
        """Return the waterfall as one ``<svg>`` element; ``theme`` as in ``waterfall_svg``."""
        if self.total is None:
            raise ValueError("there is nothing to draw: no results were given")
        return waterfall_svg(
            self.total.amounts, title=self.title, subtitle=self.subtitle, note=self._gap_text(), theme=theme
        )

    def panels_svg(self, theme: Theme = "page") -> str:
        """Return the small waterfalls as one ``<svg>`` element; ``theme`` as in ``waterfall_svg``."""
        if not self.panels:
            raise ValueError("there are no panels: name their column, show(result, panels=…)")
        groups: dict[str, Mapping[str, float]] = {}
        for group in self.panels:
            name = group.name if group.explained or group.others else f"{group.name} (not explained)"
            # A key may be written like another: None beside the text "(none)".
            groups[name if name not in groups else f"{name} ({len(groups) + 1})"] = group.amounts
        return small_multiples_svg(groups, title=f"by {self.panels_head}", subtitle="all on one scale", theme=theme)

    def html(self) -> str:
        """Return it all as one HTML element, with its style, for a page of yours."""
        if self.total is None:
            return f'<div class="attribution"><p><b>{escaped(self.title)}</b>: {escaped(self.subtitle)}.</p></div>'
        parts = [f"<style>{_STYLE}{MOVERS_STYLE}</style>", self.svg()]
        if self.words and self.total.explained:
            parts.append(f"<p>{escaped(self.words)}</p>")
        parts.append(self._troubles_html())
        if self.panels:
            parts.append(self.panels_svg())
        if self.movers:
            parts.append(movers_html(self.movers, self.head))
        return f'<div class="attribution">{"".join(parts)}</div>'

    def save(self, path: str | Path) -> Path:
        """Write it down: the whole as a page (``.html``), or the picture alone (``.svg``); returns the path."""
        path = Path(path)
        if path.suffix.lower() == ".svg":
            content = self.svg("auto") + "\n"
        elif path.suffix.lower() == ".html":
            content = _PAGE.format(title=escaped(self.title), body=self.html())
        else:
            raise ValueError(f"path={str(path)!r}: must end with .html or .svg")
        path.write_text(content, encoding="utf-8", newline="\n")
        return path

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": str(self)}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield self._renderables(min(options.max_width, _WIDEST))

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        from rich.console import Console

        width = min(max(shutil.get_terminal_size((100, 24)).columns, 60), _WIDEST)
        written = io.StringIO()
        # Inside a notebook a console would show what it is to write.
        console = Console(file=written, width=width, color_system=None, highlight=False, force_jupyter=False)
        console.print(self._renderables(width))
        return "\n".join(line.rstrip() for line in written.getvalue().splitlines())

    def _renderables(self, width: int) -> Renderables:
        from rich.console import Group as Renderables
        from rich.text import Text

        parts: list[RenderableType] = [Text(self.title, style="bold")] if self.title else []
        parts += [Text(self.subtitle, style="dim")] if self.subtitle else []
        if self.total is not None:
            parts.append(waterfall(_drawable(self.total, self.troubles), width=width, title=""))
            if self.words and self.total.explained:
                parts.append(Text(self.words, style="italic"))
            parts += [Text(line, style="yellow") for line in self._trouble_lines()]
            parts += [part for group in self.panels for part in (Text(""), _panel_text(group, width))]
            if self.movers:
                parts += [Text(""), movers_text(self.movers, self.head)]
        return Renderables(*parts)

    @property
    def unexplained(self) -> int:
        """How many results are not explained."""
        return sum(trouble.count for trouble in self.troubles)

    def _gap_text(self) -> str:
        """What the picture does not hold, in one line."""
        if not self.unexplained:
            return ""
        if self.count == 1:
            return _reason_text(self.troubles[0])
        verb = "is" if self.unexplained == 1 else "are"
        left_out = f"{self.unexplained:,} of {self.count:,} results {verb} not explained"
        return f"{left_out} and not in the picture" if self.total is not None and self.total.explained else left_out

    def _trouble_lines(self) -> list[str]:
        if not self.unexplained or self.count == 1:
            return []
        told = [f"{self._gap_text()}:"]
        told += [f"  {trouble.count:,} × {_reason_text(trouble)}" for trouble in self.troubles[:_MOST_REASONS]]
        rest = self.troubles[_MOST_REASONS:]
        if rest:
            told.append(f"  {sum(trouble.count for trouble in rest):,} for {_counted(len(rest), 'other reason')}")
        return told

    def _troubles_html(self) -> str:
        first, *lines = self._trouble_lines() or [""]
        if not first:
            return ""
        items = "".join(f"<li>{escaped(line.strip())}</li>" for line in lines)
        return f'<div class="unexplained">{escaped(first)}<ul>{items}</ul></div>'


def _names(by: str | Sequence[str]) -> tuple[str, ...]:
    return (by,) if isinstance(by, str) else tuple(by)


def _material(result: Any) -> tuple[list[Mapping[str, Any]], Material]:
    """Tell what was given: mappings, or a frame; and the mappings themselves where there are any."""
    if isinstance(result, Mapping):
        return _mappings([result])
    if isinstance(result, str | bytes):
        raise TypeError(f"result={result!r}: must be results, totals or a result frame")
    if isinstance(result, list | tuple):
        return _mappings(result)
    frame = as_frame(result)
    if frame is not None:
        return [], FrameResults(frame)
    if getattr(result, "ndim", None) == 1 and hasattr(result, "to_dict"):  # a row of a pandas frame
        return _mappings([result.to_dict()])
    if isinstance(result, Iterable):
        return _mappings(list(result))
    raise TypeError(f"result is of type {type(result).__name__}: must be results, totals or a result frame")


def _mappings(rows: Sequence[Any]) -> tuple[list[Mapping[str, Any]], Material]:
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f"results[{place}] is of type {type(row).__name__}: must be a result or a total")
    kinds = {"per_leg" in row for row in rows}
    if len(kinds) > 1:
        raise TypeError("results and totals are mixed: show the one or the other")
    return list(rows), Results(rows) if kinds != {False} else Totals(rows)


def _title(alone: Mapping[str, Any] | None) -> str:
    if alone is None or not ("trade" in alone or "symbol" in alone):
        return "What made the P&L"
    if "per_leg" not in alone or alone["trade"] is not None or not isinstance(alone["symbol"], str):
        return name_of(alone)
    return symbol_words(alone["symbol"])


def _subtitle(alone: Mapping[str, Any] | None, material: Material) -> str:
    """Over which window, and what was summed."""
    if alone is not None:
        session = str(alone["session"]) if alone.get("session") is not None else ""
        method = f"method {alone['method']}" if "method" in alone else ""
        return " · ".join(part for part in (session, window_text(alone), method) if part)
    told = [] if material.trades is None else [_counted(material.trades, "trade")]
    if material.trades != material.count:
        told.append(_counted(material.count, material.noun))
    if material.days is not None:
        first, last = material.days
        told.append(str(first) if first == last else f"{first} → {last}")
    return " · ".join(told)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _reason_text(trouble: Trouble) -> str:
    told = trouble.reason or (Status(trouble.status).advice if trouble.status in set(Status) else "")
    return f"{trouble.status}: {told}" if trouble.status and told else trouble.status or told or UNKNOWN


def _panel_text(group: Group, width: int) -> Text:
    from rich.text import Text

    if group.explained:
        return waterfall(_drawable(group, ()), width=width, title=group.name)
    return Text(f"{group.name}: not explained; P&L {amount(group.amounts['pnl'])}", style="yellow")


def _drawable(group: Group, troubles: Sequence[Trouble]) -> dict[str, Any]:
    """A group as the text waterfall takes it: with a status, and why it is not explained."""
    first = next((trouble for trouble in troubles if trouble.status in set(Status)), None)
    if group.explained or first is None:
        return {**group.amounts, "status": str(Status.OK if group.explained else Status.MISSING_PRICE)}
    others = f" (and {_counted(len(troubles) - 1, 'other reason')})" if len(troubles) > 1 else ""
    return {**group.amounts, "status": first.status, "reason": first.reason + others}
