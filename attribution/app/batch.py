"""``attribution batch``: a dataset of files explained, with a bar that tells how far it is."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from attribution.app.explain import instant_of, warm_up
from attribution.app.output import complain, emit, message
from attribution.app.sheet import InputError
from attribution.app.wording import of_options
from attribution.dataset import DatasetError, DatasetSummary, attribute_dataset
from attribution.dataset import Progress as Standing
from attribution.dataset.columns import FIELDS, is_field
from attribution.model import Model, check_model
from attribution.tables import check_keep

__all__ = ["BATCH_EPILOG", "batch"]

EXIT_ALL, EXIT_SOME, EXIT_USAGE = 0, 1, 2
_PATIENCE = 10.0
"""How long a scheduler may take to answer. [seconds]"""

_ADDRESS = re.compile(r"(\w+://)?(\[[^]]+\]|[^:/\s]+):\d+/?")
_WHOLE = "say that of the session's close, such as '2025-01-06 15:30'"
"""What to do for a whole session."""

BATCH_EPILOG = (
    "Exit codes: 0 every file has its results · 1 some file could not be read or explained, and the others have theirs "
    "· 2 wrong usage: nothing was done · 130 interrupted: the same command goes on where it was."
)

_Source = Annotated[
    str,
    typer.Argument(
        metavar="IN",
        show_default=False,
        help="A Parquet or CSV file, a folder of them at any depth (columns in the path, exchange=NSE/, count too), or "
        "a pattern in quotes: 'trades/2025-*/*.parquet'. Columns as for [bold]attribution explain[/bold], and prices "
        "beside them: spot_entry, spot_exit, forward_entry, forward_exit, leg1_entry, leg1_exit, …",
    ),
]
_Target = Annotated[
    str,
    typer.Argument(
        metavar="OUT",
        show_default=False,
        help="The folder for the results: Parquet, under the names of the inputs. After an interruption the same "
        "command goes on where it was; when all is done, it does nothing.",
    ),
]
_Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="FIELD=Column,…",
        show_default=False,
        help="Your names of columns: symbol=Instrument,entry_time=Opened.",
    ),
]


def batch(
    source: _Source,
    target: _Target,
    prices: Annotated[
        str | None,
        typer.Option(
            metavar="PRICES",
            show_default=False,
            help="Prices beside those in the trades' own columns: a Parquet or CSV file, a folder or a pattern, with "
            "the columns symbol, time, price, and exchange if it is not NSE. At an instant between two prices the one "
            "before counts, if it is no older than a minute.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that share the work. \\[default: one for each core]", show_default=False),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            show_default=False,
            help="Have the workers of this Dask scheduler do it, tcp://host:8786; they must see the same files under "
            "the same paths.",
        ),
    ] = None,
    chunk_rows: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Rows that a worker holds at a time: less takes less memory. \\[default: 131072]",
            show_default=False,
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Do everything again; remove the earlier results.")] = False,
    redo_changed: Annotated[
        bool,
        typer.Option("--redo-changed", help="Explain files again that changed since; without it they are refused."),
    ] = False,
    level: Annotated[str, typer.Option(help="trade: one result per trade; leg: one per leg.")] = "trade",
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN,…", show_default=False, help="Columns of the input to put beside the results."),
    ] = None,
    columns: _Columns = None,
    trade: Annotated[
        bool, typer.Option("--trade", help="Explain each trade's whole life, not the session of its exit.")
    ] = False,
    current_time: Annotated[
        str | None,
        typer.Option(help="Look from this instant, e.g. '2025-01-06 14:30'. \\[default: each trade's exit, else now]"),
    ] = None,
    method: Annotated[str, typer.Option(help="waterfall, shapley, path, one_at_a_time or taylor.")] = "waterfall",
    order: Annotated[str, typer.Option(help="In which order the waterfall switches.")] = "time,spot,spread,vol",
    steps: Annotated[int, typer.Option(help="Steps of method path.", min=1)] = 16,
    clock: Annotated[str, typer.Option(help="sessions (252 a year) or calendar (365 days).")] = "sessions",
    rate: Annotated[float, typer.Option(help="Interest, continuously compounded, per year: 0.07 is 7 %.")] = 0.0,
    dividend_yield: Annotated[float, typer.Option(help="Dividends, likewise.")] = 0.0,
    price_tick: Annotated[
        float, typer.Option(help="A price worth less than this does not determine a vol; 0: off.", min=0.0)
    ] = 0.0,
    detail: Annotated[bool, typer.Option("--detail", help="Add greek terms and interactions.")] = False,
) -> None:
    """Explain files of trades that together may be bigger than memory, into Parquet.

    A file that cannot be read or explained is told of, and the others go on. The counts go to standard output, messages
    and the progress bar to standard error.
    """
    model = {
        **{"method": method, "order": tuple(word.strip() for word in order.split(",")), "steps": steps, "clock": clock},
        **{"rate": rate, "dividend_yield": dividend_yield, "price_tick": price_tick, "detail": detail},
    }
    try:
        options = {
            **_model_options(model),
            "level": _one_of("--level", level, ("trade", "leg")),
            "day": not trade,
            "keep": _kept(keep, level, detail=detail),
            "columns": _renames(columns),
            "current_time": instant_of(None, current_time, whole=_WHOLE),
            **({} if prices is None else {"spot_prices": _prices(prices, target)}),
        }
        warm_up(Model(method=method))
        with _workers_of(dask) as client, _bar() as show:
            summary = attribute_dataset(
                source,
                target,
                workers=workers,
                chunk_rows=chunk_rows,
                client=client,
                resume=not again,
                changed="redo" if redo_changed else "refuse",
                progress=show,
                **options,
            )
    except (InputError, DatasetError, ImportError) as exc:
        _refuse(exc)
    except KeyboardInterrupt:
        message("interrupted: the same command goes on where it was")
        raise typer.Exit(130) from None
    _tell(summary)
    if not summary.ok:
        raise typer.Exit(EXIT_SOME)


def _model_options(model: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("rate", "dividend_yield", "price_tick"):
        if not math.isfinite(model[name]):
            raise InputError(f"--{name.replace('_', '-')} {model[name]}: must be a finite number")
    try:
        check_model(Model(**model))
    except ValueError as exc:
        raise InputError(str(exc)) from exc
    return dict(model)


def _prices(source: str, target: str) -> Any:
    try:
        from attribution.dataset.prices import read_prices
    except ImportError as exc:
        raise InputError("attribution batch needs pyarrow: pip install 'options-attribution[dataset]'") from exc
    try:
        return read_prices(source, target)
    except DatasetError as exc:
        told = str(exc).removeprefix(f"source={source!r}: ")
        raise InputError(f"--prices {source or repr(source)}: {told}") from exc


def _one_of(option: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise InputError(f"{option} {value!r}: must be one of {', '.join(allowed)}")
    return value


def _words(texts: Sequence[str] | None) -> list[str]:
    return list(dict.fromkeys(word.strip() for text in texts or [] for word in text.split(",") if word.strip()))


def _kept(texts: Sequence[str] | None, level: str, *, detail: bool) -> list[str]:
    """Read ``--keep``, before any file is looked at."""
    names = _words(texts)
    try:
        check_keep(names, "leg" if level == "leg" else "trade", detail=detail)
    except ValueError as exc:
        raise InputError(str(exc)) from exc
    return names


def _renames(texts: Sequence[str] | None) -> dict[str, str]:
    """Read ``--columns``: which column of the files holds which field."""
    renames = {}
    for word in _words(texts):
        field, mark, column = (part.strip() for part in word.partition("="))
        if not (mark and column) or not is_field(field):
            raise InputError(f"--columns {word!r}: expected FIELD=Column; fields are {', '.join(FIELDS)}")
        renames[field] = column
    return renames


@contextmanager
def _workers_of(address: str | None) -> Iterator[Any]:
    """Connect to a Dask scheduler; without an address there is none."""
    if address is None:
        yield None
        return
    if not _ADDRESS.fullmatch(address):
        raise InputError(f"--dask {address!r}: must be the address of a scheduler with its port, as in tcp://host:8786")
    try:
        distributed: Any = import_module("distributed")
    except ImportError as exc:
        raise InputError("--dask needs Dask: pip install 'options-attribution[dask]'") from exc
    try:
        client = distributed.Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as exc:
        raise InputError(f"--dask {address}: no scheduler answers: {exc}") from exc
    with client:
        message(f"{address}: {len(client.nthreads())} workers with {sum(client.nthreads().values())} threads")
        yield client


@contextmanager
def _bar() -> Iterator[Callable[[Standing], None]]:
    """Yield what shows how far a run is; nothing is drawn where nobody looks."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield lambda standing: None
        return
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[done]}")),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("explaining", total=None, done="")
        yield lambda standing: progress.update(
            task, total=standing.bytes_total, completed=standing.bytes, done=_standing(standing)
        )


