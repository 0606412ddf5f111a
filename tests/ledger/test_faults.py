"""Writers killed in mid-work, full disks, clocks that go back: nothing twice, no gap, no acknowledged fill lost.

``LEDGER_FAULT_SECONDS`` (default 2) is how long each kill loop runs; ``--log-cli-level=INFO`` shows what it came to.
"""

from __future__ import annotations

import logging
import os
import random
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from attribution.ledger.errors import StoreError
from attribution.ledger.log import Log
from attribution.ledger.settings import Backend, LedgerSettings, open_log
from attribution.ledger.spool import SafeLog, Spool
from tests.ledger.log_tools import Place, acknowledged, deadline, draft, start_writer

_logger = logging.getLogger(__name__)

SECONDS = float(os.environ.get("LEDGER_FAULT_SECONDS", "2"))
WRITERS = 3
ENDLESS = 1_000_000


class Crew:
    """Writer processes of one log, each replaced by another as soon as it is killed.

    A writer's successor begins a few fills back, as a broker redelivers what it got no answer for; and every writer
    is told of the same fills as all others, besides its own.
    """

    def __init__(self, place: Place, folder: Path) -> None:
        self._opener = place.opener()
        self.acks = [folder / f"acks-{writer}" for writer in range(WRITERS)]
        self._starts = [0] * WRITERS
        self.kills = 0
        self._processes = [self._start(writer) for writer in range(WRITERS)]

    def _start(self, writer: int) -> BaseProcess:
        return start_writer(self._opener, writer, self._starts[writer], ENDLESS, self.acks[writer])

    def done_by(self, writer: int) -> int:
        assert self._processes[writer].exitcode is None, f"writer {writer} ended by itself"
        return sum(key.startswith(f"ALPACA/own-{writer}-") for _, key in acknowledged([self.acks[writer]]))

    def kill(self, writer: int) -> None:
        self._starts[writer] = max(self._starts[writer], self.done_by(writer) - 2)
        self._processes[writer].kill()
        self._processes[writer].join()
        self.kills += 1
        self._processes[writer] = self._start(writer)

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.join()


def check(place: Place, acks: list[Path]) -> int:
    """The log is a chain, its facts are distinct, and whatever a writer was told is there under that number."""
    log = Log(place.open())
    head = log.verify()
    entries = list(log.entries())
    assert [entry.seq for entry in entries] == list(range(1, head.seq + 1))
    assert len({entry.identity for entry in entries}) == head.seq
    kept = {(entry.seq, entry.key) for entry in entries}
    told = acknowledged(acks)
    assert told <= kept
    assert len(kept) - len(told) <= 2 * WRITERS * 1_000
    log.close()
    return head.seq


def told(acks: list[Path]) -> int:
    return sum(len(path.read_bytes().splitlines()) for path in acks)


def test_writers_are_killed_in_a_loop(place: Place, tmp_path: Path) -> None:
    dice = random.Random(7)
    crew = Crew(place, tmp_path)
    try:
        with deadline(60, "every writer has written") as wait:
            while not all(crew.done_by(writer) for writer in range(WRITERS)):
                wait()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end or crew.kills < 4:
            writer = dice.randrange(WRITERS)
            before = crew.done_by(writer)
            crew.kill(writer)
            with deadline(60, "a new writer goes on") as wait:
                while crew.done_by(writer) <= before:
                    wait()
            time.sleep(dice.uniform(0, 0.05))
    finally:
        crew.stop()
    written = check(place, crew.acks)
    _logger.info("%s: %d kills, %d entries, %d acknowledgements", place.name, crew.kills, written, told(crew.acks))
    assert crew.kills >= 4
    assert written > 2 * WRITERS
    log = Log(place.open())
    log.append([draft("afterwards")])
    assert log.verify().seq == written + 1


def test_everybody_is_killed_at_once(place: Place, tmp_path: Path) -> None:
    """As when the power goes, but for the disk: what is left is opened by nobody else before the check."""
    crew = Crew(place, tmp_path)
    try:
        with deadline(60, "every writer has written") as wait:
            while not all(crew.done_by(writer) > 2 for writer in range(WRITERS)):
                wait()
    finally:
        crew.stop()
    assert check(place, crew.acks) > 2 * WRITERS


