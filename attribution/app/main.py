"""The console script ``attribution``: commands, their options and their exit codes."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.table import Table

from attribution.app import demo as demonstration
from attribution.app.batch import BATCH_EPILOG, batch
from attribution.app.checkup import check as check_brokers
from attribution.app.checkup import standings, standings_table
from attribution.app.door import Door, open_closed_streams
from attribution.app.explain import Request, Span, explain_rows, instant_of, warm_up
from attribution.app.files import check_output
from attribution.app.ledger import app as ledger_app
from attribution.app.output import (
    Format,
    complain,
    emit,
    format_of,
    groups_of,
    message,
    render_groups,
    render_results,
)
from attribution.app.reading import COLUMNS, PriceFile, TradeFile, read_prices, read_trades
from attribution.app.sheet import InputError, parse_columns
from attribution.app.sources import Asked, check_recording, open_sources
from attribution.app.vendors import VENDORS
from attribution.model import Model, check_model
from attribution.report.figures import is_explained
from attribution.status import Flag, Status
from attribution.summary import GROUPINGS
from attribution.trade import OPTIONAL_FIELDS, leg_fields
from attribution.version import __version__

__all__ = ["app", "main"]

EXIT_ALL, EXIT_SOME, EXIT_USAGE = 0, 1, 2
_EXIT_HELP = (
    "Exit codes: 0 every row was explained · 1 some row of the trades or the prices could not be used, "
    "or standard output could not be written · 2 wrong usage or an unreadable file · 130 interrupted."
)

app = typer.Typer(
    cls=Door, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich"
)


app.add_typer(ledger_app, name="ledger", cls=Door)
app.command(epilog=BATCH_EPILOG)(batch)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"attribution {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Explain the P&L of option trades: spot, vol, time and spread, and the parts add up."""


@app.command(epilog="Exit codes: 0 the parts add up · 1 they do not · 2 wrong usage.")
def demo(
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="FOLDER", help="Write the demo's trades.csv and prices.csv there instead."),
    ] = None,
) -> None:
    """Explain four real NIFTY positions day by day. Needs no files and no network."""
    try:
        if write is not None:
            demonstration.write_files(write)
            return
        warm_up(Model())
        parts, sound = demonstration.show()
    except InputError as exc:
        _refuse(exc)
    emit(parts, most=demonstration.WIDTH)
    if not sound:
        message("the parts do not add up to the P&L: this is a fault of the program")
        raise typer.Exit(EXIT_SOME)


@app.command()
def statuses() -> None:
    """List what a status or a flag of a result means, and what to do about it."""
    table = Table(box=None, pad_edge=False, show_header=True)
    table.add_column("status", no_wrap=True)
    table.add_column("numbers", no_wrap=True)
    table.add_column("meaning")
    for status in Status:
        table.add_row(str(status), "yes" if status.has_numbers else "no", status.advice)
    flags = Table(box=None, pad_edge=False)
    flags.add_column("flag", no_wrap=True)
    flags.add_column("meaning")
    for flag in Flag:
        flags.add_row(str(flag), flag.advice)
    emit([table, "", flags])


@app.command(
    epilog="Exit codes: 0 nothing is wrong with what is configured · 1 a configured broker is not fit, with --check."
)
def brokers(
    check: Annotated[bool, typer.Option("--check", help="Ask each configured one for a sign of life.")] = False,
) -> None:
    """List the brokers: what is configured, and which environment variables are missing. Shows no secret."""
    found = standings(os.environ)
    if check:
        found = check_brokers(found, os.environ)
    emit([standings_table(found)])
    if any(one.healthy is False for one in found):
        raise typer.Exit(EXIT_SOME)


