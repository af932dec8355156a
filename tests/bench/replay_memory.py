"""The memory and time of `replay` on a log, beside the floor of `tests.bench.importing`.

    python -m tests.bench.replay_memory [RECORDS]

The records are those of `tests.bench.importing`. Memory is the peak of a process of its own, start-up included, and
must be the same for a tenth of the records but for the ids of passing calls, which are part of the result.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.importing import bare, write

SUITE = "suite: triage\nprompt: triage.prompt\nmodels: [openai/gpt-5-mini]\nchecks: [json]\ncases:\n"
CASE = "  - case: one\n    vars: {message: hello}\n    expect: {team: billing}\n"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    for part in (count // 10, count):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write(folder / "log.jsonl", part)
            (folder / "promptbench.toml").write_text("", encoding="utf-8")
            (folder / "suite.yaml").write_text(SUITE + CASE, encoding="utf-8")
            (folder / "triage.prompt").write_text("{{message}}\n", encoding="utf-8")
            floor = bare(folder / "log.jsonl")
            command = [sys.executable, "-m", "promptbench", "replay", "suite.yaml", "--log", "log.jsonl"]
            with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0
            seconds = usage.ru_utime + usage.ru_stime
            print(f"{part:,} calls: {usage.ru_maxrss / 1024:.0f} MiB, {seconds / floor:.1f} x the floor")


if __name__ == "__main__":
    main()
