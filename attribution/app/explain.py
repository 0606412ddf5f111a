"""Rows of a file explained in chunks: bad rows keep their place, long work shows how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from numba import config as numba_config
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from attribution.app.output import message
from attribution.app.reading import TradeRow
from attribution.app.sheet import InputError
from attribution.calendars import get_calendar
from attribution.daily import attribute_daily
from attribution.errors import CalendarError
from attribution.kernels import attribute_legs, on_compile
from attribution.market.fixed import PriceTable
from attribution.market.source import Broker
from attribution.model import Model
from attribution.result import failed_result
from attribution.single import calculate_attribution_for_trades

__all__ = ["Request", "Span", "explain_rows", "instant_of", "warm_up"]

CHUNK = 2000
"""Results made in one call: enough to keep the kernels busy, few enough for the progress bar to move."""

_SESSIONS = 8
"""How many sessions a trade is taken to live, where each of them is a result."""

_PATIENCE = 1.0
"""How long a person waits without being told what is going on. [seconds]"""


_COMPILING = "compiling the kernels once; this takes a few seconds, and later runs start at once…"


class Span(StrEnum):
    """What is explained of each trade."""

    SESSION = "session"
    TRADE = "trade"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class Request:
    """What to explain and how."""

    model: Model
    span: Span = Span.SESSION
    current_time: str | datetime | None = None


def instant_of(
    day: date | None, current_time: str | None, *, whole: str = "for a whole session use --day"
) -> str | datetime | None:
    """The instant to look from: the end of ``--day``, or ``--current-time``; None: each trade's exit, else now.

    ``whole`` advises somebody who gave a date alone.

    Raises
    ------
    InputError
        The text is no instant, or both are given.
    """
    if day is not None and current_time is not None:
        raise InputError("--day and --current-time both fix the instant: give one of them")
    if day is not None:
        now = datetime.now(UTC)
        # Today's session may still be running: nothing beyond now is known of it.
        return now if day >= now.date() else f"{day.isoformat()} 23:59:59.999999"
    if current_time is None:
        return None
    try:
        get_calendar("NSE").localize(current_time)
    except CalendarError as exc:
        raise InputError(f"--current-time {current_time!r}: {exc}") from exc
    if len(current_time.strip()) <= len("2025-01-06"):
        raise InputError(f"--current-time {current_time!r}: needs a time of day; {whole}")
    return current_time


def explain_rows(
    rows: Sequence[TradeRow], prices: PriceTable | None, request: Request, broker: Broker | None = None
) -> list[dict[str, Any]]:
    """Explain every row, in order; each result has its ``row`` (place) and ``line`` (in the file).

    What the prices do not hold is asked of the broker.
    """
    results: list[dict[str, Any]] = []
    with _progress(len(rows)) as advance:
        for first, chunk in _chunks(rows, CHUNK // _SESSIONS if request.span is Span.DAILY else CHUNK):
            for result in _explain_chunk(chunk, prices, broker, request):
                source = chunk[result["row"]]
                result["line"] = source.line
                result["trade"] = result["trade"] or source.label
                result["row"] += first
                results.append(result)
            advance(len(chunk))
    return results


def _chunks(rows: Sequence[TradeRow], size: int) -> Iterator[tuple[int, list[TradeRow]]]:
    source = iter(rows)
    first = 0
    while chunk := list(islice(source, size)):
        yield first, chunk
        first += len(chunk)


def _explain_chunk(
    chunk: Sequence[TradeRow], prices: PriceTable | None, broker: Broker | None, request: Request
) -> list[dict[str, Any]]:
    """Send the readable rows through the library and put the others back between them."""
    good = [place for place, item in enumerate(chunk) if item.error is None]
    found = _call([chunk[place].row for place in good], prices, broker, request)
    by_place: dict[int, list[dict[str, Any]]] = {place: [] for place in range(len(chunk))}
    for result in found:
        result["row"] = good[result["row"]]
        by_place[result["row"]].append(result)
    for place, item in enumerate(chunk):
        if item.error is not None:
            by_place[place] = [{**failed_result(item.symbol, item.error, request.model), "row": place}]
    return [result for results in by_place.values() for result in results]


def _call(
    rows: Sequence[dict[str, Any]], prices: PriceTable | None, broker: Broker | None, request: Request
) -> list[dict[str, Any]]:
    model = request.model
    options: dict[str, Any] = {
        "broker": broker,
        "spot_prices": prices,
        "current_time": request.current_time,
        "method": model.method,
        "order": model.order,
        "steps": model.steps,
        "clock": model.clock,
        "rate": model.rate,
        "dividend_yield": model.dividend_yield,
        "detail": model.detail,
        "price_tick": model.price_tick,
    }
    if request.span is Span.DAILY:
        days: list[dict[str, Any]] = attribute_daily(rows, **options)
        return days
    results = calculate_attribution_for_trades(rows, day=request.span is Span.SESSION, **options)
    return [{**result, "row": place} for place, result in enumerate(results)]


def warm_up(model: Model) -> None:
    """Run the kernels on nothing, which compiles them once, and say so if that takes long.

    Raises
    ------
    InputError
        The method, the order, the steps or the rates are not ones the kernels know; or numba may not compile.
    """
    if getattr(numba_config, "DISABLE_JIT", False):
        raise InputError("NUMBA_DISABLE_JIT is set: the kernels run compiled only; unset it")
    options: dict[str, Any] = {
        "method": model.method,
        "order": model.order,
        "steps": model.steps,
        "detail": model.detail,
        "rate": model.rate,
        "dividend_yield": model.dividend_yield,
        "price_tick": model.price_tick,
    }
    one = [100.0]
    try:
        with on_compile(lambda: message(_COMPILING)):
            attribute_legs([1.0], one, one, [2.0], [0.1], one, [2.0], [0.1], **options)
    except (ValueError, TypeError) as exc:
        raise InputError(str(exc)) from exc


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, once the work has taken a while and if somebody is looking."""
    begun = time.monotonic()
    console = Console(stderr=True)
    bar = Progress(*_bar_columns(), console=console, transient=True)
    task = bar.add_task("explaining", total=total)
    running = False

    def advance(count: int) -> None:
        nonlocal running
        bar.advance(task, count)
        late = time.monotonic() - begun > _PATIENCE
        if late and not running and not bar.finished and sys.stderr.isatty():
            bar.start()
            running = True

    try:
        yield advance
    finally:
        if running:
            bar.stop()


def _bar_columns() -> Iterable[Any]:
    return TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
