"""History on disk: what is stored, under which name, and that a second run needs nobody."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution import calculate_attribution_for_trades
from attribution.errors import BrokerError
from attribution.instruments import Equity
from attribution.market.cache import CachedBroker
from attribution.market.history import HistoryBarBroker, HistoryBroker, HistoryFolder
from attribution.market.history.names import file_name, symbol_of_file
from attribution.market.quotes import (
    Bar,
    Bars,
    BarsOf,
    CloseOf,
    FillOf,
    Missing,
    Price,
    PriceAt,
    PriceKind,
    QuoteOf,
    Why,
)
from attribution.market.source import BarSource, Broker, CloseSource, PriceSource
from attribution.symbols import parse_symbol
from tests.market import test_contract as plain
from tests.market.counting import (
    BANKNIFTY,
    CALL,
    FRIDAY,
    KOLKATA,
    MONDAY,
    NIFTY,
    SUNDAY,
    TCS,
    CountingBarBroker,
    CountingBroker,
    Time,
    at,
    bars_until,
    outage,
    values,
)

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

ROOT = Path(__file__).resolve().parents[2]
WHOLE = bars_until(MONDAY, at("2025-01-28 12:00"), 23000.0)
CLOSE = Price(23350.5, "history", PriceKind.CLOSE, at("2025-01-27 15:30"))


def whole(source: str = "history") -> Bars:
    assert isinstance(WHOLE, Bars)
    return Bars(WHOLE.bars, source, complete=True)


def filled(path: Path) -> HistoryFolder:
    folder = HistoryFolder(path)
    folder.store_bars(BarsOf(NIFTY, MONDAY), whole())
    folder.store_close(CloseOf(NIFTY, MONDAY), CLOSE)
    return folder


def behind(
    path: Path, text: str = "2025-01-28 12:00", *, bars: bool = True
) -> tuple[HistoryBroker, CountingBroker, Time]:
    time = Time(text)
    broker = (CountingBarBroker if bars else CountingBroker)(time)
    return HistoryBroker(broker, path, wall=time.wall), broker, time


def files(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


KNOWN_PRICES = (
    (PriceAt(NIFTY, at("2025-01-27 09:15:30")), 23000.0, PriceKind.BAR),
    (PriceAt(NIFTY, at("2025-01-27 10:00:59")), 23044.5, PriceKind.BAR),
)


class InAFolder:
    """Builds the sources of the contracts below in a folder that is new for each test."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path


class TestPricesOfAFolder(InAFolder, plain.PricesAtInstants):
    known = KNOWN_PRICES
    unknown = (PriceAt(BANKNIFTY, at("2025-01-27 10:00")), PriceAt(NIFTY, at("2025-01-24 10:00")))

    def make(self) -> HistoryFolder:
        return filled(self.folder)


class TestClosesOfAFolder(InAFolder, plain.SessionCloses):
    def make(self) -> HistoryFolder:
        return filled(self.folder)


class TestPricesBehindAFolder(InAFolder, plain.PricesAtInstants):
    known = KNOWN_PRICES
    unknown = (PriceAt(NIFTY, at("2025-01-29 10:00")),)

    def make(self) -> HistoryBroker:
        return behind(self.folder)[0]


class TestClosesBehindAFolder(InAFolder, plain.SessionCloses):
    known = ((CloseOf(NIFTY, MONDAY), 27.0, PriceKind.CLOSE), (CloseOf(NIFTY, FRIDAY), 24.0, PriceKind.CLOSE))
    unknown = (CloseOf(TCS, MONDAY),)

    def make(self) -> HistoryBroker:
        history, broker, _ = behind(self.folder)
        broker.scripted[CloseOf(TCS, MONDAY)] = Missing("no such close")
        return history


def test_they_speak_their_protocols(tmp_path: Path) -> None:
    folder = HistoryFolder(tmp_path)
    assert all(isinstance(folder, protocol) for protocol in (BarSource, CloseSource, PriceSource))
    with_bars, without = HistoryBroker(CountingBarBroker(), folder), HistoryBroker(CountingBroker(), folder)
    assert isinstance(with_bars, Broker)
    assert isinstance(with_bars, BarSource)
    assert type(with_bars) is HistoryBarBroker
    assert isinstance(without, Broker)
    assert not isinstance(without, BarSource)
    assert with_bars.name == "counting"
    assert repr(without).startswith("HistoryBroker(")
    assert str(tmp_path) in repr(folder)
    with pytest.raises(TypeError, match="knows no minute bars"):
        HistoryBarBroker(CountingBroker(), folder)
    with pytest.raises(TypeError, match="lacks"):
        HistoryBroker(object(), folder)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------ file names


