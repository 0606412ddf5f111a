"""What is recorded is replayed, word for word."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attribution.errors import BrokerError
from attribution.instruments import Equity, Option, Right
from attribution.market.cache import CachedBroker
from attribution.market.quotes import (
    Answer,
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
from attribution.market.source import BarSource, Broker, QuoteSource
from attribution.symbols import parse_symbol
from brokers.base import Health
from brokers.recording import RecordingBarBroker, RecordingBroker
from brokers.replay import ReplayBarBroker, ReplayBroker
from tests.market.contract import SourceContract
from tests.market.counting import CountingBarBroker, Time, at
from tests.market.recorded import RecordedBroker

KOLKATA = ZoneInfo("Asia/Kolkata")
TEN = datetime(2025, 1, 27, 10, tzinfo=KOLKATA)
MONDAY = date(2025, 1, 27)
NIFTY, CALL_TEXT = parse_symbol("NIFTY_IND___"), "NIFTY_OPT_20250130_CALL_23500"
CALL = parse_symbol(CALL_TEXT)


class Scripted:
    """Answers whatever it is told to."""

    name = "scripted"

    def __init__(self, *replies: Any, fails: str = "") -> None:
        self.replies, self.fails = list(replies), fails

    def prices_at(self, wanted: Sequence[PriceAt]) -> list[Answer]:
        return self._next(len(wanted))

    def closes(self, wanted: Sequence[CloseOf]) -> list[Answer]:
        return self._next(len(wanted))

    def quotes(self, wanted: Sequence[QuoteOf]) -> list[Answer]:
        return self._next(len(wanted))

    def fills(self, wanted: Sequence[FillOf]) -> list[Answer]:
        return self._next(len(wanted))

    def minute_bars(self, wanted: Sequence[BarsOf]) -> list[Any]:
        return self._next(len(wanted))

    def _next(self, count: int) -> list[Any]:
        if self.fails:
            raise BrokerError(self.fails)
        return [self.replies.pop(0) for _ in range(count)]


QUESTIONS: tuple[tuple[str, Any], ...] = (
    ("prices_at", PriceAt(NIFTY, TEN)),
    ("prices_at", PriceAt(CALL, TEN + timedelta(microseconds=1))),
    ("closes", CloseOf(CALL, MONDAY, "as written")),
    ("quotes", QuoteOf(NIFTY, TEN)),
    ("quotes", QuoteOf(parse_symbol("SPX_IND___"), TEN)),
    ("fills", FillOf(CALL, CALL_TEXT, "entry", TEN, ("A1", "A2"))),
    ("fills", FillOf(CALL, CALL_TEXT, "exit", TEN, ("A1", "A2"))),
    ("fills", FillOf(CALL, CALL_TEXT, "entry", TEN)),
    ("prices_at", PriceAt(Equity("M&M", "BSE"), TEN)),
)
BARS = tuple(Bar(TEN + timedelta(minutes=i), 0.1 + i, 0.2 + i, 1 / 3, 0.3 + i, 75.0 * i) for i in range(3))


def test_it_is_what_it_records(tmp_path: Path) -> None:
    broker = RecordingBroker(RecordedBroker(name="inner"), tmp_path)
    assert isinstance(broker, Broker)
    assert not isinstance(broker, BarSource)
    assert not broker.asks_in_bulk
    assert isinstance(RecordingBroker(Scripted(), tmp_path), BarSource)
    assert RecordingBroker(ReplayBroker(tmp_path), tmp_path).asks_in_bulk
    assert broker.name == "inner"
    with pytest.raises(TypeError, match="a Broker is needed"):
        RecordingBroker("inner", tmp_path)  # type: ignore[arg-type]


class TestQuotes(SourceContract):
    protocol = QuoteSource
    method = "quotes"
    known = ((QuoteOf(NIFTY, TEN), 23400.0, PriceKind.MARK),)
    unknown = (QuoteOf(CALL, TEN),)

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make(self) -> Any:
        return RecordingBroker(RecordedBroker(quotes={"NIFTY_IND___": 23400.0}), self.folder)


class TestQuotesReplayed(TestQuotes):
    def make(self) -> Any:
        recorder = super().make()
        recorder.quotes([question for question, _, _ in self.known] + list(self.unknown))
        return ReplayBroker(self.folder, name=recorder.name)


ZONES = st.sampled_from([KOLKATA, UTC, timezone(timedelta(hours=-5))])
TIMES = st.none() | st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1), timezones=ZONES)
ANSWERS: st.SearchStrategy[Any] = st.builds(
    Price,
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=10),
    st.sampled_from(PriceKind),
    TIMES,
    st.none() | st.floats(0, 1e9),
) | st.builds(Missing, st.sampled_from(["no trade", "größer ✓", 'a "quote", and\nlines']), st.sampled_from(Why))


@given(replies=st.lists(ANSWERS, min_size=len(QUESTIONS), max_size=len(QUESTIONS)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_whatever_was_answered_is_answered_again(replies: list[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("recorded")
    recorder = RecordingBroker(Scripted(*replies), folder)
    live = [getattr(recorder, method)([question])[0] for method, question in QUESTIONS]
    assert live == replies
    replay = ReplayBroker(folder)
    assert replay.check() == []
    assert [getattr(replay, method)([question])[0] for method, question in QUESTIONS] == live


def test_bars_are_recorded_as_files(tmp_path: Path) -> None:
    asked = [BarsOf(CALL, MONDAY), BarsOf(NIFTY, MONDAY), BarsOf(parse_symbol("TCS_STK___"), MONDAY)]
    replies = [Bars(BARS, "vendor", True), Bars(BARS[:1], "vendor", False), Missing("no trade")]
    recorder = RecordingBarBroker(Scripted(*replies), tmp_path)
    assert recorder.minute_bars(asked) == replies
    assert (tmp_path / "bars" / "NSE" / CALL_TEXT / "2025-01-27.csv").is_file()
    assert (tmp_path / "bars" / "NSE" / "NIFTY_IND___" / "2025-01-27.partial.csv").is_file()
    replay = ReplayBarBroker(tmp_path)
    assert replay.minute_bars(asked) == replies
    # A question of another kind is answered from the same bars.
    (price,) = replay.prices_at([PriceAt(CALL, TEN + timedelta(minutes=2))])
    assert isinstance(price, Price)
    assert price.value == BARS[1].close


def test_a_broker_without_bars(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="knows no minute bars"):
        RecordingBarBroker(RecordedBroker(), tmp_path).minute_bars([BarsOf(CALL, MONDAY)])


def test_the_later_answer_counts_also_of_a_later_recorder(tmp_path: Path) -> None:
    asked = [QuoteOf(NIFTY, TEN)]
    for value in (1.0, 2.0, 3.0):
        recorder = RecordingBroker(RecordedBroker(quotes={"NIFTY_IND___": value}), tmp_path)
        for _ in range(4):
            recorder.quotes(asked)
    (answer,) = ReplayBroker(tmp_path).quotes(asked)
    assert isinstance(answer, Price)
    assert answer.value == 3.0
    assert len(list((tmp_path / "answers").iterdir())) == 12


def test_an_outage_is_passed_on_and_recorded(tmp_path: Path) -> None:
    recorder = RecordingBroker(Scripted(fails="connection refused"), tmp_path)
    with pytest.raises(BrokerError, match="connection refused"):
        recorder.closes([CloseOf(CALL, MONDAY)])
    (answer,) = ReplayBroker(tmp_path).closes([CloseOf(CALL, MONDAY)])
    assert answer == Missing("failed: connection refused", Why.FAILED)


def test_an_outage_hides_nothing_that_was_recorded_before(tmp_path: Path) -> None:
    close, mark = CloseOf(CALL, MONDAY), QuoteOf(CALL, TEN)
    inner = Scripted(Price(120.0, "s", PriceKind.CLOSE))
    RecordingBroker(inner, tmp_path).closes([close])
    down = RecordingBroker(Scripted(fails="connection refused"), tmp_path)
    for ask, question in ((down.closes, close), (down.quotes, mark)):
        with pytest.raises(BrokerError):
            ask([question])  # type: ignore[operator]
    replay = ReplayBroker(tmp_path)
    assert replay.closes([close]) == [Price(120.0, "s", PriceKind.CLOSE)]
    assert replay.quotes([mark]) == [Missing("failed: connection refused", Why.FAILED)]
    RecordingBroker(Scripted(Missing("not there any more")), tmp_path).closes([close])
    assert ReplayBroker(tmp_path).closes([close]) == [Missing("not there any more")]


def test_an_outage_takes_no_recorded_minutes_away(tmp_path: Path) -> None:
    time = Time("2025-01-28 12:00")
    inner = CountingBarBroker(time)
    live = CachedBroker(RecordingBroker(inner, tmp_path), clock=time.clock, wall=time.wall)
    eleven = PriceAt(NIFTY, at("2025-01-28 11:00"))
    (told,) = live.prices_at([eleven])
    for nothing in (BrokerError("down"), Missing("no bars")):
        time.pass_by(120.0)
        inner.scripted[BarsOf(NIFTY, date(2025, 1, 28))] = nothing
        with nullcontext() if isinstance(nothing, Missing) else pytest.raises(BrokerError):
            live.prices_at([PriceAt(NIFTY, time.now)])
        for replay in (ReplayBroker(tmp_path), ReplayBarBroker(tmp_path)):
            assert replay.prices_at([eleven]) == live.prices_at([eleven]) == [told]


def test_what_no_symbol_can_name_is_passed_on(tmp_path: Path) -> None:
    odd = Equity("NIFTY")  # would be read as the index
    recorder = RecordingBroker(Scripted(Price(1.0, "s", PriceKind.MARK), Price(2.0, "s", PriceKind.MARK)), tmp_path)
    assert len(recorder.quotes([QuoteOf(odd, TEN), QuoteOf(NIFTY, TEN)])) == 2
    replay = ReplayBroker(tmp_path)
    absent, there = replay.quotes([QuoteOf(odd, TEN), QuoteOf(NIFTY, TEN)])
    assert isinstance(absent, Missing)
    assert isinstance(there, Price)


def test_a_multiplier_makes_no_other_question(tmp_path: Path) -> None:
    asked = Option(CALL.underlying, date(2025, 1, 30), Right.CALL, 23500.0, 75.0)  # type: ignore[union-attr]
    RecordingBroker(Scripted(Price(1.0, "s", PriceKind.MARK)), tmp_path).quotes([QuoteOf(asked, TEN)])
    (answer,) = ReplayBroker(tmp_path).quotes([QuoteOf(CALL, TEN)])
    assert isinstance(answer, Price)


def test_answers_that_do_not_fit_are_passed_on_and_not_recorded(tmp_path: Path) -> None:
    inner = Scripted()
    inner.quotes = lambda wanted: []  # type: ignore[method-assign]
    assert RecordingBroker(inner, tmp_path).quotes([QuoteOf(NIFTY, TEN)]) == []
    assert list((tmp_path / "answers").iterdir()) == []


@pytest.mark.parametrize(
    "reason",
    [
        "GET https://user:hush@vendor.example/quotes?access_token=hush&x=1 failed",
        "redis://:hush@localhost:6379/0 refused",
        'body {"jKey": "hush", "uid": "U1"}',
        "header Authorization: Bearer hush.hush.hush",
        "APCA-API-SECRET-KEY: hush",
        "api_key='hush' was refused",
        "password = hush",
        "TOTP=hush",
        "susertoken: hush",
        "checksum=hush;",
        "headers={'Authorization': 'token k:hush', 'Accept': '*/*'}",
        "Authorization: token k:hush",
        "redis://:pa@hush@localhost:6379/0 refused",
        "redis://u:pa/hush@localhost:6379/0 refused",
        "postgres://u:hush@db.example/x",
        "EncryKey: hush",
        'sent "{\\"apikey\\": \\"one hush\\"}"',
        'sent {"apikey": "a\\"hush"}',
        "Cookie: session=hush; other=hush",
        "Ocp-Apim-Subscription-Key: hush",
        "body access_token%3Dhush",
        "enctoken hush",
        "{'head': {'key': 'hush'}}",
    ],
)
def test_no_secret_is_written(tmp_path: Path, reason: str) -> None:
    recorder = RecordingBroker(Scripted(Missing(reason, Why.FAILED)), tmp_path)
    (live,) = recorder.quotes([QuoteOf(NIFTY, TEN)])
    assert live == Missing(reason, Why.FAILED)
    with pytest.raises(BrokerError):
        RecordingBroker(Scripted(fails=reason), tmp_path).quotes([QuoteOf(CALL, TEN)])
    for path in (tmp_path / "answers").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "hush" not in text
        assert "***" in text
        assert ":***" not in text  # nothing but the secret is left out
    assert ReplayBroker(tmp_path).check() == []


def test_ordinary_words_are_left_alone(tmp_path: Path) -> None:
    reason = "no trade of NIFTY at 10:00: bid none, ask 1.5; pinned: x, order A1=FILLED"
    RecordingBroker(Scripted(Missing(reason)), tmp_path).quotes([QuoteOf(NIFTY, TEN)])
    assert ReplayBroker(tmp_path).quotes([QuoteOf(NIFTY, TEN)]) == [Missing(reason)]


def test_a_write_that_breaks_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = RecordingBroker(Scripted(*[Price(1.0, "s", PriceKind.MARK)] * 2), tmp_path)

    def refuse(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(OSError, match="disk full"):
            recorder.quotes([QuoteOf(NIFTY, TEN)])
    assert list((tmp_path / "answers").iterdir()) == []
    recorder.quotes([QuoteOf(NIFTY, TEN)])
    (path,) = (tmp_path / "answers").iterdir()
    assert json.loads(path.read_text(encoding="utf-8"))["answer"]["value"] == 1.0


def test_threads_share_one(tmp_path: Path) -> None:
    recorder = RecordingBroker(RecordedBroker(quotes={"NIFTY_IND___": 1.0}), tmp_path)
    work = [
        threading.Thread(target=lambda: [recorder.quotes([QuoteOf(NIFTY, TEN)]) for _ in range(20)]) for _ in range(4)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    numbers = sorted(path.name.split("-")[0] for path in (tmp_path / "answers").iterdir())
    assert numbers == [f"{i:06}" for i in range(1, 81)]


def test_health_is_that_of_the_inner_broker(tmp_path: Path) -> None:
    inner = RecordedBroker(name="inner")
    recorder = RecordingBroker(inner, tmp_path)
    assert recorder.health() == Health("inner", configured=True, reachable=True, session_valid=True)
    ill = Health("inner", configured=False, missing=("key",))
    inner.health = lambda: ill  # type: ignore[attr-defined]
    assert recorder.health() == ill
