"""Session closes from the caller's ``historical_cache``."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from attribution.calendars import get_calendar
from attribution.fields import as_number
from attribution.instruments import Equity, Future, Index, Instrument
from attribution.market.quotes import Answer, CloseOf, Missing, Price, PriceKind
from attribution.symbols import format_symbol

__all__ = ["CloseTable"]

CLOSE = PriceKind.CLOSE
_NOTHING = object()


class CloseTable:
    """Session closes from the caller's ``historical_cache`` of ``(symbol, "YYYYMMDD")`` → close.

    The dict is read where it stands, so that closes added to it later are seen; if it can be written to, it is
    filled with the closes that other sources answer.
    """

    def __init__(self, closes: Mapping[Any, Any], name: str = "historical_cache") -> None:
        self.name = name
        self._closes = closes

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """The cached close of each instrument and session."""
        return [self._close(ask) for ask in wanted]

    def remember(self, wanted: Sequence[CloseOf], answers: Sequence[Answer]) -> None:
        """Fill the caller's dict with closes it did not hold; settlement prices are not closes."""
        if not isinstance(self._closes, MutableMapping):
            return
        for ask, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Price) and answer.kind is CLOSE and answer.source != self.name:
                key = (format_symbol(ask.instrument), _text(ask.session))
                self._closes.setdefault(key, answer.value)

    def _close(self, ask: CloseOf) -> Answer:
        found = self.stated_close(*ask)
        return Missing(f"no close of {format_symbol(ask.instrument)} on {ask.session}") if found is None else found

    def stated_close(self, instrument: Instrument, session: date, symbol: str) -> Answer | None:
        """The answer of :meth:`closes` where the close is there, without a question being made."""
        day = _text(session)
        for spelling in _spellings(instrument, symbol):
            given = self._closes.get((spelling, day), _NOTHING)
            if given is not _NOTHING:
                value = as_number(f"{self.name}[{spelling!r}, {day!r}]", given)
                if value is None:
                    return Missing(f"the close of {spelling} on {session} is NaN or None")
                return Price(value, self.name, CLOSE, _end_of(instrument.exchange, session))
        return None


@lru_cache(maxsize=4096)
def _text(session: date) -> str:
    return f"{session:%Y%m%d}"


@lru_cache(maxsize=4096)
def _end_of(exchange: str, session: date) -> datetime | None:
    found = get_calendar(exchange).session_on(session)
    return None if found is None else found.close


@lru_cache(maxsize=65536)
def _spellings(instrument: Instrument, symbol: str) -> tuple[str, ...]:
    """The ways in which a close may be keyed: canonical, as the trade wrote it, and the looser ones seen."""
    text = format_symbol(instrument)
    spellings = [text]
    if symbol and symbol != text:
        spellings.append(symbol)
    if isinstance(instrument, Future):
        spellings.append(text + "_")
    if isinstance(instrument, (Equity, Index)):
        spellings.append(instrument.name)
    return tuple(spellings)
