"""A folder of the user's choice with the bars and closes of sessions that are over."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime
from itertools import count
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from attribution.errors import SymbolError
from attribution.instruments import Instrument
from attribution.market.bars import prices_from_bars
from attribution.market.history.files import (
    SCHEMA,
    CorruptError,
    arrow,
    bars_from_bytes,
    bars_to_bytes,
    close_from_bytes,
    close_to_bytes,
    remove_litter,
    write_whole,
)
from attribution.market.history.names import file_name
from attribution.market.quotes import Answer, Bars, BarsOf, CloseOf, Missing, Price, PriceAt, PriceKind, Why
from attribution.symbols import format_symbol

__all__ = ["OFFICIAL", "HistoryFolder"]

Kind: TypeAlias = Literal["bars", "close"]
Stored = TypeVar("Stored", Bars, Price)

OFFICIAL = frozenset({PriceKind.CLOSE, PriceKind.SETTLEMENT})
"""The closes worth keeping; a last price or a mark in the place of one is a stopgap."""


_STALE = 86400.0
"""After so long whoever was writing a file is not writing it any more. [s]"""


class HistoryFolder:
    """Bars and closes on disk, one Parquet file per symbol and session: a source of prices, closes and bars.

    ::

        v1/NSE/NIFTY_IND___/20250127.bars.parquet
        v1/NSE/NIFTY_IND___/20250127.close.parquet

    Several processes may read and write at once: a file is whole or not there. A file that cannot be read for what
    its name says is set aside as ``….corrupt``, and its question answered with a ``Missing`` that says so; nothing is
    deleted but what writers that died left half-written a day ago or more. Prices keep the source that stated them.

    Raises
    ------
    ImportError
        pyarrow is not installed; the message says which extra brings it.
    """

    def __init__(self, path: str | os.PathLike[str], *, name: str = "history") -> None:
        arrow()
        self.path = Path(path)
        self.name = name
        self._tidied: set[Path] = set()

    def __repr__(self) -> str:
        return f"HistoryFolder({str(self.path)!r})"

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        """Prices at instants, from the stored bars of their sessions."""
        return prices_from_bars(wanted, self.minute_bars)

    def minute_bars(self, wanted: Sequence[BarsOf]) -> list[Bars | Missing]:
        """Stored sessions of bars."""
        return [self._read(ask.instrument, ask.session, "bars", bars_from_bytes) for ask in wanted]

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """Stored closes."""
        return [self._read(ask.instrument, ask.session, "close", close_from_bytes) for ask in wanted]

    def store_bars(self, question: BarsOf, bars: Bars, *, written_at: datetime | None = None) -> Path:
        """Store a whole session of bars; return its file.

        ``written_at`` is noted in the file if it is given; without it the same bars make the same bytes.

        Raises
        ------
        ValueError
            The bars are not complete.
        SymbolError
            No symbol can name the instrument.
        """
        if not bars.complete:
            raise ValueError(f"bars of {format_symbol(question.instrument)} on {question.session}: not complete")
        facts = _facts(question.instrument, question.session, "bars")
        path = self._path(question.instrument, question.session, "bars")
        self._write(path, bars_to_bytes(bars, facts | _noted(written_at)))
        return path

    def store_close(self, question: CloseOf, price: Price, *, written_at: datetime | None = None) -> Path:
        """Store a session's official close; return its file. As :meth:`store_bars`.

        Raises
        ------
        ValueError
            The price is neither a close nor a settlement price.
        SymbolError
            No symbol can name the instrument.
        """
        if price.kind not in OFFICIAL:
            raise ValueError(f"close of {format_symbol(question.instrument)} on {question.session}: kind {price.kind}")
        facts = _facts(question.instrument, question.session, "close")
        path = self._path(question.instrument, question.session, "close")
        self._write(path, close_to_bytes(price, facts | _noted(written_at)))
        return path

    def _write(self, path: Path, raw: bytes) -> None:
        """Write a file, and tidy its folder where this is the first one written there."""
        write_whole(path, raw)
        if path.parent not in self._tidied:
            self._tidied.add(path.parent)
            # Another process may have set the file aside by now: then its folder is tidied another time.
            with suppress(FileNotFoundError):
                remove_litter(path.parent, before=path.stat().st_mtime - _STALE)

    def _path(self, instrument: Instrument, session: date, kind: Kind) -> Path:
        symbol, exchange = file_name(format_symbol(instrument)), file_name(instrument.exchange)
        return self.path / f"v{SCHEMA}" / exchange / symbol / f"{session:%Y%m%d}.{kind}.parquet"

    def _read(
        self, instrument: Instrument, session: date, kind: Kind, read: Callable[[bytes, dict[str, str]], Stored]
    ) -> Stored | Missing:
        try:
            path = self._path(instrument, session, kind)
        except SymbolError as exc:
            return Missing(str(exc))
        try:
            with path.open("rb") as file:
                opened, raw = os.fstat(file.fileno()), file.read()
        except FileNotFoundError:
            return Missing(f"no {kind} of {format_symbol(instrument)} on {session} in {self.path}")
        except OSError as exc:
            return Missing(f"failed: {path} cannot be read: {exc}", Why.FAILED)
        try:
            return read(raw, _facts(instrument, session, kind))
        except CorruptError as exc:
            return Missing(f"{path}: {exc}; {_set_aside(path, opened)}")


def _facts(instrument: Instrument, session: date, kind: Kind) -> dict[str, str]:
    return {
        "schema": SCHEMA,
        "kind": kind,
        "symbol": format_symbol(instrument),
        "exchange": instrument.exchange,
        "session": session.isoformat(),
    }


def _noted(written_at: datetime | None) -> dict[str, str]:
    return {} if written_at is None else {"written_at": written_at.isoformat()}


def _set_aside(path: Path, opened: os.stat_result) -> str:
    """Move a corrupt file out of the way, under a name that is free; tell what was done."""
    try:
        if not os.path.samestat(path.stat(), opened):
            return "meanwhile it was replaced"
        for number in count(1):
            aside = path.with_name(f"{path.name}.corrupt{'' if number == 1 else number}")
            if not aside.exists():
                path.rename(aside)
                return f"set aside as {aside.name}"
    except FileNotFoundError:
        return "meanwhile it was set aside"
    except OSError as exc:
        return f"it could not be set aside: {exc}"
    raise AssertionError("unreachable: some name is free")
