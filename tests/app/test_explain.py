import csv
import io
import json
import math
from contextlib import contextmanager

import pytest

from attribution import Flag, Status, attribute_daily
from attribution.app.demo import demo_prices, demo_trades

EFFECTS = ("spot_attrib", "vol_attrib", "timedecay_attrib", "spread_attrib")
CALL = "NIFTY_OPT_20250130_CALL_24000"
HEAD = "trade_id,symbol,entry_time,entry_price,entry_quantity,exit_time,exit_price\n"
GOOD = f"good,{CALL},2025-01-03 15:30,397.00,-75,2025-01-10 15:30,118.15\n"


def rows_of(result):
    return list(csv.DictReader(io.StringIO(result.stdout)))


@pytest.fixture
def library():
    return attribute_daily(demo_trades(), spot_prices=demo_prices())


def test_daily_table_equals_the_demo(explain):
    result = explain("--daily")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "= P&L 12,090.00  ✓" in result.stdout
    assert result.stdout.count("iron condor") == 7


def test_csv_reads_back_as_the_same_doubles(explain, library):
    rows = rows_of(explain("--daily", "--format", "csv"))
    assert len(rows) == len(library)
    for row, expected in zip(rows, library, strict=True):
        for name in (*EFFECTS, "residual", "pnl", "fees", "net_pnl"):
            assert float(row[name]) == expected[name]
        assert row["session"] == expected["session"].isoformat()
        assert row["window_start"] == expected["window"]["start"].isoformat()
        assert row["flags"].split() == list(expected["flags"])
        assert int(row["line"]) == expected["row"] + 2


def test_json_reads_back_whole(explain, library):
    results = json.loads(explain("--daily", "--format", "json").stdout)
    for result, expected in zip(results, library, strict=True):
        assert result["pnl"] == expected["pnl"]
        assert result["per_leg"].keys() == expected["per_leg"].keys()
        for symbol, leg in expected["per_leg"].items():
            vol = result["per_leg"][symbol]["vol0"]
            assert vol is None if math.isnan(leg["vol0"]) else vol == leg["vol0"]


def test_windows(explain):
    whole = rows_of(explain("--trade", "--format", "csv"))
    assert [row["session"] for row in whole] == [""] * 4
    assert whole[2]["window_end"] == "2025-01-10T15:30:00+05:30"
    one = rows_of(explain("--day", "2025-01-08", "--format", "csv"))
    assert {row["session"] for row in one} == {"2025-01-08"}
    assert "session 2025-01-08" in explain("--day", "2025-01-08").stdout
    default = rows_of(explain("--format", "csv"))
    assert default[3]["session"] == "2025-01-10"
    instant = rows_of(explain("--current-time", "2025-01-07 18:00", "--format", "csv"))
    assert {row["session"] for row in instant} == {"2025-01-07"}


def test_day_without_session_is_told(explain):
    result = explain("--day", "2025-01-05")
    assert "2025-01-05 had no session" in result.stderr
    assert "2025-01-03" in result.stderr


@pytest.mark.parametrize("by", ["trade", "leg", "underlying", "expiry", "day"])
def test_groups_add_up_to_the_total(explain, by):
    groups = rows_of(explain("--daily", "--by", by, "--format", "csv"))
    assert math.fsum(float(group["pnl"]) for group in groups) == pytest.approx(12090.0)
    assert math.fsum(float(group["fees"]) for group in groups) == pytest.approx(660.0)
    table = explain("--daily", "--by", by)
    assert "= P&L 12,090.00  ✓" in table.stdout
    assert next(line for line in table.stdout.splitlines() if line.startswith("Σ ")).split()[-1] == "660.00"
    assert table.exit_code == 0


def test_several_groupings(explain):
    groups = rows_of(explain("--daily", "--by", "underlying", "--by", "day", "--format", "csv"))
    assert list(groups[0])[:2] == ["underlying", "day"]
    json_groups = json.loads(explain("--daily", "--by", "underlying,day", "--format", "json").stdout)
    assert [group["day"] for group in json_groups] == [group["day"] for group in groups]


def test_unlabelled_trades_go_by_their_line(explain, folder):
    (folder / "t.csv").write_text(HEAD + "\n" + GOOD.replace("good", "") * 2)
    rows = rows_of(explain("--trade", "--by", "trade", "--format", "csv", trades="t.csv"))
    assert [row["trade"] for row in rows] == ["line 3", "line 4"]


