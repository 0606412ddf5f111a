"""Exact numbers and fair division: nothing rounds unseen, and nobody is given a unit only to lose it again."""

from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.money import (
    EXACT,
    MONEY_PLACES,
    MULTIPLIER_PLACES,
    PRICE_PLACES,
    QUANTITY_PLACES,
    exact,
    from_units,
    share,
    split_amount,
    split_units,
    to_units,
    webster,
)
from tests.ledger.book_tools import LAW

# --- exactness --------------------------------------------------------------------------------------------------


def test_the_context_raises_instead_of_rounding() -> None:
    with exact(), pytest.raises(decimal.Inexact):
        Decimal(1) / Decimal(3)
    with pytest.raises(decimal.Inexact):
        EXACT.divide(Decimal(2), Decimal(3))


def test_the_context_is_left_behind_at_the_end_of_the_block() -> None:
    with exact():
        pass
    assert Decimal(1) / Decimal(3) == Decimal("0." + "3" * 28)


def test_the_grids_fit_each_other() -> None:
    # A unit of quantity times a unit of price is a unit of money: a product of the book is never between two points.
    assert QUANTITY_PLACES + PRICE_PLACES == MONEY_PLACES
    assert MULTIPLIER_PLACES + 18 == PRICE_PLACES


@LAW
@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**14), max_value=10**14))
def test_to_the_grid_and_back(value: Decimal) -> None:
    assert from_units(to_units(value, 18, "x"), 18) == value


@pytest.mark.parametrize(
    ("units", "places", "text"), [(100, 0, "100"), (1000, 1, "100"), (-150, 2, "-1.5"), (0, 5, "0"), (1, 9, "1E-9")]
)
def test_an_amount_comes_back_without_needless_zeros_or_exponents(units: int, places: int, text: str) -> None:
    assert str(from_units(units, places)) == text


@pytest.mark.parametrize("bad", ["NaN", "sNaN", "Infinity", "-Infinity", "0.0000000000000000001"])
def test_what_does_not_fit_the_grid_is_refused_by_name(bad: str) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        to_units(Decimal(bad), 18, "price")
    assert caught.value.field == "price"


def test_sums_of_any_size_come_back_whole() -> None:
    assert from_units(10**120 + 1, 42) == Decimal(f"1{'0' * 78}.{'0' * 41}1")


def test_the_grid_does_not_depend_on_the_threads_context() -> None:
    with decimal.localcontext(decimal.Context(prec=3)):
        assert from_units(to_units(Decimal("123456.789"), 18, "x"), 18) == Decimal("123456.789")


@LAW
@given(st.integers(-(10**60), 10**60), st.lists(st.integers(1, 10**20), min_size=1, max_size=8))
def test_cumulative_shares_add_up_however_the_whole_is_sliced(amount: int, slices: list[int]) -> None:
    whole = sum(slices)
    points = [sum(slices[:i]) for i in range(len(slices) + 1)]
    parts = [share(amount, after, whole) - share(amount, before, whole) for before, after in pairwise(points)]
    assert sum(parts) == amount


@LAW
@given(st.integers(-(10**50), 10**50), st.integers(0, 10**20), st.integers(1, 10**20))
def test_a_share_is_exact_or_within_half_a_quantum(amount: int, part: int, more: int) -> None:
    whole = part + more
    true = Fraction(amount * part, whole)
    got = share(amount, part, whole)
    assert got == true or (true.denominator > 1 and abs(got - true) <= Fraction(10 ** (MONEY_PLACES - 9), 2))


# --- Webster ----------------------------------------------------------------------------------------------------

weights = st.lists(st.integers(1, 60), min_size=1, max_size=6)


def slowly(seats: int, claims: list[int], have: list[int], caps: list[int]) -> list[int]:
    """One unit after the other, to the smallest (2a + 1)/w."""
    given_ = list(have)
    while sum(given_) < seats:
        open_ = [i for i, w in enumerate(claims) if w and given_[i] < caps[i]]
        given_[min(open_, key=lambda i: (Fraction(2 * given_[i] + 1, claims[i]), i))] += 1
    return given_


@LAW
@given(st.data())
def test_it_is_the_method_of_the_definition(data: st.DataObject) -> None:
    claims = data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(any))
    caps = [data.draw(st.integers(0, 40)) if w else 0 for w in claims]
    have = [data.draw(st.integers(0, cap)) for cap in caps]
    seats = data.draw(st.integers(sum(have), sum(caps)))
    assert webster(seats, claims, have, caps) == slowly(seats, claims, have, caps)


