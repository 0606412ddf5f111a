"""``attribution ledger``: what it prints, what it returns, and how it refuses."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from datetime import date
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from attribution.app.explain import warm_up
from attribution.app.ledger import app
from attribution.model import Model
from tests.ledger.ledger_tools import BrokenStore, fill, service_in
from tests.ledger.test_explain import CALL, DAYS, PUT, WEEKLY, Market, at, of, option_fill
from tests.market_data import market_data

TIME = ("--time", "2025-01-06 10:00")


@pytest.fixture(autouse=True, scope="module")
def _compiled():
    """Compiled before anybody looks at standard error, where a first compilation would be told of."""
    warm_up(Model())


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command on the ledger of this test."""
    monkeypatch.setenv("TRADE_LEDGER_BASE_PATH", str(tmp_path / "ledger"))
    for name in ("TRADE_LEDGER_BACKEND", "ALPACA_PAPER_TRADING", "ALPACA_ENDPOINT", "TRADE_LEDGER__ENABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words], prog_name="attribution ledger")


@pytest.fixture
def example(run):
    """The documents' example on record."""
    for words in (
        ("AAPL", "buy", 60, 100, "--strategy", "A", *TIME),
        ("AAPL", "buy", 40, 100, "--strategy", "B", *TIME),
        ("AAPL", "sell", 50, 110, "--time", "2025-01-06 11:00"),
    ):
        assert run("record", *words).exit_code == 0
    return run


def rows(result) -> list[dict[str, str]]:
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_the_60_40_example(example):
    held = {row["strategy"]: row for row in rows(example("positions", "--format", "csv"))}
    assert {name: row["quantity"] for name, row in held.items()} == {"A": "30", "B": "20"}
    assert {name: row["realised"] for name, row in held.items()} == {"A": "300", "B": "200"}


def test_pnl_knows_what_it_does_not_know(example):
    known = example("pnl", "--price", "AAPL=110")
    assert known.exit_code == 0
    assert "1,000.00" in known.stdout
    assert "fees of" in known.stderr
    unknown = example("pnl")
    assert unknown.exit_code == 1
    assert "unknown" in unknown.stdout
    assert "--price of AAPL" in unknown.stderr


def test_the_same_command_again_changes_nothing(example):
    again = example("record", "AAPL", "sell", 50, 110, "--time", "2025-01-06 11:00")
    assert (again.exit_code, again.stdout) == (0, "#5 SELL 50 AAPL @ 110 → A 30, B 20 (pro_rata)\n")
    assert len(json.loads(example("query", "--format", "json").stdout)) == 3


def test_weights_and_quotes_from_the_command_line(run):
    words = (
        "--strategy",
        "A=0.6",
        "--strategy",
        "B=0.4",
        "--bid",
        "99",
        "--ask",
        "101",
        "--fees",
        "1.5",
        "--run",
        "r1",
    )
    assert "A 6, B 4" in run("record", "AAPL", "buy", 10, 100, *words, *TIME).stdout
    (entry,) = json.loads(run("query", "--format", "json").stdout)
    assert (entry["bid_at_fill"], entry["fees"], entry["correlation_id"]) == ("99", "1.5", "r1")
    assert entry["fill_timestamp"] == "2025-01-06T15:00:00+00:00", "the exchange's zone"


def test_query_filters_orders_and_adds_up(example):
    assert [row["direction"] for row in rows(example("query", "--strategy", "B", "--format", "csv"))] == ["BUY", "SELL"]
    assert len(rows(example("query", "--limit", 1, "--offset", 1, "--descending", "--format", "csv"))) == 1
    totals = rows(example("query", "--by", "strategy_name", "--by", "symbol", "--format", "csv"))
    assert {row["strategy_name"]: row["sell_value"] for row in totals} == {"A": "3300", "B": "2200"}
    assert example("query", "--start", "2025-01-07").stdout.count("AAPL") == 0
    assert "A 30, B 20" in example("query").stdout


def test_lots_files_and_json(example, tmp_path):
    assert "opened" in example("positions", "--lots").stdout
    target = tmp_path / "positions.json"
    assert example("positions", "--output", target).exit_code == 0
    assert [row["strategy"] for row in json.loads(target.read_text())] == ["A", "B"]


def test_verify_finds_a_changed_entry(example, tmp_path):
    whole = example("verify")
    assert whole.exit_code == 0
    assert "every digest and link is right" in whole.stdout
    path = tmp_path / "ledger" / "ledger.sqlite3"
    content = path.read_bytes()
    assert content.count(b'"price":"110"') == 1
    path.write_bytes(content.replace(b'"price":"110"', b'"price":"119"'))
    changed = example("verify")
    assert changed.exit_code == 1
    assert "entry 5" in changed.stderr


def test_verify_tells_of_contradictions(run):
    run("record", "AAPL", "buy", 10, 100, "--order-id", "o1", "--fill-id", "f1", *TIME)
    refused = run("record", "AAPL", "buy", 10, 101, "--order-id", "o1", "--fill-id", "f1", *TIME)
    assert refused.exit_code == 2
    assert "already recorded" in refused.stderr or "f1" in refused.stderr
    found = run("verify")
    assert found.exit_code == 1
    assert "1 contradictions in quarantine" in found.stderr


def test_exports(example, tmp_path):
    for layout, name in (("local", "ledger.jsonl"), ("dated", "trade_ledger"), ("runs", "trade-ledgers")):
        assert example("export", layout, tmp_path / layout).exit_code == 0
        assert (tmp_path / layout / name).exists()
        assert "0 files written" in example("export", layout, tmp_path / layout).stdout, "again"


def test_a_parquet_snapshot_is_exact_and_split_by_strategy(example, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    assert example("export", "parquet", tmp_path / "history").exit_code == 0
    (path,) = (tmp_path / "history" / "fills").glob("*.parquet")
    assert path.name == "2025-01-06.parquet"
    table = pq.read_table(path).to_pylist()
    assert [(row["strategy"], row["side"], row["quantity"]) for row in table] == [
        ("A", "BUY", Decimal(60)),
        ("B", "BUY", Decimal(40)),
        ("A", "SELL", Decimal(30)),
        ("B", "SELL", Decimal(20)),
    ]
    assert table[0]["trade_date"] == date(2025, 1, 6)
    assert table[0]["fees"] is None, "not known"


@pytest.mark.parametrize("name", ["tastytrade_2021.csv", "tastytrade_spx_0dte_202301.csv"])
def test_a_real_export_reconciles_from_the_command_line(run, name):
    path = market_data("data", "trade_logs", name)
    result = run("import", path, "--account", "tasty", "--strategy", "wheel")
    assert result.exit_code == 0, result.stderr
    assert "reconciles" in result.stdout
    assert "0 listed" in result.stdout
    again = run("import", path, "--account", "tasty", "--strategy", "wheel")
    assert " 0 entries recorded" in again.stdout
    assert run("verify").exit_code == 0


def test_an_import_lists_what_it_cannot_record(run, tmp_path):
    path = tmp_path / "trades.csv"
    path.write_text("When,symbol,quantity,price\n2025-01-06 10:00,AAPL,10,100\n2025-01-06 10:00,AAPL,ten,100\n")
    result = run("import", path, "--columns", "timestamp=When", "--zone", "America/New_York")
    assert result.exit_code == 1
    assert "1 entries recorded" in result.stdout
    assert "line 3" in result.stderr
    assert "quantity" in result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("record", "AAPL", "hold", "1", "2"), "BUY or SELL"),
        (("record", "AAPL", "buy", "many", "2"), "QUANTITY 'many'"),
        (("record", "AAPL", "buy", "1", "2", "--time", "noon"), "--time"),
        (("record", "AAPL", "buy", "1", "2", "--strategy", "=1"), "--strategy"),
        (("record", "AAPL", "buy", "1", "2", "--strategy", "A=-1"), "--strategy 'A=-1': a weight must be more than 0"),
        (("record", "AAPL", "buy", "1", "2", "--time", "2025-01-06"), "needs a time of day"),
        (("record", "AAPL", "buy", "1", "2", "--currency", "rupees"), "--currency 'rupees': must be a code of three"),
        (("record", "AAPL", "buy", "1", "2", "--strategy", "A=0"), "--strategy 'A=0': a weight must be more than 0"),
        (("record", "AAPL", "buy", "1", "2", "--closing", "lifo"), "pro_rata"),
        (("import", "nowhere.csv"), "nowhere.csv: cannot be read"),
        (("query",), "there is no log"),
        (("positions",), "there is no log"),
        (("explain", "--prices", "nowhere.csv"), "there is no log"),
    ],
)
def test_wrong_usage_is_a_sentence_and_exit_code_2(run, words, told):
    result = run(*words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.startswith("attribution: ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("query", "--order-by", "colour"), "timestamp, symbol, strategy_name"),
        (("query", "--by", "colour"), "strategy_name"),
        (("query", "--start", "soon"), "--start 'soon'"),
        (("pnl", "--price", "AAPL"), "SYMBOL=PRICE"),
        (("pnl", "--price", "AAPL=ten"), "must be a number"),
        (("explain",), "no source of prices"),
    ],
)
def test_wrong_questions_are_refused(example, words, told):
    result = example(*words)
    assert result.exit_code == 2
    assert told in result.stderr


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Take the log away from the commands that write, while this is entered."""
    from attribution.app import ledger_door
    from attribution.ledger.log import Log
    from attribution.ledger.spool import SafeLog, Spool

    store = BrokenStore(tmp_path / "ledger")
    store.is_down = True

    def opened(settings):
        return SafeLog(Log(store), Spool(settings.spool_path))

    @contextmanager
    def enter():
        with monkeypatch.context() as patch:
            patch.setattr(ledger_door, "open_safe_log", opened)
            yield patch

    yield enter
    store.close()


def test_a_log_that_is_down_keeps_the_fill_in_the_spool(run, broken):
    with broken():
        result = run("record", "AAPL", "buy", 10, 100, "--strategy", "A", *TIME)
    assert result.exit_code == 1
    assert "waiting" in result.stdout
    assert "1 waiting in the spool" in result.stderr
    assert run("verify").exit_code == 1
    assert run("record", "AAPL", "buy", 5, 100, "--strategy", "A", "--time", "2025-01-06 12:00").exit_code == 0
    assert [row["quantity"] for row in rows(run("positions", "--format", "csv"))] == ["15"]


def test_a_log_that_cannot_be_opened_keeps_the_fill_too(run, tmp_path):
    blocked = tmp_path / "ledger" / "ledger.sqlite3"
    blocked.mkdir(parents=True)
    result = run("record", "AAPL", "buy", 10, 100, "--strategy", "A", *TIME)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert run("replay").exit_code == 1
    blocked.rmdir()
    replayed = run("replay")
    assert (replayed.exit_code, replayed.stderr) == (0, "")
    assert "1 of 1 batches appended" in replayed.stdout
    assert len(rows(run("query", "--strategy", "A", "--format", "csv"))) == 1


def test_a_fill_that_nothing_on_disk_took_is_not_said_to_wait(run, broken):
    def full(*_):
        raise OSError(30, "Read-only file system")

    with broken() as patch:
        patch.setattr("attribution.ledger.spool.create_whole", full)
        result = run("record", "AAPL", "buy", 10, 100, "--strategy", "A", *TIME)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "not recorded" in result.stderr
    assert "Read-only file system" in result.stderr
    assert run("positions").stdout.count("AAPL") == 0


@pytest.fixture
def read_only(tmp_path):
    """A file system of its own in the ledger's place, and how to make it one that can only be read."""
    folder = tmp_path / "ledger"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode != 0:
        pytest.skip("a file system cannot be mounted here (it takes root)")
    try:
        yield lambda: subprocess.run([mount, "-o", "remount,ro", folder], check=True)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_ledger_on_a_medium_that_can_only_be_read_is_read(read_only, example, tmp_path):
    asked = (
        ("positions", "--format", "csv"),
        ("query", "--format", "csv"),
        ("query", "--by", "symbol", "--format", "csv"),
        ("pnl", "--price", "AAPL=110", "--format", "csv"),
        ("verify",),
        ("export", "local", tmp_path / "exported"),
    )
    before = [example(*words).stdout for words in asked]
    read_only()
    for words, told in zip(asked, before, strict=True):
        result = example(*words)
        assert result.exit_code == 0, result.stderr
        assert words[0] == "export" or result.stdout == told
    refused = example("record", "AAPL", "buy", 1, 100, "--strategy", "A", *TIME)
    assert refused.exit_code == 2
    assert "not recorded" in refused.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_ledger_whose_last_commits_cannot_be_read_there_is_refused(read_only, example, tmp_path):
    with service_in(tmp_path / "ledger") as service:
        service.append([fill(7, "SELL", 1, 110)])
        for name in ("ledger.sqlite3", "ledger.sqlite3-wal"):
            shutil.copy(tmp_path / "ledger" / name, tmp_path / name)
    for name in ("ledger.sqlite3", "ledger.sqlite3-wal"):
        shutil.copy(tmp_path / name, tmp_path / "ledger" / name)
    read_only()
    result = example("positions")
    assert result.exit_code == 2
    assert "its last commits are in ledger.sqlite3-wal" in result.stderr


