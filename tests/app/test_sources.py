"""Trades explained from the command line with prices from brokers, a Redis server and folders."""

import csv
import io
import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from attribution import calculate_attribution_for_trades
from attribution.app.vendors import REDIS_VARIABLE, VENDORS
from tests.brokers.fake_vendor import FakeVendor, reply
from tests.brokers.redis_server import free_port, own_server, redis_url, store

__all__ = ["own_server", "redis_url", "store"]  # fixtures

PAYLOAD = Path(__file__).parents[1] / "payloads" / "redis_layout" / "short_straddle_partly_exited.json"
CALL, PUT, NIFTY = "NIFTY_OPT_20251125_CALL_26000", "NIFTY_OPT_20251125_PUT_26000", "NIFTY_IND___"
STRADDLE = f"{CALL}?-1:{PUT}?-1"
DAY, OPENED, LEFT = "2025-11-20", "2025-11-20 10:05:00", "2025-11-20 14:30:00"
TRADES = (
    "trade_id,symbol,entry_time,entry_quantity,exit_time,entry_keys,exit_keys\n"
    f"call,{CALL},{OPENED},-75,{LEFT},25112000012345,25112000012999\n"
    f"straddle,{STRADDLE},{OPENED},75,,25112000012345 25112000012346,\n"
)
CLOSES = f"symbol,session,close\n{NIFTY},{DAY},26192.15\n{CALL},{DAY},250.5\n{PUT},{DAY},40.25\n"
BARS = f"start,open,high,low,close\n{DAY} 10:04:00,26010,26030,26000,26020\n{DAY} 14:29:00,25940,25960,25930,25950\n"
FILLS = f"order_id,symbol,price\n25112000012345,{CALL},999\n25112000012346,{PUT},98.25\n"
SECRET = "not-to-be-seen-by-anybody"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for vendor in VENDORS.values():
        for name in (*(name for group in vendor.needed for name in group), *vendor.optional):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(REDIS_VARIABLE, raising=False)


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def trades(tmp_path):
    (tmp_path / "trades.csv").write_text(TRADES)
    return tmp_path / "trades.csv"


@pytest.fixture
def replay(tmp_path):
    """Closes of a day and the spot at two of its instants; no fills."""
    return write(tmp_path / "replay", {"closes/all.csv": CLOSES, f"bars/NSE/{NIFTY}/{DAY}.csv": BARS})


@pytest.fixture
def orders(store):
    """The orders of the straddle on a real server."""
    store.load(json.loads(PAYLOAD.read_text()))
    return store.url


@pytest.fixture
def ask(run, trades):
    return lambda *words: run("explain", trades, "--day", DAY, "--format", "csv", *words)


def rows_of(result):
    return list(csv.DictReader(io.StringIO(result.stdout)))


def amounts(result):
    return [[row[name] for name in ("spot_attrib", "vol_attrib", "timedecay_attrib", "pnl")] for row in rows_of(result)]


# -- what it explains --------------------------------------------------------------------------------------------------


def test_a_day_with_no_price_of_the_callers(ask, replay, orders):
    result = ask("--broker", f"replay:{replay}", "--redis", orders, "--stats")
    assert result.exit_code == 0, result.stderr
    call, straddle = rows_of(result)
    assert float(call["pnl"]) == -75 * (60.0 - 101.5)
    assert float(straddle["pnl"]) == pytest.approx(75 * (101.5 + 98.25 - 250.5 - 40.25), abs=1e-9)
    given = calculate_attribution_for_trades(
        list(csv.DictReader(io.StringIO(TRADES))),
        spot_prices=[
            (NIFTY, "NSE", OPENED, 26020.0),
            (NIFTY, "NSE", LEFT, 25950.0),
            (NIFTY, "NSE", f"{DAY} 15:30", 26192.15),
            (CALL, "NSE", f"{DAY} 15:30", 250.5),
            (PUT, "NSE", f"{DAY} 15:30", 40.25),
        ],
        leg_prices={CALL: (101.5, 60.0), PUT: (98.25, None)},
        current_time=f"{DAY} 23:59",
    )
    for row, expected in zip((call, straddle), given, strict=True):
        for name in ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib"):
            assert float(row[name]) == pytest.approx(expected[name], abs=1e-9), name
    assert "cache: " in result.stderr
    assert "fetches" in result.stderr


def test_prices_of_the_caller_go_first(ask, replay, orders, tmp_path):
    (tmp_path / "prices.csv").write_text(f"symbol,time,price\n{PUT},{DAY} 15:30,41\n")
    result = ask("--prices", tmp_path / "prices.csv", "--broker", f"replay:{replay}", "--redis", orders)
    assert result.exit_code == 0, result.stderr
    assert float(rows_of(result)[1]["pnl"]) == pytest.approx(75 * (101.5 + 98.25 - 250.5 - 41.0), abs=1e-9)


