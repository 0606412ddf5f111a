"""Recorded answers: what a broker said, line by line, to be said again word for word.

A line of ``answers/*.jsonl`` is one JSON object: ``asked`` (the method), the fields of the question, and ``answer``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from attribution.calendars import get_calendar, to_epoch_us
from attribution.errors import CalendarError
from attribution.market.quotes import BarsOf, CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf, Why
from brokers.replay.files import FileError, key_of

__all__ = ["Question", "Recorded", "read_answers", "recorded_key"]

Question: TypeAlias = PriceAt | CloseOf | QuoteOf | FillOf | BarsOf

Recorded: TypeAlias = dict[tuple[object, ...], Price | Missing | str]
"""By question a price, an absence, or (of 1-minute bars, which have files of their own) who had stated them."""


def recorded_key(ask: Question) -> tuple[object, ...]:
    """Return what makes a question the same as a recorded one; how a trade wrote its symbol does not count."""
    key = key_of(ask.instrument)
    if isinstance(ask, CloseOf):
        return ("closes", *key, ask.session.isoformat())
    if isinstance(ask, BarsOf):
        return ("minute_bars", *key, ask.session.isoformat())
    if isinstance(ask, FillOf):
        return ("fills", *key, to_epoch_us(ask.at), ask.side, ask.keys)
    if isinstance(ask, QuoteOf):
        return ("quotes", *key, to_epoch_us(ask.now))
    return ("prices_at", *key, to_epoch_us(ask.at))


def read_answers(paths: Iterable[Path]) -> Recorded:
    """Read recordings in their order: of a question that was asked twice the later answer counts.

    But an outage takes nothing away that was told before it, as it took nothing from whoever was recorded, whose cache
    had kept it. Nor does an absence take away the bars that were told before.

    Raises
    ------
    FileError
        A line is no JSON object, or lacks a field.
    """
    found: Recorded = {}
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as exc:
            raise FileError(path, f"cannot be read: {exc}") from exc
        for number, line in enumerate(lines, start=1):
            try:
                key, answer = _read(json.loads(line))
            except (ValueError, KeyError, TypeError, CalendarError) as exc:
                raise FileError(path, f"is no recorded answer ({type(exc).__name__}: {exc})", number) from exc
            if not _takes_nothing_away(answer, found.get(key)):
                found[key] = answer
    return found


def _takes_nothing_away(answer: Price | Missing | str, before: Price | Missing | str | None) -> bool:
    if not isinstance(answer, Missing) or before is None:
        return False
    if isinstance(before, str):
        return True
    return answer.why is Why.FAILED and not (isinstance(before, Missing) and before.why is Why.FAILED)


def _read(line: Mapping[str, Any]) -> tuple[tuple[object, ...], Price | Missing | str]:
    asked, exchange = line["asked"], line["exchange"]
    key: tuple[object, ...] = (asked, exchange, line["symbol"])
    if asked in ("closes", "minute_bars"):
        key = (*key, line["session"])
    elif asked == "fills":
        key = (*key, to_epoch_us(_instant(line["at"], exchange)), line["side"], tuple(line["keys"]))
    else:
        key = (*key, to_epoch_us(_instant(line["at"], exchange)))
    return key, _answer(line["answer"], exchange)


def _answer(told: Mapping[str, Any], exchange: str) -> Price | Missing | str:
    if "missing" in told:
        return Missing(told["missing"], Why(told["why"]))
    if "value" not in told:
        return str(told["source"])
    time = None if told["time"] is None else _instant(told["time"], exchange)
    return Price(float(told["value"]), told["source"], PriceKind(told["kind"]), time, told["quantity"])


def _instant(text: str, exchange: str) -> datetime:
    return get_calendar(exchange).localize(text)
