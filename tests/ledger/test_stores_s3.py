"""The S3 client's side of the bargain: what a status, a lost answer and a missing permission mean."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attribution.ledger.errors import StoreError
from attribution.ledger.log import Log
from attribution.ledger.store import s3
from attribution.ledger.store.numbered import Put, probe
from attribution.ledger.store.objects import ObjectStore
from attribution.ledger.store.s3 import S3Objects, new_client
from tests.ledger.conftest import ENDPOINT
from tests.ledger.faulty_proxy import FaultyProxy
from tests.ledger.log_tools import S3Place, draft


@pytest.fixture
def proxy(s3_endpoint: str) -> Iterator[FaultyProxy]:
    with FaultyProxy(s3_endpoint) as proxy:
        yield proxy


@pytest.fixture
def objects(proxy: FaultyProxy, bucket: str, monkeypatch: pytest.MonkeyPatch) -> S3Objects:
    monkeypatch.setattr(s3, "_PAUSES", (0.0, 0.0))
    return S3Objects(bucket, client=lambda: new_client(proxy.url, None, 5.0))


@pytest.fixture
def store(objects: S3Objects) -> ObjectStore:
    return ObjectStore(objects, "acc", probe_first=False, patience_seconds=3.0)


class TestPutIfAbsent:
    def test_creates_once(self, objects: S3Objects) -> None:
        assert objects.put_if_absent("a/ü b", b"one") is Put.CREATED
        assert objects.put_if_absent("a/ü b", b"two") is Put.TAKEN
        assert objects.get("a/ü b") == b"one"
        assert objects.get("a/other") is None

    @pytest.mark.parametrize(
        ("fault", "outcome"),
        [(409, Put.TAKEN), (412, Put.TAKEN), (500, Put.UNKNOWN), (503, Put.UNKNOWN), ("lose request", Put.UNKNOWN)],
    )
    def test_reads_the_answer(self, proxy: FaultyProxy, objects: S3Objects, fault: str | int, outcome: Put) -> None:
        proxy.faults["PUT"] = [fault]
        assert objects.put_if_absent("a/b", b"content") is outcome
        assert objects.get("a/b") is None

    def test_a_lost_answer_is_not_taken_for_a_failure(self, proxy: FaultyProxy, objects: S3Objects) -> None:
        proxy.faults["PUT"] = ["lose answer"]
        assert objects.put_if_absent("a/b", b"content") is Put.UNKNOWN
        assert objects.get("a/b") == b"content"

    @pytest.mark.parametrize("status", [403, 404, 501])
    def test_a_refusal_is_a_store_error(self, proxy: FaultyProxy, objects: S3Objects, status: int) -> None:
        proxy.faults["PUT"] = [status]
        with pytest.raises(StoreError, match="as asked"):
            objects.put_if_absent("a/b", b"content")

    def test_every_request_is_sent_once(self, proxy: FaultyProxy, objects: S3Objects) -> None:
        proxy.always["PUT"] = 503
        objects.put_if_absent("a/b", b"content")
        assert [method for method, _ in proxy.seen] == ["PUT"]


class TestReading:
    def test_passing_trouble_is_waited_for(self, proxy: FaultyProxy, objects: S3Objects) -> None:
        objects.put_if_absent("a/b", b"content")
        proxy.faults["GET"] = [503, "lose request"]
        assert objects.get("a/b") == b"content"
        proxy.faults["GET"] = [500, 500]
        assert list(objects.names_after("a/", "a/")) == ["a/b"]

    @pytest.mark.parametrize("fault", [503, "lose request", 403])
    def test_lasting_trouble_is_a_store_error(self, proxy: FaultyProxy, objects: S3Objects, fault: str | int) -> None:
        proxy.always["GET"] = fault
        with pytest.raises(StoreError, match="s3://"):
            objects.get("a/b")
        with pytest.raises(StoreError, match="s3://"):
            list(objects.names_after("a/", "a/"))

    def test_names_come_in_order_and_beyond_a_page(self, bucket: str, s3_endpoint: str) -> None:
        objects = S3Place(bucket, s3_endpoint).objects()
        client = objects._client()
        names = [f"n/{number:05d}" for number in range(25)]
        for name in reversed(names):
            objects.put_if_absent(name, b"")

        class Narrow:
            def list_objects_v2(self, **arguments: Any) -> Any:
                return client.list_objects_v2(**arguments, MaxKeys=10)

        narrow = S3Objects(bucket, client=Narrow)
        assert list(narrow.names_after("n/", "n/00003")) == names[4:]

    def test_a_server_that_is_not_there_is_a_store_error(self, bucket: str) -> None:
        objects = S3Objects(bucket, endpoint_url="http://127.0.0.1:1", timeout_seconds=0.5)
        with pytest.raises(StoreError, match=r"127\.0\.0\.1:1"):
            objects.put_if_absent("a", b"")
        with pytest.raises(StoreError, match=r"127\.0\.0\.1:1"):
            objects.get("a")

    def test_removing_is_an_offer(self, proxy: FaultyProxy, objects: S3Objects) -> None:
        objects.put_if_absent("a/b", b"content")
        proxy.faults["DELETE"] = [403]
        objects.remove("a/b")
        assert objects.get("a/b") == b"content"
        objects.remove("a/b")
        assert objects.get("a/b") is None

    def test_an_export_may_be_replaced(self, objects: S3Objects) -> None:
        objects.replace("e/x.json", b"1")
        objects.replace("e/x.json", b"2")
        assert objects.get("e/x.json") == b"2"


class TestTheLog:
    def test_the_write_landed_and_the_answer_was_lost(self, proxy: FaultyProxy, store: ObjectStore) -> None:
        proxy.faults["PUT"] = ["lose answer", None, "lose answer"]  # type: ignore[list-item]
        for number in range(3):
            assert store.append([draft(number)])[0].new
        assert [entry.key for entry in store.entries()] == [f"ALPACA/{number}/1" for number in range(3)]
        assert Log(store).verify().seq == 3

    def test_it_landed_and_the_server_cannot_be_asked_either(
        self, proxy: FaultyProxy, store: ObjectStore, objects: S3Objects
    ) -> None:
        proxy.faults["PUT"] = ["lose answer"]
        proxy.faults["GET"] = [503, 503, 503]
        with pytest.raises(StoreError):
            store.append([draft("1")])
        assert not store.append([draft("1")])[0].new
        assert Log(ObjectStore(objects, "acc", probe_first=False)).verify().seq == 1

    def test_a_slow_server_is_asked_again(self, proxy: FaultyProxy, store: ObjectStore) -> None:
        proxy.faults["PUT"] = [503, "lose request", 500, 409]
        assert store.append([draft("1")])[0].new
        assert Log(store).verify().seq == 1

    @pytest.mark.skipif(ENDPOINT in os.environ, reason="a server that checks signatures sees the change")
    def test_a_server_that_ignores_the_condition_is_refused(self, proxy: FaultyProxy, objects: S3Objects) -> None:
        proxy.always["PUT"] = "forget condition"
        with pytest.raises(StoreError, match="If-None-Match"):
            ObjectStore(objects, "acc")
        assert objects.get("log/acc/00000000000000000001.jsonl") is None

    def test_a_server_that_honours_it_is_accepted_and_left_clean(self, objects: S3Objects) -> None:
        probe(objects, "live/")
        assert list(objects.names_after("live/", "live/")) == []

    def test_a_missing_bucket_is_named(self, s3_endpoint: str) -> None:
        with pytest.raises(StoreError, match=r"s3://no-such-bucket.*NoSuchBucket"):
            ObjectStore(S3Objects("no-such-bucket", endpoint_url=s3_endpoint), "acc")


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(StoreError, match=r"pip install 'options-attribution\[s3\]'"):
        ObjectStore(S3Objects("bucket"), "acc")
