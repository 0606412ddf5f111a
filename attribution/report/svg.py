"""A waterfall as a picture: inline SVG made of text alone, readable on light and dark pages, by eye and by ear."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from attribution.report.figures import LABELS, UNKNOWN, amount, parts_shown
from attribution.report.lettering import escaped, number_text, shortened, signed, text_width, wrapped
from attribution.result import EFFECTS

__all__ = ["GAIN", "LOSS", "Theme", "small_multiples_svg", "waterfall_svg"]

Theme = Literal["page", "auto", "light", "dark"]
"""Whose colours: ``page`` those of the page around it; ``auto`` a card that follows the reader's system."""

# Okabe and Ito's bluish green and vermilion: apart for every kind of colour vision, and 3 : 1 on white and on black.
GAIN, LOSS, _TOTAL = "#009e73", "#d55e00", "#5b7fa6"

_CARDS = {"light": ("#1f2328", "#ffffff", "#d8dee4"), "dark": ("#e6edf3", "#0d1117", "#30363d")}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
_LEAST_BAR = 1.5
_SIDE = 28.0
_MOST_PANELS_WIDE = 1130.0


@dataclass(frozen=True, slots=True)
class _Step:
    """One column: what it adds, and between which levels its bar stands; NaN levels where it has none."""

    label: str
    value: float
    start: float
    end: float
    total: bool = False

    @property
    def drawn(self) -> bool:
        return math.isfinite(self.start) and math.isfinite(self.end)

    @property
    def text(self) -> str:
        return number_text(self.value) if self.total else signed(self.value)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How large things are. [pixels]"""

    name: float
    value: float
    slot: float
    height: float


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where the columns of one waterfall stand, and how levels become heights."""

    left: float
    top: float
    sizes: _Sizes
    low: float
    high: float

    def y(self, level: float) -> float:
        # Divided before they are subtracted: the span of two huge levels need not be a number.
        size = max(abs(self.low), abs(self.high))
        if size == 0.0 or self.low == self.high:
            return self.top + self.sizes.height / 2
        high, low = self.high / size, self.low / size
        return self.top + self.sizes.height * (high - level / size) / (high - low)

    def x(self, place: int) -> float:
        return self.left + self.sizes.slot * place

    @property
    def half_bar(self) -> float:
        return 0.31 * self.sizes.slot


def waterfall_svg(
    effects: Mapping[str, Any],
    *,
    title: str,
    subtitle: str = "",
    note: str = "",
    causes: Mapping[str, str] | None = None,
    width: float = 720.0,
    height: float = 330.0,
    theme: Theme = "page",
) -> str:
    """Draw how the causes lead from zero to the P&L, and the fees from there to what is left.

    Parameters
    ----------
    effects
        Amounts by name: ``spot_attrib, vol_attrib, timedecay_attrib, spread_attrib``, with ``residual``, ``pnl``,
        ``fees`` and ``net_pnl`` where there are any; a result or a total of :func:`~attribution.summarise` will do, and
        what else it holds is not looked at. Without ``pnl`` the causes are summed. Fees are a cost where
        positive. NaN and None mean "not known": such a column says so and has no bar. [currency]
    title, subtitle, note
        What stands above the columns; the note is for what must be told, such as why a number is missing.
    causes
        The columns before the P&L, in order, name in ``effects`` → label; None: the four effects, and the residual
        where it is more than rounding.
    width, height
        Of the drawing; it grows where the numbers need more room, and shrinks with the page. [pixels]
    theme
        ``"page"`` (text in the colour of the page around it, for HTML), ``"auto"`` (a card of its own that
        follows the reader's light or dark setting, for a file), ``"light"`` or ``"dark"``.

    Returns
    -------
    str
        One ``<svg>`` element with a title and a description for those who listen. The same input gives the same text.

    Raises
    ------
    ValueError
        A cause is not among the effects, or an unknown theme.
    """
    _check_theme(theme)
    steps = _steps(effects, causes)
    slot = max((width - 2 * _SIDE) / len(steps), _widest(steps, 13.0) + 8.0)
    width = slot * len(steps) + 2 * _SIDE
    head, top = _heading(title, subtitle, [note, _mismatch(steps, effects)], width)
    sizes = _Sizes(13.0, 13.0, slot, max(height - top - 79.0, 60.0))
    plot = _Plot(_SIDE, top + 22.0, sizes, *_span([steps]))
    bottom = plot.top + sizes.height + 57.0
    body = [*head, *_columns(steps, plot)]
    return _document(body, width, bottom, title, _told([("Waterfall", steps)], subtitle, note), theme)


