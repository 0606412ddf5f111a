"""What a blank, a NaN and a typo in a number field mean."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from attribution.errors import TradeError
from attribution.fields import as_number, is_absent

ABSENT = [
    pytest.param(None, id="None"),
    pytest.param("", id="empty-text"),
    pytest.param("  ", id="blank-text"),
    pytest.param(math.nan, id="nan"),
    pytest.param(np.float32("nan"), id="numpy-nan"),
    pytest.param(pd.NA, id="pandas-NA"),
    pytest.param(pd.NaT, id="NaT"),
    pytest.param(np.datetime64("NaT"), id="numpy-NaT"),
    pytest.param(Decimal("NaN"), id="Decimal-NaN"),
]


@pytest.mark.parametrize("value", ABSENT)
def test_what_holds_nothing(value: object) -> None:
    assert is_absent(value)
    assert as_number("mtm", value) is None


@pytest.mark.parametrize("value", [0, 0.0, "0", False, np.float64(0), pd.Timestamp("2025-01-27"), [], ()])
def test_a_zero_and_an_empty_list_are_something(value: object) -> None:
    assert not is_absent(value)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (12.5, 12.5),
        (75, 75.0),
        ("12.5", 12.5),
        (" -75 ", -75.0),
        ("1e3", 1000.0),
        (np.int64(75), 75.0),
        (np.float32(0.5), 0.5),
        (Decimal("199.75"), 199.75),
        (Fraction(1, 4), 0.25),
        (0, 0.0),
        (-0.05, -0.05),
    ],
)
def test_numbers_of_any_kind_become_plain_floats(value: object, number: float) -> None:
    found = as_number("entry_price", value)
    assert type(found) is float
    assert found == number


def test_the_text_nan_is_no_number_known() -> None:
    assert as_number("entry_price", "nan") is None


@pytest.mark.parametrize("value", ["12,5", "abc", "₹12", b"x", [1.0, 2.0], {}, object, 1j, True, False, np.True_])
def test_what_is_not_a_number_names_field_and_value(value: object) -> None:
    with pytest.raises(TradeError) as caught:
        as_number("exit_price", value)
    assert caught.value.field == "exit_price"
    assert caught.value.value is value
    assert str(caught.value).startswith(f"exit_price={value!r}: a number")


@pytest.mark.parametrize("value", [math.inf, -math.inf, "inf", np.inf])
def test_infinity_is_refused(value: object) -> None:
    with pytest.raises(TradeError, match=r"mtm=.*inf.*: a finite number"):
        as_number("mtm", value)