def test_fills_are_asked_of_redis_first_and_then_of_the_brokers(ask, replay, store):
    hashes = json.loads(PAYLOAD.read_text())
    store.load({key: hashes[key] for key in ("25112000012345", "25112000012999")})  # not the put's
    write(replay, {"fills/all.csv": FILLS})
    result = ask("--broker", f"replay:{replay}", "--redis", store.url)
    call, straddle = rows_of(result)
    assert float(call["pnl"]) == -75 * (60.0 - 101.5)  # and not from 999
    assert result.exit_code == 0, straddle["reason"]


def test_brokers_are_asked_in_their_order(ask, replay, tmp_path):
    fills = FILLS + f"25112000012999,{CALL},60\n"
    other = write(tmp_path / "other", {"closes/all.csv": CLOSES.replace("40.25", "44"), "fills/all.csv": fills})
    first = ask("--broker", f"replay:{replay}", "--broker", f"replay:{other}")
    then = ask("--broker", f"replay:{other}", "--broker", f"replay:{replay}")
    assert (first.exit_code, then.exit_code) == (0, 0), first.stderr
    assert float(rows_of(first)[1]["pnl"]) == pytest.approx(75 * (999 + 98.25 - 250.5 - 40.25), abs=1e-9)
    assert float(rows_of(then)[1]["pnl"]) == pytest.approx(75 * (999 + 98.25 - 250.5 - 44.0), abs=1e-9)


def test_a_recording_replays_to_the_same_numbers(ask, replay, orders, tmp_path):
    recorded = ask("--broker", f"replay:{replay}", "--redis", orders, "--record", tmp_path / "heard")
    again = ask("--broker", f"replay:{tmp_path / 'heard'}")
    assert again.exit_code == 0, again.stderr
    assert amounts(again) == amounts(recorded)


# -- history on disk ---------------------------------------------------------------------------------------------------


def candles(call):
    """What a server in front of a broker answers: a rising price, minute by minute or one day."""
    asked = call.json()
    level = {"NIFTY": 24000.0}.get(asked["symbol"], 100.0)
    begin = datetime.fromisoformat("2024-11-26T09:15").replace(tzinfo=ZoneInfo("Asia/Kolkata"))
    if asked["interval"] == "D":
        times = [begin.replace(hour=0, minute=0)]
    else:
        times = [begin + timedelta(minutes=minute) for minute in range(375)]
    rows = [
        {"timestamp": int(time.timestamp()), "volume": 75}
        | dict.fromkeys(("open", "high", "low", "close"), level + place / 10)
        for place, time in enumerate(times)
    ]
    return {"status": "success", "data": rows}


@pytest.fixture
def server(monkeypatch):
    """A server that the openalgo adapter finds in the environment."""
    with FakeVendor() as running:
        running.answer("/api/v1/history", candles)
        running.answer("/api/v1/ping", {"status": "success", "data": {"broker": "zerodha", "message": "pong"}})
        monkeypatch.setenv("OPENALGO_API_KEY", SECRET)
        monkeypatch.setenv("OPENALGO_HOST", running.url)
        yield running


@pytest.fixture
def call_of_november(tmp_path):
    path = tmp_path / "november.csv"
    path.write_text(
        "symbol,entry_time,entry_quantity,entry_price\nNIFTY_OPT_20241128_CALL_24000,2024-11-26 10:00:00,-75,104.5\n"
    )
    return path


@pytest.mark.parametrize("before", [[], ["--broker", "replay:."]])
def test_history_spares_the_second_run_the_network(run, server, call_of_november, tmp_path, monkeypatch, before):
    words = ("explain", call_of_november, "--day", "2024-11-26", "--format", "csv", "--history", tmp_path / "history")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    first = run(*words, *before, "--broker", "openalgo")
    assert first.exit_code == 0, first.stderr
    assert server.calls
    asked = len(server.calls)
    second = run(*words, *before, "--broker", "openalgo")
    assert len(server.calls) == asked
    assert second.stdout == first.stdout
    monkeypatch.delenv("OPENALGO_API_KEY")
    alone = run(*words)
    assert alone.exit_code == 0, alone.stderr
    assert amounts(alone) == amounts(first)


def test_history_and_redis_need_no_broker(ask, replay, orders, tmp_path):
    words = ("--redis", orders, "--history", tmp_path / "history")
    assert ask(*words, "--broker", f"replay:{replay}").exit_code == 0
    result = ask(*words)
    _, straddle = rows_of(result)
    assert straddle["status"] == "missing_price"  # the spot at the fill: a replay keeps its own bars
    assert float(straddle["pnl"]) == pytest.approx(75 * (101.5 + 98.25 - 250.5 - 40.25), abs=1e-9)
    assert result.exit_code == 1


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_an_outage_is_told_and_is_no_flat_day(run, server, call_of_november):
    server.answer("/api/v1/history", reply({"status": "error", "message": f"Invalid openalgo apikey {SECRET}"}, 403))
    result = run("explain", call_of_november, "--day", "2024-11-26", "--format", "csv", "--broker", "openalgo")
    assert result.exit_code == 1
    (row,) = rows_of(result)
    assert row["status"] == "source_failed"
    assert (row["pnl"], row["spot_attrib"]) == ("", "")
    assert "openalgo" in result.stderr.lower()
    assert "1 of 1 results could not be explained" in result.stderr
    assert SECRET not in result.output


