"""What can go wrong with a dataset as a whole; what is wrong with one file stays with that file."""

from __future__ import annotations

from attribution.errors import AttributionError

__all__ = ["DatasetError", "FileError"]


class DatasetError(AttributionError):
    """Nothing was computed: the source, the target or what the target already holds does not allow it."""


class FileError(AttributionError):
    """One file cannot be read or explained; the message says where and why, and the other files go on."""
