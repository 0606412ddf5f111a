"""What counts as an error and as a failure, and how contestants are timed."""

import numpy as np
import pytest

from benchmarks.contest import GROUPS, Contestant, errors_and_failures, race, row_by_row
from benchmarks.environments import REQUIREMENTS, reason_of
from benchmarks.sets import GREEKS, Sample


def sample(**columns):
    columns = {name: np.array(values) for name, values in columns.items()}
    return Sample("E", len(next(iter(columns.values()))), columns)


def test_failures_are_counted_and_kept_out_of_the_errors():
    truth = sample(price=[1.0, 2.0, 4.0, 8.0])
    found = np.array([1.0, 2.0 * (1 + 1e-6), np.nan, 9.0])
    median, largest, failures = errors_and_failures("price", found, truth)
    assert failures == 2
    assert largest == pytest.approx(1e-6)
    assert median == pytest.approx(5e-7)


def test_where_everything_failed_there_is_no_error():
    median, largest, failures = errors_and_failures("price", np.array([np.nan]), sample(price=[1.0]))
    assert np.isnan(median)
    assert np.isnan(largest)
    assert failures == 1


def test_the_effects_of_a_leg_are_compared_with_their_sizes():
    truth = sample(spot_effect=[3.0], vol_effect=[0.0], time_effect=[-1.0])
    assert errors_and_failures("leg", np.array([[3.0], [0.004], [-1.0]]), truth)[1] == pytest.approx(0.001)


def test_a_greek_that_means_something_else_is_not_judged():
    truth = sample(**{name: [2.0] for name in GREEKS})
    found = np.array([[2.0], [2.0], [2.0], [2.0], [7.0], [2.0]])
    assert errors_and_failures("greeks", found, truth)[2] == 1
    assert errors_and_failures("greeks", found, truth, ["theta"]) == (0.0, 0.0, 0)


def test_a_row_that_raises_is_not_a_number():
    assert row_by_row(lambda x: 1 / x, [(2.0,), (0.0,)], (ZeroDivisionError,)) == [
        0.5,
        pytest.approx(np.nan, nan_ok=True),
    ]
    with pytest.raises(ZeroDivisionError):
        row_by_row(lambda x: 1 / x, [(0.0,)], (ValueError,))


def test_ours_comes_first_and_slow_ones_take_fewer_rows():
    truth = sample(price=[1.0, 2.0, 3.0], right=[1.0, 1.0, 1.0])
    contestants = [
        Contestant("attribution.black_price", "price", lambda part: lambda: part["price"]),
        Contestant("slow", "price", lambda part: lambda: list(part["price"]), rows=2),
    ]
    ours, slow = race(contestants, truth, rounds=3, group="none")
    assert (ours.options, slow.options) == (3, 2)
    assert ours.is_ours
    assert not slow.is_ours
    assert slow.ours_nanoseconds == ours.nanoseconds
    assert ours.max_error == slow.max_error == 0.0


def test_every_group_has_pinned_requirements_without_addresses():
    for group in GROUPS:
        lines = (REQUIREMENTS / f"{group}.txt").read_text(encoding="utf-8").split()
        assert lines
        assert all("==" in line and "/" not in line for line in lines)


def test_a_reason_is_one_line_without_addresses():
    output = "WARNING: slow\nERROR: no match for x from https://example.org/simple\nERROR: none | found\n"
    assert reason_of(output) == "no match for x from …; none / found"
    assert reason_of("Traceback\nImportError: gone\n") == "ImportError: gone"
    assert reason_of("") == "no output"
