"""Which variables choose what, and that an argument always wins."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from attribution.ledger.errors import InvalidRecordError, StoreError
from attribution.ledger.log import Log
from attribution.ledger.settings import Backend, LedgerSettings, open_log, open_safe_log, open_store
from attribution.ledger.store.objects import ObjectStore
from attribution.ledger.store.sqlite import SqliteStore
from tests.ledger.log_tools import draft

PAPER = "https://paper-api.alpaca.markets/v2"
LIVE = "https://api.alpaca.markets"


def settings(**environment: str) -> LedgerSettings:
    return LedgerSettings.from_environment(environment)


class TestBackend:
    @pytest.mark.parametrize(
        ("environment", "backend"),
        [
            ({}, Backend.SQLITE),
            ({"ALPACA_PAPER_TRADING": "true"}, Backend.SQLITE),
            ({"ALPACA_PAPER_TRADING": " TRUE "}, Backend.SQLITE),
            ({"ALPACA_PAPER_TRADING": "1", "ALPACA_ENDPOINT": LIVE}, Backend.SQLITE),
            ({"ALPACA_ENDPOINT": PAPER}, Backend.SQLITE),
            ({"ALPACA_ENDPOINT": PAPER.upper()}, Backend.SQLITE),
            ({"ALPACA_ENDPOINT": "", "ALPACA_PAPER_TRADING": ""}, Backend.SQLITE),
            ({"ALPACA_ENDPOINT": LIVE}, Backend.S3),
            ({"ALPACA_PAPER_TRADING": "false"}, Backend.S3),
            ({"ALPACA_PAPER_TRADING": "no", "ALPACA_ENDPOINT": PAPER}, Backend.S3),
            ({"TRADE_LEDGER_BACKEND": "folder", "ALPACA_ENDPOINT": LIVE}, Backend.FOLDER),
            ({"TRADE_LEDGER_BACKEND": "S3"}, Backend.S3),
            ({"TRADE_LEDGER_BACKEND": "sqlite", "ALPACA_PAPER_TRADING": "false"}, Backend.SQLITE),
        ],
    )
    def test_paper_stays_local_and_live_goes_to_s3(self, environment: dict[str, str], backend: Backend) -> None:
        assert settings(S3_BUCKET_NAME="b", **environment).backend is backend

    def test_a_bucket_alone_does_not_make_it_live(self) -> None:
        assert settings(S3_BUCKET_NAME="b").backend is Backend.SQLITE

    def test_live_without_a_bucket_is_an_error_that_says_so(self) -> None:
        with pytest.raises(InvalidRecordError, match=r"S3_BUCKET_NAME=None: .*live trading is kept in S3"):
            settings(ALPACA_ENDPOINT=LIVE)
        assert settings(ALPACA_ENDPOINT=LIVE, TRADE_LEDGER__ENABLED="false").enabled is False

    @pytest.mark.parametrize(
        ("name", "value"),
        [("TRADE_LEDGER_BACKEND", "mysql"), ("ALPACA_PAPER_TRADING", "maybe"), ("TRADE_LEDGER__ENABLED", "2")],
    )
    def test_what_cannot_be_read_is_named(self, name: str, value: str) -> None:
        with pytest.raises(InvalidRecordError, match=f"{name}='{value}'"):
            settings(**{name: value})


class TestTheRest:
    def test_the_ledgers_own_bucket_comes_first(self) -> None:
        both = settings(TRADE_LEDGER__BUCKET_NAME="own", S3_BUCKET_NAME="shared")
        assert (both.bucket, settings(S3_BUCKET_NAME="shared").bucket, settings().bucket) == ("own", "shared", None)

    def test_the_base_path(self) -> None:
        assert settings().base_path == Path("data/trade_ledger")
        assert settings(AWS_LAMBDA_FUNCTION_NAME="f").base_path == Path(tempfile.gettempdir()) / "trade_ledger"
        given = {"AWS_LAMBDA_FUNCTION_NAME": "f", "TRADE_LEDGER_BASE_PATH": "/srv/ledger"}
        assert settings(**given).base_path == Path("/srv/ledger")
        assert LedgerSettings.from_environment(given, base_path="mine").base_path == Path("mine")

    @pytest.mark.parametrize(
        ("word", "enabled"), [("true", True), ("0", False), ("off", False), ("", True), ("YES", True)]
    )
    def test_enabled(self, word: str, enabled: bool) -> None:
        assert settings(TRADE_LEDGER__ENABLED=word).enabled is enabled

    def test_another_server(self) -> None:
        assert settings(AWS_ENDPOINT_URL="http://a", S3_ENDPOINT_URL="http://b").endpoint_url == "http://b"
        assert settings(AWS_ENDPOINT_URL="http://a", AWS_ENDPOINT_URL_S3="http://c").endpoint_url == "http://c"

    @pytest.mark.parametrize(
        ("argument", "value"),
        [
            ("backend", Backend.FOLDER),
            ("base_path", Path("mine")),
            ("account_id", "PA3"),
            ("bucket", "mine"),
            ("endpoint_url", "http://mine"),
            ("enabled", False),
        ],
    )
    def test_an_argument_wins(self, argument: str, value: Any) -> None:
        environment = {
            "TRADE_LEDGER_BACKEND": "s3",
            "TRADE_LEDGER_BASE_PATH": "theirs",
            "TRADE_LEDGER__BUCKET_NAME": "theirs",
            "S3_ENDPOINT_URL": "http://theirs",
            "TRADE_LEDGER__ENABLED": "true",
        }
        assert getattr(LedgerSettings.from_environment(environment, **{argument: value}), argument) == value

    def test_paper_is_an_argument_too(self) -> None:
        live = {"ALPACA_ENDPOINT": LIVE, "S3_BUCKET_NAME": "b"}
        assert LedgerSettings.from_environment(live, paper=True).backend is Backend.SQLITE
        assert LedgerSettings.from_environment(live, paper=False, backend="folder").backend is Backend.FOLDER

    def test_the_process_is_asked_when_nothing_is_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TRADE_LEDGER_BASE_PATH", "from-the-process")
        assert LedgerSettings.from_environment().base_path == Path("from-the-process")


class TestOpening:
    def test_each_backend(self, tmp_path: Path, bucket: str, s3_endpoint: str) -> None:
        stores = {}
        for backend in Backend:
            chosen = LedgerSettings.from_environment(
                {}, backend=backend, base_path=tmp_path / backend, bucket=bucket, endpoint_url=s3_endpoint
            )
            store = stores[backend] = open_store(chosen)
            store.append([draft("1")])
            again = open_store(chosen, for_reading=True)
            assert [entry.seq for entry in again.entries()] == [1]
        assert isinstance(stores[Backend.SQLITE], SqliteStore)
        assert isinstance(stores[Backend.FOLDER], ObjectStore)
        assert isinstance(stores[Backend.S3], ObjectStore)
        assert (tmp_path / "sqlite" / "ledger.sqlite3").exists()
        assert (tmp_path / "folder" / "log" / "default").is_dir()
        assert list((tmp_path / "s3").rglob("mirror.sqlite3"))

    def test_for_reading_nothing_is_made(self, tmp_path: Path) -> None:
        chosen = LedgerSettings.from_environment({}, base_path=tmp_path / "none")
        with pytest.raises(StoreError, match="there is no log"):
            open_log(chosen, for_reading=True)
        assert not (tmp_path / "none").exists()

    def test_accounts_in_one_bucket_have_mirrors_of_their_own(
        self, tmp_path: Path, bucket: str, s3_endpoint: str
    ) -> None:
        for account in ("a", "b"):
            chosen = LedgerSettings(Backend.S3, tmp_path, account, bucket, s3_endpoint)
            with open_log(chosen) as log:
                log.append([draft("1", account_id=account)])
            with open_log(chosen) as log:
                assert [entry.account_id for entry in log.entries()] == [account]
        assert len(list(tmp_path.rglob("mirror.sqlite3"))) == 2

    def test_a_safe_log_of_a_store_that_cannot_be_reached_keeps_what_it_is_given(self, tmp_path: Path) -> None:
        lost = LedgerSettings(Backend.S3, tmp_path, bucket="b", endpoint_url="http://127.0.0.1:1")
        safe = open_safe_log(lost)
        assert not safe.record([draft("1")]).in_log
        assert safe.health().waiting == 1
        found = LedgerSettings(Backend.SQLITE, tmp_path)
        safe = open_safe_log(found)
        assert safe.replay().ok
        assert isinstance(safe.log, Log)
        assert [entry.seq for entry in safe.log.entries()] == [1]
        safe.close()
