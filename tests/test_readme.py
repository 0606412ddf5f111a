"""What the README shows is what the program prints."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def _region(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("name", ["example", "frames example"])
def test_the_example_prints_what_the_readme_says(name: str) -> None:
    code, output = re.findall(r"```\w+\n(.*?)```", _region(name), re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    assert printed.getvalue() == output


def test_the_demo_prints_what_the_readme_says() -> None:
    environment = {**os.environ, "COLUMNS": "100", "PYTHONUTF8": "1"}
    run = subprocess.run(
        [sys.executable, "-m", "attribution", "demo"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        check=True,
    )
    printed = set(run.stdout.splitlines())
    shown = [line for line in _region("demo").splitlines() if not line.startswith("```") and line != "…"]
    assert len(shown) > 30
    assert [line for line in shown if line not in printed] == []
