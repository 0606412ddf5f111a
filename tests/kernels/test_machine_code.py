"""The loops that carry the work are vector code: a call, or a branch, makes one ten times slower unnoticed."""

import importlib
import re

import numba
import numpy as np
import pytest

from attribution.kernels import black, corners, greek_blocks
from attribution.kernels.lanes import LANES

implied_vol = importlib.import_module("attribution.kernels.implied_vol")


def rows(count):
    return tuple(np.ones(LANES) for _ in range(count))


def table(count):
    return np.ones((count, LANES))


def state():
    return greek_blocks.State(*rows(8))


LOOPS = {
    "price: measure": (black._measure, lambda: rows(6)),
    "price: value": (black._value, lambda: rows(7)),
    "vol: measure": (implied_vol._measure, lambda: rows(11)),
    "vol: start": (implied_vol._start, lambda: rows(7)),
    "vol: differ": (implied_vol._differ, lambda: rows(4)),
    "vol: finish": (implied_vol._finish, lambda: rows(9)),
    "greeks: measure": (greek_blocks._measure, lambda: (state(), table(greek_blocks.WORK_ROWS))),
    "greeks: weigh": (greek_blocks._weigh, lambda: (state(), table(greek_blocks.WORK_ROWS))),
    "greeks: first": (greek_blocks._first_greeks, lambda: (state(), table(greek_blocks.WORK_ROWS), *rows(4))),
    "greeks: second": (greek_blocks._second_greeks, lambda: (state(), table(greek_blocks.WORK_ROWS), *rows(4))),
    "greeks: decay": (greek_blocks._decay_of_greeks, lambda: (state(), table(greek_blocks.WORK_ROWS), *rows(2))),
    "corners: measure": (corners._measure, lambda: (table(7), *rows(8), LANES)),
    "corners: value": (corners._value, lambda: (*rows(5), LANES)),
}


@pytest.mark.parametrize("name", LOOPS)
def test_the_loop_is_vectorised(name):
    loop, arguments = LOOPS[name]
    loop.compile(tuple(map(numba.typeof, arguments())))
    assembly = "".join(loop.inspect_asm().values())
    fused = re.findall(r"\bvfn?m(?:add|sub)\d+[ps]d\b.*", assembly)
    if not fused:
        pytest.skip("this processor has no fused multiply-add")
    assert any(re.search(r"%[yz]mm", instruction) for instruction in fused)
