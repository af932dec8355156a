"""The gate over full runs: `python -m tests.bench.gate_over_http [--runs N] [--only TEXT]`.

Each run is a fresh project, `adopt` and `promptbench run` as a user types them, against an HTTP model on loopback that
passes each case with a known rate, by prompt. Prints how many runs ended in each verdict, and calls by the screen.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptbench.cli.app import run
from tests.helpers.fake_openai import Body, FakeOpenAI

Group = tuple[int, float, float]
"""How many cases, production's pass rate, the candidate's."""
_RESULTS = {0: "PASS", 1: "FAIL", 4: "NO VERDICT", 6: "INCONCLUSIVE"}


@dataclass(frozen=True)
class Scene:
    """`again` is how often a candidate is run until it passes, as it is or, with `copies`, as near-copies."""

    name: str
    groups: Sequence[Group]
    promise: str
    again: int = 1
    copies: bool = False


SCENES = (
    Scene("same prompt, noise .3, 40 cases", [(40, 0.7, 0.7)], "PASS with a fix at most twice in 30"),
    Scene("1 of 20 cases .75 → 0", [(1, 0.75, 0.0), (19, 1, 1)], "no PASS"),
    Scene("1 of 20 cases .75 → 0, five times in a row", [(1, 0.75, 0.0), (19, 1, 1)], "no PASS", again=5),
    Scene("1 of 20 cases .75 → 0, five near-copies", [(1, 0.75, 0.0), (19, 1, 1)], "no PASS", again=5, copies=True),
    Scene("30 cases 1 → .8, 1 fix", [(1, 0.0, 1.0), (30, 1, 0.8)], "no PASS"),
    Scene("3 fixes, 30 cases at .98", [(3, 0.0, 1.0), (30, 0.98, 0.98)], "PASS in 19 of 20"),
)


def script(rates: Sequence[tuple[float, float]], chance: random.Random) -> Callable[[Body], str]:
    def answer(body: Body) -> str:
        text = body["messages"][-1]["content"]
        rate = rates[int(text.rsplit(" ", 1)[1])]["candidate" in text]
        return json.dumps({"ok": chance.random() < rate})

    return answer


def write(count: int, url: str) -> None:
    Path("promptbench.toml").write_text(f'[providers.openai]\nbase_url = "{url}"\n', encoding="utf-8")
    cases = "".join(f"  - case: c{n}\n    vars: {{number: {n}}}\n    expect: {{ok: true}}\n" for n in range(count))
    folder = Path("suites/s")
    folder.mkdir(parents=True)
    head = "suite: s\nprompt: s.candidate.prompt\nmodels: [openai/fake]\nchecks: [json]\ncases:\n"
    (folder / "suite.yaml").write_text(head + cases, encoding="utf-8")
    (folder / "s.production.prompt").write_text("production {{number}}\n", encoding="utf-8")
    (folder / "s.candidate.prompt").write_text("candidate {{number}}\n", encoding="utf-8")


def quiet(*words: str) -> tuple[int, str]:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
        return int(run(list(words))), out.getvalue()


def one_run(scene: Scene, seed: int) -> tuple[str, float]:
    rates = [(old, new) for count, old, new in scene.groups for _ in range(count)]
    with tempfile.TemporaryDirectory() as folder, FakeOpenAI(script(rates, random.Random(seed))) as server:
        os.chdir(folder)
        write(len(rates), server.base_url)
        quiet("adopt", "suites/s/s.production.prompt", "--reason", "in use")
        result = ""
        for number in range(scene.again):
            if scene.copies:
                text = f"candidate{' ' * number} {{{{number}}}}\n"
                Path("suites/s/s.candidate.prompt").write_text(text, encoding="utf-8")
            code, out = quiet("run", "-q")
            result = _RESULTS.get(code, str(code))
            if result == "PASS":
                last = out.strip().splitlines()[-1]
                result = "PASS with a fix" if "fixed " in last and "fixed 0" not in last else result
                break
        os.chdir("/")
        return result, len(server.received) / (6 * len(rates))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    os.environ.setdefault("OPENAI_API_KEY", "k")
    print("| full runs over HTTP | verdicts | calls by the screen | promised |\n|---|---|---|---|")
    for scene in SCENES:
        if options.only not in scene.name:
            continue
        found = [one_run(scene, seed) for seed in range(options.runs)]
        counts = Counter(result for result, _ in found)
        calls = sum(calls for _, calls in found) / len(found)
        said = ", ".join(f"{count} {result}" for result, count in counts.most_common())
        print(f"| {scene.name} | {said} | {calls:.2f} | {scene.promise} |", flush=True)


if __name__ == "__main__":
    main()