def small_multiples_svg(
    groups: Mapping[str, Mapping[str, Any]],
    *,
    title: str,
    subtitle: str = "",
    note: str = "",
    causes: Mapping[str, str] | None = None,
    columns: int | None = None,
    same_scale: bool = True,
    theme: Theme = "page",
) -> str:
    """Draw one small waterfall per group, side by side.

    Parameters
    ----------
    groups
        What stands above each → its effects, as :func:`waterfall_svg` takes them.
    title, subtitle, note, causes, theme
        As in :func:`waterfall_svg`; every group has the same columns.
    columns
        How many stand side by side; None: as many as a notebook is wide, four at most.
    same_scale
        Whether one unit is equally high in all of them, so that sizes can be compared.

    Returns
    -------
    str
        One ``<svg>`` element.

    Raises
    ------
    ValueError
        No group, a cause that is not among the effects, an unknown theme, or ``columns`` below one.
    """
    _check_theme(theme)
    if not groups:
        raise ValueError("groups={}: must hold at least one group")
    if columns is not None and columns < 1:
        raise ValueError(f"columns={columns!r}: must be 1 or more")
    causes = _common_causes(groups.values()) if causes is None else causes
    fees = any(_fees(effects) != 0.0 for effects in groups.values())
    drawn = {name: _steps(effects, causes, fees=fees) for name, effects in groups.items()}
    sizes = _Sizes(11.0, 10.5, max(46.0, *(_widest(steps, 10.5) + 6.0 for steps in drawn.values())), 130.0)
    wide, high = sizes.slot * max(map(len, drawn.values())) + 24.0, sizes.height + 102.0
    fitting = min(4, max(1, int(_MOST_PANELS_WIDE // wide)))
    across = min(columns or math.ceil(len(groups) / math.ceil(len(groups) / fitting)), len(groups))
    width = across * wide + 2 * _SIDE - 24.0
    head, top = _heading(title, subtitle, [note], width)
    common = _span(drawn.values())
    body = list(head)
    for place, (name, steps) in enumerate(drawn.items()):
        left, above = _SIDE + place % across * wide, top + 10.0 + place // across * high
        span = common if same_scale else _span([steps])
        body.append(_text(left, above + 12.0, shortened(name, wide - 32.0, 13.0), size=13.0, anchor="start", bold=True))
        body += _columns(steps, _Plot(left, above + 38.0, sizes, *span), axis=False)
    bottom = top + 10.0 + high * math.ceil(len(drawn) / across)
    return _document(body, width, bottom, title, _told(drawn.items(), subtitle, note), theme)


def _check_theme(theme: str) -> None:
    if theme not in ("page", "auto", "light", "dark"):
        raise ValueError(f"theme={theme!r}: must be 'page', 'auto', 'light' or 'dark'")


def _amount_of(effects: Mapping[str, Any], name: str, default: float = math.nan) -> float:
    value = effects.get(name, default)
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else math.nan


def _fees(effects: Mapping[str, Any]) -> float:
    """The fees; none where none are stated, and none to speak of where there is no P&L they could come off."""
    unknown = "pnl" in effects and math.isnan(_amount_of(effects, "pnl"))
    return 0.0 if unknown else _amount_of(effects, "fees", 0.0)


def _common_causes(groups: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    whole = [
        {**{name: _amount_of(effects, name) for name in EFFECTS}, "residual": _amount_of(effects, "residual", 0.0)}
        for effects in groups
    ]
    return {name: LABELS[name] for name in parts_shown(whole)}


def _steps(effects: Mapping[str, Any], causes: Mapping[str, str] | None, *, fees: bool | None = None) -> list[_Step]:
    """The columns. After an unknown cause no bar has a place to stand; the P&L still has, where it is known."""
    causes = _common_causes([effects]) if causes is None else causes
    for name in causes:
        if name not in effects:
            raise ValueError(f"effects has no {name!r}: it has {', '.join(map(repr, effects)) or 'nothing'}")
    values = {name: _amount_of(effects, name) for name in causes}
    known = math.isfinite(sum(values.values()))
    steps, level = [], 0.0 if known else math.nan
    for name, label in causes.items():
        start, level = level, level + values[name]
        steps.append(_Step(label, values[name], start, level))
    pnl = _amount_of(effects, "pnl", level)
    steps.append(_Step(LABELS["pnl"], pnl, 0.0, pnl, total=True))
    cost = _amount_of(effects, "fees", 0.0)
    if _fees(effects) != 0.0 if fees is None else fees:
        net = _amount_of(effects, "net_pnl", pnl - cost)
        steps.append(_Step("fees", 0.0 - cost, pnl, pnl - cost))
        steps.append(_Step("net", net, 0.0, net, total=True))
    return steps


def _mismatch(steps: Sequence[_Step], effects: Mapping[str, Any]) -> str:
    """What to tell where the columns do not make the P&L, by more than a residual that is not worth a column."""
    places = [i for i, step in enumerate(steps) if step.total]
    parts, pnl = [step.value for step in steps[: places[0]]], steps[places[0]].value
    gap = sum(parts) - pnl
    if abs(gap) > max(0.005, 1e-9 * sum(map(abs, parts))):
        return f"The parts differ from the P&L by {number_text(gap)}."
    return ""


def _span(drawings: Iterable[Sequence[_Step]]) -> tuple[float, float]:
    levels = [level for steps in drawings for step in steps if step.drawn for level in (step.start, step.end)]
    return min([0.0, *levels]), max([0.0, *levels])


def _widest(steps: Iterable[_Step], size: float) -> float:
    """The room that the widest number or name takes; bold ones take a little more. [pixels]"""
    return max(
        max(text_width(step.text, size), text_width(step.label, size)) * (1.1 if step.total else 1.0) for step in steps
    )


def _heading(title: str, subtitle: str, notes: Sequence[str], width: float) -> tuple[list[str], float]:
    """The lines above the columns, and where these may begin."""
    room, drawn, y = width - 2 * _SIDE, [], 14.0
    if title:
        y += 18.0
        drawn.append(_text(_SIDE, y, shortened(title, room, 16.0), size=16.0, anchor="start", bold=True))
    if subtitle:
        y += 20.0
        drawn.append(_text(_SIDE, y, shortened(subtitle, room, 12.5), size=12.5, anchor="start", faint=True))
    for line in [line for note in notes if note for line in wrapped(note, room, 12.5, most=6)]:
        y += 18.0
        drawn.append(_text(_SIDE, y, line, size=12.5, anchor="start", italic=True))
    return drawn, y + 13.0


def _columns(steps: Sequence[_Step], plot: _Plot, *, axis: bool = True) -> Iterator[str]:
    """The line of zero, the bars with what joins them, the numbers, and the names below."""
    zero, right = plot.y(0.0), plot.x(len(steps))
    yield f'<path d="M{plot.left:.1f} {zero:.1f}H{right:.1f}" stroke="currentColor" stroke-opacity=".45"/>'
    if axis:
        yield _text(plot.left - 6.0, zero + 4.0, "0", size=11.0, anchor="end", faint=True)
    for place, step in enumerate(steps):
        follower = steps[place + 1] if place + 1 < len(steps) else None
        if step.drawn and follower is not None and follower.drawn:
            yield _joint(place, step, follower, plot)
        yield f"<g><title>{escaped(_in_full(step))}</title>{_bar(place, step, plot)}{_label(place, step, plot)}</g>"
        name_y = plot.top + plot.sizes.height + 25.0 + plot.sizes.name * 1.25
        middle = plot.x(place) + plot.sizes.slot / 2
        yield _text(middle, name_y, step.label, size=plot.sizes.name, bold=step.total, faint=not step.total)


def _joint(place: int, step: _Step, follower: _Step, plot: _Plot) -> str:
    """A thin line from the end of a bar to where the next one begins; through a column that added nothing."""
    middle = plot.x(place) + plot.sizes.slot / 2
    start = middle + (-plot.half_bar if step.value == 0.0 else plot.half_bar)
    end = plot.x(place + 1) + plot.sizes.slot / 2 - plot.half_bar
    return (
        f'<path d="M{start:.1f} {plot.y(step.end):.1f}H{end:.1f}" stroke="currentColor" stroke-opacity=".5" '
        f'stroke-dasharray="2 2"/>'
    )


def _bar(place: int, step: _Step, plot: _Plot) -> str:
    if not step.drawn or step.value == 0.0:
        return ""
    top, bottom = sorted((plot.y(step.start), plot.y(step.end)))
    if bottom - top < _LEAST_BAR:  # the smallest amount still shows, on its own side
        top, bottom = (bottom - _LEAST_BAR, bottom) if step.value > 0.0 else (top, top + _LEAST_BAR)
    left = plot.x(place) + plot.sizes.slot / 2 - plot.half_bar
    colour = _TOTAL if step.total else GAIN if step.value > 0.0 else LOSS
    round_ = min(2.0, (bottom - top) / 2)
    return (
        f'<rect x="{left:.1f}" y="{top:.2f}" width="{2 * plot.half_bar:.1f}" height="{bottom - top:.2f}" '
        f'rx="{round_:.1f}" fill="{colour}"/>'
    )


def _label(place: int, step: _Step, plot: _Plot) -> str:
    """The number: above what rises, below what falls, and the other way round where the line of zero would cross it."""
    middle = plot.x(place) + plot.sizes.slot / 2
    size, zero = plot.sizes.value, plot.y(0.0)
    if not math.isfinite(step.value):
        return _text(middle, zero - 6.0, UNKNOWN, size=size, italic=True)
    ends = (plot.y(step.start), plot.y(step.end)) if step.drawn else (zero, zero)
    above = min(ends) - 6.0 - _LEAST_BAR * (step.value > 0.0)
    below = max(ends) + size + 3.0 + _LEAST_BAR * (step.value < 0.0)
    first, second = (below, above) if step.value < 0.0 else (above, below)
    crossed = first - 0.8 * size < zero < first + 2.0
    return _text(middle, second if crossed else first, step.text, size=size, bold=step.total)


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: float,
    anchor: str = "middle",
    bold: bool = False,
    italic: bool = False,
    faint: bool = False,
) -> str:
    style = (' font-weight="600"' if bold else "") + (' font-style="italic"' if italic else "")
    style += ' fill-opacity=".72"' if faint else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}"{style}>{escaped(text)}</text>'


def _in_full(step: _Step) -> str:
    """A column to the cent, as it is read aloud or shown under the pointer."""
    value = amount(step.value).replace("-", "−")
    return f"{step.label} {'+' if step.value > 0.0 and not step.total else ''}{value}"


def _told(drawings: Iterable[tuple[str, Sequence[_Step]]], subtitle: str, note: str) -> str:
    """The whole picture in words."""
    words = [f"{name}: from zero {', '.join(map(_in_full, steps))}." for name, steps in drawings]
    return " ".join(part for part in (subtitle, note, *words) if part)


def _document(body: Iterable[str], width: float, height: float, title: str, told: str, theme: Theme) -> str:
    drawn = "".join(body)
    ink, card = _card(theme, width, height)
    # Two pictures on one page must not share a name, and the same picture must always be the same text.
    name = "wf" + hashlib.blake2s((drawn + told + theme).encode("utf-8", "replace"), digest_size=6).hexdigest()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-labelledby="{name}t {name}d" font-family="{_FONT}"{ink} '
        f'fill="currentColor" style="max-width:100%;height:auto;font-variant-numeric:tabular-nums">'
        f'<title id="{name}t">{escaped(title or "P&L waterfall")}</title><desc id="{name}d">{escaped(told)}</desc>'
        f"{card}{drawn}</svg>"
    )


def _card(theme: Theme, width: float, height: float) -> tuple[str, str]:
    """The colour of the text as an attribute, and what is drawn behind everything."""
    if theme == "page":
        return "", ""
    ink, paper, edge = _CARDS["dark" if theme == "dark" else "light"]
    size = f'x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="8"'
    if theme != "auto":
        return f' color="{ink}"', f'<rect {size} fill="{paper}" stroke="{edge}"/>'
    rules = [f"svg{{color:{ink}}}.card{{fill:{paper};stroke:{edge}}}"]
    ink, paper, edge = _CARDS["dark"]
    rules.append(f"@media(prefers-color-scheme:dark){{svg{{color:{ink}}}.card{{fill:{paper};stroke:{edge}}}}}")
    return "", f'<style>{"".join(rules)}</style><rect class="card" {size}/>'
