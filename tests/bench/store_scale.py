"""Reading a large store. `python -m tests.bench.store_scale [--versions 10000] [--prompts 500]`

Builds a store by as many promotions, then runs `get`, `prompts history` and `prompts diff` there and on a store of one
prompt with three versions. Measured is CPU time beyond start-up: a process runs the command once, then again and again
with all that it imports in memory, each time beside `--version`. With `--longest` one prompt, which is then read,
has so many versions more than the others. Exits 1 where a command takes more than 50 ms.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from promptbench.core.types import Json
from promptbench.project import version_of
from promptbench.store.prompts import Store

_PROMISE = 50.0
"""Milliseconds."""
_TEXT = """\
---
config: {{temperature: 0}}
output: {{schema: {{team: string}}}}
---
{{{{role "system"}}}}
Answer with JSON. This is {prompt}, wording {number}.
{{{{role "user"}}}}
{{{{message}}}}
"""


def build(folder: Path, prompts: int, versions: int, longest: int) -> int:
    """Adopts a first version of every prompt and promotes the others in turn. Returns how many versions there are."""
    with Store.open(folder, hash_of=version_of, rejudge=lambda evidence: []) as store:
        made = 0
        for index in range(prompts):
            prompt = f"prompt-{index:04d}"
            champion = None
            for number in range(1, versions // prompts + (longest if index == 0 else 0) + 1):
                source = _TEXT.format(prompt=prompt, number=number)
                champion = _put(store, prompt, source, champion)
                made += 1
    return made


def _put(store: Store, prompt: str, source: str, champion: str | None) -> str:
    if champion is None:
        event = store.adopt(prompt, source, actor="ci", reason="in use")
    else:
        event = store.promote(prompt, source, evidence=_proof(prompt, version_of(source)[0], champion), actor="ci")
    return str(event.to_hash)


def _proof(prompt: str, candidate: str, champion: str) -> Json:
    """What the store reads of evidence, and as many attempts as a small suite has."""
    return {
        "schema_version": 1,
        "prompt": prompt,
        "candidate": candidate,
        "champion": champion,
        "verdict": {"result": "PASS", "sentence": "PASS: 2 of 2 fixed", "initial": False},
        "attempts": [
            {"case": f"case-{case}", "model": "openai/m", "k": k, "outcome": "passed"}
            for case in range(10)
            for k in range(3)
        ],
    }


def measure(large: Path, small: Path, rounds: int, prompt: str) -> Iterator[tuple[str, float, float]]:
    """Each command with what it takes beyond start-up on the large store and on the small one: medians, in ms."""
    commands = [["get", prompt], ["get", f"{prompt}@2"], ["prompts", "history", prompt]]
    commands += [["prompts", "diff", f"{prompt}@1", prompt]]
    for words in commands:
        yield " ".join(words), *(_beyond_start(root, words, rounds) for root in (large, small))


_AGAIN = """
import contextlib, io, json, statistics, sys, time
from promptbench.cli.app import run
def timed(words):
    began = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        assert run(words) in (0, 1)
    return (time.process_time() - began) * 1000
timed(sys.argv[2:])
print(statistics.median(timed(sys.argv[2:]) - timed(["--version"]) for _ in range(int(sys.argv[1]))))
"""


def _beyond_start(root: Path, words: list[str], rounds: int) -> float:
    """Milliseconds of CPU time that a command takes more than `--version` in a process that has imported it all."""
    done = subprocess.run(
        [sys.executable, "-c", _AGAIN, str(rounds), *words], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode or done.stderr:
        raise SystemExit(f"promptbench {' '.join(words)}: exit {done.returncode}\n{done.stderr}")
    return float(done.stdout)


def _project(root: Path, prompts: int, versions: int, longest: int) -> int:
    root.mkdir()
    (root / "promptbench.toml").write_text("", encoding="utf-8")
    return build(root / "prompt_store", prompts, versions, longest)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=10_000, help="in all, at first the same for each prompt")
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--longest", type=int, default=0, help="versions that the first prompt has beyond the others")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    # Building waits for the disk at every commit; reading is from memory anyway.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as top:
        large, small = Path(top) / "large", Path(top) / "small"
        began = time.perf_counter()
        made = _project(large, options.prompts, options.versions, options.longest)
        seconds = time.perf_counter() - began
        size = (large / "prompt_store" / "prompts.sqlite").stat().st_size / 1e6
        print(f"{made} versions of {options.prompts} prompts, built in {seconds:.0f} s, {size:.0f} MB")
        _project(small, 1, 3, 0)
        slow = False
        for name, on_large, on_small in measure(large, small, options.rounds, "prompt-0000"):
            slow |= on_large > _PROMISE
            print(f"{name:42} {on_large:5.1f} ms beyond start-up, {on_large / on_small:.2f} times as on the small one")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