_Trades = Annotated[
    Path,
    typer.Argument(
        metavar="TRADES.csv",
        show_default=False,
        help=f"One trade per row. Needed: {', '.join(COLUMNS['trades'].required)}. "
        f"Known: {', '.join((*OPTIONAL_FIELDS, *leg_fields(1)))}, … Quantities are signed units, prices per unit; "
        "a combo's own price is the signed net price of its legs.",
    ),
]
_Prices = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        metavar="PRICES.csv",
        show_default=False,
        help="Columns symbol, time, price, and exchange if it is not NSE: prices of underlyings, of the futures that "
        "expire with an option (they tell the basis from the spot), and of legs: at the instant of a combo's fill, and "
        "at each session's close (the close's instant, or the date alone). Asked before any broker.",
    ),
]
_Brokers = Annotated[
    list[str] | None,
    typer.Option(
        "--broker",
        metavar="NAME",
        show_default=False,
        help=f"Ask this broker for prices and fills: replay:FOLDER (recorded files), {', '.join(VENDORS)}. Repeat for "
        "those to ask where it has none. Secrets come from the environment: see [bold]attribution brokers[/bold].",
    ),
]
_Redis = Annotated[
    str | None,
    typer.Option(
        "--redis",
        metavar="URL|env",
        show_default=False,
        help="Ask this Redis or Valkey server for fills of legs, before the brokers; env: the address in REDIS_URL.",
    ),
]
_History = Annotated[
    Path | None,
    typer.Option(
        "--history",
        metavar="FOLDER",
        show_default=False,
        help="Look here before the brokers, and store here what they tell of past sessions; serves without them too.",
    ),
]
_Record = Annotated[
    Path | None,
    typer.Option(
        "--record",
        metavar="FOLDER",
        show_default=False,
        help="Write every answer down, to be replayed with --broker replay:FOLDER.",
    ),
]
_Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="FIELD=Header,…",
        show_default=False,
        help="Your names of columns: symbol=Instrument,entry_time=Opened for the trades, prices.time=Date for the "
        "prices. An empty header says that there is no such column.",
    ),
]


@app.command(epilog=_EXIT_HELP)
def explain(
    trades: _Trades,
    prices: _Prices = None,
    broker: _Brokers = None,
    redis: _Redis = None,
    history: _History = None,
    record: _Record = None,
    stats: Annotated[
        bool, typer.Option("--stats", help="Tell what was asked of the brokers and what the cache spared.")
    ] = False,
    day: Annotated[
        datetime | None,
        typer.Option("--day", formats=["%Y-%m-%d"], metavar="DATE", help="Explain this session."),
    ] = None,
    trade: Annotated[bool, typer.Option("--trade", help="Explain each trade's whole life.")] = False,
    daily: Annotated[bool, typer.Option("--daily", help="One line per trade and session, and the total.")] = False,
    current_time: Annotated[
        str | None,
        typer.Option(help="Look from this instant, e.g. '2025-01-06 14:30'. \\[default: each trade's exit, else now]"),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by", metavar="|".join(GROUPINGS), help="Add up by this; repeat for several.", show_default=False
        ),
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="How to write it. \\[default: by --output's ending, else table]")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write to this file, whole or not at all.")] = None,
    method: Annotated[str, typer.Option(help="waterfall, shapley, path, one_at_a_time or taylor.")] = "waterfall",
    order: Annotated[str, typer.Option(help="In which order the waterfall switches.")] = "time,spot,spread,vol",
    steps: Annotated[int, typer.Option(help="Steps of method path.", min=1)] = 16,
    clock: Annotated[str, typer.Option(help="sessions (252 a year) or calendar (365 days).")] = "sessions",
    rate: Annotated[float, typer.Option(help="Interest, continuously compounded, per year: 0.07 is 7 %.")] = 0.0,
    dividend_yield: Annotated[float, typer.Option(help="Dividends, likewise.")] = 0.0,
    price_tick: Annotated[
        float, typer.Option(help="A price worth less than this does not determine a vol; 0: off.", min=0.0)
    ] = 0.0,
    detail: Annotated[bool, typer.Option("--detail", help="Add greek terms and interactions (CSV, JSON).")] = False,
    columns: _Columns = None,
) -> None:
    """Explain the trades of a file with the prices of another, or of brokers.

    Without --day, --trade or --daily one session is explained: that of the exit, or the current one.
    The window stands beside every result. Data goes to standard output, messages go to standard error.
    """
    try:
        model = _model(method, order, steps, clock, rate, dividend_yield, price_tick, detail)
        request = _request(model, day.date() if day else None, current_time, trade=trade, daily=daily)
        groupings = _groupings(by)
        renames = parse_columns(columns or [], COLUMNS)
        asked = Asked(tuple(broker or ()), redis, history, record)
        asked.check(prices=prices is not None)
        chosen = format_of(form, output)
        check_output(output, {"the file of the trades": trades, "the file of the prices": prices})
        check_recording(output, asked)
        trade_file = read_trades(trades, renames["trades"])
        price_file = None if prices is None else read_prices(prices, renames["prices"])
        results = _results(trade_file, price_file, asked, request, stats=stats)
        if groupings:
            groups = groups_of(results, groupings)
            content = render_groups(groups, groupings, chosen)
        else:
            content = render_results(results, chosen)
        told = chosen in (Format.TABLE, Format.WATERFALL) and output is None and not groupings
        _tell(trade_file, price_file, results, request, day, reasons=not told)
        emit(content, output)
    except InputError as exc:
        _refuse(exc)
    if (price_file and price_file.problems) or not all(map(is_explained, results)):
        raise typer.Exit(EXIT_SOME)