@given(st.text(min_size=1))
def test_a_file_name_is_reversible_for_any_symbol(symbol: str) -> None:
    try:
        symbol.encode()
    except UnicodeEncodeError:
        return
    name = file_name(symbol)
    assert symbol_of_file(name) == symbol
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-%")


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_two_symbols_share_a_name_even_where_case_is_ignored(one: str, other: str) -> None:
    try:
        names = file_name(one).lower(), file_name(other).lower()
    except UnicodeEncodeError:
        return
    assert (names[0] == names[1]) == (one == other)


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("NIFTY_OPT_20250130_CALL_23500", "NIFTY_OPT_20250130_CALL_23500"),
        ("M&M_STK___", "M%26M_STK___"),
        ("BAJAJ-AUTO_STK___", "BAJAJ-AUTO_STK___"),
        ("BRK.B_STK___", "BRK%2EB_STK___"),
        ("X_OPT_20250130_PUT_0.625", "X_OPT_20250130_PUT_0%2E625"),
        ("..", "%2E%2E"),
        ("a/b\\c:d", "%61%2F%62%5C%63%3A%64"),
        ("é", "%C3%A9"),
        ("CON", "%43ON"),
        ("LPT1", "%4CPT1"),
    ],
)
def test_file_names(symbol: str, name: str) -> None:
    assert file_name(symbol) == name
    assert symbol_of_file(name) == symbol


def test_nothing_has_no_name() -> None:
    with pytest.raises(ValueError, match="needs a name"):
        file_name("")


def test_one_file_per_symbol_and_session(tmp_path: Path) -> None:
    folder = filled(tmp_path)
    folder.store_bars(BarsOf(parse_symbol("M&M_STK___"), FRIDAY), whole())
    folder.store_close(CloseOf(parse_symbol("SPXW_OPT_20230113_PUT_3965"), date(2023, 1, 12)), CLOSE)
    assert files(tmp_path) == [
        "v1/NSE/M%26M_STK___/20250124.bars.parquet",
        "v1/NSE/NIFTY_IND___/20250127.bars.parquet",
        "v1/NSE/NIFTY_IND___/20250127.close.parquet",
        "v1/US/SPXW_OPT_20230113_PUT_3965/20230112.close.parquet",
    ]


def test_the_same_name_on_two_exchanges_is_two_symbols(tmp_path: Path) -> None:
    folder = HistoryFolder(tmp_path)
    nse, bse = Equity("TCS", "NSE"), Equity("TCS", "BSE")
    folder.store_close(CloseOf(nse, MONDAY), Price(4000.0, "x", PriceKind.CLOSE))
    assert values(folder.closes([CloseOf(nse, MONDAY), CloseOf(bse, MONDAY)])) == [4000.0, None]


# ---------------------------------------------------------------------------------------------- what a file holds


def test_bars_come_back_as_they_were(tmp_path: Path) -> None:
    folder = filled(tmp_path)
    (bars,) = folder.minute_bars([BarsOf(NIFTY, MONDAY)])
    assert bars == whole()
    assert bars.bars[0].start.tzinfo == KOLKATA


def test_awkward_numbers_come_back_as_they_were(tmp_path: Path) -> None:
    start = at("2025-01-27 09:15")
    bars = Bars(
        (Bar(start, 0.1 + 0.2, 1e300, 5e-324, 1 / 3, 0.0), Bar(start + timedelta(hours=1), 1, 1, 1, 1)), "x", True
    )
    folder = HistoryFolder(tmp_path)
    folder.store_bars(BarsOf(CALL, MONDAY), bars)
    folder.store_bars(BarsOf(TCS, MONDAY), Bars((), "x", complete=True))
    assert folder.minute_bars([BarsOf(CALL, MONDAY), BarsOf(TCS, MONDAY)]) == [bars, Bars((), "x", complete=True)]


