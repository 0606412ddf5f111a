"""The envelope: what a draft must be, how an entry is written, and how its digest is made."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.ledger.canonical import canonical_json
from attribution.ledger.entry import CURRENT, GENESIS, Draft, Entry, Head, Kind, Row
from attribution.ledger.errors import CorruptLogError, InvalidRecordError
from tests.ledger.log_tools import draft

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: not text.isspace())
DRAFTS = st.builds(
    Draft,
    kind=st.sampled_from(Kind),
    account_id=TEXTS,
    key=TEXTS,
    ts=st.integers(0, 2**63 - 1),
    trade_date=st.dates(),
    source=TEXTS,
    body=st.dictionaries(TEXTS, st.none() | st.integers() | TEXTS | st.decimals(-1000, 1000, places=3), max_size=4),
    correlation_id=st.none() | TEXTS,
    causation_id=st.none() | TEXTS,
    schema_version=st.integers(1, 9),
)


class TestDraft:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("kind", "fill"),
            ("account_id", ""),
            ("account_id", None),
            ("account_id", "  "),
            ("key", 7),
            ("key", "\ud800"),
            ("source", "\n"),
            ("correlation_id", ""),
            ("causation_id", 3),
            ("ts", -1),
            ("ts", 2**63),
            ("ts", 1.5),
            ("ts", True),
            ("ts", None),
            ("trade_date", datetime(2026, 1, 2)),
            ("trade_date", "2026-01-02"),
            ("body", [1]),
            ("body", None),
            ("schema_version", 0),
        ],
    )
    def test_refuses(self, field: str, value: Any) -> None:
        change: dict[str, Any] = {field: value}
        with pytest.raises(InvalidRecordError) as caught:
            replace(draft("1"), **change)
        assert caught.value.field in {field, "text"}

    def test_keeps_the_body_as_it_was_when_it_was_made(self) -> None:
        body = {"quantity": Decimal("1.50")}
        one = draft("1", body=body)
        body["quantity"] = Decimal(2)
        assert json.loads(one.body_text)["quantity"] == "1.5"

    def test_travels_to_another_process(self) -> None:
        one = draft("1")
        assert pickle.loads(pickle.dumps(one)) == one
        assert pickle.loads(pickle.dumps(one)).body_text == one.body_text
        assert replace(one, ts=5).ts == 5

    def test_names_every_kind_of_fact(self) -> None:
        names = "PLAN SUPPRESS INTENT FILL ALLOC CROSS CORRECT EVENT MARK RECON QUARANTINE"
        assert " ".join(kind.name for kind in Kind) == names
        assert all(kind == kind.name.lower() for kind in Kind)


class TestRow:
    @given(DRAFTS, st.integers(1, 2**40))
    def test_line_is_the_canonical_json_of_the_envelope(self, one: Draft, seq: int) -> None:
        row = one.row(seq, GENESIS)
        envelope = {
            "seq": seq,
            "kind": one.kind.value,
            "account_id": one.account_id,
            "key": one.key,
            "ts": one.ts,
            "trade_date": one.trade_date,
            "source": one.source,
            "body": one.body,
            "correlation_id": one.correlation_id,
            "causation_id": one.causation_id,
            "schema_version": one.schema_version,
            "prev_digest": GENESIS,
        }
        assert row.digest == hashlib.sha256(canonical_json(envelope).encode()).hexdigest()
        assert row.line() == canonical_json(envelope | {"digest": row.digest})
        assert Row.from_line(row.line()) == row

    @given(DRAFTS)
    def test_entry_says_what_the_draft_said(self, one: Draft) -> None:
        entry = one.row(3, GENESIS).entry()
        for name in ("kind", "account_id", "key", "ts", "trade_date", "source", "correlation_id", "schema_version"):
            assert getattr(entry, name) == getattr(one, name)
        assert canonical_json(entry.body) == one.body_text
        assert entry.identity == one.identity
        assert type(entry.kind) is Kind

    def test_one_altered_character_is_found(self) -> None:
        row = draft("1").row(1, GENESIS)
        row.require_after(Head(0, GENESIS))
        line = row.line()
        for place in range(len(line)):
            other = "1" if line[place] != "1" else "2"
            try:
                damaged = Row.from_line(line[:place] + other + line[place + 1 :])
            except CorruptLogError:
                continue
            with pytest.raises(CorruptLogError):
                damaged.require_after(Head(0, GENESIS))

    @pytest.mark.parametrize(
        "damage",
        [
            lambda line: line[:-1],
            lambda line: line + " ",
            lambda line: line.replace('","', '", "', 1),
            lambda line: line.replace('"seq":1', '"seq":1,"extra":2'),
            lambda line: line.replace('"seq":1,', ""),
            lambda line: "",
            lambda line: "[]",
            lambda line: line.replace('"ts":17', '"ts":1.7'),
        ],
    )
    def test_a_line_in_any_other_form_is_refused(self, damage: Any) -> None:
        with pytest.raises(CorruptLogError, match="not"):
            Row.from_line(damage(draft("1").row(1, GENESIS).line()))

    def test_a_gap_a_repetition_and_a_broken_link_are_found(self) -> None:
        first = draft("1").row(1, GENESIS)
        for seq, before in ((1, first.digest), (3, first.digest), (2, GENESIS)):
            with pytest.raises(CorruptLogError, match=f"entry {seq}"):
                draft("2").row(seq, before).require_after(first.head)
        draft("2").row(2, first.digest).require_after(first.head)

    def test_a_kind_of_the_future_stays_text(self) -> None:
        entry = draft("1").row(1, GENESIS)._replace(kind="novel", schema_version=CURRENT + 1).entry()
        assert isinstance(entry, Entry)
        assert entry.kind == "novel"
        assert type(entry.kind) is str
        assert entry.trade_date == date(2026, 1, 2)
