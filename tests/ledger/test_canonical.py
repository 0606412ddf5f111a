"""Equal content, equal text; what has no exact text is refused."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.ledger.canonical import canonical_json, decimal_text, digest
from attribution.ledger.errors import InvalidRecordError


class Side(StrEnum):
    BUY = "BUY"


class Number(IntEnum):
    TWO = 2


AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**15), max_value=10**15)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | AMOUNTS | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


class TestDecimalText:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("0", "0"),
            ("-0", "0"),
            ("-0.000", "0"),
            ("0E+5", "0"),
            ("0E-7", "0"),
            ("100", "100"),
            ("1E+2", "100"),
            ("1.50", "1.5"),
            ("-1.50", "-1.5"),
            ("10.00", "10"),
            ("1E-9", "0.000000001"),
            ("175.32", "175.32"),
        ],
    )
    def test_is_plain(self, value: str, text: str) -> None:
        assert decimal_text(Decimal(value)) == text

    @given(AMOUNTS)
    def test_gives_the_number_back(self, value: Decimal) -> None:
        text = decimal_text(value)
        assert Decimal(text) == value
        assert decimal_text(Decimal(text)) == text
        assert "E" not in text
        assert not (text.endswith("0") and "." in text)

    @pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+999999", "1E-999999"])
    def test_refuses_what_is_no_amount(self, value: str) -> None:
        with pytest.raises(InvalidRecordError, match="amount"):
            decimal_text(Decimal(value))


class TestCanonicalJson:
    def test_is_sorted_dense_and_in_utf_8(self) -> None:
        value = {"b": [1, None, True], "a": {"ü": "☂", "c": Decimal("1.50")}, "B": "x\n"}
        assert canonical_json(value) == '{"B":"x\\n","a":{"c":"1.5","ü":"☂"},"b":[1,null,true]}'

    def test_writes_dates_and_instants_in_iso_form(self) -> None:
        ist = timezone(timedelta(hours=5, minutes=30))
        value = [
            date(2026, 1, 2),
            datetime(2026, 1, 2, 5, 30, tzinfo=ist),
            datetime(2026, 1, 2, 0, 0, 1, 5, tzinfo=UTC),
        ]
        assert canonical_json(value) == '["2026-01-02","2026-01-02T00:00:00Z","2026-01-02T00:00:01.000005Z"]'

    def test_members_are_written_as_their_values(self) -> None:
        assert canonical_json({"side": Side.BUY, "n": Number.TWO, "t": (1, 2)}) == '{"n":2,"side":"BUY","t":[1,2]}'

    @given(VALUES)
    def test_is_a_fixed_point(self, value: Any) -> None:
        text = canonical_json(value)
        assert canonical_json(json.loads(text)) == text

    @given(st.dictionaries(TEXTS, VALUES))
    def test_does_not_depend_on_the_order_of_keys(self, value: dict[str, Any]) -> None:
        assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)

    @pytest.mark.parametrize(
        ("value", "where"),
        [
            (1.5, r"\$=1.5.*quantise"),
            ({"fill": {"price": 175.32}}, r"\$\.fill\.price=175.32"),
            ({"fills": [1, 2.0]}, r"\$\.fills\[1\]"),
            ({"a": float("nan")}, r"\$\.a=nan"),
            ({1: "a"}, "text as the key"),
            ({"a": {None: 1}}, r"\$\.a=None.*text as the key"),
            ({"a": datetime(2026, 1, 2)}, "time zone"),
            ({"a": b"bytes"}, r"\$\.a=b'bytes'"),
            ({"a": {1, 2}}, r"\$\.a="),
            ({"a": "\ud800"}, "UTF-8"),
            ({"\udfff": 1}, "UTF-8"),
            ({"a": Decimal("NaN")}, "finite"),
        ],
    )
    def test_refuses_what_has_no_exact_text(self, value: Any, where: str) -> None:
        with pytest.raises(InvalidRecordError, match=where):
            canonical_json(value)


def test_a_digest_is_the_sha_256_of_the_text() -> None:
    assert digest({"b": 1, "a": Decimal("2.0")}) == hashlib.sha256(b'{"a":"2","b":1}').hexdigest()
    assert digest("ü") == hashlib.sha256("ü".encode()).hexdigest()
