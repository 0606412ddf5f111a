"""What one hash says, and what several say together: no server needed."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.errors import BrokerError
from attribution.market.quotes import Answer, FillOf, Missing, Price, PriceKind, Side, Why
from attribution.symbols import parse_symbol
from brokers.redis_legs import RedisLegs
from brokers.redis_legs.connection import CHUNK, address_of
from brokers.redis_legs.orders import ORDER_FIELDS, stored_key

CALL, PUT = "NIFTY_OPT_20251125_CALL_26000", "NIFTY_OPT_20251125_PUT_26000"
AT = datetime(2025, 11, 20, 10, 5, tzinfo=ZoneInfo("Asia/Kolkata"))


class Memory:
    """A client as small as can be: hashes in a dict; counts pipelines and commands; breaks when told to."""

    def __init__(self, hashes: dict[str, dict[str, Any]], *, as_bytes: bool = False, fails: str = "") -> None:
        self.hashes, self.as_bytes, self.fails = hashes, as_bytes, fails
        self.pipelines: list[int] = []

    def pipeline(self, transaction: bool = True) -> Memory:
        assert transaction is False
        self.commands: list[tuple[str, list[str]]] = []
        return self

    def hmget(self, key: str, fields: list[str]) -> None:
        self.commands.append((key, fields))

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        if self.fails:
            raise ConnectionResetError(self.fails)
        self.pipelines.append(len(self.commands))
        return [[self._cell(self.hashes.get(key, {}).get(field)) for field in fields] for key, fields in self.commands]

    def _cell(self, text: Any) -> Any:
        return text.encode() if self.as_bytes and text is not None else text


def order(**fields: Any) -> dict[str, Any]:
    given = {
        "broker": "SHOONYA",
        "long_symbol": CALL,
        "order_type": "SHORT",
        "quantity": "75",
        "price": "100.5",
        "status": "FILLED",
        "exchange": "NSE",
    }
    return {name: value for name, value in (given | fields).items() if value is not None}


def fill(
    hashes: dict[str, dict[str, Any]], *keys: str, symbol: str = CALL, side: Side = "entry", **options: Any
) -> Answer:
    question = FillOf(parse_symbol(symbol), symbol, side, AT, keys or tuple(hashes))
    (answer,) = RedisLegs(Memory(hashes), **options).fills([question])
    return answer


def why(*hashes: dict[str, Any], **options: Any) -> str:
    answer = fill({f"k{i}": one for i, one in enumerate(hashes)}, **options)
    assert isinstance(answer, Missing), answer
    assert answer.why is Why.UNKNOWN
    return answer.reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": "nan"}, "order k0 has price nan"),
        ({"price": "NaN"}, "order k0 has price nan"),
        ({"price": "None"}, "order k0 has price 'None', which is not a number"),
        ({"price": None}, "order k0 has no price"),
        ({"price": ""}, "order k0 has price '', which is not a number"),
        ({"price": "inf"}, "order k0 has price inf, which must be finite and not negative"),
        ({"price": "-1.0"}, "order k0 has price -1.0, which must be finite and not negative"),
        ({"price": "0.0"}, "order k0 has price 0, which stands for not filled"),
        ({"broker": "FIVEPAISA"}, "order k0 is of broker FIVEPAISA, not SHOONYA"),
        ({"broker": None}, "order k0 is of broker unknown, not SHOONYA"),
        ({"long_symbol": None}, "order k0 has no long_symbol"),
        ({"long_symbol": "None"}, "order k0 has no long_symbol"),
        ({"long_symbol": PUT}, f"order k0 is of {PUT}"),
        ({"long_symbol": "rubbish"}, "order k0 is of rubbish"),
        ({"long_symbol": f"{CALL}?-1:{PUT}?-1"}, f"order k0 is of {CALL}?-1:{PUT}?-1"),
        ({"order_type": "COVER"}, "order k0 is a COVER, which is an exit and not an entry"),
        ({"order_type": "SELL"}, "order k0 is a SELL, which is an exit and not an entry"),
        ({"order_type": "HOLD"}, "order k0 has order_type 'HOLD', which is not BUY, SHORT, SELL or COVER"),
        ({"status": "PENDING"}, "order k0 is PENDING: its price is not a fill"),
        ({"status": "REJECTED"}, "order k0 is REJECTED: its price is not a fill"),
        ({"status": "OPEN"}, "order k0 is OPEN: its price is not a fill"),
        ({"quantity": "0"}, "order k0 has quantity 0: nothing was filled"),
    ],
)
def test_each_absence_has_its_own_words(fields: dict[str, Any], reason: str) -> None:
    assert reason in why(order(**fields), broker="SHOONYA")


def test_what_may_be_absent_from_an_order() -> None:
    plain = {"long_symbol": CALL, "price": "100.5"}
    assert fill({"k": plain}) == Price(100.5, "redis", PriceKind.FILL, None, None)
    odd = order(order_type="None", status="None", quantity="None")
    assert fill({"k": odd}) == Price(100.5, "redis", PriceKind.FILL, None, None)


@pytest.mark.parametrize("status", ["FILLED", "CANCELLED", "HISTORICAL", "UNDEFINED", ""])
def test_states_whose_price_is_a_fill(status: str) -> None:
    # A cancelled order that is still stored was filled in part.
    assert isinstance(fill({"k": order(status=status)}), Price)


def test_the_states_are_the_callers_choice() -> None:
    assert isinstance(fill({"k": order(status="OPEN")}, unfilled=()), Price)


@pytest.mark.parametrize(
    ("price", "exchange", "side", "value"),
    [
        ("0.05", "SQUAREOFF", "exit", 0.0),
        ("0.0", "SQUAREOFF", "exit", 0.0),
        ("73.5", "SQUAREOFF", "exit", 73.5),
        ("0.05", "NSE", "exit", 0.05),
        ("0.05", "SQUAREOFF", "entry", 0.05),
    ],
)
def test_a_worthless_expiry_is_written_at_the_smallest_price(
    price: str, exchange: str, side: Side, value: float
) -> None:
    kind = "COVER" if side == "exit" else "SHORT"
    answer = fill({"12345678P": order(price=price, exchange=exchange, order_type=kind)}, side=side)
    assert isinstance(answer, Price)
    assert answer.value == value


@pytest.mark.parametrize("spelling", ["NIFTY_FUT_20251125__", "NIFTY_FUT_20251125___"])
def test_symbols_are_compared_as_instruments(spelling: str) -> None:
    stored = {"k": order(long_symbol=spelling)}
    for asked in ("NIFTY_FUT_20251125__", "NIFTY_FUT_20251125___"):
        assert isinstance(fill(stored, symbol=asked), Price)
    assert isinstance(fill({"k": order(long_symbol=CALL + ".0")}), Price)


def test_an_average_needs_each_slice() -> None:
    good = order()
    assert "order k1 has price nan" in why(good, order(price="nan"))
    assert "order k1 has no quantity to weigh it with" in why(good, order(price="101", quantity=None))
    # Nothing is stored under k1: it may be another slice of this leg.
    answer = fill({"k0": good}, "k0", "k1")
    assert answer == Missing(f"the entry fill of {CALL} may lack a slice; order k1 is not on the server")
    assert isinstance(fill({"k0": good}, "k0", "k1", sliced="first"), Price)
    assert isinstance(fill({"k0": good}, "k1", "k0", sliced="first"), Price)


def test_orders_of_others_do_not_count() -> None:
    hashes = {"a": order(), "b": order(broker="DHAN", price="1"), "c": order(long_symbol=PUT, price="2")}
    hashes |= {"d": order(status="REJECTED", price="3"), "e": order(order_type="SELL", price="4")}
    answer = fill(hashes, broker="SHOONYA")
    assert isinstance(answer, Price)
    assert (answer.value, answer.quantity) == (100.5, 75.0)
    assert "k1" not in why(order(price="nan"), order(), sliced="first")


def test_bought_and_sold_short_for_the_same_entry() -> None:
    reason = why(order(), order(order_type="BUY"))
    assert reason == f"orders k0, k1 of {CALL} contradict each other: BUY and SHORT"


def test_one_command_per_order_and_one_pipeline_per_batch() -> None:
    hashes = {f"k{i}": order(long_symbol=PUT if i % 2 else CALL) for i in range(8)}
    memory = Memory(hashes)
    questions = [FillOf(parse_symbol(leg), leg, "entry", AT, tuple(hashes)) for leg in (CALL, PUT)] * 100
    assert all(isinstance(answer, Price) for answer in RedisLegs(memory).fills(questions))
    assert memory.pipelines == [8]
    many = [FillOf(parse_symbol(CALL), CALL, "entry", AT, (f"x{i}",)) for i in range(CHUNK + 1)]
    RedisLegs(memory).fills(many)
    assert memory.pipelines == [8, CHUNK, 1]


def test_bytes_and_text_are_the_same() -> None:
    question = [FillOf(parse_symbol(CALL), CALL, "entry", AT, ("k",))]
    answers = [RedisLegs(Memory({"k": order()}, as_bytes=flag)).fills(question) for flag in (False, True)]
    assert answers[0] == answers[1]


def test_an_error_of_any_client_is_a_broker_error() -> None:
    memory = Memory({}, fails="boom hush")
    memory.connection_pool = type(  # type: ignore[attr-defined]
        "Pool", (), {"connection_kwargs": {"host": "h", "port": 6380, "db": 2, "password": "hush"}}
    )()
    redis = RedisLegs(memory, name="orders")
    with pytest.raises(BrokerError, match=r"h:6380/2 does not answer: ConnectionResetError: boom \*\*\*"):
        redis.fills([FillOf(parse_symbol(CALL), CALL, "entry", AT, ("k",))])
    health = redis.health()
    assert (health.vendor, health.reachable) == ("orders", False)
    assert "hush" not in health.detail
    assert address_of(Memory({})) == "Memory"


def test_only_the_fields_that_are_needed_are_read() -> None:
    memory = Memory({"k": order()})
    RedisLegs(memory).fills([FillOf(parse_symbol(CALL), CALL, "entry", AT, ("k",))])
    assert memory.commands == [("k", list(ORDER_FIELDS))]


CELL = st.none() | st.text(max_size=20) | st.sampled_from(
    ["nan", "None", "0.0", "0.05", "1e400", "-0", "75", "101.5", "BUY", "SHORT", "SELL", "FILLED", "SQUAREOFF", CALL]
)  # fmt: skip
HASH = st.fixed_dictionaries(dict.fromkeys(ORDER_FIELDS, CELL)).map(
    lambda cells: {name: cell for name, cell in cells.items() if cell is not None}
)


@given(hashes=st.lists(HASH, min_size=1, max_size=4), side=st.sampled_from(["entry", "exit"]), as_bytes=st.booleans())
def test_whatever_is_stored_the_answer_is_a_price_or_a_reason(
    hashes: list[dict[str, str]], side: Side, as_bytes: bool
) -> None:
    stored = {f"k{i}": one for i, one in enumerate(hashes)}
    question = FillOf(parse_symbol(CALL), CALL, side, AT, tuple(stored))
    for sliced in ("average", "first"):
        redis = RedisLegs(Memory(stored, as_bytes=as_bytes), sliced=sliced)  # type: ignore[arg-type]
        (answer,) = redis.fills([question])
        if isinstance(answer, Missing):
            assert answer.reason
            continue
        told = [float(one["price"]) for one in hashes if _is_number(one.get("price"))]
        assert math.isfinite(answer.value)
        assert answer.value >= 0.0
        if answer.value == 0.0:
            assert side == "exit"
            assert any(one.get("exchange") == "SQUAREOFF" for one in hashes)
        else:
            assert min(told) * (1 - 1e-12) <= answer.value <= max(told) * (1 + 1e-12)


def _is_number(text: str | None) -> bool:
    try:
        return text is not None and math.isfinite(float(text)) and float(text) >= 0.0
    except ValueError:
        return False


SLICES = st.lists(st.tuples(st.integers(1, 2_000_00), st.integers(1, 10_000)), min_size=1, max_size=8)


@given(slices=SLICES, split=st.integers(0, 7))
def test_the_average_is_the_cash_over_the_units(slices: list[tuple[int, int]], split: int) -> None:
    hashes = {f"{i}P": order(price=str(p / 20), quantity=str(q)) for i, (p, q) in enumerate(slices)}
    answer = fill(hashes, *(f"{key}F{split}" for key in hashes))
    assert isinstance(answer, Price)
    units = sum(q for _, q in slices)
    assert answer.quantity == units
    assert answer.value == pytest.approx(sum(p * q for p, q in slices) / 20 / units, rel=1e-14)


@given(st.from_regex(r"[0-9]{6,14}P?", fullmatch=True), st.integers(0, 999))
def test_a_fork_is_stripped_once(key: str, fork: int) -> None:
    assert stored_key(f"{key}F{fork}") == stored_key(key) == key


def test_the_time_of_several_orders_is_known_if_that_of_each_is() -> None:
    early, late = order(remote_order_id="2025112010000012"), order(remote_order_id="2025112011000012")
    unknown = order(remote_order_id="None")
    both = fill({"1": early, "2": late})
    assert isinstance(both, Price)
    assert both.time == AT.replace(hour=11, minute=0)
    for told in ({"1": early, "2": unknown}, {"1": unknown, "2": early}):
        answer = fill(told)
        assert isinstance(answer, Price)
        assert answer.time is None
