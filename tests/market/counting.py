"""A broker with minute bars that counts its calls, and a clock that moves when told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from attribution.calendars import get_calendar
from attribution.errors import BrokerError
from attribution.market.bars import MINUTE, prices_from_bars
from attribution.market.quotes import (
    Answer,
    Bar,
    Bars,
    BarsOf,
    CloseOf,
    FillOf,
    Missing,
    Price,
    PriceAt,
    PriceKind,
    QuoteOf,
)
from attribution.symbols import format_symbol, parse_symbol

KOLKATA = ZoneInfo("Asia/Kolkata")
NIFTY = parse_symbol("NIFTY_IND___")
BANKNIFTY = parse_symbol("BANKNIFTY_IND___")
TCS = parse_symbol("TCS_STK___")
CALL = parse_symbol("NIFTY_OPT_20250130_CALL_23500")
FRIDAY, SUNDAY, MONDAY = date(2025, 1, 24), date(2025, 1, 26), date(2025, 1, 27)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KOLKATA)


class Time:
    """Both clocks of a cache: they stand still until they are moved."""

    def __init__(self, text: str = "2025-01-28 12:00") -> None:
        self.now = at(text)
        self.ticks = 1000.0

    def wall(self) -> datetime:
        return self.now

    def clock(self) -> float:
        return self.ticks

    def pass_by(self, seconds: float) -> None:
        self.ticks += seconds
        self.now += timedelta(seconds=seconds)


def bars_until(session: date, wall: datetime, start: float = 100.0) -> Bars | Missing:
    """A bar a minute, close = start + minutes; the one in progress has its own open as its close."""
    hours = get_calendar("NSE").session_on(session)
    if hours is None or wall < hours.open:
        return Missing(f"no bars on {session}")
    bars, minute = [], hours.open
    while minute < min(wall, hours.close) or minute == hours.open:
        number = (minute - hours.open) // MINUTE
        over = minute + MINUTE <= wall
        close = start + number + 0.5 if over else start + number
        bars.append(Bar(minute, start + number, start + number + 1, start + number - 1, close, 10.0))
        minute += MINUTE
    return Bars(tuple(bars), "counting", wall >= hours.close)


Script = Callable[[Any], Any]


class CountingBroker:
    """Answers everything by rule; ``scripted`` overrules it by question, with an answer or with what to raise."""

    name = "counting"

    def __init__(self, time: Time | None = None, *, fails: BaseException | None = None) -> None:
        self.time = time or Time()
        self.fails = fails
        self.scripted: dict[Any, Any] = {}
        self.calls: list[tuple[str, list[Any]]] = []
        self.pause: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    def sent(self, method: str) -> list[Any]:
        """Every question that came, in order."""
        return [question for name, questions in self.calls if name == method for question in questions]

    def prices_at(self, wanted: Sequence[PriceAt]) -> Sequence[Answer]:
        return self._answer("prices_at", wanted, lambda ask: Price(float(ask.at.hour), self.name, PriceKind.GIVEN))

    def closes(self, wanted: Sequence[CloseOf]) -> Sequence[Answer]:
        return self._answer("closes", wanted, lambda ask: Price(float(ask.session.day), self.name, PriceKind.CLOSE))

    def quotes(self, wanted: Sequence[QuoteOf]) -> Sequence[Answer]:
        # The number of the call: another fetch is another price.
        return self._answer("quotes", wanted, lambda ask: Price(float(len(self.calls)), self.name, PriceKind.MARK))

    def fills(self, wanted: Sequence[FillOf]) -> Sequence[Answer]:
        return self._answer("fills", wanted, lambda ask: Price(float(len(self.calls)), self.name, PriceKind.FILL))

    def _answer(self, method: str, wanted: Sequence[Any], rule: Script) -> list[Any]:
        with self._lock:
            self.calls.append((method, list(wanted)))
        self.pause()
        if self.fails is not None:
            raise self.fails
        answers = []
        for ask in wanted:
            answer = self.scripted.get(ask)
            if isinstance(answer, BaseException):
                raise answer
            answers.append(rule(ask) if answer is None else answer)
        return answers


class CountingBarBroker(CountingBroker):
    """The same with bars; instants are priced from them."""

    def prices_at(self, wanted: Sequence[PriceAt]) -> Sequence[Answer]:
        return prices_from_bars(wanted, self.minute_bars)

    def minute_bars(self, wanted: Sequence[BarsOf]) -> Sequence[Bars | Missing]:
        now = self.time.now
        start = {"NIFTY_IND___": 23000.0}
        return self._answer(
            "minute_bars",
            wanted,
            lambda ask: bars_until(ask.session, now, start.get(format_symbol(ask.instrument), 100.0)),
        )


def outage(text: str = "connection refused") -> BrokerError:
    return BrokerError(text)


def values(answers: Sequence[Any]) -> list[float | None]:
    return [answer.value if isinstance(answer, Price) else None for answer in answers]


def run_together(jobs: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Run each job in a thread of its own; what it returns, or raises, by its name."""
    found: dict[str, Any] = {}

    def work(name: str, job: Callable[[], Any]) -> None:
        try:
            found[name] = job()
        except Exception as exc:  # noqa: BLE001 - handed to the test
            found[name] = exc

    threads = [threading.Thread(target=work, args=item, daemon=True) for item in jobs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10.0)
        assert not thread.is_alive(), "deadlock"
    return found
