"""Where the real market data lies: a folder beside the project, named by an environment variable or by place.

The data is not part of the project; tests that need it skip, and say so, where it is absent.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("ATTRIBUTION_MARKET_DATA", Path(__file__).resolve().parents[2] / "shared"))


def market_data(*parts: str) -> Path:
    """Return a path inside the market data folder, or skip the calling test."""
    path = FOLDER.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the market data folder beside the project has no {'/'.join(parts)}")
    return path
