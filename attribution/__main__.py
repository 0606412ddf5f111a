"""Run the command line: ``python -m attribution``."""

from attribution.app.main import main

if __name__ == "__main__":
    main()
