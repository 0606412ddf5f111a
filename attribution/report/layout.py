"""Tables that a terminal may be too narrow for: words are folded, then rows become blocks; numbers are never cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

__all__ = ["AmountTable"]

_GAP = 2
"""Between two columns. [characters]"""

_LEAST_WORDS = 12
"""A column of words may be folded to this width. [characters]"""


@dataclass(frozen=True, slots=True)
class _Row:
    words: tuple[str, ...]
    numbers: tuple[Text, ...]
    notes: str
    style: str


@dataclass(slots=True)
class AmountTable:
    """Columns of words, which may be folded, then columns of numbers, and at last one of notes if any row has some.

    Where not even folded words leave room for the numbers, each row is a block: what it is of, and below it one line
    for each of its numbers.
    """

    heads: Sequence[str]
    numbers: Sequence[str]
    title: str | None = None
    whole: str = ""
    """The number that the others add up to."""
    rows: list[_Row] = field(default_factory=list)

    def add(self, words: Sequence[str], numbers: Sequence[Text | str], *, notes: str = "", style: str = "") -> None:
        """Add a row; a number may be blank, and words that are left out are."""
        filled = (*words, *[""] * (len(self.heads) - len(words)))
        cells = tuple(number if isinstance(number, Text) else Text(number) for number in numbers)
        self.rows.append(_Row(filled, cells, notes, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        widths = self._widths_of_words(options.max_width)
        if widths is None:
            yield from self._blocks()
        else:
            yield self._table(widths)

    def _widths_of_words(self, most: int) -> list[int] | None:
        """The widths of the columns of words, the widest folded first; None where the numbers need all the room."""
        columns = [self._words(place) for place in range(len(self.heads))]
        notes = [["notes", *(row.notes for row in self.rows)]] if self._has_notes() else []
        words = [*columns, *notes]
        widths = [max(cell_len(line) for text in column for line in text.split("\n")) for column in words]
        least = [
            min(max((cell_len(word) for text in column for word in text.split()), default=0), _LEAST_WORDS)
            for column in words
        ]
        count = len(words) + len(self.numbers)
        room = most - sum(self._width_of_numbers(place) for place in range(len(self.numbers))) - _GAP * (count - 1)
        while sum(widths) > room:
            spare = [width if width > low else 0 for width, low in zip(widths, least, strict=True)]
            if not any(spare):
                return None
            widths[spare.index(max(spare))] -= 1
        return widths

    def _words(self, place: int) -> list[str]:
        return [self.heads[place], *(row.words[place] for row in self.rows)]

    def _width_of_numbers(self, place: int) -> int:
        return max(cell_len(self.numbers[place]), *(row.numbers[place].cell_len for row in self.rows), 0)

    def _has_notes(self) -> bool:
        return any(row.notes for row in self.rows)

    def _table(self, widths: Sequence[int]) -> Table:
        table = Table(
            title=self.title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1)
        )
        for head, width in zip(self.heads, widths, strict=False):
            table.add_column(head, justify="left", overflow="fold", width=width)
        for place, name in enumerate(self.numbers):
            style = "bold" if name == self.whole else ""
            width = self._width_of_numbers(place)
            table.add_column(name, justify="right", no_wrap=True, style=style, width=width)
        if self._has_notes():
            table.add_column("notes", justify="left", overflow="fold", width=widths[-1])
        for row in self.rows:
            table.add_row(*row.words, *row.numbers, *([row.notes] if self._has_notes() else []), style=row.style)
        return table

    def _blocks(self) -> Iterator[RenderableType]:
        if self.title:
            yield Text(self.title, style="bold")
        labels = max(map(cell_len, self.numbers), default=0)
        widest = max((self._width_of_numbers(place) for place in range(len(self.numbers))), default=0)
        for row in self.rows:
            first, *others = (text for text in row.words if text) if any(row.words) else ("",)
            yield Text(first, style="bold", overflow="fold")
            if others or row.notes:
                told = [*others, *([f"notes {row.notes}"] if row.notes else [])]
                yield Text("  ".join(told), overflow="fold")
            for name, number in zip(self.numbers, row.numbers, strict=True):
                if number.plain:
                    blanks = " " * (2 + labels - cell_len(name) + widest - number.cell_len)
                    style = "bold" if name == self.whole else row.style
                    yield Text.assemble(f"  {name}{blanks}", number, style=style, overflow="fold")
            yield Text("")
