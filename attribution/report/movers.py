"""The biggest movers: which trades, legs, underlyings or days made the P&L, and what drove each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attribution.report.figures import LABELS, UNKNOWN, amount, parts_shown
from attribution.report.inputs import Group
from attribution.report.lettering import escaped
from attribution.report.svg import GAIN, LOSS
from attribution.result import EFFECTS
from attribution.totals import exact_sum

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["MOVERS_STYLE", "Mover", "driven_by", "movers_html", "movers_of", "movers_text"]

_LEAST_SHARE = 0.02
"""A cause smaller than this share of all of them drove nothing."""

_BESIDE = 0.5
"""A second cause is named where it is at least this share of the first."""

_DEEPEST = 0.32
"""The opacity behind the largest effect of a table: letters stay readable on it."""

MOVERS_STYLE = """
.attribution table.movers{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;
 margin:6px 0 6px 18px;color:inherit;border:0;width:auto;table-layout:auto}
.attribution table.movers tr{background:none!important}
.attribution table.movers :is(th,td){padding:4px 10px;border:0;text-align:right;white-space:nowrap;background:none;
 color:inherit;vertical-align:middle}
.attribution table.movers thead th{font-weight:600;border-bottom:1px solid rgba(128,128,128,.55)}
.attribution table.movers tbody th{font-weight:400;max-width:28em;overflow:hidden;text-overflow:ellipsis}
.attribution table.movers :is(th,td).word{text-align:left}
.attribution table.movers tr.others :is(th,td){opacity:.75}
.attribution table.movers tfoot :is(th,td){font-weight:600;border-top:1px solid rgba(128,128,128,.55)}
.attribution table.movers td.unknown{font-style:italic;opacity:.75}
.attribution table.movers td.whole{font-weight:600}
.attribution table.movers svg{display:block}
"""
"""The looks of :func:`movers_html`, inside an element of the class ``attribution``; right on light and dark pages."""


@dataclass(frozen=True, slots=True)
class Mover:
    """One line of the table: what it made, and what drove it.

    ``amounts`` holds the four effects, ``residual``, ``pnl``, ``fees`` and ``net_pnl`` [currency], NaN where unknown;
    ``count`` is the number of results in it, ``others`` the number of lines it stands for where it gathers the rest.
    """

    name: str
    amounts: Mapping[str, float]
    driver: str
    count: int
    explained: bool
    others: int = 0


def movers_of(groups: Sequence[Group]) -> list[Mover]:
    """Turn groups, in their order, into movers."""
    return [
        Mover(
            group.name,
            group.amounts,
            driven_by(group.amounts) if group.explained else "not explained",
            group.count,
            group.explained,
            group.others,
        )
        for group in groups
    ]


def driven_by(amounts: Mapping[str, float]) -> str:
    """Name the cause that made a P&L what it is.

    Parameters
    ----------
    amounts
        The four effects, ``residual`` and ``pnl``. [currency]

    Returns
    -------
    str
        ``"time"``; ``"time and vol"`` where the second cause of the same sign has half the weight of the first or more;
        ``"spot, against time"`` where one of the other sign has; ``"nothing moved"``; or ``"unknown"``.
    """
    values = {name: float(amounts[name]) for name in (*EFFECTS, "residual")}
    if not all(map(math.isfinite, values.values())):
        return UNKNOWN
    least = max(_LEAST_SHARE * exact_sum(map(abs, values.values())), 0.005)
    moved = sorted((name for name in values if abs(values[name]) > least), key=lambda name: -abs(values[name]))
    if not moved:
        return "nothing moved"
    sign = math.copysign(1.0, amounts["pnl"] or values[moved[0]])
    with_it = [name for name in moved if values[name] * sign > 0.0] or moved[:1]
    against = [name for name in moved if name not in with_it]
    enough = _BESIDE * abs(values[with_it[0]])
    told = " and ".join(LABELS[name] for name in with_it[:2] if abs(values[name]) >= enough)
    return f"{told}, against {LABELS[against[0]]}" if against and abs(values[against[0]]) >= enough else told


def movers_text(movers: Sequence[Mover], head: str) -> RenderableType:
    """Write the table for a terminal, with its sum and the check of it; ``head`` names the first column."""
    from attribution.report.tables import groups_table

    rows = [
        {head: mover.name, "driven by": mover.driver, **mover.amounts, "count": mover.count, "missing": 0}
        for mover in movers
    ]
    return groups_table(rows, [head, "driven by"], counts=any(mover.count > 1 for mover in movers))


def movers_html(movers: Sequence[Mover], head: str) -> str:
    """Write the table as HTML, the stronger an effect the deeper its ground; ``head`` names the first column."""
    known = [mover.amounts for mover in movers if mover.explained]
    parts = parts_shown([mover.amounts for mover in movers])
    counts = any(mover.count > 1 for mover in movers)
    deepest = max((abs(row[name]) for row in known for name in parts), default=0.0)
    longest = max((abs(mover.amounts["pnl"]) for mover in movers if math.isfinite(mover.amounts["pnl"])), default=0.0)
    heads = [escaped(LABELS[name]) for name in (*parts, "pnl")]
    titles = [f'<th class="word" scope="col">{escaped(head)}</th>', *(f'<th scope="col">{name}</th>' for name in heads)]
    titles += ["<th></th>", '<th class="word" scope="col">driven by</th>']
    titles += ['<th scope="col">count</th>'] if counts else []
    body = "".join(_line(mover, parts, deepest, longest, counts=counts) for mover in movers)
    return (
        f'<table class="movers"><thead><tr>{"".join(titles)}</tr></thead><tbody>{body}</tbody>'
        f"<tfoot>{_sums(movers, parts, counts=counts)}</tfoot></table>"
    )


def _line(mover: Mover, parts: Sequence[str], deepest: float, longest: float, *, counts: bool) -> str:
    name = escaped(mover.name)
    cells = [f'<th class="word" scope="row" title="{name}">{name}</th>']
    cells += [_effect_cell(mover.amounts[part], deepest if mover.explained else 0.0) for part in parts]
    pnl = mover.amounts["pnl"]
    cells += [_cell(pnl, "whole"), f"<td>{_bar(pnl, longest)}</td>", f'<td class="word">{escaped(mover.driver)}</td>']
    cells += [f"<td>{mover.count:,}</td>"] if counts else []
    return f"<tr{_others_class(mover)}>{''.join(cells)}</tr>"


def _others_class(mover: Mover) -> str:
    return ' class="others"' if mover.others else ""


def _effect_cell(value: float, deepest: float) -> str:
    """A number on a ground of its sign's colour."""
    share = abs(value) / deepest if deepest and math.isfinite(value) else 0.0
    if share < 0.005:
        return _cell(value)
    red, green, blue = (int((GAIN if value > 0.0 else LOSS)[i : i + 2], 16) for i in (1, 3, 5))
    return _cell(value, style=f"background:rgba({red},{green},{blue},{_DEEPEST * share:.3f})")


