"""The documented file layouts, made of the log: every documented file exists, and none of them is the truth.

The same fills give the same bytes, so that an export can be thrown away and made again, and two can be compared.

============  ==================================================================================================
``LOCAL``     ``ledger.jsonl``, a line per fill, and ``index.json``: order and fill id → ledger id
``DATED``     ``trade_ledger/YYYY/MM/DD/{account}.jsonl`` and ``trade_ledger_index/YYYY/MM/DD/{account}.json``,
              by the UTC date of the fill
``RUNS``      ``trade-ledgers/YYYY/MM/DD/HHMMSS-{ledger_id}-{correlation_id}.json``: a file per run, with its totals,
              named after its first fill
============  ==================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import quote

from attribution.ledger.canonical import canonical_json, digest
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.view import TradeLedger, TradeLedgerEntry

__all__ = ["Layout", "Target", "documented_files", "write_files"]

_ID_LENGTH = 32
"""Characters of an id that is derived."""

_NO_RUN = "none"
"""Stands for the correlation id in the name of the file of fills that belong to no run."""


class Layout(StrEnum):
    """Which documented layout."""

    LOCAL = "local"
    DATED = "dated"
    RUNS = "runs"


class Target(Protocol):
    """Where files are written: ``FolderObjects`` and ``S3Objects`` are such places."""

    def get(self, name: str) -> bytes | None:
        """Return a file's content; None if there is none."""
        ...

    def replace(self, name: str, content: bytes) -> None:
        """Write a file in one step, over an older one if there is one."""
        ...


def documented_files(fills: Iterable[TradeLedgerEntry], layout: Layout) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a layout, name and content, in the order of their names.

    Parameters
    ----------
    fills
        In the order of the log; corrections are already applied to them.

    Raises
    ------
    InvalidRecordError
        Two fills have the same order and fill id (of different accounts or venues, say): in the documented index one
        would hide the other. Export them apart.
    """
    return _MAKERS[Layout(layout)](fills)


def write_files(files: Iterable[tuple[str, bytes]], target: Target) -> list[str]:
    """Write those files that are not there as they should be, each in one step; return their names."""
    written = []
    for name, content in files:
        if target.get(name) != content:
            target.replace(name, content)
            written.append(name)
    return written


def _local(fills: Iterable[TradeLedgerEntry]) -> Iterator[tuple[str, bytes]]:
    fills = list(fills)
    yield "index.json", _document(_index(fills))
    yield "ledger.jsonl", _lines(fills)


def _dated(fills: Iterable[TradeLedgerEntry]) -> Iterator[tuple[str, bytes]]:
    days = _grouped(fills, lambda fill: f"{fill.timestamp:%Y/%m/%d}/{_safe(fill.account_id)}")
    for name, of_day in sorted(days.items()):
        yield f"trade_ledger/{name}.jsonl", _lines(of_day)
    for name, of_day in sorted(days.items()):
        yield f"trade_ledger_index/{name}.json", _document(_index(of_day))


def _runs(fills: Iterable[TradeLedgerEntry]) -> Iterator[tuple[str, bytes]]:
    runs = _grouped(fills, lambda fill: (fill.account_id, fill.ledger_id, fill.correlation_id))
    files = []
    for (account_id, ledger_id, correlation_id), of_run in runs.items():
        ledger_id = ledger_id or digest([account_id, correlation_id])[:_ID_LENGTH]
        start = min(of_run, key=lambda fill: fill.ts).timestamp
        name = f"{start:%Y/%m/%d/%H%M%S}-{_safe(ledger_id)}-{_safe(correlation_id or _NO_RUN)}"
        ledger = TradeLedger(ledger_id, start, tuple(of_run))
        head = {"account_id": account_id, "correlation_id": correlation_id}
        files.append((f"trade-ledgers/{name}.json", _document(head | ledger.to_dict())))
    yield from sorted(files)


_MAKERS: Mapping[Layout, Callable[[Iterable[TradeLedgerEntry]], Iterator[tuple[str, bytes]]]] = {
    Layout.LOCAL: _local,
    Layout.DATED: _dated,
    Layout.RUNS: _runs,
}


def _grouped(fills: Iterable[TradeLedgerEntry], key: Callable[[TradeLedgerEntry], Any]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[TradeLedgerEntry]] = {}
    for fill in fills:
        groups.setdefault(key(fill), []).append(fill)
    return groups


def _index(fills: Iterable[TradeLedgerEntry]) -> dict[str, str]:
    index: dict[str, str] = {}
    for fill in fills:
        name = f"{fill.order_id}||{fill.fill_id or ''}"
        if name in index:
            raise InvalidRecordError("fill_id", name, "one fill per order and fill id in an export: export them apart")
        index[name] = _ledger_id(fill)
    return index


def _lines(fills: Iterable[TradeLedgerEntry]) -> bytes:
    return "".join(f"{canonical_json(_line(fill))}\n" for fill in fills).encode()


def _line(fill: TradeLedgerEntry) -> dict[str, Any]:
    """All that is known of a fill, under both documented sets of names."""
    return fill.to_dict() | {
        "ledger_id": _ledger_id(fill),
        "strategy_name": fill.strategy_name,
        "side": fill.side,
        "quantity": fill.quantity,
        "price": fill.price,
        "timestamp": fill.timestamp.isoformat(),
    }


def _document(value: Mapping[str, Any]) -> bytes:
    return f"{canonical_json(value)}\n".encode()


def _ledger_id(fill: TradeLedgerEntry) -> str:
    """The fill's own id, or one that is always the same for the same fill."""
    return fill.ledger_id or digest([fill.account_id, fill.key])[:_ID_LENGTH]


def _safe(name: str) -> str:
    """A name as part of a path: what a path cannot hold is escaped."""
    escaped = quote(name, safe=" @+=,")
    return escaped.replace(".", "%2E") if set(escaped) == {"."} else escaped
