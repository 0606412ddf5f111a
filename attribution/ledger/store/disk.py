"""Files that are there whole or not at all, and still there after the power went."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

__all__ = ["TEMPORARY", "create_whole", "is_writable", "make_folder", "replace_whole", "sync_folder"]

TEMPORARY = ".tmp"
"""How the names of files end that are still being written."""


def is_writable(path: Path) -> bool:
    """Whether a file, and other files beside it, can be written; False on a medium that can only be read."""
    return os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, durably."""
    missing = [folder, *folder.parents]
    missing = [path for path in missing if not path.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; where a folder cannot be synced (Windows), the file system does it itself."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_whole(path: Path, content: bytes) -> bool:
    """Create a file with ``content`` unless there is one, and return whether this call did.

    Whoever reads the name sees the whole content or no file. Of several who create the same name one succeeds.
    """
    temporary = _written_aside(path, content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except FileNotFoundError:
        if path.exists():  # another has created it since, and swept ours up
            return False
        raise
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def replace_whole(path: Path, content: bytes) -> None:
    """Write a file in one step, over an older one if there is one."""
    temporary = _written_aside(path, content)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _written_aside(path: Path, content: bytes) -> Path:
    """Write a file beside ``path`` under a name nobody else uses, down to the disk."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{TEMPORARY}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
