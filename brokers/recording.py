"""A broker around a broker that writes down what it hears, to be replayed: for the report of a bug, or as a test."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from attribution.errors import BrokerError, SymbolError
from attribution.market.quotes import (
    Answer,
    Bars,
    BarsOf,
    CloseOf,
    FillOf,
    Missing,
    Price,
    PriceAt,
    QuoteOf,
    Why,
)
from attribution.market.source import BarSource, Broker, delay_of
from attribution.symbols import format_symbol
from brokers.base import Health

__all__ = ["RecordingBarBroker", "RecordingBroker"]

_Question: TypeAlias = PriceAt | CloseOf | QuoteOf | FillOf | BarsOf
Asked = TypeVar("Asked", bound=_Question)
Reply = TypeVar("Reply", Price | Missing, Bars | Missing)

_NUMBERED = re.compile(r"(\d+)-")

# A vendor's error may quote the request, and the request holds the key: whatever follows such a word is left out.
_HELD = r"""
    [\w-]*(?:token|secret|passw(?:or)?d|pwd|api[-_]?key|jkey|encry\w*key|subscription[-_]?key|checksum)[\w-]*
    |\b(?:totp|pin|key)"""
_HEADER = r"[\w-]*(?:authorization|cookie|x-auth)[\w-]*"
_IS = r"""(?:\\*["'])?\s*(?:[=:]|%3D)\s*"""
_SECRETS = tuple(
    (re.compile(pattern, re.IGNORECASE | re.VERBOSE | re.DOTALL), instead)
    for pattern, instead in (
        # A password may hold an @ or a slash of its own: everything up to the last @ of the address.
        (r"""(\b[a-z][a-z0-9+.-]*://)[^\s"']*@""", r"\1***@"),
        (r"\b(bearer|basic|enctoken)\s+[\w.~+/=-]+", r"\1 ***"),
        # In quotes that are themselves inside a text, in quotes, and bare.
        (rf"""((?:{_HELD}|{_HEADER}){_IS}(\\+["']))(?:(?!\2).)+""", r"\1***"),
        (rf"""((?:{_HELD}|{_HEADER}){_IS}(["']))(?:\\.|(?!\2).)+""", r"\1***"),
        (rf"""((?:{_HEADER}){_IS})(?!\s|\\*["'])[^\r\n"'}}]+""", r"\1***"),
        (rf"""((?:{_HELD}){_IS})(?!\s|\\*["'])[^\s"'&,;}}]+""", r"\1***"),
    )
)


class RecordingBroker:
    """Passes every question on and writes the answers into a folder that ``ReplayBroker`` reads.

    Each call adds one file under ``answers/``; sessions of 1-minute bars go to ``bars/``. A file appears when it is
    complete, never before. Written are instruments, instants, order ids, prices and reasons: nothing of how the
    broker is reached. What looks like a key, token or password in a reason is blacked out, and an outage is written
    as an answer that failed. Around a broker that knows 1-minute bars it knows them too (it then is a
    :class:`RecordingBarBroker`). Safe to share between threads as far as ``inner`` is.

    Parameters
    ----------
    inner
        The broker that knows.
    folder
        Where to write; made if it is not there, added to if it is.

    Raises
    ------
    TypeError
        ``inner`` is no broker.
    """

    def __new__(cls, inner: Broker, folder: str | os.PathLike[str]) -> RecordingBroker:
        """Choose the kind that knows bars where the inner broker does."""
        return super().__new__(RecordingBarBroker if cls is RecordingBroker and isinstance(inner, BarSource) else cls)

    def __init__(self, inner: Broker, folder: str | os.PathLike[str]) -> None:
        if not isinstance(inner, Broker):
            raise TypeError(f"inner={inner!r}: a Broker is needed")
        self._inner = inner
        self._folder = Path(folder)
        self._answers = self._folder / "answers"
        self._answers.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        numbers = [int(match.group(1)) for path in self._answers.iterdir() if (match := _NUMBERED.match(path.name))]
        self._number = max(numbers, default=0)

    @property
    def name(self) -> str:
        """The name of the broker that is recorded."""
        return self._inner.name

    @property
    def asks_in_bulk(self) -> bool:
        """Whether the inner broker serves whole batches better than single questions."""
        return bool(getattr(self._inner, "asks_in_bulk", False))

    @property
    def data_delay(self) -> timedelta:
        """How late the inner broker's market data come."""
        return delay_of(self._inner)

    def __repr__(self) -> str:
        return f"RecordingBroker({self._inner!r}, {str(self._folder)!r})"

    def prices_at(self, wanted: Sequence[PriceAt]) -> Sequence[Answer]:
        """Prices at instants."""
        return self._pass_on("prices_at", wanted, self._inner.prices_at)

    def closes(self, wanted: Sequence[CloseOf]) -> Sequence[Answer]:
        """Session closes."""
        return self._pass_on("closes", wanted, self._inner.closes)

    def quotes(self, wanted: Sequence[QuoteOf]) -> Sequence[Answer]:
        """Current marks."""
        return self._pass_on("quotes", wanted, self._inner.quotes)

    def fills(self, wanted: Sequence[FillOf]) -> Sequence[Answer]:
        """Leg fills."""
        return self._pass_on("fills", wanted, self._inner.fills)

    def health(self) -> Health:
        """Ask the inner broker; one that has no such method needs nothing to be asked."""
        ask = getattr(self._inner, "health", None)
        told = Health(self.name, configured=True, reachable=True, session_valid=True) if ask is None else ask()
        if not isinstance(told, Health):
            raise TypeError(f"{self.name}.health() returned {type(told).__name__}, not Health")
        return told

    def _pass_on(
        self, asked: str, wanted: Sequence[Asked], ask: Callable[[Sequence[Asked]], Sequence[Reply]]
    ) -> Sequence[Reply]:
        try:
            replies = ask(wanted)
        except BrokerError as exc:
            self._write(asked, [(question, Missing(f"failed: {exc}", Why.FAILED)) for question in wanted])
            raise
        # Answers that do not fit the questions are somebody else's finding: nothing can be written of them.
        if len(replies) == len(wanted):
            self._write(asked, list(zip(wanted, replies, strict=True)))
        return replies

    def _write(self, asked: str, told: Sequence[tuple[_Question, Price | Missing | Bars]]) -> None:
        lines: list[str] = []
        for question, reply in told:
            try:
                symbol = format_symbol(question.instrument)
            except SymbolError:
                continue  # no symbol can name it, so no file can
            if isinstance(reply, Bars) and isinstance(question, BarsOf):
                self._write_bars(question, symbol, reply)
            lines.append(json.dumps(_question(asked, symbol, question) | {"answer": _answer(reply)}))
        if lines:
            with self._lock:
                self._number += 1
                number = self._number
            # A second recorder of the same folder may count the same: the random end keeps both files.
            name = f"{number:06}-{asked}-{uuid.uuid4().hex[:8]}.jsonl"
            _write_whole(self._answers / name, "\n".join(lines) + "\n")

    def _write_bars(self, question: BarsOf, symbol: str, found: Bars) -> None:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(("start", "open", "high", "low", "close", "volume"))
        for bar in found.bars:
            numbers = (float(value) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume))
            table.writerow((bar.start.isoformat(), *map(repr, numbers)))
        name = f"{question.session}{'' if found.complete else '.partial'}.csv"
        _write_whole(self._folder / "bars" / question.instrument.exchange / symbol / name, text.getvalue())


class RecordingBarBroker(RecordingBroker):
    """A :class:`RecordingBroker` around a broker that knows 1-minute bars."""

    def minute_bars(self, wanted: Sequence[BarsOf]) -> Sequence[Bars | Missing]:
        """Sessions of 1-minute bars."""
        if not isinstance(self._inner, BarSource):
            raise TypeError(f"inner={self._inner!r}: it knows no minute bars")
        return self._pass_on("minute_bars", wanted, self._inner.minute_bars)


def _question(asked: str, symbol: str, question: _Question) -> dict[str, Any]:
    line: dict[str, Any] = {"asked": asked, "exchange": question.instrument.exchange, "symbol": symbol}
    if isinstance(question, CloseOf | BarsOf):
        return line | {"session": question.session.isoformat()}
    if isinstance(question, FillOf):
        return line | {"at": question.at.isoformat(), "side": question.side, "keys": list(question.keys)}
    at = question.now if isinstance(question, QuoteOf) else question.at
    return line | {"at": at.isoformat()}


def _answer(reply: Price | Missing | Bars) -> dict[str, Any]:
    if isinstance(reply, Missing):
        return {"missing": _without_secrets(reply.reason), "why": reply.why.value}
    if isinstance(reply, Bars):
        return {"source": reply.source}
    time = None if reply.time is None else reply.time.isoformat()
    told = {"value": float(reply.value), "source": reply.source, "kind": reply.kind.value, "time": time}
    return told | {"quantity": None if reply.quantity is None else float(reply.quantity)}


def _without_secrets(text: str) -> str:
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def _write_whole(path: Path, text: str) -> None:
    """Write beside, then rename: who reads the folder sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
