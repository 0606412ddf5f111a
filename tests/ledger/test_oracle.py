"""An independent judge: beancount's FIFO booking, one account per strategy, on random books of ours."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger_book import bare_loop, book_fills, make_fills, paid_and_gained
from tests.ledger.book_tools import amounts, book_of, fill, held

loader = pytest.importorskip(
    "beancount.loader", reason="beancount is not installed: the independent oracle is not asked"
)

HEAD = """option "operating_currency" "USD"
option "booking_method" "FIFO"
2020-01-01 open Assets:Cash
2020-01-01 open Assets:A AAPL "FIFO"
2020-01-01 open Assets:B AAPL "FIFO"
2020-01-01 open Income:A
2020-01-01 open Income:B
"""

trades = st.lists(
    st.tuples(st.sampled_from("AB"), st.booleans(), st.integers(1, 5000), st.integers(100, 99999)),
    min_size=1,
    max_size=30,
)


def _journal(told: list[tuple[str, Decimal, Decimal]]) -> str:
    lines = [HEAD]
    for i, (owner, quantity, price) in enumerate(told):
        day = date(2021, 1, 1) + timedelta(days=i)
        lots = f"{{{price} USD}}" if quantity > 0 else f"{{}} @ {price} USD"
        income = "" if quantity > 0 else f"\n  Income:{owner}"
        lines.append(
            f'{day} * "t"\n  Assets:{owner}  {quantity} AAPL {lots}\n  Assets:Cash  {-quantity * price} USD{income}'
        )
    return "\n".join(lines)


@settings(max_examples=40, deadline=None)
@given(trades)
def test_beancount_books_the_same_gains_and_the_same_lots(drawn: list[tuple[str, bool, int, int]]) -> None:
    told, open_ = [], {"A": Decimal(0), "B": Decimal(0)}
    for owner, sells, thousandths, cents in drawn:
        quantity, price = Decimal(thousandths).scaleb(-3), Decimal(cents).scaleb(-2)
        if sells and open_[owner]:
            quantity = -min(quantity, open_[owner])
        open_[owner] += quantity
        told.append((owner, quantity, price))
    book = book_of(*(fill(f"o{i}", q, p, owner, ts=i) for i, (owner, q, p) in enumerate(told)))  # type: ignore[arg-type]

    ledger, errors, _ = loader.load_string(_journal(told))
    assert errors == []
    gains = dict.fromkeys("AB", Decimal(0))
    lots: dict[str, dict[tuple[date, Decimal], Decimal]] = {"A": {}, "B": {}}
    for entry in ledger:
        for posting in getattr(entry, "postings", ()):
            kind, _, owner = posting.account.partition(":")
            if kind == "Income":
                gains[owner] -= posting.units.number
            elif posting.cost is not None:
                lot = (posting.cost.date, posting.cost.number)
                lots[owner][lot] = lots[owner].get(lot, Decimal(0)) + posting.units.number
    assert {name: book.realised(strategy=name) for name in "AB"} == gains
    for name in "AB":
        theirs = [(q, q * price) for (_, price), q in sorted(lots[name].items()) if q]
        assert [(lot.quantity, lot.cost) for lot in book.lots(name)] == theirs


def test_the_oracle_is_independent() -> None:
    # The oracle must be able to say no: a last-in-first-out answer differs on this book.
    told = [("A", Decimal(1), Decimal(10)), ("A", Decimal(1), Decimal(20)), ("A", Decimal(-1), Decimal(30))]
    ledger, errors, _ = loader.load_string(_journal(told))
    assert errors == []
    income = sum(p.units.number for e in ledger for p in getattr(e, "postings", ()) if p.account == "Income:A")
    assert -income == 20
    book = book_of(*(fill(f"o{i}", str(q), str(p), owner) for i, (owner, q, p) in enumerate(told)))
    assert (book.realised(), held(book)) == (20, amounts(A=1))


@pytest.mark.parametrize("seed", range(5))
def test_the_bare_loop_of_the_benchmark_earns_the_same(seed: int) -> None:
    fills = make_fills(400, untagged=0.0, seed=seed)
    assert bare_loop(fills) == paid_and_gained(book_fills(fills))
