"""The laws of the book, on anything that can happen in any order: an account told by a slow, obvious twin.

The twin keeps no strategies, no lots and no integers: for every symbol a quantity and a sum of cash, as fractions,
counted anew from the facts as they are now known. Whatever the book does with strategies, its account must be that.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from attribution.ledger.book import Book
from attribution.ledger.canonical import canonical_json
from attribution.ledger.errors import ConflictError
from attribution.ledger.fold import restore, snapshot
from attribution.ledger.records import HOUSE, Correction, Cross, Event, Fill, Record
from tests.ledger.book_tools import (
    amounts,
    assert_adds_up,
    correction,
    cross,
    event,
    fill,
    held,
    option_event,
    option_fill,
)

STOCK, OPTION = "AAPL", "AAPL260320C00100000"
MARKS = {STOCK: Decimal("101.37"), OPTION: Decimal("4.21")}
owners = st.sampled_from(["A", "B", "C", None, None])
sides = st.sampled_from([1, -1])
prices = st.integers(0, 20000).map(lambda cents: Decimal(cents).scaleb(-2))
fees = st.sampled_from([Decimal(0), Decimal("0.35"), Decimal("1.00"), Decimal("-0.0007"), None])


class Account:
    """Quantity and cash per symbol, counted anew each time."""

    def __init__(self, told: list[Record]) -> None:
        self.quantity = {STOCK: Fraction(0), OPTION: Fraction(0)}
        self.cash = Fraction(0)
        corrections: dict[str, list[Correction]] = {}
        for record in told:
            if isinstance(record, Correction):
                corrections.setdefault(record.fill_key, []).append(record)
        for record in told:
            if isinstance(record, Fill):
                self._fill(record, sorted(corrections.get(record.key, []), key=lambda c: c.revision))
            elif isinstance(record, Event):
                self._event(record)

    def _fill(self, one: Fill, corrections: list[Correction]) -> None:
        busted = False
        for change in corrections:
            busted = change.action == "bust"
            stated = {n: getattr(change, n) for n in ("side", "quantity", "price", "fees")}
            one = replace(one, split=None, **{n: value for n, value in stated.items() if value is not None})
        if not busted:
            signed = Fraction(one.signed_quantity)
            self.quantity[one.symbol] += signed
            self.cash -= signed * Fraction(one.price) * Fraction(one.multiplier) + Fraction(one.fees or 0)

    def _event(self, one: Event) -> None:
        if one.action == "expire":
            self.cash += self.quantity[OPTION] * Fraction(one.price or 0) * 100
            self.quantity[OPTION] = Fraction(0)
        elif one.action == "split":
            self.quantity[STOCK] *= Fraction(one.new or 1, one.old or 1)
        elif one.action == "dividend":
            self.cash += Fraction(one.amount or 0)
        elif one.action == "assign":
            contracts = Fraction(one.quantity or 0)
            self.quantity[OPTION] += contracts
            self.quantity[STOCK] -= 100 * contracts
            self.cash += 100 * contracts * Fraction(one.strike or 0)


class AnythingHappens(RuleBasedStateMachine):
    """Fills, duplicates, conflicts, corrections, crosses, expiries, assignments, splits, dividends, transfers."""

    @initialize(closing=st.sampled_from(["pro_rata", "fifo", "weights", "house"]))
    def start(self, closing: str) -> None:
        self.book = Book(closing, keep_matches=True)
        self.told: list[Record] = []

    def tell(self, record: Record) -> None:
        assert self.book.apply(record)
        self.told.append(record)

    @property
    def fills(self) -> list[Fill]:
        return [record for record in self.told if isinstance(record, Fill)]

    @rule(sign=sides, size=st.integers(1, 10**5), price=prices, owner=owners, fee=fees, order=st.integers(0, 2))
    def trade_stock(
        self, sign: int, size: int, price: Decimal, owner: str | None, fee: Decimal | None, order: int
    ) -> None:
        before = held(self.book, STOCK)
        key = f"o{order}/{len(self.told)}" if owner is None else f"t{len(self.told)}"
        self.tell(fill(key, sign * Decimal(size).scaleb(-3), price, owner, fees=fee, ts=len(self.told)))
        if owner is None:
            self.check_untagged(before, held(self.book, STOCK))

    @rule(sign=sides, size=st.integers(1, 20), price=prices, owner=owners, fee=fees, weights=st.booleans())
    def trade_options(
        self, sign: int, size: int, price: Decimal, owner: str | None, fee: Decimal | None, weights: bool
    ) -> None:
        before = held(self.book, OPTION)
        more: dict[str, Any] = {"fees": fee, "ts": len(self.told)}
        if weights:
            owner, more["weights"] = None, amounts(A=3, B=2, C=1)
        self.tell(option_fill(f"opt{len(self.told)}", sign * size, price, owner, **more))
        if owner is None and not weights:
            self.check_untagged(before, held(self.book, OPTION))
        assert all(quantity % 1 == 0 for quantity in held(self.book, OPTION).values())

    def check_untagged(self, before: dict[str, Decimal], after: dict[str, Decimal]) -> None:
        for name, quantity in after.items():
            if name != HOUSE:
                assert abs(quantity) <= abs(before[name])
                assert quantity * before[name] > 0

    @precondition(lambda self: self.fills)
    @rule(data=st.data())
    def tell_a_fill_again(self, data: st.DataObject) -> None:
        assert not self.book.apply(data.draw(st.sampled_from(self.fills)))

    @precondition(lambda self: self.fills)
    @rule(data=st.data())
    def contradict_a_fill(self, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from(self.fills))
        with pytest.raises(ConflictError):
            self.book.apply(replace(known, price=known.price + 1))

    @precondition(lambda self: self.fills)
    @rule(data=st.data(), action=st.sampled_from(["bust", "correct", "reassign", "resize"]), price=prices)
    def correct_a_fill(self, data: st.DataObject, action: str, price: Decimal) -> None:
        known = data.draw(st.sampled_from(self.fills))
        done = [r for r in self.told if isinstance(r, Correction) and r.fill_key == known.key]
        quantity = next((c.quantity for c in reversed(done) if c.quantity), known.quantity)
        more: dict[str, Any] = {"fill_key": known.key, "revision": len(done) + 1}
        if action == "correct":
            more |= {"price": price, "fees": Decimal("0.11")}
        elif action == "resize":
            action, more["quantity"] = "correct", quantity + 1
        elif action == "reassign":
            more["split"] = {"B": quantity}
        self.tell(replace(correction("x", "bust"), action=action, **more))

    @rule(size=st.integers(1, 50), price=prices, buyer=st.sampled_from("AB"))
    def cross_strategies(self, size: int, price: Decimal, buyer: str) -> None:
        before = self.book.cash()
        made: Cross = cross(f"p{len(self.told)}", str(price), {buyer: Decimal(size)}, {"C": Decimal(size)})
        self.tell(made)
        assert self.book.cash() == before

    @rule(price=st.sampled_from([None, Decimal("2.5")]))
    def expire(self, price: Decimal | None) -> None:
        self.tell(option_event(f"e{len(self.told)}", "expire", price=price))
        assert held(self.book, OPTION) == {}

    @rule(contracts=st.integers(1, 5))
    def assign(self, contracts: int) -> None:
        terms = {"into": STOCK, "strike": Decimal(100), "right": "CALL", "quantity": Decimal(contracts)}
        self.tell(option_event(f"e{len(self.told)}", "assign", **terms))

    @rule(ratio=st.sampled_from([(2, 1), (3, 2), (1, 2)]))
    def split(self, ratio: tuple[int, int]) -> None:
        if sum(isinstance(r, Event) and r.action == "split" for r in self.told) < 3:  # the grid has 18 decimals
            self.tell(event(f"e{len(self.told)}", "split", new=ratio[0], old=ratio[1]))

    @rule(amount=st.integers(-500, 500).filter(bool))
    def pay_a_dividend(self, amount: int) -> None:
        self.tell(event(f"e{len(self.told)}", "dividend", amount=Decimal(amount).scaleb(-2)))

    @rule(giver=st.sampled_from("ABC"), taker=st.sampled_from("BCD"))
    def transfer(self, giver: str, taker: str) -> None:
        quantity = abs(held(self.book, STOCK).get(giver, Decimal(0)))
        if quantity and giver != taker:
            gives, takes = {giver: quantity}, {taker: quantity}
            self.tell(event(f"e{len(self.told)}", "transfer", split=gives, to_split=takes))

    # --- the laws ---

    @invariant()
    def the_account_identity_is_exact(self) -> None:
        assert_adds_up(self.book, MARKS)

    @invariant()
    def the_account_is_the_twins(self) -> None:
        account = Account(self.told)
        assert Fraction(self.book.cash()) == account.cash
        for symbol, quantity in account.quantity.items():
            parts = held(self.book, symbol).values()
            assert abs(sum((Fraction(part) for part in parts), Fraction(0)) - quantity) <= Fraction(
                len(self.told), 10**16
            )

    @invariant()
    def the_lots_of_a_strategy_are_on_one_side(self) -> None:
        for position in self.book.positions():
            lots = self.book.lots(position.strategy, position.symbol)
            assert sum(lot.quantity for lot in lots) == position.quantity
            assert len({lot.quantity > 0 for lot in lots}) == 1
            assert sum(lot.cost for lot in lots) == position.cost

    def teardown(self) -> None:
        if not hasattr(self, "book"):
            return
        state = snapshot(self.book)
        again = restore(state, keep_matches=True)
        assert canonical_json(snapshot(again)) == canonical_json(state)
        assert again.positions(flat=True) == self.book.positions(flat=True)
        assert again.closed() == self.book.closed()


TestAnythingHappens = AnythingHappens.TestCase
TestAnythingHappens.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
