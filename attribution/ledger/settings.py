"""Where the log is kept, by the environment's rules, by arguments, or by both: an argument always wins.

=============================  ===========================================================================
``TRADE_LEDGER_BACKEND``       ``sqlite``, ``folder`` or ``s3``; says it outright
``ALPACA_PAPER_TRADING``       true: paper trading, kept locally; false: live trading, kept in S3
``ALPACA_ENDPOINT``            if the above is not set: paper if the address contains ``paper``, else live
``TRADE_LEDGER__BUCKET_NAME``  the bucket of live trading
``S3_BUCKET_NAME``             the bucket, if the above is not set
``S3_ENDPOINT_URL``            a server that is not AWS; also ``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL``
``TRADE_LEDGER_BASE_PATH``     the local folder; by default ``./data/trade_ledger``, on AWS Lambda below the
                               temporary folder, the only one that can be written to there
``TRADE_LEDGER__ENABLED``      false: nothing is recorded
=============================  ===========================================================================

Where neither paper nor live is said, it is paper: nothing leaves the machine unasked.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from attribution.ledger.errors import InvalidRecordError
from attribution.ledger.log import Log
from attribution.ledger.spool import SafeLog, Spool
from attribution.ledger.store.base import LogStore

__all__ = ["Backend", "LedgerSettings", "open_log", "open_safe_log", "open_store"]

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})
_ENDPOINTS = ("S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_LOG_FILE = "ledger.sqlite3"
_MIRROR_FILE = "mirror.sqlite3"


class Backend(StrEnum):
    """What keeps the log."""

    SQLITE = "sqlite"
    FOLDER = "folder"
    S3 = "s3"


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Where a ledger is kept.

    Parameters
    ----------
    backend
        What keeps the log.
    base_path
        The local folder: the log itself, or, beside a log in S3, its mirror; and the spool.
    account_id
        Whose ledger.
    bucket, endpoint_url
        For S3.
    enabled
        Whether anything is recorded.
    """

    backend: Backend
    base_path: Path
    account_id: str = "default"
    bucket: str | None = None
    endpoint_url: str | None = None
    enabled: bool = True

    def __post_init__(self) -> None:
        if self.backend is Backend.S3 and self.enabled and not self.bucket:
            raise InvalidRecordError(
                "S3_BUCKET_NAME", self.bucket, "the bucket of the log: live trading is kept in S3; or say paper trading"
            )

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        backend: Backend | str | None = None,
        base_path: str | os.PathLike[str] | None = None,
        account_id: str = "default",
        bucket: str | None = None,
        endpoint_url: str | None = None,
        enabled: bool | None = None,
        paper: bool | None = None,
    ) -> LedgerSettings:
        """Read the rules of the table above; an argument that is not None wins.

        Parameters
        ----------
        environment
            By default the process's own.
        paper
            Whether trading is on paper.

        Raises
        ------
        InvalidRecordError
            Naming a variable whose value cannot be read, or the bucket that live trading lacks.
        """
        given = os.environ if environment is None else environment
        return cls(
            _backend(given, backend, paper),
            Path(base_path) if base_path is not None else _base_path(given),
            account_id,
            bucket or _first(given, "TRADE_LEDGER__BUCKET_NAME", "S3_BUCKET_NAME"),
            endpoint_url or _first(given, *_ENDPOINTS),
            enabled if enabled is not None else _flag(given, "TRADE_LEDGER__ENABLED", default=True),
        )

    @property
    def spool_path(self) -> Path:
        """Where batches wait that the log could not take."""
        return self.base_path / "spool"

    @property
    def log_path(self) -> Path:
        """The SQLite file of a local log."""
        return self.base_path / _LOG_FILE


def open_store(settings: LedgerSettings, *, for_reading: bool = False) -> LogStore:
    """Open the store that the settings name.

    Parameters
    ----------
    for_reading
        Spare the start-up probe of S3, which writes, and do not make a local log that is not there.

    Raises
    ------
    StoreError
        If it cannot be opened, or cannot be trusted with a log.
    """
    if settings.backend is Backend.SQLITE:
        from attribution.ledger.store.sqlite import SqliteStore

        return SqliteStore(settings.log_path, create=not for_reading)
    from attribution.ledger.store.objects import ObjectStore

    if settings.backend is Backend.FOLDER:
        from attribution.ledger.store.folder import FolderObjects

        return ObjectStore(FolderObjects(settings.base_path), settings.account_id, probe_first=not for_reading)
    from attribution.ledger.store.s3 import S3Objects

    assert settings.bucket is not None
    return ObjectStore(
        S3Objects(settings.bucket, endpoint_url=settings.endpoint_url),
        settings.account_id,
        mirror=_mirror_path(settings),
        probe_first=not for_reading,
    )


def open_log(settings: LedgerSettings, *, for_reading: bool = False) -> Log:
    """Open the log that the settings name; see ``open_store``."""
    return Log(open_store(settings, for_reading=for_reading))


def open_safe_log(settings: LedgerSettings) -> SafeLog:
    """Return the log with its spool, for code that must not stop when the log does; it is opened at its first use."""
    return SafeLog(partial(open_log, settings), Spool(settings.spool_path))


def _mirror_path(settings: LedgerSettings) -> Path:
    """A mirror per bucket and account: they may share the local folder."""
    from attribution.ledger.canonical import digest

    name = digest([settings.endpoint_url, settings.bucket, settings.account_id])[:16]
    return settings.base_path / "mirrors" / name / _MIRROR_FILE


def _backend(environment: Mapping[str, str], backend: Backend | str | None, paper: bool | None) -> Backend:
    said = backend if backend is not None else _first(environment, "TRADE_LEDGER_BACKEND")
    if said is not None:
        try:
            return Backend(said.strip().lower())
        except ValueError:
            raise InvalidRecordError("TRADE_LEDGER_BACKEND", said, f"one of {', '.join(Backend)}") from None
    if paper is None:
        paper = _is_paper(environment)
    return Backend.SQLITE if paper else Backend.S3


def _is_paper(environment: Mapping[str, str]) -> bool:
    endpoint = _first(environment, "ALPACA_ENDPOINT")
    by_endpoint = endpoint is None or "paper" in endpoint.lower()
    return _flag(environment, "ALPACA_PAPER_TRADING", default=by_endpoint)


def _base_path(environment: Mapping[str, str]) -> Path:
    said = _first(environment, "TRADE_LEDGER_BASE_PATH")
    if said is not None:
        return Path(said)
    if _first(environment, "AWS_LAMBDA_FUNCTION_NAME") is not None:
        return Path(tempfile.gettempdir()) / "trade_ledger"
    return Path("data") / "trade_ledger"


def _flag(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    said = _first(environment, name)
    if said is None:
        return default
    word = said.lower()
    if word not in _YES | _NO:
        raise InvalidRecordError(name, said, "true or false")
    return word in _YES


def _first(environment: Mapping[str, str], *names: str) -> str | None:
    """The first variable that is set to anything but blanks."""
    values = (environment.get(name, "").strip() for name in names)
    return next((value for value in values if value), None)
