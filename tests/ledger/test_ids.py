"""Client order ids: read back what was written, the same for the same order, nothing cut short, nothing sent twice."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.ledger.errors import ConflictError, InvalidRecordError
from attribution.ledger.ids import (
    PROFILES,
    BrokerProfile,
    IdForm,
    derived_fill_id,
    encode_order_id,
    intents_of,
    new_intents,
    owner_of,
    parse_order_id,
    plan_id_of,
    require_distinct,
    to_submit,
)
from attribution.ledger.records import HOUSE, Intent
from tests.ledger.book_tools import ACCOUNT, DAY, LAW, amounts, entries

TS = int(datetime(2023, 12, 1, 9, 30, 0, tzinfo=UTC).timestamp()) * 10**9
ROOT = Path(__file__).resolve().parents[2]


def encode(strategy: str = "nuclear", symbol: str = "AAPL", item: str = "1", **more: Any) -> Any:
    return encode_order_id(strategy, symbol, more.pop("plan_id", "plan"), item, more.pop("ts", TS), **more)


def intent(item: str = "1", **more: Any) -> Intent:
    values = {
        "account_id": ACCOUNT, "ts": TS, "trade_date": DAY, "source": "t", "client_order_id": encode(item=item).text,
        "symbol": "AAPL", "side": "BUY", "quantity": Decimal(1), "plan_id": "plan", "item": item,
    }  # fmt: skip
    return Intent(**(values | more))


# --- reading ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "strategy", "symbol", "attempt"),
    [
        ("nuclear-AAPL-20231201T093000-a1b2c3d4-v1", "nuclear", "AAPL", 1),
        ("nuclear-AAPL-20231201T093000-a1b2c3d4", "nuclear", "AAPL", None),
        ("1-KMLM-BRK.B-20231201T093000-a1b2c3d4-v12", "1-KMLM", "BRK.B", 12),
        ("a-b-c-BTC/USD-20231201T093000-a1b2c3d4", "a-b-c", "BTC/USD", None),
    ],
)
def test_the_full_form_is_read(text: str, strategy: str, symbol: str, attempt: int | None) -> None:
    """C1."""
    read = parse_order_id(text)
    assert read is not None
    assert (read.form, read.strategy, read.symbol, read.mark, read.attempt) == (
        "full", strategy, symbol, "a1b2c3d4", attempt,
    )  # fmt: skip
    assert read.time == datetime(2023, 12, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "symbol"),
    [("alch-AAPL-20231201T093000-a1b2c3d4", "AAPL"), ("alch-something-else", None), ("alch-", None)],
)
def test_ids_of_old_are_the_houses(text: str, symbol: str | None) -> None:
    """C1."""
    read = parse_order_id(text)
    assert read is not None
    assert (read.form, read.strategy, read.symbol) == (IdForm.LEGACY, HOUSE, symbol)


@pytest.mark.parametrize(
    "text",
    [
        "", "-", "garbage", "nuclear-AAPL", "9e5c1e9a-55e0-4b2f-9f34-f5a3f0a6a1a0",
        "nuclear-AAPL-20231301T093000-a1b2c3d4", "nuclear-AAPL-20231201T256000-a1b2c3d4",
        "nuclear-AAPL-20231201T093000-A1B2C3D4", "nuclear-AAPL-20231201T093000-a1b2c3d4-v0",
        "-AAPL-20231201T093000-a1b2c3d4", "nuclear--20231201T093000-a1b2c3d4", "a~FF-AAPL-20231201T093000-a1b2c3d4",
        "nuclear-AAPL-٢٠٢٣١٢٠١T093000-a1b2c3d4", None, 17, b"nuclear-AAPL-20231201T093000-a1b2c3d4",
    ],
)  # fmt: skip
def test_garbage_is_none_and_no_exception(text: object) -> None:
    """C1."""
    assert parse_order_id(text) is None


@LAW
@given(st.text(max_size=60))
def test_reading_never_raises(text: str) -> None:
    parse_order_id(text)
    parse_order_id(f"{text}-20231201T093000-a1b2c3d4")


names = st.text(min_size=1, max_size=30).filter(
    lambda s: s == s.strip() and s.isprintable() and s != "alch" and not s.startswith("alch-")
)
symbols = st.one_of(
    st.sampled_from(
        ["BRK.B", "BTC/USD", "BTC-USD", "SPXW230113P03965000", "SPXW  230113P03965000", "NIFTY_STK___", "^GSPC"]
    ),
    names,
)


@LAW
@given(
    strategy=st.one_of(st.sampled_from(["1-KMLM", "a-", "-a", "x-v1", "~41"]), names),
    symbol=symbols,
    attempt=st.integers(1, 10**6),
)
def test_what_is_written_is_read_back(strategy: str, symbol: str, attempt: int) -> None:
    """C2."""
    issued = encode(strategy, symbol, attempt=attempt, profile="unlimited")
    read = parse_order_id(issued.text)
    assert read is not None
    assert (read.strategy, read.symbol, read.attempt) == (strategy, symbol, attempt)
    assert read.time == datetime(2023, 12, 1, 9, 30, tzinfo=UTC)
    assert issued.text.isascii()


# --- lengths ----------------------------------------------------------------------------------------------------


@LAW
@given(strategy=names, symbol=symbols, profile=st.sampled_from(sorted(PROFILES)))
def test_nothing_is_ever_cut_short_in_silence(strategy: str, symbol: str, profile: str) -> None:
    """C2."""
    issued = encode(strategy, symbol, profile=profile)
    limits = PROFILES[profile]
    assert limits.takes(issued.text)
    read = parse_order_id(issued.text)
    assert read is not None
    assert read.form == issued.form
    if issued.form == IdForm.FULL:
        assert (read.strategy, read.symbol) == (strategy, symbol)
    else:  # what the id cannot say it does not say wrong; the intent has it in full
        assert (read.strategy, read.symbol) == (None, None)
        assert not limits.takes(issued.full)
        whole = parse_order_id(issued.full)
        assert whole is not None
        assert (whole.strategy, whole.symbol) == (strategy, symbol)


@pytest.mark.parametrize(
    ("profile", "form", "length"),
    [("alpaca", IdForm.FULL, 40), ("okx", IdForm.BARE, 20), ("kite", IdForm.BARE, 20), ("betfair", IdForm.COMPACT, 28)],
)
def test_the_form_fits_the_broker(profile: str, form: IdForm, length: int) -> None:
    issued = encode(profile=profile)
    assert (issued.form, len(issued.text)) == (form, length)


def test_an_option_at_alpaca_is_compact_and_resolved_through_its_intent() -> None:
    issued = encode("iron-condor-weekly", "SPXW230113P03965000")
    assert issued.form == IdForm.COMPACT
    assert issued.text.startswith("ironcond-")
    kept = intent(client_order_id=issued.text, full_id=issued.full)
    assert owner_of(issued.text, {issued.text: kept}) == {"iron-condor-weekly": 1}
    assert owner_of(issued.text, {}) is None


def test_an_intents_weights_say_whose_the_order_is() -> None:
    kept = intent(weights=amounts(A="0.4", B="0.2"))
    assert owner_of(kept.client_order_id, {kept.client_order_id: kept}) == amounts(A="0.4", B="0.2")
    assert owner_of(kept.client_order_id, {}) == amounts(nuclear=1)
    assert owner_of("garbage", {}) is None
    assert owner_of("alch-AAPL-x", {}) == {HOUSE: 1}


def test_a_broker_that_takes_no_id_is_an_error() -> None:
    with pytest.raises(InvalidRecordError, match="at least 20"):
        encode(profile=BrokerProfile("tiny", 10))
    with pytest.raises(InvalidRecordError, match="alpaca"):
        encode(profile="nobody")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"strategy": ""}, "strategy"), ({"strategy": "alch"}, "strategy"), ({"strategy": "alch-x"}, "strategy"),
        ({"symbol": "X" * 51}, "symbol"), ({"attempt": 0}, "attempt"), ({"attempt": True}, "attempt"),
    ],
)  # fmt: skip
def test_malformed_parts_are_refused_by_name(values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        encode(**values)
    assert caught.value.field == field


# --- the same order, the same id --------------------------------------------------------------------------------


def test_the_same_order_has_the_same_id_in_another_process() -> None:
    """C3."""
    code = (
        "from attribution.ledger.ids import encode_order_id as e, plan_id_of as p;"
        f"print(e('nuclear', 'AAPL', p({{'as_of': 'x'}}), '1', {TS}).text)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == encode(plan_id=plan_id_of({"as_of": "x"})).text


def test_this_id_stays_what_it_is() -> None:
    # Orders are recognised by their ids for as long as the broker keeps them: the recipe must not change.
    # The mark: printf '["plan","1",1]' | sha256sum
    assert encode().text == "nuclear-AAPL-20231201T093000-b7bddeb7-v1"


def test_another_item_plan_or_attempt_is_another_id() -> None:
    ids = {encode().text, encode(item="2").text, encode(plan_id="other").text, encode(attempt=2).text}
    assert len(ids) == 4


def test_a_hundred_thousand_orders_do_not_collide() -> None:
    """C3."""
    found = {
        encode_order_id(f"s{n % 50}", f"SYM{n % 400}", f"plan{n // 1000}", str(n), TS + n // 1000 * 10**9).text
        for n in range(100_000)
    }
    assert len(found) == 100_000


def test_a_collision_is_found() -> None:
    """C3."""
    one = intent("1")
    other = replace(intent("2"), client_order_id=one.client_order_id)
    require_distinct([one, one])
    for call in (lambda: require_distinct([one, other]), lambda: new_intents([other], {one.client_order_id: one})):
        with pytest.raises(ConflictError, match="it is the order"):
            call()


# --- sending once -----------------------------------------------------------------------------------------------


class Broker:
    """Takes an order, and loses the reply if told so."""

    def __init__(self) -> None:
        self.orders: list[str] = []

    def submit(self, client_order_id: str, *, lose_the_reply: bool = False) -> None:
        assert client_order_id not in self.orders
        self.orders.append(client_order_id)
        if lose_the_reply:
            raise TimeoutError


def test_after_a_lost_reply_there_is_exactly_one_order() -> None:
    """C4: the intent is on record before it is sent; the restart asks, and sends the same id only if it is absent."""
    broker = Broker()
    log = entries([intent("1"), intent("2"), intent("3")])
    sent = list(intents_of(log).values())
    broker.submit(sent[0].client_order_id)
    with pytest.raises(TimeoutError):
        broker.submit(sent[1].client_order_id, lose_the_reply=True)

    for each in to_submit(intents_of(log), lambda key: key in broker.orders):
        broker.submit(each.client_order_id)
    assert sorted(broker.orders) == sorted(kept.client_order_id for kept in sent)


def test_a_broker_that_does_not_answer_is_not_taken_for_no() -> None:
    def silent(key: str) -> bool:
        raise TimeoutError(key)

    with pytest.raises(TimeoutError):
        to_submit(intents_of(entries([intent()])), silent)


def test_the_same_plan_again_sends_nothing_and_the_next_plan_does() -> None:
    """C5."""
    inputs = {"as_of": "2026-03-02T21:00:00Z", "targets": {"AAPL": Decimal("0.1")}}

    def wanted(plan: dict[str, Any]) -> list[Intent]:
        plan_id = plan_id_of(plan)
        made = encode(plan_id=plan_id)
        return [intent("1", client_order_id=made.text, plan_id=plan_id)]

    first = new_intents(wanted(inputs), {})
    persisted = intents_of(entries(first))
    assert len(first) == 1
    assert new_intents(wanted(json.loads(json.dumps(inputs, default=str))), persisted) == []
    assert len(new_intents(wanted(inputs | {"as_of": "2026-03-03T21:00:00Z"}), persisted)) == 1


def test_the_same_order_with_another_quantity_is_an_error() -> None:
    with pytest.raises(ConflictError):
        new_intents([intent(quantity=Decimal(2))], {intent().client_order_id: intent()})


@pytest.mark.parametrize(("quantity", "text"), [("100", "cum:100"), ("1E+2", "cum:100"), ("0.500", "cum:0.5")])
def test_a_fill_without_an_id_is_named_by_its_cumulative_quantity(quantity: str, text: str) -> None:
    """What goes wrong elsewhere: a random id, and every redelivery is a new fill."""
    assert derived_fill_id(Decimal(quantity)) == text
