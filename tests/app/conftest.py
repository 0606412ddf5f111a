"""A folder with the demo's files, and ways to run the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attribution.app.explain import warm_up
from attribution.app.main import app
from attribution.legs import Model

PROJECT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "attribution"]


@pytest.fixture(autouse=True, scope="session")
def _compiled():
    """Compiled before anybody looks at standard error, where a first compilation would be told of."""
    warm_up(Model())


@pytest.fixture(autouse=True)
def _usual_width(monkeypatch):
    """Tables are as wide as they are without a word from the environment."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def run():
    """Run a command in this process: ``run("demo").stdout``."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words], prog_name="attribution")


@pytest.fixture
def environment():
    """What a real process needs to find the project, whichever folder it runs in."""
    return {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONWARNINGS": "error"}


@pytest.fixture
def process(environment):
    """Run a command as a user does, in a process of its own."""

    def start(*words, **options):
        return subprocess.run(
            [*COMMAND, *map(str, words)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=environment,
            timeout=300,
            check=False,
            **options,
        )

    return start


@pytest.fixture
def folder(tmp_path, run):
    """A folder that holds the demo's ``trades.csv`` and ``prices.csv``."""
    assert run("demo", "--write", tmp_path).exit_code == 0
    return tmp_path


@pytest.fixture
def explain(run, folder):
    """Explain the demo's trades, or others in their place, with further options."""
    return lambda *words, trades="trades.csv", prices="prices.csv": run(
        "explain", folder / trades, "--prices", folder / prices, *words
    )
