"""json: the answer is JSON.

What: passes when the answer reads as JSON at the level that the suite accepts (`accept:`).
When: the program behind the prompt parses the answer.
Options: none.
Example:
    checks: [json]
"""

from __future__ import annotations

from promptbench.checks._words import readable, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = {"type": "null"}


class IsJson:
    def score(self, subject: Subject) -> Score:
        _, problem = readable(subject)
        return verdict("json", [problem] if problem else [])


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError when there is an argument."""
    if argument is not None:
        raise ValueError("this check has no options: write 'json' alone, or 'json schema: …'")
    return IsJson()
