"""What reading costs, and what it costs a promotion. `python -m tests.bench.reading [--promotes 50] [--rounds 5]`

The CPU time to import `promptbench.client` beside what it needs of the standard library, and with a first `get` and
rendering; a label's read with nothing kept; promotions alone, while two processes read as fast as they can, and while
two compute, which takes as much of the machine. Bounded by its counts: about half a minute.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from promptbench.client import PromptClient
from promptbench.project import version_of
from promptbench.store.prompts import Store

SOURCE = "Which team is this for? Version {n}. {{{{message}}}}\n"
READ = """
import sys, time
from promptbench.client import PromptClient
client = PromptClient(sys.argv[1], ttl=0, timeout=30)
print("ready", flush=True)
while True:
    assert not client.get("triage").stale
"""
COMPUTE = "print('ready', flush=True)\nwhile True: pass"
STANDARD = "dataclasses, enum, hashlib, json, pathlib, sqlite3, threading, typing"
"""What of it the client needs; most applications have it all in memory already."""
USE = "import promptbench.client as c; c.PromptClient({folder!r}).get('triage').render(message='x')"


def imported(code: str) -> float:
    """Milliseconds of CPU time that a new process takes for `code`, without its own start."""
    timed = f"import time; start = time.process_time()\n{code}\nprint((time.process_time() - start) * 1000)"
    done = subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)
    return float(done.stdout)


def promote(store: Store, number: int) -> float:
    source = SOURCE.format(n=number)
    champion = store.labels("triage")["production"].hash
    proof = {"schema_version": 1, "prompt": "triage", "candidate": version_of(source)[0], "champion": champion}
    start = time.perf_counter()
    store.promote("triage", source, evidence={**proof, "verdict": {"result": "PASS", "sentence": ""}}, actor="bench")
    return (time.perf_counter() - start) * 1000


def promotes_beside(store: Store, code: str, folder: Path, numbers: range) -> list[float]:
    """Milliseconds of each promotion while two processes run `code`."""
    others = [
        subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        for other in others:
            assert other.stdout is not None
            assert other.stdout.readline() == "ready\n"
        taken = [promote(store, number) for number in numbers]
        assert all(other.poll() is None for other in others)
        return taken
    finally:
        for other in others:
            other.kill()
            other.wait()
            assert other.stdout is not None
            other.stdout.close()


def told(name: str, values: dict[str, list[float]]) -> None:
    floor = median(next(iter(values.values())))
    for side, figures in values.items():
        most = max(figures)
        print(f"{name:<10} {side:<28} {median(figures):8.2f} ms  {median(figures) / floor:5.2f}  most {most:8.2f} ms")


def in_turn(sides: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, measure in sides.items():
            values[side].append(measure())
    return values


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--promotes", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "prompt_store"
        with Store.open(folder, hash_of=version_of, rejudge=lambda evidence: []) as store:
            store.adopt("triage", SOURCE.format(n=0), actor="bench", reason="bench")
            sides = {
                "the standard library": lambda: imported(f"import {STANDARD}"),
                "promptbench.client": lambda: imported("import promptbench.client"),
                "and get, render": lambda: imported(USE.format(folder=str(folder))),
            }
            told("import", in_turn(sides, given.rounds))
            client = PromptClient(folder, ttl=0)
            reads = []
            for _ in range(500):
                start = time.perf_counter()
                client.get("triage")
                reads.append((time.perf_counter() - start) * 1000)
            told("read", {"a label": reads})
            alone = [promote(store, 1 + n) for n in range(given.promotes)]
            computing = promotes_beside(store, COMPUTE, folder, range(1001, 1001 + given.promotes))
            reading = promotes_beside(store, READ, folder, range(2001, 2001 + given.promotes))
            told("promote", {"alone": alone, "while two compute": computing, "while two read": reading})


if __name__ == "__main__":
    main()
