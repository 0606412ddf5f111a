"""Sets are drawn from seeds, whatever shares the work, and longer arrays keep the distinct rows first."""

import math

import numpy as np
import pytest

from benchmarks import sets


@pytest.fixture(autouse=True)
def _small(monkeypatch, tmp_path):
    monkeypatch.setattr(sets, "CHUNK", 4)
    monkeypatch.setattr(sets, "FOLDER", tmp_path)


@pytest.mark.parametrize("name", list(sets.SETS))
def test_a_chunk_is_the_same_every_time_and_others_differ(name):
    first = sets._chunk(name, 0)
    assert first == sets._chunk(name, 0)
    assert first != sets._chunk(name, 1)
    assert all(math.isfinite(value) for row in first for value in row)


def test_everyday_options_are_worth_something():
    for forward, strike, _, vol, right, price, *_, implied in sets._chunk("E", 3):
        assert price - max(right * (forward - strike), 0.0) > 0.99e-6 * forward
        assert implied == pytest.approx(vol, rel=1e-6)


def test_longer_arrays_repeat_the_distinct_rows():
    column = np.arange(5.0)
    longer = sets.Sample("E", 5, {"right": column}).repeated(12)
    assert (len(longer), longer.known) == (12, 5)
    assert np.array_equal(longer["right"][:5], column)
    assert sorted(longer["right"][5:10]) == sorted(column)
    assert (len(longer.head(3)), longer.head(3).known) == (3, 3)
    assert len(longer.head(None)) == 12


def test_a_kept_set_is_read_back(tmp_path):
    np.savez(sets._path("E", 4), right=np.ones(4))
    sets.make(["E"], 4)
    assert sets.load("E", 4).known == 4