@LAW
@given(st.data())
def test_big_claims_take_no_longer_and_get_the_same(data: st.DataObject) -> None:
    # A share has 10**9 quanta: the method must jump to the end. Scaled by 10**9, caps bind at the same places.
    claims = data.draw(st.lists(st.integers(1, 50), min_size=2, max_size=6))
    caps = [data.draw(st.integers(0, 50)) * 10**18 for _ in claims]
    seats = data.draw(st.integers(0, sum(caps)))
    got = webster(seats, claims, None, caps)
    assert sum(got) == seats
    quotients = [(Fraction(2 * n - 1, w), Fraction(2 * n + 1, w)) for n, w in zip(got, claims, strict=True)]
    last_given = max((low for (low, _), n in zip(quotients, got, strict=True) if n), default=Fraction(0))
    for (_, upcoming), n, cap in zip(quotients, got, caps, strict=True):
        assert n <= cap
        assert n == cap or upcoming >= last_given  # nobody waits while somebody behind him was served


@LAW
@given(weights, st.lists(st.integers(1, 9), max_size=20))
def test_slicing_changes_nothing_and_nothing_is_taken_back(claims: list[int], slices: list[int]) -> None:
    given_ = [0] * len(claims)
    for end in (sum(slices[: i + 1]) for i in range(len(slices))):
        after = webster(end, claims, given_)
        assert all(a >= b for a, b in zip(after, given_, strict=True))
        given_ = after
    assert given_ == webster(sum(slices), claims)


@LAW
@given(weights, st.data())
def test_claims_as_caps_are_never_exceeded(claims: list[int], data: st.DataObject) -> None:
    seats = data.draw(st.integers(0, sum(claims)))
    got = webster(seats, claims, caps=claims)
    assert sum(got) == seats
    assert all(n <= w for n, w in zip(got, claims, strict=True))


@LAW
@given(weights, st.integers(1, 5))
def test_a_multiple_of_the_sum_is_divided_exactly(claims: list[int], times: int) -> None:
    assert webster(times * sum(claims), claims) == [times * w for w in claims]


def test_nine_single_contracts_over_three_equal_strategies_are_three_each() -> None:
    """What goes wrong elsewhere: the largest remainder fill by fill gives all nine to the first."""
    given_ = [0, 0, 0]
    for n in range(1, 10):
        given_ = webster(n, [1, 1, 1], given_)
    assert given_ == [3, 3, 3]


def test_no_alabama_paradox() -> None:
    """What goes wrong elsewhere: by largest remainders 6, 6, 2 share ten as 4, 4, 2 and eleven as 5, 5, 1."""
    previous = [0, 0, 0]
    for n in range(1, 40):
        now = webster(n, [6, 6, 2])
        assert all(a >= b for a, b in zip(now, previous, strict=True))
        previous = now


def test_fifty_of_sixty_and_forty() -> None:
    assert webster(50, [60, 40], caps=[60, 40]) == [30, 20]
    big = 10**27
    assert webster(50 * big, [60 * big, 40 * big], caps=[60 * big, 40 * big]) == [30 * big, 20 * big]


@pytest.mark.parametrize(
    ("seats", "claims", "have", "caps"),
    [
        (5, [1, 1], None, [2, 2]),  # more than the caps allow
        (1, [1, 1], [1, 1], None),  # fewer than are given
        (1, [0, 0], None, None),  # nobody has a claim
        (1, [3, -1], None, None),  # a negative claim is a cross
    ],
)
def test_an_impossible_division_is_an_error(
    seats: int, claims: list[int], have: list[int] | None, caps: list[int] | None
) -> None:
    with pytest.raises(ValueError, match=r"do not lie between|is negative"):
        webster(seats, claims, have, caps)


# --- amounts ----------------------------------------------------------------------------------------------------


@LAW
@given(
    st.decimals(min_value=-(10**9), max_value=10**9, places=12),
    st.dictionaries(st.sampled_from("ABCDE"), st.decimals("0.001", 10**6, places=3), min_size=1),
)
def test_the_parts_of_an_amount_add_up_to_it(amount: Decimal, claims: dict[str, Decimal]) -> None:
    parts = split_amount(amount, claims)
    with exact():
        assert sum(parts.values()) == amount
    assert parts.keys() == claims.keys()


def test_a_cent_over_three_is_divided_to_the_ninth_decimal() -> None:
    parts = split_amount(Decimal("0.01"), dict.fromkeys("CAB", Decimal(1)))
    assert parts == {"A": Decimal("0.003333334"), "B": Decimal("0.003333333"), "C": Decimal("0.003333333")}


def test_a_rebate_is_divided_like_a_fee() -> None:
    fee = split_units(10**MONEY_PLACES, {"A": 2, "B": 1})
    assert split_units(-(10**MONEY_PLACES), {"A": 2, "B": 1}) == {name: -part for name, part in fee.items()}
