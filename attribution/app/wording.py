"""What the library says of its arguments, said of the options of ``attribution batch``."""

from __future__ import annotations

import re
from ast import literal_eval
from typing import Any

__all__ = ["of_options"]

_OPTIONS = {"day": "--trade", "spot_prices": "--prices"}
"""Options that go by another name than their argument."""

_DIFFERENCE = re.compile(r"made with (\w+)=(.+?), not (.+?)(?=; choose)")
_WORDS = (
    (re.compile(r"columns=\{'([^']*)': 'your column'\}"), r"--columns \1=COLUMN"),
    (re.compile(r"columns=\{'([^']*)': '([^']*)'\}"), r"--columns \1=\2"),
    (re.compile(r"columns=\{'([^']*)': …\}"), r"--columns \1=…"),
    (re.compile(r"keep='([^']*)'"), r"--keep \1"),
    (re.compile(r"resume=False"), "--again"),
    (re.compile(r"changed='redo'"), "--redo-changed"),
    (re.compile(r"\bsource="), "IN "),
    (re.compile(r"\btarget="), "OUT "),
)


def of_options(text: str) -> str:
    """Return a message of the library in the words of somebody who gave options, not arguments."""
    text = _DIFFERENCE.sub(_told_difference, text)
    for pattern, words in _WORDS:
        text = pattern.sub(words, text)
    return text


def _told_difference(found: re.Match[str]) -> str:
    name, before, asked = found.groups()
    return f"made {_told_option(name, before)}, not {_told_option(name, asked)}"


def _told_option(name: str, text: str) -> str:
    option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
    value = _value_of(text)
    if name == "day":  # --trade says the contrary
        value = value is False
    if value is False or value in ("the default", {}, []):
        return f"without {option}"
    if value is True:
        return f"with {option}"
    if name == "spot_prices":  # all that is known of them is a digest
        return f"with such {option}"
    if isinstance(value, dict):
        value = ",".join(f"{field}={column}" for field, column in value.items())
    if isinstance(value, list):
        value = ",".join(map(str, value))
    return f"with {option} {value}"


def _value_of(text: str) -> Any:
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text
