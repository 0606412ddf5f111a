"""Objects as files of a local folder; created whole or not at all, and once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from attribution.ledger.errors import StoreError
from attribution.ledger.store.disk import TEMPORARY, create_whole, make_folder, replace_whole, sync_folder
from attribution.ledger.store.numbered import Put

__all__ = ["FolderObjects"]


class FolderObjects:
    """Objects below ``folder``; a file system with hard links is needed, as every native one has.

    An object is written under a name of its own, brought down to the disk, and then linked to its name: the link
    succeeds once, and no reader ever sees half an object.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder).absolute()
        self.place = str(self._folder)

    def put_if_absent(self, name: str, content: bytes) -> Put:
        """Create a file; ``UNKNOWN`` if it was created, and the disk then failed to say that it will last."""
        path = self._folder / name
        try:
            if not path.parent.is_dir():
                make_folder(path.parent)
            return Put.CREATED if create_whole(path, content) else Put.TAKEN
        except OSError as error:
            if path.exists():
                return Put.UNKNOWN
            raise StoreError(f"{path}: {error.strerror or error}") from error

    def get(self, name: str) -> bytes | None:
        """Return a file's content; None if there is none."""
        path = self._folder / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror or error}") from error

    def names_after(self, folder: str, after: str) -> Iterator[str]:
        """Yield names in order, and sweep up what a killed writer left of an object that another has created since."""
        place = self._folder / folder
        try:
            found = sorted(os.listdir(place))
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{place}: {error.strerror or error}") from error
        there = set(found)
        for name in found:
            if name.endswith(TEMPORARY):
                if name[1:].rsplit(".", 2)[0] in there:
                    (place / name).unlink(missing_ok=True)
            elif folder + name > after:
                yield folder + name

    def settle(self, folder: str) -> None:
        """Bring down to the disk the names that other processes linked."""
        try:
            sync_folder(self._folder / folder)
        except OSError as error:
            raise StoreError(f"{self._folder / folder}: {error.strerror or error}") from error

    def replace(self, name: str, content: bytes) -> None:
        """Write a file that is not part of a log, in one step."""
        path = self._folder / name
        try:
            make_folder(path.parent)
            replace_whole(path, content)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror or error}") from error

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        (self._folder / name).unlink(missing_ok=True)
