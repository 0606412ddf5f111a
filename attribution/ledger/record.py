"""What all records share: the envelope's facts, the way to a body and back, and the checks at the door.

A record is a frozen dataclass. Its own fields travel in the entry's body, by their names and in plain JSON types
(amounts as decimal text); what is not known is ``None`` and is left out of the body. The fields of
:class:`Record` itself travel in the envelope.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Final, Self, Union, get_args, get_origin, get_type_hints

from attribution.ledger.canonical import decimal_text
from attribution.ledger.entry import Draft, Entry, Kind
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.money import QUANTITY_PLACES, to_units

__all__ = [
    "HOUSE",
    "LONGEST_SYMBOL",
    "AssetType",
    "Record",
    "Shares",
    "Side",
    "joined_key",
    "require_amount",
    "require_member",
    "require_name",
    "require_shares",
    "require_symbol",
    "total_units",
]

HOUSE: Final = "unattributed"
"""The house's own strategy: it holds what no strategy has claimed, in sight, until a correction reassigns it."""

LONGEST_SYMBOL: Final = 50

_TOO_MUCH: Final = Decimal(10) ** 15
"""Above any quantity, price or amount; a slipped exponent, not a fact."""

Shares = Mapping[str, Decimal]
"""Strategy → its share: a quantity, a weight or an amount, as the field says."""


class Side(StrEnum):
    """Whether a trade adds to the position or takes from it."""

    BUY = "BUY"
    SELL = "SELL"


class AssetType(StrEnum):
    """What is traded, as far as it decides the smallest unit that a fill is divided into."""

    STOCK = "STOCK"
    ETF = "ETF"
    INDEX = "INDEX"
    OPTION = "OPTION"
    FUTURE = "FUTURE"
    CRYPTO = "CRYPTO"
    OTHER = "OTHER"


def joined_key(*parts: str) -> str:
    """Join the parts of a key by ``/``, each escaped, so that no two different lists make one key."""
    text = "/".join(parts)
    if text.count("/") == len(parts) - 1 and "%" not in text and "#" not in text:
        return text
    return "/".join([part.replace("%", "%25").replace("/", "%2F").replace("#", "%23") for part in parts])


# --- checks at the door -----------------------------------------------------------------------------------------


def require_name(field: str, value: object, longest: int = 200) -> None:
    """Refuse what is no text, is blank, or has blanks at its ends."""
    if not isinstance(value, str) or not value or value != value.strip() or len(value) > longest:
        raise InvalidRecordError(field, value, f"text of 1 to {longest} characters without blanks at its ends")


def require_symbol(field: str, value: object) -> None:
    """Refuse what cannot be a symbol."""
    require_name(field, value, LONGEST_SYMBOL)


def require_member(field: str, value: object, allowed: type[StrEnum]) -> None:
    """Refuse what is no member of a closed vocabulary."""
    if not isinstance(value, str) or value not in allowed.__members__.values():
        raise InvalidRecordError(field, value, "one of " + ", ".join(allowed))


def require_amount(
    field: str,
    value: object,
    *,
    places: int = QUANTITY_PLACES,
    least: Decimal | None = None,
    above: Decimal | None = None,
) -> None:
    """Refuse what is no finite ``Decimal``, has more decimals than ``places``, or is too small."""
    if not isinstance(value, Decimal):
        raise InvalidRecordError(field, value, "a Decimal; a float is not exact, and text is read at the door")
    to_units(value, places, field)
    if value.copy_abs() >= _TOO_MUCH:
        raise InvalidRecordError(field, value, f"less than {_TOO_MUCH:.0e}")
    if least is not None and value < least:
        raise InvalidRecordError(field, value, f"at least {least}")
    if above is not None and value <= above:
        raise InvalidRecordError(field, value, f"more than {above}")


def require_shares(field: str, value: object, *, total: Decimal | None = None, signed: bool = False) -> None:
    """Refuse shares that are no amounts by strategy, not above 0 (unless ``signed``), or do not make ``total``."""
    if not isinstance(value, Mapping) or not value:
        raise InvalidRecordError(field, value, "a mapping of strategy to Decimal with at least one strategy")
    for strategy, amount in value.items():
        require_name(f"{field} (strategy)", strategy)
        require_amount(f"{field}[{strategy}]", amount, above=None if signed else Decimal(0))
    if total is not None and total_units(value) != to_units(total, QUANTITY_PLACES, field):
        raise InvalidRecordError(field, dict(value), f"shares that add up to {total}")


