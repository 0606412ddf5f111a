from datetime import datetime

import pytest

from attribution.app.reading import read_prices, read_trades
from attribution.calendars import get_calendar
from attribution.market.quotes import Missing, PriceAt
from attribution.symbols import parse_symbol

HEAD = "symbol,entry_time,entry_quantity,entry_price\n"


@pytest.fixture
def trades(tmp_path):
    def read(*rows):
        path = tmp_path / "t.csv"
        path.write_text(HEAD + "\n".join(rows) + "\n")
        return read_trades(path).rows

    return read


@pytest.fixture
def prices(tmp_path):
    def read(*rows):
        path = tmp_path / "p.csv"
        path.write_text("symbol,time,price\n" + "\n".join(rows) + "\n")
        return read_prices(path)

    return read


def price_of(found, at, symbol="NIFTY_IND___"):
    instant = get_calendar("NSE").localize(datetime.fromisoformat(at))
    answer = found.table.prices_at([PriceAt(parse_symbol(symbol), instant)])[0]
    return answer if isinstance(answer, Missing) else answer.value


@pytest.mark.parametrize(("text", "value"), [("75", 75.0), ("-1.5e3", -1500.0), (".5", 0.5), ("", None), ("NaN", None)])
def test_numbers(trades, text, value):
    (row,) = trades(f"A,b,1,{text}")
    assert row.error is None
    assert row.row["entry_price"] == value


@pytest.mark.parametrize("text", ['"1,234"', "1_000", "₹5", "5%", "inf", "0x10", "1 000", "(5)", "٣"])
def test_what_is_not_plainly_a_number_is_an_error_of_the_row(trades, text):
    wrong, right = trades(f"A,b,1,{text}", "B,b,1,5")
    assert wrong.error is not None
    assert wrong.error.field == "entry_price"
    assert right.error is None


def test_prices(prices):
    found = prices("NIFTY_IND___,2025-01-03 15:30,24004.75", "Nifty 50,2025-01-06,23616.05")
    assert found.problems == []
    assert price_of(found, "2025-01-03 15:30") == 24004.75
    assert price_of(found, "2025-01-06 12:00") == 23616.05


def test_bad_price_rows_are_told_and_do_not_stop_the_others(prices):
    found = prices(
        "NIFTY_IND___,2025-01-03 15:30,24004.75",
        "NIFTI_XYZ___,2025-01-03 15:30,1",
        "NIFTY_IND___,03/01/2025,1",
        "NIFTY_IND___,2025-01-06 15:30",
        "NIFTY_IND___,2025-01-07 15:30,n/a",
    )
    assert [problem.split(": ")[0].rpartition(":")[2] for problem in found.problems] == ["3", "4", "5", "6"]
    assert price_of(found, "2025-01-03 15:30") == 24004.75


def test_unreadable_price_keeps_its_place(prices):
    """Dropped, it would leave the other price of the day as the only one, and so as the answer."""
    found = prices("NIFTY_IND___,2025-01-03 09:20,24100", 'NIFTY_IND___,2025-01-03 15:20,"24,000"')
    assert isinstance(price_of(found, "2025-01-03 15:20"), Missing)


def test_contradicting_prices_are_not_chosen_between(prices):
    found = prices("NIFTY_IND___,2025-01-03 15:30,1", "NIFTY_IND___,2025-01-03 15:30,2")
    assert "line 2 gives 1.0" in found.problems[0]
    assert isinstance(price_of(found, "2025-01-03 15:30"), Missing)
    again = prices("NIFTY_IND___,2025-01-03 15:30,1", "NIFTY_IND___,2025-01-03 15:30,1")
    assert again.problems == []
