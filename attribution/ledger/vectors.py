"""What one unit did, by cause, from each start to the mark: the engine's half of the join."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, NamedTuple

from attribution.batch import Job, explain
from attribution.calendars import ExchangeCalendar, get_calendar
from attribution.errors import AttributionError, CalendarError
from attribution.instruments import Equity, Future, Option
from attribution.ledger.contracts import Contract, contract_of
from attribution.ledger.periods import Movement, Period
from attribution.ledger.view import instant_at
from attribution.market.source import Market
from attribution.model import Model
from attribution.result import EFFECTS
from attribution.status import Status
from attribution.trade import Trade
from attribution.window import end_of_day

__all__ = ["Vector", "Vectors", "unit_vectors"]

_QUANTUM = Decimal("1e-12")
"""The grid on which a unit's effects enter. [currency per unit]"""

_ROUNDING = Context(prec=60, rounding=ROUND_HALF_EVEN)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Vector:
    """Per unit of exposure: the four causes (None: not known, for ``reason``), and the prices at both ends."""

    causes: tuple[Decimal, ...] | None
    price0: Decimal | None = None
    price1: Decimal | None = None
    reason: str = ""
    flags: tuple[str, ...] = ()
    expired: bool = False


_STILL = Vector((_ZERO,) * 4)
"""A day without a session: nothing happened."""


class _Question(NamedTuple):
    """One unit of a symbol over a session: from the close before (``ts`` None), or from a trade at a price."""

    symbol: str
    session: date
    ts: int | None = None
    start: Decimal | None = None


@dataclass(slots=True)
class Vectors:
    """The answers, and the marks that follow from them."""

    answers: Mapping[_Question, Vector]
    exchange: str | None
    marks: dict[tuple[date, str], Decimal | None] = field(default_factory=dict)
    before: dict[tuple[date, str], Decimal | None] = field(default_factory=dict)

    def carry(self, period: Period, symbol: str) -> Vector:
        """What a unit did from the last mark to this one."""
        return self.answers.get(_Question(symbol, period.session), _STILL)

    def trade(self, movement: Movement) -> Vector:
        """What a unit did from a trade's start to the mark."""
        return self.answers[_question_of(movement)]

    def mark(self, period: Period, symbol: str) -> Decimal | None:
        """The price at the end of a session."""
        return self.marks.get((period.session, symbol))

    def mark_before(self, period: Period, symbol: str) -> Decimal | None:
        """The price at its start: the mark of the session before."""
        return self.before.get((period.session, symbol))

    def is_share(self, symbol: str) -> bool:
        """Whether a symbol is a share, whose every move is spot."""
        return isinstance(contract_of(symbol, self.exchange).instrument, Equity)


def unit_vectors(
    periods: Sequence[Period], market: Market, model: Model, current_time: datetime | None, exchange: str | None
) -> Vectors:
    """Ask the engine once for everything that was held or traded."""
    questions = list(dict.fromkeys(_questions(periods, exchange)))
    jobs = [_job(question, current_time, exchange) for question in questions]
    asked = [question.symbol for question in questions]
    results = explain(jobs, asked, market, model, raise_on_missing=False)
    answers = {question: _vector(result) for question, result in zip(questions, results, strict=True)}
    vectors = Vectors(answers, exchange)
    _set_marks(vectors, periods)
    return vectors


def _questions(periods: Sequence[Period], exchange: str | None) -> Iterable[_Question]:
    """Every unit carried or traded; and where a period begins without a session, the one that left the mark."""
    marked: set[str] = set()
    for period in periods:
        for symbol in sorted(period.held):
            session = _last_session(contract_of(symbol, exchange), period.session)
            if session == period.session or symbol not in marked:
                yield _Question(symbol, session)
        marked |= period.held
        for movements in period.movements.values():
            for movement in movements:
                if movement.exposure:
                    marked.add(movement.place.symbol)
                    yield _question_of(movement)


def _question_of(movement: Movement) -> _Question:
    """From a trade's start; of other movements the mark alone is wanted, and any start will do."""
    return _Question(movement.place.symbol, movement.session, movement.ts, movement.start or Decimal(1))


