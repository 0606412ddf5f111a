"""Whose position an untagged fill closes: the 30/20 rule under every policy, and the laws all policies obey."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.ledger.book import Book
from attribution.ledger.closing import Pool, Weights
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.lots import Line
from attribution.ledger.records import HOUSE, Plan
from tests.ledger.book_tools import ACCOUNT, DAY, LAW, amounts, assert_adds_up, book_of, fill, held, option_fill

POLICIES = ["pro_rata", "fifo", "weights", "house"]


def sixty_forty(order: str, times: tuple[int, int], closing: Any) -> Book:
    buys = {"A": fill("a", 60, 100, "A", ts=times[0]), "B": fill("b", 40, 100, "B", ts=times[1])}
    return book_of(*(buys[name] for name in order), fill("c", -50, 110, ts=9), closing=closing)


def earned(book: Book) -> dict[str, Decimal]:
    return {p.strategy: p.realised for p in book.positions(flat=True)}


# --- 60 and 40, sell 50 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["AB", "BA"])
@pytest.mark.parametrize("times", [(1, 2), (2, 1), (1, 1)])
@pytest.mark.parametrize("closing", ["pro_rata", "weights"])
def test_pro_rata_gives_thirty_and_twenty_in_every_order(order: str, times: tuple[int, int], closing: str) -> None:
    book = sixty_forty(order, times, closing)  # without a plan, weights fall back on what is held
    assert held(book) == amounts(A=30, B=20)
    assert earned(book) == amounts(A=300, B=200)


@pytest.mark.parametrize("order", ["AB", "BA"])
@pytest.mark.parametrize(
    ("times", "gains"),
    [((1, 2), amounts(A=500, B=0)), ((2, 1), amounts(A=100, B=400)), ((1, 1), amounts(A=300, B=200))],
)
def test_fifo_goes_by_the_opening_instant(order: str, times: tuple[int, int], gains: dict[str, Decimal]) -> None:
    assert earned(sixty_forty(order, times, "fifo")) == gains


@pytest.mark.parametrize("order", ["AB", "BA"])
def test_house_leaves_the_strategies_alone(order: str) -> None:
    book = sixty_forty(order, (1, 2), "house")
    assert held(book) == {**amounts(A=60, B=40), HOUSE: Decimal(-50)}


def test_given_weights_rule_and_caps_hold() -> None:
    assert earned(sixty_forty("AB", (1, 2), Weights(amounts(A=1, B=4)))) == amounts(A=100, B=400)
    # B would owe 45 of 50 and has 40: the rest is A's.
    assert earned(sixty_forty("AB", (1, 2), Weights(amounts(A=1, B=9)))) == amounts(A=100, B=400)
    # Only B has a weight: it gives all it has, then A, which has none.
    assert earned(sixty_forty("AB", (1, 2), Weights(amounts(B=1)))) == amounts(A=100, B=400)


def test_weights_come_from_the_latest_plan() -> None:
    plan = Plan(
        account_id=ACCOUNT,
        ts=3,
        trade_date=DAY,
        source="test",
        plan_id="p1",
        contributions={"A": amounts(AAPL="0.1"), "B": amounts(AAPL="0.3")},
        targets=amounts(AAPL="0.4"),
    )
    buys = [fill("a", 60, 100, "A"), fill("b", 40, 100, "B")]
    book = book_of(*buys, plan, fill("c", -40, 110), closing="weights")
    assert held(book) == amounts(A=50, B=10)


def test_a_short_position_is_closed_by_a_buy_alike() -> None:
    book = book_of(fill("a", -60, 100, "A"), fill("b", -40, 100, "B"), fill("c", 50, 90))
    assert held(book) == amounts(A=-30, B=-20)
    assert earned(book) == amounts(A=300, B=200)


# --- orders in slices -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closing", POLICIES)
@LAW
@given(slices=st.lists(st.integers(1, 9), min_size=1, max_size=12), data=st.data())
def test_slicing_an_order_changes_nothing(closing: str, slices: list[int], data: st.DataObject) -> None:
    sizes = {name: data.draw(st.integers(1, 40)) for name in "ABC"}
    times = {name: data.draw(st.integers(1, 3)) for name in "ABC"}
    opens = [option_fill(name, sizes[name], 5, name, ts=times[name]) for name in "ABC"]
    parts = [option_fill(f"close/{i}", -n, 7, ts=9) for i, n in enumerate(slices)]
    sliced = book_of(*opens, *parts, closing=closing)
    whole = book_of(*opens, option_fill("close/1", -sum(slices), 7, ts=9), closing=closing)
    assert held(sliced) == held(whole)
    assert earned(sliced) == earned(whole)


def test_nine_partial_fills_of_one_contract_close_three_of_each() -> None:
    """What goes wrong elsewhere: dividing each fill on its own gives 9/0/0."""
    opens = [option_fill(name, 5, 5, name) for name in "ABC"]
    book = book_of(*opens, *(option_fill(f"close/{i}", -1, 7) for i in range(9)))
    assert held(book) == amounts(A=2, B=2, C=2)


def test_the_proportion_is_that_of_the_orders_first_fill() -> None:
    opens = [option_fill("a", 10, 5, "A"), option_fill("b", 10, 5, "B")]
    first, later = option_fill("close/1", -4, 5), option_fill("close/2", -4, 5)
    book = book_of(*opens, first, option_fill("a2", 80, 5, "A"), later)
    assert held(book) == amounts(A=86, B=6)


def test_who_lost_his_holding_meanwhile_gives_only_what_is_left() -> None:
    opens = [option_fill("a", 10, 5, "A"), option_fill("b", 10, 5, "B")]
    first, later = option_fill("close/1", -4, 5), option_fill("close/2", -9, 5)
    book = book_of(*opens, first, option_fill("a2", -7, 5, "A"), later)
    assert held(book) == {}  # A's last one and all of B's eight


def test_who_came_later_is_asked_before_the_house_opens() -> None:
    first, later = option_fill("close/1", -4, 5), option_fill("close/2", -9, 5)
    book = book_of(option_fill("a", 6, 5, "A"), first, option_fill("b", 5, 5, "B"), later)
    assert held(book) == {HOUSE: Decimal(-2)}
    sliced = [option_fill(f"close/{i}", -1, 5) for i in range(2, 11)]
    assert held(book_of(option_fill("a", 6, 5, "A"), first, option_fill("b", 5, 5, "B"), *sliced)) == held(book)


def test_a_contract_is_never_divided() -> None:
    book = book_of(option_fill("a", 1, 5, "A"), option_fill("b", 1, 5, "B"), option_fill("c", -1, 6))
    assert held(book) == amounts(B=1)  # a tie goes to the first by name


def test_a_share_is_divided_to_the_ninth_decimal() -> None:
    book = book_of(*(fill(name, 1, 5, name) for name in "ABC"), fill("c", -1, 6))
    assert held(book) == amounts(A="0.666666666", B="0.666666667", C="0.666666667")  # the odd quantum is A's


def test_where_contracts_are_dealt_in_fractions_the_last_decimal_is_the_unit() -> None:
    opens = [option_fill("a", "0.5", 5, "A"), option_fill("b", "0.3", 5, "B")]
    book = book_of(*opens, option_fill("c", "-0.4", 6))
    assert held(book) == amounts(A="0.2", B="0.2")  # four tenths by 5 : 3; the tie for the last is A's


# --- the laws ---------------------------------------------------------------------------------------------------


def test_what_is_left_opens_in_the_house_in_sight() -> None:
    book = book_of(fill("a", 60, 100, "A"), fill("c", -100, 110))
    assert held(book) == {HOUSE: Decimal(-40)}
    assert book.allocate(fill("d", 1)).parts == {HOUSE: Decimal(1)}


def test_an_untagged_opening_is_the_houses_and_never_default() -> None:
    """What goes wrong elsewhere: an unattributed fill goes to a strategy called "default", in silence."""
    assert held(book_of(fill("a", 5, 100))) == {HOUSE: Decimal(5)}
    assert HOUSE == "unattributed"


def test_the_house_takes_its_turn_in_closing() -> None:
    book = book_of(fill("a", 60, 100, "A"), fill("h", 40, 100), fill("c", -50, 110))
    assert held(book) == {"A": Decimal(30), HOUSE: Decimal(20)}


trades = st.lists(
    st.tuples(
        st.sampled_from([1, -1]), st.integers(1, 10**6), st.sampled_from(["A", "B", "C", None, None]), st.integers(0, 3)
    ),
    min_size=1,
    max_size=25,
)


@pytest.mark.parametrize("closing", [*POLICIES, Weights(amounts(A=3, C="0.5"))])
@LAW
@given(sequence=trades)
def test_an_untagged_fill_never_flips_or_enlarges_a_strategy(closing: Any, sequence: list[Any]) -> None:
    book = Book(closing)
    for i, (sign, thousandths, owner, order) in enumerate(sequence):
        before = {p.strategy: p.quantity for p in book.positions()}
        key = f"order{order}{sign}/{i}" if owner is None else f"own{i}"
        book.apply(fill(key, sign * Decimal(thousandths).scaleb(-3), 10 + i, owner, ts=i, fees=Decimal("0.01")))
        if owner is None:
            for name, quantity in held(book).items():
                if name != HOUSE:
                    assert abs(quantity) <= abs(before[name])
                    assert quantity * before[name] > 0
    assert_adds_up(book, amounts(AAPL="17.31"))
    assert sum(held(book).values()) == sum(s * Decimal(n).scaleb(-3) for s, n, _, _ in sequence)


def test_a_policy_of_ones_own() -> None:
    class NewestStrategyFirst:
        name = "by_name_backwards"

        def pools(self, holders: dict[str, Line], plan: object) -> list[Pool]:
            sizes = {name: abs(line.units) for name, line in holders.items()}
            return [Pool({name: sizes[name]}, {name: sizes[name]}) for name in sorted(sizes, reverse=True)]

    book = sixty_forty("AB", (1, 2), NewestStrategyFirst())
    assert held(book) == amounts(A=50)
    assert book.allocate(fill("d", -1)).policy == "by_name_backwards"


def test_an_unknown_policy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidRecordError, match="pro_rata, fifo, weights, house"):
        Book("lifo")


# --- tagged by weights ------------------------------------------------------------------------------------------


@LAW
@given(st.permutations(range(1, 10)).map(lambda p: p[:6]))
def test_a_fill_of_ninety_gives_sixty_and_thirty_in_any_slicing(slices: list[int]) -> None:
    """K2."""
    rest = 90 - sum(slices)
    wants = amounts(momentum="0.4", mean_rev="0.2")
    fills = [option_fill(f"o/{i}", n, 5, None, weights=wants) for i, n in enumerate([*slices, rest])]
    assert held(book_of(*fills)) == amounts(momentum=60, mean_rev=30)


def test_a_tagged_fill_may_flip_its_strategy() -> None:
    assert held(book_of(fill("a", 60, 100, "A"), fill("b", -100, 100, "A"))) == amounts(A=-40)


def test_every_prefix_of_a_cancelled_order_gives_what_was_filled() -> None:
    """K4."""
    wants = amounts(A=5, B=3, C=1)
    for sizes in permutations((1, 2, 4)):
        book, filled = Book(), 0
        for i, n in enumerate(sizes):
            book.apply(option_fill(f"o/{i}", n, 5, None, weights=wants))
            filled += n
            assert sum(held(book).values()) == filled
