"""A folder of small files, typed here, as a broker."""

from __future__ import annotations

import gzip
import threading
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from attribution import calculate_attribution_for_trade
from attribution.market.quotes import (
    Answer,
    Bars,
    BarsOf,
    CloseOf,
    FillOf,
    Missing,
    Price,
    PriceAt,
    PriceKind,
    QuoteOf,
    Side,
)
from attribution.market.source import BarSource, Broker, CloseSource, FillSource, PriceSource, QuoteSource
from attribution.symbols import parse_symbol
from brokers.replay import ReplayBarBroker, ReplayBroker
from tests.market.contract import SourceContract

KOLKATA = ZoneInfo("Asia/Kolkata")
NIFTY, FUTURE = parse_symbol("NIFTY_IND___"), parse_symbol("NIFTY_FUT_20250130__")
CALL_TEXT, PUT_TEXT = "NIFTY_OPT_20250130_CALL_23500", "NIFTY_OPT_20250130_PUT_23500"
CALL, PUT, SHARE = parse_symbol(CALL_TEXT), parse_symbol(PUT_TEXT), parse_symbol("TCS_STK___")
MONDAY, TUESDAY, EXPIRY = date(2025, 1, 27), date(2025, 1, 28), date(2025, 1, 30)

UDIFF_HEADER = (
    "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,FininstrmActlXpryDt,StrkPric,OptnTp,"
    "FinInstrmNm,OpnPric,HghPric,LwPric,ClsPric,LastPric,PrvsClsgPric,UndrlygPric,SttlmPric,OpnIntrst,"
    "ChngInOpnIntrst,TtlTradgVol"
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KOLKATA)


def udiff(day: str, kind: str, name: str, strike: str, right: str, close: float, settle: float, traded: int) -> str:
    instrument = {"IDF": "", "IDO": strike}[kind]
    return (
        f"{day},{day},FO,NSE,{kind},1,,{name},,2025-01-30,2025-01-30,{instrument},{right},,0.00,0.00,0.00,{close},0.00,"
        f"9.90,23361.05,{settle},0,0,{traded}"
    )


BARS = "start,open,high,low,close,volume\n" + "".join(
    f"2025-01-27 {minute},{price},{price + 4},{price - 4},{price + 1},75\n"
    for minute, price in (("09:15:00", 100.0), ("09:16:00", 102.0), ("09:20:00", 105.0), ("15:29:00", 90.0))
)
QUOTES = """symbol,time,bid,ask,last
NIFTY_OPT_20250130_CALL_23500,2025-01-27 10:00:00,119.5,120.5,118
NIFTY_OPT_20250130_CALL_23500,2025-01-27 11:00:00,,,121.25
NIFTY_OPT_20250130_PUT_23500,2025-01-27 10:00:00,0,0,0
NIFTY_IND___,2025-01-27T04:30:00Z,,,23400
"""
CLOSES = """symbol,session,close,settlement
NIFTY_OPT_20250130_CALL_23500,2025-01-27,0,
NIFTY_OPT_20250130_PUT_23500,20250127,,151.5
TCS_STK___,27-Jan-2025,4100.5,
NIFTY_OPT_20250130_PUT_23500,2025-01-30,,23249.5
"""
FILLS = """order_id,symbol,side,time,price,quantity
A1,NIFTY_OPT_20250130_CALL_23500,entry,2025-01-27 10:00:00,120,75
A2,NIFTY_OPT_20250130_CALL_23500,entry,2025-01-27 10:00:01,126,150
A3,NIFTY_OPT_20250130_PUT_23500,,,99.5,
,NIFTY_FUT_20250130__,exit,2025-01-27 11:00:00,23450.5,
"""
BHAVCOPY = "\n".join(
    [
        UDIFF_HEADER,
        udiff("2025-01-28", "IDO", "NIFTY", "23500.00", "CE", 101.5, 102.0, 10),
        udiff("2025-01-28", "IDO", "NIFTY", "23500.00", "PE", 77.0, 80.25, 0),
        udiff("2025-01-28", "IDF", "NIFTY", "", "", 23390.0, 23391.0, 5),
    ]
)
EXPIRY_BHAVCOPY = "\n".join(
    [
        UDIFF_HEADER,
        udiff("2025-01-30", "IDO", "NIFTY", "23500.00", "CE", 0.05, 23249.5, 10),
        udiff("2025-01-30", "IDO", "NIFTY", "23500.00", "PE", 77.0, 23249.5, 0),
    ]
)
INDEX = """Index Name,Index Date,Open Index Value,Closing Index Value
Nifty 50,28-01-2025,-,23361.1
Nifty Odd,28-01-2025,-,-
"""
FILES = {
    "bars/NSE/NIFTY_FUT_20250130__/2025-01-27.csv": BARS,
    "quotes/2025-01-27.csv": QUOTES,
    "closes/closes.csv": CLOSES,
    "fills/fills.csv": FILLS,
    "nse/BhavCopy_NSE_FO_0_0_0_20250128_F_0000.csv": BHAVCOPY,
    "nse/BhavCopy_NSE_FO_0_0_0_20250130_F_0000.csv": EXPIRY_BHAVCOPY,
    "nse/ind_close_all_28012025.csv": INDEX,
    "readme.txt": "notes",
}

