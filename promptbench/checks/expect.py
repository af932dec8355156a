"""expect: the answer is what should come back.

What: `name: value` lines compare the named fields of a JSON answer, other fields are free; a list, a number, true or
    false compare the whole JSON answer; a text compares the answer's text without the white space around it. A number
    also equals the same number written as text.
When: you know the right answer. As a key of a case it is short for this check.
Options: what should come back, or: `is` what should come back, and `ignore` what does not count in its texts: case,
    white space, punctuation, accents, unicode (é in one or two characters, curly quotes, full width), one or a list.
Example:
    expect: {team: billing}
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _normal
from promptbench.checks._normal import Normal
from promptbench.checks._options import comparison
from promptbench.checks._words import differences, quoted, readable, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = {}


@dataclass(frozen=True, slots=True)
class Expect:
    wanted: Json
    normal: Normal

    def score(self, subject: Subject) -> Score:
        if isinstance(self.wanted, str):
            got = subject.text.strip()
            same = self.normal.text(got) == self.normal.text(self.wanted.strip())
            return verdict("expect", [] if same else [f"the answer is {quoted(got)}, not {quoted(self.wanted)}"])
        reading, problem = readable(subject)
        if problem:
            return verdict("expect", [problem])
        return verdict("expect", differences(self.normal.value(self.wanted), self.normal.value(reading.value)))


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError for an empty mapping, which would compare nothing, and for an `ignore` that is not known."""
    wanted, ignored = comparison(argument)
    if wanted in ({}, ""):
        raise ValueError("there is nothing to compare: name at least one field, as in 'expect: {team: billing}'")
    return Expect(wanted, _normal.normal(ignored))