def test_waterfall_format(explain):
    text = explain("--day", "2025-01-07", "--format", "waterfall").stdout
    assert text.count("P&L") == 5
    assert "Σ of 4" in text
    assert "NIFTY rose 0.4 %" in text


@pytest.mark.parametrize("method", ["waterfall", "shapley", "path", "one_at_a_time", "taylor"])
def test_methods_share_one_total(explain, method):
    rows = rows_of(explain("--day", "2025-01-07", "--method", method, "--detail", "--format", "csv"))
    assert math.fsum(float(row["pnl"]) for row in rows) == pytest.approx(20081.25)
    assert {row["method"] for row in rows} == {method}
    assert "detail_gamma_pnl" in rows[0]


def test_model_options_arrive(explain):
    base = rows_of(explain("--day", "2025-01-07", "--format", "csv"))
    other_options = (
        "--clock",
        "calendar",
        "--rate",
        "0.07",
        "--dividend-yield",
        "0.01",
        "--order",
        "vol,spot,spread,time",
    )
    other = rows_of(explain("--day", "2025-01-07", "--format", "csv", *other_options))
    assert {row["clock"] for row in other} == {"calendar"}
    assert other[1]["spot_attrib"] != base[1]["spot_attrib"]
    assert [row["pnl"] for row in other] == [row["pnl"] for row in base]


BAD = {
    4: ("thousands", f'thousands,{CALL},2025-01-03 15:30,"1,397.00",-75,,\n', "column 'entry_price'"),
    5: ("wide", f"wide,{CALL},2025-01-03 15:30,1,397.00,-75,,\n", "8 cells"),
    6: ("badsym", "badsym,NIFTY_OPT_20251330_CALL_24000,2025-01-03 15:30,397,-75,,\n", "20251330"),
    7: ("badtime", f"badtime,{CALL},03/01/2025,397.00,-75,,\n", "column 'entry_time'"),
    8: ("backwards", f"backwards,{CALL},2025-01-03 15:30,397.00,-75,2025-01-02 15:30,5\n", "column 'exit_time'"),
    9: ("early", "early,NIFTY_OPT_19900130_CALL_24000,1990-01-03 15:30,397.00,-75,,\n", "outside_calendar"),
    10: ("dark", "dark,NIFTY_OPT_20250130_CALL_25000,2025-01-03 15:30,9,-75,,\n", "missing_price"),
}


@pytest.fixture
def mixed(folder):
    (folder / "mixed.csv").write_text(HEAD + GOOD + "\n" + "".join(row for _, row, _ in BAD.values()))


def test_bad_rows_keep_their_place_and_stop_nobody(explain, mixed):
    result = explain("--day", "2025-01-10", "--format", "csv", trades="mixed.csv")
    assert result.exit_code == 1
    rows = rows_of(result)
    assert [row["trade"] for row in rows] == ["good", *(name for name, _, _ in BAD.values())]
    assert [int(row["line"]) for row in rows] == [2, *BAD]
    assert rows[0]["status"] == "ok"
    for row, (line, (_, _, words)) in zip(rows[1:], BAD.items(), strict=True):
        assert [row[name] for name in EFFECTS] == [""] * 4
        told = next(text for text in result.stderr.splitlines() if f"mixed.csv:{line}:" in text)
        assert words in told
        assert row["reason"] in told
    assert "7 of 8 results could not be explained" in result.stderr
    as_json = json.loads(explain("--day", "2025-01-10", "--format", "json", trades="mixed.csv").stdout)
    assert as_json[1]["spot_attrib"] is None


def test_bad_rows_in_the_table_and_by_day(explain, mixed):
    result = explain("--day", "2025-01-10", trades="mixed.csv")
    assert result.exit_code == 1
    assert "Σ of 1 known" in result.stdout
    assert "line 4, thousands" in result.stdout
    daily = explain("--daily", "--current-time", "2025-01-10 18:00", "--format", "csv", trades="mixed.csv")
    assert daily.exit_code == 1
    assert {row["trade"] for row in rows_of(daily)} == {"good", *(name for name, _, _ in BAD.values())}