def _last_session(contract: Contract, day: date) -> date:
    """The last session that moved a symbol, up to ``day``: not on a day without one, and none after its expiry."""
    if contract.exchange is None:
        return day  # the answer will say that nobody can read the symbol
    try:
        if isinstance(contract.instrument, Future | Option):
            day = min(day, contract.instrument.expires_at.date())
        return get_calendar(contract.exchange).session_on_or_before(day).date
    except CalendarError:
        return day


def _job(question: _Question, current_time: datetime | None, exchange: str | None) -> Job | AttributionError:
    """One unit, looked at from the end of the session, or from ``current_time`` if that is earlier."""
    contract = contract_of(question.symbol, exchange)
    if contract.exchange is None or contract.engine_symbol is None:
        return AttributionError(f"{question.symbol or 'cash'}: no instrument that the engine can read")
    calendar = get_calendar(contract.exchange)
    try:
        session = calendar.session_on_or_before(question.session)
        row: dict[str, Any] = {
            "symbol": contract.engine_symbol,
            "exchange": contract.exchange,
            "entry_quantity": 1.0,
            "multiplier": 1.0,
            "entry_time": _entry_time(question, calendar),
        }
        if question.start is not None:
            row["entry_price"] = float(question.start)
        trade = Trade.from_row(row)
    except AttributionError as error:
        return error
    now = end_of_day(session)
    return Job(trade, now if current_time is None else min(now, current_time.astimezone(calendar.zone)), True)


def _entry_time(question: _Question, calendar: ExchangeCalendar) -> datetime:
    """When the unit was come by: at the close before, or when it was traded, within its session's day."""
    if question.ts is None:
        return calendar.previous_session(question.session).close
    at = instant_at(question.ts).astimezone(calendar.zone)
    if at.date() == question.session:
        return at
    session = calendar.session_on(question.session)
    return session.open if session is not None else datetime.combine(question.session, time(), UTC)


def _vector(result: Mapping[str, Any]) -> Vector:
    """Read a result; its floats enter on a fixed grid."""
    leg = next(iter(result["per_leg"].values()), None)
    price0, price1 = (None, None) if leg is None else (_price(leg["price0"]), _price(leg["price1"]))
    status = Status(result["status"])
    flags = tuple(result["flags"])
    if not status.has_numbers:
        return Vector(None, price0, price1, str(result["reason"]), flags)
    causes = tuple(_quantised(result[name]) for name in EFFECTS)
    return Vector(causes, price0, price1, "", flags, status is Status.EXPIRED)


def _price(value: float) -> Decimal | None:
    return None if math.isnan(value) else Decimal(repr(value))


def _quantised(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(_QUANTUM, context=_ROUNDING) + 0


def _set_marks(vectors: Vectors, periods: Sequence[Period]) -> None:
    """The mark of every symbol at both ends of every session; each session begins where the last one ended."""
    last: dict[str, Decimal | None] = {}
    for period in periods:
        symbols = period.held | {place.symbol for place in period.movements}
        for symbol in symbols:
            carry = vectors.carry(period, symbol)
            before = last.get(symbol)
            if before is None and symbol in period.held:
                before = _first_mark(vectors, period, symbol)
            mark = carry.price1
            if mark is None and (carry is _STILL or carry.expired) and symbol in period.held:
                mark = before
            for place, movements in period.movements.items() if mark is None else ():
                if place.symbol == symbol:
                    found = (vectors.answers[_question_of(one)].price1 for one in movements if one.exposure)
                    mark = next((price for price in found if price is not None), mark)
            vectors.before[period.session, symbol] = before
            vectors.marks[period.session, symbol] = last[symbol] = mark


def _first_mark(vectors: Vectors, period: Period, symbol: str) -> Decimal | None:
    """The mark that a period begins with where none before it told one: the last session's, wherever that was."""
    session = _last_session(contract_of(symbol, vectors.exchange), period.session)
    answer = vectors.answers.get(_Question(symbol, session), _STILL)
    return answer.price0 if session == period.session else answer.price1