def test_replay_gives_owners_to_fills_that_have_none(run, tmp_path):
    run("record", "AAPL", "buy", 60, 100, "--strategy", "A", *TIME)
    with service_in(tmp_path / "ledger") as service:
        service.log.append([fill(7, "SELL", 50, 110).draft()])
    found = run("verify")
    assert found.exit_code == 1
    assert "1 fills are on record without their owners" in found.stderr
    assert "no fills without their owners" in run("replay").stdout
    assert run("verify").exit_code == 0
    assert len(rows(run("query", "--strategy", "A", "--format", "csv"))) == 2


# --- explain ------------------------------------------------------------------------------------------------------


@pytest.fixture
def options(run, tmp_path):
    """Two strategies in NIFTY options over three sessions, and a file of their prices."""
    market = Market()
    with service_in(tmp_path / "ledger", account_id="default") as service:
        mine = {"account_id": "default"}
        service.append(
            [
                option_fill(1, DAYS[0], CALL, "SELL", 150, market.price(CALL, DAYS[0]), split=of("short", 150), **mine),
                option_fill(2, DAYS[0], PUT, "SELL", 150, market.price(PUT, DAYS[0]), split=of("short", 150), **mine),
                option_fill(3, DAYS[1], WEEKLY, "BUY", 75, market.price(WEEKLY, DAYS[1]), split=of("long", 75), **mine),
                option_fill(4, DAYS[2], CALL, "BUY", 75, market.price(CALL, DAYS[2]), ts=at(DAYS[2]), **mine),
            ]
        )
    path = tmp_path / "prices.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("symbol", "time", "price"))
        writer.writerows((s, f"{d[:4]}-{d[4:6]}-{d[6:]}", price) for (s, d), price in market.closes.items())
        writer.writerows((symbol, instant, price) for (symbol, _, instant), price in market.at_fill.items())
    return lambda *words: run("explain", "--prices", path, *words)


