"""How compiled kernels are kept, for how long they are trusted, and who is told when they are made."""

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import attribution
from attribution.kernels import _cache, _jit, arrays, attribute_legs, cache_folder, on_compile

PACKAGE = Path(attribution.__file__).parent

PRICE = """
from attribution.kernels import _jit, black, black_price
price = float(black_price(100.0, 100.0, 1.0, 0.2, 1))
stats = _jit.dispatcher(black.black_price_many.__wrapped__).stats
print(price, "loaded" if stats.cache_hits else "compiled", _jit.cache_folder())
"""
RIGHT_PRICE = "7.96556745540"


@pytest.fixture
def project(tmp_path):
    """A copy of the package to be edited and spoiled."""
    shutil.copytree(PACKAGE, tmp_path / "attribution", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(code, folder, **environment):
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=folder,
        env=variables,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.split()


def test_the_cache_notices_edits_of_other_files(project):
    cache = str(project / "cache")
    assert run(PRICE, project, NUMBA_CACHE_DIR=cache)[1] == "compiled"
    price, how, folder = run(PRICE, project, NUMBA_CACHE_DIR=cache)
    assert price.startswith(RIGHT_PRICE)
    assert how == "loaded"
    assert folder.startswith(cache)

    with (project / "attribution" / "kernels" / "elementary.py").open("a") as elementary:
        elementary.write("\n\n@inlined\ndef exponential_inside(x: float) -> float:\n    return 0.0\n")
    price, how, _ = run(PRICE, project, NUMBA_CACHE_DIR=cache)
    assert float(price) == 0.0
    assert how == "compiled"


@pytest.mark.parametrize("damage", [b"not what was written", None], ids=["garbage", "cut short"])
def test_a_damaged_cache_is_an_empty_cache(project, damage):
    cache = project / "cache"
    run(PRICE, project, NUMBA_CACHE_DIR=str(cache))
    for ending in ("*.nbc", "*.nbi"):
        for file in cache.rglob(ending):
            file.write_bytes(file.read_bytes()[:100] if damage is None else damage)
        price, how, _ = run(PRICE, project, NUMBA_CACHE_DIR=str(cache))
        assert price.startswith(RIGHT_PRICE)
        assert how == "compiled"
    assert run(PRICE, project, NUMBA_CACHE_DIR=str(cache))[1] == "loaded"


def test_without_a_writable_folder_everything_works(project):
    """Files stand where numba's folders would be: neither can be made."""
    (project / "attribution" / "kernels" / "__pycache__").write_text("a file")
    (project / "file").write_text("a file")
    nowhere = str(project / "file" / "cache")
    places = {"NUMBA_CACHE_DIR": nowhere, "XDG_CACHE_HOME": nowhere, "HOME": nowhere, "LOCALAPPDATA": nowhere}
    price, how, folder = run(PRICE, project, **places)
    assert price.startswith(RIGHT_PRICE)
    assert how == "compiled"
    assert folder == "None"


def test_a_full_disk_does_not_stop_a_calculation(monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    def double(numbers):
        numbers[0] *= 2.0

    monkeypatch.setattr(_cache.FunctionCache, "save_overload", full)
    monkeypatch.setattr(_cache.FunctionCache, "load_overload", full)
    numbers = np.array([21.0])
    _jit.kernel(double)(numbers)
    assert numbers[0] == 42.0


def test_the_cache_folder_can_be_asked_for():
    folder = cache_folder()
    assert folder is not None
    assert folder.is_dir()


def test_the_digest_follows_the_sources():
    assert _cache.sources_digest() == _cache.sources_digest()
    assert len(_cache.sources_digest()) == 16


# One compilation for all

LEG = (1, 100.0, 101.0, 4.0, 0.1, 102.0, 4.5, 0.09)


def test_every_way_in_uses_the_same_compilation():
    """Read-only, writable and strided columns; cut into chunks or not; from the upper floors or from outside."""
    size = 20_000
    columns = [np.full(size, float(number)) for number in LEG]
    locked = [column.copy() for column in columns]
    for column in locked:
        column.flags.writeable = False
    wide = np.zeros((size, 2))
    wide[:, 0] = 100.0
    for given in (LEG, columns, locked, [1, wide[:, 0], *columns[2:]], [np.int8(1), *columns[1:]]):
        for threads in (1, 2):
            attribute_legs(*given, threads=threads)
            attribute_legs(*given, detail=True, method="taylor", threads=threads)
    table = np.vstack([*columns, np.zeros((5, size))])
    arrays.attribute_columns(table, threads=2)
    arrays.attribute_columns(arrays.LegInputs(*table))
    arrays.attribute_columns(table[:, :1].copy(), out=arrays.empty_leg_table(1, detail=False))
    assert len(_jit.dispatcher(arrays.attribute_many.__wrapped__).signatures) == 1


# Being told

TOLD = """
import time
from attribution.kernels import black_price, on_compile
told = []
with on_compile(lambda: told.append("told"), after={after}):
    black_price(100.0, 100.0, 1.0, 0.2, 1)
    black_price([100.0, 101.0], 100.0, 1.0, 0.2, 1)
time.sleep(0.05)
print("calls", *told)
"""


def test_a_compilation_is_told_of_once_and_loading_is_not(tmp_path):
    cache = str(tmp_path / "cache")
    code = TOLD.format(after=0.02)
    assert run(code, PACKAGE.parent, NUMBA_CACHE_DIR=cache) == ["calls", "told"]
    assert run(code, PACKAGE.parent, NUMBA_CACHE_DIR=cache) == ["calls"]


def test_a_short_compilation_is_not_told_of(tmp_path):
    cache = str(tmp_path / "cache")
    assert run(TOLD.format(after=600), PACKAGE.parent, NUMBA_CACHE_DIR=cache) == ["calls"]


def test_nothing_is_told_after_the_context_has_ended():
    with on_compile(lambda: None), on_compile(lambda: None):
        assert len(_jit._watchers) == 2
    assert _jit._watchers == []


FORK_WHILE_COMPILING = """
import os, sys, threading, time, warnings
from attribution.kernels import black_price
warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12: forking with threads
price = lambda: black_price(100.0, 100.0, 1.0, 0.2, 1)
other = threading.Thread(target=price)
other.start()
time.sleep(0.3)
child = os.fork()
if child == 0:
    sys.exit(0 if 7.9 < price() < 8.0 else 1)
other.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("runs", [True, False])
def test_the_collector_of_garbage_is_found_as_it_was_left(monkeypatch, runs):
    during = []
    found = gc.isenabled()

    class Builder:
        def compile(self, signature):
            during.append(gc.isenabled())
            raise MemoryError

    monkeypatch.setattr(_jit, "_dispatcher", lambda function, lean: Builder())
    try:
        (gc.enable if runs else gc.disable)()
        with pytest.raises(MemoryError):
            _jit.kernel(lambda number: None)(1.0)
        assert during == [False]
        assert gc.isenabled() == runs
    finally:
        (gc.enable if found else gc.disable)()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_in_the_middle_of_a_compilation(tmp_path):
    assert run(FORK_WHILE_COMPILING, PACKAGE.parent, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == ["0"]