def test_named_columns_are_named_in_errors(explain, folder):
    (folder / "mine.csv").write_text("Instrument,Opened,Units\n" + f"{CALL},2025-01-03 15:30,x\n")
    names = "symbol=Instrument,entry_time=Opened,entry_quantity=Units"
    result = explain("--columns", names, "--format", "csv", trades="mine.csv")
    assert result.exit_code == 1
    assert "mine.csv:2: column 'Units': invalid_trade: entry_quantity='x'" in result.stderr


def test_named_columns_of_prices(explain, folder):
    text = (folder / "prices.csv").read_text().replace("time,price", "When,Close", 1)
    (folder / "mine.csv").write_text(text)
    assert explain("--daily", prices="mine.csv").exit_code == 2
    result = explain("--daily", "--columns", "prices.time=When,prices.price=Close", prices="mine.csv")
    assert result.exit_code == 0


def test_bad_price_rows_are_told(explain, folder):
    with (folder / "prices.csv").open("a") as stream:
        stream.write('NIFTY_IND___,NSE,2025-01-13 15:30,"23,085.95"\n')
    result = explain("--daily", "--format", "csv")
    assert result.exit_code == 1
    assert "prices.csv:64: price='23,085.95'" in result.stderr
    assert {row["status"] for row in rows_of(result)} == {"ok"}


