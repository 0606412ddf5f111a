"""``attribution ledger explain``: strategies × causes, exact by row and by column, checked against the account."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from attribution.app.explain import instant_of, warm_up
from attribution.app.ledger_door import EXIT_SOME, open_service
from attribution.app.ledger_tables import money, rows_text
from attribution.app.output import Format, complain, emit, format_of, message
from attribution.app.reading import PriceFile, read_prices
from attribution.app.sheet import InputError
from attribution.app.sources import Asked, open_sources
from attribution.app.vendors import VENDORS
from attribution.ledger.explain import FACTORS, StrategyReport, explain_strategies
from attribution.ledger.periods import Window
from attribution.model import Model
from attribution.report.strategies import strategies_table, strategy_waterfall

__all__ = ["explain"]

KEYS = ("strategy", "session", "symbol", "account_id", "currency")


def explain(
    prices: Annotated[
        Path | None,
        typer.Option(
            "--prices",
            metavar="PRICES.csv",
            show_default=False,
            help="Columns symbol, time, price, and exchange if it is not NSE: closes of what is held (the close's "
            "instant, or the date alone), and prices of the underlyings at closes and at fills.",
        ),
    ] = None,
    broker: Annotated[
        list[str] | None,
        typer.Option(
            "--broker",
            metavar="NAME",
            show_default=False,
            help=f"Ask this broker for prices: replay:FOLDER, {', '.join(VENDORS)}. Repeat for several.",
        ),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option("--history", metavar="FOLDER", show_default=False, help="Look here before the brokers."),
    ] = None,
    start: Annotated[
        datetime | None, typer.Option("--start", formats=["%Y-%m-%d"], metavar="DATE", help="First session.")
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--end", formats=["%Y-%m-%d"], metavar="DATE", help="Last session.")
    ] = None,
    current_time: Annotated[
        str | None, typer.Option(help="Nothing is known beyond this instant, e.g. '2025-01-06 14:30'.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="|".join(KEYS), show_default=False, help="Rows. \\[default: strategy] Repeat."),
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="\\[default: by --output's ending, else table]")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write to this file, whole or not at all.")] = None,
    method: Annotated[str, typer.Option(help="waterfall, shapley, path, one_at_a_time or taylor.")] = "waterfall",
    clock: Annotated[str, typer.Option(help="sessions (252 a year) or calendar (365 days).")] = "sessions",
    rate: Annotated[float, typer.Option(help="Interest, continuously compounded, per year.")] = 0.0,
    ledger: Annotated[Path | None, typer.Option("--ledger", metavar="FOLDER", show_default=False)] = None,
    account: Annotated[str | None, typer.Option("--account", help="\\[default: all]")] = None,
    closing: Annotated[str, typer.Option("--closing", help="For fills without an allocation.")] = "pro_rata",
    exchange: Annotated[str | None, typer.Option(help="The home of symbols that do not say it.")] = None,
) -> None:
    """Split every strategy's P&L by cause; rows and columns add up to the account."""
    with open_service(ledger, account or "default", closing=closing, exchange=exchange) as service:
        asked = Asked(tuple(broker or ()), None, history, None)
        asked.check(prices=prices is not None)
        price_file = None if prices is None else read_prices(prices)
        keys = [word.strip() for text in by or ["strategy"] for word in text.split(",")]
        with open_sources(asked, os.environ) as source:
            warm_up(Model(method=method, clock=clock, rate=rate))
            report = explain_strategies(
                [entry for entry in service.log.entries() if account in (None, entry.account_id)],
                _window(start, end),
                None if price_file is None else price_file.table,
                source,
                current_time=_now(current_time),
                method=method,
                clock=clock,
                rate=rate,
                closing=closing,
                exchange=exchange,
            )
        emit(_rendered(report, keys, format_of(form, output)), output)
        if _tell(report, price_file):
            raise typer.Exit(EXIT_SOME)


def _window(start: datetime | None, end: datetime | None) -> Window:
    if start is None and end is None:
        return None
    return None if start is None else start.date(), None if end is None else end.date()


def _now(text: str | None) -> datetime | None:
    found = instant_of(None, text)
    if isinstance(found, str):
        from attribution.calendars import get_calendar

        return get_calendar("NSE").localize(found)
    return found


def _rendered(report: StrategyReport, keys: Sequence[str], form: Format) -> str | list[RenderableType]:
    for key in keys:
        if key not in KEYS:
            raise InputError(f"--by {key!r}: must be one of {', '.join(KEYS)}")
    currencies = sorted({cell.currency for cell in report.cells})
    if len(currencies) > 1 and "currency" not in keys:
        keys = [*keys, "currency"]
    rows, factors = report.by(*keys), report.factors()
    if form in (Format.CSV, Format.JSON):
        names = (*keys, *FACTORS, "pnl", "count", "unknown", "partial")
        return rows_text([{name: row[name] for name in names} for row in rows], form)
    total = report.by()[0] if len(currencies) < 2 else None
    if form is Format.WATERFALL:
        drawn: list[RenderableType] = []
        for row in rows:
            title = "  ".join(str(row[key]) for key in keys)
            drawn += [strategy_waterfall(row, factors, title=title, width=90), ""]
        return drawn if total is None else [*drawn, strategy_waterfall(total, factors, title="Σ", width=90)]
    return [strategies_table(rows, total, keys, factors, notes=_checks(report))]


def _checks(report: StrategyReport) -> list[str]:
    notes = []
    for (account, currency), check in report.checks.items():
        if check.is_exact:
            notes.append(
                f"account {account}: Δcash {money(check.cash)} − contributions {money(check.contributed)} "
                f"+ Δmarket value {money(check.market_value)} = {money(check.account_pnl)} {currency}  ✓"
            )
        else:
            notes.append(f"account {account}: {money(check.account_pnl)} {currency}, the rows say {money(check.pnl)}")
    return notes


def _tell(report: StrategyReport, price_file: PriceFile | None) -> bool:
    """Say what is unknown, and why; whether anything is."""
    problems: dict[str, None] = {}
    for cell in report.cells:
        for reason in cell.reasons:
            problems[f"{cell.session} {cell.strategy} {cell.symbol}: {reason}"] = None
    complain(list(problems))
    unquoted = sum("no_quote" in cell.flags for cell in report.cells)
    if unquoted:
        message(f"note: in {unquoted} cells a fill has no bid and ask: its edge is not told from its way to the mark")
    broken = price_file.problems if price_file is not None else []
    complain(broken)
    exact = all(check.is_exact for check in report.checks.values())
    return bool(problems or broken) or not exact
