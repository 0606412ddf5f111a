"""Four NIFTY positions over eight sessions of January 2025, explained from figures shipped with the program."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.rule import Rule
from rich.text import Text

from attribution.app.output import message
from attribution.app.sheet import InputError
from attribution.calendars import get_calendar
from attribution.daily import attribute_daily
from attribution.market.fixed import PriceTable
from attribution.report import adds_up, groups_table, results_table, sentence, waterfall
from attribution.report.figures import instant_text
from attribution.result import EFFECTS
from attribution.single import calculate_attribution_for_trades
from attribution.status import Status
from attribution.summary import summarise

__all__ = ["LAST_INSTANT", "WIDTH", "demo_prices", "demo_trades", "show", "write_files"]

LAST_INSTANT = "2025-01-10 15:30"
"""The close of the last session of the figures; the demo looks from there."""

WIDTH = 100
"""Of the demo's lines. [columns]"""

_STORIES = {
    "iron condor": "Sold 23,500 puts and 24,000 calls of the 9 January weekly, wings 200 out.",
    "short straddle": "Sold 23,600 calls and puts of the same weekly, three sessions to go.",
    "calendar spread": "Sold the 16 January 23,500 put against the 30 January one.",
    "covered future": "Long the January future, short the 24,000 call that expires with it.",
}


def _rows(name: str) -> list[dict[str, str]]:
    text = files("attribution.app").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def demo_trades() -> list[dict[str, str]]:
    """The demo's trades, as rows of text."""
    return _rows("demo_trades.csv")


def demo_prices() -> list[tuple[str, str, str, float]]:
    """The demo's closes as ``(symbol, exchange, time, price)``, each at the instant its session closed."""
    return list(_prices_at_close())


def _prices_at_close() -> Iterator[tuple[str, str, str, float]]:
    for row in _rows("demo_closes.csv"):
        session = get_calendar(row["exchange"]).session_on(row["date"])
        if session is None:
            raise AssertionError(f"demo_closes.csv: {row['date']} is no session of {row['exchange']}")
        yield row["symbol"], row["exchange"], instant_text(session.close), float(row["close"])


def show() -> tuple[list[RenderableType], bool]:
    """Return what the demo prints, and whether every sum in it holds."""
    trades, table = demo_trades(), PriceTable(demo_prices(), name="demo closes")
    daily = attribute_daily(trades, spot_prices=table, current_time=LAST_INSTANT)
    lives = calculate_attribution_for_trades(trades, spot_prices=table, current_time=LAST_INSTANT, day=False)
    chained = summarise(daily, ["trade"])
    parts: list[RenderableType] = [_opening()]
    for place, (life, total) in enumerate(zip(lives, chained, strict=True)):
        days = [result for result in daily if result["row"] == place]
        parts += _chapter(life, total, days)
    grand = summarise(daily)[0]
    parts += [
        _heading("all four"),
        groups_table(chained, ["trade"], counts=False),
        waterfall(grand, width=WIDTH, title=""),
        Text(""),
        _closing(),
    ]
    return parts, holds(daily, lives, chained)


def holds(
    daily: Sequence[Mapping[str, Any]], lives: Sequence[Mapping[str, Any]], chained: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether everything is explained, the parts make the P&L, and the days make the trades."""
    explained = all(Status(result["status"]).has_numbers for result in (*daily, *lives))
    summed = all(adds_up(result) for result in (*daily, *lives, *chained))
    days = all(abs(life["pnl"] - total["pnl"]) <= 1e-6 for life, total in zip(lives, chained, strict=True))
    return explained and summed and days


def _chapter(
    life: Mapping[str, Any], total: Mapping[str, Any], days: Sequence[Mapping[str, Any]]
) -> list[RenderableType]:
    """One trade: what it is, its days, its waterfall, and what moved."""
    name = str(life["trade"])
    lived = [day for day in days if day["window"]["start"] < day["window"]["end"]]
    # The days' own effects, told with the market's move over the whole life.
    whole = {**life, **{key: total[key] for key in (*EFFECTS, "residual", "pnl", "fees")}}
    biggest = max(lived, key=lambda day: abs(float(day["pnl"])))
    return [
        _heading(name),
        Text(f"{_STORIES[name]} Opened {instant_text(life['window']['start'])}."),
        results_table([{**day, "fees": 0.0} for day in lived], names=False, footnotes=False, check=False),
        waterfall({**total, "fees": 0.0}, width=WIDTH, title=""),
        Text(sentence(whole), style="italic"),
        Text(f"The day that mattered, {biggest['session']}: {sentence(biggest, by_leg=False)}", style="italic"),
        Text(""),
    ]


def _heading(name: str) -> Rule:
    return Rule(Text(name, style="bold cyan"), style="cyan", align="left")


def _opening() -> Text:
    text = Text("attribution demo", style="bold")
    text.append(
        "\nFour NIFTY positions, one lot of 75 units each, at NSE closes of 1 to 10 January 2025, in INR."
        "\nEach day runs from close to close; spot + vol + time + spread = P&L on every line.\n",
        style="not bold",
    )
    return text


def _closing() -> Text:
    text = Text("Try it on files of your own:\n", style="bold")
    text.append(
        "  attribution demo --write folder        writes these trades and prices as CSV files\n"
        "  attribution explain folder/trades.csv --prices folder/prices.csv --daily",
        style="not bold",
    )
    return text


def write_files(folder: Path) -> None:
    """Write ``trades.csv`` and ``prices.csv`` in the form that ``attribution explain`` reads, over no other file."""
    trades, prices = folder / "trades.csv", folder / "prices.csv"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = demo_trades()
        _write(trades, [list(rows[0]), *(list(row.values()) for row in rows)])
        _write(
            prices, [["symbol", "exchange", "time", "price"], *([*row[:3], f"{row[3]:.2f}"] for row in demo_prices())]
        )
    except OSError as exc:
        raise InputError(f"{exc.filename or folder}: cannot be written: {exc.strerror or exc}") from exc
    message(f"wrote {trades} and {prices}; try:\n  attribution explain {trades} --prices {prices} --daily")


def _write(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("x", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
