"""one of: the answer is one of these texts.

What: compares the answer's text, without the white space around it, with each of the list.
When: the model chooses from a fixed set, or several wordings are right.
Options: a list of texts, or: `is` the list; `ignore` what does not count: case, white space, punctuation, accents,
    unicode, one of them or a list; `at` the place in a JSON answer whose text or number is compared.
Example:
    checks: [{one of: [billing, delivery, other]}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _normal, _options
from promptbench.checks._normal import Normal
from promptbench.checks._paths import Path, optional, text_at
from promptbench.checks._words import quoted, texts, verdict
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score

_KNOWN = ("is", "ignore", "at")
_TEXTS: Json = {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1}
argument_schema: Json = {
    "anyOf": [
        _TEXTS,
        {
            "type": "object",
            "properties": {"is": _TEXTS, "ignore": _normal.SCHEMA, "at": {"type": ["string", "integer"]}},
            "required": ["is"],
        },
    ]
}


@dataclass(frozen=True, slots=True)
class OneOf:
    allowed: tuple[str, ...]
    normal: Normal
    path: Path | None

    def score(self, subject: Subject) -> Score:
        got, problem = text_at(subject, self.path)
        if problem:
            return verdict("one of", [problem])
        if self.normal.text(got) in {self.normal.text(item) for item in self.allowed}:
            return verdict("one of", [])
        what = self.path.written if self.path else "the answer"
        return verdict("one of", [f"{what} is {quoted(got[:200])}, none of {', '.join(map(quoted, self.allowed))}"])


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError unless the argument is a list of texts, or has one."""
    given = _options.value_or_options(argument, "is", _KNOWN)
    wanted = given.get("is")
    if not isinstance(wanted, list):
        raise ValueError("give a list of texts, as in 'one of: [yes please, no]'")
    allowed = tuple(item.strip() for item in texts(wanted))
    return OneOf(allowed, _normal.normal(given.get("ignore")), optional(given.get("at")))