def test_explain_from_the_command_line(options):
    table = options()
    assert table.exit_code == 0, table.stderr
    assert "✓" in table.stdout
    assert {line.split()[0] for line in table.stdout.splitlines()[1:4]} == {"long", "short", "Σ"}
    drawn = options("--format", "waterfall").stdout
    assert "█" in drawn
    found = rows(options("--by", "strategy", "--by", "session", "--format", "csv"))
    assert len(found) == 5
    whole = rows(options("--by", "symbol", "--format", "csv"))
    assert sum(Decimal(row["pnl"]) for row in found) == sum(Decimal(row["pnl"]) for row in whole)
    for row in found:
        names = ("spot", "vol", "time", "spread", "fees", "income", "delivery", "corrections", "unexplained")
        assert sum(Decimal(row[name]) for name in names) == Decimal(row["pnl"])


def test_explain_takes_a_window_and_refuses_others(options):
    one = rows(options("--start", "2025-01-02", "--end", "2025-01-02", "--by", "session", "--format", "csv"))
    assert [row["session"] for row in one] == ["2025-01-02"]
    assert options("--start", "2025-01-03", "--end", "2025-01-02").exit_code == 2
    assert options("--by", "colour").exit_code == 2
    assert options("--method", "guess").exit_code == 2


def test_explain_says_what_is_missing(options, tmp_path):
    path = tmp_path / "prices.csv"
    kept = [line for line in path.read_text().splitlines() if not line.startswith(f"{CALL},2025-01-02")]
    path.write_text("\n".join(kept) + "\n")
    result = options()
    assert result.exit_code == 1
    assert "unknown" in result.stdout
    assert f"no mark of {CALL}" in result.stderr


