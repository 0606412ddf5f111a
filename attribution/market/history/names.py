"""Symbols as file names: any symbol, any file system, and back."""

from __future__ import annotations

import string
from urllib.parse import unquote

__all__ = ["file_name", "symbol_of_file"]

SAFE = frozenset((string.ascii_uppercase + string.digits + "_-").encode())
RESERVED = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))})


def file_name(symbol: str) -> str:
    """Write a symbol as a file name: capitals, digits, ``_`` and ``-`` as they are, all else as ``%`` and two digits.

    Small letters are escaped too, so that no two symbols share a name where a file system ignores case; and the dot,
    so that no symbol looks like a suffix, a hidden file or a parent folder.

    Raises
    ------
    ValueError
        ``symbol`` is empty.
    """
    if not symbol:
        raise ValueError("symbol='': a file needs a name")
    name = "".join(chr(byte) if byte in SAFE else f"%{byte:02X}" for byte in symbol.encode())
    return f"%{ord(name[0]):02X}{name[1:]}" if name in RESERVED else name


def symbol_of_file(name: str) -> str:
    """Inverse of :func:`file_name`."""
    return unquote(name, errors="strict")
