"""The calendar files, read: one frozen :class:`Venue` per exchange, no interpretation.

Files are found next to this package and read on first use. ``data/README.md`` describes them.
"""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

__all__ = ["FixedHoliday", "Hours", "Special", "Venue", "load_venue", "venue_aliases"]

_WEEKEND_SHIFT = {"none": None, "friday": -1, "monday": 1}


@dataclass(frozen=True, slots=True)
class Hours:
    """Regular open and close, in minutes after local midnight, from ``from_date`` on."""

    from_date: dt.date
    open_minute: int
    close_minute: int


@dataclass(frozen=True, slots=True)
class Special:
    """A date whose session is not the regular one. ``weight`` in ten-thousandths of a session."""

    date: dt.date
    open_minute: int
    close_minute: int
    weight: int


@dataclass(frozen=True, slots=True)
class FixedHoliday:
    """A national holiday on the same date every year.

    ``on_saturday`` and ``on_sunday`` are the days by which its observance moves [days], or None when
    it is not observed.
    """

    month: int
    day: int
    on_saturday: int | None
    on_sunday: int | None

    def observed(self, year: int) -> dt.date | None:
        """Date on which the holiday closes the exchange in ``year``, or None."""
        date = dt.date(year, self.month, self.day)
        if date.weekday() < 5:
            return date
        shift = self.on_saturday if date.weekday() == 5 else self.on_sunday
        return None if shift is None else date + dt.timedelta(days=shift)


@dataclass(frozen=True, slots=True)
class Venue:
    """Everything the files say about one exchange."""

    name: str
    zone: ZoneInfo
    first_date: dt.date
    last_published: dt.date
    hours: tuple[Hours, ...]
    holidays: tuple[dt.date, ...]
    specials: tuple[Special, ...]
    fixed_holidays: tuple[FixedHoliday, ...]


def _rows(*path: str) -> list[dict[str, str]]:
    """Rows of one CSV file by column name, comment lines left out."""
    text = files("attribution.calendars").joinpath("data", *path).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def _minutes(clock_time: str) -> int:
    """``HH:MM`` as minutes after midnight."""
    hours, minutes = clock_time.split(":")
    return int(hours) * 60 + int(minutes)


@cache
def _venue_rows() -> dict[str, dict[str, str]]:
    """``venues.csv`` by exchange name."""
    return {row["exchange"]: row for row in _rows("venues.csv")}


@cache
def venue_aliases() -> dict[str, str]:
    """Every accepted name, in capitals → the name of its calendar."""
    names = {exchange: exchange for exchange in _venue_rows()}
    for exchange, row in _venue_rows().items():
        names.update(dict.fromkeys(row["aliases"].split(), exchange))
    return names


def load_venue(exchange: str) -> Venue:
    """Read the files of one venue; ``exchange`` is a name of ``venues.csv``."""
    row, folder = _venue_rows()[exchange], exchange.lower()
    return Venue(
        name=exchange,
        zone=ZoneInfo(row["zone"]),
        first_date=dt.date.fromisoformat(row["first_date"]),
        last_published=dt.date.fromisoformat(row["last_published"]),
        hours=tuple(
            Hours(dt.date.fromisoformat(r["from_date"]), _minutes(r["open"]), _minutes(r["close"]))
            for r in _rows(folder, "hours.csv")
        ),
        holidays=tuple(dt.date.fromisoformat(r["date"]) for r in _rows(folder, "holidays.csv")),
        specials=tuple(
            Special(
                dt.date.fromisoformat(r["date"]),
                _minutes(r["open"]),
                _minutes(r["close"]),
                round(float(r["weight"]) * 10_000),
            )
            for r in _rows(folder, "special.csv")
        ),
        fixed_holidays=tuple(
            FixedHoliday(
                int(r["month"]),
                int(r["day"]),
                _WEEKEND_SHIFT[r["saturday"]],
                _WEEKEND_SHIFT[r["sunday"]],
            )
            for r in _rows(folder, "fixed_holidays.csv")
        ),
    )
