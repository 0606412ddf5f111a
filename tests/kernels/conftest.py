"""Where the kernel tests find their tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.market_data import market_data

OWN_TABLES = Path(__file__).resolve().parents[1] / "reference"

Table = NDArray[np.void]


def _read(path: Path) -> Table:
    return np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")


@pytest.fixture(scope="session")
def table() -> Callable[[str], Table]:
    """Read a table that ships with the tests."""
    return lambda name: _read(OWN_TABLES / name)


@pytest.fixture(scope="session")
def market_table() -> Callable[[str], Table]:
    """Read a table from the market data folder beside the project; skip where it is absent."""
    return lambda name: _read(market_data("reference", name))