def _results(
    trade_file: TradeFile, price_file: PriceFile | None, asked: Asked, request: Request, *, stats: bool
) -> list[dict[str, Any]]:
    with open_sources(asked, os.environ) as source:
        warm_up(request.model)
        table = None if price_file is None else price_file.table
        results = explain_rows(trade_file.rows, table, request, source)
        if stats:
            message("cache: no broker was asked" if source is None else f"cache: {source.stats}")
    return results


def _refuse(problem: InputError) -> NoReturn:
    message(f"attribution: {problem}")
    raise typer.Exit(EXIT_USAGE)


def _model(
    method: str,
    order: str,
    steps: int,
    clock: str,
    rate: float,
    dividend_yield: float,
    price_tick: float,
    detail: bool,
) -> Model:
    for name, value in (("--rate", rate), ("--dividend-yield", dividend_yield), ("--price-tick", price_tick)):
        if not math.isfinite(value):
            raise InputError(f"{name} {value}: must be a finite number")
    names = tuple(word.strip() for word in order.split(","))
    try:
        return check_model(Model(method, names, steps, clock, rate, dividend_yield, detail, price_tick))
    except ValueError as exc:
        raise InputError(str(exc)) from exc


def _request(model: Model, day: date | None, current_time: str | None, *, trade: bool, daily: bool) -> Request:
    if (day is not None) + trade + daily > 1:
        raise InputError("--day, --trade and --daily each choose the window: give one of them")
    span = Span.DAILY if daily else Span.TRADE if trade else Span.SESSION
    return Request(model, span, instant_of(day, current_time))


def _groupings(by: Sequence[str] | None) -> list[str]:
    names = [word.strip() for text in by or [] for word in text.split(",")]
    for name in names:
        if name not in GROUPINGS:
            raise InputError(f"--by {name!r}: must be one of {', '.join(GROUPINGS)}")
    return list(dict.fromkeys(names))


def _tell(
    trade_file: TradeFile,
    price_file: PriceFile | None,
    results: Sequence[dict[str, Any]],
    request: Request,
    day: datetime | None,
    *,
    reasons: bool,
) -> None:
    """Say on standard error what was left out and what could not be explained."""
    for file in (trade_file, price_file):
        if file is not None and file.sheet.ignored:
            message(f"note: {file.sheet.path}: columns that mean nothing here: {', '.join(file.sheet.ignored)}")
    complain(price_file.problems if price_file is not None else ())
    if request.span is Span.DAILY and not results:
        message("note: no trade has a session to explain")
    if day is not None:
        others = {result["session"] for result in results} - {None, day.date()}
        if others:
            shown = ", ".join(sorted(map(str, others)))
            message(f"note: {day.date()} had no session, or not yet; explained is the last one before it: {shown}")
    failed = [result for result in results if not is_explained(result)]
    if reasons:
        complain([_failure(trade_file, result) for result in failed])
    if failed:
        message(f"{len(failed)} of {len(results)} results could not be explained")


def _failure(trade_file: TradeFile, result: dict[str, Any]) -> str:
    reason = str(result["reason"])
    header = trade_file.sheet.headers.get(reason.partition("=")[0])
    column = f"column {header!r}: " if header is not None else ""
    session = f"{result['session']}: " if result["session"] is not None else ""
    return f"{trade_file.sheet.path}:{result['line']}: {column}{session}{result['status']}: {reason}"


def main() -> None:
    """Run the command line."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # files and pipes get UTF-8 whatever the machine's habit
            stream.reconfigure(encoding="utf-8")
    app(prog_name="attribution")


if __name__ == "__main__":
    main()
