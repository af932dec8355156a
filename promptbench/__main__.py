"""`python -m promptbench`, and the command `promptbench`."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    # A suite makes many objects that live to the end; looking through them again and again is a fifth of the time.
    gc.set_threshold(100_000, 20, 20)
    from promptbench.cli.app import run
    from promptbench.core.errors import Exit

    code = run(sys.argv[1:])
    if code == Exit.INTERRUPTED:
        # A thread may still compute: the interpreter would wait for it, or take its end for a crash.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