def _cell(value: float, kind: str = "", style: str = "") -> str:
    kind = kind if math.isfinite(value) else f"{kind} unknown".strip()
    told = (f' class="{kind}"' if kind else "") + (f' style="{style}"' if style else "")
    return f"<td{told}>{_amount(value)}</td>"


def _amount(value: float) -> str:
    return amount(value).replace("-", "−")


def _bar(value: float, longest: float) -> str:
    """A bar to the right of the middle for a gain, to the left for a loss."""
    if not math.isfinite(value) or not longest:
        return ""
    length = max(40.0 * abs(value) / longest, 1.0 if value else 0.0)
    left, colour = (41.0, GAIN) if value > 0.0 else (41.0 - length, LOSS)
    return (
        '<svg viewBox="0 0 82 12" width="82" height="12" aria-hidden="true">'
        f'<rect x="{left:.1f}" y="1" width="{length:.1f}" height="10" rx="1" fill="{colour}"/>'
        '<path d="M41 0V12" stroke="currentColor" stroke-opacity=".5"/></svg>'
    )


def _sums(movers: Sequence[Mover], parts: Sequence[str], *, counts: bool) -> str:
    """The sum of what is explained, and beside it of what is not: they are never mixed."""
    lines = []
    for explained, label in ((True, "Σ"), (False, "Σ not explained")):
        group = [mover for mover in movers if mover.explained is explained]
        if group:
            lines.append(_sum_line(label, group, parts, counts=counts))
    return "".join(lines)


def _sum_line(label: str, movers: Sequence[Mover], parts: Sequence[str], *, counts: bool) -> str:
    total: dict[str, Any] = {
        name: exact_sum(mover.amounts[name] for mover in movers) for name in (*EFFECTS, "residual", "pnl")
    }
    cells = [f'<th class="word" scope="row">{label}</th>', *(_cell(total[name]) for name in (*parts, "pnl"))]
    driver = driven_by(total) if movers[0].explained else ""
    cells += ["<td></td>", f'<td class="word">{driver}</td>']
    cells += [f"<td>{sum(mover.count for mover in movers):,}</td>"] if counts else []
    return f"<tr>{''.join(cells)}</tr>"
