"""How fast recorded answers are scored again, beside the bare libraries. `python -m tests.bench.rescoring [ANSWERS …]`

[--repeats 3] [--profile] [--cores]

Two sides on the same documents of 2 to 4 KB and the same schema of some 25 fields, each in a process of its own on one
core: `promptbench runs rescore` with json, json schema and contains on a record with so many answers, and a loop of
`json.loads` and one jsonschema validator that is built once. Of each: CPU seconds (user + system) net of what a process
with ten answers takes, so that start-up is in neither; answers a second; and the peak of memory. Without numbers:
1,000, 10,000 and 100,000 answers, of which the largest needs 2 GB of disk and some minutes to prepare.

Each case has as many answers as `--repeats` says, by default the gate's own 3. A case takes some memory, an answer
none: 1 is the worst. `--profile` prints where the time of the first side goes. `--cores` compares `runs rescore` on one
core with itself on all of them instead: by the clock, on a machine that does nothing else, and by the CPU seconds of
the process that reads and writes the record. 100,000 answers take about three minutes.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promptbench import __version__
from promptbench.core.canonical import digest
from promptbench.core.clock import now
from promptbench.core.types import Answer, Attempt, AttemptKey, CacheMode, Json, Outcome, Usage
from promptbench.engine.prepare.options import Selection
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.engine.scoring import score_attempt
from promptbench.project import Project
from promptbench.store.runs import RunStore, RunVariant
from promptbench.workflows.judge.execute import _facts, plan_hash, prices_of

_SMALL = 12
_SIZES = (1_000, 10_000, 100_000)
_TEXT = {"type": "string", "minLength": 1, "maxLength": 2000}
_ITEM = {
    "type": "object",
    "properties": {
        "sku": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
        "name": _TEXT,
        "quantity": {"type": "integer", "minimum": 1},
        "price": {"type": "number", "minimum": 0},
        "status": {"enum": ["ordered", "shipped", "returned"]},
    },
    "required": ["sku", "name", "quantity", "price", "status"],
    "additionalProperties": False,
}
_ADDRESS = {
    "type": "object",
    "properties": {"street": _TEXT, "town": _TEXT, "postcode": _TEXT, "country": {"type": "string", "minLength": 2}},
    "required": ["street", "town", "country"],
    "additionalProperties": False,
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "team": {"enum": ["billing", "delivery", "other"]},
        "urgency": {"type": "integer", "minimum": 1, "maximum": 5},
        "summary": _TEXT,
        "language": {"type": ["string", "null"]},
        "customer": {
            "type": "object",
            "properties": {"name": _TEXT, "email": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
            "required": ["name", "email", "address"],
            "additionalProperties": False,
        },
        "delivery": {"$ref": "#/$defs/address"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1, "maxItems": 50},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "refund": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
    },
    "required": ["id", "team", "urgency", "summary", "customer", "items"],
    "additionalProperties": False,
    "$defs": {"address": _ADDRESS, "item": _ITEM},
}
_WORDS = [
    "parcel",
    "invoice",
    "charged",
    "twice",
    "broken",
    "late",
    "refund",
    "street",
    "order",
    "number",
    "lamp",
    "chair",
]
_SUITE = """\
suite: rescoring
prompt: rescoring.prompt
models: [openai/gpt-4o-mini]
checks: [json, json schema: output, contains: team]
cases: cases.jsonl
gate: {{repeats: {repeats}, format floor: 50%, answer floor: 50%}}
"""


def document(number: int) -> str:
    """An answer as a model would write it; one in a hundred does not fit the schema."""
    at = random.Random(number)

    def words(count: int) -> str:
        return " ".join(at.choices(_WORDS, k=count))

    address = {"street": words(3), "town": words(1), "postcode": str(at.randint(10000, 99999)), "country": "DE"}
    data: dict[str, Json] = {
        "id": f"case-{number}",
        "team": at.choice(["billing", "delivery", "other"]),
        "urgency": 9 if number % 100 == 7 else at.randint(1, 5),
        "summary": words(at.randint(60, 120)),
        "language": at.choice(["en", None]),
        "customer": {"name": words(2), "email": f"jo{number}@example.com", "address": address},
        "delivery": address,
        "items": [
            {
                "sku": f"AB-{at.randint(1000, 9999)}",
                "name": words(at.randint(6, 14)),
                "quantity": at.randint(1, 9),
                "price": round(at.uniform(1, 200), 2),
                "status": at.choice(["ordered", "shipped", "returned"]),
            }
            for _ in range(at.randint(6, 12))
        ],
        "tags": at.sample(_WORDS, 4),
        "refund": at.choice([None, 12.5]),
    }
    return json.dumps(data)


def prepare(root: Path, answers: int, repeats: int) -> None:
    """A project with a run of as many answers on record, and the same answers in a file."""
    folder = root / "suites" / "rescoring"
    folder.mkdir(parents=True)
    (root / "promptbench.toml").write_text("", encoding="utf-8")
    head = json.dumps({"output": {"schema": SCHEMA}})
    prompt = f"---\n{head}\n---\nSort this message and answer with one JSON object: {{{{message}}}}\n"
    (folder / "rescoring.prompt").write_text(prompt, encoding="utf-8")
    (folder / "suite.yaml").write_text(_SUITE.format(repeats=repeats), encoding="utf-8")
    with (folder / "cases.jsonl").open("w", encoding="utf-8") as file:
        for number in range(answers // repeats):
            message = f"case-{number} is about a parcel that came late, and I was charged twice for it."
            file.write(json.dumps({"case": f"case-{number}", "vars": {"message": message}}) + "\n")
    with (root / "documents.jsonl").open("w", encoding="utf-8") as file:
        for number in range(answers // repeats * repeats):
            file.write(json.dumps(document(number)) + "\n")
    workspace = Project.open(root, {"OPENAI_API_KEY": "none"})
    with workspace.prompts() as store, workspace.runs() as runs:
        [prepared], _ = workspace.assemble(Selection(), store=store, runs=runs)
        _record(workspace, prepared, runs)


def _record(workspace: Project, prepared: PreparedSuite, runs: RunStore) -> None:
    selection = {"prompt": [], "model": [], "case": [], "tag": []}
    prices = prices_of(workspace, prepared.reachable)
    facts = _facts(workspace, prepared, prices, runs, "promptbench run", selection, CacheMode.OFF)
    variants = [RunVariant(item.hash, item.side, item.label, item.prompt.source) for item in prepared.variants]
    plan = plan_hash(prepared, CacheMode.OFF)
    info, _ = runs.start(plan, prepared.suite.name, prepared.prompt_name, facts, variants, __version__)
    batch = []
    for attempt in _attempts(prepared):
        batch.append((attempt, False))
        if len(batch) == 500:
            runs.add(info.id, batch)
            batch = []
    runs.add(info.id, batch)
    runs.finish(info.id, "PASS", "")


def _attempts(bench: PreparedSuite) -> Iterator[Attempt]:
    [variant], [model], repeats = bench.variants, bench.models, bench.suite.gate.repeats
    for place, name in enumerate(bench.cases.names):
        case = bench.cases[name]
        for repeat in range(repeats):
            request = digest(bench.request(model, variant, case, repeat).as_dict())
            text = document(place * repeats + repeat)
            answer = Answer(text, "gpt-4o-mini-2024-07-18", {"temperature": 0}, Usage(900, 700), "stop", 812.5)
            key = AttemptKey(variant.hash, model.name, name, repeat)
            attempt = Attempt(key, Outcome.PASSED, request, answer, cost=0.0005, started=now())
            yield score_attempt(bench, case, attempt)


def ours() -> None:
    """`promptbench runs rescore`, in this process."""
    from promptbench.cli.app import run

    gc.set_threshold(100_000, 20, 20)  # as in `promptbench.__main__`
    assert run(["runs", "rescore"]) == 0


def floor() -> None:
    """The bare libraries, in this process."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(SCHEMA)
    fitting = total = 0
    with Path("documents.jsonl").open(encoding="utf-8") as file:
        for line in file:
            # A record keeps its answers as texts; reading one out of the file is not what is measured.
            text = json.loads(line)
            fitting += validator.is_valid(json.loads(text))
            total += 1
    assert 0.9 <= fitting / total <= 1


