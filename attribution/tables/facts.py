"""What the distinct symbols of a frame say: each is parsed once, however many rows hold it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
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
from attribution.errors import AttributionError
from attribution.instruments import DATED, Instrument, Option, Settlement
from attribution.priced import PricedLeg, priced_legs
from attribution.status import Flag

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
        ("expiry", np.int64),
    ]
)
"""What a distinct symbol says.

``odd``: its rows go the row's way, which says what is wrong with them; ``last_expiry_us``: NAT where a leg never
expires; ``too_late_us``: when the day ends on which its first leg expires; ``expiry`` [days since 1970-01-01]: the date
that all its legs share, else NAT.
"""

LEG = np.dtype(
    [
        ("right", np.float64),
        ("strike", np.float64),
        ("ratio", np.float64),
        ("weight", np.float64),
        ("multiplier", np.float64),
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
    underlyings: list[str | None]
    """The underlying that all legs of a key share."""
    calendars: list[ExchangeCalendar]
    instruments: list[Instrument]


@dataclass(slots=True)
class _Numbering:
    """Things numbered in order of first appearance."""

    numbers: dict[object, int] = field(default_factory=dict)

    def of(self, thing: object) -> int:
        return self.numbers.setdefault(thing, len(self.numbers))


@dataclass(frozen=True, slots=True)
class _Known:
    """What one symbol says; instruments are numbered by the frame that holds them."""

    items: tuple[PricedLeg, ...]
    key: tuple[object, ...]
    legs: tuple[tuple[object, ...], ...]
    underlying: str | None


def read_facts(keys: Sequence[tuple[object, object, float | None]], clock: str) -> Facts:
    """Read the distinct (symbol, exchange, multiplier) of a frame; times are counted by ``clock``."""
    calendars, instruments = _Numbering(), _Numbering()
    key_rows: list[tuple[object, ...]] = []
    leg_rows: list[tuple[object, ...]] = []
    items: list[PricedLeg] = []
    underlyings: list[str | None] = []
    first_leg = [0]
    for symbol, exchange, multiplier in keys:
        known = None
        if isinstance(symbol, str) and (exchange is None or isinstance(exchange, str)):
            known = _known(symbol, exchange or None, multiplier, clock)
        if known is None:
            key_rows.append((True, 0, 1.0, True, True, NAT, NEVER, NAT))
            underlyings.append(None)
        else:
            key_rows.append((False, calendars.of(known.items[0].exchange), *known.key))
            leg_rows += [
                (*row, *_numbers(item, instruments)) for row, item in zip(known.legs, known.items, strict=True)
            ]
            items += known.items
            underlyings.append(known.underlying)
        first_leg.append(len(items))
    return Facts(
        _columns(key_rows, KEY),
        np.array(first_leg, np.int64),
        _columns(leg_rows, LEG),
        items,
        underlyings,
        [get_calendar(str(name)) for name in calendars.numbers],
        list(instruments.numbers),  # type: ignore[arg-type]
    )


def _columns(rows: list[tuple[object, ...]], dtype: np.dtype[np.void]) -> dict[str, NDArray[Any]]:
    table = np.array(rows, dtype)
    return {name: np.ascontiguousarray(table[name]) for name in dtype.names or ()}


def _numbers(item: PricedLeg, instruments: _Numbering) -> tuple[int, int, int]:
    """The numbers of a leg's instrument, of its underlying, and of the future that expires with it."""
    future = NONE if item.forward is None else instruments.of(item.forward)
    return instruments.of(item.leg.instrument), instruments.of(item.underlying), future


@lru_cache(maxsize=65536)
def _known(symbol: str, exchange: str | None, multiplier: float | None, clock: str) -> _Known | None:
    """What a symbol says; None where the row's own way must say what is wrong with it."""
    try:
        items = priced_legs(symbol, None if exchange is None else canonical_exchange(exchange), multiplier)
        legs = tuple(_leg_row(item, clock) for item in items)
    except AttributionError:
        return None
    if len({item.exchange for item in items}) > 1:
        return None
    names = {item.underlying_symbol for item in items}
    return _Known(items, _key_row(items), legs, names.pop() if len(names) == 1 else None)


def _key_row(items: tuple[PricedLeg, ...]) -> tuple[object, ...]:
    """The rest of a :data:`KEY` row."""
    first = items[0].multiplier
    common = first if all(item.multiplier == first for item in items) else 1.0
    dated = [item for item in items if item.expires_at is not None]
    expiries = {_expiry(item) for item in items}
    deliveries = {(item.underlying, _expiry(item)) for item in dated}
    instants = [to_epoch_us(item.expires_at) for item in dated if item.expires_at is not None]
    last = max(instants) if len(dated) == len(items) else NAT
    too_late = min(map(_end_of_day, dated), default=NEVER)
    expiry = expiries.pop() if len(expiries) == 1 else None
    shares_underlying = len({item.underlying for item in dated}) <= 1
    expiry_date = NAT if expiry is None else day_number(expiry)
    return common, shares_underlying, len(deliveries) <= 1, last, too_late, expiry_date


def _expiry(item: PricedLeg) -> date | None:
    instrument = item.leg.instrument
    return instrument.expiry if isinstance(instrument, DATED) else None


def _end_of_day(item: PricedLeg) -> int:
    days = day_table(item.exchange)
    assert item.expires_at is not None
    place = day_number(item.expires_at.date()) - days.first_day
    return int(days.midnight_us[place + 1])


def _leg_row(item: PricedLeg, clock: str) -> tuple[object, ...]:
    """A :data:`LEG` row but for the numbers of instruments; CalendarError for an expiry outside calendar or clock."""
    instrument, expires_at = item.leg.instrument, item.expires_at
    flags = sum(FLAG_BIT[flag] for flag in item.flags)
    right, strike = 0.0, math.nan
    if isinstance(instrument, Option):
        right, strike = float(instrument.right), instrument.strike
    own = (right, strike, float(item.leg.ratio), item.weight, item.multiplier)
    if expires_at is None or not isinstance(instrument, DATED):
        return *own, NAT, NONE, 0, 0.0, False, flags
    expires_us = to_epoch_us(expires_at)
    whole, part = get_clock(clock, item.exchange).reading(expires_us)
    day = day_number(expires_at.date()) - day_table(item.exchange).first_day
    return *own, expires_us, day, whole, part, instrument.settlement is Settlement.CLOSE, flags
