"""A broker's file for the command line: which format it is, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import typer

from attribution.app.ledger_tables import money
from attribution.app.ledger_words import pairs_of
from attribution.app.output import complain
from attribution.app.sheet import InputError
from attribution.ledger.importers import ImportReport, Statement
from attribution.ledger.money import EXACT

__all__ = ["Source", "source_of", "statement_of", "tell_import"]


class Source(StrEnum):
    """Formats that can be imported."""

    ALPACA = "alpaca"
    TASTYTRADE = "tastytrade"
    CSV = "csv"


def tell_import(file: Path, report: ImportReport) -> None:
    """Say what was recorded, whether the cash agrees, and which rows are listed instead."""
    typer.echo(
        f"{file}: {report.rows} rows, {report.recorded} entries recorded, {report.known} on record before, "
        f"{len(report.unmatched)} listed"
    )
    for currency, (of_file, of_ledger) in (report.cash or {"": (Decimal(0), Decimal(0))}).items():
        agrees = "reconciles" if of_file == of_ledger else f"differs by {money(EXACT.subtract(of_ledger, of_file))}"
        unit = f" {currency}" if len(report.cash) > 1 else ""
        typer.echo(f"cash{unit}: {money(of_file)} by the file, {money(of_ledger)} by the ledger: {agrees}")
    if report.uncounted:
        typer.echo(f"cash: {report.uncounted} listed rows do not tell what they moved, and are in neither sum")
    complain([f"note: {note}" for note in report.notes])
    complain([f"{file}: {one}" for one in report.unmatched])


def statement_of(
    file: Path,
    source: Source,
    account: str,
    strategy: str | None,
    columns: Sequence[str],
    zone: str,
    exchange: str | None,
) -> Statement:
    """Read the file."""
    from attribution.ledger import importers

    if source is Source.ALPACA:
        return importers.read_alpaca(file, account, strategy=strategy)
    if source is Source.TASTYTRADE:
        return importers.read_tastytrade(file, account, strategy=strategy)
    names = dict(pairs_of("--columns", columns, "FIELD=Header"))
    return importers.read_generic(file, account, names, strategy=strategy, zone=zone, exchange=exchange)


def source_of(file: Path) -> Source:
    """Tell a format by the file's ending, and by tastytrade's own columns."""
    if file.suffix.lower() == ".json":
        return Source.ALPACA
    try:
        with file.open(encoding="utf-8-sig") as lines:
            header = lines.readline()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from error
    return Source.TASTYTRADE if "Instrument Type" in header and "Root Symbol" in header else Source.CSV