Write = Callable[..., Path]


def write_files(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(text.encode()))
        elif name.endswith(".zip"):
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(path.name.removesuffix(".zip"), text)
        else:
            path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("replay"), FILES)


def fill(instrument: Any, when: str, *keys: str, side: Side = "entry") -> FillOf:
    return FillOf(instrument, "leg", side, at(when), keys)


def only(answers: Sequence[Answer]) -> Answer:
    (answer,) = answers
    return answer


def reason(answers: Sequence[Any]) -> str:
    (answer,) = answers
    assert isinstance(answer, Missing), answer
    return answer.reason


class Replayed(SourceContract):
    @pytest.fixture(autouse=True)
    def _folder(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> ReplayBroker:
        return ReplayBroker(self.folder)


class TestPrices(Replayed):
    protocol = PriceSource
    method = "prices_at"
    known = (
        (PriceAt(FUTURE, at("2025-01-27 09:17:30")), 103.0, PriceKind.BAR),
        # Nothing of the minute in progress, and nothing from ahead.
        (PriceAt(FUTURE, at("2025-01-27 09:20:59")), 103.0, PriceKind.BAR),
        (PriceAt(FUTURE, at("2025-01-27 09:21:00")), 106.0, PriceKind.BAR),
        # The very first minute has only its open.
        (PriceAt(FUTURE, at("2025-01-27 09:15:30")), 100.0, PriceKind.BAR),
        (PriceAt(FUTURE, at("2025-01-27 18:00:00")), 91.0, PriceKind.BAR),
        (PriceAt(NIFTY, at("2025-01-27 10:05:00")), 23400.0, PriceKind.LAST),
        (PriceAt(CALL, at("2025-01-27 10:05:00")), 120.0, PriceKind.MARK),
        # Without bars and quotes, from the close on it is the close.
        (PriceAt(NIFTY, at("2025-01-28 15:30:00")), 23361.1, PriceKind.CLOSE),
        (PriceAt(NIFTY, at("2025-01-28 20:00:00")), 23361.1, PriceKind.CLOSE),
    )
    unknown = (
        PriceAt(FUTURE, at("2025-01-29 10:00:00")),
        PriceAt(NIFTY, at("2025-01-27 09:59:59")),
        PriceAt(NIFTY, at("2025-01-28 15:29:59")),
        PriceAt(SHARE, at("2025-01-28 10:00:00")),
        PriceAt(NIFTY, at("1980-01-01 10:00:00")),
    )


class TestCloses(Replayed):
    protocol = CloseSource
    method = "closes"
    known = (
        (CloseOf(SHARE, MONDAY), 4100.5, PriceKind.CLOSE),
        # In a table of closes 0 is a price.
        (CloseOf(CALL, MONDAY), 0.0, PriceKind.CLOSE),
        (CloseOf(PUT, MONDAY), 151.5, PriceKind.SETTLEMENT),
        (CloseOf(CALL, TUESDAY), 101.5, PriceKind.CLOSE),
        # Not traded: the close in its row is an older day's.
        (CloseOf(PUT, TUESDAY), 80.25, PriceKind.SETTLEMENT),
        (CloseOf(FUTURE, TUESDAY), 23390.0, PriceKind.CLOSE),
        # The index file goes before the column of the underlying in a bhavcopy …
        (CloseOf(NIFTY, TUESDAY), 23361.1, PriceKind.CLOSE),
        # … which is still better than nothing.
        (CloseOf(NIFTY, EXPIRY), 23361.05, PriceKind.CLOSE),
        (CloseOf(CALL, EXPIRY), 0.05, PriceKind.CLOSE),
    )
    unknown = (
        # On its last day an option's settlement is the index, in a bhavcopy as in anybody's table.
        CloseOf(PUT, EXPIRY),
        CloseOf(NIFTY, MONDAY),
        CloseOf(parse_symbol("NIFTY_FUT_20250227__"), TUESDAY),
        CloseOf(parse_symbol("BANKNIFTY_IND___"), TUESDAY),
        CloseOf(NIFTY, date(2025, 1, 26)),
    )


class TestQuotes(Replayed):
    protocol = QuoteSource
    method = "quotes"
    known = (
        (QuoteOf(CALL, at("2025-01-27 10:00:00")), 120.0, PriceKind.MARK),
        (QuoteOf(CALL, at("2025-01-27 10:14:59")), 120.0, PriceKind.MARK),
        (QuoteOf(CALL, at("2025-01-27 11:10:00")), 121.25, PriceKind.LAST),
        (QuoteOf(FUTURE, at("2025-01-27 09:30:00")), 106.0, PriceKind.BAR),
    )
    unknown = (
        QuoteOf(CALL, at("2025-01-27 09:59:59")),
        QuoteOf(CALL, at("2025-01-27 10:30:00")),
        QuoteOf(PUT, at("2025-01-27 10:00:00")),
        QuoteOf(FUTURE, at("2025-01-27 12:00:00")),
        QuoteOf(CALL, at("2025-01-28 10:00:00")),
    )


class TestFills(Replayed):
    protocol = FillSource
    method = "fills"
    known = (
        (fill(CALL, "2025-01-27 10:30", "A1", "A2"), 124.0, PriceKind.FILL),
        (fill(CALL, "2025-01-27 10:30", "A1F1"), 120.0, PriceKind.FILL),
        (fill(CALL, "2025-01-27 10:30", "A1F1", "A2F1", "A3"), 124.0, PriceKind.FILL),
        (fill(PUT, "2025-01-27 10:30", "A3", "A1", side="exit"), 99.5, PriceKind.FILL),
        (fill(FUTURE, "2025-01-27 11:00", side="exit"), 23450.5, PriceKind.FILL),
        (fill(CALL, "2025-01-27 10:00"), 120.0, PriceKind.FILL),
        (fill(CALL, "2025-01-27 10:00", "other"), 120.0, PriceKind.FILL),
    )
    unknown = (
        fill(CALL, "2025-01-27 10:30", "A1", "A9"),
        fill(CALL, "2025-01-27 10:30", "A1", side="exit"),
        fill(FUTURE, "2025-01-27 11:00"),
        fill(FUTURE, "2025-01-27 11:01", side="exit"),
        fill(CALL, "2025-01-27 10:30", "A3"),
    )


def test_bars_are_handed_out_on_request_only(folder: Path) -> None:
    # Who has bars prices from them alone, and this folder knows more.
    assert isinstance(ReplayBroker(folder), Broker)
    assert not isinstance(ReplayBroker(folder), BarSource)
    assert isinstance(ReplayBarBroker(folder), Broker)
    assert isinstance(ReplayBarBroker(folder), BarSource)


def test_a_fill_tells_its_quantity_and_its_last_instant(folder: Path) -> None:
    answer = only(ReplayBroker(folder).fills([fill(CALL, "2025-01-27 10:30", "A1", "A2")]))
    assert answer == Price(124.0, "replay", PriceKind.FILL, at("2025-01-27 10:00:01"), 225.0)


def test_minute_bars(folder: Path) -> None:
    there, absent = ReplayBarBroker(folder, name="mine").minute_bars([BarsOf(FUTURE, MONDAY), BarsOf(NIFTY, MONDAY)])
    assert isinstance(there, Bars)
    assert (there.source, there.complete, len(there.bars)) == ("mine", True, 4)
    assert (there.bars[0].start, there.bars[0].close) == (at("2025-01-27 09:15"), 101.0)
    assert absent == Missing("no 1-minute bars of NIFTY_IND___ on 2025-01-27 in the recorded files")


def test_bars_of_a_session_in_progress(tmp_path: Path) -> None:
    place = "bars/NSE/NIFTY_FUT_20250130__/2025-01-27"
    write_files(tmp_path, {f"{place}.partial.csv": "\n".join(BARS.splitlines()[:2])})
    broker = ReplayBarBroker(tmp_path)
    (found,) = broker.minute_bars([BarsOf(FUTURE, MONDAY)])
    assert isinstance(found, Bars)
    assert (found.complete, len(found.bars)) == (False, 1)
    write_files(tmp_path, {f"{place}.csv": BARS})
    broker.refresh()
    (found,) = broker.minute_bars([BarsOf(FUTURE, MONDAY)])
    assert isinstance(found, Bars)
    assert (found.complete, len(found.bars)) == (True, 4)


def test_bars_outside_the_session_are_none(tmp_path: Path) -> None:
    bars = "start,open,high,low,close\n2025-01-27 08:00:00,1,1,1,1\n"
    write_files(tmp_path, {"bars/NSE/TCS_STK___/2025-01-27.csv": bars, "bars/NSE/TCS_STK___/2025-01-26.csv": bars})
    for session in (MONDAY, date(2025, 1, 26)):
        assert "outside its session" in reason(ReplayBarBroker(tmp_path).minute_bars([BarsOf(SHARE, session)]))


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.zip"])
def test_however_it_is_packed(tmp_path: Path, suffix: str) -> None:
    packed = {name.replace(".csv", f".{suffix}"): text for name, text in FILES.items()}
    broker = ReplayBroker(write_files(tmp_path, packed))
    assert broker.check() == []
    for case in (TestPrices, TestCloses, TestQuotes, TestFills):
        for question, value, kind in case.known:
            (answer,) = getattr(broker, case.method)([question])
            assert (answer.value, answer.kind) == (value, kind)


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    starts = [at("2025-01-27 09:15"), at("2025-01-27 09:16")]
    prices = {name: [100.0, 102.0] for name in ("open", "high", "low", "close")}
    place = tmp_path / "bars" / "NSE" / "NIFTY_FUT_20250130__" / "2025-01-27.parquet"
    place.parent.mkdir(parents=True)
    parquet.write_table(pa.table({"start": starts, **prices, "volume": [1, None]}), place)
    (tmp_path / "closes").mkdir()
    table = {"symbol": ["TCS_STK___"] * 2, "session": [MONDAY, TUESDAY], "close": [4100.5, float("nan")]}
    parquet.write_table(pa.table(table), tmp_path / "closes" / "a.parquet")
    (tmp_path / "quotes").mkdir()
    naive = {"symbol": ["TCS_STK___"], "time": [datetime(2025, 1, 27, 10)], "last": [4000]}
    parquet.write_table(pa.table(naive), tmp_path / "quotes" / "2025-01-27.parquet")
    broker = ReplayBarBroker(tmp_path)
    assert broker.check() == []
    (found,) = broker.minute_bars([BarsOf(FUTURE, MONDAY)])
    assert isinstance(found, Bars)
    assert [(bar.start, bar.close, bar.volume) for bar in found.bars] == [
        (starts[0], 100.0, 1.0),
        (starts[1], 102.0, 0.0),
    ]
    monday, tuesday = broker.closes([CloseOf(SHARE, MONDAY), CloseOf(SHARE, TUESDAY)])
    assert isinstance(monday, Price)
    assert isinstance(tuesday, Missing)
    quote = only(broker.quotes([QuoteOf(SHARE, at("2025-01-27 10:01"))]))
    assert quote == Price(4000.0, "replay", PriceKind.LAST, at("2025-01-27 10:00"))


LEGACY_HEADER = (
    "INSTRUMENT,SYMBOL,EXPIRY_DT,STRIKE_PR,OPTION_TYP,OPEN,HIGH,LOW,CLOSE,SETTLE_PR,CONTRACTS,VAL_INLAKH,OPEN_INT,"
    "CHG_IN_OI,TIMESTAMP,\n"
)
LEGACY = """FUTIDX,NIFTY,30-Jan-2025,0,XX,1,1,1,23390,23391,5,0,0,0,28-JAN-2025,
OPTIDX,NIFTY,30-Jan-2025,23500,CE,0,0,0,101.5,102,1,0,0,0,28-JAN-2025,
OPTIDX,NIFTY,30-Jan-2025,23500,PE,0,0,0,77,80.25,0,0,0,0,28-JAN-2025,
OPTSTK,TCS,30-Jan-2025,4102.5,CE,0,0,0,0,0,0,0,0,0,28-JAN-2025,
"""


@pytest.mark.parametrize("name", ["fo28JAN2025bhav.csv.zip", "fo28jan2025bhav.csv"])
def test_the_older_bhavcopy(tmp_path: Path, name: str) -> None:
    broker = ReplayBroker(write_files(tmp_path, {name: LEGACY_HEADER + LEGACY}))
    assert broker.check() == []
    share_option = parse_symbol("TCS_OPT_20250130_CALL_4102.5")
    future, call, put, nothing = broker.closes([CloseOf(i, TUESDAY) for i in (FUTURE, CALL, PUT, share_option)])
    assert [(a.value, a.kind) for a in (future, call, put) if isinstance(a, Price)] == [
        (23390.0, PriceKind.CLOSE),
        (101.5, PriceKind.CLOSE),
        (80.25, PriceKind.SETTLEMENT),
    ]
    text = "TCS_OPT_20250130_CALL_4102.5 on 2025-01-28 has neither a close nor a settlement price"
    assert nothing == Missing(text)


def test_an_expiry_day_that_the_exchange_moved_forward(tmp_path: Path) -> None:
    row = udiff("2025-01-29", "IDO", "NIFTY", "23500.00", "PE", 77.0, 23249.5, 0)
    moved = row.replace("2025-01-30,2025-01-30", "2025-01-30,2025-01-29")
    write_files(tmp_path, {"bhavcopy/2025-01-29.csv": f"{UDIFF_HEADER}\n{moved}\n"})
    assert "did not trade on its last day" in reason(ReplayBroker(tmp_path).closes([CloseOf(PUT, date(2025, 1, 29))]))


def test_shares_of_two_exchanges(tmp_path: Path) -> None:
    table = "symbol,exchange,session,close\nTCS_STK___,BSE,2025-01-27,4101\nTCS_STK___,NSE,2025-01-27,4100\n"
    broker = ReplayBroker(write_files(tmp_path, {"closes/a.csv": table}))
    shares = [parse_symbol("TCS_STK___", exchange=exchange) for exchange in ("NSE", "BSE")]
    answers = broker.closes([CloseOf(share, MONDAY) for share in shares])
    assert [answer.value for answer in answers if isinstance(answer, Price)] == [4100.0, 4101.0]


def test_the_memory_is_bounded(folder: Path) -> None:
    broker = ReplayBroker(folder, cache_rows=3)
    for _ in range(2):
        for case in (TestPrices, TestCloses, TestQuotes, TestFills):
            for question, value, _kind in case.known:
                (answer,) = getattr(broker, case.method)([question])
                assert answer.value == value


def test_threads_share_one(folder: Path) -> None:
    broker = ReplayBroker(folder, cache_rows=10)
    seen: list[bool] = []

    def ask() -> None:
        for case in (TestPrices, TestCloses, TestQuotes, TestFills) * 3:
            for question, value, _ in case.known:
                (answer,) = getattr(broker, case.method)([question])
                seen.append(answer.value == value)

    work = [threading.Thread(target=ask) for _ in range(4)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert len(seen) == 4 * 3 * sum(len(case.known) for case in (TestPrices, TestCloses, TestQuotes, TestFills))
    assert all(seen)


def test_the_age_of_a_quote_is_the_callers_choice(folder: Path) -> None:
    late = QuoteOf(CALL, at("2025-01-28 10:00:00"))
    answer = only(ReplayBroker(folder, max_age=timedelta(days=1)).quotes([late]))
    assert answer == Price(121.25, "replay", PriceKind.LAST, at("2025-01-27 11:00"))


def test_the_zone_of_the_question_does_not_matter(tmp_path: Path) -> None:
    table = "symbol,time,last\nTCS_STK___,2025-01-27 09:20:00,4000\n"
    broker = ReplayBroker(write_files(tmp_path, {"quotes/2025-01-27.csv": table}))
    # Still Sunday evening there.
    now = at("2025-01-27 09:21").astimezone(ZoneInfo("America/New_York"))
    assert only(broker.quotes([QuoteOf(SHARE, now)])) == only(broker.quotes([QuoteOf(SHARE, at("2025-01-27 09:21"))]))
    assert isinstance(only(broker.quotes([QuoteOf(SHARE, now)])), Price)


def test_a_trade_is_explained_from_a_folder(folder: Path) -> None:
    row = {"symbol": CALL_TEXT, "entry_time": "2025-01-27 10:00", "entry_quantity": 225, "entry_keys": "A1 A2"}
    result = calculate_attribution_for_trade(row, ReplayBroker(folder), day=False, current_time="2025-01-28 18:00")
    assert result["status"] == "ok"
    assert result["pnl"] == pytest.approx(225 * (101.5 - 124.0))
    assert result["per_leg"][CALL_TEXT]["spot1"] == 23361.1