@pytest.mark.parametrize(
    "price",
    [
        Price(0.0, "Shoonya ünicode", PriceKind.SETTLEMENT, None),
        Price(0.05, "x", PriceKind.CLOSE, at("2025-01-27 15:30:00.123456")),
    ],
)
def test_closes_come_back_as_they_were(tmp_path: Path, price: Price) -> None:
    folder = HistoryFolder(tmp_path)
    folder.store_close(CloseOf(CALL, MONDAY, "as the trade wrote it"), price)
    assert folder.closes([CloseOf(CALL, MONDAY)]) == [price]


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    folder = HistoryFolder(tmp_path)
    written = datetime(2025, 1, 28, 6, 30, tzinfo=KOLKATA)
    path = folder.store_bars(BarsOf(NIFTY, MONDAY), whole("shoonya"), written_at=written)
    table = parquet.read_table(path)
    assert table.schema.metadata == {
        b"attribution.schema": b"1",
        b"attribution.kind": b"bars",
        b"attribution.symbol": b"NIFTY_IND___",
        b"attribution.exchange": b"NSE",
        b"attribution.session": b"2025-01-27",
        b"attribution.source": b"shoonya",
        b"attribution.written_at": b"2025-01-28T06:30:00+05:30",
    }
    assert table.schema.names == ["start", "open", "high", "low", "close", "volume"]
    assert table.num_rows == 375
    assert table.column("start")[0].as_py() == at("2025-01-27 09:15")


def test_the_same_bars_make_the_same_bytes(tmp_path: Path) -> None:
    one = HistoryFolder(tmp_path / "one").store_bars(BarsOf(NIFTY, MONDAY), whole())
    other = HistoryFolder(tmp_path / "other").store_bars(BarsOf(NIFTY, MONDAY), whole())
    assert one.read_bytes() == other.read_bytes()


def test_prices_keep_the_source_that_stated_them(tmp_path: Path) -> None:
    folder = HistoryFolder(tmp_path)
    folder.store_bars(BarsOf(NIFTY, MONDAY), whole("shoonya"))
    (price,) = folder.prices_at([PriceAt(NIFTY, at("2025-01-27 10:00"))])
    assert price.source == "shoonya"


def test_what_is_not_stored_is_missing_and_says_where_it_was_looked_for(tmp_path: Path) -> None:
    (answer,) = HistoryFolder(tmp_path).minute_bars([BarsOf(NIFTY, MONDAY)])
    assert answer == Missing(f"no bars of NIFTY_IND___ on 2025-01-27 in {tmp_path}")
    assert files(tmp_path) == []


def test_what_no_symbol_can_name_is_missing_and_cannot_be_stored(tmp_path: Path) -> None:
    folder, odd = HistoryFolder(tmp_path), Equity("NIFTY")
    (answer,) = folder.closes([CloseOf(odd, MONDAY)])
    assert isinstance(answer, Missing)
    assert "no symbol can name it" in answer.reason


def test_incomplete_bars_and_stopgap_closes_are_refused(tmp_path: Path) -> None:
    folder = HistoryFolder(tmp_path)
    with pytest.raises(ValueError, match=r"NIFTY_IND___ on 2025-01-27: not complete"):
        folder.store_bars(BarsOf(NIFTY, MONDAY), Bars((), "x", complete=False))
    with pytest.raises(ValueError, match="kind last"):
        folder.store_close(CloseOf(NIFTY, MONDAY), Price(1.0, "x", PriceKind.LAST))
    assert files(tmp_path) == []


# --------------------------------------------------------------------------------------------------- write-through


def test_what_was_fetched_is_stored_and_never_asked_again(tmp_path: Path) -> None:
    history, broker, _ = behind(tmp_path)
    prices = history.prices_at([PriceAt(NIFTY, at("2025-01-27 10:00")), PriceAt(NIFTY, at("2025-01-27 11:00"))])
    closes = history.closes([CloseOf(NIFTY, MONDAY)])
    assert broker.calls == [("minute_bars", [BarsOf(NIFTY, MONDAY)]), ("closes", [CloseOf(NIFTY, MONDAY)])]
    again, silent, _ = behind(tmp_path)
    silent.fails = outage()
    assert again.prices_at([PriceAt(NIFTY, at("2025-01-27 10:00")), PriceAt(NIFTY, at("2025-01-27 11:00"))]) == prices
    assert again.closes([CloseOf(NIFTY, MONDAY)]) == closes
    assert silent.calls == []


def test_only_what_the_folder_lacks_is_asked(tmp_path: Path) -> None:
    filled(tmp_path)
    history, broker, _ = behind(tmp_path)
    assert values(history.closes([CloseOf(TCS, MONDAY), CloseOf(NIFTY, MONDAY), CloseOf(TCS, FRIDAY)])) == [
        27,
        23350.5,
        24,
    ]
    assert broker.calls == [("closes", [CloseOf(TCS, MONDAY), CloseOf(TCS, FRIDAY)])]


