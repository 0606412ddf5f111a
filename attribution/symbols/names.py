"""Which names are indices, and on which exchange a name is at home.

An index is one because ``data/indices.csv`` says so, never because its name contains a word:
NIFTYBEES is a share. The table is read on the first question, not on import.
"""

from __future__ import annotations

import csv
import re
from functools import cache, lru_cache
from importlib.resources import files

from attribution.calendars import canonical_exchange
from attribution.errors import CalendarError, SymbolError
from attribution.instruments import Equity, Index

__all__ = ["check_exchange", "check_name", "find_equity", "find_index", "read_table"]

_NAME = re.compile(r"[A-Z0-9&.\-]+")


def read_table(file_name: str) -> list[dict[str, str]]:
    """Rows of one of the CSV files shipped beside this module; lines that start with ``#`` are remarks."""
    text = files("attribution.symbols").joinpath("data", file_name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def _fold(name: str) -> str:
    """Spelling without case and spaces: vendors write ``Nifty 50``, ``NIFTY 50`` and ``NIFTY50``."""
    return "".join(name.split()).upper()


@cache
def _indices() -> dict[str, Index]:
    """Every spelling of every known index."""
    table: dict[str, Index] = {}
    for row in read_table("indices.csv"):
        index = Index(row["name"], row["exchange"])
        for spelling in (row["name"], *row["aliases"].split("|")):
            if table.setdefault(spelling, index) is not index:
                raise RuntimeError(f"indices.csv: {spelling} is listed twice")
    return table


def find_index(name: str) -> Index | None:
    """Return the index called ``name`` (or by one of its aliases), or None if the table has no such index."""
    return _indices().get(_fold(name))


@lru_cache(maxsize=16384)
def find_equity(name: str, exchange: str) -> Equity:
    """Return the share ``name`` on ``exchange``; one object per name, so that comparing is cheap."""
    return Equity(name, exchange)


@lru_cache(maxsize=64)
def check_exchange(exchange: str) -> str:
    """Return the exchange code behind ``exchange`` or one of its aliases.

    Raises
    ------
    SymbolError
        No calendar knows the exchange, so no contract on it could expire.
    """
    try:
        return canonical_exchange(exchange)
    except CalendarError as error:
        raise SymbolError("exchange", exchange, str(error)) from error


def check_name(text: str, name: str) -> None:
    """Raise SymbolError for the symbol ``text`` unless ``name`` can be the name of a share or index."""
    if not _NAME.fullmatch(name):
        raise SymbolError(
            "symbol",
            text,
            f"the name {name!r} is not made of the characters A-Z 0-9 & - . as in M&M or BAJAJ-AUTO",
        )
