"""Ours and one group of peers, in one process, on the same arrays.

    python -m benchmarks.contest --group vollib --set E --n 1000000 --known 20000 --rounds 7 --out result.json

is what ``python -m benchmarks`` runs in each group's environment, after making the sets.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import sets
from benchmarks.machine import versions
from benchmarks.sets import Sample

__all__ = ["GROUPS", "TASKS", "Contestant", "Measurement", "errors_and_failures", "race", "row_by_row", "run_group"]

Floats = NDArray[np.float64]

GROUPS = ("scipy", "vollib", "vectorized", "quantlib", "fast")
TASKS = {"price": "EHX", "greeks": "EHX", "implied vol": "EHX", "leg": "L"}
"""What is timed, and on which sets."""
WRONG = 1e-2
"""A relative error beyond this is a failure; the errors of the others are what a table states."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way to do one task.

    ``prepare`` puts a sample into the form its library wants, which is not timed, and returns the call that
    is; ``read`` turns what the call returned into ours: arrays, per 1.00 and per year.
    """

    library: str
    task: str
    prepare: Callable[[Sample], Callable[[], Any]]
    read: Callable[[Any], Floats] = np.asarray
    rows: int | None = None
    """How many rows a round takes, of a library too slow for all."""
    not_judged: tuple[str, ...] = ()
    """Columns that mean something else in the library: no error is stated for them."""
    remark: str = ""
    """What a reader must know about the library's numbers."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One line of a table."""

    group: str
    task: str
    set: str
    library: str
    options: int
    known: int
    nanoseconds: float
    ours_nanoseconds: float
    median_error: float
    max_error: float
    failures: int
    remark: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether this is a call of ours; the first of these is what the others are compared with."""
        return self.library.startswith("attribution")


def row_by_row(
    function: Callable[..., float], rows: Sequence[tuple[Any, ...]], errors: tuple[type[Exception], ...]
) -> list[float]:
    """Call a scalar function for each row; NaN where it raises one of ``errors``."""
    results = []
    for row in rows:
        try:
            results.append(function(*row))
        except errors:
            results.append(float("nan"))
    return results


TRUTHS = {
    "price": ("price",),
    "greeks": sets.GREEKS,
    "implied vol": ("implied",),
    "leg": ("spot_effect", "vol_effect", "time_effect"),
}
"""The columns of a sample that a task's results are compared with, row by row."""


def errors_and_failures(
    task: str, results: Floats, sample: Sample, not_judged: Sequence[str] = ()
) -> tuple[float, float, int]:
    """Compare with the truth: median and largest error, and the number of rows that failed.

    Errors are relative; a leg's effect is compared with the sum of the sizes of the leg's effects. The
    failed rows, not numbers or more than 1 % off, do not count towards the errors.
    """
    judged = [(row, name) for row, name in enumerate(TRUTHS[task]) if name not in not_judged]
    truth = np.stack([sample[name][: sample.known] for _, name in judged])
    found = np.atleast_2d(results)[[row for row, _ in judged], : sample.known]
    with np.errstate(all="ignore"):
        scale = np.abs(truth).sum(axis=0) if task == "leg" else np.abs(truth)
        error = (np.abs(found - truth) / scale).max(axis=0)
    good = error <= WRONG
    if not good.any():
        return float("nan"), float("nan"), len(error)
    return float(np.median(error[good])), float(error[good].max()), int((~good).sum())


def race(contestants: Sequence[Contestant], sample: Sample, rounds: int, group: str) -> list[Measurement]:
    """Time the contestants in turn, round after round; the first of them is ours, and what all are compared with."""
    samples = [sample.head(contestant.rows) for contestant in contestants]
    calls = [contestant.prepare(part) for contestant, part in zip(contestants, samples, strict=True)]
    results = [contestant.read(call()) for contestant, call in zip(contestants, calls, strict=True)]
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, spent in zip(calls, seconds, strict=True):
            begin = time.perf_counter()
            call()
            spent.append(time.perf_counter() - begin)
    nanoseconds = [statistics.median(spent) / len(part) * 1e9 for spent, part in zip(seconds, samples, strict=True)]
    return [
        Measurement(
            group,
            contestant.task,
            sample.name,
            contestant.library,
            len(part),
            part.known,
            cost,
            nanoseconds[0],
            *errors_and_failures(contestant.task, result, part, contestant.not_judged),
            contestant.remark,
        )
        for contestant, part, cost, result in zip(contestants, samples, nanoseconds, results, strict=True)
    ]


def run_group(group: str, names: Sequence[str], n: int, known: int, rounds: int) -> dict[str, Any]:
    """Run every task of a group on the named sets."""
    from benchmarks import ours

    peers = importlib.import_module(f"benchmarks.peers.{group}")
    lines: list[Measurement] = []
    for name in names:
        sample = sets.load(name, known).repeated(n)
        for task, where in TASKS.items():
            theirs = [peer for peer in peers.CONTESTANTS if peer.task == task]
            if name in where and theirs:
                mine = [one for one in ours.CONTESTANTS if one.task == task]
                lines += race(mine + theirs, sample, rounds, group)
    return {"versions": versions(peers.DISTRIBUTIONS), "measurements": [dataclasses.asdict(line) for line in lines]}


def main() -> None:
    """Run one group and write what it measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--group", choices=GROUPS, required=True)
    parser.add_argument("--set", choices=tuple(sets.SETS), action="append", required=True)
    parser.add_argument("--n", type=int, required=True)
    parser.add_argument("--known", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    wanted = parser.parse_args()
    result = run_group(wanted.group, wanted.set, wanted.n, wanted.known, wanted.rounds)
    wanted.out.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
