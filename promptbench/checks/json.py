"""json: the answer is JSON.

What: passes when the answer reads as JSON at the level that the suite accepts (`accept:`). With `alone`, nothing may
    be next to the JSON but a code fence around it, whatever the suite accepts.
When: the program behind the prompt parses the answer.
Options: none, or `alone`.
Example:
    checks: [json]
"""

import json
from dataclasses import dataclass

from promptbench.checks._options import refuse_constant
from promptbench.checks._scores import readable, verdict
from promptbench.plugins import Check, CheckContext, CheckSpec, Json, Score, Subject


@dataclass(frozen=True, slots=True)
class IsJson:
    alone: bool

    def score(self, subject: Subject) -> Score:
        _, problem = readable(subject, lambda string: True)
        return verdict("json", _problem_alone(subject.text) if self.alone else problem)


def _problem_alone(text: str) -> str | None:
    # Return why an answer is not JSON alone, as IFEval checks it (Zhou et al. 2023).
    #
    # A code fence may be named json only. JSON is what Python's parser accepts, duplicate keys included, except NaN and
    # Infinity.
    text = text.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        text = text.removeprefix(fence)
    try:
        json.loads(text.removesuffix("```").strip(), parse_constant=refuse_constant)
    except RecursionError:
        return "not JSON: it is nested too deeply"
    except ValueError:
        return "the answer is not JSON alone"
    return None


def build(argument: Json, context: CheckContext) -> Check:
    if argument not in (None, "alone"):
        raise ValueError("this check has no options: write 'json', or 'json: alone' for nothing beside it")
    return IsJson(argument == "alone")


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema={"enum": [None, "alone"]})
