"""A vendor's list of instruments: its codes to ours and back. The list is the authority, text grammars come second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date

from attribution.instruments import Instrument

__all__ = ["Scrip", "ScripCache", "ScripList"]


@dataclass(frozen=True, slots=True)
class Scrip:
    """One line of a vendor's list: ``code`` is what its routes ask for, ``symbol`` what it calls it.

    A code is unique within its ``segment`` only. ``display`` is a second name that some routes want.
    """

    segment: str
    code: str
    symbol: str
    instrument: Instrument
    display: str = ""


class ScripList:
    """The lines of a list, found by any of their three names. Of lines that name one instrument, the first counts."""

    def __init__(self, scrips: Iterable[Scrip]) -> None:
        self._by_instrument: dict[Instrument, Scrip] = {}
        self._by_code: dict[tuple[str, str], Scrip] = {}
        self._by_symbol: dict[tuple[str, str], Scrip] = {}
        for scrip in scrips:
            self._by_instrument.setdefault(scrip.instrument, scrip)
            self._by_code.setdefault((scrip.segment, scrip.code), scrip)
            self._by_symbol.setdefault((scrip.segment, scrip.symbol), scrip)

    def __len__(self) -> int:
        return len(self._by_code)

    def of(self, instrument: Instrument) -> Scrip | None:
        """Return the line of an instrument, whatever multiplier its row gives it."""
        plain = instrument if instrument.multiplier == 1.0 else replace(instrument, multiplier=1.0)
        return self._by_instrument.get(plain)

    def by_code(self, segment: str, code: str) -> Scrip | None:
        """Return the line of a vendor code."""
        return self._by_code.get((segment, code))

    def by_symbol(self, segment: str, symbol: str) -> Scrip | None:
        """Return the line of a vendor symbol."""
        return self._by_symbol.get((segment, symbol))


class ScripCache:
    """The lists of a vendor, each read on first use, once a day. Thread-safe; a failed reading is not remembered.

    Parameters
    ----------
    load
        Reads the list of one file of the vendor's.
    """

    def __init__(self, load: Callable[[str], ScripList]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._held: dict[str, tuple[date, ScripList]] = {}

    def get(self, file: str, today: date, *, refresh_mapping: bool = False) -> ScripList:
        """Return a list; it is read again on a new day, because contracts come and go, and on request."""
        with self._lock:
            held = self._held.get(file)
            if held is None or held[0] != today or refresh_mapping:
                held = self._held[file] = (today, self._load(file))
            return held[1]
