"""Run the command line: ``python -m attribution``, and the console script."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; an interruption is told in one word even while the program is being loaded."""
    try:
        from attribution.app.main import main as run
    except KeyboardInterrupt:
        if sys.stderr is not None:
            sys.stderr.write("interrupted\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
