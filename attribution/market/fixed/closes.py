"""Session closes from the caller's ``historical_cache``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from math import isfinite
from typing import Any

from attribution.calendars import get_calendar
from attribution.errors import CalendarError, TradeError
from attribution.fields import as_number
from attribution.instruments import Equity, Future, Index, Instrument
from attribution.market.final import SETTLING, close_is_final, utc_now
from attribution.market.quotes import Answer, CloseOf, Missing, Price, PriceKind
from attribution.symbols import format_symbol, parse_symbol

__all__ = ["AnsweredClose", "CloseTable"]

CLOSE = PriceKind.CLOSE
_NOTHING = object()


class AnsweredClose(float):
    """A close that another source answered: a float that knows its exchange.

    The key ``(symbol, "YYYYMMDD")`` does not tell it, and a caller may mean any exchange by a key of his own; what was
    put there for one exchange is no close of another.
    """

    __slots__ = ("exchange",)
    exchange: str

    def __new__(cls, value: float, exchange: str) -> AnsweredClose:
        """Make one; a float cannot be changed after it was made."""
        made = super().__new__(cls, value)
        made.exchange = exchange
        return made

    def __reduce__(self) -> tuple[type[AnsweredClose], tuple[float, str]]:
        return AnsweredClose, (float(self), self.exchange)


class CloseTable:
    """Session closes from the caller's ``historical_cache`` of ``(symbol, "YYYYMMDD")`` → close.

    The dict is read where it stands, so that closes added to it later are seen; if it can be written to, it is
    filled with the closes that other sources answer, as soon as these are final.

    A key may name the exchange too: ``(symbol, exchange, "YYYYMMDD")``, by its canonical name. Without it a key of the
    caller's holds for the symbol on any exchange, as he means it. What is filled in holds for its own: under
    ``(symbol, "YYYYMMDD")`` where the symbol alone is read as that instrument (a share on NSE, any index), else under
    the key with the exchange. NaN and None are closes that are not known, and are replaced.

    Parameters
    ----------
    closes
        The caller's dict.
    name
        How messages call it.
    settling
        How long after the end of a session a close that is answered may still change.
    wall
        The zone-aware time of day; may be replaced for tests.
    besides
        Names of other sources of the caller's own: what they hold is not filled in, or one price of a date would come
        back as if it were another source's.
    """

    def __init__(
        self,
        closes: Mapping[Any, Any],
        name: str = "historical_cache",
        *,
        settling: timedelta = SETTLING,
        wall: Callable[[], datetime] = utc_now,
        besides: Collection[str] = (),
    ) -> None:
        self.name = name
        self._own = frozenset((name, *besides))
        self._closes = closes
        self._settling, self._wall = settling, wall

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        """The cached close of each instrument and session."""
        return [self._close(ask) for ask in wanted]

    def remember(self, wanted: Sequence[CloseOf], answers: Sequence[Answer]) -> None:
        """Fill the caller's dict with final closes it did not hold; settlement prices are not closes."""
        closes = self._closes
        if not isinstance(closes, MutableMapping):
            return
        wall = self._wall()
        for ask, answer in zip(wanted, answers, strict=True):
            if not isinstance(answer, Price) or answer.kind is not CLOSE or answer.source in self._own:
                continue
            if close_is_final(ask, answer, wall, self._settling):
                exchange, key = ask.instrument.exchange, _own_key(ask.instrument, ask.session)
                before = closes.get(key)
                if _is_of(before, exchange) and as_number(self._told(key), before) is not None:
                    continue
                closes[key] = AnsweredClose(answer.value, exchange)

    def _close(self, ask: CloseOf) -> Answer:
        found = self.stated_close(*ask)
        return Missing(f"no close of {format_symbol(ask.instrument)} on {ask.session}") if found is None else found

    def stated_close(self, instrument: Instrument, session: date, symbol: str) -> Answer | None:
        """The answer of :meth:`closes` where the close is there, without a question being made."""
        day, closes = _text(session), self._closes
        nothing: Missing | None = None
        for spelling, exchange in _spellings(instrument, symbol):
            key = (spelling, day) if exchange is None else (spelling, exchange, day)
            given = closes.get(key, _NOTHING)
            if given is _NOTHING or (type(given) is not float and not _is_of(given, instrument.exchange)):
                continue
            value = given if type(given) is float and isfinite(given) else as_number(self._told(key), given)
            if value is not None:
                return Price(value, self.name, CLOSE, _end_of(instrument.exchange, session))
            nothing = nothing or Missing(f"the close of {spelling} on {session} is NaN or None")
        return nothing

    def _told(self, key: tuple[str, ...]) -> str:
        return f"{self.name}[{str(key)[1:-1]}]"


def _is_of(close: object, exchange: str) -> bool:
    """Whether a value in the dict may be a close on an exchange: those of the caller are on the one he means."""
    return not isinstance(close, AnsweredClose) or close.exchange == exchange


@lru_cache(maxsize=4096)
def _text(session: date) -> str:
    return f"{session:%Y%m%d}"


@lru_cache(maxsize=4096)
def _end_of(exchange: str, session: date) -> datetime | None:
    found = get_calendar(exchange).session_on(session)
    return None if found is None else found.close


@lru_cache(maxsize=65536)
def _reads_as(instrument: Instrument) -> bool:
    """Whether the symbol alone, without an exchange, names this instrument's exchange."""
    try:
        return parse_symbol(format_symbol(instrument)).exchange == instrument.exchange
    except (TradeError, CalendarError):
        return False


def _own_key(instrument: Instrument, session: date) -> tuple[str, ...]:
    text, day = format_symbol(instrument), _text(session)
    return (text, day) if _reads_as(instrument) else (text, instrument.exchange, day)


@lru_cache(maxsize=65536)
def _spellings(instrument: Instrument, symbol: str) -> tuple[tuple[str, str | None], ...]:
    """The ways in which a close may be keyed, each with the exchange that stands beside the symbol, if any does.

    Canonical, as the trade wrote it, and the looser ones seen. The key that is sure to mean this instrument goes first.
    """
    text = format_symbol(instrument)
    spellings = [text]
    if symbol and symbol != text:
        spellings.append(symbol)
    if isinstance(instrument, Future):
        spellings.append(text + "_")
    if isinstance(instrument, (Equity, Index)):
        spellings.append(instrument.name)
    plain = [(spelling, None) for spelling in spellings]
    named = [(spelling, instrument.exchange) for spelling in spellings]
    return (*plain, *named) if _reads_as(instrument) else (*named, *plain)
