"""The command line as a user runs it: real processes, pipes and signals."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.app.conftest import COMMAND


def test_demo_then_the_command_it_prints(process, tmp_path):
    demo = process("demo", cwd=tmp_path)
    assert demo.returncode == 0
    assert "\x1b" not in demo.stdout
    assert process("demo", "--write", "folder", cwd=tmp_path).returncode == 0
    words = next(line.split() for line in demo.stdout.splitlines() if line.startswith("  attribution explain"))
    explained = process(*words[1:], cwd=tmp_path)
    assert explained.returncode == 0
    assert "= P&L 12,090.00  ✓" in explained.stdout
    assert explained.stderr == ""


def test_output_is_utf8_on_any_machine(process, tmp_path, environment):
    environment |= {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    demo = process("demo", cwd=tmp_path)
    assert demo.returncode == 0
    assert "█" in demo.stdout


def test_importing_the_library_stays_light(environment):
    code = "import attribution, sys; sys.exit(bool({'rich', 'typer', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_json_on_standard_output_is_data_alone(process, folder):
    found = process("explain", folder / "trades.csv", "--prices", folder / "prices.csv", "--daily", "--format", "json")
    assert len(json.loads(found.stdout)) == 23


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes and signals")
def test_closed_pipe_is_no_failure(folder, environment):
    words = ["explain", folder / "trades.csv", "--prices", folder / "prices.csv", "--daily", "--format", "json"]
    with subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(10)
        running.stdout.close()
        told = running.stderr.read()
        assert running.wait(timeout=120) == 0
    assert told == b""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX pipes and signals")
def test_interrupt_leaves_130_and_no_file(folder, environment):
    head, *rows = (folder / "trades.csv").read_text().splitlines()
    (folder / "many.csv").write_text("\n".join([head, *rows * 20_000]) + "\n")
    target = folder / "out.csv"
    words = ["explain", folder / "many.csv", "--prices", folder / "prices.csv", "--daily", "--output", target]
    # Whoever starts the tests in the background has interrupts ignored, and children inherit that.
    listening = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    command = [*COMMAND, *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, **listening) as running:
        time.sleep(6)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=120)
    assert running.returncode == 130
    assert b"Traceback" not in told
    assert sorted(path.name for path in folder.iterdir()) == ["many.csv", "prices.csv", "trades.csv"]
