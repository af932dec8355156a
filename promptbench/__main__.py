"""`python -m promptbench`, and the command `promptbench`."""

import atexit
import gc
import os
import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    # A suite makes many objects that live to the end; looking through them again and again is a fifth of the time.
    gc.set_threshold(300_000, 20, 20)
    from promptbench.cli.app import run
    from promptbench.core.errors import Exit

    code = run(sys.argv[1:])
    if code != Exit.INTERRUPTED:
        atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    # Taking all objects apart first is a fifth of a short run's CPU time. After ^C a thread may still compute, and the
    # interpreter would wait for it, or take its end for a crash.
    os._exit(code)


if __name__ == "__main__":
    main()
