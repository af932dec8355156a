"""`python -m promptbench`, and the command `promptbench`."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    from promptbench.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
