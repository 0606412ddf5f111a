"""Shared by all tests: a compile cache that follows the kernels' sources, and where the real data lies."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _kernel_digest() -> str:
    """numba's cache does not notice an edit in another file: a cache folder per state of the sources does."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "attribution" / "kernels").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".numba_cache" / _kernel_digest()))
