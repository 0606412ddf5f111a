"""The options that everything is timed on, and what is true of them.

* **E**, everyday: strikes within 30 %, an hour to two years, vols of 5 % to 150 %.
* **H**, hard: time value from 1e-12 of the forward, half of them in the money, down to a minute of life.
* **X**, absurd: ln(K/F) up to 30, σ√T from 1e-5 to 8, prices down to 1e-290.
* **L**, legs: options of E, and their state a little later.

Drawn in chunks, each from a seed of its own, and solved in 50-digit arithmetic by several processes; kept
under ``.benchmarks/``. Longer arrays repeat the same options in random order.
"""

from __future__ import annotations

import hashlib
import math
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["GREEKS", "SEED", "SETS", "Sample", "load", "make"]

Floats = NDArray[np.float64]

SEED = 20250130
SETS = {
    "E": "everyday: strikes within 30 %, 1 hour to 2 years, vols 5 % to 150 %",
    "H": "hard: time value from 1e-12 of the forward, half in the money, down to 1 minute",
    "X": "absurd: |ln(K/F)| to 30, σ√T from 1e-5 to 8, prices to 1e-290",
    "L": "legs: everyday options at two instants",
}
GREEKS = ("price", "delta", "gamma", "vega", "theta", "rho")
OPTION_COLUMNS = ("forward", "strike", "time", "volatility", "right", *GREEKS, "implied")
LEG_COLUMNS = (
    "right", "strike", "forward0", "price0", "time0", "forward1", "price1", "time1",
    "spot_effect", "vol_effect", "time_effect",
)  # fmt: skip
CHUNK = 250
MINUTE, HOUR, DAY = 1 / (365 * 1440), 1 / 8760, 1 / 365
FOLDER = Path(__file__).resolve().parents[1] / ".benchmarks"


@dataclass(frozen=True, slots=True)
class Sample:
    """Columns of one set; the first ``known`` rows are distinct, all rows carry their truth."""

    name: str
    known: int
    columns: dict[str, Floats]

    def __getitem__(self, column: str) -> Floats:
        return self.columns[column]

    def __len__(self) -> int:
        return len(self.columns["right"])

    def head(self, count: int | None) -> Sample:
        """Return the first rows, all of them for None."""
        columns = {name: np.ascontiguousarray(column[:count]) for name, column in self.columns.items()}
        return Sample(self.name, min(self.known, len(columns["right"])), columns)

    def repeated(self, n: int) -> Sample:
        """Return ``n`` rows: the distinct ones first, then the same again and again, each time shuffled."""
        random = np.random.default_rng(SEED)
        rounds = [np.arange(self.known)]
        while len(rounds) * self.known < n:
            rounds.append(random.permutation(self.known))
        chosen = np.concatenate(rounds)[:n]
        columns = {name: column[chosen] for name, column in self.columns.items()}
        return Sample(self.name, min(self.known, n), columns)


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return math.exp(random.uniform(math.log(low), math.log(high)))


Candidate = tuple[float, float, float, float, float]
"""Forward, strike, time, volatility, right."""


def _draw_everyday(random: np.random.Generator) -> Candidate:
    forward = random.uniform(50.0, 150.0)
    strike = forward / random.uniform(0.7, 1.3)
    return (
        forward,
        strike,
        _log_uniform(random, HOUR, 2.0),
        random.uniform(0.05, 1.5),
        1.0 if random.random() < 0.5 else -1.0,
    )


def _draw_hard(random: np.random.Generator) -> Candidate:
    """Seven in ten anywhere, nearly three in ten close to the money and to expiry, a few exactly at the money."""
    forward = 100.0 * _log_uniform(random, 0.5, 2.0)
    kind = random.random()
    if kind < 0.7:
        strike = forward * _log_uniform(random, 0.05, 20.0)
        time, vol = _log_uniform(random, MINUTE, 5.0), _log_uniform(random, 0.01, 3.0)
    elif kind < 0.97:
        sign = 1.0 if random.random() < 0.5 else -1.0
        strike = forward * (1.0 + sign * _log_uniform(random, 1e-8, 1e-2))
        time, vol = _log_uniform(random, MINUTE, DAY), _log_uniform(random, 0.01, 1.5)
    else:
        strike = forward
        time, vol = _log_uniform(random, MINUTE, 2.0), _log_uniform(random, 0.01, 1.5)
    out_of_the_money = random.random() < 0.5
    return forward, strike, time, vol, 1.0 if out_of_the_money == (strike >= forward) else -1.0


