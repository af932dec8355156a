"""expect: the answer is what should come back.

What: `name: value` lines compare the named fields of a JSON answer, other fields are free; a list, a number, true or
    false compare the whole JSON answer; a text compares the answer's text without the white space around it. A number
    also equals the same number written as text.
When: you know the right answer. As a key of a case it is short for this check.
Options: none.
Example:
    expect: {team: billing}
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks._words import differences, quoted, readable, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = {}


@dataclass(frozen=True, slots=True)
class Expect:
    wanted: Json

    def score(self, subject: Subject) -> Score:
        if isinstance(self.wanted, str):
            got = subject.text.strip()
            same = got == self.wanted.strip()
            return verdict("expect", [] if same else [f"the answer is {quoted(got)}, not {quoted(self.wanted)}"])
        reading, problem = readable(subject)
        return verdict("expect", [problem] if problem else differences(self.wanted, reading.value))


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError for an empty mapping, which would compare nothing."""
    if argument in ({}, ""):
        raise ValueError("there is nothing to compare: name at least one field, as in 'expect: {team: billing}'")
    return Expect(argument)