def test_nothing_of_a_running_session_is_stored(tmp_path: Path) -> None:
    for text in ("2025-01-27 12:00", "2025-01-27 15:30", "2025-01-27 15:44:59"):
        history, _, _ = behind(tmp_path, text)
        history.prices_at([PriceAt(NIFTY, at("2025-01-27 10:00"))])
        history.closes([CloseOf(NIFTY, MONDAY)])
        assert files(tmp_path) == []
    history, _, _ = behind(tmp_path, "2025-01-27 15:45")
    history.prices_at([PriceAt(NIFTY, at("2025-01-27 10:00"))])
    history.closes([CloseOf(NIFTY, MONDAY)])
    assert len(files(tmp_path)) == 2


def test_what_comes_late_is_stored_later(tmp_path: Path) -> None:
    time = Time("2025-01-27 15:50")
    inner = CountingBarBroker(time)
    inner.data_delay = timedelta(minutes=15)  # type: ignore[attr-defined]
    broker = HistoryBroker(inner, tmp_path, wall=time.wall)
    broker.closes([CloseOf(TCS, MONDAY)])
    broker.minute_bars([BarsOf(TCS, MONDAY)])
    assert files(tmp_path) == []
    time.pass_by(600.0)
    broker.closes([CloseOf(TCS, MONDAY)])
    broker.minute_bars([BarsOf(TCS, MONDAY)])
    assert len(files(tmp_path)) == 2


def test_what_a_source_calls_incomplete_is_not_stored(tmp_path: Path) -> None:
    history, broker, _ = behind(tmp_path)
    broker.scripted[BarsOf(NIFTY, MONDAY)] = Bars(whole().bars, "counting", complete=False)
    history.prices_at([PriceAt(NIFTY, at("2025-01-27 10:00"))])
    assert files(tmp_path) == []


@pytest.mark.parametrize("kind", [PriceKind.LAST, PriceKind.MARK, PriceKind.GIVEN, PriceKind.BAR])
def test_only_official_closes_are_stored(tmp_path: Path, kind: PriceKind) -> None:
    history, broker, _ = behind(tmp_path)
    broker.scripted[CloseOf(CALL, MONDAY)] = Price(12.0, "counting", kind)
    broker.scripted[CloseOf(CALL, FRIDAY)] = Price(11.0, "counting", PriceKind.SETTLEMENT)
    assert values(history.closes([CloseOf(CALL, MONDAY), CloseOf(CALL, FRIDAY)])) == [12.0, 11.0]
    assert [Path(file).name for file in files(tmp_path)] == ["20250124.close.parquet"]


def test_an_absence_is_never_stored(tmp_path: Path) -> None:
    history, broker, _ = behind(tmp_path)
    broker.scripted[BarsOf(NIFTY, SUNDAY)] = broker.scripted[CloseOf(NIFTY, SUNDAY)] = Missing("no session")
    (bars,), (close,) = history.minute_bars([BarsOf(NIFTY, SUNDAY)]), history.closes([CloseOf(NIFTY, SUNDAY)])
    assert isinstance(bars, Missing)
    assert isinstance(close, Missing)
    assert close.reason == f"no close of NIFTY_IND___ on 2025-01-26 in {tmp_path}; no session"
    assert files(tmp_path) == []


def test_an_outage_leaves_what_is_stored(tmp_path: Path) -> None:
    filled(tmp_path)
    history, broker, _ = behind(tmp_path)
    broker.fails = outage("connection refused")
    known, unknown = history.closes([CloseOf(NIFTY, MONDAY), CloseOf(TCS, MONDAY)])
    assert known == CLOSE
    assert isinstance(unknown, Missing)
    assert unknown.why is Why.FAILED
    assert unknown.reason.endswith("failed: connection refused")
    with pytest.raises(BrokerError, match="connection refused"):
        history.closes([CloseOf(TCS, MONDAY)])


def test_too_few_answers_store_nothing(tmp_path: Path) -> None:
    history, broker, _ = behind(tmp_path)
    broker.closes = lambda wanted: [CLOSE]  # type: ignore[method-assign]
    with pytest.raises(BrokerError, match="1 answers to 2 questions"):
        history.closes([CloseOf(NIFTY, MONDAY), CloseOf(TCS, MONDAY)])
    assert files(tmp_path) == []


def test_quotes_and_fills_are_the_brokers(tmp_path: Path) -> None:
    history, broker, time = behind(tmp_path)
    assert values(history.quotes([QuoteOf(NIFTY, time.now)])) == [1.0]
    assert values(history.fills([FillOf(CALL, "as written", "entry", at("2025-01-27 10:00"))])) == [2.0]
    assert [name for name, _ in broker.calls] == ["quotes", "fills"]


