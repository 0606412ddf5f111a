"""Run every benchmark: ``python -m benchmarks``."""

from __future__ import annotations

from benchmarks import calls, options
from benchmarks.timing import machine

print(machine())
options.main()
calls.main()
