"""Random books of every kind of trade, good and bad, and a broker that knows a price for (nearly) everything."""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from attribution.calendars import get_calendar, get_clock, to_epoch_us
from attribution.instruments import DATED, Equity, Future, Index, Instrument
from attribution.kernels import black_price
from attribution.market.quotes import Answer, CloseOf, FillOf, Missing, Price, PriceAt, PriceKind, QuoteOf, Why
from attribution.symbols import format_symbol, underlying_of

LEVELS = {"NIFTY": 23_500.0, "BANKNIFTY": 50_000.0, "SENSEX": 78_000.0, "TCS": 4_100.0, "SPX": 5_900.0, "SPY": 590.0}
STEPS = {"NIFTY": 50.0, "BANKNIFTY": 100.0, "SENSEX": 100.0, "TCS": 20.0, "SPX": 25.0, "SPY": 5.0}
ROOTS = {"SPX": "SPXW"}
UNITED_STATES = ("SPX", "SPY")
FIRST, DAYS = date(2025, 1, 2), 40


def noise(*key: object) -> float:
    """A number in [0, 1) that hangs on the key alone."""
    return zlib.crc32(repr(key).encode()) / 2**32


class Oracle:
    """A broker who knows a smooth market; by the key alone it lacks some prices, and fails at some."""

    name = "oracle"

    def __init__(self, lacks: float = 0.02, fails: float = 0.005, daily: float = 0.01) -> None:
        self.lacks, self.fails, self.daily = lacks, fails, daily
        self.asked: list[object] = []

    def _level(self, instrument: Instrument, at: datetime) -> float:
        name = instrument.name if isinstance(instrument, Equity | Index) else ""
        days = to_epoch_us(at) / 86_400e6
        return LEVELS.get(name, 1_000.0) * (1.0 + 0.01 * math.sin(days * 1.7) + 0.004 * math.sin(days * 40.0))

    def value(self, instrument: Instrument, at: datetime) -> float:
        spot = self._level(underlying_of(instrument) if isinstance(instrument, DATED) else instrument, at)
        if not isinstance(instrument, DATED):
            return round(spot, 2)
        clock = get_clock("sessions", instrument.exchange)
        years = max(clock.years_at(to_epoch_us(at), to_epoch_us(instrument.expires_at)), 0.0)
        forward = spot * math.exp(0.06 * years)
        if isinstance(instrument, Future):
            return round(forward, 2)
        vol = 0.13 + 0.03 * noise(instrument.strike, at.hour)
        return round(float(black_price(forward, instrument.strike, years, vol, int(instrument.right))), 2)

    def _answer(self, kind: str, instrument: Instrument, at: datetime, what: PriceKind, key: object) -> Answer:
        self.asked.append((kind, instrument, key))
        luck = noise(kind, format_symbol(instrument), str(key))
        if luck < self.lacks:
            return Missing("the oracle is silent")
        if luck < self.lacks + self.fails:
            return Missing("failed: the oracle is away", Why.FAILED)
        if luck < self.lacks + self.fails + self.daily and kind == "price":
            return Price(self.value(instrument, at), self.name, PriceKind.DAILY, at.replace(hour=0, minute=0))
        return Price(self.value(instrument, at), self.name, what, at)

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        return [self._answer("price", ask.instrument, ask.at, PriceKind.BAR, to_epoch_us(ask.at)) for ask in wanted]

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        return [self._answer("quote", ask.instrument, ask.now, PriceKind.MARK, to_epoch_us(ask.now)) for ask in wanted]

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        return [
            self._answer("fill", ask.instrument, ask.at, PriceKind.FILL, (ask.side, to_epoch_us(ask.at)))
            for ask in wanted
        ]

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        answers: list[Answer] = []
        for ask in wanted:
            session = get_calendar(ask.instrument.exchange).session_on(ask.session)
            if session is None:
                answers.append(Missing(f"no session on {ask.session}"))
                continue
            kind = PriceKind.SETTLEMENT if noise(ask.session, str(ask.instrument)) < 0.1 else PriceKind.CLOSE
            answers.append(self._answer("close", ask.instrument, session.close, kind, ask.session))
        return answers


EXPIRIES = [FIRST + timedelta(days=days) for days in (5, 7, 14, 28, 56)]


def _option(rng: random.Random, name: str, expiry: date) -> str:
    strike = LEVELS[name] + STEPS[name] * rng.randint(-8, 8)
    root = ROOTS.get(name, name)
    return f"{root}_OPT_{expiry:%Y%m%d}_{rng.choice(('CALL', 'PUT'))}_{strike:g}"


