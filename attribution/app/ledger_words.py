"""Words of the command line to the ledger's values: exact amounts, instants, weights, pairs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from attribution.app.sheet import InputError
from attribution.calendars import get_calendar
from attribution.errors import CalendarError
from attribution.ledger.contracts import contract_of
from attribution.ledger.money import exact

__all__ = ["amount_of", "currency_code", "instant_of", "moment_of", "pairs_of", "sum_of", "weights_of"]


def amount_of(name: str, text: str) -> Decimal:
    """The exact number in a word; InputError for anything else."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise InputError(f"{name} {text!r}: must be a number")
    return value


def instant_of(text: str | None, symbol: str, exchange: str | None) -> datetime:
    """An instant; without a zone it is in that of the symbol's exchange."""
    if text is None:
        return datetime.now(UTC)
    if len(text.strip()) <= len("2025-01-06"):
        raise InputError(f"--time {text!r}: needs a time of day, such as '2025-01-06 10:00'")
    home = contract_of(symbol, exchange).exchange
    try:
        if home is not None:
            return get_calendar(home).localize(text)
        at = datetime.fromisoformat(text)
    except (ValueError, CalendarError) as error:
        raise InputError(f"--time {text!r}: {error}") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def currency_code(text: str) -> str:
    """A currency's code; InputError for anything else."""
    code = text.strip().upper()
    if not (len(code) == 3 and code.isascii() and code.isalpha()):
        raise InputError(f"--currency {text!r}: must be a code of three letters, such as USD or INR")
    return code


def moment_of(name: str, text: str | None) -> date | datetime | None:
    """A day, or an instant where there is a time of day."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text) if len(text.strip()) == len("2025-01-06") else datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{name} {text!r}: must be a day such as 2025-01-06, or an instant") from error


def weights_of(words: Sequence[str]) -> dict[str, Decimal] | None:
    """``NAME`` (of weight 1) or ``NAME=WEIGHT`` as weights by strategy; None where there are none."""
    weights: dict[str, Decimal] = {}
    for word in words:
        name, mark, weight = word.partition("=")
        if not name.strip():
            raise InputError(f"--strategy {word!r}: expected NAME or NAME=WEIGHT")
        share = amount_of(f"--strategy {name}", weight) if mark else Decimal(1)
        if share <= 0:
            raise InputError(f"--strategy {word!r}: a weight must be more than 0")
        weights[name.strip()] = share
    return weights or None


def pairs_of(option: str, words: Sequence[str], shape: str) -> list[tuple[str, str]]:
    """``NAME=VALUE`` words, several in one where commas part them."""
    pairs = []
    for word in (part for text in words for part in text.split(",") if part.strip()):
        name, mark, value = (piece.strip() for piece in word.partition("="))
        if not mark or not name or not value:
            raise InputError(f"{option} {word!r}: expected {shape}")
        pairs.append((name, value))
    return pairs


def sum_of(values: Sequence[Decimal | None]) -> Decimal | None:
    """The exact sum; None where a part is unknown."""
    if any(value is None for value in values):
        return None
    with exact():
        return sum((value for value in values if value is not None), Decimal(0))