def _draw_absurd(random: np.random.Generator) -> Candidate:
    return 1.0, math.exp(_log_uniform(random, 1e-10, 30.0)), 1.0, _log_uniform(random, 1e-5, 8.0), 1.0


def _is_hopeless(candidate: Candidate) -> bool:
    """Whether double precision already sees that no set wants it: spares most of the 50-digit work."""
    forward, strike, time, vol, _ = candidate
    s = vol * math.sqrt(time)
    return abs(math.log(forward / strike)) / s - s / 2 > 38.0


def _is_member(name: str, candidate: Candidate) -> bool:
    """Whether a drawn option belongs to the set, by its time value over the forward."""
    from benchmarks.truth import time_value_ratios

    if _is_hopeless(candidate):
        return False
    value, room = time_value_ratios(*candidate[:4])
    if name == "E":
        return bool(value > 1e-6)
    if name == "H":
        near = abs(math.log(candidate[0] / candidate[1])) < 0.011
        return bool(value > 1e-12 and (value < 1e-6 or near))
    return bool(value > 1e-290 and room > 1e-9)


DRAWS = {"E": _draw_everyday, "H": _draw_hard, "X": _draw_absurd}


def _option(name: str, random: np.random.Generator) -> tuple[float, ...] | None:
    """Draw one option and solve it; None if it is not of the set."""
    from benchmarks.truth import greeks, implied_vol

    candidate = DRAWS[name](random)
    if not _is_member(name, candidate):
        return None
    forward, strike, time, vol, right = candidate
    values = tuple(float(number) for number in greeks(*candidate))
    implied = float(implied_vol(values[0], forward, strike, time, right, vol))
    return None if math.isnan(implied) else (*candidate, *values, implied)


def _leg(random: np.random.Generator) -> tuple[float, ...] | None:
    """Draw one option of E and its later state, and split its P&L; None if either end is not of E."""
    from benchmarks.truth import implied_vol, price, shapley

    begin = _draw_everyday(random)
    forward, strike, time, vol, right = begin
    end = (
        forward * math.exp(random.normal(0.0, 0.01)),
        strike,
        time * random.uniform(0.5, 0.99),
        min(max(vol * math.exp(random.normal(0.0, 0.05)), 0.05), 1.5),
        right,
    )
    if not (_is_member("E", begin) and _is_member("E", end)):
        return None
    price0, price1 = float(price(*begin)), float(price(*end))
    vols = tuple(
        implied_vol(value, state[0], strike, state[2], right, state[3])
        for value, state in ((price0, begin), (price1, end))
    )
    effects = shapley(right, strike, (forward, end[0]), (vols[0], vols[1]), (time, end[2]))
    return right, strike, forward, price0, time, end[0], price1, end[2], *(float(effect) for effect in effects)


def _chunk(name: str, index: int) -> list[tuple[float, ...]]:
    """Draw and solve one chunk, from its own seed: the same however many processes share the work."""
    random = np.random.default_rng([SEED, ord(name), index])
    rows: list[tuple[float, ...]] = []
    while len(rows) < CHUNK:
        row = _leg(random) if name == "L" else _option(name, random)
        if row is not None:
            rows.append(row)
    return rows


def _path(name: str, count: int) -> Path:
    """Where a set is kept: the name changes with everything that its content depends on."""
    digest = hashlib.sha256()
    for source in ("sets.py", "truth.py"):
        digest.update((Path(__file__).parent / source).read_bytes())
    return FOLDER / f"{name}-{count}-{SEED}-{digest.hexdigest()[:12]}.npz"


def make(names: list[str], count: int) -> None:
    """Draw and solve the sets that are not kept yet; ``count`` is rounded up to whole chunks."""
    chunks = -(-count // CHUNK)
    missing = [name for name in names if not _path(name, count).exists()]
    if not missing:
        return
    FOLDER.mkdir(exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        for name in missing:
            parts = list(pool.map(_chunk, [name] * chunks, range(chunks)))
            table = np.array([row for part in parts for row in part]).T
            labels = LEG_COLUMNS if name == "L" else OPTION_COLUMNS
            unfinished = _path(name, count).with_suffix(".part.npz")
            np.savez(unfinished, **dict(zip(labels, table, strict=True)))
            unfinished.replace(_path(name, count))


def load(name: str, count: int) -> Sample:
    """Return a set that :func:`make` has made."""
    with np.load(_path(name, count)) as saved:
        columns = {label: np.ascontiguousarray(saved[label]) for label in saved.files}
    return Sample(name, len(columns["right"]), columns)
