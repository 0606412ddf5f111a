"""One text per value, so that equal content has an equal digest, on every machine and in every year.

The form is JSON with sorted keys and no spaces, in UTF-8. Amounts are ``Decimal`` and are written as plain
strings: a binary float has no exact decimal text, so floats are refused, and the caller quantises first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from attribution.ledger.errors import InvalidRecordError

__all__ = ["canonical_json", "decimal_text", "digest", "quoted"]

_LONGEST_AMOUNT = 200
"""Characters; far above any amount, far below what a stray exponent can print."""

_PLAIN = frozenset({str, int, bool, type(None)})
_TEXT = frozenset({str})

quoted = json.encoder.encode_basestring
"""``quoted(text)`` is the JSON string of one text, as ``canonical_json`` writes it."""


def decimal_text(value: Decimal) -> str:
    """Return the plain text of a finite amount: no exponent, no trailing zeros, ``0`` and never ``-0``."""
    if not value.is_finite():
        raise InvalidRecordError("amount", value, "a finite decimal number")
    _, digits, exponent = value.as_tuple()
    if len(digits) + abs(int(exponent)) > _LONGEST_AMOUNT:
        raise InvalidRecordError("amount", value, f"at most {_LONGEST_AMOUNT} digits and places")
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").removesuffix(".")
    return "0" if text in {"-0", ""} else text


def canonical_json(value: Any) -> str:
    """Return the one JSON text of ``value``.

    Parameters
    ----------
    value
        Text, integers, booleans, ``None``, ``Decimal`` (as plain text), ``date`` and zone-aware ``datetime`` (as ISO
        text, instants in UTC with a ``Z``), and lists, tuples and text-keyed mappings of them.

    Raises
    ------
    InvalidRecordError
        A float, a zone-less instant, a key that is not text, text that UTF-8 cannot hold, any other type.
    """
    text = _encode(_simplified(value, "$"))
    if not text.isascii():
        _require_utf8(text)
    return text


def digest(value: Any) -> str:
    """Return the SHA-256 of a text, or of the canonical JSON of any other value, as 64 hex digits."""
    text = value if isinstance(value, str) else canonical_json(value)
    return hashlib.sha256(text.encode()).hexdigest()


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def _is_plain(value: Mapping[Any, Any]) -> bool:
    """Whether ``value`` is flat, as most records are: then the encoder may take it as it is."""
    return type(value) is dict and _PLAIN.issuperset(map(type, value.values())) and _TEXT.issuperset(map(type, value))


def _simplified(value: Any, where: str) -> Any:
    """Replace amounts and dates by their text, all the way down; ``where`` is the path for the error message."""
    if isinstance(value, (str, int)) or value is None:
        return value
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, Mapping):
        if _is_plain(value):
            return value
        _require_text_keys(value, where)
        return {
            key: item if type(item) in _PLAIN else _simplified(item, f"{where}.{key}") for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_simplified(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, datetime):
        return _instant_text(value, where)
    if isinstance(value, date):
        return value.isoformat()
    raise InvalidRecordError(where, value, _allowed(value))


def _allowed(value: Any) -> str:
    if isinstance(value, float):
        return "a Decimal, an integer or text; a float has no exact text, so quantise it first"
    return "text, an integer, a boolean, None, a Decimal, a date, an aware datetime, or lists and mappings of them"


def _require_text_keys(value: Mapping[Any, Any], where: str) -> None:
    for key in value:
        if not isinstance(key, str):
            raise InvalidRecordError(where, key, "text as the key of a mapping")


def _instant_text(value: datetime, where: str) -> str:
    if value.tzinfo is None:
        raise InvalidRecordError(where, value, "an instant with a time zone")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _require_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRecordError("text", text[error.start : error.end], "characters that UTF-8 can hold") from None