def _measured(side: str, root: Path, *arguments: str, profile: bool = False) -> tuple[float, float]:
    """CPU seconds and peak memory in MB of one side, on one core where that can be had."""
    command = [sys.executable, *(["-m", "cProfile", "-s", "tottime"] if profile else []), "-m", "tests.bench.rescoring"]
    environ = {**os.environ, "OPENAI_API_KEY": "none", "PYTHONPATH": str(Path(__file__).parents[2])}
    command += ["--side", side, *arguments]
    ended = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    if profile:
        print(ended.stdout[ended.stdout.index("function calls") - 20 :][:6000])
    seconds, kilobytes = ended.stderr.splitlines()[-1].split()
    return float(seconds), float(kilobytes) / 1024


def _print_cores(answers: int, repeats: int) -> None:
    """Print the seconds by the clock of one core and of all cores, including the start of the program."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _measured("prepare", root, str(answers), "--repeats", str(repeats))
        taken = []
        for more in ([], ["--cores"]):
            began = time.perf_counter()
            busy, _ = _measured("promptbench", root, *more)
            taken.append((time.perf_counter() - began, busy))
    (one, alone), (every, shared) = taken
    print(f"{answers:>8,}  one core {one:.1f} s, all {os.cpu_count()} cores {every:.1f} s: {one / every:.2f} times;")
    print(f"{'':>8}  CPU of the busiest process {alone:.1f} s and {shared:.1f} s: {alone / shared:.2f} times")


def _alone(side: str, answers: int, repeats: int) -> None:
    """One side in this process, in the current folder; what it took goes to stderr."""
    if side == "prepare":
        prepare(Path.cwd(), answers, repeats)
    else:
        if hasattr(os, "sched_setaffinity") and "--cores" not in sys.argv:
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        {"promptbench": ours, "floor": floor}[side]()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, _peak(), file=sys.stderr)


def _peak() -> int:
    """Kilobytes of this process alone: what `getrusage` says includes the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("answers", nargs="*", type=int, default=_SIZES)
    parser.add_argument("--side", choices=["prepare", "promptbench", "floor"], help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--cores", action="store_true")
    given = parser.parse_args()
    if given.side:
        _alone(given.side, given.answers[0], given.repeats)
        return
    if given.cores:
        for answers in given.answers:
            _print_cores(answers, given.repeats)
        return
    print(f"{'answers':>8}  {'side':<12} {'CPU s, net':>10} {'answers/s':>10} {'peak MB':>8}  speed beside the floor")
    start: dict[str, float] = {}
    for answers in (_SMALL, *given.answers):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            _measured("prepare", root, str(answers), "--repeats", str(given.repeats))
            if given.profile and answers != _SMALL:
                _measured("promptbench", root, profile=True)
            taken = {side: _measured(side, root) for side in ("promptbench", "floor")}
        if answers == _SMALL:
            start = {side: seconds for side, (seconds, _) in taken.items()}
            continue
        net = {side: seconds - start[side] for side, (seconds, _) in taken.items()}
        for side, (_, peak) in taken.items():
            ratio = f"{net['floor'] / net[side]:.2f}"
            print(f"{answers:>8,}  {side:<12} {net[side]:>10.2f} {answers / net[side]:>10,.0f} {peak:>8.0f}  {ratio}")


if __name__ == "__main__":
    main()
