"""What an import takes, beside the floor: `json.loads` on each line, and `executemany` of what it has into SQLite.

    python -m tests.bench.importing [RECORDS]

Records of some 700 bytes; every tenth has an e-mail address and a telephone number, every fiftieth a card, every
twenty-fifth failed, and another twenty-fifth mentions a password and a birthday, without one. The time is CPU time of a
process of its own, start-up included; so is the peak of its memory, which must be the same for a tenth of the records.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

TEXT = """
the customer says that her parcel has not come yet and she would like to know where it is because the party is
tomorrow please help us with this order refund invoice late broken colour box again wrong size
"""
WORDS = TEXT.split()


def record(index: int) -> dict[str, Any]:
    text = " ".join(random.choices(WORDS, k=45))
    if index % 10 == 0:
        text += f" write to ann{index % 5000}@acme.com or call +49 170 {index % 10**7:07d}"
    if index % 50 == 0:
        text += " card 4111 1111 1111 1111"
    if index % 25 == 7:
        text += " I forgot my password, and my birthday is near"
    failed = index % 25 == 0
    return {
        "promptbench": "call/1",
        "id": f"chatcmpl-{index:08x}",
        "time": f"2026-11-{1 + index % 28:02d}T10:{index // 60 % 60:02d}:{index % 60:02d}Z",
        "prompt": "triage",
        "model": "openai/gpt-5-mini",
        "vars": {"message": text},
        "answer": f'{{"team": "billing", "order": "ORD-{100000 + index}"' + ("," if failed else "}"),
        "finish_reason": "stop",
        "usage": {"input_tokens": 200, "output_tokens": 10},
        "latency_ms": 700.5 + index % 100,
        "tags": ["prod"],
        "failed": "parse" if failed else None,
        "request": {"created": 1732459200 + index, "system_fingerprint": "fp_9f8a7b6c5d"},
    }


def write(path: Path, count: int) -> float:
    """Writes a log; its size in MB."""
    random.seed(7)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record(index)) + "\n" for index in range(count))
    return path.stat().st_size / 1e6


def bare(path: Path) -> float:
    """CPU seconds of the loop that nothing can be faster than."""
    start = time.process_time()
    with path.open("rb") as file, closing(sqlite3.connect(path.with_suffix(".floor"))) as database:
        database.execute("CREATE TABLE call (id TEXT PRIMARY KEY, answer TEXT, model TEXT, vars TEXT, raw TEXT)")
        while batch := list(islice(file, 1_000)):
            rows = [(line, json.loads(line)) for line in batch]
            with database:
                database.executemany(
                    "INSERT OR IGNORE INTO call VALUES (?, ?, ?, ?, ?)",
                    [(row["id"], row["answer"], row["model"], json.dumps(row["vars"]), line) for line, row in rows],
                )
    return time.process_time() - start


def imported(folder: Path, log: Path, *options: str) -> tuple[float, float, str]:
    """CPU seconds, MB at the peak, and the last line of an import into `folder`."""
    with (folder / "out").open("w+", encoding="utf-8") as out:
        command = [sys.executable, "-m", "promptbench", "import", str(log), *options]
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        out.seek(0)
        last = out.read().splitlines()[-1]
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, last


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    for part in (count // 10, count):
        with tempfile.TemporaryDirectory() as name:
            measure(Path(name), part)


def measure(folder: Path, count: int) -> None:
    size = write(folder / "log.jsonl", count)
    (folder / "promptbench.toml").write_text("", encoding="utf-8")
    floor = bare(folder / "log.jsonl")
    print(f"{count:,} records, {size:.0f} MB; the floor: {size / floor:.1f} MB/s of CPU time")
    for what, options in (
        ("import", ()),
        ("again", ()),
        ("not redacted", ("--no-redact",)),
        ("not redacted, not kept", ("--no-redact", "--dry-run")),
    ):
        if what == "not redacted":
            shutil.rmtree(folder / ".promptbench")
        seconds, memory, last = imported(folder, folder / "log.jsonl", *options)
        rate = f"{size / seconds:.1f} MB/s, {seconds / floor:.1f} x the floor, {memory:.0f} MB at the peak"
        print(f"  {what}: {rate}; {last.partition(';')[0]}")


if __name__ == "__main__":
    main()