def test_unknown_columns_are_mentioned(explain, folder):
    (folder / "t.csv").write_text(HEAD.replace("trade_id", "strategy") + GOOD)
    result = explain("--trade", trades="t.csv")
    assert result.exit_code == 0
    assert "columns that mean nothing here: strategy" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--day", "2025-01-06", "--trade"], "give one of them"),
        (["--trade", "--daily"], "give one of them"),
        (["--day", "2025-01-06", "--current-time", "2025-01-06 12:00"], "give one of them"),
        (["--day", "6 Jan"], "--day"),
        (["--order", "time,spot"], "order"),
        (["--method", "magic"], "must be one of waterfall"),
        (["--clock", "sundial"], "must be one of 'sessions'"),
        (["--current-time", "noon"], "--current-time 'noon'"),
        (["--current-time", "2025-01-06"], "use --day"),
        (["--by", "strike"], "must be one of trade"),
        (["--columns", "symbol"], "expected FIELD=Header"),
        (["--rate", "nan"], "finite"),
        (["--output", "/no/such/folder/out.csv"], "cannot be written"),
        (["--output", "out.parquet"], ".parquet is not written here: name a file that ends in .csv, .json or .txt"),
        (["--output", "out.XLSX", "--format", "csv"], ".xlsx is not written here"),
        (["--output", "out.md"], "or say --format"),
        (["--format", "xml"], "--format"),
    ],
)
def test_wrong_usage(explain, options, words):
    result = explain(*options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in " ".join(result.stderr.split())


def test_output_is_written_whole(explain, folder):
    target = folder / "out.csv"
    target.write_text("before")
    result = explain("--daily", "--output", target)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert f"wrote {target}" in result.stderr
    assert target.read_text() == explain("--daily", "--format", "csv").stdout
    assert sorted(path.name for path in folder.iterdir()) == ["out.csv", "prices.csv", "trades.csv"]


def test_failed_output_leaves_what_was_there(explain, folder, monkeypatch):
    target = folder / "out.json"
    target.write_text("before")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("attribution.app.files.os.replace", fail)
    result = explain("--daily", "--output", target)
    assert result.exit_code == 2
    assert "No space left" in result.stderr
    assert target.read_text() == "before"
    assert sorted(path.name for path in folder.iterdir()) == ["out.json", "prices.csv", "trades.csv"]


@pytest.mark.parametrize("name", ["trades.csv", "prices.csv", "link.csv", "other.csv"])
def test_what_is_read_is_never_written_over(explain, folder, name):
    (folder / "link.csv").symlink_to("trades.csv")
    (folder / "other.csv").hardlink_to(folder / "prices.csv")
    before = [(folder / read).read_bytes() for read in ("trades.csv", "prices.csv")]
    result = explain("--output", folder / name)
    assert result.exit_code == 2
    assert "would be lost: choose another file" in result.stderr
    assert [(folder / read).read_bytes() for read in ("trades.csv", "prices.csv")] == before


def test_a_recording_is_never_written_over(run, folder):
    recorded = folder / "recorded" / "closes" / "2025-01-06.csv"
    recorded.parent.mkdir(parents=True)
    recorded.write_text("symbol,exchange,date,close\nNIFTY_IND___,NSE,2025-01-06,23616.05\n")
    words = ["explain", folder / "trades.csv", "--broker", f"replay:{folder / 'recorded'}", "--format", "csv"]
    result = run(*words, "--output", recorded)
    assert result.exit_code == 2
    assert "a recording, which would be lost" in " ".join(result.stderr.split())
    assert recorded.read_text().startswith("symbol,exchange")
    assert run(*words, "--output", folder / "recorded" / "out.csv").exit_code == 1


def test_a_link_stays_and_what_it_names_is_written(explain, folder):
    (folder / "real.csv").write_text("before")
    (folder / "link.csv").symlink_to("real.csv")
    (folder / "dangling.csv").symlink_to("new.csv")
    for name in ("link.csv", "dangling.csv"):
        assert explain("--daily", "--output", folder / name).exit_code == 0
        assert (folder / name).is_symlink()
    expected = explain("--daily", "--format", "csv").stdout
    assert (folder / "real.csv").read_text() == (folder / "new.csv").read_text() == expected


def test_large_amounts_are_no_numbers_in_any_format(explain, folder):
    (folder / "t.csv").write_text(HEAD + GOOD + GOOD.replace("good", "huge").replace(",-75,", ",-1e308,"))
    for form in ("table", "waterfall", "csv", "json"):
        result = explain("--trade", "--format", form, trades="t.csv")
        assert result.exit_code == 1
        assert "entry_quantity=-1e+308: too large" in " ".join((result.stdout + result.stderr).split())
        assert "inf" not in result.stdout.replace("-1e+308", "")
    assert explain("--trade", "--by", "day", trades="t.csv").exit_code == 1
    (folder / "t.csv").write_text(HEAD + GOOD.replace(",-75,", ",-1e308,"))
    told = explain("--trade", trades="t.csv").stdout
    assert "Σ unknown" in told
    assert "Σ of 0" not in told


def test_table_to_a_file_has_no_colours(explain, folder):
    assert explain("--daily", "--output", folder / "out.txt").exit_code == 0
    text = (folder / "out.txt").read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert "= P&L 12,090.00  ✓" in text


def test_chunks_do_not_change_the_results(explain, monkeypatch):
    whole = explain("--daily", "--format", "csv").stdout
    monkeypatch.setattr("attribution.app.explain.CHUNK", 8)
    assert explain("--daily", "--format", "csv").stdout == whole


def test_nothing_in_the_range_has_a_header_all_the_same(explain, folder):
    (folder / "t.csv").write_text(HEAD + GOOD)
    result = explain("--daily", "--current-time", "2025-01-02 18:00", "--format", "csv", trades="t.csv")
    assert result.stdout.startswith("line,trade,symbol,session")
    assert "no trade has a session" in result.stderr


def test_statuses(run):
    result = run("statuses")
    assert result.exit_code == 0
    for word in (*Status, *Flag):
        assert str(word) in result.stdout


def test_version_and_help(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run("--version").stdout.startswith("attribution 0.")
    text = " ".join(run("explain", "--help").stdout.replace("│", " ").split())
    assert "Exit codes: 0 every row was explained" in text
    assert "[default: each trade's exit, else now]" in text
    assert "How to write it. [default: by --output's ending, else table]" in text
    for words in ([], ["explain"], ["batch"], ["ledger"], ["ledger", "fill"]):
        assert "<bool>" not in run(*words, "--help").stdout


def test_without_a_compiler_it_says_what_to_do(explain, monkeypatch):
    monkeypatch.setattr("attribution.app.explain.numba_config.DISABLE_JIT", 1)
    result = explain("--daily")
    assert result.exit_code == 2
    assert "NUMBA_DISABLE_JIT is set: the kernels run compiled only; unset it" in result.stderr


def test_a_long_compilation_is_told(explain, monkeypatch):
    @contextmanager
    def slow_compiler(tell):
        tell()  # what the kernels do once a compilation has taken a second
        yield

    monkeypatch.setattr("attribution.app.explain.on_compile", slow_compiler)
    result = explain("--daily")
    assert result.exit_code == 0
    assert "compiling the kernels once" in result.stderr
    assert "compiling" not in result.stdout
