"""json: the answer is JSON.

What: passes when the answer reads as JSON at the level that the suite accepts (`accept:`). With `alone`, nothing may
    stand beside the JSON but a code fence around it, whatever the suite accepts.
When: the program behind the prompt parses the answer.
Options: none, or `alone`.
Example:
    checks: [json]
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from promptbench.checks._words import readable, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = {"enum": [None, "alone"]}

_FENCES = ("```json", "```Json", "```JSON", "```")


@dataclass(frozen=True, slots=True)
class IsJson:
    alone: bool

    def score(self, subject: Subject) -> Score:
        _, problem = readable(subject)
        if self.alone:
            problem = _beside(subject.text)
        return verdict("json", [problem] if problem else [])


def _beside(text: str) -> str | None:
    """Why an answer is not JSON alone.

    As IFEval has it (Zhou et al. 2023): a fence has no other name than json, and JSON is what Python takes for it, keys
    that are there twice and all; but NaN and Infinity, which it takes too, are no JSON.
    """
    text = text.strip()
    for fence in _FENCES:
        text = text.removeprefix(fence)
    try:
        json.loads(text.removesuffix("```").strip(), parse_constant=_no_constant)
    except RecursionError:
        return "not JSON: it is nested too deeply"
    except ValueError:
        return "the answer is not JSON alone"
    return None


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is no JSON")


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError when there is an argument other than `alone`."""
    if argument not in (None, "alone"):
        raise ValueError("this check has no options: write 'json', or 'json: alone' for nothing beside it")
    return IsJson(argument == "alone")