def test_a_dead_redis_is_told(ask, replay):
    result = ask("--broker", f"replay:{replay}", "--redis", f"redis://127.0.0.1:{free_port()}/0")
    assert result.exit_code == 1
    assert {row["status"] for row in rows_of(result)} == {"source_failed"}
    assert "does not answer" in result.stderr


def test_a_broken_file_of_a_replay_is_an_outage(ask, replay, orders):
    (replay / "closes" / "all.csv").write_text("what,is,this\n1,2,3\n")
    result = ask("--broker", f"replay:{replay}", "--redis", orders)
    assert result.exit_code == 1
    call, straddle = rows_of(result)
    assert (call["status"], straddle["status"]) == ("ok", "source_failed")
    assert "all.csv" in straddle["reason"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no source of prices: give --prices PRICES.csv, --broker or --history"),
        (["--redis", "redis://127.0.0.1:1/0"], "no source of prices, which knows fills alone"),
        (["--broker", "replay"], "as in replay:FOLDER"),
        (["--broker", "replay:/no/such/folder"], "no such folder"),
        (["--broker", "shonya"], "did you mean shoonya?"),
        (["--broker", f"shoonya:{SECRET}"], "nothing follows its name"),
        (["--broker", "shoonya"], "needs SHOONYA_USER_ID, SHOONYA_ACCESS_TOKEN or SHOONYA_USER_TOKEN"),
        (["--broker", "fivepaisa"], "needs FIVEPAISA_CLIENT_CODE, FIVEPAISA_APP_KEY, FIVEPAISA_ACCESS_TOKEN"),
        (["--broker", "alpaca", "--broker", "openalgo"], "APCA_API_SECRET_KEY (docs/brokers/alpaca.md); --broker open"),
        (["--history", "/no/such/folder"], "no such folder, and no --broker"),
        (["--history", __file__, "--broker", "replay:."], "is no folder"),
        (["--record", f"{__file__}/no", "--broker", "replay:."], "cannot be written"),
        (["--broker", "replay:.", "--redis", "env"], "--redis env needs REDIS_URL"),
        (["--broker", "replay:.", "--redis", f"redis://:{SECRET}@127.0.0.1:1/0"], "do not belong on the command line"),
        (["--broker", "replay:.", "--redis", "127.0.0.1"], "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_refused(ask, words, told):
    result = ask(*words)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
    assert SECRET not in result.output
    assert "Traceback" not in result.output


def test_nothing_to_record_is_refused(ask, tmp_path):
    (tmp_path / "prices.csv").write_text(f"symbol,time,price\n{NIFTY},{OPENED},26020\n")
    result = ask("--prices", tmp_path / "prices.csv", "--record", tmp_path / "heard")
    assert result.exit_code == 2
    assert "nothing to record" in result.stderr


def test_a_setting_that_cannot_be_used_is_told(ask, monkeypatch):
    monkeypatch.setenv("APCA_API_KEY_ID", SECRET)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    monkeypatch.setenv("ALPACA_OPTION_FEED", "gossip")
    result = ask("--broker", "alpaca")
    assert result.exit_code == 2
    assert "gossip" in result.stderr
    assert SECRET not in result.output


@pytest.mark.parametrize(
    ("package", "words", "extra"),
    [
        ("httpx", ["--broker", "openalgo"], "brokers"),
        ("redis", ["--broker", "replay:.", "--redis", "redis://127.0.0.1:1/0"], "redis"),
        ("pyarrow", ["--broker", "replay:.", "--history", "h"], "history"),
    ],
)
def test_a_missing_extra_is_named(process, environment, trades, package, words, extra, tmp_path):
    write(tmp_path, {f"none/{package}/__init__.py": f"raise ModuleNotFoundError('no {package}', name='{package}')\n"})
    environment |= {"OPENALGO_API_KEY": SECRET}
    environment["PYTHONPATH"] = f"{tmp_path / 'none'}:{environment['PYTHONPATH']}"
    result = process("explain", trades, *words, cwd=tmp_path)
    assert result.returncode == 2
    assert f"{package}: pip install 'options-attribution[{extra}]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_help_needs_no_extra(environment):
    code = (
        "import sys\nfrom attribution.app.main import app\n"
        "sys.exit(bool({'brokers', 'httpx', 'redis', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
