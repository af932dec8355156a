"""Many processes at one prompt store. `python -m tests.bench.store_soak [--seconds 60] [--processes 16] [--kills 0]`

Each opens the store, reads a prompt and its history and promotes a version, again and again, all of them the same two
prompts. At the end: whether any of them was told that the store is locked, or anything else but "stale evidence";
whether every promotion that was answered is an event, and no other; whether chain, view and mirror are as written. With
`--kills` so many of them die by `kill -9` at random moments, each replaced by a new one. Exits 1 where a promise is
broken.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from promptbench.store.chain import Ledger
from promptbench.store.mirror import Mirror
from tests.store.kit import adopt, child, open_store

PROMPTS = ("triage", "entities")


@dataclass
class Soaked:
    """What the processes did together. `longest` is the longest that one promotion took, in seconds."""

    won: int = 0
    stale: int = 0
    read: int = 0
    killed: int = 0
    events: int = 0
    longest: float = 0.0
    broken: list[str] = field(default_factory=list)


def soak(folder: Path, processes: int, seconds: float, kills: int = 0, draw: random.Random | None = None) -> Soaked:
    """Runs the processes on an empty folder, and looks at what they leave."""
    done = Soaked()
    with open_store(folder) as store:
        for prompt in PROMPTS:
            adopt(store, prompt, "start\n")
    began = time.monotonic()
    draw = draw or random.Random(1)
    moments = sorted(draw.uniform(0.05, 0.95) * seconds for _ in range(kills))
    running = [child("promote", str(folder), str(seconds), f"worker-{n}") for n in range(processes)]
    for moment in moments:
        time.sleep(max(0.0, began + moment - time.monotonic()))
        victim = running.pop(draw.randrange(len(running)))
        victim.kill()
        victim.communicate()
        done.killed += 1
        left = began + seconds - time.monotonic()
        running.append(child("promote", str(folder), f"{left:.1f}", f"after-{done.killed}"))
    for process in running:
        _take(done, process)
    _look(done, folder)
    return done


def _take(done: Soaked, process: subprocess.Popen[str]) -> None:
    said, complaint = process.communicate(timeout=120)
    if complaint or process.returncode:
        done.broken.append(f"exit {process.returncode}: {complaint.strip()}")
        return
    counts = json.loads(said)
    done.won += counts["won"]
    done.stale += counts["stale"]
    done.read += counts["read"]
    done.longest = max(done.longest, counts["longest"])


def _look(done: Soaked, folder: Path) -> None:
    with open_store(folder) as store:
        for prompt in PROMPTS:
            events = store.history(prompt)
            ledger = Ledger(prompt, events)
            done.events += len(events) - 1
            if {label: version.hash for label, version in store.labels(prompt).items()} != ledger.labels:
                done.broken.append(f"{prompt}: the view says something else than the events")
            if Mirror(folder / "text").event_names(prompt) != [event.file_name for event in events]:
                done.broken.append(f"{prompt}: the mirror has other events")
        done.broken += [finding.message for finding in store.verify()]
    # Who was killed may have promoted and told nobody.
    if done.events < done.won or (done.events != done.won and not done.killed):
        done.broken.append(f"{done.won} promotions were answered, {done.events} are on record")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "prompt_store"
        done = soak(folder, options.processes, options.seconds, options.kills, random.Random(options.seed))
    print(
        f"{options.processes} processes, {options.seconds:.0f} s, {done.killed} killed: "
        f"{done.won} promotions answered, {done.events} on record, "
        f"{done.stale} stale, {done.read} reads, the longest promotion {done.longest:.2f} s"
    )
    for what in done.broken:
        print(f"BROKEN: {what}")
    return 1 if done.broken else 0


if __name__ == "__main__":
    sys.exit(main())
