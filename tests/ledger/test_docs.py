"""What docs/ledger.md shows is what the program prints."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attribution.app.ledger import app

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")


def region(name: str) -> tuple[str, str]:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", GUIDE, re.DOTALL)
    assert found is not None
    code, output = re.findall(r"```\w+\n(.*?)```", found[1], re.DOTALL)
    return code, output


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path, monkeypatch):
    monkeypatch.setenv("TRADE_LEDGER_BASE_PATH", str(tmp_path))
    for name in ("TRADE_LEDGER_BACKEND", "ALPACA_PAPER_TRADING", "ALPACA_ENDPOINT", "TRADE_LEDGER__ENABLED", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def test_the_60_40_example_from_the_command_line():
    commands, shown = region("example")
    printed = ""
    for line in commands.splitlines():
        program, group, *words = shlex.split(line)
        assert (program, group) == ("attribution", "ledger")
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.stderr
        printed += result.stdout
    assert printed == shown


def test_the_service_prints_what_the_guide_says():
    code, shown = region("code")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        names: dict[str, object] = {}
        exec(compile(code, "docs/ledger.md", "exec"), names)
        names["service"].close()  # type: ignore[attr-defined]
    assert printed.getvalue() == shown


def test_importing_is_light():
    """The library does not load the ledger, and the ledger loads neither data frames nor servers' clients."""
    program = (
        "import sys, attribution\n"
        "assert not [name for name in sys.modules if name.startswith('attribution.ledger')]\n"
        "from attribution.ledger import TradeLedgerService, TradePerformanceService, read_tastytrade\n"
        "heavy = {'pandas', 'pyarrow', 'boto3', 'duckdb', 'rich', 'typer'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


def test_every_column_and_policy_is_in_the_guide():
    from attribution.ledger.closing import POLICIES
    from attribution.ledger.explain import FACTORS

    for word in (*FACTORS, *(f'"{policy}"' for policy in POLICIES)):
        assert word in GUIDE, word


def test_every_command_is_in_the_guide():
    for name in ("record", "import", "query", "positions", "pnl", "explain", "verify", "export"):
        assert f"attribution ledger {name}" in GUIDE, name
