"""A project whose answers a judge on loopback looks at, for tests of rubrics from the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tests.helpers.fake_openai import Step, completion

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


def suite(cases: list[str] = CASES, **changes: str) -> str:
    text = SUITE + "".join(f"  - case: {name}\n    vars: {{message: about {name}}}\n" for name in cases)
    for old, new in changes.items():
        text = text.replace(old, new)
    return text + "gate: {repeats: 1}\n"


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
