"""Shared by the adapters' tests: a fake vendor over loopback, and the payload files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.brokers.fake_vendor import FakeVendor

PAYLOADS = Path(__file__).resolve().parents[1] / "payloads"


@pytest.fixture
def vendor() -> Iterator[FakeVendor]:
    with FakeVendor() as running:
        yield running


@pytest.fixture
def payload() -> Callable[[str], Any]:
    """Read ``tests/payloads/<path>`` as JSON."""

    def read(path: str) -> Any:
        return json.loads((PAYLOADS / path).read_text(encoding="utf-8"))

    return read
