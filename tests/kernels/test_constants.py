"""The constants in the tree are those that ``benchmarks/derive_constants.py`` derives."""

import importlib

import numpy as np
import pytest

from attribution.kernels import _constants, black_price, normal
from benchmarks.derive_constants import LOWEST, SHIFT, series, series_errors
from tests.kernels.compiled import from_python

implied_vol = importlib.import_module("attribution.kernels.implied_vol")

DERIVED = series()
BOUNDS = {"M(v)": 1e-16, "M′(v)": 1.4e-15, "e^r": 1e-18, "atanh z": 1e-18, "ln(1 + f)": 2e-8}


@pytest.mark.parametrize("name", DERIVED)
def test_series_are_derived_to_the_last_bit(name):
    assert getattr(_constants, name) == tuple(DERIVED[name][1])


def test_series_are_as_accurate_as_the_documentation_says():
    errors = series_errors(DERIVED)
    assert errors.keys() == BOUNDS.keys()
    for name, error in errors.items():
        assert error <= BOUNDS[name], name


def test_the_fit_is_used_where_it_was_made():
    assert _constants.MILLS_SHIFT == SHIFT
    assert normal.MILLS_LOWEST == LOWEST >= -SHIFT


def test_the_seed_is_near():
    """Fits differ in their last digits from machine to machine; what they must do is start near enough."""
    s, distance = (x.ravel() for x in np.meshgrid(np.linspace(0.02, 2.4, 120), np.linspace(1e-4, 3.0, 120)))
    strike = np.exp(distance)
    value = black_price(1.0, strike, 1.0, s, 1)
    usable = (value > 1e-14) & (distance / s - 0.5 * s > -1.25)
    logs = np.log1p((strike - 1.0) / np.where(usable, value, 1.0))
    seed = from_python(implied_vol._seed)
    seeds = np.array([seed(d, log) for d, log in zip(distance[usable], logs[usable], strict=True)])
    assert usable.sum() > 5000
    assert np.max(np.abs(seeds / s[usable] - 1.0)) <= 4e-6