def _symbol(rng: random.Random, day: date) -> tuple[str, str]:
    """A symbol that can be traded on a day (nearly always), and the name of its underlying."""
    name = rng.choice(list(LEVELS))
    alive = [each for each in EXPIRIES if each >= day] if rng.random() < 0.97 else EXPIRIES
    expiry = rng.choice(alive)
    kind = rng.random()
    if kind < 0.45:
        return _option(rng, name, expiry), name
    if kind < 0.8:
        legs: dict[str, int] = {}
        for _ in range(rng.randint(2, 4)):
            own = expiry if rng.random() < 0.8 else rng.choice(alive)
            legs[_option(rng, name, own)] = rng.choice((-2, -1, 1, 1, 2))
        return ":".join(f"{leg}?{ratio}" for leg, ratio in legs.items()), name
    if kind < 0.88 and name not in UNITED_STATES:
        return f"{name}_FUT_{expiry:%Y%m%d}__", name
    return ("TCS_STK___", "TCS") if kind < 0.97 else (f"{_option(rng, name, expiry)}?1:TCS_STK___?1", name)


def random_row(rng: random.Random, *, prices: str = "columns", closed: bool = False) -> dict[str, Any]:
    """A trade; some of them are closed, some open, some held overnight, some past their expiry, a few wrong.

    ``prices``: "columns" states most prices in the row, "broker" states none of the underlying and of legs.
    ``closed``: every trade has an exit.
    """
    entry = datetime(FIRST.year, FIRST.month, FIRST.day, 9, 30) + timedelta(
        days=rng.randint(0, DAYS), minutes=rng.randint(-20, 420)
    )
    symbol, name = _symbol(rng, entry.date())
    held = rng.choice(
        (timedelta(minutes=rng.randint(0, 300)), timedelta(days=rng.randint(1, 9)), None)[: 2 if closed else 3]
    )
    leave = None if held is None else entry + held
    quantity = float(rng.choice((-150, -75, -1, 1, 75, 300)))
    row: dict[str, Any] = {
        "symbol": symbol,
        "entry_time": entry,
        "exit_time": leave,
        "entry_quantity": quantity,
        "entry_price": _maybe(rng, 0.9, lambda: rng.uniform(1.0, 300.0)),
        "exit_price": None if leave is None else _maybe(rng, 0.9, lambda: rng.uniform(1.0, 300.0)),
        "exit_quantity": _maybe(rng, 0.3, lambda: -quantity) if leave is not None else None,
        "mtm": _maybe(rng, 0.4, lambda: rng.uniform(1.0, 300.0)),
        "commission": _maybe(rng, 0.5, lambda: rng.uniform(0.0, 40.0)),
        "multiplier": _maybe(rng, 0.05, lambda: rng.choice((1.0, 10.0))),
    }
    for field in ("spot_entry", "spot_exit", "forward_entry", "forward_exit"):
        known = {"columns": 0.9 if field.startswith("spot") else 0.4, "broker": 0.0}[prices]
        row[field] = _maybe(rng, known, lambda: LEVELS[name] * rng.uniform(0.99, 1.01))
    for place in range(1, 5):
        for side in ("entry", "exit"):
            known = 0.85 if prices == "columns" else 0.0
            row[f"leg{place}_{side}"] = _maybe(rng, known, lambda: rng.uniform(1.0, 300.0))
    return _spoilt(rng, row)


def _maybe(rng: random.Random, chance: float, value: Any) -> Any:
    return value() if rng.random() < chance else None


def _spoilt(rng: random.Random, row: dict[str, Any]) -> dict[str, Any]:
    """A few rows are wrong in one way or another, or closed in part."""
    luck = rng.random()
    if luck < 0.01:
        row["symbol"] = rng.choice(("NIFTY", "", "NIFTY_OPT_20250130_CALL", "NOPE-1"))
    elif luck < 0.02:
        row["entry_quantity"] = rng.choice((0.0, math.inf))
    elif luck < 0.03 and row["exit_time"] is not None:
        row["exit_time"] = row["entry_time"] - timedelta(minutes=3)
    elif luck < 0.06 and row["exit_time"] is not None:
        row["exit_quantity"] = -row["entry_quantity"] / 3.0
    elif luck < 0.07:
        row["entry_price"] = -5.0
    elif luck < 0.08:
        row["entry_time"] = datetime(1901, 1, 1)
    elif luck < 0.09:
        row["spot_entry"] = 0.0
    return row


def random_rows(seed: int, count: int, **kinds: Any) -> list[dict[str, Any]]:
    """Return random trades; the same for the same seed."""
    rng = random.Random(seed)
    return [random_row(rng, **kinds) for _ in range(count)]
