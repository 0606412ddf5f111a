"""What a table must say about where it was measured: processor, instruction set, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from attribution import __version__

__all__ = ["describe", "instruction_set", "machine", "processor", "versions"]


def processor() -> str:
    """Name of the processor, as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if models:
            return models[0]
    return platform.processor() or platform.machine()


def instruction_set() -> str:
    """Vectors that the kernels are compiled for, and LLVM's name of the core."""
    from llvmlite import binding

    core = os.environ.get("NUMBA_CPU_NAME") or str(binding.get_host_cpu_name())
    has = binding.get_host_cpu_features()
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return f"{platform.machine()} ({core})"
    vectors = next((name for name in ("avx512f", "avx2", "avx", "sse2") if has.get(name)), "x86-64")
    return f"{'AVX-512' if vectors == 'avx512f' else vectors.upper()} ({core})"


def versions(distributions: Sequence[str]) -> dict[str, str]:
    """Versions of installed distributions."""
    return {name: importlib.metadata.version(name) for name in distributions}


def load() -> str:
    """How many processes wanted a core in the last minute: more than 0 before a run, and its times are too long."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def machine() -> dict[str, str]:
    """Everything a result file records about the machine."""
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "load": load(),
        "instruction_set": instruction_set(),
        "system": platform.system(),
        "python": platform.python_version(),
        "attribution": __version__,
        **versions(["numpy", "numba", "llvmlite"]),
    }


def describe(facts: dict[str, str]) -> str:
    """One line for the head of a table."""
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['instruction_set']}; "
        f"load before the run {facts['load']}; Python {facts['python']}, "
        f"numpy {facts['numpy']}, numba {facts['numba']}"
    )
