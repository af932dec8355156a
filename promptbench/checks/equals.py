"""equals: the whole answer is exactly this.

What: like `expect`, but nothing is free: a JSON answer has these fields and no others.
When: every field counts, or the answer is a fixed text.
Options: the answer, or: `is` the answer, and `ignore` what does not count in its texts: case, white space, punctuation,
    accents, unicode (é in one or two characters, curly quotes, full width), one of them or a list.
Example:
    checks: [{equals: {team: billing, urgent: false}}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _normal
from promptbench.checks._normal import Normal
from promptbench.checks._options import comparison
from promptbench.checks._words import quoted, readable, same, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

argument_schema: Json = {}


@dataclass(frozen=True, slots=True)
class Equals:
    wanted: Json
    normal: Normal

    def score(self, subject: Subject) -> Score:
        if isinstance(self.wanted, str):
            got: Json = subject.text.strip()
            equal = self.normal.text(got) == self.normal.text(self.wanted.strip())
        else:
            reading, problem = readable(subject)
            if problem:
                return verdict("equals", [problem])
            got = reading.value
            equal = same(self.normal.value(self.wanted), self.normal.value(got))
        return verdict("equals", [] if equal else [f"the answer is {quoted(got)}, not {quoted(self.wanted)}"])


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError when `ignore` names what cannot be ignored."""
    wanted, ignored = comparison(argument)
    return Equals(wanted, _normal.normal(ignored))