def total_units(shares: Shares) -> int:
    """Add shares up exactly, in units of the quantity grid."""
    return sum([to_units(amount, QUANTITY_PLACES, "share") for amount in shares.values()])


# --- to a body and back -----------------------------------------------------------------------------------------

_Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]


def _same(value: Any) -> Any:
    return value


def _codec_of(hint: Any) -> _Codec:
    """How values of one annotation are written and read."""
    if hint in (str, int, bool, Any):
        return _same, _same
    if hint is Decimal:
        return decimal_text, Decimal
    if hint is date:
        return date.isoformat, date.fromisoformat
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _codec_of(next(argument for argument in arguments if argument is not type(None)))
    if origin is tuple:
        write, read = _codec_of(arguments[0])
        return lambda items: [write(item) for item in items], lambda items: tuple(read(item) for item in items)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        write, read = _codec_of(arguments[1])
        return (
            lambda mapping: {name: write(item) for name, item in mapping.items()},
            lambda mapping: {name: read(item) for name, item in mapping.items()},
        )
    if issubclass(hint, StrEnum):
        return str, hint
    return write_fields, lambda body: hint(**read_fields(hint, body))


@cache
def _codecs(cls: type[Any]) -> dict[str, _Codec]:
    hints = get_type_hints(cls)
    envelope = Record.__dataclass_fields__ if issubclass(cls, Record) else {}
    return {f.name: _codec_of(hints[f.name]) for f in fields(cls) if f.name not in envelope}


def write_fields(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as a body; the unknown ones (None) are left out."""
    body = {}
    cls: type = type(value)
    for name, (write, _) in _codecs(cls).items():
        item = getattr(value, name)
        if item is not None:
            body[name] = write(item)
    return body


def read_fields(cls: type, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that a body holds for a dataclass; names it does not know belong to others."""
    codecs = _codecs(cls)
    return {name: codecs[name][1](raw) for name, raw in body.items() if raw is not None and name in codecs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A fact of one kind. Its own fields are the entry's body, these here the entry's envelope.

    Parameters
    ----------
    account_id
        Whose account.
    ts
        When it happened: nanoseconds since 1970-01-01 UTC.
    trade_date
        The exchange's date it belongs to.
    source
        Who told it.
    correlation_id, causation_id
        The run it belongs to and what led to it; None where not known.
    """

    kind: ClassVar[Kind]

    account_id: str
    ts: int
    trade_date: date
    source: str
    correlation_id: str | None = None
    causation_id: str | None = None

    @property
    def key(self) -> str:
        """What makes it the same fact when it is told again, within its account and kind."""
        raise NotImplementedError

    def to_body(self) -> dict[str, Any]:
        """Return its own fields in plain JSON types; what is not known is left out."""
        return write_fields(self)

    @classmethod
    def from_body(cls, body: Mapping[str, Any], envelope: Entry | Draft) -> Self:
        """Read a record from a body and the envelope it came in.

        Raises
        ------
        InvalidRecordError
            A field is missing or malformed.
        """
        try:
            return cls(
                account_id=envelope.account_id,
                ts=envelope.ts,
                trade_date=envelope.trade_date,
                source=envelope.source,
                correlation_id=envelope.correlation_id,
                causation_id=envelope.causation_id,
                **read_fields(cls, body),
            )
        except InvalidRecordError:
            raise
        except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise InvalidRecordError("body", dict(body), f"the fields of a {cls.kind} ({error})") from None

    @classmethod
    def from_entry(cls, entry: Entry | Draft) -> Self:
        """Read the record that an entry holds."""
        return cls.from_body(entry.body, entry)

    def draft(self) -> Draft:
        """Return the draft to append to the log."""
        return Draft(
            kind=self.kind,
            account_id=self.account_id,
            key=self.key,
            ts=self.ts,
            trade_date=self.trade_date,
            source=self.source,
            body=self.to_body(),
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
        )
