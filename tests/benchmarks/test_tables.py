"""How results become tables, and tables a region of the README."""

import dataclasses

import pytest

from benchmarks.contest import Measurement
from benchmarks.tables import BEGIN, END, Table, contest_tables, nanoseconds, readme_region, replace_region

MACHINE = {
    "processor": "A processor",
    "cores": "2",
    "load": "1.5",
    "instruction_set": "AVX2",
    "python": "3.13",
    "numpy": "2",
    "numba": "0",
}


def line(library, cost, ours, group="fast", failures=0):
    measured = Measurement(group, "price", "E", library, 1000, 100, cost, ours, 1e-16, 2e-15, failures)
    return dataclasses.asdict(measured)


@pytest.fixture
def results():
    fast = [line("attribution.black_price", 4.0, 4.0), line("quick", 40.0, 4.0)]
    slow = [line("attribution.black_price", 5.0, 5.0, "slow"), line("sluggish", 1500.0, 5.0, "slow", failures=3)]
    return {
        "date": "2026-01-02", "machine": MACHINE, "seed": 1, "rounds": 7, "known": 100,
        "groups": {
            "slow": {"versions": {"sluggish": "0.1"}, "measurements": slow},
            "fast": {"versions": {"quick": "1.0"}, "measurements": fast},
            "gone": {"not_run": "not installable beside us: no match"},
        },
    }  # fmt: skip


def test_a_table_is_aligned_markdown():
    table = Table("Costs", ("what", "ns"), [["a", "1.00"], ["longer", "20.0"]])
    assert str(table).splitlines() == [
        "| what   |   ns |",
        "|--------|-----:|",
        "| a      | 1.00 |",
        "| longer | 20.0 |",
    ]


@pytest.mark.parametrize(("value", "text"), [(5.926, "5.93"), (41.23, "41.2"), (1511.4, "1,511")])
def test_costs_have_three_figures(value, text):
    assert nanoseconds(value) == text


def test_ours_comes_first_with_ratios_from_the_same_process(results):
    (table,) = contest_tables(results)
    assert [row[0] for row in table.rows] == ["attribution.black_price", "quick", "sluggish"]
    assert [row[3:5] for row in table.rows] == [["4.50", "1.0"], ["40.0", "10.0"], ["1,500", "300"]]
    assert table.rows[2][-1] == "3"


def test_other_calls_of_ours_follow_and_are_compared_with_the_first(results):
    for group, cost in (("fast", 3.0), ("slow", 4.0)):
        results["groups"][group]["measurements"].append(line("attribution.black_price, out=", cost, 4.0, group))
    (table,) = contest_tables(results)
    assert [row[0] for row in table.rows[:3]] == ["attribution.black_price", "attribution.black_price, out=", "quick"]
    assert table.rows[1][3:5] == ["3.50", "0.8"]
    assert "| attribution.black_price, out= |" in readme_region(results)


def test_the_readme_says_what_is_missing_and_where_it_was_measured(results):
    region = readme_region(results)
    assert "gone: not installable beside us: no match." in region
    assert "A processor" in region
    assert "load before the run 1.5" in region
    assert "2026-01-02" in region
    assert "3/100" in region


def test_only_the_region_between_the_marks_changes():
    text = f"# Title\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    once = replace_region(text, "new")
    assert once == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"
    assert replace_region(once, "new") == once


@pytest.mark.parametrize("text", ["no marks", BEGIN, f"{END} {BEGIN}"])
def test_missing_marks_are_an_error(text):
    with pytest.raises(ValueError, match="must stand in this order"):
        replace_region(text, "new")
