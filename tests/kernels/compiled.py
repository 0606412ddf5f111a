"""Calls of what only compiled code can call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def from_python(helper: Any) -> Callable[..., Any]:
    """Return a function that calls a compiled helper, which has no entry of its own for Python."""

    @njit
    def call(*arguments):
        return helper(*arguments)

    return call
