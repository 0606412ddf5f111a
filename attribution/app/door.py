"""The way in and out of the command line: what a stream that is full or closed, and an interruption, make of a run."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

import typer
from typer.core import TyperGroup

from attribution.app.output import let_go_of_output, message

__all__ = ["EXIT_INTERRUPTED", "EXIT_UNWRITTEN", "Door", "open_closed_streams"]

EXIT_UNWRITTEN, EXIT_INTERRUPTED = 1, 130


class Door(TyperGroup):
    """A group of commands that ends with one line, not with a traceback, where the world outside gives way."""

    def main(self, *args: Any, **named: Any) -> Any:
        """Run; what cannot be written is told of, with exit code 1."""
        try:
            return super().main(*args, **named)
        except OSError as exc:
            let_go_of_output()
            where = "standard output" if exc.filename is None else exc.filename
            message(f"attribution: {where}: {exc.strerror or exc}")
            sys.exit(EXIT_UNWRITTEN)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; Ctrl-C ends it with a word and exit code 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            message("interrupted")
            raise typer.Exit(EXIT_INTERRUPTED) from None

    def get_params(self, ctx: Any) -> list[Any]:
        """The options of the group itself."""
        return _without_kind_of_flags(super().get_params(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            _without_kind_of_flags(command.get_params(ctx))
        return command


def _without_kind_of_flags(options: list[Any]) -> list[Any]:
    """A flag takes no value: the help must not ask for one."""
    for option in options:
        if getattr(option, "is_flag", False) and option.metavar is None:
            option.metavar = ""
    return options


def open_closed_streams() -> None:
    """Put something in the place of standard streams that were closed before the program began.

    Reading gives nothing and writing to standard output fails as a full disk does; and no file that is opened later
    gets the number of a stream, and with it what is meant for that.
    """
    for name, flags, mode in (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_WRONLY, "w")):
        if getattr(sys, name) is None:
            with suppress(OSError):
                setattr(sys, name, open(os.open(os.devnull, flags), mode, encoding="utf-8"))  # noqa: SIM115  # for good
