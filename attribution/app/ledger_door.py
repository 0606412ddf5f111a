"""The ledger opened for a command: what is wrong with it ends the program with a sentence and an exit code."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer

from attribution.app.output import message
from attribution.app.sheet import InputError
from attribution.errors import AttributionError
from attribution.ledger.errors import CorruptLogError
from attribution.ledger.service import TradeLedgerService
from attribution.ledger.settings import LedgerSettings, open_log, open_safe_log
from attribution.ledger.store.disk import is_writable

__all__ = ["EXIT_SOME", "EXIT_USAGE", "open_service"]

EXIT_SOME, EXIT_USAGE = 1, 2


@contextmanager
def open_service(
    folder: Path | None, account: str, *, closing: str = "pro_rata", writes: bool = False, exchange: str | None = None
) -> Iterator[TradeLedgerService]:
    """Open the ledger; what is wrong with it ends the program with a sentence."""
    logging.getLogger("attribution").addHandler(logging.NullHandler())  # the command says it in its own words
    try:
        settings = LedgerSettings.from_environment(base_path=folder, account_id=account)
        log = open_safe_log(settings) if writes else open_log(settings, for_reading=True)
        database = settings.base_path / "query.sqlite3"
        kept = settings.base_path.is_dir() and is_writable(database)  # else answers are worked out in memory
        with TradeLedgerService(
            log,
            settings=settings,
            account_id=account,
            closing=closing,
            database=database if kept else None,
            exchange=exchange,
        ) as service:
            yield service
    except CorruptLogError as error:
        message(f"attribution: {error}")
        raise typer.Exit(EXIT_SOME) from error
    except (InputError, AttributionError) as error:
        _refuse(error)


def _refuse(problem: Exception) -> NoReturn:
    message(f"attribution: {problem}")
    raise typer.Exit(EXIT_USAGE)