def test_a_clock_that_goes_back_loses_nothing(place: Place) -> None:
    log = Log(place.open())
    times = [10**18, 10**18 - 10**12, 0, 5, 10**18]
    for number, ts in enumerate(times):
        log.append([draft(number, ts=ts)])
    assert [entry.ts for entry in log.entries()] == times
    assert log.verify().seq == len(times)


# --- full disks -------------------------------------------------------------------------------------------------

FILL_THE_DISK = textwrap.dedent("""
    import sys
    from attribution.ledger.errors import StoreError
    from attribution.ledger.settings import LedgerSettings, open_log
    from tests.ledger.log_tools import draft

    backend, folder, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
    log = open_log(LedgerSettings.from_environment({}, backend=backend, base_path=folder, account_id="acc"))
    if limit:
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for number in range(100_000):
        try:
            log.append([draft(f"{number}-{part}", body={"notes": "x" * 2_000}) for part in range(number % 40 + 1)])
        except StoreError as error:
            print("refused", number, error)
            raise SystemExit(0)
        print("acknowledged", number, flush=True)
    raise SystemExit("the disk never was full")
""")


def fill_the_disk(backend: Backend, folder: Path, limit: int = 0) -> list[int]:
    """Append ever larger batches until the disk refuses one; return the numbers of the acknowledged."""
    run = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, backend, str(folder), str(limit)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert run.returncode == 0, run.stderr + run.stdout
    *acknowledgements, refusal = run.stdout.splitlines()
    assert refusal.startswith("refused"), refusal
    return [int(line.split()[1]) for line in acknowledgements]


def check_filled(backend: Backend, folder: Path, batches: list[int]) -> Log:
    """Every acknowledged batch is there whole, and nothing else."""
    log = open_log(LedgerSettings.from_environment({}, backend=backend, base_path=folder, account_id="acc"))
    expected = [draft(f"{number}-{part}").key for number in batches for part in range(number % 40 + 1)]
    assert [entry.key for entry in log.entries()] == expected
    assert log.verify().seq == len(expected)
    return log


LOCAL = [Backend.SQLITE, Backend.FOLDER]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files on Windows")
@pytest.mark.parametrize("backend", LOCAL)
def test_a_file_that_may_not_grow(backend: Backend, tmp_path: Path) -> None:
    """The system refuses a write in the middle: the batch is not there, and room made, the log goes on."""
    batches = fill_the_disk(backend, tmp_path, 300_000 if backend is Backend.SQLITE else 50_000)
    assert batches
    log = check_filled(backend, tmp_path, batches)
    log.append([draft("room again")])
    assert log.verify() == log.head()


@contextmanager
def tiny_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of its own with next to no room; skips where one may not be mounted."""
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a small file system cannot be mounted here (it takes root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
@pytest.mark.parametrize("backend", LOCAL)
def test_a_full_disk(backend: Backend, tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", 1_500) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 500_000)
        batches = fill_the_disk(backend, disk)
        assert batches
        log = check_filled(backend, disk, batches)
        seq = log.head().seq
        waiting = SafeLog(log, Spool(tmp_path / "spool"))
        waiting.record([draft(f"waits-{part}", body={"notes": "x" * 2_000}) for part in range(400)])
        health = waiting.health()
        assert (health.ok, health.waiting) == (False, 1)
        assert health.last_error is not None
        ballast.unlink()
        small = SafeLog(log, Spool(tmp_path / "spool-2"))
        assert small.record([draft("room again")]).in_log
        assert log.verify().seq == seq + 1
        log.close()


def test_the_same_batch_may_be_sent_again_after_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a failed append left, appending the same again enters it once."""
    log = open_log(LedgerSettings.from_environment({}, backend=Backend.FOLDER, base_path=tmp_path))
    log.append([draft("0")])
    for step in ("link", "fsync"):
        with monkeypatch.context() as patch:

            def full(*arguments: object) -> None:
                raise OSError(28, "No space left on device")

            patch.setattr(f"attribution.ledger.store.disk.os.{step}", full)
            with pytest.raises(StoreError, match="No space left"):
                log.append([draft(step)])
        assert log.append([draft(step)])[0].new
    assert log.verify().seq == 3
    assert not list(tmp_path.rglob("*.tmp"))
