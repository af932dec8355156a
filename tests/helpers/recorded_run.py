"""A project with a suite of any size and finished runs of it, written into the record without a call."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from promptbench import __version__
from promptbench.core.canonical import digest
from promptbench.core.clock import now
from promptbench.core.types import Answer, Attempt, AttemptKey, CacheMode, Outcome, Usage
from promptbench.engine.prepare.prepared_suite import PreparedSuite
from promptbench.engine.scoring import score_attempt
from promptbench.project import Project, Selection
from promptbench.store.runs import RunVariant
from promptbench.workflows.judge.execute import _facts, plan_hash, prices_of, run_cases
from promptbench.workflows.store.labels import Who, adopt

TEAMS = ("billing", "technical", "delivery", "other")
_WORDS = tuple(
    "order parcel invoice twice charged late broken screen refund password login street Tuesday please help".split()  # noqa: SIM905
)
_SUITE = """\
suite: support
prompt: support.better.prompt
models: [{models}]
checks: [json]
cases: cases.jsonl
gate: {{repeats: {repeats}, margin: 2%}}
"""
_PROMPT = """\
---
output: {{schema: {{team: string, why: string}}}}
---
{{{{role "system"}}}}
{rule}
{{{{role "user"}}}}
{{{{message}}}}
"""


def write(root: Path, cases: int, models: int = 1, repeats: int = 1, texts: Sequence[str] = ()) -> Path:
    """Write the project with a prompt in production and a better one, and return its folder.

    The first cases have these texts as name, input and tag.
    """
    dice = random.Random(7)
    folder = root / "suites" / "support"
    folder.mkdir(parents=True)
    servers = '[providers.openai_compatible.servers.local]\nbase_url = "http://127.0.0.1:9/v1"\napi_key_env = ""\n'
    (root / "promptbench.toml").write_text(servers, encoding="utf-8")
    names = ", ".join(f"openai_compatible/local/m{number}" for number in range(models))
    (folder / "suite.yaml").write_text(_SUITE.format(models=names, repeats=repeats), encoding="utf-8")
    for one, rule in {"plain": "Which team?", "better": "Name the team that answers. Say why in a sentence."}.items():
        (folder / f"support.{one}.prompt").write_text(_PROMPT.format(rule=rule), encoding="utf-8")
    with (folder / "cases.jsonl").open("w", encoding="utf-8") as file:
        for number in range(cases):
            message = " ".join(dice.choices(_WORDS, k=40))
            name, tags = f"case {number:05}", ["german"] if number % 3 == 0 else []
            if number < len(texts):
                name, message, tags = texts[number], texts[number], [texts[number]]
            case = {"case": name, "vars": {"message": message}, "expect": {"team": TEAMS[number % 4]}, "tags": tags}
            file.write(json.dumps(case) + "\n")
    adopt(Project.open(root, {}), folder / "support.plain.prompt", label="production", who=Who("Ada", "in use"))
    return root


def record(root: Path, seed: int = 1, finished: bool = True, share: float = 1.0) -> str:
    """Record a run of the suite with answers of some 60 words, of which one in twenty differs, and return its name."""
    project = Project.open(root, {})
    with project.prompts() as store, project.runs() as runs:
        [prepared], _ = project.assemble(Selection(), store=store, runs=runs, without_keys=True)
        selection: dict[str, list[str]] = {"prompt": [], "model": [], "case": [], "tag": []}
        facts = _facts(
            project, prepared, prices_of(project, prepared.reachable), runs, "promptbench run", selection, CacheMode.OFF
        )
        variants = [RunVariant(item.hash, item.side, item.label, item.prompt.source) for item in prepared.variants]
        plan = f"{plan_hash(prepared, CacheMode.OFF)}{seed}"
        info, _ = runs.start(plan, prepared.suite.name, prepared.prompt_name, facts, variants, __version__)
        runs.cases().keep(info.id, run_cases(prepared))
        batch = []
        for attempt in _attempts(prepared, random.Random(seed), share):
            batch.append((attempt, False))
            if len(batch) == 1000:
                runs.add(info.id, batch)
                batch = []
        runs.add(info.id, batch)
        if finished:
            sentence = "1 case broken: the candidate fails where production passed"
            runs.finish(info.id, "FAIL", f"FAIL: {sentence}")
    return info.id


def _attempts(prepared: PreparedSuite, dice: random.Random, share: float) -> Iterator[Attempt]:
    names = list(prepared.cases.names)
    for name in names[: int(share * len(names))]:
        case = prepared.cases[name]
        number = prepared.cases.numbers[name]
        for model in prepared.models:
            for variant in prepared.prompts_of(model):
                for repeat in range(prepared.suite.gate.repeats):
                    team = TEAMS[number % 4] if dice.random() > 0.05 else "sales"
                    why = " ".join(dice.choices(_WORDS, k=50))
                    if not name.startswith("case "):
                        team, why = name, name
                    text = json.dumps({"team": team, "why": why}, ensure_ascii=False)
                    if dice.random() < 0.02:
                        text = f"Here you are:\n```json\n{text}\n```"
                    answer = Answer(text, "m", {}, Usage(90, 70), "stop", dice.lognormvariate(6, 0.5))
                    key = AttemptKey(variant.hash if variant else "", model.name, name, repeat)
                    asked = digest([name, repeat, model.name])
                    attempt = Attempt(key, Outcome.PASSED, asked, answer, cost=0.0005, started=now())
                    yield score_attempt(prepared, case, attempt)
