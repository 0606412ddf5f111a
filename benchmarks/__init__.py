"""Benchmarks: peers side by side in the same process, truth to 50 digits. ``make bench`` runs them all.

Importing this points numba's cache at a folder of its own for each state of the kernels' sources, because
the cache does not notice an edit in another file than the compiled function's.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _kernel_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted((ROOT / "attribution" / "kernels").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".numba_cache" / _kernel_digest()))