def test_without_bars_the_broker_prices_what_the_folder_has_no_bars_of(tmp_path: Path) -> None:
    filled(tmp_path)
    history, broker, _ = behind(tmp_path, bars=False)
    ten = at("2025-01-27 10:00")
    assert values(history.prices_at([PriceAt(NIFTY, ten), PriceAt(TCS, ten)])) == [23044.5, 10.0]
    assert broker.calls == [("prices_at", [PriceAt(TCS, ten)])]


def test_that_something_cannot_be_stored_is_no_reason_not_to_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "v1"
    blocked.write_text("a file where a folder should be")
    history, broker, _ = behind(tmp_path)
    odd = CloseOf(Equity("NIFTY"), MONDAY)
    assert values(history.closes([odd])) == [27.0]
    assert "is not stored: " in caplog.text
    broker.calls.clear()
    caplog.clear()
    (answer,) = history.closes([CloseOf(NIFTY, MONDAY)])
    assert answer.value == 27.0
    assert "CloseOf" in caplog.text
    assert blocked.read_text() == "a file where a folder should be"


def test_it_passes_on_that_its_broker_asks_in_bulk(tmp_path: Path) -> None:
    broker = CountingBroker()
    assert not HistoryBroker(broker, tmp_path).asks_in_bulk
    broker.asks_in_bulk = True  # type: ignore[attr-defined]
    assert HistoryBroker(broker, tmp_path).asks_in_bulk


# ------------------------------------------------------------------------------------------- the second run of a report


def report(broker: Broker) -> list[dict[str, Any]]:
    rows = [
        {
            "symbol": symbol,
            "entry_time": f"2025-01-23 {10 + i % 4}:0{i}",
            "exit_time": f"2025-01-27 {11 + i % 3}:30",
            "entry_price": 480.0,
            "exit_price": 490.0 + i,
            "entry_quantity": 75,
        }
        for i in range(6)
        for symbol in ("NIFTY_OPT_20250130_CALL_23500", "NIFTY_FUT_20250130__", "TCS_STK___")
    ]
    whole_life = calculate_attribution_for_trades(rows, broker, day=False)
    one_day = calculate_attribution_for_trades(rows, broker, current_time="2025-01-24 18:00")
    return [*whole_life, *one_day]


class Prefilled(CountingBarBroker):
    """Knows a price for everything that the report asks for, at a level an option can have."""

    def closes(self, wanted: Any) -> Any:
        return self._answer("closes", wanted, lambda ask: Price(_level(ask.instrument), self.name, PriceKind.CLOSE))


def _level(instrument: Any) -> float:
    return {"Option": 480.0, "Equity": 4000.0}.get(type(instrument).__name__, 23600.0)


def test_the_second_run_of_a_report_needs_no_network(tmp_path: Path) -> None:
    time = Time("2025-01-28 12:00")
    first = Prefilled(time)
    once = report(CachedBroker(HistoryBroker(first, tmp_path, wall=time.wall), wall=time.wall, clock=time.clock))
    assert first.calls
    assert {result["status"] for result in once} == {"ok"}
    offline = Prefilled(time)
    offline.fails = outage("the network is gone")
    again = report(CachedBroker(HistoryBroker(offline, tmp_path, wall=time.wall), wall=time.wall, clock=time.clock))
    assert offline.calls == []
    assert [repr(result) for result in again] == [repr(result) for result in once]


# ---------------------------------------------------------------------------------------------------------- pyarrow


def test_importing_the_room_is_light_and_without_pyarrow_the_message_says_what_to_install(tmp_path: Path) -> None:
    program = """
import sys
import attribution.market.cache, attribution.market.history as history
assert not {"pyarrow", "pandas"} & set(sys.modules)
sys.modules["pyarrow"] = None
try:
    history.HistoryFolder(sys.argv[1])
except ImportError as exc:
    print(exc)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "history on disk needs pyarrow: pip install 'options-attribution[history]'\n"


def test_reading_and_writing_import_no_data_frames(tmp_path: Path) -> None:
    program = """
import sys
from datetime import date
from attribution.market.history import HistoryFolder
from attribution.market.quotes import Bars, BarsOf, CloseOf, Price, PriceKind
from attribution.symbols import parse_symbol
nifty, day, folder = parse_symbol("NIFTY_IND___"), date(2025, 1, 27), HistoryFolder(sys.argv[1])
folder.store_close(CloseOf(nifty, day), Price(1.0, "x", PriceKind.CLOSE))
folder.store_bars(BarsOf(nifty, day), Bars((), "x", True))
print(folder.closes([CloseOf(nifty, day)])[0].value, len(folder.minute_bars([BarsOf(nifty, day)])[0].bars))
assert "pandas" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1.0 0\n"
