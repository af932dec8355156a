"""A run and a log of any size, killed in the middle. `python -m tests.bench.volume [--calls 1000000]`

[--server PROGRAM]

One suite of as many cases in a JSONL file, run against a server on loopback; `kill -9` when half of the answers are on
record, and the same command again. Then as many logged calls are imported, grouped by cause, and replayed. Of each
process: the peak of its memory and its CPU seconds; of the record: its size, and whether every case is there once.
PROGRAM is as in `tests.bench.overhead`. Exits 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from tests.bench import importing
from tests.bench.overhead import serving, write_project
from tests.bench.table import ENV, promptbench, size_of


def on_record(root: Path, column: str = "count(*)") -> int:
    file = root / ".promptbench" / "runs.sqlite"
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file, timeout=30)) as record:
        try:
            return int(record.execute(f"SELECT {column} FROM attempt").fetchone()[0] or 0)
        except sqlite3.OperationalError:
            return 0  # The tables are not made yet.


def ended(root: Path, words: list[str], *, kill_at: int = 0) -> int:
    """Run a command to its end, or until as many attempts are on record; print what it took. Return its exit code."""
    process = subprocess.Popen(
        promptbench(*words), cwd=root, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while (
        kill_at
        and on_record(root) < kill_at
        and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    ):
        time.sleep(0.5)
    if kill_at:
        process.kill()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = used.ru_utime + used.ru_stime
    print(
        f"{' '.join(words)}: exit {process.returncode}, {seconds:.0f} s of CPU, {used.ru_maxrss / 1024:.0f} MiB",
        flush=True,
    )
    return process.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--server", type=Path, metavar="PROGRAM")
    options = parser.parse_args()
    program, count = options.server.resolve() if options.server else None, options.calls
    broken = []
    with tempfile.TemporaryDirectory() as folder, serving(program, 0.0) as server:
        root = write_project(Path(folder) / "run", count, server.base_url, lines=True)
        ended(root, ["run", "--quiet"], kill_at=count // 2)
        print(f"{on_record(root):,} of {count:,} on record after kill -9")
        code = ended(root, ["run", "--quiet"])
        after, cases, tries = (
            on_record(root),
            on_record(root, "count(DISTINCT case_name)"),
            on_record(root, "sum(tries)"),
        )
        print(f"{after:,} on record, {tries:,} calls; {size_of(root) / count / 1000:.2f} KB a call")
        if (code, after, cases) != (0, count, count):
            broken.append(f"exit {code}, {after} attempts of {cases} cases")
        if ended(root, ["runs", "report", "--quiet"]):
            broken.append("the report is not that of the run")
        logs = write_project(Path(folder) / "logs", 1, prompt="triage")
        importing.write(logs / "log.jsonl", count)
        for words in (["import", "log.jsonl"], ["failures"], ["replay", "suites/load"]):
            if ended(logs, words) not in (0, 1):
                broken.append(" ".join(words))
        print(f"logged calls: {size_of(logs) / count / 1000:.2f} KB each")
    for what in broken:
        print(f"BROKEN: {what}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
