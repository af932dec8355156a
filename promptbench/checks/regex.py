"""regex: the answer matches a pattern.

What: searches the answer for a regular expression, anywhere; `^` and `$` match at its start and end. A search that
    takes longer than a second is stopped and fails. A pattern that refers to itself or to a group by `(?R)` or `(?1)`,
    or has over 200,000 elements with its repeats written out, is an error.
When: the form is fixed and no other check says it.
Options: one pattern, in single quotes.
Example:
    checks: [{regex: '^[A-Z]-[0-9]{4}$'}]
"""

from dataclasses import dataclass
from typing import Any

from promptbench.checks._scores import quoted, verdict
from promptbench.plugins import CheckContext, CheckSpec, Json, Score, Subject
from promptbench.schemas.patterns import SECONDS, compiled, too_slow


@dataclass(frozen=True, slots=True)
class Regex:
    pattern: Any

    def score(self, subject: Subject) -> Score:
        text = subject.text.strip()
        try:
            found = self.pattern.search(text, timeout=SECONDS)
        except TimeoutError:
            return verdict("regex", too_slow(self.pattern.pattern))
        return verdict("regex", None if found else f"{quoted(self.pattern.pattern)} does not match in {quoted(text)}")


def build(argument: Json, context: CheckContext) -> Regex:
    if not isinstance(argument, str) or not argument:
        raise ValueError("give a pattern in single quotes")
    return Regex(compiled(argument))


SPEC = CheckSpec(doc=__doc__, build=build, argument_schema={"type": "string", "format": "regex"})
