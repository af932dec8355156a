"""A project whose answers a judge on loopback looks at, for tests of rubrics from the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tests.helpers.fake_openai import FakeOpenAI, Step, completion
from tests.helpers.project import Ended, ProjectFolder

FOLDER = "suites/support"
JUDGE = "openai/judge-1"
CRITERION = "the answer apologises"
SUITE = f"""\
suite: support
prompt: support.kind.prompt
models: [openai/fake]
checks:
  - rubric: {{judge: {JUDGE}, passes if: {CRITERION}}}
  - not contains: lawyer
cases:
"""
CASES = [f"complaint {number}" for number in range(1, 11)]
PLAIN = "Answer this customer. {{message}}\n"
KIND = "Answer this customer and apologise. {{message}}\n"

Verdict = Callable[[str], "str | Step"]
"""What a judge says of an answer."""


def suite() -> str:
    cases = "".join(f"  - case: {name}\n    vars: {{message: about {name}}}\n" for name in CASES)
    return f"{SUITE}{cases}gate: {{repeats: 1}}\n"


def judged_text(body: dict[str, Any]) -> str:
    """The answer in a question to a judge."""
    found = re.search(r"BEGIN ANSWER (\w{32})\n(.*)\nEND ANSWER \1", body["messages"][-1]["content"], re.DOTALL)
    assert found is not None
    return found[2]


def says(verdict: str | int, reason: str = "so it seems") -> str:
    return json.dumps({"reason": reason, "verdict": verdict})


def by_sorry(answer: str) -> str:
    """A judge that is right about apologies."""
    return says("pass" if "sorry" in answer.lower() else "fail")


def kind_model(body: dict[str, Any]) -> str:
    """A model that apologises where the prompt asks it to."""
    text = body["messages"][-1]["content"]
    about = text.rpartition("about ")[2].strip()
    return f"Sorry about {about}." if "apologise" in text else f"Noted: {about}."


def served(verdict: Verdict = by_sorry, model: Callable[[dict[str, Any]], str | Step] = kind_model) -> Any:
    """The script of a server that is model and judge."""

    def script(body: dict[str, Any]) -> str | Step:
        return verdict(judged_text(body)) if body["model"].startswith("judge") else model(body)

    return script


def answered_as(name: str, text: str) -> Step:
    return Step(json.dumps(completion(text) | {"model": name}).encode())


def set_up(project: ProjectFolder, server: FakeOpenAI) -> None:
    """Production is curt and the candidate kind, which only the judge can tell."""
    server.script = served()
    project.write(f"{FOLDER}/suite.yaml", suite())
    project.write(f"{FOLDER}/support.plain.prompt", PLAIN)
    project.write(f"{FOLDER}/support.kind.prompt", KIND)
    ended = project.run("adopt", f"{FOLDER}/support.plain.prompt", "--reason", "in use")
    assert ended.code == 0, ended.err


def agree(project: ProjectFolder, *more: str) -> Ended:
    """Twenty answers, labelled as whether they apologise."""
    rows = [{"case": name, "answer": f"Sorry about {name}.", "label": "pass"} for name in CASES]
    rows += [{"case": name, "answer": f"Noted: {name}.", "label": "fail"} for name in CASES]
    project.write(f"{FOLDER}/labels.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return project.run("suite", "agreement", FOLDER, "--labels", f"{FOLDER}/labels.jsonl", *more)


def to_judge(server: FakeOpenAI) -> list[dict[str, Any]]:
    """What judges were asked."""
    return [item.body for item in server.received if item.body["model"].startswith("judge")]


def to_model(server: FakeOpenAI) -> list[dict[str, Any]]:
    """What the model was asked."""
    return [item.body for item in server.received if not item.body["model"].startswith("judge")]
