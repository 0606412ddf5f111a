"""What the distinct symbols of a frame say: each is parsed once, however many rows hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attribution.calendars import (
    NAT,
    ExchangeCalendar,
    canonical_exchange,
    day_table,
    get_calendar,
    get_clock,
    to_epoch_us,
)
from attribution.calendars.instants import day_number
from attribution.errors import AttributionError, CalendarError
from attribution.instruments import DATED, Future, Instrument, Option, Settlement
from attribution.status import Flag
from attribution.symbols import same_expiry_future, underlying_of
from attribution.trade import PricedLeg, priced_legs

__all__ = ["FLAG_BIT", "NONE", "Facts", "read_facts"]

FLAG_BIT = {flag: 1 << rank for rank, flag in enumerate(Flag)}
"""Flags as bits, in the order in which they are listed."""

NONE = -1
"""The number of no instrument."""

NEVER = int(np.iinfo(np.int64).max)
"""An instant that does not come."""


KEY = np.dtype(
    [
        ("odd", np.bool_),
        ("calendar", np.int64),
        ("common_multiplier", np.float64),
        ("shares_underlying", np.bool_),
        ("shares_delivery", np.bool_),
        ("last_expiry_us", np.int64),
        ("too_late_us", np.int64),
    ]
)
"""What a distinct symbol says.

``odd``: its rows go the row's way, which says what is wrong with them; ``last_expiry_us``: NAT where a leg never
expires; ``too_late_us``: when the day ends on which its first leg expires.
"""

LEG = np.dtype(
    [
        ("right", np.float64),
        ("strike", np.float64),
        ("ratio", np.float64),
        ("weight", np.float64),
        ("expires_us", np.int64),
        ("expiry_day", np.int64),
        ("expiry_whole", np.int64),
        ("expiry_part", np.float64),
        ("settles_at_close", np.bool_),
        ("flags", np.int64),
        ("instrument", np.int64),
        ("underlying", np.int64),
        ("future", np.int64),
    ]
)
"""What a leg says: ``right`` 0 for no option, ``expires_us`` NAT where it never expires. Instruments by number."""


@dataclass(slots=True)
class Facts:
    """Distinct symbols ("keys") and their legs: ``legs[first_leg[k]:first_leg[k + 1]]`` are those of key k."""

    keys: Mapping[str, NDArray[Any]]
    first_leg: NDArray[np.int64]
    legs: Mapping[str, NDArray[Any]]
    items: list[PricedLeg]
    calendars: list[ExchangeCalendar]
    instruments: list[Instrument]


@dataclass(slots=True)
class _Numbering:
    """Things numbered in order of first appearance."""

    numbers: dict[object, int] = field(default_factory=dict)

    def of(self, thing: object) -> int:
        return self.numbers.setdefault(thing, len(self.numbers))


@lru_cache(maxsize=65536)
def _legs_of(symbol: str, exchange: str | None, multiplier: float | None) -> tuple[PricedLeg, ...] | None:
    """The legs of a symbol, or None where the row's own way must say what is wrong with it."""
    try:
        legs = priced_legs(symbol, None if exchange is None else canonical_exchange(exchange), multiplier)
    except AttributionError:
        return None
    return legs if len({leg.leg.instrument.exchange for leg in legs}) == 1 else None


def read_facts(keys: Sequence[tuple[object, object, float | None]], clock: str) -> Facts:
    """Read the distinct (symbol, exchange, multiplier) of a frame; times are counted by ``clock``."""
    calendars, instruments = _Numbering(), _Numbering()
    key_rows: list[tuple[object, ...]] = []
    leg_rows: list[tuple[object, ...]] = []
    items: list[PricedLeg] = []
    first_leg = [0]
    for symbol, exchange, multiplier in keys:
        found = _readable(symbol, exchange, multiplier)
        rows = None if found is None else _leg_rows(found, clock, instruments)
        if found is None or rows is None:
            key_rows.append((True, 0, 1.0, True, True, NAT, NEVER))
        else:
            key_rows.append((False, calendars.of(found[0].leg.instrument.exchange), *_common(found)))
            leg_rows += rows
            items += found
        first_leg.append(len(items))
    return Facts(
        _columns(key_rows, KEY),
        np.array(first_leg, np.int64),
        _columns(leg_rows, LEG),
        items,
        [get_calendar(str(name)) for name in calendars.numbers],
        list(instruments.numbers),  # type: ignore[arg-type]
    )


def _columns(rows: list[tuple[object, ...]], dtype: np.dtype[np.void]) -> dict[str, NDArray[Any]]:
    table = np.array(rows, dtype)
    return {name: np.ascontiguousarray(table[name]) for name in dtype.names or ()}


def _readable(symbol: object, exchange: object, multiplier: float | None) -> tuple[PricedLeg, ...] | None:
    if not isinstance(symbol, str) or not (exchange is None or isinstance(exchange, str)):
        return None
    return _legs_of(symbol, exchange or None, multiplier)


def _common(legs: tuple[PricedLeg, ...]) -> tuple[float, bool, bool, int, int]:
    """The rest of a :data:`KEY` row."""
    first = legs[0].multiplier
    common = first if all(leg.multiplier == first for leg in legs) else 1.0
    dated = [leg.leg.instrument for leg in legs if isinstance(leg.leg.instrument, DATED)]
    underlyings = {underlying_of(instrument) for instrument in dated}
    deliveries = {(underlying_of(instrument), instrument.expiry) for instrument in dated}
    last = NAT
    if len(dated) == len(legs):
        last = max(to_epoch_us(instrument.expires_at) for instrument in dated)
    too_late = min((_end_of_day(instrument) for instrument in dated), default=NEVER)
    return common, len(underlyings) <= 1, len(deliveries) <= 1, last, too_late


def _end_of_day(instrument: Future | Option) -> int:
    days = day_table(instrument.exchange)
    place = day_number(instrument.expires_at.date()) - days.first_day
    return int(days.midnight_us[place + 1])


def _leg_rows(legs: tuple[PricedLeg, ...], clock: str, instruments: _Numbering) -> list[tuple[object, ...]] | None:
    """One :data:`LEG` row per leg; None where an expiry lies outside calendar or clock."""
    try:
        return [_leg_row(item, clock, instruments) for item in legs]
    except CalendarError:
        return None


def _leg_row(item: PricedLeg, clock: str, instruments: _Numbering) -> tuple[object, ...]:
    instrument = item.leg.instrument
    flags = sum(FLAG_BIT[flag] for flag in item.flags)
    own, ratio = instruments.of(instrument), float(item.leg.ratio)
    if not isinstance(instrument, DATED):
        return 0.0, np.nan, ratio, item.weight, NAT, NONE, 0, 0.0, False, flags, own, own, NONE
    expires_us = to_epoch_us(instrument.expires_at)
    whole, part = get_clock(clock, instrument.exchange).reading(expires_us)
    day = day_number(instrument.expires_at.date()) - day_table(instrument.exchange).first_day
    expiry = (expires_us, day, whole, part, instrument.settlement is Settlement.CLOSE)
    underlying = instruments.of(underlying_of(instrument))
    if not isinstance(instrument, Option):
        return 0.0, np.nan, ratio, item.weight, *expiry, flags, own, underlying, NONE
    future = instruments.of(same_expiry_future(instrument))
    right = float(instrument.right)
    return right, instrument.strike, ratio, item.weight, *expiry, flags, own, underlying, future
