"""The example notebook runs as it is in a clone, and the README's picture is what the script draws."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "examples" / "week_of_options.ipynb"
PICTURE = ROOT / "docs" / "images" / "waterfall.svg"


EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient

source, target, folder = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=folder)
nbformat.write(notebook, target)
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook, executed in a folder of its own by the interpreter of the tests."""
    folder = tmp_path_factory.mktemp("notebook")
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH")) if part)
    own = dict.fromkeys(("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"), str(folder))
    environment = {**os.environ, **own, "PYTHONPATH": path, "JUPYTER_PREFER_ENV_PATH": "1"}
    target = folder / "executed.ipynb"
    command = [sys.executable, "-c", EXECUTE, str(NOTEBOOK), str(target), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return nbformat.read(target, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(notebook):
    """The HTML of every ``show``, in order."""
    return [
        output.data["text/html"]
        for cell in code_cells(notebook)
        for output in cell.outputs
        if "attribution.show(" in cell.source and "text/html" in output.get("data", {})
    ]


def test_it_is_committed_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(notebook))
    assert "/home/" not in NOTEBOOK.read_text(encoding="utf-8")


def test_every_cell_says_one_thing_and_warns_of_nothing(executed):
    for cell in code_cells(executed):
        kinds = [output.output_type for output in cell.outputs]
        assert kinds in ([], ["execute_result"]), cell.source


def test_it_draws_the_week_and_the_numbers_are_those_of_the_demo(executed):
    week, *others = shown(executed)
    assert len(others) == 4
    assert "Why did the book make 12,090 this week?" in week
    for text in ("spot −22,765.46", "vol +8,183.28", "time +27,005.78", "P&amp;L 12,090.00", "net 11,430.00"):
        assert text in week
    for html in (week, *others):
        assert "<svg" in html
        assert '<table class="movers">' in html


def test_it_draws_each_strategy_and_tells_what_is_unknown(executed):
    *_, strategies, lost = shown(executed)
    assert all(name in strategies for name in ("short vol", "covered", "calendar"))
    assert "1 of 4 results is not explained and not in the picture" in lost
    assert "NIFTY_OPT_20250130_PUT_23500" in lost


def test_its_pivot_adds_up(executed):
    (pivot,) = [cell for cell in code_cells(executed) if 'columns="session"' in cell.source]
    last = pivot.outputs[0].data["text/plain"].rstrip().splitlines()[-1]
    assert last.split()[0] == "Σ"
    assert "12090.0" in pivot.outputs[0].data["text/html"]


def test_the_picture_of_the_readme_is_what_the_script_draws(tmp_path, monkeypatch):
    target = tmp_path / "deep" / "week.svg"
    monkeypatch.setattr(sys, "argv", ["draw_waterfall.py", str(target)])
    runpy.run_path(str(ROOT / "examples" / "draw_waterfall.py"), run_name="__main__")
    drawn = target.read_text(encoding="utf-8")
    assert drawn == PICTURE.read_text(encoding="utf-8")
    assert "12,090" in "".join(ET.fromstring(drawn).itertext())
