"""The documented files: there, complete, and the same bytes for the same log."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.ledger.errors import InvalidRecordError, StoreError
from attribution.ledger.exports import Layout, documented_files, write_files
from attribution.ledger.store.folder import FolderObjects
from attribution.ledger.view import TradeLedgerEntry
from tests.ledger.log_tools import S3Place

GOLDEN = Path(__file__).parent / "golden" / "exports"

DAY = 1_767_364_200_000_000_000
"""2026-01-02 14:30:00 UTC."""

HOUR = 3_600_000_000_000


def fill(number: int, **changes: Any) -> TradeLedgerEntry:
    fields: dict[str, Any] = {
        "seq": number,
        "key": f"ALPACA/o-{number}/f-1",
        "account_id": "PA3X",
        "order_id": f"o-{number}",
        "fill_id": "f-1",
        "symbol": "AAPL",
        "direction": "BUY",
        "filled_qty": Decimal(10),
        "fill_price": Decimal("175.32"),
        "ts": DAY + number * HOUR,
        "trade_date": date(2026, 1, 2),
        "source": "alpaca",
        "schema_version": 1,
        "correlation_id": "run-7",
        "ledger_id": "led-7",
        "asset_type": "STOCK",
        "venue": "ALPACA",
        "strategy_quantities": {"momentum": Decimal(10)},
    }
    return TradeLedgerEntry(**(fields | changes))


FILLS = [
    fill(1, fees=Decimal("0.05"), bid_at_fill=Decimal("175.31"), ask_at_fill=Decimal("175.33"), notes="naïve ☂"),
    fill(2, direction="SELL", strategy_quantities={"momentum": Decimal(6), "mean_rev": Decimal(4)}),
    fill(3, symbol="SPY260116C00700000", multiplier=Decimal(100), fill_price=Decimal("1.5"), asset_type="OPTION"),
    fill(
        11, correlation_id="run-8", ledger_id=None, fill_id=None, account_id="a/b", ts=DAY + 11 * HOUR + 5_000_000_123
    ),
    fill(12, correlation_id=None, ledger_id=None),
]


def made(fills: Sequence[TradeLedgerEntry], layout: Layout) -> dict[str, bytes]:
    return dict(documented_files(fills, layout))


def lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.decode().splitlines()]


@pytest.mark.parametrize("layout", Layout)
def test_the_bytes_are_the_golden_ones(layout: Layout) -> None:
    expected = {
        path.relative_to(GOLDEN / layout).as_posix(): path.read_bytes()
        for path in (GOLDEN / layout).rglob("*")
        if path.is_file()
    }
    assert expected
    assert made(FILLS, layout) == expected


class TestLocal:
    def test_a_line_per_fill_with_every_documented_field(self) -> None:
        first = lines(made(FILLS, Layout.LOCAL)["ledger.jsonl"])[0]
        documented = {
            "ledger_id": "led-7",
            "event_id": None,
            "correlation_id": "run-7",
            "causation_id": None,
            "strategy_name": "momentum",
            "symbol": "AAPL",
            "asset_type": "STOCK",
            "side": "BUY",
            "quantity": "10",
            "price": "175.32",
            "fees": "0.05",
            "timestamp": "2026-01-02T15:30:00+00:00",
            "order_id": "o-1",
            "client_order_id": None,
            "fill_id": "f-1",
            "account_id": "PA3X",
            "venue": "ALPACA",
            "schema_version": 1,
            "source": "alpaca",
            "notes": "naïve ☂",
            "direction": "BUY",
            "filled_qty": "10",
            "fill_price": "175.32",
            "bid_at_fill": "175.31",
            "ask_at_fill": "175.33",
            "fill_timestamp": "2026-01-02T15:30:00+00:00",
            "order_type": "MARKET",
            "strategy_names": ["momentum"],
            "strategy_weights": None,
        }
        assert {name: first[name] for name in documented} == documented

    def test_a_shared_fill_names_its_strategies_and_no_single_one(self) -> None:
        second = lines(made(FILLS, Layout.LOCAL)["ledger.jsonl"])[1]
        assert second["strategy_name"] is None
        assert second["strategy_names"] == ["mean_rev", "momentum"]
        assert second["strategy_quantities"] == {"mean_rev": "4", "momentum": "6"}

    def test_the_index_finds_every_line(self) -> None:
        files = made(FILLS, Layout.LOCAL)
        index = json.loads(files["index.json"])
        rows = lines(files["ledger.jsonl"])
        assert index == {f"{row['order_id']}||{row['fill_id'] or ''}": row["ledger_id"] for row in rows}
        assert len(index) == len(FILLS)

    def test_fills_that_would_hide_each_other_are_refused(self) -> None:
        with pytest.raises(InvalidRecordError, match=r"o-1\|\|f-1.*export them apart"):
            made([fill(1), fill(2, order_id="o-1")], Layout.LOCAL)

    def test_an_empty_log_has_empty_files(self) -> None:
        assert made([], Layout.LOCAL) == {"index.json": b"{}\n", "ledger.jsonl": b""}
        assert made([], Layout.DATED) == made([], Layout.RUNS) == {}


class TestDated:
    def test_a_file_and_an_index_per_utc_day_and_account(self) -> None:
        assert list(made(FILLS, Layout.DATED)) == [
            "trade_ledger/2026/01/02/PA3X.jsonl",
            "trade_ledger/2026/01/03/PA3X.jsonl",
            "trade_ledger/2026/01/03/a%2Fb.jsonl",
            "trade_ledger_index/2026/01/02/PA3X.json",
            "trade_ledger_index/2026/01/03/PA3X.json",
            "trade_ledger_index/2026/01/03/a%2Fb.json",
        ]

    @given(st.lists(st.tuples(st.sampled_from(["a", "b", ".", ".."]), st.integers(0, 3 * 24)), max_size=12))
    def test_no_fill_is_lost_or_told_twice(self, places: list[tuple[str, int]]) -> None:
        fills = [fill(n, account_id=account, ts=DAY + hour * HOUR) for n, (account, hour) in enumerate(places)]
        files = made(fills, Layout.DATED)
        told = [line["seq"] for name, content in files.items() if "_index" not in name for line in lines(content)]
        assert sorted(told) == list(range(len(fills)))
        assert not [name for name in files if "/./" in name or "/../" in name]


class TestRuns:
    def test_a_file_per_run_named_after_its_first_fill(self) -> None:
        files = made(FILLS, Layout.RUNS)
        first, second, third = files
        assert first == "trade-ledgers/2026/01/02/153000-led-7-run-7.json"
        assert re.fullmatch(r"trade-ledgers/2026/01/03/013005-[0-9a-f]{32}-run-8\.json", second)
        assert re.fullmatch(r"trade-ledgers/2026/01/03/023000-[0-9a-f]{32}-none\.json", third)

    def test_it_holds_the_run_and_its_totals(self) -> None:
        run = json.loads(made(FILLS, Layout.RUNS)["trade-ledgers/2026/01/02/153000-led-7-run-7.json"])
        assert (run["ledger_id"], run["correlation_id"], run["account_id"]) == ("led-7", "run-7", "PA3X")
        assert run["created_at"] == "2026-01-02T15:30:00+00:00"
        assert run["total_entries"] == len(run["entries"]) == 3
        assert (run["total_buy_value"], run["total_sell_value"]) == ("3253.2", "1753.2")


class TestWriting:
    @pytest.mark.parametrize("layout", Layout)
    def test_a_folder_gets_what_is_not_there_as_it_should_be(self, layout: Layout, tmp_path: Path) -> None:
        files, target = made(FILLS, layout), FolderObjects(tmp_path)
        assert write_files(files.items(), target) == list(files)
        assert {name: (tmp_path / name).read_bytes() for name in files} == files
        assert write_files(files.items(), target) == []
        damaged = next(iter(files))
        (tmp_path / damaged).write_text("damaged")
        assert write_files(files.items(), target) == [damaged]
        assert not list(tmp_path.rglob("*.tmp"))

    def test_a_bucket_gets_the_same(self, bucket: str, s3_endpoint: str) -> None:
        target, files = S3Place(bucket, s3_endpoint).objects(), made(FILLS, Layout.RUNS)
        assert write_files(files.items(), target) == list(files)
        assert write_files(files.items(), target) == []
        assert {name: target.get(name) for name in files} == files

    def test_a_file_is_replaced_in_one_step(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        target = FolderObjects(tmp_path)
        write_files({"ledger.jsonl": b"old\n"}.items(), target)

        def fail(source: Path, other: Path) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", fail)
        with pytest.raises(StoreError, match="No space left"):
            write_files({"ledger.jsonl": b"new\n"}.items(), target)
        assert [path.name for path in tmp_path.iterdir()] == ["ledger.jsonl"]
        assert (tmp_path / "ledger.jsonl").read_bytes() == b"old\n"
