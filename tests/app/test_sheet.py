import pytest

from attribution.app.reading import COLUMNS
from attribution.app.sheet import InputError, parse_columns, read_sheet

TRADES = COLUMNS["trades"]


@pytest.fixture
def sheet(tmp_path):
    def read(content, **renames):
        path = tmp_path / "t.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_sheet(path, TRADES, renames, "trades")

    return read


def test_what_spreadsheets_write_is_read(sheet):
    content = (
        b'\xef\xbb\xbfSymbol, Entry Time ,entry_quantity\r\n\r\n"A?1:B?-1",2025-01-03,75\r\n,,\r\n# said\r\n B ,x,1\r\n'
    )
    found = sheet(content)
    assert [(r.line, r.cells["symbol"], r.cells["entry_quantity"]) for r in found.records] == [
        (3, "A?1:B?-1", "75"),
        (6, "B", "1"),
    ]
    assert found.headers["entry_time"] == "Entry Time"


def test_line_is_where_a_quoted_row_begins(sheet):
    found = sheet('symbol,entry_time,entry_quantity,note\nA,b,1,"two\nlines"\nB,b,1,x\n')
    assert [record.line for record in found.records] == [2, 4]
    assert found.ignored == ("note",)


def test_ragged_rows_say_so_and_stay(sheet):
    found = sheet("symbol,entry_time,entry_quantity\nA,b,1,000\nB\nC,b,1\n")
    assert [record.problem for record in found.records] == [
        "4 cells where the header has 3",
        "1 cells where the header has 3",
        None,
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("symbol,entry_time,entry_quantity\n", "no row below"),
        ("symbol;entry_time;entry_quantity\nA;b;1\n", "not separated by commas"),
        ("symbol\tentry_time\nA\tb\n", "not separated by commas"),
        ("symbol,entrytime,entry_quantity\nA,b,1\n", "no column 'entry_time'; the nearest is 'entrytime'"),
        ("a,b,c\n1,2,3\n", "no column 'symbol'; the columns are a, b, c"),
        ("symbol,entry_time,entry_quantity,exit_tme\nA,b,1,\n", "did you mean 'exit_time'?"),
        ("symbol,symbol,entry_time\n1,2,3\n", "stands there twice"),
        ('symbol,entry_time,entry_quantity\n"A,b,1\n', "not a CSV row"),
        (b"symbol,entry_time,entry_quantity\n\xe9,b,1\n", "not UTF-8"),
        ("symbol,entry_time,entry_quantity\nA,b,1\n".encode("utf-16"), "not UTF-8"),
        (b"symbol,entry_time\0,entry_quantity\nA,b,1\n", "zero bytes"),
    ],
)
def test_useless_files_say_why(sheet, content, words):
    with pytest.raises(InputError, match=r"t\.csv") as caught:
        sheet(content)
    assert words in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_sheet(path, TRADES, {}, "trades")


def test_renamed_columns(sheet):
    found = sheet("Instrument,Opened,Qty\nA,b,1\n", symbol="Instrument", entry_time="Opened", entry_quantity="Qty")
    assert found.records[0].cells == {"symbol": "A", "entry_time": "b", "entry_quantity": "1"}
    with pytest.raises(InputError, match=r"no column 'Instrumet'.*nearest is 'Instrument'"):
        sheet("Instrument,Opened,Qty\nA,b,1\n", symbol="Instrumet")


def test_a_column_declared_absent_is_no_misspelling(sheet):
    found = sheet("symbol,entry_time,entry_quantity,exit_times\nA,b,1,7\n", exit_time="")
    assert "exit_time" not in found.records[0].cells
    assert found.ignored == ("exit_times",)


def test_parse_columns():
    assert parse_columns(["symbol=My Name, entry_time=Opened", "prices.time=Date", "exit_time="], COLUMNS) == {
        "trades": {"symbol": "My Name", "entry_time": "Opened", "exit_time": ""},
        "prices": {"time": "Date"},
    }
    for wrong in ("symbol", "symbl=x", "foo.symbol=x", "prices.tim=x"):
        with pytest.raises(InputError, match="--columns"):
            parse_columns([wrong], COLUMNS)
    with pytest.raises(InputError, match="nearest is 'symbol'"):
        parse_columns(["symbl=x"], COLUMNS)
