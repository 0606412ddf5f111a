"""Columns of repeating texts, made: codes into a list of distinct values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Texts", "texts_of"]

Codes = NDArray[np.int64]


class Texts:
    """A column of ``size`` texts, all None at first; distinct values are kept once."""

    def __init__(self, size: int, values: Sequence[str] = ()) -> None:
        self.codes: Codes = np.full(size, -1, np.int64)
        self._numbers: dict[str, int] = {}
        for value in values:
            self.code(value)

    @property
    def values(self) -> list[str]:
        """The distinct texts by code."""
        return list(self._numbers)

    def code(self, text: str | None) -> int:
        """Return the code of a text; −1 for None."""
        return -1 if text is None else self._numbers.setdefault(text, len(self._numbers))

    def sort(self) -> None:
        """Number the texts in their own order."""
        ordered = sorted(self._numbers)
        new = np.full(len(ordered) + 1, -1, np.int64)  # the last is for −1
        for number, text in enumerate(ordered):
            new[self._numbers[text]] = number
        self.codes = new[self.codes]
        self._numbers = {text: number for number, text in enumerate(ordered)}

    def codes_of(self, texts: Iterable[str | None]) -> Codes:
        """Return the codes of several texts."""
        return np.array([self.code(text) for text in texts], np.int64)


def texts_of(column: Sequence[str | None]) -> Texts:
    """Return a column made of its cells."""
    texts = Texts(0)
    texts.codes = texts.codes_of(column)
    return texts
