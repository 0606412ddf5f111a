"""Compiled kernels on disk: numba's cache, made safe against edits of any of our files and against bad disks.

numba keeps compiled code in the folder named by ``NUMBA_CACHE_DIR``, else in ``__pycache__`` beside the
sources, else in the user's own cache folder: the first that can be written to. It notices a new numba,
another processor and an edit of the file that a kernel stands in. Two things are added here:

* Kernels are put together from several files, and numba does not notice an edit in the others: after an
  upgrade it would go on running old code. So the names of our cache files carry a digest of them all.
* A damaged file, a full disk or a folder that has become read-only must not stop a calculation. The
  cache is then as good as empty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from pickle import PickleError
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache

__all__ = ["KernelCache", "sources_digest"]


def sources_digest() -> str:
    """Return a name for the state of all kernel sources."""
    # A frozen program carries no sources; numba then looks at the program itself, which changes with any edit.
    digest = hashlib.sha256()
    sources = (entry for entry in resources.files(__package__).iterdir() if entry.name.endswith(".py"))
    for source in sorted(sources, key=lambda entry: entry.name):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


# Read here, in the moment in which these sources are imported: read at the first call, they might have been
# edited in the meantime, and the old code would be filed under the name of the new.
_DIGEST = sources_digest()

UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    PickleError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What unpickling bytes that are not what was written may raise: a damaged cache counts as empty."""


class _Names(CompileResultCacheImpl):
    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        base = super().get_filename_base(fullname, abiflags)  # type: ignore[no-untyped-call]
        return f"{base}-{_DIGEST}"


class KernelCache(FunctionCache):
    """The cache of one kernel.

    Raises
    ------
    RuntimeError
        No folder is writable.
    """

    _impl_class = _Names

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled code; None where there is none, or none that can be read."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except UNREADABLE:
            with suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the compiled code, if the disk will have it."""
        with suppress(OSError):
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
