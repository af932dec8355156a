"""equals: the whole answer is exactly this.

What: like `expect`, but nothing is free: a JSON answer has these fields and no others.
When: every field counts, or the answer is a fixed text.
Options: none.
Example:
    checks: [{equals: {team: billing, urgent: false}}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks._words import quoted, readable, same, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = {}


@dataclass(frozen=True, slots=True)
class Equals:
    wanted: Json

    def score(self, subject: Subject) -> Score:
        if isinstance(self.wanted, str):
            got: Json = subject.text.strip()
            equal = got == self.wanted.strip()
        else:
            reading, problem = readable(subject)
            if problem:
                return verdict("equals", [problem])
            got, equal = reading.value, same(self.wanted, reading.value)
        return verdict("equals", [] if equal else [f"the answer is {quoted(got)}, not {quoted(self.wanted)}"])


def build(argument: Json, context: CheckContext) -> Check:
    return Equals(argument)
