"""Every version that was ever written is still read, and reads as it did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from attribution.ledger.entry import CURRENT, GENESIS, Draft, Entry, Head, Kind, Row
from attribution.ledger.errors import ConflictError, NewerSchemaError
from attribution.ledger.records import record_of
from attribution.ledger.store import base
from attribution.ledger.store.base import plan_append
from attribution.ledger.upcast import UPCASTERS, Upcaster, is_readable, upcast
from tests.ledger.log_tools import draft

GOLDEN = Path(__file__).parent / "golden"


def golden_rows(version: int) -> list[Row]:
    lines = (GOLDEN / f"log_v{version}.jsonl").read_text(encoding="utf-8").splitlines()
    return [Row.from_line(line) for line in lines]


def told(entry: Entry) -> dict[str, Any]:
    return {"seq": entry.seq, "kind": entry.kind, "key": entry.key, "body": entry.body}


class TestGoldenFiles:
    """``log_v{n}.jsonl`` is what version n wrote and never changes, ``read_v{n}.json`` what it reads as today."""

    def test_there_is_one_for_every_version(self) -> None:
        written = {int(path.stem.removeprefix("log_v")) for path in GOLDEN.glob("log_v*.jsonl")}
        assert written == set(range(1, CURRENT + 1))

    @pytest.mark.parametrize("version", range(1, CURRENT + 1))
    def test_its_chain_holds(self, version: int) -> None:
        head = Head(0, GENESIS)
        for row in golden_rows(version):
            assert row.schema_version == version
            row.require_after(head)
            head = row.head

    @pytest.mark.parametrize("version", range(1, CURRENT + 1))
    def test_it_holds_every_kind_and_reads_as_it_did(self, version: int) -> None:
        entries = [upcast(row.entry()) for row in golden_rows(version)]
        assert {entry.kind for entry in entries} == set(Kind)
        assert [told(entry) for entry in entries] == json.loads((GOLDEN / f"read_v{version}.json").read_text("utf-8"))

    @pytest.mark.parametrize("version", range(1, CURRENT + 1))
    def test_its_bodies_are_records(self, version: int) -> None:
        """What the record writes of a body is that body again: nothing of it is lost on the way."""
        for row in golden_rows(version):
            entry = upcast(row.entry())
            record = record_of(entry)
            if entry.kind is Kind.QUARANTINE:
                assert record is None
            else:
                assert record is not None
                assert (record.key, record.to_body()) == (entry.key, entry.body)

    @pytest.mark.parametrize("version", range(1, CURRENT + 1))
    def test_its_facts_can_be_told_again(self, version: int) -> None:
        """Today's draft of an old fact is known, not a contradiction."""
        rows = golden_rows(version)
        known = {row.identity: row for row in rows}
        entries = [upcast(row.entry()) for row in rows]
        drafts = [
            Draft(one.kind, one.account_id, one.key, one.ts, one.trade_date, "again", one.body) for one in entries
        ]
        plan = plan_append(drafts, rows[-1].head, lambda identities: known)
        assert [one.new for one in plan.outcome()] == [False] * len(rows)


def with_currency(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**body, "currency": "USD"}


def with_signed_quantity(body: Mapping[str, Any]) -> Mapping[str, Any]:
    quantity = body["quantity"] if body["side"] == "BUY" else f"-{body['quantity']}"
    return {**{name: value for name, value in body.items() if name != "side"}, "quantity": quantity}


STEPS: Mapping[int, Mapping[Kind, Upcaster]] = {1: {Kind.FILL: with_currency}, 2: {Kind.FILL: with_signed_quantity}}


class TestUpcasting:
    """With steps of a made-up future: 1 → 2 adds a currency to fills, 2 → 3 drops their side."""

    @pytest.mark.parametrize(
        ("version", "added", "side", "quantity"),
        [(1, True, None, "-10"), (2, False, None, "-10"), (3, False, "SELL", "10")],
    )
    def test_takes_every_step_from_the_version_written_on(
        self, version: int, added: bool, side: str | None, quantity: str
    ) -> None:
        written = draft("1", schema_version=version, body={"side": "SELL"}).row(1, GENESIS).entry()
        read = upcast(written, STEPS, 3)
        assert read.schema_version == 3
        assert ("currency" in read.body, read.body.get("side"), read.body["quantity"]) == (added, side, quantity)
        assert (read.digest, read.seq, read.key) == (written.digest, 1, written.key)
        assert "currency" not in written.body

    def test_leaves_kinds_that_did_not_change(self) -> None:
        written = draft("1", kind=Kind.MARK, body={"price": "1"}).row(1, GENESIS).entry()
        assert upcast(written, STEPS, 3).body == written.body

    def test_refuses_what_is_newer(self) -> None:
        for newer in (draft("1", schema_version=4).row(1, GENESIS), draft("1").row(1, GENESIS)._replace(kind="novel")):
            assert not is_readable(newer.entry(), 3)
            with pytest.raises(NewerSchemaError, match=r"entry 1 is a .* upgrade it"):
                upcast(newer.entry(), STEPS, 3)

    def test_there_is_a_step_only_where_a_version_was_left(self) -> None:
        assert set(UPCASTERS) <= set(range(1, CURRENT))

    def test_an_old_fact_told_in_the_new_shape_is_the_same_fact(self, monkeypatch: pytest.MonkeyPatch) -> None:
        old = draft("1").row(1, GENESIS)
        monkeypatch.setattr(base, "upcast", lambda entry: upcast(entry, STEPS, 2))
        same = draft("1", schema_version=2, body={"currency": "USD"})
        other = draft("1", schema_version=2, body={"currency": "EUR"})
        assert not plan_append([same], old.head, lambda _: {old.identity: old}).outcome()[0].new
        with pytest.raises(ConflictError):
            plan_append(
                [other], old.head, lambda wanted: {old.identity: old} if old.identity in wanted else {}
            ).outcome()