def test_a_fill_is_corrected_reassigned_and_busted(run):
    for words in (
        ("AAPL", "buy", 60, 100, "--strategy", "A", *TIME),
        ("AAPL", "buy", 40, 100, "--strategy", "B", *TIME),
    ):
        assert run("record", *words).exit_code == 0
    told = run("correct", 1, "--price", 90, "--reason", "typo")
    assert (told.exit_code, told.stdout.split()[1:4]) == (0, ["correct", "of", "#1"])
    assert run("correct", 1, "--price", 90, "--reason", "typo").stdout == "#1 is so corrected already (revision 1)\n"
    assert run("correct", 3, "--strategy", "A").exit_code == 0
    (held,) = rows(run("positions", "--format", "csv"))
    assert (held["strategy"], held["quantity"], held["cost"]) == ("A", "100", "9400")
    assert run("correct", 3, "--strategy", "A=10", "--strategy", "B=30").exit_code == 0
    assert {row["strategy"]: row["quantity"] for row in rows(run("positions", "--format", "csv"))} == {
        "A": "70",
        "B": "30",
    }
    assert run("correct", 3, "--bust").exit_code == 0
    (held,) = rows(run("positions", "--format", "csv"))
    assert (held["strategy"], held["quantity"]) == ("A", "60")
    assert run("verify").exit_code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((2, "--bust"), "NUMBER 2: must be a fill's"),
        ((99, "--bust"), "#99 is nothing"),
        ((1,), "nothing to correct"),
        ((1, "--bust", "--price", 3), "a fill that never happened has no other price"),
        ((1, "--strategy", "A=1"), "quantities that add up to 60"),
        ((1, "--side", "sel"), "one of BUY, SELL"),
        ((1, "--quantity", 0), "quantity"),
    ],
)
def test_a_correction_that_cannot_be_is_refused(run, words, told):
    assert run("record", "AAPL", "buy", 60, 100, "--strategy", "A", *TIME).exit_code == 0
    result = run("correct", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
