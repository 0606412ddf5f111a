"""Month names in vendor symbols: always English, whatever the machine's locale (so never ``strftime("%b")``)."""

from __future__ import annotations

from datetime import date

__all__ = ["MONTHS", "date_or_none", "month_number"]

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def month_number(name: str) -> int | None:
    """Return 1 to 12 for JAN to DEC, None for anything else."""
    return MONTHS.index(name) + 1 if name in MONTHS else None


def date_or_none(year: int, month: int | None, day: int) -> date | None:
    """Return the date, or None if there is no such day."""
    if month is None:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None
