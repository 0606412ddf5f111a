"""What strategies want, added up exactly; opposite wishes are crosses and never shares."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.ledger.consolidate import consolidate, net_strategies, require_contributions_add_up
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.money import exact
from tests.ledger.book_tools import LAW, amounts, assert_adds_up, book_of, cross, fill, held

weights = st.decimals(min_value=-3, max_value=3, places=12)
wishes = st.lists(
    st.tuples(st.sampled_from("ABCD"), st.dictionaries(st.sampled_from(["AAPL", "BRK.B", "SPY"]), weights)), max_size=8
)


@LAW
@given(wishes)
def test_contributions_add_up_to_the_targets_exactly(said: list[tuple[str, dict[str, Decimal]]]) -> None:
    """K1: for every symbol, those that net to 0 included; two files of one strategy add up."""
    made = consolidate(said)
    with exact():
        for symbol, target in made.targets.items():
            assert sum(made.of_symbol(symbol).values()) == target
            assert sum(wants[symbol] for _, wants in said if symbol in wants) == target
    assert made.targets.keys() == {symbol for _, wants in said for symbol in wants}
    assert made.contributions.keys() == {name for name, _ in said}
    require_contributions_add_up(made.contributions, made.targets)


def test_the_example() -> None:
    """K2."""
    made = consolidate([("momentum", amounts(AAPL="0.4")), ("mean_rev", amounts(AAPL="0.2"))])
    assert made.targets == amounts(AAPL="0.6")


def test_two_files_of_one_strategy_add_up_and_a_net_of_zero_stays() -> None:
    made = consolidate([("A", amounts(X="0.1")), ("A", amounts(X="0.2")), ("B", amounts(X="-0.3"))])
    assert made.of_symbol("X") == amounts(A="0.3", B="-0.3")
    assert made.targets == amounts(X=0)


def test_a_float_is_refused_by_name() -> None:
    with pytest.raises(InvalidRecordError) as caught:
        consolidate([("A", {"X": 0.1})])  # type: ignore[dict-item]
    assert caught.value.field == "contributions[A][X]"


@pytest.mark.parametrize("targets", [amounts(X="0.3"), amounts(X="0.1", Y=0), {}])
def test_targets_that_are_not_the_sum_are_refused(targets: dict[str, Decimal]) -> None:
    with pytest.raises(InvalidRecordError, match="the sum of the contributions"):
        require_contributions_add_up({"A": amounts(X="0.1")}, targets)


# --- netting ----------------------------------------------------------------------------------------------------


def test_opposite_wishes_make_one_order_and_one_cross() -> None:
    """K3. What goes wrong elsewhere (alchemiser-quant #2872): by the signed sum, A has 150 % and B −50 %."""
    netting = net_strategies(amounts(A="0.6", B="-0.2"))
    assert netting.quantity == Decimal("0.4")
    assert netting.order == amounts(A="0.4")
    assert (netting.buys, netting.sells) == (amounts(A="0.2"), amounts(B="0.2"))


def test_a_net_of_zero_is_a_cross_and_no_order() -> None:
    """K3."""
    netting = net_strategies(amounts(A=20, B=-5, C=-15))
    assert (netting.quantity, netting.order) == (0, {})
    assert (netting.buys, netting.sells) == (amounts(A=20), amounts(B=5, C=15))


def test_wishes_of_one_side_make_no_cross() -> None:
    netting = net_strategies(amounts(A=-20, B=-5, C=0))
    assert (netting.quantity, netting.order) == (-25, amounts(A=20, B=5))
    assert (netting.buys, netting.sells) == ({}, {})
    assert net_strategies({}).quantity == 0


@LAW
@given(
    st.dictionaries(st.sampled_from("ABCDE"), st.integers(-50, 50).map(Decimal), min_size=1),
    st.sampled_from(["1", "1e-9"]),
)
def test_everybody_gets_what_it_wants_in_whole_units(wants: dict[str, Decimal], quantum: str) -> None:
    netting = net_strategies(wants, Decimal(quantum))
    sign = 1 if netting.quantity >= 0 else -1
    for name, wish in wants.items():
        got = sign * netting.order.get(name, Decimal(0)) + netting.buys.get(name, Decimal(0))
        assert got - netting.sells.get(name, Decimal(0)) == wish
    assert sum(netting.buys.values()) == sum(netting.sells.values())
    assert sum(netting.order.values()) == abs(netting.quantity)
    assert all(part > 0 for side in (netting.order, netting.buys, netting.sells) for part in side.values())
    if quantum == "1":
        assert all(part % 1 == 0 for side in (netting.order, netting.buys, netting.sells) for part in side.values())


@LAW
@given(
    st.dictionaries(st.sampled_from("ABCDE"), st.integers(-50, 50).map(Decimal), min_size=2).filter(
        lambda w: any(w.values())
    )
)
def test_the_book_ends_where_the_wishes_are(wants: dict[str, Decimal]) -> None:
    """K3, through the book: positions as wished, the account as if the order alone had been."""
    netting = net_strategies(wants, Decimal(1))
    records = []
    if netting.buys:
        records.append(cross("p", "99.98", netting.buys, netting.sells))
    if netting.quantity:
        records.append(fill("o", str(netting.quantity), "100.01", None, weights=netting.order))
    book = book_of(*records)
    assert held(book) == {name: wish for name, wish in wants.items() if wish}
    assert book.cash() == -netting.quantity * Decimal("100.01")
    assert_adds_up(book, amounts(AAPL=101))