def _standing(standing: Standing) -> str:
    told = [f"{standing.files:,} of {standing.files_total:,} files", f"{standing.rows:,} rows"]
    if standing.rows:
        told.append(f"{standing.rows_per_second:,.0f}/s")
    if standing.failed:
        told.append(f"{standing.failed:,} failed")
    return " · ".join(told)


def _tell(summary: DatasetSummary) -> None:
    """The counts for standard output; what went wrong and how fast it was for standard error."""
    for names, what in (
        (summary.ignored, "neither Parquet nor CSV, not read"),
        (summary.others, "not in the source any more, their results stay"),
    ):
        if names:
            message(f"note: {what}: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}")
    complain([of_options(f"failed: {failure}") for failure in summary.failures])
    if summary.rows_now:
        rate = f"{summary.rows_now:,} rows in {summary.seconds:,.1f} s, {summary.rows_per_second:,.0f} rows/s"
        message(f"explained {summary.files:,} files: {rate}")
    elif summary.ok and not summary.files:
        message("nothing to do: every file has its results")
    table = Table(box=None, pad_edge=False)
    table.add_column("status")
    table.add_column("results", justify="right")
    for status, count in summary.statuses.items():
        table.add_row(status, f"{count:,}")
    table.add_row("all", f"{summary.results:,}")
    emit([table])


def _refuse(problem: Exception) -> NoReturn:
    message(f"attribution: {of_options(str(problem))}")
    raise typer.Exit(EXIT_USAGE)
