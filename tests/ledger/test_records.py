"""All kinds of records: through a body and back, checked at the door, keyed by what they are."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.ledger.canonical import canonical_json
from attribution.ledger.entry import Kind
from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.record import joined_key
from attribution.ledger.records import (
    Allocation,
    Correction,
    CorrectionAction,
    Cross,
    Event,
    Fill,
    Intent,
    Mark,
    Plan,
    PlanItem,
    Recon,
    Record,
    Suppression,
    SuppressionReason,
    record_of,
)
from tests.ledger.book_tools import LAW, amounts, entries

D = Decimal
ENVELOPE: dict[str, Any] = {
    "account_id": "acct", "ts": 1_772_460_000_000_000_001, "trade_date": date(2026, 3, 2), "source": "alpaca",
    "correlation_id": "run-1", "causation_id": "signal-7",
}  # fmt: skip
FULL: list[Record] = [
    Plan(
        **ENVELOPE, plan_id="p1", contributions={"A": amounts(X="0.6"), "B": amounts(X="-0.2")},
        targets=amounts(X="0.4"),
        items=(
            PlanItem(item="1", symbol="X", action="BUY", intended_quantity=D(4), quantity=D(4), price=D("99.5")),
            PlanItem(item="2", symbol="Y", action="SUPPRESSED", intended_amount=D(500), reason="below_min_notional"),
            PlanItem(item="3", symbol="Z", action="HOLD"),
        ),
        positions=amounts(Z=7), prices=amounts(X="99.5"), equity=D("100000.01"), settings={"min_notional": "1000"},
    ),
    Suppression(
        **ENVELOPE, plan_id="p1", item="2", symbol="Y", reason="below_min_notional", side="SELL",
        intended_quantity=D(0), intended_amount=D("-500"), threshold=D(1000), price=D(10),
        contributions=amounts(A="-0.1", B="0.05"), leg_group="g", notes="small",
    ),
    Intent(
        **ENVELOPE, client_order_id="c1", symbol="X", side="BUY", quantity=D(4), plan_id="p1", item="1", attempt=2,
        full_id="full", weights=amounts(A="0.6"), asset_type="OPTION", order_type="LIMIT", limit_price=D("1.05"),
        bid=D(1), ask=D("1.1"), expected_price=D("1.05"), multiplier=D(100), leg_group="g", notes="n",
    ),
    Fill(
        **ENVELOPE, order_id="o1", fill_id="f1", symbol="SPXW230113P03965000", side="SELL", quantity=D(3),
        price=D("0.05"), fees=D("-0.0001"), split=amounts(A=2, B=1), weights=amounts(A="0.6", B="0.3"),
        asset_type="OPTION", order_type="LIMIT", bid=D("0.05"), ask=D("0.10"), quote_ts=5, expected_price=D("0.075"),
        client_order_id="c1", plan_id="p1", plan_item="1", venue="CBOE", multiplier=D(100), currency="USD",
        leg_group="g", notes="n", ledger_id="l", event_id="e",
    ),
    Allocation(**ENVELOPE, fill_key="CBOE/o1/f1", policy="pro_rata", parts=amounts(A=2), fees=amounts(A=0, B="0.1")),
    Cross(**ENVELOPE, plan_id="p1", symbol="X", price=D("99.5"), buys=amounts(A=2), sells=amounts(B=1, C=1),
          asset_type="ETF", multiplier=D(2), bid=D(99), ask=D(100), notes="n"),
    Correction(**ENVELOPE, fill_key="/o1/f1", revision=3, action="correct", side="BUY", quantity=D(3), price=D("0.1"),
               fees=D(0), split=amounts(A=3), reason="price improved"),
    Event(
        **ENVELOPE, event_id="e1", action="assign", symbol="XOPT", asset_type="OPTION", quantity=D(2), side="BUY",
        price=D(0), fees=D(5), into="X", strike=D(100), deliverable=D(100), right="PUT", multiplier=D(100),
        split=amounts(A=2), to_split=amounts(B=2), amount=D(-1), new=2, old=1, order_id="o9", notes="n",
    ),
    Mark(**ENVELOPE, symbol="BTC/USD", price=D("64000.5"), bid=D(64000), ask=D(64001)),
    Recon(**ENVELOPE, recon_id="r1", level="cash", subject="USD", ours=D(1), theirs=D("1.01"),
          as_of=date(2026, 3, 1), notes="n"),
]  # fmt: skip
by_kind = pytest.mark.parametrize("record", FULL, ids=lambda record: str(record.kind))


@by_kind
def test_through_a_body_and_json_and_back(record: Record) -> None:
    draft = record.draft()
    (entry,) = entries([record])
    again = replace(entry, body=json.loads(canonical_json(draft.body)))
    assert record_of(again) == record_of(draft) == record
    assert type(record).from_body(record.to_body(), draft) == record


@by_kind
def test_the_envelope_carries_what_is_not_in_the_body(record: Record) -> None:
    draft, body = record.draft(), record.to_body()
    assert not ENVELOPE.keys() & body.keys()
    assert {name: getattr(draft, name) for name in ENVELOPE} == ENVELOPE
    assert (draft.kind, draft.key) == (record.kind, record.key)


@by_kind
def test_every_field_of_the_example_is_set(record: Record) -> None:
    # so that the round trip above leaves nothing untried
    assert [f.name for f in fields(record) if getattr(record, f.name) is None] == []


def test_every_kind_but_the_quarantine_has_a_record() -> None:
    assert {record.kind for record in FULL} == set(Kind) - {Kind.QUARANTINE}


def test_what_is_not_known_is_left_out_and_comes_back_as_none() -> None:
    body = Mark(**ENVELOPE, symbol="X", price=D(1)).to_body()
    assert body == {"symbol": "X", "price": "1", "currency": "USD"}
    assert Mark.from_body({**body, "bid": None}, FULL[0].draft()).bid is None


def test_a_field_of_a_later_version_is_let_pass() -> None:
    body = Mark(**ENVELOPE, symbol="X", price=D(1)).to_body()
    assert Mark.from_body({**body, "colour": "red"}, FULL[0].draft()).price == 1


@pytest.mark.parametrize("body", [{}, {"symbol": "X"}, {"symbol": "X", "price": "ten"}, {"symbol": "X", "price": []}])
def test_a_body_that_is_none_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecordError):
        Mark.from_body(body, FULL[0].draft())


# --- keys -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("plan", "p1"), ("suppress", "p1/2"), ("intent", "c1"), ("fill", "CBOE/o1/f1"), ("alloc", "CBOE/o1/f1"),
        ("cross", "p1/X"), ("correct", "/o1/f1#3"), ("event", "e1"), ("mark", "BTC%2FUSD/2026-03-02"), ("recon", "r1"),
    ],
)  # fmt: skip
def test_the_key_is_what_makes_it_the_same_fact(kind: str, key: str) -> None:
    assert next(record for record in FULL if record.kind == kind).key == key


texts = st.lists(st.text(alphabet="ab/%#2F:", max_size=5), min_size=1, max_size=4)


@LAW
@given(texts, texts)
def test_different_parts_never_make_one_key(one: list[str], other: list[str]) -> None:
    if len(one) == len(other):
        assert (joined_key(*one) == joined_key(*other)) == (one == other)
    assert "#" not in joined_key(*one)


# --- checks at the door -----------------------------------------------------------------------------------------


def a_fill(**changed: Any) -> Fill:
    values = {"order_id": "o", "fill_id": "f", "symbol": "X", "side": "BUY", "quantity": D(1), "price": D(1)}
    return Fill(**(ENVELOPE | values | changed))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"quantity": D(0)}, "quantity"), ({"quantity": D(-1)}, "quantity"), ({"quantity": 1.5}, "quantity"),
        ({"quantity": 1}, "quantity"), ({"quantity": D("NaN")}, "quantity"), ({"quantity": D("1e15")}, "quantity"),
        ({"quantity": D("1e-19")}, "quantity"), ({"price": D("-0.01")}, "price"), ({"price": D("Infinity")}, "price"),
        ({"price": None}, "price"), ({"symbol": "X" * 51}, "symbol"), ({"symbol": ""}, "symbol"),
        ({"symbol": " X"}, "symbol"),
        ({"side": "buy"}, "side"), ({"side": None}, "side"), ({"asset_type": "STONK"}, "asset_type"),
        ({"order_id": ""}, "order_id"), ({"fill_id": 7}, "fill_id"), ({"multiplier": D(0)}, "multiplier"),
        ({"multiplier": D("0.0000001")}, "multiplier"), ({"fees": D("NaN")}, "fees"), ({"bid": 1.0}, "bid"),
        ({"split": {}}, "split"), ({"split": amounts(A=2)}, "split"), ({"split": amounts(A=2, B=-1)}, "split[B]"),
        ({"weights": amounts(A="0.6", B="-0.2")}, "weights[B]"), ({"weights": {"": D(1)}}, "weights (strategy)"),
    ],
)  # fmt: skip
def test_a_malformed_fill_names_the_field(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        a_fill(**changed)
    assert caught.value.field == field


def test_what_must_be_let_in() -> None:
    """What goes wrong elsewhere: expiries at 0, option symbols of 21 characters and rebates are refused."""
    a_fill(price=D(0))
    a_fill(symbol="SPXW  230113P03965000")
    a_fill(symbol="X" * 50)
    a_fill(fees=D("-0.2"))
    a_fill(expected_price=D("-1.05"), bid=D("-0.1"))  # a spread's own prices may be negative


def test_a_suppressed_quantity_of_zero_is_valid() -> None:
    """What goes wrong elsewhere: the record of a trade not done needs a quantity above 0, and cannot be written."""
    Suppression(**ENVELOPE, plan_id="p", item="1", symbol="X", reason="rounded_to_zero", intended_quantity=D(0))


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_every_reason_is_in_the_closed_vocabulary(reason: SuppressionReason) -> None:
    kept = Suppression(**ENVELOPE, plan_id="p", item="1", symbol="X", reason=reason)
    assert record_of(kept.draft()) == kept
    with pytest.raises(InvalidRecordError, match="below_min_notional"):
        Suppression(**ENVELOPE, plan_id="p", item="1", symbol="X", reason="bad luck")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"buys": amounts(A=3)}, "buys"), ({"sells": {}}, "sells"), ({"buys": amounts(B=2)}, "buys"),
        ({"price": D(-1)}, "price"),
    ],
)  # fmt: skip
def test_a_malformed_cross_names_the_field(changed: dict[str, Any], field: str) -> None:
    values = {"plan_id": "p", "symbol": "X", "price": D(1), "buys": amounts(A=2), "sells": amounts(B=2)}
    with pytest.raises(InvalidRecordError) as caught:
        Cross(**(ENVELOPE | values | changed))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("action", "values", "field"),
    [
        ("bust", {"price": D(1)}, "price"), ("bust", {"split": amounts(A=1)}, "split"), ("reassign", {}, "split"),
        ("reassign", {"split": amounts(A=1), "fees": D(1)}, "fees"), ("correct", {}, "action"),
        ("correct", {"quantity": D(2), "split": amounts(A=1)}, "split"), ("undo", {}, "action"),
        ("bust", {"revision": 0}, "revision"), ("correct", {"quantity": D(0)}, "quantity"),
    ],
)  # fmt: skip
def test_a_malformed_correction_names_the_field(action: str, values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        Correction(**(ENVELOPE | {"fill_key": "k", "revision": 1, "action": action} | values))
    assert caught.value.field == field
    assert action == "undo" or action in list(CorrectionAction)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"targets": amounts(X="0.5")}, "the sum of the contributions"),
        ({"items": (PlanItem(item="1", symbol="X", action="BUY"),) * 2}, "distinct names"),
        ({"prices": {"X": 1.5}}, r"prices\[X\]"),
    ],
)
def test_a_malformed_plan_is_refused(changed: dict[str, Any], message: str) -> None:
    values = {"plan_id": "p", "contributions": {"A": amounts(X="0.4")}, "targets": amounts(X="0.4")}
    with pytest.raises(InvalidRecordError, match=message):
        Plan(**(ENVELOPE | values | changed))


def test_a_plan_item_is_suppressed_for_a_reason_and_only_then() -> None:
    for action, reason in (("SUPPRESSED", None), ("BUY", "no_price")):
        with pytest.raises(InvalidRecordError, match="reason"):
            PlanItem(item="1", symbol="X", action=action, reason=reason)


money = st.decimals(min_value=0, max_value=10**9, places=9)


strategy_names = st.text(min_size=1, max_size=9).filter(lambda name: name == name.strip() and name.isprintable())


@LAW
@given(
    quantity=money.filter(bool),
    price=money,
    fees=st.none() | money,
    weights=st.none() | st.dictionaries(strategy_names, money.filter(bool), min_size=1),
)
def test_any_fill_comes_back_as_it_went(**values: Any) -> None:
    one = a_fill(**values)
    back = record_of(replace(entries([one])[0], body=json.loads(canonical_json(one.draft().body))))
    assert back == one
    assert canonical_json(back.to_body()) == canonical_json(one.to_body())  # type: ignore[union-attr]
