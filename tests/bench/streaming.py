"""Memory and resumption with very many cases. `python -m tests.bench.streaming [--server PROGRAM] [--cases 100000]`

Two runs of the same suite, with 1,000 cases and with as many as are wanted, each in a process of its own: peak memory
of the process and its ratio. The large one is stopped at 90 % by `--max-calls` and started again; the time to its first
call is from the start of that process to the first attempt that the record has of it.

The cases are lines of a file beside the suite, and in production is a prompt, so each is asked twice. PROGRAM is as in
`tests.bench.overhead`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.overhead import serving

FEW = 1_000
PROMPT = """\
---
output: {{schema: {{type: object}}}}
---
{{{{role "system"}}}}
{manner}
{{{{role "user"}}}}
{{{{message}}}}
"""
SUITE = """\
suite: many
prompt: many.prompt
models: [openai/m]
checks: [json, json schema: output, contains: '"']
cases: many.jsonl
gate: {repeats: 1, answer floor: 0%}
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """Seconds of wall and CPU time, peak memory in MB, and what was said last."""

    wall: float
    cpu: float
    memory: float
    said: str


def project(root: Path, base_url: str, cases: int) -> Path:
    folder = root / "suites" / "many"
    folder.mkdir(parents=True)
    (root / "promptbench.toml").write_text(
        f'[providers.openai]\nbase_url = "{base_url}"\n\n[limits.openai]\nrequests_per_minute = 1000000\n'
    )
    (folder / "suite.yaml").write_text(SUITE)
    (folder / "many.prompt").write_text(PROMPT.format(manner="Answer with JSON."))
    with (folder / "many.jsonl").open("w") as file:
        for n in range(cases):
            text = f"case-{n} is about a parcel that came late. " + "It is about a parcel. " * 8
            file.write(json.dumps({"case": f"case-{n}", "vars": {"message": text}}) + "\n")
    run(root, "adopt", "suites/many/many.prompt", "--reason", "in use")
    (folder / "many.prompt").write_text(PROMPT.format(manner="Answer with one JSON object."))
    return root


def run(root: Path, *arguments: str) -> Ended:
    """`promptbench ARGUMENTS` in a process of its own, measured by the system."""
    began = time.time()
    environ = {**os.environ, "OPENAI_API_KEY": "sk-bench-000000000000"}
    process = subprocess.Popen(
        [sys.executable, "-m", "promptbench", *arguments],
        cwd=root,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, _, used = os.wait4(process.pid, 0)
    return Ended(time.time() - began, used.ru_utime + used.ru_stime, megabytes(used), said.strip().split("\n")[-1])


def megabytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)


def first_call_after(root: Path, moment: datetime) -> float:
    """Seconds from `moment` to the first attempt on record that was started after it."""
    with sqlite3.connect(root / ".promptbench" / "runs.sqlite") as record:
        [started] = record.execute(
            "SELECT min(started) FROM attempt WHERE started >= ?", [moment.isoformat(timespec="milliseconds")]
        ).fetchone()
    return (datetime.fromisoformat(started) - moment).total_seconds()


def show(what: str, ended: Ended) -> None:
    print(f"{what:<22} {ended.memory:6.0f} MB  wall {ended.wall:6.1f} s  CPU {ended.cpu:6.1f} s   {ended.said}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", type=Path)
    parser.add_argument("--cases", type=int, default=100_000)
    options = parser.parse_args()
    with serving(options.server, 0.0) as server, tempfile.TemporaryDirectory() as folder:
        few = project(Path(folder) / "few", server.base_url, FEW)
        many = project(Path(folder) / "many", server.base_url, options.cases)
        small = run(few, "run", "-q")
        show(f"{FEW:,} cases", small)
        start = run(many, "run", "-q", "--max-calls", str(options.cases * 2 * 9 // 10))
        show(f"{options.cases:,} cases, 90 %", start)
        moment = datetime.now(UTC)
        rest = run(many, "run", "-q")
        show("the rest", rest)
        print(f"memory {max(start.memory, rest.memory) / small.memory:.2f} times that of {FEW:,} cases")
        print(f"first call of the rest after {first_call_after(many, moment):.1f} s")


if __name__ == "__main__":
    main()
