"""One virtual environment per group of peers, because peers conflict; ours is installed beside them, editable.

``benchmarks/peers/<group>.txt`` names the pinned requirements. An environment is built on first use and again
when its requirements change. What cannot be installed is reported with pip's reason.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import ROOT

__all__ = ["NotRun", "ensure", "reason_of", "run_group"]

FOLDER = ROOT / ".venv-bench"
REQUIREMENTS = ROOT / "benchmarks" / "peers"
CONSTRAINTS = ROOT / "constraints.txt"
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(CONSTRAINTS))
ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ADDRESS = re.compile(r"\b\w+://\S+")
SECONDS = 900


class NotRun(Exception):
    """A group could not be installed or run; the message says why."""


def reason_of(output: str) -> str:
    """Return what a failed command said last: pip's errors if there are any, no addresses, one line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    told = [ADDRESS.sub("…", line) for line in errors or lines[-1:] or ["no output"]]
    return "; ".join(told).replace("|", "/")


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NotRun(f"not done in {SECONDS} seconds") from None
    if done.returncode != 0:
        raise NotRun(reason_of(done.stderr))


def _state(group: str) -> str:
    """Digest of everything that an environment is made from."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (REQUIREMENTS / f"{group}.txt", CONSTRAINTS, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def ensure(group: str) -> Path:
    """Return the interpreter of a group's environment, building it if need be; raise :class:`NotRun`."""
    folder = FOLDER / group
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / ".ready"
    if ready.exists() and ready.read_text(encoding="utf-8") == _state(group):
        return python
    print(f"building {folder.relative_to(ROOT)} …", file=sys.stderr)
    venv.create(folder, clear=True, with_pip=True)
    try:
        _run([str(python), *PIP, "hatchling", "editables"])
        _run([str(python), *PIP, "--no-build-isolation", "-e", ".", "-r", str(REQUIREMENTS / f"{group}.txt")])
    except NotRun as failure:
        raise NotRun(f"not installable beside us: {failure}") from None
    ready.write_text(_state(group), encoding="utf-8")
    return python


def run_group(group: str, names: Sequence[str], n: int, known: int, rounds: int) -> dict[str, Any]:
    """Run a group in its environment, on one thread; return what it measured, or why it could not."""
    try:
        python = ensure(group)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "result.json"
            sizes = ["--n", str(n), "--known", str(known), "--rounds", str(rounds)]
            chosen = [argument for name in names for argument in ("--set", name)]
            command = [str(python), "-W", "ignore", "-m", "benchmarks.contest", "--group", group, *sizes, *chosen]
            _run([*command, "--out", str(out)], os.environ | ONE_THREAD)
            found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
            return found
    except NotRun as failure:
        return {"not_run": str(failure)}
