"""How kernels are compiled: every compiler option in one place, with the reason for it.

Nothing compiles and nothing is written to disk at import. Three decorators:

* :func:`inlined` for small scalar helpers, pasted into the loops that use them;
* :func:`stage` for loops over one block of legs, called from other compiled code;
* :func:`kernel` for the few functions Python calls. Those alone are cached on disk, on first call.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

__all__ = ["BLOCK", "OPTIONS", "dispatcher", "inlined", "kernel", "stage"]

Function = TypeVar("Function", bound=Callable[..., Any])

BLOCK = 256
"""Legs worked on together: the scratch arrays of one block stay in the first-level cache."""

OPTIONS: dict[str, Any] = {
    # A division by zero gives inf or NaN, as in numpy. Python's ZeroDivisionError would put a branch
    # behind every division, and a loop with such branches is not vectorised.
    "error_model": "numpy",
    # contract: a*b + c may become one fused instruction. nsz: the sign of zero is free.
    # Not more: "nnan" makes isnan(nan) False, "reassoc" turns exact error terms into zeros.
    "fastmath": {"contract", "nsz"},
    # Other Python threads run while a kernel does: callers may split work over a thread pool.
    "nogil": True,
}

_build_lock = threading.Lock()


def inlined(function: Function) -> Function:
    """Mark a scalar helper that must be pasted into its caller, or the caller's loop stays scalar."""
    return cast(Function, njit(**OPTIONS, forceinline=True)(function))


def stage(function: Function) -> Function:
    """Mark a loop over a block; compiled once and linked into each kernel that calls it."""
    return cast(Function, njit(**OPTIONS)(function))


def kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Mark a function called from Python; compiled, or loaded from the cache, at its first call."""

    @functools.wraps(function)
    def compiled(*arguments: Any) -> None:
        dispatcher(function)(*arguments)

    return compiled


def dispatcher(function: Callable[..., Any]) -> Any:
    """Return numba's dispatcher of a plain Python function, building it on first use."""
    with _build_lock:
        return _dispatcher(function)


@functools.cache
def _dispatcher(function: Callable[..., Any]) -> Any:
    try:
        return njit(**OPTIONS, cache=True)(function)
    except RuntimeError:  # no folder to cache in is writable: compile anew in each process
        return njit(**OPTIONS)(function)
