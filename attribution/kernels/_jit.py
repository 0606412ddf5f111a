"""How kernels are compiled: every compiler option in one place, with the reason for it.

Nothing compiles and nothing is written to disk at import. The decorators:

* :func:`inlined` for small scalar helpers, pasted into the loops that use them;
* :func:`stage` for loops over one block of legs, called from other compiled code;
* :func:`view` for helpers that return an array;
* :func:`sequence` for what calls one stage after the other;
* :func:`exact` for scalar helpers whose every rounding must be that of plain Python;
* :func:`kernel` for the few functions Python calls, and :func:`lean_kernel` for those of them that allocate
  nothing. They alone are kept on disk (:mod:`._cache`), and compiled, or loaded from there, at their first call.

A kernel is compiled for the types of its first call. The door passes inputs as read-only arrays always,
so that one compilation serves every caller: numba takes a read-only array for another type.
"""

from __future__ import annotations

import functools
import gc
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import njit
from numba.core import event

from attribution.kernels._cache import KernelCache

__all__ = [
    *("OPTIONS", "cache_folder", "dispatcher", "entry_point", "exact", "inlined", "kernel", "lean_kernel"),
    *("on_compile", "sequence", "stage", "view"),
]

Function = TypeVar("Function", bound=Callable[..., Any])

OPTIONS: dict[str, Any] = {
    # A division by zero gives inf or NaN, as in numpy. Python's ZeroDivisionError would put a branch
    # behind every division, and a loop with such branches is not vectorised.
    "error_model": "numpy",
    # contract: a*b + c may become one fused instruction. nsz: the sign of zero is free.
    # Not more: "nnan" makes isnan(nan) False, "reassoc" turns exact error terms into zeros.
    "fastmath": {"contract", "nsz"},
    # Other Python threads run while a kernel does: callers may split work over a thread pool.
    "nogil": True,
    # Nobody calls these from C.
    "no_cfunc_wrapper": True,
}

INNER: dict[str, Any] = {
    **OPTIONS,
    # Nothing but compiled code calls these, and the way in from Python takes longer to compile than many of
    # them do. Without it, a call from Python ends the process.
    "no_cpython_wrapper": True,
    # Arrays belong to the kernel for as long as it runs: what it calls need not count references to them, which
    # would take a twentieth of the time to compile. An array that is returned must be counted: see "view".
    "_nrt": False,
}

EXACT: dict[str, Any] = {
    **INNER,
    # Not one operation but those that are written: what plain Python computes beside it, to the same bits.
    "fastmath": False,
}

LEAN: dict[str, Any] = {
    **OPTIONS,
    # Nothing is allocated, so nothing need be counted: at every look into a table of columns it would be.
    "_nrt": False,
}

_build_lock = threading.RLock()
_watchers: list[tuple[Callable[[], object], float]] = []

if hasattr(os, "register_at_fork"):
    # A process forked in the middle of a compilation would wait for ever for the thread that was at it.
    os.register_at_fork(
        before=_build_lock.acquire,
        after_in_parent=_build_lock.release,
        after_in_child=_build_lock.release,
    )


def inlined(function: Function) -> Function:
    """Mark a scalar helper that must be pasted into its caller, or the caller's loop stays scalar."""
    return cast(Function, njit(**INNER, forceinline=True)(function))


def exact(function: Function) -> Function:
    """Mark a scalar helper that rounds as plain Python does: nothing in it is fused or reordered."""
    return cast(Function, njit(**EXACT, forceinline=True)(function))


def stage(function: Function) -> Function:
    """Mark a loop over a block; compiled once and linked into each kernel that calls it."""
    return cast(Function, njit(**INNER)(function))


def view(function: Function) -> Function:
    """Mark a helper that returns an array, or a part of one."""
    return cast(Function, njit(**{**INNER, "_nrt": True})(function))


def sequence(function: Function) -> Function:
    """Mark a function that calls stages one after the other; its statements become its caller's.

    numba optimises a function anew, with all that it calls, within each function that calls it. Every level
    of stages would take as long to compile as the first; a sequence is no level.
    """
    return cast(Function, njit(**INNER, inline="always")(function))


def kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Mark a function called from Python; compiled, or loaded from the cache, at its first call."""
    return _on_first_call(function, lean=False)


def lean_kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Mark a kernel that allocates nothing: it calls :func:`exact` helpers with whole tables at no cost."""
    return _on_first_call(function, lean=True)


def _on_first_call(function: Callable[..., None], *, lean: bool) -> Callable[..., None]:
    ready: Callable[..., None] | None = None

    @functools.wraps(function)
    def compiled(*arguments: Any) -> None:
        nonlocal ready
        if ready is None:
            ready = _prepare(function, arguments, lean=lean)
        ready(*arguments)

    return compiled


def dispatcher(function: Callable[..., Any]) -> Any:
    """Return numba's dispatcher of a plain Python function, building it on first use."""
    with _build_lock:
        return _dispatcher(function, lean=False)


@functools.cache
def _dispatcher(function: Callable[..., Any], *, lean: bool) -> Any:
    built = njit(**(LEAN if lean else OPTIONS))(function)
    with suppress(RuntimeError):  # no folder to keep it in is writable: compile anew in each process
        built._cache = KernelCache(function)
    return built


def entry_point(kernel: Callable[..., None], arguments: tuple[Any, ...]) -> Callable[..., None]:
    """Return the way into a kernel for arguments of exactly these types, which are not looked at again.

    That look costs nearly two microseconds: a quarter of one leg's split. It is for callers that pass the same arrays.
    """
    function = kernel.__wrapped__  # type: ignore[attr-defined]
    built = _prepare(function, arguments, lean=False)
    return cast(Callable[..., None], built.compile(tuple(map(numba.typeof, arguments))))


def _prepare(function: Callable[..., None], arguments: tuple[Any, ...], *, lean: bool) -> Any:
    """Compile a kernel for the types of these arguments, or load it; return its dispatcher."""
    with _build_lock, ExitStack() as watching:
        for callback, after in _watchers:
            watching.enter_context(_told(callback, after))
        watching.enter_context(_without_collector())
        built = _dispatcher(function, lean=lean)
        built.compile(tuple(map(numba.typeof, arguments)))
    return built


@contextmanager
def _without_collector() -> Iterator[None]:
    """Pause the collector of cyclic garbage, if it runs.

    A compilation makes objects by the million; looking through them again and again, for little garbage, takes the
    collector an eighth of the whole time. Without it some 100 MB more are in use for these seconds.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def on_compile(callback: Callable[[], object], *, after: float = 1.0) -> Iterator[None]:
    """Within this context, be told of compilations that make a call wait.

    Kernels are compiled once per machine and version; later processes load them from disk in a moment,
    of which nothing is told.

    Parameters
    ----------
    callback
        Called once for each kernel that has been compiling for ``after`` seconds, while it goes on; from
        a thread of its own, for calls made by any thread of this process.
    after
        How long a compilation may take without being told of. [seconds]
    """
    watcher = (callback, after)
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


class _Begun(event.Listener):
    """Starts a timer when numba starts to compile: on loading from disk it does not."""

    def __init__(self, timer: threading.Timer) -> None:
        self.timer = timer
        self.started = False

    def on_start(self, _event: object) -> None:
        # Helpers are compiled within the compilation of what calls them: only the first start counts.
        if not self.started:
            self.started = True
            self.timer.start()

    def on_end(self, _event: object) -> None:
        pass


@contextmanager
def _told(callback: Callable[[], object], after: float) -> Iterator[None]:
    timer = threading.Timer(after, callback)
    timer.daemon = True
    try:
        with event.install_listener("numba:compile", _Begun(timer)):
            yield
    finally:
        timer.cancel()


def cache_folder() -> Path | None:
    """Return where compiled kernels are kept.

    Returns
    -------
    Path or None
        None where no folder is writable: then each process compiles the kernels it calls, which takes
        some seconds and is otherwise without harm. ``NUMBA_CACHE_DIR`` in the environment names another.
    """
    try:
        return Path(KernelCache(cache_folder).cache_path)
    except RuntimeError:
        return None
