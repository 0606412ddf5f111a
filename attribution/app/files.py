"""Files of results: whole or not there at all, and never one that was read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from attribution.app.sheet import InputError

__all__ = ["check_output", "write_whole"]

_MOST_LINKS = 40


def check_output(output: Path | None, inputs: Mapping[str, Path | None]) -> None:
    """Refuse to write over what is read.

    Parameters
    ----------
    output
        Where results are to be written; None: to standard output.
    inputs
        Files that are read, by what they are.

    Raises
    ------
    InputError
        The output is one of them.
    """
    if output is None or not output.is_file():
        return
    for what, path in inputs.items():
        if path is not None and path.is_file() and os.path.samefile(path, output):
            raise InputError(f"--output {output}: is {what}, which would be lost: choose another file")


def write_whole(output: Path, text: str) -> None:
    """Write beside the target and move it into place, so that nobody ever reads half a file.

    A link stays, and the file that it names is written. Pipes, devices and streams of this process take the text as it
    comes.

    Raises
    ------
    InputError
        It cannot be written.
    """
    try:
        if _is_stream(output):
            with open(output, "a", encoding="utf-8", newline="") as stream, suppress(BrokenPipeError):
                stream.write(text)
                stream.flush()
        else:
            _replace(Path(os.path.realpath(output)), text)
    except OSError as exc:
        raise InputError(f"--output {output}: cannot be written: {exc.strerror or exc}") from exc


def _replace(target: Path, text: str) -> None:
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        beside.write_text(text, encoding="utf-8", newline="")
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def _is_stream(path: Path) -> bool:
    """Whether a name stands for a pipe, a device or an open stream of this process: there is no file to be replaced."""
    if path.exists() and not path.is_file() and not path.is_dir():
        return True
    for _ in range(_MOST_LINKS):
        if not path.is_symlink():
            return False
        folder = Path(os.path.realpath(path.parent))
        if folder == Path("/dev") or folder.is_relative_to("/proc"):  # /dev/stdout, /dev/fd/1, /proc/self/fd/1
            return True
        path = folder / path.readlink()
    return False
