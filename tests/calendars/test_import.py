"""Importing the calendars is light: no file is read, no data frame library is loaded."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
import attribution.calendars as calendars
data = [path for path in opened if path.endswith((".csv", ".md"))]
assert not data, data
assert "pandas" not in sys.modules
assert not any("zoneinfo" in path and "America" in path for path in opened)
calendars.get_calendar("NSE").session_on("2026-08-03")
data = [path for path in opened if path.endswith(".csv")]
assert len(data) == 5 and not any("bse" in path or "us/" in path for path in data), data
"""


def test_import_reads_no_file():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
