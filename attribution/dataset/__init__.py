"""Datasets bigger than memory: files in, files out, many workers, and a run that was interrupted goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, Literal

from attribution.dataset.errors import DatasetError
from attribution.dataset.summary import DatasetSummary, FailedFile, Progress

__all__ = ["DatasetError", "DatasetSummary", "FailedFile", "Progress", "attribute_dataset"]


def attribute_dataset(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    workers: int | None = None,
    chunk_rows: int | None = None,
    client: Any = None,
    resume: bool = True,
    changed: Literal["refuse", "redo"] = "refuse",
    progress: Callable[[Progress], object] | None = None,
    **options: Any,
) -> DatasetSummary:
    """Explain the trades of files that together may be bigger than memory, and write the results as Parquet.

    The results of ``a/trades.parquet`` are ``a/trades.parquet`` below the target, or for a big input the folder
    ``a/trades.parts``, its files in the order of the rows. They appear when they are complete. A run that was
    interrupted, even by a power cut, goes on where it was when it is started again; when everything is done it does
    nothing.

    Parameters
    ----------
    source
        A Parquet or CSV file, a folder of them at any depth, or a glob such as ``"trades/2025-*/*.parquet"``. Columns
        in the path (``exchange=NSE/``) count as columns of the rows. CSV is UTF-8, separated by commas, with a header.
    target
        A folder, outside the source: empty, or of an earlier run with the same options.
    workers
        How many processes share the work; with 1 all is done in this process. Default: one for each core, or 1 where
        there is little to do or an option cannot be sent to another process. Processes are spawned: a script must
        guard its main part by ``if __name__ == "__main__":``.
    chunk_rows
        Rows that a worker holds at a time: memory is in proportion, results do not depend on it. Default: 131,072.
    client
        A ``dask.distributed.Client``, or any ``concurrent.futures.Executor``, whose workers see source and target under
        the same paths: does the work instead of processes here.
    resume
        False: do everything again, and remove what an earlier run wrote.
    changed
        What to do with an input that was changed since its results were made: ``"refuse"`` the run before it begins, or
        ``"redo"`` that file as a whole.
    progress
        Called with a :class:`Progress` whenever a part of a file is done.
    **options
        As for :func:`~attribution.calculate_attribution_for_trades` over a frame: ``level``, ``columns``, ``keep``,
        ``spot_prices``, ``current_time``, ``day``, ``method``, … Where neither a trade's exit nor ``current_time`` says
        from when a trade is looked at, it is the begin of the run that made the first of the results.

    Returns
    -------
    DatasetSummary
        Counts of files, rows and results by status; which files failed, and why.

    Raises
    ------
    DatasetError
        Nothing was done: the source holds no trades, the target holds something else, an input was changed, another run
        is writing.
    TypeError, ValueError
        An argument is not what it may be.
    """
    if find_spec("pyarrow") is None:
        raise ImportError("attribute_dataset needs pyarrow: pip install 'options-attribution[dataset]'")
    from attribution.dataset.columns import Choice
    from attribution.dataset.door import CHUNK_ROWS, Request, explain_dataset
    from attribution.dataset.engine import described, frame_function

    request = Request(
        choice=Choice(dict(options.get("columns") or {}), _names("keep", options.get("keep", ()))),
        options=described(options),
        workers=None if workers is None else _at_least_one("workers", workers),
        chunk_rows=CHUNK_ROWS if chunk_rows is None else _at_least_one("chunk_rows", chunk_rows),
        client=client,
        resume=resume,
        redo_changed=_redo_changed(changed),
        progress=progress,
    )
    return explain_dataset(source, target, partial(frame_function, options), request)


def _at_least_one(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}={value!r}: must be a whole number of at least 1, or None")
    return value


def _names(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{name}={value!r}: must be a list of names of columns")
    return tuple(value)


def _redo_changed(changed: str) -> bool:
    if changed not in ("refuse", "redo"):
        raise ValueError(f"changed={changed!r}: must be 'refuse' or 'redo'")
    return changed == "redo"
