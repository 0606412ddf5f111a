"""What is compiled, when, and how."""

import importlib
import os
import pkgutil
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from attribution import kernels
from attribution.kernels import (
    _jit,
    arrays,
    attribute_legs,
    black_greeks,
    black_price,
    implied_vol,
)

REPOSITORY = Path(__file__).resolve().parents[2]

IMPORT_ONLY = """
import gc
import attribution.kernels
from numba.core.dispatcher import Dispatcher
compiled = [d for d in gc.get_objects() if isinstance(d, Dispatcher) and d.signatures]
ours = [d for d in compiled if d.py_func.__module__.startswith("attribution")]
print(len(ours))
"""

ONE_CALL = """
from attribution.kernels import black_price
print(black_price(100.0, 100.0, 1.0, 0.2, 1))
"""


def run(code, **environment):
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env=variables,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_compiles_nothing_and_writes_nothing(tmp_path):
    cache = tmp_path / "cache"
    assert run(IMPORT_ONLY, NUMBA_CACHE_DIR=str(cache)) == "0"
    assert not cache.exists()


def test_a_call_fills_the_cache(tmp_path):
    cache = tmp_path / "cache"
    assert float(run(ONE_CALL, NUMBA_CACHE_DIR=str(cache))) == pytest.approx(7.965567455405804, rel=1e-14)
    assert list(cache.rglob("*.nbi"))


def test_one_specialisation_whatever_the_inputs():
    locked = np.full(5, 100.0)
    locked.flags.writeable = False
    for strike in (100, 100.0, [99, 100], locked, np.full((2, 6), 100.0)[:, ::2], np.float32(100.0)):
        price = black_price(101.0, strike, 0.1, 0.2, 1)
        implied_vol(price, 101.0, strike, 0.1, 1)
        black_greeks(101.0, strike, 0.1, 0.2, 1)
        for method in arrays.METHODS:
            attribute_legs(1, strike, 101.0, price, 0.1, 102.0, price, 0.09, method=method, detail=True)
    kernels = (
        arrays.black_price_many,
        arrays.implied_vol_many,
        arrays.black_greeks_many,
        arrays.attribute_many,
    )
    for kernel in kernels:
        assert len(_jit.dispatcher(kernel.__wrapped__).signatures) == 1


def holds_arrays(kind):
    """Whether a value of this annotated type holds an array."""
    if typing.get_origin(kind) is np.ndarray:
        return True
    parts = typing.get_type_hints(kind).values() if hasattr(kind, "_fields") else typing.get_args(kind)
    return any(map(holds_arrays, parts))


def test_only_views_return_arrays():
    """References are not counted elsewhere, and numba lets some arrays out all the same: too early freed, if ever."""
    modules = [
        importlib.import_module(f"{kernels.__name__}.{found.name}") for found in pkgutil.iter_modules(kernels.__path__)
    ]
    helpers = {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
    stages = [helper for helper in helpers if helper.targetoptions.get("inline", "never") == "never"]
    assert len(stages) > 50
    for stage in stages:
        returned = typing.get_type_hints(stage.py_func)["return"]
        assert holds_arrays(returned) == stage.targetoptions["_nrt"], stage.py_func.__qualname__
    assert holds_arrays(tuple[float, NDArray[np.float64]])
