"""The brokers of a run joined to one: fills from Redis first, history on disk, recording, and a cache around all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution.app.files import check_output
from attribution.app.sheet import InputError
from attribution.app.vendors import REPLAY, open_broker, open_redis, refuse_unset

if TYPE_CHECKING:
    from attribution.market.cache import CachedBroker
    from attribution.market.source import Broker

__all__ = ["Asked", "check_recording", "open_sources"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is to be asked for prices, as the command line says it."""

    brokers: tuple[str, ...] = ()
    redis: str | None = None
    history: Path | None = None
    record: Path | None = None

    def check(self, *, prices: bool) -> None:
        """Raise InputError where nobody could know a price, or there is nothing to record."""
        knows_prices = bool(self.brokers) or self.history is not None
        if not prices and not knows_prices:
            also = ", which knows fills alone" if self.redis is not None else ""
            raise InputError(f"no source of prices{also}: give --prices PRICES.csv, --broker or --history")
        if self.record is not None and self.redis is None and not knows_prices:
            raise InputError("--record: there is nothing to record without --broker, --redis or --history")


def check_recording(output: Path | None, asked: Asked) -> None:
    """Refuse to write results over a file that is to be replayed."""
    for text in asked.brokers:
        name, _, folder = text.partition(":")
        if output is None or name != REPLAY or not output.resolve().is_relative_to(Path(folder).resolve()):
            continue
        from brokers.replay.folder import scan

        found = scan(Path(folder))
        lists = [*found.quotes.values(), *found.exchange.values(), found.closes, found.fills, found.answers]
        read = [*found.bars.values(), *(path for paths in lists for path in paths)]
        check_output(output, {f"{path}, a recording": path for path in read})


@contextmanager
def open_sources(asked: Asked, environ: Mapping[str, str]) -> Iterator[CachedBroker | None]:
    """Join what was asked for to one broker, and close its connections afterwards; None: nothing was asked for.

    Fills are asked of Redis first; everything of the folder of history, then of the brokers in their order. What the
    folder and they answer is recorded, and nothing is asked twice.

    Raises
    ------
    InputError
        Something of it cannot be used; or, afterwards, the recording cannot be written.
    """
    refuse_unset(asked.brokers, environ)
    with ExitStack() as stack:
        members = [] if asked.redis is None else [open_redis(asked.redis, environ)]
        members += [open_broker(text, environ) for text in asked.brokers]
        for member in members:
            if hasattr(member, "close"):
                stack.callback(member.close)
        if asked.history is not None:
            members = _with_history(members, asked.history)
        broker = _joined(members)
        if broker is None:
            yield None
            return
        from attribution.market.cache import cached

        try:
            yield cached(_recorded(broker, asked.record))
        except OSError as exc:
            if asked.record is None:
                raise
            raise InputError(f"--record {asked.record}: cannot be written: {exc.strerror or exc}") from exc


def _joined(members: list[Any]) -> Broker | None:
    """One full broker by itself; several, or one that knows a part alone, as one that asks each in turn."""
    from attribution.market.source import Broker
    from brokers.fallback import FallbackBroker

    if len(members) == 1 and isinstance(members[0], Broker):
        return members[0]
    return FallbackBroker(*members, name="sources") if members else None


def _with_history(members: list[Any], folder: Path) -> list[Any]:
    """Put the folder before each broker, so that what any of them tells is kept; without one it stands by itself."""
    from attribution.market.history import HistoryBroker, HistoryFolder
    from attribution.market.source import Broker

    if folder.exists() and not folder.is_dir():
        raise InputError(f"--history {folder}: is no folder")
    try:
        history = HistoryFolder(folder)
    except ImportError as exc:
        raise InputError("--history needs pyarrow: pip install 'options-attribution[history]'") from exc
    if any(isinstance(member, Broker) for member in members):
        return [HistoryBroker(member, history) if isinstance(member, Broker) else member for member in members]
    if not folder.is_dir():
        raise InputError(f"--history {folder}: no such folder, and no --broker that could fill it")
    return [*members, history]


def _recorded(broker: Broker, folder: Path | None) -> Broker:
    if folder is None:
        return broker
    from brokers.recording import RecordingBroker

    return RecordingBroker(broker, folder)
