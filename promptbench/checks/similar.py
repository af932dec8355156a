"""similar: the answer is written much like a reference.

What: chrF2 (Popović 2015): how many runs of one to six characters the answer and the reference share, recall counting
    twice; 0 is nothing in common, 1 the same text up to white space. Of several references the best counts. It compares
    letters and not meaning: a right answer in other words scores low.
When: translations and rewritings with a model answer; a coarse net under a text that should not drift.
Options: `to` the reference, one text or a list; `at least` the score that is enough, 0.6 as a rule; `at` the place in a
    JSON answer; `ignore` what does not count: case, white space, punctuation, accents, unicode. A plain text is the
    reference.
Example:
    checks: [{similar: {to: Your refund is on its way., at least: 0.7}}]
"""

from __future__ import annotations

from dataclasses import dataclass

from promptbench.checks import _normal, _options
from promptbench.checks._graded import failed, graded
from promptbench.checks._normal import Normal
from promptbench.checks._paths import Path, optional, text_at
from promptbench.checks._words import quoted, texts
from promptbench.core.protocols import Check, CheckContext, Subject
from promptbench.core.types import Json, Score
from promptbench.metrics.chrf import chrf

_KNOWN = ("to", "at least", "at", "ignore")
_AT_LEAST = 0.6
_MOST = 200_000
_TEXT: Json = {"type": ["string", "number", "boolean"]}
_TEXTS: Json = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
argument_schema: Json = {
    "anyOf": [
        *_TEXTS["anyOf"],
        {
            "type": "object",
            "properties": {
                "to": _TEXTS,
                "at least": {"type": ["number", "string"]},
                "at": {"type": ["string", "integer"]},
                "ignore": _normal.SCHEMA,
            },
            "required": ["to"],
        },
    ]
}


@dataclass(frozen=True, slots=True)
class Similar:
    references: tuple[str, ...]
    at_least: float
    path: Path | None
    normal: Normal

    def score(self, subject: Subject) -> Score:
        text, problem = text_at(subject, self.path)
        if not problem and len(text) > _MOST:
            problem = f"the answer is too long to compare: more than {_MOST:,} characters"
        if problem:
            return failed("similar", problem)
        text = self.normal.text(text)
        value = max(chrf(text, self.normal.text(reference)) for reference in self.references)
        near = " or ".join(map(quoted, self.references[:3]))
        return graded("similar", value, self.at_least, f"{quoted(text)} is not like {near}")


def build(argument: Json, context: CheckContext) -> Check:
    """Raises ValueError when there is no reference."""
    given = _options.value_or_options(argument, "to", _KNOWN)
    references = texts(given.get("to"))
    if any(len(reference) > _MOST for reference in references):
        raise ValueError(f"a reference can have {_MOST:,} characters at most")
    at_least = _options.share(given["at least"], "at least") if "at least" in given else _AT_LEAST
    return Similar(tuple(references), at_least, optional(given.get("at")), _normal.normal(given.get("ignore")))
