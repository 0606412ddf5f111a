"""Shared by all tests: a compile cache that follows the kernels' sources, and where the real data lies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _kernel_digest() -> str:
    """numba's cache does not notice an edit in another file: a cache folder per state of the sources does."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "attribution" / "kernels").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".numba_cache" / _kernel_digest()))


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """What a broker answered in one test is not known in the next."""
    from attribution import clear_caches

    yield
    clear_caches()
