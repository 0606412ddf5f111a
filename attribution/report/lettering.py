"""Letters in pictures and pages: how numbers are written, what must be escaped, how wide text is and how it breaks."""

from __future__ import annotations

import html
import math
import re
import textwrap
import unicodedata

from attribution.report.figures import UNKNOWN, rough_amount

__all__ = ["escaped", "number_text", "shortened", "signed", "text_width", "wrapped"]

_NARROW = frozenset(" .,:;'|!()[]ijlIft-")
_WIDE = frozenset("mwMWQ@%&—…")
_NEVER_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def signed(value: float) -> str:
    """Write what a cause added as :func:`number_text` does, with its sign. [currency]"""
    text = number_text(value)
    return f"+{text}" if 0.0 < value < math.inf and text.strip("0.,") else text


def escaped(text: object) -> str:
    """Make any text fit for HTML and XML, as content or between quotes; what XML has no place for becomes ``�``."""
    return html.escape(_NEVER_IN_XML.sub("�", str(text)))


def number_text(value: float) -> str:
    """Write an amount as briefly as it is still told: whole units where there are many. [currency]"""
    if not math.isfinite(value):
        return UNKNOWN
    size = f"{abs(value):.3e}" if abs(value) >= 1e15 else rough_amount(value)
    return f"−{size}" if value < 0.0 and size.strip("0.,") else size


def text_width(text: str, size: float) -> float:
    """How wide a line is in a common sans-serif face, rather more than less. [pixels]

    ``size``: the height of the letters [pixels].
    """
    return size * sum(map(_advance, text))


def _advance(letter: str) -> float:
    """The width of a letter over the size of its face."""
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in ("W", "F"):
        return 1.0
    if letter in _NARROW:
        return 0.36
    return 0.95 if letter in _WIDE else 0.72 if letter.isupper() else 0.6


def shortened(text: str, room: float, size: float) -> str:
    """The text on one line, with ``…`` for what has no room. [pixels]"""
    line = " ".join(text.split())
    if text_width(line, size) <= room:
        return line
    left = room - text_width("…", size)
    kept = 0
    for letter in line:
        left -= text_width(letter, size)
        if left < 0.0:
            break
        kept += 1
    return line[:kept].rstrip() + "…"


def wrapped(text: str, room: float, size: float, *, most: int) -> list[str]:
    """The text in at most ``most`` lines, the last with ``…`` where there is more. [pixels]"""
    letters = max(int(room / (0.56 * size)), 8)
    lines = textwrap.wrap(" ".join(text.split()), letters)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1]} …"]
    return [shortened(line, room, size) for line in lines]
