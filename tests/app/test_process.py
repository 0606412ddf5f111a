"""The command line as a user runs it: real processes, pipes and signals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from attribution.app.files import _is_stream
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
    assert told.endswith(b"interrupted\n")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_interrupt_while_the_program_is_loaded(environment, tmp_path):
    # The first module of the command line that is loaded sends the signal.
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    environment = {**environment, "PYTHONPATH": f"{tmp_path}{os.pathsep}{environment['PYTHONPATH']}"}
    listening = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    run = subprocess.run([*COMMAND, "statuses"], capture_output=True, env=environment, check=False, **listening)
    assert run.returncode == 130
    assert run.stderr == b"interrupted\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("words", [["statuses"], ["brokers"], ["explain"], ["--help"], ["--version"]])
def test_a_full_disk_is_told_in_one_line(folder, environment, words):
    if words == ["explain"]:
        words = ["explain", folder / "trades.csv", "--prices", folder / "prices.csv", "--format", "json"]
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [*COMMAND, *map(str, words)], stdout=full, stderr=subprocess.PIPE, env=environment, text=True, check=False
        )
    assert run.stderr == "attribution: standard output: No space left on device\n"
    assert run.returncode == 1


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_closed_streams(folder, environment):
    command = f"{sys.executable} -m attribution explain trades.csv --prices prices.csv"

    def shell(words):
        return subprocess.run(
            f"{command} {words}", shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    closed = shell(">&-")
    assert closed.stderr == "attribution: standard output: Bad file descriptor\n"
    assert closed.returncode == 1
    assert shell("--output out.csv >&- 2>&- <&-").returncode == 0
    assert (folder / "out.csv").read_text().startswith("line,")


@pytest.mark.skipif(not os.path.exists("/dev/fd/1"), reason="needs names for streams")
@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_output_may_be_a_stream(folder, environment):
    command = f"{sys.executable} -m attribution explain trades.csv --prices prices.csv --format csv --output"

    def shell(words):
        return subprocess.run(
            f"{command} {words}", shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=True
        )

    expected = shell("plain.csv").stdout or (folder / "plain.csv").read_text()
    assert shell("/dev/fd/1").stdout == expected
    (folder / "log").write_text("before\n")
    shell("/dev/fd/1 >> log")
    assert (folder / "log").read_text() == "before\n" + expected
    os.mkfifo(folder / "pipe")
    assert shell("pipe & cat pipe; wait").stdout == expected


@pytest.mark.skipif(not os.path.islink("/dev/stdout"), reason="needs names for streams")
def test_names_of_streams_are_no_files_to_be_replaced(tmp_path):
    (tmp_path / "link").symlink_to("/dev/stdout")
    (tmp_path / "plain").symlink_to("file")
    assert [_is_stream(Path(path)) for path in ("/dev/stdout", "/dev/null", tmp_path / "link")] == [True] * 3
    assert not _is_stream(tmp_path / "plain")
